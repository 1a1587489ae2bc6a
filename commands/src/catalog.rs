//! What is true of each command beyond its form: who may send it, who sees the answer, whether it asks first.
//!
//! Invariant: each leaf of the grammar has exactly one entry, and each entry's examples parse to it; a test says which
//! one is missing. Decides nothing: the engine does, by these facts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    ApprovalCommand, ClusterCommand, Command, InfraCommand, ProjectCommand, ProjectSecretCommand, SecretCommand, ServiceCommand,
    SessionCommand,
};

/// What a person may do, in general or on one project; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May look
    Viewer,
    /// May ask, start and stop
    Member,
    /// May change, share and delete
    Owner,
    /// May do everything, everywhere
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Owner => "owner",
            Self::Admin => "admin",
        })
    }
}

/// Whose role counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The person's role in general.
    Person,
    /// The person's role on the project that the command names.
    Project,
    /// On the project of the session that is named, or current.
    Session,
    /// On the project of the approval that is named, or open here.
    Approval,
    /// On the cluster and namespace that are named, or meant here.
    Cluster,
    /// On the release that is named.
    Release,
}

/// The least role that a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    pub role: Role,
    pub of: Target,
}

/// Who sees the answer, where a surface can tell people apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    Private,
    Public,
}

#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// As typed, without the slash: `project create`.
    pub path: &'static str,
    pub need: Need,
    pub visibility: Visibility,
    /// It destroys something, and asks first unless told `--yes`.
    pub confirm: bool,
    /// It is taken even while an answer is being written in its conversation.
    pub at_once: bool,
    /// What is typed here may be a secret by mistake: no argument is ever repeated.
    pub secret: bool,
    /// It takes the right to run commands besides, which the configuration gives.
    pub executes: bool,
    /// Its answer takes more than a look into the store: surfaces with deadlines say so first.
    pub works: bool,
    /// It may ask for more once it has begun, so that it may take as long as a person likes.
    pub asks: bool,
    /// Only the console has it; elsewhere the platform's own threads do its work.
    pub console_only: bool,
    /// At least one, each a whole command.
    pub examples: &'static [&'static str],
}

const fn command(path: &'static str, role: Role, of: Target, examples: &'static [&'static str]) -> Entry {
    Entry {
        path,
        need: Need { role, of },
        visibility: Visibility::Public,
        confirm: false,
        at_once: false,
        secret: false,
        executes: false,
        works: false,
        asks: false,
        console_only: false,
        examples,
    }
}

impl Entry {
    const fn private(mut self) -> Self {
        self.visibility = Visibility::Private;
        self
    }
    const fn confirmed(mut self) -> Self {
        self.confirm = true;
        self
    }
    const fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }
    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
    const fn executes(mut self) -> Self {
        self.executes = true;
        self
    }
    const fn works(mut self) -> Self {
        self.works = true;
        self
    }
    const fn asks(mut self) -> Self {
        self.asks = true;
        self
    }
    const fn console_only(mut self) -> Self {
        self.console_only = true;
        self
    }
}

use Role::{Admin, Member, Owner, Viewer};
use Target::{Approval, Cluster, Person, Project, Release, Session};

