//! What becomes of a message after it was sent: another text, its end, and what people think of its answer.

use gaggle_commands::Candidates;

use super::{Engine, Ticket};
use crate::error::{Result, refused};
use crate::handlers;
use crate::model::{Notice, Origin, Reply, TurnId};

impl Engine {
    /// Only a message that waits still can change; nobody is told of one that cannot, for its answer tells what it answers.
    pub(super) async fn edit(&self, origin: Origin, source: &str, text: String) -> Result<Ticket> {
        let Some(turn) = self.work().store().turn_of(source).await? else { return Ok(Ticket::done(false)) };
        let caller = self.caller(&origin).await?;
        if turn.message.author != caller.person || text.trim().is_empty() {
            return Ok(Ticket::done(false));
        }
        let changed = self.work().edit(turn.id, text).await?;
        if changed {
            self.audit(&caller, format!("edit {}", turn.id), "allowed".into());
        }
        Ok(Ticket::done(changed))
    }

    pub(super) async fn withdraw(&self, source: &str) -> Result<Ticket> {
        let Some(turn) = self.work().store().turn_of(source).await? else { return Ok(Ticket::done(false)) };
        Ok(Ticket::done(self.work().take_back(turn.id, "its message was deleted").await))
    }

    pub(super) async fn gone(&self, origin: Origin) -> Result<Ticket> {
        let caller = self.caller(&origin).await?;
        for turn in self.work().waiting_of(&caller.person) {
            self.work().take_back(turn, "its author's account was closed").await;
        }
        Ok(Ticket::done(true))
    }

    /// The things of a kind that somebody may name.
    pub async fn candidates(&self, origin: &Origin, of: &Candidates) -> Result<Vec<String>> {
        let caller = self.caller(origin).await?;
        if caller.role.is_none() {
            return Ok(Vec::new());
        }
        handlers::candidates(&self.0.context, &caller, of).await
    }

    pub(super) async fn feedback(&self, origin: Origin, id: TurnId, good: bool) -> Result<Ticket> {
        let caller = self.caller(&origin).await?;
        let store = self.work().store();
        let gone = "This answer is gone, so there is nothing to judge any longer.";
        let Some(turn) = store.turn(id).await? else { return refused(gone) };
        match store.project(&turn.project).await? {
            Some(project) if caller.role_on(&project).is_some() => {}
            _ => return refused(gone),
        }
        store.judge_turn(id, caller.person.clone(), good).await?;
        metrics::counter!("gaggle_feedback_total", "good" => if good { "yes" } else { "no" }).increment(1);
        self.audit(&caller, format!("feedback {id}"), if good { "good" } else { "bad" }.into());
        let text = if good { "Noted: a good answer." } else { "Noted: not a good answer. Say what is wrong and it can mend it." };
        self.reply(&origin, Reply { private: true, notice: Notice::Ok, ..Reply::ok(text) }).await;
        Ok(Ticket::done(true))
    }
}
