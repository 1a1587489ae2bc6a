//! The port to the surfaces: what the engine asks of them. Surfaces know no project, no role and no store.

mod approvals;
mod asked;
pub mod console;
pub mod desk;
pub mod discord;
mod draft;
mod flow;
mod hosts;
pub mod lanes;
mod lines;
mod live;
mod quiet;
pub mod slack;
pub mod split;

use async_trait::async_trait;

pub use live::LiveTurn;

use crate::error::Result;
use crate::model::{ConversationId, Form, Origin, Progress, Reply};

#[async_trait]
pub trait Chat: Send + Sync {
    /// `console`, `slack`, `discord`: the first part of its conversations' ids.
    fn surface(&self) -> &'static str;

    async fn reply(&self, to: &Origin, reply: Reply);

    async fn progress(&self, to: &Origin, step: Progress);

    /// Tells a conversation something that nobody there asked for.
    async fn note(&self, to: &ConversationId, text: String);

    /// Opens a thread below where `to` was said, or, where that is a thread that is `free`, takes that one. `None`: the surface
    /// has none of its own, and the engine numbers them.
    async fn open_thread(&self, to: &Origin, message: &str, free: bool) -> Result<Option<ConversationId>>;

    /// Whether a command that lacks arguments is asked for them in a form, rather than refused.
    fn asks_for_arguments(&self) -> bool {
        false
    }

    /// Whether a form can be filled in there.
    fn has_forms(&self) -> bool;

    /// Whether anybody can still answer an approval.
    fn attended(&self) -> bool;

    /// Shows a turn with its approvals from its first state to its last, at the surface's own pace. Returns at once.
    fn show_turn(&self, turn: LiveTurn);

    async fn form(&self, to: &Origin, form: &Form);

    /// Whether there is somebody with this id, as far as the surface can tell.
    async fn has_person(&self, _id: &str) -> bool {
        true
    }

    /// A thread's session is called so from now on. Returns at once.
    fn title(&self, _thread: &ConversationId, _title: &str) {}
}
