//! What is found after Gaggle was killed.

use super::stand_in::{killed_owner, pid};
use super::*;

fn adopter(dir: &Path) -> LocalRuntime {
    LocalRuntime::new(options(dir))
}

#[tokio::test]
async fn a_killed_gaggles_agents_are_taken_over_or_ended() {
    let (mine, other) = (tempfile::tempdir().expect("a folder"), Rig::new());
    let others = other.start(launch("alpha")).await;
    let urls = killed_owner(mine.path(), "alpha beta gamma", &[]).await;
    let (alpha, beta, gamma) = (pid(&urls[0]).await, pid(&urls[1]).await, pid(&urls[2]).await);
    let mut bare = Vec::new();
    for url in &urls[..2] {
        stand_in::ask(url, "/stray").await;
        bare.push(stand_in::ask(url, "/bare").await.parse().expect("a process"));
    }
    until("their environment is empty", || bare.iter().all(|pid| environ(*pid).is_empty())).await;
    until("the strays run", || marked(mine.path()).len() >= 5).await;
    // Gamma crashed while nobody looked, and its child was left.
    stand_in::ask(&urls[2], "/stray").await;
    kill(gamma);

    let runtime = adopter(mine.path());
    let mut events = runtime.events().expect("not taken yet");
    let began = Instant::now();
    let adopted = runtime.adopt(vec![launch("alpha"), launch("gamma"), launch("delta")]).await.expect("it looks");
    let took = began.elapsed();
    assert_eq!(adopted.len(), 1, "{adopted:?}");
    assert_eq!(adopted[0].0, ProjectId::from("alpha"));
    assert_eq!(url(&adopted[0].1), urls[0]);
    assert!(took < Duration::from_secs(1), "{took:?}");
    let left = marked(mine.path());
    assert!(left.contains(&alpha), "it runs on");
    assert!(!left.contains(&beta), "not wanted");
    assert_eq!(left.len(), 2, "alpha and its child: {left:?}");
    assert!(alive(bare[0]) && !alive(bare[1]), "a child without a marker goes with its parent");
    assert_eq!(stand_in::ask(&others, "/health").await, "ok", "another data folder's agent is not touched");

    // From here on it is like any other.
    assert_eq!(url(&runtime.activate(launch("alpha"), no_steps()).await.expect("it runs")), urls[0]);
    kill(alpha);
    let again = restarted(&mut events).await;
    assert_eq!(marked(mine.path()), [pid(&again).await], "its child is gone with it");
    // The one child that nothing tells of any more, once its parent is dead.
    kill(bare[0]);
    runtime.deactivate(&of(&ProjectId::from("alpha")), no_steps()).await.expect("it stops");
    assert_eq!(marked(mine.path()), [0; 0]);
    assert_eq!(stand_in::ask(&others, "/health").await, "ok");
}

#[tokio::test]
async fn an_adopted_agent_is_stopped_and_followed() {
    let dir = tempfile::tempdir().expect("a folder");
    let urls = killed_owner(dir.path(), "alpha", &[]).await;
    let mut options = options(dir.path());
    options.stop_grace = Duration::from_secs(60);
    let runtime = LocalRuntime::new(options);
    let project = ProjectId::from("alpha");
    runtime.adopt(vec![launch("alpha")]).await.expect("it looks");
    let mut lines = runtime.logs(&of(&project), LogQuery::follow(1)).await.expect("logs");
    stand_in::ask(&urls[0], "/say/still-here").await;
    while next("the line", &mut lines).await != "still-here" {}
    let began = Instant::now();
    runtime.shutdown().await;
    assert!(began.elapsed() < Duration::from_secs(30), "its end was noticed at once");
    assert_eq!(marked(dir.path()), [0; 0]);
    while timeout(PATIENCE, lines.recv()).await.expect("the log ends with the project").is_some() {}
}

#[tokio::test]
async fn an_agent_that_does_not_answer_is_not_taken_over() {
    let dir = tempfile::tempdir().expect("a folder");
    let urls = killed_owner(dir.path(), "alpha", &[]).await;
    let alpha = pid(&urls[0]).await;
    rustix::process::kill_process(rustix::process::Pid::from_raw(alpha).expect("a process"), rustix::process::Signal::STOP)
        .expect("it is ours");
    // Each thread for itself: one that was not stopped yet could still answer.
    until("it stands still", || {
        let threads = std::fs::read_dir(format!("/proc/{alpha}/task")).expect("it is there").flatten();
        threads.map(|thread| std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default()).all(|s| s.contains(") T "))
    })
    .await;
    let runtime = adopter(dir.path());
    assert!(runtime.adopt(vec![launch("alpha")]).await.expect("it looks").is_empty());
    assert_eq!(marked(dir.path()), [0; 0]);
    // Nor one whose record speaks of another process.
    let urls = killed_owner(dir.path(), "alpha", &[]).await;
    let record = dir.path().join("projects/alpha/run.json");
    let text = std::fs::read_to_string(&record).expect("a record");
    let alpha = pid(&urls[0]).await;
    std::fs::write(&record, text.replace(&alpha.to_string(), &std::process::id().to_string())).expect("ours");
    assert!(runtime.adopt(vec![launch("alpha")]).await.expect("it looks").is_empty());
    assert_eq!(marked(dir.path()), [0; 0]);
}

#[tokio::test]
async fn agents_on_pipes_end_with_their_gaggle() {
    let dir = tempfile::tempdir().expect("a folder");
    killed_owner(dir.path(), "alpha", &[("OWNER_PIPES", "1")]).await;
    let mut options = options(dir.path());
    options.program = stand_in::piped();
    let runtime = LocalRuntime::new(options);
    assert!(runtime.adopt(vec![launch("alpha")]).await.expect("it looks").is_empty());
    assert_eq!(marked(dir.path()), [0; 0]);
}

/// How long the look takes on a machine with many processes. Only measured: other tests run beside it.
#[tokio::test]
async fn looking_is_cheap() {
    let rig = Rig::new();
    let sleepers: Vec<_> = (0..300)
        .map(|_| tokio::process::Command::new("sleep").arg("100").kill_on_drop(true).spawn().expect("it is installed"))
        .collect();
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        rig.runtime.adopt(Vec::new()).await.expect("it looks");
        best = best.min(began.elapsed());
    }
    drop(sleepers);
    eprintln!("looking through 300 more processes took {best:?}");
}
