//! Starts the program: arguments, logging, the async threads, [`gaggle::app`].

use std::process::ExitCode;

use clap::Parser as _;
use gaggle::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = match Cli::parse().command {
        // Milliseconds matter there, and it needs nothing of what follows.
        Command::Compose(command) => return gaggle::app::compose::run(command),
        command => Cli { command },
    };
    // Two TLS providers in one program would panic at the first connection: this one is everybody's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    log();
    more_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(32).build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(gaggle::app::run(cli));
            // A thread that waits for standard input must not hold the end up.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            tracing::error!(%error, "the async threads cannot be started");
            ExitCode::FAILURE
        }
    }
}

/// To standard error or, while one is in use, the terminal, `warn` and up unless `GAGGLE_LOG` says otherwise (`info`, `gaggle=debug`, …).
fn log() {
    let filter = std::env::var("GAGGLE_LOG").ok().and_then(|f| f.parse().ok());
    let filter = filter.unwrap_or_else(|| tracing_subscriber::EnvFilter::new("warn,kube_client=off,tungstenite=off"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| gaggle::chat::console::Log).with_ansi(colours).init();
}

/// A connection for each running answer: as many files as the system lets us have.
fn more_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
