//! What carries our labels in the cluster, kept up to date by one watch a kind.
//!
//! Invariants: nothing is listed again and again, however many projects there are; a watch that says nothing for too long is begun
//! anew, so that a dead connection cannot hide a change for ever. Changes nothing in the cluster.

mod events;
mod follow;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::DynamicObject;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::follow::watched;
use super::fields;
use super::objects::{HASH, INSTANCE, Kind, MANAGED_BY, Manifest, PROJECT};
use super::seen::{DeploymentSeen, PodSeen, Seen};
use crate::model::{Project, ProjectId};
use crate::runtime::RuntimeEvent;

/// How long the server keeps a watch open, in seconds. Below the client's own patience with silence.
pub const WATCH: u32 = 55;
const PODS: &str = "Pod";
/// Pauses before a watch that failed is begun again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Which object is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub kind: Kind,
    /// Empty for namespaces.
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn of(manifest: &Manifest) -> Self {
        Self { kind: manifest.kind, namespace: manifest.namespace.clone().unwrap_or_default(), name: manifest.name.clone() }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind.shown(), self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind.shown(), self.name),
        }
    }
}

/// An object of ours, as the cluster has it.
#[derive(Debug, Clone)]
pub struct Known {
    pub uid: String,
    pub project: Option<ProjectId>,
    /// Of the manifest that was applied last.
    pub hash: Option<String>,
    pub deleting: bool,
    /// What we hold of it, as the server tells: `fieldsV1` of our applies.
    pub held: String,
    /// What others changed of it since.
    pub drift: Option<String>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Known>,
    projects: HashMap<ProjectId, watch::Sender<Seen>>,
    synced: HashSet<&'static str>,
    /// Watches that fail at the moment, and how.
    failing: BTreeMap<&'static str, String>,
    /// Namespaces whose events are read, and by how many.
    listened: HashMap<String, (usize, tokio::task::JoinHandle<()>)>,
}

pub struct View {
    state: Mutex<State>,
    /// Counts changes of any kind.
    version: watch::Sender<u64>,
    happens: mpsc::Sender<RuntimeEvent>,
    selector: String,
    instance: String,
    ended: CancellationToken,
}

impl View {
    pub fn new(instance: &str, happens: mpsc::Sender<RuntimeEvent>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            version: watch::Sender::new(0),
            happens,
            selector: format!("{MANAGED_BY}=gaggle,{INSTANCE}={instance}"),
            instance: instance.to_owned(),
            ended: CancellationToken::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn instance(&self) -> &str {
        &self.instance
    }

    pub fn carries_our_labels(&self, meta: &ObjectMeta) -> bool {
        let label = |name: &str| meta.labels.as_ref().and_then(|l| l.get(name)).map(String::as_str);
        label(MANAGED_BY) == Some("gaggle") && label(INSTANCE) == Some(&self.instance)
    }

    fn changed(&self) {
        self.version.send_modify(|n| *n += 1);
    }

    fn tell(&self, event: RuntimeEvent) {
        // A full queue loses nothing that lasts: the next change or resync tells the same.
        if self.happens.try_send(event).is_err() {
            tracing::debug!("more changes than can be looked at");
        }
    }

    /// Projects that are there, as those know them who applied them.
    fn tell_unknown(&self) {
        let projects: Vec<ProjectId> = self.state().projects.keys().cloned().collect();
        for project in projects {
            self.tell_found(&project);
        }
    }

    fn tell_found(&self, id: &ProjectId) {
        let found = self.state().projects.get(id).and_then(|seen| found(id, &seen.borrow()));
        if let Some(project) = found {
            self.tell(RuntimeEvent::Found(Box::new(project)));
        }
    }

    pub fn is_synced(&self) -> bool {
        self.state().synced.len() > watched().count()
    }

    /// Whether everything was told within that time.
    pub async fn synced(&self, patience: Duration) -> bool {
        timeout(patience, self.until(|view| view.is_synced())).await.is_ok()
    }

    /// Why not everything is known at the moment.
    pub fn failing(&self) -> Option<(&'static str, String)> {
        self.state().failing.iter().next().map(|(what, why)| (*what, why.clone()))
    }

    /// Waits for a condition; looked at with every change.
    pub async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let mut version = self.version.subscribe();
        loop {
            version.borrow_and_update();
            if condition(self) {
                return;
            }
            if version.changed().await.is_err() {
                return;
            }
        }
    }

    /// What is seen of a project now and from now on.
    pub fn project(&self, id: &ProjectId) -> watch::Receiver<Seen> {
        self.state().projects.entry(id.clone()).or_default().subscribe()
    }

    pub fn seen(&self, id: &ProjectId) -> Option<Seen> {
        self.state().projects.get(id).map(|seen| seen.borrow().clone())
    }

    pub fn object(&self, key: &Key) -> Option<Known> {
        self.state().objects.get(key).cloned()
    }

