//! The shape and the sizes of blocks and views, as strict as Slack: unknown types and unknown keys are refused too.
//!
//! Absence: nothing here changes the state.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rules::Rules;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Message,
    Modal,
    Home,
}

/// Collects what is wrong, each with its place.
pub struct Check<'a> {
    rules: &'a Rules,
    place: Place,
    pub wrong: Vec<String>,
    block_ids: BTreeSet<String>,
    inputs: usize,
}

/// Types of blocks with the keys that they need and may have.
const BLOCKS: &[(&str, &[&str], &[&str])] = &[
    ("section", &[], &["text", "fields", "accessory", "expand"]),
    ("header", &["text"], &["level"]),
    ("divider", &[], &[]),
    ("context", &["elements"], &[]),
    ("actions", &["elements"], &[]),
    ("context_actions", &["elements"], &[]),
    ("image", &["alt_text"], &["image_url", "slack_file", "title"]),
    ("input", &["label", "element"], &["hint", "optional", "dispatch_action"]),
    ("markdown", &["text"], &[]),
    ("rich_text", &["elements"], &[]),
    ("table", &["rows"], &["column_settings"]),
    ("plan", &["title"], &["tasks"]),
    ("task_card", &["task_id", "title"], &["status", "details", "output", "sources"]),
    ("file", &["external_id", "source"], &[]),
    (
        "video",
        &["alt_text", "title", "thumbnail_url", "video_url"],
        &["author_name", "description", "provider_name", "title_url"],
    ),
];

const SELECT: &[&str] = &["placeholder", "action_id", "confirm", "focus_on_load", "max_selected_items"];

/// Types of elements likewise.
const ELEMENTS: &[(&str, &[&str], &[&str])] = &[
    ("button", &["text"], &["action_id", "url", "value", "style", "confirm", "accessibility_label"]),
    ("static_select", &[], &["options", "option_groups", "initial_option"]),
    ("multi_static_select", &[], &["options", "option_groups", "initial_options"]),
    ("external_select", &[], &["initial_option", "min_query_length"]),
    ("users_select", &[], &["initial_user"]),
    ("multi_users_select", &[], &["initial_users"]),
    ("channels_select", &[], &["initial_channel", "response_url_enabled"]),
    ("multi_channels_select", &[], &["initial_channels"]),
    ("conversations_select", &[], &["initial_conversation", "default_to_current_conversation", "response_url_enabled", "filter"]),
    ("overflow", &["options"], &["action_id", "confirm"]),
    ("datepicker", &[], &["action_id", "initial_date", "confirm", "focus_on_load", "placeholder"]),
    ("timepicker", &[], &["action_id", "initial_time", "confirm", "focus_on_load", "placeholder", "timezone"]),
    ("checkboxes", &["options"], &["action_id", "initial_options", "confirm", "focus_on_load"]),
    ("radio_buttons", &["options"], &["action_id", "initial_option", "confirm", "focus_on_load"]),
    (
        "plain_text_input",
        &[],
        &[
            "action_id",
            "initial_value",
            "multiline",
            "min_length",
            "max_length",
            "dispatch_action_config",
            "focus_on_load",
            "placeholder",
        ],
    ),
    (
        "number_input",
        &["is_decimal_allowed"],
        &["action_id", "initial_value", "min_value", "max_value", "dispatch_action_config", "focus_on_load", "placeholder"],
    ),
    ("email_text_input", &[], &["action_id", "initial_value", "dispatch_action_config", "focus_on_load", "placeholder"]),
    ("url_text_input", &[], &["action_id", "initial_value", "dispatch_action_config", "focus_on_load", "placeholder"]),
    ("rich_text_input", &["action_id"], &["initial_value", "dispatch_action_config", "focus_on_load", "placeholder"]),
    ("file_input", &[], &["action_id", "filetypes", "max_files"]),
    ("image", &["alt_text"], &["image_url", "slack_file"]),
    ("feedback_buttons", &["positive_button", "negative_button"], &["action_id"]),
    ("icon_button", &["icon", "text"], &["action_id", "value", "confirm", "accessibility_label", "visible_to_user_ids"]),
];

