//! Further sets, in the language of `standin`: other programs that speak a kind's protocol, stores whose names and labels tell for whom
//! they are, what stands before a store, and what vendors ship beside one.

pub const SETS: &[&str] = &[PROTOCOLS, WHOSE, BEFORE, BESIDE];

/// They speak the protocol, and are something else.
const PROTOCOLS: &str = "
brokers that speak AMQP
svc artemis 5672=amqp,61616=core | pod artemis-0 apache/activemq-artemis:2.33 | svc broker 5672=amqp | pod broker-0 solace/solace-pubsub-standard:10 | svc mq 5672=amqp | pod mq-0 acme/broker:1 -> nothing

memgraph speaks Bolt
svc memgraph 7687=bolt,3000 | pod memgraph-0 memgraph/memgraph:2.14 -> nothing

the port of Bolt with a graph of its own
svc graph 7687=bolt | pod graph-0 acme/graph:1 -> nothing

two ports of one kind, one of them by its protocol, from images of no name
svc graph 7474=http,7687=bolt | pod graph-0 acme/graph:1 | svc mq 5672=amqp,15672=http | pod mq-0 acme/mq:1 | svc bus 5672,15672 | pod bus-0 acme/bus:1 -> neo4j=graph:7687 rabbitmq=mq:5672

Kvrocks and Tendis at the port of Redis
svc kvrocks 6379=redis | pod kvrocks-0 apache/kvrocks:2.8 | svc tendis 6379=redis | pod tendis-0 tencent/tendis:2 -> nothing

CrateDB, QuestDB, Materialize, RisingWave at the port of PostgreSQL
svc crate 5432=psql,4200=http | pod crate-0 crate:5.6 | svc questdb 5432:8812=pg | pod questdb-0 questdb/questdb:7 | svc mz 5432:6875=pgwire | pod mz-0 materialize/materialized:v0.90 | svc rw 5432:4566=pg | pod rw-0 risingwavelabs/risingwave:v1 -> nothing

Dolt, SingleStore, StarRocks, Vitess at the port of MySQL
svc dolt 3306=mysql | pod dolt-0 dolthub/dolt-sql-server:1 | svc memsql 3306=mysql | pod memsql-0 singlestore/cluster-in-a-box | svc fe 3306:9030=mysql | pod fe-0 starrocks/fe-ubuntu:3 | svc vtgate 3306=mysql | pod vtgate-0 vitess/lite:v18 -> nothing

kine at the port of etcd
svc etcd 2379 | pod etcd-0 rancher/kine:v0.11 -> nothing

APM, Alertmanager, TiDB's PD and Home Assistant at ports of others
svc apm-server 8200 | pod apm-server-0 docker.elastic.co/apm/apm-server:8.12.0 | svc alertmanager-operated 9093=http-web headless | pod alertmanager-operated-0 quay.io/prometheus/alertmanager:v0.26 | svc basic-pd 2379=client | pod basic-pd-0 pingcap/pd:v7.5 | svc home 8123 | pod home-0 ghcr.io/home-assistant/home-assistant:2024.1 -> nothing

stargate at the port of Cassandra
svc stargate 9042=native | pod stargate-0 stargateio/stargate-4_0:v1 -> nothing

PHP, Portainer, SonarQube and Authentik at port 9000
svc fpm 9000 | pod fpm-0 php:8-fpm | svc portainer 9000 | pod portainer-0 portainer/portainer-ce | svc sonarqube 9000 | pod sonarqube-0 sonarqube:10 | svc authentik-server 9000 | pod authentik-server-0 ghcr.io/goauthentik/server:2024 -> nothing

metrics ports that are called prometheus
svc payments 9090=prometheus | pod payments-0 acme/payments:1 | svc orders 9090=http-prometheus | pod orders-0 acme/orders:1 -> nothing
";

/// Names and labels that tell for whom a store is.
const WHOSE: &str = "
the store of an application
svc wordpress-mysql 3306 headless sel.app=wordpress sel.tier=mysql | pod wordpress-mysql-0 mysql:5.6 label.app=wordpress label.tier=mysql | svc wordpress 80 sel.app=wordpress sel.tier=frontend | pod wordpress-1 wordpress:4.8-apache label.app=wordpress label.tier=frontend -> mysql=wordpress-mysql:3306

the same from an image of no name
svc wordpress-mysql 3306 sel.app=wordpress sel.tier=mysql | pod wordpress-mysql-0 registry.local/x@sha256:0123 label.app=wordpress label.tier=mysql -> mysql=wordpress-mysql:3306

store first, application last
svc mysql-wordpress 3306 | pod mysql-wordpress-0 registry.local/x@sha256:0123 | svc postgres-n8n 5432 | pod postgres-n8n-0 postgres:16 -> mysql=mysql-wordpress:3306 postgres=postgres-n8n:5432

the database of an application, called so
svc gitlab-db 5432=postgresql label.app=gitlab | pod gitlab-db-0 registry.local/x@sha256:0123 label.app=gitlab-db | svc gitlab-cache 6379 label.app=gitlab | pod gitlab-cache-0 registry.local/y@sha256:0123 label.app=gitlab-cache -> postgres=gitlab-db:5432

