//! What Discord holds, and what was asked of it.
//!
//! Invariant: ids are snowflakes of nineteen digits that only grow, so that they sort as text as they do as numbers.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::sync::mpsc;

use super::rules::Rules;

pub const APP: &str = "1100000000000000001";
/// The bot's user has the id of its application, as new ones have.
pub const BOT: &str = APP;
pub const GUILD: &str = "1100000000000000100";
pub const BOT_ROLE: &str = "1100000000000000101";
pub const TOKEN: &str = "MTEwMDAwMDAwMDAwMDAwMDAwMQ.hunter2.standin-bot-token";
/// The secret key of the application's interactions.
pub const SEED: [u8; 32] = *b"hunter2 signs what Discord sends";

/// Milliseconds of Discord's first second.
const EPOCH: u64 = 1_420_070_400_000;

#[derive(Debug, Clone, Default)]
pub struct Person {
    pub id: String,
    pub name: String,
    pub display_name: String,
    pub is_bot: bool,
    /// Direct messages are not taken.
    pub closed: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Role {
    pub id: String,
    pub name: String,
    pub permissions: u64,
    pub mentionable: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Member {
    pub roles: Vec<String>,
    pub nick: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Guild {
    pub id: String,
    pub name: String,
    pub owner: String,
    pub roles: BTreeMap<String, Role>,
    pub members: BTreeMap<String, Member>,
}

/// The kinds that a bot of ours meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    #[default]
    Text = 0,
    Dm = 1,
    Voice = 2,
    Category = 4,
    News = 5,
    NewsThread = 10,
    Thread = 11,
    PrivateThread = 12,
    Forum = 15,
}

impl Kind {
    pub fn is_thread(self) -> bool {
        matches!(self, Self::NewsThread | Self::Thread | Self::PrivateThread)
    }
}

/// What a role or a member may more or less in one channel.
#[derive(Debug, Clone)]
pub struct Overwrite {
    pub id: String,
    pub member: bool,
    pub allow: u64,
    pub deny: u64,
}

#[derive(Debug, Clone, Default)]
pub struct Channel {
    pub id: String,
    pub kind: Kind,
    pub guild: Option<String>,
    pub name: String,
    pub topic: Option<String>,
    pub parent: Option<String>,
    pub overwrites: Vec<Overwrite>,
    /// Of a direct conversation, without the bot.
    pub recipients: Vec<String>,
    pub last_message: Option<String>,
    // Of threads.
    pub owner: Option<String>,
    pub archived: bool,
    pub locked: bool,
    pub archived_at: u64,
    pub auto_archive: u64,
    pub members: BTreeSet<String>,
    pub message_count: usize,
    pub tags: Vec<String>,
    // Of forums.
    pub available_tags: Vec<(String, String)>,
    pub require_tag: bool,
}

#[derive(Debug, Clone)]
pub struct File {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub content: Vec<u8>,
    pub channel: String,
}

#[derive(Debug, Clone, Default)]
pub struct Message {
    pub id: String,
    pub channel: String,
    pub author: String,
    /// 0 a message, 19 a reply, 20 and 23 of commands, 18 and 21 about threads.
    pub kind: u64,
    pub content: String,
    /// Arrays.
    pub embeds: Value,
    pub components: Value,
    pub files: Vec<String>,
    pub flags: u64,
    pub edited: Option<u64>,
    pub edits: usize,
    pub pinned: bool,
    pub reply_to: Option<String>,
    /// The thread that it began.
    pub thread: Option<String>,
    pub mentions: Vec<String>,
    pub mention_roles: Vec<String>,
    pub mention_everyone: bool,
    /// Whoever was told of it: ids of users, `everyone`, `here`.
    pub pinged: BTreeSet<String>,
    pub nonce: Value,
    /// Only this user sees it.
    pub only_for: Option<String>,
    /// The interaction that it answers.
    pub interaction: Option<String>,
    pub reactions: Vec<(String, String)>,
    pub old_edits: VecDeque<Instant>,
}

pub const EPHEMERAL: u64 = 1 << 6;
pub const LOADING: u64 = 1 << 7;
pub const SUPPRESS_EMBEDS: u64 = 1 << 2;
pub const SILENT: u64 = 1 << 12;
pub const COMPONENTS_V2: u64 = 1 << 15;
pub const HAS_THREAD: u64 = 1 << 5;

/// A command as it is registered.
#[derive(Debug, Clone)]
pub struct Registered {
    pub id: String,
    pub guild: Option<String>,
    /// As the API shows it.
    pub body: Value,
}

/// What Discord shows for an interaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// "… is thinking", for this user only or for all.
    Deferred {
        ephemeral: bool,
    },
    /// The id of the message.
    Message {
        id: String,
        ephemeral: bool,
    },
    /// Nothing changes for now.
    DeferredUpdate,
    Updated {
        id: String,
    },
    Modal(Value),
    Choices(Vec<(String, Value)>),
    /// "The application did not respond".
    Failed(super::delivery::Missed),
}

#[derive(Debug, Clone)]
pub struct Interaction {
    pub id: String,
    pub token: String,
    /// 2 a command, 3 a component, 4 autocomplete, 5 a modal.
    pub kind: u64,
    pub what: String,
    pub user: String,
    pub channel: String,
    pub payload: Value,
    pub sent: Instant,
    pub took: Option<Duration>,
    pub shown: Option<Shown>,
    /// The message of the first response.
    pub original: Option<String>,
    /// The message that was clicked.
    pub source: Option<String>,
    pub followups: usize,
}

/// A call as it came, without its token.
#[derive(Debug, Clone)]
pub struct Call {
    /// `POST /channels/{id}/messages`.
    pub route: String,
    pub path: String,
    pub body: Value,
    pub at: Instant,
    pub status: u16,
    /// Of the refusal, `rate limited` and `injected: …` included.
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
    Status(u16),
    /// A refusal with this status, code and message.
    Refuse(u16, u64, &'static str),
    /// 429 with these seconds; in the scope `user`, `shared` or `global`.
    Limited(f64, &'static str),
    CutBefore,
    /// The call takes effect, and the answer never comes.
    CutAfter,
    Delay(Duration),
}

#[derive(Debug)]
pub enum Frame {
    Text(String),
    Close(u16),
    Cut,
}

#[derive(Debug)]
pub struct Session {
    pub id: String,
    pub intents: u64,
    pub shard: (u64, u64),
    pub seq: u64,
    /// What can be sent again.
    pub log: VecDeque<(u64, String)>,
    pub link: Option<(u64, mpsc::UnboundedSender<Frame>)>,
    pub lost: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    pub used: usize,
    pub until: Instant,
}

#[derive(Debug, Default)]
pub struct State {
    pub rules: Rules,
    pub base_url: String,
    pub token_revoked: bool,
    pub users: BTreeMap<String, Person>,
    pub guilds: BTreeMap<String, Guild>,
    pub channels: BTreeMap<String, Channel>,
    pub messages: BTreeMap<String, BTreeMap<String, Message>>,
    pub files: BTreeMap<String, File>,
    pub commands: Vec<Registered>,
    pub interactions: BTreeMap<String, Interaction>,
    /// By user: what stands in front of them.
    pub modals: BTreeMap<String, Value>,
    /// When the bot began to type, by channel.
    pub typing: BTreeMap<String, Instant>,
    pub typed: Vec<String>,
    pub calls: Vec<Call>,
    pub counts: BTreeMap<String, Count>,
    pub invalid: VecDeque<Instant>,
    pub buckets: HashMap<String, Bucket>,
    pub troubles: BTreeMap<String, VecDeque<Trouble>>,
    pub faults: Vec<String>,
    pub allowed: Vec<String>,
    /// Interactions that are not settled yet.
    pub open: usize,
    /// The program has ended: what is on its way would come again.
    pub bot_ended: bool,
    pub sessions: BTreeMap<String, Session>,
    /// Connections that are open, identified or not.
    pub links: BTreeMap<u64, mpsc::UnboundedSender<Frame>>,
    pub refuse_links: bool,
    /// READY and RESUMED that were sent.
    pub readies: usize,
    pub resumes: usize,
    /// The paths at which sessions were resumed; they ought to be `/resume`.
    pub resumed_at: Vec<String>,
    pub identified: Vec<Value>,
    pub identified_at: Option<Instant>,
    /// Those that came too soon after another, or one too many.
    pub early_identifies: usize,
    /// Heartbeats are not acknowledged.
    pub deaf: bool,
    /// Every event is sent this often.
    pub repeat: usize,
    skew: Duration,
    last: u64,
}

impl State {
    /// Time as Discord has it; [`super::Discord::advance`] moves it.
    pub fn now(&self) -> Instant {
        Instant::now() + self.skew
    }

    pub fn advance(&mut self, by: Duration) {
        self.skew += by;
    }

    pub fn millis(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970") + self.skew;
        u64::try_from(now.as_millis()).expect("a time")
    }

    pub fn snowflake(&mut self) -> String {
        let now = (self.millis() - EPOCH) << 22;
        self.last = now.max(self.last + 1);
        self.last.to_string()
    }

    pub fn fault(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.allowed.iter().any(|part| what.contains(part.as_str())) {
            self.faults.push(what);
        }
    }

    pub fn message(&self, channel: &str, id: &str) -> Option<&Message> {
        self.messages.get(channel)?.get(id)
    }

    pub fn message_mut(&mut self, channel: &str, id: &str) -> Option<&mut Message> {
        self.messages.get_mut(channel)?.get_mut(id)
    }

    pub fn guild_of(&self, channel: &str) -> Option<&Guild> {
        self.guilds.get(self.channels.get(channel)?.guild.as_deref()?)
    }

    /// The direct conversation of that user with the bot.
    pub fn dm(&mut self, user: &str) -> String {
        let found = self.channels.values().find(|c| c.kind == Kind::Dm && c.recipients == [user]).map(|c| c.id.clone());
        found.unwrap_or_else(|| {
            let id = self.snowflake();
            let channel = Channel { id: id.clone(), kind: Kind::Dm, recipients: vec![user.into()], ..Channel::default() };
            self.channels.insert(id.clone(), channel);
            id
        })
    }
}

/// When that snowflake was made, in milliseconds since 1970.
pub fn born(id: &str) -> u64 {
    (number(id) >> 22) + EPOCH
}

pub fn number(id: &str) -> u64 {
    id.parse().unwrap_or_default()
}

/// `2026-01-02T03:04:05.678000+00:00`.
pub fn stamp(millis: u64) -> String {
    let (days, rest) = (millis / 86_400_000, millis % 86_400_000);
    // Civil from days, by Howard Hinnant's algorithm.
    let z = i64::try_from(days).expect("a day") + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (hours, minutes, seconds, ms) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60, rest % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{ms:03}000+00:00")
}
