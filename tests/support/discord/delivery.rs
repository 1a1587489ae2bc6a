//! How interactions reach the bot, by gateway or by signed request, and what becomes of them.
//!
//! Invariant: each is settled once: by its first response, or as missed when its deadline is over.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use super::body;
use super::state::{APP, Interaction, SEED, Shown, State};
use super::user::Outcome;
use super::{Discord, Inner, Way};

/// Why there was no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    Late,
    /// Nobody there.
    Absent,
    Status(u16),
    /// The response itself was refused.
    Refused,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// For `[discord] public_key`.
pub fn public_key() -> String {
    hex(SigningKey::from_bytes(&SEED).verifying_key().as_bytes())
}

/// `X-Signature-Ed25519` of this body at that second.
pub fn sign(second: u64, body: &str) -> String {
    hex(&SigningKey::from_bytes(&SEED).sign(format!("{second}{body}").as_bytes()).to_bytes())
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// What somebody sends who is not Discord, or not as Discord would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forged {
    /// Signed by another key.
    Signature,
    /// No headers at all.
    Unsigned,
    /// A signature that is no signature.
    Garbled,
    /// Rightly signed, for another body.
    Body,
    /// Rightly signed, but long ago.
    Stale,
    /// Rightly signed, and no interaction.
    Malformed,
    /// Rightly signed, and far too long.
    Huge,
}

pub const FORGED: [Forged; 7] =
    [Forged::Signature, Forged::Unsigned, Forged::Garbled, Forged::Body, Forged::Stale, Forged::Malformed, Forged::Huge];

impl State {
    /// Makes an interaction of that user, in that channel.
    pub fn begin(
        &mut self,
        kind: u64,
        what: &str,
        user: &str,
        channel: &str,
        data: Value,
        source: Option<&str>,
    ) -> (String, Value) {
        let id = self.snowflake();
        let token = URL_SAFE_NO_PAD.encode(format!("interaction:{id}:{}", &sign(0, &id)[..64]));
        let place = &self.channels[channel];
        let guild = place.guild.as_ref().and_then(|id| self.guilds.get(id));
        let bot = self.permissions(super::state::BOT, place);
        let mut payload = json!({
            "id": id, "application_id": APP, "type": kind, "token": token, "version": 1, "data": data, "channel_id": channel,
            "channel": self.partial_channel(place, user), "locale": "en-US", "entitlements": [], "entitlement_sku_ids": [],
            "app_permissions": bot.to_string(), "attachment_size_limit": self.rules.file_bytes,
        });
        match guild {
            Some(guild) => {
                let mut member = self.member_json(guild, user).unwrap_or_default();
                member["permissions"] = json!(self.permissions(user, place).to_string());
                payload["guild_id"] = json!(guild.id);
                payload["guild"] = json!({ "id": guild.id, "locale": "en-US", "features": [] });
                payload["guild_locale"] = json!("en-US");
                payload["member"] = member;
                payload["context"] = json!(0);
                payload["authorizing_integration_owners"] = json!({ "0": guild.id });
            }
            None => {
                payload["user"] = self.user_json(user);
                payload["context"] = json!(1);
                payload["authorizing_integration_owners"] = json!({ "0": "0" });
            }
        }
        if let Some(source) = source.and_then(|id| self.message(channel, id)) {
            payload["message"] = self.message_json(source);
        }
        let interaction = Interaction {
            id: id.clone(),
            token,
            kind,
            what: what.into(),
            user: user.into(),
            channel: channel.into(),
            payload: payload.clone(),
            sent: self.now(),
            took: None,
            shown: None,
            original: None,
            source: source.map(str::to_owned),
            followups: 0,
        };
        self.interactions.insert(id.clone(), interaction);
        (id, payload)
    }
}

impl Inner {
    /// Sends what a user waits for, made under the lock, and waits with them.
    pub async fn ask(self: &Arc<Self>, begin: impl FnOnce(&mut State) -> (String, Value)) -> Outcome {
        let (id, payload) = self.change(|s| {
            s.open += 1;
            let (id, payload) = begin(s);
            if self.way == Way::Gateway {
                let guild = payload["guild_id"].as_str().map(str::to_owned);
                s.emit("INTERACTION_CREATE", 0, guild.as_deref(), &payload);
            }
            (id, payload)
        });
        let deadline = self.look(|s| s.rules.respond);
        let missed =
            if self.way == Way::Http { self.post(&id, &payload, deadline).await } else { self.wait_for(&id, deadline).await };
        self.change(|s| {
            if let Some(missed) = missed {
                s.expire(&id, missed);
            }
            s.open -= 1;
            Outcome::of(s, &s.interactions[&id])
        })
    }

