//! `/project use` and `/project unuse`: the project that a channel's members use without naming it.

use gaggle_commands::Role;

use super::{Context, show};
use crate::access::Authorized;
use crate::error::{Result, refused};
use crate::model::Reply;

pub async fn take(context: &Context, call: &Authorized) -> Result<Reply> {
    let project = call.project()?;
    let channel = call.caller.origin.conversation.channel();
    context.work.store().set_channel_project(&channel, Some(project.id.clone())).await?;
    Ok(Reply::ok(format!(
        "The project `{}` is this channel's now: whoever may write here may use it here, and need not name it. \
         `/project unuse` takes that back.",
        project.name
    ))
    .with("projects", [show::project_data(context, project).await?]))
}

pub async fn give_back(context: &Context, call: &Authorized) -> Result<Reply> {
    let store = context.work.store();
    let channel = call.caller.origin.conversation.channel();
    let Some(id) = &call.caller.here else {
        return refused("This channel has no project of its own. Its owner can give it one with `/project use NAME`.");
    };
    // A project that is gone is nobody's any longer.
    let name = match store.project(id).await? {
        Some(project) if call.caller.role_on(&project) < Some(Role::Owner) => {
            return refused(format!("Only the owner of the project `{}` can take it back from this channel.", project.name));
        }
        Some(project) => format!("The project `{}`", project.name),
        None => "The deleted project".to_owned(),
    };
    store.set_channel_project(&channel, None).await?;
    Ok(Reply::ok(format!("{name} is no longer this channel's.")))
}
