//! Interactions, from their arrival to the desk: commands, clicks, modals, and what is being typed.
//!
//! Invariants: what takes longer than a look into the store is deferred before it is begun, and everything that was not answered in
//! time is; an interaction is handed over once, in this program or the next.

use std::sync::Arc;
use std::time::Duration;

use gaggle_commands::OptionValue;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::asked::{Ask, First, From, Hook, State};
use super::payload::{Channel, ChannelKind, Data, Interaction, Kind};
use super::place::Place;
use super::render::{Message, parts};
use super::replies::LOADING;
use super::{Discord, SURFACE, commands, form};
use crate::chat::desk::Handed;
use crate::model::{Actor, FormId, Origin, TurnId, Values};

/// How long a quick command may take before it is deferred all the same.
const QUICK: Duration = Duration::from_millis(1_200);

/// The types of first responses.
const MESSAGE: u8 = 4;
const DEFERRED: u8 = 5;
const DEFERRED_UPDATE: u8 = 6;
const UPDATE: u8 = 7;
pub const TYPED: u8 = 8;
pub const MODAL: u8 = 9;
/// For one person alone.
pub const EPHEMERAL: u64 = 64;

impl Discord {
    /// Takes one. Never waits.
    pub(super) fn interaction(&self, raw: &str, first: First, received: Instant) {
        let interaction: Interaction = match serde_json::from_str(raw) {
            Ok(interaction) => interaction,
            Err(error) => {
                metrics::counter!("gaggle_discord_unparsed_total").increment(1);
                tracing::warn!(line = error.line(), column = error.column(), "an interaction cannot be understood");
                return;
            }
        };
        if let (Some(channel), guild) = (&interaction.channel, interaction.guild_id.as_deref()) {
            self.channels().learn(channel, guild);
            self.used().used(&channel.id, guild.unwrap_or(super::place::DIRECT));
        }
        let discord = self.clone();
        match interaction.kind() {
            Kind::Typing => {
                tokio::spawn(async move { discord.typing(interaction, first).await });
            }
            Kind::Command | Kind::Click | Kind::Modal => {
                let key = format!("interaction:{}", interaction.id);
                if !self.desk().receive_quick(&key, &note(&interaction, raw)) {
                    metrics::counter!("gaggle_discord_repeats_total").increment(1);
                    return;
                }
                tokio::spawn(async move {
                    Box::pin(discord.act(interaction, first, received, &key)).await;
                    discord.desk().done_quick(&key);
                });
            }
            Kind::Ping | Kind::Unknown => {
                metrics::counter!("gaggle_discord_unknown_total").increment(1);
                tracing::warn!(kind = interaction.kind, "an interaction of a kind that is not known was left alone");
            }
        }
    }

    /// What an earlier program took and did not finish. If its first response was given, its end is still awaited.
    pub(super) async fn interact_again(&self, raw: &str, key: &str) {
        let Ok(interaction) = serde_json::from_str::<Interaction>(raw) else { return };
        let hook = Hook::old(&interaction.id, interaction.token.clone());
        let given = self.original(&hook).await;
        if let Ok(Some(message)) = given {
            let private = message["flags"].as_u64().unwrap_or(0) & EPHEMERAL != 0;
            let thinking = message["flags"].as_u64().unwrap_or(0) & LOADING != 0;
            // A click that changed nothing for now has the message with its button as its first response.
            let is_quiet = interaction.message.as_ref().is_some_and(|clicked| message["id"] == clicked.id.as_str());
            // What says something else already was answered, but for a question: it was shown before it was kept.
            let state = match (thinking, is_quiet || asks(&interaction)) {
                (true, _) => State::Deferred { private },
                (false, true) => State::Said { private: private || is_quiet },
                (false, false) => return,
            };
            Box::pin(self.carry_out(interaction, Hook { state, ..hook }, key)).await;
        }
        // Discord told its sender that nobody answered, so it was not done.
    }

