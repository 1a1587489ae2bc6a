//! A scan of 10 000 Services on the API server that `GAGGLE_TEST_KUBECONFIG` names, beside the bare lists of what it reads, one after
//! another. Fills namespaces `gaggle-bench-scan-…` first, and ends them unless `GAGGLE_BENCH_KEEP` is set.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use gaggle::scan::{Kinds, Scope, scan};
use kube::Client;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::Request;
use serde_json::{Value, json};

const SPACES: usize = 20;
const ROUNDS: usize = 15;
/// What a scan reads, and whether as metadata alone.
const LISTS: &[(&str, bool)] = &[
    ("/api/v1/services", false),
    ("/apis/discovery.k8s.io/v1/endpointslices", false),
    ("/api/v1/pods", false),
    ("/apis/apps/v1/deployments", false),
    ("/apis/apps/v1/statefulsets", false),
    ("/api/v1/secrets", true),
    ("/api/v1/nodes", false),
];
const IMAGES: &[&str] =
    &["mongo:7", "redis:7.2", "postgres:16-alpine", "acme/shop:1", "mongo-express:1.0", "acme/orders-api:3", "nginx:1.25"];

#[tokio::main]
async fn main() {
    let Some(path) = std::env::var_os("GAGGLE_TEST_KUBECONFIG") else {
        println!("skipped: GAGGLE_TEST_KUBECONFIG names no cluster (tests/control-plane/up starts one)");
        return;
    };
    let count: usize = std::env::var("GAGGLE_BENCH_SERVICES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(path).unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    let client = Client::try_from(config).unwrap();
    fill(&client, count).await;

    let mut raw: Vec<Duration> = Vec::new();
    let mut scans: Vec<Duration> = Vec::new();
    let mut lists = vec![Vec::new(); LISTS.len()];
    let mut found = None;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        for (at, (path, metadata)) in LISTS.iter().enumerate() {
            let begin = Instant::now();
            let bytes = list(&client, path, *metadata).await;
            lists[at].push((begin.elapsed(), bytes));
        }
        raw.push(begin.elapsed());
        let begin = Instant::now();
        let scan = scan(&client, &Scope::All, &Kinds::builtin()).await.unwrap();
        scans.push(begin.elapsed());
        found = Some(scan);
    }
    let found = found.unwrap();
    println!("{} services, {} findings, {} unreadable", found.services, found.findings.len(), found.unreadable.len());
    for ((path, _), rounds) in LISTS.iter().zip(&mut lists) {
        rounds.sort();
        let (time, bytes) = rounds[ROUNDS / 2];
        println!("{path:<44} {:>8.0} ms {:>8.1} MB", time.as_secs_f64() * 1e3, bytes as f64 / 1e6);
    }
    raw.sort();
    scans.sort();
    // On a busy machine the best of the rounds tells more than their middle.
    for (what, at) in [("median", ROUNDS / 2), ("best", 0)] {
        let (raw, scan) = (raw[at].as_secs_f64() * 1e3, scans[at].as_secs_f64() * 1e3);
        println!("{what:<6} bare lists, one after another: {raw:.0} ms; scan: {scan:.0} ms; ratio {:.2}", scan / raw);
    }
    println!("peak memory: {}", peak());
    if std::env::var_os("GAGGLE_BENCH_KEEP").is_none() {
        for n in 0..SPACES {
            let end = Request::new("/api/v1/namespaces").delete(&space(n), &kube::api::DeleteParams::background()).unwrap();
            client.request_text(end).await.unwrap();
        }
    }
}

fn space(n: usize) -> String {
    format!("gaggle-bench-scan-{}", n % SPACES)
}

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or("unknown".into(), |m| m.trim().to_owned())
}

async fn list(client: &Client, path: &str, metadata: bool) -> usize {
    let (mut next, mut bytes) = (None::<String>, 0);
    loop {
        let mut how = ListParams::default().limit(500);
        if let Some(token) = &next {
            how = how.continue_token(token);
        }
        let request = Request::new(path);
        let request = if metadata { request.list_metadata(&how) } else { request.list(&how) };
        let text = client.request_text(request.unwrap()).await.unwrap();
        bytes += text.len();
        // In the head of the list, so that nothing of it need be read.
        let head: String = text.chars().take(2_000).collect();
        next = head.split("\"continue\":\"").nth(1).and_then(|rest| Some(rest.split('"').next()?.to_owned()));
        if next.is_none() {
            return bytes;
        }
    }
}

async fn create(client: &Client, path: &str, body: &Value) {
    let request = Request::new(path).create(&kube::api::PostParams::default(), serde_json::to_vec(body).unwrap()).unwrap();
    match client.request_text(request).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        done => drop(done.unwrap()),
    }
}

/// Services with selectors, one in ten with an address of the cluster (they are slow to give out) and one pod and Secret each.
async fn fill(client: &Client, count: usize) {
    let begin = Instant::now();
    if count_of(client, "/api/v1/services").await >= count {
        return;
    }
    for n in 0..SPACES {
        create(client, "/api/v1/namespaces", &json!({ "metadata": { "name": space(n) } })).await;
        let account = json!({ "metadata": { "name": "default" } });
        create(client, &format!("/api/v1/namespaces/{}/serviceaccounts", space(n)), &account).await;
    }
    let made = (0..count).map(|n| async move {
        let base = format!("/api/v1/namespaces/{}", space(n));
        let (image, name) = (IMAGES[(n / 10) % IMAGES.len()], format!("s{n}"));
        let labels = json!({ "app": name, "app.kubernetes.io/instance": name, "app.kubernetes.io/part-of": "bench" });
        let meta = json!({ "name": name, "labels": labels });
        let mut spec = json!({ "selector": { "app": name }, "ports": [{ "name": "main", "port": 6379 }, { "name": "metrics", "port": 9121 }] });
        if n % 10 != 0 {
            spec["clusterIP"] = json!("None");
        }
        create(client, &format!("{base}/services"), &json!({ "metadata": meta, "spec": spec })).await;
        if n % 10 == 0 {
            let pod = json!({ "metadata": meta, "spec": { "nodeName": "kwok-0", "tolerations": [{ "operator": "Exists" }],
                "containers": [{ "name": "main", "image": image, "ports": [{ "containerPort": 6379 }] }] } });
            create(client, &format!("{base}/pods"), &pod).await;
            create(client, &format!("{base}/secrets"), &json!({ "metadata": meta, "stringData": { "password": "bench" } })).await;
        }
    });
    futures_util::stream::iter(made).buffer_unordered(32).collect::<Vec<()>>().await;
    // The slices come from the cluster's controllers.
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        let slices = count_of(client, "/apis/discovery.k8s.io/v1/endpointslices").await;
        if slices >= count || Instant::now() > deadline {
            println!("filled in {:.0} s: {count} services, {slices} slices", begin.elapsed().as_secs_f64());
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn count_of(client: &Client, path: &str) -> usize {
    let request = Request::new(path).list(&ListParams::default().limit(1)).unwrap();
    let text = client.request_text(request).await.unwrap();
    let list: Value = serde_json::from_str(&text).unwrap();
    list["items"].as_array().unwrap().len() + list["metadata"]["remainingItemCount"].as_u64().unwrap_or_default() as usize
}
