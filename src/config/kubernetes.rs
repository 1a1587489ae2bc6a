//! `[kubernetes]`: what projects are on a cluster. The way to the cluster is told by variables that others named.
//!
//! Invariant: what the API server would refuse by its form is a fault here, with the key that says it.

pub mod forms;

use std::collections::BTreeMap;

use gaggle_commands::{Expose, ImageRef};

use super::RuntimeKind;
use super::agent::{Agent, env};
use super::reader::Reader;
use crate::runtime::kubernetes::names;
use crate::runtime::kubernetes::options::{self, Connect, Variables, Words};
pub use crate::runtime::kubernetes::options::{Access, Options};
use crate::runtime::kubernetes::tables::{Amount, Amounts, Ingress, Limits, Resources, Storage, Toleration, Walls};

type Said<T> = Result<T, (&'static str, &'static str)>;

pub fn read(reader: &mut Reader, kind: Option<RuntimeKind>, agent: &Agent) -> Options {
    if kind == Some(RuntimeKind::Kubernetes) {
        reader.alias("ACR_IMAGE", "kubernetes.image");
        reader.alias("KUBE_NAMESPACE_PREFIX", "kubernetes.namespace_prefix");
        reader.alias("GOOSE_API_PORT", "kubernetes.port");
    } else if let Some(kind) = kind.filter(|_| reader.is_any_set("kubernetes")) {
        reader.warn(format!("[kubernetes] has no effect while `runtime.kind` is `{}`", kind.as_str()));
    }
    let usual = Options::default();
    let policies = [("Always", "Always"), ("IfNotPresent", "IfNotPresent"), ("Never", "Never")];
    let options = Options {
        image: reader.parsed("kubernetes.image", image).unwrap_or(usual.image),
        command: reader.list("kubernetes.command").map_or(usual.command, Words),
        args: reader.list("kubernetes.args").map_or(usual.args, Words),
        port: reader.count("kubernetes.port").and_then(|port| port.try_into().ok()).unwrap_or(usual.port),
        protocol: agent.protocol,
        pull_policy: reader.choice("kubernetes.pull_policy", &policies),
        pull_secrets: pull_secrets(reader),
        agent_env: Variables(agent.env.clone()),
        env: Variables(env(reader, "kubernetes.env")),
        node_selector: node_selector(reader),
        tolerations: tolerations(reader),
        resources: resources(reader),
        run_as_user: reader.count("kubernetes.run_as_user").and_then(|id| id.try_into().ok()).unwrap_or(usual.run_as_user),
        namespace_prefix: reader.parsed("kubernetes.namespace_prefix", prefix).unwrap_or(usual.namespace_prefix),
        instance: reader.parsed("kubernetes.instance", instance).unwrap_or(usual.instance),
        activation_timeout: reader.time("kubernetes.activation_timeout").unwrap_or(usual.activation_timeout),
        stop_grace: reader.time("kubernetes.stop_grace").unwrap_or(usual.stop_grace),
        quota: quota(reader),
        limits: limits(reader),
        network_policy: network_policy(reader),
        pod_security: pod_security(reader),
        storage: storage(reader),
        connect: connect(reader).unwrap_or(usual.connect),
        expose: expose(reader).unwrap_or(usual.expose),
        ingress: ingress(reader, kind),
        clone_image: reader.parsed("kubernetes.clone_image", image).unwrap_or(usual.clone_image),
        clone_protocols: usual.clone_protocols,
    };
    contradictions(reader, &options);
    options
}

/// Only what is there; what of it is taken, and whether it is any good, is not decided here.
pub fn access(reader: &mut Reader) -> Access {
    let base64 = ["KUBECONFIG_BASE64", "KUBE_CONFIG_BASE64"];
    Access {
        kubeconfig_base64: base64.into_iter().find_map(|name| Some((name, reader.foreign(name)?.into()))),
        kubeconfig: reader.foreign("KUBECONFIG"),
        host: reader.foreign("KUBE_HOST"),
        token: reader.foreign("KUBE_TOKEN").map(Into::into),
        ca: reader.foreign("KUBE_CA").map(Into::into),
        home: reader.foreign("HOME").map(Into::into),
    }
}

