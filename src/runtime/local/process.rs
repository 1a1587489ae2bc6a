//! One agent process with everything in its group: started by us, or by an earlier program and taken over.
//!
//! Invariant: a process that is dropped before it was seen to end is killed, with its group.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::environment::Environment;
use super::orphans::Orphans;
use crate::agent::Pipes;

/// How long a killed process may take to be gone; longer means that the system itself is stuck.
const GONE: Duration = Duration::from_secs(5);

pub struct Process {
    pid: Pid,
    /// Names this run in the marker.
    pub run: String,
    life: Life,
    ended: bool,
}

enum Life {
    Child(Child),
    Adopted(adopted::Watch),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// Only its parent is told, and that was an earlier program.
    Unknown,
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Unknown,
        }
    }
}

/// A predicate: "the agent …".
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "ended with exit code {code}"),
            Exit::Signal(9) => f.write_str("was ended by signal 9 (SIGKILL; perhaps by the system, for want of memory)"),
            Exit::Signal(signal) => write!(f, "was ended by signal {signal}"),
            Exit::Unknown => f.write_str("ended"),
        }
    }
}

/// What to run, and how.
pub struct Plan {
    pub program: PathBuf,
    pub args: Vec<String>,
    pub env: Environment,
    pub cwd: PathBuf,
    pub run: String,
    pub log: File,
    /// Talk to it over its standard input and output.
    pub piped: bool,
}

impl Process {
    pub fn start(plan: Plan) -> io::Result<(Self, Option<Pipes>)> {
        let mut command = Command::new(&plan.program);
        command.args(&plan.args).env_clear().envs(plan.env).current_dir(&plan.cwd);
        command.process_group(0).kill_on_drop(true).stderr(plan.log.try_clone()?);
        if plan.piped {
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
        } else {
            // A pipe would end the agent with us.
            command.stdin(Stdio::null()).stdout(plan.log);
        }
        let mut child = command.spawn()?;
        let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let pid = pid.ok_or_else(|| io::Error::other("the process has no id"))?;
        let pipes = child.stdin.take().zip(child.stdout.take()).map(|(input, output)| Pipes::new(input, output));
        Ok((Self { pid, run: plan.run, life: Life::Child(child), ended: false }, pipes))
    }

    /// Takes over a process that is not our child.
    pub fn adopt(pid: i32, run: String) -> io::Result<Self> {
        let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { pid, run, life: Life::Adopted(adopted::Watch::new(pid)?), ended: false })
    }

    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Returns when the process has ended, at once when it had. Can be dropped and called again.
    pub async fn wait(&mut self) -> Exit {
        let exit = match &mut self.life {
            Life::Child(child) => child.wait().await.map_or(Exit::Unknown, Exit::from),
            Life::Adopted(watch) => {
                watch.ended().await;
                Exit::Unknown
            }
        };
        self.ended = true;
        exit
    }

    fn signal(&self, signal: Signal) {
        // The only failure is that nobody is left to be told.
        let _ = rustix::process::kill_process_group(self.pid, signal);
    }

    /// Asks the group to end, then makes it, and ends what left the group too.
    pub async fn stop(mut self, grace: Duration, orphans: &Orphans) {
        let deadline = Instant::now() + grace;
        self.signal(Signal::TERM);
        if timeout_at(deadline, self.wait()).await.is_ok() {
            // Its children were asked at the same time and have the same grace.
            while Instant::now() < deadline && self.group_lives(orphans).await {
                sleep(Duration::from_millis(20)).await;
            }
        }
        self.end(orphans).await;
    }

    /// Ends at once what is left of the process, its group and its run.
    pub async fn end(mut self, orphans: &Orphans) {
        self.signal(Signal::KILL);
        if timeout(GONE, self.wait()).await.is_err() {
            tracing::warn!(pid = self.pid(), "an agent process does not end, although it was killed");
        }
        let run = self.run.clone();
        orphans.end(|process| process.run == run).await;
    }

    async fn group_lives(&self, orphans: &Orphans) -> bool {
        orphans.scan().await.unwrap_or_default().iter().any(|process| {
            process.run == self.run
                && Pid::from_raw(process.pid).is_some_and(|pid| rustix::process::getpgid(Some(pid)) == Ok(self.pid))
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.ended {
            self.signal(Signal::KILL);
        }
    }
}

/// Whether the process leads its own group, as every agent does.
pub fn leads_group(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| rustix::process::getpgid(Some(pid)) == Ok(pid))
}

/// `--version` of a program, without any of our environment.
pub async fn version(program: &Path) -> Result<String, String> {
    let mut command = Command::new(program);
    command.arg("--version").env_clear().envs(super::environment::inherited(false));
    command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    match timeout(Duration::from_secs(5), command.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            Ok(crate::model::clip(said.lines().find(|line| !line.trim().is_empty()).unwrap_or("no version"), 80))
        }
        Ok(Ok(output)) => Err(format!("`--version` {}", Exit::from(output.status))),
        Ok(Err(error)) => Err(format!("it cannot be run: {error}")),
        Err(_) => Err("`--version` did not answer within 5 s".to_owned()),
    }
}

#[cfg(target_os = "linux")]
mod adopted {
    //! The end of a process that is not our child, told by the kernel.

    use std::io;
    use std::os::fd::OwnedFd;

    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    pub struct Watch(AsyncFd<OwnedFd>);

    impl Watch {
        pub fn new(pid: Pid) -> io::Result<Self> {
            let fd = pidfd_open(pid, PidfdFlags::empty())?;
            #[expect(deprecated, reason = "its successor is unsafe, for the sake of types that can change their descriptor")]
            let fd = AsyncFd::with_interest(fd, Interest::READABLE)?;
            Ok(Self(fd))
        }

        pub async fn ended(&mut self) {
            // Readable once it has ended, and for ever after; an error can only mean that nothing more will be told.
            let _ = self.0.readable().await;
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod adopted {
    //! The end of a process that is not our child, where the system does not tell it.

    use std::io;
    use std::time::Duration;

    use rustix::process::{Pid, test_kill_process};

    pub struct Watch(Pid);

    impl Watch {
        pub fn new(pid: Pid) -> io::Result<Self> {
            test_kill_process(pid)?;
            Ok(Self(pid))
        }

        pub async fn ended(&mut self) {
            while test_kill_process(self.0).is_ok() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
}
