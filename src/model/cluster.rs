//! A cluster that people look into and deploy to. Its credentials are kept apart, sealed.

use super::{ClusterId, PersonId, Timestamp, Verified};

/// The name of the cluster that projects run in.
pub const OWN: &str = "default";

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Cluster {
    pub id: ClusterId,
    pub name: String,
    /// Who added it.
    pub owner: PersonId,
    /// An admin added it, so it is the team's.
    pub shared: bool,
    /// Without user, path or query.
    pub server: String,
    /// What its credentials are: `token`, `certificate`, or `own` for those that Gaggle itself runs with.
    pub kind: String,
    #[serde(default)]
    pub fingerprint: Option<String>,
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// Its certificate is not checked.
    #[serde(default)]
    pub insecure: bool,
    #[serde(default)]
    pub context: Option<String>,
    #[serde(default)]
    pub provider: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    /// The namespace that is meant where none is named.
    #[serde(default)]
    pub namespace: Option<String>,
    pub created: Timestamp,
    /// What the last check found.
    #[serde(default)]
    pub verified: Option<Verified>,
}

impl Cluster {
    /// The cluster that Gaggle's own credentials are for.
    pub fn is_own(&self) -> bool {
        self.kind == "own"
    }
}

/// What a channel means where nobody names a cluster.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ChannelCluster {
    pub cluster: ClusterId,
    #[serde(default)]
    pub namespace: Option<String>,
}
