//! What becomes of each thing that a file can say.

use serde_json::json;

use super::*;
use crate::model::workload::{Condition, Kept, Probe, Protocol, Pull, Wait, Word};

fn ports(workload: &Workload) -> Vec<String> {
    workload.ports.iter().map(|port| format!("{}={}/{}", port.name, port.number, port.protocol.as_str())).collect()
}

fn texts(words: &[Word]) -> Vec<&str> {
    words.iter().map(|word| if let Word::Text(text) = word { text } else { "$" }).collect()
}

#[test]
fn ports_of_all_kinds() {
    let (found, warnings) = web(json!({
        "ports": [
            { "mode": "ingress", "target": 80, "published": "8080", "protocol": "tcp" },
            { "mode": "ingress", "target": 80, "published": "8081", "protocol": "tcp" },
            { "mode": "ingress", "target": 53, "published": "53", "protocol": "udp" },
            { "mode": "ingress", "target": 53, "published": "53", "protocol": "tcp" },
            { "mode": "ingress", "target": 3868, "published": "3868", "protocol": "sctp" },
            { "mode": "host", "target": 9090, "host_ip": "127.0.0.1", "published": "9090", "protocol": "tcp" },
            { "mode": "ingress", "target": 7000, "host_ip": "192.168.1.2", "protocol": "tcp", "name": "admin", "app_protocol": "http" },
            { "mode": "ingress", "target": 0, "protocol": "tcp" },
        ],
        "expose": ["5432", "6000-6002/udp", "80", "x"],
    }));
    assert_eq!(
        ports(&found),
        [
            "tcp-80=80/TCP",
            "udp-53=53/UDP",
            "tcp-53=53/TCP",
            "sctp-3868=3868/SCTP",
            "tcp-9090=9090/TCP",
            "admin=7000/TCP",
            "tcp-5432=5432/TCP",
            "udp-6000=6000/UDP",
            "udp-6001=6001/UDP",
            "udp-6002=6002/UDP",
        ]
    );
    assert!(found.reach.expose.is_none() && found.reach.published.is_empty() && !found.reach.headless);
    for part in
        ["9090 was bound to this machine", "mode: host", "192.168.1.2", "`0` is no port", "`x` is no port", "8080→80, 8081→80"]
    {
        assert!(has(&warnings, part), "{part}: {warnings:#?}");
    }
}

#[test]
fn ports_that_are_exposed() {
    let both = json!({ "ports": [
        { "target": 80, "published": "8080", "protocol": "tcp" },
        { "target": 443, "published": "8443", "protocol": "tcp" },
        { "target": 53, "published": "53", "protocol": "udp" },
        { "target": 9090, "published": "9090", "protocol": "tcp", "host_ip": "127.0.0.1" },
        { "target": 9091, "published": "9091", "protocol": "tcp", "host_ip": "::1" },
    ] });
    let expose = |expose| Options { all: ServiceOptions { expose: Some(expose), ..Default::default() }, ..Default::default() };
    let published = |found: &Workload| found.reach.published.iter().map(|p| (p.port, p.target, p.protocol)).collect::<Vec<_>>();
    let (found, _) = web_with(both.clone(), &expose(Expose::LoadBalancer));
    assert_eq!(published(&found), [(53, 53, Protocol::Udp), (8080, 80, Protocol::Tcp), (8443, 443, Protocol::Tcp)]);
    let (found, warnings) = web_with(both, &expose(Expose::Ingress));
    assert_eq!(published(&found), [(8080, 80, Protocol::Tcp)]);
    assert!(has(&warnings, "An Ingress leads to one port"));
    let (found, _) = web_with(json!({ "expose": ["80"] }), &expose(Expose::LoadBalancer));
    assert!(found.reach.expose.is_none(), "what was not published is not, unless it is asked for by name");
    let named = Options { services: [("web".to_owned(), expose(Expose::NodePort).all)].into(), ..Default::default() };
    let (found, _) = web_with(json!({ "expose": ["80"] }), &named);
    assert_eq!(published(&found), [(80, 80, Protocol::Tcp)]);
}

