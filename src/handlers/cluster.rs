//! `/cluster …`: clusters that people add, with credentials that never come out again.
//!
//! Invariant: nothing is kept that was not checked against the cluster itself; every answer names the cluster that it is about.

use gaggle_commands::{ClusterAbout, ClusterCommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{Context, Step, cluster_form, cluster_remove, show};
use crate::access::{self, Authorized};
use crate::clusters::{self, Credentials, Reach};
use crate::error::{Error, Result, refused};
use crate::model::{ChannelCluster, Cluster, ClusterId, Known, OWN, Progress, Reply, StepState, Timestamp, Values, Verified};
use crate::work::Clusters;

pub async fn handle(context: &Context, call: &Authorized, command: &ClusterCommand) -> Result<Step> {
    Ok(Step::Reply(match command {
        ClusterCommand::Add { new_cluster, context: named, about, insecure_skip_tls_verify } => {
            return add(context, call, new_cluster, named.as_deref(), about, *insecure_skip_tls_verify).await;
        }
        ClusterCommand::Update { about, credentials, context: named, insecure_skip_tls_verify, .. } => {
            return update(context, call, about, *credentials, named.as_deref(), *insecure_skip_tls_verify).await;
        }
        ClusterCommand::Remove { yes, .. } => return cluster_remove::remove(context, call, *yes).await,
        ClusterCommand::List => list(context, call).await?,
        ClusterCommand::Show { .. } => {
            let (cluster, _) = call.cluster()?;
            Reply::ok(described(context, cluster)).with("clusters", [data(context, cluster)])
        }
        ClusterCommand::Check { .. } => check(context, call).await?,
        ClusterCommand::Namespaces { .. } => namespaces(context, call).await?,
        ClusterCommand::Tag { tags, .. } => {
            let tags = tags.clone();
            let cluster = change(context, call, None, move |cluster| cluster.tags = tags).await?;
            let text = match cluster.tags.is_empty() {
                true => format!("The cluster `{}` has no tags any longer.", cluster.name),
                false => format!("The cluster `{}` is tagged {}.", cluster.name, cluster.tags.join(", ")),
            };
            Reply::ok(text).with("clusters", [data(context, &cluster)])
        }
        ClusterCommand::Rename { new_cluster, .. } => rename(context, call, new_cluster).await?,
        ClusterCommand::Default { namespace, .. } => default(context, call, namespace.clone()).await?,
    }))
}

/// What was filled in, without what was left empty.
fn filled<'v>(values: &'v Values, name: &str) -> Option<&'v SecretString> {
    values.0.get(name).filter(|value| !value.expose_secret().trim().is_empty())
}

/// The credentials that a form holds, or the next form.
enum Given {
    Credentials { context: Option<String>, credentials: Box<Credentials> },
    Ask(Vec<String>),
}

fn given(values: &Values, context: Option<&str>, insecure: bool) -> Result<Given> {
    let plain = |name: &str| filled(values, name).map(|value| value.expose_secret().trim().to_owned());
    let fields = ["server", "token", "ca", "cert", "key"];
    if let Some(kubeconfig) = filled(values, "kubeconfig") {
        if let Some(beside) = fields.iter().find(|name| filled(values, name).is_some()) {
            return refused(format!("There is a kubeconfig, and `{beside}` beside it. Fill in one of both."));
        }
        let chosen = plain("context").or(context.map(str::to_owned));
        return match clusters::kubeconfig::read(kubeconfig.expose_secret(), chosen.as_deref(), insecure) {
            Ok(clusters::kubeconfig::Read::One { context, credentials }) => Ok(Given::Credentials { context, credentials }),
            Ok(clusters::kubeconfig::Read::Several(contexts)) => Ok(Given::Ask(contexts)),
            Err(refusal) => refused(format!("The kubeconfig is not taken: {}", super::sentence(&refusal.to_string()))),
        };
    }
    let Some(server) = plain("server") else {
        return refused("Fill in a kubeconfig, or the server with a token or with a certificate and its key. Nothing was kept.");
    };
    let fields = clusters::Fields {
        server,
        token: filled(values, "token").cloned(),
        ca: plain("ca"),
        cert: plain("cert"),
        key: filled(values, "key").cloned(),
        insecure,
        ..clusters::Fields::default()
    };
    match clusters::from_fields(fields, insecure) {
        Ok(credentials) => Ok(Given::Credentials { context: None, credentials: Box::new(credentials) }),
        Err(refusal) => refused(format!("The credentials are not taken: {}", super::sentence(&refusal.to_string()))),
    }
}

