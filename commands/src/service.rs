//! `/service …`: compose services, and what of them runs in clusters. Secret values are never arguments: they are asked for in a form.

use crate::cluster::Site;
use crate::values::{Period, PlainVar, compose_url, health_path, release_name, service_ref, timeout, workload_name};
use crate::{Expose, LogLines, SecretKey};

#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand, serde::Serialize, serde::Deserialize)]
pub enum ServiceCommand {
    /// Add a compose file to the catalogue: from an https address, or pasted into a form
    Add {
        /// Its name in the catalogue: 1–40 of a–z, 0–9 and -, a letter first
        #[arg(value_name = "NAME", value_parser = release_name)]
        new_file: String,
        /// Where it is; without it, a form asks for the file
        #[arg(value_name = "URL", value_parser = compose_url)]
        url: Option<String>,
    },
    /// List the services that can be deployed
    Catalogue {
        /// Only those that others build on: databases, queues, caches
        #[arg(long)]
        infra: bool,
    },
    /// Show a service: image, ports, variables, what it needs
    Show {
        /// The service, as file:service, or a whole file
        #[arg(value_name = "ID", value_parser = service_ref)]
        service: String,
    },
    /// Deploy a service, or all of a file's, to a cluster
    Deploy {
        /// The service, as file:service, or a whole file
        #[arg(value_name = "ID", value_parser = service_ref)]
        service: String,
        /// What the release is called; otherwise as the service or file
        #[arg(long = "as", value_name = "NAME", value_parser = release_name)]
        new_release: Option<String>,
        #[command(flatten)]
        changes: ServiceChanges,
        /// Deploy what it depends on, too
        #[arg(long)]
        with_dependencies: bool,
        /// Deploy databases and the like anew, even if the cluster has them
        #[arg(long)]
        infra: bool,
        /// Only show what would be done
        #[arg(long)]
        dry_run: bool,
        /// Do not ask for variables and confirmation
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        site: Site,
    },
    /// Make or change the ConfigMap and Secret of a service without deploying it
    Env {
        /// The release
        #[arg(value_name = "NAME", value_parser = release_name)]
        release: String,
        /// A variable that is no secret; may be repeated
        #[arg(long, value_name = "K=V")]
        set: Vec<PlainVar>,
        /// A variable that goes; may be repeated
        #[arg(long, value_name = "K")]
        unset: Vec<SecretKey>,
        /// A variable whose value is asked for and kept as a secret; may be repeated
        #[arg(long, value_name = "K")]
        secret: Vec<SecretKey>,
        /// A variable that is no secret, whatever it looks like; may be repeated
        #[arg(long, value_name = "K")]
        plain: Vec<SecretKey>,
        #[command(flatten)]
        site: Site,
    },
    /// List releases
    List {
        #[command(flatten)]
        site: Site,
    },
    /// Show how a release stands, and what others changed of it
    Status {
        /// The release
        #[arg(value_name = "NAME", value_parser = release_name)]
        release: String,
        #[command(flatten)]
        site: Site,
    },
    /// Show a release's logs
    Logs {
        /// The release
        #[arg(value_name = "NAME", value_parser = release_name)]
        release: String,
        /// One of its workloads; without it, all
        #[arg(long, value_name = "WORKLOAD", value_parser = workload_name)]
        workload: Option<String>,
        #[command(flatten)]
        lines: LogLines,
        #[command(flatten)]
        site: Site,
    },
    /// Restart a release's pods one after the other
    Restart {
        /// The release
        #[arg(value_name = "NAME", value_parser = release_name)]
        release: String,
        /// One of its workloads; without it, all
        #[arg(long, value_name = "WORKLOAD", value_parser = workload_name)]
        workload: Option<String>,
        #[command(flatten)]
        site: Site,
    },
    /// Change how many pods a workload has
    Scale {
        /// The release
        #[arg(value_name = "NAME", value_parser = release_name)]
        release: String,
        /// How many
        #[arg(value_name = "REPLICAS", value_parser = clap::value_parser!(u32).range(0..=500))]
        replicas: u32,
        /// Which of its workloads, if there are several
        #[arg(long, value_name = "WORKLOAD", value_parser = workload_name)]
        workload: Option<String>,
        #[command(flatten)]
        site: Site,
    },
    /// Run a command in one of a release's pods, without a shell
    Exec {
        /// The release
        #[arg(value_name = "NAME", value_parser = release_name)]
        release: String,
        /// Which of its workloads, if there are several
        #[arg(long, value_name = "WORKLOAD", value_parser = workload_name)]
        workload: Option<String>,
        /// How long it may take, up to 1h
        #[arg(long, value_name = "PERIOD", value_parser = timeout, default_value = "5m")]
        timeout: Period,
        #[command(flatten)]
        site: Site,
        /// The program and its arguments, each as it stands
        #[arg(value_name = "CMD", last = true, required = true)]
        argv: Vec<String>,
    },
    /// Open a port of the machine that Gaggle runs on to a release (admins)
    PortForward {
        /// The release
        #[arg(value_name = "NAME", value_parser = release_name)]
        release: String,
        /// The port in the container; without it, the first
        #[arg(value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
        port: Option<u16>,
        /// Which of its workloads, if there are several
        #[arg(long, value_name = "WORKLOAD", value_parser = workload_name)]
        workload: Option<String>,
        /// How long it stays open, up to 1h
        #[arg(long, value_name = "PERIOD", value_parser = timeout, default_value = "10m")]
        timeout: Period,
        #[command(flatten)]
        site: Site,
    },
    /// Deploy a release again from its file, with changes
    Update {
        /// The release
        #[arg(value_name = "NAME", value_parser = release_name)]
        release: String,
        #[command(flatten)]
        changes: ServiceChanges,
        /// Only show what would be done
        #[arg(long)]
        dry_run: bool,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        site: Site,
    },
    /// Bring back an earlier revision of a release
    Rollback {
        /// The release
        #[arg(value_name = "NAME", value_parser = release_name)]
        release: String,
        /// Which revision; without it, the one before
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        to: Option<u32>,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        site: Site,
    },
    /// Delete a release with everything of it in the cluster
    Delete {
        /// The release
        #[arg(value_name = "NAME", value_parser = release_name)]
        release: String,
        /// Leave its volumes
        #[arg(long)]
        keep_data: bool,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        site: Site,
    },
    /// Send a release's manifests as a file; secrets are left out
    Manifests {
        /// The release
        #[arg(value_name = "NAME", value_parser = release_name)]
        release: String,
        /// Which revision; without it, the last
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        revision: Option<u32>,
        #[command(flatten)]
        site: Site,
    },
    /// Send a release as a kustomize tree; secret values are left out
    Export {
        /// The release
        #[arg(value_name = "NAME", value_parser = release_name)]
        release: String,
        #[command(flatten)]
        site: Site,
    },
}

/// In what a release differs from its file.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct ServiceChanges {
    /// A variable that is no secret; may be repeated
    #[arg(long, value_name = "K=V")]
    pub set: Vec<PlainVar>,
    /// How many pods
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=500))]
    pub replicas: Option<u32>,
    /// A path that answers once the service is ready, as /healthz
    #[arg(long, value_name = "PATH", value_parser = health_path)]
    pub health_path: Option<String>,
    /// How published ports are reached from outside of the cluster
    #[arg(long, value_name = "HOW", ignore_case = true)]
    pub expose: Option<Expose>,
    /// A variable that is kept as a secret; may be repeated
    #[arg(long, value_name = "K")]
    pub secret: Vec<SecretKey>,
    /// A variable that is no secret, whatever it looks like; may be repeated
    #[arg(long, value_name = "K")]
    pub plain: Vec<SecretKey>,
}
