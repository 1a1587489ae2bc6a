# Clones $REPO_URL into $VOLUME/workspace unless that has files. It is whole or not there: the clone gets its name when it has ended.
# Credentials stay in the environment, but for ssh, which wants a file. No dollar sign stands before a parenthesis: Kubernetes
# would take that for a variable.
set -eu
cd "$VOLUME"
if ls -A workspace 2>/dev/null | grep -q .; then
    echo "The workspace has files already: nothing is cloned."
    exit 0
fi
rm -rf clone.new
if [ -n "${GIT_TOKEN:-}" ]; then
    # A redirect would take the token along to wherever it leads. A token that needs a certain name is stored as NAME:TOKEN.
    export GIT_CONFIG_COUNT=2
    export GIT_CONFIG_KEY_0=http.followRedirects GIT_CONFIG_VALUE_0=false
    export GIT_CONFIG_KEY_1=credential.helper
    export GIT_CONFIG_VALUE_1='!f() { [ "$1" = get ] || exit 0; t=`printf %s "$GIT_TOKEN" | tr -d "[:space:]"`; case "$t" in *:*) u="${t%%:*}"; p="${t#*:}";; *) u=x-access-token; p="$t";; esac; printf "username=%s\npassword=%s\n" "$u" "$p"; }; f'
fi
case "$REPO_URL" in
https://* | http://* | file://*) ;;
*)
    if ! id -un >/dev/null 2>&1; then
        echo "ssh needs a user of this id in the image of kubernetes.clone_image; use one that has it, or an https URL." >&2
        exit 1
    fi
    key=none
    if [ -n "${GIT_SSH_KEY:-}" ]; then
        key="$TMPDIR/clone.key"
        trap 'rm -f "$key"' EXIT
        (umask 077 && printf '%s\n' "$GIT_SSH_KEY" | tr -d '\r' >"$key")
        unset GIT_SSH_KEY
    fi
    ssh="ssh -o BatchMode=yes -F /dev/null -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=accept-new"
    export GIT_SSH_COMMAND="$ssh -o UserKnownHostsFile=$TMPDIR/known_hosts -o IdentityFile=$key"
    ;;
esac
git -c core.hooksPath=/dev/null clone --no-progress -- "$REPO_URL" clone.new
if [ -e workspace ]; then rmdir workspace; fi
mv clone.new workspace
