//! Messages: written, changed, deleted, read, pinned, and all that may not be.
//!
//! Invariant: what only one user sees cannot be reached through a channel.

use serde_json::{Value, json};

use super::body::{Body, Upload};
use super::dispatch::Request;
use super::limits;
use super::permissions::{ADD_REACTIONS, ATTACH, MANAGE_MESSAGES, MANAGE_THREADS, PIN, READ_HISTORY, SEND, SEND_IN_THREADS};
use super::refusal::{
    ARCHIVED, Answer, CLOSED_DM, EMPTY_MESSAGE, LOCKED, MISSING_PERMISSIONS, NO_TEXT_CHANNEL, NOT_THE_AUTHOR, NOTHING, OLD_EDITS,
    Refusal, SYSTEM_MESSAGE, UNKNOWN_MESSAGE, ok,
};
use super::state::{BOT, EPHEMERAL, File, Kind, LOADING, Message, SILENT, SUPPRESS_EMBEDS, State, born, number, stamp};

impl State {
    /// Keeps a message, and tells of it. Its id is new unless it is set.
    pub fn insert(&mut self, mut message: Message) -> String {
        if message.id.is_empty() {
            message.id = self.snowflake();
        }
        let (id, channel, author) = (message.id.clone(), message.channel.clone(), message.author.clone());
        let hidden = message.only_for.is_some();
        self.messages.entry(channel.clone()).or_default().insert(id.clone(), message);
        if hidden {
            return id;
        }
        if author == BOT {
            self.typing.remove(&channel);
        }
        self.wake(&channel);
        if let Some(place) = self.channels.get_mut(&channel) {
            place.last_message = Some(id.clone());
            place.message_count += 1;
            if place.kind.is_thread() && place.members.insert(author.clone()) {
                self.tell_members(&channel, &[author], &[]);
            }
        }
        self.tell_message("MESSAGE_CREATE", &channel, &id);
        id
    }

    /// A message in an archived thread opens it again.
    fn wake(&mut self, channel: &str) {
        let now = self.millis();
        if let Some(place) = self.channels.get_mut(channel).filter(|c| c.archived) {
            place.archived = false;
            place.archived_at = now;
            self.tell_channel("THREAD_UPDATE", channel);
        }
    }

    pub fn store(&mut self, channel: &str, name: &str, description: Option<String>, content: Vec<u8>) -> String {
        let id = self.snowflake();
        let file = File { id: id.clone(), name: name.into(), description, content, channel: channel.into() };
        self.files.insert(id.clone(), file);
        id
    }

    /// The files that a message has after a request: what is listed, or else all.
    pub fn attach(&mut self, channel: &str, json: &Value, uploads: Vec<Upload>, kept: &[String]) -> Vec<String> {
        let listed = json["attachments"].as_array();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let entry = |id: &str| listed.into_iter().flatten().find(|a| text(&a["id"]) == id);
        let mut files: Vec<String> = kept.iter().filter(|id| listed.is_none() || entry(id).is_some()).cloned().collect();
        for upload in uploads {
            let about = entry(&upload.number.to_string());
            let name = about.and_then(|a| a["filename"].as_str()).unwrap_or(&upload.name).to_owned();
            let description = about.and_then(|a| a["description"].as_str()).map(str::to_owned);
            files.push(self.store(channel, &name, description, upload.content));
        }
        files
    }

    /// Whether a message would be empty.
    pub fn is_empty(content: &str, embeds: &Value, components: &Value, files: usize) -> bool {
        let none = |value: &Value| value.as_array().is_none_or(Vec::is_empty);
        content.trim().is_empty() && none(embeds) && none(components) && files == 0
    }

