//! What goes wrong between the program and Slack, and what happens to places: every answer is complete, right and there once, or its
//! asker learns what became of it; nothing is tried for ever.

use std::time::Duration;

use super::room::Room;
use crate::support::slack::{BOT_USER, Rules, State, Trouble};

const PACE: Duration = Duration::from_millis(20);

fn troubles() -> Vec<Trouble> {
    vec![
        Trouble::CutBefore,
        Trouble::CutAfter,
        Trouble::Status(500),
        Trouble::Limited(1),
        Trouble::Error("internal_error"),
        Trouble::Delay(Duration::from_millis(700)),
    ]
}

/// The same answer with each trouble at that method, at its first call and at a later one.
async fn survives(keys: &str, method: &str) {
    let room = Room::open(Rules::default(), keys, PACE).await;
    // What was ended by a call whose answer was lost is ended again, to be sure.
    room.slack.allow("message_not_in_streaming_state");
    for trouble in troubles() {
        for before in [0, 1] {
            room.slack.trouble(method, before, &Trouble::Delay(Duration::ZERO));
            room.slack.trouble(method, 1, &trouble);
            let answer = room.ask("say 70 words").await;
            answer.says(70);
            room.slack.change(|s| s.troubles.clear());
            eprintln!("{method} {trouble:?} {before}: {} messages, streamed {}", answer.messages.len(), answer.streamed);
        }
    }
    room.done().await;
}

#[tokio::test]
async fn the_start_of_a_stream_goes_wrong() {
    survives("", "chat.startStream").await;
}

#[tokio::test]
async fn words_on_their_way_go_wrong() {
    survives("", "chat.appendStream").await;
}

#[tokio::test]
async fn the_end_of_a_stream_goes_wrong() {
    survives("", "chat.stopStream").await;
}

#[tokio::test]
async fn a_message_goes_wrong() {
    survives("streaming = false", "chat.postMessage").await;
}

#[tokio::test]
async fn an_edit_goes_wrong() {
    survives("streaming = false", "chat.update").await;
}

/// The threads of a channel that somebody's commands opened.
fn roots(s: &State, channel: &str) -> Vec<String> {
    let all = s.seen_channel(channel);
    all.iter().filter(|m| m.thread_ts.is_none() && m.text.contains("asks:")).map(|m| m.ts.clone()).collect()
}

/// A thread that a command opens is there once, whatever becomes of the call that opens it.
async fn opens_once(forgetful: bool) {
    let room = Room::open(Rules { forgets_metadata: forgetful, ..Rules::default() }, "", PACE).await;
    for trouble in troubles() {
        let before = room.slack.look(|s| roots(s, &room.channel).len());
        room.slack.trouble("chat.postMessage", 1, &trouble);
        let acked = room.ann.command("/ask", "demo say 20 words", &room.channel).await;
        acked.ok();
        let root =
            room.slack.wait(&format!("a thread after {trouble:?}"), |s| roots(s, &room.channel).get(before).cloned()).await;
        room.answered(&root, &root).await.says(20);
        assert_eq!(room.slack.look(|s| roots(s, &room.channel).len()), before + 1, "{trouble:?}: one thread for one question");
    }
    room.done().await;
}

#[tokio::test]
async fn a_thread_is_opened_once() {
    opens_once(false).await;
}

#[tokio::test]
async fn a_thread_is_opened_once_where_marks_are_not_given_back() {
    opens_once(true).await;
}

#[tokio::test]
async fn a_first_message_is_found_again_where_marks_are_not_given_back() {
    let room = Room::open(Rules { forgets_metadata: true, ..Rules::default() }, "streaming = false", PACE).await;
    for before in [0, 1] {
        room.slack.trouble("chat.postMessage", before, &Trouble::Delay(Duration::ZERO));
        room.slack.trouble("chat.postMessage", 1, &Trouble::CutAfter);
        room.ask("say 70 words").await.says(70);
        room.slack.change(|s| s.troubles.clear());
    }
    room.done().await;
}

#[tokio::test]
async fn a_reply_that_slack_failed_to_take_is_said_again() {
    let room = Room::open(Rules::default(), "", PACE).await;
    room.slack.trouble("chat.postMessage", 2, &Trouble::Status(503));
    room.slack.trouble("chat.postMessage", 1, &Trouble::CutAfter);
    let (direct, root) = room.ann.dm("/cluster list");
    let said = |s: &State| s.thread(&direct, &root).iter().any(|m| m.user == BOT_USER).then_some(());
    room.slack.wait("a reply", said).await;
    room.slack.settled().await;
    let replies = room.slack.look(|s| s.thread(&direct, &root).iter().filter(|m| m.user == BOT_USER).count());
    assert_eq!(replies, 1);
    room.done().await;
}

