//! How to talk to an agent: one trait, one stream of [`AgentEvent`]s. Knows nothing of chats, stores or how an agent is run.

mod acp;
pub mod demo;
mod goose_api;
mod sentences;
mod site;
mod sse;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, mpsc};

use crate::model::{Answer, Content, PromptRef, Usage};

/// What an agent tells while it answers. The last one of a run is `Done` or `Failed`, exactly once.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentEvent {
    /// More of the answer. Joined, they are the answer, byte for byte.
    Text(String),
    Thought(String),
    ToolStarted {
        id: String,
        tool: String,
        title: String,
        arguments: serde_json::Value,
    },
    ToolEnded {
        id: String,
        ok: bool,
        output: String,
    },
    /// The agent waits for [`Agent::answer`] with this `request`.
    ApprovalWanted {
        request: String,
        call: String,
        tool: String,
        title: String,
        arguments: serde_json::Value,
    },
    Usage(Usage),
    Title(String),
    /// Something that the user ought to know and that is no part of the answer (context compacted, a retry, …).
    Notice(String),
    /// The way to the agent broke and was mended: a piece of text may be missing from here on. Once the run is done,
    /// [`Agent::last_answer`] has the whole.
    Gap,
    Done {
        cancelled: bool,
        usage: Option<Usage>,
    },
    Failed(Failure),
}

/// How a run ended without an answer. The sentence is for the user and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The agent or its model said that it cannot.
    #[error("{0}")]
    Failed(String),
    /// The way to the agent broke; the answer is incomplete.
    #[error("{0}")]
    Interrupted(String),
}

/// A run that is being read.
#[derive(Debug)]
pub struct Run {
    pub events: mpsc::Receiver<AgentEvent>,
}

/// What is known of an agent's session once it is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    pub id: String,
    /// The agent had forgotten the session that was asked for, and this is a new one.
    pub forgotten: bool,
}

/// A message and its answer, as the agent remembers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub message: String,
    pub answer: String,
}

/// A connection to one agent server, shared by all of its sessions.
#[async_trait]
pub trait Agent: Send + Sync {
    /// Loads the session `known`, or opens a new one.
    async fn open(&self, known: Option<&str>) -> Result<OpenSession, Failure>;

    /// Names a prompt before it is sent, so that it can be kept first. `request` must be unique for ever.
    fn prompt_ref(&self, session: &str, request: &str) -> PromptRef;

    /// Sends the prompt; returns when the agent has taken it. Dropping the run leaves the agent at work.
    async fn prompt(&self, prompt: &PromptRef, content: &[Content]) -> Result<Run, Failure>;

    /// Reads a run again that an earlier program started. `None`: the agent no longer has it. What was read before is not
    /// repeated, so the whole answer has to come from [`Agent::last_answer`].
    async fn resume(&self, prompt: &PromptRef) -> Result<Option<Run>, Failure>;

    /// The agent's own record of its last answer in a session: the text after the last user message. `None` if it keeps none.
    async fn last_answer(&self, session: &str) -> Result<Option<Exchange>, Failure>;

    /// Answers an `ApprovalWanted`.
    async fn answer(&self, session: &str, request: &str, answer: Answer) -> Result<(), Failure>;

    /// Asks the agent to end the session's run; its events end with `Done { cancelled: true }`.
    async fn cancel(&self, session: &str) -> Result<(), Failure>;

    /// Forgets a session and its history at the agent.
    async fn forget(&self, session: &str) -> Result<(), Failure>;

    /// Name and version, as the agent tells them.
    fn describe(&self) -> String;

    /// What [`connect`] needs to take this connection up again after a restart of Gaggle; `None` where that is not possible.
    fn connection(&self) -> Option<String>;

    /// Resolves when this connection can no longer be used.
    async fn closed(&self);

    /// Ends the connection and what is running on it.
    async fn close(&self);
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Find out which one answers.
    #[default]
    Auto,
    Acp,
    GooseApi,
}

type Pipe = (Box<dyn AsyncWrite + Send + Unpin>, Box<dyn AsyncRead + Send + Unpin>);

/// The standard input and output of an agent process, to be taken once.
#[derive(Clone)]
pub struct Pipes(Arc<Mutex<Option<Pipe>>>);

impl Pipes {
    pub fn new(input: impl AsyncWrite + Send + Unpin + 'static, output: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some((Box::new(input), Box::new(output))))))
    }

    pub async fn take(&self) -> Option<Pipe> {
        self.0.lock().await.take()
    }
}

impl std::fmt::Debug for Pipes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pipes")
    }
}

/// Where an agent listens.
#[derive(Debug, Clone)]
pub enum Endpoint {
    Http { url: String, key: Option<SecretString>, protocol: Protocol },
    Stdio(Pipes),
}

impl Endpoint {
    /// For people: never the key.
    pub fn shown(&self) -> String {
        match self {
            Endpoint::Http { url, .. } => sentences::shown_url(url),
            Endpoint::Stdio(_) => "stdio".to_owned(),
        }
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A stream without a sign of life, keep-alives included.
    pub stream_idle: Duration,
    /// Any single call.
    pub call: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { stream_idle: Duration::from_secs(600), call: Duration::from_secs(30) }
    }
}

// An event larger than this ends the turn: 16 MiB.
pub const MAX_EVENT: usize = 16 * 1024 * 1024;

/// Connects to an agent. `earlier` is what [`Agent::connection`] said before a restart: taken up again if the agent still has it.
pub async fn connect(
    endpoint: &Endpoint,
    cwd: &str,
    patience: Patience,
    earlier: Option<&str>,
) -> Result<Arc<dyn Agent>, Failure> {
    let (url, key, protocol) = match endpoint {
        Endpoint::Stdio(pipes) => return Ok(Arc::new(acp::connect_pipes(pipes, cwd, patience).await?)),
        Endpoint::Http { url, key, protocol } => (url, key, protocol),
    };
    let site = site::Site::new(url, key.as_ref(), patience)?;
    let protocol = match protocol {
        Protocol::Auto => site.detect().await?,
        chosen => *chosen,
    };
    match protocol {
        Protocol::Auto | Protocol::Acp => Ok(Arc::new(acp::connect_http(site, cwd, patience, earlier).await?)),
        Protocol::GooseApi => Ok(Arc::new(goose_api::connect(site, patience).await?)),
    }
}
