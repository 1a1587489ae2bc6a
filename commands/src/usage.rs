//! What somebody is told who typed something wrong: the fault, its place, the nearest right word, the right form.
//!
//! Invariant: a `Usage` never holds a secret. What was typed gets in through `repeatable` only.

use std::error::Error as _;
use std::fmt;
use std::ops::{Deref, DerefMut};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::sensitive::{sensitive_name, sensitive_value};
use crate::tree::{self, Walk};
use crate::{catalog, nearest};

/// Read through its parts; boxed, since most commands are right and results are moved about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage(Box<Parts>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
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

impl Deref for Usage {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl DerefMut for Usage {
    fn deref_mut(&mut self) -> &mut Parts {
        &mut self.0
    }
}

pub(crate) const SECRET_TYPED: &str =
    "A secret's value is never typed into a command: send the command without it and Gaggle asks for it";

impl Usage {
    /// A fault of the command at `path`, or of what starts with it.
    pub(crate) fn new(path: &str, fault: impl Into<String>) -> Self {
        let command = tree::find(path).unwrap_or(tree::grammar());
        Self(Box::new(Parts {
            path: (!path.is_empty()).then(|| path.to_owned()),
            fault: fault.into(),
            place: None,
            suggestion: None,
            missing: Vec::new(),
            form: if path.is_empty() { "/help".to_owned() } else { tree::form(path, command) },
            example: example(path),
        }))
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
        let named = found.map_or_else(|| "An argument".to_owned(), tree::typed_name);
        if guarded(path) {
            return Self::of_secret(path, &named, &value, error);
        }
        let usage = match error.kind() {
            ErrorKind::MissingRequiredArgument => Self::of_missing(path, error),
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
                    own => match own.rsplit_once(" is not in ").and_then(|(_, range)| range.split_once("..=")) {
                        Some((least, most)) => {
                            format!("it takes a whole number from {least} to {most}")
                        }
                        None => own.to_owned(),
                    },
                };
                let usage = Self::new(path, format!("{named} is not accepted: {why}"));
                // A repository's URL, a variable or an image's registry is where a credential would be.
                match found.map(|arg| arg.get_id().as_str()) {
                    Some("repo" | "url") => usage,
                    Some("env" | "set") if !value.contains('=') => usage,
                    Some("image") if value.contains('@') => usage,
                    _ => usage.at(&value),
                }
            }
            ErrorKind::ArgumentConflict => {
                let other = text(ContextKind::PriorArg);
                let other = tree::find(path).and_then(|command| argument(command, &other)).map(tree::typed_name);
                Self::new(
                    path,
                    match other.filter(|other| *other != named) {
                        Some(other) => format!("{named} and {other} exclude each other: leave one of them out"),
                        None => format!("{named} is given twice"),
                    },
                )
            }
            ErrorKind::TooManyValues | ErrorKind::WrongNumberOfValues => Self::new(path, format!("{named} takes no value")),
            ErrorKind::TooFewValues | ErrorKind::NoEquals => Self::new(path, format!("{named} is given without a value")),
            _ => Self::new(path, "This is not understood"),
        };
        usage.show(&named)
    }

    /// The example that has the argument in question, if one has.
    fn show(mut self, named: &str) -> Self {
        let examples = self.path.as_deref().and_then(catalog::entry).map_or(&[][..], |entry| entry.examples);
        let meant = self.suggestion.as_deref().filter(|flag| flag.starts_with("--")).unwrap_or(named);
        if let Some(example) = examples.iter().find(|example| example.split(' ').any(|word| word == meant)) {
            self.example = Some((*example).to_owned());
        }
        self
    }

    fn of_missing(path: &str, error: &clap::Error) -> Self {
        let missing = missing(path, error);
        let names: Vec<String> = missing.iter().map(|arg| tree::placeholder(arg)).collect();
        let verb = if names.len() == 1 { "is" } else { "are" };
        let mut usage = Self::new(path, format!("{} {verb} missing", names.join(" and ")));
        usage.missing = missing.iter().map(|arg| tree::option_name(arg)).collect();
        usage
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
    fn of_secret(path: &str, named: &str, value: &str, error: &clap::Error) -> Self {
        match error.kind() {
            ErrorKind::MissingRequiredArgument => Self::of_missing(path, error),
            ErrorKind::ValueValidation if !value.contains(['=', ':', ' ']) => {
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
        let meant = near.map(|_| nearest::whole(walk));
        // A secret may be run together with the word before it.
        let shown = if near.is_none() && word.to_lowercase().starts_with("secret") { "secret…" } else { word };
        let mut usage = match path.as_str() {
            "" => Self::new("", "There is no such command").at(&format!("/{shown}")),
            "secret" | "project secret" => {
                let mut usage = Self::new(&path, format!("After `/{path}` comes set, list or unset"));
                // What is all but a command's name is no secret.
                usage.place = near.map(|_| word.to_owned()).filter(|word| word.len() <= 8);
                usage
            }
            _ => Self::new(&path, format!("`/{path}` has no such command")).at(shown),
        };
        if let Some((path, _)) = &meant {
            usage.form = tree::form(path, tree::find(path).unwrap_or(walk.command));
            usage.example = example(path);
        }
        usage.suggest(meant.map(|(_, text)| text))
    }
}

/// The first example of a command, or of a group's first command.
fn example(path: &str) -> Option<String> {
    let within = |entry: &&catalog::Entry| entry.path.strip_prefix(path).is_some_and(|rest| rest.starts_with([' ']));
    let entry = catalog::entry(path).or_else(|| catalog::CATALOG.iter().find(within));
    entry.map(|entry| entry.examples[0].to_owned())
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
    // Quoted words, of which one says what the next one is.
    if token.contains(' ') && token.split(' ').any(sensitive_name) {
        return None;
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
            // After a fault with parts of its own, a colon would be taken for one of them.
            match self.fault.contains([':', ',', ';']) {
                true => write!(f, " ({})", code(place))?,
                false => write!(f, ": {}", code(place))?,
            }
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
