//! How single things look: a tool's line, a step, a reply, a decision.

use std::fmt::Write as _;
use std::time::Duration;

use super::text::{Break, Cell, Colour, Row, Style, wrap};
use super::{clean, markdown};
use crate::model::{ApprovalState, Notice};

pub fn tool_row(tool: &str, title: &str) -> Row {
    let mut row = Row::new("▸ ", Style::of(Colour::Cyan));
    row.push(&clean::line(tool), Style::BOLD);
    row.push(": ", Style::PLAIN);
    row.push(&clean::line(title), Style::PLAIN);
    row.push(" … ", Style::DIM);
    row
}

pub fn running(since: Duration) -> String {
    match since.as_secs() {
        0 => "running".to_owned(),
        seconds => format!("running, {seconds} s"),
    }
}

pub fn fitted(row: Row, columns: usize) -> Vec<Row> {
    let cells: Vec<_> = row.0.iter().map(|(c, style)| Cell { c: *c, style: *style, end: 0 }).collect();
    let wrapped = wrap(&cells, columns, &Row::default(), &Row::new("  ", Style::PLAIN), Break::Words);
    wrapped.into_iter().map(|w| w.row).collect()
}

pub fn marked(mark: &str, text: &str, mark_style: Style, style: Style, columns: usize) -> Vec<Row> {
    let wide = columns.saturating_sub(2).max(8);
    let rows = markdown::render(text, style, wide);
    rows.into_iter()
        .enumerate()
        .map(|(at, row)| {
            let mut whole = if at == 0 { Row::new(mark, mark_style) } else { Row::new("  ", Style::PLAIN) };
            whole.0.extend(row.0);
            whole
        })
        .collect()
}

pub fn reply(notice: Notice, text: &str, columns: usize) -> Vec<Row> {
    match notice {
        Notice::Ok => markdown::render(text, Style::PLAIN, columns),
        Notice::Refused => marked("! ", text, Style::of(Colour::Yellow), Style::of(Colour::Yellow), columns),
        Notice::Failed => marked("✗ ", text, Style::of(Colour::Red), Style::of(Colour::Red), columns),
    }
}

pub fn decided(id: &str, state: &ApprovalState, by: Option<String>, reason: Option<String>, columns: usize) -> Vec<Row> {
    let (mark, said, colour) = match state {
        ApprovalState::Open => return Vec::new(),
        ApprovalState::Allowed => ("✓ ", "allowed", Colour::Green),
        ApprovalState::AllowedAlways => ("✓ ", "always allowed", Colour::Green),
        ApprovalState::Denied => ("✗ ", "denied", Colour::Yellow),
        ApprovalState::Expired => ("✗ ", "expired", Colour::Yellow),
        ApprovalState::Void => ("✗ ", "void", Colour::Yellow),
    };
    let mut text = format!("{id} {said}");
    if let Some(by) = by {
        let _ = write!(text, " by {by}");
    }
    if let Some(reason) = reason {
        let _ = write!(text, ": {reason}");
    }
    marked(mark, &text, Style::of(colour), Style::DIM, columns)
}

/// `1 234 567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 12, 123, 1_234, 12_345, 1_234_567].map(grouped), ["0", "12", "123", "1 234", "12 345", "1 234 567"]);
    }
}
