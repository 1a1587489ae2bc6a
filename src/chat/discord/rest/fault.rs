//! Why a request came to nothing, and whether Discord may have taken it all the same.
//!
//! Invariant: a fault holds numbers of Discord's or a word of ours, and nothing of the request, the answer or the address.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Discord said no. `code` is its own, 0 if it gave none.
    Refused { status: u16, code: u64 },
    /// Not now; after this long.
    Limited(Duration),
    /// It certainly did not take effect.
    Unsent(&'static str),
    /// It may have taken effect: no answer, or one that leaves it open.
    Unknown(&'static str),
    /// The address is not Discord's.
    Foreign,
    /// What was to be downloaded is longer than was asked for.
    TooLarge,
}

/// Nothing can be written there any more: the channel, server or person is unknown, locked or closed to us.
const PLACE: &[u64] = &[10003, 10004, 10013, 50001, 50007, 50008, 50013, 50024, 50278, 160005];
/// The application, the webhook and its token: how an interaction ends.
const INTERACTION: &[u64] = &[10062, 10015, 50027];
/// Edits of messages older than an hour have a limit that no header tells; it comes as a 429.
pub const TOO_OLD: u64 = 30046;

impl Fault {
    /// Discord's own code, if it gave one.
    pub fn code(&self) -> Option<u64> {
        match self {
            Self::Refused { code, .. } if *code != 0 => Some(*code),
            _ => None,
        }
    }

    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    fn is_one_of(&self, codes: &[u64]) -> bool {
        self.code().is_some_and(|code| codes.contains(&code))
    }

    /// Asking the same again can help.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Limited(_) | Self::Unsent(_) | Self::Unknown(_))
    }

    /// The channel, thread or person is gone, locked or closed to us. Not so if it is archived alone.
    pub fn is_place_gone(&self) -> bool {
        self.is_one_of(PLACE)
    }

    pub fn is_message_gone(&self) -> bool {
        self.is_one_of(&[10008])
    }

    /// The thread is archived, and may be opened again.
    pub fn is_archived(&self) -> bool {
        self.is_one_of(&[50083])
    }

    /// The message is older than an hour and was edited too often.
    pub fn is_too_old(&self) -> bool {
        self.is_one_of(&[TOO_OLD])
    }

    /// The interaction had its time, or never was.
    pub fn is_interaction_dead(&self) -> bool {
        self.is_one_of(INTERACTION)
    }

    /// The interaction has its first response already.
    pub fn is_acknowledged(&self) -> bool {
        self.is_one_of(&[40060])
    }

    /// The message has its thread already; the thread's id is the message's.
    pub fn is_thread_there(&self) -> bool {
        self.is_one_of(&[160_004])
    }

    /// The bot's token is of no use any more, or never was.
    pub fn is_token_dead(&self) -> bool {
        matches!(self, Self::Refused { status: 401, code } if *code != 50027)
    }

    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Refused { .. } | Self::TooLarge => "refused",
            Self::Limited(_) => "limited",
            Self::Unsent(_) => "unsent",
            Self::Unknown(_) => "unknown",
            Self::Foreign => "foreign",
        }
    }

    pub(super) fn of_request(error: &reqwest::Error) -> Self {
        match error {
            error if error.is_connect() => Self::Unsent("no connection"),
            error if error.is_builder() => Self::Foreign,
            error if error.is_timeout() => Self::Unknown("no answer in time"),
            _ => Self::Unknown("the connection broke"),
        }
    }

    /// Of an answer that is neither a success nor a limit.
    pub(super) fn of_answer(status: StatusCode, body: &[u8]) -> Self {
        match status.as_u16() {
            500.. => Self::Unknown("Discord failed"),
            408 => Self::Unknown("no answer in time"),
            status => Self::Refused { status, code: code(body) },
        }
    }
}

/// Discord's code of an answer, 0 if there is none.
pub fn code(body: &[u8]) -> u64 {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    body.and_then(|body| body["code"].as_u64()).unwrap_or(0)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, code: 0 } => write!(f, "Discord refused it ({status})"),
            Self::Refused { status, code } => write!(f, "Discord refused it ({status}, code {code})"),
            Self::Limited(pause) => write!(f, "Discord wants a pause of {:.1} s", pause.as_secs_f64()),
            Self::Unsent(why) => write!(f, "Discord was not reached: {why}"),
            Self::Unknown(why) => write!(f, "Discord may not have taken it: {why}"),
            Self::Foreign => f.write_str("the address is not Discord's"),
            Self::TooLarge => f.write_str("it is too large"),
        }
    }
}

impl std::error::Error for Fault {}
