//! What somebody asked and how an answer to it can go: the interaction's token while it lives, ordinary messages after that.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::place::Place;
use crate::chat::lines::Lines;
use crate::chat::quiet::Quiet;
use crate::model::Progress;

/// An interaction's token is good for 15 minutes.
const TOKEN: Duration = Duration::from_secs(15 * 60 - 20);
/// The first response has to be there after 3 s.
const FIRST: Duration = Duration::from_millis(2_700);

/// What Discord takes for a first response that it was handed.
const MOMENT: Duration = Duration::from_millis(100);
/// How long after its first response an interaction may not be known yet.
const SETTLES: Duration = Duration::from_secs(3);

/// From where something was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    Command,
    /// A button; `quiet`: what it does is seen where it stands.
    Click {
        quiet: bool,
    },
    /// A message, which the answer replies to.
    Message(String),
    /// A message above the thread that was begun from it.
    Above,
    /// After a restart there is only the place.
    Place,
}

/// How the first response travels.
#[derive(Debug)]
pub enum First {
    /// A request of ours.
    Callback,
    /// The body of the answer to Discord's own request.
    Body(oneshot::Sender<Value>),
}

/// What was said by the token so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Nothing,
    /// "Gaggle is thinking…", for one or for all.
    Deferred {
        private: bool,
    },
    /// The first response says something.
    Said {
        private: bool,
    },
}

#[derive(Debug)]
pub struct Hook {
    pub id: String,
    pub token: Quiet,
    pub first: Option<First>,
    pub state: State,
    pub born: Instant,
    /// An earlier program had it.
    pub is_old: bool,
    /// When its first response was given as the answer to Discord's own request, after which Discord takes a moment to know of it.
    pub handed: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// The first response.
    Original,
    /// A message of ours in a channel.
    Message { channel: String, id: String },
}

#[derive(Debug)]
pub struct Ask {
    pub from: From,
    pub user: String,
    pub place: Place,
    pub hook: Option<Hook>,
    /// Only the asker may see what comes of it.
    pub private: bool,
    /// The turn that it opens tells what becomes of it.
    pub opens: bool,
    /// The value of the secret that the command will ask for, which came with it as a file.
    pub given: Option<SecretString>,
    /// The message from which a thread is to be begun.
    pub root: Option<String>,
    pub steps: Vec<Progress>,
    pub lines: Lines,
    pub progress: Option<Shown>,
    pub answered: bool,
    /// The last answer for the asker alone could not be given.
    pub unreached: bool,
}

impl Ask {
    pub fn new(from: From, user: &str, place: Place) -> Self {
        Self {
            from,
            user: user.to_owned(),
            place,
            hook: None,
            private: true,
            opens: false,
            given: None,
            root: None,
            steps: Vec::new(),
            lines: Lines::default(),
            progress: None,
            answered: false,
            unreached: false,
        }
    }

    /// Whether an earlier program answered it already: what it opens was not kept then.
    pub fn is_told(&self) -> bool {
        self.hook.as_ref().is_some_and(|hook| hook.is_old && matches!(hook.state, State::Said { .. }))
    }

    /// Whether it was written where everybody reads it, so that there is no way to answer one person alone.
    pub fn is_message(&self) -> bool {
        matches!(self.from, From::Message(_) | From::Above)
    }

    /// Of the command at this path.
    #[must_use]
    pub fn of(mut self, path: &str) -> Self {
        let entry = gaggle_commands::entry(path);
        self.private = entry.is_none_or(|entry| entry.visibility == gaggle_commands::Visibility::Private);
        self.opens = matches!(path, "ask" | "session retry");
        self
    }
}

impl Hook {
    pub fn new(id: &str, token: Quiet, first: First, born: Instant) -> Self {
        Self { id: id.to_owned(), token, first: Some(first), state: State::Nothing, born, is_old: false, handed: None }
    }

    /// One whose first response an earlier program may have given.
    pub fn old(id: &str, token: Quiet) -> Self {
        Self {
            id: id.to_owned(),
            token,
            first: None,
            state: State::Deferred { private: true },
            born: Instant::now(),
            is_old: true,
            handed: None,
        }
    }

    /// Whether a first response can still be given.
    pub fn is_fresh(&self) -> bool {
        self.state == State::Nothing && self.first.is_some() && self.born.elapsed() < FIRST
    }

    /// Until Discord most likely knows of the first response.
    pub fn settles(&self) -> Option<Instant> {
        self.handed.map(|at| at + MOMENT)
    }

    /// Whether Discord may not know of the first response yet.
    pub fn is_settling(&self) -> bool {
        self.handed.is_some_and(|at| at.elapsed() < SETTLES)
    }

    /// Whether the token can still be used for further ones.
    pub fn lives(&self) -> bool {
        self.state != State::Nothing && self.born.elapsed() < TOKEN
    }
}
