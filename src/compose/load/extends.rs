//! Services that are made of others: of the same file, or of another. A base is copied whole, what the extending service says is merged
//! over it, and bases may have bases. A circle is refused.

use std::collections::HashMap;
use std::rc::Rc;

use super::super::fault::{Result, fault};
use super::super::files::{Unread, is_remote};
use super::super::node::{Map, Mark, Node, Path};
use super::super::{merge, paths};
use super::{Context, Depth, Loader, Source};

/// Chains of bases.
const LONGEST: usize = 60;

/// The files that bases are taken from, and the services that are whole already.
#[derive(Default)]
pub struct Bases {
    files: HashMap<(String, String), Rc<Origin>>,
    whole: HashMap<(usize, String), Node>,
    numbers: usize,
}

/// Where services come from.
struct Origin {
    number: usize,
    services: Map,
    /// What its file resets.
    resets: Rc<Vec<Vec<String>>>,
}

/// What is being extended, from the outermost on.
#[derive(Clone, Copy)]
struct Chain<'a> {
    above: Option<&'a Chain<'a>>,
    file: &'a str,
    service: &'a str,
    length: usize,
}

impl Chain<'_> {
    fn holds(&self, file: &str, service: &str) -> bool {
        (self.file == file && self.service == service) || self.above.is_some_and(|above| above.holds(file, service))
    }
}

/// What stays the same along a chain.
struct Walk<'a> {
    context: &'a Context,
    bases: &'a mut Bases,
    /// The file that is being read.
    path: &'a str,
}

impl Loader {
    pub(super) fn extend(
        &mut self,
        root: &mut Node,
        path: &str,
        resets: &[Vec<String>],
        context: &Context,
        bases: &mut Bases,
    ) -> Result<()> {
        let resets = Rc::new(resets.to_vec());
        for section in ["services", "jobs"] {
            let Some(node) = root.as_map_mut().and_then(|map| map.get_mut(section)) else { continue };
            let at = node.place();
            let Some(services) = node.as_map_mut() else { return fault(at, format!("{section} must be a mapping")) };
            for (name, service) in services.iter() {
                if service.as_map().is_none() && !service.is_null() {
                    return fault(service.place(), format!("{section}.{name} must be a mapping, and is {}", service.kind()));
                }
            }
            let extending: Vec<String> =
                services.iter().filter(|(_, service)| service.get("extends").is_some()).map(|(name, _)| name.clone()).collect();
            if extending.is_empty() {
                continue;
            }
            bases.numbers += 1;
            let origin =
                Rc::new(Origin { number: bases.numbers, services: std::mem::take(services), resets: Rc::clone(&resets) });
            let mut walk = Walk { context, bases: &mut *bases, path };
            let mut whole = Vec::with_capacity(extending.len());
            for name in extending {
                let service = self.whole(&origin, &name, &mut walk, None)?;
                whole.push((name, service));
            }
            let mut new = Rc::try_unwrap(origin).map_or_else(|origin| origin.services.clone(), |origin| origin.services);
            for (name, service) in whole {
                if let Some(slot) = new.get_mut(&name) {
                    *slot = Node { key: slot.key, ..service.unwrap_or_default() };
                }
            }
            *services = new;
        }
        Ok(())
    }

