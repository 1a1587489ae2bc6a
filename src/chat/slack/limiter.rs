//! Who may write when: Slack's rates, shared fairly among threads, last words first.
//!
//! Invariants: of those who wait for the same thing the better rank passes first, and within a rank whoever's thread passed longest
//! ago; room that is reserved for a last word is nobody else's. Sends nothing itself and knows no text.
//!
//! The published rates hold until a single call beyond them shows that more is allowed; what is allowed then grows by what worked,
//! and one refusal ends it for [`MEMORY`].

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

/// How long a refusal is remembered before more than the published rates is tried again.
const MEMORY: Duration = Duration::from_secs(15 * 60);
/// Clocks differ a little. That calls take different times to arrive is no matter: a place is taken until the answer is there, and
/// its time counts from then on.
const MARGIN: f64 = 1.01;
/// Whoever waits is looked at this often, whatever was reckoned.
const LOOK: Duration = Duration::from_secs(1);
/// Buckets that nobody has used for longer are forgotten.
const BUCKETS: usize = 5_000;

/// A kind of call that has a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    Post,
    Ephemeral,
    Update,
    Delete,
    StartStream,
    AppendStream,
    StopStream,
    Status,
    Views,
    Files,
    Reads,
}

/// How urgent a call is. Smaller passes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// The last text of a turn.
    Final,
    /// Somebody waits for it: a reply, an approval, the root of a thread.
    Reply,
    /// The first text of a turn.
    First,
    Update,
    /// Nice to have.
    Extra,
}

impl Rank {
    /// How many calls may be under way beyond the published rates, where that many were taken before, for it to be one more.
    fn beyond(self, method: Method, proven: usize) -> usize {
        match (self, method) {
            // For these it is tried, one at a time. A message too many costs its channel a second.
            (Rank::Reply | Rank::First, _) | (Rank::Final, Method::Post) => proven + 1,
            // What was never tried is not tried with somebody's last words where the pause may be a minute.
            (Rank::Final | Rank::Update, _) => proven,
            (Rank::Extra, _) => 0,
        }
    }
}

impl Method {
    /// Calls in a time, and whether each channel has its own. Slack's documentation of tiers and of `chat.*`.
    fn rate(self) -> (usize, Duration, bool) {
        let minute = Duration::from_secs(60);
        match self {
            Method::Post => (1, Duration::from_secs(1), true),
            Method::Ephemeral | Method::Views | Method::AppendStream => (100, minute, false),
            Method::Update | Method::Delete => (50, minute, false),
            // Each by itself, under its name instead of a channel's.
            Method::Reads => (50, minute, true),
            Method::StartStream | Method::StopStream | Method::Files => (20, minute, false),
            Method::Status => (600, minute, false),
        }
    }
}

/// Cheap to clone; one for a workspace.
#[derive(Clone, Default)]
pub struct Limiter(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    buckets: HashMap<Key, Bucket>,
    sequence: u64,
    /// When each thread passed last, as a sequence number.
    passed: HashMap<String, u64>,
    /// Calls beyond the published rates that are allowed at once, and those under way.
    extra: usize,
    beyond: usize,
    refused: Option<Instant>,
}

type Key = (Method, Option<String>);

#[derive(Default)]
struct Bucket {
    sent: VecDeque<Instant>,
    /// Calls that have leave and no answer yet.
    flying: usize,
    paused: Option<Instant>,
    reserved: usize,
    waiting: Vec<Waiter>,
    /// Somebody wakes those who wait.
    pumped: bool,
}

struct Waiter {
    rank: Rank,
    passed: u64,
    sequence: u64,
    thread: String,
    /// Uses its own reservation.
    reserved: bool,
    /// Told whether the call goes beyond the published rates.
    wake: oneshot::Sender<bool>,
}

/// Leave for one call. What came of the call is to be told.
#[derive(Debug)]
pub struct Permit {
    key: Key,
    beyond: bool,
    limiter: Limiter,
    told: bool,
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Limiter")
    }
}

/// A wait that may be given up.
struct Waiting<'a> {
    told: oneshot::Receiver<bool>,
    key: Key,
    limiter: &'a Limiter,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // Leave that nobody took.
        if let Ok(beyond) = self.told.try_recv() {
            self.limiter.landed(&self.key, beyond, None);
        }
    }
}

/// Room for one later call, kept free.
#[derive(Debug)]
pub struct Reservation {
    method: Method,
    limiter: Limiter,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.limiter.lock().bucket((self.method, None)).reserved -= 1;
        self.limiter.pump(&(self.method, None));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // Nobody knows what came of it: it counts.
        if !self.told {
            self.limiter.landed(&self.key, self.beyond, Some(Instant::now()));
        }
    }
}

impl Permit {
    /// The call was taken.
    pub fn worked(mut self) {
        self.told = true;
        let proves = self.beyond && self.limiter.lock().proves(&self.key);
        if proves {
            self.limiter.lock().extra += 1;
        }
        self.limiter.landed(&self.key, self.beyond, Some(Instant::now()));
        if proves {
            self.limiter.pump_all();
        }
    }

