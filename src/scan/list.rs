//! Reads lists page by page, and what may be read of them: the whole cluster, else each namespace.
//!
//! Invariant: a list that expires between two pages is begun anew, not continued and not repeated for ever. What may not be read is
//! told, each resource and place; it never looks like an empty list.

use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt as _;
use kube::Client;
use kube::api::ListParams;
use kube::core::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::objects::Object;
use crate::model::infra::{Scope, Unreadable};
use crate::runtime::kubernetes::trouble::{Trouble, retried};

const PAGE: u32 = 500;
/// How often a list may expire.
const TRIES: usize = 4;
/// Namespaces that are read at once.
const AT_ONCE: usize = 8;

/// A kind of objects, as the API has it.
#[derive(Debug, Clone, Copy)]
pub struct Resource {
    pub root: &'static str,
    pub plural: &'static str,
    /// Nothing but metadata is asked for.
    pub metadata: bool,
}

impl Resource {
    pub const fn new(root: &'static str, plural: &'static str) -> Self {
        Self { root, plural, metadata: false }
    }

    pub const fn metadata(plural: &'static str) -> Self {
        Self { root: "/api/v1", plural, metadata: true }
    }

    fn path(&self, namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) => format!("{}/namespaces/{namespace}/{}", self.root, self.plural),
            None => format!("{}/{}", self.root, self.plural),
        }
    }
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default)]
    metadata: PageMeta,
    #[serde(default = "Vec::new")]
    items: Vec<T>,
}

#[derive(Deserialize, Default)]
struct PageMeta {
    #[serde(rename = "continue", default)]
    next: Option<String>,
}

/// One list.
async fn list<T>(client: &Client, resource: Resource, namespace: Option<&str>) -> Result<Vec<T>, Trouble>
where
    T: DeserializeOwned + Send + 'static,
{
    let path = resource.path(namespace);
    for _ in 0..TRIES {
        if let Some(items) = once(client, resource, &path).await? {
            return Ok(items);
        }
        tracing::debug!(path, "a list expired while it was read and is begun anew");
    }
    Err(Trouble::Other(format!("{} change faster than they can be read", resource.plural)))
}

/// Nothing if it expired.
async fn once<T>(client: &Client, resource: Resource, path: &str) -> Result<Option<Vec<T>>, Trouble>
where
    T: DeserializeOwned + Send + 'static,
{
    let mut found = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let Some(text) = page(client, resource, path, next.as_deref()).await? else { return Ok(None) };
        // Here and not on a thread of its own: a page takes milliseconds, and handing it over took longer than reading it.
        let Ok(page) = serde_json::from_str::<Page<T>>(&text) else {
            return Err(Trouble::Other(format!("the list of {} cannot be read", resource.plural)));
        };
        found.extend(page.items);
        next = page.metadata.next.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(Some(found));
        }
    }
}

async fn page(client: &Client, resource: Resource, path: &str, next: Option<&str>) -> Result<Option<String>, Trouble> {
    let mut how = ListParams::default().limit(PAGE);
    if let Some(token) = next {
        how = how.continue_token(token);
    }
    retried(|| async {
        let request = Request::new(path);
        let request = if resource.metadata { request.list_metadata(&how) } else { request.list(&how) };
        match client.request_text(request.map_err(kube::Error::BuildRequest)?).await {
            Ok(text) => Ok(Some(text)),
            Err(kube::Error::Api(status)) if status.code == 410 => Ok(None),
            Err(error) => Err(error),
        }
    })
    .await
}

/// Reads for one scan, and remembers what could not be read.
pub struct Reader {
    pub client: Client,
    scope: Scope,
    namespaces: OnceCell<Result<Vec<String>, Trouble>>,
    unreadable: Mutex<Vec<Unreadable>>,
}

fn not_allowed(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Forbidden(_) | Trouble::Denied(_))
}

