//! A stand-in of the API server that holds what a few lines of text say. Its own language:
//!
//! * `svc NAME PORT[:TARGET][=PORTNAME],… [headless] [nodeport] [lb=ADDRESS|lb] [ext=HOST] [nosel] [sel.KEY=VALUE] [label.KEY=VALUE]`
//! * `pod NAME IMAGE[^PORT[/PORTNAME]]…[+IMAGE…] [unready] [of=KIND/NAME] [label.…] [cmd=PROGRAM] [mount=PATH] [secret=NAME] [host]`
//! * `set NAME IMAGE` (a StatefulSet without pods), `slice SERVICE ADDRESS PORT[=NAME]`, `secret NAME [label.…]`, `node NAME ADDRESS`
//!
//! A Service selects `app=NAME` unless it says otherwise, a pod is labelled so. Names may be `namespace/name`; `ns` is the usual one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

pub type Objects = BTreeMap<&'static str, Vec<Value>>;

#[derive(Default)]
pub struct Shared {
    pub objects: Objects,
    /// `resource` or `resource/namespace`; `resource` alone forbids the list of the whole cluster.
    pub forbidden: Vec<String>,
    /// So many continued lists expire.
    pub expiring: usize,
    pub failing: Option<u16>,
    pub page: usize,
    pub log: Vec<String>,
}

pub struct Standin {
    pub client: kube::Client,
    pub shared: Arc<Mutex<Shared>>,
}

impl Standin {
    pub async fn start(objects: Objects) -> Self {
        Self::serving(Shared { objects, page: usize::MAX, ..Shared::default() }).await
    }

