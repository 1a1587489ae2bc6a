//! What an ACP connection keeps: its way to the agent, its sessions, and who waits for which response. Invariant: once it is
//! lost, everybody who waits is told, and nothing is sent any more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::message::{self, Incoming, RpcError};
use super::session::Session;
use super::{pipe, streams, updates};
use crate::agent::{Failure, Patience, sentences};

/// Goose keeps room for 16 sessions that it does not know yet.
const OPENING: usize = 8;
pub enum Wire {
    Http(Box<streams::Http>),
    Pipe(pipe::Pipe),
}

/// What the agent said of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hello {
    pub name: String,
    pub load: bool,
    pub delete: bool,
    pub close: bool,
}

pub struct Core {
    pub wire: Wire,
    pub hello: Hello,
    /// For people.
    pub place: String,
    pub cwd: String,
    pub patience: Patience,
    pub sessions: Mutex<HashMap<String, Arc<Session>>>,
    waiting: Mutex<HashMap<String, Waiting>>,
    /// Ids of calls never repeat, not even in a later program that takes this connection up.
    prefix: String,
    next: AtomicU64,
    opening: Semaphore,
    pub drained: Notify,
    /// The connection's own stream was open once.
    pub heard: CancellationToken,
    /// The agent can no longer be reached.
    pub gone: CancellationToken,
    reason: OnceLock<Failure>,
    /// Nobody uses this connection any more; the agent is left at work.
    pub stop: CancellationToken,
}

