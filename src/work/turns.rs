//! Turns from their message to their queue: one at a time in a session, in order, within the limits.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Work;
use crate::chat::LiveTurn;
use crate::error::{Error, Result, refused};
use crate::model::{Answer, ApprovalId, Origin, PersonId, Project, ProjectId, Said, Session, SessionId, Turn, TurnId, TurnState};
use crate::store::Place;

pub struct Turns {
    state: Mutex<State>,
    places: Arc<Semaphore>,
    again: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    queues: HashMap<SessionId, Queue>,
    open: BTreeMap<TurnId, Job>,
    people: HashMap<PersonId, Arc<Semaphore>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<TurnId>,
    /// Accepted but not yet kept.
    coming: usize,
    running: Option<TurnId>,
}

/// What was decided, for the agent.
pub type Decisions = mpsc::Receiver<(ApprovalId, Answer)>;

/// A turn that is not at its end.
#[derive(Clone)]
pub struct Job {
    pub live: LiveTurn,
    pub project: ProjectId,
    pub session: SessionId,
    pub cancel: CancellationToken,
    /// Why it is being cancelled, if not because somebody asked to stop it.
    pub why: Arc<Mutex<Option<(TurnState, String)>>>,
    pub decisions: mpsc::Sender<(ApprovalId, Answer)>,
    pub decided: Arc<Mutex<Option<Decisions>>>,
    pub ended: watch::Sender<Option<TurnState>>,
}

impl Job {
    /// Why it is being cancelled, if not because somebody asked to stop it.
    pub fn reason(&self) -> Option<(TurnState, String)> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A message that will be answered.
#[derive(Debug)]
pub struct TurnTicket {
    pub turn: TurnId,
    ended: watch::Receiver<Option<TurnState>>,
}

impl TurnTicket {
    /// The turn's last state, once that is durable and shown.
    pub async fn ended(mut self) -> TurnState {
        match self.ended.wait_for(Option::is_some).await {
            Ok(state) => state.unwrap_or(TurnState::Interrupted),
            Err(_) => TurnState::Interrupted,
        }
    }
}

impl Turns {
    pub fn new(at_once: usize) -> Self {
        Self { state: Mutex::default(), places: Arc::new(Semaphore::new(at_once)), again: tokio::sync::Mutex::default() }
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn job(&self, turn: TurnId) -> Option<Job> {
        self.with(|s| s.open.get(&turn).cloned())
    }

    /// Counts a turn as ended. Before that is told, so that whoever hears of it finds the session free.
    pub(super) fn release(&self, turn: TurnId, session: SessionId) {
        self.with(|s| {
            s.open.remove(&turn);
            if let Some(queue) = s.queues.get_mut(&session)
                && queue.running == Some(turn)
            {
                queue.running = None;
            }
        });
    }

    fn waits(&self, turn: TurnId) -> bool {
        self.with(|s| s.queues.values().any(|q| q.waiting.contains(&turn)))
    }

    /// Takes a turn out of its queue. `false`: it is in none.
    fn unqueue(&self, turn: TurnId, job: &Job) -> bool {
        self.with(|s| {
            s.queues.get_mut(&job.session).is_some_and(|q| {
                let at = q.waiting.iter().position(|t| *t == turn);
                at.is_some_and(|at| q.waiting.remove(at).is_some())
            })
        })
    }

    fn jobs(&self, keep: impl Fn(&Job) -> bool) -> Vec<(TurnId, Job)> {
        self.with(|s| s.open.iter().filter(|(_, j)| keep(j)).map(|(id, j)| (*id, j.clone())).collect())
    }
}

impl Work {
    /// Opens a thread with a new session and puts its first message into it.
    pub async fn ask(&self, project: &Project, mut origin: Origin, said: Said) -> Result<TurnTicket> {
        self.not_stopping()?;
        let title = crate::model::clip(&said.message.text, 60);
        let own = match self.chat(&origin) {
            Some(chat) => {
                let free = self.0.store.thread_at(&origin.conversation).await?.is_none();
                chat.open_thread(&origin, &said.message.text, free).await?
            }
            None => None,
        };
        if let Some(thread) = &own {
            // From here on everything about it is said there.
            origin.conversation = thread.clone();
        }
        let place = own.map_or_else(|| Place::Below(origin.conversation.clone()), Place::Thread);
        let (_, turn) = self.0.store.open_session(&project.id, title, place, origin, said).await?;
        Ok(self.enqueue(turn))
    }

    /// Puts a message into a session's queue. Refused if that is full.
    pub async fn say(&self, session: &Session, origin: Origin, said: Said) -> Result<TurnTicket> {
        let (id, most) = (session.id, self.0.limits.queue);
        self.not_stopping()?;
        let place = self.0.turns.with(|s| {
            let queue = s.queues.entry(id).or_default();
            let free = queue.waiting.len() + queue.coming < most + usize::from(queue.running.is_none());
            queue.coming += usize::from(free);
            free
        });
        if !place {
            return refused(format!(
                "{most} messages are waiting in this thread already. Wait for an answer, or stop it with `/session stop`."
            ));
        }
        let kept = self.0.store.create_turn(session, origin, said).await;
        self.0.turns.with(|s| {
            if let Some(queue) = s.queues.get_mut(&id) {
                queue.coming -= 1;
            }
        });
        match kept {
            Ok(turn) => Ok(self.enqueue(turn)),
            Err(error) => {
                self.next(id);
                Err(error)
            }
        }
    }

