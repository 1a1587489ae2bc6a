//! What differs between two states of an object, field by field, for people. Pure.
//!
//! Invariant: of a Secret only the names of keys show. What the server itself keeps in an object is no difference.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

/// The longest value that is shown whole.
const LONGEST: usize = 80;
/// Kept by the server.
const KEPT: &[&str] = &["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"];

/// Written by controllers, whenever they like.
const CONTROLLERS: &[&str] = &["metadata.annotations[deployment.kubernetes.io/", "metadata.annotations[pv.kubernetes.io/"];

/// A field that is not the same. Neither value is known: it is a Secret's, and changes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Field {
    /// `spec.template.spec.containers[web].image`.
    pub path: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match (&self.from, &self.to) {
            (Some(from), Some(to)) if from.is_empty() && to.is_empty() => write!(f, "{path} changes"),
            (None, Some(to)) if to.is_empty() => write!(f, "{path} comes"),
            (Some(from), None) if from.is_empty() => write!(f, "{path} goes"),
            (Some(from), Some(to)) => write!(f, "{path}: {from} → {to}"),
            (None, Some(to)) => write!(f, "{path}: + {to}"),
            (Some(from), None) => write!(f, "{path}: − {from}"),
            (None, None) => write!(f, "{path}"),
        }
    }
}

/// From one state to another.
pub fn fields(before: &Value, after: &Value) -> Vec<Field> {
    let mut all = Vec::new();
    let secret = after["kind"] == "Secret" || before["kind"] == "Secret";
    let none = serde_json::Map::new();
    let (old, new) = (before.as_object().unwrap_or(&none), after.as_object().unwrap_or(&none));
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys.into_iter().filter(|key| !matches!(key.as_str(), "apiVersion" | "kind" | "status")) {
        let hidden = secret && matches!(key.as_str(), "data" | "stringData");
        walk(key, old.get(key), new.get(key), hidden, &mut all);
    }
    all.retain(|field| !KEPT.iter().any(|kept| field.path.strip_prefix("metadata.").is_some_and(|rest| starts(rest, kept))));
    all.retain(|field| !CONTROLLERS.iter().any(|path| field.path.starts_with(path)));
    all
}

fn starts(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn walk(path: &str, before: Option<&Value>, after: Option<&Value>, hidden: bool, all: &mut Vec<Field>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                walk(&member(path, key), old.get(key), new.get(key), hidden, all);
            }
        }
        (Some(Value::Object(old)), None) if hidden => {
            old.iter().for_each(|(key, value)| walk(&member(path, key), Some(value), None, hidden, all));
        }
        (None, Some(Value::Object(new))) if hidden => {
            new.iter().for_each(|(key, value)| walk(&member(path, key), None, Some(value), hidden, all));
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => array(path, old, new, hidden, all),
        (before, after) => {
            let shown = |value: &Value| if hidden { String::new() } else { shown(value) };
            all.push(Field { path: path.to_owned(), from: before.map(shown), to: after.map(shown) });
        }
    }
}

/// A key that is a name of several words stands in brackets.
fn member(path: &str, key: &str) -> String {
    match key.contains(['/', '.']) && !path.ends_with("data") {
        true => format!("{path}[{key}]"),
        false => format!("{path}.{key}"),
    }
}

/// Items are told apart by their names or ports where they have such; else by their places.
fn array(path: &str, old: &[Value], new: &[Value], hidden: bool, all: &mut Vec<Field>) {
    let by = ["name", "mountPath", "containerPort", "port", "host", "path", "type"].into_iter().find(|key| {
        let named = |items: &[Value]| {
            let names: BTreeSet<String> = items.iter().filter_map(|item| item.get(*key)).map(plain).collect();
            names.len() == items.len()
        };
        named(old) && named(new)
    });
    let Some(key) = by else {
        let plain = |items: &[Value]| !items.iter().any(|item| item.is_object() || item.is_array());
        if plain(old) && plain(new) {
            let shown =
                |items: &[Value]| if hidden { String::new() } else { cut(&serde_json::Value::from(items.to_vec()).to_string()) };
            return all.push(Field { path: path.to_owned(), from: Some(shown(old)), to: Some(shown(new)) });
        }
        for n in 0..old.len().max(new.len()) {
            walk(&format!("{path}[{n}]"), old.get(n), new.get(n), hidden, all);
        }
        return;
    };
    let named = |items: &[Value], name: &str| items.iter().find(|item| plain(&item[key]) == name).cloned();
    let mut seen = BTreeSet::new();
    for name in old.iter().chain(new).map(|item| plain(&item[key])).filter(|name| seen.insert(name.clone())) {
        walk(&format!("{path}[{name}]"), named(old, &name).as_ref(), named(new, &name).as_ref(), hidden, all);
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn shown(value: &Value) -> String {
    cut(&value.to_string())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(before: &Value, after: &Value) -> Vec<String> {
        fields(before, after).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn fields_by_their_names() {
        let before = json!({ "kind": "Deployment", "metadata": { "resourceVersion": "1", "labels": { "a.b/c": "x" } }, "spec": {
            "replicas": 1, "containers": [{ "name": "web", "image": "a:1", "args": ["x"] }, { "name": "old", "image": "b" }] } });
        let after = json!({ "kind": "Deployment", "metadata": { "resourceVersion": "2", "labels": { "a.b/c": "y" } }, "spec": {
            "replicas": 2, "containers": [{ "name": "web", "image": "a:2", "args": ["x", "y"], "tty": true }] } });
        assert_eq!(
            lines(&before, &after),
            [
                "metadata.labels[a.b/c]: \"x\" → \"y\"",
                "spec.containers[web].args: [\"x\"] → [\"x\",\"y\"]",
                "spec.containers[web].image: \"a:1\" → \"a:2\"",
                "spec.containers[web].tty: + true",
                "spec.containers[old]: − {\"image\":\"b\",\"name\":\"old\"}",
                "spec.replicas: 1 → 2",
            ]
        );
    }

    #[test]
    fn of_a_secret_only_names() {
        let before = json!({ "kind": "Secret", "data": { "A": "c2VjcmV0", "B": "c2FtZQ==", "C": "Z29uZQ==" } });
        let after = json!({ "kind": "Secret", "data": { "A": "b3RoZXI=", "B": "c2FtZQ==", "D.x": "bmV3" } });
        let told = format!("{:?}{:?}", fields(&before, &after), lines(&before, &after));
        assert_eq!(lines(&before, &after), ["data.A changes", "data.C goes", "data.D.x comes"]);
        for value in ["c2VjcmV0", "b3RoZXI=", "Z29uZQ==", "bmV3"] {
            assert!(!told.contains(value), "{told}");
        }
        assert_eq!(lines(&json!({ "kind": "Secret" }), &before), ["data.A comes", "data.B comes", "data.C comes"]);
    }
}
