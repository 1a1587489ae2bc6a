//! Lines on a pipe, without a terminal: plain text out, an exit code at the end.

use crate::support::tester::{Tester, snapshot};

async fn told(name: &str, code: i32, lines: &str) {
    let t = Tester::prepare(&[], &[]);
    let ran = t.pipe(lines).await;
    assert_eq!(ran.code, Some(code), "{ran}");
    snapshot(name, &in_order(&ran.to_string()));
    t.check();
}

/// The reply to an answer of an approval and the end of that approval come side by side: here the reply comes first.
fn in_order(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let reply = lines.iter().position(|l| l.starts_with("Allowed demo_tool") || l.starts_with("Denied demo_tool"));
    let ended = lines.iter().position(|l| l.starts_with("a1 "));
    if let (Some(reply), Some(ended)) = (reply, ended)
        && ended < reply
    {
        let line = lines.remove(reply);
        lines.insert(ended, line);
    }
    lines.join("\n")
}

#[tokio::test]
async fn the_first_answer() {
    told("pipe_first_answer", 0, "/project create demo\n/ask demo say 5 words\n\nsay 3 words\r\n/session list demo").await;
}

#[tokio::test]
async fn what_is_refused_is_told_by_the_exit_code() {
    told("pipe_refused", 1, "/project create demo\n/project actvate demo\n/project list\n").await;
    told("pipe_failed_answer", 1, "/project create demo\n/ask demo please fail\nsay 2 words\n").await;
}

#[tokio::test]
async fn nothing_can_be_asked_back() {
    let lines = "/project create demo\n/project delete demo\n/secret set KEY\n/project delete demo --yes\n/project list\n";
    told("pipe_forms", 1, lines).await;
}

#[tokio::test]
async fn approvals_on_a_pipe() {
    told("pipe_approve", 0, "/project create demo\n/ask demo use the tool\n/approve\nsay 2 words\n").await;
    told("pipe_deny", 0, "/project create demo\n/ask demo use the tool\n/deny --reason not today\n").await;
    told("pipe_nobody_answers", 0, "/project create demo\n/ask demo use the tool\n").await;
    told("pipe_approve_for_nothing", 1, "/project create demo\n/ask demo say 2 words\n/approve\n").await;
}

#[tokio::test]
async fn nothing_at_all() {
    told("pipe_nothing", 0, "").await;
    told("pipe_empty_lines", 0, "\n  \n\r\n").await;
}

/// The two commands of the README, as a script runs them.
#[tokio::test]
async fn the_json_door_as_a_script_runs_it() {
    let t = Tester::prepare(&[], &[]);
    let data = t.data();
    let ran = t.run(&["dev", "--json", "--data", data.to_str().unwrap()], "/project create demo\n/ask demo hello\n").await;
    assert_eq!(ran.code, Some(0), "{ran}");
    let lines: Vec<serde_json::Value> = ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines[0]["type"], "ready");
    assert_eq!(lines.iter().filter(|l| l["type"] == "end" && l["ok"] == true).count(), 2);
    let text: String = lines.iter().filter(|l| l["type"] == "text").map(|l| l["text"].as_str().unwrap()).collect();
    assert!(lines.iter().any(|l| l["state"] == "done" && l["text"] == text.as_str() && text.contains("hello")));
    t.check();
}

#[tokio::test]
async fn the_command_line() {
    let t = Tester::prepare(&[], &[]);
    for (name, args) in [
        ("help", &["--help"][..]),
        ("dev_help", &["dev", "--help"]),
        ("serve_help", &["serve", "--help"]),
        ("backup_help", &["backup", "--help"]),
        ("version", &["--version"]),
    ] {
        let ran = t.run(args, "").await;
        assert_eq!(ran.code, Some(0), "{ran}");
        snapshot(&format!("cli_{name}"), &ran.to_string());
    }
    let ran = t.run(&["manifest", "slack"], "").await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), include_str!("../../deploy/slack-manifest.yaml")));
    assert_eq!(t.run(&["manifest", "slack", "--config", "/nowhere.toml"], "").await.code, Some(1));
    assert_eq!(t.run(&["dev", "--nonsense"], "").await.code, Some(2));
    assert_eq!(t.run(&[], "").await.code, Some(2));
}
