//! Which lines of a log: the same for projects and releases.

use crate::values::{Period, since};

#[derive(Debug, Clone, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct LogLines {
    /// How many of the last lines
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub tail: u32,
    /// No lines older than this, as 90s, 10m, 2h or 1d
    #[arg(long, value_name = "PERIOD", value_parser = since)]
    pub since: Option<Period>,
    /// Of the run before this one
    #[arg(long, conflicts_with = "follow")]
    pub previous: bool,
    /// Go on showing new lines until stopped
    #[arg(long)]
    pub follow: bool,
}