    async fn act(&self, interaction: Interaction, first: First, received: Instant, key: &str) {
        let hook = Hook::new(&interaction.id, interaction.token.clone(), first, received);
        self.carry_out(interaction, hook, key).await;
    }

    async fn carry_out(&self, mut interaction: Interaction, hook: Hook, key: &str) {
        let Some(data) = interaction.data.take() else { return };
        let Some(user) = interaction.user() else { return };
        let place = self.place_of(&interaction).await;
        let origin = Origin {
            actor: self.actor(&user.id, &interaction.name(), &interaction_roles(&interaction), &place),
            conversation: place.id(),
            input: Some(key.to_owned()),
        };
        let ask = |from: From| Ask::new(from, &user.id, place.clone());
        match interaction.kind() {
            Kind::Command if data.kind == 3 => self.ask_about(&data, ask(From::Command), hook).await,
            Kind::Command => {
                let selected = data.selected();
                let ask = ask(From::Command).of(&selected.path);
                self.command(origin, &data, ask, hook, key).await;
            }
            Kind::Click => self.click(origin, &data, ask(From::Click { quiet: false }), hook, key).await,
            Kind::Modal => self.filled(origin, &data, ask(From::Command), hook, key).await,
            _ => {}
        }
    }

    async fn command(&self, origin: Origin, data: &Data, mut ask: Ask, hook: Hook, key: &str) {
        let selected = &data.selected();
        let values = commands::values(selected);
        ask.hook = Some(hook);
        let is_sure = values.iter().any(|value| value.name == "yes" && value.value == "true");
        let file = selected.files.first().map(|(_, id)| data.resolved.attachments.get(id).cloned().unwrap_or_default());
        if file.is_some() || (works(&selected.path, if is_sure { "--yes" } else { "" }) && !ask.opens) {
            self.defer(&mut ask).await;
        }
        if let Some(file) = file {
            match self.value_in(&file).await {
                Ok(value) => ask.given = Some(value),
                Err(why) => {
                    let text = format!("⚠️ {why} Nothing was done: send the command again, with another file or without one.");
                    return self.say(&mut ask, true, &Message::text(text)).await;
                }
            }
        }
        let input = Handed::Options { path: selected.path.clone(), values };
        self.hand(origin, input, Some(key), ask).await;
    }

    /// Hands an input over and waits for its end, unless that is a person's to decide.
    pub(super) async fn hand(&self, origin: Origin, input: Handed, source: Option<&str>, ask: Ask) {
        self.hand_shared(origin, input, source, Arc::new(Mutex::new(ask))).await;
    }

    async fn hand_shared(&self, origin: Origin, input: Handed, source: Option<&str>, ask: Arc<Mutex<Ask>>) {
        let id = origin.input.clone().unwrap_or_default();
        self.asked().put_shared(&id, ask.clone());
        let taking = ask.clone();
        let mut guard = Box::pin(self.clone().guard(ask));
        let work = async {
            let taken = self.desk().take(origin, input, source.map(str::to_owned)).await;
            let waits = taken.turn || taken.asks;
            if taken.turn {
                self.acknowledge(&taking).await;
            }
            let discord = self.clone();
            let id = id.clone();
            if waits {
                tokio::spawn(async move {
                    taken.ended.await;
                    discord.asked().forget(&id);
                });
            } else {
                taken.ended.await;
                discord.asked().forget(&id);
            }
            waits
        };
        tokio::pin!(work);
        tokio::select! {
            biased;
            // What a person or an agent decides on may be said much later, and by another way.
            waits = &mut work => if waits { drop(tokio::spawn(guard)) },
            () = &mut guard => drop(work.await),
        }
    }

