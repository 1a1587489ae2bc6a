//! Variables in texts: `$V`, `${V}`, `${V:-default}`, `${V-default}`, `${V:?message}`, `${V?message}`, `${V:+other}`, `${V+other}`, each of
//! them nested in another's default, and `$$` for a dollar. What a variable holds is never looked at for further variables.

pub mod tree;

/// Where variables are looked up.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Defaults in defaults.
const DEPTH: usize = 40;
/// As many variables as anybody would fill in.
const MENTIONS: usize = 1_000;
/// The longest text that variables may make of one.
const LONGEST: usize = 4 << 20;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("not a variable: write ${{NAME}}, ${{NAME:-default}}, ${{NAME:?message}} or ${{NAME:+other}}, and $$ for a plain $")]
    Form,
    #[error("the variable {name} must be set{}", if reason.is_empty() { String::new() } else { format!(": {reason}") })]
    Missing { name: String, reason: String },
    #[error("variables are nested more than {DEPTH} deep")]
    Deep,
    #[error("variables make this longer than {} MiB", LONGEST >> 20)]
    Long,
}

/// The text with its variables replaced; those without a value and a default are added to `unset`.
pub fn substitute(text: &str, lookup: Lookup<'_>, unset: &mut Vec<String>) -> Result<String, Wrong> {
    let mut out = String::with_capacity(text.len());
    expand(text, lookup, unset, &mut out, 0)?;
    Ok(out)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Default,
    Required,
    Instead,
}

fn expand(text: &str, lookup: Lookup<'_>, unset: &mut Vec<String>, out: &mut String, depth: usize) -> Result<(), Wrong> {
    if depth > DEPTH {
        return Err(Wrong::Deep);
    }
    let bytes = text.as_bytes();
    let mut line = Line::default();
    let mut at = 0;
    while let Some(found) = text[at..].find('$') {
        let dollar = at + found;
        out.push_str(&text[at..dollar]);
        let after = dollar + 1;
        match bytes.get(after) {
            Some(b'$') => {
                out.push('$');
                at = after + 1;
            }
            Some(b'{') => {
                let start = after + 1;
                let end = start + name_length(&bytes[start..]);
                if end == start {
                    return Err(Wrong::Form);
                }
                let name = &text[start..end];
                if bytes.get(end) == Some(&b'}') {
                    plain(name, lookup, unset, out);
                    at = end + 1;
                } else {
                    let (operator, empty_too, argument) = operator(bytes, end).ok_or(Wrong::Form)?;
                    let last = line.last_brace(bytes, argument).ok_or(Wrong::Form)?;
                    let close = closing_brace(&bytes[dollar..=last]).map_or(last, |close| dollar + close);
                    let argument = text.get(argument..close).ok_or(Wrong::Form)?;
                    let held = lookup(name);
                    let absent = match &held {
                        None => true,
                        Some(value) => empty_too && value.is_empty(),
                    };
                    match operator {
                        Operator::Default | Operator::Instead if absent == (operator == Operator::Default) => {
                            expand(argument, lookup, unset, out, depth + 1)?;
                        }
                        Operator::Required if absent => {
                            let mut reason = String::new();
                            expand(argument, lookup, unset, &mut reason, depth + 1)?;
                            return Err(Wrong::Missing { name: name.to_owned(), reason });
                        }
                        _ => out.push_str(&held.unwrap_or_default()),
                    }
                    at = close + 1;
                }
            }
            Some(_) => {
                let end = after + name_length(&bytes[after..]);
                if end == after {
                    out.push('$');
                } else {
                    plain(&text[after..end], lookup, unset, out);
                }
                at = end;
            }
            None => {
                out.push('$');
                at = after;
            }
        }
        if out.len() > LONGEST {
            return Err(Wrong::Long);
        }
    }
    out.push_str(&text[at..]);
    if out.len() > LONGEST {
        return Err(Wrong::Long);
    }
    Ok(())
}