    pub async fn serving(shared: Shared) -> Self {
        let shared = Arc::new(Mutex::new(shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = kube::Config::new(url.parse().unwrap());
        config.default_retry = false;
        Self { client: kube::Client::try_from(config).unwrap(), shared }
    }

    pub fn log(&self) -> Vec<String> {
        self.shared.lock().unwrap().log.clone()
    }
}

fn refused(code: u16, message: String) -> Response {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message,
        "reason": if code == 410 { "Expired" } else { "Forbidden" } });
    (StatusCode::from_u16(code).unwrap(), Json(status)).into_response()
}

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, request: Request) -> Response {
    let mut shared = shared.lock().unwrap();
    let path = request.uri().path().to_owned();
    let query: BTreeMap<&str, &str> =
        request.uri().query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')).collect();
    let accept = request.headers().get("accept").and_then(|a| a.to_str().ok()).unwrap_or_default().to_owned();
    shared
        .log
        .push(format!("{path} {}", if accept.contains("PartialObjectMetadata") { "metadata" } else { "" }).trim().to_owned());
    if let Some(code) = shared.failing {
        return refused(code, "no".into());
    }
    let parts: Vec<&str> = path.split('/').collect();
    let (namespace, resource) = match parts.as_slice() {
        [.., "namespaces", name] if parts.len() == 5 => {
            let known = shared.objects.values().flatten().any(|o| o["metadata"]["namespace"] == **name);
            return if known { Json(json!({})).into_response() } else { refused(404, format!("namespaces {name} not found")) };
        }
        [.., "namespaces", namespace, resource] => (Some((*namespace).to_owned()), (*resource).to_owned()),
        [.., resource] => (None, (*resource).to_owned()),
        [] => (None, String::new()),
    };
    let place = namespace.as_ref().map_or_else(|| resource.clone(), |n| format!("{resource}/{n}"));
    if shared.forbidden.contains(&place) {
        let scope = namespace.map_or("at the cluster scope".to_owned(), |n| format!("in the namespace \"{n}\""));
        return refused(403, format!("{resource} is forbidden: User \"u\" cannot list resource \"{resource}\" {scope}"));
    }
    let from: usize = query.get("continue").map_or(0, |token| token.parse().unwrap());
    if from > 0 && shared.expiring > 0 {
        shared.expiring -= 1;
        return refused(410, "The provided continue parameter is too old".into());
    }
    let limit = shared.page.min(query.get("limit").map_or(usize::MAX, |n| n.parse().unwrap()));
    let all: Vec<&Value> = shared
        .objects
        .get(resource.as_str())
        .into_iter()
        .flatten()
        .filter(|o| namespace.as_deref().is_none_or(|n| o["metadata"]["namespace"] == n))
        .collect();
    let next = if all.len() > from.saturating_add(limit) { (from + limit).to_string() } else { String::new() };
    let items: Vec<&Value> = all.into_iter().skip(from).take(limit).collect();
    Json(json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": "1", "continue": next }, "items": items }))
        .into_response()
}

fn place(name: &str) -> (&str, &str) {
    name.split_once('/').unwrap_or(("ns", name))
}

/// Words with `START.KEY=VALUE`.
fn pairs(words: &[&str], start: &str) -> BTreeMap<String, String> {
    let own = words.iter().filter_map(|word| word.strip_prefix(start)?.split_once('='));
    own.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn number_or_name(text: &str) -> Value {
    text.parse::<u16>().map_or_else(|_| json!(text), |number| json!(number))
}

fn with_app(mut labels: BTreeMap<String, String>, name: &str) -> BTreeMap<String, String> {
    if labels.is_empty() {
        labels.insert("app".into(), name.into());
    }
    labels
}

fn port(text: &str) -> Value {
    let (numbers, name) = text.split_once('=').map_or((text, None), |(n, name)| (n, Some(name)));
    let (port, target) = numbers.split_once(':').unwrap_or((numbers, numbers));
    let port: u16 = port.parse().unwrap();
    json!({ "port": port, "targetPort": number_or_name(target), "name": name, "protocol": "TCP",
        "nodePort": if port < 30000 { 30000 + port % 2000 } else { port } })
}

fn service(words: &[&str]) -> Value {
    let (namespace, name) = place(words[0]);
    let given = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let ports: Vec<Value> = words
        .get(1)
        .filter(|w| w.starts_with(|c: char| c.is_ascii_digit()))
        .map_or_else(Vec::new, |w| w.split(',').map(port).collect());
    let kind = match () {
        () if words.contains(&"nodeport") => "NodePort",
        () if words.iter().any(|w| w.starts_with("lb")) => "LoadBalancer",
        () if given("ext=").is_some() => "ExternalName",
        () => "ClusterIP",
    };
    let selector =
        if words.contains(&"nosel") || kind == "ExternalName" { BTreeMap::new() } else { with_app(pairs(words, "sel."), name) };
    let ingress = given("lb=").map(|address| match address.parse::<std::net::IpAddr>() {
        Ok(_) => json!([{ "ip": address }]),
        Err(_) => json!([{ "hostname": address }]),
    });
    json!({
        "metadata": { "name": name, "namespace": namespace, "labels": pairs(words, "label."), "uid": "u" },
        "spec": { "type": kind, "ports": ports, "selector": selector, "externalName": given("ext="),
            "clusterIP": if words.contains(&"headless") { "None" } else { "10.0.0.1" },
            "externalTrafficPolicy": words.contains(&"local").then_some("Local") },
        "status": { "loadBalancer": { "ingress": ingress } }
    })
}

fn template(words: &[&str]) -> Value {
    let given = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let container = |(at, text): (usize, &str)| {
        let mut parts = text.split('^');
        let image = parts.next().unwrap();
        let ports: Vec<Value> = parts
            .map(|p| {
                let (number, name) = p.split_once('/').unwrap_or((p, ""));
                json!({ "containerPort": number.parse::<u16>().unwrap(), "name": name })
            })
            .collect();
        let first = at == 0;
        json!({ "name": format!("c{at}"), "image": image, "ports": ports,
            "command": given("cmd=").filter(|_| first).map(|c| c.split(',').collect::<Vec<_>>()),
            "volumeMounts": given("mount=").filter(|_| first).map(|m| json!([{ "name": "data", "mountPath": m }])),
            "env": given("secret=").filter(|_| first).map(|s| json!([
                { "name": "PLAIN", "value": "hunter2" },
                { "name": "PASSWORD", "valueFrom": { "secretKeyRef": { "name": s, "key": "password" } } }
            ])) })
    };
    let containers: Vec<Value> = words[1].split('+').enumerate().map(container).collect();
    json!({ "containers": containers, "volumes": [{ "name": "x", "emptyDir": {} }] })
}

fn pod(words: &[&str]) -> Value {
    let (namespace, name) = place(words[0]);
    let app = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
    let owner = words.iter().find_map(|word| word.strip_prefix("of=")?.split_once('/'));
    let owner = owner.map(|(kind, name)| json!([{ "kind": kind, "name": name, "uid": name, "controller": true }]));
    let host = words.contains(&"host");
    let mut spec = template(words);
    spec["subdomain"] = json!(host.then_some(app));
    json!({
        "metadata": { "name": name, "namespace": namespace, "labels": with_app(pairs(words, "label."), app), "ownerReferences": owner },
        "spec": spec, "status": { "phase": "Running" }, "ready": !words.contains(&"unready"), "host": host
    })
}

/// What the lines say, with the slices that the cluster would make.
pub fn objects(text: &str) -> Objects {
    let mut all = Objects::new();
    for line in text.lines().flat_map(|line| line.split(" | ")).map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (namespace, name) = place(words[1]);
        let meta = json!({ "name": name, "namespace": namespace, "labels": pairs(&words, "label.") });
        let (resource, object) = match words[0] {
            "svc" => ("services", service(&words[1..])),
            "pod" => ("pods", pod(&words[1..])),
            "secret" => ("secrets", json!({ "metadata": meta })),
            "node" => (
                "nodes",
                json!({ "metadata": { "name": name }, "status": { "addresses": [
                { "type": "Hostname", "address": name }, { "type": "InternalIP", "address": words[2] }] } }),
            ),
            "set" => (
                "statefulsets",
                json!({ "metadata": meta, "spec": { "template": { "metadata": { "labels": { "app": name } }, "spec": template(&words[1..]) } } }),
            ),
            "slice" => ("endpointslices", slice(namespace, name, &[json!({ "addresses": [words[2]] })], vec![port(words[3])])),
            other => panic!("{other}"),
        };
        all.entry(resource).or_default().push(object);
    }
    let slices: Vec<Value> = all.get("services").into_iter().flatten().filter_map(|s| sliced(s, all.get("pods")?)).collect();
    all.entry("endpointslices").or_default().extend(slices);
    let spaces: std::collections::BTreeSet<String> =
        all.values().flatten().filter_map(|o| o["metadata"]["namespace"].as_str().map(str::to_owned)).collect();
    all.insert("namespaces", spaces.into_iter().map(|name| json!({ "metadata": { "name": name } })).collect());
    all
}

fn slice(namespace: &str, service: &str, endpoints: &[Value], ports: Vec<Value>) -> Value {
    json!({ "metadata": { "name": format!("{service}-x"), "namespace": namespace, "labels": { "kubernetes.io/service-name": service } },
        "addressType": "IPv4", "endpoints": endpoints, "ports": ports })
}

fn sliced(service: &Value, pods: &[Value]) -> Option<Value> {
    let selector = service["spec"]["selector"].as_object().filter(|s| !s.is_empty())?;
    let own = |pod: &&Value| {
        pod["metadata"]["namespace"] == service["metadata"]["namespace"]
            && selector.iter().all(|(key, value)| pod["metadata"]["labels"].get(key) == Some(value))
    };
    let endpoint = |(at, pod): (usize, &Value)| {
        json!({ "addresses": [format!("10.1.0.{at}")], "conditions": { "ready": pod["ready"] },
            "hostname": pod["host"].as_bool().filter(|h| *h).map(|_| pod["metadata"]["name"].clone()),
            "nodeName": "n1", "targetRef": { "kind": "Pod", "name": pod["metadata"]["name"] } })
    };
    let endpoints: Vec<Value> = pods.iter().filter(own).enumerate().map(endpoint).collect();
    let meta = &service["metadata"];
    Some(slice(meta["namespace"].as_str()?, meta["name"].as_str()?, &endpoints, Vec::new()))
}
