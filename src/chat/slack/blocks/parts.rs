//! The small parts of blocks. Labels are the only texts that are shortened, always at a word.

use serde_json::{Value, json};

use crate::chat::slack::markdown::plain;
use crate::model::{Action, Style, words};

const BUTTONS: usize = 25;
const COMMAND: usize = 2_000;

/// `text` is `mrkdwn`.
pub fn section(text: &str) -> Value {
    json!({ "type": "section", "text": mrkdwn_text(text) })
}

pub fn context(text: &str) -> Value {
    json!({ "type": "context", "elements": [mrkdwn_text(text)] })
}

/// Verbatim, so that Slack does not look for names and channels in it.
fn mrkdwn_text(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

pub fn plain_text(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": true })
}

/// On one line, and at most so many characters: what is left out ends with a word and is told by an ellipsis.
pub fn label(text: &str, most: usize) -> String {
    let line = words(text);
    if line.chars().count() <= most {
        return line;
    }
    let short: String = line.chars().take(most.saturating_sub(1)).collect();
    let at_word = line.chars().nth(most.saturating_sub(1)).is_some_and(char::is_whitespace);
    let end = if at_word { short.len() } else { short.rfind(' ').filter(|at| *at > 0).unwrap_or(short.len()) };
    format!("{}…", short[..end].trim_end())
}

/// Counts the buttons of one message, so that each has an id of its own.
#[derive(Debug, Default)]
pub struct Row {
    buttons: usize,
}

impl Row {
    /// The buttons that Slack can have, in as many rows as they need.
    pub fn of(&mut self, actions: &[Action]) -> Vec<Value> {
        let fit: Vec<&Action> = actions.iter().filter(|a| a.command.chars().count() <= COMMAND).collect();
        fit.chunks(BUTTONS)
            .map(|chunk| {
                let elements: Vec<Value> = chunk.iter().map(|action| self.button(action)).collect();
                json!({ "type": "actions", "elements": elements })
            })
            .collect()
    }

    fn button(&mut self, action: &Action) -> Value {
        let id = format!("do:{}", self.buttons);
        self.buttons += 1;
        button(action, &id)
    }
}

pub fn button(action: &Action, id: &str) -> Value {
    let mut button = json!({
        "type": "button",
        "action_id": id,
        "text": plain_text(&label(&action.label, 75)),
        "value": action.command,
    });
    let style = match action.style {
        Style::Plain => None,
        Style::Primary => Some("primary"),
        Style::Danger => Some("danger"),
    };
    if let Some(style) = style {
        button["style"] = json!(style);
    }
    if let Some(question) = &action.question {
        button["confirm"] = json!({
            "title": plain_text("Are you sure?"),
            "text": plain_text(&label(&plain(question), 300)),
            "confirm": plain_text(&label(&action.label, 30)),
            "deny": plain_text("Cancel"),
            "style": if action.style == Style::Danger { "danger" } else { "primary" },
        });
    }
    button
}
