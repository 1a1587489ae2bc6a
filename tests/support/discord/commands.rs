//! The registered commands: replaced, added, changed, listed.
//!
//! Invariant: a command that is replaced by one of the same name and kind keeps its id.

use serde_json::{Value, json};

use super::dispatch::Request;
use super::refusal::{Answer, MISSING_ACCESS, NOTHING, Refusal, UNKNOWN_COMMAND, ok};
use super::state::{APP, BOT, Registered, State};
use super::tree;

impl State {
    fn scope<'a>(&'a self, guild: Option<&'a str>) -> impl Iterator<Item = &'a Registered> {
        self.commands.iter().filter(move |c| c.guild.as_deref() == guild)
    }

    fn within(&self, guild: Option<&str>) -> Result<(), Refusal> {
        let known = guild.is_none_or(|id| self.guilds.get(id).is_some_and(|g| g.members.contains_key(BOT)));
        if known { Ok(()) } else { Err(MISSING_ACCESS.into()) }
    }

    pub fn list_commands(&self, guild: Option<&str>, request: &Request<'_>) -> Answer {
        self.within(guild)?;
        let whole = request.query("with_localizations").as_deref() == Some("true");
        let shown = |c: &Registered| {
            let mut body = c.body.clone();
            if !whole {
                without_localizations(&mut body);
            }
            body
        };
        ok(self.scope(guild).map(shown).collect())
    }

    pub fn get_command(&self, guild: Option<&str>, id: &str) -> Answer {
        self.within(guild)?;
        ok(self.scope(guild).find(|c| c.id == id).ok_or(UNKNOWN_COMMAND)?.body.clone())
    }

    /// The command as it is kept, under the id that its name has, or a new one.
    fn register(&mut self, guild: Option<&str>, json: &Value) -> Registered {
        let same = |c: &&Registered| c.body["name"] == json["name"] && tree::kind(&c.body) == tree::kind(json);
        let known = self.scope(guild).find(same).cloned();
        let id = known.as_ref().map(|c| c.id.clone()).unwrap_or_else(|| self.snowflake());
        let mut body = json!({
            "id": id, "application_id": APP, "name": json["name"], "type": tree::kind(json),
            "description": json["description"].as_str().unwrap_or_default(), "default_member_permissions": null,
            "nsfw": json["nsfw"] == true, "integration_types": [0], "contexts": null, "dm_permission": true,
            "name_localizations": null, "description_localizations": null,
        });
        for key in ["integration_types", "contexts", "dm_permission", "name_localizations", "description_localizations"] {
            if !json[key].is_null() {
                body[key] = json[key].clone();
            }
        }
        if !json["default_member_permissions"].is_null() {
            let given = &json["default_member_permissions"];
            body["default_member_permissions"] = json!(given.as_str().map_or_else(|| given.to_string(), str::to_owned));
        }
        if let Some(guild) = guild {
            body["guild_id"] = json!(guild);
            for only_global in ["contexts", "integration_types", "dm_permission"] {
                if let Some(object) = body.as_object_mut() {
                    object.remove(only_global);
                }
            }
        }
        let options = normal(&json["options"]);
        if options.as_array().is_some_and(|o| !o.is_empty()) {
            body["options"] = options;
        }
        // A command that did not change keeps its version too.
        let before = known.map(|c| c.body).unwrap_or_default();
        body["version"] = before["version"].clone();
        if body != before {
            body["version"] = json!(self.snowflake());
        }
        Registered { id, guild: guild.map(str::to_owned), body }
    }

    pub fn put_commands(&mut self, guild: Option<&str>, json: &Value) -> Answer {
        self.within(guild)?;
        let list: Vec<&Value> = json.as_array().into_iter().flatten().collect();
        for (n, command) in list.iter().enumerate() {
            tree::command(&self.rules, &format!("/{n}"), command)?;
        }
        tree::all(&self.rules, &list)?;
        let kept: Vec<Registered> = list.iter().map(|command| self.register(guild, command)).collect();
        self.commands.retain(|c| c.guild.as_deref() != guild);
        let shown = kept.iter().map(|c| c.body.clone()).collect();
        self.commands.extend(kept);
        ok(shown)
    }

    pub fn post_command(&mut self, guild: Option<&str>, json: &Value) -> Answer {
        self.within(guild)?;
        tree::command(&self.rules, "", json)?;
        let made = self.register(guild, json);
        let replaced = self.commands.iter().any(|c| c.id == made.id);
        let others = self.scope(guild).filter(|c| c.id != made.id).map(|c| &c.body);
        tree::all(&self.rules, &others.chain([json]).collect::<Vec<_>>())?;
        self.commands.retain(|c| c.id != made.id);
        let body = made.body.clone();
        self.commands.push(made);
        Ok((if replaced { 200 } else { 201 }, body))
    }

    pub fn patch_command(&mut self, guild: Option<&str>, id: &str, json: &Value) -> Answer {
        self.within(guild)?;
        let mut body = self.scope(guild).find(|c| c.id == id).ok_or(UNKNOWN_COMMAND)?.body.clone();
        for (key, value) in json.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        tree::command(&self.rules, "", &body)?;
        self.commands.retain(|c| c.id != id);
        body["version"] = json!(self.snowflake());
        self.commands.push(Registered { id: id.into(), guild: guild.map(str::to_owned), body: body.clone() });
        ok(body)
    }

    pub fn delete_command(&mut self, guild: Option<&str>, id: &str) -> Answer {
        self.within(guild)?;
        let before = self.commands.len();
        self.commands.retain(|c| c.id != id || c.guild.as_deref() != guild);
        if self.commands.len() == before { Err(UNKNOWN_COMMAND.into()) } else { NOTHING }
    }
}

fn without_localizations(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        object.remove("name_localizations");
        object.remove("description_localizations");
        object.values_mut().for_each(without_localizations);
    } else if let Some(list) = value.as_array_mut() {
        list.iter_mut().for_each(without_localizations);
    }
}

/// Options as they come back: what is not said, or is so anyway, is left out.
fn normal(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(normal).collect(),
        Value::Object(object) => {
            let plain = object.iter().filter(|(key, value)| {
                let unsaid = value.is_null()
                    || **value == json!([]) && *key != "options"
                    || matches!(key.as_str(), "required" | "autocomplete") && **value == json!(false);
                !unsaid
            });
            plain.map(|(key, value)| (key.clone(), normal(value))).collect::<serde_json::Map<_, _>>().into()
        }
        other => other.clone(),
    }
}
