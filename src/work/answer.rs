//! One turn from its start to its last state.
//!
//! Invariants: the prompt is recorded before it is sent, so that no message is sent twice; so is a stop, so that what was said
//! until then never passes for the whole answer; the last state is durable before it is shown; text only grows.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::sync::mpsc;
use tokio::time::{Instant as Clock, sleep_until};

use super::Work;
use super::turns::Job;
use crate::agent::{Agent, AgentEvent, Failure, Run};
use crate::error::{Error, Result};
use crate::model::{
    Answer, ApprovalId, ApprovalState, Content, Project, PromptRef, Session, Status, Timestamp, ToolLine, ToolState, Turn,
    TurnState, Usage, clip, words,
};

const LOST: &str = "Gaggle ended in the middle of this answer. Ask again with `/session retry`.";
/// How often the text of an open turn is kept.
const KEEP_EVERY: Duration = Duration::from_millis(500);
/// How long an agent may take to confirm that it stopped, before the turn is closed without it.
const STOP_GRACE: Duration = Duration::from_millis(800);
/// How long a resumed prompt that was never confirmed may stay silent before it counts as never sent.
const UNCONFIRMED: Duration = Duration::from_secs(3);
/// Why an approval is void whose turn somebody stopped.
pub(super) const STOPPED: &str = "the turn was stopped";
const UNSENT: &str =
    "Gaggle ended while it sent this message, so the agent may not have got it. Ask again with `/session retry`.";

/// A last state with its reason.
struct End {
    state: TurnState,
    reason: Option<String>,
    usage: Option<Usage>,
}

impl End {
    fn new(state: TurnState, reason: impl Into<String>) -> Self {
        Self { state, reason: Some(reason.into()), usage: None }
    }

    fn stopped() -> Self {
        Self { state: TurnState::Stopped, reason: None, usage: None }
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Failed(reason) => Self::new(TurnState::Failed, reason),
            Failure::Interrupted(reason) => Self::new(TurnState::Interrupted, reason),
        }
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::new(TurnState::Failed, error.told().to_string())
    }
}

/// What is remembered while a run is read.
struct Reading<'a> {
    job: &'a Job,
    agent: &'a dyn Agent,
    prompt: PromptRef,
    /// Bytes of the text that are durable.
    kept: usize,
    /// A piece of the text may be missing, so that what comes is not shown: at the end the agent's own record has the whole.
    resumed: bool,
    started: Vec<(String, Instant)>,
}

impl Work {
    pub(super) async fn answer(&self, job: &Job) {
        let prompt = job.live.read(|t| t.prompt.clone());
        let result = match prompt {
            None => self.answer_new(job).await,
            Some(prompt) => self.answer_again(job, prompt).await,
        };
        let end = result.unwrap_or_else(|end| end);
        self.finish(job, end).await;
    }

    async fn answer_new(&self, job: &Job) -> Result<End, End> {
        let Some(_places) = self.place(job).await else { return Ok(End::stopped()) };
        let (session, agent) = tokio::select! {
            ready = self.ready(job) => ready?,
            () = job.cancel.cancelled() => return Ok(End::stopped()),
        };
        let start = tokio::select! {
            start = self.leave_to_begin(&job.project) => start,
            () = job.cancel.cancelled() => return Ok(End::stopped()),
        };
        let opened = tokio::select! {
            opened = agent.open(session.agent_session.as_deref()) => opened?,
            () = job.cancel.cancelled() => return Ok(End::stopped()),
        };
        if opened.forgotten {
            let note = "The agent no longer had this thread's history, so it answers without it.";
            job.live.change(|t| t.notes.push(note.into()));
        }
        let id = job.live.read(|t| t.id);
        let content = self.content(job).await?;
        if job.cancel.is_cancelled() {
            return Ok(End::stopped());
        }
        let mut prompt = agent.prompt_ref(&opened.id, &format!("turn-{}", id.0));
        let started = Timestamp::now();
        self.store().send_turn(id, prompt.clone(), started).await?;
        job.live.change(|t| {
            t.state = TurnState::Working;
            t.reason = None;
            t.started = Some(started);
        });
        let run = agent.prompt(&prompt, &content).await?;
        drop(start);
        prompt.sent = true;
        let work = self.clone();
        self.spawn(async move {
            if let Err(error) = work.store().confirm_turn(id).await {
                let _ = error.told();
            }
        });
        let reading = Reading { job, agent: &*agent, prompt, kept: 0, resumed: false, started: Vec::new() };
        Ok(self.read_run(reading, run).await)
    }

