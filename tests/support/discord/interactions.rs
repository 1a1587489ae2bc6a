//! Interactions: their tokens, their deadlines, and the first response to each.
//!
//! Invariant: each has at most one first response, and that within its deadline; whatever came too late had no effect.

use std::time::Duration;

use serde_json::{Value, json};

use super::body::{Body, Upload};
use super::dispatch::Request;
use super::limits;
use super::refusal::{ALREADY_ACKNOWLEDGED, Answer, Refusal, UNKNOWN_INTERACTION};
use super::schema;
use super::state::{EPHEMERAL, Interaction, LOADING, Message, Shown, State};

const PONG: u64 = 1;
const MESSAGE: u64 = 4;
const DEFERRED: u64 = 5;
const DEFERRED_UPDATE: u64 = 6;
const UPDATE: u64 = 7;
const CHOICES: u64 = 8;
const MODAL: u64 = 9;

impl State {
    pub fn interaction(&self, id: &str, token: &str) -> Option<&Interaction> {
        self.interactions.get(id).filter(|i| i.token == token)
    }

    pub fn callback(&mut self, id: &str, token: &str, request: &Request<'_>, body: Body) -> Answer {
        self.respond(id, token, &body.json, body.files)?;
        if request.query("with_response").as_deref() != Some("true") {
            return Ok((204, Value::Null));
        }
        let done = &self.interactions[id];
        let mut about = json!({ "id": id, "type": done.kind });
        let mut resource = json!({ "type": body.json["type"] });
        if let Some(message) = done.original.as_ref().and_then(|m| self.message(&done.channel, m)) {
            about["response_message_id"] = json!(message.id);
            about["response_message_loading"] = json!(Self::is_loading(message));
            about["response_message_ephemeral"] = json!(message.only_for.is_some());
            resource["message"] = self.message_json(message);
        }
        Ok((200, json!({ "interaction": about, "resource": resource })))
    }

    /// The first response, whichever way it came.
    pub fn respond(&mut self, id: &str, token: &str, json: &Value, files: Vec<Upload>) -> Result<(), Refusal> {
        let now = self.now();
        let interaction = self.interaction(id, token).ok_or(UNKNOWN_INTERACTION)?.clone();
        match &interaction.shown {
            Some(Shown::Failed(_)) => return Err(UNKNOWN_INTERACTION.into()),
            Some(_) => return Err(ALREADY_ACKNOWLEDGED.into()),
            None if now.duration_since(interaction.sent) > self.rules.respond => return Err(UNKNOWN_INTERACTION.into()),
            None => {}
        }
        let data = &json["data"];
        let kind = json["type"].as_u64().unwrap_or_default();
        let fits = match interaction.kind {
            2 => matches!(kind, MESSAGE | DEFERRED | MODAL),
            3 => matches!(kind, MESSAGE | DEFERRED | DEFERRED_UPDATE | UPDATE | MODAL),
            4 => kind == CHOICES,
            // Only where the form was opened from a message.
            5 if interaction.source.is_none() => matches!(kind, MESSAGE | DEFERRED),
            5 => matches!(kind, MESSAGE | DEFERRED | DEFERRED_UPDATE | UPDATE),
            _ => kind == PONG,
        };
        if !fits {
            let message = format!("Value {kind} is no response to an interaction of type {}", interaction.kind);
            return Err(Refusal::form("/type", "INTERACTION_CALLBACK_TYPE_INVALID", message));
        }
        let mut original = None;
        let shown = match kind {
            MESSAGE => {
                let mut message = self.composed("/data", &interaction.channel, data, files)?;
                self.address(&mut message, &interaction, data);
                let ephemeral = message.only_for.is_some();
                let id = self.insert(message);
                original = Some(id.clone());
                Shown::Message { id, ephemeral }
            }
            DEFERRED => {
                let channel = interaction.channel.clone();
                let mut message = Message { channel, author: super::state::BOT.into(), flags: LOADING, ..Message::default() };
                self.address(&mut message, &interaction, data);
                let ephemeral = message.only_for.is_some();
                original = Some(self.insert(message));
                Shown::Deferred { ephemeral }
            }
            DEFERRED_UPDATE => {
                original.clone_from(&interaction.source);
                Shown::DeferredUpdate
            }
            UPDATE => {
                let source = interaction.source.clone().unwrap_or_default();
                self.amend(&interaction.channel, &source, "/data", data, files)?;
                original = Some(source.clone());
                Shown::Updated { id: source }
            }
            CHOICES => {
                limits::choices(&self.rules, data, focused(&interaction.payload["data"]["options"]))?;
                let choice = |c: &Value| (c["name"].as_str().unwrap_or_default().to_owned(), c["value"].clone());
                Shown::Choices(data["choices"].as_array().into_iter().flatten().map(choice).collect())
            }
            _ => {
                limits::modal(&self.rules, data)?;
                let mut form = data.clone();
                // Where its answer comes from.
                form["source"] = json!(interaction.source);
                form["channel"] = json!(interaction.channel);
                self.modals.insert(interaction.user.clone(), form.clone());
                Shown::Modal(form)
            }
        };
        let done = self.interactions.get_mut(id).ok_or(UNKNOWN_INTERACTION)?;
        done.took = Some(now.duration_since(done.sent));
        done.shown = Some(shown);
        done.original = original;
        Ok(())
    }

