//! Merges the file and the variables, and gives out typed values. Collects what is wrong instead of stopping at it.
//!
//! Invariant: a wrong or unknown setting is a fault even where another one wins over it.

use std::collections::HashMap;
use std::time::Duration;

use secrecy::SecretString;
use serde::de::DeserializeOwned;

use super::Fault;
use super::environment::{self, FOREIGN, SECRET_KEY, Variable};
use super::file::File;
use super::keys::{self, KEYS, Key};
use super::nearest;
use super::value::{Value, Wrong};

#[derive(Default)]
pub struct Reader {
    values: HashMap<&'static str, Value>,
    /// The keys that are set, rightly or wrongly, with the variable that did it.
    set: HashMap<&'static str, Option<String>>,
    faults: Vec<Fault>,
    warnings: Vec<String>,
    /// There is a file whose settings are not known.
    unread: bool,
    /// Variables of others that mean something to us, if they are not empty.
    foreign: HashMap<&'static str, String>,
    pub secret_key: Option<SecretString>,
}

impl Reader {
    pub fn file(&mut self, file: Option<File>) {
        let Some(File { name: path, table, open }) = file else {
            return;
        };
        for (name, value) in table {
            match (keys::find(None, &name), value) {
                (Some(key), value) => self.put(key, None, key.takes.value(value)),
                (None, toml::Value::Table(table)) => self.section(&name, table),
                (None, _) if keys::sections().contains(&name.as_str()) => {
                    self.fault(&name, "is a section", format!("write its keys below `[{name}]`"));
                }
                (None, _) => self.unknown_key(None, &name),
            }
        }
        let secrets = KEYS.iter().filter(|key| self.values.get(key.name).is_some_and(secret));
        for key in secrets.filter(|_| open) {
            self.warnings.push(format!(
                "{path}: everybody on this machine can read `{}` in it; `chmod 600` it, or set `{}` instead",
                key.name,
                key.variable(),
            ));
        }
    }

    /// Of a file that says nothing, for these reasons.
    pub fn unread(&mut self, faults: Vec<Fault>) {
        self.faults.extend(faults);
        self.unread = true;
    }

    fn section(&mut self, section: &str, table: toml::Table) {
        if !keys::sections().contains(&section) {
            let fix = nearest::section(section);
            return self.fault(&shown(section), "there is no such section", fix);
        }
        for (bare, value) in table {
            match keys::find(Some(section), &bare) {
                Some(key) => self.put(key, None, key.takes.value(value)),
                None => self.unknown_key(Some(section), &bare),
            }
        }
    }

