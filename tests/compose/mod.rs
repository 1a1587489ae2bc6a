//! Compose projects as they are resolved, their workloads and their objects: the published samples, and cases of our own.

mod command_line;
mod mutations;

use std::collections::BTreeMap;
use std::path::Path;

use gaggle::compose::translate::{Found, Options, Sources, Translation, translate};
use gaggle::runtime::kubernetes::release;
use gaggle::yaml;
use serde_json::Value;

/// A folder of which every name with a dot is a file, and every other a folder.
pub struct Folder(BTreeMap<String, Vec<u8>>);

impl Folder {
    fn of(project: &Value) -> Self {
        let mut files = BTreeMap::new();
        collect(project, &mut files);
        Self(files)
    }
}

fn collect(value: &Value, files: &mut BTreeMap<String, Vec<u8>>) {
    match value {
        Value::String(path) if path.starts_with("/project/") => {
            let name = path.rsplit('/').next().unwrap_or_default();
            if name.contains('.') {
                files.insert(path.clone(), format!("# {name}\nof the project\n").into_bytes());
            }
        }
        Value::Array(all) => all.iter().for_each(|value| collect(value, files)),
        Value::Object(all) => all.values().for_each(|value| collect(value, files)),
        _ => {}
    }
}

impl Sources for Folder {
    fn look(&self, path: &str) -> Found<'_> {
        match self.0.get(path) {
            Some(content) => Found::File { content, executable: path.ends_with(".sh") },
            None if path.starts_with("/project") => Found::Folder,
            None => Found::Outside,
        }
    }

    fn variable(&self, _: &str) -> Option<&str> {
        None
    }
}

/// By name, in their order.
pub fn fixtures() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/compose/resolved");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
    };
    let mut all: Vec<_> = entries.map(read).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

pub fn translated(project: &Value, options: &Options) -> Translation {
    translate(project, &Folder::of(project), options)
}

pub fn release_options(namespace: &str) -> release::Options {
    release::Options { namespace: namespace.to_owned(), seal: Some([1; 32]), ..release::Options::default() }
}

/// What each sample becomes: its warnings, how its workloads are kept, and all its objects.
#[test]
fn samples() {
    let all = fixtures();
    assert!(all.len() >= 21, "{}", all.len());
    for (name, project) in all {
        let found = translated(&project, &Options::default());
        let objects = release::objects(&found.bundle, &release_options("shop"));
        let mut text = String::new();
        for warning in &found.warnings {
            text.push_str(&format!("# {warning}\n"));
        }
        for workload in &found.bundle.workloads {
            text.push_str(&format!("# {} is a {}: {}\n", workload.service, workload.kept.as_str(), workload.why));
        }
        let documents: Vec<String> = objects.iter().map(|object| yaml::document(&object.body)).collect();
        text.push_str(&documents.join("---\n"));
        insta::with_settings!({ snapshot_path => "../snapshots/compose", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, text);
        });
    }
}

/// What Kubernetes' own types do not know, a server would drop.
#[test]
fn objects_are_of_their_types() {
    use k8s_openapi::api::{
        apps::v1 as apps, batch::v1 as batch, core::v1 as core, networking::v1 as networking, rbac::v1 as rbac,
    };
    fn same<T: serde::de::DeserializeOwned + serde::Serialize>(body: &Value) {
        let typed: T = serde_json::from_value(body.clone()).unwrap_or_else(|e| panic!("{e}: {body:#}"));
        assert_eq!(&serde_json::to_value(typed).unwrap(), body);
    }
    for (_, project) in fixtures() {
        let found = translated(&project, &Options::default());
        let options = release::Options { waiting: Some(release::Waiting::default()), ..release_options("shop") };
        for object in release::objects(&found.bundle, &options) {
            let body = &object.body;
            match object.kind {
                "Deployment" => same::<apps::Deployment>(body),
                "StatefulSet" => same::<apps::StatefulSet>(body),
                "DaemonSet" => same::<apps::DaemonSet>(body),
                "Job" => same::<batch::Job>(body),
                "Service" => same::<core::Service>(body),
                "ConfigMap" => same::<core::ConfigMap>(body),
                "Secret" => same::<core::Secret>(body),
                "PersistentVolumeClaim" => same::<core::PersistentVolumeClaim>(body),
                "ServiceAccount" => same::<core::ServiceAccount>(body),
                "Role" => same::<rbac::Role>(body),
                "RoleBinding" => same::<rbac::RoleBinding>(body),
                "Ingress" => same::<networking::Ingress>(body),
                other => panic!("a new kind: {other}"),
            }
        }
    }
}