    /// A message of the bot from a body, checked; not yet kept.
    pub fn composed(&mut self, at: &str, channel: &str, json: &Value, uploads: Vec<Upload>) -> Result<Message, Refusal> {
        limits::message(&self.rules, at, json, &uploads, &[])?;
        let content = json["content"].as_str().unwrap_or_default().trim().to_owned();
        if Self::is_empty(&content, &json["embeds"], &json["components"], uploads.len())
            && json["poll"].is_null()
            && json["sticker_ids"].is_null()
        {
            return Err(EMPTY_MESSAGE.into());
        }
        let reply = json["message_reference"]["message_id"].as_str().map(str::to_owned);
        if let Some(id) = &reply {
            let found = self.message(channel, id).filter(|m| m.only_for.is_none()).is_some();
            if !found && json["message_reference"]["fail_if_not_exists"] != false {
                return Err(Refusal::form(
                    &format!("{at}/message_reference"),
                    "MESSAGE_REFERENCE_UNKNOWN_MESSAGE",
                    "Unknown message",
                ));
            }
        }
        let author = reply.as_ref().and_then(|id| self.message(channel, id)).map(|m| m.author.clone());
        let mentions = self.mentions(&content, &json["allowed_mentions"], author.as_deref());
        let files = self.attach(channel, json, uploads, &[]);
        Ok(Message {
            channel: channel.into(),
            author: BOT.into(),
            kind: if author.is_some() { 19 } else { 0 },
            content,
            embeds: json["embeds"].clone(),
            components: json["components"].clone(),
            files,
            flags: json["flags"].as_u64().unwrap_or_default() & (SUPPRESS_EMBEDS | SILENT | super::state::COMPONENTS_V2),
            reply_to: author.is_some().then_some(reply).flatten(),
            mentions: mentions.users,
            mention_roles: mentions.roles,
            mention_everyone: mentions.everyone,
            pinged: mentions.pinged,
            nonce: json["nonce"].clone(),
            ..Message::default()
        })
    }

    pub fn create_message(&mut self, id: &str, body: Body) -> Answer {
        let channel = self.channel_for(id, 0)?.clone();
        let needed = if channel.kind.is_thread() { SEND_IN_THREADS } else { SEND };
        let needed = needed | if body.files.is_empty() { 0 } else { ATTACH };
        let needed = needed | if body.json["message_reference"].is_object() { READ_HISTORY } else { 0 };
        self.channel_for(id, needed)?;
        if matches!(channel.kind, Kind::Forum | Kind::Category) {
            return Err(NO_TEXT_CHANNEL.into());
        }
        if channel.recipients.iter().any(|r| self.users.get(r).is_some_and(|u| u.closed)) {
            return Err(CLOSED_DM.into());
        }
        if channel.locked && self.permissions(BOT, &channel) & MANAGE_THREADS == 0 {
            return Err(if channel.archived { ARCHIVED.into() } else { LOCKED.into() });
        }
        if body.json["enforce_nonce"] == true
            && let Some(nonce) = body.json.get("nonce").filter(|n| !n.is_null())
        {
            // The same message again within some minutes is the one that is there.
            let now = self.millis();
            let all = self.messages.get(id).into_iter().flat_map(std::collections::BTreeMap::values);
            let mut same = all.filter(|m| m.author == BOT && m.nonce == *nonce && now - born(&m.id) < 300_000);
            if let Some(found) = same.next_back() {
                return ok(self.message_json(found));
            }
        }
        if body.json["flags"].as_u64().unwrap_or_default() & EPHEMERAL != 0 {
            self.fault("a channel's message is not for one alone: its flag is ignored");
        }
        let message = self.composed("", id, &body.json, body.files)?;
        let made = self.insert(message);
        ok(self.message(id, &made).map(|m| self.message_json(m)).unwrap_or_default())
    }

    /// A message that a channel's routes can reach.
    fn reachable(&self, channel: &str, id: &str) -> Result<&Message, Refusal> {
        self.message(channel, id).filter(|m| m.only_for.is_none()).ok_or_else(|| UNKNOWN_MESSAGE.into())
    }

    pub fn get_message(&self, channel: &str, id: &str) -> Answer {
        self.channel_for(channel, READ_HISTORY)?;
        ok(self.readable(self.reachable(channel, id)?))
    }

    /// As who may not read contents gets it.
    fn readable(&self, message: &Message) -> Value {
        let mut shown = self.message_json(message);
        if self.rules.message_content {
            return shown;
        }
        let guild = self.guild_of(&message.channel).map(|g| g.id.clone());
        shown["guild_id"] = json!(guild);
        let mut shown = self.without_content(shown);
        if let Some(object) = shown.as_object_mut() {
            object.remove("guild_id");
        }
        shown
    }

