//! What an ACP client may meet on the wire, sent byte by byte: broken streams, events too large, slow readers, silence.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gaggle::agent::{Agent, AgentEvent, Endpoint, Failure, Patience, Protocol, Run, connect};
use gaggle::model::Answer;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::agents::{begin, first_text, told};

/// An ACP server that sends exactly what a test says.
struct Script {
    url: String,
    posts: tokio::sync::mpsc::UnboundedReceiver<serde_json::Value>,
    streams: tokio::sync::mpsc::UnboundedReceiver<(Option<String>, Body)>,
    _end: DropGuard,
}

/// The bytes of one stream; dropped, the stream ends.
type Body = tokio::sync::mpsc::UnboundedSender<Result<bytes::Bytes, std::io::Error>>;

impl Script {
    async fn start() -> Self {
        let (post, posts) = tokio::sync::mpsc::unbounded_channel();
        let (stream, streams) = tokio::sync::mpsc::unbounded_channel();
        let write = move |axum::Json(message): axum::Json<serde_json::Value>| {
            let first = message["method"] == "initialize";
            post.send(message.clone()).ok();
            async move {
                let hello = serde_json::json!({ "jsonrpc": "2.0", "id": message["id"], "result": {
                    "protocolVersion": 1, "agentCapabilities": { "loadSession": true } } });
                let status = if first { axum::http::StatusCode::OK } else { axum::http::StatusCode::ACCEPTED };
                (status, [("acp-connection-id", "c1")], if first { hello.to_string() } else { String::new() })
            }
        };
        let read = move |headers: axum::http::HeaderMap| {
            let session = headers.get("acp-session-id").map(|id| id.to_str().unwrap().to_owned());
            let (body, pieces) = tokio::sync::mpsc::unbounded_channel::<Result<bytes::Bytes, std::io::Error>>();
            stream.send((session, body)).ok();
            let pieces = futures_util::stream::unfold(pieces, |mut pieces| async move { Some((pieces.recv().await?, pieces)) });
            async move { axum::body::Body::from_stream(pieces) }
        };
        let router = axum::Router::new().route("/acp", axum::routing::get(read).post(write));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let end = CancellationToken::new();
        let ended = end.clone().cancelled_owned();
        tokio::spawn(async move {
            tokio::select! { _ = axum::serve(listener, router) => {}, () = ended => {} }
        });
        Self { url, posts, streams, _end: end.drop_guard() }
    }

    async fn connect(&mut self, patience: Patience) -> (Arc<dyn Agent>, Body) {
        let endpoint = Endpoint::Http { url: self.url.clone(), key: None, protocol: Protocol::Acp };
        let agent = connect(&endpoint, "/", patience, None).await.unwrap();
        self.post("initialize").await;
        let (session, body) = self.streams.recv().await.unwrap();
        assert_eq!(session, None);
        (agent, body)
    }

    /// The next message with this method; others are passed over.
    async fn post(&mut self, method: &str) -> serde_json::Value {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(10), self.posts.recv()).await.expect("in time").unwrap();
            if message["method"] == method {
                return message;
            }
        }
    }

    async fn stream(&mut self, session: &str) -> Body {
        loop {
            let (found, body) =
                tokio::time::timeout(Duration::from_secs(10), self.streams.recv()).await.expect("in time").unwrap();
            if found.as_deref() == Some(session) {
                return body;
            }
        }
    }

    async fn run(&mut self, agent: &Arc<dyn Agent>, session: &str) -> (Run, Body, String) {
        let run = begin(&**agent, session, "x").await;
        let id = self.post("session/prompt").await["id"].as_str().unwrap().to_owned();
        (run, self.stream(session).await, id)
    }
}

fn frame(message: &serde_json::Value) -> bytes::Bytes {
    format!("data: {message}\n\n").into()
}

fn piece(session: &str, text: &str) -> bytes::Bytes {
    let update = serde_json::json!({ "sessionUpdate": "agent_message_chunk", "messageId": "m", "content": { "type": "text", "text": text } });
    frame(
        &serde_json::json!({ "jsonrpc": "2.0", "method": "session/update", "params": { "sessionId": session, "update": update } }),
    )
}

