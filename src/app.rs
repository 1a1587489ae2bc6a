//! The composition root: the only file that names concrete adapters, and the only one that reads the configuration.

mod check;
pub mod compose;
mod desk;
mod names;
mod parts;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::agent::{Patience, demo};
use crate::chat::Chat;
use crate::chat::console::{self, Console, Door, Handed, Line, Mode, Output, Setup, Taker};
use crate::chat::discord::Discord;
use crate::chat::slack::{Slack, manifest};
use crate::cli::{Cli, Command, Dev, DevAgent, Manifest, Serve};
use crate::config::{AgentName, Config, Fault};
use crate::control::{self, Control};
use crate::engine::{Engine, Inbound, Input};
use crate::handlers::{About, Context, Deploys, Links};
use crate::model::{Origin, Timestamp, TurnId};
use crate::runtime::kubernetes::ServerKeys;
use crate::scan::Kinds;
use crate::server::{self, Readiness};
use crate::store::{self, Journal, Store};
use crate::work::{self, Catalogue, Clusters, Work};
use desk::ChatDesk;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How the console is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Json,
    Plain,
    Terminal,
}

pub async fn run(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::Dev(dev) => run_dev(dev).await,
        Command::Serve(serve) => run_serve(serve).await,
        Command::Check { config } => check::run_check(&config).await,
        Command::Manifest(Manifest::Slack { config }) => Ok(print_manifest(config.as_deref())),
        Command::Compose(command) => Ok(compose::run(command)),
        Command::DemoAgent { listen } => run_demo(listen).await,
        Command::Backup { file, data } => run_backup(&file, &data).await,
        Command::Restore { file, data } => run_restore(file, data).await,
    };
    result.unwrap_or_else(|error| {
        say_error(&format!("gaggle: {error:#}"));
        ExitCode::FAILURE
    })
}

#[expect(clippy::print_stderr, reason = "the command line's own answers")]
fn say_error(text: &str) {
    eprintln!("{text}");
}

#[expect(clippy::print_stdout, reason = "the command line's own answers")]
fn say(text: &str) {
    println!("{text}");
}

fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
}

async fn run_dev(dev: Dev) -> anyhow::Result<ExitCode> {
    let mut config = match Config::load(None, environment()) {
        Ok(config) => config,
        Err(faults) => return Ok(report(&faults)),
    };
    if let Some(dir) = dev.data {
        config.data_dir = dir;
    }
    let mut home = false;
    match dev.agent {
        Some(DevAgent::Goose) => {
            config.agent.name = AgentName::Goose;
            home = true;
        }
        Some(DevAgent::Demo) => config.agent.name = AgentName::Demo,
        None if config.agent.name == AgentName::Auto => config.agent.name = AgentName::Demo,
        None => {}
    }
    if !dev.command.is_empty() {
        config.agent.command = Some(dev.command);
    }
    App::start(config, home, Some(door(dev.json))).await?.run(true).await
}

async fn run_serve(serve: Serve) -> anyhow::Result<ExitCode> {
    let config = match Config::load(Some(&serve.config), environment()) {
        Ok(config) => config,
        Err(faults) => return Ok(report(&faults)),
    };
    let door = match door(serve.json) {
        Way::Plain if config.slack.is_some() || config.discord.is_some() => None,
        way => Some(way),
    };
    if door == Some(Way::Plain) {
        return Ok(report(&[Fault {
            key: "serve".into(),
            what: "no surface is configured and there is no terminal".into(),
            fix: "run it on a terminal, or with `--json`, or configure a chat surface".into(),
        }]));
    }
    App::start(config, false, door).await?.run(false).await
}

fn door(json: bool) -> Way {
    use std::io::IsTerminal as _;
    match json {
        true => Way::Json,
        // A dumb terminal cannot draw anything anew.
        false if std::env::var_os("TERM").is_some_and(|t| t == "dumb") => Way::Plain,
        false if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() => Way::Terminal,
        false => Way::Plain,
    }
}

fn report(faults: &[Fault]) -> ExitCode {
    say_error(&format!("gaggle: the configuration has {} {}:", faults.len(), if faults.len() == 1 { "fault" } else { "faults" }));
    for fault in faults {
        say_error(&format!("  {fault}"));
    }
    ExitCode::FAILURE
}

/// The console with its two ends.
struct Seat {
    way: Way,
    console: Console,
    output: Output,
    lines: tokio::sync::mpsc::Receiver<Line>,
}

