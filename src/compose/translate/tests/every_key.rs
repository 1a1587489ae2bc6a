//! No key of the schema is dropped in silence.

use serde_json::{Value, json};

use super::super::keys::{CANNOT, MEANINGLESS};
use super::*;

/// What a key may hold, so that it must have an effect.
fn specimen(key: &str) -> Value {
    match key {
        "annotations" | "labels" => json!({ "team": "a" }),
        "blkio_config" => json!({ "weight": 300 }),
        "build" => json!({ "context": "/project" }),
        "cap_add" | "cap_drop" => json!(["NET_ADMIN"]),
        "cgroup" => json!("host"),
        "uts" | "userns_mode" => json!("other"),
        "cgroup_parent" => json!("m-executor"),
        "command" | "entrypoint" => json!(["run", "it"]),
        "configs" => json!([{ "source": "site", "target": "/site" }]),
        "container_name" => json!("other-name"),
        "cpu_count" | "cpu_percent" | "cpu_rt_period" | "cpu_rt_runtime" | "cpu_shares" | "pids_limit" | "mem_swappiness" => {
            json!(50)
        }
        "cpu_period" => json!(50_000),
        "cpu_quota" => json!(25_000),
        "cpus" => json!(0.5),
        "cpuset" => json!("0-1"),
        "credential_spec" => json!({ "file": "x.json" }),
        "depends_on" => json!({ "nobody": { "condition": "service_started", "required": true } }),
        "deploy" => json!({ "replicas": 3 }),
        "develop" => json!({ "watch": [{ "path": ".", "action": "sync" }] }),
        "device_cgroup_rules" => json!(["c 1:3 mr"]),
        "devices" => json!([{ "source": "/dev/ttyUSB0", "target": "/dev/ttyUSB0", "permissions": "rwm" }]),
        "dns" | "dns_search" => json!(["10.0.0.1"]),
        "dns_opt" => json!(["ndots:2"]),
        "domainname" | "hostname" | "isolation" | "working_dir" | "image" => json!("other"),
        "env_file" | "label_file" => json!([{ "path": "x.env", "required": true }]),
        "environment" => json!({ "A": "b" }),
        "expose" => json!(["80"]),
        "extends" => json!({ "service": "x" }),
        "external_links" | "links" => json!(["nobody:alias"]),
        "extra_hosts" => json!(["db=10.0.0.2"]),
        "gpus" => json!([{ "count": -1 }]),
        "group_add" => json!(["1000"]),
        "healthcheck" => json!({ "test": ["CMD", "true"] }),
        "init" | "privileged" | "read_only" | "stdin_open" | "tty" | "oom_kill_disable" | "use_api_socket" => json!(true),
        "attach" => json!(false),
        "ipc" | "network_mode" | "pid" => json!("host"),
        "log_driver" => json!("syslog"),
        "log_opt" | "storage_opt" => json!({ "size": "1g" }),
        "logging" => json!({ "driver": "syslog" }),
        "mac_address" => json!("02:42:ac:11:65:43"),
        "mem_limit" | "mem_reservation" | "memswap_limit" | "shm_size" => json!("67108864"),
        "models" => json!({ "llm": { "endpoint_var": "URL" } }),
        "net" => json!("host"),
        "networks" => json!({ "default": { "aliases": ["shop-web"] } }),
        "oom_score_adj" => json!(500),
        "platform" => json!("linux/arm64"),
        "ports" => json!([{ "target": 80, "published": "8080", "protocol": "tcp", "mode": "ingress" }]),
        "post_start" | "pre_stop" | "pre_start" => json!([{ "command": ["true"] }]),
        "profiles" => json!(["debug"]),
        "provider" => json!({ "type": "awesomecloud" }),
        "pull_policy" => json!("always"),
        "pull_refresh_after" => json!("24h"),
        "restart" => json!("on-failure"),
        "runtime" => json!("runsc"),
        "scale" => json!(3),
        "secrets" => json!([{ "source": "db-password", "target": "/run/secrets/db-password" }]),
        "security_opt" => json!(["no-new-privileges:true"]),
        "stop_grace_period" => json!("1m0s"),
        "stop_signal" => json!("SIGQUIT"),
        "sysctls" => json!({ "net.core.somaxconn": "1024" }),
        "tmpfs" => json!(["/run"]),
        "ulimits" => json!({ "nofile": 1024 }),
        "user" => json!("1000:1000"),
        "volume_driver" => json!("flocker"),
        "volumes" => json!([{ "type": "volume", "source": "data", "target": "/data", "volume": {} }]),
        "volumes_from" => json!(["container:other"]),
        "dockerfile" => json!("Dockerfile"),
        other => panic!(
            "the schema has a new key of services, `{other}`: translate it, or say what becomes of it, and give a specimen"
        ),
    }
}

fn keys(of: &str) -> Vec<String> {
    let all: Value = serde_json::from_str(include_str!("../../../../tests/fixtures/compose/keys.json")).unwrap();
    all[of].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()).collect()
}

