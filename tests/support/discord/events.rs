//! What happens in Discord, as sessions are told of it: filtered by intents, numbered, and kept to be told again.
//!
//! Invariant: an event goes to every session under the same lock as the change that it tells of.

use serde_json::{Value, json};

use super::state::{BOT, Channel, Frame, Kind, Session, State, number};

pub const GUILDS: u64 = 1;
pub const MEMBERS: u64 = 1 << 1;
pub const PRESENCES: u64 = 1 << 8;
pub const GUILD_MESSAGES: u64 = 1 << 9;
pub const GUILD_REACTIONS: u64 = 1 << 10;
pub const GUILD_TYPING: u64 = 1 << 11;
pub const DIRECT_MESSAGES: u64 = 1 << 12;
pub const DIRECT_REACTIONS: u64 = 1 << 13;
pub const DIRECT_TYPING: u64 = 1 << 14;
pub const CONTENT: u64 = 1 << 15;
/// Every intent that there is.
pub const ALL: u64 = ((1 << 17) - 1) | (1 << 20) | (1 << 21) | (1 << 24) | (1 << 25);

/// Events that are kept for a session that is away.
const KEPT: usize = 10_000;

impl Session {
    /// Numbers an event, keeps it, and sends it if somebody listens.
    pub fn tell(&mut self, name: &str, data: &Value) {
        self.seq += 1;
        let text = json!({ "op": 0, "t": name, "s": self.seq, "d": data }).to_string();
        self.log.push_back((self.seq, text.clone()));
        if self.log.len() > KEPT {
            self.log.pop_front();
        }
        if let Some((_, sender)) = &self.link {
            let _ = sender.send(Frame::Text(text));
        }
    }
}

impl State {
    /// An event for sessions with that intent (0: for all) that have the guild's shard.
    pub fn emit(&mut self, name: &str, intent: u64, guild: Option<&str>, data: &Value) {
        let member =
            guild.is_none_or(|id| self.guilds.get(id).is_some_and(|g| g.members.contains_key(BOT)) || name == "GUILD_DELETE");
        if !member {
            return;
        }
        let times = self.repeat.max(1);
        let bare = if name.starts_with("MESSAGE_") && data["author"].is_object() {
            self.without_content(data.clone())
        } else {
            data.clone()
        };
        for session in self.sessions.values_mut() {
            let (shard, shards) = session.shard;
            // Direct messages and what else has no guild go to the first.
            let here = guild.map_or(shard == 0, |id| (number(id) >> 22) % shards.max(1) == shard);
            if !here || intent != 0 && session.intents & intent == 0 {
                continue;
            }
            for _ in 0..times {
                session.tell(name, if session.intents & CONTENT == 0 { &bare } else { data });
            }
        }
    }

    /// Intent and guild of what happens in a channel, if the bot is told of it at all.
    fn told_in(&self, channel: &str, guild_intent: u64, direct_intent: u64) -> Option<(u64, Option<String>)> {
        let channel = self.channels.get(channel)?;
        if !self.may_see(BOT, channel) {
            return None;
        }
        Some((if channel.kind == Kind::Dm { direct_intent } else { guild_intent }, channel.guild.clone()))
    }

    pub fn tell_message(&mut self, name: &str, channel: &str, id: &str) {
        let Some((intent, guild)) = self.told_in(channel, GUILD_MESSAGES, DIRECT_MESSAGES) else { return };
        let Some(message) = self.message(channel, id).filter(|m| m.only_for.is_none()) else { return };
        let shown = self.message_event(message);
        self.emit(name, intent, guild.as_deref(), &shown);
    }

    pub fn tell_deleted(&mut self, channel: &str, ids: &[String]) {
        let Some((intent, guild)) = self.told_in(channel, GUILD_MESSAGES, DIRECT_MESSAGES) else { return };
        let (name, mut event) = match ids {
            [] => return,
            [id] => ("MESSAGE_DELETE", json!({ "id": id, "channel_id": channel })),
            ids => ("MESSAGE_DELETE_BULK", json!({ "ids": ids, "channel_id": channel })),
        };
        if let Some(guild) = &guild {
            event["guild_id"] = json!(guild);
        }
        self.emit(name, intent, guild.as_deref(), &event);
    }

    pub fn tell_channel(&mut self, name: &str, id: &str) {
        let Some((_, guild)) = self.told_in(id, GUILDS, 0) else { return };
        let channel = &self.channels[id];
        let mut shown = self.channel_json(channel);
        if name == "THREAD_CREATE" {
            shown["newly_created"] = json!(true);
        }
        let intent = if channel.kind == Kind::Dm { DIRECT_MESSAGES } else { GUILDS };
        self.emit(name, intent, guild.as_deref(), &shown);
    }

