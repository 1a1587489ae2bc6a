//! What belongs together one after the other, in the order in which it came; everything else side by side.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

/// Jobs that may wait in one lane. Whoever brings more waits until they are fewer.
const WAITING: usize = 200;
const PAUSE: Duration = Duration::from_millis(20);

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Lanes(Arc<Mutex<HashMap<String, Lane>>>);

#[derive(Default)]
struct Lane {
    waiting: VecDeque<BoxFuture<'static, ()>>,
}

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Lane>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `job` after all that was brought to this lane before. If the lane is full, the job comes back.
    pub fn run(&self, lane: &str, job: BoxFuture<'static, ()>) -> Result<(), BoxFuture<'static, ()>> {
        let mut lanes = self.lock();
        match lanes.get_mut(lane) {
            Some(lane) if lane.waiting.len() >= WAITING => return Err(job),
            Some(lane) => lane.waiting.push_back(job),
            None => {
                lanes.insert(lane.to_owned(), Lane::default());
                drop(lanes);
                tokio::spawn(self.clone().drive(lane.to_owned(), job));
            }
        }
        Ok(())
    }

    /// Waits for room. Of several who wait for the same lane, any may be the next.
    pub async fn enter(&self, lane: &str, mut job: BoxFuture<'static, ()>) {
        while let Err(back) = self.run(lane, job) {
            job = back;
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub fn is_busy(&self, lane: &str) -> bool {
        self.lock().contains_key(lane)
    }

    async fn drive(self, lane: String, mut job: BoxFuture<'static, ()>) {
        loop {
            // One that panics must not hold up those behind it.
            let _ = std::panic::AssertUnwindSafe(job).catch_unwind().await;
            let mut lanes = self.lock();
            match lanes.get_mut(&lane).and_then(|l| l.waiting.pop_front()) {
                Some(next) => job = next,
                None => {
                    lanes.remove(&lane);
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::{Notify, mpsc};

    use super::*;

    #[tokio::test]
    async fn in_order_within_a_lane_and_side_by_side_across() {
        let lanes = Lanes::default();
        let (told, mut heard) = mpsc::unbounded_channel();
        let gate = Arc::new(Notify::new());
        for n in 0..50 {
            let (told, gate) = (told.clone(), gate.clone());
            let job = async move {
                if n == 0 {
                    gate.notified().await;
                }
                assert_ne!(n, 7, "one that fails");
                told.send(n).unwrap();
            };
            assert!(lanes.run("a", job.boxed()).is_ok());
        }
        let passed = Arc::new(AtomicUsize::new(0));
        let counted = passed.clone();
        let other = told.clone();
        let job = async move {
            counted.fetch_add(1, Ordering::Relaxed);
            other.send(1000).unwrap();
        };
        assert!(lanes.run("b", job.boxed()).is_ok());
        assert_eq!(heard.recv().await, Some(1000), "another lane does not wait");
        gate.notify_one();
        drop(told);
        let mut all = Vec::new();
        while let Some(n) = heard.recv().await {
            all.push(n);
        }
        assert_eq!(all, (0..50).filter(|n| *n != 7).collect::<Vec<_>>());
        assert_eq!(passed.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_full_lane_takes_no_more() {
        let lanes = Lanes::default();
        for _ in 0..=WAITING {
            assert!(lanes.run("a", std::future::pending().boxed()).is_ok());
        }
        assert!(lanes.run("a", std::future::pending().boxed()).is_err());
        assert!(lanes.run("b", async {}.boxed()).is_ok());
    }
}
