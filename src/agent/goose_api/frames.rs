//! The frames of a REST answer, folded into events. Pure. An `error` in mid-stream is followed by `complete` all the same, one at
//! the start by nothing: either way the run has failed.

use serde_json::Value;

use crate::agent::acp::shortened;
use crate::agent::{AgentEvent, Exchange, Failure, sentences};
use crate::model::clip;

const MAX_TITLE: usize = 200;

#[derive(Debug, Default)]
pub struct Frames {
    error: Option<Failure>,
}

#[derive(Debug, PartialEq)]
pub enum Step {
    Events(Vec<AgentEvent>),
    Ended,
}

impl Frames {
    pub fn step(&mut self, text: &str) -> Step {
        let Ok(frame) = serde_json::from_str::<Value>(text) else {
            tracing::debug!("a frame that is no JSON");
            return Step::Events(Vec::new());
        };
        let content = &frame["content"];
        let event = match frame["type"].as_str() {
            Some("message") => said(content),
            Some("thinking") => text_of(content, "message").map(|text| AgentEvent::Thought(text.to_owned())),
            Some("tool_request") => Some(tool_started(content)),
            Some("tool_response") => Some(tool_ended(content)),
            Some("tool_confirmation") => Some(AgentEvent::Notice(confirmation(content))),
            Some("context_exceeded") => Some(AgentEvent::Notice(format!(
                "The session has outgrown the model's context: {}",
                sentences::quoted(text_of(content, "message").unwrap_or("start a new one"))
            ))),
            Some("complete") => return Step::Ended,
            Some("error") => {
                self.fail(error(content).or_else(|| error(&frame)));
                None
            }
            Some(other) => {
                tracing::trace!(frame = other, "ignored");
                None
            }
            None => {
                if let Some(sentence) = error(&frame) {
                    self.fail(Some(sentence));
                }
                None
            }
        };
        Step::Events(event.into_iter().collect())
    }

    fn fail(&mut self, error: Option<String>) {
        let error = error.unwrap_or_else(|| "it did not say why".to_owned());
        self.error.get_or_insert_with(|| sentences::model_failed(&error));
    }

    pub fn failed(&self) -> bool {
        self.error.is_some()
    }

    /// How the run has failed, if it has.
    pub fn end(&mut self) -> Option<AgentEvent> {
        self.error.take().map(AgentEvent::Failed)
    }
}

/// `{error, message}` and `{message, error, session_id}` alike.
pub fn error(value: &Value) -> Option<String> {
    let part = |key: &str| value[key].as_str().map(str::trim).filter(|text| !text.is_empty());
    match (part("message"), part("error")) {
        (Some(message), Some(error)) if message.contains(error) => Some(message.to_owned()),
        (Some(message), Some(error)) => Some(format!("{message}: {error}")),
        (None, Some(error)) => Some(error.to_owned()),
        (message, None) if value.get("error").is_some() || value.get("type").is_some() => message.map(str::to_owned),
        _ => value.as_str().map(str::to_owned),
    }
}

fn text_of<'a>(content: &'a Value, key: &str) -> Option<&'a str> {
    content[key].as_str().or_else(|| content.as_str()).filter(|text| !text.is_empty())
}

fn said(content: &Value) -> Option<AgentEvent> {
    if content["role"].as_str().is_some_and(|role| role.eq_ignore_ascii_case("user")) {
        return None;
    }
    text_of(content, "content").map(|text| AgentEvent::Text(text.to_owned()))
}

/// `developer__shell` is `shell` to people.
fn bare(tool: &Value) -> String {
    let name = tool.as_str().unwrap_or("tool");
    clip(name.rsplit_once("__").map_or(name, |(_, bare)| bare), 60)
}

fn title(arguments: &Value) -> String {
    let first = ["command", "path", "uri", "url", "query"].iter().find_map(|key| arguments[*key].as_str());
    clip(first.unwrap_or_default(), MAX_TITLE)
}

fn tool_started(content: &Value) -> AgentEvent {
    AgentEvent::ToolStarted {
        id: content["id"].as_str().unwrap_or_default().to_owned(),
        tool: bare(&content["tool_name"]),
        title: title(&content["arguments"]),
        arguments: content["arguments"].clone(),
    }
}

