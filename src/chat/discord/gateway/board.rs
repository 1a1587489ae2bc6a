//! How the shards stand, for whoever asks: how many are live, whether they were given up, what was missed, what can be resumed.
//!
//! Invariant: a gap is told once, and gaps that nobody fetched yet are told as one that spans them.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use super::Resumable;
use super::code::GivenUp;
use super::session::{Session, beginning};
use crate::model::Timestamp;

/// A session was lost: what happened since then may not have come. By this machine's clock; the beginning of Discord if it was a
/// session of an earlier program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub from: Timestamp,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    /// Shards that Discord greeted.
    pub live: u32,
    /// Why it is not tried any more.
    pub given_up: Option<GivenUp>,
}

#[derive(Clone)]
pub struct Board(Arc<Inner>);

struct Inner {
    state: watch::Sender<State>,
    /// Shards that were never greeted.
    waiting: watch::Sender<u32>,
    sessions: Vec<Session>,
    untold: Mutex<Option<Gap>>,
    news: Notify,
}

impl Board {
    pub fn new(shards: u32) -> Self {
        Self(Arc::new(Inner {
            state: watch::Sender::default(),
            waiting: watch::Sender::new(shards),
            sessions: (0..shards).map(|_| Session::default()).collect(),
            untold: Mutex::default(),
            news: Notify::new(),
        }))
    }

    /// What an earlier program left, if there is one for each shard.
    pub fn adopt(&self, resumed: Vec<Resumable>) {
        let mut numbers: Vec<usize> = resumed.iter().map(|one| one.shard as usize).collect();
        numbers.sort_unstable();
        if numbers.iter().copied().eq(0..self.0.sessions.len()) {
            for one in resumed {
                self.0.sessions[one.shard as usize].adopt(one);
            }
        } else if !resumed.is_empty() {
            tracing::info!(sessions = resumed.len(), "sessions that were left do not fit the number of Discord's shards");
            self.tell(beginning());
        }
    }

    pub fn session(&self, shard: u32) -> &Session {
        &self.0.sessions[shard as usize]
    }

    pub fn sessions(&self) -> Vec<Resumable> {
        self.0.sessions.iter().filter_map(Session::resumable).collect()
    }

    pub fn state(&self) -> watch::Receiver<State> {
        self.0.state.subscribe()
    }

    pub async fn ready(&self) -> Result<(), GivenUp> {
        let (mut state, mut waiting) = (self.0.state.subscribe(), self.0.waiting.subscribe());
        let given_up = async { state.wait_for(|state| state.given_up.is_some()).await.ok().and_then(|state| state.given_up) };
        let greeted = async { waiting.wait_for(|waiting| *waiting == 0).await.is_ok() };
        tokio::select! {
            biased;
            why = given_up => why.map_or(Ok(()), Err),
            // The sender is ours.
            true = greeted => Ok(()),
        }
    }

    pub async fn gap(&self) -> Gap {
        loop {
            let news = self.0.news.notified();
            if let Some(gap) = self.untold().take() {
                return gap;
            }
            news.await;
        }
    }

    pub fn up(&self, is_first: bool) {
        self.0.state.send_modify(|state| state.live += 1);
        metrics::gauge!("gaggle_discord_shards").increment(1);
        if is_first {
            self.0.waiting.send_modify(|waiting| *waiting = waiting.saturating_sub(1));
        }
    }

    pub fn down(&self) {
        self.0.state.send_modify(|state| state.live = state.live.saturating_sub(1));
        metrics::gauge!("gaggle_discord_shards").decrement(1);
    }

    pub fn tell(&self, from: Timestamp) {
        metrics::counter!("gaggle_discord_gaps_total").increment(1);
        let mut untold = self.untold();
        *untold = Some(Gap { from: untold.map_or(from, |untold| untold.from.min(from)) });
        drop(untold);
        self.0.news.notify_one();
    }

    pub fn give_up(&self, why: GivenUp) {
        let is_new = self.0.state.send_if_modified(|state| {
            let is_new = state.given_up.is_none();
            state.given_up.get_or_insert(why);
            is_new
        });
        if is_new {
            tracing::error!("{why}");
        }
    }

    fn untold(&self) -> std::sync::MutexGuard<'_, Option<Gap>> {
        self.0.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resumable(shard: u32) -> Resumable {
        Resumable { shard, session_id: format!("s{shard}"), resume_url: "wss://r".into(), seq: 1 }
    }

    #[tokio::test]
    async fn gaps_that_nobody_fetched_are_one() {
        let board = Board::new(1);
        let (early, late) = (Timestamp::from_second(10).unwrap(), Timestamp::from_second(20).unwrap());
        board.tell(late);
        board.tell(early);
        board.tell(late);
        assert_eq!(board.gap().await, Gap { from: early });
        assert!(board.untold().is_none());
    }

    #[tokio::test]
    async fn sessions_that_do_not_fit_the_shards_are_a_gap() {
        let board = Board::new(2);
        board.adopt(vec![resumable(1), resumable(0)]);
        assert_eq!(board.sessions(), [resumable(0), resumable(1)]);
        for wrong in [vec![resumable(0)], vec![resumable(0), resumable(2)], vec![resumable(1), resumable(1)]] {
            let board = Board::new(2);
            board.adopt(wrong);
            assert!(board.sessions().is_empty());
            assert_eq!(board.gap().await.from, beginning());
        }
    }

    #[tokio::test]
    async fn it_is_ready_when_each_was_there_once_and_the_first_reason_stays() {
        let board = Board::new(2);
        board.up(true);
        board.down();
        board.up(false);
        board.up(true);
        assert_eq!((board.ready().await, board.state().borrow().live), (Ok(()), 2));
        board.give_up(GivenUp::BadToken);
        board.give_up(GivenUp::Version);
        assert_eq!(board.ready().await, Err(GivenUp::BadToken));
    }
}
