//! No secret leaves by another way than as one.

use secrecy::ExposeSecret as _;
use serde_json::json;

use super::*;
use crate::model::workload::{Probe, Word};

const PASSWORD: &str = "hunter2hunter2";

#[test]
fn variables_are_plain_or_secret() {
    let (found, _) = web(json!({ "environment": {
        "POSTGRES_PASSWORD": PASSWORD, "DATABASE_URL": format!("postgres://app:{PASSWORD}@db/app"), "POSTGRES_DB": "app",
        "ALLOW_EMPTY_PASSWORD": "yes", "KEYCLOAK_URL": "http://sso", "POSTGRES_PASSWORD_FILE": "/run/secrets/x", "PGPASSWORD": "",
        "VALUE": "$(X) and $$", "N": 5, "B": true, "1BAD": "x", "bad name": "y",
    } }));
    assert_eq!(found.secret.keys().collect::<Vec<_>>(), ["DATABASE_URL", "PGPASSWORD", "POSTGRES_PASSWORD"]);
    let plain: Vec<_> = found.plain.keys().map(String::as_str).collect();
    assert_eq!(plain, ["ALLOW_EMPTY_PASSWORD", "B", "KEYCLOAK_URL", "N", "POSTGRES_DB", "POSTGRES_PASSWORD_FILE", "VALUE"]);
    assert_eq!(
        (found.plain["VALUE"].as_str(), found.plain["N"].as_str(), found.plain["B"].as_str()),
        ("$(X) and $$", "5", "true")
    );
}

#[test]
fn nothing_shows_a_secret() {
    let found = translated(json!({ "web": {
        "image": "a",
        "environment": { "DB_PASSWORD": PASSWORD, "URL": format!("https://u:{PASSWORD}@h/"), "BAD NAME": PASSWORD },
        "command": ["redis-server", "--requirepass", PASSWORD, format!("--url=redis://:{PASSWORD}@h")],
        "entrypoint": ["sh", "-c", format!("run --token {PASSWORD}")],
        "healthcheck": { "test": ["CMD-SHELL", format!("redis-cli -a {PASSWORD} ping")] },
        "labels": { "auth": format!("https://u:{PASSWORD}@h/") },
        "pre_stop": [{ "command": ["true"], "environment": { "API_TOKEN": PASSWORD } }],
        "secrets": [{ "source": "db-password" }],
        "volumes": [{ "type": "bind", "source": "/project/tls.key", "target": "/tls.key", "read_only": true }],
    } }));
    let shown = format!("{found:?}");
    assert!(!shown.contains(PASSWORD) && !shown.contains("PRIVATE KEY"), "{shown}");
    let web = &found.bundle.workloads[0];
    assert_eq!(web.command[2], Word::Variable(String::new(), "DB_PASSWORD".into(), String::new()));
    assert_eq!(web.entrypoint[2], Word::Variable("run --token ".into(), "DB_PASSWORD".into(), String::new()));
    let line = "eval \"$GAGGLE_HEALTHCHECK\"";
    assert_eq!(web.ready.as_ref().unwrap().probe, Probe::Exec(vec!["/bin/sh".into(), "-c".into(), line.into()]));
    assert_eq!(web.secret["GAGGLE_HEALTHCHECK"].expose_secret(), format!("redis-cli -a {PASSWORD} ping"));
}

#[test]
fn credentials_of_commands_alone() {
    let (found, warnings) = web(json!({ "command": ["redis-server", "--requirepass", "s3cret", "--port", "6379"] }));
    assert_eq!(found.command[2], Word::Variable(String::new(), "GAGGLE_COMMAND_3".into(), String::new()));
    assert_eq!(found.secret["GAGGLE_COMMAND_3"].expose_secret(), "s3cret");
    assert!(has(&warnings, "`GAGGLE_COMMAND_3`") && !has(&warnings, "s3cret"));
    let (found, _) = web(json!({ "healthcheck": { "test": ["CMD", "curl", "http://u:p4ssw0rd@localhost/it's"] } }));
    assert_eq!(
        found.secret["GAGGLE_HEALTHCHECK"].expose_secret(),
        "curl 'http://u:p4ssw0rd@localhost/it'\\''s'".replace("'curl", "curl")
    );
}
