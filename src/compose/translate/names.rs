//! What services, volumes, configs and secrets are called in a cluster.
//!
//! Invariants: a name that is a label of DNS is kept, and no two things of one project get the same name. What a name becomes
//! depends on the names of the project alone, and a hash that is needed is of the name itself.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

/// The longest label of DNS.
pub const LABEL: usize = 63;
const HASH: usize = 6;

/// The names of things of one kind.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    pub fn of<'a>(all: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names = BTreeMap::new();
        let mut taken = BTreeSet::new();
        let (valid, rest): (Vec<&str>, Vec<&str>) = all.into_iter().partition(|name| is_label(name));
        for name in valid {
            taken.insert(name.to_owned());
            names.insert(name.to_owned(), name.to_owned());
        }
        let mut rest = rest;
        rest.sort_unstable();
        // A plain form that two would get is nobody's, so that neither depends on the order.
        let mut plain: BTreeMap<String, usize> = BTreeMap::new();
        for name in &rest {
            *plain.entry(plainly(name)).or_default() += 1;
        }
        for name in rest {
            let short = plainly(name);
            let whole = name.len() <= LABEL && is_label(&short) && plain[&short] == 1 && !taken.contains(&short);
            let mut label = if whole { short } else { hashed(name, LABEL) };
            while taken.contains(&label) {
                label = hashed(&format!("{name}.{label}"), LABEL);
            }
            taken.insert(label.clone());
            names.insert(name.to_owned(), label);
        }
        Self(names)
    }

    /// One that was not among them gets what it would get alone.
    pub fn get(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| label(name))
    }

    pub fn has_label(&self, label: &str) -> bool {
        self.0.values().any(|name| name == label)
    }
}

/// What a name becomes that need not be told from others.
pub fn label(name: &str) -> String {
    let short = plainly(name);
    match name.len() <= LABEL && is_label(&short) {
        true => short,
        false => hashed(name, LABEL),
    }
}

/// A label of DNS that a Service may have, too: it begins with a letter.
pub fn is_label(text: &str) -> bool {
    (1..=LABEL).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A part of a name of DNS.
pub fn is_part(text: &str) -> bool {
    text.len() <= LABEL && is_word(text)
}

/// The same of any length.
fn is_word(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

/// The name of something that is made elsewhere, as it is if an object can have it.
pub fn elsewhere(name: &str) -> String {
    match name.len() <= 253 && name.split('.').all(is_word) {
        true => name.to_owned(),
        false => label(name),
    }
}

/// Keys of ConfigMaps and Secrets.
pub fn is_key(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text != "."
        && !text.starts_with("..")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// A key for a file of this name; `path` is what tells it from others.
pub fn key(name: &str, path: &str, taken: impl Fn(&str) -> bool) -> String {
    let kept: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    match is_key(name) && name.len() <= 200 && !taken(name) {
        true => name.to_owned(),
        false => format!("{}-{}", hash(path), kept.chars().take(200).collect::<String>().trim_start_matches('.')),
    }
}

fn plainly(name: &str) -> String {
    let mut kept = String::with_capacity(name.len());
    for c in name.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || c.is_ascii_digit() => kept.push(c),
            _ if !kept.is_empty() && !kept.ends_with('-') => kept.push('-'),
            _ => {}
        }
    }
    kept.truncate(kept.trim_end_matches('-').len());
    kept
}

/// As much of it as fits beside the hash of the whole.
pub fn hashed(name: &str, most: usize) -> String {
    let mut kept = plainly(name);
    if !kept.starts_with(|c: char| c.is_ascii_lowercase()) {
        kept.insert_str(0, "n-");
    }
    kept.truncate(most - HASH - 1);
    format!("{}-{}", kept.trim_end_matches('-'), hash(name))
}

pub fn hash(of: &str) -> String {
    let digest = Sha256::digest(of.as_bytes());
    digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(HASH).filter_map(|d| char::from_digit(d.into(), 16)).collect()
}

/// Whether a label of Kubernetes may have this name: `name` or `domain/name`.
pub fn is_label_key(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && is_label_value(part);
    let domain = |text: &str| {
        let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let plain = |l: &str| l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        text.len() <= 253 && text.split('.').all(|l| edge(l.as_bytes().first()) && edge(l.as_bytes().last()) && plain(l))
    };
    match text.split_once('/') {
        Some((prefix, name)) => domain(prefix) && part(name),
        None => part(text),
    }
}

pub fn is_label_value(text: &str) -> bool {
    text.is_empty()
        || text.len() <= LABEL
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_people_can_read() {
        let long = "a".repeat(64);
        let all = ["web", "my_api", "Api", "web_1", "web-1", "3scale", "a_b", "a.b", &long, "_"];
        let names = Names::of(all);
        for (name, expected) in
            [("web", "web"), ("my_api", "my-api"), ("Api", "api"), ("web-1", "web-1"), ("3scale", "n-3scale-dc1106")]
        {
            assert_eq!(names.get(name), expected);
        }
        assert_eq!(names.get("web_1"), format!("web-1-{}", hash("web_1")));
        assert_eq!(names.get("a_b"), format!("a-b-{}", hash("a_b")));
        assert_eq!(names.get(&long).len(), 63);
        let unique: BTreeSet<_> = all.iter().map(|name| names.get(name)).collect();
        assert_eq!(unique.len(), all.len());
    }

    proptest! {
        #[test]
        fn no_two_are_the_same(all in proptest::collection::btree_set("[a-cA-C_.-]{1,4}|[a-b]{60,70}|[0-9a-z_]{1,8}", 1..12)) {
            let names = Names::of(all.iter().map(String::as_str));
            let labels: BTreeSet<_> = all.iter().map(|name| names.get(name)).collect();
            prop_assert_eq!(labels.len(), all.len());
            for name in &all {
                let label = names.get(name);
                prop_assert!(is_label(&label), "{}", label);
                prop_assert!(!is_label(name) || &label == name);
            }
        }

        #[test]
        fn keys_are_keys(name in ".{0,300}", path in ".{0,20}") {
            let key = key(&name, &path, |_| false);
            prop_assert!(is_key(&key), "{}", key);
        }
    }
}