fn allowed_insecure(call: &Authorized, insecure: bool) -> Result<()> {
    match insecure && !call.caller.is_admin() {
        true => refused(
            "`--insecure-skip-tls-verify` takes the role admin: anybody on the way to the cluster could read its credentials. Give the \
             cluster's CA instead.",
        ),
        false => Ok(()),
    }
}

async fn add(
    context: &Context,
    call: &Authorized,
    name: &str,
    named: Option<&str>,
    about: &ClusterAbout,
    insecure: bool,
) -> Result<Step> {
    allowed_insecure(call, insecure)?;
    if name == OWN {
        return refused("`default` is the name of the cluster that Gaggle itself runs in. Choose another.");
    }
    let store = context.work.store();
    if store.clusters().await?.iter().any(|known| known.name == name) {
        return refused(format!("There already is a cluster `{name}`. Choose another name, or see all with `/cluster list`."));
    }
    let Some(values) = &call.values else {
        return Ok(Step::Ask(cluster_form::credentials(name, about), Values::default()));
    };
    let (chosen, credentials) = match given(values, named, insecure)? {
        Given::Ask(contexts) => return Ok(Step::Ask(cluster_form::contexts(name, contexts), values.copy())),
        Given::Credentials { context, credentials } => (context, credentials),
    };
    let plain = |name: &str| filled(values, name).map(|value| value.expose_secret().trim().to_owned());
    let provider = plain("provider").or_else(|| about.provider.clone());
    let mut tags = about.tags.clone();
    if let Some(typed) = plain("tags") {
        tags = typed.split([',', ' ', '\n']).filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
    }
    if let Some(wrong) = tags.iter().find(|tag| gaggle_commands::values::tag(tag).is_err()) {
        return refused(format!("`{}` is no tag: a tag is 1–40 of A–Z, a–z, 0–9, -, _, ., : and /.", super::sentence(wrong)));
    }
    let namespace = plain("namespace").or_else(|| about.namespace.clone()).or_else(|| credentials.namespace().map(str::to_owned));
    if let Some(Err(why)) = namespace.as_deref().map(gaggle_commands::values::namespace) {
        return refused(format!("The namespace is not accepted: {why}."));
    }
    let verified = verify(context, call, name, &credentials, namespace.as_deref().unwrap_or("default")).await?;
    let now = Timestamp::now();
    let cluster = Cluster {
        id: ClusterId(super::new_id()?),
        name: name.to_owned(),
        owner: call.caller.person.clone(),
        shared: call.caller.is_admin(),
        server: credentials.server().to_owned(),
        kind: credentials.kind().to_owned(),
        fingerprint: credentials.fingerprint(),
        expires: credentials.expires(),
        insecure: credentials.insecure(),
        context: chosen,
        provider,
        tags,
        namespace,
        created: now,
        verified: Some(verified),
    };
    store.add_cluster(cluster.clone(), &Clusters::sealed(&credentials)).await?;
    // From here on it is watched.
    context.clusters.connection(&cluster).await?;
    let text = format!("Added the cluster `{name}`.\n{}\n\n{}", described(context, &cluster), rights(&cluster));
    Ok(Step::Reply(Reply::ok(text).with("clusters", [data(context, &cluster)])))
}

/// Asks the cluster itself, before anything of it is kept.
async fn verify(
    context: &Context,
    call: &Authorized,
    name: &str,
    credentials: &Credentials,
    namespace: &str,
) -> Result<Verified> {
    let step = |state, text: String| Progress { step: "check".into(), state, text };
    let server = credentials.server().to_owned();
    super::progress(context, call, step(StepState::Running, format!("Checking the cluster `{name}` at {server}"))).await;
    let connection = clusters::connect(credentials, context.clusters.allow())?;
    match clusters::verify(&connection, namespace).await {
        Ok(verified) => {
            super::progress(context, call, step(StepState::Done, format!("The cluster `{name}` answers"))).await;
            Ok(verified)
        }
        Err(failure) => {
            super::progress(context, call, step(StepState::Failed, format!("The cluster `{name}` cannot be used"))).await;
            Err(Error::Failed(format!("{} Nothing was kept.", failure.sentence(&server))))
        }
    }
}

