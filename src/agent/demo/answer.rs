//! How the demo agent answers a prompt: by rules, for there is no model. What it says can be told apart from a real agent's words
//! unless the prompt says what to say. As with Goose, a run that is cancelled leaves its partial text in the history, one that is
//! cut off only the user's message.

use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde_json::{Value, json};

use super::history::{Entry, Remembered, Running, Session};
use super::methods::{CONTEXT, Demo, broken, piece, tool_call, tool_ended};
use super::rpc::{Client, Fault, lock};
use crate::model::{clip, words};

/// The one tool there is; it does nothing.
pub const TOOL: &str = "demo_tool";

const MAX_WORDS: usize = 100_000;
/// Long answers come in larger pieces, so that they end.
const MAX_PIECES: usize = 2_000;

const DECLINED: &str = "The user has declined to run this tool.";

pub struct Run {
    demo: Arc<Demo>,
    client: Arc<Client>,
    session: Arc<Session>,
    name: String,
    running: Running,
    prompt: String,
    /// What this run adds to the history once it is complete.
    entries: Vec<Entry>,
    messages: usize,
}

/// Why a run ends before its answer is complete.
enum Cut {
    Cancelled,
    /// Cancelled while a question was open, which forgets what was said before it.
    CancelledAtQuestion,
    /// Nobody is there to be told.
    Gone,
    Failed(Fault),
}

