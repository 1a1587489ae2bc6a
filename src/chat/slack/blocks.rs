//! Replies and turns as Slack's messages.
//!
//! Invariant: nothing that people asked to see is cut. What does not fit into a message goes on in the next; what would take too many
//! is given as a file. Only labels are shortened. Every message's `text` says all that its blocks say.

mod approval;
#[cfg(test)]
pub mod limits;
mod names;
pub mod parts;
mod turn;

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

pub use approval::approval;
pub use names::{ids, named};
pub use turn::{progress, silence, stop_button, tool_line, turn_footer, working};

use super::markdown::{mrkdwn, plain};
use super::text::escape;
use crate::chat::split::pieces;
use crate::model::{Action, Card, File, Notice, Reply};
pub use parts::section;
use parts::{Row, label};

/// Slack changes no message whose text is longer.
pub const MESSAGE: usize = 3_900;
/// A section holds 3 000 characters.
pub const SECTION: usize = 2_900;
const BLOCKS: usize = 50;
const BLOCK_BYTES: usize = 12_000;
const MESSAGES: usize = 4;

/// A name for an id such as `U123ABC`.
pub type Names<'a> = &'a dyn Fn(&str) -> Option<String>;

#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// `mrkdwn`.
    pub text: String,
    /// None: the text alone shows it.
    pub blocks: Option<Value>,
}

/// What is posted, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shown {
    pub messages: Vec<Message>,
    /// What was too long for messages; besides the files that a reply has itself.
    pub files: Vec<File>,
}

/// The answer to a command.
pub fn reply(reply: &Reply, names: Names<'_>) -> Shown {
    let mark = match reply.notice {
        Notice::Ok => "",
        Notice::Refused => ":warning: ",
        Notice::Failed => ":x: ",
    };
    let mut shown = Shown::default();
    let mut drafts = Drafts::default();
    if reply.cards.is_empty() {
        let text = named(&reply.text, names);
        let parts = pieces(&text, MESSAGE - 16);
        if parts.len() > MESSAGES {
            let size = text.chars().count();
            drafts.text(
                mark,
                &format!("The answer has {size} characters, too many for messages, so it is the attached file `answer.md`."),
            );
            shown.files.push(File { name: "answer.md".into(), bytes: text.as_bytes().to_vec() });
        }
        for (at, part) in parts.iter().take(if shown.files.is_empty() { MESSAGES } else { 0 }).enumerate() {
            drafts.text(if at == 0 { mark } else { "" }, part);
        }
    }
    for card in &reply.cards {
        drafts.card(card, names);
    }
    drafts.actions(&reply.actions);
    shown.messages = drafts.finish();
    if reply.notice == Notice::Refused {
        shown.messages.iter_mut().for_each(link_channels);
    }
    shown
}

/// What we refuse because of a channel links to it: the reference that was made harmless with the rest is one again.
fn link_channels(message: &mut Message) {
    let Some(harmless) = CHANNEL.as_ref() else { return };
    message.text = harmless.replace_all(&message.text, "<#$1>").into_owned();
    for block in message.blocks.iter_mut().filter_map(Value::as_array_mut).flatten() {
        if let Some(text) = block["text"]["text"].as_str() {
            block["text"]["text"] = harmless.replace_all(text, "<#$1>").into();
        }
    }
}

static CHANNEL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("&lt;#\u{200b}?([CG][A-Z0-9]{6,})&gt;").ok());

/// Messages as they fill up.
#[derive(Default)]
struct Drafts {
    done: Vec<Message>,
    text: String,
    blocks: Vec<Value>,
    bytes: usize,
    /// Whether blocks show more than the text does.
    rich: bool,
    row: Row,
}

