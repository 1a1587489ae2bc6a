//! What happens in the workspace, as the app is told of it.
//!
//! Invariant: an event goes into the outbox under the same lock as the change that it tells of.

use serde_json::{Value, json};

use super::call::kind_scope;
use super::state::{APP, BOT_USER, Kind, State, TEAM};

pub fn channel_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Public => "channel",
        Kind::Private => "group",
        Kind::Im => "im",
    }
}

impl State {
    /// The envelope of the Events API around an event, with an id of its own.
    pub fn wrap(&mut self, event: Value) -> Value {
        let event_id = self.id("Ev");
        let authorizations = json!([{ "enterprise_id": null, "team_id": TEAM, "user_id": BOT_USER, "is_bot": true, "is_enterprise_install": false }]);
        json!({
            "token": "a-verification-token", "team_id": TEAM, "context_team_id": TEAM, "context_enterprise_id": null,
            "api_app_id": APP, "event": event, "type": "event_callback", "event_id": event_id, "event_time": 1_700_000_000,
            "authorizations": authorizations, "is_ext_shared_channel": false, "event_context": format!("4-{event_id}"),
        })
    }

    pub fn emit(&mut self, event: Value) {
        let wrapped = self.wrap(event);
        self.outbox.push(wrapped);
    }

    /// An event of a channel: only told where the bot is a member, and only with the scope for it.
    pub fn emit_message(&mut self, channel: &str, mut event: Value) {
        let Some(found) = self.channels.get(channel) else { return };
        let scope = format!("{}:history", kind_scope(found.kind));
        if !found.members.contains(BOT_USER) || !self.scopes.contains(&scope) {
            return;
        }
        event["channel"] = json!(channel);
        event["channel_type"] = json!(channel_type(found.kind));
        if event["event_ts"].is_null() {
            event["event_ts"] = event["ts"].clone();
        }
        self.emit(event);
    }

    /// Tells of a message that was just written.
    pub fn tell_posted(&mut self, channel: &str, ts: &str) {
        let Some(shown) = self.message(channel, ts).map(|m| self.shown(m)) else { return };
        let mentions = shown["text"].as_str().is_some_and(|text| text.contains(&format!("<@{BOT_USER}>")));
        let member = self.channels.get(channel).is_some_and(|c| c.members.contains(BOT_USER) && c.kind != Kind::Im);
        if mentions && member && self.scopes.contains("app_mentions:read") && shown["user"] != BOT_USER {
            let mut mention = shown.clone();
            mention["type"] = json!("app_mention");
            mention["channel"] = json!(channel);
            mention["event_ts"] = json!(ts);
            if let Some(object) = mention.as_object_mut() {
                object.remove("subtype");
                object.remove("parent_user_id");
            }
            self.emit(mention);
        }
        self.emit_message(channel, shown);
    }

    pub fn tell_changed(&mut self, channel: &str, ts: &str, before: Value) {
        let Some(shown) = self.message(channel, ts).map(|m| self.shown(m)) else { return };
        let now = self.ts();
        let event = json!({ "type": "message", "subtype": "message_changed", "hidden": true, "message": shown, "previous_message": before, "ts": now });
        self.emit_message(channel, event);
    }

    pub fn tell_deleted(&mut self, channel: &str, ts: &str, before: Value) {
        let now = self.ts();
        let event = json!({ "type": "message", "subtype": "message_deleted", "hidden": true, "deleted_ts": ts, "previous_message": before, "ts": now });
        self.emit_message(channel, event);
    }

    pub fn echo_posted(&mut self, channel: &str, ts: &str) {
        if self.rules.echo {
            self.tell_posted(channel, ts);
        }
    }

    pub fn echo_changed(&mut self, channel: &str, ts: &str, before: Value) {
        if self.rules.echo {
            self.tell_changed(channel, ts, before);
        }
    }

    pub fn echo_deleted(&mut self, channel: &str, ts: &str, before: Value) {
        if self.rules.echo {
            self.tell_deleted(channel, ts, before);
        }
    }
}
