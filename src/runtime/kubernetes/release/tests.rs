//! Objects of workloads, without a server. Whether one takes them is asked in `tests/cluster/compose.rs`.

use std::sync::Arc;

use proptest::prelude::*;
use secrecy::{SecretSlice, SecretString};
use serde_json::json;

use super::*;
use crate::model::workload::*;

const PASSWORD: &str = "hunter2hunter2";

fn workload(name: &str) -> Workload {
    Workload {
        service: name.into(),
        name: name.into(),
        image: format!("{name}:1"),
        replicas: 1,
        why: "so".into(),
        ..Workload::default()
    }
}

fn port(number: u16, protocol: Protocol) -> Port {
    Port { name: format!("{}-{number}", protocol.as_str().to_lowercase()), number, protocol, app: None }
}

fn bundle(workloads: Vec<Workload>) -> Bundle {
    Bundle { name: "shop".into(), workloads, ..Bundle::default() }
}

fn options() -> Options {
    Options { namespace: "shop".into(), ..Options::default() }
}

fn find<'a>(all: &'a [Object], kind: &str, name: &str) -> &'a Value {
    let names: Vec<_> = all.iter().map(|o| format!("{}/{}", o.kind, o.name)).collect();
    all.iter()
        .find(|o| o.kind == kind && o.name == name)
        .map(|o| &o.body)
        .unwrap_or_else(|| panic!("no {kind}/{name} in {names:?}"))
}

/// The pod's specification of the only workload.
fn pod(workload: Workload, options: &Options) -> Value {
    let kind = workload.kept.as_str();
    let name = workload.name.clone();
    find(&objects(&bundle(vec![workload]), options), kind, &name)["spec"]["template"]["spec"].clone()
}

#[test]
fn what_a_container_listens_at_is_what_others_ask() {
    let mut web = workload("web");
    web.ports = vec![port(80, Protocol::Tcp), port(53, Protocol::Udp), port(53, Protocol::Tcp)];
    web.reach.aliases = vec!["www".into()];
    web.reach.expose = Some(Expose::NodePort);
    let outside = |port, target| Published { port, target, protocol: Protocol::Tcp, app: None };
    web.reach.published = vec![outside(8080, 80), outside(30080, 80)];
    let all = objects(&bundle(vec![web.clone(), workload("worker"), workload("web-public")]), &options());
    for name in ["web", "www"] {
        let spec = &find(&all, "Service", name)["spec"];
        assert_eq!(spec["ports"][0], json!({ "name": "tcp-80", "port": 80, "targetPort": 80, "protocol": "TCP" }));
        assert_eq!(
            (spec["ports"].as_array().unwrap().len(), &spec["selector"][NAME], &spec["clusterIP"]),
            (3, &json!("web"), &Value::Null)
        );
    }
    let worker = &find(&all, "Service", "worker")["spec"];
    assert_eq!((&worker["clusterIP"], &worker["ports"]), (&json!("None"), &Value::Null));
    let outer = &find(&all, "Service", "web-public-public")["spec"];
    assert_eq!(
        (&outer["type"], &outer["ports"][0]["port"], &outer["ports"][0]["targetPort"]),
        (&json!("NodePort"), &json!(8080), &json!(80))
    );
    assert_eq!((&outer["ports"][0]["nodePort"], &outer["ports"][1]["nodePort"]), (&Value::Null, &json!(30080)));
    web.reach.expose = Some(Expose::Ingress);
    let all = objects(&bundle(vec![web.clone()]), &options());
    let rule = &find(&all, "Ingress", "web")["spec"]["rules"][0];
    assert_eq!(
        (&rule["host"], &rule["http"]["paths"][0]["backend"]["service"]["port"]["number"]),
        (&json!("web.example.com"), &json!(80))
    );
    web.reach.hosts = vec![("a.test".into(), "/x".into()), ("b.test".into(), "/".into()), ("a.test".into(), "/y".into())];
    (web.reach.class, web.reach.tls_secret) = (Some("nginx".into()), Some("keys".into()));
    let all = objects(&bundle(vec![web]), &options());
    let spec = &find(&all, "Ingress", "web")["spec"];
    let paths: Vec<_> = spec["rules"][0]["http"]["paths"].as_array().unwrap().iter().map(|path| &path["path"]).collect();
    assert_eq!((paths, &spec["rules"][1]["host"]), (vec![&json!("/x"), &json!("/y")], &json!("b.test")));
    assert_eq!(spec["tls"], json!([{ "hosts": ["a.test", "b.test"], "secretName": "keys" }]));
    assert_eq!(spec["ingressClassName"], json!("nginx"));
}

