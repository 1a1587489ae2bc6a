//! What the cluster shows, and what is said of it. The cases that a real cluster plays are in `tests/cluster`.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Pod};
use serde_json::{Value, json};

use super::super::seen::{DeploymentSeen, EventSeen, PodSeen, Seen};
use super::*;

fn pod(status: Value) -> PodSeen {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "proj-abc-api-1-x", "namespace": "user-ann", "uid": "u1", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"nodeName": "n1", "containers": []},
        "status": status,
    }))
    .expect("a pod");
    PodSeen::from(&pod)
}

fn agent(state: Value, last: Value, restarts: i32) -> PodSeen {
    pod(json!({"phase": "Running", "containerStatuses": [
        {"name": "agent", "image": "acme/goose:1", "imageID": "", "ready": false, "restartCount": restarts, "state": state, "lastState": last}
    ]}))
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"waiting": {"reason": reason, "message": message}})
}

fn ended(reason: &str, code: i32) -> Value {
    json!({"terminated": {"reason": reason, "exitCode": code}})
}

fn event(reason: &str, message: &str) -> EventSeen {
    let event: Event = serde_json::from_value(json!({
        "metadata": {"name": reason, "uid": reason}, "type": "Warning", "reason": reason, "message": message,
        "involvedObject": {"kind": "Pod", "name": "proj-abc-api-1-x"},
    }))
    .expect("an event");
    EventSeen::from(&event)
}

fn seen(pods: Vec<PodSeen>, events: Vec<EventSeen>) -> Seen {
    Seen { pods, events, ..Seen::default() }
}

fn refusal(message: &str) -> Seen {
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "proj-abc-api", "generation": 2},
        "spec": {"replicas": 1, "selector": {}, "template": {}},
        "status": {"observedGeneration": 2, "conditions": [{"type": "ReplicaFailure", "status": "True", "message": message}]},
    }))
    .expect("a deployment");
    Seen { deployment: Some(DeploymentSeen::from(&deployment)), ..Seen::default() }
}

#[test]
fn what_is_said_of_what_is_shown() {
    let clone = |state: Value, last: Value| {
        pod(json!({"phase": "Pending", "initContainerStatuses": [
            {"name": "clone", "image": "git", "imageID": "", "ready": false, "restartCount": 1, "state": state, "lastState": last}
        ]}))
    };
    let unscheduled = |message: &str| {
        pod(
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}),
        )
    };
    let cases: Vec<(&str, Seen)> = vec![
        ("no pod at all", Seen::default()),
        ("quota", refusal(r#"pods "p" is forbidden: exceeded quota: gaggle, requested: pods=1, used: pods=2, limited: pods=2"#)),
        ("pod security", refusal(r#"pods "p" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true"#)),
        ("limit range", refusal(r#"pods "p" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi"#)),
        ("webhook", refusal(r#"admission webhook "policy.acme" denied the request: no"#)),
        ("no node", seen(vec![unscheduled("0/3 nodes are available: 3 Insufficient memory.")], vec![])),
        (
            "no disk",
            seen(
                vec![unscheduled("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.")],
                vec![event("ProvisioningFailed", "storageclass.storage.k8s.io \"fast\" not found")],
            ),
        ),
        (
            "mount",
            seen(vec![agent(waiting("ContainerCreating", ""), json!({}), 0)], vec![event("FailedMount", "volume x is in use")]),
        ),
        (
            "node away",
            seen(vec![agent(waiting("ContainerCreating", ""), json!({}), 0)], vec![event("NodeNotReady", "Node is not ready")]),
        ),
        ("image, first failure", seen(vec![agent(waiting("ErrImagePull", "not found"), json!({}), 0)], vec![])),
        ("image", seen(vec![agent(waiting("ImagePullBackOff", "Back-off pulling image"), json!({}), 0)], vec![])),
        ("image name", seen(vec![agent(waiting("InvalidImageName", "couldn't parse"), json!({}), 0)], vec![])),
        ("missing key", seen(vec![agent(waiting("CreateContainerConfigError", "secret \"x\" not found"), json!({}), 0)], vec![])),
        ("first crash", seen(vec![agent(waiting("CrashLoopBackOff", ""), ended("Error", 1), 0)], vec![])),
        ("crash loop", seen(vec![agent(waiting("CrashLoopBackOff", ""), ended("Error", 1), 1)], vec![])),
        ("no program", seen(vec![agent(waiting("CrashLoopBackOff", ""), ended("StartError", 127), 0)], vec![])),
        ("out of memory", seen(vec![agent(waiting("CrashLoopBackOff", ""), ended("OOMKilled", 137), 0)], vec![])),
        (
            "restarted by a probe",
            seen(
                vec![agent(waiting("CrashLoopBackOff", ""), ended("Error", 137), 1)],
                vec![event("Unhealthy", "Liveness probe failed: dial tcp: connection refused")],
            ),
        ),
        (
            "probe",
            seen(
                vec![agent(json!({"running": {}}), json!({}), 0)],
                vec![event("Unhealthy", "Startup probe failed: connection refused")],
            ),
        ),
        ("runs, not ready", seen(vec![agent(json!({"running": {}}), json!({}), 0)], vec![])),
        ("clone fails", seen(vec![clone(waiting("CrashLoopBackOff", ""), ended("Error", 128))], vec![])),
        ("clone is slow", seen(vec![clone(json!({"running": {}}), json!({}))], vec![])),
        (
            "evicted",
            seen(
                vec![pod(json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}))],
                vec![],
            ),
        ),
    ];
    let mut told = String::new();
    for (name, seen) in &cases {
        let now = hopeless(seen).map_or_else(|| "waits".to_owned(), |d| d.sentence());
        told.push_str(&format!("{name}\n  at once: {now}\n  at the deadline: {}\n", at_deadline(seen, "5 min").sentence()));
    }
    insta::assert_snapshot!("diagnoses", told);
}
