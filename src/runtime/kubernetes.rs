//! Runs each project as a Deployment of its own, in its owner's namespace of a Kubernetes cluster.
//!
//! Invariants: what is ours carries our labels and is applied by the field manager `gaggle`; a run that fails takes back what it
//! made; how a project stands is read from watches, never remembered. What runs lives on when Gaggle ends.

mod api;
pub mod check;
mod client;
pub mod connect;
pub mod diagnose;
pub mod exec;
pub mod fields;
pub mod logs;
mod look;
pub mod names;
pub mod objects;
pub mod options;
pub mod permissions;
pub mod release;
pub mod secrets;
pub mod seen;
mod start;
pub mod steps;
mod stop;
pub mod tables;
pub mod trouble;
mod undo;
mod view;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gaggle_commands::Expose;
use secrecy::SecretString;
use tokio::sync::{RwLock, mpsc};
use tokio_util::sync::CancellationToken;

use self::api::Cluster;
use self::client::{Clients, Source};
use self::connect::Forwards;
use self::objects::Plan;
use self::options::{Access, Connect, Options};
use self::secrets::Secrets;
use self::seen::{PodSeen, Seen};
use self::start::{Left, Start};
use self::steps::Steps as Shown;
use self::trouble::Trouble;
use self::undo::Runs;
use self::view::View;
use super::{Execution, Feature, Health, Identity, Launch, LogQuery, Look, Runtime, RuntimeEvent, Standing, Steps};
use crate::agent::Endpoint;
use crate::error::{Error, Result, refused};
use crate::model::{ClusterId, PersonId, ProjectId};

/// How long a command waits for the watches to tell everything after a start.
const SYNC: Duration = Duration::from_secs(10);
/// The same for a start of Gaggle itself, which must not wait for a cluster that is away.
const SYNC_AT_START: Duration = Duration::from_secs(4);

/// What each project's server asks of its clients.
pub type ServerKeys = Arc<dyn Fn(&ProjectId) -> SecretString + Send + Sync>;

pub struct KubernetesRuntime {
    cluster: Cluster,
    options: Options,
    keys: ServerKeys,
    /// Of projects that were adopted.
    foreign_keys: Mutex<HashMap<ProjectId, SecretString>>,
    forwards: Forwards,
    /// Held for reading while something is made in a namespace, for writing while it may be ended.
    namespaces: Mutex<HashMap<String, Arc<RwLock<()>>>>,
    runs: Runs,
    /// Starts that are under way.
    starts: Mutex<HashMap<ProjectId, CancellationToken>>,
    happens: Mutex<Option<mpsc::Receiver<RuntimeEvent>>>,
}

impl KubernetesRuntime {
    /// Finds the credentials and begins to watch. Fails if the credentials are missing or broken, not if the cluster is away.
    pub async fn connect(options: Options, access: &Access, keys: ServerKeys) -> anyhow::Result<Self> {
        Ok(Self::over(client::connect(access).await?, options, keys))
    }

    /// In a cluster that people have added. Begins to watch.
    pub fn added(calls: kube::Client, streams: kube::Client, server: String, options: Options, keys: ServerKeys) -> Self {
        Self::over(Clients { calls, streams, source: Source::Added, server }, options, keys)
    }

    fn over(clients: Clients, options: Options, keys: ServerKeys) -> Self {
        let (events, happens) = mpsc::channel(4096);
        let view = View::new(&options.instance, events);
        view.start(&clients);
        Self {
            cluster: Cluster::new(clients, view),
            options,
            keys,
            foreign_keys: Mutex::default(),
            forwards: Forwards::default(),
            namespaces: Mutex::default(),
            runs: Runs::default(),
            starts: Mutex::default(),
            happens: Mutex::new(Some(happens)),
        }
    }

    fn clients(&self) -> &Clients {
        &self.cluster.clients
    }

    /// The ways to the API server, for requests and for streams, and where that is.
    pub fn connection(&self) -> (kube::Client, kube::Client, String) {
        let clients = self.clients();
        (clients.calls.clone(), clients.streams.clone(), clients.server.clone())
    }

    fn view(&self) -> &Arc<View> {
        &self.cluster.view
    }

    fn seen(&self, project: &ProjectId) -> Seen {
        self.view().seen(project).unwrap_or_default()
    }

