//! What happens to the workspace: channels, memberships, people, groups, tokens; and to its sockets.
//!
//! Absence: what one user does is in `user` and `click`.

use std::collections::BTreeSet;

use serde_json::json;

use super::state::{BOT_TOKEN, BOT_USER, Channel, Frame, Group, Kind, Message, State, TEAM};
use super::{Slack, User};

/// `ann` is `U0ANN`.
fn user_id(name: &str) -> String {
    if name == BOT_USER { name.into() } else { format!("U0{}", name.to_uppercase()) }
}

impl Slack {
    /// A person of the workspace, made at the first mention.
    pub fn user(&self, name: &str) -> User {
        let id = user_id(name);
        self.change(|s| {
            if !s.users.contains_key(&id) {
                s.people(&id, name, false);
            }
        });
        User { slack: self.clone(), id }
    }

    /// A channel with these people; its id.
    pub fn channel(&self, name: &str, kind: Kind, people: &[&str], with_bot: bool) -> String {
        let mut members: BTreeSet<String> = people.iter().map(|person| self.user(person).id).collect();
        if with_bot {
            members.insert(BOT_USER.into());
        }
        self.change(|s| {
            let id = s.id("C");
            s.channels.insert(id.clone(), Channel { id: id.clone(), name: name.into(), kind, members, archived: false });
            id
        })
    }

    /// The bot was invited: the join is an event and a message.
    pub fn bot_joins(&self, channel: &str, inviter: &User) {
        self.change(|s| s.join_channel(channel, BOT_USER, Some(&inviter.id)));
    }

    pub fn joins(&self, channel: &str, user: &User) {
        self.change(|s| s.join_channel(channel, &user.id, None));
    }

    pub fn bot_removed(&self, channel: &str) {
        self.change(|s| {
            let now = s.ts();
            s.emit(json!({ "type": "member_left_channel", "user": BOT_USER, "channel": channel, "channel_type": "C", "team": TEAM, "event_ts": now }));
            if let Some(channel) = s.channels.get_mut(channel) {
                channel.members.remove(BOT_USER);
            }
        });
    }

    pub fn archive(&self, channel: &str, by: &User) {
        self.change(|s| {
            if let Some(channel) = s.channels.get_mut(channel) {
                channel.archived = true;
            }
            let now = s.ts();
            s.emit(json!({ "type": "channel_archive", "channel": channel, "user": by.id, "is_moved": 0, "event_ts": now }));
        });
    }

    pub fn rename(&self, channel: &str, name: &str) {
        self.change(|s| {
            if let Some(channel) = s.channels.get_mut(channel) {
                channel.name = name.into();
            }
            let now = s.ts();
            let shown = json!({ "id": channel, "is_channel": true, "is_mpim": false, "name": name, "name_normalized": name, "created": 1_700_000_000 });
            s.emit(json!({ "type": "channel_rename", "channel": shown, "event_ts": now }));
        });
    }

    /// Calls with the bot's token fail from now on.
    pub fn revoke_token(&self) {
        self.change(|s| {
            s.emit(json!({ "type": "tokens_revoked", "tokens": { "oauth": [], "bot": [BOT_USER] } }));
            s.token_revoked = true;
        });
    }

    pub fn uninstall(&self) {
        self.change(|s| {
            s.emit(json!({ "type": "app_uninstalled" }));
            s.account_inactive = true;
        });
    }

    pub fn deactivate(&self, user: &User) {
        self.change(|s| {
            let Some(person) = s.users.get_mut(&user.id) else { return };
            person.deleted = true;
            let person = person.clone();
            let (shown, now) = (s.person(&person), s.ts());
            s.emit(json!({ "type": "user_change", "user": shown, "cache_ts": 1_700_000_000, "event_ts": now }));
        });
    }

