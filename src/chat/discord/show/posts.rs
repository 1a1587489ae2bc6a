//! A turn's text as messages: each holds a piece, the last ones are edited while it grows.
//!
//! Invariant: an edit always writes the whole piece, so that repeating one does no harm; a message is posted with a nonce that
//! Discord takes once.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use super::super::render::{self, Message, code, pieces};
use super::super::rest::{Fault, Method, Rank, Request, Route};
use super::{Lost, Show};
use crate::chat::flow::Flow;
use crate::model::{ToolState, Turn, clip, words};

const TRIES: u32 = 12;
/// Between two edits of an answer that grows.
const PACE: Duration = Duration::from_millis(1_250);
/// A turn that says nothing for longer gets a message with a Stop button.
const LONG: Duration = Duration::from_millis(2_500);
/// An answer without a word.
const SILENT: &str = "*(no text)*";

struct Posts<'a> {
    show: &'a Show,
    flow: Flow,
    /// Each with what stands in it, if that is known.
    messages: Vec<(String, Option<Message>)>,
    /// Messages that were posted again, so that each has a nonce of its own.
    again: usize,
    began: Instant,
    next: Instant,
}

/// What is to be seen now.
struct Wanted {
    messages: Vec<Message>,
    ended: bool,
    abandoned: bool,
}

pub async fn show(show: &Show) -> Result<(), Lost> {
    let known = show.kept.read().messages;
    let now = Instant::now();
    let messages = known.into_iter().map(|id| (id, None)).collect();
    Posts { show, flow: Flow::default(), messages, again: 0, began: now, next: now }.run().await
}

impl Posts<'_> {
    async fn run(mut self) -> Result<(), Lost> {
        let mut changes = self.show.live.watch();
        loop {
            changes.mark_unchanged();
            let wanted = self.wanted();
            if wanted.abandoned && !wanted.ended {
                return Err(Lost::Later);
            }
            match wanted.messages.iter().enumerate().find(|(at, message)| self.differs(*at, message)) {
                Some((at, _)) => {
                    self.put(at, &wanted, &mut changes).await?;
                    continue;
                }
                None if wanted.ended => return self.remove_rest(wanted.messages.len()).await,
                None => {}
            }
            let alone = self.began + LONG;
            let is_due = self.messages.is_empty() && alone > Instant::now();
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return Err(Lost::Later) },
                () = sleep_until(alone), if is_due => {}
                () = self.show.discord.rest().died() => return Err(Lost::Later),
            }
        }
    }

    fn differs(&self, at: usize, message: &Message) -> bool {
        self.messages.get(at).is_none_or(|(_, before)| before.as_ref() != Some(message))
    }

    fn wanted(&mut self) -> Wanted {
        let (show, began, has_message) = (self.show, self.began, !self.messages.is_empty());
        let hears = show.discord.gets_messages();
        let flow = &mut self.flow;
        let abandoned = show.live.is_abandoned();
        show.read(|turn| {
            flow.take(turn);
            Wanted {
                messages: messages(turn, &flow.text, has_message || began.elapsed() >= LONG, hears),
                ended: turn.state.is_last(),
                abandoned,
            }
        })
    }

    /// Writes a piece as it is once that may be written.
    async fn put(&mut self, at: usize, wanted: &Wanted, changes: &mut tokio::sync::watch::Receiver<u64>) -> Result<(), Lost> {
        let rest = self.show.discord.rest();
        let known = self.messages.get(at).map(|(id, _)| id.clone());
        let base = format!("/channels/{}/messages", self.show.channel);
        let route = match &known {
            Some(id) => Route::new(Method::PATCH, format!("{base}/{id}")),
            None => Route::new(Method::POST, base),
        };
        let rank = match (wanted.ended, &known) {
            (true, _) => Rank::Final,
            (false, None) if at == 0 => Rank::First,
            (false, _) => Rank::Update,
        };
        let next = self.next;
        let leave = async {
            if rank == Rank::Update {
                sleep_until(next).await;
            }
            rest.pass(&route, rank).await
        };
        tokio::pin!(leave);
        let permit = loop {
            tokio::select! {
                permit = &mut leave => break permit,
                changed = changes.changed(), if !wanted.ended => {
                    changed.map_err(|_| Lost::Later)?;
                    // Its last text passes before others' earlier ones; the rest is put together once there is leave.
                    if self.show.read(|t| t.state.is_last()) || self.show.live.is_abandoned() {
                        return Ok(());
                    }
                }
                () = rest.died() => return Err(Lost::Later),
            }
        };
        let mut wanted = self.wanted();
        if at >= wanted.messages.len() {
            return Ok(());
        }
        let message = wanted.messages.swap_remove(at);
        let mut permit = Some(permit);
        for tries in 0..TRIES {
            let permit = match permit.take() {
                Some(permit) => permit,
                None => rest.pass(&route, rank).await,
            };
            let mut body = message.body();
            if known.is_none() {
                body["nonce"] = json!(format!("{}-{at}-{}", self.show.turn, self.again));
                body["enforce_nonce"] = json!(true);
            }
            let request = Request::new(route.clone()).body(&body).files(&message.files);
            match rest.send(permit, request).await {
                Ok(answer) => {
                    self.next = Instant::now() + PACE;
                    match self.messages.get_mut(at) {
                        Some((_, before)) => *before = Some(message),
                        None => {
                            let id = answer["id"].as_str().unwrap_or_default().to_owned();
                            self.messages.push((id.clone(), Some(message)));
                            self.show.kept.change(|d| d.messages.push(id)).await;
                        }
                    }
                    return Ok(());
                }
                Err(Fault::Limited(_)) => {}
                Err(Fault::Unsent(_) | Fault::Unknown(_)) => sleep(pause(tries)).await,
                Err(fault) if fault.is_archived() => match self.show.discord.unarchive(&self.show.channel).await {
                    Err(fault) if fault.is_place_gone() => return Err(Lost::Gone(fault)),
                    Err(_) => sleep(pause(tries)).await,
                    Ok(()) => {}
                },
                Err(fault) if known.is_some() && (fault.is_message_gone() || fault.is_too_old()) => {
                    self.gone(at, &fault, message).await;
                    return Ok(());
                }
                Err(fault) => return Err(Lost::Gone(fault)),
            }
        }
        Err(Lost::Later)
    }

    /// A message was removed by somebody, or can no longer be changed.
    async fn gone(&mut self, at: usize, fault: &Fault, message: Message) {
        if fault.is_message_gone() && at + 1 < self.messages.len() {
            // What people removed from the middle of an answer stays away.
            self.messages[at].1 = Some(message);
            return;
        }
        // What they would say is said below.
        self.again += 1;
        for (id, _) in self.messages.drain(at..) {
            let path = format!("/channels/{}/messages/{id}", self.show.channel);
            let _ = self.show.discord.call(Method::DELETE, path, None, Rank::Reply).await;
        }
        self.show.kept.change(|d| d.messages.truncate(at)).await;
    }

    /// Messages that the text no longer needs.
    async fn remove_rest(&self, needed: usize) -> Result<(), Lost> {
        for (id, _) in self.messages.iter().skip(needed) {
            let path = format!("/channels/{}/messages/{id}", self.show.channel);
            let _ = self.show.discord.call(Method::DELETE, path, None, Rank::Reply).await;
        }
        Ok(())
    }
}

