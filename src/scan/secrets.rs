//! Names of the Secrets that belong to an instance.
//!
//! Invariant: knows names and labels alone; no value was ever read.

use std::collections::{BTreeSet, HashMap};

use super::kinds::KindRow;
use super::objects::Meta;
use super::state::State;
use super::weigh::Match;
use super::words::split;

/// What may follow the name of a store in the name of its Secret.
const AFTER: &[&str] = &[
    "admin",
    "app",
    "auth",
    "ca",
    "cert",
    "certs",
    "conn",
    "connection",
    "cookie",
    "cred",
    "credential",
    "credentials",
    "creds",
    "db",
    "default",
    "elastic",
    "erlang",
    "key",
    "keys",
    "login",
    "pass",
    "passwd",
    "password",
    "passwords",
    "pw",
    "replication",
    "root",
    "secret",
    "secrets",
    "server",
    "superuser",
    "tls",
    "token",
    "user",
    "users",
];

pub struct Secrets<'a> {
    there: HashMap<&'a str, Vec<&'a Meta>>,
}

impl<'a> Secrets<'a> {
    pub fn new(all: &'a [Meta]) -> Self {
        let mut there: HashMap<&str, Vec<&Meta>> = HashMap::new();
        for secret in all.iter().filter(|s| !is_of_the_cluster(s)) {
            there.entry(&secret.namespace).or_default().push(secret);
        }
        Self { there }
    }

    pub fn of(&self, state: &State, row: &KindRow, group: &[&Match]) -> Vec<String> {
        let mut found = BTreeSet::new();
        for one in group {
            let service = &state.services[one.service];
            let given = state.shapes(one.service).into_iter().flat_map(|shape| shape.secrets());
            found.extend(given.map(str::to_owned));
            let Some(near) = self.there.get(service.metadata.namespace.as_str()) else { continue };
            let mut names = vec![service.metadata.name.clone()];
            names.extend(state.workload(one.service).map(|w| w.name));
            let labels = state.pod_labels(one.service);
            let release = |meta: &Meta| {
                let same = |key: &str| labels.and_then(|l| l.get(key)).is_some_and(|own| meta.labels.get(key) == Some(own));
                let operator = row.labels.iter().any(|key| !key.contains('=') && same(key));
                operator || (same("app.kubernetes.io/instance") && same("app.kubernetes.io/name"))
            };
            let owner = state.owner(one.service);
            let owned = |meta: &Meta| owner.is_some_and(|o| !o.uid.is_empty() && meta.owners.iter().any(|own| own.uid == o.uid));
            let named = |meta: &Meta| names.iter().any(|name| is_named_for(&meta.name, name));
            found.extend(near.iter().filter(|s| release(s) || owned(s) || named(s)).map(|s| s.name.clone()));
        }
        found.into_iter().collect()
    }
}

/// `db-credentials` of `db`.
fn is_named_for(secret: &str, name: &str) -> bool {
    let Some(rest) = secret.strip_prefix(name) else { return false };
    rest.is_empty() || (rest.starts_with(['-', '.']) && split(rest).iter().all(|word| AFTER.contains(&word.as_str())))
}

/// Helm's records and the tokens of service accounts.
fn is_of_the_cluster(secret: &Meta) -> bool {
    let helm = secret.labels.get("owner").is_some_and(|owner| owner == "helm") && secret.labels.contains_key("version");
    helm || secret.name.starts_with("sh.helm.release.") || secret.labels.contains_key("kubernetes.io/legacy-token-last-used")
}
