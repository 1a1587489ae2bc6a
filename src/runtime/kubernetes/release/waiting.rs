//! Containers that wait for other workloads before one starts, where nobody else does.
//!
//! Invariant: only who waits for a job may ask the API, and only about jobs.

use serde_json::{Value, json};

use super::{LABEL, Object, Release, fit, literal, one};
use crate::model::workload::{Condition, Protocol, Wait, Warning, Workload};

/// How often what need not be so is waited for, every two seconds: that something was started says little of when it answers.
const TRIES: u32 = 60;
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What a container does that waits.
enum Way<'a> {
    Ports(Vec<u16>),
    Name,
    Job(&'a str),
    None(&'static str),
}

impl<'a> Release<'a> {
    fn way(&self, wait: &Wait) -> Way<'a> {
        let Some(on) = self.by_name.get(wait.on.as_str()) else { return Way::None("it is not part of the tree") };
        if wait.condition == Condition::Completed {
            let kubectl = self.options.waiting.as_ref().and_then(|waiting| waiting.kubectl.as_deref());
            return kubectl.map_or(Way::None("no image with kubectl was given"), Way::Job);
        }
        let tcp: Vec<u16> = on.ports.iter().filter(|port| port.protocol == Protocol::Tcp).map(|port| port.number).collect();
        match (on.reach.none, tcp.is_empty(), on.ports.is_empty() || on.reach.headless) {
            (true, ..) => Way::None("it has no name that others can ask for"),
            (false, false, _) => Way::Ports(tcp),
            (false, true, true) => Way::Name,
            (false, true, false) if wait.condition == Condition::Started => Way::Name,
            (false, true, false) => Way::None("it has no TCP port to try"),
        }
    }

    pub fn unwaited(&self) -> Vec<Warning> {
        let all = self.bundle.workloads.iter().flat_map(|workload| workload.waits.iter().map(move |wait| (workload, wait)));
        let all = all.filter_map(|(workload, wait)| match self.way(wait) {
            Way::None(why) => Some(Warning {
                service: Some(workload.service.clone()),
                key: "depends_on".to_owned(),
                text: format!(
                    "Nothing waits for `{}` in the exported tree: {why}. It is restarted until it gets through.",
                    wait.on
                ),
            }),
            _ => None,
        });
        if self.options.waiting.is_some() { all.collect() } else { Vec::new() }
    }

    /// Whether any of them has to ask the API.
    fn asks(&self) -> bool {
        let mut waits = self.bundle.workloads.iter().flat_map(|workload| &workload.waits);
        self.options.waiting.is_some() && waits.any(|wait| matches!(self.way(wait), Way::Job(_)))
    }

    fn waiter(&self) -> String {
        fit(&format!("{}-wait", self.name), LABEL)
    }

    /// Whom containers that wait for jobs ask as.
    pub fn account(&self) -> Vec<Object> {
        if !self.asks() {
            return Vec::new();
        }
        let name = self.waiter();
        let rules = json!([{ "apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch"] }]);
        let mut bound = one("roleRef", json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name }));
        let subject = json!({ "kind": "ServiceAccount", "name": name, "namespace": self.options.namespace });
        bound.insert("subjects".to_owned(), json!([subject]));
        vec![
            self.object(("v1", "ServiceAccount"), &name, None, one("automountServiceAccountToken", false.into())),
            self.object(("rbac.authorization.k8s.io/v1", "Role"), &name, None, one("rules", rules)),
            self.object(("rbac.authorization.k8s.io/v1", "RoleBinding"), &name, None, bound),
        ]
    }

    pub fn wait(&self, workload: &Workload, pod: &mut Value) {
        let Some(waiting) = &self.options.waiting else { return };
        let mut containers: Vec<Value> = Vec::new();
        let mut asks = false;
        for wait in &workload.waits {
            let name = fit(&format!("wait-for-{}", wait.on), LABEL);
            let patient = wait.required && wait.condition != Condition::Started;
            let mut container = match self.way(wait) {
                Way::None(_) => continue,
                Way::Ports(ports) => {
                    let tries: Vec<String> = ports.iter().map(|port| format!("nc -z -w 2 {} {port}", wait.on)).collect();
                    json!({ "image": waiting.image, "command": ["/bin/sh", "-c", literal(&until(&tries.join(" || "), patient))] })
                }
                Way::Name => {
                    // What no name server knows, `nc` says so of; whether the port answers does not matter.
                    let test = format!("! nc -z -w 2 {} 1 2>&1 | grep -qiE 'bad address|resol|not known'", wait.on);
                    json!({ "image": waiting.image, "command": ["/bin/sh", "-c", literal(&until(&test, patient))] })
                }
                Way::Job(kubectl) => {
                    asks = true;
                    let job = format!("job/{}", wait.on);
                    json!({
                        "image": kubectl,
                        "command": ["kubectl", "wait", "--for=condition=Complete", "--timeout=1h", job],
                        "volumeMounts": [{ "name": "wait-token", "mountPath": TOKEN, "readOnly": true }],
                    })
                }
            };
            container["name"] = name.into();
            container["securityContext"] = json!({
                "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] },
                "runAsNonRoot": true, "runAsUser": 65534, "runAsGroup": 65534,
            });
            containers.push(container);
        }
        if containers.is_empty() {
            return;
        }
        pod["initContainers"] = containers.into();
        if asks {
            pod["serviceAccountName"] = self.waiter().into();
            let token = json!({
                "name": "wait-token",
                "projected": { "sources": [
                    { "serviceAccountToken": { "path": "token", "expirationSeconds": 3600 } },
                    { "configMap": { "name": "kube-root-ca.crt", "items": [{ "key": "ca.crt", "path": "ca.crt" }] } },
                    { "downwardAPI": { "items": [{ "path": "namespace", "fieldRef": { "fieldPath": "metadata.namespace" } }] } },
                ] },
            });
            match pod["volumes"].as_array_mut() {
                Some(volumes) => volumes.push(token),
                None => pod["volumes"] = json!([token]),
            }
        }
    }
}

fn until(test: &str, patient: bool) -> String {
    match patient {
        true => format!("until {test}; do sleep 2; done"),
        false => format!("n=0; until {test} || [ $n -ge {TRIES} ]; do n=$((n + 1)); sleep 2; done"),
    }
}
