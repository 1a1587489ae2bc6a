//! A stand-in for the older REST and SSE Goose API (port 3001 of old images), stateful and strict about methods, bodies and
//! headers. Its event streams come in pieces of random size (seeded), with comments between. Refusals are kept in
//! [`GooseApi::faults`]. Knows nothing of our client.
//!
//! A message is a script:
//!
//! | Message | Answer |
//! |---|---|
//! | `say N words` | `w1 … wN` |
//! | `markdown K KB` | exactly [`super::llm::markdown`]`(K)` |
//! | `tool` | a request, a notification, a response, then text |
//! | `big tool` | the same with [`BIG`] bytes of output |
//! | `failing tool` | a response with `Err` |
//! | `confirm` | `tool_confirmation`, which nobody can answer, then text |
//! | `think` | `thinking`, then text |
//! | `context` | `context_exceeded`, then text |
//! | `error before` · `error before 2` | one `error` frame under 200 and nothing else; the two shapes of a start failure |
//! | `error after N words` | words, `error`, then `complete` |
//! | `drop after N words` | words, then the connection breaks inside a frame |
//! | `end after N words` | words, then the stream ends well without `complete` |
//! | `quiet S` | S seconds with comments only, then `say 3 words` |
//! | `hang` | comments only |
//!
//! Anything else is answered with [`SMALL_TALK`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::llm::{markdown, words};

/// How large the output of `big tool` is.
pub const BIG: usize = 1024 * 1024;
pub const SMALL_TALK: &str = "This is the stand-in of the old Goose API.";
pub const TIMESTAMP: &str = "2026-11-20T12:00:00Z";

/// A call as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Called {
    pub method: String,
    /// Without `/api/v1`.
    pub path: String,
    pub body: Value,
}

#[derive(Debug)]
pub struct GooseApi {
    pub url: String,
    state: Arc<Inner>,
    _end: DropGuard,
}

#[derive(Debug)]
struct Inner {
    calls: Mutex<Vec<Called>>,
    faults: Mutex<Vec<String>>,
    sessions: Mutex<BTreeMap<String, Session>>,
    extensions: Mutex<BTreeMap<String, Value>>,
    settings: Mutex<BTreeMap<String, Value>>,
    created: AtomicU64,
    seed: AtomicU64,
    pace_micros: AtomicU64,
    since: Instant,
    ended: CancellationToken,
}

#[derive(Debug, Default, Clone)]
struct Session {
    messages: Vec<(&'static str, String)>,
    running: bool,
}

impl GooseApi {
    /// With the health check where most builds have it.
    pub async fn start(seed: u64) -> Self {
        Self::with_health(seed, "/api/v1/health").await
    }

    pub async fn with_health(seed: u64, health: &'static str) -> Self {
        let state = Arc::new(Inner {
            calls: Mutex::default(),
            faults: Mutex::default(),
            sessions: Mutex::default(),
            extensions: Mutex::new(BTreeMap::from([("developer".to_owned(), json!({ "name": "developer", "enabled": true }))])),
            settings: Mutex::new(BTreeMap::from([
                ("GOOSE_MODEL".to_owned(), json!("gpt-rig")),
                ("GOOSE_MODE".to_owned(), json!("auto")),
            ])),
            created: AtomicU64::new(0),
            seed: AtomicU64::new(seed),
            pace_micros: AtomicU64::new(500),
            since: Instant::now(),
            ended: CancellationToken::new(),
        });
        let healthy = || async { Json(json!({ "status": "ok" })) };
        let router = Router::new()
            .route(health, axum::routing::get(healthy))
            .fallback(dispatch)
            .layer(DefaultBodyLimit::max(16 * 1024 * 1024))
            .with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| stream.set_nodelay(true).expect("a socket"));
        let ended = state.ended.clone();
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(ended.cancelled_owned()).await });
        let end = state.ended.clone().drop_guard();
        Self { url, state, _end: end }
    }

    /// The time between two frames; half a millisecond at the start.
    pub fn pace(&self, pace: Duration) {
        self.state.pace_micros.store(u64::try_from(pace.as_micros()).expect("a short time"), Ordering::Relaxed);
    }

    pub fn calls(&self) -> Vec<Called> {
        lock(&self.state.calls).clone()
    }

    /// What the real server would have refused.
    pub fn faults(&self) -> Vec<String> {
        lock(&self.state.faults).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic")
}

