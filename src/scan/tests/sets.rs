//! Sets of Services, most of them made to mislead. The first line is the title, the last what must be found, and nothing else; the
//! language is `standin`'s.

pub const SETS: &[&str] = &[FIRST, LOOKALIKES, RENAMED, TOGETHER, ELSEWHERE, VENDORS];

/// The five of old, and each further kind as it usually is.
const FIRST: &str = "
mongo
svc mongo 27017 | pod mongo-0 mongo:7 -> mongo=mongo:27017

redis
svc redis-master 6379=tcp-redis | pod redis-master-0 bitnami/redis:7.2 -> redis=redis-master:6379

postgres
svc db 5432 | pod db-0 postgres:16-alpine -> postgres=db:5432

qdrant: HTTP before gRPC
svc qdrant 6334=grpc,6333=http,6335=p2p | pod qdrant-0 qdrant/qdrant:v1.9 -> qdrant=qdrant:6333

neo4j: Bolt before HTTP
svc graph 7474=http,7687=bolt | pod graph-0 neo4j:5 -> neo4j=graph:7687

mysql and mariadb are one kind
svc a 3306 | pod a-0 mysql:8 | svc b 3306 | pod b-0 mariadb:11 -> mysql=a:3306 mysql=b:3306

rabbitmq with its other ports
svc rmq 4369=epmd,5672=amqp,15672=http-stats | pod rmq-0 rabbitmq:3.13-management -> rabbitmq=rmq:5672

kafka
svc kafka 9092 | pod kafka-0 apache/kafka:3.7.0 -> kafka=kafka:9092

nats
svc nats 4222=client,8222=monitor | pod nats-0 nats:2.10^4222/client^8222/monitor+natsio/nats-server-config-reloader:0.14+natsio/prometheus-nats-exporter:0.14^7777/metrics -> nats=nats:4222

elasticsearch
svc es 9200 | pod es-0 docker.elastic.co/elasticsearch/elasticsearch:8.12.0 -> elasticsearch=es:9200

opensearch is elasticsearch
svc os 9200=http,9300=transport,9600=metrics | pod os-0 opensearchproject/opensearch:2.11 -> elasticsearch=os:9200

memcached
svc memcached 11211 | pod memcached-0 memcached:1.6 -> memcached=memcached:11211

minio without its console
svc minio 9000 | pod minio-0 minio/minio:RELEASE.2024-01-16T16-07-38Z | svc minio-console 9001 sel.app=minio -> minio=minio:9000

clickhouse
svc clickhouse 8123=http,9000=tcp | pod clickhouse-0 clickhouse/clickhouse-server:24.1 -> clickhouse=clickhouse:8123

cassandra
svc cassandra 9042=cql headless | pod cassandra-0 cassandra:4.1 -> cassandra=cassandra:9042

etcd
svc etcd 2379=client,2380=peer | pod etcd-0 quay.io/coreos/etcd:v3.5.9 -> etcd=etcd:2379

weaviate behind port 80
svc weaviate 80:8080 | pod weaviate-0 cr.weaviate.io/semitechnologies/weaviate:1.24^8080 -> weaviate=weaviate:80

milvus with what it needs
svc milvus 19530,9091 | pod milvus-0 milvusdb/milvus:v2.4 | svc milvus-etcd 2379 | pod milvus-etcd-0 bitnami/etcd:3.5 | svc milvus-minio 9000 | pod milvus-minio-0 minio/minio:latest -> milvus=milvus:19530 etcd=milvus-etcd:2379 minio=milvus-minio:9000

chroma
svc chroma 8000 | pod chroma-0 chromadb/chroma:0.5 -> chroma=chroma:8000

ollama
svc ollama 11434 | pod ollama-0 ollama/ollama:0.3 -> ollama=ollama:11434

vault: one instance whatever it is called
svc vault 8200,8201 | pod vault-0 hashicorp/vault:1.15^8200^8201 | svc vault-internal 8200,8201 headless sel.app=vault | svc vault-ui 8200 sel.app=vault -> vault=vault:8200

keycloak, and its management port
svc keycloak 8080=http | pod keycloak-0 quay.io/keycloak/keycloak:24.0^8080/http^9000/management | svc keycloak-metrics 9000 sel.app=keycloak -> keycloak=keycloak:8080

