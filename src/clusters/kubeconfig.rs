//! Kubeconfigs that people upload: read strictly, one context taken, and what would read a file or run a program here refused.
//!
//! Invariants: every refusal tells line and column and repeats no value but names of contexts that cannot be a credential. Opens no
//! file, runs nothing, asks nobody.

mod yaml;

use secrecy::SecretString;

use self::yaml::{Document, Node};
use super::certificate::Form;
use super::credentials::{Credentials, Given, Parts};
use super::refused::{Place, Refused, refuse};
use crate::model::Timestamp;

const HOW: &str = "give what `kubectl config view --raw --minify --flatten` prints";

/// What a kubeconfig offers.
#[derive(Debug)]
pub enum Read {
    One {
        context: Option<String>,
        credentials: Box<Credentials>,
    },
    /// The names of its contexts, the current one first: one has to be chosen.
    Several(Vec<String>),
}

/// Reads the text, takes the only context or the named one; `insecure` tells whether unverified TLS may be asked for.
pub fn read(text: impl AsRef<[u8]>, context: Option<&str>, insecure: bool) -> Result<Read, Refused> {
    let document = Document::read(text.as_ref())?;
    let root = document.root();
    let at = root.at();
    if root.is_empty() {
        return refuse(Place::Whole, format!("the kubeconfig is empty; {HOW}"));
    }
    if root.map().is_none() {
        return refuse(at, format!("this is no kubeconfig; {HOW}"));
    }
    expected(root, "kind", "Config")?;
    expected(root, "apiVersion", "v1")?;
    let contexts = named(root, "contexts", "context")?;
    let clusters = named(root, "clusters", "cluster")?;
    let users = named(root, "users", "user")?;
    let Some(chosen) = choose(root, &contexts, context)? else {
        return Ok(Read::Several(names(root, &contexts)?));
    };
    let body = chosen.body;
    known(body, "context", &["cluster", "user", "namespace", "extensions"])?;
    let cluster = pointed(body, &clusters, "cluster", "clusters")?;
    let user = pointed(body, &users, "user", "users")?;
    let namespace = optional(body, "namespace")?;
    let credentials = parts(cluster, user, namespace)?.check(insecure, Timestamp::now())?;
    Ok(Read::One { context: Some(chosen.name.to_owned()), credentials: Box::new(credentials) })
}

/// An entry of one of the three lists.
#[derive(Clone, Copy)]
struct Entry<'a> {
    name: &'a str,
    at: Place,
    body: Node<'a>,
}

fn expected(root: Node<'_>, key: &str, value: &str) -> Result<(), Refused> {
    match root.get(key).filter(|node| !node.is_empty()) {
        Some(node) if node.text() != Some(value) => refuse(node.at(), format!("`{key}` of a kubeconfig is `{value}`; {HOW}")),
        _ => Ok(()),
    }
}

fn named<'a>(root: Node<'a>, list: &'static str, of: &'static str) -> Result<Vec<Entry<'a>>, Refused> {
    let Some(node) = root.get(list).filter(|node| !node.is_empty()) else {
        let at = root.get(list).map_or(root.at(), Node::at);
        return refuse(at, format!("`{list}` is missing or empty; {HOW}"));
    };
    let form = || format!("`{list}` is a list of `- name: NAME` with `{of}:` below it");
    let Some(items) = node.list() else { return refuse(node.at(), form()) };
    let mut found: Vec<Entry<'a>> = Vec::new();
    for item in items {
        if item.map().is_none() {
            return refuse(item.at(), form());
        }
        known(item, list, &["name", of])?;
        let Some(name) = item.get("name").filter(|node| !node.is_empty()) else {
            return refuse(item.at(), format!("`name` is missing in `{list}`; {}", form()));
        };
        let at = name.at();
        let Some(text) = name.text() else { return refuse(at, format!("`name` is a text; {}", form())) };
        let Some(body) = item.get(of).filter(|node| !node.is_empty()) else {
            return refuse(item.at(), format!("`{of}` is missing or empty in `{list}`; {}", form()));
        };
        if body.map().is_none() {
            return refuse(body.at(), format!("`{of}` is a mapping; {}", form()));
        }
        if let Some(first) = found.iter().find(|entry| entry.name == text) {
            let line = match first.at {
                Place::At { line, .. } => line,
                _ => 0,
            };
            return refuse(at, format!("the same name stands twice in `{list}`, first in line {line}; rename one"));
        }
        found.push(Entry { name: text, at, body });
    }
    Ok(found)
}

