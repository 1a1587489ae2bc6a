//! The messages of one stream on their way to a client that may be away: kept in order, never dropped, read by one reader at a
//! time. A run that is too far ahead of its reader waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// How many messages may wait before runs are held back.
pub const WAITING: usize = 1024;

#[derive(Debug, Default)]
pub struct Outbox {
    state: Mutex<State>,
    readable: Notify,
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<String>,
    read: bool,
    closed: bool,
}

impl Outbox {
    /// Adds a message at once: for responses, of which there is one per request.
    pub fn put(&self, message: String) {
        self.lock().waiting.push_back(message);
        self.readable.notify_one();
    }

    /// Adds a message as soon as there is room. Once closed, messages vanish.
    pub async fn push(&self, message: String) {
        loop {
            let room = self.room.notified();
            {
                let mut state = self.lock();
                if state.closed {
                    return;
                }
                if state.waiting.len() < WAITING {
                    state.waiting.push_back(message);
                    self.readable.notify_one();
                    return;
                }
            }
            room.await;
        }
    }

    /// The right to read, until the reader is dropped; `None` while another has it.
    pub fn reader(self: &Arc<Self>) -> Option<Reader> {
        let mut state = self.lock();
        (!std::mem::replace(&mut state.read, true)).then(|| Reader(Arc::clone(self)))
    }

    /// Lets the reader end after what is waiting, and holds back nobody any more.
    pub fn close(&self) {
        self.lock().closed = true;
        self.readable.notify_one();
        self.room.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub struct Reader(Arc<Outbox>);

impl Reader {
    /// The next message; `None` after the last one of a closed outbox. Cancel-safe.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            let readable = self.0.readable.notified();
            {
                let mut state = self.0.lock();
                if let Some(message) = state.waiting.pop_front() {
                    if state.waiting.len() < WAITING {
                        self.0.room.notify_waiters();
                    }
                    return Some(message);
                }
                if state.closed {
                    return None;
                }
            }
            readable.await;
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.lock().read = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn holds_a_writer_back_and_loses_nothing() {
        let outbox = Arc::new(Outbox::default());
        let writer = Arc::clone(&outbox);
        let written = tokio::spawn(async move {
            for number in 0..3 * WAITING {
                writer.push(number.to_string()).await;
            }
        });
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        assert!(!written.is_finished());
        assert_eq!(outbox.lock().waiting.len(), WAITING);
        for number in 0..3 * WAITING {
            if number % 1000 == 0 {
                // Another reader may come at any time, once the first has gone.
                let reader = outbox.reader();
                assert!(reader.is_some() && outbox.reader().is_none());
            }
            let mut reader = outbox.reader().expect("nobody reads");
            assert_eq!(reader.next().await, Some(number.to_string()));
        }
        written.await.expect("the writer ends");
    }

    #[tokio::test]
    async fn closing_ends_readers_and_frees_writers() {
        let outbox = Arc::new(Outbox::default());
        (0..WAITING).for_each(|number| outbox.put(number.to_string()));
        let writer = Arc::clone(&outbox);
        let written = tokio::spawn(async move { writer.push("late".to_owned()).await });
        tokio::task::yield_now().await;
        outbox.close();
        written.await.expect("the writer ends");
        let mut reader = outbox.reader().expect("nobody reads");
        for _ in 0..WAITING {
            assert!(reader.next().await.is_some());
        }
        assert_eq!(reader.next().await, None);
    }
}