an application alone, at the port of a store
svc gitea 5432 | pod gitea-0 registry.local/x@sha256:0123 label.app=gitea -> nothing

an exporter under the label of an application
svc wordpress-mysql-exporter 3306:9104 label.app=wordpress | pod wordpress-mysql-exporter-0 registry.local/x@sha256:0123 -> nothing

the parts of Harbor
svc harbor-database 5432 | pod harbor-database-0 goharbor/harbor-db:v2.10 mount=/var/lib/postgresql/data | svc harbor-redis 6379 | pod harbor-redis-0 goharbor/redis-photon:v2.10 | svc harbor-core 80:8080 | pod harbor-core-0 goharbor/harbor-core:v2.10 | svc harbor-registry 5000,8080 | pod harbor-registry-0 goharbor/registry-photon:v2.10 -> postgres=harbor-database:5432 redis=harbor-redis:6379

Argo CD's cache behind its proxy
svc argocd-redis-ha-haproxy 6379=tcp-haproxy | pod argocd-redis-ha-haproxy-0 public.ecr.aws/docker/library/haproxy:2.9 | svc argocd-redis-ha 6379=tcp-server headless | pod argocd-redis-ha-0 public.ecr.aws/docker/library/redis:7.2 | svc argocd-server 80:8080 | pod argocd-server-0 quay.io/argoproj/argocd:v2.10 -> redis=argocd-redis-ha:6379

mirrors of a vendor
svc a 2379 | pod a-0 rancher/mirrored-coreos-etcd:v3.5 | svc b 6379 | pod b-0 rancher/mirrored-library-redis:7 | svc c 9100 | pod c-0 rancher/mirrored-prometheus-node-exporter:v1 | svc d 9093 | pod d-0 rancher/mirrored-prometheus-alertmanager:v0.26 -> etcd=a:2379 redis=b:6379

images of a private registry, hardened
svc cache 6379 | pod cache-0 registry1.example.mil/ironbank/opensource/redis/redis7:7.0 | svc db 5432 | pod db-0 123456789012.dkr.ecr.eu-west-1.amazonaws.com/platform/postgres-15-hardened:3 -> redis=cache:6379 postgres=db:5432

extensions and distributions
svc a 5432 | pod a-0 citusdata/citus:12.1 | svc b 5432 | pod b-0 apache/age:PG16_latest | svc c 9200 | pod c-0 amazon/opendistro-for-elasticsearch:1.13.3 | svc d 5601 | pod d-0 amazon/opendistro-for-elasticsearch-kibana:1.13.2 | svc e 5432 | pod e-0 ghcr.io/immich-app/postgres:14-vectorchord0.3.0 -> postgres=a:5432 postgres=b:5432 elasticsearch=c:9200 postgres=e:5432
";

/// What stands between clients and a store.
const BEFORE: &str = "
relays of all sorts
svc postgres 5432 | pod postgres-0 alpine/socat:1.8 | svc redis 6379 | pod redis-0 ghcr.io/shopify/toxiproxy:2.9 | svc mysql 3306 | pod mysql-0 gcr.io/cloud-sql-connectors/cloud-sql-proxy:2.8 | svc mongo 27017 | pod mongo-0 dweomer/stunnel -> nothing

doubles for tests
svc redis-mock 6379 | pod redis-mock-0 acme/redis-mock:1 | svc vault 8200 | pod vault-0 acme/vault-stub:1 | svc kafka-simulator 9092 | pod kafka-simulator-0 acme/sim:1 -> nothing

Pgpool before the two of repmgr
svc pg-ha-pgpool 5432 | pod pg-ha-pgpool-0 bitnami/pgpool:4.5 | svc pg-ha-postgresql 5432 | svc pg-ha-postgresql-headless 5432 headless sel.app=pg-ha-postgresql | pod pg-ha-postgresql-0 bitnami/postgresql-repmgr:16 | pod pg-ha-postgresql-1 bitnami/postgresql-repmgr:16 -> postgres=pg-ha-postgresql:5432

a login proxy named for keycloak
svc oauth2-proxy-keycloak 8080 | pod oauth2-proxy-keycloak-0 quay.io/oauth2-proxy/oauth2-proxy:v7 -> nothing

brokers from outside, one by one
svc kafka 9092=tcp-client sel.app=kafka | svc kafka-0-external 9094=tcp-kafka lb=k0.elb.example.com sel.app=kafka sel.statefulset.kubernetes.io/pod-name=kafka-0 | svc kafka-controller-headless 9094=tcp-interbroker,9092=tcp-client,9093=tcp-controller headless sel.app=kafka | pod kafka-0 bitnami/kafka:3.7^9092/client^9094/external label.app=kafka label.statefulset.kubernetes.io/pod-name=kafka-0 -> kafka=kafka:9092

