//! The Slack surface: slash commands, modals, buttons, threads and the App Home, over Socket Mode or signed HTTP.
//!
//! A workspace has its own token, rates and names; there is one today, and nothing but [`Slack::connect`] knows that. Knows no
//! project and no role: what it needs of those behind it stands in [`super::desk`].

pub mod api;
mod asked;
pub mod blocks;
mod catchup;
pub mod check;
pub mod delivery;
mod forms;
pub mod home;
pub mod http;
mod intake;
pub mod limiter;
pub mod manifest;
pub mod markdown;
mod messages;
pub mod modal;
pub mod payload;
mod people;
mod place;
mod posted;
mod replies;
mod roots;
mod show;
mod shown;
pub mod socket;
pub mod speech;
pub mod text;
mod workspace;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::json;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::asked::Asked;
use super::desk::Desk;
use super::draft::Claims;
use super::lanes::Lanes;
use super::{Chat, LiveTurn, split};
use crate::error::Result;
use crate::model::{ConversationId, Form, Origin, Progress, Reply, Timestamp};
use api::{Api, Fault};
use limiter::{Method, Rank};
use place::Place;
use speech::{At, Speech};
use workspace::{Call, Workspace};

pub const SURFACE: &str = "slack";
/// Deliveries that may wait to be looked at.
const DELIVERIES: usize = 1_024;
/// How long a start waits for Slack to be reached.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long there may be no connection before that is told.
const LONELY: Duration = Duration::from_secs(60);
/// Channels that are remembered as used.
const CHANNELS: usize = 500;

/// How Slack reaches us.
#[derive(Debug, Clone)]
pub enum Way {
    /// We open sockets: no address of ours is needed.
    Socket { app_token: SecretString },
    /// Slack posts signed requests to us.
    Http { signing_secret: SecretString },
}

/// Which messages in a bound thread are for the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThreadMessages {
    #[default]
    All,
    Mentions,
}

/// `[slack]` of the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    pub way: Way,
    pub bot_token: SecretString,
    /// Ends in `/api`, without a slash behind it.
    pub api_url: String,
    /// The slash commands that stand alone besides `/gaggle`, without prefix and slash.
    pub commands: Vec<String>,
    /// Before the name of each: `acme-` makes `/acme-project`; the one for all is then `/acme-gaggle`.
    pub command_prefix: String,
    pub thread_messages: ThreadMessages,
    /// Whether answers are streamed where the workspace has it.
    pub streaming: bool,
    /// Bytes of one attached file.
    pub file_limit: usize,
    /// How far back messages are fetched after Gaggle was away, and how many at most.
    pub catch_up: Duration,
    pub catch_up_messages: usize,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Slack(Arc<Inner>);

struct Inner {
    options: Options,
    workspaces: Vec<Arc<Workspace>>,
    api: Api,
    desk: Arc<dyn Desk>,
    asked: Asked<asked::Ask>,
    speech: Speech,
    lanes: Lanes,
    /// The configured user groups that each user is in.
    groups: Mutex<HashMap<String, Vec<String>>>,
    /// Who has looked at the App Home, and what to say there next.
    homes: Mutex<HashMap<String, Option<String>>>,
    channels: Mutex<BTreeSet<String>>,
    showing: AtomicUsize,
    claims: Arc<Claims>,
    shows: TaskTracker,
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
    sockets: Option<socket::Sockets>,
    workspaces: Vec<Arc<Workspace>>,
}

impl Running {
    /// Resolves once Slack can reach us.
    pub async fn ready(&self) {
        if let Some(sockets) = &self.sockets {
            let mut state = sockets.board().state();
            let _ = state.wait_for(|s| s.live > 0).await;
        }
    }

