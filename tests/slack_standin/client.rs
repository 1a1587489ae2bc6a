//! The barest app: it calls, it listens, it acknowledges what it is told to.
//!
//! Absence: nothing of the program itself, so that the stand-in is proven by itself.

use std::sync::{Arc, Mutex};

use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse as _;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;

use crate::support::slack::{APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, Slack, Way, decode, encode, now, sign};

pub struct App {
    http: reqwest::Client,
    base: String,
    pub token: String,
}

/// A call's answer.
pub struct Called {
    pub status: u16,
    pub retry_after: Option<u64>,
    pub body: Value,
}

impl Called {
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.body["ok"], true, "{}", self.body);
        self.body
    }

    #[track_caller]
    pub fn error(&self) -> &str {
        assert_eq!(self.body["ok"], false, "{}", self.body);
        self.body["error"].as_str().expect("an error")
    }
}

impl App {
    pub fn new(slack: &Slack) -> Self {
        Self { http: crate::support::acp::client(), base: slack.api_url(), token: BOT_TOKEN.into() }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Called> {
        let response = request.bearer_auth(&self.token).send().await?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
        let text = response.text().await?;
        Ok(Called { status, retry_after, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
    }

    pub async fn try_call(&self, method: &str, args: Value) -> reqwest::Result<Called> {
        let request = self.http.post(format!("{}/{method}", self.base)).header("content-type", "application/json; charset=utf-8");
        self.send(request.body(args.to_string())).await
    }

    pub async fn call(&self, method: &str, args: Value) -> Called {
        self.try_call(method, args).await.expect("an answer")
    }

    pub async fn read(&self, method: &str, args: &[(&str, &str)]) -> Called {
        self.send(self.http.get(format!("{}/{method}?{}", self.base, encode(args)))).await.expect("an answer")
    }

    /// Without a token: `response_url`, uploads.
    pub async fn post(&self, url: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
        let response = self.http.post(url).body(body).send().await.expect("an answer");
        (response.status().as_u16(), response.text().await.expect("a text"))
    }

    pub async fn download(&self, url: &str) -> Vec<u8> {
        let response = self.http.get(url).bearer_auth(&self.token).send().await.expect("an answer");
        response.bytes().await.expect("bytes").to_vec()
    }
}

/// How the app answers what it is sent; `None`: not at all.
pub type Answer = Arc<dyn Fn(&Value) -> Option<Value> + Send + Sync>;

/// Everything that arrived, whichever way: `type`, `payload`, and what belongs to it.
pub struct Ear {
    seen: watch::Receiver<Vec<Value>>,
}

impl Ear {
    /// The first `count` of what arrived.
    pub async fn heard(&mut self, count: usize) -> Vec<Value> {
        let mut seen = self.seen.clone();
        let waiting = tokio::time::timeout(crate::support::slack::DEADLINE, seen.wait_for(|seen| seen.len() >= count));
        let all = waiting.await.map(|seen| seen.expect("an open ear").clone());
        all.unwrap_or_else(|_| panic!("{count} things were to arrive: {:#?}", self.so_far()))
    }

    pub fn so_far(&self) -> Vec<Value> {
        self.seen.borrow().clone()
    }
}

/// Opens `count` sockets that acknowledge by `answer`, or listens for signed requests.
pub async fn listen(slack: &Slack, count: usize, answer: Answer) -> Ear {
    let (sender, seen) = watch::channel(Vec::new());
    if slack.inner.way == Way::Http {
        serve(slack, sender, answer).await;
        return Ear { seen };
    }
    for _ in 0..count {
        let mut app = App::new(slack);
        app.token = APP_TOKEN.into();
        let url = app.call("apps.connections.open", json!({})).await.ok()["url"].as_str().expect("a url").to_owned();
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("a socket");
        let hello = socket.next().await.expect("a frame").expect("a frame");
        assert_eq!(serde_json::from_str::<Value>(hello.to_text().expect("text")).expect("JSON")["type"], "hello");
        let (sender, answer) = (sender.clone(), Arc::clone(&answer));
        tokio::spawn(async move {
            while let Some(Ok(frame)) = socket.next().await {
                let Message::Text(text) = frame else { continue };
                let frame: Value = serde_json::from_str(&text).expect("JSON");
                let reply = answer(&frame);
                sender.send_modify(|seen| seen.push(frame.clone()));
                let Some(body) = reply.filter(|_| frame["envelope_id"].is_string()) else { continue };
                let mut ack = json!({ "envelope_id": frame["envelope_id"] });
                if !body.is_null() {
                    ack["payload"] = body;
                }
                let _ = socket.send(Message::text(ack.to_string())).await;
            }
        });
    }
    slack.sockets(count).await;
    Ear { seen }
}

#[derive(Clone)]
struct Served {
    heard: mpsc::Sender<Value>,
    answer: Answer,
    /// Where a wrong signature is kept.
    forged: Arc<Mutex<Vec<String>>>,
}

/// An app that checks signatures, and answers 503 to what it does not acknowledge.
async fn serve(slack: &Slack, seen: watch::Sender<Vec<Value>>, answer: Answer) {
    let (heard, mut all) = mpsc::channel(1024);
    tokio::spawn(async move {
        while let Some(one) = all.recv().await {
            seen.send_modify(|seen| seen.push(one));
        }
    });
    let served = Served { heard, answer, forged: Arc::default() };
    let router = axum::Router::new().fallback(take).with_state(served);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    slack.reach(&format!("http://{}", listener.local_addr().expect("an address")));
    tokio::spawn(async move { axum::serve(listener, router).await });
}

async fn take(Shared(served): Shared<Served>, uri: Uri, headers: HeaderMap, body: String) -> axum::response::Response {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let second: u64 = header("x-slack-request-timestamp").parse().unwrap_or_default();
    if header("x-slack-signature") != sign(SIGNING_SECRET, second, &body) || now().abs_diff(second) > 300 {
        served.forged.lock().expect("no panic").push(body);
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let fields: serde_json::Map<String, Value> = decode(&body).into_iter().map(|(k, v)| (k, json!(v))).collect();
    let (kind, payload) = match uri.path() {
        "/slack/commands" => ("slash_commands", Value::Object(fields)),
        "/slack/interactivity" => {
            ("interactive", serde_json::from_str(fields["payload"].as_str().expect("a payload")).expect("JSON"))
        }
        "/slack/events" => ("events_api", serde_json::from_str(&body).expect("JSON")),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let mut frame = json!({ "type": kind, "payload": payload });
    if let Ok(attempt) = header("x-slack-retry-num").parse::<u64>() {
        frame["retry_attempt"] = json!(attempt);
        frame["retry_reason"] = json!(header("x-slack-retry-reason"));
    }
    let reply = (served.answer)(&frame);
    served.heard.send(frame).await.expect("an open ear");
    match reply {
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(Value::Null) => StatusCode::OK.into_response(),
        Some(body) => axum::Json(body).into_response(),
    }
}

/// Acknowledges everything at once, with nothing.
pub fn yes() -> Answer {
    Arc::new(|_| Some(Value::Null))
}
