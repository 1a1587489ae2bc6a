//! Where a release is reached: by what its Services and Ingresses say. Pure.
//!
//! Invariant: no address is made up. One that is not known yet is pending, and says so.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::runtime::kubernetes::release::NAME;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// From within the cluster.
    Cluster,
    /// From within the cluster, by the addresses of the pods.
    Headless,
    NodePort,
    LoadBalancer,
    Ingress,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    pub workload: String,
    /// The Service's or the Ingress's.
    pub name: String,
    pub reach: Reach,
    /// `host:port` or a URL. None: not known yet, or not to be seen.
    pub address: Option<String>,
    pub protocol: String,
    /// Why there is no address, in a few words.
    pub note: Option<String>,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reach = match self.reach {
            Reach::Cluster => "within the cluster",
            Reach::Headless => "within the cluster, pod by pod",
            Reach::NodePort => "at a port of the nodes",
            Reach::LoadBalancer => "by its load balancer",
            Reach::Ingress => "by its host name",
        };
        match &self.address {
            Some(address) => write!(f, "`{}`: `{address}` {reach}", self.workload)?,
            None => write!(f, "`{}`: {reach}, no address yet", self.workload)?,
        }
        match &self.note {
            Some(note) => write!(f, " ({note})"),
            None => Ok(()),
        }
    }
}

pub fn endpoints(objects: &[Value], nodes: Option<&[Value]>) -> Vec<Endpoint> {
    let mut all = Vec::new();
    for object in objects {
        match object["kind"].as_str() {
            Some("Service") => service(object, nodes, &mut all),
            Some("Ingress") => ingress(object, &mut all),
            _ => {}
        }
    }
    all
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn workload(object: &Value) -> String {
    text(&object["metadata"]["labels"], NAME).to_owned()
}

fn balancer(object: &Value) -> Vec<String> {
    let given = object["status"]["loadBalancer"]["ingress"].as_array();
    let address = |one: &Value| one["hostname"].as_str().or(one["ip"].as_str()).map(str::to_owned);
    given.into_iter().flatten().filter_map(address).collect()
}

/// An IPv6 address stands in brackets before its port.
fn with_port(host: &str, port: u64) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Where nodes are reached, outside first.
fn node_addresses(nodes: &[Value]) -> Vec<String> {
    let of = |node: &Value| {
        let addresses = node["status"]["addresses"].as_array().cloned().unwrap_or_default();
        let kind = |kind: &str| addresses.iter().find(|a| a["type"] == kind).map(|a| text(a, "address").to_owned());
        kind("ExternalIP").or_else(|| kind("InternalIP")).or_else(|| kind("Hostname"))
    };
    nodes.iter().filter_map(of).collect()
}

fn service(object: &Value, nodes: Option<&[Value]>, all: &mut Vec<Endpoint>) {
    let (meta, spec) = (&object["metadata"], &object["spec"]);
    let (name, namespace) = (text(meta, "name"), text(meta, "namespace"));
    let inside = format!("{name}.{namespace}.svc.cluster.local");
    let ports = spec["ports"].as_array().cloned().unwrap_or_default();
    let mut put = |reach: Reach, address: Option<String>, port: &Value, note: Option<&str>| {
        let protocol = port["protocol"].as_str().unwrap_or("TCP").to_owned();
        let (name, note) = (name.to_owned(), note.map(str::to_owned));
        all.push(Endpoint { workload: workload(object), name, reach, address, protocol, note });
    };
    let headless = spec["clusterIP"] == "None";
    let reach = if headless { Reach::Headless } else { Reach::Cluster };
    if ports.is_empty() {
        return put(reach, Some(inside), &Value::Null, None);
    }
    for port in &ports {
        let number = port["port"].as_u64().unwrap_or(0);
        put(reach.clone(), Some(with_port(&inside, number)), port, None);
        match text(spec, "type") {
            "NodePort" => match (port["nodePort"].as_u64(), nodes.map(node_addresses)) {
                (Some(outer), Some(addresses)) if !addresses.is_empty() => {
                    for address in addresses {
                        put(Reach::NodePort, Some(with_port(&address, outer)), port, None);
                    }
                }
                (Some(outer), _) => put(
                    Reach::NodePort,
                    None,
                    port,
                    Some(&format!("port {outer} of every node, whose addresses may not be read")),
                ),
                (None, _) => put(Reach::NodePort, None, port, Some("pending")),
            },
            "LoadBalancer" => match balancer(object) {
                none if none.is_empty() => put(Reach::LoadBalancer, None, port, Some("pending")),
                some => some.iter().for_each(|host| put(Reach::LoadBalancer, Some(with_port(host, number)), port, None)),
            },
            _ => {}
        }
    }
}

fn ingress(object: &Value, all: &mut Vec<Endpoint>) {
    let spec = &object["spec"];
    let secure: Vec<&str> = spec["tls"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|tls| tls["hosts"].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let pending = balancer(object).is_empty();
    let mut hosts: BTreeMap<&str, ()> = BTreeMap::new();
    for rule in spec["rules"].as_array().into_iter().flatten() {
        hosts.insert(text(rule, "host"), ());
    }
    for host in hosts.into_keys() {
        let scheme = if secure.contains(&host) { "https" } else { "http" };
        all.push(Endpoint {
            workload: workload(object),
            name: text(&object["metadata"], "name").to_owned(),
            reach: Reach::Ingress,
            address: Some(format!("{scheme}://{host}")),
            protocol: "HTTP".to_owned(),
            note: pending.then(|| "no ingress controller has taken it yet".to_owned()),
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(spec: Value, status: Value) -> Value {
        json!({ "kind": "Service", "metadata": { "name": "web", "namespace": "shop", "labels": { NAME: "web" } }, "spec": spec, "status": status })
    }

    fn shown(object: Value, nodes: Option<&[Value]>) -> Vec<String> {
        let all = endpoints(&[object], nodes);
        all.into_iter()
            .map(|e| format!("{:?} {} {}", e.reach, e.address.unwrap_or_default(), e.note.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn addresses_are_what_the_cluster_says() {
        let ports = json!([{ "port": 80, "nodePort": 30080, "protocol": "TCP" }]);
        let inside = "Cluster web.shop.svc.cluster.local:80 ";
        let node = [
            json!({ "status": { "addresses": [{ "type": "InternalIP", "address": "10.1.2.3" }, { "type": "Hostname", "address": "n" }] } }),
        ];
        let by_node = service(json!({ "type": "NodePort", "clusterIP": "10.0.0.1", "ports": ports }), json!({}));
        assert_eq!(shown(by_node.clone(), Some(&node)), [inside, "NodePort 10.1.2.3:30080 "]);
        assert_eq!(shown(by_node, None)[1], "NodePort  port 30080 of every node, whose addresses may not be read");
        let balanced = |status| service(json!({ "type": "LoadBalancer", "ports": ports }), status);
        assert_eq!(shown(balanced(json!({})), None)[1], "LoadBalancer  pending");
        let named = balanced(json!({ "loadBalancer": { "ingress": [{ "hostname": "lb.example.com" }] } }));
        assert_eq!(shown(named, None)[1], "LoadBalancer lb.example.com:80 ");
        let headless = service(json!({ "clusterIP": "None" }), json!({}));
        assert_eq!(shown(headless, None), ["Headless web.shop.svc.cluster.local "]);
    }
}
