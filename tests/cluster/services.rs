//! Services from chat: a cluster is added, scanned, deployed to, changed, rolled back, and in the end nothing is left.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Secret, Service};
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::support::cluster::{Corner, Nodes, PATIENCE, corner};
use crate::support::tester::{Begun, SECRET, Tester};

const SHOP: &str = r#"
services:
  web:
    image: registry.test/shop/web:1.0
    ports: ["8080:80"]
    environment:
      MONGODB_URI: mongodb://mongo:27017/shop
      API_KEY: ${API_KEY:?the key of the payment service}
      LOG_LEVEL: ${LOG_LEVEL:-info}
    depends_on: [mongo]
  mongo:
    image: mongo:6
    expose: ["27017"]
    volumes: ["data:/data/db"]
volumes:
  data:
"#;

/// Parts that really run: a web server, and something that listens where a redis would.
const PARTS: &str = r#"
services:
  web:
    image: gaggle.test/gaggle:test
    entrypoint: [httpd, -f, -p, "8080", -h, /www]
    ports: ["8080"]
    environment: { GREETING: hello }
    configs: [{ source: page, target: /www/index.html }]
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/"], interval: 1s }
    stop_grace_period: 1s
    depends_on: [redis]
    deploy: { placement: { constraints: [node.labels.type == real] } }
  redis:
    image: gaggle.test/gaggle:test
    entrypoint: [httpd, -f, -p, "6379", -h, /data]
    expose: ["6379"]
    stop_grace_period: 1s
    volumes: ["data:/data"]
    deploy: { placement: { constraints: [node.labels.type == real] } }
configs:
  page: { content: "hello from the shop" }
volumes:
  data:
"#;

async fn start(corner: &Corner) -> Tester {
    let mut t = Tester::prepare(&[], &[("GAGGLE_CLUSTERS__ALLOW_ADDRESSES", "127.0.0.0/8")]);
    t.catalogue(&[("shop.yaml", SHOP), ("parts.yaml", PARTS)]);
    t.launch();
    t.ready().await;
    add(&t, corner).await;
    t
}

async fn add(t: &Tester, corner: &Corner) {
    let kubeconfig = std::fs::read_to_string(corner.kubeconfig()).unwrap();
    let asked = t.begin("/cluster add prod --provider ours --tag test").await;
    t.operator().fill(&asked.form().await, json!({ "kubeconfig": kubeconfig })).await.end().await.ok();
    asked.end().await.ok().has("Added the cluster `prod`").has("| secrets | default | get, list, create, patch, delete |");
}

/// The form of an input that comes after another one.
async fn next_form(asked: Begun<'_>, before: &str) -> Value {
    asked.event("another form", |e| e["type"] == "form" && e["form"] != *before).await
}

async fn deployment(corner: &Corner, namespace: &str, name: &str) -> Option<Deployment> {
    let api: Api<Deployment> = Api::namespaced(corner.client.clone(), namespace);
    api.get_opt(name).await.unwrap()
}

