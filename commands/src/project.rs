//! `/project …`. Says what may be typed, never what it does.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::values::{EnvVar, ImageRef, Period, Quantity};
use crate::values::{cluster_name, cpu, disk, memory, model_name, person, project_name, project_ref, timeout};
use crate::{LogLines, RepoUrl, Role, SecretKey};

#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand, serde::Serialize, serde::Deserialize)]
pub enum ProjectCommand {
    /// Create a project
    Create {
        /// The new project's name: 1–40 of a–z, 0–9 and -, a letter first
        #[arg(value_name = "NAME", value_parser = project_name)]
        name: String,
        #[command(flatten)]
        settings: ProjectSettings,
        /// The cluster that it runs in; without it, where Gaggle runs projects
        #[arg(long, value_name = "CLUSTER", value_parser = cluster_name)]
        cluster: Option<String>,
    },
    /// List your projects and those shared with you
    List {
        /// Everybody's projects (admins)
        #[arg(long)]
        all: bool,
    },
    /// Show one project: status, endpoint, settings, sessions
    Show {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
    },
    /// Show how a project stands where it runs
    Status {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
    },
    /// Give a project another name
    Rename {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
        /// Its new name: 1–40 of a–z, 0–9 and -, a letter first
        #[arg(value_name = "NEW_NAME", value_parser = project_name)]
        new_name: String,
    },
    /// Change a project's settings; they take effect on its next start
    Update {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
        #[command(flatten)]
        settings: ProjectSettings,
        /// The model that the agent uses
        #[arg(long, value_name = "MODEL", value_parser = model_name)]
        model: Option<String>,
        /// The provider of the model
        #[arg(long, value_name = "PROVIDER", value_parser = model_name)]
        provider: Option<String>,
        /// When the agent asks before it uses a tool
        #[arg(long, value_name = "MODE", ignore_case = true)]
        mode: Option<Mode>,
    },
    /// Let somebody else use a project
    Share {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
        /// The person, as @name
        #[arg(value_name = "USER", value_parser = person)]
        user: String,
        /// What they may do
        #[arg(long, value_name = "ROLE", default_value = "member", ignore_case = true, value_parser = share_role())]
        role: Role,
    },
    /// Take back what was shared
    Unshare {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
        /// The person, as @name
        #[arg(value_name = "USER", value_parser = person)]
        user: String,
    },
    /// Start a project's agent
    Activate {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
    },
    /// Stop a project's agent; files and sessions stay
    Deactivate {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
    },
    /// Stop and start a project's agent
    Restart {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
    },
    /// Delete a project with its processes, files and sessions
    Delete {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
        /// Leave the project's files where they are: its folder, or its disk
        #[arg(long, visible_alias = "keep-data")]
        keep_files: bool,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Show the agent's log
    Logs {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
        #[command(flatten)]
        lines: LogLines,
    },
    /// Run a command beside the agent, without a shell
    Exec {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
        /// How long it may take, up to 1h
        #[arg(long, value_name = "PERIOD", value_parser = timeout, default_value = "5m")]
        timeout: Period,
        /// The program and its arguments, each as it stands
        #[arg(value_name = "CMD", last = true, required = true)]
        argv: Vec<String>,
    },
    /// Make a project this channel's: its members may then use it here, and need not name it
    Use {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
    },
    /// Take back what `use` gave this channel
    Unuse,
    /// A project's secrets, which reach its agent's environment
    #[command(subcommand)]
    Secret(ProjectSecretCommand),
}

#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand, serde::Serialize, serde::Deserialize)]
pub enum ProjectSecretCommand {
    /// Set a secret; its value is asked for, never typed here
    Set {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
        /// The variable's name, as OPENAI_API_KEY
        #[arg(value_name = "KEY")]
        key: SecretKey,
    },
    /// List the names of a project's secrets
    List {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
    },
    /// Remove a secret
    Unset {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
        /// The variable's name, as OPENAI_API_KEY
        #[arg(value_name = "KEY")]
        key: SecretKey,
    },
}

/// What a project can be created with and changed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct ProjectSettings {
    /// A git repository that is cloned on the first activation (https or ssh)
    #[arg(long, value_name = "URL")]
    pub repo: Option<RepoUrl>,
    /// CPU limit, as 500m or 2
    #[arg(long, value_name = "Q", value_parser = cpu)]
    pub cpu: Option<Quantity>,
    /// Memory limit, as 512Mi or 2Gi
    #[arg(long, value_name = "Q", value_parser = memory)]
    pub memory: Option<Quantity>,
    /// A variable of the agent's environment; may be repeated
    #[arg(long, value_name = "K=V")]
    pub env: Vec<EnvVar>,
    /// The agent's container image (Kubernetes)
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<ImageRef>,
    /// A disk of this size that outlives the agent, as 10Gi (Kubernetes)
    #[arg(long, value_name = "Q", value_parser = disk)]
    pub disk: Option<Quantity>,
    /// The port on which the agent listens in its container (Kubernetes)
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1024..))]
    pub port: Option<u16>,
    /// How the agent is reached from outside of the cluster (Kubernetes)
    #[arg(long, value_name = "HOW", ignore_case = true)]
    pub expose: Option<Expose>,
}

/// How an agent's port is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expose {
    /// Only inside of the cluster, and by Gaggle
    Cluster,
    /// On a port of each node
    NodePort,
    /// At an address of its own
    LoadBalancer,
    /// Under a host name of its own
    Ingress,
}

impl std::fmt::Display for Expose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cluster => "cluster",
            Self::NodePort => "node-port",
            Self::LoadBalancer => "load-balancer",
            Self::Ingress => "ingress",
        })
    }
}

/// Goose's modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[value(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Uses tools without asking
    Auto,
    /// Asks before each tool
    Approve,
    /// Asks before what looks risky
    SmartApprove,
    /// Uses no tools
    Chat,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Approve => "approve",
            Self::SmartApprove => "smart_approve",
            Self::Chat => "chat",
        })
    }
}

/// The roles that can be given to somebody on a project. An admin is made in the configuration.
fn share_role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new([
        PossibleValue::new("viewer").help("May look"),
        PossibleValue::new("member").help("May ask, start and stop"),
        PossibleValue::new("owner").help("May change, share and delete"),
    ])
    .map(|role| match role.to_ascii_lowercase().as_str() {
        "viewer" => Role::Viewer,
        "owner" => Role::Owner,
        _ => Role::Member,
    })
}
