//! The app as Slack has to know it: its commands, what it may do and what it is told.
//!
//! Invariant: nothing is asked for that has no reason written beside it. Holds no secret, so it can be shown to anybody.

mod yaml;

use gaggle_commands::{grammar, option_name};
use serde_json::{Value, json};

use super::blocks::parts::label;
use super::{Options, Way};

pub use yaml::yaml;

/// What the bot's token has to allow, and why.
pub const SCOPES: &[(&str, &str)] = &[
    ("app_mentions:read", "`@gaggle …` in channels"),
    ("assistant:write", "the side pane: status line, titles, suggested prompts"),
    ("channels:history", "messages in threads of public channels, also those written while Gaggle was away"),
    ("channels:read", "names of public channels, and that one was archived or left"),
    ("chat:write", "everything that is answered, streams included"),
    ("commands", "slash commands and the message shortcut"),
    ("files:read", "files attached to a message for an agent"),
    ("files:write", "answers and logs that are too long for messages"),
    ("groups:history", "as channels:history, in private channels that invited the bot"),
    ("groups:read", "as channels:read, for those"),
    ("im:history", "direct messages"),
    ("im:read", "which direct messages there are, to look for what came while Gaggle was away"),
    ("im:write", "to open a direct message for what only one person may see"),
    ("mpim:history", "as channels:history, in direct messages of several people"),
    ("mpim:read", "as im:read, for those"),
    ("usergroups:read", "roles for user groups"),
    ("users:read", "names for ids, and that somebody was deactivated"),
];

/// What Slack tells, and why.
pub const EVENTS: &[(&str, &str)] = &[
    ("app_home_opened", "App Home is drawn"),
    ("app_mention", "a question to an agent"),
    ("app_uninstalled", "the workspace is forgotten"),
    ("assistant_thread_context_changed", "the side pane stands beside another channel"),
    ("assistant_thread_started", "the side pane was opened"),
    ("channel_archive", "threads there have ended"),
    ("channel_deleted", "threads there have ended"),
    ("channel_left", "the bot was removed"),
    ("channel_rename", "its name is shown"),
    ("group_archive", "as channel_archive, for private channels"),
    ("group_left", "as channel_left, for private channels"),
    ("member_left_channel", "who is not in a channel any more may not use its project"),
    ("message.channels", "threads in public channels"),
    ("message.groups", "threads in private channels"),
    ("message.im", "direct messages"),
    ("message.mpim", "direct messages of several people"),
    ("subteam_members_changed", "roles of a user group"),
    ("tokens_revoked", "the workspace took the app's rights"),
    ("user_change", "names, and that somebody was deactivated"),
];

/// The message shortcut's id.
pub const SHORTCUT: &str = "ask_about";
/// The slash commands that stand alone unless the configuration says otherwise.
pub const COMMANDS: [&str; 6] = ["project", "ask", "session", "cluster", "infra", "service"];

/// What of the configuration shows in the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Slack posts requests to us.
    pub http: bool,
    pub commands: Vec<String>,
    pub prefix: String,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { http: false, commands: COMMANDS.map(str::to_owned).to_vec(), prefix: String::new() }
    }
}

impl From<&Options> for Wanted {
    fn from(options: &Options) -> Self {
        Self {
            http: matches!(options.way, Way::Http { .. }),
            commands: options.commands.clone(),
            prefix: options.command_prefix.clone(),
        }
    }
}

/// Where Slack would reach us; whoever runs Gaggle puts their own name there.
fn url(path: &str) -> String {
    format!("https://YOUR-HOST/slack/{path}")
}

pub fn manifest(wanted: &Wanted) -> Value {
    let names = |list: &[(&str, &str)]| list.iter().map(|(name, _)| json!(name)).collect::<Vec<_>>();
    let mut events = json!({ "bot_events": names(EVENTS) });
    let mut interactivity = json!({ "is_enabled": true });
    if wanted.http {
        events["request_url"] = json!(url("events"));
        interactivity["request_url"] = json!(url("interactivity"));
    }
    json!({
        "_metadata": { "major_version": 1, "minor_version": 1 },
        "display_information": {
            "name": "Gaggle",
            "description": "AI coding agents for a team, from the chat it already uses",
            "background_color": "#1f2933",
        },
        "features": {
            "app_home": { "home_tab_enabled": true, "messages_tab_enabled": true, "messages_tab_read_only_enabled": false },
            "assistant_view": {
                "assistant_description": "Ask the AI coding agent of one of your projects",
            },
            "bot_user": { "display_name": "gaggle", "always_online": true },
            "shortcuts": [{
                "name": "Ask Goose about this",
                "type": "message",
                "callback_id": SHORTCUT,
                "description": "Opens a thread with an agent about this message",
            }],
            "slash_commands": commands(wanted),
        },
        "oauth_config": { "scopes": { "bot": names(SCOPES) } },
        "settings": {
            "event_subscriptions": events,
            "interactivity": interactivity,
            "org_deploy_enabled": false,
            "socket_mode_enabled": !wanted.http,
            "token_rotation_enabled": false,
        },
    })
}

