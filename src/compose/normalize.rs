//! What a model means without saying it: the network that services are on, names, the services that a service waits for. Adds only; takes
//! nothing away and reads nothing from elsewhere but the environment.

use super::budget::Budget;
use super::fault::{Result, fault};
use super::load::Environment;
use super::node::{Map, Mark, Node, Path, Value};
use super::spec::CONTAINER;
use super::{merge, paths};

pub fn normalize(model: &mut Node, name: &str, environment: &Environment, budget: &mut Budget) -> Result<()> {
    let Some(model) = model.as_map_mut() else { return Ok(()) };
    networks(model)?;
    for section in ["services", "jobs"] {
        for (name, container) in model.get_mut(section).and_then(Node::as_map_mut).into_iter().flatten() {
            let at = container.place();
            match container.as_map_mut() {
                Some(container) => of_container(container, at, environment, &format!("{section}.{name}"), budget)?,
                None => return fault(at, format!("{section}.{name} must be a mapping")),
            }
        }
    }
    names(model, name);
    Ok(())
}

fn networks(model: &mut Map) -> Result<()> {
    let mut default_used = false;
    for section in ["services", "jobs"] {
        for container in model.get_mut(section).and_then(Node::as_map_mut).into_iter().flat_map(|map| map.values_mut()) {
            let at = container.place();
            let Some(container) = container.as_map_mut() else { continue };
            if container.contains_key("provider") || container.contains_key("network_mode") {
                continue;
            }
            let networks = container.entry("networks".into()).or_insert_with(|| Node::map(Map::new(), at));
            let Some(networks) = networks.as_map_mut() else { return fault(at, "networks must be a mapping") };
            if networks.is_empty() {
                networks.insert("default".into(), Node { key: at, ..Node::default() });
            }
            default_used |= networks.contains_key("default");
        }
    }
    if default_used {
        let networks = model.entry("networks".into()).or_insert_with(|| Node::map(Map::new(), Mark::default()));
        if let Some(networks) = networks.as_map_mut() {
            networks.entry("default".into()).or_default();
        }
    }
    Ok(())
}

fn of_container(container: &mut Map, at: Mark, environment: &Environment, name: &str, budget: &mut Budget) -> Result<()> {
    if container.get("pull_policy").and_then(Node::as_text) == Some("if_not_present")
        && let Some(policy) = container.get_mut("pull_policy")
    {
        policy.value = Value::Text("missing".into());
    }
    if let Some(build) = container.get_mut("build") {
        let at = build.place();
        let Some(build) = build.as_map_mut() else { return fault(at, format!("{name}.build must be a mapping")) };
        let absent = |map: &Map, key: &str| map.get(key).is_none_or(Node::is_null);
        if absent(build, "context") {
            build.insert("context".into(), Node::text(".", at));
        }
        if absent(build, "dockerfile") && absent(build, "dockerfile_inline") {
            build.insert("dockerfile".into(), Node::text("Dockerfile", at));
        }
        if let Some(args) = build.get_mut("args") {
            with_environment(args, environment, false);
        }
    }
    if let Some(variables) = container.get_mut("environment") {
        with_environment(variables, environment, true);
    }
    depends_on(container, at, name)?;
    for volume in container.get_mut("volumes").and_then(Node::as_list_mut).into_iter().flatten() {
        let at = volume.place();
        match volume.as_map_mut().and_then(|map| map.get_mut("target")).map(|node| &mut node.value) {
            Some(Value::Text(target)) => *target = paths::clean(target),
            _ => return fault(at, format!("{name}.volumes: a mount needs the key `target`")),
        }
    }
    hooks(container, budget)
}

/// Names without a value take the environment's.
fn with_environment(node: &mut Node, environment: &Environment, keep: bool) {
    match &mut node.value {
        Value::List(list) => {
            list.retain_mut(|node| {
                let Some(text) = node.as_text() else { return false };
                if text.contains('=') {
                    return true;
                }
                match environment.get(text) {
                    Some(value) => {
                        *node = Node::text(format!("{text}={value}"), node.at);
                        true
                    }
                    None => keep,
                }
            });
        }
        Value::Map(map) => map.retain(|key, node| {
            if node.is_null() {
                match environment.get(key.as_str()) {
                    Some(value) => node.value = Value::Text(value.clone()),
                    None => return keep,
                }
            }
            true
        }),
        _ => {}
    }
}

