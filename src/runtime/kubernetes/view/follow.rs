//! The watches themselves, and how what they tell changes the view.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DynamicObject};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use tokio::time::sleep;

use super::{Key, PAUSE, PODS, View, WATCH, drift, hash_of, key, known, project_of};
use crate::runtime::RuntimeEvent;
use crate::runtime::kubernetes::client::Clients;
use crate::runtime::kubernetes::objects::Kind;
use crate::runtime::kubernetes::seen::{DeploymentSeen, PodSeen, Seen};
use crate::runtime::kubernetes::trouble::{self, Trouble};

/// Secrets are not: whoever may watch them may read every secret of the cluster.
pub fn watched() -> impl Iterator<Item = Kind> {
    Kind::all().into_iter().filter(|kind| *kind != Kind::Secret)
}

/// What is told of an object, whatever its kind.
enum Told {
    Deployment(DeploymentSeen),
    Pod(Box<PodSeen>),
    Meta,
}

impl View {
    /// Begins all watches.
    pub fn start(self: &Arc<Self>, clients: &Clients) {
        let config = || watcher::Config::default().labels(&self.selector).timeout(WATCH);
        let pods: Api<Pod> = Api::all(clients.calls.clone());
        let deployments: Api<Deployment> = Api::all(clients.calls.clone());
        self.keep(self.clone().follow(PODS, watcher::watcher(pods, config()), |view, pod: &Pod| {
            view.pod_key(&pod.metadata).map(|key| (key, Told::Pod(Box::new(pod.into()))))
        }));
        self.keep(self.clone().follow(Kind::Deployment.shown(), watcher::watcher(deployments, config()), |_, d: &Deployment| {
            Some((key(Kind::Deployment, &d.metadata), Told::Deployment(d.into())))
        }));
        for kind in watched().filter(|k| *k != Kind::Deployment) {
            let api: Api<PartialObjectMeta<DynamicObject>> = Api::all_with(clients.calls.clone(), &kind.resource());
            let watch = watcher::watcher(api, config());
            self.keep(self.clone().follow(kind.shown(), watch, move |_, o: &PartialObjectMeta<DynamicObject>| {
                Some((key(kind, &o.metadata), Told::Meta))
            }));
        }
    }

