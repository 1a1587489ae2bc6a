//! Files of variables: `.env`, `env_file`, `label_file`. `KEY=value` a line, comments, three ways of quoting; unquoted and double-quoted
//! values may name other variables. Reads no file itself.

use std::collections::BTreeMap;

use super::interpolate::{Lookup, Wrong, substitute};

/// All that such files may hold together.
const BYTES: usize = 4 << 20;

/// What is wrong, and in which line.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrongly {
    pub line: u32,
    pub text: String,
}

pub type Variables = BTreeMap<String, String>;

/// Adds the variables of a file. Values may name those of `outer`, and those before.
pub fn read(text: &str, variables: &mut Variables, outer: Lookup<'_>) -> Result<(), Wrongly> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut cursor = Cursor { rest: text, line: 1 };
    let mut held: usize = variables.values().map(String::len).sum();
    while cursor.at_statement() {
        let line = cursor.line;
        let (key, inherited) = cursor.key()?;
        if key.contains(' ') {
            return Err(cursor.wrong(format!("the key `{}` holds a space: write KEY=value", short(&key))));
        }
        let value = if inherited {
            match outer(&key) {
                Some(value) => value,
                None => continue,
            }
        } else {
            let expand = |value: &str| {
                let lookup = |name: &str| outer(name).or_else(|| variables.get(name).cloned());
                substitute(value, &lookup, &mut Vec::new()).map_err(|wrong: Wrong| Wrongly { line, text: wrong.to_string() })
            };
            cursor.value(&expand)?
        };
        held += value.len();
        if held > BYTES {
            return Err(Wrongly { line, text: format!("the variables hold more than {} MiB together", BYTES >> 20) });
        }
        variables.insert(key, value);
    }
    Ok(())
}

/// Adds the variables of a file whose lines are taken as they are: no quotes, no other variables in values.
pub fn read_raw(text: &str, variables: &mut Variables, outer: Lookup<'_>) -> Result<(), Wrongly> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').map_or((line, None), |(key, value)| (key, Some(value)));
        if key.is_empty() || key.contains(char::is_whitespace) {
            let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
            return Err(Wrongly { line, text: format!("`{}` is no variable's name: write KEY=value", short(key)) });
        }
        if let Some(value) = value.map(str::to_owned).or_else(|| outer(key)) {
            variables.insert(key.to_owned(), value);
        }
    }
    Ok(())
}

struct Cursor<'a> {
    rest: &'a str,
    line: u32,
}

/// A space that does not end the line.
fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

fn short(text: &str) -> String {
    text.chars().take(30).collect()
}

impl Cursor<'_> {
    fn wrong(&self, text: impl Into<String>) -> Wrongly {
        Wrongly { line: self.line, text: text.into() }
    }

    fn skip(&mut self, bytes: usize) {
        self.line += u32::try_from(self.rest[..bytes].matches('\n').count()).unwrap_or(0);
        self.rest = &self.rest[bytes..];
    }

    /// Over spaces, empty lines and comments. False at the end.
    fn at_statement(&mut self) -> bool {
        loop {
            let space = self.rest.len() - self.rest.trim_start().len();
            self.skip(space);
            if !self.rest.starts_with('#') {
                return !self.rest.is_empty();
            }
            let comment = self.rest.find('\n').unwrap_or(self.rest.len());
            self.skip(comment);
        }
    }

    /// The key, and whether it stands alone in its line, to be taken from outside.
    fn key(&mut self) -> Result<(String, bool), Wrongly> {
        if let Some(after) = self.rest.strip_prefix("export")
            && after.starts_with(['\t', '\n', '\u{c}', '\r', ' '])
        {
            self.rest = after.trim_start_matches(is_space);
        }
        let mut end = None;
        for (at, c) in self.rest.char_indices() {
            match c {
                '=' | ':' | '\n' => {
                    end = Some((at, c));
                    break;
                }
                '_' | '.' | '-' | '[' | ']' => {}
                c if is_space(c) || c.is_alphabetic() || c.is_numeric() => {}
                c => {
                    let line = self.rest.split('\n').next().unwrap_or_default();
                    let name = line.split('=').next().unwrap_or_default();
                    return Err(
                        self.wrong(format!("`{c}` cannot stand in a variable's name (`{}`): write KEY=value", short(name)))
                    );
                }
            }
        }
        // Without an end it is the last line and has no line break: it defines nothing, as a key without a name.
        let (at, ended_by) = end.unwrap_or((0, ' '));
        let key = self.rest[..at].trim_end().to_owned();
        let inherited = ended_by == '\n';
        if inherited && !self.rest[..at].contains(' ') {
            self.line += 1;
        }
        self.rest = self.rest[if end.is_some() { at + 1 } else { 0 }..].trim_start_matches(is_space);
        Ok((key, inherited))
    }

    fn value(&mut self, expand: &dyn Fn(&str) -> Result<String, Wrongly>) -> Result<String, Wrongly> {
        let quote = match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => quote,
            _ => {
                let end = self.rest.find('\n');
                let raw = &self.rest[..end.unwrap_or(self.rest.len())];
                let raw = raw.split(" #").next().unwrap_or_default().trim_end();
                let value = expand(raw)?;
                self.rest = end.map_or("", |end| &self.rest[end + 1..]);
                self.line += 1;
                return Ok(value);
            }
        };
        let mut raw = String::new();
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            if c == quote && !escaped {
                let value = if quote == '"' { expand(&unescape(&raw))? } else { raw };
                self.skip(at + 1);
                return Ok(value);
            }
            if c != quote {
                if !escaped && c == '\\' {
                    escaped = true;
                    continue;
                }
                if escaped {
                    raw.push('\\');
                }
            }
            escaped = false;
            raw.push(c);
        }
        Err(self.wrong(format!("the quote {quote} is not closed")))
    }
}

