//! What Discord allows: sizes, lives, deadlines and rates. Discord's own values are the default; rates are off until asked for.
//!
//! Invariant: nothing else in this stand-in holds a limit of its own.

use std::collections::BTreeMap;
use std::time::Duration;

/// So many calls in a window that begins with the first of them.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    pub calls: usize,
    pub window: Duration,
}

#[derive(Debug, Clone)]
pub struct Rules {
    pub content: usize,
    pub embeds: usize,
    /// Characters in all embeds of a message.
    pub embeds_text: usize,
    pub embed_title: usize,
    pub embed_description: usize,
    pub embed_fields: usize,
    pub embed_field_name: usize,
    pub embed_field_value: usize,
    pub embed_footer: usize,
    pub embed_author: usize,
    pub rows: usize,
    pub row_buttons: usize,
    pub button_label: usize,
    pub custom_id: usize,
    pub select_options: usize,
    pub option_text: usize,
    pub placeholder_select: usize,
    pub modal_title: usize,
    pub modal_inputs: usize,
    pub input_label: usize,
    pub input_value: usize,
    pub placeholder_input: usize,
    pub choices: usize,
    pub choice: usize,
    pub commands: usize,
    pub command_options: usize,
    /// Names, descriptions and values of a command and all below it.
    pub command_text: usize,
    pub files: usize,
    pub file_bytes: usize,
    pub request_bytes: usize,
    pub thread_name: usize,
    /// How long an interaction waits for its first response.
    pub respond: Duration,
    /// How long its token lives after that.
    pub token_life: Duration,
    /// Messages older than this are edited at a slower rate.
    pub old_message: Duration,
    /// How often such a message may be edited in a window.
    pub old_edits: Rate,
    pub heartbeat: Duration,
    /// How long a lost session can be resumed.
    pub resume: Duration,
    /// What a gateway connection may send.
    pub sends: Rate,
    /// What the application may use of the privileged intents.
    pub message_content: bool,
    pub members: bool,
    pub presences: bool,
    /// Shards that are asked for by `gateway/bot`.
    pub shards: u64,
    /// Identifies that are left today.
    pub identifies: u64,
    /// How long after an identify the next one may come; an earlier one is answered with an invalid session.
    pub identify_gap: Option<Duration>,
    /// Bodies that the OpenAPI description does not allow are refused; else only remembered.
    pub refuse_violations: bool,
    /// What this stand-in answers is held against the description, too.
    pub check_answers: bool,
    /// A new session's guilds are told one after the other only when the test says so.
    pub hold_guilds: bool,
    /// All routes together in a second, but for interactions and their webhooks.
    pub global: Option<Rate>,
    /// By route; each channel, guild or webhook has a bucket of its own.
    pub rates: BTreeMap<&'static str, Rate>,
    /// 401, 403 and 429 in ten minutes before the address is banned.
    pub invalid_requests: usize,
}

impl Default for Rules {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            content: 2_000,
            embeds: 10,
            embeds_text: 6_000,
            embed_title: 256,
            embed_description: 4_096,
            embed_fields: 25,
            embed_field_name: 256,
            embed_field_value: 1_024,
            embed_footer: 2_048,
            embed_author: 256,
            rows: 5,
            row_buttons: 5,
            button_label: 80,
            custom_id: 100,
            select_options: 25,
            option_text: 100,
            placeholder_select: 150,
            modal_title: 45,
            modal_inputs: 5,
            input_label: 45,
            input_value: 4_000,
            placeholder_input: 100,
            choices: 25,
            choice: 100,
            commands: 100,
            command_options: 25,
            command_text: 8_000,
            files: 10,
            file_bytes: 10 * 1024 * 1024,
            request_bytes: 25 * 1024 * 1024,
            thread_name: 100,
            respond: seconds(3),
            token_life: seconds(15 * 60),
            old_message: seconds(60 * 60),
            old_edits: Rate { calls: 3, window: seconds(60 * 60) },
            heartbeat: Duration::from_millis(41_250),
            resume: seconds(180),
            sends: Rate { calls: 120, window: seconds(60) },
            message_content: true,
            members: false,
            presences: false,
            shards: 1,
            identifies: 1_000,
            identify_gap: None,
            refuse_violations: true,
            check_answers: true,
            hold_guilds: false,
            global: None,
            rates: BTreeMap::new(),
            invalid_requests: 10_000,
        }
    }
}

/// Calls and milliseconds.
const REAL: &[(&str, usize, u64)] = &[
    ("POST /channels/{id}/messages", 5, 5_000),
    ("PATCH /channels/{id}/messages/{id}", 5, 5_000),
    ("DELETE /channels/{id}/messages/{id}", 5, 1_000),
    ("GET /channels/{id}/messages", 5, 5_000),
    ("GET /channels/{id}/messages/{id}", 5, 5_000),
    ("POST /channels/{id}/messages/bulk-delete", 1, 3_000),
    ("POST /channels/{id}/typing", 5, 5_000),
    ("POST /channels/{id}/threads", 50, 300_000),
    ("POST /channels/{id}/messages/{id}/threads", 50, 300_000),
    ("PATCH /channels/{id}", 5, 15_000),
    ("GET /channels/{id}", 5, 5_000),
    ("PUT /channels/{id}/messages/{id}/reactions/{emoji}/@me", 1, 250),
    ("PUT /channels/{id}/pins/{id}", 5, 4_000),
    ("PUT /channels/{id}/messages/pins/{id}", 5, 4_000),
    ("POST /users/@me/channels", 10, 10_000),
    ("GET /users/@me", 30, 30_000),
    ("GET /gateway/bot", 2, 5_000),
    ("GET /applications/{id}/commands", 5, 20_000),
    ("PUT /applications/{id}/commands", 2, 60_000),
    ("GET /applications/{id}/guilds/{id}/commands", 5, 20_000),
    ("PUT /applications/{id}/guilds/{id}/commands", 2, 60_000),
    ("POST /webhooks/{id}/{token}", 5, 2_000),
    ("PATCH /webhooks/{id}/{token}/messages/@original", 5, 5_000),
    ("PATCH /webhooks/{id}/{token}/messages/{id}", 5, 5_000),
    ("GET /guilds/{id}/members", 10, 10_000),
    // What renames is told by no header.
    (RENAME, 2, 600_000),
];

/// The rate at which a channel's name and topic may change, which has no bucket that is told.
pub const RENAME: &str = "rename /channels/{id}";

impl Rules {
    /// With the rates that Discord enforces.
    pub fn real_rates() -> Self {
        let mut rules = Self::default();
        for (route, calls, millis) in REAL {
            rules.rates.insert(route, Rate { calls: *calls, window: Duration::from_millis(*millis) });
        }
        rules.identify_gap = Some(Duration::from_secs(5));
        rules.global = Some(Rate { calls: 50, window: Duration::from_secs(1) });
        rules
    }

    pub fn limit(&mut self, route: &'static str, calls: usize, window: Duration) {
        self.rates.insert(route, Rate { calls, window });
    }
}