    pub fn list_messages(&self, id: &str, request: &Request<'_>) -> Answer {
        let channel = self.channel_for(id, 0)?;
        let limit = request.number("limit", 50, 100)?;
        if self.permissions(BOT, channel) & READ_HISTORY == 0 {
            return ok(json!([]));
        }
        let all = self.messages.get(id).into_iter().flat_map(|m| m.values()).filter(|m| m.only_for.is_none());
        let all: Vec<&Message> = all.collect();
        let place = |key: &str| request.query(key).map(|id| number(&id));
        if [place("before"), place("after"), place("around")].iter().flatten().count() > 1 {
            return Err(Refusal::form("/before", "BASE_TYPE_CHOICES", "before, after and around exclude each other"));
        }
        let mut found: Vec<&Message> = if let Some(after) = place("after") {
            all.into_iter().filter(|m| number(&m.id) > after).take(limit).collect()
        } else if let Some(around) = place("around") {
            let middle = all.partition_point(|m| number(&m.id) < around);
            let from = middle.saturating_sub(limit / 2);
            all.into_iter().skip(from).take(limit).collect()
        } else {
            let before = place("before").unwrap_or(u64::MAX);
            let older: Vec<&Message> = all.into_iter().filter(|m| number(&m.id) < before).collect();
            let from = older.len().saturating_sub(limit);
            older[from..].to_vec()
        };
        found.reverse();
        ok(found.into_iter().map(|m| self.readable(m)).collect())
    }

    pub fn edit_message(&mut self, channel: &str, id: &str, body: Body) -> Answer {
        let place = self.channel_for(channel, 0)?.clone();
        let message = self.reachable(channel, id)?.clone();
        if place.archived {
            return Err(ARCHIVED.into());
        }
        if message.author != BOT {
            let flags_only = body.json.as_object().is_some_and(|o| o.keys().all(|k| k == "flags"));
            if !flags_only {
                return Err(NOT_THE_AUTHOR.into());
            }
            self.channel_for(channel, MANAGE_MESSAGES)?;
        }
        if !matches!(message.kind, 0 | 19 | 20 | 23) {
            return Err(SYSTEM_MESSAGE.into());
        }
        if !body.files.is_empty() {
            self.channel_for(channel, ATTACH)?;
        }
        self.amend(channel, id, "", &body.json, body.files)?;
        ok(self.message(channel, id).map(|m| self.message_json(m)).unwrap_or_default())
    }

    /// Changes a message by what a body names, and tells of it.
    pub fn amend(&mut self, channel: &str, id: &str, at: &str, json: &Value, uploads: Vec<Upload>) -> Result<(), Refusal> {
        let before = self.message(channel, id).cloned().ok_or(UNKNOWN_MESSAGE)?;
        limits::message(&self.rules, at, json, &uploads, &before.files)?;
        let mut message = before.clone();
        if let Some(content) = json.get("content") {
            message.content = content.as_str().unwrap_or_default().trim().to_owned();
        }
        for (key, field) in [("embeds", &mut message.embeds), ("components", &mut message.components)] {
            if let Some(value) = json.get(key) {
                *field = value.clone();
            }
        }
        let listed = json["attachments"]
            .as_array()
            .map(|l| l.iter().filter(|a| before.files.iter().any(|f| a["id"] == f.as_str())).count());
        let files = listed.unwrap_or(before.files.len()) + uploads.len();
        if Self::is_empty(&message.content, &message.embeds, &message.components, files) {
            return Err(EMPTY_MESSAGE.into());
        }
        let now = self.millis();
        if now - born(id) > u64::try_from(self.rules.old_message.as_millis()).unwrap_or(u64::MAX) {
            let (at, rate) = (self.now(), self.rules.old_edits);
            message.old_edits.retain(|edit| at.duration_since(*edit) < rate.window);
            if message.old_edits.len() >= rate.calls {
                return Err(OLD_EDITS.into());
            }
            message.old_edits.push_back(at);
        }
        let fills = Self::is_loading(&before);
        let mentions = self.mentions(&message.content, &json["allowed_mentions"], None);
        (message.mentions, message.mention_roles, message.mention_everyone) = (mentions.users, mentions.roles, mentions.everyone);
        if fills {
            message.flags &= !LOADING;
            message.pinged = mentions.pinged;
        } else {
            message.edited = Some(now);
            message.edits += 1;
        }
        if let Some(flags) = json["flags"].as_u64() {
            message.flags = message.flags & !SUPPRESS_EMBEDS | flags & SUPPRESS_EMBEDS;
        }
        message.files = self.attach(channel, json, uploads, &before.files);
        let hidden = message.only_for.is_some();
        self.messages.entry(channel.into()).or_default().insert(id.into(), message);
        if !hidden {
            self.tell_message("MESSAGE_UPDATE", channel, id);
        }
        Ok(())
    }

    pub fn delete_message(&mut self, channel: &str, id: &str) -> Answer {
        self.channel_for(channel, 0)?;
        let message = self.reachable(channel, id)?;
        if message.author != BOT {
            self.guild_channel_for(channel, MANAGE_MESSAGES)?;
        }
        self.erase(channel, id);
        NOTHING
    }

