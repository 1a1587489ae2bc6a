//! What runs: releases as they stand, their logs, commands in them, and small changes that need no file.
//!
//! Invariant: every answer names the cluster and the namespace that it is about; no secret value of a release is ever shown.

use std::sync::Arc;
use std::time::Duration;

use gaggle_commands::Period;
use secrecy::SecretString;
use serde_json::json;
use tokio::sync::mpsc;

use super::service_build;
use super::service_run::{keep, last};
use super::{Context, exec as commands, log, show};
use crate::access::{self, Authorized};
use crate::error::{Result, refused};
use crate::model::{Action, Card, Progress, Release, ReleaseState, Reply, StepState};
use crate::releases::{self, Manifests, Overall, Target, WorkloadStatus};
use crate::runtime::{LogQuery, Redactor};

/// A secret that is shorter is too likely to be an ordinary word.
const SHORTEST: usize = 4;

pub async fn list(context: &Context, call: &Authorized, cluster: Option<&str>, namespace: Option<&str>) -> Result<Reply> {
    let mut all = access::visible_releases(context.work.store(), &context.policy, &call.caller).await?;
    all.retain(|(release, of)| {
        cluster.is_none_or(|named| of.name == named) && namespace.is_none_or(|named| release.namespace == named)
    });
    if all.is_empty() {
        let text = "There are no releases. See what can be deployed with `/service catalogue`.";
        return Ok(Reply::ok(text).with("releases", [(); 0]));
    }
    let mut rows =
        vec!["| Release | Cluster | Namespace | Of | State | Changed |".to_owned(), "|---|---|---|---|---|---|".to_owned()];
    let (mut data, mut cards) = (Vec::new(), Vec::new());
    for (release, cluster) in &all {
        let state = match release.revision {
            0 => release.state.as_str().to_owned(),
            revision => format!("{}, revision {revision}", release.state.as_str()),
        };
        rows.push(format!(
            "| {} | {} | {} | {} | {state} | {} |",
            release.name,
            cluster.name,
            release.namespace,
            release.source,
            show::ago(release.changed)
        ));
        cards.push(card(release, &cluster.name, &state));
        data.push(json!({
            "release": release.name, "cluster": cluster.name, "namespace": release.namespace, "source": release.source,
            "state": release.state, "revision": release.revision, "owner": release.owner, "changed": release.changed,
        }));
    }
    Ok(Reply { cards, ..Reply::ok(rows.join("\n")).with("releases", data) })
}

fn card(release: &Release, cluster: &str, state: &str) -> Card {
    let place = format!("--cluster {cluster} --namespace {}", release.namespace);
    let name = &release.name;
    Card {
        title: name.clone(),
        text: format!("`{}` in the cluster `{cluster}`, of `{}` · {state}", release.namespace, release.source),
        actions: vec![
            Action::new("Status", format!("/service status {name} {place}")),
            Action::new("Logs", format!("/service logs {name} {place}")),
        ],
    }
}

/// The release with what it last deployed.
async fn deployed(context: &Context, call: &Authorized) -> Result<(Target, Manifests)> {
    let (release, cluster) = call.release()?;
    let target = service_build::target(context, release, cluster).await?;
    match last(context, release).await? {
        Some(manifests) => Ok((target, manifests)),
        None => refused(interrupted(release).unwrap_or_else(|| {
            format!(
                "The release `{}` was never deployed. Do it with `/service deploy {} --as {0}`.",
                release.name,
                if release.source.is_empty() { "ID" } else { &release.source }
            )
        })),
    }
}

