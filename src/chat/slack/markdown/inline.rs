//! One paragraph's text: formatting, links, and the signs that are meant as they stand.
//!
//! Slack has no escape for `*`, `_`, `~` and backticks. Where one of them could begin a formatting, an unseen space behind it
//! prevents that; everywhere else, as in `snake_case` and `*.rs`, text can be copied as it was.

use pulldown_cmark::{Event, Tag, TagEnd};

use crate::chat::slack::text::{UNSEEN, escape, quiet};

#[derive(Default)]
pub struct Inline {
    line: String,
    /// Formatting that is on, and where it was opened.
    active: Vec<(char, usize)>,
    /// Whether each formatting that has begun was new.
    opened: Vec<bool>,
    /// Whether a formatting has just ended, so that a letter may not follow.
    ended: bool,
    /// Where signs stand that are meant as they are.
    literals: Vec<usize>,
    link: Option<Link>,
    /// Links in links.
    depth: usize,
}

struct Link {
    url: String,
    from: usize,
}

impl Inline {
    pub fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) | Event::Html(text) => self.text(&text),
            Event::InlineHtml(text) if ["<br>", "<br/>", "<br />"].contains(&text.as_ref()) => self.line_break(),
            Event::InlineHtml(text) => self.text(&text),
            Event::Code(code) => self.code(&code),
            Event::SoftBreak | Event::HardBreak => self.line_break(),
            Event::Start(Tag::Strong) => self.open('*'),
            Event::Start(Tag::Emphasis) => self.open('_'),
            Event::Start(Tag::Strikethrough) => self.open('~'),
            Event::End(TagEnd::Strong | TagEnd::Emphasis | TagEnd::Strikethrough) => self.close(),
            Event::Start(Tag::Link { dest_url, link_type, .. }) => {
                let mail = link_type == pulldown_cmark::LinkType::Email;
                self.begin_link(if mail { format!("mailto:{dest_url}") } else { dest_url.into_string() });
            }
            Event::Start(Tag::Image { dest_url, .. }) => self.begin_link(dest_url.into_string()),
            Event::End(TagEnd::Link | TagEnd::Image) => self.end_link(),
            _ => {}
        }
    }

    /// Our own signs.
    pub fn raw(&mut self, text: &str) {
        self.line.push_str(text);
    }

    pub fn open(&mut self, sign: char) {
        let new = self.link.is_none() && !self.active.iter().any(|(c, _)| *c == sign);
        self.opened.push(new);
        if new {
            if self.line.ends_with(char::is_alphanumeric) {
                self.line.push(UNSEEN);
            }
            self.active.push((sign, self.line.len()));
            self.line.push(sign);
            self.ended = false;
        }
    }

    pub fn close(&mut self) {
        if self.opened.pop() == Some(true)
            && let Some((sign, from)) = self.active.pop()
        {
            self.end(sign, from);
        }
    }

    fn end(&mut self, sign: char, from: usize) {
        if self.line.len() == from + sign.len_utf8() {
            self.line.truncate(from);
        } else {
            self.line.push(sign);
            self.ended = true;
        }
    }

    /// Formatting ends with its line.
    fn line_break(&mut self) {
        if self.link.is_some() {
            self.line.push(' ');
            return;
        }
        let active = std::mem::take(&mut self.active);
        for (sign, from) in active.iter().rev() {
            self.end(*sign, *from);
        }
        self.line.push('\n');
        self.ended = false;
        for (sign, _) in active {
            self.active.push((sign, self.line.len()));
            self.line.push(sign);
        }
    }

    fn text(&mut self, text: &str) {
        if self.link.is_some() {
            self.line.push_str(text);
            return;
        }
        let mut rest = text;
        while let Some((before, url, after)) = address(rest) {
            self.words(before);
            self.apart(url);
            self.line.push('<');
            self.line.push_str(&safe(url));
            self.line.push('>');
            self.ended = false;
            rest = after;
        }
        self.words(rest);
    }

    fn apart(&mut self, text: &str) {
        if std::mem::take(&mut self.ended) && text.starts_with(char::is_alphanumeric) {
            self.line.push(UNSEEN);
        }
    }

    fn words(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.apart(text);
        for c in quiet(text).chars() {
            match c {
                '*' | '_' | '~' | '`' => {
                    self.literals.push(self.line.len());
                    self.line.push(c);
                }
                '&' => self.line.push_str("&amp;"),
                '<' => self.line.push_str("&lt;"),
                // At the beginning of a line it would make a quote, also when it is escaped.
                '>' if self.line.is_empty() || self.line.ends_with('\n') => {
                    self.line.push(UNSEEN);
                    self.line.push_str("&gt;");
                }
                '>' => self.line.push_str("&gt;"),
                c => self.line.push(c),
            }
        }
    }

    fn code(&mut self, code: &str) {
        if self.link.is_some() {
            self.line.push_str(code);
            return;
        }
        if self.line.ends_with(char::is_alphanumeric) {
            self.line.push(UNSEEN);
        }
        self.line.push('`');
        self.line.push_str(&escape(code).replace('`', "ˋ"));
        self.line.push('`');
        self.ended = true;
    }

    fn begin_link(&mut self, url: String) {
        self.depth += 1;
        if self.link.is_none() {
            self.link = Some(Link { url, from: self.line.len() });
        }
    }

    fn end_link(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.depth > 0 {
            return;
        }
        let Some(Link { url, from }) = self.link.take() else { return };
        let label = self.line.split_off(from);
        let label = label.trim();
        let known = ["http://", "https://", "mailto:"].iter().any(|scheme| {
            url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)) && url.len() > scheme.len()
        });
        if !known {
            self.text(label);
            if !url.is_empty() && url != label {
                self.words(&format!(" ({url})"));
            }
            return;
        }
        self.line.push('<');
        self.line.push_str(&safe(&url));
        if !label.is_empty() && label != url {
            self.line.push('|');
            self.line.push_str(&escape(&quiet(label)));
        }
        self.line.push('>');
        self.ended = false;
    }

    /// The paragraph, and nothing of it stays.
    pub fn finish(&mut self) -> String {
        for (sign, from) in std::mem::take(&mut self.active).into_iter().rev() {
            self.end(sign, from);
        }
        let Self { line, literals, .. } = std::mem::take(self);
        if literals.is_empty() {
            return line.trim_end().to_owned();
        }
        let mut out = String::with_capacity(line.len() + 16);
        let mut start = 0;
        let mut literals = literals.into_iter().peekable();
        for part in line.split_inclusive('\n') {
            let end = start + part.len();
            while let Some(at) = literals.next_if(|at| *at < end) {
                out.push_str(&line[start..at]);
                let sign = if line[at..].starts_with('`') { '`' } else { line[at..].chars().next().unwrap_or(' ') };
                start = at + sign.len_utf8();
                let partner = last_closing(part, sign).is_some_and(|last| last + (end - part.len()) > start);
                match sign {
                    '`' if part.matches('`').nth(1).is_some() => out.push('ˋ'),
                    _ if partner && opens(&line, at) => out.extend([sign, UNSEEN]),
                    _ => out.push(sign),
                }
            }
            out.push_str(&line[start..end]);
            start = end;
        }
        out.trim_end().to_owned()
    }
}

