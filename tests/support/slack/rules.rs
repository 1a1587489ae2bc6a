//! What Slack allows: sizes, lives, deadlines and rates. Slack's own values are the default; rates are off until asked for.
//!
//! Invariant: nothing else in this stand-in holds a limit of its own.

use std::collections::BTreeMap;
use std::time::Duration;

/// Whether the workspace has streamed messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streaming {
    On,
    /// As a server that has never heard of it.
    Unknown,
    Disabled,
}

/// So many calls in a sliding window.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    pub calls: usize,
    pub window: Duration,
    /// Counted for each channel by itself.
    pub per_channel: bool,
}

#[derive(Debug, Clone)]
pub struct Rules {
    pub text: usize,
    pub update_bytes: usize,
    pub markdown: usize,
    pub blocks: usize,
    pub view_blocks: usize,
    /// Characters in all blocks of a message.
    pub blocks_text: usize,
    pub section: usize,
    pub field: usize,
    pub header: usize,
    pub button: usize,
    pub value: usize,
    /// `block_id`, `action_id`, `callback_id`.
    pub id: usize,
    pub actions: usize,
    pub options: usize,
    pub option_text: usize,
    pub option_value: usize,
    pub view_title: usize,
    pub view_button: usize,
    pub label: usize,
    pub placeholder: usize,
    pub max_length: usize,
    pub metadata: usize,
    pub confirm_title: usize,
    pub confirm_text: usize,
    pub confirm_button: usize,
    pub trigger_life: Duration,
    pub response_life: Duration,
    pub response_uses: usize,
    /// By when everything has to be acknowledged.
    pub ack: Duration,
    /// How long before the first, second, third repeat of an event.
    pub retries: Vec<Duration>,
    /// A repeat comes in the same envelope.
    pub keep_envelope_id: bool,
    /// Commands and clicks that a cut socket took with it, or that found none, are sent again on another one, in the same envelope, if
    /// there is one soon.
    pub resend_cut: bool,
    pub sockets: usize,
    pub ping: Duration,
    pub stream_idle: Duration,
    pub stream_life: Duration,
    /// Characters of one streamed message in all.
    pub stream_size: usize,
    pub streaming: Streaming,
    /// What the bot itself posts comes back to it as events.
    pub echo: bool,
    /// Reading methods take JSON too.
    pub json_reads: bool,
    /// Attached files come with nothing but their ids, as those from another workspace do.
    pub connect_files: bool,
    /// Messages are given back without the marks that they were posted with.
    pub forgets_metadata: bool,
    pub rates: BTreeMap<&'static str, Rate>,
}

impl Default for Rules {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            text: 40_000,
            update_bytes: 4_000,
            markdown: 12_000,
            blocks: 50,
            view_blocks: 100,
            blocks_text: 13_200,
            section: 3_000,
            field: 2_000,
            header: 150,
            button: 75,
            value: 2_000,
            id: 255,
            actions: 25,
            options: 100,
            option_text: 75,
            option_value: 150,
            view_title: 24,
            view_button: 24,
            label: 2_000,
            placeholder: 150,
            max_length: 3_000,
            metadata: 3_000,
            confirm_title: 100,
            confirm_text: 300,
            confirm_button: 30,
            trigger_life: seconds(3),
            response_life: seconds(30 * 60),
            response_uses: 5,
            ack: seconds(3),
            retries: vec![Duration::ZERO, seconds(60), seconds(300)],
            keep_envelope_id: false,
            resend_cut: false,
            sockets: 10,
            ping: seconds(10),
            stream_idle: seconds(120),
            stream_life: seconds(300),
            stream_size: 12_000,
            streaming: Streaming::On,
            echo: true,
            json_reads: false,
            connect_files: false,
            forgets_metadata: false,
            rates: BTreeMap::new(),
        }
    }
}

const PER_MINUTE: &[(&str, usize)] = &[
    ("chat.update", 50),
    ("chat.delete", 50),
    ("chat.startStream", 20),
    ("chat.stopStream", 20),
    ("chat.appendStream", 100),
    ("chat.postEphemeral", 100),
    ("chat.getPermalink", 600),
    ("assistant.threads.setStatus", 600),
    ("assistant.threads.setTitle", 100),
    ("assistant.threads.setSuggestedPrompts", 100),
    ("auth.test", 600),
    ("apps.connections.open", 20),
    ("team.info", 50),
    ("bots.info", 50),
    ("users.info", 100),
    ("users.list", 20),
    ("users.conversations", 50),
    ("conversations.info", 50),
    ("conversations.history", 50),
    ("conversations.replies", 50),
    ("conversations.open", 50),
    ("conversations.join", 50),
    ("conversations.members", 100),
    ("views.open", 100),
    ("views.update", 100),
    ("views.push", 100),
    ("views.publish", 100),
    ("files.getUploadURLExternal", 20),
    ("files.completeUploadExternal", 20),
    ("files.info", 20),
    ("reactions.add", 50),
    ("usergroups.list", 20),
    ("usergroups.users.list", 20),
];

impl Rules {
    /// With the rates that Slack enforces.
    pub fn real_rates() -> Self {
        let mut rules = Self::default();
        for (method, calls) in PER_MINUTE {
            rules.rates.insert(method, Rate { calls: *calls, window: Duration::from_secs(60), per_channel: false });
        }
        rules.rates.insert("chat.postMessage", Rate { calls: 1, window: Duration::from_secs(1), per_channel: true });
        rules
    }

    /// Repeats come at once, so that a test need not wait for minutes.
    pub fn quick_retries(mut self) -> Self {
        self.retries = vec![Duration::ZERO, Duration::from_millis(50), Duration::from_millis(200)];
        self
    }

    pub fn limit(&mut self, method: &'static str, rate: Rate) {
        self.rates.insert(method, rate);
    }

    pub fn rate(&self, method: &str) -> Option<Rate> {
        self.rates.get(method).copied()
    }
}