prometheus
svc prometheus-server 80:9090 | pod prometheus-server-0 quay.io/prometheus-operator/prometheus-config-reloader:v0.71^8080+quay.io/prometheus/prometheus:v2.49^9090 -> prometheus=prometheus-server:80

temporal's other roles and its web
svc temporal-frontend 7233 | pod temporal-frontend-0 temporalio/server:1.22 | svc temporal-history-headless 7234 headless | pod temporal-history-headless-0 temporalio/server:1.22 | svc temporal-web 8080 | pod temporal-web-0 temporalio/ui:2.22 -> temporal=temporal-frontend:7233
";

/// What only looks like one.
const LOOKALIKES: &str = "
mongo-express beside mongodb
svc mongo-express 8081 | pod mongo-express-0 mongo-express:1.0 | svc mongodb 27017 | pod mongodb-0 bitnami/mongodb:7 -> mongo=mongodb:27017

mongo-express alone
svc mongo-express 8081 | pod mongo-express-0 mongo-express:1.0 -> nothing

mongo-express, renamed, at the port of mongo
svc mongo-express 27017:8081 | pod mongo-express-0 registry.local/tools/me:1 -> nothing

redis-commander beside redis-master
svc redis-commander 8081 | pod redis-commander-0 ghcr.io/joeferner/redis-commander:latest | svc redis-master 6379 | pod redis-master-0 redis:7 -> redis=redis-master:6379

redis-commander that calls its port redis
svc redis-commander 6379:8081=redis | pod redis-commander-0 rediscommander/redis-commander:latest -> nothing

redis exporter on its own
svc redis-exporter 9121=metrics | pod redis-exporter-0 oliver006/redis_exporter:v1.58 -> nothing

redis exporter at port 6379
svc redis 6379 | pod redis-0 oliver006/redis_exporter:v1.58 -> nothing

postgres exporter
svc postgres-exporter 9187 | pod postgres-exporter-0 quay.io/prometheuscommunity/postgres-exporter -> nothing

rabbitmq exporter
svc rabbitmq-exporter 9419 | pod rabbitmq-exporter-0 kbudde/rabbitmq-exporter:1.0 -> nothing

kafka exporter, UI, connect, schema registry, rest
svc kafka-exporter 9308 | pod kafka-exporter-0 danielqsj/kafka-exporter:v1.7 | svc kafka-ui 8080 | pod kafka-ui-0 provectuslabs/kafka-ui:v0.7 | svc kafka-connect 8083 | pod kafka-connect-0 confluentinc/cp-kafka-connect:7.5 | svc kafka-schema-registry 8081 | pod kafka-schema-registry-0 confluentinc/cp-schema-registry:7.5 | svc kafka-rest 8082 | pod kafka-rest-0 confluentinc/cp-kafka-rest:7.5 -> nothing

pgadmin, pgweb, adminer, phpmyadmin
svc pgadmin 80 | pod pgadmin-0 dpage/pgadmin4:8 | svc pgweb 8081 | pod pgweb-0 sosedoff/pgweb | svc adminer 8080 | pod adminer-0 adminer:4 | svc mysql-phpmyadmin 80 | pod mysql-phpmyadmin-0 phpmyadmin:5 -> nothing

redisinsight
svc redisinsight 5540 | pod redisinsight-0 redis/redisinsight:2.50 -> nothing

kibana and opensearch-dashboards
svc kibana 5601 | pod kibana-0 docker.elastic.co/kibana/kibana:8.12.0 | svc opensearch-dashboards 5601 | pod opensearch-dashboards-0 opensearchproject/opensearch-dashboards:2 -> nothing

elasticsearch-hq, cerebro, exporter, curator
svc elasticsearch-hq 5000 | pod elasticsearch-hq-0 elastichq/elasticsearch-hq | svc cerebro 9000 | pod cerebro-0 lmenezes/cerebro | svc elasticsearch-exporter 9114 | pod elasticsearch-exporter-0 quay.io/prometheuscommunity/elasticsearch-exporter -> nothing

minio console of an operator
svc console 9090 | pod console-0 minio/operator:v5 sel.app=console | svc minio-console 9001 | pod minio-console-0 minio/console:v0.30 -> nothing

