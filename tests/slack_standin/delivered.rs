//! What reaches an app by socket and by signed request: shapes, deadlines, repeats, ends of sockets.
//!
//! Absence: nothing here waits longer than for the thing that it is about.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use slack_morphism::prelude::{SlackCommandEvent, SlackEventCallbackBody, SlackInteractionEvent, SlackPushEvent};

use super::client::{Answer, listen, yes};
use super::{button, section};
use crate::support::slack::{BOT_USER, Kind, Missed, Rules, Slack, Way};

const WAYS: [Way; 2] = [Way::Socket, Way::Http];

fn silent() -> Answer {
    Arc::new(|_| None)
}

#[tokio::test]
async fn what_is_sent_can_be_read_by_slacks_own_types() {
    for way in WAYS {
        let slack = Slack::start(way).await;
        let mut ear = listen(&slack, 2, yes()).await;
        let (ann, bob) = (slack.user("ann"), slack.user("bob"));
        let channel = slack.channel("general", Kind::Public, &["ann", "bob"], true);
        let root = ann.mention(&channel, "hello");
        ann.write(&channel, Some(&root), "look", &[("a.png", b"png")]);
        ann.edit(&channel, &root, "hello again");
        bob.delete(&channel, &root);
        ann.dm("just us");
        ann.open_home();
        slack.bot_says(&channel, None, "beep");
        slack.joins(&channel, &slack.user("cleo"));
        slack.rename(&channel, "random");
        slack.group("team", &[&ann]);
        slack.group("team", &[&bob]);
        slack.deactivate(&bob);
        slack.archive(&channel, &ann);
        slack.bot_removed(&channel);
        slack.revoke_token();
        slack.uninstall();
        let heard = ear.heard(17).await;
        for frame in &heard {
            let parsed: SlackPushEvent =
                serde_json::from_value(frame["payload"].clone()).unwrap_or_else(|e| panic!("{e}: {frame}"));
            let SlackPushEvent::EventCallback(callback) = parsed else { panic!("{frame}") };
            let kind = frame["payload"]["event"]["type"].as_str().expect("a type");
            let is_message = matches!(callback.event, SlackEventCallbackBody::Message(_));
            assert_eq!(is_message, kind == "message", "{frame}");
        }
        let outcome = ann.command("/gaggle", "help me & <you>", &channel).await.ok();
        assert_eq!(outcome.body, Value::Null);
        let command = ear.heard(18).await.remove(17);
        let mut payload = command["payload"].clone();
        payload["is_enterprise_install"] = json!(false);
        let parsed: SlackCommandEvent = serde_json::from_value(payload).expect("a command");
        assert_eq!(parsed.text.as_deref(), Some("help me & <you>"));
        slack.done().await;
    }
}

#[tokio::test]
async fn a_mention_is_two_events_where_the_bot_is_and_none_elsewhere() {
    let slack = Slack::start(Way::Socket).await;
    let mut ear = listen(&slack, 1, yes()).await;
    let ann = slack.user("ann");
    let (here, there) =
        (slack.channel("here", Kind::Private, &["ann"], true), slack.channel("there", Kind::Public, &["ann"], false));
    ann.mention(&there, "are you there?");
    let ts = ann.mention(&here, "and here?");
    let heard = ear.heard(2).await;
    let kinds: Vec<&Value> = heard.iter().map(|f| &f["payload"]["event"]["type"]).collect();
    assert_eq!(kinds, ["app_mention", "message"]);
    assert_ne!(heard[0]["payload"]["event_id"], heard[1]["payload"]["event_id"]);
    assert!(heard.iter().all(|f| f["payload"]["event"]["ts"] == ts.as_str()));
    assert_eq!(heard[1]["payload"]["event"]["channel_type"], "group");
    slack.settled().await;
    assert_eq!(ear.so_far().len(), 2);
    slack.done().await;
}

