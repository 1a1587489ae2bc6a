//! Values of the file and of variables as what their key takes.
//!
//! Invariant: what is said of a wrong value tells the right form and never repeats it, since it may be a secret.

use std::time::Duration;

use secrecy::SecretString;
use toml::Value as Toml;

use super::keys::Takes;

pub enum Value {
    Text(String),
    Secret(SecretString),
    Count(usize),
    Time(Duration),
    List(Vec<String>),
    Pairs(Vec<(String, String)>),
    Toml(Toml),
}

/// What is wrong with a value.
pub struct Wrong {
    pub what: String,
    pub fix: String,
}

type Result<T> = std::result::Result<T, Wrong>;

impl Takes {
    /// A value of the file.
    pub fn value(self, value: Toml) -> Result<Value> {
        match (self, value) {
            (Self::Text, Toml::String(text)) => self.text(text).map(Value::Text),
            (Self::Secret, Toml::String(text)) => self.text(text).map(|t| Value::Secret(t.into())),
            (Self::Count { .. }, Toml::Integer(number)) => self.count(number),
            (Self::Time { .. }, Toml::Integer(seconds)) => self.time(u64::try_from(seconds).ok().map(Duration::from_secs)),
            (Self::Time { .. }, Toml::String(text)) => self.time(duration(&text)),
            (Self::List, Toml::Array(items)) => self.texts(items).map(Value::List),
            (Self::Command, Toml::String(text)) => self.command(split(&text)),
            (Self::Command, Toml::Array(items)) => self.command(Some(self.texts(items)?)),
            (Self::Pairs, Toml::Array(items)) => self.pairs(self.texts(items)?),
            (Self::Pairs, Toml::Table(table)) => self.table(table),
            (Self::Arguments, Toml::String(text)) => self.arguments(split(&text)),
            (Self::Arguments, Toml::Array(items)) => self.arguments(Some(self.texts(items)?)),
            (Self::Toml(_), value) => self.toml(value),
            (_, other) => Err(self.wrong(format!("is {}", shape(&other)))),
        }
    }

    /// A value of a variable.
    pub fn parse(self, text: String) -> Result<Value> {
        match self {
            Self::Text => self.text(text).map(Value::Text),
            Self::Secret => self.text(text).map(|text| Value::Secret(text.into())),
            Self::Count { .. } => match text.trim().parse() {
                Ok(number) => self.count(number),
                Err(_) => Err(self.wrong("is no whole number")),
            },
            Self::Time { .. } => self.time(duration(&text)),
            Self::List => Ok(Value::List(commas(&text))),
            Self::Pairs => self.pairs(commas(&text)),
            Self::Command => self.command(split(&text)),
            Self::Arguments => self.arguments(split(&text)),
            Self::Toml(_) => self.toml(toml_or_text(text)),
        }
    }

    fn text(self, text: String) -> Result<String> {
        if text.trim().is_empty() {
            return Err(Wrong { what: "is empty".into(), fix: "give it a value, or remove it".into() });
        }
        match text.contains(char::is_control) {
            true => Err(self.wrong("has a control character in it")),
            false => Ok(text),
        }
    }

    fn count(self, number: i64) -> Result<Value> {
        match self {
            Self::Count { least, most } if (least..=most).contains(&number) => {
                usize::try_from(number).map(Value::Count).map_err(|_| self.wrong("is too large"))
            }
            _ => Err(self.wrong("is out of range")),
        }
    }

    fn time(self, time: Option<Duration>) -> Result<Value> {
        match (self, time) {
            (_, None) => Err(self.wrong("is no duration")),
            (Self::Time { most }, Some(time)) if !time.is_zero() && time <= most => Ok(Value::Time(time)),
            _ => Err(self.wrong("is out of range")),
        }
    }

    fn texts(self, items: Vec<Toml>) -> Result<Vec<String>> {
        let text = |(place, item)| match item {
            Toml::String(text) => Ok(text),
            other => Err(self.wrong(format!("has {} as entry {}", shape(&other), place + 1))),
        };
        items.into_iter().enumerate().map(text).collect()
    }

    fn command(self, words: Option<Vec<String>>) -> Result<Value> {
        match words.as_deref() {
            Some([]) => Err(self.wrong("is empty")),
            Some([program, ..]) if program.trim().is_empty() => Err(self.wrong("names no program")),
            _ => self.arguments(words),
        }
    }

