//! What comes of a request, against a server that answers whatever a test wants.

use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use serde_json::json;

use super::*;

const TOKEN: &str = "xoxb-hunter2";

/// Every request, and what is answered to each path.
#[derive(Default)]
struct Slack {
    seen: Mutex<Vec<(String, Option<String>, String)>>,
    url: Mutex<String>,
}

async fn answer(State(slack): State<Arc<Slack>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = head.uri.path().to_owned();
    let token = head.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let query = head.uri.query().unwrap_or_default();
    let content = if query.is_empty() { String::from_utf8_lossy(&body).into_owned() } else { query.to_owned() };
    slack.seen.lock().unwrap().push((path.clone(), token, content));
    let base = slack.url.lock().unwrap().clone();
    let json = |status: u16, body: &str| {
        let response = Response::builder().status(status).header("content-type", "application/json; charset=utf-8");
        response.body(Body::from(body.to_owned())).unwrap()
    };
    match path.trim_start_matches("/api/") {
        "files.getUploadURLExternal" => json(200, &format!(r#"{{"ok":true,"upload_url":"{base}/up","file_id":"F1"}}"#)),
        "refused" => json(200, r#"{"ok":false,"error":"channel_not_found"}"#),
        "odd" => json(200, r#"{"ok":false,"error":"a <b>hunter2 !"}"#),
        "failed" => json(200, r#"{"ok":false,"error":"fatal_error"}"#),
        "broken" => json(500, "hunter2"),
        "gone" => json(404, r#"{"ok":false,"error":"used_url"}"#),
        "limited" => {
            let mut response = json(429, r#"{"ok":false,"error":"ratelimited"}"#);
            response.headers_mut().insert("retry-after", "7".parse().unwrap());
            response
        }
        "page" => Response::new(Body::from("<html>sign in</html>")),
        "file" => Response::new(Body::from("x".repeat(100))),
        "stream" => {
            let pieces = futures_util::stream::iter((0..100).map(|_| Ok::<_, std::io::Error>("x".repeat(10))));
            Response::new(Body::from_stream(pieces))
        }
        "moved" => moved("/api/file"),
        "elsewhere" => moved("http://localhost.example.com/file"),
        "round" => moved("/api/round"),
        "login" => moved("/api/signin"),
        "signin" => Response::builder().header("content-type", "text/html").body(Body::from("sign in")).unwrap(),
        "slow" => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            json(200, "{}")
        }
        _ => json(200, r#"{"ok":true,"ts":"1.1"}"#),
    }
}

fn moved(to: &str) -> Response<Body> {
    Response::builder().status(StatusCode::FOUND).header("location", to).body(Body::empty()).unwrap()
}

async fn slack() -> (Arc<Slack>, Api, String) {
    let slack = Arc::<Slack>::default();
    let routes = Router::new().fallback(answer).with_state(slack.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    slack.url.lock().unwrap().clone_from(&url);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let api = Api::new(&format!("{url}/api"), TOKEN.to_owned().into()).unwrap();
    (slack, api, format!("{url}/api"))
}

#[tokio::test]
async fn each_end_of_a_request_is_told_apart() {
    let (slack, api, _) = slack().await;
    assert_eq!(api.call("chat.postMessage", &json!({ "text": "é" })).await.unwrap()["ts"], "1.1");
    let wanted = ("/api/chat.postMessage".to_owned(), Some(format!("Bearer {TOKEN}")), r#"{"text":"é"}"#.to_owned());
    assert_eq!(slack.seen.lock().unwrap()[0], wanted);
    api.get("conversations.replies", &[("channel", "C1".into()), ("cursor", "a=&b".into())]).await.unwrap();
    assert_eq!(slack.seen.lock().unwrap()[1].2, "channel=C1&cursor=a%3D%26b");
    let fault = async |method| api.call(method, &json!({})).await.unwrap_err();
    assert!(fault("refused").await.is_place_gone());
    assert_eq!(fault("odd").await, Fault::Refused("abhunter2".into()), "only a code is kept");
    assert_eq!(fault("limited").await, Fault::Limited(Duration::from_secs(7)));
    for method in ["failed", "broken", "page"] {
        assert!(matches!(fault(method).await, Fault::Unknown(_)), "{method}");
    }
    assert_eq!(fault("gone").await, Fault::Refused("used_url".into()));
    assert!(fault("gone").await.is_too_late());
}

#[tokio::test]
async fn a_slack_that_is_not_there_certainly_took_nothing() {
    let api = Api::new("http://127.0.0.1:1/api", TOKEN.to_owned().into()).unwrap();
    let fault = api.call("chat.postMessage", &json!({})).await.unwrap_err();
    assert!(matches!(fault, Fault::Unsent(_)), "{fault}");
    assert!(matches!(api.auth().await.unwrap_err(), Fault::Unsent(_)));
    assert!(!format!("{api:?}").contains("hunter2"));
}

#[tokio::test]
async fn an_answer_that_does_not_come_leaves_it_open() {
    let (slack, api, _) = slack().await;
    tokio::time::pause();
    let call = tokio::spawn(async move { api.call("slow", &json!({})).await });
    while slack.seen.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(call.await.unwrap(), Err(Fault::Unknown("no answer in time")));
}

#[tokio::test]
async fn an_answer_by_url_carries_no_token_and_goes_to_slack_alone() {
    let (slack, api, url) = slack().await;
    api.respond(&format!("{url}/hook"), &json!({ "text": "hi" })).await.unwrap();
    api.respond(&format!("{url}/page"), &json!({})).await.expect("a text is an answer, too");
    assert!(slack.seen.lock().unwrap().iter().all(|(_, token, _)| token.is_none()));
    let fault = api.respond(&format!("{url}/gone"), &json!({})).await.unwrap_err();
    assert_eq!(fault, Fault::Refused("used_url".into()));
    let by_name = url.replace("127.0.0.1", "localhost");
    api.respond(&format!("{by_name}/hook"), &json!({})).await.expect("another name of the same host");
    for foreign in ["http://10.0.0.1/x", "https://hooks.slack.com.example.com/x", "http://hooks.slack.com/x", "file:///x", "x"] {
        assert_eq!(api.respond(foreign, &json!({})).await, Err(Fault::foreign_url()), "{foreign}");
    }
}

#[test]
fn the_token_goes_to_slack_and_the_apis_host_alone() {
    let is_ours = |api: &str, url: &str| {
        let api = Api::new(api, TOKEN.to_owned().into()).unwrap();
        api.is_ours(&Url::parse(url).unwrap())
    };
    let real = "https://slack.com/api";
    for url in ["https://files.slack.com/x", "https://slack.com/x", "https://acme.enterprise.slack.com/x"] {
        assert!(is_ours(real, url), "{url}");
    }
    for url in
        ["http://files.slack.com/x", "https://notslack.com/x", "https://slack.com.example.com/x", "https://slack.com@a.com/x"]
    {
        assert!(!is_ours(real, url), "{url}");
    }
    assert!(is_ours("http://127.0.0.1:8080/api", "http://127.0.0.1:9090/x"));
    assert!(!is_ours("http://127.0.0.1:8080/api", "http://127.0.0.2:8080/x"));
}

#[tokio::test]
async fn a_file_is_read_as_far_as_it_may_be() {
    let (slack, api, url) = slack().await;
    let get = async |path: &str, most| api.download(&format!("{url}/{path}"), most).await;
    assert_eq!(get("file", 100).await.unwrap().len(), 100);
    assert_eq!(get("moved", 100).await.unwrap().len(), 100);
    let large = Err(Fault::Refused("file_too_large".into()));
    assert_eq!(get("file", 99).await, large);
    assert_eq!(get("stream", 999).await, large);
    assert_eq!(get("login", 100).await, Err(Fault::Refused("no_permission".into())));
    assert_eq!(get("round", 100).await, Err(Fault::Refused("too_many_redirects".into())));
    assert_eq!(get("elsewhere", 100).await, Err(Fault::foreign_url()));
    assert!(slack.seen.lock().unwrap().iter().all(|(_, token, _)| token.as_deref() == Some("Bearer xoxb-hunter2")));
}

#[tokio::test]
async fn a_file_goes_up_in_three_steps() {
    let (slack, api, _) = slack().await;
    let upload = Upload {
        channel: "C1".into(),
        thread_ts: Some("1.1".into()),
        name: "a b.txt".into(),
        title: None,
        comment: Some("Here.".into()),
        bytes: "hello".into(),
    };
    api.upload(&upload).await.unwrap();
    let seen = slack.seen.lock().unwrap();
    assert_eq!(seen[0].2, "filename=a+b.txt&length=5");
    assert_eq!((seen[1].0.as_str(), seen[1].1.as_deref(), seen[1].2.as_str()), ("/up", None, "hello"));
    let last: Value = serde_json::from_str(&seen[2].2).unwrap();
    let files = json!([{ "id": "F1", "title": "a b.txt" }]);
    assert_eq!(last, json!({ "files": files, "channel_id": "C1", "thread_ts": "1.1", "initial_comment": "Here." }));
}

/// What may be shown never holds what was sent or answered.
#[test]
fn faults_are_classified_by_their_code() {
    let fault = |code: &str| Fault::Refused(code.to_owned());
    assert!(fault("token_revoked").is_token_dead() && fault("token_revoked").is_gone());
    assert!(fault("is_archived").is_place_gone() && !fault("is_archived").is_token_dead());
    assert!(fault("message_not_found").is_message_gone());
    assert!(!fault("invalid_blocks").is_gone() && !fault("invalid_blocks").is_passing());
    assert!(Fault::Unknown("x").is_passing() && Fault::Limited(Duration::ZERO).is_passing());
}
