//! What was found when a cluster was verified: plain data, as it is kept and shown.
//!
//! Invariant: "not allowed to look" is never the same as "there is none".

use super::Timestamp;

/// What was found, if one may look.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known<T> {
    Found(T),
    NotAllowed,
}

impl<T> Known<T> {
    pub fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            Self::NotAllowed => None,
        }
    }
}

/// Whom the server takes the credentials for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    pub name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// One row of what the credentials may do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct May {
    /// With its subresource and group: `pods/log`, `deployments.apps`.
    pub resource: String,
    /// Where it was asked for; in the whole cluster without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Each verb that was asked for, and whether it is granted.
    pub verbs: Vec<(String, bool)>,
}

impl May {
    pub fn all(&self) -> bool {
        self.verbs.iter().all(|(_, granted)| *granted)
    }

    pub fn denied(&self) -> impl Iterator<Item = &str> {
        self.verbs.iter().filter(|(_, granted)| !granted).map(|(verb, _)| verb.as_str())
    }
}

/// An operator, found by the kinds that it brings.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Operator {
    pub name: String,
    /// The definitions that show it: `clusters.postgresql.cnpg.io`.
    pub evidence: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Verified {
    pub at: Timestamp,
    /// `v1.36.3`; unknown where it may not be asked for.
    pub version: Option<String>,
    /// Unknown on servers before 1.28.
    pub identity: Option<Identity>,
    /// For which rights and existence were asked.
    pub namespace: String,
    pub namespace_exists: Known<bool>,
    pub nodes: Known<u64>,
    pub operators: Known<Vec<Operator>>,
    pub may: Known<Vec<May>>,
}

impl Verified {
    /// Whether something is granted; unknown if it was not asked for.
    pub fn may(&self, verb: &str, resource: &str) -> Option<bool> {
        let row = self.may.found()?.iter().find(|row| row.resource == resource)?;
        row.verbs.iter().find(|(known, _)| known == verb).map(|(_, granted)| *granted)
    }
}
