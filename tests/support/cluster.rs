//! A real Kubernetes for the tests: the one that `GAGGLE_TEST_KUBECONFIG` names, or one that `tests/control-plane` starts from the
//! programs in `KUBEBUILDER_ASSETS` and ends with this process.
//!
//! Invariant: tests share it and never meet: each has a Gaggle `instance` and a namespace prefix of its own, and leaves nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gaggle::runtime::kubernetes::objects::Kind;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use super::tester::Tester;

/// How long anything in the cluster may take.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// What the real node has.
pub const GOOSE_IMAGE: &str = "gaggle.test/goose:test";
pub const GAGGLE_IMAGE: &str = "gaggle.test/gaggle:test";
pub const GIT_IMAGE: &str = "gaggle.test/git:test";

/// Where pods run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nodes {
    /// Pretend nodes, by kwok.
    Pretend,
    /// One whose pods really run.
    Real,
}

#[derive(Debug)]
struct Shared {
    kubeconfig: PathBuf,
    real: bool,
    pretend: bool,
    /// Where pods of the real node find servers of this machine.
    host: Option<String>,
}

static SHARED: OnceCell<Option<Shared>> = OnceCell::const_new();
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A corner of the cluster for one test.
pub struct Corner {
    shared: &'static Shared,
    pub client: kube::Client,
    pub instance: String,
    pub prefix: String,
    nodes: Nodes,
}

fn told(what: &str) {
    // Straight to standard error, since the harness keeps what a passing test prints.
    let _ = writeln!(std::io::stderr(), "{what}");
}

async fn shared() -> Option<&'static Shared> {
    SHARED.get_or_init(start).await.as_ref()
}

async fn start() -> Option<Shared> {
    let given = std::env::var_os("GAGGLE_TEST_KUBECONFIG").map(PathBuf::from);
    let kubeconfig = match given {
        Some(path) => path,
        None => match std::env::var_os("KUBEBUILDER_ASSETS") {
            Some(_) => up().await,
            None => {
                assert!(std::env::var_os("GAGGLE_TEST_ALL").is_none(), "the cluster tests need KUBEBUILDER_ASSETS");
                told(
                    "skipped: all tests with a real Kubernetes: set KUBEBUILDER_ASSETS=\"$(tests/control-plane/build)\" (Go; ten minutes \
                     once), or GAGGLE_TEST_KUBECONFIG to a cluster's kubeconfig",
                );
                return None;
            }
        },
    };
    let client = client(&kubeconfig).await;
    let nodes: Api<Node> = Api::all(client);
    let has = async |label: &str| !nodes.list(&ListParams::default().labels(label)).await.expect("nodes").items.is_empty();
    let (real, pretend) = (has("type=real").await, has("type=kwok").await);
    let all = std::env::var_os("GAGGLE_TEST_ALL").is_some();
    assert!(!all || (real && pretend), "the cluster tests need a real node and pretend ones");
    if !real {
        told(
            "skipped: tests with a real node: run as root with containerd, runc and the rest that tests/control-plane/README.md names",
        );
    }
    let host = std::fs::read_to_string(kubeconfig.with_file_name("host-address")).ok().map(|h| h.trim().to_owned());
    Some(Shared { kubeconfig, real, pretend, host })
}

/// Starts a control plane that ends with this process.
async fn up() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control-plane");
    let dir = std::env::temp_dir().join(format!("gaggle-cluster-{}", std::process::id()));
    let port = super::goose::free_port();
    let mut command = Command::new(root.join("up"));
    command.arg(&dir).args(["--while", &std::process::id().to_string(), "--agent-port", &port.to_string()]);
    let usable =
        |program: &str| std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|d| d.join(program).exists());
    let is_root = rustix::process::geteuid().is_root();
    if std::env::var_os("GAGGLE_TEST_ALL").is_some() || (is_root && ["containerd", "runc", "iptables"].iter().all(|p| usable(p)))
    {
        command.arg("--node").args(["--gaggle", env!("CARGO_BIN_EXE_gaggle")]);
        if let Some(goose) = std::env::var_os("GAGGLE_TEST_GOOSE") {
            command.arg("--goose").arg(goose);
        }
    }
    let output = command.stdin(Stdio::null()).output().await.expect("tests/control-plane/up runs");
    assert!(output.status.success(), "the control plane does not start: {}", String::from_utf8_lossy(&output.stderr));
    let kubeconfig = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    pretend_agent(port, dir.join("agent"));
    kubeconfig
}

