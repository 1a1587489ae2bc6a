//! Starting, stopping, crashing, failing.

use std::os::unix::fs::PermissionsExt;

use gaggle::model::StepState;

use super::*;

#[tokio::test]
async fn an_agent_starts_once_and_ends_with_all_that_it_started() {
    let rig = Rig::new();
    let (steps, mut shown) = mpsc::channel(100);
    let endpoint = rig.runtime.activate(launch("alpha"), steps).await.expect("the agent starts");
    let url = url(&endpoint);
    assert_eq!(stand_in::ask(&url, "/health").await, "ok");
    let mut seen = Vec::new();
    while let Some(step) = shown.recv().await {
        seen.push((step.step, step.state));
    }
    let step = |step: &str, state| (step.to_owned(), state);
    assert_eq!(
        seen,
        [
            step("folder", StepState::Running),
            step("folder", StepState::Done),
            step("start", StepState::Running),
            step("start", StepState::Done),
            step("ready", StepState::Running),
            step("ready", StepState::Done),
        ]
    );
    let Endpoint::Http { key, protocol, .. } = endpoint else { panic!("not HTTP") };
    assert!(key.is_some());
    assert_eq!(protocol, Protocol::Acp);

    assert_eq!(rig.start(launch("alpha")).await, url, "a second activation finds it running");
    let project = ProjectId::from("alpha");
    assert_eq!(rig.runtime.endpoint(&project).await.map(|e| e.shown()), Some(url.clone()));
    let mut children = Vec::new();
    for child in ["/child", "/stray"] {
        children.push(stand_in::ask(&url, child).await.parse().expect("a process"));
    }
    until("its children run", || children.iter().all(|child| rig.processes().contains(child))).await;

    rig.runtime.deactivate(&of(&project), no_steps()).await.expect("it stops");
    assert_eq!(rig.processes(), [0; 0]);
    assert!(!children.into_iter().any(alive));
    assert!(rig.runtime.endpoint(&project).await.is_none());
    rig.runtime.deactivate(&of(&project), no_steps()).await.expect("stopping what does not run succeeds");
    assert!(rig.folder("alpha").join("work").is_dir(), "files stay");
}

#[tokio::test]
async fn two_activations_at_once_start_one_agent() {
    let rig = Rig::new();
    let (a, b) = tokio::join!(rig.start(launch("alpha")), rig.start(launch("alpha")));
    assert_eq!(a, b);
    assert_eq!(rig.processes().len(), 1);
    rig.runtime.shutdown().await;
    assert!(matches!(rig.activate(launch("alpha")).await, Err(Error::Refused(_))), "nothing starts any more");
}

#[tokio::test]
async fn the_environment_is_exactly_what_it_ought_to_be() {
    let rig = Rig::with(|options| {
        options.env = vec![
            ("A".to_owned(), "agent".to_owned()),
            ("B".to_owned(), "agent".to_owned()),
            ("GOOSE_MODE".to_owned(), "auto".to_owned()),
            ("GOOSE_MODEL".to_owned(), "operators".to_owned()),
            ("USER_ID".to_owned(), "root".to_owned()),
        ];
    });
    let mut launch = launch("alpha");
    launch.settings.model = Some("gpt-x".to_owned());
    for var in ["B=settings", "C=settings", "PROJECT_ID=other", "GAGGLE_AGENT=none"] {
        launch.settings.env.push(var.parse().expect("a variable"));
    }
    launch.secrets = vec![secret("C", "the secret"), secret("GOOSE_SERVER__SECRET_KEY", "mine")];
    let url = rig.start(launch).await;
    let folder = rig.folder("alpha");
    let mut env: Vec<String> = environ(stand_in::pid(&url).await);
    let marker = env.iter().position(|variable| variable.starts_with("GAGGLE_AGENT=")).expect("a marker");
    let marker = env.remove(marker);
    let data_dir = rig.dir.path().canonicalize().expect("a data folder");
    assert!(marker.starts_with(&format!("GAGGLE_AGENT={}#alpha#", data_dir.display())), "{marker}");
    let mut expected = vec![
        "A=agent".to_owned(),
        "B=settings".to_owned(),
        "C=the secret".to_owned(),
        format!("HOME={}", folder.join("home").display()),
        format!("GOOSE_PATH_ROOT={}", folder.join("state").display()),
        "GOOSE_DISABLE_KEYRING=1".to_owned(),
        "GOOSE_MODE=auto".to_owned(),
        "GOOSE_MODEL=gpt-x".to_owned(),
        "GOOSE_SERVER__SECRET_KEY=the-server-key".to_owned(),
        "PROJECT_ID=alpha".to_owned(),
        "USER_ID=console:ann".to_owned(),
    ];
    for inherited in ["PATH", "LANG", "TZ"] {
        expected.extend(std::env::var(inherited).map(|value| format!("{inherited}={value}")));
    }
    env.sort();
    expected.sort();
    assert_eq!(env, expected);
    for (path, mode) in
        [("", 0o700), ("work", 0o700), ("state", 0o700), ("home", 0o700), ("agent.log", 0o600), ("run.json", 0o600)]
    {
        let found = std::fs::metadata(folder.join(path)).expect(path).permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}: {found:o}");
    }
}

