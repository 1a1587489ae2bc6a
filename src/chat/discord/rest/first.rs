//! The first response to an interaction, by the shortest way: there is no rate for it, its permission stands in its path, and
//! Discord wants it within three seconds.
//!
//! Invariant: what may have been taken is only said again because Discord tells if it was (40060).

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Uri};
use bytes::Bytes;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::limiter::limited;
use super::{AGENT, CONNECT, Fault, IDLE};

const LIMIT: Duration = Duration::from_millis(2500);
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(50);
/// Of what Discord says to it.
const ANSWER: usize = 64 << 10;

/// reqwest would parse the URL once more and pass several layers that are of no use here.
pub struct First {
    client: Client<HttpsConnector<HttpConnector>, reqwest::Body>,
    /// Up to `/v10`.
    base: String,
}

impl fmt::Debug for First {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("First")
    }
}

impl First {
    pub fn new(base: &str, tls: rustls::ClientConfig) -> Self {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT));
        http.enforce_http(false);
        let https = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions();
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE)
            // A connection that died in silence is not found out by somebody's command.
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(5))
            .http2_keep_alive_while_idle(true)
            .build(https.wrap_connector(http));
        Self { client, base: base.to_owned() }
    }

    pub async fn respond(&self, id: &str, token: &str, body: &Value) -> Result<(), Fault> {
        // Nothing that would lead elsewhere.
        let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b'?' | b'#' | b'\\'));
        if id.is_empty() || token.is_empty() || !is_plain(id) || !is_plain(token) {
            return Err(Fault::Foreign);
        }
        let uri: Uri = format!("{}/interactions/{id}/{token}/callback", self.base).parse().map_err(|_| Fault::Foreign)?;
        let body = Bytes::from(body.to_string());
        timeout(LIMIT, self.tried(&uri, &body)).await.unwrap_or(Err(Fault::Unknown("no answer in time")))
    }

    async fn tried(&self, uri: &Uri, body: &Bytes) -> Result<(), Fault> {
        let (mut tries, mut is_open) = (0, false);
        loop {
            let fault = match self.once(uri, body).await {
                Err(fault) => fault,
                Ok(()) => return Ok(()),
            };
            tries += 1;
            is_open |= matches!(fault, Fault::Unknown(_));
            match fault {
                fault if is_open && fault.is_acknowledged() => return Ok(()),
                Fault::Unsent(_) | Fault::Unknown(_) if tries < TRIES => sleep(PAUSE * tries * tries).await,
                fault => return Err(fault),
            }
        }
    }

    async fn once(&self, uri: &Uri, body: &Bytes) -> Result<(), Fault> {
        let mut request = Request::new(reqwest::Body::from(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        let headers: &mut HeaderMap = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let answer = self.client.request(request).await.map_err(|error| match error.is_connect() {
            true => Fault::Unsent("no connection"),
            false => Fault::Unknown("the connection broke"),
        })?;
        let (head, body) = answer.into_parts();
        if head.status == StatusCode::NO_CONTENT {
            return Ok(());
        }
        // Read whatever it is, so that the connection can be used again.
        let body = axum::body::to_bytes(Body::new(body), ANSWER).await.unwrap_or_default();
        match head.status {
            status if status.is_success() => Ok(()),
            StatusCode::TOO_MANY_REQUESTS => Err(match limited(&head.headers, &body) {
                Some((wait, _)) => Fault::Limited(wait),
                None => Fault::of_answer(head.status, &body),
            }),
            status => Err(Fault::of_answer(status, &body)),
        }
    }
}