async fn update(
    context: &Context,
    call: &Authorized,
    about: &ClusterAbout,
    new: bool,
    named: Option<&str>,
    insecure: bool,
) -> Result<Step> {
    allowed_insecure(call, insecure)?;
    let (cluster, _) = call.cluster()?;
    if new && cluster.is_own() {
        return refused(
            "The cluster `default` is used with the credentials that Gaggle itself runs with; change those where it runs.",
        );
    }
    if !new && *about == ClusterAbout::default() {
        return refused(format!(
            "Nothing to change: say `--provider`, `--tag` or `--namespace`, or `--credentials` to give new ones, as `/cluster update {} \
             --credentials`.",
            cluster.name
        ));
    }
    let mut credentials = None;
    let mut verified = None;
    let mut chosen = None;
    if new {
        let Some(values) = &call.values else {
            return Ok(Step::Ask(cluster_form::new_credentials(&cluster.name), Values::default()));
        };
        match given(values, named, insecure)? {
            Given::Ask(contexts) => return Ok(Step::Ask(cluster_form::contexts(&cluster.name, contexts), values.copy())),
            Given::Credentials { context: of, credentials: found } => {
                let namespace = about.namespace.as_deref().or(cluster.namespace.as_deref()).unwrap_or("default");
                verified = Some(verify(context, call, &cluster.name, &found, namespace).await?);
                (chosen, credentials) = (of, Some(found));
            }
        }
    }
    let sealed = credentials.as_deref().map(Clusters::sealed);
    let about = about.clone();
    let changed = change(context, call, sealed.as_ref(), move |cluster| {
        cluster.provider = about.provider.or(cluster.provider.take());
        cluster.namespace = about.namespace.or(cluster.namespace.take());
        if !about.tags.is_empty() {
            cluster.tags = about.tags;
        }
        if let Some(credentials) = credentials {
            cluster.server = credentials.server().to_owned();
            cluster.kind = credentials.kind().to_owned();
            cluster.fingerprint = credentials.fingerprint();
            cluster.expires = credentials.expires();
            cluster.insecure = credentials.insecure();
            cluster.context = chosen;
            cluster.verified = verified;
        }
    })
    .await?;
    if new {
        context.clusters.connection(&changed).await?;
    }
    let what = if new { " and its credentials" } else { "" };
    let text = format!("Changed the cluster `{}`{what}.\n{}", changed.name, described(context, &changed));
    Ok(Step::Reply(Reply::ok(text).with("clusters", [data(context, &changed)])))
}

async fn change(
    context: &Context,
    call: &Authorized,
    credentials: Option<&SecretString>,
    change: impl FnOnce(&mut Cluster) + Send + 'static,
) -> Result<Cluster> {
    let (cluster, _) = call.cluster()?;
    let changed = context.work.store().change_cluster(&cluster.id, credentials, change).await?;
    let Some(changed) = changed else { return refused(format!("The cluster `{}` was removed in the meantime.", cluster.name)) };
    if credentials.is_some() || changed.name != cluster.name {
        reached_anew(context, &changed.id).await;
    }
    Ok(changed)
}

/// What is connected to the cluster ends, and is connected anew where it is needed.
pub async fn reached_anew(context: &Context, cluster: &ClusterId) {
    context.clusters.forget(cluster);
    context.work.runtime().reconnect(cluster).await;
}

async fn rename(context: &Context, call: &Authorized, name: &str) -> Result<Reply> {
    let (cluster, _) = call.cluster()?;
    if cluster.is_own() || name == OWN {
        return refused("`default` is the name of the cluster that Gaggle itself runs in, and of no other.");
    }
    let (before, new) = (cluster.name.clone(), name.to_owned());
    let changed = change(context, call, None, move |cluster| cluster.name = new).await?;
    context.clusters.connection(&changed).await?;
    Ok(Reply::ok(format!("The cluster `{before}` is now called `{name}`.")).with("clusters", [data(context, &changed)]))
}

