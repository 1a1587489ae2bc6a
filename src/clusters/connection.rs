//! From credentials to clients of a cluster.
//!
//! Invariants: every connection goes through the guard of addresses, no proxy is used whatever the environment says, no redirect is
//! followed, and no request is tried again by itself.

use std::time::Duration;

use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use kube::Client;
use kube::client::{ClientBuilder, ConfigExt as _};
use secrecy::{ExposeSecret as _, SecretString};
use tower::ServiceBuilder;

use super::address::Allow;
use super::credentials::Credentials;
use super::failure::Failure;
use super::guard::{self, Guarded};
use super::refused::{Place, Refused};

/// How long a new connection may take, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest silence of an ordinary answer or a watch.
const SILENCE: Duration = Duration::from_secs(75);
/// The longest that is repeated of what a server says.
const LONGEST: usize = 300;

/// The ways to a cluster.
#[derive(Clone)]
pub struct Connection {
    /// For requests and watches: ends what is silent for too long.
    pub calls: Client,
    /// For logs, exec and port-forwards, which may be silent for as long as they like.
    pub streams: Client,
    /// Without user, path or query.
    pub server: String,
    pub insecure: bool,
    secrets: Vec<SecretString>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Makes the clients. Connects to nobody yet.
pub fn connect(credentials: &Credentials, allow: &Allow) -> Result<Connection, Refused> {
    guard::literal(allow, credentials.host())
        .map_err(|forbidden| Refused::new(Place::Whole, Failure::Guarded(forbidden).sentence(credentials.server())))?;
    Ok(Connection {
        calls: client(credentials, allow, Some(SILENCE))?,
        streams: client(credentials, allow, None)?,
        server: credentials.server().to_owned(),
        insecure: credentials.insecure(),
        secrets: credentials.secrets(),
    })
}

fn client(credentials: &Credentials, allow: &Allow, read: Option<Duration>) -> Result<Client, Refused> {
    let config = credentials.config()?;
    // The library's words could quote a header.
    let unusable =
        |_: kube::Error| Refused::new(Place::Whole, "no connection can be made of these credentials; check the certificates");
    let https = config.rustls_https_connector_with_connector(Guarded::new(allow.clone())).map_err(unusable)?;
    let mut connector = TimeoutConnector::new(https);
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_read_timeout(read);
    // Otherwise the time for which a kept connection was idle counts as silence.
    connector.set_reset_reader_on_write(true);
    let http = Http::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().map_err(unusable)?)
        .map_err(tower::BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(service, config.default_namespace.clone()).build())
}

impl Connection {
    /// With clients that were made of the credentials that Gaggle itself runs with.
    pub fn own(calls: Client, streams: Client, server: String) -> Self {
        Self { calls, streams, server, insecure: false, secrets: Vec::new() }
    }

    /// Around a client that a test has made.
    #[cfg(test)]
    pub(super) fn around(client: Client, secrets: Vec<SecretString>) -> Self {
        Self { calls: client.clone(), streams: client, server: "https://cluster.test".into(), insecure: false, secrets }
    }

    /// What a server said, as it may be repeated: bounded, in one line, without the credentials that it was sent.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for secret in &self.secrets {
            let secret = secret.expose_secret();
            if secret.len() >= 4 {
                text = text.replace(secret, "…");
            }
        }
        text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
    }
}

#[cfg(test)]
mod tests;
