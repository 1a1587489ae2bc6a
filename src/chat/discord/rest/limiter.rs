//! Who may call Discord when: its rates as its answers tell them, shared fairly, last words first.
//!
//! Invariants: of those who may pass the better rank does, and within a rank whoever's channel passed longest ago; leave that is
//! dropped without use, and a wait that is given up, take no place. Sends nothing itself and knows no content.

mod bucket;
mod headers;
mod whole;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use self::bucket::{Bucket, Key, Rule};
pub use self::headers::{Scope, limited};
use self::whole::Whole;
use super::route::{Kind, Route};

/// Edits of one message that nobody waits for are so far apart.
const EDITS: Duration = Duration::from_millis(1200);
/// Whoever waits is looked at this often, whatever was reckoned.
const LOOK: Duration = Duration::from_secs(1);
/// A pause that Discord wants is kept a little longer, since clocks differ.
const MARGIN: Duration = Duration::from_millis(20);
/// Where more than that is remembered, what is idle is forgotten.
const REMEMBERED: usize = 1_000;

/// How urgent a call is. Smaller passes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// The last text of a turn.
    Final,
    /// Somebody waits for it: a reply, an approval, a thread.
    Reply,
    /// The first text of a turn.
    First,
    Update,
    /// Nice to have.
    Extra,
}

/// Cheap to clone; one for a bot.
#[derive(Clone, Default)]
pub struct Limiter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Whoever waits is to be looked at earlier than was thought.
    sooner: Notify,
}

#[derive(Default)]
struct State {
    /// By the route's name.
    rules: HashMap<Arc<str>, Rule>,
    /// What a route's bucket is called in one channel: a route's name and the channel.
    called: HashMap<Key, Arc<str>>,
    buckets: HashMap<Key, Bucket>,
    /// By the message's path.
    edits: HashMap<Arc<str>, Edit>,
    /// When each channel passed last, as a sequence number.
    passed: HashMap<Arc<str>, u64>,
    sequence: u64,
    whole: Whole,
    waiting: Vec<Waiter>,
    /// When the task wakes that looks after those who wait, if there is one.
    wakes: Option<Instant>,
    /// Everybody passes, to be told elsewhere that nothing works any more.
    is_open: bool,
    is_swept_at: usize,
}

#[derive(Clone, Copy, Default)]
struct Edit {
    flying: u32,
    at: Option<Instant>,
}

struct Waiter {
    rank: Rank,
    sequence: u64,
    route: Route,
    wake: oneshot::Sender<Permit>,
}

/// Leave for one call, at once: dropped without use, it goes to somebody else.
pub struct Permit {
    limiter: Limiter,
    /// `None`: there is nothing to count.
    leave: Option<Leave>,
    /// The call is under way, and if nobody tells what came of it, it counts.
    is_sent: bool,
}

struct Leave {
    route: Route,
    key: Key,
    at: Instant,
    /// When the message was edited before.
    edited: Option<Instant>,
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limiter")
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit({:?})", self.leave.as_ref().map(|leave| &leave.route))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(leave) = self.leave.take() else { return };
        let how = if self.is_sent { Landing::Unknown } else { Landing::Unused };
        self.limiter.landed(leave, how);
    }
}

