//! The built-in demo agent: an ACP server without any AI model, so that a newcomer needs no key. It speaks as `goose serve`
//! 1.52 does, quirks included, and says in its name and in its answers that it is a demo. Knows nothing of Gaggle's own clients.

mod answer;
mod history;
mod http;
mod methods;
mod outbox;
mod rpc;
mod stdio;

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

pub use http::serve;
pub use stdio::{converse, serve_stdio};

/// What the agent calls itself in `agentInfo`.
pub const NAME: &str = "gaggle-demo-agent";
pub const TITLE: &str = "Gaggle demo agent (no AI model)";

/// The pause between two pieces of an answer, in milliseconds; overrides [`Options::pace`] as made by [`Options::new`].
pub const PACE_VARIABLE: &str = "GAGGLE_DEMO_PACE_MS";

#[derive(Debug, Clone)]
pub struct Options {
    /// What `X-Secret-Key` has to be; `None` lets everyone in.
    pub secret_key: Option<SecretString>,
    /// The folder of the sessions and remembered permissions; made if it is not there.
    pub state: PathBuf,
    /// The pause between two pieces of an answer; zero is as fast as possible.
    pub pace: Duration,
    /// The mode of new sessions: `auto`, `approve`, `smart_approve` or `chat`.
    pub mode: String,
    /// Ends the server; runs are aborted and their partial answers forgotten, as with Goose.
    pub shutdown: CancellationToken,
}

impl Options {
    /// The usual options, with the pace from the environment if it is there.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        let pace = std::env::var(PACE_VARIABLE).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(2);
        Self {
            secret_key: None,
            state: state.into(),
            pace: Duration::from_millis(pace),
            mode: "approve".to_owned(),
            shutdown: CancellationToken::new(),
        }
    }
}
