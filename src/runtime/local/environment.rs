//! What an agent finds in its environment: nothing of ours but what is put there here.
//!
//! Invariant: later sources win, but who the agent belongs to, its server key and its marker cannot be replaced.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::folder::Folder;
use super::{LocalOptions, Program};
use crate::runtime::Launch;

pub const MARKER: &str = "GAGGLE_AGENT";
pub const SERVER_KEY: &str = "GOOSE_SERVER__SECRET_KEY";
/// Nobody but us sets these.
const OURS: &[&str] = &["USER_ID", "PROJECT_ID", SERVER_KEY, MARKER];

pub type Environment = Vec<(OsString, OsString)>;

pub fn agent(options: &LocalOptions, launch: &Launch, folder: &Folder, marker: OsString) -> Environment {
    let mut env = inherited(options.inherit_home);
    let mut put = |name: &str, value: OsString| env.push((name.into(), value));
    if !options.inherit_home {
        put("HOME", folder.home().into());
        put("GOOSE_PATH_ROOT", folder.state().into());
        // A keyring belongs to the person who runs Gaggle.
        put("GOOSE_DISABLE_KEYRING", "1".into());
    }
    put("GOOSE_MODE", "approve".into());
    for (name, value) in &options.env {
        put(name, value.into());
    }
    let settings = &launch.settings;
    for (name, value) in [
        ("GOOSE_MODE", settings.mode.map(|mode| mode.to_string())),
        ("GOOSE_MODEL", settings.model.clone()),
        ("GOOSE_PROVIDER", settings.provider.clone()),
    ] {
        if let Some(value) = value {
            put(name, value.into());
        }
    }
    for var in &settings.env {
        put(&var.name, var.value.clone().into());
    }
    for (name, value) in &launch.secrets {
        put(name, value.expose_secret().into());
    }
    env.retain(|(name, _)| !OURS.iter().any(|ours| name == OsStr::new(ours)));
    env.push(("USER_ID".into(), launch.owner.0.clone().into()));
    env.push(("PROJECT_ID".into(), launch.project.0.clone().into()));
    if matches!(options.program, Program::Http { .. }) {
        env.push((SERVER_KEY.into(), launch.server_key.expose_secret().into()));
    }
    env.push((MARKER.into(), marker));
    env
}

/// What every process of ours gets from the environment of Gaggle itself.
pub fn inherited(home: bool) -> Environment {
    std::env::vars_os()
        .filter(|(name, _)| {
            let name = name.to_string_lossy();
            matches!(name.as_ref(), "PATH" | "LANG" | "TZ") || (home && (name == "HOME" || name.starts_with("XDG_")))
        })
        .collect()
}

/// The program as the operator's own PATH finds it: a project's PATH must not choose another. Blocks.
pub fn find_program(command: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let executable =
        |path: &PathBuf| std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    if command.components().count() > 1 || command.is_absolute() {
        return std::path::absolute(command).ok().filter(executable);
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    std::env::split_paths(&path).filter_map(|dir| std::path::absolute(dir.join(command)).ok()).find(executable)
}
