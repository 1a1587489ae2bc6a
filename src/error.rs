//! What can go wrong with a request. Both texts are for users and hold no secret; a cause is for the log alone.

use crate::model::Reply;

/// The outcome of a request that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not allowed or not possible as asked; nothing was changed. The sentence says what to do instead.
    #[error("{0}")]
    Refused(String),
    /// Tried and did not work. The sentence says what happened, what it means and what to do next.
    #[error("{0}")]
    Failed(String),
    /// Something that ought not to happen. The user gets an incident number, the log gets the cause.
    #[error("something went wrong inside Gaggle")]
    Broken(#[source] anyhow::Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

pub fn refused<T>(sentence: impl Into<String>) -> Result<T> {
    Err(Error::Refused(sentence.into()))
}

impl Error {
    /// What the user sees. Logs the cause of what is broken, once, with the incident that the user was told.
    pub fn told(self) -> Self {
        match self {
            Error::Broken(source) => {
                let incident = incident();
                tracing::error!(incident, error = format!("{source:#}"), "a request broke");
                Error::Failed(format!(
                    "Something went wrong inside Gaggle (incident {incident}). Try again; if it stays, give that number to whoever runs Gaggle."
                ))
            }
            other => other,
        }
    }

    pub fn reply(self) -> Reply {
        match self.told() {
            Error::Refused(text) => Reply::refused(text),
            Error::Failed(text) => Reply::failed(text),
            Error::Broken(_) => Reply::failed("Something went wrong inside Gaggle."),
        }
    }
}

/// Four characters that are hard to misread.
fn incident() -> String {
    const LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().map(|b| char::from(LETTERS[usize::from(b % 32)])).collect()
}

impl From<anyhow::Error> for Error {
    fn from(source: anyhow::Error) -> Self {
        Error::Broken(source)
    }
}

impl From<std::io::Error> for Error {
    fn from(source: std::io::Error) -> Self {
        Error::Broken(source.into())
    }
}
