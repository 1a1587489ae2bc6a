//! The life cycle of projects. Two who ask for the same at once join one run; what differs waits for its turn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, MissedTickBehavior, interval, timeout};

use super::Work;
use super::places::{Place, Places};
use crate::error::{Error, Result, refused};
use crate::model::{Origin, Progress, Project, ProjectId, Status, StepState, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Makes what the project needs where it runs; a project for which that fails is not kept.
    Create,
    Activate,
    Deactivate,
    Restart,
    Delete {
        keep_files: bool,
    },
    /// Deactivates what was idle for so long and still is.
    Rest {
        after: Duration,
    },
}

/// How often those who wait for their start are told of their place.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// The longest that a cluster which is to go is kept for what is being taken back there.
const LET_GO: Duration = Duration::from_secs(30);
const ASK_AGAIN: Duration = Duration::from_millis(200);

pub struct Life {
    runs: Mutex<HashMap<ProjectId, Arc<Run>>>,
    places: Places,
}

struct Run {
    kind: Kind,
    steps: watch::Sender<Vec<Progress>>,
    ended: watch::Sender<Option<Result<(), Told>>>,
}

/// An error that several people are told.
#[derive(Debug, Clone)]
enum Told {
    Refused(String),
    Failed(String),
}

impl Life {
    pub fn new(at_once: usize) -> Self {
        Self { runs: Mutex::default(), places: Places::new(at_once) }
    }

    fn of(&self, project: &ProjectId) -> Option<Arc<Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).get(project).cloned()
    }
}

impl Work {
    /// Starts the project's agent unless it runs, with the steps shown to `to`.
    pub async fn activate(&self, project: &ProjectId, to: &Origin) -> Result<()> {
        self.life(project, Kind::Activate, to).await
    }

    /// Makes what a project needs that was just kept.
    pub async fn create(&self, project: &ProjectId, to: &Origin) -> Result<()> {
        self.life(project, Kind::Create, to).await
    }

    pub async fn deactivate(&self, project: &ProjectId, to: &Origin) -> Result<()> {
        self.life(project, Kind::Deactivate, to).await
    }

    pub async fn restart(&self, project: &ProjectId, to: &Origin) -> Result<()> {
        self.life(project, Kind::Restart, to).await
    }

    pub async fn delete(&self, project: &ProjectId, keep_files: bool, to: &Origin) -> Result<()> {
        self.life(project, Kind::Delete { keep_files }, to).await
    }

    async fn life(&self, project: &ProjectId, kind: Kind, to: &Origin) -> Result<()> {
        loop {
            let run = {
                let mut runs = self.0.life.runs.lock().unwrap_or_else(PoisonError::into_inner);
                match runs.get(project) {
                    Some(run) => run.clone(),
                    None => {
                        let run = Arc::new(Run { kind, steps: watch::Sender::new(Vec::new()), ended: watch::Sender::new(None) });
                        runs.insert(project.clone(), run.clone());
                        self.start(project.clone(), run.clone());
                        run
                    }
                }
            };
            if run.kind == kind {
                return self.follow(&run, to).await;
            }
            if matches!(run.kind, Kind::Delete { .. }) {
                return refused("This project is being deleted.");
            }
            if matches!(kind, Kind::Deactivate | Kind::Delete { .. }) {
                self.0.runtime.interrupt(project);
            }
            let mut ended = run.ended.subscribe();
            let _ = ended.wait_for(Option::is_some).await;
        }
    }

    /// Shows a run's steps, also those that are past, and returns how it ended.
    async fn follow(&self, run: &Run, to: &Origin) -> Result<()> {
        let (mut steps, mut ended) = (run.steps.subscribe(), run.ended.subscribe());
        let mut shown = 0;
        loop {
            let result = ended.borrow_and_update().clone();
            let new: Vec<Progress> = steps.borrow_and_update()[shown..].to_vec();
            shown += new.len();
            for step in new {
                self.progress(to, step).await;
            }
            match result {
                Some(Ok(())) => return Ok(()),
                Some(Err(Told::Refused(text))) => return Err(Error::Refused(text)),
                Some(Err(Told::Failed(text))) => return Err(Error::Failed(text)),
                None => {
                    tokio::select! {
                        _ = steps.changed() => {}
                        _ = ended.changed() => {}
                    }
                }
            }
        }
    }

