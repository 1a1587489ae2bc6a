//! What a project becomes on the cluster: its objects, whole, from what is known of it. Pure; asks nobody.
//!
//! Invariants: the same project and options give the same objects, byte for byte, so that an unchanged one is known by its hash
//! and needs no write. No `Debug` shows what is in a Secret.

mod environment;
mod own;
mod pod;
mod shared;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{
    ConfigMap, LimitRange, Namespace, PersistentVolumeClaim, ResourceQuota, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use kube::core::ApiResource;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

pub use self::environment::SERVER_KEY;
use self::own::Own;
pub use self::pod::WORKSPACE;
use super::names;
use super::options::Options;
use crate::runtime::Launch;

pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Which Gaggle of the cluster.
pub const INSTANCE: &str = "gaggle.dev/instance";
/// The project's id.
pub const PROJECT: &str = "gaggle.dev/project";
/// The owner, as [`names::slug`] has it.
pub const OWNER: &str = "gaggle.dev/owner";
/// Annotations: the project's name, the owner's id, the project's settings as JSON.
pub const NAME: &str = "gaggle.dev/name";
pub const OWNER_ID: &str = "gaggle.dev/owner-id";
pub const SETTINGS: &str = "gaggle.dev/settings";
/// Annotation of the Deployment: [`key_check`] of the server's key.
pub const KEY_CHECK: &str = "gaggle.dev/key-check";
/// Annotation: [`Manifest::hash`].
pub const HASH: &str = "gaggle.dev/hash";
/// Annotation of pods: what their variables and secrets were made from.
pub const CONFIG: &str = "gaggle.dev/config";

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Kind {
    Namespace,
    ResourceQuota,
    LimitRange,
    NetworkPolicy,
    ServiceAccount,
    Secret,
    ConfigMap,
    /// PersistentVolumeClaim
    Claim,
    Service,
    Ingress,
    Deployment,
}

impl Kind {
    pub fn resource(self) -> ApiResource {
        match self {
            Self::Namespace => ApiResource::erase::<Namespace>(&()),
            Self::ResourceQuota => ApiResource::erase::<ResourceQuota>(&()),
            Self::LimitRange => ApiResource::erase::<LimitRange>(&()),
            Self::NetworkPolicy => ApiResource::erase::<NetworkPolicy>(&()),
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Self::Secret => ApiResource::erase::<Secret>(&()),
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::Claim => ApiResource::erase::<PersistentVolumeClaim>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::Ingress => ApiResource::erase::<Ingress>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
        }
    }

    /// In the order in which they have to come.
    pub fn all() -> [Kind; 11] {
        [
            Self::Namespace,
            Self::ResourceQuota,
            Self::LimitRange,
            Self::NetworkPolicy,
            Self::ServiceAccount,
            Self::Secret,
            Self::ConfigMap,
            Self::Claim,
            Self::Service,
            Self::Ingress,
            Self::Deployment,
        ]
    }

    pub fn shown(self) -> &'static str {
        match self {
            Self::Namespace => "Namespace",
            Self::ResourceQuota => "ResourceQuota",
            Self::LimitRange => "LimitRange",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::ServiceAccount => "ServiceAccount",
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
            Self::Claim => "PersistentVolumeClaim",
            Self::Service => "Service",
            Self::Ingress => "Ingress",
            Self::Deployment => "Deployment",
        }
    }
}

/// An object as it is applied.
#[derive(Clone, PartialEq)]
pub struct Manifest {
    pub kind: Kind,
    pub name: String,
    pub namespace: Option<String>,
    /// All of it, with its hash as an annotation.
    pub body: Value,
    /// Of the body without this hash.
    pub hash: String,
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Manifest");
        shown.field("kind", &self.kind).field("name", &self.name).field("namespace", &self.namespace).field("hash", &self.hash);
        if self.kind != Kind::Secret {
            shown.field("body", &self.body);
        }
        shown.finish()
    }
}

