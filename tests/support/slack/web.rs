//! The Web API, `response_url`s, uploads and downloads as HTTP.
//!
//! Invariant: every call is counted and recorded, the refused ones as well.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, RawQuery, State as Shared};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::{Map, Value, json};

use super::call::{Answer, Args, METHODS, READS, Refusal, refused};
use super::state::{APP_TOKEN, BOT_TOKEN, Call, State, Trouble};
use super::{Change as _, Inner};
use crate::support::io::Cut;

pub fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/api/{method}", any(api))
        .route("/commands/{team}/{id}", post(hook))
        .route("/actions/{team}/{id}", post(hook))
        .route("/upload/v1/{id}", post(upload))
        .route("/files-pri/{key}/{name}", get(download))
        .route("/login", get(|| async { ([(CONTENT_TYPE, "text/html")], "<html>Sign in to the workspace</html>") }))
        .layer(DefaultBodyLimit::max(64 * 1024 * 1024))
        .with_state(inner)
}

/// What the test wanted to go wrong with this method; `Err` is the answer in its stead, `Ok(true)`: cut after the effect.
async fn troubled(inner: &Arc<Inner>, method: &str, cut: &Cut) -> Result<bool, Response> {
    loop {
        let trouble = inner.change(|s| {
            let trouble = s.troubles.get_mut(method).and_then(std::collections::VecDeque::pop_front);
            if let Some(trouble) = trouble.as_ref().filter(|t| !matches!(t, Trouble::CutAfter | Trouble::Delay(_))) {
                let error = Some(format!("injected: {trouble:?}"));
                s.calls.push(Call { method: method.into(), args: Value::Null, at: Instant::now(), error });
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
                return Err((code, "the server had a problem").into_response());
            }
            Some(Trouble::Limited(seconds)) => {
                inner.change(|s| s.counts.entry(method.into()).or_default().limited += 1);
                return Err(limited(seconds));
            }
            Some(Trouble::Error(error)) => return Err(body(&json!({ "ok": false, "error": error }))),
        }
    }
}

fn limited(seconds: u64) -> Response {
    let body = json!({ "ok": false, "error": "ratelimited" }).to_string();
    (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds.to_string()), (CONTENT_TYPE, JSON.into())], body).into_response()
}

const JSON: &str = "application/json; charset=utf-8";

fn body(value: &Value) -> Response {
    ([(CONTENT_TYPE, JSON)], value.to_string()).into_response()
}

async fn api(
    Shared(inner): Shared<Arc<Inner>>,
    Path(method): Path<String>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    inner.change(|s| s.counts.entry(method.clone()).or_default().calls += 1);
    let cut_after = match troubled(&inner, &method, &cut).await {
        Ok(cut_after) => cut_after,
        Err(response) => return response,
    };
    let response = inner.change(|s| {
        let args = arguments(s, &method, query.as_deref(), &headers, &bytes);
        let shown = args.as_ref().map_or(Value::Null, |args| Value::Object(args.0.clone()));
        let answer = admit(s, &method, &headers).and_then(|(scope, app)| {
            let args = args?;
            s.channel_scope(scope, &args)?;
            Ok((args, app))
        });
        let mut call = Call { method: method.clone(), args: shown, at: Instant::now(), error: None };
        let answer = match answer {
            Ok((args, app)) => {
                if let Some(seconds) = over_rate(s, &method, &args) {
                    call.error = Some("ratelimited".into());
                    s.calls.push(call);
                    s.counts.entry(method.clone()).or_default().limited += 1;
                    return limited(seconds);
                }
                dispatch(s, &method, &args, app)
            }
            Err(refusal) => Err(refusal),
        };
        let body_value = match answer {
            Ok(mut value) => {
                value["ok"] = json!(true);
                value
            }
            Err(refusal) => {
                call.error = Some(refusal.error.clone());
                s.counts.entry(method.clone()).or_default().refused += 1;
                if !refusal.wanted {
                    s.fault(format!("{method} was refused: {} {:?} {}", refusal.error, refusal.messages, brief(&call.args)));
                }
                refused(s, &refusal)
            }
        };
        s.calls.push(call);
        let scopes = s.scopes.iter().cloned().collect::<Vec<_>>().join(",");
        let mut response = body(&body_value);
        if let Ok(scopes) = scopes.parse() {
            response.headers_mut().insert("x-oauth-scopes", scopes);
        }
        response
    });
    if cut_after {
        cut.cut();
    }
    response
}

fn brief(args: &Value) -> String {
    args.to_string().chars().take(300).collect()
}

