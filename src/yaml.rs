//! JSON values as YAML that people read.
//!
//! Invariant: every parser of YAML 1.1 or 1.2 reads back the same value: what could be taken for something else is quoted. Reads
//! nothing; `guarded` is for those who do.

mod guarded;

use serde_json::Value;

pub use guarded::{TAG_BEFORE_COMMA, guarded, tag_before_comma};

/// What a manifest opens with; other keys of a document come in the order of the value's own maps.
const FIRST: &[&str] = &["apiVersion", "kind", "metadata"];

/// A document, with its line end.
pub fn document(value: &Value) -> String {
    let mut text = String::with_capacity(1024);
    match value {
        Value::Object(map) if !map.is_empty() => {
            let first = FIRST.iter().filter_map(|key| map.get_key_value(*key));
            let rest = map.iter().filter(|(key, _)| !FIRST.contains(&key.as_str()));
            object(&mut text, first.chain(rest), 0);
        }
        Value::Array(all) if !all.is_empty() => array(&mut text, all, 0),
        other => {
            scalar(&mut text, other, 0);
            text.push('\n');
        }
    }
    text
}

fn object<'a>(text: &mut String, map: impl IntoIterator<Item = (&'a String, &'a Value)>, depth: usize) {
    let mut first = true;
    for (key, value) in map {
        // The first stands where its dash or its own line left off.
        if !std::mem::take(&mut first) {
            indent(text, depth);
        }
        string(text, key, None);
        text.push(':');
        member(text, value, depth);
    }
}

/// What comes after `key:`.
fn member(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            indent(text, depth + 1);
            object(text, map, depth + 1);
        }
        Value::Array(all) if !all.is_empty() => {
            text.push('\n');
            indent(text, depth);
            array(text, all, depth);
        }
        other => {
            text.push(' ');
            scalar(text, other, depth + 1);
            text.push('\n');
        }
    }
}

fn array(text: &mut String, all: &[Value], depth: usize) {
    let mut first = true;
    for value in all {
        if !std::mem::take(&mut first) {
            indent(text, depth);
        }
        text.push_str("- ");
        match value {
            Value::Object(map) if !map.is_empty() => object(text, map, depth + 1),
            Value::Array(inner) if !inner.is_empty() => array(text, inner, depth + 1),
            other => {
                scalar(text, other, depth + 1);
                text.push('\n');
            }
        }
    }
}

fn indent(text: &mut String, depth: usize) {
    for _ in 0..depth {
        text.push_str("  ");
    }
}

fn scalar(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&number.to_string()),
        Value::String(s) => string(text, s, Some(depth)),
        Value::Array(_) => text.push_str("[]"),
        Value::Object(_) => text.push_str("{}"),
    }
}

/// In as many lines as it has where `depth` says that there is room for them.
fn string(text: &mut String, s: &str, depth: Option<usize>) {
    if is_plain(s) {
        return text.push_str(s);
    }
    if let Some(depth) = depth.filter(|_| is_block(s)) {
        let body = s.trim_end_matches('\n');
        text.push_str(match s.len() - body.len() {
            0 => "|-",
            1 => "|",
            _ => "|+",
        });
        for line in body.split('\n') {
            text.push('\n');
            if !line.is_empty() {
                indent(text, depth);
                text.push_str(line);
            }
        }
        for _ in 1..(s.len() - body.len()) {
            text.push('\n');
        }
        return;
    }
    text.push('"');
    for c in s.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if is_odd(c) => match u32::from(c) {
                code if code > 0xffff => text.push_str(&format!("\\U{code:08x}")),
                code => text.push_str(&format!("\\u{code:04x}")),
            },
            c => text.push(c),
        }
    }
    text.push('"');
}

/// Needs no quotes: begins like a word or a path, and is none of the words that mean something.
fn is_plain(s: &str) -> bool {
    const WORDS: &[&str] = &["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    s.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_')
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:".contains(&b))
        && !s.ends_with(':')
        && !WORDS.iter().any(|word| s.eq_ignore_ascii_case(word))
}

/// Can stand in lines of its own.
fn is_block(s: &str) -> bool {
    let lines = || s.trim_end_matches('\n').split('\n');
    s.contains('\n')
        && !s.starts_with(['\n', ' ', '\t'])
        && !s.chars().any(|c| c != '\n' && c != '\t' && is_odd(c))
        && lines().all(|line| line.is_empty() || !line.trim().is_empty())
        && !lines().any(|line| line.starts_with('\t'))
}

/// Not to be seen, or a line end to some.
fn is_odd(c: char) -> bool {
    c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn as_people_write_it() {
        let value = json!({
            "a": "text", "b": [1, true, null, "no", "1.5", "1e3", ""], "c": {}, "d": [],
            "e": { "f": [{ "g": "x: y", "h": ["i"] }, [["j"]]] },
            "k": "one\ntwo\n", "l": "one\n\n  two", "m": " lead\n", "n": "end\n\n\n", "o": "tab\there", "p": "\u{7}",
            "8080:80": "# no comment",
        });
        insta::assert_snapshot!(document(&value), @r##"
        "8080:80": "# no comment"
        a: text
        b:
        - 1
        - true
        - null
        - "no"
        - "1.5"
        - "1e3"
        - ""
        c: {}
        d: []
        e:
          f:
          - g: "x: y"
            h:
            - i
          - - - j
        k: |
          one
          two
        l: |-
          one

            two
        m: " lead\n"
        "n": |+
          end


        o: "tab\there"
        p: "\u0007"
        "##);
    }
}
