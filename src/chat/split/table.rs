//! Tables as columns that stand under each other, for letters of one width. Knows nothing of what stands around them.

use pulldown_cmark::Alignment;
use unicode_width::UnicodeWidthStr as _;

/// The rows, the first one being the head. Short rows are filled up.
pub fn aligned(rows: &[Vec<String>], alignments: &[Alignment]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| rows.iter().filter_map(|row| row.get(c)).map(|cell| cell.width()).max().unwrap_or(0).max(1))
        .collect();
    let mut out = String::new();
    for (at, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (c, width) in widths.iter().enumerate() {
            let cell = row.get(c).map_or("", String::as_str);
            let gap = width - cell.width();
            let left = match alignments.get(c) {
                Some(Alignment::Right) => gap,
                Some(Alignment::Center) => gap / 2,
                _ => 0,
            };
            if c > 0 {
                line.push_str("  ");
            }
            line.extend(std::iter::repeat_n(' ', left));
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', gap - left));
        }
        out.push_str(line.trim_end());
        out.push('\n');
        if at == 0 {
            let rule: Vec<String> = widths.iter().map(|w| "-".repeat(*w)).collect();
            out.push_str(&rule.join("  "));
            out.push('\n');
        }
    }
    out
}

/// Whether a line can be a row of a table: we know only those that begin with a bar.
pub fn is_row(line: &str) -> bool {
    let text = line.trim_start_matches(' ');
    line.len() - text.len() <= 3 && text.starts_with('|')
}

/// Whether a whole line is the rule under a table's head: `|---|:-:|`.
pub fn is_rule(line: &str) -> bool {
    let text = line.trim();
    let cells = text.trim_matches('|').split('|');
    is_row(line)
        && text.len() > 1
        && cells.map(str::trim).all(|cell| {
            let dashes = cell.strip_prefix(':').unwrap_or(cell);
            let dashes = dashes.strip_suffix(':').unwrap_or(dashes);
            !dashes.is_empty() && dashes.bytes().all(|b| b == b'-')
        })
}

/// A row's cells as they are written.
pub fn cells(line: &str) -> Vec<&str> {
    let text = line.trim();
    let text = text.strip_prefix('|').unwrap_or(text);
    let (mut cells, mut from, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if c == '|' && !escaped {
            cells.push(text[from..at].trim());
            from = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    if !text[from..].trim().is_empty() {
        cells.push(text[from..].trim());
    }
    cells
}

/// Whether two lines begin a table.
pub fn begins(head: &str, rule: &str) -> bool {
    is_row(head) && is_rule(rule) && cells(head).len() == cells(rule).len()
}
