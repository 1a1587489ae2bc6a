//! What the workspace holds, and what was asked of it.
//!
//! Invariant: stamps of messages are unique in the workspace and only grow.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::rules::Rules;

pub const TEAM: &str = "T0GAGGLE1";
pub const APP: &str = "A0GAGGLE1";
pub const BOT_USER: &str = "U0GAGGLEB";
pub const BOT: &str = "B0GAGGLE1";
pub const BOT_TOKEN: &str = "xoxb-standin-hunter2-bot";
pub const APP_TOKEN: &str = "xapp-1-standin-hunter2-app";
pub const SIGNING_SECRET: &str = "hunter2-signing-secret";

const SCOPES: &str = "app_mentions:read assistant:write channels:history channels:join channels:read chat:write chat:write.public \
    commands files:read files:write groups:history groups:read im:history im:read im:write reactions:write team:read \
    usergroups:read users:read";

#[derive(Debug, Clone, Default)]
pub struct Person {
    pub id: String,
    pub name: String,
    pub display_name: String,
    pub real_name: String,
    pub deleted: bool,
    pub is_bot: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Public,
    Private,
    Im,
}

#[derive(Debug, Clone)]
pub struct Channel {
    pub id: String,
    pub name: String,
    pub kind: Kind,
    pub members: BTreeSet<String>,
    pub archived: bool,
}

#[derive(Debug, Clone)]
pub struct Group {
    pub id: String,
    pub handle: String,
    pub users: Vec<String>,
    pub disabled: bool,
}

/// How a streamed message stands.
#[derive(Debug, Clone)]
pub struct Stream {
    pub started: Instant,
    pub touched: Instant,
    /// `stopped`, `idle` or `too long`.
    pub ended: Option<&'static str>,
    pub size: usize,
    pub pieces: usize,
}

#[derive(Debug, Clone, Default)]
pub struct Message {
    pub channel: String,
    pub ts: String,
    pub thread_ts: Option<String>,
    pub user: String,
    pub subtype: Option<String>,
    pub text: String,
    /// An array, or null.
    pub blocks: Value,
    /// An array, or null.
    pub attachments: Value,
    pub metadata: Value,
    pub files: Vec<String>,
    pub edited: Option<String>,
    pub deleted: bool,
    /// Only this user sees it.
    pub only_for: Option<String>,
    pub stream: Option<Stream>,
    /// The text is Markdown, not mrkdwn.
    pub markdown: bool,
    /// How often its content was changed.
    pub edits: usize,
    pub last_change: Option<Instant>,
}

