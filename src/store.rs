//! What is remembered: every redb table, key, transaction and migration. Knows nothing of who asks or why.
//!
//! Invariant: an `await` on a write returns after its commit is durable, never before.

mod approvals;
mod audit;
mod backup;
mod cipher;
mod clusters;
mod inbox;
mod journal;
mod open;
mod people;
mod projects;
mod releases;
mod secrets;
mod sessions;
mod table;
mod turns;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use redb::{Database, ReadTransaction};

pub use audit::AuditEntry;
pub use backup::{offline as backup_offline, restore};
pub use cipher::{Cipher, KeySource};
pub use clusters::KeptScan;
pub use inbox::{Kept, Receipt};
pub use journal::Journal;
pub use open::{DATABASE, OpenError, SCHEMA};
pub use releases::{KeptFile, REVISIONS};
pub use secrets::Scope;
pub use sessions::{Place, SessionSummary};
use table::Read;
use writer::Writer;

use crate::error::{Error, Result};

/// The embedded store. Cheap to clone; the file is closed when the last clone goes.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    db: Arc<Database>,
    writer: Writer,
    cipher: Arc<Cipher>,
    dir: PathBuf,
    known: people::Known,
    /// Entries on their way to the audit log.
    audited: Mutex<Vec<AuditEntry>>,
}

impl Store {
    /// Opens or creates the store in `dir`. Blocking: called once, at start.
    pub fn open(dir: &Path, secret_key: Option<&secrecy::SecretString>) -> Result<Self, OpenError> {
        let db = Arc::new(open::database(dir)?);
        let cipher = Arc::new(Cipher::load(dir, secret_key)?);
        let known = known(&db).map_err(|e| OpenError::new(dir, e.to_string(), "bring back a backup"))?;
        let writer = Writer::start(db.clone()).map_err(|e| OpenError::new(dir, e.to_string(), "look at the system's log"))?;
        Ok(Self(Arc::new(Inner { db, writer, cipher, dir: dir.to_owned(), known, audited: Mutex::default() })))
    }

    pub fn cipher(&self) -> &Cipher {
        &self.0.cipher
    }

    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Bytes on disk.
    pub async fn size(&self) -> u64 {
        tokio::fs::metadata(self.0.dir.join(DATABASE)).await.map_or(0, |m| m.len())
    }

    /// Reads a few entries by their keys at once, where it stands: their pages are in memory, or cost what an append to the journal
    /// costs, which is less than to hand the work to another thread. For what grows with the store there is [`Self::read`].
    fn look<T>(&self, job: impl FnOnce(&ReadTransaction) -> Result<T>) -> Result<T> {
        use redb::ReadableDatabase as _;
        job(&self.0.db.begin_read().map_err(broken)?)
    }

    /// Reads a consistent state off the async threads.
    async fn read<T: Send + 'static>(&self, job: impl FnOnce(&ReadTransaction) -> Result<T> + Send + 'static) -> Result<T> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.look(job)).await.map_err(|e| Error::Broken(e.into()))?
    }

    /// Runs `job` in the next transaction and returns once that is durable. A job refuses before its first write.
    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&redb::WriteTransaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.0.writer.run(job).await
    }

    /// Runs `job` soon: with the next transaction, or in one of its own. A crash may lose it; what is written after it never is
    /// there without it.
    async fn write_lazily(&self, job: impl FnOnce(&redb::WriteTransaction) -> Result<()> + Send + 'static) -> Result<()> {
        self.0.writer.run_lazily(job).await
    }

    /// A value that only the store itself uses.
    pub async fn note(&self, key: &'static str) -> Result<Option<String>> {
        self.look(|tx| tx.fetch(&table::NOTES, &key.to_owned()))
    }

    pub async fn set_note(&self, key: &'static str, value: String) -> Result<()> {
        self.write(move |tx| table::put(tx, &table::NOTES, &key.to_owned(), &value)).await
    }
}

fn known(db: &Database) -> Result<people::Known> {
    use redb::ReadableDatabase as _;
    people::Known::load(&db.begin_read().map_err(broken)?)
}

fn broken(error: impl Into<redb::Error>) -> Error {
    Error::Broken(anyhow::Error::new(error.into()))
}
