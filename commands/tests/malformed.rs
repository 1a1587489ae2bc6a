//! Wrong input: each is refused with a sentence and the right form, nothing panics, and no secret comes back.

use gaggle_commands::{OptionValue, Usage, parse_options, parse_text};
use proptest::prelude::*;

fn told(usage: &Usage, typed: &str) {
    let text = usage.to_string();
    let first = text.lines().next().unwrap_or_default();
    assert!(
        first.len() > 12 && first.ends_with(['.', '?']),
        "{typed:?} has no sentence: {text}"
    );
    assert!(text.contains("\nForm: `/"), "{typed:?} has no form: {text}");
    assert!(
        !text.contains("hunter2") && !format!("{usage:?}").contains("hunter2"),
        "{typed:?}: {text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() < 400),
        "{typed:?}: {text}"
    );
}

/// Refused, and by this word of explanation or suggestion.
const TYPED: &[(&str, &str)] = &[
    ("", "slash"),
    ("   ", "slash"),
    ("/", "slash"),
    ("//", "slash"),
    ("/ project list", "slash"),
    ("/1", "slash"),
    ("hello", "slash"),
    ("project list", "slash"),
    ("/foo", "no such command: `/foo`"),
    ("/projet list", "`/project list`"),
    ("/porject create demo", "`/project create demo`"),
    ("/statsu", "`/status`"),
    ("/hlep", "`/help`"),
    ("/whoam", "`/whoami`"),
    ("/aks demo hello", "`/ask demo hello`"),
    ("/aprove a7", "`/approve a7`"),
    ("/reject a7", "`/deny a7`"),
    ("/gaggle foo", "`/foo`"),
    ("/gaggle /foo", "`/foo`"),
    ("/gaggle gaggle", "no such command"),
    ("/ghp_abcdefghijklmnop12345hunter2", "no such command"),
    ("/project", "create, list, show"),
    ("/session", "list, show"),
    ("/secret", "set, list, unset"),
    ("/approval", "list"),
    ("/project secret", "set, list, unset"),
    ("/project actvate demo", "`/project activate demo`"),
    ("/project activte", "`/project activate`"),
    ("/project start demo", "`/project activate demo`"),
    ("/project rm demo", "`/project delete demo`"),
    ("/project ls", "`/project list`"),
    ("/project foo", "`foo`"),
    ("/project create/demo", "`create/demo`"),
    (
        "/project actvate demo PASSWORD=hunter2",
        "`/project activate`",
    ),
    (
        "/project actvate demo --token hunter2",
        "`/project activate`",
    ),
    ("/project \"create\" demo", "no such command"),
    ("/session cancel s1", "`/session stop s1`"),
    ("/session tsop", "`/session stop`"),
    ("/approval lst", "`/approval list`"),
    ("/project create", "NAME is missing"),
    ("/project create Demo", "a letter first (`Demo`)"),
    ("/project create 1demo", "a letter first"),
    ("/project create -demo", "no such flag"),
    ("/project create de_mo", "a letter first"),
    ("/project create dé", "a letter first"),
    ("/project create ''", "a letter first"),
    (
        "/project create abcdefghijabcdefghijabcdefghijabcdefghijk",
        "1–40",
    ),
    ("/project create ann/demo", "a letter first"),
    (
        "/project create demo extra",
        "no more arguments here: `extra`",
    ),
    ("/project create demo PASSWORD=hunter2", "`PASSWORD=…`"),
    ("/project create https://u:hunter2@host/x", "a letter first"),
    ("/project create https://hunter2@host/x", "a letter first"),
    ("/project create demo --reop https://host/x", "`--repo`"),
    ("/project create demo --repo", "without a value"),
    (
        "/project create demo --repo http://host/x",
        "https://HOST/PATH",
    ),
    (
        "/project create demo --repo file:///etc/passwd",
        "https://HOST/PATH",
    ),
    (
        "/project create demo --repo --upload-pack=x",
        "no such flag: `--upload-pack`",
    ),
    (
        "/project create demo --repo=--upload-pack=x",
        "https://HOST/PATH",
    ),
    (
        "/project create demo --repo ssh://-oProxyCommand=x/y",
        "https://HOST/PATH",
    ),
    (
        "/project create demo --repo https://user:hunter2@host/x",
        "GIT_TOKEN",
    ),
    (
        "/project create demo --repo https://hunter2@host/x",
        "GIT_TOKEN",
    ),
    (
        "/project create demo --repo ssh://git:hunter2@host/x",
        "GIT_TOKEN",
    ),
    (
        "/project create demo --repo http://u:hunter2@host/x",
        "GIT_TOKEN",
    ),
    (
        "/project create demo --repo https://host/x?access_token=hunter2",
        "https://HOST/PATH",
    ),
    ("/project create demo --repo hunter2", "https://HOST/PATH"),
    (
        "/project create demo --repo https://a/b --repo https://a/c",
        "given twice",
    ),
    ("/project create demo --cpu 0", "a number of cores"),
    ("/project create demo --cpu -1", "flag"),
    ("/project create demo --cpu=-1", "a number of cores"),
    (
        "/project create demo --cpu 2Gi",
        "a number of cores, as 500m (half a core) or 2 (`2Gi`)",
    ),
    ("/project create demo --cpu two", "a number of cores"),
    ("/project create demo --cpu 1e3", "a number of cores"),
    ("/project create demo --cpu NaN", "a number of cores"),
    (
        "/project create demo --cpu 99999999999999999999",
        "a number of cores",
    ),
    ("/project create demo --memory 512", "at least 1Mi"),
    ("/project create demo --memory 512m", "at least 1Mi"),
    ("/project create demo --memory 2GB", "512Mi"),
    ("/project create demo --memory 2gi", "512Mi"),
    ("/project create demo --memory .5Gi", "512Mi"),
    ("/project create demo --memory ''", "512Mi"),
    ("/project create demo --env", "without a value"),
    ("/project create demo --env hunter2", "NAME=VALUE"),
    ("/project create demo --env =hunter2", "variable's name"),
    ("/project create demo --env 1A=hunter2", "variable's name"),
    ("/project create demo --env A-B=hunter2", "variable's name"),
    (
        "/project create demo --env PASSWORD=hunter2",
        "/project secret set",
    ),
    (
        "/project create demo --env=DB_PASSWORD=hunter2",
        "/project secret set",
    ),
    (
        "/project create demo --env apiKey=hunter2",
        "/project secret set",
    ),
    (
        "/project create demo --env PGPASSWORD='hunter2'",
        "/project secret set",
    ),
    (
        "/project create demo --env “API_KEY=hunter2”",
        "/project secret set",
    ),
    (
        "/project create demo --env X=postgres://u:hunter2@host/db",
        "/project secret set",
    ),
    (
        "/project create demo --env X=ghp_hunter2hunter2hunter2",
        "/project secret set",
    ),
    (
        "/project create demo --env 'X=-----BEGIN PRIVATE KEY-----hunter2'",
        "/project secret set",
    ),
    (
        "/project create demo --env A=1 --env A=hunter2",
        "given twice: `A`",
    ),
    ("/project create demo --evn PASSWORD=hunter2", "`--env`"),
    (
        "/project create demo --env:PASSWORD=hunter2",
        "no such flag",
    ),
    (
        "/project create demo --password hunter2",
        "no such flag: `--password`",
    ),
    (
        "/project create demo --password=hunter2",
        "no such flag: `--password`",
    ),
    (
        "/project create demo --env PASSWORD=\"hunter2",
        "never closed",
    ),
    (
        "/project create demo --env \"PASSWORD=hunter2",
        "never closed",
    ),
    ("/project create 'demo", "never closed, at character 1"),
    ("/project create demo’s", "never closed"),
    ("/project create demo\\", "backslash"),
    ("/project create demo \u{0}", "control character"),
    ("/project create de\u{7}mo", "control character"),
    ("/project show", "NAME is missing"),
    ("/project show a/b/c", "owner/name"),
    ("/project show /demo", "owner/name"),
    ("/project show demo other", "`other`"),
    ("/project show --all", "no such flag"),
    ("/project list demo", "`demo`"),
    ("/project list --al", "`--all`"),
    ("/project list --all --all", "given twice"),
    ("/project list --all=yes", "takes no value"),
    ("/project list -a", "`--all`"),
    ("/project rename", "NAME and NEW_NAME are missing"),
    ("/project rename demo", "NEW_NAME is missing"),
    ("/project rename demo Shop", "a letter first"),
    ("/project rename demo a/shop", "a letter first"),
    ("/project update", "NAME is missing"),
    ("/project update demo", "nothing to change"),
    (
        "/project update demo --mode smart-approve",
        "`smart_approve`",
    ),
    (
        "/project update demo --mode yolo",
        "auto, approve, smart_approve, chat",
    ),
    ("/project update demo --mode", "without a value"),
    ("/project update demo --model", "without a value"),
    ("/project update demo --model 'a b'", "without spaces"),
    ("/project update demo --model ''", "1–200"),
    ("/project update demo --provdier x", "`--provider`"),
    ("/project share demo", "USER is missing"),
    ("/project share demo @", "@ann"),
    ("/project share demo 'a b'", "@ann"),
    ("/project share demo @ann --role admin", "configuration"),
    ("/project share demo @ann --role memer", "`member`"),
    ("/project share demo @ann --role", "without a value"),
    (
        "/project share demo @ann --role king",
        "viewer, member, owner",
    ),
    ("/project share demo @ann @bob", "`@bob`"),
    ("/project unshare demo", "USER is missing"),
    ("/project activate", "NAME is missing"),
    ("/project activate demo --yes", "no such flag"),
    ("/project delete", "NAME is missing"),
    ("/project delete demo --force", "no such flag"),
    ("/project delete demo -y", "`--yes`"),
    ("/project delete demo --keepfiles", "`--keep-files`"),
    ("/project delete demo --keep_files", "`--keep-files`"),
    ("/project delete demo #comment", "`#comment`"),
    ("/project logs demo --tail", "without a value"),
    ("/project logs demo --tail x", "whole number"),
    ("/project logs demo --tail 0", "from 1 to 10000"),
    ("/project logs demo --tail 10001", "from 1 to 10000"),
    ("/project logs demo --tail 1.5", "whole number"),
    (
        "/project logs demo --tail 99999999999999999999999",
        "whole number",
    ),
    ("/project logs demo --tail=-5", "from 1 to 10000"),
    ("/project secret set", "NAME and KEY are missing"),
    ("/project secret set demo", "KEY is missing"),
    ("/project secret set demo 1KEY", "no digit first"),
    ("/project secret set demo KEY hunter2", "never typed"),
    ("/project secret set demo KEY=hunter2", "never typed"),
    ("/project secret set demo KEY:hunter2", "never typed"),
    (
        "/project secret set demo KEY --value=hunter2",
        "never typed",
    ),
    (
        "/project secret set demo KEY --value hunter2",
        "never typed",
    ),
    ("/project secret set demo KEY --hunter2", "never typed"),
    ("/project secret set demo KEY 'hunter2", "never typed"),
    ("/project secret set demo KEY \u{1}hunter2", "control"),
    ("/project secret set hunter2! KEY", "a letter first"),
    ("/project secret set demo 'KEY hunter2'", "never typed"),
    ("/project secret set demo hunter2-", "no digit first"),
    ("/project secret list demo hunter2", "no more arguments"),
    ("/project secret list", "NAME is missing"),
    ("/project secret unset demo", "KEY is missing"),
    (
        "/project secret unset demo KEY hunter2",
        "no more arguments",
    ),
    ("/project secret hunter2", "set, list or unset"),
    (
        "/project secret sett demo KEY hunter2",
        "`/project secret set`",
    ),
    (
        "/project secert set demo KEY hunter2",
        "`/project secret set`",
    ),
    (
        "/projct secrte set demo KEY hunter2",
        "`/project secret set`",
    ),
    ("/secret set", "KEY is missing"),
    ("/secret set KEY=hunter2", "never typed"),
    ("/secret set KEY hunter2", "never typed"),
    ("/SECRET SET KEY hunter2", "never typed"),
    ("/secret set --value=hunter2", "never typed"),
    ("/secret set “hunter2", "never typed"),
    ("/secret KEY=hunter2", "set, list or unset"),
    ("/secret add KEY hunter2", "`/secret set`"),
    ("/secrets set KEY hunter2", "`/secret set`"),
    ("/sercet set KEY hunter2", "`/secret set`"),
    ("/secret list hunter2", "no more arguments"),
    ("/secret unset", "KEY is missing"),
    ("/ask", "NAME and MESSAGE are missing"),
    ("/ask demo", "MESSAGE is missing"),
    ("/ask demo   \n ", "MESSAGE is missing"),
    ("/ask Demo hunter2", "a letter first (`Demo`)"),
    ("/ask 'demo' hunter2", "a letter first"),
    ("/ask --reason hunter2", "a letter first"),
    ("/session list", "NAME is missing"),
    ("/session show twelve", "s12"),
    ("/session show s", "s12"),
    ("/session show s0", "s12"),
    ("/session show s-1", "s12"),
    ("/session show s99999999999999999999999", "s12"),
    ("/session show 'password hunter2'", "s12"),
    ("/session show password:hunter2", "s12"),
    ("/session show s1 s2", "`s2`"),
    ("/session delete --yse", "`--yes`"),
    ("/session rename", "TITLE is missing"),
    ("/session rename s12", "TITLE is missing"),
    ("/session rename ''", "1–200"),
    ("/session rename two\nlines", "one line"),
    ("/approve x", "a7"),
    ("/approve s7", "a7"),
    ("/approve a7 a8", "`a8`"),
    ("/approve a7 --alwys", "`--always`"),
    ("/approve a7 --reason hunter2", "no such flag"),
    ("/deny x", "a7"),
    ("/deny --reason", "without a value"),
    ("/deny a7 --reason   ", "without a value"),
    ("/deny a7 --reason ''", "without a value"),
    ("/deny a7 --reson hunter2", "`--reason`"),
    ("/deny a7 a8 --reason hunter2", "`a8`"),
    ("/deny x --reason hunter2", "a7"),
    ("/thread x", "whole number"),
    ("/thread -1", "no such flag"),
    ("/thread 1 2", "`2`"),
    ("/whoami me", "`me`"),
    ("/whoami --password hunter2", "no such flag"),
    ("/status --all", "no such flag"),
    ("/audit x", "`x`"),
    ("/audit --tail 1001", "from 1 to 1000"),
    ("/audit --user", "without a value"),
    ("/audit --user ''", "@ann"),
    ("/help --all", "no such flag"),
];

