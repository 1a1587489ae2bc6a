//! `/cluster remove`: what the cluster carries is told first, and what becomes of it.

use futures_util::future::join_all;

use super::cluster::reached_anew;
use super::{Context, Step, show};
use crate::access::{Authorized, Owners};
use crate::error::{Result, refused};
use crate::model::{ClusterId, Project, Reply, Values};

pub async fn remove(context: &Context, call: &Authorized, yes: bool) -> Result<Step> {
    let (cluster, _) = call.cluster()?;
    if cluster.is_own() {
        return refused("The cluster `default` is the one that Gaggle itself runs in; it cannot be removed from here.");
    }
    let store = context.work.store();
    let carried: Vec<String> = store
        .releases()
        .await?
        .into_iter()
        .filter(|release| release.cluster == cluster.id)
        .map(|release| format!("`{}` in `{}`", release.name, release.namespace))
        .collect();
    let projects = projects_in(context, &cluster.id).await?;
    if !yes && call.values.is_none() {
        let mut carries = match carried.is_empty() {
            true => String::new(),
            false => format!(
                " It carries {}: {}. They run on, and Gaggle forgets them.",
                show::count(carried.len(), "release"),
                carried.join(", ")
            ),
        };
        if !projects.is_empty() {
            let owners = Owners::load(store).await?;
            carries.push_str(&format!(
                " {} in it: {}. Their agents run on there, and nobody reaches them any more; delete the projects first to end them.",
                if projects.len() == 1 { "1 project is".to_owned() } else { format!("{} projects are", projects.len()) },
                projects.iter().map(|project| format!("`{}`", owners.project(project))).collect::<Vec<_>>().join(", ")
            ));
        }
        let question =
            format!("Remove the cluster `{}`? Its credentials go for good; what runs there runs on.{carries}", cluster.name);
        return Ok(Step::Ask(show::confirm(question), Values::default()));
    }
    for release in store.releases().await?.iter().filter(|release| release.cluster == cluster.id) {
        store.remove_release(&release.id).await?;
    }
    if !store.remove_cluster(&cluster.id).await? {
        return refused(format!("The cluster `{}` was removed in the meantime.", cluster.name));
    }
    // Starts that have begun are taken back while somebody can.
    let projects = projects_in(context, &cluster.id).await?;
    join_all(projects.iter().map(|project| context.work.let_go(&project.id))).await;
    reached_anew(context, &cluster.id).await;
    for project in &projects {
        context.work.strand(&project.id, &format!("Its cluster `{}` was removed from Gaggle.", cluster.name)).await?;
    }
    let forgotten = match carried.is_empty() {
        true => String::new(),
        false => format!(
            " {} there and forgotten here: {}.",
            if carried.len() == 1 { "Left running" } else { "All left running" },
            carried.join(", ")
        ),
    };
    let text = format!("Removed the cluster `{}` and its credentials.{forgotten}", cluster.name);
    Ok(Step::Reply(Reply::ok(text).with("clusters", [(); 0])))
}

async fn projects_in(context: &Context, cluster: &ClusterId) -> Result<Vec<Project>> {
    let all = context.work.store().all_projects().await?;
    Ok(all.into_iter().filter(|project| project.cluster.as_ref() == Some(cluster)).collect())
}
