//! Forms as Slack's modals, and what was filled in.
//!
//! Invariant: no value of a secret field is ever put into a view.

use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::blocks::SECTION;
use super::blocks::parts::{label, plain_text, section};
use super::markdown::{mrkdwn, plain};
use crate::chat::split::pieces;
use crate::model::{Field, Form, Values};

/// Of a modal that answers a form.
pub const CALLBACK: &str = "form";
/// Of every element in it: the block is called as the field.
pub const ACTION: &str = "v";
/// After the name of the field whose value a file may hold.
pub const FILE: &str = ".file";
const TITLE: usize = 24;
const INPUT: usize = 3_000;
const OPTIONS: usize = 100;

pub fn view(form: &Form, private_metadata: &str) -> Value {
    let title = plain(&form.title);
    let mut blocks = Vec::new();
    let short = if form.confirm { "Are you sure?".to_owned() } else { label(title.trim_end_matches('.'), TITLE) };
    if form.confirm || short != title {
        blocks.extend(pieces(&form.title, SECTION).iter().map(|part| section(&mrkdwn(part))));
    }
    blocks.extend(pieces(&form.text, SECTION).iter().map(|part| section(&mrkdwn(part))));
    for field in &form.fields {
        blocks.push(input(field));
        blocks.extend(field.takes_file().then(|| file_input(field)));
    }
    if blocks.is_empty() {
        blocks.push(section("Nothing has to be filled in."));
    }
    json!({
        "type": "modal",
        "callback_id": CALLBACK,
        "title": plain_text(if short.is_empty() { "Gaggle" } else { &short }),
        "submit": plain_text(if form.confirm { "Yes, go on" } else { "Submit" }),
        "close": plain_text("Cancel"),
        "private_metadata": private_metadata,
        // Whoever waits for the form is told when it is closed.
        "notify_on_close": true,
        "blocks": blocks,
    })
}

fn input(field: &Field) -> Value {
    let (element, more) = element(field);
    let several = field.hint.is_some() && more.is_some();
    let sentence = |hint: &String| match several && !hint.trim_end().ends_with(['.', '!', '?', ':', ';', '…']) {
        true => format!("{}.", hint.trim_end()),
        false => hint.clone(),
    };
    let hint: Vec<String> = field.hint.iter().map(sentence).chain(more).collect();
    let name = plain(&field.label);
    let mut block = json!({
        "type": "input",
        "block_id": field.name,
        "label": plain_text(if name.is_empty() { &field.name } else { &name }),
        "element": element,
        // A box that is not ticked says no, and what is secret may come as a file: whether either came is looked at by us.
        "optional": !field.required || field.switch || field.takes_file(),
    });
    if !hint.is_empty() {
        block["hint"] = plain_text(&label(&plain(&hint.join(" ")), 2_000));
    }
    block
}

/// For what is longer than an input holds, as a kubeconfig.
fn file_input(field: &Field) -> Value {
    let hint = format!("For what is longer than {INPUT} characters. Slack keeps the file until you delete it there.");
    json!({
        "type": "input",
        "block_id": format!("{}{FILE}", field.name),
        "label": plain_text(&format!("{}, as a file", field.label)),
        "element": { "type": "file_input", "action_id": ACTION, "max_files": 1 },
        "optional": true,
        "hint": plain_text(&hint),
    })
}

/// The element, and what has to be said about it.
fn element(field: &Field) -> (Value, Option<String>) {
    if field.switch {
        let option = json!({ "text": plain_text("Yes"), "value": "true" });
        let mut element = json!({ "type": "checkboxes", "action_id": ACTION, "options": [option] });
        if field.value.as_deref() == Some("true") {
            element["initial_options"] = json!([option]);
        }
        return (element, None);
    }
    if field.person {
        let mut element = json!({ "type": "users_select", "action_id": ACTION });
        if let Some(user) = field.value.as_deref().and_then(|value| value.strip_prefix('@')).filter(|user| is_user(user)) {
            element["initial_user"] = json!(user);
        }
        return (element, None);
    }
    let choice = |value: &String| json!({ "text": plain_text(&label(value, 75)), "value": value });
    let selectable =
        field.options.len() <= OPTIONS && field.options.iter().all(|o| !o.trim().is_empty() && o.chars().count() <= 150);
    if !field.options.is_empty() && selectable && !field.secret {
        let options: Vec<Value> = field.options.iter().map(choice).collect();
        let mut element = json!({ "type": "static_select", "action_id": ACTION, "options": options });
        if let Some(value) = field.value.as_ref().filter(|value| field.options.contains(value)) {
            element["initial_option"] = choice(value);
        }
        return (element, None);
    }
    let mut element = json!({ "type": "plain_text_input", "action_id": ACTION, "max_length": INPUT });
    if field.long {
        element["multiline"] = json!(true);
    }
    if field.secret {
        let said = "Slack shows what you type here, so mind who sees your screen. No copy of it stays in the channel.";
        return (element, Some(said.to_owned()));
    }
    let too_long = field.value.as_ref().is_some_and(|value| value.chars().count() > INPUT);
    if let Some(value) = field.value.as_ref().filter(|value| !too_long && !value.is_empty()) {
        element["initial_value"] = json!(value);
    }
    let said = match (field.options.get(..3), too_long) {
        (Some(some), _) => Some(format!("One of {}, such as {}.", field.options.len(), some.join(", "))),
        (None, true) => {
            Some(format!("What stands there now is longer than the {INPUT} characters of a field, so it is not shown."))
        }
        (None, false) => None,
    };
    (element, said)
}

