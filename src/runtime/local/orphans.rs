//! Finds processes by the marker in their environment, and ends them.
//!
//! Invariant: touches only processes that carry the marker of this data folder, and their descendants. What has emptied its
//! environment, left the process group and lost its parent can no longer be told from anybody else's process, and stays.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, WaitOptions};
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};
use tokio::time::sleep;

use super::environment::MARKER;

/// A process of an agent of this data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    pub pid: i32,
    pub started: u64,
    pub project: String,
    pub run: String,
}

/// The markers of one data folder.
#[derive(Debug, Clone)]
pub struct Orphans {
    data_dir: Arc<OsStr>,
}

impl Orphans {
    pub fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.as_os_str().into() }
    }

    /// The value of the marker variable.
    pub fn marker(&self, project: &str, run: &str) -> OsString {
        let mut marker = self.data_dir.to_os_string();
        marker.push(format!("#{project}#{run}"));
        marker
    }

    /// Project and run, if the variable is the marker of this data folder.
    fn read(&self, variable: &OsStr) -> Option<(String, String)> {
        let rest = variable.as_encoded_bytes().strip_prefix(MARKER.as_bytes())?.strip_prefix(b"=")?;
        let rest = rest.strip_prefix(self.data_dir.as_encoded_bytes())?.strip_prefix(b"#")?;
        let (project, run) = std::str::from_utf8(rest).ok()?.split_once('#')?;
        // Another folder's name may go on after ours with a `#`.
        let ours = |s: &str| !s.is_empty() && !s.contains(['#', '/']);
        (ours(project) && ours(run)).then(|| (project.to_owned(), run.to_owned()))
    }

    /// Every living process of this data folder.
    pub async fn scan(&self) -> anyhow::Result<Vec<Marked>> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.scan_now()).await?
    }

    fn scan_now(&self) -> anyhow::Result<Vec<Marked>> {
        let mut system = System::new().context("the processes of this machine cannot be listed")?;
        let what = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always).without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
        let own = std::process::id();
        let marks: HashMap<sysinfo::Pid, (String, String)> = system
            .processes()
            .iter()
            .filter(|(pid, _)| pid.as_u32() != own)
            .filter_map(|(pid, process)| Some((*pid, process.environ().iter().find_map(|variable| self.read(variable))?)))
            .collect();
        if marks.is_empty() {
            return Ok(Vec::new());
        }
        let mark_of = |pid: sysinfo::Pid| {
            // A process that emptied its environment belongs to the agent that started it.
            let mut at = Some(pid);
            for _ in 0..64 {
                let pid = at?;
                if pid.as_u32() == own {
                    return None;
                }
                if let Some(mark) = marks.get(&pid) {
                    return Some(mark.clone());
                }
                at = system.process(pid)?.parent();
            }
            None
        };
        let found = system
            .processes()
            .iter()
            .filter(|(_, process)| !matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead))
            .filter_map(|(pid, process)| {
                let (project, run) = mark_of(*pid)?;
                Some(Marked { pid: i32::try_from(pid.as_u32()).ok()?, started: process.start_time(), project, run })
            })
            .collect();
        Ok(found)
    }

    /// Kills every process that `pick` picks, and returns when none of them is left. Gives how many there were.
    pub async fn end(&self, pick: impl Fn(&Marked) -> bool) -> usize {
        match self.scan().await {
            Ok(found) => self.end_found(found, pick).await,
            Err(error) => {
                tracing::warn!(%error, "what an agent left behind cannot be found");
                0
            }
        }
    }

    /// The same, for one who has just looked.
    pub async fn end_found(&self, mut found: Vec<Marked>, pick: impl Fn(&Marked) -> bool) -> usize {
        let mut killed = HashSet::new();
        // Again until none is found: a process may fork between being seen and being killed.
        for round in 1..=300_u64 {
            found.retain(|process| pick(process));
            if found.is_empty() {
                return killed.len();
            }
            for process in &found {
                killed.insert(process.pid);
                kill(process.pid);
            }
            sleep(Duration::from_millis(round.min(20))).await;
            if std::process::id() == 1 {
                // The first process of a container inherits orphans and nobody else reaps them.
                for pid in found.iter().filter_map(|process| Pid::from_raw(process.pid)) {
                    let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
                }
            }
            found = self.scan().await.unwrap_or_default();
        }
        tracing::warn!("some processes of earlier agents could not be ended");
        killed.len()
    }
}

fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        // The only failure is that it is gone already, or not ours to end; the next scan tells.
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

/// The start of a process, as a scan would give it.
pub async fn started(pid: i32) -> Option<u64> {
    let pid = sysinfo::Pid::from_u32(u32::try_from(pid).ok()?);
    tokio::task::spawn_blocking(move || {
        let mut system = System::new().ok()?;
        let what = ProcessRefreshKind::nothing().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        system.process(pid).map(sysinfo::Process::start_time)
    })
    .await
    .ok()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_by_its_own_folder_alone() {
        let ours = Orphans::new(Path::new("/data"));
        let variable = |orphans: &Orphans| {
            let mut variable = OsString::from("GAGGLE_AGENT=");
            variable.push(orphans.marker("abc", "r1"));
            variable
        };
        assert_eq!(ours.read(&variable(&ours)), Some(("abc".to_owned(), "r1".to_owned())));
        for other in ["/data2", "/data#x", "/dat", "/data#x/y", "/data/x"] {
            assert_eq!(ours.read(&variable(&Orphans::new(Path::new(other)))), None, "{other}");
        }
    }
}
