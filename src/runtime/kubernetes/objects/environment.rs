//! What an agent finds in its environment, as for an agent of this machine.
//!
//! Invariant: later sources win, but who the agent belongs to and its server key cannot be replaced. A name is plain or secret,
//! never both.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::super::options::Options;
use super::pod::{STATE, WORKSPACE};
use crate::runtime::Launch;

pub const SERVER_KEY: &str = "GOOSE_SERVER__SECRET_KEY";
/// Nobody but us sets these.
const OURS: &[&str] = &["USER_ID", "PROJECT_ID", SERVER_KEY];

pub struct Environment {
    pub plain: BTreeMap<String, String>,
    pub secret: BTreeMap<String, SecretString>,
}

pub fn environment(launch: &Launch, options: &Options) -> Environment {
    let mut plain = BTreeMap::new();
    let mut put = |name: &str, value: String| {
        if is_possible(name) && !value.contains('\0') {
            plain.insert(name.to_owned(), value);
        }
    };
    put("HOME", STATE.to_owned());
    put("GOOSE_PATH_ROOT", format!("{STATE}/goose"));
    put("GOOSE_DISABLE_KEYRING", "1".to_owned());
    put("GOOSE_MODE", "approve".to_owned());
    // The mounted folder belongs to root, and git refuses what belongs to somebody else.
    put("GIT_CONFIG_COUNT", "1".to_owned());
    put("GIT_CONFIG_KEY_0", "safe.directory".to_owned());
    put("GIT_CONFIG_VALUE_0", WORKSPACE.to_owned());
    for (name, value) in options.agent_env.0.iter().chain(&options.env.0) {
        put(name, value.clone());
    }
    let settings = &launch.settings;
    for (name, value) in [
        ("GOOSE_MODE", settings.mode.map(|mode| mode.to_string())),
        ("GOOSE_MODEL", settings.model.clone()),
        ("GOOSE_PROVIDER", settings.provider.clone()),
    ] {
        if let Some(value) = value {
            put(name, value);
        }
    }
    for var in &settings.env {
        put(&var.name, var.value.clone());
    }
    let usable = launch.secrets.iter().filter(|(name, _)| is_possible(name));
    let mut secret: BTreeMap<_, _> = usable.cloned().collect();
    secret.insert(SERVER_KEY.to_owned(), launch.server_key.clone());
    plain.retain(|name, _| !secret.contains_key(name));
    Environment { plain, secret }
}

/// Whether this is a variable's name that others than we may use. Anything else would keep the whole object from being taken.
fn is_possible(name: &str) -> bool {
    (1..=253).contains(&name.len())
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !OURS.contains(&name)
}
