//! The Web API: one request, and what came of it.
//!
//! Absence: it knows no rates and tries nothing twice, since only its caller knows whether that would say something twice. No token,
//! URL or content is in what it shows or tells.

mod fault;
mod file;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use slack_morphism::hyper_tokio::{SlackClientHyperHttpsConnector, SlackHyperClient};
use slack_morphism::{ClientResult, SlackApiToken, SlackApiTokenValue, SlackClient};

pub use fault::Fault;
pub use file::Upload;

use super::super::hosts;
use crate::tls;

const LIMIT: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);

/// Cheap to clone.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
    token: Arc<SlackApiToken>,
}

struct Shared {
    client: SlackHyperClient,
    /// For `response_url`s, the answer to most commands: slack-morphism's layers would be half of what one costs.
    hooks: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// For what slack-morphism does not do: it hides the headers of answers and reads bodies without a bound.
    plain: reqwest::Client,
    base: Url,
    tls: Arc<rustls::ClientConfig>,
}

/// Whose token it is, and what it may do.
#[derive(Debug, Clone, Default)]
pub struct Auth {
    pub team: String,
    pub team_id: String,
    pub enterprise_id: Option<String>,
    /// The bot's name and ids.
    pub user: String,
    pub user_id: String,
    pub bot_id: Option<String>,
    /// `None`: it is not told.
    pub scopes: Option<Vec<String>>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("host", &self.shared.base.host_str()).finish_non_exhaustive()
    }
}

