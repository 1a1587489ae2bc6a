//! Manifests as they are kept: without the values of Secrets, which are told apart by digests and given again when they are needed.
//!
//! Invariant: no value of a Secret can be read or guessed from what is kept: a digest needs the key that sealed it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::Manifests;
use super::kinds::Kind;
use crate::model::workload::{Condition, Wait};
use crate::runtime::kubernetes::release::Object;

/// In the place of a value.
const DIGEST: &str = "gaggle.dev/digest";

/// A form of [`Manifests`] that may be kept and shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    objects: Vec<StoredObject>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    waits: BTreeMap<String, Vec<StoredWait>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredObject {
    kind: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workload: Option<String>,
    body: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredWait {
    on: String,
    /// `started`, `healthy`, `completed`.
    condition: String,
    required: bool,
}

/// Manifests with their values.
#[derive(Debug, Clone)]
pub struct Restored {
    pub manifests: Manifests,
    /// Values that are others than they were then: Secret and key.
    pub other: Vec<(String, String)>,
    /// Values that are not known any more; their keys are left out.
    pub missing: Vec<(String, String)>,
}

pub(super) fn digest(seal: &[u8; 32], secret: &str, key: &str, value: &[u8]) -> String {
    let Ok(mut sealed) = Hmac::<Sha256>::new_from_slice(seal) else { return String::new() };
    for part in [secret.as_bytes(), key.as_bytes(), value] {
        sealed.update(&part.len().to_le_bytes());
        sealed.update(part);
    }
    sealed.finalize().into_bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl Stored {
    pub fn of(manifests: &Manifests, seal: &[u8; 32]) -> Self {
        let stored = |object: &Object| {
            let mut body = object.body.clone();
            if object.kind == "Secret" {
                hide(&mut body, &object.name, seal);
            }
            StoredObject { kind: object.kind.to_owned(), name: object.name.clone(), workload: object.workload.clone(), body }
        };
        let wait = |wait: &Wait| {
            let condition = match wait.condition {
                Condition::Started => "started",
                Condition::Healthy => "healthy",
                Condition::Completed => "completed",
            };
            StoredWait { on: wait.on.clone(), condition: condition.to_owned(), required: wait.required }
        };
        let waits = manifests.waits.iter().map(|(of, waits)| (of.clone(), waits.iter().map(wait).collect())).collect();
        Self { objects: manifests.objects.iter().map(stored).collect(), waits }
    }

    /// The manifests for people: a document each, keys of Secrets without values.
    pub fn documents(&self) -> String {
        let shown = |object: &StoredObject| {
            let mut body = object.body.clone();
            if let Some(data) = secret_data(&object.kind, &mut body) {
                data.values_mut().for_each(|value| *value = "".into());
            }
            crate::yaml::document(&body)
        };
        self.objects.iter().map(shown).collect::<Vec<_>>().join("---\n")
    }

    /// `value` is asked for each key of each Secret, by both names and by the digest of what it was.
    pub fn restore(
        &self,
        seal: &[u8; 32],
        value: impl Fn(&str, &str, &str) -> Option<SecretSlice<u8>>,
    ) -> Result<Restored, String> {
        let (mut other, mut missing) = (Vec::new(), Vec::new());
        let mut objects = Vec::new();
        for stored in &self.objects {
            let kind = Kind::of(&stored.kind).ok_or_else(|| format!("{} is no kind of a release", stored.kind))?;
            let mut body = stored.body.clone();
            if let Some(data) = secret_data(&stored.kind, &mut body) {
                let mut values = Map::new();
                for (key, kept) in std::mem::take(data) {
                    let place = (stored.name.clone(), key.clone());
                    let Some(now) = value(&stored.name, &key, kept[DIGEST].as_str().unwrap_or_default()) else {
                        missing.push(place);
                        continue;
                    };
                    if kept[DIGEST] != digest(seal, &stored.name, &key, now.expose_secret()) {
                        other.push(place);
                    }
                    values.insert(key, BASE64_STANDARD.encode(now.expose_secret()).into());
                }
                *data = values;
            }
            let (api, workload) = (kind.api, stored.workload.clone());
            objects.push(Object { api, kind: kind.kind, name: stored.name.clone(), workload, body });
        }
        let wait = |wait: &StoredWait| {
            let condition = match wait.condition.as_str() {
                "healthy" => Condition::Healthy,
                "completed" => Condition::Completed,
                _ => Condition::Started,
            };
            Wait { on: wait.on.clone(), condition, required: wait.required }
        };
        let waits = self.waits.iter().map(|(of, waits)| (of.clone(), waits.iter().map(wait).collect())).collect();
        Ok(Restored { manifests: Manifests { objects, waits }, other, missing })
    }
}

/// Never by index, which would give a field to what has none.
fn secret_data<'b>(kind: &str, body: &'b mut Value) -> Option<&'b mut Map<String, Value>> {
    body.get_mut("data").filter(|_| kind == "Secret")?.as_object_mut()
}

fn hide(body: &mut Value, name: &str, seal: &[u8; 32]) {
    let mut all = Map::new();
    for (field, encoded) in [("data", true), ("stringData", false)] {
        let Some(Value::Object(values)) = body.as_object_mut().and_then(|body| body.remove(field)) else { continue };
        for (key, value) in values {
            let text = value.as_str().unwrap_or_default();
            let bytes = if encoded { BASE64_STANDARD.decode(text).unwrap_or_default() } else { text.as_bytes().to_vec() };
            let digest = digest(seal, name, &key, &bytes);
            all.insert(key, json!({ DIGEST: digest }));
        }
    }
    body["data"] = all.into();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifests() -> Manifests {
        let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "web-secrets" },
            "data": { "TOKEN": "aHVudGVyMg==", "OLD": "bG9zdA==" } });
        let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" }, "spec": {} });
        let object = |kind, name: &str, body| Object { api: "v1", kind, name: name.into(), workload: Some("web".into()), body };
        let objects = vec![object("Secret", "web-secrets", secret), object("Service", "web", service)];
        let wait = Wait { on: "db".into(), condition: Condition::Healthy, required: true };
        Manifests { objects, waits: BTreeMap::from([("web".into(), vec![wait])]) }
    }

    #[test]
    fn values_are_references_until_they_are_given_again() {
        let stored = Stored::of(&manifests(), &[7; 32]);
        let text = serde_json::to_string(&stored).unwrap() + &format!("{stored:?}") + &stored.documents();
        for value in ["hunter2", "aHVudGVyMg==", "lost", "bG9zdA=="] {
            assert!(!text.contains(value), "{text}");
        }
        assert!(stored.documents().contains("TOKEN: \"\""), "{}", stored.documents());
        let read: Stored = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
        assert_eq!(read, stored);
        let know = |_: &str, key: &str, _: &str| (key == "TOKEN").then(|| SecretSlice::from(b"hunter2".to_vec()));
        let restored = read.restore(&[7; 32], know).unwrap();
        assert_eq!(restored.manifests.objects[0].body["data"], json!({ "TOKEN": "aHVudGVyMg==" }));
        assert_eq!(restored.missing, [("web-secrets".to_owned(), "OLD".to_owned())]);
        assert_eq!(restored.manifests.objects[1].body, manifests().objects[1].body);
        assert!(restored.other.is_empty() && restored.manifests.waits == manifests().waits);
        let changed = read.restore(&[7; 32], |_, _, _| Some(SecretSlice::from(b"other".to_vec()))).unwrap();
        assert_eq!(changed.other.len(), 2);
        assert!(!format!("{changed:?}").contains("b3RoZXI="));
    }
}
