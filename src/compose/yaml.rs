//! YAML text to trees with places: anchors and aliases, merge keys, `!reset` and `!override`. What aliases make is bounded, and so is
//! depth; keys are texts and stand once. Knows nothing of what a compose file means.

pub mod scalar;

use std::collections::HashMap;

use libyaml_safer::{EventData, Parser, ScalarStyle};

use super::budget::{self, Budget};
use super::fault::{Fault, Result, fault};
use super::node::{Map, Mark, Node, Path, Value};
use crate::yaml;
use scalar::Scalar;

/// One document of a file.
#[derive(Debug)]
pub struct Document {
    pub root: Node,
    /// What earlier files lose, by path: `!reset` takes it away, `!override` puts something else there.
    pub resets: Vec<Vec<String>>,
    /// What stands below `name` at the top, as it is written, and where.
    pub name: Option<(String, Mark)>,
}

/// How an item is tagged, as far as that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tag {
    None,
    Reset,
    Override,
    Other(String),
}

#[derive(Debug)]
enum Shape {
    Scalar { text: String, quoted: bool },
    List(Vec<usize>),
    Map(Vec<(usize, usize)>),
    Alias(usize),
}

#[derive(Debug)]
struct Item {
    shape: Shape,
    tag: Tag,
    at: Mark,
}

/// All documents of a text.
pub fn documents(bytes: &[u8], file: u16, budget: &mut Budget) -> Result<Vec<Document>> {
    let mut whole = utf16(bytes).unwrap_or_else(|| bytes.to_vec());
    // The parser wants every line to end, the last one too.
    let ended = whole.last().is_none_or(|last| *last == b'\n');
    if !ended {
        whole.push(b'\n');
    }
    yaml::guarded(|| parse(&whole, ended, file, budget)).unwrap_or_else(|| {
        let (line, column) = yaml::tag_before_comma(&String::from_utf8_lossy(&whole)).unwrap_or((1, 1));
        fault(Mark { file, line, column }, yaml::TAG_BEFORE_COMMA)
    })
}

fn parse(bytes: &[u8], ended: bool, file: u16, budget: &mut Budget) -> Result<Vec<Document>> {
    let mut input = bytes;
    let mut parser = Parser::new();
    parser.set_input_string(&mut input);
    let unended = if ended { u64::MAX } else { bytes.len() as u64 };
    let mut written = Written { file, unended, items: Vec::new(), anchors: HashMap::new() };
    let mut found = Vec::new();
    loop {
        let event = parser.parse().map_err(|error| unreadable(&error, bytes, file))?;
        let at = written.mark(event.start_mark);
        match event.data {
            EventData::StreamStart { .. } | EventData::DocumentEnd { .. } => {}
            EventData::StreamEnd => return Ok(found),
            EventData::DocumentStart { .. } => {
                written.items.clear();
                written.anchors.clear();
                let root = written.document(&mut parser, bytes)?;
                let mut builder = Builder {
                    items: &written.items,
                    made: Made::default(),
                    open: vec![false; written.items.len()],
                    resets: Vec::new(),
                    budget,
                };
                let built = builder.build(root, &Path::ROOT, Way::Plain)?;
                let resets = builder.resets;
                found.push(Document { root: built.unwrap_or_default(), resets, name: written.name(root) });
            }
            _ => return fault(at, "not a YAML document"),
        }
    }
}

/// What some editors of Windows write.
fn utf16(bytes: &[u8]) -> Option<Vec<u8>> {
    let unit: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return None,
    };
    let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    Some(String::from_utf16_lossy(&units).into_bytes())
}

fn unreadable(error: &libyaml_safer::Error, bytes: &[u8], file: u16) -> Fault {
    let mut text = format!("not YAML: {}", error.problem());
    if let Some(context) = error.context() {
        text = format!("{text}, {context}");
    }
    let at = match error.problem_mark() {
        Some(mark) => place(mark, file),
        None => unreadable_byte(bytes, file),
    };
    Fault::new(at, text)
}

/// The parser tells no place of bytes that are no text: the first such one.
fn unreadable_byte(bytes: &[u8], file: u16) -> Mark {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    let allowed = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let end = valid.find(|c| !allowed(c)).unwrap_or(valid.len());
    let before = &valid[..end];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    Mark { file, line: u32::try_from(line).unwrap_or(u32::MAX), column: u32::try_from(column).unwrap_or(u32::MAX) }
}

fn place(mark: libyaml_safer::Mark, file: u16) -> Mark {
    let line = u32::try_from(mark.line + 1).unwrap_or(u32::MAX);
    let column = u32::try_from(mark.column + 1).unwrap_or(u32::MAX);
    Mark { file, line, column }
}

/// A document as it is written, before aliases are followed.
struct Written {
    file: u16,
    /// Where the text ends with a line break that was not written.
    unended: u64,
    items: Vec<Item>,
    anchors: HashMap<String, usize>,
}

enum Open {
    List(usize, Vec<usize>),
    Map(usize, Vec<(usize, usize)>, Option<usize>),
}

