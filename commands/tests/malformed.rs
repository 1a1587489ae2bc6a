//! Wrong input: each is refused with a sentence and the right form, nothing panics, and no secret comes back.

use gaggle_commands::{OptionValue, Usage, parse_options, parse_text};
use proptest::prelude::*;

use crate::typed::TYPED;

fn told(usage: &Usage, typed: &str) {
    let text = usage.to_string();
    let first = text.lines().next().unwrap_or_default();
    assert!(first.len() > 12 && first.ends_with(['.', '?']), "{typed:?} has no sentence: {text}");
    assert!(text.contains("\nForm: `/"), "{typed:?} has no form: {text}");
    assert!(!text.contains("hunter2") && !format!("{usage:?}").contains("hunter2"), "{typed:?}: {text}");
    assert!(text.lines().all(|line| line.chars().count() < 400), "{typed:?}: {text}");
}

#[test]
fn typed() {
    assert!(TYPED.len() >= 200);
    for (text, part) in TYPED {
        match parse_text(text) {
            Ok(command) => panic!("{text:?} is taken for {command:?}"),
            Err(usage) => {
                told(&usage, text);
                let shown = usage.to_string();
                assert!(shown.contains(part), "{text:?} is not told {part:?}:\n{shown}");
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
        ("project create", &[("name", "demo"), ("name", "shop")], "given twice"),
        ("project create", &[("name", "demo"), ("cpus", "1")], "`cpu`"),
        ("project create", &[("name", "demo"), ("env", "PASSWORD=hunter2")], "/project secret set"),
        ("project create", &[("name", "demo"), ("env", "A=1,TOKEN=hunter2")], "/project secret set"),
        ("project create", &[("name", "demo"), ("env", "hunter2")], "NAME=VALUE"),
        ("project delete", &[("name", "demo"), ("yes", "maybe")], "true or false"),
        ("project delete", &[("name", "demo"), ("keep-data", "yes"), ("keep-files", "yes")], "given twice"),
        ("project logs", &[("name", "demo"), ("previous", "yes"), ("follow", "yes")], "exclude each other"),
        ("project exec", &[("name", "demo")], "CMD is missing"),
        ("project exec", &[("name", "demo"), ("cmd", " ")], "CMD is missing"),
        ("project exec", &[("name", "demo"), ("cmd", "echo 'hunter2")], "never closed"),
        ("project exec", &[("cmd", "ls")], "NAME is missing"),
        ("project exec", &[("name", "--timeout=1h"), ("cmd", "ls")], "NAME is missing"),
        ("project rename", &[("new_name", "shop")], "NAME is missing"),
        ("session rename", &[("session", "s1")], "TITLE is missing"),
        ("session rename", &[("title", "  "), ("session", "s1")], "1–200"),
        ("ask", &[("message", "hunter2")], "NAME is missing"),
        ("ask", &[("name", "demo"), ("message", " ")], "nothing to ask"),
        ("ask", &[("name", "--help"), ("message", "hunter2")], "a letter first"),
        ("secret set", &[("key", "A"), ("value", "hunter2")], "never typed"),
        ("project secret set", &[("name", "demo"), ("key", "A=hunter2")], "never typed"),
        ("secret list", &[("key", "hunter2")], "no such option"),
    ] {
        let values: Vec<OptionValue> = values.iter().map(|(name, value)| OptionValue::new(*name, *value)).collect();
        match parse_options(path, &values) {
            Ok(command) => panic!("{path} {values:?} is taken for {command:?}"),
            Err(usage) => {
                let typed = format!("{path} {values:?}");
                assert!(usage.to_string().contains(part), "{typed} is not told {part:?}:\n{usage}");
                if !path.is_empty() {
                    told(&usage, &typed);
                }
            }
        }
    }
}

#[test]
fn what_is_missing_has_the_names_of_the_options() {
    assert_eq!(parse_text("/project rename").unwrap_err().missing, ["name", "new_name"]);
    assert_eq!(parse_text("/project rename demo").unwrap_err().missing, ["new_name"]);
    assert!(parse_text("/project rename demo X").unwrap_err().missing.is_empty());
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
