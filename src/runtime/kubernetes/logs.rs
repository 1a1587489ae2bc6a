//! The logs of a container, line by line, without the secrets that it was given.

use futures_util::{AsyncBufReadExt as _, Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, LogParams};
use tokio::sync::mpsc;

use super::api::Cluster;
use super::secrets::Secrets;
use super::seen::{AGENT, PodSeen};
use super::trouble::{Trouble, retried};
use crate::runtime::LogQuery;

/// What a diagnosis quotes.
const LAST_LINES: i64 = 15;

/// The lines of a pod's agent, as they come.
pub async fn read(
    cluster: &Cluster,
    pod: &PodSeen,
    query: LogQuery,
    secrets: Secrets,
) -> Result<mpsc::Receiver<String>, Trouble> {
    let lines = lines(&cluster.clients.streams, pod, AGENT, query).await?;
    let (sender, receiver) = mpsc::channel(256);
    tokio::spawn(async move {
        let mut lines = std::pin::pin!(lines);
        loop {
            let line = tokio::select! {
                () = sender.closed() => return,
                line = lines.next() => line,
            };
            let Some(Ok(line)) = line else { return };
            if sender.send(secrets.redact(&line)).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// The lines of a container as they are, secrets and all. `client` lets streams be silent.
pub async fn lines(
    client: &Client,
    pod: &PodSeen,
    container: &str,
    query: LogQuery,
) -> Result<impl Stream<Item = std::io::Result<String>> + Send + 'static, Trouble> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
    let how = LogParams {
        container: Some(container.to_owned()),
        follow: query.follow,
        previous: query.previous,
        since_seconds: query.since.map(|s| i64::try_from(s.as_secs().max(1)).unwrap_or(i64::MAX)),
        tail_lines: Some(i64::try_from(query.tail).unwrap_or(i64::MAX)),
        ..LogParams::default()
    };
    Ok(retried(|| api.log_stream(&pod.name, &how)).await?.lines())
}

/// What a container said last, for a diagnosis; empty if that cannot be read.
pub async fn last_words(cluster: &Cluster, pod: &PodSeen, container: &str, previous: bool) -> String {
    let secrets = Secrets::of_pod(cluster, pod).await;
    last_words_in(&cluster.clients.calls, pod, container, previous, &secrets).await
}

pub async fn last_words_in(client: &Client, pod: &PodSeen, container: &str, previous: bool, secrets: &Secrets) -> String {
    let api: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
    for previous in if previous { &[true, false] as &[_] } else { &[false] } {
        let how = LogParams {
            container: Some(container.into()),
            previous: *previous,
            tail_lines: Some(LAST_LINES),
            ..LogParams::default()
        };
        let text = tokio::time::timeout(std::time::Duration::from_secs(5), api.logs(&pod.name, &how)).await;
        if let Ok(Ok(text)) = text
            && !text.trim().is_empty()
        {
            return secrets.redact(text.trim_end());
        }
    }
    String::new()
}
