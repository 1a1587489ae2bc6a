//! The stories of every surface, told at the console.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::support::play::{Player, play, story};
use crate::support::tester::Tester;

struct Console {
    tester: Tester,
    who: String,
    /// The last input of whoever spoke, and the events before it.
    at: usize,
    from: usize,
}

impl Console {
    async fn shown(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let from = self.from;
        self.tester.until(what, |s| s.events[from..].iter().map(|e| &e.event).find(|e| fits(e)).cloned()).await
    }
}

#[async_trait]
impl Player for Console {
    async fn says(&mut self, who: &str, text: &str) {
        self.from = self.tester.look(|s| s.events.len());
        self.who = who.to_owned();
        self.at = self.tester.user(who).in_conversation("team").begin(text).await.at;
    }

    async fn sees(&mut self, text: &str, refused: bool) {
        let found = self
            .shown(text, |e| {
                let said = e["text"].as_str().is_some_and(|t| t.contains(text));
                // Words come in pieces; the last state of the turn has them all.
                said && e["type"] != "text" && (!refused || e["notice"] == "refused")
                    || e["type"] == "text"
                        && !refused
                        && e["text"].as_str().is_some_and(|t| !t.trim().is_empty() && text.starts_with(t.trim()))
            })
            .await;
        assert!(refused || found["notice"] != "refused", "{found}");
    }

    async fn fills(&mut self, field: &str, value: &str) {
        let form = self.shown("a form", |e| e["type"] == "form").await;
        let id = form["form"].as_str().expect("an id").to_owned();
        self.tester.user(&self.who).in_conversation("team").fill(&id, json!({ field: value })).await;
    }

    async fn decides(&mut self, yes: bool) {
        let form = self.shown("a question", |e| e["type"] == "form" && e["confirm"] == true).await;
        let id = form["form"].as_str().expect("an id").to_owned();
        let speaker = self.tester.user(&self.who).in_conversation("team");
        if yes {
            speaker.fill(&id, json!({})).await
        } else {
            speaker.cancel(&id).await
        };
    }

    async fn waits_for_approval(&mut self) {
        self.shown("an approval", |e| e["type"] == "approval").await;
    }

    fn mention(&self, who: &str) -> String {
        format!("@{who}")
    }

    fn everything(&self) -> String {
        self.tester.look(|s| s.events.iter().map(|e| e.event.to_string()).collect())
    }
}

async fn tell(name: &str) {
    let mut console = Console { tester: Tester::start().await, who: String::new(), at: 0, from: 0 };
    play(&mut console, story(name)).await;
    console.tester.lenient();
    console.tester.done().await;
}

#[tokio::test]
async fn first_day() {
    tell("first_day").await;
}

#[tokio::test]
async fn sharing() {
    tell("sharing").await;
}

#[tokio::test]
async fn secrets() {
    tell("secrets").await;
}

#[tokio::test]
async fn approvals() {
    tell("approvals").await;
}

#[tokio::test]
async fn ends() {
    tell("ends").await;
}