#[tokio::test]
async fn a_crash_is_noticed_and_mended() {
    let rig = Rig::new();
    let mut events = rig.runtime.events().expect("not taken yet");
    assert!(rig.runtime.events().is_none(), "taken once");
    let url = rig.start(launch("alpha")).await;
    stand_in::ask(&url, "/stray").await;
    let pid = stand_in::pid(&url).await;
    kill(pid);
    let again = restarted(&mut events).await;
    let new = stand_in::pid(&again).await;
    assert_ne!(pid, new);
    assert_eq!(rig.processes(), [new], "what the dead one had started is gone");
    assert_eq!(rig.start(launch("alpha")).await, again);
    rig.runtime.deactivate(&of(&ProjectId::from("alpha")), no_steps()).await.expect("it stops");
    assert_eq!(rig.processes(), [0; 0]);
}

#[tokio::test]
async fn five_failures_in_a_row_are_enough() {
    let rig = Rig::new();
    let mut events = rig.runtime.events().expect("not taken yet");
    let mut launch = launch_with("alpha", "once");
    launch.secrets = vec![secret("API_KEY", "hunter2hunter2")];
    let url = rig.start(launch.clone()).await;
    stand_in::ask(&url, "/exit/7").await;
    let mut crashes = Vec::new();
    let reason = loop {
        match next("an end", &mut events).await {
            RuntimeEvent::Crashed { reason, .. } => crashes.push(reason),
            RuntimeEvent::Failed { reason, .. } => break reason,
            other => panic!("it cannot restart: {other:?}"),
        }
    };
    assert_eq!(crashes[0], "The agent ended with exit code 7.");
    assert_eq!(crashes[1..], ["The agent ended with exit code 4 before it was ready."; 3]);
    assert!(reason.starts_with("The agent ended 5 times in a row; the last time it ended with exit code 4"), "{reason}");
    assert!(reason.contains("not a second time, [redacted]"), "{reason}");
    assert!(!reason.contains("hunter2"), "{reason}");
    let project = ProjectId::from("alpha");
    until("it is over", || rig.processes().is_empty()).await;
    assert!(rig.runtime.endpoint(&project).await.is_none());
    std::fs::remove_file(rig.folder("alpha").join("work/started")).expect("it was there");
    rig.start(launch).await;
}

#[tokio::test]
async fn a_start_that_fails_leaves_nothing_and_says_why() {
    let rig = Rig::new();
    let mut failing = launch_with("alpha", "fail");
    failing.secrets = vec![secret("API_KEY", "hunter2hunter2")];
    let sentence = failed(rig.activate(failing).await);
    let expected = "The agent of `alpha-name` ended with exit code 3 before it was ready. It wrote last:\n```\n";
    assert!(sentence.starts_with(expected), "{sentence}");
    assert!(sentence.contains("the key is [redacted]\ncannot go on\n```\nLook at `/project logs alpha-name`"), "{sentence}");
    assert_eq!(rig.processes(), [0; 0]);
    rig.start(launch("alpha")).await;

    let rig = Rig::with(|options| options.ready_timeout = Duration::from_millis(1_500));
    let sentence = failed(rig.activate(launch_with("beta", "deaf")).await);
    assert!(sentence.contains("did not answer within 1 s"), "{sentence}");
    assert_eq!(rig.processes(), [0; 0]);

    let rig = Rig::with(|options| {
        options.program = Program::Stdio { command: "no-such-program".into(), args: Vec::new() };
    });
    let sentence = failed(rig.activate(launch("gamma")).await);
    assert!(sentence.contains("there is no program `no-such-program`"), "{sentence}");
    assert!(rig.runtime.health().await.iter().any(|fact| fact.what == "agent" && fact.fault.is_some()));
}

