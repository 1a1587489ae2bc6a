//! What becomes of what was under way when the program is ended or killed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::support::llm::words;
use crate::support::storm::Random;
use crate::support::tester::{State, Tester};

/// A project whose agent takes `pace` milliseconds for a word.
pub async fn slow(t: &Tester, name: &str, pace: u32) {
    t.say(&format!("/project create {name} --env GAGGLE_DEMO_PACE_MS={pace}")).await.ok();
    t.say(&format!("/project activate {name}")).await.ok();
}

/// What the demo agents were asked, in all sessions that they still have.
pub fn prompts(t: &Tester) -> Vec<String> {
    let mut found = Vec::new();
    for project in std::fs::read_dir(t.data().join("projects")).into_iter().flatten().flatten() {
        for file in std::fs::read_dir(project.path().join("state/sessions")).into_iter().flatten().flatten() {
            if file.path().extension().is_none_or(|e| e != "json") {
                continue;
            }
            let Ok(bytes) = std::fs::read(file.path()) else { continue };
            let record: Value = serde_json::from_slice(&bytes).expect("a session");
            let users = record["entries"].as_array().into_iter().flatten().filter(|e| e["kind"] == "user");
            found.extend(users.map(|e| e["text"].as_str().unwrap().to_owned()));
        }
    }
    found.sort();
    found
}

async fn last(t: &Tester, turn: &str) -> Value {
    t.until(&format!("the last state of {turn}"), |s: &State| s.turns[turn].last.clone()).await
}

#[tokio::test]
async fn an_answer_goes_on_after_a_kill() {
    let mut t = Tester::start().await;
    slow(&t, "demo", 5).await;
    let asked = t.begin("/ask demo say 400 words").await;
    let turn = asked.turn().await;
    asked.text().await;
    let agents = t.agents();
    t.restart().await;
    assert_eq!(t.agents(), agents, "the agent was taken over");
    let last = last(&t, &turn).await;
    assert_eq!(last["state"], "done", "{last}");
    assert_eq!(last["text"].as_str().unwrap(), words(400));
    assert_eq!(prompts(&t), ["say 400 words"]);
    let projects = t.say("/project list").await.ok().data("projects");
    assert_eq!(projects[0]["status"], "active");
    // The thread is where it was.
    t.say("say 2 words").await.ok().ended_as("done");
    t.done().await;
}

