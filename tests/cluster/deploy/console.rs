//! Gaggle in the cluster, as the console overlay has it, on the real node.

use std::path::Path;
use std::process::Stdio;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

use super::render::{Deployed, kubectl, run};
use crate::support::cluster::{Corner, GAGGLE_IMAGE, GIT_IMAGE, Nodes, PATIENCE, corner};

/// `kubectl attach -i`, as an operator types it.
struct Attached {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    said: usize,
}

impl Attached {
    fn to(corner: &Corner, namespace: &str) -> Self {
        let mut command = Command::new(kubectl().expect("kubectl"));
        command.arg("--kubeconfig").arg(corner.kubeconfig()).args(["-n", namespace, "attach", "-i", "deploy/gaggle"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().expect("kubectl starts");
        let stdin = child.stdin.take().expect("stdin");
        let lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        Self { child, stdin, lines, said: 0 }
    }

    /// Says something and waits for its end; all that was told until then.
    async fn say(&mut self, text: &str) -> Vec<Value> {
        self.said += 1;
        let id = format!("s{}-{}", self.child.id().unwrap_or_default(), self.said);
        let line = format!("{}\n", json!({ "id": id, "text": text }));
        self.stdin.write_all(line.as_bytes()).await.expect("it is attached");
        let mut told: Vec<Value> = Vec::new();
        loop {
            let line = match timeout(PATIENCE, self.lines.next_line()).await {
                Ok(line) => line.expect("a line").unwrap_or_else(|| panic!("`{text}`: the attachment ended after {told:?}")),
                Err(_) => panic!("`{text}` has no end: {told:?}"),
            };
            let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
            let end = event["type"] == "end" && event["id"] == id.as_str();
            let ok = event["ok"] == true;
            told.push(event);
            if end {
                assert!(ok, "`{text}`: {told:?}");
                return told;
            }
        }
    }

    async fn leave(mut self) {
        drop(self.stdin);
        let _ = self.child.start_kill();
        let _ = self.child.wait().await;
    }
}

/// The image of this program on the real node.
async fn image(corner: &Corner) -> &'static str {
    const NAME: &str = "gaggle.test/gaggle:deploy";
    let folder = corner.kubeconfig().parent().expect("a folder");
    if !folder.join("node").exists() {
        // Another cluster: what it has.
        return GAGGLE_IMAGE;
    }
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control-plane");
    let work = tempfile::tempdir().expect("a folder");
    let tar = work.path().join("gaggle.tar");
    let mut make = Command::new(scripts.join("image"));
    make.arg(NAME).arg(&tar).args(["65532", "/usr/local/bin/gaggle", env!("CARGO_BIN_EXE_gaggle")]);
    run(&mut make, "").await;
    run(Command::new(scripts.join("add-image")).arg(folder).arg(&tar), "").await;
    NAME
}

/// Where it runs and what it runs is this test's; all else is as it is deployed.
fn adapt(deployed: &mut Deployed<'_>, corner: &Corner, image: &str) {
    deployed.change("Deployment", |deployment| {
        let spec = &mut deployment["spec"]["template"]["spec"];
        spec["nodeSelector"] = json!({ "type": "real" });
        let container = &mut spec["containers"][0];
        container["image"] = json!(image);
        container["imagePullPolicy"] = json!("IfNotPresent");
        let variables = [
            ("INSTANCE", corner.instance.as_str()),
            ("NAMESPACE_PREFIX", &corner.prefix),
            ("NODE_SELECTOR", "type=real"),
            ("IMAGE", image),
            ("ARGS", "demo-agent --listen 0.0.0.0:{port}"),
            ("RUN_AS_USER", "65532"),
            ("PULL_POLICY", "IfNotPresent"),
            ("CLONE_IMAGE", GIT_IMAGE),
        ];
        let all = container["env"].as_array_mut().expect("variables");
        all.extend(variables.iter().map(|(name, value)| json!({ "name": format!("GAGGLE_KUBERNETES__{name}"), "value": value })));
    });
}

async fn ready(pods: &Api<Pod>) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = pods.list(&ListParams::default()).await.expect("pods").items;
        let pod = found.into_iter().next();
        let status = pod.as_ref().and_then(|pod| pod.status.clone());
        let conditions = status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
        if conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True") {
            return pod.and_then(|pod| pod.metadata.name).unwrap_or_default();
        }
        if Instant::now() > deadline {
            let name = pod.and_then(|pod| pod.metadata.name).unwrap_or_default();
            let log = pods.logs(&name, &Default::default()).await;
            panic!("Gaggle's pod is not ready: {status:?}\n{log:?}");
        }
        sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gaggle_runs_in_the_cluster() {
    let Some(corner) = corner(Nodes::Real).await else { return };
    let Some(mut deployed) = Deployed::render(&corner, "overlays/console").await else { return };
    let image = image(&corner).await;
    adapt(&mut deployed, &corner, image);
    deployed.apply(|_| true).await;
    let pods: Api<Pod> = Api::namespaced(corner.client.clone(), &deployed.namespace);
    let pod = ready(&pods).await;

    let mut door = Attached::to(&corner, &deployed.namespace);
    door.say("/project create demo").await;
    door.say("/project activate demo").await;
    door.leave().await;

    // Whoever leaves does not end it, and another may come.
    let mut door = Attached::to(&corner, &deployed.namespace);
    let asked = door.say("/ask demo say 50 words").await;
    let turn = asked.iter().rfind(|event| event["type"] == "turn").expect("a turn");
    assert_eq!(turn["text"].as_str().map(|text| text.split_whitespace().count()), Some(50), "{turn}");

    let mut check = Command::new(kubectl().expect("kubectl"));
    check.arg("--kubeconfig").arg(corner.kubeconfig()).args(["-n", &deployed.namespace, "exec", &pod, "--"]);
    let told = run(check.args(["gaggle", "check", "--config", "/etc/gaggle/gaggle.toml"]), "").await;
    for row in ["by the ServiceAccount of this pod", "/data/gaggle/gaggle.redb is in use by a running Gaggle"] {
        assert!(told.contains(row) && !told.contains("FAULT"), "{told}");
    }

    door.say("/project delete demo --yes").await;
    corner.empty().await;
    door.leave().await;
    assert_eq!(ready(&pods).await, pod, "it is the one that was started");
    let restarts = pods.get(&pod).await.expect("a pod").status.and_then(|status| status.container_statuses);
    assert!(restarts.is_some_and(|all| all.iter().all(|container| container.restart_count == 0)));
    deployed.remove().await;
}
