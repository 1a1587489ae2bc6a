//! Variables in all values of a tree, and the numbers and truths that such texts stand for where the specification wants one. Keys are
//! never touched.

use super::super::budget::Budget;
use super::super::fault::Fault;
use super::super::node::{ITEM, Map, Mark, Node, Path, Value};
use super::{Lookup, Mention, Wrong, mentions, substitute};

/// As many faults as people want to read at once.
const MOST: usize = 30;
/// And remarks.
const REMARKS: usize = 1000;

/// What is said and what is wrong on the way.
#[derive(Debug, Default)]
pub struct Heard {
    /// There is nothing left to spend: to go on would only cost more.
    spent: bool,
    pub faults: Vec<Fault>,
    pub remarks: Vec<(Mark, String)>,
    /// Not to be resolved, but to find out what would be needed.
    pub asked: Option<Vec<Asked>>,
}

/// A variable that somebody may set, and where it is mentioned.
#[derive(Debug, Clone)]
pub struct Asked {
    pub service: Option<String>,
    /// The variable of the service's own environment, if it is there.
    pub key: Option<String>,
    pub mention: Mention,
}

pub fn interpolate(root: &mut Node, lookup: Lookup<'_>, budget: &mut Budget, heard: &mut Heard) {
    walk(root, &Path::ROOT, &mut Walk { lookup, budget, heard });
}

struct Walk<'a> {
    lookup: Lookup<'a>,
    budget: &'a mut Budget,
    heard: &'a mut Heard,
}

fn walk(node: &mut Node, path: &Path<'_>, state: &mut Walk<'_>) {
    if state.heard.spent || state.heard.faults.len() > MOST {
        return;
    }
    match &mut node.value {
        Value::Map(map) => walk_map(map, path, state),
        Value::List(list) => {
            for child in list {
                walk(child, &path.below(ITEM), state);
            }
        }
        Value::Text(text) => {
            if text.contains('$') {
                let mut unset = Vec::new();
                let made = match &mut state.heard.asked {
                    None => substitute(text, state.lookup, &mut unset),
                    Some(asked) => {
                        note(text, path, asked);
                        assumed(text, state.lookup)
                    }
                };
                match made {
                    Ok(new) => {
                        if let Err(fault) = state.budget.bytes(new.len(), node.at) {
                            state.heard.faults.push(fault);
                            state.heard.spent = true;
                            return;
                        }
                        *text = new;
                    }
                    Err(wrong) => {
                        state.heard.faults.push(Fault::new(node.at, format!("{path}: {wrong}")));
                        return;
                    }
                }
                for name in unset.into_iter().take(REMARKS.saturating_sub(state.heard.remarks.len())) {
                    let remark = format!("{path}: the variable {name} is not set, an empty text stands for it");
                    state.heard.remarks.push((node.at, remark));
                }
            }
            let Some(cast) = path.with(cast) else { return };
            match cast.of(text) {
                Ok(value) => {
                    if cast == Cast::Bool && !matches!(text.to_ascii_lowercase().as_str(), "true" | "false") {
                        let remark =
                            format!("{path}: `{text}` is taken as {}; write `{0}`", Node::new(value.clone(), node.at).shown());
                        state.heard.remarks.push((node.at, remark));
                    }
                    node.value = value;
                }
                Err(wanted) => {
                    let text: String = text.chars().take(40).collect();
                    state.heard.faults.push(Fault::new(node.at, format!("{path}: `{text}` is not {wanted}")));
                }
            }
        }
        _ => {}
    }
}

/// Takes down what a text mentions.
fn note(text: &str, path: &Path<'_>, asked: &mut Vec<Asked>) {
    let (service, key, value) = path.with(|path| match path {
        ["services", service, "environment", ITEM] => {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            (Some((*service).to_owned()), Some(key.to_owned()), value)
        }
        ["services", service, "environment", key] => (Some((*service).to_owned()), Some((*key).to_owned()), text),
        ["services", service, ..] => (Some((*service).to_owned()), None, text),
        _ => (None, None, text),
    });
    let found = mentions(value).into_iter();
    asked.extend(found.map(|mention| Asked { service: service.clone(), key: key.clone(), mention }));
}

