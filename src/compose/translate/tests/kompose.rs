//! Labels for kompose.

use serde_json::json;

use super::*;
use crate::model::workload::{Kept, Probe, Pull, Source};

fn labelled(labels: Value) -> (Workload, Vec<String>) {
    web(json!({
        "labels": labels,
        "ports": [{ "target": 80, "published": "8080", "protocol": "tcp" }],
        "volumes": [{ "type": "volume", "source": "data", "target": "/d", "read_only": true }],
    }))
}

#[test]
fn ways_from_outside() {
    let kind = |kind: &str| labelled(json!({ "kompose.service.type": kind })).0.reach;
    assert_eq!(kind("LoadBalancer").expose, Some(Expose::LoadBalancer));
    assert_eq!((kind("clusterip").expose, kind("clusterip").headless), (None, false));
    assert_eq!((kind("Headless").expose, kind("Headless").headless), (None, true));
    let (found, _) = labelled(json!({ "kompose.service.type": "nodeport", "kompose.service.nodeport.port": "30123" }));
    assert_eq!((found.reach.expose, found.reach.published[0].port), (Some(Expose::NodePort), 30123));
    let (found, warnings) = labelled(json!({
        "kompose.service.expose": "a.example.com/dev, b.example.com,_",
        "kompose.service.expose.tls-secret": "keys",
        "kompose.service.expose.ingress-class-name": "nginx",
    }));
    assert_eq!(found.reach.expose, Some(Expose::Ingress));
    let hosts = [("a.example.com".to_owned(), "/dev".to_owned()), ("b.example.com".to_owned(), "/".to_owned())];
    assert_eq!(found.reach.hosts, hosts);
    assert_eq!((found.reach.class.as_deref(), found.reach.tls_secret.as_deref()), (Some("nginx"), Some("keys")));
    assert!(has(&warnings, "`kompose.service.expose` is a word"), "{warnings:#?}");
    // What is asked for goes before.
    let cluster = ServiceOptions { expose: Some(Expose::Cluster), ..Default::default() };
    let options = Options { all: cluster, ..Options::default() };
    let service = json!({ "labels": { "kompose.service.type": "nodeport" }, "ports": [{ "target": 80 }] });
    assert_eq!(web_with(service, &options).0.reach.expose, None);
}

#[test]
fn pods_and_volumes() {
    let (found, warnings) = labelled(json!({
        "kompose.image-pull-policy": "Never",
        "kompose.security-context.fsgroup": "1001",
        "kompose.controller.type": "statefulset",
        "kompose.cronjob.schedule": "* * * * *",
        "kompose.hpa.replicas.max": "5",
        "kompose.service.type": "odd",
        "team": "a",
    }));
    assert_eq!((found.pull, found.security.volume_group, found.kept), (Some(Pull::Never), Some(1001), Kept::StatefulSet));
    assert_eq!(found.labels.keys().collect::<Vec<_>>(), ["team"]);
    for part in ["`kompose.cronjob.schedule`", "CronJob", "`kompose.hpa.replicas.max`", "`kompose.service.type`"] {
        assert!(has(&warnings, part), "{part}: {warnings:#?}");
    }
    let sized = |of_volume: Value, of_service: Value| {
        let volume = json!([{ "type": "volume", "source": "data", "target": "/d" }]);
        let mut all = project(json!({ "web": { "image": "a", "labels": of_service, "volumes": volume } }));
        all["volumes"]["data"]["labels"] = of_volume;
        translate(&all, &fake(), &Options::default()).bundle.claims[0].size
    };
    let (ten, five) = (json!({ "kompose.volume.size": "10Gi" }), json!({ "kompose.volume.size": "500Mi" }));
    assert_eq!(sized(ten.clone(), five.clone()), Some(10 << 30));
    assert_eq!(sized(json!({}), five), Some(500 << 20));
}

#[test]
fn checks() {
    let check = |labels| labelled(labels).0.ready;
    let http = check(json!({
        "kompose.service.healthcheck.readiness.http_get_path": "/ready",
        "kompose.service.healthcheck.readiness.http_get_port": 8080,
        "kompose.service.healthcheck.readiness.interval": "10s",
        "kompose.service.healthcheck.readiness.retries": "5",
    }));
    let http = http.unwrap();
    assert_eq!((http.probe, http.interval, http.retries), (Probe::Http("/ready".into(), 8080), 10, 5));
    let tcp = check(json!({ "kompose.service.healthcheck.liveness.tcp_port": "5432" }));
    assert_eq!(tcp.unwrap().probe, Probe::Tcp(5432));
    let line = check(json!({ "kompose.service.healthcheck.readiness.test": "echo \"x\"" }));
    assert_eq!(line.unwrap().probe, Probe::Exec(vec!["/bin/sh".into(), "-c".into(), "echo \"x\"".into()]));
    let (found, _) = web(json!({
        "labels": { "kompose.service.healthcheck.readiness.disable": "true" }, "healthcheck": { "test": ["CMD", "true"] },
    }));
    assert!(found.ready.is_none());
}

#[test]
fn folders_that_hold_data_become_volumes() {
    let bind = |image: &str, source: &str, target: &str| {
        let more = json!({ "image": image, "volumes": [{ "type": "bind", "source": source, "target": target }] });
        let (found, warnings) = web(more);
        let claim = match found.mounts.first().map(|mount| &mount.from) {
            Some(Source::Claim { claim, .. }) => Some(claim.clone()),
            _ => None,
        };
        assert!(!warnings.is_empty());
        (claim, found.kept)
    };
    let kept = |claim: &str| (Some(claim.to_owned()), Kept::StatefulSet);
    assert_eq!(bind("web:1", "/project/mail", "/var/mail/"), kept("web-var-mail"));
    assert_eq!(bind("postgres:18", "/project/folder", "/pg"), kept("web-pg"));
    assert_eq!(bind("web:1", "/etc/pihole", "/etc/pihole"), kept("web-etc-pihole"));
    for (source, target) in [
        ("/project/app", "/app"),
        ("/project/gone.conf", "/etc/x.conf"),
        ("/project/site", "/etc/nginx/conf.d"),
        ("/opt/init", "/docker-entrypoint-initdb.d"),
        ("/proc", "/host/proc"),
        ("/srv", "/rootfs"),
        ("/var/run/docker.sock", "/var/run/docker.sock"),
    ] {
        assert_eq!(bind("web:1", source, target).0, None, "{source}");
    }
    assert_eq!(bind("postgres:18", "/project/init", "/docker-entrypoint-initdb.d").0, None);
    // Whoever is given the same folder shares it; each node's own is nobody's.
    let volumes = |target: &str| json!([{ "type": "bind", "source": "/srv/shared", "target": target }]);
    let found = translated(json!({
        "one": { "image": "a", "volumes": volumes("/a") },
        "two": { "image": "b", "volumes": volumes("/b") },
        "all": { "image": "c", "volumes": volumes("/c"), "deploy": { "mode": "global" } },
    }));
    let claims: Vec<_> = found.bundle.claims.iter().map(|claim| (claim.name.as_str(), claim.users.len())).collect();
    assert_eq!(claims.len(), 1, "{claims:?}");
    assert_eq!(claims[0].1, 2);
}
