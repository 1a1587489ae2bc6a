//! Socket Mode: two connections at least, each acknowledged before any work.
//!
//! Invariants: a connection that is to go is replaced before it goes, and read until it is gone; only one is opened at a time; what
//! only people can mend is told once, and tried again seldom. Nobody is told the address of a socket: it lets its holder in.

mod board;
mod frame;
mod open;
mod pipe;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::api::{Api, Fault};
use super::delivery::{Delivery, Keep};

pub use board::{Board, Gap, State};

/// One goes while another comes, so there is always one.
pub const CONNECTIONS: usize = 2;
const BACKOFF: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(30);
/// The same while there is no other connection: what comes then is lost, or late.
const ALONE: Duration = Duration::from_secs(1);
/// How soon, and how seldom at last, Slack is asked again that refuses connections: a hiccup or a switch of the app's heals by itself.
const REFUSED: Duration = Duration::from_secs(5);
const SELDOM: Duration = Duration::from_secs(300);
/// A connection that lived this long was a good one.
const GOOD: Duration = Duration::from_secs(10);
/// How long one that was replaced is still read, if Slack does not end it.
const LINGER: Duration = Duration::from_secs(60);

/// What every connection has.
#[derive(Clone)]
pub(super) struct Context {
    api: Api,
    queue: mpsc::Sender<Delivery>,
    keep: Keep,
    board: Board,
    /// Who opens holds it.
    opening: Arc<Mutex<()>>,
    stop: CancellationToken,
}

/// Opens the connections and keeps them until `stop`; `api` has the app's token. Returns once Slack took the token or could not be
/// reached, which is tried again; a token that is no good is an error.
pub async fn start(api: Api, queue: mpsc::Sender<Delivery>, keep: Keep, stop: CancellationToken) -> Result<Sockets, Fault> {
    let board = Board::default();
    let context = Context { api, queue, keep, board: board.clone(), opening: Arc::default(), stop };
    let first = match open::address(&context.api).await {
        Err(fault) if open::is_final(&fault) => return Err(fault),
        other => other.ok(),
    };
    let tasks = tokio::spawn(async move {
        let mut slots = JoinSet::new();
        let mut first = first;
        for place in 0..CONNECTIONS {
            slots.spawn(slot(context.clone(), place, first.take()));
        }
        while slots.join_next().await.is_some() {}
    });
    Ok(Sockets { board, tasks })
}

/// The connections, as a whole.
pub struct Sockets {
    board: Board,
    tasks: tokio::task::JoinHandle<()>,
}

impl Sockets {
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Until all are closed, after `stop`.
    pub async fn ended(self) {
        let _ = self.tasks.await;
    }
}

/// One place of the two: a connection, then the one in its stead, and so on.
async fn slot(context: Context, place: usize, mut address: Option<String>) {
    let (mut failures, mut refusals) = (0, 0);
    let mut pipes = JoinSet::new();
    let (mut last, mut before): (Option<CancellationToken>, Option<CancellationToken>) = (None, None);
    while !context.stop.is_cancelled() {
        let opened = {
            let _turn = context.opening.lock().await;
            tokio::select! {
                opened = open::open(&context.api, address.take()) => opened,
                () = context.stop.cancelled() => break,
            }
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(fault) if open::is_final(&fault) => {
                context.board.refuse(fault.code().unwrap_or("refused"));
                if !pause_or_stop(&context, seldom(&mut refusals)).await {
                    break;
                }
                continue;
            }
            Err(fault) => {
                let pause = backoff(failures, &fault);
                tracing::debug!(%fault, pause_ms = pause.as_millis(), "no Slack socket");
                failures += 1;
                if !pause_or_stop(&context, pause).await {
                    break;
                }
                continue;
            }
        };
        // It is live, so the one before has had its time, and the one before that all of it.
        if let Some(before) = std::mem::replace(&mut before, last.clone()) {
            before.cancel();
        }
        if let Some(last) = last.take() {
            let pause = context.stop.clone();
            pipes.spawn(async move {
                tokio::select! { () = tokio::time::sleep(LINGER) => {} () = pause.cancelled() => {} }
                last.cancel();
            });
        }
        let since = Instant::now();
        let (fade, faded) = oneshot::channel();
        let end = context.stop.child_token();
        last = Some(end.clone());
        pipes.spawn(pipe::run(context.clone(), opened, place, fade, end));
        let why = faded.await.unwrap_or(pipe::Fade::Gone);
        if let pipe::Fade::Disabled = why {
            context.board.refuse("link_disabled");
            if !pause_or_stop(&context, seldom(&mut refusals)).await {
                break;
            }
            continue;
        }
        refusals = 0;
        failures = if since.elapsed() >= GOOD { 0 } else { failures + 1 };
        // The first replacement comes at once, since the one before may not be gone yet.
        if failures > 1 && !rest(&context, backoff(failures, &Fault::Unsent("cut")), failures).await {
            break;
        }
        while pipes.try_join_next().is_some() {}
    }
    while pipes.join_next().await.is_some() {}
}

/// … after a connection that worked: not so long if it was the last one.
async fn rest(context: &Context, pause: Duration, failures: u32) -> bool {
    let mut state = context.board.state();
    let most = (BACKOFF * failures / 2).min(ALONE).mul_f64(chance());
    let alone = async {
        let none = state.wait_for(|s| s.live == 0).await.is_ok();
        if none { tokio::time::sleep(most).await } else { std::future::pending().await }
    };
    tokio::select! {
        rested = pause_or_stop(context, pause) => rested,
        () = alone => true,
    }
}

/// `false`: it is time to stop.
async fn pause_or_stop(context: &Context, pause: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(pause) => true,
        () = context.stop.cancelled() => false,
    }
}

/// How long a refusal is left alone: twice as long each time.
fn seldom(refusals: &mut u32) -> Duration {
    let most = REFUSED.saturating_mul(2_u32.saturating_pow((*refusals).min(16))).min(SELDOM);
    *refusals += 1;
    most.mul_f64(0.75 + 0.25 * chance())
}

/// Anything up to twice as much each time, so that many do not come back in step.
fn backoff(failures: u32, fault: &Fault) -> Duration {
    let most = BACKOFF.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(MOST);
    let pause = most.mul_f64(chance());
    match fault {
        // Slack's own word; an absurd one is not believed.
        Fault::Limited(wait) => pause + (*wait).min(10 * MOST),
        _ => pause,
    }
}

/// From 0 to 1.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}
