//! The commands as Discord has to know them: made of the grammar, registered when they differ.
//!
//! Invariants: names, counts and lengths are within Discord's limits, which a test shows for the whole tree; what is registered is
//! exactly what the grammar takes.

use gaggle_commands::{Candidates, OptionValue, about_argument, candidates_for, grammar, option_name};
use serde_json::{Value, json};

use super::Discord;
use super::payload::Selected;
use super::render::parts::{REPLY, label};
use super::rest::{Fault, Method, Rank};

/// Of the modal that a message's menu opens.
pub const ASK: &str = "ask:";
const MENU: &str = "Ask Goose";
const ABOUT: usize = 100;
const CHOICES: usize = 25;
const OPTIONS: usize = 25;

/// Commands whose form may be filled in with a file, and that option.
const FILES: [&str; 5] = ["secret set", "project secret set", "cluster add", "cluster update", "service add"];
const FILE: &str = "file";

/// Discord's numbers for what an option is.
const GROUP: u8 = 1;
const GROUPS: u8 = 2;
const STRING: u8 = 3;
const BOOLEAN: u8 = 5;
const USER: u8 = 6;
const ATTACHMENT: u8 = 11;

/// All of them, in the grammar's order, and the message menu's.
pub fn commands() -> Vec<Value> {
    let mut all: Vec<Value> = grammar()
        .get_subcommands()
        .filter_map(|command| {
            let path = command.get_name().to_owned();
            let mut made =
                json!({ "name": path, "type": 1, "description": about(command), "contexts": [0, 1], "integration_types": [0] });
            let options = inner(command, &path)?;
            if !options.is_empty() {
                made["options"] = json!(options);
            }
            Some(made)
        })
        .collect();
    all.push(json!({ "name": MENU, "type": 3, "contexts": [0, 1], "integration_types": [0] }));
    all
}

/// Subcommands, or the options of a leaf. `None`: there is nothing that can be sent here.
fn inner(command: &clap::Command, path: &str) -> Option<Vec<Value>> {
    if !command.has_subcommands() {
        let is_here = gaggle_commands::entry(path).is_some_and(|entry| !entry.console_only);
        return is_here.then(|| options(command, path));
    }
    let mut found = Vec::new();
    for sub in command.get_subcommands() {
        let path = format!("{path} {}", sub.get_name());
        let Some(options) = inner(sub, &path) else { continue };
        let kind = if sub.has_subcommands() { GROUPS } else { GROUP };
        let mut made = json!({ "type": kind, "name": sub.get_name(), "description": about(sub) });
        if !options.is_empty() {
            made["options"] = json!(options);
        }
        found.push(made);
    }
    (!found.is_empty()).then_some(found)
}

fn options(command: &clap::Command, path: &str) -> Vec<Value> {
    let args = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let (required, optional): (Vec<&clap::Arg>, Vec<&clap::Arg>) = args.partition(|arg| arg.is_required_set());
    let mut all: Vec<Value> = required.into_iter().chain(optional).take(OPTIONS).map(|arg| option(arg, path)).collect();
    if FILES.contains(&path) {
        let about = match path {
            "cluster add" => "A kubeconfig; without it, a form asks",
            "cluster update" => "A kubeconfig with the new credentials",
            "service add" => "The compose file; without it, a form asks",
            _ => "A text file with the value; without it, a form asks for it",
        };
        all.push(json!({ "type": ATTACHMENT, "name": FILE, "description": about }));
    }
    all
}

fn option(arg: &clap::Arg, path: &str) -> Value {
    let name = option_name(arg);
    let is_switch = !arg.get_action().takes_values();
    let is_person = candidates_for(path, &name) == Candidates::People;
    let kind = if is_switch {
        BOOLEAN
    } else if is_person {
        USER
    } else {
        STRING
    };
    let help = about_argument(arg, "; several with spaces between");
    let help = if help.is_empty() { name.clone() } else { help };
    let mut made = json!({ "type": kind, "name": name, "description": label(&help, ABOUT) });
    if arg.is_required_set() {
        made["required"] = json!(true);
    }
    if kind == STRING {
        let choices = arg.get_possible_values();
        if !choices.is_empty() && choices.len() <= CHOICES {
            let choices: Vec<Value> = choices.iter().map(|c| json!({ "name": c.get_name(), "value": c.get_name() })).collect();
            made["choices"] = json!(choices);
        } else if !matches!(candidates_for(path, &option_name(arg)), Candidates::Nothing | Candidates::Words(_)) {
            made["autocomplete"] = json!(true);
        }
    }
    made
}

fn about(command: &clap::Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    label(if about.is_empty() { command.get_name() } else { &about }, ABOUT)
}

/// What was chosen, for the grammar.
pub fn values(selected: &Selected) -> Vec<OptionValue> {
    let is_person = |name: &str| candidates_for(&selected.path, name) == Candidates::People;
    let all = selected.values.iter();
    let mut all: Vec<OptionValue> = all
        .map(|(name, value)| match is_person(name) && value.bytes().all(|b| b.is_ascii_digit()) {
            true => OptionValue::new(name, format!("@{value}")),
            false => OptionValue::new(name, value),
        })
        .collect();
    // Credentials that come along are meant to be taken.
    if selected.path == "cluster update" && !selected.files.is_empty() && all.iter().all(|value| value.name != "credentials") {
        all.push(OptionValue::new("credentials", "true"));
    }
    all
}

