//! Networks: other names of services, and what of a network's walls a cluster does not have.
//!
//! Invariant: each name of a cluster leads to one service; who comes second is told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fields::{Fields, holds};
use super::{One, Project, names, texts};
use crate::model::workload::Workload;

impl One<'_> {
    pub fn networks(&self, workload: &mut Workload) {
        match self.fields.text("network_mode") {
            None | Some("bridge" | "default") => {}
            Some("host") => {
                workload.host.network = true;
                workload.reach.none = workload.ports.is_empty();
                self.warn("network_mode", texts::host_network());
            }
            Some("none") => {
                workload.reach.none = true;
                self.warn("network_mode", texts::network_none());
            }
            Some(other) => {
                let of = other.split_once(':').map_or(other, |(_, of)| of);
                workload.reach.none = workload.ports.is_empty();
                self.warn("network_mode", texts::network_of(of));
            }
        }
        let mut aliases: Vec<&str> = self.fields.text("container_name").into_iter().collect();
        for (_, settings) in self.fields.map("networks") {
            let settings = Fields::of(Some(settings));
            aliases.extend(settings.texts("aliases"));
            for key in ["priority", "gw_priority", "interface_name"] {
                if settings.get(key).is_some_and(holds) {
                    self.warn(&format!("networks.{key}"), texts::one_network(key));
                }
            }
            for key in settings.rest() {
                self.warn(&format!("networks.{key}"), texts::fixed_address(&format!("`{key}`")));
            }
        }
        for alias in aliases {
            self.alias(workload, alias);
        }
    }

    fn alias(&self, workload: &mut Workload, alias: &str) {
        if alias == self.name || alias == self.label || workload.reach.aliases.iter().any(|known| known == alias) {
            return;
        }
        match names::is_label(alias) {
            true => workload.reach.aliases.push(alias.to_owned()),
            false => self.warn("networks.aliases", texts::alias_invalid(alias, &self.label)),
        }
    }
}

impl<'a> Project<'a> {
    /// Adds the names that other services call a workload by, and sees that each name leads to one.
    pub fn aliases(&self, workloads: &mut [Workload]) {
        let place: BTreeMap<String, usize> =
            workloads.iter().enumerate().map(|(n, workload)| (workload.service.clone(), n)).collect();
        let mut linked: Vec<(usize, String)> = Vec::new();
        for (name, value) in self.services.into_iter().flatten().filter(|(name, _)| place.contains_key(*name)) {
            for link in value.get("links").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
                let (of, alias) = link.split_once(':').unwrap_or((link, ""));
                if self.service(of).is_none() {
                    self.warn(Some(name), "links", texts::no_such("service", of));
                }
                let Some(of) = place.get(of).filter(|_| !alias.is_empty()) else { continue };
                if alias == workloads[*of].name || workloads[*of].reach.aliases.iter().any(|known| known == alias) {
                    continue;
                }
                match names::is_label(alias) {
                    true => {
                        self.warn(Some(name), "links", texts::link_alias(alias));
                        linked.push((*of, alias.to_owned()));
                    }
                    false => self.warn(Some(name), "links", texts::alias_invalid(alias, &workloads[*of].name)),
                }
            }
        }
        for (of, alias) in linked {
            if !workloads[of].reach.aliases.contains(&alias) {
                workloads[of].reach.aliases.push(alias);
            }
        }
        let mut taken: BTreeMap<String, String> = BTreeMap::new();
        for (name, _) in self.services.into_iter().flatten() {
            taken.insert(self.name_of(name), name.clone());
        }
        for workload in workloads {
            let service = workload.service.clone();
            workload.reach.aliases.retain(|alias| match taken.get(alias) {
                Some(other) => {
                    if *other != service {
                        self.warn(Some(&service), "networks.aliases", texts::alias_taken(alias, other));
                    }
                    false
                }
                None => {
                    taken.insert(alias.clone(), service.clone());
                    true
                }
            });
            workload.reach.aliases.sort_unstable();
        }
    }

    /// What of the networks themselves is lost.
    pub fn networks(&self) {
        let networks = self.root.get("networks").and_then(Value::as_object);
        for (name, value) in networks.into_iter().flatten() {
            let fields = Fields::of(Some(value));
            let at = format!("networks.{name}");
            match (fields.get("external").is_some_and(holds), fields.text("name")) {
                (true, written) => self.warn(None, &at, texts::external_network(written.unwrap_or(name))),
                (false, Some(written)) if !self.is_usual(written, name) => {
                    self.warn(None, &at, texts::network_name(name, written))
                }
                (false, _) => {}
            }
            for key in ["labels", "attachable"] {
                if fields.get(key).is_some_and(holds) {
                    self.warn(None, &at, texts::network_object(name, key));
                }
            }
            // What is not said of a pod's addresses is the cluster's.
            if fields.switch("enable_ipv4") == Some(false) {
                self.warn(None, &at, texts::network_setting(name, "enable_ipv4"));
            }
            if fields.flag("internal") {
                self.warn(None, &at, texts::internal_network(name));
            }
            if let Some(driver) = fields.text("driver").filter(|driver| !["bridge", "overlay", "default"].contains(driver)) {
                self.warn(None, &at, texts::network_driver(name, driver));
            }
            for key in fields.rest() {
                self.warn(None, &at, texts::network_setting(name, key));
            }
        }
        self.isolation();
    }

    /// Services that share no network in the file, but do in the cluster.
    fn isolation(&self) {
        let mut groups: BTreeMap<BTreeSet<&'a str>, (&'a str, usize)> = BTreeMap::new();
        for (name, value) in self.services.into_iter().flatten() {
            if value.get("network_mode").is_some_and(holds) || value.get("provider").is_some() {
                continue;
            }
            let of = value.get("networks").and_then(Value::as_object).into_iter().flatten();
            let of: BTreeSet<&str> = of.map(|(network, _)| network.as_str()).collect();
            if !of.is_empty() {
                groups.entry(of).or_insert((name, 0)).1 += 1;
            }
        }
        let (mut first, mut pairs) = (None, 0);
        let groups: Vec<_> = groups.into_iter().collect();
        for (n, (one, (name, count))) in groups.iter().enumerate() {
            for (other, (second, more)) in groups[n + 1..].iter().filter(|(other, _)| one.is_disjoint(other)) {
                let _ = other;
                first.get_or_insert((*name, *second));
                pairs += count * more;
            }
        }
        if let Some((one, other)) = first {
            self.warn(None, "networks", texts::isolation(one, other, pairs - 1));
        }
    }
}
