//! `/project exec`: a command beside the agent, what it wrote, and how it ended.
//!
//! Invariant: nothing of its output is shown before the project's secrets are taken out of it, and nothing is left out silently.

use std::time::Duration;

use gaggle_commands::Period;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Context, project as projects, show};
use crate::access::Authorized;
use crate::error::{Error, Result, refused};
use crate::model::{Progress, Reply, StepState, clip};
use crate::runtime::{Execution, Feature, Redactor};

/// The most that is kept of the output.
const MOST: usize = 1024 * 1024;
/// A longer output is a file, and not in `data`.
const LONG: usize = 3_000;
/// How often what is written last is shown.
const SHOW_EVERY: Duration = Duration::from_secs(1);

pub async fn exec(context: &Context, call: &Authorized, argv: &[String], timeout: Period) -> Result<Reply> {
    let (project, work) = (call.project()?, &context.work);
    projects::may_run(context, &call.caller, project).await?;
    work.runtime().supports(project.cluster.as_ref(), Feature::Exec)?;
    if work.runtime().endpoint(&project.id).await.is_none() {
        let name = &project.name;
        return refused(format!(
            "The project `{name}` is not running. Start it with `/project activate {name}`, then send this again."
        ));
    }
    let _held = work.hold(&project.id);
    let redactor = work.redactor(project).await?;
    let execution = work.runtime().exec(&project.into(), argv.to_vec()).await?;
    Ok(shown(context, call, &project.name, argv, timeout, execution, &redactor).await)
}

/// A command of what is called so, while it runs and once it has ended.
pub async fn shown(
    context: &Context,
    call: &Authorized,
    of: &str,
    argv: &[String],
    timeout: Period,
    execution: Execution,
    redactor: &Redactor,
) -> Reply {
    let work = &context.work;
    let (lines, mut written) = mpsc::channel(1);
    let show = async {
        while let Some(text) = written.recv().await {
            if let Some(chat) = work.chat(&call.caller.origin) {
                chat.progress(&call.caller.origin, Progress { step: "exec".into(), state: StepState::Running, text }).await;
            }
        }
    };
    let (ran, ()) = tokio::join!(follow(execution, Duration::from_secs(timeout.0), redactor, work.stopping(), lines), show);
    let program = argv.first().map(String::as_str).unwrap_or_default();
    reply(of, program, timeout, ran, redactor)
}

#[derive(Debug)]
struct Ran {
    output: Vec<u8>,
    end: End,
}

#[derive(Debug)]
enum End {
    Code(i32),
    /// What the runtime says.
    Lost(Error),
    TooLong,
    TooLate,
    Stopping,
}

