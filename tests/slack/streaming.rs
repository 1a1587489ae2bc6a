//! Answers as they are written: by Slack's streams where there are any, as messages otherwise; word for word in any case.

use std::time::Duration;

use super::room::{Room, tokens};
use crate::support::slack::{BOT_USER, Rules, Streaming, Trouble, Way};

const FAST: Duration = Duration::ZERO;
const SLOW: Duration = Duration::from_millis(25);

/// Markdown of about that many bytes, with everything that is hard to take apart. Each `x1x` stands in it once.
fn markdown(bytes: usize) -> String {
    let mut text = String::new();
    let mut next = 0;
    let mut word = || {
        next += 1;
        format!("x{next}x")
    };
    while text.len() < bytes {
        text += &format!("## Heading {}\n\nSome *words* and **others**: {}, {}.\n\n", word(), word(), word());
        text += &format!("- item {}\n  - nested {} with `code`\n- last {}\n\n", word(), word(), word());
        text += "```rust\n";
        for _ in 0..40 {
            text += &format!("    let {} = \"a line of code\";\n", word());
        }
        text += "```\n\n";
        text += "| name | value |\n|---|---|\n";
        for _ in 0..10 {
            text += &format!("| {} | {} |\n", word(), word());
        }
        text += &format!("\nAnd {}.\n\n", word());
    }
    text.trim_end().to_owned()
}

fn fences_are_whole(message: &str) {
    let fences = message.lines().filter(|line| line.trim_start().starts_with("```")).count();
    assert!(fences.is_multiple_of(2), "{fences} fences in {message:?}");
}

#[tokio::test]
async fn an_answer_streams_and_ends_with_its_buttons() {
    let room = Room::open(Rules::default(), "", SLOW).await;
    let root = room.mention("say 80 words");
    let first = room.begun(&root).await;
    let seen = room.slack.look(|s| s.seen(s.message(&room.channel, &first).expect("a message")));
    assert!(seen.streaming && !seen.text.contains("w80"), "{seen:?}");
    let answer = room.answered(&root, &root).await;
    assert!(answer.streamed && answer.messages.len() == 1);
    let expected: Vec<String> = (1..=80).map(|n| format!("w{n}")).collect();
    assert_eq!(answer.messages[0], expected.join(" "), "byte for byte");
    let pieces = room.slack.look(|s| s.message(&room.channel, &first).and_then(|m| m.stream.clone()).map(|s| s.pieces));
    assert!(pieces >= Some(3), "{pieces:?}");
    let seen = room.slack.look(|s| s.seen(s.message(&room.channel, &answer.last).expect("a message")));
    assert!(seen.button("👍").is_some() && seen.button("👎").is_some() && seen.button("Retry").is_some(), "{seen:?}");
    assert!(room.slack.look(|s| s.status_log.iter().any(|(_, thread, status)| *thread == root && status.contains("thinking"))));
    // Long ones are as exact.
    room.ask("say 500 words").await.says(500);
    room.done().await;
}

#[tokio::test]
async fn a_long_answer_goes_on_in_further_messages() {
    let room = Room::open(Rules::default(), "", FAST).await;
    let source = markdown(30_000);
    let answer = room.ask(&format!("repeat:\n{source}")).await;
    assert!(answer.streamed && answer.messages.len() >= 3, "{} messages", answer.messages.len());
    for message in &answer.messages {
        fences_are_whole(message);
        assert!(message.chars().count() <= 12_000);
    }
    assert_eq!(tokens(&answer.messages.join("\n")), tokens(&source));
    // All that is no table stands there as it was written; what came last may be a message, with Slack's own signs.
    let plain = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|l| !l.starts_with("```") && !l.starts_with('|') && !l.trim().is_empty());
        let table = |l: &str| tokens(l).len() == 2 && !l.contains(['*', ',']) || l.starts_with("name ") || l.starts_with("---");
        let bare = |l: &str| l.chars().filter(|c| c.is_ascii_alphanumeric() || "=;\"".contains(*c)).collect();
        lines.filter(|l| !table(l)).map(bare).collect()
    };
    let (shown, written) = (plain(&answer.messages.join("\n")), plain(&source));
    for (at, (shown, written)) in shown.iter().zip(&written).enumerate() {
        assert_eq!(shown, written, "line {at}");
    }
    assert_eq!(shown.len(), written.len());
    room.ask("say 6000 words").await.says(6_000);
    room.done().await;
}

/// Code of so many lines, each with a number of its own.
fn code(lines: usize) -> String {
    let lines: String = (0..lines).map(|n| format!("fn f_{n}() {{ println!(\"<&> {n} x{n}x\"); }}\n")).collect();
    format!("```rust\n{lines}```\n\nThat is all.")
}