    /// A message is gone, whoever deleted it.
    pub fn erase(&mut self, channel: &str, id: &str) {
        let Some(gone) = self.messages.get_mut(channel).and_then(|all| all.remove(id)) else { return };
        if gone.only_for.is_some() {
            return;
        }
        if let Some(place) = self.channels.get_mut(channel) {
            place.message_count = place.message_count.saturating_sub(1);
        }
        self.tell_deleted(channel, &[id.to_owned()]);
    }

    pub fn bulk_delete(&mut self, channel: &str, json: &Value) -> Answer {
        self.guild_channel_for(channel, MANAGE_MESSAGES)?;
        let ids: Vec<String> =
            json["messages"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        let two_weeks = 14 * 86_400_000;
        if ids.iter().any(|id| self.millis().saturating_sub(born(id)) > two_weeks) {
            return Err(Refusal {
                status: 400,
                code: 50_034,
                message: "A message provided was too old to bulk delete".into(),
                ..Refusal::default()
            });
        }
        let gone: Vec<String> =
            ids.into_iter().filter(|id| self.messages.get_mut(channel).is_some_and(|all| all.remove(id).is_some())).collect();
        self.tell_deleted(channel, &gone);
        NOTHING
    }

    pub fn list_pins(&self, channel: &str, request: &Request<'_>) -> Answer {
        self.channel_for(channel, READ_HISTORY)?;
        let pinned = self.messages.get(channel).into_iter().flat_map(|m| m.values().rev()).filter(|m| m.pinned);
        if request.path.ends_with("/messages/pins") {
            let item = |m: &Message| json!({ "pinned_at": stamp(born(&m.id)), "message": self.readable(m) });
            return ok(json!({ "items": pinned.map(item).collect::<Vec<_>>(), "has_more": false }));
        }
        ok(pinned.map(|m| self.readable(m)).collect())
    }

    pub fn pin(&mut self, channel: &str, id: &str, pinned: bool) -> Answer {
        let place = self.channel_for(channel, 0)?;
        if self.permissions(BOT, place) & (PIN | MANAGE_MESSAGES) == 0 {
            return Err(MISSING_PERMISSIONS.into());
        }
        self.reachable(channel, id)?;
        if let Some(message) = self.message_mut(channel, id) {
            message.pinned = pinned;
        }
        self.tell_message("MESSAGE_UPDATE", channel, id);
        self.tell_pins(channel);
        NOTHING
    }

    pub fn react(&mut self, channel: &str, id: &str, emoji: &str) -> Answer {
        let archived = self.channel_for(channel, READ_HISTORY | ADD_REACTIONS)?.archived;
        self.reachable(channel, id)?;
        if archived {
            return Err(ARCHIVED.into());
        }
        let emoji = decoded(emoji);
        if emoji.is_ascii() && !emoji.contains(':') {
            return Err(Refusal { status: 400, code: 10_014, message: "Unknown Emoji".into(), ..Refusal::default() });
        }
        self.add_reaction(channel, id, BOT, &emoji);
        NOTHING
    }

    pub fn add_reaction(&mut self, channel: &str, id: &str, user: &str, emoji: &str) {
        let Some(message) = self.message_mut(channel, id) else { return };
        let reaction = (emoji.to_owned(), user.to_owned());
        if !message.reactions.contains(&reaction) {
            message.reactions.push(reaction);
            message.reactions.sort();
            self.tell_reaction("MESSAGE_REACTION_ADD", channel, id, user, emoji);
        }
    }

    pub fn unreact(&mut self, channel: &str, id: &str, emoji: &str, user: &str) -> Answer {
        self.channel_for(channel, READ_HISTORY)?;
        self.reachable(channel, id)?;
        let emoji = decoded(emoji);
        if let Some(message) = self.message_mut(channel, id) {
            message.reactions.retain(|(e, u)| *e != emoji || u != user);
        }
        self.tell_reaction("MESSAGE_REACTION_REMOVE", channel, id, user, &emoji);
        NOTHING
    }

    pub fn type_in(&mut self, channel: &str) -> Answer {
        let thread = self.channel_for(channel, 0)?.kind.is_thread();
        self.channel_for(channel, if thread { SEND_IN_THREADS } else { SEND })?;
        let now = self.now();
        self.typing.insert(channel.into(), now);
        self.typed.push(channel.into());
        NOTHING
    }
}

/// `%F0%9F%91%8D` is a thumb.
pub fn decoded(text: &str) -> String {
    reqwest::Url::parse(&format!("http://e/?e={text}"))
        .ok()
        .and_then(|url| url.query_pairs().next().map(|(_, v)| v.into_owned()))
        .unwrap_or_default()
}
