//! The console surface: a terminal, a pipe, or the JSON door. One core makes [`Event`]s; three screens show them.
//!
//! Invariant: of each input exactly one `end` is shown, after everything else of it. Knows no project and no role.

mod door;
mod event;
mod input;
mod json;
mod lane;
mod plain;
mod show;
mod terminal;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc, watch};

pub use door::{Door, DoorEnd, Handed, Taker};
pub use event::Event;
pub use input::{Line, read as standard_input};
pub use terminal::{Log, Names, Setup};

use super::{Chat, LiveTurn};
use crate::error::Result;
use crate::model::{Actor, ApprovalState, ConversationId, Form, Origin, Progress, Reply, TurnId};

pub const SURFACE: &str = "console";
/// Who sits at the console, unless a script says otherwise.
pub const OPERATOR: &str = "operator";
/// Where plain lines are said.
pub const GENERAL: &str = "general";
/// Events that may wait for a slow reader; the work then waits too.
const WAITING: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Json,
    Plain,
    Terminal,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Console(Arc<Inner>);

struct Inner {
    mode: Mode,
    /// `None` ends the output.
    events: mpsc::Sender<Option<Event>>,
    /// The turns that are not shown to their end yet.
    turns: Mutex<HashMap<TurnId, Shown>>,
    /// Something changed that a waiting input may wait for.
    changed: Notify,
    attended: AtomicBool,
    has_forms: AtomicBool,
}

#[derive(Clone)]
struct Shown {
    live: LiveTurn,
    conversation: ConversationId,
    ended: watch::Sender<bool>,
}

impl Console {
    /// A console that shows its events on standard output. The receiver resolves when nothing more can be written there.
    pub fn start(mode: Mode) -> (Self, Output) {
        let (console, events) = Self::new(mode);
        (console, Output::start(mode, events))
    }

    /// A console on the terminal, with what is typed there.
    pub fn terminal(setup: Setup) -> (Self, Output, mpsc::Receiver<Line>) {
        let (console, events) = Self::new(Mode::Terminal);
        let closed = tokio_util::sync::CancellationToken::new();
        let (thread, lines) = terminal::start(setup, events, closed.clone());
        (console, Output { thread, closed, mode: Mode::Terminal }, lines)
    }

    fn new(mode: Mode) -> (Self, mpsc::Receiver<Option<Event>>) {
        let (events, waiting) = mpsc::channel(WAITING);
        let console = Self(Arc::new(Inner {
            mode,
            events,
            turns: Mutex::default(),
            changed: Notify::new(),
            attended: AtomicBool::new(true),
            has_forms: AtomicBool::new(mode != Mode::Plain),
        }));
        (console, waiting)
    }

    pub async fn emit(&self, event: Event) {
        let _ = self.0.events.send(Some(event)).await;
    }

    /// The first line: the store is true now, inputs are taken.
    pub async fn ready(&self, version: &'static str) {
        self.emit(Event::Ready { version }).await;
    }

    /// Nothing more can be answered here.
    pub fn close_input(&self) {
        self.no_more_forms();
        self.leave();
    }

    /// Ends the output once what is known of each turn is shown, but no later than after `patience`. What still waits for its
    /// answer is known at the next start.
    pub async fn finish(&self, patience: std::time::Duration) {
        let all = async {
            while let Some(mut ended) =
                self.turns(|t| t.values().find(|s| s.live.read(|t| t.state.is_last())).map(|s| s.ended.subscribe()))
            {
                let _ = ended.wait_for(|e| *e).await;
            }
        };
        let _ = tokio::time::timeout(patience, all).await;
        let _ = tokio::time::timeout(patience, self.0.events.send(None)).await;
    }

