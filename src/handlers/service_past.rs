//! What was deployed before, and the end of a release: rollback, manifests, export, deletion.

use secrecy::SecretString;

use super::service_build;
use super::service_run::{keep, last, restored, rolled, steps};
use super::{Context, Step, service, show};
use crate::access::Authorized;
use crate::error::{Error, Result, refused};
use crate::model::{Cluster, Form, Release, ReleaseState, Reply, Revision, Values};
use crate::releases::{self, Stored};
use crate::runtime::kubernetes::release;
use crate::runtime::kubernetes::release::Waiting;

/// The revision that is meant, of those that are kept.
async fn revision(context: &Context, release: &Release, named: Option<u32>, usual: Option<u32>) -> Result<Revision> {
    let all = context.work.store().revisions(&release.id).await?;
    let wanted = named.or(usual);
    let numbers: Vec<String> = all.iter().map(|revision| revision.number.to_string()).collect();
    match all.into_iter().find(|revision| Some(revision.number) == wanted) {
        Some(revision) => Ok(revision),
        None if numbers.is_empty() => {
            refused(format!("The release `{}` was never deployed, so it has no revision.", release.name))
        }
        None => refused(match named {
            Some(number) => format!("Revision {number} of `{}` is not kept. There are {}.", release.name, numbers.join(", ")),
            None => format!("The release `{}` has no earlier revision than the one that is deployed.", release.name),
        }),
    }
}

pub async fn rollback(context: &Context, call: &Authorized, to: Option<u32>, yes: bool) -> Result<Step> {
    let (release, cluster) = call.release()?;
    let usual = release.revision.checked_sub(1).filter(|number| *number > 0);
    let revision = revision(context, release, to, usual).await?;
    if revision.number == release.revision && release.state == ReleaseState::Deployed {
        return refused(format!("Revision {} of `{}` is the one that is deployed.", revision.number, release.name));
    }
    let target = service_build::target(context, release, cluster).await?;
    let manifests = restored(context, release, &revision).await?;
    if !yes && call.values.is_none() {
        let plan = releases::plan(&target, &manifests, false)
            .await
            .map_err(|trouble| target.told(&trouble, &format!("planning the rollback of `{}`", release.name)))?;
        let question = format!("Bring back {}?", described(release, cluster, &revision));
        let text = show::fenced(&if plan.is_nothing() { "nothing changes".to_owned() } else { plan.lines().join("\n") });
        return Ok(Step::Ask(Form { text, ..Form::question(question) }, Values::default()));
    }
    let _held = context.deploys.hold(release)?;
    let store = context.work.store();
    let before = last(context, release).await?;
    store.change_release(&release.id, |release| release.state = ReleaseState::Deploying).await?;
    match rolled(context, call, &target, &manifests, before.as_ref()).await {
        Ok(_) => {
            let back = Release { settings: revision.settings.clone(), ..release.clone() };
            // What was given since does not come back with the next update.
            let known = service_build::secrets(context, &release.id).await?;
            let as_then = |(name, _): (String, SecretString)| manifests.secret_value(&name).map(|value| (name, value));
            let secrets: Vec<(String, SecretString)> = known.into_iter().filter_map(as_then).collect();
            let number = keep(context, call, &back, &manifests, &secrets, false).await?;
            Ok(Step::Reply(
                Reply::ok(format!(
                    "`{}` in `{}` of the cluster `{}` is as in revision {} again; that is revision {number} now.",
                    release.name, release.namespace, cluster.name, revision.number
                ))
                .with("cluster", &cluster.name)
                .with("namespace", &release.namespace)
                .with("release", &release.name)
                .with("revision", number),
            ))
        }
        Err((_, error)) => {
            store.change_release(&release.id, |release| release.state = ReleaseState::Failed).await?;
            Err(error)
        }
    }
}

