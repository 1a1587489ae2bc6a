//! Kubeconfigs as they are uploaded: taken, asked about, refused with the place.

use proptest::prelude::*;

use super::*;
use crate::clusters::fixtures::*;

/// What a change of the good kubeconfig is refused with: `LINE:COLUMN` (or `-` for no place) and a part of the sentence.
type Case = (&'static str, String, &'static str, &'static str);

fn change(from: &str, to: &str) -> String {
    changed(&kubeconfig(), from, to)
}

fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

fn token(to: &str) -> String {
    change(&format!("token: {TOKEN}"), to)
}

fn ca(to: &str) -> String {
    change(&packed(CA), to)
}

fn server(to: &str) -> String {
    change("https://cluster.test:6443", to)
}

fn refusal(text: impl AsRef<[u8]>, context: Option<&str>) -> Refused {
    match read(&text, context, false) {
        Err(refused) => refused,
        Ok(read) => panic!("taken as {read:?}:\n{}", String::from_utf8_lossy(text.as_ref())),
    }
}

fn at(place: Place) -> String {
    match place {
        Place::At { line, column } => format!("{line}:{column}"),
        Place::Field(name) => name.to_owned(),
        Place::Whole => "-".to_owned(),
    }
}

fn hold(cases: Vec<Case>) {
    let secrets = secrets();
    let mut wrong = Vec::new();
    for (name, text, place, part) in cases {
        let refused = refusal(&text, None);
        if at(refused.place) != place || !refused.what.contains(part) {
            wrong.push(format!("{name}: wanted {place} {part}\n     got {} {}", at(refused.place), refused.what));
        }
        let told = format!("{refused} {refused:?}");
        if secrets.iter().any(|secret| tells(&told, secret)) {
            wrong.push(format!("{name}: tells a secret: {told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_kubeconfig() {
    let deep = format!("a: {}{}", "[".repeat(40), "]".repeat(40));
    let bomb = {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let list = vec![format!("*a{}", n - 1); 10].join(", ");
            text.push_str(&format!("a{n}: &a{n} [{list}]\n"));
        }
        text
    };
    let many = format!("[{}]", "x, ".repeat(30_000));
    hold(vec![
        ("empty", String::new(), "-", "empty"),
        ("blank", " \n\n".into(), "-", "empty"),
        ("comment", "# nothing\n".into(), "-", "empty"),
        ("null", "null\n".into(), "-", "empty"),
        ("text", "hello there\n".into(), "1:1", "no kubeconfig"),
        ("token alone", format!("{TOKEN}\n"), "1:1", "no kubeconfig"),
        ("list", "- a\n".into(), "1:1", "no kubeconfig"),
        ("html", "<!DOCTYPE html>\n<html></html>\n".into(), "1:1", "no kubeconfig"),
        ("pem", CA.into(), "1:1", "no kubeconfig"),
        ("unended list", "clusters: [a\n".into(), "2:1", "not YAML"),
        ("unended quote", "clusters: \"a\n".into(), "2:1", "not YAML"),
        ("tab", "clusters:\n\t- a\n".into(), "2:1", "not YAML"),
        ("bad indent", change("  cluster:\n", " cluster:\n"), "6:2", "not YAML"),
        ("undefined alias", "clusters: *nothing\n".into(), "1:11", "no such anchor"),
        ("alias to itself", "a: &a [*a]\n".into(), "1:8", "contains itself"),
        ("bomb", bomb, "5:5", "aliases"),
        ("deep", deep, "1:35", "deeper"),
        ("many", many, "1:59999", "values"),
        ("oversize", format!("# {}\n", "x".repeat(yaml::LONGEST)), "-", "longer than 256 KiB"),
        ("nul", change("kind: Config", "kind: Con\0fig"), "2:10", "control character"),
        ("escape", change("kind: Config", "kind: \u{1b}[31mConfig"), "2:7", "control character"),
        ("two documents", format!("{0}---\n{0}", kubeconfig()), "19:1", "second document"),
        ("tag", change("kind: Config", "kind: !!binary Q29uZmln"), "2:7", "tags"),
        ("own tag", change("kind: Config", "kind: !secret x"), "2:7", "tags"),
        ("merge key", change("kind: Config", "<<: {kind: Config}"), "2:1", "merge keys"),
        ("key twice", change("kind: Config", "apiVersion: v1"), "2:1", "twice"),
        ("key is a list", change("kind: Config", "? [a]\n: b"), "2:3", "a key must be a text"),
        ("another kind", change("kind: Config", "kind: Secret"), "2:7", "`kind` of a kubeconfig is `Config`"),
        ("kind is a list", change("kind: Config", "kind: [Config]"), "2:7", "`kind` of a kubeconfig is `Config`"),
        ("another version", change("apiVersion: v1", "apiVersion: v2"), "1:13", "`apiVersion`"),
        ("list of objects", "apiVersion: v1\nkind: List\nitems: []\n".into(), "2:7", "`kind`"),
    ]);
}

#[test]
fn bytes_that_are_no_text() {
    for (bytes, place, part) in [
        (&b"\xff\xfea\0b\0"[..], "1:1", "UTF-16"),
        (&b"\xfe\xff\0a\0b"[..], "1:1", "UTF-16"),
        (&b"kind: Config\nx: \xc3\x28\n"[..], "2:4", "not UTF-8"),
        (&b"\x80"[..], "1:1", "not UTF-8"),
        (&b"a: [!b, c]"[..], "", "tag"),
    ] {
        let refused = refusal(bytes, None);
        assert!(refused.what.contains(part) && (place.is_empty() || at(refused.place) == place), "{refused}");
    }
    assert!(matches!(read(format!("\u{feff}{}", kubeconfig()), None, false), Ok(Read::One { .. })));
    assert!(matches!(read(kubeconfig().replace('\n', "\r\n"), None, false), Ok(Read::One { .. })));
}

#[test]
fn lists_that_are_not_whole() {
    hold(vec![
        ("no clusters", change("clusters:", "preferences:"), "1:1", "`clusters` is missing"),
        ("no users", change("users:", "preferences:"), "1:1", "`users` is missing"),
        ("no contexts", change("contexts:", "preferences:"), "1:1", "`contexts` is missing"),
        ("null contexts", "clusters: null\ncontexts: null\nusers: null\n".into(), "2:11", "`contexts` is missing or empty"),
        ("clusters are a text", change("clusters:\n", "clusters: demo\nextensions:\n"), "4:11", "is a list of"),
        ("clusters are a mapping", change("clusters:\n", "clusters: {a: b}\nextensions:\n"), "4:11", "is a list of"),
        ("a cluster is a text", change("clusters:\n", "clusters:\n- demo\n"), "5:3", "is a list of"),
        ("no name", change("- name: demo\n  cluster:", "- cluster:"), "5:3", "`name` is missing"),
        ("empty name", change("- name: demo\n  cluster:", "- name: \"\"\n  cluster:"), "5:3", "`name` is missing"),
        ("name is a list", change("- name: demo\n  cluster:", "- name: [a]\n  cluster:"), "5:9", "`name` is a text"),
        ("no cluster", change("- name: demo\n  cluster:\n", "- name: demo\n  extensions:\n"), "6:3", "no such key"),
        ("empty cluster", change("clusters:\n", "clusters:\n- name: x\n  cluster:\n"), "5:3", "`cluster` is missing or empty"),
        ("cluster is a text", change("clusters:\n", "clusters:\n- name: x\n  cluster: y\n"), "6:12", "`cluster` is a mapping"),
        ("user is a list", change("users:\n", "users:\n- name: x\n  user: [y]\n"), "11:9", "`user` is a mapping"),
        ("context is a text", change("contexts:\n", "contexts:\n- name: x\n  context: y\n"), "15:12", "`context` is a mapping"),
        (
            "two clusters of a name",
            change("clusters:\n", "clusters:\n- {name: demo, cluster: {server: x}}\n"),
            "6:9",
            "first in line 5",
        ),
        ("two users of a name", change("users:\n", "users:\n- {name: demo, user: {token: x}}\n"), "11:9", "first in line 10"),
        (
            "two contexts of a name",
            change("contexts:\n", "contexts:\n- {name: demo, context: {user: x}}\n"),
            "15:9",
            "first in line 14",
        ),
        ("odd key of an entry", change("- name: demo\n", "- nam: demo\n"), "5:3", "did you mean `name`?"),
    ]);
}

#[test]
fn contexts_that_lead_nowhere() {
    hold(vec![
        ("no cluster", change("    cluster: demo\n", ""), "16:5", "names no `cluster`"),
        ("no user", change("    user: demo\n", ""), "16:5", "names no `user`"),
        ("another cluster", change("    cluster: demo\n", "    cluster: prod\n"), "16:14", "no entry `prod` in `clusters`"),
        ("another user", change("    user: demo\n", "    user: prod\n"), "17:11", "no entry `prod` in `users`"),
        ("a token as a user", change("    user: demo\n", &format!("    user: {TOKEN}\n")), "17:11", "no entry in `users`"),
        ("user is a list", change("    user: demo\n", "    user: [demo]\n"), "17:11", "is the name of one of"),
        ("bad namespace", change("shop", "Shop_1"), "18:16", "namespace"),
        ("namespace is a list", change("shop", "[shop]"), "18:16", "is a text"),
        ("odd key", change("namespace", "namespaces"), "18:5", "did you mean `namespace`?"),
    ]);
    let refused = refusal(kubeconfig(), Some("prod"));
    assert_eq!(refused.to_string(), "line 14, column 1: there is no context `prod` here, only `demo`");
    let refused = refusal(kubeconfig(), Some(TOKEN));
    assert_eq!(refused.to_string(), "line 14, column 1: there is no context that name here, only `demo`");
}

#[test]
fn servers_that_are_not_asked() {
    hold(vec![
        ("none", change("    server: https://cluster.test:6443\n", ""), "7:5", "`server` is missing"),
        ("empty", server("\"\""), "7:5", "`server` is missing"),
        ("list", server("[https://a]"), "7:13", "is a text"),
        ("plain http", server("http://cluster.test:8080"), "7:13", "plain http"),
        ("HTTP", server("HTTP://cluster.test"), "7:13", "plain http"),
        ("ftp", server("ftp://cluster.test"), "7:13", "no https address"),
        ("file", server("file:///etc/passwd"), "7:13", "no https address"),
        ("unix", server("unix:///var/run/x.sock"), "7:13", "no https address"),
        ("no scheme", server("cluster.test:6443"), "7:13", "no scheme"),
        ("user", server("https://admin@cluster.test"), "7:13", "a user or a password"),
        ("password", server(&format!("https://admin:{TOKEN}@cluster.test")), "7:13", "a user or a password"),
        ("empty user", server("https://@cluster.test"), "7:13", "a user or a password"),
        ("query", server(&format!("https://cluster.test/?token={TOKEN}")), "7:13", "a query"),
        ("empty query", server("https://cluster.test/?"), "7:13", "a query"),
        ("fragment", server("https://cluster.test/#x"), "7:13", "a fragment"),
        ("no host", server("https://"), "7:13", "cannot be read"),
        ("no host with a path", server("https:///path"), "7:13", "no host"),
        ("port of letters", server("https://cluster.test:port"), "7:13", "cannot be read"),
        ("port 0", server("https://cluster.test:0"), "7:13", "port 0"),
        ("large port", server("https://cluster.test:65536"), "7:13", "cannot be read"),
        ("space", server("https://cluster .test"), "7:13", "a space"),
        ("line break", server("\"https://cluster\\n.test\""), "7:13", "a control character"),
        ("backslash", server("https://cluster.test\\@evil.test"), "7:13", "a backslash"),
        ("bad address", server("https://999.1.1.1"), "7:13", "cannot be read"),
        ("bad IPv6", server("https://[::1"), "7:13", "cannot be read"),
        ("zone", server("https://[fe80::1%25eth0]"), "7:13", "cannot be read"),
        ("long", server(&format!("https://{}", "a".repeat(3000))), "7:13", "longer"),
        ("template", server("https://${HOST}:6443"), "7:13", "cannot be read"),
        ("proxy", change("    server:", "    proxy-url: http://proxy.test\n    server:"), "7:5", "without a proxy"),
        (
            "bad name of the server",
            change("    server:", "    tls-server-name: \"a b\"\n    server:"),
            "7:22",
            "not the name of a server",
        ),
        (
            "unverified",
            change("    server:", "    insecure-skip-tls-verify: true\n    server:"),
            "7:31",
            "--insecure-skip-tls-verify",
        ),
        (
            "unverified, in 1.1",
            change("    server:", "    insecure-skip-tls-verify: Yes\n    server:"),
            "7:31",
            "--insecure-skip-tls-verify",
        ),
        ("verified?", change("    server:", "    insecure-skip-tls-verify: maybe\n    server:"), "7:31", "`true` or `false`"),
        ("quoted", change("    server:", "    insecure-skip-tls-verify: \"true\"\n    server:"), "7:31", "`true` or `false`"),
        (
            "misspelt",
            change("    server:", "    insecure-skip-tls-verfy: true\n    server:"),
            "7:5",
            "did you mean `insecure-skip-tls-verify`?",
        ),
        ("odd key", change("    server:", &format!("    {TOKEN}: x\n    server:")), "7:5", "no such key"),
    ]);
}

#[test]
fn certificates_that_are_not_good() {
    let pair = |c: &str, k: &str| kubeconfig_with(c, k);
    let no_pem = packed("no PEM at all");
    hold(vec![
        ("ca of a file", change("certificate-authority-data: ", "certificate-authority: /etc/"), "8:5", "names a file"),
        ("ca is not base64", ca("~~~~"), "8:33", "not base64"),
        ("ca is PEM as it is", ca(&format!("|\n      {}", CA.trim_end().replace('\n', "\n      "))), "8:33", "PEM as it is"),
        ("ca is no PEM", ca(&no_pem), "8:33", "not of PEM"),
        ("ca is cut off", ca(&packed(&CA[..300])), "8:33", "cut off"),
        (
            "ca without a certificate",
            ca(&packed("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")),
            "8:33",
            "without a certificate",
        ),
        (
            "ca of nonsense",
            ca(&packed("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")),
            "8:33",
            "no certificate that can be read",
        ),
        ("ca is a key", ca(&packed(CLIENT_KEY)), "8:33", "a private key stands"),
        ("ca is a list", ca("[a]"), "8:33", "is a text"),
        ("certificate of a file", token("client-certificate: /c.pem\n    client-key-data: x"), "12:5", "names a file"),
        ("key of a file", token("client-certificate-data: x\n    client-key: /c.key"), "13:5", "names a file"),
        ("certificate alone", token(&format!("client-certificate-data: {}", packed(CLIENT))), "12:30", "without its key"),
        ("key alone", token(&format!("client-key-data: {}", packed(CLIENT_KEY))), "12:22", "without its certificate"),
        ("certificate is no PEM", changed(&pair(CLIENT, CLIENT_KEY), &packed(CLIENT), &no_pem), "12:30", "not of PEM"),
        ("certificate is not base64", changed(&pair(CLIENT, CLIENT_KEY), &packed(CLIENT), "~x"), "12:30", "not base64"),
        ("certificate is a key", pair(CLIENT_KEY, CLIENT_KEY), "12:30", "a private key stands"),
        (
            "certificate of nonsense",
            pair("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", CLIENT_KEY),
            "12:30",
            "no certificate",
        ),
        ("key is no PEM", changed(&pair(CLIENT, CLIENT_KEY), &packed(CLIENT_KEY), &no_pem), "13:22", "not of PEM"),
        (
            "key is PEM as it is",
            changed(&pair(CLIENT, CLIENT_KEY), &packed(CLIENT_KEY), &format!("{CLIENT_KEY:?}")),
            "13:22",
            "PEM as it is",
        ),
        ("key is a certificate", pair(CLIENT, CLIENT), "13:22", "without a private key"),
        ("key is locked", pair(CLIENT, LOCKED_KEY), "13:22", "passphrase"),
        ("key is cut off", pair(CLIENT, &CLIENT_KEY[..80]), "13:22", "cut off"),
        ("key is damaged", pair(CLIENT, &CLIENT_KEY.replace("M", "%")), "13:22", "cut off or damaged"),
        (
            "key of nonsense",
            pair(CLIENT, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "13:22",
            "kind of key",
        ),
        ("key of another", pair(CLIENT, STRAY_KEY), "13:22", "does not belong"),
        ("key of another kind", pair(CLIENT, RSA_KEY), "13:22", "does not belong"),
        ("certificate of another", pair(RSA, CLIENT_KEY), "13:22", "does not belong"),
        ("expired", pair(EXPIRED, EXPIRED_KEY), "12:30", "expired on 2021-01-01"),
        ("damaged certificate", pair(&CLIENT.replace("MII", "MIK"), CLIENT_KEY), "12:30", "no certificate that can be read"),
    ]);
}

#[test]
fn users_that_are_not_taken() {
    let user = |to: &str| token(to);
    let jwt = crate::clusters::token::tests::jwt(r#"{"exp":1600000000}"#);
    hold(vec![
        ("empty", user("token: \"\""), "12:5", "there are no credentials"),
        ("null", user("token: null"), "12:5", "there are no credentials"),
        ("blank", user("token: \" \""), "12:12", "the token is empty"),
        ("list", user("token: [a]"), "12:12", "is a text"),
        ("space inside", user(&format!("token: {TOKEN} {TOKEN}")), "12:12", "a space"),
        ("line break inside", user(&format!("token: \"{TOKEN}\\n{TOKEN}\"")), "12:12", "a line break"),
        ("control character", user(&format!("token: \"{TOKEN}\\x07\"")), "12:12", "a control character"),
        ("Bearer", user(&format!("token: Bearer {TOKEN}")), "12:12", "without `Bearer`"),
        ("letters of nobody", user("token: \u{201c}abc\u{201d}"), "12:12", "no token has"),
        ("certificate", user(&format!("token: {CA:?}")), "12:12", "PEM, not a token"),
        ("expired", user(&format!("token: {jwt}")), "12:12", "expired on 2020-09-13"),
        ("file", user("tokenFile: /var/run/token"), "12:5", "names a file"),
        (
            "exec",
            user(
                "exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: /bin/sh\n      args: [\"-c\", \"id\"]",
            ),
            "12:5",
            "runs a program",
        ),
        ("exec beside a token", user(&format!("token: {TOKEN}\n    exec: {{command: id}}")), "13:5", "runs a program"),
        ("auth-provider", user("auth-provider: {name: gcp, config: {cmd-path: /bin/sh}}"), "12:5", "is a plugin"),
        ("user name", user("username: admin\n    password: hunter2"), "12:5", "no longer taken"),
        ("password", user("password: hunter2"), "12:5", "no longer taken"),
        ("as", user(&format!("token: {TOKEN}\n    as: root")), "13:5", "somebody else"),
        ("as-uid", user(&format!("token: {TOKEN}\n    as-uid: \"0\"")), "13:5", "somebody else"),
        ("as-groups", user(&format!("token: {TOKEN}\n    as-groups: [\"system:masters\"]")), "13:5", "somebody else"),
        ("as-user-extra", user(&format!("token: {TOKEN}\n    as-user-extra: {{a: [b]}}")), "13:5", "somebody else"),
        ("misspelt", user(&format!("tokn: {TOKEN}")), "12:5", "did you mean `token`?"),
    ]);
}

#[test]
fn json_has_places_too() {
    let text = format!(
        "{{\n\t\"kind\": \"Config\",\n\t\"clusters\": [{{\"name\": \"a\", \"cluster\": {{\"server\": \"http:\\/\\/a\"}}}}],\n\t\"users\": \
         [{{\"name\": \"a\", \"user\": {{\"token\": \"{TOKEN}\"}}}}],\n\t\"contexts\": [{{\"name\": \"a\", \"context\": {{\"cluster\": \
         \"a\", \"user\": \"a\"}}}}]\n}}"
    );
    let refused = refusal(&text, None);
    assert_eq!((at(refused.place).as_str(), refused.what.contains("plain http")), ("3:51", true), "{refused}");
    let good = text.replace("http:\\/\\/a", "https:\\/\\/a");
    let Ok(Read::One { credentials, .. }) = read(&good, None, false) else { panic!() };
    assert_eq!(credentials.server(), "https://a");
}

#[test]
fn what_is_good_is_taken() {
    let Ok(Read::One { context, credentials }) = read(kubeconfig(), None, false) else { panic!() };
    assert_eq!(context.as_deref(), Some("demo"));
    assert_eq!(
        (credentials.server(), credentials.kind(), credentials.namespace()),
        ("https://cluster.test:6443", "token", Some("shop"))
    );
    for pair in [(CLIENT, CLIENT_KEY), (RSA, RSA_KEY)] {
        let Ok(Read::One { credentials, .. }) = read(kubeconfig_with(pair.0, pair.1), Some("demo"), false) else { panic!() };
        assert_eq!(credentials.kind(), "certificate");
    }
    // What programs write that write every key.
    let padded = change(
        "    token:",
        "    exec: null\n    as: \"\"\n    as-groups: []\n    client-certificate: \"\"\n    auth-provider: ~\n    token:",
    );
    assert!(matches!(read(padded, None, false), Ok(Read::One { .. })));
    // Aliases that stand for little.
    let aliased = changed(&change("- name: demo", "- name: &n demo"), "    cluster: demo", "    cluster: *n");
    assert!(matches!(read(aliased, None, false), Ok(Read::One { .. })));
    let insecure = ca("").replace("certificate-authority-data: ", "insecure-skip-tls-verify: true");
    let Ok(Read::One { credentials, .. }) = read(&insecure, None, true) else { panic!() };
    assert!(credentials.insecure());
    let both = change("    server:", "    insecure-skip-tls-verify: true\n    server:");
    assert!(read(both, None, true).unwrap_err().what.contains("take one of both out"));
}

#[test]
fn one_of_several_is_asked_for() {
    let more = "- name: other\n  context: {cluster: demo, user: runs}\n- name: third\n  context: {cluster: demo, user: demo}\n";
    let text = changed(&format!("{}{more}", kubeconfig()), "users:\n", "users:\n- {name: runs, user: {exec: {command: id}}}\n");
    let text = changed(&text, "current-context: demo", "current-context: third");
    let Ok(Read::Several(names)) = read(&text, None, false) else { panic!() };
    assert_eq!(names, ["third", "demo", "other"]);
    // What the others have does not matter.
    assert!(matches!(read(&text, Some("third"), false), Ok(Read::One { .. })));
    assert!(refusal(&text, Some("other")).what.contains("runs a program"));
    let odd = changed(&text, "- name: other", "- name: \"a\\nb\"");
    assert_eq!(at(refusal(odd, None).place), "20:9");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever becomes of a good one: no panic, and no secret in what is said.
    #[test]
    fn mutations(
        which in 0..2_usize,
        changes in prop::collection::vec((0..4_u8, any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = if which == 0 { kubeconfig() } else { kubeconfig_with(CLIENT, CLIENT_KEY) }.into_bytes();
        for (kind, one, two, byte) in changes {
            if bytes.is_empty() {
                break;
            }
            let (a, b) = (one.index(bytes.len()), two.index(bytes.len()));
            match kind {
                0 => bytes[a] = byte,
                1 => bytes.truncate(a),
                2 => drop(bytes.drain(a.min(b)..(a.min(b) + 40).min(a.max(b)))),
                _ => {
                    let part: Vec<u8> = bytes[a..(a + 90).min(bytes.len())].to_vec();
                    bytes.splice(b..b, part);
                }
            }
        }
        if let Err(refused) = read(&bytes, None, false) {
            let told = format!("{refused} {refused:?}");
            for secret in secrets() {
                prop_assert!(!tells(&told, &secret), "{told}");
            }
        }
    }
}
