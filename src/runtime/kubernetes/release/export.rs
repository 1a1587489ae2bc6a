//! A release as a tree of files for `kubectl apply -k`.
//!
//! Invariant: no file holds a secret value: the keys are there, to be filled in. The tree is whole: nothing outside of it is named.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::json;

use super::{Object, Options, namespace, objects};
use crate::model::workload::{Bundle, Expose, Kept, Source};
use crate::yaml;

/// A file of the tree, by its path within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedFile {
    pub path: String,
    pub content: String,
}

const FILL_IN: &str = "# Fill in the values, and keep this file out of version control, or make the Secret by other means.\n";

/// `README.md`, `kustomization.yaml`, `namespace.yaml`, `infra/`, `base/` and `overlays/production/`.
pub fn export(bundle: &Bundle, options: &Options) -> Vec<ExportedFile> {
    let options = Options { values: false, ..options.clone() };
    let all = objects(bundle, &options);
    let stores: BTreeSet<&str> = bundle.workloads.iter().filter(|w| w.store).map(|w| w.name.as_str()).collect();
    let mut folders: BTreeMap<&str, BTreeMap<String, Vec<&Object>>> = BTreeMap::new();
    let folder_of = folders_of_shared(bundle, &stores);
    for object in &all {
        let folder = match &object.workload {
            Some(workload) if stores.contains(workload.as_str()) => "infra",
            Some(_) => "base",
            None => folder_of.get(&(object.kind, object.name.as_str())).copied().unwrap_or("base"),
        };
        let file = match (object.kind, &object.workload) {
            ("Secret", _) => format!("{}-secret.yaml", object.name.trim_end_matches("-secrets")),
            ("PersistentVolumeClaim", _) => "volumes.yaml".to_owned(),
            ("ServiceAccount" | "Role" | "RoleBinding", _) => "wait.yaml".to_owned(),
            (_, Some(workload)) => format!("{workload}.yaml"),
            ("ConfigMap", None) => "configs.yaml".to_owned(),
            (_, None) => "others.yaml".to_owned(),
        };
        folders.entry(folder).or_default().entry(file).or_default().push(object);
    }
    let mut files = Vec::new();
    let mut put = |path: String, content: String| files.push(ExportedFile { path, content });
    let space = namespace(&options);
    put("README.md".to_owned(), readme(bundle, &options, &all));
    put("namespace.yaml".to_owned(), yaml::document(&space.body));
    let mut parts = vec!["namespace.yaml"];
    parts.extend(folders.keys().rev());
    put("kustomization.yaml".to_owned(), kustomization(&parts, None));
    for (folder, contents) in &folders {
        let names: Vec<&str> = contents.keys().map(String::as_str).collect();
        put(format!("{folder}/kustomization.yaml"), kustomization(&names, None));
        for (name, objects) in contents {
            let secret = objects.iter().any(|object| object.kind == "Secret");
            let documents: Vec<String> = objects.iter().map(|object| yaml::document(&object.body)).collect();
            put(format!("{folder}/{name}"), format!("{}{}", if secret { FILL_IN } else { "" }, documents.join("---\n")));
        }
    }
    let mut over: Vec<String> = vec!["namespace.yaml".to_owned()];
    over.extend(folders.keys().rev().map(|folder| format!("../../{folder}")));
    let over: Vec<&str> = over.iter().map(String::as_str).collect();
    put("overlays/production/namespace.yaml".to_owned(), yaml::document(&space.body));
    put("overlays/production/kustomization.yaml".to_owned(), kustomization(&over, Some(&notes(bundle, &options))));
    files
}

/// What several workloads share stands with stores if only they use it.
fn folders_of_shared<'a>(bundle: &'a Bundle, stores: &BTreeSet<&str>) -> BTreeMap<(&'static str, &'a str), &'static str> {
    let mut found = BTreeMap::new();
    for workload in &bundle.workloads {
        let folder = if stores.contains(workload.name.as_str()) { "infra" } else { "base" };
        for mount in &workload.mounts {
            let key = match &mount.from {
                Source::Claim { claim, .. } => ("PersistentVolumeClaim", claim.as_str()),
                Source::File { secret, set, .. } | Source::Folder { secret, set, .. } => {
                    (if *secret { "Secret" } else { "ConfigMap" }, set.as_str())
                }
                _ => continue,
            };
            // Stores come first, so that what they share with others is there when they start.
            let known = found.entry(key).or_insert(folder);
            if folder == "infra" {
                *known = folder;
            }
        }
    }
    found
}