fn image(text: &str) -> Said<String> {
    let image = text.parse::<ImageRef>().map(|image| image.0);
    image.map_err(|_| ("is no image", "name it as `ghcr.io/acme/goose:1.2`, without a scheme and without spaces"))
}

fn prefix(text: &str) -> Said<String> {
    // A prefix of nothing, or of `kube-`, could make somebody the owner of the cluster's own namespaces.
    let fits = text.len() <= names::PREFIX && names::is_label(&format!("{text}x")) && !text.starts_with("kube-");
    fits.then(|| text.to_owned())
        .ok_or(("begins no name of a namespace", "give it up to 23 of a–z, 0–9 and -, no - first and not `kube-`, as \"user-\""))
}

fn instance(text: &str) -> Said<String> {
    names::is_label_value(text)
        .then(|| text.to_owned())
        .ok_or(("is no value of a label", "give it up to 63 of A–Z, a–z, 0–9, -, _ and ., as \"gaggle\""))
}

fn pull_secrets(reader: &mut Reader) -> Vec<String> {
    let names = reader.list("kubernetes.pull_secrets").unwrap_or_default();
    if let Some(place) = names.iter().position(|name| !names::is_domain(name)) {
        let what = format!("has no name of a Secret as entry {}", place + 1);
        reader.fault("kubernetes.pull_secrets", what, "name Secrets of the owners' namespaces, as [\"registry\"]");
    }
    names
}

fn node_selector(reader: &mut Reader) -> BTreeMap<String, String> {
    let pairs = reader.pairs("kubernetes.node_selector").unwrap_or_default();
    if let Some(place) = pairs.iter().position(|(name, value)| !names::is_label_name(name) || !names::is_label_value(value)) {
        let what = format!("has no label as entry {}", place + 1);
        reader.fault("kubernetes.node_selector", what, "write labels of nodes, as { \"kubernetes.io/arch\" = \"amd64\" }");
    }
    pairs.into_iter().collect()
}

fn tolerations(reader: &mut Reader) -> Vec<Toleration> {
    const KEY: &str = "kubernetes.tolerations";
    let all: Vec<Toleration> = reader.toml(KEY).and_then(|value| reader.table(KEY, value)).unwrap_or_default();
    if let Some(place) = all.iter().position(|toleration| !toleration.is_possible()) {
        reader.wrong(KEY, format!("contradicts itself in entry {}", place + 1));
    }
    all
}

fn resources(reader: &mut Reader) -> Resources {
    const KEY: &str = "kubernetes.resources";
    let resources: Resources = reader.toml(KEY).and_then(|value| reader.table(KEY, value)).unwrap_or_default();
    let limit = |name| resources.limits.get(name).map(Amount::value);
    if resources.requests.iter().any(|(name, request)| limit(name).is_some_and(|limit| request.value() > limit)) {
        reader.wrong(KEY, "requests more than its limits allow");
    }
    named(reader, KEY, &[&resources.requests, &resources.limits]);
    resources
}

fn quota(reader: &mut Reader) -> Option<Amounts> {
    let quota = switch(reader, "kubernetes.quota", options::quota)?;
    named(reader, "kubernetes.quota", &[&quota]);
    Some(quota)
}

fn limits(reader: &mut Reader) -> Option<Limits> {
    let limits = switch(reader, "kubernetes.limits", Limits::default)?;
    named(reader, "kubernetes.limits", &[&limits.usual, &limits.default_request, &limits.max]);
    Some(limits)
}

fn network_policy(reader: &mut Reader) -> Option<Walls> {
    const KEY: &str = "kubernetes.network_policy";
    let walls = switch(reader, KEY, Walls::default)?;
    if !walls.ingress_namespaces.iter().all(|name| names::is_label(name)) {
        reader.wrong(KEY, "has no name of a namespace in `ingress_namespaces`");
    }
    Some(walls)
}

/// Whether these can be names of resources.
fn named(reader: &mut Reader, key: &'static str, amounts: &[&Amounts]) {
    if !amounts.iter().all(|amounts| amounts.keys().all(|name| names::is_label_name(name))) {
        reader.wrong(key, "has a name that no resource can have");
    }
}

