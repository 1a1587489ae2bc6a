//! What stands in manifests: their workloads, the ports of those, and the values of their secrets by names that say which they are.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{SecretSlice, SecretString};

use super::Manifests;
use super::history::{Restored, Stored, digest};
use super::kinds::Kind;
use crate::error::{Error, Result};

impl Manifests {
    /// All of them, in the order in which they come up.
    pub fn workloads(&self) -> Vec<&str> {
        let keeps =
            |kind: &str| Kind::of(kind).is_some_and(|_| matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "Job"));
        let all = self.objects.iter().filter(|object| keeps(object.kind));
        all.map(|object| object.workload.as_deref().unwrap_or(&object.name)).collect()
    }

    /// Those that go on running.
    pub fn running(&self) -> Vec<&str> {
        let jobs: Vec<&str> =
            self.objects.iter().filter(|o| o.kind == "Job").map(|o| o.workload.as_deref().unwrap_or(&o.name)).collect();
        self.workloads().into_iter().filter(|name| !jobs.contains(name)).collect()
    }

    /// The first port at which a workload listens.
    pub fn port_of(&self, workload: &str) -> Option<u16> {
        let services = self.objects.iter().filter(|o| o.kind == "Service" && o.workload.as_deref() == Some(workload));
        services.filter_map(|service| service.body["spec"]["ports"][0]["targetPort"].as_u64()?.try_into().ok()).next()
    }

    /// The value of a secret variable, as some Secret has it.
    pub fn secret_value(&self, key: &str) -> Option<SecretString> {
        let secrets = self.objects.iter().filter(|object| object.kind == "Secret");
        let encoded = secrets.filter_map(|secret| secret.body["data"].get(key)?.as_str()).next()?;
        String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok().map(SecretString::from)
    }

    /// The values that are not kept with the manifests, each by the name under which it is asked for again.
    pub fn values(&self, seal: &[u8; 32]) -> Vec<(String, SecretString)> {
        let mut all = Vec::new();
        for object in self.objects.iter().filter(|object| object.kind == "Secret") {
            for (key, value) in object.body["data"].as_object().into_iter().flatten() {
                let encoded = value.as_str().unwrap_or_default();
                let bytes = BASE64_STANDARD.decode(encoded).unwrap_or_default();
                let name = reference(&object.name, key, &digest(seal, &object.name, key, &bytes));
                all.push((name, SecretString::from(encoded)));
            }
        }
        all
    }
}

fn reference(secret: &str, key: &str, digest: &str) -> String {
    format!("{secret}/{key}@{digest}")
}

impl Stored {
    /// The manifests as they were, with the values that [`Manifests::values`] gave.
    pub fn whole(&self, seal: &[u8; 32], value: impl Fn(&str) -> Option<SecretString>) -> Result<Manifests> {
        use secrecy::ExposeSecret as _;
        let asked = |secret: &str, key: &str, digest: &str| {
            let encoded = value(&reference(secret, key, digest))?;
            BASE64_STANDARD.decode(encoded.expose_secret()).ok().map(SecretSlice::from)
        };
        let Restored { manifests, missing, .. } =
            self.restore(seal, asked).map_err(|why| Error::Broken(anyhow::anyhow!("{why}")))?;
        match missing.first() {
            None => Ok(manifests),
            Some((secret, key)) => Err(Error::Refused(format!(
                "That revision cannot be brought back: the value of `{key}` in the Secret `{secret}` is gone. Deploy again from the file."
            ))),
        }
    }
}
