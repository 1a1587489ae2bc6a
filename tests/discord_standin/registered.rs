//! Commands: what may be registered, and what can be typed then.
//!
//! Absence: how they are answered.

use serde_json::{Value, json};

use super::client::{App, listen, with};
use super::{forgive, guild, lenient, register};
use crate::support::discord::{APP, Discord, GUILD, Rules, Shown};

pub fn project() -> Value {
    let name = json!({ "type": 3, "name": "name", "description": "Its name", "required": true, "autocomplete": true });
    let choices = json!([{ "name": "local", "value": "local" }, { "name": "cluster", "value": "kube" }]);
    let runtime = json!({ "type": 3, "name": "runtime", "description": "Where", "choices": choices });
    let cpu = json!({ "type": 4, "name": "cpu_count", "description": "Cores", "min_value": 1, "max_value": 8 });
    let who = json!({ "type": 6, "name": "who", "description": "Whose" });
    let create = json!({ "type": 1, "name": "create", "description": "Creates one", "options": [name, runtime, cpu, who] });
    let list = json!({ "type": 1, "name": "list", "description": "Lists them" });
    let key = json!({ "type": 3, "name": "key", "description": "Which", "required": true });
    let secret = json!({ "type": 2, "name": "secret", "description": "Secrets", "options": [{ "type": 1, "name": "unset", "description": "Removes one", "options": [key] }] });
    json!({ "name": "project", "description": "Projects", "options": [create, list, secret] })
}

fn ask() -> Value {
    let name = json!({ "type": 3, "name": "name", "description": "Its name", "required": true });
    let message = json!({ "type": 3, "name": "message", "description": "What", "required": true, "max_length": 20 });
    let file = json!({ "type": 11, "name": "file", "description": "With it" });
    json!({ "name": "ask", "description": "Asks", "options": [name, message, file] })
}

async fn put(app: &App, commands: Value) -> super::client::Called {
    app.call("PUT", &format!("/applications/{APP}/commands"), commands).await
}

#[tokio::test]
async fn trees_have_limits() {
    let (discord, app, _) = guild(lenient()).await;
    let one = |options: Value| json!([{ "name": "x", "description": "d", "options": options }]);
    let option = |name: &str| json!({ "type": 3, "name": name, "description": "d" });
    let needed = |name: &str| json!({ "type": 3, "name": name, "description": "d", "required": true });
    let many = |n: usize| (0..n).map(|n| option(&format!("o{n}"))).collect::<Vec<_>>();
    let choices = |n: usize| (0..n).map(|n| json!({ "name": n.to_string(), "value": n.to_string() })).collect::<Vec<_>>();
    let group = |inner: Value| json!({ "type": 2, "name": "g", "description": "d", "options": inner });
    let sub = |options: Value| json!({ "type": 1, "name": "s", "description": "d", "options": options });
    for good in
        [one(many(25).into()), one(json!([group(json!([sub(json!([option("a")]))])),])), one(json!([needed("a"), option("b")]))]
    {
        put(&app, good).await.ok();
    }
    assert!(discord.faults().is_empty(), "{:#?}", discord.faults());
    let mut with_both = option("a");
    with_both["choices"] = choices(1).into();
    with_both["autocomplete"] = json!(true);
    let mut with_many = option("a");
    with_many["choices"] = choices(26).into();
    let long = json!({ "type": 3, "name": "a", "description": "d".repeat(101) });
    let wordy: Vec<Value> = (0..25).map(|n| json!({ "type": 1, "name": format!("s{n}"), "description": "d".repeat(100), "options": (0..3).map(|n| json!({ "type": 3, "name": format!("o{n}"), "description": "d".repeat(100) })).collect::<Vec<_>>() })).collect();
    let bad = [
        (json!([{ "name": "Upper", "description": "d" }]), "/0/name"),
        (json!([{ "name": "two words", "description": "d" }]), "/0/name"),
        (json!([{ "name": "x", "description": "" }]), "/0/description"),
        (one(many(26).into()), "/0/options"),
        (one(json!([option("a"), needed("b")])), "/0/options/1"),
        (one(json!([option("a"), option("a")])), "/0/options/1"),
        (one(json!([option("a"), sub(json!([]))])), "/0/options/0/type"),
        (one(json!([group(json!([group(json!([]))]))])), "/0/options/0/type"),
        (one(json!([sub(json!([sub(json!([]))]))])), "/0/options/0/options/0/type"),
        (one(json!([with_both])), "/0/options/0/autocomplete"),
        (one(json!([with_many])), "/0/options/0/choices"),
        (one(json!([long])), "/0/options/0/description"),
        (one(wordy.into()), "/0"),
        (json!([{ "name": "x", "description": "d" }, { "name": "x", "description": "d" }]), "/1"),
        (json!([{ "name": "Ask", "type": 3, "description": "d" }]), "/0/description"),
    ];
    for (bad, at) in bad {
        let answer = put(&app, bad.clone()).await;
        assert_eq!(answer.error(), (400, 50_035), "{bad}");
        let at = format!("/errors{at}/_errors");
        assert!(answer.body.pointer(&at).is_some(), "no {at}: {}", answer.body);
    }
    let crowd: Vec<Value> = (0..101).map(|n| json!({ "name": format!("c{n}"), "description": "d" })).collect();
    assert_eq!(put(&app, crowd.into()).await.error(), (400, 30_032));
    discord.allow("");
}

