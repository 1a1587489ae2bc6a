//! Drives the whole program through its JSON door, as a script would: the real binary, the real store, the real demo agent.
//!
//! Invariant: each line that the program writes is held against what the door promises, in every story; a breach fails the story
//! whatever it asserts itself. Waits for events, never for time.

mod door;
mod left;
mod speaker;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ended::ended;
use super::render;

pub use left::{agents, environment};
pub use speaker::{Begun, Speaker};

/// What no story may ever see again; a value of a secret starts with it.
pub const SECRET: &str = "hunter2";
/// The longest that a story waits for anything.
const DEADLINE: Duration = Duration::from_secs(60);

pub struct Tester {
    shared: Arc<Shared>,
    dir: TempDir,
    args: Vec<String>,
    env: Vec<(String, String)>,
    child: Option<Child>,
    stdin: tokio::sync::Mutex<Option<ChildStdin>>,
    readers: Vec<JoinHandle<()>>,
    /// Set by a story that checks the ending itself.
    lenient: bool,
}

pub struct Shared {
    state: Mutex<State>,
    version: watch::Sender<u64>,
}

/// Everything that was said and seen, over all runs of the program.
#[derive(Default)]
pub struct State {
    pub run: usize,
    pub inputs: Vec<Input>,
    pub events: Vec<Seen>,
    pub turns: BTreeMap<String, TurnSeen>,
    pub stderr: String,
    pub faults: Vec<String>,
    /// Requests in this run, which number those without an id.
    keys: usize,
    /// Standard output has ended.
    pub over: bool,
    /// It was asked to end, so what waits may stay for the next run.
    terminating: bool,
    lines: usize,
}

pub struct Seen {
    pub run: usize,
    pub event: Value,
    /// The input that it belongs to.
    pub input: Option<usize>,
}

pub struct Input {
    pub run: usize,
    /// As the program names it; `None`: the line cannot be understood, so its end has no id.
    pub id: Option<String>,
    pub user: Option<String>,
    pub conversation: String,
    /// As the transcript shows it.
    pub shown: String,
    pub ended: Option<bool>,
}

#[derive(Default, Clone)]
pub struct TurnSeen {
    pub conversation: String,
    pub session: String,
    pub input: Option<usize>,
    /// The run in which it was last seen, and its text in that run.
    run: usize,
    text: String,
    pub last: Option<Value>,
    approvals: BTreeMap<String, bool>,
}

/// An input that has ended, with all that it led to.
#[derive(Debug, Clone)]
pub struct Said {
    pub shown: String,
    pub events: Vec<Value>,
    pub ok: bool,
}

impl TurnSeen {
    pub fn open_approvals(&self) -> Vec<String> {
        self.approvals.iter().filter(|(_, open)| **open).map(|(id, _)| id.clone()).collect()
    }

    pub fn in_run(&self, run: usize) -> bool {
        self.run == run
    }
}

impl Input {
    fn new(shown: &str) -> Self {
        Self { run: 0, id: None, user: None, conversation: "general".into(), shown: shown.into(), ended: None }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.version.send_modify(|v| *v += 1);
        result
    }
}

impl Tester {
    /// The program as a newcomer starts it, with an empty data folder, ready.
    pub async fn start() -> Self {
        Self::with(&[], &[]).await
    }

    /// … with further arguments and variables.
    pub async fn with(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut tester = Self::prepare(args, env);
        tester.launch();
        tester.ready().await;
        tester
    }

