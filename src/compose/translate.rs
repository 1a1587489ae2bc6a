//! From a resolved compose project to workloads: what runs, what it is given, how it is found, what it waits for, and what of the
//! file a cluster cannot have.
//!
//! Invariants: pure, so that the same project, files and options give the same workloads; every key of a service is read, stands
//! among those that mean nothing, or is told in a warning; no warning holds a secret. Knows nothing of Kubernetes' objects, and
//! reads no file: what a project's files hold is asked of [`Sources`].

mod binds;
mod check;
mod command;
mod depends;
mod deploy;
mod environment;
mod fields;
mod files;
pub mod keys;
mod kompose;
pub mod names;
mod networks;
mod ports;
mod resources;
mod security;
mod stop;
mod storage;
mod stores;
#[cfg(test)]
mod tests;
mod texts;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use self::fields::Fields;
use self::names::Names;
use crate::model::workload::{Bundle, Claim, Expose, FileSet, Warning, Workload};

/// What the project's files hold, as whoever read the project found it.
pub trait Sources {
    fn look(&self, path: &str) -> Found<'_>;
    /// All files below a folder of the project, if they are few and small enough to be read.
    fn folder(&self, _path: &str) -> Option<Vec<Entry<'_>>> {
        None
    }
    /// How people are told of a path: from the project's folder on.
    fn shown<'p>(&self, path: &'p str) -> &'p str {
        path
    }
    /// What a variable of the environment is that the project was read in.
    fn variable(&self, name: &str) -> Option<&str>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    File {
        content: &'a [u8],
        executable: bool,
    },
    /// A file, but larger than what was to be read.
    Large,
    Folder,
    /// Not in the project's folder, so it was not looked at.
    Outside,
    Missing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// From the folder on: `conf.d/site.conf`.
    pub path: &'a str,
    pub content: &'a [u8],
    pub executable: bool,
}

/// Knows no file and no variable.
pub struct Nothing;

impl Sources for Nothing {
    fn look(&self, _: &str) -> Found<'_> {
        Found::Outside
    }

    fn variable(&self, _: &str) -> Option<&str> {
        None
    }
}

#[derive(Debug, Clone, Default)]
pub struct Options {
    /// In place of the project's own name.
    pub name: Option<String>,
    /// None is all of them.
    pub only: Option<BTreeSet<String>>,
    /// For services that say nothing else.
    pub all: ServiceOptions,
    pub services: BTreeMap<String, ServiceOptions>,
}

