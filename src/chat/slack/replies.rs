//! Replies, progress and forms, by the way on which their question came.
//!
//! Invariant: what is private is seen by its asker alone: where a channel cannot show it so, it goes to their direct messages.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::MutexGuard;

use super::Slack;
use super::api::{Fault, Upload};
use super::asked::{Ask, From, Shown};
use super::blocks::{self, Message};
use super::home;
use super::limiter::{Method, Rank};
use super::modal;
use super::place::Place;
use super::speech::At;
use super::workspace::{Call, Workspace, pause};
use crate::model::{Action, File, Form, Notice, Origin, Progress, Reply, Style};

/// Quick work is shown by its result alone.
const QUICK: Duration = Duration::from_millis(700);
/// Between two looks at the steps.
const PACE: Duration = Duration::from_millis(1_500);
/// The same where each look is one of five.
const SPARING: Duration = Duration::from_secs(4);
const TRIES: u32 = 6;
/// Steps that tell a line at a time.
const LINES: [&str; 2] = ["log", "exec"];

/// Who is to see a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Asker,
    Everybody,
}

impl Slack {
    pub(super) async fn answer(&self, to: &Origin, mut reply: Reply) {
        let Some(place) = Place::parse(&to.conversation) else { return };
        let Some(workspace) = self.workspace(&place.team) else { return };
        let input = to.input.clone().unwrap_or_default();
        let known = self.asked().get(&input);
        // After a restart there is only the place.
        let fresh = tokio::sync::Mutex::new(Ask::new(From::Message, &user(to), &place.channel, place.thread.as_deref()));
        let mut ask = match &known {
            Some(ask) => ask.lock().await,
            None => fresh.lock().await,
        };
        ask.answered = true;
        if ask.is_again() {
            crate::chat::asked::tell_again(&mut reply);
        }
        self.learn_names(&workspace, &reply).await;
        let to = if reply.private { To::Asker } else { To::Everybody };
        self.speech().reply(&mut reply, at(&ask, to));
        if ask.from == From::Tab {
            return self.publish(&workspace, &ask.user, &reply).await;
        }
        // What is done to a project there is told by the tab itself, which is drawn anew.
        if ask.from == From::Home && reply.notice == Notice::Ok && reply.data.contains_key("projects") && reply.files.is_empty() {
            super::locked(&self.0.homes).insert(ask.user.clone(), Some(reply.text));
            return;
        }
        if ask.from == (From::Click { quiet: true }) && reply.notice == Notice::Ok {
            return;
        }
        let names = self.names(&workspace);
        let mut shown = blocks::reply(&reply, &names);
        shown.files.extend(reply.files.into_iter().map(|file| named(file, &names)));
        for message in shown.messages {
            self.say(&workspace, &mut ask, to, &message).await;
        }
        for file in shown.files {
            self.give(&workspace, &mut ask, to, file).await;
        }
    }

    async fn publish(&self, workspace: &Arc<Workspace>, user: &str, reply: &Reply) {
        let view = match reply.notice {
            Notice::Ok => {
                let said = super::locked(&self.0.homes).get_mut(user).and_then(Option::take);
                home::view(&reply.cards, said.as_deref(), self.speech(), &self.names(workspace))
            }
            _ => home::closed(&reply.text, &self.names(workspace)),
        };
        let call = Call { api: "views.publish", method: Method::Views, channel: "", thread: user, rank: Rank::Reply };
        if let Err(fault) = workspace.send(call, &json!({ "user_id": user, "view": view })).await {
            tracing::info!(code = fault.code().unwrap_or("unreachable"), "an App Home could not be shown");
        }
    }

