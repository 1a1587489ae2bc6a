//! How far a turn has been shown, kept so that a later program goes on where this one ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::chat::desk::Desk;
use crate::model::{ApprovalId, TurnId};

#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Draft {
    /// The messages of its text, in order.
    pub messages: Vec<String>,
    /// Whether the last of them is being streamed.
    pub streaming: bool,
    /// All of its text stands there; only what says that it runs is still to be taken away.
    pub shown: bool,
    pub approvals: Vec<(ApprovalId, String)>,
    /// What says that it runs, with its Stop button.
    pub working: Option<String>,
}

/// The draft of a turn that is being shown. Cheap to clone.
#[derive(Clone)]
pub struct Kept {
    turn: TurnId,
    desk: Arc<dyn Desk>,
    draft: Arc<Mutex<Draft>>,
}

impl Kept {
    pub fn new(turn: TurnId, desk: Arc<dyn Desk>, before: &str) -> Self {
        let draft = serde_json::from_str(before).unwrap_or_default();
        Self { turn, desk, draft: Arc::new(Mutex::new(draft)) }
    }

    fn lock(&self) -> MutexGuard<'_, Draft> {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn read(&self) -> Draft {
        self.lock().clone()
    }

    /// Returns once the change is durable.
    pub async fn change(&self, change: impl FnOnce(&mut Draft)) {
        let kept = {
            let mut draft = self.lock();
            change(&mut draft);
            serde_json::to_string(&*draft).unwrap_or_default()
        };
        self.desk.keep_draft(self.turn, kept).await;
    }

    pub async fn drop(&self) {
        self.desk.drop_draft(self.turn).await;
    }
}
