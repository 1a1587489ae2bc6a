//! The text of a kubeconfig, YAML or JSON, to a tree with places. Aliases are followed, and what they would make is bounded; keys are
//! texts and stand once.
//!
//! Invariant: an error repeats nothing of the text. Knows nothing of what a kubeconfig means.

use std::collections::HashMap;

use libyaml_safer::{Event, EventData, Parser, ScalarStyle};

use crate::clusters::refused::{Place, Refused, refuse};
use crate::yaml;

/// The longest text.
pub const LONGEST: usize = 256 * 1024;
/// The deepest nesting; a kubeconfig has six, its extensions some more.
const DEEPEST: usize = 32;
/// As many values as it may stand for, with its aliases followed.
const VALUES: usize = 20_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id(usize);

#[derive(Debug)]
pub enum Shape {
    Scalar { text: String, quoted: bool },
    List(Vec<Id>),
    Map(Vec<(Id, Id)>),
}

#[derive(Debug)]
struct Item {
    shape: Shape,
    at: Place,
    /// How many values it stands for; none while it is still open.
    values: Option<usize>,
}

/// One document.
#[derive(Debug)]
pub struct Document {
    items: Vec<Item>,
    root: Id,
}

/// A value of a document.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    document: &'a Document,
    id: Id,
}

impl<'a> Node<'a> {
    fn item(self) -> &'a Item {
        &self.document.items[self.id.0]
    }

    pub fn at(self) -> Place {
        self.item().at
    }

    /// Of a scalar that is not null.
    pub fn text(self) -> Option<&'a str> {
        match &self.item().shape {
            Shape::Scalar { text, quoted } if *quoted || !is_null(text) => Some(text),
            _ => None,
        }
    }

    /// Of a scalar without quotes.
    pub fn plain(self) -> Option<&'a str> {
        match &self.item().shape {
            Shape::Scalar { text, quoted: false } => Some(text),
            _ => None,
        }
    }

    /// Null, or an empty text, list or mapping: what programs write for "not set".
    pub fn is_empty(self) -> bool {
        match &self.item().shape {
            Shape::Scalar { text, quoted } => text.is_empty() || (!quoted && is_null(text)),
            Shape::List(items) => items.is_empty(),
            Shape::Map(pairs) => pairs.is_empty(),
        }
    }

    pub fn list(self) -> Option<impl Iterator<Item = Node<'a>>> {
        match &self.item().shape {
            Shape::List(items) => Some(items.iter().map(move |id| Node { id: *id, ..self })),
            _ => None,
        }
    }

    /// Keys with their places, and values.
    pub fn map(self) -> Option<impl Iterator<Item = (&'a str, Place, Node<'a>)>> {
        match &self.item().shape {
            Shape::Map(pairs) => Some(pairs.iter().map(move |(key, value)| {
                let key = Node { id: *key, ..self };
                (key.key(), key.at(), Node { id: *value, ..self })
            })),
            _ => None,
        }
    }

    pub fn get(self, key: &str) -> Option<Node<'a>> {
        self.map()?.find(|(found, ..)| *found == key).map(|(.., value)| value)
    }

    fn key(self) -> &'a str {
        match &self.item().shape {
            Shape::Scalar { text, .. } => text,
            _ => "",
        }
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

impl Document {
    pub fn root(&self) -> Node<'_> {
        Node { document: self, id: self.root }
    }

    /// Reads a text of one document.
    pub fn read(bytes: &[u8]) -> Result<Self, Refused> {
        if bytes.len() > LONGEST {
            return refuse(
                Place::Whole,
                format!("the kubeconfig is longer than {} KiB; give one with the clusters alone that are needed", LONGEST / 1024),
            );
        }
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return refuse(place_in("", 0), "the text is UTF-16; save the kubeconfig as UTF-8");
        }
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
                return refuse(place_in(valid, valid.len()), "the text is not UTF-8; save the kubeconfig as UTF-8");
            }
        };
        if let Some(at) = text.find(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) {
            return refuse(place_in(text, at), "a control character stands here; give the kubeconfig as text");
        }
        // The parser wants every line to end, the last one too.
        let mut whole = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        if !whole.ends_with('\n') {
            whole.push('\n');
        }
        yaml::guarded(|| parse(&whole)).unwrap_or_else(|| {
            let (line, column) = yaml::tag_before_comma(&whole).unwrap_or((1, 1));
            refuse(Place::At { line: line.into(), column: column.into() }, yaml::TAG_BEFORE_COMMA)
        })
    }
}

fn place_in(text: &str, at: usize) -> Place {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    Place::At { line: line as u64, column: column as u64 }
}

fn place(mark: libyaml_safer::Mark) -> Place {
    Place::At { line: mark.line + 1, column: mark.column + 1 }
}

fn parse(text: &str) -> Result<Document, Refused> {
    let mut input = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut input);
    let mut next = || {
        // The parser's words are its own, and quote nothing.
        parser.parse().map_err(|error| {
            let at = error.problem_mark().map_or(Place::At { line: 1, column: 1 }, place);
            Refused::new(at, format!("not YAML: {}", error.problem()))
        })
    };
    let mut builder = Builder::default();
    let mut found = None;
    loop {
        let event = next()?;
        let at = place(event.start_mark);
        match event.data {
            EventData::StreamStart { .. } | EventData::DocumentEnd { .. } => {}
            EventData::StreamEnd => break,
            EventData::DocumentStart { .. } if found.is_some() => {
                return refuse(at, "a second document begins here; give one kubeconfig alone");
            }
            EventData::DocumentStart { .. } => found = Some(builder.document(&mut next)?),
            _ => return refuse(at, "not a YAML document"),
        }
    }
    match found {
        Some(root) => Ok(Document { items: builder.items, root }),
        None => refuse(Place::Whole, "the kubeconfig is empty; give what `kubectl config view --raw --minify --flatten` prints"),
    }
}

