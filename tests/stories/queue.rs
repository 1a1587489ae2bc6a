//! Several messages at once: in one thread one after the other, elsewhere side by side, and how they are stopped.

use serde_json::json;

use super::restart::slow;
use crate::support::llm::words;
use crate::support::tester::{Begun, Tester};

#[tokio::test]
async fn twenty_wait_and_no_more() {
    let t = Tester::start().await;
    slow(&t, "demo", 5).await;
    let first = t.begin("/ask demo say 2000 words").await;
    first.text().await;
    let mut waiting: Vec<Begun<'_>> = Vec::new();
    for n in 1..=20 {
        let begun = t.begin(&format!("say {n} words")).await;
        begun.state("waiting").await;
        waiting.push(begun);
    }
    t.say("say 21 words").await.refused();
    let status = t.say("/status").await.ok().data("status");
    assert_eq!(status["turns"], json!({ "running": 1, "waiting": 20 }), "{status}");
    t.say("/session stop").await.ok();
    first.end().await.ended_as("stopped");
    for (begun, n) in waiting.iter().zip(1..) {
        assert_eq!(begun.end().await.ok().turn()["text"].as_str().unwrap(), words(n));
    }
    let ends = t.look(|s| s.events.iter().filter(|e| e.event["type"] == "end").filter_map(|e| e.input).collect::<Vec<_>>());
    let order: Vec<usize> = ends.into_iter().filter(|at| waiting.iter().any(|w| w.at == *at)).collect();
    assert!(order.is_sorted(), "{order:?}");
    // One place is free again.
    t.say("say 21 words").await.ok();
    t.done().await;
}

#[tokio::test]
async fn stopping() {
    let mut t = Tester::start().await;
    t.say("/project create demo --env GAGGLE_DEMO_PACE_MS=5").await.ok();
    // While the project starts.
    let asked = t.begin("/ask demo say 2000 words").await;
    asked.state("waiting").await;
    t.say("/session stop").await.ok();
    asked.end().await.ended_as("stopped");
    // While it answers, within a second, and the next one follows.
    let asked = t.begin("say 2000 words").await;
    asked.text().await;
    let next = t.begin("say 3 words").await;
    next.state("waiting").await;
    let began = std::time::Instant::now();
    t.say("/session stop").await.ok();
    let said = asked.end().await.ended_as("stopped");
    assert!(began.elapsed().as_millis() < 1500, "{:?}", began.elapsed());
    assert!(words(2000).starts_with(said.turn()["text"].as_str().unwrap()));
    assert_eq!(next.end().await.ok().turn()["text"], "w1 w2 w3");
    // Twice at once: one of them has nothing left to stop.
    let asked = t.begin("say 2000 words").await;
    asked.text().await;
    let (one, two) =
        (t.in_conversation("a").begin("/session stop s1").await, t.in_conversation("b").begin("/session stop s1").await);
    one.end().await;
    two.end().await;
    asked.end().await.ended_as("stopped");
    // What a deactivation and a deletion cut off.
    let asked = t.begin("say 2000 words").await;
    asked.text().await;
    t.in_conversation("other").say("/project deactivate demo").await.ok();
    asked.end().await.ended_as("interrupted");
    let asked = t.begin("say 2000 words").await;
    asked.text().await;
    let queued = t.begin("say 4 words").await;
    queued.state("waiting").await;
    t.in_conversation("other").say("/project restart demo").await.ok();
    asked.end().await.ended_as("interrupted");
    queued.end().await;
    let asked = t.begin("say 2000 words").await;
    asked.text().await;
    t.in_conversation("other").say("/session delete s1 --yes").await.ok();
    asked.end().await.ended_as("interrupted");
    let asked = t.begin("/ask demo say 2000 words").await;
    asked.text().await;
    let queued = t.begin("say 5 words").await;
    queued.state("waiting").await;
    t.in_conversation("other").say("/project delete demo --yes").await.ok();
    asked.end().await.ended_as("interrupted");
    queued.end().await.ended_as("interrupted");
    assert_eq!(t.agents(), []);
    t.lenient();
    t.done().await;
}

#[tokio::test]
async fn conversations_run_side_by_side() {
    let t = Tester::start().await;
    slow(&t, "demo", 5).await;
    slow(&t, "fast", 0).await;
    let long = t.begin("/ask demo say 1500 words").await;
    long.text().await;
    let side = t.in_conversation("side");
    side.say("/ask fast say 2 words").await.ok();
    side.say("/ask demo say 3 words").await.ok();
    side.say("/project list").await.ok();
    // A form is asked and answered beside the answer, also from its conversation.
    let asked = side.begin("/project delete fast").await;
    let form = asked.form().await;
    t.operator().fill(&form, json!({})).await.end().await.ok();
    asked.end().await.ok();
    assert!(t.look(|s| s.said(long.at).is_none()), "the long answer ended too soon for this story");
    // A command in the same conversation waits for its turn.
    let list = t.begin("/project list").await;
    t.say("/status").await.ok();
    assert!(t.look(|s| s.said(list.at).is_none()));
    t.say("/session stop").await.ok();
    long.end().await.ended_as("stopped");
    list.end().await.ok();
    t.done().await;
}

#[tokio::test]
async fn two_starts_join() {
    let t = Tester::start().await;
    t.say("/project create demo").await.ok();
    let begun = [
        t.in_conversation("a").begin("/project activate demo").await,
        t.in_conversation("b").begin("/project activate demo").await,
        t.in_conversation("c").begin("/ask demo say 2 words").await,
    ];
    for begun in begun {
        begun.end().await.ok();
    }
    assert_eq!(t.agents().len(), 1);
    let begun = [
        t.in_conversation("a").begin("/project deactivate demo").await,
        t.in_conversation("b").begin("/project activate demo").await,
        t.in_conversation("c").begin("/project restart demo").await,
        t.in_conversation("d").begin("/project deactivate demo").await,
        t.in_conversation("e").begin("/project restart demo").await,
    ];
    for begun in begun {
        begun.end().await.ok();
    }
    let status = t.say("/project list").await.ok().data("projects")[0]["status"].clone();
    assert_eq!(t.agents().len(), usize::from(status == "active"), "{status}");
    t.done().await;
}

/// Many at once, each byte for byte its own.
#[tokio::test]
async fn many_conversations() {
    let t = Tester::start().await;
    slow(&t, "demo", 0).await;
    let mut begun = Vec::new();
    for n in 0..60 {
        begun.push(t.in_conversation(&format!("c{n}")).begin(&format!("/ask demo say {} words", 100 + n)).await);
    }
    for (begun, n) in begun.into_iter().zip(100..) {
        assert_eq!(begun.end().await.ok().turn()["text"].as_str().unwrap(), words(n));
    }
    t.done().await;
}
