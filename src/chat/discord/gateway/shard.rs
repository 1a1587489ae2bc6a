//! One shard: a connection, then the one in its stead, and so on.
//!
//! Invariant: a session is given up only on Discord's word or after it failed to be resumed three times, never because the network is
//! gone.

use std::time::Duration;

use super::code::{After, GivenUp};
use super::open::{self, Unopened};
use super::pipe::{End, Pipe};
use super::session::Session;
use super::{Context, chance};
use crate::model::Timestamp;

const BACKOFF: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(60);
/// A session that was live for so long was a good one.
const GOOD: Duration = Duration::from_secs(5);
/// Failures that are counted of connections that were greeted.
const GREETED: u32 = 3;
const RESUMES: u32 = 3;

struct Shard<'a> {
    context: &'a Context,
    number: u32,
    session: &'a Session,
    /// In a row.
    failures: u32,
    /// Of the one session, in a row: how often Discord was reached and did not resume, and how often it was not reached.
    unresumed: u32,
    unreached: u32,
    /// What was lost and not told yet.
    lost: Option<Timestamp>,
    was_live: bool,
    /// Discord's own pause before the next session.
    pause: Duration,
}

pub async fn run(context: Context, number: u32) {
    let session = context.board.session(number);
    let mut shard = Shard {
        context: &context,
        number,
        session,
        failures: 0,
        unresumed: 0,
        unreached: 0,
        lost: None,
        was_live: false,
        pause: Duration::ZERO,
    };
    let mut is_first = true;
    loop {
        if !std::mem::take(&mut is_first) {
            metrics::counter!("gaggle_discord_reconnects_total").increment(1);
            let pause = backoff(shard.failures).max(std::mem::take(&mut shard.pause));
            tokio::select! {
                () = context.stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        let done = shard.connect().await;
        if context.stop.is_cancelled() || done.is_err() {
            break;
        }
    }
}

/// There is nothing more to do.
struct Done;

impl Shard<'_> {
    async fn connect(&mut self) -> Result<(), Done> {
        let context = self.context;
        let resumable = self.session.resumable();
        let turn = match resumable {
            Some(_) => None,
            None => tokio::select! {
                () = context.stop.cancelled() => return Err(Done),
                turn = context.identifies.turn(self.number) => Some(turn),
            },
        };
        let options = &context.options;
        let first = resumable.as_ref().and_then(|session| open::address(options, &session.resume_url));
        // Where that address is not reached, Discord's general one takes the session as well.
        let address = first.filter(|_| self.unreached % 4 < 3).or_else(|| open::address(options, &options.url));
        let Some(address) = address else {
            tracing::error!("the address of Discord's gateway is none");
            return Err(Done);
        };
        let opened = tokio::select! {
            () = context.stop.cancelled() => return Err(Done),
            opened = open::open(options, address) => opened,
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(Unopened::Unreached) => {
                self.failures += 1;
                self.unreached += 1;
                return Ok(());
            }
            Err(Unopened::Closed(after)) => {
                self.failures += 1;
                self.unresumed += 1;
                return self.after(after);
            }
        };
        let seq = self.session.seq();
        let is_resumption = turn.is_none();
        let mut pipe = Pipe::new(context, self.number, opened);
        (pipe.lost, pipe.is_first) = (self.lost, !self.was_live);
        let end = pipe.run(turn).await;
        self.lost = pipe.lost;
        match pipe.live {
            Some(since) => {
                // What Discord greeted is not kept waiting: interactions live for three seconds.
                self.failures = if since.elapsed() >= GOOD { 0 } else { (self.failures + 1).min(GREETED) };
                (self.was_live, self.unresumed, self.unreached) = (true, 0, 0);
                if is_resumption {
                    metrics::counter!("gaggle_discord_resumes_total").increment(1);
                }
            }
            None => {
                self.failures += 1;
                // What came before it broke need not come again.
                self.unresumed = if is_resumption && self.session.seq() > seq { 0 } else { self.unresumed + 1 };
            }
        }
        pipe.close(end).await;
        match end {
            End::Stopped => {
                // Discord forgets the session of who said good-bye.
                self.session.lose();
                Err(Done)
            }
            End::Closed(after) => self.after(after),
            End::Asked | End::Dead | End::Invalid(true) => self.after(After::Resume),
            End::Invalid(false) => {
                // Discord wants between one and five seconds.
                self.pause = Duration::from_secs(1) + Duration::from_secs(1).mul_f64(chance());
                self.after(After::Anew)
            }
        }
    }

    fn after(&mut self, after: After) -> Result<(), Done> {
        match after {
            After::Resume if self.unresumed < RESUMES => {}
            After::Resume | After::Anew => self.lose(),
            After::Never(why) => return self.give_up(why),
        }
        Ok(())
    }

    fn lose(&mut self) {
        (self.unresumed, self.unreached) = (0, 0);
        if let Some(from) = self.session.lose() {
            tracing::info!(shard = self.number, "a session with Discord was lost; another is begun");
            self.lost = Some(self.lost.map_or(from, |lost| lost.min(from)));
        }
    }

    fn give_up(&self, why: GivenUp) -> Result<(), Done> {
        self.session.lose();
        self.context.board.give_up(why);
        // What refuses one shard refuses them all.
        self.context.stop.cancel();
        Err(Done)
    }
}

/// Up to twice as long each time, and never quite the same, so that many do not come back in step.
fn backoff(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => {
            BACKOFF.saturating_mul(2_u32.saturating_pow(doublings.min(16))).min(MOST).mul_f64(0.5 + chance() / 2.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute() {
        assert_eq!(backoff(0), Duration::ZERO);
        assert!(backoff(1) <= BACKOFF);
        for failures in 1..40 {
            assert!(backoff(failures) <= MOST);
        }
        assert!(backoff(30) >= MOST / 2);
    }
}
