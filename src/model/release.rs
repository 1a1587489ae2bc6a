//! A release: what of a compose file was deployed to a cluster, under a name of its own.

use std::collections::{BTreeMap, BTreeSet};

use gaggle_commands::Expose;

use super::{ClusterId, PersonId, ReleaseId, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseState {
    /// Only its ConfigMap and Secret are there.
    Prepared,
    Deploying,
    Deployed,
    /// The last deployment did not succeed; what ran before runs.
    Failed,
    Deleting,
    /// Gaggle ended while it was deployed or deleted: what is there is told by the cluster alone.
    Interrupted,
    /// Deleted, but for its volumes.
    Kept,
}

impl ReleaseState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Deploying => "deploying",
            Self::Deployed => "deployed",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
            Self::Interrupted => "interrupted",
            Self::Kept => "deleted, its volumes are kept",
        }
    }
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Release {
    pub id: ReleaseId,
    pub cluster: ClusterId,
    pub namespace: String,
    pub name: String,
    pub owner: PersonId,
    /// `file` or `file:service` of the catalogue.
    pub source: String,
    #[serde(default)]
    pub settings: ReleaseSettings,
    pub state: ReleaseState,
    /// The last revision that is deployed; 0: none yet.
    #[serde(default)]
    pub revision: u32,
    /// Gaggle made the namespace for it.
    #[serde(default)]
    pub made_namespace: bool,
    pub created: Timestamp,
    pub changed: Timestamp,
}

/// In what a release differs from its file. Secret values are kept apart.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ReleaseSettings {
    /// Which of the file's services; empty: all.
    pub services: BTreeSet<String>,
    /// Variables by name, for all of its services that have them, or for the one that is deployed.
    pub set: BTreeMap<String, String>,
    /// Variables that are gone.
    pub unset: BTreeSet<String>,
    pub secret: BTreeSet<String>,
    pub plain: BTreeSet<String>,
    pub replicas: Option<u32>,
    pub health_path: Option<String>,
    pub expose: Option<Expose>,
    /// Pods by workload, as they were scaled.
    pub scaled: BTreeMap<String, u32>,
}

/// What was deployed once.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Revision {
    pub number: u32,
    pub at: Timestamp,
    pub by: PersonId,
    pub settings: ReleaseSettings,
    /// The names of the secret values that it refers to.
    #[serde(default)]
    pub values: Vec<String>,
    /// The objects; in place of secret values there are digests.
    pub manifests: serde_json::Value,
}
