//! Compose files that bring in others. What is included is a model of its own, with its own folder and variables, and is joined to the
//! one that includes it; what both define is merged. Nothing is fetched, and a circle is refused.

use std::collections::HashMap;
use std::rc::Rc;

use super::super::fault::{Fault, Result, fault};
use super::super::files::{Unread, is_remote};
use super::super::node::{Map, Mark, Node, Path, Value};
use super::super::{dotenv, merge, paths};
use super::extends::{absolute, seen_from};
use super::{Context, Environment, Loader, Source};

/// Includes in includes.
const DEEPEST: usize = 30;

/// What people write for no file at all. It is not opened either.
const NOTHING: &str = "/dev/null";

#[derive(Default)]
pub struct Cache(HashMap<Key, Node>);

/// What an included model depends on.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    paths: Vec<String>,
    working: String,
    folder: String,
    environment: Rc<Environment>,
}

/// One entry of the list.
struct Entry {
    paths: Vec<(String, Mark)>,
    folder: String,
    env_files: Vec<(String, Mark)>,
    at: Mark,
}

const SECTIONS: [&str; 7] = ["services", "jobs", "volumes", "networks", "secrets", "configs", "models"];

impl Loader {
    pub(super) fn include(&mut self, root: &mut Node, path: &str, resets: &[Vec<String>], context: &Context) -> Result<()> {
        let Some(includes) = root.as_map_mut().and_then(|map| map.shift_remove("include")) else { return Ok(()) };
        let mut above = context.above.clone();
        above.push(path.to_owned());
        for entry in entries(includes)? {
            let imported = self.included(entry, &above, context)?;
            self.import(imported, root, resets)?;
        }
        Ok(())
    }

    fn included(&mut self, entry: Entry, above: &[String], context: &Context) -> Result<Node> {
        let at = entry.at;
        if above.len() > DEEPEST {
            return fault(at, format!("more than {DEEPEST} files include one another"));
        }
        let mut found = Vec::with_capacity(entry.paths.len());
        let (mut working, mut folder) = (String::new(), entry.folder);
        for (index, (path, at)) in entry.paths.iter().enumerate() {
            if is_remote(path) {
                return fault(*at, format!("include `{path}`: {}", Unread::Remote));
            }
            let whole = absolute(&context.folder, path);
            if index == 0 {
                if folder.is_empty() {
                    working = seen_from(&context.folder, &paths::folder(&whole));
                    folder = paths::folder(&whole);
                } else if paths::is_absolute(&folder) {
                    working.clone_from(&folder);
                } else {
                    working = seen_from(&context.folder, &folder);
                    folder = paths::join(&context.working, &folder);
                    folder = absolute(&self.shown_from.clone(), &folder);
                }
                if above.contains(&whole) {
                    return fault(*at, format!("include `{path}` comes back to itself"));
                }
            }
            found.push((whole, *at));
        }
        let environment = self.variables(&entry.env_files, &folder, context, at)?;
        let key = Key {
            paths: found.iter().map(|(path, _)| path.clone()).collect(),
            working: working.clone(),
            folder: folder.clone(),
            environment: Rc::clone(&environment),
        };
        if let Some(known) = self.included.0.get(&key) {
            return self.budget.copy(known);
        }
        let mut sources = Vec::with_capacity(found.len());
        for (path, at) in found {
            let documents = self.open(&path, "include", at)?;
            sources.push(Source { path, documents: Some(documents) });
        }
        let model = self.model(sources, &Context { working, folder, environment, above: above.to_vec() })?;
        let copy = self.budget.copy(&model)?;
        self.included.0.insert(key, copy);
        Ok(model)
    }

    /// The variables of an included model: those of the including one, and what its own files add.
    fn variables(&mut self, files: &[(String, Mark)], folder: &str, context: &Context, at: Mark) -> Result<Rc<Environment>> {
        let mut paths = Vec::new();
        if files.is_empty() {
            let usual = paths::join(folder, ".env");
            if self.files.has(&usual) {
                paths.push((usual, at));
            }
        }
        for (path, at) in files.iter().filter(|(path, _)| path != NOTHING) {
            let whole = if paths::is_absolute(path) { path.clone() } else { paths::join(&context.working, path) };
            paths.push((absolute(&self.shown_from.clone(), &whole), *at));
        }
        if paths.is_empty() {
            return Ok(Rc::clone(&context.environment));
        }
        let mut added = Environment::new();
        for (path, at) in paths {
            self.variables_of(&path, "include.env_file", at, &mut added, &|name| context.environment.get(name).cloned())?;
        }
        let mut all = (*context.environment).clone();
        for (name, value) in added {
            all.entry(name).or_insert(value);
        }
        Ok(Rc::new(all))
    }