/// Slack refuses a view whose menu begins with nobody.
fn is_user(id: &str) -> bool {
    id.starts_with(['U', 'W']) && id.len() > 8 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// What was filled in: `state` of a submitted view. Fields that were left empty are left out.
pub fn values(state: &Value) -> Values {
    let blocks = state.get("values").unwrap_or(state);
    let mut values = Values::default();
    for (name, block) in blocks.as_object().into_iter().flatten() {
        let Some(element) = block.get(ACTION) else { continue };
        let value = match element["type"].as_str() {
            Some("checkboxes") => {
                let ticked = element["selected_options"].as_array().is_some_and(|options| !options.is_empty());
                Some(if ticked { "true" } else { "false" }.to_owned())
            }
            Some("static_select") => element["selected_option"]["value"].as_str().map(str::to_owned),
            Some("users_select") => element["selected_user"].as_str().map(|user| format!("@{user}")),
            _ => element["value"].as_str().map(str::to_owned),
        };
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            values.0.insert(name.clone(), SecretString::from(value));
        }
    }
    values
}

/// The answer to a submission that cannot be taken: a sentence under each field.
pub fn errors<'a>(errors: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    let errors: Map<String, Value> = errors.into_iter().map(|(field, said)| (field.to_owned(), json!(plain(said)))).collect();
    json!({ "response_action": "errors", "errors": errors })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::super::blocks::limits;
    use super::*;
    use crate::model::FormId;

    fn form(fields: Vec<Field>) -> Form {
        Form { id: FormId::from("f1"), ..Form::new("Set the secret `OPENAI_API_KEY` for `shop`.", fields) }
    }

    #[test]
    fn every_kind_of_field() {
        let fields = vec![
            Field { hint: Some("Lower-case letters, `a` to `z`".into()), ..Field::new("name", "Name") },
            Field {
                options: vec!["approve".into(), "auto".into()],
                value: Some("auto".into()),
                required: false,
                ..Field::new("mode", "Mode")
            },
            Field { options: (0..200).map(|n| format!("p{n}")).collect(), ..Field::new("project", "Project") },
            Field { switch: true, value: Some("true".into()), ..Field::new("yes", "Keep its files") },
            Field { person: true, value: Some("@U0123ABCD".into()), ..Field::new("user", "User") },
            Field { secret: true, value: Some("hunter2".into()), ..Field::new("value", "Value") },
            Field { long: true, value: Some("x".repeat(4_000)), ..Field::new("text", "Text") },
        ];
        let view = view(&form(fields), "{}");
        limits::view(&view);
        assert!(!view.to_string().contains("hunter2"));
        insta::assert_json_snapshot!(view["blocks"][6]);
        assert_eq!(view["blocks"][5]["element"]["initial_user"], "U0123ABCD");
        assert_eq!(view["title"]["text"], "Set the secret…");
        assert_eq!(view["blocks"][0]["text"]["text"], "Set the secret `OPENAI_API_KEY` for `shop`.");
        assert_eq!(view["blocks"][2]["element"]["initial_option"]["value"], "auto");
        assert_eq!(view["blocks"][3]["element"]["type"], "plain_text_input");
        assert_eq!(view["blocks"][3]["hint"]["text"], "One of 200, such as p0, p1, p2.");
    }

    #[test]
    fn two_hints_are_two_sentences() {
        for (hint, want) in [("PEM", "PEM. Slack shows"), ("A token.", "A token. Slack shows")] {
            let field = Field { secret: true, hint: Some(hint.into()), ..Field::new("ca", "CA") };
            let view = view(&form(vec![field]), "{}");
            let said = view["blocks"][1]["hint"]["text"].as_str().unwrap_or_default();
            assert!(said.starts_with(want), "{said}");
        }
    }

    #[test]
    fn a_question_and_an_empty_title() {
        let question = Form { confirm: true, ..Form { title: "Delete `shop`?".into(), ..form(vec![]) } };
        let asked = view(&question, "x");
        limits::view(&asked);
        assert_eq!(asked["blocks"][0]["text"]["text"], "Delete `shop`?");
        limits::view(&view(&Form { title: String::new(), ..form(vec![]) }, ""));
    }

    #[test]
    fn what_was_filled_in() {
        let state = json!({ "values": {
            "name": { "v": { "type": "plain_text_input", "value": " shop " } },
            "empty": { "v": { "type": "plain_text_input", "value": null } },
            "mode": { "v": { "type": "static_select", "selected_option": { "value": "auto", "text": {} } } },
            "none": { "v": { "type": "static_select", "selected_option": null } },
            "yes": { "v": { "type": "checkboxes", "selected_options": [{ "value": "true" }] } },
            "no": { "v": { "type": "checkboxes", "selected_options": [] } },
            "who": { "v": { "type": "users_select", "selected_user": "U0123ABCD" } },
            "other": { "x": { "type": "plain_text_input", "value": "x" } },
        } });
        let found = values(&state);
        let shown: Vec<(&str, &str)> = found.0.iter().map(|(k, v)| (k.as_str(), v.expose_secret())).collect();
        assert_eq!(shown, [("mode", "auto"), ("name", " shop "), ("no", "false"), ("who", "@U0123ABCD"), ("yes", "true")]);
        assert!(!format!("{found:?}").contains("shop"));
        assert!(values(&Value::Null).0.is_empty());
        assert_eq!(
            errors([("name", "`x` is taken")]),
            json!({ "response_action": "errors", "errors": { "name": "x is taken" } })
        );
    }
}
