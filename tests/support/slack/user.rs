//! What a person does in Slack by writing: commands, messages, replies, edits, files; and by opening things.
//!
//! Invariant: a person can only write where they are a member.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Slack;
use super::delivery::{Acked, Missed};
use super::state::{APP, BOT_USER, Channel, File, Hook, Kind, Message, State, TEAM};

#[derive(Clone)]
pub struct User {
    pub(super) slack: Slack,
    pub id: String,
}

/// How something that a person did was taken by the app.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub what: String,
    pub took: Duration,
    /// What came with the acknowledgement.
    pub body: Value,
    /// The person saw Slack's "dispatch failed".
    pub failed: Option<Missed>,
    pub trigger_id: String,
    pub response_url: String,
}

impl Outcome {
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.failed.is_none(), "{}: dispatch_failed, {:?}", self.what, self.failed);
        self
    }

    pub(super) fn of(what: String, trigger_id: String, response_url: String, result: Result<Acked, Missed>) -> Self {
        let (took, body, failed) = match result {
            Ok(acked) => (acked.took, acked.body, None),
            Err(missed) => (Duration::ZERO, Value::Null, Some(missed)),
        };
        Self { what, took, body, failed, trigger_id, response_url }
    }
}

impl State {
    /// A `response_url` for what that user did there; `of`: `commands` or `actions`.
    pub fn hook(
        &mut self,
        of: &str,
        user: &str,
        channel: &str,
        original: Option<&str>,
        thread_ts: Option<String>,
    ) -> (String, String) {
        let id = self.id("hook");
        let url = format!("{}/{of}/{TEAM}/{id}", self.base());
        let hook = Hook {
            at: Instant::now(),
            uses: 0,
            user: user.into(),
            channel: channel.into(),
            original: original.map(str::to_owned),
            thread_ts,
            clicked: original.is_some(),
        };
        self.hooks.insert(id.clone(), hook);
        (id, url)
    }

    pub fn team_object(&self) -> Value {
        json!({ "id": TEAM, "domain": "standin" })
    }

    pub fn user_object(&self, user: &str) -> Value {
        let name = self.users.get(user).map_or("", |p| p.name.as_str());
        json!({ "id": user, "username": name, "name": name, "team_id": TEAM })
    }

    pub fn channel_name(channel: &Channel) -> &str {
        if channel.kind == Kind::Private { "privategroup" } else { &channel.name }
    }

    #[track_caller]
    fn member(&self, user: &str, channel: &str) {
        let found = self.channels.get(channel).unwrap_or_else(|| panic!("no channel {channel}"));
        assert!(found.members.contains(user), "{user} is no member of {}", found.name);
    }

    fn store(&mut self, user: &str, channel: &str, name: &str, content: &[u8]) -> String {
        let id = self.id("F");
        let file = File {
            id: id.clone(),
            name: name.into(),
            title: name.into(),
            content: content.to_vec(),
            user: user.into(),
            length: content.len(),
            uploaded: true,
            complete: true,
            channels: vec![channel.to_owned()],
        };
        self.files.insert(id.clone(), file);
        id
    }

    pub fn store_for_view(&mut self, user: &str, name: &str, content: &[u8]) -> Value {
        let id = self.store(user, "", name, content);
        self.files.get(&id).map(|f| self.file(f)).unwrap_or_default()
    }
}

impl User {
    /// `/project` with the text behind it. Slack takes no commands in threads.
    pub async fn command(&self, name: &str, text: &str, channel: &str) -> Outcome {
        let (payload, hook, url, trigger) = self.slack.change(|s| {
            let trigger = s.trigger(&self.id, None);
            let (hook, url) = s.hook("commands", &self.id, channel, None, None);
            let found = s.channels.get(channel).unwrap_or_else(|| panic!("no channel {channel}"));
            let payload = json!({
                "token": "a-verification-token", "team_id": TEAM, "team_domain": "standin", "channel_id": channel,
                "channel_name": State::channel_name(found), "user_id": self.id, "user_name": s.users[&self.id].name, "command": name,
                "text": text, "api_app_id": APP, "is_enterprise_install": "false", "response_url": url, "trigger_id": trigger,
            });
            (payload, hook, url, trigger)
        });
        let what = format!("{name} {text}");
        let result = self.slack.inner.ask("slash_commands", what.clone(), payload).await;
        if let Ok(acked) = &result
            && acked.body.as_object().is_some_and(|o| o.contains_key("text") || o.contains_key("blocks"))
        {
            self.slack.change(|s| {
                if let Err(refusal) = s.respond(&hook, &acked.body) {
                    s.fault(format!("{what} was acknowledged with a message that is refused: {refusal:?}"));
                }
            });
        }
        Outcome::of(what, trigger, url, result)
    }

    /// The direct conversation with the bot.
    pub fn im(&self) -> String {
        self.slack.change(|s| s.im(&self.id))
    }

    /// Writes to a channel; the message's ts.
    #[track_caller]
    pub fn say(&self, channel: &str, text: &str) -> String {
        self.write(channel, None, text, &[])
    }

