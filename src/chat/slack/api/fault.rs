//! Why a request came to nothing, and whether Slack may have taken it all the same.
//!
//! Invariant: a fault holds Slack's code or a word of ours, and nothing of the request, the answer or the address.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use slack_morphism::errors::SlackClientError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Slack said no: its code, as `channel_not_found`.
    Refused(String),
    /// Not now; after this long.
    Limited(Duration),
    /// Certainly not taken: there was no connection.
    Unsent(&'static str),
    /// May have been taken: no answer, or one that leaves it open.
    Unknown(&'static str),
}

/// The token is of no use any more, or never was.
const DEAD: &[&str] = &[
    "invalid_auth",
    "not_authed",
    "token_revoked",
    "token_expired",
    "account_inactive",
    "app_uninstalled",
    "team_disabled",
    "invalid_token",
];
/// Nothing can be written there any more.
const PLACE: &[&str] = &[
    "channel_not_found",
    "is_archived",
    "channel_is_archived",
    "not_in_channel",
    "thread_not_found",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_only_channel",
    "restricted_action_non_threadable_channel",
    "restricted_action_thread_locked",
    "cannot_reply_to_message",
    "user_not_found",
    "user_disabled",
    "user_is_restricted",
    "cannot_dm_bot",
    "cannot_dm_user",
    "user_not_in_channel",
    "invalid_thread_ts",
    "messages_tab_disabled",
    "team_access_not_granted",
    "mpim_not_found",
    "is_inactive",
    "team_not_found",
];
const MESSAGE: &[&str] = &[
    "message_not_found",
    "cant_update_message",
    "cant_delete_message",
    "edit_window_closed",
    "no_message",
    "message_limit_exceeded",
];
const HOOK: &[&str] =
    &["used_url", "expired_url", "expired_trigger_id", "exchanged_trigger_id", "trigger_expired", "invalid_trigger_id"];
/// No such method here.
const LACKING: &[&str] = &[
    "unknown_method",
    "http_404",
    "method_deprecated",
    "method_not_supported_for_channel_type",
    "missing_scope",
    "no_permission",
    "not_allowed_token_type",
    "access_denied",
    "feature_disabled",
    "team_tier_cannot_use",
    "paid_only",
    "not_supported",
];
/// Slack's own failures: some of it may have been done.
const OPEN: &[&str] = &["fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"];
const LIMITED: &[&str] = &["ratelimited", "rate_limited", "message_limit_exceeded_retry", "accesslimited"];
/// Without a word of Slack's on how long.
const PAUSE: Duration = Duration::from_secs(1);

impl Fault {
    pub(super) fn foreign_url() -> Self {
        Self::Refused("foreign_url".to_owned())
    }

    fn is_one_of(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Refused(code) if codes.contains(&code.as_str()))
    }

    /// Nothing works any more with this token.
    pub fn is_token_dead(&self) -> bool {
        self.is_one_of(DEAD)
    }

    /// … and no time will heal that.
    pub fn is_for_ever(&self) -> bool {
        self.is_one_of(&["token_revoked", "account_inactive", "app_uninstalled"])
    }

    /// The channel, thread or person is gone, or closed to us.
    pub fn is_place_gone(&self) -> bool {
        self.is_one_of(PLACE)
    }

    /// The message that was to be changed is gone or closed.
    pub fn is_message_gone(&self) -> bool {
        self.is_one_of(MESSAGE)
    }

    /// A `response_url` or `trigger_id` has had its time.
    pub fn is_too_late(&self) -> bool {
        self.is_one_of(HOOK)
    }

    /// The workspace does not have the method at all, whatever it is asked for.
    pub fn is_lacking(&self) -> bool {
        self.is_one_of(LACKING) || self.code().is_some_and(|code| code.ends_with("_not_enabled"))
    }

    pub fn is_gone(&self) -> bool {
        self.is_token_dead() || self.is_place_gone() || self.is_message_gone()
    }

    /// Asking the same again can help.
    pub fn is_passing(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }

    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(code) => Some(code),
            _ => None,
        }
    }

    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Limited(_) => "limited",
            Self::Unsent(_) => "unsent",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Of one of Slack's codes.
    fn of_code(code: &str) -> Self {
        match code {
            code if OPEN.contains(&code) => Self::Unknown("Slack failed"),
            code if LIMITED.contains(&code) => Self::Limited(PAUSE),
            code => Self::Refused(plain(code)),
        }
    }

    pub(super) fn of_plain(error: &reqwest::Error) -> Self {
        match error {
            error if error.is_connect() => Self::Unsent("no connection"),
            error if error.is_timeout() => Self::Unknown("no answer in time"),
            error if error.is_builder() => Self::Unsent("no request"),
            _ => Self::Unknown("the connection broke"),
        }
    }

    pub(super) fn of_hyper(error: &hyper_util::client::legacy::Error) -> Self {
        match error.is_connect() || is_refused(error) {
            true => Self::Unsent("no connection"),
            false => Self::Unknown("the connection broke"),
        }
    }

    /// Of a request that says nothing to anybody if it is repeated.
    pub(super) fn harmless(self) -> Self {
        match self {
            Self::Unknown(why) => Self::Unsent(why),
            other => other,
        }
    }
}

