//! The Discord surface: slash commands, modals, buttons, threads and direct messages, by the gateway or by signed HTTP requests.
//!
//! Knows no project and no role: what it needs of those behind it stands in [`super::desk`]. The gateway and the REST client are
//! ours, since serenity's drop what they do not know and hide the rates that Discord tells; of serenity there are the checks of
//! signatures and the numbers of intents.

mod asked;
mod catchup;
mod channels;
pub mod check;
pub mod commands;
mod form;
pub mod gateway;
pub mod http;
mod intake;
mod interactions;
mod markdown;
mod messages;
mod names;
mod offers;
mod payload;
mod place;
mod render;
mod replies;
pub mod rest;
mod show;
mod threads;
mod used;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::asked::Asked;
use super::desk::Desk;
use super::draft::Claims;
use super::lanes::Lanes;
use super::{Chat, LiveTurn};
use crate::error::Result;
use crate::model::{ConversationId, File, Form, Origin, Progress, Reply, Timestamp};
use channels::Channels;
use gateway::Gateway;
use payload::Message;
use place::{DIRECT, Place};
use rest::{Fault, Method, Rank, Request, Rest, Route};

pub const SURFACE: &str = "discord";
/// How long a start waits for Discord to be reached.
const PATIENCE: Duration = Duration::from_secs(60);

/// How Discord reaches us.
#[derive(Debug, Clone)]
pub enum Way {
    /// We open the gateway: no address of ours is needed.
    Gateway,
    /// Discord posts signed interactions to us. What people write does not come this way.
    Http { public_key: http::PublicKey },
}

/// Which messages in a bound thread are for the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThreadMessages {
    /// Takes the privileged intent for the content of messages.
    #[default]
    All,
    Mentions,
}

/// `[discord]` of the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    pub way: Way,
    pub token: SecretString,
    pub application_id: String,
    /// Ends in `/api`, without a slash behind it.
    pub api_url: String,
    /// Where commands are registered; empty: everywhere.
    pub guilds: Vec<String>,
    pub thread_messages: ThreadMessages,
    /// Bytes of one attached file.
    pub file_limit: usize,
    /// How far back messages are fetched after Gaggle was away, and how many at most.
    pub catch_up: Duration,
    pub catch_up_messages: usize,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Discord(Arc<Inner>);

struct Inner {
    options: Options,
    rest: Rest,
    desk: Arc<dyn Desk>,
    bot: String,
    asked: Asked<asked::Ask>,
    pages: form::Pages,
    lanes: Lanes,
    channels: Channels,
    quotes: Mutex<HashMap<String, String>>,
    names: names::Names,
    used: used::Used,
    /// Turns are shown one after the other in each thread.
    stages: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    shows: TaskTracker,
    claims: Arc<Claims>,
    /// Milliseconds since 1970.
    seen: AtomicI64,
    missed: Mutex<Option<Timestamp>>,
    missing: Notify,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was started, until it is stopped.
pub struct Running {
    /// To be served, in HTTP mode.
    pub routes: Option<axum::Router>,
    gateway: Option<Arc<Gateway>>,
}

impl Running {
    /// Resolves once Discord can reach us.
    pub async fn ready(&self) {
        if let Some(gateway) = &self.gateway
            && let Err(why) = gateway.ready().await
        {
            tracing::error!("Discord's gateway was given up: {why}");
        }
    }
}

impl Discord {
    /// Asks Discord who the token is. One that is no good is an error; a Discord that cannot be reached is waited for a while.
    pub async fn connect(options: Options, desk: Arc<dyn Desk>) -> anyhow::Result<Self> {
        let rest = Rest::new(&options.api_url, options.token.clone())?;
        let give_up = tokio::time::Instant::now() + PATIENCE;
        let mut tries = 0;
        let me = loop {
            let request = Request::new(Route::new(Method::GET, "/users/@me"));
            match rest.call(request, Rank::Reply).await {
                Ok(me) => break me,
                Err(fault) if fault.is_token_dead() => {
                    anyhow::bail!(
                        "`discord.token`: Discord does not take it; copy the token anew from the application's Bot page"
                    );
                }
                Err(_) if tokio::time::Instant::now() > give_up => {
                    anyhow::bail!("`discord.api_url`: Discord cannot be reached at {}; look at the network", options.api_url);
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(250 << tries.min(6))).await,
            }
            tries += 1;
        };
        let bot = me["id"].as_str().unwrap_or_default().to_owned();
        Ok(Self(Arc::new(Inner {
            options,
            rest,
            desk,
            bot,
            asked: Asked::default(),
            pages: form::Pages::default(),
            lanes: Lanes::default(),
            channels: Channels::default(),
            quotes: Mutex::default(),
            names: names::Names::default(),
            used: used::Used::default(),
            stages: Mutex::default(),
            shows: TaskTracker::new(),
            claims: Arc::default(),
            seen: AtomicI64::new(0),
            missed: Mutex::default(),
            missing: Notify::new(),
        })))
    }

