//! Drives the whole program through its JSON door, as a script would: the real binary, the real store, the real demo agent.
//!
//! Invariant: each line that the program writes is held against what the door promises, in every story; a breach fails the story
//! whatever it asserts itself. Waits for events, never for time.

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

use super::render;

/// What no story may ever see again; a value of a secret starts with it.
pub const SECRET: &str = "hunter2";
/// The longest that a story waits for anything.
const DEADLINE: Duration = Duration::from_secs(60);

const LAST: [&str; 4] = ["done", "stopped", "interrupted", "failed"];

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
        self.write(Input::new(text, text), true, |_| text.as_bytes().to_vec()).await
    }

    /// A line that cannot be understood; `id`: what its end is expected to name.
    pub async fn garbage(&self, bytes: &[u8], id: Option<&str>) -> Said {
        let shown: String = String::from_utf8_lossy(bytes).chars().take(80).collect();
        let input = Input { id: id.map(str::to_owned), ..Input::new(&shown, &shown) };
        self.write(input, false, |_| bytes.to_vec()).await.end().await
    }

    /// Whatever object, with an id of its own.
    pub async fn send_json(&self, mut object: Value) -> Begun<'_> {
        let shown = object.to_string();
        let input = Input::new(&shown, &shown);
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
        let mut child = self.child.take().expect("a running program");
        let Ok(status) = tokio::time::timeout(DEADLINE, child.wait()).await else {
            panic!("the program does not end\n{}", self.shared.lock().log());
        };
        for reader in self.readers.drain(..) {
            assert!(tokio::time::timeout(DEADLINE, reader).await.is_ok(), "somebody else holds the program's output open");
        }
        *self.stdin.get_mut() = None;
        status.expect("a status")
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
        no_secret_below(self.folder());
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

/// Somebody, somewhere.
#[derive(Clone)]
pub struct Speaker<'a> {
    tester: &'a Tester,
    user: Option<String>,
    conversation: String,
}

impl<'a> Speaker<'a> {
    pub fn in_conversation(mut self, name: &str) -> Self {
        self.conversation = name.into();
        self
    }

    pub async fn begin(&self, text: &str) -> Begun<'a> {
        self.object(text, json!({ "text": text })).await
    }

    pub async fn say(&self, text: &str) -> Said {
        self.begin(text).await.end().await
    }

    /// Fills a form in.
    pub async fn fill(&self, form: &str, values: Value) -> Begun<'a> {
        let names: Vec<String> = values.as_object().map(|v| v.keys().cloned().collect()).unwrap_or_default();
        self.object(&format!("({form}: {})", names.join(", ")), json!({ "form": form, "values": values })).await
    }

    pub async fn cancel(&self, form: &str) -> Begun<'a> {
        self.object(&format!("({form} cancelled)"), json!({ "form": form, "cancel": true })).await
    }

    async fn object(&self, shown: &str, mut object: Value) -> Begun<'a> {
        object["conversation"] = json!(self.conversation);
        if let Some(user) = &self.user {
            object["user"] = json!(user);
        }
        let input = Input { user: self.user.clone(), conversation: self.conversation.clone(), ..Input::new(shown, shown) };
        self.tester
            .write(input, true, |id| {
                object["id"] = json!(id);
                object.to_string().into_bytes()
            })
            .await
    }
}

impl Input {
    fn new(shown: &str, _: &str) -> Self {
        Self { run: 0, id: None, user: None, conversation: "general".into(), shown: shown.into(), ended: None }
    }
}

/// An input that may not have ended yet.
#[derive(Clone, Copy)]
pub struct Begun<'a> {
    tester: &'a Tester,
    pub at: usize,
}

