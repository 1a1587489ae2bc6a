//! What somebody is told who typed something wrong: the fault, its place, the nearest right word, the right form.
//!
//! Invariant: a `Usage` never holds a secret. What was typed gets in through `repeatable` only.

use std::error::Error as _;
use std::fmt;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::sensitive::{sensitive_name, sensitive_value};
use crate::tree::{self, Walk};
use crate::{catalog, nearest};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// As far as the command was understood: `project create`.
    pub path: Option<String>,
    /// One sentence.
    pub fault: String,
    /// The words that are wrong, if they are safe to repeat.
    pub place: Option<String>,
    /// What was meant, perhaps.
    pub suggestion: Option<String>,
    /// Required arguments that were not given, by the names that `parse_options` takes; for surfaces that ask for them.
    pub missing: Vec<String>,
    /// The right form.
    pub form: String,
    pub example: Option<String>,
}

pub(crate) const SECRET_TYPED: &str =
    "A secret's value is never typed into a command: send the command without it and Gaggle asks for it";

impl Usage {
    /// A fault of the command at `path`, or of what starts with it.
    pub(crate) fn new(path: &str, fault: impl Into<String>) -> Self {
        let command = tree::find(path).unwrap_or(tree::grammar());
        Self {
            path: (!path.is_empty()).then(|| path.to_owned()),
            fault: fault.into(),
            place: None,
            suggestion: None,
            missing: Vec::new(),
            form: if path.is_empty() { "/help".to_owned() } else { tree::form(path, command) },
            example: catalog::entry(path).map(|entry| entry.examples[0].to_owned()),
        }
    }

    pub(crate) fn at(mut self, token: &str) -> Self {
        if !self.path.as_deref().is_some_and(guarded) {
            self.place = repeatable(token);
        }
        self
    }

    pub(crate) fn suggest(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }

    /// What clap says of the arguments of the command at `path`.
    pub(crate) fn of_clap(path: &str, error: &clap::Error) -> Self {
        let text = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => text.clone(),
            Some(ContextValue::Strings(texts)) => texts.join(", "),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        let (arg, value) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue));
        let found = tree::find(path).and_then(|command| argument(command, &arg));
        let named = found.map_or_else(|| "An argument".to_owned(), |arg| tree::typed_name(arg));
        if guarded(path) {
            return Self::of_secret(path, error.kind(), &named, error, &arg);
        }
        match error.kind() {
            ErrorKind::MissingRequiredArgument => {
                let missing = missing(path, error);
                let names: Vec<String> = missing.iter().map(|arg| tree::placeholder(arg)).collect();
                let verb = if names.len() == 1 { "is" } else { "are" };
                let mut usage = Self::new(path, format!("{} {verb} missing", names.join(" and ")));
                usage.missing = missing.iter().map(|arg| tree::option_name(arg)).collect();
                usage
            }
            ErrorKind::UnknownArgument if arg.starts_with('-') => {
                let suggestion = tree::find(path).and_then(|command| nearest::flag(command, &arg));
                Self::new(path, format!("`/{path}` has no such flag")).at(&arg).suggest(suggestion)
            }
            ErrorKind::UnknownArgument => Self::new(path, format!("`/{path}` takes no more arguments here")).at(&arg),
            ErrorKind::InvalidValue if value.is_empty() => Self::new(path, format!("{named} is given without a value")),
            ErrorKind::InvalidValue => Self::of_choice(path, found, &named, &value),
            ErrorKind::ValueValidation => {
                let why = error.source().map_or_else(|| "it has the wrong form".to_owned(), ToString::to_string);
                let why = match why.as_str() {
                    // clap's own wording of a number that is none.
                    own if own.contains("invalid digit") || own.contains("number too") || own.contains("empty string") => {
                        "it takes a whole number".to_owned()
                    }
                    own => own.replace("..=", "–").trim_start_matches(&value).trim_start_matches(" is ").to_owned(),
                };
                let usage = Self::new(path, format!("{named} is not accepted: {why}"));
                // A repository's URL or a variable is where a credential would be.
                match found.map(|arg| arg.get_id().as_str()) {
                    Some("repo") => usage,
                    Some("env") if !value.contains('=') => usage,
                    _ => usage.at(&value),
                }
            }
            ErrorKind::ArgumentConflict => Self::new(path, format!("{named} is given twice")),
            ErrorKind::TooManyValues | ErrorKind::WrongNumberOfValues => {
                Self::new(path, format!("{named} takes no value"))
            }
            ErrorKind::TooFewValues | ErrorKind::NoEquals => Self::new(path, format!("{named} is given without a value")),
            _ => Self::new(path, "This is not understood"),
        }
    }

    fn of_choice(path: &str, arg: Option<&clap::Arg>, named: &str, value: &str) -> Self {
        let choices: Vec<String> =
            arg.map(tree::choices).unwrap_or_default().iter().map(|choice| choice.get_name().to_owned()).collect();
        let fault = if named == "--role" && value.eq_ignore_ascii_case("admin") {
            "A project is shared as viewer, member or owner: who is an admin is set in Gaggle's configuration".to_owned()
        } else {
            format!("{named} takes one of {}", choices.join(", "))
        };
        let suggestion = nearest::word(value, choices.iter().map(String::as_str)).map(str::to_owned);
        Self::new(path, fault).at(value).suggest(suggestion)
    }

    /// Under `secret`, where anything typed may be the secret itself.
    fn of_secret(path: &str, kind: ErrorKind, named: &str, error: &clap::Error, arg: &str) -> Self {
        match kind {
            ErrorKind::MissingRequiredArgument => {
                let missing = missing(path, error);
                let names: Vec<String> = missing.iter().map(|arg| tree::placeholder(arg)).collect();
                let verb = if names.len() == 1 { "is" } else { "are" };
                let mut usage = Self::new(path, format!("{} {verb} missing", names.join(" and ")));
                usage.missing = missing.iter().map(|arg| tree::option_name(arg)).collect();
                usage
            }
            ErrorKind::ValueValidation if !arg.is_empty() => {
                let why = error.source().map_or_else(String::new, ToString::to_string);
                Self::new(path, format!("{named} is not accepted: {why}"))
            }
            _ if path.ends_with(" set") => Self::new(path, SECRET_TYPED),
            _ => Self::new(path, format!("`/{path}` takes no more arguments and no flags")),
        }
    }

    /// No command, or only the beginning of one.
    pub(crate) fn of_words(walk: &Walk<'_>) -> Self {
        let path = walk.path();
        let Some(word) = walk.next_word() else {
            let names: Vec<&str> = walk.command.get_subcommands().map(clap::Command::get_name).collect();
            return Self::new(&path, format!("`/{path}` needs one of these after it: {}", names.join(", ")));
        };
        let near = nearest::command(walk.command, word);
        let suggestion = near.map(|_| nearest::whole(walk));
        let mut usage = match path.as_str() {
            "" => Self::new("", "There is no such command").at(&format!("/{word}")),
            "secret" | "project secret" => {
                let usage = Self::new(&path, format!("After `/{path}` comes set, list or unset"));
                // What is all but a command's name is no secret.
                Self { place: near.map(|_| word.to_owned()).filter(|word| word.len() <= 8), ..usage }
            }
            _ => Self::new(&path, format!("`/{path}` has no such command")).at(word),
        };
        if let Some(near) = near {
            let meant = format!("{path} {near}").trim().to_owned();
            usage.form = tree::form(&meant, tree::find(&meant).unwrap_or(walk.command));
            usage.example = catalog::entry(&meant).map(|entry| entry.examples[0].to_owned());
        }
        usage.suggest(suggestion)
    }
}

