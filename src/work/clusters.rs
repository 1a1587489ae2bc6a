//! The connections to clusters: made when one is first needed, kept while their credentials stay, watched for health.
//!
//! Invariant: credentials are opened here alone, and go nowhere but into a connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;

use crate::clusters::{self, Allow, Connection, Credentials, Health, Reach};
use crate::error::{Error, Result, refused};
use crate::model::{Cluster, ClusterId};
use crate::store::Store;

/// Cheap to clone.
#[derive(Clone)]
pub struct Clusters(Arc<Inner>);

struct Inner {
    store: Store,
    allow: Allow,
    /// With the credentials that Gaggle itself runs with.
    own: Option<Connection>,
    open: Mutex<HashMap<ClusterId, Arc<Open>>>,
}

struct Open {
    connection: Connection,
    health: Health,
}

impl Clusters {
    pub fn new(store: Store, allow: Allow, own: Option<Connection>) -> Self {
        Self(Arc::new(Inner { store, allow, own, open: Mutex::default() }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClusterId, Arc<Open>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn allow(&self) -> &Allow {
        &self.0.allow
    }

    /// The way to a cluster. Connects to nobody yet.
    pub async fn connection(&self, cluster: &Cluster) -> Result<Connection> {
        Ok(self.open(cluster).await?.connection.clone())
    }

    async fn open(&self, cluster: &Cluster) -> Result<Arc<Open>> {
        if let Some(open) = self.lock().get(&cluster.id) {
            return Ok(open.clone());
        }
        let connection = match (cluster.is_own(), &self.0.own) {
            (true, Some(own)) => own.clone(),
            (true, None) => return refused("Gaggle has no cluster of its own any longer. Name another with `--cluster`."),
            (false, _) => {
                let Some(sealed) = self.0.store.cluster_credentials(&cluster.id).await? else {
                    return refused(format!(
                        "The credentials of the cluster `{0}` are gone. Give new ones with `/cluster update {0} --credentials`.",
                        cluster.name
                    ));
                };
                clusters::connect(&Credentials::from_sealed(&sealed)?, &self.0.allow).map_err(Error::from)?
            }
        };
        let health = Health::start(cluster.name.clone(), connection.clone(), cluster.expires);
        let open = Arc::new(Open { connection, health });
        Ok(self.lock().entry(cluster.id.clone()).or_insert(open).clone())
    }

    /// How a cluster stands, as far as it is watched.
    pub fn reach(&self, id: &ClusterId) -> Reach {
        self.lock().get(id).map_or(Reach::Unknown, |open| open.health.now().reach)
    }

    /// Its credentials or its name changed, or it is gone.
    pub fn forget(&self, id: &ClusterId) {
        self.lock().remove(id);
    }

    /// Begins to watch all that are kept.
    pub async fn watch_all(&self) -> Result<()> {
        for cluster in self.0.store.clusters().await? {
            if let Err(error) = self.open(&cluster).await {
                tracing::warn!(cluster = cluster.name, %error, "a cluster cannot be connected to");
            }
        }
        Ok(())
    }

    /// What is sealed for the store.
    pub fn sealed(credentials: &Credentials) -> SecretString {
        credentials.seal_text()
    }
}
