//! The API and the attachments as HTTP.
//!
//! Invariant: every call is counted and recorded, the refused ones as well; one that is refused has had no effect.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State as Shared};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::Inner;
use super::body;
use super::dispatch::Request;
use super::rates::{Limited, Told};
use super::refusal::{Answer, INVALID_JSON, Refusal, TOO_LARGE};
use super::schema::{self, Violation};
use super::state::{Call, State, TOKEN, Trouble};
use crate::support::io::Cut;

pub fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/attachments/{channel}/{id}/{name}", get(download))
        .fallback(api)
        .layer(DefaultBodyLimit::max(64 * 1024 * 1024))
        .with_state(inner)
}

/// `POST /channels/{id}/messages` for what the description calls by other names.
fn route(method: &str, template: &str) -> String {
    let part = |part: &str| match part {
        "{webhook_token}" | "{interaction_token}" => "{token}".to_owned(),
        "{emoji_name}" => "{emoji}".to_owned(),
        part if part.starts_with('{') => "{id}".to_owned(),
        part => part.to_owned(),
    };
    format!("{method} {}", template.split('/').map(part).collect::<Vec<_>>().join("/"))
}

struct Done {
    answer: Answer,
    told: Option<Told>,
    limited: Option<Limited>,
}

impl Done {
    fn of(answer: Answer) -> Self {
        Self { answer, told: None, limited: None }
    }
}

async fn api(
    Shared(inner): Shared<Arc<Inner>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let header = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let method = method.as_str();
    let Some(path) = uri.path().strip_prefix("/api").map(|p| p.strip_prefix("/v10").unwrap_or(p).to_owned()) else {
        inner.change(|s| s.fault(format!("{method} {} is not below /api", uri.path())));
        return StatusCode::NOT_FOUND.into_response();
    };
    let template = schema::spec().map_or_else(|| Some(guess(&path)), |spec| spec.template(method, &path));
    let Some(template) = template else {
        inner.change(|s| s.fault(format!("{method} {path} is no route of Discord's")));
        return answered(404, &json!({ "message": "404: Not Found", "code": 0 }));
    };
    let name = route(method, &template);
    inner.change(|s| s.counts.entry(name.clone()).or_default().calls += 1);
    let cut_after = match troubled(&inner, &name, &path, &cut).await {
        Ok(cut_after) => cut_after,
        Err(response) => return response,
    };
    let response = inner.change(|s| {
        if s.banned() {
            s.fault("a call of an address that is banned for its invalid requests");
            return (StatusCode::FORBIDDEN, [(CONTENT_TYPE, "text/html")], "error code: 1015").into_response();
        }
        if !header(USER_AGENT).starts_with("DiscordBot (") {
            s.fault(format!("{name}: the user agent {:?} is not a DiscordBot's", header(USER_AGENT)));
        }
        let read = body::read(&lowered(&header(CONTENT_TYPE)), &bytes);
        let json = read.as_ref().map_or(Value::Null, |b| b.json.clone());
        let mut call = Call { route: name.clone(), path: path.clone(), body: json, at: s.now(), status: 0, error: None };
        let request = Request { method, template: &template, route: &name, path: &path, query: uri.query().unwrap_or_default() };
        let done = take(s, &request, &header(AUTHORIZATION), read, bytes.len());
        finish(s, &request, &mut call, done)
    });
    if cut_after {
        cut.cut();
    }
    response
}

/// A content type in small letters, its parameters as they are.
fn lowered(kind: &str) -> String {
    match kind.split_once(';') {
        Some((kind, rest)) => format!("{};{rest}", kind.to_ascii_lowercase()),
        None => kind.to_ascii_lowercase(),
    }
}

/// The template of a path where no description is at hand: what looks like an id or a token is one.
fn guess(path: &str) -> String {
    let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    for at in 1..parts.len() {
        let secret = matches!(parts[1].as_str(), "webhooks" | "interactions") && at == 3;
        if secret || !parts[at].is_empty() && parts[at].bytes().all(|b| b.is_ascii_digit()) {
            parts[at] = if secret { "{webhook_token}".into() } else { "{id}".into() };
        } else if at > 1 && parts[at - 1] == "reactions" {
            parts[at] = "{emoji_name}".into();
        }
    }
    parts.join("/")
}

