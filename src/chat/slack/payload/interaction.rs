//! What people do: commands, clicks, modals, shortcuts.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};

use super::event::{File, Message};
use super::field::{self, Quiet};

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Command {
    #[serde(default, deserialize_with = "field::text")]
    pub team_id: String,
    #[serde(default, deserialize_with = "field::maybe")]
    pub enterprise_id: Option<String>,
    #[serde(default, deserialize_with = "field::text")]
    pub channel_id: String,
    #[serde(default, deserialize_with = "field::text")]
    pub channel_name: String,
    pub user_id: String,
    #[serde(default, deserialize_with = "field::text")]
    pub user_name: String,
    /// With its slash.
    pub command: String,
    #[serde(default)]
    pub text: Quiet,
    #[serde(default, deserialize_with = "field::quiet")]
    pub response_url: Option<Quiet>,
    #[serde(default, deserialize_with = "field::text")]
    pub trigger_id: String,
    #[serde(default, deserialize_with = "field::lenient")]
    pub is_enterprise_install: bool,
}

impl Command {
    /// What tells it from others: the same however it comes, and nothing that can be read.
    pub fn digest(&self) -> String {
        let hook = self.response_url.as_ref().map(|url| url.0.as_str()).unwrap_or_default();
        let parts = [self.user_id.as_str(), &self.channel_id, &self.command, &self.text.0, hook];
        let digest = Sha256::digest(parts.join("\n"));
        let begin = digest[..8].try_into().map(u64::from_be_bytes).unwrap_or_default();
        format!("{begin:016x}")
    }
}

/// A channel, a team, an enterprise.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Named {
    #[serde(default, deserialize_with = "field::text")]
    pub id: String,
    #[serde(default, deserialize_with = "field::maybe")]
    pub name: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct User {
    pub id: String,
    #[serde(default, deserialize_with = "field::maybe")]
    pub username: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub team_id: Option<String>,
}

impl User {
    /// How they are called, or else their id.
    pub fn shown(&self) -> &str {
        self.username.as_deref().or(self.name.as_deref()).unwrap_or(&self.id)
    }
}