enum Decision {
    Allowed(&'static str),
    Refused(&'static str),
}

impl Run {
    pub fn new(demo: Arc<Demo>, client: Arc<Client>, session: Arc<Session>, running: Running, prompt: String) -> Self {
        let name = lock(&session.record).id.clone();
        Self { demo, client, session, name, running, prompt, entries: Vec::new(), messages: 0 }
    }

    /// Answers the prompt and then the request `id`.
    pub async fn answer(mut self, id: Value) {
        let mut outcome = self.keep_question().await;
        if outcome.is_ok() {
            self.active(true).await;
            let ended = self.client.ended.clone();
            outcome = tokio::select! {
                outcome = self.perform() => outcome,
                () = ended.cancelled() => Err(Cut::Gone),
            };
        }
        let (input, output) = (self.prompt.split_whitespace().count() as u64, self.said());
        let outcome = match outcome {
            Ok(()) => self.keep_answer(input + output).await.map(|()| "end_turn"),
            Err(Cut::Cancelled) => self.keep_answer(input + output).await.map(|()| "cancelled"),
            Err(Cut::CancelledAtQuestion) => Ok("cancelled"),
            Err(Cut::Failed(fault)) => Err(fault),
            Err(Cut::Gone) => {
                *lock(&self.session.running) = None;
                return;
            }
        };
        self.active(false).await;
        let used = lock(&self.session.record).used;
        self.send(json!({ "sessionUpdate": "usage_update", "used": used, "size": CONTEXT })).await;
        *lock(&self.session.running) = None;
        let outcome = outcome.map(|reason| {
            let usage = json!({ "totalTokens": input + output, "inputTokens": input, "outputTokens": output });
            json!({ "stopReason": reason, "usage": usage })
        });
        self.client.respond(Some(&self.name), &id, outcome);
    }

    async fn perform(&mut self) -> Result<(), Cut> {
        let prompt = self.prompt.clone();
        if mentions(&prompt, "think") {
            self.stream("agent_thought_chunk", "There is no model here, so this is only what a thought looks like.").await?;
        }
        if let Some(text) = to_repeat(&prompt) {
            return self.repeat(text).await;
        }
        if mentions(&prompt, "fail") {
            self.say("This is the demo agent, and it was asked to fail. ").await?;
            return Err(Cut::Failed(Fault::internal("the demo agent was asked to fail")));
        }
        if let Some(count) = clock(&prompt) {
            return self.tell_time(count).await;
        }
        let count = words_to_say(&prompt);
        if !mentions(&prompt, "tool") {
            return match count {
                Some(count) => self.count(count).await,
                None => self.say(&greeting(&prompt)).await,
            };
        }
        if count.is_none() {
            self.say("The demo agent would like to use its pretend tool.\n\n").await?;
        }
        match (self.use_tool().await?, count) {
            (Decision::Allowed(_), Some(count)) => self.count(count).await,
            (Decision::Allowed(how), None) => {
                let text = format!("It was allowed{how}, and the pretend tool `{TOOL}` said `demo`. Nothing was really run.");
                self.say(&text).await
            }
            (Decision::Refused(why), _) => {
                self.say(&format!("It was not allowed{why}, so the pretend tool `{TOOL}` was not used.")).await
            }
        }
    }

    /// `w1 w2 … wN` and nothing else.
    async fn count(&mut self, count: usize) -> Result<(), Cut> {
        let in_a_piece = count.div_ceil(MAX_PIECES);
        let message = self.new_message();
        for first in (1..=count).step_by(in_a_piece) {
            let mut text = String::new();
            for number in first..(first + in_a_piece).min(count + 1) {
                text.push_str(if number == 1 { "w" } else { " w" });
                text.push_str(&number.to_string());
            }
            self.send_piece("agent_message_chunk", &message, &text).await?;
        }
        Ok(())
    }

    /// The text as it is, in pieces that care for no word.
    async fn repeat(&mut self, text: &str) -> Result<(), Cut> {
        let message = self.new_message();
        let in_a_piece = text.len().div_ceil(MAX_PIECES).max(40);
        let mut rest = text;
        while !rest.is_empty() {
            let end = (in_a_piece..rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
            let (piece, after) = rest.split_at(end);
            self.send_piece("agent_message_chunk", &message, piece).await?;
            rest = after;
        }
        Ok(())
    }

    /// Each piece is the time at which it is sent, for whoever measures how long it takes to arrive.
    async fn tell_time(&mut self, count: usize) -> Result<(), Cut> {
        let message = self.new_message();
        for _ in 0..count {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            self.send_piece("agent_message_chunk", &message, &format!("{} ", now.as_nanos())).await?;
        }
        Ok(())
    }

    async fn say(&mut self, text: &str) -> Result<(), Cut> {
        self.stream("agent_message_chunk", text).await
    }

    async fn stream(&mut self, kind: &'static str, text: &str) -> Result<(), Cut> {
        let message = self.new_message();
        for word in text.split_inclusive(' ') {
            self.send_piece(kind, &message, word).await?;
        }
        Ok(())
    }

    async fn send_piece(&mut self, kind: &'static str, message: &str, text: &str) -> Result<(), Cut> {
        let cancelled = self.running.cancelled.clone();
        tokio::select! {
            biased;
            () = cancelled.cancelled() => return Err(Cut::Cancelled),
            () = self.client.update(&self.name, piece(kind, message, text)) => {}
        }
        match self.entries.last_mut() {
            Some(Entry::Agent { id, text: so_far } | Entry::Thought { id, text: so_far }) if id == message => {
                so_far.push_str(text);
            }
            _ => {
                let (id, text) = (message.to_owned(), text.to_owned());
                let thought = kind == "agent_thought_chunk";
                self.entries.push(if thought { Entry::Thought { id, text } } else { Entry::Agent { id, text } });
            }
        }
        let pace = self.demo.options.pace;
        if pace.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::select! {
                () = cancelled.cancelled() => return Err(Cut::Cancelled),
                () = tokio::time::sleep(pace) => {}
            }
        }
        Ok(())
    }

    async fn use_tool(&mut self) -> Result<Decision, Cut> {
        let mode = lock(&self.session.record).mode.clone();
        if mode == "chat" {
            return Ok(Decision::Refused(" because the session is in chat mode"));
        }
        let call = format!("call_{}", self.new_message());
        let (title, input) = (format!("{TOOL} · echo demo"), json!({ "command": "echo demo" }));
        self.send(tool_call(&call, &title, &input)).await;
        let decision = match self.demo.sessions.remembered() {
            _ if mode == "auto" => Decision::Allowed(" by the session's mode"),
            Some(Remembered::AlwaysAllow) => Decision::Allowed(" for always"),
            Some(Remembered::NeverAllow) => Decision::Refused(" for ever"),
            None => self.ask(&call, &title, &input).await?,
        };
        let ok = matches!(decision, Decision::Allowed(_));
        let output = if ok { "demo" } else { DECLINED };
        self.send(tool_ended(&call, output, ok)).await;
        self.entries.push(Entry::Tool { id: call, title, input, output: output.to_owned(), ok });
        Ok(decision)
    }

    /// Waits for the user's decision. As with Goose, a cancelled run ends only when its question is answered, and the outcome
    /// `cancelled` without a cancelled run is a rejection.
    async fn ask(&self, call: &str, title: &str, input: &Value) -> Result<Decision, Cut> {
        let tool = json!({ "toolCallId": call, "kind": "other", "status": "pending", "title": title, "rawInput": input });
        let options = ["allow_always", "allow_once", "reject_once", "reject_always"];
        let options = options.map(|option| json!({ "optionId": option, "name": option, "kind": option }));
        let params = json!({ "sessionId": self.name, "toolCall": tool, "options": options });
        let answer = self.client.ask(&self.name, "session/request_permission", params).await.ok_or(Cut::Gone)?;
        if self.running.cancelled.is_cancelled() {
            return Err(Cut::CancelledAtQuestion);
        }
        let remember = |decision| self.demo.sessions.remember(decision).map_err(|error| Cut::Failed(broken(error)));
        match answer["outcome"]["optionId"].as_str() {
            Some("allow_once") => Ok(Decision::Allowed(" this once")),
            Some("allow_always") => {
                remember(Remembered::AlwaysAllow)?;
                Ok(Decision::Allowed(" for always"))
            }
            Some("reject_always") => {
                remember(Remembered::NeverAllow)?;
                Ok(Decision::Refused(" for ever"))
            }
            _ => Ok(Decision::Refused("")),
        }
    }

    async fn keep_question(&mut self) -> Result<(), Cut> {
        let entry = Entry::User { id: self.new_message(), text: self.prompt.clone() };
        lock(&self.session.record).entries.push(entry);
        self.session.save().await.map_err(|error| Cut::Failed(broken(error)))
    }

    async fn keep_answer(&mut self, tokens: u64) -> Result<(), Fault> {
        let titled = {
            let mut record = lock(&self.session.record);
            record.entries.append(&mut self.entries);
            record.used += tokens;
            record.updated = jiff::Timestamp::now();
            if record.title.is_none() {
                record.title = Some(format!("Demo: {}", clip(&self.prompt, 40)));
                Some(json!({
                    "sessionUpdate": "session_info_update", "title": record.title, "updatedAt": record.updated,
                }))
            } else {
                None
            }
        };
        self.session.save().await.map_err(broken)?;
        if let Some(title) = titled {
            self.send(title).await;
        }
        Ok(())
    }

    async fn active(&self, active: bool) {
        let run = active.then_some(&self.running.id);
        let meta = json!({ "goose": { "activeRunId": run } });
        self.send(json!({ "sessionUpdate": "session_info_update", "_meta": meta })).await;
    }

    async fn send(&self, update: Value) {
        self.client.update(&self.name, update).await;
    }

    /// How many words the run has said.
    fn said(&self) -> u64 {
        let said = self.entries.iter().map(|entry| match entry {
            Entry::Agent { text, .. } | Entry::Thought { text, .. } => text.split_whitespace().count() as u64,
            Entry::User { .. } | Entry::Tool { .. } => 0,
        });
        said.sum()
    }

    /// An id that is unique within the session.
    fn new_message(&mut self) -> String {
        self.messages += 1;
        format!("demo_{}_{}", lock(&self.session.record).entries.len(), self.messages)
    }
}

fn mentions(prompt: &str, word: &str) -> bool {
    prompt.split(|c: char| !c.is_alphanumeric()).any(|found| found.eq_ignore_ascii_case(word))
}

/// `clock N`, and nothing else.
fn clock(prompt: &str) -> Option<usize> {
    let count: usize = prompt.trim().strip_prefix("clock ")?.parse().ok()?;
    (1..=MAX_PIECES).contains(&count).then_some(count)
}

/// `repeat:` and a text on the lines below it.
fn to_repeat(prompt: &str) -> Option<&str> {
    prompt.trim().strip_prefix("repeat:\n")
}

fn words_to_say(prompt: &str) -> Option<usize> {
    static SAY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)\bsay\s+(\d{1,6})\s+words?\b").ok());
    let count = SAY.as_ref()?.captures(prompt)?[1].parse().ok()?;
    (1..=MAX_WORDS).contains(&count).then_some(count)
}

fn greeting(prompt: &str) -> String {
    let question = clip(&words(prompt), 120);
    format!(
        "**This is Gaggle's demo agent.** There is no AI model behind it. You wrote:\n\n> {question}\n\n\
         Try `say 20 words`, or a message with the word `tool` to see an approval. \
         For real answers, install Goose and start `gaggle dev --agent goose`."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_to_say() {
        assert_eq!(words_to_say("please say 20 words"), Some(20));
        assert_eq!(words_to_say("Say 1 word"), Some(1));
        assert_eq!(words_to_say("say 100000 words!"), Some(MAX_WORDS));
        assert_eq!(words_to_say("say 0 words"), None);
        assert_eq!(words_to_say("say 100001 words"), None);
        assert_eq!(words_to_say("essay 5 words"), None);
        assert!(mentions("Use a TOOL.", "tool") && !mentions("toolbox", "tool"));
    }

    #[test]
    fn a_greeting_is_short_and_says_what_it_is() {
        let greeting = greeting(&"why is it so ".repeat(1000));
        assert!(greeting.contains("demo agent") && greeting.contains("--agent goose") && greeting.contains("> why is it so"));
        assert!(greeting.split_whitespace().count() <= 80, "{}", greeting.split_whitespace().count());
    }
}
