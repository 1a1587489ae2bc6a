//! The agent that the stories start: a server that does as it is asked. And the Gaggle that is killed.

use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

pub fn program() -> Program {
    Program::Http { command: this(), args: args("stand_in", &["{port}"]), protocol: Protocol::Acp }
}

pub fn piped() -> Program {
    Program::Stdio { command: this(), args: args("stand_in", &[]) }
}

fn this() -> PathBuf {
    std::env::current_exe().expect("the test binary")
}

fn args(test: &str, more: &[&str]) -> Vec<String> {
    let test = format!("runtime::stand_in::{test}");
    ["--exact", &test, "--ignored", "--nocapture"].iter().chain(more).map(|arg| (*arg).to_owned()).collect()
}

/// Asks a running stand-in for something.
pub async fn ask(url: &str, path: &str) -> String {
    let address = url.strip_prefix("http://").expect("a URL");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

pub async fn pid(url: &str) -> i32 {
    ask(url, "/pid").await.parse().expect("a process id")
}

/// The agent. Run by the runtime, with the port as its last argument.
#[tokio::test]
#[ignore = "a program for the other tests"]
async fn stand_in() {
    if std::env::var_os("GAGGLE_AGENT").is_none() {
        return;
    }
    let port: u16 = std::env::args().filter_map(|arg| arg.parse().ok()).next_back().unwrap_or(0);
    let behaviour = std::env::var("STAND_IN").unwrap_or_default();
    for order in behaviour.split(',') {
        let (order, value) = order.split_once(':').unwrap_or((order, ""));
        match order {
            "fail" => {
                eprintln!("the key is {}", std::env::var("API_KEY").unwrap_or_default());
                eprintln!("cannot go on");
                std::process::exit(3);
            }
            // Fails from its second start on.
            "once" if std::fs::exists("started").unwrap_or(false) => {
                eprintln!("not a second time, {}", std::env::var("API_KEY").unwrap_or_default());
                std::process::exit(4);
            }
            "once" => std::fs::write("started", b"").expect("a work folder"),
            "taken" if !std::fs::exists("tried").unwrap_or(false) => {
                std::fs::write("tried", b"").expect("a work folder");
                eprintln!("Error: Address already in use (os error 98)");
                std::process::exit(1);
            }
            "deaf" => tokio::time::sleep(Duration::from_secs(600)).await,
            // Does not end when asked to.
            "stubborn" => {
                let mut asked = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("signals");
                tokio::spawn(async move { while asked.recv().await.is_some() {} });
            }
            "slow" => tokio::time::sleep(Duration::from_millis(value.parse().expect("milliseconds"))).await,
            _ => {}
        }
    }
    if port == 0 {
        // On pipes: says everything twice, until there is no more.
        let mut input = tokio::io::stdin();
        let mut text = vec![0; 1000];
        while let Ok(length @ 1..) = input.read(&mut text).await {
            let said = String::from_utf8_lossy(&text[..length]).into_owned();
            let mut output = tokio::io::stdout();
            output.write_all(format!("{said}{said}").as_bytes()).await.expect("it is read");
            output.flush().await.expect("it is read");
        }
        return;
    }
    let app = Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/pid", get(|| async { std::process::id().to_string() }))
        .route("/say/{text}", get(|Path(text): Path<String>| async move { eprintln!("{text}") }))
        .route(
            "/lines/{count}",
            get(|Path(count): Path<usize>| async move {
                let text: String = (0..count).map(|n| format!("line {n:06} {}\n", "x".repeat(80))).collect();
                eprint!("{text}");
            }),
        )
        // A child that leaves the group, one that also empties its environment, and one that stays in the group.
        .route("/stray", get(|| async { spawn("setsid", &["sleep", "1000"]) }))
        .route("/bare", get(|| async { spawn("setsid", &["env", "-i", "/usr/bin/env", "sleep", "1000"]) }))
        .route("/child", get(|| async { spawn("sleep", &["1000"]) }))
        .route("/exit/{code}", get(|Path(code): Path<i32>| async move { exit(code) }));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
    axum::serve(listener, app).await.expect("it serves");
}

fn exit(code: i32) -> &'static str {
    std::process::exit(code)
}

fn spawn(program: &str, args: &[&str]) -> String {
    let null = std::process::Stdio::null;
    let child = Command::new(program).args(args).stdin(null()).stdout(null()).stderr(null()).spawn();
    child.expect("it is installed").id().to_string()
}

/// A Gaggle that runs the projects of `OWNER_PROJECTS` until it is killed.
#[tokio::test]
#[ignore = "a program for the other tests"]
async fn owner() {
    let Some(dir) = std::env::var_os("OWNER_DATA") else { return };
    let mut options = options(std::path::Path::new(&dir));
    if std::env::var_os("OWNER_CLONES").is_some() {
        options.clone_protocols.push("file".to_owned());
    }
    if std::env::var_os("OWNER_PIPES").is_some() {
        options.program = piped();
    }
    let runtime = LocalRuntime::new(options);
    for project in std::env::var("OWNER_PROJECTS").expect("projects").split(' ') {
        let mut launch = launch(project);
        if let Ok(url) = std::env::var("OWNER_CLONES") {
            launch.settings.repo = Some(gaggle_commands::RepoUrl(url));
        }
        let endpoint = runtime.activate(launch, no_steps()).await.expect("the agent starts");
        eprintln!("\nowner: {project} {}", endpoint.shown());
    }
    eprintln!("\nowner: ready");
    std::future::pending().await
}

/// Runs [`owner`] and kills it once all of its projects run. Gives their URLs.
pub async fn killed_owner(data_dir: &std::path::Path, projects: &str, more: &[(&str, &str)]) -> Vec<String> {
    let mut owner = start_owner(data_dir, projects, more);
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(owner.stderr.take().expect("a pipe")));
    let mut urls = Vec::new();
    while let Some(line) = timeout(PATIENCE, lines.next_line()).await.expect("an owner").expect("text") {
        match line.strip_prefix("owner: ").and_then(|rest| rest.split_once(' ')) {
            Some((_, url)) => urls.push(url.to_owned()),
            None if line == "owner: ready" => break,
            None => {}
        }
    }
    owner.kill().await.expect("it was alive");
    urls
}

pub fn start_owner(data_dir: &std::path::Path, projects: &str, more: &[(&str, &str)]) -> tokio::process::Child {
    tokio::process::Command::new(this())
        .args(args("owner", &[]))
        .env("OWNER_DATA", data_dir)
        .env("OWNER_PROJECTS", projects)
        .envs(more.iter().copied())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("an owner")
}
