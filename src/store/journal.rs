//! What was acknowledged before it was worth a commit: appended to a file of its own, so that a killed program knows of it at its next
//! start. Written without waiting for the disk: it outlives the program, not the machine.
//!
//! Invariants: a line is written whole or is not believed; texts are sealed, for people may type what they should not.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::mpsc;

use super::{Cipher, Store};
use crate::model::Timestamp;

const FILE: &str = "inbox.log";
/// Entries that may wait for the writer; further ones are kept in memory alone.
const WAITING: usize = 4_096;
/// What came so long ago does not come again.
const MEMORY: i64 = 3_600;
const KEYS: usize = 100_000;
/// Entries that are not done, at most; the oldest is given up.
const PENDING: usize = 10_000;
/// A longer file is written anew.
const LONG: u64 = 4 * 1024 * 1024;

#[derive(serde::Serialize, serde::Deserialize)]
struct Line {
    at: i64,
    key: String,
    /// `None`: it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Default)]
struct State {
    seen: HashMap<String, i64>,
    order: VecDeque<(i64, String)>,
    pending: Vec<(i64, String, String)>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    state: Arc<Mutex<State>>,
    lines: mpsc::Sender<Line>,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn see(&mut self, at: i64, key: &str) -> bool {
        while self.order.len() >= KEYS || self.order.front().is_some_and(|(old, _)| *old + MEMORY < at) {
            let Some((_, old)) = self.order.pop_front() else { break };
            self.seen.remove(&old);
        }
        if self.seen.contains_key(key) {
            return false;
        }
        self.seen.insert(key.to_owned(), at);
        self.order.push_back((at, key.to_owned()));
        true
    }
}

impl Journal {
    /// Reads what an earlier program left.
    pub async fn open(store: &Store) -> std::io::Result<Self> {
        let store = store.clone();
        tokio::task::spawn_blocking(move || Self::read(store.dir(), store.0.cipher.clone()))
            .await
            .map_err(std::io::Error::other)?
    }

    fn read(dir: &Path, cipher: Arc<Cipher>) -> std::io::Result<Self> {
        let path = dir.join(FILE);
        let mut state = State::default();
        if let Ok(file) = std::fs::File::open(&path) {
            for line in BufReader::new(file).lines().map_while(Result::ok) {
                let Ok(line) = serde_json::from_str::<Line>(&line) else { continue };
                match line.note {
                    None => state.pending.retain(|(_, key, _)| *key != line.key),
                    Some(note) => {
                        state.see(line.at, &line.key);
                        if let Some(note) = cipher.open(&line.key, &note).filter(|note| !note.expose_secret().is_empty()) {
                            state.pending.push((line.at, line.key, note.expose_secret().to_owned()));
                        }
                    }
                }
            }
        }
        let state = Arc::new(Mutex::new(state));
        let mut writer = Writer { path, cipher, state: state.clone(), file: None, length: LONG };
        writer.rewrite()?;
        let (lines, mut waiting) = mpsc::channel(WAITING);
        std::thread::Builder::new().name("journal".into()).stack_size(256 * 1024).spawn(move || {
            while let Some(line) = waiting.blocking_recv() {
                if let Err(error) = writer.write(line) {
                    tracing::error!(%error, "the journal of what came cannot be written");
                }
            }
        })?;
        Ok(Self { state, lines })
    }

    /// Keeps what came. `false`: it came before. Never waits.
    pub fn receive(&self, key: &str, note: String) -> bool {
        let at = Timestamp::now().as_second();
        let mut state = locked(&self.state);
        if !state.see(at, key) {
            return false;
        }
        if !note.is_empty() {
            if state.pending.len() >= PENDING {
                state.pending.remove(0);
            }
            state.pending.push((at, key.to_owned(), note.clone()));
        }
        drop(state);
        let _ = self.lines.try_send(Line { at, key: key.to_owned(), note: Some(note) });
        true
    }

    pub fn done(&self, key: &str) {
        let mut state = locked(&self.state);
        let Some(at) = state.pending.iter().position(|(_, k, _)| k == key) else { return };
        state.pending.remove(at);
        drop(state);
        let _ = self.lines.try_send(Line { at: Timestamp::now().as_second(), key: key.to_owned(), note: None });
    }

    /// What is not done, in the order in which it came.
    pub fn pending(&self) -> Vec<(i64, String, String)> {
        locked(&self.state).pending.clone()
    }
}

struct Writer {
    path: PathBuf,
    cipher: Arc<Cipher>,
    state: Arc<Mutex<State>>,
    file: Option<std::fs::File>,
    length: u64,
}

impl Writer {
    fn write(&mut self, mut line: Line) -> std::io::Result<()> {
        if self.length >= LONG {
            return self.rewrite();
        }
        line.note = match line.note {
            Some(note) => Some(self.seal(&line.key, note)?),
            None => None,
        };
        let text = text(&line)?;
        self.length += text.len() as u64;
        match &mut self.file {
            Some(file) => file.write_all(text.as_bytes()),
            None => self.rewrite(),
        }
    }

    fn seal(&self, key: &str, note: String) -> std::io::Result<String> {
        self.cipher.seal(key, &SecretString::from(note)).map_err(std::io::Error::other)
    }

    /// Writes what still counts to a new file, and puts that in the old one's place.
    fn rewrite(&mut self) -> std::io::Result<()> {
        let (seen, pending) = {
            let state = locked(&self.state);
            (state.order.clone(), state.pending.clone())
        };
        let new = self.path.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        let mut all = String::new();
        for (at, key) in seen {
            let note = pending.iter().find(|(_, k, _)| *k == key).map(|(.., note)| note.clone()).unwrap_or_default();
            let note = self.seal(&key, note)?;
            all.push_str(&text(&Line { at, key, note: Some(note) })?);
        }
        file.write_all(all.as_bytes())?;
        std::fs::rename(&new, &self.path)?;
        self.length = all.len() as u64;
        self.file = Some(file);
        Ok(())
    }
}

fn text(line: &Line) -> std::io::Result<String> {
    Ok(serde_json::to_string(line).map_err(std::io::Error::other)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(journal: &Journal) -> Vec<String> {
        journal.pending().into_iter().map(|(_, key, note)| format!("{key}={note}")).collect()
    }

    /// Waits until the writer has written what it was given.
    fn written(dir: &Path, lines: usize) {
        for _ in 0..10_000 {
            if std::fs::read_to_string(dir.join(FILE)).is_ok_and(|text| text.lines().count() >= lines) {
                return;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_is_not_done_is_there_after_a_kill() {
        let dir = tempfile::tempdir().unwrap();
        let cipher = || Arc::new(Cipher::load(dir.path(), None).unwrap());
        let journal = Journal::read(dir.path(), cipher()).unwrap();
        assert!(
            journal.receive("a", "one".into()) && journal.receive("b", "hunter2".into()) && journal.receive("c", String::new())
        );
        assert!(!journal.receive("a", "again".into()));
        journal.done("a");
        written(dir.path(), 4);
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        // Half a line, as a kill leaves it.
        std::fs::write(dir.path().join(FILE), format!("{text}{{\"at\":1,\"ke")).unwrap();
        let journal = Journal::read(dir.path(), cipher()).unwrap();
        assert_eq!(keys(&journal), ["b=hunter2"]);
        assert!(
            !journal.receive("a", String::new()) && !journal.receive("c", String::new()),
            "what was done does not come again"
        );
        journal.done("b");
        assert!(keys(&journal).is_empty());
    }
}
