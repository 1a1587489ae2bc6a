//! Files, to and from Slack. By an own client, since slack-morphism reads whole bodies, however long.
//!
//! Invariants: no more is read than was asked for; the token goes to Slack's hosts alone, wherever an answer points.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Response, StatusCode, Url};
use serde_json::{Value, json};

use super::fault::{self, Fault};
use super::{Api, counted};

/// Of an answer that is no file.
pub const ANSWER: usize = 1 << 20;
const LIMIT: Duration = Duration::from_secs(60);
const HOPS: usize = 3;

/// A file that is to be shown somewhere.
#[derive(Clone)]
pub struct Upload {
    pub channel: String,
    pub thread_ts: Option<String>,
    pub name: String,
    pub title: Option<String>,
    /// What is written above it.
    pub comment: Option<String>,
    pub bytes: Bytes,
}

impl Api {
    /// A file that somebody attached, by its `url_private`; at most so many bytes, else `file_too_large`.
    pub async fn download(&self, url: &str, most: usize) -> Result<Bytes, Fault> {
        counted("download", async {
            match tokio::time::timeout(LIMIT, self.follow(url, most)).await {
                Ok(result) => result.map_err(Fault::harmless),
                Err(_) => Err(Fault::Unsent("no answer in time")),
            }
        })
        .await
    }

    async fn follow(&self, url: &str, most: usize) -> Result<Bytes, Fault> {
        let mut url = Url::parse(url).map_err(|_| Fault::foreign_url())?;
        for hop in 0..=HOPS {
            if !self.is_ours(&url) {
                return Err(Fault::foreign_url());
            }
            let request = self.shared.plain.get(url.clone()).bearer_auth(&self.token.token_value.0);
            let answer = request.send().await.map_err(|error| Fault::of_plain(&error))?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
            if status.is_redirection() {
                let to = header(LOCATION).and_then(|to| url.join(to).ok());
                url = to.ok_or_else(|| Fault::Refused("no_location".to_owned()))?;
                continue;
            }
            if status != StatusCode::OK {
                return Err(fault::answer(status, &headers, b"")
                    .err()
                    .unwrap_or(Fault::Refused(format!("http_{}", status.as_u16()))));
            }
            // Who may not read a file is sent to a page for signing in.
            if hop > 0 && header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html")) {
                return Err(Fault::Refused("no_permission".to_owned()));
            }
            return bounded(answer, most).await;
        }
        Err(Fault::Refused("too_many_redirects".to_owned()))
    }

    /// Until the last step nobody sees anything of it, so what fails before that was not sent.
    pub async fn upload(&self, upload: &Upload) -> Result<Value, Fault> {
        let length = upload.bytes.len().to_string();
        let place = self.get("files.getUploadURLExternal", &[("filename", upload.name.clone()), ("length", length)]).await;
        let place = place.map_err(Fault::harmless)?;
        let (Some(url), Some(id)) = (place["upload_url"].as_str(), place["file_id"].as_str()) else {
            return Err(Fault::Unsent("an answer that is not Slack's"));
        };
        let url = Url::parse(url).ok().filter(|url| self.is_ours(url)).ok_or_else(Fault::foreign_url)?;
        counted("upload", self.post(url, upload.bytes.clone())).await.map_err(Fault::harmless)?;
        let title = upload.title.as_deref().unwrap_or(&upload.name);
        let mut body = json!({ "files": [{ "id": id, "title": title }], "channel_id": upload.channel });
        if let Some(thread) = &upload.thread_ts {
            body["thread_ts"] = thread.as_str().into();
        }
        if let Some(comment) = &upload.comment {
            body["initial_comment"] = comment.as_str().into();
        }
        self.call("files.completeUploadExternal", &body).await
    }

    /// The URL is the permission, so no token goes with it.
    async fn post(&self, url: Url, bytes: Bytes) -> Result<(), Fault> {
        let request = self.shared.plain.post(url).header(CONTENT_TYPE, "application/octet-stream").timeout(LIMIT).body(bytes);
        let answer = request.send().await.map_err(|error| Fault::of_plain(&error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        match status.is_success() {
            true => Ok(()),
            false => Err(fault::answer(status, &headers, b"").err().unwrap_or(Fault::Unknown("Slack failed"))),
        }
    }
}

/// The body, unless it is longer than that.
pub async fn bounded(mut answer: Response, most: usize) -> Result<Bytes, Fault> {
    let too_large = || Fault::Refused("file_too_large".to_owned());
    if answer.content_length().is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| Fault::of_plain(&error))? {
        if body.len() + piece.len() > most {
            return Err(too_large());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}
