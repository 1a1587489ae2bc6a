//! What the terminal completes: the names of what its operator owns or shares. Shows nobody else's.

use gaggle_commands::Candidates;
use tokio::runtime::Handle;

use crate::chat::console::Names;
use crate::error::Result;
use crate::model::{Actor, Project};
use crate::store::Store;

/// Sessions of a project that are offered, the newest first.
const SESSIONS: usize = 50;

pub struct Known {
    store: Store,
    operator: Actor,
    runtime: Handle,
}

impl Known {
    /// To be made on an async thread, and asked on another.
    pub fn new(store: Store, operator: Actor) -> Self {
        Self { store, operator, runtime: Handle::current() }
    }

    async fn find(&self, of: &Candidates) -> Result<Vec<String>> {
        let person = self.store.person(&self.operator).await?;
        let projects = self.store.projects_of(&person).await?;
        let mut names = Vec::new();
        match of {
            Candidates::Projects => names.extend(projects.into_iter().map(|p| p.name)),
            Candidates::Sessions => {
                for project in &projects {
                    let sessions = self.store.sessions_of(&project.id, SESSIONS).await?;
                    names.extend(sessions.into_iter().map(|s| s.session.id.to_string()));
                }
            }
            Candidates::Approvals => {
                let open = self.store.open_approvals().await?;
                let own = open.into_iter().filter(|a| projects.iter().any(|p: &Project| p.id == a.project));
                names.extend(own.map(|a| a.id.to_string()));
            }
            Candidates::People => {
                let all = projects.iter().flat_map(|p| p.grants.iter().map(|(who, _)| who).chain([&p.owner]));
                names.extend(all.filter(|who| **who != person).map(|who| who.short().to_owned()));
            }
            Candidates::Words(_) | Candidates::Nothing => {}
        }
        Ok(names)
    }
}

impl Names for Known {
    fn names(&self, of: &Candidates) -> Vec<String> {
        self.runtime.block_on(self.find(of)).unwrap_or_default()
    }
}
