//! The scan of a real API server: what is there is found, with the endpoints that the cluster made, and what is not is not.

use gaggle::model::infra::EndpointKind;
use gaggle::scan::{Kinds, Scope, scan};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::cluster::{Corner, Nodes, PATIENCE, corner};

async fn make(corner: &Corner, namespace: &str, group: &str, kind: &str, mut body: Value) {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
    let api: Api<DynamicObject> = Api::namespaced_with(corner.client.clone(), namespace, &resource);
    body["apiVersion"] = json!(resource.api_version);
    body["kind"] = json!(kind);
    api.create(&PostParams::default(), &serde_json::from_value(body).unwrap()).await.unwrap();
}

fn labels(name: &str) -> Value {
    json!({ "app": name })
}

fn stateful(name: &str, image: &str, replicas: u32) -> Value {
    json!({ "metadata": { "name": name }, "spec": { "serviceName": name, "replicas": replicas, "selector": { "matchLabels": labels(name) },
        "template": { "metadata": { "labels": labels(name) }, "spec": { "nodeSelector": { "type": "kwok" },
            "tolerations": [{ "operator": "Exists" }], "containers": [{ "name": "main", "image": image,
                "env": [{ "name": "PASSWORD", "valueFrom": { "secretKeyRef": { "name": "store", "key": "p", "optional": true } } }] }] } } } })
}

fn service(name: &str, selects: &str, spec: Value) -> Value {
    let mut body = json!({ "metadata": { "name": name }, "spec": { "selector": labels(selects) } });
    for (key, value) in spec.as_object().unwrap() {
        body["spec"][key] = value.clone();
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_found() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let namespace = format!("{}scan", corner.prefix);
    let namespaces: Api<Namespace> = Api::all(corner.client.clone());
    let body = json!({ "metadata": { "name": namespace, "labels": { "gaggle.dev/instance": corner.instance } } });
    namespaces.create(&PostParams::default(), &serde_json::from_value(body).unwrap()).await.unwrap();
    make(&corner, &namespace, "apps", "StatefulSet", stateful("mongo", "mongo:7.0.5", 2)).await;
    make(&corner, &namespace, "apps", "StatefulSet", stateful("mongo-express", "mongo-express:1.0", 1)).await;
    let ports = json!([{ "port": 27017 }]);
    make(&corner, &namespace, "", "Service", service("mongo", "mongo", json!({ "clusterIP": "None", "ports": ports }))).await;
    make(&corner, &namespace, "", "Service", service("mongo-out", "mongo", json!({ "type": "NodePort", "ports": ports }))).await;
    make(&corner, &namespace, "", "Service", service("mongo-express", "mongo-express", json!({ "ports": [{ "port": 8081 }] })))
        .await;
    let secret = json!({ "metadata": { "name": "mongo-auth" }, "stringData": { "password": "hunter2hunter2" } });
    make(&corner, &namespace, "", "Secret", secret).await;

    let deadline = Instant::now() + PATIENCE;
    let found = loop {
        let found = scan(&corner.client, &Scope::Namespace(namespace.clone()), &Kinds::builtin()).await.unwrap();
        if found.findings.first().is_some_and(|f| f.ready == 2) {
            break found;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        sleep(std::time::Duration::from_millis(200)).await;
    };
    let [mongo] = found.findings.as_slice() else { panic!("{:?}", found.findings) };
    assert_eq!((mongo.kind.as_str(), mongo.version.as_deref(), mongo.services.len()), ("mongo", Some("7.0.5"), 2));
    assert_eq!(mongo.secrets, ["mongo-auth", "store"]);
    let addresses: Vec<&str> = mongo.endpoints.iter().filter_map(|e| e.address.as_deref()).collect();
    assert!(addresses.contains(&format!("mongo-0.mongo.{namespace}.svc.cluster.local:27017").as_str()), "{addresses:?}");
    let outside = mongo.endpoints.iter().find(|e| e.kind == EndpointKind::NodePort).unwrap();
    assert!(outside.address.as_deref().is_some_and(|a| !a.contains('<')), "{outside:?}");
    assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
    assert!(!serde_json::to_string(&found).unwrap().contains("hunter2"));

    let nowhere = scan(&corner.client, &Scope::Namespace(format!("{namespace}-not")), &Kinds::builtin()).await;
    assert!(nowhere.is_err(), "{nowhere:?}");
    namespaces.delete(&namespace, &DeleteParams::background()).await.unwrap();
}
