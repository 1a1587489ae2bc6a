//! What the terminal shows of the events: rows that stay, and what is under way. Writes nothing itself.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::time::Instant;

use super::super::Event;
use super::super::event::TurnEvent;
use super::super::lane::Kind;
use super::ask::{Approval, Form, approval_box};
use super::files;
use super::markdown::Markdown;
use super::rows::{decided, fitted, grouped, marked, reply, running, tool_row};
use super::text::{Break, Colour, Row, Style, lines};
use crate::model::{Notice, StepState, ToolState};

#[derive(Default)]
pub struct View {
    pub ready: bool,
    /// Inputs that have not ended.
    pub inputs: Vec<(String, String)>,
    pub approvals: VecDeque<Approval>,
    pub forms: VecDeque<Form>,
    turns: Vec<Turn>,
    texts: HashMap<String, Markdown>,
    /// Whose text was shown last.
    speaking: Option<String>,
    tools: Vec<Tool>,
    steps: Vec<Step>,
}

struct Turn {
    id: String,
    input: Option<String>,
    session: String,
    state: &'static str,
    reason: Option<String>,
    spoken: bool,
}

struct Tool {
    turn: String,
    tool: String,
    title: String,
    since: Instant,
}

struct Step {
    input: Option<String>,
    step: String,
    text: String,
}

impl View {
    /// Whether nothing is under way: a prompt may be shown.
    pub fn idle(&self) -> bool {
        self.ready && self.inputs.is_empty() && self.turns.is_empty() && self.approvals.is_empty() && self.forms.is_empty()
    }

    /// The approval that keys answer.
    pub fn question(&self) -> Option<(usize, &Approval)> {
        self.approvals.iter().enumerate().find(|(_, a)| a.answered.is_none())
    }

    /// The session of the answer that is being written.
    pub fn answering(&self) -> Option<&str> {
        let speaking = self.turns.iter().find(|t| Some(&t.id) == self.speaking.as_ref());
        speaking.or(self.turns.first()).map(|t| t.session.as_str())
    }

