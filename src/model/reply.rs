//! What people get to see, before any surface renders it.

use serde_json::{Map, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Notice {
    Ok,
    Refused,
    Failed,
}

/// The answer to one command.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub notice: Notice,
    /// Markdown.
    pub text: String,
    /// The facts behind the text; the same keys everywhere.
    pub data: Map<String, Value>,
    pub files: Vec<File>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl Reply {
    pub fn ok(text: impl Into<String>) -> Self {
        Self { notice: Notice::Ok, text: text.into(), data: Map::new(), files: Vec::new() }
    }

    pub fn refused(text: impl Into<String>) -> Self {
        Self { notice: Notice::Refused, ..Self::ok(text) }
    }

    pub fn failed(text: impl Into<String>) -> Self {
        Self { notice: Notice::Failed, ..Self::ok(text) }
    }

    /// Adds one fact. A value that cannot be JSON is a bug, not a user's fault, and becomes null.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl serde::Serialize) -> Self {
        self.data.insert(key.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    #[must_use]
    pub fn file(mut self, name: impl Into<String>, bytes: Vec<u8>) -> Self {
        self.files.push(File { name: name.into(), bytes });
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    Running,
    Done,
    Failed,
}

/// One step of long work; later ones with the same `step` replace earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub step: String,
    pub state: StepState,
    pub text: String,
}
