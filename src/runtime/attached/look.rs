//! Finds out whether an agent server is there, what it is and whether it lets us in.
//!
//! Invariant: leaves nothing behind at the server, and names no key in what it says.

use std::time::Duration;

use anyhow::Context;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::AttachedOptions;
use crate::agent::Protocol;
use crate::model::clip;

/// The version of the Agent Client Protocol that we speak.
const ACP: u64 = 1;
/// What a server may answer with; more is not read.
const ANSWER: usize = 64 * 1024;

pub struct Server {
    client: Client,
    url: String,
    host: String,
    key: Option<SecretString>,
    protocol: Protocol,
}

/// What was found.
pub struct Look {
    /// Never `Auto`.
    pub protocol: Protocol,
    /// Name and version, for people.
    pub version: String,
}

impl Server {
    pub fn new(options: &AttachedOptions) -> anyhow::Result<Self> {
        let url = Url::parse(&options.url).context("`[agent] url` is no URL; write it as http://127.0.0.1:3284")?;
        anyhow::ensure!(
            matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none(),
            "`[agent] url` has to be an http or https URL without credentials; the key belongs into `[agent] secret_key`"
        );
        // A redirect would take the key along to wherever it leads.
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self {
            client,
            url: options.url.clone(),
            host: url.host_str().unwrap_or_default().to_owned(),
            key: options.secret_key.clone(),
            protocol: options.protocol,
        })
    }

    /// Whether it runs on this machine, and so shares our files.
    pub fn is_here(&self) -> bool {
        let host = self.host.trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The error is one or more whole sentences.
    pub async fn look(&self, patience: Duration) -> Result<Look, String> {
        tokio::time::timeout(patience, self.look_now())
            .await
            .unwrap_or_else(|_| Err(format!("It did not answer within {} s.", patience.as_secs_f32())))
    }

    async fn look_now(&self) -> Result<Look, String> {
        let paths: &[&str] = match self.protocol {
            Protocol::Acp => &["/health", "/status"],
            Protocol::GooseApi => &["/api/v1/health", "/health"],
            Protocol::Auto => &["/health", "/status", "/api/v1/health"],
        };
        let mut healthy = None;
        let mut last = StatusCode::OK;
        for path in paths {
            let (status, body) = self.get(path).await?;
            last = status;
            if status.is_success() {
                healthy = Some(body);
                break;
            }
        }
        let Some(health) = healthy else {
            return Err(format!("Its health address answered {last}."));
        };
        if self.protocol != Protocol::GooseApi
            && let Some(look) = self.acp().await?
        {
            return Ok(look);
        }
        if self.protocol == Protocol::Acp {
            return Err("It does not speak the Agent Client Protocol at /acp.".to_owned());
        }
        let health = if self.protocol == Protocol::Auto {
            match self.get("/api/v1/health").await? {
                (status, body) if status.is_success() => body,
                _ => return Err("It speaks neither the Agent Client Protocol nor the Goose API.".to_owned()),
            }
        } else {
            health
        };
        let version = serde_json::from_slice::<Value>(&health).ok();
        let version = version.as_ref().and_then(|body| body["version"].as_str());
        let version = version.map_or_else(|| "Goose API".to_owned(), |version| format!("Goose API {}", clip(version, 40)));
        Ok(Look { protocol: Protocol::GooseApi, version })
    }

    /// `None` if nothing speaks ACP there.
    async fn acp(&self) -> Result<Option<Look>, String> {
        let hello = json!({
            "jsonrpc": "2.0", "id": "gaggle-look", "method": "initialize",
            "params": { "protocolVersion": ACP, "clientCapabilities": {} },
        });
        let request = self.client.post(format!("{}/acp", self.url));
        let request = request.header("Accept", "application/json, text/event-stream").json(&hello);
        let answer = self.with_key(request).send().await.map_err(unreachable)?;
        let status = answer.status();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err("It refuses the key: check `[agent] secret_key`.".to_owned());
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => return Ok(None),
            status if !status.is_success() => return Err(format!("It answered {status} to a greeting.")),
            _ => {}
        }
        let connection = answer.headers().get("acp-connection-id").cloned();
        let body = bounded(answer).await?;
        if let Some(connection) = connection {
            let end = self.with_key(self.client.delete(format!("{}/acp", self.url))).header("Acp-Connection-Id", connection);
            // It would otherwise keep a connection that nobody reads. Failing to end it does no more harm.
            let _ = end.send().await;
        }
        let Ok(body) = serde_json::from_slice::<Value>(&body) else {
            return Err("It answered a greeting with something that is no JSON.".to_owned());
        };
        if let Some(error) = body["error"]["message"].as_str() {
            return Err(format!("It refuses a greeting: {}.", clip(error, 200)));
        }
        match body["result"]["protocolVersion"].as_u64() {
            Some(ACP) => {}
            Some(other) => return Err(format!("It speaks version {other} of the Agent Client Protocol; Gaggle speaks {ACP}.")),
            None => return Err("It answered a greeting without a protocol version.".to_owned()),
        }
        let agent = &body["result"]["agentInfo"];
        let text = |key: &str| agent[key].as_str().map(|text| clip(text, 60));
        // Older servers do not name themselves.
        let name = text("title").or_else(|| text("name")).unwrap_or_else(|| "an ACP agent".to_owned());
        let version = text("version").map_or(name.clone(), |version| format!("{name} {version}"));
        Ok(Some(Look { protocol: Protocol::Acp, version }))
    }

    async fn get(&self, path: &str) -> Result<(StatusCode, Vec<u8>), String> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await.map_err(unreachable)?;
        Ok((answer.status(), bounded(answer).await?))
    }

    fn with_key(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => {
                let mut value = reqwest::header::HeaderValue::from_str(key.expose_secret().trim());
                if let Ok(value) = &mut value {
                    value.set_sensitive(true);
                }
                match value {
                    Ok(value) => request.header("X-Secret-Key", value),
                    // The server then says that the key is wrong, and so it is.
                    Err(_) => request,
                }
            }
            None => request,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the whole of map_err")]
fn unreachable(error: reqwest::Error) -> String {
    let what = if error.is_connect() { "It cannot be reached" } else { "The way to it broke" };
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    format!("{what}: {}.", clip(&cause.to_string(), 200))
}

async fn bounded(mut answer: reqwest::Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
        body.extend_from_slice(&piece);
        if body.len() > ANSWER {
            break;
        }
    }
    Ok(body)
}
