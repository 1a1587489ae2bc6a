//! What a person does in Slack by clicking: buttons, menus, dialogs and modals.
//!
//! Invariant: what Slack itself checks before it sends anything (confirm dialogs, needed fields, lengths) is checked here.

use serde_json::{Value, json};

use super::look::{Button, block_buttons};
use super::state::{APP, Message, State, TEAM};
use super::user::{Outcome, User};

/// Where something is clicked.
enum Place {
    Message(Box<Message>),
    View(String),
}

/// What is put into one field of a modal.
#[derive(Debug, Clone, Copy)]
pub enum Put<'a> {
    Text(&'a str),
    /// Name and content.
    File(&'a str, &'a [u8]),
}

fn element<'a>(blocks: &'a Value, button: &Button) -> Option<&'a Value> {
    let all = blocks.as_array()?.iter().filter(|b| b["block_id"] == button.block_id.as_str());
    let mut elements = all.flat_map(|b| b["elements"].as_array().into_iter().flatten().chain(b.get("accessory")));
    elements.find(|e| e["action_id"] == button.action_id.as_str())
}

fn option<'a>(element: &'a Value, wanted: &str) -> Option<&'a Value> {
    let groups =
        element["option_groups"].as_array().into_iter().flatten().flat_map(|g| g["options"].as_array().into_iter().flatten());
    let mut all = element["options"].as_array().into_iter().flatten().chain(groups);
    all.find(|o| o["value"] == wanted || o["text"]["text"] == wanted)
}

/// A choice in the key that its kind of element has for it.
fn chosen(element: &Value, wanted: &str) -> Option<(&'static str, Value)> {
    let several = || wanted.split(',').map(str::trim).filter(|w| !w.is_empty());
    Some(match element["type"].as_str()? {
        "static_select" | "radio_buttons" | "overflow" | "external_select" => {
            ("selected_option", option(element, wanted)?.clone())
        }
        "multi_static_select" | "checkboxes" => {
            ("selected_options", several().map(|w| option(element, w).cloned()).collect::<Option<Vec<_>>>()?.into())
        }
        "users_select" => ("selected_user", json!(wanted)),
        "multi_users_select" => ("selected_users", several().collect()),
        "channels_select" => ("selected_channel", json!(wanted)),
        "conversations_select" => ("selected_conversation", json!(wanted)),
        "datepicker" => ("selected_date", json!(wanted)),
        "timepicker" => ("selected_time", json!(wanted)),
        _ => ("value", json!(wanted)),
    })
}

/// What a field holds when nothing was put into it.
fn initial(element: &Value) -> (&'static str, Value) {
    match element["type"].as_str().unwrap_or_default() {
        "static_select" | "radio_buttons" | "external_select" => ("selected_option", element["initial_option"].clone()),
        "multi_static_select" | "checkboxes" => {
            ("selected_options", element["initial_options"].as_array().cloned().unwrap_or_default().into())
        }
        "users_select" => ("selected_user", element["initial_user"].clone()),
        "channels_select" => ("selected_channel", element["initial_channel"].clone()),
        "conversations_select" => ("selected_conversation", element["initial_conversation"].clone()),
        "file_input" => ("files", json!([])),
        _ => ("value", element["initial_value"].clone()),
    }
}

impl State {
    /// The message or view with that id that this user sees.
    fn place(&self, user: &str, id: &str) -> Place {
        if self.views.contains_key(id) {
            return Place::View(id.to_owned());
        }
        let ephemeral = self.ephemerals.iter().find(|m| m.ts == id && !m.deleted && m.only_for.as_deref() == Some(user));
        let public = || self.messages.values().filter_map(|all| all.get(id)).find(|m| !m.deleted);
        let message = ephemeral.or_else(public).unwrap_or_else(|| panic!("{user} sees no {id}\n{}", self.report()));
        Place::Message(Box::new(message.clone()))
    }

    fn blocks_of(&self, place: &Place) -> Value {
        match place {
            Place::Message(message) => message.blocks.clone(),
            Place::View(id) => self.view(id)["blocks"].clone(),
        }
    }

    fn find_button(&self, user: &str, id: &str, name: &str) -> (Place, Button, Value) {
        let place = self.place(user, id);
        let blocks = self.blocks_of(&place);
        let all = block_buttons(&blocks);
        let found = all.iter().find(|b| b.text == name).or_else(|| all.iter().find(|b| b.action_id == name || b.value == name));
        let button = found.unwrap_or_else(|| panic!("no button {name:?} among {all:?}\n{}", self.report())).clone();
        let element = element(&blocks, &button).cloned().unwrap_or_default();
        (place, button, element)
    }

