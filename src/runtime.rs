//! How and where a project's environment runs. Knows nothing of chats, of the store or of what an agent says.

pub mod attached;
mod fleet;
pub mod kubernetes;
pub mod local;
mod redact;

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};

pub use fleet::Fleet;
pub use redact::Redactor;

use crate::agent::Endpoint;
use crate::error::Result;
use crate::model::{ClusterId, PersonId, Progress, Project, ProjectId, Settings};

/// Everything that a runtime needs to know to run a project.
#[derive(Debug, Clone)]
pub struct Launch {
    pub project: ProjectId,
    pub name: String,
    pub owner: PersonId,
    /// Where it runs, if not where all do that name none.
    pub cluster: Option<ClusterId>,
    pub settings: Settings,
    /// The owner's and the project's secrets, by variable name; a project's wins.
    pub secrets: Vec<(String, SecretString)>,
    /// What the agent's server asks of its clients: the same for a project for ever, so that an orphan can be adopted.
    pub server_key: SecretString,
}

impl Launch {
    pub fn identity(&self) -> Identity {
        Identity {
            project: self.project.clone(),
            owner: self.owner.clone(),
            name: self.name.clone(),
            cluster: self.cluster.clone(),
        }
    }
}

/// Which project is meant, for those who have to find what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub project: ProjectId,
    pub owner: PersonId,
    /// For people.
    pub name: String,
    pub cluster: Option<ClusterId>,
}

impl From<&Project> for Identity {
    fn from(project: &Project) -> Self {
        Self {
            project: project.id.clone(),
            owner: project.owner.clone(),
            name: project.name.clone(),
            cluster: project.cluster.clone(),
        }
    }
}

/// How a project stands where it runs, told by runtimes that others can change behind our back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Not known at the moment: nobody answers.
    Unknown,
    /// Nothing of it is there.
    Absent,
    /// All of it is there, and nothing runs.
    Stopped,
    Starting,
    Ready,
    Stopping,
    /// It runs and will not become ready by itself; why, as a sentence.
    Failing(String),
}

/// What happens by itself.
#[derive(Debug, Clone)]
pub enum RuntimeEvent {
    /// It ended and is being started again. `reason` is a sentence with exit code or signal.
    Crashed { project: ProjectId, reason: String },
    /// It is back, perhaps elsewhere.
    Restarted { project: ProjectId, endpoint: Endpoint },
    /// It will not be started again. `reason` is a sentence with the last log lines.
    Failed { project: ProjectId, reason: String },
    /// What [`Runtime::standing`] says of it is no longer what it was.
    Changed { project: ProjectId },
    /// What [`Runtime::standing`] says may have changed for any project, also for those that are gone.
    Resynced,
    /// A project that nobody told us of carries our labels.
    Found(Box<Project>),
}

/// What only some runtimes can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    Logs,
    Secrets,
    Environment,
    Limits,
    Repository,
    Settings,
    /// A command beside the agent.
    Exec,
    /// The agent's image, its port, and how the port is reached from outside.
    Image,
    /// A disk that outlives the agent.
    Disk,
}

/// Which part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogQuery {
    /// The last lines.
    pub tail: usize,
    /// No older ones than this.
    pub since: Option<Duration>,
    /// Of the run before this one.
    pub previous: bool,
    /// New ones too, until the receiver is dropped or the agent ends.
    pub follow: bool,
}

impl LogQuery {
    pub fn last(tail: usize) -> Self {
        Self { tail, since: None, previous: false, follow: false }
    }

    pub fn follow(tail: usize) -> Self {
        Self { follow: true, ..Self::last(tail) }
    }
}

/// A command that runs in a project's environment. Dropping it ends the command where that is possible.
#[derive(Debug)]
pub struct Execution {
    /// What it writes, standard output and error together. Closed when it has ended.
    pub output: mpsc::Receiver<Vec<u8>>,
    /// How it ended.
    pub code: oneshot::Receiver<Result<i32>>,
}

