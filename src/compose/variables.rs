//! What of a project can be set when it is deployed: the variables of its services' environments, and those that its files mention
//! elsewhere.
//!
//! Pure. A variable whose whole value is another one is asked for once, under the name that the service knows it by.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::interpolate::tree::Asked;
use super::read::Project;
use super::sensitive::{is_sensitive, named_so};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// What it is if nobody sets it. Of a secret, too: not to be shown.
    pub value: Option<String>,
    /// Without a value nothing can be deployed; the reason that the file gives, perhaps empty.
    pub required: Option<String>,
    pub secret: bool,
    /// The services in whose environment it is; none, if it only is mentioned elsewhere.
    pub of: BTreeSet<String>,
    /// Variables of the files that it stands for.
    pub through: BTreeSet<String>,
}

/// Those of some services, what has to be set first.
pub fn settable(project: &Project, asked: &[Asked], services: &BTreeSet<String>) -> Vec<Variable> {
    let mut all: BTreeMap<String, Variable> = BTreeMap::new();
    let mut covered: BTreeSet<&str> = BTreeSet::new();
    let known = |name: &str| project.environment.get(name).filter(|value| !value.is_empty());
    for service in services {
        let environment = project.tree["services"][service]["environment"].as_object();
        for (key, value) in environment.into_iter().flatten() {
            let mentioned = || asked.iter().filter(|a| a.service.as_ref() == Some(service) && a.key.as_ref() == Some(key));
            let missing = |a: &&Asked| a.mention.required.is_some() && known(&a.mention.name).is_none();
            let alone = mentioned().find(|a| a.mention.alone).map(|a| &a.mention);
            let value = match value {
                Value::Null => None,
                // What stands for something that is missing is no value.
                _ if mentioned().any(|a| missing(&a)) => None,
                Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty() || alone.is_none()),
                other => Some(other.to_string()),
            };
            if let Some(mention) = alone {
                covered.insert(&mention.name);
            }
            let required = alone.and_then(|mention| mention.required.clone()).filter(|_| value.is_none());
            let secret = match &value {
                Some(value) => is_sensitive(key, value),
                None => named_so(key),
            };
            let variable = all.entry(key.clone()).or_insert_with(|| Variable {
                name: key.clone(),
                value: value.clone(),
                required: None,
                secret: false,
                of: BTreeSet::new(),
                through: BTreeSet::new(),
            });
            variable.required = variable.required.take().or(required);
            variable.value = variable.value.take().or(value);
            variable.secret |= secret;
            variable.of.insert(service.clone());
            variable.through.extend(alone.map(|mention| mention.name.clone()).filter(|name| name != key));
        }
    }
    for Asked { service, mention, .. } in asked {
        let elsewhere = service.as_ref().is_some_and(|service| !services.contains(service) && is_service(project, service));
        if elsewhere || covered.contains(mention.name.as_str()) || all.contains_key(&mention.name) {
            continue;
        }
        let default = mention.default.clone().filter(|default| !default.is_empty() && !default.contains('$'));
        let value = known(&mention.name).cloned().or(default);
        let required = mention.required.clone().filter(|_| value.is_none());
        let secret = value.as_ref().map_or_else(|| named_so(&mention.name), |value| is_sensitive(&mention.name, value));
        all.insert(
            mention.name.clone(),
            Variable {
                name: mention.name.clone(),
                value,
                required,
                secret,
                of: BTreeSet::new(),
                through: BTreeSet::from([mention.name.clone()]),
            },
        );
    }
    let mut all: Vec<Variable> = all.into_values().collect();
    all.sort_by_key(|variable| (variable.required.is_none(), variable.value.is_some(), variable.of.is_empty()));
    all
}

fn is_service(project: &Project, name: &str) -> bool {
    project.tree["services"].get(name).is_some() || project.disabled.contains_key(name)
}

#[cfg(test)]
mod tests {
    use super::super::{Access, Input, Reading, survey};
    use super::*;

    fn of(text: &str, services: &[&str]) -> Vec<Variable> {
        let reading = Reading {
            files: vec![Input::Text { name: "shop.yaml".into(), text: text.into() }],
            folder: "/nowhere".into(),
            name: Some("shop".into()),
            profiles: vec!["*".into()],
            env_files: None,
            environment: BTreeMap::new(),
            access: Access::Nothing,
        };
        let (project, asked) = survey(reading).unwrap();
        settable(&project, &asked, &services.iter().map(|s| (*s).to_owned()).collect())
    }

    #[test]
    fn what_can_be_set() {
        let text = "
services:
  web:
    image: shop/web:${TAG:-1.2}
    ports: ['${PORT:?say a port}:80']
    environment:
      MONGODB_URI: ${MONGO:?where is it}
      LOG_LEVEL: ${LOG_LEVEL:-info}
      GREETING: hello ${NAME:-you}
      API_KEY: ${API_KEY}
      FIXED: 1
      FROM_SHELL:
  db:
    image: mongo:${MONGO_TAG:?}
    environment: ['MONGO_INITDB_ROOT_PASSWORD=${ROOT:?}']
";
        let shown: Vec<String> = of(text, &["web"])
            .iter()
            .map(|v| {
                let required = v.required.as_ref().map(|why| format!(" required({why})")).unwrap_or_default();
                let through: Vec<&str> = v.through.iter().map(String::as_str).collect();
                let secret = if v.secret { " secret" } else { "" };
                format!("{}={}{required}{secret} {}", v.name, v.value.as_deref().unwrap_or("-"), through.join(","))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "MONGODB_URI=- required(where is it) MONGO",
                "PORT=- required(say a port) PORT",
                "API_KEY=- secret ",
                "FROM_SHELL=- ",
                "FIXED=1 ",
                "GREETING=hello you ",
                "LOG_LEVEL=info ",
                "NAME=you NAME",
                "TAG=1.2 TAG",
            ]
        );
        let both = of(text, &["db", "web"]);
        let root = both.iter().find(|v| v.name == "MONGO_INITDB_ROOT_PASSWORD").unwrap();
        assert!(root.secret && root.required.is_some() && root.through.contains("ROOT"));
        assert!(both.iter().any(|v| v.name == "MONGO_TAG"));
    }
}
