//! How a release stands: its workloads, their pods, and where they are reached.
//!
//! Invariant: read from the cluster when it is asked for, never remembered. What it means is worked out without asking anybody.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use serde::Serialize;
use serde_json::Value;

use super::Target;
use super::calls::Calls;
use super::endpoints::{Endpoint, endpoints};
use super::kinds::{CLAIM, EVENT, Key, Kind, NODE, POD, RARE};
use super::live::Live;
use super::rollout::{self, Stand, Wanted};
use crate::runtime::kubernetes::release::NAME;
use crate::runtime::kubernetes::seen::{EventSeen, PodSeen, State};
use crate::runtime::kubernetes::trouble::Trouble;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Overall {
    Ready,
    /// On its way.
    Progressing,
    /// It serves, and not with all that is wanted.
    Degraded,
    Failed,
    /// Nothing of it runs in the cluster.
    Gone,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    pub overall: Overall,
    pub workloads: Vec<WorkloadStatus>,
    pub endpoints: Vec<Endpoint>,
    /// Name and phase: `Bound`, `Pending`, `Lost`.
    pub claims: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkloadStatus {
    pub kind: String,
    pub name: String,
    pub image: String,
    pub desired: i64,
    pub ready: i64,
    /// Pods of what was applied last.
    pub updated: i64,
    pub restarts: i32,
    /// Seconds since it was made.
    pub age: Option<i64>,
    /// What it is about, in a few words.
    pub doing: String,
    /// What is wrong, as sentences.
    pub trouble: Option<String>,
    pub pods: Vec<PodStatus>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PodStatus {
    pub name: String,
    pub node: Option<String>,
    pub ready: bool,
    pub phase: String,
    pub restarts: i32,
}

/// What was found of a release.
#[derive(Debug, Default)]
pub struct Found {
    /// Workloads, Services, Ingresses, claims.
    pub objects: Vec<Value>,
    pub pods: Vec<Value>,
    pub events: Vec<Value>,
    /// None: they may not be seen.
    pub nodes: Option<Vec<Value>>,
}

pub async fn status(target: &Target) -> Result<Status, Trouble> {
    let calls = Calls::new(target);
    let selector = calls.selector();
    let kinds = ["Deployment", "StatefulSet", "DaemonSet", "Job", "Service", "Ingress", CLAIM];
    let lists = kinds.iter().filter_map(|kind| Kind::of(kind)).map(async |kind| match calls.list(kind, &selector).await {
        Err(Trouble::Forbidden(_)) if RARE.contains(&kind.kind) => Ok(Vec::new()),
        Ok(mut found) => {
            // Items of a list do not say what they are.
            found.iter_mut().for_each(|object| object["kind"] = kind.kind.into());
            Ok(found)
        }
        Err(trouble) => Err(trouble),
    });
    let (lists, pods) = tokio::join!(futures_util::future::join_all(lists), calls.list(&POD, &selector));
    let objects: Vec<Value> = lists.into_iter().collect::<Result<Vec<_>, Trouble>>()?.concat();
    let mut found = Found { objects, pods: pods?, events: Vec::new(), nodes: None };
    if found.objects.iter().any(|object| object["spec"]["type"] == "NodePort") {
        found.nodes = calls.list(&NODE, "").await.ok();
    }
    // Events are many, and only of use where something is wrong.
    let now = Timestamp::now();
    let status = of(&found, now);
    if matches!(status.overall, Overall::Ready | Overall::Gone) {
        return Ok(status);
    }
    found.events = calls.list(&EVENT, "").await.unwrap_or_default();
    Ok(of(&found, now))
}

/// What was found means.
pub fn of(found: &Found, now: Timestamp) -> Status {
    let mut live = Live::default();
    for pod in &found.pods {
        let Ok(pod) = serde_json::from_value::<k8s_openapi::api::core::v1::Pod>(pod.clone()) else { continue };
        let workload = pod.metadata.labels.as_ref().and_then(|labels| labels.get(NAME)).cloned().unwrap_or_default();
        let seen = PodSeen::of(&pod, &workload);
        live.pods.insert(seen.name.clone(), (workload, seen));
    }
    let events = found.events.iter().filter_map(|event| serde_json::from_value::<Event>(event.clone()).ok());
    live.events = events.map(|event| EventSeen::from(&event)).collect();
    live.events.sort_by_key(|event| event.at);
    for object in &found.objects {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        live.objects.insert(Key::new(object["kind"].as_str().unwrap_or_default(), name), object.clone());
    }
    let workloads: Vec<WorkloadStatus> =
        live.objects.iter().filter(|(key, _)| key.is_workload()).map(|(key, object)| workload(&live, key, object, now)).collect();
    let claims = live.objects.iter().filter(|(key, _)| key.is_claim());
    let claims = claims
        .map(|(key, claim)| (key.name.clone(), claim["status"]["phase"].as_str().unwrap_or("Pending").to_owned()))
        .collect();
    let overall = overall(&workloads);
    Status { overall, endpoints: endpoints(&found.objects, found.nodes.as_deref()), workloads, claims }
}

fn overall(workloads: &[WorkloadStatus]) -> Overall {
    let late = |workload: &&WorkloadStatus| workload.ready < workload.desired || workload.trouble.is_some();
    let late: Vec<&WorkloadStatus> = workloads.iter().filter(late).collect();
    if workloads.is_empty() {
        return Overall::Gone;
    }
    if late.is_empty() {
        return Overall::Ready;
    }
    // Nothing of it serves, and it will not mend itself.
    if late.iter().any(|workload| workload.trouble.is_some() && workload.ready == 0) {
        return Overall::Failed;
    }
    match late.iter().any(|workload| workload.trouble.is_some()) {
        true => Overall::Degraded,
        false => Overall::Progressing,
    }
}

fn workload(live: &Live, key: &Key, object: &Value, now: Timestamp) -> WorkloadStatus {
    let label = object["metadata"]["labels"][NAME].as_str();
    let name = label.unwrap_or(&key.name).to_owned();
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let wanted = Wanted { key: key.clone(), workload: name.clone(), uid, ..Wanted::default() };
    let status = &object["status"];
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    let (desired, ready, updated) = match key.kind.as_str() {
        "Job" => {
            let done = number(&status["succeeded"]);
            (1, done.min(1), done.max(number(&status["active"])))
        }
        "DaemonSet" => {
            (number(&status["desiredNumberScheduled"]), number(&status["numberReady"]), number(&status["updatedNumberScheduled"]))
        }
        _ => (
            object["spec"]["replicas"].as_i64().unwrap_or(1),
            number(&status["readyReplicas"]),
            number(&status["updatedReplicas"]),
        ),
    };
    let pods: Vec<&PodSeen> = live.pods_of(&name).collect();
    let restarts = |pod: &PodSeen| pod.agent.as_ref().map_or(0, |container| container.restarts);
    let (doing, trouble) = match rollout::stand(live, &wanted) {
        Stand::Done(text) | Stand::Going(text) | Stand::Started(text) => (text, None),
        Stand::Failing(why) => ("does not come up".to_owned(), Some(why.sentence())),
        Stand::Gone => ("is being deleted".to_owned(), None),
    };
    let created: Option<Timestamp> = object["metadata"]["creationTimestamp"].as_str().and_then(|time| time.parse().ok());
    let shown = |pod: &&PodSeen| PodStatus {
        name: pod.name.clone(),
        node: pod.node.clone(),
        ready: pod.ready,
        phase: if pod.deleting { "Terminating".to_owned() } else { pod.phase.clone() },
        restarts: restarts(pod),
    };
    WorkloadStatus {
        kind: key.kind.clone(),
        image: object["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_owned(),
        desired,
        ready,
        updated,
        restarts: pods.iter().map(|pod| restarts(pod)).sum(),
        age: created.map(|created| now.as_second() - created.as_second()),
        trouble: trouble.or_else(|| pods.iter().find_map(|pod| fell(pod))),
        doing,
        pods: pods.iter().map(shown).collect(),
        name,
    }
}

/// A container that fell over not long ago, though it runs again.
fn fell(pod: &PodSeen) -> Option<String> {
    let container = pod.agent.as_ref()?;
    let ended = container.last.as_ref().filter(|_| container.restarts > 0 && !pod.ready)?;
    matches!(container.state, State::Running).then(|| {
        let why = if ended.reason == "OOMKilled" { ", since it took more memory than its limit" } else { "" };
        format!(
            "Its container ended with exit code {}{why}, was started again ({} times) and is not ready yet.",
            ended.code, container.restarts
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(ready: i64) -> Value {
        json!({ "kind": "Deployment", "metadata": { "name": "web", "uid": "u", "generation": 1, "labels": { NAME: "web" },
                "creationTimestamp": "2026-01-01T00:00:00Z" },
            "spec": { "replicas": 2, "selector": {}, "template": { "spec": { "containers": [{ "name": "web", "image": "acme/web:2" }] } } },
            "status": { "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": ready, "availableReplicas": ready } })
    }

    fn pod(name: &str, state: Value, restarts: i32) -> Value {
        json!({ "metadata": { "name": name, "uid": name, "labels": { NAME: "web" } }, "spec": { "containers": [] },
            "status": { "phase": "Running", "containerStatuses": [{ "name": "web", "image": "acme/web:2", "imageID": "", "ready": false,
                "restartCount": restarts, "state": state, "lastState": { "terminated": { "exitCode": 3, "reason": "Error" } } }] } })
    }

    fn status(objects: Vec<Value>, pods: Vec<Value>) -> Status {
        of(&Found { objects, pods, ..Found::default() }, "2026-01-01T01:00:00Z".parse().unwrap())
    }

    #[test]
    fn how_a_release_stands() {
        assert_eq!(status(Vec::new(), Vec::new()).overall, Overall::Gone);
        let whole = status(vec![deployment(2)], Vec::new());
        let web = &whole.workloads[0];
        assert_eq!((whole.overall, web.ready, web.age, web.image.as_str()), (Overall::Ready, 2, Some(3600), "acme/web:2"));
        assert_eq!(status(vec![deployment(1)], Vec::new()).overall, Overall::Progressing);
        let crashed = || vec![pod("web-1", json!({ "waiting": { "reason": "CrashLoopBackOff" } }), 4)];
        let degraded = status(vec![deployment(1)], crashed());
        assert_eq!((degraded.overall, degraded.workloads[0].restarts), (Overall::Degraded, 4));
        let failed = status(vec![deployment(0)], crashed());
        let why = failed.workloads[0].trouble.clone().unwrap();
        assert!(failed.overall == Overall::Failed && why.contains("exit code 3"), "{why}");
    }
}
