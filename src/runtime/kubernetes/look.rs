//! What the cluster shows of a project at this moment, for people and for programs.

use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::api::Cluster;
use super::seen::{EventSeen, PodSeen, Seen, State};
use crate::model::{ProjectId, Timestamp};
use crate::runtime::Look;

/// Events that are shown.
const EVENTS: usize = 5;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

pub async fn look(cluster: &Cluster, project: &ProjectId, namespace: &str, seen: &Seen) -> Look {
    let mut look = Look::default();
    let mut line = |name: &str, value: String| look.lines.push((name.to_owned(), value));
    line("Namespace", namespace.to_owned());
    let pod = seen.pod();
    match pod {
        None => line("Pod", "none".to_owned()),
        Some(pod) => {
            line("Pod", format!("{} ({})", pod.name, phase(pod)));
            if let Some(node) = &pod.node {
                line("Node", node.clone());
            }
            if let Some(agent) = &pod.agent {
                line("Image", agent.image.clone());
                let last = agent
                    .last
                    .as_ref()
                    .map(|l| format!(" (the last one: {}, exit code {})", l.reason, l.code))
                    .unwrap_or_default();
                line("Restarts", format!("{}{last}", agent.restarts));
            }
        }
    }
    let used = match pod {
        Some(pod) => usage(cluster, pod).await,
        None => None,
    };
    if let Some((cpu, memory)) = &used {
        line("Uses", format!("{cpu} CPU, {memory} memory"));
    }
    let drift = cluster.view.drift_of(project);
    for what in &drift {
        line("Changed by others", what.clone());
    }
    let events = events(cluster, project, namespace).await;
    for event in events.iter().rev().take(EVENTS).rev() {
        let times = if event.count > 1 { format!(" ({} times)", event.count) } else { String::new() };
        line("Event", format!("{} {}: {}{times}", ago(event.at), event.reason, event.message));
    }
    look.data.insert("namespace".into(), json!(namespace));
    look.data.insert("pod".into(), pod.map_or(Value::Null, pod_data));
    look.data.insert("usage".into(), used.map_or(Value::Null, |(cpu, memory)| json!({"cpu": cpu, "memory": memory})));
    look.data.insert("drift".into(), json!(drift));
    let told = events
        .iter()
        .map(|e| json!({"reason": e.reason, "message": e.message, "warning": e.warning, "count": e.count, "at": e.at}));
    look.data.insert("events".into(), Value::Array(told.collect()));
    look
}

fn phase(pod: &PodSeen) -> String {
    if pod.deleting {
        return "ending".into();
    }
    if let Some(reason) = &pod.reason {
        return format!("{}, {reason}", pod.phase);
    }
    let waiting = pod.agent.as_ref().and_then(|a| match &a.state {
        State::Waiting { reason, .. } if !reason.is_empty() => Some(reason.clone()),
        _ => None,
    });
    match waiting {
        Some(reason) => format!("{}, {reason}", pod.phase),
        None if pod.ready => format!("{}, ready", pod.phase),
        None => format!("{}, not ready", pod.phase),
    }
}

fn pod_data(pod: &PodSeen) -> Value {
    json!({
        "name": pod.name,
        "phase": pod.phase,
        "ready": pod.ready,
        "node": pod.node,
        "ip": pod.ip,
        "reason": pod.reason,
        "image": pod.agent.as_ref().map(|a| &a.image),
        "restarts": pod.agent.as_ref().map_or(0, |a| a.restarts),
        "last_exit_code": pod.agent.as_ref().and_then(|a| a.last.as_ref()).map(|l| l.code),
    })
}

/// CPU and memory, if the cluster measures them.
async fn usage(cluster: &Cluster, pod: &PodSeen) -> Option<(String, String)> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", "PodMetrics"), "pods");
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.clients.calls.clone(), &pod.namespace, &resource);
    let metrics = timeout(PATIENCE, api.get_opt(&pod.name)).await.ok()?.ok()??;
    let usage = &metrics.data["containers"].as_array()?.iter().find(|c| c["name"] == super::seen::AGENT)?["usage"];
    Some((usage["cpu"].as_str()?.to_owned(), usage["memory"].as_str()?.to_owned()))
}

/// The oldest first.
async fn events(cluster: &Cluster, project: &ProjectId, namespace: &str) -> Vec<EventSeen> {
    let api: Api<Event> = Api::namespaced(cluster.clients.calls.clone(), namespace);
    let Ok(Ok(found)) = timeout(PATIENCE, api.list(&ListParams::default().limit(500))).await else { return Vec::new() };
    let prefix = format!("proj-{project}-");
    let mut events: Vec<EventSeen> = found.items.iter().map(EventSeen::from).filter(|e| e.object.starts_with(&prefix)).collect();
    events.sort_by_key(|e| e.at);
    events
}

fn ago(at: Option<Timestamp>) -> String {
    let Some(at) = at else { return String::new() };
    match Timestamp::now().duration_since(at).as_secs().max(0) {
        s @ 0..120 => format!("{s} s ago"),
        s @ 120..7_200 => format!("{} min ago", s / 60),
        s => format!("{} h ago", s / 3_600),
    }
}
