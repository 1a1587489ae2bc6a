//! What may not be read, what expires, what does not answer, and what no text may do.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::standin::{Shared, Standin, objects};
use crate::runtime::kubernetes::trouble::Trouble;
use crate::scan::endpoints::Nodes;
use crate::scan::findings::findings;
use crate::scan::objects::{Meta, Pod, Service, Slice};
use crate::scan::state::State;
use crate::scan::weigh::Weigher;
use crate::scan::{Kinds, Scope, scan};

const TWO: &str = "svc a/redis 6379 | pod a/redis-0 redis:7 | svc b/mongo 27017 | pod b/mongo-0 mongo:7";

async fn standin(text: &str, forbidden: &[&str]) -> Standin {
    let forbidden = forbidden.iter().map(|f| (*f).to_owned()).collect();
    Standin::serving(Shared { objects: objects(text), forbidden, page: usize::MAX, ..Shared::default() }).await
}

#[tokio::test]
async fn services_that_may_not_be_listed_are_never_not_found() {
    let standin = standin(TWO, &["services/a"]).await;
    let found = scan(&standin.client, &Scope::Namespace("a".into()), &Kinds::builtin()).await.unwrap();
    assert!(found.data().values().all(|row| row["found"].is_null()), "{:?}", found.data());
    assert!(found.hidden("services").unwrap().contains("could not be read in a"), "{:?}", found.unreadable);
    assert_eq!((found.unreadable[0].resource.as_str(), found.unreadable[0].namespace.as_deref()), ("services", Some("a")));
}

#[tokio::test]
async fn where_not_all_may_be_listed_each_namespace_is_tried() {
    let standin = standin(TWO, &["services", "pods", "endpointslices", "services/b"]).await;
    let found = scan(&standin.client, &Scope::All, &Kinds::builtin()).await.unwrap();
    let data = found.data();
    assert_eq!((&data["redis"]["found"], &data["mongo"]["found"]), (&json!(true), &Value::Null));
    assert_eq!(found.unreadable.len(), 1, "{:?}", found.unreadable);
    assert!(found.read_services(Some("a")) && !found.read_services(Some("b")) && !found.read_services(None));
}

#[tokio::test]
async fn where_not_even_namespaces_may_be_listed_it_is_told() {
    let standin = standin(TWO, &["services", "namespaces"]).await;
    let found = scan(&standin.client, &Scope::All, &Kinds::builtin()).await.unwrap();
    assert!(found.data().values().all(|row| row["found"].is_null()));
    let told = found.all_hidden();
    assert!(told.iter().any(|t| t.starts_with("services could not be read in any namespace")), "{told:?}");
    assert!(told.iter().any(|t| t.starts_with("namespaces")), "{told:?}");
}

#[tokio::test]
async fn without_pods_and_slices_less_is_known() {
    let standin = standin(
        "svc redis 6379 | pod redis-0 redis:7 | svc redis-exporter 6379 | pod redis-exporter-0 x",
        &["pods", "endpointslices", "secrets/ns", "pods/ns", "endpointslices/ns"],
    )
    .await;
    let found = scan(&standin.client, &Scope::All, &Kinds::builtin()).await.unwrap();
    assert_eq!(found.findings.len(), 1, "{:?}", found.findings);
    assert_eq!(found.all_hidden().len(), 3, "{:?}", found.all_hidden());
    assert_eq!(found.data()["mongo"]["found"], false);
}

#[tokio::test]
async fn nodes_that_may_not_be_listed_are_no_placeholder() {
    let standin = standin("svc redis 6379 nodeport | pod redis-0 redis:7", &["nodes"]).await;
    let found = scan(&standin.client, &Scope::All, &Kinds::builtin()).await.unwrap();
    let outside = &found.findings[0].endpoints[1];
    assert_eq!((outside.address.as_deref(), outside.port), (None, 30379));
    assert!(outside.note.as_deref().is_some_and(|note| note.contains("cannot list resource")), "{outside:?}");
}

#[tokio::test]
async fn no_more_is_read_than_is_needed() {
    let standin = standin("svc shop 8080 | pod shop-0 acme/shop:1 | secret x", &[]).await;
    scan(&standin.client, &Scope::All, &Kinds::builtin()).await.unwrap();
    let log = standin.log();
    assert!(!log.iter().any(|l| l.contains("secrets") || l.contains("nodes") || l.contains("apps/v1")), "{log:?}");
    let standin = self::standin(TWO, &[]).await;
    scan(&standin.client, &Scope::All, &Kinds::builtin()).await.unwrap();
    let secrets: Vec<String> = standin.log().into_iter().filter(|l| l.contains("secrets")).collect();
    assert!(secrets.len() == 2 && secrets.iter().all(|l| l.ends_with(" metadata")), "{secrets:?}");
}

