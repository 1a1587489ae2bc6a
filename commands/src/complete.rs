//! What can come next in a line that is being typed: for Tab and for platforms that complete.
//!
//! Knows which kind of thing an argument names, never which of them exist: the surface fills those in.

use clap::Arg;

use crate::tree::{self, Walk};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Where the word starts that the candidates replace, in bytes; never the slash.
    pub start: usize,
    pub candidates: Candidates,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidates {
    /// Words with one line about each; those that do not fit what is typed already are left out.
    Words(Vec<(String, String)>),
    Projects,
    Sessions,
    Approvals,
    People,
    Clusters,
    Releases,
    /// Of the catalogue.
    Services,
    Nothing,
}

/// What can stand at the end of `line`.
pub fn complete(line: &str) -> Completion {
    let start = line.rfind(char::is_whitespace).map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    let word = &line[start..];
    let before = line[..start].trim();
    if before.is_empty() {
        let slash = word.starts_with('/');
        let candidates = if slash { commands(tree::grammar(), &word[1..]) } else { Candidates::Nothing };
        return Completion { start: start + usize::from(slash), candidates };
    }
    let Some(before) = crate::text::body(before) else {
        return Completion { start, candidates: Candidates::Nothing };
    };
    let walk = tree::walk(before);
    if !walk.is_leaf() {
        let slash = before.is_empty() && word.starts_with('/');
        let candidates = match walk.rest {
            "" => commands(walk.command, &word[usize::from(slash)..]),
            _ => Candidates::Nothing,
        };
        return Completion { start: start + usize::from(slash), candidates };
    }
    arguments(&walk, start, word)
}

/// The kind of thing that an argument of the command at `path` names.
pub fn candidates_for(path: &str, option: &str) -> Candidates {
    let plain = option.trim_start_matches('-').to_lowercase().replace('_', "-");
    let arg = tree::find(path).and_then(|command| command.get_arguments().find(|arg| tree::is_called(arg, &plain)));
    arg.map_or(Candidates::Nothing, |arg| of(path, arg, ""))
}

fn arguments(walk: &Walk<'_>, start: usize, word: &str) -> Completion {
    let path = walk.path();
    let flags = || walk.command.get_arguments().filter(|arg| arg.get_long().is_some());
    let (last, positionals): (Vec<&Arg>, Vec<&Arg>) = walk.command.get_positionals().partition(|arg| arg.is_last_set());
    let typed: Vec<&str> = walk.rest.split_whitespace().collect();
    if !last.is_empty() && typed.iter().any(|word| matches!(*word, "--" | "—")) {
        return Completion { start, candidates: Candidates::Nothing };
    }
    let mut used: Vec<&Arg> = Vec::new();
    let mut open: Option<&Arg> = None;
    let mut place = 0;
    for typed in &typed {
        if open.take().is_some() {
            continue;
        }
        let plain = typed.replace('—', "--");
        match plain.strip_prefix("--") {
            Some(flag) => {
                let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
                let Some(arg) = flags().find(|arg| tree::is_called(arg, name)) else {
                    continue;
                };
                used.push(arg);
                open = (!tree::is_switch(arg) && value.is_none()).then_some(arg);
                // A reason goes on to the end of the line.
                if arg.get_id() == "reason" {
                    return Completion { start, candidates: Candidates::Nothing };
                }
            }
            None => place += 1,
        }
    }
    if let Some(arg) = open {
        return Completion { start, candidates: of(&path, arg, word) };
    }
    if path == "help" {
        let inner = tree::walk(walk.rest);
        let candidates = if inner.rest.is_empty() { commands(inner.command, word) } else { Candidates::Nothing };
        return Completion { start, candidates };
    }
    if let Some((flag, value)) = word.split_once('=')
        && let Some(arg) = flags().find(|arg| flag.strip_prefix("--") == arg.get_long())
    {
        return Completion { start: start + flag.len() + 1, candidates: of(&path, arg, value) };
    }
    // What is raw text from its second word on has no candidates there.
    let raw = matches!(path.as_str(), "ask" | "session rename") && place > 0;
    if raw && !(path == "session rename" && word.starts_with('s')) {
        return Completion { start, candidates: Candidates::Nothing };
    }
    let positional = positionals.get(place.min(if raw { 1 } else { place }));
    let candidates = match positional {
        Some(arg) if !word.starts_with(['-', '—']) => of(&path, arg, word),
        _ => {
            let begun = word.replace('—', "--");
            let free = flags()
                .filter(|arg| tree::is_list(arg) || !used.iter().any(|other| other.get_id() == arg.get_id()))
                .map(|arg| (tree::typed_name(arg), about(arg)));
            words(free, &begun)
        }
    };
    Completion { start, candidates }
}

fn of(path: &str, arg: &Arg, begun: &str) -> Candidates {
    let choices = tree::choices(arg);
    if !choices.is_empty() {
        let choices = choices
            .iter()
            .map(|choice| (choice.get_name().to_owned(), choice.get_help().map(ToString::to_string).unwrap_or_default()));
        return words(choices, begun);
    }
    match arg.get_id().as_str() {
        "name" if path != "project create" => Candidates::Projects,
        "session" => Candidates::Sessions,
        "id" => Candidates::Approvals,
        "user" => Candidates::People,
        "cluster" => Candidates::Clusters,
        "release" => Candidates::Releases,
        "service" => Candidates::Services,
        _ => Candidates::Nothing,
    }
}

fn commands(group: &clap::Command, begun: &str) -> Candidates {
    let all = group
        .get_subcommands()
        .map(|command| (command.get_name().to_owned(), command.get_about().map(ToString::to_string).unwrap_or_default()));
    words(all, begun)
}

fn words(all: impl Iterator<Item = (String, String)>, begun: &str) -> Candidates {
    let begun = begun.to_lowercase();
    let fitting: Vec<(String, String)> = all.filter(|(word, _)| word.starts_with(&begun)).collect();
    if fitting.is_empty() { Candidates::Nothing } else { Candidates::Words(fitting) }
}

fn about(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}