const VIEW: &[&str] = &[
    "type",
    "title",
    "submit",
    "close",
    "blocks",
    "private_metadata",
    "callback_id",
    "external_id",
    "clear_on_close",
    "notify_on_close",
    "submit_disabled",
];

fn length(text: &str) -> usize {
    text.chars().count()
}

/// All characters that blocks show.
pub fn characters(value: &Value) -> usize {
    match value {
        Value::Object(object) => {
            object
                .iter()
                .filter(|(_, v)| v.is_string())
                .map(|(k, v)| if k == "text" { length(v.as_str().unwrap_or_default()) } else { 0 })
                .sum::<usize>()
                + object.values().filter(|v| !v.is_string()).map(characters).sum::<usize>()
        }
        Value::Array(array) => array.iter().map(characters).sum(),
        _ => 0,
    }
}

impl<'a> Check<'a> {
    pub fn new(rules: &'a Rules, place: Place) -> Self {
        Self { rules, place, wrong: Vec::new(), block_ids: BTreeSet::new(), inputs: 0 }
    }

    fn say(&mut self, at: &str, what: &str) {
        self.wrong.push(format!("[ERROR] {what} [json-pointer:{at}]"));
    }

    pub fn view(&mut self, view: &Value) {
        let Some(object) = view.as_object() else { return self.say("", "must be an object") };
        for key in object.keys().filter(|key| !VIEW.contains(&key.as_str())) {
            self.say("/view", &format!("invalid additional property: {key}"));
        }
        let modal = view["type"] == "modal";
        if !modal && view["type"] != "home" {
            self.say("/view/type", "must be modal or home");
        }
        if modal {
            self.text(&view["title"], "/view/title", self.rules.view_title, true);
        }
        for key in ["submit", "close"] {
            if !view[key].is_null() {
                self.text(&view[key], &format!("/view/{key}"), self.rules.view_button, true);
            }
        }
        self.short(view, "private_metadata", "/view", self.rules.metadata);
        self.short(view, "callback_id", "/view", self.rules.id);
        self.short(view, "external_id", "/view", self.rules.id);
        if view["blocks"].as_array().is_none() {
            self.say("/view", "missing required field: blocks");
        }
        self.blocks(&view["blocks"], "/view/blocks");
        if modal && self.inputs > 0 && view["submit"].is_null() {
            self.say("/view", "missing required field: submit");
        }
    }

    pub fn blocks(&mut self, blocks: &Value, at: &str) {
        let Some(list) = blocks.as_array() else {
            if !blocks.is_null() {
                self.say(at, "must be an array");
            }
            return;
        };
        if self.place != Place::Message && list.len() > self.rules.view_blocks {
            self.say(at, &format!("no more than {} items allowed", self.rules.view_blocks));
        }
        for (index, block) in list.iter().enumerate() {
            self.block(block, &format!("{at}/{index}"));
        }
    }

    fn keys(&mut self, value: &Value, at: &str, needed: &[&str], allowed: &[&[&str]]) {
        let Some(object) = value.as_object() else { return self.say(at, "must be an object") };
        for key in needed.iter().filter(|key| value[**key].is_null()) {
            self.say(at, &format!("missing required field: {key}"));
        }
        for key in object.keys().map(String::as_str) {
            if !needed.contains(&key) && !allowed.iter().any(|keys| keys.contains(&key)) {
                self.say(at, &format!("invalid additional property: {key}"));
            }
        }
    }

    fn short(&mut self, value: &Value, key: &str, at: &str, most: usize) {
        match &value[key] {
            Value::Null => {}
            Value::String(text) if length(text) <= most => {}
            Value::String(_) => self.say(&format!("{at}/{key}"), &format!("must be less than {} characters", most + 1)),
            _ => self.say(&format!("{at}/{key}"), "must be a string"),
        }
    }

    fn text(&mut self, value: &Value, at: &str, most: usize, plain: bool) {
        self.keys(value, at, &["type", "text"], &[&["emoji", "verbatim"]]);
        if value["type"] != "plain_text" && (plain || value["type"] != "mrkdwn") {
            self.say(at, if plain { "must be plain_text" } else { "must be plain_text or mrkdwn" });
        }
        let key = if value["type"] == "plain_text" { "verbatim" } else { "emoji" };
        if value.get(key).is_some() {
            self.say(at, &format!("invalid additional property: {key}"));
        }
        match value["text"].as_str() {
            Some("") => self.say(&format!("{at}/text"), "must be more than 0 characters"),
            _ => self.short(value, "text", at, most),
        }
    }