#[test]
fn variables_stand_apart_and_change_the_pods() {
    let mut web = workload("web");
    web.plain.insert("A".into(), "$(X) $$".into());
    web.secret.insert("PASSWORD".into(), SecretString::from(PASSWORD));
    let sealed = Options { seal: Some([7; 32]), ..options() };
    let digest = |web: &Workload, options: &Options| {
        let all = objects(&bundle(vec![web.clone()]), options);
        find(&all, "Deployment", "web")["spec"]["template"]["metadata"]["annotations"][CONFIG].clone()
    };
    let all = objects(&bundle(vec![web.clone()]), &options());
    assert_eq!(find(&all, "ConfigMap", "web-config")["data"]["A"], "$(X) $$");
    assert_eq!(find(&all, "Secret", "web-secrets")["data"]["PASSWORD"], "aHVudGVyMmh1bnRlcjI=");
    assert!(!format!("{all:?}").contains("aHVudGVy"));
    let mut other = web.clone();
    other.secret.insert("PASSWORD".into(), SecretString::from("another"));
    assert_ne!(digest(&web, &sealed), digest(&other, &sealed));
    assert_eq!(digest(&web, &options()), digest(&other, &options()), "a plain hash would give the password away");
    other.plain.insert("A".into(), "b".into());
    assert_ne!(digest(&web, &options()), digest(&other, &options()));
    let closed = objects(&bundle(vec![web]), &Options { values: false, ..options() });
    assert_eq!(find(&closed, "Secret", "web-secrets")["stringData"], json!({ "PASSWORD": "" }));
}

#[test]
fn files_hide_nothing_beside_them() {
    let mut web = workload("web");
    let file = |secret, set: &str, key: &str, mode| Source::File { secret, set: set.into(), key: key.into(), mode };
    let mount = |at: &str, from| Mount { at: at.into(), read_only: true, from };
    web.mounts = vec![
        mount("/run/secrets/db", file(true, "db", "db", 0o400)),
        mount("/etc/nginx/nginx.conf", file(false, "web-files", "nginx.conf", 0o444)),
        mount("/run.sh", file(false, "web-files", "run.sh", 0o555)),
        Mount { at: "/data".into(), read_only: false, from: Source::Claim { claim: "data".into(), path: Some("/a/".into()) } },
        Mount { at: "/mem".into(), read_only: false, from: Source::Memory { bytes: Some(64 << 20) } },
    ];
    let mut all = bundle(vec![web.clone()]);
    let files = [
        ("nginx.conf".to_owned(), Content::Plain(Arc::from(&b"x"[..]))),
        ("run.sh".to_owned(), Content::Plain(Arc::from(&[0xff][..]))),
    ];
    all.sets.push(FileSet { name: "web-files".into(), of: Some("web".into()), files: files.into(), ..FileSet::default() });
    let secret = Content::Secret(Arc::new(SecretSlice::from(PASSWORD.as_bytes().to_vec())));
    all.sets.push(FileSet { name: "db".into(), secret: true, files: [("db".to_owned(), secret)].into(), ..FileSet::default() });
    all.sets.push(FileSet { name: "elsewhere".into(), external: true, ..FileSet::default() });
    let made = objects(&all, &options());
    let map = find(&made, "ConfigMap", "web-files");
    assert_eq!((&map["data"]["nginx.conf"], &map["binaryData"]["run.sh"]), (&json!("x"), &json!("/w==")));
    assert!(!made.iter().any(|object| object.name == "elsewhere"));
    let spec = &find(&made, "Deployment", "web")["spec"]["template"]["spec"];
    let mounts = spec["containers"][0]["volumeMounts"].as_array().unwrap();
    let shown: Vec<_> = mounts.iter().map(|m| format!("{} {} {}", m["mountPath"], m["name"], m["subPath"])).collect();
    assert_eq!(
        shown,
        [
            r#""/data" "claim-data" "a""#,
            r#""/etc/nginx/nginx.conf" "config-web-files-444" "nginx.conf""#,
            r#""/mem" "memory-2" null"#,
            r#""/run.sh" "config-web-files-555" "run.sh""#,
            r#""/run/secrets/db" "secret-db-400" "db""#,
        ]
    );
    let volume = |name: &str| spec["volumes"].as_array().unwrap().iter().find(|v| v["name"] == name).unwrap();
    assert_eq!(volume("secret-db-400")["secret"], json!({ "secretName": "db", "defaultMode": 0o400 }));
    assert_eq!(volume("memory-2")["emptyDir"], json!({ "medium": "Memory", "sizeLimit": "64Mi" }));
}

