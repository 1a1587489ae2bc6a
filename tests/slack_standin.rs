//! The Slack stand-in is as strict as Slack: what the Web API refuses, counts and shows.
//!
//! Absence: the program itself; its own stories are elsewhere.

#[path = "slack_standin/client.rs"]
mod client;
#[path = "slack_standin/delivered.rs"]
mod delivered;
#[path = "slack_standin/used.rs"]
mod used;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::slack::{APP_TOKEN, BOT_USER, Kind, Rate, Rules, Slack, Streaming, TEAM, Trouble, Way};
use client::App;

fn button(text: &str, action: &str) -> Value {
    json!({ "type": "button", "text": { "type": "plain_text", "text": text }, "action_id": action, "value": "v" })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
}

async fn workspace(rules: Rules) -> (Slack, App, String) {
    let slack = Slack::with(Way::Socket, rules).await;
    let channel = slack.channel("general", Kind::Public, &["ann", "bob"], true);
    let app = App::new(&slack);
    (slack, app, channel)
}

/// Everything that was refused was also kept as a fault.
fn forgive(slack: &Slack, refused: usize) {
    assert_eq!(slack.faults().len(), refused, "{:#?}", slack.faults());
    slack.allow("");
}

#[tokio::test]
async fn a_call_needs_a_method_a_token_a_scope_and_the_right_form() {
    let (slack, mut app, channel) = workspace(Rules::default()).await;
    assert_eq!(app.call("auth.test", json!({})).await.ok()["user_id"], BOT_USER);
    assert_eq!(app.call("chat.sing", json!({})).await.error(), "unknown_method");
    assert_eq!(app.call("conversations.history", json!({ "channel": channel })).await.error(), "invalid_arguments");
    app.read("conversations.history", &[("channel", &channel)]).await.ok();
    assert_eq!(app.call("apps.connections.open", json!({})).await.error(), "not_allowed_token_type");
    app.token = APP_TOKEN.into();
    assert_eq!(app.call("chat.postMessage", json!({ "channel": channel, "text": "hi" })).await.error(), "not_allowed_token_type");
    app.call("apps.connections.open", json!({})).await.ok();
    app.token = "xoxb-of-somebody-else".into();
    assert_eq!(app.call("auth.test", json!({})).await.error(), "invalid_auth");
    let app = App::new(&slack);
    slack.change(|s| s.scopes.remove("users:read"));
    let refused = app.read("users.info", &[("user", BOT_USER)]).await;
    assert_eq!((refused.error(), &refused.body["needed"]), ("missing_scope", &json!("users:read")));
    forgive(&slack, 6);
    slack.revoke_token();
    assert_eq!(app.call("auth.test", json!({})).await.error(), "token_revoked");
    slack.change(|s| s.account_inactive = true);
    assert_eq!(app.call("auth.test", json!({})).await.error(), "account_inactive");
    assert!(slack.faults().is_empty(), "what the test wanted is no fault of the app");
}

