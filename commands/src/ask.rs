//! `/ask NAME MESSAGE`. MESSAGE is the rest of the line as it stands: no quoting rule touches it.

use crate::values::project_ref;

#[derive(Debug, Clone, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct Ask {
    /// The project
    #[arg(value_parser = project_ref)]
    pub name: String,
    /// What to ask, as it stands
    #[arg(value_name = "MESSAGE")]
    pub message: String,
}
