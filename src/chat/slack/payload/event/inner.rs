//! The event within: one loose form for the many that only name a place or a person.
//!
//! Invariant: what does not read as its kind says is [`Happened::Other`] of that kind.

use serde::{Deserialize, Deserializer};

use super::super::{View, field};
use super::{AssistantThread, Happened, Message, Profile};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Head {
    #[serde(rename = "type", deserialize_with = "field::text")]
    kind: String,
    #[serde(deserialize_with = "field::text")]
    subtype: String,
}

/// Everything that the smaller events tell, by its name.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Loose {
    #[serde(deserialize_with = "place")]
    channel: (String, String),
    #[serde(deserialize_with = "field::text")]
    user: String,
    #[serde(deserialize_with = "field::text")]
    tab: String,
    #[serde(deserialize_with = "field::maybe")]
    channel_type: Option<String>,
    #[serde(deserialize_with = "field::maybe")]
    inviter: Option<String>,
    #[serde(deserialize_with = "field::text")]
    subteam_id: String,
    #[serde(deserialize_with = "field::lenient")]
    added_users: Vec<String>,
    #[serde(deserialize_with = "field::lenient")]
    removed_users: Vec<String>,
    #[serde(deserialize_with = "field::lenient")]
    subteam: Group,
    #[serde(deserialize_with = "field::lenient")]
    tokens: Tokens,
    #[serde(deserialize_with = "field::lenient")]
    view: Option<Box<View>>,
    #[serde(deserialize_with = "field::lenient")]
    assistant_thread: AssistantThread,
    #[serde(deserialize_with = "field::lenient")]
    minute_rate_limited: i64,
    #[serde(deserialize_with = "field::text")]
    deleted_ts: String,
    #[serde(deserialize_with = "field::lenient")]
    message: Option<Box<Message>>,
    #[serde(deserialize_with = "field::lenient")]
    previous_message: Option<Box<Message>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Group {
    #[serde(deserialize_with = "field::text")]
    id: String,
    #[serde(deserialize_with = "field::text")]
    handle: String,
    #[serde(deserialize_with = "field::lenient")]
    users: Option<Vec<String>>,
    /// When it was disabled; 0 if it was not.
    #[serde(deserialize_with = "field::lenient")]
    date_delete: i64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tokens {
    #[serde(deserialize_with = "field::lenient")]
    oauth: Vec<String>,
    #[serde(deserialize_with = "field::lenient")]
    bot: Vec<String>,
}

#[derive(Deserialize)]
struct Changed {
    user: Box<Profile>,
}

/// A channel's id and name: some events tell the id alone.
fn place<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(String, String), D::Error> {
    let channel = serde_json::Value::deserialize(deserializer)?;
    let id = channel.as_str().or(channel["id"].as_str()).unwrap_or_default();
    Ok((id.to_owned(), channel["name"].as_str().unwrap_or_default().to_owned()))
}

impl Happened {
    pub(super) fn parse(json: &str) -> Self {
        let Head { kind, subtype } = serde_json::from_str(json).unwrap_or_default();
        Self::of(&kind, &subtype, json).unwrap_or_else(|| Self::Other { kind: field::kind(&kind) })
    }

    fn of(kind: &str, subtype: &str, json: &str) -> Option<Self> {
        let message = || serde_json::from_str::<Box<Message>>(json).ok();
        match (kind, subtype) {
            ("app_mention", _) => return message().map(Self::Mention),
            ("message", "message_changed" | "message_deleted") => {}
            ("message", _) => return message().map(Self::Message),
            ("user_change" | "user_profile_changed", _) => {
                return serde_json::from_str::<Changed>(json).ok().map(|changed| Self::UserChanged(changed.user));
            }
            _ => {}
        }
        let loose: Loose = serde_json::from_str(json).ok()?;
        let (channel, name) = loose.channel;
        let user = loose.user;
        Some(match kind {
            "message" if subtype == "message_changed" => {
                let (channel_type, before) = (loose.channel_type, loose.previous_message);
                Self::Changed { channel, channel_type, message: loose.message?, before }
            }
            "message" => {
                let before = loose.previous_message;
                let of_before = before.as_ref().map(|message| message.ts.clone()).unwrap_or_default();
                let deleted_ts = if loose.deleted_ts.is_empty() { of_before } else { loose.deleted_ts };
                Self::Deleted { channel, deleted_ts, before }
            }
            "app_home_opened" => Self::HomeOpened { user, channel, tab: loose.tab, view: loose.view },
            "assistant_thread_started" => Self::AssistantStarted(loose.assistant_thread),
            "assistant_thread_context_changed" => Self::AssistantContext(loose.assistant_thread),
            "channel_archive" | "group_archive" => Self::ChannelArchived { channel },
            "channel_unarchive" | "group_unarchive" => Self::ChannelUnarchived { channel },
            "channel_deleted" | "group_deleted" => Self::ChannelDeleted { channel },
            "channel_left" | "group_left" => Self::ChannelLeft { channel },
            "channel_rename" | "group_rename" => Self::ChannelRenamed { channel, name },
            "member_joined_channel" => Self::MemberJoined { user, channel, inviter: loose.inviter },
            "member_left_channel" => Self::MemberLeft { user, channel },
            "subteam_members_changed" => {
                Self::GroupMembers { group: loose.subteam_id, added: loose.added_users, removed: loose.removed_users }
            }
            "subteam_updated" | "subteam_created" => {
                let Group { id, handle, users, date_delete } = loose.subteam;
                Self::GroupUpdated { group: id, handle, users, is_deleted: date_delete != 0 }
            }
            "tokens_revoked" => Self::TokensRevoked { users: loose.tokens.oauth, bots: loose.tokens.bot },
            "app_uninstalled" => Self::Uninstalled,
            "app_rate_limited" => Self::RateLimited { minute: loose.minute_rate_limited },
            _ => return None,
        })
    }

    pub fn kind(&self) -> &str {
        match self {
            Self::Mention(_) => "app_mention",
            Self::Message(_) => "message",
            Self::Changed { .. } => "message_changed",
            Self::Deleted { .. } => "message_deleted",
            Self::HomeOpened { .. } => "app_home_opened",
            Self::AssistantStarted(_) => "assistant_thread_started",
            Self::AssistantContext(_) => "assistant_thread_context_changed",
            Self::ChannelArchived { .. } => "channel_archive",
            Self::ChannelUnarchived { .. } => "channel_unarchive",
            Self::ChannelDeleted { .. } => "channel_deleted",
            Self::ChannelLeft { .. } => "channel_left",
            Self::ChannelRenamed { .. } => "channel_rename",
            Self::MemberJoined { .. } => "member_joined_channel",
            Self::MemberLeft { .. } => "member_left_channel",
            Self::GroupMembers { .. } => "subteam_members_changed",
            Self::GroupUpdated { .. } => "subteam_updated",
            Self::TokensRevoked { .. } => "tokens_revoked",
            Self::Uninstalled => "app_uninstalled",
            Self::UserChanged(_) => "user_change",
            Self::RateLimited { .. } => "app_rate_limited",
            Self::Other { kind } => kind,
        }
    }
}