#[tokio::test]
async fn messages_have_limits() {
    let (slack, app, channel) = workspace(Rules::default()).await;
    let post = async |mut args: Value| {
        args["channel"] = json!(channel);
        app.call("chat.postMessage", args).await
    };
    let blocks = |blocks: Value| json!({ "text": "t", "blocks": blocks });
    assert_eq!(post(json!({})).await.error(), "no_text");
    post(json!({ "text": "x".repeat(40_000) })).await.ok();
    assert_eq!(post(json!({ "text": "x".repeat(40_001) })).await.error(), "msg_too_long");
    assert_eq!(post(json!({ "markdown_text": "x".repeat(12_001) })).await.error(), "msg_too_long");
    assert_eq!(post(json!({ "markdown_text": "x", "text": "y" })).await.error(), "markdown_text_conflict");
    post(blocks(vec![section("x"); 50].into())).await.ok();
    assert_eq!(post(blocks(vec![section("x"); 51].into())).await.error(), "msg_blocks_too_long");
    assert_eq!(post(blocks(vec![section(&"x".repeat(2_700)); 5].into())).await.error(), "msg_blocks_too_long");
    post(blocks(json!([section(&"x".repeat(3_000))]))).await.ok();
    let header = |n: usize| json!({ "type": "header", "text": { "type": "plain_text", "text": "h".repeat(n) } });
    let actions = |elements: Vec<Value>| json!([{ "type": "actions", "elements": elements }]);
    let confirm = |n: usize| {
        let plain = |text: &str| json!({ "type": "plain_text", "text": text });
        let mut element = button("Delete", "d");
        element["confirm"] =
            json!({ "title": plain("Sure?"), "text": plain(&"x".repeat(n)), "confirm": plain("Yes"), "deny": plain("No") });
        actions(vec![element])
    };
    let many = |n: usize| actions((0..n).map(|i| button("b", &format!("a{i}"))).collect());
    let mut long_value = button("b", "a");
    long_value["value"] = json!("v".repeat(2_001));
    let mut unknown_key = section("x");
    unknown_key["colour"] = json!("red");
    let twice = json!([{ "type": "divider", "block_id": "one" }, { "type": "divider", "block_id": "one" }]);
    for good in [json!([header(150)]), many(25), confirm(300), actions(vec![button(&"b".repeat(75), &"a".repeat(255))])] {
        post(blocks(good)).await.ok();
    }
    let bad = [
        json!([section(&"x".repeat(3_001))]),
        json!([section("")]),
        json!([header(151)]),
        many(26),
        confirm(301),
        actions(vec![button(&"b".repeat(76), "a")]),
        actions(vec![button("b", &"a".repeat(256))]),
        actions(vec![button("b", "a"), button("c", "a")]),
        actions(vec![long_value]),
        json!([unknown_key]),
        json!([{ "type": "poem", "text": "x" }]),
        twice,
    ];
    let refused = 7 + bad.len();
    for bad in bad {
        let answer = post(blocks(bad.clone())).await;
        assert_eq!(answer.error(), "invalid_blocks", "{bad}");
        assert!(answer.body["response_metadata"]["messages"][0].as_str().is_some());
    }
    forgive(&slack, refused - 1);
}

#[tokio::test]
async fn only_reachable_channels_and_own_messages_can_be_written() {
    let (slack, app, channel) = workspace(Rules::default()).await;
    let ann = slack.user("ann");
    let write = async |channel: &str, thread: &str| {
        app.call("chat.postMessage", json!({ "channel": channel, "text": "x", "thread_ts": thread })).await
    };
    let secret = slack.channel("secret", Kind::Private, &["ann"], false);
    let open = slack.channel("open", Kind::Public, &["ann"], false);
    assert_eq!(write("C404", "").await.error(), "channel_not_found");
    assert_eq!(write(&secret, "").await.error(), "not_in_channel");
    write(&open, "").await.ok();
    slack.change(|s| s.scopes.remove("chat:write.public"));
    assert_eq!(write(&open, "").await.error(), "not_in_channel");
    assert_eq!(write(&channel, "1700000000.000100").await.error(), "thread_not_found");
    let root = ann.say(&channel, "a question");
    let reply = write(&channel, &root).await.ok()["ts"].as_str().expect("a ts").to_owned();
    let update =
        async |ts: &str, text: &str| app.call("chat.update", json!({ "channel": channel, "ts": ts, "text": text })).await;
    update(&reply, "better").await.ok();
    assert_eq!(update(&reply, &"ä".repeat(2_001)).await.error(), "msg_too_long");
    assert_eq!(update(&root, "x").await.error(), "cant_update_message");
    assert_eq!(update("1700000000.000100", "x").await.error(), "message_not_found");
    let seen = slack.thread(&channel, &root);
    assert_eq!((seen.len(), seen[1].text.as_str(), seen[1].edits), (2, "better", 1));
    ann.delete(&channel, &root);
    assert_eq!(write(&channel, &root).await.error(), "thread_not_found");
    slack.archive(&channel, &ann);
    assert_eq!(write(&channel, "").await.error(), "is_archived");
    forgive(&slack, 9);
}

