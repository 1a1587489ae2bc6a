//! Runs each project's agent as a supervised process of this machine, in its own folder.
//!
//! Invariant: an agent that runs is found again after any end of Gaggle, by the marker in its environment. Is no wall: the agents
//! have the rights of the user who runs Gaggle.

mod clone;
mod environment;
pub(super) mod folder;
mod log;
mod orphans;
mod process;
mod ready;
mod slot;
mod start;
mod supervisor;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::sync::mpsc;

use self::folder::Folder;
use self::orphans::{Marked, Orphans};
use self::process::Process;
use self::slot::{Slot, Slots};
use self::start::{Shown, Started, Starter};
use self::supervisor::Running;
use super::{Execution, Feature, Health, Identity, Launch, LogQuery, Redactor, Runtime, RuntimeEvent, Steps};
use crate::agent::{Endpoint, Protocol};
use crate::error::{Error, Result, refused};
use crate::model::{ClusterId, ProjectId};

/// The agent's program.
#[derive(Debug, Clone)]
pub enum Program {
    /// A server: `{host}` and `{port}` in its arguments are replaced.
    Http { command: PathBuf, args: Vec<String>, protocol: Protocol },
    /// An agent that speaks ACP on its standard input and output.
    Stdio { command: PathBuf, args: Vec<String> },
}

impl Program {
    fn command(&self) -> &PathBuf {
        match self {
            Program::Http { command, .. } | Program::Stdio { command, .. } => command,
        }
    }

    /// For people.
    fn name(&self) -> String {
        let demo = match self {
            Program::Http { args, .. } | Program::Stdio { args, .. } => args.first().is_some_and(|a| a == "demo-agent"),
        };
        let own =
            || self.command().file_name().map_or_else(|| "the agent".to_owned(), |name| name.to_string_lossy().into_owned());
        if demo { "the demo agent".to_owned() } else { own() }
    }
}

#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// Canonical, since agents of an earlier program are found by it.
    pub data_dir: PathBuf,
    pub program: Program,
    /// `[agent] env`.
    pub env: Vec<(String, String)>,
    /// The agent finds the operator's own home folder and with it their configuration of Goose.
    pub inherit_home: bool,
    pub stop_grace: Duration,
    pub ready_timeout: Duration,
    /// The pause before the first new start, and the longest one.
    pub backoff: (Duration, Duration),
    /// The length of an agent's log in bytes; one old file of the same length is kept.
    pub log_limit: u64,
    /// How often the length is looked at.
    pub log_check: Duration,
    /// What repositories may be cloned over.
    pub clone_protocols: Vec<String>,
}

impl LocalOptions {
    pub fn new(data_dir: PathBuf, program: Program) -> Self {
        Self {
            data_dir,
            program,
            env: Vec::new(),
            inherit_home: false,
            stop_grace: Duration::from_secs(2),
            ready_timeout: Duration::from_secs(60),
            backoff: (Duration::from_millis(200), Duration::from_secs(5)),
            log_limit: 1024 * 1024,
            log_check: Duration::from_secs(5),
            clone_protocols: vec!["https".to_owned(), "ssh".to_owned()],
        }
    }
}

pub struct LocalRuntime {
    shared: Arc<Shared>,
    happens: Mutex<Option<mpsc::Receiver<RuntimeEvent>>>,
}

struct Shared {
    options: Arc<LocalOptions>,
    orphans: Orphans,
    slots: Slots,
    events: mpsc::Sender<RuntimeEvent>,
    closing: AtomicBool,
}

impl LocalRuntime {
    pub fn new(options: LocalOptions) -> Self {
        let (events, happens) = mpsc::channel(1024);
        let shared = Shared {
            orphans: Orphans::new(&options.data_dir),
            slots: Slots::default(),
            options: Arc::new(options),
            events,
            closing: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), happens: Mutex::new(Some(happens)) }
    }
}

