//! The port to the surfaces: what the engine asks of them. Surfaces know no project, no role and no store.

mod live;

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

    /// Opens a thread below where `to` was said and makes it the place of what follows there.
    async fn open_thread(&self, to: &Origin, title: &str) -> Result<ConversationId>;

    /// Whether somebody there can fill in a form now.
    fn can_ask(&self, to: &Origin) -> bool;

    /// Shows a turn with its approvals from its first state to its last, at the surface's own pace. Returns at once.
    fn show_turn(&self, turn: LiveTurn);

    async fn form(&self, to: &Origin, form: &Form);
}