#[test]
fn services_without_ports_are_found_all_the_same() {
    let (found, _) = web(json!({}));
    assert!(found.reach.headless && !found.reach.none && found.ports.is_empty());
    let (found, _) = web(json!({ "network_mode": "none" }));
    assert!(found.reach.none);
    let (found, _) = web(json!({ "network_mode": "host", "expose": ["80"] }));
    assert!(found.host.network && !found.reach.none);
    let (found, warnings) = web(json!({ "expose": ["10000-20000/udp"] }));
    assert!(found.reach.headless && found.ports.is_empty() && has(&warnings, "10001 ports are more"));
    let (found, _) = web(json!({ "expose": ["80"], "deploy": { "endpoint_mode": "dnsrr" } }));
    assert!(found.reach.headless && found.ports.len() == 1);
}

#[test]
fn other_names() {
    let found = translated(json!({
        "web": { "image": "a", "container_name": "shop-web", "networks": { "default": { "aliases": ["www", "db", "a.b"] } } },
        "db": { "image": "b", "networks": { "default": { "aliases": ["www", "store"] } } },
        "job": { "image": "c", "links": ["db:database", "db", "web:bad_name"] },
    }));
    let names = |service: &str| {
        let found = found.bundle.workloads.iter().find(|w| w.service == service);
        found.map(|w| w.reach.aliases.clone()).unwrap()
    };
    assert_eq!(names("db"), ["database", "store", "www"]);
    assert_eq!(names("web"), ["shop-web"]);
    let warnings: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
    for part in [
        "`www` is also a name of `db`",
        "`db` is also a name of `db`",
        "`a.b` is no name",
        "`bad_name` is no name",
        "everybody finds it",
    ] {
        assert!(has(&warnings, part), "{part}: {warnings:#?}");
    }
}

#[test]
fn names_that_a_cluster_cannot_have() {
    let found = translated(json!({
        "my_api": { "image": "a" },
        "my-api": { "image": "b" },
        "Web": { "image": "c", "environment": { "API": "http://my_api:8080", "OTHER": "not my_api_2" } },
        "x": { "image": "d", "depends_on": { "my_api": { "condition": "service_started", "required": true } } },
    }));
    let names: Vec<(&str, &str)> = found.bundle.workloads.iter().map(|w| (w.service.as_str(), w.name.as_str())).collect();
    let api = names::hashed("my_api", 63);
    assert_eq!(names, [("Web", "web"), ("my-api", "my-api"), ("my_api", api.as_str()), ("x", "x")]);
    assert_eq!(found.bundle.workloads[3].waits, [Wait { on: api, condition: Condition::Started, required: true }]);
    let told = found.warnings.iter().find(|w| w.service.as_deref() == Some("my_api")).unwrap();
    assert!(told.text.contains("Change it where `Web` name it."), "{told}");
}

#[test]
fn how_pods_are_kept() {
    let kept = |more| web(more).0.kept;
    let data = |read_only: bool| json!([{ "type": "volume", "source": "data", "target": "/d", "read_only": read_only }]);
    assert_eq!(kept(json!({})), Kept::Deployment);
    assert_eq!(kept(json!({ "volumes": data(false) })), Kept::StatefulSet);
    assert_eq!(kept(json!({ "volumes": data(true) })), Kept::Deployment);
    assert_eq!(kept(json!({ "volumes": data(false), "scale": 3 })), Kept::Deployment);
    assert_eq!(kept(json!({ "deploy": { "mode": "global" } })), Kept::DaemonSet);
    assert_eq!(kept(json!({ "restart": "no" })), Kept::Job);
    assert_eq!(kept(json!({ "deploy": { "restart_policy": { "condition": "none" } } })), Kept::Job);
    assert_eq!(kept(json!({ "restart": "no", "expose": ["80"] })), Kept::Deployment);
    assert_eq!(kept(json!({ "restart": "no", "ports": [{ "target": 80 }] })), Kept::Deployment);
    assert_eq!(kept(json!({ "restart": "on-failure" })), Kept::Deployment);
    assert_eq!(kept(json!({ "deploy": { "mode": "replicated-job" } })), Kept::Job);
    let (found, _) = web(json!({ "volumes": data(false) }));
    assert!(found.why.contains("`data`") && found.why.contains("/d"), "{}", found.why);
    let found = translated(json!({
        "migrate": { "image": "a", "restart": "on-failure:4" },
        "web": { "image": "b", "depends_on": { "migrate": { "condition": "service_completed_successfully", "required": true } } },
    }));
    let job = &found.bundle.workloads[0];
    assert_eq!((job.kept, job.retry.times, job.retry.in_place), (Kept::Job, 4, true));
    let (found, _) = web(json!({ "restart": "no" }));
    assert_eq!((found.retry.times, found.retry.in_place), (0, false));
}