#[test]
fn pods_are_closed_and_end_in_peace() {
    let mut web = workload("web");
    let bare = pod(web.clone(), &options());
    assert_eq!((&bare["enableServiceLinks"], &bare["automountServiceAccountToken"]), (&json!(false), &json!(false)));
    assert_eq!((&bare["terminationGracePeriodSeconds"], &bare["containers"][0]["lifecycle"]), (&json!(10), &Value::Null));
    web.ports = vec![port(80, Protocol::Tcp)];
    let asked = pod(web.clone(), &options());
    assert_eq!(asked["containers"][0]["lifecycle"]["preStop"], json!({ "sleep": { "seconds": 5 } }));
    assert_eq!(asked["terminationGracePeriodSeconds"], 15);
    web.stop = Stop { grace: Some(60), signal: Some("QUIT".into()), before: vec![vec!["./drain".into(), "it's $X".into()]] };
    web.started = vec![vec!["a".into()], vec!["sh".into(), "-c".into(), "b $(c)".into()]];
    let lifecycle = pod(web, &options())["containers"][0]["lifecycle"].clone();
    assert_eq!(
        lifecycle["preStop"]["exec"]["command"][2],
        "sleep 5; ./drain 'it'\\''s $X'; kill -s QUIT 1; while kill -0 1 2>/dev/null; do sleep 1; done"
    );
    assert_eq!(lifecycle["postStart"]["exec"]["command"][2], "a && (b $(c)\n)");
}

#[test]
fn checks_are_probes_that_end_nothing() {
    let mut web = workload("web");
    let probe = Probe::Exec(vec!["sh".into(), "-c".into(), "test $(X) = $Y".into()]);
    web.ready = Some(Check { probe, interval: 30, timeout: 30, retries: 3, start_period: 0, start_interval: 5 });
    let container = pod(web.clone(), &options())["containers"][0].clone();
    let ready = json!({
        "exec": { "command": ["sh", "-c", "test $$(X) = $Y"] }, "periodSeconds": 30, "timeoutSeconds": 30, "failureThreshold": 3,
    });
    assert_eq!(container["readinessProbe"], ready);
    assert_eq!(
        (&container["startupProbe"]["periodSeconds"], &container["startupProbe"]["failureThreshold"]),
        (&json!(5), &json!(120))
    );
    assert_eq!(container["livenessProbe"], Value::Null);
    // What the file allows for the start comes before Gaggle's own patience.
    let mut slow = web.clone();
    let check = slow.ready.as_mut().unwrap();
    (check.start_period, check.probe) = (100, Probe::Tcp(80));
    let container = pod(slow, &options())["containers"][0].clone();
    assert_eq!(container["startupProbe"]["failureThreshold"], json!(140));
    assert_eq!(container["readinessProbe"]["tcpSocket"], json!({ "port": 80 }));
    web.live = true;
    assert_eq!(pod(web.clone(), &options())["containers"][0]["livenessProbe"], ready);
    web.kept = Kept::Job;
    assert_eq!(pod(web, &options())["containers"][0]["startupProbe"], Value::Null);
}

