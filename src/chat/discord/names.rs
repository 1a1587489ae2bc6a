//! What the bot's own threads are called: by the question first, then as their session is.
//!
//! Invariants: a thread is renamed no more often than Discord allows, and the last name wins; nothing waits for a name.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::place::Place;
use super::rest::{Method, Rank};
use super::{Discord, locked, threads};

/// Renames of one channel in a window, of which no header tells.
const TIMES: usize = 2;
const WINDOW: Duration = Duration::from_secs(600 + 5);

#[derive(Default)]
struct Naming {
    wanted: Option<String>,
    /// When it was renamed lately.
    done: VecDeque<Instant>,
    /// Somebody sees to it.
    driven: bool,
}

/// By thread. What nobody waits for and is old is forgotten.
#[derive(Default)]
pub struct Names(Mutex<HashMap<String, Naming>>);

/// What is to be done about a thread's name.
#[derive(Debug, PartialEq)]
enum Next {
    Nothing,
    At(Instant),
    Now(String),
}

impl Names {
    /// `true`: the caller has to see to it.
    fn want(&self, thread: &str, name: String) -> bool {
        let mut all = locked(&self.0);
        all.retain(|_, naming| naming.driven || naming.done.back().is_some_and(|at| at.elapsed() < WINDOW));
        let naming = all.entry(thread.to_owned()).or_default();
        naming.wanted = Some(name);
        !std::mem::replace(&mut naming.driven, true)
    }

    fn next(&self, thread: &str) -> Next {
        let mut all = locked(&self.0);
        let Some(naming) = all.get_mut(thread) else { return Next::Nothing };
        let now = Instant::now();
        naming.done.retain(|at| *at + WINDOW > now);
        if naming.wanted.is_none() {
            naming.driven = false;
            return Next::Nothing;
        }
        if naming.done.len() >= TIMES {
            return Next::At(naming.done[naming.done.len() - TIMES] + WINDOW);
        }
        naming.done.push_back(now);
        naming.wanted.take().map_or(Next::Nothing, Next::Now)
    }
}

impl Discord {
    pub(super) fn name_thread(&self, place: &Place, title: &str) {
        let Some(thread) = place.thread.clone().filter(|_| !place.is_direct()) else { return };
        // Discord tells of every thread that is open; what was never heard of, or is gone, is not asked for.
        let is_own = self.channels().get(&thread).is_some_and(|known| known.owner.as_deref() == Some(self.bot()));
        if !is_own || !self.0.names.want(&thread, threads::title(title)) {
            return;
        }
        let discord = self.clone();
        // The end of the program does not wait for what may take minutes.
        tokio::spawn(async move { discord.rename(&thread).await });
    }

    async fn rename(&self, thread: &str) {
        loop {
            match self.0.names.next(thread) {
                Next::Nothing => return,
                Next::At(at) => sleep_until(at).await,
                Next::Now(name) => {
                    if self.channels().get(thread).is_some_and(|known| known.name.as_deref() == Some(name.as_str())) {
                        continue;
                    }
                    let body = json!({ "name": name });
                    match self.call(Method::PATCH, format!("/channels/{thread}"), Some(&body), Rank::Extra).await {
                        Ok(renamed) => self.channel_came(&renamed.to_string()),
                        Err(fault) => tracing::info!(code = fault.code(), "a thread keeps its name"),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn twice_in_ten_minutes_and_the_last_wins() {
        let names = Names::default();
        assert!(names.want("1", "a".into()));
        assert_eq!(names.next("1"), Next::Now("a".into()));
        assert!(!names.want("1", "b".into()), "somebody sees to it already");
        assert_eq!(names.next("1"), Next::Now("b".into()));
        let begin = Instant::now();
        for name in ["c", "d"] {
            assert!(!names.want("1", name.into()));
        }
        assert_eq!(names.next("1"), Next::At(begin + WINDOW));
        assert!(names.want("2", "e".into()), "another thread does not wait");
        assert_eq!(names.next("2"), Next::Now("e".into()));
        tokio::time::advance(WINDOW).await;
        assert_eq!(names.next("1"), Next::Now("d".into()));
        assert_eq!(names.next("1"), Next::Nothing);
        assert!(names.want("1", "f".into()), "nobody does any more");
    }
}
