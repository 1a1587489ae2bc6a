//! What comes back: bodies, and files that people attached.
//!
//! Invariants: no more is read than was asked for; no token goes along for a file, and none is got from elsewhere than Discord.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Response, StatusCode, Url};

use super::{Fault, Rest, counted};
use crate::chat::hosts;

const LIMIT: Duration = Duration::from_secs(60);
const HOSTS: &[&str] = &["cdn.discordapp.com", "media.discordapp.net"];

impl Rest {
    /// A file that somebody attached; at most so many bytes.
    pub async fn download(&self, url: &str, most: usize) -> Result<Bytes, Fault> {
        counted("download", async {
            let url = Url::parse(url).ok().filter(|url| self.is_ours(url)).ok_or(Fault::Foreign)?;
            let answer = self.shared.client.get(url).timeout(LIMIT).send().await.map_err(|error| harmless(&error))?;
            match answer.status() {
                StatusCode::OK => bounded(answer, most).await,
                status => Err(match Fault::of_answer(status, b"") {
                    Fault::Unknown(why) => Fault::Unsent(why),
                    other => other,
                }),
            }
        })
        .await
    }

    fn is_ours(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let is_plain = self.shared.base.scheme() == "http";
        match url.scheme() {
            "https" => HOSTS.contains(&host) && url.port().is_none(),
            "http" => is_plain && self.shared.base.host_str().is_some_and(|base| hosts::is_same(host, base)),
            _ => false,
        }
    }
}

/// Nothing is done by reading.
fn harmless(error: &reqwest::Error) -> Fault {
    match Fault::of_request(error) {
        Fault::Unknown(why) => Fault::Unsent(why),
        other => other,
    }
}

/// The body, unless it is longer than that.
pub async fn bounded(mut answer: Response, most: usize) -> Result<Bytes, Fault> {
    if answer.content_length().is_some_and(|length| length > most as u64) {
        return Err(Fault::TooLarge);
    }
    let mut body = BytesMut::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| harmless(&error))? {
        if body.len() + piece.len() > most {
            return Err(Fault::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}
