//! `deploy/`: it is valid, it grants what Gaggle needs and nothing more, and Gaggle runs from it.

mod console;
pub(super) mod render;
mod services;
mod sources;

use std::path::Path;

use gaggle::runtime::kubernetes::permissions::{RELEASES, RULES, cluster_role, whole_role};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::render::{Deployed, client_of};
use crate::support::cluster::{Corner, Nodes, PATIENCE, corner};
use crate::support::tester::{Tester, snapshot};

/// `gaggle check` in a corner, with these variables: exit code, and what it told.
async fn check(folder: &Path, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = tokio::process::Command::from(Tester::command());
    command.args(["check", "--config", "gaggle.toml"]).current_dir(folder);
    command.env("HOME", folder).envs(variables.iter().copied());
    let output = command.output().await.expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

/// Without what differs from cluster to cluster.
fn redacted(told: &str, folder: &Path, corner: &Corner) -> String {
    let server = Deployed::server(corner);
    let folder = folder.canonicalize().expect("a folder").display().to_string();
    let told = told.replace(&server, "https://SERVER").replace(&folder, "DIR").replace(&corner.instance, "INSTANCE");
    let line = |line: &str| match line.split_once("server version") {
        Some((before, _)) => format!("{before}server version  VERSION\n"),
        None => format!("{}\n", line.trim_end()),
    };
    told.lines().map(line).collect()
}

#[test]
fn the_roles_of_deploy_are_what_the_program_needs() {
    for (path, name, rules) in
        [("base/clusterrole.yaml", "gaggle", RULES), ("services/clusterrole.yaml", "gaggle-services", RELEASES)]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path);
        let wanted = format!(
            "# Written from src/runtime/kubernetes/permissions.rs; `UPDATE=1 cargo test the_roles_of_deploy` writes it anew.\n{}",
            whole_role(name, rules)
        );
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &wanted).expect("a file");
        }
        let found = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(found, wanted, "run `UPDATE=1 cargo test the_roles_of_deploy`");
    }
}

