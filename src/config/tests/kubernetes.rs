//! What is said of projects on a cluster, in the file and by variables.

use std::time::Duration;

use gaggle_commands::Expose;
use secrecy::ExposeSecret as _;

use super::{load, owned};
use crate::config::{Config, RuntimeKind};
use crate::runtime::kubernetes::options::{Connect, Options};

const KIND: &str = "[runtime]\nkind = 'kubernetes'\n";

fn with(toml: &str, variables: &[(&str, &str)]) -> Config {
    load(&format!("{KIND}{toml}"), variables).unwrap()
}

#[test]
fn nothing_needs_to_be_said() {
    let config = with("", &[]);
    assert_eq!(config.runtime.kind, RuntimeKind::Kubernetes);
    assert_eq!(format!("{:?}", config.kubernetes), format!("{:?}", Options::default()));
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn tables_are_written_in_variables_as_in_the_file() {
    let toml = "[agent]\nname = 'demo'\nprotocol = 'acp'\nenv = { A = 'hunter2' }\n[kubernetes]\nargs = []\nenv = { B = 'hunter2' }\n\
                quota = true\nlimits = false\nconnect = 'pod'\nstop_grace = '90s'\ntolerations = [{ operator = 'Exists' }]\n";
    let config = with(
        toml,
        &[
            ("GAGGLE_KUBERNETES__QUOTA", "{ pods = 0, \"requests.cpu\" = '1.5' }"),
            ("GAGGLE_KUBERNETES__NETWORK_POLICY", "false"),
            ("GAGGLE_KUBERNETES__POD_SECURITY", "baseline"),
            ("GAGGLE_KUBERNETES__COMMAND", "goose 'hunter2 x'"),
            ("GAGGLE_KUBERNETES__NODE_SELECTOR", "type=agents, kubernetes.io/arch=arm64"),
            ("GAGGLE_KUBERNETES__STORAGE", "{ size = '1Gi', access_mode = 'ReadWriteMany' }"),
            ("GAGGLE_KUBERNETES__EXPOSE", "load-balancer"),
        ],
    );
    let options = &config.kubernetes;
    assert_eq!(options.command.0, ["goose", "hunter2 x"]);
    assert!(options.args.0.is_empty());
    assert_eq!(options.agent_env.0, owned(&[("A", "hunter2")]));
    assert_eq!(options.env.0, owned(&[("B", "hunter2")]));
    let quota = serde_json::to_string(&options.quota).unwrap();
    assert_eq!(quota, r#"{"pods":"0","requests.cpu":"1.5"}"#);
    assert!(options.limits.is_none() && options.network_policy.is_none());
    assert_eq!(options.pod_security, Some("baseline"));
    assert_eq!(options.node_selector["kubernetes.io/arch"], "arm64");
    assert_eq!((options.connect, options.expose), (Connect::Pod, Expose::LoadBalancer));
    assert_eq!(options.stop_grace, Duration::from_secs(90));
    assert_eq!(config.warnings, ["agent.name has no effect while `runtime.kind` is `kubernetes`"]);
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
}

#[test]
fn the_names_of_others_stand_between_the_file_and_ours() {
    let others = [
        ("ACR_IMAGE", "acr.example.com/goose:1"),
        ("KUBE_NAMESPACE_PREFIX", "team-"),
        ("INGRESS_BASE_DOMAIN", "agents.example.com"),
        ("GOOSE_API_PORT", "8080"),
    ];
    let toml = "[kubernetes]\nimage = 'file'\nport = 1\ningress = { domain = 'file', class = 'nginx' }";
    let options = with(toml, &others).kubernetes;
    assert_eq!((options.image.as_str(), options.port), ("acr.example.com/goose:1", 8080));
    assert_eq!(options.namespace_prefix, "team-");
    let ingress = options.ingress.unwrap();
    assert_eq!((ingress.domain.as_str(), ingress.class.as_deref()), ("agents.example.com", Some("nginx")));
    let mut all = others.to_vec();
    all.extend([("GAGGLE_KUBERNETES__PORT", "9090"), ("GAGGLE_KUBERNETES__INGRESS", "{ domain = 'ours' }")]);
    let options = with(toml, &all).kubernetes;
    assert_eq!((options.port, options.ingress.unwrap().domain), (9090, "ours".to_owned()));
    assert!(with("", &[("ACR_IMAGE", ""), ("GOOSE_API_PORT", " ")]).kubernetes.port == 3001);
    // Elsewhere they mean nothing, whatever they say.
    let local = load("", &[("ACR_IMAGE", "http://x"), ("GOOSE_API_PORT", "x"), ("INGRESS_BASE_DOMAIN", "..")]).unwrap();
    assert_eq!(local.warnings, [""; 0]);
    assert!(local.kubernetes.ingress.is_none());
}

#[test]
fn what_has_no_effect_is_said_once() {
    let config = load("[kubernetes]\nport = 80\nimage = 'x'", &[]).unwrap();
    assert_eq!(config.warnings, ["[kubernetes] has no effect while `runtime.kind` is `local`"]);
}

#[test]
fn the_way_to_the_cluster_is_collected_and_shows_no_secret() {
    let config = with(
        "",
        &[
            ("KUBECONFIG_BASE64", ""),
            ("KUBE_CONFIG_BASE64", "hunter2"),
            ("KUBECONFIG", "/a:/b"),
            ("KUBE_HOST", "https://10.0.0.1"),
            ("KUBE_TOKEN", "hunter2"),
            ("KUBE_CA", "hunter2"),
            ("HOME", "/root"),
        ],
    );
    assert!(!format!("{config:?}").contains("hunter2"));
    let (name, value) = config.cluster.kubeconfig_base64.unwrap();
    assert_eq!((name, value.expose_secret()), ("KUBE_CONFIG_BASE64", "hunter2"));
    assert_eq!(config.cluster.kubeconfig.as_deref(), Some("/a:/b"));
    assert_eq!(config.cluster.host.as_deref(), Some("https://10.0.0.1"));
    assert!(config.cluster.token.is_some() && config.cluster.ca.is_some() && config.cluster.home.is_some());
}