#[tokio::test]
async fn commands_are_replaced_and_keep_their_ids() {
    let (discord, app, _) = guild(Rules::default()).await;
    let first = put(&app, json!([project(), ask()])).await.ok();
    let listed = app.get(&format!("/applications/{APP}/commands")).await.ok();
    assert_eq!(listed.as_array().expect("a list").len(), 2);
    let second = put(&app, json!([ask()])).await.ok();
    assert_eq!(
        (&second[0]["id"], &second[0]["version"]),
        (&first[1]["id"], &first[1]["version"]),
        "the same command is the same"
    );
    let mut other = ask();
    other["description"] = json!("Asks now");
    let third = put(&app, json!([other])).await.ok();
    assert_eq!(third[0]["id"], first[1]["id"]);
    assert_ne!(third[0]["version"], first[1]["version"]);
    let id = third[0]["id"].as_str().expect("an id").to_owned();
    app.call("PATCH", &format!("/applications/{APP}/commands/{id}"), json!({ "description": "Once more" })).await.ok();
    let made = app.call("POST", &format!("/applications/{APP}/commands"), project()).await;
    assert_eq!(made.status, 201);
    app.call("DELETE", &format!("/applications/{APP}/commands/{id}"), Value::Null).await.ok();
    assert!(discord.faults().is_empty(), "{:#?}", discord.faults());
    assert_eq!(app.get(&format!("/applications/{APP}/commands/{id}")).await.error(), (404, 10_063));
    let foreign = app.call("PUT", "/applications/1100000000000000777/commands", json!([])).await;
    assert_eq!(foreign.status, 403);
    forgive(&discord, 2);
}

async fn typing() -> (Discord, String, super::client::Listening) {
    let (discord, app, channel) = guild(Rules::default()).await;
    register(&app, json!([project(), ask(), { "name": "Ask Goose", "type": 3 }])).await;
    let answer = with(|i| match i["type"].as_u64() {
        Some(4) => json!({ "type": 8, "data": { "choices": [{ "name": "demo", "value": "demo" }] } }),
        _ => json!({ "type": 4, "data": { "content": "ok", "flags": 64 } }),
    });
    let bot = listen(&discord, answer).await;
    (discord, channel, bot)
}

#[tokio::test]
async fn what_is_typed_becomes_options() {
    let (discord, channel, bot) = typing().await;
    let ann = discord.user("ann");
    ann.command(&channel, &format!("/project create demo --runtime cluster --cpu-count 2 --who {}", ann.mention())).await.ok();
    ann.command(&channel, "/project list").await.ok();
    ann.command(&channel, "/project secret unset API_KEY").await.ok();
    ann.command(&channel, "/ask demo what is it?").await.ok();
    ann.run_with(&channel, "ask", &[("name", "demo"), ("message", "look")], &[("file", "a.txt", b"hello")])
        .await
        .expect("sent")
        .ok();
    let message = ann.say(&channel, "a question");
    ann.message_command(&channel, &message, "Ask Goose").await.ok();
    let heard = bot.ear.heard("interaction", 6).await;
    let options = &heard[0]["data"]["options"][0]["options"];
    let values: Vec<&Value> = options.as_array().expect("options").iter().map(|o| &o["value"]).collect();
    assert_eq!(values, [&json!("demo"), &json!("kube"), &json!(2), &json!(ann.id)]);
    assert!(heard[0]["data"]["resolved"]["members"][&ann.id].is_object(), "{}", heard[0]["data"]);
    assert_eq!(heard[2]["data"]["options"][0]["options"][0]["name"], "unset");
    assert_eq!(heard[3]["data"]["options"][1]["value"], "what is it?");
    let file = heard[4]["data"]["options"][2]["value"].as_str().expect("an id").to_owned();
    assert_eq!(heard[4]["data"]["resolved"]["attachments"][&file]["filename"], "a.txt");
    assert_eq!(heard[5]["data"]["target_id"], message.as_str());
    for refused in [
        "/nothing",
        "/project fly",
        "/project create",
        "/project create demo --runtime moon",
        "/project create demo --cpu-count 9",
        "/ask demo this is far longer than it may be",
    ] {
        assert!(ann.try_command(&channel, refused).await.is_err(), "{refused}");
    }
    assert_eq!(bot.ear.so_far("interaction").len(), 6, "what the client refuses is never sent");
    assert_eq!(discord.whispers(&ann).len(), 6);
    assert!(discord.messages(&channel).len() == 1, "what is for one is not for all");
    assert_eq!(GUILD, discord.look(|s| s.channels[&channel].guild.clone()).expect("a guild"));
    discord.done().await;
}

#[tokio::test]
async fn options_complete() {
    let (discord, channel, bot) = typing().await;
    let ann = discord.user("ann");
    let outcome = ann.complete(&channel, "project create", &[], ("name", "de")).await.expect("sent").ok();
    assert_eq!(outcome.shown, Shown::Choices(vec![("demo".into(), json!("demo"))]));
    let heard = bot.ear.heard("interaction", 1).await;
    assert_eq!(heard[0]["data"]["options"][0]["options"][0]["focused"], true);
    assert!(ann.complete(&channel, "project create", &[], ("runtime", "c")).await.is_err(), "it has choices");
    discord.done().await;
}