/// The program with everything that it consists of.
struct App {
    engine: Engine,
    seat: Option<Seat>,
    slack: Option<Slack>,
    discord: Option<Discord>,
    recovered: Vec<crate::model::Turn>,
    control: Option<Control>,
    server: Option<(tokio::net::TcpSocket, axum::Router)>,
    ready: Readiness,
    idle_stop: Option<Duration>,
}

impl App {
    async fn start(mut config: Config, home: bool, way: Option<Way>) -> anyhow::Result<Self> {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        std::fs::create_dir_all(&config.data_dir).with_context(|| format!("{} cannot be made", config.data_dir.display()))?;
        config.data_dir = config.data_dir.canonicalize()?;
        let (dir, key) = (config.data_dir.clone(), config.secret_key.clone());
        let store = tokio::task::spawn_blocking(move || Store::open(&dir, key.as_ref())).await??;
        let ready = Readiness::default();
        let server = match config.server.listen {
            None => None,
            Some(address) => Some((server::take(address)?, server::routes(server::metrics()?, ready.clone()))),
        };
        let journal = match config.slack.is_some() || config.discord.is_some() {
            true => Some(Journal::open(&store).await.context("what came in cannot be kept")?),
            false => None,
        };
        let desk = |prefix| {
            let journal = journal.clone()?;
            Some(Arc::new(ChatDesk::new(prefix, store.clone(), journal, &config.access.roles)))
        };
        let (slack_desk, discord_desk) = (desk("slack:"), desk("discord:"));
        let slack = match config.slack.take().zip(slack_desk.clone()) {
            Some((options, desk)) => Some(Slack::connect(options, desk).await?),
            None => None,
        };
        let discord = match config.discord.take().zip(discord_desk.clone()) {
            Some((options, desk)) => Some(Discord::connect(options, desk).await?),
            None => None,
        };
        let cipher = store.clone();
        let keys: ServerKeys = Arc::new(move |project| work::server_key(&cipher, project));
        let (runtime, agent, own) = parts::runtime(&config, home, keys.clone()).await?;
        store.set_own_cluster(own.as_ref().map(parts::own_cluster)).await.map_err(|e| anyhow::anyhow!("{}", e.told()))?;
        let asked = names::Asked::default();
        let seat = way.map(|way| {
            let (console, output, lines) = console(way, &store, &agent, &asked);
            Seat { way, console, output, lines }
        });
        let mut chats: Vec<Arc<dyn Chat>> = Vec::new();
        chats.extend(seat.iter().map(|seat| Arc::new(seat.console.clone()) as Arc<dyn Chat>));
        chats.extend(slack.iter().map(|slack| Arc::new(slack.clone()) as Arc<dyn Chat>));
        chats.extend(discord.iter().map(|discord| Arc::new(discord.clone()) as Arc<dyn Chat>));
        let patience = Patience { stream_idle: config.agent.stream_idle_timeout, ..Patience::default() };
        let clusters = Clusters::new(store.clone(), config.clusters.allow, own);
        let runtime = Arc::new(parts::fleet(runtime, &config.kubernetes, &store, &clusters, &keys));
        let work = Work::new(store.clone(), runtime, chats, config.limits, patience);
        let recovered = work
            .recover()
            .await
            .map_err(|e| anyhow::anyhow!("the store and the runtime cannot be brought together: {}", e.told()))?;
        let control = Control::open(store.dir());
        let about = About { version: VERSION, started: Timestamp::now(), agent };
        work.spawn({
            let clusters = clusters.clone();
            async move {
                if let Err(error) = clusters.watch_all().await {
                    tracing::error!(%error, "the clusters cannot be watched");
                }
            }
        });
        let engine = Engine::new(Context {
            work,
            policy: config.access,
            about,
            links: Links::default(),
            clusters,
            catalogue: Catalogue::new(store, config.clusters.catalogue),
            kinds: Kinds::builtin().with(config.clusters.kinds),
            release: config.clusters.release,
            deploys: Deploys::default(),
        });
        // Nobody else sets it.
        let _ = asked.set(engine.clone());
        for desk in slack_desk.iter().chain(&discord_desk) {
            desk.open(engine.clone());
        }
        let idle_stop = config.runtime.idle_stop;
        Ok(Self { engine, seat, slack, discord, recovered, control, server, ready, idle_stop })
    }