/// Refuses keys that no kubeconfig has: one that is misspelt would be dropped in silence otherwise.
fn known(node: Node<'_>, of: &str, keys: &[&str]) -> Result<(), Refused> {
    for (key, at, _) in node.map().into_iter().flatten() {
        if !keys.contains(&key) {
            let near = keys.iter().find(|known| strsim::damerau_levenshtein(known, key) <= 2);
            let meant = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return refuse(at, format!("`{of}` has no such key, only {}{meant}", listed(keys)));
        }
    }
    Ok(())
}

fn listed(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

/// The context to be taken; none if a choice has to be asked for.
fn choose<'a>(root: Node<'a>, contexts: &[Entry<'a>], wanted: Option<&str>) -> Result<Option<Entry<'a>>, Refused> {
    match (wanted, contexts) {
        (Some(wanted), _) => match contexts.iter().find(|entry| entry.name == wanted) {
            Some(entry) => Ok(Some(*entry)),
            None => {
                let at = root.get("contexts").map_or(root.at(), Node::at);
                let there: Vec<String> = contexts.iter().filter_map(|entry| shown(entry.name)).collect();
                let there = if there.is_empty() { String::new() } else { format!(", only {}", there.join(", ")) };
                let wanted = shown(wanted).unwrap_or_else(|| "that name".into());
                refuse(at, format!("there is no context {wanted} here{there}"))
            }
        },
        (None, [only]) => Ok(Some(*only)),
        (None, _) => Ok(None),
    }
}

fn names(root: Node<'_>, contexts: &[Entry<'_>]) -> Result<Vec<String>, Refused> {
    for entry in contexts {
        if entry.name.chars().count() > 253 || entry.name.contains(char::is_control) || entry.name.contains("-----BEGIN") {
            return refuse(entry.at, "this is no name of a context; it is a line of at most 253 characters");
        }
    }
    let current = root.get("current-context").and_then(Node::text);
    let mut names: Vec<String> = contexts.iter().map(|entry| entry.name.to_owned()).collect();
    names.sort_by_key(|name| Some(name.as_str()) != current);
    Ok(names)
}

/// A name as it may stand in a sentence: what could be a credential that slipped into its place is not shown.
fn shown(name: &str) -> Option<String> {
    let odd = |run: &str| {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        run.len() >= 32 || (run.len() >= 16 && digits > 0 && digits < run.len())
    };
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || " -_.:/@+".contains(c));
    (plain && name.len() <= 128 && !name.starts_with("eyJ") && !name.split(|c: char| !c.is_ascii_alphanumeric()).any(odd))
        .then(|| format!("`{name}`"))
}

