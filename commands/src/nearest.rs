//! "Did you mean …?": the known word that is nearest to what was typed.

use crate::sensitive::{sensitive_name, sensitive_value};
use crate::tree::{self, Walk};
use crate::usage::guarded;

/// What people type who know other programs.
const SYNONYMS: &[(&str, &str)] = &[
    ("start", "activate"),
    ("run", "activate"),
    ("stop", "deactivate"),
    ("cancel", "stop"),
    ("abort", "stop"),
    ("new", "create"),
    ("add", "create"),
    ("add", "set"),
    ("remove", "delete"),
    ("remove", "unset"),
    ("rm", "delete"),
    ("rm", "unset"),
    ("delete", "unset"),
    ("destroy", "delete"),
    ("ls", "list"),
    ("info", "show"),
    ("describe", "show"),
    ("edit", "update"),
    ("set", "update"),
    ("config", "update"),
    ("mv", "rename"),
    ("log", "logs"),
    ("allow", "approve"),
    ("reject", "deny"),
    ("refuse", "deny"),
    ("chat", "ask"),
    ("prompt", "ask"),
    ("me", "whoami"),
    ("?", "help"),
];

/// The nearest of `known`, if any is near enough to have been meant.
pub(crate) fn word<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed: String = typed.to_lowercase().chars().take(64).collect();
    let length = typed.chars().count();
    let allowed = match length {
        0 | 1 => 0,
        2..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    let known: Vec<&str> = known.collect();
    let near = known
        .iter()
        .map(|word| (strsim::damerau_levenshtein(&typed, word), *word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word);
    let begun = || known.iter().copied().find(|word| length >= 2 && word.starts_with(&typed));
    near.or_else(begun)
}

/// The command of a group that was meant.
pub(crate) fn command(group: &'static clap::Command, typed: &str) -> Option<&'static str> {
    let names = || group.get_subcommands().map(clap::Command::get_name);
    let lower = typed.to_lowercase();
    let synonym = || SYNONYMS.iter().filter(|(other, _)| *other == lower).find_map(|(_, ours)| names().find(|name| name == ours));
    names().find(|name| *name == lower).or_else(synonym).or_else(|| word(typed, names()))
}

/// The flag of a command that was meant, with its dashes.
pub(crate) fn flag(command: &clap::Command, typed: &str) -> Option<String> {
    let flags = || command.get_arguments().filter_map(clap::Arg::get_long);
    let typed = typed.split('=').next().unwrap_or(typed);
    let name = typed.trim_start_matches('-').replace('_', "-");
    let mut begun = flags().filter(|flag| flag.starts_with(&name.to_lowercase()));
    let only = match (name.is_empty(), begun.next(), begun.next()) {
        (false, Some(flag), None) => Some(flag),
        _ => None,
    };
    word(&name, flags()).or(only).map(|flag| format!("--{flag}"))
}

/// The path that was probably meant, and the command: its words corrected, its arguments only where none can be a secret.
pub(crate) fn whole(walk: &Walk<'_>) -> (String, String) {
    let mut command = walk.command;
    let mut path: Vec<&str> = walk.path.clone();
    let mut rest = walk.rest;
    while command.has_subcommands() {
        let Some(typed) = rest.split_whitespace().next() else {
            break;
        };
        let Some(name) = self::command(command, typed) else {
            break;
        };
        let Some(next) = command.find_subcommand(name) else {
            break;
        };
        (command, rest) = (next, rest[typed.len()..].trim_start());
        path.push(name);
    }
    let path = path.join(" ");
    let whole = format!("/{path}");
    let short = rest.chars().count() <= 60 && !rest.contains(|c: char| c.is_control());
    let harmless = !rest.contains(['=', '`', '\'', '"'])
        && !rest.contains("://")
        && !sensitive_value(rest)
        && !rest.split_whitespace().any(sensitive_name);
    if rest.is_empty() || tree::find(&path).is_none_or(clap::Command::has_subcommands) || guarded(&path) || !short || !harmless {
        return (path, whole);
    }
    let whole = format!("{whole} {rest}");
    (path, whole)
}