fn take(s: &mut State, request: &Request<'_>, authorization: &str, read: Result<body::Body, String>, size: usize) -> Done {
    let open = request.path.starts_with("/interactions/")
        || request.template.starts_with("/webhooks/{webhook_id}/{webhook_token}")
        || request.path == "/gateway";
    let open = open || request.path.starts_with("/webhooks/");
    if !open && (authorization.strip_prefix("Bot ") != Some(TOKEN) || s.token_revoked) {
        let wanted = s.token_revoked;
        return Done::of(Err(Refusal { wanted, ..Refusal::http(401, "Unauthorized") }));
    }
    let json = read.as_ref().map_or(&Value::Null, |b| &b.json);
    let told = match s.admit(request.route, request.path, json) {
        Ok(told) => told,
        Err((limited, told)) => return Done { answer: NONE, told, limited: Some(limited) },
    };
    let answer = read
        .map_err(|why| Refusal {
            message: format!("The request body contains invalid JSON. ({why})"),
            ..Refusal::from(INVALID_JSON)
        })
        .and_then(|body| {
            if size > s.rules.request_bytes || body.files.iter().any(|f| f.content.len() > s.rules.file_bytes) {
                return Err(TOO_LARGE.into());
            }
            check(s, request, &body.json)?;
            s.dispatch(request, body)
        });
    Done { answer, told, limited: None }
}

const NONE: Answer = Ok((429, Value::Null));

/// Holds a body against the description.
fn check(s: &mut State, request: &Request<'_>, json: &Value) -> Result<(), Refusal> {
    let Some(spec) = schema::spec() else { return Ok(()) };
    if matches!(request.method, "GET" | "DELETE") && json.is_null() {
        return Ok(());
    }
    // A body that may be left out is an empty one.
    let empty = json!({});
    let json = if json.is_null() { &empty } else { json };
    refuse(s, request.route, spec.request(request.method, request.template, json), json)
}

/// Remembers violations, and makes a refusal of them if Discord would.
pub fn refuse(s: &mut State, what: &str, violations: Vec<Violation>, json: &Value) -> Result<(), Refusal> {
    let mut errors = Vec::new();
    for violation in violations {
        let value: String = json.pointer(&violation.path).unwrap_or(&Value::Null).to_string().chars().take(300).collect();
        s.fault(format!("schema: {what} {:?}: {} in {value}", violation.path, violation.message));
        if !violation.unknown {
            errors.push((violation.path, "BASE_TYPE_INVALID", violation.message));
        }
    }
    if errors.is_empty() || !s.rules.refuse_violations { Ok(()) } else { Err(Refusal::forms(errors)) }
}

fn finish(s: &mut State, request: &Request<'_>, call: &mut Call, done: Done) -> Response {
    let Done { answer, told, limited } = done;
    let (status, value) = match (limited.as_ref(), answer) {
        (Some(limited), _) => {
            s.counts.entry(request.route.into()).or_default().limited += 1;
            call.error = Some("rate limited".into());
            (429, limited.body())
        }
        (None, Ok((status, value))) => {
            if s.rules.check_answers
                && let Some(spec) = schema::spec()
            {
                for violation in spec.response(request.method, request.template, status, &value) {
                    s.fault(format!(
                        "the stand-in's own answer to {} {:?}: {}",
                        request.route, violation.path, violation.message
                    ));
                }
            }
            (status, value)
        }
        (None, Err(refusal)) => {
            let shown: String = call.body.to_string().chars().take(300).collect();
            call.error = Some(format!("{} {}", refusal.code, refusal.message));
            s.counts.entry(request.route.into()).or_default().refused += 1;
            let body = refusal.body();
            if !refusal.wanted {
                s.fault(format!("{} was refused: {} {body} {} {shown}", request.route, refusal.status, request.path));
            }
            (refusal.status, body)
        }
    };
    s.count_invalid(status, limited.as_ref().map_or("", |l| l.scope));
    call.status = status;
    s.calls.push(call.clone());
    let mut response = answered(status, &value);
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: String| drop(value.parse().map(|value| headers.insert(name, value)));
    if let Some(told) = told {
        set("x-ratelimit-limit", told.limit.to_string());
        set("x-ratelimit-remaining", told.remaining.to_string());
        set("x-ratelimit-reset", format!("{:.3}", told.reset));
        set("x-ratelimit-reset-after", format!("{:.3}", told.reset_after));
        set("x-ratelimit-bucket", told.bucket);
    }
    if let Some(limited) = limited {
        set("retry-after", format!("{}", limited.retry_after.ceil()));
        set("x-ratelimit-scope", limited.scope.into());
        if limited.scope == "global" {
            set("x-ratelimit-global", "true".into());
        }
        set("via", "1.1 google".into());
    }
    response
}

