//! What the reference of an image says: which kind it is, whether it only looks like one, which version.
//!
//! Invariant: repositories are compared by whole segments, so that a mirror or a vendor in front changes nothing. Never panics,
//! whatever the text.

use super::kinds::Kinds;
use super::lexicon::PROGRAMS;
use super::words::{Head, split};

/// What an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// The repository is one of the kind's.
    Is(usize),
    /// A word of it is the kind's, and none says otherwise: `my-postgres`.
    Looks(usize),
    /// Plainly something else.
    Other {
        passing: bool,
    },
    Nothing,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    pub repository: &'a str,
    pub tag: Option<&'a str>,
}

impl<'a> Reference<'a> {
    pub fn parse(text: &'a str) -> Self {
        let named = text.split('@').next().unwrap_or_default();
        // A colon before the last slash is the registry's port.
        let (repository, tag) = match named.rsplit_once(':') {
            Some((before, tag)) if !tag.contains('/') => (before, Some(tag).filter(|t| !t.is_empty())),
            _ => (named, None),
        };
        Self { repository, tag }
    }

    fn segments(&self) -> Vec<String> {
        let mut segments: Vec<String> = self.repository.split('/').filter(|s| !s.is_empty()).map(str::to_lowercase).collect();
        let is_registry = |first: &String| first.contains(['.', ':']) || first == "localhost";
        if segments.len() > 1 && segments.first().is_some_and(is_registry) {
            segments.remove(0);
        }
        segments
    }
}

/// `postgresql-15-c9s` without what follows the name as a version, and that version.
fn bare(segment: &str) -> (String, Option<String>) {
    let mut words: Vec<&str> = segment.split(['-', '_']).collect();
    let mut version = None;
    while let [_, .., last] = words.as_slice() {
        let first = last.chars().next();
        let suffix = ["alpine", "debian", "ubi", "rhel", "centos", "el", "c", "slim", "fips", "distroless", "chainguard", "amd"]
            .iter()
            .any(|s| last.strip_prefix(s).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == 's')));
        if first.is_some_and(|c| c.is_ascii_digit()) {
            version = Some((*last).to_owned());
        } else if !suffix {
            break;
        }
        words.pop();
    }
    (words.join("-"), version)
}

pub fn says(kinds: &Kinds, image: &str) -> Says {
    let reference = Reference::parse(image);
    let segments = reference.segments();
    let Some(last) = segments.last() else { return Says::Nothing };
    if let Some((_, kind)) = kinds.paths.iter().find(|(path, _)| segments.ends_with(path)) {
        return Says::Is(*kind);
    }
    let before = segments.len().checked_sub(2).and_then(|at| segments.get(at));
    let exact = kinds.images.get(last).or_else(|| kinds.images.get(&bare(last).0));
    if let Some(kind) = exact {
        // `exporters/redis` may be either.
        let doubtful = before.is_some_and(|folder| matches!(kinds.words.head(folder), Head::Other { .. }));
        return if doubtful { Says::Looks(*kind) } else { Says::Is(*kind) };
    }
    match kinds.words.image(last) {
        Head::Kind(kind) => Says::Looks(kind),
        // Some operators publish everything in one repository and say in the tag what it is.
        Head::Other { passing } => match reference.tag.map(|tag| kinds.words.image(tag)) {
            Some(Head::Kind(kind)) if split(last).iter().any(|word| word == "operator") => Says::Looks(kind),
            _ => Says::Other { passing },
        },
        // `postgres/primary`, `redis/server`.
        Head::Unknown if kinds.words.says_nothing(last) => match before.map(|folder| kinds.words.image(folder)) {
            Some(Head::Kind(kind)) => Says::Looks(kind),
            Some(Head::Other { passing }) => Says::Other { passing },
            _ => Says::Nothing,
        },
        // A part of another program, as in `starrocks/fe-ubuntu`.
        Head::Unknown => match before.filter(|folder| PROGRAMS.contains(&folder.as_str())).map(|folder| kinds.words.head(folder))
        {
            Some(Head::Other { passing }) => Says::Other { passing },
            _ => Says::Nothing,
        },
    }
}

