//! What waits for what, and in which order workloads come.
//!
//! Invariant: each comes after what it waits for; where services wait for each other in a ring, that is told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{One, Project, texts};
use crate::model::workload::{Condition, Kept, Wait, Workload};

impl One<'_> {
    pub fn waits(&self, workload: &mut Workload) {
        for (on, value) in self.fields.map("depends_on") {
            let text = |key| value.get(key).and_then(Value::as_str);
            let flag = |key| value.get(key).and_then(Value::as_bool);
            let required = flag("required").unwrap_or(true);
            if self.project.service(on).is_none() {
                if required {
                    self.warn("depends_on", texts::wait_unknown(on));
                }
                continue;
            }
            if flag("restart") == Some(true) {
                self.warn("depends_on", texts::restart_on_update(on));
            }
            let condition = match text("condition") {
                Some("service_healthy") => Condition::Healthy,
                Some("service_completed_successfully") => Condition::Completed,
                _ => Condition::Started,
            };
            workload.waits.push(Wait { on: self.project.name_of(on), condition, required });
        }
        self.fields.get("links");
    }
}

impl Project<'_> {
    /// Those that hold data first where nothing else decides, then by name.
    pub fn ordered(&self, workloads: Vec<Workload>) -> Vec<Workload> {
        let place: BTreeMap<&str, usize> = workloads.iter().enumerate().map(|(n, w)| (w.name.as_str(), n)).collect();
        let mut waiting: Vec<usize> = vec![0; workloads.len()];
        let mut waiters: Vec<Vec<usize>> = vec![Vec::new(); workloads.len()];
        for (n, workload) in workloads.iter().enumerate() {
            for on in workload.waits.iter().filter_map(|wait| place.get(wait.on.as_str())).filter(|on| **on != n) {
                waiting[n] += 1;
                waiters[*on].push(n);
            }
        }
        let rank = |n: usize| (!workloads[n].store, workloads[n].kept != Kept::Job, n);
        let mut free: BTreeSet<_> = (0..workloads.len()).filter(|n| waiting[*n] == 0).map(rank).collect();
        let mut order = Vec::with_capacity(workloads.len());
        let mut done = vec![false; workloads.len()];
        while order.len() < workloads.len() {
            let next = match free.pop_first() {
                Some((.., n)) => n,
                None => {
                    let ring: Vec<usize> = (0..workloads.len()).filter(|n| !done[*n]).collect();
                    let names: Vec<&str> = ring.iter().map(|n| workloads[*n].service.as_str()).collect();
                    self.warn(None, "depends_on", texts::waits_in_a_ring(&names));
                    ring[0]
                }
            };
            if std::mem::replace(&mut done[next], true) {
                continue;
            }
            order.push(next);
            for n in std::mem::take(&mut waiters[next]) {
                waiting[n] = waiting[n].saturating_sub(1);
                if waiting[n] == 0 && !done[n] {
                    free.insert(rank(n));
                }
            }
        }
        let mut slots: Vec<Option<Workload>> = workloads.into_iter().map(Some).collect();
        order.into_iter().filter_map(|n| slots[n].take()).collect()
    }
}