/// What is left of releases in a namespace.
async fn left(corner: &Corner, namespace: &str) -> Vec<String> {
    let ours = ListParams::default().labels("gaggle.dev/release-id");
    let (maps, secrets, deployments): (Api<ConfigMap>, Api<Secret>, Api<Deployment>) = (
        Api::namespaced(corner.client.clone(), namespace),
        Api::namespaced(corner.client.clone(), namespace),
        Api::namespaced(corner.client.clone(), namespace),
    );
    let mut all: Vec<String> = maps.list(&ours).await.unwrap().into_iter().filter_map(|o| o.metadata.name).collect();
    all.extend(secrets.list(&ours).await.unwrap().into_iter().filter_map(|o| o.metadata.name));
    all.extend(deployments.list(&ours).await.unwrap().into_iter().filter_map(|o| o.metadata.name));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_gaggle_did_not_live_to_end() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let mut t = start(&corner).await;
    let stuck = "services:\n  web:\n    image: registry.test/web:1\n    deploy: { placement: { constraints: [node.labels.type == nowhere] } }\n";
    std::fs::write(t.folder().join("catalogue/stuck.yaml"), stuck).unwrap();
    let place = format!("{}stuck", corner.prefix);
    t.begin(&format!("/service deploy stuck:web --as stuck --namespace {place} --yes")).await;
    let deadline = Instant::now() + PATIENCE;
    while deployment(&corner, &place, "stuck").await.is_none() {
        assert!(Instant::now() < deadline, "nothing is deployed");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    t.kill().await;
    t.restart().await;
    t.say("/service list").await.ok().has("| interrupted |");
    t.say("/service status stuck").await.refused().has("Gaggle was ended while it changed `stuck`").has("/service delete stuck");
    t.say("/service delete stuck --yes").await.ok();
    assert!(left(&corner, &place).await.is_empty());
    t.say("/service list").await.ok().has("There are no releases");
    let namespaces: Api<Namespace> = Api::all(corner.client.clone());
    if namespaces.get_opt(&place).await.unwrap().is_some_and(|ns| ns.metadata.deletion_timestamp.is_none()) {
        panic!("the namespace that was made for it is left");
    }
    t.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_from_its_file_to_its_end() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let t = start(&corner).await;
    let (data, shop) = (format!("{}data", corner.prefix), format!("{}shop", corner.prefix));

    // Somebody else's database is there already; the scan finds it, and the form suggests it.
    let asked = t.begin(&format!("/service deploy shop:mongo --as mongodb --namespace {data} --yes")).await;
    asked.end().await.ok().has("Deployed `mongodb`");
    t.say("/infra scan --all-namespaces --refresh").await.ok().has(&format!("mongodb.{data}.svc.cluster.local:27017"));
    let scanned = t.say(&format!("/infra scan --namespace {data}")).await.ok();
    assert_eq!(scanned.data("mongo")["found"], true, "{}", scanned.data("mongo"));
    assert_eq!(scanned.data("redis")["found"], false);

    let asked = t.begin(&format!("/service deploy shop:web --namespace {shop}")).await;
    let form = asked.event("a form", |e| e["type"] == "form").await;
    let field = |name: &str| form["fields"].as_array().unwrap().iter().find(|f| f["name"] == name).unwrap().clone();
    assert_eq!(field("MONGODB_URI")["value"], format!("mongodb://mongodb.{data}.svc.cluster.local:27017/shop"));
    assert!(field("API_KEY")["secret"] == true && field("API_KEY")["required"] == true, "{form}");
    assert_eq!(field("with_mongo")["value"], "false");
    let first = form["form"].as_str().unwrap();
    let values = json!({ "API_KEY": format!("{SECRET}-key"), "MONGODB_URI": field("MONGODB_URI")["value"] });
    let filled = t.operator().fill(first, values).await;
    let confirm = next_form(asked, first).await;
    assert!(confirm["confirm"] == true && confirm["text"].as_str().unwrap().contains("+ Deployment web"), "{confirm}");
    assert!(deployment(&corner, &shop, "web").await.is_none(), "nothing before it was confirmed");
    t.operator().fill(confirm["form"].as_str().unwrap(), json!({})).await.end().await.ok();
    filled.end().await.ok();
    asked.end().await.ok().has("revision 1").has(&format!("web.{shop}.svc.cluster.local:80"));

    let maps: Api<ConfigMap> = Api::namespaced(corner.client.clone(), &shop);
    let plain = maps.get("web-config").await.unwrap().data.unwrap();
    assert_eq!(plain["MONGODB_URI"], format!("mongodb://mongodb.{data}.svc.cluster.local:27017/shop"));
    assert_eq!(plain.get("API_KEY"), None);
    let secrets: Api<Secret> = Api::namespaced(corner.client.clone(), &shop);
    let secret = secrets.get("web-secrets").await.unwrap().data.unwrap();
    assert_eq!(secret["API_KEY"].0, format!("{SECRET}-key").into_bytes());

    // Changed, shown, and brought back with the secret that it had.
    t.say("/service status web").await.ok().has("is ready").has("| web (Deployment) | 1/1 |").has_not("Changed by others");
    t.say("/service update web --set LOG_LEVEL=debug --dry-run").await.ok().has("LOG_LEVEL").has("Nothing was changed");
    t.say("/service update web --set LOG_LEVEL=debug --yes").await.ok().has("revision 2");
    let asked = t.begin("/service update web --secret API_KEY --yes").await;
    t.operator().fill(&asked.form().await, json!({ "API_KEY": format!("{SECRET}-new") })).await.end().await.ok();
    asked.end().await.ok().has("revision 3");
    t.say("/service rollback web --to 1 --yes").await.ok().has("revision 4");
    assert_eq!(maps.get("web-config").await.unwrap().data.unwrap()["LOG_LEVEL"], "info");
    assert_eq!(secrets.get("web-secrets").await.unwrap().data.unwrap()["API_KEY"].0, format!("{SECRET}-key").into_bytes());
    t.say("/service scale web 3").await.ok().has("3 pods");
    assert_eq!(deployment(&corner, &shop, "web").await.unwrap().spec.unwrap().replicas, Some(3));
    t.say("/service update web --yes").await.ok();
    assert_eq!(deployment(&corner, &shop, "web").await.unwrap().spec.unwrap().replicas, Some(3), "what was scaled stays so");
    let then = secrets.get("web-secrets").await.unwrap().data.unwrap()["API_KEY"].0.clone();
    assert_eq!(then, format!("{SECRET}-key").into_bytes(), "an update after a rollback brings nothing back that was given since");
    t.say("/service env web --set NEW=1").await.ok().has("NEW");
    t.say("/service restart web").await.ok();
    t.say("/service logs web --tail 3").await.ok();
    t.say("/service manifests web").await.ok();
    t.say("/service export web").await.ok().has("kustomize tree");
    t.say("/service list").await.ok().has("| web | prod |");

    let ran = t.say("/service exec web -- echo out").await.ok();
    assert_eq!(ran.data("output"), "out\n");
    t.say("/service port-forward web 80 --timeout 1m").await.ok().has("127.0.0.1:");

    // The cluster itself: looked at, changed, a channel's own.
    t.say("/cluster show prod").await.ok().has("reachable").has("Provider: ours").has("a client certificate");
    t.say("/cluster check prod").await.ok().has("answers");
    t.say("/cluster namespaces prod").await.ok().has(&format!("- `{shop}`"));
    t.say("/cluster update prod --provider theirs").await.ok().has("Provider: theirs");
    t.say("/cluster tag prod eu live").await.ok().has("eu, live");
    t.say("/cluster rename prod main").await.ok().has("`main`");
    t.say(&format!("/cluster default main --namespace {shop}")).await.ok();
    t.say("/infra scan").await.ok().has(&format!("`{shop}` in the cluster `main`"));
    t.say("/cluster rename main prod").await.ok();

    // Nothing is taken over, and nobody else changes what is theirs.
    t.say(&format!("/service deploy shop:mongo --as web --namespace {shop} --yes")).await.refused().has("is of `shop:web`");
    t.user("bob").say("/service list").await.ok().has("| web | prod |");
    t.user("bob").say("/service delete web --yes").await.refused().has("takes the role owner");
    t.user("bob").say("/service update web --set A=b --yes").await.refused();
    t.user("bob").say(&format!("/service deploy shop:web --namespace {shop} --yes")).await.refused().has("operator's");
    t.user("bob").say("/cluster remove prod --yes").await.refused();

    // Removing the cluster tells what it carries; the releases go first, and leave nothing.
    let asked = t.begin("/cluster remove prod").await;
    let form = asked.event("a question", |e| e["type"] == "form").await;
    assert!(form["title"].as_str().unwrap().contains("2 releases"), "{form}");
    t.operator().cancel(form["form"].as_str().unwrap()).await.end().await.ok();
    t.say("/service delete web --yes").await.ok().has("Deleted the release `web`");
    t.say("/service delete mongodb --yes").await.ok();
    assert_eq!(left(&corner, &shop).await, [""; 0]);
    let namespaces: Api<Namespace> = Api::all(corner.client.clone());
    for namespace in [&shop, &data] {
        let gone = namespaces.get_opt(namespace).await.unwrap().is_none_or(|n| n.metadata.deletion_timestamp.is_some());
        assert!(gone, "{namespace} was made for a release, and stays");
    }
    t.say("/cluster remove prod --yes").await.ok().has("Removed the cluster `prod`");
    t.say("/cluster list").await.ok().has("no cluster");
    t.done().await;
}

/// Asks again and again, each time by a new connection, until told to stop. How often it was answered, and what went wrong.
fn load(address: String) -> (watch::Sender<bool>, tokio::task::JoinHandle<(usize, Vec<String>)>) {
    let (stop, stopped) = watch::channel(false);
    let asked = tokio::spawn(async move {
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(PATIENCE).build().unwrap();
        let (mut good, mut wrong, begun) = (0, Vec::new(), Instant::now());
        while !*stopped.borrow() {
            let answer = async { client.get(&address).send().await?.error_for_status()?.text().await };
            match answer.await {
                Ok(text) if text == "hello from the shop" => good += 1,
                // A Service that was just made leads nowhere until the node knows of it.
                Err(error) if good == 0 && error.is_connect() && begun.elapsed() < PATIENCE => {}
                Ok(text) => wrong.push(format!("{:?}: {text}", begun.elapsed())),
                Err(error) => wrong.push(format!("{:?}: {error:?}", begun.elapsed())),
            }
        }
        (good, wrong)
    });
    (stop, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_several_parts_on_a_real_node() {
    let Some(corner) = corner(Nodes::Real).await else { return };
    let t = start(&corner).await;
    let parts = format!("{}parts", corner.prefix);
    t.say(&format!("/service deploy parts --namespace {parts} --yes")).await.ok().has("revision 1");
    t.say("/service status parts").await.ok().has("is ready").has("| redis (StatefulSet) | 1/1 |");
    let scanned = t.say(&format!("/infra scan --namespace {parts}")).await.ok();
    assert_eq!(scanned.data("redis")["endpoints"][0], format!("redis.{parts}.svc.cluster.local:6379"), "{}", scanned.text());

    let services: Api<Service> = Api::namespaced(corner.client.clone(), &parts);
    let address = services.get("web").await.unwrap().spec.unwrap().cluster_ip.unwrap();
    let (stop, asked) = load(format!("http://{address}:8080/"));
    t.say("/service update parts --set GREETING=hi --yes").await.ok().has("revision 2");
    t.say("/service exec parts --workload web -- env").await.ok().has("GREETING=hi");
    t.say("/service rollback parts --yes").await.ok().has("revision 3");
    t.say("/service exec parts --workload web -- env").await.ok().has("GREETING=hello");
    stop.send_replace(true);
    let (good, wrong) = asked.await.unwrap();
    assert!(good > 50 && wrong.is_empty(), "{good} were answered, and these were not: {wrong:?}");

    t.say("/service delete parts --yes").await.ok().has("Deleted");
    assert_eq!(left(&corner, &parts).await, [""; 0]);
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(corner.client.clone(), &parts);
    let claims = claims.list(&ListParams::default()).await.unwrap();
    assert!(claims.items.iter().all(|claim| claim.metadata.deletion_timestamp.is_some()), "{claims:?}");
    t.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_taken_back() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let t = start(&corner).await;
    let shop = format!("{}fails", corner.prefix);
    let broken = "services:\n  web:\n    image: registry.test/web:1\n    labels: {\"com.example/x\": y}\n    expose: ['80']\n";
    let asked = t.begin("/service add broken").await;
    t.operator().fill(&asked.form().await, json!({ "file": broken })).await.end().await.ok();
    asked.end().await.ok().has("Added the compose file `broken`");
    t.say(&format!("/service deploy broken:web --namespace {shop} --yes")).await.ok();

    // A quota that the next revision does not fit into.
    let quotas: Api<k8s_openapi::api::core::v1::ResourceQuota> = Api::namespaced(corner.client.clone(), &shop);
    let quota = json!({ "metadata": { "name": "few" }, "spec": { "hard": { "services": "1" } } });
    quotas.create(&kube::api::PostParams::default(), &serde_json::from_value(quota).unwrap()).await.unwrap();
    let said = t.say("/service update web --expose node-port --yes").await;
    assert!(!said.ok, "{}", said.text());
    t.say("/service status web").await.ok().has("revision 1").has_not("Changed by others");
    t.say("/service delete web --yes").await.ok();
    t.done().await;
}