/// Who waits for the response to a call, and the session whose messages have to be dealt with before it.
struct Waiting {
    session: Option<String>,
    sender: oneshot::Sender<Result<Value, RpcError>>,
}

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hello {
    pub fn of(result: &Value) -> Result<Self, Failure> {
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
    pub fn pack(&self, id: &str) -> String {
        let flag = |on, letter| if on { letter } else { "" };
        format!("{id} {}{}{}. {}", flag(self.load, "l"), flag(self.delete, "d"), flag(self.close, "c"), self.name)
    }

    pub fn unpack(packed: &str) -> Option<(String, Self)> {
        let mut parts = packed.splitn(3, ' ');
        let (id, flags, name) = (parts.next()?, parts.next()?, parts.next()?);
        let has = |letter| flags.contains(letter);
        Some((id.to_owned(), Self { name: name.to_owned(), load: has('l'), delete: has('d'), close: has('c') }))
    }
}

impl Core {
    pub fn new(wire: Wire, hello: Hello, place: String, cwd: &str, patience: Patience) -> Arc<Self> {
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
            heard: CancellationToken::new(),
            gone: CancellationToken::new(),
            reason: OnceLock::new(),
            stop: CancellationToken::new(),
        })
    }

    pub fn session(self: &Arc<Self>, id: &str) -> Arc<Session> {
        let session = locked(&self.sessions).entry(id.to_owned()).or_insert_with(|| Arc::new(Session::new(id))).clone();
        match &self.wire {
            Wire::Http(_) => {}
            Wire::Pipe(pipe) => pipe.listen(self, &session),
        }
        session
    }

    pub fn sessions_now(&self) -> Vec<Arc<Session>> {
        locked(&self.sessions).values().cloned().collect()
    }

    /// The session that a response belongs to.
    pub fn session_of(&self, id: &str) -> Option<String> {
        if let Some(waiting) = locked(&self.waiting).get(id) {
            return waiting.session.clone();
        }
        locked(&self.sessions).values().find(|session| session.awaits(id)).map(|session| session.id.clone())
    }

    pub fn drop_session(&self, id: &str) {
        if let Some(session) = locked(&self.sessions).remove(id) {
            session.retired.cancel();
        }
    }

    /// Sees to it that the session's messages are read.
    pub fn attach(self: &Arc<Self>, session: &Arc<Session>) {
        if matches!(self.wire, Wire::Http(_)) && session.start_listening() {
            tokio::spawn(streams::follow(self.clone(), session.clone()));
        }
    }

    /// The agent cannot be reached any more. The first reason counts.
    pub fn lost(&self, reason: Failure) {
        let _ = self.reason.set(reason);
        self.gone.cancel();
        // Their senders go, and so whoever waits is told.
        locked(&self.waiting).clear();
    }

    pub fn why_gone(&self) -> Failure {
        self.reason.get().cloned().unwrap_or_else(|| sentences::gone(&self.place, "the connection was closed"))
    }

    pub async fn send(&self, message: &Value, session: Option<&str>) -> Result<(), Failure> {
        if self.gone.is_cancelled() {
            return Err(self.why_gone());
        }
        match &self.wire {
            Wire::Http(http) => http.post(self, message, session).await,
            Wire::Pipe(pipe) => pipe.write(self, message).await,
        }
    }

    /// Sends and forgets: for what has no answer and whose loss the user cannot mend.
    pub fn send_later(self: &Arc<Self>, message: Value, session: Option<String>) {
        let core = self.clone();
        tokio::spawn(async move {
            if let Err(error) = core.send(&message, session.as_deref()).await {
                tracing::debug!(%error, "not sent");
            }
        });
    }

    /// Until answers reach us. A reader that died is the reader still until its sockets are closed for good, which takes a while where
    /// something stands between; what is written by then is gone.
    pub async fn hearing(&self, session: Option<&Session>) -> Result<(), Failure> {
        let Wire::Http(http) = &self.wire else { return Ok(()) };
        if !http.inherited() {
            return Ok(());
        }
        let heard = async {
            self.heard.cancelled().await;
            if let Some(session) = session {
                session.heard.cancelled().await;
            }
        };
        let retired = async {
            match session {
                Some(session) => session.retired.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = heard => Ok(()),
            // Nobody reads it any more, so nothing has to be waited for.
            () = retired => Ok(()),
            () = self.gone.cancelled() => Err(self.why_gone()),
        }
    }

    pub fn call_id(&self) -> String {
        format!("{}-{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }

    pub async fn call(
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
            self.hearing(session.map(|session| &**session)).await?;
            self.send(&message::request(&id, method, params), session.map(|session| session.id.as_str())).await?;
            receiver.await.map_err(|_| self.why_gone())
        };
        let outcome = tokio::time::timeout(self.patience.call, sent).await;
        locked(&self.waiting).remove(&id);
        outcome.unwrap_or_else(|_| Err(sentences::no_answer(what, self.patience.call)))
    }

    /// A response that is no run's end.
    pub fn answered(&self, id: &str, outcome: Result<Value, RpcError>) {
        match locked(&self.waiting).remove(id) {
            Some(waiting) => drop(waiting.sender.send(outcome)),
            None => tracing::debug!(id, "a response that nobody waits for"),
        }
    }

    /// A message that is no session's business.
    pub fn other(self: &Core, message: Incoming) {
        match message {
            Incoming::Request { id, method, .. } => {
                tracing::debug!(method, "the agent asks for what this client does not do");
                self.unsupported(id, &method);
            }
            Incoming::Notification { method, .. } => tracing::debug!(method, "ignored"),
            Incoming::Response { id, outcome } => self.answered(&id, outcome),
        }
    }

    pub fn unsupported(&self, id: Value, method: &str) {
        let message = message::unsupported(id, method);
        match &self.wire {
            Wire::Http(http) => http.post_later(message),
            Wire::Pipe(pipe) => pipe.write_later(message),
        }
    }

    pub fn cancel_message(session: &str) -> Value {
        message::notification("session/cancel", json!({ "sessionId": session }))
    }

    /// `session/load`; `Ok(None)`: the agent does not know the session.
    pub async fn load(self: &Arc<Self>, session: &Arc<Session>) -> Result<Option<updates::Replay>, Failure> {
        let _place = self.opening.acquire().await;
        session.call_begins(true);
        let params = json!({ "sessionId": session.id, "cwd": self.cwd, "mcpServers": [] });
        let outcome = self.call("open the session", "session/load", params, Some(session)).await;
        session.call_ends();
        let replay = session.take_replay().unwrap_or_default();
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
    pub async fn at_work(self: &Arc<Self>, session: &Arc<Session>) -> Option<bool> {
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

    pub fn place(&self) -> &str {
        &self.place
    }
}

pub fn unknown(error: &RpcError) -> bool {
    let text = error.text.to_lowercase();
    error.code == message::NOT_FOUND || (text.contains("session") && (text.contains("not found") || text.contains("unknown")))
}
