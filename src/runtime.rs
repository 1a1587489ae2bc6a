//! How and where a project's environment runs. Knows nothing of chats, of the store or of what an agent says.

pub mod attached;
pub mod local;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::sync::mpsc;

use crate::agent::Endpoint;
use crate::error::Result;
use crate::model::{PersonId, Progress, ProjectId, Settings};

/// Everything that a runtime needs to know to run a project.
#[derive(Debug, Clone)]
pub struct Launch {
    pub project: ProjectId,
    pub name: String,
    pub owner: PersonId,
    pub settings: Settings,
    /// The owner's and the project's secrets, by variable name; a project's wins.
    pub secrets: Vec<(String, SecretString)>,
    /// What the agent's server asks of its clients: the same for a project for ever, so that an orphan can be adopted.
    pub server_key: SecretString,
}

/// What happens to a running agent by itself.
#[derive(Debug, Clone)]
pub enum RuntimeEvent {
    /// It ended and is being started again. `reason` is a sentence with exit code or signal.
    Crashed { project: ProjectId, reason: String },
    /// It is back, perhaps elsewhere.
    Restarted { project: ProjectId, endpoint: Endpoint },
    /// It will not be started again. `reason` is a sentence with the last log lines.
    Failed { project: ProjectId, reason: String },
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
}

pub type Steps = mpsc::Sender<Progress>;

#[async_trait]
pub trait Runtime: Send + Sync {
    /// `local`, `attached`, `kubernetes`.
    fn kind(&self) -> &'static str;

    /// `Err` with the sentence to refuse with, for what this runtime cannot do.
    fn supports(&self, feature: Feature) -> Result<()>;

    /// What people ought to know when they choose something that is kept but not enforced here.
    fn caveat(&self, _feature: Feature) -> Option<&'static str> {
        None
    }

    /// Starts the project's agent and returns when it is ready. Steps are reported as they happen; what was begun is taken
    /// back if it fails.
    async fn activate(&self, launch: Launch, steps: Steps) -> Result<Endpoint>;

    /// Stops the agent and everything that it started; files stay. Stopping what does not run succeeds.
    async fn deactivate(&self, project: &ProjectId, steps: Steps) -> Result<()>;

    /// Removes everything of the project, its files too unless `keep_files`. Removing what is not there succeeds.
    async fn delete(&self, project: &ProjectId, keep_files: bool, steps: Steps) -> Result<()>;

    /// Where the project's agent listens now.
    async fn endpoint(&self, project: &ProjectId) -> Option<Endpoint>;

    /// The folder that the agent works in, as the agent sees it.
    fn workdir(&self, project: &ProjectId) -> String;

    /// After a start: takes over what still runs of `wanted`, ends everything else that an earlier program of this data folder
    /// left behind, and returns what was taken over.
    async fn adopt(&self, wanted: Vec<Launch>) -> Result<Vec<(ProjectId, Endpoint)>>;

    /// The last `tail` lines of the log; with `follow`, new ones until the receiver is dropped or the project ends.
    async fn logs(&self, project: &ProjectId, tail: usize, follow: bool) -> Result<mpsc::Receiver<String>>;

    /// What happens by itself. Can be taken once.
    fn events(&self) -> Option<mpsc::Receiver<RuntimeEvent>>;

    /// One line a fact, for `/status` and `gaggle check`: (name, value, fault).
    async fn health(&self) -> Vec<Health>;

    /// Ends every agent.
    async fn shutdown(&self);
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub what: String,
    pub found: String,
    /// How to mend it, if it is a fault.
    pub fault: Option<String>,
}
