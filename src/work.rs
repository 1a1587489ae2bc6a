//! Long-lived work: the life of projects, the connections to their agents, and turns from their queue to their last state.
//!
//! Invariants: of one project at most one life-cycle run is under way; of one session at most one turn; a turn's last state is
//! durable before anybody sees it. Knows neither commands nor who may send them.

mod agents;
mod answer;
mod approvals;
mod catalogue;
mod clusters;
mod idle;
mod life;
mod places;
mod recover;
mod settle;
mod turns;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use catalogue::{Catalogue, From, Listed, Loaded, Surveyed};
pub use clusters::Clusters;
pub use idle::Hold;
pub use turns::TurnTicket;

use crate::agent::Patience;
use crate::chat::Chat;
use crate::model::{Origin, Progress, ProjectId, Session};
use crate::runtime::{Launch, Redactor, Runtime};
use crate::store::{Scope, Store};

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Turns that are answered at once, in all and for one person.
    pub turns: usize,
    pub turns_per_person: usize,
    /// Messages that wait in one thread.
    pub queue: usize,
    /// Projects that start at once.
    pub activations: usize,
    /// An approval that nobody answered is denied.
    pub approval_timeout: Duration,
    /// How long running turns may go on when the program is asked to end.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            turns: 1000,
            turns_per_person: 1000,
            queue: 20,
            activations: 16,
            approval_timeout: Duration::from_secs(15 * 60),
            shutdown_grace: Duration::from_secs(2),
        }
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Work(Arc<Inner>);

struct Inner {
    store: Store,
    runtime: Arc<dyn Runtime>,
    chats: HashMap<&'static str, Arc<dyn Chat>>,
    limits: Limits,
    patience: Patience,
    life: life::Life,
    agents: agents::Agents,
    turns: turns::Turns,
    held: idle::Held,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Work {
    pub fn new(store: Store, runtime: Arc<dyn Runtime>, chats: Vec<Arc<dyn Chat>>, limits: Limits, patience: Patience) -> Self {
        Self(Arc::new(Inner {
            store,
            runtime,
            chats: chats.into_iter().map(|c| (c.surface(), c)).collect(),
            life: life::Life::new(limits.activations),
            agents: agents::Agents::default(),
            turns: turns::Turns::new(limits.turns),
            held: idle::Held::default(),
            limits,
            patience,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }))
    }

    pub fn store(&self) -> &Store {
        &self.0.store
    }

    pub fn runtime(&self) -> &dyn Runtime {
        &*self.0.runtime
    }

    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub fn surfaces(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.0.chats.keys().copied().collect();
        names.sort_unstable();
        names
    }

    pub fn chat(&self, origin: &Origin) -> Option<&Arc<dyn Chat>> {
        self.0.chats.get(origin.actor.surface.as_str())
    }

    /// Tells a session's thread what it is called now.
    pub fn show_title(&self, session: &Session) {
        let surface = session.thread.0.split(':').next().unwrap_or_default();
        if let Some(chat) = self.0.chats.get(surface) {
            chat.title(&session.thread, &session.title);
        }
    }

    /// Runs something that the end of the program waits for.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(task);
    }

    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    async fn progress(&self, to: &Origin, step: Progress) {
        if let Some(chat) = self.chat(to) {
            chat.progress(to, step).await;
        }
    }

    /// What a runtime needs to know of a project.
    async fn launch(&self, project: &crate::model::Project) -> crate::error::Result<Launch> {
        let mut secrets = self.0.store.secrets(&Scope::Person(project.owner.clone())).await?;
        for (key, value) in self.0.store.secrets(&Scope::Project(project.id.clone())).await? {
            secrets.retain(|(k, _)| *k != key);
            secrets.push((key, value));
        }
        Ok(Launch {
            project: project.id.clone(),
            name: project.name.clone(),
            owner: project.owner.clone(),
            cluster: project.cluster.clone(),
            settings: project.settings.clone(),
            secrets,
            server_key: server_key(&self.0.store, &project.id),
        })
    }

    /// Takes what is secret to a project out of texts.
    pub async fn redactor(&self, project: &crate::model::Project) -> crate::error::Result<Redactor> {
        Ok(Redactor::of(&self.launch(project).await?))
    }

    /// Ends: turns end or are marked, agents are ended, what is under way is awaited.
    pub async fn shutdown(&self) {
        self.0.stopping.cancel();
        self.end_all_turns().await;
        self.0.agents.close_all().await;
        self.0.runtime.shutdown().await;
        self.settle_statuses().await;
        self.0.tasks.close();
        let _ = tokio::time::timeout(Duration::from_secs(10), self.0.tasks.wait()).await;
    }
}

/// What a project's server asks of its clients: the same for ever, and nobody's who has not the store's key.
pub fn server_key(store: &Store, project: &ProjectId) -> secrecy::SecretString {
    store.cipher().derive(&format!("agent server of project {project}"))
}
