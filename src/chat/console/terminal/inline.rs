//! Markup within one line: bold, italics, code, links. What is no markup stands as it is.

use super::text::{Cell, Colour, Style, put};

/// Markup within markup, at most.
const DEPTH: usize = 6;

/// The cells of `src`, which stands `at` bytes into its line.
pub fn inline(src: &str, at: usize, style: Style) -> Vec<Cell> {
    let mut line = Inline { src, at, out: Vec::with_capacity(src.len()) };
    line.run(0, src.len(), style, DEPTH);
    line.out
}

struct Inline<'a> {
    src: &'a str,
    at: usize,
    out: Vec<Cell>,
}

/// Marks that have no end in what is left, so that it is not searched again and again.
#[derive(Default)]
struct Dead(Vec<(char, usize)>);

impl Dead {
    fn has(&self, mark: char, length: usize) -> bool {
        self.0.contains(&(mark, length))
    }
}

impl Inline<'_> {
    fn put(&mut self, c: char, style: Style, end: usize) {
        put(&mut self.out, c, style, self.at + end);
    }

    fn text(&mut self, from: usize, to: usize, style: Style) {
        let src = self.src;
        for (at, c) in src[from..to].char_indices() {
            self.put(c, style, from + at + c.len_utf8());
        }
    }

    fn run(&mut self, from: usize, to: usize, style: Style, depth: usize) {
        let src = self.src;
        let mut dead = Dead::default();
        let mut i = from;
        while let Some(c) = src[i..to].chars().next() {
            let next = i + c.len_utf8();
            let marked = match c {
                '\\' => src[next..to].chars().next().filter(char::is_ascii_punctuation).map(|escaped| {
                    self.put(escaped, style, next + 1);
                    next + 1
                }),
                '`' => self.code(i, to, style, &mut dead),
                '*' | '_' | '~' if depth > 0 => self.emphasis(i, to, c, style, depth, &mut dead),
                '!' if src[next..to].starts_with('[') && depth > 0 => self.link(next, to, style, depth),
                '[' if depth > 0 => self.link(i, to, style, depth),
                _ => None,
            };
            i = marked.unwrap_or_else(|| {
                // A run of marks that mark nothing is passed as one.
                let end = if matches!(c, '*' | '_' | '~' | '`') { i + length(&src[i..to], c) } else { next };
                self.text(i, end, style);
                end
            });
        }
    }

    fn code(&mut self, i: usize, to: usize, style: Style, dead: &mut Dead) -> Option<usize> {
        let n = length(&self.src[i..to], '`');
        if dead.has('`', n) {
            return None;
        }
        let start = i + n;
        let Some(end) = closing(self.src, start, to, '`', n, |_, _| true) else {
            dead.0.push(('`', n));
            return None;
        };
        let inner = &self.src[start..end];
        // One space on each side belongs to the marks.
        let padded = inner.len() > 2 && inner.starts_with(' ') && inner.ends_with(' ') && !inner.trim().is_empty();
        let pad = usize::from(padded);
        self.text(start + pad, end - pad, Style { colour: Some(Colour::Cyan), ..style });
        self.ends_at(end + n);
        Some(end + n)
    }

    fn emphasis(&mut self, i: usize, to: usize, mark: char, style: Style, depth: usize, dead: &mut Dead) -> Option<usize> {
        let src = self.src;
        let n = length(&src[i..to], mark);
        let inner = match (mark, n) {
            ('~', 2) => Style { strike: true, ..style },
            ('~', _) => return None,
            (_, 1) => Style { italic: true, ..style },
            (_, 2) => Style { bold: true, ..style },
            (_, 3) => Style { bold: true, italic: true, ..style },
            _ => return None,
        };
        let start = i + n;
        let before = src[..i].chars().next_back();
        let opens = src[start..to].chars().next().is_some_and(|c| !c.is_whitespace())
            && (mark != '_' || before.is_none_or(|c| !c.is_alphanumeric()));
        if !opens || dead.has(mark, n) {
            return None;
        }
        let ends = |at: usize, end: usize| {
            let before = src[..at].chars().next_back();
            let after = src[end..].chars().next();
            at > start
                && before.is_some_and(|c| !c.is_whitespace())
                && (mark != '_' || after.is_none_or(|c| !c.is_alphanumeric()))
        };
        let Some(end) = closing(src, start, to, mark, n, ends) else {
            dead.0.push((mark, n));
            return None;
        };
        self.run(start, end, inner, depth - 1);
        self.ends_at(end + n);
        Some(end + n)
    }

    /// `[text](address)`: the text, and the address if it says something else.
    fn link(&mut self, i: usize, to: usize, style: Style, depth: usize) -> Option<usize> {
        /// Longer ones are no links that somebody reads.
        const MOST: usize = 4096;
        let src = self.src;
        let middle = i + 1 + src.as_bytes()[i + 1..to].iter().position(|b| matches!(b, b'[' | b']'))?;
        if !src[middle..to].starts_with("](") {
            return None;
        }
        let start = middle + 2;
        let most = to.min(start + MOST);
        let end = start + src.as_bytes()[start..most].iter().position(|b| *b == b')' || b.is_ascii_whitespace())?;
        let (text, address) = (&src[i + 1..middle], &src[start..end]);
        if src.as_bytes()[end] != b')' || text.is_empty() || address.is_empty() {
            return None;
        }
        self.run(i + 1, middle, Style { underline: true, ..style }, depth - 1);
        if text != address {
            self.put(' ', style, end);
            self.put('(', Style { dim: true, ..style }, end);
            self.text(start, end, Style { dim: true, ..style });
            self.put(')', Style { dim: true, ..style }, end);
        }
        self.ends_at(end + 1);
        Some(end + 1)
    }

    /// What was last shown stands for everything up to here.
    fn ends_at(&mut self, end: usize) {
        if let Some(last) = self.out.last_mut() {
            last.end = self.at + end;
        }
    }
}

