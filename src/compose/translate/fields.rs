//! A mapping of the project that knows which of its keys were asked for.
//!
//! Invariant: [`Fields::rest`] has every key that holds something and was not asked for, so that what nobody reads is told.

use std::cell::RefCell;

use serde_json::{Map, Value};

pub struct Fields<'a> {
    map: Option<&'a Map<String, Value>>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'a> {
    pub fn of(value: Option<&'a Value>) -> Self {
        Self { map: value.and_then(Value::as_object), asked: RefCell::new(Vec::new()) }
    }

    /// What holds nothing is absent.
    pub fn get(&self, key: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().push(key);
        self.map?.get(key).filter(|value| !value.is_null())
    }

    /// Marks keys as asked for that are of no use here.
    pub fn skip(&self, keys: &[&'static str]) {
        self.asked.borrow_mut().extend_from_slice(keys);
    }

    pub fn text(&self, key: &'static str) -> Option<&'a str> {
        self.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    pub fn flag(&self, key: &'static str) -> bool {
        self.switch(key).unwrap_or(false)
    }

    pub fn switch(&self, key: &'static str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub fn number(&self, key: &'static str) -> Option<f64> {
        number(self.get(key)?)
    }

    pub fn list(&self, key: &'static str) -> &'a [Value] {
        self.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The texts of a list, or one alone.
    pub fn texts(&self, key: &'static str) -> Vec<&'a str> {
        match self.get(key) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    pub fn map(&self, key: &'static str) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        self.get(key).and_then(Value::as_object).into_iter().flatten().map(|(key, value)| (key.as_str(), value))
    }

    pub fn fields(&self, key: &'static str) -> Fields<'a> {
        Fields::of(self.get(key))
    }

    pub fn is_empty(&self) -> bool {
        self.map.is_none_or(Map::is_empty)
    }

    /// What was not asked for, extensions apart.
    pub fn rest(&self) -> Vec<&'a str> {
        let asked = self.asked.borrow();
        let all = self.map.into_iter().flatten();
        all.filter(|(key, value)| !key.starts_with("x-") && holds(value) && !asked.contains(&key.as_str()))
            .map(|(key, _)| key.as_str())
            .collect()
    }
}

/// Whether this says anything.
pub fn holds(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(all) => !all.is_empty(),
        Value::Object(all) => all.iter().any(|(key, value)| !key.starts_with("x-") && holds(value)),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

pub fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|n| n as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// As people read it: without quotes.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whole seconds of a duration such as `1m30s`, rounded up.
pub fn seconds(value: &Value) -> Option<u32> {
    let text = match value {
        Value::Number(nanos) => return Some(((nanos.as_f64()? / 1e9).ceil() as u32).max(1)),
        Value::String(text) => text.trim(),
        _ => return None,
    };
    let (mut total, mut rest) = (0.0, text);
    if text.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let amount: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" | "" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            "w" => 604_800.0,
            _ => return None,
        };
        total += amount * unit;
        rest = &rest[letters..];
    }
    // Nanoseconds that add up to a whole second must not become two.
    Some((total - 1e-9).ceil().clamp(0.0, f64::from(u32::MAX)) as u32)
}

/// Bytes: a number, or one with a unit of 1024.
pub fn bytes(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => size(text),
        _ => None,
    }
}

/// `64m`, `1.5 GB`, `1048576`.
pub fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let amount: f64 = text[..digits].parse().ok()?;
    let unit = text[digits..].trim().to_ascii_lowercase();
    let power = match unit.trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    Some((amount * 1024f64.powi(power)) as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_and_sizes() {
        for (text, expected) in
            [("10s", 10), ("1m30s", 90), ("500ms", 1), ("1h0m0s", 3600), ("1.5s", 2), ("0s", 0), ("2m0.5s", 121), ("1s", 1)]
        {
            assert_eq!(seconds(&json!(text)), Some(expected), "{text}");
        }
        assert_eq!(seconds(&json!("often")), None);
        for (text, expected) in
            [("1g", 1 << 30), ("64m", 64 << 20), ("1.5kb", 1536), ("123", 123), ("2GiB", 2 << 30), ("10M", 10 << 20)]
        {
            assert_eq!(size(text), Some(expected), "{text}");
        }
        assert_eq!(size("50%"), None);
    }

    #[test]
    fn what_was_not_asked_for() {
        let value = json!({ "a": 1, "b": null, "c": {}, "d": [0], "x-e": 1, "f": { "x-g": 1 }, "h": "text" });
        let fields = Fields::of(Some(&value));
        fields.get("a");
        assert_eq!(fields.rest(), ["d", "h"]);
    }
}
