//! How far a workload is on its way to what was applied, by what the cluster shows. Pure.
//!
//! Invariant: an answer about an earlier state of the workload counts for nothing: its controller must have seen this one.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::Value;

use super::kinds::Key;
use super::live::Live;
use crate::runtime::kubernetes::diagnose::{self, Diagnosis};
use crate::runtime::kubernetes::seen::{DeploymentSeen, PodSeen, Seen, State, Subject};

/// What was applied.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub key: Key,
    pub workload: String,
    /// Of the object as it was applied.
    pub uid: String,
    pub generation: i64,
    /// Pods that were there before: they tell nothing of what was applied. None, if it did not change.
    pub old: BTreeSet<String>,
    /// Events that had been told before, and how often.
    pub told: BTreeSet<(String, i32)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stand {
    /// Not yet; what is seen.
    Going(String),
    /// A container of it runs.
    Started(String),
    /// All that is wanted is ready, or ended well.
    Done(String),
    Failing(Diagnosis),
    /// Somebody deleted it.
    Gone,
}

/// How many pods are wanted, and how many of them are new and ready. None: its controller has not looked yet.
pub fn counts(object: &Value) -> Option<(i64, i64)> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    if number(&status["observedGeneration"]) < number(&object["metadata"]["generation"]) {
        return None;
    }
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    Some(match object["kind"].as_str().unwrap_or_default() {
        "Deployment" => {
            let old = number(&status["replicas"]) - number(&status["updatedReplicas"]);
            let ready = number(&status["updatedReplicas"]).min(number(&status["availableReplicas"]) - old.max(0)).max(0);
            (wanted, ready)
        }
        "StatefulSet" => {
            let new = match status["currentRevision"] == status["updateRevision"] {
                true => number(&status["replicas"]),
                false => number(&status["updatedReplicas"]),
            };
            (wanted, new.min(number(&status["availableReplicas"])))
        }
        "DaemonSet" => {
            let wanted = number(&status["desiredNumberScheduled"]);
            (wanted, number(&status["updatedNumberScheduled"]).min(number(&status["numberAvailable"])))
        }
        _ => (1, 0),
    })
}

/// Old pods that have not been told to end.
fn left(object: &Value) -> i64 {
    let status = &object["status"];
    match object["kind"] == "Deployment" {
        true => status["replicas"].as_i64().unwrap_or(0) - status["updatedReplicas"].as_i64().unwrap_or(0),
        false => 0,
    }
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == kind && c["status"] == "True")
}

/// What is known of a workload, as diagnoses take it.
pub fn seen(live: &Live, wanted: &Wanted) -> Seen {
    let fresh = |pod: &&PodSeen| !wanted.old.contains(&pod.uid);
    let pods: Vec<PodSeen> = live.pods_of(&wanted.workload).filter(fresh).cloned().collect();
    let object = live.objects.get(&wanted.key).filter(|_| wanted.key.kind == "Deployment");
    let deployment = object.and_then(|object| serde_json::from_value::<Deployment>(object.clone()).ok());
    let deployment = deployment.as_ref().map(DeploymentSeen::from);
    let mut events = live.events_of(&wanted.key.name);
    events.retain(|event| !wanted.told.contains(&(event.uid.clone(), event.count)));
    let refusal = events.iter().rev().find(|event| event.reason == "FailedCreate" && event.object == wanted.key.name);
    let refusal = refusal.filter(|_| pods.is_empty()).map(|event| event.message.clone());
    Seen { subject: Subject::Service, deployment, refusal, pods, events }
}

pub fn stand(live: &Live, wanted: &Wanted) -> Stand {
    let Some(object) = live.objects.get(&wanted.key).filter(|object| object["metadata"]["uid"] == *wanted.uid) else {
        return Stand::Going("waiting for the cluster".to_owned());
    };
    if object["metadata"]["deletionTimestamp"].is_string() {
        return Stand::Gone;
    }
    if object["metadata"]["generation"].as_i64().unwrap_or(0) < wanted.generation {
        return Stand::Going("waiting for the cluster".to_owned());
    }
    if wanted.key.kind == "Job" {
        return job(live, wanted, object);
    }
    let Some((all, ready)) = counts(object) else { return Stand::Going("waiting for the cluster".to_owned()) };
    if ready >= all && left(object) <= 0 {
        return Stand::Done(match all {
            0 => "no pod is wanted".to_owned(),
            all => format!("ready {all}/{all}"),
        });
    }
    let seen = seen(live, wanted);
    if let Some(why) = diagnose::hopeless(&seen) {
        return Stand::Failing(why);
    }
    let text = progress(&seen, all, ready);
    match seen.pods.iter().any(running) {
        true => Stand::Started(text),
        false => Stand::Going(text),
    }
}

