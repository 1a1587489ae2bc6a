//! Small changes to workloads that run: started anew, or other numbers of pods.
//!
//! Invariant: none of them shows as drift, and the next deployment does not undo them.

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::calls::{Calls, How};
use super::kinds::Kind;
use super::plan::{autoscaler, owner};
use super::{ID, Manifests, Target};
use crate::error::{Result, refused};
use crate::runtime::kubernetes::release::Object;
use crate::runtime::kubernetes::trouble::retried;

/// What `kubectl rollout restart` writes, too.
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";
/// Another than that of our applies, which would take the annotation away again.
const MANAGER: &str = "gaggle-restart";

fn workload<'a>(manifests: &'a Manifests, name: &str) -> Result<(usize, &'a Object)> {
    let is = |object: &Object| {
        Kind::of(object.kind).is_some_and(|kind| kind.part == super::kinds::Part::Workload)
            && (object.workload.as_deref() == Some(name) || object.name == name)
    };
    match manifests.objects.iter().enumerate().find(|(_, object)| is(object)) {
        Some(found) => Ok(found),
        None => refused(format!("There is no workload `{name}` in this release.")),
    }
}

/// Replaces the pods of a workload, one by one where it is kept so.
pub async fn restart(target: &Target, manifests: &Manifests, name: &str) -> Result<()> {
    let (_, object) = workload(manifests, name)?;
    let Some(kind) = Kind::of(object.kind).filter(|kind| kind.kind != "Job") else {
        return refused(format!("`{name}` is a job: it runs once. Deploy it with a change to run it again."));
    };
    let calls = Calls::new(target);
    let doing = format!("restarting `{name}`");
    ours(&calls, target, kind, object, &doing).await?;
    let noted = json!({ RESTARTED: Timestamp::now().to_string() });
    let patch = Patch::Merge(json!({ "spec": { "template": { "metadata": { "annotations": noted } } } }));
    let how = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let api = calls.api(kind);
    retried(|| api.patch(&object.name, &how, &patch)).await.map_err(|trouble| target.told(&trouble, &doing))?;
    Ok(())
}

/// Sets how many pods a workload has. `manifests` have the new number then, for the caller to keep. How many there were.
pub async fn scale(target: &Target, manifests: &mut Manifests, name: &str, replicas: u32) -> Result<u32> {
    let (at, object) = workload(manifests, name)?;
    let Some(kind) = Kind::of(object.kind).filter(|kind| matches!(kind.kind, "Deployment" | "StatefulSet")) else {
        return refused(format!("`{name}` is a {}: the number of its pods cannot be set.", object.kind));
    };
    let calls = Calls::new(target);
    let doing = format!("scaling `{name}`");
    let live = ours(&calls, target, kind, object, &doing).await?;
    if let Some(by) = autoscaler(&live) {
        return refused(format!("{by} decides how many pods `{name}` has; change its bounds instead."));
    }
    let mut object = object.clone();
    object.body["spec"]["replicas"] = replicas.into();
    let uid = live["metadata"]["uid"].as_str().map(str::to_owned);
    // The whole of it: an apply of this field alone would give up all others.
    let how = How { dry: false, force: true, uid };
    calls.apply(&object, how).await.map_err(|trouble| target.told(&trouble, &doing))?;
    manifests.objects[at] = object;
    Ok(live["spec"]["replicas"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(1))
}

async fn ours(calls: &Calls, target: &Target, kind: &Kind, object: &Object, doing: &str) -> Result<serde_json::Value> {
    let live = calls.get(kind, &object.name).await.map_err(|trouble| target.told(&trouble, doing))?;
    match live {
        None => refused(format!("The {} {} is gone from the cluster; deploying again makes it anew.", kind.kind, object.name)),
        Some(live) if live["metadata"]["labels"][ID] != *target.id => {
            refused(format!("The {} {} belongs to {}; it is left alone.", kind.kind, object.name, owner(&live)))
        }
        Some(live) => Ok(live),
    }
}