#[derive(Debug, Clone, Default)]
pub struct ServiceOptions {
    /// In place of the service's own name.
    pub name: Option<String>,
    pub replicas: Option<u32>,
    pub expose: Option<Expose>,
    /// Asked by HTTP, in place of the check in the file.
    pub health_path: Option<String>,
    /// Restart what fails its check.
    pub live: Option<bool>,
    /// Variables that are set, or set to something else.
    pub set: BTreeMap<String, String>,
    /// Variables that are secrets, or are none, whatever they look like.
    pub secret: BTreeSet<String>,
    pub plain: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub struct Translation {
    pub bundle: Bundle,
    /// In the order of services, those of the whole file first.
    pub warnings: Vec<Warning>,
}

/// Turns a project, shaped like `docker compose config --format json`, into workloads.
pub fn translate(project: &Value, sources: &dyn Sources, options: &Options) -> Translation {
    let mut project = Project::of(project, sources, options);
    project.referrers = project.referring();
    project.top();
    project.unused();
    project.networks();
    let mut made = Made::default();
    let mut workloads = Vec::with_capacity(project.services.map_or(0, Map::len));
    for (name, value) in project.services.into_iter().flatten() {
        if options.only.as_ref().is_none_or(|only| only.contains(name)) {
            workloads.extend(One::of(&project, name, value).workload(&mut made));
        }
    }
    project.aliases(&mut workloads);
    project.sharing(&mut made, &workloads);
    let workloads = project.ordered(workloads);
    let mut warnings = project.warnings.into_inner();
    warnings.sort();
    warnings.dedup();
    let (claims, sets) = (made.claims.into_values().collect(), made.sets.into_values().collect());
    Translation { bundle: Bundle { name: project.label, workloads, claims, sets }, warnings }
}

/// What services make together.
#[derive(Default)]
struct Made {
    claims: BTreeMap<String, Claim>,
    /// By whether they are secret, and name.
    sets: BTreeMap<(bool, String), FileSet>,
}

struct Project<'a> {
    /// A label.
    label: String,
    root: Fields<'a>,
    services: Option<&'a Map<String, Value>>,
    names: Names,
    volumes: Option<&'a Map<String, Value>>,
    volume_names: Names,
    configs: Option<&'a Map<String, Value>>,
    config_names: Names,
    secrets: Option<&'a Map<String, Value>>,
    secret_names: Names,
    /// What others wait for until it has ended well.
    completed: BTreeSet<&'a str>,
    sources: &'a dyn Sources,
    options: &'a Options,
    warnings: RefCell<Vec<Warning>>,
    /// Who names which service that is called otherwise in the cluster.
    referrers: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Project<'a> {
    fn of(value: &'a Value, sources: &'a dyn Sources, options: &'a Options) -> Self {
        let root = Fields::of(Some(value));
        let map = |key| root.get(key).and_then(Value::as_object);
        let named = |map: Option<&'a Map<String, Value>>| Names::of(map.into_iter().flatten().map(|(name, _)| name.as_str()));
        let (services, volumes, configs, secrets) = (map("services"), map("volumes"), map("configs"), map("secrets"));
        let own = |name: &'a String| options.services.get(name).and_then(|o| o.name.as_deref()).unwrap_or(name);
        let names = Names::of(services.into_iter().flatten().map(|(name, _)| own(name)));
        let mut completed = BTreeSet::new();
        for (_, service) in services.into_iter().flatten() {
            for (on, wait) in service.get("depends_on").and_then(Value::as_object).into_iter().flatten() {
                if wait.get("condition").and_then(Value::as_str) == Some("service_completed_successfully") {
                    completed.insert(on.as_str());
                }
            }
        }
        let written = options.name.as_deref().or_else(|| root.text("name")).unwrap_or("project");
        Self {
            label: names::label(written),
            services,
            names,
            volumes,
            volume_names: named(volumes),
            configs,
            config_names: named(configs),
            secrets,
            secret_names: named(secrets),
            completed,
            sources,
            options,
            warnings: RefCell::default(),
            referrers: BTreeMap::new(),
            root,
        }
    }

    fn warn(&self, service: Option<&str>, key: &str, text: String) {
        let (service, key) = (service.map(str::to_owned), key.to_owned());
        self.warnings.borrow_mut().push(Warning { service, key, text });
    }

    fn service(&self, name: &str) -> Option<&'a Value> {
        self.services?.get(name)
    }

    /// What a service is called in the cluster.
    fn name_of(&self, service: &str) -> String {
        let own = self.options.services.get(service).and_then(|o| o.name.as_deref()).unwrap_or(service);
        self.names.get(own)
    }

    /// Services that name one which has another name in the cluster, in a variable or a command. As a whole word: `db_1` does not
    /// name `db`.
    fn referring(&self) -> BTreeMap<&'a str, Vec<&'a str>> {
        let all = || self.services.into_iter().flatten();
        let renamed: BTreeSet<&str> = all().map(|(name, _)| name.as_str()).filter(|name| self.name_of(name) != *name).collect();
        let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in all().filter(|_| !renamed.is_empty()) {
            let variables = value.get("environment").and_then(Value::as_object).into_iter().flatten();
            let words = value.get("command").and_then(Value::as_array).into_iter().flatten();
            for text in variables.map(|(_, value)| value).chain(words).filter_map(Value::as_str) {
                for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')) {
                    let Some(other) = renamed.get(word).filter(|other| *other != name) else { continue };
                    let by = found.entry(other).or_default();
                    if by.last() != Some(&name.as_str()) {
                        by.push(name);
                    }
                }
            }
        }
        found
    }

    /// Whether something of the top level is called in Docker as it is when nobody says how.
    fn is_usual(&self, written: &str, key: &str) -> bool {
        let own = |project: &str| written.strip_prefix(project).and_then(|rest| rest.strip_prefix('_')) == Some(key);
        written == key || self.root.text("name").is_none_or(own)
    }

    /// What stands at the top level, and no service asks for.
    fn unused(&self) {
        let mut used: BTreeSet<(&str, &str)> = BTreeSet::new();
        let text = |value: &'a Value, key: &str| value.as_str().or_else(|| value.get(key)?.as_str());
        for (_, service) in self.services.into_iter().flatten() {
            let list = |of: &'a Value, key: &str| of.get(key).and_then(Value::as_array).into_iter().flatten();
            let build = service.get("build").unwrap_or(&Value::Null);
            used.extend(list(service, "volumes").filter_map(|value| Some(("volumes", text(value, "source")?))));
            used.extend(list(service, "configs").filter_map(|value| Some(("configs", text(value, "source")?))));
            used.extend(
                list(service, "secrets")
                    .chain(list(build, "secrets"))
                    .filter_map(|value| Some(("secrets", text(value, "source")?))),
            );
            let networks = service.get("networks").and_then(Value::as_object).into_iter().flatten();
            used.extend(networks.map(|(name, _)| ("networks", name.as_str())));
        }
        for (section, kind) in [("volumes", "volume"), ("configs", "config"), ("secrets", "secret"), ("networks", "network")] {
            for (name, _) in self.root.map(section).filter(|(name, _)| !used.contains(&(section, *name))) {
                // Everybody is on it who names none.
                if (section, name) != ("networks", "default") {
                    self.warn(None, &format!("{section}.{name}"), texts::unused(kind));
                }
            }
        }
    }

    /// The keys of the file itself.
    fn top(&self) {
        // Where the release has a name of its own, the file's is nobody's.
        for key in ["name", "networks", "version", "include"] {
            self.root.get(key);
        }
        for key in self.root.rest() {
            self.warn(None, key, texts::unknown_top(key));
        }
    }
}

