//! Discord's own OpenAPI description: which routes there are, and what may be said in the body of each.
//!
//! Invariant: a body passes only if the description allows it; what it does not know of is told as well.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use jsonschema::Validator;
use serde_json::{Value, json};

/// Something that the description does not allow.
#[derive(Debug, Clone)]
pub struct Violation {
    /// A JSON pointer.
    pub path: String,
    pub message: String,
    /// A property that it does not know, and Discord ignores.
    pub unknown: bool,
}

pub struct Spec {
    document: Value,
    /// Methods, and the parts of the path as it is written in the description.
    routes: Vec<(String, Vec<String>)>,
    compiled: Mutex<HashMap<String, Option<Arc<Checked>>>>,
}

struct Checked {
    schema: Value,
    validator: Validator,
}

/// The description, if this machine has it: `GAGGLE_TEST_DISCORD_OPENAPI`, or `../shared/specs`.
pub fn spec() -> Option<&'static Spec> {
    static SPEC: OnceLock<Option<Spec>> = OnceLock::new();
    SPEC.get_or_init(|| {
        let named = std::env::var_os("GAGGLE_TEST_DISCORD_OPENAPI").map(std::path::PathBuf::from);
        let path = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/specs/discord-openapi.json"));
        let Ok(text) = std::fs::read_to_string(&path) else {
            assert!(std::env::var_os("GAGGLE_TEST_ALL").is_none(), "no description of Discord's API");
            eprintln!("skipped: no body is held against Discord's OpenAPI description: GAGGLE_TEST_DISCORD_OPENAPI names it");
            return None;
        };
        Some(Spec::new(serde_json::from_str(&text).expect("a description")))
    })
    .as_ref()
}

impl Spec {
    fn new(document: Value) -> Self {
        let paths = document["paths"].as_object().expect("paths");
        let mut routes = Vec::new();
        for (path, operations) in paths {
            let parts: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
            for method in operations.as_object().expect("operations").keys() {
                routes.push((method.to_ascii_uppercase(), parts.clone()));
            }
        }
        // A literal part is closer than one that may be anything.
        routes.sort_by_key(|(_, parts)| parts.iter().filter(|p| p.starts_with('{')).count());
        Self { document, routes, compiled: Mutex::default() }
    }

    /// The path as the description has it.
    pub fn template(&self, method: &str, path: &str) -> Option<String> {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let fits = |known: &[String]| {
            known.len() == parts.len() && known.iter().zip(&parts).all(|(k, p)| k.starts_with('{') && !p.is_empty() || k == p)
        };
        let found = self.routes.iter().find(|(known, route)| known == method && fits(route));
        found.map(|(_, route)| format!("/{}", route.join("/")))
    }

