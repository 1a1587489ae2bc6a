//! `/secret …`. A value is never an argument: it is asked for in a form.

use std::str::FromStr;

#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand, serde::Serialize, serde::Deserialize)]
pub enum SecretCommand {
    /// Set a secret for all of your projects; its value is asked for, never typed here
    Set {
        /// The variable's name, as OPENAI_API_KEY
        #[arg(value_name = "KEY")]
        key: SecretKey,
    },
    /// List the names of your secrets
    List,
    /// Remove a secret
    Unset {
        /// The variable's name, as OPENAI_API_KEY
        #[arg(value_name = "KEY")]
        key: SecretKey,
    },
}

/// The name of a secret: an environment variable's name, 1–64 of `A–Z a–z 0–9 _`, no digit first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SecretKey(pub String);

impl FromStr for SecretKey {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        crate::values::variable_name(s).map(SecretKey)
    }
}
