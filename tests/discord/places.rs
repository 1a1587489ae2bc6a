//! What becomes of an answer whose thread, message or permission goes while it is written: it is complete and there once, or its asker
//! learns what became of it; nothing is tried for ever.

use std::time::Duration;

use super::room::{Room, counted, words};
use crate::support::discord::permissions::{MANAGE_THREADS, SEND_IN_THREADS, VIEW};
use crate::support::discord::{Rate, Rules, State, Way};

const PACE: Duration = Duration::from_millis(20);

/// Something happens in the midst of an answer of so many words; `told`: its asker learns that the rest cannot be shown.
async fn place(words_in_all: usize, refusal: &str, happens: impl AsyncFnOnce(&Room, &str), told: bool) {
    let room = Room::open(Way::Gateway, PACE).await;
    room.discord.allow(refusal);
    let thread = room.asks(&format!("say {words_in_all} words")).await;
    room.begun(&thread).await;
    happens(&room, &thread).await;
    if told {
        let said = room.tells(&room.ann, "could not be shown").await;
        assert!(said.text.contains("/session show s1"), "{said:?}");
        let before = room.discord.look(|s| s.calls.len());
        // Time is what is tested: whatever is still tried is seen in it.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let calls = room.discord.look(|s| s.calls[before..].to_vec());
        // But for the thread's name, which comes with the end of the answer.
        let calls: Vec<_> = calls.iter().filter(|c| c.body["name"].is_null()).collect();
        assert!(calls.is_empty(), "{calls:#?}");
        assert!(before < 80, "{before} calls");
    } else {
        assert_eq!(room.answered(&thread, 1).await, counted(words_in_all));
        assert!(!room.discord.look(|s| s.channels[&thread].archived), "it is open again");
    }
    room.done().await;
}

#[tokio::test]
async fn a_thread_is_archived() {
    place(120, "Thread is archived", async |room, thread| room.ann.archive(thread), false).await;
}

#[tokio::test]
async fn a_thread_is_locked() {
    let locks = async |room: &Room, thread: &str| {
        room.discord.forbid(&room.channel, MANAGE_THREADS);
        room.discord.lock(thread, true);
        room.discord.allow("Missing Permissions");
    };
    place(120, "Thread is archived", locks, true).await;
}

#[tokio::test]
async fn a_thread_is_deleted() {
    place(120, "Unknown Channel", async |room, thread| room.discord.delete_channel(thread), true).await;
}

#[tokio::test]
async fn nothing_new_may_be_written() {
    // What stands there is edited until it is full.
    let forbids = async |room: &Room, _: &str| room.discord.forbid(&room.channel, SEND_IN_THREADS);
    place(520, "Missing Permissions", forbids, true).await;
}

#[tokio::test]
async fn the_channel_is_not_seen_any_more() {
    place(120, "Missing Access", async |room, _| room.discord.forbid(&room.channel, VIEW), true).await;
}

/// Messages of more than an hour take few edits: the answer goes on below, and stands there once.
#[tokio::test]
async fn a_message_is_too_old_to_be_edited() {
    let rules = Rules {
        old_message: Duration::ZERO,
        old_edits: Rate { calls: 2, window: Duration::from_secs(3_600) },
        ..Rules::default()
    };
    let room = Room::with(Way::Gateway, rules, "", "", PACE).await;
    room.discord.allow("Maximum number of edits");
    let thread = room.asks("say 200 words").await;
    assert_eq!(room.answered(&thread, 1).await, counted(200));
    assert!(room.discord.look(|s| s.calls.iter().any(|c| c.status == 429)), "the limit was met");
    room.done().await;
}

/// What somebody removes while it grows is written anew, once.
#[tokio::test]
async fn a_message_is_deleted() {
    let room = Room::open(Way::Gateway, PACE).await;
    room.discord.allow("Unknown Message");
    let thread = room.asks("say 120 words").await;
    room.begun(&thread).await;
    room.discord.change(|s| {
        let first = s.seen_channel(&thread).into_iter().find(|m| m.by_bot() && !words(&m.text).is_empty()).expect("words");
        s.erase(&thread, &first.id);
    });
    assert_eq!(room.answered(&thread, 1).await, counted(120));
    room.done().await;
}

/// A forum's post is a thread, and the session is in it.
#[tokio::test]
async fn a_post_in_a_forum() {
    let room = Room::open(Way::Gateway, Duration::ZERO).await;
    let forum = room.discord.forum("help");
    let bot = crate::support::discord::BOT;
    let post = room.ann.post(&forum, "It is red", &format!("<@{bot}> say 3 words"));
    assert_eq!(room.answered(&post, 1).await, counted(3));
    room.ann.say(&post, "say 4 words");
    assert_eq!(room.answered(&post, 2).await, [counted(3), counted(4)].concat());
    assert_eq!(room.discord.look(|s| s.channels[&post].name.clone()), "It is red", "it is not the bot's to name");
    // A command in a forum's post asks there, too.
    let other = room.ann.post(&forum, "Another", "nobody is meant");
    room.ann.command(&other, "/ask demo say 5 words").await.ok();
    assert_eq!(room.answered(&other, 1).await, counted(5));
    room.done().await;
}

/// A thread is called as its session is, no more often than Discord allows, and the last name wins.
#[tokio::test]
async fn a_thread_is_named_by_its_session() {
    let room = Room::with(Way::Gateway, Rules::real_rates(), "", "", Duration::ZERO).await;
    let name = |s: &State, thread: &str| s.channels[thread].name.clone();
    let thread = room.asks("say 3 words").await;
    room.discord.wait("the agent's title", |s| (name(s, &thread) == "Demo: say 3 words").then_some(())).await;
    for title in ["One", "Two", "Three"] {
        room.ann.command(&thread, &format!("/session rename {title}")).await.ok();
        room.discord.sees(&thread, &format!("is now called “{title}”")).await;
    }
    room.discord.wait("the first of the new names", |s| (name(s, &thread) == "One").then_some(())).await;
    // The answer does not wait for a name that waits.
    room.ann.say(&thread, "say 4 words");
    assert_eq!(room.answered(&thread, 2).await, [counted(3), counted(4)].concat());
    assert_eq!(room.discord.look(|s| name(s, &thread)), "One");
    assert_eq!(room.discord.count("PATCH /channels/{id}").limited, 0);
    // People's own threads keep their names.
    let own = room.ann.thread(&room.channel, None, "Ours");
    room.ann.ask(&own, "say 5 words");
    assert_eq!(room.answered(&own, 1).await, counted(5));
    room.ann.command(&own, "/session rename Theirs").await.ok();
    room.discord.sees(&own, "is now called “Theirs”").await;
    assert_eq!(room.discord.look(|s| name(s, &own)), "Ours");
    room.done().await;
}
