//! What can go wrong with a request. Both texts are for users and hold no secret; a cause is for the log alone.

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
