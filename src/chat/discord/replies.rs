//! Replies, progress and forms, by the way on which their question came.
//!
//! Invariant: what is private is seen by its asker alone: where a channel cannot show it so, it goes to their direct messages.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::MutexGuard;

use super::Discord;
use super::asked::{Ask, From, Hook, Shown, State};
use super::interactions::EPHEMERAL;
use super::place::Place;
use super::render::{self, Message, parts};
use super::rest::{Fault, Method, Rank};
use crate::model::{Form, Notice, Origin, Progress, Reply, Style};

/// Quick work is shown by its result alone.
const QUICK: Duration = Duration::from_millis(700);
/// Between two looks at the steps.
const PACE: Duration = Duration::from_millis(1_500);
/// Steps that tell a line at a time.
const LINES: [&str; 2] = ["log", "exec"];

impl Discord {
    pub(super) async fn answer(&self, to: &Origin, reply: Reply) {
        let Some(place) = Place::parse(&to.conversation) else { return };
        let input = to.input.clone().unwrap_or_default();
        let ask = self.asked().get(&input).unwrap_or_else(|| {
            // After a restart there is only the place.
            std::sync::Arc::new(tokio::sync::Mutex::new(Ask::new(From::Place, &to.actor.id, place)))
        });
        let mut ask = ask.lock().await;
        ask.answered = true;
        if ask.from == (From::Click { quiet: true }) && reply.notice == Notice::Ok {
            self.defer(&mut ask).await;
            return;
        }
        for message in render::reply(&reply) {
            self.say(&mut ask, reply.private, &message).await;
        }
    }

    /// One message, by the first way that works.
    pub(super) async fn say(&self, ask: &mut Ask, private: bool, message: &Message) {
        // Steps that were shown become the answer.
        if let Some(shown) = ask.progress.take()
            && self.replace(ask, &shown, private, message).await
        {
            return;
        }
        if ask.hook.as_ref().is_some_and(Hook::is_fresh) && self.first_message(ask, private, message).await {
            return;
        }
        if self.by_token(ask, private, message).await {
            return;
        }
        self.by_channel(ask, private, message).await;
    }

    /// Puts it in place of the steps. `false`: it has to be said elsewhere.
    async fn replace(&self, ask: &mut Ask, shown: &Shown, private: bool, message: &Message) -> bool {
        match shown {
            Shown::Original => {
                if let Some(hook) = &mut ask.hook
                    && let State::Said { private: seen } = hook.state
                {
                    // As if nothing had been said yet: the next words take its place, if they are for the same eyes.
                    hook.state = State::Deferred { private: seen };
                }
                false
            }
            Shown::Message { channel, id } => {
                let told = !private || ask.place.is_direct();
                let ended = render::progress(&ask.steps);
                let body = if told { message } else { &ended };
                let path = format!("/channels/{channel}/messages/{id}");
                self.send(Method::PATCH, path, body, Rank::Reply).await.is_ok() && told
            }
        }
    }

    /// By the interaction's token.
    async fn by_token(&self, ask: &mut Ask, private: bool, message: &Message) -> bool {
        let Some(hook) = ask.hook.as_mut().filter(|hook| hook.lives()) else { return false };
        let base = format!("/webhooks/{}/{}", self.application(), &*hook.token);
        if let State::Deferred { private: seen } = hook.state {
            hook.state = State::Said { private: seen };
            if seen == private {
                return match self.send(Method::PATCH, format!("{base}/messages/@original"), message, Rank::Reply).await {
                    Ok(_) => true,
                    // An edit that may have been taken says the same when it is said again, by another way, at worst twice.
                    Err(fault) => self.token_fails(ask, &fault),
                };
            }
            // It cannot become what only one may see, nor the other way round.
            let _ = self.call(Method::DELETE, format!("{base}/messages/@original"), None, Rank::Reply).await;
        }
        let mut body = message.body();
        if private {
            body["flags"] = json!(EPHEMERAL);
        }
        match self.send_body(Method::POST, base, &body, &message.files, Rank::Reply).await {
            Ok(_) => true,
            Err(Fault::Unknown(_)) => true,
            Err(fault) => self.token_fails(ask, &fault),
        }
    }

    fn token_fails(&self, ask: &mut Ask, fault: &Fault) -> bool {
        tracing::info!(code = fault.code(), "an interaction's token takes nothing any more");
        if fault.is_interaction_dead() {
            ask.hook = None;
        }
        false
    }

    /// As an ordinary message, or as a direct one.
    async fn by_channel(&self, ask: &Ask, private: bool, message: &Message) {
        let mut body = message.body();
        let mut channel = ask.place.written().to_owned();
        match &ask.from {
            From::Message(id) => {
                body["message_reference"] = json!({ "message_id": id, "fail_if_not_exists": false });
            }
            _ if private && !ask.place.is_direct() => match self.direct(&ask.user).await {
                Some(direct) => channel = direct,
                None => return tracing::info!("a private answer reached nobody: its asker takes no direct messages"),
            },
            _ => {}
        }
        let sent =
            self.send_body(Method::POST, format!("/channels/{channel}/messages"), &body, &message.files, Rank::Reply).await;
        let Err(fault) = sent else { return };
        if !fault.is_place_gone() || ask.place.is_direct() {
            return tracing::warn!(code = fault.code(), "a reply reached nobody");
        }
        let Some(direct) = self.direct(&ask.user).await else { return };
        if let Some(fields) = body.as_object_mut() {
            fields.remove("message_reference");
        }
        let path = format!("/channels/{direct}/messages");
        if let Err(fault) = self.send_body(Method::POST, path, &body, &message.files, Rank::Reply).await {
            tracing::warn!(code = fault.code(), "a reply reached nobody");
        }
    }

