//! One thing that Slack sent, on its way to who handles it, with the way back for its acknowledgement.
//!
//! Invariant: what is dropped without an acknowledgement was not acknowledged, so Slack sends it again.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::payload::{Door, Payload};

pub struct Delivery {
    pub payload: Payload,
    /// What was handled under one of these is not to be handled again.
    pub keys: Vec<String>,
    /// How often Slack sent it before.
    pub retry: u32,
    pub ack: Ack,
    /// What it is made of, to be kept; see [`Delivery::of_kept`].
    pub kept: String,
    pub received: Instant,
}

/// Keeps something under a key, in microseconds. `false`: there was something under it before.
pub type Keep = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("payload", &self.payload).field("retry", &self.retry).finish_non_exhaustive()
    }
}

impl Delivery {
    /// `json` is what `payload` was parsed of.
    pub(super) fn new(payload: Payload, retry: u32, ack: Ack, (door, json): (Door, &str), received: Instant) -> Self {
        // What was filled into a form may be secret.
        let kept = match payload {
            Payload::Submit(_) | Payload::Closed(_) | Payload::Unknown { .. } => String::new(),
            _ => format!("{}{json}", letter(door)),
        };
        Self { keys: payload.keys(), payload, retry, ack, kept, received }
    }

    /// Keeps what is acknowledged at once, so that it is not lost with the program. `false`: it came before.
    pub(super) fn keep(&self, keep: &Keep) -> bool {
        let is_new = self.keys.first().is_none_or(|key| keep(key, &self.kept));
        if !is_new {
            metrics::counter!("gaggle_slack_repeats_total").increment(1);
        }
        is_new
    }

    /// The payload of what was kept.
    pub(super) fn of_kept(kept: &str) -> Option<Payload> {
        let door =
            [Door::Commands, Door::Interactivity, Door::Events].into_iter().find(|door| kept.starts_with(letter(*door)))?;
        Payload::parse(door, &kept[1..]).ok()
    }
}

fn letter(door: Door) -> char {
    match door {
        Door::Commands => 'c',
        Door::Interactivity => 'i',
        Door::Events => 'e',
    }
}

/// Neither waits nor fails: where the connection is gone, Slack sends the thing again.
#[must_use]
pub struct Ack(Way);

enum Way {
    /// The transport did it.
    Done,
    Socket {
        envelope: String,
        acks: mpsc::Sender<String>,
    },
    Http(oneshot::Sender<Option<Value>>),
}

impl Ack {
    pub(super) fn done() -> Self {
        Self(Way::Done)
    }

    pub(super) fn socket(envelope: String, acks: mpsc::Sender<String>) -> Self {
        Self(Way::Socket { envelope, acks })
    }

    pub(super) fn http() -> (Self, oneshot::Receiver<Option<Value>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Way::Http(sender)), receiver)
    }

    pub fn ok(self) {
        self.send(None);
    }

    /// With what Slack is to do, as `{"response_action":"errors",…}`.
    pub fn with(self, response: Value) {
        self.send(Some(response));
    }

    fn send(self, response: Option<Value>) {
        let is_taken = match self.0 {
            Way::Done => true,
            Way::Socket { envelope, acks } => acks.try_send(frame(&envelope, response)).is_ok(),
            Way::Http(sender) => sender.send(response).is_ok(),
        };
        if !is_taken {
            metrics::counter!("gaggle_slack_acks_lost_total").increment(1);
        }
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self.0, Way::Done) { "Ack(done)" } else { "Ack(open)" })
    }
}

/// What is sent over a socket.
pub(super) fn frame(envelope: &str, response: Option<Value>) -> String {
    let envelope = Value::from(envelope);
    match response {
        None => format!("{{\"envelope_id\":{envelope}}}"),
        Some(payload) => format!("{{\"envelope_id\":{envelope},\"payload\":{payload}}}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn an_acknowledgement_carries_its_envelope_and_its_answer() {
        let (acks, mut sent) = mpsc::channel(4);
        Ack::socket("e\"1".into(), acks.clone()).ok();
        Ack::socket("e2".into(), acks.clone()).with(json!({ "response_action": "clear" }));
        drop(Ack::socket("e3".into(), acks.clone()));
        Ack::done().ok();
        assert_eq!(sent.recv().await.unwrap(), r#"{"envelope_id":"e\"1"}"#);
        assert_eq!(sent.recv().await.unwrap(), r#"{"envelope_id":"e2","payload":{"response_action":"clear"}}"#);
        assert!(sent.try_recv().is_err(), "what is dropped is not acknowledged");
        drop(sent);
        Ack::socket("e4".into(), acks).ok();
    }

    #[tokio::test]
    async fn over_http_the_answer_is_the_response() {
        let (ack, answer) = Ack::http();
        ack.with(json!({ "a": 1 }));
        assert_eq!(answer.await.unwrap(), Some(json!({ "a": 1 })));
        let (ack, answer) = Ack::http();
        drop(ack);
        assert!(answer.await.is_err());
    }
}
