//! JSON-RPC as the demo agent needs it, and the client at the other end of a connection. Knows no method by name.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::outbox::Outbox;

/// A refusal in the shape that Goose gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    code: i64,
    message: &'static str,
    data: Option<Value>,
}

impl Fault {
    pub fn invalid(data: impl Into<Value>) -> Self {
        Self { code: -32602, message: "Invalid params", data: Some(data.into()) }
    }

    pub fn no_session(id: &str) -> Self {
        Self { code: -32002, message: "Resource not found", data: Some(format!("Session not found: {id}").into()) }
    }

    pub fn no_method() -> Self {
        Self { code: -32601, message: "Method not found", data: None }
    }

    pub fn unreadable(line: &str) -> Self {
        Self { code: -32700, message: "Parse error", data: Some(json!({ "line": line })) }
    }

    pub fn internal(data: impl Into<Value>) -> Self {
        Self { code: -32603, message: "Internal error", data: Some(data.into()) }
    }
}

pub fn response(id: &Value, outcome: Result<Value, Fault>) -> Value {
    match outcome {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(Fault { code, message, data: None }) => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
        }
        Err(Fault { code, message, data: Some(data) }) => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message, "data": data } })
        }
    }
}

/// One connection. Over HTTP each session has a stream of its own, on stdio all share one.
#[derive(Debug)]
pub struct Client {
    pub ended: CancellationToken,
    shared: Arc<Outbox>,
    by_session: Option<Mutex<HashMap<String, Arc<Outbox>>>>,
    asked: Mutex<HashMap<String, oneshot::Sender<Value>>>,
    deaf: CancellationToken,
    /// Sessions that this client has closed: it has to load them again.
    closed: Mutex<HashSet<String>>,
}

impl Client {
    pub fn new(session_streams: bool, server: &CancellationToken) -> Self {
        Self {
            ended: server.child_token(),
            shared: Arc::default(),
            by_session: session_streams.then(Mutex::default),
            asked: Mutex::default(),
            deaf: CancellationToken::new(),
            closed: Mutex::default(),
        }
    }

    /// The stream of a session, or the connection's own.
    pub fn outbox(&self, session: Option<&str>) -> Arc<Outbox> {
        let (Some(streams), Some(session)) = (&self.by_session, session) else { return Arc::clone(&self.shared) };
        let mut streams = lock(streams);
        let outbox = streams.entry(session.to_owned()).or_default();
        if self.ended.is_cancelled() {
            outbox.close();
        }
        Arc::clone(outbox)
    }

    /// Answers a request on the stream where Goose answers it.
    pub fn respond(&self, session: Option<&str>, id: &Value, outcome: Result<Value, Fault>) {
        self.outbox(session).put(response(id, outcome).to_string());
    }

    /// Sends a `session/update`; waits while the client is too far behind.
    pub async fn update(&self, session: &str, update: Value) {
        let message = json!({
            "jsonrpc": "2.0", "method": "session/update", "params": { "sessionId": session, "update": update },
        });
        self.outbox(Some(session)).push(message.to_string()).await;
    }

    /// Asks the client something; `None` if the connection ends first or there can be no answer.
    pub async fn ask(&self, session: &str, method: &str, params: Value) -> Option<Value> {
        let id = random_id()?;
        let (answer, answered) = oneshot::channel();
        lock(&self.asked).insert(id.clone(), answer);
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.outbox(Some(session)).push(message.to_string()).await;
        let answer = tokio::select! {
            answer = answered => answer.ok(),
            () = self.ended.cancelled() => None,
            () = self.deaf.cancelled() => None,
        };
        lock(&self.asked).remove(&id);
        answer
    }

    /// Takes a client's answer; one that nobody waits for is ignored.
    pub fn answered(&self, id: &str, result: Value) {
        if let Some(waiting) = lock(&self.asked).remove(id) {
            waiting.send(result).ok();
        }
    }

    /// The client will answer nothing any more.
    pub fn hang_up(&self) {
        self.deaf.cancel();
    }

    pub fn set_closed(&self, session: &str, closed: bool) {
        if closed {
            lock(&self.closed).insert(session.to_owned());
        } else {
            lock(&self.closed).remove(session);
        }
    }

    pub fn has_closed(&self, session: &str) -> bool {
        lock(&self.closed).contains(session)
    }

    /// Aborts the connection's runs and ends its streams.
    pub fn end(&self) {
        self.ended.cancel();
        self.shared.close();
        if let Some(streams) = &self.by_session {
            lock(streams).values().for_each(|outbox| outbox.close());
        }
    }
}

/// A version 4 UUID, as Goose names connections, runs and requests; `None` only without an operating system's randomness.
pub fn random_id() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    let mut number = u128::from_be_bytes(bytes);
    number = number & !(0xf << 76) | (0x4 << 76);
    number = number & !(0x3 << 62) | (0x2 << 62);
    let hex = format!("{number:032x}");
    Some([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
