//! The envelope around what Slack sends over a socket.
//!
//! Invariant: the content is not looked at here, so that a command can be acknowledged before it is read.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::payload::Door;

#[derive(Deserialize)]
pub struct Frame<'a> {
    #[serde(rename = "type", borrow, default)]
    pub kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub envelope_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub payload: Option<&'a RawValue>,
    #[serde(default)]
    pub retry_attempt: Option<u32>,
    #[serde(borrow, default)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    debug_info: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct DebugInfo {
    /// Seconds.
    #[serde(default)]
    approximate_connection_time: Option<f64>,
}

impl<'a> Frame<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub fn door(&self) -> Option<Door> {
        match self.kind.as_ref() {
            "slash_commands" => Some(Door::Commands),
            "interactive" => Some(Door::Interactivity),
            "events_api" => Some(Door::Events),
            _ => None,
        }
    }

    /// Socket Mode was switched off.
    pub fn is_disabled(&self) -> bool {
        self.reason.as_deref() == Some("link_disabled")
    }

    /// How long Slack lets the connection be.
    pub fn lasts(&self) -> Option<Duration> {
        let info: DebugInfo = serde_json::from_str(self.debug_info?.get()).ok()?;
        let seconds = info.approximate_connection_time?;
        Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero())
    }
}

/// The envelope's id in something that is not to be understood otherwise: without an answer it would come for ever.
pub fn envelope_of(text: &str) -> Option<&str> {
    let rest = text.split_once("\"envelope_id\"")?.1.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let (id, _) = rest.split_once('"')?;
    let is_id = (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    is_id.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_read_without_its_content() {
        let frame = Frame::parse(
            r#"{"payload":{"a":"\u00e9"},"envelope_id":"e\/1","type":"slash_commands","retry_attempt":2,"accepts_response_payload":true}"#,
        )
        .unwrap();
        assert_eq!((frame.envelope_id.as_deref(), frame.retry_attempt), (Some("e/1"), Some(2)));
        assert_eq!((frame.payload.unwrap().get(), frame.door()), (r#"{"a":"\u00e9"}"#, Some(Door::Commands)));
        let hello = r#"{"type":"hello","num_connections":1,"debug_info":{"host":"x","approximate_connection_time":18060}}"#;
        assert_eq!(Frame::parse(hello).unwrap().lasts(), Some(Duration::from_secs(18_060)));
        assert!(Frame::parse(r#"{"type":"disconnect","reason":"link_disabled"}"#).unwrap().is_disabled());
        assert_eq!(Frame::parse(r#"{"envelope_id":null}"#).unwrap().kind, "");
    }

    #[test]
    fn an_id_is_found_in_a_frame_that_is_broken() {
        assert_eq!(envelope_of(r#"{"envelope_id" : "ab-1","payload":{"#), Some("ab-1"));
        for broken in [r#"{"envelope_id":7}"#, r#"{"envelope_id":"a b"}"#, r#"{"envelope_id":"ab"#, "nothing"] {
            assert_eq!(envelope_of(broken), None, "{broken}");
        }
    }
}