/// The escapes of double quotes. `\$` becomes `$$`, which stands for a plain dollar afterwards.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let single = match after.as_bytes().first() {
            Some(b'$') => Some("$$"),
            Some(b'a') => Some("\u{7}"),
            Some(b'b') => Some("\u{8}"),
            Some(b'f') => Some("\u{c}"),
            Some(b'n') => Some("\n"),
            Some(b'r') => Some("\r"),
            Some(b't') => Some("\t"),
            Some(b'v') => Some("\u{b}"),
            Some(b'"') => Some("\""),
            Some(b'\\') => Some("\\"),
            _ => None,
        };
        if let Some(single) = single {
            out.push_str(single);
            rest = &after[1..];
        } else if after.starts_with('0') {
            let length = 1 + after.bytes().skip(1).take(3).take_while(u8::is_ascii_digit).count();
            match octal(&after[1..length]) {
                Some(c) => out.push(c),
                None => {
                    out.push('\\');
                    out.push_str(&after[1..length]);
                }
            }
            rest = &after[length..];
        } else {
            out.push('\\');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// Exactly three octal digits of a character up to 255.
fn octal(digits: &str) -> Option<char> {
    if digits.len() != 3 {
        return None;
    }
    u8::from_str_radix(digits, 8).ok().map(char::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vars(text: &str) -> Result<Vec<(String, String)>, Wrongly> {
        let mut found = Variables::new();
        read(text, &mut found, &|name| (name == "OUTER").then(|| "outer".to_owned()))?;
        Ok(found.into_iter().collect())
    }

    fn one(text: &str) -> String {
        let found = vars(text).unwrap();
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        found[0].1.clone()
    }

    #[test]
    fn values() {
        assert_eq!(one("A=b # c"), "b");
        assert_eq!(one("A=b#c"), "b#c");
        assert_eq!(one("A = b  "), "b");
        assert_eq!(one("export A=b"), "b");
        assert_eq!(one("A: b"), "b");
        assert_eq!(one("A='$X \\n' # c"), "$X \\n");
        assert_eq!(one("A=\"x\\ny \\$Z\""), "x\ny $Z");
        assert_eq!(one("A=\"two\nlines\"\n"), "two\nlines");
        assert_eq!(one("A=$OUTER-${B:-d}"), "outer-d");
        assert_eq!(one("OUTER\n"), "outer");
        assert_eq!(one("A="), "");
        assert_eq!(one("A=\"it's\""), "it's");
        assert_eq!(one("A=\"\\0101\""), "A");
    }

    #[test]
    fn values_name_those_before() {
        assert_eq!(vars("A=1\nB=$A$A\nC='$A'\n").unwrap()[1].1, "11");
    }

    #[test]
    fn what_is_wrong_has_its_line() {
        assert_eq!(vars("A=1\n\nB!=2").unwrap_err().line, 3);
        assert_eq!(vars("A=1\n# x\nB=\"2").unwrap_err().line, 3);
        assert_eq!(vars("A=1\nB C=2").unwrap_err().line, 2);
        assert_eq!(vars("A=1\nB=${").unwrap_err().line, 2);
    }

    #[test]
    fn doubling_is_bounded() {
        let mut text = String::from("A=xxxxxxxx\n");
        for n in 0..60 {
            text += &format!("A{n}=${{A}}${{A}}\nA=$A{n}\n");
        }
        assert!(vars(&text).unwrap_err().text.contains("MiB"));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[A-C=:'\"\\\\$#{} \n\\PC]{0,80}") {
            let _ = vars(&text);
        }
    }
}
