//! The Agent Client Protocol, over HTTP or a pair of pipes. One connection serves all sessions of an agent; its messages are
//! told apart by session, and each session has a task of its own. Knows nothing of how the agent is run.

mod message;
mod pipe;
mod session;
mod streams;
mod updates;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::message::{Incoming, RpcError};
use self::session::Session;
use super::{Agent, Failure, OpenSession, Patience, Run, sentences};
use crate::model::{Answer, Content, PromptRef};

pub use pipe::connect as connect_pipes;
pub use streams::connect as connect_http;
pub use updates::shortened;

/// Goose keeps room for 16 sessions that it does not know yet.
const OPENING: usize = 8;
/// How long a new prompt waits for the end of one that was given up.
const DRAINING: Duration = Duration::from_secs(5);
/// A run's response can be this much later than the agent's word that it is over.
const STRAGGLER: Duration = Duration::from_millis(500);

enum Wire {
    Http(streams::Http),
    Pipe(pipe::Pipe),
}

/// What the agent said of itself.
#[derive(Debug, Clone, Default, PartialEq)]
struct Hello {
    name: String,
    load: bool,
    delete: bool,
    close: bool,
}

struct Core {
    wire: Wire,
    hello: Hello,
    /// For people.
    place: String,
    cwd: String,
    patience: Patience,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    waiting: Mutex<HashMap<String, Waiting>>,
    /// Ids of calls never repeat, not even in a later program that takes this connection up.
    prefix: String,
    next: AtomicU64,
    opening: Semaphore,
    drained: Notify,
    /// The agent can no longer be reached.
    gone: CancellationToken,
    reason: OnceLock<Failure>,
    /// Nobody uses this connection any more; the agent is left at work.
    stop: CancellationToken,
}

/// Who waits for the response to a call, and the session whose messages have to be dealt with before it.
struct Waiting {
    session: Option<String>,
    sender: oneshot::Sender<Result<Value, RpcError>>,
}

pub struct Acp {
    core: Arc<Core>,
    _stop: DropGuard,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hello {
    fn of(result: &Value) -> Result<Self, Failure> {
        match result["protocolVersion"].as_u64() {
            Some(1) | None => {}
            Some(other) => {
                let sentence = format!("The agent speaks version {other} of the Agent Client Protocol; Gaggle speaks version 1.");
                return Err(Failure::Failed(sentence));
            }
        }
        let info = &result["agentInfo"];
        let mut name = info["name"].as_str().or_else(|| info["title"].as_str()).unwrap_or("an ACP agent").to_owned();
        if let Some(version) = info["version"].as_str() {
            name = format!("{name} {version}");
        }
        let able = &result["agentCapabilities"];
        let sessions = &able["sessionCapabilities"];
        Ok(Self {
            name: crate::model::clip(&name, 80),
            load: able["loadSession"].as_bool().unwrap_or_default(),
            delete: !sessions["delete"].is_null(),
            close: !sessions["close"].is_null(),
        })
    }

    /// With a connection's id, so that a later program need not ask again.
    fn pack(&self, id: &str) -> String {
        let flag = |on, letter| if on { letter } else { "" };
        format!("{id} {}{}{}. {}", flag(self.load, "l"), flag(self.delete, "d"), flag(self.close, "c"), self.name)
    }

    fn unpack(packed: &str) -> Option<(String, Self)> {
        let mut parts = packed.splitn(3, ' ');
        let (id, flags, name) = (parts.next()?, parts.next()?, parts.next()?);
        let has = |letter| flags.contains(letter);
        Some((id.to_owned(), Self { name: name.to_owned(), load: has('l'), delete: has('d'), close: has('c') }))
    }
}

impl Core {
    fn new(wire: Wire, hello: Hello, place: String, cwd: &str, patience: Patience) -> Arc<Self> {
        let mut random = [0u8; 6];
        if let Err(error) = getrandom::fill(&mut random) {
            tracing::warn!(%error, "no randomness for the ids of calls");
        }
        Arc::new(Self {
            wire,
            hello,
            place,
            cwd: cwd.to_owned(),
            patience,
            sessions: Mutex::default(),
            waiting: Mutex::default(),
            prefix: random.iter().map(|byte| format!("{byte:02x}")).collect(),
            next: AtomicU64::new(1),
            opening: Semaphore::new(OPENING),
            drained: Notify::new(),
            gone: CancellationToken::new(),
            reason: OnceLock::new(),
            stop: CancellationToken::new(),
        })
    }

    fn session(self: &Arc<Self>, id: &str) -> Arc<Session> {
        let session = locked(&self.sessions).entry(id.to_owned()).or_insert_with(|| Arc::new(Session::new(id))).clone();
        match &self.wire {
            Wire::Http(_) => {}
            Wire::Pipe(pipe) => pipe.listen(self, &session),
        }
        session
    }

    fn sessions_now(&self) -> Vec<Arc<Session>> {
        locked(&self.sessions).values().cloned().collect()
    }

    /// The session that a response belongs to.
    fn session_of(&self, id: &str) -> Option<String> {
        if let Some(waiting) = locked(&self.waiting).get(id) {
            return waiting.session.clone();
        }
        locked(&self.sessions).values().find(|session| session.awaits(id)).map(|session| session.id.clone())
    }

    fn drop_session(&self, id: &str) {
        if let Some(session) = locked(&self.sessions).remove(id) {
            session.retired.cancel();
        }
    }

