//! Whether the enabled services fit together: what they refer to is there, and nothing is said twice differently. Reads the canonical
//! form; changes one thing in it, the replicas that `scale` stands for.

use std::collections::HashMap;

use serde_json::{Map as Object, Value as Json};

use super::fault::{Result, fault};
use super::node::{Mark, Node};

type Things = Object<String, Json>;

/// A model with its services apart: enabled and not.
pub struct Parts<'a> {
    pub json: &'a mut Object<String, Json>,
    pub disabled: &'a Things,
    pub disabled_jobs: &'a Things,
    /// Where things are written.
    pub model: &'a Node,
}

impl Parts<'_> {
    fn place(&self, path: &[&str]) -> Mark {
        for length in (1..=path.len()).rev() {
            if let Some(node) = self.model.find(&path[..length])
                && node.place().known()
            {
                return node.key.or(node.at);
            }
        }
        Mark::default()
    }

    fn has(&self, section: &str, name: &str) -> bool {
        self.json.get(section).and_then(Json::as_object).is_some_and(|things| things.contains_key(name))
    }
}

fn at<'a>(json: &'a Json, path: &[&str]) -> Option<&'a Json> {
    path.iter().try_fold(json, |json, key| json.get(key))
}

fn list<'a>(json: &'a Json, path: &[&str]) -> impl Iterator<Item = &'a Json> {
    at(json, path).and_then(Json::as_array).into_iter().flatten()
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json.get(key).and_then(Json::as_str).unwrap_or_default()
}

pub fn consistent(parts: &mut Parts<'_>) -> Result<()> {
    let mut services = match parts.json.remove("services") {
        Some(Json::Object(services)) => services,
        _ => Things::new(),
    };
    of_all(parts, &services)?;
    for service in services.values_mut() {
        let Some(scale) = service.get("scale").cloned() else { continue };
        if let Some(deploy) = service.get_mut("deploy").and_then(Json::as_object_mut) {
            deploy.insert("replicas".into(), scale);
        }
    }
    parts.json.insert("services".into(), Json::Object(services));
    Ok(())
}

fn of_all(parts: &Parts<'_>, services: &Things) -> Result<()> {
    for (name, service) in services {
        of_service(parts, services, name, service)?;
    }
    let jobs = parts.json.get("jobs").and_then(Json::as_object).cloned().unwrap_or_default();
    for name in jobs.keys().chain(parts.disabled_jobs.keys()) {
        if services.contains_key(name) || parts.disabled.contains_key(name) {
            return fault(parts.place(&["jobs", name]), format!("`{name}` is both a service and a job; their names must differ"));
        }
    }
    for (name, job) in &jobs {
        for (other, dependency) in job.get("depends_on").and_then(Json::as_object).into_iter().flatten() {
            let optional = dependency.get("required") == Some(&Json::Bool(false));
            if jobs.contains_key(other) || services.contains_key(other) || (optional && parts.disabled.contains_key(other)) {
                continue;
            }
            let place = parts.place(&["jobs", name, "depends_on", other]);
            return fault(place, format!("jobs.{name} depends on `{other}`, which is neither a service nor a job here"));
        }
    }
    for (name, secret) in parts.json.get("secrets").and_then(Json::as_object).into_iter().flatten() {
        let external = secret.get("external") == Some(&Json::Bool(true));
        if !external && text(secret, "file").is_empty() && text(secret, "environment").is_empty() {
            return fault(parts.place(&["secrets", name]), format!("secrets.{name} needs `file` or `environment`"));
        }
    }
    cycles(parts, services)
}

