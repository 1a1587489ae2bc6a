//! What was filled in, and the form behind the message shortcut.

use secrecy::SecretString;
use serde_json::json;
use tokio::time::Instant;

use super::Slack;
use super::asked::{Ask, From};
use super::blocks::parts::plain_text;
use super::desk::Handed;
use super::limiter::{Method, Rank};
use super::modal::ACTION;
use super::payload::{Shortcut, State, Submit};
use super::place::Place;
use super::text;
use super::workspace::{Call, Workspace};
use crate::model::{Origin, Values};

/// The modal of the message shortcut.
pub const ASK: &str = "ask_about";
/// A modal remembers at most so much.
const METADATA: usize = 3_000;
const MENU: usize = 100;

/// By field. What was left empty is left out.
pub fn values(state: &State) -> Values {
    let mut values = Values::default();
    for (field, block) in &state.values {
        let Some(input) = block.get(ACTION) else { continue };
        let value = match input.kind.as_str() {
            "checkboxes" => Some(if input.selected.is_empty() { "false" } else { "true" }),
            _ => input.one().filter(|value| !value.is_empty()),
        };
        if let Some(value) = value {
            values.0.insert(field.clone(), SecretString::from(value.to_owned()));
        }
    }
    values
}

/// Which message a shortcut was used on.
#[derive(serde::Serialize, serde::Deserialize)]
struct About {
    channel: String,
    thread: String,
    ts: String,
}

impl Slack {
    pub(super) async fn open_ask_about(&self, workspace: &Workspace, shortcut: &Shortcut, key: &str, received: Instant) {
        let (Some(channel), Some(message)) = (&shortcut.channel, &shortcut.message) else { return };
        let about = About { channel: channel.id.clone(), thread: message.thread().to_owned(), ts: message.ts.clone() };
        let name = shortcut.user.shown();
        let place = Place::new(&workspace.team, &channel.id, Some(&about.thread));
        let actor = self.actor(&shortcut.user.id, name, &channel.id);
        let ask = Ask::new(From::Click { quiet: false }, &shortcut.user.id, &channel.id, Some(&about.thread)).with(
            &shortcut.trigger_id,
            shortcut.response_url.as_ref(),
            received,
        );
        let origin = Origin { actor, conversation: place.id(), input: Some(key.to_owned()) };
        let projects = self.desk().projects(&origin).await;
        if projects.is_empty() {
            // The desk says what there is to do first.
            let input = Handed::Message { text: message.text.0.clone(), attachments: Vec::new(), starts: true };
            return self.hand(origin, input, None, ask).await;
        }
        let options: Vec<_> = projects
            .iter()
            .take(MENU)
            .map(|p| json!({ "text": plain_text(&super::blocks::parts::label(p, 75)), "value": p }))
            .collect();
        let metadata = serde_json::to_string(&about).unwrap_or_default();
        debug_assert!(metadata.len() < METADATA);
        let view = json!({
            "type": "modal",
            "callback_id": ASK,
            "title": plain_text("Ask Goose about this"),
            "submit": plain_text("Ask"),
            "close": plain_text("Cancel"),
            "private_metadata": metadata,
            "blocks": [
                { "type": "input", "block_id": "project", "label": plain_text("Project"),
                  "element": { "type": "static_select", "action_id": ACTION, "options": options, "initial_option": options[0] } },
                { "type": "input", "block_id": "question", "optional": true, "label": plain_text("Question"),
                  "hint": plain_text("The message goes with it. The answer comes in its thread."),
                  "element": { "type": "plain_text_input", "action_id": ACTION, "multiline": true, "max_length": 3000 } },
            ],
        });
        let call = Call { api: "views.open", method: Method::Views, channel: "", thread: key, rank: Rank::Reply };
        if let Err(fault) = workspace.send(call, &json!({ "trigger_id": shortcut.trigger_id, "view": view })).await {
            tracing::info!(code = fault.code().unwrap_or("unreachable"), "a modal could not be opened");
        }
        self.asked().forget(key);
    }

    /// The shortcut's modal was filled in.
    pub(super) async fn ask_about(&self, workspace: &Workspace, submit: Submit, key: &str) {
        let Ok(about) = serde_json::from_str::<About>(&submit.view.private_metadata.0) else { return };
        let field = |name: &str| submit.view.state.input(name, ACTION).and_then(|i| i.one()).unwrap_or_default().to_owned();
        let (project, question) = (field("project"), field("question"));
        let found = workspace
            .read(
                "conversations.replies",
                &[
                    ("channel", about.channel.clone()),
                    ("ts", about.thread.clone()),
                    ("oldest", about.ts.clone()),
                    ("latest", about.ts.clone()),
                    ("inclusive", "true".to_owned()),
                    ("limit", "2".to_owned()),
                ],
            )
            .await
            .unwrap_or_default();
        let message = found["messages"].as_array().into_iter().flatten().find(|m| m["ts"].as_str() == Some(&about.ts));
        let said = message.and_then(|m| m["text"].as_str()).map(|t| text::meant(t, &workspace.bot).text).unwrap_or_default();
        let author = match message.and_then(|m| m["user"].as_str()) {
            Some(user) => workspace.name(user).await,
            None => "somebody".to_owned(),
        };
        let quoted: Vec<String> = said.lines().map(|line| format!("> {line}")).collect();
        let question = if question.is_empty() { "What do you say to this?".to_owned() } else { question };
        let text = format!("{question}\n\n{author} wrote:\n{}", quoted.join("\n"));
        let place = Place::new(&workspace.team, &about.channel, Some(&about.thread));
        let actor = self.actor(&submit.user.id, submit.user.shown(), &about.channel);
        let origin = Origin { actor, conversation: place.id(), input: Some(key.to_owned()) };
        let ask = Ask::new(From::Message, &submit.user.id, &about.channel, Some(&about.thread));
        self.hand(origin, Handed::Command(format!("/ask {project} {text}")), Some(key), ask).await;
    }
}
