//! What is said to whom, once: private answers, answers whose way was lost, forms in pages, files.

use std::time::Duration;

use super::room::{FAST, Room, counted, ended};
use crate::support::discord::{Rules, Shown, State, Trouble, Way};

const ORIGINAL: &str = "/webhooks/{id}/{token}/messages/@original";
const SECRET: &str = "sk-very-secret-49152";

/// How often the bot said that, to anybody.
fn said(s: &State, part: &str) -> usize {
    s.everything().iter().filter(|m| m.by_bot() && m.text.contains(part)).count()
}

/// An edit of the first response whose answer never comes may have been taken, or not: what it says is said once in both cases.
#[tokio::test]
async fn a_lost_first_response_is_said_once() {
    let room = Room::open(Way::Gateway, FAST).await;
    let route = format!("PATCH {ORIGINAL}");
    for (at, trouble) in [Trouble::CutAfter, Trouble::CutBefore].into_iter().enumerate() {
        room.types("/project activate demo").await;
        room.discord.wait("it runs", |s| (said(s, "is active") == at + 1).then_some(())).await;
        room.discord.trouble(&route, 6, &trouble);
        room.types("/project deactivate demo").await;
        room.discord.wait("the last try", |s| s.troubles.get(&route).is_none_or(|t| t.is_empty()).then_some(())).await;
        let told = |s: &State| (said(s, "is inactive") == at + 1 && s.everything().iter().all(|m| !m.loading)).then_some(());
        room.discord.wait("its end, told", told).await;
    }
    // What would be said once more would be said before this.
    room.types("/project activate demo").await;
    room.discord.wait("it runs", |s| (said(s, "is active") == 3).then_some(())).await;
    assert_eq!(room.discord.look(|s| said(s, "is inactive")), 2);
    room.done().await;
}

/// A private answer does not fill a first response that everybody sees, even if that cannot be taken away.
#[tokio::test]
async fn a_refusal_is_private_whatever_is_lost() {
    let room = Room::open(Way::Gateway, FAST).await;
    room.types("/project activate demo").await;
    room.discord.sees(&room.channel, "active").await;
    for (route, count) in [("DELETE", 6), ("PATCH", 12)] {
        room.discord.trouble(&format!("{route} {ORIGINAL}"), count, &Trouble::CutBefore);
        room.bob.command(&room.channel, "/project activate ann/demo").await.ok();
        let seen = |s: &State| s.everything().into_iter().find(|m| m.by_bot() && m.text.contains("⚠️"));
        let refusal = room.discord.wait("a refusal", seen).await;
        let direct = room.bob.dm_channel();
        assert!(refusal.ephemeral || refusal.channel == direct, "{refusal:?}");
        room.discord.change(|s| {
            s.troubles.clear();
            let (channel, id) = (refusal.channel.clone(), refusal.id.clone());
            s.erase(&channel, &id);
        });
    }
    room.done().await;
}

/// Who writes in a thread gets what is theirs alone directly; others read no names of their projects.
#[tokio::test]
async fn what_is_private_goes_to_direct_messages() {
    let room = Room::open(Way::Gateway, FAST).await;
    let thread = room.asks("say 3 words").await;
    room.answered(&thread, 1).await;
    let asked = room.ann.ask(&thread, "/project list");
    let list = room.tells(&room.ann, "demo").await;
    assert!(list.button("Activate").is_some() || list.button("Deactivate").is_some(), "{list:?}");
    let pointer = room.discord.sees(&thread, "in your direct messages").await;
    assert_eq!(pointer.reply_to.as_deref(), Some(asked.as_str()));
    room.discord.closes_dms(&room.bob);
    room.bob.ask(&thread, "/project list");
    room.discord.sees(&thread, "you take no direct messages from me").await;
    let open = room.discord.look(|s| s.seen_channel(&thread).into_iter().filter(|m| m.text.contains("You own")).count());
    assert_eq!(open, 0);
    // A refusal that names nothing stays where it was caused.
    room.ann.ask(&thread, "/approve a999");
    room.tells(&room.ann, "There is no approval").await;
    room.ann.ask(&thread, "/link AAAA-AAAA");
    room.discord.sees(&thread, "⚠️").await;
    room.discord.allow("Cannot send messages to this user");
    room.done().await;
}

