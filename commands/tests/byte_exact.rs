//! Free text arrives as it was written.

use gaggle_commands::{Ask, Command, Deny, OptionValue, SessionCommand, parse_options, parse_text};
use proptest::prelude::*;

fn message(text: &str) -> String {
    match parse_text(text) {
        Ok(Command::Ask(Ask { message, .. })) => message,
        other => panic!("{text:?}: {other:?}"),
    }
}

fn title(text: &str) -> (String, Option<u64>) {
    match parse_text(text) {
        Ok(Command::Session(SessionCommand::Rename { title, session })) => (title, session),
        other => panic!("{text:?}: {other:?}"),
    }
}

fn denial(text: &str) -> (Option<u64>, Option<String>) {
    match parse_text(text) {
        Ok(Command::Deny(Deny { id, reason })) => (id, reason),
        other => panic!("{text:?}: {other:?}"),
    }
}

#[test]
fn a_message_keeps_its_marks() {
    for written in [
        "it's \"half quoted",
        "--help is not asked for",
        "-x --yes a7",
        "a\\b \\n \\",
        "“smart” — and – more ’",
        "two\n\nlines\r\n\tand a tab",
        "/project delete demo",
        "a    b",
        "\u{1b}[31mred\u{1b}[0m",
        "password=hunter2",
        "# not a comment",
        "$(rm -rf) `x` * {a,b}",
        "日本語 🦀",
    ] {
        assert_eq!(message(&format!("/ask demo {written}")), written);
        assert_eq!(message(&format!("/Gaggle /ASK demo\n\n  {written} \n")), written);
    }
}

#[test]
fn a_title_needs_no_quotes() {
    assert_eq!(title("/session rename Fix it's login"), ("Fix it's login".into(), None));
    assert_eq!(title("/session rename Fix  login s12"), ("Fix  login".into(), Some(12)));
    assert_eq!(title("/session rename 'Fix s12'"), ("Fix s12".into(), None));
    assert_eq!(title("/session rename “Fix it” S3"), ("Fix it".into(), Some(3)));
    assert_eq!(title("/session rename \"a\" or \"b\" s4"), ("\"a\" or \"b\"".into(), Some(4)));
    assert_eq!(title("/session rename --yes"), ("--yes".into(), None));
    assert_eq!(title("/session rename 12"), ("12".into(), None));
    assert_eq!(title("/session rename — dash “"), ("— dash “".into(), None));
}

#[test]
fn a_reason_goes_on_to_the_end() {
    assert_eq!(denial("/deny a7 --reason it's --not safe"), (Some(7), Some("it's --not safe".into())));
    assert_eq!(denial("/deny —reason no a7"), (None, Some("no a7".into())));
    assert_eq!(denial("/deny 7 --reason=too “wild”"), (Some(7), Some("too “wild”".into())));
    assert_eq!(denial("/deny --reason 'quoted'"), (None, Some("quoted".into())));
    assert_eq!(denial("/deny --reason --help"), (None, Some("--help".into())));
    assert_eq!(denial("/deny"), (None, None));
}

#[test]
fn an_option_keeps_the_white_space_around_it() {
    let values = [OptionValue::new("name", "demo"), OptionValue::new("message", "  --a\n")];
    let Ok(Command::Ask(ask)) = parse_options("ask", &values) else { panic!() };
    assert_eq!(ask.message, "  --a\n");
}

proptest! {
    #[test]
    fn any_message(written: String) {
        prop_assume!(!written.trim().is_empty());
        prop_assert_eq!(message(&format!("/ask demo {}", written)), written.trim());
        let values = [OptionValue::new("message", written.clone()), OptionValue::new("name", "demo")];
        let parsed = parse_options("/ask", &values);
        prop_assert_eq!(parsed, Ok(Command::Ask(Ask { name: "demo".into(), message: written })));
    }
}
