//! What holds for all that the bot does: its rate, a stop that Discord wants, and how many requests were invalid.
//!
//! Absence: it knows no routes.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::Rank;

/// Discord takes 50 in a second. Calls of two seconds may arrive in one, so not all of it is used.
const MOST: usize = 45;
/// Of these, kept for what somebody waits for.
const KEPT: usize = 10;
const WINDOW: Duration = Duration::from_millis(1050);
/// At 10 000 in [`MEMORY`] Discord shuts the bot's address out.
const INVALID: u32 = 5_000;
const MEMORY: Duration = Duration::from_secs(600);
/// Invalid requests of so long are counted together.
const SLICE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub struct Whole {
    sent: VecDeque<Instant>,
    stopped: Option<Instant>,
    invalid: VecDeque<(Instant, u32)>,
    is_shy: bool,
}

impl Whole {
    /// Whether a call may go. `counts`: it is one of the bot's own.
    pub fn room(&mut self, rank: Rank, counts: bool, now: Instant) -> Result<(), Instant> {
        self.stopped = self.stopped.filter(|until| *until > now);
        if let Some(until) = self.stopped {
            return Err(until);
        }
        if rank > Rank::Reply && self.is_shy && !self.recovers(now) {
            return Err(now + SLICE);
        }
        if !counts {
            return Ok(());
        }
        while self.sent.front().is_some_and(|at| *at + WINDOW <= now) {
            self.sent.pop_front();
        }
        let most = if rank > Rank::Reply { MOST - KEPT } else { MOST };
        match self.sent.len().checked_sub(most) {
            Some(over) => Err(self.sent[over] + WINDOW),
            None => Ok(()),
        }
    }

    pub fn take(&mut self, now: Instant) {
        self.sent.push_back(now);
    }

    pub fn give_back(&mut self, at: Instant) {
        if let Ok(found) = self.sent.binary_search(&at) {
            self.sent.remove(found);
        }
    }

    pub fn stop(&mut self, until: Instant) {
        self.stopped = self.stopped.max(Some(until));
    }

    /// A request was answered by 401, 403 or 429.
    pub fn count_invalid(&mut self, now: Instant) {
        match self.invalid.back_mut() {
            Some((at, count)) if *at + SLICE > now => *count += 1,
            _ => self.invalid.push_back((now, 1)),
        }
        if self.invalid(now) >= INVALID && !self.is_shy {
            self.is_shy = true;
            tracing::error!(
                count = INVALID,
                "too many invalid requests to Discord in ten minutes; only last words and replies are sent until there are fewer"
            );
        }
    }

    pub fn invalid(&mut self, now: Instant) -> u32 {
        while self.invalid.front().is_some_and(|(at, _)| *at + MEMORY <= now) {
            self.invalid.pop_front();
        }
        self.invalid.iter().map(|(_, count)| count).sum()
    }

    fn recovers(&mut self, now: Instant) -> bool {
        self.is_shy = self.invalid(now) >= INVALID;
        !self.is_shy
    }
}