    /// Not started yet.
    pub fn prepare(args: &[&str], env: &[(&str, &str)]) -> Self {
        Self {
            shared: Arc::new(Shared { state: Mutex::default(), version: watch::Sender::new(0) }),
            dir: tempfile::Builder::new().prefix("gaggle-story-").tempdir().expect("a folder"),
            args: args.iter().map(|a| (*a).to_owned()).collect(),
            env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            child: None,
            stdin: tokio::sync::Mutex::new(None),
            readers: Vec::new(),
            lenient: false,
        }
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// The program without anything that the machine's own environment might change in it.
    pub fn command() -> std::process::Command {
        let exe = std::env::var_os("GAGGLE_TEST_EXE").unwrap_or_else(|| env!("CARGO_BIN_EXE_gaggle").into());
        let mut command = std::process::Command::new(exe);
        command.env_clear();
        for name in ["PATH", "HOME", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Runs the program to its end with `input` on standard input, on this data folder: exit code, output, errors.
    pub async fn run(&self, args: &[&str], input: &str) -> Ran {
        let mut command = Command::from(Self::command());
        command.args(args).current_dir(self.dir.path()).kill_on_drop(true);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("stdin");
        let input = input.as_bytes().to_vec();
        tokio::spawn(async move {
            let _ = stdin.write_all(&input).await;
        });
        let Ok(output) = tokio::time::timeout(DEADLINE, child.wait_with_output()).await else { panic!("{args:?} does not end") };
        let output = output.expect("an output");
        let text = |bytes: &[u8]| render::redact(&String::from_utf8_lossy(bytes), self.dir.path());
        let ran = Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) };
        assert!(!ran.err.contains("panicked") && !ran.err.contains("incident"), "{ran:?}");
        assert!(!ran.out.contains(SECRET) && !ran.err.contains(SECRET), "a secret was told: {ran:?}");
        ran
    }

    /// Lines on a pipe, as `gaggle dev` takes them.
    pub async fn pipe(&self, lines: &str) -> Ran {
        let data = self.data();
        self.run(&["dev", "--data", data.to_str().expect("a path")], lines).await
    }

    pub fn launch(&mut self) {
        let mut command = Self::command();
        if !self.args.iter().any(|a| a == "serve") {
            command.args(["dev", "--json"]).arg("--data").arg(self.data());
        }
        command.args(&self.args).envs(self.env.iter().cloned()).current_dir(self.dir.path());
        let mut command = Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the program starts");
        self.shared.change(State::begin);
        *self.stdin.get_mut() = child.stdin.take();
        let (out, err) = (child.stdout.take().expect("stdout"), child.stderr.take().expect("stderr"));
        let (to_out, to_err) = (self.shared.clone(), self.shared.clone());
        self.readers = vec![
            tokio::spawn(async move {
                let mut lines = BufReader::new(out);
                let mut line = Vec::new();
                while lines.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
                    to_out.change(|s| s.take(&line));
                    line.clear();
                }
                to_out.change(|s| s.over = true);
            }),
            tokio::spawn(async move {
                let mut lines = BufReader::new(err);
                let mut line = Vec::new();
                while lines.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
                    to_err.change(|s| s.complain(&String::from_utf8_lossy(&line)));
                    line.clear();
                }
            }),
        ];
        self.child = Some(child);
    }

    pub async fn ready(&self) {
        self.until("the program to be ready", |s| s.of_run().any(|e| e["type"] == "ready").then_some(())).await;
    }

    pub fn pid(&self) -> i32 {
        self.child.as_ref().and_then(Child::id).expect("a running program") as i32
    }

    /// The operator, where plain lines are said.
    pub fn operator(&self) -> Speaker<'_> {
        Speaker { tester: self, user: None, conversation: "general".into() }
    }

    pub fn user(&self, name: &str) -> Speaker<'_> {
        Speaker { user: Some(name.into()), ..self.operator() }
    }

    pub fn in_conversation(&self, name: &str) -> Speaker<'_> {
        self.operator().in_conversation(name)
    }

    /// Says something and waits for its end.
    pub async fn say(&self, text: &str) -> Said {
        self.operator().say(text).await
    }

    /// Says something without waiting.
    pub async fn begin(&self, text: &str) -> Begun<'_> {
        self.operator().begin(text).await
    }

    /// A plain line, as from a pipe.
    pub async fn line(&self, text: &str) -> Begun<'_> {
        self.write(Input::new(text), true, |_| text.as_bytes().to_vec()).await
    }

    /// A line that cannot be understood; `id`: what its end is expected to name.
    pub async fn garbage(&self, bytes: &[u8], id: Option<&str>) -> Said {
        let shown: String = String::from_utf8_lossy(bytes).chars().take(80).collect();
        let input = Input { id: id.map(str::to_owned), ..Input::new(&shown) };
        self.write(input, false, |_| bytes.to_vec()).await.end().await
    }

    /// Whatever object, with an id of its own.
    pub async fn send_json(&self, mut object: Value) -> Begun<'_> {
        let shown = object.to_string();
        let input = Input::new(&shown);
        self.write(input, true, |id| {
            object["id"] = json!(id);
            object.to_string().into_bytes()
        })
        .await
    }

    async fn write(&self, mut input: Input, request: bool, line: impl FnOnce(&str) -> Vec<u8>) -> Begun<'_> {
        let mut stdin = self.stdin.lock().await;
        let (at, mut bytes) = self.shared.change(|s| {
            s.keys += usize::from(request);
            input.run = s.run;
            let at = s.inputs.len();
            let id = format!("i{at}");
            let bytes = line(&id);
            if request {
                // Only objects of ours carry their id.
                let plain = bytes.first() != Some(&b'{');
                input.id = Some(if plain { format!("#{}", s.keys) } else { id });
            }
            s.inputs.push(input);
            (at, bytes)
        });
        bytes.push(b'\n');
        if let Some(stdin) = &mut *stdin {
            // A program that is just being killed takes nothing more.
            let _ = stdin.write_all(&bytes).await;
            let _ = stdin.flush().await;
        }
        Begun { tester: self, at }
    }

    /// Waits until `look` finds something.
    pub async fn until<T>(&self, what: &str, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let mut changes = self.shared.version.subscribe();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                {
                    let state = self.shared.lock();
                    assert!(state.faults.is_empty(), "{}\n{}", state.faults.join("\n"), state.log());
                    if let Some(found) = look(&state) {
                        return Some(found);
                    }
                    if state.over {
                        return None;
                    }
                }
                let _ = changes.changed().await;
            }
        };
        match tokio::time::timeout(DEADLINE, waiting).await {
            Ok(Some(found)) => found,
            Ok(None) => panic!("the program ended while the story waited for {what}\n{}", self.shared.lock().log()),
            Err(_) => panic!("no sign of {what}\n{}", self.shared.lock().log()),
        }
    }

    /// The first event of this run, from now or before, that `fits`.
    pub async fn event(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.until(what, |s| s.of_run().find(|e| fits(e)).cloned()).await
    }

    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.shared.lock())
    }

    /// Closes standard input and waits for the end of the program.
    pub async fn end_input(&mut self) -> ExitStatus {
        *self.stdin.get_mut() = None;
        self.exit().await
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.exit().await;
    }

    /// SIGTERM.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.shared.change(|s| s.terminating = true);
        self.signal(rustix::process::Signal::TERM);
        self.exit().await
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("the program runs");
    }

    pub async fn exit(&mut self) -> ExitStatus {
        let (child, readers) = (self.child.take(), std::mem::take(&mut self.readers));
        let status = ended(child, readers, DEADLINE, || self.shared.lock().log()).await;
        *self.stdin.get_mut() = None;
        status
    }

    /// Ends it as it is and starts it again on the same data.
    pub async fn restart(&mut self) {
        if self.child.is_some() {
            self.kill().await;
        }
        self.launch();
        self.ready().await;
    }

    /// The agents of this data folder that run: process and project.
    pub fn agents(&self) -> Vec<(i32, String)> {
        agents(&self.data())
    }

    /// A variable of the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Compose files of the next start: each one's name and text.
    pub fn catalogue(&mut self, files: &[(&str, &str)]) {
        let folder = self.folder().join("catalogue");
        std::fs::create_dir(&folder).expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.join(name), text).expect("a file");
        }
        self.set("GAGGLE_SERVICES__CATALOGUE", &folder.display().to_string());
    }

    /// Leaves the check of the exit code to the story.
    pub fn lenient(&mut self) {
        self.lenient = true;
    }

    /// The end of a story: the input ends, the work is done, nothing is left behind, nothing was told that is secret.
    pub async fn done(mut self) {
        if self.child.is_some() {
            let status = self.end_input().await;
            let failed = self.look(|s| s.inputs.iter().any(|i| i.run == s.run && i.ended == Some(false)));
            if !self.lenient {
                assert_eq!(status.code(), Some(i32::from(failed)), "{}", self.shared.lock().log());
            }
            self.look(|s| {
                for input in s.inputs.iter().filter(|i| i.run == s.run) {
                    assert!(input.ended.is_some(), "`{}` has no end\n{}", input.shown, s.log());
                }
                for (id, turn) in s.turns.iter().filter(|(_, t)| t.run == s.run) {
                    assert!(turn.last.is_some(), "{id} has no last state\n{}", s.log());
                }
            });
        }
        self.check();
    }

    /// What has to be true whenever the program does not run and was not killed.
    pub fn check(&self) {
        assert_eq!(self.agents(), [], "agents are left");
        self.look(|s| assert!(s.faults.is_empty(), "{}\n{}", s.faults.join("\n"), s.log()));
        left::no_secret_below(self.folder());
    }

    /// What people saw, input by input, with what differs from run to run taken out.
    pub fn transcript(&self) -> String {
        render::transcript(&self.shared.lock(), self.folder())
    }

    /// Holds the transcript against `tests/snapshots/NAME.snap`.
    pub fn snapshot(&self, name: &str) {
        let text = self.transcript();
        snapshot(name, &text);
    }
}

/// A story that fails must not leave agents behind: they outlive the program on purpose.
impl Drop for Tester {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.start_kill();
        }
        for (pid, _) in self.agents() {
            if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

pub fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

/// A run of the program from its start to its end.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}{}", self.out, if self.err.is_empty() { String::new() } else { format!("--- errors\n{}", self.err) })?;
        write!(f, "--- exit {}", self.code.map_or_else(|| "by a signal".to_owned(), |c| c.to_string()))
    }
}