/// A service that is being translated.
struct One<'a> {
    project: &'a Project<'a>,
    name: &'a str,
    label: String,
    fields: Fields<'a>,
    own: Option<&'a ServiceOptions>,
    /// Where something is mounted already.
    mounted: RefCell<BTreeSet<String>>,
}

impl<'a> One<'a> {
    fn of(project: &'a Project<'a>, name: &'a str, value: &'a Value) -> Self {
        let own = project.options.services.get(name);
        Self { project, name, label: project.name_of(name), fields: Fields::of(Some(value)), own, mounted: RefCell::default() }
    }

    fn warn(&self, key: &str, text: String) {
        self.project.warn(Some(self.name), key, text);
    }

    /// What the service's own options say, or those for all.
    fn option<T>(&self, get: impl Fn(&'a ServiceOptions) -> Option<T>) -> Option<T> {
        self.own.and_then(&get).or_else(|| get(&self.project.options.all))
    }

    fn workload(&self, made: &mut Made) -> Option<Workload> {
        let mut workload = Workload { service: self.name.to_owned(), name: self.label.clone(), ..Workload::default() };
        if let Some(provider) = self.fields.get("provider") {
            self.warn("provider", texts::provider(provider.get("type").and_then(Value::as_str).unwrap_or("something else")));
            return None;
        }
        workload.image = self.image()?;
        workload.store = stores::is_store(&workload.image);
        self.renaming();
        self.ports(&mut workload);
        self.labelled_reach(&mut workload);
        self.networks(&mut workload);
        self.security(&mut workload);
        self.environment(&mut workload);
        self.command(&mut workload);
        self.labelled_pods(&mut workload);
        self.check(&mut workload);
        self.mounts(&mut workload, made);
        self.resources(&mut workload);
        self.metadata(&mut workload);
        self.deploy(&mut workload);
        self.kept(&mut workload);
        self.stop(&mut workload);
        self.waits(&mut workload);
        self.labelled_rest();
        self.rest();
        Some(workload)
    }

    /// The image, or what it would be called once it is built.
    fn image(&self) -> Option<String> {
        let built = self.fields.get("build").is_some();
        match self.fields.text("image") {
            Some(image) => {
                if built {
                    self.warn("build", texts::build_args());
                }
                Some(image.to_owned())
            }
            None if built => {
                let image = format!("{}-{}", self.project.label, self.label);
                self.warn("build", texts::build_only(&image));
                Some(image)
            }
            None => {
                self.warn("image", texts::no_image());
                None
            }
        }
    }

    fn renaming(&self) {
        if self.label == self.name || self.own.is_some_and(|own| own.name.is_some()) {
            return;
        }
        let referrers: Vec<&str> = self.project.referrers.get(self.name).cloned().unwrap_or_default();
        self.warn("name", texts::renamed(self.name, &self.label, &referrers));
    }

    /// What nobody has read.
    fn rest(&self) {
        if self.fields.get("attach").is_some() {
            self.warn("attach", texts::attach());
        }
        for key in self.fields.rest() {
            if keys::is_meaningless(key) {
                continue;
            }
            self.warn(key, keys::cannot(key).map_or_else(|| texts::unknown(key), str::to_owned));
        }
    }
}
