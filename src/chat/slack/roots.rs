//! The messages that open threads.
//!
//! Invariant: a question has one, also if Slack or an earlier program leaves it open whether it was posted.

use serde_json::{Value, json};

use super::Slack;
use super::api::Fault;
use super::limiter::{Method, Rank};
use super::place::Place;
use super::workspace::{Call, Workspace};
use crate::error::{Result, refused};

/// `nonce`: the question's key.
pub fn body(channel: &str, text: &str, nonce: &str) -> Value {
    let nonce = Some(nonce).filter(|nonce| !nonce.is_empty());
    let metadata = json!({ "event_type": "gaggle", "event_payload": { "kind": "root", "nonce": nonce } });
    json!({ "channel": channel, "text": text, "metadata": metadata })
}

impl Slack {
    /// The root that an earlier program posted for what is done once more.
    pub(super) async fn root_before(&self, workspace: &Workspace, place: &Place, body: &Value) -> Option<String> {
        let nonce = body["metadata"]["event_payload"]["nonce"].as_str()?;
        let ask = self.asked().get(nonce)?;
        if !ask.lock().await.is_again() {
            return None;
        }
        let arguments =
            [("channel", place.channel.clone()), ("limit", "200".to_owned()), ("include_all_metadata", "true".to_owned())];
        let page = workspace.read("conversations.history", &arguments).await.ok()?;
        let found = page["messages"].as_array()?;
        let ts = |message: &Value| message["ts"].as_str().map(str::to_owned);
        if let Some(marked) = found.iter().find(|m| m["metadata"]["event_payload"]["nonce"] == nonce) {
            return ts(marked);
        }
        // Where Slack gives back no marks: one that says the same, and whose thread is nobody's.
        for message in found.iter().filter(|m| workspace.says_unmarked(m, body)) {
            let root = ts(message)?;
            if !self.desk().is_bound(&Place::new(&place.team, &place.channel, Some(&root)).id()).await {
                return Some(root);
            }
        }
        None
    }

    /// Where a message cannot be written, and what helps.
    pub(super) async fn post_root(&self, workspace: &Workspace, place: &Place, body: &Value) -> Result<String> {
        let (channel, rank) = (place.channel.as_str(), Rank::Reply);
        let call = Call { api: "chat.postMessage", method: Method::Post, channel, thread: channel, rank };
        match workspace.post(call, body).await {
            Ok(root) => Ok(root),
            Err(fault) if fault.is_place_gone() => refused(format!(
                "I cannot write in <#{channel}>. Invite me there with `/invite`, or write to me directly, then ask again."
            )),
            Err(Fault::Refused(code)) => {
                refused(format!("The thread could not be opened: Slack says `{code}`. Nothing was asked; try again."))
            }
            Err(Fault::Limited(_)) => refused(
                "Slack takes no more messages there for now, so no thread was opened and nothing was asked. Try again in a minute.",
            ),
            Err(Fault::Unsent(_)) => {
                refused("Slack could not be reached, so no thread was opened and nothing was asked. Try again in a minute.")
            }
            Err(Fault::Unknown(_)) => refused(
                "Slack failed, so nothing was asked. Your question may stand in the channel all the same, without an answer: ask again.",
            ),
        }
    }
}
