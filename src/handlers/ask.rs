//! `/ask`.

use gaggle_commands::Ask;

use super::Context;
use crate::access::Authorized;
use crate::error::{Result, refused};
use crate::model::Status;
use crate::work::TurnTicket;

pub async fn ask(context: &Context, call: &Authorized, ask: &Ask) -> Result<TurnTicket> {
    let project = call.project()?;
    if project.status == Status::Deleting {
        return refused(format!("The project `{}` is being deleted.", project.name));
    }
    context.work.ask(project, &call.caller.person, call.caller.origin.clone(), ask.message.clone()).await
}