impl Drafts {
    /// A message of its own.
    fn text(&mut self, mark: &str, md: &str) {
        self.end();
        let text = mrkdwn(md);
        let whole = text.len() + mark.len() < MESSAGE;
        // Most texts are short, and rendered once.
        let parts = if text.len().max(md.len()) <= SECTION - 16 { vec![text.clone()] } else { fitting(md, SECTION - 16) };
        for (at, part) in parts.into_iter().filter(|part| !part.is_empty()).enumerate() {
            let shown = marked(if at == 0 { mark } else { "" }, &part);
            if !whole {
                self.end();
                self.text.clone_from(&shown);
            }
            self.push(section(&shown));
        }
        if whole {
            self.text = marked(mark, &text);
        }
    }

    fn card(&mut self, card: &Card, names: Names<'_>) {
        let (blocks, text) = card_parts(card, names);
        let last = blocks.len().saturating_sub(1);
        for (at, (block, text)) in blocks.into_iter().zip(text).enumerate() {
            let actions: &[Action] = if at == last { &card.actions } else { &[] };
            self.rich = true;
            // The buttons stay with what they are about.
            let size = block.to_string().len() + actions.iter().map(|a| a.command.len() + 250).sum::<usize>();
            if self.text.len() + text.len() + 2 > MESSAGE
                || self.blocks.len() + 2 + actions.len() / 25 > BLOCKS
                || self.bytes + size > BLOCK_BYTES
            {
                self.end();
            }
            self.rich = true;
            if !self.text.is_empty() {
                self.text.push_str("\n\n");
            }
            self.text.push_str(&text);
            self.push(block);
            self.actions(actions);
        }
    }

    fn actions(&mut self, actions: &[Action]) {
        for block in self.row.of(actions) {
            let full = self.blocks.len() + 1 > BLOCKS || self.bytes + block.to_string().len() > BLOCK_BYTES;
            if full {
                self.end();
            }
            if self.text.is_empty() {
                self.text = actions.iter().map(|a| escape(&a.label)).collect::<Vec<_>>().join(" · ");
            }
            self.rich = true;
            self.push(block);
        }
    }

    fn push(&mut self, block: Value) {
        self.bytes += block.to_string().len();
        self.blocks.push(block);
    }

    fn end(&mut self) {
        let (text, blocks) = (std::mem::take(&mut self.text), std::mem::take(&mut self.blocks));
        if !text.is_empty() {
            self.done.push(Message { text, blocks: self.rich.then_some(Value::Array(blocks)) });
        }
        (self.bytes, self.rich, self.row) = (0, false, Row::default());
    }

    fn finish(mut self) -> Vec<Message> {
        self.end();
        self.done
    }
}

/// Markdown in parts of at most so many bytes of `mrkdwn`.
fn fitting(md: &str, most: usize) -> Vec<String> {
    let mut parts = Vec::new();
    for piece in pieces(md, most) {
        let shown = mrkdwn(&piece);
        match shown.len() <= most {
            true => parts.push(shown),
            // Addresses that are told once and used often, say, grow as nobody can foresee.
            false if most > 500 => parts.extend(fitting(&piece, most / 2)),
            false => parts.extend(pieces(&plain(&piece), most / 8).iter().map(|part| escape(part))),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// A sign in front, which must not take a code's or a list's place at the beginning of the line.
fn marked(mark: &str, text: &str) -> String {
    let apart = !mark.is_empty() && ["```", "•", "&gt;", "> "].iter().any(|start| text.starts_with(start));
    format!("{mark}{}{text}", if apart { "\n" } else { "" })
}

/// A card's sections, and the same as text.
pub fn card_parts(card: &Card, names: Names<'_>) -> (Vec<Value>, Vec<String>) {
    let title = format!("*{}*", escape(&label(&card.title, 300)));
    let text = named(&card.text, names);
    let mut texts: Vec<String> = Vec::new();
    // The title is at most as long as the room that is left for it.
    let room = (SECTION - 16).saturating_sub(title.len()).max(SECTION / 2);
    for (at, shown) in fitting(&text, room).into_iter().enumerate() {
        texts.push(if at == 0 { format!("{title}\n{shown}") } else { shown });
    }
    if texts.is_empty() {
        texts.push(title);
    }
    (texts.iter().map(|text| section(text)).collect(), texts)
}

#[cfg(test)]
mod tests;
