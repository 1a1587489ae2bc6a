//! What a project has of its own beside its Deployment.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gaggle_commands::Expose;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::super::names;
use super::super::options::{Connect, Options};
use super::super::tables::{Amount, Ingress};
use super::environment::Environment;
use super::{Kind, Manifest, Metadata, PROJECT};
use crate::runtime::Launch;

/// What the project's objects are made from.
pub struct Own<'a> {
    pub launch: &'a Launch,
    pub options: &'a Options,
    pub namespace: &'a str,
    pub metadata: &'a Metadata,
}

impl Own<'_> {
    /// In the order in which they have to come.
    pub fn all(&self, environment: &Environment) -> Vec<Manifest> {
        let mut all = vec![self.account(), self.secret(environment), self.config(environment)];
        all.extend(self.claim());
        all.push(self.service());
        all.extend(self.opening());
        all.extend(self.ingress());
        all
    }

    fn named(&self, kind: Kind, name: &str, rest: Value) -> Manifest {
        self.metadata.manifest(kind, name, Some(self.namespace), rest)
    }

    fn account(&self) -> Manifest {
        let rest = json!({ "automountServiceAccountToken": false });
        self.named(Kind::ServiceAccount, &names::project(&self.launch.project), rest)
    }

    /// `data` rather than `stringData`, which the API server turns into the former, so that every apply would be a change.
    fn secret(&self, environment: &Environment) -> Manifest {
        let sealed = environment.secret.iter();
        let data: Map<String, Value> =
            sealed.map(|(name, value)| (name.clone(), BASE64_STANDARD.encode(value.expose_secret()).into())).collect();
        let rest = json!({ "type": "Opaque", "data": data });
        self.named(Kind::Secret, &names::project(&self.launch.project), rest)
    }

    fn config(&self, environment: &Environment) -> Manifest {
        let rest = json!({ "data": environment.plain });
        self.named(Kind::ConfigMap, &names::project(&self.launch.project), rest)
    }

    fn claim(&self) -> Option<Manifest> {
        let storage = &self.options.storage;
        let size = self.disk()?;
        let mut spec = json!({
            "accessModes": [storage.access_mode],
            "resources": { "requests": { "storage": size } },
        });
        if let Some(class) = &storage.class {
            spec["storageClassName"] = json!(class);
        }
        Some(self.named(Kind::Claim, &names::data(&self.launch.project), json!({ "spec": spec })))
    }

    pub fn disk(&self) -> Option<Amount> {
        self.launch.settings.disk.as_ref().map(Amount::from).or_else(|| self.options.storage.size.clone())
    }

    fn expose(&self) -> Expose {
        self.launch.settings.expose.unwrap_or(self.options.expose)
    }

    fn service(&self) -> Manifest {
        let kind = match self.expose() {
            Expose::Cluster | Expose::Ingress => "ClusterIP",
            Expose::NodePort => "NodePort",
            Expose::LoadBalancer => "LoadBalancer",
        };
        let spec = json!({
            "type": kind,
            "selector": self.selector(),
            "ports": [{ "name": "http", "port": 80, "protocol": "TCP", "targetPort": "http" }],
        });
        self.named(Kind::Service, &names::api(&self.launch.project), json!({ "spec": spec }))
    }

    pub fn selector(&self) -> Value {
        json!({ PROJECT: self.launch.project.0 })
    }

    /// Lets everybody through the owner's NetworkPolicy, to this project alone.
    fn opening(&self) -> Option<Manifest> {
        let open = self.expose() != Expose::Cluster || self.has_ingress().is_some();
        self.options.network_policy.as_ref().filter(|_| open)?;
        let spec = json!({
            "podSelector": { "matchLabels": self.selector() },
            "policyTypes": ["Ingress"],
            "ingress": [{ "ports": [{ "protocol": "TCP", "port": "http" }] }],
        });
        Some(self.named(Kind::NetworkPolicy, &names::api(&self.launch.project), json!({ "spec": spec })))
    }

    fn has_ingress(&self) -> Option<&Ingress> {
        let wanted = self.expose() == Expose::Ingress || self.options.connect == Connect::Ingress;
        self.options.ingress.as_ref().filter(|_| wanted)
    }

    fn ingress(&self) -> Option<Manifest> {
        let ingress = self.has_ingress()?;
        let (name, owner) = (&self.launch.name, &self.launch.owner);
        let host = names::host(name, owner, &ingress.domain);
        let backend = json!({ "service": { "name": names::api(&self.launch.project), "port": { "name": "http" } } });
        let mut spec = json!({
            "rules": [{ "host": host, "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": backend }] } }],
        });
        if let Some(class) = &ingress.class {
            spec["ingressClassName"] = json!(class);
        }
        if let Some(pattern) = &ingress.tls_secret {
            let secret = pattern.replace("{project}", &names::label(name)).replace("{owner}", &names::slug(owner));
            spec["tls"] = json!([{ "hosts": [host], "secretName": secret }]);
        }
        let mut metadata = self.metadata.clone();
        // Ours win.
        let mut annotations = ingress.annotations.clone();
        annotations.append(&mut metadata.annotations);
        metadata.annotations = annotations;
        let own = names::api(&self.launch.project);
        Some(metadata.manifest(Kind::Ingress, &own, Some(self.namespace), json!({ "spec": spec })))
    }
}
