//! Uses an agent server that somebody else runs: looks whether it is there, and leaves it as it is.
//!
//! Invariant: nothing is started, stopped or configured at the server. Projects share it and keep apart by session and by the
//! folder that they work in.

mod look;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::sync::mpsc;

use self::look::{Look, Server};
use super::local::folder::{Folder, private_dir};
use super::{Execution, Feature, Health, Identity, Launch, LogQuery, Runtime, RuntimeEvent, Steps};
use crate::agent::{Endpoint, Protocol};
use crate::error::{Error, Result, refused};
use crate::model::{ClusterId, Progress, ProjectId, StepState};

#[derive(Debug, Clone)]
pub struct AttachedOptions {
    /// `[agent] url`, as `http://127.0.0.1:3284`.
    pub url: String,
    /// `[agent] secret_key`.
    pub secret_key: Option<SecretString>,
    pub protocol: Protocol,
    /// The folder that the agents work in, as the server sees it, for all projects. Without it each project has a folder of its
    /// own below `data_dir` if the server is on this machine, and `/` if it is not: an agent refuses a folder that is not there.
    pub workdir: Option<String>,
    pub data_dir: PathBuf,
    /// How long the server may take to answer one question.
    pub patience: Duration,
}

impl AttachedOptions {
    pub fn new(url: String, data_dir: PathBuf) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            secret_key: None,
            protocol: Protocol::Auto,
            workdir: None,
            data_dir,
            patience: Duration::from_secs(10),
        }
    }
}

pub struct AttachedRuntime {
    options: AttachedOptions,
    server: Server,
    active: Mutex<HashMap<ProjectId, Endpoint>>,
}

impl AttachedRuntime {
    /// Fails if the URL is none. The process needs a default TLS provider.
    pub fn new(options: AttachedOptions) -> anyhow::Result<Self> {
        let server = Server::new(&options)?;
        Ok(Self { options, server, active: Mutex::default() })
    }

    fn active(&self) -> MutexGuard<'_, HashMap<ProjectId, Endpoint>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder that is ours to make and to remove, if there is one.
    fn folder(&self, project: &ProjectId) -> Option<Folder> {
        let ours = self.options.workdir.is_none() && self.server.is_here();
        ours.then(|| Folder::of(&self.options.data_dir, project))
    }

    fn endpoint_of(&self, look: &Look) -> Endpoint {
        Endpoint::Http { url: self.options.url.clone(), key: self.options.secret_key.clone(), protocol: look.protocol }
    }
}

