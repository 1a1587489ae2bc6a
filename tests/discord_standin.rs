//! The Discord stand-in is as strict as Discord: what its API refuses, counts and shows.
//!
//! Absence: the program itself; its own stories are elsewhere.

#[path = "discord_standin/client.rs"]
mod client;
#[path = "discord_standin/connected.rs"]
mod connected;
#[path = "discord_standin/registered.rs"]
mod registered;
#[path = "discord_standin/responded.rs"]
mod responded;
#[path = "discord_standin/threaded.rs"]
mod threaded;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::discord::{APP, BOT, Discord, GUILD, Rate, Rules, Trouble, Way, permissions as may};
use client::App;

/// Everything that was refused was also kept as a fault.
#[track_caller]
fn forgive(discord: &Discord, refused: usize) {
    assert_eq!(discord.faults().len(), refused, "{:#?}", discord.faults());
    discord.change(|s| s.faults.clear());
}

async fn guild(rules: Rules) -> (Discord, App, String) {
    let discord = Discord::with(Way::Gateway, rules).await;
    let channel = discord.channel("general");
    let app = App::new(&discord);
    (discord, app, channel)
}

/// What is allowed by Discord, but not by the description, or the other way round, is for another test.
fn lenient() -> Rules {
    Rules { refuse_violations: false, ..Rules::default() }
}

async fn register(app: &App, commands: Value) {
    app.call("PUT", &format!("/applications/{APP}/guilds/{GUILD}/commands"), commands).await.ok();
}

fn row(components: Value) -> Value {
    json!({ "type": 1, "components": components })
}

fn button(label: &str, id: &str) -> Value {
    json!({ "type": 2, "style": 1, "label": label, "custom_id": id })
}

#[tokio::test]
async fn a_call_needs_a_route_a_token_and_a_place() {
    let (discord, mut app, channel) = guild(Rules::default()).await;
    assert_eq!(app.get("/users/@me").await.ok()["id"], BOT);
    assert_eq!(app.get("/applications/@me").await.ok()["flags"], 1 << 19);
    assert_eq!(app.get("/gateway/bot").await.ok()["session_start_limit"]["max_concurrency"], 1);
    app.get(&format!("/guilds/{GUILD}")).await.ok();
    app.get(&format!("/guilds/{GUILD}/channels")).await.ok();
    app.get(&format!("/guilds/{GUILD}/roles")).await.ok();
    app.get(&format!("/guilds/{GUILD}/members/{BOT}")).await.ok();
    app.get("/users/@me/guilds").await.ok();
    app.get(&format!("/channels/{channel}")).await.ok();
    let ann = discord.user("ann");
    let dm = app.call("POST", "/users/@me/channels", json!({ "recipient_id": ann.id })).await.ok();
    assert_eq!(dm["recipients"][0]["username"], "ann");
    assert!(discord.faults().is_empty(), "{:#?}", discord.faults());

    assert_eq!(app.get("/nothing/of/the/kind").await.error(), (404, 0));
    assert_eq!(app.get("/channels/1100000000000000999").await.error(), (404, 10_003));
    assert_eq!(app.get("/guilds/1100000000000000999").await.error(), (404, 10_004));
    let secret = discord.private_channel("secret", &[&ann], false);
    assert_eq!(app.get(&format!("/channels/{secret}")).await.error(), (403, 50_001));
    assert_eq!(app.post(&secret, json!({ "content": "x" })).await.error(), (403, 50_001));
    discord.forbid(&channel, may::SEND);
    assert_eq!(app.post(&channel, json!({ "content": "x" })).await.error(), (403, 50_013));
    assert_eq!(app.call("DELETE", &format!("/channels/{channel}"), Value::Null).await.error(), (403, 50_013));
    app.token = "of-somebody-else".into();
    assert_eq!(app.get("/users/@me").await.error(), (401, 0));
    forgive(&discord, 8);
    discord.revoke_token();
    let app = App::new(&discord);
    assert_eq!(app.get("/users/@me").await.status, 401);
    assert!(discord.faults().is_empty(), "what the test wanted is no fault of the bot");
}

