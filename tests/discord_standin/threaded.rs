//! Threads and posts: begun, archived, locked, and what may be written in them.
//!
//! Absence: who may see which channel, which is told with the calls.

use std::time::Duration;

use serde_json::{Value, json};

use super::{forgive, guild};
use crate::support::discord::{BOT, GUILD, Rules, permissions as may};

#[tokio::test]
async fn threads_begin_from_messages_alone_and_as_posts() {
    let (discord, app, channel) = guild(Rules::default()).await;
    let ann = discord.user("ann");
    let question = ann.say(&channel, "why?");
    let begin = async |path: String, body: Value| app.call("POST", &path, body).await;
    let from = format!("/channels/{channel}/messages/{question}/threads");
    let thread = begin(from.clone(), json!({ "name": "why", "auto_archive_duration": 1_440 })).await.ok();
    assert_eq!((&thread["id"], &thread["owner_id"], &thread["type"]), (&json!(question), &json!(BOT), &json!(11)));
    let thread = thread["id"].as_str().expect("an id").to_owned();
    app.post(&thread, json!({ "content": "because" })).await.ok();
    ann.say(&thread, "oh");
    assert_eq!(discord.thread_of(&channel, &question).await, thread);
    let alone = begin(format!("/channels/{channel}/threads"), json!({ "name": "alone", "type": 11 })).await.ok();
    let hidden = begin(format!("/channels/{channel}/threads"), json!({ "name": "hidden" })).await.ok();
    assert_eq!((&alone["type"], &hidden["type"]), (&json!(11), &json!(12)), "without a type it is private");
    let forum = discord.forum("questions");
    let post = json!({ "name": "a post", "message": { "content": "the first" } });
    let post = begin(format!("/channels/{forum}/threads"), post).await.ok();
    assert_eq!(post["id"], post["message"]["id"]);
    let hers = ann.post(&forum, "hers", "what about this?");
    assert_eq!(discord.messages(&hers)[0].id, hers);
    let active = app.get(&format!("/guilds/{GUILD}/threads/active")).await.ok();
    assert_eq!(active["threads"].as_array().expect("threads").len(), 5);
    insta::assert_snapshot!(discord.transcript(&channel), @r"
    ann: why?
      # why
        gaggle: because
        ann: oh
    gaggle: began the thread alone
      # alone
      # hidden
    ");
    assert!(discord.faults().is_empty(), "{:#?}", discord.faults());
    assert_eq!(begin(from, json!({ "name": "again" })).await.error(), (400, 160_004));
    assert_eq!(begin(format!("/channels/{forum}/threads"), json!({ "name": "x" })).await.error(), (400, 50_006));
    assert_eq!(app.post(&forum, json!({ "content": "x" })).await.error(), (400, 50_008));
    assert_eq!(begin(format!("/channels/{thread}/threads"), json!({ "name": "x" })).await.error(), (400, 50_024));
    let long = json!({ "name": "n".repeat(101), "type": 11 });
    assert_eq!(begin(format!("/channels/{channel}/threads"), long).await.error(), (400, 50_035));
    discord.forbid(&channel, may::PUBLIC_THREADS);
    let other = ann.say(&channel, "and here?");
    assert_eq!(
        begin(format!("/channels/{channel}/messages/{other}/threads"), json!({ "name": "x" })).await.error(),
        (403, 50_013)
    );
    discord.allow("schema:");
    forgive(&discord, 6);
}

#[tokio::test]
async fn archived_and_locked_threads() {
    let (discord, app, channel) = guild(Rules::default()).await;
    let ann = discord.user("ann");
    let thread = ann.thread(&channel, None, "hers");
    let first = app.post(&thread, json!({ "content": "one" })).await.ok()["id"].as_str().expect("an id").to_owned();
    let patch = async |body: Value| app.call("PATCH", &format!("/channels/{thread}"), body).await;
    let edit = async || app.call("PATCH", &format!("/channels/{thread}/messages/{first}"), json!({ "content": "two" })).await;
    patch(json!({ "name": "renamed" })).await.ok();
    ann.archive(&thread);
    assert_eq!(edit().await.error(), (400, 50_083));
    assert_eq!(patch(json!({ "name": "again" })).await.error(), (400, 50_083));
    forgive(&discord, 2);
    let archived = app.get(&format!("/channels/{channel}/threads/archived/public")).await.ok();
    assert_eq!(archived["threads"][0]["name"], "renamed");
    app.post(&thread, json!({ "content": "a message opens it again" })).await.ok();
    assert!(discord.look(|s| !s.channels[&thread].archived));
    edit().await.ok();
    discord.advance(Duration::from_secs(4 * 86_400));
    assert!(discord.look(|s| s.channels[&thread].archived), "nobody wrote for long");
    patch(json!({ "archived": false })).await.ok();
    discord.lock(&thread, false);
    app.post(&thread, json!({ "content": "who manages threads may" })).await.ok();
    discord.forbid(&channel, may::MANAGE_THREADS);
    assert_eq!(app.post(&thread, json!({ "content": "x" })).await.error(), (400, 160_005));
    discord.lock(&thread, true);
    assert_eq!(app.post(&thread, json!({ "content": "x" })).await.error(), (400, 50_083));
    assert_eq!(patch(json!({ "archived": false })).await.error(), (403, 50_013));
    discord.delete_channel(&thread);
    assert_eq!(app.post(&thread, json!({ "content": "x" })).await.error(), (404, 10_003));
    forgive(&discord, 4);
}

#[tokio::test]
async fn members_of_threads() {
    let (discord, app, channel) = guild(Rules::default()).await;
    let (ann, bob) = (discord.user("ann"), discord.user("bob"));
    let thread = ann.thread(&channel, None, "hers");
    let of = |user: &str| format!("/channels/{thread}/thread-members/{user}");
    app.call("PUT", &of("@me"), Value::Null).await.ok();
    app.call("PUT", &of(&bob.id), Value::Null).await.ok();
    let members = app.get(&format!("/channels/{thread}/thread-members")).await.ok();
    assert_eq!(members.as_array().expect("members").len(), 3);
    app.call("DELETE", &of("@me"), Value::Null).await.ok();
    assert!(!discord.look(|s| s.channels[&thread].members.contains(BOT)));
    discord.done().await;
}
