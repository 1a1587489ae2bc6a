//! A tool call that waits for somebody's word, with all that it would be called with. One that was decided has no buttons.

use serde_json::Value;

use super::parts::{Row, context, section};
use super::{MESSAGE, Message, Names, SECTION, Shown, fitting, named};
use crate::chat::slack::markdown::mrkdwn;
use crate::chat::slack::text::literal;
use crate::model::{Action, Approval, ApprovalState, File, words};

pub fn approval(approval: &Approval, names: Names<'_>) -> Shown {
    let id = approval.id;
    let title = words(&approval.title);
    let head = format!("**{}** asks to run: {}", literal(&words(&approval.tool)), literal(&title));
    let arguments = arguments(&approval.arguments);
    let mut shown = Shown::default();
    let whole = format!("{head}\n\n{arguments}");
    let mut sections: Vec<String> = fitting(&whole, SECTION - 16);
    if sections.iter().map(String::len).sum::<usize>() > MESSAGE - 300 {
        // It has to be one message, since its buttons are about all of it.
        sections = fitting(&head, SECTION / 2).into_iter().take(1).collect();
        sections.push(format!(
            "It is too long for a message: all of it is in the attached file `{id}.txt`. Read it before you allow it."
        ));
        shown.files.push(File { name: format!("{id}.txt"), bytes: format!("{head}\n\n{arguments}\n").into_bytes() });
    }
    let mut blocks: Vec<Value> = sections.iter().map(|text| section(text)).collect();
    let mut text = sections.join("\n");
    if approval.state == ApprovalState::Open {
        let actions = [
            Action::new("Allow", format!("/approve {id}")).primary(),
            Action::new("Always allow", format!("/approve {id} --always")),
            Action { style: crate::model::Style::Danger, ..Action::new("Deny", format!("/deny {id}")) },
        ];
        blocks.extend(Row::default().of(&actions));
        text.push_str(&format!("\nAllow with `/approve {id}`, refuse with `/deny {id}`"));
    } else {
        let end = mrkdwn(&named(&ended(approval), names));
        text.push_str(&format!("\n{end}"));
        blocks.push(context(&end));
    }
    shown.messages.push(Message { text, blocks: Some(Value::Array(blocks)) });
    shown
}

/// Markdown. A command is shown as it would run, everything else as JSON.
fn arguments(arguments: &Value) -> String {
    let mut rest = arguments.clone();
    let mut out = String::new();
    if let Some(command) =
        rest.as_object_mut().filter(|map| map.get("command").is_some_and(Value::is_string)).and_then(|map| map.remove("command"))
    {
        out.push_str(&fenced(command.as_str().unwrap_or_default()));
    }
    let empty = rest.is_null() || rest.as_object().is_some_and(serde_json::Map::is_empty);
    if !empty {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&fenced(&serde_json::to_string_pretty(&rest).unwrap_or_else(|_| rest.to_string())));
    }
    out
}

fn fenced(code: &str) -> String {
    let mut fence = "```".to_owned();
    while code.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}\n{code}\n{fence}")
}

fn ended(approval: &Approval) -> String {
    let by = approval.by.as_deref().map(|by| format!(" by {}", one_line(by))).unwrap_or_default();
    let why = approval.reason.as_deref().map(|r| format!(": {}", one_line(r))).unwrap_or_default();
    match approval.state {
        ApprovalState::Open => String::new(),
        ApprovalState::Allowed => format!("✓ {} allowed{by}{why}", approval.id),
        ApprovalState::AllowedAlways => format!("✓ {} always allowed{by}{why}", approval.id),
        ApprovalState::Denied => format!("✗ {} denied{by}{why}", approval.id),
        ApprovalState::Expired => format!("✗ {} expired: nobody answered in time, so it was refused", approval.id),
        ApprovalState::Void => format!("✗ {} is no longer needed: the answer that asked for it has ended", approval.id),
    }
}

fn one_line(text: &str) -> String {
    literal(&words(text)).into_owned()
}
