//! A cluster by address, token and CA, where the token may use one namespace and nothing else: as most people have it.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use kube::api::{Api, ListParams};
use serde_json::json;

use super::clusters::{authority, end, space, token};
use crate::support::cluster::{Nodes, corner};
use crate::support::tester::{SECRET, Tester};

const FILE: &str = r#"
services:
  web:
    image: registry.test/shop/web:1.0
    ports: ["8080:80"]
    environment:
      REDIS_URL: redis://cache:6379
      API_TOKEN: ${API_TOKEN:?the token of the payment service}
  cache:
    image: redis:7
    expose: ["6379"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn one_namespace_is_enough() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let namespace = space(&corner, "bytoken").await;
    let groups = ["", "apps", "batch", "networking.k8s.io", "discovery.k8s.io"];
    let token = token(&corner, &namespace, json!([{ "apiGroups": groups, "resources": ["*"], "verbs": ["*"] }])).await;
    let kubeconfig = kube::config::Kubeconfig::read_from(corner.kubeconfig()).unwrap();
    let server = kubeconfig.clusters[0].cluster.as_ref().unwrap().server.clone().unwrap();

    let mut t = Tester::prepare(&[], &[("GAGGLE_CLUSTERS__ALLOW_ADDRESSES", "127.0.0.0/8")]);
    t.catalogue(&[("shop.yaml", FILE)]);
    t.launch();
    t.ready().await;

    let asked = t.begin(&format!("/cluster add prod --namespace {namespace}")).await;
    let values = json!({ "server": server, "token": token, "ca": authority(&corner) });
    t.operator().fill(&asked.form().await, values).await.end().await.ok();
    let added = asked.end().await.ok().has("Added the cluster `prod`");
    assert!(!format!("{:?}", added.events).contains(&token), "a token is no part of an answer");
    t.say("/cluster check prod").await.ok().has(&namespace);
    t.say("/infra scan --all-namespaces").await.ok().has("Nothing can be said of all namespaces");
    t.say("/service deploy shop:cache --as cache --yes").await.ok().has("Deployed `cache`");
    t.say("/infra scan").await.ok().has(&format!("cache.{namespace}.svc.cluster.local:6379"));

    let asked = t.begin("/service deploy shop:web --as web").await;
    let form = asked.event("the variables", |e| e["type"] == "form").await;
    let suggested = form["fields"].as_array().unwrap().iter().find(|field| field["name"] == "REDIS_URL").unwrap();
    assert!(suggested["value"].as_str().unwrap().contains(&format!("cache.{namespace}.svc")), "{suggested}");
    let first = form["form"].as_str().unwrap();
    let filled = t.operator().fill(first, json!({ "API_TOKEN": SECRET })).await;
    let confirm = asked.event("a question", |e| e["type"] == "form" && e["form"] != first).await;
    t.operator().fill(confirm["form"].as_str().unwrap(), json!({})).await.end().await.ok();
    filled.end().await.ok();
    asked.end().await.ok().has("Deployed `web`");
    t.say("/service status web").await.ok().has("is ready");
    t.say("/service logs web --tail 1").await.ok();
    t.say("/service delete web --yes").await.ok();
    t.say("/service delete cache --yes").await.ok();

    let all = ListParams::default().labels("gaggle.dev/release-id");
    let client = || corner.client.clone();
    assert!(Api::<Deployment>::namespaced(client(), &namespace).list(&all).await.unwrap().items.is_empty());
    assert!(Api::<Service>::namespaced(client(), &namespace).list(&all).await.unwrap().items.is_empty());
    assert!(Api::<ConfigMap>::namespaced(client(), &namespace).list(&all).await.unwrap().items.is_empty());
    assert!(Api::<Secret>::namespaced(client(), &namespace).list(&all).await.unwrap().items.is_empty());
    t.say("/cluster remove prod --yes").await.ok();
    t.done().await;
    end(&corner, &namespace).await;
}
