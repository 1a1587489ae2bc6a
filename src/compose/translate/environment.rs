//! A service's variables, plain and secret.
//!
//! Invariant: a name is plain or secret, never both. Values are kept as they are: nothing in a ConfigMap or Secret stands for a
//! variable.

use secrecy::SecretString;
use serde_json::Value;

use super::fields::shown;
use super::{One, texts};
use crate::compose::sensitive::is_sensitive;
use crate::model::workload::Workload;

impl One<'_> {
    pub fn environment(&self, workload: &mut Workload) {
        for (name, value) in self.fields.map("environment") {
            let given = self.option(|o| o.set.get(name).cloned());
            match (given, value) {
                (Some(_), _) => {}
                (None, Value::Null) => self.warn(&format!("environment.{name}"), texts::variable_unset(name)),
                (None, value) => self.variable(workload, name, shown(value)),
            }
        }
        let all = &self.project.options.all.set;
        // The service's own come last.
        for (name, value) in all.iter().chain(self.own.into_iter().flat_map(|own| &own.set)) {
            self.variable(workload, name, value.clone());
        }
    }

    fn variable(&self, workload: &mut Workload, name: &str, value: String) {
        if !is_possible(name) {
            return self.warn("environment", texts::variable_name(name));
        }
        if value.contains('\0') {
            return self.warn(&format!("environment.{name}"), texts::variable_nul(name));
        }
        workload.plain.remove(name);
        workload.secret.remove(name);
        match self.is_secret(name, &value) {
            true => drop(workload.secret.insert(name.to_owned(), SecretString::from(value))),
            false => drop(workload.plain.insert(name.to_owned(), value)),
        }
    }

    pub fn is_secret(&self, name: &str, value: &str) -> bool {
        self.option(|o| match (o.secret.contains(name), o.plain.contains(name)) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        })
        .unwrap_or_else(|| is_sensitive(name, value))
    }
}

/// What servers of every supported version take for a variable in a ConfigMap.
fn is_possible(name: &str) -> bool {
    (1..=253).contains(&name.len())
        && name != "."
        && !name.starts_with("..")
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}
