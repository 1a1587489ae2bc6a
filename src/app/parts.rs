//! Which runtime and which agent a configuration means.

use std::sync::Arc;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use crate::clusters::Connection;
use crate::config::{AgentName, Config, RuntimeKind};
use crate::model::{Cluster, ClusterId, OWN, PersonId, Timestamp};
use crate::runtime::attached::{AttachedOptions, AttachedRuntime};
use crate::runtime::kubernetes::options::{Connect, Options};
use crate::runtime::kubernetes::{KubernetesRuntime, ServerKeys};
use crate::runtime::local::{LocalOptions, LocalRuntime, Program};
use crate::runtime::{Fleet, Runtime};
use crate::store::Store;
use crate::work::Clusters;

/// The runtime, how its agent is called, and the way to its cluster, if it has one.
pub async fn runtime(
    config: &Config,
    home: bool,
    keys: ServerKeys,
) -> anyhow::Result<(Arc<dyn Runtime>, String, Option<Connection>)> {
    if config.runtime.kind == RuntimeKind::Attached {
        let url = config.agent.url.clone().context("`agent.url` is missing")?;
        let mut options = AttachedOptions::new(url.clone(), config.data_dir.clone());
        options.secret_key = config.agent.secret_key.clone();
        options.protocol = config.agent.protocol;
        options.workdir = config.agent.workdir.clone();
        return Ok((Arc::new(AttachedRuntime::new(options)?), format!("the server at {url}"), None));
    }
    if config.runtime.kind == RuntimeKind::Kubernetes {
        let runtime = KubernetesRuntime::connect(config.kubernetes.clone(), &config.cluster, keys).await?;
        let own = runtime.connection();
        return Ok((Arc::new(runtime), agent_on_kubernetes(config), Some(Connection::own(own.0, own.1, own.2))));
    }
    let (program, agent) = program(config)?;
    let mut options = LocalOptions::new(config.data_dir.clone(), program);
    options.env = config.agent.env.clone();
    options.inherit_home = home;
    Ok((Arc::new(LocalRuntime::new(options)), agent, None))
}

/// The record of the cluster that projects run in.
pub fn own_cluster(connection: &Connection) -> Cluster {
    Cluster {
        id: ClusterId(OWN.to_owned()),
        name: OWN.to_owned(),
        owner: PersonId("console:operator".to_owned()),
        shared: true,
        server: connection.server.clone(),
        kind: "own".to_owned(),
        fingerprint: None,
        expires: None,
        insecure: false,
        context: None,
        provider: None,
        tags: Vec::new(),
        namespace: None,
        created: Timestamp::now(),
        verified: None,
    }
}

/// `home`, and the clusters that people have added, for the projects that are to run there.
pub fn fleet(home: Arc<dyn Runtime>, options: &Options, store: &Store, clusters: &Clusters, keys: &ServerKeys) -> Fleet {
    let options = Options {
        // Nothing else can be known to reach into it.
        connect: Connect::PortForward,
        // Another Gaggle may run there, and each takes in what carries its instance.
        instance: format!("{}-{}", options.instance.chars().take(54).collect::<String>(), mark(store)),
        ..options.clone()
    };
    let (store, clusters, keys) = (store.clone(), clusters.clone(), keys.clone());
    Fleet::new(
        home,
        Arc::new(move |id| {
            let (store, clusters, keys, options) = (store.clone(), clusters.clone(), keys.clone(), options.clone());
            Box::pin(async move {
                let Some(cluster) = store.cluster(&id).await? else { return Ok(None) };
                let Connection { calls, streams, server, .. } = clusters.connection(&cluster).await?;
                Ok(Some(Arc::new(KubernetesRuntime::added(calls, streams, server, options, keys)) as Arc<dyn Runtime>))
            })
        }),
    )
}

/// The same for a store for ever, and no other's.
fn mark(store: &Store) -> String {
    let digest = Sha256::digest(store.cipher().derive("instance in added clusters").expose_secret());
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

pub fn agent_on_kubernetes(config: &Config) -> String {
    format!("`{}` on Kubernetes", config.kubernetes.image)
}

fn program(config: &Config) -> anyhow::Result<(Program, String)> {
    if let Some(command) = &config.agent.command {
        let (program, args) = command.split_first().context("`agent.command` is empty")?;
        let shown = format!("`{program}` over stdio");
        return Ok((Program::Stdio { command: program.into(), args: args.to_vec() }, shown));
    }
    let goose = match config.agent.name {
        AgentName::Goose => true,
        AgentName::Demo => false,
        AgentName::Auto => on_path("goose"),
    };
    let listen = ["--host", "{host}", "--port", "{port}"].map(str::to_owned);
    if goose {
        let args = ["serve".to_owned()].into_iter().chain(listen).collect();
        return Ok((Program::Http { command: "goose".into(), args, protocol: config.agent.protocol }, "Goose".to_owned()));
    }
    let args = ["demo-agent", "--listen", "{host}:{port}"].map(str::to_owned).to_vec();
    let own = std::env::current_exe().context("the program cannot find itself")?;
    let protocol = crate::agent::Protocol::Acp;
    Ok((Program::Http { command: own, args, protocol }, "the demo agent (no AI model)".to_owned()))
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}