enum Open {
    List(Id, Vec<Id>),
    Map(Id, Vec<(Id, Id)>, Option<Id>),
}

#[derive(Default)]
struct Builder {
    items: Vec<Item>,
    anchors: HashMap<String, Id>,
}

impl Builder {
    fn add(&mut self, shape: Shape, at: Place, anchor: Option<String>, values: Option<usize>) -> Result<Id, Refused> {
        if self.items.len() >= VALUES {
            return refuse(at, format!("more than {VALUES} values; give a kubeconfig with the clusters alone that are needed"));
        }
        let id = Id(self.items.len());
        self.items.push(Item { shape, at, values });
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
        Ok(id)
    }

    fn document(&mut self, next: &mut impl FnMut() -> Result<Event, Refused>) -> Result<Id, Refused> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let event = next()?;
            let at = place(event.start_mark);
            let done = match event.data {
                EventData::Scalar { anchor, tag, value, style, .. } => {
                    untagged(tag.as_deref(), at)?;
                    let quoted = !matches!(style, ScalarStyle::Plain | ScalarStyle::Any);
                    self.add(Shape::Scalar { text: value, quoted }, at, anchor, Some(1))?
                }
                EventData::Alias { anchor } => match self.anchors.get(&anchor).copied() {
                    Some(target) if self.items[target.0].values.is_none() => {
                        return refuse(at, "an anchor's value contains itself; write the value out");
                    }
                    Some(target) => target,
                    None => return refuse(at, "there is no such anchor before this alias; write the value out"),
                },
                EventData::SequenceStart { anchor, tag, .. } => {
                    untagged(tag.as_deref(), at)?;
                    let id = self.add(Shape::List(Vec::new()), at, anchor, None)?;
                    open.push(Open::List(id, Vec::new()));
                    deep(open.len(), at)?;
                    continue;
                }
                EventData::MappingStart { anchor, tag, .. } => {
                    untagged(tag.as_deref(), at)?;
                    let id = self.add(Shape::Map(Vec::new()), at, anchor, None)?;
                    open.push(Open::Map(id, Vec::new(), None));
                    deep(open.len(), at)?;
                    continue;
                }
                EventData::SequenceEnd => match open.pop() {
                    Some(Open::List(id, items)) => self.close(id, Shape::List(items))?,
                    _ => return refuse(at, "not a YAML document"),
                },
                EventData::MappingEnd => match open.pop() {
                    Some(Open::Map(id, pairs, None)) => self.close(id, Shape::Map(pairs))?,
                    _ => return refuse(at, "not a YAML document"),
                },
                _ => return refuse(at, "not a YAML document"),
            };
            match open.last_mut() {
                None => return Ok(done),
                Some(Open::List(_, items)) => items.push(done),
                Some(Open::Map(_, pairs, key)) => match key.take() {
                    Some(key) => pairs.push((key, done)),
                    None => {
                        self.key(done, at, pairs)?;
                        *key = Some(done);
                    }
                },
            }
        }
    }

    /// Whether it can be the next key.
    fn key(&self, id: Id, at: Place, pairs: &[(Id, Id)]) -> Result<(), Refused> {
        let text = |id: Id| match &self.items[id.0].shape {
            Shape::Scalar { text, .. } => Some(text.as_str()),
            _ => None,
        };
        let Some(key) = text(id) else {
            return refuse(self.items[id.0].at, "a key must be a text, not a list or a mapping");
        };
        if key == "<<" {
            return refuse(at, "merge keys (`<<`) are not taken here; write the values out");
        }
        // Mappings are small: what is large here is a text.
        if pairs.len() > 1000 {
            return refuse(at, "more than 1000 keys in one mapping");
        }
        if let Some((first, _)) = pairs.iter().find(|(other, _)| text(*other) == Some(key)) {
            let line = match self.items[first.0].at {
                Place::At { line, .. } => line,
                _ => 0,
            };
            return refuse(at, format!("the same key stands twice in this mapping, first in line {line}; keep one"));
        }
        Ok(())
    }

    fn close(&mut self, id: Id, shape: Shape) -> Result<Id, Refused> {
        let of = |id: &Id| self.items[id.0].values.unwrap_or(1);
        let values = match &shape {
            Shape::Scalar { .. } => 1,
            Shape::List(items) => items.iter().map(of).fold(1, usize::saturating_add),
            Shape::Map(pairs) => {
                pairs.iter().map(|(key, value)| of(key).saturating_add(of(value))).fold(1, usize::saturating_add)
            }
        };
        if values > VALUES {
            return refuse(
                self.items[id.0].at,
                format!("with its aliases followed, this stands for more than {VALUES} values; write less of them"),
            );
        }
        let item = &mut self.items[id.0];
        (item.shape, item.values) = (shape, Some(values));
        Ok(id)
    }
}

fn deep(depth: usize, at: Place) -> Result<(), Refused> {
    if depth > DEEPEST {
        return refuse(at, format!("nested deeper than {DEEPEST} levels, as no kubeconfig is"));
    }
    Ok(())
}

fn untagged(tag: Option<&str>, at: Place) -> Result<(), Refused> {
    const PLAIN: &[&str] = &["str", "map", "seq", "bool"];
    match tag {
        None | Some("!") => Ok(()),
        Some(tag) if tag.strip_prefix("tag:yaml.org,2002:").is_some_and(|kind| PLAIN.contains(&kind)) => Ok(()),
        Some(_) => refuse(at, "tags (`!…`) are not taken here; write the value without one"),
    }
}
