//! What each command means. Takes only what was authorized; answers with neutral replies; knows no surface.

mod approval;
mod archive;
mod ask;
mod audit;
mod candidates;
mod cards;
mod cluster;
mod cluster_form;
mod cluster_remove;
mod exec;
mod general;
mod infra;
mod link;
mod log;
mod people;
mod project;
mod project_channel;
mod project_settings;
mod project_status;
mod secret;
mod service;
mod service_build;
mod service_deploy;
mod service_env;
mod service_form;
mod service_live;
mod service_past;
mod service_run;
mod session;
mod show;

pub use candidates::candidates;
use gaggle_commands::{Command, ProjectCommand, ProjectSecretCommand, SecretCommand, SessionCommand};
pub use link::Links;
pub use project::may_run;
pub use service_run::Deploys;

use crate::access::{Authorized, Policy};
use crate::error::Result;
use crate::model::{ClusterId, Form, Progress, Reply, Timestamp, TurnId, Values};
use crate::runtime::Feature;
use crate::runtime::kubernetes::release;
use crate::scan::Kinds;
use crate::work::{Catalogue, Clusters, TurnTicket, Work};

/// What handlers work with.
pub struct Context {
    pub work: Work,
    pub policy: Policy,
    pub about: About,
    pub links: Links,
    pub clusters: Clusters,
    pub catalogue: Catalogue,
    pub kinds: Kinds,
    /// What releases are made of where nothing else is said.
    pub release: release::Options,
    pub deploys: Deploys,
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
    /// It needs something more, which only now is known.
    Ask(Box<More>),
}

/// A command that goes on once a form is filled in; it is then authorized again.
#[derive(Debug)]
pub struct More {
    pub call: Authorized,
    pub form: Form,
    /// What was filled in before, and what the handler wants to know of by then. Fields of the form come beside it.
    pub kept: Values,
}

/// What a handler came to that may have to ask.
#[derive(Debug)]
enum Step {
    Reply(Reply),
    Ask(Form, Values),
}

/// Whether the command is accepted only once its turn is durable.
pub fn opens_turn(command: &Command) -> bool {
    matches!(command, Command::Ask(_) | Command::Session(SessionCommand::Retry { .. }))
}

/// What a command still needs before it can run.
pub fn form(context: &Context, call: &Authorized) -> Result<Option<Form>> {
    let takes_secrets = |on: Option<&ClusterId>| context.work.runtime().supports(on, Feature::Secrets);
    Ok(match &call.command {
        Command::Project(ProjectCommand::Delete { yes: false, keep_files, .. }) => {
            Some(show::confirm(project::delete_question(call.project()?, *keep_files)))
        }
        Command::Session(SessionCommand::Delete { yes: false, .. }) => {
            Some(show::confirm(session::delete_question(call.session()?)))
        }
        Command::Link(link) => link::question(context, call, link)?,
        Command::Project(ProjectCommand::Secret(ProjectSecretCommand::Set { key, .. })) => {
            let project = call.project()?;
            takes_secrets(project.cluster.as_ref())?;
            Some(secret::value_form(&key.0, &format!("the project `{}`", project.name)))
        }
        Command::Secret(SecretCommand::Set { key }) => {
            takes_secrets(None)?;
            Some(secret::value_form(&key.0, "all of your projects"))
        }
        _ => None,
    })
}

/// Each kind has a future of its own size: what is small does not carry the largest one's.
pub async fn handle(context: &Context, call: Authorized) -> Result<Outcome> {
    let step = match &call.command {
        Command::Cluster(command) => erased(cluster::handle(context, &call, command)).await?,
        Command::Service(command) => erased(service::handle(context, &call, command)).await?,
        _ => return Box::pin(plain(context, call)).await,
    };
    Ok(match step {
        Step::Reply(reply) => Outcome::Reply(reply),
        Step::Ask(form, kept) => Outcome::Ask(Box::new(More { call, form, kept })),
    })
}

/// What never has to ask for more.
async fn plain(context: &Context, call: Authorized) -> Result<Outcome> {
    let reply = match &call.command {
        Command::Cluster(_) | Command::Service(_) => {
            return Err(crate::error::Error::Broken(anyhow::anyhow!("not a plain command")));
        }
        Command::Infra(command) => erased(infra::handle(context, &call, command)).await?,
        Command::Ask(ask) => return Box::pin(ask::ask(context, &call, ask)).await.map(Outcome::Turn),
        Command::Session(SessionCommand::Retry { turn, .. }) => {
            return Box::pin(session::retry(context, &call, turn.map(TurnId))).await.map(Outcome::Turn);
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

/// Whatever a future is made of, it can be sent; the compiler asks no further.
fn erased<'a, T>(future: impl Future<Output = T> + Send + 'a) -> std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>> {
    Box::pin(future)
}

/// Shows a step of what somebody asked for.
async fn progress(context: &Context, call: &Authorized, step: Progress) {
    if let Some(chat) = context.work.chat(&call.caller.origin) {
        chat.progress(&call.caller.origin, step).await;
    }
}

/// As the end of a sentence: one full stop.
fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end().trim_end_matches('.'))
}

/// Ten letters and digits, a letter first.
fn new_id() -> Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).map_err(|e| crate::error::Error::Broken(anyhow::anyhow!("no randomness: {e}")))?;
    let letters = bytes.iter().enumerate();
    Ok(letters.map(|(at, b)| char::from(LETTERS[usize::from(*b) % if at == 0 { 24 } else { 32 }])).collect())
}