/// `true`: as we have it. `false`: without.
fn switch<T: serde::de::DeserializeOwned>(reader: &mut Reader, key: &'static str, usual: impl Fn() -> T) -> Option<T> {
    match reader.toml(key) {
        None | Some(toml::Value::Boolean(true)) => Some(usual()),
        Some(toml::Value::Boolean(false)) => None,
        Some(value) => reader.table(key, value),
    }
}

fn pod_security(reader: &mut Reader) -> Option<&'static str> {
    const KEY: &str = "kubernetes.pod_security";
    match reader.toml(KEY) {
        None | Some(toml::Value::Boolean(true)) => Some("restricted"),
        Some(toml::Value::Boolean(false)) => None,
        Some(value) => {
            let level = ["restricted", "baseline", "privileged"].into_iter().find(|level| value.as_str() == Some(level));
            if level.is_none() {
                reader.wrong(KEY, "is no level of Pod Security");
            }
            level
        }
    }
}

fn storage(reader: &mut Reader) -> Storage {
    const KEY: &str = "kubernetes.storage";
    let storage: Storage = reader.toml(KEY).and_then(|value| reader.table(KEY, value)).unwrap_or_default();
    if storage.class.as_ref().is_some_and(|class| !names::is_domain(class)) {
        reader.wrong(KEY, "has no name of a StorageClass as `class`");
    }
    if storage.size.as_ref().is_some_and(|size| size.value() < 1_048_576.0) {
        reader.wrong(KEY, "has less than a mebibyte as `size`");
    }
    storage
}

fn connect(reader: &mut Reader) -> Option<Connect> {
    let ways = [
        ("auto", Connect::Auto),
        ("service", Connect::Service),
        ("pod", Connect::Pod),
        ("port-forward", Connect::PortForward),
        ("ingress", Connect::Ingress),
    ];
    reader.choice("kubernetes.connect", &ways)
}

fn expose(reader: &mut Reader) -> Option<Expose> {
    let ways = [
        ("cluster", Expose::Cluster),
        ("node-port", Expose::NodePort),
        ("load-balancer", Expose::LoadBalancer),
        ("ingress", Expose::Ingress),
    ];
    reader.choice("kubernetes.expose", &ways)
}

fn ingress(reader: &mut Reader, kind: Option<RuntimeKind>) -> Option<Ingress> {
    const KEY: &str = "kubernetes.ingress";
    let mut value = match reader.toml(KEY) {
        Some(toml::Value::Boolean(false)) => None,
        other => other,
    };
    if kind == Some(RuntimeKind::Kubernetes)
        && !reader.is_by_variable(KEY)
        && let Some(domain) = reader.foreign("INGRESS_BASE_DOMAIN")
        && let Some(table) = value.get_or_insert_with(|| toml::Table::new().into()).as_table_mut()
    {
        table.insert("domain".to_owned(), domain.into());
    }
    let ingress: Ingress = reader.table(KEY, value?)?;
    let secret = ingress.tls_secret.as_deref().map(|pattern| pattern.replace("{project}", "p").replace("{owner}", "o"));
    let what = if !names::is_domain(&ingress.domain) || ingress.domain.len() > 180 {
        "has no domain as `domain`"
    } else if ingress.class.as_ref().is_some_and(|class| !names::is_domain(class)) {
        "has no name of an IngressClass as `class`"
    } else if secret.is_some_and(|name| !names::is_domain(&name) || name.len() > 63) {
        "has no name of a Secret as `tls_secret`"
    } else if !ingress.annotations.keys().all(|name| names::is_label_name(name)) {
        "has a name in `annotations` that none can have"
    } else {
        return Some(ingress);
    };
    reader.wrong(KEY, what);
    None
}

/// Two settings that cannot both be meant.
fn contradictions(reader: &mut Reader, options: &Options) {
    if !reader.is_whole() || options.ingress.is_some() || reader.is_set("kubernetes.ingress") {
        return;
    }
    for (key, is) in
        [("kubernetes.connect", options.connect == Connect::Ingress), ("kubernetes.expose", options.expose == Expose::Ingress)]
    {
        if is {
            let what = "is `ingress`, but no host names are given out";
            reader.fault(key, what, "set `kubernetes.ingress`, as { domain = \"agents.example.com\" }");
        }
    }
}
