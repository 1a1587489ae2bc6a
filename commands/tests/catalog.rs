//! Each command has an entry, each entry an example that is that command, and names that every platform takes.

use gaggle_commands::{CATALOG, entry, leaves, option_name, parse_text};

#[test]
fn each_command_has_an_entry_and_no_entry_is_left_over() {
    let leaves = leaves();
    for (path, _) in &leaves {
        assert!(entry(path).is_some(), "CATALOG has no entry for `{path}`");
    }
    for entry in CATALOG {
        assert!(leaves.iter().any(|(path, _)| path == entry.path), "`{}` is no command any more", entry.path);
    }
    assert_eq!(CATALOG.len(), leaves.len());
}

#[test]
fn examples_are_what_they_say() {
    for entry in CATALOG {
        assert!(!entry.examples.is_empty(), "`{}` has no example", entry.path);
        for example in entry.examples {
            let command = parse_text(example).unwrap_or_else(|usage| panic!("{example}\n{usage}"));
            assert_eq!(command.path(), entry.path, "{example}");
            assert_eq!(command.entry().path, entry.path);
        }
    }
}

#[test]
fn what_asks_first_can_be_told_not_to() {
    for (path, command) in leaves() {
        let yes = command.get_arguments().any(|arg| arg.get_long() == Some("yes"));
        assert_eq!(entry(&path).unwrap().confirm, yes, "{path}");
        assert_eq!(entry(&path).unwrap().secret, path.contains("secret") || path == "link", "{path}");
    }
}

#[test]
fn names_and_descriptions_fit_every_platform() {
    for (path, command) in leaves() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!((1..=100).contains(&about.chars().count()), "{path}: {about}");
        assert!(path.split(' ').count() <= 3);
        assert!(command.get_arguments().count() <= 25);
        let mut names = Vec::new();
        for arg in command.get_arguments() {
            let name = option_name(arg);
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
            assert!((1..=32).contains(&name.len()) && name.chars().all(fits), "{path} {name}");
            assert!((1..=100).contains(&help.chars().count()), "{path} {name}: {help}");
            assert!(arg.get_value_names().is_some(), "{path} {name} has no placeholder");
            assert!(arg.get_possible_values().len() <= 25);
            assert!(!names.contains(&name), "{path} {name}");
            names.push(name);
        }
    }
}
