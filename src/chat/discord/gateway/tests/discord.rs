//! A Discord of a few lines, whose connections a test drives by hand.
//!
//! Absence: it says nothing of its own accord.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_util::sync::CancellationToken;

use super::super::*;

pub const LONG: Duration = Duration::from_secs(20);
pub const INTERVAL: Duration = Duration::from_millis(41_250);
pub const TOKEN: &str = "hunter2";

/// Discord's end of a connection.
pub struct End {
    pub socket: WebSocketStream<TcpStream>,
    pub path: String,
}

pub struct Discord {
    pub ends: mpsc::Receiver<End>,
    pub url: String,
    /// Names and contents, as they were handed on.
    pub taken: Arc<Mutex<Vec<(String, Value)>>>,
    pub stop: CancellationToken,
}

pub fn tls() -> Arc<rustls::ClientConfig> {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

pub async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, work).await.expect("nothing came")
}

impl Discord {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let (sender, ends) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let mut path = String::new();
                #[expect(clippy::result_large_err, reason = "the callback's own type")]
                let noted = |request: &Request, response: Response| {
                    path = request.uri().to_string();
                    Ok(response)
                };
                let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, noted).await else { continue };
                if sender.send(End { socket, path }).await.is_err() {
                    return;
                }
            }
        });
        Self { ends, url, taken: Arc::default(), stop: CancellationToken::new() }
    }

    pub fn options(&self) -> Options {
        let token = TOKEN.to_owned().into();
        Options { token, intents: 33_281, url: self.url.clone(), shards: 1, max_concurrency: 1, tls: tls() }
    }

    pub fn start(&self) -> Gateway {
        self.start_with(self.options(), None)
    }

    pub fn start_with(&self, options: Options, resumed: Option<Vec<Resumable>>) -> Gateway {
        let taken = self.taken.clone();
        let sink: Sink = Arc::new(move |dispatch: Dispatch| {
            taken.lock().unwrap().push((dispatch.kind, serde_json::from_str(dispatch.data.get()).unwrap()));
        });
        start(options, sink, resumed, self.stop.clone())
    }

    /// The next connection, with the address of its session.
    pub async fn end(&mut self) -> End {
        let mut end = within(self.ends.recv()).await.unwrap();
        end.say(json!({ "op": 10, "d": { "heartbeat_interval": INTERVAL.as_millis() as u64 }, "s": null, "t": null })).await;
        end
    }

    /// The next connection, on which a session was begun.
    pub async fn begun(&mut self) -> End {
        let mut end = self.end().await;
        assert_eq!(end.hear().await["op"], 2);
        end.ready(&self.url, "s1").await;
        end
    }

    /// The next connection, on which `session` is asked for from `seq` on.
    pub async fn resumed(&mut self, session: &str, seq: u64) -> End {
        let mut end = self.end().await;
        assert_eq!(end.hear().await, json!({ "op": 6, "d": { "token": TOKEN, "session_id": session, "seq": seq } }));
        end
    }

    /// What was handed on, by name.
    pub fn kinds(&self) -> Vec<String> {
        self.taken.lock().unwrap().iter().map(|(kind, _)| kind.clone()).collect()
    }
}

impl End {
    pub async fn say(&mut self, frame: Value) {
        self.send(Message::text(frame.to_string())).await;
    }

    pub async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    pub async fn event(&mut self, seq: u64, kind: &str) {
        self.say(json!({ "op": 0, "s": seq, "t": kind, "d": { "n": seq } })).await;
    }

    pub async fn ready(&mut self, url: &str, session: &str) {
        let data =
            json!({ "v": 10, "session_id": session, "resume_gateway_url": format!("{url}/resume"), "user": { "id": "1" } });
        self.say(json!({ "op": 0, "s": 1, "t": "READY", "d": data })).await;
    }

    pub async fn close(&mut self, code: u16) {
        self.socket.close(Some(CloseFrame { code: code.into(), reason: Default::default() })).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).await.unwrap();
    }

    /// The next frame; a number if it was closed, nothing if it broke.
    pub async fn hear(&mut self) -> Value {
        loop {
            match tokio::time::timeout(2 * INTERVAL, self.socket.next()).await.expect("nothing came") {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Close(close))) => return close.map(|close| u16::from(close.code)).into(),
                Some(Ok(_)) => {}
                None | Some(Err(_)) => return Value::Null,
            }
        }
    }
}
