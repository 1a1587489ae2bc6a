//! What a chat surface asks of those behind it: to keep what came, to take inputs, to remember what was shown. Made by the composition
//! root out of the engine and the store, of which nothing here knows.

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use gaggle_commands::{Candidates, OptionValue};

use crate::error::Result;
use crate::model::{Attachment, ConversationId, FormId, Origin, SessionId, Timestamp, Turn, TurnId, Values};

/// An input, already acknowledged.
#[derive(Debug)]
pub enum Handed {
    /// A command as typed.
    Command(String),
    /// A command of a platform that has arguments by name.
    Options {
        path: String,
        values: Vec<OptionValue>,
    },
    Message {
        text: String,
        attachments: Vec<(Attachment, Vec<u8>)>,
        /// It may open a session in its thread.
        starts: bool,
    },
    Edit {
        source: String,
        text: String,
    },
    Withdraw {
        source: String,
    },
    Feedback {
        turn: TurnId,
        good: bool,
    },
    Fill(FormId, Values),
    Cancel(FormId),
    /// The actor's account was closed: what waits of theirs is not answered any more.
    Gone,
}

/// An input that was taken.
pub struct Taken {
    /// It became a turn, which is durable now.
    pub turn: bool,
    /// It waits for a form.
    pub asks: bool,
    /// Resolves when all of it is done.
    pub ended: BoxFuture<'static, bool>,
}

#[async_trait]
pub trait Desk: Send + Sync + 'static {
    /// Keeps what came. `false`: it came before.
    async fn receive(&self, keys: Vec<String>, note: Option<String>) -> Result<bool>;

    async fn handled(&self, key: &str);

    /// What an earlier program kept and did not finish, in the order in which it came.
    async fn unhandled(&self) -> Vec<(String, Timestamp, String)>;

    /// The same for what is acknowledged before it is kept: it never waits for the disk.
    fn receive_quick(&self, key: &str, note: &str) -> bool;

    fn done_quick(&self, key: &str);

    fn unhandled_quick(&self) -> Vec<(String, String)>;

    /// The things of a kind that somebody may name there.
    async fn candidates(&self, origin: &Origin, of: &Candidates) -> Vec<String>;

    /// The channels that have a project of their own.
    async fn channels(&self) -> Vec<ConversationId>;

    /// Returns once the input is accepted. `source` is the key under which it was kept.
    async fn take(&self, origin: Origin, input: Handed, source: Option<String>) -> Taken;

    /// What is wrong with the values of a form, as its field and a sentence.
    async fn check_form(&self, form: &FormId, values: &Values) -> Option<(String, String)>;

    /// Whether a thread has a session.
    async fn is_bound(&self, thread: &ConversationId) -> bool;

    /// The turn that a message became.
    async fn turn_of(&self, source: &str) -> Option<Turn>;

    /// The threads that were used since then, the last used first.
    async fn threads_since(&self, since: Timestamp) -> Vec<(ConversationId, SessionId)>;

    /// What is kept of how far a turn was shown; `None`: it was shown to its end.
    async fn draft(&self, turn: TurnId) -> Option<String>;

    async fn keep_draft(&self, turn: TurnId, draft: String);

    async fn drop_draft(&self, turn: TurnId);

    /// Turns that ended and were not shown to their end.
    async fn unshown(&self) -> Vec<Turn>;

    /// A value of the surface's own.
    async fn note(&self, key: &'static str) -> Option<String>;

    async fn set_note(&self, key: &'static str, value: String);

    /// The user groups under which roles are given.
    fn groups(&self) -> Vec<String>;

    /// The names of people's ids on this surface, as far as they are known.
    async fn names(&self) -> Vec<(String, String)>;
}