#[derive(Debug, Clone)]
pub struct File {
    pub id: String,
    pub name: String,
    pub title: String,
    pub content: Vec<u8>,
    pub user: String,
    pub length: usize,
    pub uploaded: bool,
    pub complete: bool,
    pub channels: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct View {
    pub id: String,
    pub user: String,
    pub hash: String,
    /// What the app sent.
    pub body: Value,
    pub open: bool,
    pub root: String,
    pub previous: Option<String>,
    /// What the app answered to the last submission, by block.
    pub errors: Value,
}

#[derive(Debug, Clone)]
pub struct Trigger {
    pub at: Instant,
    pub used: bool,
    pub user: String,
    /// It came from within this view.
    pub view: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Hook {
    pub at: Instant,
    pub uses: usize,
    pub user: String,
    pub channel: String,
    /// The message that was clicked, or the last that was sent through it.
    pub original: Option<String>,
    pub thread_ts: Option<String>,
    /// The original is a message with the button, and stays so.
    pub clicked: bool,
}

/// A call as it came, without its token.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: String,
    pub args: Value,
    pub at: Instant,
    /// The error, `ratelimited` and `injected: …` included.
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub calls: usize,
    pub limited: usize,
    pub refused: usize,
}

/// What goes wrong although the call is right.
#[derive(Debug, Clone)]
pub enum Trouble {
    Error(&'static str),
    Status(u16),
    /// 429 with this many seconds.
    Limited(u64),
    CutBefore,
    /// The call takes effect, and the answer never comes.
    CutAfter,
    Delay(Duration),
}

/// One sending of something to the app.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub what: String,
    pub envelope_id: String,
    pub event_id: Option<String>,
    pub attempt: usize,
    pub socket: Option<u64>,
    pub sent: Instant,
    pub acked: Option<Duration>,
    pub missed: Option<String>,
}

#[derive(Debug)]
pub enum Frame {
    Text(String),
    /// A `disconnect` frame; after any reason but `warning` the socket is closed.
    Disconnect(&'static str),
    Cut,
}

#[derive(Debug)]
pub struct Socket {
    pub id: u64,
    pub sender: mpsc::Sender<Frame>,
    /// It was told to leave: nothing new goes there.
    pub leaving: bool,
}

#[derive(Debug)]
pub struct Pending {
    pub done: Option<oneshot::Sender<Value>>,
    pub delivery: usize,
    pub socket: u64,
    pub accepts: bool,
}

#[derive(Debug, Default)]
pub struct State {
    pub rules: Rules,
    pub scopes: BTreeSet<String>,
    pub token_revoked: bool,
    pub account_inactive: bool,
    pub users: BTreeMap<String, Person>,
    pub channels: BTreeMap<String, Channel>,
    pub groups: BTreeMap<String, Group>,
    pub messages: BTreeMap<String, BTreeMap<String, Message>>,
    pub ephemerals: Vec<Message>,
    pub files: BTreeMap<String, File>,
    pub views: BTreeMap<String, View>,
    /// By user, the top one last.
    pub modals: BTreeMap<String, Vec<String>>,
    pub homes: BTreeMap<String, String>,
    /// By channel and thread: what stands there now.
    pub statuses: BTreeMap<(String, String), String>,
    /// Every status that was ever set.
    pub status_log: Vec<(String, String, String)>,
    pub titles: BTreeMap<(String, String), String>,
    pub prompts: BTreeMap<(String, String), Value>,
    pub reactions: Vec<(String, String, String)>,
    pub triggers: HashMap<String, Trigger>,
    pub hooks: HashMap<String, Hook>,
    pub calls: Vec<Call>,
    pub counts: BTreeMap<String, Count>,
    pub windows: HashMap<String, VecDeque<Instant>>,
    pub troubles: BTreeMap<String, VecDeque<Trouble>>,
    pub faults: Vec<String>,
    pub allowed: Vec<String>,
    pub deliveries: Vec<Delivery>,
    /// Deliveries that are not settled yet.
    pub open: usize,
    /// The program has ended: what is on its way would come again.
    pub bot_ended: bool,
    pub sockets: Vec<Socket>,
    pub tickets: BTreeSet<String>,
    pub pending: HashMap<String, Pending>,
    pub refuse_sockets: bool,
    pub hellos: usize,
    pub turn: usize,
    /// Events that wait for the lock to be given back.
    pub outbox: Vec<Value>,
    /// All that were sent, as they were.
    pub events: Vec<Value>,
    pub base_url: String,
    next: u64,
    last_ts: u64,
}

impl State {
    pub fn new(rules: Rules) -> Self {
        let mut state = Self { rules, scopes: SCOPES.split_whitespace().map(str::to_owned).collect(), ..Self::default() };
        state.people(BOT_USER, "gaggle", true);
        state
    }

    pub fn people(&mut self, id: &str, name: &str, is_bot: bool) {
        let mut letters = name.chars();
        let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        let person = Person {
            id: id.into(),
            name: name.into(),
            real_name: format!("{capital} Example"),
            display_name: capital,
            is_bot,
            deleted: false,
        };
        self.users.insert(id.into(), person);
    }

    /// `C00000007`.
    pub fn id(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}{:08}", self.next)
    }

    pub fn ts(&mut self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
        self.last_ts = u64::try_from(now).expect("a stamp").max(self.last_ts + 1);
        format!("{}.{:06}", self.last_ts / 1_000_000, self.last_ts % 1_000_000)
    }

    pub fn fault(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.allowed.iter().any(|part| what.contains(part.as_str())) {
            self.faults.push(what);
        }
    }

    /// The direct conversation of that user with the bot.
    pub fn im(&mut self, user: &str) -> String {
        let both: BTreeSet<String> = [user.to_owned(), BOT_USER.to_owned()].into();
        let found = self.channels.values().find(|c| c.kind == Kind::Im && c.members == both).map(|c| c.id.clone());
        found.unwrap_or_else(|| {
            let id = self.id("D");
            let channel =
                Channel { id: id.clone(), name: "directmessage".into(), kind: Kind::Im, members: both, archived: false };
            self.channels.insert(id.clone(), channel);
            id
        })
    }

    pub fn message(&self, channel: &str, ts: &str) -> Option<&Message> {
        self.messages.get(channel)?.get(ts).filter(|m| !m.deleted)
    }

    pub fn message_mut(&mut self, channel: &str, ts: &str) -> Option<&mut Message> {
        self.messages.get_mut(channel)?.get_mut(ts).filter(|m| !m.deleted)
    }

    /// The messages of a thread in order, the first included.
    pub fn thread(&self, channel: &str, root: &str) -> Vec<&Message> {
        let all = self.messages.get(channel).into_iter().flat_map(BTreeMap::values);
        all.filter(|m| !m.deleted && (m.ts == root || m.thread_ts.as_deref() == Some(root))).collect()
    }