fn job(live: &Live, wanted: &Wanted, object: &Value) -> Stand {
    if condition(object, "Complete").is_some() {
        return Stand::Done("ended well".to_owned());
    }
    let seen = seen(live, wanted);
    if let Some(failed) = condition(object, "Failed") {
        let words = failed["message"].as_str().unwrap_or_default().trim_end_matches('.');
        let mut code = seen.pods.iter().filter_map(|pod| match &pod.agent.as_ref()?.state {
            State::Ended(ended) => Some(format!(" (exit code {})", ended.code)),
            _ => None,
        });
        let code = code.next_back().unwrap_or_default();
        return Stand::Failing(Diagnosis {
            what: format!("Its job failed{code}: {words}."),
            next: "Check its image, `command` and variables; its last lines tell more.".to_owned(),
            words_of: Some((wanted.workload.clone(), false)),
        });
    }
    // A job that may fail again is given all its tries.
    let waits = |pod: &&PodSeen| pod.agent.as_ref().is_some_and(|c| matches!(c.state, State::Waiting { .. }));
    let crashing = seen.pods.iter().filter(waits).any(|pod| {
        pod.agent.as_ref().is_some_and(|c| matches!(&c.state, State::Waiting { reason, .. } if reason == "CrashLoopBackOff"))
    });
    if !crashing && let Some(why) = diagnose::hopeless(&seen).filter(|_| !seen.pods.iter().any(running)) {
        let ended = seen.pods.iter().all(|pod| matches!(pod.agent.as_ref().map(|c| &c.state), Some(State::Ended(_))));
        if !ended || seen.pods.is_empty() {
            return Stand::Failing(why);
        }
    }
    let text = progress(&seen, 1, 0);
    match seen.pods.iter().any(running) {
        true => Stand::Started("runs, and is waited for until it ends".to_owned()),
        false => Stand::Going(text),
    }
}

fn running(pod: &PodSeen) -> bool {
    !pod.deleting && pod.agent.as_ref().is_some_and(|container| matches!(container.state, State::Running))
}

/// One line: what the newest pod is about.
fn progress(seen: &Seen, all: i64, ready: i64) -> String {
    let Some(pod) = seen.pods.iter().filter(|pod| !pod.deleting && !pod.ready).max_by_key(|pod| pod.created) else {
        return match seen.pods.is_empty() {
            true => "waiting for its pods to be made".to_owned(),
            false => format!("ready {ready}/{all}"),
        };
    };
    if let Some(why) = &pod.unschedulable {
        return format!("waiting for a node: {}", why.trim_end_matches('.'));
    }
    let Some(container) = &pod.agent else { return format!("starting, ready {ready}/{all}") };
    match &container.state {
        State::Waiting { reason, .. } => match reason.as_str() {
            "ErrImagePull" | "ImagePullBackOff" => format!("the image {} cannot be pulled yet", container.image),
            "CrashLoopBackOff" => "its container ended and is started again".to_owned(),
            "ContainerCreating" | "PodInitializing" | "" => {
                let pulling = seen.events.iter().rev().filter(|event| event.object == pod.name);
                let last = pulling.into_iter().find(|event| matches!(event.reason.as_str(), "Pulling" | "Pulled"));
                match last.map(|event| event.reason.as_str()) {
                    Some("Pulling") => format!("pulling the image {}", container.image),
                    _ => format!("starting, ready {ready}/{all}"),
                }
            }
            other => format!("{other}, ready {ready}/{all}"),
        },
        State::Running => format!("runs, ready {ready}/{all}"),
        State::Ended(ended) => format!("its container ended with exit code {}", ended.code),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(generation: i64, status: Value) -> Value {
        json!({ "kind": "Deployment", "metadata": { "uid": "u", "generation": generation }, "spec": { "replicas": 2 }, "status": status })
    }

    fn stood(object: Value) -> Stand {
        let key = Key::new("Deployment", "web");
        let wanted = Wanted {
            key: key.clone(),
            workload: "web".into(),
            uid: "u".into(),
            generation: 2,
            old: BTreeSet::new(),
            told: BTreeSet::new(),
        };
        let mut live = Live::default();
        live.objects.insert(key, object);
        stand(&live, &wanted)
    }

    #[test]
    fn only_the_state_that_was_applied_counts() {
        let whole = json!({ "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 });
        assert_eq!(stood(deployment(1, whole.clone())), Stand::Going("waiting for the cluster".into()));
        assert_eq!(stood(deployment(2, whole)), Stand::Going("waiting for the cluster".into()));
        let whole = json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 });
        assert_eq!(stood(deployment(2, whole)), Stand::Done("ready 2/2".into()));
        // Two old ones still serve, one new one is not ready.
        let between = json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 2 });
        assert_eq!(counts(&deployment(2, between.clone())), Some((2, 0)));
        assert!(matches!(stood(deployment(2, between)), Stand::Going(_)));
    }

    #[test]
    fn a_quota_is_told_at_once() {
        let refused = json!({ "observedGeneration": 2, "conditions": [
            { "type": "ReplicaFailure", "status": "True", "message": "pods \"x\" is forbidden: exceeded quota: q, used: pods=1" }] });
        let mut object = deployment(2, refused);
        object["spec"]["selector"] = json!({});
        object["spec"]["template"] = json!({});
        let Stand::Failing(why) = stood(object) else { panic!("it fails") };
        assert!(why.sentence().contains("exceeded quota") && !why.sentence().contains("/project"), "{why:?}");
    }
}
