//! A turn: one message and its one answer, from waiting to its one last state.

use super::{Approval, Attachment, Origin, PersonId, ProjectId, SessionId, Timestamp, TurnId};

/// What a person said, to be answered.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Message {
    pub author: PersonId,
    pub text: String,
    /// How the author is called: told to the agent where several people talk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The turn that it asks once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<TurnId>,
}

impl Message {
    pub fn new(author: PersonId, text: impl Into<String>) -> Self {
        Self { author, text: text.into(), name: None, attachments: Vec::new(), again: None }
    }

    /// The text, with its author's name where that has to be told.
    pub fn spoken(&self) -> String {
        match &self.name {
            Some(name) => format!("{name}: {}", self.text),
            None => self.text.clone(),
        }
    }
}

/// A message as it comes in.
#[derive(Debug, Clone)]
pub struct Said {
    pub message: Message,
    /// The bytes of its attachments, in their order.
    pub bytes: Vec<Vec<u8>>,
    /// The surface's key of it.
    pub source: Option<String>,
}

impl Said {
    pub fn new(author: PersonId, text: impl Into<String>) -> Self {
        Self { message: Message::new(author, text), bytes: Vec::new(), source: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnState {
    /// Behind another turn, for a free place, for the project to start, or for an approval.
    Waiting,
    Working,
    Done,
    Stopped,
    Interrupted,
    Failed,
}

impl TurnState {
    pub fn is_last(self) -> bool {
        !matches!(self, TurnState::Waiting | TurnState::Working)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            TurnState::Waiting => "waiting",
            TurnState::Working => "working",
            TurnState::Done => "done",
            TurnState::Stopped => "stopped",
            TurnState::Interrupted => "interrupted",
            TurnState::Failed => "failed",
        }
    }
}

/// How to find a running prompt at the agent again: kept before the prompt is sent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PromptRef {
    /// The agent's session.
    pub session: String,
    /// The agent connection that the answer is tied to; `None` where an answer dies with its reader.
    pub connection: Option<String>,
    /// The JSON-RPC id of the prompt.
    pub request: String,
    /// Whether the agent has confirmed that it took the prompt.
    #[serde(default)]
    pub sent: bool,
    /// The turn's last state, and why, if the agent was told to stop: kept before it is, for it does not tell a part of an answer from
    /// the whole afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<(TurnState, Option<String>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolState {
    Running,
    Done,
    Failed,
    /// The turn ended before the tool told how it went.
    Unknown,
}

/// One tool call as people see it: `▸ shell: cargo test … ok, 3.1 s`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ToolLine {
    /// The agent's id of the call, unique in the turn.
    pub id: String,
    pub tool: String,
    /// One line of what it does.
    pub title: String,
    pub state: ToolState,
    /// Milliseconds from start to end.
    #[serde(default)]
    pub took: Option<u64>,
    /// How many bytes of the answer stood before it.
    #[serde(default)]
    pub at: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Usage {
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub total_tokens: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Turn {
    pub id: TurnId,
    pub session: SessionId,
    pub project: ProjectId,
    pub origin: Origin,
    pub message: Message,
    pub state: TurnState,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub tools: Vec<ToolLine>,
    /// What the agent wanted people to know besides.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Those of this turn, while it runs: the durable records stand elsewhere.
    #[serde(skip)]
    pub approvals: Vec<Approval>,
    #[serde(default)]
    pub usage: Option<Usage>,
    pub created: Timestamp,
    #[serde(default)]
    pub started: Option<Timestamp>,
    #[serde(default)]
    pub ended: Option<Timestamp>,
    /// The surface's key of the message, by which it is edited and withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Who found the answer good, and who did not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feedback: Vec<(PersonId, bool)>,
    /// Set from before the prompt is sent until the turn's last state.
    #[serde(default)]
    pub prompt: Option<PromptRef>,
}

/// How the reason of a turn ends that waits in its own session.
const BEFORE: &str = "before it";

impl Turn {
    /// Says that so many others are to be answered first.
    pub fn queue(&mut self, others: usize) {
        self.reason = Some(match others {
            1 => format!("waiting for the answer {BEFORE}"),
            n => format!("waiting for the {n} answers {BEFORE}"),
        });
    }

    pub fn is_queued(&self) -> bool {
        self.state == TurnState::Waiting && self.reason.as_ref().is_some_and(|reason| reason.ends_with(BEFORE))
    }

    /// Whether its message was taken back before it was answered: nothing of it is kept, and nothing shown. No other is empty.
    pub fn is_taken_back(&self) -> bool {
        self.state == TurnState::Stopped && self.message.text.is_empty() && self.message.attachments.is_empty()
    }
}
