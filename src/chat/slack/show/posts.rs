//! A turn's text as ordinary messages: each holds a piece, the last is edited while it grows.
//!
//! Invariant: an edit always writes the whole piece, so that repeating one does no harm; a message that may have been posted is
//! looked for before it is posted again.

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::super::api::Fault;
use super::super::blocks::{MESSAGE, SECTION, section};
use super::super::limiter::{Method, Permit, Rank};
use super::super::markdown::mrkdwn;
use super::super::workspace::pause;
use super::Lost;
use super::text::{Text, later};
use crate::chat::split::pieces;

const TRIES: u32 = 12;
/// For notifications, where a message holds nothing but what stands below an answer.
const END: &str = "The end of the answer.";

pub struct Posts {
    /// Each with what stands in it, if that is known.
    messages: Vec<(String, Option<Shown>)>,
    /// Where this turn's first message here stands among all of them.
    first: usize,
    permit: Option<Permit>,
    next: Instant,
}

#[derive(Debug, Clone, PartialEq)]
struct Shown {
    text: String,
    blocks: Value,
}

impl Posts {
    /// With leave for the first message.
    pub async fn begin(text: &mut Text<'_>, permit: Permit) -> Result<(), Lost> {
        let first = text.show.kept.read().messages.len();
        Self { messages: Vec::new(), first, permit: Some(permit), next: Instant::now() }.run(text).await
    }

    /// For what is left of a text that was streamed.
    pub async fn after(text: &mut Text<'_>) -> Result<(), Lost> {
        text.refresh()?;
        let first = text.show.kept.read().messages.len();
        Self { messages: Vec::new(), first, permit: None, next: Instant::now() }.run(text).await
    }

    /// Writes the whole text anew into these messages, and into further ones.
    pub async fn take_over(text: &mut Text<'_>, messages: Vec<String>, streaming: bool) -> Result<(), Lost> {
        let show = text.show;
        if streaming && let Some(ts) = messages.last() {
            // Whether or not it was ended before.
            show.stop(ts).await;
            show.kept.change(|d| d.streaming = false).await;
        }
        text.base = 0;
        text.opening.clear();
        let messages = messages.into_iter().map(|ts| (ts, None)).collect();
        Self { messages, first: 0, permit: None, next: Instant::now() }.run(text).await
    }

    async fn run(mut self, text: &mut Text<'_>) -> Result<(), Lost> {
        loop {
            text.refresh()?;
            let mut parts = pieces(&format!("{}{}", text.opening, text.rest()), MESSAGE);
            if parts.is_empty() && text.done {
                parts.push(if self.first == 0 && text.base == 0 { text.silence.clone() } else { String::new() });
            }
            let last = parts.len().saturating_sub(1);
            for (at, part) in parts.iter().enumerate() {
                let footer = if at == last && text.done { text.footer.as_slice() } else { &[] };
                let shown = shown(part, footer);
                if self.messages.get(at).is_some_and(|(_, before)| before.as_ref() == Some(&shown)) {
                    continue;
                }
                // What was taken over and is not complete yet is left as it is until there is more to say.
                let ends = at == last && text.done && self.messages.len() <= parts.len();
                if !self.put(text, at, shown, ends).await? {
                    break;
                }
            }
            if text.done && self.is_complete(&parts, text) {
                return self.remove_rest(text, parts.len()).await;
            }
            if !text.done {
                text.changed().await;
            }
        }
    }

    fn is_complete(&self, parts: &[String], text: &Text<'_>) -> bool {
        let last = parts.len() - 1;
        parts.iter().enumerate().all(|(at, part)| {
            let footer = if at == last { text.footer.as_slice() } else { &[] };
            self.messages.get(at).is_some_and(|(_, before)| before.as_ref() == Some(&shown(part, footer)))
        })
    }