fn tool_ended(content: &Value) -> AgentEvent {
    let result = &content["result"];
    let failed = content["is_error"].as_bool().unwrap_or_default() || result.get("Err").is_some();
    let parts = result.get("Ok").unwrap_or(result);
    let output = match (&result["Err"], parts) {
        (Value::String(error), _) => error.clone(),
        (Value::Null, Value::Array(parts)) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        (Value::Null, Value::String(text)) => text.clone(),
        (Value::Null, Value::Null) => String::new(),
        (Value::Null, other) => other.to_string(),
        (error, _) => error.to_string(),
    };
    AgentEvent::ToolEnded { id: content["id"].as_str().unwrap_or_default().to_owned(), ok: !failed, output: shortened(output) }
}

fn confirmation(content: &Value) -> String {
    let tool = content.get("tool_name").map_or_else(|| "a tool".to_owned(), bare);
    format!(
        "The agent asks for an approval of {tool}, and this agent server offers no way to answer. \
         Stop the answer, then choose the mode `auto` or a server that speaks ACP."
    )
}

/// The last message of the user and the text after it.
pub fn last_answer(body: &Value) -> Option<Exchange> {
    let mut asked = String::new();
    let mut answer: Option<String> = None;
    for message in body["messages"].as_array().into_iter().flatten() {
        let content = message["content"].as_str().unwrap_or_default();
        match message["role"].as_str() {
            Some(role) if role.eq_ignore_ascii_case("user") => {
                content.clone_into(&mut asked);
                answer = None;
            }
            Some(role) if role.eq_ignore_ascii_case("assistant") => answer.get_or_insert_default().push_str(content),
            _ => {}
        }
    }
    answer.map(|answer| Exchange { message: asked, answer })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(frames: &[Value]) -> (Vec<AgentEvent>, bool) {
        let mut folded = Frames::default();
        let mut events = Vec::new();
        for frame in frames {
            match folded.step(&frame.to_string()) {
                Step::Events(new) => events.extend(new),
                Step::Ended => {
                    events.extend(folded.end());
                    return (events, true);
                }
            }
        }
        events.extend(folded.end());
        (events, false)
    }

    #[test]
    fn an_error_fails_the_run_whatever_follows() {
        let error = json!({ "type": "error", "content": { "message": "the model broke", "error": "boom" } });
        let complete = json!({ "type": "complete", "content": { "message": "Response complete" } });
        let (events, ended) = run(&[error.clone(), complete]);
        assert!(
            ended
                && matches!(events.as_slice(), [AgentEvent::Failed(Failure::Failed(text))] if text.contains("the model broke: boom"))
        );
        assert!(matches!(run(&[error]).0.as_slice(), [AgentEvent::Failed(_)]));
        let bare = json!({ "message": "no provider", "error": "config", "session_id": "s" });
        assert!(matches!(run(&[bare]).0.as_slice(), [AgentEvent::Failed(_)]));
    }

    #[test]
    fn tools_and_text() {
        let (events, ended) = run(&[
            json!({ "type": "message", "content": { "role": "User", "content": "mine" } }),
            json!({ "type": "message", "content": { "role": "Assistant", "content": "a" } }),
            json!({ "type": "tool_request", "content": { "id": "1", "tool_name": "developer__shell", "arguments": { "command": "ls" } } }),
            json!({ "type": "tool_response", "content": { "id": "1", "result": { "Ok": [{ "type": "text", "text": "x" }] }, "is_error": false } }),
            json!({ "type": "tool_response", "content": { "id": "1", "result": { "Err": "no" } } }),
            json!({ "type": "tool_notification", "content": ["1", {}] }),
            json!({ "type": "history_update", "content": { "message_count": 3 } }),
            json!({ "type": "complete", "content": {} }),
        ]);
        let wanted = [
            AgentEvent::Text("a".into()),
            AgentEvent::ToolStarted {
                id: "1".into(),
                tool: "shell".into(),
                title: "ls".into(),
                arguments: json!({ "command": "ls" }),
            },
            AgentEvent::ToolEnded { id: "1".into(), ok: true, output: "x".into() },
            AgentEvent::ToolEnded { id: "1".into(), ok: false, output: "no".into() },
        ];
        assert!(ended);
        assert_eq!(events, wanted);
    }

    #[test]
    fn the_last_answer_follows_the_last_message() {
        let body = json!({ "messages": [
            { "role": "user", "content": "q" }, { "role": "assistant", "content": "a" }, { "role": "assistant", "content": "b" },
        ]});
        assert_eq!(last_answer(&body), Some(Exchange { message: "q".to_owned(), answer: "ab".to_owned() }));
        assert_eq!(last_answer(&json!({ "messages": [{ "role": "User", "content": "q" }] })), None);
    }
}
