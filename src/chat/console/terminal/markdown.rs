//! Markdown as rows, line by line, so that it can be shown while it grows. Each line stands for itself; a table waits for its end.
//!
//! Invariant: no character of the source is lost but marks that became style.

use super::inline::inline;
use super::table;
use super::text::{Break, Cell, Colour, Row, Style, Wrapped, cells, put, wrap};

/// Rows of a growing line that are still drawn anew: what stands above them is final.
const GROWING: usize = 6;
const LAST_LINES: usize = 60;

/// Text that grows.
#[derive(Debug, Default)]
pub struct Markdown {
    base: Style,
    /// The line that is not ended yet.
    line: String,
    /// What precedes further rows of the line, if its beginning is final already.
    going_on: Option<Row>,
    fence: Option<(char, usize)>,
    table: Vec<String>,
}

struct Block {
    first: Row,
    rest: Row,
    cells: Vec<Cell>,
    at: Break,
}

impl Block {
    fn plain(cells: Vec<Cell>, at: Break) -> Self {
        Self { first: Row::default(), rest: Row::default(), cells, at }
    }

    fn rows(&self, columns: usize) -> Vec<Wrapped> {
        wrap(&self.cells, columns, &self.first, &self.rest, self.at)
    }
}

/// A whole text.
pub fn render(text: &str, base: Style, columns: usize) -> Vec<Row> {
    let mut markdown = Markdown { base, ..Markdown::default() };
    let mut rows = markdown.push(text, columns);
    rows.extend(markdown.finish(columns));
    rows
}

impl Markdown {
    /// Adds text and gives the rows that are final now.
    pub fn push(&mut self, text: &str, columns: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        for part in text.split_inclusive('\n') {
            self.line.push_str(part);
            if part.ends_with('\n') {
                self.end_line(columns, &mut rows);
            }
        }
        if self.line.len() > columns * GROWING && !is_table(&self.line) {
            self.settle(columns, &mut rows);
        }
        rows
    }

    /// What is not final yet.
    pub fn growing(&self, columns: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        // Of a long table only its last lines are in sight anyway.
        let from = self.table.len().saturating_sub(LAST_LINES);
        if !self.table.is_empty() {
            rows = table::render(&self.table[from..], self.base, columns);
        }
        if !self.line.is_empty() {
            rows.extend(self.block(&self.line).rows(columns).into_iter().map(|w| w.row));
        }
        rows
    }

    /// Everything that was not final yet.
    pub fn finish(&mut self, columns: usize) -> Vec<Row> {
        let rows = self.pause(columns);
        self.fence = None;
        rows
    }

    /// Ends the line, for something else stands below it.
    pub fn pause(&mut self, columns: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        if !self.line.is_empty() {
            self.end_line(columns, &mut rows);
        }
        self.end_table(columns, &mut rows);
        rows
    }

