//! An OpenAI-compatible model that does what the last user message says, so that the real Goose has a deterministic model.
//! Strict: whatever a real server would refuse is refused, and kept in [`Llm::faults`]. Knows nothing of Goose but the marks that
//! Goose puts around a message.
//!
//! The script is the last line of the message that is one of:
//!
//! | Line | Answer |
//! |---|---|
//! | `say N words` | `w1 w2 … wN`, word by word |
//! | `clock N` | N times the time at which it is sent, in nanoseconds since 1970 |
//! | `markdown K KB` | exactly [`markdown`]`(K)` |
//! | `[TEXT] shell: CMD` | TEXT, then a call of the tool `shell`; its output is quoted in the final answer ([`quoted`]) |
//! | `two tools` | two calls of `shell` at once, then both outputs |
//! | `error 401`, `error 500`, … | that status, each time |
//! | `drop after N words` | `w1 … wN`, then the connection breaks |
//! | `slow start S [SCRIPT]` | S seconds of silence, then SCRIPT, or `say 3 words` |
//! | `hang` | nothing, until the reader leaves |
//!
//! Anything else is answered with [`SMALL_TALK`]. A call without tools is a question for a title: [`TITLE`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

pub const MODEL: &str = "rig-model";
pub const KEY: &str = "sk-rig";
pub const TITLE: &str = "A scripted title";
pub const SMALL_TALK: &str = "This is the scripted model, and the message has no script that it knows.";

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub body: Value,
    /// A question for a title, not a turn.
    pub title: bool,
    /// The line that was followed.
    pub script: String,
}

#[derive(Debug)]
pub struct Llm {
    /// For `OPENAI_HOST`: without `/v1`.
    pub url: String,
    state: Arc<Inner>,
    _end: DropGuard,
}

#[derive(Debug, Default)]
struct Inner {
    asked: Mutex<Vec<Asked>>,
    faults: Mutex<Vec<String>>,
    /// Answers whose reader left before their end.
    left: AtomicU64,
    answers: AtomicU64,
    pace_micros: AtomicU64,
    ended: CancellationToken,
}

impl Llm {
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1").await
    }

    /// On that address of this machine.
    pub async fn start_at(host: &str) -> Self {
        let state = Arc::new(Inner { pace_micros: AtomicU64::new(1_000), ..Inner::default() });
        let router = Router::new()
            .route("/v1/models", get(models))
            .route("/v1/chat/completions", post(complete))
            .fallback(unknown)
            .layer(DefaultBodyLimit::max(64 * 1024 * 1024))
            .with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind((host, 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| stream.set_nodelay(true).expect("a socket"));
        let ended = state.ended.clone();
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(ended.cancelled_owned()).await });
        let end = state.ended.clone().drop_guard();
        Self { url, state, _end: end }
    }

    /// The time between two tokens; 1 ms at the start.
    pub fn pace(&self, pace: Duration) {
        self.state.pace_micros.store(u64::try_from(pace.as_micros()).expect("a short time"), Ordering::Relaxed);
    }

    /// What was asked so far, questions for titles included.
    pub fn requests(&self) -> Vec<Asked> {
        self.state.asked.lock().expect("no panic").clone()
    }

    /// What a real server would have refused. Tests of well-behaved clients want it to be empty.
    pub fn faults(&self) -> Vec<String> {
        self.state.faults.lock().expect("no panic").clone()
    }

    /// How many answers were not read to their end.
    pub fn left(&self) -> u64 {
        self.state.left.load(Ordering::SeqCst)
    }
}

/// `w1 w2 … wN`.
pub fn words(count: usize) -> String {
    (1..=count).map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ")
}

/// The final answer after tool calls.
pub fn quoted(outputs: &[&str]) -> String {
    let quotes: Vec<String> = outputs.iter().map(|output| format!("The tool said:\n\n```\n{output}\n```")).collect();
    quotes.join("\n\n")
}

/// A long text of exactly `kib` KiB with everything that Markdown and Unicode have to trip over.
pub fn markdown(kib: usize) -> String {
    let size = kib * 1024;
    let mut text = String::with_capacity(size + 1024);
    for section in 1.. {
        let part = format!(
            "## Section {section}: naïve café 🦆\n\nSome *emphasis*, **strength**, `code`, a [link](https://example.com/?a={section}&b=<c>).\n\n\
             ```rust\nfn f{section}() -> &'static str {{\n    \"three ``` ticks\"  // 注释\n}}\n```\n\n\
             | Tier | Zahl | 说明 |\n|---|---:|:---:|\n| 🐧 | {section} | 企鹅 \\| 鸟 |\n| 👩‍👩‍👧‍👦 | {} | 家族 |\n\n\
             1. eins\n   - zwei\n     > drei &amp; <b>vier</b>\n\n日本語の文章と한국어 문장, e\u{301}, \u{1F1E9}\u{1F1EA}.\n\n",
            section * 37 % 101,
        );
        if text.len() + part.len() > size.saturating_sub(8) {
            break;
        }
        text.push_str(&part);
    }
    let rest = size - text.len();
    text.push_str(&".".repeat(rest - 4));
    text.push_str(" end");
    text
}

