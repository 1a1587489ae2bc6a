//! A shard's session: what Discord needs to go on where it left off.
//!
//! Invariants: the sequence number only goes forward; when it was last heard is a time at which nothing was outstanding, so it stands
//! still while a session is being resumed.

use std::sync::{Mutex, PoisonError};

use super::Resumable;
use crate::model::Timestamp;

#[derive(Default)]
pub struct Session(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    resumable: Option<Resumable>,
    /// `None` of a session that an earlier program left.
    heard: Option<Timestamp>,
    is_live: bool,
}

impl Session {
    /// What an earlier program left.
    pub fn adopt(&self, resumable: Resumable) {
        self.change(|inner| inner.resumable = Some(resumable));
    }

    pub fn begin(&self, resumable: Resumable) {
        self.change(|inner| *inner = Inner { resumable: Some(resumable), ..Inner::default() });
    }

    /// It was greeted, and all that was outstanding has come.
    pub fn up(&self) {
        self.change(|inner| (inner.is_live, inner.heard) = (true, Some(Timestamp::now())));
    }

    pub fn down(&self) {
        self.change(|inner| inner.is_live = false);
    }

    pub fn heard(&self) {
        self.change(|inner| {
            if inner.is_live {
                inner.heard = Some(Timestamp::now());
            }
        });
    }

    /// `seq` was handled.
    pub fn advance(&self, seq: u64) {
        self.change(|inner| {
            if let Some(resumable) = &mut inner.resumable {
                resumable.seq = resumable.seq.max(seq);
            }
        });
    }

    pub fn seq(&self) -> Option<u64> {
        self.change(|inner| inner.resumable.as_ref().map(|resumable| resumable.seq))
    }

    pub fn resumable(&self) -> Option<Resumable> {
        self.change(|inner| inner.resumable.clone())
    }

    /// It cannot be resumed; since when that is a loss. `None`: there was none.
    pub fn lose(&self) -> Option<Timestamp> {
        let Inner { resumable, heard, .. } = self.change(std::mem::take);
        resumable.map(|_| heard.unwrap_or_else(beginning))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Nothing in Discord is older, by its ids.
pub fn beginning() -> Timestamp {
    Timestamp::from_millisecond(1_420_070_400_000).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resumable() -> Resumable {
        Resumable { shard: 0, session_id: "s".into(), resume_url: "wss://r".into(), seq: 3 }
    }

    #[test]
    fn what_is_lost_while_resuming_is_lost_since_before() {
        let session = Session::default();
        assert_eq!(session.lose(), None);
        session.begin(resumable());
        session.up();
        let heard = session.change(|inner| inner.heard);
        session.down();
        session.heard();
        session.advance(9);
        assert_eq!(session.change(|inner| inner.heard), heard);
        session.advance(4);
        assert_eq!(session.seq(), Some(9));
        assert_eq!(session.lose(), heard);
        assert_eq!((session.lose(), session.seq()), (None, None));
        session.adopt(resumable());
        assert_eq!(session.lose(), Some(beginning()), "nobody knows when it was heard");
    }
}
