//! Scans and releases with the rights that `deploy/services` grants, and no others.

use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use serde_json::{Value, json};

use super::render::Deployed;
use crate::support::cluster::{Corner, Nodes, corner};
use crate::support::tester::Tester;

/// One of each kind that releases have, but for a Job, which does not end on a pretend node.
const FILE: &str = r#"
services:
  web:
    image: registry.test/shop/web:1.0
    ports: ["8080:80"]
    environment: { MODE: fast, API_TOKEN: t-123 }
    configs: [{ source: page, target: /www/index.html }]
    depends_on: [db]
  db:
    image: mongo:6
    expose: ["27017"]
    volumes: ["data:/data/db"]
  agent:
    image: registry.test/agent:1
    deploy: { mode: global, placement: { constraints: [node.labels.type == kwok] } }
configs:
  page: { content: hello }
volumes:
  data:
"#;

async fn whole_life(t: &Tester, corner: &Corner, cluster: &str, namespace: &str) {
    let at = format!("--cluster {cluster} --namespace {namespace}");
    let said = t.say(&format!("/service deploy shop {at} --expose ingress --yes")).await.ok().has("Deployed `shop`");
    none_missing(said.text());
    let said = t.say(&format!("/infra scan --cluster {cluster} --all-namespaces --refresh")).await.ok();
    assert!(said.text().contains(&format!("db.{namespace}.svc.cluster.local:27017")), "{}", said.text());
    none_missing(said.text());
    let of = format!("shop {at}");
    none_missing(t.say(&format!("/service status {of}")).await.ok().has("is ready").text());
    t.say(&format!("/service logs {of} --workload web --tail 1")).await.ok();
    t.say(&format!("/service exec {of} --workload web -- echo out")).await.ok();
    t.say(&format!("/service update {of} --set MODE=slow --yes")).await.ok().has("revision 2");
    t.say(&format!("/service restart {of}")).await.ok();
    t.say(&format!("/service scale shop 2 --workload web {at}")).await.ok();
    t.say(&format!("/service rollback {of} --to 1 --yes")).await.ok().has("is as in revision 1 again");
    none_missing(t.say(&format!("/service delete {of} --yes")).await.ok().has_not("stays").text());
    let namespaces: Api<Namespace> = Api::all(corner.client.clone());
    let left = namespaces.get_opt(namespace).await.unwrap();
    assert!(left.is_none_or(|n| n.metadata.deletion_timestamp.is_some()), "the namespace stays");
}

fn none_missing(text: &str) {
    let text = text.to_lowercase();
    assert!(!["forbidden", "not allowed", "cannot be seen"].iter().any(|word| text.contains(word)), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_for_services_is_enough() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let Some(base) = Deployed::render(&corner, "base").await else { return };
    let Some(more) = Deployed::render(&corner, "services").await else { return };
    base.apply(|kind| matches!(kind, "Namespace" | "ServiceAccount")).await;
    more.apply(Deployed::RIGHTS).await;

    // By a token with that role alone, for a Gaggle whose projects run elsewhere.
    let mut t = Tester::prepare(&[], &[("GAGGLE_CLUSTERS__ALLOW_ADDRESSES", "127.0.0.0/8")]);
    t.catalogue(&[("shop.yaml", FILE)]);
    t.launch();
    t.ready().await;
    let asked = t.begin("/cluster add prod").await;
    let ca = Deployed::authority(&corner);
    let values = json!({ "server": Deployed::server(&corner), "token": base.token().await, "ca": ca });
    t.operator().fill(&asked.form().await, values).await.end().await.ok();
    let added = asked.end().await.ok().has("Added the cluster `prod`");
    let table: Vec<&str> = added.text().lines().filter(|line| line.starts_with("| ")).collect();
    assert!(table.iter().any(|row| row.contains("customresourcedefinitions") || row.contains("statefulsets")), "{table:?}");
    whole_life(&t, &corner, "prod", &format!("{}there", corner.prefix)).await;
    t.done().await;

    // In the cluster that projects run in, beside the role for those.
    base.apply(Deployed::RIGHTS).await;
    let folder = tempfile::tempdir().unwrap();
    let mut t = corner.prepare_at(&base.kubeconfig(folder.path()).await, "");
    t.catalogue(&[("shop.yaml", FILE)]);
    t.launch();
    t.ready().await;
    let shown = t.say("/cluster show default").await.ok();
    assert_ne!(shown.data("clusters"), Value::Null);
    whole_life(&t, &corner, "default", &format!("{}here", corner.prefix)).await;
    t.done().await;
    more.remove().await;
    base.remove().await;
}
