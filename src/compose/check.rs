//! Whether a merged tree is written as the specification says: kinds of values, known keys, what is required. Every fault is found, and
//! each names the right form. Nothing is changed.

use std::collections::HashSet;

use super::fault::Fault;
use super::node::{Mark, Node, Path, Value};
use super::spec::{self, FLAG, Form, INT, Key, NULL, NUMBER, Others, SECTIONS, Shape, TEXT};

/// As many as people want to read at once.
const MOST: usize = 30;
/// As many as are looked for before the first of them are told.
const ENOUGH: usize = 500;

pub fn check(root: &Node) -> Vec<Fault> {
    let mut found = Found { faults: Vec::new() };
    let Some(map) = root.as_map() else {
        return vec![Fault::new(root.place(), "a compose file is a mapping: `services:` and so on")];
    };
    for (name, node) in map {
        let path = Path::ROOT.below(name);
        match SECTIONS.iter().find(|section| section.name == name) {
            Some(section) => found.section(section, node, &path),
            None if name == "name" || name == "version" => found.form(&Form::Of(TEXT), node, &path),
            None if name.starts_with("x-") => found.infinite(node, &path),
            None => {
                let known = SECTIONS.iter().map(|section| section.name).chain(["name", "include"]);
                found.unknown(name, node, "the file", known);
            }
        }
    }
    found.faults.sort_by_key(|fault| fault.at);
    found.faults.truncate(MOST);
    found.faults
}

struct Found {
    faults: Vec<Fault>,
}

impl Found {
    fn add(&mut self, at: Mark, text: String) {
        self.faults.push(Fault::new(at, text));
    }

    fn section(&mut self, of: &spec::Section, node: &Node, path: &Path<'_>) {
        let Some(map) = node.as_map() else {
            return self.add(node.place(), format!("{path} must be a mapping, and is {}", node.kind()));
        };
        for (name, node) in map {
            let section = path;
            let path = path.below(name);
            if is_name(name) {
                self.form(&of.form, node, &path);
            } else {
                self.add(
                    node.key,
                    format!("`{}` is no name in {section}: letters, digits, `.`, `_` and `-` make one", brief(name)),
                );
            }
        }
    }

    fn form(&mut self, form: &Form, node: &Node, path: &Path<'_>) {
        self.example(form, node, path, "");
    }