    fn list(&mut self, value: &Value, at: &str, most: usize) -> Vec<Value> {
        match value.as_array() {
            Some(list) if list.is_empty() => self.say(at, "no less than 1 item allowed"),
            Some(list) if list.len() > most => self.say(at, &format!("no more than {most} items allowed")),
            Some(list) => return list.clone(),
            None => self.say(at, "must be an array"),
        }
        Vec::new()
    }

    fn block(&mut self, block: &Value, at: &str) {
        let kind = block["type"].as_str().unwrap_or_default();
        let Some((_, needed, allowed)) = BLOCKS.iter().find(|(name, ..)| *name == kind) else {
            return self.say(at, &format!("unsupported type: {kind}"));
        };
        self.keys(block, at, needed, &[allowed, &["type", "block_id"]]);
        self.short(block, "block_id", at, self.rules.id);
        if let Some(id) = block["block_id"].as_str()
            && !self.block_ids.insert(id.to_owned())
        {
            self.say(at, "block_id already exists");
        }
        let rules = self.rules;
        match kind {
            "section" => {
                if block["text"].is_null() && block["fields"].is_null() {
                    self.say(at, "missing required field: text or fields");
                }
                if !block["text"].is_null() {
                    self.text(&block["text"], &format!("{at}/text"), rules.section, false);
                }
                if !block["fields"].is_null() {
                    for field in self.list(&block["fields"], &format!("{at}/fields"), 10) {
                        self.text(&field, &format!("{at}/fields"), rules.field, false);
                    }
                }
                if !block["accessory"].is_null() {
                    self.element(&block["accessory"], &format!("{at}/accessory"), "section");
                }
            }
            "header" => self.text(&block["text"], &format!("{at}/text"), rules.header, true),
            "context" => {
                for element in self.list(&block["elements"], &format!("{at}/elements"), 10) {
                    if element["type"] == "image" {
                        self.element(&element, at, "context");
                    } else {
                        self.text(&element, &format!("{at}/elements"), rules.section, false);
                    }
                }
            }
            "actions" | "context_actions" => {
                let most = if kind == "actions" { rules.actions } else { 5 };
                let mut ids = BTreeSet::new();
                for element in self.list(&block["elements"], &format!("{at}/elements"), most) {
                    if let Some(id) = element["action_id"].as_str()
                        && !ids.insert(id.to_owned())
                    {
                        self.say(at, &format!("action_id {id} already exists"));
                    }
                    self.element(&element, &format!("{at}/elements"), kind);
                }
            }
            "input" => {
                self.inputs += 1;
                if self.place == Place::Message {
                    self.say(at, "input blocks are not allowed here");
                }
                self.text(&block["label"], &format!("{at}/label"), rules.label, true);
                if !block["hint"].is_null() {
                    self.text(&block["hint"], &format!("{at}/hint"), rules.label, true);
                }
                self.element(&block["element"], &format!("{at}/element"), "input");
            }
            "markdown" => {
                if self.place != Place::Message {
                    self.say(at, "unsupported type: markdown");
                }
                self.short(block, "text", at, rules.markdown);
            }
            "table" => {
                for row in self.list(&block["rows"], &format!("{at}/rows"), 100) {
                    self.list(&row, &format!("{at}/rows"), 20);
                }
            }
            "image" => {
                if !block["title"].is_null() {
                    self.text(&block["title"], &format!("{at}/title"), 2_000, true);
                }
                self.short(block, "alt_text", at, 2_000);
            }
            _ => {}
        }
    }

