//! From a release to nothing that is left of it, but what is told to stay.
//!
//! Invariants: what waits for something goes before that; nothing without the release's label is deleted; a namespace goes only if
//! it was made for a release and nothing else is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use kube::api::{DeleteParams, ListParams, Preconditions, PropagationPolicy};
use kube::runtime::wait::{await_condition, conditions};
use tokio::time::timeout;

use super::calls::{Calls, Namespace};
use super::kinds::{KINDS, Key, Kind, NAMESPACE, POD, Part};
use super::live::Watching;
use super::{ID, Manifests, Target};
use crate::error::Error;
use crate::model::workload::Wait;
use crate::runtime::kubernetes::steps::Steps;
use crate::runtime::kubernetes::trouble::{Trouble, retried};

/// How long pods of one layer, or a namespace, may take to end.
const ENDING: Duration = Duration::from_secs(180);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deleted {
    pub gone: Vec<Key>,
    /// Claims that stay, with their data; the next deployment of the release takes them again.
    pub kept: Vec<String>,
    /// The namespace went too.
    pub namespace: bool,
    /// Why it stays although it was made for a release, as a sentence.
    pub stays: Option<String>,
}

/// `manifests`, if they are known, tell what waits for what.
pub async fn delete(
    target: &Target,
    manifests: Option<&Manifests>,
    keep_data: bool,
    steps: &crate::runtime::Steps,
) -> Result<Deleted, Error> {
    let steps = Steps(steps.clone());
    let calls = Calls::new(target);
    let waits = manifests.map(|manifests| manifests.waits.clone()).unwrap_or_default();
    match deleted(&calls, &waits, keep_data, &steps).await {
        Ok(deleted) => Ok(deleted),
        Err(trouble) => {
            steps.failed("delete", "Not everything is gone").await;
            Err(target.told(&trouble, &format!("deleting {}", target.shown())))
        }
    }
}

async fn deleted(calls: &Calls, waits: &BTreeMap<String, Vec<Wait>>, keep_data: bool, steps: &Steps) -> Result<Deleted, Trouble> {
    let mut told = Deleted::default();
    let namespace = calls.namespace().await?;
    if namespace == Namespace::Missing {
        steps.done("delete", "Nothing of it is there".to_owned()).await;
        return Ok(told);
    }
    let mut all = Vec::new();
    for (key, meta) in calls.ours().await? {
        match keep_data && key.is_claim() {
            true => told.kept.push(key.name),
            false => all.push((key, meta.uid)),
        }
    }
    told.gone = all.iter().map(|(key, _)| key.clone()).collect();
    steps.running("delete", format!("Removing {} objects, and waiting until they are gone", all.len())).await;
    clear(calls, all, waits).await?;
    steps.done("delete", format!("{} objects are gone", told.gone.len())).await;
    if namespace == Namespace::Ours && told.kept.is_empty() {
        steps.running("namespace", format!("Ending the namespace {}", calls.namespace)).await;
        told.stays = end_namespace(calls).await?;
        told.namespace = told.stays.is_none();
        let what = match &told.stays {
            None => format!("The namespace {} is gone", calls.namespace),
            Some(why) => why.clone(),
        };
        steps.done("namespace", what).await;
    }
    Ok(told)
}

/// Deletes objects of the release, workloads layer by layer, and waits until they are gone.
pub async fn clear(
    calls: &Calls,
    mut objects: Vec<(Key, Option<String>)>,
    waits: &BTreeMap<String, Vec<Wait>>,
) -> Result<(), Trouble> {
    if objects.is_empty() {
        return Ok(());
    }
    // Nobody watches Secrets: they go at once.
    let kinds = KINDS.iter().filter(|kind| kind.kind != "Secret" && objects.iter().any(|(key, _)| key.kind == kind.kind));
    let watching = Watching::start(calls, kinds);
    watching.synced().await?;
    // What leads to the workloads goes first, so that nobody is sent to what ends.
    let order = |key: &Key| match key.part() {
        Part::After => 0,
        Part::Workload => 1,
        Part::Before => 2,
    };
    objects.sort_by_key(|(key, _)| order(key));
    let mut layers: Vec<Vec<(Key, Option<String>)>> = Vec::new();
    let (workloads, others): (Vec<_>, Vec<_>) = objects.into_iter().partition(|(key, _)| key.is_workload());
    let (after, before): (Vec<_>, Vec<_>) = others.into_iter().partition(|(key, _)| key.part() == Part::After);
    layers.push(after);
    layers.extend(layered(workloads, waits));
    layers.push(before);
    for layer in layers.into_iter().filter(|layer| !layer.is_empty()) {
        let deletes = layer.iter().map(async |(key, uid)| {
            let how = if key.is_workload() { PropagationPolicy::Foreground } else { PropagationPolicy::Background };
            calls.delete(key, uid.clone(), how).await
        });
        join_all(deletes).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let keys: BTreeSet<&Key> = layer.iter().map(|(key, _)| key).collect();
        let mut live = watching.subscribe();
        let left = |live: &super::live::Live| {
            let object = live.objects.keys().find(|key| keys.contains(key)).map(ToString::to_string);
            let of = |workload: &str| keys.iter().any(|key| key.is_workload() && key.name == workload);
            object.or_else(|| live.pods.iter().find(|(_, (workload, _))| of(workload)).map(|(name, _)| format!("the pod {name}")))
        };
        let gone = timeout(ENDING, live.wait_for(|live| left(live).is_none())).await.is_ok();
        if !gone && let Some(what) = left(&live.borrow()) {
            return Err(Trouble::Other(format!("{what} does not go; a node that is lost or a finalizer holds it")));
        }
    }
    Ok(())
}

