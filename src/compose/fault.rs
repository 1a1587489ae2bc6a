//! What is wrong with a compose file, and where. A text says what was expected; it never holds the content of an environment or of
//! another file.

use super::node::Mark;

/// One thing that is wrong, while its file is known by number alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub at: Mark,
    pub text: String,
}

pub type Result<T, E = Fault> = std::result::Result<T, E>;

impl Fault {
    pub fn new(at: Mark, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }
}

pub fn fault<T>(at: Mark, text: impl Into<String>) -> Result<T> {
    Err(Fault::new(at, text))
}

/// A line and a column of a file, both counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub line: u32,
    pub column: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A remark or a refusal with its place, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub place: Option<Place>,
    pub text: String,
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Why a compose file was refused: one or more faults, in the order of their places.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Refused(pub Vec<Told>);
