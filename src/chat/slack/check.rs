//! What can be tried of a configuration before anybody relies on it.
//!
//! Absence: nothing is changed in Slack, and no finding holds a token.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::api::{Api, Fault};
use super::{Options, Way};

/// One line of the check. With a fix, it is a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub what: &'static str,
    pub found: String,
    pub fix: Option<String>,
}

const BOT: &str = "slack bot token";
const SCOPES: &str = "slack scopes";
const APP: &str = "slack socket";
const DOOR: &str = "slack requests";

/// `wanted`: the scopes that the manifest asks for.
pub async fn check(options: &Options, wanted: &[&str]) -> Vec<Finding> {
    let api = match Api::new(&options.api_url, options.bot_token.clone()) {
        Ok(api) => api,
        Err(error) => return vec![bad(BOT, format!("{error:#}"), "mend this first; nothing else of Slack can be tried")],
    };
    let mut findings = bot(&api, &options.bot_token, wanted).await;
    match &options.way {
        Way::Socket { app_token } => findings.push(socket(&api, app_token).await),
        Way::Http { .. } => findings.push(good(
            DOOR,
            "are taken at /slack/commands, /slack/events and /slack/interactivity; whether Slack reaches them shows when it sends one",
        )),
    }
    findings
}

async fn bot(api: &Api, token: &SecretString, wanted: &[&str]) -> Vec<Finding> {
    let fix = "set `slack.bot_token` to the Bot User OAuth Token (xoxb-…), from OAuth & Permissions of the app";
    if let Some(kind) = other_kind(token, "xoxb-") {
        return vec![bad(BOT, format!("`slack.bot_token` is {kind}"), fix)];
    }
    let auth = match api.auth().await {
        Ok(auth) => auth,
        Err(fault) => return vec![bad(BOT, fault.to_string(), mend(&fault, fix))],
    };
    let mut findings = vec![match auth.bot_id {
        Some(_) => good(BOT, format!("@{} in {}", auth.user, auth.team)),
        None => bad(BOT, format!("belongs to {} in {}, who is no bot", auth.user, auth.team), fix),
    }];
    findings.push(match auth.scopes {
        None => good(SCOPES, "are not told by this API"),
        Some(granted) => scopes(&granted, wanted),
    });
    findings
}

fn scopes(granted: &[String], wanted: &[&str]) -> Finding {
    let missing: Vec<_> = wanted.iter().copied().filter(|scope| !granted.iter().any(|one| one == scope)).collect();
    match missing.as_slice() {
        [] => good(SCOPES, format!("all {} that are needed", wanted.len())),
        missing => bad(
            SCOPES,
            format!("lacks {}", missing.join(", ")),
            "put the output of `gaggle manifest slack` into App Manifest of the app, then Reinstall to Workspace",
        ),
    }
}

async fn socket(api: &Api, token: &SecretString) -> Finding {
    let fix = "set `slack.app_token` to an app-level token (xapp-…) with connections:write, from Basic Information of the app";
    if let Some(kind) = other_kind(token, "xapp-") {
        return bad(APP, format!("`slack.app_token` is {kind}"), fix);
    }
    match api.with_token(token).call("apps.connections.open", &json!({})).await {
        Ok(_) => good(APP, "can be opened"),
        Err(fault) if fault.code() == Some("missing_scope") => bad(APP, fault.to_string(), fix),
        Err(fault) => bad(APP, fault.to_string(), mend(&fault, fix)),
    }
}

/// What a token is if it is none of the kind that is wanted; unknown forms may be a gateway's.
fn other_kind(token: &SecretString, kind: &str) -> Option<&'static str> {
    const KINDS: [(&str, &str); 5] = [
        ("xoxb-", "a bot token (xoxb-…)"),
        ("xapp-", "an app-level token (xapp-…)"),
        ("xoxp-", "a user token (xoxp-…)"),
        ("xoxe-", "a refresh token (xoxe-…)"),
        ("xoxc-", "a browser's token (xoxc-…)"),
    ];
    KINDS.iter().find(|(begin, _)| *begin != kind && token.expose_secret().starts_with(begin)).map(|(_, name)| *name)
}

fn mend(fault: &Fault, token: &str) -> String {
    match fault {
        Fault::Refused(code) => match code.as_str() {
            "not_allowed_token_type" => token.to_owned(),
            "link_disabled" | "socket_mode_disabled" => "switch Socket Mode on in the app's settings".to_owned(),
            "http_404" | "unknown_method" => "check `slack.api_url`: it has to end in `/api`".to_owned(),
            _ if fault.is_token_dead() => format!("{token}; if it is the right one, reinstall the app to the workspace"),
            _ => "look the code up in Slack's documentation of the method".to_owned(),
        },
        Fault::Limited(_) => "try again after that".to_owned(),
        Fault::Unsent(_) | Fault::Unknown(_) => "check `slack.api_url` and the network, then try again".to_owned(),
    }
}

fn good(what: &'static str, found: impl Into<String>) -> Finding {
    Finding { what, found: found.into(), fix: None }
}

fn bad(what: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { what, found: found.into(), fix: Some(fix.into()) }
}

#[cfg(test)]
mod tests;
