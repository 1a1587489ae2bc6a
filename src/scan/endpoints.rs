//! Where a Service is reached: inside the cluster first, then from outside.
//!
//! Invariant: an address is real or absent; no placeholder ever stands for one.

use std::collections::BTreeSet;

use super::kinds::KindRow;
use super::objects::{Node, Service, ServicePort};
use super::state::State;
use super::weigh::Match;
use crate::model::infra::{Endpoint, EndpointKind};

/// Nodes that are named for one port; any of them leads there.
const NODES: usize = 10;

fn joined(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

pub fn is_headless(service: &Service) -> bool {
    service.spec.cluster_ip == "None"
}

/// The nodes, or why they could not be read.
pub type Nodes<'a> = Result<&'a [Node], &'a str>;

pub fn endpoints(state: &State, row: &KindRow, found: &Match, nodes: Nodes) -> Vec<Endpoint> {
    let service = &state.services[found.service];
    let name = &service.metadata.name;
    let port = found.port.and_then(|at| service.spec.ports.get(at));
    let port_name = port.map(|p| p.name.clone()).filter(|n| !n.is_empty());
    let one = |kind, address: Option<String>, port, note: Option<String>| Endpoint {
        service: name.clone(),
        kind,
        address,
        port,
        port_name: port_name.clone(),
        note,
    };
    if service.spec.kind == "ExternalName" {
        let host = service.spec.external_name.trim_end_matches('.');
        let number = port.map_or(row.default_port(), |p| p.port);
        let note = port.is_none().then(|| format!("the Service names no port; {number} is the usual one"));
        return vec![one(EndpointKind::ExternalName, Some(joined(host, number)), number, note)];
    }
    let base = format!("{name}.{}.svc.cluster.local", service.metadata.namespace);
    let Some(port) = port else {
        let number = found.target.unwrap_or(row.default_port());
        let note = format!("the Service names no port; {number} is the usual one");
        let mut all = vec![one(EndpointKind::Headless, Some(joined(&base, number)), number, Some(note))];
        let pods = pods(state, found.service);
        all.extend(pods.iter().map(|pod| one(EndpointKind::Pod, Some(joined(&format!("{pod}.{base}"), number)), number, None)));
        return all;
    };
    if is_headless(service) {
        // Its name leads to the pods themselves, so it is their port that counts.
        let number = found.target.unwrap_or(port.port);
        let mut all = vec![one(EndpointKind::Headless, Some(joined(&base, number)), number, None)];
        let pods = pods(state, found.service);
        all.extend(pods.iter().map(|pod| one(EndpointKind::Pod, Some(joined(&format!("{pod}.{base}"), number)), number, None)));
        return all;
    }
    let mut all = vec![one(EndpointKind::ClusterIp, Some(joined(&base, port.port)), port.port, None)];
    match service.spec.kind.as_str() {
        "NodePort" if port.node_port > 0 => match addresses(state, found.service, service, nodes) {
            Ok((addresses, more)) => {
                let note = (more > 0).then(|| format!("and {more} more nodes"));
                let outside =
                    |a: &String| one(EndpointKind::NodePort, Some(joined(a, port.node_port)), port.node_port, note.clone());
                all.extend(addresses.iter().map(outside));
            }
            Err(why) => all.push(one(EndpointKind::NodePort, None, port.node_port, Some(why))),
        },
        "LoadBalancer" => all.extend(
            balanced(service, port).into_iter().map(|(address, note)| one(EndpointKind::LoadBalancer, address, port.port, note)),
        ),
        _ => {}
    }
    all
}

fn balanced(service: &Service, port: &ServicePort) -> Vec<(Option<String>, Option<String>)> {
    let given = service.status.load_balancer.ingress.iter();
    let hosts = given.filter_map(|i| i.ip.as_deref().or(i.hostname.as_deref()).filter(|host| !host.is_empty()));
    let all: Vec<_> = hosts.map(|host| (Some(joined(host, port.port)), None)).collect();
    if all.is_empty() { vec![(None, Some("pending: the load balancer has no address yet".to_owned()))] } else { all }
}

/// Names of the pods that have one of their own below the Service.
fn pods(state: &State, service: usize) -> Vec<String> {
    let backing = &state.backing[service];
    let slices = backing.slices.iter().flat_map(|at| &state.slices[*at].endpoints);
    let mut names: BTreeSet<(u64, String)> = slices.filter_map(|e| e.hostname.as_deref()).map(ordered).collect();
    if backing.slices.is_empty() {
        let own = |at: &&usize| state.pods[**at].shape.subdomain == state.services[service].metadata.name;
        names.extend(backing.pods.iter().filter(own).map(|at| ordered(&state.pods[*at].meta.name)));
    }
    names.into_iter().map(|(_, name)| name).collect()
}

/// `db-10` after `db-9`.
fn ordered(name: &str) -> (u64, String) {
    let number = name.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(u64::MAX);
    (number, name.to_owned())
}

fn addresses(state: &State, at: usize, service: &Service, nodes: Nodes) -> Result<(Vec<String>, usize), String> {
    let nodes = nodes.map_err(|why| format!("the nodes' addresses are not known: {why}"))?;
    let local = service.spec.external_traffic_policy == "Local";
    let endpoints = || state.backing[at].slices.iter().flat_map(|slice| &state.slices[*slice].endpoints);
    let leads = |node: &&Node| !local || endpoints().any(|e| e.node_name.as_deref() == Some(&node.metadata.name));
    let ready = |node: &&Node| node.status.conditions.iter().all(|c| c.kind != "Ready" || c.status == "True");
    let address = |node: &Node| {
        let of = |kind: &str| node.status.addresses.iter().find(|a| a.kind == kind && !a.address.is_empty());
        of("ExternalIP").or_else(|| of("InternalIP")).or_else(|| of("ExternalDNS")).map(|a| a.address.clone())
    };
    let mut all: Vec<String> = nodes.iter().filter(ready).filter(leads).filter_map(address).collect();
    if all.is_empty() {
        return Err("no ready node with an address leads there".to_owned());
    }
    let more = all.len().saturating_sub(NODES);
    all.truncate(NODES);
    Ok((all, more))
}
