//! The Slack surface.

pub mod api;
pub mod blocks;
pub mod check;
pub mod delivery;
pub mod home;
pub mod http;
pub mod limiter;
pub mod manifest;
pub mod markdown;
pub mod modal;
pub mod payload;
pub mod socket;
pub mod split;
pub mod text;

use std::time::Duration;

use secrecy::SecretString;

pub const SURFACE: &str = "slack";

/// How Slack reaches us.
#[derive(Debug, Clone)]
pub enum Way {
    /// We open sockets: no address of ours is needed.
    Socket { app_token: SecretString },
    /// Slack posts signed requests to us.
    Http { signing_secret: SecretString },
}

/// Which messages in a bound thread are for the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThreadMessages {
    #[default]
    All,
    Mentions,
}

/// `[slack]` of the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    pub way: Way,
    pub bot_token: SecretString,
    /// Ends in `/api`, without a slash behind it.
    pub api_url: String,
    /// The slash commands that stand alone besides `/gaggle`, without prefix and slash.
    pub commands: Vec<String>,
    /// Before the name of each: `acme-` makes `/acme-project`; the one for all is then `/acme-gaggle`.
    pub command_prefix: String,
    pub thread_messages: ThreadMessages,
    /// Whether answers are streamed where the workspace has it.
    pub streaming: bool,
    /// Bytes of one attached file.
    pub file_limit: usize,
    /// How far back messages are fetched after Gaggle was away, and how many at most.
    pub catch_up: Duration,
    pub catch_up_messages: usize,
}
