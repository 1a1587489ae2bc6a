//! What the demo agent does with each message of a client, whichever way it came. Requests are taken in the order of their
//! arrival; whatever waits (runs, replays, files) goes on beside. Knows nothing of HTTP.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::history::{Entry, Running, Session, Sessions};
use super::rpc::{Client, Fault, lock, random_id};
use super::{NAME, Options, TITLE, answer};

/// How much context the agent pretends to have.
pub const CONTEXT: u64 = 128_000;

const STEER: &str = "_goose/unstable/session/steer";

const MODES: [(&str, &str); 4] = [
    ("auto", "Automatically approve tool calls"),
    ("approve", "Ask before every tool call"),
    ("smart_approve", "Ask only for sensitive tool calls"),
    ("chat", "Chat only, no tool calls"),
];

pub struct Demo {
    pub options: Options,
    pub sessions: Sessions,
    /// Everything that is still to be sent or written.
    pub work: TaskTracker,
}

impl Demo {
    pub fn open(options: Options) -> anyhow::Result<Self> {
        let sessions = Sessions::open(&options.state)?;
        Ok(Self { options, sessions, work: TaskTracker::new() })
    }

    pub fn initialize() -> Value {
        json!({
            "protocolVersion": 1,
            "agentCapabilities": {
                "loadSession": true,
                "promptCapabilities": { "image": false, "audio": false, "embeddedContext": false },
                "mcpCapabilities": { "http": false, "sse": false },
                "sessionCapabilities": { "list": {}, "delete": {}, "close": {} },
                "auth": {},
            },
            "authMethods": [],
            "agentInfo": { "name": NAME, "title": TITLE, "version": env!("CARGO_PKG_VERSION") },
        })
    }

    pub fn receive(self: &Arc<Self>, client: &Arc<Client>, mut message: Value) {
        let id = message["id"].take();
        let params = message["params"].take();
        let Some(method) = message["method"].as_str() else {
            if let Some(id) = id.as_str() {
                client.answered(id, message["result"].take());
            }
            return;
        };
        if method == "session/cancel" {
            if let Some(session) = params["sessionId"].as_str().and_then(|id| self.sessions.get(id))
                && let Some(running) = lock(&session.running).as_ref()
            {
                running.cancelled.cancel();
            }
            return;
        }
        if id.is_null() {
            return;
        }
        // Goose answers on the stream of the session that the request names.
        let stream = params["sessionId"].as_str();
        match self.request(client, method, &params, &id) {
            Ok(Some(result)) => client.respond(stream, &id, Ok(result)),
            Ok(None) => {}
            Err(fault) => client.respond(stream, &id, Err(fault)),
        }
    }

    /// `None`: the answer comes later.
    fn request(self: &Arc<Self>, client: &Arc<Client>, method: &str, params: &Value, id: &Value) -> Result<Option<Value>, Fault> {
        match method {
            "initialize" => return Ok(Some(Self::initialize())),
            "authenticate" => return Ok(Some(json!({}))),
            "session/new" => {
                let session = self.sessions.create(folder(params)?, &self.options.mode);
                self.work.spawn(Arc::clone(self).opened(Arc::clone(client), session, id.clone()));
                return Ok(None);
            }
            "session/list" => {
                let sessions: Vec<Value> = self.sessions.list().iter().map(|session| listed(session)).collect();
                return Ok(Some(json!({ "sessions": sessions })));
            }
            "session/load" | "session/prompt" | "session/set_mode" | "session/close" | "session/delete" | STEER => {}
            _ => return Err(Fault::no_method()),
        }
        let name = text(params, "sessionId")?;
        let session = self.sessions.get(name).ok_or_else(|| Fault::no_session(name))?;
        match method {
            "session/load" => {
                folder(params)?;
                client.set_closed(name, false);
                self.work.spawn(replay(Arc::clone(client), session, id.clone()));
                Ok(None)
            }
            // Only so that a client can ask whether a run is active: nothing steers the demo agent.
            STEER => Err(Fault::invalid(match lock(&session.running).as_ref() {
                Some(Running { id, .. }) => {
                    format!("expected active run id `{}` but found `{id}`", text(params, "expectedRunId")?)
                }
                None => "no active run to steer".to_owned(),
            })),
            _ if client.has_closed(name) && method != "session/delete" => Err(Fault::no_session(name)),
            "session/prompt" => {
                let prompt = params["prompt"].as_array().ok_or_else(|| missing("prompt", params))?;
                let parts: Vec<&str> = prompt.iter().filter_map(|part| part["text"].as_str()).collect();
                let running = claim(&session)?;
                let run = answer::Run::new(Arc::clone(self), Arc::clone(client), session, running, parts.join("\n"));
                self.work.spawn(run.answer(id.clone()));
                Ok(None)
            }
            "session/set_mode" => {
                let mode = text(params, "modeId")?;
                if !MODES.iter().any(|(known, _)| *known == mode) {
                    return Err(Fault::invalid(format!("Invalid mode: {mode}")));
                }
                mode.clone_into(&mut lock(&session.record).mode);
                let (client, mode, name, id) = (Arc::clone(client), mode.to_owned(), name.to_owned(), id.clone());
                self.work.spawn(async move {
                    let kept = session.save().await;
                    client.update(&name, json!({ "sessionUpdate": "current_mode_update", "currentModeId": mode })).await;
                    client.respond(Some(&name), &id, kept.map(|()| json!({})).map_err(broken));
                });
                Ok(None)
            }
            "session/close" => {
                if let Some(running) = lock(&session.running).as_ref() {
                    running.cancelled.cancel();
                }
                client.set_closed(name, true);
                Ok(Some(json!({})))
            }
            _ => {
                self.sessions.remove(name).map_err(broken)?;
                Ok(Some(json!({})))
            }
        }
    }