operators and their webhooks
svc cnpg-webhook-service 443:9443 | pod cnpg-webhook-service-0 ghcr.io/cloudnative-pg/cloudnative-pg:1.22 | svc redis-operator-webhook 443:9443=webhook | pod redis-operator-webhook-0 quay.io/opstree/redis-operator:v0.15 | svc mongodb-kubernetes-operator 8080 | pod mongodb-kubernetes-operator-0 quay.io/mongodb/mongodb-kubernetes-operator:0.9 -> nothing

operator with a port of the kind
svc rabbitmq-cluster-operator 5672 | pod rabbitmq-cluster-operator-0 rabbitmqoperator/cluster-operator:2.7 -> nothing

strimzi's operator and bridge
svc strimzi-cluster-operator 8080 | pod strimzi-cluster-operator-0 quay.io/strimzi/operator:0.40.0 | svc my-bridge-bridge-service 8080 | pod my-bridge-bridge-service-0 quay.io/strimzi/kafka-bridge:0.28.0 -> nothing

strimzi's zookeeper runs from the image of kafka
svc my-zookeeper-client 2181 | pod my-zookeeper-client-0 quay.io/strimzi/kafka:0.40.0-kafka-3.7.0 -> nothing

strimzi's connect too
svc my-connect-api 8083 | pod my-connect-api-0 quay.io/strimzi/kafka:0.40.0-kafka-3.7.0 -> nothing

mongoose-api
svc mongoose-api 27017 | pod mongoose-api-0 acme/mongoose-api:1 -> nothing

mongoose-api at its own port
svc mongoose-api 3000 | pod mongoose-api-0 acme/thing:1 -> nothing

postgrest
svc postgrest 3000 | pod postgrest-0 postgrest/postgrest:v12 -> nothing

postgrest at the port of postgres
svc postgrest 5432:3000 | pod postgrest-0 postgrest/postgrest:v12 -> nothing

kafkacat
svc kafkacat 9092 | pod kafkacat-0 edenhill/kafkacat:1.6 -> nothing

etcdkeeper
svc etcdkeeper 8080 | pod etcdkeeper-0 evildecay/etcdkeeper | svc etcd-browser 8000 | pod etcd-browser-0 acme/etcd-browser -> nothing

vault-agent-injector
svc vault-agent-injector-svc 443:8080 | pod vault-agent-injector-svc-0 hashicorp/vault-k8s:1.3.1 label.app.kubernetes.io/name=vault-agent-injector label.app=vault-agent-injector-svc -> nothing

vaultwarden and the secrets operator
svc vaultwarden 80 | pod vaultwarden-0 vaultwarden/server:1.30 | svc vault-secrets-operator-metrics-service 8443 | pod vault-secrets-operator-metrics-service-0 hashicorp/vault-secrets-operator:0.5 -> nothing

prometheus-adapter, node-exporter, alertmanager, pushgateway, kube-state-metrics
svc prometheus-adapter 443:6443 | pod prometheus-adapter-0 registry.k8s.io/prometheus-adapter/prometheus-adapter:v0.11 | svc prometheus-node-exporter 9100 | pod prometheus-node-exporter-0 quay.io/prometheus/node-exporter:v1.7 | svc prometheus-alertmanager 9093 | pod prometheus-alertmanager-0 quay.io/prometheus/alertmanager:v0.26 | svc prometheus-pushgateway 9091 | pod prometheus-pushgateway-0 prom/pushgateway | svc prometheus-kube-state-metrics 8080 | pod prometheus-kube-state-metrics-0 registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.10 -> nothing

metrics of etcd that kube-prometheus-stack makes
svc kube-system/kube-prometheus-stack-kube-etcd 2381=http-metrics headless sel.component=etcd label.app=kube-prometheus-stack-kube-etcd | pod kube-system/etcd-0 registry.k8s.io/etcd:3.5.10 label.component=etcd -> nothing

grafana at 3000, named for prometheus
svc prometheus-grafana 80:3000 | pod prometheus-grafana-0 grafana/grafana:10 -> nothing

prometheus operator beside its prometheus
svc prometheus-operator 8080 | pod prometheus-operator-0 quay.io/prometheus-operator/prometheus-operator:v0.71 | svc prometheus-operated 9090=web headless | pod prometheus-operated-0 quay.io/prometheus/prometheus:v2.49^9090/web+quay.io/thanos/thanos:v0.34^10901/grpc^10902/http | svc prometheus-thanos-discovery 10901=grpc,10902=http headless sel.app=prometheus-operated -> prometheus=prometheus-operated:9090