fn done(id: &str) -> bytes::Bytes {
    frame(&serde_json::json!({ "jsonrpc": "2.0", "id": id, "result": { "stopReason": "end_turn" } }))
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_streams_are_opened_again() {
    let mut script = Script::start().await;
    let (agent, _shared) = script.connect(Patience::default()).await;
    let (mut run, body, id) = script.run(&agent, "s").await;
    body.send(Ok(piece("s", "wört "))).unwrap();
    drop(body);
    let body = script.stream("s").await;
    // Cut off inside a frame, with what was whole before it.
    body.send(Ok([piece("s", "zwei "), piece("s", "lost").slice(..20)].concat().into())).unwrap();
    assert_eq!(first_text(&mut run, 11).await, "wört zwei ");
    body.send(Err(std::io::Error::other("broken"))).unwrap();
    let body = script.stream("s").await;
    for byte in piece("s", "drei 🦆") {
        body.send(Ok(bytes::Bytes::copy_from_slice(&[byte]))).unwrap();
    }
    body.send(Ok(frame(&serde_json::json!({ "jsonrpc": "2.0", "method": "session/update", "params": { "sessionId": "s", "update": { "sessionUpdate": "of_the_future" } } })))).unwrap();
    body.send(Ok(done(&id))).unwrap();
    let told = told(&*agent, "s", run, Answer::Once).await;
    assert_eq!((told.text.as_str(), told.failure), ("drei 🦆", None));
    assert!(told.gaps > 0, "what was cut off may be lost, and that is said");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_too_large_ends_the_turn_alone() {
    let mut script = Script::start().await;
    let (agent, _shared) = script.connect(Patience::default()).await;
    let (run, body, id) = script.run(&agent, "s").await;
    let (other, other_body, other_id) = script.run(&agent, "t").await;
    body.send(Ok(piece("s", "before"))).unwrap();
    body.send(Ok("data: ".into())).unwrap();
    for _ in 0..20 {
        body.send(Ok(vec![b'x'; 1 << 20].into())).unwrap();
    }
    let large = told(&*agent, "s", run, Answer::Once).await;
    assert_eq!(large.text, "before");
    assert!(matches!(&large.failure, Some(Failure::Failed(text)) if text.contains("16 MiB")), "{:?}", large.failure);
    script.post("session/cancel").await;
    other_body.send(Ok(piece("t", "fine"))).unwrap();
    other_body.send(Ok(done(&other_id))).unwrap();
    assert_eq!(told(&*agent, "t", other, Answer::Once).await.text, "fine");
    // The session goes on once the agent has given the run up.
    let body = script.stream("s").await;
    body.send(Ok(piece("s", "nobody's"))).unwrap();
    body.send(Ok(done(&id))).unwrap();
    let run = begin(&*agent, "s", "again").await;
    let id = script.post("session/prompt").await["id"].as_str().unwrap().to_owned();
    body.send(Ok(piece("s", "after"))).unwrap();
    body.send(Ok(done(&id))).unwrap();
    assert_eq!(told(&*agent, "s", run, Answer::Once).await.text, "after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_up_nobody_else() {
    let mut script = Script::start().await;
    let (agent, _shared) = script.connect(Patience::default()).await;
    let (slow, slow_body, slow_id) = script.run(&agent, "slow").await;
    let (quick, quick_body, quick_id) = script.run(&agent, "quick").await;
    for _ in 0..2_000 {
        slow_body.send(Ok(piece("slow", "a"))).unwrap();
        quick_body.send(Ok(piece("quick", "b"))).unwrap();
    }
    quick_body.send(Ok(done(&quick_id))).unwrap();
    slow_body.send(Ok(done(&slow_id))).unwrap();
    assert_eq!(told(&*agent, "quick", quick, Answer::Once).await.text, "b".repeat(2_000));
    assert_eq!(slow.events.len(), slow.events.max_capacity());
    assert_eq!(told(&*agent, "slow", slow, Answer::Once).await.text, "a".repeat(2_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_ends_a_run_and_keep_alives_or_approvals_do_not() {
    let mut script = Script::start().await;
    let idle = Duration::from_secs(2);
    let (agent, _shared) = script.connect(Patience { stream_idle: idle, ..Patience::default() }).await;
    let (mut run, body, id) = script.run(&agent, "s").await;
    for _ in 0..6 {
        body.send(Ok(": \n\n".into())).unwrap();
        tokio::time::sleep(idle / 4).await;
    }
    let ask = serde_json::json!({ "jsonrpc": "2.0", "id": 7, "method": "session/request_permission", "params": { "sessionId": "s",
        "toolCall": { "toolCallId": "c", "title": "shell · ls", "rawInput": { "command": "ls" } },
        "options": [{ "optionId": "yes!", "kind": "allow_once" }, { "optionId": "no!", "kind": "reject_once" }] } });
    body.send(Ok(frame(&ask))).unwrap();
    assert!(matches!(run.events.recv().await, Some(AgentEvent::ToolStarted { .. })));
    let Some(AgentEvent::ApprovalWanted { request, tool, .. }) = run.events.recv().await else { panic!("no approval") };
    assert_eq!((request.as_str(), tool.as_str()), ("7", "shell"));
    tokio::time::sleep(idle + idle / 4).await;
    agent.answer("s", &request, Answer::Deny).await.unwrap();
    let answer = loop {
        let message = script.posts.recv().await.unwrap();
        if message["id"] == 7 {
            break message;
        }
    };
    assert_eq!(answer["result"]["outcome"], serde_json::json!({ "outcome": "selected", "optionId": "no!" }));
    let start = Instant::now();
    let silent = told(&*agent, "s", run, Answer::Once).await;
    assert!(
        matches!(&silent.failure, Some(Failure::Interrupted(text)) if text.contains("no sign of life")),
        "{:?}",
        silent.failure
    );
    assert!(start.elapsed() < idle * 8, "{:?}", start.elapsed());
    script.post("session/cancel").await;
    drop((body, id));
}
