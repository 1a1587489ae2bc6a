//! One bucket: how many calls are left in it, by what its answers told and what is under way.
//!
//! Invariant: what is left is never reckoned higher than Discord's own number less the calls that it may not have counted yet.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::route::Route;
use super::headers::Told;

/// Clocks differ a little, and Discord rounds.
const MARGIN: Duration = Duration::from_millis(10);
/// Two answers of one window put its end this far apart, as they take different times to arrive.
const NEAR: Duration = Duration::from_millis(250);
/// Calls that are remembered for a bucket that counts the last so many seconds.
const SENT: usize = 1024;

/// Whose bucket: what its answers call it (before the first one, the route's name), and its channel, server or webhook.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    pub rule: Arc<str>,
    pub major: Arc<str>,
}

/// What holds for a route wherever it leads.
#[derive(Clone)]
pub struct Rule {
    /// What its answers call its buckets, lately.
    pub bucket: Option<Arc<str>>,
    pub limit: u32,
    pub window: Duration,
    /// Answers carry no rates, so there are none until a 429.
    pub free: bool,
    /// There was a 429 although calls were left: the last so many seconds count, wherever the window begins.
    pub wary: bool,
}

impl Rule {
    /// Before Discord tells, as people have seen it.
    pub fn guess(route: &Route) -> Self {
        let name = &*route.name;
        let (limit, seconds) = match name {
            _ if name.starts_with("PUT /channels/*/messages/*/reactions") => (1, 0.3),
            "DELETE /channels/*/messages/*" => (3, 1.0),
            _ if name.starts_with("POST /channels/") || name.starts_with("PATCH /channels/") => (5, 5.0),
            _ => (5, 2.0),
        };
        Self { limit, window: Duration::from_secs_f64(seconds), free: false, wary: false, bucket: None }
    }

    pub fn hear(&mut self, told: &Told) {
        // The end of a window is told, so the longest that was told is nearest to its length.
        self.window = if self.bucket.is_none() { told.reset } else { self.window.max(told.reset) };
        self.limit = told.limit;
        self.free = false;
        if self.bucket.as_ref() != Some(&told.bucket) {
            self.bucket = Some(told.bucket.clone());
        }
    }
}

pub struct Bucket {
    limit: u32,
    left: u32,
    /// When all are left again; `None`: the window has not begun, or nothing was told of it yet.
    reset: Option<Instant>,
    paused: Option<Instant>,
    /// Calls that have leave and no answer yet.
    flying: u32,
    /// When answers came, of late.
    sent: VecDeque<Instant>,
    window: Duration,
}

impl Bucket {
    pub fn new(rule: &Rule) -> Self {
        Self {
            limit: rule.limit,
            left: rule.limit,
            reset: None,
            paused: None,
            flying: 0,
            sent: VecDeque::new(),
            window: rule.window,
        }
    }

    fn refill(&mut self, now: Instant) {
        if self.reset.is_some_and(|at| at <= now) {
            self.reset = None;
            // Those under way may be counted in the window that begins.
            self.left = self.limit.saturating_sub(self.flying);
        }
        if self.reset.is_none() && self.flying == 0 {
            self.left = self.limit;
        }
        self.paused = self.paused.filter(|until| *until > now);
    }

    /// Whether a call may go, `spare` leaving the last place to others. `Err`: when to look again, `None` being after an answer.
    pub fn room(&mut self, rule: &Rule, spare: bool, now: Instant) -> Result<(), Option<Instant>> {
        self.refill(now);
        if let Some(until) = self.paused {
            return Err(Some(until));
        }
        if rule.free {
            return Ok(());
        }
        // Other routes may use the same bucket, which nobody knows before the first answer.
        if rule.bucket.is_none() && self.flying > 0 {
            return Err(None);
        }
        let need = if spare && self.limit > 1 { 2 } else { 1 };
        if self.left < need {
            return Err(self.reset);
        }
        if rule.wary {
            while self.sent.front().is_some_and(|at| *at + rule.window <= now) {
                self.sent.pop_front();
            }
            if self.sent.len() + self.flying as usize + need as usize > self.limit as usize {
                return Err(self.sent.front().map(|at| *at + rule.window));
            }
        }
        Ok(())
    }

    pub fn take(&mut self) {
        self.left = self.left.saturating_sub(1);
        self.flying += 1;
    }

    /// A call that was under way is no longer.
    pub fn end(&mut self) {
        self.flying = self.flying.saturating_sub(1);
    }

    /// A call was not made after all, or it was made in another bucket.
    pub fn give_back(&mut self) {
        self.flying = self.flying.saturating_sub(1);
        self.left = (self.left + 1).min(self.limit);
    }

    /// A call has come to its end. `others`: calls under way that are not known to be of this bucket, but may be.
    pub fn landed(&mut self, rule: &Rule, told: Option<&Told>, others: u32, now: Instant) {
        self.window = rule.window;
        self.sent.push_back(now);
        if self.sent.len() > SENT.min(self.limit as usize) {
            self.sent.pop_front();
        }
        match told {
            Some(told) => self.hear(told, others, now),
            None if self.reset.is_none() => self.reset = Some(now + rule.window),
            None => {}
        }
    }

    fn hear(&mut self, told: &Told, others: u32, now: Instant) {
        self.refill(now);
        self.limit = told.limit;
        let reset = now + told.reset + MARGIN;
        // Whatever is under way may not have been counted.
        let sure = told.remaining.saturating_sub(self.flying + others);
        match self.reset {
            Some(before) if reset + NEAR < before => {}
            Some(before) if reset > before + NEAR => (self.left, self.reset) = (sure, Some(reset)),
            before => {
                self.left = self.left.min(told.remaining.saturating_sub(others)).max(sure);
                self.reset = Some(before.map_or(reset, |before| before.min(reset)));
            }
        }
    }

    /// Discord wants none for that long. `is_all`: that is all it told of the bucket.
    pub fn pause(&mut self, until: Instant, is_all: bool) {
        self.paused = self.paused.max(Some(until));
        if is_all {
            (self.left, self.reset) = (0, Some(until));
        }
    }

    /// It is as a new one would be.
    pub fn is_idle(&mut self, now: Instant) -> bool {
        self.refill(now);
        let is_spent = self.sent.back().is_some_and(|at| *at + self.window > now);
        self.flying == 0 && self.reset.is_none() && self.paused.is_none() && !is_spent
    }

    pub fn flying(&self) -> u32 {
        self.flying
    }
}