redis-ha-haproxy is a proxy, the server is the store
svc redis-ha-haproxy 6379 | pod redis-ha-haproxy-0 haproxy:2.8 | svc redis-ha 6379=tcp-server,26379=tcp-sentinel headless | pod redis-ha-0 redis:7.2^6379+redis:7.2^26379 -> redis=redis-ha:6379

sentinels alone
svc redis-sentinel 26379 | pod redis-sentinel-0 bitnami/redis-sentinel:7.2 -> nothing

sentinels from the image of redis
svc my-sentinel 26379 | pod my-sentinel-0 redis:7 cmd=redis-sentinel,/etc/s.conf -> nothing

sentinels from the image of redis at the port of redis
svc watchers 6379:26379 | pod watchers-0 redis:7 cmd=redis-sentinel,/etc/s.conf -> nothing

pgbouncer alone, before a database elsewhere
svc pgbouncer 5432:6432 | pod pgbouncer-0 edoburu/pgbouncer:1.22 -> nothing

pooler of cloudnative-pg
svc pg-pooler-rw 5432 sel.cnpg.io/poolerName=pg | pod pg-pooler-0 ghcr.io/cloudnative-pg/pgbouncer:1.22 label.cnpg.io/poolerName=pg label.cnpg.io/cluster=pg -> nothing

proxysql, maxscale, mysql-router
svc proxysql 3306:6033 | pod proxysql-0 proxysql/proxysql:2.5 | svc maxscale 3306 | pod maxscale-0 mariadb/maxscale:23.08 | svc mysql-router 3306:6446 | pod mysql-router-0 container-registry.oracle.com/mysql/community-router:8 -> nothing

backup jobs with a Service for metrics
svc mongo-backup 8080 | pod mongo-backup-0 acme/mongo-backup:1 | svc pg-backup 8080 | pod pg-backup-0 postgres:16 | svc postgres-backup-s3 9187 | pod postgres-backup-s3-0 eeshugerman/postgres-backup-s3:16 -> nothing

consumers, workers and migrations
svc kafka-consumer 8080 | pod kafka-consumer-0 acme/kafka-consumer:3 | svc rabbitmq-worker 5672 | pod rabbitmq-worker-0 acme/jobs:1 | svc postgres-migrations 5432 | pod postgres-migrations-0 acme/m:1 -> nothing

web UI of ollama
svc open-webui 8080 | pod open-webui-0 ghcr.io/open-webui/open-webui:main | svc ollama-webui 11434:8080 | pod ollama-webui-0 ghcr.io/ollama-webui/ollama-webui:main -> nothing

milvus' attu and qdrant's UI
svc attu 3000 | pod attu-0 zilliz/attu:v2.3 | svc milvus-attu 19530:3000 | pod milvus-attu-0 zilliz/attu:v2.3 | svc qdrant-web-ui 6333 | pod qdrant-web-ui-0 acme/qdrant-web-ui -> nothing

port 6379 and the name cache say too little
svc cache 6379 | pod cache-0 acme/cache:1 -> nothing

port 5432 of who knows what
svc backend 5432 | pod backend-0 acme/backend:1 -> nothing

the name alone
svc redis 8080 | pod redis-0 acme/shop:1 -> nothing

port 9090 and port 9000 say nothing
svc cockpit 9090 | pod cockpit-0 acme/cockpit | svc sonar 9000 | pod sonar-0 sonarqube:10 | svc web 8080 | pod web-0 acme/web | svc site 8000 | pod site-0 acme/site -> nothing

another kind's image behind a name
svc redis 5432 | pod redis-0 postgres:16 -> postgres=redis:5432

nginx as redis
svc redis 6379 | pod redis-0 nginx:1.25 -> nothing

CockroachDB, TiDB and FerretDB are none
svc cockroachdb 26257 | pod cockroachdb-0 cockroachdb/cockroach:v23 | svc tidb 4000 | pod tidb-0 pingcap/tidb:v7 | svc ferretdb 27017 | pod ferretdb-0 ghcr.io/ferretdb/ferretdb:1 -> nothing

arbiters hold no data, config servers only the map
svc mongodb 27017 | pod mongodb-0 bitnami/mongodb:7 | svc mongodb-arbiter-headless 27017 headless | pod mongodb-arbiter-headless-0 bitnami/mongodb:7 | svc shop-configsvr 27017 | pod shop-configsvr-0 bitnami/mongodb-sharded:7 -> mongo=mongodb:27017

