//! What workloads are on a cluster: all their objects, whole, from what is known of them. Pure; asks nobody.
//!
//! Invariants: the same workloads and options give the same objects, byte for byte. No `Debug` shows what is in a Secret, and
//! without [`Options::values`] no object holds it. Every object carries the release's labels.

mod export;
mod pod;
mod probe;
mod reach;
mod stored;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

pub use self::export::{ExportedFile, export, stream};
use crate::model::workload::{Bundle, Content, FileSet, Kept, Source, Warning, Workload};

pub const NAME: &str = "app.kubernetes.io/name";
pub const RELEASE: &str = "app.kubernetes.io/instance";
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Annotation of pods: what their variables and files were made from.
pub const CONFIG: &str = "gaggle.dev/config";
/// Annotation: why a workload is kept as it is.
pub const WHY: &str = "gaggle.dev/why";
/// Annotation: the service's name in its compose file.
pub const SERVICE: &str = "gaggle.dev/service";

/// The longest name of a StatefulSet: its pods carry it with a hash in a label.
const STATEFUL: usize = 52;
const LABEL: usize = 63;

#[derive(Debug, Clone)]
pub struct Options {
    pub namespace: String,
    /// What the release is called; the bundle's own name if none.
    pub release: Option<String>,
    /// Labels of every object, besides.
    pub labels: BTreeMap<String, String>,
    pub storage: Storage,
    pub ingress: Ingress,
    /// Containers that wait before a workload starts; none where somebody waits already.
    pub waiting: Option<Waiting>,
    pub pull_secrets: Vec<String>,
    /// Seconds between a pod's being taken off and its signal to end, so that nothing is still on its way to it.
    pub drain: u32,
    /// Whether Secrets hold their values.
    pub values: bool,
    /// Seals what tells that a secret has changed. Without it, nothing does: a plain hash of a password would give it away.
    pub seal: Option<[u8; 32]>,
}

#[derive(Debug, Clone)]
pub struct Storage {
    pub class: Option<String>,
    /// For volumes that say none, as a quantity.
    pub size: String,
    pub access_mode: String,
}

#[derive(Debug, Clone)]
pub struct Ingress {
    pub domain: String,
    pub class: Option<String>,
    pub annotations: BTreeMap<String, String>,
    pub tls_secret: Option<String>,
}

/// Images of containers that wait.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Has `/bin/sh` and `nc`.
    pub image: String,
    /// Has `kubectl`, to wait for jobs. Without it, nothing waits for them.
    pub kubectl: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            release: None,
            labels: BTreeMap::new(),
            storage: Storage { class: None, size: "1Gi".to_owned(), access_mode: "ReadWriteOnce".to_owned() },
            ingress: Ingress { domain: "example.com".to_owned(), class: None, annotations: BTreeMap::new(), tls_secret: None },
            waiting: None,
            pull_secrets: Vec::new(),
            drain: 5,
            values: true,
            seal: None,
        }
    }
}

impl Default for Waiting {
    fn default() -> Self {
        Self { image: "busybox:1.37".to_owned(), kubectl: Some("registry.k8s.io/kubectl:v1.34.2".to_owned()) }
    }
}

/// An object as it is applied.
#[derive(Clone, PartialEq)]
pub struct Object {
    pub api: &'static str,
    pub kind: &'static str,
    pub name: String,
    /// The workload that it is for, if for one alone.
    pub workload: Option<String>,
    pub body: Value,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Object");
        shown.field("kind", &self.kind).field("name", &self.name);
        if self.kind != "Secret" {
            shown.field("body", &self.body);
        }
        shown.finish()
    }
}

/// All objects but the namespace, in the order in which they have to come: what is read first, workloads after what they wait for.
pub fn objects(bundle: &Bundle, options: &Options) -> Vec<Object> {
    let release = Release::of(bundle, options);
    let mut all = Vec::with_capacity(bundle.workloads.len() * 5 + bundle.sets.len() + bundle.claims.len());
    all.extend(bundle.sets.iter().filter_map(|set| release.set(set)));
    all.extend(bundle.claims.iter().map(|claim| release.claim(claim)));
    for workload in &bundle.workloads {
        all.extend(release.variables(workload));
        all.extend(release.services(workload));
    }
    all.extend(release.account());
    all.extend(bundle.workloads.iter().map(|workload| release.controller(workload)));
    all.extend(bundle.workloads.iter().filter_map(|workload| release.ingress(workload)));
    all
}