#[test]
fn order_follows_what_is_waited_for() {
    let wait = |condition: &str| json!({ "condition": condition, "required": true });
    let found = translated(json!({
        "a": { "image": "x", "depends_on": { "b": wait("service_healthy"), "migrate": wait("service_completed_successfully") } },
        "b": { "image": "x", "depends_on": { "db": wait("service_started") } },
        "db": { "image": "postgres:16" },
        "migrate": { "image": "x", "depends_on": { "db": wait("service_healthy") } },
        "ring": { "image": "x", "depends_on": { "gnir": wait("service_started") } },
        "gnir": { "image": "x", "depends_on": { "ring": wait("service_started"), "gone": { "condition": "service_started", "required": false } } },
    }));
    let order: Vec<&str> = found.bundle.workloads.iter().map(|w| w.name.as_str()).collect();
    assert_eq!(order, ["db", "migrate", "b", "a", "gnir", "ring"]);
    assert!(found.warnings.iter().any(|w| w.text.contains("wait for each other")));
    assert_eq!(found.bundle.workloads[3].waits[0].condition, Condition::Healthy);
}

#[test]
fn checks() {
    let check = |more| {
        let (found, _) = web(json!({ "healthcheck": more }));
        found.ready.map(|c| (c.probe, c.interval, c.timeout, c.retries, c.start_period, c.start_interval))
    };
    let exec = |words: &[&str]| Probe::Exec(words.iter().map(|w| (*w).to_owned()).collect());
    assert_eq!(check(json!({ "test": ["CMD", "pg_isready"] })), Some((exec(&["pg_isready"]), 30, 30, 3, 0, 5)));
    assert_eq!(
        check(json!({
            "test": ["CMD-SHELL", "curl -f http://localhost || exit 1"],
            "interval": "1m30s", "timeout": "10s", "retries": 5, "start_period": "40s", "start_interval": "2s",
        })),
        Some((exec(&["/bin/sh", "-c", "curl -f http://localhost || exit 1"]), 90, 10, 5, 40, 2))
    );
    assert_eq!(check(json!({ "test": ["CMD", "x"], "interval": "500ms", "timeout": "100ms" })).map(|c| (c.1, c.2)), Some((1, 1)));
    for none in
        [json!({ "test": ["NONE"] }), json!({ "disable": true }), json!({ "disable": true, "test": ["CMD", "x"] }), json!({})]
    {
        assert_eq!(check(none), None);
    }
    let (found, warnings) = web(json!({ "healthcheck": { "interval": "5s" } }));
    assert!(found.ready.is_none() && has(&warnings, "image's own check"));
    let options = |path: Option<&str>, live| Options {
        all: ServiceOptions { health_path: path.map(str::to_owned), live: Some(live), ..Default::default() },
        ..Default::default()
    };
    let (found, _) = web_with(json!({ "expose": ["53/udp", "8080"] }), &options(Some("healthz"), true));
    assert_eq!(found.ready.unwrap().probe, Probe::Http("/healthz".to_owned(), 8080));
    assert!(found.live);
    let (found, _) = web_with(json!({ "healthcheck": { "test": ["CMD", "x"] } }), &options(None, false));
    assert!(!found.live);
}

