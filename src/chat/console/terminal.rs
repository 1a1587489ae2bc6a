//! A person's screen and keyboard. While nothing runs, reedline edits a line at a prompt; while something does, what is under way
//! is drawn below what stays, and keys are read one by one.
//!
//! Invariant: one thread owns the terminal, and gives it back as it was, however it ends. What others wrote reaches it only as
//! [`text::Row`]s, which hold no control characters. Orders nothing: what is typed goes to the door.

mod ask;
mod clean;
mod complete;
mod editor;
mod files;
mod history;
mod inline;
mod live;
mod log;
mod markdown;
mod table;
mod text;
mod typing;
mod view;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Once};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossterm::event::{Event as Key, KeyEvent, KeyEventKind};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use complete::Names;
pub use log::Log;

use super::input::{Line, Request, What};
use super::{Event, GENERAL};
use ask::Filled;
use editor::{Editor, Typed, With};
use text::{Break, Colour, Row, Style};
use typing::{Act, Typing};
use view::View;

/// A second Ctrl-C within this time leaves.
const TWICE: Duration = Duration::from_secs(2);
/// How long keys are waited for before looking for something to show.
const FRAME: Duration = Duration::from_millis(16);
/// Inputs that are taken in before they are drawn.
const AT_ONCE: usize = 1000;
const THREAD: &str = "terminal";

/// What the composition root knows and a surface does not.
pub struct Setup {
    /// Where typed lines are kept.
    pub history: PathBuf,
    pub names: Arc<dyn Names>,
    /// Markdown, shown once everything is ready.
    pub welcome: String,
}

/// What the terminal's thread is told.
enum Input {
    Event(Event),
    Log(String),
    Finish,
}

/// Tells the thread something, and has it look.
#[derive(Clone)]
struct Bell {
    inputs: std_mpsc::SyncSender<Input>,
    wake: Arc<AtomicBool>,
}

impl Bell {
    fn ring(&self, input: Input) -> bool {
        let told = self.inputs.send(input).is_ok();
        self.wake.store(true, Ordering::Release);
        told
    }

    fn try_ring(&self, input: Input) -> bool {
        let told = self.inputs.try_send(input).is_ok();
        self.wake.store(true, Ordering::Release);
        told
    }
}

/// Shows `events` and gives what is typed. `closed` is cancelled when the terminal is left without waiting for what runs.
pub fn start(
    setup: Setup,
    mut events: mpsc::Receiver<Option<Event>>,
    closed: CancellationToken,
) -> (JoinHandle<()>, mpsc::Receiver<Line>) {
    let (inputs, told) = std_mpsc::sync_channel(AT_ONCE);
    let (lines, typed) = mpsc::channel(64);
    let bell = Bell { inputs, wake: Arc::default() };
    restore_on_panic();
    let wake = bell.wake.clone();
    log::attach(Some(bell.clone()));
    std::thread::spawn(move || {
        while let Some(Some(event)) = events.blocking_recv() {
            if !bell.ring(Input::Event(event)) {
                return;
            }
        }
        bell.ring(Input::Finish);
    });
    let thread = std::thread::Builder::new().name(THREAD.to_owned()).spawn(move || {
        let _guard = Guard(closed.clone());
        let _ = Terminal::new(setup, wake, told, lines, closed).run();
    });
    // Without a thread nothing at all could be shown: the guard in it has ended the program's run already.
    (thread.unwrap_or_else(|_| std::thread::spawn(|| {})), typed)
}

/// Gives the terminal back and ends the program's run, however the thread ends.
struct Guard(CancellationToken);

impl Drop for Guard {
    fn drop(&mut self) {
        log::attach(None);
        live::restore();
        self.0.cancel();
    }
}

pub fn restore() {
    live::restore();
}

/// A panic that ends the program leaves a usable terminal; one that does not is told as any other line of the log.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if matches!(std::thread::current().name(), Some(THREAD | "main")) {
                log::attach(None);
                live::restore();
                before(info);
            } else {
                tracing::error!("{info}");
            }
        }));
    });
}

