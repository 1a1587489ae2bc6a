//! What no single argument shows: that a command as a whole says something, and says it once.

use crate::usage::Usage;
use crate::{Command, ProjectCommand, ProjectSettings};

pub(crate) fn whole(command: &Command) -> Result<(), Usage> {
    let path = command.path();
    match command {
        Command::Project(ProjectCommand::Create { settings, .. }) => variables(path, settings),
        Command::Project(ProjectCommand::Update { settings, model, provider, mode, .. }) => {
            let said = *settings != ProjectSettings::default() || model.is_some() || provider.is_some() || mode.is_some();
            if !said {
                return Err(Usage::new(path, "There is nothing to change in it: give at least one flag"));
            }
            variables(path, settings)
        }
        Command::Project(ProjectCommand::Exec { argv, .. }) if argv.first().is_none_or(String::is_empty) => {
            Err(Usage::new(path, "There is no program to run after `--`"))
        }
        _ => Ok(()),
    }
}

fn variables(path: &str, settings: &ProjectSettings) -> Result<(), Usage> {
    let names = || settings.env.iter().map(|variable| &variable.name);
    let twice = names().enumerate().find(|(i, name)| names().take(*i).any(|other| other == *name));
    twice.map_or(Ok(()), |(_, name)| Err(Usage::new(path, "A variable is given twice").at(name)))
}
