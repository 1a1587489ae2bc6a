//! Long Markdown in pieces that each stand for themselves.
//!
//! Invariant: where a piece ends is decided by nothing behind the first sign that does not fit into it. So while a text grows, all
//! pieces but the last stay as they are, and no message that was ended is touched again. Nothing is lost, and nothing but the
//! borders of code and the heads of tables is repeated.

mod fence;
mod measure;
pub mod table;

pub use fence::Fence;
use measure::Meter;
pub use measure::Unit;

/// Each piece takes at most `most` bytes, as Slack's `mrkdwn` and as a stream's Markdown.
pub fn pieces(md: &str, most: usize) -> Vec<String> {
    pieces_in(md, most, Unit::Slack)
}

/// Each piece takes at most `most` of that unit.
pub fn pieces_in(md: &str, most: usize, unit: Unit) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut place = Place::default();
    let mut rest = md;
    loop {
        if place.fence.is_none() {
            rest = without_blank_lines(rest);
        }
        match piece(rest, &place, most, unit) {
            Taken::Part { text, length, next } => {
                pieces.push(text);
                rest = &rest[length..];
                place = next;
            }
            Taken::Rest(text) => {
                if !rest.trim().is_empty() {
                    pieces.push(text);
                }
                return pieces;
            }
        }
    }
}

fn without_blank_lines(text: &str) -> &str {
    let mut rest = text;
    while let Some((line, after)) = rest.split_once('\n') {
        if !line.trim().is_empty() {
            return rest;
        }
        rest = after;
    }
    rest
}

/// What a piece begins in.
#[derive(Debug, Clone, Default)]
struct Place {
    fence: Option<Fence>,
    /// The head and the rule of the table whose rows go on.
    table: Option<String>,
    list: bool,
    /// Indentation that would make code of what it stood under in the piece before.
    dedent: usize,
}

enum Taken {
    Part { text: String, length: usize, next: Place },
    Rest(String),
}

/// A place where the piece could end.
struct End {
    length: usize,
    shown: usize,
    place: Place,
}

fn piece(md: &str, start: &Place, most: usize, unit: Unit) -> Taken {
    let mut place = start.clone();
    let mut meter = Meter::of(unit);
    let mut out = String::new();
    let opening = place.fence.as_ref().map(Fence::opening).or_else(|| place.table.clone()).unwrap_or_default();
    for line in opening.lines() {
        meter = meter.with(line, place.fence.is_some());
    }
    out.push_str(&opening);
    // Lines that begin with a bar, outside of code.
    let mut bars: Option<(usize, usize)> = start.table.as_ref().map(|_| (0, 2));
    let mut paragraph: Option<End> = None;
    let (mut blank, mut titled) = (false, false);
    let mut at = 0;
    for whole in md.split_inclusive('\n') {
        let code = place.fence.is_some();
        if !code && whole.trim().is_empty() {
            out.push_str(if whole.ends_with('\n') { "\n" } else { "" });
            (blank, bars) = (true, None);
            place.table = None;
            meter = meter.blank();
            at += whole.len();
            continue;
        }
        let indent = whole.len() - whole.trim_start_matches(' ').len();
        if !code && indent < place.dedent {
            place.dedent = 0;
        }
        let line = &whole[indent.min(place.dedent)..];
        let content = line.trim_end_matches(['\n', '\r']);
        let bar = !code && table::is_row(content);
        let measured = meter.with(content, code);
        let opened = if code { None } else { Fence::opened(&whole[..whole.trim_end_matches(['\n', '\r']).len()]) };
        let closing = place.fence.as_ref().map_or_else(|| marks(content), |fence| 4 * fence.marks().len() + 2);
        if measured.total() + closing > most {
            if at == 0 {
                if start.table.is_some() {
                    // A row too long to stand under its head.
                    return piece(md, &Place { table: None, ..start.clone() }, most, unit);
                }
                return cut(
                    md,
                    content,
                    indent.min(place.dedent),
                    out,
                    place,
                    most.saturating_sub(meter.before(content, code) + closing),
                    unit,
                );
            }
            let end = match (bars.filter(|_| bar), paragraph) {
                // Between head and rule there is no table yet.
                (Some((from, 1)), None) if from > 0 => before(md, from, &out, &place),
                (_, Some(end)) => end,
                _ => End { length: at, shown: out.len(), place: place.clone() },
            };
            return ended(md, out, end);
        }
        if blank && !code && !titled && meter.total() * 2 >= most && at > 0 {
            paragraph = Some(End { length: at, shown: out.len(), place: Place { table: None, ..place.clone() } });
        }
        meter = measured;
        out.push_str(line);
        bars = match bars.filter(|_| bar) {
            Some((from, lines)) => {
                if lines == 1 && whole.ends_with('\n') && table::begins(&md[from..at], content) {
                    place.table = Some(md[from..at + whole.len()].to_owned());
                }
                Some((from, lines + 1))
            }
            None => {
                place.table = None;
                bar.then_some((at, 1))
            }
        };
        if code {
            if whole.ends_with('\n') && place.fence.as_ref().is_some_and(|fence| fence.is_closed_by(content)) {
                place.fence = None;
            }
        } else {
            place.list = is_item(content) || (place.list && (indent > 0 || !blank));
            titled = content.starts_with('#');
            if whole.ends_with('\n') {
                place.fence = opened;
            }
        }
        blank = false;
        at += whole.len();
    }
    out.truncate(if place.fence.is_some() { out.len() } else { out.trim_end_matches('\n').len() });
    Taken::Rest(out)
}

