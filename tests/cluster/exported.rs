//! An exported release, applied by kubectl, is what was deployed.
//!
//! What may differ, and why: the containers that wait, with the account that those ask by which wait for jobs, since a deployment
//! waits itself; the label of the release, by which Gaggle knows its own; and what a server gives to each object on its own.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use super::deploy::render::{kubectl, run};
use crate::support::cluster::{Corner, Nodes, corner};
use crate::support::tester::Tester;

const SHOP: &str = r#"
services:
  web:
    image: registry.test/shop/web:1.0
    hostname: front
    ports: ["8080:80", "127.0.0.1:9000:9000"]
    environment:
      DATABASE_URL: postgres://shop:open@db:5432/shop
      API_KEY: 'k-123 "quoted": $$x # no comment'
      MODE: ${MODE:-fast}
      HOME_OF: $$(HOME)
      EMPTY: ""
    command: [serve, --home, "$$HOME"]
    configs: [{ source: page, target: /www/index.html }]
    secrets: [{ source: cert, target: tls.pem, mode: 0400 }]
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1/"], interval: 5s }
    stop_grace_period: 20s
    labels: { com.example.team: shop }
    depends_on:
      db: { condition: service_healthy }
      cache: { condition: service_started }
    deploy: { replicas: 2, resources: { limits: { memory: 256M, cpus: "0.5" } } }
  db:
    image: postgres:16
    ports: ["5432"]
    environment: { POSTGRES_PASSWORD: open, POSTGRES_USER: shop }
    healthcheck: { test: [CMD-SHELL, "pg_isready -U $$POSTGRES_USER"], start_period: 10s }
    volumes: ["data:/var/lib/postgresql/data"]
    shm_size: 64M
  cache:
    image: redis:7
    user: "999"
    expose: ["6379"]
    tmpfs: [/data]
    read_only: true
    cap_drop: [ALL]
    networks: { default: { aliases: [store] } }
  worker:
    image: registry.test/shop/worker:1.0
    environment: { MODE: "${MODE:-fast}" }
    depends_on: [cache]
  agent:
    image: registry.test/agent:1
    deploy: { mode: global, placement: { constraints: [node.labels.type == kwok] } }
configs:
  page: { content: "<h1>shop</h1>\n" }
secrets:
  cert: { file: ./cert.pem }
volumes:
  data: { labels: { keep: "yes" } }
"#;

const KINDS: &[(&str, &str, &str)] = &[
    ("", "v1", "ConfigMap"),
    ("", "v1", "Secret"),
    ("", "v1", "PersistentVolumeClaim"),
    ("", "v1", "Service"),
    ("", "v1", "ServiceAccount"),
    ("rbac.authorization.k8s.io", "v1", "Role"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
    ("apps", "v1", "Deployment"),
    ("apps", "v1", "StatefulSet"),
    ("apps", "v1", "DaemonSet"),
    ("batch", "v1", "Job"),
    ("networking.k8s.io", "v1", "Ingress"),
];

/// Everything in a namespace that somebody applied, as `Kind name`.
async fn there(corner: &Corner, namespace: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (group, version, kind) in KINDS {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::namespaced_with(corner.client.clone(), namespace, &resource);
        for object in api.list(&ListParams::default()).await.unwrap() {
            let name = object.metadata.name.clone().unwrap();
            if !matches!((*kind, name.as_str()), ("ConfigMap", "kube-root-ca.crt") | ("ServiceAccount", "default")) {
                let object = serde_json::to_string(&object).unwrap().replace(namespace, "NAMESPACE");
                all.insert(format!("{kind} {name}"), plain(serde_json::from_str(&object).unwrap()));
            }
        }
    }
    all
}

fn remove(value: &mut Value, keys: &[&str]) {
    if let Some(map) = value.as_object_mut() {
        keys.iter().for_each(|key| drop(map.remove(*key)));
    }
}

/// Without what may differ.
fn plain(mut object: Value) -> Value {
    remove(&mut object, &["status", "apiVersion", "kind"]);
    let own = ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "ownerReferences", "finalizers"];
    remove(&mut object["metadata"], &own);
    let notes = ["deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation"];
    remove(&mut object["metadata"]["annotations"], &notes);
    if object["metadata"]["annotations"] == json!({}) || object["metadata"]["annotations"].is_null() {
        remove(&mut object["metadata"], &["annotations"]);
    }
    remove(&mut object["metadata"]["labels"], &["gaggle.dev/release-id"]);
    remove(&mut object["spec"], &["clusterIP", "clusterIPs", "volumeName", "healthCheckNodePort"]);
    for port in object["spec"]["ports"].as_array_mut().into_iter().flatten() {
        remove(port, &["nodePort"]);
    }
    let template = &mut object["spec"]["template"];
    remove(&mut template["metadata"]["labels"], &["gaggle.dev/release-id"]);
    let pod = &mut template["spec"];
    let waits = |list: &Value| list.as_array().is_some_and(|all| all.iter().all(|one| starts(one, "wait-for-")));
    if waits(&pod["initContainers"]) {
        remove(pod, &["initContainers"]);
    }
    if object["spec"]["template"] == json!({ "metadata": { "labels": null, "annotations": null }, "spec": null }) {
        remove(&mut object["spec"], &["template"]);
    }
    object
}

