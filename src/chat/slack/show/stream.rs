//! One streamed message: begun with the first words, added to, ended with the last ones and what stands below them.
//!
//! Invariant: what was sent is never sent again here. Where Slack may or may not have taken words, the message is given up to
//! [`super::posts`], which writes it anew as a whole.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::api::Fault;
use super::super::limiter::{Method, Permit, Rank, Reservation};
use super::super::workspace::pause;
use super::text::{STREAMS, Text, later};
use super::{Lost, Show};
use crate::chat::split::Fence;

/// A message that holds more is ended at the next end of a line.
const FULL: usize = 9_000;
/// … and here in any case. Slack's own limit is somewhere above.
const MOST: usize = 10_500;
const TRIES: u32 = 10;
/// Slack's word for a stream that is none any more.
const ENDED: &str = "message_not_in_streaming_state";

/// How a stream ended before its turn did.
#[derive(Debug)]
pub enum Broken {
    /// It did not: all of it is shown.
    Done,
    /// What was sent stands; the rest has to go another way.
    Rest,
    /// What stands in these messages is not known.
    Unclear(Vec<String>),
}

pub struct Stream {
    ts: String,
    /// Bytes of `opening` and the rest that were sent.
    sent: usize,
    room: Option<Reservation>,
    next: Instant,
}

impl Stream {
    /// `Err(None)`: not now.
    pub async fn begin(text: &mut Text<'_>, permit: Permit, room: Reservation) -> Result<Self, Option<Broken>> {
        let show = text.show;
        let whole = format!("{}{}", text.opening, text.rest());
        let words = first(&whole);
        let body = json!({
            "channel": show.channel,
            "thread_ts": show.thread,
            "recipient_user_id": show.recipient,
            "recipient_team_id": show.recipient_team,
            "markdown_text": words,
        });
        match show.workspace.send_with(permit, "chat.startStream", &body).await {
            Ok(begun) => {
                let ts = begun["ts"].as_str().unwrap_or_default().to_owned();
                let kept = ts.clone();
                show.kept
                    .change(|d| {
                        d.messages.push(kept);
                        d.streaming = true;
                    })
                    .await;
                let next = later(text.pace(Method::AppendStream, 100.0));
                Ok(Self { ts, sent: words.len(), room: Some(room), next })
            }
            Err(Fault::Limited(_)) => Err(None),
            Err(Fault::Unsent(_)) => {
                tokio::time::sleep(pause(1)).await;
                Err(None)
            }
            Err(Fault::Unknown(_)) => {
                show.find(None).await;
                Err(Some(Broken::Unclear(show.kept.read().messages)))
            }
            Err(fault @ Fault::Refused(_)) => {
                // What has to do with this message or place alone tells nothing of the workspace.
                if fault.is_lacking() {
                    show.workspace.lacks(STREAMS, fault.code().unwrap_or_default());
                }
                Err(Some(Broken::Rest))
            }
        }
    }

    /// Streams until the turn has ended (`Some(Done)`), the message is full (`None`), or Slack no longer takes it.
    pub async fn run(mut self, text: &mut Text<'_>) -> Result<Option<Broken>, Lost> {
        loop {
            text.refresh()?;
            let whole = format!("{}{}", text.opening, text.rest());
            let full = self.sent.max(FULL);
            if full < whole.len()
                && let Some(cut) = cut(&whole, full)
            {
                return self.end(text, &whole, cut, false).await;
            }
            if text.done {
                let length = whole.len();
                return self.end(text, &whole, length, true).await;
            }
            if portion(&whole, self.sent) == self.sent {
                text.changed().await;
                continue;
            }
            let show = text.show;
            let permit = tokio::select! {
                permit = self.leave(show) => permit,
                () = text.ended() => continue,
            };
            text.refresh()?;
            let whole = format!("{}{}", text.opening, text.rest());
            let end = portion(&whole, self.sent);
            if end == self.sent {
                // So much came meanwhile that the message ends here.
                permit.unused();
                continue;
            }
            let body = json!({ "channel": show.channel, "ts": self.ts, "markdown_text": whole[self.sent..end] });
            match show.workspace.send_with(permit, "chat.appendStream", &body).await {
                Ok(_) => self.sent = end,
                Err(Fault::Limited(_)) => {}
                Err(Fault::Unsent(_)) => tokio::time::sleep(pause(2)).await,
                Err(Fault::Unknown(_)) => return Ok(Some(self.unclear(show).await)),
                Err(fault) if fault.is_token_dead() || fault.is_place_gone() => return Err(Lost::Gone(fault)),
                Err(fault) => return Ok(Some(self.broke(text, &fault).await)),
            }
            self.next = later(text.pace(Method::AppendStream, 100.0));
        }
    }

    async fn leave(&self, show: &Show) -> Permit {
        tokio::time::sleep_until(self.next).await;
        show.workspace.limiter.pass(Method::AppendStream, "", &show.thread, Rank::Update).await
    }

