//! A story as people saw it: each input with all that it led to, in a form that is the same on every machine and in every run.

use std::path::Path;

use base64::Engine as _;
use regex::{Captures, Regex};
use serde_json::Value;

use super::tester::State;

pub fn transcript(state: &State, folder: &Path) -> String {
    let mut text = String::new();
    let mut run = 1;
    for (at, input) in state.inputs.iter().enumerate() {
        if input.run != run {
            text += "\n=== started again ===\n";
            for turn in state.turns.values().filter(|t| t.input.is_some_and(|i| state.inputs[i].run < input.run)) {
                for seen in
                    state.events.iter().filter(|e| e.run > state.inputs[turn.input.unwrap_or(0)].run && e.run == input.run)
                {
                    if seen.input == turn.input {
                        event(&seen.event, &mut text);
                    }
                }
            }
            run = input.run;
        }
        let who = input.user.as_deref().unwrap_or("operator");
        let place = if input.conversation == "general" { String::new() } else { format!(" in {}", input.conversation) };
        let shown = if input.shown.len() > 300 {
            format!("{}…", input.shown.chars().take(100).collect::<String>())
        } else {
            input.shown.clone()
        };
        text += &format!("\n{who}{place}> {shown}\n");
        let mut waited: Vec<String> = Vec::new();
        for seen in state.events.iter().filter(|e| e.input == Some(at) && e.run == input.run) {
            // A reason may come again after what came in between; how often is a matter of pace.
            if seen.event["type"] == "turn" && seen.event["state"] == "waiting" {
                let reason = seen.event["reason"].to_string();
                if waited.contains(&reason) {
                    continue;
                }
                waited.push(reason);
            }
            event(&seen.event, &mut text);
        }
    }
    redact(&text, folder)
}

fn event(event: &Value, text: &mut String) {
    let s = |key: &str| event[key].as_str().unwrap_or_default();
    let line = match s("type") {
        "reply" => format!("{}: {}", s("notice"), s("text")),
        "progress" => match s("state") {
            "running" => format!("… {}", s("text")),
            "done" => format!("✓ {}", s("text")),
            _ => format!("✗ {}", s("text")),
        },
        "turn" => match s("state") {
            "working" => return,
            "waiting" => format!("waiting: {}", s("reason")),
            state => {
                let mut line = format!("answer {state}");
                if let Some(reason) = event["reason"].as_str() {
                    line += &format!(": {reason}");
                }
                if !s("text").is_empty() {
                    line += &format!("\n{}", s("text"));
                }
                for tool in event["tools"].as_array().into_iter().flatten() {
                    line += &format!("\n▸ {}: {} … {}", text_of(&tool["tool"]), text_of(&tool["title"]), text_of(&tool["state"]));
                }
                line
            }
        },
        "note" => format!("note: {}", s("text")),
        "approval" => {
            format!("approval {}: {} wants to run {} with {}", s("approval"), s("tool"), s("title"), event["arguments"])
        }
        "approval_ended" => {
            let mut line = format!("approval {} {}", s("approval"), s("state"));
            if let Some(by) = event["by"].as_str() {
                line += &format!(" by {by}");
            }
            if let Some(reason) = event["reason"].as_str() {
                line += &format!(": {reason}");
            }
            line
        }
        "form" => {
            let fields: Vec<String> = event["fields"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|f| {
                    format!(
                        "[{}: {}{}]",
                        text_of(&f["name"]),
                        text_of(&f["label"]),
                        if f["secret"] == true { ", hidden" } else { "" }
                    )
                })
                .collect();
            format!(
                "form {}: {} {}{}",
                s("form"),
                s("title"),
                fields.join(" "),
                if event["confirm"] == true { "[yes/no]" } else { "" }
            )
        }
        "file" => {
            let bytes = base64::prelude::BASE64_STANDARD.decode(s("bytes")).unwrap_or_default();
            format!("file {}:\n{}", s("name"), String::from_utf8_lossy(&bytes).trim_end())
        }
        "end" => match event["error"].as_str() {
            Some(error) => format!("error: {error}"),
            None => return,
        },
        _ => return,
    };
    for line in line.lines() {
        *text += format!("  {line}").trim_end();
        text.push('\n');
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Takes out what differs from run to run.
pub fn redact(text: &str, folder: &Path) -> String {
    let mut text = text.to_owned();
    let canonical = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    for path in [canonical.as_path(), folder] {
        text = text.replace(&path.display().to_string(), "‹folder›");
    }
    text = text.replace(env!("CARGO_BIN_EXE_gaggle"), "‹gaggle›").replace(env!("CARGO_PKG_VERSION"), "‹version›");
    let rules = [
        (r"projects/[a-z0-9]{10}", "projects/‹project›"),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "‹time›"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?( UTC)?", "‹time›"),
        (r"127\.0\.0\.1:\d+", "‹address›"),
        (r"\d+\.\d+ s\b", "‹n› s"),
        (r"\d+ KiB", "‹n› KiB"),
        (r"(just now|\d+ min ago)", "‹ago›"),
    ];
    for (rule, with) in rules {
        let rule = Regex::new(rule).expect("a rule");
        text = rule.replace_all(&text, |_: &Captures<'_>| with).into_owned();
    }
    text
}
