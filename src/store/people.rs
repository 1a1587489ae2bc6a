//! Identities: who a surface's user is to Gaggle.

use super::Store;
use super::table::{IDENTITIES, Read as _};
use crate::error::Result;
use crate::model::{Actor, PersonId};

impl Store {
    /// The person behind a surface's user: themselves, until they link another identity.
    pub async fn person(&self, actor: &Actor) -> Result<PersonId> {
        let key = actor.key();
        let linked = self
            .read({
                let key = key.clone();
                move |tx| tx.fetch(&IDENTITIES, &key)
            })
            .await?;
        Ok(linked.unwrap_or(PersonId(key)))
    }
}
