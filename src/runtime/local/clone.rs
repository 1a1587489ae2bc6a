//! Brings a project's repository into its work folder, once.
//!
//! Invariant: the work folder is empty or holds the whole clone, never half of one. Credentials reach git in its environment or in
//! a file that only we can read and that is removed; never in an argument, a URL or `.git/config`.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use rustix::process::{Pid, Signal};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::folder::{Folder, private_dir, remove_tree};
use super::start::{Shown, Starter};
use super::{blocking, environment};
use crate::error::{Error, Result};

const LIMIT: Duration = Duration::from_secs(600);
/// Beside the work folder, and named in git's environment without a path: nothing to quote.
const NEW: &str = "clone.new";
const KEY: &str = "clone.key";
const HOSTS: &str = "known_hosts";

pub async fn clone_once(starter: &Starter, steps: &Shown<'_>) -> Result<()> {
    let Some(repo) = starter.launch.settings.repo.clone() else { return Ok(()) };
    let folder = starter.folder.clone();
    let empty = blocking(move || Ok(folder.work_is_empty()?)).await?;
    if !empty {
        return Ok(());
    }
    steps.running("clone", format!("Cloning {repo}")).await;
    match clone(starter, &repo.0).await {
        Ok(()) => {
            steps.done("clone", format!("Cloned {repo}")).await;
            Ok(())
        }
        Err(why) => {
            take_back(&starter.folder).await;
            steps.failed("clone", "The repository was not cloned".to_owned()).await;
            let name = &starter.launch.name;
            Err(Error::Failed(format!(
                "The repository {repo} of `{name}` could not be cloned: {why}If it is not public, store a token with \
                 `/project secret set {name} GIT_TOKEN` (https) or a key as GIT_SSH_KEY (ssh), then `/project activate {name}`."
            )))
        }
    }
}

/// Fails with a clause that ends so that a sentence can follow.
async fn clone(starter: &Starter, url: &str) -> std::result::Result<(), String> {
    let folder = &starter.folder;
    let key = prepare(starter).await.map_err(|error| format!("{error:#}. "))?;
    let mut command = Command::new("git");
    command.args(["-c", "core.hooksPath=/dev/null", "clone", "--no-progress", "--", url, NEW]);
    command.current_dir(folder.root()).env_clear().envs(environment(starter, url, key.is_some()));
    command.process_group(0).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => "there is no program `git` on this machine; install it. ".to_owned(),
        _ => format!("git cannot be run: {error}. "),
    })?;
    let mut group = Group(child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)));
    let mut stderr = child.stderr.take();
    let run = async {
        let mut said = Vec::new();
        let mut piece = vec![0; 8 * 1024];
        while let Some(length @ 1..) = match &mut stderr {
            Some(stderr) => stderr.read(&mut piece).await.ok(),
            None => None,
        } {
            said.extend_from_slice(&piece[..length]);
            if said.len() > 64 * 1024 {
                said.drain(..said.len() - 32 * 1024);
            }
        }
        (child.wait().await, said)
    };
    let ended = timeout(LIMIT, run).await;
    drop(key);
    let Ok((status, said)) = ended else {
        return Err(format!("it took more than {} minutes. ", LIMIT.as_secs() / 60));
    };
    group.0 = None;
    match status {
        Ok(status) if status.success() => {}
        Ok(_) => return Err(last_words(starter, &said)),
        Err(error) => return Err(format!("git cannot be watched: {error}. ")),
    }
    let folder = folder.clone();
    blocking(move || move_in(&folder)).await.map_err(|error| format!("{error:#}. "))
}

/// Clears what an earlier try left, and writes the key file if there is a key.
async fn prepare(starter: &Starter) -> anyhow::Result<Option<KeyFile>> {
    let (folder, key) = (starter.folder.clone(), secret(starter, "GIT_SSH_KEY").cloned());
    blocking(move || {
        remove_tree(&folder.root().join(NEW)).context("what an earlier try left cannot be removed")?;
        let path = folder.root().join(KEY);
        let _ = std::fs::remove_file(&path);
        let Some(key) = key else { return Ok(None) };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let file_guard = KeyFile(path);
        // ssh takes no key without a last line break, and forms take it away.
        file.write_all(format!("{}\n", key.expose_secret().replace('\r', "").trim_end()).as_bytes())?;
        Ok(Some(file_guard))
    })
    .await
}

