//! Markdown as Discord shows it: nearly all of it as it stands; tables, which it has not, as aligned code.
//!
//! Absence: mentions are not touched, since no message of ours may mention anybody anyway.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::chat::split::table;

const OPTIONS: Options = Options::ENABLE_TABLES;

/// The same text with its tables as code, and headings of more than three levels as bold lines.
pub fn shown(md: &str) -> String {
    let has_tables = md.contains('|');
    if !has_tables && !md.contains("####") {
        return md.to_owned();
    }
    let mut out = String::with_capacity(md.len() + 64);
    let mut from = 0;
    let mut events = Parser::new_ext(md, OPTIONS).into_offset_iter();
    while let Some((event, range)) = events.next() {
        match event {
            Event::Start(Tag::Table(alignments)) => {
                let mut rows: Vec<Vec<String>> = Vec::new();
                let mut cell = String::new();
                for (event, _) in events.by_ref() {
                    match event {
                        Event::End(TagEnd::Table) => break,
                        Event::Start(Tag::TableHead | Tag::TableRow) => rows.push(Vec::new()),
                        Event::End(TagEnd::TableCell) => {
                            if let Some(row) = rows.last_mut() {
                                row.push(std::mem::take(&mut cell).trim().to_owned());
                            }
                        }
                        Event::Text(text) | Event::Code(text) | Event::InlineHtml(text) => cell.push_str(&text),
                        Event::SoftBreak | Event::HardBreak => cell.push(' '),
                        _ => {}
                    }
                }
                out.push_str(&md[from..range.start]);
                let code = table::aligned(&rows, &alignments).replace("```", "`\u{200b}`\u{200b}`");
                out.push_str(&format!("```\n{}\n```\n", code.trim_end()));
                from = range.end;
            }
            Event::Start(Tag::Heading { level, .. }) if level as usize > 3 && range.start >= from => {
                let line = &md[range.clone()];
                let text = line.trim().trim_matches('#').trim();
                if line.trim_start().starts_with('#') && !text.is_empty() {
                    out.push_str(&md[from..range.start]);
                    out.push_str(&format!("**{text}**\n"));
                    from = range.end;
                }
            }
            _ => {}
        }
    }
    out.push_str(&md[from..]);
    out
}

/// A name that stays a name, whatever signs it has.
pub fn literal(text: &str) -> String {
    const SIGNS: &[char] = &['\\', '*', '_', '~', '`', '[', ']', '<', '>', '|', '#', '@', ':'];
    let mut out = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        if SIGNS.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// People by their names: `discord:123…` as Discord itself shows who that is.
pub fn named(text: &str) -> String {
    const KEY: &str = "discord:";
    if !text.contains(KEY) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(KEY) {
        let after = &rest[at + KEY.len()..];
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let whole = !rest[..at].ends_with(|c: char| c.is_alphanumeric());
        if digits < 15 || !whole {
            out.push_str(&rest[..at + KEY.len()]);
            rest = after;
            continue;
        }
        let (id, after) = after.split_at(digits);
        // In code it would be shown as it stands.
        let quoted = rest[..at].ends_with('`') && after.starts_with('`');
        out.push_str(if quoted { &rest[..at - 1] } else { &rest[..at] });
        out.push_str(&format!("<@{id}>"));
        rest = if quoted { &after[1..] } else { after };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_code() {
        assert_eq!(
            shown("before\n\n| a | bb |\n|---|---:|\n| one | 1 |\n\nafter"),
            "before\n\n```\na    bb\n---  --\none   1\n```\n\nafter"
        );
        assert_eq!(shown("a | b is no table"), "a | b is no table");
        assert_eq!(shown("#### Deep\ntext"), "**Deep**\ntext");
        assert_eq!(shown("```\n#### code | it is\n```"), "```\n#### code | it is\n```");
    }

    #[test]
    fn people_are_named() {
        assert_eq!(named("You are `discord:123456789012345678`."), "You are <@123456789012345678>.");
        assert_eq!(named("by discord:123456789012345678, yes"), "by <@123456789012345678>, yes");
        assert_eq!(
            named("discord:7 stays, and mydiscord:123456789012345678"),
            "discord:7 stays, and mydiscord:123456789012345678"
        );
    }
}