    fn arguments(self, words: Option<Vec<String>>) -> Result<Value> {
        match words {
            None => Err(self.wrong("has a quote that is not closed")),
            Some(words) if words.iter().any(|word| word.contains('\0')) => Err(self.wrong("has a NUL character in it")),
            Some(words) => Ok(Value::List(words)),
        }
    }

    fn toml(self, value: Toml) -> Result<Value> {
        match clean(&value) {
            true => Ok(Value::Toml(value)),
            false => Err(self.wrong("has a control character in it")),
        }
    }

    fn pairs(self, items: Vec<String>) -> Result<Value> {
        let pair = |(place, item): (usize, String)| match item.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.to_owned())),
            None => Err(self.wrong(format!("has no `=` in entry {}", place + 1))),
        };
        items.into_iter().enumerate().map(pair).collect::<Result<_>>().map(Value::Pairs)
    }

    fn table(self, table: toml::Table) -> Result<Value> {
        let pair = |(name, value): (String, Toml)| match value {
            Toml::String(text) => Ok((name, text)),
            Toml::Integer(_) | Toml::Boolean(_) => Ok((name, value.to_string())),
            other => Err(self.wrong(format!("has {} as `{}`", shape(&other), name.escape_debug()))),
        };
        table.into_iter().map(pair).collect::<Result<_>>().map(Value::Pairs)
    }

    pub fn wrong(self, what: impl Into<String>) -> Wrong {
        let fix = match self {
            Self::Text | Self::Secret => "give it a text in quotes".to_owned(),
            Self::Count { least, most } => format!("give it a whole number from {least} to {most}"),
            Self::Time { most } => format!(
                "give it a duration above 0 and up to {}, as \"90s\", \"10m\", \"1h30m\", \"500ms\" or whole seconds",
                shown(most)
            ),
            Self::List => "give it a list of texts, as [\"a\", \"b\"], or a,b in a variable".to_owned(),
            Self::Pairs => "give it a table of texts, as { A = \"1\" }, or [\"A=1\"], or A=1,B=2 in a variable".to_owned(),
            Self::Command => "give it a program with its arguments, as \"goose acp\" or [\"goose\", \"acp\"]".to_owned(),
            Self::Arguments => "give it arguments, as \"serve --port 80\" or [\"serve\", \"--port\", \"80\"]".to_owned(),
            Self::Toml(form) => form.to_owned(),
        };
        Wrong { what: what.into(), fix }
    }
}

fn shape(value: &Toml) -> &'static str {
    match value {
        Toml::String(_) => "a text",
        Toml::Integer(_) => "a whole number",
        Toml::Float(_) => "a number with a point",
        Toml::Boolean(_) => "true or false",
        Toml::Datetime(_) => "a date",
        Toml::Array(_) => "a list",
        Toml::Table(_) => "a table",
    }
}

fn commas(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// What stands behind `=` in a file, or else the text itself.
fn toml_or_text(text: String) -> Toml {
    let read = format!("value = {text}").parse::<toml::Table>().ok().filter(|table| table.len() == 1);
    read.and_then(|mut table| table.remove("value")).unwrap_or(Toml::String(text))
}

/// Texts of several lines are possible in a table.
fn clean(value: &Toml) -> bool {
    match value {
        Toml::String(text) => !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'),
        Toml::Array(items) => items.iter().all(clean),
        Toml::Table(table) => table.values().all(clean),
        _ => true,
    }
}

/// As a shell would split it, without anything else that a shell does.
fn split(text: &str) -> Option<Vec<String>> {
    shell_words::split(text).ok()
}

/// Units from the largest to the smallest, each at most once; digits alone are seconds.
pub fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let mut rest = text.trim();
    if rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return rest.parse().ok().map(Duration::from_secs);
    }
    let (mut total, mut units) = (0_u64, UNITS.iter());
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len());
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (_, milliseconds) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*milliseconds)?)?;
        rest = after;
    }
    Some(Duration::from_millis(total))
}

/// A whole number of days, hours, minutes or seconds.
fn shown(time: Duration) -> String {
    match time.as_secs() {
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}
