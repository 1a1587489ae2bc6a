//! The files that a project names beside its compose files, read before it is translated.
//!
//! Invariant: nothing is read that reading itself might not open; what was not read is told as what it is.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::files::{Access, Below, Files, Unread};
use super::read::Project;
use super::translate::{Entry, Found, Sources};

enum Held {
    File {
        content: Vec<u8>,
        executable: bool,
    },
    Large,
    /// Its files, if they are few and small.
    Folder(Option<Vec<Below>>),
    Outside,
    Missing,
}

pub struct Bound {
    found: BTreeMap<String, Held>,
    variables: BTreeMap<String, String>,
    /// The project's folder, with a slash behind it.
    folder: String,
}

impl Bound {
    pub fn of(project: &Project, access: Access, folder: &std::path::Path) -> Self {
        let mut files = Files::new(access);
        let mut found = BTreeMap::new();
        for path in named(&project.tree) {
            let held = match files.read(path) {
                Ok(content) => {
                    let executable = std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o111 != 0);
                    Held::File { content, executable }
                }
                Err(Unread::Missing) => Held::Missing,
                Err(Unread::Folder) => Held::Folder(files.below(path)),
                Err(Unread::Large | Unread::AllLarge) => Held::Large,
                Err(_) => Held::Outside,
            };
            found.insert(path.to_owned(), held);
        }
        Self { found, variables: project.environment.clone(), folder: format!("{}/", folder.display()) }
    }
}

/// The paths of what is bound, and of the files of configs and secrets.
fn named(tree: &Value) -> impl Iterator<Item = &str> {
    let tops = ["configs", "secrets"].into_iter().filter_map(|key| tree[key].as_object());
    let files = tops.flat_map(|all| all.values()).filter_map(|one| one["file"].as_str());
    let services = tree["services"].as_object().into_iter().flat_map(|all| all.values());
    let volumes = services.flat_map(|service| service["volumes"].as_array().into_iter().flatten());
    files.chain(volumes.filter(|volume| volume["type"] == "bind").filter_map(|volume| volume["source"].as_str()))
}

impl Sources for Bound {
    fn look(&self, path: &str) -> Found<'_> {
        match self.found.get(path) {
            Some(Held::File { content, executable }) => Found::File { content, executable: *executable },
            Some(Held::Large) => Found::Large,
            Some(Held::Folder(_)) => Found::Folder,
            Some(Held::Outside) => Found::Outside,
            Some(Held::Missing) | None => Found::Missing,
        }
    }

    fn folder(&self, path: &str) -> Option<Vec<Entry<'_>>> {
        let Some(Held::Folder(files)) = self.found.get(path) else { return None };
        let files = files.as_ref()?.iter();
        Some(files.map(|Below { path, content, executable }| Entry { path, content, executable: *executable }).collect())
    }

    fn shown<'p>(&self, path: &'p str) -> &'p str {
        path.strip_prefix(&self.folder).unwrap_or(path)
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}
