//! Who may name whom, and the other rules of the tree that a reader can hold in their head. A new edge is a change to [`MAY`], so
//! that a reviewer sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The modules of `src`, and which others each may name. `commands` is the grammar's own crate.
const MAY: &[(&str, &[&str])] = &[
    ("model", &["commands"]),
    ("error", &["model"]),
    // Pure: a file is read by whoever names it.
    ("compose", &["model", "error", "yaml"]),
    ("yaml", &[]),
    ("agent", &["model", "error", "tls"]),
    ("tls", &[]),
    // The connection to an agent is what a runtime hands out.
    ("runtime", &["commands", "model", "error", "agent", "yaml"]),
    ("clusters", &["model", "error", "runtime", "yaml"]),
    // Its errors are those of the cluster.
    ("scan", &["model", "error", "runtime"]),
    // What is done to releases that are deployed; from whose hands and with which credentials is not its business.
    ("releases", &["model", "error", "runtime", "yaml"]),
    ("store", &["commands", "model", "error"]),
    ("chat", &["commands", "model", "error", "tls"]),
    ("work", &["commands", "model", "error", "chat", "runtime", "agent", "store", "clusters", "compose"]),
    ("access", &["commands", "model", "error", "store"]),
    (
        "handlers",
        &["commands", "model", "error", "access", "work", "runtime", "store", "clusters", "scan", "compose", "releases"],
    ),
    ("engine", &["commands", "model", "error", "access", "handlers", "work", "store"]),
    ("server", &[]),
    ("control", &["store"]),
    // The options of each surface are its own.
    ("config", &["commands", "access", "agent", "runtime", "work", "chat", "clusters", "scan"]),
    // What is the same there has the same words as in chat.
    ("cli", &["commands"]),
    (
        "app",
        &[
            "commands", "model", "error", "agent", "runtime", "store", "chat", "work", "access", "handlers", "engine", "server",
            "control", "config", "cli", "compose", "clusters", "scan",
        ],
    ),
    // `chat` for the log alone, which must not write into a line that is being edited.
    ("main", &["app", "cli", "chat"]),
    ("lib", &[]),
];

/// A file of more lines is two ideas.
const LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), found);
        } else if entry.path().extension().is_some_and(|e| e == "rs") {
            found.push(entry.path());
        }
    }
    found.sort();
}

fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(&root().join(folder), &mut found);
    let shown = |path: &Path| path.strip_prefix(root().join(folder)).unwrap().display().to_string();
    found.iter().map(|path| (shown(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// Without comments, and without the tests that stand at the end of a file.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules of this crate that a file names, in `use` or in place.
fn named(code: &str, start: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(start) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + start.len()..];
        let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            None => drop(found.insert(word(rest))),
            Some(group) => {
                let mut depth = 1;
                let mut item = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 || (depth == 1 && c == ',') {
                        found.insert(word(item.trim()));
                        item.clear();
                        if depth == 0 {
                            break;
                        }
                    } else {
                        item.push(c);
                    }
                }
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn nobody_names_whom_they_may_not() {
    let may: BTreeMap<&str, BTreeSet<&str>> =
        MAY.iter().map(|(module, others)| (*module, others.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for (file, text) in sources("src") {
        let module = file.split(['/', '.']).next().unwrap();
        let Some(allowed) = may.get(module) else { panic!("{file}: say in MAY what `{module}` may name") };
        if file.contains("tests") {
            continue;
        }
        let code = code(&text);
        let mut others = named(&code, "crate::");
        if module == "main" {
            others.extend(named(&code, "gaggle::"));
        }
        if code.contains("gaggle_commands") {
            others.insert("commands".into());
        }
        for other in others.iter().filter(|o| *o != module && !allowed.contains(o.as_str())) {
            wrong.push(format!("src/{file} names {other}"));
        }
    }
    assert!(wrong.is_empty(), "these edges are not in MAY:\n{}", wrong.join("\n"));
}

#[test]
fn the_grammar_stands_alone() {
    for (file, text) in sources("commands/src") {
        let code = code(&text);
        for crate_ in ["tokio", "reqwest", "redb", "axum", "gaggle::"] {
            assert!(!code.contains(crate_), "commands/src/{file} names {crate_}");
        }
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["tree", "--offline", "-p", "gaggle-commands", "-e", "normal", "--prefix", "none"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(tree.contains("clap") && !tree.lines().any(|line| line.starts_with("tokio")), "{tree}");
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut wrong = Vec::new();
    for folder in ["src", "commands/src"] {
        for (file, text) in sources(folder) {
            if !text.starts_with("//! ") {
                wrong.push(format!("{folder}/{file} does not open with //!"));
            }
            let lines = text.lines().count();
            if lines > LINES {
                wrong.push(format!("{folder}/{file} has {lines} lines"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_command_has_a_story() {
    // What needs a cluster is told on one.
    let told = sources("tests/stories").into_iter().chain(sources("tests/cluster"));
    let stories: String = told.map(|(_, text)| text).collect();
    // Its name and what may follow one, so that `ask` is not found in `asked`.
    let told = |path: &str| {
        let command = format!("/{path}");
        stories.match_indices(&command).any(|(at, _)| stories[at + command.len()..].starts_with([' ', '"', '\\']))
    };
    let missing: Vec<&str> = gaggle_commands::CATALOG.iter().map(|entry| entry.path).filter(|path| !told(path)).collect();
    assert!(missing.is_empty(), "no story has {missing:?}");
}
