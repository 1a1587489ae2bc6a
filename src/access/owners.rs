//! Owners of projects by name: what is shown before the slash of `@ann/demo` can be typed back.
//!
//! Invariant: two people are never shown alike. Whoever shares a name with somebody else keeps the id.

use std::collections::HashMap;

use crate::error::Result;
use crate::model::{PersonId, Project};
use crate::store::Store;

/// What the people that are known are called.
#[derive(Debug, Default)]
pub struct Owners {
    names: HashMap<PersonId, String>,
    /// Names in small letters, with how many have them.
    counts: HashMap<String, usize>,
}

impl Owners {
    pub async fn load(store: &Store) -> Result<Self> {
        Ok(Self::of(store.names().await?))
    }

    fn of(names: HashMap<PersonId, String>) -> Self {
        let names: HashMap<_, _> =
            names.into_iter().map(|(person, name)| (person, handle(&name))).filter(|(_, name)| !name.is_empty()).collect();
        let mut counts = HashMap::new();
        for name in names.values() {
            *counts.entry(name.to_lowercase()).or_default() += 1;
        }
        Self { names, counts }
    }

    /// `@ann`, or the id of whom no name tells from others.
    pub fn shown(&self, person: &PersonId) -> String {
        match self.names.get(person).filter(|name| self.counts.get(&name.to_lowercase()) == Some(&1)) {
            Some(name) => format!("@{name}"),
            None => person.short().to_owned(),
        }
    }

    /// `@ann/demo`
    pub fn project(&self, project: &Project) -> String {
        format!("{}/{}", self.shown(&project.owner), project.name)
    }

    /// All of somebody's projects, sorted, as a command takes them: with the owner where a name alone would not do.
    pub fn choices(&self, projects: &[Project]) -> Vec<String> {
        let doubled = |project: &Project| projects.iter().filter(|other| other.name == project.name).count() > 1;
        let name = |project: &Project| if doubled(project) { self.project(project) } else { project.name.clone() };
        let mut names: Vec<String> = projects.iter().map(name).collect();
        names.sort();
        names
    }

    /// Whether somebody is meant by what was typed, without its `@`.
    pub fn is(&self, person: &PersonId, typed: &str) -> bool {
        person.0 == typed || person.short() == typed || self.names.get(person).is_some_and(|name| same(name, &handle(typed)))
    }

    /// All who are called so.
    pub fn called(&self, typed: &str) -> Vec<&PersonId> {
        let typed = handle(typed);
        let mut found: Vec<&PersonId> =
            self.names.iter().filter(|(_, name)| same(name, &typed)).map(|(person, _)| person).collect();
        found.sort();
        found
    }

    pub fn knows(&self, person: &PersonId) -> bool {
        self.names.contains_key(person)
    }

    /// The projects that a text names by their owners' ids, by their names: `/project delete U123ABC/demo`.
    pub fn in_text(&self, text: &str) -> String {
        let word = |word: &str| {
            let (owner, rest) = word.split_once('/')?;
            let id = owner.trim_start_matches('@');
            let person = self.names.keys().find(|person| !id.is_empty() && (person.short() == id || person.0 == id))?;
            Some(format!("{}/{rest}", self.shown(person)))
        };
        text.split(' ').map(|one| word(one).unwrap_or_else(|| one.to_owned())).collect::<Vec<_>>().join(" ")
    }
}

/// A name as one word of a command.
fn handle(name: &str) -> String {
    let words = name.split_whitespace().map(|word| {
        word.chars().filter(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '\'')).take(60).collect::<String>()
    });
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    words.join("-").trim_start_matches(['-', '.', '\'']).chars().take(60).collect()
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(id: &str) -> PersonId {
        PersonId(id.to_owned())
    }

    #[test]
    fn a_name_is_one_word_that_means_one_person() {
        let named = [
            ("slack:U1ANN", "Ann Müller"),
            ("slack:U2BOB", "bob"),
            ("slack:U3BOB", "Bob"),
            ("slack:U4", "**"),
            ("console:cat", "cat@home / x"),
        ];
        let owners = Owners::of(named.map(|(id, name)| (person(id), name.to_owned())).into());
        let shown = |id: &str| owners.shown(&person(id));
        assert_eq!(shown("slack:U1ANN"), "@Ann-Müller");
        assert_eq!((shown("slack:U2BOB"), shown("slack:U3BOB")), ("U2BOB".to_owned(), "U3BOB".to_owned()));
        assert_eq!((shown("slack:U4"), shown("slack:U9NEW")), ("U4".to_owned(), "U9NEW".to_owned()));
        assert_eq!(shown("console:cat"), "@cathome-x");
        for typed in ["U1ANN", "slack:U1ANN", "ann-müller", "Ann-Müller"] {
            assert!(owners.is(&person("slack:U1ANN"), typed), "{typed}");
        }
        assert!(!owners.is(&person("slack:U1ANN"), "ann"));
        assert_eq!(owners.in_text("/project delete U1ANN/demo"), "/project delete @Ann-Müller/demo");
        assert_eq!(owners.in_text("/ask @U1ANN/demo  see U9/x"), "/ask @Ann-Müller/demo  see U9/x");
        assert!(gaggle_commands::parse_text("/project show @Ann-Müller/demo").is_ok());
    }
}
