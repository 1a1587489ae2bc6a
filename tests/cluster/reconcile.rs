//! Others change the cluster, Gaggle is killed, the store is lost: the store says what is there, and what is there can be used.

use std::time::Duration;

use gaggle::runtime::kubernetes::objects::Kind;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::support::cluster::{Corner, Nodes, corner, status, until};
use crate::support::proxy::{Fault, Proxy};
use crate::support::tester::Tester;

async fn gone(corner: Corner, t: Tester) {
    t.say("/project delete demo --yes").await.ok();
    corner.empty().await;
    t.done().await;
}

/// Why a project stands as it does.
async fn reason(t: &Tester, name: &str) -> String {
    t.say(&format!("/project show {name}")).await.ok().data("projects")[0]["reason"].as_str().unwrap_or_default().to_owned()
}

/// The state is seen first, why it is so a moment later.
async fn because(t: &Tester, name: &str, why: &str) {
    for _ in 0..400 {
        if reason(t, name).await.contains(why) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{} is not said of {name}", why);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_is_killed_in_the_middle_of_an_answer() {
    let Some(corner) = corner(Nodes::Real).await else { return };
    let t = corner.start("").await;
    t.say("/project create demo").await.ok();
    t.say("/project activate demo").await.ok();
    let asked = t.begin("/ask demo say 20000 words").await;
    asked.text().await;
    corner.kill_pods().await;
    let ended = asked.end().await;
    assert_eq!(ended.turn()["state"], "interrupted", "{}", ended.turn());
    until(&t, "demo", "active").await;
    let again = t.say("/ask demo say 20 words").await.ok();
    assert_eq!(again.turn()["text"].as_str().map(|s| s.split_whitespace().count()), Some(20));
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_scales_deletes_and_edits() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let t = corner.start("").await;
    t.say("/project create demo").await.ok();
    let made = corner.objects().await;
    corner.patch(Kind::Deployment, json!({"spec": {"replicas": 1}})).await;
    until(&t, "demo", "active").await;
    corner.patch(Kind::Deployment, json!({"spec": {"replicas": 0}})).await;
    until(&t, "demo", "inactive").await;
    because(&t, "demo", "scaled down in the cluster, not by Gaggle").await;

    corner.delete(Kind::Deployment).await;
    t.say("/project activate demo").await.ok().has("is active");
    assert_eq!(corner.replicas().await, 1);
    corner.delete(Kind::Deployment).await;
    until(&t, "demo", "inactive").await;
    because(&t, "demo", "removed from the cluster, not by Gaggle").await;
    t.say("/project activate demo").await.ok().has("is active");

    let image = |image: &str| json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]);
    let deployment = corner.one(Kind::Deployment).await;
    let api: Api<k8s_openapi::api::apps::v1::Deployment> =
        Api::namespaced(corner.client.clone(), deployment.metadata.namespace.as_deref().unwrap_or_default());
    let patch: kube::api::Patch<()> =
        kube::api::Patch::Json(serde_json::from_value(image("gaggle.test/other:1")).expect("a patch"));
    let how = kube::api::PatchParams { field_manager: Some("somebody".into()), ..Default::default() };
    api.patch(deployment.metadata.name.as_deref().unwrap_or_default(), &how, &patch).await.expect("it is edited");
    let deadline = Instant::now() + Duration::from_secs(10);
    let drift = loop {
        let drift = t.say("/project status demo").await.ok().data("look")["drift"].clone();
        if drift.as_array().is_some_and(|d| !d.is_empty()) || Instant::now() > deadline {
            break drift.to_string();
        }
        sleep(Duration::from_millis(50)).await;
    };
    assert!(drift.contains("image"), "{drift}");
    t.say("/project deactivate demo").await.ok();
    t.say("/project activate demo").await.ok();
    assert_eq!(t.say("/project status demo").await.ok().data("look")["drift"].clone(), json!([]));
    let image = &corner.one(Kind::Deployment).await.data["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(image, "gaggle.test/pretend:1");
    t.say("/project deactivate demo").await.ok();
    assert_eq!(corner.objects().await, made);
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_is_lost() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let mut first = corner.start("").await;
    first.say("/project create demo --cpu 500m").await.ok();
    first.say("/project activate demo").await.ok();
    first.say("/project create quiet").await.ok();
    let shown = |said: crate::support::tester::Said| {
        let p = said.ok().data("projects")[0].clone();
        json!([p["id"], p["name"], p["owner"], p["status"], p["settings"]])
    };
    let before = shown(first.say("/project show demo").await);
    first.terminate().await;
    let t = corner.start("").await;
    let alice = &t;
    let deadline = Instant::now() + Duration::from_secs(10);
    while alice.say("/project list").await.data("projects").as_array().map(Vec::len) != Some(2) {
        assert!(Instant::now() < deadline, "nothing is adopted: {}", alice.say("/project list").await.text());
        sleep(Duration::from_millis(50)).await;
    }
    loop {
        let after = shown(alice.say("/project show demo").await);
        if after == before {
            break;
        }
        assert!(Instant::now() < deadline, "{after} is not {before}");
        sleep(Duration::from_millis(50)).await;
    }
    alice.say("/project deactivate demo").await.ok();
    alice.say("/project activate quiet").await.ok();
    alice.say("/project delete demo --yes").await.ok();
    alice.say("/project delete quiet --yes").await.ok();
    corner.empty().await;
    t.done().await;
}