async fn list(context: &Context, call: &Authorized) -> Result<Reply> {
    let clusters = access::visible_clusters(context.work.store(), &context.policy, &call.caller).await?;
    if clusters.is_empty() {
        return Ok(
            Reply::ok("There is no cluster that you may use yet. Add one with `/cluster add NAME`.").with("clusters", [(); 0])
        );
    }
    let channel = call.caller.origin.conversation.channel();
    let here = context.work.store().channel_cluster(&channel).await?;
    let mut rows = vec!["| Cluster | Server | State | Tags |".to_owned(), "|---|---|---|---|".to_owned()];
    for cluster in &clusters {
        let mark = if here.as_ref().is_some_and(|here| here.cluster == cluster.id) { " (this channel's)" } else { "" };
        let warned = warnings(cluster).into_iter().map(|warning| format!("; {warning}")).collect::<String>();
        rows.push(format!(
            "| {}{mark} | {} | {}{warned} | {} |",
            cluster.name,
            cluster.server,
            state(context, cluster),
            cluster.tags.join(", ")
        ));
    }
    let data: Vec<Value> = clusters.iter().map(|cluster| data(context, cluster)).collect();
    Ok(Reply::ok(rows.join("\n")).with("clusters", data))
}

async fn check(context: &Context, call: &Authorized) -> Result<Reply> {
    let (cluster, namespace) = call.cluster()?;
    let connection = context.clusters.connection(cluster).await?;
    let verified = clusters::verify(&connection, namespace)
        .await
        .map_err(|failure| Error::Failed(format!("Cluster `{}`: {}", cluster.name, failure.sentence(&cluster.server))))?;
    let kept = verified.clone();
    let cluster = change(context, call, None, move |cluster| cluster.verified = Some(kept)).await?;
    let text = format!("The cluster `{}` answers.\n{}\n\n{}", cluster.name, described(context, &cluster), rights(&cluster));
    Ok(Reply::ok(text).with("clusters", [data(context, &cluster)]))
}

async fn namespaces(context: &Context, call: &Authorized) -> Result<Reply> {
    let (cluster, _) = call.cluster()?;
    let connection = context.clusters.connection(cluster).await?;
    let mut names = clusters::namespaces(&connection)
        .await
        .map_err(|failure| Error::Failed(format!("Cluster `{}`: {}", cluster.name, failure.sentence(&cluster.server))))?;
    // What somebody may not use is not shown to them.
    names.retain(|name| context.policy.role_on_cluster(&call.caller, cluster, Some(name)).is_some());
    let lines: Vec<String> = names.iter().map(|name| format!("- `{name}`")).collect();
    let text = format!("{} of the cluster `{}`:\n{}", show::count(names.len(), "namespace"), cluster.name, lines.join("\n"));
    Ok(Reply::ok(text).with("cluster", &cluster.name).with("namespaces", names))
}

async fn default(context: &Context, call: &Authorized, namespace: Option<String>) -> Result<Reply> {
    let (cluster, _) = call.cluster()?;
    let channel = call.caller.origin.conversation.channel();
    let meant = ChannelCluster { cluster: cluster.id.clone(), namespace: namespace.clone() };
    context.work.store().set_channel_cluster(&channel, meant).await?;
    let within = namespace.as_deref().or(cluster.namespace.as_deref()).unwrap_or("default");
    Ok(Reply::ok(format!(
        "This channel means the cluster `{}` and its namespace `{within}` from now on, where nobody names another.",
        cluster.name
    ))
    .with("cluster", &cluster.name)
    .with("namespace", within))
}

/// How a cluster stands, in a few words.
fn state(context: &Context, cluster: &Cluster) -> String {
    match context.clusters.reach(&cluster.id) {
        // Whoever was just checked is there, though the watch has not begun yet.
        Reach::Unknown if cluster.verified.as_ref().is_some_and(|verified| verified.at > context.about.started) => {
            "reachable".to_owned()
        }
        Reach::Unknown => "not asked yet".to_owned(),
        Reach::Reachable => "reachable".to_owned(),
        Reach::Unreachable { since, why } => format!("unreachable since {} ({why})", show::ago(since)),
    }
}

