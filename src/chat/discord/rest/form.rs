//! Files beside a body, as Discord takes them: `payload_json` and `files[n]` in one form.
//!
//! Invariant: no file's name can end its header or the form.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::model::File;

/// The form and its content type.
pub fn form(body: Option<&Value>, files: &[File]) -> (Bytes, String) {
    let boundary = boundary();
    let size: usize = files.iter().map(|file| file.bytes.len() + file.name.len() + 200).sum();
    let mut form = Vec::with_capacity(size + 1024);
    let mut part = |head: &str, bytes: &[u8]| {
        form.extend_from_slice(format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes());
        form.extend_from_slice(bytes);
        form.extend_from_slice(b"\r\n");
    };
    let body = with_attachments(body, files).to_string();
    part("name=\"payload_json\"\r\nContent-Type: application/json", body.as_bytes());
    for (n, file) in files.iter().enumerate() {
        let name = plain(&file.name).replace('"', "%22");
        let head = format!("name=\"files[{n}]\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream");
        part(&head, &file.bytes);
    }
    form.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (form.into(), format!("multipart/form-data; boundary={boundary}"))
}

/// Files that are there already stay listed, so that an edit keeps them. A post in a forum has its message inside.
fn with_attachments(body: Option<&Value>, files: &[File]) -> Value {
    let mut body = body.filter(|body| body.is_object()).cloned().unwrap_or_else(|| json!({}));
    let place = if body["message"].is_object() { &mut body["message"] } else { &mut body };
    let mut all = place["attachments"].as_array().cloned().unwrap_or_default();
    all.extend(files.iter().enumerate().map(|(n, file)| json!({ "id": n.to_string(), "filename": plain(&file.name) })));
    place["attachments"] = all.into();
    body
}

fn plain(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(255).collect();
    if name.trim().is_empty() { "file".to_owned() } else { name }
}

fn boundary() -> String {
    let mut random = [0; 16];
    // A boundary need not be secret, only not stand in a file.
    if getrandom::fill(&mut random).is_err() {
        random = *b"0123456789abcdef";
    }
    random.iter().fold("gaggle-".to_owned(), |all, byte| all + &format!("{byte:02x}"))
}
