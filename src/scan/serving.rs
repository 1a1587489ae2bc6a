//! Which container of a pod answers at a port of a Service.
//!
//! Invariant: what containers declare decides; where they declare nothing, all that could answer are named, and that it is not sure.

use super::objects::{Container, PodSpec, ServicePort, Target};

pub struct Serving<'a> {
    pub containers: Vec<&'a Container>,
    /// No other can.
    pub sure: bool,
}

pub fn serving<'a>(pod: &'a PodSpec, port: &ServicePort, target: Option<u16>) -> Serving<'a> {
    let all: Vec<&Container> = pod.containers.iter().collect();
    if all.len() < 2 {
        return Serving { containers: all, sure: true };
    }
    let declares = |c: &&&Container| match (&port.target_port, target) {
        (Some(Target::Name(name)), _) => c.ports.iter().any(|p| p.name == *name),
        (_, Some(number)) => c.ports.iter().any(|p| p.container_port == number),
        _ => false,
    };
    let declared: Vec<&Container> = all.iter().filter(declares).copied().collect();
    if !declared.is_empty() {
        return Serving { containers: declared, sure: true };
    }
    let silent: Vec<&Container> = all.iter().filter(|c| c.ports.is_empty()).copied().collect();
    match silent.len() {
        0 => Serving { containers: all, sure: false },
        1 => Serving { containers: silent, sure: true },
        _ => Serving { containers: silent, sure: false },
    }
}

/// The program that a container is told to run, without its folder: of `sh -c "exec redis-server /etc/redis.conf"` the server.
pub fn program(container: &Container) -> Option<String> {
    let words = container.command.iter().chain(&container.args).flat_map(|part| part.split_whitespace());
    let base = |word: &str| word.rsplit('/').next().unwrap_or_default().trim_matches(['"', '\'', ';']).to_owned();
    let wrapper = |word: &String| {
        matches!(word.as_str(), "sh" | "bash" | "ash" | "dash" | "exec" | "tini" | "env" | "gosu" | "dumb-init")
            || word.starts_with('-')
            || word.contains('=')
            || word.is_empty()
            || word.ends_with(".sh")
            || word.contains("entrypoint")
    };
    words.take(8).map(base).find(|word| !wrapper(word))
}
