//! What Slack sends, as far as it matters here.
//!
//! Invariants: whatever is JSON is understood as something, if only as [`Payload::Unknown`]; a field that is missing, null or
//! empty never spoils the rest; no `Debug` shows what somebody wrote or a URL that lets its holder in.

mod event;
mod field;
mod interaction;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

pub use event::{AssistantThread, Authorization, Event, File, Happened, Message, Profile};
pub use field::Quiet;
pub use interaction::{Click, Closed, Command, Container, Input, Named, ResponseUrl, Shortcut, State, Submit, User, View};

/// The doors that Slack knows; each has its own form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Commands,
    Interactivity,
    Events,
}

#[derive(Clone)]
pub enum Payload {
    Command(Box<Command>),
    Click(Box<Click>),
    Submit(Box<Submit>),
    Closed(Box<Closed>),
    Shortcut(Box<Shortcut>),
    Event(Box<Event>),
    /// Something new, or something that lacks what makes it one of the above.
    Unknown {
        kind: String,
    },
}

/// No JSON object at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", default, deserialize_with = "field::text")]
    kind: String,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
}

impl Payload {
    pub fn parse(door: Door, json: &str) -> Result<Self, Malformed> {
        match door {
            Door::Commands => typed(json, "slash_command", Self::Command),
            Door::Interactivity => {
                let kind = object::<Kind>(json)?.map(|head| head.kind).unwrap_or_default();
                match kind.as_str() {
                    "block_actions" => typed(json, &kind, Self::Click),
                    "view_submission" => typed(json, &kind, Self::Submit),
                    "view_closed" => typed(json, &kind, Self::Closed),
                    "message_action" | "shortcut" => typed(json, &kind, Self::Shortcut),
                    other => Ok(Self::Unknown { kind: field::kind(other) }),
                }
            }
            Door::Events => {
                let Some(head) = object::<Kind>(json)? else { return Ok(Self::Unknown { kind: "event".into() }) };
                match (head.event, head.kind.as_str()) {
                    (Some(_), _) | (None, "app_rate_limited") => typed(json, "event", Self::Event),
                    (None, other) => Ok(Self::Unknown { kind: field::kind(other) }),
                }
            }
        }
    }

    /// The fields of a form, as slash commands come over HTTP, in the form in which they come over a socket.
    pub fn json_of(fields: impl IntoIterator<Item = (String, String)>) -> String {
        let fields = fields.into_iter().map(|(name, value)| match (name.as_str(), value.as_str()) {
            ("is_enterprise_install", flag) => (name, Value::Bool(flag == "true")),
            _ => (name, Value::String(value)),
        });
        Value::Object(fields.collect()).to_string()
    }

    /// For logs and counts: one of a bounded number of words, or Slack's own word for what is unknown.
    pub fn kind(&self) -> &str {
        match self {
            Self::Command(_) => "command",
            Self::Click(_) => "click",
            Self::Submit(_) => "submit",
            Self::Closed(_) => "closed",
            Self::Shortcut(_) => "shortcut",
            Self::Event(event) => event.happened.kind(),
            Self::Unknown { kind } => kind,
        }
    }

    /// The same things under the same keys, however often and by whichever way they come. A message and the mention in it share one.
    pub fn keys(&self) -> Vec<String> {
        let one = |begin: &str, parts: &[&str]| match parts.iter().any(|part| part.is_empty()) {
            true => Vec::new(),
            false => vec![format!("{begin}:{}", parts.join(":"))],
        };
        let first = |first: Vec<String>, second: Vec<String>| if first.is_empty() { second } else { first };
        match self {
            // A gateway in between may give them all the same trigger.
            Self::Command(command) => one("trigger", &[&command.trigger_id, &command.digest()]),
            Self::Click(click) => {
                let action = click.actions.first();
                let of = |part: fn(&Input) -> &str| action.map(part).unwrap_or_default();
                let place = click.container.message_ts.as_deref().or(click.container.view_id.as_deref()).unwrap_or_default();
                let (id, ts) = (of(|a| &a.action_id), of(|a| &a.action_ts));
                let clicked = one("click", &[&click.user.id, place, id, ts]);
                let by_trigger = one("trigger", &[&click.trigger_id, ts]);
                first(by_trigger, first(clicked, one("trigger", &[&click.trigger_id])))
            }
            Self::Submit(submit) => {
                let view = &submit.view;
                let submitted = one("submit", &[&submit.user.id, &view.id, &view.hash]);
                let by_trigger = one("trigger", &[&submit.trigger_id, &view.id, &view.hash]);
                first(by_trigger, first(submitted, one("trigger", &[&submit.trigger_id])))
            }
            Self::Closed(closed) => one("closed", &[&closed.user.id, &closed.view.id]),
            Self::Shortcut(shortcut) => first(
                one("trigger", &[&shortcut.trigger_id]),
                one("shortcut", &[&shortcut.user.id, &shortcut.callback_id, &shortcut.action_ts]),
            ),
            Self::Event(event) => {
                let mut keys = one("event", &[&event.event_id]);
                if let Happened::Mention(message) | Happened::Message(message) = &event.happened {
                    keys.extend(one("message", &[&message.channel, &message.ts]));
                }
                keys
            }
            Self::Unknown { .. } => Vec::new(),
        }
    }

    /// Whether the transport may acknowledge it before anybody looked at it: what it asks for is answered by other ways.
    pub(super) fn is_acknowledged_at_once(&self) -> bool {
        !matches!(self, Self::Submit(_) | Self::Event(_))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

/// `None`: it is an object, but not such a one.
fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Result<Option<T>, Malformed> {
    match serde_json::from_str(json) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_data() && json.trim_start().starts_with('{') => Ok(None),
        Err(_) => Err(Malformed),
    }
}

fn typed<'a, T: Deserialize<'a>>(json: &'a str, kind: &str, make: fn(Box<T>) -> Payload) -> Result<Payload, Malformed> {
    Ok(object(json)?.map_or_else(|| Payload::Unknown { kind: field::kind(kind) }, make))
}