impl Reader {
    pub fn new(client: Client, scope: Scope) -> Self {
        Self { client, scope, namespaces: OnceCell::new(), unreadable: Mutex::default() }
    }

    pub fn unreadable(&self) -> Vec<Unreadable> {
        let mut all = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.sort_by(|a, b| (&a.resource, &a.namespace).cmp(&(&b.resource, &b.namespace)));
        all.dedup();
        all
    }

    fn hidden(&self, resource: &str, namespace: Option<&str>, trouble: &Trouble) {
        let one = Unreadable { resource: resource.to_owned(), namespace: namespace.map(str::to_owned), why: trouble.short() };
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).push(one);
    }

    /// Everything of a resource in the scope. Fails only where the cluster cannot be asked at all.
    pub async fn all<T>(&self, resource: Resource) -> Result<Vec<T>, Trouble>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let trouble = match &self.scope {
            Scope::Namespace(namespace) => return self.one(resource, Some(namespace)).await,
            Scope::All => match list(&self.client, resource, None).await {
                Err(trouble) if not_allowed(&trouble) => trouble,
                Err(trouble) => return self.failed(resource, None, trouble),
                found => return found,
            },
        };
        match self.namespaces().await {
            Ok(namespaces) => self.some(resource, namespaces).await,
            Err(_) => {
                self.hidden(resource.plural, None, &trouble);
                Ok(Vec::new())
            }
        }
    }

    /// The same of some namespaces alone.
    pub async fn some<T>(&self, resource: Resource, namespaces: &[String]) -> Result<Vec<T>, Trouble>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let mut lists = futures_util::stream::iter(namespaces.to_vec())
            .map(|namespace| async move { self.one(resource, Some(&namespace)).await })
            .buffer_unordered(AT_ONCE);
        let mut found = Vec::new();
        while let Some(list) = lists.next().await {
            found.extend(list?);
        }
        Ok(found)
    }

    /// What is in no namespace.
    pub async fn cluster<T>(&self, resource: Resource) -> Result<Vec<T>, Trouble>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.one(resource, None).await
    }

    async fn one<T>(&self, resource: Resource, namespace: Option<&str>) -> Result<Vec<T>, Trouble>
    where
        T: DeserializeOwned + Send + 'static,
    {
        match list(&self.client, resource, namespace).await {
            Err(trouble) => self.failed(resource, namespace, trouble),
            found => found,
        }
    }

    /// Without Services there is no scan; without the rest it knows less.
    fn failed<T>(&self, resource: Resource, namespace: Option<&str>, trouble: Trouble) -> Result<Vec<T>, Trouble> {
        if trouble == Trouble::Unauthorized || (resource.plural == "services" && !not_allowed(&trouble)) {
            return Err(trouble);
        }
        self.hidden(resource.plural, namespace, &trouble);
        Ok(Vec::new())
    }

    async fn namespaces(&self) -> Result<&[String], &Trouble> {
        let read = || async {
            let found = list::<Object>(&self.client, Resource::metadata("namespaces"), None).await;
            if let Err(trouble) = &found {
                self.hidden("namespaces", None, trouble);
            }
            found.map(|all| all.into_iter().map(|o| o.metadata.name).collect())
        };
        self.namespaces.get_or_init(read).await.as_deref()
    }

    /// Whether the namespace of the scope is there; where that may not be asked, it is taken to be.
    pub async fn exists(&self) -> Result<(), Trouble> {
        let Scope::Namespace(name) = &self.scope else { return Ok(()) };
        let asked = retried(|| async {
            let request = Request::new("/api/v1/namespaces").get_metadata(name, &kube::api::GetParams::default());
            self.client.request_text(request.map_err(kube::Error::BuildRequest)?).await
        });
        match asked.await {
            Err(Trouble::NotFound(_)) => Err(Trouble::NotFound(format!("the namespace {name}"))),
            _ => Ok(()),
        }
    }
}
