//! A tool call that waits for somebody's word, with all that it would be called with. One that was decided has no buttons.

use super::super::markdown::literal;
use super::{MESSAGE, Message, parts, pieces};
use crate::chat::approvals::{arguments, ended};
use crate::model::{Action, Approval, ApprovalState, File, Style, words};

pub fn approval(approval: &Approval) -> Message {
    let id = approval.id;
    let head = format!("**{}** asks to run: {}", literal(&words(&approval.tool)), literal(&words(&approval.title)));
    let arguments = arguments(&approval.arguments);
    let mut message = Message::default();
    let mut whole = format!("{head}\n\n{arguments}");
    if whole.encode_utf16().count() > MESSAGE - 300 || pieces(&whole).len() > 1 {
        // It has to be one message, since its buttons are about all of it.
        let bytes = format!("{head}\n\n{arguments}\n").into_bytes();
        message.files.push(File { name: format!("{id}.txt"), bytes });
        let head = pieces(&head).into_iter().next().unwrap_or_default();
        let head: String = head.chars().take(MESSAGE / 2).collect();
        whole = format!("{head}\nIt is too long for a message: all of it is in the attached file. Read it before you allow it.");
    }
    message.content = whole;
    if approval.state == ApprovalState::Open {
        let actions = [
            Action::new("Allow", format!("/approve {id}")).primary(),
            Action::new("Always allow", format!("/approve {id} --always")),
            Action { style: Style::Danger, ..Action::new("Deny", format!("/deny {id}")) },
        ];
        message.components = parts::rows(&actions);
    } else {
        message.content.push_str(&format!("\n{}", ended(approval, told)));
    }
    message
}

/// A person's id is shown as who that is.
fn told(text: &str) -> String {
    let id = text.strip_prefix("discord:").unwrap_or(text);
    match id.len() >= 15 && id.bytes().all(|b| b.is_ascii_digit()) {
        true => format!("<@{id}>"),
        false => literal(&words(text)),
    }
}
