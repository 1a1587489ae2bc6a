//! `/infra scan`: what infrastructure runs in a cluster already, with the evidence for it.
//!
//! Invariant: what could not be read is told as that, and never as not found.

use std::time::Duration;

use gaggle_commands::InfraCommand;

use super::{Context, show};
use crate::access::Authorized;
use crate::error::{Error, Result};
use crate::model::infra::{Confidence, Endpoint, EndpointKind, Finding, Scan, Scope};
use crate::model::{Cluster, Progress, Reply, StepState, Timestamp};
use crate::scan;
use crate::store::KeptScan;

/// A scan that is younger is not made again, unless that is asked for.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Pieces of evidence that are told of each finding.
const EVIDENCE: usize = 3;

pub async fn handle(context: &Context, call: &Authorized, command: &InfraCommand) -> Result<Reply> {
    let InfraCommand::Scan { all_namespaces, refresh, .. } = command;
    let (cluster, namespace) = call.cluster()?;
    let namespace = (!all_namespaces).then_some(namespace);
    let store = context.work.store();
    let before = store.scan(&cluster.id, namespace).await?;
    let fresh = before.as_ref().filter(|kept| !refresh && is_fresh(kept));
    let (kept, changes) = match fresh {
        Some(kept) => (kept.clone(), None),
        None => {
            let running = format!("Scanning {}", place(cluster, namespace));
            super::progress(context, call, Progress { step: "scan".into(), state: StepState::Running, text: running }).await;
            let taken = take(context, cluster, namespace).await;
            let (state, text) = match &taken {
                Ok(kept) => (StepState::Done, format!("Looked at {}", show::count(kept.scan.services, "service"))),
                Err(_) => (StepState::Failed, "The scan did not succeed".to_owned()),
            };
            super::progress(context, call, Progress { step: "scan".into(), state, text }).await;
            let kept = taken?;
            let changes = before.map(|before| kept.scan.changes_since(&before.scan));
            (kept, changes)
        }
    };
    let mut text = told(&kept.scan, cluster, namespace);
    match changes {
        Some(changes) if !changes.is_empty() => {
            let named = |all: &[Finding]| all.iter().map(|f| format!("{} `{}`", f.kind, f.name)).collect::<Vec<_>>().join(", ");
            if !changes.came.is_empty() {
                text.push_str(&format!("\nNew since the last scan: {}.", named(&changes.came)));
            }
            if !changes.went.is_empty() {
                text.push_str(&format!("\nGone since the last scan: {}.", named(&changes.went)));
            }
        }
        Some(_) => text.push_str("\nNothing came or went since the last scan."),
        None => text.push_str(&format!("\nScanned {}; `--refresh` looks again.", show::ago(kept.at))),
    }
    let mut reply = Reply::ok(text);
    reply.data = kept.scan.data();
    Ok(reply
        .with("cluster", &cluster.name)
        .with("namespace", namespace.unwrap_or("*"))
        .with("scanned", kept.at)
        .with("unreadable", kept.scan.all_hidden()))
}

fn is_fresh(kept: &KeptScan) -> bool {
    let age = Timestamp::now().duration_since(kept.at).as_secs();
    age >= 0 && age.unsigned_abs() < FRESH.as_secs()
}

/// Looks, and remembers what was found.
async fn take(context: &Context, cluster: &Cluster, namespace: Option<&str>) -> Result<KeptScan> {
    let connection = context.clusters.connection(cluster).await?;
    let scope = namespace.map_or(Scope::All, |namespace| Scope::Namespace(namespace.to_owned()));
    let scan = scan::scan(&connection.calls, &scope, &context.kinds).await.map_err(|trouble| {
        Error::Failed(format!("The scan of {} did not succeed: {}.", place(cluster, namespace), trouble.short()))
    })?;
    let kept = KeptScan { at: Timestamp::now(), scan };
    context.work.store().keep_scan(&cluster.id, namespace, kept.clone()).await?;
    Ok(kept)
}

