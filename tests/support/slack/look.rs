//! What people see: text as it is shown, buttons, files; and transcripts with stable names.
//!
//! Invariant: a transcript holds no stamp, no id and no port.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::Slack;
use super::state::{BOT_USER, Kind, Message, State};
use super::user::User;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    pub action_id: String,
    pub block_id: String,
    pub text: String,
    pub value: String,
    pub style: Option<String>,
    pub confirm: bool,
}

/// A message as somebody sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub ts: String,
    pub thread_ts: Option<String>,
    /// A user's id.
    pub author: String,
    pub text: String,
    pub buttons: Vec<Button>,
    /// Name and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// It is still being streamed.
    pub streaming: bool,
    pub streamed: bool,
    pub edits: usize,
    pub blocks: Value,
    pub metadata: Value,
}

impl Seen {
    pub fn by_bot(&self) -> bool {
        self.author == BOT_USER
    }

    pub fn button(&self, name: &str) -> Option<&Button> {
        self.buttons.iter().find(|b| b.text == name || b.action_id == name || (!name.is_empty() && b.value == name))
    }
}

fn add(lines: &mut Vec<String>, text: &Value) {
    lines.extend(text["text"].as_str().or(text.as_str()).map(str::to_owned));
}

/// The inline elements of rich text in a row.
fn rich(value: &Value) -> String {
    let text = match value["type"].as_str() {
        Some("text" | "link") => value["text"].as_str().or(value["url"].as_str()).unwrap_or_default().to_owned(),
        Some("user") => format!("<@{}>", value["user_id"].as_str().unwrap_or_default()),
        Some("channel") => format!("<#{}>", value["channel_id"].as_str().unwrap_or_default()),
        Some("emoji") => format!(":{}:", value["name"].as_str().unwrap_or_default()),
        _ => String::new(),
    };
    let within: Vec<String> = value["elements"].as_array().into_iter().flatten().map(rich).collect();
    let joint = if matches!(value["type"].as_str(), Some("rich_text" | "rich_text_list")) { "\n" } else { "" };
    text + &within.join(joint)
}

/// The texts of blocks, a line each; buttons and inputs are not among them.
pub fn block_text(blocks: &Value) -> String {
    let mut lines = Vec::new();
    for block in blocks.as_array().into_iter().flatten() {
        match block["type"].as_str().unwrap_or_default() {
            "section" => {
                add(&mut lines, &block["text"]);
                for field in block["fields"].as_array().into_iter().flatten() {
                    add(&mut lines, field);
                }
            }
            "header" | "markdown" => add(&mut lines, &block["text"]),
            "context" => {
                let texts: Vec<&str> =
                    block["elements"].as_array().into_iter().flatten().filter_map(|e| e["text"].as_str()).collect();
                lines.push(texts.join(" "));
            }
            "rich_text" => lines.push(rich(block)),
            "table" => {
                for row in block["rows"].as_array().into_iter().flatten() {
                    let cells: Vec<String> = row.as_array().into_iter().flatten().map(rich_or_raw).collect();
                    lines.push(cells.join(" | "));
                }
            }
            "input" => add(&mut lines, &block["label"]),
            "image" => add(&mut lines, &block["alt_text"]),
            "divider" => lines.push("---".into()),
            _ => {}
        }
    }
    lines.join("\n")
}

fn rich_or_raw(cell: &Value) -> String {
    if cell["type"] == "raw_text" { cell["text"].as_str().unwrap_or_default().to_owned() } else { rich(cell) }
}

fn one_button(block: &Value, element: &Value) -> Button {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let label = if element["type"] == "button" { &element["text"]["text"] } else { &element["placeholder"]["text"] };
    Button {
        action_id: text(&element["action_id"]),
        block_id: text(&block["block_id"]),
        text: text(label),
        value: text(&element["value"]),
        style: element["style"].as_str().map(str::to_owned),
        confirm: element["confirm"].is_object(),
    }
}

