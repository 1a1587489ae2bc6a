//! Opening the file: locked for one process, checked, migrated, never overwritten.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use redb::{Database, DatabaseError, StorageError};

use super::table::{self, META, Read as _};

pub const DATABASE: &str = "gaggle.redb";
/// What this program reads and writes. Raise it with a step in [`migrate`].
pub const SCHEMA: u64 = 2;
const SCHEMA_KEY: &str = "schema_version";
/// Pages kept in memory: the hot ones of a team's store fit, and an idle program stays small.
const CACHE: usize = 8 * 1024 * 1024;

/// Why a store cannot be opened, in one sentence, and what to do.
#[derive(Debug)]
pub struct OpenError {
    pub path: PathBuf,
    pub what: String,
    pub fix: String,
    /// Nothing is wrong with it, but that another process has it open.
    pub in_use: bool,
}

impl OpenError {
    pub fn new(path: &Path, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { path: path.to_owned(), what: what.into(), fix: fix.into(), in_use: false }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path.display(), self.what, self.fix)
    }
}

impl std::error::Error for OpenError {}

pub fn database(dir: &Path) -> Result<Database, OpenError> {
    make_private(dir)
        .map_err(|e| OpenError::new(dir, format!("the folder cannot be used ({e})"), "choose another `data_dir`"))?;
    let path = dir.join(DATABASE);
    look(&path)?;
    let db = builder().create(&path).map_err(|e| explain(&path, &e))?;
    restrict(&path)
        .map_err(|e| OpenError::new(&path, format!("its permissions cannot be set ({e})"), "choose another `data_dir`"))?;
    migrate(&db, &path)?;
    Ok(db)
}

/// Looks at a file without changing a byte of it, so that what is refused stays as it was.
fn look(path: &Path) -> Result<(), OpenError> {
    use redb::ReadableDatabase as _;
    if std::fs::metadata(path).map_or(0, |m| m.len()) == 0 {
        return Ok(());
    }
    let db = match builder().open_read_only(path) {
        Ok(db) => db,
        // Not closed cleanly, which only opening it for writing mends; or in use, which that tells as well.
        Err(DatabaseError::RepairAborted | DatabaseError::DatabaseAlreadyOpen) => return Ok(()),
        Err(e) => return Err(explain(path, &e)),
    };
    let found = db.begin_read().ok().and_then(|tx| tx.fetch(&META, &SCHEMA_KEY.to_owned()).ok().flatten());
    match found {
        Some(newer) if newer > SCHEMA => Err(from_the_future(path, newer)),
        _ => Ok(()),
    }
}

fn from_the_future(path: &Path, schema: u64) -> OpenError {
    OpenError::new(
        path,
        format!("the store was written by a newer Gaggle (schema {schema}, this one knows {SCHEMA}); nothing was changed"),
        "use the newer program",
    )
}

pub fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    builder
}

/// A folder that only its owner can enter.
fn make_private(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn restrict(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

pub fn explain(path: &Path, error: &DatabaseError) -> OpenError {
    let (what, fix) = match error {
        DatabaseError::DatabaseAlreadyOpen => (
            "another gaggle is using this store".to_owned(),
            "stop it first, or choose another folder with `--data` or `data_dir`",
        ),
        DatabaseError::UpgradeRequired(_) => {
            ("the store has an older file format".to_owned(), "open it once with the release of Gaggle that wrote it")
        }
        DatabaseError::Storage(StorageError::Io(e)) if !matches!(e.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
            (format!("the store cannot be read ({e})"), "mend the folder's permissions, or choose another")
        }
        DatabaseError::Storage(e) => (
            format!("the store is damaged or is no Gaggle store ({e}); nothing was changed"),
            "move the file away and bring back a backup with `gaggle restore`",
        ),
        e => (format!("the store cannot be opened ({e}); nothing was changed"), "bring back a backup with `gaggle restore`"),
    };
    OpenError { in_use: matches!(error, DatabaseError::DatabaseAlreadyOpen), ..OpenError::new(path, what, fix) }
}

/// Brings an older store up to [`SCHEMA`] in one transaction.
pub fn migrate(db: &Database, path: &Path) -> Result<(), OpenError> {
    use redb::ReadableDatabase as _;
    let failed =
        |e: String| OpenError::new(path, format!("the store cannot be read ({e}); nothing was changed"), "bring back a backup");
    let key = SCHEMA_KEY.to_owned();
    let read = db.begin_read().map_err(|e| failed(e.to_string()))?;
    let found = read.fetch(&META, &key).map_err(|e| failed(cause(&e)))?;
    drop(read);
    match found {
        Some(SCHEMA) => Ok(()),
        Some(newer) if newer > SCHEMA => Err(from_the_future(path, newer)),
        older => {
            let tx = db.begin_write().map_err(|e| failed(e.to_string()))?;
            for version in older.unwrap_or(0)..SCHEMA {
                step(&tx, version).map_err(|e| failed(cause(&e)))?;
            }
            table::put(&tx, &META, &key, &SCHEMA).map_err(|e| failed(cause(&e)))?;
            tx.commit().map_err(|e| failed(e.to_string()))
        }
    }
}

fn cause(error: &crate::error::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// From `version` to the next one.
fn step(tx: &redb::WriteTransaction, version: u64) -> crate::error::Result<()> {
    match version {
        // A new file, or tables that are new since: every table is made, so that readers need not ask whether it is there.
        0 | 1 => {
            for name in table::ALL {
                tx.open_table(table::raw(name)).map_err(super::broken)?;
            }
            Ok(())
        }
        _ => Err(crate::error::Error::Broken(anyhow::anyhow!("no way leads on from schema {version}"))),
    }
}
