//! Who may do what: the one place where it is decided.
//!
//! Invariant: an [`Authorized`] cannot be made elsewhere, and handlers take nothing else. What somebody may not see is not
//! confirmed to exist: the refusal is the same as for what there is not. Only of a thread in which they write are they told that it is
//! none of theirs.

mod clusters;
mod owners;

use std::collections::{HashMap, HashSet};

use gaggle_commands::{
    ApprovalCommand, Command, InfraCommand, ProjectCommand, ProjectSecretCommand, Role, SessionCommand, Target,
};

pub use clusters::{ClusterRule, Meant, may_change, meant, visible_clusters, visible_releases};
pub use owners::Owners;

use crate::error::{Result, refused};
use crate::model::{
    Actor, Approval, ApprovalId, Cluster, Origin, PersonId, Project, ProjectId, Release, Session, SessionId, Values,
};
use crate::store::Store;

const NO_ROLE: &str = "You have no role in Gaggle yet. Ask an admin to add you under `[access]`.";

/// `[access]` of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Of anyone on a connected surface; `None`: nobody who is not named.
    pub default_role: Option<Role>,
    /// By `surface:id` or person.
    pub roles: HashMap<String, Role>,
    /// Who may run commands beside an agent without being an admin, by `surface:id` or person.
    pub executors: HashSet<String>,
    pub cluster_rules: Vec<ClusterRule>,
}

impl Policy {
    pub fn role(&self, person: &PersonId, actor: &Actor) -> Option<Role> {
        let own = actor.key();
        keys(person, &own, actor).filter_map(|key| self.roles.get(key)).max().copied().or(self.default_role)
    }

    pub fn executes(&self, person: &PersonId, actor: &Actor) -> bool {
        let own = actor.key();
        self.role(person, actor) == Some(Role::Admin) || keys(person, &own, actor).any(|key| self.executors.contains(key))
    }
}

/// Everything under which a right may have been given to somebody who speaks somewhere.
fn keys<'a>(person: &'a PersonId, own: &'a str, actor: &'a Actor) -> impl Iterator<Item = &'a str> {
    [person.0.as_str(), own].into_iter().chain(actor.groups.iter().map(String::as_str))
}

/// Who sent something, and from where.
#[derive(Debug, Clone)]
pub struct Caller {
    pub person: PersonId,
    pub role: Option<Role>,
    /// Whether they may run commands where they are a member.
    pub executes: bool,
    /// The project of the channel in which they speak: its members may use it there.
    pub here: Option<ProjectId>,
    pub origin: Origin,
}

impl Caller {
    pub fn is_admin(&self) -> bool {
        self.role == Some(Role::Admin)
    }

    /// What they are to a project; `None`: it is none of theirs.
    pub fn role_on(&self, project: &Project) -> Option<Role> {
        let here = (self.role.is_some() && self.here.as_ref() == Some(&project.id)).then_some(Role::Member);
        self.own_role_on(project).max(here)
    }

    /// … wherever they speak.
    fn own_role_on(&self, project: &Project) -> Option<Role> {
        if self.is_admin() {
            return Some(Role::Admin);
        }
        if project.owner == self.person {
            return Some(Role::Owner);
        }
        project.grants.iter().find(|(person, _)| *person == self.person).map(|(_, role)| *role)
    }

    /// Whether they may see a session: who uses a project as a channel's member sees what was said in that channel.
    pub fn sees(&self, session: &Session, project: &Project) -> bool {
        let is_here = || session.thread.channel() == self.origin.conversation.channel();
        self.own_role_on(project).is_some() || (self.role_on(project).is_some() && is_here())
    }
}

/// What a command is about.
#[derive(Debug, Clone)]
pub enum Subject {
    Nothing,
    Project(Project),
    Session(Session, Project),
    Approval(Approval, Project),
    /// With the namespace that is meant.
    Cluster(Cluster, String),
    Release(Box<(Release, Cluster)>),
}

/// A command that its sender may send.
#[derive(Debug)]
pub struct Authorized {
    pub command: Command,
    pub caller: Caller,
    pub subject: Subject,
    /// What was filled in, if a form was asked for.
    pub values: Option<Values>,
    /// The surface's key of what was said, if it keeps such.
    pub source: Option<String>,
    _only: Checked,
}

/// What nobody else can make.
#[derive(Debug)]
struct Checked;

impl Authorized {
    pub fn project(&self) -> Result<&Project> {
        match &self.subject {
            Subject::Project(p) | Subject::Session(_, p) | Subject::Approval(_, p) => Ok(p),
            Subject::Nothing | Subject::Cluster(..) | Subject::Release(..) => {
                Err(crate::error::Error::Broken(anyhow::anyhow!("a command was authorized without its project")))
            }
        }
    }

