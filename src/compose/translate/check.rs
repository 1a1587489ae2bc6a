//! Health checks.
//!
//! Invariant: what is not written is as Docker has it: every 30 s, 30 s long, three times.

use serde_json::Value;

use super::fields::{Fields, seconds, whole};
use super::{One, texts};
use crate::compose::sensitive::is_credential;
use crate::model::workload::{Check, Probe, Protocol, Workload};

const INTERVAL: u32 = 30;
const TIMEOUT: u32 = 30;
const RETRIES: u32 = 3;
const START_INTERVAL: u32 = 5;

impl One<'_> {
    pub fn check(&self, workload: &mut Workload) {
        let fields = self.fields.fields("healthcheck");
        let time = |key, default| fields.get(key).and_then(seconds).filter(|s| *s > 0).unwrap_or(default);
        let retries = fields.get("retries").and_then(whole).and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        let interval = time("interval", INTERVAL);
        let check = |probe| Check {
            probe,
            interval,
            timeout: time("timeout", TIMEOUT),
            retries: retries.unwrap_or(RETRIES),
            start_period: time("start_period", 0),
            start_interval: time("start_interval", START_INTERVAL).min(interval),
        };
        if let Some(path) = self.option(|o| o.health_path.as_deref()) {
            match workload.ports.iter().find(|port| port.protocol == Protocol::Tcp) {
                Some(port) => {
                    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
                    // The times are of the check in the file, if it has one.
                    let mut made = check(Probe::Http(path, port.number));
                    if fields.is_empty() {
                        (made.interval, made.timeout) = (5, 5);
                    }
                    workload.ready = Some(made);
                }
                None if self.own.is_some_and(|own| own.health_path.is_some()) => {
                    self.warn("healthcheck", texts::health_path_without_port());
                }
                None => {}
            }
        }
        if workload.ready.is_none() && !fields.flag("disable") && !self.unlabelled_check() {
            workload.ready = self.labelled_check(check);
        }
        if workload.ready.is_none() && !fields.flag("disable") && !self.unlabelled_check() {
            workload.ready = self.test(&fields, workload).map(check);
        }
        fields.skip(&["test", "disable", "interval", "timeout", "retries", "start_period", "start_interval"]);
        for key in fields.rest() {
            self.warn(&format!("healthcheck.{key}"), texts::unknown(key));
        }
        workload.live = workload.ready.is_some() && self.option(|o| o.live).unwrap_or(false);
    }

    fn test(&self, fields: &Fields<'_>, workload: &mut Workload) -> Option<Probe> {
        if fields.is_empty() {
            return None;
        }
        let words = fields.texts("test");
        let Some((form, rest)) = words.split_first() else {
            self.warn("healthcheck", texts::check_without_test());
            return None;
        };
        let line: Vec<String> = match (*form, rest, fields.get("test").is_some_and(Value::is_string)) {
            ("NONE", ..) => return None,
            (line, _, true) => shell(line),
            ("CMD", [], _) | ("CMD-SHELL", [], _) => {
                self.warn("healthcheck", texts::check_without_test());
                return None;
            }
            ("CMD", rest, _) => rest.iter().map(|word| (*word).to_owned()).collect(),
            ("CMD-SHELL", rest, _) => shell(&rest.join(" ")),
            _ => {
                self.warn("healthcheck.test", texts::check_form());
                return None;
            }
        };
        Some(Probe::Exec(self.hidden(line, workload)))
    }

    /// A credential in the line goes into the Secret with all of it, where there is a shell to take it from there.
    fn hidden(&self, line: Vec<String>, workload: &mut Workload) -> Vec<String> {
        let all = line.join(" ");
        let known = workload.secret.values().map(secrecy::ExposeSecret::expose_secret);
        let told = known.into_iter().any(|secret| secret.len() >= 6 && all.contains(secret));
        if !is_credential(&all) && !told {
            return line;
        }
        match line.as_slice() {
            [sh, c, script] if sh == "/bin/sh" && c == "-c" => {
                self.warn("healthcheck.test", texts::sensitive_probe());
                workload.secret.insert(VARIABLE.to_owned(), script.clone().into());
                shell(&format!("eval \"${VARIABLE}\""))
            }
            words => {
                self.warn("healthcheck.test", texts::sensitive_probe());
                workload.secret.insert(VARIABLE.to_owned(), shell_words(words).into());
                shell(&format!("eval \"${VARIABLE}\""))
            }
        }
    }
}

const VARIABLE: &str = "GAGGLE_HEALTHCHECK";

fn shell(line: &str) -> Vec<String> {
    vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()]
}

/// As one line that a shell splits into the same words.
pub fn shell_words(words: &[String]) -> String {
    let plain = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b));
    let quoted = |word: &String| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