    /// The call was not made, or never got there.
    pub fn unused(mut self) {
        self.told = true;
        self.limiter.landed(&self.key, self.beyond, None);
    }

    /// Slack wants no more such calls for that long.
    pub fn refused(mut self, wait: Duration) {
        self.told = true;
        let until = Instant::now() + wait.max(Duration::from_millis(500)).mul_f64(MARGIN);
        {
            let mut state = self.limiter.lock();
            state.extra = 0;
            state.refused = Some(Instant::now());
            let bucket = state.bucket(self.key.clone());
            bucket.paused = bucket.paused.max(Some(until));
        }
        metrics::counter!("gaggle_slack_rate_limited_total").increment(1);
        self.limiter.landed(&self.key, self.beyond, None);
    }
}

impl State {
    fn bucket(&mut self, key: Key) -> &mut Bucket {
        if self.buckets.len() > BUCKETS {
            self.buckets.retain(|_, b| {
                b.reserved + b.flying > 0
                    || !b.waiting.is_empty()
                    || b.pumped
                    || b.sent.back().is_some_and(|at| at.elapsed() < MEMORY)
            });
        }
        self.buckets.entry(key).or_default()
    }

    /// Whether a call may go beyond the published rates now.
    fn may_try(&self, method: Method, rank: Rank) -> bool {
        self.refused.is_none_or(|at| at.elapsed() > MEMORY) && self.beyond < rank.beyond(method, self.extra)
    }

    /// Whether there is a place for a call now. `Some(beyond)`.
    fn room(&mut self, key: &Key, rank: Rank, reserved: bool) -> Option<bool> {
        let now = Instant::now();
        let tries = self.may_try(key.0, rank);
        let bucket = self.bucket(key.clone());
        if bucket.paused.is_some_and(|until| until > now) {
            return None;
        }
        let free = bucket.free(key.0, now);
        let kept = if reserved { 0 } else { bucket.reserved };
        if free > kept { Some(false) } else { tries.then_some(true) }
    }

    /// Whether one more call that was taken shows that more than the published rate is allowed: it does not at the edge of a window.
    fn proves(&mut self, key: &Key) -> bool {
        let (most, time, _) = key.0.rate();
        let bucket = self.bucket(key.clone());
        bucket.sent.iter().rev().take_while(|at| at.elapsed() < time.mul_f64(0.8)).count() >= most
    }

    fn take(&mut self, key: &Key, thread: &str, beyond: bool) {
        self.bucket(key.clone()).flying += 1;
        self.beyond += usize::from(beyond);
        self.mark(thread);
    }

    /// Who passes next, and whether beyond the published rates.
    fn next(&mut self, key: &Key) -> Option<(usize, bool)> {
        let bucket = self.bucket(key.clone());
        bucket.waiting.retain(|w| !w.wake.is_closed());
        // Of each kind of claim the first: whoever must wait does not hold up those who have room of their own.
        let firsts = bucket.firsts();
        firsts.into_iter().find_map(|(at, rank, reserved)| Some((at, self.room(key, rank, reserved)?)))
    }

    fn mark(&mut self, thread: &str) {
        self.sequence += 1;
        if self.passed.len() > BUCKETS {
            self.passed.clear();
        }
        self.passed.insert(thread.to_owned(), self.sequence);
    }
}

impl Bucket {
    fn free(&mut self, method: Method, now: Instant) -> usize {
        let (most, window) = window(method);
        while self.sent.front().is_some_and(|at| *at + window <= now) {
            self.sent.pop_front();
        }
        most.saturating_sub(self.sent.len() + self.flying)
    }

    /// The best of those with room of their own, and the best of the others; the better one first.
    fn firsts(&self) -> Vec<(usize, Rank, bool)> {
        let order = |at: &usize| {
            let waiter = &self.waiting[*at];
            (waiter.rank, waiter.passed, waiter.sequence)
        };
        let best = |reserved| (0..self.waiting.len()).filter(|at| self.waiting[*at].reserved == reserved).min_by_key(order);
        let mut firsts: Vec<usize> = [best(true), best(false)].into_iter().flatten().collect();
        firsts.sort_by_key(order);
        firsts.into_iter().map(|at| (at, self.waiting[at].rank, self.waiting[at].reserved)).collect()
    }
}

fn key(method: Method, channel: &str) -> Key {
    (method, method.rate().2.then(|| channel.to_owned()))
}

fn window(method: Method) -> (usize, Duration) {
    let (most, time, _) = method.rate();
    (most, time.mul_f64(MARGIN))
}

impl Limiter {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for leave to call `method` in `channel` for a thread.
    pub async fn pass(&self, method: Method, channel: &str, thread: &str, rank: Rank) -> Permit {
        self.wait(method, channel, thread, rank, false).await
    }

    /// … with the room that was reserved for it.
    pub async fn pass_reserved(&self, reservation: Reservation, thread: &str, rank: Rank) -> Permit {
        let method = reservation.method;
        let permit = self.wait(method, "", thread, rank, true).await;
        drop(reservation);
        permit
    }

