//! The real Goose with the scripted model: it tells the same stories as the demo agent, and a few of its own that our code relies
//! on. Skipped, and said so, where there is no Goose.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::acp::Raw;
use crate::support::goose::{Goose, SECRET, binary};
use crate::support::llm::{markdown, quoted, words};
use crate::support::story::Place;

fn place(goose: &Goose) -> Place {
    Place { url: goose.url.clone(), key: SECRET.to_owned(), cwd: goose.work() }
}

#[tokio::test]
async fn tells_the_stories() {
    let Some(binary) = binary("tells_the_stories") else { return };
    let goose = Goose::start(&binary).await;
    place(&goose).tell_all().await;
    assert_eq!(goose.llm.faults(), Vec::<String>::new());
    goose.llm.pace(Duration::from_millis(20));
    place(&goose).a_gap_loses_nothing().await;
}

#[tokio::test]
async fn text_arrives_byte_for_byte_and_is_kept_so() {
    let Some(binary) = binary("text_arrives_byte_for_byte_and_is_kept_so") else { return };
    let goose = Goose::start(&binary).await;
    let cwd = goose.work();
    let raw = Raw::connect(&goose.url, SECRET).await;
    let mut shared = raw.stream(None).await;
    let (session, mut stream) = raw.session(&mut shared, &cwd).await;
    goose.llm.pace(Duration::ZERO);
    let told = raw.turn(&mut stream, 2, &session, "markdown 30 KB", "").await;
    assert!(told.text == markdown(30), "{} bytes", told.text.len());
    let told = raw.turn(&mut stream, 3, &session, "two tools", "allow_once").await;
    assert_eq!(told.text, quoted(&["one", "two"]));
    assert_eq!((told.approvals.len(), told.tools.len()), (2, 2));
    let asked = goose.llm.requests();
    assert!(asked.iter().any(|asked| asked.title) && asked.iter().all(|asked| asked.body["stream"] == true));
    assert_eq!(asked.iter().filter(|asked| !asked.title && asked.script == "two tools").count(), 2);
    let history = raw.history(&mut stream, 4, &session, &cwd).await;
    let texts: Vec<&str> =
        history.iter().filter(|(kind, _)| kind == "agent_message_chunk").map(|(_, text)| text.as_str()).collect();
    assert!(texts == [markdown(30).as_str(), quoted(&["one", "two"]).as_str()], "{history:?}");
}

#[tokio::test]
async fn errors_of_the_model_come_as_text() {
    let Some(binary) = binary("errors_of_the_model_come_as_text") else { return };
    let goose = Goose::start(&binary).await;
    let raw = Raw::connect(&goose.url, SECRET).await;
    let mut shared = raw.stream(None).await;
    let (session, mut stream) = raw.session(&mut shared, &goose.work()).await;
    let told = raw.turn(&mut stream, 2, &session, "drop after 10 words", "").await;
    assert_eq!(told.stop_reason(), "end_turn");
    assert!(told.text.starts_with(&words(10)) && told.text.contains("Network error"), "{}", told.text);
    let told = raw.turn(&mut stream, 3, &session, "error 401", "").await;
    assert_eq!(told.response["error"], json!({ "code": -32000, "message": "Authentication required" }));
    assert_eq!(told.text, "");
    let told = raw.turn(&mut stream, 4, &session, "slow start 1 say 5 words", "").await;
    assert_eq!(told.text, words(5));
    raw.prompt(5, &session, "hang").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    raw.cancel(&session).await;
    assert_eq!(stream.response(5).await["result"]["stopReason"], "cancelled");
    // Goose leaves the model when it is cancelled.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(goose.llm.left(), 1);
}

#[tokio::test]
async fn a_killed_goose_ends_its_streams_at_once() {
    let Some(binary) = binary("a_killed_goose_ends_its_streams_at_once") else { return };
    let mut goose = Goose::start(&binary).await;
    let raw = Raw::connect(&goose.url, SECRET).await;
    let mut shared = raw.stream(None).await;
    let (session, mut stream) = raw.session(&mut shared, &goose.work()).await;
    raw.prompt(2, &session, "say 2000 words").await;
    stream.until(|message| message["params"]["update"]["sessionUpdate"] == "agent_message_chunk").await;
    goose.child.kill().await.expect("a living goose");
    let killed = Instant::now();
    stream.ended().await;
    shared.ended().await;
    assert!(killed.elapsed() < Duration::from_secs(1));
}
