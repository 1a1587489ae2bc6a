//! Slack's limits, held against all that we make. Does not know what the blocks mean.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Shown;

pub fn message(message: &super::Message) {
    assert!(!message.text.is_empty() && message.text.len() <= super::MESSAGE, "text of {}", message.text.len());
    if let Some(blocks) = &message.blocks {
        blocks_of(blocks, 50);
        assert!(blocks.to_string().len() <= 13_000, "{} bytes", blocks.to_string().len());
    }
}

pub fn shown(shown: &Shown) {
    shown.messages.iter().for_each(message);
}

pub fn view(view: &Value) {
    let modal = view["type"] == "modal";
    assert!(modal || view["type"] == "home");
    for (key, required) in [("title", modal), ("submit", false), ("close", false)] {
        match view.get(key) {
            Some(text) => plain(text, 24),
            None => assert!(!required, "no {key}"),
        }
    }
    short(&view["private_metadata"], 3_000);
    short(&view["callback_id"], 255);
    let inputs = view["blocks"].as_array().is_some_and(|blocks| blocks.iter().any(|b| b["type"] == "input"));
    assert!(!inputs || view.get("submit").is_some());
    blocks_of(&view["blocks"], 100);
}

pub fn blocks_of(blocks: &Value, most: usize) {
    let blocks = blocks.as_array().expect("blocks");
    assert!(!blocks.is_empty() && blocks.len() <= most, "{} blocks", blocks.len());
    let mut ids = BTreeSet::new();
    let mut actions = BTreeSet::new();
    for block in blocks {
        if let Some(id) = block.get("block_id").and_then(Value::as_str) {
            assert!(!id.is_empty() && id.chars().count() <= 255 && ids.insert(id.to_owned()), "{id}");
        }
        match block["type"].as_str().expect("a type") {
            "section" => text(&block["text"], 3_000),
            "header" => plain(&block["text"], 150),
            "divider" => {}
            "context" => {
                let elements = block["elements"].as_array().expect("elements");
                assert!((1..=10).contains(&elements.len()));
                elements.iter().for_each(|e| text(e, 2_000));
            }
            "actions" => {
                let elements = block["elements"].as_array().expect("elements");
                assert!((1..=25).contains(&elements.len()), "{} elements", elements.len());
                for element in elements {
                    assert!(actions.insert(element["action_id"].as_str().expect("an id").to_owned()), "twice: {element}");
                    button(element);
                }
            }
            "input" => input(block),
            other => panic!("{other}"),
        }
    }
}

fn button(button: &Value) {
    assert_eq!(button["type"], "button");
    short(&button["action_id"], 255);
    plain(&button["text"], 75);
    short(&button["value"], 2_000);
    assert!(button.get("style").is_none_or(|s| s == "primary" || s == "danger"));
    if let Some(confirm) = button.get("confirm") {
        plain(&confirm["title"], 100);
        plain(&confirm["text"], 300);
        plain(&confirm["confirm"], 30);
        plain(&confirm["deny"], 30);
    }
}

fn input(block: &Value) {
    plain(&block["label"], 2_000);
    if let Some(hint) = block.get("hint") {
        plain(hint, 2_000);
    }
    let element = &block["element"];
    match element["type"].as_str().expect("a type") {
        "plain_text_input" => {
            short(&element["initial_value"], 3_000);
            assert!(element["max_length"].as_u64().is_none_or(|n| n <= 3_000));
        }
        "static_select" => options(element, 100),
        "checkboxes" => options(element, 10),
        "users_select" => {}
        "file_input" => assert!(element["max_files"].as_u64().is_some_and(|n| (1..=10).contains(&n))),
        other => panic!("{other}"),
    }
}

fn options(element: &Value, most: usize) {
    let options = element["options"].as_array().expect("options");
    assert!((1..=most).contains(&options.len()));
    for option in options {
        plain(&option["text"], 75);
        short(&option["value"], 150);
    }
    for initial in element.get("initial_option").into_iter().chain(element["initial_options"].as_array().into_iter().flatten()) {
        assert!(options.contains(initial), "{initial}");
    }
}

fn plain(object: &Value, most: usize) {
    assert_eq!(object["type"], "plain_text", "{object}");
    text(object, most);
}

fn text(object: &Value, most: usize) {
    let text = object["text"].as_str().unwrap_or_else(|| panic!("no text: {object}"));
    assert!(!text.is_empty() && text.chars().count() <= most, "{} > {most}: {text}", text.chars().count());
}

fn short(value: &Value, most: usize) {
    assert!(value.as_str().is_none_or(|text| text.chars().count() <= most), "{value}");
}