#[tokio::test]
async fn a_slack_that_stays_broken_is_told_of_in_plain_words() {
    let room = Room::open(Rules::default(), "", PACE).await;
    room.slack.trouble("chat.postMessage", 100, &Trouble::Status(503));
    room.ann.command("/ask", "demo say 20 words", &room.channel).await.ok();
    let told = |s: &State| s.seen_by(&room.ann.id).into_iter().find(|m| m.text.contains("Slack failed"));
    let told = room.slack.wait("what became of it", told).await;
    assert!(told.text.contains("nothing was asked") && !told.text.contains("`nothing`"), "{}", told.text);
    assert!(room.calls("chat.postMessage") < 12, "none loops");
    room.slack.change(|s| s.troubles.clear());
    room.done().await;
}

/// Waits until `/readyz` says that; returns all of it.
async fn readiness(room: &Room, ready: bool, part: &str) -> String {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let answer = reqwest::get(format!("{}/readyz", room.bot.url())).await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a text");
        if status == if ready { 200 } else { 503 } && text.contains(part) {
            return text;
        }
        assert!(tokio::time::Instant::now() < deadline, "{status}: {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_token_that_was_revoked_makes_it_unready() {
    let room = Room::open(Rules::default(), "", PACE).await;
    room.slack.allow("token_revoked");
    readiness(&room, true, "ready").await;
    room.slack.revoke_token();
    let told = readiness(&room, false, "token_revoked").await;
    assert!(told.contains("slack") && told.contains("reinstall"), "{told}");
    room.bot.done().await;
    room.slack.done().await;
}

#[tokio::test]
async fn connections_that_slack_refuses_for_a_while_come_back() {
    let room = Room::open(Rules::default(), "", PACE).await;
    room.slack.trouble("apps.connections.open", 2, &Trouble::Error("invalid_auth"));
    room.slack.settled().await;
    room.slack.cut_sockets(2);
    let told = readiness(&room, false, "invalid_auth").await;
    assert!(told.contains("slack.app_token"), "{told}");
    readiness(&room, true, "ready").await;
    room.ask("say 20 words").await.says(20);
    room.done().await;
}

#[tokio::test]
async fn a_token_that_slack_does_not_know_for_a_moment_is_used_on() {
    let room = Room::open(Rules::default(), "", PACE).await;
    room.slack.trouble("chat.postMessage", 1, &Trouble::Error("invalid_auth"));
    room.ann.command("/ask", "demo say 20 words", &room.channel).await.ok();
    let root = room.slack.wait("a thread", |s| roots(s, &room.channel).first().cloned()).await;
    room.answered(&root, &root).await.says(20);
    readiness(&room, true, "ready").await;
    room.done().await;
}

/// What happens to the place of an answer while it is written; `told`: its asker is told elsewhere.
async fn place(what: &str, happens: impl AsyncFnOnce(&Room, &str), told: bool) {
    let room = Room::open(Rules::default(), "", Duration::from_millis(50)).await;
    for gone in ["is_archived", "not_in_channel", "channel_not_found", "thread_not_found", "invalid_thread_ts", "token_revoked"] {
        room.slack.allow(gone);
    }
    let root = room.mention("say 60 words");
    room.begun(&root).await;
    happens(&room, &root).await;
    let im = room.ann.im();
    if told {
        let seen = |s: &State| s.seen_channel(&im).into_iter().find(|m| m.by_bot());
        let said = room.slack.wait(&format!("what became of it: {what}"), seen).await;
        assert!(said.text.contains("could not be shown") && said.text.contains("/session show"), "{what}: {said:?}");
        assert_eq!(room.slack.messages(&im).len(), 1, "{what}");
    }
    // Time is what is tested: whatever is still tried is seen in it.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = room.slack.look(|s| s.calls.len());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let calls = room.slack.look(|s| s.calls[before..].to_vec());
    let calls: Vec<_> = calls.iter().filter(|c| c.method != "apps.connections.open").collect();
    assert!(calls.len() <= 1, "{what}: {calls:#?}");
    let all = room.slack.look(|s| s.calls.len());
    assert!(all < 60, "{what}: {all} calls");
    room.slack.settled().await;
    room.bot.done().await;
    room.slack.done().await;
}

#[tokio::test]
async fn a_channel_is_archived() {
    place("archived", async |room, _| room.slack.archive(&room.channel, &room.ann), true).await;
}

#[tokio::test]
async fn the_bot_is_removed() {
    let happens = async |room: &Room, _: &str| {
        room.slack.change(|s| s.scopes.remove("chat:write.public"));
        room.slack.bot_removed(&room.channel);
    };
    place("removed", happens, true).await;
}

#[tokio::test]
async fn the_question_is_deleted() {
    // The stream that is there goes on, and ends.
    place("deleted", async |room, root| room.ann.delete(&room.channel, root), false).await;
}

#[tokio::test]
async fn the_token_is_revoked() {
    place("revoked", async |room, _| room.slack.revoke_token(), false).await;
}

#[tokio::test]
async fn the_asker_leaves() {
    place("deactivated", async |room, _| room.slack.deactivate(&room.ann), false).await;
}
