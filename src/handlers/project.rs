//! `/project …`: the life of projects and who may use them.

use gaggle_commands::{ProjectCommand, Role};
use serde_json::Value;

use super::{Context, cards, exec, log, people, project_channel, project_settings, project_status, secret, show};
use crate::access::{self, Authorized, Caller, Owners};
use crate::error::{Result, refused};
use crate::model::{Cluster, Project, ProjectId, Reply, Settings, Status, Timestamp};
use crate::runtime::{Feature, LogQuery};

pub async fn handle(context: &Context, call: &Authorized, command: &ProjectCommand) -> Result<Reply> {
    match command {
        ProjectCommand::Create { name, cluster, settings } => create(context, call, name, cluster.as_deref(), settings).await,
        ProjectCommand::List { all } => list(context, call, *all).await,
        ProjectCommand::Show { .. } => show(context, call).await,
        ProjectCommand::Status { .. } => project_status::status(context, call.project()?).await,
        ProjectCommand::Rename { new_name, .. } => rename(context, call.project()?, new_name).await,
        ProjectCommand::Update { settings, model, provider, mode, .. } => {
            project_settings::update(context, call.project()?, settings, model.as_deref(), provider.as_deref(), *mode).await
        }
        ProjectCommand::Share { user, role, .. } => share(context, call, user, *role).await,
        ProjectCommand::Unshare { user, .. } => unshare(context, call, user).await,
        ProjectCommand::Activate { .. } => activate(context, call).await,
        ProjectCommand::Deactivate { .. } => deactivate(context, call).await,
        ProjectCommand::Restart { .. } => {
            may_run(context, &call.caller, call.project()?).await?;
            context.work.restart(&call.project()?.id, &call.caller.origin).await?;
            running(context, &call.project()?.id, "was restarted", call).await
        }
        ProjectCommand::Delete { keep_files, .. } => delete(context, call, *keep_files).await,
        ProjectCommand::Logs { lines, .. } => logs(context, call, log::query(lines)).await,
        ProjectCommand::Exec { argv, timeout, .. } => exec::exec(context, call, argv, *timeout).await,
        ProjectCommand::Use { .. } => project_channel::take(context, call).await,
        ProjectCommand::Unuse => project_channel::give_back(context, call).await,
        ProjectCommand::Secret(command) => secret::of_project(context, call, command).await,
    }
}

async fn create(
    context: &Context,
    call: &Authorized,
    name: &str,
    cluster: Option<&str>,
    settings: &gaggle_commands::ProjectSettings,
) -> Result<Reply> {
    let cluster = match cluster {
        Some(cluster) => Some(cluster_for(context, call, cluster).await?),
        None => None,
    };
    let within = cluster.as_ref().map(|cluster| format!(" in the cluster `{}`", cluster.name)).unwrap_or_default();
    // Its own is where projects run anyway.
    let on = cluster.filter(|cluster| !cluster.is_own()).map(|cluster| cluster.id);
    let caveat = project_settings::caveat(context, on.as_ref(), settings);
    let settings = project_settings::checked(context, on.as_ref(), Settings::default(), settings)?;
    let now = Timestamp::now();
    let project = Project {
        id: ProjectId(super::new_id()?),
        owner: call.caller.person.clone(),
        name: name.to_owned(),
        status: Status::Inactive,
        reason: None,
        cluster: on,
        settings,
        created: now,
        used: now,
        grants: Vec::new(),
        keep_files: false,
    };
    let project = context.work.store().create_project(project).await?;
    context.work.create(&project.id, &call.caller.origin).await?;
    let reply = Reply::ok(format!(
        "Created the project `{name}`{within}. Start its agent with `/project activate {name}`, or just ask: `/ask {name} MESSAGE`.{caveat}"
    ))
    .with("projects", [show::project_data(context, &project).await?]);
    Ok(acting(reply, call, &project))
}

/// The cluster that a project is to be in, if they may have projects there.
async fn cluster_for(context: &Context, call: &Authorized, name: &str) -> Result<Cluster> {
    let caller = &call.caller;
    let cluster = access::meant(context.work.store(), &context.policy, caller, Some(name), None).await?.cluster;
    let on = (!cluster.is_own()).then_some(&cluster.id);
    let namespace = context.work.runtime().namespace_of(&caller.person, on).await?;
    match context.policy.role_on_cluster(caller, &cluster, namespace.as_deref()) {
        Some(role) if role >= Role::Member => Ok(cluster),
        _ => refused(format!(
            "You may not have projects in the cluster `{name}`{}. Choose another with `--cluster`, or ask an admin.",
            namespace.map(|namespace| format!(" (they would be in its namespace `{namespace}`)")).unwrap_or_default()
        )),
    }
}

