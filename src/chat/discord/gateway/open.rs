//! How a connection is opened: its address, the handshake, and Discord's greeting.
//!
//! Invariant: the token goes over no connection that is less safe than the address in the options. Absence: nothing is tried twice here.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::Options;
use super::code::After;
use super::frame::{self, Frame};

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const LIMIT: Duration = Duration::from_secs(15);
/// A server of many members comes as one frame.
const LARGEST: usize = 16 << 20;
/// It is zeroed before each read, and most events are smaller.
const BUFFER: usize = 4 << 10;
/// A greeting without sense is no reason to send without end.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(600);

pub struct Opened {
    pub socket: Socket,
    pub heartbeat: Duration,
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unopened {
    /// Discord was not reached.
    Unreached,
    /// It was, and closed.
    Closed(After),
}

/// `None`: this is no address, or one that is less safe than that of the options.
pub fn address(options: &Options, url: &str) -> Option<String> {
    let mut url = reqwest::Url::parse(url).ok()?;
    let is_safe = url.scheme() == "wss" || (url.scheme() == "ws" && options.url.starts_with("ws://"));
    url.set_query(Some("v=10&encoding=json"));
    (is_safe && url.has_host()).then(|| url.into())
}

pub async fn open(options: &Options, address: String) -> Result<Opened, Unopened> {
    let greeted = async {
        let mut config = WebSocketConfig::default();
        config.read_buffer_size = BUFFER;
        config.write_buffer_size = 0;
        config.max_write_buffer_size = LARGEST;
        config.max_message_size = Some(LARGEST);
        config.max_frame_size = Some(LARGEST);
        let tls = Connector::Rustls(Arc::clone(&options.tls));
        let (mut socket, _) = connect_async_tls_with_config(address, Some(config), true, Some(tls)).await.map_err(|error| {
            tracing::debug!(%error, "no connection to Discord's gateway");
            Unopened::Unreached
        })?;
        while let Some(message) = socket.next().await {
            match message {
                Ok(Message::Text(text)) => {
                    let interval =
                        Frame::parse(&text).filter(|frame| frame.op == frame::HELLO).and_then(|f| f.heartbeat_interval());
                    let Some(interval) = interval else { break };
                    return Ok(Opened { socket, heartbeat: Duration::from_millis(interval).clamp(SHORTEST, LONGEST) });
                }
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Close(Some(close))) => return Err(Unopened::Closed(After::code(close.code.into()))),
                _ => break,
            }
        }
        Err(Unopened::Unreached)
    };
    tokio::time::timeout(LIMIT, greeted).await.unwrap_or(Err(Unopened::Unreached))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_version_and_is_as_safe_as_the_first() {
        let tls = super::super::tests::tls();
        let options = |url: &str| Options {
            token: "t".to_owned().into(),
            intents: 0,
            url: url.to_owned(),
            shards: 1,
            max_concurrency: 1,
            tls: Arc::clone(&tls),
        };
        let safe = options("wss://gateway.discord.gg");
        assert_eq!(address(&safe, "wss://gateway.discord.gg").unwrap(), "wss://gateway.discord.gg/?v=10&encoding=json");
        assert_eq!(address(&safe, "wss://g.discord.gg/x?v=9&compress=a").unwrap(), "wss://g.discord.gg/x?v=10&encoding=json");
        for wrong in ["ws://gateway.discord.gg", "https://discord.gg", "", "wss://"] {
            assert_eq!(address(&safe, wrong), None, "{wrong}");
        }
        let plain = options("ws://127.0.0.1:1");
        assert_eq!(address(&plain, "ws://127.0.0.1:2/").unwrap(), "ws://127.0.0.1:2/?v=10&encoding=json");
    }
}
