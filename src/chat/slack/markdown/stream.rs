//! Markdown for Slack's own streams, which read standard Markdown but no tables.
//!
//! Invariant: what is shown of a text begins with what was shown of its beginning. So a line that may belong to a table is held back
//! until that is decided; nothing else is.

use std::borrow::Cow;

use super::{single_table, table};
use crate::chat::slack::text::quiet;
use crate::chat::split::Fence;

/// `done`: nothing follows any more, so nothing is held back.
pub fn streamed(md: &str, done: bool) -> Cow<'_, str> {
    if !md.contains('|') {
        let end = if done { md.len() } else { md.len() - held(md) };
        return quiet(&md[..end]);
    }
    let mut out = String::with_capacity(md.len() + 64);
    let mut fence: Option<Fence> = None;
    // Where the rows that wait began.
    let mut run: Option<Run> = None;
    let mut at = 0;
    for line in md.split_inclusive('\n') {
        let from = at;
        at += line.len();
        let whole = line.ends_with('\n');
        if fence.is_none() && (table::is_row(line) || (!whole && is_blank(line))) {
            match &mut run {
                None => run = Some(Run { from, lines: 1, table: false }),
                Some(run) => run.lines += 1,
            }
            if let Some(waiting) = &mut run
                && waiting.lines == 2
                && whole
            {
                waiting.table = table::begins(&md[waiting.from..from], line);
                if !waiting.table {
                    // Only the last two lines can still begin one.
                    out.push_str(&md[waiting.from..from]);
                    *waiting = Run { from, lines: 1, table: false };
                }
            }
            continue;
        }
        if let Some(run) = run.take() {
            run.show(&md[..from], &mut out);
        }
        out.push_str(line);
        if whole {
            fence = match fence {
                Some(fence) if fence.is_closed_by(line) => None,
                Some(fence) => Some(fence),
                None => Fence::opened(line.trim_end_matches(['\n', '\r'])),
            };
        }
    }
    if let Some(run) = run.filter(|_| done) {
        run.show(md, &mut out);
    }
    Cow::Owned(quiet(&out).into_owned())
}

fn is_blank(line: &str) -> bool {
    line.len() <= 3 && line.bytes().all(|b| b == b' ')
}

/// How much of the end may be the indentation of a row.
fn held(md: &str) -> usize {
    let last = md.rsplit('\n').next().unwrap_or(md);
    if is_blank(last) { last.len() } else { 0 }
}

/// Lines that begin with a bar.
struct Run {
    from: usize,
    lines: usize,
    table: bool,
}

impl Run {
    fn show(&self, md: &str, out: &mut String) {
        let source = &md[self.from..];
        // A last line of the text has no end yet, so nothing has looked at it as a rule.
        let is_table =
            self.table || source.split_once('\n').is_some_and(|(head, rule)| self.lines == 2 && table::begins(head, rule));
        match is_table.then(|| single_table(source)).flatten() {
            Some(columns) => {
                out.push_str("```\n");
                out.push_str(&columns);
                out.push_str("```\n");
            }
            None => out.push_str(source),
        }
    }
}