fn answered(status: u16, value: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == StatusCode::NO_CONTENT {
        return status.into_response();
    }
    (status, [(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// What the test wanted to go wrong with this route; `Err` is the answer in its stead, `Ok(true)`: cut after the effect.
async fn troubled(inner: &Arc<Inner>, route: &str, path: &str, cut: &Cut) -> Result<bool, Response> {
    loop {
        let trouble = inner.change(|s| {
            let trouble = s.troubles.get_mut(route).and_then(std::collections::VecDeque::pop_front);
            if let Some(trouble) = trouble.as_ref().filter(|t| !matches!(t, Trouble::CutAfter | Trouble::Delay(_))) {
                let (error, at) = (Some(format!("injected: {trouble:?}")), s.now());
                s.calls.push(Call { route: route.into(), path: path.into(), body: Value::Null, at, status: 0, error });
            }
            trouble
        });
        match trouble {
            None => return Ok(false),
            Some(Trouble::Delay(delay)) => tokio::time::sleep(delay).await,
            Some(Trouble::CutAfter) => return Ok(true),
            Some(Trouble::CutBefore) => {
                cut.cut();
                return Err(StatusCode::BAD_GATEWAY.into_response());
            }
            Some(Trouble::Status(code)) => {
                let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                return Err((code, [(CONTENT_TYPE, "text/plain")], "the server had a problem").into_response());
            }
            Some(Trouble::Refuse(status, code, message)) => {
                return Err(answered(status, &json!({ "message": message, "code": code })));
            }
            Some(Trouble::Limited(seconds, scope)) => {
                inner.change(|s| {
                    s.counts.entry(route.into()).or_default().limited += 1;
                    s.count_invalid(429, scope);
                });
                let limited = Limited { retry_after: seconds, scope };
                let mut response = answered(429, &limited.body());
                let headers = response.headers_mut();
                headers.extend(format!("{}", seconds.ceil()).parse().map(|value| (RETRY_AFTER, value)));
                headers.extend(scope.parse().map(|value| (axum::http::HeaderName::from_static("x-ratelimit-scope"), value)));
                return Err(response);
            }
        }
    }
}

async fn download(
    Shared(inner): Shared<Arc<Inner>>,
    Path((channel, id, _)): Path<(String, String, String)>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    headers: HeaderMap,
) -> Response {
    if let Err(response) = troubled(&inner, "download", "/attachments", &cut).await {
        return response;
    }
    inner.change(|s| {
        s.counts.entry("download".into()).or_default().calls += 1;
        if headers.contains_key(AUTHORIZATION) {
            s.fault("the token was sent to where attachments are");
        }
        match s.files.get(&id).filter(|f| f.channel == channel) {
            Some(file) => ([(CONTENT_TYPE, super::shapes::mime(&file.name))], file.content.clone()).into_response(),
            None => (StatusCode::NOT_FOUND, "This content is no longer available.").into_response(),
        }
    })
}
