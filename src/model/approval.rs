//! An approval: the durable record of a tool call that waits for somebody's word. The message is a view; this decides.

use super::{ApprovalId, ProjectId, SessionId, Timestamp, TurnId};

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    Open,
    Allowed,
    AllowedAlways,
    Denied,
    Expired,
    /// Its turn ended first.
    Void,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Approval {
    pub id: ApprovalId,
    pub turn: TurnId,
    pub session: SessionId,
    pub project: ProjectId,
    /// The agent's id of the request, and the connection that it came on.
    pub request: String,
    pub tool: String,
    pub title: String,
    /// Everything that the tool would be called with.
    pub arguments: serde_json::Value,
    pub state: ApprovalState,
    pub created: Timestamp,
    pub expires: Timestamp,
    /// Who answered, and why.
    #[serde(default)]
    pub by: Option<String>,
    #[serde(default)]
    pub reason: Option<String>,
}

/// What goes back to the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Once,
    Always,
    Deny,
    /// The turn is being cancelled.
    Cancelled,
}