    /// The channel of somebody's direct messages.
    pub(super) async fn direct(&self, user: &str) -> Option<String> {
        let body = json!({ "recipient_id": user });
        let opened = self.call(Method::POST, "/users/@me/channels".into(), Some(&body), Rank::Reply).await.ok()?;
        opened["id"].as_str().map(str::to_owned)
    }

    /// The first response as it is; `None`: there was none.
    pub(super) async fn original(&self, hook: &Hook) -> Result<Option<Value>, Fault> {
        let path = format!("/webhooks/{}/{}/messages/@original", self.application(), &*hook.token);
        match self.call(Method::GET, path, None, Rank::Reply).await {
            Ok(message) => Ok(Some(message)),
            Err(fault) if fault.is_interaction_dead() || fault.is_message_gone() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn step(&self, to: &Origin, step: Progress) {
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
        if !first || held.answered || held.opens || matches!(held.from, From::Message(_)) {
            return;
        }
        drop(held);
        let discord = self.clone();
        tokio::spawn(async move {
            let mut told = (Vec::new(), 0);
            tokio::time::sleep(QUICK).await;
            loop {
                let mut held = ask.lock().await;
                if held.answered || discord.asked().get(&input).is_none() {
                    return;
                }
                let now = (held.steps.clone(), held.lines.count);
                if now != told {
                    told = now;
                    discord.show_steps(&mut held).await;
                }
                drop(held);
                tokio::time::sleep(PACE).await;
            }
        });
    }

    async fn show_steps(&self, ask: &mut MutexGuard<'_, Ask>) {
        let message = match ask.lines.shown() {
            Some(lines) => Message::text(lines),
            None => render::progress(&ask.steps),
        };
        match ask.progress.clone() {
            Some(Shown::Message { channel, id }) => {
                let _ = self.send(Method::PATCH, format!("/channels/{channel}/messages/{id}"), &message, Rank::Update).await;
                return;
            }
            Some(Shown::Original) if ask.hook.as_ref().is_some_and(Hook::lives) => {
                let Some(hook) = &ask.hook else { return };
                let path = format!("/webhooks/{}/{}/messages/@original", self.application(), &*hook.token);
                let _ = self.send(Method::PATCH, path, &message, Rank::Update).await;
                return;
            }
            _ => {}
        }
        if ask.hook.as_ref().is_some_and(Hook::is_fresh) {
            self.defer(ask).await;
        }
        if let Some(hook) = ask.hook.as_mut().filter(|hook| hook.lives())
            && let State::Deferred { private } = hook.state
        {
            let path = format!("/webhooks/{}/{}/messages/@original", self.application(), &*hook.token);
            hook.state = State::Said { private };
            if self.send(Method::PATCH, path, &message, Rank::Update).await.is_ok() {
                ask.progress = Some(Shown::Original);
            }
            return;
        }
        // A token of 15 minutes is used up: an ordinary message goes on.
        let channel = match ask.private && !ask.place.is_direct() {
            true => self.direct(&ask.user).await,
            false => Some(ask.place.written().to_owned()),
        };
        let Some(channel) = channel else { return };
        if let Ok(sent) = self.send(Method::POST, format!("/channels/{channel}/messages"), &message, Rank::Update).await {
            let id = sent["id"].as_str().unwrap_or_default().to_owned();
            ask.progress = Some(Shown::Message { channel, id });
        }
    }

    pub(super) async fn ask_form(&self, to: &Origin, form: &Form) {
        let Some(place) = Place::parse(&to.conversation) else { return };
        let input = to.input.clone().unwrap_or_default();
        self.asked().put_form(form.clone(), &input);
        let ask = self
            .asked()
            .get(&input)
            .unwrap_or_else(|| std::sync::Arc::new(tokio::sync::Mutex::new(Ask::new(From::Place, &to.actor.id, place))));
        let mut ask = ask.lock().await;
        if !form.confirm && self.open(&mut ask, form).await {
            return;
        }
        let id = &form.id.0;
        let mut buttons = vec![match form.confirm {
            true => parts::named("Yes, go on", &format!("form:yes:{id}"), Style::Danger),
            false => parts::named("Fill in…", &format!("form:open:{id}"), Style::Primary),
        }];
        buttons.push(parts::named("Cancel", &format!("form:no:{id}"), Style::Plain));
        let mut contents = render::pieces(&form.text);
        contents.extend(render::pieces(&form.title));
        let content = contents.pop().unwrap_or_default();
        for content in contents {
            self.say(&mut ask, true, &Message { content, ..Message::default() }).await;
        }
        let message = Message { content, components: vec![parts::row(&buttons)], ..Message::default() };
        self.say(&mut ask, true, &message).await;
    }
}
