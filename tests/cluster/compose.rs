//! What compose projects become, judged by a real API server.

use std::process::Command;
use std::time::Duration;

use gaggle::compose::translate::{Options, ServiceOptions};
use gaggle::model::workload::Expose;
use gaggle::runtime::kubernetes::release::{self, Object, Waiting};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, ValidationDirective};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::compose::{fixtures, release_options, translated};
use crate::support::cluster::{Corner, Nodes, PATIENCE, corner};

async fn space(corner: &Corner, name: &str) -> String {
    let name = format!("{}{name}", corner.prefix);
    let api: Api<Namespace> = Api::all(corner.client.clone());
    let body = json!({ "metadata": { "name": name, "labels": { "gaggle.dev/instance": corner.instance } } });
    api.create(&PostParams::default(), &serde_json::from_value(body).unwrap()).await.unwrap();
    name
}

async fn end(corner: &Corner, namespace: &str) {
    let api: Api<Namespace> = Api::all(corner.client.clone());
    api.delete(namespace, &DeleteParams::background()).await.unwrap();
}

fn resource(object: &Object) -> ApiResource {
    let (group, version) = object.api.split_once('/').unwrap_or(("", object.api));
    let plural = match object.kind {
        "Ingress" => "ingresses".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: object.api.to_owned(),
        kind: object.kind.to_owned(),
        plural,
    }
}

async fn apply(corner: &Corner, namespace: &str, object: &Object, dry: bool) -> Result<DynamicObject, kube::Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(corner.client.clone(), namespace, &resource(object));
    let how = PatchParams {
        dry_run: dry,
        field_manager: Some("gaggle".to_owned()),
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    api.patch(&object.name, &how, &Patch::Apply(&object.body)).await
}

/// Every object of every project, in each way of being offered.
#[tokio::test(flavor = "multi_thread")]
async fn none_is_refused() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let namespace = space(&corner, "compose").await;
    let mut refused = Vec::new();
    let mut count = 0;
    let ways = [None, Some(Expose::NodePort), Some(Expose::LoadBalancer), Some(Expose::Ingress)];
    for (name, project) in fixtures() {
        for expose in ways {
            let all = ServiceOptions { expose, live: Some(expose.is_some()), ..ServiceOptions::default() };
            let found = translated(&project, &Options { all, ..Options::default() });
            let waiting = expose.is_some().then(Waiting::default);
            let options = release::Options { waiting, values: expose.is_none(), ..release_options(&namespace) };
            for object in release::objects(&found.bundle, &options) {
                count += 1;
                if let Err(error) = apply(&corner, &namespace, &object, true).await {
                    refused.push(format!("{name}: {} {}: {error}", object.kind, object.name));
                }
            }
        }
    }
    end(&corner, &namespace).await;
    assert!(refused.is_empty(), "{} of {count}:\n{}", refused.len(), refused.join("\n"));
    assert!(count > 500, "{count}");
}

/// What is applied runs, and applying it again changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn applied_for_real() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let namespace = space(&corner, "compose-run").await;
    let (_, project) = fixtures().into_iter().find(|(name, _)| name == "flask-redis").unwrap();
    let found = translated(&project, &Options::default());
    let objects = release::objects(&found.bundle, &release_options(&namespace));
    let mut versions = Vec::new();
    for object in &objects {
        apply(&corner, &namespace, object, false).await.unwrap();
    }
    let api: Api<Deployment> = Api::namespaced(corner.client.clone(), &namespace);
    let deadline = Instant::now() + PATIENCE;
    for workload in &found.bundle.workloads {
        while api.get(&workload.name).await.unwrap().status.and_then(|status| status.available_replicas) != Some(1) {
            assert!(Instant::now() < deadline, "{} does not get ready", workload.name);
            sleep(Duration::from_millis(50)).await;
        }
        versions.push(api.get(&workload.name).await.unwrap().metadata.generation);
    }
    for object in &objects {
        apply(&corner, &namespace, object, false).await.unwrap();
    }
    for (workload, version) in found.bundle.workloads.iter().zip(versions) {
        assert_eq!(api.get(&workload.name).await.unwrap().metadata.generation, version, "{}", workload.name);
    }
    end(&corner, &namespace).await;
}

