//! The gateway, Discord's side: greetings, identities, sessions that are taken up again, heartbeats, and the ways in which a
//! connection ends.
//!
//! Invariant: a session outlives its connection unless the bot closed it by 1000 or 1001, it was invalidated, or too much time passed.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::Inner;
use super::events::{ALL, CONTENT, GUILDS, MEMBERS, PRESENCES};
use super::state::{APP, BOT, Frame, Session, State, TOKEN};

/// What one connection is about.
struct Link {
    id: u64,
    sender: mpsc::UnboundedSender<Frame>,
    path: String,
    session: Option<String>,
    compress: bool,
}

pub async fn serve(inner: Arc<Inner>, stream: TcpStream) {
    if inner.look(|s| s.refuse_links) {
        return;
    }
    let (mut path, mut query) = (String::new(), String::new());
    #[expect(clippy::result_large_err, reason = "the handshake's own callback type")]
    let read = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        path = request.uri().path().to_owned();
        query = request.uri().query().unwrap_or_default().to_owned();
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, read).await else { return };
    let (sender, mut frames) = mpsc::unbounded_channel();
    let (id, heartbeat) = inner.change(|s| {
        if !query.split('&').any(|p| p == "v=10") {
            s.fault(format!("the gateway was asked for without its version: {query:?}"));
        }
        if query.contains("compress=") || query.contains("encoding=") && !query.contains("encoding=json") {
            s.fault(format!("the stand-in speaks plain JSON only: {query:?}"));
        }
        let id = crate::support::discord::state::number(&s.snowflake());
        s.links.insert(id, sender.clone());
        (id, s.rules.heartbeat)
    });
    let mut link = Link { id, sender, path, session: None, compress: false };
    let hello = json!({ "op": 10, "s": null, "t": null, "d": { "heartbeat_interval": heartbeat.as_millis(), "_trace": ["[\"standin\"]"] } });
    let mut alive = socket.send(Message::text(hello.to_string())).await.is_ok();
    let mut beat = Instant::now();
    let mut watch = tokio::time::interval(heartbeat.max(std::time::Duration::from_millis(20)) / 2);
    let mut sent: VecDeque<Instant> = VecDeque::new();
    let mut closed = None;
    while alive {
        tokio::select! {
            () = inner.ended.cancelled() => break,
            frame = frames.recv() => match frame {
                Some(Frame::Text(text)) => alive = socket.send(packed(&text, link.compress)).await.is_ok(),
                Some(Frame::Close(code)) => {
                    let frame = CloseFrame { code: CloseCode::from(code), reason: reason(code).into() };
                    let _ = socket.close(Some(frame)).await;
                    alive = false;
                }
                Some(Frame::Cut) | None => break,
            },
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    sent.push_back(Instant::now());
                    let rate = inner.look(|s| s.rules.sends);
                    while sent.front().is_some_and(|at| at.elapsed() > rate.window) {
                        sent.pop_front();
                    }
                    if sent.len() > rate.calls {
                        inner.change(|s| s.close(&link, 4008));
                    } else if let Ok(frame) = serde_json::from_str::<Value>(&text) {
                        if frame["op"] == 1 {
                            beat = Instant::now();
                        }
                        inner.change(|s| s.take_frame(&mut link, &frame));
                    } else {
                        inner.change(|s| s.close(&link, 4002));
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    closed = Some(frame.map_or(1005, |f| u16::from(f.code)));
                    break;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_)) => inner.change(|s| s.close(&link, 4002)),
                Some(Err(_)) | None => break,
            },
            _ = watch.tick() => {
                if beat.elapsed() > heartbeat * 3 / 2 {
                    inner.change(|s| {
                        s.fault("a connection without heartbeats");
                        s.close(&link, 4009);
                    });
                    beat = Instant::now();
                }
            }
        }
    }
    inner.change(|s| s.unlink(&link, closed));
}

/// As the bot asked for it: large payloads are packed, one by one.
fn packed(text: &str, compress: bool) -> Message {
    if !compress || text.len() < 1_024 {
        return Message::text(text);
    }
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let packed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    packed.map_or_else(|_| Message::text(text), Message::binary)
}

