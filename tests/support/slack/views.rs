//! Modals, homes and files.
//!
//! Invariant: a trigger opens one view at most, within its life.

use serde_json::{Value, json};

use super::call::{Answer, Args, Refusal};
use super::limits::{Check, Place};
use super::state::{APP, BOT, BOT_USER, File, Message, State, TEAM, View};

impl State {
    fn check_view(&self, args: &Args, wanted: Place) -> Result<Value, Refusal> {
        let view = args.get("view");
        let place = if view["type"] == "home" { Place::Home } else { Place::Modal };
        let mut check = Check::new(&self.rules, place);
        check.view(view);
        if place != wanted {
            check.wrong.push("[ERROR] this type of view does not belong here".into());
        }
        if check.wrong.is_empty() { Ok(view.clone()) } else { Err(Refusal::because("invalid_arguments", check.wrong)) }
    }

    fn take_trigger(&mut self, args: &Args) -> Result<(String, Option<String>), Refusal> {
        let life = self.rules.trigger_life;
        let trigger = self.triggers.get_mut(&args.need("trigger_id")?).ok_or("invalid_trigger")?;
        if trigger.used {
            return Err("exchanged_trigger_id".into());
        }
        if trigger.at.elapsed() > life {
            return Err("expired_trigger_id".into());
        }
        trigger.used = true;
        Ok((trigger.user.clone(), trigger.view.clone()))
    }

    fn new_view(&mut self, user: &str, body: Value, previous: Option<String>) -> String {
        let id = self.id("V");
        let hash = self.id("hash.");
        let root = previous.as_ref().and_then(|p| self.views.get(p)).map_or_else(|| id.clone(), |v| v.root.clone());
        let view = View { id: id.clone(), user: user.into(), hash, body, open: true, root, previous, errors: Value::Null };
        self.views.insert(id.clone(), view);
        id
    }

    pub fn view(&self, id: &str) -> Value {
        let Some(view) = self.views.get(id) else { return Value::Null };
        let mut shown = view.body.clone();
        for (index, block) in shown["blocks"].as_array_mut().into_iter().flatten().enumerate() {
            if block["block_id"].is_null() {
                block["block_id"] = json!(format!("v{index}"));
            }
            if block["type"] == "input" && block["element"]["action_id"].is_null() {
                block["element"]["action_id"] = json!("input");
            }
        }
        for (key, value) in [
            ("id", json!(view.id)),
            ("team_id", json!(TEAM)),
            ("hash", json!(view.hash)),
            ("root_view_id", json!(view.root)),
            ("previous_view_id", json!(view.previous)),
            ("app_id", json!(APP)),
            ("app_installed_team_id", json!(TEAM)),
            ("bot_id", json!(BOT)),
        ] {
            shown[key] = value;
        }
        let defaults = [
            ("private_metadata", json!("")),
            ("callback_id", json!("")),
            ("external_id", json!("")),
            ("state", json!({ "values": {} })),
        ];
        for (key, default) in defaults {
            if shown[key].is_null() {
                shown[key] = default;
            }
        }
        for key in ["clear_on_close", "notify_on_close"] {
            shown[key] = json!(shown[key] == json!(true));
        }
        shown
    }

    pub fn open_view(&mut self, args: &Args) -> Answer {
        let body = self.check_view(args, Place::Modal)?;
        let (user, within) = self.take_trigger(args)?;
        if within.is_some_and(|view| self.modals.values().flatten().any(|open| *open == view)) {
            return Err("view_already_open".into());
        }
        let id = self.new_view(&user, body, None);
        for old in self.modals.insert(user, vec![id.clone()]).into_iter().flatten() {
            self.shut(&old);
        }
        Ok(json!({ "view": self.view(&id) }))
    }

    pub fn push_view(&mut self, args: &Args) -> Answer {
        let body = self.check_view(args, Place::Modal)?;
        let (user, within) = self.take_trigger(args)?;
        let Some(previous) = within else { return Err("not_found".into()) };
        self.push(&user, body, previous).map(|id| json!({ "view": self.view(&id) }))
    }

    pub fn push(&mut self, user: &str, body: Value, previous: String) -> Result<String, Refusal> {
        if self.modals.get(user).is_none_or(|stack| stack.len() >= 3) {
            return Err("push_limit_reached".into());
        }
        let id = self.new_view(user, body, Some(previous));
        self.modals.entry(user.into()).or_default().push(id.clone());
        Ok(id)
    }

    pub fn update_view(&mut self, args: &Args) -> Answer {
        let external = args.text("external_id");
        let found = match args.text("view_id") {
            Some(id) => self.views.get(id),
            None => self.views.values().find(|v| v.open && external.is_some() && v.body["external_id"].as_str() == external),
        };
        let found = found.filter(|v| v.open).ok_or("not_found")?;
        if args.text("hash").is_some_and(|hash| hash != found.hash) {
            return Err("hash_conflict".into());
        }
        let place = if found.body["type"] == "home" { Place::Home } else { Place::Modal };
        let id = found.id.clone();
        let body = self.check_view(args, place)?;
        self.replace_view(&id, body);
        Ok(json!({ "view": self.view(&id) }))
    }

    pub fn replace_view(&mut self, id: &str, body: Value) {
        let hash = self.id("hash.");
        if let Some(view) = self.views.get_mut(id) {
            view.body = body;
            view.hash = hash;
            view.errors = Value::Null;
        }
    }

