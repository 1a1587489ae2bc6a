//! Addresses, versions, Secrets, workloads: what a finding tells besides that it is there.

use super::scanned;
use crate::model::infra::{Confidence, EndpointKind, Finding};

async fn only(text: &str) -> Finding {
    let mut scan = scanned(text).await;
    assert_eq!(scan.findings.len(), 1, "{:?}", scan.findings);
    scan.findings.remove(0)
}

fn addresses(finding: &Finding) -> Vec<&str> {
    finding.endpoints.iter().filter_map(|e| e.address.as_deref()).collect()
}

#[tokio::test]
async fn cluster_ip() {
    let found = only("svc mongo 27017 | pod mongo-0 mongo:7.0.5 | pod mongo-1 mongo:7.0.5 unready").await;
    assert_eq!(addresses(&found), ["mongo.ns.svc.cluster.local:27017"]);
    assert_eq!((found.ready, found.total), (1, 2));
    assert_eq!(found.version.as_deref(), Some("7.0.5"));
    assert_eq!(found.connection, "mongodb://USER:PASSWORD@mongo.ns.svc.cluster.local:27017/DB");
    assert_eq!(found.confidence, Confidence::Certain);
    assert!(found.evidence.iter().any(|e| e.text == "the image mongo:7.0.5 is mongo"), "{:?}", found.evidence);
}

/// Behind a headless Service it is the pods' own port that answers.
#[tokio::test]
async fn headless_with_its_pods() {
    let found = only("svc pg 80:5432 headless | pod pg-10 postgres:16 host | pod pg-2 postgres:16 host").await;
    let base = "pg.ns.svc.cluster.local:5432";
    assert_eq!(addresses(&found), [base.to_owned(), format!("pg-2.{base}"), format!("pg-10.{base}")]);
}

/// As compose services without ports become: the image alone tells what it is.
#[tokio::test]
async fn headless_without_a_port() {
    let found = only("svc db headless | pod db-0 mongo:6").await;
    assert_eq!(addresses(&found)[0], "db.ns.svc.cluster.local:27017");
    assert!(found.endpoints[0].note.as_deref().is_some_and(|note| note.contains("names no port")), "{:?}", found.endpoints);
    assert!(
        scanned("svc app headless | pod app-0 shop/web:1 redis:7").await.findings.is_empty(),
        "what stands beside it is its own"
    );
}

#[tokio::test]
async fn twins_are_one_with_all_endpoints() {
    let text = "svc db-headless 5432 headless sel.app=db | svc db 5432 | pod db-0 postgres:16 host of=StatefulSet/db";
    let found = only(text).await;
    assert_eq!((found.name.as_str(), found.services.as_slice()), ("db", &["db".to_owned(), "db-headless".to_owned()][..]));
    assert_eq!(addresses(&found)[0], "db.ns.svc.cluster.local:5432");
    assert_eq!(found.workload.as_ref().map(|w| (w.kind.as_str(), w.name.as_str())), Some(("StatefulSet", "db")));
    assert_eq!((found.ready, found.total), (1, 1));
}

#[tokio::test]
async fn node_ports_have_the_nodes_addresses() {
    let found = only("svc redis 6379 nodeport | pod redis-0 redis:7 | node n1 192.0.2.1 | node n2 2001:db8::2").await;
    assert_eq!(addresses(&found), ["redis.ns.svc.cluster.local:6379", "192.0.2.1:30379", "[2001:db8::2]:30379"]);
    let found = only("svc redis 6379 nodeport local | pod redis-0 redis:7 | node n1 192.0.2.1 | node n2 192.0.2.2").await;
    assert_eq!(addresses(&found), ["redis.ns.svc.cluster.local:6379", "192.0.2.1:30379"]);
}

