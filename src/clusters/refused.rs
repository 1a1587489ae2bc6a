//! Why something that was given is not taken, and where it stands.
//!
//! Invariant: no sentence repeats a value that was given: places, names of keys and names of contexts are all that it can hold.

use std::fmt;

use crate::error::Error;

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a text; both count from 1.
    At { line: u64, column: u64 },
    /// In a field of a form.
    Field(&'static str),
    /// Nowhere in particular.
    Whole,
}

/// A sentence for people: what is wrong, and the right form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    pub place: Place,
    pub what: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::At { line, column } => write!(f, "line {line}, column {column}: {}", self.what),
            Place::Field(name) => write!(f, "`{name}`: {}", self.what),
            Place::Whole => f.write_str(&self.what),
        }
    }
}

impl Refused {
    pub fn new(place: Place, what: impl Into<String>) -> Self {
        Self { place, what: what.into() }
    }
}

pub fn refuse<T>(place: Place, what: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::new(place, what))
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.to_string())
    }
}