impl Shared {
    fn folder(&self, project: &ProjectId) -> Folder {
        Folder::of(&self.options.data_dir, project)
    }

    fn slot(&self, project: &ProjectId) -> Arc<Slot> {
        self.slots.of(project, || Slot::new(self.folder(project).log(), self.options.log_limit))
    }

    fn starter(&self, launch: Launch, slot: &Slot) -> Starter {
        let redactor = Arc::new(Redactor::of(&launch));
        slot.set_redactor(Arc::clone(&redactor));
        Starter {
            options: Arc::clone(&self.options),
            orphans: self.orphans.clone(),
            folder: self.folder(&launch.project),
            log: slot.log(),
            launch,
            redactor,
        }
    }

    /// Everything from the folder to a ready agent.
    async fn begin(&self, starter: &Starter, steps: &Shown<'_>) -> Result<Started> {
        let name = &starter.launch.name;
        steps.running("folder", "Preparing the folder".to_owned()).await;
        let folder = starter.folder.clone();
        let made = blocking(move || folder.create()).await;
        if let Err(error) = made {
            steps.failed("folder", "The folder cannot be prepared".to_owned()).await;
            return Err(Error::Failed(format!(
                "The folder of `{name}` cannot be prepared: {error:#}. Make room or mend the rights there, then `/project activate {name}`."
            )));
        }
        let settings = &starter.launch.settings;
        let unlimited = if settings.cpu.is_some() || settings.memory.is_some() {
            "; the project's CPU and memory limits do not hold in the local runtime"
        } else {
            ""
        };
        steps.done("folder", format!("The folder is ready{unlimited}")).await;
        clone::clone_once(starter, steps).await?;
        match starter.start(steps).await {
            Ok(started) => Ok(started),
            Err(fault) => Err(Error::Failed(format!(
                "The agent of `{name}` {}Look at `/project logs {name}`, mend the cause, then `/project activate {name}`.",
                fault.whole(),
            ))),
        }
    }

    async fn stop(&self, slot: &Slot) {
        // Before the gate: what holds it may be waiting for the very agent that is to end.
        slot.ask_to_stop();
        let _gate = slot.gate().await;
        if let Some(running) = slot.take() {
            running.stop().cancelled().await;
        }
    }
}