/// A command that is written lacks its arguments: they are asked for directly, in pages of five, and nothing is asked twice.
#[tokio::test]
async fn long_forms_have_pages() {
    let room = Room::open(Way::Gateway, FAST).await;
    room.ann.ask(&room.channel, "/project create");
    let asked = room.tells(&room.ann, "project create").await;
    let first = room.ann.click(&asked.channel, &asked.id, "Fill in…").await.ok();
    assert_eq!(first.modal()["components"].as_array().map(Vec::len), Some(5), "{}", first.modal());
    room.ann.submit(&[("Name", "Not A Name")]).await.ok();
    let direct = room.ann.dm_channel();
    let next = room
        .discord
        .wait("the next page", |s| s.seen_by(&room.ann.id, &direct).into_iter().find(|m| m.button("Page 2 of 2").is_some()))
        .await;
    room.ann.click(&direct, &next.id, "Page 2 of 2").await.ok();
    room.ann.submit(&[("Image", "example/agent:1")]).await.ok();
    let wrong = room
        .discord
        .wait("what is wrong", |s| s.seen_by(&room.ann.id, &direct).into_iter().find(|m| m.button("Correct it…").is_some()))
        .await;
    let again = room.ann.click(&direct, &wrong.id, "Correct it…").await.ok();
    assert!(again.modal().to_string().contains("Not A Name"), "what was typed stands there still");
    room.ann.submit(&[("Name", "paged")]).await.ok();
    let third = room
        .discord
        .wait("the next page again", |s| {
            s.seen_by(&room.ann.id, &direct).into_iter().rfind(|m| m.button("Page 2 of 2").is_some() && m.id > wrong.id)
        })
        .await;
    let last = room.ann.click(&direct, &third.id, "Page 2 of 2").await.ok();
    assert!(last.modal().to_string().contains("example/agent:1"), "{}", last.modal());
    // Local agents have no image.
    room.ann.submit(&[("Image", "")]).await.ok();
    room.discord.wait("the project", |s| (said(s, "Created the project `paged`") == 1).then_some(())).await;
    room.done().await;
}

/// A secret comes by a form or as a file, and is seen nowhere.
#[tokio::test]
async fn secrets_by_form_and_by_file() {
    let room = Room::open(Way::Http, FAST).await;
    let asked = room.ann.command(&room.channel, "/project secret set demo API_KEY").await.ok();
    assert!(matches!(&asked.shown, Shown::Modal(form) if form.to_string().contains("API_KEY")), "{asked:?}");
    room.ann.submit(&[("value", SECRET)]).await.ok();
    room.discord.whisper(&room.ann, "Set `API_KEY`").await;
    let options = [("name", "demo"), ("key", "CERT")];
    let file = [("file", "cert.pem", SECRET.as_bytes())];
    room.ann.run_with(&room.channel, "project secret set", &options, &file).await.expect("it can be sent").ok();
    room.discord.whisper(&room.ann, "Set `CERT`").await;
    let file = [("file", "cert.der", b"\xff\xfe\x00".as_slice())];
    room.ann.run_with(&room.channel, "project secret set", &options, &file).await.expect("it can be sent").ok();
    room.discord.whisper(&room.ann, "The file is no text. Nothing was done").await;
    room.ann.command(&room.channel, "/project secret list demo").await.ok();
    let both = |s: &State| s.whispered(&room.ann.id).into_iter().find(|m| m.text.contains("CERT") && m.text.contains("API_KEY"));
    room.discord.wait("both names", both).await;
    assert_eq!(room.discord.look(|s| said(s, SECRET)), 0);
    let output = room.bot.output();
    assert!(!output.contains(SECRET), "{output}");
    room.done().await;
}

