//! One run's `session/update`s, folded into events. Pure. Knows Goose's errors in disguise: they look like answers, and a real
//! answer must never be taken for one.

use std::collections::HashMap;

use serde_json::Value;

use crate::agent::{AgentEvent, Exchange, Failure, sentences};
use crate::model::{Usage, clip};

/// More of a tool's output than this is left out; people read it in a chat.
const MAX_OUTPUT: usize = 64 * 1024;
const MAX_TITLE: usize = 200;

/// How Goose begins an error that it sends as if the model had said it (1.52).
const DISGUISES: &[(&str, Disguise)] = &[
    ("Ran into this error", Disguise::Error),
    ("Network error: ", Disguise::Network),
    ("Unable to continue: Context limit still exceeded", Disguise::Error),
    ("The model returned an empty response. Please resend", Disguise::Error),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Disguise {
    Error,
    Network,
}

#[derive(Debug, Default)]
pub struct Fold {
    /// The id of the message that the last piece of text belonged to.
    message: Option<String>,
    /// A piece that looks like an error in disguise. Shown as text after all, should the answer go on.
    suspect: Option<(Disguise, String)>,
    any_text: bool,
    tools: HashMap<String, String>,
}

impl Fold {
    /// The events of one update, in order.
    pub fn update(&mut self, update: &Value) -> Vec<AgentEvent> {
        let mut events = Vec::new();
        match update["sessionUpdate"].as_str().unwrap_or_default() {
            "agent_message_chunk" => self.chunk(update, &mut events),
            "agent_thought_chunk" => {
                if let Some(text) = update["content"]["text"].as_str().filter(|text| !text.is_empty()) {
                    events.push(AgentEvent::Thought(text.to_owned()));
                }
            }
            "tool_call" => {
                self.release(&mut events);
                self.tool_started(update, &mut events);
                self.tool_ended(update, &mut events);
            }
            "tool_call_update" => {
                self.release(&mut events);
                if !self.tools.contains_key(id_of(update)) && update["title"].is_string() {
                    self.tool_started(update, &mut events);
                }
                self.tool_ended(update, &mut events);
            }
            "session_info_update" => events.extend(title(update).map(AgentEvent::Title)),
            // Plans, modes, commands, replayed messages and the size of the context are none of an answer.
            other => tracing::trace!(update = other, "ignored"),
        }
        events
    }

    fn chunk(&mut self, update: &Value, events: &mut Vec<AgentEvent>) {
        let content = &update["content"];
        let Some(text) = content["text"].as_str() else {
            if let Some(kind) = content["type"].as_str() {
                events.push(AgentEvent::Notice(format!(
                    "The agent sent something that cannot be shown here ({}).",
                    clip(kind, 40)
                )));
            }
            return;
        };
        if text.is_empty() {
            return;
        }
        let message = update["messageId"].as_str();
        let fresh = message.is_some() && message != self.message.as_deref();
        self.message = message.map(str::to_owned);
        self.release(events);
        if fresh
            && message.is_some_and(|id| id.starts_with("msg_"))
            && let Some((_, disguise)) = DISGUISES.iter().find(|(start, _)| text.starts_with(start))
        {
            self.suspect = Some((*disguise, text.to_owned()));
            return;
        }
        self.any_text = true;
        events.push(AgentEvent::Text(text.to_owned()));
    }

    /// The answer goes on, so what looked like an error was a part of it.
    fn release(&mut self, events: &mut Vec<AgentEvent>) {
        if let Some((_, text)) = self.suspect.take() {
            self.any_text = true;
            events.push(AgentEvent::Text(text));
        }
    }

    fn tool_started(&mut self, call: &Value, events: &mut Vec<AgentEvent>) {
        let id = id_of(call);
        if self.tools.contains_key(id) {
            return;
        }
        let (tool, title) = name_and_title(call);
        self.tools.insert(id.to_owned(), tool.clone());
        events.push(AgentEvent::ToolStarted { id: id.to_owned(), tool, title, arguments: call["rawInput"].clone() });
    }

    fn tool_ended(&mut self, call: &Value, events: &mut Vec<AgentEvent>) {
        let ok = match call["status"].as_str() {
            Some("completed") => true,
            Some("failed") => false,
            _ => return,
        };
        events.push(AgentEvent::ToolEnded { id: id_of(call).to_owned(), ok, output: output(call) });
    }

    /// What is asked for by `session/request_permission`.
    pub fn permission(&mut self, request: String, params: &Value) -> Vec<AgentEvent> {
        let mut events = Vec::new();
        self.release(&mut events);
        let call = &params["toolCall"];
        let id = id_of(call);
        let (mut tool, title) = name_and_title(call);
        match self.tools.get(id) {
            Some(known) => tool.clone_from(known),
            None => self.tool_started(call, &mut events),
        }
        events.push(AgentEvent::ApprovalWanted {
            request,
            call: id.to_owned(),
            tool,
            title,
            arguments: call["rawInput"].clone(),
        });
        events
    }

    /// The last events, from the result of `session/prompt`.
    pub fn end(&mut self, result: &Value) -> Vec<AgentEvent> {
        let mut events = Vec::new();
        let reason = result["stopReason"].as_str().unwrap_or("end_turn");
        let cancelled = reason == "cancelled";
        if let Some((disguise, text)) = self.suspect.take()
            && !cancelled
        {
            events.push(AgentEvent::Failed(unmask(disguise, &text, self.any_text)));
            return events;
        }
        match reason {
            "end_turn" | "cancelled" => {}
            "refusal" => events.push(AgentEvent::Notice("The model refused to go on.".to_owned())),
            "max_tokens" => {
                events.push(AgentEvent::Notice("The answer ends here: the model's limit for one answer is reached.".to_owned()))
            }
            "max_turn_requests" => {
                events.push(AgentEvent::Notice("The agent ends here: its limit of steps for one message is reached.".to_owned()));
            }
            other => events.push(AgentEvent::Notice(format!("The agent ended here: {}.", sentences::quoted(other)))),
        }
        events.push(AgentEvent::Done { cancelled, usage: usage(&result["usage"]) });
        events
    }
}

impl Fold {
    /// The last event of a run that the agent ended with an error of its protocol. What it said before says more.
    pub fn fail(&mut self, failure: Failure) -> AgentEvent {
        AgentEvent::Failed(match self.suspect.take() {
            Some((disguise, text)) => unmask(disguise, &text, self.any_text),
            None => failure,
        })
    }
}

/// Of a piece that is a whole message: whether it is one of Goose's errors, in its history as the model's words.
fn is_disguised(message: Option<&str>, text: &str) -> bool {
    message.is_some_and(|id| id.starts_with("msg_"))
        && text.contains("Please re")
        && DISGUISES.iter().any(|(start, _)| text.starts_with(start))
}

fn unmask(disguise: Disguise, text: &str, any_text: bool) -> Failure {
    let error = text.split("\n\nPlease re").next().unwrap_or(text);
    let error = error.strip_prefix("Ran into this error: ").unwrap_or(error);
    match disguise {
        Disguise::Network if any_text => sentences::model_dropped(error),
        _ => sentences::model_failed(error),
    }
}

/// The title that an agent gives its session.
pub fn title(update: &Value) -> Option<String> {
    let title = update["title"].as_str()?.trim();
    (update["sessionUpdate"] == "session_info_update" && !title.is_empty()).then(|| clip(title, MAX_TITLE))
}

fn id_of(call: &Value) -> &str {
    call["toolCallId"].as_str().unwrap_or_default()
}

/// Goose's title is `shell · cargo test`; others have a title alone, and a kind.
fn name_and_title(call: &Value) -> (String, String) {
    let title = call["title"].as_str().unwrap_or_default();
    let (first, rest) = match title.split_once(" · ") {
        Some((first, rest)) if !first.contains(char::is_whitespace) => (Some(first), rest),
        _ => (None, title),
    };
    let named = call["_meta"]["goose"]["toolCall"]["toolName"].as_str();
    let kind = call["kind"].as_str().filter(|kind| *kind != "other");
    let tool = named.or(first).or(kind).unwrap_or("tool");
    let rest = if first.is_some_and(|first| first != tool) { title } else { rest };
    (clip(tool, 60), clip(if rest == tool { "" } else { rest }, MAX_TITLE))
}

fn output(call: &Value) -> String {
    let mut all = String::new();
    for item in call["content"].as_array().into_iter().flatten() {
        let text = match item["type"].as_str() {
            Some("diff") => item["path"].as_str().map(|path| format!("changed {path}")),
            _ => item["content"]["text"].as_str().or_else(|| item["text"].as_str()).map(str::to_owned),
        };
        if let Some(text) = text {
            if !all.is_empty() {
                all.push('\n');
            }
            all.push_str(&text);
        }
    }
    if all.is_empty() {
        match &call["rawOutput"] {
            Value::Null => {}
            Value::String(text) => all.clone_from(text),
            other => all = other.to_string(),
        }
    }
    shortened(all)
}

/// At most 64 KiB of a tool's output, and how much more there was.
pub fn shortened(mut output: String) -> String {
    if output.len() > MAX_OUTPUT {
        let end = output.floor_char_boundary(MAX_OUTPUT);
        let left_out = output.len() - end;
        output.truncate(end);
        output.shrink_to_fit();
        output.push_str(&format!("\n… {left_out} more bytes are left out"));
    }
    output
}

pub fn usage(value: &Value) -> Option<Usage> {
    let count = |key: &str| value[key].as_u64();
    let usage =
        Usage { input_tokens: count("inputTokens"), output_tokens: count("outputTokens"), total_tokens: count("totalTokens") };
    (usage != Usage::default()).then_some(usage)
}

/// What `session/load` replays, as far as it is the answer to the last message of the user.
#[derive(Debug, Default)]
pub struct Replay {
    message: String,
    /// The agent's id of the message, if it gives one: its pieces have the same.
    id: Option<String>,
    text: String,
    answered: bool,
}

impl Replay {
    pub fn update(&mut self, update: &Value) {
        match update["sessionUpdate"].as_str() {
            Some("user_message_chunk") => {
                let id = update["messageId"].as_str();
                if id.is_none() || id != self.id.as_deref() {
                    *self = Self { id: id.map(str::to_owned), ..Self::default() };
                }
                self.message.push_str(update["content"]["text"].as_str().unwrap_or_default());
            }
            Some("agent_message_chunk") => {
                if is_disguised(update["messageId"].as_str(), update["content"]["text"].as_str().unwrap_or_default()) {
                    return;
                }
                self.text.push_str(update["content"]["text"].as_str().unwrap_or_default());
                self.answered = true;
            }
            Some("tool_call") => self.answered = true,
            _ => {}
        }
    }

    pub fn answer(self) -> Option<Exchange> {
        self.answered.then_some(Exchange { message: self.message, answer: self.text })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chunk(message: &str, text: &str) -> Value {
        json!({ "sessionUpdate": "agent_message_chunk", "messageId": message, "content": { "type": "text", "text": text } })
    }

    fn run(updates: &[Value]) -> Vec<AgentEvent> {
        let mut fold = Fold::default();
        let mut events: Vec<_> = updates.iter().flat_map(|update| fold.update(update)).collect();
        events.extend(fold.end(&json!({ "stopReason": "end_turn" })));
        events
    }

    fn text(events: &[AgentEvent]) -> String {
        events.iter().filter_map(|event| if let AgentEvent::Text(text) = event { Some(text.as_str()) } else { None }).collect()
    }

    const ERROR: &str =
        "Ran into this error: Server error.\n\nPlease retry if you think this is a transient or recoverable error.";

    #[test]
    fn an_error_in_disguise_fails_the_run_and_is_not_shown() {
        let events = run(&[chunk("msg_1", ERROR), json!({ "sessionUpdate": "usage_update", "used": 1 })]);
        assert!(
            matches!(events.as_slice(), [AgentEvent::Failed(Failure::Failed(text))] if text.contains("Server error")),
            "{events:?}"
        );
        let events =
            run(&[chunk("a", "w1 "), chunk("msg_2", "Network error: reset\n\nPlease resend your message to try again.")]);
        assert_eq!(text(&events), "w1 ");
        assert!(matches!(events.last(), Some(AgentEvent::Failed(Failure::Interrupted(_)))), "{events:?}");
    }

    #[test]
    fn real_answers_that_look_like_errors_are_answers() {
        for answer in [
            vec![chunk("msg_1", "Ran into "), chunk("msg_1", "this error: x")],
            vec![chunk("msg_1", "It said: "), chunk("msg_1", ERROR)],
            vec![chunk("msg_1", ERROR), chunk("msg_1", " That is what I saw.")],
            vec![chunk("chatcmpl-1", ERROR)],
            vec![chunk("msg_1", "The log has: Network error: reset")],
        ] {
            let whole: String = answer.iter().filter_map(|chunk| chunk["content"]["text"].as_str()).collect();
            let events = run(&answer);
            assert_eq!(text(&events), whole);
            assert!(matches!(events.last(), Some(AgentEvent::Done { .. })), "{events:?}");
        }
    }

    #[test]
    fn tools_have_a_bare_name_and_one_line() {
        let call = json!({ "sessionUpdate": "tool_call", "toolCallId": "c", "title": "shell · cargo\n test", "rawInput": { "command": "x" } });
        let events = Fold::default().update(&call);
        let wanted = AgentEvent::ToolStarted {
            id: "c".into(),
            tool: "shell".into(),
            title: "cargo test".into(),
            arguments: json!({ "command": "x" }),
        };
        assert_eq!(events, [wanted]);
    }

    #[test]
    fn long_output_says_what_is_left_out() {
        let output = shortened("ü".repeat(MAX_OUTPUT));
        assert!(output.ends_with("… 65536 more bytes are left out"), "{}", &output[output.len() - 60..]);
        assert_eq!(shortened("short".into()), "short");
    }

    #[test]
    fn a_replay_gives_the_answer_to_the_last_message() {
        let mut replay = Replay::default();
        for update in [chunk("a", "old"), json!({ "sessionUpdate": "user_message_chunk" }), chunk("a", "one "), chunk("b", "two")]
        {
            replay.update(&update);
        }
        assert_eq!(replay.answer().map(|last| last.answer).as_deref(), Some("one two"));
        let mut unanswered = Replay::default();
        unanswered.update(&json!({ "sessionUpdate": "user_message_chunk" }));
        assert_eq!(unanswered.answer(), None);
    }
}