struct Terminal {
    welcome: String,
    names: Arc<dyn Names>,
    wake: Arc<AtomicBool>,
    told: std_mpsc::Receiver<Input>,
    /// `None`: no more is typed.
    lines: Option<mpsc::Sender<Line>>,
    /// What the door has no room for yet.
    outbox: VecDeque<Line>,
    leaving: bool,
    closed: CancellationToken,
    live: live::Live,
    view: View,
    typing: Typing,
    editor: Editor,
    /// Whether the prompt works here; without it, everything is typed as while something runs.
    prompt: bool,
    /// Rows that stay and are not written yet.
    rows: Vec<Row>,
    interrupted: Option<Instant>,
    number: u64,
    finished: bool,
}

impl Terminal {
    fn new(
        setup: Setup,
        wake: Arc<AtomicBool>,
        told: std_mpsc::Receiver<Input>,
        lines: mpsc::Sender<Line>,
        closed: CancellationToken,
    ) -> Self {
        let colours = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let with = With { history: setup.history, names: setup.names.clone(), wake: wake.clone(), colours };
        Self {
            welcome: setup.welcome,
            names: setup.names,
            wake,
            told,
            lines: Some(lines),
            outbox: VecDeque::new(),
            leaving: false,
            closed,
            live: live::Live::new(colours),
            view: View::default(),
            typing: Typing::default(),
            editor: Editor::new(with),
            prompt: true,
            rows: Vec::new(),
            interrupted: None,
            number: 0,
            finished: false,
        }
    }

    fn run(mut self) -> std::io::Result<()> {
        live::raw()?;
        while !self.finished {
            self.wake.store(false, Ordering::Release);
            let told = self.take_in();
            self.pump();
            let idle = self.view.idle() && self.outbox.is_empty() && !self.leaving;
            if idle && self.prompt && !self.finished {
                let rows = std::mem::take(&mut self.rows);
                self.live.update(&rows, Vec::new(), None)?;
                self.read_line()?;
            } else {
                self.draw()?;
                self.read_keys(if told { Duration::ZERO } else { FRAME })?;
            }
        }
        let rows = std::mem::take(&mut self.rows);
        self.live.update(&rows, Vec::new(), None)
    }

    /// Takes in what there is to show.
    fn take_in(&mut self) -> bool {
        let columns = live::columns();
        for n in 0..AT_ONCE {
            match self.told.try_recv() {
                Ok(Input::Event(event)) => {
                    let was_ready = self.view.ready;
                    let rows = self.view.show(event, columns);
                    self.rows.extend(rows);
                    if self.view.ready && !was_ready {
                        self.rows.extend(markdown::render(&self.welcome, Style::PLAIN, columns));
                    }
                }
                Ok(Input::Log(text)) => {
                    self.view.pause(columns, &mut self.rows);
                    self.rows.extend(text::lines(&clean::uncoloured(&text), Style::DIM, columns, &Row::default(), Break::Words));
                }
                Err(std_mpsc::TryRecvError::Empty) => return n > 0,
                Ok(Input::Finish) | Err(std_mpsc::TryRecvError::Disconnected) => {
                    self.view.pause(columns, &mut self.rows);
                    self.finished = true;
                    return true;
                }
            }
        }
        true
    }