    /// Whether the cluster has exactly this already, all of it held by us. Of a Secret nobody tells.
    pub fn has(&self, manifest: &Manifest) -> bool {
        if manifest.kind == Kind::Secret {
            return false;
        }
        let state = self.state();
        let known = state.objects.get(&Key::of(manifest));
        known.is_some_and(|k| {
            !k.deleting
                && k.drift.is_none()
                && k.hash.as_deref() == Some(manifest.hash.as_str())
                && fields::holds(&k.held, &manifest.body)
        })
    }

    /// Everything of one project, by key.
    pub fn of_project(&self, id: &ProjectId) -> Vec<(Key, Known)> {
        self.state()
            .objects
            .iter()
            .filter(|(_, k)| k.project.as_ref() == Some(id))
            .map(|(key, k)| (key.clone(), k.clone()))
            .collect()
    }

    /// Everything of ours in a namespace.
    pub fn in_namespace(&self, namespace: &str) -> Vec<(Key, Known)> {
        self.state()
            .objects
            .iter()
            .filter(|(key, _)| key.namespace == namespace)
            .map(|(key, k)| (key.clone(), k.clone()))
            .collect()
    }

    pub fn pods_in(&self, namespace: &str) -> usize {
        self.state().projects.values().map(|seen| seen.borrow().pods.iter().filter(|p| p.namespace == namespace).count()).sum()
    }

    /// What others changed of a project.
    pub fn drift_of(&self, id: &ProjectId) -> Vec<String> {
        self.of_project(id).into_iter().filter_map(|(key, k)| k.drift.map(|d| format!("{key}: {d}"))).collect()
    }

    /// What a write of our own answered, ahead of the watch.
    pub fn wrote(&self, manifest: &Manifest, answer: &DynamicObject) {
        let mut state = self.state();
        state.objects.insert(Key::of(manifest), known(&answer.metadata, None));
        drop(state);
        self.changed();
    }

    /// We are about to delete it: that it goes is no surprise.
    pub fn deleting(&self, key: &Key) {
        if let Some(known) = self.state().objects.get_mut(key) {
            known.deleting = true;
        }
    }

    /// The answer to a deletion was that it is not there.
    pub fn forget(&self, key: &Key) {
        self.state().objects.remove(key);
        self.changed();
    }

    /// What a look past the watches found.
    pub fn refreshed(&self, id: &ProjectId, deployment: Option<&Deployment>, pods: &[Pod]) {
        {
            let mut state = self.state();
            let seen = state.projects.entry(id.clone()).or_default();
            let (deployment, pods) = (deployment.map(DeploymentSeen::from), pods.iter().map(PodSeen::from).collect::<Vec<_>>());
            seen.send_if_modified(|seen| {
                if seen.deployment == deployment && seen.pods == pods {
                    return false;
                }
                (seen.deployment, seen.pods) = (deployment, pods);
                true
            });
        }
        self.changed();
        self.tell(RuntimeEvent::Changed { project: id.clone() });
    }
}

fn key(kind: Kind, meta: &ObjectMeta) -> Key {
    Key { kind, namespace: meta.namespace.clone().unwrap_or_default(), name: meta.name.clone().unwrap_or_default() }
}

fn project_of(meta: &ObjectMeta) -> Option<ProjectId> {
    meta.labels.as_ref()?.get(PROJECT).map(|id| ProjectId(id.clone()))
}

fn hash_of(meta: &ObjectMeta) -> Option<String> {
    meta.annotations.as_ref()?.get(HASH).cloned()
}

fn known(meta: &ObjectMeta, drift: Option<String>) -> Known {
    Known {
        uid: meta.uid.clone().unwrap_or_default(),
        project: project_of(meta),
        hash: hash_of(meta),
        deleting: meta.deletion_timestamp.is_some(),
        held: fields::held(meta),
        drift,
    }
}

/// What others took of an object since we last looked, if it was not we who changed it.
fn drift(before: &Known, meta: &ObjectMeta) -> Option<String> {
    if before.held.is_empty() || before.hash != hash_of(meta) {
        return None;
    }
    let lost = fields::lost(&before.held, &fields::held(meta));
    if lost.is_empty() {
        return None;
    }
    let by = fields::last_other(meta).map(|by| format!(" by {by}")).unwrap_or_default();
    Some(format!("{} changed{by}", lost.join(", ")))
}

/// A project as its Deployment tells it.
fn found(id: &ProjectId, seen: &Seen) -> Option<Project> {
    let deployment = seen.deployment.as_ref().filter(|d| !d.deleting)?;
    let (name, owner) = (deployment.project_name.clone()?, deployment.owner.clone()?);
    let now = crate::model::Timestamp::now();
    Some(Project {
        id: id.clone(),
        owner: crate::model::PersonId(owner),
        name,
        status: crate::model::Status::Inactive,
        reason: None,
        cluster: None,
        settings: deployment.settings.as_deref().and_then(|s| serde_json::from_str(s).ok()).unwrap_or_default(),
        created: deployment.created.unwrap_or(now),
        used: now,
        grants: Vec::new(),
        keep_files: false,
    })
}