    fn element(&mut self, element: &Value, at: &str, within: &str) {
        let kind = element["type"].as_str().unwrap_or_default();
        let Some((_, needed, allowed)) = ELEMENTS.iter().find(|(name, ..)| *name == kind) else {
            return self.say(at, &format!("unsupported type: {kind}"));
        };
        let select: &[&str] = if kind.ends_with("_select") { SELECT } else { &[] };
        self.keys(element, at, needed, &[allowed, select, &["type"]]);
        let rules = self.rules;
        self.short(element, "action_id", at, rules.id);
        self.short(element, "value", at, rules.value);
        self.short(element, "url", at, 3_000);
        let typed = kind.ends_with("_input");
        let fits = match within {
            "input" => !matches!(kind, "button" | "overflow" | "image" | "feedback_buttons" | "icon_button"),
            "context_actions" => matches!(kind, "feedback_buttons" | "icon_button"),
            "context" => kind == "image",
            "actions" => !typed && kind != "image" && !matches!(kind, "feedback_buttons" | "icon_button"),
            _ => !typed && !matches!(kind, "feedback_buttons" | "icon_button"),
        };
        if !fits {
            self.say(at, &format!("unsupported type: {kind}"));
        }
        if kind == "button" {
            self.text(&element["text"], &format!("{at}/text"), rules.button, true);
            if !element["style"].is_null() && element["style"] != "primary" && element["style"] != "danger" {
                self.say(&format!("{at}/style"), "must be primary or danger");
            }
        }
        if kind == "feedback_buttons" {
            for key in ["positive_button", "negative_button"] {
                self.text(&element[key]["text"], &format!("{at}/{key}/text"), rules.button, true);
                self.short(&element[key], "value", at, rules.value);
            }
        }
        if !element["placeholder"].is_null() {
            self.text(&element["placeholder"], &format!("{at}/placeholder"), rules.placeholder, true);
        }
        if element["max_length"].as_u64().is_some_and(|most| most == 0 || most > rules.max_length as u64) {
            self.say(&format!("{at}/max_length"), &format!("must be between 1 and {}", rules.max_length));
        }
        self.short(element, "initial_value", at, rules.max_length);
        if element["initial_value"].as_str() == Some("") {
            self.say(at, "initial_value must be more than 0 characters");
        }
        if element["max_files"].as_u64().is_some_and(|most| most == 0 || most > 10) {
            self.say(at, "max_files must be between 1 and 10");
        }
        if !element["confirm"].is_null() {
            self.confirm(&element["confirm"], &format!("{at}/confirm"));
        }
        self.choices(kind, element, at);
    }

    fn choices(&mut self, kind: &str, element: &Value, at: &str) {
        let most = match kind {
            "overflow" => 5,
            "checkboxes" | "radio_buttons" => 10,
            _ => self.rules.options,
        };
        let mut values = Vec::new();
        if matches!(kind, "static_select" | "multi_static_select") && element["options"].is_null() {
            for group in self.list(&element["option_groups"], &format!("{at}/option_groups"), 100) {
                self.text(&group["label"], &format!("{at}/option_groups/label"), 75, true);
                values.extend(self.options(&group["options"], at, most));
            }
        } else if !element["options"].is_null() {
            values = self.options(&element["options"], at, most);
        } else {
            return;
        }
        let single = (!element["initial_option"].is_null()).then(|| element["initial_option"].clone());
        let several = element["initial_options"].as_array().cloned().unwrap_or_default();
        for initial in several.iter().chain(&single) {
            if !values.contains(initial) {
                self.say(at, "an initial option must be one of the options");
            }
        }
    }

    fn options(&mut self, options: &Value, at: &str, most: usize) -> Vec<Value> {
        let list = self.list(options, &format!("{at}/options"), most);
        for option in &list {
            self.keys(option, &format!("{at}/options"), &["text", "value"], &[&["description", "url"]]);
            self.text(&option["text"], &format!("{at}/options/text"), self.rules.option_text, false);
            self.short(option, "value", at, self.rules.option_value);
        }
        list
    }

    fn confirm(&mut self, confirm: &Value, at: &str) {
        self.keys(confirm, at, &["title", "text", "confirm", "deny"], &[&["style"]]);
        let rules = self.rules;
        let parts = [("title", rules.confirm_title), ("confirm", rules.confirm_button), ("deny", rules.confirm_button)];
        for (key, most) in parts {
            self.text(&confirm[key], &format!("{at}/{key}"), most, true);
        }
        self.text(&confirm["text"], &format!("{at}/text"), rules.confirm_text, false);
    }
}
