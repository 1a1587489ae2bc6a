//! Structured options, as Discord and forms have them → the same clap tree as typed text.
//!
//! Invariant: a value is taken byte for byte, whatever it looks like; only a list's is split into its parts.

use clap::Arg;
use serde::{Deserialize, Serialize};

use crate::usage::{SECRET_TYPED, Usage, guarded};
use crate::{Command, nearest, text, tree, words};

/// One argument by its name: a positional's is its placeholder in lower case, a flag's is the flag's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionValue {
    pub name: String,
    pub value: String,
}

impl OptionValue {
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// The command at `path` (`project create`) with these arguments.
pub fn parse_options(path: &str, values: &[OptionValue]) -> Result<Command, Usage> {
    let walk = tree::walk(path.trim().trim_start_matches('/'));
    let path = walk.path();
    if !walk.is_leaf() || !walk.rest.is_empty() {
        return Err(Usage::of_words(&walk));
    }
    let args: Vec<&Arg> = walk.command.get_arguments().collect();
    let mut given: Vec<Vec<&str>> = vec![Vec::new(); args.len()];
    for OptionValue { name, value } in values {
        let plain = name.trim_start_matches('-').to_lowercase().replace('_', "-");
        let Some(at) = args.iter().position(|arg| tree::is_called(arg, &plain)) else {
            return Err(unknown(&path, &args, name));
        };
        if !given[at].is_empty() && !tree::is_list(args[at]) {
            return Err(Usage::new(&path, format!("{} is given twice", tree::typed_name(args[at]))));
        }
        given[at].push(value);
    }
    let mut flags = Vec::new();
    let ends = args.iter().any(|arg| arg.is_last_set());
    // What stands after `--` is the last argument's where there is one; its name of a project then begins with a letter.
    let mut positionals: Vec<String> = if ends { Vec::new() } else { vec!["--".to_owned()] };
    let mut gap = None;
    for (arg, given) in args.iter().zip(given) {
        if arg.is_positional() {
            match gap {
                // clap would take a value that stands after a gap for the one that is missing.
                Some(missing) if !given.is_empty() => return Err(is_missing(&path, missing)),
                _ if given.is_empty() => gap = gap.or(Some(*arg)),
                _ if arg.is_last_set() => {
                    positionals.push("--".to_owned());
                    for value in given {
                        let words = words::split(value).map_err(|_| Usage::new(&path, "A quote is opened and never closed"))?;
                        positionals.extend(words.into_iter().map(|word| word.text));
                    }
                }
                _ if tree::is_list(arg) => {
                    positionals.extend(given.iter().flat_map(|value| value.split_whitespace()).map(str::to_owned));
                }
                _ => positionals.extend(given.iter().map(|value| (*value).to_owned())),
            }
        } else {
            let long = tree::option_name(arg);
            for value in given {
                flags.extend(flag(&path, arg, &long, value)?);
            }
        }
    }
    flags.extend(positionals);
    text::run(&path, flags)
}

fn flag(path: &str, arg: &Arg, long: &str, value: &str) -> Result<Vec<String>, Usage> {
    if tree::is_switch(arg) {
        return match value.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(vec![format!("--{long}")]),
            "false" | "no" | "off" | "" => Ok(Vec::new()),
            _ => Err(Usage::new(path, format!("--{long} is either true or false")).at(value)),
        };
    }
    if tree::is_list(arg) {
        return Ok(list(value).into_iter().map(|value| format!("--{long}={value}")).collect());
    }
    Ok(vec![format!("--{long}={value}")])
}

/// The variables in one value: `A=1 B='x y'`, `A=1,B=2`, one a line; or one whose value has spaces.
fn list(value: &str) -> Vec<String> {
    let words: Vec<String> = match words::split_list(value) {
        Ok(words) => words.into_iter().map(|word| word.text).collect(),
        Err(_) => return vec![value.to_owned()],
    };
    let variables = words.iter().filter(|word| words::names_variable(word)).count();
    if variables == 1 && words.len() > 1 && words::names_variable(value) {
        return vec![value.trim().to_owned()];
    }
    words
}

fn is_missing(path: &str, arg: &Arg) -> Usage {
    let mut usage = Usage::new(path, format!("{} is missing", tree::placeholder(arg)));
    usage.missing = vec![tree::option_name(arg)];
    usage
}

fn unknown(path: &str, args: &[&Arg], name: &str) -> Usage {
    if guarded(path) && path.ends_with(" set") {
        return Usage::new(path, SECRET_TYPED);
    }
    let names: Vec<String> = args.iter().map(|arg| tree::option_name(arg)).collect();
    let near = nearest::word(name, names.iter().map(String::as_str)).map(str::to_owned);
    Usage::new(path, format!("`/{path}` has no such option")).at(name).suggest(near)
}
