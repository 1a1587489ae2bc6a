//! Channels and threads: begun, renamed, archived, locked, joined, deleted.
//!
//! Invariant: an archived thread changes only by being opened again, or by a message in it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::body::{Body, Upload};
use super::dispatch::Request;
use super::permissions::{MANAGE_CHANNELS, MANAGE_THREADS, PRIVATE_THREADS, PUBLIC_THREADS, READ_HISTORY, SEND};
use super::refusal::{
    ARCHIVED, Answer, CANNOT_IN_DM, HAS_A_THREAD, MISSING_ACCESS, MISSING_PERMISSIONS, NOTHING, Refusal, UNKNOWN_CHANNEL,
    UNKNOWN_MEMBER, UNKNOWN_MESSAGE, ok,
};
use super::state::{BOT, Channel, HAS_THREAD, Kind, Message, State, born, number};

/// A thread that is about to be.
#[derive(Debug, Clone, Default)]
pub struct Begun {
    pub id: Option<String>,
    pub parent: String,
    pub name: String,
    pub owner: String,
    pub kind: Kind,
    pub auto_archive: u64,
    pub tags: Vec<String>,
}

impl State {
    pub fn get_channel(&self, id: &str) -> Answer {
        ok(self.channel_json(self.channel_for(id, 0)?))
    }

