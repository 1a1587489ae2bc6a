//! What a cluster is, and what may be done there: asked once, before the cluster is kept, and again on demand.
//!
//! Invariants: changes nothing in the cluster; a bounded number of questions is under way at once; what may not be looked at is told
//! apart from what is not there.

mod operators;

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::{Request, StatusCode};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::{Namespace, Node};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams, PartialObjectMeta, PostParams};
use kube::client::Body;
use serde_json::Value;
use tokio::time::timeout;

use super::connection::Connection;
use super::failure::Failure;
use crate::model::{Identity, Known, May, Timestamp, Verified};
use crate::runtime::kubernetes::trouble::{Trouble, retried};

/// How long the first answer may take.
const FIRST: Duration = Duration::from_secs(8);
/// The longest answer to `/version`.
const LONGEST: usize = 64 * 1024;
/// Questions that are under way at once.
const AT_ONCE: usize = 8;
/// Objects of one page.
const PAGE: u32 = 500;

struct Question {
    group: &'static str,
    /// With its subresource.
    resource: &'static str,
    verbs: &'static [&'static str],
    namespaced: bool,
}

const fn inside(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Question {
    Question { group, resource, verbs, namespaced: true }
}

const fn whole(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Question {
    Question { group, resource, verbs, namespaced: false }
}

const READ: &[&str] = &["get", "list"];
const WRITE: &[&str] = &["create", "patch", "delete"];
const BOTH: &[&str] = &["get", "list", "create", "patch", "delete"];

const QUESTIONS: &[Question] = &[
    whole("", "namespaces", &["list", "create"]),
    whole("", "nodes", &["list"]),
    inside("", "pods", READ),
    inside("", "pods/log", &["get"]),
    inside("", "pods/exec", &["create"]),
    inside("", "pods/portforward", &["create"]),
    inside("", "services", BOTH),
    inside("discovery.k8s.io", "endpointslices", READ),
    inside("", "secrets", BOTH),
    inside("", "configmaps", WRITE),
    inside("", "persistentvolumeclaims", WRITE),
    inside("apps", "deployments", WRITE),
    inside("apps", "statefulsets", WRITE),
    inside("batch", "jobs", WRITE),
    inside("networking.k8s.io", "ingresses", WRITE),
];

/// Asks the cluster, and asks for rights in this namespace.
pub async fn verify(connection: &Connection, namespace: &str) -> Result<Verified, Failure> {
    let version = version(connection).await?;
    let asked = async {
        tokio::try_join!(
            identity(connection),
            may(connection, namespace),
            exists(connection, namespace),
            nodes(connection),
            operators(connection),
        )
    };
    let (identity, may, namespace_exists, nodes, operators) = asked.await.map_err(|failure| cleaned(connection, failure))?;
    Ok(Verified {
        at: Timestamp::now(),
        version,
        identity,
        namespace: namespace.to_owned(),
        namespace_exists,
        nodes,
        operators,
        may,
    })
}

/// Without what the server was sent, should it repeat it.
fn cleaned(connection: &Connection, failure: Failure) -> Failure {
    match failure {
        Failure::Forbidden(what) => Failure::Forbidden(connection.clean(&what)),
        Failure::NotKubernetes(what) => Failure::NotKubernetes(connection.clean(&what)),
        Failure::Network(what) => Failure::Network(connection.clean(&what)),
        Failure::Other(what) => Failure::Other(connection.clean(&what)),
        other => other,
    }
}

/// The server's version, read with care: whether it is a Kubernetes at all is only known after it, and the client library logs what
/// it cannot read.
async fn version(connection: &Connection) -> Result<Option<String>, Failure> {
    let unusable = |_| Failure::Other("the request cannot be made".into());
    let request = Request::get("/version").body(Body::empty()).map_err(unusable)?;
    let asked = async {
        let answer = connection.calls.send(request).await.map_err(|error| cleaned(connection, Failure::of(error)))?;
        let (head, body) = answer.into_parts();
        let body = axum::body::to_bytes(axum::body::Body::new(body), LONGEST).await;
        Ok::<_, Failure>((head.status, body.ok()))
    };
    let (status, body) = timeout(FIRST, asked).await.map_err(|_| Failure::Slow)??;
    let json: Option<Value> = body.and_then(|body| serde_json::from_slice(&body).ok());
    let not = |what: &str| Err(Failure::NotKubernetes(what.to_owned()));
    match status {
        StatusCode::UNAUTHORIZED => Err(Failure::Unauthorized),
        StatusCode::FORBIDDEN if json.as_ref().is_some_and(|json| json["kind"] == "Status") => Ok(None),
        StatusCode::TOO_MANY_REQUESTS => Err(Failure::Busy(status.as_u16())),
        _ if status.is_redirection() => not("it leads elsewhere, which is not followed"),
        _ if status.is_server_error() => Err(Failure::Busy(status.as_u16())),
        _ if !status.is_success() => not(&format!("`/version` is answered with HTTP {}", status.as_u16())),
        _ => match json.as_ref().and_then(|json| json["gitVersion"].as_str()) {
            Some(version) if version.starts_with('v') && version.len() <= 100 => Ok(Some(connection.clean(version))),
            _ => not("`/version` is answered with something else"),
        },
    }
}

/// Nothing where the credentials do not let us look.
fn allowed<T>(found: Result<T, Trouble>) -> Result<Known<T>, Failure> {
    match found {
        Ok(found) => Ok(Known::Found(found)),
        Err(Trouble::Forbidden(_) | Trouble::Denied(_)) => Ok(Known::NotAllowed),
        Err(other) => Err(other.into()),
    }
}

async fn identity(connection: &Connection) -> Result<Option<Identity>, Failure> {
    let api: Api<SelfSubjectReview> = Api::all(connection.calls.clone());
    let answer = match retried(|| async { api.create(&PostParams::default(), &SelfSubjectReview::default()).await }).await {
        Ok(answer) => answer,
        // Servers before 1.28 do not have it.
        Err(Trouble::NotFound(_) | Trouble::Forbidden(_) | Trouble::Denied(_) | Trouble::Invalid(_)) => return Ok(None),
        Err(other) => return Err(other.into()),
    };
    let user = answer.status.and_then(|status| status.user_info);
    Ok(user.and_then(|user| {
        let groups = user.groups.unwrap_or_default().iter().map(|group| connection.clean(group)).collect();
        Some(Identity { name: connection.clean(&user.username?), groups })
    }))
}

async fn may(connection: &Connection, namespace: &str) -> Result<Known<Vec<May>>, Failure> {
    let api: Api<SelfSubjectAccessReview> = Api::all(connection.calls.clone());
    let mut asked = Vec::new();
    for (question, verb) in QUESTIONS.iter().flat_map(|question| question.verbs.iter().map(move |verb| (question, *verb))) {
        let (api, review) = (api.clone(), review(question, verb, namespace));
        // Of one type, since otherwise nobody can tell that the whole may be sent.
        let answer: BoxFuture<'static, Result<(String, bool), Trouble>> = Box::pin(async move {
            let answer = retried(|| async { api.create(&PostParams::default(), &review).await }).await?;
            Ok((verb.to_owned(), answer.status.is_some_and(|status| status.allowed)))
        });
        asked.push(answer);
    }
    let answers = stream::iter(asked);
    let answers: Result<Vec<(String, bool)>, Trouble> = answers.buffered(AT_ONCE).try_collect().await;
    let mut answers = match allowed(answers)? {
        Known::Found(answers) => answers.into_iter(),
        Known::NotAllowed => return Ok(Known::NotAllowed),
    };
    let row = |question: &Question| May {
        resource: match question.group {
            "" => question.resource.to_owned(),
            group => format!("{}.{group}", question.resource),
        },
        namespace: question.namespaced.then(|| namespace.to_owned()),
        verbs: answers.by_ref().take(question.verbs.len()).collect(),
    };
    Ok(Known::Found(QUESTIONS.iter().map(row).collect()))
}