/// Who may call it at all; returns the scope that the channel decides.
fn admit(state: &State, method: &str, headers: &HeaderMap) -> Result<(&'static str, bool), Refusal> {
    let (_, _, scope) = METHODS.iter().find(|(name, ..)| *name == method).ok_or("unknown_method")?;
    let token = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    let app = match token {
        None => return Err("not_authed".into()),
        Some(BOT_TOKEN) => false,
        Some(APP_TOKEN) => true,
        Some(_) => return Err("invalid_auth".into()),
    };
    if !app && state.account_inactive {
        return Err(Refusal::wanted("account_inactive"));
    }
    if !app && state.token_revoked {
        return Err(Refusal::wanted("token_revoked"));
    }
    if (method == "apps.connections.open") != app && method != "auth.test" {
        return Err("not_allowed_token_type".into());
    }
    Ok((scope, app))
}

fn arguments(state: &State, method: &str, query: Option<&str>, headers: &HeaderMap, bytes: &[u8]) -> Result<Args, Refusal> {
    let mut args = Args::default();
    args.form(query.unwrap_or_default())?;
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let reads = METHODS.iter().any(|(name, flags, _)| *name == method && *flags == READS);
    let wrong = |why: &str| Refusal::because("invalid_arguments", vec![format!("[ERROR] {why}")]);
    if bytes.is_empty() {
        return Ok(args);
    }
    if kind.starts_with("application/json") {
        if reads && !state.rules.json_reads {
            return Err(wrong("this method takes no JSON"));
        }
        let object: Map<String, Value> = serde_json::from_slice(bytes).map_err(|_| Refusal::from("invalid_json"))?;
        args.0.extend(object.into_iter().filter(|(_, value)| !value.is_null()));
    } else if kind.starts_with("application/x-www-form-urlencoded") {
        args.form(std::str::from_utf8(bytes).map_err(|_| Refusal::from("invalid_form_data"))?)?;
    } else {
        return Err(Refusal::from(if kind.is_empty() { "missing_post_type" } else { "invalid_post_type" }));
    }
    Ok(args)
}

/// Seconds to wait, if this call is one too many.
fn over_rate(state: &mut State, method: &str, args: &Args) -> Option<u64> {
    let rate = state.rules.rate(method)?;
    let key = if rate.per_channel { format!("{method} {}", args.text("channel").unwrap_or_default()) } else { method.to_owned() };
    let window = state.windows.entry(key).or_default();
    while window.front().is_some_and(|at| at.elapsed() >= rate.window) {
        window.pop_front();
    }
    if window.len() < rate.calls {
        window.push_back(Instant::now());
        return None;
    }
    let rest = window.front().map_or(rate.window, |at| rate.window.saturating_sub(at.elapsed()));
    Some(u64::try_from(rest.as_millis().div_ceil(1_000)).unwrap_or(1).max(1))
}

fn dispatch(s: &mut State, method: &str, args: &Args, app: bool) -> Answer {
    match method {
        "auth.test" => s.auth_test(app),
        "apps.connections.open" => {
            let ticket = s.id("ticket");
            s.tickets.insert(ticket.clone());
            Ok(json!({ "url": format!("{}/link/?ticket={ticket}&app_id=standin", s.base().replacen("http", "ws", 1)) }))
        }
        "team.info" => s.team_info(),
        "bots.info" => s.bot_info(args),
        "users.info" => s.user_info(args),
        "users.list" => s.user_list(args),
        "users.conversations" => s.user_channels(args),
        "conversations.info" => s.channel_info(args),
        "conversations.history" => s.history(args),
        "conversations.replies" => s.replies(args),
        "conversations.members" => s.channel_members(args),
        "conversations.open" => s.open_im(args),
        "conversations.join" => s.join(args),
        "chat.postMessage" => s.post_message(args),
        "chat.postEphemeral" => s.post_ephemeral(args),
        "chat.update" => s.update(args),
        "chat.delete" => s.delete(args),
        "chat.getPermalink" => s.permalink(args),
        "chat.startStream" => s.start_stream(args),
        "chat.appendStream" => s.append_stream(args),
        "chat.stopStream" => s.stop_stream(args),
        "assistant.threads.setStatus" => s.set_status(args),
        "assistant.threads.setTitle" => s.set_title(args),
        "assistant.threads.setSuggestedPrompts" => s.set_prompts(args),
        "views.open" => s.open_view(args),
        "views.update" => s.update_view(args),
        "views.push" => s.push_view(args),
        "views.publish" => s.publish(args),
        "files.getUploadURLExternal" => s.upload_url(args),
        "files.completeUploadExternal" => s.complete_upload(args),
        "files.info" => s.file_info(args),
        "reactions.add" => s.react(args),
        "usergroups.list" => s.group_list(args),
        "usergroups.users.list" => s.group_users(args),
        _ => Err("unknown_method".into()),
    }
}

