//! What is asked of whoever deploys a service: its variables, with what the last scan suggests for them, and what else comes along.
//!
//! Invariants: no secret is ever put into a form; what was left empty stays as the file has it.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret as _, SecretString};

use crate::compose::{Variable, sensitive};
use crate::model::infra::{Finding, Scan};
use crate::model::{Field, Form, Values};
use crate::scan::{Kinds, Wants};

/// Fields that one form holds on every surface, each perhaps with a place for a file.
const FIELDS: usize = 45;
const HINT: usize = 140;

/// What was found that a variable could mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    pub value: String,
    /// For people: ``mongo `mongodb` in `data` ``.
    pub from: String,
    /// What it stands in for is not deployed along, so that the file's own value would lead nowhere.
    pub instead: bool,
}

/// The suggestion for each variable that has one. `along`: kinds that are deployed along.
pub fn suggestions(variables: &[Variable], kinds: &Kinds, scan: &Scan, along: &BTreeSet<String>) -> BTreeMap<String, Suggestion> {
    let one = |variable: &Variable| {
        let (row, wants) = kinds.of_variable(&variable.name)?;
        let finding = scan.of(&row.name).find(|finding| finding.endpoints.iter().any(|e| e.address.is_some()))?;
        let value = suggested(finding, wants, variable.value.as_deref())?;
        let from = format!("{} `{}` in `{}`", finding.kind, finding.name, finding.namespace);
        Some((variable.name.clone(), Suggestion { value, from, instead: !along.contains(&row.name) }))
    };
    variables.iter().filter(|variable| !variable.of.is_empty() || variable.required.is_some()).filter_map(one).collect()
}

fn suggested(finding: &Finding, wants: Wants, default: Option<&str>) -> Option<String> {
    let address = finding.endpoints.iter().find_map(|endpoint| endpoint.address.as_deref())?;
    let (host, port) = address.rsplit_once(':')?;
    Some(match wants {
        Wants::Host => host.to_owned(),
        Wants::Port => port.to_owned(),
        Wants::Address => address.to_owned(),
        Wants::Url => match default.and_then(|default| elsewhere(default, address)) {
            Some(url) => url,
            None => bare(&finding.connection),
        },
    })
}

/// A URL with another host and port: its user, path and options stay.
fn elsewhere(url: &str, address: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let user = authority.rsplit_once('@').map(|(user, _)| format!("{user}@")).unwrap_or_default();
    (!scheme.is_empty() && !authority.is_empty()).then(|| format!("{scheme}://{user}{address}{tail}"))
}

/// Without the places for what is not known.
fn bare(connection: &str) -> String {
    let text = connection.replace("USER:PASSWORD@", "").replace(":PASSWORD@", "");
    text.strip_suffix("/DB").map_or(text.clone(), str::to_owned)
}

/// A service that others of the file need and that could be deployed along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Along {
    pub service: String,
    /// What the cluster has of its kind already.
    pub found: Option<String>,
    pub usual: bool,
}

impl Along {
    fn field(&self) -> String {
        format!("with_{}", self.service)
    }
}

pub fn form(title: String, variables: &[Variable], suggestions: &BTreeMap<String, Suggestion>, along: &[Along]) -> Form {
    let mut fields: Vec<Field> = along
        .iter()
        .map(|along| Field {
            required: false,
            switch: true,
            value: Some(along.usual.to_string()),
            hint: along.found.as_ref().map(|found| clip(&format!("The cluster has one: {found}"))),
            ..Field::new(along.field(), format!("Deploy {} too", along.service))
        })
        .take(FIELDS)
        .collect();
    let more = (fields.len() + variables.len()).saturating_sub(FIELDS);
    let title = match more {
        0 => title,
        more => format!("{title} {more} more variables have values already; change them with `--set`."),
    };
    fields.extend(
        variables
            .iter()
            .take(FIELDS.saturating_sub(fields.len()))
            .map(|variable| field(variable, suggestions.get(&variable.name))),
    );
    Form::new(title, fields)
}

fn field(variable: &Variable, suggestion: Option<&Suggestion>) -> Field {
    let mut hints = Vec::new();
    if let Some(reason) = variable.required.as_ref().filter(|reason| !reason.is_empty()) {
        hints.push(reason.clone());
    }
    if let Some(found) = suggestion {
        hints.push(format!("Found: {} ({})", found.value, found.from));
    }
    if variable.secret && variable.value.is_some() {
        hints.push("The file has a value, which stays if this is left empty.".to_owned());
    }
    let value = match suggestion {
        _ if variable.secret => None,
        Some(found) if found.instead || variable.value.is_none() => Some(found.value.clone()),
        _ => variable.value.clone(),
    };
    Field {
        required: variable.required.is_some(),
        secret: variable.secret,
        long: variable.value.as_ref().is_some_and(|value| value.contains('\n')),
        hint: (!hints.is_empty()).then(|| clip(&hints.join(" · "))),
        value,
        ..Field::new(variable.name.clone(), variable.name.clone())
    }
}

fn clip(text: &str) -> String {
    crate::model::clip(text, HINT)
}

/// What was filled in.
#[derive(Debug, Default)]
pub struct Filled {
    pub set: BTreeMap<String, String>,
    pub secret: Vec<(String, SecretString)>,
    pub along: BTreeSet<String>,
}

pub fn filled(values: &Values, variables: &[Variable], along: &[Along]) -> Filled {
    let mut filled = Filled::default();
    for one in along {
        let chosen = values.0.get(&one.field()).map(|value| value.expose_secret() == "true");
        if chosen.unwrap_or(one.usual) {
            filled.along.insert(one.service.clone());
        }
    }
    for variable in variables {
        let Some(value) = values.0.get(&variable.name) else { continue };
        let text = value.expose_secret();
        if text.is_empty() || variable.value.as_deref() == Some(text) {
            continue;
        }
        match variable.secret || sensitive::is_sensitive(&variable.name, text) {
            true => filled.secret.push((variable.name.clone(), value.clone())),
            false => drop(filled.set.insert(variable.name.clone(), text.to_owned())),
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_elsewhere_with_all_that_they_carry() {
        let address = "mongo.data.svc.cluster.local:27017";
        for (url, made) in [
            ("mongodb://mongo:27017/shop?w=1", Some("mongodb://mongo.data.svc.cluster.local:27017/shop?w=1")),
            ("mongodb://u:p@mongo", Some("mongodb://u:p@mongo.data.svc.cluster.local:27017")),
            ("mongo:27017", None),
            ("", None),
        ] {
            assert_eq!(elsewhere(url, address).as_deref(), made, "{url}");
        }
        assert_eq!(bare("mongodb://USER:PASSWORD@a:1/DB"), "mongodb://a:1");
        assert_eq!(bare("redis://:PASSWORD@a:1"), "redis://a:1");
        assert_eq!(bare("a:1"), "a:1");
    }
}
