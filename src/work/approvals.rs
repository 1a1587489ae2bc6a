//! Approvals: opened when an agent asks, decided once, by a person, by expiry or because nobody can answer.

use super::Work;
use super::answer::STOPPED;
use super::turns::Job;
use crate::agent::Agent;
use crate::error::{Error, Result, refused};
use crate::model::{Answer, Approval, ApprovalId, ApprovalState, Timestamp, TurnState};

impl Work {
    pub(super) async fn want_approval(
        &self,
        job: &Job,
        request: String,
        tool: String,
        title: String,
        arguments: serde_json::Value,
    ) -> Result<()> {
        let now = Timestamp::now();
        let (turn, origin) = job.live.read(|t| (t.id, t.origin.clone()));
        let approval = Approval {
            id: ApprovalId(0),
            turn,
            session: job.session,
            project: job.project.clone(),
            request,
            tool,
            title,
            arguments,
            state: ApprovalState::Open,
            created: now,
            expires: now + self.limits().approval_timeout,
            by: None,
            reason: None,
        };
        let approval = self.store().open_approval(approval).await?;
        let id = approval.id;
        job.live.change(|t| {
            t.state = TurnState::Waiting;
            t.reason = Some(format!("waiting for the approval {id}"));
            t.approvals.push(approval);
        });
        if !self.chat(&origin).is_some_and(|c| c.attended()) {
            self.decide(id, Answer::Deny, None, Some("the input has ended, so nobody can answer".into())).await?;
        }
        Ok(())
    }

    /// Takes open approvals up again after a restart.
    pub(super) async fn reopen_approvals(&self, job: &Job) -> Result<()> {
        let turn = job.live.read(|t| t.id);
        for approval in self.store().open_approvals().await? {
            if approval.turn == turn {
                job.live.change(|t| {
                    t.state = TurnState::Waiting;
                    t.reason = Some(format!("waiting for the approval {}", approval.id));
                    t.approvals.push(approval);
                });
            }
        }
        Ok(())
    }

    /// Tells the agent again what was decided: a decision is durable before it is told, so the earlier program may not have lived to
    /// tell it, and the agent would wait for ever. One that it knows already is nothing to it.
    pub(super) async fn repeat_answers(&self, job: &Job, agent: &dyn Agent, session: &str) -> Result<()> {
        let (turn, since) = job.live.read(|t| (t.id, t.created));
        for approval in self.store().decided_approvals(turn, since).await? {
            let answer = match approval.state {
                ApprovalState::Allowed => Answer::Once,
                ApprovalState::AllowedAlways => Answer::Always,
                ApprovalState::Denied | ApprovalState::Expired => Answer::Deny,
                ApprovalState::Void if approval.reason.as_deref() == Some(STOPPED) => {
                    job.cancel.cancel();
                    let _ = agent.cancel(session).await;
                    Answer::Cancelled
                }
                ApprovalState::Void | ApprovalState::Open => continue,
            };
            if let Err(error) = agent.answer(session, &approval.request, answer).await {
                tracing::warn!(%error, approval = %approval.id, "an answer did not reach the agent");
            }
        }
        Ok(())
    }

    /// Decides an approval and tells the agent. Refused if it was decided before.
    pub async fn decide(&self, id: ApprovalId, answer: Answer, by: Option<String>, reason: Option<String>) -> Result<Approval> {
        let state = match answer {
            Answer::Once => ApprovalState::Allowed,
            Answer::Always => ApprovalState::AllowedAlways,
            Answer::Deny => ApprovalState::Denied,
            Answer::Cancelled => ApprovalState::Void,
        };
        self.close_approval(id, state, answer, by, reason).await
    }

    pub(super) async fn expire(&self, id: ApprovalId) {
        let reason = Some("nobody answered in time".to_owned());
        let _ = self.close_approval(id, ApprovalState::Expired, Answer::Deny, None, reason).await.map_err(Error::told);
    }

    async fn close_approval(
        &self,
        id: ApprovalId,
        state: ApprovalState,
        answer: Answer,
        by: Option<String>,
        reason: Option<String>,
    ) -> Result<Approval> {
        let approval = match self.store().decide(id, state, by, reason).await? {
            Some(Ok(approval)) => approval,
            Some(Err(before)) => return refused(stale(&before)),
            None => return refused(format!("There is no approval `{id}`. See the open ones with `/approval list`.")),
        };
        let Some(job) = self.0.turns.job(approval.turn) else {
            return refused(format!("The answer that the approval `{id}` belongs to has ended already."));
        };
        job.live.change(|t| {
            if let Some(shown) = t.approvals.iter_mut().find(|a| a.id == id) {
                *shown = approval.clone();
            }
            let open = t.approvals.iter().find(|a| a.state == ApprovalState::Open).map(|a| a.id);
            if t.state == TurnState::Waiting {
                match open {
                    Some(other) => t.reason = Some(format!("waiting for the approval {other}")),
                    None => {
                        t.state = TurnState::Working;
                        t.reason = None;
                    }
                }
            }
        });
        let _ = job.decisions.send((id, answer)).await;
        Ok(approval)
    }

    /// Denies whatever is open on a surface that nobody can answer on any longer.
    pub async fn deny_unattended(&self, surface: &str) {
        for approval in self.store().open_approvals().await.unwrap_or_default() {
            let on_surface = self.0.turns.job(approval.turn).is_some_and(|j| j.live.read(|t| t.origin.actor.surface == surface));
            if on_surface {
                let reason = Some("the input has ended, so nobody can answer".to_owned());
                let _ = self.decide(approval.id, Answer::Deny, None, reason).await.map_err(Error::told);
            }
        }
    }
}

fn stale(approval: &Approval) -> String {
    let who = approval.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let what = match approval.state {
        ApprovalState::Open => "is open",
        ApprovalState::Allowed | ApprovalState::AllowedAlways => "was allowed",
        ApprovalState::Denied => "was denied",
        ApprovalState::Expired => "has expired and was denied",
        ApprovalState::Void => "is void: its answer ended first",
    };
    format!("The approval `{}` {what}{who}; nothing was changed.", approval.id)
}