keycloak with a postgres sidecar
svc keycloak 8080 | pod keycloak-0 quay.io/keycloak/keycloak:24.0^8080+postgres:16^5432 -> keycloak=keycloak:8080

keycloak with a postgres sidecar, nothing declared
svc keycloak 80:8080 | pod keycloak-0 quay.io/keycloak/keycloak:24.0+postgres:16 -> keycloak=keycloak:80

keycloak proxies and themes
svc keycloak-gatekeeper 3000 | pod keycloak-gatekeeper-0 keycloak/keycloak-gatekeeper:7 | svc keycloak-operator 8443 | pod keycloak-operator-0 quay.io/keycloak/keycloak-operator:24 -> nothing

clickhouse-keeper and zookeeper
svc clickhouse-keeper 9181 | pod clickhouse-keeper-0 clickhouse/clickhouse-keeper:24 | svc zookeeper 2181 | pod zookeeper-0 zookeeper:3.9 -> nothing

nats-box and surveyor
svc nats-box 4222 | pod nats-box-0 natsio/nats-box:0.14 | svc nats-surveyor 7777 | pod nats-surveyor-0 natsio/nats-surveyor -> nothing

an application that is labelled as part of mongodb
svc shop 8080 label.app.kubernetes.io/part-of=mongodb label.app.kubernetes.io/instance=mongodb | pod shop-0 acme/shop:1 -> nothing

metrics of bitnami's mongodb
svc mongodb-metrics 9216:metrics=http-metrics sel.app=mongodb label.app.kubernetes.io/component=metrics label.app.kubernetes.io/name=mongodb | pod mongodb-0 bitnami/mongodb:7^27017/mongodb+bitnami/mongodb-exporter:0.40^9216/metrics -> nothing

exporters in a folder named for the store
svc redis-stats 6379:9121 | pod redis-stats-0 registry.local/exporters/redis:1 -> nothing

UDP is no port of a store, and neither is none
svc mongo headless | pod mongo-0 acme/x:1 -> nothing
";

/// Renamed, mirrored and nameless images.
const RENAMED: &str = "
mirror with another path
svc store 27017 | pod store-0 registry.local:5000/team/mongo:6 -> mongo=store:27017

a name of their own
svc db 5432 | pod db-0 registry.local/my-postgres:15 -> postgres=db:5432

digest of a known repository
svc cache 6379 | pod cache-0 docker.io/library/redis@sha256:0123456789abcdef -> redis=cache:6379

digest alone, labelled
svc store 6379 label.app.kubernetes.io/name=redis | pod store-0 registry.local/x@sha256:0123 -> redis=store:6379

digest alone, port called mongodb
svc store 27017=mongodb | pod store-0 sha256:0123 -> mongo=store:27017

digest alone, Service called postgres
svc postgres 5432 | pod postgres-0 registry.local/base/img-4711:1 -> postgres=postgres:5432

the program tells
svc store 6379 | pod store-0 debian:12 cmd=redis-server,--save,60 -> redis=store:6379

the program in a shell tells
svc store 4222 | pod store-0 registry.local/x:1 cmd=/bin/sh,-c,exec,/usr/bin/nats-server -> nats=store:4222

the mounted folder tells
svc storage 5432 | pod storage-0 registry.local/x:1 mount=/var/lib/postgresql/data -> postgres=storage:5432

cache with a port called redis: low, but enough
svc cache 6379=redis | pod cache-0 acme/thing:1 -> redis=cache:6379

cache labelled as redis
svc cache 6379 sel.app=redis | pod cache-0 acme/thing:1 label.app=redis -> redis=cache:6379

a redis of something else
svc orders-redis 6379 | pod orders-redis-0 acme/thing:1 | svc redis-orders 6379 | pod redis-orders-0 acme/thing:1 -> redis=orders-redis:6379 redis=redis-orders:6379

the database of keycloak is a postgres
svc keycloak-postgresql 5432=tcp-postgresql | pod keycloak-postgresql-0 registry.local/mirror/pg:16 -> postgres=keycloak-postgresql:5432

words apart
svc rabbit-mq 5672 | pod rabbit-mq-0 registry.local/q:1 -> rabbitmq=rabbit-mq:5672

