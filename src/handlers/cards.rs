//! Projects as cards, with what their reader may do next.

use gaggle_commands::Role;

use super::show;
use crate::access::{Caller, Owners};
use crate::model::{Action, Card, Project, Status};

/// How somebody names a project: with its owner if that is somebody else.
pub fn name_for(caller: &Caller, project: &Project, owners: &Owners) -> String {
    match project.owner == caller.person {
        true => project.name.clone(),
        false => owners.project(project),
    }
}

/// For what is pressed, not read: it means the same project whatever its owner is called next.
pub fn full_name(project: &Project) -> String {
    format!("{}/{}", project.owner.short(), project.name)
}

/// Others may press them too, and may have a project of the same name: so each names the owner.
pub fn project_actions(caller: &Caller, project: &Project) -> Vec<Action> {
    let name = full_name(project);
    let role = caller.role_on(project);
    let mut actions = Vec::new();
    if role >= Some(Role::Member) {
        match project.status {
            Status::Inactive | Status::Failed => {
                actions.push(Action::new("Activate", format!("/project activate {name}")).primary());
            }
            Status::Active => actions.push(Action::new("Deactivate", format!("/project deactivate {name}"))),
            Status::Activating => actions.push(Action::new("Stop", format!("/project deactivate {name}"))),
            Status::Deactivating | Status::Deleting => {}
        }
        if project.status != Status::Deleting {
            actions.push(Action::new("Ask", format!("/ask {name}")));
        }
    }
    if role.is_some() {
        actions.push(Action::new("Logs", format!("/project logs {name}")));
    }
    if role >= Some(Role::Owner) && project.status != Status::Deleting {
        let question = super::project::delete_question(project, false);
        actions.push(Action::new("Delete…", format!("/project delete {name} --yes")).danger(question));
    }
    actions
}

/// One of several.
pub fn project_card(caller: &Caller, project: &Project, sessions: usize, owners: &Owners) -> Card {
    let sessions = show::count(sessions, "session");
    let mut text = format!("{} · {sessions} · used {}", project.status.as_str(), show::ago(project.used));
    if let Some(reason) = &project.reason {
        text.push_str(&format!("\n{reason}"));
    }
    Card { title: name_for(caller, project, owners), text, actions: project_actions(caller, project) }
}
