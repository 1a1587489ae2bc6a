//! What follows the first response to an interaction, by its token: the response itself, and further messages.
//!
//! Invariant: a token reaches the messages of its own interaction only, and for no longer than it lives.

use serde_json::Value;

use super::body::Body;
use super::refusal::{Answer, INVALID_WEBHOOK_TOKEN, NOTHING, Refusal, UNKNOWN_MESSAGE, UNKNOWN_WEBHOOK, ok};
use super::state::{APP, Interaction, Message, Shown, State};

impl State {
    fn hooked(&self, app: &str, token: &str) -> Result<Interaction, Refusal> {
        let found = self.interactions.values().find(|i| i.token == token);
        let found = found.filter(|_| app == APP).ok_or(UNKNOWN_WEBHOOK)?;
        if !self.alive(found) {
            return Err(INVALID_WEBHOOK_TOKEN.into());
        }
        // Before the first response there is nothing to follow.
        match &found.shown {
            Some(Shown::Failed(_) | Shown::Choices(_)) | None => Err(UNKNOWN_WEBHOOK.into()),
            Some(_) => Ok(found.clone()),
        }
    }

    fn target(&self, interaction: &Interaction, id: &str) -> Result<Message, Refusal> {
        let id = if id == "@original" { interaction.original.as_deref().ok_or(UNKNOWN_MESSAGE)? } else { id };
        let found = self.message(&interaction.channel, id).ok_or(UNKNOWN_MESSAGE)?;
        let own = found.interaction.as_deref() == Some(interaction.id.as_str()) || interaction.original.as_deref() == Some(id);
        if own { Ok(found.clone()) } else { Err(UNKNOWN_MESSAGE.into()) }
    }

    pub fn followup(&mut self, app: &str, token: &str, body: Body) -> Answer {
        let interaction = self.hooked(app, token)?;
        let waiting =
            interaction.original.as_ref().and_then(|id| self.message(&interaction.channel, id)).filter(|m| Self::is_loading(m));
        if let Some(waiting) = waiting.map(|m| m.id.clone()) {
            // The first of them is what was deferred, and as visible as that.
            self.amend(&interaction.channel, &waiting, "", &body.json, body.files)?;
            return ok(self.message(&interaction.channel, &waiting).map(|m| self.message_json(m)).unwrap_or_default());
        }
        let mut message = self.composed("", &interaction.channel, &body.json, body.files)?;
        self.address(&mut message, &interaction, &body.json);
        message.kind = if interaction.original.is_some() { 19 } else { message.kind };
        message.reply_to.clone_from(&interaction.original);
        let id = self.insert(message);
        if let Some(interaction) = self.interactions.get_mut(&interaction.id) {
            interaction.followups += 1;
        }
        ok(self.message(&interaction.channel, &id).map(|m| self.message_json(m)).unwrap_or_default())
    }

    pub fn get_hooked(&self, app: &str, token: &str, id: &str) -> Answer {
        let interaction = self.hooked(app, token)?;
        let message = self.target(&interaction, id)?;
        ok(self.message_json(&message))
    }

    pub fn edit_hooked(&mut self, app: &str, token: &str, id: &str, body: Body) -> Answer {
        let interaction = self.hooked(app, token)?;
        let message = self.target(&interaction, id)?;
        self.amend(&interaction.channel, &message.id, "", &body.json, body.files)?;
        ok(self.message(&interaction.channel, &message.id).map(|m| self.message_json(m)).unwrap_or_default())
    }

    pub fn delete_hooked(&mut self, app: &str, token: &str, id: &str) -> Answer {
        let interaction = self.hooked(app, token)?;
        let message = self.target(&interaction, id)?;
        self.erase(&interaction.channel, &message.id);
        NOTHING
    }
}
