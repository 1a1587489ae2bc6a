//! Secrets of people and projects, sealed. Names are readable, values are not.

use secrecy::SecretString;

use super::Store;
use super::table::{self, Read as _, SECRETS};
use crate::error::{Error, Result};
use crate::model::{ClusterId, PersonId, ProjectId, ReleaseId};

/// Whose a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Project(ProjectId),
    /// All of a person's projects.
    Person(PersonId),
    /// The way into a cluster.
    Cluster(ClusterId),
    Release(ReleaseId),
}

impl Scope {
    pub(super) fn key(&self) -> String {
        match self {
            Scope::Project(id) => format!("project {id}"),
            Scope::Person(id) => format!("person {id}"),
            Scope::Cluster(id) => format!("cluster {id}"),
            Scope::Release(id) => format!("release {id}"),
        }
    }
}

impl Store {
    pub async fn set_secret(&self, scope: &Scope, key: String, value: &SecretString) -> Result<()> {
        let scope = scope.key();
        let sealed = self.cipher().seal(&place(&scope, &key), value).map_err(Error::Broken)?;
        self.write(move |tx| table::put(tx, &SECRETS, &(scope, key), &sealed)).await
    }

    /// Whether there was one.
    pub async fn unset_secret(&self, scope: &Scope, key: String) -> Result<bool> {
        let scope = scope.key();
        self.write(move |tx| table::remove(tx, &SECRETS, &(scope, key))).await
    }

    pub async fn secret_names(&self, scope: &Scope) -> Result<Vec<String>> {
        let scope = scope.key();
        self.look(|tx| Ok(tx.scan(&SECRETS, &table::prefix(&scope))?.into_iter().map(|((_, key), _)| key).collect()))
    }

    /// Refused if one of them was sealed with another key.
    pub async fn secrets(&self, scope: &Scope) -> Result<Vec<(String, SecretString)>> {
        let scope = scope.key();
        let sealed = self.look(|tx| tx.scan(&SECRETS, &table::prefix(&scope)))?;
        sealed
            .into_iter()
            .map(|((scope, key), value)| match self.cipher().open(&place(&scope, &key), &value) {
                Some(value) => Ok((key, value)),
                None => Err(Error::Refused(format!(
                    "The secret `{key}` was stored under another key and cannot be read. Set it again, or bring back the key file \
                     `secret.key` (or `GAGGLE_SECRET_KEY`) that belongs to this store."
                ))),
            })
            .collect()
    }
}

pub(super) fn place(scope: &str, key: &str) -> String {
    format!("secrets/{scope}/{key}")
}