/// The text with something in the place of each variable that has to be set and is not: what is good as a port, a number and a name.
fn assumed(text: &str, lookup: Lookup<'_>) -> Result<String, Wrong> {
    let mut missing: Vec<String> = Vec::new();
    loop {
        let known = |name: &str| match missing.iter().any(|missing| missing == name) {
            true => Some("1".to_owned()),
            false => lookup(name),
        };
        match substitute(text, &known, &mut Vec::new()) {
            Err(Wrong::Missing { name, .. }) if !missing.contains(&name) => missing.push(name),
            other => return other,
        }
    }
}

fn walk_map(map: &mut Map, path: &Path<'_>, state: &mut Walk<'_>) {
    for (key, child) in map.iter_mut() {
        walk(child, &path.below(key), state);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    Bool,
    Int,
    Float,
}

impl Cast {
    pub fn of(self, text: &str) -> Result<Value, &'static str> {
        match self {
            Cast::Bool => truth(text).map(Value::Bool).ok_or("true or false"),
            Cast::Int => text.parse().map(Value::Int).map_err(|_| "a whole number"),
            Cast::Float => {
                let float = text.parse::<f64>().ok().filter(|float| float.is_finite());
                float.map(Value::Float).ok_or("a number")
            }
        }
    }
}

pub fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "y" | "yes" | "on" => Some(true),
        "false" | "n" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Where a text stands for something else.
fn cast(path: &[&str]) -> Option<Cast> {
    let (owner, rest) = match path {
        ["networks", _, "external" | "internal" | "attachable" | "enable_ipv4" | "enable_ipv6"] => return Some(Cast::Bool),
        ["volumes" | "secrets" | "configs", _, "external"] => return Some(Cast::Bool),
        ["services", _, "pre_start", _, rest @ ..] => (Owner::Hook, rest),
        ["services", _, rest @ ..] => (Owner::Service, rest),
        ["jobs", _, rest @ ..] => (Owner::Job, rest),
        _ => return None,
    };
    let of_container = match rest {
        ["cpu_count" | "cpu_period" | "cpu_quota" | "cpu_rt_period" | "cpu_rt_runtime" | "cpu_shares"] => Some(Cast::Int),
        ["oom_score_adj" | "pids_limit"] | ["ulimits", _] | ["ulimits", _, "hard" | "soft"] => Some(Cast::Int),
        ["cpu_percent" | "cpus"] => Some(Cast::Float),
        ["init" | "oom_kill_disable" | "privileged" | "read_only"] => Some(Cast::Bool),
        ["volumes", ITEM, "read_only"] | ["volumes", ITEM, "volume", "nocopy"] => Some(Cast::Bool),
        _ => None,
    };
    if of_container.is_some() || owner == Owner::Hook {
        return of_container;
    }
    let of_workload = match rest {
        ["depends_on", _, "required" | "restart"] | ["healthcheck", "disable"] | ["stdin_open" | "tty"] => Some(Cast::Bool),
        ["healthcheck", "retries"] | ["ports", ITEM, "target"] => Some(Cast::Int),
        _ => None,
    };
    if of_workload.is_some() || owner == Owner::Job {
        return of_workload;
    }
    match rest {
        ["scale"] | ["deploy", "replicas"] | ["deploy", "update_config" | "rollback_config", "parallelism"] => Some(Cast::Int),
        ["deploy", "restart_policy", "max_attempts"] | ["deploy", "placement", "max_replicas_per_node"] => Some(Cast::Int),
        ["deploy", "update_config" | "rollback_config", "max_failure_ratio"] => Some(Cast::Float),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Service,
    Job,
    Hook,
}
