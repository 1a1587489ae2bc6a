//! The body of a request: JSON, or a form of parts with files.
//!
//! Absence: nothing here knows what a body means.

use serde_json::{Map, Value};

/// A file of a request.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The number in `files[n]`.
    pub number: u64,
    pub name: String,
    pub content: Vec<u8>,
}

#[derive(Debug, Clone, Default)]
pub struct Body {
    /// Null if there was none.
    pub json: Value,
    pub files: Vec<Upload>,
}

/// `Err`: what is wrong with its form.
pub fn read(kind: &str, bytes: &[u8]) -> Result<Body, String> {
    if bytes.is_empty() {
        return Ok(Body::default());
    }
    if kind.starts_with("application/json") {
        let json = serde_json::from_slice(bytes).map_err(|error| format!("no JSON: {error}"))?;
        return Ok(Body { json, files: Vec::new() });
    }
    let Some((_, boundary)) = kind.split_once("boundary=").filter(|_| kind.starts_with("multipart/form-data")) else {
        return Err(format!("the content type {kind:?} is not taken"));
    };
    let mut body = Body::default();
    let mut fields = Map::new();
    let boundary = boundary.split(';').next().unwrap_or_default().trim_matches('"');
    for (headers, content) in parts(bytes, boundary) {
        let named = |what: &str| {
            let start = headers.find(&format!("{what}=\""))? + what.len() + 2;
            Some(headers[start..].split('"').next().unwrap_or_default().to_owned())
        };
        let name = named("; name").ok_or("a part without a name")?;
        let text = || String::from_utf8_lossy(content).into_owned();
        if name == "payload_json" {
            body.json = serde_json::from_slice(content).map_err(|error| format!("payload_json is no JSON: {error}"))?;
        } else if let Some(file) = named("filename") {
            let number = name.strip_prefix("files[").and_then(|n| n.strip_suffix(']')).unwrap_or(&name).parse();
            let number = number.map_err(|_| format!("a file in the field {name:?}, not files[n]"))?;
            body.files.push(Upload { number, name: file, content: content.to_vec() });
        } else {
            fields.insert(name, Value::String(text()));
        }
    }
    if body.json.is_null() {
        body.json = Value::Object(fields);
    } else if !fields.is_empty() {
        return Err(format!("parts beside payload_json: {:?}", fields.keys()));
    }
    Ok(body)
}

/// Headers and content of each part.
fn parts<'a>(bytes: &'a [u8], boundary: &str) -> Vec<(String, &'a [u8])> {
    let mark = format!("--{boundary}");
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some(at) = find(rest, mark.as_bytes()) {
        rest = &rest[at + mark.len()..];
        if rest.starts_with(b"--") {
            break;
        }
        let Some(head) = find(rest, b"\r\n\r\n") else { break };
        let headers = String::from_utf8_lossy(&rest[..head]).into_owned();
        let content = &rest[head + 4..];
        let Some(end) = find(content, format!("\r\n{mark}").as_bytes()) else { break };
        found.push((headers, &content[..end]));
        rest = &content[end..];
    }
    found
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    let first = *what.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|b| *b == first) {
        let at = from + at;
        if bytes[at..].starts_with(what) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}
