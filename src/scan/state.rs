//! What was read of a cluster, put together: which pods are behind which Service.
//!
//! Invariant: pods of one workload share one description of their containers, so that ten thousand of them stay small.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::objects::{Controller, Labels, Meta, Node, Owner, Pod, PodSpec, Service, Slice};
use crate::model::infra::Workload;

/// Descriptions of pods of one Service that are looked at. More than these differ in nothing that matters.
const SHAPES: usize = 16;

#[derive(Debug)]
pub struct Running {
    pub meta: Meta,
    pub shape: Arc<PodSpec>,
    pub ready: bool,
}

/// What is behind a Service.
#[derive(Debug, Default)]
pub struct Backing {
    /// Of `State::pods`.
    pub pods: Vec<usize>,
    /// Of `State::slices`.
    pub slices: Vec<usize>,
    /// Of `State::controllers`, where there are no pods.
    pub controllers: Vec<usize>,
}

#[derive(Debug, Default)]
pub struct State {
    pub services: Vec<Service>,
    pub slices: Vec<Slice>,
    pub pods: Vec<Running>,
    pub controllers: Vec<Controller>,
    pub secrets: Vec<Meta>,
    pub nodes: Vec<Node>,
    /// Of each Service.
    pub backing: Vec<Backing>,
}

impl State {
    pub fn new(services: Vec<Service>, slices: Vec<Slice>, pods: Vec<Pod>) -> Self {
        let mut shapes: HashSet<Arc<PodSpec>> = HashSet::new();
        let mut shared = |spec: PodSpec| match shapes.get(&spec) {
            Some(known) => known.clone(),
            None => {
                let own = Arc::new(spec);
                shapes.insert(own.clone());
                own
            }
        };
        let alive = |pod: &Pod| !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed");
        let ready = |pod: &Pod| pod.status.conditions.iter().any(|c| c.kind == "Ready" && c.status == "True");
        let running = |pod: Pod| Running { ready: ready(&pod), meta: pod.metadata, shape: shared(pod.spec) };
        let pods = pods.into_iter().filter(alive).map(running).collect();
        let mut state = Self { services, slices, pods, ..Self::default() };
        state.backing = state.find();
        state
    }

    /// Pods by selector and by what slices name. A selector's rarest label is looked up first, so that a scan stays linear.
    fn find(&self) -> Vec<Backing> {
        let keys: HashSet<&str> = self.services.iter().flat_map(|s| s.spec.selector.keys()).map(String::as_str).collect();
        let mut labelled: HashMap<(&str, &str, &str), Vec<usize>> = HashMap::new();
        let mut named: HashMap<(&str, &str), usize> = HashMap::new();
        for (at, pod) in self.pods.iter().enumerate() {
            named.insert((&pod.meta.namespace, &pod.meta.name), at);
            for (key, value) in pod.meta.labels.iter().filter(|(key, _)| keys.contains(key.as_str())) {
                labelled.entry((&pod.meta.namespace, key, value)).or_default().push(at);
            }
        }
        let mut slices: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
        for (at, slice) in self.slices.iter().enumerate() {
            if let Some(service) = slice.metadata.labels.get("kubernetes.io/service-name") {
                slices.entry((&slice.metadata.namespace, service)).or_default().push(at);
            }
        }
        let of = |service: &Service| {
            let namespace = service.metadata.namespace.as_str();
            let selector = &service.spec.selector;
            let lists = selector.iter().map(|(key, value)| labelled.get(&(namespace, key, value)).map_or(&[][..], Vec::as_slice));
            let rarest = lists.min_by_key(|list| list.len()).unwrap_or_default();
            let mut pods: BTreeSet<usize> =
                rarest.iter().copied().filter(|at| selects(selector, &self.pods[*at].meta.labels)).collect();
            let slices = slices.get(&(namespace, service.metadata.name.as_str())).cloned().unwrap_or_default();
            for endpoint in slices.iter().flat_map(|at| &self.slices[*at].endpoints) {
                if let Some(target) = endpoint.target_ref.as_ref().filter(|t| t.kind == "Pod") {
                    pods.extend(named.get(&(namespace, target.name.as_str())));
                }
            }
            Backing { pods: pods.into_iter().collect(), slices, controllers: Vec::new() }
        };
        self.services.iter().map(of).collect()
    }

