//! `/audit`.

use gaggle_commands::Audit;

use super::{Context, people};
use crate::access::{Authorized, Owners};
use crate::error::Result;
use crate::model::Reply;

pub async fn audit(context: &Context, call: &Authorized, audit: &Audit) -> Result<Reply> {
    let person = match &audit.user {
        Some(name) => Some(people::once(context, call, name).await?),
        None => None,
    };
    let entries = context.work.store().audit_tail(audit.tail as usize, person).await?;
    if entries.is_empty() {
        return Ok(Reply::ok("The audit log has no such entries.").with("audit", entries));
    }
    let mut rows = vec!["| When | Who | What | Outcome |".to_owned(), "|---|---|---|---|".to_owned()];
    let owners = Owners::load(context.work.store()).await?;
    for entry in &entries {
        let when = entry.at.strftime("%Y-%m-%d %H:%M:%S");
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        rows.push(format!("| {when} | {} | {} | {} |", entry.person, cell(&owners.in_text(&entry.what)), cell(&entry.outcome)));
    }
    Ok(Reply::ok(rows.join("\n")).with("audit", entries))
}
