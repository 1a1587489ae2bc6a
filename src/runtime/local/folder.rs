//! Where a project's files lie, and how they come and go.
//!
//! Invariant: every path is below the data folder, and no symbolic link is ever followed out of it. Knows nothing of processes.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::model::ProjectId;

#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// What the next program needs to take a running agent over.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    pub pid: i32,
    /// Seconds, as the system counts them.
    pub started: u64,
    pub port: u16,
    pub run: String,
}

impl Folder {
    pub fn of(data_dir: &Path, project: &ProjectId) -> Self {
        // An id is made by us of letters and digits; anything else must not become a path.
        let name: String = project.0.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        Self(data_dir.join("projects").join(name))
    }

    pub fn root(&self) -> &Path {
        &self.0
    }

    /// What the agent works in.
    pub fn work(&self) -> PathBuf {
        self.0.join("work")
    }

    /// What the agent keeps for itself: its sessions, its configuration.
    pub fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    pub fn home(&self) -> PathBuf {
        self.0.join("home")
    }

    pub fn log(&self) -> PathBuf {
        self.0.join("agent.log")
    }

    fn record(&self) -> PathBuf {
        self.0.join("run.json")
    }

    /// Makes what is missing. Blocks.
    pub fn create(&self) -> anyhow::Result<()> {
        for dir in [self.root(), &self.work(), &self.state(), &self.home()] {
            private_dir(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
        }
        Ok(())
    }

    /// Whether nobody has put anything into the work folder yet. Blocks.
    pub fn work_is_empty(&self) -> io::Result<bool> {
        match std::fs::read_dir(self.work()) {
            Ok(mut entries) => Ok(entries.next().is_none()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Opened for appending, so that several writers and our own bounding of it never overwrite each other. Blocks.
    pub fn open_log(&self) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(self.log())
    }

    /// Blocks.
    pub fn write_record(&self, record: &Record) -> anyhow::Result<()> {
        let new = self.0.join("run.json.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        serde_json::to_writer(&mut file, record)?;
        drop(file);
        std::fs::rename(new, self.record())?;
        Ok(())
    }

    /// `None` if there is none, or none that can be read: what it told of is then an orphan like any other. Blocks.
    pub fn read_record(&self) -> Option<Record> {
        serde_json::from_slice(&std::fs::read(self.record()).ok()?).ok()
    }

    /// Blocks.
    pub fn forget_record(&self) {
        let _ = std::fs::remove_file(self.record());
    }

    /// Removes the folder, or all of it but the work folder. Removing what is not there succeeds. Blocks.
    pub fn remove(&self, keep_work: bool) -> io::Result<()> {
        if !keep_work {
            return remove_tree(&self.0);
        }
        let entries = match std::fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_name() == "work" {
                continue;
            }
            if entry.file_type()?.is_dir() {
                remove_tree(&entry.path())?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Makes a folder, and its parents, that nobody else can look into.
pub fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// `remove_dir_all` that also removes what the agent made read-only.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let mut tries = 0;
    loop {
        match std::fs::remove_dir_all(path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied && tries == 0 => unlock(path),
            // Something was written while it was being removed.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && tries < 3 => {}
            Err(error) => return Err(error),
        }
        tries += 1;
    }
}

/// Lets the owner into every folder below, as far as that is possible; the removal tells what was not.
fn unlock(path: &Path) {
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let _ = std::fs::set_permissions(&folder, Permissions::from_mode(0o700));
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        // The type of an entry is that of the link itself, not of what it leads to.
        folders.extend(
            entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_leads_out_of_the_data_folder() {
        let folder = Folder::of(Path::new("/data"), &ProjectId("../../etc".to_owned()));
        assert_eq!(folder.root(), Path::new("/data/projects/______etc"));
    }
}
