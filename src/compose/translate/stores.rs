//! Which images hold data or pass messages for others: they come first and stand apart in an exported tree.
//!
//! Invariant: told by the image's own name, never by what a service is called.

const STORES: &[&str] = &[
    "postgres",
    "postgresql",
    "postgis",
    "timescaledb",
    "pgvector",
    "mysql",
    "mysql-server",
    "mariadb",
    "percona",
    "mongo",
    "mongodb",
    "mongodb-community-server",
    "redis",
    "redis-stack",
    "redis-stack-server",
    "valkey",
    "keydb",
    "dragonfly",
    "memcached",
    "rabbitmq",
    "kafka",
    "cp-kafka",
    "cp-zookeeper",
    "zookeeper",
    "redpanda",
    "nats",
    "nats-streaming",
    "activemq",
    "elasticsearch",
    "opensearch",
    "solr",
    "meilisearch",
    "typesense",
    "qdrant",
    "weaviate",
    "milvus",
    "chroma",
    "chromadb",
    "neo4j",
    "clickhouse",
    "clickhouse-server",
    "cassandra",
    "scylla",
    "couchdb",
    "couchbase",
    "cockroach",
    "influxdb",
    "victoria-metrics",
    "etcd",
    "consul",
    "vault",
    "minio",
    "server-mssql",
    "mssql-server-linux",
    "server", // mcr.microsoft.com/mssql/server
    "mosquitto",
    "eclipse-mosquitto",
    "rethinkdb",
    "arangodb",
    "surrealdb",
];

pub fn is_store(image: &str) -> bool {
    let name = image.split('@').next().unwrap_or(image);
    let (path, last) = name.rsplit_once('/').unwrap_or(("", name));
    let last = last.split(':').next().unwrap_or(last);
    match last {
        "server" => path.ends_with("mssql"),
        last => STORES.contains(&last),
    }
}

#[cfg(test)]
mod tests {
    use super::is_store;

    #[test]
    fn by_the_last_part_of_the_image() {
        for image in [
            "postgres",
            "postgres:16",
            "docker.io/library/redis:7-alpine",
            "localhost:5000/mongo",
            "bitnami/kafka@sha256:0123",
            "mcr.microsoft.com/mssql/server:2022-latest",
        ] {
            assert!(is_store(image), "{image}");
        }
        for image in [
            "mongo-express",
            "rediscommander/redis-commander",
            "prometheuscommunity/postgres-exporter",
            "acme/server",
            "dpage/pgadmin4",
        ] {
            assert!(!is_store(image), "{image}");
        }
    }
}