    fn turns<T>(&self, look: impl FnOnce(&mut HashMap<TurnId, Shown>) -> T) -> T {
        look(&mut self.0.turns.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns once the turn's last state has been shown.
    async fn shown(&self, turn: TurnId) {
        let ended = self.turns(|t| t.get(&turn).map(|s| s.ended.subscribe()));
        if let Some(mut ended) = ended {
            let _ = ended.wait_for(|e| *e).await;
        }
    }

    /// Returns once no turn is left that is not shown to its end.
    async fn all_shown(&self) {
        loop {
            let next = self.turns(|t| t.values().next().map(|s| s.ended.subscribe()));
            match next {
                Some(mut ended) => drop(ended.wait_for(|e| *e).await),
                None => return,
            }
        }
    }

    /// Whether an approval is open in a conversation.
    fn wants_approval(&self, conversation: &ConversationId) -> bool {
        self.turns(|turns| {
            turns
                .values()
                .filter(|s| s.conversation == *conversation)
                .any(|s| s.live.read(|t| t.approvals.iter().any(|a| a.state == ApprovalState::Open)))
        })
    }

    fn no_more_forms(&self) {
        self.0.has_forms.store(false, Ordering::Relaxed);
    }

    fn leave(&self) {
        self.0.attended.store(false, Ordering::Relaxed);
    }
}

fn actor(user: &str) -> Arc<Actor> {
    Arc::new(Actor { surface: SURFACE.into(), id: user.into(), name: user.into(), groups: Vec::new() })
}

/// Who sits at the console.
pub fn operator() -> Arc<Actor> {
    actor(OPERATOR)
}

/// The operator, or somebody whom a script plays.
fn origin(user: Option<&str>, conversation: &str, input: &str) -> Origin {
    Origin {
        actor: actor(user.unwrap_or(OPERATOR)),
        conversation: ConversationId(format!("{SURFACE}:{conversation}")),
        input: Some(input.into()),
    }
}

/// As scripts know it: without surface and thread.
fn conversation(id: &ConversationId) -> String {
    let name = id.0.strip_prefix(SURFACE).and_then(|n| n.strip_prefix(':')).unwrap_or(&id.0);
    name.split('#').next().unwrap_or(name).to_owned()
}

#[async_trait]
impl Chat for Console {
    fn surface(&self) -> &'static str {
        SURFACE
    }

    async fn reply(&self, to: &Origin, reply: Reply) {
        let (id, conversation) = (to.input.clone(), conversation(&to.conversation));
        for file in &reply.files {
            self.emit(Event::file(id.clone(), conversation.clone(), file)).await;
        }
        self.emit(Event::Reply { id, conversation, notice: reply.notice, text: reply.text, data: reply.data }).await;
    }

    async fn progress(&self, to: &Origin, step: Progress) {
        let (id, conversation) = (to.input.clone(), conversation(&to.conversation));
        self.emit(Event::Progress { id, conversation, step: step.step, state: step.state, text: step.text }).await;
    }

    async fn note(&self, to: &ConversationId, text: String) {
        self.emit(Event::Note { conversation: conversation(to), turn: None, text }).await;
    }

    async fn open_thread(&self, _to: &Origin, _message: &str, _free: bool) -> Result<Option<ConversationId>> {
        Ok(None)
    }

    fn has_forms(&self) -> bool {
        self.0.has_forms.load(Ordering::Relaxed)
    }

    fn attended(&self) -> bool {
        self.0.attended.load(Ordering::Relaxed)
    }

    fn show_turn(&self, live: LiveTurn) {
        let (id, conversation) = live.read(|t| (t.id, t.origin.conversation.clone()));
        let shown = Shown { live: live.clone(), conversation, ended: watch::Sender::new(false) };
        self.turns(|t| t.insert(id, shown.clone()));
        let console = self.clone();
        tokio::spawn(async move {
            show::turn(&console, live).await;
            console.turns(|t| t.remove(&id));
            shown.ended.send_replace(true);
            console.0.changed.notify_one();
        });
    }

    async fn form(&self, to: &Origin, form: &Form) {
        self.emit(Event::form(to.input.clone(), conversation(&to.conversation), form)).await;
    }
}

/// The writer of standard output: a thread, so that a slow reader never blocks the async threads.
pub struct Output {
    mode: Mode,
    thread: std::thread::JoinHandle<()>,
    pub closed: tokio_util::sync::CancellationToken,
}

impl Output {
    fn start(mode: Mode, events: mpsc::Receiver<Option<Event>>) -> Self {
        let closed = tokio_util::sync::CancellationToken::new();
        let told = closed.clone();
        let thread = std::thread::spawn(move || {
            let out = std::io::stdout().lock();
            let ended = match mode {
                Mode::Json => write_all(events, json::Json, out),
                Mode::Plain | Mode::Terminal => write_all(events, plain::Plain::default(), out),
            };
            if ended.is_err() {
                told.cancel();
            }
        });
        Self { mode, thread, closed }
    }

    /// Waits until everything is written, but no longer than `patience`: a reader that reads no more must not hold the end up.
    pub fn finish(self, patience: std::time::Duration) {
        let end = std::time::Instant::now() + patience;
        while !self.thread.is_finished() && std::time::Instant::now() < end {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        if self.mode == Mode::Terminal && !self.thread.is_finished() {
            terminal::restore();
        }
    }
}

/// How events look.
trait Screen {
    fn show(&mut self, event: Event, out: &mut Vec<u8>);
}

fn write_all(
    mut events: mpsc::Receiver<Option<Event>>,
    mut screen: impl Screen,
    mut out: impl std::io::Write,
) -> std::io::Result<()> {
    /// Written at once, before looking for more.
    const CHUNK: usize = 64 * 1024;
    let mut bytes = Vec::new();
    let mut ended = false;
    while let (false, Some(Some(first))) = (ended, events.blocking_recv()) {
        screen.show(first, &mut bytes);
        while bytes.len() < CHUNK {
            match events.try_recv() {
                Ok(Some(event)) => screen.show(event, &mut bytes),
                Ok(None) => {
                    ended = true;
                    break;
                }
                Err(_) => break,
            }
        }
        out.write_all(&bytes)?;
        out.flush()?;
        bytes.clear();
        bytes.shrink_to(CHUNK);
    }
    Ok(())
}