/// Whether the store says what is there.
async fn agrees(corner: &Corner, t: &Tester) -> Result<(), String> {
    let listed = t.say("/project list").await.data("projects");
    let status = listed.as_array().and_then(|l| l.iter().find(|p| p["name"] == "demo")).map(|p| p["status"].clone());
    let objects = corner.objects().await;
    let pods = corner.pods().await;
    let ready = pods.iter().any(|p| {
        let conditions = p.status.iter().flat_map(|s| s.conditions.iter().flatten());
        p.metadata.deletion_timestamp.is_none() && conditions.into_iter().any(|c| c.type_ == "Ready" && c.status == "True")
    });
    let there = objects.iter().any(|o| o.starts_with("Deployment"));
    let replicas = if there { corner.replicas().await } else { 0 };
    let good = match status.as_ref().and_then(|s| s.as_str()) {
        Some("active") => ready && replicas == 1,
        Some("inactive") => replicas == 0 && pods.is_empty(),
        // A namespace takes its time to end.
        Some("deleting") => !there && pods.is_empty(),
        None => !objects.iter().any(|o| !o.starts_with("Namespace")),
        _ => false,
    };
    if good { Ok(()) } else { Err(format!("{status:?}, {replicas} replicas, {objects:?}")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let mut t = corner.start("").await;
    // Another seed, other moments.
    let seed: u64 = std::env::var("GAGGLE_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(4);
    let mut random = seed;
    for round in 0..12 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let listed = t.say("/project list").await.data("projects");
        let status = listed.as_array().and_then(|l| l.first()).map(|p| p["status"].as_str().unwrap_or_default().to_owned());
        let (command, within) = match status.as_deref() {
            None => {
                t.say("/project create demo").await.ok();
                ("/project activate demo", 1_200)
            }
            Some("active") if random >> 60 < 8 => ("/project delete demo --yes", 2_000),
            Some("active") => ("/project deactivate demo", 600),
            _ => ("/project activate demo", 1_200),
        };
        let moment = Duration::from_millis((random >> 33) % within);
        t.begin(command).await;
        // The moment is the point of it.
        sleep(moment).await;
        t.kill().await;
        t.restart().await;
        let begun = Instant::now();
        loop {
            let Err(how) = agrees(&corner, &t).await else { break };
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "seed {seed}, round {round}, `{command}` killed after {moment:?}: {how}"
            );
            sleep(Duration::from_millis(50)).await;
        }
        // A deletion goes on to its end.
        let begun = Instant::now();
        while t.say("/project list").await.data("projects")[0]["status"] == "deleting" {
            assert!(begun.elapsed() < Duration::from_secs(60), "a deletion does not go on");
            sleep(Duration::from_millis(100)).await;
        }
    }
    t.say("/project delete demo --yes").await;
    corner.empty().await;
    t.lenient();
    t.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_cannot_be_made_leaves_nothing() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let proxy = Proxy::start(corner.kubeconfig()).await;
    let mut t = corner.prepare_at(&proxy.kubeconfig(), "");
    t.launch();
    t.ready().await;
    for resource in ["networkpolicies", "services", "deployments"] {
        proxy.fail(1, Fault::Answer(422, 0), move |r| r.method == "PATCH" && r.about(resource));
        let said = t.say("/project create demo").await;
        assert!(!said.ok && said.text().contains("creating the project `demo` did not succeed"), "{resource}: {}", said.text());
        corner.empty().await;
        assert_eq!(t.say("/project list").await.ok().data("projects"), json!([]));
    }
    t.say("/project create demo").await.ok();
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_kept_and_a_guest() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let t = corner.start("").await;
    t.say("/project create demo --disk 1Gi").await.ok();
    t.say("/project activate demo").await.ok();
    t.say("/project delete demo --keep-data --yes").await.ok();
    let left = corner.objects().await;
    let of_project: Vec<&String> = left.iter().filter(|o| o.contains("proj-")).collect();
    assert!(of_project.len() == 1 && of_project[0].starts_with("PersistentVolumeClaim"), "{left:?}");
    let claim = corner.one(Kind::Claim).await;
    let namespace = claim.metadata.namespace.clone().unwrap_or_default();
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(corner.client.clone(), &namespace);
    claims.delete(claim.metadata.name.as_deref().unwrap_or_default(), &DeleteParams::default()).await.expect("it goes");

    let guests: Api<ConfigMap> = Api::namespaced(corner.client.clone(), &namespace);
    let guest: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "guest"}})).expect("a ConfigMap");
    t.say("/project create demo").await.ok();
    guests.create(&PostParams::default(), &guest).await.expect("a guest");
    let said = t.say("/project delete demo --yes").await.ok();
    assert!(said.events.iter().any(|e| e["text"].as_str().is_some_and(|t| t.contains("ConfigMap guest in it is not Gaggle's"))));
    assert_eq!(corner.objects().await, [format!("Namespace {namespace}")]);
    guests.get("guest").await.expect("it is left alone");
    corner.end_namespace().await;
    corner.empty().await;
    t.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_removed_is_made_anew() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let mut t = corner.start("").await;
    t.say("/project create demo").await.ok();
    let made = corner.objects().await;
    for kind in [Kind::Secret, Kind::Service, Kind::ServiceAccount, Kind::ConfigMap, Kind::NetworkPolicy, Kind::LimitRange] {
        if made.iter().any(|o| o.starts_with(kind.shown())) {
            corner.delete(kind).await;
        }
    }
    t.say("/project activate demo").await.ok();
    t.say("/project deactivate demo").await.ok();
    assert_eq!(corner.objects().await, made);
    // Of a start that fails after a restart nothing is taken back that was there before it.
    t.restart().await;
    t.say("/project update demo --image play.gaggle.test/image-pull-back-off:1").await.ok();
    let said = t.say("/project activate demo").await;
    assert!(!said.ok && said.text().contains("cannot be pulled"), "{}", said.text());
    assert_eq!(corner.objects().await, made);
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_is_stopped() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let t = corner.start("").await;
    t.say("/project create demo --image play.gaggle.test/pending:1").await.ok();
    let made = corner.objects().await;
    let start = t.begin("/project activate demo").await;
    start.event("the pod", |e| e["step"] == "pod").await;
    let begun = Instant::now();
    t.in_conversation("elsewhere").say("/project deactivate demo").await.ok();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let started = start.end().await;
    assert!(!started.ok && started.text().contains("was stopped"), "{}", started.text());
    assert_eq!((status(&t, "demo").await, corner.replicas().await, corner.objects().await), ("inactive".to_owned(), 0, made));
    gone(corner, t).await;
}
