//! The translation, by what files say. No file is read: what would be in a folder is written down here.

mod cases;
mod every_key;
mod every_nested;
mod kompose;
mod mounted;
mod secrets;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

/// Files and variables as a reader would have found them.
#[derive(Default)]
struct Fake {
    files: BTreeMap<&'static str, (Vec<u8>, bool)>,
    variables: BTreeMap<&'static str, &'static str>,
}

impl Sources for Fake {
    fn look(&self, path: &str) -> Found<'_> {
        match self.files.get(path) {
            Some((content, executable)) => Found::File { content, executable: *executable },
            None if path.ends_with('/') || ["/project/folder", "/project/etc", "/project/app"].contains(&path) => Found::Folder,
            None if path.starts_with("/project/") => Found::Missing,
            None => Found::Outside,
        }
    }

    fn folder(&self, path: &str) -> Option<Vec<Entry<'_>>> {
        let all = self.files.iter().filter_map(|(name, (content, executable))| {
            let path = name.strip_prefix(path)?.strip_prefix('/')?;
            Some(Entry { path, content, executable: *executable })
        });
        Some(all.collect())
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).copied()
    }
}

fn fake() -> Fake {
    let mut fake = Fake::default();
    fake.files.insert("/project/nginx.conf", (b"server { listen 80; }\n".to_vec(), false));
    fake.files.insert("/project/other/nginx.conf", (b"events {}\n".to_vec(), false));
    fake.files.insert("/project/run.sh", (b"#!/bin/sh\n".to_vec(), true));
    fake.files.insert("/project/logo.png", (vec![0x89, b'P', 0xff, 0], false));
    fake.files.insert("/project/password.txt", (b"hunter2hunter2".to_vec(), false));
    fake.files.insert("/project/tls.key", (b"-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n".to_vec(), false));
    fake.files.insert("/project/large.bin", (vec![7; 1024 * 1024 + 1], false));
    fake.files.insert("/project/half.bin", (vec![1; 600 * 1024], false));
    fake.files.insert("/project/other.bin", (vec![2; 600 * 1024], false));
    fake.files.insert("/project/etc/a.conf", (b"a\n".to_vec(), false));
    fake.files.insert("/project/etc/sub/b.sh", (b"b\n".to_vec(), true));
    fake.files.insert("/project/app/main.py", (b"print(1)\n".to_vec(), false));
    fake.variables.insert("FROM_ENV", "value-of-env");
    fake
}

/// A project whose other parts are what tests need.
fn project(services: Value) -> Value {
    json!({
        "name": "shop",
        "services": services,
        "volumes": {
            "data": { "name": "shop_data" },
            "sized": { "name": "shop_sized", "driver_opts": { "o": "size=20g" } },
            "net": { "name": "shop_net", "driver_opts": { "type": "nfs", "o": "addr=10.0.0.9,rw", "device": ":/srv" } },
            "ram": { "name": "shop_ram", "driver_opts": { "type": "tmpfs", "device": "tmpfs", "o": "size=64m" } },
            "ext": { "name": "kept_elsewhere", "external": true },
        },
        "secrets": {
            "db-password": { "name": "shop_db-password", "file": "/project/password.txt" },
            "from_env": { "name": "shop_from_env", "environment": "FROM_ENV" },
            "gone": { "name": "shop_gone", "file": "/project/gone.txt" },
            "ext": { "name": "kept_secret", "external": true },
        },
        "configs": {
            "site": { "name": "shop_site", "content": "hello $(X)\n" },
            "png": { "name": "shop_png", "file": "/project/logo.png" },
            "key": { "name": "shop_key", "file": "/project/tls.key" },
        },
        "networks": { "default": { "name": "shop_default", "ipam": {} } },
    })
}

fn translated(services: Value) -> Translation {
    with(services, &Options::default())
}

/// What a test does not use of the project's other parts is not told.
fn with(services: Value, options: &Options) -> Translation {
    let mut found = translate(&project(services), &fake(), options);
    found.warnings.retain(|warning| !warning.text.starts_with("No service uses this"));
    found
}

/// One service `web`, with an image and this besides.
fn web(more: Value) -> (Workload, Vec<String>) {
    web_with(more, &Options::default())
}

fn web_with(more: Value, options: &Options) -> (Workload, Vec<String>) {
    let mut service = json!({ "image": "web:1", "command": null, "entrypoint": null, "networks": { "default": null } });
    service.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
    let mut found = with(json!({ "web": service }), options);
    (found.bundle.workloads.remove(0), found.warnings.iter().map(ToString::to_string).collect())
}

fn has(warnings: &[String], part: &str) -> bool {
    warnings.iter().any(|warning| warning.contains(part))
}

mod any {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z0-9:/=_$ .-]{0,12}".prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        let name = "[a-zA-Z_.-]{1,5}|target|source|type|test|memory|condition|size";
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(name, inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn key() -> impl Strategy<Value = String> {
        let all: Value = serde_json::from_str(include_str!("../../../tests/fixtures/compose/keys.json")).unwrap();
        let all: Vec<String> = all["service"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()).collect();
        proptest::sample::select(all)
    }

    proptest! {
        /// Whatever a reader gives, nothing panics, names are labels, and secrets stay unseen.
        #[test]
        fn shape_is_taken(services in proptest::collection::btree_map("[a-zA-Z_.-]{1,6}", proptest::collection::btree_map(key(), value(), 0..8), 1..4)) {
            let mut all = project(json!({}));
            for (name, mut keys) in services {
                keys.entry("image".to_owned()).or_insert(json!("x"));
                all["services"][name] = Value::Object(keys.into_iter().collect());
            }
            let found = translate(&all, &fake(), &Options::default());
            for workload in &found.bundle.workloads {
                prop_assert!(names::is_label(&workload.name));
                prop_assert!(workload.plain.keys().all(|name| !workload.secret.contains_key(name)));
                prop_assert!(workload.mounts.iter().all(|mount| mount.at.starts_with('/')));
            }
        }

        #[test]
        fn any_value_at_all(all in value()) {
            translate(&all, &Nothing, &Options::default());
        }
    }
}