    /// A turn tells what becomes of it; what opened it is answered all the same.
    async fn acknowledge(&self, ask: &Mutex<Ask>) {
        let mut ask = ask.lock().await;
        match (ask.hook.as_ref().map(|hook| hook.state), &ask.from) {
            (Some(State::Nothing), From::Click { .. }) => {
                let body = json!({ "type": DEFERRED_UPDATE });
                self.first(&mut ask, body, State::Said { private: true }).await;
            }
            (Some(State::Nothing | State::Deferred { .. }), _) => {
                self.say(&mut ask, true, &Message::text("It is asked; the answer follows in the thread.")).await;
            }
            _ => {}
        }
    }

    /// Defers what is not answered in time.
    async fn guard(self, ask: Arc<Mutex<Ask>>) {
        sleep(QUICK).await;
        let mut ask = ask.lock().await;
        if ask.hook.as_ref().is_some_and(|hook| hook.state == State::Nothing) {
            self.defer(&mut ask).await;
        }
    }

    async fn click(&self, origin: Origin, data: &Data, mut ask: Ask, hook: Hook, key: &str) {
        ask.hook = Some(hook);
        let id = data.custom_id.as_str();
        let turn = |id: &str| id.strip_prefix('t').and_then(|n| n.parse().ok()).map(TurnId);
        if let Some(command) = id.strip_prefix(parts::DO) {
            let path = gaggle_commands::parse_text(command).map(|c| c.path().to_owned());
            let path = path.unwrap_or_else(|usage| usage.path.clone().unwrap_or_default());
            let quiet = matches!(path.as_str(), "approve" | "deny" | "session stop");
            ask = Ask { from: From::Click { quiet }, ..ask }.of(&path);
            if quiet {
                ask.private = true;
            }
            if works(&path, command) && !quiet && !ask.opens {
                self.defer(&mut ask).await;
            }
            return self.hand(origin, Handed::Command(command.to_owned()), Some(key), ask).await;
        }
        match id.split_once(':').unwrap_or((id, "")) {
            ("form", rest) => {
                let (what, form) = rest.split_once(':').unwrap_or((rest, ""));
                let (form, more) = form.split_once(':').unwrap_or((form, ""));
                let form = FormId(form.to_owned());
                let inner = self.asked().inner(&form.0);
                match what {
                    "open" => match self.asked().form(&form) {
                        Some(open) if self.open(&mut ask, &open).await => {}
                        _ => self.hand(origin, Handed::Cancel(inner), None, ask).await,
                    },
                    "page" => match (self.asked().form(&form), more.parse()) {
                        (Some(open), Ok(page)) if self.open_page(&mut ask, &open, page).await => {}
                        _ => self.hand(origin, Handed::Cancel(inner), None, ask).await,
                    },
                    _ => {
                        // The question goes, so that it is answered once.
                        let said = if what == "yes" { "Yes." } else { "No." };
                        let body = json!({ "type": UPDATE, "data": { "content": said, "embeds": [], "components": [] } });
                        self.first(&mut ask, body, State::Said { private: true }).await;
                        let ask = self.joined(&form, ask).await;
                        let input = match what {
                            "yes" => Handed::Fill(inner, Values::default()),
                            _ => Handed::Cancel(inner),
                        };
                        self.hand_shared(origin, input, None, ask).await;
                    }
                }
            }
            (parts::REPLY, _) => {
                let body = json!({ "type": MODAL, "data": commands::reply_modal() });
                self.first(&mut ask, body, State::Said { private: true }).await;
            }
            ("good" | "bad", about) => {
                if let Some(turn) = turn(about) {
                    let good = id.starts_with("good");
                    ask.private = true;
                    self.hand(origin, Handed::Feedback { turn, good }, None, ask).await;
                }
            }
            _ => {
                let text = "This button is not known any more. Type the command instead; `/help` lists them.";
                self.say(&mut ask, true, &Message::text(text)).await;
            }
        }
    }