/// Whether a project may still be used where it runs: the rules of its cluster may be others than when it was made. One whose cluster is
/// gone is refused where it is looked for.
pub async fn may_run(context: &Context, caller: &Caller, project: &Project) -> Result<()> {
    let Some(on) = &project.cluster else { return Ok(()) };
    let Some(cluster) = context.work.store().cluster(on).await? else { return Ok(()) };
    let namespace = context.work.runtime().namespace_of(&project.owner, Some(on)).await?;
    if context.policy.may_run(caller, &project.owner, &cluster, namespace.as_deref()) {
        return Ok(());
    }
    refused(format!(
        "The project `{}` is in the cluster `{}`{}, where it may not be used any more. Ask an admin for a rule under `[clusters.rules]`; what \
         was done in it can still be read, and the project be stopped and deleted.",
        project.name,
        cluster.name,
        namespace.map(|namespace| format!(", in the namespace `{namespace}`")).unwrap_or_default()
    ))
}

/// With the buttons for what can be done next.
fn acting(mut reply: Reply, call: &Authorized, project: &Project) -> Reply {
    reply.actions = cards::project_actions(&call.caller, project);
    reply
}

async fn list(context: &Context, call: &Authorized, all: bool) -> Result<Reply> {
    if all && !call.caller.is_admin() {
        return refused("`--all` takes the role admin. Without it you see your own projects and those shared with you.");
    }
    let store = context.work.store();
    let mut projects = if all { store.all_projects().await? } else { store.projects_of(&call.caller.person).await? };
    projects.sort_by(|a, b| (&a.name, &a.owner).cmp(&(&b.name, &b.owner)));
    if projects.is_empty() {
        return Ok(Reply::ok("You have no projects yet. Create one with `/project create NAME`.").with("projects", [(); 0]));
    }
    let mut rows = vec!["| Project | Status | Sessions | Last used |".to_owned(), "|---|---|---|---|".to_owned()];
    let mut data = Vec::new();
    let mut shown = Vec::new();
    let owners = Owners::load(store).await?;
    for project in &projects {
        let facts = show::project_data(context, project).await?;
        let name = cards::name_for(&call.caller, project, &owners);
        rows.push(format!("| {name} | {} | {} | {} |", project.status.as_str(), facts["sessions"], show::ago(project.used)));
        let sessions = facts["sessions"].as_u64().map_or(0, |n| n as usize);
        shown.push(cards::project_card(&call.caller, project, sessions, &owners));
        data.push(facts);
    }
    Ok(Reply { cards: shown, ..Reply::ok(rows.join("\n")).with("projects", data) })
}

async fn show(context: &Context, call: &Authorized) -> Result<Reply> {
    let project = call.project()?;
    let facts = show::project_data(context, project).await?;
    let mut lines = vec![format!("**{}** is {}", project.name, project.status.as_str())];
    if let Some(reason) = &project.reason {
        lines.push(format!("Reason: {reason}"));
    }
    let mut fact = |label: &str, value: &Value| match value {
        Value::Null => {}
        Value::String(text) => lines.push(format!("{label}: {text}")),
        Value::Array(all) if all.is_empty() => {}
        Value::Array(all) => {
            let names: Vec<String> = all
                .iter()
                .map(|v| {
                    v.as_str().map_or_else(
                        || format!("{} ({})", v["user"].as_str().unwrap_or("?"), v["role"].as_str().unwrap_or("?")),
                        str::to_owned,
                    )
                })
                .collect();
            lines.push(format!("{label}: {}", names.join(", ")));
        }
        other => lines.push(format!("{label}: {other}")),
    };
    for (label, key) in [
        ("Owner", "owner"),
        ("Cluster", "cluster"),
        ("Endpoint", "endpoint"),
        ("Sessions", "sessions"),
        ("Repository", "repo"),
        ("CPU", "cpu"),
        ("Memory", "memory"),
        ("Image", "image"),
        ("Disk", "disk"),
        ("Port", "port"),
        ("Exposed as", "expose"),
        ("Provider", "provider"),
        ("Model", "model"),
        ("Mode", "mode"),
        ("Environment", "env"),
        ("Shared with", "shared_with"),
    ] {
        fact(label, &facts[key]);
    }
    lines.push(format!("Created: {}; last used: {}", show::ago(project.created), show::ago(project.used)));
    Ok(acting(Reply::ok(lines.join("\n")).with("projects", [facts]), call, project))
}

