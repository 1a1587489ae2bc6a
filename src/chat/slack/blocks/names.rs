//! People's names in place of their ids, in replies.
//!
//! Commands are left as they are: what stands in code is changed only if it is nothing but an id. Whoever has no name keeps the id.

use std::borrow::Cow;
use std::sync::LazyLock;

use pulldown_cmark::{Event, Parser, Tag};
use regex::Regex;

use super::Names;
use crate::chat::slack::text::literal;

static ID: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?:slack:|@)?[UW][A-Z0-9]{6,}").ok());

/// The ids that a text speaks of. One without a digit is rather a word.
pub fn ids(md: &str) -> impl Iterator<Item = String> {
    let found = ID.as_ref().into_iter().flat_map(move |id| id.find_iter(md)).filter(|found| stands_apart(md, found));
    let bare = found.map(|id| id.as_str().trim_start_matches("slack:").trim_start_matches('@').to_owned());
    bare.filter(|id| id.contains(|c: char| c.is_ascii_digit()))
}

/// It is no part of a longer word.
fn stands_apart(md: &str, found: &regex::Match<'_>) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/');
    !md[..found.start()].ends_with(|c: char| part(c) || c == ':' || c == '@') && !md[found.end()..].starts_with(part)
}

/// Markdown with names.
pub fn named<'a>(md: &'a str, names: Names<'_>) -> Cow<'a, str> {
    let Some(id) = ID.as_ref().filter(|id| id.is_match(md)) else { return Cow::Borrowed(md) };
    let mut code = Vec::new();
    for (event, range) in Parser::new(md).into_offset_iter() {
        match event {
            Event::Code(text) if id.find(&text).is_some_and(|m| m.len() == text.len()) => {}
            Event::Code(_) | Event::Start(Tag::CodeBlock(_)) => code.push(range),
            // An address may hold anything.
            Event::Start(Tag::Link { dest_url, .. }) if id.is_match(&dest_url) => code.push(range),
            _ => {}
        }
    }
    let mut out = String::with_capacity(md.len());
    let mut from = 0;
    for found in id.find_iter(md) {
        let apart = stands_apart(md, &found);
        let in_code = code.iter().any(|range| range.contains(&found.start()));
        let bare = found.as_str().trim_start_matches("slack:").trim_start_matches('@');
        let Some(name) = Some(bare).filter(|_| apart && !in_code).and_then(names) else { continue };
        let within = md[..found.start()].ends_with('`') && md[found.end()..].starts_with('`');
        out.push_str(&md[from..found.start()]);
        out.push('@');
        out.push_str(&if within { Cow::Owned(name.replace('`', "")) } else { literal(&name) });
        from = found.end();
    }
    out.push_str(&md[from..]);
    Cow::Owned(out)
}
