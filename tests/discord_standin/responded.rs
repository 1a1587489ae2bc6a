//! Interactions: the third second, first responses and what follows them, forms, and signed requests.
//!
//! Absence: how commands are typed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Answer, App, listen, serve, silent, with};
use super::registered::project;
use super::{button, forgive, guild, register, row};
use crate::support::discord::{APP, Discord, FORGED, Forged, Missed, Rules, Shown, Way};

async fn bot(rules: Rules, answer: Answer) -> (Discord, App, String, super::client::Listening) {
    let (discord, app, channel) = guild(rules).await;
    register(&app, json!([project()])).await;
    let bot = listen(&discord, answer).await;
    (discord, app, channel, bot)
}

/// A raw interaction that was sent.
fn sent(discord: &Discord, id: &str) -> Value {
    discord.look(|s| s.interactions[id].payload.clone())
}

#[tokio::test]
async fn what_is_late_is_dead() {
    let rules = Rules { respond: Duration::from_millis(200), ..Rules::default() };
    let (discord, app, channel, _bot) = bot(rules, silent()).await;
    let ann = discord.user("ann");
    let outcome = ann.command(&channel, "/project list").await;
    assert_eq!(outcome.failed(), Some(Missed::Late));
    assert!(discord.faults()[0].contains("the application did not respond"));
    let late = app.respond(&sent(&discord, &outcome.id), json!({ "type": 4, "data": { "content": "x" } })).await;
    assert_eq!(late.error(), (404, 10_062));
    let followup = app.call("POST", &format!("/webhooks/{APP}/{}", outcome.token), json!({ "content": "x" })).await;
    assert_eq!(followup.error(), (404, 10_015));
    assert!(discord.messages(&channel).is_empty());
    forgive(&discord, 3);
}

#[tokio::test]
async fn nobody_there_is_not_late() {
    let (discord, app, channel) = guild(Rules::default()).await;
    register(&app, json!([project()])).await;
    assert_eq!(discord.user("ann").command(&channel, "/project list").await.failed(), Some(Missed::Absent));
    discord.done().await;
}

