//! Files that a service is given: configs, secrets, and files of the project's folder.
//!
//! Invariant: a file that holds a private key or a known token is in a Secret, whatever it was written as. No set is larger than
//! what a ConfigMap or Secret may hold.

use std::sync::Arc;

use secrecy::SecretSlice;
use serde_json::Value;

use super::fields::{Fields, holds};
use super::names::{self, Names};
use super::{Entry, Found, Made, One, texts};
use crate::compose::sensitive::is_credential_file;
use crate::model::workload::{Content, FileSet, Source, Workload};

/// What a ConfigMap or Secret holds at most.
pub const MOST: usize = 1024 * 1024;
const READABLE: u32 = 0o444;
const RUNNABLE: u32 = 0o555;

impl One<'_> {
    /// Configs and secrets.
    pub fn files(&self, workload: &mut Workload, made: &mut Made) {
        for value in self.fields.list("secrets") {
            self.reference(workload, made, value, "secrets");
        }
        for value in self.fields.list("configs") {
            self.reference(workload, made, value, "configs");
        }
    }

    fn reference(&self, workload: &mut Workload, made: &mut Made, value: &Value, kind: &'static str) {
        let fields = Fields::of(Some(value));
        let source = fields.text("source").or_else(|| value.as_str()).unwrap_or("");
        let written = fields.text("target").unwrap_or(source);
        let target = match (written.starts_with('/'), kind) {
            (true, _) => written.to_owned(),
            (false, "secrets") => format!("/run/secrets/{written}"),
            (false, _) => format!("/{written}"),
        };
        let octal = |value: &Value| match value {
            Value::String(text) => u32::from_str_radix(text.trim_start_matches("0o"), 8).ok(),
            other => other.as_u64().and_then(|mode| u32::try_from(mode).ok()),
        };
        let mode = fields.get("mode").and_then(octal).filter(|mode| *mode <= 0o777).unwrap_or(READABLE);
        let id = |key| fields.get(key).and_then(super::fields::whole);
        let (uid, gid) = (id("uid"), id("gid"));
        if uid.is_some_and(|uid| uid != 0) || gid.is_some_and(|gid| gid != 0) {
            self.warn(kind, texts::file_owner(&target));
            if mode & 0o004 == 0 && workload.security.volume_group.is_none() {
                workload.security.volume_group = gid.or(workload.security.group).filter(|gid| *gid > 0);
            }
        }
        for key in fields.rest() {
            self.warn(&format!("{kind}.{key}"), texts::unknown(key));
        }
        let (all, labels) = match kind {
            "secrets" => (self.project.secrets, &self.project.secret_names),
            _ => (self.project.configs, &self.project.config_names),
        };
        let Some(described) = all.and_then(|all| all.get(source)) else {
            return self.warn(kind, texts::no_such(kind.trim_end_matches('s'), source));
        };
        let (secret, set, key) = self.object(made, kind, source, described, labels);
        self.mount(workload, kind, &target, true, Source::File { secret, set, key, mode });
    }

    /// A config or secret of the top level, made when it is first used.
    fn object(
        &self,
        made: &mut Made,
        kind: &'static str,
        name: &str,
        described: &Value,
        labels: &Names,
    ) -> (bool, String, String) {
        let fields = Fields::of(Some(described));
        let key = names::key(name, name, |_| false);
        if fields.get("external").is_some_and(holds) {
            let label = names::elsewhere(fields.text("name").unwrap_or(name));
            let word = if kind == "secrets" { "Secret" } else { "ConfigMap" };
            self.warn(kind, texts::external_object(word, &label, &key));
            let secret = kind == "secrets";
            let set = FileSet { name: label.clone(), secret, external: true, ..FileSet::default() };
            made.sets.entry((secret, label.clone())).or_insert(set);
            return (secret, label, key);
        }
        let content = self.content(&fields, kind, name);
        if fields.text("name").is_some_and(|written| !self.project.is_usual(written, name)) {
            let word = if kind == "secrets" { "Secret" } else { "ConfigMap" };
            self.project.warn(None, &format!("{kind}.{name}"), texts::named_otherwise(word, &labels.get(name)));
        }
        fields.skip(&["name", "labels", "content", "environment", "file", "driver", "driver_opts", "template_driver"]);
        for key in fields.rest() {
            self.project.warn(None, &format!("{kind}.{name}"), texts::unknown(key));
        }
        let secret = kind == "secrets" || matches!(content, Content::Secret(_));
        let label = self.unreserved(labels.get(name));
        if fields.get("labels").is_some_and(holds) {
            self.project.warn(None, &format!("{kind}.{name}"), texts::object_labels());
        }
        for key in ["driver", "driver_opts", "template_driver"] {
            if fields.get(key).is_some_and(holds) {
                self.project.warn(None, &format!("{kind}.{name}"), texts::object_driver(key));
            }
        }
        let set = made.sets.entry((secret, label.clone()));
        let set = set.or_insert_with(|| FileSet { name: label.clone(), secret, ..FileSet::default() });
        set.files.entry(key.clone()).or_insert(content);
        (secret, label, key)
    }

    /// Names that end so are of the services' own sets.
    fn unreserved(&self, label: String) -> String {
        let ours = ["-config", "-secrets", "-files"].iter().filter_map(|end| label.strip_suffix(end));
        match ours.into_iter().any(|service| self.project.names.has_label(service)) {
            true => names::hashed(&format!("{label}."), names::LABEL),
            false => label,
        }
    }

    fn content(&self, fields: &Fields<'_>, kind: &'static str, name: &str) -> Content {
        let secret = kind == "secrets";
        let made = |bytes: &[u8], what: &str| match (secret, is_credential_file(bytes)) {
            (true, _) => Content::Secret(Arc::new(SecretSlice::from(bytes.to_vec()))),
            (false, true) => {
                self.project.warn(None, &format!("{kind}.{name}"), texts::sensitive_file(what));
                Content::Secret(Arc::new(SecretSlice::from(bytes.to_vec())))
            }
            (false, false) => Content::Plain(Arc::from(bytes)),
        };
        let missing = |what: String| {
            self.project.warn(None, &format!("{kind}.{name}"), texts::no_value(&what));
            Content::Missing
        };
        if let Some(text) = fields.get("content").and_then(Value::as_str) {
            return match text.len() > MOST {
                true => missing("it is larger than 1 MiB".to_owned()),
                false => made(text.as_bytes(), name),
            };
        }
        if let Some(variable) = fields.text("environment") {
            return match self.project.sources.variable(variable) {
                Some(value) => made(value.as_bytes(), name),
                None => missing(format!("the variable `{variable}` is not set")),
            };
        }
        let Some(path) = fields.text("file") else { return missing("the file says none".to_owned()) };
        match self.project.sources.look(path) {
            Found::File { content, .. } if content.len() <= MOST => made(content, name),
            Found::File { .. } | Found::Large => missing("its file is larger than 1 MiB".to_owned()),
            Found::Folder => missing("its file is a folder".to_owned()),
            Found::Outside => missing("its file is outside of the project's folder".to_owned()),
            Found::Missing => missing("its file was not found".to_owned()),
        }
    }

    pub fn bound_file(&self, workload: &mut Workload, made: &mut Made, source: &str, target: &str, content: &[u8], runs: bool) {
        if content.len() > MOST {
            return self.warn("volumes", texts::large_file(self.project.sources.shown(source)));
        }
        let file = source.rsplit('/').next().unwrap_or(source);
        let secret = is_credential_file(content);
        if secret {
            self.warn("volumes", texts::sensitive_file(file));
        }
        let held = |set: &FileSet| set.files.values().map(Content::len).sum::<usize>();
        // The first of the service's sets that has room for it.
        let mut n = 1;
        let label = loop {
            let label = match n {
                1 => format!("{}-files", self.label),
                n => format!("{}-files-{n}", self.label),
            };
            let room = made.sets.get(&(secret, label.clone())).is_none_or(|set| held(set) + content.len() <= MOST);
            if room {
                break label;
            }
            n += 1;
        };
        let set = made.sets.entry((secret, label.clone())).or_insert_with(|| FileSet {
            name: label.clone(),
            secret,
            of: Some(self.label.clone()),
            ..FileSet::default()
        });
        let key = names::key(file, source, |key| set.files.contains_key(key));
        set.files.insert(
            key.clone(),
            match secret {
                true => Content::Secret(Arc::new(SecretSlice::from(content.to_vec()))),
                false => Content::Plain(Arc::from(content)),
            },
        );
        let mode = if runs { RUNNABLE } else { READABLE };
        self.mount(workload, "volumes", target, true, Source::File { secret, set: label, key, mode });
    }

    pub fn bound_folder(&self, workload: &mut Workload, made: &mut Made, source: &str, target: &str, entries: &[Entry<'_>]) {
        let secret = entries.iter().any(|entry| is_credential_file(entry.content));
        if secret {
            self.warn("volumes", texts::sensitive_file(self.project.sources.shown(source)));
        }
        let label = (1..).map(|n| format!("{}-files-{n}", self.label));
        let label = label.into_iter().find(|label| !made.sets.contains_key(&(secret, label.clone()))).unwrap_or_default();
        let mut set = FileSet { name: label.clone(), secret, of: Some(self.label.clone()), ..FileSet::default() };
        let mut files = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = names::key(&entry.path.replace('/', "_"), entry.path, |key| set.files.contains_key(key));
            let content = match secret {
                true => Content::Secret(Arc::new(SecretSlice::from(entry.content.to_vec()))),
                false => Content::Plain(Arc::from(entry.content)),
            };
            set.files.insert(key.clone(), content);
            files.push((key, entry.path.to_owned(), if entry.executable { RUNNABLE } else { READABLE }));
        }
        made.sets.insert((secret, label.clone()), set);
        self.mount(workload, "volumes", target, true, Source::Folder { secret, set: label, files });
    }
}
