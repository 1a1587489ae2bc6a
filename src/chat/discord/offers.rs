//! What is offered while people choose: names of what there is, and the menu of a message.
//!
//! Absence: nothing is handed over here; what was chosen comes as an interaction of its own.

use gaggle_commands::Candidates;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::asked::{Ask, First, From, Hook, State};
use super::interactions::{MODAL, TYPED, interaction_roles};
use super::payload::{Data, Interaction};
use super::place::Place;
use super::{Discord, commands};
use crate::model::Origin;

const CHOICES: usize = 25;
const CHOICE: usize = 100;

impl Discord {
    /// Names that fit what is typed so far.
    pub(super) async fn typing(&self, interaction: Interaction, first: First) {
        let (Some(user), Some(data)) = (interaction.user().cloned(), interaction.data.clone()) else { return };
        let selected = data.selected();
        let mut found = Vec::new();
        if let Some(focused) = &selected.focused {
            let typed = selected.values.iter().find(|(name, _)| name == focused).map_or("", |(_, value)| value.as_str());
            let place = self.place_of(&interaction).await;
            let origin = Origin {
                actor: self.actor(&user.id, &interaction.name(), &interaction_roles(&interaction), &place),
                conversation: place.id(),
                input: None,
            };
            let of = gaggle_commands::candidates_for(&selected.path, focused);
            let names = match of {
                Candidates::Words(words) => words.into_iter().map(|(word, _)| word).collect(),
                of => self.desk().candidates(&origin, &of).await,
            };
            let typed = typed.to_lowercase();
            let (begin, within): (Vec<String>, Vec<String>) = names
                .into_iter()
                .filter(|name| name.to_lowercase().contains(&typed) && name.encode_utf16().count() <= CHOICE)
                .partition(|name| name.to_lowercase().starts_with(&typed));
            found.extend(begin.into_iter().chain(within).take(CHOICES));
        }
        let choices: Vec<Value> = found.iter().map(|name| json!({ "name": name, "value": name })).collect();
        let body = json!({ "type": TYPED, "data": { "choices": choices } });
        let hook = Hook::new(&interaction.id, interaction.token.clone(), first, Instant::now());
        let mut ask = Ask::new(From::Command, &user.id, Place::direct(""));
        ask.hook = Some(hook);
        self.first(&mut ask, body, State::Said { private: true }).await;
    }

    /// The menu of a message: what is to be asked about it, and whom.
    pub(super) async fn ask_about(&self, data: &Data, mut ask: Ask, hook: Hook) {
        ask.hook = Some(hook);
        let Some(target) = data.target_id.as_ref() else { return };
        let channel = data.resolved.messages.get(target).map(|m| m.channel_id.clone()).filter(|id| !id.is_empty());
        let channel = channel.unwrap_or_else(|| ask.place.written().to_owned());
        if let Some(message) = data.resolved.messages.get(target) {
            self.quote(&format!("{channel}/{target}"), &message.name(), &message.content);
        }
        let origin = Origin { actor: self.actor(&ask.user, "", &[], &ask.place), conversation: ask.place.id(), input: None };
        let projects = self.desk().candidates(&origin, &Candidates::Projects).await;
        let only = if projects.len() == 1 { projects.first().cloned() } else { None };
        let modal = commands::ask_modal(&format!("{channel}/{target}"), only.as_deref());
        self.first(&mut ask, json!({ "type": MODAL, "data": modal }), State::Said { private: true }).await;
    }
}
