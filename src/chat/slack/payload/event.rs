//! What happens in a workspace.
//!
//! Invariant: an event of a kind or subtype that is not known here is [`Happened::Other`] or a plain message with its subtype, never
//! an error.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Named;
use super::field::{self, Parts, Quiet};

#[derive(Debug, Clone)]
pub struct Event {
    pub event_id: String,
    /// Seconds since 1970.
    pub event_time: i64,
    pub team_id: String,
    pub enterprise_id: Option<String>,
    pub app_id: String,
    /// The installations that it is for; Slack tells one of them at most.
    pub authorizations: Vec<Authorization>,
    pub happened: Happened,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Authorization {
    #[serde(default, deserialize_with = "field::maybe")]
    pub enterprise_id: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub team_id: Option<String>,
    #[serde(default, deserialize_with = "field::text")]
    pub user_id: String,
    #[serde(default, deserialize_with = "field::lenient")]
    pub is_bot: bool,
    #[serde(default, deserialize_with = "field::lenient")]
    pub is_enterprise_install: bool,
}

#[derive(Debug, Clone)]
pub enum Happened {
    Mention(Box<Message>),
    /// New, of any subtype but the next two.
    Message(Box<Message>),
    /// `message` is what it is now. Slack also says so when it adds a preview or a thread gets its first answer.
    Changed {
        channel: String,
        channel_type: Option<String>,
        message: Box<Message>,
        before: Option<Box<Message>>,
    },
    Deleted {
        channel: String,
        deleted_ts: String,
        before: Option<Box<Message>>,
    },
    HomeOpened {
        user: String,
        channel: String,
        tab: String,
        view: Option<Box<super::View>>,
    },
    AssistantStarted(AssistantThread),
    AssistantContext(AssistantThread),
    ChannelArchived {
        channel: String,
    },
    ChannelUnarchived {
        channel: String,
    },
    ChannelDeleted {
        channel: String,
    },
    /// The bot is no longer in it.
    ChannelLeft {
        channel: String,
    },
    ChannelRenamed {
        channel: String,
        name: String,
    },
    MemberJoined {
        user: String,
        channel: String,
        inviter: Option<String>,
    },
    MemberLeft {
        user: String,
        channel: String,
    },
    GroupMembers {
        group: String,
        added: Vec<String>,
        removed: Vec<String>,
    },
    /// `users: None`: they are not told.
    GroupUpdated {
        group: String,
        handle: String,
        users: Option<Vec<String>>,
        is_deleted: bool,
    },
    TokensRevoked {
        users: Vec<String>,
        bots: Vec<String>,
    },
    Uninstalled,
    UserChanged(Box<Profile>),
    /// Slack left out events of this minute (seconds since 1970).
    RateLimited {
        minute: i64,
    },
    Other {
        kind: String,
    },
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Message {
    #[serde(default, deserialize_with = "field::text")]
    pub channel: String,
    /// `channel`, `group`, `im`, `mpim`; mentions lack it.
    #[serde(default, deserialize_with = "field::maybe")]
    pub channel_type: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub user: Option<String>,
    #[serde(default)]
    pub text: Quiet,
    #[serde(default, deserialize_with = "field::text")]
    pub ts: String,
    #[serde(default, deserialize_with = "field::maybe")]
    pub thread_ts: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub parent_user_id: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub subtype: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub bot_id: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub app_id: Option<String>,
    /// How a bot calls itself.
    #[serde(default, deserialize_with = "field::maybe")]
    pub username: Option<String>,
    /// The app that it is.
    #[serde(default, deserialize_with = "field::lenient")]
    pub bot_profile: Option<Named>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub team: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub client_msg_id: Option<String>,
    #[serde(default, deserialize_with = "field::lenient")]
    pub files: Vec<File>,
    #[serde(default, deserialize_with = "field::lenient")]
    pub attachments: Parts,
    #[serde(default, deserialize_with = "field::lenient")]
    pub blocks: Parts,
    /// Whether somebody changed it.
    #[serde(default, rename = "edited", deserialize_with = "edited")]
    pub is_edited: bool,
    #[serde(default, deserialize_with = "field::lenient")]
    pub hidden: bool,
}

impl Message {
    pub fn is_bot(&self) -> bool {
        self.bot_id.is_some() || self.subtype.as_deref() == Some("bot_message")
    }

