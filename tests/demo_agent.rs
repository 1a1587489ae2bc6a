//! The demo agent over plain requests: the stories that the real Goose tells as well, and what is its own.

use std::path::Path;
use std::time::Duration;

use gaggle::agent::demo::{NAME, Options, serve};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::acp::Raw;
use crate::support::llm::words;
use crate::support::story::Place;

const KEY: &str = "demo-secret";

struct Demo {
    place: Place,
    shutdown: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Demo {
    async fn start(folder: &Path, pace: u64) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let mut options = Options::new(folder.join("state"));
        options.pace = Duration::from_millis(pace);
        options.secret_key = Some(KEY.into());
        let shutdown = options.shutdown.clone();
        let place = Place { url, key: KEY.to_owned(), cwd: folder.display().to_string() };
        Self { place, shutdown, serving: tokio::spawn(serve(listener, options)) }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.serving.await.expect("no panic").expect("a good end");
    }

    async fn raw(&self) -> Raw {
        Raw::connect(&self.place.url, KEY).await
    }
}

#[tokio::test]
async fn tells_the_stories_of_goose() {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(folder.path(), 1).await;
    demo.place.tell_all().await;
    demo.stop().await;
}

#[tokio::test]
async fn a_gap_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(folder.path(), 20).await;
    demo.place.a_gap_loses_nothing().await;
    demo.stop().await;
}

#[tokio::test]
async fn says_that_it_is_a_demo() {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(folder.path(), 0).await;
    let raw = demo.raw().await;
    assert_eq!(raw.initialized["agentInfo"]["name"], NAME);
    let mut shared = raw.stream(None).await;
    let (session, mut stream) = raw.session(&mut shared, &demo.place.cwd).await;
    let told = raw.turn(&mut stream, 2, &session, "What is\nthis?", "").await;
    assert!(told.chunks > 10 && told.text.split_whitespace().count() <= 80);
    assert!(told.text.contains("demo agent") && told.text.contains("> What is this?"), "{}", told.text);
    assert_eq!(told.titles, ["Demo: What is this?"]);
    let told = raw.turn(&mut stream, 3, &session, "think, then say 5 words", "").await;
    assert_eq!((told.text.as_str(), told.thoughts.is_empty()), (words(5).as_str(), false));
    let told = raw.turn(&mut stream, 4, &session, "use the tool", "allow_once").await;
    assert!(told.text.contains("was allowed this once"), "{}", told.text);
    let told = raw.turn(&mut stream, 5, &session, "use the tool", "reject_once").await;
    assert!(told.text.contains("was not allowed"), "{}", told.text);
    let told = raw.turn(&mut stream, 6, &session, "tool, and say 50 words", "allow_once").await;
    assert_eq!(told.text, words(50));
    let told = raw.turn(&mut stream, 7, &session, "please fail", "").await;
    assert_eq!(told.response["error"]["code"], -32603);
    let told = raw.turn(&mut stream, 8, &session, "say 100000 words", "").await;
    assert_eq!(told.text, words(100_000));
    demo.stop().await;
}

#[tokio::test]
async fn keeps_sessions_and_permissions_over_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(folder.path(), 0).await;
    let raw = demo.raw().await;
    let mut shared = raw.stream(None).await;
    let (session, mut stream) = raw.session(&mut shared, &demo.place.cwd).await;
    raw.turn(&mut stream, 2, &session, "say 30 words", "").await;
    raw.turn(&mut stream, 3, &session, "tool", "allow_always").await;
    let before = raw.history(&mut stream, 4, &session, &demo.place.cwd).await;
    let (other, _) = raw.session(&mut shared, &demo.place.cwd).await;
    demo.stop().await;
    stream.ended().await;

    let demo = Demo::start(folder.path(), 0).await;
    let raw = demo.raw().await;
    let mut shared = raw.stream(None).await;
    let mut stream = raw.stream(Some(&session)).await;
    assert_eq!(raw.history(&mut stream, 2, &session, &demo.place.cwd).await, before);
    let told = raw.turn(&mut stream, 3, &session, "tool", "").await;
    assert_eq!((told.approvals.len(), told.tools.len()), (0, 1));
    let (third, _) = raw.session(&mut shared, &demo.place.cwd).await;
    assert!(third != session && third != other);
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn has_hundreds_of_sessions_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(folder.path(), 1).await;
    let raw = demo.raw().await;
    let mut shared = raw.stream(None).await;
    let mut sessions = Vec::new();
    for _ in 0..300 {
        sessions.push(raw.session(&mut shared, &demo.place.cwd).await);
    }
    let turns = sessions.into_iter().enumerate().map(|(number, (session, mut stream))| {
        let raw = raw.clone();
        tokio::spawn(async move {
            let told = raw.turn(&mut stream, 2, &session, &format!("say {} words", number + 1), "").await;
            assert_eq!(told.text, words(number + 1));
        })
    });
    for turn in turns.collect::<Vec<_>>() {
        turn.await.expect("each answer is its own");
    }
    raw.call(9, "session/list", json!({})).await;
    assert_eq!(shared.response(9).await["result"]["sessions"].as_array().map(Vec::len), Some(300));
    demo.stop().await;
}
