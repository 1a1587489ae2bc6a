//! What a command still needs, for surfaces that ask for it in a form.
//!
//! Knows nothing of how a form looks, and not which projects or people there are.

use clap::Arg;

use crate::tree::{self, Walk};
use crate::{Candidates, candidates_for, text, words};

/// One argument of a command as a field to fill in; `parse_options` takes its value under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blank {
    pub name: String,
    /// One line about it.
    pub about: String,
    pub required: bool,
    /// Yes or no.
    pub switch: bool,
    /// Text of several lines, or several values.
    pub long: bool,
    /// The values to choose from, where the grammar knows them.
    pub choices: Vec<String>,
    pub candidates: Candidates,
    /// What was typed of it already, or what it is otherwise.
    pub value: Option<String>,
}

/// The command that `typed` begins, with a blank for each of its arguments. `None` if it is whole, or wrong in another way than
/// lacking arguments.
pub fn blanks(typed: &str) -> Option<(String, Vec<Blank>)> {
    let usage = text::parse_text(typed).err()?;
    if usage.missing.is_empty() {
        return None;
    }
    let walk = tree::walk(text::body(typed)?);
    if !walk.is_leaf() {
        return None;
    }
    let path = walk.path();
    let mut given = given(&path, &walk);
    let blanks = walk.command.get_arguments().filter(|arg| arg.get_id() != "yes").map(|arg| {
        let choices: Vec<String> = tree::choices(arg).iter().map(|choice| choice.get_name().to_owned()).collect();
        let usual = arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
        let name = tree::option_name(arg);
        Blank {
            about: tree::about_argument(arg, "; one in each line"),
            required: arg.is_required_set(),
            switch: tree::is_switch(arg),
            long: tree::is_list(arg) || arg.is_last_set() || arg.get_id() == "message",
            candidates: if choices.is_empty() { candidates_for(&path, &name) } else { Candidates::Nothing },
            choices,
            value: given.iter().position(|(of, _)| *of == name).map(|at| given.swap_remove(at).1).or(usual),
            name,
        }
    });
    let blanks = blanks.collect();
    Some((path, blanks))
}

/// What was typed, by the names of the arguments that it belongs to.
fn given(path: &str, walk: &Walk<'_>) -> Vec<(String, String)> {
    let positionals: Vec<&Arg> = walk.command.get_positionals().collect();
    let Ok(words) = words::split(walk.rest) else { return Vec::new() };
    let mut found = Vec::new();
    let mut place = 0;
    let mut open: Option<&Arg> = None;
    for word in words {
        if let Some(arg) = open.take() {
            found.push((tree::option_name(arg), word.text));
            continue;
        }
        let flag = word.text.strip_prefix("--").filter(|flag| !flag.is_empty());
        let Some(flag) = flag.filter(|_| path != "ask") else {
            if let Some(arg) = positionals.get(place) {
                found.push((tree::option_name(arg), word.text));
                place += 1;
            }
            continue;
        };
        let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
        let Some(arg) = walk.command.get_arguments().find(|arg| arg.get_long() == Some(name)) else { continue };
        match value {
            Some(value) => found.push((tree::option_name(arg), value.to_owned())),
            None if tree::is_switch(arg) => found.push((tree::option_name(arg), "true".to_owned())),
            None => open = Some(arg),
        }
    }
    found
}