/// What can be told of a project's environment at this moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Look {
    /// (name, value), for people.
    pub lines: Vec<(String, String)>,
    /// The same for programs.
    pub data: serde_json::Map<String, serde_json::Value>,
}

pub type Steps = mpsc::Sender<Progress>;

#[async_trait]
pub trait Runtime: Send + Sync {
    /// `local`, `attached`, `kubernetes`.
    fn kind(&self) -> &'static str;

    /// `Err` with the sentence to refuse with, for what cannot be done for the projects of that cluster.
    fn supports(&self, on: Option<&ClusterId>, feature: Feature) -> Result<()>;

    /// What people ought to know when they choose something that is kept but not enforced here.
    fn caveat(&self, _on: Option<&ClusterId>, _feature: Feature) -> Option<&'static str> {
        None
    }

    /// Makes what a project needs before it can start; what was begun is taken back if it fails.
    async fn create(&self, _launch: Launch, _steps: Steps) -> Result<()> {
        Ok(())
    }

    /// Starts the project's agent and returns when it is ready. Steps are reported as they happen; what was begun is taken
    /// back if it fails.
    async fn activate(&self, launch: Launch, steps: Steps) -> Result<Endpoint>;

    /// Stops the agent and everything that it started; files stay. Stopping what does not run succeeds.
    async fn deactivate(&self, of: &Identity, steps: Steps) -> Result<()>;

    /// Removes everything of the project, its files too unless `keep_files`. Removing what is not there succeeds.
    async fn delete(&self, of: &Identity, keep_files: bool, steps: Steps) -> Result<()>;

    /// Where the project's agent listens now.
    async fn endpoint(&self, project: &ProjectId) -> Option<Endpoint>;

    /// The folder that the agent works in, as the agent sees it.
    fn workdir(&self, project: &ProjectId) -> String;

    /// Where the files of a deleted project stay if they are kept, for the end of a sentence.
    fn kept(&self, of: &Identity) -> String {
        format!("in `{}`", self.workdir(&of.project))
    }

    /// After a start: takes over what still runs of `wanted`, ends everything else that an earlier program of this data folder
    /// left behind, and returns what was taken over.
    async fn adopt(&self, wanted: Vec<Launch>) -> Result<Vec<(ProjectId, Endpoint)>>;

    /// How a project stands now. `None`: nobody else can change that, so what was told last is true.
    async fn standing(&self, _project: &ProjectId) -> Option<Standing> {
        None
    }

    /// Somebody wants the project stopped while it starts: the start is to end soon, as refused.
    fn interrupt(&self, _project: &ProjectId) {}

    async fn logs(&self, of: &Identity, query: LogQuery) -> Result<mpsc::Receiver<String>>;

    /// Runs a command beside the agent, in its environment, without a shell.
    async fn exec(&self, of: &Identity, command: Vec<String>) -> Result<Execution>;

    /// What can be told of the environment beyond its status.
    async fn look(&self, _of: &Identity) -> Result<Look> {
        Ok(Look::default())
    }

    /// What happens by itself. Can be taken once.
    fn events(&self) -> Option<mpsc::Receiver<RuntimeEvent>>;

    /// One line a fact, for `/status` and `gaggle check`: (name, value, fault).
    async fn health(&self) -> Vec<Health>;

    /// A project is there, or will be: before anything else is asked about it by its id alone.
    fn place(&self, _project: &ProjectId, _on: Option<&ClusterId>) {}

    /// The namespace of somebody's projects, if there are namespaces.
    async fn namespace_of(&self, _owner: &PersonId, _on: Option<&ClusterId>) -> Result<Option<String>> {
        Ok(None)
    }

    /// The credentials or the name of a cluster changed, or it is gone: the way to it is made anew.
    async fn reconnect(&self, _cluster: &ClusterId) {}

    /// Ends every agent, or the ways to those that live on without us.
    async fn shutdown(&self);
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub what: String,
    pub found: String,
    /// How to mend it, if it is a fault.
    pub fault: Option<String>,
}