/// What came of a call that had leave.
enum Landing<'a> {
    Unused,
    Unknown,
    Answered(StatusCode, &'a HeaderMap),
    Limited(&'a HeaderMap, Duration, Scope),
}

impl Permit {
    /// From here on the call counts.
    pub fn sent(&mut self) {
        self.is_sent = true;
    }

    /// The call never got there.
    pub fn unused(mut self) {
        self.is_sent = false;
    }

    pub fn answered(mut self, status: StatusCode, headers: &HeaderMap) {
        match self.leave.take() {
            Some(leave) => self.limiter.landed(leave, Landing::Answered(status, headers)),
            None => self.limiter.count(status),
        }
    }

    /// Discord wants a pause.
    pub fn limited(mut self, headers: &HeaderMap, wait: Duration, scope: Scope) {
        match self.leave.take() {
            Some(leave) => self.limiter.landed(leave, Landing::Limited(headers, wait, scope)),
            None => self.limiter.refused(wait, scope),
        }
    }
}

impl State {
    fn key(&self, route: &Route) -> Key {
        let own = Key { rule: route.name.clone(), major: route.major.clone() };
        let name = self.called.get(&own).or_else(|| self.rules.get(&route.name)?.bucket.as_ref());
        match name {
            Some(name) => Key { rule: name.clone(), major: own.major },
            None => own,
        }
    }

    fn rule(&mut self, route: &Route) -> &mut Rule {
        self.rules.entry(route.name.clone()).or_insert_with(|| Rule::guess(route))
    }

    fn bucket(&mut self, key: &Key, route: &Route) -> (&mut Bucket, &Rule) {
        let rule = self.rules.entry(route.name.clone()).or_insert_with(|| Rule::guess(route));
        (self.buckets.entry(key.clone()).or_insert_with(|| Bucket::new(rule)), rule)
    }

    /// Whether a call may go. `Err`: when to look again, if not after an answer.
    fn room(&mut self, route: &Route, rank: Rank, now: Instant) -> Result<(), Option<Instant>> {
        if self.is_open || route.kind == Kind::Callback {
            return Ok(());
        }
        self.whole.room(rank, route.kind == Kind::Bot, now)?;
        if rank >= Rank::Update && route.is_edit() {
            let edit = self.edits.get(&route.path).copied().unwrap_or_default();
            if edit.flying > 0 {
                return Err(None);
            }
            if let Some(at) = edit.at.map(|at| at + EDITS).filter(|at| *at > now) {
                return Err(Some(at));
            }
        }
        let key = self.key(route);
        let (bucket, rule) = self.bucket(&key, route);
        bucket.room(rule, rank >= Rank::Update, now)
    }

    fn take(&mut self, route: &Route, now: Instant) -> Option<Leave> {
        if self.is_open || route.kind == Kind::Callback {
            return None;
        }
        self.sweep(now);
        let key = self.key(route);
        self.bucket(&key, route).0.take();
        self.sequence += 1;
        self.passed.insert(route.major.clone(), self.sequence);
        if route.kind == Kind::Bot {
            self.whole.take();
        }
        let edited = route.is_edit().then(|| {
            let edit = self.edits.entry(route.path.clone()).or_default();
            edit.flying += 1;
            edit.at.replace(now)
        });
        Some(Leave { route: route.clone(), key, at: now, edited: edited.flatten() })
    }

    /// Somebody else waits for the same who comes first.
    fn is_before(&self, route: &Route, rank: Rank) -> bool {
        let is_same =
            |other: &Route| other.major == route.major && (other.name == route.name || self.key(other) == self.key(route));
        self.waiting.iter().any(|other| other.rank <= rank && !other.wake.is_closed() && is_same(&other.route))
    }

    /// Whose turn it is. `Err`: when to look again.
    fn next(&mut self, now: Instant) -> Result<usize, Option<Instant>> {
        let (mut best, mut later) = (None, None);
        let waiting = std::mem::take(&mut self.waiting);
        for (at, waiter) in waiting.iter().enumerate() {
            let order = (waiter.rank, self.passed.get(&waiter.route.major).copied().unwrap_or(0), waiter.sequence);
            if best.is_some_and(|(before, _)| before < order) {
                continue;
            }
            match self.room(&waiter.route, waiter.rank, now) {
                Ok(()) => best = Some((order, at)),
                Err(Some(again)) => later = Some(later.map_or(again, |later: Instant| later.min(again))),
                Err(None) => {}
            }
        }
        self.waiting = waiting;
        best.map(|(_, at)| at).ok_or(later)
    }

    fn sweep(&mut self, now: Instant) {
        let size = self.buckets.len().max(self.edits.len()).max(self.passed.len());
        if size < self.is_swept_at.max(REMEMBERED) {
            return;
        }
        self.buckets.retain(|_, bucket| !bucket.is_idle(now));
        let buckets = &self.buckets;
        self.called.retain(|own, name| buckets.contains_key(&Key { rule: name.clone(), major: own.major.clone() }));
        self.edits.retain(|_, edit| edit.flying > 0 || edit.at.is_some_and(|at| at + EDITS > now));
        // Who has not passed for that long is as one who never did.
        let oldest = self.sequence.saturating_sub(REMEMBERED as u64 / 2);
        self.passed.retain(|_, passed| *passed > oldest);
        self.is_swept_at = 2 * self.buckets.len().max(self.edits.len()).max(self.passed.len());
    }

    /// What the answer calls the bucket is where the call counts.
    fn settle(&mut self, leave: &Leave, headers: Option<&HeaderMap>, is_good: bool, now: Instant) -> Key {
        let told = headers.and_then(headers::told);
        let Leave { route, key, .. } = leave;
        let rule = self.rule(route);
        match &told {
            Some(told) => rule.hear(told),
            None => rule.free |= is_good && rule.bucket.is_none(),
        }
        let found = match &told {
            Some(told) => Key { rule: told.bucket.clone(), major: key.major.clone() },
            None => key.clone(),
        };
        let mut others = 0;
        if found == *key {
            self.bucket(key, route).0.end();
        } else {
            let before = self.bucket(key, route).0;
            before.give_back();
            others = before.flying();
            let own = Key { rule: route.name.clone(), major: route.major.clone() };
            self.called.insert(own, found.rule.clone());
        }
        let (bucket, rule) = self.bucket(&found, route);
        bucket.landed(rule, told.as_ref(), others, now);
        found
    }
}

impl Limiter {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn permit(&self, leave: Option<Leave>) -> Permit {
        Permit { limiter: self.clone(), leave, is_sent: false }
    }

    /// Leave at once, or not at all.
    pub fn try_pass(&self, route: &Route, rank: Rank) -> Option<Permit> {
        let mut state = self.lock();
        let now = Instant::now();
        if state.is_before(route, rank) || state.room(route, rank, now).is_err() {
            return None;
        }
        let leave = state.take(route, now);
        drop(state);
        Some(self.permit(leave))
    }

    /// Waits for leave.
    pub async fn pass(&self, route: &Route, rank: Rank) -> Permit {
        loop {
            if let Some(permit) = self.try_pass(route, rank) {
                return permit;
            }
            let (wake, told) = oneshot::channel();
            {
                let mut state = self.lock();
                state.sequence += 1;
                let sequence = state.sequence;
                state.waiting.push(Waiter { rank, sequence, route: route.clone(), wake });
            }
            self.pump();
            // Whoever grants never drops one that is awaited; if it did, it would be asked again.
            if let Ok(permit) = told.await {
                return permit;
            }
        }
    }

    /// Lets everybody pass from now on.
    pub fn open(&self) {
        self.lock().is_open = true;
        self.pump();
    }

    /// An answer to what needed no leave.
    pub fn count(&self, status: StatusCode) {
        if matches!(status.as_u16(), 401 | 403 | 429) {
            self.lock().whole.count_invalid(Instant::now());
        }
    }

    fn refused(&self, wait: Duration, scope: Scope) {
        let now = Instant::now();
        metrics::counter!("gaggle_discord_limited_total").increment(1);
        let mut state = self.lock();
        if scope != Scope::Shared {
            state.whole.count_invalid(now);
        }
        if scope == Scope::Global {
            tracing::warn!(seconds = wait.as_secs_f64(), "Discord wants nothing at all for a while");
            state.whole.stop(now + wait + MARGIN);
        }
    }

    fn landed(&self, leave: Leave, how: Landing<'_>) {
        let now = Instant::now();
        if let Landing::Limited(_, wait, scope) = how {
            self.refused(wait, scope);
        }
        let mut state = self.lock();
        if let Some(edit) = state.edits.get_mut(&leave.route.path).filter(|_| leave.route.is_edit()) {
            edit.flying = edit.flying.saturating_sub(1);
            match how {
                Landing::Unused if edit.at == Some(leave.at) => edit.at = leave.edited,
                Landing::Unused => {}
                // It may have arrived as late as now.
                _ => edit.at = Some(now),
            }
        }
        if leave.route.kind == Kind::Bot && !matches!(how, Landing::Unused) {
            state.whole.landed(now);
        }
        match how {
            Landing::Unused => {
                state.bucket(&leave.key, &leave.route).0.give_back();
                if leave.route.kind == Kind::Bot {
                    state.whole.give_back();
                }
            }
            Landing::Unknown => drop(state.settle(&leave, None, false, now)),
            Landing::Answered(status, headers) => {
                state.settle(&leave, Some(headers), status.is_success(), now);
                if matches!(status.as_u16(), 401 | 403 | 429) {
                    state.whole.count_invalid(now);
                }
            }
            Landing::Limited(headers, wait, scope) => {
                // Leave was given by what had been told, so that cannot be all of it.
                let rule = state.rule(&leave.route);
                rule.wary |= scope == Scope::User && rule.bucket.is_some();
                let found = state.settle(&leave, Some(headers), false, now);
                if scope != Scope::Global {
                    state.bucket(&found, &leave.route).0.pause(now + wait + MARGIN, headers::told(headers).is_none());
                }
            }
        }
        drop(state);
        self.pump();
    }

    fn pump(&self) {
        if self.grant(false).is_some() {
            // Outside of a runtime nobody waits either.
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(self.clone().look_after())),
                Err(_) => self.lock().wakes = None,
            }
        }
    }

    async fn look_after(self) {
        let mut wakes = self.lock().wakes;
        while let Some(at) = wakes {
            tokio::select! {
                () = sleep_until(at) => {}
                () = self.0.sooner.notified() => {}
            }
            wakes = self.grant(true);
        }
    }

    /// Lets those pass who may. `Some`: when to look after the others, which is then for the caller, or for the task that it is.
    fn grant(&self, is_task: bool) -> Option<Instant> {
        loop {
            let mut state = self.lock();
            let now = Instant::now();
            state.waiting.retain(|waiter| !waiter.wake.is_closed());
            let at = match state.next(now) {
                Ok(at) => at,
                Err(later) => {
                    let later = (!state.waiting.is_empty()).then(|| later.unwrap_or(now + LOOK).min(now + LOOK));
                    let is_sooner = later.is_some_and(|at| state.wakes.is_some_and(|wakes| at < wakes));
                    if !is_task && is_sooner {
                        self.0.sooner.notify_one();
                    }
                    if is_task || state.wakes.is_none() {
                        state.wakes = later;
                        return later;
                    }
                    return None;
                }
            };
            let waiter = state.waiting.swap_remove(at);
            let leave = state.take(&waiter.route, now);
            drop(state);
            // One that was given up in this moment gives its place back by itself.
            drop(waiter.wake.send(self.permit(leave)));
        }
    }
}

#[cfg(test)]
mod tests;
