//! Every key that there is, and what it takes.
//!
//! Invariants: what is not here is a fault, wherever it is set; each key is explained in `config/gaggle.toml` and taken by
//! its section (tests keep both).

use std::time::Duration;

use super::clusters;
use super::kubernetes::forms;
use super::slack;

pub struct Key {
    /// With its section: `limits.turns`.
    pub name: &'static str,
    pub takes: Takes,
}

/// The shape of a value; what it may say beyond that is decided where it is taken.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    Text,
    Secret,
    Count {
        least: i64,
        most: i64,
    },
    /// More than nothing, up to this.
    Time {
        most: Duration,
    },
    List,
    /// `name = value`, as a table or as a list.
    Pairs,
    /// A program and its arguments, as one text or as a list.
    Command,
    /// The same without the program, so perhaps nothing.
    Arguments,
    /// A table, or something else that its section understands; how it is to be written.
    Toml(&'static str),
}

const HOUR: u64 = 60 * 60;

pub const KEYS: &[Key] = &[
    key("data_dir", Takes::Text),
    key("server.listen", Takes::Text),
    key("runtime.kind", Takes::Text),
    key("runtime.idle_stop", time(30 * 24 * HOUR)),
    key("agent.name", Takes::Text),
    key("agent.command", Takes::Command),
    key("agent.env", Takes::Pairs),
    key("agent.url", Takes::Text),
    key("agent.secret_key", Takes::Secret),
    key("agent.protocol", Takes::Text),
    key("agent.workdir", Takes::Text),
    key("agent.stream_idle_timeout", time(24 * HOUR)),
    key("kubernetes.image", Takes::Text),
    key("kubernetes.command", Takes::Command),
    key("kubernetes.args", Takes::Arguments),
    key("kubernetes.port", count(1, 65_535)),
    key("kubernetes.pull_policy", Takes::Text),
    key("kubernetes.pull_secrets", Takes::List),
    key("kubernetes.env", Takes::Pairs),
    key("kubernetes.node_selector", Takes::Pairs),
    key("kubernetes.tolerations", Takes::Toml(forms::TOLERATIONS)),
    key("kubernetes.resources", Takes::Toml(forms::RESOURCES)),
    key("kubernetes.run_as_user", count(1, 2_147_483_647)),
    key("kubernetes.namespace_prefix", Takes::Text),
    key("kubernetes.instance", Takes::Text),
    key("kubernetes.activation_timeout", time(24 * HOUR)),
    key("kubernetes.stop_grace", time(HOUR)),
    key("kubernetes.quota", Takes::Toml(forms::QUOTA)),
    key("kubernetes.limits", Takes::Toml(forms::LIMITS)),
    key("kubernetes.network_policy", Takes::Toml(forms::NETWORK_POLICY)),
    key("kubernetes.pod_security", Takes::Toml(forms::POD_SECURITY)),
    key("kubernetes.storage", Takes::Toml(forms::STORAGE)),
    key("kubernetes.connect", Takes::Text),
    key("kubernetes.expose", Takes::Text),
    key("kubernetes.ingress", Takes::Toml(forms::INGRESS)),
    key("kubernetes.clone_image", Takes::Text),
    key("slack.mode", Takes::Text),
    key("slack.bot_token", Takes::Secret),
    key("slack.app_token", Takes::Secret),
    key("slack.signing_secret", Takes::Secret),
    key("slack.api_url", Takes::Text),
    key("slack.commands", Takes::List),
    key("slack.command_prefix", Takes::Text),
    key("slack.thread_messages", Takes::Text),
    key("slack.streaming", Takes::Toml(slack::STREAMING)),
    key("slack.file_limit", count(1, 1 << 30)),
    key("slack.catch_up", time(30 * 24 * HOUR)),
    key("slack.catch_up_messages", count(0, 10_000)),
    key("discord.mode", Takes::Text),
    key("discord.token", Takes::Secret),
    key("discord.application_id", Takes::Text),
    key("discord.public_key", Takes::Text),
    key("discord.api_url", Takes::Text),
    key("discord.guilds", Takes::List),
    key("discord.thread_messages", Takes::Text),
    key("discord.file_limit", count(1, 1 << 30)),
    key("discord.catch_up", time(30 * 24 * HOUR)),
    key("discord.catch_up_messages", count(0, 10_000)),
    key("clusters.allow_addresses", Takes::List),
    key("clusters.rules", Takes::Toml(clusters::RULES)),
    key("infra.kinds", Takes::Toml(clusters::KINDS)),
    key("services.catalogue", Takes::List),
    key("services.storage", Takes::Toml(clusters::STORAGE)),
    key("services.ingress", Takes::Toml(clusters::INGRESS)),
    key("services.pull_secrets", Takes::List),
    key("access.default_role", Takes::Text),
    key("access.admins", Takes::List),
    key("access.members", Takes::List),
    key("access.viewers", Takes::List),
    key("access.roles", Takes::Pairs),
    key("access.executors", Takes::List),
    key("limits.turns", count(1, 100_000)),
    key("limits.turns_per_person", count(1, 100_000)),
    key("limits.queue", count(0, 10_000)),
    key("limits.activations", count(1, 1000)),
    key("limits.approval_timeout", time(7 * 24 * HOUR)),
    key("limits.shutdown_grace", time(HOUR)),
];

const fn key(name: &'static str, takes: Takes) -> Key {
    Key { name, takes }
}

const fn count(least: i64, most: i64) -> Takes {
    Takes::Count { least, most }
}

const fn time(seconds: u64) -> Takes {
    Takes::Time { most: Duration::from_secs(seconds) }
}

impl Key {
    /// `limits.turns` is `GAGGLE_LIMITS__TURNS`.
    pub fn variable(&self) -> String {
        format!("GAGGLE_{}", self.name.replace('.', "__").to_uppercase())
    }

    pub fn section(&self) -> Option<&'static str> {
        self.name.split_once('.').map(|(section, _)| section)
    }

    /// Without its section.
    pub fn bare(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, bare)| bare)
    }
}

/// The key of a section, or of none.
pub fn find(section: Option<&str>, bare: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.section() == section && key.bare() == bare)
}

pub fn sections() -> Vec<&'static str> {
    let mut names: Vec<_> = KEYS.iter().filter_map(Key::section).collect();
    names.dedup();
    names
}
