//! Messages that are posted once: where Slack leaves it open whether it took one, that is found out before it is posted again.
//!
//! Invariant: nothing is posted a second time unless the channel was read and the first is not there.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::api::Fault;
use super::locked;
use super::workspace::{Call, Workspace, pause};
use crate::model::Timestamp;

const TRIES: u32 = 6;
/// Seconds by which Slack's clock may be another.
const SKEW: f64 = 30.0;
/// Messages of ours that are remembered.
const KNOWN: usize = 2_000;

/// The messages of which Slack said that it took them.
#[derive(Default)]
pub struct Known(Mutex<VecDeque<String>>);

impl Known {
    pub fn note(&self, answer: &Value) {
        let Some(ts) = answer["ts"].as_str() else { return };
        let mut known = locked(&self.0);
        if known.len() >= KNOWN {
            known.pop_front();
        }
        known.push_back(ts.to_owned());
    }

    fn has(&self, ts: &str) -> bool {
        locked(&self.0).iter().any(|known| known == ts)
    }
}

impl Workspace {
    /// Posts a message and returns its time stamp. `Fault::Unknown`: it may stand there, and nobody can tell.
    pub async fn post(&self, call: Call<'_>, body: &Value) -> Result<String, Fault> {
        let mut body = body.clone();
        if body["metadata"].is_null() {
            body["metadata"] = json!({ "event_type": "gaggle", "event_payload": { "kind": "other" } });
        }
        let payload = &mut body["metadata"]["event_payload"];
        if payload["nonce"].is_null() {
            payload["nonce"] = json!(nonce());
        }
        let since = Timestamp::now().as_millisecond() as f64 / 1000.0 - SKEW;
        let mut tries = 0;
        loop {
            let fault = match self.send(call, &body).await {
                Ok(posted) => return Ok(posted["ts"].as_str().unwrap_or_default().to_owned()),
                Err(fault @ Fault::Unknown(_)) => fault,
                Err(fault) => return Err(fault),
            };
            sleep(pause(tries)).await;
            match self.read_since(&body, since).await {
                Ok(found) => {
                    if let Some(ts) = self.posted_among(&found, &body) {
                        return Ok(ts);
                    }
                }
                Err(_) => return Err(fault),
            }
            tries += 1;
            if tries >= TRIES {
                return Err(fault);
            }
        }
    }

    /// Where a message was to stand: what is new there.
    async fn read_since(&self, body: &Value, since: f64) -> Result<Vec<Value>, Fault> {
        let mut arguments = vec![
            ("channel", body["channel"].as_str().unwrap_or_default().to_owned()),
            ("oldest", format!("{since:.6}")),
            ("limit", "200".to_owned()),
            ("include_all_metadata", "true".to_owned()),
        ];
        let api = match body["thread_ts"].as_str() {
            Some(thread) => {
                arguments.push(("ts", thread.to_owned()));
                "conversations.replies"
            }
            None => "conversations.history",
        };
        let page = self.read(api, &arguments).await?;
        Ok(page["messages"].as_array().cloned().unwrap_or_default())
    }

    /// Which of these messages is one that was posted. Where Slack gives back no marks, it is one of ours that says the same and of
    /// which nobody knows.
    pub fn posted_among(&self, found: &[Value], body: &Value) -> Option<String> {
        let nonce = &body["metadata"]["event_payload"]["nonce"];
        let marked = found.iter().find(|m| nonce.is_string() && m["metadata"]["event_payload"]["nonce"] == *nonce);
        let same =
            || found.iter().find(|m| self.says_unmarked(m, body) && m["ts"].as_str().is_some_and(|ts| !self.known.has(ts)));
        let found = marked.or_else(same)?;
        self.known.note(found);
        found["ts"].as_str().map(str::to_owned)
    }

    /// Whether a message is one of ours without a mark that says the same.
    pub fn says_unmarked(&self, message: &Value, body: &Value) -> bool {
        let is_bare = message["metadata"]["event_payload"].is_null();
        is_bare && message["user"].as_str() == Some(&self.bot) && message["text"].is_string() && message["text"] == body["text"]
    }
}

fn nonce() -> String {
    format!("{:016x}", getrandom::u64().unwrap_or_default())
}
