//! The demo agent over standard input and output: one JSON-RPC message a line, all sessions on one stream. Writes nothing else to
//! standard output.

use std::io::BufRead;
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::Options;
use super::methods::Demo;
use super::rpc::{Client, Fault};

/// Serves one client until the end of its input or `options.shutdown`. Runs that need no more input are finished first.
pub async fn serve_stdio(options: Options) -> anyhow::Result<()> {
    let (lines, input) = mpsc::channel(64);
    // A thread of its own, which ends with the process: a runtime would wait for a blocking read when it is dropped.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    });
    converse(input, tokio::io::stdout(), options).await
}

/// The same over any lines in and out.
pub async fn converse(
    mut input: mpsc::Receiver<String>,
    output: impl AsyncWrite + Send + Unpin + 'static,
    options: Options,
) -> anyhow::Result<()> {
    let shutdown = options.shutdown.clone();
    let demo = Arc::new(Demo::open(options)?);
    let client = Arc::new(Client::new(false, &shutdown));
    let mut writing = tokio::spawn(write(Arc::clone(&client), output));
    loop {
        let line = tokio::select! {
            line = input.recv() => line,
            () = shutdown.cancelled() => None,
            // Nobody reads what the agent says.
            _ = &mut writing => return Ok(()),
        };
        let Some(line) = line else { break };
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Value>(&line).ok().filter(Value::is_object) {
            Some(message) => demo.receive(&client, message),
            None => client.respond(None, &Value::Null, Err(Fault::unreadable(&line))),
        }
    }
    client.hang_up();
    demo.work.close();
    tokio::select! {
        () = demo.work.wait() => {}
        () = shutdown.cancelled() => {}
        _ = &mut writing => return Ok(()),
    }
    client.end();
    writing.await?
}

async fn write(client: Arc<Client>, mut output: impl AsyncWrite + Unpin) -> anyhow::Result<()> {
    let Some(mut reader) = client.outbox(None).reader() else { return Ok(()) };
    while let Some(message) = reader.next().await {
        output.write_all(message.as_bytes()).await?;
        output.write_all(b"\n").await?;
        output.flush().await?;
    }
    Ok(())
}
