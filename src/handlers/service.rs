//! `/service …`: what can be deployed, and what is. Dispatches; the catalogue is here.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use gaggle_commands::ServiceCommand;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{Context, Step, service_deploy, service_env, service_live, service_past, show};
use crate::access::{self, Authorized, Caller};
use crate::compose::{Project, Variable, settable};
use crate::error::{Error, Result, refused};
use crate::model::{Field, Form, Reply, Values};
use crate::scan::Kinds;
use crate::work::{Listed, Surveyed};

/// The largest file that is fetched or pasted.
const LARGEST: usize = 1 << 20;
const FETCH: Duration = Duration::from_secs(20);

pub async fn handle(context: &Context, call: &Authorized, command: &ServiceCommand) -> Result<Step> {
    match command {
        ServiceCommand::Add { new_file, url } => add(context, call, new_file, url.as_deref()).await,
        ServiceCommand::Catalogue { infra } => catalogue(context, call, *infra).await.map(Step::Reply),
        ServiceCommand::Show { service } => describe(context, call, service).await.map(Step::Reply),
        ServiceCommand::Deploy { .. } => service_deploy::deploy(context, call, command).await,
        ServiceCommand::Update { changes, dry_run, yes, .. } => {
            service_deploy::update(context, call, changes, *dry_run, *yes).await
        }
        ServiceCommand::Env { .. } => service_env::env(context, call, command).await,
        ServiceCommand::List { site } => {
            service_live::list(context, call, site.cluster.as_deref(), site.namespace.as_deref()).await.map(Step::Reply)
        }
        ServiceCommand::Status { .. } => service_live::status(context, call).await.map(Step::Reply),
        ServiceCommand::Logs { workload, lines, .. } => {
            service_live::logs(context, call, workload.as_deref(), super::log::query(lines)).await.map(Step::Reply)
        }
        ServiceCommand::Restart { workload, .. } => {
            service_live::restart(context, call, workload.as_deref()).await.map(Step::Reply)
        }
        ServiceCommand::Scale { replicas, workload, .. } => {
            service_live::scale(context, call, *replicas, workload.as_deref()).await.map(Step::Reply)
        }
        ServiceCommand::Exec { workload, timeout, argv, .. } => {
            service_live::exec(context, call, workload.as_deref(), argv, *timeout).await.map(Step::Reply)
        }
        ServiceCommand::PortForward { port, workload, timeout, .. } => {
            service_live::forward(context, call, *port, workload.as_deref(), *timeout).await.map(Step::Reply)
        }
        ServiceCommand::Rollback { to, yes, .. } => service_past::rollback(context, call, *to, *yes).await,
        ServiceCommand::Delete { keep_data, yes, .. } => service_past::delete(context, call, *keep_data, *yes).await,
        ServiceCommand::Manifests { revision, .. } => service_past::manifests(context, call, *revision).await.map(Step::Reply),
        ServiceCommand::Export { .. } => service_past::export(context, call).await.map(Step::Reply),
    }
}

/// The files that somebody may deploy from.
pub async fn visible(context: &Context, caller: &Caller) -> Result<Vec<Listed>> {
    let mut all = context.catalogue.files().await?;
    all.retain(|file| file.is_shared() || caller.is_admin() || file.owner() == Some(&caller.person));
    Ok(all)
}

/// The file, and the service of it that is named.
pub async fn find(context: &Context, caller: &Caller, id: &str) -> Result<(Listed, Option<String>)> {
    let (file, service) = id.split_once(':').map_or((id, None), |(file, service)| (file, Some(service.to_owned())));
    let mut all = visible(context, caller).await?;
    if let Some(at) = all.iter().position(|listed| listed.name == file) {
        return Ok((all.swap_remove(at), service));
    }
    let near = all.iter().map(|listed| listed.name.as_str()).min_by_key(|name| strsim::damerau_levenshtein(name, file));
    let near = near.filter(|name| strsim::damerau_levenshtein(name, file) <= 2);
    let hint = near.map_or_else(
        || "See all with `/service catalogue`, or add it with `/service add NAME`.".to_owned(),
        |near| format!("Did you mean `{near}`?"),
    );
    refused(format!("There is no compose file `{file}` that you can see. {hint}"))
}

/// The services that are meant: the named one, or all that the file has.
pub fn chosen(surveyed: &Surveyed, file: &str, service: Option<&str>) -> Result<BTreeSet<String>> {
    let all = services(&surveyed.project);
    let Some(service) = service else { return Ok(all.into_iter().map(str::to_owned).collect()) };
    if all.contains(&service) {
        return Ok(BTreeSet::from([service.to_owned()]));
    }
    let names: Vec<String> = all.iter().map(|name| format!("`{name}`")).collect();
    refused(format!("The compose file `{file}` has no service `{service}`, but {}.", names.join(", ")))
}

