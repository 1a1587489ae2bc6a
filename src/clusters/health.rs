//! Whether a cluster answers, without asking it all the time: one watch is kept open, which ends when the cluster goes.
//!
//! Invariants: at most a request a minute while all is well, and ever fewer while it is not; the task ends when [`Health`] is dropped.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use http::Request;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, WatchParams};
use kube::client::Body;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::connection::Connection;
use super::failure::Failure;
use crate::model::Timestamp;
use crate::runtime::kubernetes::trouble;

/// How long a watch or the pause between two questions lasts; below the longest silence of a connection.
const WATCH: u32 = 60;
/// How long the server may take to begin an answer.
const OPEN: Duration = Duration::from_secs(10);
/// Watches are not opened faster, whatever ends them.
const BETWEEN: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long before credentials expire it is said.
const WEEK: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Nobody has asked yet.
    Unknown,
    Reachable,
    Unreachable {
        since: Timestamp,
        why: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub reach: Reach,
    /// When the credentials end to be good, once that is within a week.
    pub expiring: Option<Timestamp>,
}

/// Looks after one cluster until it is dropped.
#[derive(Debug)]
pub struct Health {
    state: watch::Receiver<State>,
    task: JoinHandle<()>,
}

impl Drop for Health {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Health {
    /// `name` is for the log; `expires` is when the credentials end to be good.
    pub fn start(name: String, connection: Connection, expires: Option<Timestamp>) -> Self {
        let first = State { reach: Reach::Unknown, expiring: expiring(expires, Timestamp::now()) };
        let (told, state) = watch::channel(first);
        let watcher = Watcher { name, connection, expires, way: Way::Watch, told };
        Self { state, task: tokio::spawn(watcher.run()) }
    }

    pub fn now(&self) -> State {
        self.state.borrow().clone()
    }

    /// Tells each change.
    pub fn changes(&self) -> watch::Receiver<State> {
        self.state.clone()
    }
}

/// The end, if it is near.
fn expiring(expires: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    expires.filter(|expires| expires.duration_since(now) < WEEK)
}

/// How the cluster is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A watch of one namespace.
    Watch,
    /// Where namespaces may not be watched.
    Ready,
    /// Where that may not be asked for either.
    Version,
}

impl Way {
    fn next(self) -> Option<Self> {
        match self {
            Self::Watch => Some(Self::Ready),
            Self::Ready => Some(Self::Version),
            Self::Version => None,
        }
    }
}

struct Watcher {
    name: String,
    connection: Connection,
    expires: Option<Timestamp>,
    way: Way,
    told: watch::Sender<State>,
}

impl Watcher {
    async fn run(mut self) {
        self.warn();
        let mut pause = FIRST_PAUSE;
        let mut since = None;
        loop {
            let begun = Instant::now();
            match self.look().await {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    since = None;
                    sleep_until(begun + BETWEEN).await;
                }
                Err(failure) => {
                    // One connection that breaks is no cluster that is away.
                    let again = since.is_none() && matches!(self.told.borrow().reach, Reach::Reachable);
                    let since = *since.get_or_insert_with(Timestamp::now);
                    if !again {
                        self.tell(Reach::Unreachable { since, why: self.connection.clean(&failure.short()) });
                    }
                    sleep(trouble::jittered(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
            self.remind();
        }
    }

    /// Asks, tells when it is answered, and returns when that ends to be news.
    async fn look(&mut self) -> Result<(), Failure> {
        loop {
            let outcome = match self.way {
                Way::Watch => self.watched().await,
                Way::Ready => self.asked("/readyz").await,
                Way::Version => self.asked("/version").await,
            };
            match (outcome, self.way.next()) {
                (Err(Failure::Forbidden(_) | Failure::NotKubernetes(_)), Some(next)) => self.way = next,
                (Err(Failure::Forbidden(_)), None) => {
                    // It is there, and says no to everything.
                    self.tell(Reach::Reachable);
                    sleep(pace()).await;
                    return Ok(());
                }
                (outcome, _) => return outcome,
            }
        }
    }

    async fn watched(&self) -> Result<(), Failure> {
        let api: Api<Namespace> = Api::all(self.connection.calls.clone());
        let params = WatchParams::default().fields("metadata.name=default").timeout(WATCH).disable_bookmarks();
        let opened = timeout(OPEN, api.watch_metadata(&params, "0")).await.map_err(|_| Failure::Slow)?.map_err(Failure::of)?;
        self.tell(Reach::Reachable);
        let mut events = std::pin::pin!(opened);
        while events.try_next().await.map_err(Failure::of)?.is_some() {}
        Ok(())
    }

    async fn asked(&self, path: &str) -> Result<(), Failure> {
        let request = Request::get(path).body(Body::empty()).map_err(|_| Failure::Other("the request cannot be made".into()))?;
        let answer = timeout(OPEN, self.connection.calls.send(request)).await.map_err(|_| Failure::Slow)?.map_err(Failure::of)?;
        match answer.status().as_u16() {
            200..=299 => {}
            401 => return Err(Failure::Unauthorized),
            403 => return Err(Failure::Forbidden(path.to_owned())),
            code @ (429 | 500..) => return Err(Failure::Busy(code)),
            code => return Err(Failure::NotKubernetes(format!("`{path}` is answered with HTTP {code}"))),
        }
        self.tell(Reach::Reachable);
        sleep(pace()).await;
        Ok(())
    }

    fn tell(&self, reach: Reach) {
        let before = self.told.borrow().reach.clone();
        let same = match (&before, &reach) {
            (Reach::Unreachable { since, .. }, Reach::Unreachable { since: now, .. }) => since == now,
            (before, reach) => before == reach,
        };
        match &reach {
            Reach::Unreachable { why, .. } if !same => tracing::warn!(cluster = self.name, why, "the cluster cannot be reached"),
            Reach::Reachable if matches!(before, Reach::Unreachable { .. }) => {
                tracing::info!(cluster = self.name, "the cluster is back")
            }
            _ => {}
        }
        self.told.send_if_modified(|state| {
            let changed = state.reach != reach;
            state.reach = reach;
            changed
        });
    }

    fn warn(&self) {
        if let Some(expires) = self.told.borrow().expiring {
            tracing::warn!(cluster = self.name, %expires, "the cluster's credentials expire soon: renew them with `/cluster update`");
        }
    }

    /// Says it once, when the last week begins.
    fn remind(&self) {
        let expiring = expiring(self.expires, Timestamp::now());
        let changed = self.told.send_if_modified(|state| {
            let changed = state.expiring != expiring;
            state.expiring = expiring;
            changed
        });
        if changed {
            self.warn();
        }
    }
}

/// Around the minute, so that many clusters are not asked at the same moment.
fn pace() -> Duration {
    trouble::jittered(Duration::from_secs(u64::from(WATCH)) * 4 / 3)
}

#[cfg(test)]
mod tests;