/// A code is fit for logs whatever answered.
fn plain(code: &str) -> String {
    let code: String =
        code.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-')).take(64).collect();
    if code.is_empty() { "no_code".to_owned() } else { code }
}

fn of_status(status: u16, body: Option<&str>) -> Fault {
    match status {
        500.. => Fault::Unknown("Slack failed"),
        408 => Fault::Unknown("no answer in time"),
        status => {
            let body: Option<Value> = body.and_then(|body| serde_json::from_str(body).ok());
            match body.as_ref().and_then(|body| body["error"].as_str()) {
                Some(code) => Fault::of_code(code),
                None => Fault::Refused(format!("http_{status}")),
            }
        }
    }
}

impl From<SlackClientError> for Fault {
    fn from(error: SlackClientError) -> Self {
        match error {
            SlackClientError::ApiError(error) => Self::of_code(&error.code),
            SlackClientError::RateLimitError(error) => Self::Limited(error.retry_after.unwrap_or(PAUSE)),
            SlackClientError::HttpError(error) => of_status(error.status_code.as_u16(), error.http_response_body.as_deref()),
            SlackClientError::HttpProtocolError(error) => {
                let cause = error.cause.as_deref().and_then(|c| c.downcast_ref::<hyper_util::client::legacy::Error>());
                cause.map_or(Self::Unknown("the connection broke"), Self::of_hyper)
            }
            SlackClientError::ProtocolError(_) => Self::Unknown("an answer that is not Slack's"),
            _ => Self::Unknown("the connection broke"),
        }
    }
}

fn is_refused(error: &hyper_util::client::legacy::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused) {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// What an answer of Slack's says, however it was got.
pub fn answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Value, Fault> {
    if status == StatusCode::TOO_MANY_REQUESTS {
        let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        return Err(Fault::Limited(seconds.map_or(PAUSE, Duration::from_secs)));
    }
    if !status.is_success() {
        return Err(of_status(status.as_u16(), std::str::from_utf8(body).ok()));
    }
    let answer: Value = serde_json::from_slice(body).map_err(|_| Fault::Unknown("an answer that is not Slack's"))?;
    match (answer["ok"].as_bool(), answer["error"].as_str()) {
        (Some(true), _) => Ok(answer),
        (Some(false), Some(code)) => Err(Fault::of_code(code)),
        _ => Err(Fault::Unknown("an answer that is not Slack's")),
    }
}

/// What an answer to a `response_url` says against it.
pub fn refusal(body: &[u8]) -> Option<Fault> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    match (answer["ok"].as_bool(), answer["error"].as_str()) {
        (Some(false), Some(code)) => Some(Fault::of_code(code)),
        _ => None,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(code) => write!(f, "Slack refused it ({code})"),
            Self::Limited(pause) => write!(f, "Slack wants a pause of {} s", pause.as_secs()),
            Self::Unsent(why) => write!(f, "Slack was not reached: {why}"),
            Self::Unknown(why) => write!(f, "Slack may not have taken it: {why}"),
        }
    }
}

impl std::error::Error for Fault {}
