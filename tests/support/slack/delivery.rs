//! How things reach the app, by socket or by signed request, with deadlines and repeats.
//!
//! Invariant: each sending is recorded with its outcome; what has come too late is a fault.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::oneshot;

use super::call::encode;
use super::state::{Delivery, Frame, Pending, SIGNING_SECRET, State};
use super::{Change as _, Inner, Way};

/// The app's answer in time.
#[derive(Debug, Clone)]
pub struct Acked {
    pub took: Duration,
    pub body: Value,
}

/// Why there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    Late,
    /// Nobody there.
    Absent,
    Cut,
    Status(u16),
}

impl Missed {
    fn reason(self) -> &'static str {
        match self {
            Self::Late => "timeout",
            Self::Absent | Self::Cut => "connection_failed",
            Self::Status(_) => "http_error",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Sending {
    /// `slash_commands`, `interactive`, `events_api`.
    pub kind: &'static str,
    pub what: String,
    pub payload: Value,
    pub envelope_id: String,
    pub attempt: usize,
    pub reason: Option<&'static str>,
}

enum Begun {
    Socket(oneshot::Receiver<Value>, usize),
    Http(usize),
    Nobody,
}

/// `v0=…` over this body at that second.
pub fn sign(secret: &str, second: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(format!("v0:{second}:{body}").as_bytes());
    mac.finalize().into_bytes().iter().fold("v0=".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn uuid(state: &mut State) -> String {
    let id = state.id("");
    format!("{id}-0000-4000-8000-000000000000")
}

fn record(state: &mut State, sending: &Sending, socket: Option<u64>) -> usize {
    state.deliveries.push(Delivery {
        what: sending.what.clone(),
        envelope_id: sending.envelope_id.clone(),
        event_id: sending.payload["event_id"].as_str().map(str::to_owned),
        attempt: sending.attempt,
        socket,
        sent: Instant::now(),
        acked: None,
        missed: None,
    });
    state.deliveries.len() - 1
}

/// Puts an envelope on one of the sockets, in turn.
fn onto_socket(state: &mut State, sending: &Sending) -> Begun {
    state.turn += 1;
    let live: Vec<usize> = (0..state.sockets.len()).filter(|at| !state.sockets[*at].leaving).collect();
    // Sockets that were warned are still better than none.
    let live = if live.is_empty() { (0..state.sockets.len()).collect() } else { live };
    if live.is_empty() {
        let at = record(state, sending, None);
        state.deliveries[at].missed = Some("Absent".into());
        return Begun::Nobody;
    }
    let socket = &state.sockets[live[state.turn % live.len()]];
    let event = sending.kind == "events_api";
    let mut envelope = json!({
        "envelope_id": sending.envelope_id, "type": sending.kind, "payload": sending.payload, "accepts_response_payload": !event,
    });
    if event {
        envelope["retry_attempt"] = json!(sending.attempt);
        envelope["retry_reason"] = json!(sending.reason.unwrap_or_default());
    }
    let (id, sent) = (socket.id, socket.sender.try_send(Frame::Text(envelope.to_string())));
    let at = record(state, sending, Some(id));
    if sent.is_err() {
        state.deliveries[at].missed = Some("Cut".into());
        return Begun::Nobody;
    }
    let (done, waiting) = oneshot::channel();
    let pending = Pending { done: Some(done), delivery: at, socket: id, accepts: !event };
    state.pending.insert(sending.envelope_id.clone(), pending);
    Begun::Socket(waiting, at)
}

impl Inner {
    fn begin(&self, state: &mut State, sending: &Sending) -> Begun {
        match self.way {
            Way::Socket => onto_socket(state, sending),
            Way::Http => Begun::Http(record(state, sending, None)),
        }
    }

    async fn finish(self: &Arc<Self>, begun: Begun, sending: &Sending) -> Result<Acked, Missed> {
        let deadline = self.look(|s| s.rules.ack);
        let (at, result) = match begun {
            Begun::Nobody => return Err(Missed::Absent),
            Begun::Socket(waiting, at) => match tokio::time::timeout(deadline, waiting).await {
                Ok(Ok(body)) => (at, Ok(body)),
                Ok(Err(_)) => (at, Err(Missed::Cut)),
                Err(_) => (at, Err(Missed::Late)),
            },
            Begun::Http(at) => (at, self.post(sending, deadline).await),
        };
        self.change(|s| {
            let delivery = &mut s.deliveries[at];
            match result {
                Ok(body) => {
                    let took = *delivery.acked.get_or_insert_with(|| delivery.sent.elapsed());
                    Ok(Acked { took, body })
                }
                Err(missed) => {
                    delivery.missed = Some(format!("{missed:?}"));
                    match missed {
                        Missed::Late => {
                            let seen = if sending.kind == "events_api" { "" } else { ", dispatch_failed" };
                            s.fault(format!("{} was not acknowledged within {deadline:?}: late{seen}", sending.what));
                        }
                        Missed::Status(code) => s.fault(format!("{} was answered with HTTP {code}", sending.what)),
                        Missed::Absent | Missed::Cut => {}
                    }
                    Err(missed)
                }
            }
        })
    }

    async fn post(&self, sending: &Sending, deadline: Duration) -> Result<Value, Missed> {
        let url = self.bot_url.lock().expect("no panic").clone().ok_or(Missed::Absent)?;
        let payload = &sending.payload;
        let text = payload.to_string();
        let (path, kind, body) = match sending.kind {
            "slash_commands" => {
                let pairs: Vec<(&str, String)> =
                    payload.as_object().into_iter().flatten().map(|(k, v)| (k.as_str(), plain(v))).collect();
                let pairs: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (*k, v.as_str())).collect();
                ("/slack/commands", "application/x-www-form-urlencoded", encode(&pairs))
            }
            "interactive" => ("/slack/interactivity", "application/x-www-form-urlencoded", encode(&[("payload", &text)])),
            _ => ("/slack/events", "application/json", text),
        };
        let second = now();
        let mut request = self.http.post(format!("{url}{path}")).header("content-type", kind).timeout(deadline);
        request = request.header("x-slack-request-timestamp", second.to_string());
        request = request.header("x-slack-signature", sign(SIGNING_SECRET, second, &body));
        request = request.header("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)");
        if sending.attempt > 0 {
            request = request.header("x-slack-retry-num", sending.attempt.to_string());
            request = request.header("x-slack-retry-reason", sending.reason.unwrap_or("http_error"));
        }
        let missed = |error: reqwest::Error| if error.is_timeout() { Missed::Late } else { Missed::Absent };
        let response = request.body(body).send().await.map_err(missed)?;
        if !response.status().is_success() {
            return Err(Missed::Status(response.status().as_u16()));
        }
        let text = response.text().await.map_err(missed)?;
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_str(&text).unwrap_or_else(|_| json!({ "text": text })))
    }

    /// Sends what a user waits for.
    pub async fn ask(self: &Arc<Self>, kind: &'static str, what: String, payload: Value) -> Result<Acked, Missed> {
        let (sending, mut begun) = self.change(|s| {
            s.open += 1;
            let sending = Sending { kind, what, payload, envelope_id: uuid(s), attempt: 0, reason: None };
            let begun = self.begin(s, &sending);
            (sending, begun)
        });
        let result = loop {
            let result = self.finish(begun, &sending).await;
            if matches!(result, Err(Missed::Cut | Missed::Absent)) && self.look(|s| s.rules.resend_cut) {
                let mut changes = self.version.subscribe();
                let back = async { while self.look(|s| s.sockets.is_empty()) && changes.changed().await.is_ok() {} };
                if tokio::time::timeout(self.look(|s| s.rules.ack), back).await.is_err() {
                    break result;
                }
                begun = self.change(|s| self.begin(s, &sending));
                continue;
            }
            break result;
        };
        self.change(|s| s.open -= 1);
        result
    }

    /// Sends the events that the lock has gathered, in order; the repeats follow on their own.
    pub fn send_events(self: &Arc<Self>, state: &mut State) {
        for payload in std::mem::take(&mut state.outbox) {
            state.open += 1;
            state.events.push(payload.clone());
            let event = &payload["event"];
            let what = format!(
                "event {} {}",
                event["type"].as_str().unwrap_or_default(),
                payload["event_id"].as_str().unwrap_or_default()
            );
            let envelope_id = uuid(state);
            let mut sending = Sending { kind: "events_api", what, payload, envelope_id, attempt: 0, reason: None };
            let mut begun = self.begin(state, &sending);
            let inner = Arc::clone(self);
            tokio::spawn(async move {
                while let Err(missed) = inner.finish(begun, &sending).await {
                    let Some(pause) = inner.look(|s| s.rules.retries.get(sending.attempt).copied()) else { break };
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = inner.ended.cancelled() => break,
                    }
                    sending.attempt += 1;
                    sending.reason = Some(missed.reason());
                    begun = inner.change(|s| {
                        if !s.rules.keep_envelope_id {
                            sending.envelope_id = uuid(s);
                        }
                        inner.begin(s, &sending)
                    });
                }
                inner.change(|s| s.open -= 1);
            });
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