#[tokio::test]
async fn messages_have_limits() {
    let (discord, app, channel) = guild(lenient()).await;
    let post = async |body: Value| app.post(&channel, body).await;
    let text = |n: usize| "x".repeat(n);
    assert_eq!(post(json!({})).await.error(), (400, 50_006));
    assert_eq!(post(json!({ "content": " \n " })).await.error(), (400, 50_006));
    forgive(&discord, 2);
    let discord_embed = |embed: Value| json!({ "embeds": [embed] });
    let buttons = |n: usize| row((0..n).map(|n| button("b", &format!("{n}"))).collect());
    let select = |n: usize| {
        let options: Vec<Value> = (0..n).map(|n| json!({ "label": "l", "value": n.to_string() })).collect();
        row(json!([{ "type": 3, "custom_id": "s", "options": options }]))
    };
    let with = |rows: Vec<Value>| json!({ "content": "c", "components": rows });
    let fields = |n: usize| discord_embed(json!({ "fields": vec![json!({ "name": "n", "value": "v" }); n] }));
    for good in [
        json!({ "content": text(2_000) }),
        discord_embed(json!({ "title": text(256), "description": text(4_096) })),
        fields(25),
        with(vec![buttons(5)]),
        with(vec![select(25)]),
        with((0..5).map(|n| row(json!([button("b", &n.to_string())]))).collect()),
        json!({ "components": [buttons(1)] }),
    ] {
        post(good).await.ok();
    }
    assert!(discord.faults().is_empty(), "{:#?}", discord.faults());
    let mut link = button("l", "x");
    link["style"] = json!(5);
    let bad = [
        (json!({ "content": text(2_001) }), "/content"),
        (discord_embed(json!({ "title": text(257) })), "/embeds/0/title"),
        (discord_embed(json!({ "description": text(4_097) })), "/embeds/0/description"),
        (json!({ "embeds": vec![json!({ "description": text(3_001) }); 2] }), "/embeds"),
        (json!({ "embeds": vec![json!({ "title": "t" }); 11] }), "/embeds"),
        (fields(26), "/embeds/0/fields"),
        (discord_embed(json!({ "fields": [{ "name": "", "value": "v" }] })), "/embeds/0/fields/0/name"),
        (discord_embed(json!({ "color": 1 })), "/embeds/0/description"),
        (with(vec![buttons(6)]), "/components/0/components"),
        (with(vec![select(26)]), "/components/0/components/0/options"),
        (with(vec![select(1), row(json!([]))]), "/components/1/components"),
        (with(vec![row(json!([button("b", "same"), button("c", "same")]))]), "/components/0/components/1/custom_id"),
        (with(vec![row(json!([button("b", &text(101))]))]), "/components/0/components/0/custom_id"),
        (with(vec![row(json!([button(&text(81), "b")]))]), "/components/0/components/0/label"),
        (with(vec![row(json!([link]))]), "/components/0/components/0/url"),
        (with((0..6).map(|n| row(json!([button("b", &n.to_string())]))).collect()), "/components"),
        (json!({ "content": "x", "allowed_mentions": { "parse": ["users"], "users": ["1"] } }), "/allowed_mentions"),
        (json!({ "content": "x", "message_reference": { "message_id": "1100000000000000001" } }), "/message_reference"),
    ];
    for (bad, at) in bad {
        let answer = post(bad.clone()).await;
        assert_eq!(answer.error(), (400, 50_035), "{bad}");
        let at = format!("/errors{at}/_errors/0/code");
        assert!(answer.body.pointer(&at).is_some(), "no {at}: {}", answer.body);
    }
    discord.allow("");
}

