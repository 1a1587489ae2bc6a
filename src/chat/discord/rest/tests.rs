//! What comes of a request, against a server that answers whatever a test wants.
//!
//! Invariant: the clock is real, since sockets are; so nothing here waits for longer than a second or two.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request as Incoming, State};
use axum::http::{HeaderMap, Response};
use bytes::Bytes;
use serde_json::json;

use super::*;

const TOKEN: &str = "hunter2.bot";

#[derive(Debug, Clone)]
struct Seen {
    line: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    after: Duration,
}

impl Answer {
    fn new(status: u16, body: impl ToString) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string(), after: Duration::ZERO }
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Every request, and what is answered to the next ones. After those: `{"id":"1"}`.
#[derive(Default)]
struct Discord {
    seen: Mutex<Vec<Seen>>,
    next: Mutex<VecDeque<Answer>>,
}

impl Discord {
    fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.next.lock().unwrap().extend(answers);
    }

    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

async fn answer(State(discord): State<Arc<Discord>>, request: Incoming) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    discord.seen.lock().unwrap().push(Seen { line: format!("{} {}", head.method, head.uri), headers: head.headers, body });
    let answer = discord.next.lock().unwrap().pop_front().unwrap_or_else(|| Answer::new(200, r#"{"id":"1"}"#));
    sleep(answer.after).await;
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}

async fn discord() -> (Arc<Discord>, Rest, String) {
    let discord = Arc::new(Discord::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/api", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(discord.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (discord, Rest::new(&base, TOKEN.into()).unwrap(), base)
}

fn post() -> Route {
    Route::new(Method::POST, "/channels/1/messages")
}

fn edit() -> Route {
    Route::new(Method::PATCH, "/channels/1/messages/2")
}

#[tokio::test]
async fn a_request_goes_where_it_should_with_what_it_should() {
    let (discord, rest, base) = discord().await;
    let body = json!({ "content": "hello" });
    assert_eq!(rest.call(Request::new(post()).body(&body), Rank::Reply).await, Ok(json!({ "id": "1" })));
    let query = [("limit", "5".to_owned()), ("after", "a&b".to_owned())];
    let get = Request::new(Route::new(Method::GET, "/channels/1/messages")).query(&query);
    rest.call(get, Rank::Reply).await.unwrap();
    discord.answers([Answer::new(204, "")]);
    let slash = Rest::new(&format!("{base}/"), TOKEN.into()).unwrap();
    let typing = Request::new(Route::new(Method::POST, "/channels/1/typing"));
    assert_eq!(slash.call(typing, Rank::Extra).await, Ok(Value::Null));
    // An interaction's token is enough, and the bot's is not shown where it is not needed.
    rest.call(Request::new(Route::new(Method::POST, "/webhooks/1/tok")).body(&body), Rank::Reply).await.unwrap();
    let seen = discord.seen();
    let lines: Vec<&str> = seen.iter().map(|seen| seen.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "POST /api/v10/channels/1/messages",
            "GET /api/v10/channels/1/messages?limit=5&after=a%26b",
            "POST /api/v10/channels/1/typing",
            "POST /api/v10/webhooks/1/tok"
        ]
    );
    assert_eq!((seen[0].header("authorization"), seen[3].header("authorization")), ("Bot hunter2.bot", ""));
    assert_eq!((seen[0].header("content-type"), seen[2].header("content-length")), ("application/json", "0"));
    assert!(seen.iter().all(|seen| seen.header("user-agent").starts_with("DiscordBot (")));
    assert_eq!(seen[0].json(), body);
}

#[tokio::test]
async fn files_go_as_a_form_beside_what_is_said() {
    let (discord, rest, _) = discord().await;
    let files = [
        File { name: "a \"b\"\r\n.txt".to_owned(), bytes: b"one\r\n--x".to_vec() },
        File { name: "ü.bin".to_owned(), bytes: vec![0, 255] },
    ];
    let body = json!({ "content": "two files", "attachments": [{ "id": "77" }] });
    rest.call(Request::new(edit()).body(&body).files(&files), Rank::Reply).await.unwrap();
    let post = json!({ "name": "a post", "message": { "content": "x" } });
    rest.call(Request::new(Route::new(Method::POST, "/channels/1/threads")).body(&post).files(&files[1..]), Rank::Reply)
        .await
        .unwrap();
    let seen = discord.seen();
    let boundary = seen[0].header("content-type").strip_prefix("multipart/form-data; boundary=").unwrap();
    let form = String::from_utf8_lossy(&seen[0].body);
    let parts: Vec<&str> = form.split(&format!("--{boundary}")).collect();
    assert_eq!((parts.len(), parts[0], parts[4]), (5, "", "--\r\n"));
    let (head, said) = parts[1].split_once("\r\n\r\n").unwrap();
    assert_eq!(head, "\r\nContent-Disposition: form-data; name=\"payload_json\"\r\nContent-Type: application/json");
    let said: Value = serde_json::from_str(said).unwrap();
    let all = json!([{ "id": "77" }, { "id": "0", "filename": "a \"b\".txt" }, { "id": "1", "filename": "ü.bin" }]);
    assert_eq!((&said["content"], &said["attachments"]), (&json!("two files"), &all));
    assert!(
        parts[2].starts_with("\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"a %22b%22.txt\"\r\n"),
        "{form}"
    );
    assert!(parts[2].ends_with("\r\n\r\none\r\n--x\r\n"), "{form}");
    assert!(parts[3].contains("name=\"files[1]\"; filename=\"ü.bin\""), "{form}");
    let form = String::from_utf8_lossy(&seen[1].body);
    let said: Value = serde_json::from_str(form.split("\r\n").nth(4).unwrap()).unwrap();
    assert_eq!(said["message"]["attachments"], json!([{ "id": "0", "filename": "ü.bin" }]));
}

#[tokio::test]
async fn what_discord_says_is_told_by_its_numbers() {
    let (discord, rest, _) = discord().await;
    let refused = |status, code| Fault::Refused { status, code };
    let said = |code: u64| json!({ "code": code, "message": "hunter2" });
    type Is = fn(&Fault) -> bool;
    let cases: [(u16, Value, Fault, Is); 9] = [
        (404, said(10003), refused(404, 10003), Fault::is_place_gone),
        (403, said(50013), refused(403, 50013), Fault::is_place_gone),
        (403, said(160_005), refused(403, 160_005), Fault::is_place_gone),
        (404, said(10008), refused(404, 10008), Fault::is_message_gone),
        (400, said(50083), refused(400, 50083), Fault::is_archived),
        (429, said(30046), refused(429, 30046), Fault::is_too_old),
        (404, said(10062), refused(404, 10062), Fault::is_interaction_dead),
        (400, said(40060), refused(400, 40060), Fault::is_acknowledged),
        (302, json!("hunter2"), refused(302, 0), |fault| fault.code().is_none() && fault.status() == Some(302)),
    ];
    for (status, body, fault, is) in cases {
        discord.answers([Answer::new(status, body)]);
        let got = rest.call(Request::new(edit()), Rank::Final).await.unwrap_err();
        assert_eq!(got, fault);
        assert!(is(&got) && !got.is_passing(), "{got}");
        assert!(!format!("{got} {got:?}").contains("hunter2"));
    }
    assert_eq!(discord.seen().len(), 9);
}

#[tokio::test]
async fn only_what_does_nothing_twice_is_tried_again() {
    let (discord, rest, _) = discord().await;
    let failed = || [Answer::new(502, "hunter2"), Answer::new(200, "{}")];
    let plain = json!({ "content": "x" });
    discord.answers(failed());
    let fault = rest.call(Request::new(post()).body(&plain), Rank::Final).await.unwrap_err();
    assert_eq!((fault, discord.seen().len()), (Fault::Unknown("Discord failed"), 1));
    discord.next.lock().unwrap().clear();
    let once = json!({ "content": "x", "nonce": "n1", "enforce_nonce": true });
    for request in [Request::new(post()).body(&once), Request::new(edit()).body(&plain)] {
        discord.answers(failed());
        assert_eq!(rest.call(request, Rank::Final).await, Ok(json!({})));
        assert_eq!(discord.seen().len(), 2);
    }
}

/// By a clock that is turned: nobody listens, so there is nothing to wait for.
#[tokio::test(start_paused = true)]
async fn what_never_arrived_is_tried_for_a_while() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = Rest::new(&format!("http://{address}/api"), TOKEN.into()).unwrap();
    let permit = nobody.pass(&post(), Rank::Final).await;
    let before = Instant::now();
    let body = json!({ "content": "x" });
    let fault = nobody.send(permit, Request::new(post()).body(&body)).await;
    assert_eq!(fault, Err(Fault::Unsent("no connection")));
    assert!(before.elapsed() <= CONNECT, "{:?}", before.elapsed());
    let fault = nobody.call(Request::new(post()).body(&body), Rank::Final).await;
    assert_eq!(fault, Err(Fault::Unsent("no connection")));
    assert!(before.elapsed() > Duration::from_secs(5), "{:?}", before.elapsed());
    // It took no place.
    assert!(nobody.try_pass(&post(), Rank::Final).is_some());
}

