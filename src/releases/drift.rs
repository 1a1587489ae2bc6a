//! What others changed of a release since it was applied.
//!
//! Invariant: the server itself says what applying again would mend; defaults, and replicas that the cluster decides on, are none
//! of it. Changes nothing.

use super::calls::Calls;
use super::plan::{Change, planned};
use super::{Manifests, Target};
use crate::runtime::Redactor;
use crate::runtime::kubernetes::trouble::Trouble;

/// Values shorter than this could be part of anything.
const SHORTEST: usize = 6;

/// One line a field, `manifests` being the last that were applied: what is there, and what was applied.
pub async fn drift(target: &Target, manifests: &Manifests) -> Result<Vec<String>, Trouble> {
    use secrecy::ExposeSecret as _;
    let plan = planned(&Calls::new(target), manifests, false).await?;
    let mut secrets = manifests.secrets();
    secrets.retain(|value| value.expose_secret().trim().len() >= SHORTEST);
    let redactor = Redactor::new(&secrets);
    let mut lines = Vec::new();
    if plan.makes_namespace {
        return Ok(vec![format!("the namespace {} is gone", target.namespace)]);
    }
    for planned in &plan.objects {
        let key = &planned.key;
        match &planned.change {
            Change::Same => {}
            Change::Create => lines.push(format!("{key}: deleted")),
            Change::Foreign(owner) => lines.push(format!("{key}: replaced by one that belongs to {owner}")),
            Change::Refused(why) => lines.push(format!("{key}: {why}")),
            Change::Recreate(_, fields) | Change::Change(fields) if !fields.is_empty() => {
                lines.extend(fields.iter().map(|field| {
                    let path = &field.path;
                    match (&field.from, &field.to) {
                        (Some(is), Some(was)) if is.is_empty() && was.is_empty() => format!("{key}: {path} was changed"),
                        (None, Some(was)) if was.is_empty() => format!("{key}: {path} was removed"),
                        (Some(is), Some(was)) => format!("{key}: {path} is {is}, was {was}"),
                        (None, Some(was)) => format!("{key}: {path} was removed (was {was})"),
                        (Some(is), None) => format!("{key}: {path} was added ({is})"),
                        (None, None) => format!("{key}: {path} was changed"),
                    }
                }));
            }
            Change::Recreate(why, _) => lines.push(format!("{key}: {why}")),
            Change::Change(_) => {}
        }
    }
    Ok(lines.into_iter().map(|line| redactor.redact(&line)).collect())
}