async fn rename(context: &Context, project: &Project, name: &str) -> Result<Reply> {
    let new = name.to_owned();
    let changed = change(context, project, move |p| {
        p.name = new;
        Ok(())
    })
    .await?;
    Ok(Reply::ok(format!("The project `{}` is now called `{name}`.", project.name))
        .with("projects", [show::project_data(context, &changed).await?]))
}

async fn share(context: &Context, call: &Authorized, user: &str, role: Role) -> Result<Reply> {
    let project = call.project()?;
    let who = people::find(context, call, user).await?;
    if who == project.owner {
        return refused(format!("`{}` owns this project already.", who.short()));
    }
    let shared = who.clone();
    let changed = change(context, project, move |p| {
        p.grants.retain(|(person, _)| *person != shared);
        p.grants.push((shared, role));
        Ok(())
    })
    .await?;
    Ok(Reply::ok(format!("`{}` may now use the project `{}` as {role}.", who.short(), project.name))
        .with("projects", [show::project_data(context, &changed).await?]))
}

async fn unshare(context: &Context, call: &Authorized, user: &str) -> Result<Reply> {
    let project = call.project()?;
    let who = people::with_whom(context, call, project, user).await?;
    let name = who.short().to_owned();
    let changed = change(context, project, move |p| {
        let before = p.grants.len();
        p.grants.retain(|(person, _)| *person != who);
        if p.grants.len() == before {
            return refused(format!("The project is not shared with `{}`.", who.short()));
        }
        Ok(())
    })
    .await?;
    Ok(Reply::ok(format!("`{name}` can no longer use the project `{}`.", project.name))
        .with("projects", [show::project_data(context, &changed).await?]))
}

async fn change(
    context: &Context,
    project: &Project,
    change: impl FnOnce(&mut Project) -> Result<()> + Send + 'static,
) -> Result<Project> {
    match context.work.store().change_project(&project.id, change).await? {
        Some(changed) => Ok(changed),
        None => refused("The project was deleted in the meantime."),
    }
}

async fn activate(context: &Context, call: &Authorized) -> Result<Reply> {
    let project = call.project()?;
    may_run(context, &call.caller, project).await?;
    let already = project.status == Status::Active && context.work.runtime().endpoint(&project.id).await.is_some();
    context.work.activate(&project.id, &call.caller.origin).await?;
    running(context, &project.id, if already { "is active already" } else { "is active" }, call).await
}

/// Says that a project runs, with where.
async fn running(context: &Context, id: &ProjectId, what: &str, call: &Authorized) -> Result<Reply> {
    let Some(project) = context.work.store().project(id).await? else {
        return refused("The project was deleted in the meantime.");
    };
    let facts = show::project_data(context, &project).await?;
    let endpoint = facts["endpoint"].as_str().map(|e| format!(" at {e}")).unwrap_or_default();
    let reply = Reply::ok(format!("The project `{}` {what}{endpoint}. Ask it something: `/ask {0} MESSAGE`.", project.name))
        .with("projects", [facts]);
    Ok(acting(reply, call, &project))
}

async fn deactivate(context: &Context, call: &Authorized) -> Result<Reply> {
    let id = &call.project()?.id;
    let already = call.project()?.status == Status::Inactive;
    context.work.deactivate(id, &call.caller.origin).await?;
    let Some(project) = context.work.store().project(id).await? else {
        return refused("The project was deleted in the meantime.");
    };
    let what = if already { "is inactive already" } else { "is inactive now; its files and sessions stay" };
    let reply = Reply::ok(format!("The project `{}` {what}.", project.name))
        .with("projects", [show::project_data(context, &project).await?]);
    Ok(acting(reply, call, &project))
}

pub fn delete_question(project: &Project, keep_files: bool) -> String {
    let what = if keep_files { "its sessions go; its files stay" } else { "its files and sessions go, for good" };
    format!("Delete the project `{}`? Its agent is ended and {what}.", project.name)
}

async fn delete(context: &Context, call: &Authorized, keep_files: bool) -> Result<Reply> {
    let project = call.project()?;
    let place = context.work.runtime().kept(&project.into());
    context.work.delete(&project.id, keep_files, &call.caller.origin).await?;
    let kept = if keep_files { format!(" Its files are still {place}.") } else { String::new() };
    Ok(Reply::ok(format!("Deleted the project `{}`.{kept}", project.name)).with("projects", [(); 0]))
}

async fn logs(context: &Context, call: &Authorized, query: LogQuery) -> Result<Reply> {
    let project = call.project()?;
    let work = &context.work;
    work.runtime().supports(project.cluster.as_ref(), Feature::Logs)?;
    let lines = work.runtime().logs(&project.into(), query).await?;
    Ok(log::shown(context, call, &project.name, lines, query).await)
}