    fn example(&mut self, form: &Form, node: &Node, path: &Path<'_>, example: &str) {
        if self.faults.len() > ENOUGH {
            return;
        }
        if let Form::Example(form, example) = form {
            return self.example(form, node, path, example);
        }
        if !takes(form, node) {
            let mut text = format!("{path} must be {}, and is {}", wanted(form), node.kind());
            if !example.is_empty() {
                text = format!("{text}; right is {example}");
            }
            return self.add(node.place(), text);
        }
        match form {
            Form::Either(forms) => {
                if let Some(form) = forms.iter().find(|form| takes(form, node)) {
                    self.example(form, node, path, example);
                }
            }
            Form::Choice(choices) => {
                let text = node.as_text().unwrap_or_default();
                if !choices.contains(&text) {
                    let meant = meant(text, choices.iter().copied());
                    self.add(node.place(), format!("{path} cannot be `{}`: it is {}{meant}", brief(text), listed(choices)));
                }
            }
            Form::Like(good, right) => {
                let text = node.as_text().unwrap_or_default();
                if !good(text) {
                    self.add(node.place(), format!("{path} cannot be `{}`: right is {right}", brief(text)));
                }
            }
            Form::TextOrInt(least, most) => {
                let number = match node.value {
                    #[expect(clippy::cast_precision_loss, reason = "far from any limit")]
                    Value::Int(int) => int as f64,
                    #[expect(clippy::cast_precision_loss, reason = "beyond any limit")]
                    Value::Big(int) => int as f64,
                    Value::Float(float) => float,
                    _ => return,
                };
                #[expect(clippy::cast_precision_loss, reason = "far from any number")]
                if number < *least as f64 || number > *most as f64 {
                    let upper = if *most == i64::MAX { String::new() } else { format!(" and at most {most}") };
                    self.add(node.place(), format!("{path} must be at least {least}{upper}"));
                }
            }
            Form::List(item) | Form::Set(item) => {
                let list = node.as_list().unwrap_or_default();
                for (index, node) in list.iter().enumerate() {
                    self.example(item, node, &path.below(&index.to_string()), example);
                }
                if matches!(form, Form::Set(_)) {
                    self.differ(list, path);
                }
            }
            Form::Table(shape) => self.table(shape, node, path),
            Form::Keyed { key, value } => {
                for (name, node) in node.as_map().into_iter().flatten() {
                    let path = path.below(name);
                    let seen = match key {
                        Key::Any => true,
                        Key::NotEmpty => {
                            if name.is_empty() {
                                self.add(node.key, format!("a key of {path} is empty"));
                            }
                            !name.is_empty()
                        }
                        Key::Name => {
                            if !is_name(name) {
                                self.add(
                                    node.key,
                                    format!("`{}` is no name: letters, digits, `.`, `_` and `-` make one", brief(name)),
                                );
                            }
                            is_name(name)
                        }
                        Key::NameOrAny => is_name(name),
                        Key::LettersOrAny => !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase()),
                    };
                    if seen {
                        self.example(value, node, &path, example);
                    }
                }
            }
            Form::Of(_) | Form::Anything | Form::Example(..) => self.infinite(node, path),
        }
    }

    fn table(&mut self, shape: &Shape, node: &Node, path: &Path<'_>) {
        let Some(map) = node.as_map() else { return };
        for (name, child) in map {
            match shape.field(name) {
                Some(field) => self.form(&field.form, child, &path.below(name)),
                None if shape.others == Others::Anything => {}
                None if shape.others == Others::Extensions && name.starts_with("x-") => self.infinite(child, &path.below(name)),
                None => self.unknown(name, child, &path.to_string(), shape.fields().map(|field| field.name)),
            }
        }
        for name in shape.required {
            if !map.contains_key(*name) {
                self.add(node.place(), format!("{path} needs the key `{name}`"));
            }
        }
        if !shape.any_of.is_empty() && !shape.any_of.iter().any(|name| map.contains_key(*name)) {
            self.add(node.place(), format!("{path} needs {}", listed(shape.any_of)));
        }
    }

    fn unknown<'k>(&mut self, name: &str, node: &Node, owner: &str, known: impl Iterator<Item = &'k str>) {
        if self.faults.len() > ENOUGH {
            return;
        }
        let known: Vec<&str> = known.collect();
        let mut text = format!("{owner} has no key `{}`", brief(name));
        let meant = meant(name, known.iter().copied());
        if !meant.is_empty() {
            text += &meant;
        } else if known.len() <= 12 {
            text = format!("{text}; it has {}", listed(&known));
        }
        self.add(node.key.or(node.at), text);
    }

    fn differ(&mut self, list: &[Node], path: &Path<'_>) {
        let mut seen = HashSet::with_capacity(list.len());
        for (index, node) in list.iter().enumerate() {
            let shown = match node.as_text() {
                Some(text) => format!("\"{text}"),
                None => node.to_json().to_string(),
            };
            if !seen.insert(shown) {
                self.add(node.place(), format!("{path}.{index} stands in the list already"));
            }
        }
    }

    /// What JSON cannot say.
    fn infinite(&mut self, node: &Node, path: &Path<'_>) {
        match &node.value {
            Value::Float(float) if !float.is_finite() => {
                self.add(node.place(), format!("{path} must be a number that has an end"))
            }
            Value::List(list) => {
                for node in list {
                    self.infinite(node, path);
                }
            }
            Value::Map(map) => {
                for node in map.values() {
                    self.infinite(node, path);
                }
            }
            _ => {}
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn is_whole(node: &Node) -> bool {
    match node.value {
        Value::Int(_) | Value::Big(_) => true,
        Value::Float(float) => float.fract() == 0.0,
        _ => false,
    }
}

/// Whether a value of this kind belongs here at all.
fn takes(form: &Form, node: &Node) -> bool {
    match form {
        Form::Of(kinds) => match node.value {
            Value::Null => kinds & NULL != 0,
            Value::Bool(_) => kinds & FLAG != 0,
            Value::Int(_) | Value::Big(_) | Value::Float(_) => kinds & NUMBER != 0 || (kinds & INT != 0 && is_whole(node)),
            Value::Time(_) | Value::Text(_) => kinds & TEXT != 0,
            Value::List(_) | Value::Map(_) => false,
        },
        Form::Choice(_) | Form::Like(..) => matches!(node.value, Value::Text(_)),
        Form::TextOrInt(..) => matches!(node.value, Value::Text(_) | Value::Time(_)) || is_whole(node),
        Form::List(_) | Form::Set(_) => matches!(node.value, Value::List(_)),
        Form::Table(_) | Form::Keyed { .. } => matches!(node.value, Value::Map(_)),
        Form::Either(forms) => forms.iter().any(|form| takes(form, node)),
        Form::Example(form, _) => takes(form, node),
        Form::Anything => true,
    }
}

fn wanted(form: &Form) -> String {
    let scalars = |kinds: u8| {
        let names = [(TEXT, "a text"), (INT, "a whole number"), (NUMBER, "a number"), (FLAG, "true or false"), (NULL, "nothing")];
        let names: Vec<&str> = names.iter().filter(|(kind, _)| kinds & kind != 0).map(|(_, name)| *name).collect();
        names.join(" or ")
    };
    match form {
        Form::Of(kinds) => scalars(*kinds),
        Form::Choice(choices) => format!("one of {}", listed(choices)),
        Form::Like(_, right) => format!("a text ({right})"),
        Form::TextOrInt(..) => "a text or a whole number".into(),
        Form::List(_) | Form::Set(_) => "a list".into(),
        Form::Table(_) | Form::Keyed { .. } => "a mapping".into(),
        Form::Either(forms) => forms.iter().map(wanted).collect::<Vec<_>>().join(" or "),
        Form::Example(form, _) => wanted(form),
        Form::Anything => "anything".into(),
    }
}

pub fn brief(text: &str) -> String {
    let mut brief: String = text.chars().take(40).collect();
    if brief.len() < text.len() {
        brief.push('…');
    }
    brief.replace(['\n', '\r'], " ")
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "nothing".into(),
        [one] => format!("`{one}`"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|name| format!("`{name}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
    }
}

/// What somebody probably wanted to write.
fn meant<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> String {
    if written.len() > 60 {
        return String::new();
    }
    let close = |name: &str| strsim::damerau_levenshtein(&written.to_ascii_lowercase().replace('-', "_"), name);
    let best = known.map(|name| (close(name), name)).min();
    match best {
        Some((distance, name)) if distance <= (name.len() / 3).max(1) => format!("; did you mean `{name}`?"),
        _ => String::new(),
    }
}