    /// Adds what a file of variables holds.
    pub fn variables_of(
        &mut self,
        path: &str,
        what: &str,
        at: Mark,
        variables: &mut Environment,
        outer: &dyn Fn(&str) -> Option<String>,
    ) -> Result<()> {
        let shown = self.shown(path);
        if path == NOTHING {
            return Ok(());
        }
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(unread) => return fault(at, format!("{what} `{shown}`: {unread}")),
        };
        self.variables_in(&bytes, shown, variables, outer)
    }

    /// The same for a file whose lines are taken as they are: no quotes, no variables.
    pub fn raw_variables_of(
        &mut self,
        path: &str,
        what: &str,
        at: Mark,
        variables: &mut Environment,
        outer: &dyn Fn(&str) -> Option<String>,
    ) -> Result<()> {
        let shown = self.shown(path);
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(unread) => return fault(at, format!("{what} `{shown}`: {unread}")),
        };
        let read = dotenv::read_raw(&String::from_utf8_lossy(&bytes), variables, outer);
        read.or_else(|wrong| self.in_file(shown, wrong))
    }

    /// A fault points into the file itself.
    pub fn variables_in(
        &mut self,
        bytes: &[u8],
        shown: String,
        variables: &mut Environment,
        outer: &dyn Fn(&str) -> Option<String>,
    ) -> Result<()> {
        let text = String::from_utf8_lossy(bytes);
        dotenv::read(&text, variables, outer).or_else(|wrong| self.in_file(shown, wrong))
    }

    fn in_file(&mut self, shown: String, wrong: dotenv::Wrongly) -> Result<()> {
        let file = u16::try_from(self.names.len()).unwrap_or(u16::MAX);
        self.names.push(shown);
        fault(Mark { file, line: wrong.line, column: 1 }, wrong.text)
    }

    fn import(&mut self, imported: Node, root: &mut Node, resets: &[Vec<String>]) -> Result<()> {
        let Value::Map(mut imported) = imported.value else { return Ok(()) };
        let Some(root) = root.as_map_mut() else { return Ok(()) };
        for section in SECTIONS {
            let Some(Node { value: Value::Map(from), at, key }) = imported.shift_remove(section) else { continue };
            let to = root.entry(section.to_owned()).or_insert_with(|| Node { key, ..Node::map(Map::new(), at) });
            let place = to.place();
            let Some(to) = to.as_map_mut() else { return fault(place, format!("{section} must be a mapping")) };
            for (name, node) in *from {
                let Some(own) = to.get_mut(&name) else {
                    to.insert(name, node);
                    continue;
                };
                if *own == node {
                    continue;
                }
                let mut wrapped = Node::pairs(at, [(section, Node::pairs(at, [(&name, node)]))]);
                merge::reset(&mut wrapped, resets);
                let kept = wrapped.as_map_mut().and_then(|map| map.get_mut(section)).and_then(Node::as_map_mut);
                let node = kept.and_then(|map| map.shift_remove(&name)).unwrap_or_default();
                let path = Path::ROOT.below(section);
                let over = std::mem::take(own);
                *own = merge::merge(node, over, &path.below(&name))?;
            }
        }
        Ok(())
    }
}

const RIGHT: &str = "write `- path: FILE`, possibly with `project_directory` and `env_file`";

fn entries(node: Node) -> Result<Vec<Entry>> {
    let at = node.place();
    let list = match node.value {
        Value::List(list) => list,
        Value::Null => return Ok(Vec::new()),
        _ => return fault(at, "include must be a list of paths: `- other/compose.yaml`"),
    };
    list.into_iter().map(entry).collect()
}

fn entry(node: Node) -> Result<Entry> {
    let at = node.place();
    let map = match node.value {
        Value::Text(path) => {
            return Ok(Entry { paths: vec![(path, at)], folder: String::new(), env_files: Vec::new(), at });
        }
        Value::Map(map) => map,
        Value::Null => Box::default(),
        _ => return fault(at, format!("an entry of include is a path or a mapping; {RIGHT}")),
    };
    let texts = |key: &str| -> Result<Vec<(String, Mark)>> {
        let Some(node) = map.get(key) else { return Ok(Vec::new()) };
        let wrong = |node: &Node| Fault::new(node.place(), format!("include.{key} takes a path or a list of paths; {RIGHT}"));
        match &node.value {
            Value::Null => Ok(Vec::new()),
            Value::Text(text) => Ok(vec![(text.clone(), node.at)]),
            Value::List(list) => {
                list.iter().map(|node| node.as_text().map(|text| (text.to_owned(), node.at)).ok_or_else(|| wrong(node))).collect()
            }
            _ => Err(wrong(node)),
        }
    };
    let folder = match map.get("project_directory").map(|node| (&node.value, node.place())) {
        None | Some((Value::Null, _)) => String::new(),
        Some((Value::Text(folder), _)) => folder.clone(),
        Some((_, at)) => return fault(at, "include.project_directory must be a path"),
    };
    Ok(Entry { paths: texts("path")?, folder, env_files: texts("env_file")?, at })
}