#[async_trait]
impl Runtime for LocalRuntime {
    fn kind(&self) -> &'static str {
        "local"
    }

    fn supports(&self, _: Option<&ClusterId>, feature: Feature) -> Result<()> {
        match feature {
            Feature::Exec => refused(
                "Commands run in a project's container, and on this machine projects have none. Ask the project's agent to run it, or \
                 use the `kubernetes` runtime.",
            ),
            Feature::Image => refused(
                "On this machine an agent is a process: `--image`, `--port` and `--expose` belong to the `kubernetes` runtime. Leave \
                 them out.",
            ),
            Feature::Disk => refused("On this machine a project's folder is on the machine's own disk: leave `--disk` out."),
            Feature::Logs
            | Feature::Secrets
            | Feature::Environment
            | Feature::Limits
            | Feature::Repository
            | Feature::Settings => Ok(()),
        }
    }

    fn caveat(&self, _: Option<&ClusterId>, feature: Feature) -> Option<&'static str> {
        // A process can be given limits of its own, but its children each get the same again, and a group of processes can only
        // be limited by cgroups, which need rights that Gaggle must not have.
        (feature == Feature::Limits)
            .then_some("The local runtime keeps the CPU and memory limits with the project, but cannot hold its agent to them.")
    }

    async fn activate(&self, launch: Launch, steps: Steps) -> Result<Endpoint> {
        let slot = self.shared.slot(&launch.project);
        let gate = slot.gate().await;
        if self.shared.closing.load(Ordering::SeqCst) {
            return refused("Gaggle is ending; nothing is started any more.");
        }
        if let Some(endpoint) = slot.ready().await {
            return Ok(endpoint);
        }
        let cancel = slot.begin_start();
        let _dropped = cancel.clone().drop_guard();
        let shared = Arc::clone(&self.shared);
        // A task of its own, so that what was begun is taken back even if nobody waits for it any more.
        let task = tokio::spawn(async move {
            let _gate = gate;
            let (name, project) = (launch.name.clone(), launch.project.clone());
            let starter = shared.starter(launch, &slot);
            let shown = Shown(Some(&steps));
            let began = tokio::select! {
                biased;
                () = cancel.cancelled() => None,
                began = shared.begin(&starter, &shown) => Some(began),
            };
            let Some(began) = began else {
                shared.orphans.end(|process| process.project == project.0).await;
                clone::take_back(&starter.folder).await;
                return refused(format!("The start of `{name}` was stopped."));
            };
            let started = began?;
            let endpoint = started.endpoint.clone();
            slot.set(Running::new(starter, started, shared.events.clone()));
            Ok(endpoint)
        });
        task.await.map_err(|error| Error::Broken(error.into()))?
    }

    async fn deactivate(&self, of: &Identity, steps: Steps) -> Result<()> {
        let steps = Shown(Some(&steps));
        steps.running("stop", "Stopping the agent".to_owned()).await;
        if let Some(slot) = self.shared.slots.get(&of.project) {
            self.shared.stop(&slot).await;
        }
        steps.done("stop", "The agent is stopped".to_owned()).await;
        Ok(())
    }

    async fn delete(&self, of: &Identity, keep_files: bool, steps: Steps) -> Result<()> {
        self.deactivate(of, steps.clone()).await?;
        let project = &of.project;
        let steps = Shown(Some(&steps));
        steps.running("remove", "Removing the folder".to_owned()).await;
        let folder = self.shared.folder(project);
        let (root, work) = (folder.root().to_owned(), folder.work());
        if let Err(error) = blocking(move || Ok(folder.remove(keep_files)?)).await {
            steps.failed("remove", "The folder cannot be removed".to_owned()).await;
            return Err(Error::Failed(format!(
                "The agent is stopped, but its folder {} cannot be removed: {error}. Mend the rights there, then delete the project again.",
                root.display()
            )));
        }
        self.shared.slots.forget(project);
        let text = if keep_files { format!("The files stay in {}", work.display()) } else { "The folder is removed".to_owned() };
        steps.done("remove", text).await;
        Ok(())
    }

    async fn endpoint(&self, project: &ProjectId) -> Option<Endpoint> {
        self.shared.slots.get(project)?.endpoint()
    }

    fn workdir(&self, project: &ProjectId) -> String {
        self.shared.folder(project).work().to_string_lossy().into_owned()
    }

    async fn adopt(&self, wanted: Vec<Launch>) -> Result<Vec<(ProjectId, Endpoint)>> {
        let began = Instant::now();
        let found = self.shared.orphans.scan().await?;
        let scanned = began.elapsed();
        let candidates = wanted.into_iter().map(|launch| self.shared.adopt(launch, &found));
        let adopted: Vec<_> = join_all(candidates).await.into_iter().flatten().collect();
        let runs: Vec<&str> = adopted.iter().map(|(_, _, run)| run.as_str()).collect();
        let ended = self.shared.orphans.end_found(found, |process| !runs.contains(&process.run.as_str())).await;
        clone::sweep(self.shared.options.data_dir.as_path().into()).await;
        tracing::debug!(?scanned, took = ?began.elapsed(), adopted = adopted.len(), ended, "looked for earlier agents");
        Ok(adopted.into_iter().map(|(project, endpoint, _)| (project, endpoint)).collect())
    }

    async fn logs(&self, of: &Identity, query: LogQuery) -> Result<mpsc::Receiver<String>> {
        if query.previous || query.since.is_some() {
            return refused(
                "The local runtime keeps one log without times: leave `--previous` and `--since` out, and use `--tail`.",
            );
        }
        let slot = self.shared.slot(&of.project);
        let over = query.follow.then(|| slot.over());
        Ok(slot.log().read(query.tail, over, move || slot.redactor()).await)
    }

    async fn exec(&self, _: &Identity, _: Vec<String>) -> Result<Execution> {
        self.supports(None, Feature::Exec)?;
        refused("This runtime runs no commands.")
    }

    fn events(&self) -> Option<mpsc::Receiver<RuntimeEvent>> {
        self.happens.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    async fn health(&self) -> Vec<Health> {
        let options = Arc::clone(&self.shared.options);
        let running = self.shared.slots.all().iter().filter(|slot| slot.is_running()).count();
        let program = options.program.clone();
        let found = blocking(move || Ok(environment::find_program(program.command()))).await.ok().flatten();
        let agent = match found {
            None => Err((
                format!("no program `{}`", options.program.command().display()),
                "install it, or set `[agent] command` to where it is".to_owned(),
            )),
            // A program on a pipe may be anything, and must not be run just to look.
            Some(path) if matches!(options.program, Program::Stdio { .. }) => Ok(path.display().to_string()),
            Some(path) => match process::version(&path).await {
                Ok(version) => Ok(format!("{version} ({})", path.display())),
                Err(why) => Err((format!("{}: {why}", path.display()), "check `[agent] command`".to_owned())),
            },
        };
        let data_dir = options.data_dir.clone();
        let writable = blocking(move || {
            folder::private_dir(&data_dir.join("projects"))?;
            let probe = data_dir.join("projects").join(format!(".probe-{}", std::process::id()));
            std::fs::write(&probe, b"")?;
            Ok(std::fs::remove_file(probe)?)
        })
        .await;
        let folder = options.data_dir.display().to_string();
        let fact = |what: &str, found: std::result::Result<String, (String, String)>| match found {
            Ok(found) => Health { what: what.to_owned(), found, fault: None },
            Err((found, fault)) => Health { what: what.to_owned(), found, fault: Some(fault) },
        };
        vec![
            fact("agent", agent),
            fact("agents running", Ok(running.to_string())),
            fact(
                "data folder",
                match writable {
                    Ok(()) => Ok(folder),
                    Err(error) => Err((format!("{folder}: {error}"), "let the user who runs Gaggle write there".to_owned())),
                },
            ),
        ]
    }

    async fn shutdown(&self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        let slots = self.shared.slots.all();
        join_all(slots.iter().map(|slot| self.shared.stop(slot))).await;
    }
}

