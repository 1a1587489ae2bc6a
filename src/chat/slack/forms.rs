//! What was filled in, and the form behind the message shortcut.

use secrecy::SecretString;
use serde_json::json;
use tokio::time::Instant;

use super::api::Fault;
use super::asked::{Ask, From};
use super::blocks::parts::plain_text;
use super::modal::{ACTION, FILE};
use super::payload::{File, Message, Shortcut, State, Submit};
use super::place::Place;
use super::workspace::Workspace;
use super::{Slack, shown};
use crate::chat::desk::Handed;
use crate::model::{Origin, Reply, Values};

/// The modal of the message shortcut.
pub const ASK: &str = "ask_about";
/// A modal remembers at most so much.
const METADATA: usize = 3_000;
const MENU: usize = 100;

/// The files that were given in place of typed values, by the names of their fields.
pub fn files(state: &State) -> Vec<(String, File)> {
    let given = state.values.iter().filter_map(|(block, inputs)| {
        let field = block.strip_suffix(FILE)?;
        Some((field.to_owned(), inputs.get(ACTION)?.files.first()?.clone()))
    });
    given.collect()
}

/// By field. What was left empty is left out.
pub fn values(state: &State) -> Values {
    let mut values = Values::default();
    for (field, block) in &state.values {
        let Some(input) = block.get(ACTION).filter(|_| !field.ends_with(FILE)) else { continue };
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
    author: Option<String>,
    /// What an app calls itself.
    #[serde(default)]
    app: Option<String>,
    /// What it says, as Slack writes it; `None`: it is too long to be kept here.
    said: Option<String>,
}

impl Slack {
    /// What stands in a file, as the value of a field. `Err`: why it cannot be one.
    pub(super) async fn value_in(&self, workspace: &Workspace, file: &File) -> Result<SecretString, &'static str> {
        let file = &self.told_of(workspace, file).await;
        let url =
            file.url_private_download.as_ref().or(file.url_private.as_ref()).ok_or("Slack does not let Gaggle read the file.")?;
        let most = self.options().file_limit;
        if file.size > most as u64 {
            return Err("The file is too large.");
        }
        let bytes = self.download(workspace, url, most).await.map_err(|_| "The file could not be read from Slack.")?;
        String::from_utf8(bytes).map(SecretString::from).map_err(|_| "The file is no text.")
    }

    pub(super) async fn open_ask_about(&self, workspace: &Workspace, shortcut: &Shortcut, key: &str, received: Instant) {
        let (Some(channel), Some(message)) = (&shortcut.channel, &shortcut.message) else { return };
        let about = About {
            channel: channel.id.clone(),
            thread: message.thread().to_owned(),
            ts: message.ts.clone(),
            author: message.user.clone(),
            app: message.is_bot().then(|| {
                let profile = message.bot_profile.as_ref().and_then(|profile| profile.name.clone());
                message.username.clone().or(profile).unwrap_or_default()
            }),
            said: Some(shown::whole(message)),
        };
        let name = shortcut.user.shown();
        let place = Place::new(&workspace.team, &channel.id, Some(&about.thread));
        let actor = self.actor(&shortcut.user.id, name, &channel.id);
        let ask = Ask::new(From::Click { quiet: false }, &shortcut.user.id, &channel.id, Some(&about.thread)).with(
            &shortcut.trigger_id,
            shortcut.response_url.as_ref(),
            Some(received),
        );
        let origin = Origin { actor, conversation: place.id(), input: Some(key.to_owned()) };
        let projects = self.desk().candidates(&origin, &gaggle_commands::Candidates::Projects).await;
        if projects.is_empty() {
            // The desk says what there is to do first.
            let input = Handed::Message { text: shown::whole(message), attachments: Vec::new(), starts: true };
            return self.hand(origin, input, None, ask).await;
        }
        let options: Vec<_> = projects
            .iter()
            .take(MENU)
            .map(|p| json!({ "text": plain_text(&super::blocks::parts::label(p, 75)), "value": p }))
            .collect();
        let metadata = |about: &About| serde_json::to_string(about).unwrap_or_default();
        let whole = metadata(&about);
        let metadata = if whole.chars().count() < METADATA { whole } else { metadata(&About { said: None, ..about }) };
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
        if !workspace.open_view(&shortcut.trigger_id, view).await {
            self.asked().put(key, ask);
            let reply = Reply::failed("Slack did not let me open the form, so nothing was asked. Use the shortcut once more.");
            self.answer(&origin, Reply { private: true, ..reply }).await;
        }
        self.asked().forget(key);
    }

    /// The shortcut's modal was filled in.
    pub(super) async fn ask_about(&self, workspace: &Workspace, submit: Submit, key: &str) {
        let Ok(about) = serde_json::from_str::<About>(&submit.view.private_metadata.0) else { return };
        let field = |name: &str| submit.view.state.input(name, ACTION).and_then(|i| i.one()).unwrap_or_default().to_owned();
        let (project, question) = (field("project"), field("question"));
        let user = submit.user.id.as_str();
        let shown = workspace.name_known(user).unwrap_or_else(|| submit.user.shown().to_owned());
        // Where the bot is no member it cannot answer: then it does so in the asker's direct messages.
        let place = match self.is_in(workspace, &about.channel).await {
            true => Place::new(&workspace.team, &about.channel, Some(&about.thread)),
            false => Place::new(&workspace.team, &format!("home-{user}"), None),
        };
        let said = match &about.said {
            Some(said) => Some(said.clone()),
            None => self.said_there(workspace, &about).await,
        };
        let origin =
            Origin { actor: self.actor(user, &shown, &about.channel), conversation: place.id(), input: Some(key.to_owned()) };
        let ask = match &place.thread {
            Some(thread) => Ask::new(From::Message, user, &about.channel, Some(thread)),
            None => Ask::new(From::Home, user, "", None),
        };
        let Some(said) = said else {
            self.asked().put(key, ask);
            let reply = Reply::refused(
                "That message is too long to be taken along, and I cannot read it where it stands, so nothing was asked. Invite me \
                 there with `/invite`, or ask with the text itself: `/ask NAME MESSAGE`.",
            );
            self.answer(&origin, Reply { private: true, ..reply }).await;
            return self.asked().forget(key);
        };
        let said = self.spoken(workspace, &said).await;
        let author = self.author(workspace, &about).await;
        let quoted: Vec<String> = said.lines().map(|line| format!("> {line}")).collect();
        let question = if question.is_empty() { "What do you say to this?".to_owned() } else { question };
        let text = format!("{question}\n\n{author} wrote:\n{}", quoted.join("\n"));
        self.hand(origin, Handed::Command(format!("/ask {project} {text}")), Some(key), ask).await;
    }

    async fn author(&self, workspace: &Workspace, about: &About) -> String {
        if let Some(app) = about.app.as_ref().filter(|app| !app.is_empty()) {
            return app.clone();
        }
        let name = match &about.author {
            Some(user) => Some(workspace.name(user).await).filter(|name| name != user),
            None => None,
        };
        name.unwrap_or_else(|| if about.app.is_some() { "An app" } else { "Somebody" }.to_owned())
    }

    /// Whether the bot can write there. What Slack does not tell is taken for yes.
    async fn is_in(&self, workspace: &Workspace, channel: &str) -> bool {
        match workspace.read("conversations.info", &[("channel", channel.to_owned())]).await {
            Ok(found) => found["channel"]["is_member"] != json!(false) || found["channel"]["is_im"] == json!(true),
            Err(Fault::Refused(code)) => !matches!(code.as_str(), "channel_not_found" | "not_in_channel"),
            Err(_) => true,
        }
    }

    async fn said_there(&self, workspace: &Workspace, about: &About) -> Option<String> {
        let arguments = [
            ("channel", about.channel.clone()),
            ("ts", about.thread.clone()),
            ("oldest", about.ts.clone()),
            ("latest", about.ts.clone()),
            ("inclusive", "true".to_owned()),
            ("limit", "2".to_owned()),
        ];
        let found = workspace.read("conversations.replies", &arguments).await.ok()?;
        let message = found["messages"].as_array()?.iter().find(|m| m["ts"].as_str() == Some(&about.ts))?;
        serde_json::from_value::<Message>(message.clone()).ok().map(|message| shown::whole(&message))
    }
}