/// The agent has stopped, and the program did not live to say so: what was said until then is not the whole answer.
#[tokio::test]
async fn stopped_in_the_moment_of_a_kill() {
    let mut random = Random::seeded();
    let mut t = Tester::start().await;
    slow(&t, "demo", 1).await;
    let mut ends = BTreeMap::new();
    for _ in 0..15 {
        let asked = t.begin("/ask demo say 300 words").await;
        let turn = asked.turn().await;
        asked.text().await;
        let session = t.look(|s| s.turns[&turn].session.clone());
        let stop = t.begin(&format!("/session stop {session}")).await;
        let moment = Duration::from_micros(random.below(12_000));
        let _ = tokio::time::timeout(moment, stop.end()).await;
        t.restart().await;
        // What was durable in the moment of the kill is not told again.
        let (state, text) = loop {
            let shown = t.say(&format!("/session show {session}")).await.ok().data("turns")[0].clone();
            let state = shown["state"].as_str().unwrap().to_owned();
            if !["waiting", "working"].contains(&state.as_str()) {
                break (state, shown["text"].clone());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert!(state != "done" || text.as_str() == Some(&words(300)), "{text}");
        *ends.entry(state).or_insert(0) += 1;
    }
    eprintln!("{ends:?}");
    t.lenient();
    t.done().await;
}

/// The agent was done while nobody read: its whole answer is told after the restart.
#[tokio::test]
async fn an_answer_that_ended_meanwhile() {
    let mut t = Tester::start().await;
    slow(&t, "demo", 1).await;
    let asked = t.begin("/ask demo say 200 words").await;
    let turn = asked.turn().await;
    asked.text().await;
    t.kill().await;
    let answered = async {
        let files = || {
            std::fs::read_dir(t.data().join("projects"))
                .unwrap()
                .flatten()
                .flat_map(|p| std::fs::read_dir(p.path().join("state/sessions")).unwrap().flatten())
        };
        while !files().any(|f| std::fs::read_to_string(f.path()).is_ok_and(|text| text.contains("w200"))) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), answered).await.expect("the agent goes on alone");
    t.launch();
    t.ready().await;
    let last = last(&t, &turn).await;
    assert_eq!((last["state"].as_str(), last["text"].as_str()), (Some("done"), Some(words(200).as_str())), "{last}");
    t.done().await;
}

#[tokio::test]
async fn killed_again_and_again() {
    let mut t = Tester::start().await;
    slow(&t, "demo", 5).await;
    let turn = t.begin("/ask demo say 500 words").await.turn().await;
    for _ in 0..4 {
        t.event("text or an end", |e| e["turn"] == turn.as_str() && (e["type"] != "turn" || e["state"] == "working")).await;
        t.restart().await;
    }
    let last = last(&t, &turn).await;
    assert_eq!(last["state"], "done", "{last}");
    assert_eq!(last["text"].as_str().unwrap(), words(500));
    t.done().await;
}

#[tokio::test]
async fn what_waits_is_answered_once_after_a_kill() {
    let mut t = Tester::start().await;
    slow(&t, "demo", 5).await;
    let first = t.begin("/ask demo say 300 words").await;
    let mut turns = vec![first.turn().await];
    first.text().await;
    for n in 2..=4 {
        turns.push(t.begin(&format!("say {n} words")).await.turn().await);
    }
    t.restart().await;
    let mut order = Vec::new();
    for (turn, n) in turns.iter().zip([300, 2, 3, 4]) {
        let last = last(&t, turn).await;
        assert_eq!((last["state"].as_str(), last["text"].as_str()), (Some("done"), Some(words(n).as_str())), "{last}");
        order.push(t.look(|s| s.events.iter().position(|e| e.event["turn"] == turn.as_str() && e.event["state"] == "done")));
    }
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(prompts(&t), ["say 2 words", "say 3 words", "say 300 words", "say 4 words"]);
    t.done().await;
}

#[tokio::test]
async fn an_approval_is_still_open_after_a_kill() {
    let mut t = Tester::start().await;
    slow(&t, "demo", 1).await;
    let asked = t.begin("/ask demo use the tool").await;
    let (turn, approval) = (asked.turn().await, asked.approval().await);
    asked.state("waiting").await;
    t.restart().await;
    t.event("the approval again", |e| e["type"] == "approval" && e["approval"] == approval.as_str()).await;
    let open = t.say("/approval list").await.ok().data("approvals");
    assert_eq!(open[0]["approval"], approval.as_str(), "{open}");
    t.say("/approve").await.ok();
    let last = last(&t, &turn).await;
    assert_eq!(last["state"], "done", "{last}");
    assert!(last["text"].as_str().unwrap().contains("allowed this once"), "{last}");
    t.done().await;
}

#[tokio::test]
async fn an_answer_without_its_agent_is_interrupted() {
    let mut t = Tester::start().await;
    slow(&t, "demo", 5).await;
    let asked = t.begin("/ask demo say 300 words").await;
    let turn = asked.turn().await;
    asked.text().await;
    let agent = t.agents()[0].0;
    t.kill().await;
    rustix::process::kill_process(rustix::process::Pid::from_raw(agent).unwrap(), rustix::process::Signal::KILL).unwrap();
    t.launch();
    t.ready().await;
    let last = last(&t, &turn).await;
    assert_eq!(last["state"], "interrupted", "{last}");
    assert!(words(300).starts_with(last["text"].as_str().unwrap()), "{last}");
    assert_eq!(t.say("/project list").await.ok().data("projects")[0]["status"], "inactive");
    assert_eq!(t.agents(), []);
    t.say("/project update demo --env GAGGLE_DEMO_PACE_MS=0").await.ok();
    let again = t.say("/session retry").await.ok().ended_as("done");
    assert_eq!(again.turn()["text"].as_str().unwrap(), words(300));
    t.done().await;
}

#[tokio::test]
async fn an_agent_that_is_killed_is_started_again() {
    let t = Tester::start().await;
    slow(&t, "demo", 5).await;
    let asked = t.begin("/ask demo say 300 words").await;
    asked.text().await;
    let agent = t.agents()[0].0;
    rustix::process::kill_process(rustix::process::Pid::from_raw(agent).unwrap(), rustix::process::Signal::KILL).unwrap();
    asked.end().await.ended_as("interrupted");
    t.say("say 3 words").await.ok().ended_as("done");
    t.done().await;
}

#[tokio::test]
async fn a_deletion_goes_on_after_a_kill() {
    let mut t = Tester::start().await;
    slow(&t, "demo", 5).await;
    slow(&t, "keep", 5).await;
    t.say("/ask demo say 2 words").await.ok();
    let asked = t.begin("/project delete demo --yes").await;
    asked.event("the first step", |e| e["type"] == "progress").await;
    t.restart().await;
    // Whether it went on or had not begun, what is told is true.
    t.until("one agent", |_| (t.agents().len() <= 2).then_some(())).await;
    t.say("/project create other").await.ok();
    let projects = t.say("/project list").await.ok().data("projects");
    let names: Vec<&str> = projects.as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"keep"), "{projects}");
    if let Some(demo) = projects.as_array().unwrap().iter().find(|p| p["name"] == "demo") {
        assert_eq!(demo["status"], "deleting", "{projects}");
        t.say("/project delete demo --yes").await;
    }
    let left = t.agents();
    assert_eq!(left.len(), 1, "{left:?}");
    t.lenient();
    t.done().await;
}

