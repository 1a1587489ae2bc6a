//! Replies as Discord's messages.
//!
//! Invariant: nothing that people asked to see is cut. What does not fit into a message goes on in the next; what would take too many
//! is given as a file. Only labels are shortened. No message mentions anybody.

mod approval;
pub mod code;
pub mod parts;
mod turn;

use serde_json::{Value, json};

pub use approval::approval;
pub use turn::{footer, has_button, progress, stop, stop_command};

use super::markdown::{named, shown};
use crate::chat::split::{Unit, pieces_in};
use crate::model::{Card, File, Notice, Reply};

/// Characters of a message.
pub const MESSAGE: usize = 2_000;
/// Characters of an embed's description, and of all embeds of a message.
const EMBED: usize = 4_096;
const EMBEDS: usize = 6_000;
/// Rows of buttons under a message, and so cards in it.
const ROWS: usize = 5;
const MESSAGES: usize = 4;

const GREEN: u32 = 0x2e_a0_43;
const AMBER: u32 = 0xd2_99_22;
const RED: u32 = 0xda_36_33;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message {
    pub content: String,
    pub embeds: Vec<Value>,
    pub components: Vec<Value>,
    pub files: Vec<File>,
}

impl Message {
    pub fn text(content: impl Into<String>) -> Self {
        Self { content: content.into(), ..Self::default() }
    }

    /// As a body. An edit with it leaves nothing of what stood there before.
    pub fn body(&self) -> Value {
        json!({
            "content": self.content,
            "embeds": self.embeds,
            "components": self.components,
            "allowed_mentions": { "parse": [] },
        })
    }
}

pub fn pieces(md: &str) -> Vec<String> {
    pieces_in(&shown(md), MESSAGE - 20, Unit::Letters)
}

/// The answer to a command.
pub fn reply(reply: &Reply) -> Vec<Message> {
    let mark = match reply.notice {
        Notice::Ok => "",
        Notice::Refused => "⚠️ ",
        Notice::Failed => "❌ ",
    };
    let mut messages = Vec::new();
    if reply.cards.is_empty() {
        let text = named(&reply.text);
        let parts = pieces(&text);
        if parts.len() > MESSAGES {
            let size = text.chars().count();
            messages.push(Message {
                content: format!("{mark}The answer has {size} characters, too many for messages, so it is the attached file."),
                files: vec![File { name: "answer.md".into(), bytes: text.into_bytes() }],
                ..Message::default()
            });
        } else {
            messages.extend(parts.into_iter().map(Message::text));
            if let Some(first) = messages.first_mut() {
                first.content.insert_str(0, mark);
            }
        }
    }
    for card in &reply.cards {
        put_card(&mut messages, card);
    }
    let rows = parts::rows(&reply.actions);
    if !rows.is_empty() {
        match messages.last_mut().filter(|last| last.components.len() + rows.len() <= ROWS) {
            Some(last) => last.components.extend(rows),
            None => messages.push(Message { content: "What next?".into(), components: rows, ..Message::default() }),
        }
    }
    for file in &reply.files {
        let file = file.clone();
        match messages.last_mut() {
            Some(last) if last.files.len() < 10 => last.files.push(file),
            _ => messages.push(Message { files: vec![file], ..Message::default() }),
        }
    }
    if messages.is_empty() {
        messages.push(Message::text(format!("{mark}Done.")));
    }
    messages
}

fn put_card(messages: &mut Vec<Message>, card: &Card) {
    let rows = parts::rows(&card.actions);
    let text = named(&card.text);
    let mut parts = pieces_in(&shown(&text), EMBED - 100, Unit::Letters);
    if parts.is_empty() {
        parts.push(String::new());
    }
    let last = parts.len() - 1;
    for (at, part) in parts.into_iter().enumerate() {
        let mut embed = json!({ "description": part, "color": colour(&card.text) });
        if at == 0 {
            embed["title"] = json!(parts::label(&card.title, 256));
        }
        let rows = if at == last { rows.clone() } else { Vec::new() };
        let size = |embed: &Value| {
            let length = |key: &str| embed[key].as_str().map_or(0, |text| text.encode_utf16().count());
            length("title") + length("description")
        };
        let fits = messages.last().is_some_and(|message| {
            let used: usize = message.embeds.iter().map(size).sum();
            message.embeds.len() < 10
                && message.components.len() + rows.len() <= ROWS
                && used + size(&embed) <= EMBEDS
                // The buttons stand under all of the embeds, so those of one card only.
                && (message.components.is_empty() || rows.is_empty() || message.embeds.len() == message.components.len())
        });
        if !fits {
            messages.push(Message::default());
        }
        if let Some(message) = messages.last_mut() {
            message.embeds.push(embed);
            message.components.extend(rows);
        }
    }
}

fn colour(text: &str) -> u32 {
    match text.split_whitespace().next() {
        Some("active") => GREEN,
        Some("failed") => RED,
        _ => AMBER,
    }
}

#[cfg(test)]
mod tests;