impl Manifest {
    fn new(kind: Kind, name: &str, namespace: Option<&str>, mut body: Value) -> Self {
        if let Some(annotations) = body.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
            annotations.remove(HASH);
        }
        // Maps are sorted, so this is canonical.
        let hash = names::hash(body.to_string().as_bytes(), 16);
        body["metadata"]["annotations"][HASH] = json!(hash);
        Self { kind, name: name.to_owned(), namespace: namespace.map(str::to_owned), body, hash }
    }

    /// The same Deployment with this many pods.
    #[must_use]
    pub fn with_replicas(&self, n: i32) -> Self {
        let mut body = self.body.clone();
        body["spec"]["replicas"] = json!(n);
        Self::new(self.kind, &self.name, self.namespace.as_deref(), body)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub namespace: String,
    /// Of the owner's namespace: itself first.
    pub shared: Vec<Manifest>,
    pub own: Vec<Manifest>,
    /// With no pod.
    pub deployment: Manifest,
}

impl Plan {
    /// In the order in which they have to come.
    pub fn all(&self) -> impl Iterator<Item = &Manifest> {
        self.shared.iter().chain(&self.own).chain([&self.deployment])
    }
}

/// Tells server keys apart. They are as long as a hash and random, so that nobody finds one by this.
pub fn key_check(key: &SecretString) -> String {
    names::hash(format!("gaggle server key {}", key.expose_secret()).as_bytes(), 16)
}

/// Labels and annotations.
#[derive(Clone)]
struct Metadata {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl Metadata {
    /// Of what the owner's projects share.
    fn shared(launch: &Launch, options: &Options) -> Self {
        let mut metadata = Self { labels: BTreeMap::new(), annotations: BTreeMap::new() };
        metadata.label("app.kubernetes.io/part-of", "gaggle");
        metadata.label(MANAGED_BY, "gaggle");
        metadata.label(INSTANCE, &options.instance);
        metadata.label(OWNER, &names::slug(&launch.owner));
        metadata.annotations.insert(OWNER_ID.to_owned(), launch.owner.0.clone());
        metadata
    }

    fn own(launch: &Launch, options: &Options) -> Self {
        let mut metadata = Self::shared(launch, options);
        metadata.label("app.kubernetes.io/name", "gaggle-project");
        metadata.label("app.kubernetes.io/instance", &names::project(&launch.project));
        metadata.label("app.kubernetes.io/component", "agent");
        metadata.label(PROJECT, &launch.project.0);
        metadata.annotations.insert(NAME.to_owned(), launch.name.clone());
        metadata
    }

    fn label(&mut self, name: &str, value: &str) {
        self.labels.insert(name.to_owned(), value.to_owned());
    }

    /// `rest` is all but apiVersion, kind and metadata.
    fn manifest(&self, kind: Kind, name: &str, namespace: Option<&str>, rest: Value) -> Manifest {
        let mut body = rest;
        body["apiVersion"] = json!(kind.resource().api_version);
        body["kind"] = json!(kind.shown());
        body["metadata"] = json!({ "name": name, "labels": self.labels, "annotations": self.annotations });
        if let Some(namespace) = namespace {
            body["metadata"]["namespace"] = json!(namespace);
        }
        Manifest::new(kind, name, namespace, body)
    }
}

/// In the owner's namespace, or in the one where the project is already.
pub fn plan(launch: &Launch, options: &Options, there: Option<&str>) -> Plan {
    let namespace = there.map_or_else(|| names::namespace(&options.namespace_prefix, &launch.owner), str::to_owned);
    let shared = shared::shared(&namespace, &Metadata::shared(launch, options), options);
    let metadata = Metadata::own(launch, options);
    let maker = Own { launch, options, namespace: &namespace, metadata: &metadata };
    let environment = environment::environment(launch, options);
    let own = maker.all(&environment);
    // Nobody can guess secrets by their hash: the server's key is among them.
    let contents = own.iter().filter(|made| matches!(made.kind, Kind::Secret | Kind::ConfigMap));
    let contents: String = contents.map(|made| made.body["data"].to_string()).collect();
    let deployment = maker.deployment(&names::hash(contents.as_bytes(), 16));
    Plan { namespace, shared, own, deployment }
}
