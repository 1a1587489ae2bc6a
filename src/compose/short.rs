//! Short forms become long ones, and what is left out gets its default. After this every key has one shape only. Reads no files and knows
//! nothing of the environment.

pub mod ports;
pub mod volumes;

use super::budget::Budget;
use super::fault::{Result, fault};
use super::node::{ITEM, Map, Mark, Node, Path, Value};

#[derive(Debug, Clone, Copy)]
enum Rule {
    TextAsList,
    EnvFiles,
    Gpus,
    NamesAsMap,
    Volume,
    Device,
    FileMount,
    Limit,
    AsText,
    Pairs,
    DependsOn,
    Extends,
    Ports,
    Build,
    Ssh,
    Schedule,
    MaybeExternal,
}

fn rule(path: &[&str]) -> Option<Rule> {
    match path {
        ["volumes" | "networks" | "secrets" | "configs", _] => Some(Rule::MaybeExternal),
        ["jobs", _, "triggers", "schedule", ITEM] => Some(Rule::Schedule),
        ["services", _, "develop", "watch", ITEM, "ignore" | "include"] => Some(Rule::TextAsList),
        ["services", _, "pre_start", ITEM, rest @ ..] => of_container(rest),
        ["services" | "jobs", _, rest @ ..] => of_container(rest).or(match rest {
            ["build", "secrets", ITEM] => Some(Rule::FileMount),
            ["build", "provenance" | "sbom"] => Some(Rule::AsText),
            ["build", "additional_contexts"] => Some(Rule::Pairs),
            ["build", "ssh"] => Some(Rule::Ssh),
            ["build", "ulimits", _] => Some(Rule::Limit),
            ["build"] => Some(Rule::Build),
            ["depends_on"] => Some(Rule::DependsOn),
            ["extends"] => Some(Rule::Extends),
            ["ports"] => Some(Rule::Ports),
            _ => None,
        }),
        _ => None,
    }
}

fn of_container(rest: &[&str]) -> Option<Rule> {
    match rest {
        ["env_file"] => Some(Rule::EnvFiles),
        ["label_file" | "dns"] => Some(Rule::TextAsList),
        ["gpus"] => Some(Rule::Gpus),
        ["networks" | "models"] => Some(Rule::NamesAsMap),
        ["volumes", ITEM] => Some(Rule::Volume),
        ["devices", ITEM] => Some(Rule::Device),
        ["secrets" | "configs", ITEM] => Some(Rule::FileMount),
        ["ulimits", _] => Some(Rule::Limit),
        _ => None,
    }
}

pub fn canonical(node: &mut Node, path: &Path<'_>, budget: &mut Budget) -> Result<()> {
    match path.with(rule) {
        Some(rule) => apply(rule, node, path, budget),
        None => below(node, path, budget),
    }
}

