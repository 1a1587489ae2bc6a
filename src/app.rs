//! The composition root: the only file that names concrete adapters, and the only one that reads the configuration.

mod names;

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
use crate::chat::console::{self, Console, Door, Handed, Line, Mode, Output, Setup, Taker};
use crate::chat::slack::manifest;
use crate::cli::{Cli, Command, Dev, DevAgent, Manifest, Serve};
use crate::config::{AgentName, Config, Fault, RuntimeKind};
use crate::control::{self, Control};
use crate::engine::{Engine, Inbound, Input};
use crate::handlers::About;
use crate::model::{Origin, Timestamp, TurnId};
use crate::runtime::attached::{AttachedOptions, AttachedRuntime};
use crate::runtime::kubernetes::{self, KubernetesRuntime, ServerKeys};
use crate::runtime::local::{LocalOptions, LocalRuntime, Program};
use crate::runtime::{Health, Runtime};
use crate::server::{self, Readiness};
use crate::store::{self, Store};
use crate::work::{self, Work};

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
        Command::Check { config } => run_check(&config).await,
        Command::Manifest(Manifest::Slack { config }) => Ok(print_manifest(config.as_deref())),
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
    let door = door(dev.json);
    App::start(config, home, door, true).await?.run(true).await
}

async fn run_serve(serve: Serve) -> anyhow::Result<ExitCode> {
    let config = match Config::load(Some(&serve.config), environment()) {
        Ok(config) => config,
        Err(faults) => return Ok(report(&faults)),
    };
    let door = door(serve.json);
    if door == Way::Plain {
        return Ok(report(&[Fault {
            key: "serve".into(),
            what: "no surface is configured and there is no terminal".into(),
            fix: "run it on a terminal, or with `--json`, or configure a chat surface".into(),
        }]));
    }
    App::start(config, false, door, false).await?.run(false).await
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

/// The program with everything that it consists of.
struct App {
    engine: Engine,
    way: Way,
    console: Console,
    output: Output,
    lines: tokio::sync::mpsc::Receiver<Line>,
    recovered: Vec<crate::model::Turn>,
    control: Option<Control>,
    server: Option<(tokio::net::TcpListener, axum::Router)>,
    ready: Readiness,
    idle_stop: Option<Duration>,
}

impl App {
    async fn start(mut config: Config, home: bool, door: Way, dev: bool) -> anyhow::Result<Self> {
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
            Some(address) => Some((server::listen(address).await?, server::routes(server::metrics()?, ready.clone()))),
        };
        let cipher = store.clone();
        let keys: ServerKeys = Arc::new(move |project| work::server_key(&cipher, project));
        let (runtime, agent) = runtime(&config, home, keys).await?;
        let (console, output, lines) = console(door, &store, &agent);
        let patience = Patience { stream_idle: config.agent.stream_idle_timeout, ..Patience::default() };
        let work = Work::new(store.clone(), runtime, vec![Arc::new(console.clone())], config.limits, patience);
        let recovered = work
            .recover()
            .await
            .map_err(|e| anyhow::anyhow!("the store and the runtime cannot be brought together: {}", e.told()))?;
        let control = Control::open(store.dir());
        let about = About { version: VERSION, started: Timestamp::now(), agent };
        let _ = dev;
        let engine = Engine::new(work, config.access, about);
        let idle_stop = config.runtime.idle_stop;
        Ok(Self { engine, way: door, console, output, lines, recovered, control, server, ready, idle_stop })
    }

    async fn run(self, users: bool) -> anyhow::Result<ExitCode> {
        let Self { engine, way, console, output, lines, recovered, control, server, ready, idle_stop } = self;
        let stop = CancellationToken::new();
        let work = engine.work().clone();
        let mut tasks = Vec::new();
        if let Some(control) = control {
            tasks.push(tokio::spawn(control.run(work.store().clone(), stop.clone())));
        }
        if let Some((listener, routes)) = server {
            tasks.push(tokio::spawn(server::serve(listener, routes, stop.clone())));
        }
        // Before `ready` is told: whoever hears of it may end us at once.
        let mut terminate = signals()?;
        let mut hangup = hangup(way)?;
        ready.set(true);
        console.ready(VERSION).await;
        tracing::info!(version = VERSION, "ready");
        work.resume(recovered);
        if let Some(after) = idle_stop {
            work.stop_idle(after);
        }
        let closed = output.closed.clone();
        let door = Door::new(console.clone(), Entrance(engine.clone()), users).run(lines);
        let code = tokio::select! {
            // A person has seen what was refused.
            end = door => if end.failed && way != Way::Terminal { ExitCode::FAILURE } else { ExitCode::SUCCESS },
            () = terminate.wait() => ExitCode::SUCCESS,
            Some(()) = async { hangup.as_mut()?.recv().await } => ExitCode::SUCCESS,
            () = closed.cancelled() => ExitCode::SUCCESS,
        };
        ready.set(false);
        console.close_input();
        work.shutdown().await;
        stop.cancel();
        for task in tasks {
            let _ = tokio::time::timeout(Duration::from_secs(2), task).await;
        }
        console.finish(Duration::from_secs(5)).await;
        tokio::task::spawn_blocking(move || output.finish(Duration::from_secs(5))).await?;
        Ok(code)
    }
}

