//! Several files become one tree: mappings are joined, lists appended, scalars replaced, with the exceptions that the specification makes
//! by path. The later side always wins; nothing is ever checked here but what cannot be joined.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::fault::{Result, fault};
use super::node::{Map, Node, Path, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Replace,
    /// Both sides as lists of `KEY=value`.
    Sequence,
    Build,
    Dependencies,
    /// Names, with or without something below.
    Names,
    Logging,
    Limit,
    Pools,
}

fn rule(path: &[&str]) -> Option<Rule> {
    match path {
        ["networks", _, "ipam", "config"] => Some(Rule::Pools),
        ["networks" | "volumes", _, "labels"] | ["services", _, "deploy", "labels"] => Some(Rule::Sequence),
        ["services" | "jobs", _, rest @ ..] => match rest {
            ["annotations" | "dns" | "dns_opt" | "dns_search" | "env_file" | "label_file" | "environment"] => {
                Some(Rule::Sequence)
            }
            ["extra_hosts" | "labels" | "sysctls" | "tmpfs"] => Some(Rule::Sequence),
            ["build", "args" | "additional_contexts" | "extra_hosts" | "labels"] => Some(Rule::Sequence),
            ["build"] => Some(Rule::Build),
            ["command" | "entrypoint"] | ["healthcheck", "test"] => Some(Rule::Replace),
            ["depends_on"] => Some(Rule::Dependencies),
            ["models" | "networks"] => Some(Rule::Names),
            ["logging"] => Some(Rule::Logging),
            ["ulimits", _] => Some(Rule::Limit),
            _ => None,
        },
        _ => None,
    }
}

/// What `over` makes of `base`.
pub fn merge(base: Node, over: Node, path: &Path<'_>) -> Result<Node> {
    let key = over.key.or(base.key);
    let at = base.at;
    let joined = match path.with(rule) {
        None => plain(base, over, path)?,
        Some(Rule::Replace) => over,
        Some(Rule::Sequence) => {
            let at = over.at;
            Node::new(Value::List(append(sequence(base), sequence(over))), at)
        }
        Some(Rule::Build) => match (as_build(base), as_build(over)) {
            (Some(base), Some(over)) => Node::map(maps(base, over, path)?, at),
            (Some(base), None) => Node::map(base, at),
            _ => return cannot(path, at),
        },
        Some(Rule::Dependencies) => {
            let (base, over) = (named(base, path, true)?, named(over, path, true)?);
            Node::map(maps(base, over, path)?, at)
        }
        Some(Rule::Names) => {
            let (base, over) = (named(base, path, false)?, named(over, path, false)?);
            Node::map(maps(base, over, path)?, at)
        }
        Some(Rule::Logging) => logging(base, over, path)?,
        Some(Rule::Limit) => match (base.value, over.value) {
            (Value::Map(base), Value::Map(over)) => Node::map(maps(*base, *over, path)?, at),
            (_, value) => Node::new(value, over.at),
        },
        Some(Rule::Pools) => pools(base, over, path)?,
    };
    Ok(Node { key, ..joined })
}

fn cannot<T>(path: &Path<'_>, at: super::node::Mark) -> Result<T> {
    fault(at, format!("{path} is written as different kinds of values, which cannot be joined"))
}

fn plain(base: Node, over: Node, path: &Path<'_>) -> Result<Node> {
    if over.is_null() {
        return Ok(base);
    }
    let place = over.place();
    match (base.value, over.value) {
        (Value::Map(left), Value::Map(right)) => Ok(Node::map(maps(*left, *right, path)?, base.at)),
        (Value::List(left), Value::List(right)) => Ok(Node::new(Value::List(append(left, right)), base.at)),
        (Value::Map(_) | Value::List(_), _) => cannot(path, place),
        (_, value) => Ok(Node::new(value, over.at)),
    }
}

pub fn maps(mut base: Map, over: Map, path: &Path<'_>) -> Result<Map> {
    for (key, node) in over {
        match base.get_mut(&key) {
            None => {
                base.insert(key, node);
            }
            Some(slot) => {
                let old = std::mem::take(slot);
                *slot = merge(old, node, &path.below(&key))?;
            }
        }
    }
    Ok(base)
}

/// The same for equal nodes, in whatever order their mappings are.
fn hash(node: &Node) -> u64 {
    let mut state = DefaultHasher::new();
    match &node.value {
        Value::Null => 0u8.hash(&mut state),
        Value::Bool(flag) => flag.hash(&mut state),
        Value::Int(int) => int.hash(&mut state),
        Value::Big(int) => int.hash(&mut state),
        // Two zeros are equal.
        Value::Float(float) => (float + 0.0).to_bits().hash(&mut state),
        Value::Time(time) => time.hash(&mut state),
        Value::Text(text) => text.hash(&mut state),
        Value::List(list) => {
            for node in list {
                hash(node).hash(&mut state);
            }
        }
        Value::Map(map) => {
            let entry = |(key, node): (&String, &Node)| {
                let mut state = DefaultHasher::new();
                key.hash(&mut state);
                hash(node).hash(&mut state);
                state.finish()
            };
            map.iter().map(entry).fold(0u64, u64::wrapping_add).hash(&mut state);
        }
    }
    state.finish()
}

