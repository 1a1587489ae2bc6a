//! An agent's server as HTTP sees it: the client, the key, and what its failures mean to people.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};

use super::{Failure, Patience, Protocol, sentences, sse};

const KEY: HeaderName = HeaderName::from_static("x-secret-key");
/// Idle sockets kept for calls; streams have theirs for themselves.
const POOL: usize = 64;

#[derive(Clone)]
pub struct Site {
    client: Client,
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
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(key.expose_secret())
                .map_err(|_| broken("its key has characters that no header may hold"))?;
            value.set_sensitive(true);
            headers.insert(KEY, value);
        }
        // Whoever was first has installed it; all of Gaggle uses the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // No proxy and no redirect: the key goes to that server and to no other.
        let builder = Client::builder()
            .default_headers(headers)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30))
            .pool_max_idle_per_host(POOL)
            .connect_timeout(patience.call.min(Duration::from_secs(5)));
        // Reading the machine's certificates takes a while, and plain HTTP needs none.
        let builder = if secure { builder } else { builder.tls_certs_only([]) };
        let client = builder.build().map_err(|error| broken(&sse::root(&error)))?;
        let url = url.trim_end_matches('/').to_owned();
        reqwest::Url::parse(&url).map_err(|error| broken(&error.to_string()))?;
        Ok(Self { client, url, patience })
    }

    /// For people.
    pub fn place(&self) -> String {
        sentences::shown_url(&self.url)
    }

    pub fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// A call with an end: its whole answer has to come in time.
    pub async fn call(&self, request: RequestBuilder) -> Result<Response, Trouble> {
        request.timeout(self.patience.call).send().await.map_err(trouble)
    }

    /// A stream: only its start has to come in time.
    pub async fn stream(&self, request: RequestBuilder) -> Result<Response, Trouble> {
        match tokio::time::timeout(self.patience.call, request.send()).await {
            Ok(outcome) => outcome.map_err(trouble),
            Err(_) => Err(Trouble::TooLong),
        }
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
                .call(self.request(reqwest::Method::GET, path_or_none))
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

fn trouble(error: reqwest::Error) -> Trouble {
    let why = sse::root(&error);
    if error.is_connect() && !error.is_timeout() {
        Trouble::Refused(why)
    } else if error.is_timeout() {
        Trouble::TooLong
    } else {
        Trouble::Lost(why)
    }
}