#[tokio::test]
async fn a_start_that_was_cut_off_leaves_no_agent() {
    let mut t = Tester::start().await;
    t.say("/project create demo").await.ok();
    let begun = t.begin("/project activate demo").await;
    begun.event("the start", |e| e["step"] == "start").await;
    t.restart().await;
    let status = t.say("/project list").await.ok().data("projects")[0]["status"].clone();
    assert_eq!((status.as_str(), t.agents().len()), (Some("inactive"), 0));
    let begun = t.begin("/ask demo say 3 words").await;
    let turn = begun.turn().await;
    begun.event("the start", |e| e["step"] == "start").await;
    t.restart().await;
    let last = last(&t, &turn).await;
    assert_eq!((last["state"].as_str(), last["text"].as_str()), (Some("done"), Some("w1 w2 w3")), "{last}");
    assert_eq!(prompts(&t), ["say 3 words"]);
    assert_eq!(t.agents().len(), 1);
    t.done().await;
}

#[tokio::test]
async fn the_end_of_the_input_waits_for_the_work() {
    let mut t = Tester::start().await;
    slow(&t, "demo", 2).await;
    let one = t.begin("/ask demo say 100 words").await.at;
    let two = t.begin("say 3 words").await.at;
    assert_eq!(t.end_input().await.code(), Some(0));
    for (at, n) in [(one, 100), (two, 3)] {
        assert_eq!(t.look(|s| s.said(at)).expect("an end").ok().turn()["text"].as_str().unwrap(), words(n));
    }
    t.done().await;
}

#[tokio::test]
async fn asked_to_end_it_marks_what_it_cuts_off() {
    let mut t = Tester::start().await;
    slow(&t, "demo", 5).await;
    let asked = t.begin("/ask demo say 5000 words").await;
    let turn = asked.turn().await;
    asked.text().await;
    let queued = t.begin("say 3 words").await.turn().await;
    let began = std::time::Instant::now();
    let status = t.terminate().await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(began.elapsed().as_secs() < 8, "{:?}", began.elapsed());
    assert_eq!(t.agents(), []);
    let last_state = t.look(|s| s.turns[&turn].last.clone()).expect("a last state");
    assert_eq!(last_state["state"], "interrupted", "{last_state}");
    t.launch();
    t.ready().await;
    assert!(t.look(|s| s.of_run().all(|e| e["turn"] != turn.as_str())), "told twice");
    let last = last(&t, &queued).await;
    assert_eq!((last["state"].as_str(), last["text"].as_str()), (Some("done"), Some("w1 w2 w3")), "{last}");
    let turns = t.say("/session show").await.ok().data("turns");
    assert_eq!(turns[0]["state"], "interrupted");
    t.done().await;
}

#[tokio::test]
async fn asked_to_end_while_nothing_is_done() {
    let mut t = Tester::start().await;
    slow(&t, "demo", 5).await;
    let began = std::time::Instant::now();
    assert_eq!(t.terminate().await.code(), Some(0));
    assert!(began.elapsed().as_secs() < 4, "{:?}", began.elapsed());
    t.check();
    t.launch();
    t.ready().await;
    assert_eq!(t.say("/project list").await.ok().data("projects")[0]["status"], "inactive");
    t.done().await;
}
