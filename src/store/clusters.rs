//! Clusters with their sealed credentials, and what each channel means by default.
//!
//! Invariant: no two clusters have the same name; no credential is in a record.

use secrecy::SecretString;

use super::Store;
use super::secrets::{Scope, place};
use super::table::{self, CHANNEL_CLUSTERS, CLUSTERS, Read as _, SCANS, SECRETS};
use crate::error::{Error, Result, refused};
use crate::model::infra::Scan;
use crate::model::{ChannelCluster, Cluster, ClusterId, ConversationId, Timestamp};

const CREDENTIALS: &str = "credentials";

/// A scan with the moment in which it was made.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct KeptScan {
    pub at: Timestamp,
    pub scan: Scan,
}

impl Store {
    /// Keeps a new cluster. Refused if there is one of that name.
    pub async fn add_cluster(&self, cluster: Cluster, credentials: &SecretString) -> Result<()> {
        let key = (Scope::Cluster(cluster.id.clone()).key(), CREDENTIALS.to_owned());
        let sealed = self.cipher().seal(&place(&key.0, &key.1), credentials).map_err(Error::Broken)?;
        self.write(move |tx| {
            free(tx, &cluster)?;
            table::put(tx, &SECRETS, &key, &sealed)?;
            table::put(tx, &CLUSTERS, &cluster.id, &cluster)
        })
        .await
    }

    /// The cluster of Gaggle's own credentials, as it is at this start; `None`: there is none.
    pub async fn set_own_cluster(&self, cluster: Option<Cluster>) -> Result<()> {
        self.write(move |tx| {
            let before = tx.scan(&CLUSTERS, &[])?.into_iter().find(|(_, known)| known.is_own());
            match (before, cluster) {
                (None, None) => {}
                (Some((id, _)), None) => drop(table::remove(tx, &CLUSTERS, &id)?),
                (Some((id, known)), Some(cluster)) => {
                    let cluster = Cluster { server: cluster.server, ..known };
                    table::put(tx, &CLUSTERS, &id, &cluster)?;
                }
                (None, Some(cluster)) => table::put(tx, &CLUSTERS, &cluster.id, &cluster)?,
            }
            Ok(())
        })
        .await
    }

    pub async fn clusters(&self) -> Result<Vec<Cluster>> {
        let mut all: Vec<Cluster> = self.look(|tx| tx.scan(&CLUSTERS, &[]))?.into_iter().map(|(_, cluster)| cluster).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    pub async fn cluster(&self, id: &ClusterId) -> Result<Option<Cluster>> {
        self.look(|tx| tx.fetch(&CLUSTERS, id))
    }

    /// Changes a cluster as it is at that moment, perhaps with new credentials. `None`: it is gone.
    pub async fn change_cluster(
        &self,
        id: &ClusterId,
        credentials: Option<&SecretString>,
        change: impl FnOnce(&mut Cluster) + Send + 'static,
    ) -> Result<Option<Cluster>> {
        let key = (Scope::Cluster(id.clone()).key(), CREDENTIALS.to_owned());
        let sealed = credentials.map(|new| self.cipher().seal(&place(&key.0, &key.1), new)).transpose().map_err(Error::Broken)?;
        let id = id.clone();
        self.write(move |tx| {
            let Some(mut cluster) = tx.fetch(&CLUSTERS, &id)? else { return Ok(None) };
            let before = cluster.name.clone();
            change(&mut cluster);
            if cluster.name != before {
                free(tx, &cluster)?;
            }
            if let Some(sealed) = sealed {
                table::put(tx, &SECRETS, &key, &sealed)?;
            }
            table::put(tx, &CLUSTERS, &id, &cluster)?;
            Ok(Some(cluster))
        })
        .await
    }

    /// Forgets a cluster, its credentials, its scans, and where it was a channel's. Whether it was there.
    pub async fn remove_cluster(&self, id: &ClusterId) -> Result<bool> {
        let id = id.clone();
        self.write(move |tx| {
            table::remove(tx, &SECRETS, &(Scope::Cluster(id.clone()).key(), CREDENTIALS.to_owned()))?;
            for (key, _) in tx.scan(&SCANS, &table::prefix(&id.0))? {
                table::remove(tx, &SCANS, &key)?;
            }
            for (channel, meant) in tx.scan(&CHANNEL_CLUSTERS, &[])? {
                if meant.cluster == id {
                    table::remove(tx, &CHANNEL_CLUSTERS, &channel)?;
                }
            }
            table::remove(tx, &CLUSTERS, &id)
        })
        .await
    }

    /// `None`: there are none. Refused if they were sealed with another key.
    pub async fn cluster_credentials(&self, id: &ClusterId) -> Result<Option<SecretString>> {
        let found = self.secrets(&Scope::Cluster(id.clone())).await?;
        Ok(found.into_iter().find(|(key, _)| key == CREDENTIALS).map(|(_, value)| value))
    }

    pub async fn channel_cluster(&self, channel: &ConversationId) -> Result<Option<ChannelCluster>> {
        self.look(|tx| tx.fetch(&CHANNEL_CLUSTERS, channel))
    }

    pub async fn set_channel_cluster(&self, channel: &ConversationId, meant: ChannelCluster) -> Result<()> {
        let channel = channel.clone();
        self.write(move |tx| table::put(tx, &CHANNEL_CLUSTERS, &channel, &meant)).await
    }

    /// The last scan of a namespace, or of all (`None`).
    pub async fn scan(&self, cluster: &ClusterId, namespace: Option<&str>) -> Result<Option<KeptScan>> {
        let key = (cluster.0.clone(), namespace.unwrap_or("*").to_owned());
        self.read(move |tx| tx.fetch(&SCANS, &key)).await
    }

    pub async fn keep_scan(&self, cluster: &ClusterId, namespace: Option<&str>, scan: KeptScan) -> Result<()> {
        let key = (cluster.0.clone(), namespace.unwrap_or("*").to_owned());
        self.write(move |tx| table::put(tx, &SCANS, &key, &scan)).await
    }
}

fn free(tx: &redb::WriteTransaction, cluster: &Cluster) -> Result<()> {
    match tx.scan(&CLUSTERS, &[])?.iter().any(|(id, known)| *id != cluster.id && known.name == cluster.name) {
        true => refused(format!(
            "There already is a cluster `{}`. Choose another name, or see all with `/cluster list`.",
            cluster.name
        )),
        false => Ok(()),
    }
}
