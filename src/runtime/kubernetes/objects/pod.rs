//! The Deployment and its pod.
//!
//! Invariants: nothing that people typed is a part of a script or of what Kubernetes replaces in one; no credential of the cluster
//! is in the pod.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::names;
use super::super::tables::{Amount, Resources};
use super::own::Own;
use super::{CONFIG, KEY_CHECK, Kind, Manifest, SETTINGS, key_check};
use crate::agent::Protocol;
use crate::model::Settings;

pub const WORKSPACE: &str = "/workspace";
pub const STATE: &str = "/state";
/// Where the clone sees the whole of what the agent sees as these two.
const VOLUME: &str = "/volume";
const SCRIPT: &str = include_str!("clone.sh");
/// Annotations may have 256 KiB in all.
const MOST_SETTINGS: usize = 128 * 1024;

impl Own<'_> {
    /// `config` changes with every variable and secret, so that the pod is replaced when one does.
    pub fn deployment(&self, config: &str) -> Manifest {
        let name = names::api(&self.launch.project);
        let mut metadata = self.metadata.clone();
        metadata.annotations.insert(SETTINGS.to_owned(), settings(&self.launch.settings));
        metadata.annotations.insert(KEY_CHECK.to_owned(), key_check(&self.launch.server_key));
        let spec = json!({
            "replicas": 0,
            "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": seconds(self.options.activation_timeout),
            // Two agents must not work in the same folder.
            "strategy": { "type": "Recreate" },
            "selector": { "matchLabels": self.selector() },
            "template": {
                "metadata": { "labels": self.metadata.labels, "annotations": { CONFIG: config } },
                "spec": self.pod(),
            },
        });
        metadata.manifest(Kind::Deployment, &name, Some(self.namespace), json!({ "spec": spec }))
    }

    fn pod(&self) -> Value {
        let options = self.options;
        let user = options.run_as_user;
        let data = match self.disk() {
            Some(_) => json!({ "name": "data", "persistentVolumeClaim": { "claimName": names::data(&self.launch.project) } }),
            None => json!({ "name": "data", "emptyDir": {} }),
        };
        let mut pod = json!({
            "serviceAccountName": names::project(&self.launch.project),
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": seconds(options.stop_grace),
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": user,
                "runAsGroup": user,
                "fsGroup": user,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [self.agent()],
            "volumes": [data, { "name": "tmp", "emptyDir": {} }],
        });
        if let Some(repo) = &self.launch.settings.repo {
            pod["initContainers"] = json!([self.clone_container(&repo.0)]);
        }
        if !options.pull_secrets.is_empty() {
            pod["imagePullSecrets"] = options.pull_secrets.iter().map(|name| json!({ "name": name })).collect();
        }
        if !options.node_selector.is_empty() {
            pod["nodeSelector"] = json!(options.node_selector);
        }
        if !options.tolerations.is_empty() {
            pod["tolerations"] = json!(options.tolerations);
        }
        pod
    }

    fn agent(&self) -> Value {
        let (options, settings) = (self.options, &self.launch.settings);
        let port = settings.port.unwrap_or(options.port);
        let args: Vec<String> = options.args.0.iter().map(|arg| arg.replace("{port}", &port.to_string())).collect();
        let own = names::project(&self.launch.project);
        let mut agent = json!({
            "name": "agent",
            "image": settings.image.as_ref().map_or(&options.image, |image| &image.0),
            "workingDir": WORKSPACE,
            "env": [
                { "name": "USER_ID", "value": literal(&self.launch.owner.0) },
                { "name": "PROJECT_ID", "value": literal(&self.launch.project.0) },
            ],
            "envFrom": [{ "configMapRef": { "name": own } }, { "secretRef": { "name": own } }],
            "ports": [{ "name": "http", "containerPort": port, "protocol": "TCP" }],
            "startupProbe": self.probe(1, 2, seconds(options.activation_timeout)),
            "readinessProbe": self.probe(5, 3, 6),
            // Whether the port is open is told by the system even while the agent is too busy to answer.
            "livenessProbe": {
                "tcpSocket": { "port": "http" }, "periodSeconds": 20, "timeoutSeconds": 5, "failureThreshold": 6,
            },
            "resources": self.resources(),
            "securityContext": container_security(),
            "volumeMounts": [
                { "name": "data", "mountPath": WORKSPACE, "subPath": "workspace" },
                { "name": "data", "mountPath": STATE, "subPath": "state" },
                { "name": "tmp", "mountPath": "/tmp" },
            ],
        });
        if !options.command.0.is_empty() {
            agent["command"] = json!(options.command.0);
        }
        if !args.is_empty() {
            agent["args"] = json!(args);
        }
        if let Some(policy) = options.pull_policy {
            agent["imagePullPolicy"] = json!(policy);
        }
        agent
    }

    /// None of these paths wants the server's key.
    fn probe(&self, period: u64, timeout: u64, failures: u64) -> Value {
        let path = match self.options.protocol {
            Protocol::Auto | Protocol::Acp => "/health",
            Protocol::GooseApi => "/api/v1/health",
        };
        json!({
            "httpGet": { "path": path, "port": "http" },
            "periodSeconds": period, "timeoutSeconds": timeout, "failureThreshold": failures,
        })
    }

    /// What people choose is a limit; a request that is above it would be refused.
    fn resources(&self) -> Resources {
        let Resources { mut requests, mut limits } = self.options.resources.clone();
        for (name, chosen) in [("cpu", &self.launch.settings.cpu), ("memory", &self.launch.settings.memory)] {
            let Some(limit) = chosen.as_ref().map(Amount::from) else { continue };
            if let Some(request) = requests.get_mut(name).filter(|request| request.value() > limit.value()) {
                *request = limit.clone();
            }
            limits.insert(name.to_owned(), limit);
        }
        Resources { requests, limits }
    }

    fn clone_container(&self, repo: &str) -> Value {
        let own = names::project(&self.launch.project);
        let secret = |key: &str| {
            let from = json!({ "secretKeyRef": { "name": own, "key": key, "optional": true } });
            json!({ "name": key, "valueFrom": from })
        };
        let plain = |name: &str, value: &str| json!({ "name": name, "value": literal(value) });
        json!({
            "name": "clone",
            "image": self.options.clone_image,
            "command": ["/bin/sh", "-c", SCRIPT],
            "env": [
                plain("REPO_URL", repo),
                plain("VOLUME", VOLUME),
                plain("TMPDIR", "/tmp"),
                plain("HOME", "/tmp"),
                plain("LC_ALL", "C.UTF-8"),
                plain("GIT_TERMINAL_PROMPT", "0"),
                plain("GIT_CONFIG_NOSYSTEM", "1"),
                plain("GIT_CONFIG_GLOBAL", "/dev/null"),
                plain("GIT_ALLOW_PROTOCOL", &self.options.clone_protocols.join(":")),
                secret("GIT_TOKEN"),
                secret("GIT_SSH_KEY"),
            ],
            "resources": self.resources(),
            "securityContext": container_security(),
            // What git said is then a part of the pod's status.
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [{ "name": "data", "mountPath": VOLUME }, { "name": "tmp", "mountPath": "/tmp" }],
            "workingDir": VOLUME,
        })
    }
}

fn container_security() -> Value {
    json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } })
}

/// Kubernetes replaces `$(NAME)` in values, and takes two dollar signs for one.
fn literal(value: &str) -> String {
    value.replace('$', "$$")
}

/// Whole ones, at least one.
fn seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

fn settings(settings: &Settings) -> String {
    let json = |settings: &Settings| serde_json::to_string(settings).unwrap_or_default();
    let whole = json(settings);
    match whole.len() <= MOST_SETTINGS {
        true => whole,
        // The variables are the only part that can be long; they are in the ConfigMap, too.
        false => json(&Settings { env: Vec::new(), ..settings.clone() }),
    }
}
