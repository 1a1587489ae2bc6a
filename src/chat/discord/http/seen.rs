//! The signatures that were taken, for as long as they could hold.
//!
//! Invariant: bounded by number as well as by time; the oldest go first.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::key::Signature;

/// One that is five minutes ahead of us holds for so long.
const HOLDS: Duration = Duration::from_secs(610);
/// More than 400 requests a second, for that long. 14 MB at most.
const MOST: usize = 1 << 18;

#[derive(Default)]
pub struct Seen(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    known: HashSet<u128>,
    order: VecDeque<(u128, Instant)>,
}

impl Seen {
    /// `false`: this signature was there before. It has been verified.
    pub fn enter(&self, signature: &Signature, now: Instant) -> bool {
        // A quarter is enough to tell one from another, and it is the one that only the signer can choose.
        let (quarter, _) = signature.split_first_chunk().unwrap_or((&[0; 16], &[]));
        let quarter = u128::from_le_bytes(*quarter);
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { known, order } = &mut *inner;
        while let Some((old, since)) = order.front() {
            if now.saturating_duration_since(*since) < HOLDS && order.len() < MOST {
                break;
            }
            known.remove(old);
            order.pop_front();
        }
        let is_new = known.insert(quarter);
        if is_new {
            order.push_back((quarter, now));
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(number: u32) -> Signature {
        let mut signature = [7; 64];
        signature[..4].copy_from_slice(&number.to_le_bytes());
        signature
    }

    #[test]
    fn a_signature_is_taken_once_until_it_cannot_hold_any_more() {
        let (seen, now) = (Seen::default(), Instant::now());
        assert!(seen.enter(&signature(1), now));
        assert!(!seen.enter(&signature(1), now + Duration::from_secs(600)));
        assert!(seen.enter(&signature(2), now + Duration::from_secs(600)));
        assert!(seen.enter(&signature(3), now + HOLDS));
        assert_eq!(seen.0.lock().unwrap().known.len(), 2, "what cannot come again is forgotten");
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let (seen, now) = (Seen::default(), Instant::now());
        for number in 0..MOST as u32 + 10 {
            assert!(seen.enter(&signature(number), now));
        }
        let inner = seen.0.lock().unwrap();
        assert_eq!((inner.order.len(), inner.known.len()), (MOST, MOST));
    }
}