/// What is to be asked about a message, and whom.
pub fn ask_modal(about: &str, project: Option<&str>) -> Value {
    let mut name = json!({
        "type": 4, "custom_id": "project", "style": 1, "label": "Project", "required": true, "max_length": 100,
        "placeholder": "as `/project list` names it",
    });
    if let Some(project) = project {
        name["value"] = json!(project);
    }
    let question = json!({
        "type": 4, "custom_id": "question", "style": 2, "label": "Your question about the message", "required": true, "max_length": 3000,
    });
    let row = |input: Value| json!({ "type": 1, "components": [input] });
    json!({ "custom_id": format!("{ASK}{about}"), "title": "Ask Goose about this", "components": [row(name), row(question)] })
}

/// What is to be said in a thread.
pub fn reply_modal() -> Value {
    let input = json!({
        "type": 4, "custom_id": "message", "style": 2, "label": "Your message to the agent", "required": true, "max_length": 4000,
    });
    json!({ "custom_id": REPLY, "title": "Reply", "components": [{ "type": 1, "components": [input] }] })
}

impl Discord {
    /// Makes Discord know exactly these commands. Returns how many requests changed something.
    pub(super) async fn register(&self) -> Result<usize, Fault> {
        let wanted = commands();
        let application = self.application();
        let mut changed = 0;
        let guilds = &self.options().guilds;
        let mut paths: Vec<(String, Vec<Value>)> =
            guilds.iter().map(|guild| (format!("/applications/{application}/guilds/{guild}/commands"), wanted.clone())).collect();
        // Where they are a guild's, the global ones would stand beside them a second time.
        let everywhere = if guilds.is_empty() { wanted } else { Vec::new() };
        paths.push((format!("/applications/{application}/commands"), everywhere));
        for (path, wanted) in paths {
            let found = self.call(Method::GET, path.clone(), None, Rank::Reply).await?;
            let found = found.as_array().cloned().unwrap_or_default();
            if is_same(&found, &wanted) {
                continue;
            }
            self.call(Method::PUT, path, Some(&json!(wanted)), Rank::Reply).await?;
            changed += 1;
        }
        Ok(changed)
    }
}

fn is_same(found: &[Value], wanted: &[Value]) -> bool {
    found.len() == wanted.len()
        && wanted.iter().all(|w| found.iter().any(|f| f["name"] == w["name"] && kind(f) == kind(w) && has(f, w)))
}

fn kind(command: &Value) -> u64 {
    command["type"].as_u64().unwrap_or(1)
}

/// Whether all that is wanted is there, and nothing else of what matters.
fn has(found: &Value, wanted: &Value) -> bool {
    let is_blank = |value: &Value| value.is_null() || *value == json!(false) || value.as_array().is_some_and(Vec::is_empty);
    const KEYS: [&str; 8] = ["type", "name", "description", "required", "choices", "autocomplete", "contexts", "options"];
    KEYS.iter().all(|key| {
        let (f, w) = (&found[*key], &wanted[*key]);
        match (f.as_array(), w.as_array()) {
            (Some(f), Some(w)) => {
                f.len() == w.len() && f.iter().zip(w).all(|(f, w)| if w.is_object() { has(f, w) } else { f == w })
            }
            _ => f == w || (is_blank(f) && is_blank(w)) || (*key == "type" && kind(found) == kind(wanted)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(option: &Value, depth: usize) -> usize {
        let name = option["name"].as_str().unwrap();
        let lower = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
        assert!((1..=32).contains(&name.len()) && lower, "{name}");
        let about = option["description"].as_str().unwrap();
        assert!((1..=100).contains(&about.chars().count()), "{name}: {about}");
        let empty = Vec::new();
        let inner = option["options"].as_array().unwrap_or(&empty);
        assert!(inner.len() <= 25 && depth <= 3, "{name}");
        let required: Vec<bool> = inner.iter().map(|o| o["required"] == true).collect();
        assert!(required.is_sorted_by(|a, b| a >= b), "{name}: what is required comes first");
        let choices = option["choices"].as_array().unwrap_or(&empty);
        assert!(choices.len() <= 25);
        let mut size = name.len() + about.len();
        size += choices.iter().map(|c| 2 * c["name"].as_str().unwrap().len()).sum::<usize>();
        size + inner.iter().map(|o| walk(o, depth + 1)).sum::<usize>()
    }

    #[test]
    fn the_whole_tree_is_within_discords_limits() {
        let all = commands();
        assert!(all.len() <= 100);
        for command in all.iter().filter(|c| c["type"] == 1) {
            assert!(walk(command, 0) <= 8_000, "{}", command["name"]);
        }
        let create = all.iter().find(|c| c["name"] == "project").unwrap();
        assert_eq!(create["options"][0]["name"], "create");
        assert_eq!(create["options"][0]["options"][0]["name"], "name");
        let files = all.iter().map(|c| c.to_string().matches("\"type\":11").count()).sum::<usize>();
        assert_eq!(files, FILES.len(), "each of them is there");
    }

    #[test]
    fn what_discord_adds_is_no_difference() {
        let wanted = commands();
        let mut found = wanted.clone();
        for command in &mut found {
            command["id"] = json!("1");
            command["version"] = json!("2");
            command["nsfw"] = json!(false);
        }
        found.reverse();
        assert!(is_same(&found, &wanted));
        found[1]["description"] = json!("another");
        assert!(!is_same(&found, &wanted));
    }
}
