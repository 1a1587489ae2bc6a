//! `/service env`: the ConfigMap and the Secret of a service, made or changed without deploying it.
//!
//! Invariant: pods are left alone; what is changed here reaches them with their next deployment or restart.

use std::collections::BTreeMap;

use gaggle_commands::{SecretKey, ServiceChanges, ServiceCommand, values::PlainVar};
use secrecy::{ExposeSecret as _, SecretString};

use super::service_build;
use super::service_deploy::{apply, asked_for, fresh, secret_form};
use super::service_run::{keep, last, rolled};
use super::{Context, Step, service, show};
use crate::access::Authorized;
use crate::compose::sensitive;
use crate::error::{Error, Result, refused};
use crate::model::workload::{Bundle, Workload};
use crate::model::{Release, ReleaseId, ReleaseState, Reply, Values};
use crate::releases::{self, Manifests, Target};
use crate::runtime::kubernetes::release;
use crate::store::Scope;

pub async fn env(context: &Context, call: &Authorized, command: &ServiceCommand) -> Result<Step> {
    let ServiceCommand::Env { release: name, set, unset, secret, plain, .. } = command else {
        return Err(Error::Broken(anyhow::anyhow!("not an environment")));
    };
    let (cluster, namespace) = call.cluster()?;
    let before = service::existing(context, call, name).await?;
    let is_new = before.is_none();
    let release = match before {
        Some(release) => release,
        None => Release { id: ReleaseId(super::new_id()?), ..fresh(call, cluster, namespace, name, "") },
    };
    if set.is_empty() && unset.is_empty() && secret.is_empty() && plain.is_empty() {
        return match is_new {
            true => refused(format!(
                "There is no release `{name}` in `{namespace}` of the cluster `{}` yet. Say what it is to have, as `/service env {name} \
                 --set KEY=VALUE`.",
                cluster.name
            )),
            false => shown(context, &release, &cluster.name).await.map(Step::Reply),
        };
    }
    let values = match &call.values {
        Some(values) => values,
        None if !secret.is_empty() => return Ok(Step::Ask(secret_form(name, secret), Values::default())),
        None => &Values::default(),
    };
    let _held = context.deploys.hold(&release)?;
    let mut release = release;
    let mut secrets = if is_new { Vec::new() } else { service_build::secrets(context, &release.id).await? };
    change(&mut release, &mut secrets, set, unset, secret, plain);
    for (key, value) in asked_for(values, secret) {
        secrets.retain(|(known, _)| *known != key);
        secrets.push((key, value));
    }
    let target = service_build::target(context, &release, cluster).await?;
    let store = context.work.store();
    let last = last(context, &release).await?;
    let manifests = match &last {
        Some(manifests) => with_environment(context, call, &release, &target, manifests, &secrets).await?,
        None => alone(context, &release, &target, &secrets),
    };
    let plan = releases::plan(&target, &manifests, false)
        .await
        .map_err(|trouble| target.told(&trouble, &format!("planning the environment of `{name}`")))?;
    let refusals = plan.refusals();
    if !refusals.is_empty() {
        return refused(format!("{} Nothing was changed.", refusals.join(" ")));
    }
    if is_new {
        store.create_release(release.clone()).await?;
    }
    let made = match rolled(context, call, &target, &manifests, last.as_ref()).await {
        Ok(deployed) => deployed.made_namespace,
        Err((complete, error)) => {
            if is_new && complete {
                store.remove_release(&release.id).await?;
            }
            return Err(error);
        }
    };
    for key in unset {
        store.unset_secret(&Scope::Release(release.id.clone()), key.0.clone()).await?;
    }
    if last.is_some() {
        keep(context, call, &release, &manifests, &secrets, made).await?;
    } else {
        for (key, value) in &secrets {
            store.set_secret(&Scope::Release(release.id.clone()), key.clone(), value).await?;
        }
        let settings = release.settings.clone();
        store
            .change_release(&release.id, move |release| {
                release.settings = settings;
                release.state = ReleaseState::Prepared;
                release.made_namespace |= made;
            })
            .await?;
    }
    let changed = plan.lines();
    let after = match (changed.is_empty(), last.is_some()) {
        (true, _) => "Nothing changed.".to_owned(),
        (false, true) => format!("Running pods keep what they have until `/service restart {name}`."),
        (false, false) => format!("`/service deploy ID --as {name}` deploys with it."),
    };
    Ok(Step::Reply(
        Reply::ok(format!(
            "The environment of `{name}` in `{namespace}` of the cluster `{}` is in the ConfigMap `{name}-config` and the Secret \
             `{name}-secrets`. {after}\n{}",
            cluster.name,
            show::fenced(&changed.join("\n"))
        ))
        .with("cluster", &cluster.name)
        .with("namespace", namespace)
        .with("release", name)
        .with("changes", changed),
    ))
}