/// Every line of the code stands whole in one of the messages, in order.
fn lines_are_whole(messages: &[String], source: &str) {
    let all = messages.join("\n").replace("&lt;&amp;&gt;", "<&>");
    let shown: Vec<&str> = all.lines().filter(|line| line.contains("f_") || line.contains("println")).collect();
    let written: Vec<&str> = source.lines().filter(|line| line.contains("f_")).collect();
    assert_eq!(shown, written);
}

#[tokio::test]
async fn code_goes_on_in_further_messages_at_the_ends_of_its_lines() {
    for pace in [FAST, Duration::from_millis(1)] {
        let room = Room::open(Rules::default(), "", pace).await;
        let source = code(700);
        let answer = room.ask(&format!("repeat:\n{source}")).await;
        assert!(answer.streamed && answer.messages.len() >= 3, "{} messages", answer.messages.len());
        answer.messages.iter().for_each(|message| fences_are_whole(message));
        lines_are_whole(&answer.messages, &source);
        room.done().await;
    }
}

#[tokio::test]
async fn code_stays_whole_when_the_end_of_a_message_goes_wrong() {
    for trouble in [Trouble::CutBefore, Trouble::CutAfter, Trouble::Status(500), Trouble::Error("msg_too_long")] {
        let room = Room::open(Rules::default(), "", Duration::from_millis(1)).await;
        room.slack.allow("message_not_in_streaming_state");
        let source = code(300);
        room.slack.trouble("chat.stopStream", 1, &trouble);
        let answer = room.ask(&format!("repeat:\n{source}")).await;
        answer.messages.iter().for_each(|message| fences_are_whole(message));
        lines_are_whole(&answer.messages, &source);
        room.done().await;
    }
}

#[tokio::test]
async fn a_workspace_without_streams_gets_messages() {
    for way in [Streaming::Unknown, Streaming::Disabled] {
        let room = Room::open(Rules { streaming: way, ..Rules::default() }, "", FAST).await;
        let answer = room.ask("say 500 words").await;
        answer.says(500);
        assert!(!answer.streamed);
        let source = markdown(20_000);
        let answer = room.ask(&format!("repeat:\n{source}")).await;
        answer.messages.iter().for_each(|message| fences_are_whole(message));
        assert_eq!(tokens(&answer.messages.join("\n")), tokens(&source));
        assert_eq!(room.calls("chat.startStream"), 1, "it is known from the first time on");
        room.done().await;
    }
}

#[tokio::test]
async fn streaming_can_be_switched_off() {
    let room = Room::open(Rules::default(), "streaming = false", SLOW).await;
    let root = room.mention("say 80 words");
    room.begun(&root).await;
    let answer = room.answered(&root, &root).await;
    answer.says(80);
    assert_eq!(room.calls("chat.startStream"), 0);
    assert!(room.slack.look(|s| s.message(&room.channel, &answer.last).is_some_and(|m| m.edits >= 1)), "it grew");
    room.done().await;
}

#[tokio::test]
async fn streams_that_slack_ends_go_on_as_messages() {
    // Ended while nothing came, after a while, and because they are full.
    let idle = Rules { stream_idle: Duration::from_millis(300), ..Rules::default() };
    let life = Rules { stream_life: Duration::from_millis(1_200), ..Rules::default() };
    let full = Rules { stream_size: 200, ..Rules::default() };
    for (name, rules) in [("idle", idle), ("life", life), ("full", full)] {
        let room = Room::with(Way::Http, rules, "", "", SLOW).await;
        room.slack.allow("message_not_in_streaming_state");
        room.slack.allow("msg_too_long");
        let answer = room.ask("say 120 words").await;
        answer.says(120);
        assert!(answer.messages.len() >= 2, "{name}: {answer:?}");
        let code: String = (1..60).map(|n| format!("    let x{n}x = {n};\n")).collect();
        let source = format!("Look:\n\n```\n{code}```\n\nThat was x60x.");
        let answer = room.ask(&format!("repeat:\n{source}")).await;
        answer.messages.iter().for_each(|message| fences_are_whole(message));
        assert_eq!(tokens(&answer.messages.join("\n")), tokens(&source), "{name}: {answer:?}");
        room.done().await;
    }
}

#[tokio::test]
async fn streaming_that_is_refused_goes_on_as_messages_and_is_tried_again() {
    let room = Room::open(Rules::default(), "", FAST).await;
    for code in ["missing_recipient_team_id", "message_not_in_streaming_state", "msg_too_long"] {
        room.slack.trouble("chat.startStream", 1, &Trouble::Error(code));
        room.ask("say 30 words").await.says(30);
    }
    let answer = room.ask("say 30 words").await;
    answer.says(30);
    assert!(answer.streamed, "one refusal tells nothing of the next answer");
    room.done().await;
}

