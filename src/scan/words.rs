//! Names as whole words, and what the last of them says: in `orders-redis` the thing is a Redis, in `redis-orders-api` an API.
//!
//! Invariant: no letter of a word ever counts alone: `mongoose` is not `mongo`. Never panics, whatever the text.

use std::collections::HashMap;

/// Things that work *with* a store and are none.
const OTHER: &[&str] = &[
    "adapter",
    "admin",
    "agent",
    "alertmanager",
    "alerts",
    "api",
    "attu",
    "autoscaler",
    "backrest",
    "backup",
    "backups",
    "barman",
    "bench",
    "benchmark",
    "bot",
    "bouncer",
    "box",
    "bridge",
    "browser",
    "cleaner",
    "cleanup",
    "cli",
    "collector",
    "commander",
    "compass",
    "connect",
    "connector",
    "console",
    "consumer",
    "crawler",
    "cron",
    "cronjob",
    "csi",
    "curator",
    "dashboard",
    "dashboards",
    "debezium",
    "dump",
    "dumper",
    "envoy",
    "etl",
    "explorer",
    "exporter",
    "exporters",
    "express",
    "function",
    "gatekeeper",
    "gateway",
    "grafana",
    "graphql",
    "gui",
    "handler",
    "haproxy",
    "importer",
    "indexer",
    "ingester",
    "ingestor",
    "init",
    "initializer",
    "injector",
    "insight",
    "job",
    "keeper",
    "kibana",
    "ksqldb",
    "listener",
    "loader",
    "logger",
    "logstash",
    "manager",
    "metrics",
    "migrate",
    "migration",
    "migrations",
    "migrator",
    "mirror",
    "mirrormaker",
    "monitor",
    "monitoring",
    "notifier",
    "operator",
    "operators",
    "pgbackrest",
    "pgbouncer",
    "pgpool",
    "plugin",
    "pooler",
    "processor",
    "producer",
    "provider",
    "provisioner",
    "proxy",
    "proxysql",
    "publisher",
    "pushgateway",
    "reaper",
    "receiver",
    "reloader",
    "replicator",
    "rest",
    "restore",
    "router",
    "runner",
    "scaler",
    "scheduler",
    "scraper",
    "sdk",
    "seed",
    "seeder",
    "sentinel",
    "shell",
    "sidecar",
    "sink",
    "stats",
    "studio",
    "subscriber",
    "surveyor",
    "sync",
    "syncer",
    "tester",
    "tool",
    "toolbox",
    "tools",
    "ui",
    "viewer",
    "watcher",
    "web",
    "webhook",
    "webhooks",
    "webui",
    "workbench",
    "worker",
    "workers",
];

/// Of these, those that pass requests on to what stands behind them. A proxy is no finding of its own: it keeps nothing, and the
/// store behind it may be of another version, or elsewhere. Only beside the store in the same pod does it lead to that one alone.
const PASSING: &[&str] =
    &["proxy", "envoy", "haproxy", "pgbouncer", "bouncer", "pooler", "proxysql", "router", "gateway", "nginx"];

/// Programs with names of their own, as images are called.
const PROGRAMS: &[&str] = &[
    "adminer",
    "adminmongo",
    "airflow",
    "akhq",
    "argocd",
    "arangodb",
    "authelia",
    "beats",
    "burrow",
    "caddy",
    "cerebro",
    "cloudbeaver",
    "cmak",
    "codis",
    "cockroach",
    "cockroachdb",
    "consul",
    "coredns",
    "couchbase",
    "couchdb",
    "dejavu",
    "dex",
    "dgraph",
    "elastichq",
    "elasticvue",
    "etcdkeeper",
    "ferretdb",
    "filebeat",
    "fluentbit",
    "fluentd",
    "ghost",
    "gitea",
    "gitlab",
    "hasura",
    "httpd",
    "influxdb",
    "jaeger",
    "jenkins",
    "kafdrop",
    "kafkacat",
    "kafkahq",
    "kcat",
    "kminion",
    "kowl",
    "loki",
    "maxscale",
    "mcrouter",
    "medusa",
    "meilisearch",
    "metabase",
    "metricbeat",
    "mimir",
    "minikube",
    "mongoku",
    "n8n",
    "nextcloud",
    "nginx",
    "nosqlclient",
    "nutcracker",
    "odyssey",
    "openwebui",
    "pgadmin",
    "pgcat",
    "pghero",
    "pgweb",
    "phpldapadmin",
    "phpmyadmin",
    "phppgadmin",
    "phpredisadmin",
    "postgraphile",
    "postgrest",
    "predixy",
    "pulsar",
    "redash",
    "redisinsight",
    "redpandaconsole",
    "rediscommander",
    "solr",
    "sonarqube",
    "stargate",
    "superset",
    "supavisor",
    "tempo",
    "thanos",
    "tidb",
    "traefik",
    "twemproxy",
    "typesense",
    "vaultwarden",
    "victoriametrics",
    "wordpress",
    "yugabyte",
    "yugabytedb",
    "zipkin",
    "zookeeper",
];

