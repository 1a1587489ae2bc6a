//! Releases, their last revisions, and the compose files that people added.
//!
//! Invariants: of one name there is one release in a namespace of a cluster; a revision holds no secret value, only the names of
//! values that are sealed beside it; no more than [`REVISIONS`] of a release are kept.

use std::collections::BTreeSet;

use secrecy::SecretString;

use super::Store;
use super::secrets::{Scope, place};
use super::table::{self, COMPOSE_FILES, RELEASES, Read as _, SECRETS};
use crate::error::{Error, Result, refused};
use crate::model::{ClusterId, PersonId, Release, ReleaseId, ReleaseState, Revision, Timestamp};

/// Revisions that are kept of a release.
pub const REVISIONS: usize = 10;

/// A compose file that somebody added. Its text is sealed, since people write passwords into such files.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct KeptFile {
    pub owner: PersonId,
    /// An admin added it, so it is the team's.
    pub shared: bool,
    pub url: Option<String>,
    pub at: Timestamp,
    sealed: String,
}

impl Store {
    /// Keeps a new release. Refused if there is one of that name in that place.
    pub async fn create_release(&self, release: Release) -> Result<()> {
        self.write(move |tx| {
            let taken = |known: &Release| {
                known.cluster == release.cluster && known.namespace == release.namespace && known.name == release.name
            };
            if tx.scan(&RELEASES, &[])?.iter().any(|(_, known)| taken(known)) {
                return refused(format!("There already is a release `{}` in `{}`.", release.name, release.namespace));
            }
            table::put(tx, &RELEASES, &release.id, &release)
        })
        .await
    }

    pub async fn releases(&self) -> Result<Vec<Release>> {
        Ok(self.read(|tx| tx.scan(&RELEASES, &[])).await?.into_iter().map(|(_, release)| release).collect())
    }

    pub async fn release_at(&self, cluster: &ClusterId, namespace: &str, name: &str) -> Result<Option<Release>> {
        let all = self.releases().await?;
        Ok(all.into_iter().find(|r| r.cluster == *cluster && r.namespace == namespace && r.name == name))
    }

    pub async fn release(&self, id: &ReleaseId) -> Result<Option<Release>> {
        self.look(|tx| tx.fetch(&RELEASES, id))
    }

    /// Changes a release as it is at that moment. `None`: it is gone.
    pub async fn change_release(
        &self,
        id: &ReleaseId,
        change: impl FnOnce(&mut Release) + Send + 'static,
    ) -> Result<Option<Release>> {
        let id = id.clone();
        self.write(move |tx| {
            let Some(mut release) = tx.fetch(&RELEASES, &id)? else { return Ok(None) };
            change(&mut release);
            table::put(tx, &RELEASES, &id, &release)?;
            Ok(Some(release))
        })
        .await
    }

    /// What an earlier program was doing to releases when it ended is done no longer. Returns their names.
    pub async fn interrupt_releases(&self) -> Result<Vec<String>> {
        let busy = |release: &Release| matches!(release.state, ReleaseState::Deploying | ReleaseState::Deleting);
        if !self.releases().await?.iter().any(busy) {
            return Ok(Vec::new());
        }
        self.write(move |tx| {
            let mut names = Vec::new();
            for (id, mut release) in tx.scan(&RELEASES, &[])? {
                if busy(&release) {
                    release.state = ReleaseState::Interrupted;
                    table::put(tx, &RELEASES, &id, &release)?;
                    names.push(release.name);
                }
            }
            Ok(names)
        })
        .await
    }

    /// Keeps a revision with the values that it refers to, and makes it the release's last. The oldest go.
    pub async fn keep_revision(
        &self,
        id: &ReleaseId,
        mut revision: Revision,
        values: Vec<(String, SecretString)>,
    ) -> Result<u32> {
        let scope = Scope::Release(id.clone()).key();
        let sealed: Vec<(String, String)> = values
            .into_iter()
            .map(|(key, value)| Ok((key.clone(), self.cipher().seal(&place(&scope, &key), &value).map_err(Error::Broken)?)))
            .collect::<Result<_>>()?;
        let id = id.clone();
        self.write(move |tx| {
            let Some(mut release) = tx.fetch(&RELEASES, &id)? else { return refused("The release was deleted in the meantime.") };
            revision.number = release.revision + 1;
            release.revision = revision.number;
            release.changed = revision.at;
            for (key, value) in sealed {
                table::put(tx, &SECRETS, &(scope.clone(), key), &value)?;
            }
            table::put(tx, &table::REVISIONS, &(id.clone(), u64::from(revision.number)), &revision)?;
            table::put(tx, &RELEASES, &id, &release)?;
            let kept = tx.scan(&table::REVISIONS, &table::prefix(&id))?;
            let gone = kept.len().saturating_sub(REVISIONS);
            for (key, _) in &kept[..gone] {
                table::remove(tx, &table::REVISIONS, key)?;
            }
            // Values that no revision refers to any longer go too.
            let used: BTreeSet<&str> =
                kept[gone..].iter().flat_map(|(_, revision)| revision.values.iter().map(String::as_str)).collect();
            for ((scope, key), _) in tx.scan(&SECRETS, &table::prefix(&scope))? {
                if key.contains('@') && !used.contains(key.as_str()) {
                    table::remove(tx, &SECRETS, &(scope, key))?;
                }
            }
            Ok(revision.number)
        })
        .await
    }

    pub async fn revisions(&self, id: &ReleaseId) -> Result<Vec<Revision>> {
        let id = id.clone();
        let found = self.read(move |tx| tx.scan(&table::REVISIONS, &table::prefix(&id))).await?;
        Ok(found.into_iter().map(|(_, revision)| revision).collect())
    }

    /// Forgets a release with its revisions and values.
    pub async fn remove_release(&self, id: &ReleaseId) -> Result<()> {
        let id = id.clone();
        self.write(move |tx| {
            for (key, _) in tx.scan(&table::REVISIONS, &table::prefix(&id))? {
                table::remove(tx, &table::REVISIONS, &key)?;
            }
            let scope = Scope::Release(id.clone()).key();
            for (key, _) in tx.scan(&SECRETS, &table::prefix(&scope))? {
                table::remove(tx, &SECRETS, &key)?;
            }
            table::remove(tx, &RELEASES, &id)?;
            Ok(())
        })
        .await
    }

    /// Keeps a compose file under a name. Whoever may not replace one that is there was refused before.
    pub async fn keep_compose_file(
        &self,
        name: String,
        owner: PersonId,
        shared: bool,
        url: Option<String>,
        text: &SecretString,
    ) -> Result<()> {
        let sealed = self.cipher().seal(&file_place(&name), text).map_err(Error::Broken)?;
        let file = KeptFile { owner, shared, url, at: Timestamp::now(), sealed };
        self.write(move |tx| table::put(tx, &COMPOSE_FILES, &name, &file)).await
    }

    pub async fn compose_files(&self) -> Result<Vec<(String, KeptFile)>> {
        self.read(|tx| tx.scan(&COMPOSE_FILES, &[])).await
    }

    pub fn compose_text(&self, name: &str, file: &KeptFile) -> Result<SecretString> {
        self.cipher().open(&file_place(name), &file.sealed).ok_or_else(|| {
            Error::Refused(format!(
                "The compose file `{name}` was stored under another key and cannot be read. Add it again, or bring back the key that \
                 belongs to this store."
            ))
        })
    }
}

fn file_place(name: &str) -> String {
    format!("compose_files/{name}")
}
