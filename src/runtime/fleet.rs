//! One runtime out of several: the one that the configuration names, and one for each cluster that a project was made in.
//!
//! Invariants: a project never moves; a cluster to which there is no way now is told as unknown, never as empty. What a cluster is and
//! how it is reached is the business of whoever gives the way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::{OnceCell, mpsc};

use super::{Execution, Feature, Health, Identity, Launch, LogQuery, Look, Runtime, RuntimeEvent, Standing, Steps};
use crate::agent::Endpoint;
use crate::error::{Result, refused};
use crate::model::{ClusterId, PersonId, Progress, ProjectId, StepState};

/// Makes the runtime of a cluster; connects to nobody yet. `None`: the cluster is not kept any longer.
pub type Open = Arc<dyn Fn(ClusterId) -> BoxFuture<'static, Result<Option<Arc<dyn Runtime>>>> + Send + Sync>;

type Slot = Arc<OnceCell<Arc<dyn Runtime>>>;

pub struct Fleet {
    /// Of all projects that name no cluster.
    home: Arc<dyn Runtime>,
    open: Open,
    placed: Mutex<HashMap<ProjectId, ClusterId>>,
    clusters: Mutex<HashMap<ClusterId, Slot>>,
    sender: mpsc::Sender<RuntimeEvent>,
    events: Mutex<Option<mpsc::Receiver<RuntimeEvent>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fleet {
    pub fn new(home: Arc<dyn Runtime>, open: Open) -> Self {
        let (sender, events) = mpsc::channel(4096);
        forward(&*home, None, sender.clone());
        Self { home, open, placed: Mutex::default(), clusters: Mutex::default(), sender, events: Mutex::new(Some(events)) }
    }

    fn cluster_of(&self, project: &ProjectId) -> Option<ClusterId> {
        locked(&self.placed).get(project).cloned()
    }

    fn slot(&self, cluster: &ClusterId) -> Slot {
        locked(&self.clusters).entry(cluster.clone()).or_default().clone()
    }

    /// Without making anything.
    fn opened(&self, on: Option<&ClusterId>) -> Option<Arc<dyn Runtime>> {
        match on {
            None => Some(self.home.clone()),
            Some(cluster) => locked(&self.clusters).get(cluster)?.get().cloned(),
        }
    }

    /// `None`: the cluster is not kept any longer.
    async fn at(&self, on: Option<&ClusterId>) -> Result<Option<Arc<dyn Runtime>>> {
        let Some(cluster) = on else { return Ok(Some(self.home.clone())) };
        let made = self
            .slot(cluster)
            .get_or_try_init(|| async {
                let runtime = (self.open)(cluster.clone()).await.map_err(Some)?.ok_or(None)?;
                forward(&*runtime, Some(cluster.clone()), self.sender.clone());
                Ok(runtime)
            })
            .await
            .cloned();
        match made {
            Ok(runtime) => Ok(Some(runtime)),
            Err(Some(error)) => Err(error),
            Err(None) => {
                locked(&self.clusters).remove(cluster);
                Ok(None)
            }
        }
    }

    async fn of(&self, of: &Identity) -> Result<Arc<dyn Runtime>> {
        match self.at(of.cluster.as_ref()).await? {
            Some(runtime) => Ok(runtime),
            None => refused(format!(
                "The cluster of the project `{0}` was removed from Gaggle, so nothing can be done there. `/project delete {0}` removes it \
                 here; what it left in the cluster has to be removed there.",
                of.name
            )),
        }
    }

    async fn known(&self, project: &ProjectId) -> Result<Option<Arc<dyn Runtime>>> {
        self.at(self.cluster_of(project).as_ref()).await
    }
}

/// Hands on what happens by itself; a project that was found is where it was found.
fn forward(from: &dyn Runtime, on: Option<ClusterId>, to: mpsc::Sender<RuntimeEvent>) {
    let Some(mut events) = from.events() else { return };
    tokio::spawn(async move {
        while let Some(mut event) = events.recv().await {
            if let RuntimeEvent::Found(project) = &mut event {
                project.cluster.clone_from(&on);
            }
            if to.send(event).await.is_err() {
                return;
            }
        }
    });
}

#[async_trait]
impl Runtime for Fleet {
    fn kind(&self) -> &'static str {
        self.home.kind()
    }

    fn supports(&self, on: Option<&ClusterId>, feature: Feature) -> Result<()> {
        self.opened(on).map_or(Ok(()), |runtime| runtime.supports(on, feature))
    }

