//! A reading from beginning to end: what was asked for, the project that came of it, or why there is none.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::{Map as Object, Value as Json};

use super::consistent::{self, Parts};
use super::fault::{Fault, Place, Refused, Result, Told, fault};
use super::files::{Access, Files};
use super::interpolate::substitute;
use super::interpolate::tree::Asked;
use super::load::{Context, Environment, Loader, Source};
use super::node::{Mark, Node};
use super::{canonical, normalize, paths};

/// A compose file that whoever asks for the reading names.
#[derive(Debug, Clone)]
pub enum Input {
    File(PathBuf),
    /// Its content, and what it is called.
    Text {
        name: String,
        text: String,
    },
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Reading {
    /// One over the other.
    pub files: Vec<Input>,
    /// The project's folder: absolute. What the files name is relative to it.
    pub folder: PathBuf,
    pub name: Option<String>,
    /// Those that are enabled; `*` is all. Without any, the variable `COMPOSE_PROFILES` names them.
    pub profiles: Vec<String>,
    /// Files of variables; without any, `.env` of the folder.
    pub env_files: Option<Vec<PathBuf>>,
    pub environment: BTreeMap<String, String>,
    /// Which files the compose files may name to be read.
    pub access: Access,
}

/// A project as its files describe it.
#[derive(Debug)]
pub struct Project {
    pub name: String,
    /// The canonical form, as `docker compose config --format json` has it.
    pub tree: Json,
    /// Remarks that do not keep it from being used.
    pub warnings: Vec<Told>,
    /// The variables that there were: the environment's, and those of `.env`.
    pub environment: BTreeMap<String, String>,
    /// Services that no profile enables, in the canonical form.
    pub disabled: Object<String, Json>,
    /// The language models, which the canonical form leaves out.
    pub models: Object<String, Json>,
    model: Node,
    names: Vec<String>,
}

impl Project {
    /// Where something of the tree is written, or the nearest thing around it: `["services", "web", "ports", "0"]`.
    pub fn place(&self, path: &[&str]) -> Option<Place> {
        (1..=path.len()).rev().find_map(|length| {
            let node = self.model.find(&path[..length])?;
            place(&self.names, node.key.or(node.at))
        })
    }
}

fn place(names: &[String], mark: Mark) -> Option<Place> {
    if !mark.known() {
        return None;
    }
    let file = names.get(usize::from(mark.file))?.clone();
    Some(Place { file, line: mark.line, column: mark.column })
}

pub fn read(reading: Reading) -> Result<Project, Refused> {
    read_with(reading, false).map(|(project, _)| project)
}

/// The project as it would be, and the variables that its files mention. One that has to be set and is not is no fault here.
pub fn survey(reading: Reading) -> Result<(Project, Vec<Asked>), Refused> {
    read_with(reading, true)
}

fn read_with(reading: Reading, asking: bool) -> Result<(Project, Vec<Asked>), Refused> {
    let folder = reading.folder.to_string_lossy().into_owned();
    let home = reading.environment.get("HOME").filter(|home| !home.is_empty()).cloned();
    let mut loader = Loader::new(Files::new(reading.access.clone()), home, folder.clone());
    loader.asked = asking.then(Vec::new);
    let told = |loader: &Loader, fault: &Fault| Told { place: place(&loader.names, fault.at), text: fault.text.clone() };
    match project(reading, &folder, &mut loader) {
        Ok(mut project) => {
            project.warnings = warnings(&loader);
            project.names = std::mem::take(&mut loader.names);
            Ok((project, loader.asked.take().unwrap_or_default()))
        }
        Err(first) => {
            let rest = std::mem::take(&mut loader.faults);
            Err(Refused(std::iter::once(&first).chain(&rest).map(|fault| told(&loader, fault)).collect()))
        }
    }
}

/// Each once: a file may be read more than once on the way.
fn warnings(loader: &Loader) -> Vec<Told> {
    let mut remarks = loader.remarks.clone();
    remarks.sort();
    remarks.dedup();
    remarks.into_iter().map(|(at, text)| Told { place: place(&loader.names, at), text }).collect()
}

fn project(reading: Reading, folder: &str, loader: &mut Loader) -> Result<Project> {
    let Reading { files, name, mut profiles, env_files, mut environment, .. } = reading;
    dot_env(loader, env_files, folder, &mut environment)?;
    if profiles.is_empty()
        && let Some(named) = environment.get("COMPOSE_PROFILES")
    {
        profiles = named.split(',').map(|profile| profile.trim().to_owned()).collect();
    }
    let mut sources = Vec::with_capacity(files.len());
    for input in files {
        sources.push(open(loader, input, folder)?);
    }
    if sources.is_empty() {
        return fault(Mark::default(), "there is no compose file");
    }
    let name = project_name(name, &sources, folder, &environment)?;
    environment.insert("COMPOSE_PROJECT_NAME".into(), name.clone());
    let environment = Rc::new(environment);
    let context = Context {
        working: folder.to_owned(),
        folder: folder.to_owned(),
        environment: Rc::clone(&environment),
        above: Vec::new(),
    };
    let mut model = loader.model(sources, &context)?;
    if model.as_map().is_none_or(|map| map.is_empty()) {
        return fault(Mark { file: 0, line: 1, column: 1 }, "the compose file is empty");
    }
    if name.is_empty() {
        let at = model.get("name").map(Node::place).unwrap_or_default();
        return fault(at, "the project has no name: write `name:` at the top of the file, in letters and digits, or give one");
    }
    normalize::normalize(&mut model, &name, &environment, &mut loader.budget)?;
    let mut json = canonical::canonical(&model)?;
    let disabled = take_disabled(&mut json, "services", &profiles);
    let disabled_jobs = take_disabled(&mut json, "jobs", &profiles);
    json.entry("services").or_insert_with(|| Json::Object(Object::new()));
    consistent::consistent(&mut Parts { json: &mut json, disabled: &disabled, disabled_jobs: &disabled_jobs, model: &model })?;
    let nothing = Node::default();
    for (service, node) in json.get_mut("services").and_then(Json::as_object_mut).into_iter().flatten() {
        let written = model.find(&["services", service]).unwrap_or(&nothing);
        if let Some(node) = node.as_object_mut() {
            with_env_files(loader, service, node, written, &environment)?;
            with_label_files(loader, service, node, written)?;
        }
    }
    let models = match json.remove("models") {
        Some(Json::Object(models)) => models,
        _ => Object::new(),
    };
    for (section, key) in [("configs", "environment"), ("secrets", "environment")] {
        for thing in json.get_mut(section).and_then(Json::as_object_mut).into_iter().flat_map(Object::values_mut) {
            // The value comes from outside and is nobody's business here.
            if let Some(thing) = thing.as_object_mut()
                && thing.contains_key(key)
            {
                thing.remove("content");
            }
        }
    }
    json.retain(|name, value| {
        name == "services" || name.starts_with("x-") || value.as_object().is_none_or(|map| !map.is_empty())
    });
    json.insert("name".into(), Json::from(name.as_str()));
    let environment = Rc::unwrap_or_clone(environment);
    Ok(Project { name, tree: Json::Object(json), warnings: Vec::new(), environment, disabled, models, model, names: Vec::new() })
}

/// Adds what a folder's `.env` holds, for whoever needs it before there is a reading.
pub fn variables(folder: &std::path::Path, environment: &mut Environment) -> Result<(), Refused> {
    let folder = folder.to_string_lossy().into_owned();
    let mut loader = Loader::new(Files::new(Access::Below(folder.clone().into())), None, folder.clone());
    dot_env(&mut loader, None, &folder, environment)
        .map_err(|fault| Refused(vec![Told { place: place(&loader.names, fault.at), text: fault.text }]))
}

fn dot_env(loader: &mut Loader, files: Option<Vec<PathBuf>>, folder: &str, environment: &mut Environment) -> Result<()> {
    let mut added = Environment::new();
    match files {
        None => {
            let usual = paths::join(folder, ".env");
            if loader.files.has(&usual) {
                let outer = |name: &str| environment.get(name).cloned();
                loader.variables_of(&usual, "the project's", Mark::default(), &mut added, &outer)?;
            }
        }
        Some(files) => {
            for file in files {
                let shown = file.to_string_lossy().into_owned();
                let bytes = match loader.files.read_given(&file) {
                    Ok(bytes) => bytes,
                    Err(unread) => return fault(Mark::default(), format!("the file of variables `{shown}`: {unread}")),
                };
                loader.variables_in(&bytes, shown, &mut added, &|name| environment.get(name).cloned())?;
            }
        }
    }
    for (name, value) in added {
        environment.entry(name).or_insert(value);
    }
    Ok(())
}

fn open(loader: &mut Loader, input: Input, folder: &str) -> Result<Source> {
    let (path, shown, bytes) = match input {
        Input::Text { name, text } => (name.clone(), name, text.into_bytes()),
        Input::File(file) => {
            let shown = file.to_string_lossy().into_owned();
            let whole = std::path::absolute(&file).unwrap_or(file.clone());
            match loader.files.read_given(&file) {
                Ok(bytes) => (paths::clean(&whole.to_string_lossy()), shown, bytes),
                Err(unread) => return fault(Mark::default(), format!("`{shown}`: {unread}")),
            }
        }
    };
    let _ = folder;
    let documents = loader.parse(shown, &bytes)?;
    Ok(Source { path, documents: Some(documents) })
}

/// Small letters, digits, `-` and `_`, the last two not in front.
fn normal(name: &str) -> String {
    let lower = name.to_lowercase();
    let kept: String = lower.chars().filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_')).collect();
    kept.trim_start_matches(['-', '_']).to_owned()
}

fn project_name(asked: Option<String>, sources: &[Source], folder: &str, environment: &Environment) -> Result<String> {
    let asked = asked.filter(|name| !name.is_empty());
    let from_environment = environment.get("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty()).cloned();
    if let Some(name) = asked.or(from_environment) {
        if normal(&name) != name {
            return fault(
                Mark::default(),
                format!(
                    "`{name}` is no name for a project: small letters, digits, `-` and `_` are, with a letter or digit first"
                ),
            );
        }
        return Ok(name);
    }
    let documents = sources.iter().flat_map(|source| source.documents.iter().flatten());
    if let Some((text, at)) = documents.filter_map(|document| document.name.as_ref()).rfind(|(text, _)| !text.is_empty()) {
        let lookup = |name: &str| environment.get(name).cloned();
        let name = match substitute(text, &lookup, &mut Vec::new()) {
            Ok(name) => normal(&name),
            Err(wrong) => return fault(*at, format!("name: {wrong}")),
        };
        return Ok(name);
    }
    Ok(normal(folder.rsplit('/').next().unwrap_or_default()))
}

fn take_disabled(json: &mut Object<String, Json>, section: &str, profiles: &[String]) -> Object<String, Json> {
    let Some(things) = json.get_mut(section).and_then(Json::as_object_mut) else { return Object::new() };
    let enabled = |thing: &Json| match thing.get("profiles").and_then(Json::as_array) {
        None => true,
        Some(own) => profiles.iter().any(|profile| profile == "*" || own.iter().any(|own| own.as_str() == Some(profile))),
    };
    let mut disabled = Object::new();
    for (name, thing) in std::mem::take(things) {
        if enabled(&thing) {
            things.insert(name, thing)
        } else {
            disabled.insert(name, thing)
        };
    }
    disabled
}

/// What stands in `env_file` comes below `environment`.
fn with_env_files(
    loader: &mut Loader,
    service: &str,
    json: &mut Object<String, Json>,
    written: &Node,
    environment: &Environment,
) -> Result<()> {
    let mut own = match json.remove("environment") {
        Some(Json::Object(own)) => own,
        _ => Object::new(),
    };
    for (name, value) in &mut own {
        if value.is_null()
            && let Some(found) = environment.get(name)
        {
            *value = Json::from(found.as_str());
        }
    }
    let files: Vec<Json> = json.get("env_file").and_then(Json::as_array).cloned().unwrap_or_default();
    if !files.is_empty() {
        let texts = own.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let mut all: Environment = texts.collect();
        let lookup = |name: &str| {
            let own = || own.get(name).and_then(Json::as_str).map(str::to_owned);
            environment.get(name).cloned().or_else(own)
        };
        for (index, file) in files.iter().enumerate() {
            let path = file.get("path").and_then(Json::as_str).unwrap_or_default();
            let at = written.find(&["env_file", &index.to_string()]).map(Node::place).unwrap_or_default();
            let what = format!("services.{service}.env_file");
            let optional = file.get("required") == Some(&Json::Bool(false));
            if optional && !loader.files.exists(path) {
                continue;
            }
            match file.get("format").and_then(Json::as_str) {
                None => loader.variables_of(path, &what, at, &mut all, &lookup)?,
                Some("raw") => loader.raw_variables_of(path, &what, at, &mut all, &lookup)?,
                Some(format) => {
                    let format: String = format.chars().take(20).collect();
                    return fault(at, format!("{what}: the format `{format}` is not known; `raw` is, or leave it out"));
                }
            }
        }
        for (name, value) in all {
            own.entry(name).or_insert(Json::from(value));
        }
    }
    if !own.is_empty() {
        json.insert("environment".into(), Json::Object(own));
    }
    Ok(())
}

fn with_label_files(loader: &mut Loader, service: &str, json: &mut Object<String, Json>, written: &Node) -> Result<()> {
    let files: Vec<Json> = json.get("label_file").and_then(Json::as_array).cloned().unwrap_or_default();
    if files.is_empty() {
        return Ok(());
    }
    let mut all = Environment::new();
    for (index, file) in files.iter().enumerate() {
        let at = written.find(&["label_file", &index.to_string()]).map(Node::place).unwrap_or_default();
        let what = format!("services.{service}.label_file");
        let mut of_file = Environment::new();
        let before = all.clone();
        loader.variables_of(file.as_str().unwrap_or_default(), &what, at, &mut of_file, &|name| before.get(name).cloned())?;
        all.append(&mut of_file);
    }
    let mut labels: Object<String, Json> = all.into_iter().map(|(name, value)| (name, Json::from(value))).collect();
    if let Some(Json::Object(mut own)) = json.remove("labels") {
        labels.append(&mut own);
    }
    if !labels.is_empty() {
        json.insert("labels".into(), Json::Object(labels));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
