//! A tool call that waits for somebody's word, with all that it would be called with. One that was decided has no buttons.

use serde_json::Value;

use super::parts::{Row, context, section};
use super::{MESSAGE, Message, Names, SECTION, Shown, fitting, named};
use crate::chat::approvals::{arguments, ended};
use crate::chat::slack::markdown::mrkdwn;
use crate::chat::slack::speech::{At, Speech};
use crate::chat::slack::text::literal;
use crate::model::{Action, Approval, ApprovalState, File, words};

pub fn approval(approval: &Approval, speech: &Speech, names: Names<'_>) -> Shown {
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
        let how = format!("\nAllow with `/approve {id}`, refuse with `/deny {id}`");
        text.push_str(&speech.text(&how, At::Thread));
    } else {
        let end = mrkdwn(&named(&ended(approval, one_line), names));
        text.push_str(&format!("\n{end}"));
        blocks.push(context(&end));
    }
    shown.messages.push(Message { text, blocks: Some(Value::Array(blocks)) });
    shown
}

fn one_line(text: &str) -> String {
    literal(&words(text)).into_owned()
}
