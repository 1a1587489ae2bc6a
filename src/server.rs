//! The HTTP side of the program: health, metrics, later the platforms' doors, which [`crate::app`] hands it as routers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

/// Connections that wait to be accepted.
pub const WAITING: u32 = 1_024;

/// Counts from now on. Fails if something counts already.
pub fn metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().context("metrics cannot be recorded")
}

/// Whether the program can take work.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Mutex<(bool, BTreeMap<&'static str, String>)>>);

impl Readiness {
    fn lock(&self) -> MutexGuard<'_, (bool, BTreeMap<&'static str, String>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set(&self, ready: bool) {
        self.lock().0 = ready;
    }

    /// Why a part of it takes none; `None`: it does.
    pub fn fault(&self, part: &'static str, why: Option<String>) {
        let faults = &mut self.lock().1;
        match why {
            Some(why) => faults.insert(part, why),
            None => faults.remove(part),
        };
    }

    fn answer(&self) -> (StatusCode, String) {
        let (ready, faults) = &*self.lock();
        let faults: String = faults.iter().map(|(part, why)| format!("{part}: {why}\n")).collect();
        match (ready, faults.is_empty()) {
            (_, false) => (StatusCode::SERVICE_UNAVAILABLE, faults),
            (true, true) => (StatusCode::OK, "ready\n".to_owned()),
            (false, true) => (StatusCode::SERVICE_UNAVAILABLE, "starting or stopping\n".to_owned()),
        }
    }
}

/// `/healthz` (the process lives; depends on nothing), `/readyz`, `/metrics`.
pub fn routes(metrics: PrometheusHandle, ready: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async move || ready.answer()))
        .route("/metrics", get(async move || metrics.render()))
}

/// Takes the address. Until it listens, whoever comes is refused at once: what waited for a program that starts would be done long
/// after its sender was told that it was not.
pub fn take(address: SocketAddr) -> anyhow::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let taken = socket.and_then(|socket| {
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    });
    taken.with_context(|| refused(address))
}

pub fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    take(address)?.listen(WAITING).with_context(|| refused(address))
}

fn refused(address: SocketAddr) -> String {
    format!("`server.listen`: {address} cannot be listened on; choose another address")
}

pub async fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) {
    if let Err(error) = axum::serve(
        // Answers are small and must not wait for company.
        listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        }),
        routes,
    )
    .with_graceful_shutdown(stop.cancelled_owned())
    .await
    {
        tracing::error!(%error, "the HTTP server ended");
    }
}
