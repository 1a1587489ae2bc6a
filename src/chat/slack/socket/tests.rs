//! Connections against a Slack of a few lines, whose sockets a test drives by hand.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::routing::post;
use axum::{Json, Router};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::super::payload::Payload;
use super::*;

const LONG: Duration = Duration::from_secs(20);

/// Slack's end of a connection.
struct End(WebSocketStream<TcpStream>);

struct Slack {
    ends: mpsc::Receiver<End>,
    queue: mpsc::Receiver<Delivery>,
    opened: Arc<AtomicUsize>,
    /// The keys of what was kept.
    kept: Arc<std::sync::Mutex<Vec<String>>>,
    stop: CancellationToken,
}

impl Slack {
    /// `answer` to the call for an address; `null`: the right one.
    async fn start(answer: Value, places: usize) -> (Self, Result<Sockets, Fault>) {
        let sockets = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = json!({ "ok": true, "url": format!("ws://{}/link/?ticket=hunter2", sockets.local_addr().unwrap()) });
        let answer = if answer.is_null() { address } else { answer };
        let opened = Arc::new(AtomicUsize::new(0));
        let count = opened.clone();
        let open = post(async move || {
            count.fetch_add(1, Ordering::SeqCst);
            Json(answer.clone())
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = Api::new(&format!("http://{}/api", listener.local_addr().unwrap()), "xapp-1".to_owned().into()).unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/api/apps.connections.open", open)).await });
        let (sender, ends) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok((stream, _)) = sockets.accept().await {
                let end = tokio_tungstenite::accept_async(stream).await.unwrap();
                if sender.send(End(end)).await.is_err() {
                    return;
                }
            }
        });
        let (deliveries, queue) = mpsc::channel(places);
        let stop = CancellationToken::new();
        let kept = Arc::<std::sync::Mutex<Vec<String>>>::default();
        let keeps = kept.clone();
        let keep = move |key: &str, _: &str| {
            keeps.lock().unwrap().push(key.to_owned());
            true
        };
        let started = start(api, deliveries, Arc::new(keep), stop.clone()).await;
        (Self { ends, queue, opened, kept, stop }, started)
    }

    /// The next connection, greeted.
    async fn end(&mut self) -> End {
        within(self.greeted(18_060)).await
    }

    async fn greeted(&mut self, lasts: u32) -> End {
        let mut end = self.ends.recv().await.unwrap();
        end.say(json!({ "type": "hello", "num_connections": 1, "debug_info": { "approximate_connection_time": lasts } })).await;
        end
    }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, work).await.expect("nothing came")
}

async fn live(sockets: &Sockets, count: usize) {
    within(sockets.board().state().wait_for(|state| state.live == count)).await.unwrap();
}

impl End {
    async fn say(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        loop {
            match within(self.0.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Close(_))) | None | Some(Err(_)) => return Value::Null,
                Some(Ok(_)) => {}
            }
        }
    }
}

fn command(number: usize) -> Value {
    let payload = json!({ "command": "/ask", "user_id": "U1", "channel_id": "C1", "trigger_id": number.to_string() });
    json!({ "type": "slash_commands", "envelope_id": format!("e{number}"), "payload": payload, "accepts_response_payload": true })
}

fn event(envelope: &str) -> Value {
    let inner = json!({ "type": "message", "channel": "C1", "user": "U1", "ts": "1.1", "text": "hi" });
    let payload = json!({ "type": "event_callback", "event_id": "Ev1", "event": inner });
    json!({ "type": "events_api", "envelope_id": envelope, "payload": payload, "retry_attempt": 1, "retry_reason": "timeout" })
}

