//! What was said while nobody listened: fetched, and brought in by the same way as everything else.
//!
//! Invariant: what comes by this way too came once all the same, for it has the same key.

use std::collections::{BTreeSet, HashSet};
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
const PAGE: usize = 200;
const PAGES: usize = 5;
/// … of what is new where much is written.
const MORE: usize = 25;

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
            // What belongs to different threads has no order, so whatever is found goes on at once.
            let (mut count, mut quiet, mut lively) = (0, HashSet::new(), Vec::new());
            for channel in self.channels_of(workspace, &places).await {
                let mut found = self.history(workspace, &channel, None, since, left - count).await;
                if !found.whole {
                    // Where much is written, the pages may have ended before the newest of it.
                    let recent = self.pages(workspace, &channel, None, (since, since), MORE, left - count).await;
                    found.messages.extend(recent.messages);
                    found.lively.extend(recent.lively);
                }
                count += self.bring(workspace, found.messages).await;
                quiet.extend(found.quiet.into_iter().map(|ts| (channel.clone(), ts)));
                lively.extend(found.lively.into_iter().map(|ts| (channel.clone(), ts)));
            }
            let bound = places.iter().take(THREADS).filter_map(|p| Some((p.channel.clone(), p.thread.clone()?)));
            let mut threads = lively;
            threads.extend(bound.filter(|thread| !quiet.contains(thread)));
            let mut seen = HashSet::new();
            for (channel, thread) in threads.into_iter().filter(|thread| seen.insert(thread.clone())).take(THREADS) {
                let found = self.history(workspace, &channel, Some(&thread), since, left - count).await;
                count += self.bring(workspace, found.messages).await;
            }
            left -= count;
            if count > 0 {
                tracing::info!(messages = count, "what was said meanwhile was fetched from Slack");
            }
        }
    }

    /// Brings messages in as if they had just come, in their order.
    async fn bring(&self, workspace: &Workspace, mut found: Vec<Value>) -> usize {
        found.sort_by(|a, b| a["ts"].as_str().cmp(&b["ts"].as_str()));
        found.dedup_by(|a, b| a["ts"] == b["ts"]);
        for message in &found {
            let json = json!({ "type": "event_callback", "team_id": workspace.team, "event": message }).to_string();
            if let Ok(payload @ Payload::Event(_)) = Payload::parse(Door::Events, &json) {
                let delivery = Delivery::new(payload, 0, Ack::done(), (Door::Events, &json), tokio::time::Instant::now());
                self.deliver_fetched(delivery).await;
            }
        }
        found.len()
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

    /// Messages of people in a channel or thread since then, at most so many; of a channel also which of its threads went on.
    async fn history(
        &self,
        workspace: &Workspace,
        channel: &str,
        thread: Option<&str>,
        since: Timestamp,
        most: usize,
    ) -> History {
        let oldest = if thread.is_some() { since } else { Timestamp::now() - OLD };
        self.pages(workspace, channel, thread, (oldest, since), PAGES, most).await
    }

    /// What is there from `oldest` on, of which messages since then are wanted.
    async fn pages(
        &self,
        workspace: &Workspace,
        channel: &str,
        thread: Option<&str>,
        (oldest, since): (Timestamp, Timestamp),
        pages: usize,
        most: usize,
    ) -> History {
        let api = if thread.is_some() { "conversations.replies" } else { "conversations.history" };
        let (oldest, since) = (stamp(oldest), stamp(since));
        let mut found = History::default();
        let mut cursor = String::new();
        for _ in 0..pages {
            if found.messages.len() >= most {
                break;
            }
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
                    found.whole = true;
                    break;
                }
            };
            for message in page["messages"].as_array().into_iter().flatten() {
                let Some(ts) = message["ts"].as_str() else { continue };
                match message["latest_reply"].as_str() {
                    Some(last) if last > since.as_str() => found.lively.push(ts.to_owned()),
                    Some(_) => found.quiet.push(ts.to_owned()),
                    None => {}
                }
                let is_new = ts > since.as_str() && found.messages.len() < most;
                if is_new && message["bot_id"].is_null() && message["user"].as_str() != Some(&workspace.bot) {
                    let mut message = message.clone();
                    message["channel"] = json!(channel);
                    message["type"] = json!("message");
                    if channel.starts_with('D') {
                        message["channel_type"] = json!("im");
                    }
                    found.messages.push(message);
                }
            }
            cursor = page["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned();
            if cursor.is_empty() || page["has_more"] == json!(false) {
                found.whole = true;
                break;
            }
        }
        found
    }
}

/// What was found in a channel or thread.
#[derive(Default)]
struct History {
    messages: Vec<Value>,
    /// Roots of threads in which something was said since then, and of those in which nothing was.
    lively: Vec<String>,
    quiet: Vec<String>,
    /// There is nothing more.
    whole: bool,
}

/// As Slack writes it.
fn stamp(at: Timestamp) -> String {
    format!("{}.{:06}", at.as_second(), at.subsec_microsecond().max(0))
}