    /// The payload of a click; trigger and `response_url` besides.
    fn click_payload(&mut self, user: &str, place: &Place, action: &Value) -> (Value, String, String) {
        let mut payload = json!({
            "type": "block_actions", "user": self.user_object(user), "api_app_id": APP, "token": "a-verification-token",
            "team": self.team_object(), "enterprise": null, "is_enterprise_install": false, "actions": [action], "state": { "values": {} },
        });
        let mut url = String::new();
        let trigger = match place {
            Place::Message(message) => {
                let trigger = self.trigger(user, None);
                let (_, hook) = self.hook("actions", user, &message.channel, Some(&message.ts), message.thread_ts.clone());
                url = hook;
                let hidden = message.only_for.is_some();
                let mut container = json!({
                    "type": "message", "message_ts": message.ts, "channel_id": message.channel, "is_ephemeral": hidden,
                });
                if let Some(root) = &message.thread_ts {
                    container["thread_ts"] = json!(root);
                }
                payload["container"] = container;
                payload["channel"] =
                    json!({ "id": message.channel, "name": State::channel_name(&self.channels[&message.channel]) });
                if !hidden {
                    payload["message"] = self.shown(message);
                }
                payload["response_url"] = json!(url);
                trigger
            }
            Place::View(id) => {
                let home = self.views[id].body["type"] == "home";
                let trigger = self.trigger(user, (!home).then_some(id.as_str()));
                payload["container"] = json!({ "type": "view", "view_id": id });
                payload["view"] = self.view(id);
                trigger
            }
        };
        payload["trigger_id"] = json!(trigger);
        (payload, trigger, url)
    }

