//! `/approve`, `/deny`, `/approval list`.

use gaggle_commands::{ApprovalCommand, Approve, Deny};

use super::{Context, show};
use crate::access::{Authorized, Subject, open_approvals};
use crate::error::{Error, Result};
use crate::model::{Answer, Approval, Reply};

pub async fn approve(context: &Context, call: &Authorized, approve: &Approve) -> Result<Reply> {
    let (answer, how) = if approve.always { (Answer::Always, " from now on, in the whole project") } else { (Answer::Once, "") };
    let approval = decide(context, call, answer, None).await?;
    Ok(Reply::ok(format!("Allowed {}{how}: {}", approval.tool, approval.title))
        .quoting()
        .with("approval", approval.id.to_string()))
}

pub async fn deny(context: &Context, call: &Authorized, deny: &Deny) -> Result<Reply> {
    let approval = decide(context, call, Answer::Deny, deny.reason.clone()).await?;
    Ok(Reply::ok(format!("Denied {}: {}", approval.tool, approval.title)).quoting().with("approval", approval.id.to_string()))
}

async fn decide(context: &Context, call: &Authorized, answer: Answer, reason: Option<String>) -> Result<Approval> {
    let Subject::Approval(approval, _) = &call.subject else {
        return Err(Error::Broken(anyhow::anyhow!("an approval was authorized without its record")));
    };
    context.work.decide(approval.id, answer, Some(call.caller.person.short().to_owned()), reason).await
}

pub async fn handle(context: &Context, call: &Authorized, command: &ApprovalCommand) -> Result<Reply> {
    let ApprovalCommand::List = command;
    let open = open_approvals(context.work.store(), &call.caller).await?;
    let data: Vec<_> = open.iter().map(|(a, s, p)| show::approval_data(a, s, p)).collect();
    if open.is_empty() {
        return Ok(Reply::ok("No approval is open.").with("approvals", data));
    }
    let mut rows = vec!["| Approval | Project | Session | Tool | What |".to_owned(), "|---|---|---|---|---|".to_owned()];
    for (approval, session, project) in &open {
        let title = approval.title.replace('|', "\\|").replace('`', "\\`");
        rows.push(format!("| {} | {} | {} | {} | {title} |", approval.id, project.name, session.id, approval.tool));
    }
    rows.push("\nAllow one with `/approve ID`, refuse it with `/deny ID`.".to_owned());
    Ok(Reply::ok(rows.join("\n")).with("approvals", data))
}
