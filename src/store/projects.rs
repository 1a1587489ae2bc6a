//! Projects, their names and who may see them.
//!
//! Invariant: a name is in `project_names` exactly as long as its project is in `projects`, and each grant in both of its tables.

use redb::WriteTransaction;

use super::Store;
use super::table::{self, CONNECTIONS, GRANTS, PROJECT_NAMES, PROJECT_SESSIONS, PROJECTS, Read, SECRETS, SESSIONS};
use crate::error::{Error, Result, refused};
use crate::model::{PersonId, Project, ProjectId, Timestamp};

impl Store {
    /// Keeps a new project. Refused if its owner has one of that name.
    pub async fn create_project(&self, project: Project) -> Result<Project> {
        self.write(move |tx| {
            let name = (project.owner.clone(), project.name.clone());
            if tx.fetch(&PROJECT_NAMES, &name)?.is_some() {
                return refused(format!(
                    "You already have a project `{}`. Choose another name, or look at it with `/project show {0}`.",
                    project.name
                ));
            }
            table::put(tx, &PROJECT_NAMES, &name, &project.id)?;
            table::put(tx, &PROJECTS, &project.id, &project)?;
            Ok(project)
        })
        .await
    }

    pub async fn project(&self, id: &ProjectId) -> Result<Option<Project>> {
        self.look(|tx| tx.fetch(&PROJECTS, id))
    }

    /// Changes a project as it is at that moment. `None`: it is gone. A refusal of `change` leaves it as it was.
    pub async fn change_project(
        &self,
        id: &ProjectId,
        change: impl FnOnce(&mut Project) -> Result<()> + Send + 'static,
    ) -> Result<Option<Project>> {
        let id = id.clone();
        self.write(move |tx| {
            let Some(before) = tx.fetch(&PROJECTS, &id)? else { return Ok(None) };
            let mut after = before.clone();
            change(&mut after)?;
            if after == before {
                return Ok(Some(after));
            }
            if (&after.owner, &after.name) != (&before.owner, &before.name) {
                let name = (after.owner.clone(), after.name.clone());
                if tx.fetch(&PROJECT_NAMES, &name)?.is_some() {
                    return refused(format!(
                        "There already is a project `{}` of the same owner. Choose another name.",
                        after.name
                    ));
                }
                table::remove(tx, &PROJECT_NAMES, &(before.owner.clone(), before.name.clone()))?;
                table::put(tx, &PROJECT_NAMES, &name, &id)?;
            }
            for (person, _) in &before.grants {
                table::remove(tx, &GRANTS, &(person.clone(), id.clone()))?;
            }
            for (person, _) in &after.grants {
                table::put(tx, &GRANTS, &(person.clone(), id.clone()), &())?;
            }
            table::put(tx, &PROJECTS, &id, &after)?;
            Ok(Some(after))
        })
        .await
    }

    /// Marks that the project was used just now.
    pub async fn touch_project(&self, id: &ProjectId) -> Result<()> {
        self.change_project(id, |p| {
            p.used = Timestamp::now();
            Ok(())
        })
        .await
        .map(drop)
    }

    /// What a person owns and what is shared with them.
    pub async fn projects_of(&self, person: &PersonId) -> Result<Vec<Project>> {
        self.look(|tx| {
            let own = tx.scan(&PROJECT_NAMES, &table::prefix(person))?.into_iter().map(|(_, id)| id);
            let shared = tx.scan(&GRANTS, &table::prefix(person))?.into_iter().map(|((_, id), ())| id);
            load(tx, own.chain(shared))
        })
    }

    pub async fn all_projects(&self) -> Result<Vec<Project>> {
        self.read(|tx| Ok(tx.scan(&PROJECTS, &[])?.into_iter().map(|(_, p)| p).collect())).await
    }

    /// Removes the project with all its sessions, turns, approvals, grants and secrets.
    pub async fn remove_project(&self, id: &ProjectId) -> Result<()> {
        let id = id.clone();
        self.write(move |tx| {
            let Some(project) = tx.fetch(&PROJECTS, &id)? else { return Ok(()) };
            for ((_, session), ()) in tx.scan(&PROJECT_SESSIONS, &table::prefix(&id))? {
                if let Some(session) = tx.fetch(&SESSIONS, &session)? {
                    super::sessions::remove(tx, &session)?;
                }
            }
            for (person, _) in &project.grants {
                table::remove(tx, &GRANTS, &(person.clone(), id.clone()))?;
            }
            for (key, _) in tx.scan(&SECRETS, &table::prefix(&super::secrets::Scope::Project(id.clone()).key()))? {
                table::remove(tx, &SECRETS, &key)?;
            }
            table::remove(tx, &CONNECTIONS, &id)?;
            table::remove(tx, &PROJECT_NAMES, &(project.owner.clone(), project.name.clone()))?;
            table::remove(tx, &PROJECTS, &id)?;
            Ok(())
        })
        .await
    }

    /// The agent connection that may be taken up again after a restart.
    pub async fn connection(&self, id: &ProjectId) -> Result<Option<String>> {
        self.look(|tx| tx.fetch(&CONNECTIONS, id))
    }

    pub async fn set_connection(&self, id: &ProjectId, connection: Option<String>) -> Result<()> {
        let id = id.clone();
        self.write(move |tx| match connection {
            Some(connection) => table::put(tx, &CONNECTIONS, &id, &connection),
            None => table::remove(tx, &CONNECTIONS, &id).map(drop),
        })
        .await
    }
}

fn load(tx: &impl Read, ids: impl Iterator<Item = ProjectId>) -> Result<Vec<Project>> {
    ids.filter_map(|id| tx.fetch(&PROJECTS, &id).transpose()).collect()
}

/// Refused: somebody deleted the project in the meantime.
pub fn gone(tx: &WriteTransaction, id: &ProjectId) -> Result<()> {
    match tx.fetch(&PROJECTS, id)? {
        Some(p) if p.status != crate::model::Status::Deleting => Ok(()),
        _ => Err(Error::Refused("This project is being deleted or is gone; nothing was done.".into())),
    }
}
