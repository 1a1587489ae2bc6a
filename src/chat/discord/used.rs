//! The channels where somebody spoke to the bot, direct messages among them: where it looks for what it missed.
//!
//! Invariant: bounded; the one that was used longest ago goes first.

use std::sync::Mutex;

use tokio::sync::Notify;

use super::locked;

/// The note of them.
pub const NOTE: &str = "discord.used";
const MOST: usize = 300;

/// Channels with their guilds, the last used last.
#[derive(Default)]
pub struct Used {
    all: Mutex<Vec<(String, String)>>,
    /// One more, so that the note is no longer true.
    more: Notify,
}

impl Used {
    pub fn used(&self, channel: &str, guild: &str) {
        let mut all = locked(&self.all);
        let known = all.iter().position(|(known, _)| known == channel);
        let entry = match known {
            Some(at) => all.remove(at),
            None => (channel.to_owned(), guild.to_owned()),
        };
        all.push(entry);
        if all.len() > MOST {
            all.remove(0);
        }
        drop(all);
        if known.is_none() {
            self.more.notify_one();
        }
    }

    /// What an earlier program noted, as older than all that is known.
    pub fn adopt(&self, note: &str) {
        let before: Vec<(String, String)> = serde_json::from_str(note).unwrap_or_default();
        let mut all = locked(&self.all);
        let mut merged: Vec<_> =
            before.into_iter().filter(|(channel, _)| !all.iter().any(|(known, _)| known == channel)).collect();
        merged.append(&mut all);
        let left_out = merged.len().saturating_sub(MOST);
        *all = merged.split_off(left_out);
    }

    /// The last used first.
    pub fn channels(&self) -> Vec<(String, String)> {
        locked(&self.all).iter().rev().cloned().collect()
    }

    pub fn note(&self) -> String {
        serde_json::to_string(&*locked(&self.all)).unwrap_or_default()
    }

    /// Until there is one that was not known.
    pub async fn more(&self) {
        self.more.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_used_are_kept() {
        let used = Used::default();
        for n in 0..MOST {
            used.used(&n.to_string(), "g");
        }
        used.used("0", "g");
        used.used("new", "@me");
        let kept = used.channels();
        assert_eq!((kept.len(), kept[0].0.as_str(), kept[1].0.as_str()), (MOST, "new", "0"));
        assert!(!kept.iter().any(|(channel, _)| channel == "1"));
        let later = Used::default();
        later.used("9999", "g");
        later.adopt(&used.note());
        let kept = later.channels();
        assert_eq!((kept.len(), kept[0].0.as_str(), kept[1].0.as_str()), (MOST, "9999", "new"));
    }
}
