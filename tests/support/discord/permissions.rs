//! What somebody may do in a channel: roles, overwrites, and the refusals that come of it.
//!
//! Absence: time-outs and the order of roles, which no bot of ours meets.

use super::refusal::{CANNOT_IN_DM, MISSING_ACCESS, MISSING_PERMISSIONS, Refusal, UNKNOWN_CHANNEL};
use super::state::{BOT, Channel, Kind, State};

pub const ADMINISTRATOR: u64 = 1 << 3;
pub const MANAGE_CHANNELS: u64 = 1 << 4;
pub const ADD_REACTIONS: u64 = 1 << 6;
pub const VIEW: u64 = 1 << 10;
pub const SEND: u64 = 1 << 11;
pub const MANAGE_MESSAGES: u64 = 1 << 13;
pub const EMBED: u64 = 1 << 14;
pub const ATTACH: u64 = 1 << 15;
pub const READ_HISTORY: u64 = 1 << 16;
pub const MENTION_EVERYONE: u64 = 1 << 17;
pub const MANAGE_ROLES: u64 = 1 << 28;
pub const USE_COMMANDS: u64 = 1 << 31;
pub const MANAGE_THREADS: u64 = 1 << 34;
pub const PUBLIC_THREADS: u64 = 1 << 35;
pub const PRIVATE_THREADS: u64 = 1 << 36;
pub const SEND_IN_THREADS: u64 = 1 << 38;
pub const PIN: u64 = 1 << 51;
pub const EVERYTHING: u64 = (1 << 53) - 1;

/// What everybody may in a new guild.
pub const EVERYONE: u64 = VIEW
    | SEND
    | EMBED
    | ATTACH
    | READ_HISTORY
    | ADD_REACTIONS
    | USE_COMMANDS
    | PUBLIC_THREADS
    | PRIVATE_THREADS
    | SEND_IN_THREADS;
/// What the bot was invited with besides.
pub const INVITED: u64 = MANAGE_THREADS | MENTION_EVERYONE;

pub fn bits(permissions: u64) -> String {
    permissions.to_string()
}

impl State {
    /// What a user may do there; of a thread its parent decides.
    pub fn permissions(&self, user: &str, channel: &Channel) -> u64 {
        let place = match &channel.parent {
            Some(parent) if channel.kind.is_thread() => self.channels.get(parent).unwrap_or(channel),
            _ => channel,
        };
        let Some(guild) = place.guild.as_ref().and_then(|id| self.guilds.get(id)) else {
            return if channel.recipients.iter().any(|r| r == user) || user == BOT { EVERYTHING } else { 0 };
        };
        let Some(member) = guild.members.get(user) else { return 0 };
        if guild.owner == user {
            return EVERYTHING;
        }
        let held = |id: &String| guild.roles.get(id).map_or(0, |role| role.permissions);
        let mut all = held(&guild.id) | member.roles.iter().map(held).fold(0, |a, b| a | b);
        if all & ADMINISTRATOR != 0 {
            return EVERYTHING;
        }
        let mut apply = |fits: &dyn Fn(&super::state::Overwrite) -> bool| {
            let (mut allow, mut deny) = (0, 0);
            for overwrite in place.overwrites.iter().filter(|o| fits(o)) {
                allow |= overwrite.allow;
                deny |= overwrite.deny;
            }
            all = all & !deny | allow;
        };
        apply(&|o| !o.member && o.id == guild.id);
        apply(&|o| !o.member && o.id != guild.id && member.roles.contains(&o.id));
        apply(&|o| o.member && o.id == user);
        all
    }

    pub fn may_see(&self, user: &str, channel: &Channel) -> bool {
        if channel.kind == Kind::PrivateThread
            && !channel.members.contains(user)
            && self.permissions(user, channel) & MANAGE_THREADS == 0
        {
            return false;
        }
        self.permissions(user, channel) & VIEW != 0
    }

    /// The channel, if the bot may do all that there.
    pub fn channel_for(&self, id: &str, needed: u64) -> Result<&Channel, Refusal> {
        let channel = self.channels.get(id).ok_or(UNKNOWN_CHANNEL)?;
        if !self.may_see(BOT, channel) {
            return Err(MISSING_ACCESS.into());
        }
        if self.permissions(BOT, channel) & needed != needed {
            return Err(MISSING_PERMISSIONS.into());
        }
        Ok(channel)
    }

    /// … and it is no direct conversation.
    pub fn guild_channel_for(&self, id: &str, needed: u64) -> Result<&Channel, Refusal> {
        let channel = self.channel_for(id, needed)?;
        if channel.kind == Kind::Dm { Err(CANNOT_IN_DM.into()) } else { Ok(channel) }
    }
}
