//! The text of a turn: what of it is there to be shown, and by which way it goes: streamed where there is room for that, else as
//! messages that are edited.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::blocks;
use super::super::limiter::{Method, Permit, Rank, Reservation};
use super::super::markdown::streamed;
use super::super::speech::At;
use super::posts::Posts;
use super::stream::{Broken, Stream};
use super::{Lost, Show};
use crate::chat::flow::Flow;
use crate::model::Turn;

pub const STREAMS: &str = "streams";

/// What is to be shown, as it grows.
pub struct Text<'a> {
    pub show: &'a Show,
    flow: Flow,
    /// Slack's Markdown of all of it. Only grows.
    pub whole: String,
    /// Bytes of it that stand in messages which are complete.
    pub base: usize,
    /// What the next message begins with, if it goes on inside of code.
    pub opening: String,
    pub done: bool,
    /// What stands in place of the words, if there are none.
    pub silence: String,
    /// Below the last words.
    pub footer: Vec<Value>,
    changes: watch::Receiver<u64>,
}

impl Text<'_> {
    /// Takes in what is new.
    pub fn refresh(&mut self) -> Result<(), Lost> {
        self.changes.mark_unchanged();
        if self.show.live.is_abandoned() {
            return Err(Lost::Later);
        }
        let Self { show, flow, footer, silence, .. } = self;
        let speech = show.slack.speech();
        self.done = self.show.live.read(|turn| {
            flow.take(turn);
            let done = turn.state.is_last();
            if done {
                *footer = blocks::turn_footer(turn, speech);
                *silence = speech.text(&blocks::silence(turn), At::Thread).into_owned();
            }
            done
        });
        let whole = streamed(&self.flow.text, self.done);
        if whole.len() > self.whole.len() {
            let from = self.whole.len();
            self.whole.push_str(&whole[from..]);
        }
        Ok(())
    }

    /// What is not yet in complete messages.
    pub fn rest(&self) -> &str {
        self.whole.get(self.base..).unwrap_or_default()
    }

    pub fn rank(&self) -> Rank {
        if self.done { Rank::Final } else { Rank::First }
    }

    /// Resolves when there is something new, or nothing more to come.
    pub async fn changed(&mut self) {
        let _ = self.changes.changed().await;
    }

    /// Resolves once the turn has ended, or Gaggle does.
    pub async fn ended(&self) {
        let mut changes = self.show.live.watch();
        while !self.show.live.is_abandoned() && !self.show.live.read(|t| t.state.is_last()) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// How long after one update of this thread the next may follow: the fuller the rate, the later.
    pub fn pace(&self, method: Method, a_minute: f64) -> Duration {
        let active = self.show.slack.showing() as f64;
        let fill = self.show.workspace.limiter.fill(method);
        Duration::from_secs_f64(0.7 + active * (60.0 / a_minute) * 2.0 * fill * fill)
    }
}

/// How the next words go.
enum Way {
    Stream(Permit, Reservation),
    Post(Permit),
}

pub async fn show(show: &Show) -> Result<(), Lost> {
    let changes = show.live.watch();
    let mut text = Text {
        show,
        flow: Flow::default(),
        whole: String::new(),
        base: 0,
        opening: String::new(),
        done: false,
        silence: String::new(),
        footer: Vec::new(),
        changes,
    };
    let before = show.kept.read();
    if !before.messages.is_empty() {
        text.refresh()?;
        return Posts::take_over(&mut text, before.messages, before.streaming).await;
    }
    loop {
        text.refresh()?;
        if text.done || !text.rest().is_empty() {
            break;
        }
        text.changed().await;
    }
    if show.read(Turn::is_taken_back) {
        return Ok(());
    }
    let mut streams = true;
    loop {
        text.refresh()?;
        match way(&mut text, streams).await? {
            Way::Post(permit) => return Posts::begin(&mut text, permit).await,
            Way::Stream(permit, room) => match Stream::begin(&mut text, permit, room).await {
                Ok(stream) => match stream.run(&mut text).await? {
                    // Full: the next words begin another.
                    None => {}
                    Some(Broken::Done) => return Ok(()),
                    Some(Broken::Rest) => return Posts::after(&mut text).await,
                    Some(Broken::Unclear(messages)) => return Posts::take_over(&mut text, messages, false).await,
                },
                Err(Some(Broken::Unclear(messages))) if !messages.is_empty() => {
                    return Posts::take_over(&mut text, messages, true).await;
                }
                Err(Some(_)) => streams = false,
                // Not now.
                Err(None) => {}
            },
        }
    }
}

/// Waits for leave to begin a message.
async fn way(text: &mut Text<'_>, streams: bool) -> Result<Way, Lost> {
    let show = text.show;
    let limiter = &show.workspace.limiter;
    let streams = streams && show.slack.streams() && show.workspace.has(STREAMS);
    // Whoever has it said already needs one call, not two.
    let rank = text.rank();
    if text.done
        && let Some(permit) = limiter.try_pass(Method::Post, &show.channel, &show.thread, rank)
    {
        return Ok(Way::Post(permit));
    }
    if streams
        && let Some(room) = limiter.reserve(Method::StopStream)
        && let Some(permit) = limiter.try_pass(Method::StartStream, "", &show.thread, rank)
    {
        return Ok(Way::Stream(permit, room));
    }
    let post = limiter.pass(Method::Post, &show.channel, &show.thread, rank);
    let stream = async {
        if !streams {
            std::future::pending::<()>().await;
        }
        loop {
            let Some(room) = limiter.reserve(Method::StopStream) else {
                tokio::time::sleep(Duration::from_millis(250)).await;
                continue;
            };
            return (limiter.pass(Method::StartStream, "", &show.thread, rank).await, room);
        }
    };
    tokio::select! {
        biased;
        permit = post => Ok(Way::Post(permit)),
        (permit, room) = stream => Ok(Way::Stream(permit, room)),
        // Its last text passes before others' first ones.
        () = text.ended(), if !text.done => {
            text.refresh()?;
            Box::pin(way(text, streams)).await
        }
        _ = show.workspace.died() => Err(Lost::Gone(super::super::api::Fault::Refused("token_revoked".into()))),
    }
}

/// When the next update may be.
pub fn later(pace: Duration) -> Instant {
    Instant::now() + pace
}
