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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::AsyncBufReadExt;

    use super::*;

    #[tokio::test]
    async fn answers_to_the_end_of_the_input() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut options = Options::new(folder.path());
        options.pace = std::time::Duration::ZERO;
        let (lines, input) = mpsc::channel(8);
        let (output, read) = tokio::io::duplex(1 << 16);
        let served = tokio::spawn(converse(input, output, options));
        let mut told = tokio::io::BufReader::new(read).lines();
        let mut next = async || -> Value {
            let line = told.next_line().await.expect("text").expect("a line");
            serde_json::from_str(&line).expect("JSON")
        };
        let say = async |id: u64, method: &str, params: Value| {
            let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
            lines.send(message.to_string()).await.expect("a reader");
        };
        say(0, "initialize", json!({ "protocolVersion": 1 })).await;
        assert_eq!(next().await["result"]["agentInfo"]["name"], super::super::NAME);
        lines.send("{bad".to_owned()).await.expect("a reader");
        assert_eq!(next().await["error"]["code"], -32700);
        say(1, "session/new", json!({ "cwd": folder.path(), "mcpServers": [] })).await;
        let session = next().await["result"]["sessionId"].clone();
        let prompt = |text: &str| json!({ "sessionId": session, "prompt": [{ "type": "text", "text": text }] });
        say(2, "session/prompt", prompt("tool, and say 5 words")).await;
        let request = loop {
            let message = next().await;
            if message["method"] == "session/request_permission" {
                break message["id"].clone();
            }
        };
        let outcome = json!({ "outcome": { "outcome": "selected", "optionId": "allow_once" } });
        lines.send(json!({ "jsonrpc": "2.0", "id": request, "result": outcome }).to_string()).await.expect("a reader");
        let mut text = String::new();
        loop {
            let message = next().await;
            if message["id"] == 2 {
                assert_eq!(message["result"]["stopReason"], "end_turn");
                break;
            }
            let update = &message["params"]["update"];
            if update["sessionUpdate"] == "agent_message_chunk" {
                text.push_str(update["content"]["text"].as_str().expect("text"));
            }
        }
        assert_eq!(text, "w1 w2 w3 w4 w5");
        // What needs no more input is finished, what does is not waited for.
        say(3, "session/prompt", prompt("say 2000 words")).await;
        drop(lines);
        while next().await["id"] != 3 {}
        served.await.expect("no panic").expect("a good end");
    }
}
