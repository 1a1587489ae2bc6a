//! A session is one continued talk with a project's agent; a thread is the place where it is held.

use super::{ConversationId, PersonId, ProjectId, SessionId, Timestamp};

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Session {
    pub id: SessionId,
    pub project: ProjectId,
    pub title: String,
    /// Whether a person chose the title: the agent's then no longer replaces it.
    #[serde(default)]
    pub renamed: bool,
    pub opened_by: PersonId,
    pub created: Timestamp,
    pub used: Timestamp,
    pub thread: ConversationId,
    /// Whether more than one person has written in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub several: bool,
    /// The agent's own id of it, once it has one.
    #[serde(default)]
    pub agent_session: Option<String>,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Thread {
    pub conversation: ConversationId,
    pub session: SessionId,
    pub project: ProjectId,
}
