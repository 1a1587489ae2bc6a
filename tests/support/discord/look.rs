//! What people see: text as it is shown, buttons, files; and transcripts with stable names.
//!
//! Invariant: a transcript holds no id, no time and no port.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;

use super::Discord;
use super::state::{BOT, Channel, Kind, Message, State};
use super::user::User;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    pub custom_id: String,
    pub text: String,
    pub style: u64,
    pub disabled: bool,
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    pub custom_id: String,
    pub placeholder: String,
    /// Labels and values.
    pub options: Vec<(String, String)>,
}

/// A message as somebody sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub id: String,
    pub channel: String,
    /// A user's id.
    pub author: String,
    /// Content and embeds, a line each.
    pub text: String,
    pub content: String,
    pub embeds: Value,
    pub buttons: Vec<Button>,
    pub selects: Vec<Select>,
    /// Name and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// "… is thinking".
    pub loading: bool,
    pub ephemeral: bool,
    pub edits: usize,
    pub reply_to: Option<String>,
    /// The thread that it began.
    pub thread: Option<String>,
    pub pinged: BTreeSet<String>,
    pub kind: u64,
}

impl Seen {
    pub fn by_bot(&self) -> bool {
        self.author == BOT
    }

    pub fn button(&self, name: &str) -> Option<&Button> {
        self.buttons.iter().find(|b| b.text == name || b.custom_id == name)
    }

