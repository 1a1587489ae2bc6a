//! `/approve`, `/deny`, `/approval list`: what the buttons do, for every surface.

#[derive(Debug, Clone, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct Approve {
    /// The approval, as a7; without it, the one open here
    #[arg(value_name = "ID", value_parser = crate::values::approval_ref)]
    pub id: Option<u64>,
    /// Allow this tool from now on, in the whole project (its owner)
    #[arg(long)]
    pub always: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct Deny {
    /// The approval, as a7; without it, the one open here
    #[arg(value_name = "ID", value_parser = crate::values::approval_ref)]
    pub id: Option<u64>,
    /// Why; everything after it, as it stands
    #[arg(long, value_name = "REASON", value_parser = crate::values::reason)]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand, serde::Serialize, serde::Deserialize)]
pub enum ApprovalCommand {
    /// List the approvals that wait for an answer
    List,
}
