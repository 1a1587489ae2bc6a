//! What a message or a form may hold, beyond what the OpenAPI description says.
//!
//! Invariant: all that is wrong is told at once, each where it stands.

use std::collections::BTreeSet;

use serde_json::Value;

use super::body::Upload;
use super::refusal::Refusal;
use super::rules::Rules;
use super::state::COMPONENTS_V2;

/// Gathers what is wrong.
#[derive(Default)]
pub struct Errors(pub Vec<(String, &'static str, String)>);

impl Errors {
    pub fn push(&mut self, path: impl Into<String>, code: &'static str, message: impl Into<String>) {
        self.0.push((path.into(), code, message.into()));
    }

    /// A text with at least and at most so many characters.
    pub fn text(&mut self, path: &str, value: &Value, least: usize, most: usize) {
        let Some(text) = value.as_str() else { return };
        let length = text.chars().count();
        if length > most {
            self.push(path, "BASE_TYPE_MAX_LENGTH", format!("Must be {most} or fewer in length."));
        }
        if length < least {
            self.push(path, "BASE_TYPE_MIN_LENGTH", format!("Must be {least} or more in length."));
        }
    }

    pub fn needed(&mut self, path: &str, value: &Value) {
        if value.is_null() || value.as_str().is_some_and(str::is_empty) {
            self.push(path, "BASE_TYPE_REQUIRED", "This field is required");
        }
    }

    pub fn most(&mut self, path: &str, value: &Value, most: usize) {
        if value.as_array().is_some_and(|l| l.len() > most) {
            self.push(path, "BASE_TYPE_MAX_LENGTH", format!("Must be {most} or fewer in length."));
        }
    }

    pub fn done(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::forms(self.0)) }
    }
}

fn list(value: &Value) -> impl Iterator<Item = (usize, &Value)> {
    value.as_array().into_iter().flatten().enumerate()
}

/// `at` is where the message stands in the body; `kept`: the ids of the files that it has.
pub fn message(rules: &Rules, at: &str, json: &Value, uploads: &[Upload], kept: &[String]) -> Result<(), Refusal> {
    let mut errors = Errors::default();
    errors.text(&format!("{at}/content"), &json["content"], 0, rules.content);
    embeds(rules, &mut errors, &format!("{at}/embeds"), &json["embeds"], uploads);
    if json["flags"].as_u64().unwrap_or_default() & COMPONENTS_V2 == 0 {
        components(rules, &mut errors, &format!("{at}/components"), &json["components"]);
    } else if !json["content"].is_null() || !json["embeds"].is_null() {
        errors.push(
            format!("{at}/flags"),
            "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
            "The content and embeds fields cannot be used when using MessageFlags.IS_COMPONENTS_V2",
        );
    }
    if uploads.len() > rules.files {
        errors.push(format!("{at}/files"), "BASE_TYPE_MAX_LENGTH", format!("Must be {} or fewer in length.", rules.files));
    }
    let mut seen = BTreeSet::new();
    for (n, attachment) in list(&json["attachments"]) {
        let id = attachment["id"].as_str().map(str::to_owned).or_else(|| attachment["id"].as_u64().map(|n| n.to_string()));
        let id = id.unwrap_or_default();
        let known = kept.contains(&id) || uploads.iter().any(|u| u.number.to_string() == id);
        if !known || !seen.insert(id) {
            errors.push(format!("{at}/attachments/{n}/id"), "MESSAGE_ATTACHMENT_NOT_FOUND", "Attachment data not found");
        }
    }
    if uploads.iter().any(|u| u.name.is_empty()) {
        errors.push(format!("{at}/files"), "BASE_TYPE_REQUIRED", "a file without a name");
    }
    super::mentions::contradictions(&json["allowed_mentions"])?;
    errors.done()
}

