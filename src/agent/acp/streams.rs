//! ACP over HTTP: calls are POSTs, everything that comes back comes on streams: one of the connection, one of each session
//! that is in use. Streams break and are opened again, the server keeps what was not read; only a server that no longer
//! listens, or no longer knows the connection, ends what runs.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Acp;
use super::core::{Core, Hello, Wire};
use super::message::{self, Incoming};
use super::session::{Next, Session};
use crate::agent::site::{Site, Trouble};
use crate::agent::sse::{self, Cut, Life};
use crate::agent::{AgentEvent, Failure, MAX_EVENT, Patience, sentences};

const CONNECTION: HeaderName = HeaderName::from_static("acp-connection-id");
const SESSION: HeaderName = HeaderName::from_static("acp-session-id");
/// Calls at a time, so that a thousand sessions do not open a thousand sockets more.
const POSTS: usize = 48;
/// A server that nobody answers for this long is gone.
const REFUSED: Duration = Duration::from_millis(500);
/// One that cannot be reached for another reason may be back after this long.
const UNREACHABLE: Duration = Duration::from_secs(20);

pub struct Http {
    site: Site,
    path: &'static str,
    connection: String,
    /// An earlier program made it, and may still be taken for the reader of its streams.
    inherited: bool,
    posts: Arc<Semaphore>,
}

pub async fn connect(site: Site, cwd: &str, patience: Patience, earlier: Option<&str>) -> Result<Acp, Failure> {
    let path = if site.place().ends_with("/acp") { "" } else { "/acp" };
    let kept = match earlier.and_then(Hello::unpack) {
        Some((id, hello)) => still_known(&site, path, &id).await?.then_some((id, hello)),
        None => None,
    };
    let inherited = kept.is_some();
    let (connection, hello) = match kept {
        Some(kept) => kept,
        None => initialize(&site, path).await?,
    };
    let place = site.place();
    let http = Http { site, path, connection, inherited, posts: Arc::new(Semaphore::new(POSTS)) };
    let core = Core::new(Wire::Http(Box::new(http)), hello, place, cwd, patience);
    tokio::spawn(follow_connection(core.clone()));
    Ok(Acp { _stop: core.stop.clone().drop_guard(), core })
}

async fn initialize(site: &Site, path: &str) -> Result<(String, Hello), Failure> {
    let request = site
        .request(Method::POST, path)
        .header(ACCEPT, "application/json, text/event-stream")
        .json(&message::initialize("hello"));
    let response = site.call(request).await.map_err(|trouble| site.unreachable(&trouble))?;
    let status = response.status();
    if !status.is_success() {
        return Err(site.odd_status(status));
    }
    let connection = response.headers().get(CONNECTION).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let not_acp = || sentences::no_acp(&site.place());
    let body = response.text().await.map_err(|_| not_acp())?;
    match (message::parse(&body), connection) {
        (Some(Incoming::Response { outcome: Ok(result), .. }), Some(connection)) => Ok((connection, Hello::of(&result)?)),
        (Some(Incoming::Response { outcome: Err(error), .. }), _) => Err(sentences::rpc("begin", error.code, &error.text)),
        _ => Err(not_acp()),
    }
}

/// Whether the server still has a connection that an earlier program made. Asked with a call that changes nothing.
async fn still_known(site: &Site, path: &str, id: &str) -> Result<bool, Failure> {
    let request =
        site.request(Method::POST, path).header(CONNECTION, id).json(&message::notification("gaggle/hello-again", Value::Null));
    let response = site.call(request).await.map_err(|trouble| site.unreachable(&trouble))?;
    match response.status() {
        status if status.is_success() => Ok(true),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Err(site.odd_status(status)),
        _ => Ok(false),
    }
}

impl Http {
    pub fn id(&self) -> &str {
        &self.connection
    }

    pub fn inherited(&self) -> bool {
        self.inherited
    }

    fn request(&self, method: Method, session: Option<&str>) -> reqwest::RequestBuilder {
        let request = self.site.request(method, self.path).header(CONNECTION, &self.connection);
        match session {
            Some(session) => request.header(SESSION, session),
            None => request,
        }
    }

