//! A turn as one Markdown text that only grows: its answer, and a line for each tool where that ended.
//!
//! Invariant: what was given once is never changed, only added to.

use crate::model::{ToolLine, ToolState, Turn, clip, words};

#[derive(Debug, Default)]
pub struct Flow {
    /// All of it, so far.
    pub text: String,
    /// Bytes of the answer that are in it.
    at: usize,
    tools: Vec<bool>,
    notes: usize,
}

impl Flow {
    /// Takes in what is new.
    pub fn take(&mut self, turn: &Turn) {
        self.tools.resize(turn.tools.len(), false);
        for (at, line) in turn.tools.iter().enumerate() {
            if self.tools[at] || line.state == ToolState::Running {
                continue;
            }
            self.tools[at] = true;
            if let Some(before) = turn.text.get(self.at..line.at).filter(|t| !t.is_empty()) {
                self.text.push_str(before);
                self.at = line.at;
            }
            // Where the answer went on meanwhile, the line stands at a later place, after whole words.
            self.paragraph();
            self.text.push_str(&tool(line));
            self.text.push_str("\n\n");
        }
        if let Some(new) = turn.text.get(self.at..).filter(|t| !t.is_empty()) {
            self.text.push_str(new);
            self.at = turn.text.len();
        }
        for note in turn.notes.get(self.notes..).unwrap_or_default() {
            self.paragraph();
            self.text.push_str(&format!("> {note}\n\n"));
        }
        self.notes = turn.notes.len();
    }

    fn paragraph(&mut self) {
        if self.text.is_empty() || self.text.ends_with("\n\n") {
            return;
        }
        self.text.push_str(if self.text.ends_with('\n') { "\n" } else { "\n\n" });
    }
}

/// A tool's line as Markdown. Its title is code, so that nothing in it is taken for a format.
fn tool(line: &ToolLine) -> String {
    let end = match line.state {
        ToolState::Running => "",
        ToolState::Done => " ok",
        ToolState::Failed => " failed",
        ToolState::Unknown => " not known how it ended",
    };
    let took = line.took.map(|ms| format!(", {}.{} s", ms / 1_000, ms % 1_000 / 100)).unwrap_or_default();
    let title = clip(&line.title, 300).replace('`', "'");
    let name = words(&line.tool).replace('`', "'");
    let name = if name.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ') { name } else { format!("`{name}`") };
    format!("▸ {name}: `{title}` …{end}{took}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Actor, ConversationId, Message, Origin, PersonId, ProjectId, SessionId, Timestamp, TurnId, TurnState};

    fn turn() -> Turn {
        let actor = Actor { surface: "slack".into(), id: "U1".into(), name: "ann".into(), groups: Vec::new() };
        Turn {
            id: TurnId(1),
            session: SessionId(1),
            project: ProjectId::from("p"),
            origin: Origin { actor: actor.into(), conversation: ConversationId("slack:T1/C1#1.0".into()), input: None },
            message: Message::new(PersonId("slack:U1".into()), "hi"),
            state: TurnState::Working,
            reason: None,
            text: String::new(),
            tools: Vec::new(),
            notes: Vec::new(),
            approvals: Vec::new(),
            usage: None,
            created: Timestamp::UNIX_EPOCH,
            started: None,
            ended: None,
            prompt: None,
            source: None,
            feedback: Vec::new(),
        }
    }

    #[test]
    fn words_and_tools_stand_in_the_order_in_which_they_came() {
        let (mut turn, mut flow) = (turn(), Flow::default());
        turn.text.push_str("Let me look.");
        flow.take(&turn);
        assert_eq!(flow.text, "Let me look.");
        let line = |id: &str, at| ToolLine {
            id: id.into(),
            tool: "shell".into(),
            title: "echo `hi`".into(),
            state: ToolState::Running,
            took: None,
            at,
        };
        turn.tools.push(line("1", 12));
        turn.tools.push(line("2", 12));
        flow.take(&turn);
        assert_eq!(flow.text, "Let me look.", "a tool that runs is no line yet");
        turn.tools[0].state = ToolState::Done;
        turn.tools[0].took = Some(1234);
        turn.text.push_str("Found");
        flow.take(&turn);
        turn.text.push_str(" it.");
        turn.tools[1].state = ToolState::Failed;
        turn.notes.push("compacted".into());
        flow.take(&turn);
        assert_eq!(
            flow.text,
            "Let me look.\n\n▸ shell: `echo 'hi'` … ok, 1.2 s\n\nFound\n\n▸ shell: `echo 'hi'` … failed\n\n it.\n\n> compacted\n\n"
        );
        let before = flow.text.clone();
        flow.take(&turn);
        assert_eq!(flow.text, before, "nothing is given twice");
    }
}
