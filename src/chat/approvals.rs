//! The words about an approval that all chats share, as Markdown.

use serde_json::Value;

use crate::model::{Approval, ApprovalState};

/// A command is shown as it would run, everything else as JSON.
pub fn arguments(arguments: &Value) -> String {
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

/// How it ended; nothing while it is open. `literal` makes a text harmless there.
pub fn ended(approval: &Approval, literal: impl Fn(&str) -> String) -> String {
    let by = approval.by.as_deref().map(|by| format!(" by {}", literal(by))).unwrap_or_default();
    let why = approval.reason.as_deref().map(|r| format!(": {}", literal(r))).unwrap_or_default();
    match approval.state {
        ApprovalState::Open => String::new(),
        ApprovalState::Allowed => format!("✓ {} allowed{by}{why}", approval.id),
        ApprovalState::AllowedAlways => format!("✓ {} always allowed{by}{why}", approval.id),
        ApprovalState::Denied => format!("✗ {} denied{by}{why}", approval.id),
        ApprovalState::Expired => format!("✗ {} expired: nobody answered in time, so it was refused", approval.id),
        ApprovalState::Void => format!("✗ {} is no longer needed: the answer that asked for it has ended", approval.id),
    }
}