/// Reads a command to its end, or as far as it may go; then it is dropped, which ends it.
async fn follow(
    mut execution: Execution,
    timeout: Duration,
    redactor: &Redactor,
    stopping: &CancellationToken,
    lines: mpsc::Sender<String>,
) -> Ran {
    let deadline = Instant::now() + timeout;
    // A secret across the limit is known as one only if all of it is there.
    let most = MOST + redactor.longest();
    let (mut output, mut shown) = (Vec::new(), 0);
    let mut tick = interval(SHOW_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = loop {
        tokio::select! {
            biased;
            () = stopping.cancelled() => break Some(End::Stopping),
            () = tokio::time::sleep_until(deadline) => break Some(End::TooLate),
            _ = tick.tick() => {
                if let Some((line, to)) = last_line(&output, shown) {
                    shown = to;
                    let line = clip(&redactor.redact(&line), 200);
                    if !line.is_empty() {
                        // Who is still busy with the last one misses this one.
                        let _ = lines.try_send(line);
                    }
                }
            }
            piece = execution.output.recv() => match piece {
                None => break None,
                Some(piece) => output.extend_from_slice(&piece),
            },
        }
        if output.len() > most {
            break Some(End::TooLong);
        }
    };
    let end = match end {
        Some(end) => end,
        None => match timeout_at(deadline, execution.code).await {
            Ok(Ok(Ok(code))) => End::Code(code),
            Ok(Ok(Err(error))) => End::Lost(error),
            Ok(Err(_)) => {
                End::Lost(Error::Failed("The connection to the command was lost, so nobody knows how it ended.".into()))
            }
            Err(_) => End::TooLate,
        },
    };
    Ran { output, end }
}

/// The last whole line that was written after `from`, and where it ends.
fn last_line(output: &[u8], from: usize) -> Option<(String, usize)> {
    let to = output.iter().rposition(|b| *b == b'\n').filter(|to| *to >= from)?;
    let begin = output[..to].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    Some((String::from_utf8_lossy(&output[begin..to]).trim_end().to_owned(), to + 1))
}

fn reply(project: &str, program: &str, timeout: Period, ran: Ran, redactor: &Redactor) -> Reply {
    let program = clip(program, 60).replace('`', "'");
    let raw = String::from_utf8_lossy(&ran.output);
    let cut = raw.len() > MOST;
    let kept = if cut { &raw[..redactor.cut(&raw, MOST)] } else { &raw };
    let text = redactor.redact(kept);
    let long = text.len() > LONG;
    let place = match (text.is_empty(), long) {
        (true, _) => "It wrote nothing.",
        (_, true) if cut => "The first 1 MiB of what it wrote is in the file, and the rest is left out.",
        (_, true) => "What it wrote is in the file.",
        _ => "It wrote:",
    };
    let (code, said) = match &ran.end {
        End::Code(code) => (Some(*code), format!("`{program}` ended with exit code {code}. {place}")),
        End::Lost(error) => (None, format!("{error} {place}")),
        End::TooLong => (
            None,
            format!(
                "`{program}` wrote more than 1 MiB and was ended; the first 1 MiB is in the file. Have it write to a file of the \
                 project, and look at a part of that."
            ),
        ),
        End::TooLate => (
            None,
            format!(
                "`{program}` did not end within {timeout} and was ended. `--timeout` gives a command up to 1h; what takes longer is \
                 work for the agent: `/ask {project} MESSAGE`. {place}"
            ),
        ),
        End::Stopping => {
            (None, format!("Gaggle is being stopped, so `{program}` was ended. Send it again once Gaggle is back. {place}"))
        }
    };
    let reply = match (code, &ran.end) {
        (Some(0), _) => Reply::ok(said),
        (_, End::Lost(Error::Refused(_))) => Reply::refused(said),
        _ => Reply::failed(said),
    };
    if long {
        return reply.with("code", code).file(format!("{project}-exec.txt"), text.into_bytes());
    }
    let reply = reply.with("code", code).with("output", &text);
    match text.is_empty() {
        true => reply,
        false => Reply { quotes: true, text: format!("{}\n{}", reply.text, show::fenced(text.trim_end_matches('\n'))), ..reply },
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use tokio::sync::oneshot;

    use super::*;

    /// What a command does: a piece of output, or seconds of nothing.
    enum Does {
        Writes(Vec<u8>),
        Takes(u64),
    }

    struct Seen {
        reply: Reply,
        lines: Vec<String>,
        took: u64,
    }

    impl Seen {
        /// As a snapshot shows it.
        fn text(&self) -> String {
            let data: Vec<String> = self.reply.data.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let files: Vec<String> = self.reply.files.iter().map(|f| format!("{} ({} bytes)", f.name, f.bytes.len())).collect();
            format!("{:?}: {}\n{} {}", self.reply.notice, self.reply.text, data.join(" "), files.join(" "))
        }
    }

    /// Runs it to its end with this secret in the project.
    async fn run(does: Vec<Does>, code: Result<i32>) -> Seen {
        let (output, received) = mpsc::channel(4);
        let (ended, end) = oneshot::channel();
        tokio::spawn(async move {
            for step in does {
                match step {
                    Does::Takes(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                    Does::Writes(piece) => {
                        if output.send(piece).await.is_err() {
                            return;
                        }
                    }
                }
            }
            let _ = ended.send(code);
        });
        let redactor = Redactor::new(&[SecretString::from("hunter2hunter2")]);
        let (lines, mut shown) = mpsc::channel(100);
        let begin = Instant::now();
        let execution = Execution { output: received, code: end };
        let ran = follow(execution, Duration::from_secs(60), &redactor, &CancellationToken::new(), lines).await;
        let took = begin.elapsed().as_secs();
        let mut lines = Vec::new();
        while let Some(line) = shown.recv().await {
            lines.push(line);
        }
        Seen { reply: reply("demo", "make", Period(60), ran, &redactor), lines, took }
    }

    fn writes(text: &str) -> Does {
        Does::Writes(text.as_bytes().to_vec())
    }

    #[tokio::test(start_paused = true)]
    async fn how_commands_end() {
        let mut all = Vec::new();
        all.push(run(vec![writes("one\ntwo\n")], Ok(0)).await.text());
        all.push(run(vec![], Ok(0)).await.text());
        all.push(run(vec![writes("no such file\n")], Ok(2)).await.text());
        all.push(run(vec![writes("a ``` b \u{1b}[31m"), Does::Writes(vec![0xff])], Ok(0)).await.text());
        all.push(run(vec![writes("half"), Does::Takes(1)], Err(Error::Failed("The pod is gone.".into()))).await.text());
        let late = run(vec![writes("begun\n"), Does::Takes(3_600)], Ok(0)).await;
        assert_eq!(late.took, 60);
        all.push(late.text());
        insta::assert_snapshot!("exec", all.join("\n\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn long_output_is_a_file_and_too_long_output_is_cut_and_said_so() {
        let seen = run(vec![writes(&"x".repeat(LONG)), writes("y")], Ok(0)).await;
        assert_eq!((seen.reply.files[0].bytes.len(), seen.reply.data.get("output")), (LONG + 1, None));
        assert_eq!(
            seen.text(),
            "Ok: `make` ended with exit code 0. What it wrote is in the file.\ncode=0 demo-exec.txt (3001 bytes)"
        );
        let seen = run(vec![writes(&"x".repeat(MOST))], Ok(0)).await;
        assert_eq!((seen.reply.files[0].bytes.len(), &seen.reply.data["code"]), (MOST, &serde_json::json!(0)));
        let endless = (0..100).map(|_| writes(&"é".repeat(20_000))).collect();
        let seen = run(endless, Ok(0)).await;
        assert!(seen.reply.text.starts_with("`make` wrote more than 1 MiB and was ended; the first 1 MiB is in the file."));
        assert_eq!((seen.reply.files[0].bytes.len(), &seen.reply.data["code"]), (MOST, &serde_json::Value::Null));
    }

    #[tokio::test(start_paused = true)]
    async fn no_secret_is_shown_not_even_across_the_limit() {
        let seen = run(vec![writes("key: hunter2"), Does::Takes(1), writes("hunter2\n"), Does::Takes(2)], Ok(0)).await;
        assert_eq!(seen.lines, ["key: [redacted]"]);
        assert_eq!(seen.reply.data["output"], "key: [redacted]\n");
        let long = format!("{}hunter2hunter2{}", "x".repeat(MOST - 3), "y".repeat(100));
        let seen = run(vec![writes(&long)], Ok(0)).await;
        assert_eq!(seen.reply.files[0].bytes, "x".repeat(MOST - 3).into_bytes());
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_line_is_shown_at_most_once_a_second() {
        let mut does = Vec::new();
        for n in 0..30 {
            does.push(writes(&format!("line {n}\n")));
            if n % 10 == 9 {
                does.push(Does::Takes(5));
            }
        }
        does.push(writes("no end"));
        let seen = run(does, Ok(0)).await;
        assert_eq!(seen.lines, ["line 9", "line 19", "line 29"]);
    }
}
