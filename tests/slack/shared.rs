//! The stories of every surface, told in Slack, by socket and by HTTP.

use std::collections::HashMap;

use async_trait::async_trait;
use serde_json::Value;

use crate::support::play::{Player, play, story};
use crate::support::slack::{BOT_USER, Bot, Kind, Seen, Slack, State, User, Way};

struct Team {
    slack: Slack,
    channel: String,
    who: User,
    /// The thread that was opened last.
    thread: Option<String>,
    before: HashMap<String, String>,
}

fn all(state: &State, channel: &str, who: &str) -> Vec<Seen> {
    state.seen_channel(channel).into_iter().chain(state.seen_by(who)).filter(Seen::by_bot).collect()
}

/// Without the signs of formats, as people read it.
fn read(text: &str) -> String {
    text.replace("*", "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

impl Team {
    /// What is new or other since the last thing that was said.
    fn new_in(&self, state: &State) -> Vec<Seen> {
        let fresh = |seen: &Seen| self.before.get(&seen.ts) != Some(&seen.text);
        all(state, &self.channel, &self.who.id).into_iter().filter(fresh).collect()
    }
}

#[async_trait]
impl Player for Team {
    async fn says(&mut self, who: &str, text: &str) {
        self.slack.settled().await;
        self.who = self.slack.user(who);
        let channel = self.channel.clone();
        let root =
            |s: &State| s.seen_channel(&channel).into_iter().rev().find(|m| m.by_bot() && m.text.contains("asks:")).map(|m| m.ts);
        self.thread = self.slack.look(root);
        self.before = self.slack.look(|s| all(s, &self.channel, &self.who.id).into_iter().map(|m| (m.ts, m.text)).collect());
        let in_thread =
            ["/approve", "/deny", "/session stop", "/session show", "/session retry"].iter().any(|c| text.starts_with(c));
        match (&self.thread, text.strip_prefix('/')) {
            (Some(thread), Some(_)) if in_thread => {
                self.who.reply(&self.channel, thread, &format!("<@{BOT_USER}> {text}"));
            }
            (Some(thread), None) => {
                self.who.reply(&self.channel, thread, text);
            }
            (_, Some(command)) => drop(self.who.command("/gaggle", command, &self.channel).await.ok()),
            (None, None) => drop(self.who.say(&self.channel, text)),
        }
    }

    async fn sees(&mut self, text: &str, refused: bool) {
        let fits = |m: &Seen| read(&m.text).contains(text) && (!refused || m.text.contains(":warning:"));
        let found = self.slack.wait(&format!("{text:?}"), |s| self.new_in(s).into_iter().find(fits)).await;
        assert!(refused || !found.text.contains(":warning:"), "{found:?}");
        if refused {
            assert!(
                self.slack.look(|s| s.seen_by(&self.who.id).iter().any(|m| m.ts == found.ts)),
                "a refusal is its asker's business"
            );
        }
    }

    async fn fills(&mut self, field: &str, value: &str) {
        self.slack.wait("a modal", |s| s.modals.get(&self.who.id).and_then(|stack| stack.last()).cloned()).await;
        self.who.submit(&[(field, value)]).await.ok();
    }

    async fn decides(&mut self, yes: bool) {
        self.slack.wait("a question", |s| s.modals.get(&self.who.id).and_then(|stack| stack.last()).cloned()).await;
        if yes {
            self.who.submit(&[]).await.ok();
        } else {
            self.who.close().await.expect("it is told").ok();
        }
    }

    async fn waits_for_approval(&mut self) {
        self.slack.wait("an approval", |s| self.new_in(s).into_iter().find(|m| m.button("Allow").is_some())).await;
    }

    fn mention(&self, who: &str) -> String {
        format!("<@{}>", self.slack.user(who).id)
    }

    fn everything(&self) -> String {
        let people = ["ann", "bob"].map(|who| self.slack.user(who).id);
        self.slack.look(|s| {
            let views: Vec<Value> = s.views.keys().map(|id| s.view(id)["blocks"].clone()).collect();
            let seen: Vec<String> = people.iter().flat_map(|who| all(s, &self.channel, who)).map(|m| format!("{m:?}")).collect();
            format!("{seen:?}{views:?}")
        })
    }
}

async fn tell(name: &str, way: Way) {
    let slack = Slack::start(way).await;
    let bot = Bot::start(&slack).await;
    let channel = slack.channel("team", Kind::Public, &["ann", "bob"], true);
    let who = slack.user("ann");
    let mut team = Team { slack: slack.clone(), channel, who, thread: None, before: HashMap::new() };
    play(&mut team, story(name)).await;
    slack.settled().await;
    bot.done().await;
    slack.done().await;
}

macro_rules! stories {
    ($($name:ident),*) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn by_socket() {
                tell(stringify!($name), Way::Socket).await;
            }

            #[tokio::test]
            async fn by_http() {
                tell(stringify!($name), Way::Http).await;
            }
        }
    )*};
}
stories!(first_day, sharing, secrets, approvals, ends);
