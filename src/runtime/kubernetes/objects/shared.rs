//! What an owner's namespace has once, for all of their projects.

use serde_json::{Value, json};

use super::super::options::Options;
use super::super::tables::{Cidr, Limits, Walls};
use super::{INSTANCE, Kind, MANAGED_BY, Manifest, Metadata};

const NAME: &str = "gaggle";

/// In the order in which they have to come.
pub fn shared(namespace: &str, metadata: &Metadata, options: &Options) -> Vec<Manifest> {
    let inside = |kind, spec: Value| metadata.manifest(kind, NAME, Some(namespace), json!({ "spec": spec }));
    let mut all = vec![self::namespace(namespace, metadata, options)];
    all.extend(options.quota.as_ref().map(|hard| inside(Kind::ResourceQuota, json!({ "hard": hard }))));
    all.extend(options.limits.as_ref().map(|limits| inside(Kind::LimitRange, limit_range(limits, options))));
    all.extend(options.network_policy.as_ref().map(|walls| inside(Kind::NetworkPolicy, network_policy(walls, options))));
    all
}

fn namespace(name: &str, metadata: &Metadata, options: &Options) -> Manifest {
    let mut metadata = metadata.clone();
    if let Some(level) = options.pod_security {
        for mode in ["enforce", "warn"] {
            metadata.labels.insert(format!("pod-security.kubernetes.io/{mode}"), level.to_owned());
        }
    }
    metadata.manifest(Kind::Namespace, name, None, json!({}))
}

fn limit_range(limits: &Limits, options: &Options) -> Value {
    let usual = if limits.usual.is_empty() { &options.resources.limits } else { &limits.usual };
    let request = if limits.default_request.is_empty() { &options.resources.requests } else { &limits.default_request };
    let mut limit = json!({ "type": "Container", "default": usual, "defaultRequest": request });
    if !limits.max.is_empty() {
        limit["max"] = json!(limits.max);
    }
    json!({ "limits": [limit] })
}

fn network_policy(walls: &Walls, options: &Options) -> Value {
    let from = match walls.ingress_namespaces.as_slice() {
        [] => json!({
            "namespaceSelector": {},
            "podSelector": { "matchLabels": { "app.kubernetes.io/name": "gaggle" } },
        }),
        names => json!({
            "namespaceSelector": {
                "matchExpressions": [{ "key": "kubernetes.io/metadata.name", "operator": "In", "values": names }],
            },
        }),
    };
    let blocks: Vec<Value> = walls.egress.iter().filter_map(|cidr| block(cidr, &walls.egress_except)).collect();
    // Names are looked up wherever the cluster has them looked up, which may be a link-local address of the node.
    let mut egress = vec![json!({ "ports": [{ "protocol": "UDP", "port": 53 }, { "protocol": "TCP", "port": 53 }] })];
    if !blocks.is_empty() {
        egress.push(json!({ "to": blocks }));
    }
    json!({
        "podSelector": { "matchLabels": { MANAGED_BY: "gaggle", INSTANCE: options.instance } },
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{ "from": [from], "ports": [{ "protocol": "TCP", "port": "http" }] }],
        "egress": egress,
    })
}

/// Exceptions have to lie inside of what they are exceptions of.
fn block(cidr: &Cidr, except: &[Cidr]) -> Option<Value> {
    if except.iter().any(|other| other.contains(cidr)) {
        return None;
    }
    let inside: Vec<String> = except.iter().filter(|other| cidr.contains(other)).map(ToString::to_string).collect();
    let mut block = json!({ "cidr": cidr.to_string() });
    if !inside.is_empty() {
        block["except"] = json!(inside);
    }
    Some(json!({ "ipBlock": block }))
}
