//! The HTTP door: signed requests, checked before anything of them is believed.
//!
//! Invariants: a body is bounded before it is read and its signature holds before it is parsed; nothing is handed on twice under one
//! signature, except an event that Slack says it repeats; nobody waits for a place in the queue; no refusal tells its reason.

mod seen;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use slack_morphism::prelude::SlackSigningSecret;
use slack_morphism::signature_verifier::{SlackEventSignatureVerifier, SlackEventSignatureVerifierError as Wrong};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::delivery::{Ack, Delivery, Keep};
use super::payload::{Door, Payload};
use seen::Seen;

/// Slack's own bodies are far smaller.
const BODY: usize = 1 << 20;
/// Slack waits for 3 s.
const PATIENCE: Duration = Duration::from_millis(2500);

struct Shared {
    verifier: SlackEventSignatureVerifier,
    seen: Seen,
    queue: mpsc::Sender<Delivery>,
    keep: Keep,
}

/// `/slack/commands`, `/slack/events` and `/slack/interactivity`.
pub fn routes(signing_secret: &SecretString, queue: mpsc::Sender<Delivery>, keep: Keep) -> Router {
    let secret = SlackSigningSecret(signing_secret.expose_secret().to_owned());
    let shared = Arc::new(Shared { verifier: SlackEventSignatureVerifier::new(&secret), seen: Seen::default(), queue, keep });
    Router::new()
        .route("/slack/commands", post(commands))
        .route("/slack/events", post(events))
        .route("/slack/interactivity", post(interactivity))
        .with_state(shared)
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    ContentType,
    Oversized,
    Malformed,
    Unsigned,
    Forged,
    Stale,
    Replayed,
    Full,
    Unanswered,
}

impl Refusal {
    fn response(self) -> Response {
        let (status, reason) = match self {
            Self::ContentType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type"),
            Self::Oversized => (StatusCode::PAYLOAD_TOO_LARGE, "oversized"),
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed"),
            Self::Unsigned => (StatusCode::UNAUTHORIZED, "unsigned"),
            Self::Forged => (StatusCode::UNAUTHORIZED, "forged"),
            Self::Stale => (StatusCode::UNAUTHORIZED, "stale"),
            Self::Replayed => (StatusCode::UNAUTHORIZED, "replayed"),
            Self::Full => (StatusCode::SERVICE_UNAVAILABLE, "full"),
            Self::Unanswered => (StatusCode::SERVICE_UNAVAILABLE, "unanswered"),
        };
        metrics::counter!("gaggle_slack_refused_total", "reason" => reason).increment(1);
        tracing::debug!(reason, "a request to the Slack door was refused");
        status.into_response()
    }
}

/// A request whose signature holds. Its signature is forgotten again unless the request is taken.
struct Signed {
    body: String,
    retry: Option<u32>,
    received: Instant,
    place: Option<seen::Place>,
}

type Taken = Result<Response, Refusal>;

async fn commands(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let taken = async {
        let mut signed = shared.signed(request, Door::Commands).await?;
        let fields = fields(&signed.body);
        // Slack looks whether the door has a certificate.
        if fields.iter().any(|(name, value)| name == "ssl_check" && value == "1") {
            return Ok(StatusCode::OK.into_response());
        }
        let json = Payload::json_of(fields);
        match Payload::parse(Door::Commands, &json) {
            Ok(payload @ Payload::Command(_)) => shared.at_once(payload, (Door::Commands, &json), &mut signed),
            _ => Err(Refusal::Malformed),
        }
    };
    answer(taken.await)
}

async fn interactivity(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let taken = async {
        let mut signed = shared.signed(request, Door::Interactivity).await?;
        let fields = fields(&signed.body);
        let payload = fields.into_iter().find(|(name, _)| name == "payload").ok_or(Refusal::Malformed)?.1;
        let source = (Door::Interactivity, payload.as_str());
        let payload = Payload::parse(source.0, source.1).map_err(|_| Refusal::Malformed)?;
        match payload.is_acknowledged_at_once() {
            true => shared.at_once(payload, source, &mut signed),
            false => shared.by_consumer(payload, source, &mut signed).await,
        }
    };
    answer(taken.await)
}

async fn events(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let taken = async {
        let mut signed = shared.signed(request, Door::Events).await?;
        if let Some(challenge) = challenge(&signed.body) {
            return Ok(axum::Json(json!({ "challenge": challenge })).into_response());
        }
        let payload = Payload::parse(Door::Events, &signed.body).map_err(|_| Refusal::Malformed)?;
        match payload.is_acknowledged_at_once() {
            true => {
                let body = std::mem::take(&mut signed.body);
                shared.at_once(payload, (Door::Events, &body), &mut signed)
            }
            false => {
                let body = std::mem::take(&mut signed.body);
                shared.by_consumer(payload, (Door::Events, &body), &mut signed).await
            }
        }
    };
    answer(taken.await)
}

