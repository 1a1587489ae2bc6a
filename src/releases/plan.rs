//! What a deployment would do: asked of the API server, which says what it would make of each object.
//!
//! Invariant: changes nothing. Whatever is there under a wanted name and is not this release's is foreign, however alike it is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::calls::{Calls, How, Namespace};
use super::difference::{Field, fields};
use super::kinds::{CLAIM, Key, Kind};
use super::{ID, Manifests, Target};
use crate::runtime::kubernetes::fields as managed;
use crate::runtime::kubernetes::objects;
use crate::runtime::kubernetes::release::{MANAGED_BY, Object, RELEASE};
use crate::runtime::kubernetes::trouble::Trouble;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Create,
    Change(Vec<Field>),
    Same,
    /// What changes cannot change where it is: it goes and comes again. Why, for the end of a sentence.
    Recreate(String, Vec<Field>),
    /// Somebody else's: whose, for the end of a sentence.
    Foreign(String),
    /// The cluster does not take it: a sentence.
    Refused(String),
}

#[derive(Debug, Clone)]
pub struct Planned {
    pub key: Key,
    pub workload: Option<String>,
    pub change: Change,
    /// Of what is there.
    pub uid: Option<String>,
    /// Something in the cluster decides how many pods there are.
    pub scaled_by: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// In the order in which they come.
    pub objects: Vec<Planned>,
    /// What the release no longer has, and what then goes, with its uid.
    pub prune: Vec<(Key, Option<String>)>,
    /// Claims that it no longer has and that stay, since they hold data.
    pub kept: Vec<String>,
    pub makes_namespace: bool,
    /// The API server's remarks.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Nothing would be written.
    pub fn is_nothing(&self) -> bool {
        !self.makes_namespace && self.prune.is_empty() && self.objects.iter().all(|planned| planned.change == Change::Same)
    }

    /// Why it cannot be done, a sentence each.
    pub fn refusals(&self) -> Vec<String> {
        let sentence = |planned: &Planned| match &planned.change {
            Change::Foreign(owner) => Some(format!(
                "There is a {} in the namespace already that belongs to {owner}; it is not taken over. Choose another name or namespace.",
                planned.key
            )),
            Change::Refused(why) => Some(why.clone()),
            _ => None,
        };
        self.objects.iter().filter_map(sentence).collect()
    }

    /// One line an object that is not the same, for people.
    pub fn lines(&self) -> Vec<String> {
        let mut all = Vec::new();
        for planned in &self.objects {
            let key = &planned.key;
            match &planned.change {
                Change::Same => {}
                Change::Create => all.push(format!("+ {key}")),
                Change::Foreign(owner) => all.push(format!("! {key} belongs to {owner}")),
                Change::Refused(why) => all.push(format!("! {key}: {why}")),
                Change::Change(fields) => {
                    all.push(format!("~ {key}"));
                    all.extend(fields.iter().map(|field| format!("    {field}")));
                }
                Change::Recreate(why, fields) => {
                    all.push(format!("± {key} is made anew: {why}"));
                    all.extend(fields.iter().map(|field| format!("    {field}")));
                }
            }
        }
        all.extend(self.prune.iter().map(|(key, _)| format!("− {key}")));
        all.extend(self.kept.iter().map(|name| format!("  {CLAIM} {name} stays: it holds data")));
        all
    }

    pub fn of(&self, key: &Key) -> Option<&Planned> {
        self.objects.iter().find(|planned| planned.key == *key)
    }
}

/// `prune_claims`: those too that the release no longer has.
pub async fn plan(target: &Target, manifests: &Manifests, prune_claims: bool) -> Result<Plan, Trouble> {
    planned(&Calls::new(target), manifests, prune_claims).await
}

