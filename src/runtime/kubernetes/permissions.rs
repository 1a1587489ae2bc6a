//! What Gaggle may need to do in the cluster: the table from which `gaggle check` asks, that of scans and releases, and the
//! least-privilege RBAC of `deploy/`, which is made from both.

use futures_util::future::join_all;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{Api, PostParams};

use super::client::Clients;
use super::trouble::{Trouble, retried};

pub struct Rule {
    pub group: &'static str,
    /// With its subresource: `pods/log`.
    pub resource: &'static str,
    pub verbs: &'static [&'static str],
    /// What it is for.
    pub why: &'static str,
}

const fn rule(group: &'static str, resource: &'static str, verbs: &'static [&'static str], why: &'static str) -> Rule {
    Rule { group, resource, verbs, why }
}

/// A watch begins with a list; an apply is a patch, which also creates where `create` is allowed.
const OWN: &[&str] = &["list", "watch", "create", "patch", "delete"];

pub const RULES: &[Rule] = &[
    rule("", "namespaces", &["get", "list", "watch", "create", "patch", "delete"], "one namespace for each owner"),
    rule("", "resourcequotas", OWN, "what an owner's projects may use together"),
    rule("", "limitranges", OWN, "what one container may use"),
    rule("networking.k8s.io", "networkpolicies", OWN, "projects cannot reach each other"),
    rule("", "serviceaccounts", OWN, "agents have no rights in the cluster"),
    rule("", "secrets", &["get", "list", "create", "patch", "delete"], "keys of agents; never watched"),
    rule("", "configmaps", OWN, "variables of agents"),
    rule("", "persistentvolumeclaims", OWN, "disks"),
    rule("", "services", OWN, "the agent's address"),
    rule("networking.k8s.io", "ingresses", OWN, "the agent's host name"),
    rule("apps", "deployments", OWN, "the agent"),
    rule("", "pods", &["list", "watch", "delete"], "how it stands; pods of lost nodes are taken out"),
    rule("", "events", &["list", "watch"], "why something does not start"),
    rule("", "pods/log", &["get"], "/project logs"),
    rule("", "pods/exec", &["get", "create"], "/project exec"),
    rule("", "pods/portforward", &["get", "create"], "the way to agents from outside"),
    rule("metrics.k8s.io", "pods", &["get"], "/project status"),
    rule("apps", "statefulsets", &["list"], "whether a namespace is empty"),
    rule("apps", "daemonsets", &["list"], "whether a namespace is empty"),
    rule("batch", "jobs", &["list"], "whether a namespace is empty"),
    rule("batch", "cronjobs", &["list"], "whether a namespace is empty"),
];

/// What changes there and is looked at whole.
const MADE: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
const LISTED: &[&str] = &["list"];
const EMPTY: &str = "whether a namespace that was made for releases is empty";

/// What scans and releases need where they are, in Gaggle's own cluster or in another; a role of its own, for who wants them.
pub const RELEASES: &[Rule] = &[
    rule("", "namespaces", MADE, "releases are there, and may make theirs"),
    rule("", "configmaps", MADE, "variables and files"),
    rule("", "secrets", &["get", "list", "create", "patch", "delete"], "secret ones; scans read their names alone"),
    rule("", "persistentvolumeclaims", MADE, "volumes"),
    rule("", "services", MADE, "names and ports; what a scan finds"),
    rule("discovery.k8s.io", "endpointslices", LISTED, "which endpoints are ready"),
    rule("apps", "deployments", MADE, "services"),
    rule("apps", "statefulsets", MADE, "services with volumes of their own"),
    rule("apps", "daemonsets", MADE, "services on every node"),
    rule("batch", "jobs", MADE, "services that end"),
    rule("networking.k8s.io", "ingresses", MADE, "host names"),
    rule("", "pods", &["list", "watch"], "how releases stand; images behind Services"),
    rule("", "events", &["list", "watch"], "why something does not start"),
    rule("", "pods/log", &["get"], "/service logs"),
    rule("", "pods/exec", &["get", "create"], "/service exec"),
    rule("", "pods/portforward", &["get", "create"], "/service port-forward"),
    rule("", "nodes", LISTED, "addresses of node ports"),
    rule("apiextensions.k8s.io", "customresourcedefinitions", LISTED, "which operators there are"),
    rule("", "serviceaccounts", LISTED, EMPTY),
    rule("rbac.authorization.k8s.io", "roles", LISTED, EMPTY),
    rule("rbac.authorization.k8s.io", "rolebindings", LISTED, EMPTY),
    rule("networking.k8s.io", "networkpolicies", LISTED, EMPTY),
    rule("apps", "replicasets", LISTED, EMPTY),
    rule("batch", "cronjobs", LISTED, EMPTY),
    rule("autoscaling", "horizontalpodautoscalers", LISTED, EMPTY),
    rule("policy", "poddisruptionbudgets", LISTED, EMPTY),
];

