//! `/ask NAME MESSAGE`. MESSAGE is the rest of the line as it stands: no quoting rule touches it.

use crate::values::{message, project_ref};

#[derive(Debug, Clone, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct Ask {
    /// The project, as demo or owner/demo
    #[arg(value_name = "NAME", value_parser = project_ref)]
    pub name: String,
    /// What to ask, taken as it stands
    #[arg(value_name = "MESSAGE", value_parser = message)]
    pub message: String,
}
