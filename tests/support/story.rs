//! The protocol stories that the demo agent and the real Goose both have to tell, so that the one stands for the other. The
//! prompts are scripts of [`super::llm`] that are also rules of the demo agent.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::acp::{Raw, Stream, Told, client};
use super::llm::words;

/// A turn of text, tool and text again.
const TOOL: &str = "Let me look. shell: echo tool";

/// A server to talk to.
#[derive(Debug)]
pub struct Place {
    pub url: String,
    pub key: String,
    pub cwd: String,
}

impl Place {
    async fn raw(&self) -> Raw {
        Raw::connect(&self.url, &self.key).await
    }

    /// Every story but that of the gap, one after the other.
    pub async fn tell_all(&self) {
        self.doors().await;
        self.errors().await;
        self.words_arrive().await;
        self.far_behind().await;
        self.cancel_in_the_text().await;
        self.cancel_at_an_approval().await;
        self.approvals().await;
        self.another_connection().await;
        self.the_end_of_a_connection().await;
        self.sessions_come_and_go().await;
    }

    /// What is refused at the door, with which status.
    pub async fn doors(&self) {
        let http = client();
        for path in ["health", "status"] {
            let response = http.get(format!("{}/{path}", self.url)).send().await.expect("a response");
            assert_eq!((response.status(), response.text().await.expect("text").as_str()), (StatusCode::OK, "ok"));
        }
        let acp = format!("{}/acp", self.url);
        let status = async |request: reqwest::RequestBuilder| request.send().await.expect("a response").status();
        let with_key = |method: Method| http.request(method, &acp).header("X-Secret-Key", &self.key);
        assert_eq!(status(http.get(&acp)).await, StatusCode::UNAUTHORIZED);
        assert_eq!(status(http.get(&acp).header("X-Secret-Key", "wrong")).await, StatusCode::UNAUTHORIZED);
        assert_eq!(status(http.get(&acp).header("X-Secret-Key", format!("{}x", self.key))).await, StatusCode::UNAUTHORIZED);
        assert_eq!(status(http.get(&acp).bearer_auth(&self.key)).await, StatusCode::UNAUTHORIZED);
        assert_eq!(status(with_key(Method::GET)).await, StatusCode::NOT_ACCEPTABLE);
        let streamed = |method| with_key(method).header("Accept", "text/event-stream");
        assert_eq!(status(streamed(Method::GET)).await, StatusCode::BAD_REQUEST);
        assert_eq!(status(streamed(Method::GET).header("Acp-Connection-Id", "none")).await, StatusCode::NOT_FOUND);
        let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "session/list", "params": {} });
        assert_eq!(status(with_key(Method::POST).json(&list)).await, StatusCode::BAD_REQUEST);
        let lost = with_key(Method::POST).header("Acp-Connection-Id", "none");
        assert_eq!(status(lost.json(&list)).await, StatusCode::NOT_FOUND);
        assert_eq!(status(with_key(Method::POST).body("{}")).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(status(with_key(Method::DELETE)).await, StatusCode::BAD_REQUEST);

        let raw = self.raw().await;
        assert_eq!(raw.initialized["protocolVersion"], 1);
        assert_eq!(raw.initialized["agentCapabilities"]["loadSession"], true);
        let held = raw.stream(None).await;
        assert_eq!(raw.get(None).await.status(), StatusCode::CONFLICT);
        drop(held);
        let mut held = raw.stream(None).await;
        assert_eq!(status(raw.request(Method::DELETE)).await, StatusCode::ACCEPTED);
        held.ended().await;
        assert_eq!(status(raw.request(Method::DELETE)).await, StatusCode::NOT_FOUND);
    }

    /// JSON-RPC errors, and the stream on which they come.
    pub async fn errors(&self) {
        let raw = self.raw().await;
        let mut shared = raw.stream(None).await;
        raw.call(1, "no/such", json!({})).await;
        assert_eq!(shared.response(1).await["error"]["code"], -32601);
        raw.call(2, "session/new", json!({})).await;
        assert_eq!(shared.response(2).await["error"]["code"], -32602);
        raw.call(3, "session/new", json!({ "cwd": "/no/such/folder", "mcpServers": [] })).await;
        assert_eq!(shared.response(3).await["error"]["code"], -32602);
        raw.request(Method::POST).header("Content-Type", "application/json").body("{bad").send().await.expect("a response");
        let message = shared.next().await;
        assert_eq!((&message["id"], &message["error"]["code"]), (&json!(null), &json!(-32700)));
        let mut lost = raw.stream(Some("lost")).await;
        raw.prompt(4, "lost", "say 3 words").await;
        assert_eq!(lost.response(4).await["error"]["code"], -32002);
        raw.call(5, "session/load", json!({ "sessionId": "lost", "cwd": self.cwd, "mcpServers": [] })).await;
        assert_eq!(lost.response(5).await["error"]["code"], -32002);
    }

    pub async fn words_arrive(&self) {
        let raw = self.raw().await;
        let mut shared = raw.stream(None).await;
        let (session, mut stream) = raw.session(&mut shared, &self.cwd).await;
        let told = raw.turn(&mut stream, 2, &session, "say 200 words", "").await;
        assert_eq!(told.text, words(200));
        assert_eq!(told.stop_reason(), "end_turn");
        assert!(told.chunks > 20, "{} chunks", told.chunks);
        assert_eq!(told.titles.len(), 1, "{:?}", told.titles);
        let usage = &told.response["result"]["usage"];
        assert!(usage["totalTokens"].as_u64() > Some(200) && usage["outputTokens"] == 200, "{usage}");
        let history = raw.history(&mut stream, 3, &session, &self.cwd).await;
        let expected = [("user_message_chunk", "say 200 words".to_owned()), ("agent_message_chunk", words(200))];
        assert_eq!(history, expected.map(|(kind, text)| (kind.to_owned(), text)));
    }

    /// A reader that is away for two seconds while the answer goes on. Wants a server at a slow pace: what is on its way in the
    /// moment of leaving is lost with any server.
    pub async fn a_gap_loses_nothing(&self) {
        let raw = self.raw().await;
        let mut shared = raw.stream(None).await;
        let (session, mut stream) = raw.session(&mut shared, &self.cwd).await;
        raw.prompt(2, &session, "say 200 words").await;
        let mut told = Told::default();
        loop {
            let asked = Instant::now();
            assert!(!told.take(stream.next().await, 2));
            if told.chunks >= 20 && asked.elapsed() > Duration::from_millis(8) {
                break;
            }
        }
        drop(stream);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut stream = raw.stream(Some(&session)).await;
        while !told.take(stream.next().await, 2) {}
        assert_eq!(told.text, words(200));
        for id in 3..6 {
            drop(stream);
            stream = raw.stream(Some(&session)).await;
            assert_eq!(raw.turn(&mut stream, id, &session, "say 2 words", "").await.text, words(2));
        }
    }

    /// An answer that nobody reads until it is long.
    pub async fn far_behind(&self) {
        let raw = self.raw().await;
        let mut shared = raw.stream(None).await;
        let (session, stream) = raw.session(&mut shared, &self.cwd).await;
        drop(stream);
        raw.prompt(2, &session, "say 1500 words").await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        let mut stream = raw.stream(Some(&session)).await;
        let mut told = Told::default();
        while !told.take(stream.next().await, 2) {}
        assert_eq!(told.text, words(1500));
        assert!(told.chunks > 1024);
    }

    pub async fn cancel_in_the_text(&self) {
        let raw = self.raw().await;
        let mut shared = raw.stream(None).await;
        let (session, mut stream) = raw.session(&mut shared, &self.cwd).await;
        raw.prompt(2, &session, "say 2000 words").await;
        let mut told = Told::default();
        while told.chunks < 5 {
            told.take(stream.next().await, 2);
        }
        raw.prompt(3, &session, "say 1 word").await;
        let refusal = loop {
            let message = stream.next().await;
            if message["id"] == 3 {
                break message;
            }
            assert!(!told.take(message, 2));
        };
        assert_eq!(refusal["error"]["code"], -32602);
        assert!(refusal["error"]["data"].as_str().is_some_and(|data| data.contains("session already has active run")));
        raw.cancel(&session).await;
        let asked = Instant::now();
        while !told.take(stream.next().await, 2) {}
        assert!(asked.elapsed() < Duration::from_secs(15));
        assert_eq!(told.stop_reason(), "cancelled");
        assert!(words(2000).starts_with(&told.text));
        // The history has the partial answer, and may have a little more of it than was sent.
        let history = raw.history(&mut stream, 4, &session, &self.cwd).await;
        assert_eq!((history.len(), history[0].1.as_str()), (2, "say 2000 words"));
        assert!(history[1].1.starts_with(&told.text) && words(2000).starts_with(&history[1].1), "{history:?}");
        assert_eq!(raw.turn(&mut stream, 5, &session, "say 3 words", "").await.text, words(3));
    }

    pub async fn cancel_at_an_approval(&self) {
        let raw = self.raw().await;
        let mut shared = raw.stream(None).await;
        let (session, mut stream) = raw.session(&mut shared, &self.cwd).await;
        raw.prompt(2, &session, TOOL).await;
        let mut told = Told::default();
        while told.approvals.is_empty() {
            told.take(stream.next().await, 2);
        }
        raw.cancel(&session).await;
        raw.decide(&told.approvals[0], "cancelled").await;
        while !told.take(stream.next().await, 2) {}
        assert_eq!(told.stop_reason(), "cancelled");
        assert!(told.tools.is_empty(), "{:?}", told.tools);
        // What was said before the question is forgotten.
        let history = raw.history(&mut stream, 4, &session, &self.cwd).await;
        assert_eq!(history, [("user_message_chunk".to_owned(), TOOL.to_owned())]);
        assert_eq!(raw.turn(&mut stream, 3, &session, "say 3 words", "").await.text, words(3));
    }

    /// Each decision, the history after it, and `allow_always` at last, for that holds for the whole server.
    pub async fn approvals(&self) {
        let raw = self.raw().await;
        let mut shared = raw.stream(None).await;
        for (option, status) in [("allow_once", "completed"), ("reject_once", "failed"), ("cancelled", "failed")] {
            let (session, mut stream) = raw.session(&mut shared, &self.cwd).await;
            let told = raw.turn(&mut stream, 2, &session, TOOL, option).await;
            assert_eq!((told.stop_reason(), told.approvals.len()), ("end_turn", 1), "{option}");
            let asked = &told.approvals[0]["params"];
            assert_eq!(asked["sessionId"], session);
            let call = asked["toolCall"]["toolCallId"].as_str().expect("text");
            assert!(asked["toolCall"]["title"].is_string() && asked["toolCall"]["rawInput"]["command"].is_string(), "{asked}");
            let options: Vec<&str> =
                asked["options"].as_array().expect("a list").iter().filter_map(|o| o["optionId"].as_str()).collect();
            assert_eq!(options, ["allow_always", "allow_once", "reject_once", "reject_always"]);
            assert_eq!(told.tools, [(call.to_owned(), status.to_owned())], "{option}");
            let history = raw.history(&mut stream, 3, &session, &self.cwd).await;
            let kinds: Vec<&str> = history.iter().map(|(kind, _)| kind.as_str()).collect();
            assert_eq!(kinds, ["user_message_chunk", "agent_message_chunk", "tool_call", "agent_message_chunk"]);
            // Joined with nothing between, the pieces of the history are the streamed text.
            assert_eq!(format!("{}{}", history[1].1, history[3].1), told.text);
        }
        let (session, mut stream) = raw.session(&mut shared, &self.cwd).await;
        raw.call(2, "session/set_mode", json!({ "sessionId": session, "modeId": "auto" })).await;
        assert!(stream.response(2).await["result"].is_object());
        let told = raw.turn(&mut stream, 3, &session, TOOL, "").await;
        assert_eq!((told.approvals.len(), told.tools.len()), (0, 1));
        let (session, mut stream) = raw.session(&mut shared, &self.cwd).await;
        let told = raw.turn(&mut stream, 2, &session, TOOL, "allow_always").await;
        assert_eq!((told.approvals.len(), told.tools.len()), (1, 1));
        let (session, mut stream) = raw.session(&mut shared, &self.cwd).await;
        let told = raw.turn(&mut stream, 2, &session, TOOL, "").await;
        assert_eq!((told.approvals.len(), told.tools.len()), (0, 1));
    }

    /// What another connection can do with a session that is running.
    pub async fn another_connection(&self) {
        let (first, second) = (self.raw().await, self.raw().await);
        let mut shared = first.stream(None).await;
        let (session, mut stream) = first.session(&mut shared, &self.cwd).await;
        let mut other = second.stream(Some(&session)).await;
        first.prompt(2, &session, "say 2000 words").await;
        let mut told = Told::default();
        while told.chunks < 5 {
            told.take(stream.next().await, 2);
        }
        let history = second.history(&mut other, 2, &session, &self.cwd).await;
        assert_eq!(history, [("user_message_chunk".to_owned(), "say 2000 words".to_owned())]);
        second.prompt(3, &session, "say 1 word").await;
        assert_eq!(other.response(3).await["error"]["code"], -32602);
        second.cancel(&session).await;
        while !told.take(stream.next().await, 2) {}
        assert_eq!(told.stop_reason(), "cancelled");
    }

    /// Deleting a connection aborts what runs on it.
    pub async fn the_end_of_a_connection(&self) {
        let raw = self.raw().await;
        let mut shared = raw.stream(None).await;
        let (session, mut stream) = raw.session(&mut shared, &self.cwd).await;
        raw.prompt(2, &session, "say 2000 words").await;
        let mut told = Told::default();
        while told.chunks < 5 {
            told.take(stream.next().await, 2);
        }
        assert_eq!(raw.request(Method::DELETE).send().await.expect("a response").status(), StatusCode::ACCEPTED);
        stream.ended().await;
        shared.ended().await;
        let raw = self.raw().await;
        let mut stream = raw.stream(Some(&session)).await;
        let history = raw.history(&mut stream, 2, &session, &self.cwd).await;
        assert_eq!(history, [("user_message_chunk".to_owned(), "say 2000 words".to_owned())]);
        assert_eq!(raw.turn(&mut stream, 3, &session, "say 3 words", "").await.text, words(3));
    }

    pub async fn sessions_come_and_go(&self) {
        let raw = self.raw().await;
        let mut shared = raw.stream(None).await;
        let (session, mut stream) = raw.session(&mut shared, &self.cwd).await;
        raw.turn(&mut stream, 2, &session, "say 3 words", "").await;
        let listed = async |shared: &mut Stream, id| {
            raw.call(id, "session/list", json!({})).await;
            let response = shared.response(id).await;
            let sessions = response["result"]["sessions"].as_array().expect("a list");
            sessions.iter().any(|listed| listed["sessionId"] == session && listed["title"].is_string())
        };
        assert!(listed(&mut shared, 3).await);
        raw.call(4, "session/close", json!({ "sessionId": session })).await;
        assert!(stream.response(4).await["result"].is_object());
        raw.prompt(5, &session, "say 3 words").await;
        assert_eq!(stream.response(5).await["error"]["code"], -32002);
        assert_eq!(raw.history(&mut stream, 6, &session, &self.cwd).await.len(), 2);
        assert_eq!(raw.turn(&mut stream, 7, &session, "say 4 words", "").await.text, words(4));
        raw.call(8, "session/delete", json!({ "sessionId": session })).await;
        assert!(stream.response(8).await["result"].is_object());
        raw.call(9, "session/load", json!({ "sessionId": session, "cwd": self.cwd, "mcpServers": [] })).await;
        assert_eq!(stream.response(9).await["error"]["code"], -32002);
        assert!(!listed(&mut shared, 10).await);
    }
}
