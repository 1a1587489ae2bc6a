//! Socket Mode, Slack's side: tickets, `hello`, envelopes and their acknowledgements, pings, and the ways in which a socket ends.
//!
//! Invariant: what a socket took with it when it was cut is known as cut, not as late.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use super::state::{APP, Frame, Socket, State};
use super::{Change as _, Inner};

/// Frames that may wait for one socket.
const WAITING: usize = 65_536;

#[expect(clippy::result_large_err, reason = "the handshake's own callback type")]
pub async fn serve(inner: Arc<Inner>, stream: TcpStream) {
    if inner.look(|s| s.refuse_sockets) {
        return;
    }
    let redeem = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let ticket = request.uri().query().and_then(|q| q.split('&').find_map(|p| p.strip_prefix("ticket="))).unwrap_or_default();
        let good = inner.change(|s| {
            let good = s.tickets.remove(ticket);
            if !good {
                s.fault("a socket without a ticket, or with one that was used");
            }
            good
        });
        if good {
            return Ok(response);
        }
        let mut refusal = ErrorResponse::new(Some("invalid_ticket".into()));
        *refusal.status_mut() = axum::http::StatusCode::FORBIDDEN;
        Err(refusal)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, redeem).await else { return };
    let (sender, mut frames) = mpsc::channel(WAITING);
    let Some(id) = inner.change(|s| register(s, sender)) else {
        let refusal = json!({ "type": "disconnect", "reason": "too_many_websockets", "debug_info": { "host": "standin" } });
        let _ = socket.send(Message::text(refusal.to_string())).await;
        let _ = socket.close(None).await;
        return;
    };
    let mut pings = tokio::time::interval(inner.look(|s| s.rules.ping));
    let mut unanswered = 0;
    pings.tick().await;
    let hello = inner.look(hello);
    let mut alive = socket.send(Message::text(hello.to_string())).await.is_ok();
    if alive {
        inner.change(|s| s.hellos += 1);
    }
    while alive {
        tokio::select! {
            () = inner.ended.cancelled() => break,
            frame = frames.recv() => match frame {
                Some(Frame::Text(text)) => alive = socket.send(Message::text(text)).await.is_ok(),
                Some(Frame::Disconnect(reason)) => {
                    let text = json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": "standin" } }).to_string();
                    alive = socket.send(Message::text(text)).await.is_ok();
                    if reason != "warning" {
                        alive = false;
                        drain(&inner, &mut socket).await;
                        let _ = socket.close(None).await;
                    }
                }
                Some(Frame::Cut) | None => break,
            },
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => inner.change(|s| take(s, &text)),
                Some(Ok(Message::Pong(_))) => unanswered = 0,
                Some(Ok(Message::Ping(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => inner.change(|s| s.fault("a frame that is no text")),
            },
            _ = pings.tick() => {
                unanswered += 1;
                if unanswered > 3 {
                    inner.change(|s| s.fault("a socket that answers no pings"));
                    break;
                }
                alive = socket.send(Message::Ping("Ping from the stand-in".into())).await.is_ok();
            }
        }
    }
    inner.change(|s| {
        s.sockets.retain(|socket| socket.id != id);
        for pending in s.pending.values_mut().filter(|p| p.socket == id) {
            pending.done = None;
        }
    });
}

/// Takes what is already on its way before the socket closes.
async fn drain(inner: &Arc<Inner>, socket: &mut tokio_tungstenite::WebSocketStream<TcpStream>) {
    let grace = std::time::Duration::from_millis(200);
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(grace, socket.next()).await {
        match frame {
            Message::Text(text) => inner.change(|s| take(s, &text)),
            Message::Close(_) => return,
            _ => {}
        }
    }
}

fn register(state: &mut State, sender: mpsc::Sender<Frame>) -> Option<u64> {
    if state.sockets.len() >= state.rules.sockets {
        state.fault("more sockets than an app may have");
        return None;
    }
    state.turn += 1;
    let id = u64::try_from(state.turn).ok()?;
    state.sockets.push(Socket { id, sender, leaving: false });
    Some(id)
}

fn hello(state: &State) -> Value {
    json!({
        "type": "hello", "num_connections": state.sockets.len(), "connection_info": { "app_id": APP },
        "debug_info": { "host": "applink-1", "build_number": 10, "approximate_connection_time": 18_060 },
    })
}

/// A frame of the app: only acknowledgements are allowed.
fn take(state: &mut State, text: &str) {
    let Ok(frame) = serde_json::from_str::<Value>(text) else { return state.fault("a frame that is no JSON") };
    let envelope = frame["envelope_id"].as_str().unwrap_or_default();
    let Some(pending) = state.pending.get_mut(envelope) else {
        return state.fault(format!("an acknowledgement of nothing: {text}"));
    };
    let delivery = &mut state.deliveries[pending.delivery];
    let what = delivery.what.clone();
    let again = delivery.acked.is_some();
    if !again {
        delivery.acked = Some(delivery.sent.elapsed());
    }
    let payload = frame["payload"].clone();
    let foreign = !pending.accepts && !payload.is_null();
    if let Some(done) = pending.done.take() {
        let _ = done.send(payload);
    }
    if again {
        state.fault(format!("{what} was acknowledged twice"));
    }
    if foreign {
        state.fault(format!("{what} takes no response payload"));
    }
}
