//! One warm connection to each project's agent, made when it is first needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Work;
use crate::agent::{self, Agent, Failure};
use crate::model::{Project, ProjectId};

/// Turns of a project that begin at the same time. Where a hundred did, the first words of each would wait for all to begin.
const STARTS: usize = 4;

#[derive(Default)]
pub struct Agents(Mutex<HashMap<ProjectId, Slot>>);

/// Held while a connection is made, so that it is made once.
type Slot = Arc<AsyncMutex<Option<Connected>>>;

struct Connected {
    agent: Arc<dyn Agent>,
    starts: Arc<Semaphore>,
    /// Ends the watch over the connection, which would keep it alive otherwise.
    _watch: DropGuard,
}

impl Agents {
    fn slot(&self, project: &ProjectId) -> Slot {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(project.clone()).or_default().clone()
    }

    fn take(&self, project: &ProjectId) -> Option<Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(project)
    }

    /// The server is gone: the next turn connects anew.
    pub async fn drop_connection(&self, project: &ProjectId) {
        self.take(project);
    }

    /// Ends the connection and what runs on it.
    pub async fn close(&self, project: &ProjectId) {
        if let Some(slot) = self.take(project)
            && let Some(connected) = slot.lock().await.take()
        {
            connected.agent.close().await;
        }
    }

    pub async fn close_all(&self) {
        let projects: Vec<ProjectId> = self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        futures_util::future::join_all(projects.iter().map(|p| self.close(p))).await;
    }

    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Work {
    /// The connection to an active project's agent.
    pub(super) async fn agent(&self, project: &Project) -> Result<Arc<dyn Agent>, Failure> {
        let id = &project.id;
        let slot = self.0.agents.slot(id);
        let mut held = slot.lock().await;
        if let Some(connected) = &*held {
            return Ok(connected.agent.clone());
        }
        let Some(endpoint) = self.0.runtime.endpoint(id).await else {
            return Err(Failure::Interrupted(
                "The project's agent is not running. Start it with `/project activate` and ask again.".into(),
            ));
        };
        let broken = |e: crate::error::Error| Failure::Failed(e.told().to_string());
        let earlier = self.0.store.connection(id).await.map_err(broken)?;
        let agent = agent::connect(&endpoint, &self.0.runtime.workdir(id), self.0.patience, earlier.as_deref()).await?;
        if agent.connection() != earlier {
            self.0.store.set_connection(id, agent.connection()).await.map_err(broken)?;
        }
        let watch = CancellationToken::new();
        *held = Some(Connected {
            agent: agent.clone(),
            starts: Arc::new(Semaphore::new(STARTS)),
            _watch: watch.clone().drop_guard(),
        });
        drop(held);
        let (work, id, watched) = (self.clone(), id.clone(), agent.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = watched.closed() => {}
                () = watch.cancelled() => return,
            }
            let slot = work.0.agents.slot(&id);
            let mut held = slot.lock().await;
            if held.as_ref().is_some_and(|c| Arc::ptr_eq(&c.agent, &watched)) {
                *held = None;
            }
        });
        Ok(agent)
    }

    /// Leave to begin a turn at a project's agent, to be held until that has its prompt.
    pub(super) async fn leave_to_begin(&self, project: &ProjectId) -> Option<OwnedSemaphorePermit> {
        let slot = self.0.agents.slot(project);
        let starts = slot.lock().await.as_ref().map(|connected| connected.starts.clone());
        starts?.acquire_owned().await.ok()
    }

    pub fn connected_agents(&self) -> usize {
        self.0.agents.count()
    }

    /// Forgets a session at its agent, if that is running. Best effort: ours is gone either way.
    pub async fn forget_session(&self, project: &Project, agent_session: &str) {
        if self.0.runtime.endpoint(&project.id).await.is_none() {
            return;
        }
        if let Ok(agent) = self.agent(project).await
            && let Err(error) = agent.forget(agent_session).await
        {
            tracing::info!(%error, project = %project.id, "the agent kept a deleted session");
        }
    }
}
