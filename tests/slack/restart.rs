//! The program ends in the middle of everything and comes back: each question has one whole answer, each message was handled once.

use std::time::Duration;

use super::room::{Room, answer};
use crate::support::slack::{Bot, Rules, Slack, State, Trouble, Way};

/// What is lost with a socket comes again soon, or never.
fn quick() -> Rules {
    Rules::default().quick_retries()
}

impl Room {
    /// After another start nothing is said but what is asked then.
    async fn again_nothing(&mut self) {
        let quiet = |s: &State| {
            let all = s.seen_channel(&self.channel);
            let busy = all.iter().any(|m| m.streaming || m.metadata["event_payload"]["kind"] == "working");
            (!busy).then_some(all.len())
        };
        let before = self.slack.wait("quiet", quiet).await;
        self.bot.restart().await;
        self.ask("say 2 words").await.says(2);
        assert_eq!(self.slack.messages(&self.channel).len(), before + 2, "{}", self.slack.look(State::report));
    }
}

const PACE: Duration = Duration::from_millis(30);

#[tokio::test]
async fn killed_in_mid_answer() {
    for keys in ["", "streaming = false"] {
        let mut room = Room::open(quick(), keys, PACE).await;
        room.slack.allow("message_not_in_streaming_state");
        let root = room.mention("say 150 words");
        let waits = room.ann.reply(&room.channel, &root, "say 7 words");
        room.begun(&root).await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        room.bot.restart().await;
        let first = room.answered(&root, &waits).await;
        first.begins(150);
        room.answered(&root, &first.last).await.says(7);
        // And nothing is said again after another start.
        room.again_nothing().await;
        room.done().await;
    }
}

#[tokio::test]
async fn killed_at_any_moment() {
    let mut room = Room::open(quick(), "", Duration::from_millis(10)).await;
    room.slack.allow("message_not_in_streaming_state");
    for moment in [0, 5, 15, 40, 80, 200, 450, 700, 1_000] {
        let root = room.mention("say 60 words");
        tokio::time::sleep(Duration::from_millis(moment)).await;
        room.bot.restart().await;
        let answer = room.answered(&root, &root).await;
        // What may or may not have reached the agent is not sent to it twice.
        let interrupted = answer.footer.contains("interrupted") && answer.footer.contains("“say 60 words”");
        if !interrupted {
            answer.says(60);
        }
    }
    room.done().await;
}

#[tokio::test]
async fn ended_in_mid_answer() {
    let mut room = Room::open(quick(), "", Duration::from_millis(100)).await;
    let root = room.mention("say 300 words");
    let waits = room.ann.reply(&room.channel, &root, "say 7 words");
    room.begun(&root).await;
    assert!(room.bot.terminate().await.success());
    let cut = room.slack.look(|s| answer(s, &room.channel, &root, &waits)).expect("an end that says so");
    assert!(cut.footer.contains("interrupted") && cut.footer.contains("“say 300 words”"), "{cut:?}");
    room.slack.look(|s| assert!(s.messages[&room.channel].values().all(|m| m.stream.as_ref().is_none_or(|s| s.ended.is_some()))));
    room.bot.restart().await;
    let after = |s: &State| answer(s, &room.channel, &root, &cut.last);
    room.slack.wait("the answer to what waited", after).await.says(7);
    room.done().await;
}

#[tokio::test]
async fn what_ended_unseen_is_shown_after_the_start() {
    let mut room = Room::open(quick(), "", Duration::ZERO).await;
    room.slack.allow("message_not_in_streaming_state");
    // Slack takes nothing for as long as the program lives.
    for method in ["chat.startStream", "chat.postMessage"] {
        room.slack.trouble(method, 200, &Trouble::Status(503));
    }
    let root = room.mention("say 40 words");
    room.slack
        .wait("a call", |s| s.calls.iter().any(|c| c.method == "chat.startStream" && c.error.is_some()).then_some(()))
        .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    room.bot.kill().await;
    room.slack.change(|s| s.troubles.clear());
    room.bot.restart().await;
    room.answered(&root, &root).await.says(40);
    room.done().await;
}

