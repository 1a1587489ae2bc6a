//! What the JSON door promises, and each line held against it.

use serde_json::Value;

use super::{Input, SECRET, Said, Seen, State};

const LAST: [&str; 4] = ["done", "stopped", "interrupted", "failed"];

impl State {
    pub(super) fn begin(&mut self) {
        self.run += 1;
        self.keys = 0;
        self.lines = 0;
        self.over = false;
        self.terminating = false;
    }

    /// The events of this run.
    pub fn of_run(&self) -> impl DoubleEndedIterator<Item = &Value> {
        self.events.iter().filter(|e| e.run == self.run).map(|e| &e.event)
    }

    pub fn said(&self, at: usize) -> Option<Said> {
        let input = &self.inputs[at];
        let events = self.events.iter().filter(|e| e.input == Some(at) && e.run == input.run).map(|e| e.event.clone()).collect();
        Some(Said { shown: input.shown.clone(), events, ok: input.ended? })
    }

    /// Everything as it came, for the message of a failure.
    pub fn log(&self) -> String {
        let mut text = String::new();
        for input in &self.inputs {
            text += &format!("< {} {:?} {:?} {} -> {:?}\n", input.run, input.id, input.user, input.shown, input.ended);
        }
        for seen in &self.events {
            text += &format!("> {} {}\n", seen.run, seen.event);
        }
        text + "stderr: " + &self.stderr
    }

    pub(super) fn complain(&mut self, line: &str) {
        self.stderr += line;
        if line.contains("panicked") || line.contains("incident") {
            self.faults.push(format!("on standard error: {line}"));
        }
        if line.contains(SECRET) {
            self.faults.push("a secret is on standard error".into());
        }
    }

    /// One line of standard output.
    pub(super) fn take(&mut self, line: &[u8]) {
        self.lines += 1;
        if !line.ends_with(b"\n") {
            // Only a killed program may leave half a line.
            return;
        }
        let text = String::from_utf8_lossy(line).into_owned();
        if text.contains(SECRET) {
            self.faults.push(format!("a secret was told: {text}"));
        }
        let Ok(event @ Value::Object(_)) = serde_json::from_slice::<Value>(line) else {
            self.faults.push(format!("no JSON object: {text}"));
            return;
        };
        let before = self.faults.len();
        let input = self.judge(&event);
        for fault in &mut self.faults[before..] {
            *fault = format!("{fault}: {}", text.trim_end());
        }
        self.events.push(Seen { run: self.run, event, input });
    }

    fn fault(&mut self, what: &str) {
        self.faults.push(what.to_owned());
    }

    /// Holds an event against the promises of the door; returns the input that it belongs to.
    fn judge(&mut self, event: &Value) -> Option<usize> {
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        if (self.lines == 1) != (kind == "ready") {
            self.fault("`ready` is the first line and no other");
        }
        const KEYS: [(&str, &[&str]); 12] = [
            ("ready", &["version"]),
            ("reply", &["id", "conversation", "notice", "text", "data"]),
            ("progress", &["id", "step", "state", "text"]),
            ("turn", &["id", "conversation", "turn", "state"]),
            ("text", &["conversation", "turn", "text"]),
            ("tool", &["conversation", "turn"]),
            ("note", &["conversation", "turn", "text"]),
            ("approval", &["approval", "conversation", "turn", "tool", "arguments", "expires"]),
            ("approval_ended", &["approval", "conversation", "turn", "state"]),
            ("form", &["form", "id", "conversation", "title", "confirm", "fields"]),
            ("file", &["name", "bytes"]),
            ("end", &["id", "ok"]),
        ];
        match KEYS.iter().find(|(known, _)| *known == kind) {
            None => self.fault("an unknown type"),
            Some((_, keys)) => {
                for key in *keys {
                    if event.get(key).is_none() {
                        self.fault(&format!("no `{key}`"));
                    }
                }
            }
        }
        if let Some(turn) = event["turn"].as_str() {
            return self.judge_turn(&kind, turn, event);
        }
        let input = self.input_of(&kind, event);
        if kind == "end" {
            let ok = event["ok"].as_bool();
            match input {
                None => self.fault("the end of no input"),
                Some(at) => {
                    let open = self.turns.values().any(|t| t.input == Some(at) && t.last.is_none());
                    if open && !self.terminating {
                        self.fault("the end comes before the last state of its turn");
                    }
                    self.inputs[at].ended = ok;
                }
            }
        } else if kind != "ready" {
            self.judge_place(input, event);
        }
        input
    }

