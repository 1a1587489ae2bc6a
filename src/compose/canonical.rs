//! The canonical form: the tree as JSON, in the shape of `docker compose config --format json`. What is not given and has no meaning by
//! that is left out; every value has one type.

use std::collections::BTreeMap;

use serde_json::{Map as Object, Value as Json};

use super::check::brief;
use super::fault::{Result, fault};
use super::interpolate::tree::truth;
use super::node::{Map, Node, Path, Value, json_float};
use super::spec::{Field, SECTIONS, Shape, Shown};
use super::units::{self, Duration};
use super::words;

/// The sections of a model, services that no profile enables included.
pub fn canonical(model: &Node) -> Result<Object<String, Json>> {
    let mut json = Object::new();
    for section in SECTIONS {
        let Some(node) = model.get(section.name) else { continue };
        let mut things = Object::new();
        for (name, node) in node.as_map().into_iter().flatten() {
            let path = Path::ROOT.below(section.name);
            let table = table(section.shape, node, &path.below(name))?;
            things.insert(name.clone(), Json::Object(table));
        }
        json.insert(section.name.to_owned(), Json::Object(things));
    }
    for (name, node) in model.as_map().into_iter().flatten() {
        if name.starts_with("x-") {
            json.insert(name.clone(), node.to_json());
        }
    }
    Ok(json)
}

fn table(shape: &Shape, node: &Node, path: &Path<'_>) -> Result<Object<String, Json>> {
    static EMPTY: std::sync::LazyLock<Map> = std::sync::LazyLock::new(Map::new);
    let map: &Map = match &node.value {
        Value::Map(map) => map,
        Value::Null => &EMPTY,
        _ => return fault(node.place(), format!("{path} must be a mapping, and is {}", node.kind())),
    };
    let mut json = Object::new();
    for field in shape.fields() {
        let value = map.get(field.name).filter(|node| !node.is_null());
        let shown = match value {
            Some(node) => value_of(field, node, &path.below(field.name))?,
            None => absent(field, path)?,
        };
        if let Some(shown) = shown {
            json.insert(field.renamed.unwrap_or(field.name).to_owned(), shown);
        }
    }
    Ok(json)
}

fn absent(field: &Field, path: &Path<'_>) -> Result<Option<Json>> {
    Ok(match field.shown {
        Shown::Command => Some(Json::Null),
        Shown::Inline(shape) => Some(Json::Object(table(shape, &Node::default(), path)?)),
        Shown::OptOut => Some(Json::Bool(false)),
        shown => field.renamed.map(|_| zero(shown)),
    })
}

/// What stands for nothing where something must be shown.
fn zero(shown: Shown) -> Json {
    match shown {
        Shown::Flag => Json::Bool(false),
        Shown::Int | Shown::Count => Json::from(0),
        Shown::Bytes => Json::from("0"),
        _ => Json::from(""),
    }
}

fn value_of(field: &Field, node: &Node, path: &Path<'_>) -> Result<Option<Json>> {
    let (json, empty) = convert(field.shown, node, path)?;
    let shown = match field.shown {
        Shown::OptOut => json == Json::Bool(false),
        _ => !empty || field.renamed.is_some(),
    };
    Ok(shown.then_some(json))
}

