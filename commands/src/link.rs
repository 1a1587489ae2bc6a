//! `/link` and `/unlink`: one person on several surfaces.

#[derive(Debug, Clone, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct Link {
    /// The code that /link gave you on the other surface; without it, one is made here
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct Unlink {
    /// The identity to separate, as slack:U012AB3CD; without it, the one you speak with
    #[arg(value_name = "IDENTITY")]
    pub identity: Option<String>,
}