/// What port-forwards to pretend pods lead to. Ends with this process, so it is a thread and no program.
fn pretend_agent(port: u16, state: PathBuf) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
            let _ = gaggle::agent::demo::serve(listener, gaggle::agent::demo::Options::new(state)).await;
        });
    });
}

async fn client(kubeconfig: &Path) -> kube::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a config");
    config.default_retry = false;
    kube::Client::try_from(config).expect("a client")
}

/// A corner on such nodes, or nothing if there are none.
pub async fn corner(nodes: Nodes) -> Option<Corner> {
    let shared = shared().await?;
    let there = match nodes {
        Nodes::Pretend => shared.pretend,
        Nodes::Real => shared.real,
    };
    if !there {
        return None;
    }
    let n = COUNT.fetch_add(1, Ordering::SeqCst);
    let instance = format!("t{}-{n}", std::process::id());
    Some(Corner { shared, client: client(&shared.kubeconfig).await, prefix: format!("{instance}-"), instance, nodes })
}

impl Corner {
    pub fn kubeconfig(&self) -> &Path {
        &self.shared.kubeconfig
    }

    pub fn host(&self) -> &str {
        self.shared.host.as_deref().expect("an address for pods")
    }

    /// The configuration of a Gaggle in this corner; `more` is added to `[kubernetes]`.
    pub fn config(&self, more: &str) -> String {
        let (node, image) = match self.nodes {
            Nodes::Pretend => ("kwok", "gaggle.test/pretend:1"),
            Nodes::Real => ("real", GAGGLE_IMAGE),
        };
        let set =
            |key: &str, line: String| if more.lines().any(|l| l.trim_start().starts_with(key)) { String::new() } else { line };
        format!(
            "data_dir = \"data\"\n[runtime]\nkind = \"kubernetes\"\n[kubernetes]\ninstance = \"{}\"\nnamespace_prefix = \"{}\"\n\
             pull_policy = \"IfNotPresent\"\nconnect = \"port-forward\"\n{}{}{}{}{}{more}\n",
            self.instance,
            self.prefix,
            set("node_selector", format!("node_selector = {{ type = \"{node}\" }}\n")),
            set("image", format!("image = \"{image}\"\n")),
            set("args", "args = [\"demo-agent\", \"--listen\", \"0.0.0.0:{port}\"]\n".to_owned()),
            set("run_as_user", "run_as_user = 65532\n".to_owned()),
            set("clone_image", format!("clone_image = \"{GIT_IMAGE}\"\n")),
        )
    }

    /// A Gaggle in this corner, not started yet.
    pub fn prepare(&self, more: &str) -> Tester {
        self.prepare_at(self.kubeconfig(), more)
    }

    /// … with another kubeconfig.
    pub fn prepare_at(&self, kubeconfig: &Path, more: &str) -> Tester {
        let t = Tester::prepare(
            &["serve", "--json", "--config", "gaggle.toml"],
            &[("KUBECONFIG", kubeconfig.to_str().expect("a path"))],
        );
        std::fs::write(t.folder().join("gaggle.toml"), self.config(more)).expect("a file");
        t
    }

    pub async fn start(&self, more: &str) -> Tester {
        let mut t = self.prepare(more);
        t.launch();
        t.ready().await;
        t
    }

    fn ours(&self) -> ListParams {
        ListParams::default().labels(&format!("gaggle.dev/instance={}", self.instance))
    }

