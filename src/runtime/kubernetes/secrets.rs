//! What a project's pod knows that nobody may see, read from the cluster when something of the pod is about to be shown.

use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use secrecy::SecretString;

use super::api::Cluster;
use super::objects::SERVER_KEY;
use super::seen::PodSeen;
use super::trouble::{Trouble, retried};
use crate::runtime::redact::Redactor;

pub struct Secrets(Option<Redactor>);

impl Secrets {
    pub fn of(values: &[SecretString]) -> Self {
        Self(Some(Redactor::new(values)))
    }

    /// Of the Secret with that name. One that is not there holds nothing.
    pub async fn read(cluster: &Cluster, namespace: &str, name: &str) -> Result<Self, Trouble> {
        let api: Api<Secret> = Api::namespaced(cluster.clients.calls.clone(), namespace);
        let secret = retried(|| api.get_opt(name)).await?;
        let values: Vec<SecretString> = secret
            .and_then(|s| s.data)
            .unwrap_or_default()
            .into_values()
            .filter_map(|value| String::from_utf8(value.0).ok())
            .map(SecretString::from)
            .collect();
        Ok(Self(Some(Redactor::new(&values))))
    }

    /// The server's key of a project that another Gaggle made, or this one with another store.
    pub async fn server_key(cluster: &Cluster, namespace: &str, name: &str) -> Result<Option<SecretString>, Trouble> {
        let api: Api<Secret> = Api::namespaced(cluster.clients.calls.clone(), namespace);
        let secret = retried(|| api.get_opt(name)).await?;
        let value = secret.and_then(|s| s.data).and_then(|mut data| data.remove(SERVER_KEY));
        Ok(value.and_then(|value| String::from_utf8(value.0).ok()).map(SecretString::from))
    }

    /// Of the project that a pod belongs to. If they cannot be read, nothing may be shown.
    pub async fn of_pod(cluster: &Cluster, pod: &PodSeen) -> Self {
        let Some(id) = pod.name.strip_prefix("proj-").and_then(|rest| rest.split('-').next()) else { return Self(None) };
        Self::read(cluster, &pod.namespace, &super::names::project(&crate::model::ProjectId(id.to_owned())))
            .await
            .unwrap_or(Self(None))
    }

    pub fn redact(&self, text: &str) -> String {
        self.0.as_ref().map(|r| r.redact(text)).unwrap_or_default()
    }
}