fn review(question: &Question, verb: &str, namespace: &str) -> SelfSubjectAccessReview {
    let (resource, subresource) = match question.resource.split_once('/') {
        Some((resource, sub)) => (resource, Some(sub.to_owned())),
        None => (question.resource, None),
    };
    SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(question.group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource,
                verb: Some(verb.to_owned()),
                namespace: question.namespaced.then(|| namespace.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    }
}

async fn exists(connection: &Connection, namespace: &str) -> Result<Known<bool>, Failure> {
    let api: Api<Namespace> = Api::all(connection.calls.clone());
    match retried(|| async { api.get_metadata(namespace).await }).await {
        Err(Trouble::NotFound(_)) => Ok(Known::Found(false)),
        found => allowed(found.map(|_| true)),
    }
}

async fn nodes(connection: &Connection) -> Result<Known<u64>, Failure> {
    let api: Api<Node> = Api::all(connection.calls.clone());
    allowed(listed(&api).await.map(|nodes| nodes.len() as u64))
}

/// The names of all namespaces.
pub async fn namespaces(connection: &Connection) -> Result<Vec<String>, Failure> {
    let api: Api<Namespace> = Api::all(connection.calls.clone());
    let found = listed(&api).await.map_err(|trouble| cleaned(connection, trouble.into()))?;
    Ok(found.into_iter().filter_map(|namespace| namespace.metadata.name).collect())
}

async fn operators(connection: &Connection) -> Result<Known<Vec<crate::model::Operator>>, Failure> {
    let api: Api<CustomResourceDefinition> = Api::all(connection.calls.clone());
    let found = listed(&api).await;
    allowed(found.map(|found| operators::of(found.iter().filter_map(|one| one.metadata.name.as_deref()))))
}

/// The metadata of all, page by page.
async fn listed<K>(api: &Api<K>) -> Result<Vec<PartialObjectMeta<K>>, Trouble>
where
    K: Clone + std::fmt::Debug + kube::Resource + serde::de::DeserializeOwned,
{
    let mut params = ListParams::default().limit(PAGE);
    let mut all = Vec::new();
    loop {
        let page = retried(|| async { api.list_metadata(&params).await }).await?;
        all.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(all),
        }
    }
}

#[cfg(test)]
mod tests;