#[test]
fn commands() {
    let words = |entrypoint, command| {
        let (found, warnings) = web(json!({ "entrypoint": entrypoint, "command": command }));
        let all = |words: &[Word]| texts(words).into_iter().map(str::to_owned).collect::<Vec<_>>();
        (all(&found.entrypoint), all(&found.command), warnings.len())
    };
    let own = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    assert_eq!(words(json!(null), json!(["a", "$(X)"])), (own(&[]), own(&["a", "$(X)"]), 0));
    assert_eq!(words(json!(["e", "f"]), json!(["a"])), (own(&["e", "f"]), own(&["a"]), 0));
    assert_eq!(words(json!(["e"]), json!(null)), (own(&["e"]), own(&[]), 0));
    assert_eq!(words(json!([]), json!(["a", "b"])), (own(&["a", "b"]), own(&[]), 0));
    assert_eq!(words(json!([]), json!(null)).2, 1);
    assert_eq!(words(json!(null), json!([])).2, 1);
    assert_eq!(words(json!(["e"]), json!([])).2, 0);
}

#[test]
fn security() {
    let (found, warnings) = web(json!({
        "user": "1000", "group_add": ["docker", "2000"], "privileged": true, "read_only": true, "init": true,
        "cap_add": ["CAP_NET_ADMIN", "net_admin", "SYS_TIME"], "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true", "seccomp:unconfined", "apparmor=unconfined", "label:type:svirt_t", "seccomp:x.json"],
        "sysctls": { "net.core.somaxconn": "1024", "net.ipv4.tcp_syncookies": "0", "Bad": "1" },
        "pid": "host", "ipc": "shareable", "uts": "host", "cgroup": "host", "userns_mode": "host",
        "extra_hosts": ["a=10.0.0.1", "b=10.0.0.1", "c=::1", "d=host-gateway", "e=nope"],
        "hostname": "Web.example.com", "domainname": "example.com",
        "dns": ["10.0.0.1", "10.0.0.2", "10.0.0.3"], "dns_search": ["example.com", "."], "dns_opt": ["ndots:2", "rotate"],
        "platform": "linux/amd64", "pull_policy": "missing", "tty": true, "stdin_open": true, "working_dir": "/app",
    }));
    let security = &found.security;
    assert_eq!((security.user, security.group, &security.groups[..]), (Some(1000), None, &[2000][..]));
    assert_eq!(
        (&security.add[..], &security.drop[..]),
        (&["NET_ADMIN".to_owned(), "SYS_TIME".to_owned()][..], &["ALL".to_owned()][..])
    );
    assert!(security.privileged && security.read_only && !security.no_new_privileges && security.seccomp_unconfined);
    assert!(found.host.pid && !found.host.init && !found.host.ipc);
    assert_eq!(found.host.hosts, [("10.0.0.1".into(), vec!["a".into(), "b".into()]), ("::1".into(), vec!["c".to_owned()])]);
    assert_eq!(found.host.sysctls.keys().collect::<Vec<_>>(), ["net.core.somaxconn", "net.ipv4.tcp_syncookies"]);
    assert_eq!(
        (found.host.name.as_deref(), found.host.arch.as_deref(), found.host.os.as_deref()),
        (Some("web"), Some("amd64"), Some("linux"))
    );
    assert_eq!((found.host.dns.len(), &found.host.dns_search[..]), (2, &["example.com".to_owned()][..]));
    assert_eq!((found.pull, found.tty, found.stdin), (Some(Pull::IfNotPresent), true, true));
    for part in [
        "group `docker`",
        "contradicts",
        "seccomp:x.json",
        "`net.core.somaxconn` is one that nodes refuse",
        "`Bad` is no setting",
        "`shareable`",
        "uts",
        "cgroup",
        "`d` is the machine",
        "`e=nope`",
        "becomes `web`",
        "cluster's domain",
        "name server comes first",
        "two more name servers",
    ] {
        assert!(has(&warnings, part), "{part}: {warnings:#?}");
    }
    let (found, warnings) = web(json!({ "user": "node:node" }));
    assert!(found.security.user.is_none() && has(&warnings, "`node` is left out") && has(&warnings, "group `node`"));
    let (found, _) = web(json!({ "user": "70", "volumes": [{ "type": "volume", "source": "data", "target": "/d" }] }));
    assert_eq!(found.security.volume_group, Some(70));
    let (found, warnings) = web(json!({ "network_mode": "host", "sysctls": { "net.ipv4.ip_forward": "1" } }));
    assert!(found.host.sysctls.is_empty() && has(&warnings, "belongs to the node"));
}