/// What ought to be known before it hurts.
fn warnings(cluster: &Cluster) -> Vec<String> {
    let mut all = Vec::new();
    if cluster.insecure {
        all.push("⚠️ its certificate is not checked".to_owned());
    }
    if let Some(expires) = cluster.expires {
        let left = expires.duration_since(Timestamp::now()).as_secs();
        let day = expires.strftime("%Y-%m-%d");
        if left <= 0 {
            all.push(format!("⚠️ its credentials expired on {day}"));
        } else if left < 7 * 86_400 {
            all.push(format!("⚠️ its credentials expire on {day}"));
        }
    }
    all
}

fn described(context: &Context, cluster: &Cluster) -> String {
    let mut lines = vec![format!("**{}** at {}: {}", cluster.name, cluster.server, state(context, cluster))];
    lines.extend(warnings(cluster));
    let kind = match cluster.kind.as_str() {
        "own" => "those that Gaggle itself runs with",
        "certificate" => "a client certificate",
        _ => "a token",
    };
    let fingerprint = cluster.fingerprint.as_ref().map(|print| format!(", fingerprint `{print}`")).unwrap_or_default();
    let until = cluster.expires.map(|at| format!(", good until {}", at.strftime("%Y-%m-%d %H:%M UTC"))).unwrap_or_default();
    lines.push(format!("Credentials: {kind}{fingerprint}{until}"));
    if let Some(verified) = &cluster.verified {
        lines.extend(found(verified));
    }
    let mut fact = |label: &str, value: Option<String>| lines.extend(value.map(|value| format!("{label}: {value}")));
    fact("Context", cluster.context.clone());
    fact("Provider", cluster.provider.clone());
    fact("Tags", (!cluster.tags.is_empty()).then(|| cluster.tags.join(", ")));
    fact("Default namespace", Some(cluster.namespace.clone().unwrap_or_else(|| "default".into())));
    fact("Checked", cluster.verified.as_ref().map(|verified| show::ago(verified.at)));
    lines.join("\n")
}

/// What its credentials may do.
fn rights(cluster: &Cluster) -> String {
    let Some(verified) = &cluster.verified else { return String::new() };
    let Known::Found(rows) = &verified.may else {
        return "The cluster does not tell what the credentials may do.".to_owned();
    };
    let mut lines = vec!["| May | Where | Granted | Not granted |".to_owned(), "|---|---|---|---|".to_owned()];
    for row in rows {
        let verbs = |granted: bool| -> String {
            let fitting = row.verbs.iter().filter(|(_, given)| *given == granted).map(|(verb, _)| verb.as_str());
            fitting.collect::<Vec<_>>().join(", ")
        };
        let place = row.namespace.as_deref().unwrap_or("everywhere");
        lines.push(format!("| {} | {place} | {} | {} |", row.resource, verbs(true), verbs(false)));
    }
    lines.join("\n")
}

/// What the last check found, a line each.
fn found(verified: &Verified) -> Vec<String> {
    let mut lines = Vec::new();
    let version = verified.version.as_deref().unwrap_or("of unknown version");
    let nodes = verified.nodes.found().map(|n| format!(", {n} {}", if *n == 1 { "node" } else { "nodes" })).unwrap_or_default();
    lines.push(format!("Kubernetes {version}{nodes}"));
    if let Some(identity) = &verified.identity {
        lines.push(format!("There Gaggle is `{}`", identity.name));
    }
    if verified.namespace_exists == Known::Found(false) {
        lines.push(format!("The namespace `{}` does not exist yet", verified.namespace));
    }
    lines.push(match &verified.operators {
        Known::NotAllowed => "Operators: may not be looked for".to_owned(),
        Known::Found(none) if none.is_empty() => "Operators: none found".to_owned(),
        Known::Found(all) => format!("Operators: {}", all.iter().map(|o| o.name.as_str()).collect::<Vec<_>>().join(", ")),
    });
    lines
}

/// The facts of a cluster, for `data`.
fn data(context: &Context, cluster: &Cluster) -> Value {
    json!({
        "name": cluster.name,
        "server": cluster.server,
        "credentials": { "kind": cluster.kind, "fingerprint": cluster.fingerprint, "expires": cluster.expires },
        "insecure": cluster.insecure,
        "context": cluster.context,
        "provider": cluster.provider,
        "tags": cluster.tags,
        "namespace": cluster.namespace,
        "owner": cluster.owner,
        "created": cluster.created,
        "verified": cluster.verified,
        "state": state(context, cluster),
    })
}
