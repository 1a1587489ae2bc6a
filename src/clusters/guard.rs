//! The resolver and the connector through which every connection to a cluster goes.
//!
//! Invariant: no socket is opened to an address that [`Allow`] forbids, whatever a name resolves to and however often it does.

use std::error::Error;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower::Service;

use super::address::Allow;

type Failure = Box<dyn Error + Send + Sync>;

/// Where it was about to connect to, and must not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} {}", of(*address, kind))]
pub struct Forbidden {
    pub host: String,
    pub kind: &'static str,
    /// What the name was resolved to.
    pub address: Option<IpAddr>,
}

fn of(address: Option<IpAddr>, kind: &str) -> String {
    match address {
        Some(address) => format!("leads to {kind} ({address})"),
        None => format!("is {kind}"),
    }
}

/// A name that stands for nothing.
#[derive(Debug, thiserror::Error)]
#[error("the name {host} cannot be resolved")]
pub struct Unresolved {
    pub host: String,
}

/// Refused before anything is resolved.
pub fn literal(allow: &Allow, host: &str) -> Result<(), Forbidden> {
    match allow.forbids_host(host) {
        None => Ok(()),
        Some(kind) => Err(Forbidden { host: host.to_owned(), kind, address: None }),
    }
}

/// What of these may be connected to; an error if there are some and none may.
fn permitted(allow: &Allow, host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Failure> {
    let mut refused = None;
    let mut kept = Vec::with_capacity(found.len());
    for address in found {
        match allow.forbids(address.ip()) {
            None => kept.push(address),
            Some(kind) => refused = Some(Forbidden { host: host.to_owned(), kind, address: Some(address.ip()) }),
        }
    }
    match (kept.is_empty(), refused) {
        (true, Some(refused)) => Err(refused.into()),
        (true, None) => Err(Unresolved { host: host.to_owned() }.into()),
        (false, _) => Ok(kept),
    }
}

/// The machine's own resolver, filtered.
#[derive(Clone)]
pub struct Resolver {
    allow: Arc<Allow>,
    inner: GaiResolver,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx).map_err(Failure::from)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let allow = self.allow.clone();
        let host = name.as_str().to_owned();
        let resolving = literal(&allow, &host).map(|()| self.inner.call(name));
        Box::pin(async move {
            let found = resolving?.await.map_err(|_| Unresolved { host: host.clone() })?;
            Ok(permitted(&allow, &host, found.collect())?.into_iter())
        })
    }
}

/// A connector that also looks at literal addresses, for which no resolver is asked.
#[derive(Clone)]
pub struct Guarded {
    allow: Arc<Allow>,
    inner: HttpConnector<Resolver>,
}

impl Guarded {
    pub fn new(allow: Allow) -> Self {
        let allow = Arc::new(allow);
        let mut inner = HttpConnector::new_with_resolver(Resolver { allow: allow.clone(), inner: GaiResolver::new() });
        inner.enforce_http(false);
        inner.set_nodelay(true);
        Self { allow, inner }
    }
}

impl Service<Uri> for Guarded {
    type Response = <HttpConnector<Resolver> as Service<Uri>>::Response;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx).map_err(Failure::from)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match literal(&self.allow, uri.host().unwrap_or_default()) {
            Err(forbidden) => Box::pin(async move { Err(forbidden.into()) }),
            Ok(()) => {
                let connecting = self.inner.call(uri);
                Box::pin(async move { connecting.await.map_err(Failure::from) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_connected_to_is_kept() {
        let at = |text: &str| -> SocketAddr { text.parse().unwrap() };
        let none = Allow::default();
        assert_eq!(permitted(&none, "h", vec![at("127.0.0.1:1"), at("10.0.0.1:1")]).unwrap(), [at("10.0.0.1:1")]);
        let error = permitted(&none, "h", vec![at("[::1]:1")]).unwrap_err();
        assert_eq!(error.to_string(), "h leads to a loopback address (::1)");
        assert!(permitted(&none, "h", vec![]).unwrap_err().is::<Unresolved>());
        let some = Allow(vec!["127.0.0.0/8".parse().unwrap()]);
        assert_eq!(permitted(&some, "h", vec![at("127.0.0.1:1"), at("[::1]:1")]).unwrap(), [at("127.0.0.1:1")]);
    }
}