#[tokio::test]
async fn history_and_replies_come_in_pages() {
    let (slack, app, channel) = workspace(Rules::default()).await;
    let ann = slack.user("ann");
    let all: Vec<String> = (0..5).map(|n| ann.say(&channel, &format!("m{n}"))).collect();
    for n in 0..3 {
        ann.reply(&channel, &all[1], &format!("r{n}"));
    }
    let texts = |body: &Value| -> Vec<String> {
        body["messages"].as_array().expect("messages").iter().map(|m| m["text"].as_str().expect("a text").to_owned()).collect()
    };
    let first = app.read("conversations.history", &[("channel", &channel), ("limit", "3")]).await.ok();
    assert_eq!((texts(&first), first["has_more"].as_bool()), (vec!["m4".into(), "m3".into(), "m2".into()], Some(true)));
    let cursor = first["response_metadata"]["next_cursor"].as_str().expect("a cursor").to_owned();
    let second = app.read("conversations.history", &[("channel", &channel), ("limit", "3"), ("cursor", &cursor)]).await.ok();
    assert_eq!((texts(&second), second["has_more"].as_bool()), (vec!["m1".into(), "m0".into()], Some(false)));
    assert_eq!(second["messages"][0]["reply_count"], 3);
    let since = app.read("conversations.history", &[("channel", &channel), ("oldest", &all[3])]).await.ok();
    assert_eq!(texts(&since), ["m4"]);
    let thread = app.read("conversations.replies", &[("channel", &channel), ("ts", &all[1])]).await.ok();
    assert_eq!(texts(&thread), ["m1", "r0", "r1", "r2"]);
    assert_eq!(thread["messages"][1]["thread_ts"], all[1].as_str());
    slack.bot_removed(&channel);
    assert_eq!(app.read("conversations.history", &[("channel", &channel)]).await.error(), "not_in_channel");
    forgive(&slack, 1);
}