fn below(node: &mut Node, path: &Path<'_>, budget: &mut Budget) -> Result<()> {
    match &mut node.value {
        Value::Map(map) => {
            for (key, node) in map.iter_mut() {
                canonical(node, &path.below(key), budget)?;
            }
        }
        Value::List(list) => {
            for node in list {
                canonical(node, &path.below(ITEM), budget)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// So many nodes at most are made of a short form; ports count theirs themselves.
fn more(rule: Rule, value: &Value) -> usize {
    match (rule, value) {
        (Rule::DependsOn | Rule::EnvFiles, Value::List(list)) => 4 * list.len(),
        (Rule::NamesAsMap, Value::List(list)) => list.len(),
        (Rule::Volume | Rule::Device, Value::Text(_)) => 5,
        (Rule::FileMount | Rule::Schedule | Rule::Extends | Rule::Build, Value::Text(_)) => 2,
        _ => 0,
    }
}

fn apply(rule: Rule, node: &mut Node, path: &Path<'_>, budget: &mut Budget) -> Result<()> {
    let at = node.place();
    let kind = node.kind();
    let wrong = || fault(at, format!("{path} cannot be {kind}"));
    let value = std::mem::take(&mut node.value);
    budget.nodes(more(rule, &value), at)?;
    node.value = match (rule, value) {
        (Rule::TextAsList, Value::Text(text)) => Value::List(vec![Node::text(text, at)]),
        (Rule::TextAsList, value) => value,
        (Rule::EnvFiles, Value::Text(text)) => Value::List(vec![env_file(Node::text(text, at))]),
        (Rule::EnvFiles, Value::List(list)) => Value::List(list.into_iter().map(env_file).collect()),
        (Rule::Gpus, Value::Text(_)) => Value::List(vec![Node::pairs(at, [("count", Node::text("all", at))])]),
        (Rule::Gpus, value @ Value::List(_)) => value,
        (Rule::NamesAsMap, Value::List(list)) => {
            let mut map = Map::with_capacity(list.len());
            for node in list {
                match node.value {
                    Value::Text(text) => map.insert(text, Node { key: node.at, ..Node::default() }),
                    _ => return wrong(),
                };
            }
            Value::Map(Box::new(map))
        }
        (Rule::NamesAsMap, value) => value,
        (Rule::Volume, Value::Text(text)) => match volumes::parse(&text) {
            Ok(volume) => volume.into_node(at).value,
            Err(what) => return fault(at, format!("{path}: {what}")),
        },
        (Rule::Device, Value::Text(text)) => device(&text, at, path)?,
        (Rule::FileMount, Value::Text(text)) => Node::pairs(at, [("source", Node::text(text, at))]).value,
        (Rule::Schedule, Value::Text(text)) => Node::pairs(at, [("cron", Node::text(text, at))]).value,
        (Rule::Extends, Value::Text(text)) => Node::pairs(at, [("service", Node::text(text, at))]).value,
        (Rule::Build, Value::Text(text)) => Node::pairs(at, [("context", Node::text(text, at))]).value,
        (Rule::Build, value @ Value::Map(_)) => {
            let mut build = Node::new(value, at);
            below(&mut build, path, budget)?;
            build.value
        }
        (Rule::Volume | Rule::Device | Rule::FileMount | Rule::Schedule | Rule::Extends, value @ Value::Map(_)) => value,
        (Rule::Limit, value @ (Value::Map(_) | Value::Int(_))) => value,
        (Rule::AsText, value @ Value::Text(_)) => value,
        (Rule::AsText, value) => Value::Text(Node::new(value, at).shown()),
        (Rule::Pairs | Rule::Ssh, value @ Value::Map(_)) => value,
        (Rule::Pairs, Value::List(list)) => pairs(list, path, |text| text.split_once('='))?,
        (Rule::Ssh, Value::List(list)) => ssh(list, path)?,
        (Rule::DependsOn, value) => match depends_on(value, at, path)? {
            Some(value) => value,
            None => return wrong(),
        },
        (Rule::Ports, Value::List(list)) => Value::List(ports::canonical(list, path, budget)?),
        (Rule::MaybeExternal, Value::Null) => Value::Null,
        (Rule::MaybeExternal, value @ Value::Map(_)) => {
            let mut resource = Node::new(value, at);
            below(&mut resource, path, budget)?;
            external(resource, path)?.value
        }
        _ => return wrong(),
    };
    Ok(())
}

fn env_file(node: Node) -> Node {
    let at = node.place();
    match node.value {
        Value::Text(text) => Node::pairs(at, [("path", Node::text(text, at)), ("required", Node::flag(true, at))]),
        Value::Map(mut map) => {
            map.entry("required".into()).or_insert_with(|| Node::flag(true, at));
            Node::map(*map, at)
        }
        _ => Node::new(Value::Null, at),
    }
}

fn device(text: &str, at: Mark, path: &Path<'_>) -> Result<Value> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, permissions) = match parts[..] {
        [source] => (source, "", "rwm"),
        [source, target] => (source, target, "rwm"),
        [source, target, permissions] => (source, target, permissions),
        _ => return fault(at, format!("{path}: a device is written SOURCE[:TARGET[:PERMISSIONS]]")),
    };
    let target = if target.is_empty() { source } else { target };
    let text = |text: &str| Node::text(text, at);
    Ok(Node::pairs(at, [("source", text(source)), ("target", text(target)), ("permissions", text(permissions))]).value)
}

fn pairs(list: Vec<Node>, path: &Path<'_>, split: impl Fn(&str) -> Option<(&str, &str)>) -> Result<Value> {
    let mut map = Map::with_capacity(list.len());
    for node in list {
        let Some((key, value)) = node.as_text().and_then(&split) else {
            return fault(node.place(), format!("{path}: write KEY=value"));
        };
        map.insert(key.to_owned(), Node { key: node.at, ..Node::text(value, node.at) });
    }
    Ok(Value::Map(Box::new(map)))
}

fn ssh(list: Vec<Node>, path: &Path<'_>) -> Result<Value> {
    let mut map = Map::with_capacity(list.len());
    for node in list {
        let at = node.place();
        match node.as_text().map(|text| text.split_once('=').ok_or(text)) {
            Some(Ok((id, file))) => map.insert(id.to_owned(), Node { key: at, ..Node::text(file, at) }),
            Some(Err("default")) => map.insert("default".into(), Node { key: at, ..Node::default() }),
            _ => return fault(at, format!("{path}: write `default` or ID=path")),
        };
    }
    Ok(Value::Map(Box::new(map)))
}

fn depends_on(value: Value, at: Mark, path: &Path<'_>) -> Result<Option<Value>> {
    let started = |at: Mark| Node::text("service_started", at);
    match value {
        Value::Map(mut map) => {
            for (name, node) in map.iter_mut() {
                let at = node.place();
                let Some(map) = node.as_map_mut() else {
                    return fault(at, format!("{path}.{name} must be a mapping with `condition`"));
                };
                map.entry("condition".into()).or_insert_with(|| started(at));
                map.entry("required".into()).or_insert_with(|| Node::flag(true, at));
            }
            Ok(Some(Value::Map(map)))
        }
        Value::List(list) => {
            let mut map = Map::with_capacity(list.len());
            for node in list {
                let at = node.place();
                match node.value {
                    Value::Text(name) => {
                        let below = Node::pairs(at, [("condition", started(at)), ("required", Node::flag(true, at))]);
                        map.insert(name, Node { key: at, ..below });
                    }
                    _ => return fault(at, format!("{path} takes names of services")),
                }
            }
            Ok(Some(Value::Map(Box::new(map))))
        }
        _ => {
            let _ = at;
            Ok(None)
        }
    }
}

/// `external: {name: x}` is what once stood for `name: x` and `external: true`.
fn external(mut resource: Node, path: &Path<'_>) -> Result<Node> {
    let Some(map) = resource.as_map_mut() else { return Ok(resource) };
    let name = map.get("name").cloned();
    let Some(external) = map.get_mut("external") else { return Ok(resource) };
    let at = external.place();
    if let Value::Map(old) = &external.value {
        let old_name = old.get("name").cloned();
        external.value = Value::Bool(true);
        match (name, old_name) {
            (Some(name), Some(old)) if name != old => {
                return fault(
                    at,
                    format!("{path}: `name` and `external.name` differ; write `name` alone, with `external: true`"),
                );
            }
            (None, Some(old)) => drop(map.insert("name".into(), old)),
            _ => {}
        }
    }
    Ok(resource)
}

/// Takes empty entries out of lists where they mean nothing.
pub fn omit_empty(root: &mut Node) {
    for section in ["services", "jobs"] {
        let services = root.as_map_mut().and_then(|map| map.get_mut(section)).and_then(Node::as_map_mut);
        for service in services.into_iter().flat_map(|map| map.values_mut()) {
            if let Some(list) = service.as_map_mut().and_then(|map| map.get_mut("dns")).and_then(Node::as_list_mut) {
                list.retain(|node| !node.is_null() && node.as_text() != Some(""));
            }
        }
    }
}

/// Fills in what is left out.
pub fn defaults(node: &mut Node, path: &Path<'_>) -> Result<()> {
    let at = node.place();
    let wanted = path.with(|path| match path {
        ["services" | "jobs", _, "build"] => Some(Default::Build),
        ["services" | "jobs", _, "secrets", ITEM] => Some(Default::Secret),
        ["services" | "jobs", _, "ports", ITEM] => Some(Default::Port),
        ["services" | "jobs", _, "gpus", ITEM] => Some(Default::Device),
        ["services" | "jobs", _, "volumes", ITEM, "bind"] => Some(Default::Bind),
        ["services", _, "deploy", "resources", "reservations", "devices", ITEM] => Some(Default::Device),
        _ => None,
    });
    let Some(wanted) = wanted else {
        match &mut node.value {
            Value::Map(map) => {
                for (key, node) in map.iter_mut() {
                    defaults(node, &path.below(key))?;
                }
            }
            Value::List(list) => {
                for node in list {
                    defaults(node, &path.below(ITEM))?;
                }
            }
            _ => {}
        }
        return Ok(());
    };
    let Some(map) = node.as_map_mut() else {
        return match wanted {
            Default::Build | Default::Port => Ok(()),
            _ => fault(at, format!("{path} must be a mapping")),
        };
    };
    let mut default = |key: &str, value: Node| {
        map.entry(key.to_owned()).or_insert(value);
    };
    match wanted {
        Default::Build => default("context", Node::text(".", at)),
        Default::Port => {
            default("protocol", Node::text("tcp", at));
            default("mode", Node::text("ingress", at));
        }
        Default::Bind => default("create_host_path", Node::flag(true, at)),
        Default::Secret => {
            let source = map.get("source").map(Node::shown).unwrap_or_default();
            map.entry("target".into()).or_insert_with(|| Node::text(format!("/run/secrets/{source}"), at));
        }
        Default::Device => {
            if !map.contains_key("device_ids") {
                map.entry("count".into()).or_insert_with(|| Node::text("all", at));
            }
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Default {
    Build,
    Secret,
    Port,
    Device,
    Bind,
}