#[test]
fn resources() {
    let (found, warnings) = web(json!({ "deploy": { "resources": {
        "limits": { "cpus": 0.5, "memory": "536870912", "pids": 100 },
        "reservations": { "cpus": 2, "memory": "268435456", "devices": [{ "capabilities": ["gpu"], "driver": "nvidia", "count": 2 }],
            "generic_resources": [{ "discrete_resource_spec": { "kind": "SSD", "value": 1 } }] },
    } } }));
    let r = &found.resources;
    assert_eq!(
        (r.cpu_limit, r.cpu_request, r.memory_limit, r.memory_request),
        (Some(500), Some(500), Some(512 << 20), Some(256 << 20))
    );
    assert_eq!(r.devices.get("nvidia.com/gpu"), Some(&2));
    assert!(has(&warnings, "More CPU") && has(&warnings, "pids") && has(&warnings, "generic") && has(&warnings, "device plugin"));
    let (found, _) = web(
        json!({ "mem_limit": "1073741824", "mem_reservation": "536870912", "cpus": 1.5, "cpu_shares": 512, "gpus": [{ "count": -1 }] }),
    );
    let r = &found.resources;
    assert_eq!(
        (r.cpu_limit, r.cpu_request, r.memory_limit, r.memory_request),
        (Some(1500), Some(500), Some(1 << 30), Some(512 << 20))
    );
    let (found, _) = web(json!({ "cpu_quota": 50_000, "storage_opt": { "size": "10g" } }));
    assert_eq!((found.resources.cpu_limit, found.resources.disk_limit), (Some(500), Some(10 << 30)));
}

#[test]
fn ends_and_updates() {
    let (found, warnings) = web(json!({
        "stop_grace_period": "1m30s", "stop_signal": "SIGQUIT", "scale": 3,
        "post_start": [{ "command": ["./migrate", "it's"], "user": "root", "working_dir": "/app", "environment": { "A": "b" } }],
        "pre_stop": [{ "command": ["./drain"] }],
        "deploy": { "update_config": { "parallelism": 2, "delay": "10s", "order": "stop-first", "failure_action": "rollback" },
            "rollback_config": { "parallelism": 1 }, "placement": {
                "constraints": ["node.role==manager", "node.labels.disk == ssd", "node.hostname!=n1"],
                "preferences": [{ "spread": "node.labels.zone" }], "max_replicas_per_node": 1,
            } },
    }));
    assert_eq!((found.stop.grace, found.stop.signal.as_deref(), found.replicas), (Some(90), Some("QUIT"), 3));
    assert_eq!(found.started, [["/bin/sh", "-c", "cd /app && exec env A=b ./migrate 'it'\\''s'"]]);
    let nodes = [("disk".into(), true, "ssd".into()), ("kubernetes.io/hostname".into(), false, "n1".to_owned())];
    assert_eq!((&found.placement.nodes[..], &found.placement.spread[..]), (&nodes[..], &["zone".to_owned()][..]));
    assert!(found.placement.apart);
    assert_eq!((found.update.parallel, found.update.stop_first, found.update.delay), (Some(2), true, 10));
    for part in ["SIGQUIT", "`user`", "`failure_action`", "A rollback", "`node.role==manager` means nothing", "label `disk`"] {
        assert!(has(&warnings, part), "{part}: {warnings:#?}");
    }
}