#[test]
fn typed() {
    assert!(TYPED.len() >= 200);
    for (text, part) in TYPED {
        match parse_text(text) {
            Ok(command) => panic!("{text:?} is taken for {command:?}"),
            Err(usage) => {
                told(&usage, text);
                let shown = usage.to_string();
                assert!(
                    shown.contains(part),
                    "{text:?} is not told {part:?}:\n{shown}"
                );
            }
        }
    }
}

#[test]
fn as_options() {
    for (path, values, part) in [
        ("", &[][..], "needs one of these"),
        ("project", &[], "needs one of these"),
        ("project nope", &[], "no such command"),
        ("project create", &[], "NAME is missing"),
        ("project create", &[("name", "Demo")], "a letter first"),
        (
            "project create",
            &[("name", "demo"), ("name", "shop")],
            "given twice",
        ),
        (
            "project create",
            &[("name", "demo"), ("cpus", "1")],
            "`cpu`",
        ),
        (
            "project create",
            &[("name", "demo"), ("env", "PASSWORD=hunter2")],
            "/project secret set",
        ),
        (
            "project create",
            &[("name", "demo"), ("env", "A=1,TOKEN=hunter2")],
            "/project secret set",
        ),
        (
            "project create",
            &[("name", "demo"), ("env", "hunter2")],
            "NAME=VALUE",
        ),
        (
            "project delete",
            &[("name", "demo"), ("yes", "maybe")],
            "true or false",
        ),
        ("project rename", &[("new_name", "shop")], "NAME is missing"),
        ("session rename", &[("session", "s1")], "TITLE is missing"),
        (
            "session rename",
            &[("title", "  "), ("session", "s1")],
            "1–200",
        ),
        ("ask", &[("message", "hunter2")], "NAME is missing"),
        (
            "ask",
            &[("name", "demo"), ("message", " ")],
            "nothing to ask",
        ),
        (
            "ask",
            &[("name", "--help"), ("message", "hunter2")],
            "a letter first",
        ),
        (
            "secret set",
            &[("key", "A"), ("value", "hunter2")],
            "never typed",
        ),
        (
            "project secret set",
            &[("name", "demo"), ("key", "A=hunter2")],
            "never typed",
        ),
        ("secret list", &[("key", "hunter2")], "no such option"),
    ] {
        let values: Vec<OptionValue> = values
            .iter()
            .map(|(name, value)| OptionValue::new(*name, *value))
            .collect();
        match parse_options(path, &values) {
            Ok(command) => panic!("{path} {values:?} is taken for {command:?}"),
            Err(usage) => {
                let typed = format!("{path} {values:?}");
                assert!(
                    usage.to_string().contains(part),
                    "{typed} is not told {part:?}:\n{usage}"
                );
                if !path.is_empty() {
                    told(&usage, &typed);
                }
            }
        }
    }
}

