//! Containers that wait for other workloads before one starts, where nobody else does.
//!
//! Invariant: only who waits for a job may ask the API, and only about jobs.

use serde_json::{Value, json};

use super::{LABEL, Object, Release, Waiting, fit, literal, one};
use crate::model::workload::{Condition, Protocol, Wait, Warning, Workload};

/// How often what need not be so is waited for, every two seconds: that something was started says little of when it answers.
const TRIES: u32 = 60;
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const TOKEN_VOLUME: &str = "wait-token";
/// Bytes of one script. Linux takes 128 KiB in one argument, and what is doubled for Kubernetes makes it longer here.
const SCRIPT: usize = 64 * 1024;
/// Jobs that one container waits for.
const JOBS: usize = 100;

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

    /// What a container does until `wait` is over, as the shell reads it.
    fn line(wait: &Wait, ports: &[u16]) -> String {
        let tries: Vec<String> = ports.iter().map(|port| format!("nc -z -w 2 {} {port}", wait.on)).collect();
        let test = match tries.is_empty() {
            // What no name server knows, `nc` says so of; whether the port answers does not matter.
            true => format!("! nc -z -w 2 {} 1 2>&1 | grep -qiE 'bad address|resol|not known'", wait.on),
            false => tries.join(" || "),
        };
        until(&test, wait.required && wait.condition != Condition::Started)
    }

    /// Containers for all that a workload waits for: one after another in one, since each costs a start.
    fn waiters(&self, waiting: &Waiting, workload: &Workload) -> Vec<Value> {
        let mut scripts: Vec<Script<'_>> = Vec::new();
        let (mut jobs, mut kubectl) = (Vec::new(), "");
        for wait in &workload.waits {
            let line = match self.way(wait) {
                Way::None(_) => continue,
                Way::Ports(ports) => Self::line(wait, &ports),
                Way::Name => Self::line(wait, &[]),
                Way::Job(image) => {
                    jobs.push(wait.on.as_str());
                    kubectl = image;
                    continue;
                }
            };
            match scripts.last_mut().filter(|script| script.length() + line.len() < SCRIPT) {
                Some(script) => script.0.push((&wait.on, line)),
                None => scripts.push(Script(vec![(&wait.on, line)])),
            }
        }
        let mut containers: Vec<Value> = Vec::new();
        for script in &scripts {
            let text = literal(&script.text());
            let container = json!({ "image": waiting.image, "command": ["/bin/sh", "-c", text] });
            containers.push(named(container, script.on().unwrap_or("services"), workload, &containers));
        }
        for some in jobs.chunks(JOBS) {
            let mut command: Vec<String> =
                ["kubectl", "wait", "--for=condition=Complete", "--timeout=1h"].map(str::to_owned).into();
            command.extend(some.iter().map(|on| format!("job/{on}")));
            let token = json!([{ "name": TOKEN_VOLUME, "mountPath": TOKEN, "readOnly": true }]);
            let container = json!({ "image": kubectl, "command": command, "volumeMounts": token });
            containers.push(named(container, if let [on] = some { on } else { "jobs" }, workload, &containers));
        }
        containers
    }

    pub fn wait(&self, workload: &Workload, pod: &mut Value) {
        let Some(waiting) = &self.options.waiting else { return };
        let containers = self.waiters(waiting, workload);
        if containers.is_empty() {
            return;
        }
        let asks = containers.iter().any(|container| !container["volumeMounts"].is_null());
        pod["initContainers"] = containers.into();
        if asks {
            pod["serviceAccountName"] = self.waiter().into();
            let token = json!({
                "name": TOKEN_VOLUME,
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

/// Whom it waits for, each with its line.
struct Script<'a>(Vec<(&'a str, String)>);

impl<'a> Script<'a> {
    fn length(&self) -> usize {
        // What tells whom it waits for is as long as a name, and a little.
        self.0.iter().map(|(on, line)| on.len() + line.len() + 32).sum()
    }

    /// The one that it waits for, if it is one.
    fn on(&self) -> Option<&'a str> {
        if let [(on, _)] = &*self.0 { Some(on) } else { None }
    }

    /// Of several, its log tells which one is waited for.
    fn text(&self) -> String {
        match &*self.0 {
            [(_, line)] => line.clone(),
            all => all.iter().map(|(on, line)| format!("echo waiting for {on}\n{line}\n")).collect(),
        }
    }
}

/// A container that waits for `on`, under a name that no other of its pod has.
fn named(mut container: Value, on: &str, workload: &Workload, others: &[Value]) -> Value {
    let mut name = fit(&format!("wait-for-{on}"), LABEL);
    for n in 2.. {
        if name != workload.name && others.iter().all(|other| other["name"] != name) {
            break;
        }
        name = fit(&format!("wait-for-{on}-{n}"), LABEL);
    }
    container["name"] = name.into();
    container["securityContext"] = json!({
        "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] },
        "runAsNonRoot": true, "runAsUser": 65534, "runAsGroup": 65534,
    });
    container
}

fn until(test: &str, patient: bool) -> String {
    match patient {
        true => format!("until {test}; do sleep 2; done"),
        false => format!("n=0; until {test} || [ $n -ge {TRIES} ]; do n=$((n + 1)); sleep 2; done"),
    }
}
