//! Who speaks, and where. Says nothing of what they may do.

use std::fmt;
use std::sync::Arc;

use super::ConversationId;

/// Somebody to Gaggle, whichever surface they speak on: `console:ann` until they link another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct PersonId(pub String);

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PersonId {
    /// The name without its surface, for people to read.
    pub fn short(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(_, name)| name)
    }
}

/// A person as one surface knows them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Actor {
    /// `console`, `slack`, `discord`.
    pub surface: String,
    /// The surface's own id of them.
    pub id: String,
    /// How they are called.
    pub name: String,
    /// Further keys under which roles are given, as the surface vouches for them: their groups, and where they speak.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl Actor {
    /// `surface:id`, the key of an identity.
    pub fn key(&self) -> String {
        format!("{}:{}", self.surface, self.id)
    }
}

/// Where an input came from and so where its answer goes. Durable with a turn, so that an answer finds its way after a restart.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Origin {
    pub actor: Arc<Actor>,
    /// Where it was said: a channel or a thread.
    pub conversation: ConversationId,
    /// The surface's id of the input; `None` once the program that took it is gone.
    pub input: Option<String>,
}