#[tokio::test]
async fn an_event_that_is_not_acknowledged_comes_again_three_times() {
    for way in WAYS {
        let mut rules = Rules::default().quick_retries();
        rules.ack = Duration::from_millis(100);
        let slack = Slack::with(way, rules).await;
        let mut ear = listen(&slack, 2, silent()).await;
        let (channel, _) = slack.user("ann").dm("anybody?");
        slack.settled().await;
        let heard = ear.heard(4).await;
        assert_eq!(heard.len(), 4);
        let attempts: Vec<u64> = heard.iter().map(|f| f["retry_attempt"].as_u64().unwrap_or(0)).collect();
        assert_eq!(attempts, [0, 1, 2, 3]);
        assert!(
            heard.iter().all(|f| f["payload"] == heard[0]["payload"] && f["payload"]["event"]["channel"] == channel.as_str())
        );
        if way == Way::Socket {
            assert_ne!(heard[0]["envelope_id"], heard[1]["envelope_id"]);
            assert_eq!(heard[1]["retry_reason"], "timeout");
            assert!(slack.faults()[0].contains("late"));
        } else {
            assert_eq!(heard[1]["retry_reason"], "http_error");
        }
        assert_eq!(slack.faults().len(), 4, "each was a fault: {:?}", slack.faults());
    }
}

#[tokio::test]
async fn an_event_is_repeated_until_it_is_acknowledged() {
    for way in WAYS {
        let mut rules = Rules::default().quick_retries();
        rules.ack = Duration::from_millis(100);
        let slack = Slack::with(way, rules).await;
        let asked = Arc::new(AtomicUsize::new(0));
        let answer: Answer = Arc::new(move |_| (asked.fetch_add(1, Ordering::SeqCst) == 1).then_some(Value::Null));
        let ear = listen(&slack, 1, answer).await;
        slack.user("ann").dm("anybody?");
        slack.settled().await;
        assert_eq!(ear.so_far().len(), 2);
        assert!(slack.look(|s| s.deliveries[0].missed.is_some() && s.deliveries[1].acked.is_some()));
    }
}

#[tokio::test]
async fn a_command_that_is_late_has_failed_for_its_user() {
    let slack = Slack::start(Way::Socket).await;
    slack.rules(|r| r.ack = Duration::from_millis(50));
    let channel = slack.channel("general", Kind::Public, &["ann"], true);
    let ann = slack.user("ann");
    assert_eq!(ann.command("/gaggle", "help", &channel).await.failed, Some(Missed::Absent));
    assert!(slack.faults().is_empty(), "nobody was there to be late");
    let mut ear = listen(&slack, 1, silent()).await;
    assert_eq!(ann.command("/gaggle", "help", &channel).await.failed, Some(Missed::Late));
    assert!(slack.faults().iter().any(|f| f.contains("dispatch_failed")), "{:?}", slack.faults());
    assert_eq!(ear.heard(1).await.len(), 1, "commands are not repeated");
}

#[tokio::test]
async fn an_acknowledgement_can_carry_the_answer() {
    for way in WAYS {
        let slack = Slack::start(way).await;
        let channel = slack.channel("general", Kind::Public, &["ann"], true);
        let ann = slack.user("ann");
        let answer: Answer = Arc::new(|_| Some(json!({ "text": "fallback", "blocks": [section("*here*")] })));
        let _ear = listen(&slack, 1, answer).await;
        ann.command("/gaggle", "help", &channel).await.ok();
        assert_eq!(slack.ephemerals(&ann)[0].text, "*here*");
        slack.done().await;
    }
}

#[tokio::test]
async fn sockets_are_warned_refreshed_and_cut() {
    let slack = Slack::start(Way::Socket).await;
    slack.rules(|r| r.retries = vec![Duration::ZERO; 3]);
    let mut ear = listen(&slack, 2, yes()).await;
    slack.disconnect(1, "warning");
    slack.disconnect(1, "refresh_requested");
    slack.wait("one socket less", |s| (s.sockets.len() == 1).then_some(())).await;
    let reasons: Vec<Value> = ear.heard(2).await.iter().map(|f| f["reason"].clone()).collect();
    assert_eq!(reasons, ["warning", "refresh_requested"]);

    // What a cut socket had not acknowledged goes to another one.
    slack.cut_sockets(1);
    slack.wait("no socket", |s| s.sockets.is_empty().then_some(())).await;
    let _mute = listen(&slack, 1, silent()).await;
    slack.user("ann").dm("anybody?");
    slack.wait("the sending", |s| s.deliveries.iter().any(|d| d.socket.is_some()).then_some(())).await;
    let mut ear = listen(&slack, 1, yes()).await;
    slack.cut_sockets(1);
    let heard = ear.heard(1).await;
    assert_eq!(heard[0]["retry_attempt"], 1);
    slack.refuse_sockets(true);
    slack.done().await;
}

