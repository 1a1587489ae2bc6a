//! The line that is typed while something runs: shown below what runs, sent with Enter. Knows no event.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::complete::{self, Names};
use super::editor::SIGN;
use super::text::{Break, Colour, Row, Style, cells, lines, wrap};

#[derive(Default)]
pub struct Typing {
    pub text: String,
    /// What Tab found to choose from.
    choices: Vec<String>,
}

/// What a key asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Act {
    Nothing,
    Send(String),
    /// Stop what runs, or leave.
    Interrupt,
    /// No more will be typed.
    End,
}

impl Typing {
    pub fn key(&mut self, key: KeyEvent, names: &dyn Names) -> Act {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        self.choices.clear();
        match key.code {
            KeyCode::Char('c') if control => return Act::Interrupt,
            KeyCode::Char('d') if control && self.text.is_empty() => return Act::End,
            KeyCode::Char('u') if control => self.text.clear(),
            KeyCode::Char('w') if control => {
                let kept = self.text.trim_end().rfind(char::is_whitespace).map_or(0, |at| at + 1);
                self.text.truncate(kept);
            }
            KeyCode::Enter if key.modifiers.contains(KeyModifiers::ALT) => self.text.push('\n'),
            KeyCode::Enter => return Act::Send(std::mem::take(&mut self.text)),
            KeyCode::Tab => (self.text, self.choices) = complete::line(&self.text, names),
            KeyCode::Esc => self.text.clear(),
            KeyCode::Backspace => drop(self.text.pop()),
            KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => self.text.push(c),
            _ => {}
        }
        Act::Nothing
    }

    pub fn paste(&mut self, text: &str) {
        self.text.push_str(&text.replace("\r\n", "\n").replace('\r', "\n"));
    }

    /// The line, or `hint` while there is none.
    pub fn live(&self, hint: &str, columns: usize) -> (Vec<Row>, (usize, usize)) {
        let mut rows = Vec::new();
        if !self.choices.is_empty() {
            rows = lines(&self.choices.join("  "), Style::DIM, columns, &Row::new("  ", Style::PLAIN), Break::Words);
        }
        let mut typed = echo(&self.text, columns);
        let cursor = (rows.len() + typed.len() - 1, typed.last().map_or(0, Row::width));
        if self.text.is_empty()
            && let Some(first) = typed.first_mut()
        {
            let free = columns.saturating_sub(first.width());
            first.push(&hint.chars().take(free).collect::<String>(), Style::DIM);
        }
        rows.extend(typed);
        (rows, cursor)
    }
}

/// A typed line as it stands on the screen.
pub fn echo(text: &str, columns: usize) -> Vec<Row> {
    let (sign, rest) = (Row::new(SIGN, Style::of(Colour::Green)), Row::new("  ", Style::PLAIN));
    let mut rows = Vec::new();
    for (at, line) in text.split('\n').enumerate() {
        let first = if at == 0 { &sign } else { &rest };
        rows.extend(wrap(&cells(line, Style::PLAIN), columns, first, &rest, Break::Anywhere).into_iter().map(|w| w.row));
    }
    rows
}