#[test]
fn what_is_missing_has_the_names_of_the_options() {
    assert_eq!(
        parse_text("/project rename").unwrap_err().missing,
        ["name", "new_name"]
    );
    assert_eq!(
        parse_text("/project rename demo").unwrap_err().missing,
        ["new_name"]
    );
    assert!(
        parse_text("/project rename demo X")
            .unwrap_err()
            .missing
            .is_empty()
    );
}

#[test]
fn long_words_are_shortened() {
    let usage = parse_text(&format!("/project show {}", "A".repeat(5_000))).unwrap_err();
    assert_eq!(usage.place, Some(format!("{}…", "A".repeat(40))));
    told(&usage, "long");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn any_text(text: String) {
        let _ = parse_text(&text);
    }

    #[test]
    fn any_arguments(
        command in prop::sample::select(gaggle_commands::CATALOG),
        rest in "([ \n'\"\\\\“—-]|--[a-z]{1,6}|demo|s1|a7|hunter=|[^\\p{C}]){0,20}",
    ) {
        if let Err(usage) = parse_text(&format!("/{} {rest}", command.path)) {
            told(&usage, &rest);
        }
    }

    #[test]
    fn nothing_after_a_secret_comes_back(
        head in prop::sample::select(vec!["/secret set", "/project secret set demo", "/secret", "/project secret", "/secret unset"]),
        between in "( KEY| -{1,2}[a-z]{1,5}[= ]?| '|=|:| “){0,3}",
        after in "( x|'|=|\\\\){0,2}",
    ) {
        let text = format!("{head}{between}hunter2{after}");
        if let Err(usage) = parse_text(&text) {
            prop_assert!(!format!("{usage:?} {usage}").contains("hunter2"), "{}\n{}", text, usage);
        }
    }
}
