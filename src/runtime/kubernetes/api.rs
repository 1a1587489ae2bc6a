//! The requests that change the cluster, each tried again within bounds. Says nothing to people.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::core::metadata::PartialObjectMeta;
use serde_json::json;
use tokio::sync::Semaphore;

use super::client::Clients;
use super::fields::MANAGER;
use super::objects::{INSTANCE, Kind, Manifest};
use super::trouble::{Trouble, retried};
use super::view::{Key, View};

/// Requests that are under way at once: enough for many starts, few enough for a small API server.
const AT_ONCE: usize = 32;

#[derive(Clone)]
pub struct Cluster {
    pub clients: Clients,
    pub view: Arc<View>,
    places: Arc<Semaphore>,
}

impl Cluster {
    pub fn new(clients: Clients, view: Arc<View>) -> Self {
        Self { clients, view, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    fn dynamic(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        match namespace {
            "" => Api::all_with(self.clients.calls.clone(), &kind.resource()),
            namespace => Api::namespaced_with(self.clients.calls.clone(), namespace, &kind.resource()),
        }
    }

    async fn call<T, F>(&self, send: impl FnMut() -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, kube::Error>>,
    {
        let _place = self.places.acquire().await;
        retried(send).await
    }

    /// Makes the cluster have what the manifest says. Takes fields back that others changed.
    pub async fn apply(&self, manifest: &Manifest) -> Result<(), Trouble> {
        let api = self.dynamic(manifest.kind, manifest.namespace.as_deref().unwrap_or_default());
        let how = PatchParams::apply(MANAGER).force();
        let answer = self.call(|| async { api.patch(&manifest.name, &how, &Patch::Apply(&manifest.body)).await }).await?;
        self.view.wrote(manifest, &answer);
        Ok(())
    }

    /// Whether a namespace is there, and is ours.
    pub async fn namespace(&self, name: &str) -> Result<Option<bool>, Trouble> {
        let api = self.dynamic(Kind::Namespace, "");
        let found: Option<PartialObjectMeta<DynamicObject>> = self.call(|| api.get_metadata_opt(name)).await?;
        Ok(found.map(|ns| self.view.carries_our_labels(&ns.metadata)))
    }

    /// Sets the number of pods, without touching anything else.
    pub async fn scale_to_zero(&self, namespace: &str, name: &str) -> Result<(), Trouble> {
        let api: Api<Deployment> = Api::namespaced(self.clients.calls.clone(), namespace);
        // The hash goes, so that the next start applies the whole again.
        let patch = json!({"metadata": {"annotations": {"gaggle.dev/hash": null}}, "spec": {"replicas": 0}});
        let how = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        match self.call(|| async { api.patch_metadata(name, &how, &Patch::Merge(&patch)).await }).await {
            Ok(_) | Err(Trouble::NotFound(_)) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// Deletes an object; one that is not there is deleted already.
    pub async fn delete(&self, key: &Key) -> Result<(), Trouble> {
        let api = self.dynamic(key.kind, &key.namespace);
        self.view.deleting(key);
        let mut how = DeleteParams { propagation_policy: Some(PropagationPolicy::Background), ..DeleteParams::default() };
        if key.kind == Kind::Namespace {
            // Nobody's new namespace of the same name.
            let uid = self.view.object(key).map(|k| k.uid).filter(|uid| !uid.is_empty());
            how.preconditions = uid.map(|uid| Preconditions { uid: Some(uid), resource_version: None });
        }
        match self.call(|| api.delete(&key.name, &how)).await {
            Ok(_) if key.kind != Kind::Secret => Ok(()),
            // Of a Secret no watch tells that it is gone.
            Ok(_) | Err(Trouble::NotFound(_)) => {
                self.view.forget(key);
                Ok(())
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Takes a pod out of the records whose node no longer answers.
    pub async fn drop_pod(&self, namespace: &str, name: &str) -> Result<(), Trouble> {
        let api: Api<Pod> = Api::namespaced(self.clients.calls.clone(), namespace);
        let how = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        match self.call(|| api.delete(name, &how)).await {
            Ok(_) | Err(Trouble::NotFound(_)) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// The Deployment and the pods of a project, read past the watches.
    pub async fn refresh(&self, project: &crate::model::ProjectId, namespace: &str) -> Result<(), Trouble> {
        let labels = ListParams::default().labels(&format!("gaggle.dev/project={project}"));
        let deployments: Api<Deployment> = Api::namespaced(self.clients.calls.clone(), namespace);
        let pods: Api<Pod> = Api::namespaced(self.clients.calls.clone(), namespace);
        let found = self.call(|| deployments.list(&labels)).await?;
        let running = self.call(|| pods.list(&labels)).await?;
        self.view.refreshed(project, found.items.first(), &running.items);
        Ok(())
    }

    /// What there is in a namespace that is neither ours nor made by the cluster for every namespace.
    pub async fn foreign(&self, namespace: &str) -> Result<Option<String>, Trouble> {
        let kinds = [
            ("", "v1", "Pod"),
            ("", "v1", "Service"),
            ("", "v1", "ConfigMap"),
            ("", "v1", "Secret"),
            ("", "v1", "PersistentVolumeClaim"),
            ("apps", "v1", "Deployment"),
            ("apps", "v1", "StatefulSet"),
            ("apps", "v1", "DaemonSet"),
            ("batch", "v1", "Job"),
            ("batch", "v1", "CronJob"),
            ("networking.k8s.io", "v1", "Ingress"),
        ];
        // A release that somebody deployed there is ours too, and no project's.
        let others = format!("{INSTANCE}!={}", self.view.instance());
        let others = &others;
        let looks = kinds.map(|(group, version, kind)| async move {
            let resource = kube::core::ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(group, version, kind));
            let api: Api<DynamicObject> = Api::namespaced_with(self.clients.calls.clone(), namespace, &resource);
            let some = ListParams::default().labels(others).limit(5);
            let found = self.call(|| api.list_metadata(&some)).await?;
            // Every namespace has this one.
            let other = found
                .items
                .iter()
                .filter_map(|o| o.metadata.name.clone())
                .find(|name| !(kind == "ConfigMap" && name == "kube-root-ca.crt"));
            Ok(other.map(|name| format!("{kind} {name}")))
        });
        let found: Vec<Result<Option<String>, Trouble>> = futures_util::future::join_all(looks).await;
        for one in found {
            if let Some(what) = one? {
                return Ok(Some(what));
            }
        }
        Ok(None)
    }
}