#[tokio::test]
async fn a_ticket_opens_one_socket_and_an_app_has_ten() {
    use futures_util::{SinkExt as _, StreamExt as _};
    let slack = Slack::start(Way::Socket).await;
    let mut app = super::client::App::new(&slack);
    app.token = crate::support::slack::APP_TOKEN.into();
    let url = app.call("apps.connections.open", json!({})).await.ok()["url"].as_str().expect("a url").to_owned();
    let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.expect("a socket");
    assert!(tokio_tungstenite::connect_async(&url).await.is_err());
    socket.next().await.expect("hello").expect("hello");
    socket.send(tokio_tungstenite::tungstenite::Message::text(r#"{"envelope_id":"made-up"}"#)).await.expect("sent");
    slack.wait("the fault", |s| (s.faults.len() == 2).then_some(())).await;
    slack.allow("");
    let _nine = listen(&slack, 9, yes()).await;
    let url = app.call("apps.connections.open", json!({})).await.ok()["url"].as_str().expect("a url").to_owned();
    let (mut eleventh, _) = tokio_tungstenite::connect_async(&url).await.expect("a socket");
    let frame = eleventh.next().await.expect("a frame").expect("a frame");
    assert!(frame.to_text().expect("text").contains("too_many_websockets"));
}

#[tokio::test]
async fn a_click_is_a_whole_payload() {
    for way in WAYS {
        let slack = Slack::start(way).await;
        slack.rules(|r| r.echo = false);
        let mut ear = listen(&slack, 1, yes()).await;
        let app = super::client::App::new(&slack);
        let channel = slack.channel("general", Kind::Public, &["ann"], true);
        let ann = slack.user("ann");
        let mut risky = button("Delete", "delete");
        let plain = |text: &str| json!({ "type": "plain_text", "text": text });
        risky["confirm"] =
            json!({ "title": plain("Sure?"), "text": plain("Gone for good."), "confirm": plain("Yes"), "deny": plain("No") });
        let blocks = json!([section("demo"), { "type": "actions", "elements": [button("Stop", "stop"), risky] }]);
        let args = json!({ "channel": channel, "text": "demo", "blocks": blocks, "user": ann.id });
        let ts = app.call("chat.postMessage", args.clone()).await.ok()["ts"].as_str().expect("a ts").to_owned();
        ann.click(&ts, "Stop").await.ok();
        assert!(ann.dialog(&ts, "Delete").is_some());
        ann.confirm(&ts, "Delete").await.ok();
        let hidden = app.call("chat.postEphemeral", args).await.ok()["message_ts"].as_str().expect("a ts").to_owned();
        ann.click(&hidden, "stop").await.ok();
        ann.shortcut(&channel, &ts, "ask_goose").await.ok();
        let heard = ear.heard(4).await;
        for frame in &heard {
            let parsed = serde_json::from_value::<SlackInteractionEvent>(frame["payload"].clone());
            assert!(parsed.is_ok(), "{parsed:?}: {frame}");
        }
        assert_eq!(heard[0]["payload"]["actions"][0]["action_id"], "stop");
        assert_eq!(heard[0]["payload"]["message"]["user"], BOT_USER);
        assert_eq!(heard[2]["payload"]["container"]["is_ephemeral"], true);
        assert!(heard[2]["payload"]["message"].is_null(), "an ephemeral message is not in the payload");
        slack.done().await;
    }
}