    fn caveat(&self, on: Option<&ClusterId>, feature: Feature) -> Option<&'static str> {
        self.opened(on)?.caveat(on, feature)
    }

    async fn create(&self, launch: Launch, steps: Steps) -> Result<()> {
        let project = launch.project.clone();
        self.place(&project, launch.cluster.as_ref());
        let created = match self.of(&launch.identity()).await {
            Ok(runtime) => runtime.create(launch, steps).await,
            Err(error) => Err(error),
        };
        // What could not be made is not kept.
        if created.is_err() {
            locked(&self.placed).remove(&project);
        }
        created
    }

    async fn activate(&self, launch: Launch, steps: Steps) -> Result<Endpoint> {
        self.place(&launch.project, launch.cluster.as_ref());
        let of = launch.identity();
        let endpoint = self.of(&of).await?.activate(launch, steps).await?;
        // A cluster that went meanwhile is no place to be active in.
        self.of(&of).await?;
        Ok(endpoint)
    }

    async fn deactivate(&self, of: &Identity, steps: Steps) -> Result<()> {
        self.of(of).await?.deactivate(of, steps).await
    }

    async fn delete(&self, of: &Identity, keep_files: bool, steps: Steps) -> Result<()> {
        match self.at(of.cluster.as_ref()).await? {
            Some(runtime) => runtime.delete(of, keep_files, steps).await?,
            None => {
                let text = "Its cluster was removed from Gaggle: what is left of it there stays".to_owned();
                let _ = steps.send(Progress { step: "delete".into(), state: StepState::Done, text }).await;
            }
        }
        locked(&self.placed).remove(&of.project);
        Ok(())
    }

    async fn endpoint(&self, project: &ProjectId) -> Option<Endpoint> {
        self.known(project).await.ok()??.endpoint(project).await
    }

    fn workdir(&self, project: &ProjectId) -> String {
        let runtime = self.opened(self.cluster_of(project).as_ref());
        // Whoever asks has an endpoint, so the runtime is there.
        runtime.unwrap_or_else(|| self.home.clone()).workdir(project)
    }

    fn kept(&self, of: &Identity) -> String {
        match self.opened(of.cluster.as_ref()) {
            Some(runtime) => runtime.kept(of),
            None => "in its cluster".to_owned(),
        }
    }

    async fn adopt(&self, wanted: Vec<Launch>) -> Result<Vec<(ProjectId, Endpoint)>> {
        let mut all: HashMap<ClusterId, Vec<Launch>> = locked(&self.placed).values().map(|c| (c.clone(), Vec::new())).collect();
        let mut at_home = Vec::new();
        for launch in wanted {
            match launch.cluster.clone() {
                None => at_home.push(launch),
                Some(cluster) => all.entry(cluster).or_default().push(launch),
            }
        }
        let elsewhere = all.into_iter().map(|(cluster, wanted)| async move {
            let adopted = match self.at(Some(&cluster)).await {
                Ok(Some(runtime)) => runtime.adopt(wanted).await,
                Ok(None) => Ok(Vec::new()),
                Err(error) => Err(error),
            };
            // One cluster that is away does not keep the others' projects from being taken over.
            adopted.unwrap_or_else(|error| {
                tracing::warn!(cluster = %cluster.0, %error, "what runs in a cluster cannot be taken over");
                Vec::new()
            })
        });
        let (adopted, elsewhere) = tokio::join!(self.home.adopt(at_home), join_all(elsewhere));
        let mut adopted = adopted?;
        adopted.extend(elsewhere.into_iter().flatten());
        Ok(adopted)
    }

    async fn standing(&self, project: &ProjectId) -> Option<Standing> {
        match self.known(project).await {
            Ok(Some(runtime)) => runtime.standing(project).await,
            Ok(None) | Err(_) => Some(Standing::Unknown),
        }
    }

    fn interrupt(&self, project: &ProjectId) {
        if let Some(runtime) = self.opened(self.cluster_of(project).as_ref()) {
            runtime.interrupt(project);
        }
    }

    async fn logs(&self, of: &Identity, query: LogQuery) -> Result<mpsc::Receiver<String>> {
        self.of(of).await?.logs(of, query).await
    }

    async fn exec(&self, of: &Identity, command: Vec<String>) -> Result<Execution> {
        self.of(of).await?.exec(of, command).await
    }

    async fn look(&self, of: &Identity) -> Result<Look> {
        self.of(of).await?.look(of).await
    }

    fn events(&self) -> Option<mpsc::Receiver<RuntimeEvent>> {
        locked(&self.events).take()
    }

    async fn health(&self) -> Vec<Health> {
        self.home.health().await
    }

    fn place(&self, project: &ProjectId, on: Option<&ClusterId>) {
        if let Some(cluster) = on {
            locked(&self.placed).insert(project.clone(), cluster.clone());
        }
    }

    async fn namespace_of(&self, owner: &PersonId, on: Option<&ClusterId>) -> Result<Option<String>> {
        match self.at(on).await? {
            Some(runtime) => runtime.namespace_of(owner, on).await,
            None => Ok(None),
        }
    }

    async fn reconnect(&self, cluster: &ClusterId) {
        let before = locked(&self.clusters).remove(cluster);
        if let Some(runtime) = before.as_ref().and_then(|slot| slot.get()) {
            runtime.shutdown().await;
        }
        let carries = locked(&self.placed).values().any(|on| on == cluster);
        if carries && let Err(error) = self.at(Some(cluster)).await {
            tracing::warn!(cluster = %cluster.0, %error, "a cluster cannot be connected to");
        }
    }

    async fn shutdown(&self) {
        let opened: Vec<Arc<dyn Runtime>> = locked(&self.clusters).values().filter_map(|slot| slot.get().cloned()).collect();
        join_all(opened.iter().map(|runtime| runtime.shutdown())).await;
        self.home.shutdown().await;
    }
}