/// The base's own, which the overlay replaces.
#[tokio::test]
async fn the_configuration_of_the_base_is_understood() {
    let folder = tempfile::tempdir().expect("a folder");
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/base/gaggle.toml");
    std::fs::copy(base, folder.path().join("gaggle.toml")).expect("a file");
    let variables = [("GAGGLE_DATA_DIR", "data"), ("GAGGLE_SERVER__LISTEN", "127.0.0.1:0")];
    let (_, told) = check(folder.path(), &variables).await;
    let faults: Vec<&str> = told.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert!(faults.len() == 1 && faults[0].contains("no credentials for a Kubernetes cluster"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_takes_every_document() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let mut last = None;
    for folder in ["base", "overlays/console", "overlays/slack", "overlays/discord"] {
        let Some(deployed) = Deployed::render(&corner, folder).await else { return };
        // The namespace has to be there before it can be said that something could be in it.
        deployed.apply(|kind| kind == "Namespace").await;
        for document in &deployed.documents {
            deployed.apply_one(document, true).await;
        }
        // Pod Security judges pods, not what makes them.
        let template = deployed.document("Deployment")["spec"]["template"].clone();
        let mut pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"] });
        pod["metadata"]["name"] = json!("gaggle");
        deployed.apply(|kind| kind == "ServiceAccount").await;
        let pod: Pod = serde_json::from_value(pod).expect("a pod");
        let pods: Api<Pod> = Api::namespaced(corner.client.clone(), &deployed.namespace);
        pods.create(&PostParams { dry_run: true, ..PostParams::default() }, &pod).await.expect("Pod Security lets it in");
        last = Some(deployed);
    }
    // Both have the same names.
    if let Some(deployed) = last {
        deployed.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_missing_rule_is_named() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let Some(deployed) = Deployed::render(&corner, "base").await else { return };
    deployed.apply(Deployed::RIGHTS).await;
    let t = corner.prepare("");
    let kubeconfig = deployed.kubeconfig(t.folder()).await;
    let variables = [("KUBECONFIG", kubeconfig.to_str().expect("a path"))];
    let client = client_of(&kubeconfig).await;
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client);
    let role = deployed.document("ClusterRole").clone();
    let rules = role["rules"].as_array().expect("rules").clone();
    assert_eq!(rules.len(), RULES.len());
    granted(&reviews, RULES.len(), None).await;
    let (code, told) = check(t.folder(), &variables).await;
    assert_eq!(code, Some(0), "{told}");
    snapshot("kubernetes_check_granted", &redacted(&told, t.folder(), &corner));

    for (at, rule) in RULES.iter().enumerate() {
        let mut less = role.clone();
        less["rules"].as_array_mut().expect("rules").remove(at);
        deployed.apply_one(&less, false).await;
        granted(&reviews, at, Some(at)).await;
        let (code, told) = check(t.folder(), &variables).await;
        assert_eq!(code, Some(1), "without {}: {told}", rule.resource);
        let mends = cluster_role("gaggle-missing", [(rule, rule.verbs.to_vec())]);
        assert!(told.contains(&format!("\n{mends}---\n")), "without {}: {told}", rule.resource);
        let faults = told.lines().filter(|line| line.starts_with("FAULT")).count();
        assert_eq!(faults, 2, "the rule, and what mends it: {told}");
        if rule.resource == "pods/log" {
            snapshot("kubernetes_check_missing", &redacted(&told, t.folder(), &corner));
            // What it prints does mend it.
            let (_, yaml) = told.split_once("have this applied:\n").expect("YAML");
            let yaml = yaml.replace("gaggle-missing", &format!("{}-missing", deployed.namespace));
            deployed.kubectl(&["create"], &yaml).await;
            granted(&reviews, at + 1, None).await;
            let (code, told) = check(t.folder(), &variables).await;
            assert_eq!(code, Some(0), "{told}");
            deployed.kubectl(&["delete"], &yaml).await;
        }
    }
    deployed.remove().await;
}

/// Waits until the API server knows of a change of the role: the rule `without` is gone, and the one before it is back.
async fn granted(reviews: &Api<SelfSubjectAccessReview>, at: usize, without: Option<usize>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = match at.checked_sub(1) {
            Some(before) => may(reviews, before).await,
            None => true,
        };
        let gone = match without {
            Some(at) => !may(reviews, at).await,
            None => true,
        };
        if before && gone {
            return;
        }
        assert!(Instant::now() < deadline, "the role does not change");
        sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn may(reviews: &Api<SelfSubjectAccessReview>, at: usize) -> bool {
    let rule = &RULES[at];
    let (resource, subresource) = rule.resource.split_once('/').unwrap_or((rule.resource, ""));
    let asked = json!({
        "metadata": {},
        "spec": { "resourceAttributes": {
            "group": rule.group, "resource": resource, "subresource": subresource, "verb": rule.verbs[0],
        } },
    });
    let asked: SelfSubjectAccessReview = serde_json::from_value(asked).expect("a review");
    reviews.create(&PostParams::default(), &asked).await.expect("an answer").status.is_some_and(|status| status.allowed)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_life_with_the_rights_of_deploy_alone() {
    let Some(corner) = corner(Nodes::Real).await else { return };
    let Some(deployed) = Deployed::render(&corner, "base").await else { return };
    deployed.apply(Deployed::RIGHTS).await;
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = deployed.kubeconfig(folder.path()).await;
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client_of(&kubeconfig).await);
    granted(&reviews, RULES.len(), None).await;
    let mut t = corner.prepare_at(&kubeconfig, "");
    t.launch();
    t.ready().await;
    // A disk, a secret, an address of its own: all kinds of objects but an ingress.
    t.say("/project create demo --disk 1Gi --env A=b --expose node-port").await.ok();
    t.say("/project activate demo").await.ok().has("is active");
    let asked = t.say("/ask demo say 50 words").await.ok();
    assert_eq!(asked.turn()["text"].as_str().map(|s| s.split_whitespace().count()), Some(50));
    assert!(matches!(t.say("/project logs demo").await.ok().data("lines"), Value::Array(_)));
    let ran = t.say("/project exec demo -- /bin/echo from inside").await.ok();
    assert!(ran.data("output").to_string().contains("from inside"), "{ran:?}");
    t.say("/project status demo").await.ok();
    t.say("/project deactivate demo").await.ok();
    t.say("/project delete demo --yes").await.ok();
    corner.empty().await;
    let stderr = t.look(|state| state.stderr.clone());
    assert!(!stderr.contains("forbidden"), "{stderr}");
    t.done().await;
    deployed.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gaggle_may_be_checked_while_it_runs() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let mut t = corner.prepare(&format!("\n[server]\nlisten = \"127.0.0.1:{}\"\n", crate::support::goose::free_port()));
    t.launch();
    t.ready().await;
    let (code, told) = check(t.folder(), &[("KUBECONFIG", corner.kubeconfig().to_str().expect("a path"))]).await;
    assert_eq!(code, Some(0), "{told}");
    for row in ["is in use by a running Gaggle", "is in use while Gaggle runs"] {
        assert!(told.contains(row), "{told}");
    }
    t.done().await;
}