    /// Takes what Discord sends until `stop`.
    pub async fn start(&self, stop: CancellationToken) -> anyhow::Result<Running> {
        match self.register().await {
            Ok(0) => {}
            Ok(changed) => tracing::info!(changed, "commands were registered with Discord"),
            Err(fault) => anyhow::bail!(
                "`discord.application_id`: commands cannot be registered (Discord says {}); look at the id and at `discord.guilds`",
                fault.code().or(fault.status().map(u64::from)).map_or("nothing".to_owned(), |code| code.to_string())
            ),
        }
        let quick = self.desk().unhandled_quick();
        let events = self.desk().unhandled().await;
        let running = match self.options().way.clone() {
            Way::Http { public_key } => Running { routes: Some(http::routes(public_key, self.door())), gateway: None },
            Way::Gateway => Running { routes: None, gateway: Some(Arc::new(self.open_gateway(stop.clone()).await?)) },
        };
        let (discord, gateway) = (self.clone(), running.gateway.clone());
        tokio::spawn(async move {
            let work = async {
                discord.show_unshown().await;
                discord.take_up(quick, events).await;
                match gateway {
                    Some(gateway) => catchup::run(discord, gateway).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = work => {}
                () = stop.cancelled() => {}
            }
        });
        Ok(running)
    }

    async fn take_up(&self, quick: Vec<(String, String)>, events: Vec<(String, Timestamp, String)>) {
        for (key, note) in quick {
            let discord = self.clone();
            tokio::spawn(async move {
                if discord.desk().turn_of(&key).await.is_none() {
                    discord.interact_again(&note, &key).await;
                }
                discord.desk().done_quick(&key);
            });
        }
        for (key, _, note) in events {
            match serde_json::from_str::<Message>(&note) {
                Ok(message) => {
                    let (discord, lane) = (self.clone(), format!("discord {}", message.channel_id));
                    let job = async move { discord.message(message, &key).await };
                    self.lanes().enter(&lane, job.boxed()).await;
                }
                Err(_) => self.desk().handled(&key).await,
            }
        }
    }

    /// Shows what is known of each turn that has ended, but waits no longer than that.
    pub async fn finish(&self, patience: Duration) {
        self.0.shows.close();
        let _ = tokio::time::timeout(patience, self.0.shows.wait()).await;
    }

    /// What ended and was not shown to its end by an earlier program.
    async fn show_unshown(&self) {
        for turn in self.desk().unshown().await {
            if turn.origin.actor.surface == SURFACE {
                self.show_turn(LiveTurn::new(turn));
            }
        }
    }

    fn options(&self) -> &Options {
        &self.0.options
    }

    fn rest(&self) -> &Rest {
        &self.0.rest
    }

    fn desk(&self) -> Arc<dyn Desk> {
        self.0.desk.clone()
    }

    fn asked(&self) -> &Asked<asked::Ask> {
        &self.0.asked
    }

    fn pages(&self) -> &form::Pages {
        &self.0.pages
    }

    fn lanes(&self) -> &Lanes {
        &self.0.lanes
    }

    fn channels(&self) -> &Channels {
        &self.0.channels
    }

    fn quotes(&self) -> &Mutex<HashMap<String, String>> {
        &self.0.quotes
    }

    /// The bot's user.
    fn bot(&self) -> &str {
        &self.0.bot
    }

    /// Whether what people write comes here.
    fn gets_messages(&self) -> bool {
        matches!(self.options().way, Way::Gateway)
    }

    fn application(&self) -> &str {
        &self.0.options.application_id
    }

    async fn call(&self, method: Method, path: String, body: Option<&Value>, rank: Rank) -> std::result::Result<Value, Fault> {
        let request = Request::new(Route::new(method, path));
        self.rest()
            .call(
                match body {
                    Some(body) => request.body(body),
                    None => request,
                },
                rank,
            )
            .await
    }

    /// Reads something.
    async fn ask(&self, path: String, query: &[(&str, String)]) -> std::result::Result<Value, Fault> {
        self.rest().call(Request::new(Route::new(Method::GET, path)).query(query), Rank::Reply).await
    }

    async fn send(
        &self,
        method: Method,
        path: String,
        message: &render::Message,
        rank: Rank,
    ) -> std::result::Result<Value, Fault> {
        self.send_body(method, path, &message.body(), &message.files, rank).await
    }

    async fn send_body(
        &self,
        method: Method,
        path: String,
        body: &Value,
        files: &[File],
        rank: Rank,
    ) -> std::result::Result<Value, Fault> {
        self.rest().call(Request::new(Route::new(method, path)).body(body).files(files), rank).await
    }

    /// The right to show a turn in a thread, in the order in which it is asked for.
    async fn stage(&self, thread: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let stage = {
            let mut stages = locked(&self.0.stages);
            stages.retain(|_, stage| Arc::strong_count(stage) > 1);
            stages.entry(thread.to_owned()).or_default().clone()
        };
        stage.lock_owned().await
    }

    fn last_seen(&self) -> i64 {
        self.0.seen.load(Ordering::Relaxed)
    }

    fn saw(&self, message: &Message) {
        self.0.seen.fetch_max(catchup::made(&message.id), Ordering::Relaxed);
        // Only where the bot is spoken to: it may sit in hundreds.
        if message.guild_id.is_none() || message.mentions(self.bot()) {
            self.used().used(&message.channel_id, message.guild_id.as_deref().unwrap_or(DIRECT));
        }
    }

    fn used(&self) -> &used::Used {
        &self.0.used
    }

    fn catch_up_soon(&self) {
        let from = Timestamp::now() - Duration::from_secs(120);
        let mut missed = locked(&self.0.missed);
        *missed = Some(missed.map_or(from, |before| before.min(from)));
        drop(missed);
        self.0.missing.notify_one();
    }

    /// The next time since which something may have been missed.
    async fn missed(&self) -> Timestamp {
        loop {
            if let Some(from) = locked(&self.0.missed).take() {
                return from;
            }
            self.0.missing.notified().await;
        }
    }
}

#[async_trait]
impl Chat for Discord {
    fn surface(&self) -> &'static str {
        SURFACE
    }

