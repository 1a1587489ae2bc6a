//! The same stories for every way to an agent: ACP over HTTP and over pipes with the demo agent, and the real Goose.

mod rest;

use std::sync::Arc;
use std::time::{Duration, Instant};

use gaggle::agent::{Agent, AgentEvent, Endpoint, Failure, Patience, Pipes, Protocol, Run, connect, demo};
use gaggle::model::{Answer, Content, PromptRef, Usage};
use secrecy::SecretString;
use tokio::io::AsyncBufReadExt;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::support::goose::{self, Goose};
use super::support::llm;

const KEY: &str = "agents-key";

/// An agent that can be connected to.
struct Rig {
    url: String,
    key: Option<&'static str>,
    pipes: bool,
    cwd: String,
    state: tempfile::TempDir,
    tool: &'static str,
    tool_prompt: &'static str,
    end: Option<DropGuard>,
    goose: Option<Goose>,
    /// The command of an agent that speaks on its standard input and output.
    command: Option<std::path::PathBuf>,
}

fn options(rig: &Rig, shutdown: CancellationToken) -> demo::Options {
    let mut options = demo::Options::new(rig.state.path());
    options.secret_key = Some(SecretString::from(KEY));
    options.pace = Duration::from_millis(1);
    options.shutdown = shutdown;
    options
}

impl Rig {
    fn demo(pipes: bool) -> Self {
        let state = tempfile::tempdir().unwrap();
        Self {
            url: String::new(),
            key: Some(KEY),
            pipes,
            cwd: state.path().display().to_string(),
            state,
            tool: demo_tool(),
            tool_prompt: "use the tool please",
            end: None,
            goose: None,
            command: None,
        }
    }

    async fn http() -> Self {
        let mut rig = Self::demo(false);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        rig.url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let options = options(&rig, shutdown.clone());
        tokio::spawn(demo::serve(listener, options));
        rig.end = Some(shutdown.drop_guard());
        rig
    }

    async fn goose(test: &str) -> Option<Self> {
        let goose = Goose::start(&goose::binary(test)?).await;
        let mut rig = Self::demo(false);
        rig.url.clone_from(&goose.url);
        rig.key = Some(goose::SECRET);
        rig.cwd = goose.work();
        rig.tool = "shell";
        rig.tool_prompt = "Let me look. shell: echo out; echo done > touched";
        rig.goose = Some(goose);
        Some(rig)
    }

    /// The same Goose as a child on a pair of pipes.
    async fn goose_pipes(test: &str) -> Option<Self> {
        let mut rig = Self::goose(test).await?;
        (rig.pipes, rig.command) = (true, goose::binary(test));
        Some(rig)
    }

    fn endpoint(&self) -> Endpoint {
        if let (Some(command), Some(goose)) = (&self.command, &self.goose) {
            let mut child = tokio::process::Command::new(command)
                .arg("acp")
                .env_clear()
                .envs(goose::environment(&goose.llm, &goose.folder.path().join("pipes")))
                .current_dir(&self.cwd)
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            let pipes = Pipes::new(child.stdin.take().unwrap(), child.stdout.take().unwrap());
            // It ends with its input; somebody has to see that.
            tokio::spawn(async move { child.wait().await });
            return Endpoint::Stdio(pipes);
        }
        if self.pipes {
            return Endpoint::Stdio(pipes(options(self, CancellationToken::new())));
        }
        Endpoint::Http { url: self.url.clone(), key: self.key.map(SecretString::from), protocol: Protocol::Auto }
    }

    async fn connect(&self, earlier: Option<&str>) -> Arc<dyn Agent> {
        connect(&self.endpoint(), &self.cwd, Patience::default(), earlier).await.unwrap()
    }
}

fn demo_tool() -> &'static str {
    "demo_tool"
}