    async fn filled(&self, origin: Origin, data: &Data, mut ask: Ask, hook: Hook, key: &str) {
        ask.hook = Some(hook);
        if let Some(about) = data.custom_id.strip_prefix(commands::ASK) {
            let given = |name: &str| data.filled().find(|(id, _)| *id == name).map(|(_, value)| value.to_owned());
            let (project, mut question) = (given("project").unwrap_or_default(), given("question").unwrap_or_default());
            if let Some(quoted) = self.quoted(about).await {
                question.push_str("\n\n");
                question.push_str(&quoted);
            }
            ask.root = about.split_once('/').map(|(_, message)| message.to_owned());
            ask = ask.of("ask");
            let values = vec![OptionValue::new("name", project), OptionValue::new("message", question)];
            return self.hand(origin, Handed::Options { path: "ask".into(), values }, Some(key), ask).await;
        }
        if data.custom_id == parts::REPLY {
            return self.written(origin, data, ask, key).await;
        }
        let (id, page) = form::page_of(&data.custom_id);
        let inner = self.asked().inner(&id.0);
        let Some(open) = self.asked().form(&id) else {
            return self.hand(origin, Handed::Cancel(inner), None, ask).await;
        };
        let values = data.filled().map(|(name, value)| (name.to_owned(), SecretString::from(value.to_owned()))).collect();
        let (values, next) = self.pages().fill(&open, page, values);
        if let Some(next) = next {
            return self.ask_page(&mut ask, &open, next).await;
        }
        if let Some((field, sentence)) = self.desk().check_form(&inner, &values).await {
            self.pages().keep(&id, values);
            return self.mend(&mut ask, &open, &field, &sentence).await;
        }
        let ask = self.joined(&id, ask).await;
        self.hand_shared(origin, Handed::Fill(inner, values), None, ask).await;
    }

    /// What somebody wrote into a modal, since their messages do not come here: it is shown as theirs, and goes to the thread's session.
    async fn written(&self, origin: Origin, data: &Data, mut ask: Ask, key: &str) {
        let text = data.filled().map(|(_, value)| value).collect::<String>();
        ask.private = false;
        ask.opens = true;
        let asks = format!("**{}** writes:", super::markdown::literal(&origin.actor.name));
        let ask = Arc::new(Mutex::new(ask));
        if self.desk().is_bound(&origin.conversation).await {
            self.echo(&ask, &asks, &super::render::pieces(&text)).await;
        }
        let input = Handed::Message { text, attachments: Vec::new(), starts: false };
        self.hand_shared(origin, input, Some(key), ask).await;
    }

    /// The ask of whoever waits for the form, answered by this interaction from now on.
    async fn joined(&self, form: &FormId, ask: Ask) -> Arc<Mutex<Ask>> {
        let waiting = self.asked().input_of(form).and_then(|input| self.asked().get(&input));
        let Some(waiting) = waiting else { return Arc::new(Mutex::new(ask)) };
        let mut held = waiting.lock().await;
        held.hook = ask.hook;
        held.progress = None;
        held.answered = false;
        drop(held);
        waiting
    }

    /// Says that it takes a while.
    pub(super) async fn defer(&self, ask: &mut Ask) {
        let private = ask.private;
        let body = match ask.from {
            From::Click { quiet: true } => json!({ "type": DEFERRED_UPDATE }),
            _ if private => json!({ "type": DEFERRED, "data": { "flags": EPHEMERAL } }),
            _ => json!({ "type": DEFERRED }),
        };
        let state = match ask.from {
            // There is nothing to fill in: the message with the button stays.
            From::Click { quiet: true } => State::Said { private: true },
            _ => State::Deferred { private },
        };
        self.first(ask, body, state).await;
    }

    /// The first response. `false`: it is too late, or was given.
    pub(super) async fn first(&self, ask: &mut Ask, body: Value, state: State) -> bool {
        let Some(hook) = ask.hook.as_mut().filter(|hook| hook.is_fresh()) else { return false };
        let given = match hook.first.take() {
            Some(First::Body(answer)) => {
                hook.handed = Some(Instant::now());
                answer.send(body).is_ok()
            }
            Some(First::Callback) => match self.rest().respond(&hook.id, &hook.token, &body).await {
                Ok(()) => true,
                // It may have been taken; another would be refused if so.
                Err(fault) if fault.code().is_none() => true,
                Err(fault) => {
                    tracing::info!(code = fault.code(), "Discord took no first response");
                    fault.is_acknowledged()
                }
            },
            None => false,
        };
        if given {
            hook.state = state;
        } else {
            ask.hook = None;
        }
        given
    }

