//! Streamed turns through the JSON door of the whole program: added time from the agent's sending of a piece to its event on
//! standard output, and memory. The agent stamps each piece with the time; `GAGGLE_DEMO_PACE_MS` sets its pace.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// Pieces of each answer.
const PIECES: usize = 100;
const PACE_MS: &str = "20";

fn main() {
    println!(
        "{:>6} {:>10} {:>10} {:>10} {:>10} {:>10} {:>9}",
        "turns", "first p50", "first p95", "first max", "any p50", "any p95", "peak MB"
    );
    for turns in [1, 10, 100, 1000] {
        run(turns);
    }
}

fn run(turns: usize) {
    let data = tempfile::tempdir().unwrap();
    let mut gaggle = Command::new(env!("CARGO_BIN_EXE_gaggle"))
        .args(["dev", "--json", "--data"])
        .arg(data.path())
        .env("GAGGLE_AGENT__ENV", format!("GAGGLE_DEMO_PACE_MS={PACE_MS}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = gaggle.stdin.take().unwrap();
    let mut output = BufReader::new(gaggle.stdout.take().unwrap());
    let mut line = String::new();
    for text in ["/project create bench", "/project activate bench"] {
        writeln!(input, r#"{{"id":"warm","text":"{text}"}}"#).unwrap();
        loop {
            line.clear();
            output.read_line(&mut line).unwrap();
            if line.contains(r#""type":"end""#) {
                break;
            }
        }
    }
    for n in 0..turns {
        writeln!(input, r#"{{"id":"{n}","conversation":"c{n}","text":"/ask bench clock {PIECES}"}}"#).unwrap();
    }
    let (mut first, mut any): (HashMap<String, u64>, Vec<u64>) = Default::default();
    let mut ended = 0;
    while ended < turns {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "gaggle ended early");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let event: Value = serde_json::from_str(&line).unwrap();
        match event["type"].as_str().unwrap() {
            "text" => {
                let turn = event["turn"].as_str().unwrap().to_owned();
                for stamp in event["text"].as_str().unwrap().split_whitespace() {
                    let late = now.saturating_sub(stamp.parse().unwrap());
                    first.entry(turn.clone()).or_insert(late);
                    any.push(late);
                }
            }
            "end" => {
                assert_eq!(event["ok"], true, "{event}");
                ended += 1;
            }
            _ => {}
        }
    }
    let peak = memory(&gaggle, "VmHWM:");
    drop(input);
    assert!(gaggle.wait().unwrap().success());
    assert_eq!(any.len(), turns * PIECES, "a piece was lost");
    let mut first: Vec<u64> = first.into_values().collect();
    first.sort_unstable();
    any.sort_unstable();
    let ms = |all: &[u64], part: f64| format!("{:.2} ms", all[((all.len() - 1) as f64 * part) as usize] as f64 / 1e6);
    println!(
        "{turns:>6} {:>10} {:>10} {:>10} {:>10} {:>10} {:>9.1}",
        ms(&first, 0.5),
        ms(&first, 0.95),
        ms(&first, 1.0),
        ms(&any, 0.5),
        ms(&any, 0.95),
        peak,
    );
}

/// Megabytes, from what Linux says of the process.
fn memory(process: &Child, what: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(what)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
