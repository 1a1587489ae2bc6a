//! The requests about one release, each tried again within bounds.
//!
//! Invariant: every write says whose object it means, by uid where there is one already. No trouble that comes out of here quotes
//! a Secret's value. Says nothing to people.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use kube::api::ValidationDirective;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::client::Body;
use kube::core::ObjectMeta;
use kube::core::{Request, Status};
use kube::{Client, Resource as _};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::kinds::{KINDS, Key, Kind, NAMESPACE, RARE};
use super::{ID, MADE_FOR, Target, values};
use crate::runtime::Redactor;
use crate::runtime::kubernetes::fields::MANAGER;
use crate::runtime::kubernetes::release::{MANAGED_BY, Object};
use crate::runtime::kubernetes::trouble::{Trouble, retried};

/// Requests that are under way at once.
const AT_ONCE: usize = 16;
/// Objects in one page of a list.
const PAGE: u32 = 500;

#[derive(Clone)]
pub struct Calls {
    pub client: Client,
    pub namespace: String,
    pub id: String,
    warnings: Arc<Mutex<BTreeSet<String>>>,
    places: Arc<Semaphore>,
}

/// How an object is applied.
#[derive(Debug, Clone, Default)]
pub struct How {
    pub dry: bool,
    /// Takes fields back that others changed: only of what is ours.
    pub force: bool,
    /// The one that is meant.
    pub uid: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    Missing,
    /// Made for a release.
    Ours,
    Others,
    Ending,
}

