//! What a person does in Discord by writing: messages, replies, edits, files, threads.
//!
//! Invariant: a person can only do what their client would let them.

use std::time::Duration;

use serde_json::{Value, json};

use super::Discord;
use super::delivery::Missed;
use super::permissions::{ATTACH, MANAGE_THREADS, PUBLIC_THREADS, SEND, SEND_IN_THREADS};
use super::state::{BOT, Interaction, Kind, Message, Shown, State};
use super::threads::{Begun, uploads};

#[derive(Clone)]
pub struct User {
    pub(super) discord: Discord,
    pub id: String,
}

/// What became of something that a person did.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub what: String,
    /// The interaction; empty if their client did not even send it.
    pub id: String,
    pub token: String,
    /// Until the first response.
    pub took: Duration,
    pub shown: Shown,
    /// If there was none: all that is known of it.
    report: String,
}

impl Outcome {
    pub(super) fn of(state: &State, interaction: &Interaction) -> Self {
        Self {
            what: interaction.what.clone(),
            id: interaction.id.clone(),
            token: interaction.token.clone(),
            took: interaction.took.unwrap_or_default(),
            shown: interaction.shown.clone().expect("a settled interaction"),
            report: if matches!(interaction.shown, Some(Shown::Failed(_))) { state.report() } else { String::new() },
        }
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.failed().is_none(), "{}: the application did not respond, {:?}\n{}", self.what, self.shown, self.report);
        self
    }

    pub fn failed(&self) -> Option<Missed> {
        if let Shown::Failed(missed) = self.shown { Some(missed) } else { None }
    }

    /// The form that it opened.
    #[track_caller]
    pub fn modal(&self) -> &Value {
        let Shown::Modal(form) = &self.shown else { panic!("{}: no form: {:?}", self.what, self.shown) };
        form
    }

    /// The message that was the first response.
    #[track_caller]
    pub fn message(&self) -> &str {
        let Shown::Message { id, .. } = &self.shown else { panic!("{}: no message: {:?}", self.what, self.shown) };
        id
    }
}

impl State {
    #[track_caller]
    pub(super) fn can(&self, user: &str, channel: &str, needed: u64) {
        let place = self.channels.get(channel).unwrap_or_else(|| panic!("no channel {channel}"));
        assert!(self.may_see(user, place), "{user} does not see {}", place.name);
        assert!(self.permissions(user, place) & needed == needed, "{user} may not do that in {}", place.name);
    }

    /// A message of a person, as their client makes it.
    fn written(&mut self, user: &str, channel: &str, text: &str, reply_to: Option<&str>, files: &[(&str, &[u8])]) -> Message {
        let kept = self.attach(channel, &Value::Null, uploads(files), &[]);
        let author = reply_to.and_then(|id| self.message(channel, id)).map(|m| m.author.clone());
        let mentions = self.mentions(text, &Value::Null, author.as_deref());
        Message {
            channel: channel.into(),
            author: user.into(),
            kind: if reply_to.is_some() { 19 } else { 0 },
            content: text.trim().into(),
            files: kept,
            reply_to: reply_to.map(str::to_owned),
            mentions: mentions.users,
            mention_roles: mentions.roles,
            mention_everyone: mentions.everyone,
            pinged: mentions.pinged,
            ..Message::default()
        }
    }
}

impl User {
    /// `<@…>`
    pub fn mention(&self) -> String {
        format!("<@{}>", self.id)
    }

    /// The direct conversation with the bot.
    pub fn dm_channel(&self) -> String {
        self.discord.change(|s| s.dm(&self.id))
    }

    /// Writes to a channel or a thread; the message's id.
    #[track_caller]
    pub fn say(&self, channel: &str, text: &str) -> String {
        self.write(channel, text, None, &[])
    }

    /// Writes to the bot directly; channel and message.
    pub fn dm(&self, text: &str) -> (String, String) {
        let channel = self.dm_channel();
        let id = self.say(&channel, text);
        (channel, id)
    }

    /// `@gaggle …`
    #[track_caller]
    pub fn ask(&self, channel: &str, text: &str) -> String {
        self.say(channel, &format!("<@{BOT}> {text}"))
    }

    #[track_caller]
    pub fn reply(&self, channel: &str, to: &str, text: &str) -> String {
        self.write(channel, text, Some(to), &[])
    }