#[tokio::test]
async fn bodies_are_held_against_discords_own_description() {
    let (discord, app, channel) = guild(Rules::default()).await;
    if crate::support::discord::schema::spec().is_none() {
        return;
    }
    let bad = [
        json!({ "content": 7 }),
        json!({ "content": "x", "embeds": [{ "color": -1, "title": "t" }] }),
        json!({ "content": "x", "embeds": [{ "title": "t", "timestamp": "yesterday" }] }),
        json!({ "content": "x", "components": [row(json!([{ "type": 2, "label": "no style" }]))] }),
        json!({ "content": "x", "allowed_mentions": { "parse": ["all"] } }),
        json!({ "content": "x", "attachments": [{ "id": 0, "filename": "a" }] }),
    ];
    for bad in bad {
        assert_eq!(app.post(&channel, bad.clone()).await.error(), (400, 50_035), "{bad}");
        let faults = discord.faults();
        assert!(faults.iter().any(|f| f.starts_with("schema: POST /channels/{id}/messages")), "{bad}: {faults:#?}");
        discord.change(|s| s.faults.clear());
    }
    let (colour, deep) = (
        json!({ "content": "x", "colour": 1 }),
        json!({ "content": "x", "components": [row(json!([{ "type": 2, "style": 1, "label": "b", "custom_id": "c", "colour": 1 }]))] }),
    );
    for (unknown, at) in [(colour, "\"/colour\""), (deep, "\"/components/0/components/0/colour\"")] {
        app.post(&channel, unknown).await.ok();
        assert!(discord.faults()[0].contains(at), "what Discord does not know of is told, not refused: {:#?}", discord.faults());
        discord.change(|s| s.faults.clear());
    }
    let pin = format!("/channels/{channel}/pins/1");
    assert_eq!(app.call("PUT", &pin, json!({ "x": 1 })).await.status, 403);
    assert!(discord.faults()[0].contains("takes no body"), "{:#?}", discord.faults());
}

#[tokio::test]
async fn only_own_and_reachable_messages_can_be_changed() {
    let (discord, app, channel) = guild(Rules::default()).await;
    let ann = discord.user("ann");
    let path = |id: &str| format!("/channels/{channel}/messages/{id}");
    let edit = async |id: &str, body: Value| app.call("PATCH", &path(id), body).await;
    let own = app.post(&channel, json!({ "content": "one", "nonce": "n1", "enforce_nonce": true })).await.ok();
    let again = app.post(&channel, json!({ "content": "one", "nonce": "n1", "enforce_nonce": true })).await.ok();
    assert_eq!(own["id"], again["id"], "the same message sent twice is there once");
    let own = own["id"].as_str().expect("an id").to_owned();
    let edited = edit(&own, json!({ "content": " two \n" })).await.ok();
    assert_eq!((&edited["content"], edited["edited_timestamp"].is_string()), (&json!("two"), true));
    app.call("PUT", &format!("{}/reactions/%F0%9F%91%8D/@me", path(&own)), Value::Null).await.ok();
    app.call("DELETE", &format!("{}/reactions/%F0%9F%91%8D/@me", path(&own)), Value::Null).await.ok();
    app.get(&path(&own)).await.ok();
    app.call("POST", &format!("/channels/{channel}/typing"), Value::Null).await.ok();
    assert!(discord.faults().is_empty(), "{:#?}", discord.faults());

    let hers = ann.say(&channel, "hers");
    assert_eq!(edit(&hers, json!({ "content": "x" })).await.error(), (403, 50_005));
    assert_eq!(app.call("DELETE", &path(&hers), Value::Null).await.error(), (403, 50_013));
    assert_eq!(edit("1100000000000000999", json!({ "content": "x" })).await.error(), (404, 10_008));
    assert_eq!(edit(&own, json!({ "content": "" })).await.error(), (400, 50_006));
    forgive(&discord, 4);
    discord.advance(Duration::from_secs(3_700));
    for _ in 0..3 {
        edit(&own, json!({ "content": "late" })).await.ok();
    }
    assert_eq!(edit(&own, json!({ "content": "too late" })).await.error(), (429, 30_046));
    discord.allow("");
    app.call("DELETE", &path(&own), Value::Null).await.ok();
    assert_eq!(app.get(&path(&own)).await.error(), (404, 10_008));
    assert_eq!(discord.messages(&channel).len(), 1);
}

