//! What a scan of a cluster found: which databases, queues and the like run there, where they are reached, and how that is known.
//!
//! Invariant: holds names of Secrets, never a value. What could not be read is told in `unreadable` and is never "not found".

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Timestamp;

/// What was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Namespace(String),
    All,
}

/// One scan of one scope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scan {
    pub scope: Scope,
    pub taken: Timestamp,
    /// Every kind that was looked for.
    pub kinds: Vec<KindName>,
    /// Instances, best first within their kind.
    pub findings: Vec<Finding>,
    pub unreadable: Vec<Unreadable>,
    /// How many Services were looked at.
    pub services: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindName {
    pub name: String,
    pub default_port: u16,
}

/// Objects that we may not read, or whose list did not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// As the API calls them: `services`.
    pub resource: String,
    /// Nothing: in the whole cluster.
    pub namespace: Option<String>,
    pub why: String,
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Ports and names agree, and nothing says otherwise.
    Possible,
    /// Several independent signs agree.
    Likely,
    /// The image that answers at the port is of this kind.
    Certain,
}

/// One instance: all Services that lead to the same pods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub kind: String,
    pub namespace: String,
    /// The best of its Services.
    pub name: String,
    /// All of them, best first.
    pub services: Vec<String>,
    pub confidence: Confidence,
    /// Why it is taken for one, the weightiest first.
    pub evidence: Vec<Evidence>,
    /// Best first: inside the cluster before outside.
    pub endpoints: Vec<Endpoint>,
    /// Endpoints that take requests, of all there are.
    pub ready: usize,
    pub total: usize,
    /// As the image's tag tells it.
    pub version: Option<String>,
    pub image: Option<String>,
    pub workload: Option<Workload>,
    /// Names of Secrets that belong to it.
    pub secrets: Vec<String>,
    /// A connection string with the places `USER`, `PASSWORD` and `DB`.
    pub connection: String,
}

/// One sign, as a short sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub weight: u16,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EndpointKind {
    #[serde(rename = "ClusterIP")]
    ClusterIp,
    Headless,
    /// One pod of a headless Service.
    Pod,
    NodePort,
    LoadBalancer,
    ExternalName,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub service: String,
    pub kind: EndpointKind,
    /// `HOST:PORT`; nothing while a load balancer is pending, or where the nodes' addresses may not be read.
    pub address: Option<String>,
    pub port: u16,
    pub port_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// What runs the pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    pub kind: String,
    pub name: String,
}

/// What came and went between two scans.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    pub came: Vec<Finding>,
    pub went: Vec<Finding>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.came.is_empty() && self.went.is_empty()
    }
}

impl Scan {
    /// Whether the Services of a namespace were read; with nothing, of the whole scope.
    pub fn read_services(&self, namespace: Option<&str>) -> bool {
        let covered = match (&self.scope, namespace) {
            (Scope::Namespace(own), Some(other)) => own == other,
            _ => true,
        };
        let hidden = |u: &Unreadable| match (&u.namespace, namespace) {
            (Some(hidden), Some(namespace)) => hidden == namespace,
            _ => true,
        };
        covered && !self.unreadable.iter().any(|u| u.resource == "services" && hidden(u))
    }

    /// The instances of a kind, best first.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Finding> {
        self.findings.iter().filter(move |f| f.kind == kind)
    }

    /// Per kind whether it was found, and where. `found` is null where Services could not be read, since then nobody knows.
    pub fn data(&self) -> Map<String, Value> {
        let all_read = self.read_services(None);
        let row = |kind: &KindName| {
            let instances: Vec<&Finding> = self.of(&kind.name).collect();
            let mut seen = BTreeSet::new();
            let endpoints: Vec<&str> = instances
                .iter()
                .flat_map(|f| &f.endpoints)
                .filter_map(|e| e.address.as_deref())
                .filter(|address| seen.insert(*address))
                .collect();
            let found = match (instances.is_empty(), all_read) {
                (false, _) => Value::Bool(true),
                (true, true) => Value::Bool(false),
                (true, false) => Value::Null,
            };
            let mut value = json!({
                "found": found,
                "endpoints": endpoints,
                "type": kind.name,
                "default_port": kind.default_port,
                "instances": instances.iter().map(|f| f.data()).collect::<Vec<_>>(),
            });
            if found.is_null() {
                value["unknown"] = json!(self.hidden("services"));
            }
            (kind.name.clone(), value)
        };
        self.kinds.iter().map(row).collect()
    }

    /// What of a resource could not be read, as one sentence.
    pub fn hidden(&self, resource: &str) -> Option<String> {
        let hidden: Vec<&Unreadable> = self.unreadable.iter().filter(|u| u.resource == resource).collect();
        let first = hidden.first()?;
        let names: Vec<&str> = hidden.iter().filter_map(|u| u.namespace.as_deref()).collect();
        Some(match (names.as_slice(), hidden.len()) {
            ([], _) => format!("{resource} could not be read in any namespace: {}", first.why),
            ([one], _) => format!("{resource} could not be read in {one}: {}", first.why),
            (names, count) => {
                let shown = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
                let more = if count > 5 { format!(" and {} more", count - 5) } else { String::new() };
                format!("{resource} could not be read in {shown}{more}: {}", first.why)
            }
        })
    }

    /// What could not be read, one sentence for each resource.
    pub fn all_hidden(&self) -> Vec<String> {
        let resources: BTreeSet<&str> = self.unreadable.iter().map(|u| u.resource.as_str()).collect();
        resources.into_iter().filter_map(|resource| self.hidden(resource)).collect()
    }

    /// What came and what went. Only what both looked at: what may no longer be read has not gone, and a kind that was not looked
    /// for has not come.
    pub fn changes_since(&self, before: &Scan) -> Changes {
        let missing = |found: &Scan, than: &Scan| -> Vec<Finding> {
            let looked = |f: &Finding| than.kinds.iter().any(|k| k.name == f.kind) && than.read_services(Some(&f.namespace));
            found.findings.iter().filter(|f| looked(f) && !than.findings.iter().any(|o| o.same(f))).cloned().collect()
        };
        Changes { came: missing(self, before), went: missing(before, self) }
    }
}

impl Finding {
    /// The same instance, also when a Service came or went.
    fn same(&self, other: &Finding) -> bool {
        self.kind == other.kind
            && self.namespace == other.namespace
            && self.services.iter().any(|service| other.services.contains(service))
    }

    fn data(&self) -> Value {
        let endpoint = |e: &Endpoint| {
            json!({
                "service": e.service, "type": e.kind, "address": e.address.as_deref().unwrap_or(match e.kind {
                    EndpointKind::LoadBalancer => "pending",
                    _ => "unknown",
                }),
                "port": e.port, "port_name": e.port_name, "note": e.note,
            })
        };
        json!({
            "name": self.name,
            "namespace": self.namespace,
            "services": self.services,
            "endpoints": self.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
            "ready": self.ready,
            "total": self.total,
            "version": self.version,
            "image": self.image,
            "workload": self.workload,
            "secrets": self.secrets,
            "connection": self.connection,
            "confidence": self.confidence,
            "evidence": self.evidence.iter().map(|e| e.text.as_str()).collect::<Vec<_>>(),
        })
    }
}