/// Where a click happened: a message or a view.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Container {
    #[serde(rename = "type", default, deserialize_with = "field::text")]
    pub kind: String,
    #[serde(default, deserialize_with = "field::maybe")]
    pub message_ts: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub thread_ts: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub channel_id: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub view_id: Option<String>,
    #[serde(default, deserialize_with = "field::lenient")]
    pub is_ephemeral: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Click {
    #[serde(default, deserialize_with = "field::lenient")]
    pub team: Option<Named>,
    #[serde(default, deserialize_with = "field::lenient")]
    pub enterprise: Option<Named>,
    pub user: User,
    /// `None` in views.
    #[serde(default, deserialize_with = "field::lenient")]
    pub channel: Option<Named>,
    #[serde(default, deserialize_with = "field::lenient")]
    pub container: Container,
    #[serde(default, deserialize_with = "field::text")]
    pub trigger_id: String,
    #[serde(default, deserialize_with = "field::quiet")]
    pub response_url: Option<Quiet>,
    /// The message that the button stands in; `None` if it is ephemeral or in a view.
    #[serde(default, deserialize_with = "field::lenient")]
    pub message: Option<Message>,
    #[serde(default, deserialize_with = "field::lenient")]
    pub view: Option<View>,
    #[serde(default)]
    pub actions: Vec<Input>,
    /// What stands in the inputs of the message.
    #[serde(default, deserialize_with = "field::lenient")]
    pub state: State,
    #[serde(default, deserialize_with = "field::lenient")]
    pub is_enterprise_install: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Submit {
    #[serde(default, deserialize_with = "field::lenient")]
    pub team: Option<Named>,
    #[serde(default, deserialize_with = "field::lenient")]
    pub enterprise: Option<Named>,
    pub user: User,
    #[serde(default, deserialize_with = "field::text")]
    pub trigger_id: String,
    pub view: View,
    /// Of inputs that choose where to answer.
    #[serde(default, deserialize_with = "field::lenient")]
    pub response_urls: Vec<ResponseUrl>,
    #[serde(default, deserialize_with = "field::lenient")]
    pub is_enterprise_install: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct ResponseUrl {
    #[serde(default, deserialize_with = "field::text")]
    pub channel_id: String,
    #[serde(default)]
    pub response_url: Quiet,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Closed {
    #[serde(default, deserialize_with = "field::lenient")]
    pub team: Option<Named>,
    #[serde(default, deserialize_with = "field::lenient")]
    pub enterprise: Option<Named>,
    pub user: User,
    pub view: View,
    /// All views of the stack were closed at once.
    #[serde(default, deserialize_with = "field::lenient")]
    pub is_cleared: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Shortcut {
    /// `message_action` for one of a message, `shortcut` for one of everywhere.
    #[serde(rename = "type", default, deserialize_with = "field::text")]
    pub kind: String,
    #[serde(default, deserialize_with = "field::text")]
    pub callback_id: String,
    #[serde(default, deserialize_with = "field::lenient")]
    pub team: Option<Named>,
    #[serde(default, deserialize_with = "field::lenient")]
    pub enterprise: Option<Named>,
    pub user: User,
    #[serde(default, deserialize_with = "field::lenient")]
    pub channel: Option<Named>,
    /// Its `channel` may be empty: it is the shortcut's.
    #[serde(default, deserialize_with = "field::lenient")]
    pub message: Option<Message>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub message_ts: Option<String>,
    #[serde(default, deserialize_with = "field::text")]
    pub trigger_id: String,
    #[serde(default, deserialize_with = "field::quiet")]
    pub response_url: Option<Quiet>,
    #[serde(default, deserialize_with = "field::text")]
    pub action_ts: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct View {
    #[serde(default, deserialize_with = "field::text")]
    pub id: String,
    #[serde(default, deserialize_with = "field::text")]
    pub hash: String,
    #[serde(rename = "type", default, deserialize_with = "field::text")]
    pub kind: String,
    #[serde(default, deserialize_with = "field::text")]
    pub callback_id: String,
    #[serde(default, deserialize_with = "field::text")]
    pub external_id: String,
    #[serde(default)]
    pub private_metadata: Quiet,
    #[serde(default, deserialize_with = "field::maybe")]
    pub root_view_id: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub previous_view_id: Option<String>,
    #[serde(default, deserialize_with = "field::maybe")]
    pub team_id: Option<String>,
    #[serde(default, deserialize_with = "field::lenient")]
    pub state: State,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct State {
    /// By block and action.
    pub values: BTreeMap<String, BTreeMap<String, Input>>,
}

impl State {
    pub fn input(&self, block: &str, action: &str) -> Option<&Input> {
        self.values.get(block)?.get(action)
    }
}

/// One element that was used or filled in, whatever its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    /// Empty within a [`State`], where it is the key.
    pub action_id: String,
    pub block_id: String,
    /// `button`, `static_select`, `plain_text_input`, …
    pub kind: String,
    /// Of a button or a text.
    pub value: Option<Quiet>,
    /// Of all that chooses: options, people, channels, dates.
    pub selected: Vec<String>,
    pub files: Vec<File>,
    pub action_ts: String,
}

impl Input {
    /// The one value, typed or chosen.
    pub fn one(&self) -> Option<&str> {
        self.value.as_deref().or_else(|| self.selected.first().map(String::as_str))
    }
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default, deserialize_with = "field::text")]
    value: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Raw {
    #[serde(deserialize_with = "field::text")]
    action_id: String,
    #[serde(deserialize_with = "field::text")]
    block_id: String,
    #[serde(rename = "type", deserialize_with = "field::text")]
    kind: String,
    #[serde(deserialize_with = "field::quiet")]
    value: Option<Quiet>,
    #[serde(deserialize_with = "field::lenient")]
    selected_option: Option<Choice>,
    #[serde(deserialize_with = "field::lenient")]
    selected_options: Vec<Choice>,
    #[serde(deserialize_with = "field::maybe")]
    selected_user: Option<String>,
    #[serde(deserialize_with = "field::lenient")]
    selected_users: Vec<String>,
    #[serde(deserialize_with = "field::maybe")]
    selected_channel: Option<String>,
    #[serde(deserialize_with = "field::lenient")]
    selected_channels: Vec<String>,
    #[serde(deserialize_with = "field::maybe")]
    selected_conversation: Option<String>,
    #[serde(deserialize_with = "field::lenient")]
    selected_conversations: Vec<String>,
    #[serde(deserialize_with = "field::maybe")]
    selected_date: Option<String>,
    #[serde(deserialize_with = "field::maybe")]
    selected_time: Option<String>,
    #[serde(deserialize_with = "field::maybe")]
    selected_date_time: Option<String>,
    #[serde(deserialize_with = "field::lenient")]
    files: Vec<File>,
    #[serde(deserialize_with = "field::text")]
    action_ts: String,
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        let options = raw.selected_option.into_iter().chain(raw.selected_options).map(|choice| choice.value);
        let single = [
            raw.selected_user,
            raw.selected_channel,
            raw.selected_conversation,
            raw.selected_date,
            raw.selected_time,
            raw.selected_date_time,
        ];
        let several = [raw.selected_users, raw.selected_channels, raw.selected_conversations];
        Ok(Self {
            action_id: raw.action_id,
            block_id: raw.block_id,
            kind: raw.kind,
            value: raw.value,
            selected: options.chain(single.into_iter().flatten()).chain(several.into_iter().flatten()).collect(),
            files: raw.files,
            action_ts: raw.action_ts,
        })
    }
}
