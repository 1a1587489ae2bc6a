//! What Slack sends, on its way to the desk: kept, acknowledged, put in order, handed over once.
//!
//! Invariants: an event is acknowledged when it is kept, and kept only if it is for us; what was kept is handed over once, in this
//! program or the next; within a thread everything goes in the order in which it came.

use futures_util::FutureExt as _;
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::asked::{Ask, From};
use super::delivery::{Ack, Delivery};
use super::messages::Heard;
use super::payload::{Click, Closed, Command, Event, Happened, Payload, Shortcut, Submit};
use super::place::Place;
use super::workspace::Workspace;
use super::{Slack, forms};
use crate::chat::desk::Handed;
use crate::model::{Origin, Reply, Timestamp, TurnId};

/// Keys and what was kept under them.
pub struct LeftOver {
    quick: Vec<(String, String)>,
    events: Vec<(String, Timestamp, String)>,
}

/// Takes deliveries until there are no more.
pub async fn run(slack: Slack, mut deliveries: mpsc::Receiver<Delivery>, stop: CancellationToken) {
    loop {
        let delivery = tokio::select! {
            delivery = deliveries.recv() => delivery,
            () = stop.cancelled() => return,
        };
        let Some(delivery) = delivery else { return };
        slack.clone().deliver(delivery);
    }
}

impl Slack {
    /// The same for what was fetched: it waits for room.
    pub(super) async fn deliver_fetched(&self, delivery: Delivery) {
        let Payload::Event(event) = delivery.payload else { return };
        let keys: Vec<String> = delivery.keys.into_iter().filter(|key| key.starts_with("message:")).collect();
        let (slack, lane) = (self.clone(), format!("in {}", lane(&event)));
        let job = async move { slack.event(*event, keys, delivery.ack, delivery.kept).await };
        self.lanes().enter(&lane, job.boxed()).await;
    }

    /// Never waits: what takes longer than a moment goes on by itself.
    fn deliver(self, delivery: Delivery) {
        let Delivery { payload, keys, ack, kept, received, .. } = delivery;
        match payload {
            Payload::Event(event) => {
                // Messages are known by their place, so that a mention of one is the same.
                let mut keys = keys;
                keys.retain(|key| !key.starts_with("envelope:"));
                keys.sort_by_key(|key| !key.starts_with("message:"));
                let lane = format!("in {}", lane(&event));
                let slack = self.clone();
                // What finds no room is not acknowledged, and comes again.
                let _ = self.lanes().run(&lane, async move { slack.event(*event, keys, ack, kept).await }.boxed());
            }
            Payload::Submit(submit) => {
                tokio::spawn(async move { self.submit(*submit, keys, ack).await });
            }
            Payload::Unknown { .. } => ack.ok(),
            other => {
                ack.ok();
                let Some(key) = keys.first().cloned() else { return };
                tokio::spawn(async move { self.act(other, key, Some(received)).await });
            }
        }
    }

    /// What an earlier program kept and did not finish. To be asked for before anything comes in, which is kept there too.
    pub(super) async fn left_over(&self) -> LeftOver {
        LeftOver { quick: self.desk().unhandled_quick(), events: self.desk().unhandled().await }
    }

    pub(super) async fn take_up(&self, left: LeftOver) {
        for (key, note) in left.quick {
            match Delivery::of_kept(&note) {
                Some(payload @ (Payload::Command(_) | Payload::Click(_) | Payload::Shortcut(_))) => {
                    if self.desk().turn_of(&key).await.is_some() {
                        self.desk().done_quick(&key);
                        continue;
                    }
                    let slack = self.clone();
                    tokio::spawn(async move { slack.act(payload, key, None).await });
                }
                _ => self.desk().done_quick(&key),
            }
        }
        for (key, _, note) in left.events {
            match Delivery::of_kept(&note) {
                Some(Payload::Event(event)) => self.happened(*event, key).await,
                _ => self.desk().handled(&key).await,
            }
        }
    }

    /// Does what was acknowledged. `received`: `None`, if that was by an earlier program.
    async fn act(&self, payload: Payload, key: String, received: Option<Instant>) {
        match payload {
            Payload::Command(command) => self.command(*command, &key, received).await,
            Payload::Click(click) => self.click(*click, &key, received).await,
            // What an earlier program got is too old for a form.
            Payload::Shortcut(shortcut) => {
                if let Some(received) = received {
                    self.shortcut(*shortcut, &key, received).await;
                }
            }
            Payload::Closed(closed) => self.closed(*closed).await,
            Payload::Submit(_) | Payload::Event(_) | Payload::Unknown { .. } => {}
        }
        self.desk().done_quick(&key);
    }

    async fn command(&self, command: Command, key: &str, received: Option<Instant>) {
        let Some(workspace) = self.workspace(&command.team_id) else { return };
        let typed = self.typed(&workspace, &command.command, &command.text).await;
        let place = Place::new(&workspace.team, &command.channel_id, None);
        let ask = Ask::new(From::Command, &command.user_id, &command.channel_id, None)
            .with(&command.trigger_id, command.response_url.as_ref(), received)
            .of(&typed);
        let name = self.called(&workspace, &command.user_id, &command.user_name);
        let origin = Origin {
            actor: self.actor(&command.user_id, &name, &command.channel_id),
            conversation: place.id(),
            input: Some(key.to_owned()),
        };
        self.hand(origin, Handed::Command(typed), Some(key), ask).await;
    }