    /// Held from a look at what became of a question until it is asked once more.
    pub async fn asking_again(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.turns.again.lock().await
    }

    fn not_stopping(&self) -> Result<()> {
        match self.0.stopping.is_cancelled() {
            true => refused("Gaggle is being stopped. Ask again once it is back."),
            false => Ok(()),
        }
    }

    /// Shows a kept turn and has it answered when its time comes.
    pub(super) fn enqueue(&self, mut turn: Turn) -> TurnTicket {
        let (id, session, project) = (turn.id, turn.session, turn.project.clone());
        let behind =
            self.0.turns.with(|s| s.queues.get(&session).map_or(0, |q| q.waiting.len() + usize::from(q.running.is_some())));
        if behind > 0 {
            turn.queue(behind);
        }
        let origin = turn.origin.clone();
        let live = LiveTurn::new(turn);
        let (decisions, decided) = mpsc::channel(16);
        let job = Job {
            live: live.clone(),
            project,
            session,
            cancel: CancellationToken::new(),
            why: Arc::default(),
            decisions,
            decided: Arc::new(Mutex::new(Some(decided))),
            ended: watch::Sender::new(None),
        };
        let ticket = TurnTicket { turn: id, ended: job.ended.subscribe() };
        self.0.turns.with(|s| {
            s.open.insert(id, job);
            let queue = s.queues.entry(session).or_default();
            let at = queue.waiting.partition_point(|t| *t < id);
            queue.waiting.insert(at, id);
        });
        if let Some(chat) = self.chat(&origin) {
            chat.show_turn(live);
        }
        self.next(session);
        ticket
    }

    /// Starts the session's next turn if none is running.
    fn next(&self, session: SessionId) {
        let job = self.0.turns.with(|s| {
            let queue = s.queues.get_mut(&session)?;
            if queue.running.is_some() || self.0.stopping.is_cancelled() {
                return None;
            }
            let Some(id) = queue.waiting.pop_front() else {
                if queue.coming == 0 {
                    s.queues.remove(&session);
                }
                return None;
            };
            queue.running = Some(id);
            s.open.get(&id).cloned()
        });
        let Some(job) = job else { return };
        let work = self.clone();
        self.spawn(async move {
            let id = job.live.read(|t| t.id);
            // A panic in one answer must not silence its thread.
            let body = tokio::spawn({
                let (work, job) = (work.clone(), job.clone());
                async move { work.answer(&job).await }
            });
            if let Err(error) = body.await {
                let told = Error::Broken(error.into()).told();
                work.close(&job, TurnState::Failed, Some(told.to_string())).await;
            }
            work.0.turns.release(id, session);
            work.next(session);
        });
    }

    /// A place within the limits, or why the turn has to wait for one.
    pub(super) async fn place(&self, job: &Job) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let person = job.live.read(|t| t.message.author.clone());
        let most = self.0.limits.turns_per_person;
        let own = self.0.turns.with(|s| {
            // People whose turns have all ended need no entry.
            if s.people.len() > 10_000 {
                s.people.retain(|_, places| places.available_permits() < most);
            }
            s.people.entry(person).or_insert_with(|| Arc::new(Semaphore::new(most))).clone()
        });
        let own = acquire(own, job, || format!("waiting: you have {most} answers under way already")).await?;
        let all =
            acquire(self.0.turns.places.clone(), job, || "waiting: Gaggle is answering as much as it may at once".into()).await?;
        Some((own, all))
    }

    /// Stops what a session is answering. `None`: nothing is.
    pub async fn stop(&self, session: SessionId) -> Option<TurnState> {
        let running = self.0.turns.with(|s| s.queues.get(&session)?.running);
        let job = self.0.turns.job(running?)?;
        job.cancel.cancel();
        let mut ended = job.ended.subscribe();
        ended.wait_for(Option::is_some).await.ok().and_then(|s| *s)
    }

    /// Stops one turn of a session, which may also wait still. `None`: it has ended, or is not the session's.
    pub async fn stop_turn(&self, session: SessionId, turn: TurnId) -> Option<TurnState> {
        if self.0.turns.job(turn)?.session != session {
            return None;
        }
        if self.0.turns.with(|s| s.queues.get(&session)?.running) == Some(turn) {
            return self.stop(session).await;
        }
        self.withdraw(turn, "before its answer began").await.then_some(TurnState::Stopped)
    }

    /// The turns of somebody's messages that wait still.
    pub fn waiting_of(&self, person: &PersonId) -> Vec<TurnId> {
        let own = self.0.turns.jobs(|job| job.live.read(|t| t.message.author == *person));
        own.into_iter().map(|(id, _)| id).filter(|id| self.0.turns.waits(*id)).collect()
    }

