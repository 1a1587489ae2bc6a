//! Server-sent events: bytes in whatever pieces they come, whole `data` payloads out. Invariant: a payload is only ever made
//! of whole lines, so nothing is lost or split at a chunk border, and one that outgrows the limit is never held whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use sse_stream::SseByteStream;
use tokio::sync::watch;
use tokio::time::Instant;

/// Why a stream ended before its run did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
    #[error("an event larger than the limit")]
    TooLarge,
    #[error("the stream broke: {0}")]
    Broken(String),
}

/// When a stream last gave a sign of life. Any byte counts, so that a keep-alive comment does.
#[derive(Debug, Clone)]
pub struct Life(Arc<watch::Sender<Instant>>);

impl Life {
    pub fn new() -> Self {
        Self(Arc::new(watch::channel(Instant::now()).0))
    }

    pub fn touch(&self) {
        self.0.send_replace(Instant::now());
    }

    pub fn until(&self, idle: Duration) -> Instant {
        let last = *self.0.borrow();
        // A patience that no clock can hold is as good as a very long one.
        last.checked_add(idle).unwrap_or_else(|| last + Duration::from_secs(86_400 * 365))
    }
}

/// The payloads of `body`. Ends after the first error; the end of the body ends it without one.
pub fn payloads<S, E>(body: S, life: Life, limit: usize) -> impl Stream<Item = Result<String, Cut>> + Unpin + Send
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let held = Arc::new(AtomicUsize::new(0));
    let counted = {
        let held = held.clone();
        body.map(move |piece| {
            let piece = piece.map_err(|error| Cut::Broken(root(&error)))?;
            life.touch();
            if held.fetch_add(piece.len(), Ordering::Relaxed) + piece.len() > limit {
                return Err(Cut::TooLarge);
            }
            Ok(piece)
        })
    };
    SseByteStream::new(counted).filter_map(move |event| {
        held.store(0, Ordering::Relaxed);
        let item = match event {
            Ok(event) => event.data.filter(|data| !data.is_empty()).map(Ok),
            Err(sse_stream::Error::Body(source)) => {
                Some(Err(source.downcast::<Cut>().map_or_else(|other| Cut::Broken(other.to_string()), |cut| *cut)))
            }
            Err(error) => Some(Err(Cut::Broken(error.to_string()))),
        };
        std::future::ready(item)
    })
}

/// The innermost cause: the outer ones repeat the URL.
pub fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: Vec<Vec<u8>>, limit: usize) -> Vec<Result<String, Cut>> {
        let body = stream::iter(pieces.into_iter().map(|piece| Ok::<_, Infallible>(Bytes::from(piece))));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(payloads(body, Life::new(), limit).collect())
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(texts in prop::collection::vec("[^\r\n]{1,40}", 1..8), cuts in prop::collection::vec(1usize..9, 1..200), crlf: bool) {
            let end = if crlf { "\r\n" } else { "\n" };
            let mut bytes = Vec::new();
            for text in &texts {
                bytes.extend_from_slice(format!(": keep-alive{end}{end}data: {text}{end}{end}").as_bytes());
            }
            let mut pieces = Vec::new();
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, more) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece.to_vec());
                rest = more;
            }
            let wanted: Vec<_> = texts.iter().cloned().map(Ok).collect();
            prop_assert_eq!(read(pieces, 1 << 20), wanted);
        }
    }

    #[test]
    fn a_payload_past_the_limit_ends_the_stream() {
        let mut pieces = vec![b"data: fine\n\n".to_vec(), b"data: ".to_vec()];
        pieces.extend(std::iter::repeat_n(vec![b'x'; 100], 20));
        assert_eq!(read(pieces, 1000), vec![Ok("fine".to_owned()), Err(Cut::TooLarge)]);
    }

    #[test]
    fn small_payloads_never_add_up_to_the_limit() {
        let pieces = std::iter::repeat_n(b"data: 0123456789\n\n".to_vec(), 500).collect();
        assert_eq!(read(pieces, 64).len(), 500);
    }
}
