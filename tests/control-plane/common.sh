# shellcheck shell=bash
# What `up` and `down` both need: sourced, not run.

# begun PID: when that process was started, nothing if it is gone. A number alone may have passed on to another process.
begun() {
  local stat
  stat="$(cat "/proc/$1/stat" 2>/dev/null)" || return 0
  stat="${stat##*) }" # the name in parentheses may hold anything
  # shellcheck disable=SC2086 # the fields, of which the third in all is the first here
  set -- $stat
  [ "$1" = Z ] || echo "${20}"
}
