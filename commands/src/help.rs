//! Help, made from the grammar and the catalogue only: nothing here names a command.
//!
//! Groups are the grammar's own, in the catalogue's order; a title stands over those of several commands.

use clap::Arg;

use crate::catalog::{self, Role, Target};
use crate::tree;
use crate::usage::Usage;

/// Every command that somebody of this role may send, a line each.
pub fn overview(role: Role) -> String {
    let mut text = String::from("**What you can type**\n");
    let head = |entry: &catalog::Entry| entry.path.split(' ').next().unwrap_or(entry.path);
    let entries: Vec<&catalog::Entry> = catalog::CATALOG.iter().filter(|entry| allowed(entry, role)).collect();
    let mut titled = true;
    for group in entries.chunk_by(|a, b| head(a) == head(b)) {
        let title = tree::find(head(group[0])).filter(|_| group.len() > 1).map(about);
        if titled || title.is_some() {
            text.push('\n');
        }
        titled = title.is_some();
        if let Some(title) = title {
            text.push_str(&format!("**{title}**\n"));
        }
        for entry in group {
            let Some(command) = tree::find(entry.path) else {
                continue;
            };
            text.push_str(&format!("- `{}` {}\n", short_form(entry.path, command), about(command)));
        }
    }
    text.push_str("\n`/help COMMAND` tells more, as `/help project create`.");
    text
}

/// The help of one command, or of a group.
pub fn help(path: &[String], role: Role) -> Result<String, Usage> {
    let words = path.join(" ");
    let words = words.trim().trim_start_matches('/');
    let words = words.strip_prefix("gaggle ").unwrap_or(words).trim_start_matches('/');
    if words.is_empty() {
        return Ok(overview(role));
    }
    let walk = tree::walk(words);
    let path = walk.path();
    if path.is_empty() || (!walk.rest.is_empty() && !walk.is_leaf()) {
        return Err(Usage::of_words(&walk));
    }
    if !walk.is_leaf() {
        return Ok(of_group(&path, walk.command, role));
    }
    Ok(of_command(&path, walk.command))
}

fn allowed(entry: &catalog::Entry, role: Role) -> bool {
    // A role on a project may be more than the one in general: only what depends on the person alone is left out.
    entry.need.of != Target::Person || role >= entry.need.role
}

fn of_group(path: &str, command: &clap::Command, role: Role) -> String {
    let mut text = format!("**`/{path}`** {}\n\n", about(command));
    for entry in catalog::CATALOG {
        let within = entry.path.strip_prefix(path).is_some_and(|rest| rest.starts_with(' '));
        if within
            && allowed(entry, role)
            && let Some(command) = tree::find(entry.path)
        {
            text.push_str(&format!("- `{}` {}\n", short_form(entry.path, command), about(command)));
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn of_command(path: &str, command: &clap::Command) -> String {
    let mut text = format!("**`{}`**\n{}.\n", tree::form(path, command), about(command));
    let (positionals, flags): (Vec<&Arg>, Vec<&Arg>) = command.get_arguments().partition(|arg| arg.is_positional());
    let lines: Vec<String> = positionals.into_iter().chain(flags).map(of_argument).collect();
    if !lines.is_empty() {
        text.push_str(&format!("\n{}\n", lines.join("\n")));
    }
    if let Some(entry) = catalog::entry(path) {
        let whose = match entry.need.of {
            Target::Person => "",
            Target::Project | Target::Session | Target::Approval => " of the project",
            Target::Cluster => " of the cluster",
            Target::Release => " of the release",
        };
        let mut notes = format!("\nFor: {}{whose} and above.", entry.need.role);
        if entry.executes {
            notes.push_str(" And only for admins and those whom `executors` names under `[access]` of the configuration.");
        }
        if entry.confirm {
            notes.push_str(" Asks for confirmation.");
        }
        if entry.console_only {
            notes.push_str(" On the console only.");
        }
        text.push_str(&format!("{notes}\n"));
        let plural = if entry.examples.len() == 1 { "Example" } else { "Examples" };
        text.push_str(&format!("\n{plural}:\n```\n{}\n```", entry.examples.join("\n")));
    }
    text
}

fn of_argument(arg: &Arg) -> String {
    let typed = match arg.get_long() {
        Some(long) if tree::is_switch(arg) => format!("--{long}"),
        Some(long) => format!("--{long} {}", tree::placeholder(arg)),
        None if arg.is_last_set() => format!("-- {}…", tree::placeholder(arg)),
        None => tree::placeholder(arg),
    };
    let mut line = format!("- `{typed}` {}", arg.get_help().map(ToString::to_string).unwrap_or_default());
    for alias in arg.get_visible_aliases().unwrap_or_default() {
        line.push_str(&format!("; also `--{alias}`"));
    }
    let choices = tree::choices(arg);
    if !choices.is_empty() {
        let choices: Vec<String> = choices
            .iter()
            .map(|choice| match choice.get_help() {
                Some(help) => format!("`{}` ({help})", choice.get_name()),
                None => format!("`{}`", choice.get_name()),
            })
            .collect();
        line.push_str(&format!(": {}", choices.join(", ")));
    }
    let defaults: Vec<String> = arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if !tree::is_switch(arg) && !defaults.is_empty() {
        line.push_str(&format!(" [{}]", defaults.join(", ")));
    }
    line
}

/// The positionals, and that there is more.
fn short_form(path: &str, command: &clap::Command) -> String {
    let mut form = format!("/{path}");
    for arg in command.get_positionals() {
        let name = tree::placeholder(arg);
        if arg.is_last_set() {
            return format!("{form} … -- {name}…");
        }
        form.push_str(&if arg.is_required_set() { format!(" {name}") } else { format!(" [{name}]") });
    }
    if command.get_arguments().any(|arg| !arg.is_positional()) {
        form.push_str(" …");
    }
    form
}

fn about(command: &clap::Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}
