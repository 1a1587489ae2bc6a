//! Plain data that every part shares. Does nothing: no I/O, no clock of its own, no platform, no async.

mod approval;
mod cluster;
mod content;
mod form;
mod id;
mod person;
mod project;
mod release;
mod reply;
mod session;
mod turn;
mod verified;

/// What a scan of a cluster found, with words of its own.
pub mod infra;
/// What services become, with words of its own.
pub mod workload;

pub use approval::{Answer, Approval, ApprovalState};
pub use cluster::{ChannelCluster, Cluster, OWN};
pub use content::{Attachment, Content, clip, words};
pub use form::{Field, Form, Values};
pub use id::{ApprovalId, ClusterId, ConversationId, FormId, ProjectId, ReleaseId, SessionId, TurnId};
pub use person::{Actor, Origin, PersonId};
pub use project::{Project, Settings, Status};
pub use release::{Release, ReleaseSettings, ReleaseState, Revision};
pub use reply::{Action, Card, File, Notice, Progress, Reply, StepState, Style};
pub use session::{Session, Thread};
pub use turn::{Message, PromptRef, Said, ToolLine, ToolState, Turn, TurnState, Usage};
pub use verified::{Identity, Known, May, Operator, Verified};

/// A moment, as everything stores and shows it.
pub use jiff::Timestamp;