    pub fn session(&self) -> Result<&Session> {
        match &self.subject {
            Subject::Session(s, _) => Ok(s),
            _ => Err(crate::error::Error::Broken(anyhow::anyhow!("a command was authorized without its session"))),
        }
    }

    /// With the namespace that is meant.
    pub fn cluster(&self) -> Result<(&Cluster, &str)> {
        match &self.subject {
            Subject::Cluster(cluster, namespace) => Ok((cluster, namespace)),
            Subject::Release(both) => Ok((&both.1, &both.0.namespace)),
            _ => Err(crate::error::Error::Broken(anyhow::anyhow!("a command was authorized without its cluster"))),
        }
    }

    pub fn release(&self) -> Result<(&Release, &Cluster)> {
        match &self.subject {
            Subject::Release(both) => Ok((&both.0, &both.1)),
            _ => Err(crate::error::Error::Broken(anyhow::anyhow!("a command was authorized without its release"))),
        }
    }
}

/// Checks a command once, before its handler.
pub async fn authorize(
    store: &Store,
    policy: &Policy,
    caller: Caller,
    command: Command,
    values: Option<Values>,
) -> Result<Authorized> {
    let need = command.entry().need;
    let Some(general) = caller.role else {
        return refused(NO_ROLE);
    };
    let (subject, role) = match need.of {
        Target::Person => (Subject::Nothing, Some(general)),
        Target::Project => {
            let project = find_project(store, &caller, project_of(&command).unwrap_or_default()).await?;
            let role = caller.role_on(&project);
            (Subject::Project(project), role)
        }
        Target::Session => {
            let (session, project) = find_session(store, &caller, session_of(&command)).await?;
            let role = caller.role_on(&project);
            (Subject::Session(session, project), role)
        }
        Target::Approval => {
            let (approval, project) = find_approval(store, &caller, approval_of(&command)).await?;
            let role = caller.role_on(&project);
            (Subject::Approval(approval, project), role)
        }
        Target::Cluster => {
            let (cluster, namespace) = clusters::named(&command);
            let meant = match clusters::of_release(store, policy, &caller, &command).await? {
                Some(meant) => meant,
                None => meant(store, policy, &caller, cluster, namespace).await?,
            };
            // Of a cluster as a whole, no namespace is asked for; scanning all of them is a right of its own.
            let whole = matches!(&command, Command::Cluster(_) if namespace.is_none());
            let asked = (!whole).then_some(meant.namespace.as_str());
            let all = matches!(&command, Command::Infra(InfraCommand::Scan { all_namespaces: true, .. }));
            let role = match all {
                true if !policy.sees_all_of(&caller, &meant.cluster) => None,
                true => policy.role_on_cluster(&caller, &meant.cluster, None),
                false => policy.role_on_cluster(&caller, &meant.cluster, asked),
            };
            if role.is_none() {
                return refused(match all {
                    true => format!(
                        "You may not look into all namespaces of the cluster `{}`. Say `--namespace` with one that you may use.",
                        meant.cluster.name
                    ),
                    false => format!(
                        "You may not use the namespace `{}` of the cluster `{}`. Say `--namespace` with one that you may use, or ask an \
                         admin for a rule under `[clusters.rules]`.",
                        meant.namespace, meant.cluster.name
                    ),
                });
            }
            (Subject::Cluster(meant.cluster, meant.namespace), role)
        }
        Target::Release => {
            let (release, cluster) = clusters::find_release(store, policy, &caller, &command).await?;
            let role = policy.role_on_release(&caller, &release, &cluster);
            (Subject::Release(Box::new((release, cluster))), role)
        }
    };
    let always = matches!(&command, Command::Approve(a) if a.always);
    let least = if always { Role::Owner } else { need.role };
    if role.is_none_or(|r| r < least) {
        let have = role.map_or_else(|| "none".to_owned(), |r| r.to_string());
        let whose = match need.of {
            Target::Person => "",
            Target::Project | Target::Session | Target::Approval => " of this project",
            Target::Cluster => " of this cluster",
            Target::Release => " of this release",
        };
        return refused(format!(
            "`/{}`{} takes the role {least}{whose}; yours is {have}. Ask {}.",
            command.path(),
            if always { " with `--always`" } else { "" },
            if need.of == Target::Person { "an admin" } else { "its owner" },
        ));
    }
    if command.entry().executes && !caller.executes {
        return refused(format!(
            "`/{}` takes a right of its own, which you do not have: an admin gives it by adding `{}` to `executors` under \
             `[access]` of the configuration. Or ask the project's agent to run it.",
            command.path(),
            caller.origin.actor.key(),
        ));
    }
    Ok(Authorized { command, caller, subject, values, source: None, _only: Checked })
}