    /// With attached files: name and content.
    #[track_caller]
    pub fn write(&self, channel: &str, text: &str, reply_to: Option<&str>, files: &[(&str, &[u8])]) -> String {
        self.discord.change(|s| {
            let place = s.channels.get(channel).unwrap_or_else(|| panic!("no channel {channel}")).clone();
            let send = if place.kind.is_thread() { SEND_IN_THREADS } else { SEND };
            s.can(&self.id, channel, send | if files.is_empty() { 0 } else { ATTACH });
            let manages = s.permissions(&self.id, &place) & MANAGE_THREADS != 0;
            assert!(!place.locked || manages, "the thread {} is locked", place.name);
            assert!(place.kind != Kind::Forum, "{} is a forum: it takes posts", place.name);
            assert!(text.chars().count() <= s.rules.content, "their client would not send {} characters", text.chars().count());
            assert!(!text.trim().is_empty() || !files.is_empty(), "their client would not send nothing");
            let message = s.written(&self.id, channel, text, reply_to, files);
            s.insert(message)
        })
    }

    pub fn edit(&self, channel: &str, id: &str, text: &str) {
        self.discord.change(|s| {
            let now = s.millis();
            let mentions = s.mentions(text, &Value::Null, None);
            let message = s.message_mut(channel, id).expect("a message");
            assert_eq!(message.author, self.id, "somebody else's message");
            text.trim().clone_into(&mut message.content);
            message.mentions = mentions.users;
            message.edited = Some(now);
            message.edits += 1;
            s.tell_message("MESSAGE_UPDATE", channel, id);
        });
    }

    pub fn delete(&self, channel: &str, id: &str) {
        self.discord.change(|s| {
            let message = s.message(channel, id).expect("a message");
            let own = message.author == self.id || message.only_for.as_deref() == Some(self.id.as_str());
            if !own {
                s.can(&self.id, channel, super::permissions::MANAGE_MESSAGES);
            }
            s.erase(channel, id);
        });
    }

    pub fn react(&self, channel: &str, id: &str, emoji: &str) {
        self.discord.change(|s| s.add_reaction(channel, id, &self.id, emoji));
    }

    pub fn types(&self, channel: &str) {
        self.discord.change(|s| s.tell_typing(channel, &self.id));
    }

    /// A thread, from a message or by itself; its id.
    pub fn thread(&self, channel: &str, from: Option<&str>, name: &str) -> String {
        self.discord.change(|s| {
            s.can(&self.id, channel, PUBLIC_THREADS);
            let begun = Begun {
                id: from.map(str::to_owned),
                parent: channel.into(),
                name: name.into(),
                owner: self.id.clone(),
                kind: Kind::Thread,
                auto_archive: 4_320,
                tags: Vec::new(),
            };
            s.begin_thread(begun)
        })
    }

    /// A post in a forum; the id of its thread, which is that of its first message.
    pub fn post(&self, forum: &str, name: &str, text: &str) -> String {
        self.discord.change(|s| {
            s.can(&self.id, forum, SEND);
            let place = s.channels[forum].clone();
            assert_eq!(place.kind, Kind::Forum);
            let tags = if place.require_tag {
                place.available_tags.iter().take(1).map(|(id, _)| id.clone()).collect()
            } else {
                Vec::new()
            };
            let first = s.written(&self.id, forum, text, None, &[]);
            let begun = Begun {
                id: None,
                parent: forum.into(),
                name: name.into(),
                owner: self.id.clone(),
                kind: Kind::Thread,
                auto_archive: 4_320,
                tags,
            };
            s.begin_post(begun, first)
        })
    }

    pub fn archive(&self, thread: &str) {
        self.set_thread(thread, |c| c.archived = true);
    }

    pub fn unarchive(&self, thread: &str) {
        self.set_thread(thread, |c| c.archived = false);
    }

    pub fn rename(&self, thread: &str, name: &str) {
        self.set_thread(thread, |c| name.clone_into(&mut c.name));
    }

    fn set_thread(&self, thread: &str, change: impl FnOnce(&mut super::state::Channel)) {
        self.discord.change(|s| {
            let now = s.millis();
            let place = s.channels.get_mut(thread).expect("a thread");
            assert!(place.kind.is_thread(), "{} is no thread", place.name);
            change(place);
            place.archived_at = now;
            s.tell_channel("THREAD_UPDATE", thread);
        });
    }

    /// The form that stands in front of them, closed without a word to the bot.
    pub fn dismiss(&self) -> Option<Value> {
        self.discord.change(|s| s.modals.remove(&self.id))
    }

    pub(super) fn resolved_user(state: &State, guild: Option<&str>, id: &str) -> (Value, Option<Value>) {
        let member = guild.and_then(|g| state.guilds.get(g)).and_then(|g| {
            let mut member = state.partial_member(g.members.get(id)?);
            member["permissions"] = json!(state.permissions(id, &Default::default()).to_string());
            Some(member)
        });
        (state.user_json(id), member)
    }
}