    /// What the agent is told: the message, with its author's name where several people talk, and what came with it.
    async fn content(&self, job: &Job) -> Result<Vec<Content>> {
        let (id, message) = job.live.read(|t| (t.id, t.message.clone()));
        let mut text = message.spoken();
        let mut images = Vec::new();
        if !message.attachments.is_empty() {
            let data = self.store().attachments(id).await?;
            for (attachment, data) in message.attachments.iter().zip(data) {
                if attachment.is_image() {
                    images.push(Content::Image { mime: attachment.mime.clone(), data });
                } else {
                    let bytes = BASE64_STANDARD.decode(data).unwrap_or_default();
                    text.push_str(&format!("\n\nThe file {}:\n\n{}", attachment.name, String::from_utf8_lossy(&bytes)));
                }
            }
        }
        images.insert(0, Content::Text(text));
        Ok(images)
    }

    /// Picks up a run that an earlier program started.
    async fn answer_again(&self, job: &Job, prompt: PromptRef) -> Result<End, End> {
        let Some(_places) = self.place(job).await else { return Ok(End::stopped()) };
        if let Some((state, reason)) = prompt.cancelled.clone() {
            *job.why.lock().unwrap_or_else(PoisonError::into_inner) = reason.map(|reason| (state, reason));
            job.cancel.cancel();
        }
        let lost = || if job.cancel.is_cancelled() { End::stopped() } else { End::new(TurnState::Interrupted, LOST) };
        let (project, _) = self.project_and_session(job).await?;
        if project.status != Status::Active {
            return Ok(lost());
        }
        let agent = self.agent(&project).await.map_err(|_| lost())?;
        let Some(run) = agent.resume(&prompt).await.ok().flatten() else { return Ok(lost()) };
        job.live.change(|t| {
            t.state = TurnState::Working;
            t.reason = None;
        });
        self.reopen_approvals(job).await?;
        self.repeat_answers(job, &*agent, &prompt.session).await?;
        let kept = job.live.read(|t| t.text.len());
        let reading = Reading { job, agent: &*agent, prompt, kept, resumed: true, started: Vec::new() };
        Ok(self.read_run(reading, run).await)
    }

    /// The project, active; its agent, connected.
    async fn ready(&self, job: &Job) -> Result<(Session, std::sync::Arc<dyn Agent>), End> {
        let (mut project, session) = self.project_and_session(job).await?;
        if project.status != Status::Active || self.runtime().endpoint(&project.id).await.is_none() {
            let origin = job.live.change(|t| {
                t.reason = Some(format!("starting the project `{}`", project.name));
                t.origin.clone()
            });
            self.activate(&project.id, &origin).await?;
            (project, _) = self.project_and_session(job).await?;
        }
        let agent = self.agent(&project).await?;
        Ok((session, agent))
    }

    async fn project_and_session(&self, job: &Job) -> Result<(Project, Session), End> {
        let gone = || End::new(TurnState::Interrupted, "The project or the session of this message is gone.");
        let project = self.store().project(&job.project).await?.ok_or_else(gone)?;
        let session = self.store().session(job.session).await?.ok_or_else(gone)?;
        Ok((project, session))
    }

    async fn read_run(&self, mut reading: Reading<'_>, mut run: Run) -> End {
        let job = reading.job;
        let decisions = job.decided.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut decisions = decisions.unwrap_or_else(|| mpsc::channel(1).1);
        let mut keep_at = Clock::now() + KEEP_EVERY;
        let mut give_up: Option<Clock> = None;
        let unconfirmed = (reading.resumed && !reading.prompt.sent).then(|| Clock::now() + UNCONFIRMED);
        let mut heard = false;
        loop {
            let expiry = job.live.read(next_expiry);
            tokio::select! {
                biased;
                event = run.events.recv() => {
                    heard = true;
                    match event {
                        None => return End::new(TurnState::Interrupted, "The connection to the agent broke. Ask again with `/session retry`."),
                        Some(event) => {
                            if let Some(end) = self.take(&mut reading, event).await {
                                return end;
                            }
                        }
                    }
                }
                Some((id, answer)) = decisions.recv() => self.pass_on(&reading, id, answer).await,
                () = job.cancel.cancelled(), if give_up.is_none() => {
                    let id = job.live.read(|t| t.id);
                    let (state, reason) = job.reason().map_or((TurnState::Stopped, None), |(state, why)| (state, Some(why)));
                    let _ = self.store().cancel_turn(id, state, reason).await.map_err(Error::told);
                    give_up = Some(Clock::now() + STOP_GRACE);
                    // In this order: an answer of a run that is not being cancelled would be a refusal, and the run go on.
                    let cancel = tokio::time::timeout(STOP_GRACE, reading.agent.cancel(&reading.prompt.session));
                    if let Ok(Err(error)) = cancel.await {
                        tracing::info!(%error, "the agent could not be told to stop");
                    }
                    self.void_approvals(&reading).await;
                }
                () = sleep_until(give_up.unwrap_or(keep_at)), if give_up.is_some() => return End::stopped(),
                () = sleep_until(unconfirmed.unwrap_or(keep_at)), if unconfirmed.is_some() && !heard => {
                    let _ = reading.agent.cancel(&reading.prompt.session).await;
                    return End::new(TurnState::Interrupted, UNSENT);
                }
                () = sleep_until(expiry.map_or(keep_at, |(_, at)| at)), if expiry.is_some() => {
                    if let Some((id, _)) = expiry {
                        self.expire(id).await;
                    }
                }
                () = sleep_until(keep_at) => {
                    self.keep(&mut reading);
                    keep_at = Clock::now() + KEEP_EVERY;
                }
            }
        }
    }