    /// Said by a person, to be read: no join, no topic, no reminder of Slack's.
    pub fn is_said(&self) -> bool {
        let said = matches!(self.subtype.as_deref(), None | Some("file_share" | "me_message" | "thread_broadcast"));
        said && !self.hidden && !self.is_bot() && self.user.is_some()
    }

    /// The thread that it is in or can begin.
    pub fn thread(&self) -> &str {
        self.thread_ts.as_deref().unwrap_or(&self.ts)
    }
}

fn edited<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(!serde_json::Value::deserialize(deserializer)?.is_null())
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct File {
    #[serde(default, deserialize_with = "field::text")]
    pub id: String,
    #[serde(default, deserialize_with = "field::maybe")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub title: Option<String>,
    #[serde(default, deserialize_with = "field::text")]
    pub mimetype: String,
    #[serde(default, deserialize_with = "field::text")]
    pub filetype: String,
    #[serde(default, deserialize_with = "field::lenient")]
    pub size: u64,
    /// `hosted`, `external`, `snippet`, `tombstone`, `hidden_by_limit`, …
    #[serde(default, deserialize_with = "field::text")]
    pub mode: String,
    /// `check_file_info`: it has to be asked for by its id.
    #[serde(default, deserialize_with = "field::maybe")]
    pub file_access: Option<String>,
    #[serde(default, deserialize_with = "field::quiet")]
    pub url_private: Option<Quiet>,
    #[serde(default, deserialize_with = "field::quiet")]
    pub url_private_download: Option<Quiet>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AssistantThread {
    #[serde(deserialize_with = "field::text")]
    pub user_id: String,
    #[serde(deserialize_with = "field::text")]
    pub channel_id: String,
    #[serde(deserialize_with = "field::text")]
    pub thread_ts: String,
    #[serde(deserialize_with = "field::lenient")]
    pub context: AssistantContext,
}

/// What its reader looks at beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AssistantContext {
    #[serde(deserialize_with = "field::maybe")]
    pub channel_id: Option<String>,
    #[serde(deserialize_with = "field::maybe")]
    pub team_id: Option<String>,
    #[serde(deserialize_with = "field::maybe")]
    pub enterprise_id: Option<String>,
}

/// A person, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Profile {
    #[serde(deserialize_with = "field::text")]
    pub id: String,
    #[serde(deserialize_with = "field::text")]
    pub name: String,
    #[serde(deserialize_with = "field::text")]
    pub real_name: String,
    #[serde(rename = "profile", deserialize_with = "display_name")]
    pub display_name: String,
    #[serde(deserialize_with = "field::lenient")]
    pub deleted: bool,
    #[serde(deserialize_with = "field::lenient")]
    pub is_bot: bool,
}

fn display_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let profile = serde_json::Value::deserialize(deserializer)?;
    Ok(profile["display_name"].as_str().unwrap_or_default().to_owned())
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Outer<'a> {
    #[serde(deserialize_with = "field::text")]
    event_id: String,
    #[serde(deserialize_with = "field::lenient")]
    event_time: i64,
    #[serde(deserialize_with = "field::text")]
    team_id: String,
    #[serde(deserialize_with = "field::maybe")]
    enterprise_id: Option<String>,
    #[serde(deserialize_with = "field::text")]
    api_app_id: String,
    #[serde(deserialize_with = "field::lenient")]
    authorizations: Vec<Authorization>,
    #[serde(deserialize_with = "field::lenient")]
    minute_rate_limited: i64,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let outer = Outer::deserialize(deserializer)?;
        Ok(Self {
            event_id: outer.event_id,
            event_time: outer.event_time,
            team_id: outer.team_id,
            enterprise_id: outer.enterprise_id,
            app_id: outer.api_app_id,
            authorizations: outer.authorizations,
            // Over HTTP, this one has no event within.
            happened: outer
                .event
                .map_or(Happened::RateLimited { minute: outer.minute_rate_limited }, |event| Happened::parse(event.get())),
        })
    }
}

mod inner;