/// The last scan that covers a namespace, or a new one of it. For suggestions: what cannot be scanned suggests nothing.
pub async fn known(context: &Context, cluster: &Cluster, namespace: &str) -> Option<KeptScan> {
    let store = context.work.store();
    let mut kept = Vec::new();
    for scope in [None, Some(namespace)] {
        kept.extend(store.scan(&cluster.id, scope).await.ok().flatten().filter(is_fresh));
    }
    kept.sort_by_key(|kept| std::cmp::Reverse((kept.scan.findings.len(), kept.at)));
    match kept.into_iter().next() {
        Some(kept) => Some(kept),
        None => take(context, cluster, Some(namespace)).await.ok(),
    }
}

fn place(cluster: &Cluster, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("`{namespace}` in the cluster `{}`", cluster.name),
        None => format!("all namespaces of the cluster `{}`", cluster.name),
    }
}

fn told(scan: &Scan, cluster: &Cluster, namespace: Option<&str>) -> String {
    let mut text = match scan.findings.len() {
        0 if scan.read_services(namespace) => {
            format!("No infrastructure was found in {}; {} looked at.", place(cluster, namespace), services(scan.services))
        }
        0 => format!("Nothing can be said of {}.", place(cluster, namespace)),
        found => format!("Found {found} in {}:", place(cluster, namespace)),
    };
    for hidden in scan.all_hidden() {
        text.push_str(&format!("\n⚠️ {}", super::sentence(&hidden)));
    }
    for finding in &scan.findings {
        text.push_str(&format!("\n\n{}", one(finding, namespace.is_none())));
    }
    text
}

fn services(count: usize) -> String {
    format!("{} {}", show::count(count, "service"), if count == 1 { "was" } else { "were" })
}

fn one(finding: &Finding, with_namespace: bool) -> String {
    let sure = match finding.confidence {
        Confidence::Certain => "",
        Confidence::Likely => ", likely",
        Confidence::Possible => ", possibly",
    };
    let version = finding.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let of = if with_namespace { format!(" in `{}`", finding.namespace) } else { String::new() };
    let mut lines = vec![format!(
        "**{}**{version}{sure}: `{}`{of}, {} of {} ready",
        finding.kind,
        finding.name,
        finding.ready,
        show::count(finding.total, "endpoint")
    )];
    lines.extend(finding.endpoints.iter().map(|e| format!("- {}", endpoint(e))));
    lines.push(format!("- Connect with `{}`", finding.connection));
    if !finding.secrets.is_empty() {
        let names: Vec<String> = finding.secrets.iter().map(|name| format!("`{name}`")).collect();
        lines.push(format!("- Secrets: {}", names.join(", ")));
    }
    let evidence: Vec<&str> = finding.evidence.iter().take(EVIDENCE).map(|e| e.text.as_str()).collect();
    if !evidence.is_empty() {
        lines.push(format!("- Because {}", evidence.join("; ")));
    }
    lines.join("\n")
}

fn endpoint(endpoint: &Endpoint) -> String {
    let address = match (&endpoint.address, endpoint.kind) {
        (Some(address), _) => format!("`{address}`"),
        (None, EndpointKind::LoadBalancer) => "a load balancer, pending".to_owned(),
        (None, _) => format!("port {} of the nodes", endpoint.port),
    };
    let kind = match endpoint.kind {
        EndpointKind::ClusterIp => "",
        EndpointKind::Headless => " (headless)",
        EndpointKind::Pod => " (one pod)",
        EndpointKind::NodePort => " (node port)",
        EndpointKind::LoadBalancer => " (load balancer)",
        EndpointKind::ExternalName => " (external)",
    };
    let note = endpoint.note.as_ref().map(|note| format!(", {note}")).unwrap_or_default();
    format!("{address}{kind}{note}")
}