/// Words that only an image's name has for what is not the store itself; a Service `etcd-client` is where clients go.
const OTHER_IMAGES: &[&str] =
    &["client", "frontend", "backend", "app", "connect", "csi", "service", "controller", "schema", "registry"];

/// Words that say nothing of what a thing is.
const NEUTRAL: &[&str] = &[
    "alpine",
    "amd64",
    "arm64",
    "base",
    "bookworm",
    "bullseye",
    "cache",
    "cluster",
    "community",
    "container",
    "custom",
    "data",
    "database",
    "db",
    "debian",
    "dev",
    "docker",
    "enterprise",
    "fips",
    "ha",
    "image",
    "images",
    "leader",
    "library",
    "main",
    "master",
    "my",
    "node",
    "oss",
    "our",
    "primary",
    "prod",
    "production",
    "queue",
    "replica",
    "secondary",
    "server",
    "slim",
    "staging",
    "stable",
    "standalone",
    "store",
    "svc",
    "ubi",
    "ubuntu",
    "v",
    "x86",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Kind(usize),
    Other { passing: bool },
    Neutral,
}

/// What a name says that its thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    Kind(usize),
    /// Something that works with a store.
    Other {
        passing: bool,
    },
    Unknown,
}

/// The words that mean something, each with its meaning.
#[derive(Debug, Clone, Default)]
pub struct Words {
    known: HashMap<String, Word>,
    images: HashMap<String, Word>,
}

impl Words {
    /// `kinds`: the words of each kind, in the order of the kinds. They win over everything else, so that a kind of the user's own
    /// may be called `thanos`.
    pub fn new<'a>(kinds: impl Iterator<Item = &'a [String]>) -> Self {
        let mut known = HashMap::new();
        let passing = |word: &str| Word::Other { passing: PASSING.contains(&word) };
        for word in NEUTRAL {
            known.insert((*word).to_owned(), Word::Neutral);
        }
        for word in OTHER.iter().chain(PROGRAMS) {
            known.insert((*word).to_owned(), passing(word));
        }
        let mut images = HashMap::new();
        for word in OTHER_IMAGES {
            images.insert((*word).to_owned(), passing(word));
        }
        for (kind, words) in kinds.enumerate() {
            for word in words.iter().filter(|word| !word.is_empty()) {
                known.insert(word.to_lowercase(), Word::Kind(kind));
                images.remove(word.as_str());
            }
        }
        Self { known, images }
    }

    fn one(&self, word: &str) -> Option<Word> {
        let bare = || word.trim_end_matches(|c: char| c.is_ascii_digit());
        self.known.get(word).or_else(|| self.known.get(bare())).copied()
    }

    /// From the right, the first word that means something. `redis-for-api` ends before `for`.
    pub fn head(&self, name: &str) -> Head {
        self.last(&split(name), |_| None)
    }

    /// The same of an image, where any word that means something else decides: `exporter-redis` is an exporter too.
    pub fn image(&self, name: &str) -> Head {
        let words = split(name);
        let own = |word: &str| self.images.get(word).copied();
        for word in &words {
            if let Some(Word::Other { passing }) = own(word).or_else(|| self.one(word)) {
                return Head::Other { passing };
            }
        }
        self.last(&words, own)
    }

    fn last(&self, words: &[String], own: impl Fn(&str) -> Option<Word>) -> Head {
        let end = words.iter().position(|word| word == "for").unwrap_or(words.len());
        for at in (0..end).rev() {
            let joined = at.checked_sub(1).and_then(|before| self.known.get(&format!("{}{}", words[before], words[at])));
            let meant = own(&words[at]).or_else(|| joined.copied()).or_else(|| self.one(&words[at]));
            match meant {
                Some(Word::Kind(kind)) => return Head::Kind(kind),
                Some(Word::Other { passing }) => return Head::Other { passing },
                _ => {}
            }
        }
        Head::Unknown
    }

    /// Whether no word of a name tells anything.
    pub fn says_nothing(&self, name: &str) -> bool {
        let digits = |word: &str| word.chars().all(|c| c.is_ascii_digit());
        split(name).iter().all(|word| digits(word) || matches!(self.one(word), Some(Word::Neutral)))
    }
}

/// The words of a name, in lower case.
pub fn split(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}
