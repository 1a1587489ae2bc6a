//! `/cluster …`. Credentials are never arguments: they are asked for in a form.

use crate::values::{cluster_name, namespace, plain_words, tag};

#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand, serde::Serialize, serde::Deserialize)]
pub enum ClusterCommand {
    /// Add a cluster; its credentials are asked for, never typed here
    Add {
        /// Its name here: 1–40 of a–z, 0–9 and -, a letter first
        #[arg(value_name = "NAME", value_parser = cluster_name)]
        new_cluster: String,
        /// Which context of the kubeconfig, if it has several
        #[arg(long, value_name = "CONTEXT", value_parser = plain_words)]
        context: Option<String>,
        #[command(flatten)]
        about: ClusterAbout,
        /// Do not check the server's certificate (admins); it is told wherever the cluster shows
        #[arg(long)]
        insecure_skip_tls_verify: bool,
    },
    /// List the clusters that you may use
    List,
    /// Show a cluster: server, credentials' kind and expiry, operators
    Show {
        /// The cluster; without it, this channel's
        #[arg(value_name = "NAME", value_parser = cluster_name)]
        cluster: Option<String>,
    },
    /// Check now whether a cluster is reachable, and what Gaggle may do there
    Check {
        /// The cluster; without it, this channel's
        #[arg(value_name = "NAME", value_parser = cluster_name)]
        cluster: Option<String>,
    },
    /// List a cluster's namespaces
    Namespaces {
        /// The cluster; without it, this channel's
        #[arg(value_name = "NAME", value_parser = cluster_name)]
        cluster: Option<String>,
    },
    /// Change what is known of a cluster, or give it new credentials
    Update {
        /// The cluster
        #[arg(value_name = "NAME", value_parser = cluster_name)]
        cluster: String,
        #[command(flatten)]
        about: ClusterAbout,
        /// Ask for new credentials
        #[arg(long)]
        credentials: bool,
        /// Which context of the new kubeconfig, if it has several
        #[arg(long, value_name = "CONTEXT", value_parser = plain_words, requires = "credentials")]
        context: Option<String>,
        /// Do not check the server's certificate (admins)
        #[arg(long, requires = "credentials")]
        insecure_skip_tls_verify: bool,
    },
    /// Replace a cluster's tags; without any, they go
    Tag {
        /// The cluster
        #[arg(value_name = "NAME", value_parser = cluster_name)]
        cluster: String,
        /// A tag, as production or eu-west
        #[arg(value_name = "TAG", value_parser = tag)]
        tags: Vec<String>,
    },
    /// Give a cluster another name
    Rename {
        /// The cluster
        #[arg(value_name = "NAME", value_parser = cluster_name)]
        cluster: String,
        /// Its new name: 1–40 of a–z, 0–9 and -, a letter first
        #[arg(value_name = "NEW_NAME", value_parser = cluster_name)]
        new_cluster: String,
    },
    /// Forget a cluster and its credentials; what runs there runs on
    Remove {
        /// The cluster
        #[arg(value_name = "NAME", value_parser = cluster_name)]
        cluster: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Make a cluster this channel's: commands that name none mean it
    Default {
        /// The cluster
        #[arg(value_name = "NAME", value_parser = cluster_name)]
        cluster: String,
        /// The namespace that goes with it
        #[arg(long, value_name = "NS", value_parser = namespace)]
        namespace: Option<String>,
    },
}

/// What people say of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct ClusterAbout {
    /// Who runs it, as EKS or our own
    #[arg(long, value_name = "PROVIDER", value_parser = plain_words)]
    pub provider: Option<String>,
    /// A tag, as production; may be repeated
    #[arg(long = "tag", value_name = "TAG", value_parser = tag)]
    pub tags: Vec<String>,
    /// The namespace that is meant where none is named
    #[arg(long, value_name = "NS", value_parser = namespace)]
    pub namespace: Option<String>,
}

/// Where in which cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct Site {
    /// The cluster; without it, this channel's
    #[arg(long, value_name = "CLUSTER", value_parser = cluster_name)]
    pub cluster: Option<String>,
    /// The namespace; without it, this channel's or the cluster's default
    #[arg(long, value_name = "NS", value_parser = namespace)]
    pub namespace: Option<String>,
}
