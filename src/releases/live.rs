//! What the cluster shows of one release, kept up to date by one watch a kind for as long as somebody looks.
//!
//! Invariants: nothing is asked for again and again; a watch that fails is begun anew. Ends with its owner. Watches no Secret:
//! who may watch them may read them all.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::{Event as Told, Pod};
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::calls::Calls;
use super::kinds::{EVENT, Key, Kind, POD};
use crate::runtime::kubernetes::release::NAME;
use crate::runtime::kubernetes::seen::{EventSeen, PodSeen};
use crate::runtime::kubernetes::trouble::{self, Trouble};

/// How long the server keeps a watch open, in seconds: below the client's own patience with silence.
const OPEN: u32 = 55;
/// How long everything may take to be told at first.
const SYNC: Duration = Duration::from_secs(20);
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// Events that are kept.
const EVENTS: usize = 400;

#[derive(Debug, Default)]
pub struct Live {
    pub objects: BTreeMap<Key, Value>,
    /// By name: the workload, the pod, and the annotation that tells what it was made from.
    pub pods: BTreeMap<String, (String, PodSeen)>,
    /// The oldest first.
    pub events: Vec<EventSeen>,
    synced: Vec<&'static str>,
    failing: BTreeMap<&'static str, Trouble>,
}

impl Live {
    pub fn pods_of<'a>(&'a self, workload: &'a str) -> impl Iterator<Item = &'a PodSeen> {
        self.pods.values().filter(move |(of, _)| of == workload).map(|(_, pod)| pod)
    }

    /// What was told of an object and, for a workload, of its pods and what makes them.
    pub fn events_of(&self, name: &str) -> Vec<EventSeen> {
        let own = |event: &&EventSeen| {
            event.object == name || event.object.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
        };
        self.events.iter().filter(own).cloned().collect()
    }
}

pub struct Watching {
    live: watch::Sender<Live>,
    /// Ends the watches.
    _tasks: JoinSet<()>,
    kinds: usize,
}

impl Watching {
    /// Begins to watch pods, events and such kinds.
    pub fn start(calls: &Calls, kinds: impl IntoIterator<Item = &'static Kind>) -> Self {
        let live = watch::Sender::new(Live::default());
        let mut tasks = JoinSet::new();
        let mut count = 2;
        tasks.spawn(follow(calls.clone(), &POD, live.clone()));
        tasks.spawn(follow(calls.clone(), &EVENT, live.clone()));
        for kind in kinds {
            count += 1;
            tasks.spawn(follow(calls.clone(), kind, live.clone()));
        }
        Self { live, _tasks: tasks, kinds: count }
    }

    pub fn subscribe(&self) -> watch::Receiver<Live> {
        self.live.subscribe()
    }

    /// Waits until everything was told once.
    pub async fn synced(&self) -> Result<(), Trouble> {
        let mut live = self.live.subscribe();
        // Who may not see events is told less, and nothing else.
        let kinds = self.kinds;
        let whole = live.wait_for(|live| {
            live.synced.len() == kinds
                || live.failing.iter().any(|(kind, trouble)| *kind != EVENT.kind && !trouble.passes())
                || (live.synced.len() + 1 == kinds && matches!(live.failing.get(EVENT.kind), Some(Trouble::Forbidden(_))))
        });
        match timeout(SYNC, whole).await {
            Ok(Ok(live)) => match live.failing.iter().find(|(kind, _)| **kind != EVENT.kind) {
                Some((_, trouble)) => Err(trouble.clone()),
                None => Ok(()),
            },
            Ok(Err(_)) => Ok(()),
            Err(_) => Err(self.live.borrow().failing.values().next().cloned().unwrap_or(Trouble::Slow)),
        }
    }
}

async fn follow(calls: Calls, kind: &'static Kind, live: watch::Sender<Live>) {
    let mut config = watcher::Config::default().timeout(OPEN);
    if kind.kind != EVENT.kind {
        config = config.labels(&calls.selector());
    }
    let mut watch = watcher::watcher(calls.api(kind), config).boxed();
    let mut pause = PAUSE.0;
    let mut listed: Vec<String> = Vec::new();
    while let Some(event) = watch.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                let trouble = told(error);
                tracing::debug!(kind = kind.kind, why = trouble.short(), "a watch on a release is begun again");
                live.send_modify(|live| drop(live.failing.insert(kind.kind, trouble)));
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE.1);
                continue;
            }
        };
        pause = PAUSE.0;
        live.send_if_modified(|live| {
            let mended = live.failing.remove(kind.kind).is_some();
            let changed = match event {
                Event::Init => {
                    listed.clear();
                    false
                }
                Event::InitApply(object) => {
                    listed.push(object.name_any());
                    put(live, kind, object)
                }
                Event::Apply(object) => put(live, kind, object),
                Event::Delete(object) => {
                    forget(live, kind, &object.name_any());
                    true
                }
                Event::InitDone => {
                    retain(live, kind, &listed);
                    if !live.synced.contains(&kind.kind) {
                        live.synced.push(kind.kind);
                    }
                    true
                }
            };
            changed || mended
        });
    }
}

fn put(live: &mut Live, kind: &Kind, object: DynamicObject) -> bool {
    let Ok(mut value) = serde_json::to_value(&object) else { return false };
    match kind.kind {
        "Pod" => {
            let Ok(pod) = serde_json::from_value::<Pod>(value) else { return false };
            let workload = pod.labels().get(NAME).cloned().unwrap_or_default();
            let seen = PodSeen::of(&pod, &workload);
            live.pods.insert(seen.name.clone(), (workload, seen));
        }
        "Event" => {
            let Ok(event) = serde_json::from_value::<Told>(value) else { return false };
            let event = EventSeen::from(&event);
            live.events.retain(|known| known.uid != event.uid);
            if live.events.len() >= EVENTS {
                live.events.remove(0);
            }
            live.events.push(event);
        }
        name => {
            // Items of a list do not say what they are.
            value["kind"] = name.into();
            live.objects.insert(Key::new(name, &object.name_any()), value);
        }
    }
    true
}

fn forget(live: &mut Live, kind: &Kind, name: &str) {
    match kind.kind {
        "Pod" => drop(live.pods.remove(name)),
        // What was told stays told.
        "Event" => {}
        kind => drop(live.objects.remove(&Key::new(kind, name))),
    }
}

fn retain(live: &mut Live, kind: &Kind, listed: &[String]) {
    match kind.kind {
        "Pod" => live.pods.retain(|name, _| listed.contains(name)),
        "Event" => {}
        kind => live.objects.retain(|key, _| key.kind != kind || listed.contains(&key.name)),
    }
}

fn told(error: watcher::Error) -> Trouble {
    use watcher::Error as E;
    match error {
        E::InitialListFailed(error) | E::WatchStartFailed(error) | E::WatchFailed(error) => error.into(),
        E::WatchError(status) => trouble::of_status(&status),
        E::NoResourceVersion => Trouble::Other("an answer without a version".into()),
    }
}