    async fn wait_for(&self, id: &str, deadline: Duration) -> Option<Missed> {
        let mut changes = self.version.subscribe();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                if self.look(|s| s.interactions[id].shown.is_some()) {
                    return;
                }
                let _ = changes.changed().await;
            }
        };
        if self.look(|s| s.sessions.is_empty()) {
            return Some(Missed::Absent);
        }
        if tokio::time::timeout(deadline, waiting).await.is_ok() {
            return None;
        }
        // A bot that is away is not late.
        Some(if self.look(|s| s.sessions.values().all(|session| session.link.is_none())) { Missed::Absent } else { Missed::Late })
    }

    async fn post(&self, id: &str, payload: &Value, deadline: Duration) -> Option<Missed> {
        let Some(url) = self.bot_url.lock().expect("no panic").clone() else { return Some(Missed::Absent) };
        let (text, second) = (payload.to_string(), now());
        let request = self.http.post(format!("{url}/discord/interactions")).timeout(deadline);
        let request = request
            .header("content-type", "application/json")
            .header("user-agent", "Discord-Interactions/1.0 (+https://discord.com)");
        let request =
            request.header("x-signature-timestamp", second.to_string()).header("x-signature-ed25519", sign(second, &text));
        let missed = |error: &reqwest::Error| if error.is_timeout() { Missed::Late } else { Missed::Absent };
        let response = match request.body(text).send().await {
            Ok(response) => response,
            Err(error) => return Some(missed(&error)),
        };
        let status = response.status().as_u16();
        let kind = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        if !(200..300).contains(&status) {
            return Some(Missed::Status(status));
        }
        let bytes = match response.bytes().await {
            Ok(bytes) => bytes,
            Err(error) => return Some(missed(&error)),
        };
        // Accepted without a body: the response comes by the callback.
        if bytes.is_empty() && status == 202 {
            return self.wait_for_callback(id, deadline).await;
        }
        self.change(|s| {
            let answered = match body::read(&kind, &bytes) {
                Ok(read) => s.answered(id, &read.json, read.files),
                Err(why) => {
                    s.fault(format!("a signed interaction was answered with what cannot be read: {why}"));
                    return Some(Missed::Refused);
                }
            };
            answered.err().map(|refusal| {
                s.fault(format!("the answer to a signed interaction was refused: {}", refusal.body()));
                Missed::Refused
            })
        })
    }

    async fn wait_for_callback(&self, id: &str, deadline: Duration) -> Option<Missed> {
        let mut changes = self.version.subscribe();
        let waiting = async { while self.look(|s| s.interactions[id].shown.is_none()) && changes.changed().await.is_ok() {} };
        tokio::time::timeout(deadline, waiting).await.err().map(|_| Missed::Late)
    }
}

impl Discord {
    fn door(&self) -> String {
        let url = self.inner.bot_url.lock().expect("no panic").clone();
        format!("{}/discord/interactions", url.expect("an address of the bot's"))
    }

    /// What Discord sends when an address is entered; the status and the answer.
    pub async fn ping(&self) -> (u16, Value) {
        let body = json!({ "id": APP, "application_id": APP, "type": 1, "token": "a-token", "version": 1, "entitlements": [] })
            .to_string();
        self.knock(&body, Some((now().to_string(), sign(now(), &body)))).await
    }

    /// A body with these headers, timestamp and signature; the status, 0 if it was cut off, and the answer.
    pub async fn knock(&self, body: &str, headers: Option<(String, String)>) -> (u16, Value) {
        let mut request = self.inner.http.post(self.door()).header("content-type", "application/json");
        if let Some((second, signature)) = headers {
            request = request.header("x-signature-timestamp", second).header("x-signature-ed25519", signature);
        }
        let Ok(response) = request.body(body.to_owned()).send().await else { return (0, Value::Null) };
        let status = response.status().as_u16();
        let text = response.text().await.unwrap_or_default();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// What Discord would never send; the status.
    pub async fn forge(&self, how: Forged) -> u16 {
        let ping = json!({ "id": APP, "application_id": APP, "type": 1, "token": "a-token", "version": 1 }).to_string();
        let (second, old) = (now(), now() - 3_600);
        let other = SigningKey::from_bytes(b"the key of somebody else's forge");
        let foreign = hex(&other.sign(format!("{second}{ping}").as_bytes()).to_bytes());
        let huge = format!("{{\"type\":1,\"x\":\"{}\"}}", "x".repeat(8 * 1024 * 1024));
        let (body, headers) = match how {
            Forged::Signature => (ping, Some((second.to_string(), foreign))),
            Forged::Unsigned => (ping, None),
            Forged::Garbled => (ping, Some((second.to_string(), "not a signature".into()))),
            Forged::Body => (ping.clone() + " ", Some((second.to_string(), sign(second, &ping)))),
            Forged::Stale => (ping.clone(), Some((old.to_string(), sign(old, &ping)))),
            Forged::Malformed => ("{\"type\":2,".into(), Some((second.to_string(), sign(second, "{\"type\":2,")))),
            Forged::Huge => (huge.clone(), Some((second.to_string(), sign(second, &huge)))),
        };
        self.knock(&body, headers).await.0
    }
}