fn change(
    release: &mut Release,
    secrets: &mut Vec<(String, SecretString)>,
    set: &[PlainVar],
    unset: &[SecretKey],
    secret: &[SecretKey],
    plain: &[SecretKey],
) {
    let changes =
        ServiceChanges { set: set.to_vec(), secret: secret.to_vec(), plain: plain.to_vec(), ..ServiceChanges::default() };
    apply(&mut release.settings, &changes);
    for key in unset {
        release.settings.set.remove(&key.0);
        release.settings.unset.insert(key.0.clone());
        secrets.retain(|(known, _)| *known != key.0);
    }
    for key in secret {
        release.settings.unset.remove(&key.0);
    }
}

/// What there is, without the values of secrets.
async fn shown(context: &Context, release: &Release, cluster: &str) -> Result<Reply> {
    let secrets = service_build::secrets(context, &release.id).await?;
    let mut rows = vec!["| Variable | Value |".to_owned(), "|---|---|".to_owned()];
    rows.extend(release.settings.set.iter().map(|(key, value)| format!("| {key} | {} |", value.replace('|', "\\|"))));
    rows.extend(secrets.iter().map(|(key, _)| format!("| {key} | set, not shown |")));
    let text = match rows.len() {
        2 => {
            format!("Nothing of `{}` in `{}` of the cluster `{cluster}` differs from its file.", release.name, release.namespace)
        }
        _ => format!(
            "What was set of `{}` in `{}` of the cluster `{cluster}`:\n{}",
            release.name,
            release.namespace,
            rows.join("\n")
        ),
    };
    let names: Vec<&String> = secrets.iter().map(|(key, _)| key).collect();
    Ok(Reply::ok(text)
        .with("cluster", cluster)
        .with("namespace", &release.namespace)
        .with("set", &release.settings.set)
        .with("secrets", names))
}

/// What is deployed, with another environment.
async fn with_environment(
    context: &Context,
    call: &Authorized,
    release: &Release,
    target: &Target,
    deployed: &Manifests,
    secrets: &[(String, SecretString)],
) -> Result<Manifests> {
    let (file, _) = service::find(context, &call.caller, &release.source).await?;
    let surveyed = context.catalogue.survey(&file).await?;
    let built = service_build::build(context, release, target, &file, &surveyed, secrets).await?;
    let is_environment = |object: &release::Object| {
        (object.kind == "ConfigMap" && object.name.ends_with("-config"))
            || (object.kind == "Secret" && object.name.ends_with("-secrets"))
    };
    let mut manifests = deployed.clone();
    for object in built.manifests.objects.into_iter().filter(is_environment) {
        match manifests.objects.iter_mut().find(|known| known.kind == object.kind && known.name == object.name) {
            Some(known) => *known = object,
            None => manifests.objects.insert(0, object),
        }
    }
    Ok(manifests)
}

/// The environment of what was never deployed.
fn alone(context: &Context, release: &Release, target: &Target, secrets: &[(String, SecretString)]) -> Manifests {
    let settings = &release.settings;
    let is_secret = |name: &String, value: &str| {
        !settings.plain.contains(name) && (settings.secret.contains(name) || sensitive::is_sensitive(name, value))
    };
    let mut plain = BTreeMap::new();
    let mut secret: BTreeMap<String, SecretString> = BTreeMap::new();
    for (name, value) in &settings.set {
        match is_secret(name, value) {
            true => drop(secret.insert(name.clone(), SecretString::from(value.clone()))),
            false => drop(plain.insert(name.clone(), value.clone())),
        }
    }
    for (name, value) in secrets {
        match settings.plain.contains(name) {
            true => drop(plain.insert(name.clone(), value.expose_secret().to_owned())),
            false => drop(secret.insert(name.clone(), value.clone())),
        }
    }
    let workload = Workload { name: release.name.clone(), service: release.name.clone(), plain, secret, ..Workload::default() };
    let bundle = Bundle { name: release.name.clone(), workloads: vec![workload], ..Bundle::default() };
    let options =
        release::Options { namespace: release.namespace.clone(), release: Some(release.name.clone()), ..context.release.clone() };
    let mut manifests = Manifests::of(&bundle, &options, target);
    manifests.objects.retain(|object| matches!(object.kind, "ConfigMap" | "Secret"));
    manifests.waits.clear();
    manifests
}