    /// Leave at once, or not at all.
    pub fn try_pass(&self, method: Method, channel: &str, thread: &str, rank: Rank) -> Option<Permit> {
        let key = key(method, channel);
        let mut state = self.lock();
        if state.bucket(key.clone()).waiting.iter().any(|w| w.rank <= rank && !w.wake.is_closed()) {
            return None;
        }
        let beyond = state.room(&key, rank, false)?;
        state.take(&key, thread, beyond);
        Some(Permit { key, beyond, limiter: self.clone(), told: false })
    }

    /// Keeps room for one later call of a method that all channels share, if there is some.
    pub fn reserve(&self, method: Method) -> Option<Reservation> {
        let now = Instant::now();
        let mut state = self.lock();
        let lifted = state.extra > state.beyond && state.refused.is_none_or(|at| at.elapsed() > MEMORY);
        let bucket = state.bucket((method, None));
        let free = bucket.free(method, now);
        if bucket.paused.is_some_and(|until| until > now) || (free <= bucket.reserved && !lifted) {
            return None;
        }
        bucket.reserved += 1;
        Some(Reservation { method, limiter: self.clone() })
    }

    /// How much of a method's rate is used up, from 0 to 1.
    pub fn fill(&self, method: Method) -> f64 {
        let (most, _) = window(method);
        let mut state = self.lock();
        let free = state.bucket((method, None)).free(method, Instant::now());
        1.0 - free as f64 / most as f64
    }

    async fn wait(&self, method: Method, channel: &str, thread: &str, rank: Rank, reserved: bool) -> Permit {
        let key = key(method, channel);
        let told = {
            let mut state = self.lock();
            let (wake, told) = oneshot::channel();
            state.sequence += 1;
            let (sequence, passed) = (state.sequence, state.passed.get(thread).copied().unwrap_or(0));
            let waiter = Waiter { rank, passed, sequence, thread: thread.to_owned(), reserved, wake };
            state.bucket(key.clone()).waiting.push(waiter);
            told
        };
        let mut waiting = Waiting { told, key: key.clone(), limiter: self };
        self.pump(&key);
        // Whoever grants never drops one that is awaited; if it did, waiting in vain would be worse than a refused call.
        let beyond = (&mut waiting.told).await.unwrap_or(false);
        Permit { key, beyond, limiter: self.clone(), told: false }
    }

    /// A call has come to its end; `at`: it counts from then on.
    fn landed(&self, key: &Key, beyond: bool, at: Option<Instant>) {
        {
            let mut state = self.lock();
            state.beyond = state.beyond.saturating_sub(usize::from(beyond));
            let bucket = state.bucket(key.clone());
            bucket.flying = bucket.flying.saturating_sub(1);
            bucket.sent.extend(at);
        }
        self.pump(key);
    }

    /// More is allowed than was thought, everywhere.
    fn pump_all(&self) {
        let waited: Vec<Key> =
            self.lock().buckets.iter().filter(|(_, b)| !b.waiting.is_empty()).map(|(key, _)| key.clone()).collect();
        for key in waited {
            self.pump(&key);
        }
    }

    /// Lets those pass who may, and sees to it that the others are looked at when they may.
    fn pump(&self, key: &Key) {
        let next = self.grant(key);
        let Some(next) = next else { return };
        let mut state = self.lock();
        let bucket = state.bucket(key.clone());
        if std::mem::replace(&mut bucket.pumped, true) {
            return;
        }
        drop(state);
        let (limiter, key) = (self.clone(), key.clone());
        tokio::spawn(async move {
            let mut next = next;
            loop {
                sleep_until(next).await;
                match limiter.grant(&key) {
                    Some(later) => next = later,
                    None => {
                        let mut state = limiter.lock();
                        let bucket = state.bucket(key.clone());
                        // Whoever came in between relies on this task.
                        if bucket.waiting.is_empty() {
                            bucket.pumped = false;
                            return;
                        }
                        next = Instant::now() + Duration::from_millis(1);
                    }
                }
            }
        });
    }

    /// Lets those pass who may. `Some`: when to look again.
    fn grant(&self, key: &Key) -> Option<Instant> {
        let (_, window) = window(key.0);
        let mut state = self.lock();
        while let Some((at, beyond)) = state.next(key) {
            let waiter = state.bucket(key.clone()).waiting.swap_remove(at);
            // One that was given up in this moment has its place given back by itself, or never had one.
            if waiter.wake.send(beyond).is_ok() {
                state.take(key, &waiter.thread, beyond);
            }
        }
        let bucket = state.bucket(key.clone());
        if bucket.waiting.is_empty() {
            return None;
        }
        let now = Instant::now();
        let freed = bucket.sent.front().map(|at| *at + window).max(bucket.paused);
        Some(freed.filter(|at| *at > now).unwrap_or(now + Duration::from_millis(100)).min(now + LOOK))
    }
}

#[cfg(test)]
mod tests;
