//! Markdown as Slack shows it: its own `mrkdwn` for messages, and standard Markdown for its streams.
//!
//! Invariant: whatever an agent writes, nobody is called by it, and nothing of it becomes one of Slack's references but the links
//! that are made here.

mod inline;
mod stream;

use std::borrow::Cow;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, TextMergeStream};

pub use stream::streamed;

use super::text::{UNSEEN, escape};
use crate::chat::split::{Fence, table};
use crate::model::words;
use inline::Inline;

fn parser(md: &str) -> impl Iterator<Item = Event<'_>> {
    TextMergeStream::new(Parser::new_ext(md, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS))
}

/// A whole text as `mrkdwn`. It is meant for blocks that are `verbatim`: addresses are made links here.
pub fn mrkdwn(md: &str) -> String {
    let mut writer = Writer::default();
    let md = tables_end(md);
    let mut events = parser(&md);
    while let Some(event) = events.next() {
        match event {
            Event::Start(Tag::Table(alignments)) => {
                writer.flush();
                let rows = rows(&mut events);
                writer.code(&table::aligned(&rows, &alignments));
            }
            Event::Start(Tag::CodeBlock(_)) => {
                writer.flush();
                let mut code = String::new();
                for event in events.by_ref() {
                    match event {
                        Event::Text(text) => code.push_str(&text),
                        _ => break,
                    }
                }
                writer.code(&code);
            }
            event => writer.take(event),
        }
    }
    writer.flush();
    writer.out
}

/// Text right under a table is no row of it: the same as in a stream.
fn tables_end(md: &str) -> Cow<'_, str> {
    if !md.contains('|') {
        return Cow::Borrowed(md);
    }
    let mut out = String::with_capacity(md.len() + 8);
    let mut fence: Option<Fence> = None;
    let (mut bars, mut before) = (false, "");
    for line in md.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let row = fence.is_none() && table::is_row(content);
        if bars && !row && !content.trim().is_empty() {
            out.push('\n');
        }
        bars = row && (bars || table::begins(before, content));
        fence = match fence {
            Some(fence) if fence.is_closed_by(content) => None,
            Some(fence) => Some(fence),
            None => Fence::opened(content),
        };
        before = content;
        out.push_str(line);
    }
    Cow::Owned(out)
}

/// What is left of Markdown where there is no formatting, on one line.
pub fn plain(md: &str) -> String {
    let mut out = String::new();
    for event in parser(md) {
        match event {
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => out.push_str(&text),
            Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::Heading(_)) => {
                out.push(' ')
            }
            _ => {}
        }
    }
    words(&out)
}

/// The columns of a text that is one table and nothing else.
fn single_table(md: &str) -> Option<String> {
    let mut events = parser(md);
    let Some(Event::Start(Tag::Table(alignments))) = events.next() else { return None };
    let rows = rows(&mut events);
    events.next().is_none().then(|| unfenced(&table::aligned(&rows, &alignments)))
}

/// The cells of a table that has begun, as plain text.
fn rows<'a>(events: &mut impl Iterator<Item = Event<'a>>) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut cell = String::new();
    let mut links = Vec::new();
    for event in events {
        match event {
            Event::End(TagEnd::Table) => break,
            Event::Start(Tag::TableHead | Tag::TableRow) => rows.push(Vec::new()),
            Event::End(TagEnd::TableCell) => {
                if let Some(row) = rows.last_mut() {
                    row.push(std::mem::take(&mut cell).trim().replace('\n', " "));
                }
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => links.push((cell.len(), dest_url)),
            Event::End(TagEnd::Link | TagEnd::Image) => {
                if let Some((from, url)) = links.pop()
                    && cell.get(from..) != Some(&*url)
                {
                    cell.push_str(&format!(" ({url})"));
                }
            }
            Event::Text(text) | Event::Code(text) | Event::InlineHtml(text) | Event::Html(text) => cell.push_str(&text),
            Event::SoftBreak | Event::HardBreak => cell.push(' '),
            _ => {}
        }
    }
    rows
}

/// Code that cannot end the fence around it.
fn unfenced(code: &str) -> String {
    code.replace("```", &format!("`{UNSEEN}`{UNSEEN}`"))
}

