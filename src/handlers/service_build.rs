//! From a file of the catalogue and what was chosen for a release to the objects of a cluster.
//!
//! Invariant: the same file and choices make the same objects; secret values go into Secrets and nowhere else.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::Context;
use crate::compose::translate::{Options, ServiceOptions, translate};
use crate::compose::{Variable, settable};
use crate::error::{Result, refused};
use crate::model::workload::Bundle;
use crate::model::{Cluster, Release, ReleaseId};
use crate::releases::{Manifests, Target};
use crate::runtime::kubernetes::release;
use crate::store::Scope;
use crate::work::{Listed, Surveyed};

pub struct Built {
    pub bundle: Bundle,
    pub manifests: Manifests,
    pub options: release::Options,
    /// Sentences.
    pub warnings: Vec<String>,
}

/// Where a release is.
pub async fn target(context: &Context, release: &Release, cluster: &Cluster) -> Result<Target> {
    let connection = context.clusters.connection(cluster).await?;
    Ok(Target {
        calls: connection.calls,
        streams: connection.streams,
        cluster: cluster.name.clone(),
        namespace: release.namespace.clone(),
        release: release.name.clone(),
        id: release.id.0.clone(),
    })
}

/// The secret values that were given for a release, by variable.
pub async fn secrets(context: &Context, id: &ReleaseId) -> Result<Vec<(String, SecretString)>> {
    let all = context.work.store().secrets(&Scope::Release(id.clone())).await?;
    // The others are those that revisions refer to.
    Ok(all.into_iter().filter(|(key, _)| !key.contains('@')).collect())
}

/// The main service, if the release is of one.
pub fn main_service(source: &str) -> Option<&str> {
    source.split_once(':').map(|(_, service)| service)
}

pub fn variables(surveyed: &Surveyed, services: &BTreeSet<String>) -> Vec<Variable> {
    settable(&surveyed.project, &surveyed.asked, services)
}

/// What the files are read with.
fn environment(
    release: &Release,
    surveyed: &Surveyed,
    variables: &[Variable],
    secrets: &[(String, SecretString)],
) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    for variable in variables {
        let secret = secrets.iter().find(|(name, _)| *name == variable.name).map(|(_, value)| value.expose_secret());
        let Some(value) = secret.or(release.settings.set.get(&variable.name).map(String::as_str)) else { continue };
        for name in variable.through.iter().chain([&variable.name]) {
            environment.insert(name.clone(), value.to_owned());
        }
    }
    // What only services need that are not deployed keeps nobody from reading the file.
    for asked in surveyed.asked.iter().filter(|asked| asked.mention.required.is_some()) {
        let elsewhere = asked.service.as_ref().is_some_and(|service| !release.settings.services.contains(service));
        let known = surveyed.project.environment.get(&asked.mention.name).is_some_and(|value| !value.is_empty());
        if elsewhere && !known {
            environment.entry(asked.mention.name.clone()).or_insert_with(|| "1".to_owned());
        }
    }
    environment
}

pub async fn build(
    context: &Context,
    release: &Release,
    target: &Target,
    file: &Listed,
    surveyed: &Surveyed,
    secrets: &[(String, SecretString)],
) -> Result<Built> {
    let settings = &release.settings;
    let variables = variables(surveyed, &settings.services);
    let loaded = context.catalogue.load(file, environment(release, surveyed, &variables, secrets)).await?;
    let main = main_service(&release.source);
    let mut services: BTreeMap<String, ServiceOptions> = BTreeMap::new();
    for service in &settings.services {
        let is_main = main == Some(service.as_str());
        let has = |name: &str| match variables.iter().find(|variable| variable.name == name) {
            Some(variable) => variable.of.contains(service),
            // A variable that nothing of the file knows is a new one of the service that was named.
            None => is_main,
        };
        let given = settings.set.iter().map(|(name, value)| (name, value.as_str()));
        let given = given.chain(secrets.iter().map(|(name, value)| (name, value.expose_secret())));
        services.insert(
            service.clone(),
            ServiceOptions {
                name: is_main.then(|| release.name.clone()),
                replicas: settings.replicas.filter(|_| is_main),
                health_path: settings.health_path.clone().filter(|_| is_main),
                expose: settings.expose,
                live: None,
                set: given.filter(|(name, _)| has(name)).map(|(name, value)| (name.clone(), value.to_owned())).collect(),
                secret: settings.secret.clone(),
                plain: settings.plain.clone(),
            },
        );
    }
    let options =
        Options { name: Some(release.name.clone()), only: Some(settings.services.clone()), services, ..Options::default() };
    let made = translate(&loaded.project.tree, &loaded.bound, &options);
    let mut bundle = made.bundle;
    for workload in &mut bundle.workloads {
        if let Some(replicas) = settings.scaled.get(&workload.name) {
            workload.replicas = *replicas;
        }
        for name in &settings.unset {
            workload.plain.remove(name);
            workload.secret.remove(name);
        }
    }
    if bundle.workloads.is_empty() {
        return refused(format!("Nothing of `{}` can run on a cluster: no service of it has an image.", release.source));
    }
    let warnings = loaded.project.warnings.iter().map(|told| told.text.clone());
    let warnings: Vec<String> = warnings.chain(made.warnings.iter().map(ToString::to_string)).collect();
    let options = release::Options {
        namespace: release.namespace.clone(),
        release: Some(release.name.clone()),
        seal: Some(seal(context, &release.id)),
        ..context.release.clone()
    };
    let manifests = Manifests::of(&bundle, &options, target);
    Ok(Built { bundle, manifests, options, warnings })
}

/// What tells that a secret changed, and nothing else of it.
pub fn seal(context: &Context, id: &ReleaseId) -> [u8; 32] {
    let key = context.work.store().cipher().derive(&format!("secrets of release {id}"));
    Sha256::digest(key.expose_secret()).into()
}