numbered
svc redis1 6379 | pod redis1-a registry.local/q:1 label.app=redis1 -> redis=redis1:6379

keycloak by label, name and port
svc sso 8080 label.app.kubernetes.io/name=keycloak | pod sso-0 acme/login@sha256:12 -> keycloak=sso:8080

image of the kind at a port of its own
svc queue 7000 | pod queue-0 redis:7 -> redis=queue:7000

Service port 80 to the port of the store
svc search 80:9200 | pod search-0 registry.local/search/elasticsearch:8 -> elasticsearch=search:80

target by name
svc data 1234:pg | pod data-0 postgres:16^5432/pg -> postgres=data:1234

chart label
svc data 6379 label.helm.sh/chart=redis-18.1.0 | pod data-0 registry.local/x:1 -> redis=data:6379

a staging copy
svc postgres-test 5432 | pod postgres-test-0 registry.local/x:1 -> postgres=postgres-test:5432

istio's name of the protocol
svc store 27017=mongo-store | pod store-0 registry.local/x:1+docker.io/istio/proxyv2:1.20^15090 -> mongo=store:27017

scaled to nothing, told by its StatefulSet
svc store 27017 | set store mongo:6 -> mongo=store:27017

scaled to nothing, an exporter
svc redis 6379 | set redis oliver006/redis_exporter:v1.58 -> nothing

scaled to nothing, nothing known but names
svc redis 6379 -> redis=redis:6379
";

/// Several containers, several ports, several Services.
const TOGETHER: &str = "
an exporter as a second container
svc redis 6379,9121=metrics | pod redis-0 redis:7^6379+oliver006/redis_exporter:v1^9121/metrics -> redis=redis:6379

an exporter as a second container, nothing declared
svc redis 6379 | pod redis-0 redis:7+oliver006/redis_exporter:v1 -> redis=redis:6379

metrics Service beside the real one
svc pg 5432 | svc pg-metrics 9187 sel.app=pg | pod pg-0 bitnami/postgresql:15^5432+bitnami/postgres-exporter:0.15^9187 -> postgres=pg:5432

headless twin
svc mongodb 27017 | svc mongodb-headless 27017 headless sel.app=mongodb | pod mongodb-0 bitnami/mongodb:7 host -> mongo=mongodb:27017

master, replicas and headless are one
svc redis-master 6379 sel.app=redis sel.role=master | svc redis-replicas 6379 sel.app=redis sel.role=replica | svc redis-headless 6379 headless sel.app=redis | pod redis-master-0 bitnami/redis:7 label.app=redis label.role=master | pod redis-replicas-0 bitnami/redis:7 label.app=redis label.role=replica -> redis=redis-master:6379

primary and read by their roles
svc pg-primary 5432 sel.app.kubernetes.io/component=primary | svc pg-read 5432 sel.app.kubernetes.io/component=read | pod pg-a bitnami/postgresql:16 label.app.kubernetes.io/component=primary label.app.kubernetes.io/name=postgresql label.app.kubernetes.io/instance=pg | pod pg-b bitnami/postgresql:16 label.app.kubernetes.io/component=read label.app.kubernetes.io/name=postgresql label.app.kubernetes.io/instance=pg -> postgres=pg-primary:5432

rw, ro and r of cloudnative-pg
svc pg-rw 5432 sel.cnpg.io/cluster=pg sel.role=primary | svc pg-ro 5432 sel.cnpg.io/cluster=pg sel.role=replica | svc pg-r 5432 sel.cnpg.io/cluster=pg | pod pg-1 ghcr.io/cloudnative-pg/postgresql:16.1 label.cnpg.io/cluster=pg label.role=primary | pod pg-2 ghcr.io/cloudnative-pg/postgresql:16.1 label.cnpg.io/cluster=pg label.role=replica -> postgres=pg-rw:5432

two instances are two
svc redis-cache 6379 | pod redis-cache-0 redis:7 | svc redis-queue 6379 | pod redis-queue-0 redis:7 -> redis=redis-cache:6379 redis=redis-queue:6379

two releases of one name
svc a/redis 6379 | pod a/redis-0 redis:7 | svc b/redis 6379 | pod b/redis-0 redis:6 -> redis=redis:6379 redis=redis:6379