    /// Sends what is left up to `cut` and ends the message.
    async fn end(mut self, text: &mut Text<'_>, whole: &str, cut: usize, last: bool) -> Result<Option<Broken>, Lost> {
        let show = text.show;
        let mut words = whole.get(self.sent..cut).unwrap_or_default().to_owned();
        let fence = if last { None } else { open_fence(&whole[..cut]) };
        if let Some(fence) = &fence {
            words.push_str(&closing(&whole[..cut], fence));
        }
        let mut body = json!({ "channel": show.channel, "ts": self.ts, "metadata": show.mark_text(last) });
        if !words.is_empty() {
            body["markdown_text"] = json!(words);
        }
        if last && !text.footer.is_empty() {
            body["blocks"] = Value::Array(text.footer.clone());
        }
        let mut tries = 0;
        loop {
            let permit = match self.room.take() {
                Some(room) => show.workspace.limiter.pass_reserved(room, &show.thread, Rank::Final).await,
                None => show.workspace.limiter.pass(Method::StopStream, "", &show.thread, Rank::Final).await,
            };
            match show.workspace.send_with(permit, "chat.stopStream", &body).await {
                Ok(_) => break,
                Err(Fault::Limited(_)) => {}
                Err(Fault::Unsent(_)) => tokio::time::sleep(pause(tries)).await,
                Err(Fault::Unknown(_)) => {
                    // The mark came with the words, or neither did.
                    let stands = &whole[..self.sent];
                    let open = open_fence(stands);
                    let mut bare = json!({ "channel": show.channel, "ts": self.ts });
                    if let Some(fence) = &open {
                        bare["markdown_text"] = json!(closing(stands, fence));
                    }
                    let call = show.call("chat.stopStream", Method::StopStream, Rank::Final);
                    match show.workspace.send(call, &bare).await {
                        Err(fault) if fault.code() == Some(ENDED) && show.is_marked(&self.ts).await => break,
                        Ok(_) if open.is_some() && !stands.ends_with('\n') => return Ok(Some(self.unclear(show).await)),
                        Ok(_) => return Ok(Some(self.left(text).await)),
                        Err(_) => return Ok(Some(self.unclear(show).await)),
                    }
                }
                Err(fault) if fault.is_token_dead() || fault.is_place_gone() => return Err(Lost::Gone(fault)),
                Err(fault) if body.get("blocks").is_some() && fault.code().is_some_and(|code| code.contains("blocks")) => {
                    body.as_object_mut().map(|b| b.remove("blocks"));
                }
                Err(fault) => return Ok(Some(self.broke(text, &fault).await)),
            }
            tries += 1;
            if tries > TRIES {
                return Err(Lost::Later);
            }
        }
        if !last {
            show.kept.change(|d| d.streaming = false).await;
        }
        text.base += cut - text.opening.len();
        text.opening = fence.map(|f| f.opening()).unwrap_or_default();
        Ok(last.then_some(Broken::Done))
    }

    /// Slack takes no more: the message ends with what it has.
    async fn broke(&self, text: &mut Text<'_>, fault: &Fault) -> Broken {
        let show = text.show;
        let whole = format!("{}{}", text.opening, text.rest());
        let stands = &whole[..self.sent];
        let open = open_fence(stands);
        if open.is_some() && !stands.ends_with('\n') {
            // Half a line of code is no end.
            return self.unclear(show).await;
        }
        if fault.code() == Some(ENDED) {
            // Nothing can be put into it any more, and code that goes on in the next message has to end in this one.
            return if open.is_some() { self.unclear(show).await } else { self.left(text).await };
        }
        let mut body = json!({ "channel": show.channel, "ts": self.ts });
        if let Some(fence) = &open {
            body["markdown_text"] = json!(closing(stands, fence));
        }
        let call = show.call("chat.stopStream", Method::StopStream, Rank::Final);
        match show.workspace.send(call, &body).await {
            Ok(_) => self.left(text).await,
            Err(fault) if fault.code() == Some(ENDED) && open.is_none() => self.left(text).await,
            Err(_) => self.unclear(show).await,
        }
    }

    /// The stream has ended, and what was sent stands.
    async fn left(&self, text: &mut Text<'_>) -> Broken {
        let whole = format!("{}{}", text.opening, text.rest());
        let fence = open_fence(&whole[..self.sent]);
        text.base += self.sent.saturating_sub(text.opening.len());
        text.opening = fence.map(|f| f.opening()).unwrap_or_default();
        text.show.kept.change(|d| d.streaming = false).await;
        // Where the next message begins anew, the words that stand already must not be written again.
        Broken::Rest
    }

    async fn unclear(&self, show: &Show) -> Broken {
        show.stop(&self.ts).await;
        show.kept.change(|d| d.streaming = false).await;
        Broken::Unclear(show.kept.read().messages)
    }
}

