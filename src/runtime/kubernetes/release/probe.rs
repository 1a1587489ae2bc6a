//! Health checks as probes.
//!
//! Invariant: no probe ends a container that Docker would let live: a startup probe is patient, and liveness is there only where it
//! was asked for.

use serde_json::{Value, json};

use super::{Release, literal};
use crate::model::workload::{Check, Kept, Probe, Workload};

/// Seconds that a service may take at least, after its start period, until it is ready for the first time. Docker only calls it unhealthy after its tries.
const PATIENCE: u32 = 600;

impl Release<'_> {
    pub fn probes(&self, workload: &Workload, put: &mut impl FnMut(&str, Value)) {
        let Some(check) = &workload.ready else { return };
        put("readinessProbe", probe(check, check.interval, check.retries));
        // A job that has ended is not to be started again by a probe.
        if workload.kept == Kept::Job {
            return;
        }
        let period = check.start_interval.max(1);
        let whole = check.start_period.saturating_add(check.retries.saturating_mul(check.interval).max(PATIENCE));
        put("startupProbe", probe(check, period, whole.div_ceil(period)));
        if workload.live {
            put("livenessProbe", probe(check, check.interval, check.retries));
        }
    }
}

fn probe(check: &Check, period: u32, failures: u32) -> Value {
    let mut value = json!({ "periodSeconds": period, "timeoutSeconds": check.timeout, "failureThreshold": failures });
    match &check.probe {
        // Searched for variables, as a command is.
        Probe::Exec(words) => value["exec"] = json!({ "command": words.iter().map(|word| literal(word)).collect::<Vec<_>>() }),
        Probe::Tcp(port) => value["tcpSocket"] = json!({ "port": port }),
        Probe::Http(path, port) => value["httpGet"] = json!({ "path": path, "port": port }),
    }
    value
}
