//! Projects that nobody uses are stopped and started again by a message; and many starts wait in line.

use serde_json::Value;

use crate::support::tester::Tester;

fn note(e: &Value) -> bool {
    e["type"] == "note" && e["turn"].is_null()
}

#[tokio::test]
async fn an_idle_project_is_stopped_and_a_message_wakes_it() {
    let t = Tester::with(&[], &[("GAGGLE_RUNTIME__IDLE_STOP", "1s")]).await;
    t.say("/project create demo").await.ok();
    let place = t.in_conversation("place");
    place.say("/ask demo say 2 words").await.ok();
    let told = t.event("the note", note).await;
    assert_eq!(told["text"], "The project `demo` was idle for 1 s and was stopped; a message here starts it again.");
    assert_eq!(told["conversation"], "place", "where it was used last");
    assert_eq!(t.agents(), []);
    t.say("/project status demo").await.ok();
    let woken = place.say("say 3 words").await.ok().ended_as("done");
    assert_eq!(woken.turn()["text"], "w1 w2 w3");
    assert!(woken.events.iter().any(|e| e["type"] == "progress" && e["step"] == "start"), "the start is shown: {woken:?}");
    t.snapshot("idle");
    t.done().await;
}

/// What was idle while the program was away is seen at its start.
#[tokio::test]
async fn the_deadline_outlives_the_program() {
    let mut t = Tester::start().await;
    t.say("/project create demo").await.ok();
    t.in_conversation("place").say("/ask demo say 2 words").await.ok();
    t.kill().await;
    assert_eq!(t.agents().len(), 1);
    t.set("GAGGLE_RUNTIME__IDLE_STOP", "1s");
    t.launch();
    t.ready().await;
    assert_eq!(t.event("the note", note).await["conversation"], "place");
    assert_eq!(t.agents(), []);
    assert_eq!(t.say("/project list").await.ok().data("projects")[0]["status"], "inactive");
    t.done().await;
}

/// Neither an answer that takes long, nor what waits behind it, nor a question is idleness.
#[tokio::test]
async fn what_works_or_waits_is_not_stopped() {
    let t = Tester::with(&[], &[("GAGGLE_RUNTIME__IDLE_STOP", "500ms")]).await;
    t.say("/project create demo --env GAGGLE_DEMO_PACE_MS=5").await.ok();
    let long = t.begin("/ask demo say 400 words").await;
    long.text().await;
    let queued = t.begin("use the tool").await;
    queued.state("waiting").await;
    long.end().await.ok().ended_as("done");
    queued.approval().await;
    // Longer than the time after which it would be stopped; looking is not what keeps it.
    let begin = std::time::Instant::now();
    while begin.elapsed().as_millis() < 1_200 {
        t.say("/status").await.ok();
    }
    assert!(t.look(|s| !s.of_run().any(note)), "stopped at work");
    t.in_conversation("elsewhere").say("/approve a1").await.ok();
    queued.end().await.ok().has("allowed this once");
    // Looking at it keeps nothing alive.
    let looking = async {
        loop {
            t.say("/project status demo").await.ok();
        }
    };
    tokio::select! {
        told = t.event("the note", note) => assert_eq!(told["conversation"], "general"),
        () = looking => {}
    }
    t.done().await;
}

#[tokio::test]
async fn starts_wait_in_line() {
    let t = Tester::with(&[], &[("GAGGLE_LIMITS__ACTIVATIONS", "1")]).await;
    let mut begun = Vec::new();
    for n in 0..8 {
        t.say(&format!("/project create p{n}")).await.ok();
    }
    for n in 0..8 {
        begun.push(t.in_conversation(&format!("c{n}")).begin(&format!("/project activate p{n}")).await);
    }
    t.event("a wait", |e| e["step"] == "queue" && e["text"] == "waiting: 2 starts are ahead").await;
    for begun in begun {
        begun.end().await.ok();
    }
    assert_eq!(t.agents().len(), 8);
    t.done().await;
}