    /// Folds one event into the turn. `Some`: it was the last one.
    async fn take(&self, reading: &mut Reading<'_>, event: AgentEvent) -> Option<End> {
        let live = &reading.job.live;
        match event {
            AgentEvent::Text(_) if reading.resumed => {}
            AgentEvent::Text(text) => live.change(|t| t.text.push_str(&text)),
            AgentEvent::Thought(_) => {}
            AgentEvent::ToolStarted { id, tool, title, .. } => {
                reading.started.push((id.clone(), Instant::now()));
                live.change(|t| {
                    if !t.tools.iter().any(|l| l.id == id) {
                        let at = t.text.len();
                        t.tools.push(ToolLine { id, tool, title: clip(&title, 200), state: ToolState::Running, took: None, at });
                    }
                });
            }
            AgentEvent::ToolEnded { id, ok, .. } => {
                let took = reading.started.iter().find(|(s, _)| *s == id).map(|(_, at)| at.elapsed().as_millis() as u64);
                live.change(|t| {
                    if let Some(line) = t.tools.iter_mut().find(|l| l.id == id) {
                        line.state = if ok { ToolState::Done } else { ToolState::Failed };
                        line.took = took;
                    }
                });
            }
            AgentEvent::ApprovalWanted { request, tool, title, arguments, .. } => {
                if let Err(error) = self.want_approval(reading.job, request, tool, title, arguments).await {
                    return Some(error.into());
                }
            }
            AgentEvent::Usage(usage) => live.change(|t| t.usage = Some(usage)),
            AgentEvent::Title(title) => {
                let session = reading.job.session;
                let work = self.clone();
                self.spawn(async move {
                    let title = clip(&title, 100);
                    let changed = work.store().change_session(session, |s| {
                        if !s.renamed && !title.is_empty() {
                            s.title = title;
                        }
                    });
                    if let Ok(Some(session)) = changed.await.map_err(Error::told) {
                        work.show_title(&session);
                    }
                });
            }
            AgentEvent::Gap => reading.resumed = true,
            AgentEvent::Notice(note) => live.change(|t| t.notes.push(note)),
            AgentEvent::Done { cancelled: true, .. } if reading.job.cancel.is_cancelled() => return Some(End::stopped()),
            AgentEvent::Done { cancelled: true, .. } => {
                return Some(End::new(
                    TurnState::Interrupted,
                    "The agent stopped this answer by itself. Ask again with `/session retry`.",
                ));
            }
            AgentEvent::Done { usage, .. } => return Some(self.whole(reading, usage).await),
            AgentEvent::Failed(failure) => return Some(failure.into()),
        }
        None
    }

    /// The end of a complete answer, of which a piece may have been missed.
    async fn whole(&self, reading: &Reading<'_>, usage: Option<Usage>) -> End {
        let done = End { state: TurnState::Done, reason: None, usage };
        if !reading.resumed {
            return done;
        }
        let (live, stopped) = (&reading.job.live, reading.job.cancel.is_cancelled());
        let seen = live.read(|t| t.text.clone());
        let message = match self.content(reading.job).await {
            Ok(content) => words(&told(&content)),
            Err(error) => return error.into(),
        };
        match reading.agent.last_answer(&reading.prompt.session).await {
            // If this message never reached the agent, its last answer is to another one.
            Ok(Some(last)) if words(&last.message) == message && last.answer.starts_with(&seen) => {
                if !reading.prompt.sent && self.was_asked_before(reading.job, &message).await {
                    return if stopped { End::stopped() } else { End::new(TurnState::Interrupted, UNSENT) };
                }
                live.change(|t| t.text = last.answer);
                // What was said before it stopped looks like a whole answer.
                if stopped { End::stopped() } else { done }
            }
            _ if stopped => End::stopped(),
            _ if !reading.prompt.sent => End::new(TurnState::Interrupted, UNSENT),
            _ => End::new(TurnState::Interrupted, "A piece of this answer was lost on the way. Ask again with `/session retry`."),
        }
    }