    pub fn publish(&mut self, args: &Args) -> Answer {
        let user = args.need("user_id")?;
        if !self.users.contains_key(&user) {
            return Err("user_not_found".into());
        }
        let body = self.check_view(args, Place::Home)?;
        if let Some(id) = self.homes.get(&user).cloned() {
            if args.text("hash").is_some_and(|hash| self.views.get(&id).is_some_and(|v| v.hash != hash)) {
                return Err("hash_conflict".into());
            }
            self.replace_view(&id, body);
            return Ok(json!({ "view": self.view(&id) }));
        }
        let id = self.new_view(&user, body, None);
        self.homes.insert(user, id.clone());
        Ok(json!({ "view": self.view(&id) }))
    }

    pub fn shut(&mut self, id: &str) {
        if let Some(view) = self.views.get_mut(id) {
            view.open = false;
            let user = view.user.clone();
            self.modals.entry(user).or_default().retain(|open| open != id);
        }
    }

    /// What the app answered to a submission.
    pub fn answered(&mut self, id: &str, body: &Value) {
        let Some(user) = self.views.get(id).map(|v| v.user.clone()) else { return };
        let place = Args([("view".to_owned(), body["view"].clone())].into_iter().collect());
        match body["response_action"].as_str() {
            None => {
                if body.as_object().is_some_and(|object| !object.is_empty()) {
                    self.fault(format!("a submission was answered without response_action: {body}"));
                }
                self.shut(id);
            }
            Some("clear") => {
                for open in self.modals.get(&user).cloned().unwrap_or_default() {
                    self.shut(&open);
                }
            }
            Some("errors") => {
                let shown = self.view(id);
                for (block, why) in body["errors"].as_object().into_iter().flatten() {
                    let known = shown["blocks"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .any(|b| b["block_id"] == **block && b["type"] == "input");
                    if !known || why.as_str().is_none_or(str::is_empty) {
                        self.fault(format!("an error for `{block}`, which is no input of the view"));
                    }
                }
                if let Some(view) = self.views.get_mut(id) {
                    view.errors = body["errors"].clone();
                }
            }
            Some(action @ ("update" | "push")) => match self.check_view(&place, Place::Modal) {
                Err(refusal) => self.fault(format!("response_action {action}: {refusal:?}")),
                Ok(view) if action == "update" => self.replace_view(id, view),
                Ok(view) => {
                    if let Err(refusal) = self.push(&user, view, id.to_owned()) {
                        self.fault(format!("response_action push: {}", refusal.error));
                    }
                }
            },
            Some(other) => self.fault(format!("no such response_action: {other}")),
        }
    }

    pub fn upload_url(&mut self, args: &Args) -> Answer {
        let name = args.need("filename")?;
        let length = args.number("length", 0)?;
        if length == 0 {
            return Err(Refusal::because("invalid_arguments", vec!["[ERROR] length must be positive".into()]));
        }
        let id = self.id("F");
        let file = File {
            id: id.clone(),
            title: name.clone(),
            name,
            content: Vec::new(),
            user: BOT_USER.into(),
            length,
            uploaded: false,
            complete: false,
            channels: Vec::new(),
        };
        self.files.insert(id.clone(), file);
        Ok(json!({ "upload_url": format!("{}/upload/v1/{id}", self.base()), "file_id": id }))
    }

    pub fn complete_upload(&mut self, args: &Args) -> Answer {
        let wanted: Vec<Value> = args.get("files").as_array().cloned().unwrap_or_default();
        if wanted.is_empty() {
            return Err("invalid_arguments".into());
        }
        for file in &wanted {
            let known = self.files.get(file["id"].as_str().unwrap_or_default()).ok_or("file_not_found")?;
            if !known.uploaded || known.complete {
                return Err("file_not_found".into());
            }
        }
        let place = match args.text("channel_id") {
            Some(channel) => Some(
                self.writable(channel, false)
                    .map_err(|r| if r.error == "not_in_channel" { "channel_not_found".into() } else { r })?,
            ),
            None => None,
        };
        let thread_ts = args.text("thread_ts").map(str::to_owned);
        if let (Some(channel), Some(root)) = (&place, &thread_ts) {
            self.message(channel, root).ok_or("thread_not_found")?;
        }
        let ids: Vec<String> = wanted.iter().filter_map(|f| f["id"].as_str().map(str::to_owned)).collect();
        for (id, wanted) in ids.iter().zip(&wanted) {
            let Some(file) = self.files.get_mut(id) else { continue };
            file.complete = true;
            file.channels.extend(place.clone());
            if let Some(title) = wanted["title"].as_str() {
                file.title = title.into();
            }
        }
        if let Some(channel) = place {
            let text = args.text("initial_comment").unwrap_or_default().to_owned();
            let subtype = Some("file_share".to_owned());
            let message = Message {
                channel: channel.clone(),
                thread_ts,
                user: BOT_USER.into(),
                text,
                files: ids.clone(),
                subtype,
                ..Message::default()
            };
            let ts = self.insert(message);
            self.echo_posted(&channel, &ts);
        }
        let files: Vec<Value> = ids.iter().filter_map(|id| self.files.get(id)).map(|f| self.file(f)).collect();
        Ok(json!({ "files": files }))
    }

    pub fn file_info(&self, args: &Args) -> Answer {
        let file = self.files.get(&args.need("file")?).filter(|f| f.complete).ok_or("file_not_found")?;
        Ok(json!({ "file": self.file(file) }))
    }
}