/// A variable that a text mentions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    pub name: String,
    /// What stands for it if it has no value, as it is written.
    pub default: Option<String>,
    /// It has to have one, and why, if that is said.
    pub required: Option<String>,
    /// Nothing else is in the text.
    pub alone: bool,
}

/// The variables of a text, those in defaults too. A text that is no good has those before its fault.
pub fn mentions(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    mentioned(text, &mut found, 0);
    found
}

fn mentioned(text: &str, found: &mut Vec<Mention>, depth: usize) {
    if depth > DEPTH || found.len() > MENTIONS {
        return;
    }
    let bytes = text.as_bytes();
    let mut line = Line::default();
    let mut at = 0;
    while let Some(dollar) = text[at..].find('$').map(|dollar| at + dollar) {
        let braced = bytes.get(dollar + 1) == Some(&b'{');
        let start = dollar + 1 + usize::from(braced);
        let end = start + name_length(bytes.get(start..).unwrap_or_default());
        if end == start {
            // A plain dollar, or two that stand for one.
            at = (dollar + 1 + usize::from(bytes.get(dollar + 1) == Some(&b'$'))).min(text.len());
            continue;
        }
        let mut mention = Mention { name: text[start..end].to_owned(), default: None, required: None, alone: false };
        let mut close = end;
        if braced && bytes.get(end) == Some(&b'}') {
            close = end + 1;
        } else if braced {
            let Some((operator, _, argument)) = operator(bytes, end) else { return };
            let Some(last) = line.last_brace(bytes, argument) else { return };
            let brace = closing_brace(&bytes[dollar..=last]).map_or(last, |close| dollar + close);
            let Some(argument) = text.get(argument..brace) else { return };
            match operator {
                Operator::Default => mention.default = Some(argument.to_owned()),
                Operator::Required => mention.required = Some(argument.to_owned()),
                Operator::Instead => mention.default = Some(String::new()),
            }
            mentioned(argument, found, depth + 1);
            close = brace + 1;
        }
        mention.alone = depth == 0 && dollar == 0 && close == text.len();
        found.push(mention);
        at = close;
    }
}

fn plain(name: &str, lookup: Lookup<'_>, unset: &mut Vec<String>, out: &mut String) {
    match lookup(name) {
        Some(value) => out.push_str(&value),
        None => unset.push(name.to_owned()),
    }
}

fn name_length(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(b) if b.is_ascii_alphabetic() || *b == b'_' => {
            bytes.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count()
        }
        _ => 0,
    }
}

/// The operator, whether an empty value is as good as none to it, and where its argument begins.
fn operator(bytes: &[u8], at: usize) -> Option<(Operator, bool, usize)> {
    let colon = bytes.get(at) == Some(&b':');
    let at = at + usize::from(colon);
    let operator = match bytes.get(at)? {
        b'-' => Operator::Default,
        b'?' => Operator::Required,
        b'+' => Operator::Instead,
        _ => return None,
    };
    Some((operator, colon, at + 1))
}

/// Where the brace closes that the text begins with. The character after an opening brace is never one that counts, so that `${}`
/// and JSON's `{}` in a default are read as they always were.
fn closing_brace(bytes: &[u8]) -> Option<usize> {
    let mut open = 0i32;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'}' => {
                open -= 1;
                if open == 0 {
                    return Some(at);
                }
            }
            b'{' => {
                open += 1;
                at += 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The last closing brace of the line that is being read: found once for each line, since a line may hold many variables.
#[derive(Default)]
struct Line {
    end: usize,
    brace: Option<usize>,
}

impl Line {
    fn last_brace(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        if from >= self.end {
            let length = bytes[from..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - from);
            self.end = from + length;
            self.brace = bytes[from..self.end].iter().rposition(|b| *b == b'}').map(|brace| from + brace);
        }
        self.brace.filter(|brace| *brace >= from)
    }
}

#[cfg(test)]
mod tests;