    pub async fn post(&self, core: &Core, message: &Value, session: Option<&str>) -> Result<(), Failure> {
        let body = message.to_string();
        let until = Instant::now() + REFUSED;
        loop {
            let place = self.posts.acquire().await;
            let request = self.request(Method::POST, session).header(CONTENT_TYPE, "application/json").body(body.clone());
            let outcome = self.site.call(request).await;
            drop(place);
            match outcome {
                Ok(response) => match response.status() {
                    status if status.is_success() => return Ok(()),
                    StatusCode::NOT_FOUND => {
                        core.lost(sentences::gone(core.place(), "it was restarted"));
                        return Err(core.why_gone());
                    }
                    status => return Err(self.site.odd_status(status)),
                },
                // Nothing was sent, so that it can be sent again.
                Err(Trouble::Refused(_)) if Instant::now() < until => tokio::time::sleep(REFUSED / 5).await,
                Err(trouble) => {
                    if let Trouble::Refused(why) = &trouble {
                        core.lost(sentences::gone(core.place(), why));
                    }
                    return Err(self.site.unreachable(&trouble));
                }
            }
        }
    }

    /// For answers that nobody waits for.
    pub fn post_later(&self, message: Value) {
        let request = self.request(Method::POST, None).header(CONTENT_TYPE, "application/json").body(message.to_string());
        let (site, posts) = (self.site.clone(), self.posts.clone());
        tokio::spawn(async move {
            let _place = posts.acquire().await;
            if let Err(trouble) = site.call(request).await {
                tracing::debug!(?trouble, "not sent");
            }
        });
    }

    pub async fn delete(&self) {
        let request = self.site.stream(self.request(Method::DELETE, None));
        match tokio::time::timeout(Duration::from_secs(2), request).await {
            Ok(Ok(_)) => {}
            Ok(Err(trouble)) => tracing::debug!(?trouble, "the connection was not closed"),
            Err(_) => tracing::debug!("the connection was not closed in time"),
        }
    }
}

/// A stream that held this long worked: its end is no failed try.
const WORKED: Duration = Duration::from_secs(5);

/// How often and how long a stream has been tried.
struct Tries {
    since: Option<Instant>,
    count: u32,
}

impl Tries {
    fn new() -> Self {
        Self { since: None, count: 0 }
    }

    /// A stream that was opened then has ended. The first time it is tried again at once: if the server is gone, people are to
    /// know it soon.
    async fn broke(&mut self, opened: Instant) -> bool {
        if opened.elapsed() > WORKED {
            *self = Self::new();
        }
        if self.since.is_some() {
            return self.again(UNREACHABLE).await;
        }
        self.since = Some(Instant::now());
        true
    }

    /// Waits before the next try. `false`: it has been long enough.
    async fn again(&mut self, patience: Duration) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() > patience {
            return false;
        }
        let wait = Duration::from_millis(10 << self.count.min(7));
        self.count += 1;
        tokio::time::sleep(wait).await;
        true
    }
}

/// Opens a stream, however often it takes. `None`: the connection is lost, and says why.
async fn open(core: &Core, http: &Http, session: Option<&str>, tries: &mut Tries) -> Option<reqwest::Response> {
    loop {
        let request = http.request(Method::GET, session).header(ACCEPT, "text/event-stream");
        let (why, patience) = match http.site.stream(request).await {
            Ok(response) => match response.status() {
                StatusCode::OK => return Some(response),
                // The one before this has not been given up yet.
                StatusCode::CONFLICT => ("another reader has its stream".to_owned(), UNREACHABLE),
                StatusCode::NOT_FOUND => {
                    // An empty body: the connection is unknown. Otherwise the session is, perhaps because there are too many.
                    match response.text().await {
                        Ok(text) if text.contains("ession") => (text, Duration::from_secs(3)),
                        _ => {
                            core.lost(sentences::gone(core.place(), "it was restarted"));
                            return None;
                        }
                    }
                }
                status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                    core.lost(http.site.odd_status(status));
                    return None;
                }
                status => (format!("HTTP status {status}"), UNREACHABLE),
            },
            Err(Trouble::Refused(why)) => (why, REFUSED),
            Err(Trouble::Lost(why)) => (why, UNREACHABLE),
            Err(Trouble::TooLong) => ("no answer".to_owned(), UNREACHABLE),
        };
        if !tries.again(patience).await {
            core.lost(sentences::gone(core.place(), &why));
            return None;
        }
    }
}

/// Reads the connection's own stream for as long as there is a connection.
async fn follow_connection(core: Arc<Core>) {
    let stop = core.stop.clone();
    let gone = core.gone.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = gone.cancelled() => {}
        () = read_connection(&core) => {}
    }
}

