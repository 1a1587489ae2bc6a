//! Projects in clusters that people have added, while others run on this machine.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, ListParams};
use serde_json::json;
use tokio::time::{Duration, Instant, sleep};

use crate::support::cluster::{Corner, GAGGLE_IMAGE, Nodes, PATIENCE, corner, until};
use crate::support::tester::Tester;

/// Runs projects on this machine, unless they name a cluster.
fn prepare(corner: &Corner, program: &str) -> Tester {
    let t = Tester::prepare(&["serve", "--json", "--config", "gaggle.toml"], &[]);
    let config = corner.config("").replace("kind = \"kubernetes\"", "kind = \"local\"");
    let more = format!("{config}\n[agent]\nname = \"{program}\"\n[clusters]\nallow_addresses = [\"127.0.0.0/8\"]\n");
    std::fs::write(t.folder().join("gaggle.toml"), more).unwrap();
    t
}

async fn add(t: &Tester, corner: &Corner) {
    let kubeconfig = std::fs::read_to_string(corner.kubeconfig()).unwrap();
    let asked = t.begin("/cluster add prod").await;
    t.operator().fill(&asked.form().await, json!({ "kubeconfig": kubeconfig })).await.end().await.ok();
    asked.end().await.ok().has("Added the cluster `prod`");
}

/// Running, with the cluster `prod`.
async fn with_prod(corner: &Corner) -> Tester {
    let mut t = prepare(corner, "demo");
    t.launch();
    t.ready().await;
    add(&t, corner).await;
    t
}

/// What runs there for projects of this Gaggle: each with its number of pods that are wanted.
async fn deployments(corner: &Corner) -> Vec<(String, i32)> {
    let api: Api<Deployment> = Api::all(corner.client.clone());
    let found = api.list(&ListParams::default().labels("gaggle.dev/project")).await.unwrap();
    let ours = found.into_iter().filter(|d| d.metadata.namespace.as_deref().is_some_and(|ns| ns.starts_with(&corner.prefix)));
    ours.map(|d| (d.metadata.labels.unwrap()["gaggle.dev/instance"].clone(), d.spec.unwrap().replicas.unwrap_or(1))).collect()
}

async fn namespaces(corner: &Corner) -> Vec<String> {
    let api: Api<Namespace> = Api::all(corner.client.clone());
    let names = api.list(&ListParams::default()).await.unwrap().into_iter().filter_map(|ns| ns.metadata.name);
    names.filter(|name| name.starts_with(&corner.prefix)).collect()
}

