//! `/service deploy` and `/service update`: a form with the variables, a preview, a confirmation, the deployment step by step.
//!
//! Invariant: nothing of the cluster is written before the preview was confirmed.

use std::collections::{BTreeMap, BTreeSet};

use gaggle_commands::{ServiceChanges, ServiceCommand};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::service_build::{self, Built};
use super::service_form::{self, Along, Suggestion};
use super::service_run::run;
use super::{Context, Step, infra, service, show};
use crate::access::Authorized;
use crate::compose::{Variable, translate};
use crate::error::{Error, Result, refused};
use crate::model::{Cluster, Form, Release, ReleaseId, ReleaseSettings, ReleaseState, Reply, Timestamp, Values};
use crate::releases::{self, Plan, Target};
use crate::scan::Kinds;
use crate::work::{Listed, Surveyed};

/// Set once the preview was confirmed. No field of a form is called so.
pub const CONFIRMED: &str = " confirmed";
/// Lines of a preview that are shown; the whole is a file of `--dry-run`.
const LINES: usize = 40;
const NAME: usize = 40;

/// What is deployed, before the cluster is asked.
pub struct Chosen {
    pub release: Release,
    pub is_new: bool,
    file: Listed,
    surveyed: Surveyed,
    pub secrets: Vec<(String, SecretString)>,
    /// For people: suggestions that were taken without being asked.
    taken: Vec<String>,
}

pub async fn deploy(context: &Context, call: &Authorized, command: &ServiceCommand) -> Result<Step> {
    let ServiceCommand::Deploy { service: id, new_release, changes, with_dependencies, infra: anew, dry_run, yes, .. } = command
    else {
        return Err(Error::Broken(anyhow::anyhow!("not a deployment")));
    };
    let (cluster, namespace) = call.cluster()?;
    let (file, named) = service::find(context, &call.caller, id).await?;
    let surveyed = context.catalogue.survey(&file).await?;
    let base = service::chosen(&surveyed, &file.name, named.as_deref())?;
    one_service(changes, named.as_deref(), &base)?;
    let name = match new_release {
        Some(name) => name.clone(),
        None => release_name(named.as_deref().unwrap_or(&file.name)),
    };
    let before = service::existing(context, call, &name).await?;
    if let Some(before) = before.as_ref().filter(|before| before.source != *id && before.revision > 0) {
        return refused(format!(
            "The release `{name}` in `{namespace}` of the cluster `{}` is of `{}`. Give this one another name with `--as`.",
            cluster.name, before.source
        ));
    }
    let is_new = before.is_none();
    let release = before.unwrap_or_else(|| fresh(call, cluster, namespace, &name, id));
    let id_of = if is_new { ReleaseId(super::new_id()?) } else { release.id.clone() };
    let mut release = Release { id: id_of, source: id.clone(), ..release };
    let mut secrets = if is_new { Vec::new() } else { service_build::secrets(context, &release.id).await? };
    let scan = infra::known(context, cluster, namespace).await;
    let along = along(
        &surveyed,
        &base,
        named.as_deref(),
        &context.kinds,
        scan.as_ref().map(|kept| &kept.scan),
        *with_dependencies,
        *anew,
    );
    let everything: BTreeSet<String> = base.iter().cloned().chain(along.iter().map(|along| along.service.clone())).collect();
    let mut variables = service_build::variables(&surveyed, &everything);
    remembered(&mut variables, &release.settings, &secrets);
    let usual: BTreeSet<&str> = along.iter().filter(|along| along.usual).map(|along| along.service.as_str()).collect();
    let left: BTreeSet<&str> = along.iter().filter(|along| !along.usual).map(|along| along.service.as_str()).collect();
    let with: BTreeSet<String> =
        everything.iter().filter(|s| !left.contains(s.as_str()) || usual.contains(s.as_str())).cloned().collect();
    let kinds_along: BTreeSet<String> = with.iter().filter_map(|service| kind_of(&surveyed, &context.kinds, service)).collect();
    let suggestions = match &scan {
        Some(kept) => service_form::suggestions(&variables, &context.kinds, &kept.scan, &kinds_along),
        None => BTreeMap::new(),
    };
    let nothing = Values::default();
    let values = match &call.values {
        Some(values) => values,
        None if *yes || (variables.is_empty() && along.is_empty()) => &nothing,
        None => {
            let title = format!(
                "Deploy `{id}` as `{name}` to `{namespace}` in the cluster `{}`. Empty fields stay as the file has them.",
                cluster.name
            );
            return Ok(Step::Ask(service_form::form(title, &variables, &suggestions, &along), Values::default()));
        }
    };
    let filled = service_form::filled(values, &variables, &along);
    let chosen: BTreeSet<String> =
        base.iter().filter(|s| !along.iter().any(|along| along.service == **s)).cloned().chain(filled.along.clone()).collect();
    release.settings.services = chosen;
    release.settings.set.extend(filled.set);
    merge(&mut secrets, filled.secret);
    let taken =
        if call.values.is_none() { take_suggestions(&mut release.settings, &variables, &suggestions) } else { Vec::new() };
    apply(&mut release.settings, changes);
    let chosen = Chosen { release, is_new, file, surveyed, secrets, taken };
    go_on(context, call, cluster, chosen, *dry_run, *yes).await
}