    pub fn select(&self, name: &str) -> Option<&Select> {
        self.selects.iter().find(|s| s.placeholder == name || s.custom_id == name)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The texts of embeds, a line each.
pub fn embed_text(embeds: &Value) -> String {
    let mut lines: Vec<String> = Vec::new();
    for embed in embeds.as_array().into_iter().flatten() {
        let mut add = |part: &Value| lines.extend(part.as_str().filter(|t| !t.is_empty()).map(str::to_owned));
        add(&embed["author"]["name"]);
        add(&embed["title"]);
        add(&embed["description"]);
        for field in embed["fields"].as_array().into_iter().flatten() {
            lines.push(format!("{}: {}", text(&field["name"]), text(&field["value"])));
        }
        lines.extend(embed["footer"]["text"].as_str().map(str::to_owned));
    }
    lines.join("\n")
}

impl State {
    pub fn seen(&self, message: &Message) -> Seen {
        let embeds = embed_text(&message.embeds);
        let joined: Vec<&str> = [message.content.as_str(), embeds.as_str()].into_iter().filter(|t| !t.is_empty()).collect();
        let rows = message.components.as_array().into_iter().flatten();
        let components: Vec<&Value> = rows.flat_map(|row| row["components"].as_array().into_iter().flatten()).collect();
        let button = |c: &&Value| Button {
            custom_id: text(&c["custom_id"]).into(),
            text: c["label"].as_str().or(c["emoji"]["name"].as_str()).unwrap_or_default().into(),
            style: c["style"].as_u64().unwrap_or_default(),
            disabled: c["disabled"] == true,
            url: c["url"].as_str().map(str::to_owned),
        };
        let select = |c: &&Value| Select {
            custom_id: text(&c["custom_id"]).into(),
            placeholder: text(&c["placeholder"]).into(),
            options: c["options"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|o| (text(&o["label"]).into(), text(&o["value"]).into()))
                .collect(),
        };
        let files = message.files.iter().filter_map(|id| self.files.get(id));
        Seen {
            id: message.id.clone(),
            channel: message.channel.clone(),
            author: message.author.clone(),
            text: joined.join("\n"),
            content: message.content.clone(),
            embeds: message.embeds.clone(),
            buttons: components.iter().filter(|c| c["type"] == 2).map(button).collect(),
            selects: components.iter().filter(|c| c["type"] != 2).map(select).collect(),
            files: files.map(|f| (f.name.clone(), f.content.clone())).collect(),
            loading: Self::is_loading(message),
            ephemeral: message.only_for.is_some(),
            edits: message.edits,
            reply_to: message.reply_to.clone(),
            thread: message.thread.clone(),
            pinged: message.pinged.clone(),
            kind: message.kind,
        }
    }

    /// Everything of a channel or thread that everybody there sees, in order.
    pub fn seen_channel(&self, channel: &str) -> Vec<Seen> {
        self.messages
            .get(channel)
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter(|m| m.only_for.is_none())
            .map(|m| self.seen(m))
            .collect()
    }

    /// … with what this user alone sees.
    pub fn seen_by(&self, user: &str, channel: &str) -> Vec<Seen> {
        let visible = |m: &&Message| m.only_for.as_deref().is_none_or(|only| only == user);
        self.messages.get(channel).into_iter().flat_map(BTreeMap::values).filter(visible).map(|m| self.seen(m)).collect()
    }

    /// What this user alone sees, anywhere.
    pub fn whispered(&self, user: &str) -> Vec<Seen> {
        let own = |m: &&Message| m.only_for.as_deref() == Some(user);
        self.messages.values().flat_map(BTreeMap::values).filter(own).map(|m| self.seen(m)).collect()
    }

    /// Everything that was ever told a user, anywhere.
    pub fn everything(&self) -> Vec<Seen> {
        self.messages.values().flat_map(BTreeMap::values).map(|m| self.seen(m)).collect()
    }

    pub fn threads(&self, parent: &str) -> Vec<&Channel> {
        self.channels.values().filter(|c| c.kind.is_thread() && c.parent.as_deref() == Some(parent)).collect()
    }

    /// The bot's texts in a thread, joined: what became of an answer that rolled over.
    pub fn answer(&self, thread: &str) -> String {
        let all = self.seen_channel(thread);
        all.iter().filter(|m| m.by_bot() && m.kind != 21).map(|m| m.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// For the message of a failure.
    pub fn report(&self) -> String {
        let mut report = String::new();
        for channel in self.channels.values() {
            report += &format!(
                "#{} {} {:?} archived={} locked={}\n",
                channel.name, channel.id, channel.kind, channel.archived, channel.locked
            );
            for message in self.messages.get(&channel.id).into_iter().flat_map(BTreeMap::values) {
                let seen = self.seen(message);
                let buttons: Vec<&String> = seen.buttons.iter().map(|b| &b.text).collect();
                let only = message.only_for.as_deref().map(|u| format!(" only for {u}")).unwrap_or_default();
                report += &format!("  {} {}{only}: {:?} {buttons:?} flags {}\n", seen.id, seen.author, seen.text, message.flags);
            }
        }
        for (user, form) in &self.modals {
            report += &format!("a form before {user}: {}\n", form["title"]);
        }
        report += &format!(
            "counts: {:?}\nlinks: {} readies: {} resumes: {}\n",
            self.counts,
            self.links.len(),
            self.readies,
            self.resumes
        );
        for session in self.sessions.values() {
            report += &format!(
                "session {} seq {} intents {:b} linked {}\n",
                session.id,
                session.seq,
                session.intents,
                session.link.is_some()
            );
        }
        for call in self.calls.iter().rev().take(30).rev() {
            let body: String = call.body.to_string().chars().take(300).collect();
            report += &format!("call {} {} {body} -> {} {:?}\n", call.route, call.path, call.status, call.error);
        }
        for interaction in self.interactions.values().rev().take(30) {
            report += &format!("interaction {} took {:?}: {:?}\n", interaction.what, interaction.took, interaction.shown);
        }
        report + "faults:\n" + &self.faults.join("\n")
    }

    /// Replaces ids and ports by names that stay.
    pub fn stable(&self, shown: &str) -> String {
        let mut shown = shown.replace(&self.base_url, "http://discord");
        for person in self.users.values() {
            shown = shown.replace(&format!("<@{}>", person.id), &format!("@{}", person.name)).replace(&person.id, &person.name);
        }
        // A thread has the id of its message: only what is written as a channel is one.
        for channel in self.channels.values().filter(|c| c.kind != Kind::Dm) {
            shown = shown.replace(&format!("<#{}>", channel.id), &format!("#{}", channel.name));
        }
        let ids = Regex::new(r"\b\d{19}\b").expect("a pattern");
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let named = ids.replace_all(&shown, |found: &regex::Captures<'_>| {
            let next = names.len() + 1;
            format!("<{}>", names.entry(found[0].to_owned()).or_insert(next))
        });
        named.into_owned()
    }

    /// A channel as text: threads indented, buttons in brackets.
    pub fn transcript(&self, channel: &str) -> String {
        let mut shown = String::new();
        for message in self.messages.get(channel).into_iter().flat_map(BTreeMap::values) {
            if let Some(only) = &message.only_for {
                shown += &format!("(only {only}) ");
            }
            shown += &self.told(&self.seen(message), "");
            if let Some(thread) = message.thread.as_ref().and_then(|id| self.channels.get(id)) {
                shown += &self.thread_told(thread);
            }
        }
        for thread in self.threads(channel).into_iter().filter(|t| self.message(channel, &t.id).is_none()) {
            shown += &self.thread_told(thread);
        }
        self.stable(&shown)
    }

    fn thread_told(&self, thread: &Channel) -> String {
        let state = match (thread.archived, thread.locked) {
            (false, false) => "",
            (true, false) => " (archived)",
            (false, true) => " (locked)",
            (true, true) => " (archived, locked)",
        };
        let mut shown = format!("  # {}{state}\n", thread.name);
        for message in self.messages.get(&thread.id).into_iter().flat_map(BTreeMap::values).filter(|m| m.kind != 21) {
            let only = message.only_for.as_ref().map(|u| format!("(only {u}) ")).unwrap_or_default();
            shown += &format!("    {only}{}", self.told(&self.seen(message), "    ").trim_start());
        }
        shown
    }

    pub(super) fn told(&self, seen: &Seen, indent: &str) -> String {
        let mut lines: Vec<String> = seen.text.lines().map(str::to_owned).collect();
        if seen.loading {
            lines.push("… is thinking".into());
        }
        if seen.kind == 18 {
            lines = vec![format!("began the thread {}", seen.content)];
        }
        lines.extend(seen.files.iter().map(|(name, content)| format!("[file {name}, {} bytes]", content.len())));
        if !seen.buttons.is_empty() {
            lines.push(seen.buttons.iter().map(|b| format!("[{}]", b.text)).collect::<Vec<_>>().join(" "));
        }
        lines.extend(seen.selects.iter().map(|s| {
            format!("[{} ▾ {}]", s.placeholder, s.options.iter().map(|(l, _)| l.as_str()).collect::<Vec<_>>().join(" | "))
        }));
        if lines.is_empty() {
            lines.push(String::new());
        }
        if seen.edits > 0
            && let Some(last) = lines.last_mut()
        {
            *last += " (edited)";
        }
        let mut shown = String::new();
        for (index, line) in lines.iter().enumerate() {
            let head = if index == 0 { format!("{}: ", seen.author) } else { "  ".into() };
            shown += format!("{indent}{head}{line}").trim_end();
            shown.push('\n');
        }
        shown
    }
}

impl Discord {
    pub fn messages(&self, channel: &str) -> Vec<Seen> {
        self.look(|s| s.seen_channel(channel))
    }

    pub fn whispers(&self, user: &User) -> Vec<Seen> {
        self.look(|s| s.whispered(&user.id))
    }

    pub fn message(&self, channel: &str, id: &str) -> Option<Seen> {
        self.look(|s| s.message(channel, id).map(|m| s.seen(m)))
    }

    /// The form in front of somebody.
    pub fn modal(&self, user: &User) -> Option<Value> {
        self.look(|s| s.modals.get(&user.id).cloned())
    }

    pub fn transcript(&self, channel: &str) -> String {
        self.look(|s| s.transcript(channel))
    }

    /// Everybody who was told of anything that the bot wrote.
    pub fn pinged(&self) -> BTreeSet<String> {
        self.look(|s| s.everything().into_iter().filter(Seen::by_bot).flat_map(|m| m.pinged).collect())
    }

    /// Waits for a message of the bot that everybody sees there.
    pub async fn sees(&self, channel: &str, part: &str) -> Seen {
        let what = format!("a message of the bot with {part:?}");
        self.wait(&what, |s| s.seen_channel(channel).into_iter().find(|m| m.by_bot() && !m.loading && m.text.contains(part)))
            .await
    }

    /// Waits for a message that only this user sees.
    pub async fn whisper(&self, user: &User, part: &str) -> Seen {
        let what = format!("a message for {} only with {part:?}", user.id);
        self.wait(&what, |s| s.whispered(&user.id).into_iter().find(|m| !m.loading && m.text.contains(part))).await
    }

    /// Waits for a form with that title.
    pub async fn opened(&self, user: &User, title: &str) -> Value {
        self.wait(&format!("the form {title:?}"), |s| s.modals.get(&user.id).filter(|f| f["title"] == title).cloned()).await
    }

    /// Waits for the thread that a message began.
    pub async fn thread_of(&self, channel: &str, message: &str) -> String {
        self.wait("a thread", |s| s.message(channel, message).and_then(|m| m.thread.clone())).await
    }
}