    /// One message, by the first way that works.
    async fn say(&self, workspace: &Workspace, ask: &mut Ask, to: To, message: &Message) {
        // Steps that were shown become the answer.
        if let Some(shown) = ask.progress.take() {
            let done = match shown {
                Shown::Message { channel, ts } => {
                    // What did not work is for its asker alone, wherever the steps are seen.
                    let told = to == To::Everybody || channel.starts_with('D');
                    let ended = blocks::progress(&ask.steps);
                    let body = body(if told { message } else { &ended }, json!({ "channel": channel, "ts": ts }));
                    let call = Call { channel: &channel, ..call("chat.update", Method::Update, ask) };
                    workspace.send(call, &body).await.is_ok() && told
                }
                // What one person sees does not become everybody's by being edited.
                Shown::Hook if to == To::Everybody => false,
                Shown::Hook => self.hook(workspace, ask, to, message, true, 0).await,
            };
            if done {
                return;
            }
        }
        if matches!(ask.from, From::Command | From::Click { .. }) && self.hook(workspace, ask, to, message, false, 0).await {
            return;
        }
        let direct = ask.channel.starts_with('D');
        let mut body = body(message, json!({ "channel": ask.channel }));
        if let Some(thread) = &ask.thread {
            body["thread_ts"] = json!(thread);
        }
        let sent = match to {
            _ if ask.channel.is_empty() => false,
            To::Asker if !direct => {
                body["user"] = json!(ask.user);
                if let Some(fields) = body.as_object_mut().filter(|_| ask.begins) {
                    fields.remove("thread_ts");
                }
                workspace.send(call("chat.postEphemeral", Method::Ephemeral, ask), &body).await.is_ok()
            }
            _ => post(workspace, ask, &body).await.is_some(),
        };
        if sent {
            return;
        }
        let Some(channel) = self.direct(workspace, &ask.user).await else { return };
        body["channel"] = json!(channel);
        let fields = body.as_object_mut();
        if let Some(fields) = fields {
            fields.remove("thread_ts");
            fields.remove("user");
        }
        let call = Call { channel: &channel, ..call("chat.postMessage", Method::Post, ask) };
        if let Err(fault) = workspace.post(call, &body).await {
            tracing::warn!(code = fault.code().unwrap_or("unreachable"), "a reply reached nobody");
        }
    }

    /// By the `response_url`, which also works where the bot is no member. `left`: uses that must be left.
    async fn hook(&self, workspace: &Workspace, ask: &mut Ask, to: To, message: &Message, replace: bool, left: u8) -> bool {
        for tries in 0..3 {
            let Some(url) = ask.hook(left) else { return false };
            let kind = if to == To::Asker { "ephemeral" } else { "in_channel" };
            let thread = ask.thread.as_ref().filter(|_| !replace);
            let body = body(message, json!({ "response_type": kind, "replace_original": replace, "thread_ts": thread }));
            match workspace.api.respond(&url, &body).await {
                Ok(()) => return true,
                Err(Fault::Limited(wait)) => tokio::time::sleep(wait.min(Duration::from_secs(30))).await,
                Err(Fault::Unsent(_)) => tokio::time::sleep(pause(tries)).await,
                // Another message by another way would be the second, if this one was taken.
                Err(Fault::Unknown(_)) => return true,
                Err(_) => {
                    ask.hook = None;
                    return false;
                }
            }
        }
        false
    }

    /// The asker's direct messages.
    async fn direct(&self, workspace: &Workspace, user: &str) -> Option<String> {
        let call = Call { api: "conversations.open", method: Method::Reads, channel: "", thread: user, rank: Rank::Reply };
        let opened = workspace.send(call, &json!({ "users": user })).await.ok()?;
        opened["channel"]["id"].as_str().map(str::to_owned)
    }

    async fn give(&self, workspace: &Workspace, ask: &mut Ask, to: To, file: File) {
        let mut upload = Upload {
            channel: ask.channel.clone(),
            thread_ts: ask.thread.clone(),
            name: file.name.clone(),
            title: None,
            comment: None,
            bytes: Bytes::from(file.bytes),
        };
        if to == To::Everybody && !ask.channel.is_empty() && uploaded(workspace, &upload).await {
            return;
        }
        // A file in a channel is seen by all of it.
        let direct = match ask.channel.starts_with('D') {
            true => Some(ask.channel.clone()),
            false => self.direct(workspace, &ask.user).await,
        };
        let given = match &direct {
            Some(channel) => {
                upload.channel.clone_from(channel);
                upload.thread_ts = ask.thread.clone().filter(|_| *channel == ask.channel);
                uploaded(workspace, &upload).await
            }
            None => false,
        };
        let text = match given {
            true if direct.as_deref() == Some(ask.channel.as_str()) => return,
            true => format!("The file `{}` is in your direct messages.", file.name),
            false => format!(
                "The file `{}` could not be given to you: Slack did not take it. Try again; if it stays, ask whoever runs Gaggle \
                 to look at the app's scopes with `gaggle check`.",
                file.name
            ),
        };
        self.say(workspace, ask, To::Asker, &Message { text, blocks: None }).await;
    }