pub async fn update(context: &Context, call: &Authorized, changes: &ServiceChanges, dry_run: bool, yes: bool) -> Result<Step> {
    let (release, cluster) = call.release()?;
    let mut release = release.clone();
    let (file, named) = service::find(context, &call.caller, &release.source).await?;
    let surveyed = context.catalogue.survey(&file).await?;
    one_service(changes, named.as_deref(), &release.settings.services)?;
    let mut secrets = service_build::secrets(context, &release.id).await?;
    apply(&mut release.settings, changes);
    if let Some(values) = &call.values {
        let variables = service_build::variables(&surveyed, &release.settings.services);
        merge(&mut secrets, service_form::filled(values, &variables, &[]).secret);
        merge(&mut secrets, asked_for(values, &changes.secret));
    } else if !changes.secret.is_empty() {
        return Ok(Step::Ask(secret_form(&release.name, &changes.secret), Values::default()));
    }
    let chosen = Chosen { release, is_new: false, file, surveyed, secrets, taken: Vec::new() };
    go_on(context, call, cluster, chosen, dry_run, yes).await
}

/// A field for each value that is only typed into a form.
pub fn secret_form(release: &str, keys: &[gaggle_commands::SecretKey]) -> Form {
    let field = |key: &gaggle_commands::SecretKey| crate::model::Field {
        secret: true,
        ..crate::model::Field::new(key.0.clone(), format!("Value of {}", key.0))
    };
    Form::new(format!("Secret values of the release `{release}`."), keys.iter().map(field).collect())
}

pub fn asked_for(values: &Values, keys: &[gaggle_commands::SecretKey]) -> Vec<(String, SecretString)> {
    keys.iter().filter_map(|key| Some((key.0.clone(), values.0.get(&key.0)?.clone()))).collect()
}

/// What belongs to one service cannot be said of several.
fn one_service(changes: &ServiceChanges, named: Option<&str>, services: &BTreeSet<String>) -> Result<()> {
    let flag = match changes {
        ServiceChanges { replicas: Some(_), .. } => "--replicas",
        ServiceChanges { health_path: Some(_), .. } => "--health-path",
        _ => return Ok(()),
    };
    match named.is_none() && services.len() > 1 {
        true => refused(format!("`{flag}` is about one service, and this is a whole file. Deploy that one as FILE:SERVICE.")),
        false => Ok(()),
    }
}

/// A name that objects can have.
fn release_name(text: &str) -> String {
    let name = translate::names::label(text);
    let name: String = name.chars().take(NAME).collect();
    let name = name.trim_matches('-').to_owned();
    match name.starts_with(|c: char| c.is_ascii_lowercase()) {
        true => name,
        false => format!("s-{name}").chars().take(NAME).collect::<String>().trim_end_matches('-').to_owned(),
    }
}

pub fn fresh(call: &Authorized, cluster: &Cluster, namespace: &str, name: &str, source: &str) -> Release {
    let now = Timestamp::now();
    Release {
        id: ReleaseId(String::new()),
        cluster: cluster.id.clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        owner: call.caller.person.clone(),
        source: source.to_owned(),
        settings: ReleaseSettings::default(),
        state: ReleaseState::Prepared,
        revision: 0,
        made_namespace: false,
        created: now,
        changed: now,
    }
}

fn kind_of(surveyed: &Surveyed, kinds: &Kinds, service: &str) -> Option<String> {
    let image = surveyed.project.tree["services"][service]["image"].as_str()?;
    kinds.of_image(image).map(|row| row.name.clone())
}

