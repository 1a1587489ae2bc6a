//! Services that are only another name for a host: ExternalName.
//!
//! Invariant: one that leads to a Service of the same scan is what that one is, and nothing else.

use std::collections::{HashMap, HashSet};

use super::kinds::{KindRow, Kinds};
use super::objects::Service;
use super::state::State;
use super::weigh::Match;
use super::words::Head;
use crate::model::infra::{Confidence, Evidence};

/// There is no image, no pod and often no port, so its own name is enough if nothing disagrees.
const NAME: u16 = 60;
const HOST: u16 = 60;
/// Hosts of which only the port tells what they are.
const EITHER: &[&str] = &[".rds.amazonaws.com", ".rds.amazonaws.com.cn", ".aivencloud.com", ".db.ondigitalocean.com"];
const DATABASES: &[&str] = &["postgres", "mysql"];

/// The Services by namespace and name.
pub struct Places<'a> {
    services: HashMap<(&'a str, &'a str), usize>,
    namespaces: HashSet<&'a str>,
}

impl<'a> Places<'a> {
    pub fn new(state: &'a State) -> Self {
        let key = |s: &'a Service| (s.metadata.namespace.as_str(), s.metadata.name.as_str());
        let services = state.services.iter().enumerate().map(|(at, s)| (key(s), at)).collect();
        Self { services, namespaces: state.services.iter().map(|s| s.metadata.namespace.as_str()).collect() }
    }

    /// The Service that a host name of the cluster means; nothing within where its namespace was read and has no such.
    pub fn of(&self, host: &str) -> Option<Option<usize>> {
        let host = host.trim_end_matches('.');
        let stem = host.strip_suffix(".svc.cluster.local").or_else(|| host.strip_suffix(".svc"))?;
        // A pod's name may stand in front of the two.
        let mut parts = stem.rsplit('.');
        let (namespace, name) = (parts.next()?, parts.next()?);
        match self.services.get(&(namespace, name)) {
            Some(at) => Some(Some(*at)),
            None => self.namespaces.contains(namespace).then_some(None),
        }
    }
}

pub fn all(kinds: &Kinds, state: &State, found: &[Match]) -> Vec<Match> {
    let places = Places::new(state);
    let external = state.services.iter().enumerate().filter(|(_, s)| s.spec.kind == "ExternalName");
    external.flat_map(|(at, service)| one(kinds, &places, found, at, service)).collect()
}

fn one(kinds: &Kinds, places: &Places, found: &[Match], at: usize, service: &Service) -> Vec<Match> {
    let host = service.spec.external_name.as_str();
    if host.is_empty() {
        return Vec::new();
    }
    let named = |kind: usize, confidence, evidence: Vec<Evidence>| {
        let row = &kinds.rows()[kind];
        let port =
            service.spec.ports.iter().position(|p| row.ports.contains(&p.port)).or((!service.spec.ports.is_empty()).then_some(0));
        let score = evidence.iter().map(|e| e.weight).sum();
        Match { service: at, kind, port, target: None, score, confidence, evidence, image: None, odd: false }
    };
    match places.of(host) {
        Some(Some(target)) => {
            let text = format!("it leads to {host}");
            let evidence = || vec![Evidence { weight: HOST, text: text.clone() }];
            return found.iter().filter(|m| m.service == target).map(|m| named(m.kind, m.confidence, evidence())).collect();
        }
        // The namespace was read, and has no such Service.
        Some(None) => return Vec::new(),
        None => {}
    }
    let first = host.split('.').next().unwrap_or_default();
    let (own, target) = (kinds.words.head(&service.metadata.name), kinds.words.head(first));
    if matches!(own, Head::Other { .. }) {
        return Vec::new();
    }
    let provided =
        |row: &KindRow| row.hosts.iter().find(|suffix| host.trim_end_matches('.').ends_with(&format!(".{suffix}"))).cloned();
    let ports = &service.spec.ports;
    let judge = |kind: usize| {
        let row = &kinds.rows()[kind];
        let mut evidence = Vec::new();
        if own == Head::Kind(kind) {
            evidence.push(Evidence { weight: NAME, text: format!("the Service is called {}", service.metadata.name) });
        } else if matches!(own, Head::Kind(_)) {
            return None;
        }
        if target == Head::Kind(kind) {
            evidence.push(Evidence { weight: 30, text: format!("it leads to {first}") });
        }
        if let Some(suffix) = provided(row) {
            evidence.push(Evidence { weight: HOST, text: format!("it leads to a host of {suffix}") });
        }
        if let Some(suffix) = EITHER.iter().find(|suffix| host.trim_end_matches('.').ends_with(**suffix))
            && DATABASES.contains(&row.name.as_str())
        {
            evidence.push(Evidence { weight: 30, text: format!("it leads to a host of {}", &suffix[1..]) });
        }
        if let Some(port) = ports.iter().find(|p| row.ports.contains(&p.port)) {
            evidence.push(Evidence { weight: 30, text: format!("port {} is {}'s", port.port, row.name) });
        } else if !ports.is_empty() && ports.iter().all(|p| p.port != 80 && p.port != 443) {
            return None;
        }
        let score: u16 = evidence.iter().map(|e| e.weight).sum();
        let confidence = if score >= 90 { Confidence::Likely } else { Confidence::Possible };
        (score >= 60).then(|| named(kind, confidence, evidence))
    };
    (0..kinds.rows().len()).filter_map(judge).max_by_key(|m| m.score).into_iter().collect()
}
