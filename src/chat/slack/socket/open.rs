//! How a connection is opened: its address from Slack, the handshake, and Slack's greeting.
//!
//! Absence: nothing is tried twice here.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::super::api::{Api, Fault};
use super::frame::Frame;

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const LIMIT: Duration = Duration::from_secs(10);
/// Events with long messages are large, and views larger.
const LARGEST: usize = 4 << 20;
/// Acknowledgements are small; Slack sends seldom more than this at once.
const BUFFER: usize = 4 << 10;

pub struct Opened {
    pub socket: Socket,
    /// After about this long Slack ends it.
    pub lasts: Option<Duration>,
}

/// What no other try would change.
pub fn is_final(fault: &Fault) -> bool {
    const CODES: &[&str] = &[
        "not_allowed_token_type",
        "missing_scope",
        "no_permission",
        "access_denied",
        "ekm_access_denied",
        "link_disabled",
        "socket_mode_disabled",
        "invalid_app_id",
        "app_not_found",
        "two_factor_setup_required",
        "org_login_required",
        "unknown_method",
    ];
    fault.is_token_dead() || fault.code().is_some_and(|code| CODES.contains(&code))
}

pub async fn address(api: &Api) -> Result<String, Fault> {
    let answer = api.call("apps.connections.open", &json!({})).await?;
    let url = answer["url"].as_str().ok_or(Fault::Unknown("an answer that is not Slack's"))?;
    let is_right = url.starts_with("wss://") || (api.is_plain() && url.starts_with("ws://"));
    is_right.then(|| url.to_owned()).ok_or(Fault::Unknown("an address that is not safe"))
}

pub async fn open(api: &Api, address: Option<String>) -> Result<Opened, Fault> {
    let address = match address {
        Some(address) => address,
        None => self::address(api).await?,
    };
    let greeted = async {
        let mut config = WebSocketConfig::default();
        config.read_buffer_size = BUFFER;
        config.write_buffer_size = 0;
        config.max_write_buffer_size = LARGEST;
        config.max_message_size = Some(LARGEST);
        config.max_frame_size = Some(LARGEST);
        let tls = Connector::Rustls(api.tls());
        // What went wrong there may name the address.
        let (mut socket, _) = connect_async_tls_with_config(address, Some(config), true, Some(tls))
            .await
            .map_err(|_| Fault::Unsent("no socket"))?;
        while let Some(message) = socket.next().await {
            let Ok(Message::Text(text)) = message else {
                match message {
                    Ok(Message::Ping(_) | Message::Pong(_)) => continue,
                    _ => break,
                }
            };
            let Some(frame) = Frame::parse(&text) else { break };
            match frame.kind.as_ref() {
                "hello" => return Ok(Opened { socket, lasts: frame.lasts() }),
                "disconnect" if frame.is_disabled() => return Err(Fault::Refused("link_disabled".to_owned())),
                _ => break,
            }
        }
        Err(Fault::Unsent("no greeting"))
    };
    tokio::time::timeout(LIMIT, greeted).await.map_err(|_| Fault::Unsent("no greeting in time"))?
}
