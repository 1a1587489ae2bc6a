//! Takes back what a run that failed has made: at once, or as soon as the cluster answers again.
//!
//! Invariant: a later run of the same project ends it, since that knows better what is wanted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::RwLock;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::api::Cluster;
use super::options::Options;
use super::stop;
use super::trouble::Trouble;
use super::view::Key;
use crate::model::ProjectId;

/// Pauses between two tries: the first and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// The last run of each project.
#[derive(Default)]
pub struct Runs(Mutex<HashMap<ProjectId, CancellationToken>>);

impl Runs {
    /// A new run begins, and what the one before still does ends. What is returned is cancelled by the next one.
    pub fn begin(&self, project: &ProjectId) -> CancellationToken {
        let run = CancellationToken::new();
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = runs.insert(project.clone(), run.clone()) {
            before.cancel();
        }
        run
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
    pub fn later(self, gate: Arc<RwLock<()>>, run: CancellationToken) {
        tokio::spawn(async move {
            let tries = async {
                let mut pause = PAUSE.0;
                loop {
                    sleep(pause).await;
                    match self.run().await {
                        Ok(()) => break,
                        Err(trouble) => tracing::debug!(project = %self.project, why = trouble.short(), "not taken back yet"),
                    }
                    pause = (pause * 2).min(PAUSE.1);
                }
            };
            tokio::select! {
                biased;
                () = run.cancelled() => {}
                () = tries => {
                    self.leave(&gate).await;
                    tracing::info!(project = %self.project, "what a failed run had begun is taken back now");
                }
            }
        });
    }
}
