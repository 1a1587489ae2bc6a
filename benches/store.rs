//! The store with a million sessions: durable writes, look-ups, opening again after a kill.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::Instant;

use gaggle::model::{
    Actor, ConversationId, Origin, PersonId, Project, ProjectId, Said, SessionId, Settings, Status, Timestamp, TurnState,
};
use gaggle::store::{Place, Store};

const PROJECTS: usize = 1_000;
const AT_ONCE: usize = 256;

#[tokio::main]
async fn main() {
    let sessions: usize = std::env::var("GAGGLE_BENCH_SESSIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), None).unwrap();
    let person = PersonId("console:ann".into());
    let actor = Actor { surface: "console".into(), id: "ann".into(), name: "ann".into(), groups: Vec::new() };
    let origin = Origin { actor: actor.into(), conversation: ConversationId("console:general".into()), input: None };
    for n in 0..PROJECTS {
        let project = Project {
            id: ProjectId(format!("p{n:09}")),
            owner: person.clone(),
            name: format!("p{n}"),
            status: Status::Inactive,
            reason: None,
            cluster: None,
            settings: Settings::default(),
            created: Timestamp::now(),
            used: Timestamp::now(),
            grants: Vec::new(),
            keep_files: false,
        };
        store.create_project(project).await.unwrap();
    }
    let begin = Instant::now();
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|task| {
            let (store, person, origin) = (store.clone(), person.clone(), origin.clone());
            tokio::spawn(async move {
                for n in (task..sessions).step_by(AT_ONCE) {
                    let place = Place::Thread(ConversationId(format!("console:general#{n}")));
                    let project = ProjectId(format!("p{:09}", n % PROJECTS));
                    let said = Said::new(person.clone(), format!("question {n}"));
                    let (_, mut turn) =
                        store.open_session(&project, format!("session {n}"), place, origin.clone(), said).await.unwrap();
                    turn.state = TurnState::Done;
                    store.close_turn(turn).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    report("durable writes", 2 * sessions, begin);
    println!("{:<28} {:>10.1} MB", "file", store.size().await as f64 / 1e6);

    let begin = Instant::now();
    const LOOKUPS: usize = 20_000;
    for n in 0..LOOKUPS {
        let id = SessionId(1 + (n as u64 * 7_919) % sessions as u64);
        assert!(store.session(id).await.unwrap().is_some());
    }
    report("look-ups of a session", LOOKUPS, begin);
    let begin = Instant::now();
    for n in 0..1_000 {
        let thread = ConversationId(format!("console:general#{}", n * 31 % sessions));
        assert!(store.thread_at(&thread).await.unwrap().is_some());
    }
    report("look-ups of a thread", 1_000, begin);
    let begin = Instant::now();
    for n in 0..100 {
        assert!(!store.sessions_of(&ProjectId(format!("p{n:09}")), 200).await.unwrap().is_empty());
    }
    report("lists of 200 sessions", 100, begin);

    // As after a kill: a copy of the open file.
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(data.path().join("gaggle.redb"), copy.path().join("gaggle.redb")).unwrap();
    let begin = Instant::now();
    let _again = Store::open(copy.path(), None).unwrap();
    println!("{:<28} {:>10.1} ms", "opening after a kill", begin.elapsed().as_secs_f64() * 1e3);
}

fn report(what: &str, count: usize, begin: Instant) {
    let took = begin.elapsed().as_secs_f64();
    println!("{what:<28} {:>10.0} a second   {:>8.1} µs each", count as f64 / took, took * 1e6 / count as f64);
}