#[tokio::test]
async fn lists_that_expire_are_begun_anew_within_bounds() {
    let many: String = (0..25).map(|n| format!("svc s{n} 8080\n")).collect::<String>() + TWO;
    let begin = |expiring| Standin::serving(Shared { objects: objects(&many), page: 5, expiring, ..Shared::default() });
    let standin = begin(3).await;
    let found = scan(&standin.client, &Scope::All, &Kinds::builtin()).await.unwrap();
    assert_eq!((found.findings.len(), found.services), (2, 27));
    let standin = begin(usize::MAX).await;
    let failed = scan(&standin.client, &Scope::All, &Kinds::builtin()).await;
    assert!(matches!(&failed, Err(Trouble::Other(why)) if why.contains("change faster")), "{failed:?}");
}

#[tokio::test]
async fn no_answer_and_no_namespace_are_told() {
    let standin = standin(TWO, &[]).await;
    let nowhere = scan(&standin.client, &Scope::Namespace("nowhere".into()), &Kinds::builtin()).await;
    assert_eq!(nowhere, Err(Trouble::NotFound("the namespace nowhere".into())));
    for odd in ["", "a/../b", "a?x=y", "../secrets", "Ä"] {
        let log = standin.log().len();
        assert!(scan(&standin.client, &Scope::Namespace(odd.into()), &Kinds::builtin()).await.is_err(), "{odd}");
        assert_eq!(standin.log().len(), log, "nothing is asked for {odd}");
    }
    standin.shared.lock().unwrap().failing = Some(401);
    let failed = scan(&standin.client, &Scope::All, &Kinds::builtin()).await;
    assert_eq!(failed, Err(Trouble::Unauthorized));
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        "[a-z0-9.-]{0,20}",
        proptest::sample::select(vec![
            "redis",
            "mongo-express",
            "postgres",
            "pg-rw",
            "for",
            "exporter",
            "İstanbul",
            "ß",
            "es",
            "--",
            ""
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_text_makes_it_panic(
        words in proptest::collection::vec(word(), 12),
        number in any::<u16>(),
        target in any::<i64>(),
        named in any::<bool>(),
        kind in proptest::sample::select(vec!["", "ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "Other"]),
    ) {
        let w = |at: usize| words[at].as_str();
        let labels = json!({ w(0): w(1), "app": w(2), "app.kubernetes.io/name": w(3), "app.kubernetes.io/component": w(4), "helm.sh/chart": w(5) });
        let target = if named { json!(w(6)) } else { json!(target) };
        let service: Service = serde_json::from_value(json!({
            "metadata": { "name": w(7), "namespace": w(8), "labels": labels },
            "spec": { "type": kind, "externalName": w(9), "selector": { "app": w(2) }, "ports": [{ "name": w(10), "port": number, "targetPort": target }] },
        })).unwrap();
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": w(9), "namespace": w(8), "labels": labels, "ownerReferences": [{ "kind": "ReplicaSet", "name": w(4) }] },
            "spec": { "containers": [{ "image": w(11), "name": w(10), "command": [w(5), w(6)], "ports": null }, { "image": w(1), "env": null }] },
        })).unwrap();
        let slice: Slice = serde_json::from_value(json!({
            "metadata": { "namespace": w(8), "labels": { "kubernetes.io/service-name": w(7) } },
            "addressType": w(0), "endpoints": [{ "addresses": [w(1)], "hostname": w(2), "targetRef": { "kind": "Pod", "name": w(9) } }], "ports": null,
        })).unwrap();
        let mut state = State::new(vec![service], vec![slice], vec![pod]);
        state.secrets = vec![Meta { name: format!("{}{}", w(7), w(0)), namespace: w(8).to_owned(), ..Meta::default() }];
        let kinds = Kinds::builtin();
        let weigher = Weigher::new(&kinds, &state);
        weigher.undecided();
        let matches = weigher.all();
        let nodes: Nodes = Err("no");
        let found = findings(&kinds, &state, &matches, nodes);
        prop_assert_eq!(found.is_empty(), matches.is_empty());
        kinds.of_variable(w(0));
    }
}
