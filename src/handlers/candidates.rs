//! The things that an argument may name: those that somebody can see, and nobody else's.

use gaggle_commands::Candidates;

use super::Context;
use crate::access::{self, Caller, Owners};
use crate::error::Result;

/// Sessions of a project that are offered, the newest first.
const SESSIONS: usize = 50;

pub async fn candidates(context: &Context, caller: &Caller, of: &Candidates) -> Result<Vec<String>> {
    let store = context.work.store();
    let mut names = Vec::new();
    match of {
        Candidates::Words(_) | Candidates::Nothing => return Ok(names),
        Candidates::Projects => {
            let projects = access::visible(store, caller).await?;
            names = Owners::load(store).await?.choices(&projects);
        }
        Candidates::Sessions => {
            for project in access::visible(store, caller).await? {
                let sessions = store.sessions_of(&project.id, SESSIONS).await?;
                let seen = sessions.into_iter().filter(|s| caller.sees(&s.session, &project));
                names.extend(seen.map(|s| s.session.id.to_string()));
            }
        }
        Candidates::Approvals => {
            let open = access::open_approvals(store, caller).await?;
            names.extend(open.into_iter().map(|(approval, ..)| approval.id.to_string()));
        }
        Candidates::Clusters => {
            names.extend(access::visible_clusters(store, &context.policy, caller).await?.into_iter().map(|cluster| cluster.name));
        }
        Candidates::Releases => {
            let all = access::visible_releases(store, &context.policy, caller).await?;
            names.extend(all.into_iter().map(|(release, _)| release.name));
            names.dedup();
        }
        Candidates::Services => {
            for file in super::service::visible(context, caller).await? {
                // One that is wrong has none.
                let Ok(surveyed) = context.catalogue.survey(&file).await else { continue };
                names.push(file.name.clone());
                names
                    .extend(super::service::services(&surveyed.project).iter().map(|service| format!("{}:{service}", file.name)));
            }
        }
        Candidates::People => {
            let projects = store.projects_of(&caller.person).await?;
            let all = projects.iter().flat_map(|p| p.grants.iter().map(|(who, _)| who).chain([&p.owner]));
            names.extend(all.filter(|who| **who != caller.person).map(|who| who.short().to_owned()));
            names.sort();
            names.dedup();
        }
    }
    Ok(names)
}