/// In the order in which help shows them.
pub const CATALOG: &[Entry] = &[
    command(
        "project create",
        Member,
        Person,
        &[
            "/project create demo",
            "/project create shop --repo https://github.com/acme/shop --memory 2Gi",
            "/project create shop --env REGION=eu --env LOG_LEVEL=debug",
        ],
    ),
    command("project list", Viewer, Person, &["/project list"]).private(),
    command("project show", Viewer, Project, &["/project show demo", "/project show ann/demo"]).private(),
    command("project status", Viewer, Project, &["/project status demo"]).private().works(),
    command("project rename", Owner, Project, &["/project rename demo shop"]),
    command(
        "project update",
        Owner,
        Project,
        &["/project update demo --mode smart_approve", "/project update demo --cpu 500m --memory 1Gi"],
    ),
    command("project share", Owner, Project, &["/project share demo @ann", "/project share demo @ann --role viewer"]),
    command("project unshare", Owner, Project, &["/project unshare demo @ann"]),
    command("project activate", Member, Project, &["/project activate demo"]).works(),
    command("project deactivate", Member, Project, &["/project deactivate demo"]).works(),
    command("project restart", Member, Project, &["/project restart demo"]).works(),
    command("project delete", Owner, Project, &["/project delete demo", "/project delete demo --keep-data --yes"])
        .confirmed()
        .works(),
    command(
        "project logs",
        Viewer,
        Project,
        &[
            "/project logs demo",
            "/project logs demo --tail 200 --follow",
            "/project logs demo --since 10m",
            "/project logs demo --previous",
        ],
    )
    .private()
    .works(),
    command(
        "project exec",
        Member,
        Project,
        &["/project exec demo -- git status", "/project exec demo --timeout 20m -- cargo test --workspace"],
    )
    .private()
    .executes()
    .works(),
    command("project use", Owner, Project, &["/project use demo"]),
    command("project unuse", Viewer, Person, &["/project unuse"]),
    command("project secret set", Owner, Project, &["/project secret set demo OPENAI_API_KEY"]).private().secret(),
    command("project secret list", Owner, Project, &["/project secret list demo"]).private().secret(),
    command("project secret unset", Owner, Project, &["/project secret unset demo OPENAI_API_KEY"]).private().secret(),
    command("ask", Member, Project, &["/ask demo why does the login test fail?"]),
    command("session list", Viewer, Project, &["/session list demo"]).private(),
    command("session show", Viewer, Session, &["/session show", "/session show s12"]).private(),
    command("session stop", Member, Session, &["/session stop", "/session stop s12"]).at_once(),
    command("session retry", Member, Session, &["/session retry", "/session retry s12"]),
    command("session rename", Member, Session, &["/session rename Login test", "/session rename Login test s12"]),
    command("session export", Viewer, Session, &["/session export", "/session export s12"]).private(),
    command("session delete", Member, Session, &["/session delete s12", "/session delete s12 --yes"]).confirmed(),
    command("cluster add", Member, Person, &["/cluster add prod", "/cluster add prod --provider EKS --tag eu --namespace shop"])
        .private()
        .asks(),
    command("cluster list", Viewer, Person, &["/cluster list"]).private(),
    command("cluster show", Viewer, Cluster, &["/cluster show prod"]).private(),
    command("cluster check", Viewer, Cluster, &["/cluster check prod"]).private().works(),
    command("cluster namespaces", Viewer, Cluster, &["/cluster namespaces prod"]).private().works(),
    command(
        "cluster update",
        Owner,
        Cluster,
        &["/cluster update prod --provider EKS --namespace shop", "/cluster update prod --credentials"],
    )
    .private()
    .asks(),
    command("cluster tag", Owner, Cluster, &["/cluster tag prod production eu"]),
    command("cluster rename", Owner, Cluster, &["/cluster rename prod production"]),
    command("cluster remove", Owner, Cluster, &["/cluster remove prod", "/cluster remove prod --yes"]).confirmed().asks().works(),
    command("cluster default", Member, Cluster, &["/cluster default prod", "/cluster default prod --namespace shop"]),
    command("infra scan", Viewer, Cluster, &["/infra scan", "/infra scan --cluster prod --all-namespaces"]).works(),
    command("service add", Member, Person, &["/service add shop", "/service add shop https://example.com/compose.yaml"]).works(),
    command("service catalogue", Viewer, Person, &["/service catalogue", "/service catalogue --infra"]).private().works(),
    command("service show", Viewer, Person, &["/service show shop:web", "/service show shop"]).private().works(),
    command(
        "service deploy",
        Member,
        Cluster,
        &[
            "/service deploy shop:web",
            "/service deploy shop --cluster prod --namespace shop --dry-run",
            "/service deploy shop:web --as web-eu --set REGION=eu --replicas 2 --health-path /healthz",
        ],
    )
    .confirmed()
    .asks()
    .works(),
    command("service env", Member, Cluster, &["/service env web --set LOG_LEVEL=debug", "/service env web --secret API_KEY"])
        .private()
        .asks()
        .works(),
    command("service list", Viewer, Person, &["/service list", "/service list --cluster prod"]).private(),
    command("service status", Viewer, Release, &["/service status web"]).private().works(),
    command("service logs", Viewer, Release, &["/service logs web", "/service logs web --since 10m --follow"]).private().works(),
    command("service restart", Member, Release, &["/service restart web"]).works(),
    command("service scale", Member, Release, &["/service scale web 3", "/service scale shop 2 --workload web"]).works(),
    command("service exec", Member, Release, &["/service exec web -- ls -l /data"]).private().executes().works(),
    command(
        "service port-forward",
        Admin,
        Release,
        &["/service port-forward web", "/service port-forward web 8080 --timeout 30m"],
    )
    .private()
    .works(),
    command(
        "service update",
        Member,
        Release,
        &["/service update web --set REGION=us", "/service update web --replicas 3 --yes"],
    )
    .confirmed()
    .asks()
    .works(),
    command("service rollback", Member, Release, &["/service rollback web", "/service rollback web --to 3 --yes"])
        .confirmed()
        .asks()
        .works(),
    command("service delete", Owner, Release, &["/service delete web", "/service delete web --keep-data --yes"])
        .confirmed()
        .works(),
    command("service manifests", Viewer, Release, &["/service manifests web", "/service manifests web --revision 3"]).private(),
    command("service export", Viewer, Release, &["/service export web"]).private(),
    command("approve", Member, Approval, &["/approve", "/approve a7", "/approve a7 --always"]).at_once(),
    command("deny", Member, Approval, &["/deny", "/deny a7 --reason use the staging database"]).at_once(),
    command("approval list", Viewer, Person, &["/approval list"]).private(),
    command("secret set", Member, Person, &["/secret set OPENAI_API_KEY"]).private().secret(),
    command("secret list", Viewer, Person, &["/secret list"]).private().secret(),
    command("secret unset", Viewer, Person, &["/secret unset OPENAI_API_KEY"]).private().secret(),
    command("thread", Viewer, Person, &["/thread", "/thread 2"]).private().console_only(),
    command("whoami", Viewer, Person, &["/whoami"]).private(),
    command("link", Viewer, Person, &["/link", "/link K7QF-3M9X"]).private().secret(),
    command("unlink", Viewer, Person, &["/unlink", "/unlink slack:U012AB3CD"]).private(),
    command("status", Viewer, Person, &["/status"]).private().at_once().works(),
    command("audit", Admin, Person, &["/audit", "/audit --tail 200 --user @ann"]).private(),
    command("help", Viewer, Person, &["/help", "/help project create"]).private(),
];

