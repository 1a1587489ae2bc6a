//! What a tree of commands may be: names, depths, numbers and sizes.
//!
//! Invariant: a tree that passes here is shown by Discord's client as it was meant.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::limits::Errors;
use super::refusal::Refusal;
use super::rules::Rules;

const GROUP: u64 = 2;
const SUBCOMMAND: u64 = 1;

fn list(value: &Value) -> impl Iterator<Item = (usize, &Value)> {
    value.as_array().into_iter().flatten().enumerate()
}

pub fn kind(value: &Value) -> u64 {
    value["type"].as_u64().unwrap_or(1)
}

/// One command, standing at `at`.
pub fn command(rules: &Rules, at: &str, command: &Value) -> Result<(), Refusal> {
    let mut errors = Errors::default();
    let typed = kind(command) == 1;
    let length = command["name"].as_str().unwrap_or_default().chars().count();
    if typed {
        name(&mut errors, &format!("{at}/name"), &command["name"]);
        described(&mut errors, at, command);
        options(rules, &mut errors, &format!("{at}/options"), &command["options"], 0);
        if size(command) > rules.command_text {
            errors.push(at, "APPLICATION_COMMAND_TOO_LARGE", format!("Command exceeds maximum size ({})", rules.command_text));
        }
    } else {
        if !(1..=32).contains(&length) {
            errors.push(format!("{at}/name"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 32 in length.");
        }
        if command["description"].as_str().is_some_and(|d| !d.is_empty()) {
            errors.push(
                format!("{at}/description"),
                "APPLICATION_COMMAND_INVALID_DESCRIPTION",
                "Context menu commands cannot have a description",
            );
        }
        if command["options"].as_array().is_some_and(|o| !o.is_empty()) {
            errors.push(
                format!("{at}/options"),
                "APPLICATION_COMMAND_INVALID_OPTIONS",
                "Context menu commands cannot have options",
            );
        }
    }
    errors.done()
}

/// All of a scope together.
pub fn all(rules: &Rules, commands: &[&Value]) -> Result<(), Refusal> {
    let mut names = BTreeSet::new();
    for (n, command) in commands.iter().enumerate() {
        if !names.insert((kind(command), command["name"].to_string())) {
            return Err(Refusal::form(
                &format!("/{n}"),
                "APPLICATION_COMMANDS_DUPLICATE_NAME",
                "Application command names must be unique",
            ));
        }
    }
    for (of, most) in [(1, rules.commands), (2, 15), (3, 15)] {
        let count = commands.iter().filter(|c| kind(c) == of).count();
        if count > most {
            let message = format!("Maximum number of application commands reached ({most}).");
            return Err(Refusal { status: 400, code: 30_032, message, ..Refusal::default() });
        }
    }
    Ok(())
}

fn name(errors: &mut Errors, at: &str, name: &Value) {
    let text = name.as_str().unwrap_or_default();
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[-_'\p{L}\p{N}]{1,32}$").expect("a pattern"));
    if !PATTERN.is_match(text) {
        errors.push(at, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
    } else if text.to_lowercase() != text {
        errors.push(at, "APPLICATION_COMMAND_INVALID_NAME", "Command name must be in lower case");
    }
}

fn described(errors: &mut Errors, at: &str, value: &Value) {
    errors.needed(&format!("{at}/description"), &value["description"]);
    errors.text(&format!("{at}/description"), &value["description"], 1, 100);
}

fn options(rules: &Rules, errors: &mut Errors, at: &str, options: &Value, depth: usize) {
    errors.most(at, options, rules.command_options);
    let nested = |option: &Value| kind(option) <= GROUP;
    let any_nested = list(options).any(|(_, o)| nested(o));
    let (mut names, mut optional) = (BTreeSet::new(), false);
    for (n, option) in list(options) {
        let at = format!("{at}/{n}");
        name(errors, &format!("{at}/name"), &option["name"]);
        described(errors, &at, option);
        if !names.insert(option["name"].to_string()) {
            errors.push(&at, "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "Option name already exists");
        }
        match kind(option) {
            GROUP => {
                if depth > 0 || list(&option["options"]).any(|(_, o)| kind(o) != SUBCOMMAND) {
                    errors.push(
                        format!("{at}/type"),
                        "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
                        "Sub-command groups hold subcommands only, and stand at the top",
                    );
                }
                self::options(rules, errors, &format!("{at}/options"), &option["options"], 1);
            }
            SUBCOMMAND => {
                if depth > 1 {
                    errors.push(format!("{at}/type"), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-commands do not nest");
                }
                self::options(rules, errors, &format!("{at}/options"), &option["options"], 2);
            }
            _ => {
                if any_nested {
                    errors.push(
                        format!("{at}/type"),
                        "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
                        "Sub-command and option must not be mixed",
                    );
                }
                let required = option["required"] == true;
                if required && optional {
                    errors.push(
                        &at,
                        "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                        "Required options must be placed before non-required options",
                    );
                }
                optional |= !required;
                plain(rules, errors, &at, option);
            }
        }
    }
}

fn plain(rules: &Rules, errors: &mut Errors, at: &str, option: &Value) {
    errors.most(&format!("{at}/choices"), &option["choices"], rules.choices);
    let kind = kind(option);
    let choices = option["choices"].as_array().map_or(0, Vec::len);
    if choices > 0 && !matches!(kind, 3 | 4 | 10) {
        errors.push(
            format!("{at}/choices"),
            "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID",
            "Only texts and numbers have choices",
        );
    }
    if option["autocomplete"] == true && (choices > 0 || !matches!(kind, 3 | 4 | 10)) {
        errors.push(
            format!("{at}/autocomplete"),
            "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID",
            "Autocomplete excludes choices, and is for texts and numbers",
        );
    }
    if kind != 3 && (!option["min_length"].is_null() || !option["max_length"].is_null()) {
        errors.push(at, "APPLICATION_COMMAND_OPTIONS_LENGTH_INVALID", "Only texts have a length");
    }
    if !matches!(kind, 4 | 10) && (!option["min_value"].is_null() || !option["max_value"].is_null()) {
        errors.push(at, "APPLICATION_COMMAND_OPTIONS_VALUE_INVALID", "Only numbers have bounds");
    }
    let mut names = BTreeSet::new();
    for (n, choice) in list(&option["choices"]) {
        let at = format!("{at}/choices/{n}");
        errors.needed(&format!("{at}/name"), &choice["name"]);
        errors.text(&format!("{at}/name"), &choice["name"], 1, rules.choice);
        errors.text(&format!("{at}/value"), &choice["value"], 0, rules.choice);
        if !names.insert(choice["name"].to_string()) {
            errors.push(&at, "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS", "two choices of the same name");
        }
        let fits = if kind == 3 { choice["value"].is_string() } else { choice["value"].is_number() };
        if !fits {
            errors.push(format!("{at}/value"), "BASE_TYPE_INVALID", "not of the option's type");
        }
    }
}

/// Characters of names, descriptions and values in all.
pub fn size(value: &Value) -> usize {
    let count = |value: &Value| value.as_str().map_or(0, |t| t.chars().count());
    let own = count(&value["name"]) + count(&value["description"]) + count(&value["value"]);
    let below = ["options", "choices"].iter().flat_map(|key| list(&value[*key])).map(|(_, inner)| size(inner));
    own + below.sum::<usize>()
}
