//! The files that a reading may open. A file is a regular one of bounded size, inside the folder that the reading is bound to, also after
//! its links are followed; pipes and devices are never waited for. Nothing is fetched from elsewhere.

use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The largest file.
const FILE: u64 = 4 << 20;
/// All files of a reading together.
const ALL: u64 = 16 << 20;

/// As much as is read of a folder: what a ConfigMap holds.
const BELOW: usize = 100;
const BELOW_BYTES: u64 = 1 << 20;

/// Which files a compose file may name to be read.
#[derive(Debug, Clone)]
pub enum Access {
    /// None: everything stands in what was given.
    Nothing,
    /// Those below a folder.
    Below(PathBuf),
}

#[derive(Debug)]
pub struct Files {
    folder: Option<Folder>,
    read: u64,
}

/// A file of a folder.
#[derive(Debug)]
pub struct Below {
    /// From the folder on.
    pub path: String,
    pub content: Vec<u8>,
    pub executable: bool,
}

#[derive(Debug)]
struct Folder {
    /// As it was named.
    named: PathBuf,
    /// With its links followed, once, at the beginning.
    real: PathBuf,
}

impl Folder {
    /// Whether a path lies inside by its text alone, before anything is looked at.
    fn names(&self, path: &str) -> bool {
        let clean = super::paths::clean(path);
        let clean = Path::new(&clean);
        clean.starts_with(&self.named) || clean.starts_with(&self.real)
    }
}

/// Why a file was not read. Tells nothing of what lies outside the folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    #[error("there is no such file")]
    Missing,
    #[error("it lies outside the project's folder, from which nothing is read")]
    Outside,
    #[error("it is a folder")]
    Folder,
    #[error("it is not a regular file")]
    Special,
    #[error("it is larger than {} MiB", FILE >> 20)]
    Large,
    #[error("the files of the project are larger than {} MiB together", ALL >> 20)]
    AllLarge,
    #[error("it cannot be read: {0}")]
    Other(String),
    #[error("nothing but the file itself is read here, and files from elsewhere never are")]
    Remote,
}

impl Files {
    pub fn new(access: Access) -> Self {
        let folder = match access {
            Access::Below(named) => std::fs::canonicalize(&named).ok().map(|real| Folder { named, real }),
            Access::Nothing => None,
        };
        Self { folder, read: 0 }
    }

    /// A file that a compose file names.
    pub fn read(&mut self, path: &str) -> Result<Vec<u8>, Unread> {
        let Some(folder) = &self.folder else { return Err(Unread::Remote) };
        if !folder.names(path) {
            return Err(Unread::Outside);
        }
        let real = std::fs::canonicalize(path).map_err(|error| unread(&error))?;
        if !real.starts_with(&folder.real) {
            return Err(Unread::Outside);
        }
        self.take(&real, true)
    }

    /// All files below a folder that a compose file names, by their paths from there on, in their order; none if they are many or
    /// large, or one of them cannot be read.
    pub fn below(&mut self, path: &str) -> Option<Vec<Below>> {
        let folder = self.folder.as_ref().filter(|folder| folder.names(path))?;
        let root = std::fs::canonicalize(path).ok().filter(|real| real.starts_with(&folder.real))?;
        let mut folders = vec![String::new()];
        let mut names = Vec::new();
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(root.join(&folder)).ok()? {
                let entry = entry.ok()?;
                let name = entry.file_name().into_string().ok()?;
                seen += 1;
                if seen > BELOW {
                    return None;
                }
                let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                // Links to folders are not gone into, so that none leads in a circle.
                if entry.file_type().ok()?.is_dir() { folders.push(name) } else { names.push(name) }
            }
        }
        names.sort_unstable();
        let mut whole = 0;
        let mut all = Vec::with_capacity(names.len());
        for name in names {
            let file = format!("{}/{name}", path.trim_end_matches('/'));
            let about = std::fs::metadata(&file).ok()?;
            whole += about.len();
            if whole > BELOW_BYTES {
                return None;
            }
            let content = self.read(&file).ok()?;
            all.push(Below { path: name, content, executable: about.permissions().mode() & 0o111 != 0 });
        }
        Some(all)
    }

    /// A file that whoever asked for the reading named themselves.
    pub fn read_given(&mut self, path: &Path) -> Result<Vec<u8>, Unread> {
        self.take(path, false)
    }

    fn take(&mut self, path: &Path, resolved: bool) -> Result<Vec<u8>, Unread> {
        let mut flags = rustix::fs::OFlags::NONBLOCK;
        if resolved {
            // Its links are followed already: one that appears now is somebody's trick.
            flags |= rustix::fs::OFlags::NOFOLLOW;
        }
        let told = |error: std::io::Error| unread(&error);
        // What is no file is not opened: opening alone does something to some devices.
        let seen = std::fs::metadata(path).map_err(told)?;
        if seen.is_dir() {
            return Err(Unread::Folder);
        }
        if !seen.is_file() {
            return Err(Unread::Special);
        }
        let file = std::fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path).map_err(told)?;
        let opened = file.metadata().map_err(told)?;
        if !opened.is_file() {
            return Err(Unread::Special);
        }
        let mut bytes = Vec::new();
        file.take(FILE + 1).read_to_end(&mut bytes).map_err(told)?;
        let length = bytes.len() as u64;
        if length > FILE {
            return Err(Unread::Large);
        }
        self.read += length;
        if self.read > ALL {
            return Err(Unread::AllLarge);
        }
        Ok(bytes)
    }

    /// Whether there is anything of this name; of what lies outside the folder nothing is told, it counts as being there.
    pub fn exists(&self, path: &str) -> bool {
        let inside = self.folder.as_ref().is_some_and(|folder| folder.names(path));
        !(inside && std::fs::canonicalize(path).is_err_and(|error| unread(&error) == Unread::Missing))
    }

    /// Whether there is something of this name inside the folder, other than a folder.
    pub fn has(&self, path: &str) -> bool {
        let Some(folder) = &self.folder else { return false };
        let real = std::fs::canonicalize(path);
        real.is_ok_and(|real| real.starts_with(&folder.real) && !real.is_dir())
    }

    /// The path with its links followed, if all of it lies inside.
    pub fn follow(&self, path: &str) -> Option<String> {
        let folder = self.folder.as_ref().filter(|folder| folder.names(path))?;
        let mut known = PathBuf::from(path);
        let mut rest: Vec<std::ffi::OsString> = Vec::new();
        loop {
            match std::fs::canonicalize(&known) {
                Ok(real) if real.starts_with(&folder.real) => {
                    let whole = rest.iter().rev().fold(real, |path, part| path.join(part));
                    return whole.to_str().map(str::to_owned);
                }
                Ok(_) => return None,
                Err(_) => {
                    rest.push(known.file_name()?.to_owned());
                    known.pop();
                }
            }
        }
    }
}

fn unread(error: &std::io::Error) -> Unread {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Unread::Missing,
        kind => Unread::Other(kind.to_string()),
    }
}

/// Whether a text names something elsewhere, not a file.
pub fn is_remote(path: &str) -> bool {
    path.contains("://") || path.starts_with("git@") || path.starts_with("github.com/")
}

#[cfg(test)]
mod tests;