#[tokio::test]
async fn commands_are_acknowledged_at_once_and_events_by_who_takes_them() {
    let (mut slack, sockets) = Slack::start(Value::Null, 8).await;
    let sockets = sockets.unwrap();
    let (mut end, _other) = (slack.end().await, slack.end().await);
    live(&sockets, 2).await;
    end.say(command(1)).await;
    assert_eq!(end.hear().await, json!({ "envelope_id": "e1" }));
    let delivery = slack.queue.recv().await.unwrap();
    assert!(delivery.keys[0].starts_with("trigger:1:"), "the envelope is another when it comes again: {:?}", delivery.keys);
    end.say(event("e2")).await;
    end.say(event("e3")).await;
    end.say(command(4)).await;
    assert_eq!(end.hear().await, json!({ "envelope_id": "e4" }), "nothing is said of the events yet");
    let first = slack.queue.recv().await.unwrap();
    assert_eq!((first.retry, first.keys[0].as_str()), (1, "event:Ev1"));
    drop(first);
    slack.queue.recv().await.unwrap().ack.ok();
    assert_eq!(end.hear().await, json!({ "envelope_id": "e3" }), "what was dropped is not acknowledged");
    let submit = json!({ "type": "view_submission", "user": { "id": "U1" }, "view": { "id": "V1" }, "trigger_id": "t" });
    end.say(json!({ "type": "interactive", "envelope_id": "e5", "payload": submit })).await;
    slack.queue.recv().await.unwrap();
    slack.queue.recv().await.unwrap().ack.with(json!({ "response_action": "clear" }));
    assert_eq!(end.hear().await, json!({ "envelope_id": "e5", "payload": { "response_action": "clear" } }));
    slack.stop.cancel();
    assert_eq!(end.hear().await, Value::Null);
    within(sockets.ended()).await;
}