type Refusal = (StatusCode, String);

async fn dispatch(State(state): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 16 * 1024 * 1024).await.expect("a body");
    let path = parts.uri.path().strip_prefix("/api/v1").unwrap_or("").to_owned();
    let body = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes) };
    let answer = match body {
        Err(error) => Err((StatusCode::BAD_REQUEST, format!("not JSON: {error}"))),
        Ok(body) if !body.is_null() && !is_json(&parts.headers) => {
            Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "a body that is not application/json".to_owned()))
        }
        Ok(body) => {
            lock(&state.calls).push(Called { method: parts.method.to_string(), path: path.clone(), body: body.clone() });
            answer(&state, &parts.method, &path, &parts.headers, body)
        }
    };
    answer.unwrap_or_else(|(status, why)| {
        // Asking for what is gone is no fault of a client.
        if status != StatusCode::NOT_FOUND || !path.starts_with("/sessions/") {
            lock(&state.faults).push(format!("{} {path}: {why}", parts.method));
        }
        (status, Json(json!({ "error": why }))).into_response()
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}

fn answer(state: &Arc<Inner>, method: &Method, path: &str, headers: &HeaderMap, body: Value) -> Result<Response, Refusal> {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let no_body = || if body.is_null() { Ok(()) } else { Err((StatusCode::BAD_REQUEST, "takes no body".to_owned())) };
    match (method.as_str(), segments.as_slice()) {
        ("POST", ["sessions"]) => {
            no_body()?;
            let id = format!("rest_{}", state.created.fetch_add(1, Ordering::Relaxed) + 1);
            lock(&state.sessions).insert(id.clone(), Session::default());
            Ok((StatusCode::CREATED, Json(json!({ "session_id": id }))).into_response())
        }
        ("GET", ["sessions"]) => {
            let sessions = lock(&state.sessions);
            let listed: Vec<Value> = sessions.iter().map(|(id, session)| described(id, session)).collect();
            Ok(Json(json!({ "sessions": listed, "total": sessions.len() })).into_response())
        }
        ("GET", ["sessions", id]) => Ok(Json(described(id, &session(state, id)?)).into_response()),
        ("DELETE", ["sessions", id]) => {
            no_body()?;
            session(state, id)?;
            lock(&state.sessions).remove(*id);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        ("POST", ["sessions", id, "messages"]) => {
            let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
            if !accepted.contains("text/event-stream") {
                return Err((StatusCode::NOT_ACCEPTABLE, "wants Accept: text/event-stream".to_owned()));
            }
            let message = message(&body)?;
            begin(state, id, &message)?;
            Ok(streamed(state, id, message))
        }
        ("GET", ["sessions", id, "messages"]) => {
            let session = session(state, id)?;
            let messages = session.messages.iter().enumerate().map(|(index, (role, content))| {
                json!({ "role": role, "content": content, "timestamp": TIMESTAMP, "message_index": index })
            });
            let messages: Vec<Value> = messages.collect();
            Ok(Json(json!({ "session_id": id, "total_count": messages.len(), "messages": messages })).into_response())
        }
        ("POST", ["sessions", id, "send"]) => {
            let message = message(&body)?;
            begin(state, id, &message)?;
            let (text, tools) = plain(&message);
            finish(state, id, Some(&text));
            let answer =
                json!({ "assistant_response": text, "tool_calls_count": tools, "session_id": id, "timestamp": TIMESTAMP });
            Ok(Json(answer).into_response())
        }
        ("GET", ["sessions", id, "export"]) => {
            let session = session(state, id)?;
            let parts: Vec<String> = session.messages.iter().map(|(role, text)| format!("## {role}\n\n{text}\n")).collect();
            let text = format!("# Session {id}\n\n{}", parts.join("\n"));
            Ok(([(CONTENT_TYPE, "text/markdown")], text).into_response())
        }
        (_, ["extensions", ..]) => extensions(state, method, &segments, &body),
        (_, ["settings", ..]) => settings(state, method, &segments, &body),
        ("GET", ["agent", "status"]) => {
            let sessions = lock(&state.sessions);
            let busy = sessions.values().any(|session| session.running);
            let listed: Vec<Value> = sessions.iter().map(|(id, session)| described(id, session)).collect();
            Ok(Json(json!({
                "overall_status": if busy { "processing" } else { "idle" }, "active_sessions": sessions.len(),
                "uptime_seconds": state.since.elapsed().as_secs(), "sessions": listed,
            }))
            .into_response())
        }
        _ => Err((StatusCode::NOT_FOUND, "no such endpoint".to_owned())),
    }
}

fn extensions(state: &Inner, method: &Method, segments: &[&str], body: &Value) -> Result<Response, Refusal> {
    let mut extensions = lock(&state.extensions);
    let unknown = || (StatusCode::NOT_FOUND, "no such extension".to_owned());
    match (method.as_str(), segments) {
        ("GET", [_]) => Ok(Json(json!({ "extensions": extensions.values().collect::<Vec<_>>() })).into_response()),
        ("POST", [_]) => {
            let name = body["name"].as_str().ok_or((StatusCode::UNPROCESSABLE_ENTITY, "an extension needs a name".to_owned()))?;
            extensions.insert(name.to_owned(), body.clone());
            Ok((StatusCode::CREATED, Json(body.clone())).into_response())
        }
        ("PUT", [_, name, "toggle"]) => {
            let extension = extensions.get_mut(*name).ok_or_else(unknown)?;
            let enabled = extension["enabled"].as_bool().unwrap_or(true);
            extension["enabled"] = (!enabled).into();
            Ok(Json(extension.clone()).into_response())
        }
        ("DELETE", [_, name]) => {
            extensions.remove(*name).ok_or_else(unknown)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Err((StatusCode::METHOD_NOT_ALLOWED, "not a way to extensions".to_owned())),
    }
}

fn settings(state: &Inner, method: &Method, segments: &[&str], body: &Value) -> Result<Response, Refusal> {
    let mut settings = lock(&state.settings);
    let one = |key: &str, value: &Value| json!({ "key": key, "value": value });
    let unknown = || (StatusCode::NOT_FOUND, "no such setting".to_owned());
    match (method.as_str(), segments) {
        ("GET", [_]) => Ok(Json(json!({ "settings": &*settings })).into_response()),
        ("PUT", [_]) => {
            let new = body.as_object().ok_or((StatusCode::UNPROCESSABLE_ENTITY, "settings are an object".to_owned()))?;
            settings.extend(new.iter().map(|(key, value)| (key.clone(), value.clone())));
            Ok(Json(json!({ "settings": &*settings, "restart_required": true })).into_response())
        }
        ("GET", [_, key]) => Ok(Json(one(key, settings.get(*key).ok_or_else(unknown)?)).into_response()),
        ("PUT", [_, key]) => {
            let value = body.get("value").ok_or((StatusCode::UNPROCESSABLE_ENTITY, "wants {value}".to_owned()))?;
            settings.insert((*key).to_owned(), value.clone());
            let mut answer = one(key, value);
            answer["restart_required"] = true.into();
            Ok(Json(answer).into_response())
        }
        ("DELETE", [_, key]) => {
            settings.remove(*key).ok_or_else(unknown)?;
            Ok(Json(json!({ "restart_required": true })).into_response())
        }
        _ => Err((StatusCode::METHOD_NOT_ALLOWED, "not a way to settings".to_owned())),
    }
}

fn session(state: &Inner, id: &str) -> Result<Session, Refusal> {
    lock(&state.sessions).get(id).cloned().ok_or_else(|| (StatusCode::NOT_FOUND, format!("session {id} not found")))
}

fn described(id: &str, session: &Session) -> Value {
    json!({
        "session_id": id, "created_at": TIMESTAMP, "updated_at": TIMESTAMP, "message_count": session.messages.len(),
        "status": if session.running { "processing" } else { "idle" },
    })
}

fn message(body: &Value) -> Result<String, Refusal> {
    match body.as_object() {
        Some(fields) if fields.len() == 1 && fields.contains_key("message") => {
            let message = body["message"].as_str().filter(|message| !message.is_empty());
            message.map(str::to_owned).ok_or((StatusCode::UNPROCESSABLE_ENTITY, "an empty message".to_owned()))
        }
        _ => Err((StatusCode::UNPROCESSABLE_ENTITY, "wants {message} and nothing else".to_owned())),
    }
}

fn begin(state: &Inner, id: &str, message: &str) -> Result<(), Refusal> {
    session(state, id)?;
    let mut sessions = lock(&state.sessions);
    let session = sessions.get_mut(id).expect("found");
    if session.running {
        return Err((StatusCode::CONFLICT, "the session is processing".to_owned()));
    }
    session.running = true;
    session.messages.push(("user", message.to_owned()));
    Ok(())
}

/// Ends a run; without a text, nothing of it is kept.
fn finish(state: &Inner, id: &str, text: Option<&str>) {
    if let Some(session) = lock(&state.sessions).get_mut(id) {
        session.running = false;
        match text {
            Some(text) => session.messages.push(("assistant", text.to_owned())),
            None => drop(session.messages.pop()),
        }
    }
}

/// What comes in a stream.
enum Step {
    Frame(Value),
    Text(Vec<String>),
    Quiet(Duration),
    Break,
    End,
}

fn frame(kind: &str, content: Value) -> Value {
    json!({ "type": kind, "content": content })
}

fn spoken(count: usize) -> Step {
    Step::Text(words(count).split_inclusive(' ').map(str::to_owned).collect())
}

fn tool(output: Value, is_error: bool) -> Vec<Step> {
    vec![
        Step::Frame(frame(
            "tool_request",
            json!({ "id": "call_1", "tool_name": "developer__shell", "arguments": { "command": "ls" } }),
        )),
        Step::Frame(frame(
            "tool_notification",
            json!(["call_1", { "method": "notifications/message", "params": { "data": "ls" } }]),
        )),
        Step::Frame(frame("tool_response", json!({ "id": "call_1", "result": output, "is_error": is_error }))),
        Step::Text(vec!["The tool ".to_owned(), "has run.".to_owned()]),
    ]
}

fn steps(message: &str) -> Vec<Step> {
    let parts: Vec<&str> = message.split_whitespace().collect();
    let number = |text: &str| text.parse().unwrap_or(0);
    let small = || Step::Text(SMALL_TALK.split_inclusive(' ').map(str::to_owned).collect());
    let failure = json!({ "message": "the model is gone", "error": "the model is gone" });
    match parts.as_slice() {
        ["say", count, "words"] => vec![spoken(number(count))],
        ["markdown", kib, "KB"] => vec![Step::Text(markdown(number(kib)).split_inclusive(' ').map(str::to_owned).collect())],
        ["tool"] => tool(json!({ "Ok": [{ "type": "text", "text": "README.md" }] }), false),
        ["big", "tool"] => tool(json!({ "Ok": [{ "type": "text", "text": "é".repeat(BIG / 2) }] }), false),
        ["failing", "tool"] => tool(json!({ "Err": "no such command" }), true),
        ["confirm"] => {
            let asked =
                json!({ "id": "call_1", "tool_name": "developer__shell", "arguments": { "command": "rm x" }, "prompt": null });
            vec![Step::Frame(frame("tool_confirmation", asked)), small()]
        }
        ["think"] => vec![Step::Frame(frame("thinking", json!({ "message": "Hm." }))), small()],
        ["context"] => {
            let told = json!({ "message": "Context length exceeded" });
            vec![
                Step::Frame(frame("context_exceeded", told)),
                Step::Frame(frame("history_update", json!({ "message_count": 1 }))),
                small(),
            ]
        }
        ["error", "before"] => {
            vec![Step::Frame(frame("error", json!({ "error": "no provider", "message": "Failed to start" }))), Step::End]
        }
        ["error", "before", "2"] => {
            let told = json!({ "message": "Failed to start", "error": "no provider", "session_id": "rest_1" });
            vec![Step::Frame(frame("error", told)), Step::End]
        }
        ["error", "after", count, "words"] => vec![spoken(number(count)), Step::Frame(frame("error", failure))],
        ["drop", "after", count, "words"] => vec![spoken(number(count)), Step::Break],
        ["end", "after", count, "words"] => vec![spoken(number(count)), Step::End],
        ["quiet", seconds] => vec![Step::Quiet(Duration::from_secs_f64(seconds.parse().unwrap_or(0.0))), spoken(3)],
        ["hang"] => vec![Step::Quiet(Duration::MAX)],
        _ => vec![small()],
    }
}

/// The answer and its number of tool calls, for `send`.
fn plain(message: &str) -> (String, usize) {
    let (mut text, mut tools) = (String::new(), 0);
    for step in steps(message) {
        match step {
            Step::Text(pieces) => text.push_str(&pieces.concat()),
            Step::Frame(frame) if frame["type"] == "tool_request" => tools += 1,
            _ => {}
        }
    }
    (text, tools)
}

fn streamed(state: &Arc<Inner>, id: &str, message: String) -> Response {
    let (sender, receiver) = mpsc::channel(1);
    let (state, id) = (Arc::clone(state), id.to_owned());
    tokio::spawn(async move {
        let wire = Wire { random: state.seed.fetch_add(0x9e37_79b9, Ordering::Relaxed) | 1, sender: sender.clone() };
        tokio::select! {
            () = perform(&state, &id, message, wire) => {}
            () = state.ended.cancelled() => {}
            // A client that leaves: nothing is stored, and the session says `processing` for a long time.
            () = sender.closed() => {}
        }
    });
    let frames = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(frames)).into_response()
}

async fn perform(state: &Inner, id: &str, message: String, mut wire: Wire) {
    let pace = Duration::from_micros(state.pace_micros.load(Ordering::Relaxed));
    let mut text = String::new();
    wire.send(b": connected\n\n").await;
    for step in steps(&message) {
        match step {
            Step::Frame(frame) => wire.frame(&frame).await,
            Step::Text(pieces) => {
                for piece in pieces {
                    text.push_str(&piece);
                    let content = json!({
                        "role": "Assistant", "content": piece, "content_type": "text", "timestamp": TIMESTAMP, "session_id": id,
                    });
                    wire.frame(&frame("message", content)).await;
                    if !pace.is_zero() {
                        tokio::time::sleep(pace).await;
                    }
                }
            }
            Step::Quiet(time) => {
                let end = tokio::time::Instant::now().checked_add(time);
                while end.is_none_or(|end| tokio::time::Instant::now() < end) {
                    wire.send(b": keep-alive\n\n").await;
                    tokio::time::sleep(Duration::from_millis(100).min(time)).await;
                }
            }
            Step::Break => {
                wire.send(b"data: {\"type\":\"message\",\"conte").await;
                finish(state, id, None);
                wire.sender.send(Err(std::io::Error::other("the script breaks the connection"))).await.ok();
                return;
            }
            Step::End => {
                finish(state, id, None);
                return;
            }
        }
    }
    finish(state, id, Some(&text));
    wire.frame(&frame("complete", json!({ "message": "Response complete" }))).await;
}

/// The bytes of a stream on their way, cut anywhere.
struct Wire {
    random: u64,
    sender: mpsc::Sender<Result<Bytes, std::io::Error>>,
}

impl Wire {
    /// xorshift: the same cuts for the same seed.
    fn random(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % below as u64).expect("small")
    }

    async fn frame(&mut self, frame: &Value) {
        if self.random(8) == 0 {
            self.send(b": keep-alive\n\n").await;
        }
        self.send(format!("data: {frame}\n\n").as_bytes()).await;
    }

    async fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // Long frames in long pieces, or they would never end.
            let most = if bytes.len() > 4096 { 60_000 } else { 64 };
            let (piece, rest) = bytes.split_at((1 + self.random(most)).min(bytes.len()));
            self.sender.send(Ok(Bytes::copy_from_slice(piece))).await.ok();
            // Without a pause the pieces would be put together again.
            tokio::task::yield_now().await;
            bytes = rest;
        }
    }
}
