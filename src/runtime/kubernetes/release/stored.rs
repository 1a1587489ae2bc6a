//! What workloads read: ConfigMaps, Secrets, and claims of volumes.
//!
//! Invariant: values stand in them as they are, since nothing in a ConfigMap or Secret stands for a variable. Without
//! [`super::Options::values`] a Secret has its keys alone.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use super::pod::quantity;
use super::{Object, Release, one};
use crate::model::workload::{Claim, Content, FileSet, Workload};

impl Release<'_> {
    pub fn config_name(&self, workload: &Workload) -> String {
        format!("{}-config", workload.name)
    }

    pub fn secret_name(&self, workload: &Workload) -> String {
        format!("{}-secrets", workload.name)
    }

    /// The variables of one workload.
    pub fn variables(&self, workload: &Workload) -> Vec<Object> {
        let mut all = Vec::new();
        let of = Some(workload.name.as_str());
        if !workload.plain.is_empty() {
            let rest = one("data", json!(workload.plain));
            all.push(self.object(("v1", "ConfigMap"), &self.config_name(workload), of, rest));
        }
        if !workload.secret.is_empty() {
            let values = workload.secret.iter().map(|(key, value)| (key.as_str(), Some(value.expose_secret().as_bytes())));
            let rest = self.secret(values);
            all.push(self.object(("v1", "Secret"), &self.secret_name(workload), of, rest));
        }
        all
    }

    /// `data` rather than `stringData`, which the server turns into the former, so that every apply would be a change. What is to be
    /// filled in by hand is text.
    fn secret<'v>(&self, values: impl Iterator<Item = (&'v str, Option<&'v [u8]>)>) -> Map<String, Value> {
        let mut rest = one("type", "Opaque".into());
        match self.options.values {
            true => {
                let data: Map<String, Value> = values
                    .map(|(key, value)| (key.to_owned(), BASE64_STANDARD.encode(value.unwrap_or_default()).into()))
                    .collect();
                rest.insert("data".to_owned(), data.into());
            }
            false => {
                let data: Map<String, Value> = values.map(|(key, _)| (key.to_owned(), "".into())).collect();
                rest.insert("stringData".to_owned(), data.into());
            }
        }
        rest
    }

    pub fn set(&self, set: &FileSet) -> Option<Object> {
        if set.external {
            return None;
        }
        if set.secret {
            fn bytes(content: &Content) -> Option<&[u8]> {
                match content {
                    Content::Plain(bytes) => Some(&**bytes),
                    Content::Secret(bytes) => Some(bytes.expose_secret()),
                    Content::Missing => None,
                }
            }
            let rest = self.secret(set.files.iter().map(|(key, content)| (key.as_str(), bytes(content))));
            return Some(self.object(("v1", "Secret"), &set.name, set.of.as_deref(), rest));
        }
        let (mut texts, mut others) = (Map::new(), Map::new());
        for (key, content) in &set.files {
            let Content::Plain(bytes) = content else {
                texts.insert(key.clone(), "".into());
                continue;
            };
            match std::str::from_utf8(bytes) {
                Ok(text) => texts.insert(key.clone(), text.into()),
                Err(_) => others.insert(key.clone(), BASE64_STANDARD.encode(bytes).into()),
            };
        }
        let mut rest = Map::new();
        for (field, values) in [("data", texts), ("binaryData", others)] {
            if !values.is_empty() {
                rest.insert(field.to_owned(), values.into());
            }
        }
        Some(self.object(("v1", "ConfigMap"), &set.name, set.of.as_deref(), rest))
    }

    pub fn claim(&self, claim: &Claim) -> Object {
        let storage = &self.options.storage;
        let size = claim.size.filter(|bytes| *bytes > 0).map_or_else(|| storage.size.clone(), quantity);
        let mut spec = json!({
            "accessModes": [storage.access_mode],
            "resources": { "requests": { "storage": size } },
        });
        if let Some(class) = &storage.class {
            spec["storageClassName"] = json!(class);
        }
        let mut object = self.object(("v1", "PersistentVolumeClaim"), &claim.name, None, one("spec", spec));
        if !claim.notes.is_empty() {
            object.body["metadata"]["annotations"] = json!(claim.notes);
        }
        object
    }
}
