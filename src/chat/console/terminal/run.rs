//! The terminal's thread: takes in what there is to show, and reads at the prompt or key by key.

use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use crossterm::event::{Event as Key, KeyEventKind};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::input::Line;
use super::complete::Names;
use super::editor::{Editor, Typed, With};
use super::text::{Break, Row, Style, lines};
use super::typing::Typing;
use super::view::View;
use super::{AT_ONCE, Input, Setup, clean, live, markdown};

/// What is done by then needs no line to type into meanwhile.
const SOON: Duration = Duration::from_millis(200);
/// How long keys are waited for before looking for something to show.
const FRAME: Duration = Duration::from_millis(16);
pub struct Terminal {
    welcome: String,
    pub(super) names: Arc<dyn Names>,
    wake: Arc<AtomicBool>,
    told: std_mpsc::Receiver<Input>,
    /// `None`: no more is typed.
    pub(super) lines: Option<mpsc::Sender<Line>>,
    /// What the door has no room for yet.
    pub(super) outbox: VecDeque<Line>,
    pub(super) leaving: bool,
    pub(super) closed: CancellationToken,
    live: live::Live,
    pub(super) view: View,
    pub(super) typing: Typing,
    pub(super) editor: Editor,
    /// Whether the prompt works here; without it, everything is typed as while something runs.
    prompt: bool,
    /// Rows that stay and are not written yet.
    pub(super) rows: Vec<Row>,
    pub(super) interrupted: Option<Instant>,
    /// Since when something has been running.
    busy: Option<Instant>,
    pub(super) number: u64,
    finished: bool,
}

impl Terminal {
    pub fn new(
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
            // Reedline draws on standard error.
            prompt: std::io::stderr().is_terminal(),
            rows: Vec::new(),
            interrupted: None,
            busy: None,
            number: 0,
            finished: false,
        }
    }

    pub fn run(mut self) -> std::io::Result<()> {
        live::raw()?;
        while !self.finished {
            self.wake.store(false, Ordering::Release);
            let told = self.take_in();
            self.pump();
            let idle = self.view.idle() && self.outbox.is_empty() && !self.leaving;
            if idle && self.prompt && !self.finished {
                let rows = std::mem::take(&mut self.rows);
                self.live.update(&rows, Vec::new(), None)?;
                self.busy = None;
                self.read_line()?;
            } else {
                self.busy.get_or_insert_with(Instant::now);
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
                    self.rows.extend(lines(&clean::uncoloured(&text), Style::DIM, columns, &Row::default(), Break::Words));
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
    pub(super) fn pump(&mut self) {
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
        drawn.extend(self.view.question().and_then(|(_, approval)| approval.choice()));
        let mut cursor = None;
        let answering = self.view.answering().is_some();
        let late = self.busy.is_some_and(|since| since.elapsed() >= SOON);
        if !self.leaving && (answering || late || !self.typing.text.is_empty()) {
            let hint = match answering {
                true => "Ctrl-C stops it; what you type is sent with Enter",
                false if self.prompt => "under way; what you type is sent with Enter",
                false => "",
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
}
