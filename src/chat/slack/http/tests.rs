//! Every refusal of the door, and what goes through it.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::super::payload::Happened;
use super::*;

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const FORM: &str = "application/x-www-form-urlencoded";
const COMMAND: &str = "team_id=T1&channel_id=C1&user_id=U1&user_name=ann&command=%2Fask&text=shop+why%3F+%26+%C3%A9&trigger_id=1.2&response_url=https%3A%2F%2Fhooks.slack.com%2Fx";
const EVENT: &str = r#"{"type":"event_callback","team_id":"T1","event_id":"Ev1","event":{"type":"message","channel":"C1","user":"U1","text":"hi","ts":"1.1"}}"#;

struct Doors {
    url: String,
    client: reqwest::Client,
    queue: mpsc::Receiver<Delivery>,
}

/// One request, whose signature can be spoilt.
#[derive(Clone)]
struct Sent {
    path: &'static str,
    kind: &'static str,
    body: String,
    time: i64,
    secret: &'static str,
    retry: Option<&'static str>,
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

fn command() -> Sent {
    Sent { path: "commands", kind: FORM, body: COMMAND.to_owned(), time: now(), secret: SECRET, retry: None }
}

fn event() -> Sent {
    Sent { path: "events", kind: "application/json; charset=utf-8", body: EVENT.to_owned(), ..command() }
}

impl Sent {
    fn signature(&self) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap();
        mac.update(format!("v0:{}:{}", self.time, self.body).as_bytes());
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("v0={hex}")
    }
}

impl Doors {
    async fn open(places: usize) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (sender, queue) = mpsc::channel(places);
        let routes = routes(&SECRET.to_owned().into(), sender, std::sync::Arc::new(|_, _| true));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/slack", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, client: reqwest::Client::new(), queue }
    }

    fn request(&self, sent: &Sent) -> reqwest::RequestBuilder {
        let request = self.client.post(format!("{}/{}", self.url, sent.path)).header("content-type", sent.kind);
        let request = request.header("x-slack-request-timestamp", sent.time).header("x-slack-signature", sent.signature());
        match sent.retry {
            Some(retry) => request.header("x-slack-retry-num", retry).body(sent.body.clone()),
            None => request.body(sent.body.clone()),
        }
    }

    async fn send(&self, sent: &Sent) -> (u16, String) {
        let answer = self.request(sent).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Nothing came of it.
    async fn refused(&mut self, sent: &Sent, status: u16) {
        assert_eq!(self.send(sent).await, (status, String::new()));
        assert!(self.queue.try_recv().is_err());
    }
}

#[tokio::test]
async fn a_signed_command_is_acknowledged_and_handed_on() {
    let mut doors = Doors::open(4).await;
    assert_eq!(doors.send(&command()).await, (200, String::new()));
    let delivery = doors.queue.recv().await.unwrap();
    assert!(delivery.keys[0].starts_with("trigger:1.2:"), "{:?}", delivery.keys);
    let Payload::Command(command) = &delivery.payload else { panic!("{delivery:?}") };
    assert_eq!((&*command.text, command.command.as_str(), command.user_id.as_str()), ("shop why? & é", "/ask", "U1"));
    assert!(!format!("{delivery:?} {command:?}").contains("hooks.slack.com"));
}

#[tokio::test]
async fn what_is_not_slacks_is_refused() {
    let mut doors = Doors::open(4).await;
    doors.refused(&Sent { secret: "forged", ..command() }, 401).await;
    doors.refused(&Sent { time: now() - 310, ..command() }, 401).await;
    doors.refused(&Sent { time: now() + 310, ..command() }, 401).await;
    doors.refused(&Sent { time: i64::MIN, secret: "forged", ..command() }, 401).await;
    for header in ["x-slack-signature", "x-slack-request-timestamp"] {
        let mut request = doors.request(&command()).build().unwrap();
        request.headers_mut().remove(header);
        assert_eq!(doors.client.execute(request).await.unwrap().status(), 401, "without {header}");
    }
    // The body is another than the signed one.
    let mut request = doors.request(&command()).build().unwrap();
    *request.body_mut() = Some(COMMAND.replace("shop", "bank").into());
    assert_eq!(doors.client.execute(request).await.unwrap().status(), 401);
    assert!(doors.queue.try_recv().is_err());
}

