//! Discord as the program meets it: its API, its gateway, signed interactions, and the people who use it.
//!
//! Invariant: whatever Discord would refuse is refused and remembered, and [`Discord::done`] fails on any of it that the test did not
//! allow. Waits for changes, never for time.
#![allow(dead_code, unused_imports, reason = "whole as Discord is, whatever the stories of today use of it")]

mod body;
mod bot;
mod chat;
mod click;
mod commands;
mod delivery;
mod dispatch;
mod events;
mod gateway;
mod guild;
mod interactions;
mod limits;
mod look;
mod mentions;
pub mod permissions;
mod rates;
pub mod refusal;
mod rules;
pub mod schema;
mod shapes;
mod state;
mod threads;
mod tree;
mod typed;
mod user;
mod web;
mod webhooks;
mod world;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::io;

pub use bot::Bot;
pub use delivery::{FORGED, Forged, Missed, now, public_key, sign};
pub use look::{Button, Seen, Select, embed_text};
pub use rules::{Rate, Rules};
pub use state::{
    APP, BOT, BOT_ROLE, Channel, Count, GUILD, Interaction, Kind, Message, Overwrite, Registered, Session, Shown, State, TOKEN,
    Trouble,
};
pub use user::{Outcome, User};

/// The longest that a test waits for anything.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// How interactions reach the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Gateway,
    Http,
}

#[derive(Clone)]
pub struct Discord {
    pub inner: Arc<Inner>,
    _end: Arc<DropGuard>,
}

pub struct Inner {
    pub way: Way,
    state: Mutex<State>,
    version: watch::Sender<u64>,
    http: reqwest::Client,
    /// Where signed interactions go.
    bot_url: Mutex<Option<String>>,
    ended: CancellationToken,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.version.send_modify(|v| *v += 1);
        result
    }
}

impl Discord {
    pub async fn start(way: Way) -> Self {
        Self::with(way, Rules::default()).await
    }

    pub async fn with(way: Way, rules: Rules) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let http =
            reqwest::Client::builder().tcp_nodelay(true).redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let state = State::new(rules, format!("http://{}", listener.local_addr().expect("an address")));
        let inner = Arc::new(Inner {
            way,
            state: Mutex::new(state),
            version: watch::Sender::new(0),
            http,
            bot_url: Mutex::default(),
            ended: CancellationToken::new(),
        });
        let linked = Arc::clone(&inner);
        let web = io::sort(listener, inner.ended.clone(), &[b"GET /?", b"GET /resume?"], move |stream| {
            gateway::serve(Arc::clone(&linked), stream)
        });
        let service = web::router(Arc::clone(&inner)).into_make_service_with_connect_info::<io::Cut>();
        let ended = inner.ended.clone();
        tokio::spawn(async move { axum::serve(web, service).with_graceful_shutdown(ended.cancelled_owned()).await });
        let end = Arc::new(inner.ended.clone().drop_guard());
        Self { inner, _end: end }
    }

    /// For `[discord] api_url`.
    pub fn api_url(&self) -> String {
        self.inner.look(|s| format!("{}/api", s.base_url))
    }

    /// Where signed interactions go from now on.
    pub fn reach(&self, url: &str) {
        *self.inner.bot_url.lock().expect("no panic") = Some(url.trim_end_matches('/').to_owned());
    }

    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.inner.look(look)
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.inner.change(change)
    }

    pub fn rules(&self, change: impl FnOnce(&mut Rules)) {
        self.change(|s| change(&mut s.rules));
    }

    /// Discord's own time goes on by this much: tokens die, messages get old, buckets are full again, quiet threads are archived.
    pub fn advance(&self, by: Duration) {
        self.change(|s| {
            s.advance(by);
            s.archive_quiet();
        });
    }

    /// Waits until `look` finds something.
    pub async fn wait<T>(&self, what: &str, look: impl FnMut(&State) -> Option<T>) -> T {
        match self.try_wait(look).await {
            Some(found) => found,
            None => panic!("no sign of {what}\n{}", self.look(State::report)),
        }
    }

    /// … or the time is over.
    pub async fn try_wait<T>(&self, mut look: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let mut changes = self.inner.version.subscribe();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                if let Some(found) = self.look(&mut look) {
                    return found;
                }
                let _ = changes.changed().await;
            }
        };
        tokio::time::timeout(DEADLINE, waiting).await.ok()
    }

    /// Waits until every interaction has its first response or was given up.
    pub async fn settled(&self) {
        self.wait("the end of all interactions", |s| (s.open == 0).then_some(())).await;
    }

    /// The next `count` calls of this route (`POST /channels/{id}/messages`, `download`) go wrong.
    pub fn trouble(&self, route: &str, count: usize, trouble: &Trouble) {
        self.change(|s| s.troubles.entry(route.into()).or_default().extend(std::iter::repeat_n(trouble.clone(), count)));
    }

    /// A fault that contains this is what the test is about.
    pub fn allow(&self, part: &str) {
        self.change(|s| {
            s.faults.retain(|fault| !fault.contains(part));
            s.allowed.push(part.to_owned());
        });
    }

    pub fn faults(&self) -> Vec<String> {
        self.look(|s| s.faults.clone())
    }

    pub fn count(&self, route: &str) -> Count {
        self.look(|s| s.counts.get(route).copied().unwrap_or_default())
    }

    /// The end of a test: nothing on its way, unless its bot has ended first, and no fault that was not allowed.
    pub async fn done(self) {
        if !self.look(|s| s.bot_ended) {
            self.settled().await;
        }
        self.look(|s| assert!(s.faults.is_empty(), "{}\n{}", s.faults.join("\n"), s.report()));
    }
}
