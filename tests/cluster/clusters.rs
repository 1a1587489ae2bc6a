//! Clusters that people add, judged by a real API server: what is read of a kubeconfig connects, what is found is so.

use std::net::IpAddr;
use std::time::Duration;

use gaggle::clusters::kubeconfig::{Read, read};
use gaggle::clusters::{Allow, Connection, Credentials, Failure, Fields, Health, Reach, connect, from_fields, verify};
use gaggle::model::{Known, Timestamp};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, AttachParams, DeleteParams, LogParams, PostParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::support::cluster::{Corner, Nodes, PATIENCE, corner};

async fn make<K>(api: &Api<K>, body: Value) -> K
where
    K: Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    api.create(&PostParams::default(), &serde_json::from_value(body).unwrap()).await.unwrap()
}

pub(super) async fn space(corner: &Corner, name: &str) -> String {
    let name = format!("{}{name}", corner.prefix);
    let labels = json!({ "gaggle.dev/instance": corner.instance });
    make(&Api::<Namespace>::all(corner.client.clone()), json!({ "metadata": { "name": name, "labels": labels } })).await;
    name
}

pub(super) async fn end(corner: &Corner, namespace: &str) {
    let api: Api<Namespace> = Api::all(corner.client.clone());
    api.delete(namespace, &DeleteParams::background()).await.unwrap();
}

fn admin(corner: &Corner) -> Credentials {
    let text = std::fs::read_to_string(corner.kubeconfig()).unwrap();
    match read(&text, None, false).unwrap() {
        Read::One { credentials, .. } => *credentials,
        Read::Several(names) => panic!("{names:?}"),
    }
}

/// The control plane of tests listens on loopback; another cluster may be anywhere.
fn allow() -> Allow {
    Allow(["127.0.0.0/8", "::1"].iter().map(|cidr| cidr.parse().unwrap()).collect())
}

fn connected(credentials: &Credentials) -> Connection {
    connect(credentials, &allow()).unwrap()
}

/// The CA of the kubeconfig, as a form has it.
pub(super) fn authority(corner: &Corner) -> String {
    let kubeconfig = kube::config::Kubeconfig::read_from(corner.kubeconfig()).unwrap();
    kubeconfig.clusters[0].cluster.as_ref().unwrap().certificate_authority_data.clone().unwrap()
}

/// A token of a new ServiceAccount that may do what these rules say, in this namespace.
pub(super) async fn token(corner: &Corner, namespace: &str, rules: Value) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(corner.client.clone(), namespace);
    make(&accounts, json!({ "metadata": { "name": "tester" } })).await;
    let roles: Api<Role> = Api::namespaced(corner.client.clone(), namespace);
    make(&roles, json!({ "metadata": { "name": "tester" }, "rules": rules })).await;
    let bindings: Api<RoleBinding> = Api::namespaced(corner.client.clone(), namespace);
    let body = json!({
        "metadata": { "name": "tester" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tester" },
        "subjects": [{ "kind": "ServiceAccount", "name": "tester", "namespace": namespace }],
    });
    make(&bindings, body).await;
    let request: TokenRequest =
        serde_json::from_value(json!({ "spec": { "audiences": [], "expirationSeconds": 3600 } })).unwrap();
    accounts.create_token_request("tester", &PostParams::default(), &request).await.unwrap().status.unwrap().token
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_finds_everything() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let namespace = space(&corner, "verified").await;
    let credentials = admin(&corner);
    let local = credentials.host().parse().is_ok_and(|address: IpAddr| address.is_loopback());
    assert_eq!(connect(&credentials, &Allow::default()).is_err(), local);
    let definitions: Api<CustomResourceDefinition> = Api::all(corner.client.clone());
    let plural = format!("{}s", corner.instance.replace('-', "x"));
    let definition = format!("{plural}.keda.sh");
    let schema = json!({ "openAPIV3Schema": { "type": "object" } });
    let body = json!({
        "metadata": { "name": definition },
        "spec": {
            "group": "keda.sh", "scope": "Namespaced",
            "names": { "plural": plural, "singular": format!("{plural}one"), "kind": format!("K{plural}") },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": schema }],
        },
    });
    make(&definitions, body).await;
    let connection = connected(&credentials);
    let found = verify(&connection, &namespace).await;
    definitions.delete(&definition, &DeleteParams::default()).await.unwrap();
    let found = found.unwrap();
    assert!(found.version.as_deref().is_some_and(|version| version.starts_with("v1.")), "{found:?}");
    assert!(found.identity.as_ref().is_some_and(|who| !who.name.is_empty()), "{found:?}");
    assert_eq!(found.namespace_exists, Known::Found(true));
    assert!(found.nodes.found().is_some_and(|nodes| *nodes > 0), "{found:?}");
    let keda = found.operators.found().unwrap().iter().find(|operator| operator.name == "KEDA").unwrap();
    assert!(keda.evidence.contains(&definition), "{keda:?}");
    assert!(found.may.found().unwrap().iter().all(|row| row.all()), "{found:?}");
    let elsewhere = verify(&connection, "no-such-namespace").await.unwrap();
    assert_eq!(elsewhere.namespace_exists, Known::Found(false));
    end(&corner, &namespace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_finds_what_it_may() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let namespace = space(&corner, "token").await;
    let rules = json!([
        { "apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list"] },
        { "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"] },
    ]);
    let token = token(&corner, &namespace, rules).await;
    let fields = Fields {
        server: admin(&corner).server().to_owned(),
        token: Some(token.clone().into()),
        ca: Some(authority(&corner)),
        ..Fields::default()
    };
    let credentials = from_fields(fields.clone(), false).unwrap();
    assert_eq!(credentials.kind(), "token");
    assert!(credentials.fingerprint().is_some());
    let left = credentials.expires().unwrap().duration_since(Timestamp::now()).as_secs();
    assert!((3000..=3700).contains(&left), "{left}");
    let found = verify(&connected(&credentials), &namespace).await.unwrap();
    assert_eq!(found.identity.as_ref().unwrap().name, format!("system:serviceaccount:{namespace}:tester"));
    assert_eq!(
        (&found.nodes, &found.operators, &found.namespace_exists),
        (&Known::NotAllowed, &Known::NotAllowed, &Known::NotAllowed)
    );
    for (verb, resource, granted) in [
        ("list", "pods", true),
        ("get", "services", true),
        ("create", "services", false),
        ("get", "secrets", false),
        ("get", "pods/log", false),
        ("create", "deployments.apps", true),
        ("delete", "deployments.apps", true),
        ("create", "statefulsets.apps", false),
        ("list", "namespaces", false),
        ("list", "nodes", false),
    ] {
        assert_eq!(found.may(verb, resource), Some(granted), "{verb} {resource}");
    }

    // Where namespaces may not be watched, health is told all the same, and that the token ends soon.
    let health = Health::start("token".into(), connected(&credentials), credentials.expires());
    let mut changes = health.changes();
    timeout(PATIENCE, changes.wait_for(|state| state.reach == Reach::Reachable)).await.unwrap().unwrap();
    assert_eq!(health.now().expiring, credentials.expires());

    let forged = Fields { token: Some(format!("{token}x").into()), ..fields.clone() };
    let failure = verify(&connected(&from_fields(forged, false).unwrap()), &namespace).await.unwrap_err();
    assert_eq!(failure, Failure::Unauthorized);
    assert!(!failure.sentence("it").contains(&token[..40]));
    let unknown = Fields { ca: Some(include_str!("../fixtures/kubeconfigs/other.pem").into()), ..fields.clone() };
    let failure = verify(&connected(&from_fields(unknown, false).unwrap()), &namespace).await.unwrap_err();
    assert_eq!(failure, Failure::UnknownAuthority);
    let unverified = Fields { ca: None, insecure: true, ..fields };
    let connection = connected(&from_fields(unverified, true).unwrap());
    assert!(connection.insecure && verify(&connection, &namespace).await.is_ok());
    end(&corner, &namespace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_not_let_in() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let fields = Fields {
        server: admin(&corner).server().to_owned(),
        ca: Some(authority(&corner)),
        cert: Some(include_str!("../fixtures/kubeconfigs/client.pem").into()),
        key: Some(include_str!("../fixtures/kubeconfigs/client.key").into()),
        ..Fields::default()
    };
    let failure = verify(&connected(&from_fields(fields, false).unwrap()), "default").await.unwrap_err();
    assert!(matches!(failure, Failure::Unauthorized | Failure::CertificateRefused), "{failure:?}");
}

