//! `/infra …`: what runs in a cluster already.

use crate::cluster::Site;

#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand, serde::Serialize, serde::Deserialize)]
pub enum InfraCommand {
    /// Find databases, queues and other infrastructure that runs in a cluster
    Scan {
        #[command(flatten)]
        site: Site,
        /// In every namespace that can be read
        #[arg(long, conflicts_with = "namespace")]
        all_namespaces: bool,
        /// Look again, though the last scan is still fresh
        #[arg(long)]
        refresh: bool,
    },
}
