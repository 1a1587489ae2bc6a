//! The program is killed at many random moments of a busy story, and each time started again on what it left.
//!
//! What has to be true in the end: each message has one answer and was put to its agent at most once; what the store says of
//! projects is what runs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::restart::prompts;
use crate::support::llm::words;
use crate::support::storm::Random;
use crate::support::tester::Tester;

const KILLS: usize = 50;
/// An agent whose question was read by a program that died before it kept it waits for ever.
const STUCK: Duration = Duration::from_secs(5);
const PLACES: [&str; 4] = ["general", "c1", "c2", "c3"];

#[tokio::test]
async fn at_random_moments() {
    let mut random = Random::seeded();
    let mut t = Tester::start().await;
    for name in ["slow", "fast"] {
        let pace = if name == "slow" { 3 } else { 0 };
        t.say(&format!("/project create {name} --env GAGGLE_DEMO_PACE_MS={pace}")).await.ok();
    }
    // Everybody of them has a thread from the start, so that a plain message is one.
    for place in PLACES {
        t.in_conversation(place).say("/ask fast say 1 word").await.ok();
    }
    let mut number = 0;
    let began = Instant::now();
    let mut stuck = 0;
    for kill in 0..KILLS {
        for _ in 0..1 + random.below(5) {
            number += 1;
            let place = t.in_conversation(PLACES[random.below(4) as usize]);
            let project = ["slow", "fast", "brief"][random.below(3) as usize];
            let count = 1 + random.below(150);
            match random.below(12) {
                0..3 => place.begin(&format!("/ask {project} say {count} words m{number}")).await,
                3..6 => place.begin(&format!("say {count} words m{number}")).await,
                6 => place.begin(&format!("/ask {project} use the tool and say {count} words m{number}")).await,
                7 => place.begin("/project create brief").await,
                8 => place.begin("/project delete brief --yes").await,
                9 => {
                    place
                        .begin(
                            ["/project activate slow", "/project restart fast", "/project deactivate slow"]
                                [random.below(3) as usize],
                        )
                        .await
                }
                10 => place.begin("/session stop").await,
                _ => place.begin("/approve").await,
            };
        }
        let moment = random.below(120) as usize;
        let come = t.until("the moment of the kill, or nothing left to come", |s| {
            let open = s.inputs.iter().any(|i| i.run == s.run && i.ended.is_none());
            (s.of_run().count() > moment || !open).then_some(())
        });
        // What waits for an approval does not come.
        let _ = tokio::time::timeout(Duration::from_millis(500), come).await;
        t.kill().await;
        t.launch();
        t.ready().await;
        // Sometimes the next kill comes while the last one is still being mended.
        if random.below(3) == 0 || kill + 1 == KILLS {
            stuck += settle(&t).await;
            agree(&t).await;
        }
    }
    eprintln!("{KILLS} kills in {:?}", began.elapsed());
    assert!(stuck <= KILLS / 20, "{stuck} turns had to be stopped");
    answered_once(&t).await;
    let lost =
        t.look(|s| s.events.iter().filter(|e| e.event["reason"].as_str().is_some_and(|r| r.contains("lost on the way"))).count());
    eprintln!("{lost} answers were not found again");
    t.lenient();
    t.done().await;
}

/// Answers what asks until nothing is being answered any more. Returns how many had to be stopped for that.
async fn settle(t: &Tester) -> usize {
    let place = t.in_conversation("settle");
    let mut answered = HashSet::new();
    let mut stopped = 0;
    let mut calm = Instant::now();
    loop {
        let turns = place.say("/status").await.ok().data("status")["turns"].clone();
        if turns["running"] == 0 && turns["waiting"] == 0 {
            return stopped;
        }
        let (open, asks) = t.look(|s| {
            let open: Vec<_> = s.turns.values().filter(|t| t.last.is_none() && t.in_run(s.run)).collect();
            let asks = open.iter().flat_map(|t| t.open_approvals()).find(|a| !answered.contains(a));
            (open.iter().map(|t| t.session.clone()).collect::<Vec<_>>(), asks)
        });
        if let Some(approval) = asks {
            place.say(&format!("/approve {approval}")).await;
            answered.insert(approval);
            calm = Instant::now();
        } else if calm.elapsed() > STUCK {
            eprintln!("stuck: {open:?}");
            for session in open {
                stopped += usize::from(place.say(&format!("/session stop {session}")).await.ok);
            }
            calm = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What is told of projects is what runs.
async fn agree(t: &Tester) {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let projects = t.in_conversation("agree").say("/project list").await.ok().data("projects");
        let mut told: Vec<&str> = Vec::new();
        let mut calm = true;
        for project in projects.as_array().unwrap() {
            match project["status"].as_str().unwrap() {
                "active" => told.push(project["id"].as_str().unwrap()),
                "inactive" => {}
                _ => calm = false,
            }
        }
        told.sort_unstable();
        let mut run: Vec<String> = t.agents().into_iter().map(|(_, project)| project).collect();
        run.sort();
        if calm && told == run {
            return;
        }
        assert!(Instant::now() < end, "{projects} but {run:?} run");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn answered_once(t: &Tester) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for prompt in prompts(t).into_iter().filter(|p| p.contains(" m")) {
        *counts.entry(prompt).or_default() += 1;
    }
    assert!(counts.values().all(|n| *n == 1), "asked twice: {counts:?}");
    // The store's own word.
    let mut turns: BTreeMap<String, Value> = BTreeMap::new();
    for project in ["slow", "fast", "brief"] {
        let sessions = t.in_conversation("look").say(&format!("/session list {project}")).await.data("sessions");
        for session in sessions.as_array().into_iter().flatten() {
            let id = session["session"].as_str().unwrap();
            let shown = t.in_conversation("look").say(&format!("/session show {id}")).await.ok().data("turns");
            for turn in shown.as_array().unwrap() {
                turns.insert(turn["turn"].as_str().unwrap().to_owned(), turn.clone());
            }
        }
    }
    let mut messages = HashSet::new();
    let (mut done, mut unseen) = (0, 0);
    for turn in turns.values() {
        let (message, state) = (turn["message"].as_str().unwrap(), turn["state"].as_str().unwrap());
        assert!(["done", "stopped", "interrupted", "failed"].contains(&state), "{turn}");
        if message.contains(" m") {
            assert!(messages.insert(message.to_owned()), "two turns for {message}");
        }
        if state == "done" {
            done += 1;
            if message.contains(" m") {
                assert_eq!(counts.get(message), Some(&1), "answered without being asked: {turn}");
            }
            let count = message.split_whitespace().skip_while(|w| *w != "say").nth(1).unwrap().parse().unwrap();
            assert_eq!(turn["text"].as_str().unwrap().trim_start(), words(count), "{turn}");
        }
    }
    t.look(|s| {
        for (id, seen) in &s.turns {
            match (&seen.last, turns.get(id)) {
                (Some(last), Some(kept)) => assert_eq!((&last["state"], &last["text"]), (&kept["state"], &kept["text"]), "{id}"),
                // Its project was deleted.
                (_, None) => {}
                // Durable, and killed before it was told.
                (None, Some(_)) => unseen += 1,
            }
        }
    });
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for turn in turns.values() {
        *states.entry(turn["state"].as_str().unwrap()).or_default() += 1;
        if let Some(reason) = turn["reason"].as_str() {
            *states.entry(reason).or_default() += 1;
        }
    }
    eprintln!("{states:?}; {unseen} ended in the moment of a kill");
    assert!(done > KILLS / 4, "too little was answered: {done}");
}
