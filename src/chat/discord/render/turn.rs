//! What stands around an answer: progress, its state, and what can be done with it.

use serde_json::Value;

use super::super::markdown::{literal, shown};
use super::parts::{REPLY, named, row};
use super::{MESSAGE, Message};
use crate::model::{Progress, StepState, Style, Turn, TurnState, clip, words};

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
            format!("{mark} {}", shown(text))
        })
        .collect();
    let mut text = lines.join("\n");
    let mut left_out = 0;
    while text.encode_utf16().count() > MESSAGE - 40 && left_out + 1 < lines.len() {
        left_out += 1;
        text = format!("✓ {left_out} steps before these\n{}", lines[left_out..].join("\n"));
    }
    let text = super::pieces(&text).into_iter().next_back().unwrap_or_default();
    Message::text(text)
}

pub fn stop(turn: &Turn) -> Value {
    row(&[named("Stop", &stop_command(turn), Style::Danger)])
}

/// What stands behind that button, and behind no other turn's.
pub fn stop_command(turn: &Turn) -> String {
    format!("do:/session stop {} --turn {}", turn.session, turn.id)
}

/// Whether one of the buttons in these rows has one of these ids, and not one that only begins like it.
pub fn has_button(components: &Value, ids: &[String]) -> bool {
    let rows = components.as_array().into_iter().flatten();
    let mut buttons = rows.filter_map(|row| row["components"].as_array()).flatten();
    buttons.any(|button| button["custom_id"].as_str().is_some_and(|own| ids.iter().any(|id| id == own)))
}

/// Under an answer that has ended: what is to be said of it, and its buttons. `hears`: what people write below it comes here.
pub fn footer(turn: &Turn, hears: bool) -> (String, Vec<Value>) {
    let mut said = Vec::new();
    if turn.state != TurnState::Done {
        let question = literal(&clip(&turn.message.text, 60));
        let reason = turn.reason.as_ref().map(|r| format!(": {}", literal(&clip(&words(r), 600)))).unwrap_or_default();
        said.push(format!("{}{reason} — to “{question}”", turn.state.as_str()));
    }
    if let Some(tokens) = turn.usage.and_then(|usage| usage.total_tokens) {
        said.push(format!("{tokens} tokens"));
    }
    if let Some((from, to)) = turn.started.zip(turn.ended) {
        let ms = u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0);
        said.push(format!("{}.{} s", ms / 1_000, ms % 1_000 / 100));
    }
    if said.is_empty() {
        said.push(turn.state.as_str().to_owned());
    }
    let mut buttons = Vec::new();
    if !hears {
        buttons.push(named("Reply…", REPLY, Style::Primary));
    }
    if turn.state != TurnState::Done {
        buttons.push(named("Retry", &format!("do:/session retry {} --turn {}", turn.session, turn.id), Style::Plain));
    }
    if !turn.text.is_empty() {
        buttons.push(named("👍", &format!("good:{}", turn.id), Style::Plain));
        buttons.push(named("👎", &format!("bad:{}", turn.id), Style::Plain));
    }
    let rows = if buttons.is_empty() { Vec::new() } else { vec![row(&buttons)] };
    (format!("-# {}", said.join(" · ")), rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_is_not_the_one_of_a_turn_whose_number_goes_on() {
        let own = vec!["do:/session stop s1 --turn t1".to_owned(), "good:t1".to_owned()];
        let shown = |id: &str| Value::Array(vec![row(&[named("Stop", id, Style::Danger)])]);
        assert!(has_button(&shown("do:/session stop s1 --turn t1"), &own) && has_button(&shown("good:t1"), &own));
        assert!(!has_button(&shown("do:/session stop s1 --turn t12"), &own) && !has_button(&shown("good:t12"), &own));
        assert!(!has_button(&Value::Null, &own));
    }
}
