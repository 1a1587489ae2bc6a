//! What is written to the bot: mentions, commands in threads, files, edits, the shortcut; and what is not for it.

use serde_json::json;

use super::team::Team;
use crate::support::slack::{BOT_USER, Kind, User, Way};

/// A project that is the channel's.
pub async fn used(way: Way, pace: &str) -> Team {
    let team = Team::new(way).await;
    let env = if pace.is_empty() { String::new() } else { format!(" --env GAGGLE_DEMO_PACE_MS={pace}") };
    team.types(&team.ann, &format!("/project create demo{env}")).await;
    team.sees(&team.general, "Created the project `demo`").await;
    team.types(&team.ann, "/project use demo").await;
    team.sees(&team.general, "is this channel's now").await;
    team
}

async fn mentions_and_commands(way: Way) {
    let team = used(way, "").await;
    let root = team.ann.mention(&team.general, "say 2 words");
    team.slack.reply(&team.general, &root, "w1 w2").await;
    team.ann.reply(&team.general, &root, &format!("<@{BOT_USER}> say 3 words"));
    team.slack.reply(&team.general, &root, "w1 w2 w3").await;
    // Slack takes no slash commands in threads: they are said to the bot.
    team.ann.reply(&team.general, &root, &format!("<@{BOT_USER}> /session rename “The answer”"));
    team.slack.reply(&team.general, &root, "The answer").await;
    team.ann.reply(&team.general, &root, &format!("<@{BOT_USER}> /session show"));
    let shown = team.slack.whisper(&team.ann, "say 3 words").await;
    assert_eq!(shown.thread_ts.as_deref(), Some(root.as_str()), "it is seen where it was asked");
    team.ann.reply(&team.general, &root, &format!("<@{BOT_USER}> /session nonsense"));
    team.slack.whisper(&team.ann, "nonsense").await;
    // In the channel, what is for one person is not hidden in a thread that nobody has.
    team.ann.mention(&team.general, "/whoami");
    let who = team.slack.whisper(&team.ann, "You are").await;
    assert_eq!(who.thread_ts, None);
    // Directly, everything is for the bot.
    let (im, ts) = team.ann.dm("/project list");
    team.slack.reply(&im, &ts, "demo").await;
    let (im, ts) = team.ann.dm("say 4 words");
    team.slack.reply(&im, &ts, "w1 w2 w3 w4").await;
    team.ann.reply(&im, &ts, "say 5 words");
    team.slack.reply(&im, &ts, "w1 w2 w3 w4 w5").await;
    team.done().await;
}

#[tokio::test]
async fn mentions_and_commands_over_sockets() {
    mentions_and_commands(Way::Socket).await;
}

#[tokio::test]
async fn mentions_and_commands_over_http() {
    mentions_and_commands(Way::Http).await;
}

/// Bots, joins, other people's talk and the program's own messages are not for an agent.
#[tokio::test]
async fn what_is_not_for_the_bot() {
    let team = used(Way::Socket, "").await;
    let root = team.ann.mention(&team.general, "say 2 words");
    team.slack.reply(&team.general, &root, "w1 w2").await;
    team.slack.bot_says(&team.general, Some(&root), &format!("<@{BOT_USER}> say 7 words"));
    team.slack.joins(&team.general, &team.slack.user("carla"));
    let talk = team.bob.say(&team.general, "has anybody seen my keys?");
    team.ann.reply(&team.general, &talk, "say 8 words");
    team.slack.event(json!({ "type": "a_new_thing", "user": team.ann.id }));
    team.slack.event(json!({ "type": "message", "subtype": "channel_topic", "channel": team.general, "user": team.ann.id, "text": "say 9 words", "ts": "1700000000.000100" }));
    team.slack.settled().await;
    team.ann.reply(&team.general, &root, "say 3 words");
    team.slack.reply(&team.general, &root, "w1 w2 w3").await;
    assert_eq!(team.slack.thread(&team.general, &talk).len(), 2);
    let text = team.slack.transcript(&team.general);
    assert!(!text.contains("w7") && !text.contains("w8") && !text.contains("w9"), "{text}");
    let metrics = reqwest::get(format!("{}/metrics", team.bot.url())).await.expect("an answer").text().await.expect("text");
    assert!(metrics.lines().any(|l| l.starts_with("gaggle_slack_unknown_total")), "{metrics}");
    team.done().await;
}

/// The same event again, in an envelope of its own; and each mention comes as a message too.
#[tokio::test]
async fn nothing_is_answered_twice() {
    let team = used(Way::Http, "").await;
    let root = team.ann.mention(&team.general, "say 2 words");
    team.slack.reply(&team.general, &root, "w1 w2").await;
    let message = json!({ "type": "message", "channel": team.general, "channel_type": "channel", "user": team.ann.id, "ts": root,
        "text": format!("<@{BOT_USER}> say 2 words"), "team": "T0GAGGLE1", "event_ts": root });
    // What is sent again within the same second is signed alike, and refused as a replay; so these tell another time.
    for (at, id) in ["Ev0000REPEAT", "Ev0000REPEAT", "Ev0000OTHER1"].into_iter().enumerate() {
        let wrapped = json!({ "token": "a-verification-token", "team_id": "T0GAGGLE1", "api_app_id": "A0GAGGLE1", "event": message,
            "type": "event_callback", "event_id": id, "event_time": 1_700_000_000 + at, "authorizations": [] });
        team.slack.repeat_event(wrapped);
    }
    team.slack.settled().await;
    team.ann.reply(&team.general, &root, "say 3 words");
    team.slack.reply(&team.general, &root, "w1 w2 w3").await;
    let answers = team.slack.thread(&team.general, &root).iter().filter(|m| m.by_bot() && m.text.contains("w1 w2")).count();
    assert_eq!(answers, 2, "{}", team.slack.transcript(&team.general));
    team.done().await;
}

