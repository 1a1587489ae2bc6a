//! Instances out of the Services that were found: those that lead to the same pods are one.
//!
//! Invariant: each match ends in exactly one finding; the best comes first, in findings, Services and endpoints alike.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::endpoints::{Nodes, endpoints, is_headless};
use super::external::Places;
use super::image::version;
use super::kinds::Kinds;
use super::secrets::Secrets;
use super::state::State;
use super::weigh::Match;
use super::words::split;
use crate::model::infra::{Endpoint, EndpointKind, Evidence, Finding};

/// Sentences of evidence that are kept.
const EVIDENCE: usize = 8;
/// Roles that parts of one instance have.
const ROLES: &[&str] = &[
    "primary",
    "master",
    "leader",
    "read",
    "replica",
    "replicas",
    "secondary",
    "slave",
    "follower",
    "node",
    "data",
    "ingest",
    "coordinating",
    "coordinator",
    "broker",
    "controller",
    "shard",
    "mongos",
    "database",
];
/// Services that do not take writes.
const READERS: &[&str] = &["read", "ro", "r", "replica", "replicas", "repl", "secondary", "slave", "follower", "standby"];
/// What selects one pod of several.
const ONE_POD: &[&str] = &["statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"];
const WRITERS: &[&str] = &["primary", "master", "rw", "leader", "active", "mongos", "bootstrap"];

pub fn findings(kinds: &Kinds, state: &State, matches: &[Match], nodes: Nodes) -> Vec<Finding> {
    let secrets = Secrets::new(&state.secrets);
    let mut all: Vec<(Reverse<u16>, Finding)> = groups(kinds, state, matches)
        .into_iter()
        .map(|mut group| {
            group.sort_by_cached_key(|m| order(state, m));
            let score = group.iter().map(|m| m.score).max().unwrap_or_default();
            (Reverse(score), finding(kinds, state, &group, &secrets, nodes))
        })
        .collect();
    let place: HashMap<&str, usize> = kinds.names().enumerate().map(|(at, name)| (name, at)).collect();
    all.sort_by_cached_key(|(score, f)| {
        let kind = place.get(f.kind.as_str()).copied();
        (kind, f.ready == 0, Reverse(f.confidence), *score, Reverse(f.ready), f.namespace.clone(), f.name.clone())
    });
    all.into_iter().map(|(_, finding)| finding).collect()
}

/// The best Service of an instance comes first.
fn order(state: &State, found: &Match) -> (bool, bool, bool, bool, bool, bool, Reverse<u16>, String) {
    let service = &state.services[found.service];
    let words = split(&service.metadata.name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let external = service.spec.kind == "ExternalName";
    let (ready, _) = state.ready(std::iter::once(&found.service));
    let headless = is_headless(service);
    let part = has(READERS) || service.spec.selector.keys().any(|key| ONE_POD.contains(&key.as_str()));
    (external, ready == 0, found.odd, part, headless, !has(WRITERS), Reverse(found.score), service.metadata.name.clone())
}

/// Unites those that lead to the same pods, have the same selector, the same operator's cluster, or are roles of one release.
fn groups<'m>(kinds: &Kinds, state: &State, matches: &'m [Match]) -> Vec<Vec<&'m Match>> {
    let mut parent: Vec<usize> = (0..matches.len()).collect();
    fn root(parent: &mut [usize], mut at: usize) -> usize {
        while parent[at] != at {
            parent[at] = parent[parent[at]];
            at = parent[at];
        }
        at
    }
    let mut first: HashMap<(usize, String), usize> = HashMap::new();
    let places = Places::new(state);
    for (at, found) in matches.iter().enumerate() {
        let service = &state.services[found.service];
        let namespace = &service.metadata.namespace;
        let mut keys: Vec<String> = state.backing[found.service].pods.iter().map(|pod| format!("pod {pod}")).collect();
        if !service.spec.selector.is_empty() {
            keys.push(format!("selector {namespace} {:?}", service.spec.selector));
        }
        let controllers = &state.backing[found.service].controllers;
        keys.extend(controllers.iter().map(|controller| format!("controller {controller}")));
        keys.push(format!("service {}", found.service));
        if service.spec.kind == "ExternalName" {
            let host = &service.spec.external_name;
            keys.push(match places.of(host) {
                Some(Some(target)) => format!("service {target}"),
                _ => format!("host {host}"),
            });
        }
        let labels = state.pod_labels(found.service).unwrap_or(&service.spec.selector);
        let row = &kinds.rows()[found.kind];
        let operator = row.labels.iter().filter(|key| !key.contains('=')).filter_map(|key| Some((key, labels.get(key)?)));
        keys.extend(operator.map(|(key, value)| format!("operator {namespace} {key}={value}")));
        let role =
            labels.get("app.kubernetes.io/component").is_some_and(|c| split(c).iter().any(|w| ROLES.contains(&w.as_str())));
        if let (true, Some(name), Some(instance)) =
            (role, labels.get("app.kubernetes.io/name"), labels.get("app.kubernetes.io/instance"))
        {
            keys.push(format!("release {namespace} {name} {instance}"));
        }
        for key in keys {
            let other = *first.entry((found.kind, key)).or_insert(at);
            let (a, b) = (root(&mut parent, at), root(&mut parent, other));
            parent[a.max(b)] = a.min(b);
        }
    }
    let mut groups: HashMap<usize, Vec<&Match>> = HashMap::new();
    for (at, found) in matches.iter().enumerate() {
        groups.entry(root(&mut parent, at)).or_default().push(found);
    }
    groups.into_values().collect()
}

fn finding(kinds: &Kinds, state: &State, group: &[&Match], secrets: &Secrets, nodes: Nodes) -> Finding {
    let best = group[0];
    let row = &kinds.rows()[best.kind];
    let meta = &state.services[best.service].metadata;
    let mut services = Vec::new();
    let mut found: Vec<Endpoint> = Vec::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    for one in group {
        let own = &state.services[one.service].metadata;
        let name = if own.namespace == meta.namespace { own.name.clone() } else { format!("{}/{}", own.namespace, own.name) };
        if !services.contains(&name) {
            services.push(name);
        }
        for endpoint in endpoints(state, row, one, nodes) {
            // A second name for one of the same place adds nothing.
            let twin = |known: &Endpoint| known.address.is_some() && known.address == endpoint.address;
            if !found.iter().any(twin) {
                found.push(endpoint);
            }
        }
        for sign in &one.evidence {
            if !evidence.iter().any(|known| known.text == sign.text) {
                evidence.push(sign.clone());
            }
        }
    }
    found.sort_by_key(|e| matches!(e.kind, EndpointKind::NodePort | EndpointKind::LoadBalancer));
    evidence.sort_by_key(|e| Reverse(e.weight));
    evidence.truncate(EVIDENCE);
    let of: BTreeSet<usize> = group.iter().map(|m| m.service).collect();
    let (ready, total) = state.ready(of.iter());
    let image = group.iter().find_map(|m| m.image.clone());
    let address = found.iter().find_map(|e| e.address.clone());
    Finding {
        kind: row.name.clone(),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        services,
        confidence: group.iter().map(|m| m.confidence).max().unwrap_or(best.confidence),
        evidence,
        ready,
        total,
        version: image.as_deref().and_then(|image| version(kinds, best.kind, image)),
        image,
        workload: group.iter().find_map(|m| state.workload(m.service)),
        secrets: secrets.of(state, row, group),
        connection: address.map(|address| row.connection(&address)).unwrap_or_default(),
        endpoints: found,
    }
}
