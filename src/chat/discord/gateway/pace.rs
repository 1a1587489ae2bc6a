//! How fast anything may be sent, and how often a session may be begun.
//!
//! Invariants: two sessions of one bucket begin at least five seconds apart; whatever happens, fewer sessions are begun in a day than
//! the thousand after which Discord resets the bot's token; heartbeats that are due are never held back.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until};

const APART: Duration = Duration::from_secs(5);
/// So many sessions more than shards can be begun at once, and then one in each span: 920 in a day.
const SPARE: u32 = 200;
const SPAN: Duration = Duration::from_secs(120);
/// What can be sent over a connection in one window is 120; the rest of it is for the heartbeats that are due.
const WINDOW: Duration = Duration::from_secs(60);
const ANSWERS: usize = 100;

pub struct Identifies {
    buckets: Vec<Mutex<Option<Instant>>>,
    budget: std::sync::Mutex<Option<Instant>>,
    burst: Duration,
}

/// The right to begin a session, which nobody else of the bucket has meanwhile.
pub struct Turn<'a> {
    last: MutexGuard<'a, Option<Instant>>,
    of: &'a Identifies,
}

impl Identifies {
    pub fn new(max_concurrency: u32, shards: u32) -> Self {
        // Not more than there are shards to use them.
        let buckets = (0..max_concurrency.clamp(1, shards.max(1))).map(|_| Mutex::default()).collect();
        Self { buckets, budget: std::sync::Mutex::default(), burst: SPAN * (SPARE + shards) }
    }

    pub async fn turn(&self, shard: u32) -> Turn<'_> {
        let last = self.buckets[shard as usize % self.buckets.len()].lock().await;
        if let Some(last) = *last {
            sleep_until(last + APART).await;
        }
        let spent = *self.budget.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let wait =
            spent.map_or(Duration::ZERO, |spent| spent.saturating_duration_since(Instant::now()).saturating_sub(self.burst));
        if !wait.is_zero() {
            tracing::warn!(wait_s = wait.as_secs(), "Discord has lost so many sessions that the next has to wait");
            tokio::time::sleep(wait).await;
        }
        Turn { last, of: self }
    }
}

impl Turn<'_> {
    /// The session is being begun.
    pub fn spend(mut self) {
        let now = Instant::now();
        *self.last = Some(now);
        let mut budget = self.of.budget.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *budget = Some(budget.map_or(now, |spent| spent.max(now)) + SPAN);
    }
}

/// What was sent over a connection.
#[derive(Default)]
pub struct Sent(VecDeque<Instant>);

impl Sent {
    pub fn note(&mut self) {
        let now = Instant::now();
        while self.0.front().is_some_and(|first| now.duration_since(*first) >= WINDOW) {
            self.0.pop_front();
        }
        self.0.push_back(now);
    }

    /// Whether a heartbeat that Discord asked for can go out: one of many in a window need not.
    pub fn has_room(&self) -> bool {
        let now = Instant::now();
        self.0.iter().filter(|sent| now.duration_since(**sent) < WINDOW).count() < ANSWERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_is_used_every_five_seconds_and_another_beside_it() {
        let identifies = Identifies::new(2, 4);
        let start = Instant::now();
        identifies.turn(0).await.spend();
        identifies.turn(1).await.spend();
        assert!(start.elapsed() < Duration::from_secs(1));
        drop(identifies.turn(2).await);
        assert!(start.elapsed() >= APART);
        identifies.turn(2).await.spend();
        assert!(start.elapsed() < APART + Duration::from_secs(1), "what was not spent costs nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_has_fewer_sessions_than_would_reset_the_token() {
        let identifies = Identifies::new(1, 1);
        let (start, mut begun) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_secs(86_400) {
            identifies.turn(0).await.spend();
            begun += 1;
        }
        assert!((800..1000).contains(&begun), "{begun}");
    }

    #[tokio::test(start_paused = true)]
    async fn answers_leave_room_for_heartbeats() {
        let mut sent = Sent::default();
        let mut answers = 0;
        for _ in 0..500 {
            if sent.has_room() {
                sent.note();
                answers += 1;
            }
        }
        assert_eq!(answers, ANSWERS);
        tokio::time::advance(WINDOW).await;
        assert!(sent.has_room());
    }
}