    /// Sees to it that the session's messages are read.
    fn attach(self: &Arc<Self>, session: &Arc<Session>) {
        if matches!(self.wire, Wire::Http(_)) && session.start_listening() {
            tokio::spawn(streams::follow(self.clone(), session.clone()));
        }
    }

    /// The agent cannot be reached any more. The first reason counts.
    fn lost(&self, reason: Failure) {
        let _ = self.reason.set(reason);
        self.gone.cancel();
        // Their senders go, and so whoever waits is told.
        locked(&self.waiting).clear();
    }

    fn why_gone(&self) -> Failure {
        self.reason.get().cloned().unwrap_or_else(|| sentences::gone(&self.place, "the connection was closed"))
    }

    async fn send(&self, message: &Value, session: Option<&str>) -> Result<(), Failure> {
        if self.gone.is_cancelled() {
            return Err(self.why_gone());
        }
        match &self.wire {
            Wire::Http(http) => http.post(self, message, session).await,
            Wire::Pipe(pipe) => pipe.write(self, message).await,
        }
    }

    /// Sends and forgets: for what has no answer and whose loss the user cannot mend.
    fn send_later(self: &Arc<Self>, message: Value, session: Option<String>) {
        let core = self.clone();
        tokio::spawn(async move {
            if let Err(error) = core.send(&message, session.as_deref()).await {
                tracing::debug!(%error, "not sent");
            }
        });
    }

    fn call_id(&self) -> String {
        format!("{}-{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }

    async fn call(
        self: &Arc<Self>,
        what: &str,
        method: &str,
        params: Value,
        session: Option<&Arc<Session>>,
    ) -> Result<Result<Value, RpcError>, Failure> {
        let id = self.call_id();
        let (sender, receiver) = oneshot::channel();
        let waiting = Waiting { session: session.map(|session| session.id.clone()), sender };
        locked(&self.waiting).insert(id.clone(), waiting);
        if let Some(session) = session {
            self.attach(session);
        }
        let sent = async {
            self.send(&message::request(&id, method, params), session.map(|session| session.id.as_str())).await?;
            receiver.await.map_err(|_| self.why_gone())
        };
        let outcome = tokio::time::timeout(self.patience.call, sent).await;
        locked(&self.waiting).remove(&id);
        outcome.unwrap_or_else(|_| Err(sentences::no_answer(what, self.patience.call)))
    }

    /// A response that is no run's end.
    fn answered(&self, id: &str, outcome: Result<Value, RpcError>) {
        match locked(&self.waiting).remove(id) {
            Some(waiting) => drop(waiting.sender.send(outcome)),
            None => tracing::debug!(id, "a response that nobody waits for"),
        }
    }

    /// A message that is no session's business.
    fn other(self: &Core, message: Incoming) {
        match message {
            Incoming::Request { id, method, .. } => {
                tracing::debug!(method, "the agent asks for what this client does not do");
                self.unsupported(id, &method);
            }
            Incoming::Notification { method, .. } => tracing::debug!(method, "ignored"),
            Incoming::Response { id, outcome } => self.answered(&id, outcome),
        }
    }

    fn unsupported(&self, id: Value, method: &str) {
        let message = message::unsupported(id, method);
        match &self.wire {
            Wire::Http(http) => http.post_later(message),
            Wire::Pipe(pipe) => pipe.write_later(message),
        }
    }

    fn cancel_message(session: &str) -> Value {
        message::notification("session/cancel", json!({ "sessionId": session }))
    }

    /// `session/load`; `Ok(None)`: the agent does not know the session.
    async fn load(self: &Arc<Self>, session: &Arc<Session>) -> Result<Option<updates::Replay>, Failure> {
        let _place = self.opening.acquire().await;
        session.call_begins(true);
        let params = json!({ "sessionId": session.id, "cwd": self.cwd, "mcpServers": [] });
        let outcome = self.call("open the session", "session/load", params, Some(session)).await;
        let replay = session.call_ends().unwrap_or_default();
        match outcome? {
            Ok(_) => {
                session.set_known();
                Ok(Some(replay))
            }
            Err(error) if unknown(&error) => Ok(None),
            Err(error) => Err(sentences::rpc("open the session", error.code, &error.text)),
        }
    }

    /// Whether the agent is at work in a session. `None`: it cannot say. Goose alone is known to: its `steer` refuses a run id
    /// that is not the active one's, and has no other effect then.
    async fn at_work(self: &Arc<Self>, session: &Arc<Session>) -> Option<bool> {
        session.call_begins(false);
        let prompt = json!([{ "type": "text", "text": "?" }]);
        let params = json!({ "sessionId": session.id, "expectedRunId": "none", "prompt": prompt });
        let outcome = self.call("tell its state", "_goose/unstable/session/steer", params, Some(session)).await;
        session.call_ends();
        let error = outcome.ok()?.err()?;
        if error.text.contains("no active run") || unknown(&error) {
            return Some(false);
        }
        error.text.contains("active run").then_some(true)
    }

    fn place(&self) -> &str {
        &self.place
    }
}

fn unknown(error: &RpcError) -> bool {
    let text = error.text.to_lowercase();
    error.code == message::NOT_FOUND || (text.contains("session") && (text.contains("not found") || text.contains("unknown")))
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
        PromptRef { session: session.to_owned(), connection: self.connection(), request: request.to_owned(), sent: false }
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
            })
            .collect();
        let params = json!({ "sessionId": prompt.session, "prompt": blocks });
        let request = message::request(&prompt.request, "session/prompt", params);
        match core.send(&request, Some(&prompt.session)).await {
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

    async fn last_answer(&self, session: &str) -> Result<Option<String>, Failure> {
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