/// A demo agent on a pair of pipes, as a child process would have them.
fn pipes(options: demo::Options) -> Pipes {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (output, their_output) = tokio::io::duplex(64 * 1024);
    let (lines, input) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        let mut reader = tokio::io::BufReader::new(theirs).lines();
        while let Ok(Some(line)) = reader.next_line().await {
            if lines.send(line).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(demo::converse(input, their_output, options));
    Pipes::new(ours, output)
}

#[derive(Debug, Default)]
pub struct Told {
    pub text: String,
    tools: Vec<String>,
    ended: Vec<(bool, String)>,
    approvals: usize,
    notices: Vec<String>,
    thoughts: String,
    pub gaps: usize,
    usage: Option<Usage>,
    cancelled: bool,
    pub failure: Option<Failure>,
}

/// Reads a run to its end and answers what it asks.
pub async fn told(agent: &dyn Agent, session: &str, mut run: Run, answer: Answer) -> Told {
    let mut told = Told::default();
    loop {
        let event = tokio::time::timeout(Duration::from_secs(60), run.events.recv()).await.expect("an event in time");
        match event.expect("a last event") {
            AgentEvent::Text(text) => told.text.push_str(&text),
            AgentEvent::ToolStarted { tool, .. } => told.tools.push(tool),
            AgentEvent::ToolEnded { ok, output, .. } => told.ended.push((ok, output)),
            AgentEvent::ApprovalWanted { request, arguments, .. } => {
                assert!(arguments["command"].is_string(), "{arguments}");
                told.approvals += 1;
                agent.answer(session, &request, answer).await.unwrap();
            }
            AgentEvent::Done { cancelled, usage } => {
                (told.cancelled, told.usage) = (cancelled, usage);
                break;
            }
            AgentEvent::Failed(failure) => {
                told.failure = Some(failure);
                break;
            }
            AgentEvent::Notice(notice) => told.notices.push(notice),
            AgentEvent::Thought(thought) => told.thoughts.push_str(&thought),
            AgentEvent::Gap => told.gaps += 1,
            AgentEvent::Usage(_) | AgentEvent::Title(_) => {}
        }
    }
    assert_eq!(run.events.recv().await, None, "nothing follows the last event");
    told
}

fn request(agent: &dyn Agent, session: &str) -> PromptRef {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    agent.prompt_ref(session, &format!("turn-{number}-{}", std::process::id()))
}

pub async fn begin(agent: &dyn Agent, session: &str, text: &str) -> Run {
    agent.prompt(&request(agent, session), &[Content::Text(text.to_owned())]).await.unwrap()
}

async fn ask(agent: &dyn Agent, session: &str, text: &str, answer: Answer) -> Told {
    let run = begin(agent, session, text).await;
    told(agent, session, run, answer).await
}

/// The text that has come by the time that there are `enough` bytes of it.
pub async fn first_text(run: &mut Run, enough: usize) -> String {
    let mut text = String::new();
    while text.len() < enough {
        if let AgentEvent::Text(more) = run.events.recv().await.expect("text") {
            text.push_str(&more);
        }
    }
    text
}

async fn words_arrive(rig: &Rig) {
    let agent = rig.connect(None).await;
    let session = agent.open(None).await.unwrap();
    assert!(!session.forgotten && !agent.describe().is_empty());
    let told = ask(&*agent, &session.id, "say 200 words", Answer::Once).await;
    assert_eq!(told.text, llm::words(200));
    assert!(told.failure.is_none() && told.usage.is_some_and(|usage| usage.output_tokens.is_some()), "{told:?}");
    assert_eq!(agent.last_answer(&session.id).await.unwrap().map(|e| e.answer), Some(llm::words(200)));
    // What was loaded is no part of the next answer.
    assert_eq!(ask(&*agent, &session.id, "say 3 words", Answer::Once).await.text, "w1 w2 w3");
    assert_eq!(agent.open(Some(&session.id)).await.unwrap(), session);
}

async fn tools_ask(rig: &Rig) {
    let agent = rig.connect(None).await;
    let session = agent.open(None).await.unwrap().id;
    let told = ask(&*agent, &session, rig.tool_prompt, Answer::Deny).await;
    assert_eq!((told.tools.as_slice(), told.approvals), (&[rig.tool.to_owned()][..], 1));
    assert!(matches!(told.ended.as_slice(), [(false, _)]), "{told:?}");
    assert!(!std::path::Path::new(&rig.cwd).join("touched").exists());
    let told = ask(&*agent, &session, rig.tool_prompt, Answer::Once).await;
    assert_eq!((told.tools.as_slice(), told.approvals), (&[rig.tool.to_owned()][..], 1));
    assert!(matches!(told.ended.as_slice(), [(true, output)] if !output.is_empty()), "{told:?}");
    assert_eq!(std::path::Path::new(&rig.cwd).join("touched").exists(), rig.goose.is_some());
    // Text, tool, text: the record is the same as what was streamed.
    assert_eq!(agent.last_answer(&session).await.unwrap().map(|e| e.answer), Some(told.text));
}

async fn cancel_is_quick(rig: &Rig) {
    let agent = rig.connect(None).await;
    let session = agent.open(None).await.unwrap().id;
    let mut run = begin(&*agent, &session, "say 5000 words").await;
    first_text(&mut run, 20).await;
    let start = Instant::now();
    agent.cancel(&session).await.unwrap();
    assert!(told(&*agent, &session, run, Answer::Once).await.cancelled);
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());

    // While an approval is open.
    let mut run = begin(&*agent, &session, rig.tool_prompt).await;
    while !matches!(run.events.recv().await.unwrap(), AgentEvent::ApprovalWanted { .. }) {}
    let start = Instant::now();
    agent.cancel(&session).await.unwrap();
    assert!(told(&*agent, &session, run, Answer::Once).await.cancelled);
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    let other = agent.open(None).await.unwrap().id;
    assert_eq!(ask(&*agent, &other, "say 2 words", Answer::Once).await.text, "w1 w2");
}