pub async fn planned(calls: &Calls, manifests: &Manifests, prune_claims: bool) -> Result<Plan, Trouble> {
    let wanted = |object: &Object| Key::new(object.kind, &object.name);
    match calls.namespace().await? {
        Namespace::Ending => return Err(Trouble::Terminating(calls.namespace.clone())),
        Namespace::Missing => {
            let create = |object: &Object| Planned {
                key: wanted(object),
                workload: object.workload.clone(),
                change: Change::Create,
                uid: None,
                scaled_by: None,
            };
            let objects = manifests.objects.iter().map(create).collect();
            return Ok(Plan { objects, makes_namespace: true, ..Plan::default() });
        }
        Namespace::Ours | Namespace::Others => {}
    }
    let each = futures_util::future::join_all(manifests.objects.iter().map(|object| one(calls, object)));
    let (objects, ours) = tokio::join!(each, calls.ours());
    let objects: Vec<Planned> = objects.into_iter().collect::<Result<_, Trouble>>()?;
    let mut prune = Vec::new();
    let mut kept = Vec::new();
    for (key, meta) in ours? {
        if manifests.objects.iter().any(|object| wanted(object) == key) || meta.deletion_timestamp.is_some() {
            continue;
        }
        match key.is_claim() && !prune_claims {
            true => kept.push(key.name),
            false => prune.push((key, meta.uid)),
        }
    }
    Ok(Plan { objects, prune, kept, makes_namespace: false, warnings: calls.warnings() })
}

async fn one(calls: &Calls, object: &Object) -> Result<Planned, Trouble> {
    let key = Key::new(object.kind, &object.name);
    let kind = Kind::of(object.kind).ok_or_else(|| Trouble::Invalid(format!("{} is no kind of a release", object.kind)))?;
    let live = calls.get(kind, &object.name).await?;
    let uid = live.as_ref().and_then(|live| live["metadata"]["uid"].as_str()).map(str::to_owned);
    let planned = |change, scaled_by| Planned { key, workload: object.workload.clone(), change, uid, scaled_by };
    let Some(live) = live else {
        let dry = calls.apply(object, How { dry: true, ..How::default() }).await;
        return Ok(match dry {
            Ok(_) => planned(Change::Create, None),
            Err(trouble) => planned(Change::Refused(refused(object, trouble)?), None),
        });
    };
    if live["metadata"]["labels"][ID] != *calls.id {
        return Ok(planned(Change::Foreign(owner(&live)), None));
    }
    if live["metadata"]["deletionTimestamp"].is_string() {
        return Ok(planned(Change::Recreate("it is just being deleted".to_owned(), Vec::new()), None));
    }
    let scaled_by = autoscaler(&live);
    let adapted = scaled_by.is_some().then(|| without_replicas(object));
    let object = adapted.as_ref().unwrap_or(object);
    if let Some(why) = cannot_become(&live, &object.body) {
        return Ok(planned(Change::Recreate(why, Vec::new()), scaled_by));
    }
    let how = How { dry: true, force: true, ..How::default() };
    let change = match calls.apply(object, how).await {
        Ok(then) => {
            let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
            // A controller may have written between the two answers.
            let now = match version(&live) == version(&then) {
                true => live,
                false => calls.get(kind, &object.name).await?.unwrap_or(live),
            };
            match fields(&now, &then) {
                same if same.is_empty() => Change::Same,
                fields => Change::Change(fields),
            }
        }
        Err(Trouble::Invalid(why)) if is_fixed(&why) => match object.kind {
            "Job" => Change::Recreate("a job that was made cannot change".to_owned(), Vec::new()),
            "StatefulSet" => Change::Recreate("that part of a StatefulSet cannot change".to_owned(), Vec::new()),
            "RoleBinding" | "Service" => Change::Recreate("that part of it cannot change".to_owned(), Vec::new()),
            CLAIM => Change::Refused(format!(
                "The volume {} is there already and cannot become what is asked for; it holds data, so it stays as it is: {why}. Give the \
                 volume another name, or copy its data, delete it and deploy again.",
                object.name
            )),
            kind => Change::Refused(format!("The {kind} {} cannot be changed so: {why}.", object.name)),
        },
        Err(trouble) => Change::Refused(refused(object, trouble)?),
    };
    Ok(planned(change, scaled_by))
}

fn is_fixed(why: &str) -> bool {
    ["immutable", "are forbidden", "may not change", "cannot change", "may not be changed", "can not be less"]
        .iter()
        .any(|sign| why.contains(sign))
}