/// What could come along: what a named service needs, and of a whole file what the cluster has already.
fn along(
    surveyed: &Surveyed,
    base: &BTreeSet<String>,
    named: Option<&str>,
    kinds: &Kinds,
    scan: Option<&crate::model::infra::Scan>,
    with_dependencies: bool,
    anew: bool,
) -> Vec<Along> {
    let found = |service: &str| {
        let kind = kind_of(surveyed, kinds, service)?;
        let finding = scan?.of(&kind).next()?;
        Some(format!("{} `{}` in `{}`", finding.kind, finding.name, finding.namespace))
    };
    let candidates: BTreeSet<String> = match named {
        Some(service) => needed(surveyed, service).into_iter().filter(|service| !base.contains(service)).collect(),
        None if anew => BTreeSet::new(),
        None => base.iter().filter(|service| base.len() > 1 && found(service).is_some()).cloned().collect(),
    };
    let one = |service: String| {
        let found = found(&service);
        let usual = match named {
            Some(_) => with_dependencies && (found.is_none() || anew),
            None => true,
        };
        Along { service, found, usual }
    };
    candidates.into_iter().map(one).collect()
}

/// What a service depends on, and what that depends on.
fn needed(surveyed: &Surveyed, service: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut open = vec![service.to_owned()];
    while let Some(service) = open.pop() {
        let on = surveyed.project.tree["services"][&service]["depends_on"].as_object();
        for (name, _) in on.into_iter().flatten() {
            if all.insert(name.clone()) {
                open.push(name.clone());
            }
        }
    }
    all
}

/// What the release was given before is what its variables are now.
fn remembered(variables: &mut [Variable], settings: &ReleaseSettings, secrets: &[(String, SecretString)]) {
    for variable in variables {
        if let Some(value) = settings.set.get(&variable.name) {
            variable.value = Some(value.clone());
            variable.required = None;
        }
        if secrets.iter().any(|(name, _)| *name == variable.name) {
            (variable.secret, variable.required) = (true, None);
            variable.value.get_or_insert_default();
        }
    }
}

fn merge(all: &mut Vec<(String, SecretString)>, new: Vec<(String, SecretString)>) {
    for (name, value) in new {
        all.retain(|(known, _)| *known != name);
        all.push((name, value));
    }
}

/// For whoever does not want to be asked: what has to have a value gets what was found.
fn take_suggestions(
    settings: &mut ReleaseSettings,
    variables: &[Variable],
    suggestions: &BTreeMap<String, Suggestion>,
) -> Vec<String> {
    let mut taken = Vec::new();
    for variable in variables.iter().filter(|variable| !variable.secret) {
        if settings.set.contains_key(&variable.name) {
            continue;
        }
        if let Some(found) = suggestions.get(&variable.name).filter(|found| variable.value.is_none() || found.instead) {
            settings.set.insert(variable.name.clone(), found.value.clone());
            taken.push(format!("`{}` is `{}`, of the {}", variable.name, found.value, found.from));
        }
    }
    taken
}

pub fn apply(settings: &mut ReleaseSettings, changes: &ServiceChanges) {
    let ServiceChanges { set, replicas, health_path, expose, secret, plain } = changes;
    for variable in set {
        settings.unset.remove(&variable.name);
        settings.set.insert(variable.name.clone(), variable.value.clone());
    }
    for key in secret {
        settings.plain.remove(&key.0);
        settings.secret.insert(key.0.clone());
    }
    for key in plain {
        settings.secret.remove(&key.0);
        settings.plain.insert(key.0.clone());
    }
    if replicas.is_some() {
        settings.scaled.clear();
    }
    settings.replicas = replicas.or(settings.replicas);
    settings.health_path = health_path.clone().or(settings.health_path.take());
    settings.expose = expose.or(settings.expose);
}

