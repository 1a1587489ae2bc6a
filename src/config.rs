//! The configuration: a file, overlaid by variables of the environment, made into typed settings.
//!
//! Invariants: every fault is reported at once, each with its key and a fix; no fault, no warning and no `Debug` repeats a
//! value that may be a secret. Only `app` reads this; nothing else of the program knows where a setting came from.

mod access;
mod agent;
mod clusters;
mod discord;
mod environment;
mod file;
mod keys;
mod kubernetes;
mod nearest;
mod reader;
mod slack;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

pub use agent::{Agent, AgentName};

use crate::access::Policy;
use crate::chat;
use crate::work::Limits;
use reader::Reader;

#[derive(Debug)]
pub struct Config {
    /// Where the store, its key and the projects' folders are. Relative to the current folder.
    pub data_dir: PathBuf,
    pub server: Server,
    pub runtime: Runtime,
    pub agent: Agent,
    pub kubernetes: kubernetes::Options,
    /// Where the way to the cluster is told.
    pub cluster: kubernetes::Access,
    /// `None`: Slack is not used.
    pub slack: Option<chat::slack::Options>,
    pub discord: Option<chat::discord::Options>,
    pub clusters: clusters::Clusters,
    pub access: Policy,
    pub limits: Limits,
    /// `GAGGLE_SECRET_KEY`: what seals the stored secrets; never in the file.
    pub secret_key: Option<SecretString>,
    /// What works, but is hardly meant.
    pub warnings: Vec<String>,
}

#[derive(Debug)]
pub struct Server {
    /// Health, metrics, the platforms' doors.
    pub listen: Option<SocketAddr>,
}

#[derive(Debug)]
pub struct Runtime {
    pub kind: RuntimeKind,
    /// A project without work for this long is stopped.
    pub idle_stop: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeKind {
    Local,
    Attached,
    Kubernetes,
}

impl RuntimeKind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Attached => "attached",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// What is wrong with a setting, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// As `limits.turns`, the name of a variable that is none of ours, or the file.
    pub key: String,
    pub what: String,
    pub fix: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.key, self.what, self.fix)
    }
}

impl Config {
    /// Reads the file, if there is one, and the variables, which win. Without either, the defaults.
    pub fn load(file: Option<&Path>, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::default();
        match file.map(file::read).transpose() {
            Ok(file) => reader.file(file),
            Err(faults) => reader.unread(faults),
        }
        reader.environment(environment);
        let config = Self::from(&mut reader);
        let (faults, warnings) = reader.end();
        match faults.is_empty() {
            true => Ok(Self { warnings, ..config }),
            false => Err(faults),
        }
    }

    /// One line a section: to add one, name its keys in `keys` and take them here.
    fn from(reader: &mut Reader) -> Self {
        let kind = runtime_kind(reader);
        let (data_dir, server) = (data_dir(reader), Server { listen: listen(reader) });
        let agent = agent::read(reader, kind);
        let listens = server.listen.is_some();
        Self {
            data_dir,
            server,
            runtime: Runtime { kind: kind.unwrap_or(RuntimeKind::Local), idle_stop: reader.time("runtime.idle_stop") },
            kubernetes: kubernetes::read(reader, kind, &agent),
            cluster: kubernetes::access(reader),
            agent,
            slack: slack::read(reader, listens),
            discord: discord::read(reader, listens),
            clusters: clusters::read(reader),
            access: access::read(reader),
            limits: limits(reader),
            secret_key: reader.secret_key.take(),
            warnings: Vec::new(),
        }
    }
}

fn data_dir(reader: &mut Reader) -> PathBuf {
    let dir = reader.parsed("data_dir", |text| {
        (!text.starts_with('~')).then(|| PathBuf::from(text)).ok_or((
            "begins with `~`, which only a shell replaces",
            "write the whole path, or one relative to the current folder",
        ))
    });
    dir.unwrap_or_else(|| PathBuf::from("./.gaggle"))
}

fn listen(reader: &mut Reader) -> Option<SocketAddr> {
    reader.parsed("server.listen", |text| {
        text.parse().map_err(|_| ("is no IP address with a port", "write it as `127.0.0.1:7788`, `0.0.0.0:7788` or `[::1]:7788`"))
    })
}

/// `None`: it is said wrongly, so nothing can be said of what would fit it.
fn runtime_kind(reader: &mut Reader) -> Option<RuntimeKind> {
    let kinds = [RuntimeKind::Local, RuntimeKind::Attached, RuntimeKind::Kubernetes].map(|kind| (kind.as_str(), kind));
    match reader.is_set("runtime.kind") {
        true => reader.choice("runtime.kind", &kinds),
        false => Some(RuntimeKind::Local),
    }
}

fn limits(reader: &mut Reader) -> Limits {
    let usual = Limits::default();
    Limits {
        turns: reader.count("limits.turns").unwrap_or(usual.turns),
        turns_per_person: reader.count("limits.turns_per_person").unwrap_or(usual.turns_per_person),
        queue: reader.count("limits.queue").unwrap_or(usual.queue),
        activations: reader.count("limits.activations").unwrap_or(usual.activations),
        approval_timeout: reader.time("limits.approval_timeout").unwrap_or(usual.approval_timeout),
        shutdown_grace: reader.time("limits.shutdown_grace").unwrap_or(usual.shutdown_grace),
    }
}
