//! The tree that a compose file is while it is read. Every node knows where it was written; equality is about values alone and
//! knows nothing of places.

use std::fmt::Write as _;

use indexmap::IndexMap;

/// Where something was written: a file of the reading, a line and a column, both counted from 1. Line 0 is nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, PartialOrd, Ord)]
pub struct Mark {
    pub file: u16,
    pub line: u32,
    pub column: u32,
}

impl Mark {
    pub fn known(self) -> bool {
        self.line > 0
    }

    /// This one, or the other if this is nowhere.
    pub fn or(self, other: Mark) -> Mark {
        if self.known() { self } else { other }
    }
}

pub type Map = IndexMap<String, Node>;

#[derive(Debug, Clone, Default)]
pub struct Node {
    pub value: Value,
    pub at: Mark,
    /// The key in front of it, in a mapping.
    pub key: Mark,
}

#[derive(Debug, Clone, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    /// A whole number that is too large for the other.
    Big(u64),
    Float(f64),
    Time(Box<Time>),
    Text(String),
    List(Vec<Node>),
    Map(Box<Map>),
}

/// A date, which YAML makes of what looks like one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Time {
    /// As the reference shows it where text is wanted.
    pub shown: String,
    /// As it stands in JSON.
    pub json: String,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Big(a), Value::Big(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Time(a), Value::Time(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Map(a), Value::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl Node {
    pub fn new(value: Value, at: Mark) -> Self {
        Self { value, at, key: Mark::default() }
    }

    pub fn text(text: impl Into<String>, at: Mark) -> Self {
        Self::new(Value::Text(text.into()), at)
    }

    pub fn flag(flag: bool, at: Mark) -> Self {
        Self::new(Value::Bool(flag), at)
    }

    pub fn map(map: Map, at: Mark) -> Self {
        Self::new(Value::Map(Box::new(map)), at)
    }

    pub fn pairs<const N: usize>(at: Mark, pairs: [(&str, Node); N]) -> Self {
        Self::map(pairs.into_iter().map(|(key, node)| (key.to_owned(), node)).collect(), at)
    }

    /// The best place to point at when this is wrong as a whole.
    pub fn place(&self) -> Mark {
        self.at.or(self.key)
    }

    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn as_list_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key)
    }

    /// Below keys and, in lists, positions.
    pub fn find(&self, path: &[&str]) -> Option<&Node> {
        let mut node = self;
        for step in path {
            node = match &node.value {
                Value::Map(map) => map.get(*step)?,
                Value::List(list) => list.get(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(node)
    }

    /// What the specification calls it.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Float(float) if float.fract() != 0.0 => "a number with a fraction",
            Value::Int(_) | Value::Big(_) | Value::Float(_) => "a number",
            Value::Time(_) => "a date",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// How many nodes it is, itself included.
    pub fn size(&self) -> usize {
        match &self.value {
            Value::List(list) => 1 + list.iter().map(Node::size).sum::<usize>(),
            Value::Map(map) => 1 + map.values().map(Node::size).sum::<usize>(),
            _ => 1,
        }
    }

    /// The value as text, where the specification lets scalars stand for text.
    pub fn shown(&self) -> String {
        match &self.value {
            Value::Null => "<nil>".into(),
            Value::Bool(flag) => flag.to_string(),
            Value::Int(int) => int.to_string(),
            Value::Big(int) => int.to_string(),
            Value::Float(float) => float_text(*float),
            Value::Time(time) => time.shown.clone(),
            Value::Text(text) => text.clone(),
            Value::List(list) => {
                let parts: Vec<_> = list.iter().map(Node::shown).collect();
                format!("[{}]", parts.join(" "))
            }
            Value::Map(map) => {
                let mut parts: Vec<_> = map.iter().map(|(key, node)| format!("{key}:{}", node.shown())).collect();
                parts.sort();
                format!("map[{}]", parts.join(" "))
            }
        }
    }

    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Int(int) => Json::from(*int),
            Value::Big(int) => Json::from(*int),
            Value::Float(float) => json_float(*float),
            Value::Time(time) => Json::String(time.json.clone()),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(list) => Json::Array(list.iter().map(Node::to_json).collect()),
            Value::Map(map) => Json::Object(map.iter().map(|(key, node)| (key.clone(), node.to_json())).collect()),
        }
    }
}

/// Whole numbers without a fraction.
pub fn json_float(float: f64) -> serde_json::Value {
    if float.fract() == 0.0 && float.abs() < 9e15 {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number of this size fits")]
        return serde_json::Value::from(float as i64);
    }
    serde_json::Value::from(float)
}

/// The shortest text that is this number: plain from 1e-4 up to a million, with an exponent outside.
pub fn float_text(float: f64) -> String {
    if float.is_nan() {
        return "NaN".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{float}");
    }
    let mut text = digits.to_owned();
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(text, "e{sign}{:02}", exponent.abs());
    text
}

/// A key below other keys, on the stack of whoever walks the tree.
#[derive(Clone, Copy)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    key: &'a str,
    depth: usize,
}

/// The longest path that any rule is about.
const LONGEST: usize = 8;

/// What stands for the position in a list.
pub const ITEM: &str = "[]";

impl<'a> Path<'a> {
    pub const ROOT: Path<'static> = Path { parent: None, key: "", depth: 0 };

    pub fn below<'b>(&'b self, key: &'b str) -> Path<'b> {
        Path { parent: Some(self), key, depth: self.depth + 1 }
    }

    pub fn depth(&self) -> usize {
        self.depth
    }

    pub fn keys(&self) -> Vec<&str> {
        let mut keys = Vec::with_capacity(self.depth);
        let mut path = self;
        while let Some(parent) = path.parent {
            keys.push(path.key);
            path = parent;
        }
        keys.reverse();
        keys
    }

    /// With its keys from the top; with none if it is longer than any rule.
    pub fn with<R>(&self, f: impl FnOnce(&[&str]) -> R) -> R {
        let mut keys = [""; LONGEST];
        if self.depth > LONGEST {
            return f(&[]);
        }
        let mut path = self;
        for index in (0..self.depth).rev() {
            keys[index] = path.key;
            match path.parent {
                Some(parent) => path = parent,
                None => break,
            }
        }
        f(&keys[..self.depth])
    }
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.parent {
            None => Ok(()),
            Some(parent) if parent.depth == 0 => f.write_str(self.key),
            Some(parent) if self.key == ITEM => write!(f, "{parent}[]"),
            Some(parent) => write!(f, "{parent}.{}", self.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_the_reference_shows_them() {
        let shown = [1.5, 1000.0, 1e21, 1e-5, 0.1, 123456789.0, -2.5e30].map(float_text);
        assert_eq!(shown, ["1.5", "1000", "1e+21", "1e-05", "0.1", "1.23456789e+08", "-2.5e+30"]);
    }

    #[test]
    fn paths_are_matched_from_the_top() {
        let (services, web);
        services = Path::ROOT.below("services");
        web = services.below("web");
        assert!(web.with(|path| matches!(path, ["services", "web"])));
        assert_eq!(web.below("ports").below(ITEM).to_string(), "services.web.ports[]");
    }
}
