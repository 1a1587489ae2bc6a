//! How far a turn has been shown, kept so that a later program goes on where this one ended. Invariant: a message is one turn's, also
//! when two turns of a thread find it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::chat::desk::Desk;
use crate::model::{ApprovalId, TurnId};

/// Owners that are remembered.
const CLAIMS: usize = 20_000;

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

/// Whose messages are that tell it by no mark: those of an earlier program that had no time to note or to end them. Each is one turn's,
/// so that no two write into it.
#[derive(Default)]
pub struct Claims(Mutex<HashMap<String, TurnId>>);

impl Claims {
    fn take(&self, message: &str, turn: TurnId) -> bool {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if owners.len() >= CLAIMS {
            owners.clear();
        }
        *owners.entry(message.to_owned()).or_insert(turn) == turn
    }

    fn note(&self, draft: &Draft, turn: TurnId) {
        for message in &draft.messages {
            let _ = self.take(message, turn);
        }
    }
}

/// The draft of a turn that is being shown. Cheap to clone.
#[derive(Clone)]
pub struct Kept {
    turn: TurnId,
    claims: Arc<Claims>,
    desk: Arc<dyn Desk>,
    draft: Arc<Mutex<Draft>>,
}

impl Kept {
    /// What was noted before is the turn's, whoever else finds it.
    pub fn new(turn: TurnId, desk: Arc<dyn Desk>, claims: Arc<Claims>, before: &str) -> Self {
        let draft: Draft = serde_json::from_str(before).unwrap_or_default();
        claims.note(&draft, turn);
        Self { turn, claims, desk, draft: Arc::new(Mutex::new(draft)) }
    }

    /// Whether a message that is found without a mark is the turn's: it is, if it is nobody else's.
    pub fn claims(&self, message: &str) -> bool {
        self.claims.take(message, self.turn)
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
            let known = draft.messages.len();
            change(&mut draft);
            if draft.messages.len() > known {
                self.claims.note(&draft, self.turn);
            }
            serde_json::to_string(&*draft).unwrap_or_default()
        };
        self.desk.keep_draft(self.turn, kept).await;
    }

    pub async fn drop(&self) {
        self.desk.drop_draft(self.turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_a_mark_is_one_turns() {
        let claims = Claims::default();
        assert!(claims.take("1.0", TurnId(7)) && claims.take("1.0", TurnId(7)));
        assert!(!claims.take("1.0", TurnId(8)), "the next turn of the thread finds it, too");
        assert!(claims.take("2.0", TurnId(8)));
    }
}
