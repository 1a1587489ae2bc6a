//! One session of an ACP agent: its run, its open permission requests, and what is done with each message about it. Invariant:
//! only the task that reads the session's messages sends events, so their order is that of the wire, and a slow reader of one
//! run holds up that task alone.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::core::Core;
use super::message::{Incoming, RpcError};
use super::updates::{self, Fold, Replay};
use crate::agent::sse::Life;
use crate::agent::{AgentEvent, Failure, Run, sentences};

/// Events of a run that wait for a slow reader.
const EVENTS: usize = 256;
/// An agent that was asked to cancel and does not is taken at the word of the person who asked.
const CANCEL: Duration = Duration::from_millis(900);
/// How long a session is listened to after it was last needed.
const LINGER: Duration = Duration::from_secs(10);
/// The end of a run that was given up is waited for this long; it may have been in what was lost.
const DRAIN: Duration = Duration::from_secs(30);

pub struct Session {
    pub id: String,
    pub wake: Notify,
    pub life: Life,
    /// Forgotten at the agent: nothing of it is listened to any more.
    pub retired: CancellationToken,
    /// Its own stream was open once.
    pub heard: CancellationToken,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    run: Option<Live>,
    /// A prompt that was given up here while the agent is still at it, and since when.
    draining: Option<(String, Instant)>,
    /// The last run's end, for whoever resumes it too late.
    ended: Option<(String, Vec<AgentEvent>)>,
    permissions: HashMap<String, HashMap<String, String>>,
    replay: Option<Replay>,
    title: Option<String>,
    /// Calls under way: the session is listened to for them.
    calls: usize,
    /// Loaded or opened on this connection.
    known: bool,
    listening: bool,
    needed: Option<Instant>,
}

impl State {
    fn is_draining(&self) -> bool {
        self.draining.as_ref().is_some_and(|(_, since)| since.elapsed() < DRAIN)
    }
}

struct Live {
    request: String,
    events: mpsc::Sender<AgentEvent>,
    fold: Fold,
    cancel_by: Option<Instant>,
}

/// What a reading task does when nothing has come until its deadline.
#[derive(Debug, PartialEq)]
pub enum Next {
    Listen,
    Leave,
    /// The agent shall be asked to stop: this run was given up.
    GiveUp,
}

impl Session {
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            wake: Notify::new(),
            life: Life::new(),
            retired: CancellationToken::new(),
            heard: CancellationToken::new(),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code of ours panics while it holds the state, and each field stands by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn known(&self) -> bool {
        let state = self.state();
        state.known || state.run.is_some()
    }

    pub fn set_known(&self) {
        self.state().known = true;
    }

    /// Registers a run before its prompt is sent.
    pub fn begin(&self, request: &str) -> Result<Run, Failure> {
        let mut state = self.state();
        if state.run.is_some() || state.is_draining() {
            return Err(sentences::busy());
        }
        let (events, receiver) = mpsc::channel(EVENTS);
        state.ended = None;
        state.permissions.clear();
        if let Some(title) = state.title.take() {
            // The channel is new and empty.
            let _ = events.try_send(AgentEvent::Title(title));
        }
        state.run = Some(Live { request: request.to_owned(), events, fold: Fold::default(), cancel_by: None });
        state.known = true;
        drop(state);
        self.life.touch();
        self.wake.notify_one();
        Ok(Run { events: receiver })
    }

    /// A run of this program that somebody let go, or one that ended meanwhile.
    pub fn take_up(&self, request: &str) -> Option<Run> {
        let mut state = self.state();
        let (events, receiver) = mpsc::channel(EVENTS);
        if let Some(run) = state.run.as_mut().filter(|run| run.request == request) {
            run.events = events;
        } else {
            let (_, last) = state.ended.as_ref().filter(|(ended, _)| ended == request)?;
            for event in last {
                // A run's last events are few.
                let _ = events.try_send(event.clone());
            }
        }
        Some(Run { events: receiver })
    }

    /// Takes back [`Session::begin`]: the prompt did not reach the agent.
    pub fn unbegin(&self, request: &str) {
        let mut state = self.state();
        if state.run.as_ref().is_some_and(|run| run.request == request) {
            state.run = None;
        }
    }

    pub fn running(&self) -> Option<String> {
        self.state().run.as_ref().map(|run| run.request.clone())
    }

    /// Whether a response with this id ends a run of this session.
    pub fn awaits(&self, id: &str) -> bool {
        let state = self.state();
        state.run.as_ref().is_some_and(|run| run.request == id)
            || state.draining.as_ref().is_some_and(|(request, _)| request == id)
    }

    pub fn draining(&self) -> bool {
        self.state().is_draining()
    }

    pub fn call_begins(&self, replay: bool) {
        let mut state = self.state();
        state.calls += 1;
        if replay {
            state.replay = Some(Replay::default());
        }
        drop(state);
        self.wake.notify_one();
    }

    pub fn call_ends(&self) {
        let mut state = self.state();
        state.calls = state.calls.saturating_sub(1);
        state.needed = Some(Instant::now());
        drop(state);
        self.wake.notify_one();
    }

    /// What the call that asked for it was told. No other call that ends beside it may take it away.
    pub fn take_replay(&self) -> Option<Replay> {
        self.state().replay.take()
    }

    /// Whether the caller is to start the task that reads this session.
    pub fn start_listening(&self) -> bool {
        !std::mem::replace(&mut self.state().listening, true)
    }

    /// An open request is answered: the option that the agent offered for one of these kinds.
    pub fn take_option(&self, request: &str, kinds: &[&str]) -> Option<String> {
        let options = self.state().permissions.remove(request)?;
        // From now on silence is the agent's again.
        self.life.touch();
        self.wake.notify_one();
        kinds.iter().find_map(|kind| options.get(*kind).cloned())
    }