#[tokio::test]
async fn an_exact_repeat_is_refused_unless_it_is_an_events_retry() {
    let mut doors = Doors::open(4).await;
    let sent = command();
    assert_eq!(doors.send(&sent).await.0, 200);
    doors.queue.recv().await.unwrap();
    doors.refused(&sent, 401).await;
    doors.refused(&Sent { retry: Some("1"), ..sent }, 401).await;
    let sent = event();
    for retry in [None, Some("1")] {
        let sent = Sent { retry, ..sent.clone() };
        let (answer, delivery) = tokio::join!(doors.request(&sent).send(), async {
            let delivery = doors.queue.recv().await.unwrap();
            delivery.ack.ok();
            (delivery.retry, delivery.keys)
        });
        assert_eq!(answer.unwrap().status(), 200);
        assert_eq!(delivery, (u32::from(retry.is_some()), vec!["event:Ev1".to_owned(), "message:C1:1.1".to_owned()]));
    }
    doors.refused(&sent, 401).await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_believed() {
    let mut doors = Doors::open(4).await;
    let body = format!("{COMMAND}&x={}", "x".repeat(BODY));
    doors.refused(&Sent { body, secret: "forged", ..command() }, 413).await;
    // Without a length, as it comes.
    let pieces = futures_util::stream::iter((0..40).map(|_| Ok::<_, std::io::Error>("x".repeat(64 << 10))));
    let request = doors.request(&command()).body(reqwest::Body::wrap_stream(pieces));
    // The door may be shut while the rest is still being sent.
    if let Ok(answer) = request.send().await {
        assert_eq!(answer.status(), 413);
    }
    assert!(doors.queue.try_recv().is_err());
}

#[tokio::test]
async fn what_is_not_understood_is_refused() {
    let mut doors = Doors::open(4).await;
    doors.refused(&Sent { body: "text=hi".into(), ..command() }, 400).await;
    doors.refused(&Sent { body: "{".into(), ..event() }, 400).await;
    doors.refused(&Sent { body: "[1]".into(), ..event() }, 400).await;
    doors.refused(&Sent { path: "interactivity", body: "a=b".into(), ..command() }, 400).await;
    doors.refused(&Sent { path: "interactivity", body: "payload=%7B".into(), ..command() }, 400).await;
    doors.refused(&Sent { kind: "application/json", ..command() }, 415).await;
    doors.refused(&Sent { kind: FORM, ..event() }, 415).await;
    let mut request = doors.request(&command()).build().unwrap();
    *request.body_mut() = Some(vec![0xff, 0xfe].into());
    assert_eq!(doors.client.execute(request).await.unwrap().status(), 400);
    assert_eq!(doors.client.get(format!("{}/commands", doors.url)).send().await.unwrap().status(), 405);
    assert!(doors.queue.try_recv().is_err());
}

#[tokio::test]
async fn slacks_own_questions_are_answered_when_they_are_signed() {
    let mut doors = Doors::open(4).await;
    let body = r#"{"token":"x","challenge":"3eZb","type":"url_verification"}"#.to_owned();
    let sent = Sent { body, ..event() };
    assert_eq!(doors.send(&sent).await, (200, r#"{"challenge":"3eZb"}"#.into()));
    doors.refused(&Sent { secret: "forged", ..sent }, 401).await;
    assert_eq!(doors.send(&Sent { body: "ssl_check=1&token=x".into(), ..command() }).await, (200, String::new()));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let mut doors = Doors::open(1).await;
    assert_eq!(doors.send(&command()).await.0, 200);
    let second = Sent { body: format!("{COMMAND}&n=2"), ..command() };
    assert_eq!(doors.send(&second).await.0, 503);
    assert_eq!(doors.send(&event()).await.0, 503);
    doors.queue.recv().await.unwrap();
    assert_eq!(doors.send(&second).await.0, 200, "what was not taken may come again");
}

#[tokio::test]
async fn an_event_is_acknowledged_when_it_is_safe_and_not_before() {
    let mut doors = Doors::open(4).await;
    let sent = event();
    let (answer, ()) = tokio::join!(doors.request(&sent).send(), async { drop(doors.queue.recv().await.unwrap()) });
    assert_eq!(answer.unwrap().status(), 503, "dropped is not acknowledged");
    let (answer, ()) = tokio::join!(doors.request(&sent).send(), async {
        let delivery = doors.queue.recv().await.unwrap();
        let Payload::Event(event) = &delivery.payload else { panic!("{delivery:?}") };
        assert!(matches!(&event.happened, Happened::Message(message) if &*message.text == "hi"));
        delivery.ack.ok();
    });
    assert_eq!(answer.unwrap().status(), 200);
}

#[tokio::test]
async fn a_submission_is_answered_by_who_takes_it_and_a_click_is_not() {
    let mut doors = Doors::open(4).await;
    let payload = |json: &str| {
        let mut url = reqwest::Url::parse("http://x").unwrap();
        url.query_pairs_mut().append_pair("payload", json);
        Sent { path: "interactivity", body: url.query().unwrap().to_owned(), ..command() }
    };
    let submit =
        payload(r#"{"type":"view_submission","user":{"id":"U1"},"trigger_id":"t","view":{"id":"V1","state":{"values":{}}}}"#);
    let (answer, ()) = tokio::join!(doors.request(&submit).send(), async {
        let delivery = doors.queue.recv().await.unwrap();
        assert!(matches!(delivery.payload, Payload::Submit(_)));
        delivery.ack.with(json!({ "response_action": "errors", "errors": { "name": "Taken." } }));
    });
    let answer: Value = answer.unwrap().json().await.unwrap();
    assert_eq!(answer["errors"]["name"], "Taken.");
    let click =
        payload(r#"{"type":"block_actions","user":{"id":"U1"},"trigger_id":"t2","actions":[{"action_id":"a","value":"b"}]}"#);
    assert_eq!(doors.send(&click).await, (200, String::new()));
    let unknown = payload(r#"{"type":"block_suggestion","user":{"id":"U1"}}"#);
    assert_eq!(doors.send(&unknown).await, (200, String::new()));
    assert!(matches!(doors.queue.recv().await.unwrap().payload, Payload::Click(click) if click.actions[0].one() == Some("b")));
}