    fn keep(&self, watch: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.ended.clone().run_until_cancelled_owned(watch));
    }

    /// Ends all watches. What they told stays.
    pub fn end(&self) {
        self.ended.cancel();
    }

    /// Pods are no objects of ours: they are kept with their project alone, under a key that is theirs.
    fn pod_key(&self, meta: &ObjectMeta) -> Option<Key> {
        project_of(meta)?;
        Some(key(Kind::Deployment, meta))
    }

    async fn follow<K: kube::Resource + Send + 'static>(
        self: Arc<Self>,
        what: &'static str,
        watch: impl Stream<Item = Result<Event<K>, watcher::Error>> + Send + 'static,
        told: impl Fn(&Self, &K) -> Option<(Key, Told)> + Send + 'static,
    ) {
        let mut watch = std::pin::pin!(watch);
        let mut pause = PAUSE.0;
        let mut listed: HashSet<Key> = HashSet::new();
        while let Some(event) = watch.next().await {
            match event {
                Ok(event) => {
                    if pause != PAUSE.0 {
                        self.state().failing.remove(what);
                        pause = PAUSE.0;
                    }
                    match event {
                        Event::Init => listed.clear(),
                        Event::InitApply(object) => {
                            if let Some((key, told)) = told(&self, &object) {
                                listed.insert(key.clone());
                                self.put(key, object.meta(), told);
                            }
                        }
                        Event::InitDone => self.listed(what, &std::mem::take(&mut listed)),
                        Event::Apply(object) => {
                            if let Some((key, told)) = told(&self, &object) {
                                self.put(key, object.meta(), told);
                            }
                        }
                        Event::Delete(object) => {
                            if let Some((key, told)) = told(&self, &object) {
                                self.removed(&key, object.meta(), &told);
                            }
                        }
                    }
                }
                Err(error) => {
                    // Said once; what follows is the same until it works again.
                    if pause == PAUSE.0 {
                        tracing::warn!(what, %error, "a watch on the cluster failed and is begun again");
                    }
                    self.state().failing.insert(what, trouble(error).short());
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
    }

    /// All of a kind was told: what was not among it is gone.
    fn listed(&self, what: &'static str, listed: &HashSet<Key>) {
        let mut state = self.state();
        if what == PODS {
            for seen in state.projects.values() {
                seen.send_if_modified(|seen| {
                    let before = seen.pods.len();
                    seen.pods.retain(|p| listed.iter().any(|k| k.name == p.name && k.namespace == p.namespace));
                    before != seen.pods.len()
                });
            }
        } else if let Some(kind) = Kind::all().into_iter().find(|k| k.shown() == what) {
            let gone: Vec<Key> = state.objects.keys().filter(|k| k.kind == kind && !listed.contains(*k)).cloned().collect();
            for key in gone {
                let known = state.objects.remove(&key);
                if kind == Kind::Deployment
                    && let Some(project) = known.and_then(|k| k.project)
                    && let Some(seen) = state.projects.get(&project)
                {
                    seen.send_modify(|seen| seen.deployment = None);
                }
            }
        }
        state.synced.insert(what);
        let whole = state.synced.len() > watched().count();
        drop(state);
        self.changed();
        if whole {
            self.tell(RuntimeEvent::Resynced);
            self.tell_unknown();
        }
    }

    fn put(&self, key: Key, meta: &ObjectMeta, told: Told) {
        let project = project_of(meta);
        let mut state = self.state();
        let mut standing = None;
        if let Some(id) = &project {
            let seen = state.projects.entry(id.clone()).or_default();
            let at = |seen: &Seen| (seen.standing(), seen.ready_pod().map(|p| p.uid.clone()));
            let before = at(&seen.borrow());
            match &told {
                Told::Pod(pod) => seen.send_modify(|seen| {
                    seen.pods.retain(|p| p.name != pod.name);
                    seen.pods.push((**pod).clone());
                }),
                Told::Deployment(deployment) => seen.send_modify(|seen| seen.deployment = Some(deployment.clone())),
                Told::Meta => {}
            }
            standing = (before != at(&seen.borrow())).then(|| id.clone());
        }
        if !matches!(told, Told::Pod(_)) {
            let drift = state.objects.get(&key).and_then(|before| drift(before, meta));
            if let Some(drift) = &drift {
                tracing::warn!(object = %key, drift, "an object of ours was changed by others");
            }
            let drift =
                drift.or_else(|| state.objects.get(&key).filter(|k| k.hash == hash_of(meta)).and_then(|k| k.drift.clone()));
            state.objects.insert(key, known(meta, drift));
        }
        let new = matches!(told, Told::Deployment(_)).then(|| project.clone()).flatten();
        drop(state);
        self.changed();
        if let Some(project) = standing {
            self.tell(RuntimeEvent::Changed { project });
        }
        if let Some(project) = new.filter(|_| self.is_synced()) {
            self.tell_found(&project);
        }
    }

    fn removed(&self, key: &Key, meta: &ObjectMeta, told: &Told) {
        let mut state = self.state();
        let project = project_of(meta);
        if let Some(seen) = project.as_ref().and_then(|id| state.projects.get(id)) {
            match told {
                Told::Pod(pod) => seen.send_modify(|seen| seen.pods.retain(|p| p.uid != pod.uid)),
                Told::Deployment(_) => seen.send_modify(|seen| seen.deployment = None),
                Told::Meta => {}
            }
        }
        if !matches!(told, Told::Pod(_)) {
            // A deletion of our own was taken out before it was asked for.
            let home = Key { kind: Kind::Namespace, namespace: String::new(), name: key.namespace.clone() };
            // What is in a namespace that ends goes with it.
            let expected = state.objects.get(&home).is_some_and(|known| known.deleting) || key.kind == Kind::Namespace;
            if state.objects.remove(key).is_some_and(|known| !known.deleting) && !expected {
                tracing::warn!(object = %key, "an object of ours was deleted in the cluster");
            }
        }
        if let Some(id) = &project
            && state.projects.get(id).is_some_and(|seen| seen.receiver_count() == 0 && seen.borrow().is_nothing())
            && !state.objects.values().any(|k| k.project.as_ref() == Some(id))
        {
            state.projects.remove(id);
        }
        drop(state);
        self.changed();
        if let Some(project) = project.filter(|_| !matches!(told, Told::Meta)) {
            self.tell(RuntimeEvent::Changed { project });
        }
    }
}

fn trouble(error: watcher::Error) -> Trouble {
    use watcher::Error as E;
    match error {
        E::InitialListFailed(error) | E::WatchStartFailed(error) | E::WatchFailed(error) => error.into(),
        E::WatchError(status) => trouble::of_status(&status),
        E::NoResourceVersion => Trouble::Other("an answer without a version".into()),
    }
}
