//! A channel with a project whose agent answers at a known pace, and what its people see of the answers.

use std::time::Duration;

use crate::support::discord::{Bot, Discord, Rules, Seen, State, User, Way};
pub use crate::support::storm::counted as words;

pub const FAST: Duration = Duration::from_millis(1);

pub struct Room {
    pub discord: Discord,
    pub bot: Bot,
    pub channel: String,
    pub ann: User,
    pub bob: User,
}

/// The first so many of them.
pub fn counted(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("w{n}")).collect()
}

/// An answer has ended: its buttons are there.
fn has_ended(message: &Seen) -> bool {
    message.buttons.iter().any(|b| b.custom_id.starts_with("good:") || b.text == "Retry")
}

/// How many answers have ended in a thread.
pub fn ended(s: &State, thread: &str) -> usize {
    s.seen_channel(thread).iter().filter(|m| m.by_bot() && has_ended(m)).count()
}

impl Room {
    pub async fn open(way: Way, pace: Duration) -> Self {
        Self::with(way, Rules::default(), "", "", pace).await
    }

    pub async fn with(way: Way, rules: Rules, keys: &str, sections: &str, pace: Duration) -> Self {
        let discord = Discord::with(way, rules).await;
        let bot = Bot::with(&discord, keys, sections).await;
        if way == Way::Http {
            // What follows may be quicker than Discord is with the answer to its request; it is said again.
            discord.allow("Unknown Webhook");
        }
        let channel = discord.channel("team");
        let (ann, bob) = (discord.user("ann"), discord.user("bob"));
        let room = Self { discord, bot, channel, ann, bob };
        let create = format!("/project create demo --env GAGGLE_DEMO_PACE_MS={}", pace.as_millis());
        room.types(&create).await;
        room.discord.sees(&room.channel, "Created the project").await;
        room
    }

    /// A command of ann's in the channel.
    pub async fn types(&self, text: &str) {
        self.ann.command(&self.channel, text).await.ok();
    }

    /// A question of ann's in the channel; its thread.
    pub async fn asks(&self, text: &str) -> String {
        let before = self.discord.look(|s| s.threads(&self.channel).len());
        self.types(&format!("/ask demo {text}")).await;
        let newest = |s: &State| {
            s.threads(&self.channel).into_iter().map(|t| t.id.clone()).max().filter(|_| s.threads(&self.channel).len() > before)
        };
        self.discord.wait("a thread", newest).await
    }

    /// Waits until some words of an answer are visible.
    pub async fn begun(&self, thread: &str) {
        self.discord.wait("the first words", |s| (!words(&s.answer(thread)).is_empty()).then_some(())).await;
    }

    /// Waits until so many answers have ended there; the words of all of them.
    pub async fn answered(&self, thread: &str, count: usize) -> Vec<String> {
        let what = format!("the end of {count} answers");
        self.discord.wait(&what, |s| (ended(s, thread) >= count).then(|| words(&s.answer(thread)))).await
    }

    /// What the bot wrote to somebody directly.
    pub async fn tells(&self, who: &User, part: &str) -> Seen {
        let channel = who.dm_channel();
        self.discord.sees(&channel, part).await
    }

    pub async fn done(self) {
        self.discord.settled().await;
        self.bot.done().await;
        self.discord.done().await;
    }
}
