//! What is acknowledged before it is worth a commit: appended to a file of its own, so that a killed program knows of it at its next
//! start. It outlives the program, not the machine: nothing waits for the disk, an append only goes to the system's memory, which
//! takes it in microseconds, and so it is made where it is called.
//!
//! Invariants: a line is written whole or is not believed; texts are sealed, for people may type what they should not.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::ExposeSecret as _;

use super::{Cipher, Store};
use crate::model::Timestamp;

const FILE: &str = "inbox.log";
/// What came so long ago, in seconds, does not come again.
const MEMORY: i64 = 3_600;
const KEYS: usize = 100_000;
/// Entries that are not done, at most; the oldest is given up.
const PENDING: usize = 10_000;
/// A longer file is written anew.
const LONG: u64 = 4 * 1024 * 1024;
/// What a line has beside its note, about.
const LINE: usize = 128;

/// As [`Journal::write_line`] writes it.
#[derive(serde::Deserialize)]
struct Line {
    at: i64,
    key: String,
    /// `None`: it is done.
    #[serde(default)]
    note: Option<String>,
}

#[derive(Default)]
struct State {
    seen: HashMap<String, i64>,
    order: VecDeque<(i64, String)>,
    pending: Vec<(i64, String, String)>,
    file: Option<std::fs::File>,
    length: u64,
    /// Lines that were written while the file is being written anew.
    meanwhile: Option<String>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    path: PathBuf,
    cipher: Arc<Cipher>,
    state: Mutex<State>,
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

    fn append(&mut self, text: &str) {
        self.length += text.len() as u64;
        if let Some(meanwhile) = &mut self.meanwhile {
            meanwhile.push_str(text);
        }
        if let Some(Err(error)) = self.file.as_mut().map(|file| file.write_all(text.as_bytes())) {
            tracing::error!(%error, "the journal of what came cannot be written");
        }
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
                        if let Some(note) = (!note.is_empty()).then(|| cipher.open(&line.key, &note)).flatten() {
                            state.pending.push((line.at, line.key, note.expose_secret().to_owned()));
                        }
                    }
                }
            }
        }
        let journal = Self(Arc::new(Inner { path, cipher, state: Mutex::new(state) }));
        journal.rewrite()?;
        Ok(journal)
    }

    /// Keeps what came. `false`: it came before.
    pub fn receive(&self, key: &str, note: &str) -> bool {
        let at = Timestamp::now().as_second();
        let mut line = String::with_capacity(LINE + note.len() * 3 / 2);
        self.write_line(&mut line, at, key, Some(note));
        let mut state = locked(&self.0.state);
        if !state.see(at, key) {
            return false;
        }
        if !note.is_empty() {
            if state.pending.len() >= PENDING {
                state.pending.remove(0);
            }
            state.pending.push((at, key.to_owned(), note.to_owned()));
        }
        state.append(&line);
        if state.length >= LONG && state.meanwhile.is_none() {
            state.meanwhile = Some(String::new());
            drop(state);
            let journal = self.clone();
            tokio::task::spawn_blocking(move || {
                if let Err(error) = journal.rewrite() {
                    tracing::error!(%error, "the journal of what came cannot be written anew");
                }
            });
        }
        true
    }

    pub fn done(&self, key: &str) {
        let mut state = locked(&self.0.state);
        let Some(at) = state.pending.iter().position(|(_, k, _)| k == key) else { return };
        state.pending.remove(at);
        let mut line = String::with_capacity(LINE);
        self.write_line(&mut line, Timestamp::now().as_second(), key, None);
        state.append(&line);
    }

    /// What is not done, in the order in which it came.
    pub fn pending(&self) -> Vec<(i64, String, String)> {
        locked(&self.0.state).pending.clone()
    }

    /// `note`: what came, sealed as it is written; `None`: it is done.
    fn write_line(&self, to: &mut String, at: i64, key: &str, note: Option<&str>) {
        let _ = write!(to, "{{\"at\":{at},\"key\":{}", serde_json::Value::from(key));
        if let Some(note) = note {
            to.push_str(",\"note\":\"");
            let begin = to.len();
            // What cannot be sealed is known by its key alone.
            if !note.is_empty() && self.0.cipher.seal_onto(to, key, note).is_err() {
                to.truncate(begin);
            }
            to.push('"');
        }
        to.push_str("}\n");
    }

    /// Writes what still counts to a new file, and puts that in the old one's place.
    fn rewrite(&self) -> std::io::Result<()> {
        let (seen, pending) = {
            let mut state = locked(&self.0.state);
            state.meanwhile = Some(String::new());
            (state.order.clone(), state.pending.clone())
        };
        let notes: HashMap<&str, &str> = pending.iter().map(|(_, key, note)| (key.as_str(), note.as_str())).collect();
        let mut all = String::new();
        for (at, key) in &seen {
            self.write_line(&mut all, *at, key, Some(notes.get(key.as_str()).copied().unwrap_or_default()));
        }
        let new = self.0.path.with_extension("new");
        let written = write_new(&new, &all);
        let mut state = locked(&self.0.state);
        let meanwhile = state.meanwhile.take().unwrap_or_default();
        // Until it is tried again after as much has come once more.
        state.length = 0;
        let mut file = written?;
        file.write_all(meanwhile.as_bytes())?;
        std::fs::rename(&new, &self.0.path)?;
        state.length = (all.len() + meanwhile.len()) as u64;
        state.file = Some(file);
        Ok(())
    }
}

fn write_new(path: &Path, text: &str) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(journal: &Journal) -> Vec<String> {
        journal.pending().into_iter().map(|(_, key, note)| format!("{key}={note}")).collect()
    }

    #[test]
    fn what_is_not_done_is_there_after_a_kill() {
        let dir = tempfile::tempdir().unwrap();
        let cipher = || Arc::new(Cipher::load(dir.path(), None).unwrap());
        let journal = Journal::read(dir.path(), cipher()).unwrap();
        assert!(journal.receive("a", "one") && journal.receive("b", "hunter2") && journal.receive("c", ""));
        assert!(!journal.receive("a", "again"));
        journal.done("a");
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        // Half a line, as a kill leaves it.
        std::fs::write(dir.path().join(FILE), format!("{text}{{\"at\":1,\"ke")).unwrap();
        let journal = Journal::read(dir.path(), cipher()).unwrap();
        assert_eq!(keys(&journal), ["b=hunter2"]);
        assert!(!journal.receive("a", "") && !journal.receive("c", ""), "what was done does not come again");
        journal.done("b");
        assert!(keys(&journal).is_empty());
    }
}