/// Everything that can be clicked.
pub fn block_buttons(blocks: &Value) -> Vec<Button> {
    let mut found = Vec::new();
    for block in blocks.as_array().into_iter().flatten() {
        for element in block["elements"].as_array().into_iter().flatten().chain(block.get("accessory")) {
            match element["type"].as_str() {
                Some("feedback_buttons") => {
                    for key in ["positive_button", "negative_button"] {
                        let mut button = one_button(block, element);
                        button.text = element[key]["text"]["text"].as_str().unwrap_or_default().to_owned();
                        button.value = element[key]["value"].as_str().unwrap_or_default().to_owned();
                        found.push(button);
                    }
                }
                Some(_) if element["action_id"].is_string() => found.push(one_button(block, element)),
                _ => {}
            }
        }
    }
    found
}

impl State {
    pub fn seen(&self, message: &Message) -> Seen {
        let blocks = block_text(&message.blocks);
        let has_blocks = message.blocks.as_array().is_some_and(|list| !list.is_empty());
        let text = match (&message.stream, has_blocks) {
            (Some(_), true) => format!("{}\n{blocks}", message.text).trim_end().to_owned(),
            (None, true) => blocks,
            _ => message.text.clone(),
        };
        let files =
            message.files.iter().filter_map(|id| self.files.get(id)).map(|f| (f.name.clone(), f.content.clone())).collect();
        Seen {
            ts: message.ts.clone(),
            thread_ts: message.thread_ts.clone(),
            author: message.user.clone(),
            text,
            buttons: block_buttons(&message.blocks),
            files,
            streaming: message.stream.as_ref().is_some_and(|s| s.ended.is_none()),
            streamed: message.stream.is_some(),
            edits: message.edits,
            blocks: message.blocks.clone(),
            metadata: message.metadata.clone(),
        }
    }

    /// A thread as its readers see it, its root first.
    pub fn seen_thread(&self, channel: &str, root: &str) -> Vec<Seen> {
        self.thread(channel, root).into_iter().map(|m| self.seen(m)).collect()
    }

    /// Everything of a channel, threads included, in order.
    pub fn seen_channel(&self, channel: &str) -> Vec<Seen> {
        self.messages.get(channel).into_iter().flat_map(BTreeMap::values).filter(|m| !m.deleted).map(|m| self.seen(m)).collect()
    }

    pub fn seen_by(&self, user: &str) -> Vec<Seen> {
        let own = |m: &&Message| m.only_for.as_deref() == Some(user) && !m.deleted;
        self.ephemerals.iter().filter(own).map(|m| self.seen(m)).collect()
    }

    /// The bot's texts in a thread, joined: what became of an answer that rolled over.
    pub fn answer(&self, channel: &str, root: &str) -> String {
        let all = self.seen_thread(channel, root);
        all.iter().filter(|m| m.by_bot() && m.ts != root).map(|m| m.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// For the message of a failure.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for channel in self.channels.values() {
            text += &format!("#{} {} archived={}\n", channel.name, channel.id, channel.archived);
            for seen in self.seen_channel(&channel.id) {
                text += &format!(
                    "  {} {:?} {}: {:?} {:?}\n",
                    seen.ts,
                    seen.thread_ts,
                    seen.author,
                    seen.text,
                    seen.buttons.iter().map(|b| &b.text).collect::<Vec<_>>()
                );
            }
        }
        for seen in &self.ephemerals {
            text += &format!("only for {:?}: {:?}\n", seen.only_for, self.seen(seen).text);
        }
        for (user, stack) in &self.modals {
            text += &format!("modals of {user}: {stack:?}\n");
        }
        text += &format!(
            "statuses: {:?}\ncounts: {:?}\nsockets: {} hellos: {} open: {}\n",
            self.statuses,
            self.counts,
            self.sockets.len(),
            self.hellos,
            self.open
        );
        for call in self.calls.iter().rev().take(30).rev() {
            text += &format!(
                "call {} {} -> {:?}\n",
                call.method,
                call.args.to_string().chars().take(300).collect::<String>(),
                call.error
            );
        }
        for delivery in self.deliveries.iter().rev().take(30).rev() {
            text += &format!(
                "sent {} attempt {} acked {:?} missed {:?}\n",
                delivery.what, delivery.attempt, delivery.acked, delivery.missed
            );
        }
        text + "faults:\n" + &self.faults.join("\n")
    }

