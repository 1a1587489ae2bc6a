//! Backup and restore. A backup is a store of its own: one consistent state, without the key that opens its secrets.

use std::path::Path;

use redb::{Database, ReadableDatabase as _, ReadableTable as _};

use super::open::{self, DATABASE, OpenError};
use super::{Store, table};
use crate::error::{Error, Result};

impl Store {
    /// Writes the state of this moment to a new file. Refused if there is one already.
    pub async fn backup(&self, to: std::path::PathBuf) -> Result<u64> {
        let db = self.0.db.clone();
        tokio::task::spawn_blocking(move || copy(&db, &to)).await.map_err(|e| Error::Broken(e.into()))?
    }
}

/// Opens the store of a folder that no program is using, for a backup.
pub fn offline(dir: &Path, to: &Path) -> Result<u64> {
    let path = dir.join(DATABASE);
    if !path.is_file() {
        return Err(Error::Refused(format!("{} holds no Gaggle store. Name the right folder with `--data DIR`.", dir.display())));
    }
    let db = open::builder().open(&path).map_err(|e| Error::Refused(open::explain(&path, &e).to_string()))?;
    copy(&db, to)
}

fn copy(db: &Database, to: &Path) -> Result<u64> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(to).map_err(|e| {
        Error::Refused(match e.kind() {
            std::io::ErrorKind::AlreadyExists => {
                format!("{} exists. A backup overwrites nothing: choose another name.", to.display())
            }
            _ => format!("{} cannot be written ({e}). Choose another place.", to.display()),
        })
    })?;
    let copied = fill(db, file);
    if copied.is_err() {
        let _ = std::fs::remove_file(to);
    }
    copied?;
    Ok(std::fs::metadata(to)?.len())
}

fn fill(db: &Database, file: std::fs::File) -> Result<()> {
    // Rows in one transaction: bounded, so that a large store needs little memory.
    const ROWS: usize = 20_000;
    let from = db.begin_read().map_err(super::broken)?;
    let copy = open::builder().create_file(file).map_err(super::broken)?;
    for name in table::ALL {
        let Ok(source) = from.open_table(table::raw(name)) else { continue };
        let mut rows = source.iter().map_err(super::broken)?;
        loop {
            let tx = copy.begin_write().map_err(super::broken)?;
            let mut count = 0;
            {
                let mut target = tx.open_table(table::raw(name)).map_err(super::broken)?;
                for row in rows.by_ref().take(ROWS) {
                    let (key, value) = row.map_err(super::broken)?;
                    target.insert(key.value(), value.value()).map_err(super::broken)?;
                    count += 1;
                }
            }
            tx.commit().map_err(super::broken)?;
            if count < ROWS {
                break;
            }
        }
    }
    Ok(())
}

/// Puts a backup into an empty or new folder. Blocking.
pub fn restore(from: &Path, dir: &Path) -> Result<()> {
    let sentence = |e: OpenError| Error::Refused(e.to_string());
    if !from.is_file() {
        return Err(Error::Refused(format!("{} is no file. Name the backup that `gaggle backup` wrote.", from.display())));
    }
    match std::fs::read_dir(dir).map(|mut d| d.next().is_some()) {
        Ok(true) => {
            return Err(Error::Refused(format!(
                "{} is not empty. A restore overwrites nothing: choose a new folder with `--data DIR`, or move the old one away.",
                dir.display()
            )));
        }
        Ok(false) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(Error::Refused(format!("{} cannot be read ({e}). Choose another folder.", dir.display()))),
    }
    // Read from a copy, so that the backup itself stays as it is whatever it holds.
    std::fs::create_dir_all(dir)?;
    let target = dir.join(DATABASE);
    let temporary = dir.join("restoring");
    let checked = std::fs::copy(from, &temporary).map_err(Error::from).and_then(|_| {
        let db = open::builder().open(&temporary).map_err(|e| sentence(open::explain(from, &e)))?;
        open::migrate(&db, from).map_err(sentence)?;
        drop(db);
        std::fs::rename(&temporary, &target)?;
        std::fs::File::open(dir)?.sync_all()?;
        Ok(())
    });
    if checked.is_err() {
        let _ = std::fs::remove_file(&temporary);
        let _ = std::fs::remove_dir(dir);
    }
    checked
}
