//! `gaggle serve` at this workspace: the real program with a configuration file and a data folder of its own.
//!
//! Invariant: nothing that the program writes to its output holds a secret.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::state::{APP_TOKEN, BOT_TOKEN, SIGNING_SECRET};
use super::world::secrets;
use super::{DEADLINE, Slack, Way};
use crate::support::tester::{SECRET, Tester};

pub struct Bot {
    slack: Slack,
    dir: TempDir,
    url: String,
    env: Vec<(String, String)>,
    child: Option<Child>,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Bot {
    /// Running and ready, with the demo agent.
    pub async fn start(slack: &Slack) -> Self {
        Self::with(slack, "", "").await
    }

    /// … with further lines for `[slack]`, and further sections (not `[slack]`, `[access]`, `[server]`, `[agent]`).
    pub async fn with(slack: &Slack, keys: &str, sections: &str) -> Self {
        let mut bot = Self::prepare(slack, keys, "default_role = \"member\"", "name = \"demo\"", sections);
        bot.launch();
        bot.ready().await;
        bot
    }

    /// Not started yet: lines for `[slack]`, `[access]` and `[agent]`, and further sections.
    pub fn prepare(slack: &Slack, keys: &str, access: &str, agent: &str, sections: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("gaggle-slack-").tempdir().expect("a folder");
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port();
        let (mode, way) = match slack.inner.way {
            Way::Socket => ("socket", format!("app_token = \"{APP_TOKEN}\"")),
            Way::Http => ("http", format!("signing_secret = \"{SIGNING_SECRET}\"")),
        };
        let text = format!(
            "data_dir = \"data\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n[slack]\nmode = \"{mode}\"\nbot_token = \"{BOT_TOKEN}\"\n{way}\n\
             api_url = \"{}\"\n{keys}\n[access]\n{access}\n[agent]\n{agent}\n{sections}\n",
            slack.api_url()
        );
        std::fs::write(dir.path().join("gaggle.toml"), text).expect("a file");
        let url = format!("http://127.0.0.1:{port}");
        if slack.inner.way == Way::Http {
            slack.reach(&url);
        }
        Self { slack: slack.clone(), dir, url, env: Vec::new(), child: None, output: Arc::default(), readers: Vec::new() }
    }

    /// A variable of the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn pid(&self) -> i32 {
        self.child.as_ref().and_then(Child::id).and_then(|pid| i32::try_from(pid).ok()).expect("a running program")
    }

    pub fn output(&self) -> String {
        self.output.lock().expect("no panic").clone()
    }

    pub fn launch(&mut self) {
        let mut command = Tester::command();
        command.args(["serve", "--config", "gaggle.toml"]).envs(self.env.iter().cloned()).current_dir(self.dir.path());
        let mut command = Command::from(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the program starts");
        let (out, err) = (child.stdout.take().expect("stdout"), child.stderr.take().expect("stderr"));
        self.slack.change(|s| {
            s.hellos = 0;
            s.bot_ended = false;
        });
        self.readers = vec![self.read(out), self.read(err)];
        self.child = Some(child);
    }

    fn read(&self, from: impl AsyncRead + Send + Unpin + 'static) -> JoinHandle<()> {
        let output = Arc::clone(&self.output);
        tokio::spawn(async move {
            let mut lines = BufReader::new(from);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
                output.lock().expect("no panic").push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        })
    }

    /// Two sockets that were greeted, or `/readyz`.
    pub async fn ready(&mut self) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let ready = match self.slack.inner.way {
                Way::Socket => self.slack.look(|s| s.hellos >= 2),
                Way::Http => {
                    let asked =
                        self.slack.inner.http.get(format!("{}/readyz", self.url)).timeout(Duration::from_secs(5)).send().await;
                    asked.is_ok_and(|r| r.status().is_success())
                }
            };
            if ready {
                return;
            }
            let child = self.child.as_mut().expect("a running program");
            if let Ok(Some(status)) = child.try_wait() {
                panic!("the program ended with {status} before it was ready\n{}", self.output());
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "not ready\n{}\n{}",
                self.output(),
                self.slack.look(super::State::report)
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The program once more, beside the one that serves; all that it said.
    pub async fn run(&self, arguments: &[&str]) -> String {
        let mut command = Tester::command();
        command.args(arguments).envs(self.env.iter().cloned()).current_dir(self.dir.path());
        let ran = Command::from(command).stdin(Stdio::null()).kill_on_drop(true).output();
        let output = tokio::time::timeout(DEADLINE, ran).await.expect("an end in time").expect("a program");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!secrets().into_iter().any(|secret| text.contains(secret)), "a secret was told:\n{text}");
        text
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("the program runs");
    }

    /// SIGKILL; its sockets are gone when this returns.
    pub async fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.exit().await;
    }

    /// SIGTERM.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.exit().await
    }

    pub async fn exit(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running program");
        let Ok(status) = tokio::time::timeout(DEADLINE, child.wait()).await else {
            panic!("the program does not end\n{}", self.output());
        };
        for reader in self.readers.drain(..) {
            assert!(tokio::time::timeout(DEADLINE, reader).await.is_ok(), "somebody else holds the program's output open");
        }
        self.slack.wait("the end of its sockets", |s| s.sockets.is_empty().then_some(())).await;
        self.slack.change(|s| s.bot_ended = true);
        status.expect("a status")
    }

    /// Killed if it runs, and started again on the same data.
    pub async fn restart(&mut self) {
        if self.child.is_some() {
            self.kill().await;
        }
        self.launch();
        self.ready().await;
    }

    /// The end of a test: an orderly end, and nothing told that is secret.
    pub async fn done(mut self) {
        if self.child.is_some() {
            let status = self.terminate().await;
            assert!(status.success(), "{status}\n{}", self.output());
        }
        let output = self.output();
        assert!(!output.contains("panicked"), "{output}");
        let told = secrets().into_iter().chain([SECRET]).any(|secret| output.contains(secret));
        assert!(!told, "a secret was told:\n{output}");
    }
}
