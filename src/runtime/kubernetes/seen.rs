//! What matters of a project's Deployment, pods and events, and how the project stands by it. Pure: knows no client.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::ResourceExt as _;

use super::{diagnose, objects};
use crate::model::Timestamp;
use crate::runtime::Standing;

/// The container that an agent runs in, and the one that clones before it.
pub const AGENT: &str = "agent";
pub const CLONE: &str = "clone";
/// Events that are kept of one project.
const EVENTS: usize = 40;

/// What a diagnosis speaks of: advice differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Subject {
    #[default]
    Project,
    Service,
}

impl Subject {
    pub fn pick(self, project: &'static str, service: &'static str) -> &'static str {
        match self {
            Self::Project => project,
            Self::Service => service,
        }
    }
}

/// All that is known of one project where it runs, or of one workload of a release.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    pub subject: Subject,
    pub deployment: Option<DeploymentSeen>,
    /// Why its pods cannot be made, where no Deployment tells.
    pub refusal: Option<String>,
    /// By name.
    pub pods: Vec<PodSeen>,
    /// The oldest first.
    pub events: Vec<EventSeen>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentSeen {
    pub namespace: String,
    pub name: String,
    pub replicas: i32,
    pub deleting: bool,
    /// Why its pods cannot even be made.
    pub replica_failure: Option<String>,
    /// Names of the project and its owner, and its settings, as they were when it was applied.
    pub project_name: Option<String>,
    pub owner: Option<String>,
    pub settings: Option<String>,
    /// Which key its server was made with.
    pub key_check: Option<String>,
    pub created: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PodSeen {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub created: Option<Timestamp>,
    pub phase: String,
    /// `Evicted`, `NodeLost`, … with the cluster's words.
    pub reason: Option<String>,
    pub message: Option<String>,
    pub node: Option<String>,
    pub ip: Option<String>,
    pub deleting: bool,
    pub ready: bool,
    /// Why it is not ready although it runs.
    pub not_ready: Option<String>,
    /// Why it has no node yet.
    pub unschedulable: Option<String>,
    pub clone: Option<ContainerSeen>,
    pub agent: Option<ContainerSeen>,
    /// What the container is called that counts.
    pub main: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ContainerSeen {
    pub image: String,
    pub restarts: i32,
    pub started: bool,
    pub state: State,
    pub last: Option<Ended>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum State {
    Waiting { reason: String, message: String },
    Running,
    Ended(Ended),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    pub reason: String,
    pub code: i32,
    pub signal: Option<i32>,
    pub message: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct EventSeen {
    pub uid: String,
    pub kind: String,
    pub object: String,
    pub reason: String,
    pub message: String,
    pub warning: bool,
    pub count: i32,
    pub at: Option<Timestamp>,
}

impl Seen {
    /// The pod that counts: the newest one that is not being ended.
    pub fn pod(&self) -> Option<&PodSeen> {
        let living = || self.pods.iter().filter(|p| !p.deleting && p.reason.as_deref() != Some("Evicted"));
        living().max_by_key(|p| (p.phase != "Failed", p.created)).or_else(|| self.pods.iter().max_by_key(|p| p.created))
    }

    pub fn ready_pod(&self) -> Option<&PodSeen> {
        self.pods.iter().find(|p| p.ready && !p.deleting)
    }

    pub fn wanted(&self) -> bool {
        self.deployment.as_ref().is_some_and(|d| d.replicas > 0 && !d.deleting)
    }

    pub fn is_nothing(&self) -> bool {
        self.deployment.is_none() && self.pods.is_empty()
    }

    pub fn standing(&self) -> Standing {
        let Some(deployment) = &self.deployment else {
            // Pods that are left have nobody who wants them.
            return Standing::Absent;
        };
        if deployment.deleting {
            return Standing::Absent;
        }
        if deployment.replicas == 0 {
            return if self.pods.is_empty() { Standing::Stopped } else { Standing::Stopping };
        }
        if self.ready_pod().is_some() {
            return Standing::Ready;
        }
        match diagnose::hopeless(self) {
            Some(why) => Standing::Failing(why.sentence()),
            None => Standing::Starting,
        }
    }

    /// Keeps an event, each once and only so many.
    pub fn note(&mut self, event: EventSeen) {
        self.events.retain(|e| e.uid != event.uid);
        if self.events.len() >= EVENTS {
            self.events.remove(0);
        }
        self.events.push(event);
    }
}

impl From<&Deployment> for DeploymentSeen {
    fn from(deployment: &Deployment) -> Self {
        // Conditions of an earlier state of it say nothing of this one.
        let status = deployment.status.iter().filter(|s| s.observed_generation >= deployment.metadata.generation);
        let conditions = status.flat_map(|s| s.conditions.iter().flatten());
        let failure = conditions.filter(|c| c.type_ == "ReplicaFailure" && c.status == "True").find_map(|c| c.message.clone());
        let annotation = |key: &str| deployment.annotations().get(key).cloned();
        Self {
            namespace: deployment.namespace().unwrap_or_default(),
            name: deployment.name_any(),
            replicas: deployment.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1),
            deleting: deployment.metadata.deletion_timestamp.is_some(),
            replica_failure: failure,
            project_name: annotation(objects::NAME),
            owner: annotation(objects::OWNER_ID),
            settings: annotation(objects::SETTINGS),
            key_check: annotation(objects::KEY_CHECK),
            created: deployment.metadata.creation_timestamp.as_ref().map(|t| t.0),
        }
    }
}

impl From<&Pod> for PodSeen {
    fn from(pod: &Pod) -> Self {
        Self::of(pod, AGENT)
    }
}

impl PodSeen {
    /// A pod whose container of that name counts.
    pub fn of(pod: &Pod, main: &str) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        let condition = |kind: &str| status.conditions.iter().flatten().find(|c| c.type_ == kind);
        let named = |all: &Option<Vec<ContainerStatus>>, name: &str| {
            all.iter().flatten().find(|c| c.name == name).map(ContainerSeen::from)
        };
        let ready = condition("Ready");
        Self {
            namespace: pod.namespace().unwrap_or_default(),
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
            created: pod.metadata.creation_timestamp.as_ref().map(|t| t.0),
            phase: status.phase.clone().unwrap_or_else(|| "Unknown".into()),
            reason: status.reason.clone(),
            message: status.message.clone(),
            node: pod.spec.as_ref().and_then(|s| s.node_name.clone()),
            ip: status.pod_ip.clone(),
            deleting: pod.metadata.deletion_timestamp.is_some(),
            ready: ready.is_some_and(|c| c.status == "True"),
            not_ready: ready.filter(|c| c.status != "True").and_then(|c| c.message.clone()),
            unschedulable: condition("PodScheduled").filter(|c| c.status == "False").and_then(|c| c.message.clone()),
            clone: named(&status.init_container_statuses, CLONE),
            agent: named(&status.container_statuses, main),
            main: main.to_owned(),
        }
    }
}

impl From<&ContainerStatus> for ContainerSeen {
    fn from(status: &ContainerStatus) -> Self {
        let ended = |t: &k8s_openapi::api::core::v1::ContainerStateTerminated| Ended {
            reason: t.reason.clone().unwrap_or_default(),
            code: t.exit_code,
            signal: t.signal,
            message: t.message.clone().filter(|m| !m.trim().is_empty()),
        };
        let state = status.state.clone().unwrap_or_default();
        Self {
            image: status.image.clone(),
            restarts: status.restart_count,
            started: status.started.unwrap_or(false),
            state: match (&state.waiting, &state.running, &state.terminated) {
                (_, Some(_), _) => State::Running,
                (_, _, Some(t)) => State::Ended(ended(t)),
                (waiting, None, None) => State::Waiting {
                    reason: waiting.as_ref().and_then(|w| w.reason.clone()).unwrap_or_default(),
                    message: waiting.as_ref().and_then(|w| w.message.clone()).unwrap_or_default(),
                },
            },
            last: status.last_state.as_ref().and_then(|s| s.terminated.as_ref()).map(ended),
        }
    }
}

impl From<&Event> for EventSeen {
    fn from(event: &Event) -> Self {
        let object = &event.involved_object;
        let micro = event.event_time.as_ref().map(|t| t.0);
        Self {
            uid: event.uid().unwrap_or_default(),
            kind: object.kind.clone().unwrap_or_default(),
            object: object.name.clone().unwrap_or_default(),
            reason: event.reason.clone().unwrap_or_default(),
            message: event.message.clone().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "),
            warning: event.type_.as_deref() == Some("Warning"),
            count: event.count.unwrap_or(1),
            at: event.last_timestamp.as_ref().map(|t| t.0).or(micro).or(event.metadata.creation_timestamp.as_ref().map(|t| t.0)),
        }
    }
}
