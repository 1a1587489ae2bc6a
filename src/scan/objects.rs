//! The few fields of the API's objects that a scan looks at. Everything else is skipped while reading, never kept.
//!
//! Invariant: of a Secret there is only what its metadata says; of a container's environment only which Secrets it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, de};

/// What is null is as good as absent.
fn absent<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(input: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(input)?.unwrap_or_default())
}

/// So that no whole list is ever kept with what is dropped from it.
fn slim<'de, D: Deserializer<'de>>(input: D) -> Result<PodSpec, D::Error> {
    Ok(absent::<D, PodSpec>(input)?.slim())
}

pub type Labels = BTreeMap<String, String>;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Meta {
    pub name: String,
    pub namespace: String,
    #[serde(deserialize_with = "absent")]
    pub labels: Labels,
    #[serde(rename = "ownerReferences", deserialize_with = "absent")]
    pub owners: Vec<Owner>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct Owner {
    pub kind: String,
    pub name: String,
    pub uid: String,
    #[serde(deserialize_with = "absent")]
    pub controller: bool,
}

/// A number or a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    Number(u16),
    Name(String),
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Target;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a port's number or name")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Target, E> {
                Ok(Target::Number(u16::try_from(number).unwrap_or_default()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Target, E> {
                Ok(Target::Number(u16::try_from(number).unwrap_or_default()))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Target, E> {
                Ok(text.parse().map_or_else(|_| Target::Name(text.to_owned()), Target::Number))
            }
        }
        input.deserialize_any(Either)
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Service {
    pub metadata: Meta,
    #[serde(deserialize_with = "absent")]
    pub spec: ServiceSpec,
    #[serde(deserialize_with = "absent")]
    pub status: ServiceStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceSpec {
    #[serde(rename = "type", deserialize_with = "absent")]
    pub kind: String,
    #[serde(rename = "clusterIP", deserialize_with = "absent")]
    pub cluster_ip: String,
    #[serde(deserialize_with = "absent")]
    pub external_name: String,
    #[serde(deserialize_with = "absent")]
    pub selector: Labels,
    #[serde(deserialize_with = "absent")]
    pub ports: Vec<ServicePort>,
    #[serde(deserialize_with = "absent")]
    pub external_traffic_policy: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServicePort {
    #[serde(deserialize_with = "absent")]
    pub name: String,
    #[serde(deserialize_with = "absent")]
    pub protocol: String,
    #[serde(deserialize_with = "absent")]
    pub app_protocol: String,
    pub port: u16,
    pub target_port: Option<Target>,
    #[serde(deserialize_with = "absent")]
    pub node_port: u16,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ServiceStatus {
    #[serde(rename = "loadBalancer", deserialize_with = "absent")]
    pub load_balancer: LoadBalancer,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LoadBalancer {
    #[serde(deserialize_with = "absent")]
    pub ingress: Vec<Ingress>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Ingress {
    pub ip: Option<String>,
    pub hostname: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Slice {
    pub metadata: Meta,
    #[serde(deserialize_with = "absent")]
    pub address_type: String,
    #[serde(deserialize_with = "absent")]
    pub endpoints: Vec<SliceEndpoint>,
    #[serde(deserialize_with = "absent")]
    pub ports: Vec<SlicePort>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SliceEndpoint {
    #[serde(deserialize_with = "absent")]
    pub addresses: Vec<String>,
    #[serde(deserialize_with = "absent")]
    pub conditions: Conditions,
    pub hostname: Option<String>,
    pub node_name: Option<String>,
    pub target_ref: Option<TargetRef>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// Absent means that it is not known, which counts as ready.
    pub ready: Option<bool>,
    pub terminating: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TargetRef {
    pub kind: String,
    pub name: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SlicePort {
    #[serde(deserialize_with = "absent")]
    pub name: String,
    pub port: Option<u16>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Pod {
    pub metadata: Meta,
    #[serde(deserialize_with = "slim")]
    pub spec: PodSpec,
    #[serde(deserialize_with = "absent")]
    pub status: PodStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PodStatus {
    #[serde(deserialize_with = "absent")]
    pub phase: String,
    #[serde(deserialize_with = "absent")]
    pub conditions: Vec<Condition>,
}

/// What pods of one workload have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec {
    #[serde(deserialize_with = "absent")]
    pub containers: Vec<Container>,
    #[serde(deserialize_with = "absent")]
    pub init_containers: Vec<Container>,
    #[serde(deserialize_with = "absent")]
    pub volumes: Vec<Volume>,
    #[serde(deserialize_with = "absent")]
    pub subdomain: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Container {
    #[serde(deserialize_with = "absent")]
    pub name: String,
    #[serde(deserialize_with = "absent")]
    pub image: String,
    #[serde(deserialize_with = "absent")]
    pub command: Vec<String>,
    #[serde(deserialize_with = "absent")]
    pub args: Vec<String>,
    #[serde(deserialize_with = "absent")]
    pub ports: Vec<ContainerPort>,
    #[serde(deserialize_with = "absent")]
    pub env: Vec<Variable>,
    #[serde(deserialize_with = "absent")]
    pub env_from: Vec<Source>,
    #[serde(deserialize_with = "absent")]
    pub volume_mounts: Vec<Mount>,
    #[serde(deserialize_with = "absent")]
    pub restart_policy: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerPort {
    #[serde(deserialize_with = "absent")]
    pub name: String,
    pub container_port: u16,
}

/// Without its name and value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Variable {
    pub value_from: Option<From>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct From {
    pub secret_key_ref: Option<Named>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Source {
    pub secret_ref: Option<Named>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct Named {
    #[serde(deserialize_with = "absent")]
    pub name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Mount {
    #[serde(deserialize_with = "absent")]
    pub mount_path: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct Volume {
    pub secret: Option<SecretVolume>,
    pub projected: Option<Projected>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecretVolume {
    #[serde(deserialize_with = "absent")]
    pub secret_name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct Projected {
    #[serde(deserialize_with = "absent")]
    pub sources: Vec<ProjectedSource>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct ProjectedSource {
    pub secret: Option<Named>,
}

impl PodSpec {
    /// Those that keep running, sidecars among the init containers too; and without what no scan asks for, so that pods of one
    /// workload are equal.
    fn slim(mut self) -> Self {
        let sidecars = std::mem::take(&mut self.init_containers).into_iter().filter(|c| c.restart_policy == "Always");
        self.containers.extend(sidecars);
        for container in &mut self.containers {
            container.env.retain(|v| v.value_from.as_ref().is_some_and(|f| f.secret_key_ref.is_some()));
            container.env_from.retain(|s| s.secret_ref.is_some());
            container.volume_mounts.retain(|m| !m.mount_path.starts_with("/var/run/secrets/"));
            // What follows may hold a password, and tells no program.
            container.args.truncate(2);
            container.command.truncate(4);
        }
        self.volumes
            .retain(|v| v.secret.is_some() || v.projected.as_ref().is_some_and(|p| p.sources.iter().any(|s| s.secret.is_some())));
        self
    }

    /// Names of the Secrets that its containers are given.
    pub fn secrets(&self) -> BTreeSet<&str> {
        let containers = self.containers.iter().flat_map(|c| {
            let variables = c.env.iter().filter_map(|v| v.value_from.as_ref()?.secret_key_ref.as_ref());
            variables.chain(c.env_from.iter().filter_map(|s| s.secret_ref.as_ref())).map(|n| n.name.as_str())
        });
        let volumes = self.volumes.iter().flat_map(|v| {
            let projected = v.projected.iter().flat_map(|p| &p.sources).filter_map(|s| Some(s.secret.as_ref()?.name.as_str()));
            v.secret.iter().map(|s| s.secret_name.as_str()).chain(projected)
        });
        containers.chain(volumes).filter(|name| !name.is_empty()).collect()
    }
}

/// A Deployment or a StatefulSet, for Services whose pods are not there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Controller {
    pub metadata: Meta,
    pub spec: ControllerSpec,
    /// Set after reading: lists do not say of each item what it is.
    #[serde(skip)]
    pub stateful: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ControllerSpec {
    pub template: Template,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Template {
    #[serde(deserialize_with = "absent")]
    pub metadata: Meta,
    #[serde(deserialize_with = "slim")]
    pub spec: PodSpec,
}

/// A Secret or a Namespace: nothing but its metadata.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Object {
    pub metadata: Meta,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Node {
    pub metadata: Meta,
    #[serde(deserialize_with = "absent")]
    pub status: NodeStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NodeStatus {
    #[serde(deserialize_with = "absent")]
    pub addresses: Vec<NodeAddress>,
    #[serde(deserialize_with = "absent")]
    pub conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NodeAddress {
    #[serde(rename = "type")]
    pub kind: String,
    pub address: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: String,
}