/// Over HTTP no message comes: each answer has a button by which its thread goes on.
#[tokio::test]
async fn over_http_a_button_goes_on() {
    let room = Room::open(Way::Http, FAST).await;
    let thread = room.asks("say 3 words").await;
    room.answered(&thread, 1).await;
    let answer =
        room.discord.look(|s| s.seen_channel(&thread).into_iter().find(|m| m.button("Reply…").is_some())).expect("a button");
    let asked = room.bob.click(&thread, &answer.id, "Reply…").await.ok();
    assert_eq!(asked.modal()["title"], "Reply");
    room.bob.submit(&[("message", "say 4 words")]).await.ok();
    // It is ann's project.
    room.discord.whisper(&room.bob, "⚠️").await;
    room.ann.click(&thread, &answer.id, "Reply…").await.ok();
    room.ann.submit(&[("message", "say 5 words")]).await.ok();
    room.discord.sees(&thread, "> say 5 words").await;
    assert_eq!(room.answered(&thread, 2).await, [counted(3), counted(5)].concat());
    room.done().await;
}

/// What opens a turn is answered in time, however it is asked again.
#[tokio::test]
async fn asked_again() {
    let room = Room::open(Way::Gateway, Duration::from_millis(100)).await;
    let thread = room.asks("say 900 words").await;
    room.begun(&thread).await;
    room.ann.command(&thread, "/session stop").await.ok();
    room.answered(&thread, 1).await;
    let stopped =
        room.discord.look(|s| s.seen_channel(&thread).into_iter().find(|m| m.button("Retry").is_some())).expect("a button");
    room.ann.click(&thread, &stopped.id, "Retry").await.ok();
    room.discord.wait("it goes on", |s| s.seen_channel(&thread).into_iter().rfind(|m| m.button("Stop").is_some())).await;
    room.ann.command(&thread, "/session stop").await.ok();
    room.answered(&thread, 2).await;
    room.ann.command(&thread, "/session retry").await.ok();
    room.discord.wait("it goes on", |s| s.seen_channel(&thread).into_iter().rfind(|m| m.button("Stop").is_some())).await;
    room.ann.command(&thread, "/session stop").await.ok();
    room.discord.wait("its end", |s| (ended(s, &thread) >= 3).then_some(())).await;
    let thinking = room.discord.look(|s| s.everything().into_iter().filter(|m| m.loading).count());
    assert_eq!(thinking, 0);
    room.done().await;
}

/// Files go to the agent, and long code comes back as one.
#[tokio::test]
async fn files_in_and_out() {
    let room = Room::with(Way::Gateway, Rules::default(), "file_limit = 2048", "", Duration::ZERO).await;
    let (channel, _) = room.ann.dm("say 2 words");
    room.answered(&channel, 1).await;
    let large = vec![b'x'; 4_000];
    let files = [
        ("notes.txt", b"the marker is 4711".as_slice()),
        ("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice()),
        ("large.log", large.as_slice()),
        ("blob.bin", b"\xff\xfe\x00\x01".as_slice()),
    ];
    room.ann.write(&channel, "look at these", None, &files);
    room.answered(&channel, 2).await;
    room.ann.command(&room.channel, "/session export s1").await.ok();
    let exported = |s: &State| s.everything().into_iter().filter(|m| m.by_bot()).find_map(|m| m.files.first().cloned());
    let (_, export) = room.discord.wait("the export", exported).await;
    let export = String::from_utf8(export).expect("text");
    for part in ["notes.txt", "picture.png", "large.log", "too large", "blob.bin", "neither text nor an image"] {
        assert!(export.contains(part), "{part} in {export}");
    }
    let code = "fn a() {}\n".repeat(190);
    room.ann.say(&channel, &format!("repeat:\n```rust\n{code}```"));
    let given =
        |s: &State| s.seen_channel(&channel).into_iter().find_map(|m| m.files.into_iter().find(|(name, _)| name == "code-1.rs"));
    let (_, given) = room.discord.wait("the code", given).await;
    assert_eq!(given, code.as_bytes());
    room.done().await;
}
