//! Messages, channels and guilds.

use serde::Deserialize;

use super::interaction::{Member, User};
use crate::chat::quiet::Quiet;

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Message {
    pub id: String,
    #[serde(default)]
    pub channel_id: String,
    #[serde(default)]
    pub guild_id: Option<String>,
    #[serde(default)]
    pub author: Option<User>,
    #[serde(default)]
    pub member: Option<Member>,
    #[serde(default)]
    pub content: Quiet,
    #[serde(default)]
    pub mentions: Vec<User>,
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    #[serde(default)]
    pub webhook_id: Option<String>,
    #[serde(default)]
    pub edited_timestamp: Option<String>,
    #[serde(default, rename = "type")]
    pub kind: u16,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Attachment {
    #[serde(default)]
    pub filename: String,
    #[serde(default)]
    pub size: u64,
    #[serde(default)]
    pub url: Quiet,
    #[serde(default)]
    pub content_type: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct MessageGone {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub ids: Vec<String>,
    pub channel_id: String,
    #[serde(default)]
    pub guild_id: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Channel {
    pub id: String,
    #[serde(default, rename = "type")]
    pub kind: u8,
    #[serde(default)]
    pub guild_id: Option<String>,
    #[serde(default)]
    pub parent_id: Option<String>,
    /// Who began the thread.
    #[serde(default)]
    pub owner_id: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    Direct,
    Thread,
    Forum,
    Other,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Guild {
    #[serde(default)]
    pub id: String,
    /// Where only a part is told.
    #[serde(default)]
    pub guild_id: Option<String>,
    #[serde(default)]
    pub channels: Vec<Channel>,
    #[serde(default)]
    pub threads: Vec<Channel>,
}

impl Channel {
    pub fn kind(&self) -> ChannelKind {
        match self.kind {
            1 | 3 => ChannelKind::Direct,
            10..=12 => ChannelKind::Thread,
            15 | 16 => ChannelKind::Forum,
            _ => ChannelKind::Other,
        }
    }
}

impl Message {
    /// A person's own words: no system message, no bot's.
    pub fn is_said(&self) -> bool {
        const SAID: [u16; 2] = [0, 19];
        SAID.contains(&self.kind)
            && self.webhook_id.is_none()
            && self.author.as_ref().is_some_and(|author| !author.bot && !author.id.is_empty())
    }

    pub fn name(&self) -> String {
        let nick = self.member.as_ref().and_then(|member| member.nick.clone());
        nick.or_else(|| self.author.as_ref().map(User::shown)).unwrap_or_default()
    }

    pub fn mentions(&self, user: &str) -> bool {
        self.mentions.iter().any(|mentioned| mentioned.id == user)
    }
}