    /// Hands an input over and waits for its end, unless that is a person's to decide.
    pub(super) async fn hand(&self, origin: Origin, input: Handed, source: Option<&str>, ask: Ask) {
        let id = origin.input.clone().unwrap_or_default();
        self.asked().put(&id, ask);
        let taken = self.desk().take(origin, input, source.map(str::to_owned)).await;
        // A turn is kept by itself, and a form is asked for: both are known elsewhere from here on.
        if taken.turn || taken.asks {
            let slack = self.clone();
            tokio::spawn(async move {
                taken.ended.await;
                slack.asked().forget(&id);
            });
        } else {
            taken.ended.await;
            self.asked().forget(&id);
        }
    }

    /// The text as the grammar takes it, whatever the command is called here.
    async fn typed(&self, workspace: &Workspace, command: &str, text: &str) -> String {
        let options = self.options();
        let name = command.trim_start_matches('/');
        let name = name.strip_prefix(options.command_prefix.as_str()).unwrap_or(name);
        self.spoken(workspace, &format!("/{name} {}", text.trim())).await.trim_end().to_owned()
    }

    async fn click(&self, click: Click, key: &str, received: Option<Instant>) {
        let team = click.team.as_ref().map(|t| t.id.as_str()).or(click.user.team_id.as_deref()).unwrap_or_default();
        let (Some(workspace), Some(action)) = (self.workspace(team), click.actions.first()) else { return };
        let channel = click.channel.as_ref().map(|c| c.id.as_str()).or(click.container.channel_id.as_deref()).unwrap_or_default();
        let thread = click.container.thread_ts.as_deref().or(click.message.as_ref().and_then(|m| m.thread_ts.as_deref()));
        let value = action.one().unwrap_or_default().to_owned();
        let quiet = ["/approve", "/deny", "/session stop"].iter().any(|begin| value.starts_with(begin));
        let home = channel.is_empty();
        let from = if home { From::Home } else { From::Click { quiet } };
        let ask = Ask::new(from, &click.user.id, channel, thread)
            .with(&click.trigger_id, click.response_url.as_ref(), received)
            .of(&value);
        let place = match home {
            true => Place::new(&workspace.team, &format!("home-{}", click.user.id), None),
            false => Place::new(&workspace.team, channel, thread),
        };
        let name = self.called(&workspace, &click.user.id, click.user.shown());
        let origin =
            Origin { actor: self.actor(&click.user.id, &name, channel), conversation: place.id(), input: Some(key.to_owned()) };
        let turn = |id: &str| id.strip_prefix('t').and_then(|n| n.parse().ok()).map(TurnId);
        let (what, about) = action.action_id.split_once(':').unwrap_or((&action.action_id, ""));
        match (what, about) {
            ("form", "open") => {
                let id = self.asked().inner(&value);
                match self.asked().form(&id) {
                    Some(form) if self.open(&workspace, &click.trigger_id, &form).await => {}
                    // The desk says what is the matter with it.
                    _ => self.hand(origin, Handed::Cancel(id), None, ask).await,
                }
            }
            ("form", "yes") => self.hand(origin, Handed::Fill(self.asked().inner(&value), Default::default()), None, ask).await,
            ("form", _) => self.hand(origin, Handed::Cancel(self.asked().inner(&value)), None, ask).await,
            ("good" | "bad", id) => {
                if let Some(turn) = turn(id) {
                    self.hand(origin, Handed::Feedback { turn, good: what == "good" }, None, ask).await;
                }
            }
            _ if value.starts_with('/') => {
                self.hand(origin, Handed::Command(value), Some(key), ask).await;
                if home {
                    self.show_home(&workspace, &click.user.id).await;
                }
            }
            // A link, or something of another's.
            _ => {}
        }
    }

