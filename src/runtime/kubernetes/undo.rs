//! Takes back what a run that failed has made: at once, or as soon as the cluster answers again.
//!
//! Invariant: a later run of the same project ends it, since that knows better what is wanted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::RwLock;
use tokio::time::sleep;

use super::api::Cluster;
use super::options::Options;
use super::stop;
use super::trouble::Trouble;
use super::view::Key;
use crate::model::ProjectId;

/// Pauses between two tries: the first and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// Counts the runs of each project.
#[derive(Clone, Default)]
pub struct Runs(Arc<Mutex<HashMap<ProjectId, u64>>>);

impl Runs {
    pub fn begin(&self, project: &ProjectId) -> u64 {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let run = runs.entry(project.clone()).or_default();
        *run += 1;
        *run
    }

    fn is_last(&self, project: &ProjectId, run: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(project) == Some(&run)
    }
}

pub struct Undo {
    pub cluster: Cluster,
    pub options: Options,
    pub project: ProjectId,
    pub namespace: String,
    /// The Deployment that was there before and is to have no pod.
    pub scaled: Option<String>,
    /// What goes, in this order.
    pub objects: Vec<Key>,
    /// Something was made that all projects of the owner share.
    pub shared: bool,
    /// There may be a pod.
    pub started: bool,
}

impl Undo {
    /// All but what is shared.
    pub async fn run(&self) -> Result<(), Trouble> {
        if let Some(name) = &self.scaled {
            self.cluster.scale_to_zero(&self.namespace, name).await?;
        }
        for key in &self.objects {
            self.cluster.delete(key).await?;
        }
        if self.started {
            stop::pods_gone(&self.cluster, &self.options, &self.project).await?;
        }
        Ok(())
    }

    /// What is shared, if no other project came to use it. `gate` keeps others from making anything there meanwhile.
    pub async fn leave(&self, gate: &RwLock<()>) {
        if !self.shared {
            return;
        }
        let _ending = gate.write().await;
        if let Err(trouble) = stop::leave_namespace(&self.cluster, &self.namespace).await {
            tracing::warn!(namespace = self.namespace, why = trouble.short(), "a namespace that was made for nothing stays");
        }
    }

    /// Tries until it succeeds or another run of the project begins.
    pub fn later(self, gate: Arc<RwLock<()>>, runs: Runs, run: u64) {
        tokio::spawn(async move {
            let mut pause = PAUSE.0;
            loop {
                sleep(pause).await;
                if !runs.is_last(&self.project, run) {
                    return;
                }
                match self.run().await {
                    Ok(()) => {
                        self.leave(&gate).await;
                        tracing::info!(project = %self.project, "what a failed run had begun is taken back now");
                        return;
                    }
                    Err(trouble) => tracing::debug!(project = %self.project, why = trouble.short(), "not taken back yet"),
                }
                pause = (pause * 2).min(PAUSE.1);
            }
        });
    }
}