/// Pieces as a tokenizer makes them: a few characters each, never within one.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut characters = text.chars().peekable();
    let mut size = 3;
    while characters.peek().is_some() {
        size = size * 5 % 23 + 1;
        pieces.push(characters.by_ref().take(size).collect());
    }
    pieces
}

fn spoken(count: usize) -> Vec<String> {
    (1..=count).map(|number| if number == 1 { "w1".to_owned() } else { format!(" w{number}") }).collect()
}

/// What an answer is made of.
#[derive(Debug)]
enum Step {
    Wait(Duration),
    Text(Vec<String>),
    Clock(usize),
    Calls(Vec<Value>),
    Break,
    Hang,
}

async fn models(State(state): State<Arc<Inner>>, headers: HeaderMap) -> Response {
    if let Some(refusal) = unauthorized(&state, &headers) {
        return refusal;
    }
    Json(json!({ "object": "list", "data": [{ "id": MODEL, "object": "model", "owned_by": "rig" }] })).into_response()
}

async fn unknown(State(state): State<Arc<Inner>>, method: axum::http::Method, uri: axum::http::Uri) -> Response {
    refuse(&state, StatusCode::NOT_FOUND, &format!("no such endpoint: {method} {uri}"))
}

fn refuse(state: &Inner, status: StatusCode, why: &str) -> Response {
    state.faults.lock().expect("no panic").push(why.to_owned());
    fail(status, why)
}

fn fail(status: StatusCode, why: &str) -> Response {
    let error = json!({ "message": why, "type": "invalid_request_error", "param": null, "code": null });
    (status, Json(json!({ "error": error }))).into_response()
}

fn unauthorized(state: &Inner, headers: &HeaderMap) -> Option<Response> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let right = bearer.and_then(|value| value.strip_prefix("Bearer ")).is_some_and(|key| !key.is_empty());
    (!right).then(|| refuse(state, StatusCode::UNAUTHORIZED, "no bearer token"))
}

async fn complete(State(state): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(refusal) = unauthorized(&state, &headers) {
        return refusal;
    }
    let json_sent = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    let body = match serde_json::from_slice::<Value>(&body) {
        Ok(body) if json_sent => body,
        Ok(_) => return refuse(&state, StatusCode::UNSUPPORTED_MEDIA_TYPE, "not sent as application/json"),
        Err(error) => return refuse(&state, StatusCode::BAD_REQUEST, &format!("not JSON: {error}")),
    };
    if let Err(why) = check(&body) {
        return refuse(&state, StatusCode::BAD_REQUEST, &why);
    }
    let title = body["tools"].as_array().is_none_or(Vec::is_empty);
    let script = script(&body);
    state.asked.lock().expect("no panic").push(Asked { body: body.clone(), title, script: script.clone() });
    let steps = match plan(&body, title, &script) {
        Ok(steps) => steps,
        Err(status) => return fail(status, "the script asked for this error"),
    };
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(perform(Arc::clone(&state), steps, sender));
    let frames = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(frames)).into_response()
}

/// The shape that the real interface insists on.
fn check(body: &Value) -> Result<(), String> {
    if body["model"] != MODEL {
        return Err(format!("the model {} does not exist", body["model"]));
    }
    if body["stream"] != true {
        return Err("this server only streams".to_owned());
    }
    let messages = body["messages"].as_array().filter(|messages| !messages.is_empty()).ok_or("no messages")?;
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        match role {
            "tool" => {
                let id = message["tool_call_id"].as_str().ok_or("a tool message without tool_call_id")?;
                let known = open.iter().position(|open| *open == id).ok_or(format!("nobody called {id}"))?;
                open.swap_remove(known);
            }
            "system" | "developer" | "user" | "assistant" if open.is_empty() => {}
            "system" | "developer" | "user" | "assistant" => return Err(format!("message {index}: {open:?} have no output")),
            _ => return Err(format!("message {index} has the role {role:?}")),
        }
        let calls = message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
        for call in calls {
            let arguments = call["function"]["arguments"].as_str().ok_or("a call without arguments")?;
            serde_json::from_str::<Value>(arguments).map_err(|error| format!("arguments: {error}"))?;
            open.push(call["id"].as_str().ok_or("a call without id")?);
        }
        if content(message).is_none() && (calls.is_empty() || !message["content"].is_null()) {
            return Err(format!("message {index} has no content"));
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("{open:?} have no output")) }
}

