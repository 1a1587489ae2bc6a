//! The Agent Client Protocol, over HTTP or a pair of pipes. One connection serves all sessions of an agent; its messages are
//! told apart by session, and each session has a task of its own. Knows nothing of how the agent is run.

mod core;
mod message;
mod pipe;
mod session;
mod streams;
mod updates;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio_util::sync::DropGuard;

use self::core::{Core, Hello, Wire, unknown};
use super::{Agent, Exchange, Failure, OpenSession, Run, sentences};
use crate::model::{Answer, Content, PromptRef};

pub use pipe::connect as connect_pipes;
pub use streams::connect as connect_http;
pub use updates::shortened;

/// How long a new prompt waits for the end of one that was given up.
const DRAINING: Duration = Duration::from_secs(5);
/// A run's response can be this much later than the agent's word that it is over.
const STRAGGLER: Duration = Duration::from_millis(500);

pub struct Acp {
    core: Arc<Core>,
    _stop: DropGuard,
}

#[async_trait]
impl Agent for Acp {
    async fn open(&self, known: Option<&str>) -> Result<OpenSession, Failure> {
        let core = &self.core;
        if let Some(id) = known {
            let session = core.session(id);
            if session.known() {
                return Ok(OpenSession { id: id.to_owned(), forgotten: false });
            }
            if core.hello.load && core.load(&session).await?.is_some() {
                return Ok(OpenSession { id: id.to_owned(), forgotten: false });
            }
            core.drop_session(id);
        }
        let params = json!({ "cwd": core.cwd, "mcpServers": [] });
        let result = core
            .call("open a session", "session/new", params, None)
            .await?
            .map_err(|error| sentences::rpc("open a session", error.code, &error.text))?;
        let Some(id) = result["sessionId"].as_str() else {
            return Err(sentences::agent_refused("open a session", "it gave no session id"));
        };
        // An id that the agent uses again starts anew here as well.
        core.drop_session(id);
        core.session(id).set_known();
        Ok(OpenSession { id: id.to_owned(), forgotten: known.is_some() })
    }

    fn prompt_ref(&self, session: &str, request: &str) -> PromptRef {
        let (session, request) = (session.to_owned(), request.to_owned());
        PromptRef { session, connection: self.connection(), request, sent: false, cancelled: None }
    }

    async fn prompt(&self, prompt: &PromptRef, content: &[Content]) -> Result<Run, Failure> {
        let core = &self.core;
        let session = core.session(&prompt.session);
        if session.draining() {
            core.attach(&session);
            let _ = tokio::time::timeout(DRAINING, async {
                loop {
                    let drained = core.drained.notified();
                    if !session.draining() {
                        return;
                    }
                    drained.await;
                }
            })
            .await;
        }
        let run = session.begin(&prompt.request)?;
        core.attach(&session);
        let blocks: Vec<Value> = content
            .iter()
            .map(|part| match part {
                Content::Text(text) => json!({ "type": "text", "text": text }),
                Content::Image { mime, data } => json!({ "type": "image", "mimeType": mime, "data": data }),
            })
            .collect();
        let params = json!({ "sessionId": prompt.session, "prompt": blocks });
        let request = message::request(&prompt.request, "session/prompt", params);
        let sent = match core.hearing(Some(&session)).await {
            Ok(()) => core.send(&request, Some(&prompt.session)).await,
            Err(failure) => Err(failure),
        };
        match sent {
            // Whoever ends the runs of a lost connection may have come by before this one was there.
            Ok(()) if core.gone.is_cancelled() => {
                session.unbegin(&prompt.request);
                Err(core.why_gone())
            }
            Ok(()) => Ok(run),
            Err(failure) => {
                session.unbegin(&prompt.request);
                Err(failure)
            }
        }
    }

    async fn resume(&self, prompt: &PromptRef) -> Result<Option<Run>, Failure> {
        let core = &self.core;
        if prompt.connection.is_none() || prompt.connection != self.connection() || core.gone.is_cancelled() {
            return Ok(None);
        }
        let session = core.session(&prompt.session);
        if let Some(run) = session.take_up(&prompt.request) {
            return Ok(Some(run));
        }
        let run = session.begin(&prompt.request)?;
        core.attach(&session);
        // The end of the run may have been read by a program that did not live to tell. The agent's word comes on the same
        // stream, after everything that it has still to deliver.
        let (core, request) = (core.clone(), prompt.request.clone());
        tokio::spawn(async move {
            if core.at_work(&session).await == Some(false) {
                tokio::time::sleep(STRAGGLER).await;
                session.end_if(&request, vec![super::AgentEvent::Done { cancelled: false, usage: None }]).await;
            }
        });
        Ok(Some(run))
    }

    async fn last_answer(&self, session: &str) -> Result<Option<Exchange>, Failure> {
        let session = self.core.session(session);
        if !self.core.hello.load || session.running().is_some() {
            return Ok(None);
        }
        Ok(self.core.load(&session).await?.and_then(updates::Replay::answer))
    }

    async fn answer(&self, session: &str, request: &str, answer: Answer) -> Result<(), Failure> {
        let core = &self.core;
        // Kinds that will do, best first; the first is what stands for it in every agent known.
        let kinds: &[&str] = match answer {
            Answer::Once => &["allow_once"],
            Answer::Always => &["allow_always", "allow_once"],
            Answer::Deny => &["reject_once", "reject_always"],
            Answer::Cancelled => &[],
        };
        let offered = core.session(session).take_option(request, kinds);
        let outcome = match kinds.first() {
            Some(kind) => json!({ "outcome": "selected", "optionId": offered.unwrap_or_else(|| (*kind).to_owned()) }),
            None => json!({ "outcome": "cancelled" }),
        };
        let id = serde_json::from_str(request).unwrap_or_else(|_| Value::from(request));
        core.send(&message::response(id, json!({ "outcome": outcome })), Some(session)).await
    }

    async fn cancel(&self, session: &str) -> Result<(), Failure> {
        let core = &self.core;
        let open = core.session(session).cancelling();
        core.send(&Core::cancel_message(session), Some(session)).await?;
        for request in open {
            self.answer(session, &request, Answer::Cancelled).await?;
        }
        Ok(())
    }

    async fn forget(&self, session: &str) -> Result<(), Failure> {
        let core = &self.core;
        let method = match &core.hello {
            Hello { delete: true, .. } => "session/delete",
            Hello { close: true, .. } => "session/close",
            _ => return Ok(()),
        };
        let session = core.session(session);
        session.call_begins(false);
        let outcome = core.call("delete the session", method, json!({ "sessionId": session.id }), Some(&session)).await;
        session.call_ends();
        core.drop_session(&session.id);
        match outcome? {
            Err(error) if !unknown(&error) => Err(sentences::rpc("delete the session", error.code, &error.text)),
            _ => Ok(()),
        }
    }

    fn describe(&self) -> String {
        self.core.hello.name.clone()
    }

    fn connection(&self) -> Option<String> {
        match &self.core.wire {
            Wire::Http(http) => Some(self.core.hello.pack(http.id())),
            Wire::Pipe(_) => None,
        }
    }

    async fn closed(&self) {
        self.core.gone.cancelled().await;
    }

    async fn close(&self) {
        if let Wire::Http(http) = &self.core.wire {
            http.delete().await;
        }
        self.core.lost(sentences::gone(self.core.place(), "Gaggle closed the connection"));
    }
}
