//! One connection, from Slack's greeting to its end.
//!
//! Invariants: commands, clicks, shortcuts and closings are acknowledged before they are handed on; while the queue is full nothing
//! more is read, but acknowledgements still go out.

use std::future::pending;
use std::ops::ControlFlow;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::super::delivery::{self, Ack, Delivery};
use super::super::payload::{Door, Payload};
use super::frame::{self, Frame};
use super::open::{Opened, Socket};
use super::{Context, chance};

/// Slack pings about every 10 to 30 s. After the first of these we ask, after the second it counts as dead.
const QUIET: Duration = Duration::from_secs(30);
const SILENT: Duration = Duration::from_secs(60);
/// A peer that does not read for so long is gone.
const WRITE: Duration = Duration::from_secs(10);
const CLOSE: Duration = Duration::from_secs(1);
/// Acknowledgements on their way; more than the queue holds do not come up.
const ACKS: usize = 1024;

/// Why another is to take its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fade {
    /// Slack ends it soon; it is still read.
    Soon,
    /// It ended.
    Gone,
    /// Socket Mode was switched off.
    Disabled,
}

struct Pipe {
    context: Context,
    socket: Socket,
    fade: Option<oneshot::Sender<Fade>>,
    acks: mpsc::Sender<String>,
    /// What waits for a place in the queue.
    held: Option<Delivery>,
}

pub async fn run(context: Context, opened: Opened, place: usize, fade: oneshot::Sender<Fade>, end: CancellationToken) {
    let (acks, mut outgoing) = mpsc::channel(ACKS);
    let board = context.board.clone();
    board.up();
    let renew = opened.lasts.map(|lasts| Instant::now() + lasts.mul_f64(share(place)));
    let mut pipe = Pipe { context, socket: opened.socket, fade: Some(fade), acks, held: None };
    let flow = pipe.pump(&mut outgoing, renew, &end).await;
    board.down();
    if let Some(fade) = pipe.fade.take() {
        let _ = fade.send(Fade::Gone);
    }
    let held = pipe.held.take();
    if flow.is_continue() {
        pipe.close(&mut outgoing).await;
    }
    // It may have been acknowledged, so it does not come again.
    if let Some(delivery) = held {
        let stop = pipe.context.stop.clone();
        drop(pipe.socket);
        tokio::select! {
            _ = pipe.context.queue.send(delivery) => {}
            () = async { stop.cancelled().await; tokio::time::sleep(CLOSE).await } => {}
        }
    }
}

/// The two are renewed at different times, and not all programs at the same one.
fn share(place: usize) -> f64 {
    (if place.is_multiple_of(2) { 0.65 } else { 0.8 }) + 0.1 * chance()
}

type Flow = ControlFlow<()>;

impl Pipe {
    /// `Continue`: it is to be closed; `Break`: it is broken or closed.
    async fn pump(&mut self, outgoing: &mut mpsc::Receiver<String>, mut renew: Option<Instant>, end: &CancellationToken) -> Flow {
        let queue = self.context.queue.clone();
        let mut heard = Instant::now();
        let mut is_asked = false;
        loop {
            let limit = heard + if is_asked { SILENT } else { QUIET };
            let is_held = self.held.is_some();
            tokio::select! {
                biased;
                () = end.cancelled() => return Flow::Continue(()),
                Some(ack) = outgoing.recv() => self.write(Message::text(ack)).await?,
                permit = queue.reserve(), if is_held => {
                    let Ok(permit) = permit else { return Flow::Continue(()) };
                    if let Some(delivery) = self.held.take() {
                        permit.send(delivery);
                    }
                    // Nothing was read meanwhile, which is not its fault.
                    heard = Instant::now();
                }
                message = self.socket.next(), if !is_held => {
                    (heard, is_asked) = (Instant::now(), false);
                    self.context.board.heard();
                    self.take(message).await?;
                }
                () = at(renew) => {
                    renew = None;
                    self.tell(Fade::Soon);
                }
                () = sleep_until(limit), if !is_held => {
                    if is_asked {
                        tracing::debug!("a Slack socket fell silent");
                        return Flow::Break(());
                    }
                    is_asked = true;
                    self.write(Message::Ping(Default::default())).await?;
                }
            }
        }
    }

