//! Which operators run in a cluster, by the kinds that they bring.
//!
//! Invariant: a kind shows an operator by its whole group (or its whole name), never by a part of a word.

use std::collections::BTreeMap;

use crate::model::Operator;

/// Name, and the groups of its kinds, or whole names of kinds where operators share a group. A `*.` stands for whatever is before it.
const KNOWN: &[(&str, &[&str])] = &[
    ("Argo CD", &["applications.argoproj.io", "appprojects.argoproj.io", "argocds.argoproj.io"]),
    ("Argo Rollouts", &["rollouts.argoproj.io"]),
    ("Argo Workflows", &["workflows.argoproj.io"]),
    ("Bank-Vaults", &["vault.banzaicloud.com"]),
    ("Calico", &["crd.projectcalico.org"]),
    ("Cass Operator", &["cassandra.datastax.com"]),
    ("cert-manager", &["cert-manager.io"]),
    ("Cilium", &["cilium.io"]),
    ("ClickHouse Operator (Altinity)", &["clickhouse.altinity.com"]),
    ("CloudNativePG", &["postgresql.cnpg.io"]),
    ("Confluent for Kubernetes", &["platform.confluent.io"]),
    ("Crossplane", &["apiextensions.crossplane.io", "pkg.crossplane.io"]),
    ("Crunchy Postgres", &["postgres-operator.crunchydata.com"]),
    ("Dapr", &["dapr.io"]),
    ("Dragonfly Operator", &["dragonflydb.io"]),
    ("Elastic Cloud on Kubernetes", &["*.k8s.elastic.co"]),
    ("etcd Operator", &["operator.etcd.io", "etcd.database.coreos.com"]),
    ("External Secrets", &["external-secrets.io"]),
    ("Flux", &["*.toolkit.fluxcd.io"]),
    ("Gatekeeper", &["templates.gatekeeper.sh"]),
    ("Gateway API", &["gateway.networking.k8s.io"]),
    ("Grafana Operator", &["grafana.integreatly.org"]),
    ("Istio", &["networking.istio.io"]),
    ("K8ssandra", &["k8ssandra.io", "*.k8ssandra.io"]),
    ("Karpenter", &["karpenter.sh"]),
    ("KEDA", &["keda.sh"]),
    ("Keycloak Operator", &["k8s.keycloak.org"]),
    ("Knative", &["serving.knative.dev", "eventing.knative.dev"]),
    ("Koperator", &["kafka.banzaicloud.io"]),
    ("KubeDB", &["kubedb.com"]),
    ("Kyverno", &["kyverno.io"]),
    ("Linkerd", &["linkerd.io", "policy.linkerd.io"]),
    ("Longhorn", &["longhorn.io"]),
    ("MariaDB Operator", &["k8s.mariadb.com"]),
    ("Milvus Operator", &["milvus.io"]),
    ("MinIO Operator", &["minio.min.io"]),
    ("MOCO", &["moco.cybozu.com"]),
    ("MongoDB Atlas Operator", &["atlas.mongodb.com"]),
    ("MongoDB Community Operator", &["mongodbcommunity.mongodb.com"]),
    ("MongoDB Enterprise Operator", &["mongodb.com"]),
    ("MySQL Operator (Oracle)", &["mysql.oracle.com"]),
    ("NATS JetStream Controller", &["jetstream.nats.io"]),
    ("OpenSearch Operator", &["opensearch.opster.io", "opensearch.org"]),
    ("OpenTelemetry Operator", &["opentelemetry.io"]),
    ("Operator Lifecycle Manager", &["operators.coreos.com"]),
    ("Percona Operator for MongoDB", &["psmdb.percona.com"]),
    ("Percona Operator for MySQL", &["ps.percona.com", "pxc.percona.com"]),
    ("Percona Operator for PostgreSQL", &["pgv2.percona.com", "pg.percona.com"]),
    ("Postgres Operator (Zalando)", &["acid.zalan.do"]),
    ("Prometheus Operator", &["monitoring.coreos.com"]),
    ("Qdrant Operator", &["qdrant.io"]),
    ("RabbitMQ Operator", &["rabbitmq.com"]),
    ("Redis Enterprise Operator", &["app.redislabs.com"]),
    ("Redis Operator (OT-Container-Kit)", &["redis.redis.opstreelabs.in"]),
    ("Redis Operator (Spotahome)", &["databases.spotahome.com"]),
    ("Redpanda Operator", &["cluster.redpanda.com"]),
    ("Rook", &["ceph.rook.io"]),
    ("ScyllaDB Operator", &["scylla.scylladb.com"]),
    ("Sealed Secrets", &["sealedsecrets.bitnami.com"]),
    ("StackGres", &["stackgres.io"]),
    ("Strimzi", &["kafka.strimzi.io"]),
    ("Tekton", &["tekton.dev"]),
    ("Temporal Operator", &["temporal.io"]),
    ("Traefik", &["traefik.io", "traefik.containo.us"]),
    ("Valkey Operator", &["hyperspike.io"]),
    ("Vault Secrets Operator", &["secrets.hashicorp.com"]),
    ("Velero", &["velero.io"]),
    ("Vitess Operator", &["planetscale.com"]),
];

/// The operators whose kinds are among these definitions (`PLURAL.GROUP`), by name.
pub fn of<'a>(definitions: impl IntoIterator<Item = &'a str>) -> Vec<Operator> {
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for definition in definitions {
        let group = definition.split_once('.').map_or("", |(_, group)| group);
        let shows = |pattern: &&str| match pattern.strip_prefix("*.") {
            Some(suffix) => group.strip_suffix(suffix).is_some_and(|before| before.ends_with('.')),
            None => *pattern == group || *pattern == definition,
        };
        for (name, _) in KNOWN.iter().filter(|(_, patterns)| patterns.iter().any(shows)) {
            found.entry(name).or_default().push(definition.to_owned());
        }
    }
    let operator = |(name, mut evidence): (&str, Vec<String>)| {
        evidence.sort();
        Operator { name: name.to_owned(), evidence }
    };
    found.into_iter().map(operator).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_by_its_own_kinds() {
        let names = |definitions: &[&str]| of(definitions.iter().copied()).into_iter().map(|o| o.name).collect::<Vec<_>>();
        assert_eq!(
            names(&[
                "kafkas.kafka.strimzi.io",
                "clusters.postgresql.cnpg.io",
                "elasticsearches.elasticsearch.k8s.elastic.co",
                "gitrepositories.source.toolkit.fluxcd.io",
                "rollouts.argoproj.io",
                "perconaservermongodbs.psmdb.percona.com",
                "mongodbcommunity.mongodbcommunity.mongodb.com",
            ]),
            [
                "Argo Rollouts",
                "CloudNativePG",
                "Elastic Cloud on Kubernetes",
                "Flux",
                "MongoDB Community Operator",
                "Percona Operator for MongoDB",
                "Strimzi",
            ]
        );
        // Parts of words are none.
        assert!(
            names(&["things.notkafka.strimzi.io", "x.evilk8s.elastic.co", "a.io", "nodot", "cert-manager.io.example.com"])
                .is_empty()
        );
    }

    #[test]
    fn evidence_is_sorted_and_the_table_too() {
        let found = of(["topics.kafka.strimzi.io", "kafkas.kafka.strimzi.io"]);
        assert_eq!(found[0].evidence, ["kafkas.kafka.strimzi.io", "topics.kafka.strimzi.io"]);
        assert!(KNOWN.is_sorted_by_key(|(name, _)| name.to_lowercase()));
    }
}