    /// The open input that the event names.
    fn input_of(&mut self, kind: &str, event: &Value) -> Option<usize> {
        if kind == "ready" {
            return None;
        }
        let id = event["id"].as_str();
        let named = |i: &Input| i.run == self.run && i.id.as_deref() == id;
        let found = self.inputs.iter().position(|i| named(i) && i.ended.is_none());
        if found.is_none() && (id.is_some() || kind == "end") {
            self.fault("its input has ended already, or never was");
        }
        found
    }

    fn judge_place(&mut self, input: Option<usize>, event: &Value) {
        if let (Some(at), Some(place)) = (input, event["conversation"].as_str())
            && self.inputs[at].conversation != place
        {
            self.fault("another conversation than its input's");
        }
    }

    fn judge_turn(&mut self, kind: &str, id: &str, event: &Value) -> Option<usize> {
        let run = self.run;
        let mut turn = self.turns.get(id).cloned().unwrap_or_default();
        let fresh = turn.run != run;
        if fresh {
            if kind != "turn" {
                self.fault("a turn's first event is no `turn`");
            }
            if turn.run == 0 {
                turn.conversation = event["conversation"].as_str().unwrap_or_default().to_owned();
                turn.session = event["session"].as_str().unwrap_or_default().to_owned();
                if event["id"].is_null() {
                    // Told for the first time after a restart: its message is one of an earlier run.
                } else {
                    turn.input = self.input_of(kind, event);
                    self.judge_place(turn.input, event);
                }
            }
            turn.run = run;
            turn.text.clear();
            turn.approvals.clear();
        }
        if turn.last.is_some() {
            self.fault("a turn goes on after its last state");
        }
        if event["conversation"] != turn.conversation.as_str() {
            self.fault("a turn changed its conversation");
        }
        match kind {
            "turn" => {
                if !fresh || turn.run != run {
                    let id = turn.input.filter(|at| self.inputs[*at].run == run).and_then(|at| self.inputs[at].id.clone());
                    if event["id"].as_str() != id.as_deref() {
                        self.fault("a turn names another input than before");
                    }
                }
                if event["session"] != turn.session.as_str() {
                    self.fault("a turn changed its session");
                }
                let state = event["state"].as_str().unwrap_or_default();
                if LAST.contains(&state) {
                    if event["text"] != turn.text.as_str() {
                        self.fault(&format!("the joined texts are {:?}", turn.text));
                    }
                    if event.get("tools").is_none() || event.get("usage").is_none() {
                        self.fault("a last state without tools and usage");
                    }
                    if matches!(state, "interrupted" | "failed") && event["reason"].as_str().is_none_or(str::is_empty) {
                        self.fault("no reason");
                    }
                    if turn.approvals.values().any(|open| *open) {
                        self.fault("an approval is still open");
                    }
                    turn.last = Some(event.clone());
                } else if state == "waiting" {
                    if event["reason"].as_str().is_none_or(str::is_empty) {
                        self.fault("waiting without a reason");
                    }
                } else if state != "working" {
                    self.fault("an unknown state");
                }
            }
            "text" => {
                let text = event["text"].as_str().unwrap_or_default();
                if text.is_empty() {
                    self.fault("an empty text");
                }
                turn.text += text;
            }
            "approval" => {
                let approval = event["approval"].as_str().unwrap_or_default().to_owned();
                turn.approvals.insert(approval, true);
            }
            "approval_ended" => {
                let approval = event["approval"].as_str().unwrap_or_default().to_owned();
                if turn.approvals.insert(approval, false) != Some(true) {
                    self.fault("an approval ended that was not open");
                }
            }
            _ => {}
        }
        let input = turn.input;
        self.turns.insert(id.to_owned(), turn);
        input
    }
}