    /// What would run the pods of those Services that have none.
    pub fn add_controllers(&mut self, controllers: Vec<Controller>, services: &[usize]) {
        let mut there: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, controller) in controllers.iter().enumerate() {
            there.entry(&controller.metadata.namespace).or_default().push(at);
        }
        for service in services {
            let Service { metadata, spec, .. } = &self.services[*service];
            let near = there.get(metadata.namespace.as_str()).map_or(&[][..], Vec::as_slice);
            let own = |at: &usize| selects(&spec.selector, &controllers[*at].spec.template.metadata.labels);
            self.backing[*service].controllers = near.iter().copied().filter(own).collect();
        }
        drop(there);
        self.controllers = controllers;
    }

    /// The descriptions of the pods behind a Service.
    pub fn shapes(&self, service: usize) -> Vec<&PodSpec> {
        let backing = &self.backing[service];
        let mut seen: Vec<&Arc<PodSpec>> = Vec::new();
        for at in &backing.pods {
            let shape = &self.pods[*at].shape;
            if seen.len() < SHAPES && !seen.iter().any(|known| Arc::ptr_eq(known, shape)) {
                seen.push(shape);
            }
        }
        let templates = backing.controllers.iter().map(|at| &self.controllers[*at].spec.template.spec);
        seen.into_iter().map(Arc::as_ref).chain(templates.take(SHAPES)).collect()
    }

    /// Labels of a pod behind it, or of those that it would have.
    pub fn pod_labels(&self, service: usize) -> Option<&Labels> {
        let backing = &self.backing[service];
        let pod = backing.pods.first().map(|at| &self.pods[*at].meta.labels);
        pod.or_else(|| backing.controllers.first().map(|at| &self.controllers[*at].spec.template.metadata.labels))
    }

    pub fn owner(&self, service: usize) -> Option<&Owner> {
        let pod = self.backing[service].pods.first()?;
        let owners = &self.pods[*pod].meta.owners;
        owners.iter().find(|o| o.controller).or_else(|| owners.first())
    }

    /// What runs the pods: for those of a ReplicaSet its Deployment.
    pub fn workload(&self, service: usize) -> Option<Workload> {
        let backing = &self.backing[service];
        if let Some(at) = backing.controllers.first() {
            let controller = &self.controllers[*at];
            let kind = if controller.stateful { "StatefulSet" } else { "Deployment" };
            return Some(Workload { kind: kind.to_owned(), name: controller.metadata.name.clone() });
        }
        let pod = &self.pods[*backing.pods.first()?];
        let Some(owner) = self.owner(service) else {
            return Some(Workload { kind: "Pod".to_owned(), name: pod.meta.name.clone() });
        };
        let deployment = (owner.kind == "ReplicaSet")
            .then(|| owner.name.strip_suffix(pod.meta.labels.get("pod-template-hash")?)?.strip_suffix('-'))
            .flatten();
        Some(match deployment {
            Some(name) => Workload { kind: "Deployment".to_owned(), name: name.to_owned() },
            None => Workload { kind: owner.kind.clone(), name: owner.name.clone() },
        })
    }

    /// Endpoints that take requests, of all there are.
    pub fn ready<'a>(&self, services: impl Iterator<Item = &'a usize>) -> (usize, usize) {
        // The same pod stands in the slices of several Services, and of both families of addresses.
        let mut seen: HashMap<(&str, &str), bool> = HashMap::new();
        let mut plain: HashMap<(&str, &str), HashSet<(&str, bool)>> = HashMap::new();
        for service in services {
            let backing = &self.backing[*service];
            for at in &backing.pods {
                let Running { meta, ready, .. } = &self.pods[*at];
                // Where slices may not be read, the pods themselves tell.
                *seen.entry((&meta.namespace, &meta.name)).or_default() |= *ready && backing.slices.is_empty();
            }
            for slice in backing.slices.iter().map(|at| &self.slices[*at]) {
                for endpoint in slice.endpoints.iter().filter(|e| e.conditions.terminating != Some(true)) {
                    let ready = endpoint.conditions.ready.unwrap_or(true);
                    match (&endpoint.target_ref, endpoint.addresses.first()) {
                        (Some(target), _) => *seen.entry((&slice.metadata.namespace, &target.name)).or_default() |= ready,
                        (None, Some(address)) => {
                            plain.entry((&slice.metadata.namespace, &slice.address_type)).or_default().insert((address, ready));
                        }
                        (None, None) => {}
                    }
                }
            }
        }
        let most = plain.values().max_by_key(|all| all.len());
        let (ready, total) = most.map_or((0, 0), |all| (all.iter().filter(|(_, ready)| *ready).count(), all.len()));
        (ready + seen.values().filter(|ready| **ready).count(), total + seen.len())
    }
}

/// A selector without labels selects nothing.
fn selects(selector: &Labels, labels: &Labels) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}