/// The namespace itself, which a release may share with others.
pub fn namespace(options: &Options) -> Object {
    let labels = json!({ MANAGED_BY: "gaggle" });
    let body = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": options.namespace, "labels": labels },
    });
    Object { api: "v1", kind: "Namespace", name: options.namespace.clone(), workload: None, body }
}

/// What no container can wait for, though somebody has to.
pub fn unwaited(bundle: &Bundle, options: &Options) -> Vec<Warning> {
    Release::of(bundle, options).unwaited()
}

struct Release<'a> {
    bundle: &'a Bundle,
    options: &'a Options,
    name: &'a str,
    by_name: BTreeMap<&'a str, &'a Workload>,
    sets: BTreeMap<(bool, &'a str), &'a FileSet>,
}

impl<'a> Release<'a> {
    fn of(bundle: &'a Bundle, options: &'a Options) -> Self {
        let by_name = bundle.workloads.iter().map(|workload| (workload.name.as_str(), workload)).collect();
        let sets = bundle.sets.iter().map(|set| ((set.secret, set.name.as_str()), set)).collect();
        Self { bundle, options, name: options.release.as_deref().unwrap_or(&bundle.name), by_name, sets }
    }

    fn labels(&self, workload: Option<&str>) -> Map<String, Value> {
        let mut labels: Map<String, Value> =
            self.options.labels.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
        labels.insert(MANAGED_BY.to_owned(), "gaggle".into());
        labels.insert(RELEASE.to_owned(), self.name.into());
        if let Some(workload) = workload {
            labels.insert(NAME.to_owned(), workload.into());
        }
        labels
    }

    fn selector(&self, workload: &str) -> Value {
        json!({ NAME: workload, RELEASE: self.name })
    }

    /// `rest` is what comes beside the metadata: `spec`, `data`.
    fn object(
        &self,
        (api, kind): (&'static str, &'static str),
        name: &str,
        workload: Option<&str>,
        rest: Map<String, Value>,
    ) -> Object {
        let metadata = json!({ "name": name, "namespace": self.options.namespace, "labels": self.labels(workload) });
        let mut body = rest;
        body.insert("apiVersion".to_owned(), api.into());
        body.insert("kind".to_owned(), kind.into());
        body.insert("metadata".to_owned(), metadata);
        Object { api, kind, name: name.to_owned(), workload: workload.map(str::to_owned), body: Value::Object(body) }
    }

    /// What keeps the workload's pods.
    fn controller(&self, workload: &Workload) -> Object {
        let selector = json!({ "matchLabels": self.selector(&workload.name) });
        let template = self.template(workload);
        let update = &workload.update;
        let (kind, name, mut spec) = match workload.kept {
            Kept::Deployment => {
                let most = match update.parallel {
                    Some(0) => json!("100%"),
                    n => json!(n.unwrap_or(1)),
                };
                // A node's ports, or its only place, are free only once the old pod is gone.
                let strategy = match update.stop_first || workload.host.network || workload.placement.apart {
                    true => json!({ "maxSurge": 0, "maxUnavailable": most }),
                    false => json!({ "maxSurge": most, "maxUnavailable": 0 }),
                };
                let strategy = json!({ "type": "RollingUpdate", "rollingUpdate": strategy });
                let spec = json!({ "replicas": workload.replicas, "strategy": strategy, "selector": selector });
                (("apps/v1", "Deployment"), workload.name.clone(), spec)
            }
            Kept::StatefulSet => {
                let name = fit(&workload.name, STATEFUL);
                let spec = json!({ "replicas": workload.replicas, "serviceName": workload.name, "selector": selector });
                (("apps/v1", "StatefulSet"), name, spec)
            }
            Kept::DaemonSet => {
                let n = update.parallel.unwrap_or(1).max(1);
                let strategy = json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": n } });
                (("apps/v1", "DaemonSet"), workload.name.clone(), json!({ "updateStrategy": strategy, "selector": selector }))
            }
            Kept::Job => (("batch/v1", "Job"), workload.name.clone(), json!({ "backoffLimit": workload.retry.times })),
        };
        if update.delay > 0 && workload.kept != Kept::Job {
            spec["minReadySeconds"] = update.delay.into();
        }
        spec["template"] = template;
        let mut object = self.object(kind, &name, Some(&workload.name), one("spec", spec));
        let metadata = &mut object.body["metadata"];
        for (key, value) in &workload.own_labels {
            metadata["labels"][key].as_str().is_none().then(|| metadata["labels"][key] = json!(value));
        }
        let mut annotations: BTreeMap<&str, &str> =
            workload.own_annotations.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        annotations.insert(WHY, &workload.why);
        annotations.insert(SERVICE, &workload.service);
        metadata["annotations"] = json!(annotations);
        object
    }

