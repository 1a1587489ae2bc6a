//! How workloads are found: Services by all their names, and what is offered outside.
//!
//! Invariant: within the cluster a port has the number that the container listens at.

use serde_json::{Value, json};

use super::{LABEL, Object, Release, fit, one};
use crate::model::workload::{Expose, Port, Protocol, Published, Workload};

const NODE_PORTS: std::ops::RangeInclusive<u16> = 30000..=32767;

impl Release<'_> {
    pub fn services(&self, workload: &Workload) -> Vec<Object> {
        if workload.reach.none {
            return Vec::new();
        }
        let mut names = vec![workload.name.as_str()];
        names.extend(workload.reach.aliases.iter().map(String::as_str));
        let mut all: Vec<Object> = names.into_iter().map(|name| self.inner(workload, name)).collect();
        all.extend(self.outer(workload));
        all
    }

    fn inner(&self, workload: &Workload, name: &str) -> Object {
        let mut spec = json!({ "selector": self.selector(&workload.name) });
        if workload.reach.headless || workload.ports.is_empty() {
            spec["clusterIP"] = "None".into();
        }
        if !workload.ports.is_empty() {
            spec["ports"] = workload.ports.iter().map(port).collect();
        }
        self.object(("v1", "Service"), name, Some(&workload.name), one("spec", spec))
    }

    fn outer(&self, workload: &Workload) -> Option<Object> {
        let kind = match workload.reach.expose? {
            Expose::NodePort => "NodePort",
            Expose::LoadBalancer => "LoadBalancer",
            Expose::Cluster | Expose::Ingress => return None,
        };
        let ports: Vec<Value> = workload.reach.published.iter().map(|published| outer_port(published, kind)).collect();
        let mut name = fit(&format!("{}-public", workload.name), LABEL);
        let taken = |name: &str| {
            self.bundle.workloads.iter().any(|other| other.name == name || other.reach.aliases.iter().any(|alias| alias == name))
        };
        while taken(&name) {
            name = fit(&format!("{name}-public"), LABEL);
        }
        let spec = json!({ "type": kind, "selector": self.selector(&workload.name), "ports": ports });
        Some(self.object(("v1", "Service"), &name, Some(&workload.name), one("spec", spec)))
    }

    pub fn ingress(&self, workload: &Workload) -> Option<Object> {
        let published = workload.reach.published.first().filter(|_| workload.reach.expose == Some(Expose::Ingress))?;
        let options = &self.options.ingress;
        let mut hosts: Vec<(&str, Vec<&str>)> = Vec::new();
        let usual = format!("{}.{}", workload.name, options.domain);
        for (host, path) in &workload.reach.hosts {
            match hosts.iter_mut().find(|(known, _)| known == host) {
                Some((_, paths)) => paths.push(path),
                None => hosts.push((host, vec![path])),
            }
        }
        if hosts.is_empty() {
            hosts.push((&usual, vec!["/"]));
        }
        let backend = json!({ "service": { "name": workload.name, "port": { "number": published.target } } });
        let path = |path: &&str| json!({ "path": path, "pathType": "Prefix", "backend": backend });
        let rule = |(host, paths): &(&str, Vec<&str>)| json!({ "host": host, "http": { "paths": paths.iter().map(path).collect::<Vec<_>>() } });
        let mut spec = json!({ "rules": hosts.iter().map(rule).collect::<Vec<_>>() });
        if let Some(class) = workload.reach.class.as_ref().or(options.class.as_ref()) {
            spec["ingressClassName"] = json!(class);
        }
        if let Some(secret) = workload.reach.tls_secret.as_ref().or(options.tls_secret.as_ref()) {
            let hosts: Vec<&str> = hosts.iter().map(|(host, _)| *host).collect();
            spec["tls"] = json!([{ "hosts": hosts, "secretName": secret }]);
        }
        let mut object =
            self.object(("networking.k8s.io/v1", "Ingress"), &workload.name, Some(&workload.name), one("spec", spec));
        if !options.annotations.is_empty() {
            object.body["metadata"]["annotations"] = json!(options.annotations);
        }
        Some(object)
    }
}

fn port(port: &Port) -> Value {
    let mut value = json!({
        "name": port.name, "port": port.number, "protocol": port.protocol.as_str(), "targetPort": port.number,
    });
    if let Some(app) = &port.app {
        value["appProtocol"] = json!(app);
    }
    value
}

fn outer_port(published: &Published, kind: &str) -> Value {
    let protocol = match published.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    };
    let mut value = json!({
        "name": format!("{protocol}-{}", published.port), "port": published.port,
        "protocol": published.protocol.as_str(), "targetPort": published.target,
    });
    if kind == "NodePort" && NODE_PORTS.contains(&published.port) {
        value["nodePort"] = published.port.into();
    }
    if let Some(app) = &published.app {
        value["appProtocol"] = json!(app);
    }
    value
}
