//! How much a service may use, and how much is kept for it.
//!
//! Invariant: nothing is reserved beyond its limit.

use serde_json::Value;

use super::fields::{Fields, bytes, holds, number, whole};
use super::{One, texts};
use crate::model::workload::Workload;

/// The least memory that a container can start with.
const LEAST: u64 = 6 * 1024 * 1024;

impl One<'_> {
    pub fn resources(&self, workload: &mut Workload) {
        let deploy = self.fields.fields("deploy");
        let resources = deploy.fields("resources");
        let (limits, reservations) = (resources.fields("limits"), resources.fields("reservations"));
        let cores =
            |value: &Value| number(value).filter(|cores| *cores > 0.0).map(|cores| (cores * 1000.0).round().max(1.0) as u64);
        let memory = |key: &str, value: Option<&Value>| {
            let bytes = value.and_then(bytes).filter(|bytes| *bytes > 0)?;
            if bytes < LEAST {
                self.warn(key, texts::mem_too_small());
            }
            Some(bytes).filter(|bytes| *bytes >= LEAST)
        };
        let of = |key| self.fields.get(key);
        let quota = match (self.fields.number("cpu_quota"), self.fields.number("cpu_period")) {
            (Some(quota), period) if quota > 0.0 => {
                Some((quota / period.filter(|p| *p > 0.0).unwrap_or(100_000.0) * 1000.0) as u64)
            }
            _ => None,
        };
        let shares = self.fields.number("cpu_shares").filter(|shares| *shares > 0.0);
        let (cpus, count, quota) = (of("cpus").and_then(cores), of("cpu_count").and_then(cores), quota.filter(|q| *q > 0));
        let own = cpus.or(count).or(quota);
        for (key, other) in [("cpu_count", count), ("cpu_quota", quota.filter(|_| count.is_none() || cpus.is_some()))] {
            if cpus.is_some() && other.is_some() {
                self.warn(key, texts::cpus_twice(key));
            }
        }
        let into = &mut workload.resources;
        into.cpu_limit = limits.get("cpus").and_then(cores).or(own);
        // A whole core has 1024 of them.
        into.cpu_request = reservations.get("cpus").and_then(cores).or(shares.map(|s| ((s / 1024.0 * 1000.0) as u64).max(1)));
        into.memory_limit = memory("deploy.resources", limits.get("memory")).or_else(|| memory("mem_limit", of("mem_limit")));
        into.memory_request =
            memory("deploy.resources", reservations.get("memory")).or_else(|| memory("mem_reservation", of("mem_reservation")));
        for (request, limit, what) in
            [(&mut into.cpu_request, into.cpu_limit, "CPU"), (&mut into.memory_request, into.memory_limit, "memory")]
        {
            if limit.is_some_and(|limit| request.is_some_and(|request| request > limit)) {
                *request = limit;
                self.warn("deploy.resources", texts::request_above_limit(what));
            }
        }
        if limits.get("pids").and_then(whole).is_some_and(|pids| pids > 0) {
            self.warn("deploy.resources.limits.pids", super::keys::cannot("pids_limit").unwrap_or_default().to_owned());
        }
        for value in reservations.list("devices").iter().chain(self.fields.list("gpus")) {
            self.device(workload, value);
        }
        if self.fields.text("gpus").is_some() {
            self.device(workload, &serde_json::json!({ "count": -1, "capabilities": ["gpu"] }));
        }
        if reservations.get("generic_resources").is_some_and(holds) {
            self.warn("deploy.resources", texts::generic_resources());
        }
        for (key, value) in self.fields.map("storage_opt") {
            match key {
                "size" => workload.resources.disk_limit = bytes(value),
                other => self.warn("storage_opt", texts::storage_option(other)),
            }
        }
        for (fields, at) in [(&limits, "limits"), (&reservations, "reservations"), (&resources, "")] {
            for key in fields.rest() {
                self.warn(format!("deploy.resources.{at}").trim_end_matches('.'), texts::unknown(key));
            }
        }
    }

    fn device(&self, workload: &mut Workload, value: &Value) {
        let fields = Fields::of(Some(value));
        let capabilities = fields.texts("capabilities");
        let driver = fields.text("driver").unwrap_or("");
        let is_gpu = capabilities.iter().any(|c| ["gpu", "nvidia", "compute", "utility"].contains(c)) || capabilities.is_empty();
        let resource = match driver {
            "" | "nvidia" if is_gpu => "nvidia.com/gpu",
            "amd" | "amdgpu" | "rocm" => "amd.com/gpu",
            "intel" | "i915" => "gpu.intel.com/i915",
            _ => {
                let what = if driver.is_empty() { capabilities.join(", ") } else { driver.to_owned() };
                let told = format!(
                    "`{what}` is no device that Gaggle knows a resource for, so it is left out. Set the resource in an overlay."
                );
                return self.warn("devices", texts::devices(&told));
            }
        };
        let ids = fields.list("device_ids").len() as u64;
        let count = fields.get("count").and_then(whole);
        let n = match (count, ids) {
            (Some(count), _) if count > 0 => count as u64,
            (_, ids) if ids > 0 => ids,
            _ => 1,
        };
        let mut told = format!("`{resource}` is asked for, {n} of it.");
        if count.is_some_and(|count| count < 0) {
            told = format!("All of them cannot be asked for, so `{resource}` is, 1 of it.");
        }
        if ids > 0 {
            told = format!("Pods cannot choose single devices, so `{resource}` is asked for, {n} of it.");
        }
        if fields.get("options").is_some_and(holds) {
            told.push_str(" Its options are left out.");
        }
        for key in fields.rest() {
            self.warn("devices", texts::unknown(key));
        }
        self.warn("devices", texts::devices(&told));
        *workload.resources.devices.entry(resource.to_owned()).or_default() += n;
    }
}
