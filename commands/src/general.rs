//! The commands that are about Gaggle itself.

#[derive(Debug, Clone, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct Help {
    /// The command, as project create
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct Thread {
    /// The thread's number; without it, the threads are listed
    #[arg(value_name = "N")]
    pub number: Option<u64>,
}