#[tokio::test]
async fn a_first_response_and_what_follows_it() {
    let (discord, app, channel, _bot) = bot(Rules::default(), with(|_| json!({ "type": 5 }))).await;
    let ann = discord.user("ann");
    let outcome = ann.command(&channel, "/project list").await.ok();
    assert_eq!(outcome.shown, Shown::Deferred { ephemeral: false });
    assert!(discord.messages(&channel)[0].loading);
    let again = app.respond(&sent(&discord, &outcome.id), json!({ "type": 4, "data": { "content": "x" } })).await;
    assert_eq!(again.error(), (400, 40_060));
    forgive(&discord, 1);
    let hook = format!("/webhooks/{APP}/{}", outcome.token);
    let original = format!("{hook}/messages/@original");
    assert_eq!(app.get(&original).await.ok()["flags"], 128);
    app.call("PATCH", &original, json!({ "content": "one" })).await.ok();
    assert_eq!((discord.messages(&channel)[0].text.as_str(), discord.messages(&channel)[0].edits), ("one", 0));
    let further = app.call("POST", &hook, json!({ "content": "two", "flags": 64 })).await.ok();
    assert_eq!(further["flags"], 64);
    let hidden = further["id"].as_str().expect("an id").to_owned();
    discord.whisper(&ann, "two").await;
    app.call("PATCH", &format!("{hook}/messages/{hidden}"), json!({ "content": "three" })).await.ok();
    assert!(discord.faults().is_empty(), "{:#?}", discord.faults());
    let path = format!("/channels/{channel}/messages/{hidden}");
    assert_eq!(app.get(&path).await.error(), (404, 10_008), "a channel's routes do not reach it");
    assert_eq!(app.call("PATCH", &path, json!({ "content": "x" })).await.error(), (404, 10_008));
    let other = ann.say(&channel, "hers");
    assert_eq!(app.call("PATCH", &format!("{hook}/messages/{other}"), json!({ "content": "x" })).await.error(), (404, 10_008));
    forgive(&discord, 3);
    app.call("DELETE", &original, Value::Null).await.ok();
    discord.advance(Duration::from_secs(15 * 60 + 1));
    assert_eq!(app.call("POST", &hook, json!({ "content": "x" })).await.error(), (401, 50_027));
    insta::assert_snapshot!(discord.transcript(&channel), @r"
    (only ann) gaggle: three (edited)
    ann: hers
    ");
}

#[tokio::test]
async fn the_first_message_after_a_deferral_fills_it_in() {
    let (discord, app, channel, _bot) = bot(Rules::default(), with(|_| json!({ "type": 5, "data": { "flags": 64 } }))).await;
    let ann = discord.user("ann");
    let outcome = ann.command(&channel, "/project list").await.ok();
    assert_eq!(outcome.shown, Shown::Deferred { ephemeral: true });
    app.call("POST", &format!("/webhooks/{APP}/{}", outcome.token), json!({ "content": "for her" })).await.ok();
    assert_eq!(discord.whisper(&ann, "for her").await.edits, 0);
    assert!(discord.messages(&channel).is_empty());
    discord.done().await;
}

#[tokio::test]
async fn forms_buttons_and_selects() {
    let input = |id: &str, style: u64| json!({ "type": 4, "custom_id": id, "style": style, "label": id, "min_length": 2, "max_length": 10 });
    let form = json!({ "type": 9, "data": { "custom_id": "f", "title": "A form", "components": [row(json!([input("name", 1)])), row(json!([input("text", 2)]))] } });
    let options = json!([{ "label": "One", "value": "1" }, { "label": "Two", "value": "2" }]);
    let select = json!({ "type": 3, "custom_id": "s", "placeholder": "Which", "options": options });
    let answer = with(move |i| match (i["type"].as_u64(), i["data"]["custom_id"].as_str()) {
        (Some(2), _) => {
            json!({ "type": 4, "data": { "content": "card", "components": [row(json!([button("Edit", "e"), button("Stop", "x")])), row(json!([select.clone()]))] } })
        }
        (Some(3), Some("e")) => form.clone(),
        (Some(3), Some("x")) => json!({ "type": 7, "data": { "content": "stopped", "components": [] } }),
        (Some(3), _) => json!({ "type": 6 }),
        _ => json!({ "type": 7, "data": { "content": "changed" } }),
    });
    let (discord, _, channel, bot) = bot(Rules::default(), answer).await;
    let ann = discord.user("ann");
    let card = ann.command(&channel, "/project list").await.ok().message().to_owned();
    assert_eq!(ann.choose(&channel, &card, "Which", &["Two"]).await.ok().shown, Shown::DeferredUpdate);
    assert_eq!(ann.click(&channel, &card, "Edit").await.ok().modal()["title"], "A form");
    for wrong in [
        &[("name", "x")][..],
        &[("name", "a name"), ("text", "x".repeat(11).as_str())],
        &[("name", "two\nlines"), ("text", "fits")],
        &[("colour", "red")],
    ] {
        assert!(ann.try_submit(wrong).await.is_err(), "{wrong:?}");
    }
    ann.submit(&[("name", "a name"), ("text", "two\nlines")]).await.ok();
    assert!(discord.modal(&ann).is_none());
    let heard = bot.ear.heard("interaction", 4).await;
    assert_eq!(heard[1]["data"]["values"], json!(["2"]));
    assert_eq!(heard[3]["data"]["components"][1]["components"][0]["value"], "two\nlines");
    assert_eq!(heard[3]["message"]["id"], card.as_str());
    insta::assert_snapshot!(discord.transcript(&channel), @r"
    gaggle: changed
      [Edit] [Stop]
      [Which ▾ One | Two] (edited)
    ");
    ann.click(&channel, &card, "Stop").await.ok();
    assert!(discord.messages(&channel)[0].buttons.is_empty());
    discord.done().await;
}

#[tokio::test]
async fn responses_that_do_not_fit_are_refused() {
    let rules = Rules { refuse_violations: false, ..Rules::default() };
    let (discord, app, channel) = guild(rules).await;
    register(&app, json!([project()])).await;
    let bot = listen(&discord, silent()).await;
    let input = json!({ "type": 4, "custom_id": "n", "style": 1, "label": "n" });
    let form = |title: &str, inputs: Vec<Value>| json!({ "type": 9, "data": { "custom_id": "f", "title": title, "components": inputs } });
    let rows = |n: usize| {
        (0..n).map(|n| row(json!([{ "type": 4, "custom_id": n.to_string(), "style": 1, "label": "l" }]))).collect::<Vec<_>>()
    };
    let mut wide = input.clone();
    wide["max_length"] = json!(4_001);
    let bad = vec![
        json!({ "type": 6 }),
        json!({ "type": 8, "data": { "choices": [] } }),
        form(&"t".repeat(46), rows(1)),
        form("t", rows(6)),
        form("t", rows(0)),
        form("t", vec![row(json!([input.clone()])), row(json!([input.clone()]))]),
        form("t", vec![row(json!([wide]))]),
        json!({ "type": 4, "data": { "content": "x".repeat(2_001) } }),
    ];
    let ann = discord.user("ann");
    let asked = ann.command(&channel, "/project list");
    let answers = async {
        bot.ear.heard("interaction", 1).await;
        let interaction = discord.look(|s| s.interactions.values().next().expect("one").payload.clone());
        for bad in bad {
            assert_eq!(app.respond(&interaction, bad.clone()).await.error(), (400, 50_035), "{bad}");
        }
        app.respond(&interaction, form("t", rows(5))).await.ok();
    };
    let (outcome, ()) = tokio::join!(asked, answers);
    assert_eq!(outcome.ok().modal()["title"], "t");
    assert!(discord.faults().len() >= 8);
    discord.allow("");
    let choices: Vec<Value> = (0..26).map(|n| json!({ "name": n.to_string(), "value": "v" })).collect();
    let asked = ann.complete(&channel, "project create", &[], ("name", "d"));
    let answers = async {
        bot.ear.heard("interaction", 2).await;
        let interaction = discord.look(|s| s.interactions.values().next_back().expect("one").payload.clone());
        let many = app.respond(&interaction, json!({ "type": 8, "data": { "choices": choices } })).await;
        assert_eq!(many.error(), (400, 50_035));
        app.respond(&interaction, json!({ "type": 8, "data": { "choices": [] } })).await.ok();
    };
    let (outcome, ()) = tokio::join!(asked, answers);
    assert_eq!(outcome.expect("sent").ok().shown, Shown::Choices(Vec::new()));
}

#[tokio::test]
async fn signed_requests_are_answered_in_their_response() {
    let discord = Discord::start(Way::Http).await;
    let app = App::new(&discord);
    let channel = discord.channel("general");
    register(&app, json!([project()])).await;
    let ear = serve(&discord, with(|_| json!({ "type": 4, "data": { "content": "signed", "flags": 64 } }))).await;
    assert_eq!(discord.ping().await, (200, json!({ "type": 1 })));
    for how in FORGED.into_iter().filter(|how| *how != Forged::Huge) {
        let status = discord.forge(how).await;
        assert_eq!(status, if how == Forged::Malformed { 400 } else { 401 }, "{how:?}");
    }
    let ann = discord.user("ann");
    ann.command(&channel, "/project create demo").await.ok();
    assert_eq!(ear.heard("interaction", 1).await[0]["data"]["name"], "project");
    discord.whisper(&ann, "signed").await;
    discord.done().await;
}

#[tokio::test]
async fn answers_to_signed_requests_are_checked() {
    for (answer, missed) in [
        (json!({ "type": 4, "data": { "content": "x".repeat(2_001) } }), Missed::Refused),
        (json!({ "type": 6 }), Missed::Refused),
    ] {
        let discord = Discord::start(Way::Http).await;
        let app = App::new(&discord);
        let channel = discord.channel("general");
        register(&app, json!([project()])).await;
        let _ear = serve(&discord, Arc::new(move |_| Some(answer.clone()))).await;
        let outcome = discord.user("ann").command(&channel, "/project list").await;
        assert_eq!(outcome.failed(), Some(missed));
        assert!(discord.faults().iter().any(|f| f.contains("signed interaction was refused")), "{:#?}", discord.faults());
    }
}
