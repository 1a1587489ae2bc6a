//! A turn while it is being written: one writer, any number of readers at their own pace. Its text only ever grows, so a reader
//! needs no more than the length that it has shown.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use crate::model::Turn;

#[derive(Clone, Debug)]
pub struct LiveTurn(Arc<Live>);

#[derive(Debug)]
struct Live {
    turn: Mutex<Turn>,
    version: watch::Sender<u64>,
    abandoned: AtomicBool,
}

impl LiveTurn {
    pub fn new(turn: Turn) -> Self {
        Self(Arc::new(Live { turn: Mutex::new(turn), version: watch::Sender::new(0), abandoned: AtomicBool::new(false) }))
    }

    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.0.turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Looks at the turn as it is now. Must not block.
    pub fn read<T>(&self, look: impl FnOnce(&Turn) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the turn and wakes its readers.
    pub fn change<T>(&self, change: impl FnOnce(&mut Turn) -> T) -> T {
        let result = change(&mut self.lock());
        self.0.version.send_modify(|v| *v += 1);
        result
    }

    /// This program will not see the turn's end: readers show what there is and stop.
    pub fn abandon(&self) {
        self.0.abandoned.store(true, Ordering::Release);
        self.0.version.send_modify(|v| *v += 1);
    }

    pub fn is_abandoned(&self) -> bool {
        self.0.abandoned.load(Ordering::Acquire)
    }

    /// Wakes on every change; changes in between are seen as one.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }
}