    /// Takes an event in and gives the rows that stay.
    pub fn show(&mut self, event: Event, columns: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        match event {
            Event::Ready { .. } => self.ready = true,
            Event::Text { turn, text, .. } => self.text(turn, &text, columns, &mut rows),
            Event::Turn(turn) => self.turn(*turn, columns, &mut rows),
            Event::Tool { turn, tool, title, state, took_ms, .. } => {
                self.tool(turn, tool, title, state, took_ms, columns, &mut rows)
            }
            Event::Progress { id, step, state, text, .. } => {
                self.steps.retain(|s| !(s.input == id && s.step == step));
                match state {
                    StepState::Running => self.steps.push(Step { input: id, step, text }),
                    StepState::Done => rows.extend(marked("✓ ", &text, Style::of(Colour::Green), Style::PLAIN, columns)),
                    StepState::Failed => {
                        rows.extend(marked("✗ ", &text, Style::of(Colour::Red), Style::of(Colour::Red), columns))
                    }
                }
            }
            Event::Reply { notice, text, .. } => {
                self.pause(columns, &mut rows);
                rows.extend(reply(notice, &text, columns));
            }
            Event::Note { text, .. } => {
                self.pause(columns, &mut rows);
                rows.extend(marked("ℹ ", &text, Style::DIM, Style::DIM, columns));
            }
            Event::Approval { approval, turn, tool, title, arguments, .. } => {
                self.pause(columns, &mut rows);
                rows.extend(approval_box(&approval, &tool, &title, &arguments, columns));
                self.approvals.push_back(Approval { id: approval, turn, since: Instant::now(), answered: None });
            }
            Event::ApprovalEnded { approval, state, by, reason, .. } => {
                self.approvals.retain(|a| a.id != approval);
                rows.extend(decided(&approval, &state, by, reason, columns));
            }
            Event::Form { form, id, title, text, confirm, fields, .. } => {
                if !text.is_empty() {
                    self.pause(columns, &mut rows);
                    rows.extend(reply(Notice::Ok, &text, columns));
                }
                let form = Form::new(id, form, title, confirm, fields);
                rows.extend(form.title(columns));
                self.forms.push_back(form);
            }
            Event::File { name, bytes, .. } => {
                self.pause(columns, &mut rows);
                let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, bytes).unwrap_or_default();
                rows.extend(files::show(&name, &bytes, columns));
            }
            Event::End { id, error, .. } => {
                self.inputs.retain(|(input, _)| Some(input) != id.as_ref());
                self.steps.retain(|s| s.input != id || id.is_none());
                // A form that nobody answered in time, and an answer that was refused.
                self.forms.retain(|f| f.input != id || id.is_none());
                for approval in self.approvals.iter_mut().filter(|a| a.answered == id) {
                    // Its end may be on its way: it is asked again only if that does not come.
                    (approval.answered, approval.since) = (None, Instant::now());
                }
                if let Some(error) = error {
                    rows.extend(reply(Notice::Failed, &error, columns));
                }
            }
        }
        rows
    }

    /// Ends the line that is being written, so that something else can stand below it.
    pub fn pause(&mut self, columns: usize, rows: &mut Vec<Row>) {
        if let Some(text) = self.speaking.take().and_then(|turn| self.texts.get_mut(&turn)) {
            rows.extend(text.pause(columns));
        }
    }

    fn text(&mut self, turn: String, text: &str, columns: usize, rows: &mut Vec<Row>) {
        if self.speaking.as_ref() != Some(&turn) {
            self.pause(columns, rows);
            if self.turns.iter().filter(|t| t.spoken).any(|t| t.id != turn) {
                rows.push(Row::new(&format!("{turn}:"), Style::DIM));
            }
            self.speaking = Some(turn.clone());
        }
        let known = self.turns.iter_mut().find(|t| t.id == turn);
        let first = known.is_some_and(|t| !std::mem::replace(&mut t.spoken, true));
        let text = if first { text.trim_start_matches('\n') } else { text };
        rows.extend(self.texts.entry(turn).or_default().push(text, columns));
    }

    fn turn(&mut self, turn: TurnEvent, columns: usize, rows: &mut Vec<Row>) {
        let TurnEvent { id, turn, session, state, reason, whole, .. } = turn;
        let Some(whole) = whole else {
            match self.turns.iter_mut().find(|t| t.id == turn) {
                Some(known) => (known.state, known.reason) = (state, reason),
                None => self.turns.push(Turn { id: turn, input: id, session, state, reason, spoken: false }),
            }
            return;
        };
        if self.speaking.as_ref() == Some(&turn) {
            self.speaking = None;
        } else {
            self.pause(columns, rows);
        }
        if let Some(mut text) = self.texts.remove(&turn) {
            rows.extend(text.finish(columns));
        }
        self.turns.retain(|t| t.id != turn);
        self.tools.retain(|t| t.turn != turn);
        self.approvals.retain(|a| a.turn != turn);
        let mut said = String::from("—");
        if state != "done" {
            let _ = write!(said, " {state}");
            if let Some(reason) = &reason {
                let _ = write!(said, ": {reason}");
            }
            said.push_str(" —");
        }
        if let Some(tokens) = whole.usage.and_then(|u| u.total_tokens) {
            let _ = write!(said, " {} tokens,", grouped(tokens));
        }
        let _ = write!(said, " {:.1} s", whole.seconds.unwrap_or_default());
        let style = match state {
            "done" => Style::DIM,
            "stopped" => Style::of(Colour::Yellow),
            _ => Style::of(Colour::Red),
        };
        rows.extend(lines(&said, style, columns, &Row::default(), Break::Words));
    }

    #[expect(clippy::too_many_arguments, reason = "an event's parts")]
    fn tool(
        &mut self,
        turn: String,
        tool: String,
        title: String,
        state: ToolState,
        took: Option<u64>,
        columns: usize,
        rows: &mut Vec<Row>,
    ) {
        self.pause(columns, rows);
        let mine = |t: &Tool| t.turn == turn && t.tool == tool;
        let known = self.tools.iter().position(|t| mine(t) && t.title == title).or_else(|| self.tools.iter().position(mine));
        let end = match state {
            ToolState::Running => {
                self.tools.push(Tool { turn, tool, title, since: Instant::now() });
                return;
            }
            ToolState::Done => ("ok", Style::of(Colour::Green)),
            ToolState::Failed => ("failed", Style::of(Colour::Red)),
            ToolState::Unknown => ("not known how it ended", Style::of(Colour::Yellow)),
        };
        if let Some(at) = known {
            self.tools.remove(at);
        }
        let took = took.map(|ms| format!(", {:.1} s", ms as f64 / 1000.0)).unwrap_or_default();
        let mut row = tool_row(&tool, &title);
        row.push(end.0, end.1);
        row.push(&took, Style::DIM);
        rows.push(row);
    }

    /// What is under way.
    pub fn live(&self, columns: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        if let Some(text) = self.speaking.as_ref().and_then(|turn| self.texts.get(turn)) {
            rows.extend(text.growing(columns));
        }
        for tool in &self.tools {
            let mut row = tool_row(&tool.tool, &tool.title);
            row.push(&running(tool.since.elapsed()), Style::DIM);
            rows.extend(fitted(row, columns));
        }
        for step in &self.steps {
            rows.extend(marked("… ", &step.text, Style::DIM, Style::PLAIN, columns));
        }
        for turn in &self.turns {
            let asked = self.approvals.iter().any(|a| a.turn == turn.id);
            let busy = turn.spoken
                || asked
                || self.tools.iter().any(|t| t.turn == turn.id)
                || self.steps.iter().any(|s| s.input == turn.input);
            let said = match (&turn.reason, turn.state) {
                (Some(reason), "waiting") if !asked => match self.input(turn.input.as_ref()) {
                    Some(text) if self.turns.len() > 1 => format!("{}: {reason}", crate::model::clip(text, 40)),
                    _ => reason.clone(),
                },
                _ if !busy => "working".to_owned(),
                _ => continue,
            };
            rows.extend(marked("… ", &said, Style::DIM, Style::DIM, columns));
        }
        if !self.turns.is_empty() {
            let behind = self.inputs.iter().filter(|(_, text)| Kind::of(text) == Kind::Command && !self.opened(text));
            for (_, text) in behind {
                rows.extend(marked(
                    "… ",
                    &format!("{}: waiting for the answer before it", crate::model::clip(text, 40)),
                    Style::DIM,
                    Style::DIM,
                    columns,
                ));
            }
        }
        rows
    }

    fn input(&self, id: Option<&String>) -> Option<&str> {
        self.inputs.iter().find(|(input, _)| Some(input) == id).map(|(_, text)| text.as_str())
    }

    /// Whether an input is what a turn answers.
    fn opened(&self, text: &str) -> bool {
        self.turns.iter().any(|t| self.input(t.input.as_ref()) == Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::event::Whole;
    use super::*;

    #[test]
    fn text_tools_and_the_end_come_in_order() {
        let mut view = View::default();
        let mut rows = Vec::new();
        let place = || ("general".to_owned(), "t1".to_owned());
        let text = |text: &str| {
            let (conversation, turn) = place();
            Event::Text { conversation, turn, text: text.to_owned() }
        };
        let tool = |state, took_ms| {
            let (conversation, turn) = place();
            Event::Tool { conversation, turn, tool: "shell".into(), title: "ls\x1b[A".into(), state, took_ms }
        };
        let turn = |state, whole| {
            let (conversation, turn) = place();
            Event::Turn(Box::new(TurnEvent { id: None, conversation, turn, session: "s1".into(), state, reason: None, whole }))
        };
        rows.extend(view.show(turn("working", None), 40));
        assert_eq!(view.live(40)[0].text(), "… working");
        rows.extend(view.show(text("\n\nLet me **lo"), 40));
        assert!(rows.is_empty());
        assert_eq!(view.live(40)[0].text(), "Let me **lo");
        rows.extend(view.show(text("ok**"), 40));
        rows.extend(view.show(tool(ToolState::Running, None), 40));
        assert_eq!(view.live(40).iter().map(Row::text).collect::<Vec<_>>(), ["▸ shell: ls␛[A … running"]);
        rows.extend(view.show(tool(ToolState::Done, Some(3100)), 40));
        rows.extend(view.show(text("Done."), 40));
        let whole = Whole { text: String::new(), tools: vec![], usage: None, seconds: Some(3.25) };
        rows.extend(view.show(turn("done", Some(whole)), 40));
        let said: Vec<String> = rows.iter().map(Row::text).collect();
        assert_eq!(said, ["Let me look", "▸ shell: ls␛[A … ok, 3.1 s", "Done.", "— 3.2 s"]);
    }
}