/// What waited would be done long after Slack told its sender that it was not.
#[tokio::test]
async fn whoever_comes_before_it_serves_is_refused_at_once() {
    let slack = Slack::start(Way::Http).await;
    slack.trouble("auth.test", 6, &Trouble::Status(503));
    let mut bot = Bot::prepare(&slack, "", "", "name = \"demo\"", "");
    bot.launch();
    slack.wait("a program that starts", |s| s.calls.iter().any(|c| c.method == "auth.test").then_some(())).await;
    let refused = reqwest::get(format!("{}/healthz", bot.url())).await.expect_err("nobody serves yet");
    assert!(refused.is_connect(), "{refused:?}");
    slack.change(|s| s.troubles.clear());
    bot.ready().await;
    bot.done().await;
    slack.done().await;
}

async fn missed(way: Way) {
    // What nobody took does not come again by itself.
    let rules = Rules { retries: Vec::new(), ..Rules::default() };
    let mut room = Room::with(way, rules, "", "", Duration::from_millis(1)).await;
    let root = room.mention("say 3 words");
    room.answered(&root, &root).await;
    let (im, direct) = room.ann.dm("say 4 words");
    room.slack.wait("an answer", |s| answer(s, &im, &direct, &direct)).await.says(4);
    room.bot.kill().await;
    // Slack gives up on what nobody acknowledges.
    room.slack.allow("never acknowledged");
    room.slack.allow("");
    let in_thread: Vec<String> = (5..8).map(|n| room.ann.reply(&room.channel, &root, &format!("say {n} words"))).collect();
    let mention = room.mention("say 8 words");
    let (_, dm) = room.ann.dm("say 9 words");
    let chatter = room.ann.say(&room.channel, "nobody is meant");
    room.bot.restart().await;
    room.slack.wait("an answer", |s| answer(s, &room.channel, &mention, &mention)).await.says(8);
    room.slack.wait("an answer", |s| answer(s, &im, &dm, &dm)).await.says(9);
    let last = in_thread.last().expect("three");
    let all = |s: &State| {
        let texts: Vec<String> = s.thread(&room.channel, &root).iter().filter(|m| m.ts > *last).map(|m| m.text.clone()).collect();
        (texts.len() >= 3 && s.thread(&room.channel, &root).iter().all(|m| m.stream.as_ref().is_none_or(|s| s.ended.is_some())))
            .then_some(texts)
    };
    let texts = room.slack.wait("three answers in their order", all).await;
    assert_eq!(texts, ["w1 w2 w3 w4 w5", "w1 w2 w3 w4 w5 w6", "w1 w2 w3 w4 w5 w6 w7"]);
    assert_eq!(room.slack.thread(&room.channel, &chatter).len(), 1);
    // Once: what comes again, and another start, change nothing.
    room.again_nothing().await;
    room.done().await;
}

#[tokio::test]
async fn what_was_missed_is_answered_once_over_sockets() {
    missed(Way::Socket).await;
}

#[tokio::test]
async fn what_was_missed_is_answered_once_over_http() {
    missed(Way::Http).await;
}

/// Other bots wrote a thousand messages since.
#[tokio::test]
async fn a_mention_is_not_missed_for_all_that_is_written_behind_it() {
    let rules = Rules { retries: Vec::new(), ..Rules::default() };
    let mut room = Room::with(Way::Socket, rules, "", "", Duration::from_millis(1)).await;
    room.bot.kill().await;
    room.slack.allow("never acknowledged");
    let root = room.mention("say 6 words");
    for n in 0..1_050 {
        room.slack.bot_says(&room.channel, None, &format!("build {n} is green"));
    }
    room.bot.restart().await;
    room.answered(&root, &root).await.says(6);
    room.done().await;
}