/// The text of a message, a string or a list of parts.
fn content(message: &Value) -> Option<String> {
    match &message["content"] {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            parts.iter().map(|part| part["text"].as_str()).collect::<Option<Vec<_>>>().map(|texts| texts.concat())
        }
        _ => None,
    }
}

/// The line to follow: Goose appends a block of context to a message, and joins a message to one that failed.
fn script(body: &Value) -> String {
    let messages = body["messages"].as_array().expect("checked");
    let last = messages.iter().rev().find(|message| message["role"] == "user").and_then(content).unwrap_or_default();
    let mut own = String::new();
    for (index, part) in last.split("<turn-context>").enumerate() {
        own.push_str(if index == 0 { part } else { part.split_once("</turn-context>").map_or("", |(_, rest)| rest) });
    }
    let lines: Vec<&str> = own.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let scripted = lines.iter().rev().find(|line| steps(line).is_some());
    scripted.or(lines.last()).map(|line| (*line).to_owned()).unwrap_or_default()
}

fn plan(body: &Value, title: bool, script: &str) -> Result<Vec<Step>, StatusCode> {
    if title {
        return Ok(vec![Step::Text(vec![TITLE.to_owned()])]);
    }
    let messages = body["messages"].as_array().expect("checked");
    // Goose sends calls that were made at once as one message each.
    let since = messages.iter().rev().take_while(|message| message["role"] != "user");
    let outputs: Vec<String> = since.filter(|message| message["role"] == "tool").filter_map(content).collect();
    if !outputs.is_empty() {
        let outputs: Vec<&str> = outputs.iter().rev().map(String::as_str).collect();
        return Ok(vec![Step::Text(pieces(&quoted(&outputs)))]);
    }
    if let Some(status) = script.strip_prefix("error ").and_then(|status| status.parse().ok()) {
        return Err(status);
    }
    let Some(mut steps) = steps(script) else { return Ok(vec![Step::Text(pieces(SMALL_TALK))]) };
    let tools = body["tools"].as_array().expect("not a title");
    let shell = tools.iter().filter_map(|tool| tool["function"]["name"].as_str()).find(|name| name.ends_with("shell"));
    let turn = messages.len();
    for step in &mut steps {
        if let Step::Calls(calls) = step {
            let Some(shell) = shell else { return Err(StatusCode::BAD_REQUEST) };
            for (index, call) in calls.iter_mut().enumerate() {
                call["index"] = index.into();
                call["id"] = format!("call_{turn}_{index}").into();
                call["function"]["name"] = shell.into();
            }
        }
    }
    Ok(steps)
}

/// What a line asks for; `None` if it is no script.
fn steps(line: &str) -> Option<Vec<Step>> {
    let shell = |command: &str| {
        let arguments = json!({ "command": command }).to_string();
        json!({ "type": "function", "function": { "arguments": arguments } })
    };
    if let Some((before, command)) = line.split_once("shell: ") {
        let mut steps = vec![Step::Calls(vec![shell(command)])];
        if !before.trim().is_empty() {
            steps.insert(0, Step::Text(pieces(&format!("{}\n\n", before.trim()))));
        }
        return Some(steps);
    }
    let parts: Vec<&str> = line.split_whitespace().collect();
    match parts.as_slice() {
        ["say", count, "word" | "words"] => Some(vec![Step::Text(spoken(count.parse().ok()?))]),
        ["clock", count] => Some(vec![Step::Clock(count.parse().ok()?)]),
        ["markdown", kib, "KB"] => Some(vec![Step::Text(pieces(&markdown(kib.parse().ok()?)))]),
        ["two", "tools"] => Some(vec![Step::Calls(vec![shell("echo one"), shell("echo two")])]),
        ["error", status] => status.parse::<StatusCode>().ok().map(|_| Vec::new()),
        ["drop", "after", count, "word" | "words"] => Some(vec![Step::Text(spoken(count.parse().ok()?)), Step::Break]),
        ["hang"] => Some(vec![Step::Hang]),
        ["slow", "start", seconds, rest @ ..] => {
            let mut after = if rest.is_empty() { vec![Step::Text(spoken(3))] } else { steps(&rest.join(" "))? };
            after.insert(0, Step::Wait(Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?));
            Some(after)
        }
        _ => None,
    }
}

