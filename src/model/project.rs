//! A project: an isolated environment with one agent.

use gaggle_commands::{EnvVar, Expose, ImageRef, Mode, Quantity, RepoUrl, Role};

use super::{ClusterId, PersonId, ProjectId, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Inactive,
    Activating,
    Active,
    Deactivating,
    Deleting,
    Failed,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Inactive => "inactive",
            Status::Activating => "activating",
            Status::Active => "active",
            Status::Deactivating => "deactivating",
            Status::Deleting => "deleting",
            Status::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Project {
    pub id: ProjectId,
    pub owner: PersonId,
    pub name: String,
    pub status: Status,
    /// Why it is `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it runs, if not where all do that name none. Never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterId>,
    #[serde(default)]
    pub settings: Settings,
    pub created: Timestamp,
    /// The last time that its agent did something: it was started or stopped, an answer or a command ended.
    pub used: Timestamp,
    /// Who else may use it, and how.
    #[serde(default)]
    pub grants: Vec<(PersonId, Role)>,
    /// Its folder stays when the deletion that is under way ends.
    #[serde(default)]
    pub keep_files: bool,
}

/// What people choose for a project. Takes effect on its next start.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Settings {
    pub repo: Option<RepoUrl>,
    pub cpu: Option<Quantity>,
    pub memory: Option<Quantity>,
    pub env: Vec<EnvVar>,
    pub model: Option<String>,
    pub provider: Option<String>,
    pub mode: Option<Mode>,
    pub image: Option<ImageRef>,
    /// A disk of this size that outlives the agent.
    pub disk: Option<Quantity>,
    /// Where the agent listens in its container.
    pub port: Option<u16>,
    pub expose: Option<Expose>,
}
