//! Approvals. The record decides: it leaves `open` once, whoever asks first.

use super::Store;
use super::table::{self, APPROVALS, OPEN_APPROVALS, Read as _};
use crate::error::Result;
use crate::model::{Approval, ApprovalId, ApprovalState};

impl Store {
    /// Keeps an approval under a new number.
    pub async fn open_approval(&self, mut approval: Approval) -> Result<Approval> {
        self.write(move |tx| {
            approval.id = ApprovalId(table::next(tx, "approval")?);
            table::put(tx, &APPROVALS, &approval.id, &approval)?;
            table::put(tx, &OPEN_APPROVALS, &approval.id, &())?;
            Ok(approval)
        })
        .await
    }

    pub async fn approval(&self, id: ApprovalId) -> Result<Option<Approval>> {
        self.read(move |tx| tx.fetch(&APPROVALS, &id)).await
    }

    pub async fn open_approvals(&self) -> Result<Vec<Approval>> {
        self.read(|tx| {
            let ids = tx.scan(&OPEN_APPROVALS, &[])?;
            ids.into_iter().filter_map(|(id, ())| tx.fetch(&APPROVALS, &id).transpose()).collect()
        })
        .await
    }

    /// Decides an approval. `Err` holds it as it was decided before.
    pub async fn decide(
        &self, id: ApprovalId, state: ApprovalState, by: Option<String>, reason: Option<String>,
    ) -> Result<Option<std::result::Result<Approval, Approval>>> {
        self.write(move |tx| {
            let Some(mut approval) = tx.fetch(&APPROVALS, &id)? else { return Ok(None) };
            if approval.state != ApprovalState::Open {
                return Ok(Some(Err(approval)));
            }
            approval.state = state;
            approval.by = by;
            approval.reason = reason;
            table::remove(tx, &OPEN_APPROVALS, &id)?;
            table::put(tx, &APPROVALS, &id, &approval)?;
            Ok(Some(Ok(approval)))
        })
        .await
    }
}
