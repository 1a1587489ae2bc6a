//! What services become before they are objects of a cluster: what runs, what it is given, how it is reached, what it waits for.
//!
//! Invariant: names of workloads, claims and sets are labels of DNS and unique among their kind, so that whoever makes objects of
//! them need not change one. Secret values never show in `Debug`. Knows no compose file and no Kubernetes type.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use gaggle_commands::Expose;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

/// All that a project's services become.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    /// The project's name, a label of DNS.
    pub name: String,
    /// Each after what it waits for.
    pub workloads: Vec<Workload>,
    pub claims: Vec<Claim>,
    pub sets: Vec<FileSet>,
}

/// How pods are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kept {
    /// Any number, replaced one by one.
    #[default]
    Deployment,
    /// Never two at once.
    StatefulSet,
    /// One on each node.
    DaemonSet,
    /// Until it has ended well.
    Job,
}

impl Kept {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
        }
    }
}

/// What one service becomes.
#[derive(Debug, Clone, Default)]
pub struct Workload {
    /// As its file calls it.
    pub service: String,
    pub name: String,
    pub kept: Kept,
    /// Why it is kept so, as a sentence.
    pub why: String,
    /// It holds data or passes messages for others, by its image.
    pub store: bool,
    pub replicas: u32,
    pub image: String,
    pub pull: Option<Pull>,
    /// In place of the image's own. As written: nothing in it stands for a variable, but for what [`Word::Variable`] says.
    pub entrypoint: Vec<Word>,
    pub command: Vec<Word>,
    pub working_dir: Option<String>,
    pub tty: bool,
    pub stdin: bool,
    /// Variables. A name is plain or secret, never both.
    pub plain: BTreeMap<String, String>,
    pub secret: BTreeMap<String, SecretString>,
    /// Where its containers listen.
    pub ports: Vec<Port>,
    pub reach: Reach,
    pub ready: Option<Check>,
    /// Restart it when its check fails.
    pub live: bool,
    pub mounts: Vec<Mount>,
    pub resources: Resources,
    pub security: Security,
    pub host: HostSettings,
    pub placement: Placement,
    /// Of the pods.
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    /// Of what keeps the pods.
    pub own_labels: BTreeMap<String, String>,
    pub own_annotations: BTreeMap<String, String>,
    pub stop: Stop,
    pub started: Vec<Vec<String>>,
    pub update: Update,
    pub waits: Vec<Wait>,
    pub retry: Retry,
}

/// A word of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    Text(String),
    /// Something before, the value of a variable of the container, something after.
    Variable(String, String, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pull {
    Always,
    IfNotPresent,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Unique among those of its workload.
    pub name: String,
    pub number: u16,
    pub protocol: Protocol,
    /// What is spoken there, in Kubernetes' words.
    pub app: Option<String>,
}

/// How a workload is found.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Nobody can: it has no network of its own.
    pub none: bool,
    /// By the addresses of its pods, without one of its own.
    pub headless: bool,
    /// Other names that it answers to.
    pub aliases: Vec<String>,
    pub expose: Option<Expose>,
    /// What is reached from outside, if it is exposed.
    pub published: Vec<Published>,
    /// Where it is found under a host name: the names and paths that the file asks for, what answers them, and who knows the key.
    pub hosts: Vec<(String, String)>,
    pub class: Option<String>,
    pub tls_secret: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Outside; that of the container if the file says none.
    pub port: u16,
    pub target: u16,
    pub protocol: Protocol,
    pub app: Option<String>,
}

/// A command or request that tells whether a workload serves.
#[derive(Debug, Clone)]
pub struct Check {
    pub probe: Probe,
    /// Seconds, as all of these.
    pub interval: u32,
    pub timeout: u32,
    pub retries: u32,
    pub start_period: u32,
    pub start_interval: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    Exec(Vec<String>),
    /// A path and a port of the container.
    Http(String, u16),
    /// Whether somebody listens at a port.
    Tcp(u16),
}

#[derive(Debug, Clone)]
pub struct Mount {
    pub at: String,
    pub read_only: bool,
    pub from: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Claim {
        claim: String,
        path: Option<String>,
    },
    /// One file of a set. The mode is what others than its owner get, too.
    File {
        /// Whether the set is: two may share a name.
        secret: bool,
        set: String,
        key: String,
        mode: u32,
    },
    /// Several files of a set, at their paths below the mount: key, path, mode.
    Folder {
        secret: bool,
        set: String,
        files: Vec<(String, String, u32)>,
    },
    Memory {
        bytes: Option<u64>,
    },
    /// Ends with the pod.
    Scratch,
    Nfs {
        server: String,
        path: String,
    },
    Image {
        reference: String,
        path: Option<String>,
    },
}

