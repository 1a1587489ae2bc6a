//! The compose files whose services can be deployed: those of the configured folders, and those that people added.
//!
//! Invariants: the process's environment takes no part, so that no variable of whoever runs Gaggle gets into a service; a file that
//! somebody added reads no other file; nothing is read on the async threads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use crate::compose::{self, Access, Asked, Bound, Input, Project, Reading, Refused};
use crate::error::{Error, Result, refused};
use crate::model::PersonId;
use crate::store::{KeptFile, Store};

/// Faults that are told of one file.
const FAULTS: usize = 8;
/// Files of a folder that are looked at.
const FILES: usize = 2_000;
const USUAL: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// Cheap to clone.
#[derive(Clone)]
pub struct Catalogue {
    store: Store,
    folders: Arc<[PathBuf]>,
}

/// A file of the catalogue.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The first part of its services' ids.
    pub name: String,
    pub from: From,
}

#[derive(Debug, Clone)]
pub enum From {
    Folder(PathBuf),
    Added(Box<KeptFile>),
}

impl Listed {
    /// Who added it; `None`: whoever runs Gaggle.
    pub fn owner(&self) -> Option<&PersonId> {
        match &self.from {
            From::Folder(_) => None,
            From::Added(file) => Some(&file.owner),
        }
    }

    fn folder(&self) -> Option<&Path> {
        match &self.from {
            From::Folder(path) => path.parent(),
            From::Added(_) => None,
        }
    }

    pub fn is_shared(&self) -> bool {
        match &self.from {
            From::Folder(_) => true,
            From::Added(file) => file.shared,
        }
    }
}

/// A project as it is read for a release, with what its files hold.
pub struct Loaded {
    pub project: Project,
    pub bound: Bound,
}

/// What a file is, before anything is filled in.
pub struct Surveyed {
    pub project: Project,
    pub asked: Vec<Asked>,
}

impl Catalogue {
    pub fn new(store: Store, folders: Vec<PathBuf>) -> Self {
        Self { store, folders: folders.into() }
    }

    /// All files, by name. One in a folder wins over one of the same name that was added.
    pub async fn files(&self) -> Result<Vec<Listed>> {
        let folders = self.folders.clone();
        let found = off_thread(move || folders.iter().flat_map(|folder| in_folder(folder)).collect::<Vec<_>>()).await?;
        let mut all: BTreeMap<String, Listed> = BTreeMap::new();
        for (name, file) in self.store.compose_files().await? {
            all.insert(name.clone(), Listed { name, from: From::Added(Box::new(file)) });
        }
        for (name, path) in found {
            all.insert(name.clone(), Listed { name, from: From::Folder(path) });
        }
        Ok(all.into_values().collect())
    }

    /// What is in a file and what can be set of it. Refused with the places of its faults.
    pub async fn survey(&self, file: &Listed) -> Result<Surveyed> {
        let reading = self.reading(file, BTreeMap::new())?;
        let name = file.name.clone();
        off_thread(move || compose::survey(reading).map(|(project, asked)| Surveyed { project, asked }))
            .await?
            .map_err(|faults| told(&name, file.folder(), &faults))
    }

    /// The file with these variables.
    pub async fn load(&self, file: &Listed, variables: BTreeMap<String, String>) -> Result<Loaded> {
        let reading = self.reading(file, variables)?;
        let name = file.name.clone();
        off_thread(move || {
            let (access, folder) = (reading.access.clone(), reading.folder.clone());
            let project = compose::read(reading)?;
            let bound = Bound::of(&project, access, &folder);
            Ok(Loaded { project, bound })
        })
        .await?
        .map_err(|faults| told(&name, file.folder(), &faults))
    }

    /// Whether a text is a compose file. Refused with the places of its faults.
    pub async fn check(&self, name: &str, text: &SecretString) -> Result<Surveyed> {
        let reading = of_text(name, text, BTreeMap::new());
        let name = name.to_owned();
        off_thread(move || compose::survey(reading).map(|(project, asked)| Surveyed { project, asked }))
            .await?
            .map_err(|faults| told(&name, None, &faults))
    }

    fn reading(&self, file: &Listed, environment: BTreeMap<String, String>) -> Result<Reading> {
        match &file.from {
            From::Added(kept) => Ok(of_text(&file.name, &self.store.compose_text(&file.name, kept)?, environment)),
            From::Folder(path) => {
                let folder = path.parent().map(Path::to_owned).unwrap_or_default();
                Ok(Reading {
                    files: vec![Input::File(path.clone())],
                    access: Access::Below(folder.clone()),
                    folder,
                    name: Some(project_name(&file.name)),
                    // A service that only a profile enables can be deployed by its name.
                    profiles: vec!["*".to_owned()],
                    env_files: None,
                    environment,
                })
            }
        }
    }
}

fn of_text(name: &str, text: &SecretString, environment: BTreeMap<String, String>) -> Reading {
    Reading {
        files: vec![Input::Text { name: format!("{name}.yaml"), text: text.expose_secret().to_owned() }],
        access: Access::Nothing,
        // There is none: whatever is named relative to it is not looked for.
        folder: PathBuf::from("/nowhere"),
        name: Some(project_name(name)),
        profiles: vec!["*".to_owned()],
        env_files: None,
        environment,
    }
}

/// What the specification takes as one.
fn project_name(name: &str) -> String {
    let name: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' { c } else { '-' })
        .collect();
    name.trim_start_matches(['-', '_']).to_owned()
}

/// The compose files of a folder, and of the folders in it that have one of the usual names.
fn in_folder(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(folder) = std::path::absolute(folder) else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(&folder) else {
        tracing::warn!(folder = %folder.display(), "a folder of `[services] catalogue` cannot be read");
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.flatten().take(FILES) {
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
        if path.is_dir() {
            let usual = USUAL.iter().map(|usual| path.join(usual)).find(|file| file.is_file());
            found.extend(usual.map(|file| (name, file)));
            continue;
        }
        let yaml = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
        let Some(stem) = yaml.filter(|stem| !stem.starts_with('.') && !stem.ends_with(".override")) else { continue };
        if path.is_file() {
            found.push((stem.to_owned(), path));
        }
    }
    found.retain(|(name, _)| gaggle_commands::values::service_ref(name).is_ok() && !name.contains(':'));
    found
}

/// Places are told as people see them: from the file's folder on.
fn told(name: &str, folder: Option<&Path>, Refused(faults): &Refused) -> Error {
    let folder = folder.map(|folder| format!("{}/", folder.display())).unwrap_or_default();
    let shown: BTreeSet<String> =
        faults.iter().take(FAULTS).map(|fault| format!("- {}", fault.to_string().replacen(&folder, "", 1))).collect();
    let more = faults.len().saturating_sub(FAULTS);
    let more = if more > 0 { format!("\n- and {more} more") } else { String::new() };
    let lines = shown.into_iter().collect::<Vec<_>>().join("\n");
    Error::Refused(format!("The compose file `{name}` is not taken:\n{lines}{more}"))
}

/// Reading may take a while, and a file that makes it panic is that file's fault alone.
async fn off_thread<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(job).await {
        Ok(done) => Ok(done),
        Err(error) if error.is_panic() => refused("The compose file cannot be read. Check it with `gaggle compose check`."),
        Err(error) => Err(Error::Broken(error.into())),
    }
}
