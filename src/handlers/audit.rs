//! `/audit`.

use gaggle_commands::Audit;

use super::Context;
use crate::access::Authorized;
use crate::error::Result;
use crate::model::{PersonId, Reply};

pub async fn audit(context: &Context, call: &Authorized, audit: &Audit) -> Result<Reply> {
    let person = audit.user.as_ref().map(|name| match name.contains(':') {
        true => PersonId(name.clone()),
        false => PersonId(format!("{}:{name}", call.caller.origin.actor.surface)),
    });
    let entries = context.work.store().audit_tail(audit.tail as usize, person).await?;
    if entries.is_empty() {
        return Ok(Reply::ok("The audit log has no such entries.").with("audit", entries));
    }
    let mut rows = vec!["| When | Who | What | Outcome |".to_owned(), "|---|---|---|---|".to_owned()];
    for entry in &entries {
        let when = entry.at.strftime("%Y-%m-%d %H:%M:%S");
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        rows.push(format!("| {when} | {} | {} | {} |", entry.person, cell(&entry.what), cell(&entry.outcome)));
    }
    Ok(Reply::ok(rows.join("\n")).with("audit", entries))
}
