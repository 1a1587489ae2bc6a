//! The door: reads inputs, lets each start when its lane says so, and ends when the input has ended and its work is done.
//! Knows the engine only as something that takes an input and says when it has ended.

use std::collections::HashMap;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::input::{self, Invalid, Line, Request, What};
use super::lane::{Item, Kind, Lane};
use super::{Console, Event, SURFACE, origin};
use crate::model::{FormId, Origin, TurnId, Values};

/// What the door hands on.
#[derive(Debug)]
pub enum Handed {
    Text(String),
    Fill(FormId, Values),
    Cancel(FormId),
}

/// What takes the inputs: the engine, by way of the composition root.
#[async_trait]
pub trait Taker: Send + Sync + 'static {
    /// Returns once the input is accepted: the turn that answers it, and its end.
    async fn take(&self, origin: Origin, input: Handed) -> (Option<TurnId>, BoxFuture<'static, bool>);

    /// No form can be filled in here any longer.
    async fn no_more_forms(&self, surface: &'static str);

    /// Nobody can answer here any longer.
    async fn unattended(&self, surface: &'static str);
}

pub struct Door<T> {
    console: Console,
    taker: std::sync::Arc<T>,
    /// Whether inputs may name other users.
    users: bool,
    lanes: HashMap<String, Lane<Ready>>,
    wake: mpsc::Sender<Wake>,
    woken: mpsc::Receiver<Wake>,
    keys: u64,
    /// Forms' answers that are being taken.
    forms: usize,
    failed: bool,
}

struct Ready {
    origin: Origin,
    text: String,
}

enum Wake {
    Accepted { lane: String, key: u64, turn: bool },
    Ended { lane: String, key: u64, ok: bool },
    FormTaken,
    FormEnded { ok: bool },
}

/// How the input ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoorEnd {
    /// Something was refused or failed.
    pub failed: bool,
}

impl<T: Taker> Door<T> {
    pub fn new(console: Console, taker: T, users: bool) -> Self {
        let (wake, woken) = mpsc::channel(256);
        Self {
            console,
            taker: std::sync::Arc::new(taker),
            users,
            lanes: HashMap::new(),
            wake,
            woken,
            keys: 0,
            forms: 0,
            failed: false,
        }
    }

    /// Runs until the input has ended and its work is done.
    pub async fn run(mut self, mut lines: mpsc::Receiver<Line>) -> DoorEnd {
        let mut open = true;
        let mut attended = true;
        let console = self.console.clone();
        let mut form_ends = 0usize;
        loop {
            if !open && self.forms == 0 && self.console.0.has_forms.load(std::sync::atomic::Ordering::Relaxed) {
                self.console.no_more_forms();
                self.taker.no_more_forms(SURFACE).await;
            }
            if !open && attended && self.forms == 0 && self.lanes.values().all(|l| l.answers() == 0) {
                attended = false;
                self.console.no_more_forms();
                self.console.leave();
                self.taker.unattended(SURFACE).await;
            }
            if !open && self.lanes.is_empty() && self.forms == 0 && form_ends == 0 {
                break;
            }
            let room = self.lanes.get(super::GENERAL).is_none_or(|l| !l.is_full());
            tokio::select! {
                line = lines.recv(), if open && room => match line {
                    Some(line) => self.line(line, &mut form_ends).await,
                    None => open = false,
                },
                Some(wake) = self.woken.recv() => self.woken(wake, &mut form_ends),
                () = console.0.changed.notified() => {
                    let held: Vec<String> = self.lanes.iter().filter(|(_, l)| l.answers() > 0).map(|(name, _)| name.clone()).collect();
                    for name in held {
                        self.pump(&name);
                    }
                }
            }
        }
        self.console.all_shown().await;
        DoorEnd { failed: self.failed }
    }

    async fn line(&mut self, line: Line, form_ends: &mut usize) {
        match input::request(line, self.console.0.mode, self.users) {
            None => {}
            Some(Ok(request)) => self.request(request, form_ends).await,
            Some(Err(Invalid { id, error })) => {
                self.failed = true;
                self.console.emit(Event::End { id, ok: false, error: Some(error) }).await;
            }
        }
    }

    async fn request(&mut self, request: Request, form_ends: &mut usize) {
        self.keys += 1;
        let key = self.keys;
        let id = request.id.unwrap_or_else(|| format!("#{key}"));
        let origin = origin(request.user.as_deref(), &request.conversation, &id);
        match request.what {
            What::Say(text) => {
                let name = request.conversation;
                let lane = self.lanes.entry(name.clone()).or_default();
                if lane.is_full() {
                    self.failed = true;
                    let error = format!(
                        "{} inputs are waiting in this conversation already. Wait until some have ended.",
                        super::lane::WAITING
                    );
                    self.console.emit(Event::End { id: Some(id), ok: false, error: Some(error) }).await;
                    return;
                }
                lane.push(Item { key, kind: Kind::of(&text), sequential: request.sequential, input: Ready { origin, text } });
                self.pump(&name);
            }
            What::Fill(form, values) => self.form(origin, Handed::Fill(form, values), id, form_ends),
            What::Cancel(form) => self.form(origin, Handed::Cancel(form), id, form_ends),
        }
    }

    /// A form's answer is never queued behind anything.
    fn form(&mut self, origin: Origin, input: Handed, id: String, form_ends: &mut usize) {
        self.forms += 1;
        *form_ends += 1;
        let (taker, console, wake) = (self.taker.clone(), self.console.clone(), self.wake.clone());
        tokio::spawn(async move {
            let (_, ended) = taker.take(origin, input).await;
            let _ = wake.send(Wake::FormTaken).await;
            let ok = ended.await;
            console.emit(Event::End { id: Some(id), ok, error: None }).await;
            let _ = wake.send(Wake::FormEnded { ok }).await;
        });
    }

    /// Starts what may start in a conversation.
    fn pump(&mut self, name: &str) {
        let Some(lane) = self.lanes.get_mut(name) else { return };
        let conversation = crate::model::ConversationId(format!("{SURFACE}:{name}"));
        let wants = lane.answers() > 0 && self.console.wants_approval(&conversation);
        let Some(item) = lane.next(wants) else { return };
        let (taker, console, wake, name) = (self.taker.clone(), self.console.clone(), self.wake.clone(), name.to_owned());
        let (key, Ready { origin, text }) = (item.key, item.input);
        tokio::spawn(async move {
            let id = origin.input.clone();
            let (turn, ended) = taker.take(origin, Handed::Text(text)).await;
            let _ = wake.send(Wake::Accepted { lane: name.clone(), key, turn: turn.is_some() }).await;
            let ok = ended.await;
            if let Some(turn) = turn {
                console.shown(turn).await;
            }
            console.emit(Event::End { id, ok, error: None }).await;
            let _ = wake.send(Wake::Ended { lane: name, key, ok }).await;
        });
    }

    fn woken(&mut self, wake: Wake, form_ends: &mut usize) {
        match wake {
            Wake::Accepted { lane, key, turn } => {
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.accepted(key, turn);
                }
                self.pump(&lane);
            }
            Wake::Ended { lane: name, key, ok } => {
                self.failed |= !ok;
                if let Some(lane) = self.lanes.get_mut(&name) {
                    lane.ended(key);
                    if lane.is_idle() {
                        self.lanes.remove(&name);
                    }
                }
                self.pump(&name);
            }
            Wake::FormTaken => self.forms -= 1,
            Wake::FormEnded { ok } => {
                self.failed |= !ok;
                *form_ends -= 1;
            }
        }
    }
}
