//! `[agent]`: which agent the local runtime starts, or where the one is that an attached runtime uses; its variables and protocol
//! on a cluster, too.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

use super::RuntimeKind;
use super::reader::Reader;
use crate::agent::{Patience, Protocol};

pub struct Agent {
    pub name: AgentName,
    /// Local: any ACP agent on its standard input and output, in place of `name`.
    pub command: Option<Vec<String>>,
    /// Local and Kubernetes: what the agent finds in its environment.
    pub env: Vec<(String, String)>,
    /// Attached: the server.
    pub url: Option<String>,
    /// Attached: the server's key.
    pub secret_key: Option<SecretString>,
    pub protocol: Protocol,
    /// Attached: the folder on the server that sessions work in.
    pub workdir: Option<String>,
    pub stream_idle_timeout: Duration,
}

/// Which agent the local runtime starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentName {
    /// Goose if it is on PATH, else the demo agent.
    Auto,
    Goose,
    Demo,
}

/// Arguments and variables may hold keys of models.
impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("name", &self.name)
            .field("command", &self.command.as_ref().and_then(|command| command.first()))
            .field("env", &self.env.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("url", &self.url)
            .field("secret_key", &self.secret_key)
            .field("protocol", &self.protocol)
            .field("workdir", &self.workdir)
            .field("stream_idle_timeout", &self.stream_idle_timeout)
            .finish()
    }
}

pub fn read(reader: &mut Reader, kind: Option<RuntimeKind>) -> Agent {
    let names = [("auto", AgentName::Auto), ("goose", AgentName::Goose), ("demo", AgentName::Demo)];
    let protocols = [("auto", Protocol::Auto), ("acp", Protocol::Acp), ("goose-api", Protocol::GooseApi)];
    let agent = Agent {
        name: reader.choice("agent.name", &names).unwrap_or(AgentName::Auto),
        command: reader.list("agent.command"),
        env: env(reader, "agent.env"),
        url: reader.parsed("agent.url", url),
        secret_key: reader.secret("agent.secret_key"),
        protocol: reader.choice("agent.protocol", &protocols).unwrap_or_default(),
        workdir: reader.parsed("agent.workdir", workdir),
        stream_idle_timeout: reader.time("agent.stream_idle_timeout").unwrap_or(Patience::default().stream_idle),
    };
    if let Some(kind) = kind.filter(|_| reader.is_whole()) {
        contradictions(reader, &agent, kind);
    }
    agent
}

/// Variables by name, each once.
pub fn env(reader: &mut Reader, key: &'static str) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = Vec::new();
    for (place, (name, value)) in reader.pairs(key).unwrap_or_default().into_iter().enumerate() {
        let what = if !is_variable(&name) {
            "has no name of a variable"
        } else if value.contains('\0') {
            "has a NUL character"
        } else if env.iter().any(|(other, _)| *other == name) {
            "repeats a name"
        } else {
            env.push((name, value));
            continue;
        };
        reader.fault(
            key,
            format!("{what} in entry {}", place + 1),
            "name each variable once, with A–Z, a–z, 0–9 and _, no digit first",
        );
    }
    env
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn url(text: &str) -> Result<String, (&'static str, &'static str)> {
    const FORM: &str = "write it as `http://HOST:PORT` or `https://HOST`";
    let web = text
        .split_once("://")
        .is_some_and(|(scheme, _)| ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)));
    if !web {
        return Err(("is no http or https URL", FORM));
    }
    let url = reqwest::Url::parse(text).map_err(|_| ("is no URL", FORM))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(("has a user or password in it", "put the server's key into `agent.secret_key`"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(("has a `?` or `#` part", FORM));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn workdir(text: &str) -> Result<String, (&'static str, &'static str)> {
    let drive = text.as_bytes().get(1) == Some(&b':');
    (text.starts_with('/') || drive)
        .then(|| text.to_owned())
        .ok_or(("is no absolute path", "write the whole path as the agent's server sees it"))
}

fn contradictions(reader: &mut Reader, agent: &Agent, kind: RuntimeKind) {
    let attached = kind == RuntimeKind::Attached;
    let (url, command) = (reader.is_set("agent.url"), reader.is_set("agent.command"));
    if attached && !url {
        reader.fault(
            "agent.url",
            "is missing, and `runtime.kind` is `attached`",
            "set it to the address of the agent's server, as `http://127.0.0.1:3001`",
        );
    }
    if url && !attached {
        let what = format!("is set, but the {} runtime starts agents of its own", kind.as_str());
        reader.fault("agent.url", what, "set `runtime.kind` to `attached`, or remove it");
    }
    if command && kind == RuntimeKind::Kubernetes {
        reader.fault(
            "agent.command",
            "is set, but on Kubernetes an agent is what its image is",
            "use `kubernetes.image`, with `kubernetes.command` and `kubernetes.args`",
        );
    } else if command && (attached || url) {
        reader.fault(
            "agent.command",
            "is set, but an attached agent is not started by Gaggle",
            "keep either it, with `runtime.kind` `local`, or `agent.url`",
        );
    } else if command && agent.name != AgentName::Auto {
        reader.fault("agent.command", "is set, and `agent.name` chooses another agent", "keep one of the two");
    } else if agent.protocol == Protocol::GooseApi && (command || agent.name == AgentName::Demo) && kind == RuntimeKind::Local {
        reader.fault("agent.protocol", "is `goose-api`, but this agent speaks ACP", "set it to `acp`, or remove it");
    }
    let idle: &[_] = match kind {
        RuntimeKind::Local => &["agent.secret_key", "agent.workdir"],
        RuntimeKind::Attached => &["agent.env"],
        RuntimeKind::Kubernetes if agent.name == AgentName::Auto => &["agent.secret_key", "agent.workdir"],
        RuntimeKind::Kubernetes => &["agent.name", "agent.secret_key", "agent.workdir"],
    };
    for key in idle {
        if reader.is_set(key) {
            reader.warn(format!("{key} has no effect while `runtime.kind` is `{}`", kind.as_str()));
        }
    }
}
