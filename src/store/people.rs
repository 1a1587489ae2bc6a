//! Identities, what people are called, and which project is a channel's own.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Store;
use super::table::{self, CHANNEL_PROJECTS, IDENTITIES, NAMES, Read as _};
use crate::error::Result;
use crate::model::{Actor, ConversationId, PersonId, ProjectId};
use redb::ReadTransaction;

/// Names that are remembered without a look at the file.
const NAMES_KEPT: usize = 10_000;

/// What every input needs to know, in memory: as it is kept, but for names, of which these are some.
#[derive(Default)]
pub struct Known {
    names: Mutex<HashMap<PersonId, String>>,
    identities: Mutex<HashMap<String, PersonId>>,
    channels: Mutex<HashMap<ConversationId, ProjectId>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    pub fn load(tx: &ReadTransaction) -> Result<Self> {
        Ok(Self {
            names: Mutex::default(),
            identities: Mutex::new(tx.scan(&IDENTITIES, &[])?.into_iter().collect()),
            channels: Mutex::new(tx.scan(&CHANNEL_PROJECTS, &[])?.into_iter().collect()),
        })
    }
}

impl Store {
    /// The person behind a surface's user (themselves, until they link another identity), and the project of the channel in which
    /// they speak.
    pub async fn person_in(&self, actor: &Actor, channel: &ConversationId) -> Result<(PersonId, Option<ProjectId>)> {
        let key = actor.key();
        let linked = locked(&self.0.known.identities).get(&key).cloned();
        let here = locked(&self.0.known.channels).get(channel).cloned();
        let person = linked.unwrap_or(PersonId(key));
        if actor.name != actor.id && !actor.name.is_empty() {
            self.call(&person, &actor.name).await?;
        }
        Ok((person, here))
    }

    pub async fn person(&self, actor: &Actor) -> Result<PersonId> {
        Ok(self.person_in(actor, &ConversationId(String::new())).await?.0)
    }

    /// Remembers what somebody is called.
    async fn call(&self, person: &PersonId, name: &str) -> Result<()> {
        if locked(&self.0.known.names).get(person).is_some_and(|n| n == name) {
            return Ok(());
        }
        let (id, new) = (person.clone(), name.to_owned());
        self.write(move |tx| match tx.fetch(&NAMES, &id)? {
            Some(known) if known == new => Ok(()),
            _ => table::put(tx, &NAMES, &id, &new),
        })
        .await?;
        let mut known = locked(&self.0.known.names);
        if known.len() >= NAMES_KEPT {
            known.clear();
        }
        known.insert(person.clone(), name.to_owned());
        Ok(())
    }

    /// What people are called, as far as that is not their id.
    pub async fn names(&self) -> Result<HashMap<PersonId, String>> {
        self.read(|tx| Ok(tx.scan(&NAMES, &[])?.into_iter().collect())).await
    }

    /// Makes a project a channel's own, or takes that back. Returns what was before.
    pub async fn set_channel_project(&self, channel: &ConversationId, project: Option<ProjectId>) -> Result<Option<ProjectId>> {
        let (channel, store) = (channel.clone(), self.clone());
        self.write(move |tx| {
            let before = tx.fetch(&CHANNEL_PROJECTS, &channel)?;
            match &project {
                Some(project) => table::put(tx, &CHANNEL_PROJECTS, &channel, project)?,
                None => drop(table::remove(tx, &CHANNEL_PROJECTS, &channel)?),
            }
            // Here, so that it is in the order of the writes.
            let mut known = locked(&store.0.known.channels);
            match project {
                Some(project) => drop(known.insert(channel, project)),
                None => drop(known.remove(&channel)),
            }
            Ok(before)
        })
        .await
    }

    /// The channels that have a project of their own.
    pub async fn channel_projects(&self) -> Result<Vec<(ConversationId, ProjectId)>> {
        self.read(|tx| tx.scan(&CHANNEL_PROJECTS, &[])).await
    }
}
