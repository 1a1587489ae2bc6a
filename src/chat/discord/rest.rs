//! Discord's REST API: a request whose turn it is, and what came of it.
//!
//! Invariants: a request that may have been taken is repeated only where that does nothing twice; no token, path or content is in
//! what is shown or told, since paths hold tokens, too.

mod fault;
mod file;
mod first;
mod form;
mod limiter;
mod route;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
pub use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

pub use self::fault::Fault;
use self::first::First;
use self::limiter::Limiter;
pub use self::limiter::{Permit, Rank};
use self::route::Kind;
pub use self::route::Route;
use crate::model::File;
use crate::tls;

const AGENT: &str = concat!("DiscordBot (gaggle, ", env!("CARGO_PKG_VERSION"), ")");
const CONNECT: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(15);
/// Connections that are kept for the next burst.
const IDLE: usize = 32;
/// Of requests with files.
const LONG_LIMIT: Duration = Duration::from_secs(60);
/// Of a body.
const ANSWER: usize = 8 << 20;
/// How often what was not taken is tried.
const TRIES: u32 = 6;
/// How often, and how long in all, a call waits out what Discord did not tell before.
const LIMITS: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(60);

/// Cheap to clone.
#[derive(Clone)]
pub struct Rest {
    shared: Arc<Shared>,
}

struct Shared {
    tls: rustls::ClientConfig,
    client: reqwest::Client,
    first: First,
    limiter: Limiter,
    base: Url,
    /// Up to `/v10`.
    root: String,
    token: HeaderValue,
    dead: watch::Sender<bool>,
}

#[derive(Clone)]
pub struct Request<'a> {
    pub route: Route,
    pub body: Option<&'a Value>,
    pub files: &'a [File],
    pub query: &'a [(&'a str, String)],
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({:?})", self.route)
    }
}

impl<'a> Request<'a> {
    pub fn new(route: Route) -> Self {
        Self { route, body: None, files: &[], query: &[] }
    }

    #[must_use]
    pub fn body(mut self, body: &'a Value) -> Self {
        self.body = Some(body);
        self
    }

    #[must_use]
    pub fn files(mut self, files: &'a [File]) -> Self {
        self.files = files;
        self
    }

    #[must_use]
    pub fn query(mut self, query: &'a [(&'a str, String)]) -> Self {
        self.query = query;
        self
    }

    /// Whether it can be made again though it may have been taken. A message with an enforced nonce is made once.
    fn is_repeatable(&self) -> bool {
        let is_once = |body: &Value| body["enforce_nonce"] == true && (body["nonce"].is_string() || body["nonce"].is_number());
        self.route.is_repeatable() || self.body.is_some_and(is_once)
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("host", &self.shared.base.host_str()).finish_non_exhaustive()
    }
}

