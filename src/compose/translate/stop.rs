//! How a service is told to end, and what runs beside its start and its end.
//!
//! Invariant: a hook holds no credential.

use serde_json::Value;

use super::check::shell_words;
use super::fields::{Fields, holds, seconds, shown};
use super::{One, texts};
use crate::model::workload::Workload;

impl One<'_> {
    pub fn stop(&self, workload: &mut Workload) {
        workload.stop.grace = self.fields.get("stop_grace_period").and_then(seconds);
        if let Some(written) = self.fields.get("stop_signal").map(shown) {
            let name = written.to_ascii_uppercase();
            let name = name.strip_prefix("SIG").unwrap_or(&name).to_owned();
            let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'-');
            if valid && name != "TERM" && name != "15" {
                self.warn("stop_signal", texts::stop_signal(&written, workload.host.init));
                workload.stop.signal = Some(name).filter(|_| !workload.host.init);
            }
        }
        workload.started = self.hooks("post_start");
        workload.stop.before = self.hooks("pre_stop");
    }

    fn hooks(&self, key: &'static str) -> Vec<Vec<String>> {
        self.fields.list(key).iter().filter_map(|value| self.one_hook(key, value)).collect()
    }

    fn one_hook(&self, key: &'static str, value: &Value) -> Option<Vec<String>> {
        let fields = Fields::of(Some(value));
        let mut words: Vec<String> = fields.list("command").iter().map(shown).collect();
        if let Some(line) = fields.text("command") {
            words = vec![line.to_owned()];
        }
        for option in ["user", "privileged"] {
            if fields.get(option).is_some_and(holds) {
                self.warn(key, texts::hook(&format!("`{option}`")));
            }
        }
        if words.is_empty() {
            return None;
        }
        let mut set: Vec<String> = Vec::new();
        for (name, value) in fields.map("environment").filter(|(_, value)| !value.is_null()) {
            match self.is_secret(name, &shown(value)) {
                true => self.warn(key, texts::hook_variable(name)),
                false => set.push(format!("{name}={}", shown(value))),
            }
        }
        if !set.is_empty() {
            set.insert(0, "env".to_owned());
            set.append(&mut words);
            words = set;
        }
        if let Some(folder) = fields.text("working_dir") {
            let line = format!("cd {} && exec {}", shell_words(&[folder.to_owned()]), shell_words(&words));
            words = vec!["/bin/sh".to_owned(), "-c".to_owned(), line];
        }
        for other in fields.rest() {
            self.warn(key, texts::unknown(other));
        }
        Some(words)
    }
}