pub fn services(project: &Project) -> Vec<&str> {
    project.tree["services"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

async fn add(context: &Context, call: &Authorized, name: &str, url: Option<&str>) -> Result<Step> {
    let existing = context.catalogue.files().await?.into_iter().find(|file| file.name == name);
    if let Some(file) = &existing
        && file.owner() != Some(&call.caller.person)
        && !(call.caller.is_admin() && file.owner().is_some())
    {
        return refused(format!("There already is a compose file `{name}`, which is not yours to replace. Choose another name."));
    }
    let text = match (url, &call.values) {
        (Some(url), _) => fetch(context, url).await?,
        (None, Some(values)) => values.0.get("file").cloned().unwrap_or_default(),
        (None, None) => {
            let field = Field {
                long: true,
                file: true,
                hint: Some("The whole file, pasted or attached. What it binds or includes from elsewhere is not there.".into()),
                ..Field::new("file", "Compose file")
            };
            let title = format!("The compose file `{name}`.");
            return Ok(Step::Ask(Form::new(title, vec![field]), Values::default()));
        }
    };
    if text.expose_secret().len() > LARGEST {
        return refused("The file is larger than 1 MiB. Put it into a folder of `[services] catalogue`.");
    }
    let surveyed = context.catalogue.check(name, &text).await?;
    let shared = call.caller.is_admin();
    // What follows `?` may be a token, and is of no use later.
    let from = url.map(|url| url.split(['?', '#']).next().unwrap_or(url).to_owned());
    context.work.store().keep_compose_file(name.to_owned(), call.caller.person.clone(), shared, from, &text).await?;
    let ids: Vec<String> = services(&surveyed.project).iter().map(|service| format!("`{name}:{service}`")).collect();
    let verb = if existing.is_some() { "Replaced" } else { "Added" };
    let text = format!(
        "{verb} the compose file `{name}` with {}: {}. Deploy one with `/service deploy {}`, or all with `/service deploy {name}`.",
        show::count(ids.len(), "service"),
        ids.join(", "),
        ids.first().map(|id| id.trim_matches('`')).unwrap_or(name)
    );
    Ok(Step::Reply(Reply::ok(text).with("file", name).with("services", services(&surveyed.project))))
}

/// A file from elsewhere. The addresses that clusters may not have are none for it either.
async fn fetch(context: &Context, url: &str) -> Result<SecretString> {
    let failed = |why: String| {
        Error::Failed(format!("The compose file could not be fetched: {why}. Check the address, or paste the file."))
    };
    let bytes = tokio::time::timeout(FETCH, crate::clusters::fetch(url, context.clusters.allow(), LARGEST))
        .await
        .map_err(|_| failed(format!("it took longer than {} s", FETCH.as_secs())))?
        .map_err(|why| failed(why.to_string()))?;
    String::from_utf8(bytes).map(SecretString::from).map_err(|_| failed("it is no text".to_owned()))
}

/// Whether a service is one that others build on.
fn is_infra(project: &Project, kinds: &Kinds, service: &str) -> bool {
    let image = project.tree["services"][service]["image"].as_str().unwrap_or_default();
    kinds.of_image(image).is_some()
}

async fn catalogue(context: &Context, call: &Authorized, infra: bool) -> Result<Reply> {
    let mut rows = vec!["| Service | Image | Ports | Needs |".to_owned(), "|---|---|---|---|".to_owned()];
    let (mut data, mut broken) = (Vec::new(), Vec::new());
    for file in visible(context, &call.caller).await? {
        let surveyed = match context.catalogue.survey(&file).await {
            Ok(surveyed) => surveyed,
            // One that is wrong does not hide the others.
            Err(error) => {
                broken.push(error.to_string());
                continue;
            }
        };
        for service in services(&surveyed.project) {
            let is_infra = is_infra(&surveyed.project, &context.kinds, service);
            if infra && !is_infra {
                continue;
            }
            let tree = &surveyed.project.tree["services"][service];
            let (image, ports, needs) = (image(tree), ports(tree), needs(tree));
            rows.push(format!("| {}:{service} | {image} | {} | {} |", file.name, ports.join(", "), needs.join(", ")));
            let id = format!("{}:{service}", file.name);
            data.push(json!({ "id": id, "image": image, "ports": ports, "needs": needs, "infra": is_infra }));
        }
    }
    if data.is_empty() && broken.is_empty() {
        let text =
            "The catalogue is empty. Add a compose file with `/service add NAME`, or name folders under `[services] catalogue`.";
        return Ok(Reply::ok(text).with("services", data));
    }
    let mut text = rows.join("\n");
    for fault in broken {
        let _ = write!(text, "\n\n⚠️ {fault}");
    }
    Ok(Reply::ok(text).with("services", data))
}

fn image(tree: &Value) -> String {
    match (tree["image"].as_str(), tree.get("build").is_some()) {
        (Some(image), _) => image.to_owned(),
        (None, true) => "built from source".to_owned(),
        (None, false) => "none".to_owned(),
    }
}

fn ports(tree: &Value) -> Vec<String> {
    let port = |port: &Value| {
        let target = port["target"].as_u64()?;
        let protocol = port["protocol"].as_str().filter(|protocol| *protocol != "tcp");
        Some(format!("{target}{}", protocol.map(|protocol| format!("/{protocol}")).unwrap_or_default()))
    };
    tree["ports"].as_array().into_iter().flatten().filter_map(port).collect()
}

fn needs(tree: &Value) -> Vec<String> {
    tree["depends_on"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

async fn describe(context: &Context, call: &Authorized, id: &str) -> Result<Reply> {
    let (file, service) = find(context, &call.caller, id).await?;
    let surveyed = context.catalogue.survey(&file).await?;
    let chosen = chosen(&surveyed, &file.name, service.as_deref())?;
    let (mut parts, mut data) = (Vec::new(), Vec::new());
    for service in &chosen {
        let tree = &surveyed.project.tree["services"][service];
        let variables = settable(&surveyed.project, &surveyed.asked, &BTreeSet::from([service.clone()]));
        let mut lines = vec![format!("**{}:{service}** runs `{}`", file.name, image(tree))];
        let mut fact = |label: &str, all: Vec<String>| {
            if !all.is_empty() {
                lines.push(format!("{label}: {}", all.join(", ")));
            }
        };
        fact("Ports", ports(tree));
        fact("Needs", needs(tree));
        fact(
            "Profiles",
            tree["profiles"].as_array().into_iter().flatten().filter_map(|p| p.as_str().map(str::to_owned)).collect(),
        );
        if !variables.is_empty() {
            // A column that says nothing is left out.
            let kinds = variables.iter().any(|variable| !kind(variable).is_empty());
            lines.push(format!("| Variable | Value |{}", if kinds { " Kind |" } else { "" }));
            lines.push(format!("|---|---|{}", if kinds { "---|" } else { "" }));
            lines.extend(variables.iter().map(|variable| row(variable, kinds)));
        }
        parts.push(lines.join("\n"));
        let told: Vec<Value> = variables.iter().map(told).collect();
        data.push(json!({
            "id": format!("{}:{service}", file.name), "image": image(tree), "ports": ports(tree), "needs": needs(tree),
            "variables": told,
        }));
    }
    let hint = format!("Deploy it with `/service deploy {id}`.");
    Ok(Reply::ok(format!("{}\n\n{hint}", parts.join("\n\n"))).with("services", data))
}

fn row(variable: &Variable, kinds: bool) -> String {
    let value = match &variable.value {
        Some(_) if variable.secret => "set, not shown".to_owned(),
        Some(value) => value.replace('|', "\\|").replace('\n', " "),
        None => String::new(),
    };
    let kind = if kinds { format!(" {} |", kind(variable)) } else { String::new() };
    format!("| {} | {value} |{kind}", variable.name)
}

fn kind(variable: &Variable) -> &'static str {
    match (&variable.required, variable.secret) {
        (Some(_), true) => "required, secret",
        (Some(_), false) => "required",
        (None, true) => "secret",
        (None, false) => "",
    }
}

fn told(variable: &Variable) -> Value {
    json!({
        "name": variable.name,
        "default": variable.value.as_ref().filter(|_| !variable.secret),
        "required": variable.required.is_some(),
        "secret": variable.secret,
        "services": variable.of,
    })
}

/// The release that a deployment would be of, if there is one, and whether the caller may change it.
pub async fn existing(context: &Context, call: &Authorized, name: &str) -> Result<Option<crate::model::Release>> {
    let (cluster, namespace) = call.cluster()?;
    let found = context.work.store().release_at(&cluster.id, namespace, name).await?;
    if let Some(release) = &found {
        access::may_change(&context.policy, &call.caller, release, cluster)?;
    }
    Ok(found)
}