#[test]
fn each_kind_of_keeping() {
    let kept = |kept, more: fn(&mut Workload)| {
        let mut web = workload(&"w".repeat(60));
        web.kept = kept;
        more(&mut web);
        let all = objects(&bundle(vec![web]), &options());
        all.iter().find(|o| o.kind == kept.as_str()).unwrap().clone()
    };
    let set = kept(Kept::StatefulSet, |_| {});
    assert!(set.name.len() == 52 && set.body["spec"]["serviceName"].as_str().unwrap().len() == 60);
    let job = kept(Kept::Job, |w| w.retry = Retry { times: 3, in_place: true });
    assert_eq!(
        (&job.body["spec"]["backoffLimit"], &job.body["spec"]["template"]["spec"]["restartPolicy"]),
        (&json!(3), &json!("OnFailure"))
    );
    let rolling = |more| kept(Kept::Deployment, more).body["spec"]["strategy"]["rollingUpdate"].clone();
    assert_eq!(rolling(|_| {}), json!({ "maxSurge": 1, "maxUnavailable": 0 }));
    assert_eq!(rolling(|w| w.update.parallel = Some(0)), json!({ "maxSurge": "100%", "maxUnavailable": 0 }));
    assert_eq!(rolling(|w| w.host.network = true), json!({ "maxSurge": 0, "maxUnavailable": 1 }));
    let every = kept(Kept::DaemonSet, |w| w.update.delay = 10);
    assert_eq!((&every.body["spec"]["minReadySeconds"], &every.body["spec"]["replicas"]), (&json!(10), &Value::Null));
}

#[test]
fn containers_that_wait() {
    let wait = |on: &str, condition, required| Wait { on: on.into(), condition, required };
    let mut web = workload("web");
    web.waits = vec![
        wait("db", Condition::Healthy, true),
        wait("worker", Condition::Started, true),
        wait("migrate", Condition::Completed, true),
        wait("dns", Condition::Healthy, true),
        wait("gone", Condition::Started, false),
    ];
    let (mut db, mut dns, mut migrate, mut worker) = (workload("db"), workload("dns"), workload("migrate"), workload("worker"));
    db.ports = vec![port(9200, Protocol::Tcp), port(9300, Protocol::Tcp)];
    dns.ports = vec![port(53, Protocol::Udp)];
    (migrate.kept, worker.reach.headless) = (Kept::Job, true);
    let all = bundle(vec![db, dns, migrate, worker, web]);
    let silent = objects(&all, &options());
    assert!(!silent.iter().any(|o| o.kind == "Role" || o.body.to_string().contains("initContainers")));
    let with = Options { waiting: Some(Waiting::default()), ..options() };
    let made = objects(&all, &with);
    let spec = &find(&made, "Deployment", "web")["spec"]["template"]["spec"];
    let lines: Vec<_> = spec["initContainers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            let command: Vec<_> = c["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
            format!("{}: {}", c["name"].as_str().unwrap(), command.last().unwrap())
        })
        .collect();
    let until = "until nc -z -w 2 db 9200 || nc -z -w 2 db 9300; do sleep 2; done";
    let first = format!("wait-for-services: echo waiting for db\n{until}\necho waiting for worker\nn=0; until ! nc");
    assert!(lines[0].starts_with(&first) && lines[0].contains("n=$$((n + 1))"), "{}", lines[0]);
    assert_eq!(lines[1], "wait-for-migrate: job/migrate");
    assert_eq!((lines.len(), &spec["serviceAccountName"]), (2, &json!("shop-wait")));
    assert_eq!(find(&made, "Role", "shop-wait")["rules"][0]["resources"], json!(["jobs"]));
    let not: Vec<_> = unwaited(&all, &with).into_iter().map(|w| w.to_string()).collect();
    assert!(
        not.len() == 2 && not[0].contains("`dns`") && not[1].starts_with("web: depends_on: Nothing waits for `gone`"),
        "{not:?}"
    );
}

#[test]
fn who_waits_for_many_has_few_containers() {
    let on = |n: usize| format!("a-service-with-rather-a-long-name-{n}");
    let wait = |on: String, condition| Wait { on, condition, required: true };
    // Its own name is the one that its container would have.
    let mut web = workload("wait-for-services");
    web.waits = (0..1_500).map(|n| wait(on(n), Condition::Healthy)).collect();
    web.waits.extend((1_500..1_700).map(|n| wait(on(n), Condition::Completed)));
    let mut all: Vec<_> = (0..1_700).map(|n| workload(&on(n))).collect();
    all[..1_500].iter_mut().for_each(|other| other.ports = vec![port(80, Protocol::Tcp)]);
    all[1_500..].iter_mut().for_each(|other| other.kept = Kept::Job);
    let mut one = workload("wait-for-db");
    one.waits = vec![wait("db".into(), Condition::Healthy)];
    let mut db = workload("db");
    db.ports = vec![port(80, Protocol::Tcp)];
    all.extend([web, one, db]);
    let made = objects(&bundle(all), &Options { waiting: Some(Waiting::default()), ..options() });
    let containers = |name: &str| {
        let spec = &find(&made, "Deployment", name)["spec"]["template"]["spec"];
        spec["initContainers"].as_array().unwrap().clone()
    };
    let many = containers("wait-for-services");
    let names: Vec<_> = many.iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["wait-for-services-2", "wait-for-services-3"]);
    assert_eq!(names[names.len() - 2..], ["wait-for-jobs", "wait-for-jobs-2"]);
    assert!(names.len() < 8, "{names:?}");
    let words: Vec<_> = many.iter().flat_map(|c| c["command"].as_array().unwrap()).map(|w| w.as_str().unwrap()).collect();
    assert!(words.iter().all(|word| word.len() < 128 * 1024));
    let said = words.join("\n");
    for n in 0..1_700 {
        let line = if n < 1_500 { format!("nc -z -w 2 {} 80;", on(n)) } else { format!("job/{}", on(n)) };
        assert!(said.contains(&line), "{line}");
    }
    assert_eq!(containers("wait-for-db")[0]["name"], "wait-for-db-2");
}

