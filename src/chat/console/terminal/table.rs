//! Tables with aligned columns; too wide ones are wrapped within their cells, or told row by row.

use super::inline::inline;
use super::text::{Break, Cell, Row, Style, Wrapped, width, wrap};

/// No column is made narrower.
const NARROWEST: usize = 6;
const BETWEEN: &str = " │ ";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Centre,
    Right,
}

/// The lines of a table. What is none is shown line by line.
pub fn render(lines: &[String], base: Style, columns: usize) -> Vec<Row> {
    let Some(aligns) = lines.get(1).and_then(|line| delimiter(line)) else {
        let plain =
            lines.iter().flat_map(|line| wrap(&inline(line, 0, base), columns, &Row::default(), &Row::default(), Break::Words));
        return plain.map(|w| w.row).collect();
    };
    let header = Style { bold: true, ..base };
    let mut table: Vec<Vec<Vec<Cell>>> = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate().filter(|(at, _)| *at != 1) {
        let style = if at == 0 { header } else { base };
        table.push(split(line).into_iter().map(|cell| inline(&cell, 0, style)).collect());
    }
    let count = table.iter().map(Vec::len).max().unwrap_or(0);
    let natural: Vec<usize> =
        (0..count).map(|c| table.iter().filter_map(|row| row.get(c)).map(|cell| wide(cell)).max().unwrap_or(0)).collect();
    let free = columns.saturating_sub(BETWEEN.chars().count() * count.saturating_sub(1));
    match fit(&natural, free) {
        Some(widths) => aligned(&table, &widths, &aligns, base),
        None => told(&table, base, columns),
    }
}

fn wide(cell: &[Cell]) -> usize {
    cell.iter().map(|c| width(c.c)).sum()
}

/// The widest columns give way first.
fn fit(natural: &[usize], free: usize) -> Option<Vec<usize>> {
    let sum = |most: usize| natural.iter().map(|w| (*w).min(most)).sum::<usize>();
    let most = (NARROWEST..=free.max(NARROWEST)).rev().find(|most| sum(*most) <= free)?;
    Some(natural.iter().map(|w| (*w).min(most)).collect())
}

fn aligned(table: &[Vec<Vec<Cell>>], widths: &[usize], aligns: &[Align], base: Style) -> Vec<Row> {
    let dim = Style { dim: true, ..base };
    let none = Row::default();
    let mut rows = Vec::new();
    for (at, line) in table.iter().enumerate() {
        let cells: Vec<Vec<Wrapped>> = widths
            .iter()
            .enumerate()
            .map(|(c, width)| wrap(line.get(c).map_or(&[], Vec::as_slice), (*width).max(1), &none, &none, Break::Words))
            .collect();
        let high = cells.iter().map(Vec::len).max().unwrap_or(0);
        for y in 0..high {
            let mut row = Row::default();
            for (c, cell) in cells.iter().enumerate() {
                if c > 0 {
                    row.push(BETWEEN, dim);
                }
                let text = cell.get(y).map(|w| &w.row).unwrap_or(&none);
                let pad = widths[c].saturating_sub(text.width());
                let before = match aligns.get(c).copied().unwrap_or(Align::Left) {
                    Align::Left => 0,
                    Align::Centre => pad / 2,
                    Align::Right => pad,
                };
                row.push(&" ".repeat(before), base);
                row.0.extend(&text.0);
                if c + 1 < cells.len() {
                    row.push(&" ".repeat(pad - before), base);
                }
            }
            rows.push(row);
        }
        if at == 0 {
            let bars: Vec<String> = widths.iter().map(|w| "─".repeat(*w)).collect();
            rows.push(Row::new(&bars.join("─┼─"), dim));
        }
    }
    rows
}

/// `header: value`, for tables that no width would hold.
fn told(table: &[Vec<Vec<Cell>>], base: Style, columns: usize) -> Vec<Row> {
    let Some((header, lines)) = table.split_first() else { return Vec::new() };
    let mut rows = Vec::new();
    let rest = Row::new("  ", base);
    let lines = if lines.is_empty() { table } else { lines };
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            rows.push(Row::default());
        }
        for (c, cell) in line.iter().enumerate() {
            let mut cells = header.get(c).cloned().unwrap_or_default();
            cells.extend(inline(": ", 0, base));
            cells.extend(cell);
            rows.extend(wrap(&cells, columns, &Row::default(), &rest, Break::Words).into_iter().map(|w| w.row));
        }
    }
    rows
}

/// The cells of a line; `\|` belongs to its cell.
fn split(line: &str) -> Vec<String> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let mut cells = vec![String::new()];
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'|') => cells.last_mut().into_iter().for_each(|cell| cell.push('|')),
            '|' => cells.push(String::new()),
            c => cells.last_mut().into_iter().for_each(|cell| cell.push(c)),
        }
        if c == '\\' && chars.peek() == Some(&'|') {
            chars.next();
        }
    }
    if cells.last().is_some_and(|last| last.trim().is_empty()) && cells.len() > 1 {
        cells.pop();
    }
    cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
}

fn delimiter(line: &str) -> Option<Vec<Align>> {
    split(line)
        .iter()
        .map(|cell| {
            let bars = cell.trim_start_matches(':').trim_end_matches(':');
            let valid = !bars.is_empty() && bars.bytes().all(|b| b == b'-');
            valid.then(|| match (cell.starts_with(':'), cell.ends_with(':')) {
                (true, true) => Align::Centre,
                (false, true) => Align::Right,
                _ => Align::Left,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, columns: usize) -> String {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        render(&lines, Style::PLAIN, columns).iter().map(Row::text).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn wide_tables_wrap_in_their_cells() {
        let text = "| name | what it is |\n|---|---|\n| a\\|b | a rather long description of it |\n| c |";
        assert_eq!(
            shown(text, 24),
            "name │ what it is\n─────┼──────────────────\na|b  │ a rather long\n     │ description of it\nc    │ "
        );
    }

    #[test]
    fn tables_that_fit_nowhere_are_told() {
        let header: String = (0..10).map(|n| format!("| header{n} ")).collect();
        let rule = "|---".repeat(10);
        let row: String = (0..10).map(|n| format!("| value {n} ")).collect();
        let text = shown(&format!("{header}|\n{rule}|\n{row}|"), 20);
        assert!(text.starts_with("header0: value 0\nheader1: value 1\n"), "{text}");
    }

    #[test]
    fn what_is_no_table_stands() {
        assert_eq!(shown("| a | b\nno", 20), "| a | b\nno");
    }
}
