//! After a start: statuses are made true, deletions go on, and each message that an earlier program left gets its one answer.

use super::Work;
use super::life::Kind;
use crate::error::{Error, Result};
use crate::model::{Status, Turn};

impl Work {
    /// Makes the store true to what really runs. The turns that were left open come back and are resumed by [`Work::resume`],
    /// once somebody can see them.
    pub async fn recover(&self) -> Result<Vec<Turn>> {
        let store = self.store();
        let projects = store.all_projects().await?;
        for project in &projects {
            self.runtime().place(&project.id, project.cluster.as_ref());
        }
        let mut wanted = Vec::new();
        for project in projects.iter().filter(|p| p.status == Status::Active) {
            match self.launch(project).await {
                Ok(launch) => wanted.push(launch),
                Err(error) => tracing::warn!(project = %project.id, error = %error.told(), "a project cannot be taken over"),
            }
        }
        let adopted = self.runtime().adopt(wanted).await?;
        for project in &projects {
            if project.status != Status::Deleting
                && let Some(standing) = self.runtime().standing(&project.id).await
            {
                self.settle_at_start(project, standing).await?;
                continue;
            }
            let status = match project.status {
                Status::Deleting => {
                    self.go_on(project, Kind::Delete { keep_files: project.keep_files });
                    continue;
                }
                _ if adopted.iter().any(|(id, _)| *id == project.id) => Status::Active,
                Status::Failed => continue,
                _ => Status::Inactive,
            };
            if status != project.status {
                self.set_status(&project.id, status, None).await?;
            }
        }
        for release in store.interrupt_releases().await? {
            tracing::warn!(release, "a release was being changed when Gaggle ended");
        }
        self.watch_runtime();
        store.open_turns().await
    }

    /// Goes on with the turns that an earlier program left open.
    pub fn resume(&self, turns: Vec<Turn>) {
        for mut turn in turns {
            turn.origin.input = None;
            self.enqueue(turn);
        }
    }

    /// At the end of the program nothing of the runtime runs any longer.
    pub(super) async fn settle_statuses(&self) {
        let projects = match self.store().all_projects().await {
            Ok(projects) => projects,
            Err(error) => {
                let _ = error.told();
                return;
            }
        };
        for project in projects {
            if matches!(project.status, Status::Active | Status::Activating | Status::Deactivating)
                && self.runtime().endpoint(&project.id).await.is_none()
                // What lives on without us is looked at again at the next start.
                && self.runtime().standing(&project.id).await.is_none()
            {
                let _ = self.set_status(&project.id, Status::Inactive, None).await.map_err(Error::told);
            }
        }
    }
}