pub async fn delete(context: &Context, call: &Authorized, keep_data: bool, yes: bool) -> Result<Step> {
    let (release, cluster) = call.release()?;
    if !yes && call.values.is_none() {
        let data = if keep_data { "its volumes stay" } else { "its volumes and what is in them go too, for good" };
        let question = format!(
            "Delete the release `{}` from `{}` of the cluster `{}`? Everything of it goes; {data}.",
            release.name, release.namespace, cluster.name
        );
        return Ok(Step::Ask(show::confirm(question), Values::default()));
    }
    let _held = context.deploys.hold(release)?;
    let store = context.work.store();
    let target = service_build::target(context, release, cluster).await?;
    // What waits for what is only good for the order.
    let manifests = last(context, release).await.ok().flatten();
    store.change_release(&release.id, |release| release.state = ReleaseState::Deleting).await?;
    let (steps, shown) = steps(context, call);
    let deleted = releases::delete(&target, manifests.as_ref(), keep_data, &steps).await;
    drop(steps);
    let _ = shown.await;
    let deleted = match deleted {
        Ok(deleted) => deleted,
        Err(error) => {
            store.change_release(&release.id, |release| release.state = ReleaseState::Failed).await?;
            return Err(error);
        }
    };
    let mut text =
        format!("Deleted the release `{}` from `{}` of the cluster `{}`.", release.name, release.namespace, cluster.name);
    if deleted.kept.is_empty() {
        store.remove_release(&release.id).await?;
    } else {
        // A later deployment of the same name takes its volumes again.
        store.change_release(&release.id, |release| release.state = ReleaseState::Kept).await?;
        text.push_str(&format!(
            " These volumes stay, and the next `/service deploy {} --as {}` takes them again: {}.",
            release.source,
            release.name,
            deleted.kept.join(", ")
        ));
    }
    if deleted.namespace {
        text.push_str(&format!(" The namespace `{}`, which was made for it, went too.", release.namespace));
    }
    if let Some(stays) = &deleted.stays {
        text.push_str(&format!(" {stays}"));
    }
    Ok(Step::Reply(
        Reply::ok(text)
            .with("cluster", &cluster.name)
            .with("namespace", &release.namespace)
            .with("release", &release.name)
            .with("kept", deleted.kept),
    ))
}

/// Which revision it is, and whose.
fn described(release: &Release, cluster: &Cluster, revision: &Revision) -> String {
    format!(
        "revision {} of `{}` in `{}` of the cluster `{}`, deployed {} by {}",
        revision.number,
        release.name,
        release.namespace,
        cluster.name,
        show::ago(revision.at),
        revision.by.short()
    )
}

pub async fn manifests(context: &Context, call: &Authorized, named: Option<u32>) -> Result<Reply> {
    let (release, cluster) = call.release()?;
    let revision = revision(context, release, named, Some(release.revision)).await?;
    let stored: Stored = serde_json::from_value(revision.manifests.clone())
        .map_err(|error| Error::Broken(anyhow::anyhow!("revision {} of a release does not parse: {error}", revision.number)))?;
    let file = format!("{}-{}.yaml", release.name, revision.number);
    let what = described(release, cluster, &revision);
    Ok(Reply::ok(format!("This is {what}. Values of secrets are left out."))
        .with("revision", revision.number)
        .file(file, stored.documents().into_bytes()))
}

pub async fn export(context: &Context, call: &Authorized) -> Result<Reply> {
    let (release, cluster) = call.release()?;
    let (file, _) = service::find(context, &call.caller, &release.source).await?;
    let surveyed = context.catalogue.survey(&file).await?;
    let secrets: Vec<(String, SecretString)> = service_build::secrets(context, &release.id).await?;
    let target = service_build::target(context, release, cluster).await?;
    let built = service_build::build(context, release, &target, &file, &surveyed, &secrets).await?;
    // Sealed as what was deployed is: applied over it, the tree changes no pod for its secrets.
    let options = release::Options { waiting: Some(Waiting::default()), ..built.options };
    let files = release::export(&built.bundle, &options);
    let count = files.len();
    let archive = super::archive::tar_gz(&release.name, files.iter().map(|file| (file.path.as_str(), file.content.as_str())))?;
    let mut text = format!(
        "The release `{}` as a kustomize tree of {}. Fill in the values of its secrets, then `kubectl apply -k overlays/production`.",
        release.name,
        show::count(count, "file")
    );
    for warning in release::unwaited(&built.bundle, &options) {
        text.push_str(&format!("\n⚠️ {warning}"));
    }
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    Ok(Reply::ok(text)
        .with("cluster", &cluster.name)
        .with("namespace", &release.namespace)
        .with("files", paths)
        .file(format!("{}.tar.gz", release.name), archive))
}
