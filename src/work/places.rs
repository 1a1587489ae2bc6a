//! Places to start in: at most so many at once, and who waits is served in turn by owner, so that one owner's many starts do not
//! hold up another's one.
//!
//! Invariants: while somebody waits, every place is taken; of one owner's starts the first to come is the first to be served;
//! between two of them each other owner who waits is served once. A place, or a place in the line, is free once it is dropped.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::model::PersonId;

#[derive(Clone)]
pub struct Places(Arc<Mutex<State>>);

struct State {
    free: usize,
    number: u64,
    /// Those who hold a place.
    in_turn: HashSet<u64>,
    /// The owners who have starts in the line; the next one to be served is the first.
    owners: VecDeque<PersonId>,
    /// Their starts, the oldest first. Never empty.
    lines: HashMap<PersonId, VecDeque<Waiter>>,
}

struct Waiter {
    number: u64,
    turn: Arc<Notify>,
}

/// A place, or a place in the line for one.
pub struct Place {
    places: Places,
    owner: PersonId,
    number: u64,
    turn: Arc<Notify>,
}

impl Places {
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: at_once,
            number: 0,
            in_turn: HashSet::new(),
            owners: VecDeque::new(),
            lines: HashMap::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place at once if there is one, else the last of the owner's in the line.
    pub fn enter(&self, owner: &PersonId) -> Place {
        let mut state = self.state();
        state.number += 1;
        let (number, turn) = (state.number, Arc::new(Notify::new()));
        let waiter = Waiter { number, turn: turn.clone() };
        match state.lines.get_mut(owner) {
            Some(line) => line.push_back(waiter),
            None => {
                state.owners.push_back(owner.clone());
                state.lines.insert(owner.clone(), VecDeque::from([waiter]));
            }
        }
        state.serve();
        Place { places: self.clone(), owner: owner.clone(), number, turn }
    }
}

impl State {
    fn serve(&mut self) {
        while self.free > 0
            && let Some(owner) = self.owners.pop_front()
        {
            let Some(line) = self.lines.get_mut(&owner) else { continue };
            if let Some(waiter) = line.pop_front() {
                self.free -= 1;
                self.in_turn.insert(waiter.number);
                waiter.turn.notify_one();
            }
            if line.is_empty() {
                self.lines.remove(&owner);
            } else {
                self.owners.push_back(owner);
            }
        }
    }

    fn leave(&mut self, owner: &PersonId, number: u64) {
        if self.in_turn.remove(&number) {
            self.free += 1;
            return self.serve();
        }
        if let Some(line) = self.lines.get_mut(owner) {
            line.retain(|waiter| waiter.number != number);
            if line.is_empty() {
                self.lines.remove(owner);
                self.owners.retain(|other| other != owner);
            }
        }
    }
}

impl Place {
    /// How many are served before this one, if nobody else comes or leaves. `None`: it is this one's turn.
    pub fn ahead(&self) -> Option<usize> {
        let state = self.places.state();
        if state.in_turn.contains(&self.number) {
            return None;
        }
        let own = state.lines.get(&self.owner)?.iter().position(|waiter| waiter.number == self.number)?;
        let mine = state.owners.iter().position(|owner| *owner == self.owner)?;
        let others = state.owners.iter().enumerate().filter(|(at, _)| *at != mine);
        let before = others.map(|(at, owner)| state.lines.get(owner).map_or(0, VecDeque::len).min(own + usize::from(at < mine)));
        Some(own + before.sum::<usize>())
    }

