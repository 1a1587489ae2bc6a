//! Identities, what people are called, and which project is a channel's own.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Store;
use super::secrets::Scope;
use super::table::{self, CHANNEL_PROJECTS, GRANTS, IDENTITIES, NAMES, PROJECT_NAMES, PROJECTS, Read as _, SECRETS};
use crate::error::{Error, Result, refused};
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

    /// All under which a person is known, their own first. Somebody who never linked has one.
    pub fn identities_of(&self, person: &PersonId) -> Vec<String> {
        let linked = locked(&self.0.known.identities);
        let mut all: Vec<String> = linked.iter().filter(|(_, of)| *of == person).map(|(key, _)| key.clone()).collect();
        all.sort();
        all.retain(|key| *key != person.0);
        all.insert(0, person.0.clone());
        all
    }

    /// Makes somebody the person `to`, with all that they own. Refused, and nothing is changed, if both have a project or a secret of
    /// the same name.
    pub async fn link(&self, actor: &Actor, from: &PersonId, to: &PersonId) -> Result<()> {
        let (key, from, to, store) = (actor.key(), from.clone(), to.clone(), self.clone());
        self.write(move |tx| {
            let secrets = |of: &PersonId| tx.scan(&SECRETS, &table::prefix(&Scope::Person(of.clone()).key()));
            let (mine, theirs) = (secrets(&from)?, secrets(&to)?);
            let projects = tx.scan(&PROJECT_NAMES, &table::prefix(&from))?;
            for ((_, name), _) in &projects {
                if tx.fetch(&PROJECT_NAMES, &(to.clone(), name.clone()))?.is_some() {
                    return refused(format!(
                        "Both of you have a project `{name}`. Rename one of them with `/project rename`, then link again with a new code."
                    ));
                }
            }
            if let Some(((_, name), _)) = mine.iter().find(|((_, name), _)| theirs.iter().any(|((_, other), _)| other == name)) {
                return refused(format!(
                    "Both of you have a secret `{name}`. Remove one of them with `/secret unset`, then link again with a new code."
                ));
            }
            let mut moved = Vec::new();
            for ((scope, name), sealed) in mine {
                let place = super::secrets::place(&scope, &name);
                let Some(value) = store.cipher().open(&place, &sealed) else {
                    return refused(format!("The secret `{name}` cannot be read. Remove it with `/secret unset`, then link again."));
                };
                let scope_now = Scope::Person(to.clone()).key();
                let place = super::secrets::place(&scope_now, &name);
                moved.push(((scope, name.clone()), (scope_now, name), store.cipher().seal(&place, &value).map_err(Error::Broken)?));
            }
            for (before, after, sealed) in moved {
                table::remove(tx, &SECRETS, &before)?;
                table::put(tx, &SECRETS, &after, &sealed)?;
            }
            for ((_, name), id) in projects {
                table::remove(tx, &PROJECT_NAMES, &(from.clone(), name.clone()))?;
                table::put(tx, &PROJECT_NAMES, &(to.clone(), name), &id)?;
                if let Some(mut project) = tx.fetch(&PROJECTS, &id)? {
                    project.owner = to.clone();
                    // What was shared with them is their own now.
                    project.grants.retain(|(person, _)| *person != to);
                    table::remove(tx, &GRANTS, &(to.clone(), id.clone()))?;
                    table::put(tx, &PROJECTS, &id, &project)?;
                }
            }
            for ((_, id), ()) in tx.scan(&GRANTS, &table::prefix(&from))? {
                table::remove(tx, &GRANTS, &(from.clone(), id.clone()))?;
                let Some(mut project) = tx.fetch(&PROJECTS, &id)? else { continue };
                let role = project.grants.iter().find(|(person, _)| *person == from).map(|(_, role)| *role);
                project.grants.retain(|(person, _)| *person != from);
                if let Some(role) = role.filter(|_| project.owner != to) {
                    match project.grants.iter_mut().find(|(person, _)| *person == to) {
                        Some((_, before)) => *before = role.max(*before),
                        None => project.grants.push((to.clone(), role)),
                    }
                    table::put(tx, &GRANTS, &(to.clone(), id.clone()), &())?;
                }
                table::put(tx, &PROJECTS, &id, &project)?;
            }
            let mut keys: Vec<String> =
                tx.scan(&IDENTITIES, &[])?.into_iter().filter(|(_, of)| *of == from).map(|(key, _)| key).collect();
            keys.extend([key, from.0.clone()]);
            let mut known = locked(&store.0.known.identities);
            for key in keys {
                table::put(tx, &IDENTITIES, &key, &to)?;
                // Here, so that it is in the order of the writes.
                known.insert(key, to.clone());
            }
            Ok(())
        })
        .await
    }

    /// Makes an identity a person of its own again.
    pub async fn unlink(&self, identity: &str) -> Result<()> {
        let (key, store) = (identity.to_owned(), self.clone());
        self.write(move |tx| {
            table::remove(tx, &IDENTITIES, &key)?;
            locked(&store.0.known.identities).remove(&key);
            Ok(())
        })
        .await
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
