//! The stand-in of the old REST Goose API over plain requests: that it does what its table says.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::acp::client;
use crate::support::goose_api::{BIG, GooseApi, SMALL_TALK};
use crate::support::llm::{markdown, words};

struct Old {
    http: reqwest::Client,
    api: String,
    session: String,
}

#[derive(Default)]
struct Heard {
    frames: Vec<Value>,
    pieces: usize,
    comments: usize,
    broken: bool,
}

impl Heard {
    fn text(&self) -> String {
        let messages = self.frames.iter().filter(|frame| frame["type"] == "message");
        messages.map(|frame| frame["content"]["content"].as_str().expect("text")).collect()
    }

    fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = self.frames.iter().filter_map(|frame| frame["type"].as_str()).collect();
        kinds.dedup();
        kinds
    }
}

impl Old {
    async fn start(rig: &GooseApi) -> Self {
        let (http, api) = (client(), format!("{}/api/v1", rig.url));
        let response = http.post(format!("{api}/sessions")).send().await.expect("a response");
        assert_eq!(response.status(), StatusCode::CREATED);
        let session = response.json::<Value>().await.expect("JSON")["session_id"].as_str().expect("text").to_owned();
        Self { http, api, session }
    }

    async fn get(&self, path: &str) -> Value {
        self.http.get(format!("{}{path}", self.api)).send().await.expect("a response").json().await.expect("JSON")
    }

    async fn ask(&self, message: &str) -> Heard {
        let request = self.http.post(format!("{}/sessions/{}/messages", self.api, self.session));
        let request = request.header("Accept", "text/event-stream").json(&json!({ "message": message }));
        let response = request.send().await.expect("a response");
        assert_eq!(response.status(), StatusCode::OK);
        let (mut body, mut bytes, mut heard) = (response.bytes_stream(), Vec::new(), Heard::default());
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => bytes.extend_from_slice(&piece),
                Err(_) => heard.broken = true,
            }
            heard.pieces += 1;
        }
        let text = String::from_utf8(bytes).expect("UTF-8");
        for line in text.lines() {
            match line.strip_prefix("data: ") {
                Some(data) => heard.frames.extend(serde_json::from_str::<Value>(data)),
                None => heard.comments += usize::from(line.starts_with(':')),
            }
        }
        heard
    }
}

#[tokio::test]
async fn streams_in_pieces_of_any_size() {
    let rig = GooseApi::start(7).await;
    let old = Old::start(&rig).await;
    let heard = old.ask("say 200 words").await;
    assert_eq!(heard.text(), words(200));
    assert_eq!(heard.kinds(), ["message", "complete"]);
    assert!(heard.pieces > 200 && heard.comments > 5, "{} pieces, {} comments", heard.pieces, heard.comments);
    rig.pace(Duration::ZERO);
    assert!(old.ask("markdown 30 KB").await.text() == markdown(30));
    let history = old.get(&format!("/sessions/{}/messages", old.session)).await;
    assert_eq!((&history["total_count"], &history["messages"][1]["content"]), (&json!(4), &json!(words(200))));
    assert_eq!(rig.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn plays_its_scripts() {
    let rig = GooseApi::start(8).await;
    let old = Old::start(&rig).await;
    let heard = old.ask("big tool").await;
    assert_eq!(heard.kinds(), ["tool_request", "tool_notification", "tool_response", "message", "complete"]);
    let output = heard.frames[2]["content"]["result"]["Ok"][0]["text"].as_str().expect("text");
    assert_eq!(output.len(), BIG);
    assert_eq!(old.ask("failing tool").await.frames[2]["content"]["is_error"], true);
    assert_eq!(old.ask("confirm").await.kinds(), ["tool_confirmation", "message", "complete"]);
    assert_eq!(old.ask("think").await.kinds(), ["thinking", "message", "complete"]);
    assert_eq!(old.ask("context").await.kinds(), ["context_exceeded", "history_update", "message", "complete"]);
    assert_eq!(old.ask("error before").await.kinds(), ["error"]);
    assert_eq!(old.ask("error before 2").await.kinds(), ["error"]);
    assert_eq!(old.ask("error after 5 words").await.kinds(), ["message", "error", "complete"]);
    let heard = old.ask("drop after 5 words").await;
    assert!(heard.broken && heard.text() == words(5), "{}", heard.text());
    let heard = old.ask("end after 5 words").await;
    assert!(!heard.broken && heard.kinds() == ["message"]);
    assert_eq!(old.ask("quiet 0.3").await.text(), words(3));
    assert_eq!(old.ask("hello").await.text(), SMALL_TALK);
    assert_eq!(rig.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn is_strict_and_remembers() {
    let rig = GooseApi::start(9).await;
    let old = Old::start(&rig).await;
    let messages = format!("{}/sessions/{}/messages", old.api, old.session);
    let status = async |request: reqwest::RequestBuilder| request.send().await.expect("a response").status();
    assert_eq!(status(old.http.post(&messages).json(&json!({ "message": "x" }))).await, StatusCode::NOT_ACCEPTABLE);
    let streamed = || old.http.post(&messages).header("Accept", "text/event-stream");
    assert_eq!(status(streamed().json(&json!({ "text": "x" }))).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(status(streamed().body("{\"message\":\"x\"}")).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(status(old.http.post(format!("{}/sessions", old.api)).json(&json!({}))).await, StatusCode::BAD_REQUEST);
    assert_eq!(rig.faults().len(), 4);

    let sent = old.http.post(format!("{}/sessions/{}/send", old.api, old.session)).json(&json!({ "message": "tool" }));
    let sent: Value = sent.send().await.expect("a response").json().await.expect("JSON");
    assert_eq!((&sent["assistant_response"], &sent["tool_calls_count"]), (&json!("The tool has run."), &json!(1)));
    assert_eq!(old.get("/sessions").await["total"], 1);
    assert_eq!(old.get("/agent/status").await["overall_status"], "idle");
    let setting = format!("{}/settings/GOOSE_MODEL", old.api);
    let put: Value =
        old.http.put(&setting).json(&json!({ "value": "m2" })).send().await.expect("a response").json().await.expect("JSON");
    assert_eq!(put["restart_required"], true);
    assert_eq!(old.get("/settings/GOOSE_MODEL").await["value"], "m2");
    assert_eq!(old.get("/extensions").await["extensions"][0]["name"], "developer");
    let one = format!("{}/sessions/{}", old.api, old.session);
    assert_eq!(status(old.http.get(format!("{one}/export"))).await, StatusCode::OK);
    assert_eq!(status(old.http.delete(&one)).await, StatusCode::NO_CONTENT);
    assert_eq!(status(old.http.delete(&one)).await, StatusCode::NOT_FOUND);
    assert_eq!(rig.calls().last().expect("calls").path, format!("/sessions/{}", old.session));
}
