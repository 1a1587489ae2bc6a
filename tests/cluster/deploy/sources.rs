//! Where credentials come from: the first source that is set, and nothing else if that is broken.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;

use super::render::{Deployed, client_of, kubeconfig};
use super::{check, redacted};
use crate::support::cluster::{Nodes, corner};
use crate::support::tester::{SECRET, snapshot};

const SOURCES: [&str; 5] = ["KUBECONFIG_BASE64", "KUBE_CONFIG_BASE64", "KUBECONFIG", "KUBE_HOST", "HOME"];

/// Sets one source; what is broken in it holds a secret.
fn set(source: &str, well: bool, access: (&str, &str, &str), folder: &Path, variables: &mut BTreeMap<&'static str, String>) {
    let (server, authority, token) = access;
    let good = kubeconfig(server, authority, token);
    let broken = format!("users: [{{ name: {SECRET}");
    let text = if well { &good } else { &broken };
    match source {
        "KUBECONFIG_BASE64" => {
            // One is broken as base64, the other as a kubeconfig.
            let packed = base64::engine::general_purpose::STANDARD.encode(&good);
            variables.insert("KUBECONFIG_BASE64", if well { packed } else { format!("{SECRET}%") });
        }
        "KUBE_CONFIG_BASE64" => {
            variables.insert("KUBE_CONFIG_BASE64", base64::engine::general_purpose::STANDARD.encode(text));
        }
        "KUBECONFIG" => {
            let path = folder.join("named");
            std::fs::write(&path, text).expect("a file");
            variables.insert("KUBECONFIG", path.display().to_string());
        }
        "KUBE_HOST" => {
            let host = server.strip_prefix("https://").expect("https").to_owned();
            variables.insert("KUBE_HOST", if well { host } else { format!("http://{SECRET}") });
            variables.insert("KUBE_TOKEN", if well { token.to_owned() } else { SECRET.to_owned() });
            variables.insert("KUBE_CA", if well { authority.to_owned() } else { SECRET.to_owned() });
        }
        _ => {
            let path = folder.join(".kube/config");
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(&path, text).expect("a file");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_that_is_set_is_taken() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let Some(deployed) = Deployed::render(&corner, "base").await else { return };
    deployed.apply(Deployed::RIGHTS).await;
    let (server, authority, token) = (Deployed::server(&corner), Deployed::authority(&corner), deployed.token().await);
    let access = (server.as_str(), authority.as_str(), token.as_str());
    {
        let folder = tempfile::tempdir().expect("a folder");
        let client = client_of(&deployed.kubeconfig(folder.path()).await).await;
        super::granted(&kube::api::Api::all(client), super::RULES.len(), None).await;
    }
    let mut all = String::new();
    for (first, source) in SOURCES.iter().enumerate() {
        // This one is well and those after it are broken; then the other way around.
        for well in [true, false] {
            let t = corner.prepare("");
            let mut variables = BTreeMap::new();
            for (at, source) in SOURCES.iter().enumerate().skip(first) {
                set(source, (at == first) == well, access, t.folder(), &mut variables);
            }
            let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let (code, told) = check(t.folder(), &variables).await;
            assert_eq!(code, Some(i32::from(!well)), "{source}: {told}");
            for secret in [SECRET, &token, &authority] {
                assert!(!told.contains(secret), "{source}: {told}");
            }
            let row = told.lines().find(|line| line.contains("  cluster ")).unwrap_or_default();
            all += &redacted(&format!("{source} {}\n{row}", if well { "is well" } else { "is broken" }), t.folder(), &corner);
        }
    }
    let t = corner.prepare("");
    let (code, told) = check(t.folder(), &[]).await;
    assert_eq!(code, Some(1), "{told}");
    all += &format!("nothing is set\n{told}");
    snapshot("kubernetes_sources", &redacted(&all, t.folder(), &corner));
    deployed.remove().await;
}
