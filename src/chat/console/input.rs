//! Lines of standard input, and what they mean. Reads on a thread of its own; nothing longer than the limit is ever held.

use std::collections::BTreeMap;
use std::io::BufRead;

use secrecy::SecretString;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::{GENERAL, Mode};
use crate::model::{FormId, Values};

/// 1 MiB: a longer line is read to its end and refused.
pub const MAX_LINE: usize = 1024 * 1024;
/// Lines that may wait for the door.
const WAITING: usize = 64;
const MAX_NAME: usize = 200;

#[derive(Debug)]
pub enum Line {
    Text(String),
    TooLong,
    NotText,
    /// From a surface that needs no text for it.
    Request(Request),
}

/// What one line asks for.
#[derive(Debug)]
pub struct Request {
    pub id: Option<String>,
    pub conversation: String,
    pub user: Option<String>,
    pub what: What,
    /// A plain line: it starts when the one before it has ended.
    pub sequential: bool,
}

#[derive(Debug)]
pub enum What {
    Say(String),
    Fill(FormId, Values),
    Cancel(FormId),
}

/// A line that is no valid request.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid {
    pub id: Option<String>,
    pub error: String,
}

/// Reads standard input until its end.
pub fn read() -> mpsc::Receiver<Line> {
    let (sender, lines) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        while let Ok(Some(line)) = next_line(&mut input) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn next_line(input: &mut impl BufRead) -> std::io::Result<Option<Line>> {
    let mut bytes = Vec::new();
    let mut long = false;
    let mut any = false;
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if chunk.is_empty() {
            break;
        }
        any = true;
        let end = chunk.iter().position(|b| *b == b'\n');
        let part = &chunk[..end.unwrap_or(chunk.len())];
        if long || bytes.len() + part.len() > MAX_LINE {
            long = true;
            bytes = Vec::new();
        } else {
            bytes.extend_from_slice(part);
        }
        let used = end.map_or(chunk.len(), |e| e + 1);
        input.consume(used);
        if end.is_some() {
            break;
        }
    }
    if !any {
        return Ok(None);
    }
    if long {
        return Ok(Some(Line::TooLong));
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(Some(String::from_utf8(bytes).map_or(Line::NotText, Line::Text)))
}

/// `None`: an empty line.
pub fn request(line: Line, mode: Mode, users: bool) -> Option<Result<Request, Invalid>> {
    let invalid = |error: &str| Some(Err(Invalid { id: None, error: error.to_owned() }));
    match line {
        Line::Request(request) => Some(Ok(request)),
        Line::TooLong => invalid("The line is longer than 1 MiB. Send less at once."),
        Line::NotText => invalid("The line is no UTF-8 text."),
        Line::Text(text) if text.trim().is_empty() => None,
        Line::Text(text) if mode == Mode::Json && text.trim_start().starts_with('{') => Some(object(&text, users)),
        Line::Text(text) => {
            Some(Ok(Request { id: None, conversation: GENERAL.to_owned(), user: None, what: What::Say(text), sequential: true }))
        }
    }
}

fn object(text: &str, users: bool) -> Result<Request, Invalid> {
    // The text of an error names places, never content: a value may be a secret.
    let value: Value = serde_json::from_str(text).map_err(|e| Invalid {
        id: None,
        error: match e.is_eof() {
            true => "The line is no valid JSON: it ends too early.".into(),
            false => format!("The line is no valid JSON: there is a mistake at column {}.", e.column()),
        },
    })?;
    let Value::Object(mut object) = value else { return Err(Invalid { id: None, error: "The line is no JSON object.".into() }) };
    let id = match object.remove("id") {
        None => None,
        Some(Value::String(id)) if id.len() <= MAX_NAME => Some(id),
        Some(Value::String(_)) => return Err(Invalid { id: None, error: format!("`id` has more than {MAX_NAME} bytes.") }),
        Some(_) => return Err(Invalid { id: None, error: "`id` must be a string.".into() }),
    };
    parts(object, users, id.clone()).map_err(|error| Invalid { id, error })
}

fn parts(mut object: Map<String, Value>, users: bool, id: Option<String>) -> Result<Request, String> {
    let mut text_of = |key: &str| match object.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{key}` must be a string.")),
    };
    let conversation = text_of("conversation")?.unwrap_or_else(|| GENERAL.to_owned());
    let (user, text, form) = (text_of("user")?, text_of("text")?, text_of("form")?);
    let values = object.remove("values");
    let cancel = object.remove("cancel");
    if let Some(key) = object.keys().next() {
        let key: String = key.chars().take(40).collect();
        return Err(format!("`{key}` is no known key; there are id, conversation, user, text, form, values and cancel."));
    }
    if conversation.is_empty() || conversation.len() > MAX_NAME || conversation.contains(|c: char| c.is_control() || c == '#') {
        return Err(format!("`conversation` takes 1 to {MAX_NAME} bytes without `#` or control characters."));
    }
    if let Some(user) = &user {
        if !users {
            return Err("`user` can be given under `gaggle dev` only.".into());
        }
        if user.is_empty()
            || user.len() > 64
            || user.contains(|c: char| c.is_control() || c.is_whitespace() || c == ':' || c == '/')
        {
            return Err("`user` takes 1 to 64 bytes without spaces, `:` or `/`.".into());
        }
    }
    let what = match (text, form, values, cancel) {
        (Some(text), None, None, None) => {
            if text.contains('\0') {
                return Err("`text` holds a NUL character.".into());
            }
            What::Say(text)
        }
        (None, Some(form), Some(Value::Object(values)), None | Some(Value::Bool(false))) => {
            What::Fill(FormId(form), filled(values)?)
        }
        (None, Some(_), Some(_), None | Some(Value::Bool(false))) => return Err("`values` must be an object of strings.".into()),
        (None, Some(form), None, Some(Value::Bool(true))) => What::Cancel(FormId(form)),
        (None, Some(_), _, Some(v)) if !v.is_boolean() => return Err("`cancel` must be true or false.".into()),
        (None, Some(form), None, None) => What::Fill(FormId(form), Values::default()),
        (Some(_), ..) => return Err("`text` goes without `form`, `values` and `cancel`.".into()),
        (None, Some(_), ..) => return Err("A form takes either `values` or `cancel`.".into()),
        (None, None, ..) => return Err("`text` or `form` is missing.".into()),
    };
    Ok(Request { id, conversation, user, what, sequential: false })
}

