//! What is not for logs.

use std::fmt;
use std::ops::Deref;

/// What somebody wrote, or a URL that lets its holder in. Not shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quiet(pub String);

impl fmt::Debug for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Deref for Quiet {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Quiet {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}
