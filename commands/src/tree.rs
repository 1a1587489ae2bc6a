//! The clap tree, and how to walk it. The only file that runs clap.
//!
//! Invariant: clap never prints and never ends the program; its own help and version are off.

use std::sync::{LazyLock, Mutex, PoisonError};

use clap::{Arg, ArgAction, FromArgMatches, Subcommand};

use crate::Command;

static TREE: LazyLock<clap::Command> = LazyLock::new(grow);
// Matching wants a tree of its own to write its state to; one that is kept saves building it for each command.
static MATCHER: LazyLock<Mutex<clap::Command>> = LazyLock::new(|| Mutex::new(grow()));

fn grow() -> clap::Command {
    let root = clap::Command::new("gaggle")
        .no_binary_name(true)
        .subcommand_required(true)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .color(clap::ColorChoice::Never);
    let mut root = Command::augment_subcommands(root);
    root.build();
    root
}

/// The whole grammar, for those who generate something from it.
pub fn grammar() -> &'static clap::Command {
    &TREE
}

/// Matches a whole argument list, command words first.
pub(crate) fn matches(argv: &[String]) -> Result<Command, clap::Error> {
    let mut matcher = MATCHER.lock().unwrap_or_else(PoisonError::into_inner);
    let matches = matcher.try_get_matches_from_mut(argv)?;
    drop(matcher);
    Command::from_arg_matches(&matches)
}

/// How far into the tree a text's words lead.
#[derive(Debug, Clone)]
pub(crate) struct Walk<'a> {
    pub command: &'static clap::Command,
    pub path: Vec<&'static str>,
    /// What follows the last known word, with its leading white space gone.
    pub rest: &'a str,
}

impl<'a> Walk<'a> {
    pub fn is_leaf(&self) -> bool {
        !self.command.has_subcommands()
    }

    /// The next word, if any, whatever it means.
    pub fn next_word(&self) -> Option<&'a str> {
        self.rest.split_whitespace().next()
    }

    pub fn path(&self) -> String {
        self.path.join(" ")
    }
}

/// Follows the command words at the start of `body`, which has no slash any more.
pub(crate) fn walk(body: &str) -> Walk<'_> {
    let mut walk = Walk { command: grammar(), path: Vec::new(), rest: body.trim_start() };
    while !walk.is_leaf() {
        let Some(word) = walk.next_word() else { break };
        let Some(next) = walk.command.get_subcommands().find(|command| command.get_name().eq_ignore_ascii_case(word)) else {
            break;
        };
        walk.command = next;
        walk.path.push(next.get_name());
        walk.rest = walk.rest[word.len()..].trim_start();
    }
    walk
}

/// The command of a path such as `project create`.
pub(crate) fn find(path: &str) -> Option<&'static clap::Command> {
    let walk = walk(path);
    walk.rest.is_empty().then_some(walk.command)
}

/// Whether a word is part of some command's path.
pub(crate) fn is_word(word: &str) -> bool {
    leaves().iter().any(|(path, _)| path.split(' ').any(|known| known == word))
}

/// Every command that can be sent, with its path.
pub fn leaves() -> Vec<(String, &'static clap::Command)> {
    fn collect(prefix: &str, command: &'static clap::Command, into: &mut Vec<(String, &'static clap::Command)>) {
        for sub in command.get_subcommands() {
            let path = format!("{prefix} {}", sub.get_name()).trim().to_owned();
            if sub.has_subcommands() { collect(&path, sub, into) } else { into.push((path, sub)) }
        }
    }
    let mut leaves = Vec::new();
    collect("", grammar(), &mut leaves);
    leaves
}

pub(crate) fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

pub(crate) fn is_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// What stands for an argument's value in the form: NAME, K=V.
pub(crate) fn placeholder(arg: &Arg) -> String {
    arg.get_value_names()
        .and_then(|names| names.first())
        .map_or_else(|| arg.get_id().as_str().to_uppercase(), |name| name.to_string())
}

/// What an argument is called where arguments have names: a positional by its placeholder, another by its flag.
pub fn option_name(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => long.to_owned(),
        None => placeholder(arg).to_lowercase(),
    }
}

/// What an argument is for, where it stands once: `several` says how it takes more than one value.
pub fn about_argument(arg: &Arg, several: &str) -> String {
    let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
    match is_list(arg) {
        true => format!("{}{several}", about.strip_suffix("; may be repeated").unwrap_or(&about)),
        false => about,
    }
}

/// Whether this is an argument's name, or another that it goes by; with hyphens.
pub(crate) fn is_called(arg: &Arg, name: &str) -> bool {
    option_name(arg).replace('_', "-") == name || arg.get_all_aliases().unwrap_or_default().contains(&name)
}

/// An argument as people type it: NAME, --repo.
pub(crate) fn typed_name(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => format!("--{long}"),
        None => placeholder(arg),
    }
}

pub(crate) fn choices(arg: &Arg) -> Vec<clap::builder::PossibleValue> {
    if is_switch(arg) { Vec::new() } else { arg.get_possible_values() }
}

/// The right form of a command, or of a group of commands.
pub(crate) fn form(path: &str, command: &clap::Command) -> String {
    let mut form = format!("/{path}");
    if command.has_subcommands() {
        let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        let gap = if path.is_empty() { "" } else { " " };
        return format!("{form}{gap}{}", names.join("|"));
    }
    let (positionals, flags): (Vec<&Arg>, Vec<&Arg>) = command.get_arguments().partition(|arg| arg.is_positional());
    let (last, positionals): (Vec<&Arg>, Vec<&Arg>) = positionals.into_iter().partition(|arg| arg.is_last_set());
    for arg in positionals.into_iter().chain(flags).chain(last) {
        let value = match choices(arg) {
            choices if choices.is_empty() => placeholder(arg),
            choices => choices.iter().map(|choice| choice.get_name().to_owned()).collect::<Vec<_>>().join("|"),
        };
        let typed = match arg.get_long() {
            Some(long) if is_switch(arg) => format!("--{long}"),
            Some(long) => format!("--{long} {value}"),
            None => value,
        };
        form.push_str(if arg.is_last_set() { " -- " } else { " " });
        form.push_str(&if arg.is_required_set() { typed } else { format!("[{typed}]") });
        if is_list(arg) {
            form.push('…');
        }
    }
    form
}
