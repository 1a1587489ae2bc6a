//! Ports in one text: `[[IP:]PUBLISHED:]TARGET[/PROTOCOL]`, where both may be ranges. A range becomes as many ports as it names.

use std::net::IpAddr;

use super::super::budget::Budget;
use super::super::fault::{Result, fault};
use super::super::node::{Mark, Node, Path, Value};

const RIGHT: &str = "write [[IP:]PUBLISHED:]TARGET[/PROTOCOL], such as \"8080:80\", \"127.0.0.1:5432:5432\" or \"53:53/udp\"";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub ip: String,
    /// Empty, a number or a range.
    pub published: String,
    pub target: u16,
    pub protocol: String,
}

pub fn canonical(list: Vec<Node>, path: &Path<'_>, budget: &mut Budget) -> Result<Vec<Node>> {
    let mut nodes = Vec::with_capacity(list.len());
    for node in list {
        let at = node.place();
        let text = match &node.value {
            Value::Int(int) => int.to_string(),
            Value::Text(text) => text.clone(),
            Value::Map(_) => {
                nodes.push(node);
                continue;
            }
            _ => return fault(at, format!("{path} cannot hold {}; {RIGHT}", node.kind())),
        };
        let ports = match parse(&text) {
            Ok(ports) => ports,
            Err(what) => {
                let text: String = text.chars().take(60).collect();
                return fault(at, format!("{path}: `{text}`: {what}; {RIGHT}"));
            }
        };
        budget.nodes(6 * ports.len(), at)?;
        nodes.extend(ports.into_iter().map(|port| port.into_node(at)));
    }
    Ok(nodes)
}

impl Port {
    fn into_node(self, at: Mark) -> Node {
        let mut node = Node::pairs(
            at,
            [
                ("mode", Node::text("ingress", at)),
                ("target", Node::new(Value::Int(self.target.into()), at)),
                ("protocol", Node::text(self.protocol, at)),
            ],
        );
        if let Some(map) = node.as_map_mut() {
            if !self.published.is_empty() {
                map.insert("published".into(), Node::text(self.published, at));
            }
            if !self.ip.is_empty() {
                map.insert("host_ip".into(), Node::text(self.ip, at));
            }
            if self.target == 0 {
                map.shift_remove("target");
            }
        }
        node
    }
}

/// In the order of the texts that name them, as the reference has them.
pub fn parse(text: &str) -> Result<Vec<Port>, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (ip, published, target) = match parts[..] {
        [target] => (String::new(), "", target),
        [published, target] => (String::new(), published, target),
        [ref ip @ .., published, target] => (ip.join(":"), published, target),
        [] => return Err("there is no port".into()),
    };
    let ip = address(&ip)?;
    let (target, protocol) = match target.split_once('/') {
        Some((target, rest)) => (target, rest.split('/').next().filter(|protocol| !protocol.is_empty()).unwrap_or("tcp")),
        None => (target, "tcp"),
    };
    if target.is_empty() {
        return Err("there is no port of the container".into());
    }
    let targets = range(target).ok_or_else(|| format!("`{target}` is no port and no range of ports"))?;
    let publisheds = match published {
        "" => None,
        _ => Some(range(published).ok_or_else(|| format!("`{published}` is no port and no range of ports"))?),
    };
    let protocol = protocol.to_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("the protocol is tcp, udp or sctp, not `{protocol}`"));
    }
    let single = targets.0 == targets.1;
    if let Some(publisheds) = publisheds
        && publisheds.1 - publisheds.0 != targets.1 - targets.0
        && !single
    {
        return Err("the two ranges differ in length".into());
    }
    let mut ports = Vec::with_capacity(usize::from(targets.1 - targets.0) + 1);
    for target in targets.0..=targets.1 {
        let published = match publisheds {
            None => String::new(),
            Some((first, last)) if single && first != last => format!("{first}-{last}"),
            Some((first, _)) => (first + (target - targets.0)).to_string(),
        };
        ports.push(Port { ip: ip.clone(), published, target, protocol: protocol.clone() });
    }
    ports.sort_by_cached_key(|port| format!("{}/", port.target));
    Ok(ports)
}

/// With IPv6 in brackets.
fn address(text: &str) -> Result<String, String> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or_else(|| format!("`{text}` is no address"))?,
        None if text.contains(':') => return Err(format!("an IPv6 address stands in brackets: [{text}]")),
        None => text,
    };
    if !bare.is_empty() && bare.parse::<IpAddr>().is_err() {
        return Err(format!("`{bare}` is no IP address"));
    }
    Ok(bare.to_owned())
}

fn range(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| if text.bytes().all(|b| b.is_ascii_digit()) { text.parse::<u16>().ok() } else { None };
    let mut parts = text.split('-');
    let first = number(parts.next()?)?;
    let last = match parts.next() {
        Some(last) => number(last)?,
        None => first,
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let show = |port: Port| format!("{}|{}|{}|{}", port.ip, port.published, port.target, port.protocol);
        parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).into_iter().map(show).collect()
    }

    #[test]
    fn forms() {
        assert_eq!(shown("80"), ["||80|tcp"]);
        assert_eq!(shown("8080:80/udp"), ["|8080|80|udp"]);
        assert_eq!(shown("127.0.0.1:8080:80"), ["127.0.0.1|8080|80|tcp"]);
        assert_eq!(shown("127.0.0.1::80"), ["127.0.0.1||80|tcp"]);
        assert_eq!(shown("[::1]:8080:80/SCTP"), ["::1|8080|80|sctp"]);
        assert_eq!(shown("9-10:9-10"), ["|10|10|tcp", "|9|9|tcp"]);
        assert_eq!(shown("3000-3005:80"), ["|3000-3005|80|tcp"]);
        assert_eq!(shown("3000-3001"), ["||3000|tcp", "||3001|tcp"]);
        assert_eq!(shown("0080:080"), ["|80|80|tcp"]);
    }

    #[test]
    fn what_is_no_port() {
        for text in
            ["", ":", "a", "80:", "70000", "80:70000", "1-2:1-3", "5-1", "x:80:80", "::1:80:80", "80/http", "-1", "+80", "80 "]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[0-9:/\\-\\[\\]a-z.]{0,30}") {
            let _ = parse(&text);
        }

        #[test]
        fn ranges_are_as_long_as_they_say(first in 1u16..60000, length in 0u16..300) {
            let last = first + length;
            let ports = parse(&format!("{first}-{last}:{first}-{last}")).unwrap();
            prop_assert_eq!(ports.len(), usize::from(length) + 1);
            prop_assert!(ports.iter().all(|port| port.published == port.target.to_string()));
        }
    }
}
