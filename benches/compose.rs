//! Compose projects to workloads, objects and manifests: 200 services, each with ports, variables, volumes, a check and files.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use gaggle::compose::translate::{Found, Options, Sources, translate};
use gaggle::runtime::kubernetes::release;
use serde_json::{Value, json};

const SERVICES: usize = 200;
const ROUNDS: u32 = 50;

struct Files;

impl Sources for Files {
    fn look(&self, _: &str) -> Found<'_> {
        Found::File { content: b"server { listen 80; }\n", executable: false }
    }

    fn variable(&self, _: &str) -> Option<&str> {
        None
    }
}

fn main() {
    let text = project(SERVICES).to_string();
    let project: Value = serde_json::from_str(&text).unwrap();
    let options = release::Options { waiting: Some(release::Waiting::default()), ..release::Options::default() };
    let (mut translating, mut making, mut writing) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (mut count, mut length) = (0, 0);
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let found = translate(&project, &Files, &Options::default());
        let translated = Instant::now();
        let objects = release::objects(&found.bundle, &options);
        let made = Instant::now();
        let text = release::stream(&objects);
        let written = Instant::now();
        translating += translated - begin;
        making += made - translated;
        writing += written - made;
        (count, length) = (objects.len(), text.len());
    }
    println!("{SERVICES} services, {count} objects, {length} bytes of manifests");
    for (what, time) in [("translate", translating), ("objects", making), ("manifests", writing)] {
        println!("{what:<10} {:>8.2} ms", time.as_secs_f64() * 1e3 / f64::from(ROUNDS));
    }
}

fn project(n: usize) -> Value {
    let services: serde_json::Map<String, Value> = (0..n)
        .map(|n| {
            let environment: serde_json::Map<String, Value> = (0..10)
                .map(|v| (format!("VARIABLE_{v}"), json!(format!("http://service_{}:8080/{v}", (n + v) % SERVICES))))
                .chain([("DB_PASSWORD".to_owned(), json!("hunter2hunter2")), ("URL".to_owned(), json!("postgres://a:b@db/x"))])
                .collect();
            let service = json!({
                "image": format!("registry.example.com/service:{n}"),
                "command": ["serve", "--port", "8080", "--level", "info"],
                "entrypoint": null,
                "environment": environment,
                "ports": [
                    { "mode": "ingress", "target": 8080, "published": format!("{}", 10_000 + n), "protocol": "tcp" },
                    { "mode": "ingress", "target": 9090, "published": format!("{}", 20_000 + n), "protocol": "tcp" },
                ],
                "volumes": [
                    { "type": "volume", "source": format!("data_{n}"), "target": "/data", "volume": {} },
                    { "type": "bind", "source": "/project/nginx.conf", "target": "/etc/nginx.conf", "read_only": true },
                ],
                "healthcheck": { "test": ["CMD-SHELL", "curl -f http://localhost:8080 || exit 1"], "interval": "10s" },
                "depends_on": match n {
                    0 => json!({}),
                    n => json!({ format!("service_{}", n - 1): { "condition": "service_healthy", "required": true } }),
                },
                "networks": { "default": null },
                "secrets": [{ "source": "password", "target": "/run/secrets/password" }],
            });
            (format!("service_{n}"), service)
        })
        .collect();
    let volumes: serde_json::Map<String, Value> =
        (0..n).map(|n| (format!("data_{n}"), json!({ "name": format!("p_data_{n}") }))).collect();
    json!({
        "name": "large", "services": services, "volumes": volumes,
        "secrets": { "password": { "name": "large_password", "file": "/project/password.txt" } },
        "networks": { "default": { "name": "large_default", "ipam": {} } },
    })
}
