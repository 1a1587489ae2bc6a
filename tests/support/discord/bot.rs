//! `gaggle serve` at this Discord: the real program with a configuration file and a data folder of its own.
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

use super::delivery::public_key;
use super::state::{APP, GUILD, TOKEN};
use super::world::secrets;
use super::{DEADLINE, Discord, Way};
use crate::support::tester::{SECRET, Tester};

pub struct Bot {
    discord: Discord,
    dir: TempDir,
    url: String,
    env: Vec<(String, String)>,
    child: Option<Child>,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Bot {
    /// Running and ready, with the demo agent.
    pub async fn start(discord: &Discord) -> Self {
        Self::with(discord, "", "").await
    }

    /// … with further lines for `[discord]`, and further sections (not `[discord]`, `[access]`, `[server]`, `[agent]`).
    pub async fn with(discord: &Discord, keys: &str, sections: &str) -> Self {
        let mut bot = Self::prepare(discord, keys, "default_role = \"member\"", "name = \"demo\"", sections);
        bot.launch();
        bot.ready().await;
        bot
    }

    /// Not started yet: lines for `[discord]`, `[access]` and `[agent]`, and further sections.
    pub fn prepare(discord: &Discord, keys: &str, access: &str, agent: &str, sections: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("gaggle-discord-").tempdir().expect("a folder");
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port();
        let mode = match discord.inner.way {
            Way::Gateway => "gateway",
            Way::Http => "http",
        };
        // Registered where it is seen at once, unless the test says otherwise.
        let guilds = if keys.contains("guilds") { String::new() } else { format!("guilds = [\"{GUILD}\"]\n") };
        let text = format!(
            "data_dir = \"data\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n[discord]\nmode = \"{mode}\"\ntoken = \"{TOKEN}\"\n\
             application_id = \"{APP}\"\npublic_key = \"{}\"\napi_url = \"{}\"\n{guilds}{keys}\n[access]\n{access}\n[agent]\n{agent}\n{sections}\n",
            public_key(),
            discord.api_url()
        );
        std::fs::write(dir.path().join("gaggle.toml"), text).expect("a file");
        let url = format!("http://127.0.0.1:{port}");
        if discord.inner.way == Way::Http {
            discord.reach(&url);
        }
        Self { discord: discord.clone(), dir, url, env: Vec::new(), child: None, output: Arc::default(), readers: Vec::new() }
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
        self.discord.change(|s| {
            s.readies = 0;
            s.resumes = 0;
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

    /// `/readyz` says so, its commands are there, and by gateway it has a session.
    pub async fn ready(&mut self) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let way = self.discord.inner.way;
            let linked = self.discord.look(|s| !s.commands.is_empty() && (way == Way::Http || s.readies + s.resumes > 0));
            let asked = self.discord.inner.http.get(format!("{}/readyz", self.url)).timeout(Duration::from_secs(5)).send().await;
            if linked && asked.is_ok_and(|r| r.status().is_success()) {
                return;
            }
            let child = self.child.as_mut().expect("a running program");
            if let Ok(Some(status)) = child.try_wait() {
                panic!("the program ended with {status} before it was ready\n{}", self.output());
            }
            let in_time = tokio::time::Instant::now() < deadline;
            assert!(in_time, "not ready\n{}\n{}", self.output(), self.discord.look(super::State::report));
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

    /// SIGKILL; its connections are gone when this returns.
    pub async fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.exit().await;
    }

    /// SIGTERM.
    pub async fn terminate(&mut self) -> ExitStatus {
        // What comes while it ends is for the next one.
        self.discord.allow("was answered with HTTP 503");
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
        self.discord.wait("the end of its connections", |s| s.links.is_empty().then_some(())).await;
        self.discord.change(|s| s.bot_ended = true);
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