/// A `response_url`: known by its id alone, without a token.
async fn hook(
    Shared(inner): Shared<Arc<Inner>>,
    Path((_, id)): Path<(String, String)>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    bytes: Bytes,
) -> Response {
    inner.change(|s| s.counts.entry("response_url".into()).or_default().calls += 1);
    let cut_after = match troubled(&inner, "response_url", &cut).await {
        Ok(cut_after) => cut_after,
        Err(response) => return response,
    };
    let answer = inner.change(|s| {
        let payload = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
        let result = use_hook(s, &id, &payload);
        let error = result.as_ref().err().map(|(_, why)| why.clone());
        if let Some(why) = &error {
            s.counts.entry("response_url".into()).or_default().refused += 1;
            s.fault(format!("a response_url was refused: {why} {}", brief(&payload)));
        }
        s.calls.push(Call { method: "response_url".into(), args: payload, at: Instant::now(), error });
        result
    });
    if cut_after {
        cut.cut();
    }
    match answer {
        Ok(()) => "ok".into_response(),
        Err((code, why)) => (code, why).into_response(),
    }
}

fn use_hook(state: &mut State, id: &str, payload: &Value) -> Result<(), (StatusCode, String)> {
    let (life, most) = (state.rules.response_life, state.rules.response_uses);
    let gone = |why: &str| (StatusCode::NOT_FOUND, why.to_owned());
    let hook = state.hooks.get_mut(id).ok_or_else(|| gone("expired_url"))?;
    if hook.at.elapsed() > life {
        return Err(gone("expired_url"));
    }
    if hook.uses >= most {
        return Err(gone("used_url"));
    }
    if !payload.is_object() {
        return Err((StatusCode::BAD_REQUEST, "invalid_payload".into()));
    }
    hook.uses += 1;
    state.respond(id, payload).map_err(|refusal| (StatusCode::BAD_REQUEST, format!("{} {:?}", refusal.error, refusal.messages)))
}

async fn upload(
    Shared(inner): Shared<Arc<Inner>>,
    Path(id): Path<String>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let cut_after = match troubled(&inner, "upload", &cut).await {
        Ok(cut_after) => cut_after,
        Err(response) => return response,
    };
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let content = match kind.strip_prefix("multipart/form-data; boundary=") {
        Some(boundary) => part(&bytes, boundary.trim_matches('"')).unwrap_or_default(),
        None => bytes.to_vec(),
    };
    let taken = inner.change(|s| {
        let size = content.len();
        let file = s.files.get_mut(&id).filter(|f| !f.uploaded)?;
        let right = file.length == size;
        file.uploaded = right;
        file.content = content;
        if !right {
            s.fault(format!("an upload of {size} bytes has another length than was said"));
        }
        right.then_some(size)
    });
    if cut_after {
        cut.cut();
    }
    match taken {
        Some(size) => format!("OK - {size}").into_response(),
        None => (StatusCode::BAD_REQUEST, "no such upload").into_response(),
    }
}

/// The content of the first part.
fn part(bytes: &[u8], boundary: &str) -> Option<Vec<u8>> {
    let find = |from: usize, what: &[u8]| bytes[from..].windows(what.len()).position(|w| w == what).map(|at| from + at);
    let start = find(0, b"\r\n\r\n")? + 4;
    let end = find(start, format!("\r\n--{boundary}").as_bytes())?;
    Some(bytes[start..end].to_vec())
}

async fn download(
    Shared(inner): Shared<Arc<Inner>>,
    Path((key, _)): Path<(String, String)>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    headers: HeaderMap,
) -> Response {
    if let Err(response) = troubled(&inner, "download", &cut).await {
        return response;
    }
    let id = key.split_once('-').map_or("", |(_, id)| id);
    let right = headers.get(AUTHORIZATION).is_some_and(|v| v.as_bytes() == format!("Bearer {BOT_TOKEN}").as_bytes());
    inner.change(|s| {
        if !right || s.token_revoked || !s.scopes.contains("files:read") {
            s.fault("a download without the right token or scope");
            return (StatusCode::FOUND, [(LOCATION, format!("{}/login", s.base()))]).into_response();
        }
        match s.files.get(id) {
            Some(file) => file.content.clone().into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    })
}
