//! A raw ACP client over HTTP: plain requests, nothing hidden, no recovery. What it sees is what the server sends.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub struct Raw {
    http: reqwest::Client,
    pub url: String,
    pub key: String,
    pub connection: String,
    pub initialized: Value,
}

/// An open stream; dropping it closes its TCP connection.
#[derive(Debug)]
pub struct Stream {
    messages: mpsc::UnboundedReceiver<Value>,
    reading: JoinHandle<()>,
}

/// What a turn brought.
#[derive(Debug, Default)]
pub struct Told {
    pub text: String,
    pub chunks: usize,
    pub thoughts: String,
    /// `(toolCallId, status)` of the updates with a last status.
    pub tools: Vec<(String, String)>,
    pub titles: Vec<String>,
    pub approvals: Vec<Value>,
    /// The response of the prompt.
    pub response: Value,
}

impl Told {
    pub fn stop_reason(&self) -> &str {
        self.response["result"]["stopReason"].as_str().unwrap_or("none")
    }
}

pub fn client() -> reqwest::Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().tcp_nodelay(true).build().expect("a client")
}

impl Raw {
    pub async fn connect(url: &str, key: &str) -> Self {
        let http = client();
        let params = json!({ "protocolVersion": 1, "clientCapabilities": {} });
        let message = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let request = http.post(format!("{url}/acp")).header("X-Secret-Key", key).json(&message);
        let response = request.send().await.expect("a response");
        assert_eq!(response.status(), StatusCode::OK);
        let connection = response.headers()["Acp-Connection-Id"].to_str().expect("text").to_owned();
        let initialized = response.json::<Value>().await.expect("JSON")["result"].take();
        Self { http, url: url.to_owned(), key: key.to_owned(), connection, initialized }
    }

