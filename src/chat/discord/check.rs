//! What can be tried of a configuration before anybody relies on it.
//!
//! Absence: nothing is changed in Discord, and no finding holds a token.

use serde_json::Value;

use super::rest::{Fault, Method, Rank, Request, Rest, Route};
use super::{Options, ThreadMessages, Way};

/// One line of the check. With a fix, it is a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub what: &'static str,
    pub found: String,
    pub fix: Option<String>,
}

const BOT: &str = "discord bot token";
const APP: &str = "discord application";
const CONTENT: &str = "discord messages";
const GATEWAY: &str = "discord gateway";
const DOOR: &str = "discord requests";
const GUILD: &str = "discord server";

/// Bits of an application's flags: the privileged intent for the content of messages, granted or for a few servers.
const MESSAGE_CONTENT: u64 = 1 << 18 | 1 << 19;

pub async fn check(options: &Options) -> Vec<Finding> {
    let rest = match Rest::new(&options.api_url, options.token.clone()) {
        Ok(rest) => rest,
        Err(error) => return vec![bad(BOT, format!("{error:#}"), "mend this first; nothing else of Discord can be tried")],
    };
    let mut findings = Vec::new();
    match get(&rest, "/users/@me".into()).await {
        Ok(me) => findings.push(good(BOT, format!("@{}", me["username"].as_str().unwrap_or("?")))),
        Err(fault) => return vec![bad(BOT, told(&fault), mend(&fault))],
    }
    match get(&rest, "/applications/@me".into()).await {
        Ok(app) => {
            findings.push(match app["id"].as_str() == Some(options.application_id.as_str()) {
                true => good(APP, app["name"].as_str().unwrap_or("?").to_owned()),
                false => bad(
                    APP,
                    "the token is another application's".into(),
                    "set `discord.application_id` to the Application ID of the bot's own application",
                ),
            });
            findings.push(content(&app, options));
        }
        Err(fault) => findings.push(bad(APP, told(&fault), mend(&fault))),
    }
    for guild in &options.guilds {
        findings.push(match get(&rest, format!("/guilds/{guild}")).await {
            Ok(found) => good(GUILD, found["name"].as_str().unwrap_or(guild).to_owned()),
            Err(fault) => bad(
                GUILD,
                format!("{guild}: {}", told(&fault)),
                "invite the bot with the scopes bot and applications.commands, or correct `discord.guilds`",
            ),
        });
    }
    findings.push(match &options.way {
        Way::Gateway => match get(&rest, "/gateway/bot".into()).await {
            Ok(found) => {
                let left = &found["session_start_limit"]["remaining"];
                good(GATEWAY, format!("{} shards, {left} starts left today", found["shards"]))
            }
            Err(fault) => bad(GATEWAY, told(&fault), mend(&fault)),
        },
        Way::Http { .. } => good(
            DOOR,
            "are taken at /discord/interactions; Discord tries them when the URL is entered as Interactions Endpoint URL".into(),
        ),
    });
    findings
}

fn content(app: &Value, options: &Options) -> Finding {
    let granted = app["flags"].as_u64().unwrap_or(0) & MESSAGE_CONTENT != 0;
    match (&options.way, options.thread_messages, granted) {
        (Way::Http { .. }, ..) => good(CONTENT, "do not come over HTTP: commands and buttons alone work".into()),
        (_, ThreadMessages::Mentions, _) => good(CONTENT, "are heard where they mention the bot".into()),
        (_, ThreadMessages::All, true) => good(CONTENT, "are heard in threads".into()),
        (_, ThreadMessages::All, false) => bad(
            CONTENT,
            "may not be read: the Message Content intent is off".into(),
            "switch it on at the application\u{2019}s Bot page, or set `discord.thread_messages` to \"mentions\": threads then work by mention",
        ),
    }
}

async fn get(rest: &Rest, path: String) -> Result<Value, Fault> {
    let call = rest.call(Request::new(Route::new(Method::GET, path)), Rank::Reply);
    let limit = std::time::Duration::from_secs(20);
    tokio::time::timeout(limit, call).await.unwrap_or(Err(Fault::Unknown("no answer in time")))
}

fn told(fault: &Fault) -> String {
    match (fault.status(), fault.code()) {
        (Some(401), _) => "is not taken".to_owned(),
        (Some(status), Some(code)) => format!("Discord says {status}, {code}"),
        (Some(status), None) => format!("Discord says {status}"),
        _ => format!("cannot be reached ({})", fault.outcome()),
    }
}

fn mend(fault: &Fault) -> &'static str {
    match fault.status() {
        Some(401) => "set `discord.token` to the token of the application\u{2019}s Bot page; Reset Token gives a new one",
        Some(_) => "look at `discord.api_url` and at the application\u{2019}s pages",
        None => "look at the network and at `discord.api_url`",
    }
}

fn good(what: &'static str, found: String) -> Finding {
    Finding { what, found, fix: None }
}

fn bad(what: &'static str, found: String, fix: &str) -> Finding {
    Finding { what, found, fix: Some(fix.to_owned()) }
}