#[tokio::test]
async fn what_was_kept_is_handed_on_though_its_acknowledgement_finds_nobody() {
    let (mut slack, sockets) = Slack::start(Value::Null, 64).await;
    let _sockets = sockets.unwrap();
    let (mut end, _other) = (slack.end().await, slack.end().await);
    for number in 0..40 {
        end.say(command(number)).await;
    }
    drop(end);
    let _next = slack.end().await;
    let kept = slack.kept.lock().unwrap().clone();
    assert!(!kept.is_empty());
    for key in kept {
        assert_eq!(within(slack.queue.recv()).await.unwrap().keys[0], key);
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_acknowledged_and_forgotten() {
    let (mut slack, sockets) = Slack::start(Value::Null, 8).await;
    let _sockets = sockets.unwrap();
    let mut end = slack.end().await;
    end.0.send(Message::text(r#"{"type":"events_api","envelope_id":"e1","payload":{"#)).await.unwrap();
    assert_eq!(end.hear().await, json!({ "envelope_id": "e1" }));
    end.0.send(Message::text("nothing")).await.unwrap();
    end.say(json!({ "type": "new_thing", "envelope_id": "e2", "payload": { "a": 1 } })).await;
    assert_eq!(end.hear().await, json!({ "envelope_id": "e2" }));
    end.say(json!({ "type": "events_api", "envelope_id": "e3", "payload": 5 })).await;
    assert_eq!(end.hear().await, json!({ "envelope_id": "e3" }));
    let delivery = slack.queue.recv().await.unwrap();
    assert!(matches!(delivery.payload, Payload::Unknown { kind } if kind == "new_thing"));
}

#[tokio::test]
async fn the_next_is_there_before_the_old_one_goes() {
    let (mut slack, sockets) = Slack::start(Value::Null, 8).await;
    let sockets = sockets.unwrap();
    let (mut end, _other) = (slack.end().await, slack.end().await);
    live(&sockets, 2).await;
    end.say(json!({ "type": "disconnect", "reason": "warning" })).await;
    let _next = slack.end().await;
    live(&sockets, 3).await;
    end.say(json!({ "type": "disconnect", "reason": "refresh_requested" })).await;
    end.say(command(1)).await;
    assert_eq!(end.hear().await, json!({ "envelope_id": "e1" }), "the old one is still read");
    end.0.close(None).await.unwrap();
    live(&sockets, 2).await;
    assert_eq!(slack.opened.load(Ordering::SeqCst), 3, "one for one");
}

#[tokio::test]
async fn a_cut_is_mended_and_the_gap_is_told() {
    let (mut slack, sockets) = Slack::start(Value::Null, 8).await;
    let sockets = sockets.unwrap();
    let (one, two) = (slack.end().await, slack.end().await);
    live(&sockets, 2).await;
    drop((one, two));
    live(&sockets, 0).await;
    let _again = slack.end().await;
    let gap = within(sockets.board().gap()).await;
    assert!(gap.from <= gap.to);
}

#[tokio::test]
async fn a_token_that_is_no_good_is_an_error_and_no_loop() {
    let (slack, sockets) = Slack::start(json!({ "ok": false, "error": "invalid_auth" }), 1).await;
    assert_eq!(sockets.err(), Some(Fault::Refused("invalid_auth".into())));
    assert_eq!(slack.opened.load(Ordering::SeqCst), 1);
    let (_, sockets) = Slack::start(json!({ "ok": false, "error": "not_allowed_token_type" }), 1).await;
    assert!(sockets.is_err());
}

#[tokio::test]
async fn socket_mode_switched_off_is_a_state_and_no_loop() {
    let (mut slack, sockets) = Slack::start(Value::Null, 8).await;
    let sockets = sockets.unwrap();
    let (mut one, mut two) = (slack.end().await, slack.end().await);
    for end in [&mut one, &mut two] {
        end.say(json!({ "type": "disconnect", "reason": "link_disabled" })).await;
        end.0.close(None).await.unwrap();
    }
    let state = within(sockets.board().state().wait_for(|state| state.refused.is_some())).await.unwrap().clone();
    assert_eq!(state.refused.as_deref(), Some("link_disabled"));
    drop((one, two));
    live(&sockets, 0).await;
    assert_eq!(slack.opened.load(Ordering::SeqCst), 2, "it is left alone for a while");
    // Switched on again.
    let (_one, _two) = (slack.end().await, slack.end().await);
    live(&sockets, 2).await;
    assert_eq!(sockets.board().state().borrow().refused, None);
    slack.stop.cancel();
    within(sockets.ended()).await;
}

#[test]
fn what_slack_refuses_is_asked_for_seldom() {
    let mut refusals = 0;
    let pauses: Vec<_> = (0..10).map(|_| seldom(&mut refusals)).collect();
    assert!(pauses[0] <= REFUSED && pauses.iter().all(|pause| *pause <= SELDOM), "{pauses:?}");
    assert!(pauses.windows(2).all(|two| two[1] > two[0] || two[1] > SELDOM / 2), "{pauses:?}");
}

#[tokio::test]
async fn a_full_queue_stops_the_reading_and_not_the_acknowledgements() {
    let (mut slack, sockets) = Slack::start(Value::Null, 1).await;
    let _sockets = sockets.unwrap();
    let mut end = slack.end().await;
    end.say(event("e1")).await;
    for number in 2..5 {
        end.say(command(number)).await;
    }
    // The first command is acknowledged and then waits, and with it the rest.
    assert_eq!(end.hear().await, json!({ "envelope_id": "e2" }));
    assert!(tokio::time::timeout(Duration::from_millis(100), end.0.next()).await.is_err());
    slack.queue.recv().await.unwrap().ack.ok();
    let mut heard = Vec::new();
    for _ in 0..2 {
        heard.push(end.hear().await["envelope_id"].as_str().unwrap().to_owned());
    }
    heard.sort();
    assert_eq!(heard, ["e1", "e3"]);
    for number in 2..5 {
        assert!(slack.queue.recv().await.unwrap().keys[0].starts_with(&format!("trigger:{number}:")));
    }
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_asked_and_then_replaced() {
    let (mut slack, sockets) = Slack::start(Value::Null, 8).await;
    let sockets = sockets.unwrap();
    let (mut one, _two) = (slack.end().await, slack.end().await);
    live(&sockets, 2).await;
    tokio::time::pause();
    let since = Instant::now();
    assert!(matches!(one.0.next().await, Some(Ok(Message::Ping(_)))));
    assert!((29..32).contains(&since.elapsed().as_secs()));
    // Its answer stays in its buffer, since nobody reads on.
    let _again = slack.greeted(18_060).await;
    assert!((59..62).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
}

#[tokio::test]
async fn connections_are_renewed_before_slack_ends_them_one_after_the_other() {
    let (mut slack, sockets) = Slack::start(Value::Null, 8).await;
    let sockets = sockets.unwrap();
    for _ in 0..2 {
        let mut end = slack.greeted(100).await;
        tokio::spawn(async move { while let Some(Ok(_)) = end.0.next().await {} });
    }
    live(&sockets, 2).await;
    tokio::time::pause();
    let since = Instant::now();
    let _first = slack.greeted(18_060).await;
    assert!((64..76).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    let _second = slack.greeted(18_060).await;
    assert!((79..91).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    assert_eq!(slack.opened.load(Ordering::SeqCst), 4);
    assert!(sockets.board().gaps_untold().is_none(), "there was always one");
}

#[test]
fn pauses_grow_to_an_end_and_heed_slack() {
    let cut = Fault::Unsent("cut");
    for failures in 0..40 {
        assert!(backoff(failures, &cut) <= MOST);
    }
    assert!((0..50).any(|_| backoff(20, &cut) > MOST / 4));
    assert!(backoff(0, &Fault::Limited(Duration::from_secs(9))) >= Duration::from_secs(9));
    assert!(backoff(0, &Fault::Limited(Duration::from_secs(90_000))) < Duration::from_secs(400));
}