    fn end_line(&mut self, columns: usize, rows: &mut Vec<Row>) {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix('\n').unwrap_or(&line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if self.fence.is_none() && self.going_on.is_none() && is_table(line) {
            self.table.push(line.to_owned());
            return;
        }
        self.end_table(columns, rows);
        if self.going_on.is_none() && self.turn_fence(line, rows) {
            return;
        }
        if !(line.is_empty() && self.going_on.is_some()) {
            rows.extend(self.block(line).rows(columns).into_iter().map(|w| w.row));
        }
        self.going_on = None;
    }

    fn end_table(&mut self, columns: usize, rows: &mut Vec<Row>) {
        if !self.table.is_empty() {
            rows.extend(table::render(&std::mem::take(&mut self.table), self.base, columns));
        }
    }

    /// Makes all rows of the growing line final but the last.
    fn settle(&mut self, columns: usize, rows: &mut Vec<Row>) {
        let block = self.block(&self.line);
        let mut wrapped = block.rows(columns);
        if wrapped.len() <= GROWING || fence(&self.line).is_some() {
            return;
        }
        self.end_table(columns, rows);
        wrapped.pop();
        let end = wrapped.last().map_or(0, |w| w.end);
        rows.extend(wrapped.into_iter().map(|w| w.row));
        self.line.drain(..end);
        self.going_on = Some(block.rest);
    }

    /// Whether the line begins or ends a block of code.
    fn turn_fence(&mut self, line: &str, rows: &mut Vec<Row>) -> bool {
        match (self.fence, fence(line)) {
            (None, Some((mark, n, info))) => {
                self.fence = Some((mark, n));
                if !info.is_empty() {
                    rows.push(Row::new(&format!("  {info}"), Style { dim: true, ..self.base }));
                }
                true
            }
            (Some((mark, n)), Some((other, m, ""))) if mark == other && m >= n => {
                self.fence = None;
                true
            }
            _ => false,
        }
    }

    fn block(&self, line: &str) -> Block {
        let base = self.base;
        if self.fence.is_some() {
            let margin = self.going_on.clone().unwrap_or_else(|| Row::new("  ", base));
            let cells = cells(line, Style { colour: Some(Colour::Cyan), ..base });
            return Block { first: margin.clone(), rest: margin, cells, at: Break::Anywhere };
        }
        if let Some(rest) = &self.going_on {
            return Block { first: rest.clone(), rest: rest.clone(), cells: inline(line, 0, base), at: Break::Words };
        }
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if let Some((level, start)) = heading(text) {
            let colour = if level <= 2 { Some(Colour::Blue) } else { base.colour };
            let text = text[start..].trim_end();
            return Block::plain(inline(text, indent + start, Style { bold: true, colour, ..base }), Break::Words);
        }
        if is_rule(text) {
            let end = line.len();
            let cells = (0..24).map(|_| Cell { c: '─', style: Style { dim: true, ..base }, end }).collect();
            return Block::plain(cells, Break::Anywhere);
        }
        self.prefixed(line, indent)
    }

    /// Quotes and list items: what stands before the text stands before each of its rows.
    fn prefixed(&self, line: &str, indent: usize) -> Block {
        let base = self.base;
        let mut at = 0;
        let mut first = Row::default();
        if line[indent..].starts_with('>') {
            while let Some(rest) = line[at..].trim_start().strip_prefix('>') {
                at = line.len() - rest.len();
                first.push("│ ", Style { dim: true, ..base });
            }
            at += usize::from(line[at..].starts_with(' '));
            let text = inline(&line[at..], at, Style { italic: true, ..base });
            return Block { rest: first.clone(), first, cells: text, at: Break::Words };
        }
        let mut margin = Vec::new();
        for (i, c) in line[..indent].char_indices() {
            put(&mut margin, c, base, i + c.len_utf8());
        }
        first.0.extend(margin.iter().map(|cell| (cell.c, cell.style)));
        at += indent;
        let mut rest = first.clone();
        if let Some((mark, n)) = item(&line[at..]) {
            at += n;
            let task = [("[ ] ", "☐ "), ("[x] ", "☑ "), ("[X] ", "☑ ")].into_iter().find(|(src, _)| line[at..].starts_with(src));
            let mark = task.map_or(mark, |(src, shown)| {
                at += src.len();
                shown.to_owned()
            });
            first.push(&mark, base);
            let wide = first.width();
            rest = Row::new(&" ".repeat(wide), base);
        }
        Block { first, rest, cells: inline(&line[at..], at, base), at: Break::Words }
    }
}

fn is_table(line: &str) -> bool {
    line.trim_start().starts_with('|')
}

/// The mark of a code block's border, how often it stands there, and what follows.
fn fence(line: &str) -> Option<(char, usize, &str)> {
    let text = line.trim_start();
    let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let n = text.chars().take_while(|c| *c == mark).count();
    let info = text[n..].trim();
    (n >= 3 && !info.contains('`')).then_some((mark, n, info))
}

fn heading(text: &str) -> Option<(usize, usize)> {
    let level = text.bytes().take_while(|b| *b == b'#').count();
    ((1..=6).contains(&level) && text[level..].starts_with(' ')).then_some((level, level + 1))
}

fn is_rule(text: &str) -> bool {
    let text = text.trim_end();
    ['-', '*', '_']
        .into_iter()
        .any(|mark| text.len() >= 3 && text.chars().all(|c| c == mark || c == ' ') && text.matches(mark).count() >= 3)
}

/// A list item's mark as it is shown, and how many bytes it takes in the source.
fn item(text: &str) -> Option<(String, usize)> {
    if text.starts_with(['-', '*', '+']) && text[1..].starts_with(' ') {
        return Some(("• ".to_owned(), 2));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let numbered = (1..=9).contains(&digits) && text[digits..].starts_with(['.', ')']) && text[digits + 1..].starts_with(' ');
    numbered.then(|| (text[..digits + 2].to_owned(), digits + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, columns: usize) -> String {
        render(text, Style::PLAIN, columns).iter().map(Row::text).collect::<Vec<_>>().join("\n")
    }

    const SAMPLE: &str = "# Title\n\nA **bold** word and `code`, and a line that is long enough to be wrapped.\n\n- one\n- two that goes on over \
        more than one row\n  1. inner\n- [x] done\n\n> quoted **words** that are also wrapped at the end of the row\n\n```rust\nfn main() { \
        let long = \"code is never wrapped at words\"; }\n```\n\n| name | count |\n|---|--:|\n| a | 1 |\n| bcd | 22 |\n\n---\nend";

    #[test]
    fn looks_like_this() {
        insta::assert_snapshot!(shown(SAMPLE, 40), @r#"
        Title

        A bold word and code, and a line that is
        long enough to be wrapped.

        • one
        • two that goes on over more than one
          row
          1. inner
        ☑ done

        │ quoted words that are also wrapped at
        │ the end of the row

          rust
          fn main() { let long = "code is never 
          wrapped at words"; }

        name │ count
        ─────┼──────
        a    │     1
        bcd  │    22

        ────────────────────────
        end
        "#);
    }

    #[test]
    fn grows_to_the_same_whatever_the_pieces_are() {
        let whole = shown(SAMPLE, 40);
        for size in [1, 2, 3, 7, 50] {
            let mut markdown = Markdown::default();
            let mut rows = Vec::new();
            let chars: Vec<char> = SAMPLE.chars().collect();
            for piece in chars.chunks(size) {
                rows.extend(markdown.push(&piece.iter().collect::<String>(), 40));
                markdown.growing(40);
            }
            rows.extend(markdown.finish(40));
            assert_eq!(rows.iter().map(Row::text).collect::<Vec<_>>().join("\n"), whole, "pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_end_becomes_final_row_by_row() {
        let words: Vec<String> = (1..=5000).map(|n| format!("w{n}")).collect();
        let mut markdown = Markdown::default();
        let mut rows = Vec::new();
        for word in &words {
            rows.extend(markdown.push(&format!("{word} "), 40));
            assert!(markdown.growing(40).len() <= GROWING + 2);
        }
        rows.extend(markdown.finish(40));
        let said: Vec<String> =
            rows.iter().flat_map(|r| r.text().split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
        assert_eq!(said, words);
        assert!(rows.iter().all(|r| r.width() <= 40));
    }

    #[test]
    fn escape_sequences_are_only_seen() {
        let text = shown("a \x1b[2J **b\x1b]0;t\x07** `\x1b[H`\n```\n\x1b[31m\r\n```\n| \x1b[A |\n|---|\n# \x1bc", 80);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        assert!(text.contains("a ␛[2J b␛]0;t␇ ␛[H"), "{text}");
    }
}
