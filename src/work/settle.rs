//! Keeps the store true to what happens by itself: agents that end and come back, and environments that others change.
//!
//! Invariant: while a life-cycle run of a project is under way, it alone says what becomes of the project; what was missed
//! meanwhile is looked at once it has ended.

use super::Work;
use super::life::Kind;
use crate::error::{Error, Result};
use crate::model::{Project, ProjectId, Status};
use crate::runtime::{RuntimeEvent, Standing};

impl Work {
    pub(super) fn watch_runtime(&self) {
        let Some(mut events) = self.0.runtime.events() else { return };
        let work = self.clone();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let Err(error) = work.happened(event).await {
                    let _ = error.told();
                }
            }
        });
    }

    async fn happened(&self, event: RuntimeEvent) -> Result<()> {
        let (id, status, reason) = match event {
            RuntimeEvent::Crashed { project, reason } => (project, Status::Activating, Some(reason)),
            RuntimeEvent::Restarted { project, .. } => (project, Status::Active, None),
            RuntimeEvent::Failed { project, reason } => (project, Status::Failed, Some(reason)),
            RuntimeEvent::Changed { project } => return self.settle(&project).await,
            RuntimeEvent::Resynced => {
                for project in self.store().all_projects().await? {
                    self.settle(&project.id).await?;
                }
                return Ok(());
            }
            RuntimeEvent::Found(project) => return self.take_in(*project).await,
        };
        self.mend(&id, status, reason).await
    }

    /// Makes a project's status what the runtime says, if the runtime can say it.
    pub(super) async fn settle(&self, id: &ProjectId) -> Result<()> {
        if self.is_underway(id) {
            return Ok(());
        }
        let Some(standing) = self.0.runtime.standing(id).await else { return Ok(()) };
        let Some(project) = self.store().project(id).await? else { return Ok(()) };
        let Some((status, reason)) = settled(&project, standing) else { return Ok(()) };
        self.mend(id, status, reason).await
    }

    async fn mend(&self, id: &ProjectId, status: Status, reason: Option<String>) -> Result<()> {
        tracing::warn!(project = %id, status = status.as_str(), reason, "a project changed by itself");
        if status != Status::Active {
            self.0.agents.drop_connection(id).await;
        }
        if self.is_underway(id) {
            return Ok(());
        }
        self.set_status(id, status, reason).await
    }

    /// After a start: what an earlier program had begun goes on, and everything else is as the runtime says.
    pub(super) async fn settle_at_start(&self, project: &Project, standing: Standing) -> Result<()> {
        match (project.status, &standing) {
            (Status::Activating, Standing::Starting | Standing::Failing(_)) => self.go_on(project, Kind::Activate),
            (Status::Deactivating, Standing::Starting | Standing::Ready | Standing::Stopping | Standing::Failing(_)) => {
                self.go_on(project, Kind::Deactivate);
            }
            _ => {
                if let Some((status, reason)) = settled(project, standing) {
                    self.set_status(&project.id, status, reason).await?;
                }
            }
        }
        Ok(())
    }

    /// Keeps a project that is known only where it runs. A name that its owner gave to another one since is told apart.
    async fn take_in(&self, mut project: Project) -> Result<()> {
        if self.store().project(&project.id).await?.is_some() {
            return Ok(());
        }
        tracing::warn!(project = %project.id, owner = %project.owner.0, "took in a project that was not in the store");
        let id = project.id.clone();
        match self.store().create_project(project.clone()).await {
            Err(Error::Refused(_)) => {
                let short: String = project.name.chars().take(28).collect();
                project.name = format!("{}-{id}", short.trim_end_matches('-'));
                self.store().create_project(project).await?;
            }
            kept => drop(kept?),
        }
        self.settle(&id).await
    }
}

/// What a project's status has to become, and why. `None`: it is true already, or nobody can tell.
fn settled(project: &Project, standing: Standing) -> Option<(Status, Option<String>)> {
    let (status, reason) = match (project.status, standing) {
        (Status::Deleting, _) | (_, Standing::Unknown) => return None,
        (Status::Active, Standing::Ready) => return None,
        (_, Standing::Ready) => (Status::Active, None),
        (Status::Active, Standing::Starting) => {
            (Status::Activating, Some("Its pod was replaced, or its node does not answer; the cluster starts it again."))
        }
        (Status::Activating, Standing::Starting) => return None,
        (_, Standing::Starting) => (Status::Activating, Some("It was started in the cluster, not by Gaggle.")),
        (before, Standing::Failing(reason)) => {
            let known = before == Status::Failed && project.reason.as_deref() == Some(reason.as_str());
            return (!known).then_some((Status::Failed, Some(reason)));
        }
        // A start that failed was taken back: that it failed stays true.
        (Status::Inactive | Status::Failed, Standing::Stopped | Standing::Stopping | Standing::Absent) => return None,
        (Status::Activating, Standing::Stopped | Standing::Absent) => (Status::Inactive, None),
        (Status::Deactivating, Standing::Stopped | Standing::Absent) => (Status::Inactive, None),
        (Status::Deactivating, Standing::Stopping) => return None,
        (_, Standing::Stopped | Standing::Stopping) => {
            (Status::Inactive, Some("It was scaled down in the cluster, not by Gaggle. `/project activate` starts it again."))
        }
        (_, Standing::Absent) => (
            Status::Inactive,
            Some("Its objects were removed from the cluster, not by Gaggle. `/project activate` makes them anew."),
        ),
    };
    Some((status, reason.map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PersonId, Settings, Timestamp};

    fn project(status: Status) -> Project {
        let now = Timestamp::now();
        Project {
            id: ProjectId("abc".into()),
            owner: PersonId("console:ann".into()),
            name: "demo".into(),
            status,
            reason: None,
            cluster: None,
            settings: Settings::default(),
            created: now,
            used: now,
            grants: Vec::new(),
            keep_files: false,
        }
    }

    #[test]
    fn the_cluster_decides_but_a_failure_and_a_deletion_stay() {
        use Standing as S;
        use Status as T;
        let all = [T::Inactive, T::Activating, T::Active, T::Deactivating, T::Deleting, T::Failed];
        let standings = [S::Unknown, S::Absent, S::Stopped, S::Starting, S::Ready, S::Stopping, S::Failing("why".into())];
        let mut table = String::new();
        for standing in standings {
            for status in all {
                let after = settled(&project(status), standing.clone()).map_or(status, |(after, _)| after);
                table.push_str(&format!("{standing:?}: {} -> {}\n", status.as_str(), after.as_str()));
            }
        }
        insta::assert_snapshot!("settled", table);
    }
}