#[test]
fn of_services() {
    let plain = translated(json!({ "web": { "image": "web:1" } }));
    let all = keys("service");
    assert!(all.len() > 90, "{}", all.len());
    for key in &all {
        let mut service = json!({ "image": "web:1" });
        service[key] = specimen(key);
        let found = translated(json!({ "web": service }));
        let changed = format!("{:?}", found.bundle) != format!("{:?}", plain.bundle);
        let told = found.warnings.iter().any(|w| w.service.as_deref() == Some("web") && w.key.split('.').next() == Some(key));
        let meaningless = MEANINGLESS.iter().any(|(name, _)| name == key);
        assert!(changed || told || meaningless, "`{key}` is dropped in silence");
        let own: Vec<_> = found.warnings.iter().filter(|w| w.text.contains("is not known to Gaggle")).collect();
        assert!(own.is_empty(), "`{key}` is read by nobody: {own:?}");
    }
    // The tables name nothing that is not there, but for old forms.
    for (key, reason) in MEANINGLESS.iter().chain(CANNOT) {
        let old = ["name", "net", "log_driver", "log_opt", "dockerfile", "volume_driver"];
        assert!(all.iter().any(|known| known == key) || old.contains(key), "`{key}` is no key");
        assert!(reason.len() > 20, "`{key}` has no reason");
    }
}

#[test]
fn of_what_is_within() {
    let service = |at: &str, key: &str| {
        let mut service = json!({
            "image": "web:1",
            "healthcheck": { "test": ["CMD", "true"] },
            "deploy": {
                "resources": { "limits": { "cpus": 1 }, "reservations": { "cpus": 1, "devices": [{ "capabilities": ["gpu"] }] } },
                "update_config": {}, "placement": {}, "restart_policy": {},
            },
            "ports": [{ "target": 80 }],
            "volumes": [
                { "type": "volume", "source": "data", "target": "/data", "volume": {} },
                { "type": "bind", "source": "/project/nginx.conf", "target": "/x", "bind": {} },
                { "type": "tmpfs", "target": "/y", "tmpfs": {} },
                { "type": "image", "source": "alpine", "target": "/z", "image": {} },
            ],
            "secrets": [{ "source": "db-password" }],
            "configs": [{ "source": "site" }],
            "networks": { "default": {} },
            "post_start": [{ "command": ["true"] }],
        });
        service.pointer_mut(at).unwrap().as_object_mut().unwrap().insert(key.to_owned(), json!("new"));
        service
    };
    for at in [
        "",
        "/healthcheck",
        "/deploy",
        "/deploy/resources",
        "/deploy/resources/limits",
        "/deploy/resources/reservations",
        "/deploy/resources/reservations/devices/0",
        "/deploy/update_config",
        "/deploy/placement",
        "/deploy/restart_policy",
        "/ports/0",
        "/volumes/0",
        "/volumes/0/volume",
        "/volumes/1/bind",
        "/volumes/2/tmpfs",
        "/volumes/3/image",
        "/secrets/0",
        "/configs/0",
        "/networks/default",
        "/post_start/0",
    ] {
        let before = translated(json!({ "web": service(at, "x-new") })).warnings.len();
        let after = translated(json!({ "web": service(at, "new") })).warnings.len();
        assert!(after > before, "a new key at `{at}` is dropped in silence");
    }
}

#[test]
fn of_the_file_itself() {
    for (key, value, told) in [
        ("jobs", json!({ "nightly": { "image": "x", "triggers": { "schedule": [{ "cron": "0 1 * * *" }] } } }), true),
        ("models", json!({ "llm": { "model": "ai/smollm2" } }), true),
        ("new", json!({ "a": 1 }), true),
        ("x-new", json!({ "a": 1 }), false),
        ("version", json!("3.9"), false),
    ] {
        let mut all = project(json!({ "web": { "image": "web:1" } }));
        all[key] = value;
        let found = translate(&all, &fake(), &Options::default());
        assert_eq!(found.warnings.iter().any(|w| w.service.is_none() && w.key == key), told, "{key}: {:?}", found.warnings);
    }
    assert!(keys("top").iter().all(|key| {
        ["configs", "include", "jobs", "models", "name", "networks", "secrets", "services", "version", "volumes"]
            .contains(&key.as_str())
    }));
    for (kind, of) in [("volume", "volumes"), ("network", "networks")] {
        for key in keys(kind).iter().map(String::as_str).chain(["new"]) {
            let mut all = project(json!({ "web": {
                "image": "web:1", "networks": { "default": null },
                "volumes": [{ "type": "volume", "source": "data", "target": "/data" }],
            } }));
            let plain = translate(&all, &fake(), &Options::default());
            let value = match key {
                "driver_opts" | "labels" => json!({ "a": "b" }),
                "ipam" => json!({ "config": [{ "subnet": "10.0.0.0/24" }] }),
                "external" | "internal" | "attachable" | "enable_ipv6" => json!(true),
                "enable_ipv4" => json!(false),
                _ => json!("other"),
            };
            let name = if kind == "volume" { "data" } else { "default" };
            all[of][name][key] = value;
            let found = translate(&all, &fake(), &Options::default());
            let changed = format!("{found:?}") != format!("{plain:?}");
            assert!(changed, "`{of}.{key}` is dropped in silence");
        }
    }
}

#[test]
fn tables_stand_apart() {
    for (key, _) in MEANINGLESS {
        assert!(!CANNOT.iter().any(|(other, _)| other == key), "{key}");
    }
}
