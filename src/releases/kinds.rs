//! The kinds of objects that releases have.
//!
//! Invariant: what a release may have is found again by these kinds alone; a kind that is applied stands here.

use std::fmt;

use kube::core::ApiResource;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Read or reached by workloads: there before them.
    Before,
    /// Keeps pods.
    Workload,
    /// Leads to workloads: there after them.
    After,
}

pub struct Kind {
    pub api: &'static str,
    pub kind: &'static str,
    plural: &'static str,
    pub part: Part,
}

/// In the order in which they come.
pub const KINDS: &[Kind] = &[
    Kind { api: "v1", kind: "ConfigMap", plural: "configmaps", part: Part::Before },
    Kind { api: "v1", kind: "Secret", plural: "secrets", part: Part::Before },
    Kind { api: "v1", kind: "PersistentVolumeClaim", plural: "persistentvolumeclaims", part: Part::Before },
    Kind { api: "v1", kind: "Service", plural: "services", part: Part::Before },
    Kind { api: "v1", kind: "ServiceAccount", plural: "serviceaccounts", part: Part::Before },
    Kind { api: "rbac.authorization.k8s.io/v1", kind: "Role", plural: "roles", part: Part::Before },
    Kind { api: "rbac.authorization.k8s.io/v1", kind: "RoleBinding", plural: "rolebindings", part: Part::Before },
    Kind { api: "apps/v1", kind: "Deployment", plural: "deployments", part: Part::Workload },
    Kind { api: "apps/v1", kind: "StatefulSet", plural: "statefulsets", part: Part::Workload },
    Kind { api: "apps/v1", kind: "DaemonSet", plural: "daemonsets", part: Part::Workload },
    Kind { api: "batch/v1", kind: "Job", plural: "jobs", part: Part::Workload },
    Kind { api: "networking.k8s.io/v1", kind: "Ingress", plural: "ingresses", part: Part::After },
];

pub const POD: Kind = Kind { api: "v1", kind: "Pod", plural: "pods", part: Part::Workload };
pub const EVENT: Kind = Kind { api: "v1", kind: "Event", plural: "events", part: Part::After };
pub const NODE: Kind = Kind { api: "v1", kind: "Node", plural: "nodes", part: Part::Before };
pub const NAMESPACE: Kind = Kind { api: "v1", kind: "Namespace", plural: "namespaces", part: Part::Before };
pub const CLAIM: &str = "PersistentVolumeClaim";

/// Kinds that many releases do not have: of who may not see them, it is taken that there are none.
pub const RARE: &[&str] = &["ServiceAccount", "Role", "RoleBinding", "DaemonSet", "StatefulSet", "Job", "Ingress"];

impl Kind {
    pub const fn new(api: &'static str, kind: &'static str, plural: &'static str) -> Self {
        Self { api, kind, plural, part: Part::Before }
    }

    pub fn of(kind: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|known| known.kind == kind)
    }

    pub fn resource(&self) -> ApiResource {
        let (group, version) = self.api.split_once('/').unwrap_or(("", self.api));
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: self.api.to_owned(),
            kind: self.kind.to_owned(),
            plural: self.plural.to_owned(),
        }
    }
}

/// Which object of a release is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
pub struct Key {
    pub kind: String,
    pub name: String,
}

impl Key {
    pub fn new(kind: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned() }
    }

    pub fn part(&self) -> Part {
        Kind::of(&self.kind).map_or(Part::Before, |kind| kind.part)
    }

    pub fn is_claim(&self) -> bool {
        self.kind == CLAIM
    }

    pub fn is_workload(&self) -> bool {
        self.part() == Part::Workload
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}