impl Shared {
    /// Takes over what still runs of a project, if it answers.
    async fn adopt(&self, launch: Launch, found: &[Marked]) -> Option<(ProjectId, Endpoint, String)> {
        let folder = self.folder(&launch.project);
        let record = blocking(move || Ok(folder.read_record())).await.ok()??;
        found.iter().find(|process| {
            process.pid == record.pid
                && process.run == record.run
                && process.project == launch.project.0
                // In whole seconds since a start of the system that is itself an estimate.
                && process.started.abs_diff(record.started) <= 1
                && process::leads_group(process.pid)
        })?;
        if !matches!(self.options.program, Program::Http { .. }) {
            return None;
        }
        let slot = self.slot(&launch.project);
        let _gate = slot.gate().await;
        // Opened before it is asked, so that the one that answers is the one that is watched.
        let process = Process::adopt(record.pid, record.run.clone()).ok()?;
        if !ready::answers_now(record.port, Duration::from_millis(500)).await {
            // Dropped, and so killed.
            return None;
        }
        let project = launch.project.clone();
        let starter = self.starter(launch, &slot);
        let endpoint = starter.endpoint(record.port);
        let log_from = slot.log().length();
        let started = Started { process, endpoint: endpoint.clone(), log_from };
        slot.set(Running::new(starter, started, self.events.clone()));
        Some((project, endpoint, record.run))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}
