//! Shows turns in their threads: the answer as a stream or as messages that are edited, tools as lines, approvals with buttons.
//!
//! Invariants: a turn's text is shown whole, in order and once, whatever fails in between; its last text passes before anybody's
//! other writes; how far it was shown is durable, so that a later program ends what this one began.

mod approvals;

mod posts;
mod status;
mod stream;
mod text;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Slack;
use super::api::Fault;
use super::limiter::{Method, Rank};
use super::place::Place;
use super::speech::At;
use super::workspace::{Call, Workspace, pause};
use crate::chat::LiveTurn;
use crate::chat::draft::Kept;
use crate::model::{Turn, TurnId};

/// How often Slack is tried again when it was away for minutes, and how long after.
const ROUNDS: u32 = 30;
const LULL: Duration = Duration::from_secs(30);
/// Seconds by which Slack's clock may be another.
const SKEW: f64 = 30.0;
/// Pages of a thread that are looked at.
const PAGES: usize = 5;
const STOPS: u32 = 5;

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
    let kept = Kept::new(id, slack.desk(), slack.0.claims.clone(), &before);
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
    match show.run().await {
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
    async fn run(&self) -> Result<(), Lost> {
        let text = self.text();
        let others = async { tokio::join!(approvals::show(self), status::show(self)) };
        tokio::pin!(text, others);
        tokio::select! {
            shown = &mut text => {
                // Where no words can be written, nothing else can.
                shown?;
                others.await;
                Ok(())
            }
            _ = &mut others => text.await,
        }
    }

    /// The text, however long Slack is away.
    async fn text(&self) -> Result<(), Lost> {
        let mut rounds = 0;
        while !self.kept.read().shown {
            match text::show(self).await {
                Err(Lost::Later) if rounds < ROUNDS && !self.live.is_abandoned() => {
                    rounds += 1;
                    tokio::time::sleep(LULL).await;
                    self.find(None).await;
                }
                Err(lost) => return Err(lost),
                Ok(()) if self.kept.read().working.is_some() => self.kept.change(|d| d.shown = true).await,
                Ok(()) => break,
            }
        }
        Ok(())
    }

    fn call(&self, api: &'static str, method: Method, rank: Rank) -> Call<'_> {
        Call { api, method, channel: &self.channel, thread: &self.thread, rank }
    }

    /// What marks a message as this turn's.
    fn mark(&self, kind: &str) -> Value {
        json!({ "event_type": "gaggle", "event_payload": { "turn": self.turn.to_string(), "kind": kind } })
    }

    /// … and says whether its words are the last ones.
    fn mark_text(&self, last: bool) -> Value {
        let mut mark = self.mark("text");
        mark["event_payload"]["last"] = json!(last);
        mark
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
        let asked = source.and_then(|key| key.strip_prefix("message:")?.rsplit(':').next()?.parse::<f64>().ok()).unwrap_or(0.0);
        let began = self.read(|t| t.started.map(|at| at.as_millisecond() as f64 / 1000.0 - 2.0)).map(|at| at.max(asked));
        // What it has already was before whatever else is its.
        let after = draft.messages.last().and_then(|ts| ts.parse::<f64>().ok());
        let began = began.map(|at| at.max(after.unwrap_or(0.0)));
        let found = self.replies().await.unwrap_or_default();
        let mine = self.turn.to_string();
        let known: Vec<&String> =
            draft.messages.iter().chain(draft.approvals.iter().map(|(_, ts)| ts)).chain(&draft.working).collect();
        let mut texts = Vec::new();
        let (mut working, mut open, mut whole) = (None, false, false);
        for message in &found {
            let Some(ts) = message["ts"].as_str().map(str::to_owned) else { continue };
            let payload = &message["metadata"]["event_payload"];
            whole |= payload["turn"].as_str() == Some(&mine) && payload["last"] == json!(true);
            if message["user"].as_str() != Some(&self.workspace.bot) || known.contains(&&ts) {
                continue;
            }
            let has_files = message["files"].as_array().is_some_and(|files| !files.is_empty());
            match (payload["turn"].as_str(), payload["kind"].as_str()) {
                (Some(turn), Some("text")) if turn == mine => texts.push(ts),
                (Some(turn), Some("working")) if turn == mine => working = Some(ts),
                // Streams get their mark at their end: one without that began while this turn was the thread's only one is its.
                (None, None)
                    if !has_files
                        && began.is_some_and(|at| ts.parse::<f64>().is_ok_and(|ts| ts >= at))
                        && self.kept.claims(&ts) =>
                {
                    open = true;
                    texts.push(ts);
                }
                _ => {}
            }
        }
        if !texts.is_empty() || working.is_some() || whole {
            self.kept
                .change(|d| {
                    d.messages.extend(texts);
                    d.messages.sort();
                    d.streaming |= open;
                    d.shown |= whole;
                    d.working = d.working.take().or(working);
                })
                .await;
        }
    }

    /// The thread's messages since the turn was asked for.
    async fn replies(&self) -> Result<Vec<Value>, Fault> {
        let since = self.read(|t| t.created.as_millisecond() as f64 / 1000.0) - SKEW;
        let (mut found, mut cursor) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let mut arguments = vec![
                ("channel", self.channel.clone()),
                ("ts", self.thread.clone()),
                ("oldest", format!("{since:.6}")),
                ("limit", "200".to_owned()),
                ("include_all_metadata", "true".to_owned()),
            ];
            if !cursor.is_empty() {
                arguments.push(("cursor", cursor));
            }
            let page = self.workspace.read("conversations.replies", &arguments).await?;
            found.extend(page["messages"].as_array().into_iter().flatten().cloned());
            cursor = page["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned();
            if cursor.is_empty() {
                break;
            }
        }
        Ok(found)
    }

    /// Ends a stream of which nothing more is known, if it still is one.
    async fn stop(&self, ts: &str) {
        for tries in 0..STOPS {
            let call = self.call("chat.stopStream", Method::StopStream, Rank::Final);
            match self.workspace.send(call, &json!({ "channel": self.channel, "ts": ts })).await {
                Err(Fault::Unknown(_)) => tokio::time::sleep(pause(tries)).await,
                _ => return,
            }
        }
    }

    /// Whether that message got the mark that goes with a stream's last words.
    async fn is_marked(&self, ts: &str) -> bool {
        let mine = self.turn.to_string();
        let found = self.replies().await.unwrap_or_default();
        found.iter().any(|m| m["ts"] == ts && m["metadata"]["event_payload"]["turn"] == mine.as_str())
    }

    /// The message of this turn's that holds this text, if it was taken after all.
    async fn posted(&self, body: &Value) -> Result<Option<String>, Fault> {
        let found = self.replies().await?;
        Ok(self.workspace.posted_among(&found, body))
    }

    /// The answer cannot be shown where it was asked for: its asker is told where it is.
    async fn tell_elsewhere(&self) {
        if self.channel.starts_with('D') {
            // It was their own conversation with the bot: there is nowhere else.
            return;
        }
        let (session, asker) = (self.read(|t| t.session), &self.recipient);
        let text = format!(
            "An answer of the agent could not be shown in <#{}>: nothing can be written there any more. Read it with `/session show {session}`.",
            self.channel
        );
        let text = self.slack.speech().text(&text, At::Channel);
        let call =
            Call { api: "chat.postMessage", method: Method::Post, channel: asker, thread: &self.thread, rank: Rank::Reply };
        let _ = self.workspace.send(call, &json!({ "channel": asker, "text": text })).await;
    }
}