    pub fn insert(&mut self, mut message: Message) -> String {
        let ts = self.ts();
        message.ts.clone_from(&ts);
        message.last_change = Some(Instant::now());
        if message.user == BOT_USER
            && let Some(root) = &message.thread_ts
        {
            self.statuses.remove(&(message.channel.clone(), root.clone()));
        }
        self.messages.entry(message.channel.clone()).or_default().insert(ts.clone(), message);
        ts
    }

    pub fn trigger(&mut self, user: &str, view: Option<&str>) -> String {
        let id = self.id("trigger.");
        let trigger = Trigger { at: Instant::now(), used: false, user: user.into(), view: view.map(str::to_owned) };
        self.triggers.insert(id.clone(), trigger);
        id
    }

    /// The JSON of a message as `conversations.history` and events show it.
    pub fn shown(&self, message: &Message) -> Value {
        let mut shown = json!({ "type": "message", "user": message.user, "text": message.text, "ts": message.ts, "team": TEAM });
        if let Some(person) = self.users.get(&message.user)
            && person.is_bot
        {
            let (bot, app) = if message.user == BOT_USER { (BOT, APP) } else { ("B0OTHER01", "A0OTHER01") };
            shown["bot_id"] = json!(bot);
            shown["app_id"] = json!(app);
            shown["bot_profile"] = json!({
                "id": bot, "deleted": false, "name": person.name, "updated": 1_700_000_000, "app_id": app, "team_id": TEAM,
                "icons": { "image_36": "https://a.slack-edge.com/36.png" },
            });
        } else if message.subtype.is_none() {
            shown["client_msg_id"] = json!(format!("00000000-0000-4000-8000-{}", message.ts.replace('.', "")[4..].to_owned()));
        }
        if let Some(subtype) = &message.subtype {
            shown["subtype"] = json!(subtype);
        }
        if message.blocks.is_array() {
            shown["blocks"] = message.blocks.clone();
        }
        if message.attachments.is_array() {
            shown["attachments"] = message.attachments.clone();
        }
        if !message.metadata.is_null() && !self.rules.forgets_metadata {
            shown["metadata"] = message.metadata.clone();
        }
        if !message.files.is_empty() {
            shown["files"] = message.files.iter().filter_map(|id| self.files.get(id)).map(|f| self.attached(f)).collect();
        }
        if let Some(edited) = &message.edited {
            shown["edited"] = json!({ "user": message.user, "ts": edited });
        }
        let replies: Vec<&Message> =
            self.thread(&message.channel, &message.ts).into_iter().filter(|m| m.ts != message.ts).collect();
        if let Some(root) = &message.thread_ts {
            shown["thread_ts"] = json!(root);
            if let Some(parent) = self.messages.get(&message.channel).and_then(|all| all.get(root)) {
                shown["parent_user_id"] = json!(parent.user);
            }
        } else if let Some(last) = replies.last() {
            let users: BTreeSet<&str> = replies.iter().map(|m| m.user.as_str()).collect();
            shown["thread_ts"] = json!(message.ts);
            shown["reply_count"] = json!(replies.len());
            shown["reply_users_count"] = json!(users.len());
            shown["reply_users"] = json!(users);
            shown["latest_reply"] = json!(last.ts);
            shown["is_locked"] = json!(false);
        }
        shown
    }

    /// A file as a message has it.
    fn attached(&self, file: &File) -> Value {
        match self.rules.connect_files {
            true => json!({ "id": file.id, "mode": "file_access", "file_access": "check_file_info" }),
            false => self.file(file),
        }
    }

    pub fn file(&self, file: &File) -> Value {
        let url = format!("{}/files-pri/{TEAM}-{}/{}", self.base(), file.id, file.name.replace(' ', "_"));
        let kind = file.name.rsplit_once('.').map_or("text", |(_, ending)| ending);
        let mime = match kind {
            "png" => "image/png",
            "jpg" | "jpeg" => "image/jpeg",
            "gif" => "image/gif",
            "pdf" => "application/pdf",
            "json" => "application/json",
            "zip" | "bin" => "application/octet-stream",
            _ => "text/plain",
        };
        json!({
            "id": file.id, "created": 1_700_000_000, "timestamp": 1_700_000_000, "name": file.name, "title": file.title,
            "mimetype": mime, "filetype": kind, "pretty_type": kind.to_uppercase(), "user": file.user, "user_team": TEAM,
            "editable": false, "size": file.content.len(), "mode": "hosted", "is_external": false, "external_type": "",
            "is_public": false, "public_url_shared": false, "display_as_bot": false, "username": "", "url_private": url,
            "url_private_download": format!("{url}?download=1"), "permalink": format!("{}/permalink/{}", self.base(), file.id),
            "channels": file.channels, "groups": [], "ims": [], "file_access": "visible",
        })
    }

    /// Where this stand-in listens; a ticket-less place that every state knows.
    pub fn base(&self) -> String {
        self.base_url.clone()
    }
}