two stores in one pod, one Service
svc all 5432=pg,6379=cache | pod all-0 postgres:16^5432+redis:7^6379 -> postgres=all:5432 redis=all:6379

a proxy in the pod of the store leads to it
svc pg 5432:6432 | pod pg-0 postgres:16^5432+edoburu/pgbouncer:1.22^6432 -> postgres=pg:5432

a selector that takes the exporter too
svc redis 6379 sel.app=redis | pod redis-0 redis:7^6379 label.app=redis | pod redis-exporter-0 oliver006/redis_exporter:v1^9121 label.app=redis -> redis=redis:6379

rabbitmq's nodes and management beside its clients
svc rmq 5672=amqp | svc rmq-nodes 4369=epmd,25672=cluster-rpc headless sel.app=rmq | svc rmq-management 15672 sel.app=rmq | pod rmq-0 rabbitmq:3.13-management -> rabbitmq=rmq:5672

elastic's transport is no endpoint
svc q-es-http 9200 sel.app=es | svc q-es-transport 9300 headless sel.app=es | pod es-0 docker.elastic.co/elasticsearch/elasticsearch:8.12.0 | svc q-kb-http 5601 sel.app=kb | pod kb-0 docker.elastic.co/kibana/kibana:8.12.0 -> elasticsearch=q-es-http:9200

brokers of strimzi
svc my-kafka-bootstrap 9091=tcp-replication,9092=tcp-clients sel.strimzi.io/name=my-kafka | svc my-kafka-brokers 9090=tcp-ctrlplane,9092=tcp-clients headless sel.strimzi.io/name=my-kafka | pod my-kafka-0 quay.io/strimzi/kafka:0.40.0-kafka-3.7.0 label.strimzi.io/name=my-kafka label.strimzi.io/kind=Kafka -> kafka=my-kafka-bootstrap:9092

sentinel beside redis on one Service
svc redis 6379=tcp-redis,26379=tcp-sentinel | pod redis-node-0 bitnami/redis:7^6379+bitnami/redis-sentinel:7^26379 label.app=redis -> redis=redis:6379

galera
svc db-mariadb-galera 3306=mysql | svc db-mariadb-galera-headless 4567=galera,4568=ist,4444=sst headless sel.app=db-mariadb-galera | pod db-mariadb-galera-0 bitnami/mariadb-galera:11 -> mysql=db-mariadb-galera:3306

percona's cluster behind its haproxy
svc c-pxc 3306 headless | pod c-pxc-0 percona/percona-xtradb-cluster:8.0.35 | svc c-haproxy 3306 | pod c-haproxy-0 percona/percona-xtradb-cluster-operator:1.14.0-haproxy -> mysql=c-pxc:3306

a store and all its company
svc kafka 9092 | pod kafka-0 bitnami/kafka:3.6 | svc kafka-ui 8080 | pod kafka-ui-0 provectuslabs/kafka-ui | svc kafka-zookeeper 2181 | pod kafka-zookeeper-0 bitnami/zookeeper:3.9 | svc kafka-jmx-metrics 5556 | pod kafka-jmx-metrics-0 bitnami/jmx-exporter -> kafka=kafka:9092
";

/// Without pods, or seen from outside.
const ELSEWHERE: &str = "
ExternalName to a provider
svc db ext=shop.abc123.postgres.database.azure.com -> postgres=db:5432

ExternalName by its own name
svc postgres ext=db.example.com -> postgres=postgres:5432

ExternalName with a port that disagrees
svc redis 8085 ext=db.example.com -> nothing

ExternalName of a UI
svc redis-ui ext=redis.example.com -> nothing

ExternalName of an API
svc payments ext=api.example.com -> nothing

ExternalName to mongo's provider
svc data ext=cluster0.abcde.mongodb.net -> mongo=data:27017

ExternalName to a Service of the cluster is that one
svc app/cache ext=redis.infra.svc.cluster.local | svc infra/redis 6379 | pod infra/redis-0 redis:7 -> redis=redis:6379

ExternalName to a Service that is none
svc app/redis ext=shop.infra.svc.cluster.local | svc infra/shop 8080 | pod infra/shop-0 acme/shop -> nothing

ElastiCache may be either: the name tells
svc memcached ext=x.abc.cfg.use1.cache.amazonaws.com -> memcached=memcached:11211

