//! Discord's gateway: each shard a session that outlives its connections.
//!
//! Invariants: what Discord said is handed on in its order and is only then behind the session's sequence number, so that a resume
//! brings what was not; a session that is lost is told, once its successor listens; what can never succeed is told once and not tried
//! again. Absence: no event is understood here but the two that begin a session.

mod board;
mod code;
mod frame;
mod open;
mod pace;
mod pipe;
mod session;
mod shard;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use board::Board;
use pace::Identifies;

pub use board::{Gap, State};
pub use code::GivenUp;

#[derive(Debug, Clone)]
pub struct Options {
    pub token: SecretString,
    pub intents: u64,
    /// As `GET /gateway/bot` says; one of `ws://` is taken as it is, and so are the addresses that follow from it.
    pub url: String,
    pub shards: u32,
    /// How many sessions may be begun within five seconds.
    pub max_concurrency: u32,
    pub tls: Arc<rustls::ClientConfig>,
}

/// What the gateway says, unparsed but for its name.
pub struct Dispatch {
    pub shard: u32,
    pub kind: String,
    pub data: Box<RawValue>,
    pub received: Instant,
}

/// Must not block: it runs on the shard's task, so that nothing stands between reading and handling. Discord may say a thing twice.
pub type Sink = Arc<dyn Fn(Dispatch) + Send + Sync>;

/// A session that Discord keeps for some minutes after its connection broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumable {
    pub shard: u32,
    pub session_id: String,
    pub resume_url: String,
    pub seq: u64,
}

/// What every shard has.
#[derive(Clone)]
struct Context {
    options: Arc<Options>,
    sink: Sink,
    board: Board,
    identifies: Arc<Identifies>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Connects every shard and keeps it until `stop`. `resumed` is what an earlier program left: one session for each shard, or none of
/// them is of use, since what a shard hears depends on how many there are.
pub fn start(options: Options, sink: Sink, resumed: Option<Vec<Resumable>>, stop: CancellationToken) -> Gateway {
    let shards = options.shards.max(1);
    let options = Options { shards, ..options };
    let board = Board::new(shards);
    board.adopt(resumed.unwrap_or_default());
    let identifies = Arc::new(Identifies::new(options.max_concurrency, shards));
    let tasks = TaskTracker::new();
    // A fatal answer ends every shard, but not the program.
    let stop = stop.child_token();
    let context = Context { options: Arc::new(options), sink, board: board.clone(), identifies, tasks: tasks.clone(), stop };
    for number in 0..shards {
        tasks.spawn(shard::run(context.clone(), number));
    }
    tasks.close();
    Gateway { board, tasks }
}

/// All shards, as a whole.
pub struct Gateway {
    board: Board,
    tasks: TaskTracker,
}

impl Gateway {
    /// Until every shard was greeted once, or one got an answer that is final. Pending if it was stopped before.
    pub async fn ready(&self) -> Result<(), GivenUp> {
        self.board.ready().await
    }

    /// The next gap, for one reader; what it does not wait for is kept, as one gap.
    pub async fn gap(&self) -> Gap {
        self.board.gap().await
    }

    pub fn state(&self) -> watch::Receiver<State> {
        self.board.state()
    }

    /// What a later program can resume. Nothing once it was stopped: whoever says good-bye ends the session.
    pub fn sessions(&self) -> Vec<Resumable> {
        self.board.sessions()
    }

    /// Until all connections are closed, after a stop or a final answer.
    pub async fn ended(&self) {
        self.tasks.wait().await;
    }
}

/// From 0 to 1.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}
