//! What was asked and decided. Bounded; holds command summaries, never what people wrote or any value of a secret.

use std::ops::ControlFlow;
use std::sync::{MutexGuard, PoisonError};

use redb::WriteTransaction;

use super::Store;
use super::table::{self, AUDIT, Read as _};
use crate::error::Result;
use crate::model::{PersonId, Timestamp};

/// Older entries go.
const KEPT: u64 = 100_000;
/// So many wait for no others.
const MANY: usize = 512;

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AuditEntry {
    pub at: Timestamp,
    pub person: PersonId,
    pub conversation: String,
    /// The command's summary, or what else happened.
    pub what: String,
    /// `allowed`, `refused: …`, `failed: …`, `ok`.
    pub outcome: String,
}

impl Store {
    /// Returns once the entry is in the order of things; it is written with the next transaction, or soon by itself.
    pub async fn audit(&self, entry: AuditEntry) -> Result<()> {
        let waiting = {
            let mut audited = self.audited();
            audited.push(entry);
            audited.len()
        };
        let store = self.clone();
        let write = move |tx: &WriteTransaction| table::append(tx, &AUDIT, "audit", KEPT, std::mem::take(&mut *store.audited()));
        match waiting {
            1 => self.write_lazily(write).await,
            MANY.. => self.write(write).await,
            _ => Ok(()),
        }
    }

    fn audited(&self) -> MutexGuard<'_, Vec<AuditEntry>> {
        self.0.audited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Newest first, with every entry that was handed over before.
    pub async fn audit_tail(&self, max: usize, person: Option<PersonId>) -> Result<Vec<AuditEntry>> {
        // Nobody waits for entries to be written, and the writer takes one job after the other.
        self.write(|_| Ok(())).await?;
        self.read(move |tx| {
            let mut found = Vec::new();
            tx.visit(&AUDIT, &[], true, |_, entry| {
                if person.as_ref().is_none_or(|p| *p == entry.person) {
                    found.push(entry);
                }
                if found.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            Ok(found)
        })
        .await
    }
}