#[async_trait]
impl Runtime for AttachedRuntime {
    fn kind(&self) -> &'static str {
        "attached"
    }

    fn supports(&self, _: Option<&ClusterId>, feature: Feature) -> Result<()> {
        let (cannot, instead) = match feature {
            Feature::Logs => ("read its log", "ask whoever runs it"),
            Feature::Secrets => ("give it secrets", "have them set where it runs"),
            Feature::Environment => ("set its environment: leave `--env` out", "have it set where it runs"),
            Feature::Limits => ("limit its CPU or memory: leave `--cpu` and `--memory` out", "have it limited where it runs"),
            Feature::Repository => ("clone into it: leave `--repo` out", "ask the agent itself to clone the repository"),
            Feature::Exec => ("run commands beside it", "ask the agent itself"),
            Feature::Image => {
                ("choose its image or port: leave `--image`, `--port` and `--expose` out", "have them set where it runs")
            }
            Feature::Disk => ("give it a disk: leave `--disk` out", "have it set where it runs"),
            Feature::Settings => ("choose its model, provider or mode", "have them set where it runs"),
        };
        refused(format!(
            "This project uses an agent server that somebody else runs ({}), so Gaggle cannot {cannot}. Instead, {instead}, or use \
             the `local` runtime.",
            self.options.url
        ))
    }

    async fn activate(&self, launch: Launch, steps: Steps) -> Result<Endpoint> {
        let show = async |step: &str, state: StepState, text: String| {
            let step = Progress { step: step.to_owned(), state, text };
            let _ = steps.send_timeout(step, Duration::from_secs(1)).await;
        };
        let (url, name) = (&self.options.url, &launch.name);
        show("reach", StepState::Running, format!("Asking {url}")).await;
        let look = match self.server.look(self.options.patience).await {
            Ok(look) => look,
            Err(why) => {
                self.active().remove(&launch.project);
                show("reach", StepState::Failed, "The agent server cannot be used".to_owned()).await;
                return Err(Error::Failed(format!(
                    "The agent server of `{name}` cannot be used: {why} Gaggle did not start it and cannot mend it: ask whoever runs it, \
                     then `/project activate {name}`."
                )));
            }
        };
        if let Some(folder) = self.folder(&launch.project) {
            let work = folder.work();
            let made = tokio::task::spawn_blocking(move || private_dir(&work)).await.map_err(anyhow::Error::from)?;
            made.map_err(|error| {
                Error::Failed(format!("The work folder of `{name}` cannot be made: {error}. Make room or mend the rights there."))
            })?;
        }
        show("reach", StepState::Done, format!("{} answers at {url}", look.version)).await;
        let endpoint = self.endpoint_of(&look);
        self.active().insert(launch.project, endpoint.clone());
        Ok(endpoint)
    }

    async fn deactivate(&self, of: &Identity, steps: Steps) -> Result<()> {
        self.active().remove(&of.project);
        let text = "Closed on our side; the agent server runs on".to_owned();
        let step = Progress { step: "stop".to_owned(), state: StepState::Done, text };
        let _ = steps.send_timeout(step, Duration::from_secs(1)).await;
        Ok(())
    }

    async fn delete(&self, of: &Identity, keep_files: bool, steps: Steps) -> Result<()> {
        self.deactivate(of, steps).await?;
        if let Some(folder) = self.folder(&of.project) {
            let root = folder.root().to_owned();
            let removed = tokio::task::spawn_blocking(move || folder.remove(keep_files)).await.map_err(anyhow::Error::from)?;
            removed.map_err(|error| {
                let root = root.display();
                Error::Failed(format!("The folder {root} cannot be removed: {error}. Mend the rights there, then delete again."))
            })?;
        }
        Ok(())
    }

    async fn endpoint(&self, project: &ProjectId) -> Option<Endpoint> {
        self.active().get(project).cloned()
    }

    fn workdir(&self, project: &ProjectId) -> String {
        match (&self.options.workdir, self.folder(project)) {
            (Some(configured), _) => configured.clone(),
            (None, Some(folder)) => folder.work().to_string_lossy().into_owned(),
            (None, None) => "/".to_owned(),
        }
    }

    fn kept(&self, of: &Identity) -> String {
        let on = if self.folder(&of.project).is_some() { "" } else { "on the agent's server, " };
        format!("{on}in `{}`", self.workdir(&of.project))
    }

    /// The server has its own life, so either all projects are still active or none is.
    async fn adopt(&self, wanted: Vec<Launch>) -> Result<Vec<(ProjectId, Endpoint)>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let Ok(look) = self.server.look(Duration::from_millis(500)).await else { return Ok(Vec::new()) };
        let endpoint = self.endpoint_of(&look);
        let adopted: Vec<_> = wanted.into_iter().map(|launch| (launch.project, endpoint.clone())).collect();
        self.active().extend(adopted.iter().cloned());
        Ok(adopted)
    }

    async fn logs(&self, _: &Identity, _: LogQuery) -> Result<mpsc::Receiver<String>> {
        self.supports(None, Feature::Logs)?;
        refused("This runtime has no logs.")
    }

    async fn exec(&self, _: &Identity, _: Vec<String>) -> Result<Execution> {
        self.supports(None, Feature::Exec)?;
        refused("This runtime runs no commands.")
    }

    /// Nothing is watched between uses; a server that is gone is told by the next activation or turn.
    fn events(&self) -> Option<mpsc::Receiver<RuntimeEvent>> {
        None
    }

    async fn health(&self) -> Vec<Health> {
        let (found, fault) = match self.server.look(self.options.patience).await {
            Ok(look) => (format!("{} at {}", look.version, self.options.url), None),
            Err(why) => (self.options.url.clone(), Some(format!("{why} Check `[agent] url` and `secret_key`."))),
        };
        vec![Health { what: "agent server".to_owned(), found, fault }]
    }

    async fn shutdown(&self) {
        self.active().clear();
    }
}