/// The value, and whether it says nothing.
fn convert(shown: Shown, node: &Node, path: &Path<'_>) -> Result<(Json, bool)> {
    let wrong = |wanted: &str| fault(node.place(), format!("{path} must be {wanted}, and is {}", node.kind()));
    let of_texts = |texts: Vec<String>| {
        let empty = texts.is_empty();
        (Json::from(texts), empty)
    };
    let of_map = |map: BTreeMap<String, String>| {
        let empty = map.is_empty();
        (map.into_iter().map(|(key, value)| (key, Json::from(value))).collect::<Object<_, _>>().into(), empty)
    };
    Ok(match shown {
        Shown::No => (Json::Null, true),
        Shown::Text => {
            let text = text(node, path)?;
            let empty = text.is_empty();
            (Json::from(text), empty)
        }
        Shown::Flag => flag(node, path).map(|flag| (Json::from(flag), !flag))?,
        Shown::MaybeFlag | Shown::OptOut => (Json::from(flag(node, path)?), false),
        Shown::Int => int(node, path).map(|int| (Json::from(int), int == 0))?,
        Shown::MaybeInt => (Json::from(int(node, path)?), false),
        Shown::Count => count(node, path).map(|count| (Json::from(count), count == 0))?,
        Shown::MaybeCount => (Json::from(count(node, path)?), false),
        Shown::Real | Shown::Cpus => {
            let real = real(node, path)?;
            (json_float(real), real == 0.0)
        }
        Shown::Bytes => {
            let size = match &node.value {
                Value::Int(int) => *int,
                Value::Text(text) => match units::bytes(text) {
                    Some(bytes) => bytes,
                    None => return fault(node.place(), format!("{path}: `{}` is no size; write `512m` or `1.5gb`", brief(text))),
                },
                _ => 0,
            };
            (Json::from(size.to_string()), size == 0)
        }
        Shown::Duration | Shown::MaybeDuration => match Duration::parse(&node.shown()) {
            Some(duration) => (Json::from(duration.to_string()), matches!(shown, Shown::Duration) && duration.0 == 0),
            None => {
                let text = node.shown();
                return fault(node.place(), format!("{path}: `{}` is no duration; write `30s` or `1m30s`", brief(&text)));
            }
        },
        Shown::Texts => match node.as_list() {
            Some(list) => of_texts(list.iter().map(|node| text(node, path)).collect::<Result<_>>()?),
            None => return wrong("a list of texts"),
        },
        Shown::TextOrTexts => match &node.value {
            Value::Text(text) => of_texts(vec![text.clone()]),
            Value::List(list) if list.iter().all(|node| node.as_text().is_some()) => {
                of_texts(list.iter().map(Node::shown).collect())
            }
            _ => return wrong("a text or a list of texts"),
        },
        Shown::Ports => match &node.value {
            Value::Text(text) => of_texts(vec![text.clone()]),
            Value::List(list) => of_texts(list.iter().map(Node::shown).collect()),
            _ => return wrong("a list of ports"),
        },
        Shown::Mapping | Shown::Labels | Shown::Options => of_map(named_texts(shown, node, path)?),
        Shown::TextMap => match node.as_map() {
            Some(map) => {
                of_map(map.iter().map(|(key, node)| Ok((key.clone(), text(node, &path.below(key))?))).collect::<Result<_>>()?)
            }
            None => return wrong("a mapping"),
        },
        Shown::Variables => {
            let variables = variables(node, path)?;
            let empty = variables.is_empty();
            (Json::Object(variables), empty)
        }
        Shown::ManyOptions => many_options(node, path)?,
        Shown::Command => (command(node, path)?, false),
        Shown::Test => match &node.value {
            Value::Text(text) => of_texts(vec!["CMD-SHELL".into(), text.clone()]),
            Value::List(list) => of_texts(list.iter().map(|node| strictly_text(node, path)).collect::<Result<_>>()?),
            _ => return wrong("a text or a list of texts"),
        },
        Shown::Hosts => of_texts(hosts(node, path)?),
        Shown::Mode => {
            let mode = mode(node, path)?;
            let sign = if mode < 0 { "-" } else { "" };
            (Json::from(format!("0{sign}{:o}", mode.unsigned_abs())), false)
        }
        Shown::Ssh => of_texts(ssh(node, path)?),
        Shown::DeviceCount => match &node.value {
            Value::Int(int) => (Json::from(*int), *int == 0),
            Value::Text(text) if text.eq_ignore_ascii_case("all") => (Json::from(-1), false),
            Value::Text(text) => match text.parse::<i64>() {
                Ok(int) => (Json::from(int), int == 0),
                Err(_) => return wrong("`all` or a number"),
            },
            _ => return wrong("`all` or a number"),
        },
        Shown::Limits => limits(node, path)?,
        Shown::Table(shape) | Shown::Inline(shape) => (Json::Object(table(shape, node, path)?), false),
        Shown::Tables(shape) => match node.as_list() {
            Some(list) => {
                let rows = list.iter().enumerate().map(|(index, node)| {
                    let index = index.to_string();
                    table(shape, node, &path.below(&index)).map(Json::Object)
                });
                (Json::Array(rows.collect::<Result<_>>()?), list.is_empty())
            }
            None => return wrong("a list"),
        },
        Shown::TableMap(shape) => match node.as_map() {
            Some(map) => {
                let mut json = Object::new();
                for (name, node) in map {
                    let shown = if node.is_null() { Json::Null } else { Json::Object(table(shape, node, &path.below(name))?) };
                    json.insert(name.clone(), shown);
                }
                (Json::Object(json), map.is_empty())
            }
            None => return wrong("a mapping"),
        },
    })
}