fn kubectl(corner: &Corner, arguments: &[&str]) -> String {
    let program =
        std::env::var_os("KUBEBUILDER_ASSETS").map_or("kubectl".into(), |assets| std::path::Path::new(&assets).join("kubectl"));
    let output = Command::new(program).args(arguments).env("KUBECONFIG", corner.kubeconfig()).output().unwrap();
    assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The exported tree builds, also with everything tuned that it offers, and the server takes it.
#[tokio::test(flavor = "multi_thread")]
async fn exported_trees() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let namespace = space(&corner, "compose-tree").await;
    for (name, project) in fixtures() {
        let found = translated(&project, &Options::default());
        let options = release::Options { waiting: Some(Waiting::default()), ..release_options(&namespace) };
        let folder = tempfile::tempdir().unwrap();
        for file in release::export(&found.bundle, &options) {
            let path = folder.path().join(&file.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let tuned = match file.path == "overlays/production/kustomization.yaml" {
                true => file.content.lines().map(uncommented).collect::<Vec<_>>().join("\n"),
                false => file.content,
            };
            std::fs::write(path, tuned).unwrap();
        }
        let at = |part: &str| folder.path().join(part).to_str().unwrap().to_owned();
        kubectl(&corner, &["kustomize", &at("overlays/production")]);
        let applied =
            kubectl(&corner, &["apply", "--server-side", "--dry-run=server", "--validate=strict", "-o", "name", "-k", &at(".")]);
        let made = release::objects(&found.bundle, &options).len();
        assert_eq!(applied.lines().count(), made + 1, "{name}: {applied}");
    }
    end(&corner, &namespace).await;
}

/// Takes the sign of comment away from what is YAML, and leaves sentences.
fn uncommented(line: &str) -> String {
    match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with(['-', ' ']) || ["images:", "replicas:", "patches:"].contains(&rest) => rest.to_owned(),
        _ => match line.strip_prefix('#') {
            Some(rest) if rest.starts_with("  ") => rest.strip_prefix(' ').unwrap_or(rest).to_owned(),
            _ => line.to_owned(),
        },
    }
}

/// Another's parser reads what ours has written.
#[tokio::test(flavor = "multi_thread")]
async fn yaml_is_read_back() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let texts = [
        "",
        " ",
        "a",
        "no",
        "NULL",
        "~",
        "1",
        "1.5",
        "0x1",
        "1e3",
        "1_000",
        "12:30:45",
        "2024-01-01",
        "- a",
        "? a",
        ": a",
        "a: b",
        "a:",
        "#a",
        "a #b",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "|",
        ">",
        "'a'",
        "\"a\"",
        "{a}",
        "[a]",
        "a\nb",
        "a\nb\n",
        "a\n\n\nb\n\n\n",
        "\na",
        " a\nb",
        "\ta\nb",
        "a\n\tb",
        "a \nb ",
        "a\r\nb",
        "\u{7}",
        "\u{85}x\ny",
        "\u{2028}",
        "\u{feff}",
        "ä€𝄞",
        "a\n  b\n c",
        "---\na",
        "a\n---\nb",
        "...",
        "<<",
        "=",
        "a\n \nb",
        "x\n\n",
    ];
    let data: serde_json::Map<String, Value> = texts.iter().enumerate().map(|(n, text)| (format!("t{n}"), json!(text))).collect();
    let body = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "texts" }, "data": data });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("texts.yaml");
    std::fs::write(&path, gaggle::yaml::document(&body)).unwrap();
    let read = kubectl(&corner, &["create", "--dry-run=client", "--validate=false", "-o", "json", "-f", path.to_str().unwrap()]);
    let read: Value = serde_json::from_str(&read).unwrap();
    for (n, text) in texts.iter().enumerate() {
        assert_eq!(read["data"][format!("t{n}")], json!(text), "{text:?}");
    }
}