    /// Changes with every variable and file that the pods are given.
    fn digest(&self, workload: &Workload) -> String {
        let mut plain = Sha256::new();
        let mut sealed = self.options.seal.and_then(|key| Hmac::<Sha256>::new_from_slice(&key).ok());
        // Lengths keep one value from running into the next.
        let mut add = |name: &str, value: &[u8], secret: bool| {
            let sizes = [name.len().to_le_bytes(), value.len().to_le_bytes()].concat();
            match (secret, &mut sealed) {
                (false, _) => [&sizes, name.as_bytes(), value].iter().for_each(|part| plain.update(part)),
                (true, Some(sealed)) => [&sizes, name.as_bytes(), value].iter().for_each(|part| sealed.update(part)),
                (true, None) => plain.update(name.as_bytes()),
            }
        };
        for (name, value) in &workload.plain {
            add(name, value.as_bytes(), false);
        }
        for (name, value) in &workload.secret {
            add(name, value.expose_secret().as_bytes(), true);
        }
        for mount in &workload.mounts {
            let (secret, set, keys) = match &mount.from {
                Source::File { secret, set, key, .. } => (secret, set, vec![key]),
                Source::Folder { secret, set, files } => (secret, set, files.iter().map(|(key, ..)| key).collect()),
                _ => continue,
            };
            let held = self.sets.get(&(*secret, set.as_str()));
            for key in keys {
                let name = format!("{}\0{key}", mount.at);
                match held.and_then(|set| set.files.get(key)) {
                    Some(Content::Plain(bytes)) => add(&name, bytes, false),
                    Some(Content::Secret(bytes)) => add(&name, bytes.expose_secret(), true),
                    Some(Content::Missing) | None => {}
                }
            }
        }
        let mut both = plain.finalize().to_vec();
        if let Some(sealed) = sealed {
            both.extend(sealed.finalize().into_bytes());
        }
        hex(&Sha256::digest(&both), 16)
    }
}

fn one(key: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(key.to_owned(), value)])
}

fn hex(bytes: &[u8], digits: usize) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(digits).filter_map(|d| char::from_digit(d.into(), 16)).collect()
}

/// A name that is too long is cut, with a hash of the whole.
fn fit(name: &str, most: usize) -> String {
    match name.len() <= most {
        true => name.to_owned(),
        false => format!("{}-{}", name[..most - 7].trim_end_matches('-'), hex(&Sha256::digest(name), 6)),
    }
}

/// Kubernetes puts variables in place of `$(NAME)` in commands, and takes two dollar signs for one.
fn literal(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        kept.push_str(&rest[..at]);
        let run = rest[at..].bytes().take_while(|b| *b == b'$').count();
        let alone = run == 1 && !rest[at + 1..].starts_with('(');
        kept.extend(std::iter::repeat_n('$', if alone { 1 } else { 2 * run }));
        rest = &rest[at + run..];
    }
    kept + rest
}