/// How many times `mark` stands at the beginning.
fn length(text: &str, mark: char) -> usize {
    text.bytes().take_while(|b| *b == mark as u8).count()
}

/// Where the next run of exactly `n` marks stands that `fits`.
fn closing(src: &str, from: usize, to: usize, mark: char, n: usize, fits: impl Fn(usize, usize) -> bool) -> Option<usize> {
    let bytes = src.as_bytes();
    let mut i = from;
    while i < to {
        match bytes[i] {
            b'\\' if mark != '`' => i += 2,
            b if b == mark as u8 => {
                let run = length(&src[i..to], mark);
                if run == n && fits(i, i + run) {
                    return Some(i);
                }
                i += run;
            }
            _ => i += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the styles spelled out.
    fn shown(src: &str) -> String {
        let mut out = String::new();
        let mut now = String::new();
        for cell in inline(src, 0, Style::PLAIN) {
            let s = cell.style;
            let marks =
                [(s.bold, "b"), (s.italic, "i"), (s.strike, "s"), (s.underline, "u"), (s.dim, "d"), (s.colour.is_some(), "c")];
            let style: String = marks.iter().filter(|(on, _)| *on).map(|(_, m)| *m).collect();
            if style != now {
                if !now.is_empty() {
                    out.push('}');
                }
                if !style.is_empty() {
                    out.push_str(&format!("{style}{{"));
                }
                now = style;
            }
            out.push(cell.c);
        }
        if !now.is_empty() {
            out.push('}');
        }
        out
    }

    #[test]
    fn markup_becomes_style() {
        assert_eq!(shown("a **b** *c* `d` ~~e~~ _f_ ***g***"), "a b{b} i{c} c{d} s{e} i{f} bi{g}");
        assert_eq!(shown("**a *b* c**"), "b{a }bi{b}b{ c}");
        assert_eq!(
            shown("[docs](https://x.y/z) and [https://x.y](https://x.y)"),
            "u{docs} d{(https://x.y/z)} and u{https://x.y}"
        );
        assert_eq!(shown("`` a`b ``"), "c{a`b}");
    }

    #[test]
    fn what_is_no_markup_stands() {
        for plain in
            ["2 * 3 * 4", "a ** b", "snake_case_name", "**open", "`open", "[x] y", "[a](b c)", "****", "C:\\dir", "a\\", "~1~"]
        {
            assert_eq!(shown(plain), plain);
        }
        assert_eq!(shown("\\*a\\*"), "*a*");
    }

    #[test]
    fn hostile_lines_take_no_time() {
        for mark in ["*", "*a", "_a ", "[", "](", "`a``", "**a ", "~~a"] {
            let long = mark.repeat(100_000 / mark.len());
            let began = std::time::Instant::now();
            inline(&long, 0, Style::PLAIN);
            assert!(began.elapsed().as_secs() < 5, "{mark}: {:?}", began.elapsed());
        }
    }

    #[test]
    fn ends_lead_back_into_the_source() {
        let src = "**bold** `x` é";
        let cells = inline(src, 10, Style::PLAIN);
        assert_eq!(cells.last().map(|c| c.end), Some(10 + src.len()));
        let bold = cells.iter().rposition(|c| c.style.bold).map(|at| cells[at].end);
        assert_eq!(bold, Some(18));
    }
}