    fn start(&self, project: ProjectId, run: Arc<Run>) {
        let work = self.clone();
        self.spawn(async move {
            let (sender, mut steps) = mpsc::channel::<Progress>(32);
            let shown = run.clone();
            let forward = async move {
                while let Some(step) = steps.recv().await {
                    shown.steps.send_modify(|all| all.push(step));
                }
            };
            // A panic in a run must not leave its project locked for ever.
            let body = tokio::spawn({
                let (work, project, kind) = (work.clone(), project.clone(), run.kind);
                async move { work.execute(&project, kind, sender).await }
            });
            let (result, ()) = tokio::join!(body, forward);
            let result = result.unwrap_or_else(|e| Err(Error::Broken(e.into())));
            work.0.life.runs.lock().unwrap_or_else(PoisonError::into_inner).remove(&project);
            run.ended.send_replace(Some(result.map_err(|e| match e.told() {
                Error::Refused(text) => Told::Refused(text),
                Error::Failed(text) => Told::Failed(text),
                Error::Broken(e) => Told::Failed(e.to_string()),
            })));
            // What happened by itself in the meantime was not looked at.
            if let Err(error) = work.settle(&project).await {
                let _ = error.told();
            }
        });
    }

    async fn execute(&self, id: &ProjectId, kind: Kind, steps: mpsc::Sender<Progress>) -> Result<()> {
        let Some(project) = self.0.store.project(id).await? else {
            return refused("This project is gone.");
        };
        match kind {
            Kind::Create => self.prepare(&project, steps).await,
            Kind::Activate => self.bring_up(&project, steps).await,
            Kind::Deactivate => self.bring_down(&project, "the project was deactivated", steps).await,
            Kind::Restart => {
                self.bring_down(&project, "the project was restarted", steps.clone()).await?;
                self.bring_up(&Project { status: Status::Inactive, ..project }, steps).await
            }
            Kind::Delete { keep_files } => self.remove(&project, keep_files, steps).await,
            Kind::Rest { after } => self.rest(&project, after, steps).await,
        }
    }

    async fn prepare(&self, project: &Project, steps: mpsc::Sender<Progress>) -> Result<()> {
        let launch = self.launch(project).await?;
        let result = self.0.runtime.create(launch, steps).await;
        if result.is_err() {
            self.0.store.remove_project(&project.id).await?;
        }
        result
    }

    async fn bring_up(&self, project: &Project, steps: mpsc::Sender<Progress>) -> Result<()> {
        if project.status == Status::Deleting {
            return refused("This project is being deleted.");
        }
        if project.status == Status::Active && self.0.runtime.endpoint(&project.id).await.is_some() {
            return Ok(());
        }
        let _place = self.place_to_start(project, &steps).await?;
        let launch = self.launch(project).await?;
        self.set_status(&project.id, Status::Activating, None).await?;
        let result = self.0.runtime.activate(launch, steps).await;
        match result {
            Ok(_) => self.set_status(&project.id, Status::Active, None).await,
            Err(error) => {
                let error = error.told();
                self.set_status(&project.id, Status::Failed, Some(error.to_string())).await?;
                Err(error)
            }
        }
    }