fn answer(taken: Taken) -> Response {
    taken.unwrap_or_else(Refusal::response)
}

impl Shared {
    async fn signed(&self, request: Request, door: Door) -> Result<Signed, Refusal> {
        let received = Instant::now();
        let (head, body) = request.into_parts();
        let form = match door {
            Door::Events => "application/json",
            Door::Commands | Door::Interactivity => "application/x-www-form-urlencoded",
        };
        let kind = header(&head.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
        if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(form)) {
            return Err(Refusal::ContentType);
        }
        let signature = header(&head.headers, SlackEventSignatureVerifier::SLACK_SIGNED_HASH_HEADER).ok_or(Refusal::Unsigned)?;
        let time = header(&head.headers, SlackEventSignatureVerifier::SLACK_SIGNED_TIMESTAMP).ok_or(Refusal::Unsigned)?;
        let body = read(body).await?;
        self.verifier.verify(signature, &body, time).map_err(|wrong| match wrong {
            Wrong::IncorrectOrExpiredTimestampError(_) => Refusal::Stale,
            _ => Refusal::Forged,
        })?;
        let retry = header(&head.headers, "x-slack-retry-num").and_then(|retry| retry.parse().ok());
        let place = match self.seen.enter(signature, time.parse().unwrap_or_default()) {
            Some(place) => Some(place),
            // What was handled is known by its keys further on.
            None if door == Door::Events && retry.is_some() => None,
            None => return Err(Refusal::Replayed),
        };
        Ok(Signed { body, retry, received, place })
    }

    /// The response is the acknowledgement, and it does not wait for the work.
    fn at_once(&self, payload: Payload, source: (Door, &str), signed: &mut Signed) -> Taken {
        let permit = self.queue.try_reserve().map_err(|_| Refusal::Full)?;
        unknown(&payload);
        signed.keep();
        let delivery = Delivery::new(payload, signed.retry.unwrap_or(0), Ack::done(), source, signed.received);
        if delivery.keep(&self.keep) {
            permit.send(delivery);
        }
        Ok(StatusCode::OK.into_response())
    }

    async fn by_consumer(&self, payload: Payload, source: (Door, &str), signed: &mut Signed) -> Taken {
        let (ack, answer) = Ack::http();
        let permit = self.queue.try_reserve().map_err(|_| Refusal::Full)?;
        permit.send(Delivery::new(payload, signed.retry.unwrap_or(0), ack, source, signed.received));
        let answer = tokio::time::timeout_at(signed.received + PATIENCE, answer).await;
        let answer: Option<Value> = answer.ok().and_then(Result::ok).ok_or(Refusal::Unanswered)?;
        signed.keep();
        Ok(answer.map_or_else(|| StatusCode::OK.into_response(), |answer| axum::Json(answer).into_response()))
    }
}

impl Signed {
    fn keep(&mut self) {
        if let Some(place) = self.place.take() {
            place.keep();
        }
    }
}

fn unknown(payload: &Payload) {
    if let Payload::Unknown { kind } = payload {
        metrics::counter!("gaggle_slack_unknown_total").increment(1);
        tracing::info!(kind, "Slack sent something that is not known here");
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

async fn read(body: Body) -> Result<String, Refusal> {
    use axum::body::HttpBody as _;
    if body.size_hint().lower() > BODY as u64 {
        return Err(Refusal::Oversized);
    }
    // The only other end is that of the connection, where nobody reads the answer.
    let bytes = axum::body::to_bytes(body, BODY).await.map_err(|_| Refusal::Oversized)?;
    String::from_utf8(bytes.into()).map_err(|_| Refusal::Malformed)
}

/// `a=1&b=x%20y`.
fn fields(body: &str) -> Vec<(String, String)> {
    let Ok(mut url) = reqwest::Url::parse("http://form") else { return Vec::new() };
    url.set_query(Some(body));
    url.query_pairs().into_owned().collect()
}

fn challenge(body: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Verification {
        #[serde(rename = "type")]
        kind: String,
        challenge: String,
    }
    if !body.contains("url_verification") {
        return None;
    }
    let verification: Verification = serde_json::from_str(body).ok()?;
    (verification.kind == "url_verification").then_some(verification.challenge)
}
