//! A channel with a project whose agent answers at a known pace, and what its people see of the answers.

use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use crate::support::slack::{BOT_USER, Bot, Kind, Message, Rules, Slack, State, User, Way};
use crate::support::storm::counted;

pub struct Room {
    pub slack: Slack,
    pub bot: Bot,
    pub ann: User,
    pub channel: String,
}

/// An answer as it stands in its thread.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What is written in each of its messages, without what stands below.
    pub messages: Vec<String>,
    pub streamed: bool,
    /// The message with the buttons.
    pub last: String,
    pub footer: String,
    /// What follows in its thread is another's.
    next: Option<String>,
}

impl Answer {
    pub fn words(&self) -> Vec<String> {
        self.messages.join("\n").split_whitespace().map(str::to_owned).collect()
    }

    /// The words and nothing but them, and nothing below.
    #[track_caller]
    pub fn says(&self, count: usize) {
        assert_eq!(self.next, None, "something is said twice");
        self.begins(count);
    }

    /// … whatever else is below.
    #[track_caller]
    pub fn begins(&self, count: usize) {
        let expected: Vec<String> = (1..=count).map(|n| format!("w{n}")).collect();
        let said = self.words();
        let at = said.iter().zip(&expected).position(|(a, b)| a != b).unwrap_or(said.len().min(expected.len()));
        assert!(said == expected, "{count} words differ at {at}: {:?}\n{self:?}", &said[at.saturating_sub(2)..]);
    }
}

/// What is written in one message of an answer, without what stands below. `None`: it is no such message.
fn written(message: &Message) -> Option<String> {
    if message.stream.is_none() && message.metadata["event_payload"]["kind"] != "text" {
        return None;
    }
    let edited = message.stream.is_none() || message.edits > 0;
    Some(if edited { texts(message, "section").join("\n") } else { message.text.clone() })
}

fn texts(message: &Message, kind: &str) -> Vec<String> {
    let blocks = message.blocks.as_array().into_iter().flatten().filter(|b| b["type"] == kind);
    let text = |b: &Value| b["text"]["text"].as_str().or(b["elements"][0]["text"].as_str()).map(str::to_owned);
    blocks.filter_map(text).collect()
}

fn is_open(message: &Message) -> bool {
    message.metadata["event_payload"]["kind"] == "working" || message.stream.as_ref().is_some_and(|s| s.ended.is_none())
}

fn is_last(s: &State, message: &Message) -> bool {
    s.seen(message).buttons.iter().any(|b| b.action_id.starts_with("good:") || b.text == "Retry")
}

/// The answer below a question, once it is complete: nothing of it is open, and its buttons are there.
pub fn answer(s: &State, channel: &str, root: &str, question: &str) -> Option<Answer> {
    let mut found = Answer { messages: Vec::new(), streamed: false, last: String::new(), footer: String::new(), next: None };
    if s.thread(channel, root).iter().any(|m| m.metadata["event_payload"]["kind"] == "working") {
        return None;
    }
    for message in s.thread(channel, root).into_iter().filter(|m| m.ts.as_str() > question) {
        if message.user != BOT_USER || !found.last.is_empty() {
            found.next = Some(message.text.clone());
            break;
        }
        if is_open(message) {
            return None;
        }
        let Some(text) = written(message) else { continue };
        found.streamed |= message.stream.is_some() && message.edits == 0;
        found.messages.push(text);
        if is_last(s, message) {
            found.last.clone_from(&message.ts);
            found.footer = texts(message, "context").join(" ");
        }
    }
    (!found.last.is_empty()).then_some(found)
}

/// All that the agent said in a thread.
#[derive(Debug, Default)]
pub struct Said {
    pub words: Vec<String>,
    /// Answers that ended, and how many of them before their time.
    pub ends: usize,
    pub interrupted: usize,
    /// Something is being written still.
    pub open: bool,
}

pub fn said(s: &State, channel: &str, root: &str) -> Said {
    let mut said = Said::default();
    for message in s.thread(channel, root).into_iter().filter(|m| m.user == BOT_USER) {
        said.open |= is_open(message);
        let Some(text) = written(message) else { continue };
        said.words.extend(counted(&text));
        if is_last(s, message) {
            said.ends += 1;
            said.interrupted += usize::from(texts(message, "context").join(" ").contains("interrupted"));
        }
    }
    said
}

impl Room {
    pub async fn open(rules: Rules, keys: &str, pace: Duration) -> Self {
        Self::with(Way::Socket, rules, keys, "", pace).await
    }

    pub async fn with(way: Way, rules: Rules, keys: &str, sections: &str, pace: Duration) -> Self {
        let slack = Slack::with(way, rules).await;
        let bot = Bot::with(&slack, keys, sections).await;
        let ann = slack.user("ann");
        let channel = slack.channel("general", Kind::Public, &["ann", "bob"], true);
        let create = format!("create demo --env GAGGLE_DEMO_PACE_MS={}", pace.as_millis());
        ann.command("/project", &create, &channel).await.ok();
        slack
            .wait("the project", |s| s.seen_channel(&channel).into_iter().find(|m| m.text.contains("Created the project")))
            .await;
        let room = Self { slack, bot, ann, channel };
        // The agent is up from here on.
        room.ask("say 1 word").await.says(1);
        room
    }

    /// A thread of its own in the channel; returns its root.
    pub fn mention(&self, text: &str) -> String {
        self.ann.mention(&self.channel, text)
    }

    pub async fn ask(&self, text: &str) -> Answer {
        let root = self.mention(text);
        self.answered(&root, &root).await
    }

    pub async fn answered(&self, root: &str, question: &str) -> Answer {
        self.slack.wait(&format!("the answer to {question}"), |s| answer(s, &self.channel, root, question)).await
    }

    /// Waits until some words of an answer are visible.
    pub async fn begun(&self, root: &str) -> String {
        let begun = |s: &State| {
            let all = s.thread(&self.channel, root);
            let text = all.into_iter().find(|m| m.user == BOT_USER && m.text.starts_with("w1"));
            text.map(|m| m.ts.clone())
        };
        self.slack.wait(&format!("the first words in {root}"), begun).await
    }

    pub fn calls(&self, method: &str) -> usize {
        self.slack.count(method).calls
    }

    pub async fn done(self) {
        self.slack.settled().await;
        self.bot.done().await;
        self.slack.look(|s| {
            for message in s.messages.values().flat_map(|all| all.values()).filter(|m| !m.deleted) {
                assert!(message.stream.as_ref().is_none_or(|s| s.ended.is_some()), "a message streams still\n{}", s.report());
                assert_ne!(message.metadata["event_payload"]["kind"], "working", "a Stop button stands still\n{}", s.report());
            }
        });
        self.slack.done().await;
    }
}

/// Words that can be told from each other, however they are formatted.
pub fn tokens(text: &str) -> Vec<String> {
    let token = Regex::new(r"x\d+x").expect("a pattern");
    token.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}
