//! Typed text → words → the same clap tree as everything else.
//!
//! Invariant: the free text of a command (a message, a title, a reason) never passes through the quoting rules. Knows
//! nothing of mentions or links as platforms write them: adapters have turned them into names and URLs before.

use crate::tree::{self, Walk};
use crate::usage::{Usage, guarded};
use crate::words::{self, Word};
use crate::{Command, Help, check};

/// Whether a text is meant as a command: a slash and a letter.
pub fn is_command(text: &str) -> bool {
    let mut chars = text.trim_start().chars();
    chars.next() == Some('/') && chars.next().is_some_and(char::is_alphabetic)
}

/// The command in `text`; an optional `/gaggle` before it is skipped.
pub fn parse_text(text: &str) -> Result<Command, Usage> {
    let Some(body) = body(text) else {
        return Err(Usage::new("", "A command starts with a slash and a word"));
    };
    if body.is_empty() {
        return Ok(Command::Help(Help { command: Vec::new() }));
    }
    let walk = tree::walk(body);
    let path = walk.path();
    if walk.next_word().is_some_and(asks_help) && (!walk.is_leaf() || !takes_free_text(&path) || alone(walk.rest)) {
        return Ok(help_for(&walk));
    }
    if !walk.is_leaf() {
        return Err(Usage::of_words(&walk));
    }
    let arguments = match path.as_str() {
        "ask" => ask(walk.rest)?,
        "session rename" => rename(walk.rest),
        "deny" => deny(walk.rest)?,
        _ => {
            let words = split(&path, walk.rest)?;
            if words.iter().take_while(|word| word.text != "--").any(|word| asks_help(&word.text)) {
                return Ok(help_for(&walk));
            }
            words.into_iter().map(|word| word.text).collect()
        }
    };
    run(&path, arguments)
}

/// Matches the arguments of the command at `path`.
pub(crate) fn run(path: &str, arguments: Vec<String>) -> Result<Command, Usage> {
    // The free text of a message is whatever was written, escape sequences of a pasted log included.
    let words = if path == "ask" { arguments.len().saturating_sub(1) } else { arguments.len() };
    if arguments[..words].iter().any(|word| word.contains(|c: char| c.is_control() && c != '\n' && c != '\t')) {
        return Err(Usage::new(path, "There is a control character in it, which no argument can have"));
    }
    let mut argv: Vec<String> = path.split(' ').map(str::to_owned).collect();
    argv.extend(arguments);
    let command = tree::matches(&argv).map_err(|error| Usage::of_clap(path, &error))?;
    check::whole(&command)?;
    Ok(command)
}

/// What follows the slash and `gaggle`, without the white space around it.
pub(crate) fn body(text: &str) -> Option<&str> {
    let text = text.trim();
    if !is_command(text) {
        return None;
    }
    let body = &text[1..];
    let word = body.split_whitespace().next().unwrap_or(body);
    if !word.eq_ignore_ascii_case("gaggle") {
        return Some(body);
    }
    let rest = body[word.len()..].trim_start();
    Some(rest.strip_prefix('/').unwrap_or(rest))
}

fn asks_help(word: &str) -> bool {
    matches!(word, "--help" | "-h" | "—help")
}

fn help_for(walk: &Walk<'_>) -> Command {
    Command::Help(Help { command: walk.path.iter().map(|word| (*word).to_owned()).collect() })
}

fn takes_free_text(path: &str) -> bool {
    matches!(path, "ask" | "session rename" | "deny")
}

fn alone(rest: &str) -> bool {
    rest.split_whitespace().nth(1).is_none()
}

fn split(path: &str, rest: &str) -> Result<Vec<Word>, Usage> {
    words::split(rest).map_err(|at| {
        let mark = rest[at..].chars().next().unwrap_or('"');
        let number = rest[..at].chars().count() + 1;
        let fault = match mark {
            '\\' => "A backslash at the end has nothing to protect".to_owned(),
            _ => format!("A quote is opened and never closed, at character {number} after the command"),
        };
        let fault = if guarded(path) && path.ends_with(" set") { crate::usage::SECRET_TYPED.to_owned() } else { fault };
        Usage::new(path, fault).at(&mark.to_string())
    })
}

/// NAME, one run of white space, and MESSAGE as it stands.
fn ask(rest: &str) -> Result<Vec<String>, Usage> {
    let (name, message) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let message = message.trim_start();
    let mut arguments = vec!["--".to_owned()];
    arguments.extend([name, message].into_iter().filter(|part| !part.is_empty()).map(str::to_owned));
    Ok(arguments)
}

/// TITLE in quotes or as it stands, and perhaps a session as its last word.
fn rename(rest: &str) -> Vec<String> {
    let is_session = |word: &str| word.starts_with(['s', 'S']) && crate::values::session_ref(word).is_ok();
    let mut arguments = vec!["--".to_owned()];
    if let Ok(words) = words::split(rest)
        && let Some((title, others)) = words.split_first()
        && title.quoted
        && (others.is_empty() || (others.len() == 1 && is_session(&others[0].text)))
    {
        arguments.extend(words.into_iter().map(|word| word.text));
        return arguments;
    }
    match rest.rsplit_once(char::is_whitespace) {
        Some((title, session)) if is_session(session) => {
            arguments.extend([title.trim_end().to_owned(), session.to_owned()]);
        }
        // A session alone has no title; clap says so.
        _ if rest.is_empty() || is_session(rest) => {}
        _ => arguments.push(rest.to_owned()),
    }
    arguments
}

/// ID by the usual rules, and everything after `--reason` as it stands.
fn deny(rest: &str) -> Result<Vec<String>, Usage> {
    let mut at = 0;
    let mut reason = None;
    for word in rest.split_whitespace() {
        let start = at + rest[at..].find(word).unwrap_or(0);
        at = start + word.len();
        let flag = ["--reason", "—reason"]
            .into_iter()
            .find(|flag| word.strip_prefix(flag).is_some_and(|after| after.is_empty() || after.starts_with('=')));
        if let Some(flag) = flag {
            let after = &rest[start + flag.len()..];
            reason = Some((start, after.strip_prefix('=').unwrap_or(after).trim()));
            break;
        }
    }
    let head = reason.map_or(rest, |(start, _)| &rest[..start]);
    let mut arguments: Vec<String> = split("deny", head)?.into_iter().map(|word| word.text).collect();
    if let Some((_, text)) = reason {
        let quoted = words::split(text).ok().filter(|words| words.len() == 1 && words[0].quoted);
        let text = quoted.map_or_else(|| text.to_owned(), |mut words| words.remove(0).text);
        if text.is_empty() {
            return Err(Usage::new("deny", "--reason is given without a value"));
        }
        arguments.insert(0, format!("--reason={text}"));
    }
    Ok(arguments)
}