/// What stands between two blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Gap {
    #[default]
    None,
    Line,
    Blank,
}

#[derive(Default)]
struct Writer {
    out: String,
    inline: Inline,
    /// The next number of each list that is open; `None` has dots.
    lists: Vec<Option<u64>>,
    /// The sign of an item that has not been written yet.
    marker: Option<String>,
    quotes: usize,
    gap: Gap,
    /// Whether the last line stands in a quote.
    quoted: bool,
}

impl Writer {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                self.flush();
                if self.gap == Gap::Line && self.lists.is_empty() {
                    self.gap = Gap::Blank;
                }
                self.inline.open('*');
            }
            Event::End(TagEnd::Heading(_)) => {
                self.inline.close();
                self.flush();
                self.gap = Gap::Line;
            }
            Event::End(TagEnd::Paragraph | TagEnd::HtmlBlock) | Event::Start(Tag::Paragraph | Tag::HtmlBlock) => self.flush(),
            Event::Start(Tag::BlockQuote(_)) => {
                self.flush();
                self.quotes += 1;
            }
            Event::End(TagEnd::BlockQuote(_)) => {
                self.flush();
                self.quotes = self.quotes.saturating_sub(1);
                self.gap = Gap::Blank;
            }
            Event::Start(Tag::List(first)) => {
                self.flush();
                self.lists.push(first);
            }
            Event::End(TagEnd::List(_)) => {
                self.flush();
                self.lists.pop();
                self.gap = if self.lists.is_empty() { Gap::Blank } else { Gap::Line };
            }
            Event::Start(Tag::Item) => self.marker = Some(self.next_marker()),
            Event::End(TagEnd::Item) => {
                self.flush();
                if self.marker.is_some() {
                    self.block("");
                }
            }
            Event::Rule => {
                self.flush();
                self.block("———");
            }
            Event::TaskListMarker(done) => self.inline.raw(if done { "☑ " } else { "☐ " }),
            event => self.inline.take(event),
        }
    }

    fn next_marker(&mut self) -> String {
        let depth = self.lists.len();
        match self.lists.last_mut() {
            Some(Some(number)) => {
                let marker = format!("{number}. ");
                *number = number.saturating_add(1);
                marker
            }
            _ if depth.is_multiple_of(2) => "◦ ".to_owned(),
            _ => "• ".to_owned(),
        }
    }

    fn flush(&mut self) {
        let text = self.inline.finish();
        if !text.is_empty() {
            self.block(&text);
        }
    }

    fn separate(&mut self) {
        let quoted = self.quotes > 0;
        match std::mem::take(&mut self.gap) {
            Gap::None => {}
            Gap::Line => self.out.push('\n'),
            Gap::Blank => self.out.push_str(if quoted && self.quoted { "\n>\n" } else { "\n\n" }),
        }
        self.quoted = quoted;
    }

    fn block(&mut self, text: &str) {
        self.separate();
        let depth = self.lists.len();
        for (at, line) in text.split('\n').enumerate() {
            if at > 0 {
                self.out.push('\n');
            }
            if self.quotes > 0 {
                self.out.push_str("> ");
            }
            let marker = self.marker.take();
            let indent = if marker.is_some() { depth.saturating_sub(1) } else { depth };
            self.out.extend(std::iter::repeat_n("    ", indent));
            if let Some(marker) = marker {
                self.out.push_str(&marker);
            }
            self.out.push_str(line);
        }
        self.gap = if depth == 0 { Gap::Blank } else { Gap::Line };
    }

    /// Stands at the left even in lists and quotes, where Slack would not take it for code.
    fn code(&mut self, code: &str) {
        if self.marker.is_some() {
            self.block("");
        }
        if self.gap == Gap::Blank {
            self.gap = Gap::Line;
        }
        self.separate();
        self.quoted = false;
        self.out.push_str("```\n");
        self.out.push_str(&escape(&unfenced(code)));
        if !code.ends_with('\n') {
            self.out.push('\n');
        }
        self.out.push_str("```");
        self.gap = Gap::Line;
    }
}

#[cfg(test)]
mod tests;
