//! `[clusters]`, `[infra]` and `[services]`: which clusters may be reached and by whom, what scans look for besides, and what can be
//! deployed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gaggle_commands::Role;
use serde::Deserialize;

use super::access::is_identity;
use super::reader::Reader;
use crate::access::ClusterRule;
use crate::clusters::{Allow, Cidr};
use crate::runtime::kubernetes::names;
use crate::runtime::kubernetes::release;
use crate::runtime::kubernetes::tables::Amount;
use crate::scan::KindRow;

pub const RULES: &str = "give it a list of rules, as [{ who = [\"slack:S012\", \"everybody\"], clusters = [\"prod-*\"], \
     namespaces = [\"team-a-*\"], role = \"member\" }]; role may also be viewer";
pub const KINDS: &str = "give it tables by name, as { minecraft = { ports = [25565], images = [\"itzg/minecraft-server\"], \
     connection = \"{host}:{port}\" } }, with ports, side_ports, images, words, port_names, labels, commands, paths, not, hosts, \
     connection and variables";
pub const STORAGE: &str = "give it a table, as { class = \"standard\", size = \"5Gi\", access_mode = \"ReadWriteOnce\" }";
pub const INGRESS: &str = "give it a table, as { domain = \"apps.example.com\", class = \"nginx\", tls_secret = \"tls-apps\", \
     annotations = { \"example.com/a\" = \"b\" } }";

#[derive(Debug)]
pub struct Clusters {
    pub allow: Allow,
    /// Rows of the operator's own.
    pub kinds: Vec<KindRow>,
    /// Folders of compose files.
    pub catalogue: Vec<PathBuf>,
    /// What releases are made of where nothing else is said.
    pub release: release::Options,
}

pub fn read(reader: &mut Reader) -> Clusters {
    Clusters { allow: allow(reader), kinds: kinds(reader), catalogue: catalogue(reader), release: options(reader) }
}

fn allow(reader: &mut Reader) -> Allow {
    const KEY: &str = "clusters.allow_addresses";
    let mut all = Vec::new();
    for (place, text) in reader.list(KEY).unwrap_or_default().into_iter().enumerate() {
        match text.parse::<Cidr>() {
            Ok(cidr) => all.push(cidr),
            Err(_) => {
                let what = format!("has no range of addresses as entry {}", place + 1);
                reader.fault(KEY, what, "write ranges as [\"10.0.0.0/8\", \"127.0.0.1/32\", \"fd00::/8\"]");
            }
        }
    }
    Allow(all)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    who: Vec<String>,
    clusters: Vec<String>,
    namespaces: Vec<String>,
    role: Role,
}

pub fn rules(reader: &mut Reader) -> Vec<ClusterRule> {
    const KEY: &str = "clusters.rules";
    let Some(value) = reader.toml(KEY) else { return Vec::new() };
    let rules: Vec<Rule> = reader.table(KEY, value).unwrap_or_default();
    let mut taken = Vec::new();
    for (place, rule) in rules.into_iter().enumerate() {
        let Rule { who, clusters, namespaces, role } = rule;
        if !matches!(role, Role::Viewer | Role::Member) {
            reader.wrong(KEY, format!("gives a role in entry {} that is neither viewer nor member", place + 1));
        } else if who.is_empty() || !who.iter().all(|who| who == "everybody" || is_identity(who)) {
            reader.wrong(KEY, format!("has somebody in entry {} who is no identity", place + 1));
        } else {
            taken.push(ClusterRule { who, clusters, namespaces, role });
        }
    }
    taken
}

fn kinds(reader: &mut Reader) -> Vec<KindRow> {
    const KEY: &str = "infra.kinds";
    let Some(value) = reader.toml(KEY) else { return Vec::new() };
    let all: BTreeMap<String, KindRow> = reader.table(KEY, value).unwrap_or_default();
    if let Some(name) = all.keys().find(|name| !names::is_label(name)) {
        let shown: String = name.chars().take(40).collect();
        reader.wrong(KEY, format!("has `{shown}`, which is no name of a kind"));
    }
    all.into_iter().map(|(name, row)| KindRow { name, ..row }).collect()
}

fn catalogue(reader: &mut Reader) -> Vec<PathBuf> {
    reader.list("services.catalogue").unwrap_or_default().into_iter().map(PathBuf::from).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Storage {
    class: Option<String>,
    size: Option<Amount>,
    access_mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ingress {
    domain: String,
    class: Option<String>,
    tls_secret: Option<String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

fn options(reader: &mut Reader) -> release::Options {
    let mut options = release::Options::default();
    if let Some(value) = reader.toml("services.storage")
        && let Some(storage) = reader.table::<Storage>("services.storage", value)
    {
        let modes = ["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"];
        if storage.class.as_ref().is_some_and(|class| !names::is_domain(class)) {
            reader.wrong("services.storage", "has no name of a StorageClass as `class`");
        }
        if storage.access_mode.as_ref().is_some_and(|mode| !modes.contains(&mode.as_str())) {
            reader.wrong("services.storage", "has no access mode as `access_mode`");
        }
        options.storage.class = storage.class;
        options.storage.size = storage.size.map_or(options.storage.size, String::from);
        options.storage.access_mode = storage.access_mode.unwrap_or(options.storage.access_mode);
    }
    if let Some(value) = reader.toml("services.ingress")
        && let Some(ingress) = reader.table::<Ingress>("services.ingress", value)
    {
        if !names::is_domain(&ingress.domain) || ingress.domain.len() > 180 {
            reader.wrong("services.ingress", "has no domain as `domain`");
        }
        options.ingress = release::Ingress {
            domain: ingress.domain,
            class: ingress.class,
            annotations: ingress.annotations,
            tls_secret: ingress.tls_secret,
        };
    }
    let secrets = reader.list("services.pull_secrets").unwrap_or_default();
    if let Some(place) = secrets.iter().position(|name| !names::is_domain(name)) {
        let what = format!("has no name of a Secret as entry {}", place + 1);
        reader.fault("services.pull_secrets", what, "name Secrets of the namespaces that are deployed to, as [\"registry\"]");
    }
    options.pull_secrets = secrets;
    options
}