InnoDB Cluster: its router is none, its instances are
svc shop 3306=mysql,33060=mysqlx,6446=mysql-alternate sel.component=mysqlrouter | pod shop-router-0 container-registry.oracle.com/mysql/community-router:8.3 label.component=mysqlrouter | svc shop-instances 3306=mysql,33060=mysqlx,33061=gr-xcom headless sel.component=mysqld | pod shop-0 container-registry.oracle.com/mysql/community-server:8.3^3306+container-registry.oracle.com/mysql/community-operator:8.3 label.component=mysqld -> mysql=shop-instances:3306

RDS by its port
svc orders-db 5432 ext=orders.cluster-abc.eu-west-1.rds.amazonaws.com | svc users-db 3306 ext=users.abc.eu-west-1.rds.amazonaws.com | svc other-db ext=other.abc.eu-west-1.rds.amazonaws.com -> postgres=orders-db:5432 mysql=users-db:3306
";

/// What comes with a store and is none.
const BESIDE: &str = "
the models beside weaviate
svc weaviate 80:8080 label.app.kubernetes.io/name=weaviate | pod weaviate-0 semitechnologies/weaviate:1.24^8080 label.app=weaviate label.app.kubernetes.io/name=weaviate | svc transformers-inference 8080 label.app.kubernetes.io/name=weaviate | pod transformers-inference-0 semitechnologies/transformers-inference:distilroberta label.app=transformers-inference label.app.kubernetes.io/name=weaviate -> weaviate=weaviate:80

Thanos beside prometheus
svc prometheus-operated 9090=http-web,10901=grpc headless sel.app=p | svc prometheus-thanos-discovery 10901=grpc,10902=http headless sel.app=p | pod prometheus-p-0 quay.io/prometheus/prometheus:v2.50^9090/http-web+quay.io/thanos/thanos:v0.34^10901/grpc^10902/http+quay.io/prometheus-operator/prometheus-config-reloader:v0.71^8080 label.app=p | svc thanos-query 9090=http | pod thanos-query-0 quay.io/thanos/thanos:v0.34 -> prometheus=prometheus-operated:9090

Strimzi's Cruise Control and exporter run from the image of kafka
svc my-kafka-bootstrap 9091=tcp-replication,9092=tcp-clients | pod my-kafka-bootstrap-0 quay.io/strimzi/kafka:0.40.0-kafka-3.7.0 | svc my-cruise-control 9090=tcp-cc | pod my-cruise-control-0 quay.io/strimzi/kafka:0.40.0-kafka-3.7.0 | svc my-kafka-exporter 9404=tcp-prometheus | pod my-kafka-exporter-0 quay.io/strimzi/kafka:0.40.0-kafka-3.7.0 -> kafka=my-kafka-bootstrap:9092

Vault's agent in the pod of an application
svc api 8080 | pod api-0 acme/api:1+hashicorp/vault:1.15 | svc web 8200:3000 | pod web-0 acme/web:1^3000+hashicorp/vault:1.15 -> nothing

Supabase
svc supabase-db 5432 | pod supabase-db-0 supabase/postgres:15.1 | svc supabase-rest 3000 | pod supabase-rest-0 postgrest/postgrest:v12 | svc supabase-meta 8080 | pod supabase-meta-0 supabase/postgres-meta:v0.80 | svc supabase-kong 8000 | pod supabase-kong-0 kong:2.8 -> postgres=supabase-db:5432

Altinity's ClickHouse, each replica and all
svc clickhouse-main 8123=http,9000=tcp lb sel.clickhouse.altinity.com/chi=main | svc chi-main-0-0 9000=tcp,8123=http,9009=interserver headless sel.clickhouse.altinity.com/chi=main | pod chi-main-0-0-0 altinity/clickhouse-server:23.8.11.29.altinitystable^8123/http^9000/tcp label.clickhouse.altinity.com/chi=main | svc clickhouse-operator-metrics 8888 | pod clickhouse-operator-metrics-0 altinity/clickhouse-operator:0.23 -> clickhouse=clickhouse-main:8123

InfluxDB, CouchDB, Consul, Pulsar, Solr and Loki are no kinds
svc influxdb 8086 | pod influxdb-0 influxdb:2 | svc couchdb 5984 | pod couchdb-0 couchdb:3 | svc consul-server 8500 | pod consul-server-0 hashicorp/consul:1.17 | svc pulsar-proxy 6650 | pod pulsar-proxy-0 apachepulsar/pulsar:3 | svc solr 8983 | pod solr-0 solr:9 | svc loki 3100 | pod loki-0 grafana/loki:2.9 -> nothing

Loki's caches and its store
svc loki-chunks-cache 11211=client,9150=http-metrics headless | pod loki-chunks-cache-0 memcached:1.6^11211/client+prom/memcached-exporter:v0.14^9150/http-metrics | svc loki-minio 9000 | svc loki-minio-console 9001 sel.app=loki-minio | pod loki-minio-0 quay.io/minio/minio:RELEASE.2023-09-30T07-02-29Z -> memcached=loki-chunks-cache:11211 minio=loki-minio:9000

another image in the place of ollama
svc ollama 11434 | pod ollama-0 ghcr.io/ggml-org/llama.cpp:server cmd=ollama-proxy | svc redis 6379 | pod redis-0 registry.local/x:1 cmd=/bin/redis-exporter -> nothing
";