    /// A user group as it is now; told when it changed. Returns its id.
    pub fn group(&self, handle: &str, users: &[&User]) -> String {
        let wanted: Vec<String> = users.iter().map(|user| user.id.clone()).collect();
        self.change(|s| {
            let Some(group) = s.groups.values_mut().find(|g| g.handle == handle) else {
                let id = s.id("S");
                s.groups.insert(id.clone(), Group { id: id.clone(), handle: handle.into(), users: wanted, disabled: false });
                return id;
            };
            let id = group.id.clone();
            let before = std::mem::replace(&mut group.users, wanted.clone());
            let added: Vec<&String> = wanted.iter().filter(|u| !before.contains(u)).collect();
            let removed: Vec<&String> = before.iter().filter(|u| !wanted.contains(u)).collect();
            let now = s.ts();
            let event = json!({
                "type": "subteam_members_changed", "subteam_id": id, "team_id": TEAM, "date_previous_update": 1_700_000_000,
                "date_update": 1_700_000_100, "added_users": added, "added_users_count": added.len().to_string(),
                "removed_users": removed, "removed_users_count": removed.len().to_string(), "event_ts": now,
            });
            s.emit(event);
            id
        })
    }

    /// Another app writes.
    pub fn bot_says(&self, channel: &str, thread_ts: Option<&str>, text: &str) -> String {
        self.change(|s| {
            s.people("U0OTHERBOT", "otherbot", true);
            let message = Message {
                channel: channel.into(),
                thread_ts: thread_ts.map(str::to_owned),
                user: "U0OTHERBOT".into(),
                subtype: Some("bot_message".into()),
                text: text.into(),
                ..Message::default()
            };
            let ts = s.insert(message);
            s.tell_posted(channel, &ts);
            ts
        })
    }

    /// Somebody writes what has attachments or blocks, as a forwarded message or an alert.
    pub fn shows(
        &self,
        user: &str,
        channel: &str,
        text: &str,
        attachments: serde_json::Value,
        blocks: serde_json::Value,
    ) -> String {
        self.change(|s| {
            let message = Message {
                channel: channel.into(),
                user: user.into(),
                text: text.into(),
                attachments,
                blocks,
                ..Message::default()
            };
            let ts = s.insert(message);
            s.tell_posted(channel, &ts);
            ts
        })
    }

    /// An event of any kind, as it is.
    pub fn event(&self, event: serde_json::Value) {
        self.change(|s| s.emit(event));
    }

    /// The same event once more in an envelope of its own, as Slack does when an acknowledgement got lost.
    pub fn repeat_event(&self, wrapped: serde_json::Value) {
        self.change(|s| s.outbox.push(wrapped));
    }

    /// One of those that were sent lately.
    pub fn repeat_some_event(&self, back: usize) {
        self.change(|s| {
            let one = s.events.len().checked_sub(back + 1).and_then(|at| s.events.get(at).cloned());
            s.outbox.extend(one);
        });
    }

    /// `warning`, `refresh_requested` or `link_disabled` for the oldest `count` sockets.
    pub fn disconnect(&self, count: usize, reason: &'static str) {
        self.change(|s| {
            for socket in s.sockets.iter_mut().filter(|socket| reason != "warning" || !socket.leaving).take(count) {
                socket.leaving = true;
                let _ = socket.sender.try_send(Frame::Disconnect(reason));
            }
        });
    }

    /// Without a word.
    pub fn cut_sockets(&self, count: usize) {
        self.change(|s| {
            for socket in s.sockets.iter_mut().take(count) {
                socket.leaving = true;
                let _ = socket.sender.try_send(Frame::Cut);
            }
        });
    }

    pub fn refuse_sockets(&self, refuse: bool) {
        self.change(|s| s.refuse_sockets = refuse);
    }

    pub async fn sockets(&self, count: usize) {
        self.wait(&format!("{count} sockets"), |s| (s.sockets.len() >= count).then_some(())).await;
    }
}

impl State {
    fn join_channel(&mut self, id: &str, user: &str, inviter: Option<&str>) {
        let Some(channel) = self.channels.get_mut(id) else { return };
        channel.members.insert(user.into());
        let letter = if channel.kind == Kind::Private { "G" } else { "C" };
        let text = format!("<@{user}> has joined the channel");
        let message =
            Message { channel: id.into(), user: user.into(), subtype: Some("channel_join".into()), text, ..Message::default() };
        let ts = self.insert(message);
        let mut event = json!({ "type": "member_joined_channel", "user": user, "channel": id, "channel_type": letter, "team": TEAM, "event_ts": ts });
        if let Some(inviter) = inviter {
            event["inviter"] = json!(inviter);
        }
        self.emit(event);
        self.tell_posted(id, &ts);
    }
}
