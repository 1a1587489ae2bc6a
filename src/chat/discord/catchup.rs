//! What was said while nobody listened: fetched, and brought in by the same way as everything else.
//!
//! Invariant: what comes by this way too came once all the same, for it has the same key.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::Discord;
use super::gateway::Gateway;
use super::payload::Message;
use super::place::{DIRECT, Place};
use crate::model::Timestamp;

/// The note of when something was last heard, as milliseconds since 1970, and the one of the gateway's sessions.
const SEEN: &str = "discord.seen";
pub const SESSIONS: &str = "discord.sessions";
/// Between two writes of those notes.
const KEEP: Duration = Duration::from_secs(5);
/// What was on its way at the last note.
const OVERLAP: Duration = Duration::from_secs(120);
/// Threads that were not used for longer are not looked at.
const OLD: Duration = Duration::from_secs(14 * 24 * 3600);
const PLACES: usize = 300;
const PAGE: usize = 100;
const PAGES: usize = 10;
/// Discord's ids count milliseconds from the beginning of 2015.
const EPOCH: i64 = 1_420_070_400_000;

/// The least id of what was made since then.
pub fn snowflake(at: Timestamp) -> String {
    (((at.as_millisecond() - EPOCH).max(0) as u64) << 22).to_string()
}

/// When something was made, in milliseconds since 1970.
pub fn made(id: &str) -> i64 {
    id.parse::<u64>().map_or(0, |id| (id >> 22) as i64 + EPOCH)
}

/// Keeps the notes true, and fetches what was missed, at the start and whenever there was a gap.
pub async fn run(discord: Discord, gateway: std::sync::Arc<Gateway>) {
    let desk = discord.desk();
    if let Some(used) = desk.note(super::used::NOTE).await {
        discord.used().adopt(&used);
    }
    match desk.note(SEEN).await.and_then(|seen| seen.parse::<i64>().ok()) {
        Some(seen) => discord.fetch(Timestamp::from_millisecond(seen).unwrap_or_default()).await,
        // From the first start on: who has not heard anything yet may miss something all the same.
        None => desk.set_note(SEEN, Timestamp::now().as_millisecond().to_string()).await,
    }
    let mut kept = 0;
    let mut sessions = String::new();
    let mut tick = tokio::time::interval(KEEP);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                let seen = discord.last_seen();
                if seen > kept {
                    kept = seen;
                    desk.set_note(SEEN, seen.to_string()).await;
                }
                let now = serde_json::to_string(&gateway.sessions()).unwrap_or_default();
                if now != sessions {
                    sessions.clone_from(&now);
                    desk.set_note(SESSIONS, now).await;
                }
            }
            gap = gateway.gap() => {
                // A session that was an earlier program's: what was heard last is noted.
                let from = gap.from.max(Timestamp::from_millisecond(discord.last_seen()).unwrap_or_default() - OVERLAP);
                discord.fetch(from).await;
            }
            from = discord.missed() => discord.fetch(from).await,
            () = discord.used().more() => desk.set_note(super::used::NOTE, discord.used().note()).await,
        }
    }
}

impl Discord {
    /// Fetches what was said since then.
    async fn fetch(&self, since: Timestamp) {
        let now = Timestamp::now();
        let since = (since - OVERLAP).max(now - self.options().catch_up);
        let most = self.options().catch_up_messages;
        let threads = self.desk().threads_since(now - OLD).await;
        let bound: Vec<Place> = threads.iter().filter_map(|(id, _)| Place::parse(id)).take(PLACES).collect();
        let own = self.desk().channels().await;
        let mut places: Vec<(String, Option<String>)> = Vec::new();
        let mut seen = BTreeSet::new();
        let all = bound.iter().map(|p| (p.written().to_owned(), p.guild.clone()));
        let parents = bound.iter().filter(|p| !p.is_direct()).map(|p| (p.channel.clone(), p.guild.clone()));
        let projects = own.iter().filter_map(Place::parse).map(|p| (p.channel, p.guild));
        for (channel, guild) in all.chain(parents).chain(projects).chain(self.used().channels()) {
            if seen.insert(channel.clone()) && places.len() < PLACES {
                places.push((channel, Some(guild).filter(|guild| guild != DIRECT)));
            }
        }
        let mut count = 0;
        for (channel, guild) in places {
            if count >= most {
                break;
            }
            count += self.bring(&channel, guild, since, most - count).await;
        }
        if count > 0 {
            tracing::info!(messages = count, "what was said meanwhile was fetched from Discord");
        }
    }

    /// Brings messages of a channel in as if they had just come, in their order.
    async fn bring(&self, channel: &str, guild: Option<String>, since: Timestamp, most: usize) -> usize {
        let mut after = snowflake(since);
        let mut count = 0;
        for _ in 0..PAGES {
            let query = [("after", after.clone()), ("limit", PAGE.to_string())];
            let mut page = match self.ask(format!("/channels/{channel}/messages"), &query).await {
                Ok(Value::Array(page)) => page,
                Ok(_) => return count,
                Err(fault) => {
                    tracing::debug!(code = fault.code(), "a place could not be looked at");
                    return count;
                }
            };
            let is_last = page.len() < PAGE;
            page.sort_by_key(|message| made(message["id"].as_str().unwrap_or_default()));
            for mut raw in page {
                let Some(id) = raw["id"].as_str().map(str::to_owned) else { continue };
                after = id;
                if count >= most {
                    return count;
                }
                raw["guild_id"] = json!(guild);
                let text = raw.to_string();
                let Ok(message) = serde_json::from_str::<Message>(&text) else { continue };
                if !message.is_said() || message.author.as_ref().is_some_and(|author| author.id == self.bot()) {
                    continue;
                }
                count += 1;
                let discord = self.clone();
                let lane = format!("discord {}", message.channel_id);
                let job = async move { discord.take_message(message, text).await };
                self.lanes().enter(&lane, job.boxed()).await;
            }
            if is_last {
                break;
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_when_it_was_made() {
        // The example of Discord's documentation.
        assert_eq!(made("175928847299117063"), 1_462_015_105_796);
        let at = Timestamp::from_millisecond(1_462_015_105_796).unwrap();
        assert!(snowflake(at).parse::<u64>().unwrap() <= 175_928_847_299_117_063);
    }
}