/// From what was chosen to what runs.
async fn go_on(
    context: &Context,
    call: &Authorized,
    cluster: &Cluster,
    chosen: Chosen,
    dry_run: bool,
    yes: bool,
) -> Result<Step> {
    missing(&chosen)?;
    let Chosen { release, file, surveyed, secrets, .. } = &chosen;
    let target = service_build::target(context, release, cluster).await?;
    let built = service_build::build(context, release, &target, file, surveyed, secrets).await?;
    let plan = releases::plan(&target, &built.manifests, false)
        .await
        .map_err(|trouble| target.told(&trouble, &format!("planning `{}`", release.name)))?;
    let refusals = plan.refusals();
    if !refusals.is_empty() && !dry_run {
        return refused(format!("{} Nothing was changed.", refusals.join(" ")));
    }
    let preview = preview(&target, &built, &plan, &chosen.taken);
    if dry_run {
        let mut reply = Reply::ok(format!("{}\n\nNothing was changed.", preview.text)).with("plan", data(&target, &plan, &built));
        if preview.cut {
            reply = reply.file(format!("{}-plan.txt", release.name), preview.whole.into_bytes());
        }
        return Ok(Step::Reply(reply));
    }
    let confirmed = call.values.as_ref().is_some_and(|values| values.0.contains_key(CONFIRMED));
    if !yes && !confirmed {
        let question = format!(
            "{} `{}` {} `{}` of the cluster `{}`?",
            if chosen.is_new { "Deploy" } else { "Change" },
            release.name,
            if chosen.is_new { "to" } else { "in" },
            release.namespace,
            cluster.name
        );
        let form = Form { text: preview.text, ..Form::question(question) };
        let mut kept = call.values.as_ref().map(Values::copy).unwrap_or_default();
        kept.0.insert(CONFIRMED.to_owned(), SecretString::from("yes"));
        return Ok(Step::Ask(form, kept));
    }
    run(context, call, cluster, chosen, &target, &built).await.map(Step::Reply)
}

/// What has to have a value and has none.
fn missing(chosen: &Chosen) -> Result<()> {
    let Chosen { release, surveyed, secrets, .. } = chosen;
    let given = |name: &str| release.settings.set.contains_key(name) || secrets.iter().any(|(known, _)| known == name);
    let variables = service_build::variables(surveyed, &release.settings.services);
    let lacking: Vec<String> = variables
        .iter()
        .filter(|variable| variable.required.is_some() && !given(&variable.name))
        .map(|variable| match variable.required.as_deref().unwrap_or_default() {
            "" => format!("`{}`", variable.name),
            why => format!("`{}` ({why})", variable.name),
        })
        .collect();
    let secret: Vec<String> =
        variables.iter().filter(|v| v.required.is_some() && v.secret && !given(&v.name)).map(|v| v.name.clone()).collect();
    if lacking.is_empty() {
        // What nothing of several services has would be set in vain.
        let known = |name: &String| variables.iter().any(|variable| variable.name == *name);
        let main = service_build::main_service(&release.source).is_some();
        return match release.settings.set.keys().find(|name| !main && !known(name)) {
            Some(name) => refused(format!(
                "No service of `{}` has a variable `{name}`. See what there is with `/service show {0}`.",
                release.source
            )),
            None => Ok(()),
        };
    }
    let how = match secret.first() {
        Some(name) => format!("Leave out `--yes` and fill in the form, since `{name}` is a secret."),
        None => "Give them with `--set NAME=VALUE`, or leave out `--yes` and fill in the form.".to_owned(),
    };
    refused(format!("{} cannot be deployed without {}. {how}", format_args!("`{}`", release.source), lacking.join(", ")))
}

struct Preview {
    text: String,
    whole: String,
    cut: bool,
}

fn preview(target: &Target, built: &Built, plan: &Plan, taken: &[String]) -> Preview {
    let mut head = format!("In `{}` of the cluster `{}`:", target.namespace, target.cluster);
    if plan.makes_namespace {
        head.push_str(&format!("\nThe namespace `{}` is made.", target.namespace));
    }
    let lines = match plan.is_nothing() {
        true => vec!["nothing changes".to_owned()],
        false => plan.lines(),
    };
    let mut after = String::new();
    for sentence in taken {
        after.push_str(&format!("\n- {sentence}"));
    }
    for warning in built.warnings.iter().chain(&plan.warnings) {
        after.push_str(&format!("\n⚠️ {warning}"));
    }
    let whole = lines.join("\n");
    let cut = lines.len() > LINES;
    let shown = match cut {
        true => {
            format!("{}\n… and {} more lines; `--dry-run` sends all as a file", lines[..LINES].join("\n"), lines.len() - LINES)
        }
        false => whole.clone(),
    };
    Preview { text: format!("{head}\n{}{after}", show::fenced(&shown)), whole: format!("{head}\n{whole}{after}\n"), cut }
}

fn data(target: &Target, plan: &Plan, built: &Built) -> Value {
    json!({
        "cluster": target.cluster,
        "namespace": target.namespace,
        "release": target.release,
        "changes": plan.lines(),
        "nothing": plan.is_nothing(),
        "warnings": built.warnings,
    })
}
