//! What people use: triggers, `response_url`s, modals, homes; and how a test sees it.
//!
//! Absence: the ways of delivery, which have tests of their own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Answer, App, listen, yes};
use super::{button, section};
use crate::support::slack::{Kind, Put, Slack, Way};

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text })
}

fn modal(title: &str) -> Value {
    let input = |label: &str, id: &str, optional: bool, element: Value| json!({ "type": "input", "block_id": id, "label": plain(label), "optional": optional, "element": element });
    let options = json!([{ "text": plain("Small"), "value": "s" }, { "text": plain("Large"), "value": "l" }]);
    json!({
        "type": "modal", "title": plain(title), "submit": plain("Create"), "callback_id": "create", "notify_on_close": true,
        "blocks": [
            input("Name", "name", false, json!({ "type": "plain_text_input", "action_id": "value", "max_length": 10 })),
            input("Size", "size", true, json!({ "type": "static_select", "action_id": "value", "options": options })),
            input("Config", "config", true, json!({ "type": "file_input", "action_id": "value", "max_files": 1 })),
        ],
    })
}

async fn open(app: &App, trigger: &str, view: Value) -> super::client::Called {
    app.call("views.open", json!({ "trigger_id": trigger, "view": view })).await
}

#[tokio::test]
async fn a_trigger_opens_one_view_within_its_life() {
    let slack = Slack::start(Way::Socket).await;
    let _ear = listen(&slack, 1, yes()).await;
    let app = App::new(&slack);
    let channel = slack.channel("general", Kind::Public, &["ann"], true);
    let ann = slack.user("ann");
    let trigger = ann.command("/project", "create", &channel).await.ok().trigger_id;
    let mut long = modal("t");
    long["title"] = plain(&"t".repeat(25));
    assert_eq!(open(&app, &trigger, long).await.error(), "invalid_arguments", "and the trigger is not used up by it");
    let view = open(&app, &trigger, modal("New project")).await.ok()["view"].clone();
    assert_eq!(slack.opened(&ann, "New project").await["id"], view["id"]);
    assert_eq!(open(&app, &trigger, modal("Again")).await.error(), "exchanged_trigger_id");
    assert_eq!(open(&app, "1.2.3", modal("Again")).await.error(), "invalid_trigger");
    slack.rules(|r| r.trigger_life = Duration::from_millis(20));
    let trigger = ann.command("/project", "create", &channel).await.ok().trigger_id;
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(open(&app, &trigger, modal("Late")).await.error(), "expired_trigger_id");
    let update = json!({ "view_id": view["id"], "hash": "hash.1", "view": modal("Other") });
    assert_eq!(app.call("views.update", update).await.error(), "hash_conflict");
    app.call("views.update", json!({ "view_id": view["id"], "hash": view["hash"], "view": modal("Other") })).await.ok();
    assert_eq!(slack.modal(&ann).expect("a modal")["title"]["text"], "Other");
    ann.close().await.expect("the app wants to know").ok();
    assert_eq!(app.call("views.update", json!({ "view_id": view["id"], "view": modal("Gone") })).await.error(), "not_found");
    super::forgive(&slack, 6);
    slack.done().await;
}

#[tokio::test]
async fn a_submission_is_checked_by_slack_then_by_the_app() {
    for way in [Way::Socket, Way::Http] {
        let slack = Slack::start(way).await;
        let answers = Arc::new(Mutex::new(vec![
            Value::Null,
            json!({ "response_action": "update", "view": modal("Second") }),
            json!({ "response_action": "errors", "errors": { "name": "is taken" } }),
        ]));
        let answer: Answer = Arc::new(move |frame| match frame["payload"]["type"].as_str() {
            Some("view_submission") => answers.lock().expect("no panic").pop(),
            _ => Some(Value::Null),
        });
        let mut ear = listen(&slack, 1, answer).await;
        let app = App::new(&slack);
        let channel = slack.channel("general", Kind::Public, &["ann"], true);
        let ann = slack.user("ann");
        let trigger = ann.command("/project", "create", &channel).await.ok().trigger_id;
        open(&app, &trigger, modal("First")).await.ok();
        let wrong = ann.try_submit(&[("Size", Put::Text("Large"))]).await.expect_err("the name is needed");
        assert_eq!(wrong, ["\"Name\": needed"]);
        assert!(ann.try_submit(&[("Name", Put::Text("eleven chars"))]).await.is_err());
        ann.submit_with(&[("Name", Put::Text("demo")), ("size", Put::Text("l")), ("Config", Put::File("a.yaml", b"a: 1"))])
            .await
            .ok();
        assert_eq!(slack.modal_errors(&ann)["name"], "is taken");
        ann.submit(&[("Name", "demo2")]).await.ok();
        assert_eq!(slack.modal(&ann).expect("a modal")["title"]["text"], "Second");
        ann.submit(&[("Name", "demo3")]).await.ok();
        assert!(slack.modal(&ann).is_none());
        let heard = ear.heard(4).await;
        let values = &heard[1]["payload"]["view"]["state"]["values"];
        assert_eq!(
            (&values["name"]["value"]["value"], &values["size"]["value"]["selected_option"]["value"]),
            (&json!("demo"), &json!("l"))
        );
        let file = &values["config"]["value"]["files"][0];
        assert_eq!(app.download(file["url_private_download"].as_str().expect("a url")).await, b"a: 1");
        slack.done().await;
    }
}

