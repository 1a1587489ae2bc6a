//! Trees over trees, by path. No files take part.

use super::super::budget::Budget;
use super::super::yaml;
use super::*;

fn tree(text: &str) -> Node {
    yaml::documents(text.as_bytes(), 0, &mut Budget::default()).unwrap().remove(0).root
}

fn merged(base: &str, over: &str) -> String {
    let wrap = |text: &str| tree(&format!("services: {{web: {{{text}}}}}"));
    let merged = merge(wrap(base), wrap(over), &Path::ROOT).unwrap();
    merged.find(&["services", "web"]).unwrap().to_json().to_string()
}

#[test]
fn by_path() {
    assert_eq!(merged("image: a, user: u", "image: b"), r#"{"image":"b","user":"u"}"#);
    assert_eq!(merged("environment: {A: 1, B: 2}", "environment: [B=3]"), r#"{"environment":["A=1","B=2","B=3"]}"#);
    assert_eq!(merged("command: a", "command: [b]"), r#"{"command":["b"]}"#);
    assert_eq!(merged("cap_add: [A, B]", "cap_add: [B, C]"), r#"{"cap_add":["A","B","C"]}"#);
    assert_eq!(merged("build: ./a", "build: {target: t}"), r#"{"build":{"context":"./a","target":"t"}}"#);
    assert_eq!(merged("networks: [a]", "networks: {b: {priority: 1}}"), r#"{"networks":{"a":null,"b":{"priority":1}}}"#);
    let waits = r#"{"depends_on":{"a":{"condition":"service_healthy","required":true}}}"#;
    assert_eq!(merged("depends_on: [a]", "depends_on: {a: {condition: service_healthy}}"), waits);
    assert_eq!(merged("logging: {driver: a, options: {x: 1}}", "logging: {driver: b}"), r#"{"logging":{"driver":"b"}}"#);
    assert_eq!(merged("ulimits: {n: 5}", "ulimits: {n: {soft: 1, hard: 2}}"), r#"{"ulimits":{"n":{"hard":2,"soft":1}}}"#);
    assert_eq!(merged("labels: {a: b}", "labels: "), r#"{"labels":["a=b"]}"#);
}

#[test]
fn what_cannot_be_joined() {
    let wrap = |text: &str| tree(&format!("services:\n  web:\n    {text}\n"));
    let fault = merge(wrap("ports: [80]"), wrap("ports: {a: b}"), &Path::ROOT).unwrap_err();
    assert_eq!((fault.at.line, fault.at.column), (3, 12));
    assert!(fault.text.starts_with("services.web.ports is written as different kinds of values"), "{}", fault.text);
}

#[test]
fn resets_take_away() {
    let mut root = tree("a: {b: 1, c: 2}");
    reset(&mut root, &[vec!["a".into(), "b".into()], vec!["x".into(), "y".into()]]);
    assert_eq!(root.to_json().to_string(), r#"{"a":{"c":2}}"#);
}
