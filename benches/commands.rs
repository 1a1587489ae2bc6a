//! Commands through the JSON door of the whole program, start to ready, and memory when idle.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

const COMMANDS: usize = 5_000;
const CONVERSATIONS: usize = 50;

fn main() {
    let data = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let mut gaggle = Command::new(env!("CARGO_BIN_EXE_gaggle"))
        .args(["dev", "--json", "--data"])
        .arg(data.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = gaggle.stdin.take().unwrap();
    let mut output = BufReader::new(gaggle.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    println!("start to ready      {:>10.1} ms", started.elapsed().as_secs_f64() * 1e3);
    println!("idle memory         {:>10.1} MB", memory(gaggle.id()));
    for (what, text) in [("reads (/project list)", "/project list"), ("writes (/project create)", "/project create p{n}")] {
        let begin = Instant::now();
        let lines: String = (0..COMMANDS)
            .map(|n| {
                format!(
                    "{{\"id\":\"{n}\",\"conversation\":\"c{}\",\"user\":\"u{}\",\"text\":\"{}\"}}\n",
                    n % CONVERSATIONS,
                    n % CONVERSATIONS,
                    text.replace("{n}", &n.to_string())
                )
            })
            .collect();
        let writer = std::thread::spawn(move || {
            input.write_all(lines.as_bytes()).unwrap();
            input
        });
        let mut ended = 0;
        while ended < COMMANDS {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "gaggle ended early");
            ended += usize::from(line.starts_with(r#"{"type":"end""#));
        }
        input = writer.join().unwrap();
        println!("{what:<25} {:>8.0} a second", COMMANDS as f64 / begin.elapsed().as_secs_f64());
    }
    println!("memory afterwards   {:>10.1} MB", memory(gaggle.id()));
    drop(input);
    gaggle.wait().unwrap();
}

/// Megabytes, from what Linux says of the process.
fn memory(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
