//! The pods of a workload.
//!
//! Invariant: single files are mounted one by one, so that they hide nothing beside them. Nothing of the API is in a pod's reach
//! but for what a container that waits needs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{CONFIG, LABEL, Release, fit, literal, one};
use crate::model::workload::{HostSettings, Kept, Mount, Pull, Resources, Security, Source, Word, Workload};

/// Docker's own, in seconds.
const GRACE: u32 = 10;

impl Release<'_> {
    pub fn template(&self, workload: &Workload) -> Value {
        let mut labels: Map<String, Value> = workload.labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        labels.append(&mut self.labels(Some(&workload.name)));
        let mut annotations: BTreeMap<&str, &str> =
            workload.annotations.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let digest = self.digest(workload);
        annotations.insert(CONFIG, &digest);
        json!({ "metadata": { "labels": labels, "annotations": annotations }, "spec": self.pod(workload) })
    }

    fn pod(&self, workload: &Workload) -> Value {
        let (volumes, mounts) = self.volumes(workload);
        let drain = self.drain(workload);
        let mut pod = json!({
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": workload.stop.grace.unwrap_or(GRACE) + drain,
            "containers": [self.container(workload, mounts, drain)],
        });
        let mut put = |key: &str, value: Value| pod[key] = value;
        if workload.kept == Kept::Job {
            put("restartPolicy", if workload.retry.in_place { "OnFailure" } else { "Never" }.into());
        }
        if !volumes.is_empty() {
            put("volumes", volumes.into());
        }
        host(&workload.host, &mut put);
        self.place(workload, &mut put);
        let security = pod_security(workload);
        if !security.is_empty() {
            put("securityContext", security.into());
        }
        if !self.options.pull_secrets.is_empty() {
            put("imagePullSecrets", self.options.pull_secrets.iter().map(|name| json!({ "name": name })).collect());
        }
        self.wait(workload, &mut pod);
        pod
    }

    fn place(&self, workload: &Workload, put: &mut impl FnMut(&str, Value)) {
        let placement = &workload.placement;
        let selector = json!({ "matchLabels": self.selector(&workload.name) });
        let mut affinity = Map::new();
        if !placement.nodes.is_empty() {
            let term = |(key, is, value): &(String, bool, String)| json!({ "key": key, "operator": if *is { "In" } else { "NotIn" }, "values": [value] });
            let terms = json!([{ "matchExpressions": placement.nodes.iter().map(term).collect::<Vec<_>>() }]);
            let required = one("requiredDuringSchedulingIgnoredDuringExecution", json!({ "nodeSelectorTerms": terms }));
            affinity.insert("nodeAffinity".to_owned(), required.into());
        }
        if placement.apart {
            let term = json!([{ "labelSelector": selector, "topologyKey": "kubernetes.io/hostname" }]);
            let required = one("requiredDuringSchedulingIgnoredDuringExecution", term);
            affinity.insert("podAntiAffinity".to_owned(), required.into());
        }
        if !affinity.is_empty() {
            put("affinity", affinity.into());
        }
        if !placement.spread.is_empty() {
            let spread = |key: &String| json!({ "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector });
            put("topologySpreadConstraints", placement.spread.iter().map(spread).collect());
        }
    }

    /// Only what is replaced while others ask it has to wait for them.
    fn drain(&self, workload: &Workload) -> u32 {
        let asked = !workload.ports.is_empty() && !workload.reach.none;
        if asked && workload.kept == Kept::Deployment { self.options.drain } else { 0 }
    }

    fn container(&self, workload: &Workload, mounts: Vec<Value>, drain: u32) -> Value {
        let mut container = json!({ "name": workload.name, "image": workload.image });
        let mut put = |key: &str, value: Value| container[key] = value;
        if !workload.entrypoint.is_empty() {
            put("command", workload.entrypoint.iter().map(word).collect());
        }
        if !workload.command.is_empty() {
            put("args", workload.command.iter().map(word).collect());
        }
        if let Some(pull) = workload.pull {
            let policy = match pull {
                Pull::Always => "Always",
                Pull::IfNotPresent => "IfNotPresent",
                Pull::Never => "Never",
            };
            put("imagePullPolicy", policy.into());
        }
        if let Some(folder) = &workload.working_dir {
            put("workingDir", json!(folder));
        }
        for (key, wanted) in [("tty", workload.tty), ("stdin", workload.stdin)] {
            if wanted {
                put(key, true.into());
            }
        }
        let mut from = Vec::new();
        if !workload.plain.is_empty() {
            from.push(json!({ "configMapRef": { "name": self.config_name(workload) } }));
        }
        if !workload.secret.is_empty() {
            from.push(json!({ "secretRef": { "name": self.secret_name(workload) } }));
        }
        if !from.is_empty() {
            put("envFrom", from.into());
        }
        if !workload.ports.is_empty() {
            let port = |p: &crate::model::workload::Port| json!({ "name": p.name, "containerPort": p.number, "protocol": p.protocol.as_str() });
            put("ports", workload.ports.iter().map(port).collect());
        }
        if !mounts.is_empty() {
            put("volumeMounts", mounts.into());
        }
        self.probes(workload, &mut put);
        if let Some(lifecycle) = lifecycle(workload, drain) {
            put("lifecycle", lifecycle);
        }
        if let Some(resources) = resources(&workload.resources) {
            put("resources", resources);
        }
        let security = container_security(&workload.security);
        if !security.is_empty() {
            put("securityContext", security.into());
        }
        container
    }

    /// The pod's volumes, and where they are mounted: outer folders before what is in them.
    fn volumes(&self, workload: &Workload) -> (Vec<Value>, Vec<Value>) {
        let mut volumes: Vec<(String, Value)> = Vec::new();
        let mut mounts: Vec<&Mount> = workload.mounts.iter().collect();
        mounts.sort_by(|a, b| a.at.cmp(&b.at));
        let mut mounted = Vec::with_capacity(mounts.len());
        for (n, mount) in mounts.into_iter().enumerate() {
            let (name, volume, path) = volume(&mount.from, n);
            let mut value = json!({ "name": name, "mountPath": mount.at });
            if mount.read_only {
                value["readOnly"] = true.into();
            }
            if let Some(path) = path {
                value["subPath"] = path.into();
            }
            mounted.push(value);
            if !volumes.iter().any(|(known, _)| *known == name) {
                volumes.push((name, volume));
            }
        }
        let named = |(name, mut volume): (String, Value)| {
            volume["name"] = name.into();
            volume
        };
        (volumes.into_iter().map(named).collect(), mounted)
    }
}

/// A volume's name, itself, and the path within it. `n` tells those apart that have no name of their own.
fn volume(from: &Source, n: usize) -> (String, Value, Option<String>) {
    match from {
        Source::Claim { claim, path } => {
            let volume = json!({ "persistentVolumeClaim": { "claimName": claim } });
            let inside = path.as_ref().map(|path| path.trim_matches('/').to_owned()).filter(|path| !path.is_empty());
            (fit(&format!("claim-{claim}"), LABEL), volume, inside)
        }
        Source::File { secret: true, set, key, mode } => {
            let volume = json!({ "secret": { "secretName": set, "defaultMode": mode } });
            (fit(&format!("secret-{set}-{mode:o}"), LABEL), volume, Some(key.clone()))
        }
        Source::File { secret: false, set, key, mode } => {
            let volume = json!({ "configMap": { "name": set, "defaultMode": mode } });
            (fit(&format!("config-{set}-{mode:o}"), LABEL), volume, Some(key.clone()))
        }
        Source::Folder { secret, set, files } => {
            let item = |(key, path, mode): &(String, String, u32)| json!({ "key": key, "path": path, "mode": mode });
            let items: Vec<Value> = files.iter().map(item).collect();
            let (kind, volume) = match secret {
                true => ("secret", json!({ "secret": { "secretName": set, "items": items } })),
                false => ("config", json!({ "configMap": { "name": set, "items": items } })),
            };
            (fit(&format!("{kind}-{set}-folder"), LABEL), volume, None)
        }
        Source::Memory { bytes } => {
            let mut memory = json!({ "medium": "Memory" });
            if let Some(bytes) = bytes {
                memory["sizeLimit"] = quantity(*bytes).into();
            }
            (format!("memory-{n}"), json!({ "emptyDir": memory }), None)
        }
        Source::Scratch => (format!("scratch-{n}"), json!({ "emptyDir": {} }), None),
        Source::Nfs { server, path } => (format!("nfs-{n}"), json!({ "nfs": { "server": server, "path": path } }), None),
        Source::Image { reference, path } => (format!("image-{n}"), json!({ "image": { "reference": reference } }), path.clone()),
    }
}

fn word(word: &Word) -> Value {
    match word {
        Word::Text(text) => literal(text).into(),
        Word::Variable(before, name, after) => format!("{}$({name}){}", literal(before), literal(after)).into(),
    }
}

/// As people write it.
pub fn quantity(bytes: u64) -> String {
    for (unit, shift) in [("Gi", 30), ("Mi", 20), ("Ki", 10)] {
        if bytes > 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

fn cores(thousandths: u64) -> String {
    match thousandths % 1000 {
        0 => (thousandths / 1000).to_string(),
        _ => format!("{thousandths}m"),
    }
}

fn resources(resources: &Resources) -> Option<Value> {
    let (mut limits, mut requests) = (Map::new(), Map::new());
    let put = |into: &mut Map<String, Value>, name: &str, value: Option<String>| {
        if let Some(value) = value {
            into.insert(name.to_owned(), value.into());
        }
    };
    put(&mut limits, "cpu", resources.cpu_limit.map(cores));
    put(&mut limits, "memory", resources.memory_limit.map(quantity));
    put(&mut limits, "ephemeral-storage", resources.disk_limit.map(quantity));
    for (device, n) in &resources.devices {
        put(&mut limits, device, Some(n.to_string()));
    }
    put(&mut requests, "cpu", resources.cpu_request.map(cores));
    put(&mut requests, "memory", resources.memory_request.map(quantity));
    let mut all = Map::new();
    for (key, values) in [("limits", limits), ("requests", requests)] {
        if !values.is_empty() {
            all.insert(key.to_owned(), values.into());
        }
    }
    Some(Value::Object(all)).filter(|all| all != &json!({}))
}

fn container_security(security: &Security) -> Map<String, Value> {
    let mut all = Map::new();
    let mut put = |key: &str, value: Value| drop(all.insert(key.to_owned(), value));
    if let Some(user) = security.user {
        put("runAsUser", user.into());
    }
    if let Some(group) = security.group {
        put("runAsGroup", group.into());
    }
    if security.read_only {
        put("readOnlyRootFilesystem", true.into());
    }
    if security.privileged {
        put("privileged", true.into());
    }
    if security.no_new_privileges {
        put("allowPrivilegeEscalation", false.into());
    }
    if security.seccomp_unconfined {
        put("seccompProfile", json!({ "type": "Unconfined" }));
    }
    match security.apparmor.as_deref() {
        None => {}
        Some("unconfined") => put("appArmorProfile", json!({ "type": "Unconfined" })),
        Some(profile) => put("appArmorProfile", json!({ "type": "Localhost", "localhostProfile": profile })),
    }
    if !security.selinux.is_empty() {
        put("seLinuxOptions", json!(security.selinux));
    }
    let mut capabilities = Map::new();
    for (key, names) in [("add", &security.add), ("drop", &security.drop)] {
        if !names.is_empty() {
            capabilities.insert(key.to_owned(), json!(names));
        }
    }
    if !capabilities.is_empty() {
        put("capabilities", capabilities.into());
    }
    all
}

fn pod_security(workload: &Workload) -> Map<String, Value> {
    let security = &workload.security;
    let mut all = Map::new();
    if !security.groups.is_empty() {
        all.insert("supplementalGroups".to_owned(), json!(security.groups));
    }
    if let Some(group) = security.volume_group {
        all.insert("fsGroup".to_owned(), group.into());
        all.insert("fsGroupChangePolicy".to_owned(), "OnRootMismatch".into());
    }
    if !workload.host.sysctls.is_empty() {
        let sysctl = |(name, value): (&String, &String)| json!({ "name": name, "value": value });
        all.insert("sysctls".to_owned(), workload.host.sysctls.iter().map(sysctl).collect());
    }
    all
}

fn host(host: &HostSettings, put: &mut impl FnMut(&str, Value)) {
    if host.network {
        put("hostNetwork", true.into());
        put("dnsPolicy", "ClusterFirstWithHostNet".into());
    }
    for (key, wanted) in [("hostPID", host.pid), ("hostIPC", host.ipc), ("shareProcessNamespace", host.init)] {
        if wanted {
            put(key, true.into());
        }
    }
    for (key, value) in [("hostname", &host.name), ("subdomain", &host.domain)] {
        if let Some(value) = value {
            put(key, json!(value));
        }
    }
    if !host.hosts.is_empty() {
        let alias = |(ip, names): &(String, Vec<String>)| json!({ "ip": ip, "hostnames": names });
        put("hostAliases", host.hosts.iter().map(alias).collect());
    }
    let mut dns = Map::new();
    if !host.dns.is_empty() {
        dns.append(&mut one("nameservers", json!(host.dns)));
    }
    if !host.dns_search.is_empty() {
        dns.append(&mut one("searches", json!(host.dns_search)));
    }
    if !host.dns_options.is_empty() {
        let option = |(name, value): &(String, Option<String>)| match value {
            Some(value) => json!({ "name": name, "value": value }),
            None => json!({ "name": name }),
        };
        dns.append(&mut one("options", host.dns_options.iter().map(option).collect()));
    }
    if !dns.is_empty() {
        put("dnsConfig", dns.into());
    }
    let mut nodes = Map::new();
    for (key, value) in [("kubernetes.io/arch", &host.arch), ("kubernetes.io/os", &host.os)] {
        if let Some(value) = value {
            nodes.append(&mut one(key, json!(value)));
        }
    }
    if !nodes.is_empty() {
        put("nodeSelector", nodes.into());
    }
}

/// What runs beside start and end. These commands are not searched for variables, so they stay as they are.
fn lifecycle(workload: &Workload, drain: u32) -> Option<Value> {
    let mut all = Map::new();
    let script = |lines: Vec<String>, with: &str| json!({ "exec": { "command": ["/bin/sh", "-c", lines.join(with)] } });
    let lines = |hooks: &[Vec<String>]| hooks.iter().map(|hook| in_shell(hook)).collect::<Vec<_>>();
    match workload.started.as_slice() {
        [] => {}
        [only] => drop(all.insert("postStart".to_owned(), json!({ "exec": { "command": only } }))),
        several => drop(all.insert("postStart".to_owned(), script(lines(several), " && "))),
    }
    let stop = &workload.stop;
    let before = match (stop.before.as_slice(), &stop.signal, drain) {
        ([], None, 0) => None,
        ([], None, drain) => Some(json!({ "sleep": { "seconds": drain } })),
        ([only], None, 0) => Some(json!({ "exec": { "command": only } })),
        (hooks, signal, drain) => {
            let mut all = Vec::new();
            if drain > 0 {
                all.push(format!("sleep {drain}"));
            }
            all.append(&mut lines(hooks));
            if let Some(signal) = signal {
                // SIGTERM comes as soon as the hook ends, so it stays until the service has.
                all.push(format!("kill -s {signal} 1; while kill -0 1 2>/dev/null; do sleep 1; done"));
            }
            Some(script(all, "; "))
        }
    };
    if let Some(before) = before {
        all.insert("preStop".to_owned(), before);
    }
    Some(Value::Object(all)).filter(|all| all != &json!({}))
}

fn in_shell(words: &[String]) -> String {
    let plain = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b));
    match words {
        [sh, c, script] if (sh == "/bin/sh" || sh == "sh") && c == "-c" => format!("({script}\n)"),
        words => {
            let quoted = |word: &String| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) };
            words.iter().map(quoted).collect::<Vec<_>>().join(" ")
        }
    }
}