fn kustomization(resources: &[&str], notes: Option<&str>) -> String {
    let value = json!({ "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources });
    format!("{}{}", yaml::document(&value), notes.unwrap_or_default())
}

/// What people tune before production, as comments that become patches.
fn notes(bundle: &Bundle, options: &Options) -> String {
    let mut text = String::from(
        "\n# What to look at before production. Take the signs of comment away from what applies.\n#\n# Images by tag or digest, from a \
         registry that the cluster can pull from:\n# images:\n",
    );
    let mut images: Vec<&str> = bundle.workloads.iter().map(|workload| workload.image.as_str()).collect();
    images.sort_unstable();
    images.dedup();
    for image in images {
        let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
        let (path, last) = name.rsplit_once('/').map_or((None, name), |(path, last)| (Some(path), last));
        let (last, tag) = last.split_once(':').unwrap_or((last, "latest"));
        let name = path.map_or_else(|| last.to_owned(), |path| format!("{path}/{last}"));
        let _ = match digest {
            Some(digest) => write!(text, "# - name: {name}\n#   digest: {digest}\n"),
            None => write!(text, "# - name: {name}\n#   newTag: \"{tag}\"\n"),
        };
    }
    let scalable: Vec<_> = bundle.workloads.iter().filter(|workload| workload.kept == Kept::Deployment).collect();
    if !scalable.is_empty() {
        text.push_str("#\n# How many of each:\n# replicas:\n");
        for workload in &scalable {
            let _ = write!(text, "# - name: {}\n#   count: {}\n", workload.name, workload.replicas.max(2));
        }
    }
    let free: Vec<_> = bundle.workloads.iter().filter(|workload| workload.resources.memory_limit.is_none()).collect();
    let mut patches = String::new();
    for workload in free {
        let _ = write!(
            patches,
            "# - target: {{ kind: {}, name: {} }}\n#   patch: |-\n#     - op: add\n#       path: /spec/template/spec/containers/0/resources\n#       \
             value: {{ requests: {{ cpu: 100m, memory: 128Mi }}, limits: {{ memory: 512Mi }} }}\n",
            workload.kept.as_str(),
            workload.name
        );
    }
    for claim in &bundle.claims {
        let size = claim.size.map_or_else(|| options.storage.size.clone(), super::pod::quantity);
        let _ = write!(
            patches,
            "# - target: {{ kind: PersistentVolumeClaim, name: {} }}\n#   patch: |-\n#     - op: add\n#       path: /spec/storageClassName\n#       \
             value: fast\n#     - op: replace\n#       path: /spec/resources/requests/storage\n#       value: {size}\n",
            claim.name
        );
    }
    for workload in bundle.workloads.iter().filter(|workload| workload.reach.expose == Some(Expose::Ingress)) {
        let _ = write!(
            patches,
            "# - target: {{ kind: Ingress, name: {} }}\n#   patch: |-\n#     - op: replace\n#       path: /spec/rules/0/host\n#       value: \
             {}.example.com\n",
            workload.name, workload.name
        );
    }
    if !patches.is_empty() {
        text.push_str("#\n# Requests and limits, sizes and classes of storage, host names:\n# patches:\n");
        text.push_str(&patches);
    }
    text
}

fn readme(bundle: &Bundle, options: &Options, all: &[Object]) -> String {
    let mut text =
        format!("# {}\n\nMade by Gaggle from a compose file. Before the first time, fill in the Secrets:\n\n", bundle.name);
    let secrets: Vec<&Object> = all.iter().filter(|object| object.kind == "Secret").collect();
    for secret in &secrets {
        let keys = secret.body["stringData"].as_object().into_iter().flatten().map(|(key, _)| format!("`{key}`"));
        let _ = writeln!(text, "* `{}`: {}", secret.name, keys.collect::<Vec<_>>().join(", "));
    }
    if secrets.is_empty() {
        text.push_str("* There are none.\n");
    }
    let jobs = all.iter().find(|object| object.kind == "Job");
    let _ = write!(
        text,
        "\nThen\n\n```sh\nkubectl apply --server-side -k .                      # all of it, in the namespace {0}\n\
         kubectl apply --server-side -k overlays/production    # the same, with what you tuned there\n```\n\n\
         {1}New volumes are empty: what the image has at their place is not copied there, other than with Docker.\n\n",
        options.namespace,
        jobs.map_or_else(String::new, |job| format!(
            "A Job that has run cannot be changed: `kubectl -n {} delete job {}` before it is to run again.\n\n",
            options.namespace, job.name
        )),
    );
    text.push_str("| Service | Is a | Because |\n|---|---|---|\n");
    for workload in &bundle.workloads {
        let _ = writeln!(text, "| {} | {} | {} |", workload.service, workload.kept.as_str(), workload.why);
    }
    text
}

/// The whole tree as one stream of documents, values included if the options say so: what `/service manifests` shows.
pub fn stream(objects: &[Object]) -> String {
    objects.iter().map(|object| yaml::document(&object.body)).collect::<Vec<_>>().join("---\n")
}