fn opens(line: &str, at: usize) -> bool {
    !line[..at].ends_with(char::is_alphanumeric) && line[at + 1..].starts_with(|c: char| !c.is_whitespace())
}

/// Where the last sign stands that can end a formatting.
fn last_closing(part: &str, sign: char) -> Option<usize> {
    part.rmatch_indices(sign)
        .map(|(at, _)| at)
        .find(|at| part[..*at].ends_with(|c: char| !c.is_whitespace()) && !part[at + 1..].starts_with(char::is_alphanumeric))
}

/// An address between `<` and `>`.
fn safe(url: &str) -> String {
    escape(url).replace('|', "%7C").replace(char::is_whitespace, "%20")
}

/// The first address that stands in a text, with what is before and after it.
fn address(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find("http")?;
        from = at + 4;
        let rest = &text[at..];
        let Some(behind) = rest.strip_prefix("https://").or_else(|| rest.strip_prefix("http://")) else { continue };
        if text[..at].ends_with(char::is_alphanumeric) {
            continue;
        }
        let end =
            rest.find(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '`')).unwrap_or(rest.len());
        let mut url = &rest[..end];
        while let Some(c) = url.chars().next_back() {
            let open = c == ')' && url.matches('(').count() >= url.matches(')').count();
            if open || !matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | ')' | ']' | '}' | '\'' | '*' | '_' | '~') {
                break;
            }
            url = &url[..url.len() - c.len_utf8()];
        }
        if url.len() > rest.len() - behind.len() {
            return Some((&text[..at], url, &rest[url.len()..]));
        }
    }
}