type Frame = Result<Bytes, std::io::Error>;

async fn perform(state: Arc<Inner>, steps: Vec<Step>, sender: mpsc::Sender<Frame>) {
    let finished = tokio::select! {
        finished = act(&state, steps, &sender) => finished,
        () = state.ended.cancelled() => return,
        () = sender.closed() => None,
    };
    if finished.is_none() {
        state.left.fetch_add(1, Ordering::SeqCst);
    }
}

/// `None`: the reader left.
async fn act(state: &Inner, steps: Vec<Step>, sender: &mpsc::Sender<Frame>) -> Option<()> {
    let pace = Duration::from_micros(state.pace_micros.load(Ordering::Relaxed));
    // Goose keeps messages by these ids: each answer has its own.
    let id = state.answers.fetch_add(1, Ordering::Relaxed);
    let (mut tokens, mut reason) = (0_u64, "stop");
    // As some servers do, a piece without text comes first.
    let mut hello = Some(chunk(id, json!({ "role": "assistant", "content": "" }), None));
    for step in steps {
        if !matches!(step, Step::Wait(_))
            && let Some(hello) = hello.take()
        {
            send(sender, &hello).await?;
        }
        match step {
            Step::Wait(time) => tokio::time::sleep(time).await,
            Step::Text(pieces) => {
                for piece in pieces {
                    tokens += 1;
                    send(sender, &chunk(id, json!({ "content": piece }), None)).await?;
                    if !pace.is_zero() {
                        tokio::time::sleep(pace).await;
                    }
                }
            }
            Step::Clock(count) => {
                for _ in 0..count {
                    tokens += 1;
                    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
                    send(sender, &chunk(id, json!({ "content": format!("{} ", now.as_nanos()) }), None)).await?;
                    tokio::time::sleep(pace).await;
                }
            }
            Step::Calls(calls) => {
                for mut call in calls {
                    tokens += 1;
                    // The arguments come in two pieces.
                    let arguments = call["function"]["arguments"].take();
                    let arguments = arguments.as_str().expect("ours");
                    call["function"]["arguments"] = "".into();
                    send(sender, &chunk(id, json!({ "tool_calls": [call] }), None)).await?;
                    for part in [&arguments[..1], &arguments[1..]] {
                        let delta = json!([{ "index": call["index"], "function": { "arguments": part } }]);
                        send(sender, &chunk(id, json!({ "tool_calls": delta }), None)).await?;
                    }
                }
                reason = "tool_calls";
            }
            Step::Break => {
                sender.send(Err(std::io::Error::other("the script breaks the connection"))).await.ok()?;
                return Some(());
            }
            Step::Hang => std::future::pending().await,
        }
    }
    send(sender, &chunk(id, json!({}), Some(reason))).await?;
    let usage = json!({ "prompt_tokens": 100, "completion_tokens": tokens, "total_tokens": 100 + tokens });
    let mut last = chunk(id, json!({}), None);
    last["choices"] = json!([]);
    last["usage"] = usage;
    send(sender, &last).await?;
    sender.send(Ok(Bytes::from_static(b"data: [DONE]\n\n"))).await.ok()
}

fn chunk(id: u64, delta: Value, reason: Option<&str>) -> Value {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": reason });
    json!({
        "id": format!("chatcmpl-rig{id}"), "object": "chat.completion.chunk", "created": 1_795_000_000, "model": MODEL,
        "choices": [choice], "usage": null,
    })
}

async fn send(sender: &mpsc::Sender<Frame>, chunk: &Value) -> Option<()> {
    sender.send(Ok(Bytes::from(format!("data: {chunk}\n\n")))).await.ok()
}

#[test]
fn the_long_text_has_its_size() {
    for kib in [1, 2, 30, 100] {
        let text = markdown(kib);
        assert_eq!(text.len(), kib * 1024);
        assert!(text.ends_with(" end"));
        assert_eq!(pieces(&text).concat(), text);
    }
}

#[test]
fn the_script_is_found_between_goose_s_marks() {
    let message = "a question\n<turn-context>\n<current-time>x</current-time>\n</turn-context>\nsay 3 words\n<turn-context>y</turn-context>";
    let body = json!({ "messages": [{ "role": "user", "content": message }] });
    assert_eq!(script(&body), "say 3 words");
    assert!(steps("slow start 0.5 say 2 words").is_some() && steps("say it").is_none());
}
