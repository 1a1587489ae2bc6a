//! Volumes, files, configs and secrets.

use serde_json::json;

use super::*;
use crate::model::workload::{Content, Kept, Source};

#[test]
fn mounts() {
    let found = translated(json!({ "web": {
        "image": "a",
        "read_only": true,
        "shm_size": "134217728",
        "tmpfs": ["/run", "/cache:size=64m,mode=1777", "/odd:uid=1000"],
        "volumes": [
            { "type": "volume", "source": "data", "target": "/data", "volume": { "subpath": "a/b" } },
            { "type": "volume", "source": "sized", "target": "/sized/" },
            { "type": "volume", "source": "net", "target": "/net" },
            { "type": "volume", "source": "ram", "target": "/ram" },
            { "type": "volume", "source": "ext", "target": "/ext", "read_only": true },
            { "type": "volume", "target": "/anonymous" },
            { "type": "volume", "target": "/app/node_modules" },
            { "type": "bind", "source": "/project/app", "target": "/app" },
            { "type": "bind", "source": "/project/nginx.conf", "target": "/etc/nginx.conf", "read_only": true },
            { "type": "bind", "source": "/project/other/nginx.conf", "target": "/etc/other.conf", "read_only": true },
            { "type": "bind", "source": "/project/run.sh", "target": "/run.sh" },
            { "type": "bind", "source": "/project/tls.key", "target": "/tls.key", "read_only": true },
            { "type": "bind", "source": "/project/logo.png", "target": "/logo.png", "read_only": true },
            { "type": "bind", "source": "/project/large.bin", "target": "/large" },
            { "type": "bind", "source": "/project/half.bin", "target": "/half", "read_only": true },
            { "type": "bind", "source": "/project/other.bin", "target": "/other", "read_only": true },
            { "type": "bind", "source": "/project/missing", "target": "/missing", "read_only": true },
            { "type": "bind", "source": "/var/lib/x", "target": "/x", "read_only": true },
            { "type": "bind", "source": "/var/run/docker.sock", "target": "/var/run/docker.sock" },
            { "type": "bind", "source": "/etc/localtime", "target": "/etc/localtime" },
            { "type": "tmpfs", "target": "/mem", "tmpfs": { "size": "1048576", "mode": 448 } },
            { "type": "npipe", "source": "x", "target": "/pipe" },
            { "type": "volume", "source": "data", "target": "/data" },
            { "type": "volume", "source": "data", "target": "relative" },
        ],
    } }));
    let web = &found.bundle.workloads[0];
    let at = |at: &str| web.mounts.iter().find(|mount| mount.at == at).map(|mount| (&mount.from, mount.read_only));
    let claim = |claim: &str, path: Option<&str>| Source::Claim { claim: claim.to_owned(), path: path.map(str::to_owned) };
    assert_eq!(at("/data"), Some((&claim("data", Some("a/b")), false)));
    assert_eq!(at("/sized"), Some((&claim("sized", None), false)));
    assert_eq!(at("/ext"), Some((&claim("kept-elsewhere", None), true)));
    assert_eq!(at("/net"), Some((&Source::Nfs { server: "10.0.0.9".into(), path: "/srv".into() }, false)));
    assert_eq!(at("/ram"), Some((&Source::Memory { bytes: Some(64 << 20) }, false)));
    assert_eq!(at("/anonymous"), Some((&Source::Scratch, false)));
    assert_eq!(at("/cache"), Some((&Source::Memory { bytes: Some(64 << 20) }, false)));
    assert_eq!(at("/mem"), Some((&Source::Memory { bytes: Some(1 << 20) }, false)));
    assert_eq!(at("/dev/shm"), Some((&Source::Memory { bytes: Some(128 << 20) }, false)));
    let file = |secret, set: &str, key: &str, mode| Source::File { secret, set: set.into(), key: key.into(), mode };
    assert_eq!(at("/etc/nginx.conf"), Some((&file(false, "web-files", "nginx.conf", 0o444), true)));
    assert_eq!(at("/run.sh"), Some((&file(false, "web-files", "run.sh", 0o555), true)));
    assert_eq!(at("/tls.key"), Some((&file(true, "web-files", "tls.key", 0o444), true)));
    assert_eq!(at("/other"), Some((&file(false, "web-files-2", "other.bin", 0o444), true)));
    for gone in
        ["/app", "/app/node_modules", "/large", "/missing", "/x", "/var/run/docker.sock", "/etc/localtime", "/pipe", "relative"]
    {
        assert_eq!(at(gone), None, "{gone}");
    }
    let claims: Vec<_> = found.bundle.claims.iter().map(|c| (c.name.as_str(), c.size)).collect();
    assert_eq!(claims, [("data", None), ("sized", Some(20 << 30))]);
    let warnings: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
    for part in [
        "`/odd`",
        "PersistentVolumeClaim `kept-elsewhere`",
        "The volume at `/anonymous`",
        "`/app/node_modules` is kept apart",
        "`/project/app` is a folder",
        "`/run.sh` is a copy",
        "`tls.key` holds a credential",
        "`/project/large.bin` is larger",
        "`/project/missing` was not found",
        "`/var/lib/x` is outside",
        "no Docker in the cluster",
        "`TZ`",
        "type `npipe`",
        "`/mem`; everybody",
        "`/data` is mounted twice",
        "`relative` cannot",
    ] {
        assert!(has(&warnings, part), "{part}: {warnings:#?}");
    }
}

