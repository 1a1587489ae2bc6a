//! Which fields of an object are ours, as the server keeps it for server-side apply (`metadata.managedFields`).
//!
//! Somebody who changes a field of ours takes it from us there, whatever they change it to: that is how drift shows without
//! comparing values, which the server fills up with defaults.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

/// Our name as a field manager.
pub const MANAGER: &str = "gaggle";

/// What our applies hold of an object: `fieldsV1`, empty if nothing.
pub fn held(meta: &ObjectMeta) -> String {
    let ours = meta.managed_fields.iter().flatten().find(|m| {
        m.manager.as_deref() == Some(MANAGER)
            && m.operation.as_deref() == Some("Apply")
            && m.subresource.as_deref().unwrap_or("").is_empty()
    });
    ours.and_then(|m| m.fields_v1.as_ref()).map(|f| f.0.to_string()).unwrap_or_default()
}

/// Who else changed the object last, other than the cluster's own status.
pub fn last_other(meta: &ObjectMeta) -> Option<String> {
    let others = meta
        .managed_fields
        .iter()
        .flatten()
        .filter(|m| m.manager.as_deref().is_some_and(|name| name != MANAGER) && m.subresource.as_deref() != Some("status"));
    others.max_by_key(|m| m.time.as_ref().map(|t| t.0)).and_then(|m| m.manager.clone())
}

/// Whether all that a manifest says is held by us.
pub fn holds(held: &str, manifest: &Value) -> bool {
    let Ok(held) = serde_json::from_str::<Value>(held) else { return false };
    let Some(manifest) = manifest.as_object() else { return false };
    manifest.iter().filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind")).all(|(key, value)| {
        let Some(inner) = held.get(format!("f:{key}")) else { return false };
        match key.as_str() {
            // Name and namespace are nobody's.
            "metadata" => ["labels", "annotations"]
                .iter()
                .all(|part| value.get(part).is_none_or(|v| inner.get(format!("f:{part}")).is_some_and(|i| within(v, i)))),
            _ => within(value, inner),
        }
    })
}

fn within(value: &Value, held: &Value) -> bool {
    match value {
        Value::Object(map) => {
            // Held as a whole.
            if held.as_object().is_none_or(|h| h.is_empty()) {
                return true;
            }
            map.iter().all(|(key, value)| held.get(format!("f:{key}")).is_some_and(|inner| within(value, inner)))
        }
        Value::Array(items) => items.iter().all(|item| match item.get("name").and_then(Value::as_str) {
            Some(name) if held.as_object().is_some_and(|h| h.keys().any(|k| k.starts_with("k:{\"name\":"))) => {
                let wanted = format!("k:{{\"name\":{}}}", Value::from(name));
                held.get(&wanted).is_some_and(|inner| within(item, inner))
            }
            _ => true,
        }),
        _ => true,
    }
}

/// The paths that were held before and are not any more, for people: `spec.replicas`.
pub fn lost(before: &str, now: &str) -> Vec<String> {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    let mut paths = Vec::new();
    collect(&parse(before), &parse(now), "", &mut paths);
    // What we ourselves do between two applies.
    paths.retain(|p| p != "metadata.annotations.gaggle.dev/hash");
    paths
}

fn collect(before: &Value, now: &Value, path: &str, paths: &mut Vec<String>) {
    let Some(before) = before.as_object() else { return };
    for (key, inner) in before {
        if key == "." {
            continue;
        }
        let shown = match key.split_once(':') {
            Some(("f", name)) if path.is_empty() => name.to_owned(),
            Some(("f", name)) => format!("{path}.{name}"),
            Some((_, item)) => format!("{path}[{}]", item.trim_matches(['{', '}'])),
            None => continue,
        };
        match now.get(key) {
            None => paths.push(shown),
            Some(still) => collect(inner, still, &shown, paths),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_that_somebody_took_is_missed() {
        let held = json!({"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
            "k:{\"name\":\"agent\"}": {".": {}, "f:name": {}, "f:image": {}}}}}}});
        let manifest = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x", "labels": {"a": "b"}},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "agent", "image": "i"}]}}}});
        assert!(holds(&held.to_string(), &manifest));
        let mut scaled = held.clone();
        scaled["f:spec"].as_object_mut().unwrap().remove("f:replicas");
        assert!(!holds(&scaled.to_string(), &manifest));
        assert_eq!(lost(&held.to_string(), &scaled.to_string()), ["spec.replicas"]);
        let mut image = held.clone();
        image["f:spec"]["f:template"]["f:spec"]["f:containers"]["k:{\"name\":\"agent\"}"]
            .as_object_mut()
            .unwrap()
            .remove("f:image");
        assert!(!holds(&image.to_string(), &manifest));
        assert_eq!(lost(&held.to_string(), &image.to_string()), ["spec.template.spec.containers[\"name\":\"agent\"].image"]);
    }
}