slices by hand
svc postgres 5432 nosel | slice postgres 192.0.2.7 5432 -> postgres=postgres:5432

slices by hand that say nothing
svc legacy 5432 nosel | slice legacy 192.0.2.7 5432 -> nothing

load balancer with a host name
svc redis 6379 lb=a1b2.elb.example.com | pod redis-0 redis:7 -> redis=redis:6379

load balancer that is pending
svc redis 6379 lb | pod redis-0 redis:7 -> redis=redis:6379
";

/// As operators and vendors ship them.
const VENDORS: &str = "
valkey and keydb and dragonfly
svc a 6379 | pod a-0 valkey/valkey:8.0 | svc b 6379 | pod b-0 eqalpha/keydb:x86_64_v6.3.4 | svc c 6379 | pod c-0 docker.dragonflydb.io/dragonflydb/dragonfly:v1.15 -> redis=a:6379 redis=b:6379 redis=c:6379

zalando's spilo
svc acid-minimal 5432 | pod acid-minimal-0 ghcr.io/zalando/spilo-15:3.0-p1 -> postgres=acid-minimal:5432

crunchy
svc hippo-primary 5432 | pod hippo-primary-0 registry.developers.crunchydata.com/crunchydata/crunchy-postgres:ubi8-16.1-0 | svc hippo-pgbouncer 5432 | pod hippo-pgbouncer-0 registry.developers.crunchydata.com/crunchydata/crunchy-pgbouncer:ubi8-1.21 -> postgres=hippo-primary:5432

percona's one repository
svc c-ha 5432 | pod c-ha-0 percona/percona-postgresql-operator:2.3.1-ppg16-postgres | svc c-pgbouncer 5432 | pod c-pgbouncer-0 percona/percona-postgresql-operator:2.3.1-ppg16-pgbouncer -> postgres=c-ha:5432

mongodb's operator
svc example-mongodb-svc 27017 headless | pod example-mongodb-svc-0 docker.io/mongodb/mongodb-community-server:6.0.5-ubi8^27017+quay.io/mongodb/mongodb-agent:107 -> mongo=example-mongodb-svc:27017

chainguard, legacy bitnami, Red Hat
svc a 5432 | pod a-0 cgr.dev/chainguard/postgres:latest | svc b 27017 | pod b-0 bitnamilegacy/mongodb:7 | svc c 3306 | pod c-0 registry.redhat.io/rhel8/mysql-80:1 -> postgres=a:5432 mongo=b:27017 mysql=c:3306

timescale, pgvector, postgis
svc a 5432 | pod a-0 timescale/timescaledb:2.14.2-pg16 | svc b 5432 | pod b-0 pgvector/pgvector:pg16 | svc c 5432 | pod c-0 postgis/postgis:16-3.4 -> postgres=a:5432 postgres=b:5432 postgres=c:5432

confluent and redpanda
svc a 9092 | pod a-0 confluentinc/cp-kafka:7.5 | svc b 9093,9644,8082 | pod b-0 docker.redpanda.com/redpandadata/redpanda:v23.3 | svc redpanda-console 8080 | pod redpanda-console-0 docker.redpanda.com/redpandadata/console:v2.4 -> kafka=a:9092 kafka=b:9093

k8ssandra and scylla
svc dc1-service 9042=native,8080=mgmt-api | pod dc1-service-0 k8ssandra/cass-management-api:4.1 | svc scylla-client 9042 | pod scylla-client-0 scylladb/scylla:5.4 | svc reaper 8080 | pod reaper-0 thelastpickle/cassandra-reaper:3 -> cassandra=dc1-service:9042 cassandra=scylla-client:9042

openbao
svc bao 8200 | pod bao-0 quay.io/openbao/openbao:2.0 -> vault=bao:8200

minio of a tenant
svc minio 443:9000=https-minio sel.v1.min.io/tenant=t | svc t-console 9443 sel.v1.min.io/tenant=t | svc t-hl 9000 headless sel.v1.min.io/tenant=t | pod t-pool-0 quay.io/minio/minio:RELEASE.2024-01-01T00-00-00Z^9000+quay.io/minio/operator-sidecar:v6 label.v1.min.io/tenant=t -> minio=minio:443

redis-stack without its insight
svc redis-stack 6379,8001 | pod redis-stack-0 redis/redis-stack:7.2.0-v6 -> redis=redis-stack:6379
";