    async fn submit(&self, submit: Submit, keys: Vec<String>, ack: Ack) {
        let team = submit.team.as_ref().map(|t| t.id.as_str()).or(submit.user.team_id.as_deref()).unwrap_or_default();
        let Some(workspace) = self.workspace(team) else { return };
        if submit.view.callback_id == forms::ASK {
            ack.ok();
            let key = keys.first().cloned().unwrap_or_default();
            if self.desk().receive_quick(&key, "") {
                self.ask_about(&workspace, submit, &key).await;
            }
            return;
        }
        let form = self.asked().inner(&submit.view.private_metadata.0);
        let mut values = forms::values(&submit.view.state);
        let files = forms::files(&submit.view.state);
        for (field, _) in &files {
            // Whatever it holds; till it is read, there is something.
            values.0.insert(field.clone(), SecretString::from("file"));
        }
        if let Some((field, sentence)) = self.desk().check_form(&form, &values).await {
            return ack.with(super::modal::errors([(field.as_str(), sentence.as_str())]));
        }
        ack.ok();
        if keys.iter().any(|key| !self.desk().receive_quick(key, "")) {
            return;
        }
        let input = keys.first().cloned().unwrap_or_default();
        let origin = Origin {
            actor: self.actor(&submit.user.id, submit.user.shown(), ""),
            conversation: Place::new(&workspace.team, &format!("home-{}", submit.user.id), None).id(),
            input: Some(input),
        };
        let ask = Ask::new(From::Home, &submit.user.id, "", None);
        for (field, file) in &files {
            match self.value_in(&workspace, file).await {
                Ok(value) => values.0.insert(field.clone(), value),
                Err(why) => {
                    let text =
                        format!("{why} Nothing was done: send the command again, with another file or with the value itself.");
                    self.asked().put(origin.input.as_deref().unwrap_or_default(), ask);
                    self.answer(&origin, Reply { private: true, ..Reply::refused(text) }).await;
                    return self.hand(origin, Handed::Cancel(form), None, Ask::new(From::Home, &submit.user.id, "", None)).await;
                }
            };
        }
        self.hand(origin, Handed::Fill(form, values), None, ask).await;
        self.show_home_if_open(&workspace, &submit.user.id).await;
    }

    async fn closed(&self, closed: Closed) {
        let team = closed.team.as_ref().map(|t| t.id.as_str()).or(closed.user.team_id.as_deref()).unwrap_or_default();
        let Some(workspace) = self.workspace(team) else { return };
        if closed.view.callback_id != super::modal::CALLBACK {
            return;
        }
        let origin = Origin {
            actor: self.actor(&closed.user.id, closed.user.shown(), ""),
            conversation: Place::new(&workspace.team, &format!("home-{}", closed.user.id), None).id(),
            input: Some(format!("closed:{}", closed.view.id)),
        };
        let ask = Ask::new(From::Click { quiet: true }, &closed.user.id, "", None);
        self.hand(origin, Handed::Cancel(self.asked().inner(&closed.view.private_metadata.0)), None, ask).await;
    }

    async fn shortcut(&self, shortcut: Shortcut, key: &str, received: Instant) {
        let team = shortcut.team.as_ref().map(|t| t.id.as_str()).or(shortcut.user.team_id.as_deref()).unwrap_or_default();
        let Some(workspace) = self.workspace(team) else { return };
        self.open_ask_about(&workspace, &shortcut, key, received).await;
    }

    /// Keeps an event that is for us, then acknowledges it. Runs in the lane of its thread, so that what is kept is in order.
    async fn event(&self, event: Event, keys: Vec<String>, ack: Ack, kept: String) {
        let Some(workspace) = self.workspace(&event.team_id) else { return ack.ok() };
        let note = match &event.happened {
            Happened::Mention(message) | Happened::Message(message) => match self.hears(&workspace, message).await {
                Heard::Nothing => return ack.ok(),
                _ => Some(kept),
            },
            Happened::Other { kind } => {
                metrics::counter!("gaggle_slack_unknown_total").increment(1);
                tracing::debug!(kind, "an event of a kind that is not known was left alone");
                return ack.ok();
            }
            _ => None,
        };
        match self.desk().receive(keys.clone(), note).await {
            Ok(true) => ack.ok(),
            Ok(false) => {
                metrics::counter!("gaggle_slack_repeats_total").increment(1);
                return ack.ok();
            }
            // Not acknowledged, so it comes again.
            Err(error) => {
                let _ = error.told();
                return;
            }
        }
        self.happened(event, keys.first().cloned().unwrap_or_default()).await;
    }

    async fn happened(&self, event: Event, key: String) {
        let Some(workspace) = self.workspace(&event.team_id) else { return };
        self.saw(&event);
        let lane = lane(&event);
        let slack = self.clone();
        let job = match event.happened {
            Happened::Mention(message) | Happened::Message(message) => {
                async move { slack.message(&workspace, *message, &key).await }.boxed()
            }
            Happened::Changed { channel, message, .. } => {
                async move { slack.changed(&workspace, &channel, *message).await }.boxed()
            }
            Happened::Deleted { channel, deleted_ts, .. } => {
                async move { slack.deleted(&workspace, &channel, &deleted_ts).await }.boxed()
            }
            other => async move { slack.other(&workspace, other).await }.boxed(),
        };
        self.lanes().enter(&lane, job).await;
    }
}

/// What keeps its order: a thread, or all that is no message.
pub fn lane(event: &Event) -> String {
    let (channel, thread) = match &event.happened {
        Happened::Mention(message) | Happened::Message(message) => (&message.channel, message.thread()),
        Happened::Changed { channel, message, .. } => (channel, message.thread()),
        Happened::Deleted { channel, deleted_ts, before } => {
            (channel, before.as_ref().map_or(deleted_ts.as_str(), |before| before.thread()))
        }
        _ => return event.team_id.clone(),
    };
    format!("{}/{channel}#{thread}", event.team_id)
}