fn embeds(rules: &Rules, errors: &mut Errors, at: &str, embeds: &Value, uploads: &[Upload]) {
    errors.most(at, embeds, rules.embeds);
    let mut all = 0;
    let mut count = |value: &Value| all += value.as_str().map_or(0, |t| t.chars().count());
    for (n, embed) in list(embeds) {
        let at = format!("{at}/{n}");
        errors.text(&format!("{at}/title"), &embed["title"], 0, rules.embed_title);
        errors.text(&format!("{at}/description"), &embed["description"], 0, rules.embed_description);
        errors.text(&format!("{at}/footer/text"), &embed["footer"]["text"], 0, rules.embed_footer);
        errors.text(&format!("{at}/author/name"), &embed["author"]["name"], 0, rules.embed_author);
        errors.most(&format!("{at}/fields"), &embed["fields"], rules.embed_fields);
        for value in [&embed["title"], &embed["description"], &embed["footer"]["text"], &embed["author"]["name"]] {
            count(value);
        }
        for (m, field) in list(&embed["fields"]) {
            for (key, most) in [("name", rules.embed_field_name), ("value", rules.embed_field_value)] {
                let at = format!("{at}/fields/{m}/{key}");
                errors.needed(&at, &field[key]);
                errors.text(&at, &field[key], 0, most);
                count(&field[key]);
            }
        }
        let shown = ["title", "description", "fields", "image", "thumbnail", "author", "footer", "video"];
        let empty = |value: &Value| {
            value.is_null() || value.as_str().is_some_and(|t| t.trim().is_empty()) || value.as_array().is_some_and(Vec::is_empty)
        };
        if shown.iter().all(|key| empty(&embed[*key])) {
            errors.push(format!("{at}/description"), "BASE_TYPE_REQUIRED", "This field is required");
        }
        for place in ["image", "thumbnail"] {
            let url = embed[place]["url"].as_str().unwrap_or_default();
            if let Some(name) = url.strip_prefix("attachment://")
                && !uploads.is_empty()
                && !uploads.iter().any(|u| u.name == name)
            {
                errors.push(format!("{at}/{place}/url"), "EMBED_ATTACHMENT_NOT_FOUND", format!("no file {name:?} comes with it"));
            }
        }
        link(errors, &format!("{at}/url"), &embed["url"], &["http", "https"]);
    }
    if all > rules.embeds_text {
        errors.push(at, "MAX_EMBED_SIZE_EXCEEDED", format!("Embed size exceeds maximum size of {}", rules.embeds_text));
    }
}

fn link(errors: &mut Errors, at: &str, url: &Value, schemes: &[&str]) {
    let Some(url) = url.as_str() else { return };
    let good = reqwest::Url::parse(url).is_ok_and(|u| schemes.contains(&u.scheme()) && u.has_host());
    if !good {
        errors.push(at, "URL_TYPE_INVALID_URL", "Not a well formed URL.");
    }
}

