//! The address of a git repository.
//!
//! Invariant: a `RepoUrl` holds no credential, and no part of it can be taken for an option by git or ssh.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RepoUrl(pub String);

const FORM: &str = "a repository is https://HOST/PATH, ssh://git@HOST/PATH or git@HOST:PATH";
const CREDENTIALS: &str = "a repository's URL holds no credentials: store the token with `/project secret set NAME GIT_TOKEN`";

impl FromStr for RepoUrl {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let check = || {
            if s.len() > 2_000 || s.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
                return Err(FORM);
            }
            if let Some(rest) = s.strip_prefix("https://") {
                let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                if authority.contains('@') {
                    return Err(CREDENTIALS);
                }
                return address(authority, path);
            }
            if let Some(rest) = s.strip_prefix("ssh://") {
                let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                return address(without_user(authority)?, path);
            }
            if s.contains("://") {
                // A refused scheme may carry credentials too; that is the more urgent thing to say.
                let authority = s.split("://").nth(1).unwrap_or("").split('/').next().unwrap_or("");
                return Err(if authority.contains('@') { CREDENTIALS } else { FORM });
            }
            let (place, path) = s.split_once(':').ok_or(FORM)?;
            if path.contains('@') {
                return Err(CREDENTIALS);
            }
            if !place.contains('@') {
                return Err(FORM);
            }
            address(without_user(place)?, path)
        };
        check().map(|()| Self(s.to_owned())).map_err(str::to_owned)
    }
}

/// What follows a user name, which ssh may have; a password it may not.
fn without_user(authority: &str) -> Result<&str, &'static str> {
    let Some((user, host)) = authority.rsplit_once('@') else {
        return Ok(authority);
    };
    if user.contains([':', '@']) {
        return Err(CREDENTIALS);
    }
    let fits =
        !user.is_empty() && !user.starts_with('-') && user.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if fits { Ok(host) } else { Err(FORM) }
}

fn address(authority: &str, path: &str) -> Result<(), &'static str> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').or(port.is_empty().then_some("1"))),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, Some("1")),
        },
    };
    let ip6 = authority.starts_with('[');
    let fits = !host.is_empty()
        && !host.starts_with('-')
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b) || (ip6 && b == b':'))
        && port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        && !path.trim_matches('/').is_empty()
        && !path.trim_start_matches('/').starts_with('-')
        && !path.contains(['?', '#']);
    if fits { Ok(()) } else { Err(FORM) }
}

impl fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for url in [
            "https://github.com/a/b",
            "https://host:8443/a/b.git",
            "https://[::1]:80/a",
            "ssh://git@host/a/b",
            "ssh://host:22/a",
            "git@github.com:a/b.git",
            "https://host/a@b",
        ] {
            assert_eq!(url.parse::<RepoUrl>(), Ok(RepoUrl(url.to_owned())));
        }
        for url in [
            "",
            "demo",
            "http://host/a",
            "git://host/a",
            "file:///etc",
            "https://",
            "https://host",
            "https://host/",
            "https:///a",
            "https://-host/a",
            "https://host/-a",
            "ssh://-oProxyCommand=x/a",
            "-oX@host:a",
            "git@-host:a",
            "git@host:-a",
            "git@host:",
            "host:path",
            "https://host/a b",
            "https://host:0/a",
            "https://host:x/a",
            "https://host/a?token=x",
            "C:\\x",
            "--upload-pack=x",
        ] {
            assert_eq!(url.parse::<RepoUrl>(), Err(FORM.to_owned()), "{url}");
        }
        for url in [
            "https://user:hunter2@host/a",
            "https://hunter2@host/a",
            "ssh://git:hunter2@host/a",
            "http://u:hunter2@host/a",
            "git:hunter2@host:a",
        ] {
            assert_eq!(url.parse::<RepoUrl>(), Err(CREDENTIALS.to_owned()), "{url}");
        }
    }
}
