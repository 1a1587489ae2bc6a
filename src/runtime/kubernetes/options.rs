//! What the operator decides about projects on the cluster, and where the way to the cluster is told.
//!
//! Invariant: `Debug` shows neither a variable's value nor an argument nor a credential.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use gaggle_commands::Expose;
use secrecy::SecretString;

use super::tables::{Amounts, Ingress, Limits, Resources, Storage, Toleration, Walls, amounts};
use crate::agent::Protocol;

#[derive(Debug, Clone)]
pub struct Options {
    pub image: String,
    /// In place of the image's entry point, if there is one.
    pub command: Words,
    /// `{port}` is replaced.
    pub args: Words,
    /// Where the agent listens in its container.
    pub port: u16,
    pub protocol: Protocol,
    /// `Always`, `IfNotPresent` or `Never`; else as Kubernetes chooses by the image's tag.
    pub pull_policy: Option<&'static str>,
    /// Secrets of the owners' namespaces.
    pub pull_secrets: Vec<String>,
    /// `[agent] env`: for agents wherever they run.
    pub agent_env: Variables,
    /// For agents of the cluster; wins over `agent_env`.
    pub env: Variables,
    pub namespace_prefix: String,
    /// Tells this Gaggle from others of the same cluster.
    pub instance: String,
    pub node_selector: BTreeMap<String, String>,
    pub tolerations: Vec<Toleration>,
    pub resources: Resources,
    pub run_as_user: u32,
    /// How long a project may take until it is ready.
    pub activation_timeout: Duration,
    /// How long a pod that is stopped may go on.
    pub stop_grace: Duration,
    pub quota: Option<Amounts>,
    pub limits: Option<Limits>,
    pub network_policy: Option<Walls>,
    /// The level of Pod Security that namespaces enforce.
    pub pod_security: Option<&'static str>,
    pub storage: Storage,
    pub connect: Connect,
    /// For projects that have no `--expose`.
    pub expose: Expose,
    pub ingress: Option<Ingress>,
    pub clone_image: String,
    /// git's protocols; more than these two in tests alone.
    pub clone_protocols: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            image: "ghcr.io/aaif-goose/goose".to_owned(),
            command: Words::default(),
            args: Words(["serve", "--host", "0.0.0.0", "--port", "{port}"].map(str::to_owned).to_vec()),
            port: 3001,
            protocol: Protocol::Auto,
            pull_policy: None,
            pull_secrets: Vec::new(),
            agent_env: Variables::default(),
            env: Variables::default(),
            namespace_prefix: "user-".to_owned(),
            instance: "gaggle".to_owned(),
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            resources: Resources::default(),
            run_as_user: 1000,
            activation_timeout: Duration::from_secs(300),
            // Goose as the first process of its container does not end when it is asked to.
            stop_grace: Duration::from_secs(2),
            quota: Some(quota()),
            limits: Some(Limits::default()),
            network_policy: Some(Walls::default()),
            pod_security: Some("restricted"),
            storage: Storage::default(),
            connect: Connect::Auto,
            expose: Expose::Cluster,
            ingress: None,
            clone_image: "docker.io/alpine/git".to_owned(),
            clone_protocols: vec!["https".to_owned(), "ssh".to_owned()],
        }
    }
}

/// Fifty agents of one owner, each as [`Resources`] has it.
pub fn quota() -> Amounts {
    amounts(&[
        ("pods", "50"),
        ("requests.cpu", "16"),
        ("requests.memory", "64Gi"),
        ("limits.cpu", "100"),
        ("limits.memory", "100Gi"),
        ("persistentvolumeclaims", "50"),
        ("requests.storage", "500Gi"),
        ("services.loadbalancers", "5"),
        ("services.nodeports", "20"),
    ])
}

/// How Gaggle itself reaches agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connect {
    /// Inside of the cluster by Service, outside by port-forward.
    Auto,
    Service,
    Pod,
    PortForward,
    Ingress,
}

/// A program or its arguments, which may hold keys.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} words", self.0.len())
    }
}

/// Variables, whose values may be keys.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(pub Vec<(String, String)>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// What the environment says of the way to the cluster, as it says it: nothing of it is chosen or understood yet.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// With the variable that it is from.
    pub kubeconfig_base64: Option<(&'static str, SecretString)>,
    /// `KUBECONFIG`: files, with the system's separator between them.
    pub kubeconfig: Option<String>,
    /// `KUBE_HOST`
    pub host: Option<String>,
    /// `KUBE_TOKEN`
    pub token: Option<SecretString>,
    /// `KUBE_CA`
    pub ca: Option<SecretString>,
    /// Where `.kube/config` may be.
    pub home: Option<PathBuf>,
}
