//! What kustomize makes of `deploy/`, under names of one test.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine as _;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::support::cluster::Corner;

pub struct Deployed<'a> {
    corner: &'a Corner,
    /// In place of `gaggle`; also the name of what belongs to no namespace.
    pub namespace: String,
    pub documents: Vec<Value>,
}

/// From PATH or the programs of the control plane.
pub fn kubectl() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from).into_iter().chain(std::env::split_paths(&path));
    let found = found.map(|folder| folder.join("kubectl")).find(|program| program.exists());
    if found.is_none() {
        assert!(std::env::var_os("GAGGLE_TEST_ALL").is_none(), "the tests of deploy/ need kubectl");
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "skipped: a test of deploy/: put kubectl on PATH, or set KUBEBUILDER_ASSETS");
    }
    found
}

pub async fn client_of(kubeconfig: &Path) -> kube::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a config");
    kube::Client::try_from(config).expect("a client")
}

impl<'a> Deployed<'a> {
    /// The kinds that give Gaggle its rights.
    pub const RIGHTS: fn(&str) -> bool =
        |kind| matches!(kind, "Namespace" | "ServiceAccount" | "ClusterRole" | "ClusterRoleBinding");

    /// A folder of `deploy/`; nothing without kubectl.
    pub async fn render(corner: &'a Corner, folder: &str) -> Option<Self> {
        let kubectl = kubectl()?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(folder);
        let yaml = run(tokio::process::Command::new(&kubectl).arg("kustomize").arg(folder), "").await;
        let mut to_json = tokio::process::Command::new(&kubectl);
        to_json.args(["create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-", "--kubeconfig"]);
        let json = run(to_json.arg(corner.kubeconfig()), &yaml).await;
        let documents = serde_json::Deserializer::from_str(&json).into_iter::<Value>();
        let documents: Vec<Value> = documents.map(|document| document.expect("JSON")).collect();
        assert!(documents.len() > 1, "{json}");
        let namespace = format!("{}-gaggle", corner.instance);
        let documents = documents.into_iter().map(|document| renamed(document, &namespace)).collect();
        Some(Self { corner, namespace, documents })
    }

    pub fn document(&self, kind: &str) -> &Value {
        self.documents.iter().find(|document| document["kind"] == kind).expect("a document")
    }

    pub fn change(&mut self, kind: &str, change: impl FnOnce(&mut Value)) {
        change(self.documents.iter_mut().find(|document| document["kind"] == kind).expect("a document"));
    }

    /// Those of these kinds, in their order.
    pub async fn apply(&self, wanted: impl Fn(&str) -> bool) {
        for document in self.documents.iter().filter(|document| document["kind"].as_str().is_some_and(&wanted)) {
            self.apply_one(document, false).await;
        }
    }

    pub async fn apply_one(&self, document: &Value, dry: bool) {
        let how = PatchParams { dry_run: dry, ..PatchParams::apply("deploy").force().validation_strict() };
        let name = document["metadata"]["name"].as_str().expect("a name");
        let applied = self.api(document).patch(name, &how, &Patch::Apply(document)).await;
        if let Err(error) = applied {
            panic!("{} {name} is refused: {error}", document["kind"]);
        }
    }

    fn api(&self, document: &Value) -> Api<DynamicObject> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let version = text(&document["apiVersion"]);
        let (group, version) = version.split_once('/').unwrap_or(("", &version));
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &text(&document["kind"])));
        match document["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(self.corner.client.clone(), namespace, &kind),
            None => Api::all_with(self.corner.client.clone(), &kind),
        }
    }

    /// kubectl with documents.
    pub async fn kubectl(&self, args: &[&str], yaml: &str) {
        let mut command = tokio::process::Command::new(kubectl().expect("kubectl"));
        run(command.arg("--kubeconfig").arg(self.corner.kubeconfig()).args(args).args(["-f", "-"]), yaml).await;
    }

    /// Everything again, and waits for none of it.
    pub async fn remove(&self) {
        for document in self.documents.iter().filter(|document| document["metadata"]["namespace"].is_null()) {
            let name = document["metadata"]["name"].as_str().expect("a name");
            let _ = self.api(document).delete(name, &DeleteParams::background()).await;
        }
    }

    pub fn server(corner: &Corner) -> String {
        cluster(corner).server.expect("a server")
    }

    /// The certificate of who signed the server's, as base64 of PEM.
    pub fn authority(corner: &Corner) -> String {
        let cluster = cluster(corner);
        cluster.certificate_authority_data.unwrap_or_else(|| {
            let file = cluster.certificate_authority.expect("a certificate");
            base64::engine::general_purpose::STANDARD.encode(std::fs::read(file).expect("a certificate"))
        })
    }

    /// A token of the ServiceAccount.
    pub async fn token(&self) -> String {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.corner.client.clone(), &self.namespace);
        let asked = json!({ "metadata": {}, "spec": { "audiences": [], "expirationSeconds": 3600 } });
        let asked: TokenRequest = serde_json::from_value(asked).expect("a request");
        let name = self.document("ServiceAccount")["metadata"]["name"].as_str().expect("a name");
        let given = accounts.create_token_request(name, &PostParams::default(), &asked).await.expect("a token");
        given.status.expect("a token").token
    }

    /// A kubeconfig with nothing but that token.
    pub async fn kubeconfig(&self, folder: &Path) -> PathBuf {
        let text = kubeconfig(&Self::server(self.corner), &Self::authority(self.corner), &self.token().await);
        let path = folder.join("kubeconfig");
        std::fs::write(&path, text).expect("a file");
        path
    }
}

pub fn kubeconfig(server: &str, authority: &str, token: &str) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "it", "cluster": { "server": server, "certificate-authority-data": authority } }],
        "users": [{ "name": "it", "user": { "token": token } }],
        "contexts": [{ "name": "it", "context": { "cluster": "it", "user": "it" } }],
        "current-context": "it",
    })
    .to_string()
}

fn cluster(corner: &Corner) -> kube::config::Cluster {
    let kubeconfig = Kubeconfig::read_from(corner.kubeconfig()).expect("a kubeconfig");
    kubeconfig.clusters.into_iter().next().and_then(|named| named.cluster).expect("a cluster")
}

/// For tests run side by side.
fn renamed(mut document: Value, name: &str) -> Value {
    if document["metadata"]["namespace"] == "gaggle" {
        document["metadata"]["namespace"] = json!(name);
    } else {
        document["metadata"]["name"] = json!(role(&document["metadata"]["name"], name));
    }
    if document["kind"] == "ClusterRoleBinding" {
        document["roleRef"]["name"] = json!(role(&document["roleRef"]["name"], name));
        document["subjects"][0]["namespace"] = json!(name);
    }
    // kubectl adds what it does not know.
    if let Some(metadata) = document["metadata"].as_object_mut() {
        metadata.remove("creationTimestamp");
    }
    if let Some(document) = document.as_object_mut() {
        document.remove("status");
    }
    document
}

/// `gaggle`, or what begins so.
fn role(before: &Value, name: &str) -> String {
    before.as_str().expect("a name").replacen("gaggle", name, 1)
}

/// Runs a program of others to its end.
pub async fn run(command: &mut tokio::process::Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("stdin");
    let input = input.as_bytes().to_vec();
    tokio::spawn(async move {
        let _ = stdin.write_all(&input).await;
    });
    let output = child.wait_with_output().await.expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