/// The entry that a context points to.
fn pointed<'a>(context: Node<'a>, entries: &[Entry<'a>], key: &str, list: &str) -> Result<Node<'a>, Refused> {
    let Some(node) = context.get(key).filter(|node| !node.is_empty()) else {
        return refuse(context.at(), format!("the context names no `{key}`; write `{key}: NAME`, one of `{list}`"));
    };
    let Some(name) = node.text() else { return refuse(node.at(), format!("`{key}` is the name of one of `{list}`")) };
    match entries.iter().find(|entry| entry.name == name) {
        Some(entry) => Ok(entry.body),
        None => {
            let what = shown(name).map(|name| format!(" {name}")).unwrap_or_default();
            refuse(node.at(), format!("there is no entry{what} in `{list}`; name one that is there"))
        }
    }
}

fn optional(node: Node<'_>, key: &str) -> Result<Option<Given<String>>, Refused> {
    let Some(found) = node.get(key).filter(|found| !found.is_empty()) else { return Ok(None) };
    match found.text() {
        Some(text) => Ok(Some(Given { value: text.to_owned(), place: found.at() })),
        None => refuse(found.at(), format!("`{key}` is a text, not a list or a mapping")),
    }
}

fn secret(node: Node<'_>, key: &str) -> Result<Option<Given<SecretString>>, Refused> {
    Ok(optional(node, key)?.map(|given| Given { value: given.value.into(), place: given.place }))
}

/// The key of `node` that is set and must not be, with what is said of it.
fn without(node: Node<'_>, refused: &[(&str, &str)]) -> Result<(), Refused> {
    for (key, at, value) in node.map().into_iter().flatten() {
        if let Some((_, why)) = refused.iter().find(|(name, _)| *name == key)
            && !value.is_empty()
        {
            return refuse(at, format!("`{key}` {why}"));
        }
    }
    Ok(())
}

const OF_CLUSTER: &[&str] = &[
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority",
    "certificate-authority-data",
    "proxy-url",
    "disable-compression",
    "extensions",
];
const NOT_OF_CLUSTER: &[(&str, &str)] = &[
    (
        "certificate-authority",
        "names a file of your machine, which is not here; put its content into `certificate-authority-data` (`kubectl config view --raw \
         --minify --flatten` does)",
    ),
    ("proxy-url", "is not taken: Gaggle connects to clusters itself, without a proxy; take it out"),
];
const OF_USER: &[&str] = &[
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "token",
    "tokenFile",
    "as",
    "as-uid",
    "as-groups",
    "as-user-extra",
    "username",
    "password",
    "auth-provider",
    "exec",
    "extensions",
];
const NOT_OF_USER: &[(&str, &str)] = &[
    (
        "exec",
        "runs a program to get credentials, and programs that somebody names are not run here; give a token, such as that of a \
         ServiceAccount (`kubectl create token NAME`), in `token`",
    ),
    (
        "auth-provider",
        "is a plugin that gets credentials, which newer clients no longer have either; give a token, such as that of a ServiceAccount \
         (`kubectl create token NAME`), in `token`",
    ),
    (
        "client-certificate",
        "names a file of your machine, which is not here; put its content into `client-certificate-data` (`kubectl config view --raw \
         --minify --flatten` does)",
    ),
    (
        "client-key",
        "names a file of your machine, which is not here; put its content into `client-key-data` (`kubectl config view --raw --minify \
         --flatten` does)",
    ),
    ("tokenFile", "names a file of your machine, which is not here; put the token itself into `token`"),
    (
        "username",
        "and a password are no longer taken by Kubernetes (since 1.19); give a token, or a client's certificate and key",
    ),
    (
        "password",
        "and a user name are no longer taken by Kubernetes (since 1.19); give a token, or a client's certificate and key",
    ),
    ("as", "lets Gaggle act as somebody else, which the cluster's records would hide; give credentials of whom it shall be"),
    ("as-uid", "lets Gaggle act as somebody else, which the cluster's records would hide; give credentials of whom it shall be"),
    (
        "as-groups",
        "lets Gaggle act as somebody else, which the cluster's records would hide; give credentials of whom it shall be",
    ),
    (
        "as-user-extra",
        "lets Gaggle act as somebody else, which the cluster's records would hide; give credentials of whom it shall be",
    ),
];

fn parts(cluster: Node<'_>, user: Node<'_>, namespace: Option<Given<String>>) -> Result<Parts, Refused> {
    known(cluster, "cluster", OF_CLUSTER)?;
    known(user, "user", OF_USER)?;
    without(cluster, NOT_OF_CLUSTER)?;
    without(user, NOT_OF_USER)?;
    let Some(server) = optional(cluster, "server")? else {
        return refuse(cluster.at(), "`server` is missing; write `server: https://HOST:PORT`");
    };
    if !server.value.contains("://") {
        return refuse(server.place, "the server's address has no scheme; write `https://HOST:PORT`");
    }
    Ok(Parts {
        server,
        ca: optional(cluster, "certificate-authority-data")?,
        token: secret(user, "token")?,
        certificate: optional(user, "client-certificate-data")?,
        key: secret(user, "client-key-data")?,
        insecure: flag(cluster, "insecure-skip-tls-verify")?,
        tls_server_name: optional(cluster, "tls-server-name")?,
        namespace,
        form: Form::Base64,
        without: user.at(),
    })
}

/// Where it stands if it is set.
fn flag(node: Node<'_>, key: &str) -> Result<Option<Place>, Refused> {
    let Some(found) = node.get(key).filter(|found| !found.is_empty()) else { return Ok(None) };
    match found.plain().map(str::to_ascii_lowercase).as_deref() {
        Some("true" | "yes" | "on") => Ok(Some(found.at())),
        Some("false" | "no" | "off") => Ok(None),
        _ => refuse(found.at(), format!("`{key}` is `true` or `false`, without quotes")),
    }
}

#[cfg(test)]
mod tests;