    /// Writes a piece. `false`: the text is another by now.
    async fn put(&mut self, text: &mut Text<'_>, at: usize, shown: Shown, ends: bool) -> Result<bool, Lost> {
        let show = text.show;
        let rank = if text.done { Rank::Final } else { Rank::Update };
        let (api, method) = match self.messages.get(at) {
            Some(_) => ("chat.update", Method::Update),
            None => ("chat.postMessage", Method::Post),
        };
        let permit = match self.permit.take().filter(|_| method == Method::Post) {
            Some(permit) => permit,
            None => {
                let limiter = &show.workspace.limiter;
                let next = if text.done { Instant::now() } else { self.next };
                let leave = async {
                    sleep_until(next).await;
                    limiter.pass(method, &show.channel, &show.thread, rank).await
                };
                tokio::select! {
                    permit = leave => permit,
                    () = text.ended(), if !text.done => return Ok(false),
                    _ = show.workspace.died() => return Err(Lost::Gone(Fault::Refused("token_revoked".into()))),
                }
            }
        };
        let mut body = json!({ "channel": show.channel, "text": shown.text, "blocks": shown.blocks });
        let nonce = format!("{}-{}", show.turn, self.first + at);
        match self.messages.get(at) {
            Some((ts, _)) => body["ts"] = json!(ts),
            None => body["thread_ts"] = json!(show.thread),
        }
        let mut mark = show.mark_text(ends);
        mark["event_payload"]["nonce"] = json!(nonce);
        body["metadata"] = mark;
        let mut permit = Some(permit);
        for tries in 0..TRIES {
            let permit = match permit.take() {
                Some(permit) => permit,
                None => show.workspace.limiter.pass(method, &show.channel, &show.thread, rank).await,
            };
            match show.workspace.send_with(permit, api, &body).await {
                Ok(answer) => {
                    match self.messages.get_mut(at) {
                        Some((_, before)) => *before = Some(shown),
                        None => self.keep(text, answer["ts"].as_str().unwrap_or_default().to_owned(), shown).await,
                    }
                    let pace = text.pace(Method::Update, 50.0);
                    self.next = later(pace + std::time::Duration::from_millis(500));
                    return Ok(true);
                }
                // An update that is late is made anew; a last one waits.
                Err(Fault::Limited(_)) => {}
                Err(Fault::Unsent(_)) => sleep(pause(tries)).await,
                Err(Fault::Unknown(_)) => {
                    sleep(pause(tries)).await;
                    if method == Method::Post
                        && let Ok(Some(ts)) = show.posted(&body).await
                    {
                        self.keep(text, ts, shown).await;
                        return Ok(true);
                    }
                }
                Err(fault) if fault.code() == Some("streaming_state_conflict") && method == Method::Update => {
                    if let Some((ts, _)) = self.messages.get(at) {
                        show.stop(ts).await;
                    }
                }
                Err(fault) if fault.is_message_gone() && method == Method::Update => {
                    self.gone(text, at, &fault, shown).await;
                    return Ok(true);
                }
                Err(fault) if !fault.is_gone() && body.get("blocks").is_some() => {
                    // Better without its looks than not at all.
                    tracing::warn!(code = fault.code().unwrap_or_default(), "Slack does not take the blocks of an answer");
                    body.as_object_mut().map(|b| b.remove("blocks"));
                }
                Err(fault) => return Err(Lost::Gone(fault)),
            }
        }
        Err(Lost::Later)
    }

    /// A message was removed by somebody, or can no longer be changed.
    async fn gone(&mut self, text: &Text<'_>, at: usize, fault: &Fault, shown: Shown) {
        let last = at + 1 == self.messages.len();
        if !last && fault.code() == Some("message_not_found") {
            // What people removed from the middle of an answer stays away.
            self.messages[at].1 = Some(shown);
            return;
        }
        // What they would say is said below.
        let show = text.show;
        for (ts, _) in self.messages.drain(at..) {
            let call = show.call("chat.delete", Method::Delete, Rank::Reply);
            if !(last && fault.code() == Some("message_not_found")) {
                let _ = show.workspace.send(call, &json!({ "channel": show.channel, "ts": ts })).await;
            }
        }
        let known = self.first + at;
        show.kept.change(|d| d.messages.truncate(known)).await;
    }

    async fn keep(&mut self, text: &Text<'_>, ts: String, shown: Shown) {
        self.messages.push((ts.clone(), Some(shown)));
        text.show.kept.change(|d| d.messages.push(ts)).await;
    }

    /// Messages of an earlier program that the text no longer needs.
    async fn remove_rest(&self, text: &Text<'_>, needed: usize) -> Result<(), Lost> {
        let show = text.show;
        for (ts, _) in self.messages.iter().skip(needed) {
            let call = show.call("chat.delete", Method::Delete, Rank::Reply);
            let _ = show.workspace.send(call, &json!({ "channel": show.channel, "ts": ts })).await;
        }
        Ok(())
    }
}

fn shown(part: &str, footer: &[Value]) -> Shown {
    let text = mrkdwn(part);
    let mut blocks: Vec<Value> = pieces(part, SECTION - 16).iter().map(|p| section(&mrkdwn(p))).collect();
    blocks.extend(footer.iter().cloned());
    let text = if text.is_empty() { END.to_owned() } else { text };
    Shown { text, blocks: Value::Array(blocks) }
}
