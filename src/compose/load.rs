//! One model of several files: each is parsed, its variables replaced, its includes and bases brought in, and merged over what was before.
//! In this order always, since each step reads what the one before it made.

mod extends;
mod include;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::budget::Budget;
use super::fault::{Fault, Result, fault};
use super::files::Files;
use super::interpolate::tree::{Asked, Heard, interpolate};
use super::node::{Mark, Node, Path};
use super::paths::Resolver;
use super::yaml::{self, Document};
use super::{check, merge, short, unique, validate};

pub type Environment = BTreeMap<String, String>;

/// Compose files of a reading, each as often as it is read.
const FILES: u16 = 500;

/// What is shared by all files of a reading.
pub struct Loader {
    pub files: Files,
    pub budget: Budget,
    /// The files by number, as they are shown.
    pub names: Vec<String>,
    pub remarks: Vec<(Mark, String)>,
    /// More than one fault at a time, where that is known.
    pub faults: Vec<Fault>,
    pub home: Option<String>,
    /// The folder that shown paths are relative to.
    pub shown_from: String,
    included: include::Cache,
    /// The variables that are mentioned, if that is what the reading is for.
    pub asked: Option<Vec<Asked>>,
}

/// A file of a model, possibly parsed already.
pub struct Source {
    /// Its absolute path, or what stands for one.
    pub path: String,
    pub documents: Option<Vec<Document>>,
}

/// What holds for one model: the whole, or one that is included.
#[derive(Clone)]
pub struct Context {
    /// What relative paths are relative to: absolute for the whole, seen from there for what is included.
    pub working: String,
    /// Where other compose files are looked for; absolute.
    pub folder: String,
    pub environment: Rc<Environment>,
    /// The files that include this one, the outermost first.
    pub above: Vec<String>,
}

/// How much of the way a file goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Whole,
    /// Only to take a service from it.
    Base,
}

impl Loader {
    pub fn new(files: Files, home: Option<String>, shown_from: String) -> Self {
        Self {
            files,
            budget: Budget::default(),
            names: Vec::new(),
            remarks: Vec::new(),
            faults: Vec::new(),
            home,
            shown_from,
            included: include::Cache::default(),
            asked: None,
        }
    }

    /// Below the folder that people see, without it.
    pub fn shown(&self, path: &str) -> String {
        let inside = path.strip_prefix(&self.shown_from).and_then(|rest| rest.strip_prefix('/'));
        inside.unwrap_or(path).to_owned()
    }

    pub fn parse(&mut self, shown: String, bytes: &[u8]) -> Result<Vec<Document>> {
        let number = match u16::try_from(self.names.len()) {
            Ok(number) if number < FILES => number,
            _ => return fault(Mark::default(), format!("the project has more than {FILES} files")),
        };
        self.names.push(shown);
        yaml::documents(bytes, number, &mut self.budget)
    }

    /// Reads a file that another names at a place.
    fn open(&mut self, path: &str, what: &str, at: Mark) -> Result<Vec<Document>> {
        let shown = self.shown(path);
        match self.files.read(path) {
            Ok(bytes) => self.parse(shown, &bytes),
            Err(unread) => fault(at, format!("{what} `{shown}`: {unread}")),
        }
    }

    pub fn model(&mut self, sources: Vec<Source>, context: &Context) -> Result<Node> {
        let mut model = Node::map(super::node::Map::new(), Mark::default());
        let mut bases = extends::Bases::default();
        for source in sources {
            let documents = match source.documents {
                Some(documents) => documents,
                None => self.open(&source.path, "the compose file", Mark::default())?,
            };
            for document in documents {
                model = self.document(document, &source.path, model, context, &mut bases, Depth::Whole)?;
            }
        }
        short::defaults(&mut model, &Path::ROOT)?;
        validate::validate(&model)?;
        self.resolve(&mut model, &context.working)?;
        resolve_environment(&mut model, &context.environment);
        Ok(model)
    }

    fn resolve(&self, model: &mut Node, base: &str) -> Result<()> {
        let follow = |path: &str| self.files.follow(path);
        Resolver { base, home: self.home.as_deref(), follow: &follow }.resolve(model, &Path::ROOT)
    }

