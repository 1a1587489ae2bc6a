//! No key within a key of the schema is dropped in silence: each, set to something else than what holds without it, changes what
//! becomes of the service, or is told.

use serde_json::{Value, json};

use super::*;

/// Where everything is that has keys of its own, with as little in it as can be.
fn service() -> Value {
    json!({
        "image": "web:1",
        "healthcheck": { "test": ["CMD", "true"] },
        "depends_on": { "db": {} },
        "deploy": {
            "resources": { "limits": {}, "reservations": { "devices": [{ "capabilities": ["gpu"] }] } },
            "update_config": {}, "placement": {}, "restart_policy": {},
        },
        "ports": [{ "target": 80, "published": "8080" }],
        "volumes": [
            { "type": "volume", "source": "data", "target": "/data", "volume": {} },
            { "type": "bind", "source": "/project/nginx.conf", "target": "/x", "read_only": true, "bind": {} },
            { "type": "tmpfs", "target": "/y", "tmpfs": {} },
            { "type": "image", "source": "alpine", "target": "/z", "image": {} },
        ],
        "secrets": [{ "source": "db-password" }],
        "configs": [{ "source": "site" }],
        "networks": { "default": {} },
        "post_start": [{ "command": ["true"] }],
        "pre_stop": [{ "command": ["true"] }],
    })
}

fn told_of(service: Value, change: impl Fn(&mut Value)) -> String {
    let mut all = project(json!({ "web": service, "db": { "image": "postgres:18", "expose": ["5432"] } }));
    change(&mut all);
    // Offered outside, so that what ports say of that is seen.
    let all_services = ServiceOptions { expose: Some(Expose::LoadBalancer), ..Default::default() };
    let found = translate(&all, &fake(), &Options { all: all_services, ..Options::default() });
    // Secret values do not show, but how long they are.
    let sizes = found.bundle.sets.iter().flat_map(|set| set.files.values()).map(crate::model::workload::Content::len);
    format!("{:?} {:?} {:?}", found.bundle, found.warnings, sizes.collect::<Vec<_>>())
}

#[test]
fn of_services() {
    let plain = told_of(service(), |_| {});
    for (at, keys) in [
        (
            "/healthcheck",
            json!({
                "test": ["CMD", "false"], "interval": "5s", "timeout": "5s", "retries": 7, "start_period": "9s",
                "start_interval": "3s", "disable": true,
            }),
        ),
        ("/depends_on/db", json!({ "condition": "service_healthy", "restart": true, "required": false })),
        (
            "/deploy",
            json!({
                "mode": "global", "endpoint_mode": "dnsrr", "replicas": 3, "labels": { "a": "b" }, "rollback_config": { "order": "stop-first" },
            }),
        ),
        ("/deploy/resources/limits", json!({ "cpus": "0.5", "memory": "67108864", "pids": 10 })),
        (
            "/deploy/resources/reservations",
            json!({
                "cpus": "0.5", "memory": "67108864", "devices": [],
                "generic_resources": [{ "discrete_resource_spec": { "kind": "fpga", "value": 2 } }],
            }),
        ),
        (
            "/deploy/resources/reservations/devices/0",
            json!({ "capabilities": ["tpu"], "driver": "amd", "count": 2, "device_ids": ["0"], "options": { "a": "b" } }),
        ),
        (
            "/deploy/update_config",
            json!({
                "parallelism": 2, "delay": "10s", "failure_action": "rollback", "monitor": "5s", "max_failure_ratio": 0.1,
                "order": "stop-first",
            }),
        ),
        ("/deploy/restart_policy", json!({ "condition": "on-failure", "delay": "5s", "max_attempts": 3, "window": "10s" })),
        (
            "/deploy/placement",
            json!({
                "constraints": ["node.labels.a==b"], "preferences": [{ "spread": "node.labels.zone" }], "max_replicas_per_node": 1,
            }),
        ),
        (
            "/ports/0",
            json!({
                "name": "web", "mode": "host", "host_ip": "127.0.0.1", "target": 81, "published": "8081", "protocol": "udp",
                "app_protocol": "http",
            }),
        ),
        ("/volumes/0", json!({ "type": "tmpfs", "source": "sized", "target": "/other", "read_only": true })),
        ("/volumes/0/volume", json!({ "subpath": "a", "labels": { "a": "b" } })),
        ("/volumes/1/bind", json!({ "propagation": "rshared", "selinux": "z", "recursive": "writable" })),
        ("/volumes/2/tmpfs", json!({ "size": "1048576", "mode": 448 })),
        ("/volumes/3/image", json!({ "subpath": "a" })),
        ("/secrets/0", json!({ "source": "from_env", "target": "/other", "uid": "1000", "gid": "1000", "mode": "0400" })),
        ("/configs/0", json!({ "source": "png", "target": "/other", "uid": "1000", "gid": "1000", "mode": "0400" })),
        (
            "/networks/default",
            json!({
                "aliases": ["www"], "ipv4_address": "10.0.0.2", "ipv6_address": "::2", "link_local_ips": ["10.0.0.3"],
                "mac_address": "02:42:ac:11:65:43", "driver_opts": { "a": "b" }, "priority": 1, "gw_priority": 1,
                "interface_name": "eth1",
            }),
        ),
        (
            "/post_start/0",
            json!({ "command": ["false"], "user": "root", "privileged": true, "working_dir": "/x", "environment": { "A": "b" } }),
        ),
        (
            "/pre_stop/0",
            json!({ "command": ["false"], "user": "root", "privileged": true, "working_dir": "/x", "environment": { "A": "b" } }),
        ),
    ] {
        for (key, value) in keys.as_object().unwrap() {
            let mut changed = service();
            changed.pointer_mut(at).unwrap()[key] = value.clone();
            assert_ne!(told_of(changed, |_| {}), plain, "`{key}` at `{at}` is dropped in silence");
        }
    }
}

