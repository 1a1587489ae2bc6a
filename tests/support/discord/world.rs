//! What happens to Discord: guilds, channels, people, roles, tokens; and to its gateway.
//!
//! Absence: what one user does is in `user`, `typed` and `click`.

use serde_json::json;

use super::permissions::{EVERYONE, INVITED};
use super::state::{BOT, BOT_ROLE, Channel, Frame, GUILD, Guild, Kind, Member, Message, Overwrite, Person, Role, State, TOKEN};
use super::{Discord, Rules, User};

const OWNER: &str = "1100000000000000900";

impl State {
    /// One guild with its owner, and the bot in it.
    pub fn new(rules: Rules, base_url: String) -> Self {
        let mut state = Self::default();
        (state.rules, state.base_url) = (rules, base_url);
        state.person(BOT, "gaggle", true);
        state.person(OWNER, "owner", false);
        state.found_guild(GUILD, "Team");
        state
    }

    fn person(&mut self, id: &str, name: &str, is_bot: bool) {
        let mut letters = name.chars();
        let display_name: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        self.users.insert(id.into(), Person { id: id.into(), name: name.into(), display_name, is_bot, closed: false });
    }

    fn found_guild(&mut self, id: &str, name: &str) {
        let role = |id: &str, name: &str, permissions| Role { id: id.into(), name: name.into(), permissions, mentionable: false };
        let bot_role = if id == GUILD { BOT_ROLE.to_owned() } else { self.snowflake() };
        let roles = [role(id, "@everyone", EVERYONE), role(&bot_role, "gaggle", EVERYONE | INVITED)];
        let members = [(OWNER, Vec::new()), (BOT, vec![bot_role])];
        let guild = Guild {
            id: id.into(),
            name: name.into(),
            owner: OWNER.into(),
            roles: roles.into_iter().map(|r| (r.id.clone(), r)).collect(),
            members: members.into_iter().map(|(id, roles)| (id.into(), Member { roles, nick: None })).collect(),
        };
        self.guilds.insert(id.into(), guild);
    }

    fn add_channel(&mut self, guild: &str, name: &str, kind: Kind) -> String {
        let id = self.snowflake();
        let channel = Channel { id: id.clone(), kind, guild: Some(guild.into()), name: name.into(), ..Channel::default() };
        self.channels.insert(id.clone(), channel);
        self.tell_channel("CHANNEL_CREATE", &id);
        id
    }
}

impl Discord {
    /// A person of the guild, made at the first mention.
    pub fn user(&self, name: &str) -> User {
        let id = self.change(|s| {
            if let Some(known) = s.users.values().find(|u| u.name == name) {
                return known.id.clone();
            }
            let id = s.snowflake();
            s.person(&id, name, false);
            if let Some(guild) = s.guilds.get_mut(GUILD) {
                guild.members.insert(id.clone(), Member::default());
            }
            s.tell_member("GUILD_MEMBER_ADD", GUILD, &id);
            id
        });
        User { discord: self.clone(), id }
    }

    /// A text channel of the guild; its id.
    pub fn channel(&self, name: &str) -> String {
        self.change(|s| s.add_channel(GUILD, name, Kind::Text))
    }

    pub fn forum(&self, name: &str) -> String {
        self.change(|s| s.add_channel(GUILD, name, Kind::Forum))
    }

    /// A text channel that only these people see, and the bot if it is to.
    pub fn private_channel(&self, name: &str, people: &[&User], with_bot: bool) -> String {
        let id = self.channel(name);
        let mut overwrites = vec![Overwrite { id: GUILD.into(), member: false, allow: 0, deny: super::permissions::VIEW }];
        let bot = with_bot.then(|| BOT.to_owned());
        for id in people.iter().map(|user| user.id.clone()).chain(bot) {
            overwrites.push(Overwrite { id, member: true, allow: super::permissions::VIEW, deny: 0 });
        }
        self.overwrite(&id, overwrites);
        id
    }

    /// Who may do what in that channel, from now on.
    pub fn overwrite(&self, channel: &str, overwrites: Vec<Overwrite>) {
        self.change(|s| {
            let before = s.channels.get(channel).is_some_and(|c| s.may_see(BOT, c));
            if let Some(channel) = s.channels.get_mut(channel) {
                channel.overwrites = overwrites;
            }
            let after = s.channels.get(channel).is_some_and(|c| s.may_see(BOT, c));
            match (before, after) {
                (false, true) => {
                    s.tell_channel("CHANNEL_CREATE", channel);
                    s.tell_threads(channel);
                }
                (true, false) => {
                    let shown = s.channel_json(&s.channels[channel]);
                    let guild = s.channels[channel].guild.clone();
                    s.emit("CHANNEL_DELETE", super::events::GUILDS, guild.as_deref(), &shown);
                }
                _ => s.tell_channel("CHANNEL_UPDATE", channel),
            }
        });
    }

    /// The bot may not do that any more in this channel.
    pub fn forbid(&self, channel: &str, permissions: u64) {
        self.overwrite(channel, vec![Overwrite { id: BOT.into(), member: true, allow: 0, deny: permissions }]);
    }

    pub fn delete_channel(&self, channel: &str) {
        self.change(|s| s.remove_channel(channel));
    }

