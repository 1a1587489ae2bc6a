//! `gaggle serve` at a stand-in of a chat platform: the real program with a configuration file and a data folder of its own.
//!
//! Invariant: nothing that the program writes to its output holds a secret.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::ended::ended;
use super::goose::free_port;
use super::tester::{SECRET, Tester};

/// The longest that a test waits for anything.
const DEADLINE: Duration = Duration::from_secs(30);

/// What a program connects to.
pub trait Platform: Clone {
    /// In the names of folders.
    const NAME: &'static str;
    /// What the program knows and must not tell.
    const SECRETS: &'static [&'static str];

    /// The section of the configuration, with these further lines.
    fn section(&self, keys: &str) -> String;
    /// Where requests find the program.
    fn finds(&self, url: &str);
    /// A program begins: nothing of it is known.
    fn begins(&self);
    /// Whether a program that is there has done all that it does before people may use it.
    fn has_greeted(&self) -> bool;
    /// Whether `/readyz` has to say so, too.
    fn asks_for_readiness(&self) -> bool;
    /// A program is being ended in order: what comes now is for the next one.
    fn forgive(&self);
    /// Returns once no connection of the program that ended is left.
    fn ended(&self) -> impl Future<Output = ()> + Send;
    fn report(&self) -> String;
}

pub struct Bot<P: Platform> {
    platform: P,
    dir: TempDir,
    url: String,
    env: Vec<(String, String)>,
    child: Option<Child>,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    http: reqwest::Client,
}

impl<P: Platform> Bot<P> {
    /// Running and ready, with the demo agent.
    pub async fn start(platform: &P) -> Self {
        Self::with(platform, "", "").await
    }

    /// … with further lines for the platform's section, and further sections (not that, `[access]`, `[server]`, `[agent]`).
    pub async fn with(platform: &P, keys: &str, sections: &str) -> Self {
        let mut bot = Self::prepare(platform, keys, "default_role = \"member\"", "name = \"demo\"", sections);
        bot.launch();
        bot.ready().await;
        bot
    }

    /// Not started yet: lines for the platform's section, `[access]` and `[agent]`, and further sections.
    pub fn prepare(platform: &P, keys: &str, access: &str, agent: &str, sections: &str) -> Self {
        let dir = tempfile::Builder::new().prefix(&format!("gaggle-{}-", P::NAME)).tempdir().expect("a folder");
        let port = free_port();
        let text = format!(
            "data_dir = \"data\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n{}[access]\n{access}\n[agent]\n{agent}\n{sections}\n",
            platform.section(keys)
        );
        std::fs::write(dir.path().join("gaggle.toml"), text).expect("a file");
        let url = format!("http://127.0.0.1:{port}");
        platform.finds(&url);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client");
        let (env, readers) = (Vec::new(), Vec::new());
        Self { platform: platform.clone(), dir, url, env, child: None, output: Arc::default(), readers, http }
    }

    /// A variable of the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
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
        self.platform.begins();
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

    pub async fn ready(&mut self) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            if self.platform.has_greeted() && (!self.platform.asks_for_readiness() || self.says_ready().await) {
                return;
            }
            let child = self.child.as_mut().expect("a running program");
            if let Ok(Some(status)) = child.try_wait() {
                panic!("the program ended with {status} before it was ready\n{}", self.output());
            }
            let in_time = tokio::time::Instant::now() < deadline;
            assert!(in_time, "not ready\n{}\n{}", self.output(), self.platform.report());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn says_ready(&self) -> bool {
        self.http.get(format!("{}/readyz", self.url)).send().await.is_ok_and(|answer| answer.status().is_success())
    }

    /// The program once more, beside the one that serves; all that it said.
    pub async fn run(&self, arguments: &[&str]) -> String {
        let mut command = Tester::command();
        command.args(arguments).envs(self.env.iter().cloned()).current_dir(self.dir.path());
        let ran = Command::from(command).stdin(Stdio::null()).kill_on_drop(true).output();
        let output = tokio::time::timeout(DEADLINE, ran).await.expect("an end in time").expect("a program");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!P::SECRETS.iter().any(|secret| text.contains(secret)), "a secret was told:\n{text}");
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
        self.platform.forgive();
        self.signal(rustix::process::Signal::TERM);
        self.exit().await
    }

    pub async fn exit(&mut self) -> ExitStatus {
        let (child, readers) = (self.child.take(), std::mem::take(&mut self.readers));
        let status = ended(child, readers, DEADLINE, || self.output()).await;
        self.platform.ended().await;
        status
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
        let told = P::SECRETS.iter().chain(&[SECRET]).any(|secret| output.contains(secret));
        assert!(!told, "a secret was told:\n{output}");
    }
}