/// What the server would take and not do.
fn cannot_become(live: &Value, wanted: &Value) -> Option<String> {
    let headless = |value: &Value| value["spec"]["clusterIP"] == "None";
    (wanted["kind"] == "Service" && headless(live) != headless(wanted))
        .then(|| "an address cannot be given to a Service or taken from it".to_owned())
}

/// That an object is not taken is said of it; that nothing can be asked is said of all.
fn refused(object: &Object, trouble: Trouble) -> Result<String, Trouble> {
    match &trouble {
        Trouble::Forbidden(why) | Trouble::Quota(why) | Trouble::Denied(why) | Trouble::Invalid(why) => {
            Ok(format!("The cluster does not take the {} {}: {why}.", object.kind, object.name))
        }
        _ => Err(trouble),
    }
}

/// Who decides how many pods there are, if it is the cluster itself.
pub fn autoscaler(live: &Value) -> Option<String> {
    let managers = live["metadata"]["managedFields"].as_array()?;
    let scales = |entry: &&Value| {
        entry["subresource"] == "scale"
            && entry["manager"] == "kube-controller-manager"
            && entry["fieldsV1"]["f:spec"]["f:replicas"].is_object()
    };
    managers.iter().find(scales).map(|_| "a HorizontalPodAutoscaler".to_owned())
}

pub fn without_replicas(object: &Object) -> Object {
    let mut object = object.clone();
    if let Some(spec) = object.body["spec"].as_object_mut() {
        spec.remove("replicas");
    }
    object
}

/// Whose an object is, for the end of a sentence.
pub fn owner(live: &Value) -> String {
    let meta: ObjectMeta = serde_json::from_value(live["metadata"].clone()).unwrap_or_default();
    let label = |key: &str| meta.labels.as_ref().and_then(|all| all.get(key)).map(String::as_str);
    let note = |key: &str| meta.annotations.as_ref().and_then(|all| all.get(key)).map(String::as_str);
    if label(ID).is_some() {
        return format!("another release, `{}`, of this Gaggle or another", label(RELEASE).unwrap_or("?"));
    }
    if label(objects::PROJECT).is_some() {
        return format!("the Gaggle project `{}`", note(objects::NAME).unwrap_or("?"));
    }
    if let Some(release) = note("meta.helm.sh/release-name") {
        return format!("the Helm release `{release}`");
    }
    if let Some(of) = meta.owner_references.iter().flatten().next() {
        return format!("the {} `{}`", of.kind, of.name);
    }
    if let Some(app) = note("argocd.argoproj.io/tracking-id").or(label("argocd.argoproj.io/instance")) {
        return format!("Argo CD (`{app}`)");
    }
    if let Some(app) = label("kustomize.toolkit.fluxcd.io/name") {
        return format!("Flux (`{app}`)");
    }
    match (label(MANAGED_BY), label(RELEASE)) {
        (Some("gaggle"), Some(release)) => return format!("`{release}`, which was exported from Gaggle and applied by hand"),
        (Some(manager), Some(name)) => return format!("`{name}`, which {manager} keeps"),
        (Some(manager), None) => return manager.to_owned(),
        _ => {}
    }
    match managed::last_other(&meta) {
        Some(manager) => format!("somebody else (made with {manager})"),
        None => "somebody else".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whose_it_is() {
        let of = |meta: Value| owner(&json!({ "metadata": meta }));
        assert_eq!(of(json!({ "annotations": { "meta.helm.sh/release-name": "db" } })), "the Helm release `db`");
        assert_eq!(of(json!({ "labels": { ID: "x", RELEASE: "shop" } })), "another release, `shop`, of this Gaggle or another");
        assert_eq!(
            of(json!({ "managedFields": [{ "manager": "kubectl-create", "operation": "Update" }] })),
            "somebody else (made with kubectl-create)"
        );
    }

    #[test]
    fn an_address_comes_only_with_a_new_service() {
        let service = |ip: Option<&str>| json!({ "kind": "Service", "spec": { "clusterIP": ip } });
        assert!(cannot_become(&service(Some("None")), &service(None)).is_some());
        assert!(cannot_become(&service(Some("10.0.0.1")), &service(Some("None"))).is_some());
        assert_eq!(cannot_become(&service(Some("10.0.0.1")), &service(None)), None);
    }
}