/// The console as it is used, with what is typed there.
fn console(way: Way, store: &Store, agent: &str) -> (Console, Output, tokio::sync::mpsc::Receiver<Line>) {
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
                names: Arc::new(names::Known::new(store.clone(), console::operator())),
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

/// The runtime and how its agent is called.
async fn runtime(config: &Config, home: bool, keys: ServerKeys) -> anyhow::Result<(Arc<dyn Runtime>, String)> {
    if config.runtime.kind == RuntimeKind::Attached {
        let url = config.agent.url.clone().context("`agent.url` is missing")?;
        let mut options = AttachedOptions::new(url.clone(), config.data_dir.clone());
        options.secret_key = config.agent.secret_key.clone();
        options.protocol = config.agent.protocol;
        options.workdir = config.agent.workdir.clone();
        return Ok((Arc::new(AttachedRuntime::new(options)?), format!("the server at {url}")));
    }
    if config.runtime.kind == RuntimeKind::Kubernetes {
        let runtime = KubernetesRuntime::connect(config.kubernetes.clone(), &config.cluster, keys).await?;
        return Ok((Arc::new(runtime), agent_on_kubernetes(config)));
    }
    let (program, agent) = program(config)?;
    let mut options = LocalOptions::new(config.data_dir.clone(), program);
    options.env = config.agent.env.clone();
    options.inherit_home = home;
    Ok((Arc::new(LocalRuntime::new(options)), agent))
}

fn agent_on_kubernetes(config: &Config) -> String {
    format!("`{}` on Kubernetes", config.kubernetes.image)
}

fn program(config: &Config) -> anyhow::Result<(Program, String)> {
    if let Some(command) = &config.agent.command {
        let (program, args) = command.split_first().context("`agent.command` is empty")?;
        let shown = format!("`{program}` over stdio");
        return Ok((Program::Stdio { command: program.into(), args: args.to_vec() }, shown));
    }
    let goose = match config.agent.name {
        AgentName::Goose => true,
        AgentName::Demo => false,
        AgentName::Auto => on_path("goose"),
    };
    let listen = ["--host", "{host}", "--port", "{port}"].map(str::to_owned);
    if goose {
        let args = ["serve".to_owned()].into_iter().chain(listen).collect();
        return Ok((Program::Http { command: "goose".into(), args, protocol: config.agent.protocol }, "Goose".to_owned()));
    }
    let args = ["demo-agent", "--listen", "{host}:{port}"].map(str::to_owned).to_vec();
    let own = std::env::current_exe().context("the program cannot find itself")?;
    let protocol = crate::agent::Protocol::Acp;
    Ok((Program::Http { command: own, args, protocol }, "the demo agent (no AI model)".to_owned()))
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

fn print_manifest(file: Option<&Path>) -> ExitCode {
    let wanted = manifest::Wanted::default();
    if let Some(file) = file
        && let Err(faults) = Config::load(Some(file), environment())
    {
        return report(&faults);
    }
    say(manifest::yaml(&manifest::manifest(&wanted)).trim_end());
    ExitCode::SUCCESS
}

async fn run_check(file: &Path) -> anyhow::Result<ExitCode> {
    let config = match Config::load(Some(file), environment()) {
        Ok(config) => config,
        Err(faults) => {
            let rows = faults.iter().map(|f| Health { what: f.key.clone(), found: f.what.clone(), fault: Some(f.fix.clone()) });
            return Ok(table(rows.collect()));
        }
    };
    let mut rows = vec![Health { what: "configuration".into(), found: "understood".into(), fault: None }];
    rows.extend(config.warnings.iter().map(|w| Health { what: "warning".into(), found: w.clone(), fault: None }));
    let (dir, key) = (config.data_dir.clone(), config.secret_key.clone());
    let opened = tokio::task::spawn_blocking(move || Store::open(&dir, key.as_ref())).await?;
    // Operators check next to the Gaggle that runs: in its pod, say.
    let running = matches!(&opened, Err(e) if e.in_use);
    rows.push(match opened {
        Err(e) if running => {
            Health { what: "store".into(), found: format!("{} is in use by a running Gaggle", e.path.display()), fault: None }
        }
        Ok(store) => Health { what: "store".into(), found: format!("{} is writable", store.dir().display()), fault: None },
        Err(e) => Health { what: "store".into(), found: e.what, fault: Some(e.fix) },
    });
    if let Some(address) = config.server.listen {
        rows.push(match server::listen(address).await {
            Ok(_) => Health { what: "server.listen".into(), found: format!("{address} is free"), fault: None },
            Err(_) if running => {
                Health { what: "server.listen".into(), found: format!("{address} is in use while Gaggle runs"), fault: None }
            }
            Err(_) => Health {
                what: "server.listen".into(),
                found: format!("{address} cannot be listened on"),
                fault: Some("stop what listens there, or choose another address".into()),
            },
        });
    }
    if config.runtime.kind == RuntimeKind::Kubernetes {
        // Asked without a runtime, which would begin to watch.
        rows.push(Health { what: "agent".into(), found: agent_on_kubernetes(&config), fault: None });
        rows.extend(kubernetes::check::check(&config.cluster).await);
        return Ok(table(rows));
    }
    let mut config = config;
    config.data_dir = config.data_dir.canonicalize().unwrap_or(config.data_dir);
    // Nobody is spoken to in their name.
    let no_keys: ServerKeys = Arc::new(|_| String::new().into());
    match runtime(&config, false, no_keys).await {
        Ok((runtime, agent)) => {
            rows.push(Health { what: "agent".into(), found: agent, fault: None });
            rows.extend(runtime.health().await);
        }
        Err(error) => {
            rows.push(Health { what: "runtime".into(), found: format!("{error:#}"), fault: Some("mend the setting".into()) })
        }
    }
    Ok(table(rows))
}

fn table(rows: Vec<Health>) -> ExitCode {
    let wide = rows.iter().map(|r| r.what.chars().count()).max().unwrap_or(0);
    let mut code = ExitCode::SUCCESS;
    for row in rows {
        let pad = " ".repeat(wide - row.what.chars().count());
        match row.fault {
            None => say(&format!("ok     {}{pad}  {}", row.what, row.found)),
            Some(fix) => {
                say(&format!("FAULT  {}{pad}  {}; {fix}", row.what, row.found));
                code = ExitCode::FAILURE;
            }
        }
    }
    code
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
        Some(address) => demo::serve(server::listen(address).await?, options).await?,
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
fn hangup(way: Way) -> anyhow::Result<Option<tokio::signal::unix::Signal>> {
    use tokio::signal::unix::{SignalKind, signal};
    Ok(if way == Way::Terminal { Some(signal(SignalKind::hangup())?) } else { None })
}

impl Signals {
    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
