//! The way from Gaggle to an agent's port: by Service or pod address inside of the cluster, from outside through the API server.
//!
//! Invariant: a port-forward listens on loopback alone, and each connection to it has a WebSocket of its own, so that no stream
//! can hold up another; a new connection always goes to the pod that is ready now.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::Api;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::api::Cluster;
use super::seen::PodSeen;
use super::trouble::Trouble;
use crate::model::ProjectId;

/// How long a way to the pod may take to open.
const OPEN: Duration = Duration::from_secs(10);
/// Connections of one project at once; more wait.
const CONNECTIONS: usize = 64;

/// The port-forwards of all projects.
#[derive(Default)]
pub struct Forwards(Mutex<HashMap<ProjectId, Forward>>);

struct Forward {
    address: SocketAddr,
    port: u16,
    /// Ends the listener and its connections.
    _ends: DropGuard,
}

impl Forwards {
    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<ProjectId, Forward>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn close(&self, project: &ProjectId) {
        self.all().remove(project);
    }

    pub fn close_all(&self) {
        self.all().clear();
    }

    /// Where a project's agent is reached on this machine.
    pub async fn address(&self, cluster: &Cluster, project: &ProjectId, port: u16) -> std::io::Result<SocketAddr> {
        if let Some(forward) = self.all().get(project).filter(|f| f.port == port) {
            return Ok(forward.address);
        }
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let ends = CancellationToken::new();
        tokio::spawn(accept(listener, cluster.clone(), project.clone(), port, ends.clone()));
        let mut all = self.all();
        // Somebody else may have been quicker.
        if let Some(forward) = all.get(project).filter(|f| f.port == port) {
            ends.cancel();
            return Ok(forward.address);
        }
        all.insert(project.clone(), Forward { address, port, _ends: ends.drop_guard() });
        Ok(address)
    }
}

async fn accept(listener: TcpListener, cluster: Cluster, project: ProjectId, port: u16, ends: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = ends.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (socket, _) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // No file is left for another connection, say: those that end free some.
                tracing::warn!(%project, %error, "a connection to an agent cannot be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (cluster, project, ends) = (cluster.clone(), project.clone(), ends.clone());
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                () = ends.cancelled() => {}
                outcome = carry(socket, &cluster, &project, port) => if let Err(trouble) = outcome {
                    tracing::debug!(%project, why = trouble.short(), "a connection to an agent ended");
                }
            }
        });
    }
}

async fn carry(socket: TcpStream, cluster: &Cluster, project: &ProjectId, port: u16) -> Result<(), Trouble> {
    let pod = cluster.view.seen(project).and_then(|seen| seen.ready_pod().cloned());
    let Some(pod) = pod else { return Err(Trouble::NotFound("its pod is not ready".into())) };
    let mut watch = cluster.view.project(project);
    let uid = pod.uid.clone();
    let gone = async move {
        let _ = watch.wait_for(|seen| !seen.pods.iter().any(|p| p.uid == uid)).await;
    };
    carry_to(socket, &cluster.clients.streams, &pod, port, gone).await
}

/// Carries one connection to a port of a pod until either side ends or the pod is `gone`: the server does not say that, and its
/// connections would hang.
pub async fn carry_to(
    mut socket: TcpStream,
    client: &Client,
    pod: &PodSeen,
    port: u16,
    gone: impl Future<Output = ()>,
) -> Result<(), Trouble> {
    let _ = socket.set_nodelay(true);
    let api: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
    let ports = [port];
    let mut forward = match timeout(OPEN, api.portforward(&pod.name, &ports)).await {
        Ok(opened) => opened?,
        Err(_) => return Err(Trouble::Slow),
    };
    let Some(mut stream) = forward.take_stream(port) else {
        return Err(Trouble::Other("a port-forward without a stream".into()));
    };
    let refused = forward.take_error(port);
    let outcome = tokio::select! {
        outcome = copy_bidirectional(&mut socket, &mut stream) => outcome.map(drop).map_err(|e| Trouble::Away(e.to_string())),
        Some(why) = async {
            match refused {
                Some(refused) => refused.await,
                None => std::future::pending().await,
            }
        } => Err(Trouble::Other(why)),
        () = gone => Err(Trouble::NotFound("its pod is gone".into())),
    };
    forward.abort();
    let _ = socket.shutdown().await;
    outcome
}