    /// Opens a form as a modal. `false`: it is too late for that.
    pub(super) async fn open(&self, ask: &mut Ask, open: &crate::model::Form) -> bool {
        let modal = form::modal(open, 0, &self.pages().values(&open.id));
        self.first(ask, json!({ "type": MODAL, "data": modal }), State::Said { private: true }).await
    }

    /// A message as the first response.
    pub(super) async fn first_message(&self, ask: &mut Ask, private: bool, message: &Message) -> bool {
        if !message.files.is_empty() {
            // Files go with what comes after a deferral.
            ask.private = private;
            self.defer(ask).await;
            return false;
        }
        let mut data = message.body();
        if private {
            data["flags"] = json!(EPHEMERAL);
        }
        self.first(ask, json!({ "type": MESSAGE, "data": data }), State::Said { private }).await
    }

    pub(super) async fn place_of(&self, interaction: &Interaction) -> Place {
        let channel = interaction.channel_id.clone().or(interaction.channel.as_ref().map(|c| c.id.clone())).unwrap_or_default();
        let Some(guild) = interaction.guild_id.as_deref() else { return Place::direct(&channel) };
        match &interaction.channel {
            Some(Channel { parent_id: Some(parent), .. })
                if interaction.channel.as_ref().map(Channel::kind) == Some(ChannelKind::Thread) =>
            {
                Place::new(guild, parent, Some(&channel))
            }
            Some(_) => Place::new(guild, &channel, None),
            None => self.place(&channel, Some(guild)).await,
        }
    }

    pub(super) fn actor(&self, user: &str, name: &str, roles: &[String], place: &Place) -> Arc<Actor> {
        let mut groups: Vec<String> = roles.iter().map(|role| format!("{SURFACE}:{role}")).collect();
        if !place.is_direct() {
            groups.push(format!("{SURFACE}:{}", place.channel));
            groups.push(format!("{SURFACE}:{}", place.guild));
        }
        let name = if name.is_empty() { user } else { name };
        Arc::new(Actor { surface: SURFACE.to_owned(), id: user.to_owned(), name: name.to_owned(), groups })
    }
}

/// Whether more than the store is asked for the answer. What asks first, asks at once.
fn works(path: &str, command: &str) -> bool {
    gaggle_commands::entry(path).is_some_and(|entry| entry.works && (!entry.confirm || entry.asks || command.contains("--yes")))
}

pub fn interaction_roles(interaction: &Interaction) -> Vec<String> {
    interaction.member.as_ref().map(|member| member.roles.clone()).unwrap_or_default()
}

/// Whether it asks an agent something.
fn asks(interaction: &Interaction) -> bool {
    let Some(data) = &interaction.data else { return false };
    match interaction.kind() {
        Kind::Command => data.kind != 3 && data.selected().path == "ask",
        Kind::Modal => data.custom_id.starts_with(commands::ASK) || data.custom_id == parts::REPLY,
        _ => false,
    }
}

/// What is kept of it until it is done. What was typed into a form is not: it may be secret.
fn note(interaction: &Interaction, raw: &str) -> String {
    let id = interaction.data.as_ref().map(|data| data.custom_id.as_str()).unwrap_or_default();
    if interaction.kind() != Kind::Modal || id.starts_with(commands::ASK) || id == parts::REPLY {
        return raw.to_owned();
    }
    let mut kept: Value = serde_json::from_str(raw).unwrap_or_default();
    kept["data"] = json!({ "custom_id": id });
    kept.to_string()
}