    /// Returns once it is this one's turn.
    pub async fn turn(&self) {
        while self.ahead().is_some() {
            self.turn.notified().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.state().leave(&self.owner, self.number);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owner(n: usize) -> PersonId {
        PersonId(format!("console:o{n}"))
    }

    #[test]
    fn one_start_waits_for_one_of_two_hundred() {
        let places = Places::new(2);
        let mut many: Vec<Place> = (0..200).map(|_| places.enter(&owner(0))).collect();
        assert_eq!(many.iter().filter(|p| p.ahead().is_none()).count(), 2);
        assert_eq!(many[199].ahead(), Some(197));
        let one = places.enter(&owner(1));
        assert_eq!((one.ahead(), many[2].ahead(), many[3].ahead(), many[199].ahead()), (Some(1), Some(0), Some(2), Some(198)));
        drop(many.remove(0));
        assert_eq!(one.ahead(), Some(0));
        drop(many.remove(0));
        assert_eq!(one.ahead(), None);
    }

    #[tokio::test]
    async fn who_leaves_the_line_frees_it_and_who_ends_wakes_the_next() {
        let places = Places::new(1);
        let first = places.enter(&owner(0));
        first.turn().await;
        let (left, next) = (places.enter(&owner(1)), places.enter(&owner(1)));
        assert_eq!(next.ahead(), Some(1));
        let waiting = tokio::spawn(async move {
            next.turn().await;
            next
        });
        // Cut off while it waits: its place in the line goes with it.
        let cut = tokio::spawn(async move { left.turn().await });
        tokio::task::yield_now().await;
        cut.abort();
        assert!(cut.await.expect_err("it was cut off").is_cancelled());
        drop(first);
        let next = waiting.await.expect("its turn");
        assert_eq!(next.ahead(), None);
        drop(next);
        let state = places.state();
        assert!(state.free == 1 && state.lines.is_empty() && state.owners.is_empty() && state.in_turn.is_empty());
    }

    /// A turn that comes in the moment in which its waiter is dropped goes to the next.
    #[test]
    fn a_turn_that_nobody_takes_goes_on() {
        let places = Places::new(1);
        let first = places.enter(&owner(0));
        let (second, third) = (places.enter(&owner(1)), places.enter(&owner(2)));
        drop(first);
        assert_eq!((second.ahead(), third.ahead()), (None, Some(0)));
        drop(second);
        assert_eq!(third.ahead(), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_and_goes(
            at_once in 1..4usize,
            moves in prop::collection::vec((any::<bool>(), 0..5usize, any::<prop::sample::Index>()), 0..80),
        ) {
            let places = Places::new(at_once);
            let mut all: Vec<Place> = Vec::new();
            // For each owner who was served from the line: who waited then and was not served since.
            let mut owed: HashMap<PersonId, HashSet<PersonId>> = HashMap::new();
            for (comes, who, which) in moves {
                let before: Vec<(u64, PersonId)> =
                    all.iter().filter(|p| p.ahead().is_some()).map(|p| (p.number, p.owner.clone())).collect();
                let mut gone = None;
                if comes || all.is_empty() {
                    all.push(places.enter(&owner(who)));
                } else {
                    let place = all.remove(which.index(all.len()));
                    gone = Some(place.number);
                }
                let holding = all.iter().filter(|p| p.ahead().is_none()).count();
                let waiting: Vec<&Place> = all.iter().filter(|p| p.ahead().is_some()).collect();
                prop_assert!(holding <= at_once);
                prop_assert!(waiting.is_empty() || holding == at_once, "a place is free and somebody waits");
                // Every place in the line is somebody's.
                let mut ahead: Vec<usize> = waiting.iter().filter_map(|p| p.ahead()).collect();
                ahead.sort_unstable();
                prop_assert_eq!(ahead, (0..waiting.len()).collect::<Vec<_>>());
                let still: HashSet<&PersonId> = waiting.iter().map(|p| &p.owner).collect();
                let holds = |n: u64| all.iter().any(|p| p.number == n && p.ahead().is_none());
                for (number, served) in before.iter().filter(|(n, _)| holds(*n)) {
                    let older = before.iter().find(|(n, who)| n < number && who == served && Some(*n) != gone);
                    prop_assert!(older.is_none(), "a later start of the same owner was served first");
                    let skipped = owed.get(served).is_some_and(|owed| owed.iter().any(|other| still.contains(other)));
                    prop_assert!(!skipped, "one owner was served twice before another");
                    for others in owed.values_mut() {
                        others.remove(served);
                    }
                    owed.insert(served.clone(), still.iter().filter(|other| **other != served).map(|o| (*o).clone()).collect());
                }
                // Who no longer waits is owed nothing, also if they come back.
                for others in owed.values_mut() {
                    others.retain(|other| still.contains(other));
                }
            }
        }

        #[test]
        fn the_number_ahead_is_true(line in prop::collection::vec(0..4usize, 1..30)) {
            let places = Places::new(1);
            let first = places.enter(&owner(9));
            let all: Vec<Place> = line.iter().map(|who| places.enter(&owner(*who))).collect();
            let mut waiting: Vec<(usize, Place)> = all.into_iter().filter_map(|place| Some((place.ahead()?, place))).collect();
            prop_assert_eq!(waiting.len(), line.len());
            waiting.sort_by_key(|(ahead, _)| *ahead);
            drop(first);
            for (_, place) in waiting {
                prop_assert_eq!(place.ahead(), None);
                drop(place);
            }
        }
    }
}
