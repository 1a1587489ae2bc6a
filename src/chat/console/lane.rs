//! One conversation's inputs: taken in order, with what has to be taken at once let past.
//!
//! Rules: a command starts when all before it has ended. A message joins the thread's queue as soon as no command before it is
//! under way (a plain line waits for all before it). While an answer is being written, `/approve`, `/deny`, `/session stop` and
//! `/status` pass; an `/approve` or `/deny` that names none waits for the approval that it can only mean.

use std::collections::VecDeque;

use gaggle_commands::{Command, entry, is_command, parse_text};

/// Inputs that may wait in one conversation.
pub const WAITING: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Message,
    Command,
    AtOnce,
    /// `/approve` or `/deny`; `named`: it says which.
    Answer {
        named: bool,
    },
}

impl Kind {
    pub fn of(text: &str) -> Self {
        if !is_command(text) {
            return Kind::Message;
        }
        let parsed = parse_text(text);
        match &parsed {
            Ok(Command::Approve(a)) => return Kind::Answer { named: a.id.is_some() },
            Ok(Command::Deny(d)) => return Kind::Answer { named: d.id.is_some() },
            // It opens a turn as a message does, but waits its turn as a command does.
            _ => {}
        }
        let path = match &parsed {
            Ok(command) => Some(command.path().to_owned()),
            Err(usage) => usage.path.clone(),
        };
        match path.as_deref().and_then(entry) {
            Some(entry) if entry.at_once => Kind::AtOnce,
            _ => Kind::Command,
        }
    }
}

#[derive(Debug)]
pub struct Item<T> {
    pub key: u64,
    pub kind: Kind,
    pub sequential: bool,
    pub input: T,
}

#[derive(Debug)]
pub struct Lane<T> {
    pending: VecDeque<Item<T>>,
    /// Started and not accepted yet: at most one, so that the order holds.
    accepting: Option<u64>,
    active: Vec<Active>,
}

#[derive(Debug)]
struct Active {
    key: u64,
    turn: bool,
    answer: bool,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { pending: VecDeque::new(), accepting: None, active: Vec::new() }
    }
}

impl<T> Lane<T> {
    pub fn is_full(&self) -> bool {
        self.pending.len() >= WAITING
    }

    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.active.is_empty()
    }

    pub fn push(&mut self, item: Item<T>) {
        self.pending.push_back(item);
    }

    /// Answers to approvals that are waiting or under way.
    pub fn answers(&self) -> usize {
        self.pending.iter().filter(|i| matches!(i.kind, Kind::Answer { .. })).count()
            + self.active.iter().filter(|a| a.answer).count()
    }

    /// The next input that may start now.
    pub fn next(&mut self, wants_approval: bool) -> Option<Item<T>> {
        if self.accepting.is_some() {
            return None;
        }
        let at = self.ready(wants_approval)?;
        let item = self.pending.remove(at)?;
        self.accepting = Some(item.key);
        self.active.push(Active { key: item.key, turn: false, answer: matches!(item.kind, Kind::Answer { .. }) });
        Some(item)
    }

    fn ready(&self, wants_approval: bool) -> Option<usize> {
        if self.active.iter().any(|a| a.turn) {
            let answering = self.active.iter().any(|a| a.answer);
            let passes = |kind: Kind| match kind {
                Kind::AtOnce => true,
                Kind::Answer { named } => !answering && (named || wants_approval),
                Kind::Message | Kind::Command => false,
            };
            // Answers keep their order among themselves.
            let mut held = false;
            for (at, item) in self.pending.iter().enumerate() {
                let answer = matches!(item.kind, Kind::Answer { .. });
                if passes(item.kind) && !(answer && held) {
                    return Some(at);
                }
                held |= answer;
            }
        }
        let front = self.pending.front()?;
        let free = match front.kind {
            Kind::Message if !front.sequential => self.active.iter().all(|a| a.turn),
            _ => self.active.is_empty(),
        };
        free.then_some(0)
    }

    pub fn accepted(&mut self, key: u64, turn: bool) {
        if self.accepting == Some(key) {
            self.accepting = None;
        }
        if let Some(active) = self.active.iter_mut().find(|a| a.key == key) {
            active.turn = turn;
        }
    }

    pub fn ended(&mut self, key: u64) {
        self.accepted(key, false);
        self.active.retain(|a| a.key != key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(items: &[(u64, &'static str, bool)]) -> Lane<&'static str> {
        let mut lane = Lane::default();
        for (key, text, sequential) in items {
            lane.push(Item { key: *key, kind: Kind::of(text), sequential: *sequential, input: *text });
        }
        lane
    }

    fn next(lane: &mut Lane<&'static str>, wants: bool) -> Option<&'static str> {
        lane.next(wants).map(|i| i.input)
    }

    #[test]
    fn plain_lines_run_one_after_another() {
        let mut lane =
            lane(&[(1, "/project create demo", true), (2, "/ask demo hi", true), (3, "/approve", true), (4, "more", true)]);
        assert_eq!(next(&mut lane, false), Some("/project create demo"));
        lane.accepted(1, false);
        assert_eq!(next(&mut lane, false), None, "the answer waits for the question before it");
        lane.ended(1);
        assert_eq!(next(&mut lane, false), Some("/ask demo hi"));
        lane.accepted(2, true);
        assert_eq!(next(&mut lane, false), None, "no approval is open yet");
        assert_eq!(next(&mut lane, true), Some("/approve"));
        lane.accepted(3, false);
        lane.ended(3);
        assert_eq!(next(&mut lane, false), None, "a plain line waits for the end of the answer");
        lane.ended(2);
        assert_eq!(next(&mut lane, false), Some("more"));
        lane.ended(4);
        assert!(lane.is_idle());
    }

    #[test]
    fn stop_passes_what_waits_behind_an_answer() {
        let mut lane = lane(&[(1, "/ask demo hi", false), (2, "/project list", false), (3, "/session stop", false)]);
        assert_eq!(next(&mut lane, false), Some("/ask demo hi"));
        assert_eq!(next(&mut lane, false), None, "not before the question is accepted");
        lane.accepted(1, true);
        assert_eq!(next(&mut lane, false), Some("/session stop"));
        lane.accepted(3, false);
        assert_eq!(next(&mut lane, false), None);
    }

    #[test]
    fn messages_queue_behind_an_answer_and_not_behind_a_command() {
        let mut lane = lane(&[(1, "one", false), (2, "two", false), (3, "/status", false), (4, "three", false)]);
        assert_eq!(next(&mut lane, false), Some("one"));
        lane.accepted(1, true);
        assert_eq!(next(&mut lane, false), Some("/status"), "taken at once");
        lane.accepted(3, false);
        lane.ended(3);
        assert_eq!(next(&mut lane, false), Some("two"));
        lane.accepted(2, true);
        assert_eq!(next(&mut lane, false), Some("three"));
    }

    #[test]
    fn an_answer_without_anything_to_answer_is_refused_in_its_turn() {
        let mut lane = lane(&[(1, "one", false), (2, "/approve", false)]);
        assert_eq!(next(&mut lane, false), Some("one"));
        lane.accepted(1, true);
        assert_eq!(next(&mut lane, false), None);
        lane.ended(1);
        assert_eq!(next(&mut lane, false), Some("/approve"));
    }
}
