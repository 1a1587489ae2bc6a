//! What keys and typed lines lead to while something runs. Decides nothing but what is sent to the door.

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent};

use super::super::GENERAL;
use super::super::input::{Line, Request, What};
use super::ask::Filled;
use super::live;
use super::run::Terminal;
use super::text::{Break, Colour, Row, Style, lines};
use super::typing::{self, Act};

/// A second Ctrl-C within this time leaves.
const TWICE: Duration = Duration::from_secs(2);
impl Terminal {
    pub(super) fn key(&mut self, key: KeyEvent) {
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
            && let (KeyCode::Char(c), true) = (key.code, key.modifiers.is_empty())
            && let Some((at, command)) = self.view.question().and_then(|(at, approval)| Some((at, approval.command(c)?)))
        {
            let input = self.ask(What::Say(command.clone()), &command);
            self.view.approvals[at].answered = input;
            return;
        }
        match self.typing.key(key, &*self.names) {
            Act::Nothing => {}
            Act::Send(line) => {
                if !line.trim().is_empty() {
                    self.rows.extend(typing::echo(&line, live::columns()));
                    self.editor.remember(&line);
                }
                self.say(&line);
            }
            Act::Interrupt => self.interrupt(),
            Act::End => {
                self.note("Leaving once what runs is done; Ctrl-C twice leaves at once.");
                self.leave();
            }
        }
    }

    pub(super) fn say(&mut self, line: &str) {
        if !line.trim().is_empty() {
            // The next Ctrl-C is about something else.
            self.interrupted = None;
            self.ask(What::Say(line.to_owned()), line);
        }
    }

    /// Sends it to the door, under an id of its own.
    fn ask(&mut self, what: What, shown: &str) -> Option<String> {
        self.lines.as_ref()?;
        self.number += 1;
        let id = format!("c{}", self.number);
        self.view.inputs.push((id.clone(), shown.to_owned()));
        let request = Request { id: Some(id.clone()), conversation: GENERAL.to_owned(), user: None, what, sequential: false };
        self.outbox.push_back(Line::Request(request));
        Some(id)
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
        self.rows.extend(lines(text, Style::of(Colour::Yellow), columns, &Row::default(), Break::Words));
    }

    /// The end of the input.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
        self.pump();
    }
}
