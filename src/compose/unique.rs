//! Lists whose items stand for something once: what a later item defines anew takes the place of the earlier. Which lists these are, and
//! what their items stand for, is by path.

use std::collections::HashMap;

use super::fault::{Result, fault};
use super::node::{Node, Path, Value};
use super::short::volumes;

#[derive(Debug, Clone, Copy)]
enum By {
    /// What stands before the first `=`.
    Key,
    Volume,
    Device,
    Mount(&'static str),
    EnvFile,
    Exposed,
    Port,
}

fn by(path: &[&str]) -> Option<By> {
    match path {
        ["networks", _, "labels"] | ["networks", _, "ipam", "options"] => Some(By::Key),
        ["services", _, rest @ ..] => match rest {
            ["annotations" | "cap_add" | "cap_drop" | "dns" | "dns_opt" | "dns_search" | "environment" | "labels"] => {
                Some(By::Key)
            }
            ["links" | "profiles" | "sysctls" | "tmpfs"] | ["deploy", "labels"] => Some(By::Key),
            ["build", "args" | "additional_contexts" | "platform" | "tags" | "labels"] => Some(By::Key),
            ["networks", _, "aliases" | "link_local_ips"] => Some(By::Key),
            ["devices"] => Some(By::Device),
            ["volumes"] => Some(By::Volume),
            ["configs"] => Some(By::Mount("")),
            ["secrets"] => Some(By::Mount("/run/secrets")),
            ["env_file"] => Some(By::EnvFile),
            ["expose"] => Some(By::Exposed),
            ["ports"] => Some(By::Port),
            _ => None,
        },
        _ => None,
    }
}

pub fn unique(node: &mut Node, path: &Path<'_>) -> Result<()> {
    match &mut node.value {
        Value::Map(map) => {
            for (key, node) in map.iter_mut() {
                unique(node, &path.below(key))?;
            }
        }
        Value::List(list) => {
            if let Some(by) = path.with(by) {
                let mut places: HashMap<String, usize> = HashMap::with_capacity(list.len());
                let mut kept: Vec<Node> = Vec::with_capacity(list.len());
                for node in std::mem::take(list) {
                    let key = key(&node, by, path)?;
                    match places.get(&key) {
                        Some(&place) => kept[place] = node,
                        None => {
                            places.insert(key, kept.len());
                            kept.push(node);
                        }
                    }
                }
                *list = kept;
            }
        }
        _ => {}
    }
    Ok(())
}

fn key(node: &Node, by: By, path: &Path<'_>) -> Result<String> {
    let wrong = || fault(node.place(), format!("{path} cannot hold {}", node.kind()));
    let typed = |node: Option<&Node>| node.map(|node| format!("{}={}", node.kind(), node.shown())).unwrap_or_default();
    Ok(match (by, &node.value) {
        (By::Key, Value::Text(text)) => text.split('=').next().unwrap_or_default().to_owned(),
        (By::Volume, Value::Text(text)) => match volumes::parse(text) {
            Ok(volume) => volume.target,
            Err(what) => return fault(node.at, format!("{path}: {what}")),
        },
        (By::Volume | By::Device, Value::Map(map)) => match map.get("target").and_then(Node::as_text) {
            Some(target) => target.to_owned(),
            None => return fault(node.place(), format!("{path}: an entry needs the key `target`")),
        },
        (By::Device, Value::Text(text)) => {
            let mut parts = text.split(':');
            let first = parts.next().unwrap_or_default();
            parts.next().unwrap_or(first).to_owned()
        }
        (By::Mount(folder), Value::Text(text)) => format!("{folder}/{text}"),
        (By::Mount(folder), Value::Map(map)) => match map.get("target") {
            Some(target) => match target.as_text() {
                Some(target) => target.to_owned(),
                None => return wrong(),
            },
            None => format!("{folder}/{}", map.get("source").map(Node::shown).unwrap_or_default()),
        },
        (By::EnvFile, Value::Text(text)) => text.clone(),
        (By::EnvFile, Value::Map(map)) => match map.get("path").and_then(Node::as_text) {
            Some(path) => path.to_owned(),
            None => return fault(node.place(), format!("{path}: an entry needs the key `path`")),
        },
        (By::Exposed, Value::Text(text)) => text.clone(),
        (By::Exposed | By::Port, Value::Int(int)) => int.to_string(),
        (By::Port, Value::Text(text)) => text.clone(),
        (By::Port, Value::Map(map)) => {
            let Some(target) = map.get("target") else {
                return fault(node.place(), format!("{path}: an entry needs the key `target`"));
            };
            let or = |key: &str, default: &str| map.get(key).map_or(default.to_owned(), Node::shown);
            let (host, protocol) = (or("host_ip", "0.0.0.0"), or("protocol", "tcp"));
            format!("{host}|{}|{}|{protocol}", typed(map.get("published")), typed(Some(target)))
        }
        (By::Volume | By::Device | By::EnvFile | By::Port, _) => String::new(),
        (By::Key | By::Mount(_) | By::Exposed, _) => return wrong(),
    })
}