#[tokio::test]
async fn long_answers_can_be_stopped_and_tools_are_told() {
    let room = Room::open(Rules::default(), "", Duration::from_millis(100)).await;
    let root = room.mention("say 900 words");
    let stop = room
        .slack
        .wait("the Stop button", |s| s.seen_thread(&room.channel, &root).into_iter().find(|m| m.button("Stop").is_some()))
        .await;
    room.ann.click(&stop.ts, "Stop").await.ok();
    let answer = room.answered(&root, &root).await;
    assert!(answer.footer.contains("stopped") && answer.footer.contains("“say 900 words”"), "{answer:?}");
    let words = answer.words();
    assert!(words.len() > 5 && words.iter().enumerate().all(|(n, word)| *word == format!("w{}", n + 1)), "{answer:?}");
    assert!(room.slack.look(|s| s.message(&room.channel, &stop.ts).is_none()), "the Stop button is gone");
    let retry = room.slack.look(|s| s.seen(s.message(&room.channel, &answer.last).expect("a message")));
    assert!(retry.button("Retry").is_some(), "{retry:?}");
    room.done().await;
}

#[tokio::test]
async fn approvals_are_messages_with_buttons() {
    let room = Room::open(Rules::default(), "", FAST).await;
    let asks = async |root: &str| {
        let open = |s: &crate::support::slack::State| {
            s.seen_thread(&room.channel, root).into_iter().find(|m| m.author == BOT_USER && m.button("Allow").is_some())
        };
        room.slack.wait("an approval", open).await
    };
    let decided = async |ts: &str, part: &str| {
        let seen = |s: &crate::support::slack::State| {
            s.message(&room.channel, ts).map(|m| s.seen(m)).filter(|m| m.buttons.is_empty() && m.text.contains(part))
        };
        room.slack.wait(part, seen).await
    };
    let root = room.mention("use the tool and say 5 words");
    let approval = asks(&root).await;
    assert!(approval.text.contains("demo_tool") && approval.text.contains("```\necho demo"), "{approval:?}");
    let payload = room.ann.click_payload(&approval.ts, "Allow");
    room.ann.click(&approval.ts, "Allow").await.ok();
    decided(&approval.ts, "allowed").await;
    let answer = room.answered(&root, &root).await;
    assert!(
        answer.messages.concat().contains("▸ `demo_tool`: `echo demo` … ok")
            && answer.messages.concat().contains("w1 w2 w3 w4 w5"),
        "{answer:?}"
    );
    // Somebody whose screen was late.
    room.ann.click_stale(payload).await.ok();
    room.slack.whisper(&room.ann, "").await;
    let root = room.mention("use the tool please");
    let approval = asks(&root).await;
    room.ann.click(&approval.ts, "Deny").await.ok();
    decided(&approval.ts, "denied").await;
    assert!(room.answered(&root, &root).await.messages.concat().contains("was not allowed"));
    let root = room.mention("use the tool please");
    let approval = asks(&root).await;
    room.ann.click(&approval.ts, "Always allow").await.ok();
    decided(&approval.ts, "allowed").await;
    assert!(room.answered(&root, &root).await.messages.concat().contains("It was allowed"));
    assert!(room.ask("use the tool please").await.messages.concat().contains("It was allowed"), "nobody is asked any more");
    room.done().await;
}

#[tokio::test]
async fn an_agent_that_fails_says_why_and_can_be_asked_again() {
    let room = Room::open(Rules::default(), "", FAST).await;
    let answer = room.ask("fail please").await;
    assert!(answer.footer.contains("failed") && answer.footer.contains("“fail please”"), "{answer:?}");
    // … also in what a notification shows.
    let shown = room.slack.look(|s| s.message(&room.channel, &answer.last).map(|m| m.text.clone())).expect("a message");
    assert!(!shown.contains("no text"), "{shown}");
    let root = room.slack.look(|s| s.message(&room.channel, &answer.last).and_then(|m| m.thread_ts.clone())).expect("a thread");
    room.ann.click(&answer.last, "Retry").await.ok();
    room.answered(&root, &answer.last).await;
    room.done().await;
}

#[tokio::test]
async fn an_approval_that_nobody_answers_expires() {
    let limits = "[limits]\napproval_timeout = \"1s\"";
    let room = Room::with(Way::Socket, Rules::default(), "", limits, FAST).await;
    let root = room.mention("use the tool please");
    let expired = |s: &crate::support::slack::State| {
        let all = s.seen_thread(&room.channel, &root);
        all.into_iter().find(|m| m.text.contains("expired: nobody answered in time") && m.buttons.is_empty())
    };
    room.slack.wait("an approval that expired", expired).await;
    assert!(room.answered(&root, &root).await.messages.concat().contains("was not allowed"));
    room.done().await;
}