#[tokio::test]
async fn a_limit_is_waited_out_and_then_kept_in_mind() {
    let (discord, rest, _) = discord().await;
    let limited = |body: Value| Answer::new(429, body).with("retry-after", "9").with("x-ratelimit-scope", "user");
    discord.answers([limited(json!({ "retry_after": 0.3, "global": false }))]);
    let before = Instant::now();
    rest.call(Request::new(edit()).body(&json!({})), Rank::Final).await.unwrap();
    let took = before.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5), "{took:?}");
    discord.answers([limited(json!({ "retry_after": 300.5 }))]);
    let fault = rest.call(Request::new(edit()).body(&json!({})), Rank::Final).await;
    assert_eq!(fault, Err(Fault::Limited(Duration::from_millis(300_500))));
    assert_eq!(discord.seen().len(), 3);
    assert!(rest.try_pass(&edit(), Rank::Final).is_none());
    let permit = rest.try_pass(&Route::new(Method::POST, "/channels/2/messages"), Rank::Reply).unwrap();
    discord.answers([limited(json!({ "retry_after": 9 })).with("x-ratelimit-global", "true")]);
    let fault = rest.send(permit, Request::new(Route::new(Method::POST, "/channels/2/messages"))).await;
    assert_eq!(fault, Err(Fault::Limited(Duration::from_secs(9))));
    assert!(rest.try_pass(&Route::new(Method::POST, "/channels/3/messages"), Rank::Final).is_none());
}