fn components(rules: &Rules, errors: &mut Errors, at: &str, rows: &Value) {
    errors.most(at, rows, rules.rows);
    let mut ids = BTreeSet::new();
    for (n, row) in list(rows) {
        let at = format!("{at}/{n}");
        if row["type"] != 1 {
            errors.push(format!("{at}/type"), "UNION_TYPE_CHOICES", "Value of field \"type\" must be one of (1,).");
            continue;
        }
        let inner = row["components"].as_array().map_or(0, Vec::len);
        let selects = list(&row["components"]).filter(|(_, c)| c["type"] != 2).count();
        if inner == 0 || inner > rules.row_buttons {
            errors.push(
                format!("{at}/components"),
                "BASE_TYPE_BAD_LENGTH",
                format!("Must be between 1 and {} in length.", rules.row_buttons),
            );
        }
        if selects > 0 && inner > 1 {
            errors.push(
                format!("{at}/components"),
                "COMPONENT_LAYOUT_WIDTH_EXCEEDED",
                "The specified component exceeds the maximum width",
            );
        }
        for (m, component) in list(&row["components"]) {
            let at = format!("{at}/components/{m}");
            errors.text(&format!("{at}/custom_id"), &component["custom_id"], 1, rules.custom_id);
            if let Some(id) = component["custom_id"].as_str()
                && !ids.insert(id.to_owned())
            {
                errors.push(
                    format!("{at}/custom_id"),
                    "COMPONENT_CUSTOM_ID_DUPLICATED",
                    "Component custom id cannot be duplicated",
                );
            }
            match component["type"].as_u64() {
                Some(2) => button(rules, errors, &at, component),
                Some(3) => select(rules, errors, &at, component),
                Some(5..=8) => {
                    errors.needed(&format!("{at}/custom_id"), &component["custom_id"]);
                    errors.text(&format!("{at}/placeholder"), &component["placeholder"], 0, rules.placeholder_select);
                }
                _ => errors.push(
                    format!("{at}/type"),
                    "UNION_TYPE_CHOICES",
                    "Value of field \"type\" must be one of (2, 3, 5, 6, 7, 8).",
                ),
            }
        }
    }
}

fn button(rules: &Rules, errors: &mut Errors, at: &str, button: &Value) {
    errors.text(&format!("{at}/label"), &button["label"], 0, rules.button_label);
    if button["label"].as_str().is_none_or(str::is_empty) && button["emoji"].is_null() {
        errors.push(at, "BUTTON_COMPONENT_EMPTY", "A button needs a label or an emoji");
    }
    if button["style"] == 5 {
        errors.needed(&format!("{at}/url"), &button["url"]);
        link(errors, &format!("{at}/url"), &button["url"], &["http", "https", "discord"]);
        if !button["custom_id"].is_null() {
            errors.push(
                format!("{at}/custom_id"),
                "BUTTON_COMPONENT_CUSTOM_ID_AND_URL",
                "A custom id and url cannot both be specified",
            );
        }
    } else {
        errors.needed(&format!("{at}/custom_id"), &button["custom_id"]);
        if !button["url"].is_null() {
            errors.push(
                format!("{at}/url"),
                "BUTTON_COMPONENT_CUSTOM_ID_AND_URL",
                "A custom id and url cannot both be specified",
            );
        }
    }
}

fn select(rules: &Rules, errors: &mut Errors, at: &str, select: &Value) {
    errors.needed(&format!("{at}/custom_id"), &select["custom_id"]);
    errors.text(&format!("{at}/placeholder"), &select["placeholder"], 0, rules.placeholder_select);
    let options = select["options"].as_array().map_or(0, Vec::len);
    if options == 0 || options > rules.select_options {
        errors.push(
            format!("{at}/options"),
            "BASE_TYPE_BAD_LENGTH",
            format!("Must be between 1 and {} in length.", rules.select_options),
        );
    }
    let mut values = BTreeSet::new();
    for (n, option) in list(&select["options"]) {
        let at = format!("{at}/options/{n}");
        for key in ["label", "value"] {
            errors.needed(&format!("{at}/{key}"), &option[key]);
            errors.text(&format!("{at}/{key}"), &option[key], 1, rules.option_text);
        }
        errors.text(&format!("{at}/description"), &option["description"], 0, rules.option_text);
        if !values.insert(option["value"].to_string()) {
            errors.push(
                format!("{at}/value"),
                "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
                "The specified option value is already used",
            );
        }
    }
    let (least, most) = (select["min_values"].as_u64().unwrap_or(1), select["max_values"].as_u64().unwrap_or(1));
    if least > most || most > options as u64 {
        errors.push(format!("{at}/max_values"), "SELECT_COMPONENT_MAX_VALUES", "more than there is to choose from");
    }
}

