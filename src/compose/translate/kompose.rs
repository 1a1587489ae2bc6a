//! Labels that are words to kompose: what they ask for is done where Gaggle has it.
//!
//! Invariants: none of them becomes a label of an object, and one that is not followed is told. What people say when they deploy or
//! export goes before them.

use serde_json::{Value, json};

use super::fields::{seconds, shown, size};
use super::{One, names, texts};
use crate::model::workload::{Check, Expose, Kept, Probe, Pull, Workload};

pub const PREFIX: &str = "kompose.";
const FOLLOWED: &[&str] = &[
    "controller.type",
    "image-pull-policy",
    "security-context.fsgroup",
    "service.expose",
    "service.expose.ingress-class-name",
    "service.expose.tls-secret",
    "service.nodeport.port",
    "service.type",
    "volume.size",
];
const READINESS: &str = "service.healthcheck.readiness.";
const LIVENESS: &str = "service.healthcheck.liveness.";
const CHECKS: &[&str] =
    &["disable", "http_get_path", "http_get_port", "interval", "retries", "start_period", "tcp_port", "test", "timeout"];

impl One<'_> {
    /// What a label says, by what stands behind `kompose.`.
    fn labelled(&self, key: &str) -> Option<String> {
        let mut all = self.fields.map("labels");
        let value = all.find(|(name, _)| name.strip_prefix(PREFIX) == Some(key)).map(|(_, value)| shown(value));
        value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    pub fn labelled_expose(&self) -> Option<Expose> {
        if self.labelled("service.expose").is_some_and(|hosts| hosts != "false") {
            return Some(Expose::Ingress);
        }
        match self.labelled("service.type")?.to_ascii_lowercase().as_str() {
            "nodeport" => Some(Expose::NodePort),
            "loadbalancer" => Some(Expose::LoadBalancer),
            _ => None,
        }
    }

    /// How it is found, once its ports are known.
    pub fn labelled_reach(&self, workload: &mut Workload) {
        let kind = self.labelled("service.type").map(|kind| kind.to_ascii_lowercase());
        let reach = &mut workload.reach;
        match kind.as_deref() {
            Some("nodeport" | "loadbalancer") if reach.expose == Some(Expose::Ingress) => self.unfollowed("service.type"),
            None | Some("clusterip" | "nodeport" | "loadbalancer") => {}
            Some("headless") => reach.headless = true,
            Some(_) => self.unfollowed("service.type"),
        }
        match (self.labelled("service.nodeport.port").map(|port| port.parse::<u16>()), reach.published.as_mut_slice()) {
            (None, _) => {}
            (Some(Ok(port)), [only]) if reach.expose == Some(Expose::NodePort) => only.port = port,
            (Some(_), _) => self.unfollowed("service.nodeport.port"),
        }
        if reach.expose != Some(Expose::Ingress) {
            return;
        }
        for written in self.labelled("service.expose").iter().flat_map(|hosts| hosts.split(',')).map(str::trim) {
            let (host, path) = written.split_once('/').unwrap_or((written, ""));
            let valid =
                host.strip_prefix("*.").unwrap_or(host).split('.').all(names::is_part) && !path.contains(char::is_whitespace);
            match written {
                "" | "true" => {}
                _ if valid => reach.hosts.push((host.to_owned(), format!("/{path}"))),
                _ => self.unfollowed("service.expose"),
            }
        }
        let name = |key: &str| {
            let written = self.labelled(key)?;
            let valid = names::elsewhere(&written) == written;
            if !valid {
                self.unfollowed(key);
            }
            Some(written).filter(|_| valid)
        };
        reach.class = name("service.expose.ingress-class-name");
        reach.tls_secret = name("service.expose.tls-secret");
    }

    /// As whom, from where, and in which kind of keeping.
    pub fn labelled_pods(&self, workload: &mut Workload) {
        match self.labelled("image-pull-policy").as_deref() {
            None => {}
            Some("Always") => workload.pull = Some(Pull::Always),
            Some("IfNotPresent") => workload.pull = Some(Pull::IfNotPresent),
            Some("Never") => workload.pull = Some(Pull::Never),
            Some(_) => self.unfollowed("image-pull-policy"),
        }
        match self.labelled("security-context.fsgroup").map(|group| group.parse::<i64>()) {
            None => {}
            Some(Ok(group)) if (0..=i64::from(i32::MAX)).contains(&group) => workload.security.volume_group = Some(group),
            Some(_) => self.unfollowed("security-context.fsgroup"),
        }
        let kept = match self.labelled("controller.type").map(|kind| kind.to_ascii_lowercase()).as_deref() {
            None | Some("deployment") => return,
            Some("statefulset") => Kept::StatefulSet,
            Some("daemonset") => Kept::DaemonSet,
            Some(_) => return self.unfollowed("controller.type"),
        };
        workload.kept = kept;
        workload.why = "a label says so (`kompose.controller.type`)".to_owned();
    }

    /// How large the service's volumes are that say nothing of it.
    pub fn labelled_size(&self) -> Option<u64> {
        labelled_size(&self.labelled("volume.size")?)
    }

    /// A check, where labels describe one; and its times, where they say more than `check` does.
    pub fn labelled_check(&self, check: impl Fn(Probe) -> Check) -> Option<Check> {
        let of = |kind: &str| {
            let word = |key: &str| self.labelled(&format!("{kind}{key}"));
            let port = |key: &str| word(key)?.parse::<u16>().ok().filter(|port| *port > 0);
            let http = word("http_get_path").filter(|path| path.starts_with('/')).zip(port("http_get_port"));
            let probe = match (word("test"), http, port("tcp_port")) {
                (Some(line), ..) => Probe::Exec(vec!["/bin/sh".to_owned(), "-c".to_owned(), line]),
                (None, Some((path, port)), _) => Probe::Http(path, port),
                (None, None, port) => Probe::Tcp(port?),
            };
            let mut made = check(probe);
            let time = |key: &str| word(key).and_then(|time| seconds(&json!(time))).filter(|time| *time > 0);
            made.interval = time("interval").unwrap_or(made.interval);
            made.timeout = time("timeout").unwrap_or(made.timeout);
            made.start_period = time("start_period").unwrap_or(made.start_period);
            made.retries = word("retries").and_then(|n| n.parse().ok()).filter(|n| *n > 0).unwrap_or(made.retries);
            made.start_interval = made.start_interval.min(made.interval);
            Some(made)
        };
        of(READINESS).or_else(|| of(LIVENESS))
    }

    pub fn unlabelled_check(&self) -> bool {
        self.labelled(&format!("{READINESS}disable")).is_some_and(|word| word == "true")
    }

    /// Tells what nobody follows.
    pub fn labelled_rest(&self) {
        for (name, _) in self.fields.map("labels") {
            let Some(key) = name.strip_prefix(PREFIX) else { continue };
            let check = [READINESS, LIVENESS].iter().find_map(|kind| key.strip_prefix(kind));
            if !FOLLOWED.contains(&key) && check.is_none_or(|key| !CHECKS.contains(&key)) {
                self.unfollowed(key);
            }
        }
    }

    fn unfollowed(&self, key: &str) {
        self.warn("labels", texts::unfollowed(&format!("{PREFIX}{key}"), key.starts_with("cronjob.")));
    }
}

/// A size as Kubernetes writes it, which units of 1024 have an `i` in.
pub fn labelled_size(written: &str) -> Option<u64> {
    size(written.trim_end_matches('i')).filter(|bytes| *bytes > 0)
}

/// The size that a volume's own label gives it.
pub fn volume_size<'a>(labels: impl Iterator<Item = (&'a str, &'a Value)>) -> Option<u64> {
    let mut labels = labels;
    labels.find(|(key, _)| *key == "kompose.volume.size").and_then(|(_, value)| labelled_size(&shown(value)))
}