#[tokio::test]
async fn what_headers_tell_holds_for_the_next() {
    let (discord, rest, _) = discord().await;
    let told = |left| {
        let answer = Answer::new(200, "{}").with("x-ratelimit-bucket", "b").with("x-ratelimit-limit", "3");
        answer.with("x-ratelimit-remaining", left).with("x-ratelimit-reset-after", "1.500")
    };
    discord.answers([told("2"), told("1"), told("0"), told("2")]);
    let before = Instant::now();
    for n in 0..4 {
        rest.call(Request::new(post()).body(&json!({})), Rank::Reply).await.unwrap();
        assert_eq!(before.elapsed() >= Duration::from_millis(1500), n == 3, "{n}: {:?}", before.elapsed());
    }
    assert!(before.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_dead_token_ends_everything_that_needs_it() {
    let (discord, rest, _) = discord().await;
    discord.answers([Answer::new(401, json!({ "code": 50027, "message": "Invalid Webhook Token" }))]);
    let hook = Request::new(Route::new(Method::POST, "/webhooks/1/tok"));
    assert!(rest.call(hook.clone(), Rank::Reply).await.unwrap_err().is_interaction_dead());
    assert!(!rest.is_dead());
    discord.answers([Answer::new(401, json!({ "code": 0, "message": "401: Unauthorized" }))]);
    assert!(rest.call(Request::new(edit()), Rank::Reply).await.unwrap_err().is_token_dead());
    assert!(rest.is_dead());
    rest.died().await;
    assert_eq!(discord.seen().len(), 2);
    assert!(rest.call(Request::new(edit()), Rank::Reply).await.unwrap_err().is_token_dead());
    assert!(discord.seen().is_empty());
    assert!(rest.call(hook, Rank::Reply).await.is_ok());
}

#[tokio::test]
async fn a_first_response_goes_by_itself_and_once() {
    let (discord, rest, _) = discord().await;
    discord.answers([Answer::new(204, "")]);
    let body = json!({ "type": 5 });
    assert_eq!(rest.respond("1", "tok-en_1", &body).await, Ok(()));
    let seen = discord.seen();
    assert_eq!(seen[0].line, "POST /api/v10/interactions/1/tok-en_1/callback");
    assert_eq!((seen[0].json(), seen[0].header("content-type"), seen[0].header("authorization")), (body, "application/json", ""));
    discord.answers([Answer::new(404, json!({ "code": 10062 }))]);
    assert!(rest.respond("1", "tok", &json!({})).await.unwrap_err().is_interaction_dead());
    discord.answers([Answer::new(400, json!({ "code": 40060 }))]);
    assert!(rest.respond("1", "tok", &json!({})).await.unwrap_err().is_acknowledged());
    discord.seen();
    // The first one was taken although its answer was lost.
    discord.answers([Answer::new(502, ""), Answer::new(400, json!({ "code": 40060 }))]);
    assert_eq!(rest.respond("1", "tok", &json!({})).await, Ok(()));
    assert_eq!(discord.seen().len(), 2);
    discord.answers([Answer { after: Duration::from_secs(30), ..Answer::new(204, "") }]);
    assert_eq!(rest.respond("1", "tok", &json!({})).await, Err(Fault::Unknown("no answer in time")));
    for (id, token) in [("1", "a/../b"), ("1", ""), ("..", "x?y"), ("1#", "x")] {
        assert_eq!(rest.respond(id, token, &json!({})).await, Err(Fault::Foreign), "{id} {token}");
    }
}

#[tokio::test]
async fn files_come_from_discord_alone_and_no_longer_than_wanted() {
    let (discord, rest, base) = discord().await;
    let base = base.trim_end_matches("/api");
    discord.answers([Answer::new(200, "x".repeat(100)), Answer::new(200, "x".repeat(101)), Answer::new(404, "hunter2")]);
    assert_eq!(rest.download(&format!("{base}/attachments/1/2/a.txt?ex=1"), 100).await.unwrap().len(), 100);
    assert_eq!(rest.download(&format!("{base}/attachments/1/2/a.txt"), 100).await, Err(Fault::TooLarge));
    let fault = rest.download(&format!("{base}/attachments/1/2/a.txt"), 100).await;
    assert_eq!(fault, Err(Fault::Refused { status: 404, code: 0 }));
    discord.answers([Answer::new(302, "").with("location", "http://example.com/")]);
    assert_eq!(rest.download(&format!("{base}/moved"), 9).await, Err(Fault::Refused { status: 302, code: 0 }));
    let seen = discord.seen();
    assert!(seen.iter().all(|seen| seen.header("authorization").is_empty()));
    for url in [
        "https://example.com/a",
        "http://cdn.discordapp.com/a",
        "https://cdn.discordapp.com.example.com/a",
        "file:///etc/passwd",
        "x",
    ] {
        assert_eq!(rest.download(url, 9).await, Err(Fault::Foreign), "{url}");
    }
    let real = Rest::new("https://discord.com/api", TOKEN.into()).unwrap();
    assert_eq!(real.download(&format!("{base}/a"), 9).await, Err(Fault::Foreign));
}

#[tokio::test]
async fn bodies_have_an_end_and_are_discords() {
    let (discord, rest, _) = discord().await;
    discord.answers([Answer::new(200, "x".repeat(ANSWER + 1)), Answer::new(200, "<html>")]);
    for _ in 0..2 {
        let fault = rest.call(Request::new(post()).body(&json!({})), Rank::Reply).await.unwrap_err();
        assert_eq!(fault.outcome(), "unknown");
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_half_way_holds_nothing() {
    let (discord, rest, _) = discord().await;
    discord.answers([Answer { after: Duration::from_secs(30), ..Answer::new(200, "{}") }]);
    let given_up = tokio::time::timeout(Duration::from_millis(100), rest.call(Request::new(edit()), Rank::Update)).await;
    assert!(given_up.is_err());
    assert!(rest.try_pass(&edit(), Rank::Final).is_some());
    assert!(rest.try_pass(&edit(), Rank::Update).is_none());
}

#[test]
fn nothing_shows_a_secret() {
    let rest = Rest::new("https://discord.com/api", TOKEN.into()).unwrap();
    let route = Route::new(Method::PATCH, "/webhooks/1/hunter2/messages/@original");
    let body = json!({ "content": "hunter2" });
    let request = Request::new(route.clone()).body(&body);
    let permit = rest.try_pass(&route, Rank::Final);
    let shown = format!("{rest:?} {route:?} {request:?} {permit:?} {:?} {:?}", rest.shared.first, rest.shared.token);
    assert!(!shown.contains("hunter2"), "{shown}");
    let error = Rest::new("https://discord.com/api", "hunter2\n.x".into()).unwrap_err();
    assert!(!format!("{error:#} {error:?}").contains("hunter2"));
}
