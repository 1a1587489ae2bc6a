//! `/ask`.

use gaggle_commands::Ask;

use super::{Context, project};
use crate::access::Authorized;
use crate::error::{Result, refused};
use crate::model::{Said, Status};
use crate::work::TurnTicket;

pub async fn ask(context: &Context, call: &Authorized, ask: &Ask) -> Result<TurnTicket> {
    let project = call.project()?;
    if project.status == Status::Deleting {
        return refused(format!("The project `{}` is being deleted.", project.name));
    }
    project::may_run(context, &call.caller, project).await?;
    let said = Said { source: call.source.clone(), ..Said::new(call.caller.person.clone(), ask.message.clone()) };
    context.work.ask(project, call.caller.origin.clone(), said).await
}
