//! Whether an agent's server on this machine answers: a port to listen on, and `GET /health`.
//!
//! By hand rather than with the HTTP client: it is asked every few milliseconds, on loopback, without TLS, a pool or a redirect,
//! and a socket that has met itself must be told from an agent.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

pub const HOST: &str = "127.0.0.1";

/// A port that is free now. Nobody holds it until the agent takes it, so the agent may still find it in use.
pub async fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?.port())
}

pub async fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.is_ok()
}

/// Returns when the agent answers. Has no end of its own.
pub async fn answers(port: u16) {
    let mut pause = Duration::from_millis(5);
    while !answers_now(port, Duration::from_secs(2)).await {
        sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_millis(100));
    }
}

pub async fn answers_now(port: u16, patience: Duration) -> bool {
    matches!(timeout(patience, ask(port)).await, Ok(Ok(true)))
}

async fn ask(port: u16) -> io::Result<bool> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect(address).await?;
    // While nobody listens, the system may choose that very port for our own end, and connects it with itself.
    if stream.local_addr()? == address {
        return Ok(false);
    }
    stream.write_all(format!("GET /health HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    Ok(status.starts_with(b"HTTP/1.") && status.ends_with(b" 200"))
}
