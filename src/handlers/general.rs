//! `/help`, `/whoami`, `/status`, `/thread`.

use gaggle_commands::{Help, Role, Thread};
use serde_json::json;

use super::{Context, show};
use crate::access::Authorized;
use crate::error::{Error, Result, refused};
use crate::model::{Reply, Status};

pub fn help(call: &Authorized, help: &Help) -> Result<Reply> {
    let role = call.caller.role.unwrap_or(Role::Viewer);
    if help.command.is_empty() {
        return Ok(Reply::ok(gaggle_commands::overview(role)));
    }
    gaggle_commands::help(&help.command, role).map(Reply::ok).map_err(|usage| Error::Refused(usage.to_string()))
}

pub async fn whoami(context: &Context, call: &Authorized) -> Result<Reply> {
    let caller = &call.caller;
    let role = caller.role.map_or_else(|| "none".to_owned(), |r| r.to_string());
    let projects = context.work.store().projects_of(&caller.person).await?;
    let own = projects.iter().filter(|p| p.owner == caller.person).count();
    let identities = context.work.store().identities_of(&caller.person);
    let also = match identities.len() {
        0 | 1 => String::new(),
        _ => format!(" (linked: {})", super::link::shown(&identities)),
    };
    Ok(Reply::ok(format!(
        "You are `{}`{also} with the role {role}. You own {} and {} shared with you.",
        caller.person,
        show::count(own, "project"),
        match projects.len() - own {
            1 => "1 is".to_owned(),
            n => format!("{n} are"),
        },
    ))
    .with("person", &caller.person)
    .with("role", role)
    .with("identities", identities))
}

pub async fn status(context: &Context, call: &Authorized) -> Result<Reply> {
    let work = &context.work;
    let (running, waiting) = work.turn_counts();
    let health = work.runtime().health().await;
    let surfaces = work.surfaces();
    let mut lines = vec![
        format!("Gaggle {}, started {}", context.about.version, show::ago(context.about.started)),
        format!("Agent: {}", context.about.agent),
        format!("Turns: {running} running, {waiting} waiting"),
        format!("Surfaces: {}", surfaces.join(", ")),
    ];
    let mut data = json!({
        "version": context.about.version,
        "runtime": work.runtime().kind(),
        "agent": context.about.agent,
        "connections": work.connected_agents(),
        "turns": {"running": running, "waiting": waiting},
        "surfaces": surfaces,
    });
    if call.caller.is_admin() {
        let projects = work.store().all_projects().await?;
        let active = projects.iter().filter(|p| p.status == Status::Active).count();
        let size = work.store().size().await;
        lines.push(format!("Projects: {}, {active} active", projects.len()));
        lines.push(format!("Store: {} KiB", size / 1024));
        data["projects"] = json!({"all": projects.len(), "active": active});
        data["store"] = json!({"bytes": size});
        for fact in &health {
            lines.push(match &fact.fault {
                None => format!("{}: {}", fact.what, fact.found),
                Some(fix) => format!("**{}: {}**; {fix}", fact.what, fact.found),
            });
        }
    }
    lines.push(format!("Runtime: {}", work.runtime().kind()));
    Ok(Reply::ok(lines.join("\n")).with("status", data))
}

pub async fn thread(context: &Context, call: &Authorized, thread: &Thread) -> Result<Reply> {
    let store = context.work.store();
    let here = &call.caller.origin.conversation;
    let mut threads = Vec::new();
    for (number, thread) in store.threads_below(here).await? {
        if let Some(session) = store.session(thread.session).await?
            && let Some(project) = store.project(&thread.project).await?
            && call.caller.role_on(&project).is_some()
        {
            threads.push((number, thread, session, project));
        }
    }
    let current = store.thread_at(here).await?.map(|t| t.conversation);
    let data: Vec<_> = threads
        .iter()
        .map(|(number, thread, session, project)| {
            json!({"thread": number, "session": session.id.to_string(), "project": project.name, "title": session.title,
                   "current": current.as_ref() == Some(&thread.conversation)})
        })
        .collect();
    let Some(wanted) = thread.number else {
        if threads.is_empty() {
            return Ok(Reply::ok("There is no thread here yet. Open one with `/ask NAME MESSAGE`.").with("threads", data));
        }
        let lines: Vec<String> = threads
            .iter()
            .map(|(number, thread, session, project)| {
                let mark = if current.as_ref() == Some(&thread.conversation) { " (current)" } else { "" };
                format!("- {number}{mark}: {} in `{}`, {}", session.title, project.name, show::ago(session.used))
            })
            .collect();
        return Ok(Reply::ok(lines.join("\n")).quoting().with("threads", data));
    };
    let Some((_, thread, session, project)) = threads.iter().find(|(number, ..)| *number == wanted) else {
        return refused(format!("There is no thread {wanted} here. See them with `/thread`."));
    };
    store.set_current(here, &thread.conversation).await?;
    Ok(Reply::ok(format!("You are in thread {wanted} now: {} in `{}`.", session.title, project.name))
        .quoting()
        .with("threads", data))
}