/// As much as one call takes.
fn first(whole: &str) -> &str {
    let end = whole.len().min(FULL);
    let end = (0..=end).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
    &whole[..end]
}

/// How far an append may go: beyond `FULL` only to where the message can end, which is the end of a word, in code that of a line; and
/// not at all once it is to end.
fn portion(whole: &str, sent: usize) -> usize {
    let end = if whole.len() <= FULL {
        whole.len()
    } else if cut(whole, sent.max(FULL)).is_some() {
        return sent;
    } else {
        let end = word(whole, whole.len().min(MOST));
        let end = if open_fence(&whole[..end]).is_some() { line(whole, end) } else { end };
        end.max(FULL)
    };
    (sent..=end).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(sent)
}

/// Behind the last line that ends before `end`.
fn line(whole: &str, end: usize) -> usize {
    whole[..end].rfind('\n').map_or(0, |at| at + 1)
}

/// Behind the last blank before `end`.
fn word(whole: &str, end: usize) -> usize {
    let end = (0..=end).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
    whole[..end].rfind([' ', '\n']).map_or(0, |at| at + 1)
}

/// Where a message that is full can end: after a line, or at last anywhere.
fn cut(whole: &str, from: usize) -> Option<usize> {
    let from = (from..=whole.len()).find(|at| whole.is_char_boundary(*at))?;
    if let Some(line) = whole.get(from..)?.find('\n').map(|at| from + at + 1).filter(|at| *at <= MOST) {
        return Some(line);
    }
    if whole.len() < MOST {
        return None;
    }
    let end = word(whole, MOST);
    if end >= from {
        return Some(end);
    }
    (from..=MOST.max(from)).rev().find(|at| whole.is_char_boundary(*at))
}

/// What ends code that is open at the end of a text.
fn closing(text: &str, fence: &Fence) -> String {
    let before = if text.ends_with('\n') { "" } else { "\n" };
    format!("{before}{}", fence.marks())
}

/// The code that is open at the end of a text.
fn open_fence(text: &str) -> Option<Fence> {
    let mut open: Option<Fence> = None;
    for line in text.lines() {
        open = match open {
            Some(fence) if fence.is_closed_by(line) => None,
            Some(fence) => Some(fence),
            None => Fence::opened(line),
        };
    }
    open
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However a text comes in, a message ends behind a word, where the text has any.
        #[test]
        fn words_stay_whole(steps in prop::collection::vec(1_usize..9_000, 1..12), long in 1_usize..900) {
            let text: String = (0..12_000 / long).map(|n| format!("{}{n} ", "ü".repeat(long / 2))).collect();
            let (mut length, mut sent) = (0, 0);
            for step in steps {
                length = (length + step).min(text.len());
                let whole = &text[..(0..=length).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)];
                let full = sent.max(FULL);
                if full < whole.len() && let Some(end) = cut(whole, full) {
                    prop_assert!(end >= sent && end <= MOST && whole[..end].ends_with(' '), "{end} after {sent}");
                    break;
                }
                let end = portion(whole, sent);
                prop_assert!(end >= sent && end <= MOST);
                sent = end;
            }
        }
    }

    proptest! {
        /// However code comes in, a message ends behind a line of it.
        #[test]
        fn lines_of_code_stay_whole(steps in prop::collection::vec(1_usize..4_000, 1..40), long in 1_usize..1_200, ahead in 0_usize..3_000) {
            let lines: String = (0..24_000 / long).map(|n| format!("call({n}, {}); // a line\n", "ü ".repeat(long / 3))).collect();
            let text = format!("{}\n\n```rust\n{lines}", "word ".repeat(ahead / 5));
            let upto = |length: usize| &text[..(0..=length.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)];
            let (mut length, mut sent) = (0, 0);
            for pair in steps.chunks(2) {
                length += pair[0];
                // As `run` does: what came while it waited for leave counts, too.
                for more in [0, pair.get(1).copied().unwrap_or(0)] {
                    length += more;
                    let whole = upto(length);
                    let full = sent.max(FULL);
                    if full < whole.len() && more == 0 && let Some(end) = cut(whole, full) {
                        prop_assert!(end >= sent && end <= MOST && whole[..end].ends_with('\n'), "{end} after {sent}");
                        return Ok(());
                    }
                }
                let end = portion(upto(length), sent);
                prop_assert!(end >= sent && end <= MOST);
                sent = end;
            }
        }
    }

    #[test]
    fn what_has_no_blanks_is_cut_where_it_must() {
        let text = "x".repeat(20_000);
        assert_eq!(portion(&text, 0), 0, "it is to end");
        assert_eq!(cut(&text, FULL), Some(MOST));
        assert_eq!(portion(&text[..9_500], FULL), FULL, "the rest waits for the end of its word");
    }
}