/// Those that nothing else waits for first.
fn layered(mut workloads: Vec<(Key, Option<String>)>, waits: &BTreeMap<String, Vec<Wait>>) -> Vec<Vec<(Key, Option<String>)>> {
    let mut layers = Vec::new();
    while !workloads.is_empty() {
        let names: BTreeSet<String> = workloads.iter().map(|(key, _)| key.name.clone()).collect();
        let wanted = |name: &str| {
            let others = waits.iter().filter(|(of, _)| names.contains(*of) && *of != name);
            others.flat_map(|(_, waits)| waits).any(|wait| wait.on == name)
        };
        let (kept, free): (Vec<_>, Vec<_>) = workloads.into_iter().partition(|(key, _)| wanted(&key.name));
        // A circle goes as a whole.
        let (layer, rest) = if free.is_empty() { (kept, Vec::new()) } else { (free, kept) };
        layers.push(layer);
        workloads = rest;
    }
    layers
}

/// Ends the namespace if it was made for a release and nothing else is in it. Why it stays, as a sentence.
pub async fn end_namespace(calls: &Calls) -> Result<Option<String>, Trouble> {
    let Some(live) = calls.get(&NAMESPACE, &calls.namespace).await? else { return Ok(None) };
    match others(calls).await {
        Ok(None) => {}
        Ok(Some(what)) => {
            return Ok(Some(format!("The namespace {} stays, since something else is in it: {what}", calls.namespace)));
        }
        Err(trouble) => {
            let why = trouble.short();
            return Ok(Some(format!(
                "The namespace {} stays, since it cannot be seen whether it is empty: {why}",
                calls.namespace
            )));
        }
    }
    let api = calls.api(&NAMESPACE);
    let uid = live["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let preconditions = Some(Preconditions { uid: Some(uid.clone()), resource_version: None });
    let how = DeleteParams { preconditions, ..DeleteParams::default() };
    match retried(|| api.delete(&calls.namespace, &how)).await {
        Ok(_) => {}
        Err(Trouble::NotFound(_)) => return Ok(None),
        Err(Trouble::Forbidden(why)) => return Ok(Some(format!("The namespace {} stays: {why}", calls.namespace))),
        Err(trouble) => return Err(trouble),
    }
    match timeout(ENDING, await_condition(api, &calls.namespace, conditions::is_deleted(&uid))).await {
        Ok(_) => Ok(None),
        Err(_) => Err(Trouble::Terminating(calls.namespace.clone())),
    }
}

/// Something in the namespace that is not this release's, nor made by the cluster for every namespace.
async fn others(calls: &Calls) -> Result<Option<String>, Trouble> {
    let more = [
        ("batch/v1", "CronJob", "cronjobs"),
        ("apps/v1", "ReplicaSet", "replicasets"),
        ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
        ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
        ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ];
    let more = more.map(|(api, kind, plural)| Kind::new(api, kind, plural));
    let how = ListParams::default().labels(&format!("{ID}!={}", calls.id)).limit(5);
    let how = &how;
    let looks = KINDS.iter().chain([&POD]).chain(&more).map(async |kind| {
        let api = calls.api(kind);
        let found = retried(|| api.list_metadata(how)).await?;
        let mut names = found.items.into_iter().filter_map(|object| object.metadata.name);
        let own = |name: &String| {
            matches!((kind.kind, name.as_str()), ("ConfigMap", "kube-root-ca.crt") | ("ServiceAccount", "default"))
        };
        Ok(names.find(|name| !own(name)).map(|name| format!("{} {name}", kind.kind)))
    });
    let found: Result<Vec<_>, Trouble> = join_all(looks).await.into_iter().collect();
    Ok(found?.into_iter().flatten().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::workload::Condition;

    #[test]
    fn what_waits_goes_first() {
        let wait = |on: &str| Wait { on: on.into(), condition: Condition::Healthy, required: true };
        let waits = BTreeMap::from([("web".into(), vec![wait("api")]), ("api".into(), vec![wait("db"), wait("gone")])]);
        let all = ["db", "web", "api", "mail"].map(|name| (Key::new("Deployment", name), None));
        let layers = layered(all.to_vec(), &waits);
        let names: Vec<Vec<&str>> = layers.iter().map(|layer| layer.iter().map(|(key, _)| key.name.as_str()).collect()).collect();
        assert_eq!(names, [vec!["web", "mail"], vec!["api"], vec!["db"]]);
    }
}