    fn gate(&self, namespace: &str) -> Arc<RwLock<()>> {
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).entry(namespace.to_owned()).or_default().clone()
    }

    /// Where a project is, or would be.
    fn namespace(&self, of: &Identity) -> String {
        let found = self.view().of_project(&of.project).into_iter().map(|(key, _)| key.namespace).find(|ns| !ns.is_empty());
        found.unwrap_or_else(|| names::namespace(&self.options.namespace_prefix, &of.owner))
    }

    /// Refused while not everything is known: what is not known cannot be told from what is not there.
    async fn known(&self, doing: &str) -> Result<()> {
        if self.view().synced(SYNC).await {
            return Ok(());
        }
        Err(match self.view().failing() {
            Some((_, why)) => Error::Failed(format!(
                "The Kubernetes cluster cannot be read ({why}), so {doing} did not succeed. What runs there runs on; whoever runs Gaggle \
                 finds out more with `gaggle check`."
            )),
            None => Trouble::Slow.told(doing),
        })
    }

    /// The pod that can be asked for logs or be given commands.
    async fn pod(&self, of: &Identity, doing: &str) -> Result<PodSeen> {
        self.known(doing).await?;
        match self.seen(&of.project).pod() {
            Some(pod) => Ok(pod.clone()),
            None => refused(format!("The project `{0}` has no pod. Start it with `/project activate {0}`.", of.name)),
        }
    }

    /// Refused if the configuration lacks what the settings need.
    fn possible(&self, launch: &Launch) -> Result<()> {
        if launch.settings.expose == Some(Expose::Ingress) && self.options.ingress.is_none() {
            return refused(
                "No domain for host names is configured, so `--expose ingress` is not possible. Choose `--expose cluster`, or have \
                 `[kubernetes] ingress` set.",
            );
        }
        Ok(())
    }

    fn in_cluster(&self) -> bool {
        self.clients().source == Source::InCluster
    }

    /// The port in the container, as the pod that runs was made with; the settings may be newer.
    fn port(&self, project: &ProjectId) -> u16 {
        let settings = self.seen(project).deployment.and_then(|d| d.settings);
        let settings: Option<crate::model::Settings> = settings.and_then(|s| serde_json::from_str(&s).ok());
        settings.and_then(|s| s.port).unwrap_or(self.options.port)
    }

    async fn url(&self, project: &ProjectId, pod: &PodSeen) -> std::io::Result<String> {
        let by_pod = || {
            let ip = pod.ip.clone().unwrap_or_default();
            let ip = if ip.contains(':') { format!("[{ip}]") } else { ip };
            format!("http://{ip}:{}", self.port(project))
        };
        let service = format!("{}.{}.svc", names::api(project), pod.namespace);
        Ok(match self.options.connect {
            Connect::Service => format!("http://{service}"),
            // Not every cluster has a DNS of its own.
            Connect::Auto if self.in_cluster() => match tokio::net::lookup_host((service.as_str(), 80)).await {
                Ok(_) => format!("http://{service}"),
                Err(_) => by_pod(),
            },
            Connect::Pod => by_pod(),
            Connect::Ingress => match self.ingress_url(project) {
                Some(url) => url,
                None => by_pod(),
            },
            Connect::Auto | Connect::PortForward => {
                format!("http://{}", self.forwards.address(&self.cluster, project, self.port(project)).await?)
            }
        })
    }

    fn ingress_url(&self, project: &ProjectId) -> Option<String> {
        let ingress = self.options.ingress.as_ref()?;
        let deployment = self.seen(project).deployment?;
        let owner = crate::model::PersonId(deployment.owner?);
        let host = names::host(&deployment.project_name?, &owner, &ingress.domain);
        Some(format!("{}://{host}", if ingress.tls_secret.is_some() { "https" } else { "http" }))
    }

    /// Makes, and starts if it can be cancelled. What a run that fails made for all projects of the owner goes if none needs it.
    async fn begin(&self, launch: &Launch, plan: &Plan, steps: &Shown, cancel: Option<&CancellationToken>) -> Result<()> {
        let run = self.runs.begin(&launch.project);
        let gate = self.gate(&plan.namespace);
        let making = gate.read().await;
        let mut start = Start::new(&self.cluster, &self.options, (&launch.project, &launch.name), plan, steps);
        let result = match cancel {
            Some(cancel) => start.activate(cancel).await,
            None => start.create().await,
        };
        drop(making);
        match std::mem::replace(&mut start.left, Left::Nothing) {
            Left::Nothing => {}
            Left::Shared(undo) => undo.leave(&gate).await,
            Left::All(undo) => undo.later(gate, run),
        }
        result
    }

    /// What the server of a project asks of us: ours, unless it was made by a Gaggle with another store.
    async fn key(&self, project: &ProjectId, seen: &Seen) -> SecretString {
        let ours = (self.keys)(project);
        let Some(deployment) = &seen.deployment else { return ours };
        if deployment.key_check.as_deref().is_none_or(|check| check == objects::key_check(&ours)) {
            return ours;
        }
        if let Some(theirs) = self.foreign_keys.lock().unwrap_or_else(PoisonError::into_inner).get(project) {
            return theirs.clone();
        }
        match Secrets::server_key(&self.cluster, &deployment.namespace, &names::project(project)).await {
            Ok(Some(theirs)) => {
                self.foreign_keys.lock().unwrap_or_else(PoisonError::into_inner).insert(project.clone(), theirs.clone());
                theirs
            }
            Ok(None) => ours,
            Err(trouble) => {
                tracing::warn!(%project, why = trouble.short(), "the key of an adopted project cannot be read");
                ours
            }
        }
    }

    async fn stop(&self, of: &Identity, steps: &Shown) -> Result<(), Trouble> {
        let seen = self.seen(&of.project);
        if let Some(deployment) = seen.deployment.as_ref().filter(|d| d.replicas > 0) {
            self.cluster.scale_to_zero(&deployment.namespace, &deployment.name).await?;
        }
        self.forwards.close(&of.project);
        if !seen.pods.is_empty() || seen.wanted() {
            steps.running("stop", "Waiting for its pod to end".to_owned()).await;
        }
        stop::pods_gone(&self.cluster, &self.options, &of.project).await
    }

    fn cancel_start(&self, project: &ProjectId) {
        if let Some(start) = self.starts.lock().unwrap_or_else(PoisonError::into_inner).get(project) {
            start.cancel();
        }
    }
}