    #[track_caller]
    pub fn reply(&self, channel: &str, thread_ts: &str, text: &str) -> String {
        self.write(channel, Some(thread_ts), text, &[])
    }

    /// Writes to the bot directly; channel and ts.
    pub fn dm(&self, text: &str) -> (String, String) {
        let channel = self.im();
        let ts = self.write(&channel, None, text, &[]);
        (channel, ts)
    }

    /// `@gaggle …`
    #[track_caller]
    pub fn mention(&self, channel: &str, text: &str) -> String {
        self.say(channel, &format!("<@{BOT_USER}> {text}"))
    }

    /// With attached files: name and content.
    #[track_caller]
    pub fn write(&self, channel: &str, thread_ts: Option<&str>, text: &str, files: &[(&str, &[u8])]) -> String {
        self.slack.change(|s| {
            s.member(&self.id, channel);
            let root = thread_ts.map(|ts| s.message(channel, ts).and_then(|m| m.thread_ts.clone()).unwrap_or_else(|| ts.to_owned()));
            let files: Vec<String> = files.iter().map(|(name, content)| s.store(&self.id, channel, name, content)).collect();
            let message = Message {
                channel: channel.into(),
                thread_ts: root,
                user: self.id.clone(),
                text: text.into(),
                blocks: json!([{ "type": "rich_text", "block_id": "r1", "elements": [{ "type": "rich_text_section", "elements": [{ "type": "text", "text": text }] }] }]),
                subtype: (!files.is_empty()).then(|| "file_share".to_owned()),
                files,
                ..Message::default()
            };
            let ts = s.insert(message);
            s.tell_posted(channel, &ts);
            ts
        })
    }

    pub fn edit(&self, channel: &str, ts: &str, text: &str) {
        self.slack.change(|s| {
            let before = s.message(channel, ts).map(|m| s.shown(m)).expect("a message");
            let edited = s.ts();
            let message = s.message_mut(channel, ts).expect("a message");
            assert_eq!(message.user, self.id, "somebody else's message");
            message.text = text.into();
            message.blocks = Value::Null;
            message.edited = Some(edited);
            message.edits += 1;
            s.tell_changed(channel, ts, before);
        });
    }

    pub fn delete(&self, channel: &str, ts: &str) {
        self.slack.change(|s| s.erase(channel, ts));
    }

    /// The message shortcut with that `callback_id`.
    pub async fn shortcut(&self, channel: &str, ts: &str, callback_id: &str) -> Outcome {
        let (payload, url, trigger) = self.slack.change(|s| {
            let trigger = s.trigger(&self.id, None);
            let message = s.message(channel, ts).cloned().expect("a message");
            let (_, url) = s.hook("actions", &self.id, channel, Some(ts), message.thread_ts.clone());
            let name = State::channel_name(&s.channels[channel]).to_owned();
            let now = s.ts();
            let payload = json!({
                "type": "message_action", "token": "a-verification-token", "action_ts": now, "team": s.team_object(),
                "user": s.user_object(&self.id), "channel": { "id": channel, "name": name }, "is_enterprise_install": false,
                "enterprise": null, "callback_id": callback_id, "trigger_id": trigger, "response_url": url, "message_ts": ts,
                "message": s.shown(&message), "api_app_id": APP,
            });
            (payload, url, trigger)
        });
        let what = format!("shortcut {callback_id}");
        let result = self.slack.inner.ask("interactive", what.clone(), payload).await;
        Outcome::of(what, trigger, url, result)
    }

    pub fn open_home(&self) {
        self.slack.change(|s| {
            let channel = s.im(&self.id);
            let now = s.ts();
            let mut event =
                json!({ "type": "app_home_opened", "user": self.id, "channel": channel, "tab": "home", "event_ts": now });
            if let Some(id) = s.homes.get(&self.id) {
                event["view"] = s.view(id);
            }
            s.emit(event);
        });
    }

    /// Opens the assistant's side pane: a thread of its own in the direct conversation; channel and thread.
    pub fn open_assistant(&self, context: Option<&str>) -> (String, String) {
        self.slack.change(|s| {
            let channel = s.im(&self.id);
            let text = "New Assistant Thread".to_owned();
            let root = s.insert(Message { channel: channel.clone(), user: BOT_USER.into(), text, ..Message::default() });
            let context = context.map_or(json!({}), |c| json!({ "channel_id": c, "team_id": TEAM, "enterprise_id": null }));
            let thread = json!({ "user_id": self.id, "context": context, "channel_id": channel, "thread_ts": root });
            s.emit(json!({ "type": "assistant_thread_started", "assistant_thread": thread, "event_ts": root }));
            (channel, root)
        })
    }

    pub fn react(&self, channel: &str, ts: &str, reaction: &str) {
        self.slack.change(|s| {
            let now = s.ts();
            let author = s.message(channel, ts).map(|m| m.user.clone());
            let item = json!({ "type": "message", "channel": channel, "ts": ts });
            s.emit(json!({ "type": "reaction_added", "user": self.id, "item": item, "reaction": reaction, "item_user": author, "event_ts": now }));
        });
    }
}