#[tokio::test]
async fn another_port_is_tried_when_one_is_taken() {
    let rig = Rig::new();
    rig.start(launch_with("alpha", "taken")).await;
    assert!(rig.folder("alpha").join("work/tried").exists());
}

#[tokio::test]
async fn a_start_can_be_stopped_or_abandoned() {
    let rig = Rig::new();
    let project = ProjectId::from("alpha");
    let (result, ()) = tokio::join!(rig.activate(launch_with("alpha", "deaf")), async {
        until("it starts", || rig.processes().len() == 1).await;
        rig.runtime.deactivate(&of(&project), no_steps()).await.expect("it stops");
        assert_eq!(rig.processes(), [0; 0]);
    });
    assert!(matches!(result, Err(Error::Refused(_))), "{result:?}");

    let abandoned = rig.activate(launch_with("alpha", "deaf"));
    tokio::select! {
        _ = abandoned => panic!("it is deaf"),
        () = until("it starts", || rig.processes().len() == 1) => {}
    }
    until("what was begun is taken back", || rig.processes().is_empty()).await;
    rig.start(launch("alpha")).await;
}

#[tokio::test]
async fn an_agent_that_does_not_end_when_asked_is_made_to() {
    let rig = Rig::new();
    rig.start(launch_with("alpha", "stubborn")).await;
    let began = Instant::now();
    rig.runtime.shutdown().await;
    assert_eq!(rig.processes(), [0; 0]);
    assert!(began.elapsed() >= Duration::from_millis(500), "it had its grace");
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn an_agent_on_pipes() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let rig = Rig::with(|options| options.program = stand_in::piped());
    let Endpoint::Stdio(pipes) = rig.activate(launch("alpha")).await.expect("it starts") else { panic!("no pipes") };
    let (mut input, mut output) = pipes.take().await.expect("not taken yet");
    input.write_all(b"hello ").await.expect("it reads");
    let mut said = String::new();
    let mut piece = [0; 100];
    while !said.contains("hello hello ") {
        let length = timeout(PATIENCE, output.read(&mut piece)).await.expect("it answers").expect("it writes");
        assert!(length > 0, "it ended");
        said.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    assert!(!environ(rig.processes()[0]).iter().any(|variable| variable.starts_with("GOOSE_SERVER__SECRET_KEY")));
    let mut events = rig.runtime.events().expect("not taken yet");
    drop((input, output));
    assert!(matches!(next("its end", &mut events).await, RuntimeEvent::Crashed { .. }));
    match next("a new one", &mut events).await {
        RuntimeEvent::Restarted { endpoint: Endpoint::Stdio(pipes), .. } => assert!(pipes.take().await.is_some()),
        other => panic!("not new pipes but {other:?}"),
    }
    rig.runtime.shutdown().await;
}

#[tokio::test]
async fn a_deletion_removes_what_the_agent_locked() {
    let rig = Rig::new();
    let project = ProjectId::from("alpha");
    rig.start(launch("alpha")).await;
    let work = rig.folder("alpha").join("work");
    let outside = rig.dir.path().join("outside");
    std::fs::create_dir_all(work.join("locked/deep")).expect("a folder");
    std::fs::create_dir(&outside).expect("a folder");
    std::fs::write(outside.join("precious"), b"x").expect("a file");
    std::os::unix::fs::symlink(&outside, work.join("link")).expect("a link");
    std::fs::write(work.join("locked/deep/file"), b"x").expect("a file");
    for path in ["locked/deep", "locked"] {
        std::fs::set_permissions(work.join(path), std::fs::Permissions::from_mode(0o500)).expect("ours");
    }
    rig.runtime.delete(&of(&project), true, no_steps()).await.expect("it is deleted");
    let left: Vec<_> = std::fs::read_dir(rig.folder("alpha")).expect("it stays").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["work"]);
    assert!(work.join("locked/deep/file").exists());
    rig.runtime.delete(&of(&project), false, no_steps()).await.expect("it is deleted");
    assert!(!rig.folder("alpha").exists());
    assert!(outside.join("precious").exists());
    assert_eq!(rig.processes(), [0; 0]);
    rig.runtime.delete(&of(&project), false, no_steps()).await.expect("deleting what is not there succeeds");
}
