//! JSON values as YAML, as much of it as a manifest needs: maps, lists, texts, numbers and yes or no. Reads nothing.

use serde_json::Value;

pub fn yaml(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn write(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                out.extend(std::iter::repeat_n("  ", depth));
                out.push_str(&text(key));
                out.push(':');
                below(value, depth + 1, out);
            }
        }
        Value::Array(list) => {
            for value in list {
                out.extend(std::iter::repeat_n("  ", depth));
                out.push('-');
                match value {
                    // A map begins on the line of its dash.
                    Value::Object(map) if !map.is_empty() => {
                        let mut inner = String::new();
                        write(value, depth + 1, &mut inner);
                        out.push(' ');
                        out.push_str(inner.trim_start());
                    }
                    value => below(value, depth + 1, out),
                }
            }
        }
        value => below(value, depth, out),
    }
}

fn below(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if map.is_empty() => out.push_str(" {}\n"),
        Value::Array(list) if list.is_empty() => out.push_str(" []\n"),
        Value::Object(_) | Value::Array(_) => {
            out.push('\n');
            write(value, depth, out);
        }
        Value::String(s) => out.push_str(&format!(" {}\n", text(s))),
        value => out.push_str(&format!(" {value}\n")),
    }
}

/// Bare where no reader of YAML could take it for anything else; otherwise as in JSON, which is YAML too.
fn text(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let bare = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if bare { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_be_mistaken_is_quoted() {
        let value = json!({ "a": ["x", { "b": 1, "c": [true] }, []], "d": { "yes": "no", "e": "a: b # c", "f": "#1f", "g": {}, "h": "\"q\"\n" } });
        let want = "a:\n  - x\n  - b: 1\n    c:\n      - true\n  - []\nd:\n  e: \"a: b # c\"\n  f: \"#1f\"\n  g: {}\n  h: \"\\\"q\\\"\\n\"\n  \"yes\": \"no\"\n";
        assert_eq!(yaml(&value), want);
    }
}