    /// Changes a message that waits still. `false`: its answer has begun.
    pub async fn edit(&self, turn: TurnId, text: String) -> Result<bool> {
        let Some(job) = self.0.turns.job(turn).filter(|_| self.0.turns.waits(turn)) else { return Ok(false) };
        if !self.0.store.edit_turn(turn, text.clone()).await? {
            return Ok(false);
        }
        job.live.change(|t| t.message.text = text);
        Ok(true)
    }

    /// Forgets a message that is not answered yet. `false`: its answer has begun.
    pub async fn take_back(&self, turn: TurnId, why: &str) -> bool {
        let Some(job) = self.0.turns.job(turn) else { return false };
        let forget = || job.live.change(|t| (t.message.text, t.message.attachments) = Default::default());
        if self.0.turns.unqueue(turn, &job) {
            forget();
            self.close(&job, TurnState::Stopped, Some(why.to_owned())).await;
            self.next(job.session);
            return true;
        }
        if job.live.read(|t| t.prompt.is_some() || t.started.is_some()) {
            return false;
        }
        *job.why.lock().unwrap_or_else(PoisonError::into_inner) = Some((TurnState::Stopped, why.to_owned()));
        // In this order: a turn that sees an empty message sees that it was stopped.
        job.cancel.cancel();
        forget();
        true
    }

    /// Ends a turn that waits still. `false`: its answer has begun.
    pub async fn withdraw(&self, turn: TurnId, why: &str) -> bool {
        let Some(job) = self.0.turns.job(turn) else { return false };
        let waited = self.0.turns.unqueue(turn, &job);
        if waited {
            self.close(&job, TurnState::Stopped, Some(why.to_owned())).await;
            self.next(job.session);
        }
        waited
    }

    /// Ends a project's turns, the waiting ones too, as interrupted.
    pub(super) async fn end_turns(&self, project: &ProjectId, why: &str) {
        let jobs = self.0.turns.jobs(|j| j.project == *project);
        self.interrupt(jobs, why).await;
    }

    /// Ends a session's turns before it is deleted.
    pub async fn end_session(&self, session: SessionId) {
        let jobs = self.0.turns.jobs(|j| j.session == session);
        self.interrupt(jobs, "the session was deleted").await;
    }

    async fn interrupt(&self, jobs: Vec<(TurnId, Job)>, why: &str) {
        let mut waits = Vec::new();
        for (id, job) in jobs {
            *job.why.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((TurnState::Interrupted, format!("{}. Ask again with `/session retry`.", capital(why))));
            if self.0.turns.unqueue(id, &job) {
                self.close(&job, TurnState::Stopped, None).await;
                self.next(job.session);
            } else {
                job.cancel.cancel();
                waits.push(job);
            }
        }
        for job in waits {
            let _ = job.ended.subscribe().wait_for(Option::is_some).await;
        }
    }

    /// The end of the program: running turns may end within the grace, then they are marked. What still waits stays for the
    /// next start.
    pub(super) async fn end_all_turns(&self) {
        let running = |s: &mut State| s.queues.values().filter_map(|q| q.running).collect::<Vec<_>>();
        let ids = self.0.turns.with(running);
        let jobs: Vec<_> = ids.into_iter().filter_map(|id| Some((id, self.0.turns.job(id)?))).collect();
        let all = async {
            for (_, job) in &jobs {
                let _ = job.ended.subscribe().wait_for(Option::is_some).await;
            }
        };
        if tokio::time::timeout(self.0.limits.shutdown_grace, all).await.is_err() {
            let late: Vec<_> = jobs.into_iter().filter(|(_, j)| j.ended.borrow().is_none()).collect();
            self.interrupt(late, "Gaggle was stopped").await;
        }
        for (_, job) in self.0.turns.jobs(|j| j.ended.borrow().is_none()) {
            job.live.change(|t| t.reason = Some("Gaggle was stopped; this is answered after its next start".into()));
            job.live.abandon();
            job.ended.send_replace(Some(TurnState::Waiting));
        }
    }

    /// Running and waiting turns.
    pub fn turn_counts(&self) -> (usize, usize) {
        self.0.turns.with(|s| {
            let running = s.queues.values().filter(|q| q.running.is_some()).count();
            (running, s.open.len().saturating_sub(running))
        })
    }

    /// Whether a project has turns that run or wait.
    pub(super) fn has_turns(&self, project: &ProjectId) -> bool {
        self.0.turns.with(|s| s.open.values().any(|job| job.project == *project))
    }

    /// The states of a session's open turns.
    pub fn is_busy(&self, session: SessionId) -> bool {
        self.0.turns.with(|s| s.queues.get(&session).is_some_and(|q| q.running.is_some() || !q.waiting.is_empty()))
    }
}

async fn acquire(places: Arc<Semaphore>, job: &Job, why: impl FnOnce() -> String) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = places.clone().try_acquire_owned() {
        return Some(place);
    }
    job.live.change(|t| t.reason = Some(why()));
    tokio::select! {
        place = places.acquire_owned() => place.ok(),
        () = job.cancel.cancelled() => None,
    }
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
