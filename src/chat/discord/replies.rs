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
use crate::model::{File, Form, Notice, Origin, Progress, Reply, Style};

/// Quick work is shown by its result alone.
const QUICK: Duration = Duration::from_millis(700);
/// Between two looks at the steps.
const PACE: Duration = Duration::from_millis(1_500);
/// Steps that tell a line at a time.
const LINES: [&str; 2] = ["log", "exec"];
/// Characters of a refusal that may stand where everybody reads it.
const SHORT: usize = 300;
/// The flag of a first response that says nothing yet.
pub const LOADING: u64 = 128;
const ELSEWHERE: &str = "The answer is the next message.";
const DIRECTLY: &str = "The answer is for you alone: it is in your direct messages.";
const CLOSED: &str = "The answer is for you alone, and you take no direct messages from me. Allow them for this server, or use the slash \
                      command: its answer is seen by you only.";

/// What is reached by an interaction's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Original,
    /// A further message, for the asker alone or for all.
    Asker,
    Everybody,
}

impl Discord {
    pub(super) async fn answer(&self, to: &Origin, mut reply: Reply) {
        let Some(place) = Place::parse(&to.conversation) else { return };
        let input = to.input.clone().unwrap_or_default();
        let ask = self.asked().get(&input).unwrap_or_else(|| {
            // After a restart there is only the place.
            std::sync::Arc::new(tokio::sync::Mutex::new(Ask::new(From::Place, &to.actor.id, place)))
        });
        let mut ask = ask.lock().await;
        ask.answered = true;
        if ask.hook.as_ref().is_some_and(|hook| hook.is_old) {
            crate::chat::asked::tell_again(&mut reply);
        }
        if ask.from == (From::Click { quiet: true }) && reply.notice == Notice::Ok {
            self.defer(&mut ask).await;
            return;
        }
        let private = reply.private && !(ask.is_message() && is_harmless(&reply));
        for message in render::reply(&reply) {
            self.say(&mut ask, private, &message).await;
        }
        if private && ask.is_message() && !ask.place.is_direct() {
            self.point(&ask).await;
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
        if let State::Deferred { private: seen } = hook.state {
            hook.state = State::Said { private: seen };
            if seen == private {
                return match self.hooked(hook, Method::PATCH, To::Original, Some(message), Rank::Reply).await {
                    Ok(_) => true,
                    Err(Fault::Unknown(_)) if self.is_filled(ask).await => true,
                    Err(fault) if fault.is_passing() => {
                        // It is said elsewhere, so that nothing is waited for here any more.
                        if let Some(hook) = &ask.hook {
                            let _ = self.hooked(hook, Method::DELETE, To::Original, None, Rank::Reply).await;
                        }
                        self.token_fails(ask, &fault)
                    }
                    Err(fault) => self.token_fails(ask, &fault),
                };
            }
            // It cannot become what only one may see, nor the other way round; and while it stands there, what follows would fill it.
            let is_gone = match self.hooked(hook, Method::DELETE, To::Original, None, Rank::Reply).await {
                Ok(_) => true,
                Err(fault) if fault.is_message_gone() => true,
                Err(fault) if fault.is_interaction_dead() => return self.token_fails(ask, &fault),
                Err(_) => {
                    self.hooked(hook, Method::PATCH, To::Original, Some(&Message::text(ELSEWHERE)), Rank::Reply).await.is_ok()
                }
            };
            if !is_gone {
                return false;
            }
        }
        let follows = if private { To::Asker } else { To::Everybody };
        match self.hooked(hook, Method::POST, follows, Some(message), Rank::Reply).await {
            Ok(_) => true,
            Err(Fault::Unknown(_)) => true,
            Err(fault) => self.token_fails(ask, &fault),
        }
    }

    /// A call by the interaction's token: to its first response, or with a further message.
    async fn hooked(&self, hook: &Hook, method: Method, to: To, message: Option<&Message>, rank: Rank) -> Result<Value, Fault> {
        let mut path = format!("/webhooks/{}/{}", self.application(), &*hook.token);
        if to == To::Original {
            path.push_str("/messages/@original");
        }
        let mut body = message.map(Message::body);
        if let (To::Asker, Some(body)) = (to, &mut body) {
            body["flags"] = json!(EPHEMERAL);
        }
        let files = message.map(|message| message.files.as_slice()).unwrap_or_default();
        if let Some(at) = hook.settles() {
            tokio::time::sleep_until(at).await;
        }
        let mut pause = Duration::from_millis(100);
        loop {
            let result = match &body {
                Some(body) => self.send_body(method.clone(), path.clone(), body, files, rank).await,
                None => self.call(method.clone(), path.clone(), None, rank).await,
            };
            match result {
                Err(fault) if fault.is_interaction_dead() && hook.is_settling() => tokio::time::sleep(pause).await,
                other => return other,
            }
            pause *= 2;
        }
    }

    fn token_fails(&self, ask: &mut Ask, fault: &Fault) -> bool {
        tracing::info!(code = fault.code(), "an interaction's token takes nothing any more");
        if fault.is_interaction_dead() {
            ask.hook = None;
        }
        false
    }

    /// Whether the first response says something by now: an edit whose answer was lost may have been taken. While nobody can tell, a
    /// second message might say the same again.
    async fn is_filled(&self, ask: &Ask) -> bool {
        let Some(hook) = &ask.hook else { return false };
        match self.original(hook).await {
            Ok(Some(message)) => message["flags"].as_u64().unwrap_or(0) & LOADING == 0,
            Ok(None) => false,
            Err(_) => true,
        }
    }

    /// As an ordinary message, or as a direct one.
    async fn by_channel(&self, ask: &mut Ask, private: bool, message: &Message) {
        let mut is_direct = ask.place.is_direct();
        if !private || is_direct {
            let mut body = message.body();
            if let From::Message(id) = &ask.from {
                body["message_reference"] = json!({ "message_id": id, "fail_if_not_exists": false });
            }
            match self.post(ask.place.written(), body, &message.files, Rank::Reply).await {
                Ok(_) => return,
                Err(fault) if fault.is_place_gone() && !is_direct => is_direct = true,
                Err(fault) => return tracing::warn!(code = fault.code(), "a reply reached nobody"),
            }
        }
        let sent = match self.direct(&ask.user).await {
            Some(direct) => self.post(&direct, message.body(), &message.files, Rank::Reply).await.map(drop),
            None => Err(Fault::Refused { status: 0, code: 0 }),
        };
        ask.unreached = sent.is_err();
        if let Err(fault) = sent {
            tracing::info!(code = fault.code(), is_direct, "an answer reached nobody: its asker takes no direct messages");
        }
    }

    /// Says below a message where its answer is, which nobody else is to see.
    async fn point(&self, ask: &Ask) {
        let text = if ask.unreached { CLOSED } else { DIRECTLY };
        let mut body = Message::text(text).body();
        if let From::Message(id) = &ask.from {
            body["message_reference"] = json!({ "message_id": id, "fail_if_not_exists": false });
        }
        if let Err(fault) = self.post(ask.place.written(), body, &[], Rank::Reply).await {
            tracing::info!(code = fault.code(), "nobody was told where an answer is");
        }
    }

    /// A new message in a channel, which Discord takes once however often it is sent.
    pub(super) async fn post(&self, channel: &str, mut body: Value, files: &[File], rank: Rank) -> Result<Value, Fault> {
        if body.get("nonce").is_none() {
            let mut nonce = [0; 8];
            // Without one it is not said again where it may have been taken.
            if getrandom::fill(&mut nonce).is_ok() {
                body["nonce"] = json!(format!("{:x}", u64::from_ne_bytes(nonce)));
                body["enforce_nonce"] = json!(true);
            }
        }
        self.send_body(Method::POST, format!("/channels/{channel}/messages"), &body, files, rank).await
    }

    /// The channel of somebody's direct messages.
    pub(super) async fn direct(&self, user: &str) -> Option<String> {
        let body = json!({ "recipient_id": user });
        let opened = self.call(Method::POST, "/users/@me/channels".into(), Some(&body), Rank::Reply).await.ok()?;
        opened["id"].as_str().map(str::to_owned)
    }

    /// The first response as it is; `None`: there was none.
    pub(super) async fn original(&self, hook: &Hook) -> Result<Option<Value>, Fault> {
        match self.hooked(hook, Method::GET, To::Original, None, Rank::Reply).await {
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
                let _ = self.hooked(hook, Method::PATCH, To::Original, Some(&message), Rank::Update).await;
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
            if self.hooked(hook, Method::PATCH, To::Original, Some(&message), Rank::Update).await.is_ok() {
                hook.state = State::Said { private };
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
        if let Ok(sent) = self.post(&channel, message.body(), &message.files, Rank::Update).await {
            let id = sent["id"].as_str().unwrap_or_default().to_owned();
            ask.progress = Some(Shown::Message { channel, id });
        }
    }

    pub(super) async fn ask_form(&self, to: &Origin, form: &Form) {
        let Some(place) = Place::parse(&to.conversation) else { return };
        let input = to.input.clone().unwrap_or_default();
        let inner = form;
        let form = &Form { id: self.asked().outer(&form.id), ..form.clone() };
        self.asked().put_form(form.clone(), &input);
        let ask = self
            .asked()
            .get(&input)
            .unwrap_or_else(|| std::sync::Arc::new(tokio::sync::Mutex::new(Ask::new(From::Place, &to.actor.id, place))));
        let mut ask = ask.lock().await;
        if self.fill_given(&mut ask, to, inner) {
            return;
        }
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

/// A short refusal that names nothing but commands: what is somebody's stands in backticks.
fn is_harmless(reply: &Reply) -> bool {
    let is_bare = reply.notice != Notice::Ok && reply.cards.is_empty() && reply.files.is_empty() && reply.actions.is_empty();
    let names_nothing = reply.text.split('`').skip(1).step_by(2).all(|named| named.starts_with('/'));
    is_bare && reply.text.chars().count() <= SHORT && names_nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_something_is_not_for_all() {
        assert!(is_harmless(&Reply::refused("You have no role in Gaggle yet. Ask whoever runs it.")));
        assert!(is_harmless(&Reply::refused("Nothing is being answered. See `/session list`.")));
        assert!(!is_harmless(&Reply::refused("There is no project `shop`. Did you mean `shop-2`?")));
        assert!(!is_harmless(&Reply::refused("x".repeat(SHORT + 1))));
        assert!(!is_harmless(&Reply::ok("You own 3 projects.")));
    }
}