impl Api {
    /// `api_url` ends in `/api`, without a slash behind it.
    pub fn new(api_url: &str, token: SecretString) -> anyhow::Result<Self> {
        let base = Url::parse(api_url).context("`slack.api_url` is no URL")?;
        let tls = tls::config(base.scheme() == "https")?;
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT));
        http.enforce_http(false);
        let https = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_all_versions();
        let https = https.wrap_connector(http);
        let hooks = legacy::Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(https.clone());
        let connector = SlackClientHyperHttpsConnector::with_connector(https).with_slack_api_url(api_url);
        let plain = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .build()
            .context("no HTTP client for Slack")?;
        let shared = Shared { client: SlackClient::new(connector), hooks, plain, base, tls: Arc::new(tls) };
        Ok(Self { shared: Arc::new(shared), token: Arc::new(slack_token(&token)) })
    }

    /// The same connections with another token: an app's, or that of another workspace.
    #[must_use]
    pub fn with_token(&self, token: &SecretString) -> Self {
        Self { shared: self.shared.clone(), token: Arc::new(slack_token(token)) }
    }

    /// A method that takes JSON.
    pub async fn call(&self, method: &'static str, body: &Value) -> Result<Value, Fault> {
        let session = self.shared.client.open_session(&self.token);
        counted(method, limited(session.http_session_api.http_post(method, body, None))).await
    }

    /// A method that only takes arguments, as those that read do.
    pub async fn get(&self, method: &'static str, arguments: &[(&str, String)]) -> Result<Value, Fault> {
        let session = self.shared.client.open_session(&self.token);
        let arguments: Vec<_> = arguments.iter().map(|(name, value)| (*name, Some(value))).collect();
        counted(method, limited(session.http_session_api.http_get(method, &arguments, None))).await
    }

    /// Answers a command or a click by its `response_url`. The URL is the permission, so no token goes with it.
    pub async fn respond(&self, url: &str, body: &Value) -> Result<(), Fault> {
        let url = Url::parse(url).ok().filter(|url| is_hook(url) || self.is_ours(url)).ok_or_else(Fault::foreign_url)?;
        let body = Full::new(Bytes::from(body.to_string()));
        let request = http::Request::post(url.as_str()).header(CONTENT_TYPE, "application/json; charset=utf-8").body(body);
        let request = request.map_err(|_| Fault::foreign_url())?;
        let answer = async {
            let (head, body) = self.shared.hooks.request(request).await.map_err(|error| Fault::of_hyper(&error))?.into_parts();
            // Read whatever it is, so that the connection can be used again.
            let body = Limited::new(body, file::ANSWER).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            match head.status.is_success() {
                // It was taken, unless it says that it was not; otherwise what is said to it may be any text.
                true => fault::refusal(&body).map_or(Ok(()), Err),
                false => fault::answer(head.status, &head.headers, &body).map(drop),
            }
        };
        counted("response_url", async { timed(answer).await? }).await
    }

    /// Asks who the token is. By its own client, since slack-morphism hides the header with the scopes.
    pub async fn auth(&self) -> Result<Auth, Fault> {
        counted("auth.test", async {
            let request = self.shared.plain.post(self.method("auth.test")?).bearer_auth(&self.token.token_value.0).timeout(LIMIT);
            let answer = request.send().await.map_err(|error| Fault::of_plain(&error))?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let body = file::bounded(answer, file::ANSWER).await?;
            let body = fault::answer(status, &headers, &body)?;
            let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
            let scopes = headers.get("x-oauth-scopes").and_then(|value| value.to_str().ok());
            Ok(Auth {
                team: text("team"),
                team_id: text("team_id"),
                enterprise_id: Some(text("enterprise_id")).filter(|id| !id.is_empty()),
                user: text("user"),
                user_id: text("user_id"),
                bot_id: Some(text("bot_id")).filter(|id| !id.is_empty()),
                scopes: scopes.map(|all| all.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()),
            })
        })
        .await
    }

    /// The scopes that the token has; `None` if Slack does not tell.
    pub async fn scopes(&self) -> Result<Option<Vec<String>>, Fault> {
        Ok(self.auth().await?.scopes)
    }

    pub(super) fn tls(&self) -> Arc<rustls::ClientConfig> {
        self.shared.tls.clone()
    }

    /// Whether the API is reached without TLS, as gateways and tests are.
    pub(super) fn is_plain(&self) -> bool {
        self.shared.base.scheme() == "http"
    }

    fn method(&self, name: &str) -> Result<Url, Fault> {
        Url::parse(&format!("{}/{name}", self.shared.base.as_str().trim_end_matches('/'))).map_err(|_| Fault::foreign_url())
    }

    /// Slack's own hosts, and the one of the API where that is another: they may see the token.
    fn is_ours(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let base = self.shared.base.host_str().unwrap_or_default();
        let is_below = |of: &str| host == of || host.strip_suffix(of).is_some_and(|rest| rest.ends_with('.'));
        match url.scheme() {
            "https" => is_below("slack.com") || is_below(base),
            "http" => self.is_plain() && hosts::is_same(host, base),
            _ => false,
        }
    }
}

fn is_hook(url: &Url) -> bool {
    url.scheme() == "https" && url.host_str() == Some("hooks.slack.com")
}

fn slack_token(token: &SecretString) -> SlackApiToken {
    SlackApiToken::new(SlackApiTokenValue(token.expose_secret().to_owned()))
}

async fn timed<T>(work: impl Future<Output = T>) -> Result<T, Fault> {
    tokio::time::timeout(LIMIT, work).await.map_err(|_| Fault::Unknown("no answer in time"))
}

/// An answer that is not Slack's JSON may come from anything in between.
async fn limited(work: impl Future<Output = ClientResult<Value>>) -> Result<Value, Fault> {
    let answer = timed(work).await?.map_err(Fault::from)?;
    match answer["ok"].as_bool() {
        Some(true) => Ok(answer),
        _ => Err(Fault::Unknown("an answer that is not Slack's")),
    }
}

async fn counted<T>(method: &'static str, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let result = work.await;
    let outcome = result.as_ref().err().map_or("ok", Fault::outcome);
    metrics::counter!("gaggle_slack_calls_total", "method" => method, "outcome" => outcome).increment(1);
    result
}
