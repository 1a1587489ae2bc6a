//! What people get to read when an agent fails. Invariant: no sentence holds a key, a URL's user information or query, or more
//! than a few lines of what an agent said.

use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use super::Failure;
use crate::model::{clip, words};

/// JSON-RPC code of ACP: authentication required.
const AUTH_REQUIRED: i64 = -32000;
/// The most of an agent's own words that is repeated to people.
const QUOTED: usize = 400;

static USER_INFO: LazyLock<Regex> = LazyLock::new(|| pattern(r"://[^/\s@]+@"));
static QUERY: LazyLock<Regex> = LazyLock::new(|| pattern(r"(://[^\s?]+)\?[^\s]+"));
static KEYS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:(?:sk|pk|rk|ghp|gho|ghs|glpat|xox[abpr]|hf|gsk|AIza)[-_][A-Za-z0-9_*.-]{6,}|(?:bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,})",
    )
});
static REFUSED_KEY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(401|403|unauthori[sz]ed|authentication|forbidden|invalid api key|incorrect api key)\b"));

fn pattern(text: &str) -> Regex {
    #[allow(clippy::expect_used)]
    Regex::new(text).expect("a pattern of ours is valid")
}

/// An agent's words, fit to be repeated: one line, short, without anything that looks like a secret.
pub fn quoted(text: &str) -> String {
    // What cannot be shown anyway need not be searched.
    let line = words(text.get(..text.floor_char_boundary(4 * QUOTED)).unwrap_or(text));
    let line = USER_INFO.replace_all(&line, "://");
    let line = QUERY.replace_all(&line, "$1");
    clip(&KEYS.replace_all(&line, "[key]"), QUOTED)
}

/// A URL for people: scheme, host, port and path.
pub fn shown_url(url: &str) -> String {
    QUERY.replace_all(&USER_INFO.replace_all(url, "://"), "$1").into_owned()
}

fn ended(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?', '…']) { text.to_owned() } else { format!("{text}.") }
}

/// The model, or what lies between it and the agent, gave an error.
pub fn model_failed(error: &str) -> Failure {
    let advice = if REFUSED_KEY.is_match(error) {
        "Its provider does not accept the key: set the right one with `/project secret set`, then restart the project."
    } else {
        "Ask again; if it goes on, look at the project's model, provider and log."
    };
    Failure::Failed(format!("The model could not answer: {} {advice}", ended(&quoted(error))))
}

pub fn model_dropped(error: &str) -> Failure {
    Failure::Interrupted(format!(
        "The connection to the model broke, and the answer is incomplete: {} Ask again.",
        ended(&quoted(error))
    ))
}

/// The agent answered a request with an error of its protocol.
pub fn agent_refused(what: &str, message: &str) -> Failure {
    if message.contains("already has") && message.contains("active") {
        return busy();
    }
    Failure::Failed(format!("The agent could not {what}: {}", ended(&quoted(message))))
}

/// What Goose says if its provider refuses the key; other agents, if nobody has logged in.
pub fn needs_login(message: &str) -> Failure {
    Failure::Failed(format!(
        "The agent may not use its model: {} Its provider has no key, or does not accept it: set the right one with \
         `/project secret set`, then restart the project.",
        ended(&quoted(message))
    ))
}

pub fn too_large() -> Failure {
    Failure::Failed(format!(
        "The agent sent a single event of more than {} MiB, which Gaggle does not take; the rest of the answer was given up. Ask for less output at once.",
        super::MAX_EVENT / (1024 * 1024)
    ))
}

pub fn gone(place: &str, why: &str) -> Failure {
    Failure::Interrupted(format!(
        "The agent at {place} is gone ({}); the answer is incomplete. Ask again with `/session retry`.",
        quoted(why)
    ))
}

pub fn busy() -> Failure {
    Failure::Failed(
        "The agent is still at work on an earlier message of this session. Stop it with `/session stop`, or wait, then ask again.".to_owned(),
    )
}

/// An error of the protocol.
pub fn rpc(what: &str, code: i64, text: &str) -> Failure {
    if code == AUTH_REQUIRED { needs_login(text) } else { agent_refused(what, text) }
}

pub fn silent(idle: Duration) -> Failure {
    let seconds = idle.as_secs();
    Failure::Interrupted(format!(
        "The agent gave no sign of life for {seconds} s, so this answer was given up (`stream_idle_timeout`). Ask again."
    ))
}

pub fn no_answer(what: &str, patience: Duration) -> Failure {
    let seconds = patience.as_secs();
    Failure::Failed(format!(
        "The agent did not answer within {seconds} s when asked to {what}. Try again, or restart the project."
    ))
}

pub fn no_acp(place: &str) -> Failure {
    Failure::Failed(format!("What answers at {place} does not speak ACP over HTTP. Check `[agent] url` and `[agent] protocol`."))
}

pub fn key_refused(place: &str) -> Failure {
    Failure::Failed(format!(
        "The agent at {place} does not accept Gaggle's key. Set `[agent] secret_key` to the server's own (GOOSE_SERVER__SECRET_KEY)."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_get_through() {
        let said = quoted("at http://ann:hunter2@host/v1?key=abc: Incorrect API key sk-abcdef123456 given, Bearer eyJhbGciOi.x");
        assert_eq!(said, "at http://host/v1 Incorrect API key [key] given, [key]");
        assert_eq!(shown_url("http://a:b@h:1/x?token=t"), "http://h:1/x");
    }

    #[test]
    fn a_refused_key_is_named_as_such() {
        let Failure::Failed(text) = model_failed("Server error (401 Unauthorized) at http://x") else { panic!() };
        assert!(text.contains("secret set"), "{text}");
    }
}