    fn compiled(&self, key: String, schema: impl FnOnce() -> Option<Value>) -> Option<Arc<Checked>> {
        let mut all = self.compiled.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let compile = || {
            let mut schema = schema()?;
            let mut used = BTreeSet::new();
            self.gather(&schema, &mut used);
            let parts: serde_json::Map<String, Value> =
                used.iter().map(|name| (name.clone(), self.document["components"]["schemas"][name].clone())).collect();
            schema["components"] = json!({ "schemas": parts });
            let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true);
            let validator = options.build(&schema).expect("a schema");
            Some(Arc::new(Checked { schema, validator }))
        };
        all.entry(key).or_insert_with(compile).clone()
    }

    fn gather(&self, schema: &Value, used: &mut BTreeSet<String>) {
        match schema {
            Value::Object(object) => {
                if let Some(name) = object.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next())
                    && used.insert(name.to_owned())
                {
                    self.gather(&self.document["components"]["schemas"][name], used);
                }
                object.values().for_each(|value| self.gather(value, used));
            }
            Value::Array(list) => list.iter().for_each(|value| self.gather(value, used)),
            _ => {}
        }
    }

    /// What is wrong with the body of a request.
    pub fn request(&self, method: &str, template: &str, body: &Value) -> Vec<Violation> {
        let operation = &self.document["paths"][template][method.to_ascii_lowercase()];
        let schema = || {
            let content = operation["requestBody"]["content"].as_object()?;
            let json = content.get("application/json").or_else(|| content.values().next())?;
            Some(json["schema"].clone())
        };
        match self.compiled(format!("{method} {template}"), schema) {
            Some(checked) => self.check(&checked, body),
            None if body.is_null() || body.as_object().is_some_and(serde_json::Map::is_empty) => Vec::new(),
            None => vec![Violation { path: String::new(), message: "this route takes no body".into(), unknown: true }],
        }
    }

    /// What is wrong with an answer of the stand-in itself.
    pub fn response(&self, method: &str, template: &str, status: u16, body: &Value) -> Vec<Violation> {
        let responses = &self.document["paths"][template][method.to_ascii_lowercase()]["responses"];
        let response = &responses[status.to_string()];
        if response.is_null() {
            let known: Vec<&String> = responses.as_object().into_iter().flat_map(serde_json::Map::keys).collect();
            return vec![Violation { path: String::new(), message: format!("{status} is none of {known:?}"), unknown: false }];
        }
        let schema = || response["content"]["application/json"].get("schema").cloned();
        let checked = self.compiled(format!("{method} {template} {status}"), schema);
        checked.map(|checked| self.check(&checked, body)).unwrap_or_default().into_iter().filter(|v| !v.unknown).collect()
    }

    /// What is wrong with that value as this component.
    pub fn component(&self, name: &str, value: &Value) -> Vec<Violation> {
        let schema = || Some(json!({ "$ref": format!("#/components/schemas/{name}") }));
        self.compiled(format!("component {name}"), schema).map(|c| self.check(&c, value)).unwrap_or_default()
    }

    fn check(&self, checked: &Checked, value: &Value) -> Vec<Violation> {
        let wrong = checked.validator.iter_errors(value).map(|error| {
            let message: String = error.to_string().chars().take(600).collect();
            Violation { path: error.instance_path().to_string(), message, unknown: false }
        });
        let mut all: Vec<Violation> = wrong.collect();
        let mut unknown = Vec::new();
        self.unknown(&checked.schema, value, "", &mut unknown);
        all.extend(unknown.into_iter().map(|path| Violation {
            path,
            message: "a property that Discord does not know".into(),
            unknown: true,
        }));
        all
    }

    /// Properties that no schema of an object knows, by pointer.
    fn unknown(&self, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
        let parts = self.parts(schema, value);
        match value {
            Value::Object(object) => {
                let open = |s: &&Value| {
                    s["properties"].is_null() || !matches!(s["additionalProperties"], Value::Null | Value::Bool(false))
                };
                for (key, inner) in object {
                    let path = format!("{path}/{key}");
                    let known: Vec<&Value> = parts.iter().filter_map(|s| s["properties"].get(key)).collect();
                    match known.first() {
                        Some(schema) => self.unknown(schema, inner, &path, found),
                        None if parts.iter().any(open) => {}
                        None => found.push(path),
                    }
                }
            }
            Value::Array(list) => {
                let Some(items) = parts.iter().find_map(|s| s.get("items")) else { return };
                for (at, inner) in list.iter().enumerate() {
                    self.unknown(items, inner, &format!("{path}/{at}"), found);
                }
            }
            _ => {}
        }
    }

    /// The plain schemas that a schema is made of for this value: of alternatives the one that knows most of it.
    fn parts<'a>(&'a self, schema: &'a Value, value: &Value) -> Vec<&'a Value> {
        if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
            return self.parts(&self.document["components"]["schemas"][name], value);
        }
        let mut all = vec![schema];
        for part in schema["allOf"].as_array().into_iter().flatten() {
            all.extend(self.parts(part, value));
        }
        for key in ["oneOf", "anyOf"] {
            let Some(list) = schema[key].as_array() else { continue };
            let mut best: Option<(usize, Vec<&Value>)> = None;
            for alternative in list {
                let parts = self.parts(alternative, value);
                if !self.may_be(&parts, value) {
                    continue;
                }
                let mut unknown = Vec::new();
                self.unknown(alternative, value, "", &mut unknown);
                if best.as_ref().is_none_or(|(least, _)| unknown.len() < *least) {
                    best = Some((unknown.len(), parts));
                }
            }
            if let Some((_, parts)) = best {
                all.retain(|s| !std::ptr::eq(*s, schema));
                all.extend(parts);
            }
        }
        all
    }

    fn may_be(&self, parts: &[&Value], value: &Value) -> bool {
        let kind = match value {
            Value::Object(_) => "object",
            Value::Array(_) => "array",
            Value::Null => "null",
            _ => return true,
        };
        parts.iter().all(|part| {
            let typed = match &part["type"] {
                Value::String(known) => known == kind,
                Value::Array(list) => list.iter().any(|known| known == kind),
                _ => true,
            };
            // Alternatives are told apart by the numbers that their `type` may be.
            let numbers = part["properties"]["type"]["enum"].as_array();
            typed && numbers.is_none_or(|list| list.contains(&value["type"]))
        })
    }
}