#[test]
fn one_volume_of_several() {
    let volume = json!([{ "type": "volume", "source": "data", "target": "/d" }]);
    let found = translated(json!({
        "one": { "image": "a", "volumes": volume },
        "two": { "image": "a", "volumes": volume, "scale": 2 },
        "three": { "image": "a", "volumes_from": ["one:ro"] },
    }));
    let warnings: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
    assert!(has(&warnings, "used by `one`, `three` and `two`") && has(&warnings, "All 2 replicas"), "{warnings:#?}");
    let three = found.bundle.workloads.iter().find(|w| w.name == "three").unwrap();
    assert!(three.mounts[0].read_only && three.kept == Kept::Deployment);
}

#[test]
fn configs_and_secrets() {
    let found = translated(json!({ "web": {
        "image": "a",
        "user": "1000:1001",
        "secrets": [
            { "source": "db-password", "target": "/run/secrets/db-password" },
            { "source": "from_env", "target": "renamed", "mode": "0400", "uid": "1000", "gid": "1001" },
            { "source": "gone" },
            { "source": "ext" },
            { "source": "nowhere" },
        ],
        "configs": [
            { "source": "site", "target": "/etc/site.conf", "mode": "0444" },
            { "source": "png" },
            { "source": "key", "target": "/key" },
        ],
    } }));
    let web = &found.bundle.workloads[0];
    let mounts: Vec<String> = web
        .mounts
        .iter()
        .map(|m| match &m.from {
            Source::File { secret, set, key, mode } => {
                format!("{} {} {set}/{key} {mode:o}", m.at, if *secret { "Secret" } else { "ConfigMap" })
            }
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        mounts,
        [
            "/run/secrets/db-password Secret db-password/db-password 444",
            "/run/secrets/renamed Secret from-env/from_env 400",
            "/run/secrets/gone Secret gone/gone 444",
            "/run/secrets/ext Secret kept-secret/ext 444",
            "/etc/site.conf ConfigMap site/site 444",
            "/png ConfigMap png/png 444",
            "/key Secret key/key 444",
        ]
    );
    assert_eq!(web.security.volume_group, Some(1001));
    let set = |name: &str| found.bundle.sets.iter().find(|set| set.name == name).unwrap();
    assert!(matches!(set("gone").files["gone"], Content::Missing) && set("kept-secret").external);
    let warnings: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
    for part in [
        "owner of `/run/secrets/renamed`",
        "its file was not found",
        "Secret `kept-secret` with the key `ext`",
        "no secret `nowhere`",
        "`/project/tls.key`|`key` holds a credential",
    ] {
        assert!(part.split('|').any(|part| has(&warnings, part)), "{part}: {warnings:#?}");
    }
}

#[test]
fn folders_of_settings() {
    let bind = |source: &str, target: &str, read_only: bool| {
        let (found, warnings) = web(json!({
            "build": { "context": "/project/app" },
            "volumes": [{ "type": "bind", "source": source, "target": target, "read_only": read_only }],
        }));
        (found.mounts.into_iter().next().map(|mount| mount.from), warnings)
    };
    let files = vec![("a.conf".to_owned(), "a.conf".to_owned(), 0o444), ("sub_b.sh".to_owned(), "sub/b.sh".to_owned(), 0o555)];
    let folder = |files| Some(Source::Folder { secret: false, set: "web-files-1".into(), files });
    assert_eq!(bind("/project/etc", "/settings", false).0, folder(files));
    let program = folder(vec![("main.py".to_owned(), "main.py".to_owned(), 0o444)]);
    assert_eq!(bind("/project/app", "/app", true).0, program);
    assert_eq!(bind("/project/app", "/etc/app", false).0, program);
    let (none, warnings) = bind("/project/app", "/app", false);
    assert!(none.is_none() && has(&warnings, "is a folder of the machine"));
    assert!(bind("/project/folder", "/etc/x", true).0.is_none());
}