/// A volume that outlives pods.
#[derive(Debug, Clone, Default)]
pub struct Claim {
    pub name: String,
    /// As its file calls it.
    pub volume: String,
    /// Bytes, if the file says so.
    pub size: Option<u64>,
    pub notes: BTreeMap<String, String>,
    /// Services that use it, as files call them.
    pub users: BTreeSet<String>,
}

/// Files that containers are given.
#[derive(Debug, Clone, Default)]
pub struct FileSet {
    pub name: String,
    pub secret: bool,
    /// Made by somebody else.
    pub external: bool,
    /// Whose workload it is for, if for one alone.
    pub of: Option<String>,
    pub files: BTreeMap<String, Content>,
}

#[derive(Debug, Clone)]
pub enum Content {
    Plain(Arc<[u8]>),
    Secret(Arc<SecretSlice<u8>>),
    /// Its value is not known.
    Missing,
}

impl Content {
    pub fn len(&self) -> usize {
        match self {
            Self::Plain(bytes) => bytes.len(),
            Self::Secret(bytes) => bytes.expose_secret().len(),
            Self::Missing => 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a core.
    pub cpu_limit: Option<u64>,
    pub cpu_request: Option<u64>,
    /// Bytes.
    pub memory_limit: Option<u64>,
    pub memory_request: Option<u64>,
    pub disk_limit: Option<u64>,
    /// By resource.
    pub devices: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    pub user: Option<i64>,
    pub group: Option<i64>,
    pub groups: Vec<i64>,
    /// The group that volumes and secrets belong to.
    pub volume_group: Option<i64>,
    pub read_only: bool,
    pub privileged: bool,
    pub add: Vec<String>,
    pub drop: Vec<String>,
    pub no_new_privileges: bool,
    pub seccomp_unconfined: bool,
    /// `unconfined`, or the name of a profile that nodes have.
    pub apparmor: Option<String>,
    /// `user`, `role`, `type`, `level`.
    pub selinux: BTreeMap<String, String>,
}

/// Where pods may run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// A label of nodes, whether it has to be so, and its value.
    pub nodes: Vec<(String, bool, String)>,
    /// Labels of nodes over whose values pods are spread.
    pub spread: Vec<String>,
    /// No two on one node.
    pub apart: bool,
}

/// What a workload has of its machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostSettings {
    pub network: bool,
    pub pid: bool,
    pub ipc: bool,
    /// Somebody else than its first process ends what it leaves behind.
    pub init: bool,
    pub name: Option<String>,
    pub domain: Option<String>,
    /// Names by address.
    pub hosts: Vec<(String, Vec<String>)>,
    pub dns: Vec<String>,
    pub dns_search: Vec<String>,
    pub dns_options: Vec<(String, Option<String>)>,
    pub sysctls: BTreeMap<String, String>,
    /// Of `amd64`, `arm64` …, and `linux` or `windows`.
    pub arch: Option<String>,
    pub os: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stop {
    /// Seconds between the signal and the end.
    pub grace: Option<u32>,
    /// Another than SIGTERM: its number, or its name without `SIG`.
    pub signal: Option<String>,
    /// Commands to run before.
    pub before: Vec<Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// How many at a time.
    pub parallel: Option<u32>,
    /// The old one goes before the new one comes.
    pub stop_first: bool,
    /// Seconds between two.
    pub delay: u32,
}

/// What is done when a job fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retry {
    pub times: u32,
    /// In the same pod.
    pub in_place: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Started,
    Healthy,
    Completed,
}

/// What must be so before a workload starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// A workload's name.
    pub on: String,
    pub condition: Condition,
    /// Without it, nothing starts.
    pub required: bool,
}

/// What was not, or not just so, taken over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// None is the file as a whole.
    pub service: Option<String>,
    /// Where it stands there: `healthcheck.test`.
    pub key: String,
    /// What happened, what it means, what to do.
    pub text: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.service {
            Some(service) => write!(f, "{service}: {}: {}", self.key, self.text),
            None => write!(f, "{}: {}", self.key, self.text),
        }
    }
}