fn reason(code: u16) -> &'static str {
    match code {
        4000 => "Unknown error.",
        4001 => "Unknown opcode.",
        4002 => "Error while decoding payload.",
        4003 => "Not authenticated.",
        4004 => "Authentication failed.",
        4005 => "Already authenticated.",
        4007 => "Invalid `seq` specified",
        4008 => "You're sending too many requests too quickly. Slow it down!",
        4009 => "Session timed out.",
        4010 => "Invalid shard.",
        4011 => "Sharding required.",
        4013 => "Invalid intent(s).",
        4014 => "Disallowed intent(s).",
        _ => "",
    }
}

impl State {
    fn close(&self, link: &Link, code: u16) {
        let _ = link.sender.send(Frame::Close(code));
    }

    fn send(link: &Link, frame: &Value) {
        let _ = link.sender.send(Frame::Text(frame.to_string()));
    }

    fn take_frame(&mut self, link: &mut Link, frame: &Value) {
        match frame["op"].as_u64() {
            Some(1) => {
                if !self.deaf {
                    Self::send(link, &json!({ "op": 11, "s": null, "t": null, "d": null }));
                }
            }
            Some(2) => self.identify(link, &frame["d"]),
            Some(3 | 4 | 8 | 31) if link.session.is_none() => self.close(link, 4003),
            Some(3 | 4 | 31) => {}
            Some(6) => self.resume(link, &frame["d"]),
            Some(8) => self.members_wanted(link, &frame["d"]),
            _ => {
                self.fault(format!("a frame with an unknown opcode: {frame}"));
                self.close(link, 4001);
            }
        }
    }

    /// Why an identity is not accepted.
    fn refusal(&mut self, d: &Value) -> Option<u16> {
        let intents = d["intents"].as_u64();
        if d["token"].as_str().map(|t| t.trim_start_matches("Bot ")) != Some(TOKEN) || self.token_revoked {
            return Some(4004);
        }
        let Some(intents) = intents.filter(|i| i & !ALL == 0) else { return Some(4013) };
        let rules = &self.rules;
        let privileged = [(CONTENT, rules.message_content), (MEMBERS, rules.members), (PRESENCES, rules.presences)];
        if privileged.iter().any(|(intent, granted)| intents & intent != 0 && !granted) {
            return Some(4014);
        }
        let shards = d["shard"][1].as_u64().unwrap_or(1);
        if d["shard"].is_array() && (shards == 0 || d["shard"][0].as_u64().is_none_or(|n| n >= shards)) {
            return Some(4010);
        }
        if shards < rules.shards {
            return Some(4011);
        }
        None
    }

    fn identify(&mut self, link: &mut Link, d: &Value) {
        if link.session.is_some() {
            return self.close(link, 4005);
        }
        if !d["properties"].is_object() {
            self.fault("an identity without properties");
        }
        let now = self.now();
        let early = self.rules.identify_gap.zip(self.identified_at).is_some_and(|(gap, at)| now.duration_since(at) < gap);
        if early || self.rules.identifies == 0 {
            self.early_identifies += 1;
            return Self::send(link, &json!({ "op": 9, "s": null, "t": null, "d": false }));
        }
        self.identified_at = Some(now);
        self.rules.identifies -= 1;
        let mut shown = d.clone();
        shown["token"] = Value::Null;
        self.identified.push(shown);
        if let Some(code) = self.refusal(d) {
            if code != 4004 || !self.token_revoked {
                self.fault(format!("an identity was refused: {code} {}", reason(code)));
            }
            return self.close(link, code);
        }
        let shard = (d["shard"][0].as_u64().unwrap_or(0), d["shard"][1].as_u64().unwrap_or(1));
        let id = format!("{}-session", self.snowflake());
        link.compress = d["compress"] == true;
        link.session = Some(id.clone());
        let intents = d["intents"].as_u64().unwrap_or_default();
        let mut session = Session {
            id: id.clone(),
            intents,
            shard,
            seq: 0,
            log: VecDeque::new(),
            link: Some((link.id, link.sender.clone())),
            lost: None,
        };
        let own: Vec<String> = self.guilds.values().filter(|g| g.members.contains_key(BOT)).map(|g| g.id.clone()).collect();
        let own: Vec<String> = own.into_iter().filter(|id| (super::state::number(id) >> 22) % shard.1 == shard.0).collect();
        let ready = json!({
            "v": 10, "user": self.me_json(), "session_id": id, "resume_gateway_url": format!("{}/resume", self.gateway_url()), "session_type": "normal",
            "guilds": own.iter().map(|id| json!({ "id": id, "unavailable": true })).collect::<Vec<_>>(),
            "shard": [shard.0, shard.1], "application": { "id": APP, "flags": self.application_flags() }, "user_settings": {},
            "presences": [], "relationships": [], "private_channels": [], "guild_join_requests": [], "geo_ordered_rtc_regions": [],
            "auth": {}, "_trace": ["[\"standin\"]"],
        });
        session.tell("READY", &ready);
        self.readies += 1;
        if intents & GUILDS != 0 && !self.rules.hold_guilds {
            for guild in own.iter().filter_map(|id| self.guilds.get(id)) {
                session.tell("GUILD_CREATE", &self.whole_guild(guild));
            }
        }
        self.sessions.insert(id, session);
    }