#[test]
fn options_win() {
    let mut options = Options::default();
    let own = options.services.entry("web".to_owned()).or_default();
    own.name = Some("shop".to_owned());
    own.replicas = Some(4);
    own.set = [("A".to_owned(), "new".to_owned()), ("B".to_owned(), "more".to_owned())].into();
    own.secret.insert("PLAIN".to_owned());
    own.plain.insert("API_KEY".to_owned());
    let (found, warnings) =
        web_with(json!({ "environment": { "A": null, "PLAIN": "x", "API_KEY": "y", "UNSET": null } }), &options);
    assert_eq!((found.name.as_str(), found.replicas), ("shop", 4));
    assert_eq!(
        found.plain.into_iter().collect::<Vec<_>>(),
        [("A".into(), "new".into()), ("API_KEY".into(), "y".into()), ("B".into(), "more".to_owned())]
    );
    assert_eq!(found.secret.keys().collect::<Vec<_>>(), ["PLAIN"]);
    assert!(has(&warnings, "`UNSET` has no value") && !has(&warnings, "`A`"));
    let only = Options { only: Some(["db".to_owned()].into()), ..Options::default() };
    let found = with(json!({ "web": { "image": "a" }, "db": { "image": "b" } }), &only);
    assert_eq!(found.bundle.workloads.len(), 1);
}

#[test]
fn what_is_no_container_is_told() {
    let found = translated(json!({
        "built": { "build": { "context": "/project" } },
        "both": { "build": { "context": "/project" }, "image": "x" },
        "neither": {},
        "cloud": { "provider": { "type": "awesomecloud" } },
    }));
    let images: Vec<_> = found.bundle.workloads.iter().map(|w| (w.name.as_str(), w.image.as_str())).collect();
    assert_eq!(images, [("both", "x"), ("built", "shop-built")]);
    assert_eq!(found.warnings.len(), 4, "{:#?}", found.warnings);
}

#[test]
fn walls_between_networks() {
    let mut all = project(json!({
        "web": { "image": "a", "networks": { "front": null } },
        "api": { "image": "a", "networks": { "front": null, "back": null } },
        "db": { "image": "a", "networks": { "back": { "ipv4_address": "10.0.0.3", "aliases": ["store"] } } },
    }));
    all["networks"] = json!({
        "front": { "name": "f", "driver": "bridge" }, "back": { "name": "b", "internal": true },
        "ext": { "name": "e", "external": true }, "mac": { "name": "m", "driver": "macvlan", "ipam": { "config": [{ "subnet": "10.0.0.0/24" }] } },
    });
    let found = translate(&all, &fake(), &Options::default());
    let warnings: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
    for part in [
        "`db` and `web` share no network",
        "`back` is internal",
        "`e` is made elsewhere",
        "driver `macvlan`",
        "`ipam` of `mac`",
        "`ipv4_address`",
    ] {
        assert!(has(&warnings, part), "{part}: {warnings:#?}");
    }
}

#[test]
fn labels_are_made_valid() {
    let (found, warnings) = web(json!({
        "labels": { "team": "shop", "rule": "Host(`x`) && Path(`/`)", "traefik.enable": "true", "a b": "c", "app.kubernetes.io/name": "mine" },
        "annotations": { "note": "any text at all" },
        "deploy": { "labels": { "tier": "web" } },
    }));
    assert_eq!(found.labels.get("team").map(String::as_str), Some("shop"));
    assert!(
        found.annotations.contains_key("rule") && found.annotations.contains_key("note") && found.own_labels.contains_key("tier")
    );
    assert!(!found.labels.contains_key("app.kubernetes.io/name"));
    assert!(has(&warnings, "`a b`") && has(&warnings, "`app.kubernetes.io/name`") && has(&warnings, "Labels of `traefik`"));
}
