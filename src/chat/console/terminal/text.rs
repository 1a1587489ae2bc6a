//! Styled rows of a known width, and how they are written.
//!
//! Invariant: whatever is in a row, [`Row::paint`] writes no control character but those of its own styles.

use unicode_width::UnicodeWidthChar as _;

use super::clean;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Red,
    Yellow,
    Green,
    Cyan,
    Blue,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    pub bold: bool,
    pub dim: bool,
    pub italic: bool,
    pub underline: bool,
    pub strike: bool,
    pub colour: Option<Colour>,
}

impl Style {
    pub const PLAIN: Style = Style { bold: false, dim: false, italic: false, underline: false, strike: false, colour: None };
    pub const DIM: Style = Style { dim: true, ..Style::PLAIN };
    pub const BOLD: Style = Style { bold: true, ..Style::PLAIN };

    pub const fn of(colour: Colour) -> Style {
        Style { colour: Some(colour), ..Style::PLAIN }
    }

    fn codes(self, out: &mut String) {
        let colour = self.colour.map(|c| match c {
            Colour::Red => "31",
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Blue => "34",
            Colour::Cyan => "36",
        });
        let all = [
            self.bold.then_some("1"),
            self.dim.then_some("2"),
            self.italic.then_some("3"),
            self.underline.then_some("4"),
            self.strike.then_some("9"),
            colour,
        ];
        out.push_str("\x1b[0");
        for code in all.into_iter().flatten() {
            out.push(';');
            out.push_str(code);
        }
        out.push('m');
    }
}

/// A character with the end of what it was written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    pub c: char,
    pub style: Style,
    pub end: usize,
}

pub fn width(c: char) -> usize {
    c.width().unwrap_or(0)
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row(pub Vec<(char, Style)>);

impl Row {
    pub fn new(text: &str, style: Style) -> Self {
        let mut row = Row::default();
        row.push(text, style);
        row
    }

    pub fn push(&mut self, text: &str, style: Style) {
        self.0.extend(text.chars().map(|c| (clean::visible(c), style)));
    }

    pub fn width(&self) -> usize {
        self.0.iter().map(|(c, _)| width(*c)).sum()
    }

    /// Appends the row as it goes to the terminal.
    pub fn paint(&self, colours: bool, out: &mut String) {
        let mut now = Style::PLAIN;
        for (c, style) in &self.0 {
            if colours && *style != now {
                style.codes(out);
                now = *style;
            }
            out.push(clean::visible(*c));
        }
        if now != Style::PLAIN {
            out.push_str("\x1b[0m");
        }
    }

    #[cfg(test)]
    pub fn text(&self) -> String {
        self.0.iter().map(|(c, _)| c).collect()
    }
}

/// Where a row may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// At spaces, where there are some.
    Words,
    Anywhere,
}

/// A row, and where its source ends.
#[derive(Debug)]
pub struct Wrapped {
    pub row: Row,
    pub end: usize,
}

/// Lays cells out in rows, the first one after `first`, the others after `rest`. Gives at least one row.
pub fn wrap(cells: &[Cell], columns: usize, first: &Row, rest: &Row, at: Break) -> Vec<Wrapped> {
    let mut rows: Vec<Wrapped> = Vec::new();
    let (mut start, mut i, mut used, mut words, mut space) = (0, 0, 0, false, None);
    let emit = |rows: &mut Vec<Wrapped>, from: usize, to: usize, next: usize| {
        let mut row = if rows.is_empty() { first.clone() } else { rest.clone() };
        row.0.extend(cells[from..to].iter().map(|cell| (cell.c, cell.style)));
        let end = next.checked_sub(1).and_then(|last| cells.get(last)).map_or(0, |cell| cell.end);
        rows.push(Wrapped { row, end });
    };
    while i < cells.len() {
        let before = if rows.is_empty() { first } else { rest };
        let free = columns.saturating_sub(before.width()).max(4);
        let wide = width(cells[i].c);
        if used + wide > free && i > start {
            let (to, next) = match space {
                _ if at == Break::Words && cells[i].c == ' ' => (i, i + 1),
                Some(space) if at == Break::Words => (space, space + 1),
                _ => (i, i),
            };
            emit(&mut rows, start, to, next);
            (start, i, used, words, space) = (next, next, 0, false, None);
            continue;
        }
        match cells[i].c {
            ' ' if words => space = Some(i),
            ' ' => {}
            _ => words = true,
        }
        used += wide;
        i += 1;
    }
    if start < cells.len() || rows.is_empty() {
        emit(&mut rows, start, cells.len(), cells.len());
    }
    rows
}

/// The cells of text that is shown as it stands.
pub fn cells(text: &str, style: Style) -> Vec<Cell> {
    let mut cells = Vec::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        put(&mut cells, c, style, at + c.len_utf8());
    }
    cells
}

/// Appends a character whose source ends at `end`.
pub fn put(cells: &mut Vec<Cell>, c: char, style: Style, end: usize) {
    match c {
        '\t' => cells.extend([Cell { c: ' ', style, end }; 4]),
        c => cells.push(Cell { c: clean::visible(c), style, end }),
    }
}

/// Text as it stands, line by line, each after `before`.
pub fn lines(text: &str, style: Style, columns: usize, before: &Row, at: Break) -> Vec<Row> {
    let wrapped = text.lines().flat_map(|line| wrap(&cells(line, style), columns, before, before, at));
    wrapped.map(|w| w.row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, columns: usize, at: Break) -> Vec<String> {
        lines(text, Style::PLAIN, columns, &Row::default(), at).iter().map(Row::text).collect()
    }

    #[test]
    fn breaks_at_words_and_loses_nothing() {
        assert_eq!(rows("one two three", 8, Break::Words), ["one two", "three"]);
        assert_eq!(rows("one two", 7, Break::Words), ["one two"]);
        assert_eq!(rows("abcdefghijkl", 5, Break::Words), ["abcde", "fghij", "kl"]);
        assert_eq!(rows("a b c d", 4, Break::Anywhere), ["a b ", "c d"]);
        assert_eq!(rows("日本語日本", 4, Break::Words), ["日本", "語日", "本"]);
        assert_eq!(rows("", 4, Break::Words), [""; 0]);
    }

    #[test]
    fn paints_no_control_character_but_its_own() {
        let mut out = String::new();
        Row(vec![('\x1b', Style::BOLD), ('x', Style::PLAIN)]).paint(true, &mut out);
        assert_eq!(out, "\x1b[0;1m␛\x1b[0mx");
        out.clear();
        Row(vec![('\u{9b}', Style::BOLD)]).paint(false, &mut out);
        assert_eq!(out, "\u{fffd}");
    }
}