    async fn take(&mut self, message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) -> Flow {
        match message {
            Some(Ok(Message::Text(text))) => self.text(text.as_str()).await,
            // The pong stands ready in the socket; it goes out with the next write.
            Some(Ok(Message::Ping(_))) => match timeout(WRITE, self.socket.flush()).await {
                Ok(Ok(())) => Flow::Continue(()),
                _ => Flow::Break(()),
            },
            Some(Ok(Message::Close(_))) | None | Some(Err(_)) => Flow::Break(()),
            Some(Ok(_)) => Flow::Continue(()),
        }
    }

    async fn text(&mut self, text: &str) -> Flow {
        let received = Instant::now();
        let Some(frame) = Frame::parse(text) else { return self.broken(text).await };
        let retry = frame.retry_attempt.unwrap_or(0);
        let (Some(envelope), Some(payload)) = (frame.envelope_id.as_deref(), frame.payload) else {
            return self.word(&frame, text).await;
        };
        let door = frame.door();
        let json = payload.get();
        let payload = match door.map(|door| Payload::parse(door, json)) {
            Some(Ok(payload)) => payload,
            Some(Err(_)) | None => Payload::Unknown { kind: known(&frame.kind) },
        };
        let at_once = payload.is_acknowledged_at_once();
        let ack = if at_once { Ack::done() } else { Ack::socket(envelope.to_owned(), self.acks.clone()) };
        if let Payload::Unknown { kind } = &payload {
            metrics::counter!("gaggle_slack_unknown_total").increment(1);
            tracing::info!(kind, "Slack sent something that is not known here");
        }
        let mut delivery = Delivery::new(payload, retry, ack, (door.unwrap_or(Door::Events), json), received);
        if delivery.keys.is_empty() {
            delivery.keys.push(format!("envelope:{envelope}"));
        }
        if at_once {
            let is_new = delivery.keep(&self.context.keep);
            let written = self.write(Message::text(delivery::frame(envelope, None))).await;
            if !is_new {
                return written;
            }
            if written.is_break() {
                // It is kept, so it is not taken for new if it comes again.
                self.held = Some(delivery);
                return written;
            }
        }
        match self.context.queue.try_send(delivery) {
            Ok(()) => Flow::Continue(()),
            Err(mpsc::error::TrySendError::Full(delivery)) => {
                metrics::counter!("gaggle_slack_waits_total").increment(1);
                self.held = Some(delivery);
                Flow::Continue(())
            }
            // Nobody takes anything any more; what was not acknowledged comes again later.
            Err(mpsc::error::TrySendError::Closed(_)) => Flow::Break(()),
        }
    }

    /// What Slack says about the connection itself.
    async fn word(&mut self, frame: &Frame<'_>, text: &str) -> Flow {
        match frame.kind.as_ref() {
            "disconnect" if frame.is_disabled() => {
                self.tell(Fade::Disabled);
                Flow::Continue(())
            }
            // A warning, or that it goes now; either way it is read until it is gone.
            "disconnect" => {
                self.tell(Fade::Soon);
                Flow::Continue(())
            }
            "hello" => Flow::Continue(()),
            _ => self.broken(text).await,
        }
    }

    async fn broken(&mut self, text: &str) -> Flow {
        metrics::counter!("gaggle_slack_unparsed_total").increment(1);
        let kind = Frame::parse(text).map(|frame| known(&frame.kind));
        tracing::warn!(kind = kind.as_deref().unwrap_or("none"), "Slack sent a frame that cannot be understood");
        match frame::envelope_of(text) {
            Some(envelope) => self.write(Message::text(delivery::frame(envelope, None))).await,
            None => Flow::Continue(()),
        }
    }

    fn tell(&mut self, why: Fade) {
        if let Some(fade) = self.fade.take() {
            let _ = fade.send(why);
        }
    }

    async fn write(&mut self, message: Message) -> Flow {
        match timeout(WRITE, self.socket.send(message)).await {
            Ok(Ok(())) => Flow::Continue(()),
            _ => Flow::Break(()),
        }
    }

    /// The acknowledgements that were given go first.
    async fn close(&mut self, outgoing: &mut mpsc::Receiver<String>) {
        let closing = async {
            while let Ok(ack) = outgoing.try_recv() {
                self.socket.send(Message::text(ack)).await?;
            }
            self.socket.close(None).await?;
            while let Some(Ok(_)) = self.socket.next().await {}
            Ok::<_, tokio_tungstenite::tungstenite::Error>(())
        };
        let _ = timeout(CLOSE, closing).await;
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

/// Slack's word, as far as it is fit for logs.
fn known(kind: &str) -> String {
    kind.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(48).collect()
}
