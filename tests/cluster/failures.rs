//! Agents that do not come up, each for its own reason: the reason is told, what was begun is taken back, and once it is mended
//! the project starts.

use serde_json::json;

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};

use crate::support::cluster::{Corner, Nodes, corner, status, until};
use crate::support::tester::Tester;

/// Starts the project `demo`, which fails and leaves nothing that was not there before. Returns what was told.
async fn fails(corner: &Corner, t: &Tester) -> String {
    let before = corner.objects().await;
    let said = t.say("/project activate demo").await;
    let told = said.text().to_owned();
    assert!(!said.ok, "{told}");
    assert_eq!((corner.replicas().await, corner.objects().await), (0, before), "{told}");
    let shown = t.say("/project show demo").await.ok().data("projects")[0].clone();
    assert_eq!(shown["status"], "failed");
    let reason = shown["reason"].as_str().unwrap_or_default();
    assert!(!reason.is_empty() && told.contains(reason.lines().next().unwrap_or_default()), "{reason:?} and {told:?}");
    told
}

#[track_caller]
fn has(told: &str, parts: &[&str]) {
    for part in parts {
        assert!(told.contains(part), "{part:?} is missing in\n{told}");
    }
}

async fn gone(corner: Corner, t: Tester) {
    t.say("/project delete demo --yes").await.ok();
    corner.empty().await;
    t.done().await;
}

