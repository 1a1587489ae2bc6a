//! What stands around an answer: progress, tools, its state, and what can be done with it.

use serde_json::{Value, json};

use super::parts::{button, context, label};
use super::{MESSAGE, Message};
use crate::chat::slack::markdown::mrkdwn;
use crate::chat::slack::speech::{At, Speech};
use crate::chat::slack::text::{escape, quiet};
use crate::model::{Action, Progress, StepState, ToolLine, ToolState, Turn, TurnState, clip, words};

/// Long work, a line for each step.
pub fn progress(steps: &[Progress]) -> Message {
    let lines: Vec<String> = steps
        .iter()
        .map(|step| {
            let mark = match step.state {
                StepState::Running => "…",
                StepState::Done => "✓",
                StepState::Failed => "✗",
            };
            let text = if step.text.is_empty() { &step.step } else { &step.text };
            format!("{mark} {}", mrkdwn(text))
        })
        .collect();
    let mut text = lines.join("\n");
    let mut left_out = 0;
    while text.len() > MESSAGE - 40 && left_out + 1 < lines.len() {
        left_out += 1;
        text = format!("✓ {left_out} steps before these\n{}", lines[left_out..].join("\n"));
    }
    Message { text, blocks: None }
}

/// `▸ shell: cargo test … ok, 3.1 s`
pub fn tool_line(line: &ToolLine) -> String {
    let end = match line.state {
        ToolState::Running => "",
        ToolState::Done => " ok",
        ToolState::Failed => " failed",
        ToolState::Unknown => " not known how it ended",
    };
    let took = line.took.filter(|_| line.state != ToolState::Running).map(seconds).map(|s| format!(", {s}")).unwrap_or_default();
    format!("▸ {}: {} …{end}{took}", inert(&words(&line.tool)), inert(&clip(&line.title, 300)))
}

/// Text that is shown as it stands.
pub fn inert(text: &str) -> String {
    escape(&quiet(text))
}

/// `1.5 s`, of milliseconds.
fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

/// `2 310`, as people read it.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Under an answer that has ended; a button to stop under one that has not.
pub fn turn_footer(turn: &Turn, speech: &Speech) -> Vec<Value> {
    if !turn.state.is_last() {
        return vec![stop_button(turn)];
    }
    let mut said = Vec::new();
    if turn.state != TurnState::Done {
        let question = inert(&clip(&turn.message.text, 60));
        let reason = turn.reason.as_ref().map(|r| speech.text(r, At::Thread));
        let reason = reason.map(|r| format!(": {}", inert(&label(&r, 1_000)))).unwrap_or_default();
        said.push(format!("{}{reason} — to “{question}”", turn.state.as_str()));
    }
    if let Some(tokens) = turn.usage.and_then(|usage| usage.total_tokens) {
        said.push(format!("{} tokens", grouped(tokens)));
    }
    if let Some((from, to)) = turn.started.zip(turn.ended) {
        said.push(seconds(u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)));
    }
    if said.is_empty() {
        said.push(turn.state.as_str().to_owned());
    }
    let mut elements = Vec::new();
    if !turn.text.is_empty() {
        elements.push(feedback("👍", &format!("good:{}", turn.id)));
        elements.push(feedback("👎", &format!("bad:{}", turn.id)));
    }
    let retry = format!("/session retry {} --turn {}", turn.session, turn.id);
    let retry = button(&Action::new("Retry", retry), "do:retry");
    // It comes first where it is what most people want.
    elements.insert(if turn.state == TurnState::Done { elements.len() } else { 0 }, retry);
    vec![context(&said.join(" · ")), json!({ "type": "actions", "elements": elements })]
}

/// In place of an answer without a word, as Markdown.
pub fn silence(turn: &Turn) -> String {
    let reason = turn.reason.as_deref().map(|reason| format!(": {}", words(&clip(reason, 1_000)))).unwrap_or_default();
    match turn.state {
        TurnState::Failed => format!("It failed{reason}"),
        TurnState::Stopped => "It was stopped before it said a word.".to_owned(),
        TurnState::Interrupted => format!("It was interrupted{reason}"),
        _ => "*(no text)*".to_owned(),
    }
}

fn feedback(sign: &str, id: &str) -> Value {
    button(&Action::new(sign, id), id)
}

pub fn stop_button(turn: &Turn) -> Value {
    let command = format!("/session stop {} --turn {}", turn.session, turn.id);
    let stop = Action { style: crate::model::Style::Danger, ..Action::new("Stop", command) };
    json!({ "type": "actions", "elements": [button(&stop, "do:stop")] })
}

/// Before the first word of an answer.
pub fn working(turn: &Turn) -> Message {
    let text = match &turn.reason {
        Some(reason) => format!("… {}", inert(&words(reason))),
        None => "… working on it".to_owned(),
    };
    let blocks = json!([context(&text), stop_button(turn)]);
    Message { text, blocks: Some(blocks) }
}
