//! A file from elsewhere that somebody named by its address: guarded as clusters are, and more, since private networks have nothing to
//! offer either.
//!
//! Invariants: https alone; no redirect is followed, no proxy used, no more read than asked for; private addresses are connected to only
//! if `[clusters] allow_addresses` has them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::Allow;
use super::failure::{self, Failure};

/// How often an address may lead to another one.
const LEADS: u32 = 3;
const CONNECT: Duration = Duration::from_secs(5);
/// Without a byte for this long, nobody answers any more.
const SILENCE: Duration = Duration::from_secs(10);

/// Why there is nothing, as a part of a sentence.
#[derive(Debug, thiserror::Error)]
pub enum Unfetched {
    #[error("{0} leads to {1}, which is not connected to")]
    Forbidden(String, &'static str),
    #[error("the address is not an https address")]
    Address,
    #[error("the server answers with HTTP {0}")]
    Status(u16),
    #[error("it leads elsewhere (HTTP {0}) again and again, or does not say where")]
    Elsewhere(u16),
    #[error("it is larger than {0} bytes")]
    Large(usize),
    #[error("{0} cannot be reached")]
    Unreachable(String),
    #[error("{0}: {why}", why = .1.short())]
    Failed(String, Failure),
}

/// At most `most` bytes. Forges lead from a page's address to the file's: each further address is judged as the first one was.
pub async fn fetch(url: &str, allow: &Allow, most: usize) -> Result<Vec<u8>, Unfetched> {
    let mut url = reqwest::Url::parse(url).map_err(|_| Unfetched::Address)?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .https_only(true)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .dns_resolver(Arc::new(Public(allow.clone())))
        .build()
        .map_err(|_| Unfetched::Unreachable(url.host_str().unwrap_or_default().to_owned()))?;
    let mut leads = 0;
    let (mut answer, host) = loop {
        let host = judged(&url, allow)?;
        let answer = client.get(url.clone()).send().await.map_err(|error| unreached(&error, &host))?;
        match answer.status() {
            status if status.is_redirection() => {
                leads += 1;
                let location = answer.headers().get(reqwest::header::LOCATION).and_then(|to| to.to_str().ok());
                let next = location.and_then(|to| url.join(to).ok()).filter(|_| leads <= LEADS);
                url = next.ok_or(Unfetched::Elsewhere(status.as_u16()))?;
            }
            status if !status.is_success() => return Err(Unfetched::Status(status.as_u16())),
            _ => break (answer, host),
        }
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| unreached(&error, &host))? {
        if bytes.len() + chunk.len() > most {
            return Err(Unfetched::Large(most));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The host of an address from which something may be fetched.
fn judged(url: &reqwest::Url, allow: &Allow) -> Result<String, Unfetched> {
    let host = url.host_str().map(str::to_owned).filter(|_| url.scheme() == "https").ok_or(Unfetched::Address)?;
    // A resolver is not asked for a literal address.
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse().ok().and_then(|address| forbids(allow, address)).or_else(|| allow.forbids_host(&host)) {
        Some(kind) => Err(Unfetched::Forbidden(host, kind)),
        None => Ok(host),
    }
}

fn unreached(error: &reqwest::Error, host: &str) -> Unfetched {
    let chain = failure::chain(error);
    if let Some(Refusal(kind)) = chain.iter().find_map(|error| error.downcast_ref()) {
        return Unfetched::Forbidden(host.to_owned(), kind);
    }
    match chain.into_iter().find_map(failure::known) {
        Some(failure) => Unfetched::Failed(host.to_owned(), failure),
        None => Unfetched::Unreachable(host.to_owned()),
    }
}

fn forbids(allow: &Allow, address: IpAddr) -> Option<&'static str> {
    let private = match address {
        IpAddr::V4(v4) => v4.is_private() || matches!(v4.octets(), [100, 64..=127, ..]),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => return forbids(allow, IpAddr::V4(v4)),
            None => v6.is_unique_local(),
        },
    };
    let held = allow.0.iter().any(|cidr| cidr.holds(address));
    allow.forbids(address).or((private && !held).then_some("a private address"))
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(&'static str);

/// The machine's own resolver, filtered.
struct Public(Allow);

impl Resolve for Public {
    fn resolve(&self, name: Name) -> Resolving {
        let allow = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let refused = found.iter().find_map(|address| forbids(&allow, address.ip()));
            let kept: Vec<SocketAddr> = found.into_iter().filter(|address| forbids(&allow, address.ip()).is_none()).collect();
            match (kept.is_empty(), refused) {
                (true, Some(kind)) => Err(Refusal(kind).into()),
                _ => Ok(Box::new(kept.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_fetched_from_inside() {
        let allow = Allow::default();
        for (url, why) in [
            ("http://example.com/a", "not an https"),
            ("https://127.0.0.1/a", "loopback"),
            ("https://0x7f.1/a", "loopback"),
            ("https://10.1.2.3/a", "private"),
            ("https://[::ffff:192.168.0.1]/a", "private"),
            ("https://[fd12::1]/a", "private"),
            ("https://169.254.169.254/latest", "metadata"),
            ("https://metadata.google.internal/a", "metadata"),
            ("https://localhost/a", "loopback"),
            ("file:///etc/passwd", "not an https"),
        ] {
            let error = fetch(url, &allow, 10).await.unwrap_err().to_string();
            assert!(error.contains(why), "{url}: {error}");
        }
    }
}