    /// Hands on what was typed, as far as there is room.
    fn pump(&mut self) {
        while let (Some(lines), Some(line)) = (&self.lines, self.outbox.pop_front()) {
            match lines.try_send(line) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(line)) => {
                    self.outbox.push_front(line);
                    return;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => self.leaving = true,
            }
        }
        if self.leaving {
            self.lines = None;
        }
    }

    fn draw(&mut self) -> std::io::Result<()> {
        let columns = live::columns();
        let rows = std::mem::take(&mut self.rows);
        if !self.view.ready {
            return self.live.update(&rows, Vec::new(), None);
        }
        let mut drawn = self.view.live(columns);
        if let Some(form) = self.view.forms.front() {
            let (form, cursor) = form.live(columns);
            let cursor = cursor.map(|(row, column)| (row + drawn.len(), column));
            drawn.extend(form);
            return self.live.update(&rows, drawn, cursor);
        }
        drawn.extend(self.view.approvals.front().and_then(ask::Approval::choice));
        let mut cursor = None;
        if !self.leaving {
            let hint = match self.view.answering() {
                Some(_) => "Ctrl-C stops it; what you type is sent with Enter",
                None => "",
            };
            let (typed, at) = self.typing.live(hint, columns);
            cursor = Some((at.0 + drawn.len(), at.1));
            drawn.extend(typed);
        }
        self.live.update(&rows, drawn, cursor)
    }

    /// Waits at the prompt for a line, or for something to show.
    fn read_line(&mut self) -> std::io::Result<()> {
        let begun = std::mem::take(&mut self.typing.text);
        let read = self.editor.read(&begun);
        live::raw()?;
        match read {
            Ok(Typed::Line(line)) => self.say(&line),
            Ok(Typed::Broken(line)) => self.typing.text = line,
            Ok(Typed::Interrupted { empty: true }) | Ok(Typed::End) => self.leave(),
            Ok(Typed::Interrupted { empty: false }) => {}
            Err(_) => {
                self.prompt = false;
                self.typing.text = begun;
            }
        }
        Ok(())
    }

    fn read_keys(&mut self, wait: Duration) -> std::io::Result<()> {
        let mut wait = wait;
        while crossterm::event::poll(wait)? {
            wait = Duration::ZERO;
            match crossterm::event::read()? {
                Key::Key(key) if key.kind != KeyEventKind::Release => {
                    self.key(key);
                    // The prompt reads the rest.
                    if !self.outbox.is_empty() {
                        return Ok(());
                    }
                }
                Key::Paste(text) => match self.view.forms.front_mut() {
                    Some(form) => form.paste(&text),
                    None => self.typing.paste(&text),
                },
                Key::Resize(..) => self.live.resized(),
                _ => {}
            }
        }
        Ok(())
    }

    fn key(&mut self, key: KeyEvent) {
        if let Some(form) = self.view.forms.front_mut() {
            match form.key(key) {
                Filled::Open => {}
                Filled::Said(row) => self.rows.push(row),
                Filled::Done(what, row) => {
                    self.rows.push(row);
                    self.view.forms.pop_front();
                    self.ask(what, "");
                }
            }
            return;
        }
        if self.typing.text.is_empty()
            && let (crossterm::event::KeyCode::Char(c), true) = (key.code, key.modifiers.is_empty())
            && let Some(command) = self.view.approvals.front().and_then(|a| a.command(c))
        {
            self.view.approvals.pop_front();
            self.ask(What::Say(command.clone()), &command);
            return;
        }
        match self.typing.key(key, &*self.names) {
            Act::Nothing => {}
            Act::Send(line) => {
                self.rows.extend(typing::echo(&line, live::columns()));
                self.editor.remember(&line);
                self.say(&line);
            }
            Act::Interrupt => self.interrupt(),
            Act::End => {
                self.note("Leaving once what runs is done; Ctrl-C twice leaves at once.");
                self.leave();
            }
        }
    }

    fn say(&mut self, line: &str) {
        if !line.trim().is_empty() {
            self.ask(What::Say(line.to_owned()), line);
        }
    }

    fn ask(&mut self, what: What, shown: &str) {
        if self.lines.is_none() {
            return;
        }
        self.number += 1;
        let id = format!("c{}", self.number);
        self.view.inputs.push((id.clone(), shown.to_owned()));
        let request = Request { id: Some(id), conversation: GENERAL.to_owned(), user: None, what, sequential: false };
        self.outbox.push_back(Line::Request(request));
    }

    fn interrupt(&mut self) {
        let twice = self.interrupted.is_some_and(|at| at.elapsed() < TWICE);
        self.interrupted = Some(Instant::now());
        if twice {
            self.note("Leaving.");
            self.leave();
            self.closed.cancel();
        } else if let Some(session) = self.view.answering() {
            let command = format!("/session stop {session}");
            self.ask(What::Say(command.clone()), &command);
        } else if self.view.idle() {
            self.leave();
        } else {
            self.note("This cannot be stopped here. Ctrl-C again leaves; what was asked for goes on as far as it can.");
        }
    }

    fn note(&mut self, text: &str) {
        let columns = live::columns();
        self.view.pause(columns, &mut self.rows);
        self.rows.extend(text::lines(text, Style::of(Colour::Yellow), columns, &Row::default(), Break::Words));
    }

    /// The end of the input.
    fn leave(&mut self) {
        self.leaving = true;
        self.pump();
    }
}