/// Whether no argument at this path may be repeated.
pub(crate) fn guarded(path: &str) -> bool {
    path.split(' ').take(2).any(|word| word == "secret")
}

fn argument<'a>(command: &'a clap::Command, shown: &str) -> Option<&'a clap::Arg> {
    let name = shown.split([' ', '=']).next().unwrap_or(shown).trim_matches(['<', '>', '[', ']', '.']);
    command.get_arguments().find(|arg| tree::typed_name(arg) == name)
}

fn missing(path: &str, error: &clap::Error) -> Vec<&'static clap::Arg> {
    let (Some(command), Some(ContextValue::Strings(shown))) = (tree::find(path), error.get(ContextKind::InvalidArg)) else {
        return Vec::new();
    };
    shown.iter().filter_map(|shown| argument(command, shown)).collect()
}

/// A token as it may be shown again, shortened; none if it may be, or carry, a secret.
pub(crate) fn repeatable(token: &str) -> Option<String> {
    let token: String = token.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let token = token.trim();
    if token.is_empty() || sensitive_value(token) || (token.contains("://") && token.contains('@')) {
        return None;
    }
    if let Some(flag) = token.strip_prefix("--") {
        let end = flag.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(flag.len());
        return Some(shorten(&token[..end + 2]));
    }
    if let Some((name, _)) = token.split_once('=') {
        return crate::values::variable_name(name).ok().map(|name| format!("{name}=…"));
    }
    if token.split_once(':').is_some_and(|(name, _)| sensitive_name(name)) {
        return None;
    }
    Some(shorten(token))
}

fn shorten(token: &str) -> String {
    match token.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &token[..end]),
        None => token.to_owned(),
    }
}

/// Text between backticks, which cannot hold a backtick.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fault)?;
        if let Some(place) = &self.place {
            write!(f, ": {}", code(place))?;
        }
        f.write_str(".")?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, " Did you mean {}?", code(suggestion))?;
        }
        write!(f, "\nForm: {}", code(&self.form))?;
        if let Some(example) = &self.example {
            write!(f, "\nExample: {}", code(example))?;
        }
        Ok(())
    }
}

impl std::error::Error for Usage {}
