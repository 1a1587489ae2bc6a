//! What each command means. Takes only what was authorized; answers with neutral replies; knows no surface.

mod approval;
mod ask;
mod audit;
mod candidates;
mod cards;
mod exec;
mod general;
mod link;
mod project;
mod project_channel;
mod project_settings;
mod project_status;
mod secret;
mod session;
mod show;

pub use candidates::candidates;
use gaggle_commands::{Command, ProjectCommand, ProjectSecretCommand, SecretCommand, SessionCommand};
pub use link::Links;

use crate::access::{Authorized, Policy};
use crate::error::Result;
use crate::model::{Form, Reply, Timestamp};
use crate::runtime::Feature;
use crate::work::{TurnTicket, Work};

/// What handlers work with.
pub struct Context {
    pub work: Work,
    pub policy: Policy,
    pub about: About,
    pub links: Links,
}

/// Facts about this program.
#[derive(Debug, Clone)]
pub struct About {
    pub version: &'static str,
    pub started: Timestamp,
    /// The agent that projects run, for people: `the demo agent (no AI model)`.
    pub agent: String,
}

#[derive(Debug)]
pub enum Outcome {
    Reply(Reply),
    /// A message was taken; its turn shows what becomes of it.
    Turn(TurnTicket),
}

/// Whether the command is accepted only once its turn is durable.
pub fn opens_turn(command: &Command) -> bool {
    matches!(command, Command::Ask(_) | Command::Session(SessionCommand::Retry { .. }))
}

/// What a command still needs before it can run.
pub fn form(context: &Context, call: &Authorized) -> Result<Option<Form>> {
    let takes_secrets = || context.work.runtime().supports(Feature::Secrets);
    Ok(match &call.command {
        Command::Project(ProjectCommand::Delete { yes: false, keep_files, .. }) => {
            Some(show::confirm(project::delete_question(call.project()?, *keep_files)))
        }
        Command::Session(SessionCommand::Delete { yes: false, .. }) => {
            Some(show::confirm(session::delete_question(call.session()?)))
        }
        Command::Link(link) => link::question(context, call, link)?,
        Command::Project(ProjectCommand::Secret(ProjectSecretCommand::Set { key, .. })) => {
            takes_secrets()?;
            Some(secret::value_form(&key.0, &format!("the project `{}`", call.project()?.name)))
        }
        Command::Secret(SecretCommand::Set { key }) => {
            takes_secrets()?;
            Some(secret::value_form(&key.0, "all of your projects"))
        }
        _ => None,
    })
}

/// Each kind has a future of its own size: what is small does not carry the largest one's.
pub async fn handle(context: &Context, call: Authorized) -> Result<Outcome> {
    let reply = match &call.command {
        Command::Ask(ask) => return Box::pin(ask::ask(context, &call, ask)).await.map(Outcome::Turn),
        Command::Session(SessionCommand::Retry { .. }) => {
            return Box::pin(session::retry(context, &call)).await.map(Outcome::Turn);
        }
        Command::Project(command) => Box::pin(project::handle(context, &call, command)).await?,
        Command::Session(command) => Box::pin(session::handle(context, &call, command)).await?,
        Command::Secret(command) => Box::pin(secret::handle(context, &call, command)).await?,
        Command::Approve(approve) => Box::pin(approval::approve(context, &call, approve)).await?,
        Command::Deny(deny) => Box::pin(approval::deny(context, &call, deny)).await?,
        Command::Approval(command) => Box::pin(approval::handle(context, &call, command)).await?,
        Command::Thread(thread) => Box::pin(general::thread(context, &call, thread)).await?,
        Command::Whoami => general::whoami(context, &call).await?,
        Command::Link(link) => Box::pin(link::link(context, &call, link)).await?,
        Command::Unlink(unlink) => Box::pin(link::unlink(context, &call, unlink)).await?,
        Command::Status => general::status(context, &call).await?,
        Command::Audit(audit) => Box::pin(audit::audit(context, &call, audit)).await?,
        Command::Help(help) => general::help(&call, help)?,
    };
    Ok(Outcome::Reply(reply))
}