impl Written {
    fn name(&self, root: usize) -> Option<(String, Mark)> {
        let Shape::Map(pairs) = &self.items[root].shape else { return None };
        let is_name = |key: usize| matches!(&self.items[key].shape, Shape::Scalar { text, .. } if text == "name");
        let (_, value) = pairs.iter().find(|(key, _)| is_name(*key))?;
        let item = &self.items[*value];
        match &item.shape {
            Shape::Scalar { text, quoted } if !matches!(scalar_value(item, text, *quoted), Ok(Value::Null)) => {
                Some((text.clone(), item.at))
            }
            _ => None,
        }
    }

    fn mark(&self, mark: libyaml_safer::Mark) -> Mark {
        place(mark, self.file)
    }

    fn add(&mut self, shape: Shape, tag: Option<String>, anchor: Option<String>, at: Mark) -> Result<usize> {
        if self.items.len() >= 2 * budget::WRITTEN {
            return fault(at, format!("the file is too large: more than {} values", budget::WRITTEN));
        }
        let tag = match tag.as_deref() {
            None | Some("!") => Tag::None,
            Some("!reset") => Tag::Reset,
            Some("!override") => Tag::Override,
            Some(other) => Tag::Other(other.to_owned()),
        };
        let id = self.items.len();
        self.items.push(Item { shape, tag, at });
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
        Ok(id)
    }

    fn document(&mut self, parser: &mut Parser<&mut &[u8]>, bytes: &[u8]) -> Result<usize> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let event = parser.parse().map_err(|error| unreadable(&error, bytes, self.file))?;
            let at = self.mark(event.start_mark);
            let done = match event.data {
                EventData::Scalar { anchor, tag, mut value, style, .. } => {
                    let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                    if block && event.end_mark.index >= self.unended && value.ends_with('\n') {
                        value.pop();
                    }
                    let quoted = !matches!(style, ScalarStyle::Plain | ScalarStyle::Any);
                    self.add(Shape::Scalar { text: value, quoted }, tag, anchor, at)?
                }
                EventData::Alias { anchor } => match self.anchors.get(&anchor) {
                    Some(&target) => self.add(Shape::Alias(target), None, None, at)?,
                    None => return fault(at, format!("there is no anchor &{anchor} before this alias")),
                },
                EventData::SequenceStart { anchor, tag, .. } => {
                    let id = self.add(Shape::List(Vec::new()), tag, anchor, at)?;
                    open.push(Open::List(id, Vec::new()));
                    deep(open.len(), at)?;
                    continue;
                }
                EventData::MappingStart { anchor, tag, .. } => {
                    let id = self.add(Shape::Map(Vec::new()), tag, anchor, at)?;
                    open.push(Open::Map(id, Vec::new(), None));
                    deep(open.len(), at)?;
                    continue;
                }
                EventData::SequenceEnd | EventData::MappingEnd => match open.pop() {
                    Some(Open::List(id, items)) => {
                        self.items[id].shape = Shape::List(items);
                        id
                    }
                    Some(Open::Map(id, pairs, _)) => {
                        self.items[id].shape = Shape::Map(pairs);
                        id
                    }
                    None => return fault(at, "not a YAML document"),
                },
                _ => return fault(at, "not a YAML document"),
            };
            match open.last_mut() {
                None => return Ok(done),
                Some(Open::List(_, items)) => items.push(done),
                Some(Open::Map(_, pairs, key)) => match key.take() {
                    Some(key) => pairs.push((key, done)),
                    None => *key = Some(done),
                },
            }
        }
    }
}

fn deep(depth: usize, at: Mark) -> Result<()> {
    if depth > budget::DEPTH {
        return fault(at, format!("nested too deep: more than {} levels", budget::DEPTH));
    }
    Ok(())
}

/// What is special about a place while the tree is built.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    /// Below `!override`, where tags have no meaning any more.
    Overridden,
    /// What a merge key brings in: its keys need not be texts.
    Merged,
}

/// How many values are made, and how many of them by aliases.
#[derive(Default)]
struct Made {
    all: usize,
    aliased: usize,
    /// How many aliases deep we are.
    depth: usize,
}

impl Made {
    /// A document of any size that is all aliases is no document.
    fn one(&mut self, at: Mark) -> Result<()> {
        self.all += 1;
        self.aliased += usize::from(self.depth > 0);
        if self.all > 1000 && self.aliased * 100 > self.all * 99 {
            return fault(at, "aliases of aliases make nearly all of this file: write less of them");
        }
        Ok(())
    }
}

struct Builder<'a> {
    items: &'a [Item],
    made: Made,
    /// Which items are being built: an alias to one of them would have no end.
    open: Vec<bool>,
    resets: Vec<Vec<String>>,
    budget: &'a mut Budget,
}