/// The version that a tag tells; none of a digest, of `latest`, or of a commit.
pub fn version(kinds: &Kinds, kind: usize, image: &str) -> Option<String> {
    let reference = Reference::parse(image);
    let last = reference.segments().pop()?;
    let known = |name: &str| kinds.images.get(name) == Some(&kind);
    if !known(&last)
        && let (name, Some(version)) = bare(&last)
        && known(&name)
    {
        return Some(version);
    }
    let tag = reference.tag?;
    if let Some(date) = tag.strip_prefix("RELEASE.") {
        return Some(date.to_owned());
    }
    let parts: Vec<&str> = tag.split(['-', '_', '+']).collect();
    // `0.40.0-kafka-3.7.0`: that of the operator stands in front.
    let words = kinds.rows().get(kind).map(|row| row.words.as_slice()).unwrap_or_default();
    for (at, part) in parts.iter().enumerate() {
        let stem = part.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        if !words.contains(&stem.to_lowercase()) {
            continue;
        }
        // `pg16` of an extension's image.
        let own = number(&part[stem.len()..]);
        if let Some(found) = own.or_else(|| parts.get(at + 1).and_then(|next| number(next))) {
            return Some(found);
        }
    }
    if split(&last).iter().any(|word| word == "operator") {
        return None;
    }
    parts.iter().find_map(|part| number(part))
}