    /// The values of a view's inputs with these put in; `Err`: Slack sends nothing, and says so at the fields.
    fn filled(&mut self, id: &str, user: &str, values: &[(&str, Put<'_>)]) -> Result<Value, Vec<String>> {
        let view = self.view(id);
        let mut wrong = Vec::new();
        let mut used = vec![false; values.len()];
        let mut state = json!({});
        for block in view["blocks"].as_array().into_iter().flatten().filter(|b| b["type"] == "input") {
            let element = &block["element"];
            let (label, action) = (&block["label"]["text"], &element["action_id"]);
            let named = |name: &str| *label == name || *action == name || block["block_id"] == name;
            let put = values.iter().position(|(name, _)| named(name));
            let (key, value) = match put.map(|at| (at, values[at].1)) {
                Some((at, Put::Text(text))) => {
                    used[at] = true;
                    chosen(element, text).unwrap_or_else(|| panic!("{label} has no option {text:?}: {element}"))
                }
                Some((at, Put::File(name, content))) => {
                    used[at] = true;
                    assert_eq!(element["type"], "file_input", "{label} takes no file");
                    let fits = |ending: &Value| ending.as_str().is_some_and(|e| name.ends_with(&format!(".{e}")));
                    if element["filetypes"].as_array().is_some_and(|all| !all.is_empty() && !all.iter().any(fits)) {
                        wrong.push(format!("{label}: files like {name} are not taken"));
                    }
                    ("files", json!([self.store_for_view(user, name, content)]))
                }
                None => initial(element),
            };
            let empty = value.is_null() || value == json!("") || value == json!([]);
            if empty && block["optional"] != json!(true) {
                wrong.push(format!("{label}: needed"));
            }
            let length = value.as_str().map_or(0, |text| text.chars().count()) as u64;
            let most = element["max_length"].as_u64().unwrap_or(self.rules.max_length as u64);
            if key == "value" && (length > most || (length > 0 && length < element["min_length"].as_u64().unwrap_or(0))) {
                wrong.push(format!("{label}: {length} characters"));
            }
            let (block_id, action) = (block["block_id"].as_str().unwrap_or_default(), action.as_str().unwrap_or_default());
            let value = if empty && key == "value" { Value::Null } else { value };
            state[block_id][action] = json!({ "type": element["type"], key: value });
        }
        for (at, (name, _)) in values.iter().enumerate().filter(|(at, _)| !used[*at]) {
            wrong.push(format!("the view has no field {name} (value {at})"));
        }
        if wrong.is_empty() { Ok(state) } else { Err(wrong) }
    }
}

impl User {
    /// The confirm dialog that a button would show first.
    pub fn dialog(&self, id: &str, name: &str) -> Option<Value> {
        let (.., element) = self.slack.look(|s| s.find_button(&self.id, id, name));
        Some(element["confirm"].clone()).filter(Value::is_object)
    }

    /// Clicks a button of a message (by ts) or view (by id), named by its label, action id or value.
    pub async fn click(&self, id: &str, name: &str) -> Outcome {
        assert!(self.dialog(id, name).is_none(), "{name} asks first: use `confirm`");
        self.press(id, name, None).await
    }

    /// … and says yes in the dialog.
    pub async fn confirm(&self, id: &str, name: &str) -> Outcome {
        assert!(self.dialog(id, name).is_some(), "{name} does not ask first");
        self.press(id, name, None).await
    }

    /// Chooses in a menu, by an option's text or value.
    pub async fn choose(&self, id: &str, name: &str, option: &str) -> Outcome {
        self.press(id, name, Some(option)).await
    }

    /// Clicks what stood there when `payload` was made: a click on a message that has changed meanwhile.
    pub async fn click_stale(&self, payload: Value) -> Outcome {
        let result = self.slack.inner.ask("interactive", "a stale click".into(), payload).await;
        Outcome::of("a stale click".into(), String::new(), String::new(), result)
    }

    /// The payload that a click would send, for [`Self::click_stale`].
    pub fn click_payload(&self, id: &str, name: &str) -> Value {
        self.slack.change(|s| {
            let (place, button, element) = s.find_button(&self.id, id, name);
            let action = action(s, &button, &element, None);
            s.click_payload(&self.id, &place, &action).0
        })
    }

    async fn press(&self, id: &str, name: &str, wanted: Option<&str>) -> Outcome {
        let (payload, trigger, url) = self.slack.change(|s| {
            let (place, button, element) = s.find_button(&self.id, id, name);
            let action = action(s, &button, &element, wanted);
            s.click_payload(&self.id, &place, &action)
        });
        let what = format!("click {name}");
        let result = self.slack.inner.ask("interactive", what.clone(), payload).await;
        Outcome::of(what, trigger, url, result)
    }

    /// Submits the modal on top with texts and choices.
    pub async fn submit(&self, values: &[(&str, &str)]) -> Outcome {
        let values: Vec<(&str, Put<'_>)> = values.iter().map(|(name, text)| (*name, Put::Text(text))).collect();
        self.submit_with(&values).await
    }

    /// … with files too.
    pub async fn submit_with(&self, values: &[(&str, Put<'_>)]) -> Outcome {
        match self.try_submit(values).await {
            Ok(outcome) => outcome,
            Err(wrong) => panic!("Slack does not send this: {wrong:?}\n{}", self.slack.look(State::report)),
        }
    }

    /// `Err`: what Slack itself finds wrong before it sends anything.
    pub async fn try_submit(&self, values: &[(&str, Put<'_>)]) -> Result<Outcome, Vec<String>> {
        let (id, payload, trigger) = self.slack.change(|s| {
            let id = s
                .modals
                .get(&self.id)
                .and_then(|stack| stack.last())
                .unwrap_or_else(|| panic!("no modal\n{}", s.report()))
                .clone();
            let filled = s.filled(&id, &self.id, values)?;
            let trigger = s.trigger(&self.id, Some(&id));
            let mut view = s.view(&id);
            view["state"] = json!({ "values": filled });
            let payload = json!({
                "type": "view_submission", "team": s.team_object(), "user": s.user_object(&self.id), "api_app_id": APP,
                "token": "a-verification-token", "trigger_id": trigger, "view": view, "response_urls": [],
                "is_enterprise_install": false, "enterprise": null,
            });
            Ok::<_, Vec<String>>((id, payload, trigger))
        })?;
        let what = format!("submission of {}", payload["view"]["callback_id"]);
        let result = self.slack.inner.ask("interactive", what.clone(), payload).await;
        if let Ok(acked) = &result {
            self.slack.change(|s| s.answered(&id, &acked.body));
        }
        Ok(Outcome::of(what, trigger, String::new(), result))
    }

    /// Closes the modal on top; the app hears of it if it asked to.
    pub async fn close(&self) -> Option<Outcome> {
        let payload = self.slack.change(|s| {
            let id = s.modals.get(&self.id).and_then(|stack| stack.last()).unwrap_or_else(|| panic!("no modal\n{}", s.report())).clone();
            let view = s.view(&id);
            s.shut(&id);
            (view["notify_on_close"] == json!(true)).then(|| {
                json!({
                    "type": "view_closed", "team": { "id": TEAM, "domain": "standin" }, "user": s.user_object(&self.id), "api_app_id": APP,
                    "token": "a-verification-token", "view": view, "is_cleared": false, "is_enterprise_install": false, "enterprise": null,
                })
            })
        })?;
        let result = self.slack.inner.ask("interactive", "closing a modal".into(), payload).await;
        Some(Outcome::of("closing a modal".into(), String::new(), String::new(), result))
    }
}

fn action(state: &mut State, button: &Button, element: &Value, wanted: Option<&str>) -> Value {
    let now = state.ts();
    let mut action =
        json!({ "type": element["type"], "action_id": button.action_id, "block_id": button.block_id, "action_ts": now });
    match wanted {
        Some(wanted) => {
            let (key, value) = chosen(element, wanted).unwrap_or_else(|| panic!("no option {wanted:?}: {element}"));
            action[key] = value;
        }
        None => {
            let label = json!({ "type": "plain_text", "text": button.text, "emoji": true });
            action["text"] = label;
            if !button.value.is_empty() {
                action["value"] = json!(button.value);
            }
            if let Some(style) = &button.style {
                action["style"] = json!(style);
            }
        }
    }
    action
}