#[test]
fn a_tree_without_a_secret() {
    let (mut web, mut db) = (workload("web"), workload("db"));
    db.store = true;
    db.kept = Kept::StatefulSet;
    db.secret.insert("POSTGRES_PASSWORD".into(), SecretString::from(PASSWORD));
    db.mounts = vec![Mount { at: "/d".into(), read_only: false, from: Source::Claim { claim: "data".into(), path: None } }];
    web.plain.insert("A".into(), "b".into());
    let mut all = bundle(vec![db, web]);
    all.claims.push(Claim { name: "data".into(), volume: "data".into(), ..Claim::default() });
    let tree = export(&all, &options());
    let paths: Vec<_> = tree.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "README.md",
            "namespace.yaml",
            "kustomization.yaml",
            "base/kustomization.yaml",
            "base/web.yaml",
            "infra/kustomization.yaml",
            "infra/db-secret.yaml",
            "infra/db.yaml",
            "infra/volumes.yaml",
            "overlays/production/namespace.yaml",
            "overlays/production/kustomization.yaml",
        ]
    );
    let whole: String = tree.iter().map(|file| file.content.as_str()).collect();
    assert!(!whole.contains(PASSWORD) && !whole.contains("aHVudGVy"));
    insta::assert_snapshot!(tree.iter().find(|f| f.path == "infra/db-secret.yaml").unwrap().content, @r#"
    # Fill in the values, and keep this file out of version control, or make the Secret by other means.
    apiVersion: v1
    kind: Secret
    metadata:
      labels:
        app.kubernetes.io/instance: shop
        app.kubernetes.io/managed-by: gaggle
        app.kubernetes.io/name: db
      name: db-secrets
      namespace: shop
    stringData:
      POSTGRES_PASSWORD: ""
    type: Opaque
    "#);
    let notes = &tree.iter().find(|f| f.path == "overlays/production/kustomization.yaml").unwrap().content;
    for part in
        ["# - name: web\n#   newTag: \"1\"\n", "#   count: 2\n", "kind: StatefulSet, name: db", "value: fast", "value: 1Gi"]
    {
        assert!(notes.contains(part), "{part}: {notes}");
    }
    insta::assert_snapshot!(tree[0].content, @r"
    # shop

    Made by Gaggle from a compose file. Before the first time, fill in the Secrets:

    * `db-secrets`: `POSTGRES_PASSWORD`

    Then

    ```sh
    kubectl apply --server-side -k .                      # all of it, in the namespace shop
    kubectl apply --server-side -k overlays/production    # the same, with what you tuned there
    ```

    New volumes are empty: what the image has at their place is not copied there, other than with Docker.

    | Service | Is a | Because |
    |---|---|---|
    | db | StatefulSet | so |
    | web | Deployment | so |
    ");
}

/// What Kubernetes makes of a text in a command: `$(NAME)` is a variable, and two dollar signs are one.
fn expanded(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if rest.starts_with('(') && rest.contains(')') {
            out.push_str("<variable>");
            rest = &rest[rest.find(')').unwrap() + 1..];
        } else {
            out.push('$');
        }
    }
    out + rest
}

proptest! {
    #[test]
    fn text_stays_text(text in "[$()a-c{} ]{0,24}") {
        prop_assert_eq!(expanded(&literal(&text)), text);
    }
}