/// The `data` of a response that opens a form.
pub fn modal(rules: &Rules, data: &Value) -> Result<(), Refusal> {
    let mut errors = Errors::default();
    errors.needed("/data/custom_id", &data["custom_id"]);
    errors.text("/data/custom_id", &data["custom_id"], 1, rules.custom_id);
    errors.needed("/data/title", &data["title"]);
    errors.text("/data/title", &data["title"], 1, rules.modal_title);
    let rows = data["components"].as_array().map_or(0, Vec::len);
    if rows == 0 || rows > rules.modal_inputs {
        errors.push(
            "/data/components",
            "BASE_TYPE_BAD_LENGTH",
            format!("Must be between 1 and {} in length.", rules.modal_inputs),
        );
    }
    let mut ids = BTreeSet::new();
    for (n, row) in list(&data["components"]) {
        let (at, inner, label) = match row["type"].as_u64() {
            Some(18) => (format!("/data/components/{n}/component"), vec![&row["component"]], &row["label"]),
            _ => (format!("/data/components/{n}/components/0"), list(&row["components"]).map(|(_, c)| c).collect(), &Value::Null),
        };
        let [input] = inner.as_slice() else {
            errors.push(format!("/data/components/{n}/components"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 1 in length.");
            continue;
        };
        errors.needed(&format!("{at}/custom_id"), &input["custom_id"]);
        errors.text(&format!("{at}/custom_id"), &input["custom_id"], 1, rules.custom_id);
        if !ids.insert(input["custom_id"].to_string()) {
            errors.push(format!("{at}/custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated");
        }
        if input["type"] != 4 {
            if row["type"] != 18 {
                errors.push(format!("{at}/type"), "UNION_TYPE_CHOICES", "Value of field \"type\" must be one of (4,).");
            }
            continue;
        }
        let label = if label.is_null() { &input["label"] } else { label };
        errors.needed(&format!("{at}/label"), label);
        errors.text(&format!("{at}/label"), label, 1, rules.input_label);
        errors.text(&format!("{at}/value"), &input["value"], 0, rules.input_value);
        errors.text(&format!("{at}/placeholder"), &input["placeholder"], 0, rules.placeholder_input);
        let number = |key: &str, default| input[key].as_u64().unwrap_or(default);
        let (least, most) = (number("min_length", 0), number("max_length", rules.input_value as u64));
        if least > most || most > rules.input_value as u64 || most == 0 {
            errors.push(
                format!("{at}/max_length"),
                "NUMBER_TYPE_MAX",
                format!("int value should be less than or equal to {}.", rules.input_value),
            );
        }
        if let Some(value) = input["value"].as_str().filter(|v| !v.is_empty()) {
            let length = value.chars().count() as u64;
            if length > most || length < least {
                errors.push(
                    format!("{at}/value"),
                    "BASE_TYPE_BAD_LENGTH",
                    format!("Must be between {least} and {most} in length."),
                );
            }
        }
    }
    errors.done()
}

/// The `data` of a response to autocomplete; `kind`: the type of the option.
pub fn choices(rules: &Rules, data: &Value, kind: u64) -> Result<(), Refusal> {
    let mut errors = Errors::default();
    errors.most("/data/choices", &data["choices"], rules.choices);
    let mut names = BTreeSet::new();
    for (n, choice) in list(&data["choices"]) {
        let at = format!("/data/choices/{n}");
        errors.needed(&format!("{at}/name"), &choice["name"]);
        errors.text(&format!("{at}/name"), &choice["name"], 1, rules.choice);
        errors.text(&format!("{at}/value"), &choice["value"], 1, rules.choice);
        let fits = match kind {
            4 => choice["value"].is_i64() || choice["value"].is_u64(),
            10 => choice["value"].is_number(),
            _ => choice["value"].is_string(),
        };
        if !fits {
            errors.push(format!("{at}/value"), "BASE_TYPE_INVALID", "not of the option's type");
        }
        if !names.insert(choice["name"].to_string()) {
            errors.push(format!("{at}/name"), "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", "two choices of the same name");
        }
    }
    errors.done()
}