async fn nothing_left(corner: &Corner) {
    let deadline = Instant::now() + PATIENCE;
    while !namespaces(corner).await.is_empty() {
        assert!(Instant::now() < deadline, "left: {:?}", namespaces(corner).await);
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_runs_in_the_cluster_that_it_names() {
    let Some(corner) = corner(Nodes::Real).await else { return };
    let mut t = with_prod(&corner).await;

    t.say("/project create here").await.ok();
    t.say(&format!("/project create there --cluster prod --image {GAGGLE_IMAGE}")).await.ok().has("in the cluster `prod`");
    t.say("/project create nowhere --cluster prdo").await.refused().has("Did you mean `prod`?");
    // What only a cluster has is refused on this machine, and taken there.
    t.say(&format!("/project create not --image {GAGGLE_IMAGE}")).await.refused();
    t.say("/project activate here").await.ok();
    t.say("/project activate there").await.ok().has("is active");
    let shown = t.say("/project show there").await.ok().has("Cluster: prod");
    assert_eq!(shown.data("projects")[0]["cluster"], "prod");
    assert!(t.say("/project show here").await.ok().data("projects")[0]["cluster"].is_null());
    let found = deployments(&corner).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0.starts_with(&format!("{}-", corner.instance)) && found[0].1 == 1, "{found:?}");
    for name in ["here", "there"] {
        let asked = t.say(&format!("/ask {name} hello")).await.ok();
        assert!(asked.turn()["text"].as_str().is_some_and(|text| text.contains("hello")), "{name}");
    }
    t.say("/project status there").await.ok();

    // Killed, and started again: what runs there is found, and answers.
    t.kill().await;
    t.launch();
    t.ready().await;
    until(&t, "there", "active").await;
    t.say("/ask there again").await.ok();

    // Who scales it down there is seen.
    let pods: Api<Pod> = Api::all(corner.client.clone());
    let running = pods.list(&ListParams::default().labels("gaggle.dev/project")).await.unwrap();
    assert!(running.iter().any(|p| p.metadata.namespace.as_deref().is_some_and(|ns| ns.starts_with(&corner.prefix))));
    t.say("/project deactivate there").await.ok();
    assert_eq!(deployments(&corner).await[0].1, 0);
    t.say("/project delete there --yes").await.ok();
    nothing_left(&corner).await;
    t.say("/project delete here --yes").await.ok();
    t.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_removed_under_its_projects() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let t = with_prod(&corner).await;
    t.say("/project create shop --cluster prod").await.ok();
    t.say("/project activate shop").await.ok();

    // New credentials and another name: it is reached as before.
    t.say("/cluster rename prod live").await.ok();
    until(&t, "shop", "active").await;
    t.say("/project show shop").await.ok().has("Cluster: live");
    t.say("/project deactivate shop").await.ok();
    t.say("/project activate shop").await.ok();

    let asked = t.begin("/cluster remove live").await;
    let form = asked.event("a question", |e| e["type"] == "form").await;
    assert!(form["title"].as_str().is_some_and(|text| text.contains("operator/shop")), "{form}");
    t.operator().fill(form["form"].as_str().unwrap(), json!({})).await.end().await.ok();
    asked.end().await.ok().has("Removed the cluster `live`");
    t.say("/project show shop").await.ok().has("Its cluster `live` was removed");
    t.say("/project activate shop").await.has("was removed from Gaggle");
    assert_eq!(deployments(&corner).await.len(), 1, "it runs on there");
    t.say("/project delete shop --yes").await.ok();
    t.done().await;
    for namespace in namespaces(&corner).await {
        let api: Api<Namespace> = Api::all(corner.client.clone());
        api.delete(&namespace, &kube::api::DeleteParams::background()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_removed_while_a_project_starts_there() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let mut t = with_prod(&corner).await;
    t.say("/project create shop --cluster prod --image play.gaggle.test/never-ready:1").await.ok();
    t.say("/project create next --cluster prod").await.ok();
    let starting = t.begin("/project activate shop").await;
    let deadline = Instant::now() + PATIENCE;
    while deployments(&corner).await.iter().all(|(_, pods)| *pods == 0) {
        assert!(Instant::now() < deadline, "it does not start");
        sleep(Duration::from_millis(50)).await;
    }
    // A message waits for the start as well.
    let waiting = t.in_conversation("side").begin("/ask shop hello").await;
    t.event("the wait of the message", |e| e["type"] == "turn").await;

    // From elsewhere: what is said in one conversation is done in its order.
    t.in_conversation("ops").say("/cluster remove prod --yes").await.ok().has("Removed the cluster `prod`");
    let said = starting.end().await;
    assert!(!said.ok && said.text().contains("was stopped"), "{}", said.text());
    assert!(!waiting.end().await.ok);
    let shown = t.say("/project show shop").await.ok().has("Its cluster `prod` was removed");
    assert_eq!(shown.data("projects")[0]["status"], "failed");
    assert!(deployments(&corner).await.iter().all(|(_, pods)| *pods == 0), "what was begun there is taken back");

    // It stays so after a restart too; nothing is connected to any more.
    t.say("/project activate next").await.has("was removed from Gaggle");
    t.restart().await;
    t.say("/project show shop").await.ok().has("Its cluster `prod` was removed");
    t.say("/project activate shop").await.has("was removed from Gaggle");
    for name in ["shop", "next"] {
        t.say(&format!("/project delete {name} --yes")).await.ok();
    }
    t.say("/project list").await.ok().has("You have no projects");
    t.lenient();
    t.done().await;
    for namespace in namespaces(&corner).await {
        let api: Api<Namespace> = Api::all(corner.client.clone());
        api.delete(&namespace, &kube::api::DeleteParams::background()).await.unwrap();
    }
}

/// Several people, whose projects are in a cluster that was added, by these rules from the next start on.
fn several(corner: &Corner) -> Tester {
    let mut t = Tester::prepare(&[], &[("GAGGLE_CLUSTERS__ALLOW_ADDRESSES", "127.0.0.0/8")]);
    for (key, value) in [
        ("INSTANCE", corner.instance.as_str()),
        ("NAMESPACE_PREFIX", &corner.prefix),
        ("CONNECT", "port-forward"),
        ("NODE_SELECTOR", "type=kwok"),
        ("IMAGE", "gaggle.test/pretend:1"),
    ] {
        t.set(&format!("GAGGLE_KUBERNETES__{key}"), value);
    }
    t
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_changed_hold_for_projects_that_are_there() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let mut t = several(&corner);
    let rule = |who: &str| {
        format!(
            "[{{ who = [\"console:{who}\"], clusters = [\"prod\"], namespaces = [\"{}*\"], role = \"member\" }}]",
            corner.prefix
        )
    };
    t.set("GAGGLE_CLUSTERS__RULES", &rule("ann"));
    t.launch();
    t.ready().await;
    add(&t, &corner).await;
    let slow = "--image play.gaggle.test/never-ready:1";
    t.user("bob").say("/project create shop --cluster prod").await.refused();
    t.user("ann").say(&format!("/project create shop --cluster prod {slow}")).await.ok();
    t.user("ann").say("/project share shop bob --role member").await.ok();

    // The right goes to somebody else: neither she who made it may start it, nor he with whom it is shared.
    t.set("GAGGLE_CLUSTERS__RULES", &rule("eve"));
    t.restart().await;
    t.user("ann").say("/project activate shop").await.refused().has("where it may not be used any more").has("`prod`");
    t.user("ann").say("/project restart shop").await.refused();
    t.user("ann").say("/ask shop hello").await.refused().has("[clusters.rules]");
    t.user("bob").say("/project activate ann/shop").await.refused().has("may not be used any more");
    t.user("bob").say("/ask ann/shop hello").await.refused();
    t.say("/audit").await.ok();

    // An admin starts it, as they may everything; who has no right to the namespace may still end it.
    let starting = t.in_conversation("ops").begin("/project activate ann/shop").await;
    let deadline = Instant::now() + PATIENCE;
    while deployments(&corner).await.iter().all(|(_, pods)| *pods == 0) {
        assert!(Instant::now() < deadline, "it does not start");
        sleep(Duration::from_millis(50)).await;
    }
    t.user("ann").say("/project deactivate shop").await.ok();
    assert!(!starting.end().await.ok);
    t.user("ann").say("/project delete shop --yes").await.ok();
    nothing_left(&corner).await;
    t.done().await;
}
