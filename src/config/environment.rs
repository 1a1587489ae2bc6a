//! Which variables are ours: `GAGGLE_DATA_DIR` is `data_dir`, `GAGGLE_RUNTIME__KIND` is `[runtime] kind`.
//!
//! Invariant: a variable without a double underscore that is no key's is none of ours: Kubernetes injects `GAGGLE_PORT` and its
//! like by itself. Those of others are read by their whole names, and only by the sections that know them.

use super::keys::{KEYS, Key};
use super::nearest;

/// Seals the stored secrets; no key of the file.
pub const SECRET_KEY: &str = "GAGGLE_SECRET_KEY";
/// Names that others gave and that work here, too.
pub const FOREIGN: &[&str] = &[
    "ACR_IMAGE",
    "KUBE_NAMESPACE_PREFIX",
    "INGRESS_BASE_DOMAIN",
    "GOOSE_API_PORT",
    "KUBECONFIG_BASE64",
    "KUBE_CONFIG_BASE64",
    "KUBECONFIG",
    "KUBE_HOST",
    "KUBE_TOKEN",
    "KUBE_CA",
    "HOME",
];
/// For our own tests.
const TESTS: &str = "GAGGLE_TEST_";

pub enum Variable {
    Ours(&'static Key),
    SecretKey,
    /// Has the form of ours; the fix.
    Unknown(String),
    /// None of ours, but perhaps meant to be one; which.
    Near(String),
    Other,
}

pub fn variable(name: &str) -> Variable {
    let Some(rest) = name.strip_prefix("GAGGLE_").filter(|_| !name.starts_with(TESTS)) else {
        return Variable::Other;
    };
    if name == SECRET_KEY {
        return Variable::SecretKey;
    }
    if let Some(key) = KEYS.iter().find(|key| key.variable().eq_ignore_ascii_case(name)) {
        return Variable::Ours(key);
    }
    let near = nearest::underscores(name);
    match name.contains("__") {
        true => Variable::Unknown(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let (section, bare) = rest.split_once("__").unwrap_or(("", rest));
                nearest::variable(section, bare)
            }
        }),
        false => near.map_or(Variable::Other, Variable::Near),
    }
}