    fn document(
        &mut self,
        document: Document,
        path: &str,
        mut model: Node,
        context: &Context,
        bases: &mut extends::Bases,
        depth: Depth,
    ) -> Result<Node> {
        let Document { mut root, mut resets, .. } = document;
        if root.as_map().is_none() {
            return fault(
                root.place(),
                format!("a compose file is a mapping: `services:` and so on, and this is {}", root.kind()),
            );
        }
        let mut heard = Heard::default();
        heard.asked = self.asked.is_some().then(Vec::new);
        interpolate(&mut root, &|name| context.environment.get(name).cloned(), &mut self.budget, &mut heard);
        self.remarks.append(&mut heard.remarks);
        if let (Some(all), Some(asked)) = (&mut self.asked, heard.asked) {
            all.extend(asked);
        }
        if !heard.faults.is_empty() {
            return Err(self.several(heard.faults));
        }
        promote(&mut root)?;
        promote_resets(&mut resets);
        if depth == Depth::Whole {
            self.include(&mut root, path, &resets, context)?;
        }
        merge::reset(&mut model, &resets);
        if depth == Depth::Whole {
            self.extend(&mut root, path, &resets, context, bases)?;
        }
        model = merge::merge(model, root, &Path::ROOT)?;
        unique::unique(&mut model, &Path::ROOT)?;
        if depth == Depth::Whole {
            let faults = check::check(&model);
            if !faults.is_empty() {
                return Err(self.several(faults));
            }
            if let Some(version) = model.as_map_mut().and_then(|map| map.shift_remove("version")) {
                self.remarks.push((version.key, "`version` means nothing any more; remove it".into()));
            }
        }
        short::canonical(&mut model, &Path::ROOT, &mut self.budget)?;
        short::omit_empty(&mut model);
        unique::unique(&mut model, &Path::ROOT)?;
        Ok(model)
    }

    /// Keeps all but the first for the end.
    fn several(&mut self, mut faults: Vec<Fault>) -> Fault {
        let first = faults.remove(0);
        self.faults = faults;
        first
    }
}

/// What the specification has taken up since it was an extension.
fn promote(root: &mut Node) -> Result<()> {
    let services = root.as_map_mut().and_then(|map| map.get_mut("services")).and_then(Node::as_map_mut);
    for (name, service) in services.into_iter().flatten() {
        let Some(service) = service.as_map_mut() else { continue };
        let path = Path::ROOT.below("services");
        let path = path.below(name);
        rename(service, "x-develop", "develop", &path)?;
        let watched = service.get_mut("develop").and_then(Node::as_map_mut).and_then(|map| map.get_mut("watch"));
        for item in watched.and_then(Node::as_list_mut).into_iter().flatten() {
            if let Some(item) = item.as_map_mut() {
                rename(item, "x-initialSync", "initial_sync", &path)?;
            }
        }
    }
    Ok(())
}

fn rename(map: &mut super::node::Map, from: &str, to: &str, path: &Path<'_>) -> Result<()> {
    let Some(old) = map.shift_remove(from) else { return Ok(()) };
    let merged = match map.shift_remove(to) {
        Some(new) if !new.is_null() => merge::merge(old, new, &path.below(to))?,
        _ => old,
    };
    map.insert(to.to_owned(), merged);
    Ok(())
}

fn promote_resets(resets: &mut Vec<Vec<String>>) {
    for index in 0..resets.len() {
        if let [services, _, develop, ..] = &resets[index][..]
            && services == "services"
            && develop == "x-develop"
        {
            let mut renamed = resets[index].clone();
            renamed[2] = "develop".into();
            resets.push(renamed);
        }
    }
}

/// Variables without a value in lists take the environment's, where there is one; so do configs.
fn resolve_environment(model: &mut Node, environment: &Environment) {
    let Some(model) = model.as_map_mut() else { return };
    for section in ["services", "jobs"] {
        let containers = model.get_mut(section).and_then(Node::as_map_mut);
        for container in containers.into_iter().flat_map(|map| map.values_mut()) {
            let list = container.as_map_mut().and_then(|map| map.get_mut("environment")).and_then(Node::as_list_mut);
            let Some(list) = list else { continue };
            list.retain(|node| node.as_text().is_some());
            for node in list {
                let found = node.as_text().and_then(|name| Some(format!("{name}={}", environment.get(name)?)));
                if let Some(found) = found {
                    *node = Node::text(found, node.at);
                }
            }
        }
    }
    for config in model.get_mut("configs").and_then(Node::as_map_mut).into_iter().flat_map(|map| map.values_mut()) {
        let Some(config) = config.as_map_mut() else { continue };
        let named = config.get("environment").and_then(|node| Some((node.as_text()?, node.at)));
        if let Some((name, at)) = named
            && let Some(value) = environment.get(name)
        {
            config.insert("content".into(), Node::text(value.clone(), at));
        }
    }
}