fn of_service(parts: &Parts<'_>, services: &Things, name: &str, service: &Json) -> Result<()> {
    let wrong = |below: &[&str], what: String| {
        let path: Vec<&str> = ["services", name].iter().chain(below).copied().collect();
        fault(parts.place(&path), format!("services.{name}{what}"))
    };
    if service.get("build").is_none() && service.get("provider").is_none() && text(service, "image").is_empty() {
        return wrong(&[], " needs `image` or `build`".into());
    }
    if let Some(build) = service.get("build") {
        of_build(parts, services, name, service, build)?;
    }
    if !text(service, "network_mode").is_empty() && service.get("networks").is_some() {
        return wrong(&["network_mode"], " has either `network_mode` or `networks`".into());
    }
    for network in service.get("networks").and_then(Json::as_object).into_iter().flat_map(Object::keys) {
        if !parts.has("networks", network) {
            return wrong(&["networks", network], format!(".networks: there is no network `{network}` below `networks`"));
        }
    }
    if let Some(first) = list(service, &["healthcheck", "test"]).next()
        && !matches!(first.as_str(), Some("CMD" | "CMD-SHELL" | "NONE"))
    {
        return wrong(&["healthcheck", "test"], ".healthcheck.test begins with \"CMD\", \"CMD-SHELL\" or \"NONE\"".into());
    }
    for (other, dependency) in service.get("depends_on").and_then(Json::as_object).into_iter().flatten() {
        let optional = dependency.get("required") == Some(&Json::Bool(false));
        if services.contains_key(other) || (optional && parts.disabled.contains_key(other)) {
            continue;
        }
        let below = ["depends_on", other];
        if parts.has("jobs", other) {
            return wrong(&below, format!(".depends_on: `{other}` is a job, and services wait for services only"));
        }
        if let Some(disabled) = parts.disabled.get(other) {
            let profiles: Vec<&str> = list(disabled, &["profiles"]).filter_map(Json::as_str).collect();
            return wrong(&below, format!(".depends_on: `{other}` is not enabled; its profiles are {}", profiles.join(", ")));
        }
        return wrong(&below, format!(".depends_on: there is no service `{other}`"));
    }
    if let Some(other) = text(service, "network_mode").strip_prefix("service:")
        && !services.contains_key(other)
    {
        return wrong(&["network_mode"], format!(".network_mode: there is no service `{other}`"));
    }
    for volume in list(service, &["volumes"]) {
        let source = text(volume, "source");
        if text(volume, "type") == "volume" && !source.is_empty() && !parts.has("volumes", source) {
            return wrong(
                &["volumes"],
                format!(".volumes: there is no volume `{source}` below `volumes`; a folder begins with `./`"),
            );
        }
    }
    for (key, section) in [("configs", "configs"), ("secrets", "secrets")] {
        for file in list(service, &[key]) {
            let source = text(file, "source");
            if !parts.has(section, source) {
                return wrong(&[key], format!(".{key}: there is no `{source}` below `{section}`"));
            }
        }
    }
    for model in service.get("models").and_then(Json::as_object).into_iter().flat_map(Object::keys) {
        if !parts.has("models", model) {
            return wrong(&["models", model], format!(".models: there is no model `{model}` below `models`"));
        }
    }
    numbers(name, service, &wrong)?;
    for watch in list(service, &["develop", "watch"]) {
        if text(watch, "target").is_empty() && !matches!(text(watch, "action"), "rebuild" | "restart") {
            return wrong(&["develop", "watch"], ".develop.watch needs `target`, unless its action is rebuild or restart".into());
        }
    }
    let mut mounted: HashMap<&str, ()> = HashMap::new();
    let tmpfs =
        list(service, &["tmpfs"]).filter_map(Json::as_str).map(|tmpfs| ("tmpfs", tmpfs.split(':').next().unwrap_or(tmpfs)));
    let volumes = list(service, &["volumes"]).map(|volume| ("volumes", text(volume, "target")));
    for (key, target) in tmpfs.chain(volumes) {
        if mounted.insert(target, ()).is_some() {
            return wrong(&[key], format!(".{key}: something is mounted at `{target}` already"));
        }
    }
    Ok(())
}

fn of_build(parts: &Parts<'_>, services: &Things, name: &str, service: &Json, build: &Json) -> Result<()> {
    let wrong =
        |key: &str, what: String| fault(parts.place(&["services", name, "build", key]), format!("services.{name}.build{what}"));
    if !text(build, "dockerfile").is_empty() && !text(build, "dockerfile_inline").is_empty() {
        return wrong("dockerfile_inline", " has either `dockerfile` or `dockerfile_inline`".into());
    }
    for context in build.get("additional_contexts").and_then(Json::as_object).into_iter().flat_map(Object::values) {
        let Some(other) = context.as_str().and_then(|context| context.strip_prefix("service:")) else { continue };
        match services.get(other).or_else(|| parts.disabled.get(other)) {
            None => return wrong("additional_contexts", format!(".additional_contexts: there is no service `{other}`")),
            Some(other_service) if other_service.get("build").is_none() => {
                return wrong("additional_contexts", format!(".additional_contexts: the service `{other}` is not built"));
            }
            Some(_) => {}
        }
    }
    let platform = text(service, "platform");
    let mut platforms = list(build, &["platforms"]).peekable();
    if !platform.is_empty() && platforms.peek().is_some() && !platforms.any(|one| one.as_str() == Some(platform)) {
        return wrong("platforms", format!(".platforms must hold the service's `platform`, {platform}"));
    }
    for secret in list(build, &["secrets"]) {
        let source = text(secret, "source");
        if !parts.has("secrets", source) {
            return wrong("secrets", format!(".secrets: there is no `{source}` below `secrets`"));
        }
    }
    Ok(())
}

