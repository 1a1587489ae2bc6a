//! YAML to trees, and what is said of text that is none. Knows nothing of compose files.

use super::*;

fn read(text: &str) -> Result<Document> {
    documents(text.as_bytes(), 0, &mut Budget::default()).map(|mut found| found.remove(0))
}

fn json(text: &str) -> String {
    read(text).unwrap().root.to_json().to_string()
}

fn wrong(text: &str) -> String {
    let fault = read(text).unwrap_err();
    format!("{}:{} {}", fault.at.line, fault.at.column, fault.text)
}

#[test]
fn trees_and_their_places() {
    let document = read("a: 1\nb:\n  - x\n  - {c: yes}\n").unwrap();
    assert_eq!(document.root.to_json().to_string(), r#"{"a":1,"b":["x",{"c":"yes"}]}"#);
    let node = document.root.find(&["b", "1", "c"]).unwrap();
    assert_eq!((node.key.line, node.key.column, node.at.column), (4, 6, 9));
}

#[test]
fn merge_keys_and_aliases() {
    assert_eq!(json("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}"), r#"{"a":{"x":1,"y":2},"b":{"x":1,"y":3}}"#);
    assert_eq!(
        json("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}"),
        r#"{"a":{"x":1},"b":{"x":2,"y":2},"c":{"x":1,"y":2}}"#
    );
    assert_eq!(json("a: &a [1]\nb: *a"), r#"{"a":[1],"b":[1]}"#);
    assert_eq!(json("\"<<\": 1"), r#"{"<<":1}"#);
}

#[test]
fn what_is_reset_and_overridden() {
    let document = read("a: !reset null\nb: {c: !override [1], d: 2}").unwrap();
    assert_eq!(document.root.to_json().to_string(), r#"{"b":{"c":[1],"d":2}}"#);
    assert_eq!(document.resets, [vec!["a".to_owned()], vec!["b".to_owned(), "c".to_owned()]]);
}

#[test]
fn what_is_wrong_has_its_place() {
    assert_eq!(wrong("a: 1\na: 2"), "2:1 the key \"a\" stands twice in this mapping, first in line 1");
    assert_eq!(wrong("a: *b"), "1:4 there is no anchor &b before this alias");
    assert_eq!(wrong("a: &a [*a]"), "1:8 an anchor's value contains itself");
    assert_eq!(wrong("80: x"), "1:1 a key must be a text, and `80` is a number: write \"80\"");
    assert!(wrong("a: {<<: 5}").starts_with("1:9 `<<` takes a mapping"));
    assert!(wrong("a: \"x").starts_with("1:6 not YAML") || wrong("a: \"x").contains("not YAML"));
    assert!(wrong("a:\n\tb: 1").starts_with("2:1 not YAML"));
    assert!(wrong("a: \u{1}").starts_with("1:4 not YAML"));
}

#[test]
fn the_last_line_may_have_no_end() {
    assert_eq!(json("a: |\n  b"), r#"{"a":"b"}"#);
    assert_eq!(json("a: |\n  b\n"), r#"{"a":"b\n"}"#);
    assert_eq!(json("a: |+\n  b\n\n  é"), r#"{"a":"b\n\né"}"#);
    assert_eq!(json("a: >\n  b\n  c"), r#"{"a":"b c"}"#);
    assert_eq!(json("a: |\n  b\n# c"), r#"{"a":"b\n"}"#);
    assert_eq!(json("a: |2"), r#"{"a":""}"#);
    assert_eq!(json("a: |-"), r#"{"a":""}"#);
    assert_eq!(json("a: b"), r#"{"a":"b"}"#);
    assert!(wrong("a: [!b, c]").starts_with("1:5 a tag with nothing"));
}

#[test]
fn documents_encodings_and_names() {
    let all = documents(b"name: a\n---\nname: 5\n", 0, &mut Budget::default()).unwrap();
    let names: Vec<_> = all.iter().map(|document| document.name.as_ref().unwrap().0.as_str()).collect();
    assert_eq!(names, ["a", "5"]);
    let utf16: Vec<u8> = [0xfeff].into_iter().chain("a: é".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(documents(&utf16, 0, &mut Budget::default()).unwrap()[0].root.to_json().to_string(), r#"{"a":"é"}"#);
    assert!(documents(b"# nothing\n", 0, &mut Budget::default()).unwrap().is_empty());
}
