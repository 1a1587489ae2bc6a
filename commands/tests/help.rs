//! The voice of the product: help as people read it.

use gaggle_commands::{Command, Role, help, leaves, overview, parse_text};

fn words(path: &str) -> Vec<String> {
    path.split(' ').map(str::to_owned).collect()
}

#[test]
fn the_overview() {
    insta::assert_snapshot!("overview_admin", overview(Role::Admin));
    let member = overview(Role::Member);
    assert!(!member.contains("/audit") && member.contains("/project create"));
    assert!(!overview(Role::Viewer).contains("/project create"));
}

#[test]
fn of_each_command() {
    let texts: Vec<String> = leaves().iter().map(|(path, _)| help(&words(path), Role::Admin).unwrap()).collect();
    insta::assert_snapshot!("commands", texts.join("\n\n"));
}

#[test]
fn of_a_group() {
    insta::assert_snapshot!("group_project", help(&words("/project"), Role::Member).unwrap());
}

#[test]
fn of_nothing_known() {
    insta::assert_snapshot!("unknown", help(&words("project actvate"), Role::Member).unwrap_err().to_string());
}

#[test]
fn asked_for_after_the_command() {
    for (text, path) in [
        ("/project --help", "project"),
        ("/project create -h", "project create"),
        ("/project create demo --cpu 1 --help", "project create"),
        ("/ask --help", "ask"),
        ("/session rename --help", "session rename"),
        ("/deny —help", "deny"),
        ("/secret set KEY --help", "secret set"),
    ] {
        let Ok(Command::Help(help)) = parse_text(text) else { panic!("{text}") };
        assert_eq!(help.command.join(" "), path, "{text}");
    }
    assert_eq!(parse_text("/gaggle"), parse_text("/help"));
}
