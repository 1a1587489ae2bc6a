//! The script of the init container, run by this machine's shell and git.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;

const SCRIPT: &str = include_str!("../clone.sh");

fn clone(dir: &Path, url: &str, more: &[(&str, &str)]) -> Output {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", SCRIPT]).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    for name in ["HOME", "TMPDIR", "VOLUME"] {
        command.env(name, dir);
    }
    command.env("REPO_URL", url).env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_ALLOW_PROTOCOL", "file:http:ssh").envs(more.iter().copied()).output().unwrap()
}

fn repository(dir: &Path) -> String {
    let run = |args: &[&str]| {
        let done = Command::new("git").args(args).current_dir(dir).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    run(&["init", "-q", "origin"]);
    std::fs::write(dir.join("origin/file"), "x").unwrap();
    run(&["-C", "origin", "add", "."]);
    run(&["-C", "origin", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]);
    format!("file://{}", dir.join("origin").display())
}

/// Kubernetes would take it for a variable.
#[test]
fn nothing_in_the_script_is_replaced() {
    assert!(!SCRIPT.contains("$(") && !SCRIPT.contains("$$"));
}

#[test]
fn a_repository_is_cloned_once_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let url = repository(dir.path());
    let volume = dir.path().join("volume");
    // As an earlier run leaves it, and one that was killed.
    std::fs::create_dir_all(volume.join("workspace")).unwrap();
    std::fs::create_dir_all(volume.join("clone.new/half")).unwrap();
    let done = clone(&volume, &url, &[]);
    assert!(done.status.success(), "{done:?}");
    let file = volume.join("workspace/file");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x");
    assert!(!volume.join("clone.new").exists());
    std::fs::write(&file, "mine").unwrap();
    let again = clone(&volume, "file:///there/is/none", &[]);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_failure_leaves_the_workspace_empty_and_runs_nothing_of_the_url() {
    let dir = tempfile::tempdir().unwrap();
    for url in
        ["file:///there/is/none", "file:///x'; touch \"$VOLUME/run\"; `touch $VOLUME/run`", "ext::sh -c touch% run", "--help"]
    {
        let done = clone(dir.path(), url, &[("GIT_SSH_KEY", "hunter2")]);
        assert!(!done.status.success(), "{url}");
        assert!(!format!("{done:?}").contains("hunter2"));
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.is_empty(), "{url}: {left:?}");
    }
}

#[test]
fn a_token_is_given_to_who_asks_for_it() {
    for (token, pair) in [(" tok\n", "x-access-token:tok"), ("ann:tok", "ann:tok")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/a.git", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let given = head.iter().find_map(|line| line.strip_prefix("Authorization: Basic ").map(str::to_owned));
                let status =
                    if given.is_some() { "404 Not Found" } else { "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"" };
                write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
                if let Some(given) = given {
                    return given;
                }
            }
            unreachable!()
        });
        let dir = tempfile::tempdir().unwrap();
        let done = clone(dir.path(), &url, &[("GIT_TOKEN", token)]);
        assert!(!done.status.success() && !format!("{done:?}").contains("tok\""));
        assert_eq!(server.join().unwrap(), base64::prelude::BASE64_STANDARD.encode(pair), "{done:?}");
    }
}