/// It fails as it is, and starts once `mended` was said.
async fn until_mended(nodes: Nodes, more: &str, made: &str, parts: &[&str], mended: &str) {
    let Some(corner) = corner(nodes).await else { return };
    let t = corner.start(more).await;
    t.say(&format!("/project create demo {made}")).await.ok();
    has(&fails(&corner, &t).await, parts);
    if !mended.is_empty() {
        t.say(mended).await.ok();
        t.say("/project activate demo").await.ok().has("is active");
    }
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_not_there() {
    let parts = ["The image `127.0.0.1:9/none:1` cannot be pulled", "connection refused", "--image"];
    let mended = "/project update demo --image gaggle.test/gaggle:test";
    until_mended(Nodes::Real, "", "--image 127.0.0.1:9/none:1", &parts, mended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_argument_that_the_agent_does_not_know() {
    let more = "args = [\"demo-agent\", \"--no-such-thing\"]";
    let parts =
        ["Its agent ends again and again (exit code 2)", "The last lines of its log", "--no-such-thing", "`[kubernetes] args`"];
    until_mended(Nodes::Real, more, "", &parts, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_the_image_does_not_have() {
    let parts = ["cannot be started", "no-such-program", "`[kubernetes] command`"];
    until_mended(Nodes::Real, "command = [\"/no-such-program\"]", "", &parts, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_memory() {
    // It reads on and on, and keeps it all.
    let more = "command = [\"/usr/bin/busybox\"]\nargs = [\"tail\", \"/dev/zero\"]";
    let parts = ["more memory than its limit", "exit code 137", "--memory"];
    until_mended(Nodes::Real, more, "--memory 32Mi", &parts, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_cannot_be_cloned() {
    let parts = ["The repository cannot be cloned (exit code", "GIT_TOKEN", "The last lines of its log", "127.0.0.1"];
    until_mended(Nodes::Real, "", "--repo https://127.0.0.1:9/acme/shop", &parts, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_falls_over_and_one_that_takes_too_much() {
    let parts = ["Its agent ends again and again (exit code 1)", "The last lines of its log"];
    let mended = "/project update demo --image gaggle.test/pretend:1";
    until_mended(Nodes::Pretend, "", "--image play.gaggle.test/crash-loop:1", &parts, mended).await;
    let parts = ["more memory than its limit (exit code 137)"];
    until_mended(Nodes::Pretend, "", "--image play.gaggle.test/oom-killed:1", &parts, mended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_node_takes_it() {
    let more = "node_selector = { type = \"none\" }\nactivation_timeout = \"4s\"";
    let parts = ["After 4 s no node of the cluster can take its pod", "didn't match Pod's node affinity/selector"];
    until_mended(Nodes::Pretend, more, "", &parts, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_is_used_up() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let t = corner.start("quota = { pods = 1 }").await;
    t.say("/project create other").await.ok();
    t.say("/project activate other").await.ok();
    t.say("/project create demo").await.ok();
    let told = t.say("/project activate demo").await;
    assert!(!told.ok);
    has(
        told.text(),
        &["The quota of its namespace is used up", "exceeded quota", "limited: pods=1", "Deactivate another project"],
    );
    assert_eq!((status(&t, "demo").await, corner.pods().await.len()), ("failed".to_owned(), 1));
    t.say("/project deactivate other").await.ok();
    t.say("/project activate demo").await.ok();
    t.say("/project delete other --yes").await.ok();
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_nobody_makes() {
    let more = "storage = { class = \"none\" }\nactivation_timeout = \"4s\"";
    until_mended(Nodes::Pretend, more, "--disk 1Gi", &["Its disk is still pending", "`[kubernetes] storage`"], "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_never_answers() {
    let parts = ["After 4 s its agent runs but does not answer on its port", "--port"];
    let mended = "/project update demo --image gaggle.test/pretend:1";
    until_mended(Nodes::Pretend, "activation_timeout = \"4s\"", "--image play.gaggle.test/never-ready:1", &parts, mended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_agent_may_have() {
    let more = "limits = { max = { memory = \"3Gi\" } }";
    let parts = ["The limits of its namespace refuse its pod", "maximum memory usage per Container is 3Gi"];
    until_mended(Nodes::Pretend, more, "--memory 4Gi", &parts, "/project update demo --memory 1Gi").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_its_time() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let t = corner.start("").await;
    t.say("/project create demo --image play.gaggle.test/slow-ready:1").await.ok();
    let activated = t.say("/project activate demo").await.ok();
    assert!(activated.events.iter().any(|e| e["text"] == "Waiting for the agent to answer"), "{:#?}", activated.events);
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_put_out_is_replaced() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let t = corner.start("").await;
    t.say("/project create demo").await.ok();
    let before = corner.objects().await;
    t.say("/project activate demo").await.ok();
    let first = corner.pods().await[0].metadata.name.clone();
    corner.play("evicted").await;
    // Its successor is another one.
    let successor = async {
        loop {
            let shown = t.say("/project status demo").await.ok();
            let pod = shown.data("look")["pod"].clone();
            if pod["ready"] == true && pod["name"].as_str() != first.as_deref() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(crate::support::cluster::PATIENCE, successor).await.expect("a successor");
    until(&t, "demo", "active").await;
    let begun = std::time::Instant::now();
    t.say("/project deactivate demo").await.ok();
    assert!(begun.elapsed().as_secs() < 10, "what was put out holds up the end: {:?}", begun.elapsed());
    assert_eq!(corner.objects().await, before);
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_lost() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let nodes: Api<Node> = Api::all(corner.client.clone());
    let name = format!("lost-{}", corner.instance);
    // As the others are, with a label of its own.
    let mut node = nodes.get("kwok-0").await.expect("a pretend node");
    node.metadata = serde_json::from_value(json!({
        "name": name,
        "annotations": node.metadata.annotations,
        "labels": { "lost": name, "kwok.x-k8s.io/node": "fake", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" },
    }))
    .expect("metadata");
    node.spec = None;
    nodes.create(&PostParams::default(), &node).await.expect("a node");
    let t = corner.start(&format!("node_selector = {{ lost = \"{name}\" }}")).await;
    t.say("/project create demo").await.ok();
    t.say("/project activate demo").await.ok();
    let lost = json!({"metadata": {"labels": {"kwok.x-k8s.io/node": null}}});
    nodes.patch(&name, &PatchParams::default(), &Patch::Merge(lost)).await.expect("it is lost");
    until(&t, "demo", "activating").await;
    let shown = t.say("/project show demo").await.ok().data("projects")[0].clone();
    has(shown["reason"].as_str().unwrap_or_default(), &["its node does not answer"]);
    t.say("/project deactivate demo").await.ok();
    assert_eq!((corner.replicas().await, corner.pods().await.len()), (0, 0));
    nodes.delete(&name, &DeleteParams::default()).await.expect("no node");
    gone(corner, t).await;
}
