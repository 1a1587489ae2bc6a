//! A pipe's screen: plain text, in the order in which things happen.

use std::fmt::Write as _;

use super::{Event, Screen};
use crate::model::{StepState, ToolState};

#[derive(Default)]
pub struct Plain {
    /// Whether the last line is not ended yet.
    open: bool,
    /// The last lines of a step, so that the same is not said twice.
    step: Option<(String, String)>,
}

impl Screen for Plain {
    fn show(&mut self, event: Event, out: &mut Vec<u8>) {
        let mut line = String::new();
        match event {
            Event::Text { text, .. } => {
                self.open = !text.ends_with('\n');
                out.extend_from_slice(text.as_bytes());
                return;
            }
            Event::Ready { .. } => {}
            Event::Reply { text, .. } => line = text,
            Event::Progress { step, state, text, .. } => {
                let mark = match state {
                    StepState::Running => "…",
                    StepState::Done => "✓",
                    StepState::Failed => "✗",
                };
                let said = (step, format!("{mark} {text}"));
                if self.step.as_ref() != Some(&said) {
                    line.clone_from(&said.1);
                }
                self.step = Some(said);
            }
            Event::Turn(turn) => match (turn.state, turn.whole) {
                ("waiting", _) => line = format!("… {}", turn.reason.unwrap_or_default()),
                ("done", Some(whole)) => {
                    line = String::from("—");
                    if let Some(tokens) = whole.usage.and_then(|u| u.total_tokens) {
                        let _ = write!(line, " {tokens} tokens,");
                    }
                    let _ = write!(line, " {:.1} s", whole.seconds.unwrap_or_default());
                }
                (state, Some(_)) => {
                    line = format!("— {state}");
                    if let Some(reason) = turn.reason {
                        let _ = write!(line, ": {reason}");
                    }
                }
                _ => {}
            },
            Event::Tool { tool, title, state, took_ms, .. } => {
                let end = match state {
                    ToolState::Running => return,
                    ToolState::Done => "ok",
                    ToolState::Failed => "failed",
                    ToolState::Unknown => "not known how it ended",
                };
                let took = took_ms.map(|ms| format!(", {:.1} s", ms as f64 / 1000.0)).unwrap_or_default();
                line = format!("▸ {tool}: {title} … {end}{took}");
            }
            Event::Note { text, .. } => line = format!("ℹ {text}"),
            Event::Approval { approval, tool, title, arguments, .. } => {
                line = format!(
                    "? {tool} asks to run: {title}\n  {arguments}\n  Allow with /approve {approval}, refuse with /deny {approval}"
                );
            }
            Event::ApprovalEnded { approval, state, by, reason, .. } => {
                let state =
                    serde_json::to_value(state).ok().and_then(|v| v.as_str().map(|s| s.replace('_', " "))).unwrap_or_default();
                line = format!("{approval} {state}");
                if let Some(by) = by {
                    let _ = write!(line, " by {by}");
                }
                if let Some(reason) = reason {
                    let _ = write!(line, ": {reason}");
                }
            }
            Event::Form { title, .. } => line = title,
            Event::File { name, bytes, .. } => {
                let text = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, bytes).unwrap_or_default();
                line = format!("── {name} ──\n{}", String::from_utf8_lossy(&text).trim_end());
            }
            Event::End { error, .. } => line = error.unwrap_or_default(),
        }
        if line.is_empty() {
            return;
        }
        if std::mem::take(&mut self.open) {
            out.push(b'\n');
        }
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
}
