//! What came from a platform: kept before it is acknowledged, so that nothing is lost and nothing is done twice; and what was not
//! yet shown there.
//!
//! Invariant: an entry leaves the inbox with what it led to: in one step with its turn, else once it was answered.

use super::Store;
use super::table::{self, DRAFTS, INBOX, RECEIPTS, Read as _, THREADS, TURNS};
use crate::error::Result;
use crate::model::{ConversationId, SessionId, Timestamp, Turn, TurnId};

/// That something came, and the turn that it led to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Receipt {
    pub at: Timestamp,
    #[serde(default)]
    pub turn: Option<TurnId>,
}

/// Something that came and has not been handled.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    pub at: Timestamp,
    pub note: String,
}

impl Store {
    /// Keeps what came under `keys`, the first of which names it from now on. `false`: something under one of them came before,
    /// and nothing was kept.
    pub async fn receive(&self, keys: Vec<String>, note: Option<String>) -> Result<bool> {
        self.write(move |tx| {
            for key in &keys {
                if tx.fetch(&RECEIPTS, key)?.is_some() {
                    return Ok(false);
                }
            }
            let at = Timestamp::now();
            for key in &keys {
                table::put(tx, &RECEIPTS, key, &Receipt { at, turn: None })?;
            }
            if let (Some(first), Some(note)) = (keys.first(), note) {
                table::put(tx, &INBOX, first, &Kept { at, note })?;
            }
            Ok(true)
        })
        .await
    }

    /// What was kept under this key is done.
    pub async fn handled(&self, key: &str) -> Result<()> {
        let key = key.to_owned();
        self.write(move |tx| table::remove(tx, &INBOX, &key).map(drop)).await
    }

    /// What an earlier program left in the inbox under keys that begin so, in the order in which it came.
    pub async fn unhandled(&self, prefix: &str) -> Result<Vec<(String, Kept)>> {
        let prefix = prefix.to_owned();
        self.read(move |tx| {
            let mut found = tx.scan(&INBOX, prefix.as_bytes())?;
            found.sort_by_key(|(_, kept)| kept.at);
            Ok(found)
        })
        .await
    }

    /// The turn that a message led to.
    pub async fn turn_of(&self, source: &str) -> Result<Option<Turn>> {
        self.look(|tx| match tx.fetch(&RECEIPTS, &source.to_owned())?.and_then(|receipt| receipt.turn) {
            Some(turn) => tx.fetch(&TURNS, &turn),
            None => Ok(None),
        })
    }

    pub async fn turn(&self, id: TurnId) -> Result<Option<Turn>> {
        self.look(|tx| tx.fetch(&TURNS, &id))
    }

    /// Forgets receipts from before then. What came so long ago does not come again.
    pub async fn forget_receipts(&self, before: Timestamp) -> Result<usize> {
        let old: Vec<String> = self
            .read(move |tx| {
                let all = tx.scan(&RECEIPTS, &[])?;
                Ok(all.into_iter().filter(|(_, receipt)| receipt.at < before).map(|(key, _)| key).collect())
            })
            .await?;
        // In small steps, so that nobody waits behind this.
        for some in old.chunks(1_000) {
            let some = some.to_vec();
            self.write(move |tx| {
                for key in &some {
                    table::remove(tx, &RECEIPTS, key)?;
                }
                Ok(())
            })
            .await?;
        }
        Ok(old.len())
    }

    /// How far a turn has been shown, in words that only its surface understands. Kept only while there is such a record.
    pub async fn keep_draft(&self, turn: TurnId, draft: String) -> Result<()> {
        self.write(move |tx| match tx.fetch(&DRAFTS, &turn)? {
            Some(_) => table::put(tx, &DRAFTS, &turn, &draft),
            None => Ok(()),
        })
        .await
    }

    pub async fn draft(&self, turn: TurnId) -> Result<Option<String>> {
        self.look(|tx| tx.fetch(&DRAFTS, &turn))
    }

    /// The turn has been shown to its end.
    pub async fn drop_draft(&self, turn: TurnId) -> Result<()> {
        self.write(move |tx| table::remove(tx, &DRAFTS, &turn).map(drop)).await
    }

    /// The turns that ended and were not shown to their end.
    pub async fn unshown(&self) -> Result<Vec<Turn>> {
        self.read(|tx| {
            let mut found = Vec::new();
            for (id, _) in tx.scan(&DRAFTS, &[])? {
                if let Some(turn) = tx.fetch(&TURNS, &id)?
                    && turn.state.is_last()
                {
                    found.push(turn);
                }
            }
            Ok(found)
        })
        .await
    }

    /// The threads below a prefix that were written in since then, the last used first.
    pub async fn threads_used(&self, prefix: &str, since: Timestamp) -> Result<Vec<(ConversationId, SessionId)>> {
        let prefix = prefix.to_owned();
        self.read(move |tx| {
            let mut found = Vec::new();
            for (id, thread) in tx.scan(&THREADS, prefix.as_bytes())? {
                if let Some(session) = tx.fetch(&table::SESSIONS, &thread.session)?
                    && session.used >= since
                {
                    found.push((session.used, id, thread.session));
                }
            }
            found.sort_by_key(|(used, ..)| std::cmp::Reverse(used.as_millisecond()));
            Ok(found.into_iter().map(|(_, id, session)| (id, session)).collect())
        })
        .await
    }
}

/// The turn is what this message led to; it is shown from now on.
pub fn led_to(tx: &redb::WriteTransaction, source: &str, turn: TurnId) -> Result<()> {
    let source = source.to_owned();
    let at = Timestamp::now();
    table::put(tx, &RECEIPTS, &source, &Receipt { at, turn: Some(turn) })?;
    table::put(tx, &DRAFTS, &turn, &String::new())?;
    table::remove(tx, &INBOX, &source).map(drop)
}