fn text(node: &Node, path: &Path<'_>) -> Result<String> {
    match &node.value {
        Value::Text(text) => Ok(text.clone()),
        Value::Int(int) => Ok(int.to_string()),
        Value::Null => Ok(String::new()),
        _ => fault(node.place(), format!("{path} must be a text, and is {}: put it in quotes", node.kind())),
    }
}

fn strictly_text(node: &Node, path: &Path<'_>) -> Result<String> {
    match &node.value {
        Value::Text(text) => Ok(text.clone()),
        _ => fault(node.place(), format!("{path} takes texts, and this is {}: put it in quotes", node.kind())),
    }
}

fn flag(node: &Node, path: &Path<'_>) -> Result<bool> {
    let flag = match &node.value {
        Value::Bool(flag) => Some(*flag),
        Value::Text(text) => truth(text),
        _ => None,
    };
    flag.map_or_else(|| fault(node.place(), format!("{path} must be true or false")), Ok)
}

fn int(node: &Node, path: &Path<'_>) -> Result<i64> {
    let int = match &node.value {
        Value::Int(int) => Some(*int),
        #[expect(clippy::cast_possible_truncation, reason = "the part behind the point means nothing here")]
        Value::Float(float) => Some(*float as i64),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    int.map_or_else(|| fault(node.place(), format!("{path} must be a whole number")), Ok)
}

fn count(node: &Node, path: &Path<'_>) -> Result<u64> {
    let count = match &node.value {
        Value::Int(int) => u64::try_from(*int).ok(),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the part behind the point means nothing here"
        )]
        Value::Float(float) if *float >= 0.0 => Some(*float as u64),
        _ => None,
    };
    count.map_or_else(|| fault(node.place(), format!("{path} must be a whole number, 0 or more, without quotes")), Ok)
}

/// With the digits that 32 bits have.
fn real(node: &Node, path: &Path<'_>) -> Result<f64> {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "that is its type")]
    let real = match &node.value {
        Value::Int(int) => Some(*int as f32),
        Value::Float(float) => Some(*float as f32),
        Value::Text(text) => text.parse::<f32>().ok(),
        _ => None,
    };
    match real.filter(|real| real.is_finite()) {
        Some(real) => Ok(real.to_string().parse().unwrap_or_default()),
        None => fault(node.place(), format!("{path} must be a number")),
    }
}

fn named_texts(shown: Shown, node: &Node, path: &Path<'_>) -> Result<BTreeMap<String, String>> {
    let value = |node: &Node| if node.is_null() { String::new() } else { node.shown() };
    match &node.value {
        Value::Map(map) => Ok(map.iter().map(|(key, node)| (key.clone(), value(node))).collect()),
        Value::List(list) if !matches!(shown, Shown::Options) => Ok(list
            .iter()
            .map(|node| {
                let text = node.shown();
                let (key, value) = text.split_once('=').unwrap_or((&text, ""));
                (key.to_owned(), value.to_owned())
            })
            .collect()),
        _ => fault(node.place(), format!("{path} must be a mapping, and is {}", node.kind())),
    }
}

fn variables(node: &Node, path: &Path<'_>) -> Result<Object<String, Json>> {
    let value = |node: &Node| if node.is_null() { Json::Null } else { Json::from(node.shown()) };
    match &node.value {
        Value::Map(map) => Ok(map.iter().map(|(key, node)| (key.clone(), value(node))).collect()),
        Value::List(list) => {
            let mut json = Object::new();
            for node in list {
                let text = node.shown();
                let (key, value) = match text.split_once('=') {
                    Some((key, value)) => (key, Json::from(value)),
                    None => (text.as_str(), Json::Null),
                };
                if key.ends_with(|c: char| c.is_whitespace()) {
                    return fault(node.place(), format!("{path}: the name `{key}` ends with a space; write KEY=value"));
                }
                json.insert(key.to_owned(), value);
            }
            Ok(json)
        }
        _ => fault(node.place(), format!("{path} must be a mapping or a list, and is {}", node.kind())),
    }
}

