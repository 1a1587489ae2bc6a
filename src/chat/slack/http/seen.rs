//! The signatures that were taken, for as long as they would hold.
//!
//! Invariant: bounded by number as well as by time; the oldest go first.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use slack_morphism::signature_verifier::SlackEventSignatureVerifier;

/// More than 800 requests a second, for as long as a signature holds. 12 MB at most.
const MOST: usize = 1 << 18;

#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    known: HashSet<u128>,
    /// By when they came, with the second in which each ceases to hold.
    order: VecDeque<(u128, i64)>,
}

/// Given back when it is dropped, unless it was kept.
pub struct Place(Option<(Seen, u128)>);

impl Seen {
    /// `None`: this signature was there before. `time` is when it was made.
    pub fn enter(&self, signature: &str, time: i64) -> Option<Place> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
        self.enter_at(signature, time, now)
    }

    fn enter_at(&self, signature: &str, time: i64, now: i64) -> Option<Place> {
        // Half of it is enough to tell one from another. It has been verified, so it is all hexadecimal.
        let half = signature.get(3..35).and_then(|half| u128::from_str_radix(half, 16).ok())?;
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while inner.order.front().is_some_and(|(_, end)| *end < now) || inner.order.len() >= MOST {
            let (old, _) = inner.order.pop_front()?;
            inner.known.remove(&old);
        }
        if !inner.known.insert(half) {
            return None;
        }
        inner.order.push_back((half, time.saturating_add(SlackEventSignatureVerifier::MAX_TIMESTAMP_AGE_SECONDS)));
        Some(Place(Some((self.clone(), half))))
    }
}

impl Place {
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((seen, half)) = self.0.take() {
            // In the order it stays: if it comes again, it ceases to hold in the same second.
            seen.0.lock().unwrap_or_else(PoisonError::into_inner).known.remove(&half);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_taken_once_until_it_does_not_hold_any_more() {
        let seen = Seen::default();
        let first = format!("v0={}", "ab".repeat(32));
        seen.enter_at(&first, 1000, 1000).unwrap().keep();
        assert!(seen.enter_at(&first, 1000, 1300).is_none());
        drop(seen.enter_at(&format!("v0={}", "cd".repeat(32)), 1000, 1000).unwrap());
        seen.enter_at(&format!("v0={}", "cd".repeat(32)), 1000, 1000).expect("what was not taken may come again").keep();
        assert_eq!(seen.0.lock().unwrap().known.len(), 2);
        seen.enter_at(&format!("v0={}", "ef".repeat(32)), 1400, 1400).unwrap().keep();
        assert_eq!(seen.0.lock().unwrap().known.len(), 1, "what cannot come again is forgotten");
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let seen = Seen::default();
        for number in 0..MOST as u64 + 10 {
            seen.enter_at(&format!("v0={number:032x}{}", "0".repeat(32)), 0, 0).unwrap().keep();
        }
        assert_eq!(seen.0.lock().unwrap().order.len(), MOST);
    }
}
