//! Interactions: commands, clicks, what is being typed, modals.

use serde::Deserialize;
use serde_json::Value;

use super::message::{Attachment, Channel, Message};

#[derive(Debug, Clone, Deserialize)]
pub struct Interaction {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: u8,
    /// Lets its holder answer for 15 minutes.
    pub token: crate::chat::quiet::Quiet,
    #[serde(default)]
    pub guild_id: Option<String>,
    #[serde(default)]
    pub channel_id: Option<String>,
    #[serde(default)]
    pub channel: Option<Channel>,
    /// In a guild.
    #[serde(default)]
    pub member: Option<Member>,
    /// In direct messages.
    #[serde(default)]
    pub user: Option<User>,
    #[serde(default)]
    pub data: Option<Data>,
    /// The one with the button.
    #[serde(default)]
    pub message: Option<Clicked>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Clicked {
    #[serde(default)]
    pub id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ping,
    Command,
    Click,
    Typing,
    Modal,
    Unknown,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct User {
    pub id: String,
    #[serde(default)]
    pub username: String,
    #[serde(default)]
    pub global_name: Option<String>,
    #[serde(default)]
    pub bot: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Member {
    /// Left out where the message names its author.
    #[serde(default)]
    pub user: Option<User>,
    #[serde(default)]
    pub nick: Option<String>,
    #[serde(default)]
    pub roles: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Data {
    /// A command's.
    #[serde(default)]
    pub name: String,
    /// 1: typed, 3: from a message's menu.
    #[serde(default, rename = "type")]
    pub kind: u8,
    #[serde(default)]
    pub options: Vec<Given>,
    #[serde(default)]
    pub target_id: Option<String>,
    #[serde(default)]
    pub resolved: Resolved,
    /// A component's, or a modal's.
    #[serde(default)]
    pub custom_id: String,
    #[serde(default)]
    pub components: Vec<Row>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Given {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: u8,
    #[serde(default)]
    pub value: Value,
    #[serde(default)]
    pub options: Vec<Given>,
    #[serde(default)]
    pub focused: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Resolved {
    #[serde(default)]
    pub messages: std::collections::HashMap<String, Message>,
    #[serde(default)]
    pub attachments: std::collections::HashMap<String, Attachment>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Row {
    #[serde(default)]
    pub components: Vec<Filled>,
}

/// A field of a modal.
#[derive(Clone, Default, Deserialize)]
pub struct Filled {
    #[serde(default)]
    pub custom_id: String,
    #[serde(default)]
    pub value: String,
}

impl std::fmt::Debug for Filled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filled").field("custom_id", &self.custom_id).finish_non_exhaustive()
    }
}

/// A command with its arguments by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// `project create`
    pub path: String,
    pub values: Vec<(String, String)>,
    /// The argument that is being typed.
    pub focused: Option<String>,
    /// Arguments that are files, by the name of the argument.
    pub files: Vec<(String, String)>,
}

impl Interaction {
    pub fn kind(&self) -> Kind {
        match self.kind {
            1 => Kind::Ping,
            2 => Kind::Command,
            3 => Kind::Click,
            4 => Kind::Typing,
            5 => Kind::Modal,
            _ => Kind::Unknown,
        }
    }

    pub fn user(&self) -> Option<&User> {
        self.member.as_ref().and_then(|member| member.user.as_ref()).or(self.user.as_ref())
    }

    /// As people there call them.
    pub fn name(&self) -> String {
        let nick = self.member.as_ref().and_then(|member| member.nick.clone());
        nick.or_else(|| self.user().map(User::shown)).unwrap_or_default()
    }
}

impl User {
    pub fn shown(&self) -> String {
        self.global_name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| self.username.clone())
    }
}

impl Data {
    /// The command's path and arguments.
    pub fn selected(&self) -> Selected {
        const GROUPS: [u8; 2] = [1, 2];
        const FILE: u8 = 11;
        let mut path = vec![self.name.clone()];
        let mut options = &self.options;
        while let Some(group) = options.first().filter(|given| GROUPS.contains(&given.kind)) {
            path.push(group.name.clone());
            options = &group.options;
        }
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let (files, values): (Vec<&Given>, Vec<&Given>) = options.iter().partition(|given| given.kind == FILE);
        Selected {
            path: path.join(" "),
            values: values.iter().map(|given| (given.name.clone(), text(&given.value))).collect(),
            focused: options.iter().find(|given| given.focused).map(|given| given.name.clone()),
            files: files.iter().map(|given| (given.name.clone(), text(&given.value))).collect(),
        }
    }

    /// A modal's values.
    pub fn filled(&self) -> impl Iterator<Item = (&str, &str)> {
        self.components.iter().flat_map(|row| &row.components).map(|field| (field.custom_id.as_str(), field.value.as_str()))
    }
}