fn many_options(node: &Node, path: &Path<'_>) -> Result<(Json, bool)> {
    let Some(map) = node.as_map() else { return fault(node.place(), format!("{path} must be a mapping")) };
    let mut json = Object::new();
    for (key, node) in map {
        let values = match node.as_list() {
            Some(list) => list.iter().map(Node::shown).collect(),
            None => vec![node.shown()],
        };
        if !values.is_empty() {
            json.insert(key.clone(), Json::from(values));
        }
    }
    let empty = json.is_empty();
    Ok((Json::Object(json), empty))
}

fn command(node: &Node, path: &Path<'_>) -> Result<Json> {
    match &node.value {
        Value::Text(text) => match words::split(text) {
            Some(words) => Ok(Json::from(words)),
            None => fault(node.place(), format!("{path}: a quote or a bracket is not closed; a list of texts needs no quoting")),
        },
        Value::List(list) => {
            let words = list.iter().map(|node| strictly_text(node, path)).collect::<Result<Vec<_>>>()?;
            Ok(Json::from(words))
        }
        _ => Ok(Json::Null),
    }
}

fn hosts(node: &Node, path: &Path<'_>) -> Result<Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    match &node.value {
        Value::Map(map) => {
            for (name, node) in map.iter() {
                let addresses = match &node.value {
                    Value::Null => vec![String::new()],
                    Value::Text(text) => vec![text.clone()],
                    Value::List(list) => list.iter().map(Node::shown).collect(),
                    _ => return fault(node.place(), format!("{path}.{name} must be an address")),
                };
                found.insert(name.clone(), addresses);
            }
        }
        Value::List(list) => {
            for node in list {
                let text = node.shown();
                let Some((name, addresses)) = text.split_once('=').or_else(|| text.split_once(':')) else {
                    return fault(node.place(), format!("{path}: write NAME=ADDRESS"));
                };
                found.entry(name.to_owned()).or_default().extend(addresses.split(',').map(str::to_owned));
            }
        }
        _ => return fault(node.place(), format!("{path} must be a list or a mapping")),
    }
    let mut hosts = Vec::new();
    for (name, addresses) in found {
        if name.is_empty() || name.contains([':', '=']) {
            return fault(node.place(), format!("{path}: `{name}` is no host name"));
        }
        for address in addresses {
            let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).filter(|bare| !bare.is_empty());
            hosts.push(format!("{name}={}", bare.unwrap_or(&address)));
        }
    }
    hosts.sort();
    Ok(hosts)
}

fn mode(node: &Node, path: &Path<'_>) -> Result<i64> {
    let mode = match &node.value {
        Value::Int(int) => Some(*int),
        Value::Text(text) => i64::from_str_radix(text, 8).ok(),
        _ => None,
    };
    mode.map_or_else(|| fault(node.place(), format!("{path} must be a mode such as 0440")), Ok)
}

fn ssh(node: &Node, path: &Path<'_>) -> Result<Vec<String>> {
    let Some(map) = node.as_map() else { return fault(node.place(), format!("{path} must be a list or a mapping")) };
    let shown = |(id, node): (&String, &Node)| match node.shown() {
        _ if node.is_null() => id.clone(),
        file if file.is_empty() => id.clone(),
        file => format!("{id}={file}"),
    };
    let mut keys: Vec<String> = map.iter().map(shown).collect();
    keys.sort();
    Ok(keys)
}

fn limits(node: &Node, path: &Path<'_>) -> Result<(Json, bool)> {
    let Some(map) = node.as_map() else { return fault(node.place(), format!("{path} must be a mapping")) };
    let mut json = Object::new();
    for (name, node) in map {
        let shown = match &node.value {
            Value::Int(int) if *int != 0 => Json::from(*int),
            Value::Map(limits) => {
                let mut pair = Object::new();
                for key in ["soft", "hard"] {
                    match limits.get(key).map(|node| &node.value) {
                        None | Some(Value::Int(0)) => {}
                        Some(Value::Int(int)) => drop(pair.insert(key.to_owned(), Json::from(*int))),
                        Some(_) => return fault(node.place(), format!("{path}.{name}.{key} must be a whole number")),
                    }
                }
                Json::Object(pair)
            }
            Value::Int(_) => Json::Object(Object::new()),
            _ => return fault(node.place(), format!("{path}.{name} must be a whole number, or `soft` and `hard`")),
        };
        json.insert(name.clone(), shown);
    }
    let empty = json.is_empty();
    Ok((Json::Object(json), empty))
}