    /// Tells why nothing comes from Slack or goes there, and `None` when that is over. Never ends.
    pub async fn watch(&self, tell: impl Fn(Option<String>)) {
        let mut deaths: Vec<_> = self.workspaces.iter().map(|workspace| workspace.death()).collect();
        let mut state = self.sockets.as_ref().map(|sockets| sockets.board().state());
        // When it is to be told that there is no connection, if there is none by then.
        let mut lonely = None;
        loop {
            let dead = deaths.iter_mut().find_map(|death| death.borrow_and_update().clone());
            let (live, refused) = match &mut state {
                Some(state) => {
                    let state = state.borrow_and_update();
                    (state.live > 0, state.refused.clone())
                }
                None => (true, None),
            };
            let since = *lonely.get_or_insert_with(|| tokio::time::Instant::now() + LONELY);
            lonely = (!live).then_some(since);
            tell(match (dead, refused) {
                (Some(code), _) => Some(format!("Slack does not take `slack.bot_token` ({code}); reinstall the app")),
                (None, Some(code)) if !live => {
                    Some(format!("Slack opens no socket ({code}); look at the app and `slack.app_token`"))
                }
                (None, None) if !live && since <= tokio::time::Instant::now() => Some("no connection to Slack".to_owned()),
                _ => None,
            });
            let died = futures_util::future::select_all(deaths.iter_mut().map(|death| Box::pin(death.changed())));
            let changed = async {
                match &mut state {
                    Some(state) => drop(state.changed().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = died => {}
                () = changed => {}
                () = tokio::time::sleep_until(since), if !live && since > tokio::time::Instant::now() => {}
            }
        }
    }
}

impl Slack {
    /// Asks Slack who the token is. One that is no good is an error; a Slack that cannot be reached is waited for a while.
    pub async fn connect(options: Options, desk: Arc<dyn Desk>) -> anyhow::Result<Self> {
        let api = Api::new(&options.api_url, options.bot_token.clone())?;
        let give_up = tokio::time::Instant::now() + PATIENCE;
        let mut tries = 0;
        let auth = loop {
            match api.auth().await {
                Ok(auth) => break auth,
                Err(fault @ Fault::Refused(_)) => {
                    let code = fault.code().unwrap_or_default();
                    anyhow::bail!(
                        "`slack.bot_token`: Slack does not take it ({code}); copy the Bot User OAuth Token anew from the app's page"
                    );
                }
                Err(_) if tokio::time::Instant::now() > give_up => {
                    anyhow::bail!("`slack.api_url`: Slack cannot be reached at {}; look at the network", options.api_url);
                }
                Err(_) => tokio::time::sleep(workspace::pause(tries)).await,
            }
            tries += 1;
        };
        let workspace = Arc::new(Workspace::new(auth.team_id, auth.user_id, &auth.user, api.clone()));
        Ok(Self(Arc::new(Inner {
            speech: Speech::new(&options, &workspace.bot_name),
            options,
            workspaces: vec![workspace],
            api,
            desk,
            asked: Asked::default(),
            lanes: Lanes::default(),
            groups: Mutex::default(),
            homes: Mutex::default(),
            channels: Mutex::default(),
            showing: AtomicUsize::new(0),
            claims: Arc::default(),
            shows: TaskTracker::new(),
            seen: AtomicI64::new(0),
            missed: Mutex::default(),
            missing: Notify::new(),
        })))
    }

    /// Takes what Slack sends until `stop`.
    pub async fn start(&self, stop: CancellationToken) -> anyhow::Result<Running> {
        for (id, name) in self.desk().names().await {
            for workspace in self.workspaces() {
                workspace.call_name(&id, &name);
            }
        }
        for workspace in self.workspaces() {
            self.load_groups(workspace).await;
        }
        let left = self.left_over().await;
        let (queue, deliveries) = mpsc::channel(DELIVERIES);
        let desk = self.desk();
        let keep: delivery::Keep = Arc::new(move |key, note| desk.receive_quick(key, note));
        let workspaces = self.workspaces().to_vec();
        for workspace in workspaces.clone() {
            let stop = stop.clone();
            tokio::spawn(async move {
                tokio::select! { () = workspace.heal() => {} () = stop.cancelled() => {} }
            });
        }
        let running = match &self.0.options.way {
            Way::Http { signing_secret } => {
                Running { routes: Some(http::routes(signing_secret, queue, keep)), sockets: None, workspaces }
            }
            Way::Socket { app_token } => {
                let sockets = socket::start(self.0.api.with_token(app_token), queue, keep, stop.clone()).await;
                let sockets = sockets.map_err(|fault| {
                    let code = fault.code().unwrap_or("unreachable");
                    anyhow::anyhow!(
                        "`slack.app_token`: Slack opens no socket with it ({code}); make an app-level token with `connections:write`"
                    )
                })?;
                let (slack, board, stop) = (self.clone(), sockets.board().clone(), stop.clone());
                tokio::spawn(async move {
                    loop {
                        tokio::select! {
                            gap = board.gap() => slack.miss(gap.from),
                            () = stop.cancelled() => return,
                        }
                    }
                });
                Running { routes: None, sockets: Some(sockets), workspaces }
            }
        };
        tokio::spawn(intake::run(self.clone(), deliveries, stop.clone()));
        let slack = self.clone();
        tokio::spawn(async move {
            slack.show_unshown().await;
            slack.take_up(left).await;
            tokio::select! {
                () = catchup::run(slack) => {}
                () = stop.cancelled() => {}
            }
        });
        Ok(running)
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

    fn desk(&self) -> Arc<dyn Desk> {
        self.0.desk.clone()
    }

    fn asked(&self) -> &Asked<asked::Ask> {
        &self.0.asked
    }

    fn speech(&self) -> &Speech {
        &self.0.speech
    }

    fn lanes(&self) -> &Lanes {
        &self.0.lanes
    }

    fn workspaces(&self) -> &[Arc<Workspace>] {
        &self.0.workspaces
    }

    /// The workspace of a team. Of shared channels some things come under another team's name; with one workspace they are its.
    fn workspace(&self, team: &str) -> Option<Arc<Workspace>> {
        let all = self.workspaces();
        let named = all.iter().find(|w| w.team == team);
        named.or_else(|| all.first().filter(|_| all.len() == 1)).cloned()
    }

    fn streams(&self) -> bool {
        self.0.options.streaming
    }

    /// Turns that are being shown.
    fn showing(&self) -> usize {
        self.0.showing.load(Ordering::Relaxed)
    }

    fn last_seen(&self) -> i64 {
        self.0.seen.load(Ordering::Relaxed)
    }

    fn saw(&self, event: &payload::Event) {
        let (ts, channel) = match &event.happened {
            payload::Happened::Mention(m) | payload::Happened::Message(m) => {
                (m.ts.parse::<f64>().unwrap_or(0.0), Some(&m.channel))
            }
            _ => (event.event_time as f64, None),
        };
        self.0.seen.fetch_max((ts * 1000.0) as i64, Ordering::Relaxed);
        if let Some(channel) = channel {
            let mut channels = locked(&self.0.channels);
            if channels.len() < CHANNELS {
                channels.insert(channel.clone());
            }
        }
    }

    fn used_channels(&self) -> BTreeSet<String> {
        locked(&self.0.channels).clone()
    }

    /// Something may have been missed since then.
    fn miss(&self, from: Timestamp) {
        let mut missed = locked(&self.0.missed);
        *missed = Some(missed.map_or(from, |before| before.min(from)));
        drop(missed);
        self.0.missing.notify_one();
    }

    fn catch_up_soon(&self) {
        self.miss(Timestamp::now() - Duration::from_secs(120));
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

    /// Writes into a thread, for all.
    async fn tell_thread(&self, to: &ConversationId, md: &str) {
        let Some(place) = Place::parse(to) else { return };
        let (Some(workspace), Some(thread)) = (self.workspace(&place.team), &place.thread) else { return };
        let call = Call { api: "chat.postMessage", method: Method::Post, channel: &place.channel, thread, rank: Rank::Update };
        let metadata = json!({ "event_type": "gaggle", "event_payload": { "kind": "note" } });
        let text = markdown::mrkdwn(md);
        let body = json!({ "channel": place.channel, "thread_ts": thread, "text": text, "metadata": metadata });
        if let Err(fault) = workspace.post(call, &body).await {
            tracing::info!(code = fault.code().unwrap_or("unreachable"), "a note could not be shown");
        }
    }
}

#[async_trait]
impl Chat for Slack {
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
        self.tell_thread(to, &self.speech().text(&note, At::Thread)).await;
    }

    async fn open_thread(&self, to: &Origin, message: &str, free: bool) -> Result<Option<ConversationId>> {
        let Some(place) = Place::parse(&to.conversation) else { return Ok(None) };
        let Some(workspace) = self.workspace(&place.team) else { return Ok(None) };
        if place.thread.is_some() && free {
            self.title(&workspace, &place, message);
            return Ok(Some(to.conversation.clone()));
        }
        let user = to.actor.id.rsplit('/').next().unwrap_or_default();
        let place = match place.channel.starts_with("home-") {
            true => Place::new(&place.team, &self.direct_channel(&workspace, user).await?, None),
            false => place,
        };
        let quoted: Vec<String> = split::pieces(message, blocks::SECTION).iter().map(|p| markdown::mrkdwn(p)).collect();
        let mut parts = quoted.into_iter();
        let first = parts.next().unwrap_or_default().replace('\n', "\n>");
        let asker = markdown::mrkdwn(&format!("**{}** asks:", text::literal(&to.actor.name)));
        let text = format!("{asker}\n>{first}");
        let body = roots::body(&place.channel, &text, to.input.as_deref().unwrap_or_default());
        if let Some(root) = self.root_before(&workspace, &place, &body).await {
            return Ok(Some(Place::new(&place.team, &place.channel, Some(&root)).id()));
        }
        let root = self.post_root(&workspace, &place, &body).await?;
        let thread = Place::new(&place.team, &place.channel, Some(&root));
        for part in parts {
            self.tell_thread(&thread.id(), &format!("> {}", part.replace('\n', "\n> "))).await;
        }
        Ok(Some(thread.id()))
    }

    fn asks_for_arguments(&self) -> bool {
        true
    }

    fn has_forms(&self) -> bool {
        true
    }

    fn attended(&self) -> bool {
        self.workspaces().iter().any(|w| !w.is_dead())
    }

    fn show_turn(&self, turn: LiveTurn) {
        let slack = self.clone();
        slack.0.showing.fetch_add(1, Ordering::Relaxed);
        self.0.shows.spawn(async move {
            let task = tokio::spawn(show::turn(slack.clone(), turn));
            if let Err(error) = task.await {
                tracing::error!(%error, "a turn could not be shown");
            }
            slack.0.showing.fetch_sub(1, Ordering::Relaxed);
        });
    }

    async fn form(&self, to: &Origin, form: &Form) {
        self.ask_form(to, form).await;
    }

    async fn has_person(&self, id: &str) -> bool {
        let id = id.rsplit('/').next().unwrap_or_default();
        let Some(workspace) = self.workspaces().first().filter(|_| text::is_user(id)) else { return false };
        workspace.name_known(id).is_some() || workspace.has_user(id).await
    }
}