impl Begun<'_> {
    pub async fn end(self) -> Said {
        self.tester
            .until(&format!("the end of {}", self.tester.look(|s| s.inputs[self.at].shown.clone())), |s| s.said(self.at))
            .await
    }

    /// The first event of this input that `fits`.
    pub async fn event(self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let found = |s: &State| s.events.iter().find(|e| e.input == Some(self.at) && fits(&e.event)).map(|e| e.event.clone());
        self.tester.until(what, found).await
    }

    /// The id of its turn.
    pub async fn turn(self) -> String {
        let event = self.event("a turn", |e| e["type"] == "turn").await;
        event["turn"].as_str().expect("an id").to_owned()
    }

    /// The approval that its turn waits for.
    pub async fn approval(self) -> String {
        let event = self.event("an approval", |e| e["type"] == "approval").await;
        event["approval"].as_str().expect("an id").to_owned()
    }

    pub async fn form(self) -> String {
        let event = self.event("a form", |e| e["type"] == "form").await;
        event["form"].as_str().expect("an id").to_owned()
    }

    pub async fn text(self) -> Value {
        self.event("text", |e| e["type"] == "text").await
    }

    pub async fn state(self, state: &str) -> Value {
        self.event(&format!("the state {state}"), |e| e["type"] == "turn" && e["state"] == state).await
    }
}

impl Said {
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.ok, "`{}` did not succeed: {:#?}", self.shown, self.events);
        self
    }

    #[track_caller]
    pub fn refused(self) -> Self {
        assert!(
            !self.ok && self.events.iter().any(|e| e["notice"] == "refused"),
            "`{}` was not refused: {:#?}",
            self.shown,
            self.events
        );
        self
    }

    #[track_caller]
    pub fn invalid(self) -> Self {
        assert!(!self.ok && self.error().is_some(), "`{}` was understood: {:#?}", self.shown, self.events);
        self
    }

    pub fn error(&self) -> Option<&str> {
        self.events.last()?["error"].as_str()
    }

    /// The last reply's text, or the answer.
    pub fn text(&self) -> &str {
        let of = |kind: &str| self.events.iter().rev().find(|e| e["type"] == kind).and_then(|e| e["text"].as_str());
        of("reply").or_else(|| of("turn")).or_else(|| self.error()).unwrap_or_default()
    }

    #[track_caller]
    pub fn has(self, part: &str) -> Self {
        assert!(self.text().contains(part), "`{}` does not say {part:?}: {}", self.shown, self.text());
        self
    }

    #[track_caller]
    pub fn has_not(self, part: &str) -> Self {
        assert!(!self.text().contains(part), "`{}` says {part:?}: {}", self.shown, self.text());
        self
    }

    pub fn data(&self, key: &str) -> Value {
        self.events.iter().rev().find(|e| e["type"] == "reply").map_or(Value::Null, |e| e["data"][key].clone())
    }

    /// The last state of its turn.
    #[track_caller]
    pub fn turn(&self) -> &Value {
        let last = self.events.iter().rev().find(|e| e["type"] == "turn");
        last.unwrap_or_else(|| panic!("`{}` opened no turn: {:#?}", self.shown, self.events))
    }

    #[track_caller]
    pub fn ended_as(self, state: &str) -> Self {
        assert_eq!(self.turn()["state"], state, "`{}`: {}", self.shown, self.turn());
        self
    }
}

impl State {
    fn begin(&mut self) {
        self.run += 1;
        self.keys = 0;
        self.lines = 0;
        self.over = false;
        self.terminating = false;
    }

    /// The events of this run.
    pub fn of_run(&self) -> impl DoubleEndedIterator<Item = &Value> {
        self.events.iter().filter(|e| e.run == self.run).map(|e| &e.event)
    }

    pub fn said(&self, at: usize) -> Option<Said> {
        let input = &self.inputs[at];
        let events = self.events.iter().filter(|e| e.input == Some(at) && e.run == input.run).map(|e| e.event.clone()).collect();
        Some(Said { shown: input.shown.clone(), events, ok: input.ended? })
    }