    /// The cancelling of the run begins: its open requests for permission, which have to be answered.
    pub fn cancelling(&self) -> Vec<String> {
        let mut state = self.state();
        if let Some(run) = &mut state.run {
            run.cancel_by.get_or_insert_with(|| Instant::now() + CANCEL);
        }
        let open = state.permissions.drain().map(|(request, _)| request).collect();
        drop(state);
        self.wake.notify_one();
        open
    }

    /// Deals with one message.
    pub async fn take(&self, core: &Core, message: Incoming) {
        self.life.touch();
        match message {
            Incoming::Notification { method, params } if method == "session/update" => {
                self.update(&params["update"]).await;
            }
            Incoming::Request { id, method, params } if method == "session/request_permission" => {
                self.permission(&id.to_string(), &params).await;
            }
            Incoming::Response { id, outcome } => self.response(core, &id, outcome).await,
            other => core.other(other),
        }
    }

    async fn update(&self, update: &Value) {
        let events = {
            let mut state = self.state();
            if let Some(run) = &mut state.run {
                run.fold.update(update)
            } else if let Some(replay) = &mut state.replay {
                replay.update(update);
                return;
            } else {
                if let Some(title) = updates::title(update) {
                    state.title = Some(title);
                }
                return;
            }
        };
        self.send(events).await;
    }

    async fn permission(&self, request: &str, params: &Value) {
        let mut options = HashMap::new();
        for option in params["options"].as_array().into_iter().flatten() {
            if let (Some(id), kind) = (option["optionId"].as_str(), option["kind"].as_str()) {
                options.entry(kind.unwrap_or(id).to_owned()).or_insert_with(|| id.to_owned());
            }
        }
        let events = {
            let mut state = self.state();
            let Some(run) = &mut state.run else {
                tracing::debug!(session = self.id, "a request for permission outside of a run");
                return;
            };
            let events = run.fold.permission(request.to_owned(), params);
            state.permissions.insert(request.to_owned(), options);
            events
        };
        self.send(events).await;
    }

    async fn response(&self, core: &Core, id: &str, outcome: Result<Value, RpcError>) {
        let events = {
            let mut state = self.state();
            if state.draining.as_ref().is_some_and(|(request, _)| request == id) {
                state.draining = None;
                drop(state);
                core.drained.notify_waiters();
                return;
            }
            match &mut state.run {
                Some(run) if run.request == id => match &outcome {
                    Ok(result) => run.fold.end(result),
                    Err(error) => vec![run.fold.fail(sentences::rpc("answer", error.code, &error.text))],
                },
                _ => {
                    drop(state);
                    core.answered(id, outcome);
                    return;
                }
            }
        };
        self.end(events, false).await;
    }

    /// Ends the run, if there is one, with these last events.
    pub async fn end(&self, mut events: Vec<AgentEvent>, draining: bool) {
        let sender = {
            let mut state = self.state();
            let Some(run) = state.run.take() else { return };
            state.permissions.clear();
            state.needed = Some(Instant::now());
            state.draining = draining.then(|| (run.request.clone(), Instant::now()));
            state.ended = Some((run.request, events.clone()));
            run.events
        };
        for event in events.drain(..) {
            if sender.send(event).await.is_err() {
                break;
            }
        }
    }

    /// A run that was not begun here, and whose end somebody else has read.
    pub async fn end_if(&self, request: &str, events: Vec<AgentEvent>) {
        if self.running().as_deref() == Some(request) {
            self.end(events, false).await;
        }
    }

    /// The stream broke while a run was being read: what was on its way then is lost.
    pub async fn gap(&self) {
        if self.running().is_some() {
            self.send(vec![AgentEvent::Gap]).await;
        }
    }

    async fn send(&self, events: Vec<AgentEvent>) {
        if events.is_empty() {
            return;
        }
        let Some(sender) = self.state().run.as_ref().map(|run| run.events.clone()) else { return };
        for event in events {
            // Nobody reads any more: the run goes on at the agent, and is read on for its end and its requests.
            if sender.send(event).await.is_err() {
                return;
            }
        }
    }

    /// When the reading task has to look up, if nothing comes.
    pub fn deadline(&self, idle: Duration) -> Instant {
        let state = self.state();
        let far = Instant::now() + Duration::from_secs(86_400);
        match &state.run {
            Some(run) => match run.cancel_by {
                Some(by) => by.min(self.life.until(idle)),
                // Somebody has to say something first, and the agent is not to blame for the silence.
                None if !state.permissions.is_empty() => far,
                None => self.life.until(idle),
            },
            None if state.calls > 0 => far,
            None if state.is_draining() => Instant::now() + LINGER,
            None => state.needed.unwrap_or_else(Instant::now) + LINGER,
        }
    }

    /// What to do now that the deadline may have passed.
    pub async fn overdue(&self, idle: Duration) -> Next {
        let now = Instant::now();
        let (events, next) = {
            let mut state = self.state();
            match &state.run {
                Some(run) if run.cancel_by.is_some_and(|by| by <= now) => {
                    (vec![AgentEvent::Done { cancelled: true, usage: None }], Next::Listen)
                }
                Some(_) if state.permissions.is_empty() && self.life.until(idle) <= now => {
                    (vec![AgentEvent::Failed(sentences::silent(idle))], Next::GiveUp)
                }
                Some(_) => return Next::Listen,
                None if state.calls > 0 || state.is_draining() || state.needed.is_some_and(|since| since + LINGER > now) => {
                    return Next::Listen;
                }
                None => {
                    state.listening = false;
                    return Next::Leave;
                }
            }
        };
        self.end(events, true).await;
        next
    }
}