/// The entry of a path such as `project create`.
pub fn entry(path: &str) -> Option<&'static Entry> {
    CATALOG.iter().find(|entry| entry.path == path)
}

impl Command {
    /// What was typed, without slash and arguments.
    pub fn path(&self) -> &'static str {
        match self {
            Self::Project(command) => match command {
                ProjectCommand::Create { .. } => "project create",
                ProjectCommand::List { .. } => "project list",
                ProjectCommand::Show { .. } => "project show",
                ProjectCommand::Status { .. } => "project status",
                ProjectCommand::Rename { .. } => "project rename",
                ProjectCommand::Update { .. } => "project update",
                ProjectCommand::Share { .. } => "project share",
                ProjectCommand::Unshare { .. } => "project unshare",
                ProjectCommand::Activate { .. } => "project activate",
                ProjectCommand::Deactivate { .. } => "project deactivate",
                ProjectCommand::Restart { .. } => "project restart",
                ProjectCommand::Delete { .. } => "project delete",
                ProjectCommand::Logs { .. } => "project logs",
                ProjectCommand::Exec { .. } => "project exec",
                ProjectCommand::Use { .. } => "project use",
                ProjectCommand::Unuse => "project unuse",
                ProjectCommand::Secret(command) => match command {
                    ProjectSecretCommand::Set { .. } => "project secret set",
                    ProjectSecretCommand::List { .. } => "project secret list",
                    ProjectSecretCommand::Unset { .. } => "project secret unset",
                },
            },
            Self::Ask(_) => "ask",
            Self::Session(command) => match command {
                SessionCommand::List { .. } => "session list",
                SessionCommand::Show { .. } => "session show",
                SessionCommand::Stop { .. } => "session stop",
                SessionCommand::Retry { .. } => "session retry",
                SessionCommand::Delete { .. } => "session delete",
                SessionCommand::Export { .. } => "session export",
                SessionCommand::Rename { .. } => "session rename",
            },
            Self::Secret(command) => match command {
                SecretCommand::Set { .. } => "secret set",
                SecretCommand::List => "secret list",
                SecretCommand::Unset { .. } => "secret unset",
            },
            Self::Cluster(command) => match command {
                ClusterCommand::Add { .. } => "cluster add",
                ClusterCommand::List => "cluster list",
                ClusterCommand::Show { .. } => "cluster show",
                ClusterCommand::Check { .. } => "cluster check",
                ClusterCommand::Namespaces { .. } => "cluster namespaces",
                ClusterCommand::Update { .. } => "cluster update",
                ClusterCommand::Tag { .. } => "cluster tag",
                ClusterCommand::Rename { .. } => "cluster rename",
                ClusterCommand::Remove { .. } => "cluster remove",
                ClusterCommand::Default { .. } => "cluster default",
            },
            Self::Infra(InfraCommand::Scan { .. }) => "infra scan",
            Self::Service(command) => match command {
                ServiceCommand::Add { .. } => "service add",
                ServiceCommand::Catalogue { .. } => "service catalogue",
                ServiceCommand::Show { .. } => "service show",
                ServiceCommand::Deploy { .. } => "service deploy",
                ServiceCommand::Env { .. } => "service env",
                ServiceCommand::List { .. } => "service list",
                ServiceCommand::Status { .. } => "service status",
                ServiceCommand::Logs { .. } => "service logs",
                ServiceCommand::Restart { .. } => "service restart",
                ServiceCommand::Scale { .. } => "service scale",
                ServiceCommand::Exec { .. } => "service exec",
                ServiceCommand::PortForward { .. } => "service port-forward",
                ServiceCommand::Update { .. } => "service update",
                ServiceCommand::Rollback { .. } => "service rollback",
                ServiceCommand::Delete { .. } => "service delete",
                ServiceCommand::Manifests { .. } => "service manifests",
                ServiceCommand::Export { .. } => "service export",
            },
            Self::Approve(_) => "approve",
            Self::Deny(_) => "deny",
            Self::Approval(ApprovalCommand::List) => "approval list",
            Self::Thread(_) => "thread",
            Self::Whoami => "whoami",
            Self::Link(_) => "link",
            Self::Unlink(_) => "unlink",
            Self::Status => "status",
            Self::Audit(_) => "audit",
            Self::Help(_) => "help",
        }
    }

    /// What is true of this command.
    pub fn entry(&self) -> &'static Entry {
        entry(self.path()).expect("each command has an entry in the catalogue")
    }
}