    /// Replaces ids, stamps and ports by names that stay.
    pub fn stable(&self, text: &str) -> String {
        let mut text = text.replace(&self.base_url, "http://slack");
        for person in self.users.values() {
            text = text.replace(&format!("<@{}>", person.id), &format!("@{}", person.name)).replace(&person.id, &person.name);
        }
        for channel in self.channels.values().filter(|c| c.kind != Kind::Im) {
            text = text.replace(&format!("<#{}>", channel.id), &format!("#{}", channel.name)).replace(&channel.id, &channel.name);
        }
        let stamps = Regex::new(r"\b\d{10}\.\d{6}\b|\b(?:[CDFVS]|Ev|trigger\.|hash\.)\d{8}\b").expect("a pattern");
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let named = stamps.replace_all(&text, |found: &regex::Captures<'_>| {
            let next = names.len() + 1;
            format!("<{}>", names.entry(found[0].to_owned()).or_insert(next))
        });
        named.into_owned()
    }

    /// A channel as text: threads indented, buttons in brackets.
    pub fn transcript(&self, channel: &str) -> String {
        let mut text = String::new();
        for seen in self.seen_channel(channel).iter().filter(|m| m.thread_ts.is_none()) {
            for (index, message) in self.seen_thread(channel, &seen.ts).iter().enumerate() {
                text += &self.told(message, if index == 0 { "" } else { "    " });
            }
        }
        for message in self.ephemerals.iter().filter(|m| m.channel == channel && !m.deleted) {
            let only_for = message.only_for.as_deref().unwrap_or_default();
            text += &format!("(only {only_for}) {}", self.told(&self.seen(message), ""));
        }
        self.stable(&text)
    }

    fn told(&self, seen: &Seen, indent: &str) -> String {
        let mut lines: Vec<String> = seen.text.lines().map(str::to_owned).collect();
        lines.extend(seen.files.iter().map(|(name, content)| format!("[file {name}, {} bytes]", content.len())));
        if !seen.buttons.is_empty() {
            lines.push(seen.buttons.iter().map(|b| format!("[{}]", b.text)).collect::<Vec<_>>().join(" "));
        }
        let mut text = String::new();
        for (index, line) in lines.iter().enumerate() {
            let head = if index == 0 { format!("{}: ", seen.author) } else { "  ".into() };
            text += &format!("{indent}{head}{line}\n");
        }
        text
    }
}

impl Slack {
    pub fn thread(&self, channel: &str, root: &str) -> Vec<Seen> {
        self.look(|s| s.seen_thread(channel, root))
    }

    pub fn messages(&self, channel: &str) -> Vec<Seen> {
        self.look(|s| s.seen_channel(channel))
    }

    pub fn ephemerals(&self, user: &User) -> Vec<Seen> {
        self.look(|s| s.seen_by(&user.id))
    }

    /// The modal on top, as Slack would give it to the app.
    pub fn modal(&self, user: &User) -> Option<Value> {
        self.look(|s| s.modals.get(&user.id).and_then(|stack| stack.last()).map(|id| s.view(id)))
    }

    /// What the app said is wrong with the last submission of the modal on top, by block.
    pub fn modal_errors(&self, user: &User) -> Value {
        self.look(|s| s.modals.get(&user.id).and_then(|stack| stack.last()).map_or(Value::Null, |id| s.views[id].errors.clone()))
    }

    pub fn home(&self, user: &User) -> Option<Value> {
        self.look(|s| s.homes.get(&user.id).map(|id| s.view(id)))
    }

    pub fn transcript(&self, channel: &str) -> String {
        self.look(|s| s.transcript(channel))
    }

    /// Waits for a message of the bot in that thread.
    pub async fn reply(&self, channel: &str, root: &str, part: &str) -> Seen {
        let what = format!("a message of the bot with {part:?}");
        self.wait(&what, |s| {
            s.seen_thread(channel, root).into_iter().find(|m| m.by_bot() && !m.streaming && m.text.contains(part))
        })
        .await
    }

    /// Waits for a message that only this user sees.
    pub async fn whisper(&self, user: &User, part: &str) -> Seen {
        let what = format!("a message for {} only with {part:?}", user.id);
        self.wait(&what, |s| s.seen_by(&user.id).into_iter().find(|m| m.text.contains(part))).await
    }

    /// Waits for a modal with that title.
    pub async fn opened(&self, user: &User, title: &str) -> Value {
        let look = |s: &State| {
            s.modals.get(&user.id).and_then(|stack| stack.last()).map(|id| s.view(id)).filter(|v| v["title"]["text"] == title)
        };
        self.wait(&format!("the modal {title:?}"), look).await
    }
}