    /// A service with all of its bases; nothing if nothing stands there.
    fn whole(&mut self, origin: &Rc<Origin>, name: &str, walk: &mut Walk<'_>, above: Option<&Chain<'_>>) -> Result<Option<Node>> {
        let Some(service) = origin.services.get(name) else { return Ok(None) };
        let at = service.place();
        let Some(map) = service.as_map() else {
            return if service.is_null() { Ok(None) } else { fault(at, format!("services.{name} must be a mapping")) };
        };
        let Some(extends) = map.get("extends") else { return self.budget.copy(service).map(Some) };
        if let Some(whole) = walk.bases.whole.get(&(origin.number, name.to_owned())) {
            return self.budget.copy(whole).map(Some);
        }
        let at = extends.place();
        let (wanted, file) = match extends.as_text() {
            Some(text) => (text, None),
            None => {
                let Some(wanted) = extends.get("service").and_then(Node::as_text) else {
                    return fault(at, format!("services.{name}.extends needs the key `service`"));
                };
                match extends.get("file") {
                    None => (wanted, None),
                    Some(node) if node.is_null() => (wanted, None),
                    Some(node) => match node.as_text() {
                        Some(file) => (wanted, Some((file, node.place()))),
                        None => return fault(node.place(), format!("services.{name}.extends.file must be a path")),
                    },
                }
            }
        };
        let file_name = file.map_or(walk.path, |(file, _)| file);
        if above.is_some_and(|above| above.holds(file_name, name)) {
            return fault(at, format!("services.{name}.extends comes back to itself"));
        }
        let length = above.map_or(0, |above| above.length) + 1;
        if length > LONGEST {
            return fault(at, format!("services.{name}.extends: more than {LONGEST} services extend one another"));
        }
        let file_name = file_name.to_owned();
        let chain = Chain { above, file: &file_name, service: name, length };
        let base = match file {
            None => {
                if !origin.services.contains_key(wanted) {
                    return fault(at, format!("services.{name}.extends: there is no service `{wanted}` in this file"));
                }
                self.whole(origin, wanted, walk, Some(&chain))?
            }
            Some((file, place)) => {
                let origin = self.origin(file, name, place, walk)?;
                if !origin.services.contains_key(wanted) {
                    return fault(at, format!("services.{name}.extends: there is no service `{wanted}` in {file}"));
                }
                self.whole(&origin, wanted, walk, Some(&chain))?
            }
        };
        let extending = self.budget.copy(service)?;
        let Some(base) = base else { return Ok(Some(extending)) };
        let mut wrapped = Node::pairs(at, [("services", Node::pairs(at, [(name, base)]))]);
        merge::reset(&mut wrapped, &origin.resets);
        let kept = wrapped.as_map_mut().and_then(|map| map.get_mut("services")).and_then(Node::as_map_mut);
        let base = kept.and_then(|map| map.shift_remove(name)).unwrap_or_else(|| Node::map(Map::new(), at));
        let services = Path::ROOT.below("services");
        let mut merged = merge::merge(base, extending, &services.below("x"))?;
        if let Some(map) = merged.as_map_mut() {
            map.shift_remove("extends");
        }
        merged.at = service.at;
        let copy = self.budget.copy(&merged)?;
        walk.bases.whole.insert((origin.number, name.to_owned()), copy);
        Ok(Some(merged))
    }

    fn origin(&mut self, file: &str, name: &str, at: Mark, walk: &mut Walk<'_>) -> Result<Rc<Origin>> {
        if is_remote(file) {
            return fault(at, format!("services.{name}.extends.file: {}", Unread::Remote));
        }
        let context = walk.context;
        let path = absolute(&context.folder, file);
        // What the file names is relative to its own folder, which is seen from the project's.
        let working = seen_from(&context.folder, &paths::folder(file));
        let key = (path.clone(), working.clone());
        if let Some(known) = walk.bases.files.get(&key) {
            return Ok(Rc::clone(known));
        }
        let documents = self.open(&path, &format!("services.{name}.extends.file"), at)?;
        let mut model = Node::map(Map::new(), Mark::default());
        let mut resets = Vec::new();
        let source = Source { path, documents: None };
        for document in documents {
            resets.clone_from(&document.resets);
            model = self.document(document, &source.path, model, context, &mut Bases::default(), Depth::Base)?;
        }
        match model.get("services") {
            Some(services) if services.as_map().is_some() => {}
            Some(services) => return fault(services.place(), "services must be a mapping"),
            None => return fault(at, format!("services.{name}.extends: {file} has no services")),
        }
        self.resolve(&mut model, &working)?;
        let services = model.as_map_mut().and_then(|map| map.get_mut("services")).and_then(Node::as_map_mut);
        walk.bases.numbers += 1;
        let services = services.map(std::mem::take).unwrap_or_default();
        let origin = Rc::new(Origin { number: walk.bases.numbers, services, resets: Rc::new(resets) });
        walk.bases.files.insert(key, Rc::clone(&origin));
        Ok(origin)
    }
}

/// A folder as it is seen from another.
pub(super) fn seen_from(from: &str, folder: &str) -> String {
    let whole = absolute(from, folder);
    paths::relative(from, &whole).unwrap_or(whole)
}

pub(super) fn absolute(folder: &str, path: &str) -> String {
    if paths::is_absolute(path) { path.to_owned() } else { paths::join(folder, path) }
}