    pub fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        let (mut variables, others): (Vec<_>, Vec<_>) = variables.into_iter().partition(|(name, _)| name.starts_with("GAGGLE_"));
        for (name, text) in others.into_iter().filter(|(_, text)| !text.trim().is_empty()) {
            if let Some(known) = FOREIGN.iter().find(|known| **known == name) {
                self.foreign.insert(known, text);
            }
        }
        variables.sort();
        for (name, text) in variables {
            match environment::variable(&name) {
                Variable::Ours(key) => self.put(key, Some(name), key.takes.parse(text)),
                Variable::SecretKey if text.trim().is_empty() => {
                    self.fault(SECRET_KEY, "is empty", "set it to base64 of 32 bytes, or unset it");
                }
                Variable::SecretKey => self.secret_key = Some(text.into()),
                Variable::Unknown(fix) => self.fault(&shown(&name), "there is no such key", fix),
                Variable::Near(near) => {
                    self.warnings.push(format!("{name} is not read; did you mean `{near}`?"));
                }
                Variable::Other => {}
            }
        }
    }

    fn put(&mut self, key: &'static Key, variable: Option<String>, value: Result<Value, Wrong>) {
        self.set.insert(key.name, variable);
        match value {
            Ok(value) => {
                self.values.insert(key.name, value);
            }
            Err(wrong) => {
                self.values.remove(key.name);
                self.fault(key.name, wrong.what, wrong.fix);
            }
        }
    }

    /// A variable that others named.
    pub fn foreign(&mut self, name: &str) -> Option<String> {
        self.foreign.remove(name)
    }

    /// A variable that others named sets a key, unless one of ours does.
    pub fn alias(&mut self, name: &str, key: &'static str) {
        let known = KEYS.iter().find(|known| known.name == key).filter(|_| !self.is_by_variable(key));
        if let Some((key, text)) = known.zip(self.foreign(name)) {
            self.put(key, Some(name.to_owned()), key.takes.parse(text));
        }
    }

    pub fn is_by_variable(&self, key: &str) -> bool {
        self.set.get(key).is_some_and(Option::is_some)
    }

    /// Whether anything of a section is set, even if what it is set to is wrong.
    pub fn is_any_set(&self, section: &str) -> bool {
        KEYS.iter().any(|key| key.section() == Some(section) && self.is_set(key.name))
    }

    /// Whether a key is set at all, even if what it is set to is wrong.
    pub fn is_set(&self, key: &str) -> bool {
        self.set.contains_key(key)
    }

    pub fn text(&mut self, key: &'static str) -> Option<String> {
        match self.take(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn secret(&mut self, key: &'static str) -> Option<SecretString> {
        match self.take(key)? {
            Value::Secret(secret) => Some(secret),
            _ => None,
        }
    }

    pub fn count(&mut self, key: &'static str) -> Option<usize> {
        match self.take(key)? {
            Value::Count(count) => Some(count),
            _ => None,
        }
    }

    pub fn time(&mut self, key: &'static str) -> Option<Duration> {
        match self.take(key)? {
            Value::Time(time) => Some(time),
            _ => None,
        }
    }

    pub fn list(&mut self, key: &'static str) -> Option<Vec<String>> {
        match self.take(key)? {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn pairs(&mut self, key: &'static str) -> Option<Vec<(String, String)>> {
        match self.take(key)? {
            Value::Pairs(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// A table or what else its section understands.
    pub fn toml(&mut self, key: &'static str) -> Option<toml::Value> {
        match self.take(key)? {
            Value::Toml(value) => Some(value),
            _ => None,
        }
    }

    /// What a table is understood as; what it says otherwise is a fault that repeats none of its values.
    pub fn table<T: DeserializeOwned>(&mut self, key: &'static str, value: toml::Value) -> Option<T> {
        match value.try_into() {
            Ok(table) => Some(table),
            Err(error) => {
                let what = match error.message().split('`').collect::<Vec<_>>().as_slice() {
                    ["unknown field ", name, ..] => format!("has a `{}`, which means nothing", shown(name)),
                    ["missing field ", name, ..] => format!("lacks `{name}`"),
                    _ => "is not as it has to be".to_owned(),
                };
                self.wrong(key, what);
                None
            }
        }
    }

    /// What is wrong with a key whose shape tells how to mend it.
    pub fn wrong(&mut self, key: &'static str, what: impl Into<String>) {
        if let Some(known) = KEYS.iter().find(|known| known.name == key) {
            let wrong = known.takes.wrong(what);
            self.fault(key, wrong.what, wrong.fix);
        }
    }

    /// A text that means something; else what is wrong and how to mend it.
    pub fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, (&'static str, &'static str)>,
    ) -> Option<T> {
        match parse(&self.text(key)?) {
            Ok(value) => Some(value),
            Err((what, fix)) => {
                self.fault(key, what, fix);
                None
            }
        }
    }

    /// One of the words that a key knows.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
            let (last, others) = names.split_last().map_or(("", &[] as &[_]), |(l, o)| (l, o));
            let fix = format!("use {} or {last}", others.join(", "));
            self.fault(key, "is none of the words that it takes", fix);
        }
        found
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.values.remove(key)
    }

    /// Whether all is known that is set, so that settings can be held against each other.
    pub fn is_whole(&self) -> bool {
        !self.unread
    }

    pub fn fault(&mut self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        let what = match self.set.get(key) {
            Some(Some(variable)) => format!("{variable} {}", what.into()),
            _ => what.into(),
        };
        self.faults.push(Fault { key: key.to_owned(), what, fix: fix.into() });
    }

    pub fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    fn unknown_key(&mut self, section: Option<&str>, bare: &str) {
        let name = section.map_or_else(|| shown(bare), |section| format!("{section}.{}", shown(bare)));
        self.fault(&name, "there is no such key", nearest::key(section, bare));
    }

    pub fn end(self) -> (Vec<Fault>, Vec<String>) {
        debug_assert!(self.values.is_empty(), "keys that no section takes");
        (self.faults, self.warnings)
    }
}

/// A name that is none of ours, for people.
fn shown(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_debug).collect()
}

fn secret(value: &Value) -> bool {
    match value {
        Value::Secret(_) => true,
        Value::Pairs(pairs) => pairs.iter().any(|(name, value)| gaggle_commands::sensitive(name, value)),
        _ => false,
    }
}