#[tokio::test]
async fn load_balancers_have_an_address_a_host_or_are_pending() {
    for (given, wanted) in [
        ("lb=lb.example.com", "lb.example.com:6379"),
        ("lb=192.0.2.9", "192.0.2.9:6379"),
        ("lb=2001:db8::9", "[2001:db8::9]:6379"),
    ] {
        let found = only(&format!("svc redis 6379 {given} | pod redis-0 redis:7")).await;
        assert_eq!(addresses(&found), ["redis.ns.svc.cluster.local:6379", wanted]);
    }
    let scan = scanned("svc redis 6379 lb | pod redis-0 redis:7").await;
    let pending = &scan.findings[0].endpoints[1];
    assert_eq!((pending.kind, pending.address.as_deref()), (EndpointKind::LoadBalancer, None));
    assert_eq!(scan.data()["redis"]["instances"][0]["endpoints"][1]["address"], "pending");
    assert_eq!(scan.data()["redis"]["endpoints"], serde_json::json!(["redis.ns.svc.cluster.local:6379"]));
}

#[tokio::test]
async fn external_names() {
    let found = only("svc postgres ext=db.example.com.").await;
    assert_eq!(addresses(&found), ["db.example.com:5432"]);
    assert!(found.endpoints[0].note.as_deref().is_some_and(|note| note.contains("no port")));
}

#[tokio::test]
async fn secrets_by_name_label_owner_and_use() {
    let scan = scanned(
        "svc db 5432 label.x=y
         pod db-0 postgres:16 secret=used label.app=db label.app.kubernetes.io/instance=shop label.app.kubernetes.io/name=postgresql
         secret db-credentials | secret db-exporter | secret database | secret other/db
         secret labelled label.app.kubernetes.io/instance=shop label.app.kubernetes.io/name=postgresql
         secret neighbour label.app.kubernetes.io/instance=shop
         secret sh.helm.release.v1.db.v1 label.owner=helm",
    )
    .await;
    assert_eq!(scan.findings[0].secrets, ["db-credentials", "labelled", "used"]);
    assert!(!serde_json::to_string(&scan).unwrap().contains("hunter2"));
}

#[tokio::test]
async fn workloads_and_slices_by_hand() {
    let found = only(
        "svc redis 6379 sel.app=redis
         pod redis-5d4f-x redis:7 of=ReplicaSet/redis-5d4f label.app=redis label.pod-template-hash=5d4f",
    )
    .await;
    assert_eq!(found.workload.map(|w| (w.kind, w.name)), Some(("Deployment".into(), "redis".into())));
    let found = only("svc postgres 5432 nosel | slice postgres 192.0.2.7 5432").await;
    assert_eq!((found.ready, found.total, found.workload), (1, 1, None));
    let found = only("svc store 27017 | set store mongo:6").await;
    assert_eq!((found.ready, found.total), (0, 0));
    assert_eq!(found.workload.map(|w| (w.kind, w.name)), Some(("StatefulSet".into(), "store".into())));
}

#[tokio::test]
async fn the_best_comes_first() {
    let scan = scanned(
        "svc redis-broken 6379 | pod redis-broken-0 redis:7 unready
         svc redis-guess 6379 | pod redis-guess-0 acme/x:1
         svc zredis 6379 | pod zredis-0 redis:7",
    )
    .await;
    let names: Vec<&str> = scan.of("redis").map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["zredis", "redis-guess", "redis-broken"]);
    assert_eq!(scan.data()["redis"]["endpoints"][0], "zredis.ns.svc.cluster.local:6379");
}

#[tokio::test]
async fn what_came_and_what_went() {
    let before = scanned("svc redis 6379 | pod redis-0 redis:7 | svc pg 5432 | pod pg-0 postgres:16").await;
    let after = scanned(
        "svc redis 6379 | svc redis-hl 6379 headless sel.app=redis | pod redis-0 redis:7 | svc mq 5672 | pod mq-0 rabbitmq:3",
    )
    .await;
    let changes = after.changes_since(&before);
    let kinds = |all: &[Finding]| all.iter().map(|f| f.kind.clone()).collect::<Vec<_>>();
    assert_eq!((kinds(&changes.came), kinds(&changes.went)), (vec!["rabbitmq".to_owned()], vec!["postgres".to_owned()]));
    assert!(before.changes_since(&before).is_empty());
}
