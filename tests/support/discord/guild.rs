//! Guilds, their members and roles, and direct conversations, as the bot may ask for them.
//!
//! Absence: what a bot would change of a guild; ours changes nothing there.

use serde_json::{Value, json};

use super::dispatch::Request;
use super::refusal::{Answer, Refusal, UNKNOWN_GUILD, UNKNOWN_MEMBER, UNKNOWN_USER, ok};
use super::state::{BOT, Guild, Kind, State, number};

impl State {
    /// A guild that the bot is in. That there are others is not told.
    pub fn guild(&self, id: &str) -> Result<&Guild, Refusal> {
        self.guilds.get(id).filter(|g| g.members.contains_key(BOT)).ok_or_else(|| UNKNOWN_GUILD.into())
    }

    pub fn get_guild(&self, id: &str) -> Answer {
        ok(self.guild_json(self.guild(id)?))
    }

    pub fn my_guilds(&self) -> Answer {
        let mine = self.guilds.values().filter(|g| g.members.contains_key(BOT));
        let shown = mine.map(|g| {
            json!({ "id": g.id, "name": g.name, "icon": null, "banner": null, "owner": false, "permissions": "0", "features": [] })
        });
        ok(shown.collect())
    }

    pub fn guild_channels(&self, id: &str) -> Answer {
        self.guild(id)?;
        let here = self.channels.values().filter(|c| c.guild.as_deref() == Some(id) && !c.kind.is_thread());
        ok(here.map(|c| self.channel_json(c)).collect())
    }

    pub fn guild_roles(&self, id: &str) -> Answer {
        ok(self.guild(id)?.roles.values().map(super::state::Role::json).collect())
    }

    pub fn guild_member(&self, id: &str, user: &str) -> Answer {
        let guild = self.guild(id)?;
        if !self.users.contains_key(user) {
            return Err(UNKNOWN_USER.into());
        }
        ok(self.member_json(guild, user).ok_or(UNKNOWN_MEMBER)?)
    }

    /// Only with the privileged intent.
    pub fn guild_members(&self, id: &str, request: &Request<'_>) -> Answer {
        let guild = self.guild(id)?;
        if !self.rules.members {
            return Err(super::refusal::MISSING_ACCESS.into());
        }
        let limit = request.number("limit", 1, 1_000)?;
        let after = request.query("after").map_or(0, |id| number(&id));
        let found = guild.members.keys().filter(|user| number(user) > after).take(limit);
        ok(found.filter_map(|user| self.member_json(guild, user)).collect())
    }

    pub fn search_members(&self, id: &str, request: &Request<'_>) -> Answer {
        let guild = self.guild(id)?;
        let limit = request.number("limit", 1, 1_000)?;
        let query = request.query("query").unwrap_or_default().to_lowercase();
        let fits = |user: &&String| self.users.get(*user).is_some_and(|u| u.name.to_lowercase().starts_with(&query));
        ok(guild.members.keys().filter(fits).take(limit).filter_map(|user| self.member_json(guild, user)).collect())
    }

    pub fn open_dm(&mut self, json: &Value) -> Answer {
        let user = json["recipient_id"].as_str().unwrap_or_default().to_owned();
        let person = self.users.get(&user).ok_or_else(|| Refusal::form("/recipient_id", "BASE_TYPE_REQUIRED", "Unknown user"))?;
        if person.is_bot {
            return Err(super::refusal::CLOSED_DM.into());
        }
        let known = self.channels.values().any(|c| c.kind == Kind::Dm && c.recipients == [user.clone()]);
        let id = self.dm(&user);
        if !known {
            self.tell_channel("CHANNEL_CREATE", &id);
        }
        ok(self.channel_json(&self.channels[&id]))
    }
}