    /// Whether the message before this one has the same words, so that an answer cannot be told from the one before it.
    async fn was_asked_before(&self, job: &Job, message: &str) -> bool {
        let id = job.live.read(|t| t.id);
        let turns = self.store().turns_of(job.session).await.unwrap_or_default();
        turns.iter().rev().find(|t| t.id < id).is_some_and(|t| words(&t.message.spoken()) == message)
    }

    /// Hands the text that came since to the store, without waiting for it.
    fn keep(&self, reading: &mut Reading<'_>) {
        let from = reading.kept;
        let Some((id, piece)) = reading.job.live.read(|t| (t.text.len() > from).then(|| (t.id, t.text[from..].to_owned())))
        else {
            return;
        };
        reading.kept += piece.len();
        let work = self.clone();
        self.spawn(async move {
            let _ = work.store().keep_text(id, from as u64, piece).await.map_err(Error::told);
        });
    }

    async fn pass_on(&self, reading: &Reading<'_>, id: ApprovalId, answer: Answer) {
        let Some(request) = reading.job.live.read(|t| t.approvals.iter().find(|a| a.id == id).map(|a| a.request.clone())) else {
            return;
        };
        if let Err(error) = reading.agent.answer(&reading.prompt.session, &request, answer).await {
            tracing::warn!(%error, approval = %id, "an answer did not reach the agent");
        }
    }

    async fn void_approvals(&self, reading: &Reading<'_>) {
        let open: Vec<_> = reading
            .job
            .live
            .read(|t| t.approvals.iter().filter(|a| a.state == ApprovalState::Open).map(|a| (a.id, a.request.clone())).collect());
        for (id, request) in open {
            let _ = self.store().decide(id, ApprovalState::Void, None, Some(STOPPED.into())).await.map_err(Error::told);
            let _ = reading.agent.answer(&reading.prompt.session, &request, Answer::Cancelled).await;
        }
    }

    async fn finish(&self, job: &Job, end: End) {
        let why = job.reason();
        let (state, reason) = match why {
            Some((state, reason)) if end.state != TurnState::Done => (state, Some(reason)),
            _ => (end.state, end.reason),
        };
        if let Some(usage) = end.usage {
            job.live.change(|t| t.usage = Some(usage));
        }
        self.close(job, state, reason).await;
    }

    /// Makes the last state durable, then shows it.
    pub(super) async fn close(&self, job: &Job, state: TurnState, reason: Option<String>) {
        let why = job.reason();
        let (state, reason) = match why {
            Some((why, text)) if state == TurnState::Stopped => (why, Some(text)),
            _ => (state, reason),
        };
        let last = job.live.read(|turn| {
            let mut last: Turn = turn.clone();
            last.state = state;
            last.reason = reason;
            last.ended = Some(Timestamp::now());
            last.prompt = None;
            for line in &mut last.tools {
                if line.state == ToolState::Running {
                    line.state = ToolState::Unknown;
                }
            }
            last
        });
        let open: Vec<ApprovalId> = last.approvals.iter().filter(|a| a.state == ApprovalState::Open).map(|a| a.id).collect();
        for id in open {
            let _ = self.store().decide(id, ApprovalState::Void, None, Some("its turn ended".into())).await.map_err(Error::told);
        }
        if let Err(error) = self.store().close_turn(last.clone()).await {
            let _ = error.told();
        }
        self.0.turns.release(last.id, job.session);
        job.live.change(|t| {
            *t = last;
            for approval in t.approvals.iter_mut().filter(|a| a.state == ApprovalState::Open) {
                approval.state = ApprovalState::Void;
            }
        });
        metrics::counter!("gaggle_turns_total", "state" => state.as_str()).increment(1);
        job.ended.send_replace(Some(state));
    }
}

/// The text of what an agent is told.
fn told(content: &[Content]) -> String {
    let texts = content.iter().filter_map(|part| match part {
        Content::Text(text) => Some(text.as_str()),
        Content::Image { .. } => None,
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

/// The open approval that expires first.
fn next_expiry(turn: &Turn) -> Option<(ApprovalId, Clock)> {
    let first = turn.approvals.iter().filter(|a| a.state == ApprovalState::Open).min_by_key(|a| a.expires)?;
    let left = Timestamp::now().duration_until(first.expires);
    let left = Duration::try_from(left).unwrap_or(Duration::ZERO);
    Some((first.id, Clock::now() + left))
}