    /// A thread is closed for everybody but those who manage it.
    pub fn lock(&self, thread: &str, archived: bool) {
        self.change(|s| {
            if let Some(thread) = s.channels.get_mut(thread) {
                (thread.locked, thread.archived) = (true, archived);
            }
            s.tell_channel("THREAD_UPDATE", thread);
        });
    }

    /// A further guild; its id.
    pub fn guild(&self, name: &str, with_bot: bool) -> String {
        self.change(|s| {
            let id = s.snowflake();
            s.found_guild(&id, name);
            if with_bot {
                let shown = s.whole_guild(&s.guilds[&id]);
                s.emit("GUILD_CREATE", super::events::GUILDS, Some(&id), &shown);
            } else if let Some(guild) = s.guilds.get_mut(&id) {
                guild.members.remove(BOT);
            }
            id
        })
    }

    /// The bot is removed from a guild.
    pub fn kick(&self, guild: &str) {
        self.change(|s| {
            if let Some(guild) = s.guilds.get_mut(guild) {
                guild.members.remove(BOT);
            }
            s.emit("GUILD_DELETE", super::events::GUILDS, Some(guild), &json!({ "id": guild }));
        });
    }

    /// A role of the guild, made at the first mention; its id.
    pub fn role(&self, name: &str, permissions: u64) -> String {
        self.change(|s| {
            let known = s.guilds[GUILD].roles.values().find(|r| r.name == name).map(|r| r.id.clone());
            known.unwrap_or_else(|| {
                let id = s.snowflake();
                let role = Role { id: id.clone(), name: name.into(), permissions, mentionable: true };
                s.guilds.get_mut(GUILD).expect("a guild").roles.insert(id.clone(), role);
                s.tell_role("GUILD_ROLE_CREATE", GUILD, &id);
                id
            })
        })
    }

    /// Gives somebody these roles and no others.
    pub fn give(&self, user: &User, roles: &[&str]) {
        self.change(|s| {
            let guild = s.guilds.get_mut(GUILD).expect("a guild");
            guild.members.entry(user.id.clone()).or_default().roles = roles.iter().map(|r| (*r).to_owned()).collect();
            s.tell_member("GUILD_MEMBER_UPDATE", GUILD, &user.id);
        });
    }

    pub fn leaves(&self, user: &User) {
        self.change(|s| {
            if let Some(guild) = s.guilds.get_mut(GUILD) {
                guild.members.remove(&user.id);
            }
            let event = json!({ "guild_id": GUILD, "user": s.user_json(&user.id) });
            s.emit("GUILD_MEMBER_REMOVE", super::events::MEMBERS, Some(GUILD), &event);
        });
    }

    /// They take no direct messages any more.
    pub fn closes_dms(&self, user: &User) {
        self.change(|s| {
            if let Some(person) = s.users.get_mut(&user.id) {
                person.closed = true;
            }
        });
    }

    /// Another bot writes.
    pub fn bot_says(&self, channel: &str, text: &str) -> String {
        self.change(|s| {
            const OTHER: &str = "1100000000000000950";
            s.person(OTHER, "otherbot", true);
            s.insert(Message { channel: channel.into(), author: OTHER.into(), content: text.into(), ..Message::default() })
        })
    }

    /// Calls with the bot's token fail from now on, and so do its connections.
    pub fn revoke_token(&self) {
        self.change(|s| s.token_revoked = true);
        self.close_links(4004);
    }

    /// An event of any kind, as it is, for every session.
    pub fn event(&self, name: &str, data: serde_json::Value) {
        self.change(|s| s.emit(name, 0, None, &data));
    }

    /// A frame of any kind for every connection.
    pub fn frame(&self, frame: &serde_json::Value) {
        self.change(|s| s.links.values().for_each(|link| drop(link.send(Frame::Text(frame.to_string())))));
    }

    /// Without a word; the sessions can be resumed.
    pub fn cut_links(&self) {
        self.change(|s| s.links.values().for_each(|link| drop(link.send(Frame::Cut))));
    }

    pub fn close_links(&self, code: u16) {
        self.change(|s| s.links.values().for_each(|link| drop(link.send(Frame::Close(code)))));
    }

    /// Opcode 7: to connect again, and resume.
    pub fn reconnect(&self) {
        self.frame(&json!({ "op": 7, "s": null, "t": null, "d": null }));
    }

    /// Opcode 9: the session is over, or may be resumed.
    pub fn invalidate(&self, resumable: bool) {
        self.change(|s| {
            if !resumable {
                s.sessions.clear();
            }
        });
        self.frame(&json!({ "op": 9, "s": null, "t": null, "d": resumable }));
    }

    /// What was lost cannot be resumed any more.
    pub fn forget_sessions(&self) {
        self.change(|s| s.sessions.retain(|_, session| session.link.is_some()));
    }

    pub fn refuse_links(&self, refuse: bool) {
        self.change(|s| s.refuse_links = refuse);
    }

    /// Heartbeats are answered no more, or again.
    pub fn deaf(&self, deaf: bool) {
        self.change(|s| s.deaf = deaf);
    }

    /// Each event comes this often.
    pub fn repeat_events(&self, times: usize) {
        self.change(|s| s.repeat = times);
    }

    /// Waits for a session that listens.
    pub async fn connected(&self) {
        self.wait("a session", |s| s.sessions.values().any(|session| session.link.is_some()).then_some(())).await;
    }
}