#[async_trait]
impl Runtime for KubernetesRuntime {
    fn kind(&self) -> &'static str {
        "kubernetes"
    }

    fn supports(&self, _: Option<&ClusterId>, _: Feature) -> Result<()> {
        Ok(())
    }

    async fn create(&self, launch: Launch, steps: Steps) -> Result<()> {
        self.possible(&launch)?;
        self.known("creating the project").await?;
        let plan = objects::plan(&launch, &self.options, None);
        let steps = Shown(steps);
        self.begin(&launch, &plan, &steps, None).await
    }

    async fn activate(&self, launch: Launch, steps: Steps) -> Result<Endpoint> {
        self.possible(&launch)?;
        self.known("starting the project").await?;
        // A project stays where it is, whatever the prefix has become since.
        let plan = objects::plan(&launch, &self.options, Some(&self.namespace(&launch.identity())));
        let cancel = CancellationToken::new();
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).insert(launch.project.clone(), cancel.clone());
        let steps = Shown(steps);
        let started = self.begin(&launch, &plan, &steps, Some(&cancel)).await;
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).remove(&launch.project);
        started?;
        match self.endpoint(&launch.project).await {
            Some(endpoint) => {
                steps.done("endpoint", format!("Reached at {}", endpoint.shown())).await;
                Ok(endpoint)
            }
            None => Err(Error::Failed(format!(
                "The pod of `{}` was ready and is no more. `/project status {0}` tells what happened to it.",
                launch.name
            ))),
        }
    }

    async fn deactivate(&self, of: &Identity, steps: Steps) -> Result<()> {
        let doing = format!("stopping the project `{}`", of.name);
        self.runs.begin(&of.project);
        self.known(&doing).await?;
        let steps = Shown(steps);
        match self.stop(of, &steps).await {
            Ok(()) => {
                steps.done("stop", "Its pod is gone".to_owned()).await;
                Ok(())
            }
            Err(trouble) => {
                steps.failed("stop", "Its pod does not end").await;
                Err(trouble.told(&doing))
            }
        }
    }

    async fn delete(&self, of: &Identity, keep_files: bool, steps: Steps) -> Result<()> {
        let doing = format!("deleting the project `{}`", of.name);
        self.runs.begin(&of.project);
        self.known(&doing).await?;
        let steps = Shown(steps);
        let namespace = self.namespace(of);
        self.cancel_start(&of.project);
        let told = |trouble: Trouble| trouble.told(&doing);
        steps.running("delete", "Deleting its objects".to_owned()).await;
        self.forwards.close(&of.project);
        let secret = names::project(&of.project);
        stop::delete_objects(&self.cluster, &of.project, &namespace, &secret, keep_files).await.map_err(told)?;
        stop::pods_gone(&self.cluster, &self.options, &of.project).await.map_err(told)?;
        stop::objects_gone(&self.cluster, &of.project, keep_files).await.map_err(told)?;
        steps
            .done("delete", if keep_files { "Its objects are gone; its disk stays" } else { "Its objects are gone" }.to_owned())
            .await;
        let gate = self.gate(&namespace);
        let _ending = gate.write().await;
        steps.running("namespace", format!("Looking whether the namespace {namespace} is empty")).await;
        match stop::leave_namespace(&self.cluster, &namespace).await.map_err(told)? {
            Some(what) => steps.done("namespace", what).await,
            None => steps.done("namespace", format!("The namespace {namespace} stays for the owner's other projects")).await,
        }
        Ok(())
    }

    async fn endpoint(&self, project: &ProjectId) -> Option<Endpoint> {
        let seen = self.view().seen(project)?;
        let pod = seen.ready_pod().filter(|_| seen.wanted())?;
        match self.url(project, pod).await {
            Ok(url) => Some(Endpoint::Http { url, key: Some(self.key(project, &seen).await), protocol: self.options.protocol }),
            Err(error) => {
                tracing::warn!(%project, %error, "no port can be opened for a port-forward");
                None
            }
        }
    }

    fn workdir(&self, _: &ProjectId) -> String {
        objects::WORKSPACE.to_owned()
    }

    /// What runs is found by the watches; nothing of the cluster is ended only because it is not wanted here.
    async fn adopt(&self, _: Vec<Launch>) -> Result<Vec<(ProjectId, Endpoint)>> {
        if !self.view().synced(SYNC_AT_START).await {
            let why = self.view().failing().map(|(_, why)| why);
            tracing::warn!(why, "the cluster does not tell yet what runs there; statuses are mended when it does");
        }
        Ok(Vec::new())
    }

    async fn standing(&self, project: &ProjectId) -> Option<Standing> {
        if !self.view().is_synced() {
            return Some(Standing::Unknown);
        }
        let standing = self.view().seen(project).map_or(Standing::Absent, |seen| seen.standing());
        if !matches!(standing, Standing::Ready) {
            self.forwards.close(project);
        }
        Some(standing)
    }

    fn interrupt(&self, project: &ProjectId) {
        self.cancel_start(project);
    }

    async fn logs(&self, of: &Identity, query: LogQuery) -> Result<mpsc::Receiver<String>> {
        let doing = format!("reading the log of `{}`", of.name);
        let pod = self.pod(of, &doing).await?;
        let secrets =
            Secrets::read(&self.cluster, &pod.namespace, &names::project(&of.project)).await.map_err(|t| t.told(&doing))?;
        match logs::read(&self.cluster, &pod, query, secrets).await {
            Ok(lines) => Ok(lines),
            Err(Trouble::Invalid(why)) if why.contains("previous terminated container") => refused(format!(
                "The agent of `{}` has not been restarted, so there is no earlier log. Leave `--previous` out.",
                of.name
            )),
            Err(Trouble::Invalid(why)) if why.contains("waiting to start") || why.contains("ContainerCreating") => {
                refused(format!(
                    "The container of `{0}` has not started yet, so there is no log. `/project status {0}` tells why.",
                    of.name
                ))
            }
            Err(trouble) => Err(trouble.told(&doing)),
        }
    }

    async fn exec(&self, of: &Identity, command: Vec<String>) -> Result<Execution> {
        let doing = format!("running the command in `{}`", of.name);
        let pod = self.pod(of, &doing).await?;
        let secrets =
            Secrets::read(&self.cluster, &pod.namespace, &names::project(&of.project)).await.map_err(|t| t.told(&doing))?;
        exec::run(&self.cluster, &pod, command, secrets).await.map_err(|t| t.told(&doing))
    }

    async fn look(&self, of: &Identity) -> Result<Look> {
        self.known(&format!("looking at `{}`", of.name)).await?;
        Ok(look::look(&self.cluster, &of.project, &self.namespace(of), &self.seen(&of.project)).await)
    }

    fn events(&self) -> Option<mpsc::Receiver<RuntimeEvent>> {
        self.happens.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn health(&self) -> Vec<Health> {
        let mut rows = check::reached(self.clients()).await;
        if let Some((_, why)) = self.view().failing() {
            let fault = Some("see `gaggle check`".to_owned());
            rows.push(Health { what: "watches".into(), found: format!("the cluster cannot be read ({why})"), fault });
        }
        rows
    }

    async fn namespace_of(&self, owner: &PersonId, _: Option<&ClusterId>) -> Result<Option<String>> {
        Ok(Some(names::namespace(&self.options.namespace_prefix, owner)))
    }

    /// The agents live on; only our ways to them end.
    async fn shutdown(&self) {
        self.forwards.close_all();
        self.view().end();
    }
}
