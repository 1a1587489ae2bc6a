//! What goes wrong between the program and Slack, and what happens to places: every answer is complete, right and there once, or its
//! asker learns what became of it; nothing is tried for ever.

use std::time::Duration;

use super::room::Room;
use crate::support::slack::{Rules, Trouble};

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
        let seen = |s: &crate::support::slack::State| s.seen_channel(&im).into_iter().find(|m| m.by_bot());
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