    fn resume(&mut self, link: &mut Link, d: &Value) {
        if link.session.is_some() {
            return self.close(link, 4005);
        }
        if d["token"].as_str().map(|t| t.trim_start_matches("Bot ")) != Some(TOKEN) || self.token_revoked {
            return self.close(link, 4004);
        }
        let (now, life) = (self.now(), self.rules.resume);
        let id = d["session_id"].as_str().unwrap_or_default().to_owned();
        let fresh = |s: &Session| s.lost.is_none_or(|at| now.duration_since(at) <= life);
        if !self.sessions.get(&id).is_some_and(fresh) {
            self.sessions.remove(&id);
            return Self::send(link, &json!({ "op": 9, "s": null, "t": null, "d": false }));
        }
        let seq = d["seq"].as_u64().unwrap_or_default();
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if seq > session.seq {
            self.sessions.remove(&id);
            self.fault("a session was to be resumed from a number that was never sent");
            return self.close(link, 4007);
        }
        if let Some((_, old)) = session.link.replace((link.id, link.sender.clone())) {
            let _ = old.send(Frame::Cut);
        }
        session.lost = None;
        link.session = Some(id.clone());
        while session.log.front().is_some_and(|(n, _)| *n <= seq) {
            session.log.pop_front();
        }
        for (_, text) in &session.log {
            let _ = link.sender.send(Frame::Text(text.clone()));
        }
        session.tell("RESUMED", &json!({ "_trace": ["[\"standin\"]"] }));
        self.resumes += 1;
        self.resumed_at.push(link.path.clone());
    }

    /// The members of a guild in chunks.
    fn members_wanted(&mut self, link: &Link, d: &Value) {
        let guild = d["guild_id"].as_str().unwrap_or_default();
        let Some(found) = self.guilds.get(guild) else { return };
        let members: Vec<Value> = found.members.keys().filter_map(|user| self.member_json(found, user)).collect();
        let chunk = json!({ "guild_id": guild, "members": members, "chunk_index": 0, "chunk_count": 1, "nonce": d["nonce"] });
        if let Some(session) = link.session.as_ref().and_then(|id| self.sessions.get_mut(id)) {
            session.tell("GUILD_MEMBERS_CHUNK", &chunk);
        }
    }

    fn unlink(&mut self, link: &Link, closed: Option<u16>) {
        self.links.remove(&link.id);
        let now = self.now();
        let Some(session) = link.session.as_ref().and_then(|id| self.sessions.get_mut(id)) else { return };
        if session.link.as_ref().is_none_or(|(id, _)| *id != link.id) {
            return;
        }
        session.link = None;
        session.lost = Some(now);
        if matches!(closed, Some(1000 | 1001)) {
            let id = session.id.clone();
            self.sessions.remove(&id);
        }
    }
}