/// Logs and exec, which turns a request into a WebSocket, go through the guarded connections too.
#[tokio::test(flavor = "multi_thread")]
async fn streams_stream() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let namespace = space(&corner, "streams").await;
    let connection = connected(&admin(&corner));
    let pods: Api<Pod> = Api::namespaced(connection.streams.clone(), &namespace);
    let body = json!({
        "metadata": { "name": "one" },
        "spec": {
            "containers": [{ "name": "one", "image": "gaggle.test/pretend:1" }],
            "nodeSelector": { "type": "kwok" },
            "tolerations": [{ "operator": "Exists" }],
        },
    });
    let accounts: Api<ServiceAccount> = Api::namespaced(corner.client.clone(), &namespace);
    let deadline = Instant::now() + PATIENCE;
    while accounts.get_opt("default").await.unwrap().is_none() {
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(50)).await;
    }
    make(&pods, body).await;
    let phase = async || pods.get("one").await.unwrap().status.and_then(|status| status.phase).unwrap_or_default();
    while phase().await != "Running" {
        assert!(Instant::now() < deadline, "the pod does not run");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(!pods.logs("one", &LogParams::default()).await.unwrap().is_empty());
    let mut process = pods.exec("one", ["true"], &AttachParams::default()).await.unwrap();
    let status = process.take_status().unwrap().await.unwrap();
    assert_eq!(status.status.as_deref(), Some("Success"), "{status:?}");
    end(&corner, &namespace).await;
}

/// A server that ends is told, and that it is back.
#[tokio::test(flavor = "multi_thread")]
async fn an_absence_is_told() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let health = Health::start("admin".into(), connected(&admin(&corner)), None);
    let mut changes = health.changes();
    timeout(PATIENCE, changes.wait_for(|state| state.reach == Reach::Reachable)).await.unwrap().unwrap();
    let fields = Fields {
        server: "https://127.0.0.1:1".into(),
        token: Some("fake-token".into()),
        ca: Some(authority(&corner)),
        ..Fields::default()
    };
    let health = Health::start("away".into(), connected(&from_fields(fields, false).unwrap()), None);
    let mut changes = health.changes();
    let away =
        timeout(PATIENCE, changes.wait_for(|state| matches!(state.reach, Reach::Unreachable { .. }))).await.unwrap().unwrap();
    assert!(format!("{:?}", away.reach).contains("nobody listens there"), "{away:?}");
}
