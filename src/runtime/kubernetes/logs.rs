//! The logs of an agent's container, line by line, without the project's secrets.

use futures_util::{AsyncBufReadExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
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
    let api: Api<Pod> = Api::namespaced(cluster.clients.streams.clone(), &pod.namespace);
    let how = LogParams {
        container: Some(AGENT.into()),
        follow: query.follow,
        previous: query.previous,
        since_seconds: query.since.map(|s| i64::try_from(s.as_secs().max(1)).unwrap_or(i64::MAX)),
        tail_lines: Some(i64::try_from(query.tail).unwrap_or(i64::MAX)),
        ..LogParams::default()
    };
    let lines = retried(|| api.log_stream(&pod.name, &how)).await?.lines();
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

/// What a container said last, for a diagnosis; empty if that cannot be read.
pub async fn last_words(cluster: &Cluster, pod: &PodSeen, container: &str, previous: bool) -> String {
    let api: Api<Pod> = Api::namespaced(cluster.clients.calls.clone(), &pod.namespace);
    let secrets = Secrets::of_pod(cluster, pod).await;
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
