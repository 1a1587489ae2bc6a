//! What goes on before and between the words: a status line in the thread, and after a while a message with a Stop button.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use super::super::api::Fault;
use super::super::blocks;
use super::super::limiter::{Method, Rank};
use super::super::workspace::{Call, pause};
use super::Show;
use crate::model::{ToolState, Turn, TurnState, clip};

const STATUS: &str = "assistant.threads.setStatus";
/// A turn that takes longer gets a Stop button.
const LONG: Duration = Duration::from_millis(2_500);
/// Between two status lines of a thread.
const PACE: Duration = Duration::from_secs(2);
/// How long the end of the Stop button may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(600);
const TRIES: u32 = 6;

pub async fn show(show: &Show) {
    let mut changes = show.live.watch();
    let mut told = String::new();
    let mut last: Option<Instant> = None;
    let mut stop_at = Instant::now() + LONG;
    let mut working = show.kept.read().working;
    loop {
        changes.mark_unchanged();
        if show.live.is_abandoned() {
            return;
        }
        let (ended, queued, line) = show.read(|t| (t.state.is_last(), t.is_queued(), line(t)));
        if ended {
            break;
        }
        if queued {
            // The thread's status and Stop button are those of the turn before it.
            stop_at = Instant::now() + LONG;
        }
        let due = last.map_or(Instant::now(), |at| at + PACE);
        if line != told && due <= Instant::now() && set(show, &line).await {
            told.clone_from(&line);
            last = Some(Instant::now());
        }
        if working.is_none() && !queued && stop_at <= Instant::now() {
            working = post(show).await;
        }
        let next = if line == told { Instant::now() + Duration::from_secs(3600) } else { due };
        let next = if working.is_none() { next.min(stop_at.max(Instant::now() + Duration::from_millis(300))) } else { next };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = sleep_until(next) => {}
            why = show.workspace.died() => {
                drop(why);
                return;
            }
        }
    }
    if let Some(ts) = working {
        let body = json!({ "channel": show.channel, "ts": ts });
        let delete = async {
            for tries in 0..TRIES {
                match show.workspace.send(show.call("chat.delete", Method::Delete, Rank::Extra), &body).await {
                    Err(Fault::Unknown(_)) => sleep(pause(tries)).await,
                    _ => return,
                }
            }
        };
        let _ = tokio::time::timeout(PATIENCE, delete).await;
    }
}

/// What the agent is doing while it says nothing. Empty while it does.
fn line(turn: &Turn) -> String {
    let running = turn.tools.iter().rev().find(|t| t.state == ToolState::Running);
    if turn.is_queued() {
        return String::new();
    }
    match (turn.state, &turn.reason, running) {
        // The message with its buttons says it.
        (_, Some(reason), _) if reason.starts_with("waiting for the approval") => String::new(),
        (TurnState::Waiting, Some(reason), _) => format!("is {}", clip(reason, 90)),
        (_, _, Some(tool)) => format!("is running {}", clip(&format!("{}: {}", tool.tool, tool.title), 80)),
        _ if turn.text.is_empty() => "is thinking…".to_owned(),
        _ => String::new(),
    }
}

/// `false`: not now.
async fn set(show: &Show, status: &str) -> bool {
    if !show.workspace.has(STATUS) {
        return true;
    }
    // Words that the thread gets in place of it clear it by themselves.
    if status.is_empty() {
        return true;
    }
    let Some(permit) = show.workspace.limiter.try_pass(Method::Status, &show.channel, &show.thread, Rank::Extra) else {
        return false;
    };
    let body = json!({ "channel_id": show.channel, "thread_ts": show.thread, "status": status });
    match show.workspace.send_with(permit, STATUS, &body).await {
        // What has to do with this thread alone tells nothing of the workspace.
        Err(fault) if fault.is_lacking() => show.workspace.lacks(STATUS, fault.code().unwrap_or_default()),
        _ => {}
    }
    true
}

/// The message with the Stop button.
async fn post(show: &Show) -> Option<String> {
    let call: Call<'_> = show.call("chat.postMessage", Method::Post, Rank::Extra);
    let permit = show.workspace.limiter.try_pass(call.method, call.channel, call.thread, call.rank)?;
    let message = show.read(blocks::working);
    let nonce = format!("{}-working", show.turn);
    let mut mark = show.mark("working");
    mark["event_payload"]["nonce"] = json!(nonce);
    let body = json!({
        "channel": show.channel, "thread_ts": show.thread, "text": message.text, "blocks": message.blocks,
        "metadata": mark,
    });
    let ts = match show.workspace.send_with(permit, call.api, &body).await {
        Ok(posted) => posted["ts"].as_str()?.to_owned(),
        // If it stands there, it has to be taken away some day.
        Err(Fault::Unknown(_)) => show.posted(&body).await.ok()??,
        Err(_) => return None,
    };
    show.kept.change(|d| d.working = Some(ts.clone())).await;
    Some(ts)
}