    async fn run(self, users: bool) -> anyhow::Result<ExitCode> {
        let Self { engine, mut seat, slack, discord, recovered, control, server, ready, idle_stop } = self;
        let stop = CancellationToken::new();
        // Nothing more comes in while what is under way ends.
        let listening = CancellationToken::new();
        let work = engine.work().clone();
        let mut tasks = Vec::new();
        if let Some(control) = control {
            tasks.push(tokio::spawn(control.run(work.store().clone(), stop.clone())));
        }
        // Before `ready` is told: whoever hears of it may end us at once.
        let mut terminate = signals()?;
        let mut hangup = hangup(seat.as_ref().map(|seat| seat.way))?;
        let slack_runs = match &slack {
            Some(slack) => Some(slack.start(listening.clone()).await?),
            None => None,
        };
        let discord_runs = match &discord {
            Some(discord) => Some(discord.start(listening.clone()).await?),
            None => None,
        };
        if let Some((socket, mut routes)) = server {
            let listener = socket.listen(server::WAITING).context("`server.listen`: somebody else listens there")?;
            let slack_doors = slack_runs.as_ref().and_then(|running| running.routes.clone());
            let discord_doors = discord_runs.as_ref().and_then(|running| running.routes.clone());
            for doors in slack_doors.into_iter().chain(discord_doors) {
                routes = routes.merge(doors);
            }
            tasks.push(tokio::spawn(server::serve(listener, routes, stop.clone())));
        }
        // Who hears that the console is ready may ask the server whether all is; the chats have to reach us first.
        ready.set(slack_runs.is_none() && discord_runs.is_none());
        // The first line of the console's, before anything that is taken up is told there.
        if let Some(seat) = &seat {
            seat.console.ready(VERSION).await;
        }
        work.resume(recovered);
        if let Some(after) = idle_stop {
            work.stop_idle(after);
        }
        let heard = {
            let ready = ready.clone();
            tokio::spawn(async move {
                let is_ready = async {
                    if let Some(running) = &slack_runs {
                        running.ready().await;
                    }
                    if let Some(running) = &discord_runs {
                        running.ready().await;
                    }
                    ready.set(true);
                    tracing::info!(version = VERSION, "ready");
                    // Kept until the end, and with it the sockets.
                    std::future::pending::<()>().await;
                };
                let is_served = async {
                    if let Some(running) = &slack_runs {
                        running.watch(|why| ready.fault("slack", why)).await;
                    }
                };
                tokio::join!(is_ready, is_served);
                drop((slack_runs, discord_runs));
            })
        };
        let closed = seat.as_ref().map(|seat| seat.output.closed.clone());
        let way = seat.as_ref().map(|seat| seat.way);
        let door = seat.as_mut().map(|seat| {
            let lines = std::mem::replace(&mut seat.lines, tokio::sync::mpsc::channel(1).1);
            Door::new(seat.console.clone(), Entrance(engine.clone()), users).run(lines)
        });
        let door = async {
            match door {
                Some(door) => door.await.failed,
                None => std::future::pending().await,
            }
        };
        let closed = async {
            match closed {
                Some(closed) => closed.cancelled().await,
                None => std::future::pending().await,
            }
        };
        let code = tokio::select! {
            // A person has seen what was refused. Where a chat is served too, the end of the input is not the end.
            failed = door, if slack.is_none() && discord.is_none() => if failed && way != Some(Way::Terminal) { ExitCode::FAILURE } else { ExitCode::SUCCESS },
            () = terminate.wait() => ExitCode::SUCCESS,
            Some(()) = async { hangup.as_mut()?.recv().await } => ExitCode::SUCCESS,
            () = closed => ExitCode::SUCCESS,
        };
        ready.set(false);
        listening.cancel();
        if let Some(seat) = &seat {
            seat.console.close_input();
        }
        work.shutdown().await;
        if let Some(slack) = &slack {
            slack.finish(Duration::from_secs(5)).await;
        }
        if let Some(discord) = &discord {
            discord.finish(Duration::from_secs(5)).await;
        }
        stop.cancel();
        heard.abort();
        for task in tasks {
            let _ = tokio::time::timeout(Duration::from_secs(2), task).await;
        }
        if let Some(seat) = seat {
            seat.console.finish(Duration::from_secs(5)).await;
            tokio::task::spawn_blocking(move || seat.output.finish(Duration::from_secs(5))).await?;
        }
        Ok(code)
    }
}

