//! The same life with the real Goose, where `GAGGLE_TEST_GOOSE` names one.

use super::*;

#[tokio::test]
async fn goose_lives_like_any_other() {
    let Some(goose) = crate::support::goose::binary("the life of a real Goose") else {
        return;
    };
    let args = ["serve", "--host", "{host}", "--port", "{port}"].map(str::to_owned).to_vec();
    let rig = Rig::with(|options| {
        options.program = Program::Http { command: goose, args, protocol: Protocol::Acp };
    });
    let facts = rig.runtime.health().await;
    assert!(facts.iter().all(|fact| fact.fault.is_none()), "{facts:?}");
    let mut events = rig.runtime.events().expect("not taken yet");
    let began = Instant::now();
    rig.start(launch("alpha")).await;
    eprintln!("goose was ready after {:?}", began.elapsed());
    let pids = rig.processes();
    assert_eq!(pids.len(), 1);
    kill(pids[0]);
    restarted(&mut events).await;
    assert!(rig.folder("alpha").join("state").read_dir().expect("its state").next().is_some(), "it keeps its state here");
    rig.runtime.shutdown().await;
    assert_eq!(rig.processes(), [0; 0]);
}