async fn many_at_once(rig: &Rig, count: usize) {
    let agent = rig.connect(None).await;
    let start = Instant::now();
    let all = (0..count).map(|number| {
        let agent = agent.clone();
        tokio::spawn(async move {
            let session = agent.open(None).await.unwrap().id;
            let words = 20 + number % 7;
            let told = ask(&*agent, &session, &format!("say {words} words"), Answer::Once).await;
            assert_eq!(told.text, llm::words(words), "{:?}", told.failure);
        })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    eprintln!("{count} runs at once: {:?}", start.elapsed());
}

/// Sockets of a program that was killed, which something on the way keeps open for a while: what is written to them is gone.
async fn a_dead_reader_takes_no_answer(rig: &Rig) {
    let agent = rig.connect(None).await;
    let kept = agent.connection().unwrap();
    drop(agent);
    let read = || {
        let mut request = reqwest::Client::new().get(format!("{}/acp", rig.url)).header("accept", "text/event-stream");
        request = request.header("acp-connection-id", kept.split(' ').next().unwrap());
        rig.key.iter().fold(request, |request, key| request.header("x-secret-key", *key)).send()
    };
    let dead = loop {
        let response = read().await.unwrap();
        if response.status().is_success() {
            break response;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(dead);
    });
    let agent = rig.connect(Some(&kept)).await;
    assert_eq!(agent.connection().as_deref(), Some(&*kept));
    let session = agent.open(None).await.unwrap().id;
    assert_eq!(ask(&*agent, &session, "say 2 words", Answer::Once).await.text, "w1 w2");
}

/// A new program with the kept connection goes on where the old one was cut off.
async fn a_restart_loses_nothing(rig: &Rig) {
    let agent = rig.connect(None).await;
    let session = agent.open(None).await.unwrap().id;
    let prompt = request(&*agent, &session);
    let mut run = agent.prompt(&prompt, &[Content::Text("say 600 words".into())]).await.unwrap();
    first_text(&mut run, 20).await;
    let kept = agent.connection();
    assert!(kept.is_some());
    drop((agent, run));

    let agent = rig.connect(kept.as_deref()).await;
    assert_eq!(agent.connection(), kept);
    let run = agent.resume(&prompt).await.unwrap().expect("the run is still known");
    let told = told(&*agent, &session, run, Answer::Once).await;
    assert!(told.failure.is_none() && !told.cancelled, "{told:?}");
    assert!(llm::words(600).ends_with(&told.text), "{}", told.text);
    assert_eq!(agent.last_answer(&session).await.unwrap().map(|e| e.answer), Some(llm::words(600)));

    // Its end was read by somebody who did not live to tell.
    let stale = PromptRef { request: "read-long-ago".into(), ..prompt.clone() };
    let run = agent.resume(&stale).await.unwrap().expect("the connection is known");
    assert!(self::told(&*agent, &session, run, Answer::Once).await.failure.is_none());

    // Another connection's runs are not this one's.
    agent.close().await;
    let agent = rig.connect(kept.as_deref()).await;
    assert_ne!(agent.connection(), kept);
    assert!(agent.resume(&prompt).await.unwrap().is_none());
    assert_eq!(agent.open(Some(&session)).await.unwrap().id, session);
    assert_eq!(ask(&*agent, &session, "say 2 words", Answer::Once).await.text, "w1 w2");
}

async fn sessions_are_forgotten(rig: &Rig) {
    let agent = rig.connect(None).await;
    let session = agent.open(Some("20200101_7")).await.unwrap();
    assert!(session.forgotten && session.id != "20200101_7", "{session:?}");
    agent.forget(&session.id).await.unwrap();
    let next = agent.open(None).await.unwrap();
    assert_eq!(ask(&*agent, &next.id, "say 2 words", Answer::Once).await.text, "w1 w2");
}

async fn errors_are_sentences(rig: &Rig) {
    let endpoint = Endpoint::Http { url: rig.url.clone(), key: Some("wrong".into()), protocol: Protocol::Auto };
    let failure = connect(&endpoint, &rig.cwd, Patience::default(), None).await.err().unwrap();
    assert!(failure.to_string().contains("[agent] secret_key"), "{failure}");
    let url = format!("http://user:hunter2@127.0.0.1:{}", goose::free_port());
    let endpoint = Endpoint::Http { url, key: None, protocol: Protocol::Acp };
    let failure = connect(&endpoint, &rig.cwd, Patience::default(), None).await.err().unwrap();
    assert!(failure.to_string().contains("No agent answers") && !failure.to_string().contains("hunter2"), "{failure}");
}

async fn the_server_goes_away(rig: &mut Rig) {
    let agent = rig.connect(None).await;
    let session = agent.open(None).await.unwrap().id;
    let mut run = begin(&*agent, &session, "say 5000 words").await;
    first_text(&mut run, 50).await;
    let start = Instant::now();
    match &mut rig.goose {
        Some(goose) => goose.child.kill().await.unwrap(),
        None => drop(rig.end.take()),
    }
    let told = told(&*agent, &session, run, Answer::Once).await;
    assert!(matches!(told.failure, Some(Failure::Interrupted(_))), "{:?}", told.failure);
    // Not by silence, which is waited for longer.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    tokio::time::timeout(Duration::from_secs(20), agent.closed()).await.expect("the connection knows");
    assert!(agent.open(None).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_over_http() {
    let mut rig = Rig::http().await;
    words_arrive(&rig).await;
    tools_ask(&rig).await;
    cancel_is_quick(&rig).await;
    a_restart_loses_nothing(&rig).await;
    a_dead_reader_takes_no_answer(&rig).await;
    sessions_are_forgotten(&rig).await;
    errors_are_sentences(&rig).await;
    the_server_goes_away(&mut rig).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_over_pipes() {
    let rig = Rig::demo(true);
    words_arrive(&rig).await;
    tools_ask(&rig).await;
    cancel_is_quick(&rig).await;
    sessions_are_forgotten(&rig).await;
    many_at_once(&rig, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_runs_on_one_connection() {
    many_at_once(&Rig::http().await, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_goose() {
    let Some(mut rig) = Rig::goose("real_goose").await else { return };
    words_arrive(&rig).await;
    tools_ask(&rig).await;
    cancel_is_quick(&rig).await;
    a_restart_loses_nothing(&rig).await;
    a_dead_reader_takes_no_answer(&rig).await;
    sessions_are_forgotten(&rig).await;
    errors_are_sentences(&rig).await;
    many_at_once(&rig, 50).await;
    the_server_goes_away(&mut rig).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_goose_over_pipes() {
    let Some(rig) = Rig::goose_pipes("real_goose_over_pipes").await else { return };
    words_arrive(&rig).await;
    tools_ask(&rig).await;
    cancel_is_quick(&rig).await;
    sessions_are_forgotten(&rig).await;
    many_at_once(&rig, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_goose_long_markdown() {
    let Some(rig) = Rig::goose("real_goose_long_markdown").await else { return };
    let agent = rig.connect(None).await;
    let session = agent.open(None).await.unwrap().id;
    let told = ask(&*agent, &session, "markdown 30 KB", Answer::Once).await;
    assert_eq!(told.text, llm::markdown(30));
    assert_eq!(agent.last_answer(&session).await.unwrap().map(|e| e.answer), Some(told.text));
}

#[tokio::test(flavor = "multi_thread")]
async fn real_goose_model_errors() {
    let Some(rig) = Rig::goose("real_goose_model_errors").await else { return };
    let agent = rig.connect(None).await;
    let all = ["error 500", "error 401", "drop after 7 words"].map(|prompt| {
        let agent = agent.clone();
        async move {
            let session = agent.open(None).await.unwrap().id;
            let told = ask(&*agent, &session, prompt, Answer::Once).await;
            eprintln!(
                "{prompt}: {:?} {:?} {:?}",
                told.text,
                told.failure,
                agent.last_answer(&session).await.unwrap().map(|e| e.answer)
            );
            (session, told)
        }
    });
    let [(first, failed), (_, refused), (_, dropped)]: [_; 3] = futures_util::future::join_all(all).await.try_into().unwrap();
    assert!(failed.text.is_empty() && matches!(failed.failure, Some(Failure::Failed(_))), "{failed:?}");
    assert!(
        refused.text.is_empty() && matches!(&refused.failure, Some(Failure::Failed(text)) if text.contains("secret set")),
        "{refused:?}"
    );
    assert_eq!(dropped.text, llm::words(7));
    assert!(matches!(dropped.failure, Some(Failure::Interrupted(_))), "{dropped:?}");
    // A session goes on after an error.
    assert_eq!(ask(&*agent, &first, "say 2 words", Answer::Once).await.text, "w1 w2");
}