/// Checks a plain message to the thread that is current where it was said.
pub async fn authorize_message(store: &Store, caller: &Caller) -> Result<(Session, Project)> {
    if caller.role.is_none() {
        return refused(NO_ROLE);
    }
    let (session, project) = find_session(store, caller, None).await?;
    match caller.role_on(&project) {
        Some(role) if role >= Role::Member => Ok((session, project)),
        _ => refused(
            "You may read this thread, but not write to its agent. Ask the project's owner to share it with you as member.",
        ),
    }
}

/// A project by `name` or `owner/name`, among those that the caller may see.
pub async fn find_project(store: &Store, caller: &Caller, name: &str) -> Result<Project> {
    let (owner, name) = match name.rsplit_once('/') {
        Some((owner, name)) => (Some(owner.trim_start_matches('@')), name),
        None => (None, name),
    };
    let mut visible = visible(store, caller).await?;
    let owners = if owner.is_some() { Owners::load(store).await? } else { Owners::default() };
    let fits = |p: &Project| p.name == name && owner.is_none_or(|o| owners.is(&p.owner, o));
    let mut found: Vec<Project> = visible.iter().filter(|p| fits(p)).cloned().collect();
    if found.is_empty() && caller.is_admin() {
        visible = store.all_projects().await?;
        found = visible.iter().filter(|p| fits(p)).cloned().collect();
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            let near = visible.iter().map(|p| p.name.as_str()).min_by_key(|n| strsim::damerau_levenshtein(n, name));
            let near = near.filter(|n| strsim::damerau_levenshtein(n, name) <= 2 && *n != name);
            let hint = near.map_or_else(
                || "See yours with `/project list`, or create it with `/project create NAME`.".to_owned(),
                |near| format!("Did you mean `{near}`?"),
            );
            refused(format!("There is no project `{name}` that you can see. {hint}"))
        }
        _ => {
            let owners = Owners::load(store).await?;
            let mut names: Vec<String> = found.iter().map(|p| format!("`{}`", owners.project(p))).collect();
            names.sort();
            refused(format!("Which project `{name}`? Say {}.", names.join(" or ")))
        }
    }
}

/// The projects that somebody owns, that are shared with them, or that are used where they speak.
pub async fn visible(store: &Store, caller: &Caller) -> Result<Vec<Project>> {
    let mut projects = store.projects_of(&caller.person).await?;
    if let Some(here) = &caller.here
        && !projects.iter().any(|p| p.id == *here)
        && let Some(project) = store.project(here).await?
    {
        projects.push(project);
    }
    Ok(projects)
}

/// The project that a message is for which names none: the channel's, else the only one that its sender may use.
pub async fn default_project(store: &Store, caller: &Caller) -> Result<Project> {
    if caller.role.is_none() {
        return refused(NO_ROLE);
    }
    if let Some(here) = &caller.here
        && let Some(project) = store.project(here).await?
    {
        return Ok(project);
    }
    let mut own = usable(store, caller).await?;
    match own.len() {
        1 => Ok(own.remove(0)),
        0 => refused("You have no project yet. Create one with `/project create NAME`, then ask again."),
        _ => {
            let names: Vec<String> = Owners::load(store).await?.choices(&own).iter().map(|name| format!("`{name}`")).collect();
            refused(format!(
                "Which project is this for? You may use {}. Say `/ask NAME MESSAGE`, or make one this channel's with `/project use NAME`.",
                names.join(", ")
            ))
        }
    }
}

/// Those of somebody's projects whose agents they may ask.
async fn usable(store: &Store, caller: &Caller) -> Result<Vec<Project>> {
    let mut own = store.projects_of(&caller.person).await?;
    own.retain(|p| caller.role_on(p).is_some_and(|role| role >= Role::Member));
    Ok(own)
}

/// Those among which somebody has to choose for a message that names none, as `/ask` takes them.
pub async fn choices(store: &Store, caller: &Caller) -> Result<Vec<String>> {
    Ok(Owners::load(store).await?.choices(&usable(store, caller).await?))
}

