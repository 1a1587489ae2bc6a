//! Which channels there are, as far as they were heard of: of a message Discord tells the channel alone, and a thread is one.
//!
//! Invariant: bounded; what is not known any more is asked for.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::Discord;
use super::payload::{Channel, ChannelKind};
use super::place::Place;
use super::rest::{Method, Rank};

const MOST: usize = 50_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub kind: ChannelKind,
    pub guild: Option<String>,
    pub parent: Option<String>,
    /// Who began the thread.
    pub owner: Option<String>,
    pub name: Option<String>,
}

#[derive(Default)]
pub struct Channels(Mutex<HashMap<String, Known>>);

impl Channels {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn learn(&self, channel: &Channel, guild: Option<&str>) -> Known {
        let guild = channel.guild_id.as_deref().or(guild).map(str::to_owned);
        let (parent, owner, name) = (channel.parent_id.clone(), channel.owner_id.clone(), channel.name.clone());
        let mut known = Known { kind: channel.kind(), guild, parent, owner, name };
        let mut all = self.lock();
        // An interaction tells less of its channel than there is to know.
        if let Some(before) = all.get(&channel.id) {
            known.guild = known.guild.or_else(|| before.guild.clone());
            known.owner = known.owner.or_else(|| before.owner.clone());
            known.name = known.name.or_else(|| before.name.clone());
        }
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(channel.id.clone(), known.clone());
        known
    }

    pub fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    pub fn get(&self, id: &str) -> Option<Known> {
        self.lock().get(id).cloned()
    }
}

impl Discord {
    /// What a channel is; asked for if it was not heard of.
    pub(super) async fn channel(&self, id: &str, guild: Option<&str>) -> Option<Known> {
        if let Some(known) = self.channels().get(id) {
            return Some(known);
        }
        let found = self.get(Method::GET, format!("/channels/{id}"), Rank::Reply).await.ok()?;
        let channel: Channel = serde_json::from_value(found).ok()?;
        Some(self.channels().learn(&channel, guild))
    }

    /// The conversation of what is said there.
    pub(super) async fn place(&self, channel: &str, guild: Option<&str>) -> Place {
        let Some(guild) = guild else { return Place::direct(channel) };
        match self.channel(channel, Some(guild)).await {
            Some(Known { kind: ChannelKind::Thread, parent: Some(parent), .. }) => Place::new(guild, &parent, Some(channel)),
            _ => Place::new(guild, channel, None),
        }
    }

    async fn get(&self, method: Method, path: String, rank: Rank) -> Result<Value, super::rest::Fault> {
        self.call(method, path, None, rank).await
    }
}