#[tokio::test]
async fn rates_are_sliding_windows_and_counted() {
    let (slack, app, channel) = workspace(Rules::real_rates()).await;
    let other = slack.channel("other", Kind::Public, &["ann"], true);
    let post = async |channel: &str| app.call("chat.postMessage", json!({ "channel": channel, "text": "x" })).await;
    post(&channel).await.ok();
    let limited = post(&channel).await;
    assert_eq!((limited.status, limited.retry_after, limited.error()), (429, Some(1), "ratelimited"));
    let ts = post(&other).await.ok()["ts"].clone();
    for _ in 0..50 {
        app.call("chat.update", json!({ "channel": other, "ts": ts, "text": "y" })).await.ok();
    }
    let limited = app.call("chat.update", json!({ "channel": other, "ts": ts, "text": "y" })).await;
    assert!(limited.status == 429 && limited.retry_after.is_some_and(|s| (50..=60).contains(&s)), "{:?}", limited.retry_after);
    let count = slack.count("chat.update");
    assert_eq!((count.calls, count.limited, count.refused), (51, 1, 0));

    slack.rules(|r| r.limit("chat.postMessage", Rate { calls: 1, window: Duration::from_millis(300), per_channel: true }));
    let mut refused = 0;
    while post(&channel).await.status == 429 {
        refused += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(refused < 20, "the window does not slide");
    assert!(slack.faults().is_empty(), "a 429 is counted, it is no fault");
}

#[tokio::test]
async fn streams_start_in_threads_grow_and_end() {
    let (slack, app, channel) = workspace(Rules::default()).await;
    let ann = slack.user("ann");
    let root = ann.say(&channel, "tell me");
    let start = async |args: Value| {
        let mut all = json!({ "channel": channel, "markdown_text": "one" });
        all.as_object_mut().expect("an object").extend(args.as_object().expect("an object").clone());
        app.call("chat.startStream", all).await
    };
    assert_eq!(start(json!({})).await.error(), "missing_thread_ts");
    assert_eq!(start(json!({ "thread_ts": root })).await.error(), "missing_recipient_user_id");
    assert_eq!(start(json!({ "thread_ts": root, "recipient_user_id": ann.id })).await.error(), "missing_recipient_team_id");
    let whole = json!({ "thread_ts": root, "recipient_user_id": ann.id, "recipient_team_id": TEAM });
    let ts = start(whole.clone()).await.ok()["ts"].as_str().expect("a ts").to_owned();
    let on = async |method: &str, ts: &str, text: &str| {
        app.call(method, json!({ "channel": channel, "ts": ts, "markdown_text": text })).await
    };
    on("chat.appendStream", &ts, " two").await.ok();
    assert_eq!(
        app.call("chat.update", json!({ "channel": channel, "ts": ts, "text": "x" })).await.error(),
        "streaming_state_conflict"
    );
    assert_eq!(on("chat.appendStream", &ts, &"x".repeat(11_995)).await.error(), "msg_too_long");
    assert!(slack.thread(&channel, &root)[1].streaming);
    on("chat.stopStream", &ts, " three").await.ok();
    let seen = slack.thread(&channel, &root);
    assert_eq!((seen[1].text.as_str(), seen[1].streaming), ("one two three", false));
    assert_eq!(on("chat.appendStream", &ts, "late").await.error(), "message_not_in_streaming_state");
    app.call("chat.update", json!({ "channel": channel, "ts": ts, "text": "afterwards" })).await.ok();

    slack.rules(|r| r.stream_idle = Duration::from_millis(20));
    let ts = start(whole.clone()).await.ok()["ts"].as_str().expect("a ts").to_owned();
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(on("chat.stopStream", &ts, "").await.error(), "message_not_in_streaming_state");
    forgive(&slack, 7);

    let im = ann.dm("and here?");
    app.call("chat.startStream", json!({ "channel": im.0, "thread_ts": im.1 })).await.ok();
    slack.rules(|r| r.streaming = Streaming::Unknown);
    assert_eq!(start(whole).await.error(), "unknown_method");
    assert!(slack.faults().is_empty());
}

#[tokio::test]
async fn a_status_stands_until_the_bot_writes() {
    let (slack, app, channel) = workspace(Rules::default()).await;
    let root = slack.user("ann").say(&channel, "hello?");
    let status = json!({ "channel_id": channel, "thread_ts": root, "status": "is thinking…" });
    app.call("assistant.threads.setStatus", status).await.ok();
    let key = (channel.clone(), root.clone());
    assert_eq!(slack.look(|s| s.statuses.get(&key).cloned()).as_deref(), Some("is thinking…"));
    app.call("chat.postMessage", json!({ "channel": channel, "thread_ts": root, "text": "hello!" })).await.ok();
    assert!(slack.look(|s| s.statuses.is_empty() && s.status_log.len() == 1));
}

#[tokio::test]
async fn files_are_announced_uploaded_and_completed() {
    let (slack, app, channel) = workspace(Rules::default()).await;
    let announce =
        async |length: &str| app.read("files.getUploadURLExternal", &[("filename", "log.txt"), ("length", length)]).await.ok();
    let wrong = announce("3").await;
    assert_eq!(app.post(wrong["upload_url"].as_str().expect("a url"), "hello").await.0, 400);
    forgive(&slack, 1);
    let right = announce("5").await;
    let complete =
        json!({ "files": [{ "id": right["file_id"], "title": "A log" }], "channel_id": channel, "initial_comment": "the log" });
    assert_eq!(app.post(right["upload_url"].as_str().expect("a url"), "hello").await.0, 200);
    let done = app.call("files.completeUploadExternal", complete).await.ok();
    let seen = slack.messages(&channel);
    assert_eq!((seen[0].text.as_str(), &seen[0].files[0]), ("the log", &("log.txt".to_owned(), b"hello".to_vec())));
    let url = done["files"][0]["url_private_download"].as_str().expect("a url").to_owned();
    assert_eq!(app.download(&url).await, b"hello");
    let mut foreign = App::new(&slack);
    foreign.token = "xoxb-other".into();
    assert!(String::from_utf8_lossy(&foreign.download(&url).await).contains("Sign in"));
}

#[tokio::test]
async fn calls_go_wrong_on_demand() {
    let (slack, app, channel) = workspace(Rules::default()).await;
    let post = async || app.try_call("chat.postMessage", json!({ "channel": channel, "text": "x" })).await;
    slack.trouble("chat.postMessage", 1, &Trouble::Error("internal_error"));
    slack.trouble("chat.postMessage", 1, &Trouble::Status(503));
    slack.trouble("chat.postMessage", 1, &Trouble::Limited(7));
    slack.trouble("chat.postMessage", 1, &Trouble::CutBefore);
    slack.trouble("chat.postMessage", 1, &Trouble::CutAfter);
    assert_eq!(post().await.expect("an answer").error(), "internal_error");
    assert_eq!(post().await.expect("an answer").status, 503);
    assert_eq!(post().await.expect("an answer").retry_after, Some(7));
    assert!(post().await.is_err());
    assert_eq!(slack.messages(&channel).len(), 0);
    assert!(post().await.is_err());
    assert_eq!(slack.messages(&channel).len(), 1, "the call took effect, only its answer was lost");
    post().await.expect("an answer").ok();
    assert!(slack.faults().is_empty());
}