/// The end before the line at `from`, whose lines are the last ones of what is shown.
fn before(md: &str, from: usize, out: &str, place: &Place) -> End {
    let last = md[from..].split_inclusive('\n').next().unwrap_or("");
    let dedented = last.len() - (last.len() - last.trim_start_matches(' ').len()).min(place.dedent);
    End { length: from, shown: out.len() - dedented, place: place.clone() }
}

fn ended(md: &str, mut out: String, end: End) -> Taken {
    out.truncate(end.shown);
    let mut next = end.place;
    match &next.fence {
        Some(fence) => {
            if !out.ends_with('\n') {
                out.push('\n');
            }
            out.push_str(&fence.marks());
            next.dedent = fence.indent;
        }
        None => {
            out.truncate(out.trim_end_matches('\n').len());
            let rest = &md[end.length..];
            let indent = rest.len() - rest.trim_start_matches(' ').len();
            next.dedent = if next.list { indent } else { 0 };
        }
    }
    Taken::Part { text: out, length: end.length, next }
}

/// A line that alone is too long: it ends at a word, or wherever it must.
fn cut(md: &str, content: &str, skipped: usize, mut out: String, place: Place, room: usize, unit: Unit) -> Taken {
    let code = place.fence.is_some();
    let (mut cost, mut word, mut end) = (0, None, content.len());
    for (at, c) in content.char_indices() {
        cost += measure::sign(c, code, unit);
        if cost > room && at > 0 {
            end = at;
            break;
        }
        if c.is_whitespace() && !content[..at].trim().is_empty() {
            word = Some(at + c.len_utf8());
        }
    }
    let end = word.filter(|word| *word <= end).unwrap_or(end);
    out.push_str(&content[..end]);
    let mut next = place.clone();
    next.table = None;
    let mut length = skipped + end;
    if let Some(fence) = &place.fence {
        out.push('\n');
        out.push_str(&fence.marks());
        next.dedent = 0;
    } else {
        out.truncate(out.trim_end().len());
        let rest = &md[length..];
        length += rest.len() - rest.trim_start_matches([' ', '\t']).len();
        next.dedent = 0;
    }
    Taken::Part { text: out, length, next }
}

/// What it may take to close the fence that this line opens, whatever still follows in it.
fn marks(line: &str) -> usize {
    let text = line.trim_start();
    let marks =
        text.chars().next().filter(|c| matches!(c, '`' | '~')).map_or(0, |mark| text.chars().take_while(|c| *c == mark).count());
    if marks >= 3 { 4 * marks + 2 } else { 0 }
}

fn is_item(line: &str) -> bool {
    let text = line.trim_start();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let behind = match digits {
        0 => text.strip_prefix(['-', '*', '+']),
        _ => text[digits..].strip_prefix(['.', ')']),
    };
    behind.is_some_and(|rest| rest.starts_with(' ') || rest.is_empty())
}

#[cfg(test)]
mod tests;
