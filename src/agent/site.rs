//! An agent's server as HTTP sees it: the client, the key, and what its failures mean to people.
//!
//! reqwest makes the requests and reads the answers; what goes between are sockets of our own, see [`socket`].

mod socket;

use std::error::Error;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use reqwest::header::{ACCEPT, HeaderName, HeaderValue};
use reqwest::{Body, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};

use self::socket::Sockets;
use super::{Failure, MAX_EVENT, Patience, Protocol, sentences, sse};
use crate::tls;

const KEY: HeaderName = HeaderName::from_static("x-secret-key");
/// Idle sockets kept for calls; streams have theirs for themselves.
const POOL: usize = 64;

#[derive(Clone)]
pub struct Site {
    /// Makes requests and sends none.
    maker: reqwest::Client,
    client: legacy::Client<HttpsConnector<Sockets>, Body>,
    key: Option<HeaderValue>,
    url: String,
    patience: Patience,
}

/// Why a call over HTTP came to nothing.
#[derive(Debug)]
pub enum Trouble {
    /// Nobody listens there: nothing was sent.
    Refused(String),
    /// It may have arrived.
    Lost(String),
    TooLong,
}

impl Site {
    pub fn new(url: &str, key: Option<&SecretString>, patience: Patience) -> Result<Self, Failure> {
        let broken =
            |what: &str| Failure::Failed(format!("The agent's address {} cannot be used: {what}.", sentences::shown_url(url)));
        let secure = url.starts_with("https://");
        if !secure && !url.starts_with("http://") {
            return Err(broken("it has to start with http:// or https://"));
        }
        let key = match key {
            Some(key) => {
                let mut value = HeaderValue::from_str(key.expose_secret())
                    .map_err(|_| broken("its key has characters that no header may hold"))?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        // Whoever was first has installed it; all of Gaggle uses the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Reading the machine's certificates takes a while, and plain HTTP needs none.
        let maker = reqwest::Client::builder().no_proxy().tls_certs_only([]).build();
        let maker = maker.map_err(|error| broken(&sse::root(&error)))?;
        let tls = if secure { tls::config(true) } else { tls::none() };
        let tls = tls.map_err(|error| broken(&format!("{error:#}")))?;
        let https = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions();
        // No proxy and no redirect: the key goes to that server and to no other.
        let client = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(POOL)
            .build(https.wrap_connector(Sockets::new(patience.call.min(Duration::from_secs(5)))));
        let url = url.trim_end_matches('/').to_owned();
        reqwest::Url::parse(&url).map_err(|error| broken(&error.to_string()))?;
        Ok(Self { maker, client, key, url, patience })
    }

    /// For people.
    pub fn place(&self) -> String {
        sentences::shown_url(&self.url)
    }

    pub fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        let request = self.maker.request(method, format!("{}{path}", self.url));
        match &self.key {
            Some(key) => request.header(KEY, key),
            None => request,
        }
    }

    /// A call with an end: its whole answer has to come in time.
    pub async fn call(&self, request: RequestBuilder) -> Result<Response, Trouble> {
        let whole = async {
            let (head, body) = self.send(request).await?.into_parts();
            let body = Limited::new(body, MAX_EVENT).collect().await;
            let body = body.map_err(|error| Trouble::Lost(sse::root(error.as_ref())))?;
            Ok(Response::from(http::Response::from_parts(head, body.to_bytes())))
        };
        tokio::time::timeout(self.patience.call, whole).await.unwrap_or(Err(Trouble::TooLong))
    }

    /// A stream: only its start has to come in time.
    pub async fn stream(&self, request: RequestBuilder) -> Result<Response, Trouble> {
        match tokio::time::timeout(self.patience.call, self.send(request)).await {
            Ok(begun) => Ok(Response::from(begun?.map(Body::wrap))),
            Err(_) => Err(Trouble::TooLong),
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<http::Response<hyper::body::Incoming>, Trouble> {
        let built = request.build().and_then(http::Request::<Body>::try_from);
        let mut request = built.map_err(|error| Trouble::Refused(sse::root(&error)))?;
        request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        self.client.request(request).await.map_err(|error| trouble(&error))
    }

    pub fn unreachable(&self, trouble: &Trouble) -> Failure {
        let place = self.place();
        Failure::Interrupted(match trouble {
            Trouble::Refused(why) => format!(
                "No agent answers at {place} ({}). Check that it runs and that the address is right.",
                sentences::quoted(why)
            ),
            Trouble::Lost(why) => {
                format!("The connection to the agent at {place} broke ({}). Try again.", sentences::quoted(why))
            }
            Trouble::TooLong => format!(
                "The agent at {place} did not answer within {} s. Try again, or restart it.",
                self.patience.call.as_secs()
            ),
        })
    }

    /// A status that nobody expected.
    pub fn odd_status(&self, status: StatusCode) -> Failure {
        let place = self.place();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => sentences::key_refused(&place),
            StatusCode::PAYLOAD_TOO_LARGE => {
                Failure::Failed("The message is larger than the agent takes. Send a shorter one.".to_owned())
            }
            other => {
                Failure::Failed(format!("The agent at {place} answered with HTTP status {other}. Check its log and its address."))
            }
        }
    }

    /// Which protocol the server speaks.
    pub async fn detect(&self) -> Result<Protocol, Failure> {
        let mut tried = Vec::new();
        for (path, protocol) in
            [("/acp", Protocol::Acp), ("/api/v1/health", Protocol::GooseApi), ("/api/v1/sessions", Protocol::GooseApi)]
        {
            let path_or_none = if self.url.ends_with("/acp") && protocol == Protocol::Acp { "" } else { path };
            let response = self
                .stream(self.request(reqwest::Method::GET, path_or_none))
                .await
                .map_err(|trouble| self.unreachable(&trouble))?;
            let status = response.status();
            match (protocol, status) {
                (_, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => return Err(self.odd_status(status)),
                // It speaks ACP and misses what a plain GET does not have: the kind of answer, or the connection's id.
                (Protocol::Acp, StatusCode::NOT_ACCEPTABLE | StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED) => {
                    return Ok(protocol);
                }
                (Protocol::GooseApi, StatusCode::OK) => return Ok(protocol),
                _ => tried.push(format!("GET {path}: {}", status.as_u16())),
            }
        }
        Err(Failure::Failed(format!(
            "The server at {} speaks neither ACP nor the Goose API (tried {}). Check `[agent] url`, or set `[agent] protocol`.",
            self.place(),
            tried.join(", ")
        )))
    }
}

fn trouble(error: &legacy::Error) -> Trouble {
    let why = sse::root(error);
    match error.is_connect() {
        true if is_too_late(error) => Trouble::TooLong,
        true => Trouble::Refused(why),
        false => Trouble::Lost(why),
    }
}

/// Whether nobody answered the try to connect.
fn is_too_late(error: &(dyn Error + 'static)) -> bool {
    let late = error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut);
    late || error.source().is_some_and(is_too_late)
}
