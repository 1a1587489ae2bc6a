//! What holds for all that the bot does: its rate, a stop that Discord wants, and how many requests were invalid.
//!
//! Invariant: of the calls that may have arrived within one second, whenever that begins, there are never more than [`MOST`],
//! however long they took to arrive. It knows no routes.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::Rank;

/// Discord takes 50 in a second; a few are left to what is called past the limiter.
const MOST: usize = 48;
/// Of these, kept for what somebody waits for.
const KEPT: usize = 10;
const WINDOW: Duration = Duration::from_millis(1020);
/// At 10 000 in [`MEMORY`] Discord shuts the bot's address out.
const INVALID: u32 = 5_000;
const MEMORY: Duration = Duration::from_secs(600);
/// Invalid requests of so long are counted together.
const SLICE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub struct Whole {
    /// Calls that have leave and no answer yet: when Discord counts them is not known.
    flying: usize,
    /// When answers came, of late: Discord counted those calls then or before.
    answered: VecDeque<Instant>,
    stopped: Option<Instant>,
    invalid: VecDeque<(Instant, u32)>,
    is_shy: bool,
}

impl Whole {
    /// Whether a call may go. `counts`: it is one of the bot's own. `Err`: when to look again, `None` being after an answer.
    pub fn room(&mut self, rank: Rank, counts: bool, now: Instant) -> Result<(), Option<Instant>> {
        self.stopped = self.stopped.filter(|until| *until > now);
        if self.stopped.is_some() {
            return Err(self.stopped);
        }
        if rank > Rank::Reply && self.is_shy && !self.recovers(now) {
            return Err(Some(now + SLICE));
        }
        if !counts {
            return Ok(());
        }
        while self.answered.front().is_some_and(|at| *at + WINDOW <= now) {
            self.answered.pop_front();
        }
        let most = if rank > Rank::Reply { MOST - KEPT } else { MOST };
        match (self.flying + self.answered.len()).checked_sub(most) {
            Some(over) => Err(self.answered.get(over).map(|at| *at + WINDOW)),
            None => Ok(()),
        }
    }

    pub fn take(&mut self) {
        self.flying += 1;
    }

    /// A call was not made after all.
    pub fn give_back(&mut self) {
        self.flying = self.flying.saturating_sub(1);
    }

    /// A call has come to its end, or is not waited for any longer.
    pub fn landed(&mut self, now: Instant) {
        self.give_back();
        self.answered.push_back(now);
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
