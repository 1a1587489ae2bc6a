//! A workspace of Slack's as the program meets it: Web API, Socket Mode, signed requests, and the people who use it.
//!
//! Invariant: whatever Slack would refuse is refused and remembered, and [`Slack::done`] fails on any of it that the test did not
//! allow. Waits for changes, never for time.
#![allow(dead_code, unused_imports, reason = "whole as Slack is, whatever the stories of today use of it")]

mod bot;
mod call;
mod chat;
mod click;
mod delivery;
mod events;
mod limits;
mod link;
mod look;
mod rules;
mod state;
mod stream;
mod talk;
mod user;
mod views;
mod web;
mod world;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::io;

pub use bot::Bot;
pub use call::{decode, encode};
pub use click::Put;
pub use delivery::{Acked, Missed, now, sign};
pub use look::{Button, Seen};
pub use rules::{Rate, Rules, Streaming};
pub use state::{APP, APP_TOKEN, BOT, BOT_TOKEN, BOT_USER, Call, Count, Kind, Message, SIGNING_SECRET, State, TEAM, Trouble};
pub use user::{Outcome, User};

/// The longest that a test waits for anything.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// How Slack reaches the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Socket,
    Http,
}

#[derive(Clone)]
pub struct Slack {
    pub inner: Arc<Inner>,
    _end: Arc<DropGuard>,
}

pub struct Inner {
    pub way: Way,
    state: Mutex<State>,
    version: watch::Sender<u64>,
    http: reqwest::Client,
    /// Where signed requests go.
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
}

/// What changes the state also sends the events that come of it.
trait Change {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T;
}

impl Change for Arc<Inner> {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = {
            let mut state = self.lock();
            let result = change(&mut state);
            self.send_events(&mut state);
            result
        };
        self.version.send_modify(|v| *v += 1);
        result
    }
}

impl Slack {
    pub async fn start(way: Way) -> Self {
        Self::with(way, Rules::default()).await
    }

    pub async fn with(way: Way, rules: Rules) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let http =
            reqwest::Client::builder().tcp_nodelay(true).redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let mut state = State::new(rules);
        state.base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let inner = Arc::new(Inner {
            way,
            state: Mutex::new(state),
            version: watch::Sender::new(0),
            http,
            bot_url: Mutex::default(),
            ended: CancellationToken::new(),
        });
        let linked = Arc::clone(&inner);
        let web =
            io::sort(listener, inner.ended.clone(), &[b"GET /link/"], move |stream| link::serve(Arc::clone(&linked), stream));
        let service = web::router(Arc::clone(&inner)).into_make_service_with_connect_info::<io::Cut>();
        let ended = inner.ended.clone();
        tokio::spawn(async move { axum::serve(web, service).with_graceful_shutdown(ended.cancelled_owned()).await });
        let end = Arc::new(inner.ended.clone().drop_guard());
        Self { inner, _end: end }
    }

    /// For `[slack] api_url`.
    pub fn api_url(&self) -> String {
        format!("{}/api", self.inner.look(State::base))
    }

    /// Where signed requests go from now on.
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

    /// Waits until everything that was sent is acknowledged or given up.
    pub async fn settled(&self) {
        self.wait("the end of all deliveries", |s| (s.open == 0).then_some(())).await;
    }

    /// The next `count` calls of this method (or of `response_url`, `upload`, `download`) go wrong.
    pub fn trouble(&self, method: &str, count: usize, trouble: &Trouble) {
        self.change(|s| s.troubles.entry(method.into()).or_default().extend(std::iter::repeat_n(trouble.clone(), count)));
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

    pub fn count(&self, method: &str) -> Count {
        self.look(|s| s.counts.get(method).copied().unwrap_or_default())
    }

    /// The end of a test: nothing on its way, unless its bot has ended first, and no fault that was not allowed.
    pub async fn done(self) {
        if !self.look(|s| s.bot_ended) {
            self.settled().await;
        }
        self.look(|s| assert!(s.faults.is_empty(), "{}\n{}", s.faults.join("\n"), s.report()));
    }
}
