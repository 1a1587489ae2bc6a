//! Repositories. The remote is a folder of this machine, which only a test may clone from, or a server that refuses.

use std::process::Command;

use gaggle_commands::RepoUrl;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

fn git(dir: &Path, args: &[&str]) {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"];
    let done = Command::new("git").args(identity).args(args).current_dir(dir).output().expect("git is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A repository with one file.
fn remote(dir: &Path) -> String {
    let repo = dir.join("remote");
    std::fs::create_dir_all(&repo).expect("a folder");
    git(&repo, &["init", "-q"]);
    std::fs::write(repo.join("hello.txt"), "hello").expect("a file");
    git(&repo, &["add", "."]);
    git(&repo, &["commit", "-qm", "first"]);
    format!("file://{}", repo.display())
}

fn with_repo(id: &str, url: &str) -> Launch {
    let mut launch = launch(id);
    launch.settings.repo = Some(RepoUrl(url.to_owned()));
    launch
}

fn rig() -> Rig {
    Rig::with(|options| options.clone_protocols.push("file".to_owned()))
}

#[tokio::test]
async fn a_repository_is_cloned_once() {
    let rig = rig();
    let url = remote(rig.dir.path());
    let (steps, mut shown) = mpsc::channel(100);
    rig.runtime.activate(with_repo("alpha", &url), steps).await.expect("it starts");
    let mut seen = Vec::new();
    while let Some(step) = shown.recv().await {
        seen.push(step.text);
    }
    assert!(seen.contains(&format!("Cloned {url}")), "{seen:?}");
    let work = rig.folder("alpha").join("work");
    assert_eq!(std::fs::read_to_string(work.join("hello.txt")).expect("the clone"), "hello");
    rig.runtime.deactivate(&of(&ProjectId::from("alpha")), no_steps()).await.expect("it stops");
    std::fs::write(work.join("hello.txt"), "changed").expect("ours");
    rig.start(with_repo("alpha", &url)).await;
    assert_eq!(std::fs::read_to_string(work.join("hello.txt")).expect("the clone"), "changed");
}

#[tokio::test]
async fn a_clone_that_fails_says_why_and_leaves_nothing() {
    let rig = rig();
    let sentence = failed(rig.activate(with_repo("alpha", "file:///nowhere/at/all")).await);
    assert!(sentence.starts_with("The repository file:///nowhere/at/all of `alpha-name` could not be cloned: "), "{sentence}");
    assert!(sentence.contains("/nowhere/at/all") && sentence.contains("GIT_TOKEN"), "{sentence}");
    let folder = rig.folder("alpha");
    assert!(std::fs::read_dir(folder.join("work")).expect("it stays").next().is_none());
    assert!(!folder.join("clone.new").exists());
    assert_eq!(rig.processes(), [0; 0]);
    // The grammar lets nothing but https and ssh through; git is told the same.
    let strict = Rig::new();
    let url = remote(strict.dir.path());
    let sentence = failed(strict.activate(with_repo("alpha", &url)).await);
    assert!(sentence.contains("'file' not allowed"), "{sentence}");
}

/// A server that takes a connection and never answers: a clone that hangs.
async fn silent() -> (String, tokio::net::TcpListener) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    (format!("https://{}/a/b", listener.local_addr().expect("an address")), listener)
}

#[tokio::test]
async fn a_clone_can_be_stopped() {
    let rig = rig();
    let (url, listener) = silent().await;
    let project = ProjectId::from("alpha");
    let mut launch = with_repo("alpha", &url);
    launch.secrets = vec![secret("GIT_TOKEN", "hunter2hunter2"), secret("GIT_SSH_KEY", "a private key")];
    let (result, ()) = tokio::join!(rig.activate(launch), async {
        let _connection = timeout(PATIENCE, listener.accept()).await.expect("git connects");
        for pid in rig.processes() {
            let arguments = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            assert!(!arguments.contains("hunter2"), "{arguments}");
        }
        let key = rig.folder("alpha").join("clone.key");
        assert_eq!(std::fs::read_to_string(&key).expect("the key while git runs"), "a private key\n");
        rig.runtime.deactivate(&of(&project), no_steps()).await.expect("it stops");
        assert!(!key.exists());
    });
    assert!(matches!(result, Err(Error::Refused(_))), "{result:?}");
    assert_eq!(rig.processes(), [0; 0]);
    assert!(!rig.folder("alpha").join("clone.new").exists());
    let url = remote(rig.dir.path());
    rig.start(with_repo("alpha", &url)).await;
}

#[tokio::test]
async fn a_gaggle_killed_half_way_leaves_nothing_half_done() {
    let rig = rig();
    let (url, listener) = silent().await;
    let mut owner = stand_in::start_owner(rig.dir.path(), "alpha", &[("OWNER_CLONES", &url)]);
    let _connection = timeout(PATIENCE, listener.accept()).await.expect("git connects");
    owner.kill().await.expect("it was alive");
    assert!(!rig.processes().is_empty(), "git was left");
    assert!(rig.runtime.adopt(vec![with_repo("alpha", &url)]).await.expect("it looks").is_empty());
    assert_eq!(rig.processes(), [0; 0]);
    let url = remote(rig.dir.path());
    rig.start(with_repo("alpha", &url)).await;
    assert!(rig.folder("alpha").join("work/hello.txt").exists());
    assert!(!rig.folder("alpha").join("clone.new").exists());
}

/// Reads one request, answers it, and gives it.
async fn serve_once(listener: &tokio::net::TcpListener, answer: &str) -> String {
    let (mut stream, _) = timeout(PATIENCE, listener.accept()).await.expect("git connects").expect("a connection");
    let mut request = vec![0; 10_000];
    let length = stream.read(&mut request).await.expect("a request");
    let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.expect("it reads");
    String::from_utf8_lossy(&request[..length]).into_owned()
}

#[tokio::test]
async fn a_token_reaches_its_own_host_and_no_other() {
    let (own, other) = (tokio::net::TcpListener::bind("127.0.0.1:0").await, tokio::net::TcpListener::bind("127.0.0.1:0").await);
    let (own, other) = (own.expect("a port"), other.expect("a port"));
    let url = format!("http://{}/a/b", own.local_addr().expect("an address"));
    let rig = Rig::with(|options| options.clone_protocols.push("http".to_owned()));
    let mut launch = with_repo("alpha", &url);
    launch.secrets = vec![secret("GIT_TOKEN", "hunter2hunter2")];
    let elsewhere = format!("302 Found\r\nLocation: http://{}/a/b", other.local_addr().expect("an address"));
    let (result, request) = tokio::select! {
        both = async { tokio::join!(rig.activate(launch), serve_once(&own, &elsewhere)) } => both,
        _ = other.accept() => panic!("the redirect was followed"),
    };
    // x-access-token:hunter2hunter2
    let expected = "Authorization: Basic eC1hY2Nlc3MtdG9rZW46aHVudGVyMmh1bnRlcjI=";
    assert!(request.contains(expected), "{request}");
    failed(result);
}

#[tokio::test]
async fn a_server_that_repeats_the_token_gives_nothing_away() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/a/b", listener.local_addr().expect("an address"));
    let rig = Rig::with(|options| options.clone_protocols.push("http".to_owned()));
    let mut launch = with_repo("alpha", &url);
    launch.secrets = vec![secret("GIT_TOKEN", "hunter2hunter2")];
    let answer = "403 Forbidden\r\nContent-Type: text/plain\r\nX: hunter2hunter2";
    let (result, _) = tokio::join!(rig.activate(launch), serve_once(&listener, answer));
    let sentence = failed(result);
    assert!(sentence.contains("403"), "{sentence}");
    assert!(!sentence.contains("hunter2"), "{sentence}");
}

#[tokio::test]
async fn ssh_is_tried_with_the_projects_key_alone() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let rig = Rig::new();
    let mut launch = with_repo("alpha", &format!("ssh://git@127.0.0.1:{port}/a/b"));
    launch.secrets = vec![secret("GIT_SSH_KEY", "a private key")];
    let (result, ()) = tokio::join!(rig.activate(launch), async {
        let (mut stream, _) = timeout(PATIENCE, listener.accept()).await.expect("ssh connects").expect("a connection");
        let mut banner = [0; 8];
        stream.read_exact(&mut banner).await.expect("ssh speaks first");
        assert_eq!(&banner, b"SSH-2.0-");
        let arguments: Vec<String> = rig
            .processes()
            .into_iter()
            .map(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " "))
            .collect();
        let ssh = arguments.iter().find(|line| line.starts_with("ssh ")).expect("it runs");
        for part in ["-F /dev/null", "IdentitiesOnly=yes", "IdentityAgent=none", "IdentityFile=clone.key"] {
            assert!(ssh.contains(part), "{ssh}");
        }
    });
    failed(result);
    assert!(!rig.folder("alpha").join("clone.key").exists());
}
