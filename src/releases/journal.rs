//! What a deployment has begun, noted before it is done, for whoever has to take it back.
//!
//! Invariant: an entry stands here before its request goes out. It may stand for what then did not happen, never the other way.

use std::sync::{Arc, Mutex, PoisonError};

use super::kinds::Key;

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    /// The namespace was made.
    Namespace,
    /// It was not there before.
    Made(Key),
    Changed(Key),
    /// It was there, and was deleted: to come again in another form, or for good.
    Deleted(Key),
}

/// Shared: it outlives a deployment whose future is dropped.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<Entry>>>);

impl Journal {
    /// One that was kept.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self(Arc::new(Mutex::new(entries)))
    }

    pub fn note(&self, entry: Entry) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub fn made(&self, key: &Key) -> bool {
        self.has(&Entry::Made(key.clone()))
    }

    pub fn has(&self, entry: &Entry) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(entry)
    }
}