/// What a service uses of another, it waits for.
fn depends_on(container: &mut Map, at: Mark, name: &str) -> Result<()> {
    let mut wanted: Vec<(String, bool, Mark)> = Vec::new();
    let text = |node: &Node, key: &str| match node.as_text() {
        Some(text) => Ok(text.to_owned()),
        None => fault(node.place(), format!("{name}.{key} must be a text")),
    };
    for link in container.get("links").and_then(Node::as_list).into_iter().flatten() {
        let link_text = text(link, "links")?;
        let parts: Vec<&str> = link_text.split(':').collect();
        let service = if parts.len() == 2 { parts[0] } else { &link_text };
        wanted.push((service.to_owned(), true, link.at));
    }
    for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        let Some(node) = container.get(key).filter(|node| !node.is_null()) else { continue };
        if let Some(service) = text(node, key)?.strip_prefix("service:") {
            wanted.push((service.to_owned(), true, node.at));
        }
    }
    for node in container.get("volumes_from").and_then(Node::as_list).into_iter().flatten() {
        let from = text(node, "volumes_from")?;
        if !from.starts_with("container:") {
            wanted.push((from.split(':').next().unwrap_or_default().to_owned(), false, node.at));
        }
    }
    if wanted.is_empty() {
        if container.get("depends_on").and_then(Node::as_map).is_some_and(Map::is_empty) {
            container.shift_remove("depends_on");
        }
        return Ok(());
    }
    let dependencies = container.entry("depends_on".into()).or_insert_with(|| Node::map(Map::new(), at));
    let place = dependencies.place();
    let Some(dependencies) = dependencies.as_map_mut() else {
        return fault(place, format!("{name}.depends_on must be a mapping"));
    };
    for (service, restart, at) in wanted {
        dependencies.entry(service).or_insert_with(|| {
            let condition = Node::text("service_started", at);
            let node = Node::pairs(
                at,
                [("condition", condition), ("restart", Node::flag(restart, at)), ("required", Node::flag(true, at))],
            );
            Node { key: at, ..node }
        });
    }
    Ok(())
}

/// What runs before a service is run as the service is, but for its mounts.
fn hooks(container: &mut Map, budget: &mut Budget) -> Result<()> {
    let Some(mut hooks) = container.shift_remove("pre_start") else { return Ok(()) };
    let inherited = |key: &str| key != "volumes" && CONTAINER.iter().any(|field| field.name == key);
    for hook in hooks.as_list_mut().into_iter().flatten() {
        let at = hook.at;
        if hook.as_map().is_none() {
            continue;
        }
        let mut base = Map::new();
        for (key, node) in container.iter().filter(|(key, _)| inherited(key)) {
            base.insert(key.clone(), budget.copy(node)?);
        }
        let services = Path::ROOT.below("services");
        *hook = merge::merge(Node::map(base, at), std::mem::take(hook), &services.below("hook"))?;
    }
    container.insert("pre_start".into(), hooks);
    Ok(())
}

/// What has no name of its own is named by its key, within the project.
fn names(model: &mut Map, project: &str) {
    for section in ["networks", "volumes", "configs", "secrets"] {
        for (key, resource) in model.get_mut(section).and_then(Node::as_map_mut).into_iter().flatten() {
            if resource.is_null() {
                resource.value = Value::Map(Box::default());
            }
            let at = resource.place();
            let Some(resource) = resource.as_map_mut() else { continue };
            if resource.get("name").is_some_and(|name| !name.is_null()) {
                continue;
            }
            let external =
                resource.get("external").is_some_and(|node| matches!(node.shown().as_str(), "true" | "1" | "t" | "T" | "TRUE"));
            let name = if external { key.clone() } else { format!("{project}_{key}") };
            resource.insert("name".into(), Node::text(name, at));
        }
    }
}
