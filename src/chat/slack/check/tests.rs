//! The check against a Slack of a few lines.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::super::ThreadMessages;
use super::*;

fn options(api_url: &str, bot: &str, app: &str) -> Options {
    Options {
        way: Way::Socket { app_token: app.to_owned().into() },
        bot_token: bot.to_owned().into(),
        api_url: api_url.to_owned(),
        commands: Vec::new(),
        command_prefix: String::new(),
        thread_messages: ThreadMessages::All,
        streaming: true,
        file_limit: 1,
        catch_up: Duration::from_secs(1),
        catch_up_messages: 1,
    }
}

fn says(headers: &HeaderMap, token: &str, good: Value) -> Json<Value> {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    Json(if given == Some(&format!("Bearer {token}")) { good } else { json!({ "ok": false, "error": "invalid_auth" }) })
}

async fn slack() -> String {
    let auth = post(async |headers: HeaderMap| {
        let body = json!({ "ok": true, "team": "Acme", "user": "gaggle", "bot_id": "B1", "team_id": "T1", "user_id": "U1" });
        ([("x-oauth-scopes", "chat:write, commands")], says(&headers, "xoxb-1", body))
    });
    let open = post(async |headers: HeaderMap| says(&headers, "xapp-1", json!({ "ok": true, "url": "wss://a" })));
    let routes = Router::new().route("/api/auth.test", auth).route("/api/apps.connections.open", open);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

#[tokio::test]
async fn it_tells_who_the_bot_is_and_what_it_lacks() {
    let url = slack().await;
    let found = check(&options(&url, "xoxb-1", "xapp-1"), &["commands", "chat:write"]).await;
    let shown: Vec<_> = found.iter().map(|finding| (finding.what, finding.found.as_str(), finding.fix.is_some())).collect();
    assert_eq!(shown, [(BOT, "@gaggle in Acme", false), (SCOPES, "all 2 that are needed", false), (APP, "can be opened", false)]);
    let found = check(&options(&url, "xoxb-1", "xapp-2"), &["commands", "files:read", "im:write"]).await;
    assert_eq!(found[1].found, "lacks files:read, im:write");
    assert!(found[1].fix.as_ref().unwrap().contains("gaggle manifest slack"));
    assert_eq!(found[2].found, "Slack refused it (invalid_auth)");
    assert!(found[2].fix.as_ref().unwrap().contains("reinstall the app"));
}

#[tokio::test]
async fn tokens_in_the_wrong_place_are_named_and_not_shown() {
    let url = slack().await;
    let found = check(&options(&url, "xoxp-hunter2", "xoxb-hunter2"), &[]).await;
    assert_eq!(found[0].found, "`slack.bot_token` is a user token (xoxp-…)");
    assert_eq!(found[1].found, "`slack.app_token` is a bot token (xoxb-…)");
    assert!(!format!("{found:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_slack_that_is_not_there_is_told() {
    let found = check(&options("http://127.0.0.1:1/api", "xoxb-1", "xapp-1"), &[]).await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|finding| finding.found.starts_with("Slack was not reached")), "{found:?}");
}