/// Every key that the schema has for these stands in the test above, or has a reason here.
#[test]
fn of_the_schema() {
    let all: Value = serde_json::from_str(include_str!("../../../../tests/fixtures/compose/keys.json")).unwrap();
    let source = include_str!("every_nested.rs");
    // Docker itself has no use for the first any more; the others are what is there without them.
    let reasons =
        ["consistency", "bind", "volume", "tmpfs", "image", "resources", "update_config", "restart_policy", "placement"];
    for kind in ["deploy", "healthcheck", "port", "mount"] {
        for key in all[kind].as_array().unwrap().iter().filter_map(Value::as_str) {
            assert!(source.contains(&format!("\"{key}\": ")) || reasons.contains(&key), "`{key}` of `{kind}` is in no test");
        }
    }
}

#[test]
fn of_the_top_level() {
    let plain = told_of(service(), |_| {});
    for (at, keys) in [
        (
            "/secrets/db-password",
            json!({
                "name": "other", "file": "/project/nginx.conf", "environment": "FROM_ENV", "external": true, "labels": { "a": "b" },
                "driver": "x", "driver_opts": { "a": "b" }, "template_driver": "golang",
            }),
        ),
        (
            "/configs/site",
            json!({
                "name": "other", "content": "other", "external": true, "labels": { "a": "b" }, "driver": "x",
                "driver_opts": { "a": "b" }, "template_driver": "golang",
            }),
        ),
        (
            "/volumes/data",
            json!({ "name": "other", "driver": "x", "driver_opts": { "a": "b" }, "external": true, "labels": { "a": "b" } }),
        ),
        (
            "/networks/default",
            json!({
                "name": "other", "driver": "macvlan", "driver_opts": { "a": "b" }, "external": true, "internal": true,
                "attachable": true, "enable_ipv4": false, "enable_ipv6": true, "labels": { "a": "b" },
                "ipam": { "config": [{ "subnet": "10.0.0.0/24" }] },
            }),
        ),
    ] {
        for (key, value) in keys.as_object().unwrap() {
            let changed = told_of(service(), |all| {
                let there = all.pointer_mut(at).unwrap().as_object_mut().unwrap();
                if ["environment", "content", "file"].contains(&key.as_str()) {
                    there.retain(|other, _| other == "name");
                }
                there.insert(key.clone(), value.clone());
            });
            assert_ne!(changed, plain, "`{key}` at `{at}` is dropped in silence");
        }
    }
    for (section, kind) in [("volumes", "volume"), ("configs", "config"), ("secrets", "secret"), ("networks", "network")] {
        let changed = told_of(service(), |all| all[section]["nobody"] = json!({ "name": "nobody" }));
        assert!(changed.contains(&format!("No service uses this {kind}")), "`{section}` that nobody uses are dropped in silence");
    }
}