pub fn pause(tries: u32) -> Duration {
    Duration::from_millis((250 << tries.min(6)).min(15_000))
}

/// The turn as it is now. `waits`: it is time to say that it goes on, even without a word.
fn messages(turn: &Turn, text: &str, waits: bool, hears: bool) -> Vec<Message> {
    if turn.is_taken_back() {
        return Vec::new();
    }
    let ended = turn.state.is_last();
    let (text, files) = code::apart(text, ended);
    let mut parts = pieces(&text);
    if !ended {
        if parts.is_empty() && (!waits || turn.is_queued()) {
            return Vec::new();
        }
        if let Some(line) = status(turn, parts.is_empty()) {
            put_below(&mut parts, &line);
        }
        let mut shown: Vec<Message> = parts.into_iter().map(Message::text).collect();
        if let Some(last) = shown.last_mut() {
            last.components.push(render::stop(turn));
        }
        return shown;
    }
    if parts.is_empty() {
        parts.push(SILENT.to_owned());
    }
    let (line, rows) = render::footer(turn, hears);
    put_below(&mut parts, &line);
    let mut shown: Vec<Message> = parts.into_iter().map(Message::text).collect();
    let mut files = files.into_iter();
    if let Some(last) = shown.last_mut() {
        last.files.extend(files.by_ref().take(10));
    }
    loop {
        let more: Vec<_> = files.by_ref().take(10).collect();
        if more.is_empty() {
            break;
        }
        shown.push(Message { files: more, ..Message::default() });
    }
    if let Some(last) = shown.last_mut() {
        last.components = rows;
    }
    shown
}

/// A line under the last piece, or in one of its own where there is no room.
fn put_below(parts: &mut Vec<String>, line: &str) {
    let length = |text: &str| text.encode_utf16().count();
    match parts.last_mut().filter(|last| length(last) + length(line) + 2 <= render::MESSAGE) {
        Some(last) => {
            last.push('\n');
            last.push_str(line);
        }
        None => parts.push(line.to_owned()),
    }
}

/// What goes on besides the words.
fn status(turn: &Turn, is_alone: bool) -> Option<String> {
    if let Some(tool) = turn.tools.iter().rev().find(|tool| tool.state == ToolState::Running) {
        let title = clip(&words(&tool.title), 200).replace('`', "'");
        return Some(format!("-# ▸ {}: `{title}` …", words(&tool.tool).replace(['`', '*', '_'], " ")));
    }
    match &turn.reason {
        Some(reason) if is_alone => Some(format!("-# … {}", super::super::markdown::literal(&clip(&words(reason), 300)))),
        None if is_alone => Some("-# … working on it".to_owned()),
        _ => None,
    }
}