fn starts(container: &Value, name: &str) -> bool {
    container["name"].as_str().is_some_and(|own| own.starts_with(name))
}

/// The file that a reply came with, unpacked, for another namespace.
fn unpacked(archive: &[u8], folder: &Path, from: &str, to: &str) {
    for entry in tar::Archive::new(flate2::read::GzDecoder::new(archive)).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = folder.join(entry.path().unwrap());
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.replace(from, to)).unwrap();
    }
}

/// As somebody does by hand: each empty value of a Secret is typed in.
fn fill_in(folder: &Path, deployed: &BTreeMap<String, Value>) -> usize {
    let mut filled = 0;
    for part in std::fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        for file in std::fs::read_dir(part.path()).unwrap().flatten().filter(|f| f.path().is_file()) {
            let text = std::fs::read_to_string(file.path()).unwrap();
            if !text.contains("kind: Secret") {
                continue;
            }
            assert!(text.starts_with("# Fill in the values"), "{text}");
            let documents: Vec<String> = text.split("---\n").map(|document| filled_in(document, deployed, &mut filled)).collect();
            std::fs::write(file.path(), documents.join("---\n")).unwrap();
        }
    }
    filled
}

fn filled_in(document: &str, deployed: &BTreeMap<String, Value>, filled: &mut usize) -> String {
    let of = |line: &str| {
        let (key, _) = line.strip_suffix("\"\"")?.trim().split_once(':')?;
        let known = deployed.iter().filter(|(name, _)| name.starts_with("Secret "));
        let held = known.filter(|(name, _)| document.contains(&format!("name: {}\n", &name["Secret ".len()..])));
        let value = held.filter_map(|(_, secret)| secret["data"][key.trim_matches('"')].as_str()).next()?;
        Some(format!("  {key}: {}", json!(String::from_utf8(BASE64_STANDARD.decode(value).unwrap()).unwrap())))
    };
    let lines = document.lines().map(|line| {
        let typed = of(line);
        *filled += usize::from(typed.is_some());
        typed.unwrap_or_else(|| line.to_owned())
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_applied_equals_the_deployment() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let Some(kubectl) = kubectl() else { return };
    let mut t = Tester::prepare(&[], &[("GAGGLE_CLUSTERS__ALLOW_ADDRESSES", "127.0.0.0/8")]);
    t.catalogue(&[("shop.yaml", SHOP), ("cert.pem", "-----BEGIN X-----\nabc\n-----END X-----\n")]);
    t.launch();
    t.ready().await;
    let kubeconfig = std::fs::read_to_string(corner.kubeconfig()).unwrap();
    let asked = t.begin("/cluster add prod").await;
    t.operator().fill(&asked.form().await, json!({ "kubeconfig": kubeconfig })).await.end().await.ok();
    asked.end().await.ok();

    // Deployed, and changed since in each way that is kept.
    let (from, to) = (format!("{}from", corner.prefix), format!("{}into", corner.prefix));
    t.say(&format!("/service deploy shop --namespace {from} --expose ingress --yes")).await.ok().has("revision 1");
    t.say("/service update shop --set MODE=slow --yes").await.ok();
    t.say("/service scale shop 3 --workload worker").await.ok();
    let deployed = there(&corner, &from).await;
    assert!(deployed.len() > 15, "{:?}", deployed.keys());

    let said = t.say("/service export shop").await.ok().has("kustomize tree");
    let file = said.events.iter().find(|e| e["type"] == "file").expect("a file");
    let archive = BASE64_STANDARD.decode(file["bytes"].as_str().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    unpacked(&archive, folder.path(), &from, &to);
    let top = std::fs::read_dir(folder.path()).unwrap().flatten().next().unwrap().path();
    let top = if top.join("overlays").exists() { top } else { folder.path().to_owned() };
    assert!(fill_in(&top, &deployed) >= 4);

    let mut apply = tokio::process::Command::new(&kubectl);
    apply.env("KUBECONFIG", corner.kubeconfig()).args(["apply", "--server-side", "--validate=strict", "-k"]);
    run(apply.arg(top.join("overlays/production")), "").await;
    let applied = there(&corner, &to).await;
    let names = |all: &BTreeMap<String, Value>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&applied), names(&deployed));
    let differ: Vec<String> = deployed
        .iter()
        .filter(|(name, object)| applied[*name] != **object)
        .map(|(name, object)| format!("{name}\n  deployed {object}\n  applied  {}", applied[name]))
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));

    t.say("/service delete shop --yes").await.ok();
    t.done().await;
    let namespaces: Api<Namespace> = Api::all(corner.client.clone());
    namespaces.delete(&to, &DeleteParams::background()).await.unwrap();
}