    async fn reply(&self, to: &Origin, reply: Reply) {
        self.answer(to, reply).await;
    }

    async fn progress(&self, to: &Origin, step: Progress) {
        self.step(to, step).await;
    }

    async fn note(&self, to: &ConversationId, note: String) {
        let Some(place) = Place::parse(to) else { return };
        for piece in render::pieces(&markdown::named(&note)) {
            let message = render::Message::text(piece);
            if let Err(fault) = self.post(place.written(), message.body(), &[], Rank::Update).await {
                tracing::info!(code = fault.code(), "a note could not be shown");
            }
        }
    }

    async fn open_thread(&self, to: &Origin, message: &str, free: bool) -> Result<Option<ConversationId>> {
        self.thread_for(to, message, free).await
    }

    fn asks_for_arguments(&self) -> bool {
        true
    }

    fn has_forms(&self) -> bool {
        true
    }

    fn attended(&self) -> bool {
        !self.rest().is_dead()
    }

    fn show_turn(&self, turn: LiveTurn) {
        let discord = self.clone();
        self.0.shows.spawn(async move {
            let task = tokio::spawn(show::turn(discord, turn));
            if let Err(error) = task.await {
                tracing::error!(%error, "a turn could not be shown");
            }
        });
    }

    async fn form(&self, to: &Origin, form: &Form) {
        self.ask_form(to, form).await;
    }

    async fn has_person(&self, id: &str) -> bool {
        id.len() >= 15 && id.bytes().all(|b| b.is_ascii_digit())
    }

    fn title(&self, thread: &ConversationId, title: &str) {
        if let Some(place) = Place::parse(thread) {
            self.name_thread(&place, title);
        }
    }
}