/// What can be said in two places is said the same.
fn numbers(name: &str, service: &Json, wrong: &dyn Fn(&[&str], String) -> Result<()>) -> Result<()> {
    let scale = service.get("scale").and_then(Json::as_i64);
    let replicas = at(service, &["deploy", "replicas"]).and_then(Json::as_i64);
    if let (Some(scale), Some(replicas)) = (scale, replicas)
        && scale != replicas
    {
        return wrong(&["scale"], " has `scale` and `deploy.replicas`, and they differ".into());
    }
    if scale.is_some_and(|scale| scale < 0) {
        return wrong(&["scale"], ".scale must be at least 0".into());
    }
    if replicas.is_some_and(|replicas| replicas < 0) {
        return wrong(&["deploy", "replicas"], ".deploy.replicas must be at least 0".into());
    }
    let pairs = [
        ("cpus", "limits", "cpus"),
        ("mem_limit", "limits", "memory"),
        ("mem_reservation", "reservations", "memory"),
        ("pids_limit", "limits", "pids"),
    ];
    for (key, group, below) in pairs {
        let (Some(own), Some(group_json)) = (service.get(key), at(service, &["deploy", "resources", group])) else { continue };
        if group_json.get(below) != Some(own) {
            return wrong(&[key], format!(" has `{key}` and `deploy.resources.{group}.{below}`, and they differ"));
        }
    }
    if scale.or(replicas).unwrap_or(1) > 1 && !text(service, "container_name").is_empty() {
        let key = if scale.is_some() { "scale" } else { "deploy.replicas" };
        return wrong(&["container_name"], format!(" has `container_name` and `{key}`: {name} can run only once under a name"));
    }
    Ok(())
}

/// Names of a ring that are told.
const RING: usize = 12;

/// Services that wait for each other would never start.
fn cycles(parts: &Parts<'_>, services: &Things) -> Result<()> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Open,
        Done,
    }
    let next = |name: &str| -> Vec<&str> {
        let dependencies = services.get(name).and_then(|service| service.get("depends_on")?.as_object());
        dependencies
            .into_iter()
            .flat_map(Object::keys)
            .filter(|other| services.contains_key(*other))
            .map(String::as_str)
            .collect()
    };
    let mut seen: HashMap<&str, Seen> = HashMap::new();
    for start in services.keys() {
        if seen.contains_key(start.as_str()) {
            continue;
        }
        let mut stack = vec![(start.as_str(), next(start))];
        seen.insert(start, Seen::Open);
        while let Some((name, left)) = stack.last_mut() {
            match left.pop() {
                None => {
                    seen.insert(name, Seen::Done);
                    stack.pop();
                }
                Some(other) => match seen.get(other) {
                    Some(Seen::Done) => {}
                    Some(Seen::Open) => {
                        let from = stack.iter().position(|(name, _)| *name == other).unwrap_or(0);
                        let mut names: Vec<&str> = stack[from..].iter().map(|(name, _)| *name).chain([other]).collect();
                        if names.len() > RING {
                            names.splice(RING / 2..names.len() - RING / 2, ["…"]);
                        }
                        let last = stack.last().map_or(other, |(name, _)| name);
                        let place = parts.place(&["services", last, "depends_on", other]);
                        return fault(place, format!("services wait for each other: {}", names.join(" → ")));
                    }
                    None => {
                        seen.insert(other, Seen::Open);
                        stack.push((other, next(other)));
                    }
                },
            }
        }
    }
    Ok(())
}
