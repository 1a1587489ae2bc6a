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
    /// One line about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What stands in it at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Room for several lines.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub long: bool,
    /// What it holds is a file as a rule: it may be attached, where the surface can.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub file: bool,
    /// Yes or no: its value is `true` or `false`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub switch: bool,
    /// Somebody, whoever it is: surfaces that have a menu of all people show that one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub person: bool,
}

impl Field {
    /// A line of text that has to be filled in.
    pub fn new(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            secret: false,
            required: true,
            options: Vec::new(),
            hint: None,
            value: None,
            long: false,
            file: false,
            switch: false,
            person: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    pub id: FormId,
    pub title: String,
    /// Markdown: what has to be read before it is answered. Of any length.
    pub text: String,
    /// Yes or no, without fields.
    pub confirm: bool,
    pub fields: Vec<Field>,
}

impl Field {
    /// Whether a file may stand for what is typed: files are longer than any input, and what is secret need not be seen.
    pub fn takes_file(&self) -> bool {
        self.secret || self.file
    }
}

impl Form {
    pub fn new(title: impl Into<String>, fields: Vec<Field>) -> Self {
        Self { id: FormId(String::new()), title: title.into(), text: String::new(), confirm: false, fields }
    }

    /// Yes or no.
    pub fn question(title: impl Into<String>) -> Self {
        Self { confirm: true, ..Self::new(title, Vec::new()) }
    }
}

/// What was filled in, by field name.
#[derive(Debug, Default)]
pub struct Values(pub BTreeMap<String, SecretString>);

impl Values {
    /// For what is asked for in several steps.
    pub fn copy(&self) -> Self {
        Self(self.0.clone())
    }
}
