//! What a whole model must not say, although each part of it may be said: things that exclude each other. Reads the long forms only.

use super::fault::{Result, fault};
use super::node::{Node, Path};

pub fn validate(model: &Node) -> Result<()> {
    let section = |name: &str| model.get(name).and_then(Node::as_map).into_iter().flatten();
    for (name, volume) in section("volumes") {
        let Some(map) = volume.as_map() else { continue };
        let external = map.get("external").is_some_and(|node| node.shown() == "true");
        let Some((key, node)) =
            map.iter().find(|(key, _)| !matches!(key.as_str(), "name" | "external") && !key.starts_with("x-"))
        else {
            continue;
        };
        if external {
            return fault(node.key, format!("volumes.{name} is external, so that it has no `{key}` here"));
        }
    }
    for (name, config) in section("configs") {
        one_source("configs", name, config, &["file", "environment", "content"])?;
    }
    for (name, secret) in section("secrets") {
        one_source("secrets", name, secret, &["file", "environment"])?;
    }
    for (name, service) in section("services") {
        let path = Path::ROOT.below("services");
        of_service(service, &path.below(name))?;
    }
    Ok(())
}

fn one_source(section: &str, name: &str, node: &Node, keys: &[&str]) -> Result<()> {
    let Some(map) = node.as_map() else { return fault(node.place(), format!("{section}.{name} must be a mapping")) };
    let given: Vec<&str> = keys.iter().copied().filter(|key| map.contains_key(*key)).collect();
    let listed = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    match given.len() {
        1 => Ok(()),
        0 if map.contains_key("driver") || map.contains_key("external") => Ok(()),
        0 => fault(node.place(), format!("{section}.{name} needs one of {listed}")),
        _ => fault(map[given[1]].key, format!("{section}.{name} can have only one of {listed}")),
    }
}

fn of_service(service: &Node, path: &Path<'_>) -> Result<()> {
    for port in service.get("ports").and_then(Node::as_list).into_iter().flatten() {
        if let Some(node) = port.get("host_ip") {
            let address = node.as_text().unwrap_or_default();
            if address.parse::<std::net::IpAddr>().is_err() {
                let address: String = address.chars().take(40).collect();
                return fault(node.place(), format!("{path}.ports: `{address}` is no IP address"));
            }
        }
    }
    for watch in service.find(&["develop", "watch"]).and_then(Node::as_list).into_iter().flatten() {
        if let Some(node) = watch.get("path")
            && node.as_text().is_none_or(str::is_empty)
        {
            return fault(node.place(), format!("{path}.develop.watch: the path is empty"));
        }
    }
    let reserved = service.find(&["deploy", "resources", "reservations", "devices"]).and_then(Node::as_list);
    let gpus = service.get("gpus").and_then(Node::as_list);
    for device in reserved.into_iter().chain(gpus).flatten() {
        if device.get("count").is_some() && device.get("device_ids").is_some() {
            return fault(device.place(), format!("{path}: a device has either `count` or `device_ids`"));
        }
    }
    Ok(())
}
