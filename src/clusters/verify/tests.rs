//! Verification against a stand-in of an API server, without a network.

use std::convert::Infallible;

use http::Response;
use kube::Client;
use serde_json::json;

use super::*;
use crate::clusters::fixtures::TOKEN;

/// Answers by method and path.
fn cluster(answer: impl Fn(&str, &str, Value) -> (u16, Value) + Clone + Send + 'static) -> Connection {
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect_bytes().await.unwrap_or_default();
            let sent = serde_json::from_slice(&body).unwrap_or_default();
            let (code, value) = answer(head.method.as_str(), &head.uri.to_string(), sent);
            Ok::<_, Infallible>(Response::builder().status(code).body(Body::from(value.to_string().into_bytes())).unwrap())
        }
    });
    Connection::around(Client::new(service, "default"), vec![TOKEN.into()])
}

fn status(code: u16, message: &str) -> (u16, Value) {
    (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": "x", "code": code}))
}

fn list(names: &[&str]) -> Value {
    let items: Vec<Value> = names.iter().map(|name| json!({"metadata": {"name": name}})).collect();
    json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "items": items})
}

fn whole(method: &str, path: &str, sent: Value) -> (u16, Value) {
    match (method, path.split('?').next().unwrap_or_default()) {
        ("GET", "/version") => (200, json!({"major": "1", "minor": "36", "gitVersion": "v1.36.3"})),
        ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews") => {
            (201, json!({"status": {"userInfo": {"username": "tester", "groups": ["testers"]}}, "metadata": {}}))
        }
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") => {
            let asked = &sent["spec"]["resourceAttributes"];
            let granted = asked["resource"] != "secrets" && asked["subresource"] != "exec";
            (201, json!({"metadata": {}, "spec": {}, "status": {"allowed": granted}}))
        }
        ("GET", "/api/v1/namespaces/shop") => (200, json!({"metadata": {"name": "shop"}})),
        ("GET", "/api/v1/nodes") => (200, list(&["a", "b", "c"])),
        ("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions") => (200, list(&["kafkas.kafka.strimzi.io"])),
        _ => status(404, "no"),
    }
}

#[tokio::test]
async fn all_is_found() {
    let found = verify(&cluster(whole), "shop").await.unwrap();
    assert_eq!(found.version.as_deref(), Some("v1.36.3"));
    assert_eq!(found.identity, Some(Identity { name: "tester".into(), groups: vec!["testers".into()] }));
    assert_eq!((found.namespace_exists.clone(), found.nodes.clone()), (Known::Found(true), Known::Found(3)));
    assert_eq!(found.operators.found().unwrap()[0].name, "Strimzi");
    assert_eq!(found.may("create", "deployments.apps"), Some(true));
    assert_eq!(found.may("get", "secrets"), Some(false));
    assert_eq!(found.may("create", "pods/exec"), Some(false));
    assert_eq!(found.may("create", "pods/portforward"), Some(true));
    assert_eq!(found.may("get", "nothing"), None);
    let rows = found.may.found().unwrap();
    assert_eq!(rows.len(), QUESTIONS.len());
    assert!(rows.iter().all(|row| row.namespace.is_none() == matches!(row.resource.as_str(), "namespaces" | "nodes")));
    assert_eq!(
        rows.iter().filter(|row| !row.all()).map(|row| row.resource.as_str()).collect::<Vec<_>>(),
        ["pods/exec", "secrets"]
    );
    let kept = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Verified>(&kept).unwrap(), found);
}

#[tokio::test]
async fn not_allowed_is_not_none() {
    let connection = cluster(|method, path, sent| match (method, path.split('?').next().unwrap_or_default()) {
        (_, "/version" | "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") => whole(method, path, sent),
        ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews") => {
            status(404, "the server could not find the requested resource")
        }
        _ => status(403, "it is forbidden: User \"t\" cannot get resource"),
    });
    let found = verify(&connection, "shop").await.unwrap();
    assert_eq!((found.namespace_exists, found.nodes, found.identity), (Known::NotAllowed, Known::NotAllowed, None));
    assert_eq!(found.operators, Known::NotAllowed);
    assert!(found.may.found().is_some());

    let nothing = cluster(|_, _, _| status(403, "it is forbidden: User \"t\" cannot do anything"));
    let found = verify(&nothing, "shop").await.unwrap();
    assert_eq!((found.version, found.may), (None, Known::NotAllowed));

    let none = cluster(|method, path, sent| match path.split('?').next().unwrap_or_default() {
        "/api/v1/namespaces/shop" => status(404, "namespaces \"shop\" not found"),
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions" | "/api/v1/nodes" => (200, list(&[])),
        _ => whole(method, path, sent),
    });
    let found = verify(&none, "shop").await.unwrap();
    assert_eq!((found.namespace_exists, found.nodes), (Known::Found(false), Known::Found(0)));
    assert_eq!(found.operators, Known::Found(Vec::new()));
}

#[tokio::test]
async fn what_a_server_repeats_is_not_repeated() {
    let connection = cluster(|method, path, sent| match path {
        "/version" => whole(method, path, sent),
        _ => status(418, &format!("you sent Authorization: Bearer {TOKEN}")),
    });
    let failure = verify(&connection, "shop").await.unwrap_err();
    let told = format!("{failure:?} {}", failure.sentence("https://cluster.test"));
    assert!(told.contains("you sent") && !told.contains(TOKEN), "{told}");
    let refusing = cluster(|_, _, _| status(401, "Unauthorized"));
    assert_eq!(verify(&refusing, "shop").await, Err(Failure::Unauthorized));
    let later = cluster(|method, path, sent| match path {
        "/version" => whole(method, path, sent),
        _ => status(401, "Unauthorized"),
    });
    assert_eq!(verify(&later, "shop").await, Err(Failure::Unauthorized));
}

#[tokio::test]
async fn few_questions_are_under_way_at_once() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = (now.clone(), most.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (now, most) = counted.clone();
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(2)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            let (_, value) = whole(request.method().as_str(), &request.uri().to_string(), Value::Null);
            Ok::<_, Infallible>(Response::new(Body::from(value.to_string().into_bytes())))
        }
    });
    let connection = Connection::around(Client::new(service, "default"), Vec::new());
    verify(&connection, "shop").await.unwrap();
    assert!(most.load(Ordering::SeqCst) <= AT_ONCE + 4, "{most:?}");
}
