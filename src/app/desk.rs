//! The desks of the chat surfaces, made of the engine and the store.

use std::collections::HashMap;
use std::sync::OnceLock;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use gaggle_commands::Candidates;

use crate::chat::desk::{Desk, Handed, Taken};
use crate::engine::{Engine, Inbound, Input};
use crate::error::{Error, Result};
use crate::model::{ConversationId, FormId, Origin, SessionId, Timestamp, Turn, TurnId, Values};
use crate::store::{Journal, Store};

const BUSY: &str = "Gaggle is starting";

/// The desk of one surface.
pub struct ChatDesk {
    /// `slack:`: below it all that is the surface's is kept.
    prefix: &'static str,
    store: Store,
    journal: Journal,
    /// The user groups that have a role.
    groups: Vec<String>,
    /// There once the program is whole; nothing comes in before that.
    engine: OnceLock<Engine>,
}

impl ChatDesk {
    pub fn new(prefix: &'static str, store: Store, journal: Journal, roles: &HashMap<String, gaggle_commands::Role>) -> Self {
        let groups = roles.keys().filter_map(|key| key.strip_prefix(prefix)).filter(|id| id.starts_with('S'));
        Self { groups: groups.map(str::to_owned).collect(), prefix, store, journal, engine: OnceLock::new() }
    }

    /// A key of the surface's, among those of all.
    fn keyed(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    pub fn open(&self, engine: Engine) {
        let _ = self.engine.set(engine);
    }
}

/// What failed is in the log; the surface goes on without it.
fn told<T: Default>(result: Result<T>) -> T {
    result.map_err(Error::told).unwrap_or_default()
}

#[async_trait]
impl Desk for ChatDesk {
    async fn receive(&self, keys: Vec<String>, note: Option<String>) -> Result<bool> {
        self.store.receive(keys.iter().map(|key| self.keyed(key)).collect(), note).await
    }

    async fn handled(&self, key: &str) {
        told(self.store.handled(&self.keyed(key)).await);
    }

    async fn unhandled(&self) -> Vec<(String, Timestamp, String)> {
        let found = told(self.store.unhandled(self.prefix).await);
        found.into_iter().map(|(key, kept)| (key[self.prefix.len()..].to_owned(), kept.at, kept.note)).collect()
    }

    fn receive_quick(&self, key: &str, note: &str) -> bool {
        self.journal.receive(&self.keyed(key), note)
    }

    fn done_quick(&self, key: &str) {
        self.journal.done(&self.keyed(key));
    }

    fn unhandled_quick(&self) -> Vec<(String, String)> {
        let kept = self.journal.pending().into_iter();
        kept.filter_map(|(_, key, note)| Some((key.strip_prefix(self.prefix)?.to_owned(), note))).collect()
    }

    async fn candidates(&self, origin: &Origin, of: &Candidates) -> Vec<String> {
        match self.engine.get() {
            Some(engine) => told(engine.candidates(origin, of).await),
            None => Vec::new(),
        }
    }

    async fn channels(&self) -> Vec<ConversationId> {
        told(self.store.channel_projects().await).into_iter().map(|(channel, _)| channel).collect()
    }

    async fn take(&self, origin: Origin, input: Handed, source: Option<String>) -> Taken {
        let keyed = |key: String| self.keyed(&key);
        let input = match input {
            Handed::Command(text) => Input::Text(text),
            Handed::Options { path, values } => Input::Options { path, values },
            Handed::Message { text, attachments, starts } => Input::Message { text, attachments, starts },
            Handed::Edit { source, text } => Input::Edit { source: keyed(source), text },
            Handed::Withdraw { source } => Input::Withdraw { source: keyed(source) },
            Handed::Feedback { turn, good } => Input::Feedback { turn, good },
            Handed::Fill(form, values) => Input::Form { form, values },
            Handed::Cancel(form) => Input::CancelForm { form },
            Handed::Gone => Input::Gone,
        };
        let Some(engine) = self.engine.get() else {
            tracing::error!("an input came too early: {BUSY}");
            return Taken { turn: false, asks: false, ended: std::future::ready(false).boxed() };
        };
        let ticket = engine.submit(Inbound { origin, input, source: source.map(keyed) }).await;
        Taken { turn: ticket.turn.is_some(), asks: ticket.asks, ended: ticket.ended().boxed() }
    }

    async fn check_form(&self, form: &FormId, values: &Values) -> Option<(String, String)> {
        self.engine.get()?.check_form(form, values).await
    }

    async fn is_bound(&self, thread: &ConversationId) -> bool {
        told(self.store.thread_at(thread).await).is_some()
    }

    async fn turn_of(&self, source: &str) -> Option<Turn> {
        told(self.store.turn_of(&self.keyed(source)).await)
    }

    async fn threads_since(&self, since: Timestamp) -> Vec<(ConversationId, SessionId)> {
        told(self.store.threads_used(self.prefix, since).await)
    }

    async fn draft(&self, turn: TurnId) -> Option<String> {
        told(self.store.draft(turn).await)
    }

    async fn keep_draft(&self, turn: TurnId, draft: String) {
        told(self.store.keep_draft(turn, draft).await);
    }

    async fn drop_draft(&self, turn: TurnId) {
        told(self.store.drop_draft(turn).await);
    }

    async fn unshown(&self) -> Vec<Turn> {
        let mut turns: Vec<Turn> = told(self.store.unshown().await);
        // The program that took them is gone, and may have shown something of them that it had no time to note.
        turns.iter_mut().for_each(|turn| turn.origin.input = None);
        turns
    }

    async fn note(&self, key: &'static str) -> Option<String> {
        told(self.store.note(key).await)
    }

    async fn set_note(&self, key: &'static str, value: String) {
        told(self.store.set_note(key, value).await);
    }

    fn groups(&self) -> Vec<String> {
        self.groups.clone()
    }

    async fn names(&self) -> Vec<(String, String)> {
        let names = told(self.store.names().await);
        names.into_iter().filter_map(|(id, name)| Some((id.0.strip_prefix(self.prefix)?.to_owned(), name))).collect()
    }
}
