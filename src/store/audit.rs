//! What was asked and decided. Bounded; holds command summaries, never what people wrote or any value of a secret.

use std::ops::ControlFlow;

use super::Store;
use super::table::{self, AUDIT, Read as _};
use crate::error::Result;
use crate::model::{PersonId, Timestamp};

/// Older entries go.
const KEPT: u64 = 100_000;

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
    pub async fn audit(&self, entry: AuditEntry) -> Result<()> {
        self.write_lazily(move |tx| {
            let number = table::next(tx, "audit")?;
            table::put(tx, &AUDIT, &number, &entry)?;
            if let Some(old) = number.checked_sub(KEPT) {
                table::remove(tx, &AUDIT, &old)?;
            }
            Ok(())
        })
        .await
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
