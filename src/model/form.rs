//! Forms and confirmations, as neutral data. Their values never appear in `Debug`.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::FormId;

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Field {
    pub name: String,
    pub label: String,
    /// Hidden while it is typed, where the surface can.
    pub secret: bool,
    pub required: bool,
    /// The values to choose from; empty: free text.
    pub options: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    pub id: FormId,
    pub title: String,
    /// Yes or no, without fields.
    pub confirm: bool,
    pub fields: Vec<Field>,
}

/// What was filled in, by field name.
#[derive(Debug, Default)]
pub struct Values(pub BTreeMap<String, SecretString>);
