//! `gaggle compose …`: the command line around reading compose files. The process's environment takes part here and nowhere else; nothing
//! of the rest of the program is started.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::{Compose, ComposeFiles};
use crate::compose::translate::{Options, ServiceOptions, translate};
use crate::compose::{self, Access, Bound, Input, Project, Reading, Refused, Told, output, read};
use crate::model::workload::{Bundle, Kept, Workload};
use crate::runtime::kubernetes::release::{self, ExportedFile};

const USUAL: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const OVER: [&str; 4] =
    ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];
/// As much as a file may hold.
const STANDARD_INPUT: u64 = 4 << 20;

/// Runs it to its end, on this thread alone.
pub fn run(command: Compose) -> ExitCode {
    // What panics below is told as a fault of the file: people need not read of it twice.
    std::panic::set_hook(Box::new(|_| {}));
    let environment = super::environment().collect();
    let done = match command {
        Compose::Check(files) => {
            project(files, environment).map(|(project, bound)| check(&translated(&project, &bound, &Options::default())))
        }
        Compose::Export { files, out, namespace, expose } => project(files, environment).and_then(|(project, bound)| {
            let all = ServiceOptions { expose, ..ServiceOptions::default() };
            let bundle = translated(&project, &bound, &Options { all, ..Options::default() });
            let options = release::Options {
                namespace: namespace.unwrap_or_else(|| bundle.name.clone()),
                waiting: Some(release::Waiting::default()),
                ..release::Options::default()
            };
            for warning in release::unwaited(&bundle, &options) {
                super::say_error(&format!("warning: {warning}"));
            }
            write(&out, &release::export(&bundle, &options)).map_err(|error| vec![format!("gaggle: {}: {error}", out.display())])
        }),
        Compose::Config { files, json } => project(files, environment).and_then(|(project, _)| {
            let text = if json { format!("{:#}\n", project.tree) } else { output::yaml(&project.tree) };
            // A reader that has read enough is no fault.
            match std::io::stdout().write_all(text.as_bytes()) {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(vec![format!("gaggle: {error}")]),
                _ => Ok(()),
            }
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(lines) => {
            for line in lines {
                super::say_error(&line);
            }
            ExitCode::FAILURE
        }
    }
}

/// Reads the project and tells its warnings.
fn project(files: ComposeFiles, environment: BTreeMap<String, String>) -> Result<(Project, Bound), Vec<String>> {
    let (reading, remarks) = reading(files, environment).map_err(|fault| vec![format!("gaggle: {fault}")])?;
    for remark in remarks {
        super::say_error(&format!("warning: {remark}"));
    }
    let (access, folder) = (reading.access.clone(), reading.folder.clone());
    let project = read(reading).map_err(|Refused(faults)| faults.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    for Told { place, text } in &project.warnings {
        let place = place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        super::say_error(&format!("{place}warning: {text}"));
    }
    for (name, service) in &project.disabled {
        let profiles: Vec<&str> =
            service["profiles"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
        let place = project.place(&["services", name, "profiles"]).map(|place| format!("{place}: ")).unwrap_or_default();
        let text = "It is left out, since none of its profiles is enabled. Use `--profile`";
        super::say_error(&format!("{place}warning: {name}: profiles: {text}: {}.", profiles.join(", ")));
    }
    let bound = Bound::of(&project, access, &folder);
    Ok((project, bound))
}

/// What becomes of it on Kubernetes. What cannot be had there is told.
fn translated(project: &Project, bound: &Bound, options: &Options) -> Bundle {
    let made = translate(&project.tree, bound, options);
    for warning in &made.warnings {
        let mut path: Vec<&str> = warning.service.as_deref().map(|service| ["services", service]).into_iter().flatten().collect();
        path.extend(warning.key.split('.'));
        let place = project.place(&path).map(|place| format!("{place}: ")).unwrap_or_default();
        super::say_error(&format!("{place}warning: {warning}"));
    }
    made.bundle
}

/// A line for each service.
fn check(bundle: &Bundle) {
    let wide = |text: fn(&Workload) -> &str| bundle.workloads.iter().map(|w| text(w).chars().count()).max().unwrap_or(0);
    let (service, name) = (wide(|w| &w.service), wide(|w| &w.name));
    for workload in &bundle.workloads {
        let kind = match workload.kept {
            Kept::Deployment => "Deployment",
            Kept::StatefulSet => "StatefulSet",
            Kept::DaemonSet => "DaemonSet",
            Kept::Job => "Job",
        };
        super::say(&format!("{:service$}  {kind:11}  {:name$}  {}", workload.service, workload.name, workload.why));
    }
}

/// Writes a tree into a folder, which is made if need be. What else lies there is left alone.
fn write(out: &Path, files: &[ExportedFile]) -> std::io::Result<()> {
    for file in files {
        let path = out.join(&file.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, &file.content)?;
    }
    Ok(())
}

fn reading(given: ComposeFiles, environment: BTreeMap<String, String>) -> Result<(Reading, Vec<String>), String> {
    let here = std::env::current_dir().map_err(|error| format!("the current folder: {error}"))?;
    let asked = given.project_directory.map(|folder| here.join(folder));
    let mut remarks = Vec::new();
    let mut variables = environment;
    let mut files = given.files;
    let without_default =
        variables.get("COMPOSE_DISABLE_ENV_FILE").is_some_and(|word| matches!(word.to_lowercase().as_str(), "1" | "t" | "true"));
    if files.is_empty() {
        if given.env_file.is_empty() && !without_default {
            compose::variables(asked.as_deref().unwrap_or(&here), &mut variables).map_err(|refused| refused.to_string())?;
        }
        files = of_environment(&variables, &here);
    }
    if files.is_empty() {
        files = usual(asked.as_deref().unwrap_or(&here), &mut remarks);
        if files.is_empty() {
            return Err(format!("there is no compose file here or above: {}", USUAL.join(", ")));
        }
        // Shown as people would name them.
        files = files.into_iter().map(|file| file.strip_prefix(&here).map(Path::to_owned).unwrap_or(file)).collect();
    }
    let first = files.iter().find(|file| file.as_os_str() != "-");
    let folder = match (asked, first) {
        (Some(folder), _) => folder,
        (None, Some(file)) => here.join(file).parent().map_or(here.clone(), Path::to_owned),
        (None, None) => here.clone(),
    };
    let folder = clean(&folder);
    let inputs = files.into_iter().map(input).collect::<Result<Vec<_>, _>>()?;
    let env_files = if given.env_file.is_empty() && !without_default { None } else { Some(given.env_file) };
    variables.retain(|name, _| !name.is_empty());
    let reading = Reading {
        files: inputs,
        access: Access::Below(folder.clone()),
        folder,
        name: given.name,
        profiles: given.profile,
        env_files,
        environment: variables,
    };
    Ok((reading, remarks))
}

/// Without `.` and `..`, links as they are.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => drop(clean.pop()),
            part => clean.push(part),
        }
    }
    clean
}

fn input(file: PathBuf) -> Result<Input, String> {
    if file.as_os_str() != "-" {
        return Ok(Input::File(file));
    }
    let mut text = String::new();
    let read = std::io::stdin().take(STANDARD_INPUT).read_to_string(&mut text);
    read.map_err(|error| format!("standard input: {error}"))?;
    Ok(Input::Text { name: "-".into(), text })
}

/// `COMPOSE_FILE`, a list of paths.
fn of_environment(variables: &BTreeMap<String, String>, here: &Path) -> Vec<PathBuf> {
    let separator = variables.get("COMPOSE_PATH_SEPARATOR").filter(|separator| !separator.is_empty());
    let separator = separator.map_or(":", String::as_str);
    match variables.get("COMPOSE_FILE") {
        Some(files) => files.split(separator).map(|file| if file == "-" { file.into() } else { here.join(file) }).collect(),
        None => Vec::new(),
    }
}

/// The first file with a usual name, in this folder or the nearest above, and what lies over it.
fn usual(from: &Path, remarks: &mut Vec<String>) -> Vec<PathBuf> {
    for folder in from.ancestors() {
        let there = |names: &[&str]| -> Vec<PathBuf> {
            names.iter().map(|name| folder.join(name)).filter(|file| file.exists()).collect()
        };
        let mut found = there(&USUAL);
        if found.is_empty() {
            continue;
        }
        let mut over = there(&OVER);
        for files in [&found, &over] {
            if files.len() > 1 {
                remarks.push(format!("there are several compose files of the usual names; {} is used", files[0].display()));
            }
        }
        found.truncate(1);
        over.truncate(1);
        found.append(&mut over);
        return found;
    }
    Vec::new()
}