    pub fn request(&self, method: reqwest::Method) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}/acp", self.url));
        request.header("X-Secret-Key", &self.key).header("Acp-Connection-Id", &self.connection)
    }

    pub async fn post(&self, message: Value) {
        let response = self.request(reqwest::Method::POST).json(&message).send().await.expect("a response");
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{message}");
        assert!(response.bytes().await.expect("a body").is_empty());
    }

    pub async fn call(&self, id: u64, method: &str, params: Value) {
        self.post(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
    }

    pub async fn get(&self, session: Option<&str>) -> Response {
        let mut request = self.request(reqwest::Method::GET).header("Accept", "text/event-stream");
        if let Some(session) = session {
            request = request.header("Acp-Session-Id", session);
        }
        request.send().await.expect("a response")
    }

    /// Opens a stream; a moment after the last reader left, a server may still say that there is one.
    pub async fn stream(&self, session: Option<&str>) -> Stream {
        for _ in 0..100 {
            let response = self.get(session).await;
            if response.status() == StatusCode::CONFLICT {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            assert_eq!(response.status(), StatusCode::OK);
            let (sender, messages) = mpsc::unbounded_channel();
            return Stream { messages, reading: tokio::spawn(read(response, sender)) };
        }
        panic!("the stream stays taken");
    }

    /// A new session and its stream.
    pub async fn session(&self, shared: &mut Stream, cwd: &str) -> (String, Stream) {
        self.call(1, "session/new", json!({ "cwd": cwd, "mcpServers": [] })).await;
        let response = shared.response(1).await;
        let session = response["result"]["sessionId"].as_str().unwrap_or_else(|| panic!("{response}")).to_owned();
        let stream = self.stream(Some(&session)).await;
        (session, stream)
    }

    pub async fn prompt(&self, id: u64, session: &str, text: &str) {
        let prompt = json!([{ "type": "text", "text": text }]);
        self.call(id, "session/prompt", json!({ "sessionId": session, "prompt": prompt })).await;
    }

    /// A whole turn; approvals are answered with `option`, or `cancelled`.
    pub async fn turn(&self, stream: &mut Stream, id: u64, session: &str, text: &str, option: &str) -> Told {
        self.prompt(id, session, text).await;
        let mut told = Told::default();
        while !told.take(stream.next().await, id) {
            if let Some(request) = told.approvals.pop_if(|request| request["answered"].is_null()) {
                self.decide(&request, option).await;
                let mut request = request;
                request["answered"] = true.into();
                told.approvals.push(request);
            }
        }
        told
    }

    pub async fn decide(&self, request: &Value, option: &str) {
        let outcome = match option {
            "cancelled" => json!({ "outcome": "cancelled" }),
            option => json!({ "outcome": "selected", "optionId": option }),
        };
        self.post(json!({ "jsonrpc": "2.0", "id": request["id"], "result": { "outcome": outcome } })).await;
    }

    pub async fn cancel(&self, session: &str) {
        self.post(json!({ "jsonrpc": "2.0", "method": "session/cancel", "params": { "sessionId": session } })).await;
    }

    /// The history of a session, as `(kind, text)`; a tool has its title as text.
    pub async fn history(&self, stream: &mut Stream, id: u64, session: &str, cwd: &str) -> Vec<(String, String)> {
        self.call(id, "session/load", json!({ "sessionId": session, "cwd": cwd, "mcpServers": [] })).await;
        let mut history = Vec::new();
        loop {
            let message = stream.next().await;
            if message["id"] == id {
                assert!(message["result"]["modes"].is_object(), "{message}");
                return history;
            }
            let update = &message["params"]["update"];
            let kind = update["sessionUpdate"].as_str().unwrap_or_default();
            match kind {
                "user_message_chunk" | "agent_message_chunk" | "agent_thought_chunk" => {
                    history.push((kind.to_owned(), update["content"]["text"].as_str().expect("text").to_owned()));
                }
                "tool_call" => history.push((kind.to_owned(), update["title"].as_str().expect("text").to_owned())),
                _ => {}
            }
        }
    }
}

impl Told {
    /// Adds a message; true if it is the response `id`.
    pub fn take(&mut self, message: Value, id: u64) -> bool {
        if message["id"] == id && message["method"].is_null() {
            self.response = message;
            return true;
        }
        if message["method"] == "session/request_permission" {
            self.approvals.push(message);
            return false;
        }
        let update = &message["params"]["update"];
        let text = || update["content"]["text"].as_str().expect("text");
        match update["sessionUpdate"].as_str() {
            Some("agent_message_chunk") => {
                self.text.push_str(text());
                self.chunks += 1;
            }
            Some("agent_thought_chunk") => self.thoughts.push_str(text()),
            Some("session_info_update") => self.titles.extend(update["title"].as_str().map(str::to_owned)),
            Some("tool_call_update") if update["status"] != "in_progress" => {
                let text = |field: &str| update[field].as_str().expect("text").to_owned();
                self.tools.push((text("toolCallId"), text("status")));
            }
            _ => {}
        }
        false
    }
}

impl Stream {
    pub async fn next(&mut self) -> Value {
        let message = tokio::time::timeout(PATIENCE, self.messages.recv()).await.expect("a message in time");
        message.expect("the stream goes on")
    }

    /// The messages until `found`, that one included.
    pub async fn until(&mut self, found: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            let message = self.next().await;
            let last = found(&message);
            seen.push(message);
            if last {
                return seen;
            }
        }
    }

    pub async fn response(&mut self, id: u64) -> Value {
        self.until(|message| message["id"] == id && message["method"].is_null()).await.pop().expect("one at least")
    }

    /// Waits for the end of the stream.
    pub async fn ended(&mut self) {
        while tokio::time::timeout(PATIENCE, self.messages.recv()).await.expect("an end in time").is_some() {}
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

async fn read(response: Response, sender: mpsc::UnboundedSender<Value>) {
    let mut body = response.bytes_stream();
    let mut buffer = Vec::new();
    while let Some(Ok(bytes)) = body.next().await {
        buffer.extend_from_slice(&bytes);
        while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
            let frame: Vec<u8> = buffer.drain(..end + 2).collect();
            let frame = String::from_utf8(frame).expect("UTF-8");
            for line in frame.lines() {
                if let Some(data) = line.strip_prefix("data:") {
                    if sender.send(serde_json::from_str(data).expect("JSON")).is_err() {
                        return;
                    }
                } else {
                    assert!(line.is_empty() || line.starts_with(':'), "{line}");
                }
            }
        }
    }
}
