//! How much room Markdown takes once it is shown, at most.
//!
//! Invariant: a longer text never takes less. So it is no measurement of what is shown, which a closing sign can make shorter, but
//! the sum of what each sign can become.

use unicode_width::UnicodeWidthChar as _;

use super::table;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Bytes of what Slack shows: every sign may become several.
    #[default]
    Slack,
    /// Letters of the Markdown itself.
    Letters,
}

#[derive(Debug, Clone, Default)]
pub struct Meter {
    unit: Unit,
    fixed: usize,
    /// The end of the last line, which counts once something follows.
    owed: usize,
    /// Lines that may be a table.
    bars: Option<Bars>,
}

#[derive(Debug, Clone, Default)]
struct Bars {
    lines: usize,
    content: usize,
    widths: Vec<usize>,
}

impl Bars {
    fn total(&self) -> usize {
        match self.lines {
            1 => self.content,
            lines => self.content + lines * (self.widths.iter().sum::<usize>() + 3 * self.widths.len()) + 16,
        }
    }
}

impl Meter {
    pub fn of(unit: Unit) -> Self {
        Self { unit, ..Self::default() }
    }

    pub fn total(&self) -> usize {
        self.fixed + self.bars.as_ref().map_or(0, Bars::total)
    }

    /// With one more line, which may still be going on.
    pub fn with(&self, line: &str, code: bool) -> Self {
        let mut next = self.clone();
        next.fixed += std::mem::take(&mut next.owed);
        if self.unit == Unit::Letters {
            next.fixed += line.chars().map(char::len_utf16).sum::<usize>();
            next.owed = 1;
            return next;
        }
        let content = line.chars().map(|c| sign(c, code, self.unit)).sum::<usize>() + indentation(line, code);
        // Tables without a bar in front, in quotes and deep in lists are such, too.
        if !code && line.contains('|') {
            let bars = next.bars.get_or_insert_default();
            bars.lines += 1;
            bars.content += content;
            for (at, cell) in table::cells(line).into_iter().enumerate() {
                if bars.widths.len() <= at {
                    bars.widths.resize(at + 1, 1);
                }
                bars.widths[at] = bars.widths[at].max(columns(cell));
            }
        } else {
            next.end_bars();
            next.fixed += content;
        }
        // Formatting that goes on over the end of a line is ended and begun anew, and quotes and lists have their signs again.
        next.owed = if code { 1 } else { 8 };
        next
    }

    /// What is there before the first sign of a line.
    pub fn before(&self, line: &str, code: bool) -> usize {
        self.total() + self.owed + if self.unit == Unit::Letters { 0 } else { indentation(line, code) }
    }

    /// With an empty line.
    pub fn blank(mut self) -> Self {
        self.end_bars();
        self.owed += 1;
        self
    }

    fn end_bars(&mut self) {
        if let Some(bars) = self.bars.take() {
            self.fixed += bars.total();
        }
    }
}

/// An indentation can become a list's, or the borders of code.
fn indentation(line: &str, code: bool) -> usize {
    if code { 0 } else { line.len() - line.trim_start_matches(' ').len() }
}

fn columns(cell: &str) -> usize {
    // The selector of colourful pictures makes the sign before it wide.
    cell.chars().map(|c| if c == '\u{fe0f}' { 1 } else { c.width().unwrap_or(0) }).sum()
}

/// What one sign can become.
pub fn sign(c: char, code: bool, unit: Unit) -> usize {
    match c {
        c if unit == Unit::Letters => c.len_utf16(),
        '&' => 5,
        '<' => 4,
        '`' => 4,
        '>' if code => 4,
        c if code => c.len_utf8(),
        '>' => 7,
        '*' | '_' | '~' | '@' | '\t' => 4,
        '-' | '+' | ':' | '|' | '\0' => 3,
        c => c.len_utf8(),
    }
}