    async fn opened(self: Arc<Self>, client: Arc<Client>, session: Arc<Session>, id: Value) {
        let (name, mode) = {
            let record = lock(&session.record);
            (record.id.clone(), record.mode.clone())
        };
        // Ids come again after a deletion.
        client.set_closed(&name, false);
        let outcome = session.save().await;
        let outcome = outcome.map(|()| json!({ "sessionId": name, "modes": modes(&mode), "configOptions": [] }));
        client.respond(None, &id, outcome.map_err(broken));
        announce(&client, &session).await;
    }
}

/// Sends the whole history, each entry as one piece, then the answer.
async fn replay(client: Arc<Client>, session: Arc<Session>, id: Value) {
    let record = lock(&session.record).clone();
    for entry in &record.entries {
        for update in updates(entry) {
            client.update(&record.id, update).await;
        }
    }
    client.respond(Some(&record.id), &id, Ok(json!({ "modes": modes(&record.mode), "configOptions": [] })));
    announce(&client, &session).await;
}

async fn announce(client: &Client, session: &Session) {
    let (name, used) = {
        let record = lock(&session.record);
        (record.id.clone(), record.used)
    };
    client.update(&name, json!({ "sessionUpdate": "usage_update", "used": used, "size": CONTEXT })).await;
    client.update(&name, json!({ "sessionUpdate": "available_commands_update", "availableCommands": [] })).await;
}

/// The one run that a session may have.
fn claim(session: &Session) -> Result<Running, Fault> {
    let mut running = lock(&session.running);
    if let Some(Running { id, .. }) = running.as_ref() {
        let sentence = format!("session already has active run `{id}`; use _goose/unstable/session/steer");
        return Err(Fault::invalid(sentence));
    }
    let id = random_id().ok_or_else(|| Fault::internal("no randomness"))?;
    let run = Running { id: format!("run_{id}"), cancelled: CancellationToken::new() };
    *running = Some(run.clone());
    Ok(run)
}

fn updates(entry: &Entry) -> Vec<Value> {
    match entry {
        Entry::User { id, text } => vec![piece("user_message_chunk", id, text)],
        Entry::Agent { id, text } => vec![piece("agent_message_chunk", id, text)],
        Entry::Thought { id, text } => vec![piece("agent_thought_chunk", id, text)],
        Entry::Tool { id, title, input, output, ok } => vec![tool_call(id, title, input), tool_ended(id, output, *ok)],
    }
}

pub fn piece(kind: &str, id: &str, text: &str) -> Value {
    json!({ "sessionUpdate": kind, "content": { "type": "text", "text": text }, "messageId": id })
}

pub fn tool_call(id: &str, title: &str, input: &Value) -> Value {
    let tool = json!({ "toolName": answer::TOOL, "extensionName": "demo" });
    json!({
        "sessionUpdate": "tool_call", "toolCallId": id, "title": title, "rawInput": input,
        "_meta": { "goose": { "toolCall": tool } },
    })
}

pub fn tool_ended(id: &str, output: &str, ok: bool) -> Value {
    json!({
        "sessionUpdate": "tool_call_update", "toolCallId": id, "status": if ok { "completed" } else { "failed" },
        "content": [{ "type": "content", "content": { "type": "text", "text": output } }],
    })
}

fn modes(current: &str) -> Value {
    let available = MODES.map(|(id, description)| json!({ "id": id, "name": id, "description": description }));
    json!({ "currentModeId": current, "availableModes": available })
}

fn listed(session: &Session) -> Value {
    let record = lock(&session.record);
    json!({
        "sessionId": record.id, "cwd": record.cwd, "title": record.title, "updatedAt": record.updated,
        "_meta": { "messageCount": record.entries.len(), "createdAt": record.created, "sessionType": "acp" },
    })
}

/// The folder of a session, which has to exist, beside the list of MCP servers, which has to be there.
fn folder(params: &Value) -> Result<&str, Fault> {
    let cwd = text(params, "cwd")?;
    if !params["mcpServers"].is_array() {
        return Err(missing("mcpServers", params));
    }
    if Path::new(cwd).is_dir() { Ok(cwd) } else { Err(Fault::invalid("invalid directory path")) }
}

fn text<'a>(params: &'a Value, field: &str) -> Result<&'a str, Fault> {
    params[field].as_str().ok_or_else(|| missing(field, params))
}

fn missing(field: &str, params: &Value) -> Fault {
    let error = format!("missing field `{field}`");
    Fault::invalid(json!({ "error": error, "json": params, "phase": "deserialization" }))
}

pub fn broken(error: anyhow::Error) -> Fault {
    tracing::error!(error = format!("{error:#}"), "the demo agent cannot keep its state");
    Fault::internal(format!("{error:#}"))
}