async fn read_connection(core: &Arc<Core>) {
    let Wire::Http(http) = &core.wire else { return };
    let mut tries = Tries::new();
    loop {
        let Some(response) = open(core, http, None, &mut tries).await else { return };
        core.heard.cancel();
        let opened = Instant::now();
        let life = Life::new();
        let mut payloads = sse::payloads(response.bytes_stream(), life.clone(), MAX_EVENT);
        loop {
            match tokio::time::timeout_at(life.until(core.patience.stream_idle), payloads.next()).await {
                Ok(Some(Ok(text))) => {
                    tries = Tries::new();
                    route(core, &text).await;
                }
                Ok(Some(Err(cut))) => {
                    tracing::debug!(%cut, "the connection's stream");
                    break;
                }
                Ok(None) => break,
                // A keep-alive may have come since the limit was set.
                Err(_) if life.until(core.patience.stream_idle) > Instant::now() => {}
                Err(_) => {
                    tries = Tries::new();
                    break;
                }
            }
        }
        if !tries.broke(opened).await {
            core.lost(sentences::gone(core.place(), "its stream breaks again and again"));
            return;
        }
    }
}

/// A message on the connection's stream: some servers send a session's messages there until its own stream is open.
async fn route(core: &Arc<Core>, text: &str) {
    let Some(message) = message::parse(text) else {
        tracing::debug!("not a message");
        return;
    };
    let session = match &message {
        Incoming::Response { id, .. } => core.session_of(id),
        other => other.session().map(str::to_owned),
    };
    match session {
        Some(id) => core.session(&id).take(core, message).await,
        None => core.other(message),
    }
}

/// Reads a session's stream for as long as it is needed.
pub async fn follow(core: Arc<Core>, session: Arc<Session>) {
    let (stop, retired) = (core.stop.clone(), session.retired.clone());
    tokio::select! {
        () = stop.cancelled() => {}
        () = retired.cancelled() => session.end(vec![AgentEvent::Done { cancelled: true, usage: None }], false).await,
        () = read_session(&core, &session) => {}
    }
}

async fn read_session(core: &Arc<Core>, session: &Arc<Session>) {
    let Wire::Http(http) = &core.wire else { return };
    let idle = core.patience.stream_idle;
    let mut tries = Tries::new();
    'streams: loop {
        let response = tokio::select! {
            response = open(core, http, Some(&session.id), &mut tries) => response,
            () = core.gone.cancelled() => None,
        };
        let Some(response) = response else {
            return session.end(vec![AgentEvent::Failed(core.why_gone())], false).await;
        };
        session.heard.cancel();
        let opened = Instant::now();
        session.life.touch();
        let mut payloads = pin!(sse::payloads(response.bytes_stream(), session.life.clone(), MAX_EVENT));
        loop {
            tokio::select! {
                // What has come is read before the end of the connection is believed.
                biased;
                payload = payloads.next() => match payload {
                    Some(Ok(text)) => {
                        tries = Tries::new();
                        match message::parse(&text) {
                            Some(message) => session.take(core, message).await,
                            None => tracing::debug!("not a message"),
                        }
                    }
                    Some(Err(Cut::TooLarge)) => {
                        give_up(core, session, sentences::too_large()).await;
                        continue 'streams;
                    }
                    Some(Err(Cut::Broken(_))) | None => break,
                },
                () = session.wake.notified() => {}
                () = core.gone.cancelled() => {
                    return session.end(vec![AgentEvent::Failed(core.why_gone())], false).await;
                }
                () = tokio::time::sleep_until(session.deadline(idle)) => match session.overdue(idle).await {
                    Next::Listen => {}
                    Next::Leave => return,
                    Next::GiveUp => core.send_later(Core::cancel_message(&session.id), Some(session.id.clone())),
                },
            }
        }
        session.gap().await;
        if !tries.broke(opened).await {
            core.lost(sentences::gone(core.place(), "its stream breaks again and again"));
        }
    }
}

/// Ends the session's run here, and asks the agent to end it there.
pub async fn give_up(core: &Arc<Core>, session: &Arc<Session>, failure: Failure) {
    core.send_later(Core::cancel_message(&session.id), Some(session.id.clone()));
    session.end(vec![AgentEvent::Failed(failure)], true).await;
}
