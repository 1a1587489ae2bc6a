//! A port of this machine that leads to a port of a workload.
//!
//! Invariants: listens on loopback alone; each new connection goes to a pod that is ready then, so that a restart is survived;
//! ends after its time, or when it is dropped.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Target;
use super::calls::Calls;
use super::live::{Live, Watching};
use crate::error::{Error, Result, refused};
use crate::runtime::kubernetes::connect::carry_to;
use crate::runtime::kubernetes::trouble::Trouble;

/// Connections at once; more wait.
const CONNECTIONS: usize = 64;
/// How long a connection waits for a pod to be ready.
const READY: Duration = Duration::from_secs(30);

pub struct Forward {
    pub address: SocketAddr,
    pub ends: Instant,
    stop: CancellationToken,
    _ends: DropGuard,
}

impl Forward {
    /// When it is over, however.
    pub async fn over(&self) {
        self.stop.cancelled().await;
    }
}

/// `local`: the port on this machine; any free one if none.
pub async fn forward(target: &Target, workload: &str, port: u16, local: Option<u16>, time: Duration) -> Result<Forward> {
    let calls = Calls::new(target);
    let watching = Watching::start(&calls, []);
    watching.synced().await.map_err(|trouble| target.told(&trouble, &format!("reaching `{workload}`")))?;
    if watching.subscribe().borrow().pods_of(workload).next().is_none() {
        return refused(format!("`{workload}` has no pods now, so there is nothing to reach."));
    }
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, local.unwrap_or(0))).await {
        Ok(listener) => listener,
        Err(error) => return Err(Error::Refused(format!("The port cannot be opened on this machine: {error}."))),
    };
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let ends = Instant::now() + time;
    let accepts = Accept { client: target.streams.clone(), workload: workload.to_owned(), port, watching, stop: stop.clone() };
    tokio::spawn(accepts.run(listener, ends));
    Ok(Forward { address, ends, _ends: stop.clone().drop_guard(), stop })
}

struct Accept {
    client: kube::Client,
    workload: String,
    port: u16,
    watching: Watching,
    stop: CancellationToken,
}

impl Accept {
    async fn run(self, listener: TcpListener, ends: Instant) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                () = sleep_until(ends) => return self.stop.cancel(),
                accepted = listener.accept() => accepted,
            };
            let Ok((socket, _)) = accepted else {
                // No file is left for another connection, say: those that end free some.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let (client, live, workload) = (self.client.clone(), self.watching.subscribe(), self.workload.clone());
            let (port, stop) = (self.port, self.stop.clone());
            tokio::spawn(async move {
                let _place = place;
                tokio::select! {
                    () = stop.cancelled() => {}
                    outcome = carry(socket, &client, live, &workload, port) => if let Err(trouble) = outcome {
                        tracing::debug!(workload, why = trouble.short(), "a forwarded connection ended");
                    }
                }
            });
        }
    }
}

async fn carry(
    socket: TcpStream,
    client: &kube::Client,
    mut live: watch::Receiver<Live>,
    workload: &str,
    port: u16,
) -> Result<(), Trouble> {
    let ready = |live: &Live| live.pods_of(workload).find(|pod| pod.ready && !pod.deleting).cloned();
    let pod = {
        let found = tokio::time::timeout(READY, live.wait_for(|live| ready(live).is_some())).await;
        let found = found.ok().and_then(Result::ok);
        found.and_then(|live| ready(&live)).ok_or_else(|| Trouble::NotFound("no pod is ready".into()))?
    };
    let uid = pod.uid.clone();
    let gone = async move {
        if live.wait_for(|live| !live.pods.values().any(|(_, pod)| pod.uid == uid)).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    carry_to(socket, client, &pod, port, gone).await
}
