//! Approvals. The record decides: it leaves `open` once, whoever asks first.

use std::ops::ControlFlow;

use super::Store;
use super::table::{self, APPROVALS, OPEN_APPROVALS, Read as _};
use crate::error::Result;
use crate::model::{Approval, ApprovalId, ApprovalState, Timestamp, TurnId};

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
        self.look(|tx| tx.fetch(&APPROVALS, &id))
    }

    pub async fn open_approvals(&self) -> Result<Vec<Approval>> {
        self.read(|tx| {
            let ids = tx.scan(&OPEN_APPROVALS, &[])?;
            ids.into_iter().filter_map(|(id, ())| tx.fetch(&APPROVALS, &id).transpose()).collect()
        })
        .await
    }

    /// What was decided of a turn's approvals, oldest first.
    pub async fn decided_approvals(&self, turn: TurnId, since: Timestamp) -> Result<Vec<Approval>> {
        self.read(move |tx| {
            let mut found = Vec::new();
            tx.visit(&APPROVALS, &[], true, |_, approval: Approval| {
                if approval.created < since {
                    return ControlFlow::Break(());
                }
                if approval.turn == turn && approval.state != ApprovalState::Open {
                    found.push(approval);
                }
                ControlFlow::Continue(())
            })?;
            found.reverse();
            Ok(found)
        })
        .await
    }

    /// Decides an approval. `Err` holds it as it was decided before.
    pub async fn decide(
        &self,
        id: ApprovalId,
        state: ApprovalState,
        by: Option<String>,
        reason: Option<String>,
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
