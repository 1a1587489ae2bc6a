//! How the connections stand, for whoever asks: how many are live, why Slack refuses any, when there was none.
//!
//! Invariant: a gap is told once, and gaps that nobody fetched yet are told as one that spans them.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use crate::model::Timestamp;

/// Without any live connection from here to there: what was said in between may not have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub from: Timestamp,
    pub to: Timestamp,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Connections that Slack greeted.
    pub live: usize,
    /// Slack's code for why it opens none, till one is opened: it is asked again, but seldom.
    pub refused: Option<String>,
}

#[derive(Clone, Default)]
pub struct Board(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: watch::Sender<State>,
    gaps: Mutex<Gaps>,
    news: Notify,
}

#[derive(Default)]
struct Gaps {
    /// Of any connection.
    last_heard: Option<Timestamp>,
    open_since: Option<Timestamp>,
    untold: Option<Gap>,
}

impl Board {
    pub fn state(&self) -> watch::Receiver<State> {
        self.0.state.subscribe()
    }

    /// The next gap. For one reader; what it does not wait for is kept.
    pub async fn gap(&self) -> Gap {
        loop {
            let news = self.0.news.notified();
            if let Some(gap) = self.gaps(|gaps| gaps.untold.take()) {
                return gap;
            }
            news.await;
        }
    }

    pub(super) fn heard(&self) {
        self.gaps(|gaps| gaps.last_heard = Some(Timestamp::now()));
    }

    pub(super) fn up(&self) {
        let is_told = self.gaps(|gaps| {
            let now = Timestamp::now();
            gaps.last_heard = Some(now);
            let Some(from) = gaps.open_since.take() else { return false };
            gaps.untold = Some(Gap { from: gaps.untold.map_or(from, |untold| untold.from), to: now });
            true
        });
        self.0.state.send_modify(|state| {
            state.live += 1;
            state.refused = None;
        });
        if is_told {
            self.0.news.notify_one();
        }
    }

    pub(super) fn down(&self) {
        let mut is_last = false;
        self.0.state.send_modify(|state| {
            state.live = state.live.saturating_sub(1);
            is_last = state.live == 0;
        });
        if is_last {
            // A connection can be dead for a while before that is noticed.
            self.gaps(|gaps| gaps.open_since = gaps.last_heard.or(Some(Timestamp::now())));
        }
    }

    pub(super) fn refuse(&self, code: &str) {
        let is_new = self.0.state.send_if_modified(|state| match state.refused {
            Some(_) => false,
            None => {
                state.refused = Some(code.to_owned());
                true
            }
        });
        if is_new {
            tracing::error!(code, "Slack opens no connections any more; mend the app, or its token and then start Gaggle again");
        }
    }

    #[cfg(test)]
    pub(super) fn gaps_untold(&self) -> Option<Gap> {
        self.gaps(|gaps| gaps.untold)
    }

    fn gaps<T>(&self, change: impl FnOnce(&mut Gaps) -> T) -> T {
        change(&mut self.0.gaps.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gap_is_when_the_last_was_lost_until_the_next_came() {
        let board = Board::default();
        board.up();
        board.up();
        board.down();
        assert_eq!(board.state().borrow().live, 1);
        board.up();
        board.heard();
        let heard = board.gaps(|gaps| gaps.last_heard.unwrap());
        board.down();
        board.down();
        board.up();
        let gap = board.gap().await;
        assert!(gap.from == heard && gap.to >= heard);
        board.down();
        board.up();
        board.down();
        let first = board.gaps(|gaps| gaps.untold.unwrap().from);
        board.up();
        assert_eq!(board.gap().await.from, first, "two that were not fetched are one");
        assert!(board.gaps(|gaps| gaps.untold.is_none()));
    }

    #[test]
    fn the_first_reason_stays_till_there_is_a_connection() {
        let board = Board::default();
        board.refuse("invalid_auth");
        board.refuse("link_disabled");
        assert_eq!(board.state().borrow().refused.as_deref(), Some("invalid_auth"));
        board.up();
        assert_eq!(board.state().borrow().refused, None);
    }
}
