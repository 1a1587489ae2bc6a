//! A team in Slack, for stories: two people, a channel, the program.
//!
//! Absence: what Slack is and does is in the stand-in.

use crate::support::slack::{Bot, Kind, Seen, Slack, User, Way};

/// A workspace with ann and bob in `#general`, and the program in it.
pub struct Team {
    pub slack: Slack,
    pub bot: Bot,
    pub ann: User,
    pub bob: User,
    pub general: String,
}

impl Team {
    pub async fn new(way: Way) -> Self {
        Self::with(way, "", "").await
    }

    pub async fn with(way: Way, keys: &str, sections: &str) -> Self {
        let slack = Slack::start(way).await;
        let bot = Bot::with(&slack, keys, sections).await;
        Self::of(slack, bot)
    }

    pub fn of(slack: Slack, bot: Bot) -> Self {
        let (ann, bob) = (slack.user("annabel"), slack.user("bobby"));
        let general = slack.channel("general", Kind::Public, &["annabel", "bobby"], true);
        Self { slack, bot, ann, bob, general }
    }

    /// What somebody types in `#general`.
    pub async fn types(&self, who: &User, text: &str) {
        let (command, rest) = text.split_once(' ').unwrap_or((text, ""));
        who.command(command, rest, &self.general).await.ok();
    }

    /// Waits for a message in the channel that everybody sees.
    pub async fn sees(&self, channel: &str, part: &str) -> Seen {
        let what = format!("{part:?} in the channel");
        self.slack.wait(&what, |s| s.seen_channel(channel).into_iter().find(|m| m.by_bot() && m.text.contains(part))).await
    }

    pub async fn create(&self, who: &User, name: &str) -> Seen {
        self.types(who, &format!("/project create {name}")).await;
        self.sees(&self.general, &format!("Created the project `{name}`")).await
    }

    pub async fn done(self) {
        self.slack.settled().await;
        self.bot.done().await;
        self.slack.done().await;
    }
}
