//! The program's own command line. Decides nothing but which part of [`crate::app`] runs.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use gaggle_commands::Expose;

#[derive(Debug, Parser)]
#[command(name = "gaggle", version, about = "AI coding agents for a team, from the chat it already uses", long_about = None)]
#[command(arg_required_else_help = true, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Everything embedded, on this machine, without any set-up
    Dev(Dev),
    /// Run with a configuration: its surfaces, its runtime
    Serve(Serve),
    /// Check a configuration and what it needs; exit 1 on a fault
    Check {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Print what a platform has to know about the app, to be pasted there
    #[command(subcommand)]
    Manifest(Manifest),
    /// The built-in demo agent: speaks ACP, has no model
    DemoAgent {
        /// Where it listens; without it, it speaks on standard input and output
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
    },
    /// Read compose files as `docker compose` does
    #[command(subcommand)]
    Compose(Compose),
    /// Write a consistent copy of a store to a new file, also while it is in use
    Backup {
        /// The new file
        file: PathBuf,
        /// The store's folder
        #[arg(long, value_name = "DIR", default_value = "./.gaggle")]
        data: PathBuf,
    },
    /// Make a store from a backup, in a new or empty folder
    Restore {
        /// The backup
        file: PathBuf,
        /// The new folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum Manifest {
    /// The app manifest for Slack, as YAML
    Slack {
        /// The configuration file; without it, for Socket Mode and the commands that are usual
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Compose {
    /// Tell what becomes of each service; exit 1 if the files are wrong
    Check(ComposeFiles),
    /// Print the resolved project
    Config {
        #[command(flatten)]
        files: ComposeFiles,
        /// As JSON, in the shape of `docker compose config --format json`
        #[arg(long)]
        json: bool,
    },
    /// Write what becomes of it as a tree for `kubectl apply -k`
    Export {
        #[command(flatten)]
        files: ComposeFiles,
        /// The folder that the tree is written to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The namespace; without it, the project's name
        #[arg(long, value_name = "NAME")]
        namespace: Option<String>,
        /// How published ports are reached from outside of the cluster
        #[arg(long, value_name = "HOW", ignore_case = true)]
        expose: Option<Expose>,
    },
}

#[derive(Debug, Args)]
pub struct ComposeFiles {
    /// The project's folder; without it, that of the first file
    #[arg(long, value_name = "DIR")]
    pub project_directory: Option<PathBuf>,
    /// Variables for the files; without it, `.env` of the project's folder
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// Enable the services of a profile; `*` is all
    #[arg(long, value_name = "PROFILE")]
    pub profile: Vec<String>,
    /// The project's name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Compose files, each over those before, `-` for standard input; without any, those with the usual names
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Dev {
    /// Where everything is kept
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Which agent projects run; without it, the demo agent
    #[arg(long, value_enum, conflicts_with = "command")]
    pub agent: Option<DevAgent>,
    /// One JSON object a line, in and out
    #[arg(long)]
    pub json: bool,
    /// Any ACP agent on standard input and output, with its arguments
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DevAgent {
    /// Built in, without a model
    Demo,
    /// `goose` from PATH, with your own configuration
    Goose,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The console as JSON door: one object a line, in and out
    #[arg(long)]
    pub json: bool,
}
