//! The canonical form as YAML, for people and for pipes. Prints what it is given; keys that say nothing are left out.

use std::fmt::Write as _;

use serde_json::Value as Json;

/// A tree as YAML, read back as the same tree but for commands that are not given.
pub fn yaml(json: &Json) -> String {
    let mut out = String::new();
    match json {
        Json::Object(map) if !map.is_empty() => block(json, 0, &mut out),
        _ => {
            inline(json, &mut out);
            out.push('\n');
        }
    }
    out
}

/// A service without a command need not say so.
fn is_shown(key: &str, value: &Json) -> bool {
    !(value.is_null() && matches!(key, "command" | "entrypoint"))
}

fn block(json: &Json, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match json {
        Json::Object(map) => {
            for (key, value) in map.iter().filter(|(key, value)| is_shown(key, value)) {
                out.push_str(&indent);
                scalar(key, out);
                out.push(':');
                after(value, depth, out);
            }
        }
        Json::Array(list) => {
            for value in list {
                out.push_str(&indent);
                out.push('-');
                match value {
                    Json::Object(map) if map.iter().any(|(key, value)| is_shown(key, value)) => {
                        let mut inner = String::new();
                        block(value, depth + 1, &mut inner);
                        out.push(' ');
                        out.push_str(inner.trim_start());
                    }
                    _ => after(value, depth, out),
                }
            }
        }
        _ => {}
    }
}

fn after(value: &Json, depth: usize, out: &mut String) {
    let nested = match value {
        Json::Object(map) => map.iter().any(|(key, value)| is_shown(key, value)),
        Json::Array(list) => !list.is_empty(),
        _ => false,
    };
    if nested {
        out.push('\n');
        block(value, depth + 1, out);
    } else {
        out.push(' ');
        match value {
            Json::String(text) if text.contains('\n') && is_block(text) => literal(text, depth, out),
            value => {
                inline(value, out);
                out.push('\n');
            }
        }
    }
}

fn inline(value: &Json, out: &mut String) {
    match value {
        Json::String(text) => scalar(text, out),
        Json::Object(_) => out.push_str("{}"),
        Json::Array(_) => out.push_str("[]"),
        other => drop(write!(out, "{other}")),
    }
}

/// Whether a text can stand as it is, line by line.
fn is_block(text: &str) -> bool {
    !text.starts_with([' ', '\n', '\t'])
        && text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control())
        && !text.contains('\u{feff}')
}

fn literal(text: &str, depth: usize, out: &mut String) {
    let ends = text.len() - text.trim_end_matches('\n').len();
    out.push_str(match ends {
        0 => "|-\n",
        1 => "|\n",
        _ => "|+\n",
    });
    let indent = "  ".repeat(depth + 1);
    let body = text.strip_suffix('\n').unwrap_or(text);
    for line in body.split('\n') {
        if !line.is_empty() {
            out.push_str(&indent);
            out.push_str(line);
        }
        out.push('\n');
    }
}

/// Plain where that is read as the same text, else in quotes.
fn scalar(text: &str, out: &mut String) {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_')
        && text.chars().all(|c| word(c) || matches!(c, ' ' | '=' | '@' | '+' | ',' | '(' | ')' | '$') || c == ':')
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "null" | "nan" | "inf"
        );
    if plain {
        out.push_str(text);
    } else {
        out.push_str(&Json::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_they_must_be() {
        let json = serde_json::json!({
            "a": "x", "b": "yes", "c": "8080:80", "d": "a: b", "e": "", "f": ["-x", {"k": "v", "command": null}, {}, []],
            "g": "two\nlines\n", "h": 1.5, "i": null, "j": "a:b", "l": {"command": null},
        });
        let wanted = "a: x\nb: \"yes\"\nc: \"8080:80\"\nd: \"a: b\"\ne: \"\"\nf:\n  - \"-x\"\n  - k: v\n  - {}\n  - []\n\
                      g: |\n  two\n  lines\nh: 1.5\ni: null\nj: a:b\nl: {}\n";
        assert_eq!(yaml(&json), wanted);
    }
}
