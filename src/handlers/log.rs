//! Lines of a log: as a reply, as a file if they are many, or one after the other as they come.

use std::time::Duration;

use gaggle_commands::LogLines;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Context, show};
use crate::access::Authorized;
use crate::model::{Progress, Reply, StepState};
use crate::runtime::LogQuery;

/// `--follow` ends by itself after this.
const FOLLOW: Duration = Duration::from_secs(600);
/// A reply longer than this gets the log as a file.
const LONG: usize = 3_000;

pub fn query(lines: &LogLines) -> LogQuery {
    let since = lines.since.map(|period| Duration::from_secs(period.0));
    LogQuery { tail: lines.tail as usize, since, previous: lines.previous, follow: lines.follow }
}

/// The log of what is called so.
pub async fn shown(context: &Context, call: &Authorized, of: &str, mut lines: mpsc::Receiver<String>, query: LogQuery) -> Reply {
    let work = &context.work;
    let mut all: Vec<String> = Vec::new();
    let end = Instant::now() + FOLLOW;
    if query.follow {
        let mut shown = 0usize;
        loop {
            let attended = work.chat(&call.caller.origin).is_some_and(|c| c.attended());
            tokio::select! {
                line = lines.recv() => match line {
                    None => break,
                    Some(line) => {
                        shown += 1;
                        if let Some(chat) = work.chat(&call.caller.origin) {
                            let step = Progress { step: "log".into(), state: StepState::Running, text: line };
                            chat.progress(&call.caller.origin, step).await;
                        }
                    }
                },
                () = tokio::time::sleep_until(end) => break,
                () = work.stopping().cancelled() => break,
                // What is there already is shown; nobody waits for more.
                () = tokio::time::sleep(Duration::from_millis(500)), if !attended => break,
            }
        }
        return Reply::ok(format!("Stopped following the log of `{}` after {}.", of, show::count(shown, "line")));
    }
    while let Some(line) = lines.recv().await {
        all.push(line);
    }
    if all.is_empty() {
        let none = if query.since.is_some() { "has nothing that is so new; a longer `--since` may have" } else { "is empty" };
        return Reply::ok(format!("The log of `{of}` {none}.")).with("lines", all);
    }
    let text = all.join("\n");
    let reply = if text.len() > LONG {
        Reply::ok(format!("The last {} of the log of `{}` are in the file.", show::count(all.len(), "line"), of))
            .file(format!("{of}.log"), text.clone().into_bytes())
    } else {
        Reply::ok(show::fenced(&text)).quoting()
    };
    reply.with("lines", all)
}
