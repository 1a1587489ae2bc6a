//! Starts a project's agent once, up to the moment when it is ready.
//!
//! Invariant: a start that fails, or that is dropped, leaves no process. A fault is a predicate, "the agent …", without a secret.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::folder::{Folder, Record};
use super::log::Log;
use super::process::{Plan, Process};
use super::{LocalOptions, Program, environment, orphans, orphans::Orphans, ready};
use crate::agent::Endpoint;
use crate::model::{Progress, StepState};
use crate::runtime::Redactor;
use crate::runtime::{Launch, Steps};

/// How often a start is tried again because somebody else took its port.
const PORTS: usize = 5;

/// All that a start needs, and every later one of the same activation.
pub struct Starter {
    pub options: Arc<LocalOptions>,
    pub orphans: Orphans,
    pub launch: Launch,
    pub folder: Folder,
    pub log: Arc<Log>,
    pub redactor: Arc<Redactor>,
}

pub struct Started {
    pub process: Process,
    pub endpoint: Endpoint,
    /// How long the log was before.
    pub log_from: u64,
}

/// Why a start did not succeed, and whether another port may help.
pub struct Fault {
    step: &'static str,
    pub text: String,
    /// What the agent wrote last.
    words: String,
    port_taken: bool,
}

impl Fault {
    fn new(text: String) -> Self {
        Self { step: "start", text, words: String::new(), port_taken: false }
    }

    /// With what the agent wrote last, ending so that a sentence can follow.
    pub fn whole(&self) -> String {
        with_words(&self.text, &self.words)
    }
}

impl Starter {
    pub async fn start(&self, steps: &Shown<'_>) -> Result<Started, Fault> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.start_once(steps).await {
                Err(fault) if fault.port_taken && tries < PORTS => {
                    tracing::debug!(project = %self.launch.project, "the port was taken, another one is tried");
                }
                Ok(started) => return Ok(started),
                Err(fault) => {
                    let text =
                        if fault.step == "start" { "The agent could not be started" } else { "The agent did not become ready" };
                    steps.failed(fault.step, text.to_owned()).await;
                    return Err(fault);
                }
            }
        }
    }

    async fn start_once(&self, steps: &Shown<'_>) -> Result<Started, Fault> {
        steps.running("start", format!("Starting {}", self.options.program.name())).await;
        let run = run_id().map_err(|error| Fault::new(format!("could not be started: {error}")))?;
        let (command, args, port) = match &self.options.program {
            Program::Http { command, args, .. } => {
                let port = ready::free_port().await.map_err(|error| Fault::new(format!("got no port: {error}")))?;
                let fill = |arg: &String| arg.replace("{host}", ready::HOST).replace("{port}", &port.to_string());
                (command, args.iter().map(fill).collect(), Some(port))
            }
            Program::Stdio { command, args } => (command, args.clone(), None),
        };
        let env =
            environment::agent(&self.options, &self.launch, &self.folder, self.orphans.marker(&self.launch.project.0, &run));
        let (mut process, pipes, log_from) = self.spawn(command.clone(), args, env, run, port.is_none()).await?;
        let Some(port) = port else {
            return match pipes {
                Some(pipes) => {
                    steps.done("start", format!("Started {}", self.options.program.name())).await;
                    Ok(Started { process, endpoint: Endpoint::Stdio(pipes), log_from })
                }
                None => Err(Fault::new("has no standard input and output".to_owned())),
            };
        };
        self.record(&process, port).await;
        steps.done("start", format!("Started {}", self.options.program.name())).await;
        steps.running("ready", "Waiting for the agent to answer".to_owned()).await;
        let began = Instant::now();
        let text = tokio::select! {
            exit = process.wait() => format!("{exit} before it was ready"),
            answered = timeout(self.options.ready_timeout, ready::answers(port)) => match answered {
                Ok(()) => {
                    let endpoint = self.endpoint(port);
                    steps.done("ready", format!("Ready after {:.1} s", began.elapsed().as_secs_f64())).await;
                    return Ok(Started { process, endpoint, log_from });
                }
                Err(_) => format!("did not answer within {} s", self.options.ready_timeout.as_secs()),
            },
        };
        process.end(&self.orphans).await;
        let folder = self.folder.clone();
        let _ = tokio::task::spawn_blocking(move || folder.forget_record()).await;
        let words = self.log.last_words(log_from, Arc::clone(&self.redactor)).await;
        let port_taken = words.to_lowercase().contains("in use") || !ready::is_free(port).await;
        Err(Fault { step: "ready", text, words, port_taken })
    }

    async fn spawn(
        &self,
        command: PathBuf,
        args: Vec<String>,
        env: environment::Environment,
        run: String,
        piped: bool,
    ) -> Result<(Process, Option<crate::agent::Pipes>, u64), Fault> {
        let (folder, log) = (self.folder.clone(), Arc::clone(&self.log));
        // Finding the program and opening the log touch the disk; the process itself must be made where the timer and signals are.
        let prepared = tokio::task::spawn_blocking(move || {
            let program = environment::find_program(&command)
                .ok_or_else(|| format!("could not be started: there is no program `{}`", command.display()))?;
            let log_from = log.length();
            let file = folder.open_log().map_err(|error| format!("got no log file: {error}"))?;
            Ok((Plan { program, args, env, cwd: folder.work(), run, log: file, piped }, log_from))
        });
        let (plan, log_from) =
            prepared.await.unwrap_or_else(|error| Err(format!("could not be started: {error}"))).map_err(Fault::new)?;
        let (process, pipes) = Process::start(plan).map_err(|error| Fault::new(format!("could not be started: {error}")))?;
        Ok((process, pipes, log_from))
    }

    async fn record(&self, process: &Process, port: u16) {
        let Some(started) = orphans::started(process.pid()).await else { return };
        let record = Record { pid: process.pid(), started, port, run: process.run.clone() };
        let folder = self.folder.clone();
        let written = tokio::task::spawn_blocking(move || folder.write_record(&record)).await;
        if let Ok(Err(error)) = written {
            // Not fatal: after a crash of Gaggle this agent is ended instead of taken over.
            tracing::warn!(project = %self.launch.project, %error, "the record of a run cannot be written");
        }
    }

    pub fn endpoint(&self, port: u16) -> Endpoint {
        let protocol = match &self.options.program {
            Program::Http { protocol, .. } => *protocol,
            Program::Stdio { .. } => crate::agent::Protocol::Acp,
        };
        Endpoint::Http { url: format!("http://{}:{port}", ready::HOST), key: Some(self.launch.server_key.clone()), protocol }
    }
}

/// A predicate and what the agent wrote last, ending so that a sentence can follow.
pub fn with_words(text: &str, words: &str) -> String {
    if words.is_empty() { format!("{text}. ") } else { format!("{text}. It wrote last:\n```\n{words}\n```\n") }
}

fn run_id() -> Result<String, String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

/// The steps of what somebody waits for, or of what nobody does.
pub struct Shown<'a>(pub Option<&'a Steps>);

impl Shown<'_> {
    pub async fn running(&self, step: &str, text: String) {
        self.show(step, StepState::Running, text).await;
    }

    pub async fn done(&self, step: &str, text: String) {
        self.show(step, StepState::Done, text).await;
    }

    pub async fn failed(&self, step: &str, text: String) {
        self.show(step, StepState::Failed, text).await;
    }

    async fn show(&self, step: &str, state: StepState, text: String) {
        let Some(steps) = self.0 else { return };
        // A reader who has stopped reading must not hold up the work.
        let _ = steps.send_timeout(Progress { step: step.to_owned(), state, text }, Duration::from_secs(1)).await;
    }
}