/// Removes what a clone that did not come to its end left.
pub async fn take_back(folder: &Folder) {
    let new = folder.root().join(NEW);
    // What cannot be removed now is tried again before the next clone, and is an error then.
    let _ = blocking(move || Ok(remove_tree(&new)?)).await;
}

/// All at once, so that nothing can come between.
fn move_in(folder: &Folder) -> anyhow::Result<()> {
    private_dir(&folder.work())?;
    std::fs::rename(folder.root().join(NEW), folder.work()).context("the clone cannot be moved into the work folder")?;
    Ok(())
}

fn environment(starter: &Starter, url: &str, key: bool) -> Vec<(OsString, OsString)> {
    let options = &starter.options;
    let mut env = environment::inherited(options.inherit_home);
    let mut put = |name: &str, value: OsString| env.push((name.into(), value));
    put(environment::MARKER, starter.orphans.marker(&starter.launch.project.0, "clone"));
    put("GIT_TERMINAL_PROMPT", "0".into());
    put("GIT_CONFIG_NOSYSTEM", "1".into());
    put("GIT_ALLOW_PROTOCOL", options.clone_protocols.join(":").into());
    // What it says goes into our sentences.
    put("LC_ALL", "C.UTF-8".into());
    let mut ssh = "ssh -o BatchMode=yes".to_owned();
    if options.inherit_home {
        if let Some(agent) = std::env::var_os("SSH_AUTH_SOCK") {
            put("SSH_AUTH_SOCK", agent);
        }
    } else {
        put("HOME", starter.folder.home().into());
        put("GIT_CONFIG_GLOBAL", "/dev/null".into());
    }
    if key || !options.inherit_home {
        // The operator's own keys and configuration are not the project's.
        ssh.push_str(" -F /dev/null -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=accept-new");
        ssh.push_str(&format!(" -o UserKnownHostsFile={HOSTS} -o IdentityFile={}", if key { KEY } else { "none" }));
    }
    put("GIT_SSH_COMMAND", ssh.into());
    if let Some((place, token)) = place(url, &options.clone_protocols).zip(secret(starter, "GIT_TOKEN")) {
        let token = token.expose_secret().trim();
        // A token that needs a certain name is stored as NAME:TOKEN; others are taken with any.
        let pair = if token.contains(':') { token.to_owned() } else { format!("x-access-token:{token}") };
        let basic = base64::engine::general_purpose::STANDARD.encode(pair);
        put("GIT_CONFIG_COUNT", "2".into());
        put("GIT_CONFIG_KEY_0", format!("http.{place}.extraHeader").into());
        put("GIT_CONFIG_VALUE_0", format!("Authorization: Basic {basic}").into());
        // A redirect would take the header along to wherever it leads.
        put("GIT_CONFIG_KEY_1", "http.followRedirects".into());
        put("GIT_CONFIG_VALUE_1", "false".into());
    }
    env
}

/// `https://host/` of a URL that a token may be sent to.
fn place(url: &str, protocols: &[String]) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split('/').next()?;
    // Without encryption only where the operator has allowed it, which nothing but a test does.
    let fits = scheme == "https" || (scheme == "http" && protocols.iter().any(|protocol| protocol == "http"));
    fits.then(|| format!("{scheme}://{host}/"))
}

fn secret<'a>(starter: &'a Starter, name: &str) -> Option<&'a SecretString> {
    // Later ones win, as in the agent's environment.
    starter.launch.secrets.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn last_words(starter: &Starter, said: &[u8]) -> String {
    let said = starter.redactor.redact(&String::from_utf8_lossy(said));
    let mut lines: Vec<&str> = said.lines().rev().filter(|line| !line.trim().is_empty()).take(5).collect();
    lines.reverse();
    let said = lines.join("\n");
    let said = said.char_indices().rev().nth(1_499).map_or(said.as_str(), |(at, _)| &said[at..]);
    if said.is_empty() { "git said nothing. ".to_owned() } else { format!("\n```\n{said}\n```\n") }
}

/// Removed with whatever ends the clone.
struct KeyFile(PathBuf);

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// git and its helpers, killed unless it was seen to end.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Removes the keys that a killed program left.
pub async fn sweep(data_dir: Arc<Path>) {
    let _ = tokio::task::spawn_blocking(move || {
        for project in std::fs::read_dir(data_dir.join("projects")).into_iter().flatten().flatten() {
            let _ = std::fs::remove_file(project.path().join(KEY));
        }
    })
    .await;
}
