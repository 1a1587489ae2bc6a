//! One port for everything: WebSockets go to the links, the rest to the web server, and any connection can be cut.
//!
//! Absence: nothing here knows what stands behind the port.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Cuts the connection that a request came on before its answer.
#[derive(Debug, Clone, Default)]
pub struct Cut(Arc<AtomicBool>);

impl Cut {
    pub fn cut(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn broken(&self) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

pub struct Io {
    stream: TcpStream,
    cut: Cut,
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.cut.broken()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The connections that are no WebSockets.
pub struct Web {
    streams: mpsc::Receiver<(TcpStream, SocketAddr)>,
    address: SocketAddr,
}

impl Listener for Web {
    type Io = Io;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Io, SocketAddr) {
        match self.streams.recv().await {
            Some((stream, from)) => (Io { stream, cut: Cut::default() }, from),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Connected<IncomingStream<'_, Web>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Web>) -> Self {
        stream.io().cut.clone()
    }
}

/// Sorts what comes in until the stand-in ends: what begins with one of `links` goes to `serve`, the rest to the web server.
pub fn sort<F>(
    listener: TcpListener,
    ended: CancellationToken,
    links: &'static [&'static [u8]],
    serve: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> Web
where
    F: Future<Output = ()> + Send,
{
    let address = listener.local_addr().expect("an address");
    let (sender, streams) = mpsc::channel(256);
    let serve = Arc::new(serve);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = ended.cancelled() => return,
            };
            let Ok((stream, from)) = accepted else { continue };
            let (serve, sender) = (Arc::clone(&serve), sender.clone());
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let mut head = vec![0; links.iter().map(|link| link.len()).max().unwrap_or_default()];
                let is_link = loop {
                    let read = match stream.peek(&mut head).await {
                        Ok(0) | Err(_) => return,
                        Ok(read) => &head[..read],
                    };
                    if links.iter().any(|link| read.starts_with(link)) {
                        break true;
                    }
                    if !links.iter().any(|link| link.starts_with(read)) {
                        break false;
                    }
                    tokio::task::yield_now().await;
                };
                if is_link {
                    serve(stream).await;
                } else {
                    let _ = sender.send((stream, from)).await;
                }
            });
        }
    });
    Web { streams, address }
}
