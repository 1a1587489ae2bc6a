//! The terminal itself: rows that stay, and below them a few that are drawn anew. The only file that writes to it.
//!
//! Invariant: between two calls the cursor is in the drawn rows, or at the beginning of an empty line if there are none.

use std::io::Write as _;

use super::text::{Row, Style};

pub struct Live {
    colours: bool,
    /// The widths of the drawn rows, and where in them the cursor is.
    drawn: Vec<usize>,
    cursor: (usize, usize),
    shown: Vec<Row>,
}

/// Where the cursor goes: row and column in the drawn rows.
pub type Cursor = (usize, usize);

pub fn size() -> (usize, usize) {
    match crossterm::terminal::size() {
        Ok((columns, rows)) if columns > 0 && rows > 0 => (usize::from(columns), usize::from(rows)),
        _ => (80, 24),
    }
}

/// How wide rows may be: the last column stays free, so that no terminal wraps by itself.
pub fn columns() -> usize {
    size().0.saturating_sub(1).max(10)
}

impl Live {
    pub fn new(colours: bool) -> Self {
        Self { colours, drawn: Vec::new(), cursor: (0, 0), shown: Vec::new() }
    }

    /// Writes `rows` for good and draws `live` below them. `None` leaves the cursor at the end.
    pub fn update(&mut self, rows: &[Row], mut live: Vec<Row>, cursor: Option<Cursor>) -> std::io::Result<()> {
        let (_, high) = size();
        // More than the screen could not be drawn anew: the last rows are what matters.
        let hidden = live.len().saturating_sub(high.saturating_sub(1).max(1));
        live.drain(..hidden);
        let end = (live.len().saturating_sub(1), live.last().map_or(0, Row::width));
        let cursor = cursor.and_then(|(row, column)| Some((row.checked_sub(hidden)?, column))).unwrap_or(end);
        if rows.is_empty() && live == self.shown && cursor == self.cursor {
            return Ok(());
        }
        let mut out = String::from("\x1b[?2026h\x1b[?25l");
        self.erase(&mut out);
        for row in rows {
            row.paint(self.colours, &mut out);
            out.push_str("\r\n");
        }
        for (at, row) in live.iter().enumerate() {
            if at > 0 {
                out.push_str("\r\n");
            }
            row.paint(self.colours, &mut out);
        }
        if !live.is_empty() {
            up(live.len() - 1 - cursor.0, &mut out);
            out.push('\r');
            if cursor.1 > 0 {
                out.push_str(&format!("\x1b[{}C", cursor.1));
            }
        }
        out.push_str("\x1b[?25h\x1b[?2026l");
        self.drawn = live.iter().map(Row::width).collect();
        self.cursor = if live.is_empty() { (0, 0) } else { cursor };
        self.shown = live;
        write(&out)
    }

    /// The terminal has another size: what was drawn may stand elsewhere, so it is drawn anew.
    pub fn resized(&mut self) {
        self.shown = vec![Row::new("\u{fffd}", Style::PLAIN)];
    }

    fn erase(&mut self, out: &mut String) {
        if self.drawn.is_empty() {
            return;
        }
        // A terminal that became narrower has wrapped the rows.
        let columns = size().0;
        let above: usize = self.drawn.iter().take(self.cursor.0).map(|wide| wide.div_ceil(columns).max(1)).sum();
        up(above + self.cursor.1 / columns, out);
        out.push_str("\r\x1b[J");
    }
}

fn up(rows: usize, out: &mut String) {
    if rows > 0 {
        out.push_str(&format!("\x1b[{rows}A"));
    }
}

pub fn write(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Takes away what a prompt drew, when the cursor is `rows` below its beginning.
pub fn erase_prompt(rows: usize) -> std::io::Result<()> {
    let mut out = String::new();
    up(rows, &mut out);
    out.push_str("\r\x1b[J");
    write(&out)
}

/// Keys are read one by one, pasted text in one piece.
pub fn raw() -> std::io::Result<()> {
    crossterm::terminal::enable_raw_mode()?;
    write("\x1b[?2004h")
}

/// The terminal as it was found. May be called at any time, and again.
pub fn restore() {
    let _ = write("\x1b[?2004l\x1b[?2026l\x1b[0m\x1b[?25h");
    let _ = crossterm::terminal::disable_raw_mode();
}