/// Which verbs of each rule are granted: (rule, verb, granted).
pub async fn review(clients: &Clients) -> Result<Vec<(&'static Rule, Vec<(&'static str, bool)>)>, Trouble> {
    let api: Api<SelfSubjectAccessReview> = Api::all(clients.calls.clone());
    let asked = RULES.iter().map(|rule| {
        let api = &api;
        async move {
            let verbs = rule.verbs.iter().map(|verb| async move { Ok((*verb, allowed(api, rule, verb).await?)) });
            let verbs: Result<Vec<_>, Trouble> = join_all(verbs).await.into_iter().collect();
            Ok((rule, verbs?))
        }
    });
    join_all(asked).await.into_iter().collect()
}

async fn allowed(api: &Api<SelfSubjectAccessReview>, rule: &Rule, verb: &str) -> Result<bool, Trouble> {
    let (resource, subresource) = match rule.resource.split_once('/') {
        Some((resource, sub)) => (resource, Some(sub.to_owned())),
        None => (rule.resource, None),
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(rule.group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource,
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = retried(|| async { api.create(&PostParams::default(), &review).await }).await?;
    Ok(answer.status.is_some_and(|s| s.allowed))
}

/// Whom the server takes Gaggle for.
pub async fn who(clients: &Clients) -> Result<String, Trouble> {
    let api: Api<SelfSubjectReview> = Api::all(clients.calls.clone());
    let answer = retried(|| async { api.create(&PostParams::default(), &SelfSubjectReview::default()).await }).await?;
    let name = answer.status.and_then(|status| status.user_info).and_then(|user| user.username);
    name.ok_or_else(|| Trouble::Other("the API server does not say who Gaggle is".into()))
}

/// Gives the ClusterRole of the same name to whom the server calls `who`, as YAML.
pub fn cluster_role_binding(name: &str, who: &str) -> String {
    let subject = match who.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
        Some((namespace, account)) => format!("kind: ServiceAccount\n    name: {account}\n    namespace: {namespace}"),
        // As JSON, which YAML takes for a text whatever is in it.
        None => format!("kind: User\n    apiGroup: rbac.authorization.k8s.io\n    name: {}", serde_json::json!(who)),
    };
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata:\n  name: {name}\nroleRef:\n  \
         apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: {name}\nsubjects:\n  - {subject}\n"
    )
}

/// A ClusterRole with these rules, as YAML.
pub fn cluster_role<'a>(name: &str, rules: impl IntoIterator<Item = (&'a Rule, Vec<&'a str>)>) -> String {
    let mut text = format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: {name}\nrules:\n");
    for (rule, verbs) in rules {
        text.push_str(&format!(
            "  # {}\n  - apiGroups: [\"{}\"]\n    resources: [\"{}\"]\n    verbs: [{}]\n",
            rule.why,
            rule.group,
            rule.resource,
            verbs.iter().map(|v| format!("\"{v}\"")).collect::<Vec<_>>().join(", "),
        ));
    }
    text
}

/// A ClusterRole with all of these, as `deploy/` grants it.
pub fn whole_role(name: &str, rules: &[Rule]) -> String {
    cluster_role(name, rules.iter().map(|rule| (rule, rule.verbs.to_vec())))
}