/// `v2.45.0`, `17rc1`, and not `a1b2c3d`.
fn number(part: &str) -> Option<String> {
    let text = part.strip_prefix(['v', 'V']).unwrap_or(part);
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let valid = number.starts_with(|c: char| c.is_ascii_digit()) && !number.ends_with('.') && !number.contains("..");
    let stage = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    // A commit may have digits alone, and is then longer than any version's first number but a date.
    let commit = !number.contains('.') && number.len() > 8;
    (valid && !commit && ["", "rc", "beta", "alpha", "ce", "b", "p", "r"].contains(&stage)).then(|| format!("{number}{rest}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(image: &str) -> String {
        let kinds = Kinds::builtin();
        let name = |kind: usize| kinds.rows()[kind].name.clone();
        match says(&kinds, image) {
            Says::Is(kind) => format!("is {}", name(kind)),
            Says::Looks(kind) => format!("looks {}", name(kind)),
            Says::Other { passing: true } => "proxy".into(),
            Says::Other { passing: false } => "other".into(),
            Says::Nothing => "nothing".into(),
        }
    }

    #[test]
    fn repositories_by_whole_segments() {
        for (images, wanted) in [
            (
                "mongo mongo:7 docker.io/library/mongo registry.local:5000/team/mongo:6 bitnami/mongodb bitnamilegacy/mongodb",
                "is mongo",
            ),
            (
                "cgr.dev/chainguard/mongodb percona/percona-server-mongodb:7.0 mongodb/mongodb-community-server:6.0-ubi8",
                "is mongo",
            ),
            ("redis redis:7 valkey/valkey:8 eqalpha/keydb ghcr.io/dragonflydb/dragonfly redis/redis-stack-server", "is redis"),
            ("quay.io/opstree/redis:v7 bitnamilegacy/redis-cluster registry.redhat.io/rhel8/redis-6", "is redis"),
            (
                "ghcr.io/cloudnative-pg/postgresql:16 ghcr.io/zalando/spilo-16:3.2-p2 timescale/timescaledb:2.14.2-pg16",
                "is postgres",
            ),
            (
                "quay.io/sclorg/postgresql-15-c9s pgvector/pgvector:pg16 postgis/postgis:16-3.4 supabase/postgres:15",
                "is postgres",
            ),
            ("registry.developers.crunchydata.com/crunchydata/crunchy-postgres:ubi8-16.1-0 POSTGRES", "is postgres"),
            (
                "my-postgres:15 registry.local/acme-postgresql postgres/primary:15 percona/percona-postgresql-operator:2.3.1-ppg16-postgres",
                "looks postgres",
            ),
            (
                "percona/percona-postgresql-operator:2.3.1 percona/percona-postgresql-operator:2.3.1-ppg16-pgbackrest percona/percona-xtradb-cluster-operator:1.14.0-haproxy",
                "other",
            ),
            (
                "quay.io/strimzi/kafka:0.40.0-kafka-3.7.0 confluentinc/cp-kafka apache/kafka docker.redpanda.com/redpandadata/redpanda",
                "is kafka",
            ),
            ("docker.elastic.co/elasticsearch/elasticsearch:8.12.0 opensearchproject/opensearch:2", "is elasticsearch"),
            ("temporalio/server:1.22 temporalio/auto-setup", "is temporal"),
            (
                "temporalio/ui temporalio/web temporalio/admin-tools mongo-express redis-commander rediscommander/redis-commander",
                "other",
            ),
            (
                "oliver006/redis_exporter quay.io/prometheuscommunity/postgres-exporter bitnami/kafka-exporter dpage/pgadmin4",
                "other",
            ),
            (
                "phpmyadmin adminer kibana docker.elastic.co/kibana/kibana opensearchproject/opensearch-dashboards minio/console",
                "other",
            ),
            (
                "ghcr.io/cloudnative-pg/cloudnative-pg-operator minio/operator hashicorp/vault-csi-provider postgrest/postgrest",
                "other",
            ),
            ("edenhill/kafkacat vaultwarden/server quay.io/prometheus/node-exporter quay.io/prometheus/alertmanager", "other"),
            ("haproxy:2.8 envoyproxy/envoy edoburu/pgbouncer nginx", "proxy"),
            ("exporters/redis", "looks redis"),
            (
                "acme/orders acme/mongoose sha256:0123 acme/thing@sha256:01 alpine debian:12 acme/redisearcher : / @ //:",
                "nothing",
            ),
        ] {
            for image in images.split(' ') {
                assert_eq!(told(image), wanted, "{image}");
            }
        }
    }

    #[test]
    fn versions() {
        let kinds = Kinds::builtin();
        for (image, wanted) in [
            ("postgres:15-alpine", Some("15")),
            ("bitnami/mongodb:6.0.13-debian-11-r0", Some("6.0.13")),
            ("prom/prometheus:v2.45.0", Some("2.45.0")),
            ("redis:latest", None),
            ("redis", None),
            ("redis@sha256:11aa22", None),
            ("redis:7.2@sha256:11aa22", Some("7.2")),
            ("registry.local:5000/redis", None),
            ("mongo:a1b2c3d", None),
            ("mongo:4f0f1ce", None),
            ("quay.io/strimzi/kafka:0.40.0-kafka-3.7.0", Some("3.7.0")),
            ("timescale/timescaledb:2.14.2-pg16", Some("16")),
            ("pgvector/pgvector:pg17", Some("17")),
            ("ghcr.io/zalando/spilo-16:3.2-p2", Some("16")),
            ("quay.io/sclorg/postgresql-15-c9s:latest", Some("15")),
            ("minio/minio:RELEASE.2024-01-16T16-07-38Z", Some("2024-01-16T16-07-38Z")),
            ("postgres:17rc1", Some("17rc1")),
            ("crunchydata/crunchy-postgres:ubi8-16.1-0", Some("16.1")),
            ("rabbitmq:3.13-management", Some("3.13")),
            ("percona/percona-postgresql-operator:2.3.1-ppg16-postgres", None),
        ] {
            let (Says::Is(kind) | Says::Looks(kind)) = says(&kinds, image) else { panic!("{image}") };
            assert_eq!(version(&kinds, kind, image).as_deref(), wanted, "{image}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(image in "\\PC{0,40}", kind in 0..23usize) {
            let kinds = Kinds::builtin();
            says(&kinds, &image);
            version(&kinds, kind, &image);
        }

        #[test]
        fn any_reference_is_read(image in "[a-z0-9µßİ/:@._-]{0,40}", kind in 0..23usize) {
            let kinds = Kinds::builtin();
            says(&kinds, &image);
            version(&kinds, kind, &image);
        }
    }
}