    pub fn tell_thread_gone(&mut self, thread: &Channel) {
        let event = json!({ "id": thread.id, "guild_id": thread.guild, "parent_id": thread.parent, "type": thread.kind as u64 });
        self.emit("THREAD_DELETE", GUILDS, thread.guild.as_deref(), &event);
    }

    /// Who came to a thread, and who left it: of the bot itself, or of all with the intent for it.
    pub fn tell_members(&mut self, id: &str, added: &[String], removed: &[String]) {
        let Some(thread) = self.channels.get(id).cloned() else { return };
        let Some(guild) = thread.guild.as_ref().and_then(|g| self.guilds.get(g)) else { return };
        let own = added.iter().chain(removed).any(|user| user == BOT);
        let shown: Vec<Value> = added
            .iter()
            .map(|user| {
                let mut member = self.thread_member(&thread, user);
                member["member"] = self.member_json(guild, user).unwrap_or_default();
                member["presence"] = Value::Null;
                member
            })
            .collect();
        let mut event = json!({ "id": id, "guild_id": thread.guild, "member_count": thread.members.len().min(50) });
        if !shown.is_empty() {
            event["added_members"] = shown.into();
        }
        if !removed.is_empty() {
            event["removed_member_ids"] = json!(removed);
        }
        self.emit("THREAD_MEMBERS_UPDATE", if own { GUILDS | MEMBERS } else { MEMBERS }, thread.guild.as_deref(), &event);
    }

    /// All open threads of a channel that the bot sees anew.
    pub fn tell_threads(&mut self, channel: &str) {
        let Some(guild) = self.channels.get(channel).and_then(|c| c.guild.clone()) else { return };
        let open =
            |c: &&Channel| c.parent.as_deref() == Some(channel) && c.kind.is_thread() && !c.archived && self.may_see(BOT, c);
        let threads: Vec<&Channel> = self.channels.values().filter(open).collect();
        let members: Vec<Value> =
            threads.iter().filter(|t| t.members.contains(BOT)).map(|t| self.thread_member(t, BOT)).collect();
        let event = json!({
            "guild_id": guild, "channel_ids": [channel], "threads": threads.iter().map(|t| self.channel_json(t)).collect::<Vec<_>>(),
            "members": members,
        });
        self.emit("THREAD_LIST_SYNC", GUILDS, Some(&guild), &event);
    }

    pub fn tell_pins(&mut self, channel: &str) {
        let Some((_, guild)) = self.told_in(channel, GUILDS, DIRECT_MESSAGES) else { return };
        let mut event = json!({ "channel_id": channel, "last_pin_timestamp": null });
        if let Some(guild) = &guild {
            event["guild_id"] = json!(guild);
        }
        let intent = if guild.is_some() { GUILDS } else { DIRECT_MESSAGES };
        self.emit("CHANNEL_PINS_UPDATE", intent, guild.as_deref(), &event);
    }

    pub fn tell_reaction(&mut self, name: &str, channel: &str, id: &str, user: &str, emoji: &str) {
        let Some((intent, guild)) = self.told_in(channel, GUILD_REACTIONS, DIRECT_REACTIONS) else { return };
        let mut event = json!({
            "user_id": user, "channel_id": channel, "message_id": id, "emoji": { "id": null, "name": emoji }, "burst": false, "type": 0,
        });
        if let Some(guild) = &guild {
            event["guild_id"] = json!(guild);
            if let Some(member) = self.guilds.get(guild).and_then(|g| self.member_json(g, user)) {
                event["member"] = member;
            }
        }
        self.emit(name, intent, guild.as_deref(), &event);
    }

    pub fn tell_typing(&mut self, channel: &str, user: &str) {
        let Some((intent, guild)) = self.told_in(channel, GUILD_TYPING, DIRECT_TYPING) else { return };
        let mut event = json!({ "channel_id": channel, "user_id": user, "timestamp": self.millis() / 1_000 });
        if let Some(guild) = &guild {
            event["guild_id"] = json!(guild);
            if let Some(member) = self.guilds.get(guild).and_then(|g| self.member_json(g, user)) {
                event["member"] = member;
            }
        }
        self.emit("TYPING_START", intent, guild.as_deref(), &event);
    }

    pub fn tell_member(&mut self, name: &str, guild: &str, user: &str) {
        let Some(shown) = self.guilds.get(guild).and_then(|g| self.member_json(g, user)) else { return };
        let mut event = shown;
        event["guild_id"] = json!(guild);
        self.emit(name, MEMBERS, Some(guild), &event);
    }

    pub fn tell_role(&mut self, name: &str, guild: &str, role: &str) {
        let Some(shown) = self.guilds.get(guild).and_then(|g| g.roles.get(role)).map(super::state::Role::json) else { return };
        self.emit(name, GUILDS, Some(guild), &json!({ "guild_id": guild, "role": shown }));
    }
}
