//! The demo agent's sessions, in memory and as one JSON file each, so that a restarted agent still has them. A file is written
//! whole and renamed, so a reader never sees half of one. Knows nothing of connections.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::rpc::lock;

/// One entry of a conversation, as `session/load` replays it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    User { id: String, text: String },
    Agent { id: String, text: String },
    Thought { id: String, text: String },
    Tool { id: String, title: String, input: serde_json::Value, output: String, ok: bool },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    pub cwd: String,
    pub mode: String,
    pub title: Option<String>,
    pub created: jiff::Timestamp,
    pub updated: jiff::Timestamp,
    pub used: u64,
    pub entries: Vec<Entry>,
}

/// A run of a session and the way to end it early.
#[derive(Debug, Clone)]
pub struct Running {
    pub id: String,
    pub cancelled: CancellationToken,
}

#[derive(Debug)]
pub struct Session {
    pub record: Mutex<Record>,
    pub running: Mutex<Option<Running>>,
    path: PathBuf,
    /// Keeps the writes of one session in order; true once it is removed, for then a late write must not bring it back.
    removed: Mutex<bool>,
}

impl Session {
    fn new(record: Record, folder: &Path) -> Self {
        let path = folder.join(format!("{}.json", record.id));
        Self { record: Mutex::new(record), running: Mutex::default(), path, removed: Mutex::default() }
    }

    /// Writes the session to its file, off the async threads.
    pub async fn save(self: &Arc<Self>) -> anyhow::Result<()> {
        let session = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let removed = lock(&session.removed);
            if *removed {
                return Ok(());
            }
            let bytes = serde_json::to_vec(&*lock(&session.record))?;
            replace(&session.path, &bytes)
        })
        .await?
    }
}

/// What was decided for good about the one tool there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remembered {
    AlwaysAllow,
    NeverAllow,
}

#[derive(Debug)]
pub struct Sessions {
    folder: PathBuf,
    by_id: Mutex<HashMap<String, Arc<Session>>>,
    remembered: Mutex<Option<Remembered>>,
}

const PERMISSION: &str = "permission.json";

impl Sessions {
    /// Reads what an earlier agent left; a file that is not a session is left alone.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let sessions = folder.join("sessions");
        std::fs::create_dir_all(&sessions).with_context(|| format!("cannot make the folder {}", sessions.display()))?;
        let mut by_id = HashMap::new();
        for file in std::fs::read_dir(&sessions)? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "json")
                && let Ok(record) = serde_json::from_slice::<Record>(&std::fs::read(&path)?)
            {
                by_id.insert(record.id.clone(), Arc::new(Session::new(record, &sessions)));
            }
        }
        let remembered = match std::fs::read(folder.join(PERMISSION)) {
            Ok(bytes) => serde_json::from_slice(&bytes).ok(),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { folder: folder.to_owned(), by_id: Mutex::new(by_id), remembered: Mutex::new(remembered) })
    }

    /// A new session, named after the day and the first free number, as Goose does.
    pub fn create(&self, cwd: &str, mode: &str) -> Arc<Session> {
        let now = jiff::Timestamp::now();
        let day: String = now.to_string().chars().take(10).filter(char::is_ascii_digit).collect();
        let mut sessions = lock(&self.by_id);
        let of_the_day = |id: &String| id.split_once('_').filter(|(d, _)| *d == day).and_then(|(_, n)| n.parse::<u64>().ok());
        let number = sessions.keys().filter_map(of_the_day).max().unwrap_or(0) + 1;
        let record = Record {
            id: format!("{day}_{number}"),
            cwd: cwd.to_owned(),
            mode: mode.to_owned(),
            title: None,
            created: now,
            updated: now,
            used: 0,
            entries: Vec::new(),
        };
        let session = Arc::new(Session::new(record.clone(), &self.folder.join("sessions")));
        sessions.insert(record.id, Arc::clone(&session));
        session
    }

    pub fn get(&self, id: &str) -> Option<Arc<Session>> {
        lock(&self.by_id).get(id).cloned()
    }

    /// All sessions, the one used last first.
    pub fn list(&self) -> Vec<Arc<Session>> {
        let mut all: Vec<_> = lock(&self.by_id).values().cloned().collect();
        all.sort_by_cached_key(|session| std::cmp::Reverse(lock(&session.record).updated));
        all
    }

    /// Forgets a session and its file; `false` if there was none.
    pub fn remove(&self, id: &str) -> anyhow::Result<bool> {
        let Some(session) = lock(&self.by_id).remove(id) else { return Ok(false) };
        if let Some(running) = lock(&session.running).as_ref() {
            running.cancelled.cancel();
        }
        *lock(&session.removed) = true;
        match std::fs::remove_file(&session.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(true),
        }
    }

    pub fn remembered(&self) -> Option<Remembered> {
        *lock(&self.remembered)
    }

    pub fn remember(&self, decision: Remembered) -> anyhow::Result<()> {
        let mut remembered = lock(&self.remembered);
        *remembered = Some(decision);
        replace(&self.folder.join(PERMISSION), &serde_json::to_vec(&decision)?)
    }
}

fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes)
        .and_then(|()| std::fs::rename(&new, path))
        .with_context(|| format!("cannot write {}", path.display()))
}
