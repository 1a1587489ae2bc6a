//! What a program may leave behind, and what not.

use std::path::Path;

use super::SECRET;

/// The agents of a data folder, by the marker in their environment.
pub fn agents(data: &Path) -> Vec<(i32, String)> {
    let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let marker = format!("GAGGLE_AGENT={}#", data.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
        for variable in environment(pid) {
            if let Some(rest) = variable.strip_prefix(&marker) {
                found.push((pid, rest.split('#').next().unwrap_or_default().to_owned()));
            }
        }
    }
    found
}

/// The environment of a process.
pub fn environment(pid: i32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    bytes.split(|b| *b == 0).filter(|v| !v.is_empty()).map(|v| String::from_utf8_lossy(v).into_owned()).collect()
}

pub(super) fn no_secret_below(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            no_secret_below(&path);
        } else if let Ok(bytes) = std::fs::read(&path) {
            let found = bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes());
            assert!(!found, "a secret lies in {}", path.display());
        }
    }
}
