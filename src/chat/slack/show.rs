//! Shows turns in their threads: the answer as a stream or as messages that are edited, tools as lines, approvals with buttons.
//!
//! Invariants: a turn's text is shown whole, in order and once, whatever fails in between; its last text passes before anybody's
//! other writes; how far it was shown is durable, so that a later program ends what this one began.

mod approvals;
mod draft;
mod flow;
mod posts;
mod status;
mod stream;
mod text;

use std::sync::Arc;

use serde_json::{Value, json};

use super::Slack;
use super::api::Fault;
use super::limiter::{Method, Rank};
use super::place::Place;
use super::workspace::{Call, Workspace};
use crate::chat::LiveTurn;
use crate::model::{Turn, TurnId};
use draft::Kept;

/// A turn on its way into its thread.
struct Show {
    slack: Slack,
    workspace: Arc<Workspace>,
    live: LiveTurn,
    turn: TurnId,
    channel: String,
    thread: String,
    /// Whom a stream in a channel is for.
    recipient: String,
    recipient_team: String,
    kept: Kept,
}

/// Why nothing more can be shown.
#[derive(Debug)]
enum Lost {
    /// Nothing can be written there any more.
    Gone(Fault),
    /// Gaggle ends, or Slack cannot be reached: a later program goes on.
    Later,
}

/// Shows a turn to its last state. Returns when that is shown, or cannot be.
pub async fn turn(slack: Slack, live: LiveTurn) {
    let (id, origin, source) = live.read(|t| (t.id, t.origin.clone(), t.source.clone()));
    let Some(place) = Place::parse(&origin.conversation) else { return };
    let Some(workspace) = slack.workspace(&place.team) else { return };
    let Some(thread) = place.thread.clone() else { return };
    // Only a turn that came by a message or command of Slack's has one; without it, it was shown to its end.
    let Some(before) = slack.desk().draft(id).await else { return };
    let (team, recipient) = match origin.actor.id.split_once('/') {
        Some((team, user)) => (team.to_owned(), user.to_owned()),
        None => (place.team.clone(), origin.actor.id.clone()),
    };
    let resumed = origin.input.is_none() || !before.is_empty();
    let kept = Kept::new(id, slack.desk(), &before);
    let show = Show {
        slack: slack.clone(),
        workspace,
        live,
        turn: id,
        channel: place.channel.clone(),
        thread,
        recipient,
        recipient_team: team,
        kept,
    };
    if resumed {
        show.find(source.as_deref()).await;
    }
    let (text, ()) = tokio::join!(text::show(&show), async {
        tokio::join!(approvals::show(&show), status::show(&show));
    });
    match text {
        Ok(()) => show.kept.drop().await,
        Err(Lost::Later) => {}
        Err(Lost::Gone(fault)) => {
            tracing::info!(turn = %id, code = fault.code().unwrap_or_default(), "a turn's thread is gone");
            metrics::counter!("gaggle_slack_threads_gone_total").increment(1);
            if !show.workspace.is_dead() {
                show.tell_elsewhere().await;
            }
            show.kept.drop().await;
        }
    }
}

impl Show {
    fn call(&self, api: &'static str, method: Method, rank: Rank) -> Call<'_> {
        Call { api, method, channel: &self.channel, thread: &self.thread, rank }
    }

    /// What marks a message as this turn's.
    fn mark(&self, kind: &str) -> Value {
        json!({ "event_type": "gaggle", "event_payload": { "turn": self.turn.to_string(), "kind": kind } })
    }

    fn read<T>(&self, look: impl FnOnce(&Turn) -> T) -> T {
        self.live.read(look)
    }

    /// Finds the messages that an earlier program posted and had no time to note.
    async fn find(&self, source: Option<&str>) {
        let draft = self.kept.read();
        if self.workspace.is_dead() {
            return;
        }
        let oldest = source.and_then(|key| key.strip_prefix("message:")?.rsplit(':').next()).unwrap_or(&self.thread).to_owned();
        let began = self.read(|t| t.started.map(|at| at.as_millisecond() as f64 / 1000.0));
        let found = self.replies(&oldest).await.unwrap_or_default();
        let mine = self.turn.to_string();
        let known: Vec<&String> =
            draft.messages.iter().chain(draft.approvals.iter().map(|(_, ts)| ts)).chain(&draft.working).collect();
        let mut texts = Vec::new();
        let mut working = None;
        for message in &found {
            let Some(ts) = message["ts"].as_str().map(str::to_owned) else { continue };
            if message["user"].as_str() != Some(&self.workspace.bot) || known.contains(&&ts) {
                continue;
            }
            let payload = &message["metadata"]["event_payload"];
            match (payload["turn"].as_str(), payload["kind"].as_str()) {
                (Some(turn), Some("text")) if turn == mine => texts.push(ts),
                (Some(turn), Some("working")) if turn == mine => working = Some(ts),
                // Streams carry no mark: one that began while this turn was the thread's only one is its.
                (None, None) if began.is_some_and(|at| ts.parse::<f64>().is_ok_and(|ts| ts >= at - 1.0)) => texts.push(ts),
                _ => {}
            }
        }
        if !texts.is_empty() || working.is_some() {
            self.kept
                .change(|d| {
                    d.messages.extend(texts);
                    d.messages.sort();
                    d.working = d.working.take().or(working);
                })
                .await;
        }
    }

    /// The thread's messages since then.
    async fn replies(&self, oldest: &str) -> Result<Vec<Value>, Fault> {
        let arguments = [
            ("channel", self.channel.clone()),
            ("ts", self.thread.clone()),
            ("oldest", oldest.to_owned()),
            ("limit", "200".to_owned()),
            ("include_all_metadata", "true".to_owned()),
        ];
        let found = self.workspace.read("conversations.replies", &arguments).await?;
        Ok(found["messages"].as_array().cloned().unwrap_or_default())
    }

    /// The message of this turn's that holds this text, if it was taken after all.
    async fn posted(&self, nonce: &str) -> Result<Option<String>, Fault> {
        let found = self.replies(&self.thread).await?;
        let found = found.iter().find(|m| m["metadata"]["event_payload"]["nonce"].as_str() == Some(nonce));
        Ok(found.and_then(|m| m["ts"].as_str()).map(str::to_owned))
    }

    /// The answer cannot be shown where it was asked for: its asker is told where it is.
    async fn tell_elsewhere(&self) {
        let (session, asker) = (self.read(|t| t.session), &self.recipient);
        let text = format!(
            "An answer of the agent could not be shown in <#{}>: nothing can be written there any more. Read it with `/session show {session}`.",
            self.channel
        );
        let call =
            Call { api: "chat.postMessage", method: Method::Post, channel: asker, thread: &self.thread, rank: Rank::Reply };
        let _ = self.workspace.send(call, &json!({ "channel": asker, "text": text })).await;
    }
}