/// One of a release's workloads: the named one, or the only one.
fn one_of(manifests: &Manifests, named: Option<&str>) -> Result<String> {
    let names = manifests.workloads();
    match named {
        Some(name) if names.contains(&name) => Ok(name.to_owned()),
        Some(name) => refused(format!("The release has no workload `{name}`, but {}.", quoted(&names))),
        None if names.len() == 1 => Ok(names[0].to_owned()),
        None => refused(format!("Which workload? Say `--workload` with one of {}.", quoted(&names))),
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn redactor(manifests: &Manifests) -> Redactor {
    use secrecy::ExposeSecret as _;
    let secrets: Vec<SecretString> =
        manifests.secrets().into_iter().filter(|secret| secret.expose_secret().trim().len() >= SHORTEST).collect();
    Redactor::new(&secrets)
}

/// What somebody has to know whose release was left half done.
fn interrupted(release: &Release) -> Option<String> {
    (release.state == ReleaseState::Interrupted).then(|| {
        format!(
            "Gaggle was ended while it changed `{0}`, so what runs may be half of it. `/service deploy {1} --as {0}` brings it to its end, \
             `/service delete {0}` takes all of it away.",
            release.name, release.source
        )
    })
}

pub async fn status(context: &Context, call: &Authorized) -> Result<Reply> {
    let (release, cluster) = call.release()?;
    let (target, manifests) = deployed(context, call).await?;
    let told =
        |trouble: crate::runtime::kubernetes::trouble::Trouble| target.told(&trouble, &format!("looking at `{}`", release.name));
    let (status, drift) = tokio::join!(releases::status(&target), releases::drift(&target, &manifests));
    let (status, drift) = (status.map_err(told)?, drift.map_err(told)?);
    let overall = match status.overall {
        Overall::Ready => "ready",
        Overall::Progressing => "on its way",
        Overall::Degraded => "serving, but not with all that is wanted",
        Overall::Failed => "failing",
        Overall::Gone => "gone from the cluster",
    };
    let mut text = format!(
        "**{}** in `{}` of the cluster `{}` is {overall}; revision {} of `{}`, deployed {}.",
        release.name,
        release.namespace,
        cluster.name,
        release.revision,
        release.source,
        show::ago(release.changed)
    );
    if let Some(sentence) = interrupted(release) {
        text.push_str(&format!("\n\n⚠️ {sentence}"));
    }
    text.push_str("\n\n| Workload | Ready | Restarts | Image |\n|---|---|---|---|");
    for workload in &status.workloads {
        text.push_str(&format!(
            "\n| {} ({}) | {}/{}{} | {} | {} |",
            workload.name,
            workload.kind,
            workload.ready,
            workload.desired,
            if workload.doing.is_empty() || workload.doing.starts_with("ready") {
                String::new()
            } else {
                format!(", {}", workload.doing)
            },
            workload.restarts,
            workload.image
        ));
    }
    for trouble in status.workloads.iter().filter_map(trouble) {
        text.push_str(&format!("\n\n⚠️ {trouble}"));
    }
    if !status.endpoints.is_empty() {
        text.push('\n');
        for endpoint in &status.endpoints {
            text.push_str(&format!("\n- {endpoint}"));
        }
    }
    for (claim, phase) in &status.claims {
        text.push_str(&format!("\n- volume `{claim}`: {phase}"));
    }
    if !drift.is_empty() {
        text.push_str(&format!(
            "\n\nChanged by others since it was deployed; `/service update {} --yes` takes that back:\n{}",
            release.name,
            show::fenced(&drift.join("\n"))
        ));
    }
    Ok(Reply::ok(redactor(&manifests).redact(&text))
        .with("cluster", &cluster.name)
        .with("namespace", &release.namespace)
        .with("release", &release.name)
        .with("revision", release.revision)
        .with("state", release.state)
        .with("status", &status)
        .with("drift", drift))
}

fn trouble(workload: &WorkloadStatus) -> Option<String> {
    workload.trouble.as_ref().map(|trouble| format!("`{}`: {trouble}", workload.name))
}

pub async fn logs(context: &Context, call: &Authorized, named: Option<&str>, query: LogQuery) -> Result<Reply> {
    let (release, _) = call.release()?;
    let (target, manifests) = deployed(context, call).await?;
    let names: Vec<String> = match named {
        Some(_) => vec![one_of(&manifests, named)?],
        None => manifests.workloads().into_iter().map(str::to_owned).collect(),
    };
    let several = names.len() > 1;
    let redactor = Arc::new(redactor(&manifests));
    let (lines, receiver) = mpsc::channel(256);
    let mut opened = 0;
    let mut refusal = None;
    for name in names {
        let mut of = match releases::logs(&target, &name, query).await {
            Ok(of) => of,
            Err(error) => {
                refusal = Some(error);
                continue;
            }
        };
        opened += 1;
        let (lines, redactor) = (lines.clone(), redactor.clone());
        tokio::spawn(async move {
            while let Some(line) = of.recv().await {
                let line = redactor.redact(&line);
                let line = if several { format!("{name} {line}") } else { line };
                if lines.send(line).await.is_err() {
                    return;
                }
            }
        });
    }
    drop(lines);
    match refusal {
        Some(refusal) if opened == 0 => Err(refusal),
        _ => Ok(log::shown(context, call, &release.name, receiver, query).await),
    }
}

pub async fn restart(context: &Context, call: &Authorized, named: Option<&str>) -> Result<Reply> {
    let (release, cluster) = call.release()?;
    let _held = context.deploys.hold(release)?;
    let (target, manifests) = deployed(context, call).await?;
    let names: Vec<String> = match named {
        Some(_) => vec![one_of(&manifests, named)?],
        None => manifests.running().into_iter().map(str::to_owned).collect(),
    };
    for name in &names {
        let text = format!("Restarting `{name}`");
        super::progress(context, call, Progress { step: name.clone(), state: StepState::Running, text }).await;
        releases::restart(&target, &manifests, name).await?;
        let text = format!("`{name}` is replaced pod by pod");
        super::progress(context, call, Progress { step: name.clone(), state: StepState::Done, text }).await;
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Ok(Reply::ok(format!(
        "Restarting {} of `{}` in `{}` of the cluster `{}`; the old pods stay until the new ones are ready. `/service status {1}` shows \
         how far it is.",
        quoted(&names),
        release.name,
        release.namespace,
        cluster.name
    ))
    .with("cluster", &cluster.name)
    .with("namespace", &release.namespace)
    .with("workloads", names))
}

pub async fn scale(context: &Context, call: &Authorized, replicas: u32, named: Option<&str>) -> Result<Reply> {
    let (release, cluster) = call.release()?;
    let _held = context.deploys.hold(release)?;
    let (target, mut manifests) = deployed(context, call).await?;
    let name = one_of(&manifests, named)?;
    let before = releases::scale(&target, &mut manifests, &name, replicas).await?;
    let mut release = release.clone();
    release.settings.scaled.insert(name.clone(), replicas);
    keep(context, call, &release, &manifests, &[], false).await?;
    Ok(Reply::ok(format!(
        "`{name}` of `{}` in `{}` of the cluster `{}` has {} now; it had {before}.",
        release.name,
        release.namespace,
        cluster.name,
        show::count(replicas as usize, "pod")
    ))
    .with("cluster", &cluster.name)
    .with("namespace", &release.namespace)
    .with("workload", name)
    .with("replicas", replicas))
}

pub async fn exec(context: &Context, call: &Authorized, named: Option<&str>, argv: &[String], timeout: Period) -> Result<Reply> {
    let (_, cluster) = call.release()?;
    let (target, manifests) = deployed(context, call).await?;
    let name = one_of(&manifests, named)?;
    let (pod, execution) = releases::exec(&target, &name, argv.to_vec()).await?;
    let reply = commands::shown(context, call, &name, argv, timeout, execution, &redactor(&manifests)).await;
    Ok(reply.with("cluster", &cluster.name).with("namespace", &target.namespace).with("pod", pod))
}

pub async fn forward(
    context: &Context,
    call: &Authorized,
    port: Option<u16>,
    named: Option<&str>,
    timeout: Period,
) -> Result<Reply> {
    let (release, cluster) = call.release()?;
    let (target, manifests) = deployed(context, call).await?;
    let name = one_of(&manifests, named)?;
    let Some(port) = port.or_else(|| manifests.port_of(&name)) else {
        return refused(format!("`{name}` says no port. Name one, as `/service port-forward {} 8080`.", release.name));
    };
    let forward = releases::forward(&target, &name, port, None, Duration::from_secs(timeout.0)).await?;
    let text = format!(
        "`{name}` of the cluster `{}` is reached at {} on the machine that Gaggle runs on, for {timeout}.",
        cluster.name, forward.address
    );
    let reply = Reply::ok(text).with("cluster", &cluster.name).with("address", forward.address.to_string()).with("port", port);
    let stopping = context.work.stopping().clone();
    context.work.spawn(async move {
        tokio::select! {
            () = forward.over() => {}
            () = stopping.cancelled() => {}
        }
    });
    Ok(reply)
}
