//! What is done to a release in its cluster, one thing at a time: deployed step by step, kept as a revision, brought back from one.
//!
//! Invariants: what fails is taken back, and what was deployed before stays the release's last revision; a revision holds no secret
//! value, only the names of values that are sealed beside it.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;
use tokio::sync::mpsc;

use super::Context;
use super::service_build::{self, Built};
use super::service_deploy::{CONFIRMED, Chosen};
use crate::access::Authorized;
use crate::error::{Error, Result, refused};
use crate::model::{Cluster, Progress, Release, ReleaseId, ReleaseState, Reply, Revision, Timestamp};
use crate::releases::{self, Journal, Manifests, Patience, Stored, Target};
use crate::store::Scope;

/// Which releases something is being done to.
#[derive(Default)]
pub struct Deploys(Arc<Mutex<HashSet<ReleaseId>>>);

/// Held as long as something is done to a release.
pub struct Held(Arc<Mutex<HashSet<ReleaseId>>>, ReleaseId);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

impl Deploys {
    pub fn hold(&self, release: &Release) -> Result<Held> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(release.id.clone()) {
            true => Ok(Held(self.0.clone(), release.id.clone())),
            false => refused(format!(
                "Something is being done to the release `{}` already. Wait until it has ended; `/service status {0}` shows how it stands.",
                release.name
            )),
        }
    }
}

/// Shows steps as they come, until the sender is dropped.
pub fn steps(context: &Context, call: &Authorized) -> (mpsc::Sender<Progress>, tokio::task::JoinHandle<()>) {
    let (sender, mut steps) = mpsc::channel(64);
    let (chat, origin) = (context.work.chat(&call.caller.origin).cloned(), call.caller.origin.clone());
    let shown = tokio::spawn(async move {
        while let Some(step) = steps.recv().await {
            if let Some(chat) = &chat {
                chat.progress(&origin, step).await;
            }
        }
    });
    (sender, shown)
}

/// What the last revision deployed, for whoever has to go back to it.
pub async fn last(context: &Context, release: &Release) -> Result<Option<Manifests>> {
    let revisions = context.work.store().revisions(&release.id).await?;
    match revisions.into_iter().find(|revision| revision.number == release.revision) {
        Some(revision) => restored(context, release, &revision).await.map(Some),
        None => Ok(None),
    }
}

/// A revision with its secret values.
pub async fn restored(context: &Context, release: &Release, revision: &Revision) -> Result<Manifests> {
    let stored: Stored = serde_json::from_value(revision.manifests.clone())
        .map_err(|error| Error::Broken(anyhow::anyhow!("revision {} of a release does not parse: {error}", revision.number)))?;
    let values: BTreeMap<String, SecretString> =
        context.work.store().secrets(&Scope::Release(release.id.clone())).await?.into_iter().collect();
    stored.whole(&service_build::seal(context, &release.id), |name| values.get(name).cloned())
}

pub async fn run(
    context: &Context,
    call: &Authorized,
    cluster: &Cluster,
    chosen: Chosen,
    target: &Target,
    built: &Built,
) -> Result<Reply> {
    let Chosen { release, is_new, secrets, .. } = chosen;
    let _held = context.deploys.hold(&release)?;
    let store = context.work.store();
    if is_new {
        store.create_release(Release { state: ReleaseState::Deploying, ..release.clone() }).await?;
    } else {
        store.change_release(&release.id, |release| release.state = ReleaseState::Deploying).await?;
    }
    let before = last(context, &release).await?;
    match rolled(context, call, target, &built.manifests, before.as_ref()).await {
        Ok(deployed) => {
            let revision = keep(context, call, &release, &built.manifests, &secrets, deployed.made_namespace).await?;
            let mut text = format!(
                "Deployed `{}` to `{}` of the cluster `{}`, revision {revision}.",
                release.name, release.namespace, cluster.name
            );
            // It is deployed, whether that can be looked at now or not.
            let endpoints = releases::status(target).await.map(|status| status.endpoints).unwrap_or_default();
            for endpoint in &endpoints {
                text.push_str(&format!("\n- {endpoint}"));
            }
            // Whoever confirmed has read the others.
            let confirmed = call.values.as_ref().is_some_and(|values| values.0.contains_key(CONFIRMED));
            let known: &[String] = if confirmed { &[] } else { &built.warnings };
            let warnings = if confirmed { &[] } else { deployed.warnings.as_slice() };
            for sentence in deployed.left.iter().chain(known).chain(warnings) {
                text.push_str(&format!("\n⚠️ {sentence}"));
            }
            if !deployed.kept.is_empty() {
                text.push_str(&format!("\nNo longer used, and kept for their data: {}.", deployed.kept.join(", ")));
            }
            let shown: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
            Ok(Reply::ok(text)
                .with("cluster", &cluster.name)
                .with("namespace", &release.namespace)
                .with("release", &release.name)
                .with("revision", revision)
                .with("endpoints", shown))
        }
        Err((complete, error)) => {
            match is_new && complete {
                true => store.remove_release(&release.id).await?,
                false => drop(store.change_release(&release.id, |release| release.state = ReleaseState::Failed).await?),
            }
            Err(error)
        }
    }
}

/// Makes the cluster have these objects. `Err`: whether all was taken back, and what is told.
pub async fn rolled(
    context: &Context,
    call: &Authorized,
    target: &Target,
    manifests: &Manifests,
    before: Option<&Manifests>,
) -> std::result::Result<releases::Deployed, (bool, Error)> {
    let (steps, shown) = steps(context, call);
    let journal = Journal::default();
    let done = releases::deploy(target, manifests, before, false, &journal, &steps, Patience::default()).await;
    drop(steps);
    let _ = shown.await;
    done.map_err(|failed| (failed.undone.as_ref().is_none_or(|undone| undone.complete), Error::from(failed)))
}

/// Remembers what is deployed now. Returns the revision's number.
pub async fn keep(
    context: &Context,
    call: &Authorized,
    release: &Release,
    manifests: &Manifests,
    secrets: &[(String, SecretString)],
    made_namespace: bool,
) -> Result<u32> {
    let store = context.work.store();
    let seal = service_build::seal(context, &release.id);
    let stored = Stored::of(manifests, &seal);
    let mut values = manifests.values(&seal);
    let references = values.iter().map(|(name, _)| name.clone()).collect();
    values.extend(secrets.iter().cloned());
    let revision = Revision {
        number: 0,
        at: Timestamp::now(),
        by: call.caller.person.clone(),
        settings: release.settings.clone(),
        values: references,
        manifests: serde_json::to_value(&stored).map_err(|error| Error::Broken(error.into()))?,
    };
    let number = store.keep_revision(&release.id, revision, values).await?;
    let (settings, source) = (release.settings.clone(), release.source.clone());
    store
        .change_release(&release.id, move |release| {
            release.state = ReleaseState::Deployed;
            release.settings = settings;
            release.source = source;
            release.made_namespace |= made_namespace;
        })
        .await?;
    Ok(number)
}