impl Rest {
    /// `api_url` ends in `/api`, with or without a slash behind it.
    pub fn new(api_url: &str, token: SecretString) -> anyhow::Result<Self> {
        let base = Url::parse(api_url).context("`discord.api_url` is no URL")?;
        anyhow::ensure!(matches!(base.scheme(), "http" | "https"), "`discord.api_url` is neither http nor https");
        let root = format!("{}/v10", base.as_str().trim_end_matches('/'));
        let mut token = HeaderValue::from_str(&format!("Bot {}", token.expose_secret().trim()))
            .map_err(|_| anyhow::anyhow!("`discord.token` has characters that no token has"))?;
        token.set_sensitive(true);
        let tls = tls::config(base.scheme() == "https")?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(IDLE)
            .timeout(LIMIT)
            .user_agent(AGENT)
            .build()
            .context("no HTTP client for Discord")?;
        let first = First::new(&root, tls.clone());
        let shared =
            Shared { tls, client, first, limiter: Limiter::default(), base, root, token, dead: watch::Sender::new(false) };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(super) fn tls(&self) -> Arc<rustls::ClientConfig> {
        Arc::new(self.shared.tls.clone())
    }

    /// Discord no longer takes the token: nothing that needs it is sent any more.
    pub fn is_dead(&self) -> bool {
        *self.shared.dead.borrow()
    }

    /// Resolves once the client is dead.
    pub async fn died(&self) {
        let mut dead = self.shared.dead.subscribe();
        if dead.wait_for(|dead| *dead).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn die(&self) {
        if !self.shared.dead.send_replace(true) {
            tracing::error!("Discord no longer takes the bot's token; set a new one and restart Gaggle");
            // Whoever waits is told by trying.
            self.shared.limiter.open();
        }
    }

    /// Waits for its turn, sends, and tries again where that cannot do anything twice.
    pub async fn call(&self, request: Request<'_>, rank: Rank) -> Result<Value, Fault> {
        let (mut tries, mut limits) = (0, 0);
        // Once Discord has said that it wants a pause: when it is too late to wait any longer, and what it said.
        let mut patience: Option<(Instant, Duration)> = None;
        loop {
            let pass = self.pass(&request.route, rank);
            let permit = match patience {
                None => pass.await,
                Some((until, wait)) => timeout_at(until, pass).await.map_err(|_| Fault::Limited(wait))?,
            };
            let fault = match self.sent(permit, &request).await {
                Err(fault) => fault,
                answer => return answer,
            };
            match fault {
                Fault::Limited(wait) => {
                    limits += 1;
                    let until = patience.map_or_else(|| Instant::now() + PATIENCE, |(until, _)| until);
                    if limits > LIMITS || Instant::now() + wait > until {
                        return Err(fault);
                    }
                    patience = Some((until, wait));
                }
                Fault::Unsent(_) if tries + 1 < TRIES => {}
                Fault::Unknown(_) if tries + 1 < TRIES && request.is_repeatable() => {}
                fault => return Err(fault),
            }
            if !matches!(fault, Fault::Limited(_)) {
                sleep(pause(tries)).await;
                tries += 1;
            }
        }
    }

    /// Waits until the route may be used.
    pub async fn pass(&self, route: &Route, rank: Rank) -> Permit {
        self.shared.limiter.pass(route, rank).await
    }

    /// Leave to send right now, or none.
    pub fn try_pass(&self, route: &Route, rank: Rank) -> Option<Permit> {
        self.shared.limiter.try_pass(route, rank)
    }

    /// Sends once, with leave for the same route. Dropped half-way, it counts, and may have taken effect.
    pub async fn send(&self, permit: Permit, request: Request<'_>) -> Result<Value, Fault> {
        self.sent(permit, &request).await
    }

    /// First response to an interaction. Nobody waits for leave here.
    pub async fn respond(&self, id: &str, token: &str, body: &Value) -> Result<(), Fault> {
        let result = counted("POST /interactions/*/*/callback", self.shared.first.respond(id, token, body)).await;
        match &result {
            Err(Fault::Limited(_)) => self.shared.limiter.count(StatusCode::TOO_MANY_REQUESTS),
            Err(Fault::Refused { status, .. }) => {
                self.shared.limiter.count(StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_REQUEST));
            }
            _ => {}
        }
        result
    }

    async fn sent(&self, permit: Permit, request: &Request<'_>) -> Result<Value, Fault> {
        counted(request.route.name.clone(), self.once(permit, request)).await
    }

    async fn once(&self, mut permit: Permit, request: &Request<'_>) -> Result<Value, Fault> {
        let is_bot = request.route.kind == Kind::Bot;
        if is_bot && self.is_dead() {
            return Err(Fault::Refused { status: 401, code: 0 });
        }
        let built = self.built(request)?;
        permit.sent();
        let answer = match built.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let fault = Fault::of_request(&error);
                if let Fault::Unsent(_) = fault {
                    permit.unused();
                }
                return Err(fault);
            }
        };
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let headers = answer.headers().clone();
            let body = file::bounded(answer, ANSWER).await.unwrap_or_default();
            let Some((wait, scope)) = limiter::limited(&headers, &body) else {
                permit.answered(status, &headers);
                return Err(Fault::of_answer(status, &body));
            };
            permit.limited(&headers, wait, scope);
            return Err(Fault::Limited(wait));
        }
        permit.answered(status, answer.headers());
        let body = file::bounded(answer, ANSWER).await;
        if !status.is_success() {
            let fault = Fault::of_answer(status, &body.unwrap_or_default());
            if is_bot && fault.is_token_dead() {
                self.die();
            }
            return Err(fault);
        }
        match body {
            Ok(body) if body.is_empty() => Ok(Value::Null),
            Ok(body) => serde_json::from_slice(&body).map_err(|_| Fault::Unknown("an answer that is not Discord's")),
            Err(Fault::TooLarge) => Err(Fault::Unknown("an answer without an end")),
            Err(_) => Err(Fault::Unknown("the connection broke")),
        }
    }

    fn built(&self, request: &Request<'_>) -> Result<RequestBuilder, Fault> {
        let Request { route, body, files, query } = request;
        let mut url = Url::parse(&format!("{}{}", self.shared.root, route.path)).map_err(|_| Fault::Foreign)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query.iter());
        }
        let mut built = self.shared.client.request(route.method.clone(), url);
        if route.kind == Kind::Bot {
            built = built.header(AUTHORIZATION, self.shared.token.clone());
        }
        Ok(match body {
            _ if !files.is_empty() => {
                let (form, kind) = form::form(*body, files);
                built.header(CONTENT_TYPE, kind).timeout(LONG_LIMIT).body(form)
            }
            Some(body) => built.header(CONTENT_TYPE, "application/json").body(body.to_string()),
            // Without it some servers refuse what has no body.
            None if route.method != Method::GET => built.header(CONTENT_LENGTH, 0),
            None => built,
        })
    }
}

/// Doubles from a quarter of a second, each time a little different, so that not all come at once.
fn pause(tries: u32) -> Duration {
    let spread = f64::from(getrandom::u32().unwrap_or(0) % 1000) / 1000.0;
    Duration::from_millis(250 << tries.min(5)).mul_f64(0.75 + spread / 2.0)
}

async fn counted<T>(route: impl Into<metrics::SharedString>, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let result = work.await;
    let outcome = result.as_ref().err().map_or("ok", Fault::outcome);
    metrics::counter!("gaggle_discord_calls_total", "route" => route.into(), "outcome" => outcome).increment(1);
    result
}
