//! The old REST API of Goose, as its stand-in plays it.

use std::sync::Arc;
use std::time::Duration;

use gaggle::agent::{Agent, Endpoint, Failure, Patience, Protocol, connect};
use gaggle::model::Answer;

use super::{ask, begin, told};
use crate::support::goose_api::{BIG, GooseApi};
use crate::support::llm;

async fn connected(seed: u64) -> (GooseApi, Arc<dyn Agent>) {
    let server = GooseApi::with_health(seed, if seed.is_multiple_of(2) { "/health" } else { "/api/v1/health" }).await;
    server.pace(Duration::ZERO);
    let endpoint = Endpoint::Http { url: server.url.clone(), key: None, protocol: Protocol::Auto };
    let agent = connect(&endpoint, "/", Patience::default(), None).await.unwrap();
    (server, agent)
}

/// What the client did wrong, but for its looking for the protocol and the health check.
fn faults(server: &GooseApi) -> Vec<String> {
    server.faults().into_iter().filter(|fault| !fault.ends_with("no such endpoint")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers() {
    for seed in 1..=3 {
        let (server, agent) = connected(seed).await;
        let session = agent.open(None).await.unwrap().id;
        let ask = |text: &'static str| ask(&*agent, &session, text, Answer::Once);
        assert_eq!(ask("say 200 words").await.text, llm::words(200));
        assert_eq!(agent.last_answer(&session).await.unwrap().map(|e| e.answer), Some(llm::words(200)));
        assert_eq!(ask("markdown 30 KB").await.text, llm::markdown(30));
        assert_eq!(agent.last_answer(&session).await.unwrap().map(|e| e.answer), Some(llm::markdown(30)));
        let told = ask("tool").await;
        assert!(told.tools.len() == 1 && told.ended.len() == 1 && told.ended[0].0 && !told.text.is_empty(), "{told:?}");
        let told = ask("big tool").await;
        assert!(
            told.ended[0].1.len() < 70_000 && told.ended[0].1.contains(&format!("… {} more bytes", BIG - 65_536)),
            "{:?}",
            told.ended[0].1.len()
        );
        assert!(!ask("failing tool").await.ended[0].0);
        let told = ask("confirm").await;
        assert!(told.notices.len() == 1 && told.notices[0].contains("no way to answer"), "{told:?}");
        assert!(!ask("think").await.thoughts.is_empty());
        assert_eq!(ask("context").await.notices.len(), 1);
        assert_eq!(faults(&server), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_failures_are_told() {
    let (server, agent) = connected(3).await;
    for (prompt, text, interrupted) in [
        ("error before", String::new(), false),
        ("error before 2", String::new(), false),
        ("error after 5 words", llm::words(5), false),
        ("drop after 5 words", llm::words(5), true),
        ("end after 5 words", llm::words(5), true),
    ] {
        let session = agent.open(None).await.unwrap().id;
        let told = ask(&*agent, &session, prompt, Answer::Once).await;
        assert_eq!(told.text, text, "{prompt}");
        assert_eq!(matches!(told.failure, Some(Failure::Interrupted(_))), interrupted, "{prompt}: {:?}", told.failure);
        assert!(told.failure.is_some());
        assert_eq!(ask(&*agent, &session, "say 2 words", Answer::Once).await.text, "w1 w2");
    }
    let forgotten = agent.open(Some("session-of-old")).await.unwrap();
    assert!(forgotten.forgotten);
    let run = begin(&*agent, &forgotten.id, "hang").await;
    agent.cancel(&forgotten.id).await.unwrap();
    assert!(told(&*agent, &forgotten.id, run, Answer::Once).await.cancelled);
    agent.forget(&forgotten.id).await.unwrap();
    assert_eq!(agent.last_answer(&forgotten.id).await.unwrap().map(|e| e.answer), None);
    assert_eq!(faults(&server), Vec::<String>::new());
}