/// The console as it is used, with what is typed there.
fn console(way: Way, store: &Store, agent: &str, asked: &names::Asked) -> (Console, Output, tokio::sync::mpsc::Receiver<Line>) {
    let mode = match way {
        Way::Json => Mode::Json,
        Way::Plain => Mode::Plain,
        Way::Terminal => {
            let welcome = format!(
                "**Gaggle {VERSION}** with {agent}. Everything is kept in `{}`.\n\
                 Try `/project create demo`, then `/ask demo hello`. `/help` tells the rest.\n\
                 Tab completes, Ctrl-C stops an answer, Ctrl-D leaves.",
                store.dir().display(),
            );
            return Console::terminal(Setup {
                history: store.dir().join("history"),
                names: Arc::new(names::Known::new(asked.clone(), console::operator())),
                welcome,
            });
        }
    };
    let (console, output) = Console::start(mode);
    (console, output, console::standard_input())
}

/// Hands the console's inputs to the engine.
struct Entrance(Engine);

#[async_trait]
impl Taker for Entrance {
    async fn take(&self, origin: Origin, input: Handed) -> (Option<TurnId>, BoxFuture<'static, bool>) {
        let input = match input {
            Handed::Text(text) => Input::Text(text),
            Handed::Fill(form, values) => Input::Form { form, values },
            Handed::Cancel(form) => Input::CancelForm { form },
        };
        let ticket = self.0.submit(Inbound { origin, input, source: None }).await;
        (ticket.turn, ticket.ended().boxed())
    }

    async fn no_more_forms(&self, surface: &'static str) {
        self.0.cancel_forms(surface).await;
    }

    async fn unattended(&self, surface: &'static str) {
        self.0.work().deny_unattended(surface).await;
    }
}

fn print_manifest(file: Option<&Path>) -> ExitCode {
    let mut wanted = manifest::Wanted::default();
    if let Some(file) = file {
        match Config::load(Some(file), environment()) {
            Ok(config) => wanted = config.slack.as_ref().map_or(wanted, manifest::Wanted::from),
            Err(faults) => return report(&faults),
        }
    }
    say(manifest::yaml(&manifest::manifest(&wanted)).trim_end());
    ExitCode::SUCCESS
}

async fn run_demo(listen: Option<std::net::SocketAddr>) -> anyhow::Result<ExitCode> {
    let state = std::env::var_os("GOOSE_PATH_ROOT").map_or_else(|| PathBuf::from("./.gaggle-demo-agent"), PathBuf::from);
    let mut options = demo::Options::new(state);
    options.secret_key = std::env::var("GOOSE_SERVER__SECRET_KEY").ok().map(Into::into);
    if let Ok(mode) = std::env::var("GOOSE_MODE") {
        options.mode = mode;
    }
    let stop = options.shutdown.clone();
    let mut terminate = signals()?;
    tokio::spawn(async move {
        terminate.wait().await;
        stop.cancel();
    });
    match listen {
        Some(address) => demo::serve(server::listen(address)?, options).await?,
        None => demo::serve_stdio(options).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_backup(file: &Path, dir: &Path) -> anyhow::Result<ExitCode> {
    let to = std::path::absolute(file)?;
    let bytes = match control::backup(dir, &to).await? {
        Some(Ok(bytes)) => bytes,
        Some(Err(text)) => anyhow::bail!(text),
        None => {
            let (dir, to) = (dir.to_owned(), to.clone());
            tokio::task::spawn_blocking(move || store::backup_offline(&dir, &to)).await?.map_err(|e| anyhow::anyhow!(e.told()))?
        }
    };
    say(&format!(
        "Wrote {} ({} KiB). It holds neither the projects' folders nor the key that opens the secrets: keep {} or GAGGLE_SECRET_KEY in another safe place.",
        to.display(),
        bytes.div_ceil(1024),
        dir.join("secret.key").display(),
    ));
    Ok(ExitCode::SUCCESS)
}

async fn run_restore(file: PathBuf, dir: PathBuf) -> anyhow::Result<ExitCode> {
    let shown = dir.clone();
    tokio::task::spawn_blocking(move || store::restore(&file, &dir)).await?.map_err(|e| anyhow::anyhow!(e.told()))?;
    say(&format!(
        "Restored the store to {}. To read its secrets, put the key that belongs to it at {} or into GAGGLE_SECRET_KEY.",
        shown.display(),
        shown.join("secret.key").display(),
    ));
    Ok(ExitCode::SUCCESS)
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

fn signals() -> anyhow::Result<Signals> {
    use tokio::signal::unix::{SignalKind, signal};
    Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
}

/// The terminal was closed: the agents must not be left behind.
fn hangup(way: Option<Way>) -> anyhow::Result<Option<tokio::signal::unix::Signal>> {
    use tokio::signal::unix::{SignalKind, signal};
    Ok(if way == Some(Way::Terminal) { Some(signal(SignalKind::hangup())?) } else { None })
}

impl Signals {
    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