#[tokio::test]
async fn messages_come_in_pages() {
    let (discord, app, channel) = guild(Rules::default()).await;
    let ann = discord.user("ann");
    let ids: Vec<String> = (0..5).map(|n| ann.say(&channel, &format!("m{n}"))).collect();
    let texts = async |query: &str| -> Vec<String> {
        let body = app.get(&format!("/channels/{channel}/messages?{query}")).await.ok();
        body.as_array().expect("a list").iter().map(|m| m["content"].as_str().expect("a text").to_owned()).collect()
    };
    assert_eq!(texts("limit=2").await, ["m4", "m3"]);
    assert_eq!(texts(&format!("after={}", ids[2])).await, ["m4", "m3"]);
    assert_eq!(texts(&format!("after={}&limit=1", ids[0])).await, ["m1"]);
    assert_eq!(texts(&format!("before={}", ids[1])).await, ["m0"]);
    assert_eq!(texts(&format!("around={}&limit=3", ids[2])).await, ["m3", "m2", "m1"]);
    assert_eq!(texts("after=0&limit=100").await.len(), 5);
    discord.rules(|r| r.message_content = false);
    ann.ask(&channel, "hello");
    let seen = texts("limit=2").await;
    assert_eq!(
        (seen[1].as_str(), seen[0].contains("hello")),
        ("", true),
        "without the privilege only what names the bot is told"
    );
    assert_eq!(app.get(&format!("/channels/{channel}/messages?limit=101")).await.error(), (400, 50_035));
    forgive(&discord, 1);
    discord.forbid(&channel, may::READ_HISTORY);
    assert!(texts("limit=5").await.is_empty());
}

#[tokio::test]
async fn files_go_up_and_come_down() {
    let (discord, app, channel) = guild(Rules::default()).await;
    let body = json!({ "content": "look", "attachments": [{ "id": "0", "filename": "a.txt", "description": "a log" }] });
    let path = format!("/channels/{channel}/messages");
    let made = app.upload("POST", &path, &body, &[("a.txt", b"hello")]).await.ok();
    let url = made["attachments"][0]["url"].as_str().expect("a url").to_owned();
    assert_eq!((app.download(&url).await, &made["attachments"][0]["description"]), (b"hello".to_vec(), &json!("a log")));
    assert_eq!(discord.messages(&channel)[0].files, [("a.txt".to_owned(), b"hello".to_vec())]);
    let id = made["id"].as_str().expect("an id");
    let kept = made["attachments"][0]["id"].clone();
    let edit = format!("{path}/{id}");
    app.call("PATCH", &edit, json!({ "content": "kept" })).await.ok();
    assert_eq!(discord.messages(&channel)[0].files.len(), 1);
    let both = json!({ "attachments": [{ "id": kept }, { "id": "0" }] });
    app.upload("PATCH", &edit, &both, &[("b.txt", b"b")]).await.ok();
    assert_eq!(discord.messages(&channel)[0].files.len(), 2);
    app.call("PATCH", &edit, json!({ "attachments": [] })).await.ok();
    assert!(discord.messages(&channel)[0].files.is_empty());
    assert!(discord.faults().is_empty(), "{:#?}", discord.faults());
    assert_eq!(
        app.upload("POST", &path, &json!({ "attachments": [{ "id": "3" }] }), &[("a", b"x")]).await.error(),
        (400, 50_035)
    );
    let huge = vec![b'x'; 10 * 1024 * 1024 + 1];
    assert_eq!(app.upload("POST", &path, &json!({}), &[("huge.bin", &huge)]).await.error(), (413, 40_005));
    discord.forbid(&channel, may::ATTACH);
    assert_eq!(app.upload("POST", &path, &json!({}), &[("a", b"x")]).await.error(), (403, 50_013));
    forgive(&discord, 3);
}

