//! What people choose for a project: checked against what the runtime can do before anything is kept.

use gaggle_commands::{Mode, ProjectSettings};

use super::{Context, show};
use crate::error::{Result, refused};
use crate::model::{ClusterId, Project, Reply, Settings};
use crate::runtime::Feature;

/// `before` with what was asked for; refused if the runtime cannot do it.
pub fn checked(context: &Context, on: Option<&ClusterId>, mut before: Settings, wanted: &ProjectSettings) -> Result<Settings> {
    let runtime = context.work.runtime();
    if let Some(repo) = &wanted.repo {
        runtime.supports(on, Feature::Repository)?;
        before.repo = Some(repo.clone());
    }
    if wanted.cpu.is_some() || wanted.memory.is_some() {
        runtime.supports(on, Feature::Limits)?;
        before.cpu = wanted.cpu.clone().or(before.cpu);
        before.memory = wanted.memory.clone().or(before.memory);
    }
    if !wanted.env.is_empty() {
        runtime.supports(on, Feature::Environment)?;
        for variable in &wanted.env {
            before.env.retain(|v| v.name != variable.name);
            before.env.push(variable.clone());
        }
    }
    if wanted.image.is_some() || wanted.port.is_some() || wanted.expose.is_some() {
        runtime.supports(on, Feature::Image)?;
        before.image = wanted.image.clone().or(before.image);
        before.port = wanted.port.or(before.port);
        before.expose = wanted.expose.or(before.expose);
    }
    if let Some(disk) = &wanted.disk {
        runtime.supports(on, Feature::Disk)?;
        before.disk = Some(disk.clone());
    }
    Ok(before)
}

pub async fn update(
    context: &Context,
    project: &Project,
    wanted: &ProjectSettings,
    model: Option<&str>,
    provider: Option<&str>,
    mode: Option<Mode>,
) -> Result<Reply> {
    let on = project.cluster.as_ref();
    let mut settings = checked(context, on, project.settings.clone(), wanted)?;
    if model.is_some() || provider.is_some() || mode.is_some() {
        context.work.runtime().supports(on, Feature::Settings)?;
    }
    settings.model = model.map(str::to_owned).or(settings.model);
    settings.provider = provider.map(str::to_owned).or(settings.provider);
    settings.mode = mode.or(settings.mode);
    let changed = context
        .work
        .store()
        .change_project(&project.id, move |p| {
            p.settings = settings;
            Ok(())
        })
        .await?;
    let Some(changed) = changed else { return refused("The project was deleted in the meantime.") };
    let when = when(context, &changed).await;
    Ok(Reply::ok(format!("Changed the project `{}`. {when}{}", changed.name, caveat(context, on, wanted)))
        .with("projects", [show::project_data(context, &changed).await?]))
}

/// What to know of what was asked for, as a further sentence.
pub fn caveat(context: &Context, on: Option<&ClusterId>, wanted: &ProjectSettings) -> String {
    let limits = wanted.cpu.is_some() || wanted.memory.is_some();
    let caveat = context.work.runtime().caveat(on, Feature::Limits).filter(|_| limits);
    caveat.map(|c| format!(" {c}")).unwrap_or_default()
}

/// When a change reaches the agent.
pub async fn when(context: &Context, project: &Project) -> String {
    match context.work.runtime().endpoint(&project.id).await {
        Some(_) => format!("It takes effect on the next start: `/project restart {}`.", project.name),
        None => "It takes effect on the next start.".to_owned(),
    }
}
