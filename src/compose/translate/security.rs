//! As whom a service runs, what it may do, and what it has of its machine.
//!
//! Invariant: nothing here makes an object that a server refuses: what contradicts or has no form there is told and left out.

use std::net::IpAddr;

use serde_json::Value;

use super::fields::{holds, shown};
use super::names::is_part;
use super::{One, names, texts};
use crate::model::workload::Workload;

/// Settings of the kernel that nodes let every pod have.
const SAFE: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

impl One<'_> {
    pub fn security(&self, workload: &mut Workload) {
        self.user(workload);
        self.capabilities(workload);
        self.options(workload);
        workload.security.read_only = self.fields.flag("read_only");
        workload.host.init = self.fields.flag("init");
        self.namespaces(workload);
        self.sysctls(workload);
        self.names(workload);
        self.resolver(workload);
    }

    fn user(&self, workload: &mut Workload) {
        let written = self.fields.get("user").map(shown).unwrap_or_default();
        if !written.is_empty() {
            let (user, group) = written.split_once(':').unwrap_or((&written, ""));
            // The one name that every image knows.
            let id = |text: &str| {
                let text = if text == "root" { "0" } else { text };
                text.parse::<i64>().ok().filter(|id| (0..=i64::from(i32::MAX)).contains(id))
            };
            workload.security.user = id(user);
            if workload.security.user.is_none() && !user.is_empty() {
                self.warn("user", texts::user_name(user));
            }
            workload.security.group = id(group).filter(|_| workload.security.user.is_some());
            if workload.security.group.is_none() && !group.is_empty() {
                self.warn("user", texts::group_name(group));
            }
        }
        for group in self.fields.list("group_add").iter().map(shown) {
            match group.parse::<i64>().ok().filter(|id| (0..=i64::from(i32::MAX)).contains(id)) {
                Some(id) => workload.security.groups.push(id),
                None => self.warn("group_add", texts::group_name(&group)),
            }
        }
    }

    fn capabilities(&self, workload: &mut Workload) {
        let read = |key: &'static str| {
            let mut all = Vec::new();
            for written in self.fields.texts(key) {
                let upper = written.to_ascii_uppercase();
                let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
                match !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') {
                    true if all.iter().any(|known| known == name) => {}
                    true => all.push(name.to_owned()),
                    false => self.warn(key, texts::bad_capability(written)),
                }
            }
            all
        };
        workload.security.add = read("cap_add");
        workload.security.drop = read("cap_drop");
        workload.security.privileged = self.fields.flag("privileged");
    }

    fn options(&self, workload: &mut Workload) {
        let security = &mut workload.security;
        for option in self.fields.texts("security_opt") {
            let (key, value) = option.split_once([':', '=']).unwrap_or((option, "true"));
            match (key, value) {
                ("no-new-privileges", "true") => security.no_new_privileges = true,
                ("no-new-privileges", "false") | ("seccomp", "builtin" | "default") => {}
                ("seccomp", "unconfined") => security.seccomp_unconfined = true,
                ("apparmor", "unconfined") => security.apparmor = Some(value.to_owned()),
                ("apparmor", "docker-default" | "runtime/default") => {}
                ("apparmor", profile) if !profile.is_empty() && profile.len() <= 4095 && !profile.contains('/') => {
                    security.apparmor = Some(profile.to_owned());
                }
                ("label", inner) => match inner.split_once([':', '=']) {
                    Some((key @ ("user" | "role" | "type" | "level"), value)) => {
                        security.selinux.insert(key.to_owned(), value.to_owned());
                    }
                    _ => self.warn("security_opt", texts::security_option(option)),
                },
                _ => self.warn("security_opt", texts::security_option(option)),
            }
        }
        let strong = security.privileged || security.add.iter().any(|cap| cap == "SYS_ADMIN" || cap == "ALL");
        if security.no_new_privileges && strong {
            security.no_new_privileges = false;
            self.warn("security_opt", texts::privileges_clash());
        }
    }

    fn namespaces(&self, workload: &mut Workload) {
        match self.fields.text("pid") {
            None => {}
            Some("host") => workload.host.pid = true,
            Some(other) => self.warn("pid", texts::namespace_of("pid", other)),
        }
        match self.fields.text("ipc") {
            None | Some("private" | "none") => {}
            Some("host") => workload.host.ipc = true,
            Some(other) => self.warn("ipc", texts::namespace_of("ipc", other)),
        }
        for (key, usual) in [("uts", ""), ("cgroup", "private"), ("userns_mode", "host")] {
            if let Some(value) = self.fields.text(key).filter(|value| *value != usual) {
                self.warn(key, texts::namespace_of(key, value));
            }
        }
        if let Some(value) = self.fields.text("isolation").filter(|value| *value != "default") {
            self.warn("isolation", texts::isolation_mode(value));
        }
        // A node's process table has one that ends what others leave behind.
        workload.host.init &= !workload.host.pid;
    }

    fn sysctls(&self, workload: &mut Workload) {
        for (name, value) in self.fields.map("sysctls") {
            let dotted = name.replace('/', ".");
            let valid = dotted.len() <= 253
                && dotted.split('.').all(|part| {
                    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
                    let bytes = part.as_bytes();
                    edge(bytes.first())
                        && edge(bytes.last())
                        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b))
                })
                && dotted == dotted.to_ascii_lowercase();
            if !valid {
                self.warn("sysctls", texts::sysctl_name(name));
                continue;
            }
            let of_network = dotted.starts_with("net.");
            let of_ipc = dotted.starts_with("kernel.shm") || dotted.starts_with("kernel.msg") || dotted.starts_with("fs.mqueue.");
            if (of_network && workload.host.network) || ((of_ipc || dotted == "kernel.sem") && workload.host.ipc) {
                self.warn("sysctls", texts::sysctl_host(&dotted));
                continue;
            }
            if !SAFE.contains(&dotted.as_str()) {
                self.warn("sysctls", texts::sysctl_unsafe(&dotted));
            }
            workload.host.sysctls.insert(dotted, shown(value));
        }
    }

    fn names(&self, workload: &mut Workload) {
        for entry in self.fields.texts("extra_hosts") {
            let (host, address) = entry.split_once(['=', ':']).unwrap_or((entry, ""));
            let address = address.trim_matches(['[', ']']);
            if address == "host-gateway" {
                self.warn("extra_hosts", texts::host_gateway(host));
                continue;
            }
            let host_ok = host.to_ascii_lowercase() == host && host.split('.').all(is_part);
            let Ok(address) = address.parse::<IpAddr>().map(|address| address.to_string()) else {
                self.warn("extra_hosts", texts::bad_host(entry));
                continue;
            };
            if !host_ok {
                self.warn("extra_hosts", texts::bad_host(entry));
                continue;
            }
            match workload.host.hosts.iter_mut().find(|(known, _)| *known == address) {
                Some((_, hosts)) => hosts.push(host.to_owned()),
                None => workload.host.hosts.push((address, vec![host.to_owned()])),
            }
        }
        if let Some(written) = self.fields.text("hostname") {
            let first = written.split('.').next().unwrap_or("");
            let label = Some(first.to_ascii_lowercase()).filter(|label| is_part(label));
            if label.as_deref() != Some(written) {
                self.warn("hostname", texts::hostname(written, label.as_deref()));
            }
            workload.host.name = label;
        }
        match self.fields.text("domainname") {
            None => {}
            Some(domain) if is_part(domain) => workload.host.domain = Some(domain.to_owned()),
            Some(_) => self.warn("domainname", texts::domainname()),
        }
    }

    fn resolver(&self, workload: &mut Workload) {
        let servers = self.fields.texts("dns");
        let addresses = servers.iter().filter_map(|server| server.parse::<IpAddr>().ok()).map(|address| address.to_string());
        // A pod has three at most, and the cluster's own is the first.
        workload.host.dns = addresses.take(2).collect();
        if !servers.is_empty() {
            self.warn("dns", texts::dns_servers());
        }
        if workload.host.dns.len() < servers.len() {
            self.warn("dns", texts::dns_dropped());
        }
        let domains = self.fields.texts("dns_search").into_iter().filter(|domain| *domain != ".");
        let (valid, others): (Vec<&str>, Vec<&str>) =
            domains.partition(|domain| domain.len() <= 253 && domain.trim_end_matches('.').split('.').all(is_part));
        workload.host.dns_search = valid.into_iter().take(28).map(str::to_owned).collect();
        for domain in others {
            self.warn("dns_search", texts::bad_host(domain));
        }
        for option in self.fields.texts("dns_opt") {
            let (name, value) = option.split_once(':').map_or((option, None), |(name, value)| (name, Some(value.to_owned())));
            workload.host.dns_options.push((name.to_owned(), value));
        }
    }

    /// Labels and annotations: of pods, and of what keeps them.
    pub fn metadata(&self, workload: &mut Workload) {
        let mut proxies: Vec<&str> = Vec::new();
        let deploy = self.fields.get("deploy").and_then(|deploy| deploy.get("labels")).and_then(Value::as_object);
        let pods = self.fields.map("labels").map(|pair| (pair, "labels"));
        let own = deploy.into_iter().flatten().map(|(key, value)| ((key.as_str(), value), "deploy.labels"));
        let notes = self.fields.map("annotations").map(|pair| (pair, "annotations"));
        for ((key, value), from) in pods.chain(own).chain(notes) {
            if key.starts_with("com.docker.compose.") || key.starts_with(super::kompose::PREFIX) {
                continue;
            }
            let prefix =
                ["traefik.", "caddy", "com.centurylinklabs.watchtower", "ofelia."].into_iter().find(|p| key.starts_with(p));
            if let Some(prefix) = prefix.map(|p| p.trim_end_matches('.')).filter(|prefix| !proxies.contains(prefix)) {
                proxies.push(prefix);
                self.warn(from, texts::proxy_labels(prefix));
            }
            let value = if holds(value) || value.is_boolean() { shown(value) } else { String::new() };
            if self.is_secret(key, &value) && crate::compose::sensitive::is_credential(&value) {
                self.warn(from, texts::sensitive_metadata(key));
                continue;
            }
            let reserved = key.split_once('/').is_some_and(|(domain, _)| {
                ["kubernetes.io", "k8s.io", "gaggle.dev"]
                    .iter()
                    .any(|ours| domain == *ours || domain.ends_with(&format!(".{ours}")))
            });
            if !names::is_label_key(key) || (reserved && from != "annotations") {
                self.warn(from, texts::label_renamed(key));
                continue;
            }
            let as_label = from != "annotations" && names::is_label_value(&value);
            let (labels, annotations) = match from {
                "deploy.labels" => (&mut workload.own_labels, &mut workload.own_annotations),
                _ => (&mut workload.labels, &mut workload.annotations),
            };
            let into = if as_label { labels } else { annotations };
            into.insert(key.to_owned(), value);
        }
    }
}
