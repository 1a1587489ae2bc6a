//! From a running agent to none, and from a project to nothing that is left of it.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::api::Cluster;
use super::objects::Kind;
use super::options::Options;
use super::trouble::Trouble;
use super::view::Key;
use crate::model::ProjectId;

/// How long a pod may take beyond its grace period before its node counts as lost.
const LOST: Duration = Duration::from_secs(30);
/// How long a namespace may take to end.
const ENDING: Duration = Duration::from_secs(90);

/// Waits until no pod of a project is left. One whose node no longer answers is taken out of the records.
pub async fn pods_gone(cluster: &Cluster, options: &Options, project: &ProjectId) -> Result<(), Trouble> {
    let mut watch = cluster.view.project(project);
    let patience = options.stop_grace + LOST;
    let mut dropped = Vec::new();
    for last in [false, true] {
        let deadline = Instant::now() + patience;
        loop {
            let seen = watch.borrow_and_update().clone();
            if seen.pods.is_empty() {
                return Ok(());
            }
            // Nobody takes away what was put out by its node, or failed in another way.
            for pod in seen.pods.iter().filter(|p| !p.deleting && matches!(p.phase.as_str(), "Failed" | "Succeeded")) {
                if !dropped.contains(&pod.uid) {
                    dropped.push(pod.uid.clone());
                    cluster.drop_pod(&pod.namespace, &pod.name).await?;
                }
            }
            tokio::select! {
                _ = watch.changed() => {}
                () = sleep_until(deadline) => break,
            }
        }
        let left = watch.borrow().pods.clone();
        let Some(first) = left.first() else { return Ok(()) };
        if last {
            return Err(Trouble::Other(format!("the pod {} does not end", first.name)));
        }
        // Perhaps they are gone, and nobody told us.
        cluster.refresh(project, &first.namespace).await?;
        let left = watch.borrow_and_update().pods.clone();
        for pod in left {
            tracing::warn!(pod = pod.name, node = pod.node, "a pod does not end: its node is taken for lost");
            cluster.drop_pod(&pod.namespace, &pod.name).await?;
        }
    }
    Ok(())
}

/// Deletes everything of a project but, if wanted, its disk.
pub async fn delete_objects(
    cluster: &Cluster,
    project: &ProjectId,
    namespace: &str,
    secret: &str,
    keep_data: bool,
) -> Result<(), Trouble> {
    let mut keys: Vec<Key> = cluster.view.of_project(project).into_iter().map(|(key, _)| key).collect();
    keys.retain(|key| !(keep_data && key.kind == Kind::Claim));
    let secret = Key { kind: Kind::Secret, namespace: namespace.to_owned(), name: secret.to_owned() };
    if !keys.contains(&secret) {
        keys.push(secret);
    }
    // The Deployment first: what it still makes would miss the rest.
    keys.sort_by_key(|key| (key.kind != Kind::Deployment, key.clone()));
    let (deployments, others): (Vec<Key>, Vec<Key>) = keys.into_iter().partition(|k| k.kind == Kind::Deployment);
    for key in &deployments {
        cluster.delete(key).await?;
    }
    let results = futures_util::future::join_all(others.iter().map(|key| cluster.delete(key))).await;
    results.into_iter().collect()
}

/// Waits until the watches no longer show anything of a project.
pub async fn objects_gone(cluster: &Cluster, project: &ProjectId, keep_data: bool) -> Result<(), Trouble> {
    let left = |view: &super::view::View| {
        view.of_project(project)
            .into_iter()
            .map(|(key, _)| key)
            .find(|key| key.kind != Kind::Secret && !(keep_data && key.kind == Kind::Claim))
    };
    tokio::select! {
        () = cluster.view.until(|view| left(view).is_none()) => Ok(()),
        () = tokio::time::sleep(ENDING) => {
            let what = left(&cluster.view).map(|key| key.to_string()).unwrap_or_default();
            Err(Trouble::Other(format!("{what} does not go; something in the cluster holds it (a finalizer)")))
        }
    }
}

/// After the last project of an owner: the namespace goes if it is ours and empty, else what we put into it for all of them.
/// The caller keeps others from making anything in it meanwhile.
pub async fn leave_namespace(cluster: &Cluster, namespace: &str) -> Result<Option<String>, Trouble> {
    // What is being deleted already goes with it.
    let ours = cluster.view.in_namespace(namespace);
    if ours.iter().any(|(key, known)| known.project.is_some() && !known.deleting && key.kind != Kind::Secret)
        || cluster.view.pods_in(namespace) > 0
    {
        return Ok(None);
    }
    let key = Key { kind: Kind::Namespace, namespace: String::new(), name: namespace.to_owned() };
    let foreign = match cluster.view.object(&key) {
        None => Some("it was not made by Gaggle".to_owned()),
        Some(_) => cluster.foreign(namespace).await?.map(|what| format!("{what} in it is not Gaggle's")),
    };
    if let Some(why) = foreign {
        for (key, _) in ours.into_iter().filter(|(_, known)| known.project.is_none()) {
            cluster.delete(&key).await?;
        }
        return Ok(Some(format!("The namespace {namespace} stays: {why}")));
    }
    end_namespace(cluster, namespace).await?;
    Ok(Some(format!("The namespace {namespace} is gone")))
}

/// Ends a namespace and waits until it is gone.
pub async fn end_namespace(cluster: &Cluster, namespace: &str) -> Result<(), Trouble> {
    let key = Key { kind: Kind::Namespace, namespace: String::new(), name: namespace.to_owned() };
    cluster.delete(&key).await?;
    tokio::select! {
        () = cluster.view.until(|view| view.object(&key).is_none()) => {
            // What the watches have not told yet went with it.
            for (key, _) in cluster.view.in_namespace(namespace) {
                cluster.view.forget(&key);
            }
            Ok(())
        }
        () = tokio::time::sleep(ENDING) => Err(Trouble::Terminating(namespace.to_owned())),
    }
}
