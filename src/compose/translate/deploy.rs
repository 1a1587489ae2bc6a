//! How a service's pods are kept: which kind, how many, how they are replaced.
//!
//! Invariant: what is written about it is the only evidence, never a name; the choice is told with its reason.

use serde_json::Value;

use super::fields::{Fields, holds, seconds, whole};
use super::{One, names, texts};
use crate::model::workload::{Kept, Retry, Source, Update, Workload};

/// How often a job is tried again that says nothing about it.
const TRIES: u32 = 3;

impl One<'_> {
    /// What `deploy` says; the kind comes after, when mounts are known.
    pub fn deploy(&self, workload: &mut Workload) {
        let deploy = self.fields.fields("deploy");
        deploy.skip(&["resources", "labels"]);
        let number = |value: Option<&Value>| value.and_then(whole).and_then(|n| u32::try_from(n).ok());
        let written = number(self.fields.get("scale")).or_else(|| number(deploy.get("replicas")));
        deploy.skip(&["replicas"]);
        workload.replicas = self.option(|o| o.replicas).or(written).unwrap_or(1);
        match deploy.text("mode") {
            None | Some("replicated") => {}
            Some("global") => {
                workload.kept = Kept::DaemonSet;
                workload.why = "it is to run once on each node (`deploy.mode: global`)".to_owned();
                if written.is_some_and(|n| n != 1) {
                    self.warn("deploy.replicas", texts::global_scale());
                }
            }
            Some("replicated-job" | "global-job") => {
                workload.kept = Kept::Job;
                workload.why = "it is written as a job (`deploy.mode`)".to_owned();
            }
            Some(other) => self.warn("deploy.mode", texts::store_scale(other)),
        }
        if deploy.text("endpoint_mode") == Some("dnsrr") {
            workload.reach.headless = true;
        }
        self.update(&deploy, workload);
        let placement = deploy.fields("placement");
        self.placement(&placement, workload);
        deploy.skip(&["restart_policy"]);
        let policy = deploy.fields("restart_policy");
        policy.skip(&["condition", "delay", "max_attempts", "window"]);
        for key in placement.rest().into_iter().chain(policy.rest()).chain(deploy.rest()) {
            self.warn(&format!("deploy.{key}"), texts::unknown(key));
        }
    }

    /// Labels of nodes are the cluster's own, but where they carry the same, the same holds.
    fn placement(&self, placement: &Fields<'_>, workload: &mut Workload) {
        for written in placement.texts("constraints") {
            let (key, is, value) = match (written.split_once("=="), written.split_once("!=")) {
                (Some((key, value)), None) => (key.trim(), true, value.trim()),
                (None, Some((key, value))) => (key.trim(), false, value.trim()),
                _ => ("", true, ""),
            };
            let label = match key {
                "node.hostname" => Some("kubernetes.io/hostname"),
                "node.platform.os" | "engine.labels.operatingsystem" => Some("kubernetes.io/os"),
                "node.platform.arch" => Some("kubernetes.io/arch"),
                key => key.strip_prefix("node.labels.").or_else(|| key.strip_prefix("engine.labels.")),
            };
            let value = match (label, value) {
                (Some("kubernetes.io/arch"), "x86_64") => "amd64",
                (Some("kubernetes.io/arch"), "aarch64") => "arm64",
                (_, value) => value,
            };
            match label.filter(|label| names::is_label_key(label) && names::is_label_value(value) && !value.is_empty()) {
                Some(label) => {
                    self.warn("deploy.placement", texts::placement_label(label));
                    workload.placement.nodes.push((label.to_owned(), is, value.to_owned()));
                }
                None => self.warn("deploy.placement", texts::placement(written)),
            }
        }
        for preference in placement.list("preferences") {
            let spread = preference.get("spread").and_then(Value::as_str).unwrap_or("");
            match spread.strip_prefix("node.labels.").filter(|label| names::is_label_key(label)) {
                Some(label) => workload.placement.spread.push(label.to_owned()),
                None => self.warn("deploy.placement", texts::placement(spread)),
            }
        }
        match placement.get("max_replicas_per_node").and_then(whole) {
            None | Some(0) => {}
            Some(1) => workload.placement.apart = true,
            Some(_) => self.warn("deploy.placement", texts::placement("max_replicas_per_node")),
        }
    }

    fn update(&self, deploy: &Fields<'_>, workload: &mut Workload) {
        let update = deploy.fields("update_config");
        workload.update = Update {
            parallel: update.get("parallelism").and_then(whole).and_then(|n| u32::try_from(n).ok()),
            stop_first: update.text("order") == Some("stop-first"),
            delay: update.get("delay").and_then(seconds).unwrap_or(0),
        };
        for key in ["failure_action", "monitor", "max_failure_ratio"] {
            if update.get(key).is_some_and(|value| holds(value) && value != "0s" && value != 0) {
                self.warn("deploy.update_config", texts::update_setting(&format!("`{key}`")));
            }
        }
        for key in update.rest() {
            self.warn("deploy.update_config", texts::unknown(key));
        }
        if deploy.get("rollback_config").is_some_and(holds) {
            self.warn("deploy.rollback_config", texts::update_setting("A rollback"));
        }
    }

    pub fn kept(&self, workload: &mut Workload) {
        let deploy = self.fields.fields("deploy");
        let policy = deploy.fields("restart_policy");
        let restart = self.fields.text("restart");
        let (word, count) = restart.map_or((None, None), |r| match r.split_once(':') {
            Some((word, count)) => (Some(word), count.parse::<u32>().ok()),
            None => (Some(r), None),
        });
        let condition = policy.text("condition");
        let word = word.or(match condition {
            Some("none") => Some("no"),
            Some("any") => Some("always"),
            other => other,
        });
        let attempts = count.or_else(|| policy.get("max_attempts").and_then(whole).and_then(|n| u32::try_from(n).ok()));
        let silent = !self.fields.get("ports").is_some_and(holds) && !self.fields.get("expose").is_some_and(holds);
        if workload.kept == Kept::Deployment {
            if self.project.completed.contains(self.name) {
                workload.kept = Kept::Job;
                workload.why = "others wait until it has ended well (`service_completed_successfully`)".to_owned();
            } else if word == Some("no") && silent {
                workload.kept = Kept::Job;
                workload.why = "it is to run once (`restart: \"no\"`, and no ports)".to_owned();
            } else {
                self.by_volumes(workload);
            }
        }
        if workload.kept == Kept::Job {
            workload.retry = match word {
                Some("no") => Retry { times: 0, in_place: false },
                Some(word) => {
                    if word != "on-failure" {
                        self.warn("restart", texts::job_replaces(word));
                    }
                    Retry { times: attempts.unwrap_or(6), in_place: true }
                }
                None => Retry { times: attempts.unwrap_or(TRIES), in_place: false },
            };
            if workload.replicas != 1 && self.fields.get("scale").or_else(|| deploy.get("replicas")).is_some() {
                self.warn("deploy.replicas", texts::job_scale());
            }
            workload.replicas = 1;
        } else {
            if let Some(word @ ("no" | "on-failure")) = word {
                let key = if restart.is_some() { "restart" } else { "deploy.restart_policy" };
                self.warn(key, texts::restart_anyway(word));
            }
            // A number in `restart: on-failure:3` is told with it.
            if attempts.is_some() && count.is_none() {
                self.warn("deploy.restart_policy", texts::restart_setting("`max_attempts`"));
            }
        }
        for key in ["delay", "window"] {
            if policy.get(key).and_then(seconds).is_some_and(|s| s > 0) {
                self.warn("deploy.restart_policy", texts::restart_setting(&format!("`{key}`")));
            }
        }
    }

    fn by_volumes(&self, workload: &mut Workload) {
        let written = workload.mounts.iter().find(|mount| matches!(mount.from, Source::Claim { .. }) && !mount.read_only);
        match written.map(|mount| (&mount.from, &mount.at)) {
            Some((Source::Claim { claim, .. }, at)) if workload.replicas <= 1 => {
                workload.why = format!("one replica writes to the volume `{claim}` at {at}, and two must never do so at once");
                workload.kept = Kept::StatefulSet;
            }
            Some((Source::Claim { claim, .. }, _)) => {
                workload.why = format!("several replicas share the volume `{claim}`");
            }
            _ => workload.why = "it keeps nothing of its own in a volume".to_owned(),
        }
    }
}
