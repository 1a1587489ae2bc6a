//! The frames of the gateway, both ways.
//!
//! Invariant: the content of an event is not looked at here, only where it begins and ends.

use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::{Options, Resumable};

pub const DISPATCH: u8 = 0;
pub const HEARTBEAT: u8 = 1;
pub const RECONNECT: u8 = 7;
pub const INVALID_SESSION: u8 = 9;
pub const HELLO: u8 = 10;
pub const ACK: u8 = 11;

#[derive(Deserialize)]
pub struct Frame<'a> {
    pub op: u8,
    #[serde(default)]
    pub s: Option<u64>,
    /// Owned, since it is what is handed on.
    #[serde(default)]
    pub t: Option<String>,
    #[serde(borrow, default)]
    pub d: Option<&'a RawValue>,
}

impl<'a> Frame<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Of a greeting, in milliseconds.
    pub fn heartbeat_interval(&self) -> Option<u64> {
        #[derive(Deserialize)]
        struct Hello {
            heartbeat_interval: u64,
        }
        let hello: Hello = serde_json::from_str(self.d?.get()).ok()?;
        Some(hello.heartbeat_interval)
    }

    /// Of a session that is called invalid.
    pub fn is_resumable(&self) -> bool {
        self.d.is_some_and(|d| d.get() == "true")
    }
}

/// What of `READY` concerns the gateway.
#[derive(Deserialize)]
pub struct Ready {
    pub session_id: String,
    pub resume_gateway_url: String,
}

impl Ready {
    pub fn parse(data: &RawValue) -> Option<Self> {
        serde_json::from_str(data.get()).ok()
    }
}

pub fn heartbeat(seq: Option<u64>) -> String {
    match seq {
        Some(seq) => format!(r#"{{"op":1,"d":{seq}}}"#),
        None => r#"{"op":1,"d":null}"#.to_owned(),
    }
}

pub fn identify(options: &Options, shard: u32) -> String {
    let properties = json!({ "os": std::env::consts::OS, "browser": "gaggle", "device": "gaggle" });
    let data = json!({
        "token": options.token.expose_secret(),
        "properties": properties,
        "intents": options.intents,
        "shard": [shard, options.shards],
        "compress": false,
    });
    json!({ "op": 2, "d": data }).to_string()
}

pub fn resume(options: &Options, session: &Resumable) -> String {
    let data = json!({ "token": options.token.expose_secret(), "session_id": session.session_id, "seq": session.seq });
    json!({ "op": 6, "d": data }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_keeps_its_content_as_it_was_written() {
        let text = r#"{"t":"MESSAGE_CREATE","s":7,"op":0,"d":{"content":"\u00e9", "n":1.0}}"#;
        let frame = Frame::parse(text).unwrap();
        assert_eq!((frame.op, frame.s, frame.t.as_deref()), (DISPATCH, Some(7), Some("MESSAGE_CREATE")));
        assert_eq!(frame.d.unwrap().get(), r#"{"content":"\u00e9", "n":1.0}"#);
    }

    #[test]
    fn what_lacks_something_is_understood_as_far_as_it_goes() {
        let frame = Frame::parse(r#"{"op":11,"t":null,"s":null,"d":null}"#).unwrap();
        assert!(frame.op == ACK && frame.s.is_none() && frame.d.is_none());
        assert!(Frame::parse(r#"{"op":9,"d":true}"#).unwrap().is_resumable());
        assert!(!Frame::parse(r#"{"op":9,"d":false}"#).unwrap().is_resumable());
        assert!(!Frame::parse(r#"{"op":9}"#).unwrap().is_resumable());
        assert_eq!(Frame::parse(r#"{"op":10,"d":{"heartbeat_interval":41250}}"#).unwrap().heartbeat_interval(), Some(41_250));
        for broken in ["", "[]", r#"{"d":1}"#, r#"{"op":300}"#, r#"{"op":0,"s":-1}"#, r#"{"op":0,"t":7}"#, r#"{"op":1"#] {
            assert!(Frame::parse(broken).is_none(), "{broken}");
        }
    }
}