    /// A place among the starts that are under way; the wait for it is shown.
    async fn place_to_start(&self, project: &Project, steps: &mpsc::Sender<Progress>) -> Result<Place> {
        let place = self.0.life.places.enter(&project.owner);
        if place.ahead().is_none() {
            return Ok(place);
        }
        let mut told = None;
        let mut tick = interval(TELL_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = place.turn() => break,
                () = self.0.stopping.cancelled() => return refused("Gaggle is being stopped. Start the project once it is back."),
                _ = tick.tick() => {
                    let ahead = place.ahead();
                    if ahead != told && let Some(n) = ahead {
                        step(steps, "queue", StepState::Running, &waiting(n)).await;
                        told = ahead;
                    }
                }
            }
        }
        if told.is_some() {
            step(steps, "queue", StepState::Done, "it is this project's turn").await;
        }
        Ok(place)
    }

    async fn bring_down(&self, project: &Project, why: &str, steps: mpsc::Sender<Progress>) -> Result<()> {
        if project.status == Status::Inactive && self.0.runtime.endpoint(&project.id).await.is_none() {
            return Ok(());
        }
        self.set_status(&project.id, Status::Deactivating, None).await?;
        self.end_turns(&project.id, why).await;
        self.wind_down(project, None, steps).await
    }

    /// Ends an agent that answers nothing any more.
    pub(super) async fn wind_down(&self, project: &Project, reason: Option<String>, steps: mpsc::Sender<Progress>) -> Result<()> {
        self.0.agents.close(&project.id).await;
        match self.0.runtime.deactivate(&project.into(), steps).await {
            Ok(()) => self.set_status(&project.id, Status::Inactive, reason).await,
            Err(error) => {
                let error = error.told();
                self.set_status(&project.id, Status::Failed, Some(error.to_string())).await?;
                Err(error)
            }
        }
    }

    async fn remove(&self, project: &Project, keep_files: bool, steps: mpsc::Sender<Progress>) -> Result<()> {
        self.0
            .store
            .change_project(&project.id, move |p| {
                p.status = Status::Deleting;
                p.keep_files = keep_files;
                Ok(())
            })
            .await?;
        self.end_turns(&project.id, "the project was deleted").await;
        self.0.agents.close(&project.id).await;
        self.0.runtime.delete(&project.into(), keep_files, steps).await?;
        self.0.store.remove_project(&project.id).await
    }

    /// What a project runs on will soon be out of reach: a start that is under way is taken back as long as that can be done.
    pub async fn let_go(&self, id: &ProjectId) {
        let Some(run) = self.0.life.of(id) else { return };
        let mut ended = run.ended.subscribe();
        let asked = async {
            loop {
                // One that waits for its place, or is just beginning, cannot be interrupted yet.
                self.0.runtime.interrupt(id);
                if timeout(ASK_AGAIN, ended.wait_for(Option::is_some)).await.is_ok() {
                    return;
                }
            }
        };
        let _ = timeout(LET_GO, asked).await;
    }

    /// What a project runs on is out of reach for good: what is under way for it ends.
    pub async fn strand(&self, id: &ProjectId, why: &str) -> Result<()> {
        self.end_turns(id, "the cluster of the project was removed").await;
        self.0.agents.drop_connection(id).await;
        self.set_status(id, Status::Failed, Some(why.to_owned())).await
    }

    pub(super) async fn set_status(&self, id: &ProjectId, status: Status, reason: Option<String>) -> Result<()> {
        self.0
            .store
            .change_project(id, move |p| {
                p.status = status;
                p.reason = reason;
                if matches!(status, Status::Active | Status::Inactive) {
                    p.used = Timestamp::now();
                }
                Ok(())
            })
            .await
            .map(drop)
    }

    /// Goes on with what an earlier program did not end.
    pub(super) fn go_on(&self, project: &Project, kind: Kind) {
        self.begin(&project.id, kind);
    }

    /// Begins something that nobody asked for, unless something else is under way.
    fn begin(&self, project: &ProjectId, kind: Kind) -> Option<Arc<Run>> {
        let mut runs = self.0.life.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.contains_key(project) {
            return None;
        }
        let run = Arc::new(Run { kind, steps: watch::Sender::new(Vec::new()), ended: watch::Sender::new(None) });
        runs.insert(project.clone(), run.clone());
        self.start(project.clone(), run.clone());
        Some(run)
    }

    pub(super) async fn run_and_wait(&self, project: &ProjectId, kind: Kind) {
        let Some(run) = self.begin(project, kind) else { return };
        let mut ended = run.ended.subscribe();
        if let Ok(result) = ended.wait_for(Option::is_some).await
            && let Some(Err(Told::Refused(why) | Told::Failed(why))) = &*result
        {
            tracing::warn!(%project, ?kind, why, "what nobody asked for did not succeed");
        }
    }

    pub(super) fn is_underway(&self, project: &ProjectId) -> bool {
        self.0.life.of(project).is_some()
    }
}

fn waiting(ahead: usize) -> String {
    match ahead {
        0 => "waiting: this start is next".to_owned(),
        1 => "waiting: 1 start is ahead".to_owned(),
        n => format!("waiting: {n} starts are ahead"),
    }
}

async fn step(steps: &mpsc::Sender<Progress>, name: &str, state: StepState, text: &str) {
    let _ = steps.send(Progress { step: name.into(), state, text: text.into() }).await;
}
