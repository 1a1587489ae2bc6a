//! What was said while nobody listened: fetched, and brought in by the same way as everything else.
//!
//! Invariant: what comes by this way too came once all the same, for it has the same key.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::Slack;
use super::delivery::{Ack, Delivery};
use super::payload::{Door, Payload};
use super::place::Place;
use super::workspace::Workspace;
use crate::model::Timestamp;

/// The note of when something was last heard, as a time stamp of Slack's.
const SEEN: &str = "slack.seen";
/// Between two writes of that note.
const KEEP: Duration = Duration::from_secs(5);
/// What was on its way at the last note.
const OVERLAP: Duration = Duration::from_secs(120);
/// Threads that were not used for longer are not looked at.
const OLD: Duration = Duration::from_secs(14 * 24 * 3600);
const THREADS: usize = 300;
const CHANNELS: usize = 200;
const PAGE: usize = 100;

/// Keeps the note true, and fetches what was missed, at the start and whenever there was a gap.
pub async fn run(slack: Slack) {
    let desk = slack.desk();
    if let Some(seen) = desk.note(SEEN).await.and_then(|seen| seen.parse::<i64>().ok()) {
        slack.fetch(Timestamp::from_millisecond(seen).unwrap_or_default()).await;
    } else {
        // From the first start on: who has not heard anything yet may miss something all the same.
        desk.set_note(SEEN, Timestamp::now().as_millisecond().to_string()).await;
    }
    let mut kept = 0;
    let mut tick = tokio::time::interval(KEEP);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                let seen = slack.last_seen();
                if seen > kept {
                    kept = seen;
                    desk.set_note(SEEN, seen.to_string()).await;
                }
            }
            from = slack.missed() => slack.fetch(from).await,
        }
    }
}

impl Slack {
    /// Fetches what was said since then.
    async fn fetch(&self, since: Timestamp) {
        let now = Timestamp::now();
        let bound = now - self.options().catch_up;
        let since = (since - OVERLAP).max(bound);
        let mut left = self.options().catch_up_messages;
        for workspace in self.workspaces() {
            let threads = self.desk().threads_since(now - OLD).await;
            let places: Vec<Place> =
                threads.iter().filter_map(|(id, _)| Place::parse(id)).filter(|p| p.team == workspace.team).collect();
            let mut found = Vec::new();
            for channel in self.channels_of(workspace, &places).await {
                found.extend(self.history(workspace, "conversations.history", &channel, None, since, left).await);
            }
            for place in places.iter().take(THREADS) {
                let Some(thread) = &place.thread else { continue };
                found.extend(self.history(workspace, "conversations.replies", &place.channel, Some(thread), since, left).await);
            }
            found.sort_by(|a, b| a["ts"].as_str().cmp(&b["ts"].as_str()));
            found.dedup_by(|a, b| a["ts"] == b["ts"] && a["channel"] == b["channel"]);
            let count = found.len();
            for message in found.into_iter().take(left) {
                left -= 1;
                let json = json!({ "type": "event_callback", "team_id": workspace.team, "event": message }).to_string();
                if let Ok(payload @ Payload::Event(_)) = Payload::parse(Door::Events, &json) {
                    let delivery = Delivery::new(payload, 0, Ack::done(), (Door::Events, &json), tokio::time::Instant::now());
                    self.deliver_fetched(delivery).await;
                }
            }
            if count > 0 {
                tracing::info!(messages = count, "what was said meanwhile was fetched from Slack");
            }
        }
    }

    /// Where Gaggle is used: channels with threads or a project of their own, and everybody's direct messages.
    async fn channels_of(&self, workspace: &Workspace, places: &[Place]) -> Vec<String> {
        let own = self.desk().channels().await;
        let own = own.iter().filter_map(Place::parse).filter(|p| p.team == workspace.team).map(|p| p.channel);
        let mut channels: BTreeSet<String> = places.iter().map(|p| p.channel.clone()).chain(own).collect();
        channels.extend(self.used_channels());
        let arguments = [("types", "im".to_owned()), ("limit", "200".to_owned()), ("exclude_archived", "true".to_owned())];
        if let Ok(direct) = workspace.read("users.conversations", &arguments).await {
            let ids = direct["channels"].as_array().into_iter().flatten().filter_map(|c| c["id"].as_str());
            channels.extend(ids.map(str::to_owned));
        }
        channels.into_iter().take(CHANNELS).collect()
    }

    /// Messages of people in a channel or thread, since then, at most so many.
    async fn history(
        &self,
        workspace: &Workspace,
        api: &'static str,
        channel: &str,
        thread: Option<&str>,
        since: Timestamp,
        most: usize,
    ) -> Vec<Value> {
        let oldest = format!("{}.{:06}", since.as_second(), since.subsec_microsecond().max(0));
        let mut found = Vec::new();
        let mut cursor = String::new();
        while found.len() < most {
            let mut arguments = vec![("channel", channel.to_owned()), ("oldest", oldest.clone()), ("limit", PAGE.to_string())];
            if let Some(thread) = thread {
                arguments.push(("ts", thread.to_owned()));
            }
            if !cursor.is_empty() {
                arguments.push(("cursor", cursor.clone()));
            }
            let page = match workspace.read(api, &arguments).await {
                Ok(page) => page,
                Err(fault) => {
                    tracing::debug!(code = fault.code().unwrap_or("unreachable"), "a place could not be looked at");
                    break;
                }
            };
            for message in page["messages"].as_array().into_iter().flatten() {
                let is_new = message["ts"].as_str().is_some_and(|ts| ts > oldest.as_str());
                if is_new && message["bot_id"].is_null() && message["user"].as_str() != Some(&workspace.bot) {
                    let mut message = message.clone();
                    message["channel"] = json!(channel);
                    message["type"] = json!("message");
                    if channel.starts_with('D') {
                        message["channel_type"] = json!("im");
                    }
                    found.push(message);
                }
            }
            cursor = page["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned();
            if cursor.is_empty() || page["has_more"] == json!(false) {
                break;
            }
        }
        found
    }
}