/// What waits in the queue can be changed and taken back.
#[tokio::test]
async fn edits_and_deletions() {
    let team = used(Way::Socket, "30").await;
    let root = team.ann.mention(&team.general, "say 120 words");
    team.slack.wait("an answer on its way", |s| s.seen_thread(&team.general, &root).into_iter().find(|m| m.by_bot())).await;
    let edited = team.ann.reply(&team.general, &root, "say 2 words");
    let deleted = team.ann.reply(&team.general, &root, "say 7 words");
    team.slack.settled().await;
    team.ann.edit(&team.general, &edited, "say 3 words");
    team.ann.delete(&team.general, &deleted);
    team.slack.settled().await;
    team.ann.reply(&team.general, &root, "say 4 words");
    team.slack.reply(&team.general, &root, "w120").await;
    team.slack
        .wait("the last", |s| {
            s.seen_thread(&team.general, &root).into_iter().find(|m| !m.streaming && m.text.starts_with("w1 w2 w3 w4\n"))
        })
        .await;
    let all = team.slack.thread(&team.general, &root);
    assert!(all.iter().any(|m| m.text.starts_with("w1 w2 w3\n")), "{}", team.slack.transcript(&team.general));
    assert!(!all.iter().any(|m| m.by_bot() && (m.text.starts_with("w1 w2\n") || m.text.contains("w5 w6 w7\n"))));
    // Whoever took their words back does not find them quoted.
    let shown = all.iter().filter(|m| m.by_bot()).map(|m| m.text.as_str()).collect::<Vec<_>>().join("\n");
    assert!(!shown.contains("say 7 words") && !shown.contains("no text") && !shown.contains("stopped"), "{shown}");
    team.done().await;
}

/// Text and images go along; what is too large or neither is told to the agent.
async fn files_go_along(connect: bool) {
    let team = Team::with(Way::Socket, "file_limit = 2048", "").await;
    team.slack.rules(|r| r.connect_files = connect);
    team.create(&team.ann, "demo").await;
    let im = team.ann.im();
    let notes = b"the marker is 4711".as_slice();
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice();
    let large = vec![b'x'; 4_000];
    let binary = b"\xff\xfe\x00\x01".as_slice();
    let files = [("notes.txt", notes), ("picture.png", png), ("large.log", large.as_slice()), ("blob.bin", binary)];
    let ts = team.ann.write(&im, None, "look at these", &files);
    let answer = team.slack.reply(&im, &ts, "look at these").await;
    assert!(answer.text.contains("large.log") || answer.text.contains("too large"), "{}", answer.text);
    team.types(&team.ann, "/session export s1").await;
    let file = team
        .slack
        .wait("the export", |s| s.seen_channel(&im).into_iter().filter(|m| m.by_bot()).find_map(|m| m.files.first().cloned()))
        .await;
    let text = String::from_utf8(file.1).expect("text");
    for part in ["notes.txt", "picture.png", "large.log", "blob.bin"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    team.done().await;
}

#[tokio::test]
async fn attached_files() {
    files_go_along(false).await;
}

#[tokio::test]
async fn attached_files_of_another_workspace() {
    files_go_along(true).await;
}

async fn asks_about(team: &Team, who: &User, channel: &str, ts: &str, question: &str) {
    who.shortcut(channel, ts, "ask_about").await.ok();
    team.slack.opened(who, "Ask Goose about this").await;
    who.submit(&[("Question", question)]).await.ok();
}

/// *Ask Goose about this*: the answer comes below the message; where the bot is no member, in the asker's direct messages.
#[tokio::test]
async fn the_shortcut() {
    let team = Team::new(Way::Http).await;
    let said = team.bob.say(&team.general, "the build is red since <https://ci.example.com/7|build 7>");
    team.ann.shortcut(&team.general, &said, "ask_about").await.ok();
    team.slack.whisper(&team.ann, "You have no project yet").await;
    team.create(&team.ann, "demo").await;
    asks_about(&team, &team.ann, &team.general, &said, "why is that?").await;
    let answer = team.slack.reply(&team.general, &said, "why is that?").await;
    assert!(answer.text.contains("Bobby wrote") && answer.text.contains("build 7"), "{}", answer.text);
    team.ann.reply(&team.general, &said, "say 3 words");
    team.slack.reply(&team.general, &said, "w1 w2 w3").await;
    team.slack.allow("conversations.info was refused: channel_not_found");
    let board = team.slack.channel("board", Kind::Private, &["annabel", "bobby"], false);
    let said = team.bob.say(&board, "the plan is to ship on friday");
    asks_about(&team, &team.ann, &board, &said, "is that wise?").await;
    let im = team.ann.im();
    let root = team.sees(&im, "is that wise?").await;
    assert!(root.text.contains("ship on friday"), "{}", root.text);
    team.slack.reply(&im, &root.ts, "demo agent").await;
    assert_eq!(team.slack.messages(&board).len(), 1);
    team.done().await;
}

/// Only what mentions the bot, where that is configured.
#[tokio::test]
async fn only_mentions_in_threads() {
    let team = Team::with(Way::Socket, "thread_messages = \"mentions\"", "").await;
    team.create(&team.ann, "demo").await;
    let root = team.ann.mention(&team.general, "say 2 words");
    team.slack.reply(&team.general, &root, "w1 w2").await;
    team.ann.reply(&team.general, &root, "say 7 words");
    team.slack.settled().await;
    team.ann.reply(&team.general, &root, &format!("<@{BOT_USER}> say 3 words"));
    team.slack.reply(&team.general, &root, "w1 w2 w3").await;
    assert!(!team.slack.transcript(&team.general).contains("w7"));
    team.done().await;
}