impl Calls {
    pub fn new(target: &Target) -> Self {
        Self {
            client: target.calls.clone(),
            namespace: target.namespace.clone(),
            id: target.id.clone(),
            warnings: Arc::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// What the API server remarked so far, each once.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub fn selector(&self) -> String {
        format!("{ID}={}", self.id)
    }

    pub fn api(&self, kind: &Kind) -> Api<DynamicObject> {
        match kind.kind {
            "Namespace" | "Node" => Api::all_with(self.client.clone(), &kind.resource()),
            _ => Api::namespaced_with(self.client.clone(), &self.namespace, &kind.resource()),
        }
    }

    fn url(&self, kind: &Kind) -> String {
        let namespace = Some(self.namespace.as_str()).filter(|_| !matches!(kind.kind, "Namespace" | "Node"));
        DynamicObject::url_path(&kind.resource(), namespace)
    }

    pub async fn get(&self, kind: &Kind, name: &str) -> Result<Option<Value>, Trouble> {
        let _place = self.places.acquire().await;
        let url = self.url(kind);
        let found = retried(|| async {
            let request =
                Request::new(url.as_str()).get(name, &kube::api::GetParams::default()).map_err(kube::Error::BuildRequest)?;
            self.client.request::<Value>(request).await
        });
        match found.await {
            Ok(value) => Ok(Some(value)),
            Err(Trouble::NotFound(_)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// All of a kind, whole.
    pub async fn list(&self, kind: &Kind, selector: &str) -> Result<Vec<Value>, Trouble> {
        let _place = self.places.acquire().await;
        let url = self.url(kind);
        let mut all = Vec::new();
        let mut how = ListParams::default().limit(PAGE);
        if !selector.is_empty() {
            how = how.labels(selector);
        }
        loop {
            let mut page = retried(|| async {
                let request = Request::new(url.as_str()).list(&how).map_err(kube::Error::BuildRequest)?;
                self.client.request::<Value>(request).await
            })
            .await?;
            if let Some(items) = page["items"].as_array_mut() {
                all.append(items);
            }
            match page["metadata"]["continue"].as_str().filter(|next| !next.is_empty()) {
                Some(next) => how = how.continue_token(next),
                None => return Ok(all),
            }
        }
    }

    /// What carries the release's label: names, never contents.
    pub async fn ours(&self) -> Result<Vec<(Key, ObjectMeta)>, Trouble> {
        let how = ListParams::default().labels(&self.selector());
        let how = &how;
        let looks = KINDS.iter().map(|kind| async move {
            let _place = self.places.acquire().await;
            let api = self.api(kind);
            let found = match retried(|| api.list_metadata(how)).await {
                Ok(found) => found.items,
                Err(Trouble::Forbidden(_)) if RARE.contains(&kind.kind) => Vec::new(),
                Err(trouble) => return Err(trouble),
            };
            let named = |meta: ObjectMeta| Some((Key::new(kind.kind, meta.name.as_deref()?), meta));
            Ok(found.into_iter().filter_map(|object| named(object.metadata)).collect::<Vec<_>>())
        });
        let found: Result<Vec<_>, Trouble> = futures_util::future::join_all(looks).await.into_iter().collect();
        Ok(found?.concat())
    }

    /// The object as it then is.
    pub async fn apply(&self, object: &Object, how: How) -> Result<Value, Trouble> {
        let kind = Kind::of(object.kind).ok_or_else(|| Trouble::Invalid(format!("{} is no kind of a release", object.kind)))?;
        let mut body = object.body.clone();
        if let Some(uid) = &how.uid {
            body["metadata"]["uid"] = json!(uid);
        }
        let answer = self.patch(kind, &object.name, &body, &how).await;
        match object.kind {
            "Secret" => answer.map_err(|trouble| quiet(trouble, &object.body)),
            _ => answer,
        }
    }

    async fn patch(&self, kind: &Kind, name: &str, body: &Value, how: &How) -> Result<Value, Trouble> {
        let _place = self.places.acquire().await;
        let url = self.url(kind);
        let how = PatchParams {
            dry_run: how.dry,
            force: how.force,
            field_manager: Some(MANAGER.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
        };
        retried(|| async {
            let request = Request::new(url.as_str()).patch(name, &how, &Patch::Apply(body)).map_err(kube::Error::BuildRequest)?;
            let answer = self.client.send(request.map(Body::from)).await?;
            let told: Vec<String> =
                answer.headers().get_all("warning").iter().filter_map(|w| warning(w.to_str().ok()?)).collect();
            let status = answer.status();
            let bytes = answer.into_body().collect_bytes().await?;
            if !status.is_success() {
                let known = serde_json::from_slice::<Status>(&bytes);
                let unknown = |_| Status::failure("", "unreadable").with_code(status.as_u16());
                return Err(kube::Error::Api(known.unwrap_or_else(unknown).boxed()));
            }
            self.warnings.lock().unwrap_or_else(PoisonError::into_inner).extend(told);
            serde_json::from_slice(&bytes).map_err(kube::Error::SerdeError)
        })
        .await
    }

    /// Deletes an object that is ours; whether it was there. `orphans` leaves its pods.
    pub async fn delete(&self, key: &Key, uid: Option<String>, how: PropagationPolicy) -> Result<bool, Trouble> {
        let Some(kind) = Kind::of(&key.kind) else { return Ok(false) };
        let _place = self.places.acquire().await;
        let api = self.api(kind);
        let how = DeleteParams {
            propagation_policy: Some(how),
            preconditions: uid.map(|uid| Preconditions { uid: Some(uid), resource_version: None }),
            ..DeleteParams::default()
        };
        match retried(|| api.delete(&key.name, &how)).await {
            Ok(_) => Ok(true),
            Err(Trouble::NotFound(_)) => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }

    pub async fn namespace(&self) -> Result<Namespace, Trouble> {
        let found = match self.get(&NAMESPACE, &self.namespace).await {
            Ok(found) => found,
            // Who may work in a namespace need not be allowed to look at it.
            Err(Trouble::Forbidden(_)) => return Ok(Namespace::Others),
            Err(trouble) => return Err(trouble),
        };
        Ok(match found {
            None => Namespace::Missing,
            Some(namespace) if namespace["metadata"]["deletionTimestamp"].is_string() => Namespace::Ending,
            Some(namespace) if namespace["metadata"]["labels"][MADE_FOR] == "releases" => Namespace::Ours,
            Some(_) => Namespace::Others,
        })
    }

    pub async fn make_namespace(&self) -> Result<(), Trouble> {
        let labels = json!({ MANAGED_BY: "gaggle", MADE_FOR: "releases" });
        let body = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": self.namespace, "labels": labels } });
        self.patch(&NAMESPACE, &self.namespace, &body, &How::default()).await.map(drop)
    }
}

/// `299 - "text"`.
fn warning(header: &str) -> Option<String> {
    let text = header.splitn(3, ' ').nth(2)?.trim();
    let text = text.strip_prefix('"').and_then(|text| text.rsplit_once('"')).map_or(text, |(text, _)| text);
    Some(text.replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// The server may quote what it does not take.
fn quiet(trouble: Trouble, body: &Value) -> Trouble {
    let mut secret = values(body);
    let encoded = body["data"].as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
    secret.extend(encoded.filter(|text| !text.is_empty()).map(Into::into));
    let redactor = Redactor::new(&secret);
    match trouble {
        Trouble::Invalid(text) => Trouble::Invalid(redactor.redact(&text)),
        Trouble::Denied(text) => Trouble::Denied(redactor.redact(&text)),
        Trouble::Conflict(text) => Trouble::Conflict(redactor.redact(&text)),
        Trouble::Other(text) => Trouble::Other(redactor.redact(&text)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_taken_out_of_their_header() {
        let told = warning(r#"299 - "unknown field \"spec.x\"""#);
        assert_eq!(told.as_deref(), Some(r#"unknown field "spec.x""#));
    }

    #[test]
    fn a_secret_that_is_refused_is_not_quoted() {
        let body = json!({ "data": { "A": "aHVudGVyMg==" } });
        let said = quiet(Trouble::Invalid("bad: hunter2 (aHVudGVyMg==)".into()), &body);
        assert_eq!(said, Trouble::Invalid("bad: [redacted] ([redacted])".into()));
    }
}