    /// Everything as it came, for the message of a failure.
    pub fn log(&self) -> String {
        let mut text = String::new();
        for input in &self.inputs {
            text += &format!("< {} {:?} {:?} {} -> {:?}\n", input.run, input.id, input.user, input.shown, input.ended);
        }
        for seen in &self.events {
            text += &format!("> {} {}\n", seen.run, seen.event);
        }
        text + "stderr: " + &self.stderr
    }

    fn complain(&mut self, line: &str) {
        self.stderr += line;
        if line.contains("panicked") || line.contains("incident") {
            self.faults.push(format!("on standard error: {line}"));
        }
        if line.contains(SECRET) {
            self.faults.push("a secret is on standard error".into());
        }
    }

    /// One line of standard output.
    fn take(&mut self, line: &[u8]) {
        self.lines += 1;
        if !line.ends_with(b"\n") {
            // Only a killed program may leave half a line.
            return;
        }
        let text = String::from_utf8_lossy(line).into_owned();
        if text.contains(SECRET) {
            self.faults.push(format!("a secret was told: {text}"));
        }
        let Ok(event @ Value::Object(_)) = serde_json::from_slice::<Value>(line) else {
            self.faults.push(format!("no JSON object: {text}"));
            return;
        };
        let before = self.faults.len();
        let input = self.judge(&event);
        for fault in &mut self.faults[before..] {
            *fault = format!("{fault}: {}", text.trim_end());
        }
        self.events.push(Seen { run: self.run, event, input });
    }

    fn fault(&mut self, what: &str) {
        self.faults.push(what.to_owned());
    }

    /// Holds an event against the promises of the door; returns the input that it belongs to.
    fn judge(&mut self, event: &Value) -> Option<usize> {
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        if (self.lines == 1) != (kind == "ready") {
            self.fault("`ready` is the first line and no other");
        }
        const KEYS: [(&str, &[&str]); 12] = [
            ("ready", &["version"]),
            ("reply", &["id", "conversation", "notice", "text", "data"]),
            ("progress", &["id", "step", "state", "text"]),
            ("turn", &["id", "conversation", "turn", "state"]),
            ("text", &["conversation", "turn", "text"]),
            ("tool", &["conversation", "turn"]),
            ("note", &["conversation", "turn", "text"]),
            ("approval", &["approval", "conversation", "turn", "tool", "arguments", "expires"]),
            ("approval_ended", &["approval", "conversation", "turn", "state"]),
            ("form", &["form", "id", "conversation", "title", "confirm", "fields"]),
            ("file", &["name", "bytes"]),
            ("end", &["id", "ok"]),
        ];
        match KEYS.iter().find(|(known, _)| *known == kind) {
            None => self.fault("an unknown type"),
            Some((_, keys)) => {
                for key in *keys {
                    if event.get(key).is_none() {
                        self.fault(&format!("no `{key}`"));
                    }
                }
            }
        }
        if let Some(turn) = event["turn"].as_str() {
            return self.judge_turn(&kind, turn, event);
        }
        let input = self.input_of(&kind, event);
        if kind == "end" {
            let ok = event["ok"].as_bool();
            match input {
                None => self.fault("the end of no input"),
                Some(at) => {
                    let open = self.turns.values().any(|t| t.input == Some(at) && t.last.is_none());
                    if open && !self.terminating {
                        self.fault("the end comes before the last state of its turn");
                    }
                    self.inputs[at].ended = ok;
                }
            }
        } else if kind != "ready" {
            self.judge_place(input, event);
        }
        input
    }

    /// The open input that the event names.
    fn input_of(&mut self, kind: &str, event: &Value) -> Option<usize> {
        if kind == "ready" {
            return None;
        }
        let id = event["id"].as_str();
        let named = |i: &Input| i.run == self.run && i.id.as_deref() == id;
        let found = self.inputs.iter().position(|i| named(i) && i.ended.is_none());
        if found.is_none() && (id.is_some() || kind == "end") {
            self.fault("its input has ended already, or never was");
        }
        found
    }

    fn judge_place(&mut self, input: Option<usize>, event: &Value) {
        if let (Some(at), Some(place)) = (input, event["conversation"].as_str())
            && self.inputs[at].conversation != place
        {
            self.fault("another conversation than its input's");
        }
    }