#[tokio::test]
async fn a_response_url_is_used_five_times() {
    let slack = Slack::start(Way::Socket).await;
    let _ear = listen(&slack, 1, yes()).await;
    let app = App::new(&slack);
    let channel = slack.channel("general", Kind::Private, &["ann"], false);
    let ann = slack.user("ann");
    let url = ann.command("/project", "list", &channel).await.ok().response_url;
    let respond = async |url: &str, body: Value| app.post(url, body.to_string()).await;
    assert_eq!(respond(&url, json!({ "text": "working" })).await.0, 200);
    assert_eq!(respond(&url, json!({ "text": "done", "replace_original": true })).await.0, 200);
    assert_eq!(slack.ephemerals(&ann).len(), 1);
    assert_eq!(slack.whisper(&ann, "done").await.edits, 1);
    assert_eq!(respond(&url, json!({ "text": "for all", "response_type": "in_channel" })).await.0, 200);
    assert_eq!(slack.messages(&channel)[0].text, "for all");
    assert_eq!(respond(&url, json!({ "delete_original": true })).await.0, 200);
    assert!(slack.messages(&channel).is_empty());
    assert_eq!(respond(&url, json!({ "text": "five" })).await.0, 200);
    assert_eq!(respond(&url, json!({ "text": "six" })).await, (404, "used_url".into()));
    let url = ann.command("/project", "list", &channel).await.ok().response_url;
    slack.rules(|r| r.response_life = Duration::ZERO);
    assert_eq!(respond(&url, json!({ "text": "late" })).await, (404, "expired_url".into()));
    super::forgive(&slack, 2);
    slack.done().await;
}

#[tokio::test]
async fn a_clicked_message_is_replaced_through_its_url() {
    let slack = Slack::start(Way::Socket).await;
    let _ear = listen(&slack, 1, yes()).await;
    let app = App::new(&slack);
    let channel = slack.channel("general", Kind::Public, &["ann"], true);
    let ann = slack.user("ann");
    let blocks = json!([section("Allow?"), { "type": "actions", "elements": [button("Allow", "allow")] }]);
    let ts = app.call("chat.postMessage", json!({ "channel": channel, "text": "t", "blocks": blocks })).await.ok()["ts"].clone();
    let url = ann.click(ts.as_str().expect("a ts"), "Allow").await.ok().response_url;
    assert_eq!(app.post(&url, json!({ "text": "only you" }).to_string()).await.0, 200);
    assert_eq!(app.post(&url, json!({ "text": "allowed", "replace_original": true }).to_string()).await.0, 200);
    let seen = slack.messages(&channel);
    assert_eq!((seen.len(), seen[0].text.as_str(), seen[0].buttons.len()), (1, "allowed", 0));
    assert_eq!(slack.ephemerals(&ann)[0].text, "only you");
    slack.done().await;
}

#[tokio::test]
async fn a_home_is_published_and_clicked() {
    let slack = Slack::start(Way::Socket).await;
    let mut ear = listen(&slack, 1, yes()).await;
    let app = App::new(&slack);
    let ann = slack.user("ann");
    ann.open_home();
    assert_eq!(ear.heard(1).await[0]["payload"]["event"]["tab"], "home");
    let home =
        json!({ "type": "home", "blocks": [section("Projects"), { "type": "actions", "elements": [button("New", "new")] }] });
    app.call("views.publish", json!({ "user_id": ann.id, "view": home })).await.ok();
    let shown = slack.home(&ann).expect("a home");
    let trigger = ann.click(shown["id"].as_str().expect("an id"), "New").await.ok().trigger_id;
    open(&app, &trigger, modal("New project")).await.ok();
    slack.opened(&ann, "New project").await;
    slack.done().await;
}

#[tokio::test]
async fn a_transcript_is_the_same_each_time() {
    let slack = Slack::start(Way::Socket).await;
    let _ear = listen(&slack, 1, yes()).await;
    let app = App::new(&slack);
    let channel = slack.channel("general", Kind::Public, &["ann"], true);
    let ann = slack.user("ann");
    let root = ann.mention(&channel, "hello");
    let blocks = json!([section("hi <@U0ANN>\nsecond line"), { "type": "actions", "elements": [button("Stop", "stop")] }]);
    app.call("chat.postMessage", json!({ "channel": channel, "thread_ts": root, "text": "t", "blocks": blocks })).await.ok();
    app.call("chat.postEphemeral", json!({ "channel": channel, "user": ann.id, "text": format!("see {root}") })).await.ok();
    let expected = "ann: @gaggle hello\n    gaggle: hi @ann\n      second line\n      [Stop]\n(only ann) gaggle: see <1>\n";
    assert_eq!(slack.transcript(&channel), expected);
    slack.done().await;
}
