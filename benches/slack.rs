//! Commands from Slack, by socket: how soon they are acknowledged, what they cost, how small the idle program is. Beside it, if
//! `GAGGLE_BENCH_OTHER` is a command line, another bot at the same workspace: it finds `SLACK_API_URL`, `SLACK_BOT_TOKEN` and
//! `SLACK_APP_TOKEN`, and answers `/gaggle`. `GAGGLE_TEST_EXE` is the program to measure, if not this build's own;
//! `GAGGLE_BENCH_RATE` is how many commands a second there are.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
#[allow(dead_code, unused_imports)]
mod support;

use std::time::Duration;

use support::slack::{APP_TOKEN, BOT_TOKEN, Bot, Kind, Slack, Way};

const SECONDS: u32 = 10;

/// Commands a second.
fn rate() -> u32 {
    std::env::var("GAGGLE_BENCH_RATE").map_or(200, |rate| rate.parse().unwrap())
}

#[tokio::main]
async fn main() {
    println!("{:<12} {:>9} {:>9} {:>9} {:>14} {:>9} {:>9}", "", "p50", "p99", "max", "CPU s/1000", "idle MB", "after MB");
    ours("gaggle", "whoami").await;
    ours("gaggle", "project create").await;
    if let Ok(other) = std::env::var("GAGGLE_BENCH_OTHER") {
        let slack = Slack::start(Way::Socket).await;
        let words = shell_words::split(&other).unwrap();
        let mut child = tokio::process::Command::new(&words[0])
            .args(&words[1..])
            .env("SLACK_API_URL", slack.api_url() + "/")
            .env("SLACK_BOT_TOKEN", BOT_TOKEN)
            .env("SLACK_APP_TOKEN", APP_TOKEN)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        slack.wait("a socket", |s| (s.hellos >= 1).then_some(())).await;
        measure("other", &slack, child.id().unwrap(), "whoami").await;
        child.kill().await.unwrap();
    }
}

async fn ours(name: &str, command: &str) {
    let slack = Slack::start(Way::Socket).await;
    let mut bot = Bot::prepare(&slack, "", "default_role = \"member\"", "name = \"demo\"", "");
    bot.launch();
    bot.ready().await;
    measure(name, &slack, bot.pid().cast_unsigned(), command).await;
    bot.terminate().await;
}

async fn measure(name: &str, slack: &Slack, pid: u32, command: &str) {
    let channel = slack.channel("general", Kind::Public, &["ann"], true);
    let ann = slack.user("ann");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = resident(pid);
    let before = cpu(pid);
    let mut tick = tokio::time::interval(Duration::from_secs(1) / rate());
    let mut acks = Vec::new();
    let creates = command == "project create";
    for n in 0..rate() * SECONDS {
        tick.tick().await;
        let text = if creates { format!("project create p{n}") } else { command.to_owned() };
        let (ann, channel) = (ann.clone(), channel.clone());
        acks.push(tokio::spawn(async move { ann.command("/gaggle", &text, &channel).await.ok().took }));
    }
    let mut took = Vec::new();
    for ack in acks {
        took.push(ack.await.unwrap());
    }
    let wanted = (rate() * SECONDS) as usize;
    slack
        .wait("every answer", |s| {
            let ephemeral = s.seen_by(&ann.id).len();
            (ephemeral + s.seen_channel(&channel).len() >= wanted).then_some(())
        })
        .await;
    let used = cpu(pid) - before;
    took.sort();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    println!(
        "{name:<12} {:>6.2} ms {:>6.2} ms {:>6.2} ms {:>14.3} {idle:>9.1} {:>9.1}",
        at(0.5),
        at(0.99),
        at(1.0),
        used / f64::from(rate() * SECONDS) * 1000.0,
        resident(pid)
    );
}

/// Seconds of both kinds.
fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

/// Megabytes.
fn resident(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
