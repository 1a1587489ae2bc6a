//! What the runtime knows of each project, and the gate that lets one change of it through at a time.
//!
//! Invariant: `running` changes only while the gate is held.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::log::Log;
use super::supervisor::Running;
use crate::agent::Endpoint;
use crate::model::ProjectId;
use crate::runtime::Redactor;

#[derive(Default)]
pub struct Slots(Mutex<HashMap<ProjectId, Arc<Slot>>>);

pub struct Slot {
    gate: Arc<tokio::sync::Mutex<()>>,
    log: Arc<Log>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: Option<Running>,
    starting: CancellationToken,
    /// Of the last start: a log outlives the agent that wrote it.
    redactor: Arc<Redactor>,
}

impl Slots {
    fn lock(&self) -> MutexGuard<'_, HashMap<ProjectId, Arc<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, project: &ProjectId) -> Option<Arc<Slot>> {
        self.lock().get(project).cloned()
    }

    pub fn of(&self, project: &ProjectId, new: impl FnOnce() -> Slot) -> Arc<Slot> {
        Arc::clone(self.lock().entry(project.clone()).or_insert_with(|| Arc::new(new())))
    }

    pub fn all(&self) -> Vec<Arc<Slot>> {
        self.lock().values().cloned().collect()
    }

    pub fn forget(&self, project: &ProjectId) {
        self.lock().remove(project);
    }
}

impl Slot {
    pub fn new(log: PathBuf, limit: u64) -> Self {
        Self { gate: Arc::default(), log: Log::new(log, limit), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn gate(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.gate).lock_owned().await
    }

    pub fn log(&self) -> Arc<Log> {
        Arc::clone(&self.log)
    }

    pub fn redactor(&self) -> Arc<Redactor> {
        Arc::clone(&self.state().redactor)
    }

    pub fn set_redactor(&self, redactor: Arc<Redactor>) {
        self.state().redactor = redactor;
    }

    pub fn set(&self, running: Running) {
        self.state().running = Some(running);
    }

    pub fn take(&self) -> Option<Running> {
        self.state().running.take()
    }

    pub fn is_running(&self) -> bool {
        self.state().running.as_ref().is_some_and(|running| !running.is_over())
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        self.state().running.as_ref()?.endpoint().borrow().clone()
    }

    /// The endpoint of what runs, if need be after its restart. `None`: nothing runs.
    pub async fn ready(&self) -> Option<Endpoint> {
        let mut endpoint = self.state().running.as_ref().filter(|running| !running.is_over())?.endpoint();
        let ready = endpoint.wait_for(Option::is_some).await.ok()?;
        ready.clone()
    }

    /// Cancelled once nothing of the project runs any more; at once if nothing does.
    pub fn over(&self) -> CancellationToken {
        match &self.state().running {
            Some(running) => running.over(),
            None => {
                let over = CancellationToken::new();
                over.cancel();
                over
            }
        }
    }

    /// A token that `ask_to_stop` cancels, from here on.
    pub fn begin_start(&self) -> CancellationToken {
        let mut state = self.state();
        state.starting = CancellationToken::new();
        state.starting.clone()
    }

    /// Ends what is being started and what runs, without waiting for it.
    pub fn ask_to_stop(&self) {
        let state = self.state();
        state.starting.cancel();
        if let Some(running) = &state.running {
            running.stop();
        }
    }
}
