//! `[slack]`: how Slack reaches Gaggle, and what it may do there.
//!
//! Absence: nothing is asked of Slack here; whether a token is good is told by `gaggle check` and at the start.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::reader::Reader;
use crate::chat::slack::{Options, ThreadMessages, Way};

pub const STREAMING: &str = "give it true or false";
const API: &str = "https://slack.com/api";
const API_FORM: &str = "write it as `https://slack.com/api`";
const COMMAND_FORM: &str = "use up to 32 of a-z, 0-9, - and _, prefix included, as \"project\"";
const LONGEST: usize = 32;
/// What stands alone besides the one command for all.
const COMMANDS: [&str; 6] = ["project", "ask", "session", "cluster", "infra", "service"];
const ALL: &str = "gaggle";
/// Slack's own, which no app can have.
const RESERVED: [&str; 22] = [
    "active",
    "apps",
    "archive",
    "away",
    "call",
    "collapse",
    "dm",
    "dnd",
    "expand",
    "feedback",
    "invite",
    "join",
    "leave",
    "me",
    "msg",
    "mute",
    "open",
    "remind",
    "search",
    "shortcuts",
    "status",
    "topic",
];
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone, Copy)]
enum Mode {
    Socket,
    Http,
}

/// `None`: nothing of it is set, so there is no Slack; or it is not said how to reach it, which is a fault.
pub fn read(reader: &mut Reader, listens: bool) -> Option<Options> {
    let is_meant = reader.is_any_set("slack");
    let mode = match reader.is_set("slack.mode") {
        true => reader.choice("slack.mode", &[("socket", Mode::Socket), ("http", Mode::Http)]),
        false => Some(Mode::Socket),
    };
    let (bot_token, app_token) = (token(reader, "slack.bot_token", "xoxb-"), token(reader, "slack.app_token", "xapp-"));
    let signing_secret = reader.secret("slack.signing_secret");
    let api_url = reader.parsed("slack.api_url", |text| api_url(text, API_FORM)).unwrap_or_else(|| API.to_owned());
    let (commands, command_prefix) = commands(reader);
    let words = [("all", ThreadMessages::All), ("mentions", ThreadMessages::Mentions)];
    let thread_messages = reader.choice("slack.thread_messages", &words).unwrap_or_default();
    let streaming = streaming(reader);
    let file_limit = reader.count("slack.file_limit").unwrap_or(10 << 20);
    let catch_up = reader.time("slack.catch_up").unwrap_or(DAY);
    let catch_up_messages = reader.count("slack.catch_up_messages").unwrap_or(500);
    if !is_meant {
        return None;
    }
    if reader.is_whole() {
        missing(reader, mode, listens);
    }
    let way = match mode? {
        Mode::Socket => Way::Socket { app_token: app_token? },
        Mode::Http => Way::Http { signing_secret: signing_secret? },
    };
    Some(Options {
        way,
        bot_token: bot_token?,
        api_url,
        commands,
        command_prefix,
        thread_messages,
        streaming,
        file_limit,
        catch_up,
        catch_up_messages,
    })
}

fn missing(reader: &mut Reader, mode: Option<Mode>, listens: bool) {
    let mut needed = vec![("slack.bot_token", "the Bot User OAuth Token (xoxb-…) of the app, from its OAuth & Permissions page")];
    match mode {
        Some(Mode::Socket) => {
            needed.push((
                "slack.app_token",
                "an app-level token (xapp-…) with connections:write, from the app's Basic Information",
            ));
        }
        Some(Mode::Http) => needed.push(("slack.signing_secret", "the Signing Secret, from the app's Basic Information")),
        None => {}
    }
    for (key, what) in needed {
        if !reader.is_set(key) {
            reader.fault(key, "is missing, and Slack cannot be reached without it", format!("set it to {what}"));
        }
    }
    if matches!(mode, Some(Mode::Http)) && !listens && !reader.is_set("server.listen") {
        let fix = "set `server.listen` to the address that Slack's requests are passed on to, or use the mode `socket`";
        reader.fault("slack.mode", "is `http`, but nothing listens", fix);
    }
}

/// Gateways may have tokens of their own form, so only what is known to be another kind is refused.
fn token(reader: &mut Reader, key: &'static str, kind: &'static str) -> Option<SecretString> {
    const OTHERS: [(&str, &str); 6] = [
        ("xoxb-", "a bot token"),
        ("xapp-", "an app-level token"),
        ("xoxp-", "a user token"),
        ("xoxc-", "a browser's token"),
        ("xoxe-", "a refresh token"),
        ("xoxe.xoxp-", "a user token"),
    ];
    let token = reader.secret(key)?;
    let other = OTHERS.iter().find(|(begin, _)| *begin != kind && token.expose_secret().starts_with(begin));
    if let Some((begin, what)) = other {
        reader.fault(key, format!("is {what} ({begin}…)"), format!("set it to the one that begins with {kind}"));
        return None;
    }
    Some(token)
}

/// A platform's, or a gateway's in its place.
pub fn api_url(text: &str, form: &'static str) -> Result<String, (&'static str, &'static str)> {
    if !(text.starts_with("http://") || text.starts_with("https://")) {
        return Err(("is no http or https URL", form));
    }
    let url = reqwest::Url::parse(text).map_err(|_| ("is no URL", form))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(("has a user or password in it", form));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(("has a `?` or `#` part", form));
    }
    let trimmed = url.as_str().trim_end_matches('/');
    match trimmed.ends_with("/api") {
        true => Ok(trimmed.to_owned()),
        false => Err(("does not end in `/api`", form)),
    }
}

fn commands(reader: &mut Reader) -> (Vec<String>, String) {
    let prefix = reader.parsed("slack.command_prefix", |text| match is_name(text) && text.len() + ALL.len() <= LONGEST {
        true => Ok(text.to_owned()),
        false => Err(("begins no slash command", "use up to 26 of a-z, 0-9, - and _, as \"acme-\"")),
    });
    let prefix = prefix.unwrap_or_default();
    let Some(listed) = reader.list("slack.commands") else {
        return (COMMANDS.map(str::to_owned).to_vec(), prefix);
    };
    let mut commands: Vec<String> = Vec::new();
    for (place, name) in listed.into_iter().enumerate() {
        let name = name.strip_prefix('/').unwrap_or(&name);
        let place = place + 1;
        if !is_name(name) || prefix.len() + name.len() > LONGEST {
            reader.fault("slack.commands", format!("has no name of a slash command as entry {place}"), COMMAND_FORM);
        } else if RESERVED.contains(&format!("{prefix}{name}").as_str()) {
            let fix = "remove it, since `/gaggle` takes it anyway, or set `slack.command_prefix`";
            reader.fault("slack.commands", format!("has a command of Slack's own as entry {place}"), fix);
        } else if name == ALL || commands.iter().any(|known| known == name) {
            reader.fault("slack.commands", format!("repeats a command in entry {place}"), "remove it");
        } else {
            commands.push(name.to_owned());
        }
    }
    (commands, prefix)
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

fn streaming(reader: &mut Reader) -> bool {
    match reader.toml("slack.streaming") {
        None => true,
        Some(toml::Value::Boolean(streaming)) => streaming,
        Some(_) => {
            reader.wrong("slack.streaming", "is neither true nor false");
            true
        }
    }
}