/// The one that takes them all, then those of the list that there are.
fn commands(wanted: &Wanted) -> Vec<Value> {
    let listed = wanted.commands.iter().filter_map(|name| grammar().find_subcommand(name));
    let mut seen = std::collections::BTreeSet::from(["gaggle"]);
    let all = ("gaggle", "Everything: projects, questions to their agents, sessions".to_owned(), "help | COMMAND …".to_owned());
    std::iter::once(all)
        .chain(listed.map(|command| {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            (command.get_name(), about, usage(command))
        }))
        .filter(|(name, _, _)| *name == "gaggle" || seen.insert(name))
        .map(|(name, about, usage)| {
            let mut command = json!({
                "command": format!("/{}{name}", wanted.prefix),
                "description": label(&about, 100),
                // So that people, channels and links come with their ids.
                "should_escape": true,
            });
            if !usage.is_empty() {
                command["usage_hint"] = json!(label(&usage, 200));
            }
            if wanted.http {
                command["url"] = json!(url("commands"));
            }
            command
        })
        .collect()
}

fn usage(command: &clap::Command) -> String {
    if command.has_subcommands() {
        return command.get_subcommands().map(|sub| sub.get_name()).collect::<Vec<_>>().join(" | ");
    }
    command.get_positionals().map(|arg| option_name(arg).to_uppercase()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_manifest_of_deploy_is_what_the_program_prints() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/slack-manifest.yaml");
        let wanted = yaml(&manifest(&Wanted::default()));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &wanted).expect("a file");
        }
        let found = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(found, wanted, "run `UPDATE=1 cargo test the_manifest_of_deploy`");
    }

    #[test]
    fn http_has_addresses_and_a_prefix_is_before_each_command() {
        let commands = ["ask", "nothing", "ask", "project"].map(str::to_owned).to_vec();
        let made = manifest(&Wanted { http: true, commands, prefix: "acme-".into() });
        let names: Vec<&str> =
            made["features"]["slash_commands"].as_array().expect("a list").iter().filter_map(|c| c["command"].as_str()).collect();
        assert_eq!(names, ["/acme-gaggle", "/acme-ask", "/acme-project"]);
        assert_eq!(made["settings"]["socket_mode_enabled"], false);
        assert_eq!(made["features"]["slash_commands"][1]["url"], "https://YOUR-HOST/slack/commands");
        assert_eq!(made["settings"]["event_subscriptions"]["request_url"], "https://YOUR-HOST/slack/events");
        assert_eq!(made["settings"]["interactivity"]["request_url"], "https://YOUR-HOST/slack/interactivity");
        assert!(!yaml(&manifest(&Wanted::default())).contains("YOUR-HOST"));
    }

    #[test]
    fn slack_takes_every_part() {
        let made = manifest(&Wanted::default());
        let most = |value: &Value, most: usize| {
            assert!(value.as_str().is_some_and(|s| !s.is_empty() && s.chars().count() <= most), "{value}")
        };
        most(&made["display_information"]["name"], 35);
        most(&made["display_information"]["description"], 140);
        most(&made["features"]["bot_user"]["display_name"], 80);
        most(&made["features"]["shortcuts"][0]["name"], 24);
        most(&made["features"]["shortcuts"][0]["description"], 150);
        for command in made["features"]["slash_commands"].as_array().expect("a list") {
            most(&command["command"], 32);
            most(&command["description"], 2_000);
            most(&command["usage_hint"], 1_000);
        }
        assert!(SCOPES.is_sorted() && EVENTS.is_sorted());
        assert!(SCOPES.iter().chain(EVENTS).all(|(_, why)| !why.is_empty()));
    }
}