    pub fn start_thread(&mut self, parent: &str, message: Option<&str>, body: Body) -> Answer {
        let place = self.guild_channel_for(parent, 0)?.clone();
        let json = &body.json;
        let not_here = || Refusal {
            status: 400,
            code: 50_024,
            message: "Cannot execute action on this channel type".into(),
            ..Refusal::default()
        };
        if !matches!(place.kind, Kind::Text | Kind::News | Kind::Forum) || place.kind == Kind::Forum && message.is_some() {
            return Err(not_here());
        }
        let name = json["name"].as_str().unwrap_or_default().trim().to_owned();
        if name.is_empty() || name.chars().count() > self.rules.thread_name {
            let message = format!("Must be between 1 and {} in length.", self.rules.thread_name);
            return Err(Refusal::form("/name", "BASE_TYPE_BAD_LENGTH", message));
        }
        let auto_archive = json["auto_archive_duration"].as_u64().unwrap_or(4_320);
        let tags: Vec<String> =
            json["applied_tags"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        let mut begun =
            Begun { parent: parent.into(), name, owner: BOT.into(), kind: Kind::Thread, auto_archive, tags, ..Begun::default() };
        if place.kind == Kind::Forum {
            self.channel_for(parent, SEND)?;
            if place.require_tag && begun.tags.is_empty() {
                return Err(Refusal {
                    status: 400,
                    code: 40_067,
                    message: "A tag is required to create a forum post in this channel".into(),
                    ..Refusal::default()
                });
            }
            if let Some(wrong) = begun.tags.iter().position(|tag| !place.available_tags.iter().any(|(id, _)| id == tag)) {
                return Err(Refusal::form(&format!("/applied_tags/{wrong}"), "UNKNOWN_TAG", "Unknown tag"));
            }
            let first = self.composed("/message", parent, &json["message"], body.files)?;
            let id = self.begin_post(begun, first);
            let mut shown = self.channel_json(&self.channels[&id]);
            shown["message"] = self.message(&id, &id).map(|m| self.message_json(m)).unwrap_or_default();
            return Ok((201, shown));
        }
        if let Some(message) = message {
            self.channel_for(parent, PUBLIC_THREADS | READ_HISTORY)?;
            let found = self.message(parent, message).filter(|m| m.only_for.is_none()).ok_or(UNKNOWN_MESSAGE)?;
            if found.thread.is_some() || self.channels.contains_key(message) {
                return Err(HAS_A_THREAD.into());
            }
            if !matches!(found.kind, 0 | 19 | 20 | 23) {
                return Err(super::refusal::SYSTEM_MESSAGE.into());
            }
            begun.id = Some(message.into());
        } else {
            // Without a type it is a private one.
            begun.kind = match json["type"].as_u64().unwrap_or(12) {
                11 => Kind::Thread,
                10 => Kind::NewsThread,
                _ => Kind::PrivateThread,
            };
            self.channel_for(parent, if begun.kind == Kind::PrivateThread { PRIVATE_THREADS } else { PUBLIC_THREADS })?;
        }
        let id = self.begin_thread(begun);
        Ok((201, self.channel_json(&self.channels[&id])))
    }

    pub fn begin_thread(&mut self, begun: Begun) -> String {
        let from = begun.id.clone();
        let parent = begun.parent.clone();
        let (owner, name) = (begun.owner.clone(), begun.name.clone());
        let kind = begun.kind;
        let id = self.open_thread(begun);
        match from {
            Some(message) => {
                if let Some(message) = self.message_mut(&parent, &message) {
                    message.thread = Some(id.clone());
                    message.flags |= HAS_THREAD;
                }
                self.tell_message("MESSAGE_UPDATE", &parent, &message);
                self.keep_quiet(Message {
                    channel: id.clone(),
                    author: owner,
                    kind: 21,
                    reply_to: Some(message),
                    ..Message::default()
                });
            }
            None if kind != Kind::PrivateThread => {
                self.insert(Message { channel: parent, author: owner, kind: 18, content: name, ..Message::default() });
            }
            None => {}
        }
        id
    }

    /// The first thing in a thread, which refers to the message above it.
    fn keep_quiet(&mut self, mut message: Message) {
        message.id = self.snowflake();
        let channel = message.channel.clone();
        let id = message.id.clone();
        self.messages.entry(channel.clone()).or_default().insert(id.clone(), message);
        self.tell_message("MESSAGE_CREATE", &channel, &id);
    }

    /// A forum's post: a thread whose first message has its id.
    pub fn begin_post(&mut self, begun: Begun, mut first: Message) -> String {
        let id = self.open_thread(begun);
        for file in &first.files {
            if let Some(file) = self.files.get_mut(file) {
                file.channel.clone_from(&id);
            }
        }
        first.id.clone_from(&id);
        first.channel.clone_from(&id);
        self.insert(first);
        id
    }

    fn open_thread(&mut self, begun: Begun) -> String {
        let id = begun.id.unwrap_or_else(|| self.snowflake());
        let guild = self.channels.get(&begun.parent).and_then(|p| p.guild.clone());
        let now = self.millis();
        let channel = Channel {
            id: id.clone(),
            kind: begun.kind,
            guild,
            name: begun.name,
            parent: Some(begun.parent),
            owner: Some(begun.owner.clone()),
            auto_archive: begun.auto_archive,
            archived_at: now,
            members: BTreeSet::from([begun.owner.clone()]),
            tags: begun.tags,
            ..Channel::default()
        };
        self.channels.insert(id.clone(), channel);
        self.tell_channel("THREAD_CREATE", &id);
        self.tell_members(&id, &[begun.owner], &[]);
        id
    }

    pub fn edit_channel(&mut self, id: &str, json: &Value) -> Answer {
        let channel = self.channel_for(id, 0)?.clone();
        if channel.kind == Kind::Dm {
            return Err(CANNOT_IN_DM.into());
        }
        let manages =
            self.permissions(BOT, &channel) & if channel.kind.is_thread() { MANAGE_THREADS } else { MANAGE_CHANNELS } != 0;
        let archives = json["archived"].as_bool();
        if channel.kind.is_thread() {
            let owns = channel.owner.as_deref() == Some(BOT);
            let opens = archives == Some(false);
            // Anybody may open an unlocked thread again; the rest is for its owner.
            let only_opens = opens && json.as_object().is_some_and(|o| o.keys().all(|k| k == "archived"));
            let locks = !json["locked"].is_null() && json["locked"].as_bool() != Some(channel.locked);
            if !manages && (locks || channel.locked || !owns && !only_opens) {
                return Err(MISSING_PERMISSIONS.into());
            }
            if channel.archived && !opens {
                return Err(ARCHIVED.into());
            }
        } else if !manages {
            return Err(MISSING_PERMISSIONS.into());
        }
        if let Some(name) = json["name"].as_str()
            && (name.trim().is_empty() || name.chars().count() > self.rules.thread_name)
        {
            let message = format!("Must be between 1 and {} in length.", self.rules.thread_name);
            return Err(Refusal::form("/name", "BASE_TYPE_BAD_LENGTH", message));
        }
        let now = self.millis();
        let edited = self.channels.get_mut(id).ok_or(UNKNOWN_CHANNEL)?;
        if let Some(name) = json["name"].as_str() {
            name.trim().clone_into(&mut edited.name);
        }
        if let Some(topic) = json.get("topic") {
            edited.topic = topic.as_str().map(str::to_owned);
        }
        if let Some(archived) = archives.filter(|a| *a != edited.archived) {
            edited.archived = archived;
            edited.archived_at = now;
        }
        edited.locked = json["locked"].as_bool().unwrap_or(edited.locked);
        edited.auto_archive = json["auto_archive_duration"].as_u64().unwrap_or(edited.auto_archive);
        self.tell_channel(if channel.kind.is_thread() { "THREAD_UPDATE" } else { "CHANNEL_UPDATE" }, id);
        ok(self.channel_json(&self.channels[id]))
    }

    pub fn delete_channel_call(&mut self, id: &str) -> Answer {
        let channel = self.channel_for(id, 0)?.clone();
        if channel.kind != Kind::Dm {
            self.channel_for(id, if channel.kind.is_thread() { MANAGE_THREADS } else { MANAGE_CHANNELS })?;
            self.remove_channel(id);
        }
        ok(self.channel_json(&channel))
    }

    /// A channel is gone with its threads, whoever deleted it.
    pub fn remove_channel(&mut self, id: &str) {
        let within: Vec<String> = self
            .channels
            .values()
            .filter(|c| c.parent.as_deref() == Some(id) && c.kind.is_thread())
            .map(|c| c.id.clone())
            .collect();
        for thread in within {
            self.channels.remove(&thread);
            self.messages.remove(&thread);
        }
        let Some(channel) = self.channels.get(id).cloned() else { return };
        if channel.kind.is_thread() {
            self.tell_thread_gone(&channel);
        } else {
            self.tell_channel("CHANNEL_DELETE", id);
        }
        self.channels.remove(id);
        self.messages.remove(id);
    }

    /// Threads in which nothing was said for as long as they allow are put away.
    pub fn archive_quiet(&mut self) {
        let now = self.millis();
        let last = |c: &Channel| c.last_message.as_deref().map_or(0, born).max(c.archived_at);
        let quiet = |c: &&Channel| c.kind.is_thread() && !c.archived && now.saturating_sub(last(c)) > c.auto_archive * 60_000;
        let found: Vec<String> = self.channels.values().filter(quiet).map(|c| c.id.clone()).collect();
        for id in found {
            if let Some(thread) = self.channels.get_mut(&id) {
                (thread.archived, thread.archived_at) = (true, now);
            }
            self.tell_channel("THREAD_UPDATE", &id);
        }
    }

    fn thread(&self, id: &str) -> Result<&Channel, Refusal> {
        let channel = self.channel_for(id, 0)?;
        if channel.kind.is_thread() {
            Ok(channel)
        } else {
            Err(Refusal {
                status: 400,
                code: 50_024,
                message: "Cannot execute action on this channel type".into(),
                ..Refusal::default()
            })
        }
    }

    pub fn thread_members(&self, id: &str) -> Answer {
        let thread = self.thread(id)?;
        ok(thread.members.iter().map(|user| self.thread_member(thread, user)).collect())
    }

    pub fn join_thread(&mut self, id: &str, user: &str) -> Answer {
        let user = if user == "@me" { BOT } else { user }.to_owned();
        let thread = self.thread(id)?.clone();
        if thread.archived {
            return Err(ARCHIVED.into());
        }
        if !self.may_see(&user, &Channel { kind: Kind::Thread, ..thread.clone() }) {
            return Err(if self.users.contains_key(&user) { MISSING_ACCESS.into() } else { UNKNOWN_MEMBER.into() });
        }
        if !thread.members.contains(&user) {
            if let Some(thread) = self.channels.get_mut(id) {
                thread.members.insert(user.clone());
            }
            self.tell_members(id, &[user], &[]);
        }
        NOTHING
    }

    pub fn leave_thread(&mut self, id: &str, user: &str) -> Answer {
        let user = if user == "@me" { BOT } else { user }.to_owned();
        let thread = self.thread(id)?;
        if thread.archived {
            return Err(ARCHIVED.into());
        }
        if user != BOT && thread.owner.as_deref() != Some(BOT) {
            self.channel_for(id, MANAGE_THREADS)?;
        }
        if self.channels.get_mut(id).is_some_and(|t| t.members.remove(&user)) {
            self.tell_members(id, &[], &[user]);
        }
        NOTHING
    }

    pub fn archived_threads(&self, id: &str, request: &Request<'_>) -> Answer {
        self.guild_channel_for(id, READ_HISTORY)?;
        let limit = request.number("limit", 50, 100)?;
        let before = request.query("before");
        let mut found: Vec<&Channel> = self
            .channels
            .values()
            .filter(|c| c.parent.as_deref() == Some(id) && c.archived && matches!(c.kind, Kind::Thread | Kind::NewsThread))
            .filter(|c| before.as_deref().is_none_or(|before| *super::state::stamp(c.archived_at) < *before))
            .collect();
        found.sort_by_key(|c| std::cmp::Reverse(c.archived_at));
        let more = found.len() > limit;
        found.truncate(limit);
        ok(self.listed(&found, more))
    }

    /// Threads with the bot's memberships, as lists of threads show them.
    fn listed(&self, threads: &[&Channel], more: bool) -> Value {
        let own: Vec<Value> = threads.iter().filter(|t| t.members.contains(BOT)).map(|t| self.thread_member(t, BOT)).collect();
        json!({ "threads": threads.iter().map(|t| self.channel_json(t)).collect::<Vec<_>>(), "members": own, "has_more": more })
    }

    pub fn active_threads(&self, guild: &str) -> Answer {
        self.guild(guild)?;
        let open = |c: &&Channel| c.guild.as_deref() == Some(guild) && c.kind.is_thread() && !c.archived && self.may_see(BOT, c);
        let mut found: Vec<&Channel> = self.channels.values().filter(open).collect();
        found.sort_by_key(|c| std::cmp::Reverse(number(&c.id)));
        ok(self.listed(&found, false))
    }
}

/// Files of a request, for a message that is written elsewhere.
pub fn uploads(files: &[(&str, &[u8])]) -> Vec<Upload> {
    let upload = |(number, (name, content)): (usize, &(&str, &[u8]))| Upload {
        number: number as u64,
        name: (*name).into(),
        content: content.to_vec(),
    };
    files.iter().enumerate().map(upload).collect()
}
