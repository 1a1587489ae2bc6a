//! `/secret …` and `/project secret …`. Names are shown, values never.

use gaggle_commands::{ProjectSecretCommand, SecretCommand};
use secrecy::ExposeSecret as _;

use super::{Context, project_settings, show};
use crate::access::Authorized;
use crate::error::{Error, Result, refused};
use crate::model::{Field, Form, Reply};
use crate::store::Scope;

/// 64 KiB: environments are small.
const MAX: usize = 64 * 1024;

pub fn value_form(key: &str, whose: &str) -> Form {
    let field = Field { secret: true, ..Field::new("value", format!("Value of {key}")) };
    Form::new(format!("Set the secret `{key}` for {whose}."), vec![field])
}

pub async fn handle(context: &Context, call: &Authorized, command: &SecretCommand) -> Result<Reply> {
    let scope = Scope::Person(call.caller.person.clone());
    match command {
        SecretCommand::Set { key } => {
            set(context, call, &scope, &key.0).await?;
            Ok(Reply::ok(format!("Set `{}` for all of your projects. It reaches each one's agent on its next start.", key.0)))
        }
        SecretCommand::List => list(context, &scope, "You have no secrets for all of your projects.").await,
        SecretCommand::Unset { key } => {
            unset(context, &scope, &key.0).await?;
            Ok(Reply::ok(format!("Removed `{}`. Running agents keep it until their next start.", key.0)))
        }
    }
}

pub async fn of_project(context: &Context, call: &Authorized, command: &ProjectSecretCommand) -> Result<Reply> {
    let project = call.project()?;
    let scope = Scope::Project(project.id.clone());
    match command {
        ProjectSecretCommand::Set { key, .. } => {
            set(context, call, &scope, &key.0).await?;
            let when = project_settings::when(context, project).await;
            Ok(Reply::ok(format!("Set `{}` for the project `{}`. {when}", key.0, project.name)))
        }
        ProjectSecretCommand::List { .. } => {
            list(context, &scope, &format!("The project `{}` has no secrets of its own.", project.name)).await
        }
        ProjectSecretCommand::Unset { key, .. } => {
            unset(context, &scope, &key.0).await?;
            let when = project_settings::when(context, project).await;
            Ok(Reply::ok(format!("Removed `{}` from the project `{}`. {when}", key.0, project.name)))
        }
    }
}

async fn set(context: &Context, call: &Authorized, scope: &Scope, key: &str) -> Result<()> {
    let value = call.values.as_ref().and_then(|v| v.0.get("value"));
    let Some(value) = value else { return Err(Error::Broken(anyhow::anyhow!("a secret was set without its form"))) };
    let length = value.expose_secret().len();
    if length > MAX {
        return refused(format!("The value has {length} bytes; a secret may have up to {MAX}."));
    }
    if value.expose_secret().contains('\0') {
        return refused("The value holds a NUL byte, which no environment can carry.");
    }
    context.work.store().set_secret(scope, key.to_owned(), value).await
}

async fn unset(context: &Context, scope: &Scope, key: &str) -> Result<()> {
    match context.work.store().unset_secret(scope, key.to_owned()).await? {
        true => Ok(()),
        false => refused("There is no secret of that name. See the names with `list`."),
    }
}

async fn list(context: &Context, scope: &Scope, none: &str) -> Result<Reply> {
    let names = context.work.store().secret_names(scope).await?;
    if names.is_empty() {
        return Ok(Reply::ok(none).with("secrets", names));
    }
    let lines: Vec<String> = names.iter().map(|n| format!("- `{n}`")).collect();
    Ok(Reply::ok(format!("{}; values are never shown:\n{}", show::count(names.len(), "secret"), lines.join("\n")))
        .with("secrets", names))
}