/// Those of the second list that are not in the first already.
fn append(mut base: Vec<Node>, over: Vec<Node>) -> Vec<Node> {
    let mut seen: HashMap<u64, Vec<usize>> = HashMap::with_capacity(base.len());
    for (index, node) in base.iter().enumerate() {
        seen.entry(hash(node)).or_default().push(index);
    }
    for node in over {
        let same = seen.entry(hash(&node)).or_default();
        if !same.iter().any(|index| base[*index] == node) {
            same.push(base.len());
            base.push(node);
        }
    }
    base
}

fn sequence(node: Node) -> Vec<Node> {
    match node.value {
        Value::Map(map) => {
            let mut entries = Vec::with_capacity(map.len());
            for (key, node) in *map {
                let at = node.key.or(node.at);
                match node.value {
                    Value::Null => entries.push(Node::text(key, at)),
                    Value::List(list) => {
                        entries.extend(list.into_iter().map(|node| Node::text(format!("{key}={}", node.shown()), node.place())));
                    }
                    value => entries.push(Node::text(format!("{key}={}", Node::new(value, at).shown()), at)),
                }
            }
            entries.sort_by(|a, b| a.as_text().cmp(&b.as_text()));
            entries
        }
        Value::List(list) => list,
        Value::Text(text) => vec![Node::text(text, node.at)],
        _ => Vec::new(),
    }
}

fn as_build(node: Node) -> Option<Map> {
    match node.value {
        Value::Map(map) => Some(*map),
        Value::Text(text) => Some([("context".to_owned(), Node::text(text, node.at))].into_iter().collect()),
        _ => None,
    }
}

/// A name or a list of names as a mapping.
fn named(node: Node, path: &Path<'_>, dependency: bool) -> Result<Map> {
    let below = |at| {
        if dependency {
            let started = Node::text("service_started", at);
            Node::pairs(at, [("condition", started), ("required", Node::flag(true, at))])
        } else {
            Node { key: at, ..Node::default() }
        }
    };
    let at = node.at;
    match node.value {
        Value::Map(map) => Ok(*map),
        Value::Text(text) => Ok([(text, below(at))].into_iter().collect()),
        Value::List(list) => {
            let mut map = Map::with_capacity(list.len());
            for node in list {
                match node.value {
                    Value::Text(text) => map.insert(text, below(node.at)),
                    _ => return fault(node.place(), format!("{path} takes names, and this is {}", node.kind())),
                };
            }
            Ok(map)
        }
        _ => fault(at.or(node.key), format!("{path} must be a list or a mapping")),
    }
}

/// Options of one driver are none of another's.
fn logging(base: Node, over: Node, path: &Path<'_>) -> Result<Node> {
    let at = base.at;
    let place = over.place();
    match (base.value, over.value) {
        (Value::Map(left), Value::Map(right)) => {
            let same = match (left.get("driver"), right.get("driver")) {
                (Some(left), Some(right)) => left == right,
                _ => true,
            };
            Ok(if same { Node::map(maps(*left, *right, path)?, at) } else { Node::map(*right, over.at) })
        }
        _ => cannot(path, place),
    }
}

/// Pairs of address pools that are compared.
const POOLS: usize = 10_000;

/// Address pools are told apart by their subnet.
fn pools(base: Node, over: Node, path: &Path<'_>) -> Result<Node> {
    let at = base.at;
    let place = over.place();
    let (Value::List(bases), Value::List(overs)) = (base.value, over.value) else { return cannot(path, place) };
    if bases.len().saturating_mul(overs.len()) > POOLS {
        return fault(place, format!("{path}: these are too many address pools to be joined"));
    }
    let mut pools: Vec<Map> = Vec::with_capacity(bases.len() + overs.len());
    for over in overs {
        pools.push(named(over, path, false)?);
    }
    let overs = pools.len();
    // By number, since a pool that is joined once may be joined again.
    let mut joined: Vec<usize> = Vec::new();
    let position = |joined: &[usize], pools: &[Map], subnet: Option<&Node>| {
        joined.iter().position(|pool| pools[*pool].get("subnet") == subnet)
    };
    for base in bases {
        let right = pools.len();
        pools.push(named(base, path, false)?);
        for left in 0..overs {
            let subnet = pools[left].get("subnet");
            if subnet != pools[right].get("subnet") && position(&joined, &pools, subnet).is_none() {
                joined.push(left);
                continue;
            }
            let over = pools[left].clone();
            pools[right] = maps(std::mem::take(&mut pools[right]), over, path)?;
            match position(&joined, &pools, pools[right].get("subnet")) {
                Some(index) => joined[index] = right,
                None => joined.push(right),
            }
        }
    }
    let nodes = joined.into_iter().map(|pool| Node::map(pools[pool].clone(), at)).collect();
    Ok(Node::new(Value::List(nodes), at))
}

/// Takes away what a later file resets.
pub fn reset(root: &mut Node, resets: &[Vec<String>]) {
    let paths: HashSet<&[String]> = resets.iter().map(Vec::as_slice).collect();
    for path in paths {
        let Some((last, above)) = path.split_last() else { continue };
        let mut node = Some(&mut *root);
        for step in above {
            node = node.and_then(|node| node.as_map_mut()?.get_mut(step));
        }
        if let Some(map) = node.and_then(Node::as_map_mut) {
            map.shift_remove(last);
        }
    }
}

#[cfg(test)]
mod tests;
