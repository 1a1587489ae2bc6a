//! The grammar: everything that people may type to Gaggle, and what it is called.
//!
//! One clap tree gives typed text, structured options, help and the platforms' manifests. Knows nothing of what a command
//! does, of any platform, of async or of HTTP: `cargo tree -p gaggle-commands` has no tokio.

mod approval;
mod ask;
mod audit;
mod blanks;
mod canonical;
mod catalog;
mod check;
mod cluster;
mod complete;
mod general;
mod help;
mod infra;
mod lines;
mod link;
mod nearest;
mod options;
mod project;
mod repo;
mod secret;
mod sensitive;
mod service;
mod session;
mod text;
mod tree;
mod usage;
pub mod values;
mod words;

pub use approval::{ApprovalCommand, Approve, Deny};
pub use ask::Ask;
pub use audit::Audit;
pub use blanks::{Blank, blanks};
pub use catalog::{CATALOG, Entry, Need, Role, Target, Visibility, entry};
pub use cluster::{ClusterAbout, ClusterCommand, Site};
pub use complete::{Candidates, Completion, candidates_for, complete};
pub use general::{Help, Thread};
pub use help::{help, overview};
pub use infra::InfraCommand;
pub use lines::LogLines;
pub use link::{Link, Unlink};
pub use options::{OptionValue, parse_options};
pub use project::{Expose, Mode, ProjectCommand, ProjectSecretCommand, ProjectSettings};
pub use repo::RepoUrl;
pub use secret::{SecretCommand, SecretKey};
pub use sensitive::{sensitive, sensitive_name, sensitive_value};
pub use service::{ServiceChanges, ServiceCommand};
pub use session::SessionCommand;
pub use text::{is_command, parse_text};
pub use tree::{about_argument, grammar, leaves, option_name};
pub use usage::{Parts as UsageParts, Usage};
pub use values::{EnvVar, ImageRef, Period, PlainVar, Quantity};

/// One thing that somebody asked for, fully parsed. What it means is for the handler of the same name.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand, serde::Serialize, serde::Deserialize)]
pub enum Command {
    /// Create, run, share and delete projects
    #[command(subcommand)]
    Project(ProjectCommand),
    /// Ask a project's agent something, in a new thread
    Ask(Ask),
    /// Look at, stop, rename, export and delete sessions
    #[command(subcommand)]
    Session(SessionCommand),
    /// Secrets for all of your projects
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Clusters that Gaggle can look into and deploy to
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// What infrastructure runs in a cluster
    #[command(subcommand)]
    Infra(InfraCommand),
    /// Compose services: the catalogue, and what is deployed
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Allow a tool call that waits for an approval
    Approve(Approve),
    /// Refuse a tool call that waits for an approval
    Deny(Deny),
    /// Look at open approvals
    #[command(subcommand)]
    Approval(ApprovalCommand),
    /// Switch this conversation to one of its threads, or list them
    Thread(Thread),
    /// Who you are to Gaggle, and what you may do
    Whoami,
    /// Be the same person here and on another surface
    Link(Link),
    /// Separate one of your identities again
    Unlink(Unlink),
    /// Runtime, agents, surfaces, store and running turns
    Status,
    /// What was asked and decided, newest first
    Audit(Audit),
    /// What you can type
    Help(Help),
}
