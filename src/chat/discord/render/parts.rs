//! Buttons and rows, within Discord's limits.

use serde_json::{Value, json};

use crate::model::{Action, Style, words};

const ROW: usize = 5;
const LABEL: usize = 80;
const ID: usize = 100;

/// What a command's button's id begins with.
pub const DO: &str = "do:";
/// Of the button, and of the modal that it opens, by which people write where their messages do not come.
pub const REPLY: &str = "reply";

/// Rows of buttons. A command that is too long for an id has none: it can be typed.
pub fn rows(actions: &[Action]) -> Vec<Value> {
    let buttons: Vec<Value> = actions.iter().filter_map(button).collect();
    buttons.chunks(ROW).take(ROW).map(row).collect()
}

pub fn row(buttons: &[Value]) -> Value {
    json!({ "type": 1, "components": buttons })
}

fn button(action: &Action) -> Option<Value> {
    // What asks first is asked by the engine, in its own words.
    let command = action.command.strip_suffix(" --yes").filter(|_| action.question.is_some()).unwrap_or(&action.command);
    let id = format!("{DO}{command}");
    (id.encode_utf16().count() <= ID).then(|| named(&action.label, &id, action.style))
}

pub fn named(text: &str, id: &str, style: Style) -> Value {
    let style = match style {
        Style::Plain => 2,
        Style::Primary => 1,
        Style::Danger => 4,
    };
    json!({ "type": 2, "style": style, "label": label(text, LABEL), "custom_id": id })
}

/// One line that fits.
pub fn label(text: &str, most: usize) -> String {
    let line = words(text);
    if line.encode_utf16().count() <= most {
        return line;
    }
    let mut short = String::new();
    let mut used = 1;
    for c in line.chars() {
        used += c.len_utf16();
        if used > most {
            break;
        }
        short.push(c);
    }
    format!("{}…", short.trim_end())
}
