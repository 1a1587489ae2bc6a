//! What a person does with what the bot shows: buttons, selects, forms.
//!
//! Invariant: only what is there, seen by them, and not disabled, can be clicked.

use serde_json::{Value, json};

use super::state::{Message, State};
use super::user::{Outcome, User};

impl State {
    #[track_caller]
    fn clickable(&self, user: &str, channel: &str, message: &str, name: &str) -> Value {
        let found = self.message(channel, message).unwrap_or_else(|| panic!("no message {message}"));
        assert!(found.only_for.as_deref().is_none_or(|only| only == user), "{user} does not see {message}");
        let component =
            component(found, name).unwrap_or_else(|| panic!("nothing {name:?} in {}", self.told(&self.seen(found), "")));
        assert!(component["disabled"] != true, "{name:?} is disabled");
        component
    }

    fn pressed(&mut self, user: &str, channel: &str, message: &str, data: Value) -> (String, Value) {
        let what = format!("pressing {}", data["custom_id"]);
        self.begin(3, &what, user, channel, data, Some(message))
    }
}

/// By label, placeholder or id.
fn component(message: &Message, name: &str) -> Option<Value> {
    let rows = message.components.as_array()?;
    let all = rows.iter().flat_map(|row| row["components"].as_array().into_iter().flatten());
    let fits =
        |c: &&Value| c["label"] == name || c["custom_id"] == name || c["placeholder"] == name || c["emoji"]["name"] == name;
    all.clone().find(fits).cloned()
}

/// The inputs of a form, with the words that stand above each.
pub fn inputs(form: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for row in form["components"].as_array().into_iter().flatten() {
        if row["component"].is_object() {
            found.push((row["label"].as_str().unwrap_or_default().to_owned(), row["component"].clone()));
        }
        for input in row["components"].as_array().into_iter().flatten() {
            found.push((input["label"].as_str().unwrap_or_default().to_owned(), input.clone()));
        }
    }
    found
}

impl User {
    /// A button, by its label or id.
    pub async fn click(&self, channel: &str, message: &str, name: &str) -> Outcome {
        self.discord
            .inner
            .ask(|s| {
                let button = s.clickable(&self.id, channel, message, name);
                assert!(button["type"] == 2 && button["url"].is_null(), "{name:?} is no button to press: {button}");
                let data = json!({ "custom_id": button["custom_id"], "component_type": 2, "id": 1 });
                s.pressed(&self.id, channel, message, data)
            })
            .await
    }

    /// Options of a select, by label or value; or users, roles and channels by id.
    pub async fn choose(&self, channel: &str, message: &str, name: &str, wanted: &[&str]) -> Outcome {
        self.discord
            .inner
            .ask(|s| {
                let select = s.clickable(&self.id, channel, message, name);
                let kind = select["type"].as_u64().unwrap_or_default();
                let (least, most) = (select["min_values"].as_u64().unwrap_or(1), select["max_values"].as_u64().unwrap_or(1));
                assert!((least..=most).contains(&(wanted.len() as u64)), "{least} to {most} have to be chosen");
                let mut data = json!({ "custom_id": select["custom_id"], "component_type": kind, "id": 1, "values": wanted });
                if kind == 3 {
                    let options = select["options"].as_array().cloned().unwrap_or_default();
                    let value = |wanted: &&str| {
                        let found = options.iter().find(|o| o["label"] == *wanted || o["value"] == *wanted);
                        found.unwrap_or_else(|| panic!("no option {wanted:?}: {select}"))["value"].clone()
                    };
                    data["values"] = wanted.iter().map(value).collect();
                } else {
                    let guild = s.channels[channel].guild.clone();
                    let mut resolved = json!({});
                    for id in wanted {
                        if s.users.contains_key(*id) {
                            let (user, member) = Self::resolved_user(s, guild.as_deref(), id);
                            resolved["users"][*id] = user;
                            if let Some(member) = member {
                                resolved["members"][*id] = member;
                            }
                        } else if let Some(place) = s.channels.get(*id).cloned() {
                            resolved["channels"][*id] = s.partial_channel(&place, &self.id);
                        } else if let Some(role) = s.guilds.values().find_map(|g| g.roles.get(*id)) {
                            resolved["roles"][*id] = role.json();
                        }
                    }
                    data["resolved"] = resolved;
                }
                s.pressed(&self.id, channel, message, data)
            })
            .await
    }

    /// The form in front of them, filled in by label or id; what is not named stays as it was. Checked as the client does.
    pub async fn submit(&self, fields: &[(&str, &str)]) -> Outcome {
        self.try_submit(fields).await.unwrap_or_else(|why| panic!("their client would not send it: {why}"))
    }

    pub async fn try_submit(&self, fields: &[(&str, &str)]) -> Result<Outcome, String> {
        let form = self.discord.look(|s| s.modals.get(&self.id).cloned()).ok_or("no form is open")?;
        let inputs = inputs(&form);
        for (name, _) in fields {
            if !inputs.iter().any(|(label, input)| label == name || input["custom_id"] == *name) {
                return Err(format!("no field {name:?} in {form}"));
            }
        }
        let mut rows = Vec::new();
        for (label, input) in &inputs {
            let typed = fields.iter().find(|(name, _)| label == name || input["custom_id"] == *name).map(|(_, value)| *value);
            let value = typed.or(input["value"].as_str()).unwrap_or_default();
            let length = value.chars().count() as u64;
            let least = input["min_length"].as_u64().unwrap_or(u64::from(input["required"] != false));
            let most = input["max_length"].as_u64().unwrap_or(4_000);
            if value.is_empty() && input["required"] != false {
                return Err(format!("{label}: this field is required"));
            }
            if !value.is_empty() && (length < least || length > most) {
                return Err(format!("{label}: {length} characters, not {least} to {most}"));
            }
            if input["style"] == 1 && value.contains('\n') {
                return Err(format!("{label}: one line only"));
            }
            let row = json!({ "type": 4, "id": 2, "custom_id": input["custom_id"], "value": value });
            rows.push(json!({ "type": 1, "id": 1, "components": [row] }));
        }
        let data = json!({ "custom_id": form["custom_id"], "components": rows });
        let channel = form["channel"].as_str().unwrap_or_default().to_owned();
        let source = form["source"].as_str().map(str::to_owned);
        let what = format!("the form {}", form["title"]);
        let outcome = self
            .discord
            .inner
            .ask(|s| {
                s.modals.remove(&self.id);
                s.begin(5, &what, &self.id, &channel, data, source.as_deref())
            })
            .await;
        if outcome.failed().is_some() {
            // "Something went wrong": the form stays open with what was typed.
            self.discord.change(|s| s.modals.insert(self.id.clone(), form));
        }
        Ok(outcome)
    }
}
