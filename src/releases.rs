//! Releases that are deployed on a cluster: planned, deployed, watched, changed, shown, taken back, deleted.
//!
//! Invariants: what is not labelled as this release's is never written or deleted; nothing is begun that [`undo`] cannot take
//! back; claims hold data and go only where that was asked for. No `Debug`, error or line holds a Secret's value. Knows no
//! credentials, no store and no chat.

mod calls;
mod change;
mod delete;
mod deploy;
mod difference;
mod drift;
mod endpoints;
mod forward;
mod history;
mod journal;
mod kinds;
mod live;
mod parts;
mod plan;
mod pods;
mod rollout;
mod status;
mod undo;

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::SecretString;
use serde_json::{Value, json};

pub use self::change::{restart, scale};
pub use self::delete::{Deleted, delete};
pub use self::deploy::{Deployed, Failed, deploy};
pub use self::difference::Field;
pub use self::drift::drift;
pub use self::endpoints::{Endpoint, Reach};
pub use self::forward::{Forward, forward};
pub use self::history::{Restored, Stored};
pub use self::journal::{Entry, Journal};
pub use self::kinds::Key;
pub use self::plan::{Change, Plan, Planned, plan};
pub use self::pods::{exec, logs};
pub use self::status::{Overall, PodStatus, Status, WorkloadStatus, status};
pub use self::undo::{Undone, undo};
use crate::error::Error;
use crate::model::workload::{Bundle, Wait};
use crate::runtime::kubernetes::release::{self, Object};
use crate::runtime::kubernetes::trouble::Trouble;

/// Label of everything of a release: which one, among all people's and all Gaggles' of the same name.
pub const ID: &str = "gaggle.dev/release-id";
/// Label of a namespace that was made for a release.
pub const MADE_FOR: &str = "gaggle.dev/made-for";

/// Where a release is, and how it is reached.
#[derive(Clone)]
pub struct Target {
    /// For requests and watches.
    pub calls: kube::Client,
    /// For logs, exec and port-forwards, which may be silent for as long as they like.
    pub streams: kube::Client,
    /// What the cluster is called, for sentences.
    pub cluster: String,
    pub namespace: String,
    /// What the release is called.
    pub release: String,
    /// A label's value, unique among all releases of this Gaggle and others.
    pub id: String,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{} ({})", self.cluster, self.namespace, self.release, self.id)
    }
}

impl Target {
    /// ``the release `shop` in the namespace `prod` of the cluster `east` ``.
    pub fn shown(&self) -> String {
        format!("the release `{}` in the namespace `{}` of the cluster `{}`", self.release, self.namespace, self.cluster)
    }

    /// What happened, what it means, what to do.
    pub fn told(&self, trouble: &Trouble, doing: &str) -> Error {
        let cluster = &self.cluster;
        Error::Failed(match trouble {
            Trouble::Away(why) => format!(
                "The cluster `{cluster}` does not answer ({why}), so {doing} did not succeed. What runs there runs on; try again when it is back."
            ),
            Trouble::Slow | Trouble::Busy(_) => {
                format!(
                    "The cluster `{cluster}` is overloaded ({}), so {doing} did not succeed. Try again in a minute.",
                    trouble.short()
                )
            }
            Trouble::Unauthorized => format!(
                "The cluster `{cluster}` no longer accepts its credentials, so {doing} did not succeed. `/cluster update {cluster}` takes new ones."
            ),
            Trouble::Forbidden(what) => format!(
                "The credentials of the cluster `{cluster}` do not allow that: {what}. So {doing} did not succeed; whoever runs the cluster can grant it."
            ),
            Trouble::Quota(what) => {
                format!("A quota of the namespace `{}` is used up: {what}. So {doing} did not succeed.", self.namespace)
            }
            Trouble::Denied(what) => format!("A rule of the cluster `{cluster}` refused it: {what}. So {doing} did not succeed."),
            Trouble::Terminating(namespace) => format!(
                "The namespace `{namespace}` is being ended, so {doing} did not succeed. Try again when it is gone, usually within a minute."
            ),
            Trouble::Conflict(what) => {
                format!(
                    "Somebody else changed the same objects at the same moment ({what}), so {doing} did not succeed. Try again."
                )
            }
            Trouble::NotFound(what) | Trouble::Invalid(what) | Trouble::Other(what) => {
                format!("The cluster `{cluster}` does not take it: {what}. So {doing} did not succeed.")
            }
        })
    }
}

/// How long a deployment is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Of a workload, without any news of it.
    pub quiet: Duration,
    /// Of one workload, whatever happens.
    pub most: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { quiet: Duration::from_secs(5 * 60), most: Duration::from_secs(15 * 60) }
    }
}

/// All that is applied for a release, and what waits for what.
#[derive(Debug, Clone, Default)]
pub struct Manifests {
    pub objects: Vec<Object>,
    /// By workload.
    pub waits: BTreeMap<String, Vec<Wait>>,
}

impl Manifests {
    pub fn of(bundle: &Bundle, options: &release::Options, target: &Target) -> Self {
        let waits = bundle.workloads.iter().filter(|workload| !workload.waits.is_empty());
        let waits = waits.map(|workload| (workload.name.clone(), workload.waits.clone())).collect();
        Self { objects: stamped(release::objects(bundle, options), target), waits }
    }

    /// What nobody may see of it, for whoever shows logs.
    pub fn secrets(&self) -> Vec<SecretString> {
        self.objects.iter().filter(|object| object.kind == "Secret").flat_map(|object| values(&object.body)).collect()
    }
}

/// With the release's label on every object and every pod. Selectors stay: they cannot change.
pub fn stamped(mut objects: Vec<Object>, target: &Target) -> Vec<Object> {
    for object in &mut objects {
        object.body["metadata"]["labels"][ID] = json!(target.id);
        object.body["metadata"]["namespace"] = json!(target.namespace);
        if object.body.pointer("/spec/template/metadata").is_some() {
            object.body["spec"]["template"]["metadata"]["labels"][ID] = json!(target.id);
        }
    }
    objects
}

/// The values of a Secret.
fn values(secret: &Value) -> Vec<SecretString> {
    let of = |field: &str| secret[field].as_object().cloned().unwrap_or_default().into_iter();
    let data = of("data")
        .filter_map(|(_, value)| BASE64_STANDARD.decode(value.as_str()?).ok())
        .filter_map(|v| String::from_utf8(v).ok());
    let plain = of("stringData").filter_map(|(_, value)| value.as_str().map(str::to_owned));
    data.chain(plain).filter(|value| !value.trim().is_empty()).map(SecretString::from).collect()
}
