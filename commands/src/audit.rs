//! `/audit`.

#[derive(Debug, Clone, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct Audit {
    /// How many entries
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub tail: u32,
    /// Only what this person did
    #[arg(long, value_name = "USER", value_parser = crate::values::person)]
    pub user: Option<String>,
}
