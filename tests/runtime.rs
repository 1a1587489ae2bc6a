//! Stories of the local runtime, with real processes: this test binary is also the agent that they start, and the Gaggle that
//! is killed under it.

mod attached;
mod clone;
mod goose;
mod life;
mod logs;
mod orphans;
mod stand_in;

use std::path::{Path, PathBuf};
use std::time::Duration;

use gaggle::agent::{Endpoint, Protocol};
use gaggle::error::Error;
use gaggle::model::{PersonId, Progress, ProjectId, Settings};
use gaggle::runtime::local::{LocalOptions, LocalRuntime, Program};
use gaggle::runtime::{Identity, Launch, LogQuery, Runtime, RuntimeEvent};
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(20);

struct Rig {
    dir: tempfile::TempDir,
    runtime: LocalRuntime,
}

fn options(dir: &Path) -> LocalOptions {
    let dir = dir.canonicalize().expect("a data folder");
    let mut options = LocalOptions::new(dir, stand_in::program());
    options.backoff = (Duration::from_millis(20), Duration::from_millis(80));
    options.stop_grace = Duration::from_millis(500);
    options.ready_timeout = Duration::from_secs(15);
    options
}

impl Rig {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut LocalOptions)) -> Self {
        let dir = tempfile::tempdir().expect("a data folder");
        let mut options = options(dir.path());
        change(&mut options);
        Self { dir, runtime: LocalRuntime::new(options) }
    }

    fn folder(&self, project: &str) -> PathBuf {
        self.dir.path().canonicalize().expect("a data folder").join("projects").join(project)
    }

    async fn activate(&self, launch: Launch) -> Result<Endpoint, Error> {
        self.runtime.activate(launch, no_steps()).await
    }

    async fn start(&self, launch: Launch) -> String {
        url(&self.activate(launch).await.expect("the agent starts"))
    }

    /// Processes of this data folder, by what the system says.
    fn processes(&self) -> Vec<i32> {
        marked(self.dir.path())
    }
}

fn launch(id: &str) -> Launch {
    Launch {
        project: ProjectId(id.to_owned()),
        name: format!("{id}-name"),
        owner: PersonId("console:ann".to_owned()),
        cluster: None,
        settings: Settings::default(),
        secrets: Vec::new(),
        server_key: SecretString::from("the-server-key"),
    }
}

fn of(project: &ProjectId) -> Identity {
    Identity { project: project.clone(), ..launch(&project.0).identity() }
}

/// A launch of a stand-in that behaves as told.
fn launch_with(id: &str, behaviour: &str) -> Launch {
    let mut launch = launch(id);
    launch.settings.env.push(format!("STAND_IN={behaviour}").parse().expect("a variable"));
    launch
}

fn secret(name: &str, value: &str) -> (String, SecretString) {
    (name.to_owned(), SecretString::from(value))
}

fn no_steps() -> mpsc::Sender<Progress> {
    mpsc::channel(1).0
}

fn url(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Http { url, .. } => url.clone(),
        Endpoint::Stdio(_) => panic!("no HTTP endpoint"),
    }
}

fn failed(result: Result<Endpoint, Error>) -> String {
    match result {
        Err(Error::Failed(sentence)) => sentence,
        other => panic!("no failure but {other:?}"),
    }
}

/// Living processes that carry the marker of a data folder: what the runtime finds, found in another way.
fn marked(data_dir: &Path) -> Vec<i32> {
    let marker = format!("GAGGLE_AGENT={}#", data_dir.canonicalize().expect("a data folder").display());
    let mut pids: Vec<i32> = std::fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| environ(*pid).iter().any(|variable| variable.starts_with(&marker)))
        .collect();
    pids.sort_unstable();
    pids
}

fn environ(pid: i32) -> Vec<String> {
    let text = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    text.split(|b| *b == 0).filter(|v| !v.is_empty()).map(|v| String::from_utf8_lossy(v).into_owned()).collect()
}

/// Whether a process runs; one that only waits to be reaped does not.
fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is ours");
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

async fn next<T>(what: &str, receiver: &mut mpsc::Receiver<T>) -> T {
    timeout(PATIENCE, receiver.recv()).await.unwrap_or_else(|_| panic!("in vain: {what}")).expect("not closed")
}

async fn restarted(events: &mut mpsc::Receiver<RuntimeEvent>) -> String {
    match next("a crash", events).await {
        RuntimeEvent::Crashed { .. } => {}
        other => panic!("not a crash but {other:?}"),
    }
    match next("a restart", events).await {
        RuntimeEvent::Restarted { endpoint, .. } => url(&endpoint),
        other => panic!("not a restart but {other:?}"),
    }
}
