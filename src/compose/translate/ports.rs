//! Where a service listens, and which of that was meant for outside.
//!
//! Invariant: what others reach by the service's name is the container's port, never the machine's. What was bound to the machine
//! itself is never offered outside.

use std::collections::BTreeSet;

use super::fields::{Fields, shown, whole};
use super::{One, names, texts};
use crate::model::workload::{Expose, Port, Protocol, Published, Workload};

/// More than these are not listed one by one.
const MOST: usize = 100;

impl One<'_> {
    pub fn ports(&self, workload: &mut Workload) {
        let mut listens: Vec<(u16, Protocol, Option<&str>, Option<String>)> = Vec::new();
        let (mut published, mut local, mut shown_ports) = (Vec::new(), Vec::new(), Vec::new());
        for value in self.fields.list("ports") {
            let fields = Fields::of(Some(value));
            let target = fields.get("target").and_then(whole).and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
            let protocol = protocol(fields.text("protocol").unwrap_or("tcp"));
            let (Some(target), Some(protocol)) = (target, protocol) else {
                self.warn("ports", texts::bad_port(&value.get("target").map(shown).unwrap_or_default()));
                continue;
            };
            let app = fields.text("app_protocol").filter(|app| names::is_label_key(app)).map(str::to_owned);
            listens.push((target, protocol, fields.text("name"), app.clone()));
            let outside = self.outside(&fields, target);
            if fields.text("mode") == Some("host") {
                self.warn("ports", texts::host_mode());
            }
            let address = fields.text("host_ip").unwrap_or("");
            let written = fields.get("published").map(shown).unwrap_or_default();
            for key in fields.rest() {
                self.warn(&format!("ports.{key}"), texts::unknown(key));
            }
            if is_local(address) {
                local.push(pair(outside, target));
                continue;
            }
            if !address.is_empty() && !["0.0.0.0", "::", "[::]"].contains(&address) {
                self.warn("ports", texts::host_address(address));
            }
            if !written.is_empty() {
                shown_ports.push(pair(outside, target));
            }
            published.push(Published { port: outside, target, protocol, app });
        }
        for value in self.fields.list("expose") {
            let written = shown(value);
            match exposed(&written) {
                Some((ports, protocol)) => listens.extend(ports.map(|port| (port, protocol, None, None))),
                None => self.warn("expose", texts::bad_port(&written)),
            }
        }
        self.list(workload, &listens);
        self.publish(workload, published, &local, shown_ports);
    }

    /// What it is outside, where that is one port.
    fn outside(&self, fields: &Fields<'_>, target: u16) -> u16 {
        let Some(written) = fields.get("published").map(shown).filter(|text| !text.is_empty() && text != "0") else {
            return target;
        };
        let first = written.split('-').next().unwrap_or("");
        let used = first.parse().ok().filter(|port| *port > 0).unwrap_or(target);
        if written.contains('-') {
            self.warn("ports", texts::published_range(&written, used));
        }
        used
    }

    fn list(&self, workload: &mut Workload, listens: &[(u16, Protocol, Option<&str>, Option<String>)]) {
        let distinct: BTreeSet<(u16, Protocol)> = listens.iter().map(|(port, protocol, ..)| (*port, *protocol)).collect();
        if distinct.len() > MOST {
            self.warn("ports", texts::many_ports(distinct.len()));
            workload.reach.headless = true;
            return;
        }
        let mut seen = BTreeSet::new();
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for (number, protocol, name, app) in listens {
            if !seen.insert((*number, *protocol)) {
                continue;
            }
            let own = name.filter(|name| is_port_name(name) && !taken.contains(*name));
            let name = own.map_or_else(|| format!("{}-{number}", protocol.as_str().to_ascii_lowercase()), str::to_owned);
            taken.insert(name.clone());
            workload.ports.push(Port { name, number: *number, protocol: *protocol, app: app.clone() });
        }
        workload.reach.headless = workload.ports.is_empty();
    }

    fn publish(&self, workload: &mut Workload, mut published: Vec<Published>, local: &[String], mut shown_ports: Vec<String>) {
        let labelled = self.labelled_expose();
        let expose = self.option(|o| o.expose).or(labelled).filter(|expose| *expose != Expose::Cluster);
        if !local.is_empty() {
            self.warn("ports", texts::loopback(local));
        }
        if workload.ports.is_empty() {
            return;
        }
        published.sort_by_key(|p| (p.port, p.protocol, p.target));
        published.dedup();
        let mut taken = BTreeSet::new();
        published.retain(|p| taken.insert((p.port, p.protocol)));
        match expose {
            None => {
                shown_ports.dedup();
                if !shown_ports.is_empty() {
                    self.warn("ports", texts::not_published(&shown_ports));
                }
                return;
            }
            // What was only meant for others of the project is offered when that is asked for.
            Some(_)
                if published.is_empty()
                    && local.is_empty()
                    && (labelled.is_some() || self.own.is_some_and(|own| own.expose.is_some())) =>
            {
                let all = workload.ports.iter();
                published.extend(all.map(|p| Published {
                    port: p.number,
                    target: p.number,
                    protocol: p.protocol,
                    app: p.app.clone(),
                }));
            }
            Some(_) => {}
        }
        if expose == Some(Expose::Ingress) {
            let web = |p: &Published| match (p.app.as_deref(), p.target) {
                (Some("http"), _) => 0,
                (_, 80 | 8080 | 8000 | 3000 | 5000 | 5173 | 4200) => 1,
                (_, 443 | 8443) => 3,
                _ => 2,
            };
            let all = published.len();
            published.retain(|p| p.protocol == Protocol::Tcp);
            published.sort_by_key(web);
            published.truncate(1);
            if published.len() < all {
                self.warn("ports", texts::ingress_ports());
            }
        }
        workload.reach.expose = expose.filter(|_| !published.is_empty());
        workload.reach.published = published;
    }
}

fn pair(outside: u16, target: u16) -> String {
    if outside == target { target.to_string() } else { format!("{outside}→{target}") }
}

fn protocol(text: &str) -> Option<Protocol> {
    match text.to_ascii_lowercase().as_str() {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        "sctp" => Some(Protocol::Sctp),
        _ => None,
    }
}

fn exposed(written: &str) -> Option<(std::ops::RangeInclusive<u16>, Protocol)> {
    let (ports, kind) = written.split_once('/').unwrap_or((written, "tcp"));
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let number = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first..=last, protocol(kind)?))
}

fn is_local(address: &str) -> bool {
    let address = address.trim_matches(['[', ']']);
    address == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Names of ports: short, with a letter, without two hyphens together.
fn is_port_name(name: &str) -> bool {
    name.len() <= 15
        && !name.contains("--")
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name.bytes().any(|b| b.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
