//! The HTTP door: signed interactions, checked before anything of them is believed.
//!
//! Invariants: a body is bounded before it is read and its signature holds before it is parsed; nothing is handed on twice under one
//! signature; whoever cannot sign costs one check of a signature at most; no refusal tells its reason. Absence: what proxies say of
//! where a request came from is not looked at.

mod key;
mod seen;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

use seen::Seen;

pub use key::{InvalidKey, PublicKey};

/// Discord's own bodies are far smaller.
const BODY: usize = 1 << 20;
/// How long a body may take that is all but there.
const READING: Duration = Duration::from_secs(2);
/// Discord waits for 3 s. Who takes the interaction ought to have answered by 2.5 s.
const PATIENCE: Duration = Duration::from_millis(2800);
/// How much a signature's time may differ from ours, either way, in seconds.
const SKEW: u64 = 300;

const PING: u8 = 1;

/// Called with an interaction once it is verified; resolves to the first response, at the latest 2.5 s after it was received. `None`:
/// there is none, and Discord tells the user so. If Discord hangs up before, the future is dropped.
pub type Take = Arc<dyn Fn(Interaction) -> BoxFuture<'static, Option<Value>> + Send + Sync>;

pub struct Interaction {
    pub data: Box<RawValue>,
    pub received: Instant,
}

struct Shared {
    key: PublicKey,
    take: Take,
    seen: Seen,
}

/// `POST /discord/interactions`.
pub fn routes(public_key: PublicKey, take: Take) -> Router {
    let shared = Arc::new(Shared { key: public_key, take, seen: Seen::default() });
    Router::new().route("/discord/interactions", post(interactions)).with_state(shared)
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Unsigned,
    Stale,
    Forged,
    Replayed,
    Oversized,
    Slow,
    Malformed,
    Unanswered,
}

impl Refusal {
    fn response(self) -> Response {
        let (status, why) = match self {
            Self::Unsigned => (StatusCode::UNAUTHORIZED, "unsigned"),
            Self::Stale => (StatusCode::UNAUTHORIZED, "stale"),
            Self::Forged => (StatusCode::UNAUTHORIZED, "forged"),
            Self::Replayed => (StatusCode::UNAUTHORIZED, "replayed"),
            Self::Oversized => (StatusCode::PAYLOAD_TOO_LARGE, "oversized"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "slow"),
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed"),
            Self::Unanswered => (StatusCode::SERVICE_UNAVAILABLE, "unanswered"),
        };
        metrics::counter!("gaggle_discord_refused_total", "why" => why).increment(1);
        tracing::debug!(why, "a request to the Discord door was refused");
        status.into_response()
    }
}

async fn interactions(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    shared.take(request).await.unwrap_or_else(Refusal::response)
}

/// What every interaction has; the rest is for whoever takes it.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: u8,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    token: Option<String>,
}

impl Head {
    fn is_interaction(&self) -> bool {
        let is_id = |id: &str| !id.is_empty() && id.len() <= 20 && id.bytes().all(|byte| byte.is_ascii_digit());
        self.kind > PING && self.id.as_deref().is_some_and(is_id) && self.token.as_deref().is_some_and(|token| !token.is_empty())
    }
}

impl Shared {
    async fn take(&self, request: Request) -> Result<Response, Refusal> {
        let received = Instant::now();
        let (head, body) = request.into_parts();
        let signature = header(&head.headers, "x-signature-ed25519").and_then(key::signature).ok_or(Refusal::Unsigned)?;
        let time = header(&head.headers, "x-signature-timestamp").ok_or(Refusal::Unsigned)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if seconds(time).ok_or(Refusal::Unsigned)?.abs_diff(now) > SKEW {
            return Err(Refusal::Stale);
        }
        let body = timeout_at(received + READING, read(body)).await.map_err(|_| Refusal::Slow)??;
        if !self.key.has_signed(&signature, time, &body) {
            return Err(Refusal::Forged);
        }
        let body = String::from_utf8(body).map_err(|_| Refusal::Malformed)?;
        let head: Head = serde_json::from_str(&body).map_err(|_| Refusal::Malformed)?;
        // It does nothing, so it may come again.
        if head.kind == PING {
            return Ok(axum::Json(json!({ "type": PING })).into_response());
        }
        if !head.is_interaction() {
            return Err(Refusal::Malformed);
        }
        let data = RawValue::from_string(body).map_err(|_| Refusal::Malformed)?;
        if !self.seen.enter(&signature, Instant::now()) {
            return Err(Refusal::Replayed);
        }
        let answer = timeout_at(received + PATIENCE, (self.take)(Interaction { data, received })).await;
        // Its signature stays: something of it may have been done.
        let answer = answer.ok().flatten().ok_or(Refusal::Unanswered)?;
        Ok(axum::Json(answer).into_response())
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Digits only, so that nothing can move from the body into the time under the same signature.
fn seconds(time: &str) -> Option<u64> {
    let is_plain = (1..=12).contains(&time.len()) && time.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| time.parse().ok())?
}

async fn read(body: Body) -> Result<Vec<u8>, Refusal> {
    use axum::body::HttpBody as _;
    if body.size_hint().lower() > BODY as u64 {
        return Err(Refusal::Oversized);
    }
    // The only other end is that of the connection, where nobody reads the answer.
    axum::body::to_bytes(body, BODY).await.map(Vec::from).map_err(|_| Refusal::Oversized)
}