    /// To whom a response is shown, and what it answers.
    pub fn address(&self, message: &mut Message, interaction: &Interaction, data: &Value) {
        message.interaction = Some(interaction.id.clone());
        message.kind = match (interaction.kind, interaction.payload["data"]["type"].as_u64()) {
            (2, Some(1)) => 20,
            (2, _) => 23,
            _ => 0,
        };
        if matches!(interaction.kind, 3 | 5) && interaction.source.is_some() {
            message.kind = 19;
            message.reply_to.clone_from(&interaction.source);
        }
        if data["flags"].as_u64().unwrap_or_default() & EPHEMERAL != 0 {
            message.only_for = Some(interaction.user.clone());
            message.flags |= EPHEMERAL;
        }
    }

    /// Remembers that an interaction came to nothing.
    pub fn expire(&mut self, id: &str, missed: super::delivery::Missed) {
        let after = self.rules.respond;
        let Some(interaction) = self.interactions.get_mut(id).filter(|i| i.shown.is_none()) else { return };
        interaction.shown = Some(Shown::Failed(missed));
        let what = interaction.what.clone();
        match missed {
            super::delivery::Missed::Late => {
                self.fault(format!("{what} had no response within {after:?}: the application did not respond"))
            }
            super::delivery::Missed::Status(code) => self.fault(format!("{what} was answered with HTTP {code}")),
            super::delivery::Missed::Refused => {}
            super::delivery::Missed::Absent => {}
        }
    }

    /// The response that came as the body of a signed request's answer.
    pub fn answered(&mut self, id: &str, json: &Value, files: Vec<Upload>) -> Result<(), Refusal> {
        let token = self.interactions.get(id).map(|i| i.token.clone()).unwrap_or_default();
        let what = "the answer to a signed interaction";
        if let Some(spec) = schema::spec() {
            let template = "/interactions/{interaction_id}/{interaction_token}/callback";
            super::web::refuse(self, what, spec.request("POST", template, json), json)?;
        }
        self.respond(id, &token, json, files)
    }

    /// Whether its token can still be used.
    pub fn alive(&self, interaction: &Interaction) -> bool {
        self.now().duration_since(interaction.sent) <= self.rules.token_life.max(Duration::ZERO)
    }
}

/// The type of the option that is being typed.
fn focused(options: &Value) -> u64 {
    let mut found = 3;
    for option in options.as_array().into_iter().flatten() {
        if option["focused"] == true {
            found = option["type"].as_u64().unwrap_or(3);
        } else if option["options"].is_array() {
            found = focused(&option["options"]);
        }
    }
    found
}
