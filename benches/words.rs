//! First words in Slack: how long after the agent's (or, with `GAGGLE_TEST_GOOSE`, the model's) first token they are seen in the
//! thread, where there are no rates. A hundred threads, asked so many a second or all at once. `GAGGLE_TEST_EXE` is the program to
//! measure, if not this build's own.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
#[allow(dead_code, unused_imports)]
mod support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use support::goose;
use support::llm::Llm;
use support::slack::{Bot, Call, Kind, Slack, State, Way};

const THREADS: usize = 100;
const TOKENS: usize = 20;
const PACE: Duration = Duration::from_millis(50);

#[tokio::main]
async fn main() {
    println!("{:<12} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "asked", "p50", "p95", "p99", "max");
    agent("demo", None).await;
    if let Some(binary) = goose::binary("words") {
        agent("goose", Some(binary)).await;
    }
}

async fn agent(name: &str, goose: Option<std::path::PathBuf>) {
    let slack = Slack::start(Way::Socket).await;
    let llm = Llm::start().await;
    llm.pace(PACE);
    let folder = tempfile::tempdir().unwrap();
    let bot = match &goose {
        Some(binary) => goose::bot(&slack, binary, &llm, folder.path()).await,
        None => Bot::start(&slack).await,
    };
    let (channel, ann) = (slack.channel("team", Kind::Public, &["ann"], true), slack.user("ann"));
    let create = format!("create demo --env GAGGLE_DEMO_PACE_MS={}", PACE.as_millis());
    for (command, done) in [(create.as_str(), "Created"), ("activate demo", "is active")] {
        ann.command("/project", command, &channel).await.ok();
        slack.wait(done, |s| s.seen_channel(&channel).iter().any(|m| m.text.contains(done)).then_some(())).await;
    }
    for rate in [1_u32, 10, 40, 100_000] {
        let threads = if rate == 1 { 10 } else { THREADS };
        let mut tick = tokio::time::interval(Duration::from_secs(1) / rate);
        let mut roots = Vec::new();
        for _ in 0..threads {
            tick.tick().await;
            roots.push(ann.mention(&channel, &format!("clock {TOKENS}")));
        }
        let mut took = Vec::new();
        for root in &roots {
            slack.wait("an answer", |s| has_ended(s, &channel, root).then_some(())).await;
            took.push(slack.look(|s| late(s, root)));
        }
        took.sort_by(f64::total_cmp);
        let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize];
        let asked = if rate > 1000 { "at once".to_owned() } else { format!("{rate}/s") };
        println!("{name:<12} {asked:>9} {:>6.2} ms {:>6.2} ms {:>6.2} ms {:>6.2} ms", at(0.5), at(0.95), at(0.99), at(1.0));
    }
    bot.done().await;
    slack.done().await;
}

/// Whether the answer in a thread is whole, with its buttons.
fn has_ended(s: &State, channel: &str, root: &str) -> bool {
    s.thread(channel, root).into_iter().any(|m| s.seen(m).buttons.iter().any(|b| b.action_id.starts_with("good:")))
}

/// Milliseconds from the first token of the answer in a thread to the call that shows it.
fn late(s: &State, root: &str) -> f64 {
    let text = |call: &Call| {
        let text = call.args["markdown_text"].as_str().or(call.args["text"].as_str()).unwrap_or_default();
        text.split_whitespace().next().and_then(|stamp| stamp.parse::<u128>().ok())
    };
    let of_thread = s.calls.iter().filter(|c| c.args["thread_ts"] == root);
    let (at, said) = of_thread.filter_map(|c| Some((c.at, text(c)?))).next().unwrap();
    let seen = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - at.elapsed();
    seen.as_nanos().saturating_sub(said) as f64 / 1e6
}