    fn judge_turn(&mut self, kind: &str, id: &str, event: &Value) -> Option<usize> {
        let run = self.run;
        let mut turn = self.turns.get(id).cloned().unwrap_or_default();
        let fresh = turn.run != run;
        if fresh {
            if kind != "turn" {
                self.fault("a turn's first event is no `turn`");
            }
            if turn.run == 0 {
                turn.conversation = event["conversation"].as_str().unwrap_or_default().to_owned();
                turn.session = event["session"].as_str().unwrap_or_default().to_owned();
                if event["id"].is_null() {
                    // Told for the first time after a restart: its message is one of an earlier run.
                } else {
                    turn.input = self.input_of(kind, event);
                    self.judge_place(turn.input, event);
                }
            }
            turn.run = run;
            turn.text.clear();
            turn.approvals.clear();
        }
        if turn.last.is_some() {
            self.fault("a turn goes on after its last state");
        }
        if event["conversation"] != turn.conversation.as_str() {
            self.fault("a turn changed its conversation");
        }
        match kind {
            "turn" => {
                if !fresh || turn.run != run {
                    let id = turn.input.filter(|at| self.inputs[*at].run == run).and_then(|at| self.inputs[at].id.clone());
                    if event["id"].as_str() != id.as_deref() {
                        self.fault("a turn names another input than before");
                    }
                }
                if event["session"] != turn.session.as_str() {
                    self.fault("a turn changed its session");
                }
                let state = event["state"].as_str().unwrap_or_default();
                if LAST.contains(&state) {
                    if event["text"] != turn.text.as_str() {
                        self.fault(&format!("the joined texts are {:?}", turn.text));
                    }
                    if event.get("tools").is_none() || event.get("usage").is_none() {
                        self.fault("a last state without tools and usage");
                    }
                    if matches!(state, "interrupted" | "failed") && event["reason"].as_str().is_none_or(str::is_empty) {
                        self.fault("no reason");
                    }
                    if turn.approvals.values().any(|open| *open) {
                        self.fault("an approval is still open");
                    }
                    turn.last = Some(event.clone());
                } else if state == "waiting" {
                    if event["reason"].as_str().is_none_or(str::is_empty) {
                        self.fault("waiting without a reason");
                    }
                } else if state != "working" {
                    self.fault("an unknown state");
                }
            }
            "text" => {
                let text = event["text"].as_str().unwrap_or_default();
                if text.is_empty() {
                    self.fault("an empty text");
                }
                turn.text += text;
            }
            "approval" => {
                let approval = event["approval"].as_str().unwrap_or_default().to_owned();
                turn.approvals.insert(approval, true);
            }
            "approval_ended" => {
                let approval = event["approval"].as_str().unwrap_or_default().to_owned();
                if turn.approvals.insert(approval, false) != Some(true) {
                    self.fault("an approval ended that was not open");
                }
            }
            _ => {}
        }
        let input = turn.input;
        self.turns.insert(id.to_owned(), turn);
        input
    }
}

/// The agents of a data folder, by the marker in their environment.
pub fn agents(data: &Path) -> Vec<(i32, String)> {
    let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let marker = format!("GAGGLE_AGENT={}#", data.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
        for variable in environment(pid) {
            if let Some(rest) = variable.strip_prefix(&marker) {
                found.push((pid, rest.split('#').next().unwrap_or_default().to_owned()));
            }
        }
    }
    found
}

/// The environment of a process.
pub fn environment(pid: i32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    bytes.split(|b| *b == 0).filter(|v| !v.is_empty()).map(|v| String::from_utf8_lossy(v).into_owned()).collect()
}

fn no_secret_below(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            no_secret_below(&path);
        } else if let Ok(bytes) = std::fs::read(&path) {
            let found = bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes());
            assert!(!found, "a secret lies in {}", path.display());
        }
    }
}