    pub(super) async fn step(&self, to: &Origin, step: Progress) {
        let Some(place) = Place::parse(&to.conversation) else { return };
        let Some(workspace) = self.workspace(&place.team) else { return };
        let Some(input) = to.input.clone() else { return };
        let Some(ask) = self.asked().get(&input) else { return };
        let mut held = ask.lock().await;
        if LINES.contains(&step.step.as_str()) {
            held.lines.push(&step.text);
        }
        let first = held.steps.is_empty();
        match held.steps.iter_mut().find(|s| s.step == step.step) {
            Some(before) => *before = step,
            None => held.steps.push(step),
        }
        // What becomes of a message is shown in its thread.
        if !first || held.answered || matches!(held.from, From::Message | From::Tab) || held.opens_turn() {
            return;
        }
        let (home, user) = (held.from == From::Home, held.user.clone());
        drop(held);
        let slack = self.clone();
        tokio::spawn(async move {
            let mut told = (Vec::new(), 0);
            tokio::time::sleep(QUICK).await;
            loop {
                let mut held = ask.lock().await;
                if held.answered || slack.asked().get(&input).is_none() {
                    return;
                }
                if home {
                    drop(held);
                    return slack.show_home(&workspace, &user).await;
                }
                let now = (held.steps.clone(), held.lines.count);
                if now != told {
                    told = now;
                    slack.show_steps(&workspace, &mut held).await;
                }
                let pause = if held.progress == Some(Shown::Hook) { SPARING } else { PACE };
                drop(held);
                tokio::time::sleep(pause).await;
            }
        });
    }

    async fn show_steps(&self, workspace: &Workspace, ask: &mut MutexGuard<'_, Ask>) {
        let message = match ask.lines.shown() {
            Some(lines) => Message { text: super::markdown::mrkdwn(&lines), blocks: None },
            None => blocks::progress(&ask.steps),
        };
        match ask.progress.clone() {
            Some(Shown::Message { channel, ts }) => {
                let body = body(&message, json!({ "channel": channel, "ts": ts }));
                let limiter = &workspace.limiter;
                if let Some(permit) = limiter.try_pass(Method::Update, &channel, &ask.user, Rank::Update) {
                    let _ = workspace.send_with(permit, "chat.update", &body).await;
                }
            }
            // Two uses are left for the end; what goes on for longer goes on where it can be edited as often as need be.
            Some(Shown::Hook) => {
                if self.hook(workspace, ask, To::Asker, &message, true, 3).await {
                    return;
                }
                let Some(channel) = self.direct(workspace, &ask.user).await else { return };
                let Some(ts) = post_in(workspace, ask, &channel, &message).await else { return };
                let text = "This takes longer: how it goes on is in your direct messages.".to_owned();
                self.hook(workspace, ask, To::Asker, &Message { text, blocks: None }, true, 2).await;
                ask.progress = Some(Shown::Message { channel, ts });
            }
            None if ask.channel.is_empty() => {}
            None if ask.is_private() && !ask.channel.starts_with('D') => {
                if self.hook(workspace, ask, To::Asker, &message, false, 2).await {
                    ask.progress = Some(Shown::Hook);
                }
            }
            None => {
                // A message of our own can be edited as often as need be; the hook cannot.
                let body = body(&message, json!({ "channel": ask.channel, "thread_ts": ask.thread }));
                match post(workspace, ask, &body).await {
                    Some(ts) => ask.progress = Some(Shown::Message { channel: ask.channel.clone(), ts }),
                    None => {
                        if self.hook(workspace, ask, To::Asker, &message, false, 2).await {
                            ask.progress = Some(Shown::Hook);
                        }
                    }
                }
            }
        }
    }

    pub(super) async fn ask_form(&self, to: &Origin, form: &Form) {
        let Some(place) = Place::parse(&to.conversation) else { return };
        let Some(workspace) = self.workspace(&place.team) else { return };
        let input = to.input.clone().unwrap_or_default();
        self.asked().put_form(form.clone(), &input);
        let known = self.asked().get(&input);
        let fresh = tokio::sync::Mutex::new(Ask::new(From::Message, &user(to), &place.channel, place.thread.as_deref()));
        let mut ask = match &known {
            Some(ask) => ask.lock().await,
            None => fresh.lock().await,
        };
        if let Some(trigger) = ask.trigger()
            && self.open(&workspace, &trigger, form).await
        {
            return;
        }
        let form = &self.speech().form(form, at(&ask, To::Asker));
        // Without a click that is fresh there is no modal: a button gives one.
        for part in crate::chat::split::pieces(&form.text, blocks::MESSAGE) {
            let text = super::markdown::mrkdwn(&part);
            let blocks = json!([blocks::section(&text)]);
            self.say(&workspace, &mut ask, To::Asker, &Message { text, blocks: Some(blocks) }).await;
        }
        let id = &self.asked().outer(&form.id).0;
        let mut buttons =
            vec![button(if form.confirm { "Yes, go on" } else { "Fill in…" }, if form.confirm { "yes" } else { "open" }, id)];
        if form.confirm {
            buttons.push(button("Cancel", "no", id));
        }
        let text = super::markdown::mrkdwn(&form.title);
        let blocks = json!([blocks::section(&text), { "type": "actions", "elements": buttons }]);
        self.say(&workspace, &mut ask, To::Asker, &Message { text, blocks: Some(blocks) }).await;
    }