async fn find_session(store: &Store, caller: &Caller, named: Option<u64>) -> Result<(Session, Project)> {
    let (id, unknown) = match named {
        Some(number) => (
            SessionId(number),
            format!("There is no session `s{number}` that you can see. See a project's with `/session list NAME`."),
        ),
        None => match store.thread_at(&caller.origin.conversation).await? {
            Some(thread) => (thread.session, "This thread's session is gone. Start another with `/ask NAME MESSAGE`.".to_owned()),
            None => return refused("There is no thread here yet. Open one with `/ask NAME MESSAGE`, where NAME is a project."),
        },
    };
    if let Some(session) = store.session(id).await?
        && let Some(project) = store.project(&session.project).await?
    {
        if caller.sees(&session, &project) {
            return Ok((session, project));
        }
        if named.is_none() {
            return refused(
                "This thread belongs to a project that is not shared with you. Its owner can do that: `/project share`.",
            );
        }
    }
    refused(unknown)
}

async fn find_approval(store: &Store, caller: &Caller, named: Option<u64>) -> Result<(Approval, Project)> {
    if let Some(number) = named {
        if let Some(approval) = store.approval(ApprovalId(number)).await?
            && let Some(project) = store.project(&approval.project).await?
            && let Some(session) = store.session(approval.session).await?
            && caller.sees(&session, &project)
        {
            return Ok((approval, project));
        }
        return refused(format!("There is no approval `a{number}` that you can see. See the open ones with `/approval list`."));
    }
    let mut here = open_approvals(store, caller).await?;
    let below = format!("{}#", caller.origin.conversation);
    here.retain(|(_, session, _)| session.thread == caller.origin.conversation || session.thread.0.starts_with(&below));
    match here.len() {
        1 => {
            let (approval, _, project) = here.remove(0);
            Ok((approval, project))
        }
        0 => refused("No approval is open here. See all with `/approval list`."),
        _ => {
            let ids: Vec<String> = here.iter().map(|(a, ..)| format!("`{}` ({})", a.id, a.title)).collect();
            refused(format!("Several approvals are open here: {}. Name one, as `/approve a7`.", ids.join(", ")))
        }
    }
}

/// The open approvals of the projects that the caller may see.
pub async fn open_approvals(store: &Store, caller: &Caller) -> Result<Vec<(Approval, Session, Project)>> {
    let mut found = Vec::new();
    for approval in store.open_approvals().await? {
        if let Some(project) = store.project(&approval.project).await?
            && let Some(session) = store.session(approval.session).await?
            && caller.sees(&session, &project)
        {
            found.push((approval, session, project));
        }
    }
    Ok(found)
}

fn project_of(command: &Command) -> Option<&str> {
    match command {
        Command::Ask(ask) => Some(&ask.name),
        Command::Project(project) => match project {
            ProjectCommand::Create { .. } | ProjectCommand::List { .. } | ProjectCommand::Unuse => None,
            ProjectCommand::Show { name }
            | ProjectCommand::Rename { name, .. }
            | ProjectCommand::Update { name, .. }
            | ProjectCommand::Share { name, .. }
            | ProjectCommand::Unshare { name, .. }
            | ProjectCommand::Activate { name }
            | ProjectCommand::Deactivate { name }
            | ProjectCommand::Restart { name }
            | ProjectCommand::Delete { name, .. }
            | ProjectCommand::Status { name }
            | ProjectCommand::Exec { name, .. }
            | ProjectCommand::Use { name }
            | ProjectCommand::Logs { name, .. } => Some(name),
            ProjectCommand::Secret(secret) => match secret {
                ProjectSecretCommand::Set { name, .. }
                | ProjectSecretCommand::List { name }
                | ProjectSecretCommand::Unset { name, .. } => Some(name),
            },
        },
        Command::Session(SessionCommand::List { name }) => Some(name),
        Command::Session(_)
        | Command::Secret(_)
        | Command::Approve(_)
        | Command::Deny(_)
        | Command::Approval(ApprovalCommand::List)
        | Command::Thread(_)
        | Command::Whoami
        | Command::Link(_)
        | Command::Unlink(_)
        | Command::Status
        | Command::Audit(_)
        | Command::Cluster(_)
        | Command::Infra(_)
        | Command::Service(_)
        | Command::Help(_) => None,
    }
}

fn session_of(command: &Command) -> Option<u64> {
    match command {
        Command::Session(
            SessionCommand::Show { session }
            | SessionCommand::Stop { session, .. }
            | SessionCommand::Retry { session, .. }
            | SessionCommand::Delete { session, .. }
            | SessionCommand::Export { session }
            | SessionCommand::Rename { session, .. },
        ) => *session,
        _ => None,
    }
}

fn approval_of(command: &Command) -> Option<u64> {
    match command {
        Command::Approve(approve) => approve.id,
        Command::Deny(deny) => deny.id,
        _ => None,
    }
}