fn filled(values: Map<String, Value>) -> Result<Values, String> {
    let mut filled = BTreeMap::new();
    for (key, value) in values {
        match value {
            Value::String(text) => filled.insert(key, SecretString::from(text)),
            _ => return Err("`values` must be an object of strings.".into()),
        };
    }
    Ok(Values(filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_read_to_their_end() {
        let mut text = vec![b'x'; MAX_LINE + 10];
        text.extend_from_slice(b"\nnext\r\nlast");
        let mut input = std::io::Cursor::new(text);
        assert!(matches!(next_line(&mut input).unwrap(), Some(Line::TooLong)));
        assert!(matches!(next_line(&mut input).unwrap(), Some(Line::Text(t)) if t == "next"));
        assert!(matches!(next_line(&mut input).unwrap(), Some(Line::Text(t)) if t == "last"));
        assert!(next_line(&mut input).unwrap().is_none());
    }

    #[test]
    fn a_wrong_object_is_named_without_its_content() {
        let wrong = |text: &str| match request(Line::Text(text.into()), Mode::Json, true) {
            Some(Err(invalid)) => invalid,
            other => panic!("{other:?}"),
        };
        for (text, id) in [
            (r#"{"id":"1","text":5}"#, Some("1")),
            (r#"{"id":"1","hunter2":"x"}"#, Some("1")),
            (r#"{"id":7,"text":"x"}"#, None),
            (r#"{"id":"1","form":"f1","values":{"value":["hunter3"]}}"#, Some("1")),
            (r#"{"id":"1","text":"hunter3""#, None),
            (r#"{"id":"1"}"#, Some("1")),
        ] {
            let invalid = wrong(text);
            assert_eq!(invalid.id.as_deref(), id, "{text}");
            assert!(!invalid.error.contains("hunter3"), "{invalid:?}");
        }
    }
}