    /// Everything of this corner, as `Kind name`, sorted.
    pub async fn objects(&self) -> Vec<String> {
        let mut all = Vec::new();
        for kind in Kind::all() {
            let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind.resource());
            let found = api.list(&self.ours()).await.expect("a list");
            all.extend(found.items.into_iter().map(|o| format!("{} {}", kind.shown(), o.metadata.name.unwrap_or_default())));
        }
        all.extend(self.pods().await.into_iter().map(|p| format!("Pod {}", p.metadata.name.unwrap_or_default())));
        all.sort();
        all
    }

    pub async fn pods(&self) -> Vec<Pod> {
        let api: Api<Pod> = Api::all(self.client.clone());
        api.list(&self.ours()).await.expect("pods").items
    }

    /// The only object of a kind.
    pub async fn one(&self, kind: Kind) -> DynamicObject {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind.resource());
        let mut found = api.list(&self.ours()).await.expect("a list").items;
        assert_eq!(found.len(), 1, "{kind:?}");
        found.remove(0)
    }

    pub async fn replicas(&self) -> i64 {
        self.one(Kind::Deployment).await.data["spec"]["replicas"].as_i64().unwrap_or(-1)
    }

    /// Changes an object as somebody else would.
    pub async fn patch(&self, kind: Kind, patch: Value) {
        let object = self.one(kind).await;
        let namespace = object.metadata.namespace.clone().unwrap_or_default();
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, &kind.resource());
        let how = PatchParams { field_manager: Some("somebody".into()), ..PatchParams::default() };
        api.patch(object.metadata.name.as_deref().unwrap_or_default(), &how, &Patch::Merge(patch)).await.expect("it is patched");
    }

    pub async fn delete(&self, kind: Kind) {
        let object = self.one(kind).await;
        let namespace = object.metadata.namespace.clone().unwrap_or_default();
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, &kind.resource());
        api.delete(object.metadata.name.as_deref().unwrap_or_default(), &DeleteParams::background())
            .await
            .expect("it is deleted");
    }

    /// Ends all pods of this corner at once, as a node would that lost them.
    pub async fn kill_pods(&self) {
        for pod in self.pods().await {
            let api: Api<Pod> = Api::namespaced(self.client.clone(), pod.metadata.namespace.as_deref().unwrap_or_default());
            let how = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
            let _ = api.delete(pod.metadata.name.as_deref().unwrap_or_default(), &how).await;
        }
    }

    /// Lets the pods play something else from now on.
    pub async fn play(&self, what: &str) {
        for pod in self.pods().await {
            let api: Api<Pod> = Api::namespaced(self.client.clone(), pod.metadata.namespace.as_deref().unwrap_or_default());
            let patch = json!({"metadata": {"annotations": {"kwok.gaggle.dev/play": what}}});
            api.patch(pod.metadata.name.as_deref().unwrap_or_default(), &PatchParams::default(), &Patch::Merge(patch))
                .await
                .expect("it plays");
        }
    }

    /// Ends the only namespace of this corner as somebody else would.
    pub async fn end_namespace(&self) {
        let namespaces: Api<DynamicObject> = Api::all_with(self.client.clone(), &Kind::Namespace.resource());
        let name = self.one(Kind::Namespace).await.metadata.name.unwrap_or_default();
        namespaces.delete(&name, &DeleteParams::background()).await.expect("it is ended");
    }

    /// Nothing of this corner is left.
    pub async fn empty(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = self.objects().await;
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left behind: {left:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// A project's status, as it is told.
pub async fn status(t: &Tester, name: &str) -> String {
    t.say(&format!("/project show {name}")).await.ok().data("projects")[0]["status"].as_str().unwrap_or_default().to_owned()
}

/// Waits until a project has a status.
pub async fn until(t: &Tester, name: &str, wanted: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = status(t, name).await;
        if now == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "{name} is {now}, not {wanted}");
        sleep(Duration::from_millis(50)).await;
    }
}