#[tokio::test]
async fn everybody_who_is_pinged_is_known() {
    let (discord, app, channel) = guild(Rules::default()).await;
    let ann = discord.user("ann");
    let post = async |text: &str, allowed: Value| {
        let mut body = json!({ "content": text });
        if !allowed.is_null() {
            body["allowed_mentions"] = allowed;
        }
        let made = app.post(&channel, body).await.ok();
        discord.message(&channel, made["id"].as_str().expect("an id")).expect("a message").pinged
    };
    let all = format!("@everyone @here <@{}>", ann.id);
    assert_eq!(post(&all, Value::Null).await.len(), 3);
    assert!(post(&all, json!({ "parse": [] })).await.is_empty());
    assert_eq!(post(&all, json!({ "parse": ["everyone"] })).await.len(), 2);
    assert_eq!(post(&all, json!({ "users": [ann.id] })).await, BTreeSet::from([ann.id.clone()]));
    let question = ann.say(&channel, "who?");
    let reply = json!({ "content": "me", "message_reference": { "message_id": question } });
    let made = app.post(&channel, reply).await.ok();
    assert_eq!(made["type"], 19);
    assert!(discord.message(&channel, made["id"].as_str().expect("an id")).expect("a message").pinged.contains(&ann.id));
    assert!(discord.pinged().contains("everyone"));
    discord.done().await;
}

#[tokio::test]
async fn rates_are_told_and_kept() {
    let (discord, app, channel) = guild(Rules::real_rates()).await;
    let other = discord.channel("other");
    let post = async |channel: &str| app.post(channel, json!({ "content": "x" })).await;
    let first = post(&channel).await;
    assert_eq!((first.header("x-ratelimit-limit"), first.header("x-ratelimit-remaining")), (Some(5.0), Some(4.0)));
    let after = first.header("x-ratelimit-reset-after").expect("a header");
    assert!((4.0..=5.0).contains(&after), "{after}");
    for _ in 0..4 {
        post(&channel).await.ok();
    }
    let limited = post(&channel).await;
    assert_eq!((limited.status, limited.headers["x-ratelimit-scope"].to_str().expect("a text")), (429, "user"));
    let wait = limited.body["retry_after"].as_f64().expect("a time");
    assert!(wait > 3.0 && limited.header("retry-after").expect("a header") >= wait && limited.body["global"] == false);
    post(&other).await.ok();
    discord.advance(Duration::from_secs(5));
    post(&channel).await.ok();
    let count = discord.count("POST /channels/{id}/messages");
    assert_eq!((count.calls, count.limited, count.refused), (8, 1, 0));

    discord.rules(|r| r.global = Some(Rate { calls: 5, window: Duration::from_secs(60) }));
    discord.advance(Duration::from_secs(60));
    let mut global = 0;
    for _ in 0..10 {
        let answer = app.get(&format!("/guilds/{GUILD}")).await;
        global += usize::from(
            answer.status == 429 && answer.body["global"] == true && answer.headers.contains_key("x-ratelimit-global"),
        );
    }
    assert!(global == 5, "{global}");
    assert!(discord.faults().is_empty(), "a 429 is counted, it is no fault: {:#?}", discord.faults());
    discord.rules(|r| r.invalid_requests = 1);
    assert_eq!(app.get("/users/@me").await.status, 403);
    assert!(discord.faults()[0].contains("banned"));
}

#[tokio::test]
async fn troubles_come_when_the_test_wants_them() {
    let (discord, app, channel) = guild(Rules::default()).await;
    let route = "POST /channels/{id}/messages";
    discord.trouble(route, 1, &Trouble::Status(502));
    discord.trouble(route, 1, &Trouble::Limited(0.5, "shared"));
    discord.trouble(route, 1, &Trouble::Refuse(403, 50_001, "Missing Access"));
    let post = async || app.try_call("POST", &format!("/channels/{channel}/messages"), json!({ "content": "x" })).await;
    assert_eq!(post().await.expect("an answer").status, 502);
    assert_eq!(post().await.expect("an answer").body["retry_after"], 0.5);
    assert_eq!(post().await.expect("an answer").error(), (403, 50_001));
    assert!(discord.messages(&channel).is_empty());
    discord.trouble(route, 1, &Trouble::CutBefore);
    assert!(post().await.is_err() && discord.messages(&channel).is_empty());
    discord.trouble(route, 1, &Trouble::CutAfter);
    assert!(post().await.is_err());
    assert_eq!(discord.messages(&channel).len(), 1, "it took effect");
    discord.done().await;
}