impl Builder<'_> {
    /// Nothing, if it is taken away.
    fn build(&mut self, id: usize, path: &Path<'_>, way: Way) -> Result<Option<Node>> {
        let items = self.items;
        let item = &items[id];
        deep(path.depth(), item.at)?;
        let mut below = way;
        if way != Way::Overridden {
            match item.tag {
                Tag::Reset => {
                    self.resets.push(keys(path));
                    return Ok(None);
                }
                Tag::Override => {
                    self.resets.push(keys(path));
                    below = Way::Overridden;
                }
                _ => {}
            }
        }
        self.made.one(item.at)?;
        if let Shape::Alias(target) = item.shape {
            if self.open[target] {
                return fault(item.at, "an anchor's value contains itself");
            }
            // What a merge key names is taken as if it stood there.
            let counted = usize::from(way != Way::Merged);
            self.made.depth += counted;
            let built = self.build(target, path, way)?;
            self.made.depth -= counted;
            return Ok(built.map(|node| Node { at: item.at, ..node }));
        }
        self.budget.nodes(1, item.at)?;
        if let Shape::Scalar { text, quoted } = &item.shape {
            self.budget.bytes(text.len(), item.at)?;
            return Ok(Some(Node::new(scalar_value(item, text, *quoted)?, item.at)));
        }
        if std::mem::replace(&mut self.open[id], true) {
            return fault(item.at, "an anchor's value contains itself");
        }
        let value = match &item.shape {
            Shape::List(list) => {
                let mut nodes = Vec::with_capacity(list.len());
                for (index, child) in list.iter().enumerate() {
                    nodes.extend(self.build(*child, &path.below(&index.to_string()), below)?);
                }
                Value::List(nodes)
            }
            Shape::Map(pairs) => Value::Map(Box::new(self.mapping(pairs, path, below)?)),
            Shape::Scalar { .. } | Shape::Alias(_) => Value::Null,
        };
        self.open[id] = false;
        Ok(Some(Node::new(value, item.at)))
    }

    fn mapping(&mut self, pairs: &[(usize, usize)], path: &Path<'_>, way: Way) -> Result<Map> {
        let mut map = Map::with_capacity(pairs.len());
        let mut seen: HashMap<String, Mark> = HashMap::with_capacity(pairs.len());
        let mut merged = None;
        for (key, value) in pairs {
            let at = self.items[*key].at;
            let Key { text, merge } = self.key(*key, way)?;
            if let Some(first) = seen.insert(text.clone(), at) {
                return fault(at, format!("the key \"{text}\" stands twice in this mapping, first in line {}", first.line));
            }
            self.made.one(at)?;
            if merge {
                merged = self.build_merge(*value, path, way)?;
                continue;
            }
            if let Some(mut node) = self.build(*value, &path.below(&text), if way == Way::Merged { Way::Plain } else { way })? {
                node.key = at;
                map.insert(text, node);
            }
        }
        for source in merged.into_iter().flatten() {
            for (key, node) in source {
                map.entry(key).or_insert(node);
            }
        }
        Ok(map)
    }

    /// The mappings that `<<` brings in, the strongest first.
    fn build_merge(&mut self, id: usize, path: &Path<'_>, way: Way) -> Result<Option<Vec<Map>>> {
        let at = self.items[id].at;
        let way = if way == Way::Overridden { way } else { Way::Merged };
        let Some(node) = self.build(id, path, way)? else { return Ok(None) };
        let wrong = || fault(at, "`<<` takes a mapping, or a list of mappings: `<<: *anchor` or `<<: [*one, *other]`");
        match node.value {
            Value::Map(map) => Ok(Some(vec![*map])),
            Value::List(list) => {
                let mut maps = Vec::new();
                for node in list {
                    match node.value {
                        Value::Map(map) => maps.push(*map),
                        _ => return wrong(),
                    }
                }
                Ok(Some(maps))
            }
            _ => wrong(),
        }
    }

    fn key(&self, id: usize, way: Way) -> Result<Key> {
        let mut item = &self.items[id];
        let at = item.at;
        if let Shape::Alias(target) = item.shape {
            item = &self.items[target];
        }
        let Shape::Scalar { text, quoted } = &item.shape else {
            return fault(at, "a key must be a text, not a list or a mapping");
        };
        if !quoted && item.tag == Tag::None && text == "<<" {
            return Ok(Key { text: text.clone(), merge: true });
        }
        let value = scalar_value(item, text, *quoted)?;
        match value {
            Value::Text(text) => Ok(Key { text, merge: false }),
            _ if way == Way::Merged => Ok(Key { text: text.clone(), merge: false }),
            _ => {
                let kind = Node::new(value, at).kind();
                fault(at, format!("a key must be a text, and `{text}` is {kind}: write \"{text}\""))
            }
        }
    }
}

struct Key {
    text: String,
    merge: bool,
}

fn scalar_value(item: &Item, text: &str, quoted: bool) -> Result<Value> {
    let tag = match &item.tag {
        Tag::None => Scalar::Untagged { quoted },
        Tag::Other(tag) => Scalar::Tagged { tag, quoted },
        Tag::Reset | Tag::Override => Scalar::Tagged { tag: "!", quoted },
    };
    scalar::value(text, tag).map_err(|what| Fault::new(item.at, what))
}

fn keys(path: &Path<'_>) -> Vec<String> {
    path.keys().into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