    /// Opens a form as a modal. `false`: it is too late for that.
    pub(super) async fn open(&self, workspace: &Workspace, trigger: &str, form: &Form) -> bool {
        let form = self.speech().form(form, At::Channel);
        workspace.open_view(trigger, modal::view(&form, &self.asked().outer(&form.id).0)).await
    }
}

/// Where a reply to this is read.
fn at(ask: &Ask, to: To) -> At {
    let in_channel = ask.begins && to == To::Asker && !ask.channel.starts_with('D');
    if ask.thread.is_some() && !in_channel { At::Thread } else { At::Channel }
}

/// A text of ours in a file speaks of people as its message does.
fn named(file: File, names: blocks::Names<'_>) -> File {
    let text = std::str::from_utf8(&file.bytes).ok().filter(|_| file.name.ends_with(".md"));
    let bytes = text.map(|text| blocks::named(text, names).into_owned().into_bytes());
    File { bytes: bytes.unwrap_or(file.bytes), name: file.name }
}

fn user(to: &Origin) -> String {
    to.actor.id.rsplit('/').next().unwrap_or_default().to_owned()
}

fn call<'a>(api: &'static str, method: Method, ask: &'a Ask) -> Call<'a> {
    Call { api, method, channel: &ask.channel, thread: ask.thread.as_deref().unwrap_or(&ask.user), rank: Rank::Reply }
}

fn body(message: &Message, mut fields: Value) -> Value {
    fields["text"] = json!(message.text);
    match (&message.blocks, fields.get("ts").is_some() || fields.get("replace_original").is_some_and(|r| r == true)) {
        (Some(blocks), _) => fields["blocks"] = blocks.clone(),
        // What stood there before goes with it.
        (None, true) => fields["blocks"] = json!([]),
        (None, false) => {}
    }
    if fields.get("thread_ts").is_some_and(Value::is_null)
        && let Some(fields) = fields.as_object_mut()
    {
        fields.remove("thread_ts");
    }
    fields
}

fn button(label: &str, what: &str, form: &str) -> Value {
    let action = Action { style: if what == "yes" { Style::Danger } else { Style::Plain }, ..Action::new(label, form) };
    blocks::parts::button(&action, &format!("form:{what}"))
}

async fn post_in(workspace: &Workspace, ask: &Ask, channel: &str, message: &Message) -> Option<String> {
    let call = Call { channel, ..call("chat.postMessage", Method::Post, ask) };
    workspace.post(call, &body(message, json!({ "channel": channel }))).await.ok()
}

/// Posts a message, once. `None`: it cannot be posted there.
async fn post(workspace: &Workspace, ask: &Ask, body: &Value) -> Option<String> {
    match workspace.post(call("chat.postMessage", Method::Post, ask), body).await {
        Ok(ts) => Some(ts),
        // It may stand there.
        Err(Fault::Unknown(_)) => Some(String::new()),
        Err(_) => None,
    }
}

pub(super) async fn uploaded(workspace: &Workspace, upload: &Upload) -> bool {
    for tries in 0..TRIES {
        let permit = workspace.limiter.pass(Method::Files, "", &upload.channel, Rank::Reply).await;
        match workspace.api.upload(upload).await {
            Ok(_) => {
                permit.worked();
                return true;
            }
            Err(Fault::Limited(wait)) => permit.refused(wait),
            Err(Fault::Unsent(_)) => tokio::time::sleep(pause(tries)).await,
            Err(Fault::Unknown(_)) => return true,
            Err(fault) => {
                tracing::info!(code = fault.code().unwrap_or_default(), "a file could not be given");
                return false;
            }
        }
    }
    false
}
