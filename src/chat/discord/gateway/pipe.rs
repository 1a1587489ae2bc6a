//! One connection of a shard, from Discord's greeting to its end.
//!
//! Invariants: what stands in the socket is read before the connection is called dead; an event that cannot be handled stops nothing;
//! every write has an end.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::code::After;
use super::frame::{self, Frame, Ready};
use super::open::{Opened, Socket};
use super::pace::{Sent, Turn};
use super::session::Session;
use super::{Context, Dispatch, Resumable, chance};

/// A peer that does not read for so long is gone.
const WRITE: Duration = Duration::from_secs(10);
const CLOSE: Duration = Duration::from_secs(1);
/// How long a session may say nothing while it is begun or resumed.
const GREETING: Duration = Duration::from_secs(60);

/// With these Discord ends the session, so only who goes for good says it.
const LEAVE: CloseCode = CloseCode::Normal;
const COME_BACK: u16 = 4000;

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Stopped,
    /// It broke, or Discord closed it.
    Closed(After),
    /// Discord asked for another.
    Asked,
    /// Heartbeats were not acknowledged, or the session was not greeted.
    Dead,
    /// Discord called the session invalid; `true`: it can still be resumed.
    Invalid(bool),
}

pub struct Pipe<'a> {
    context: &'a Context,
    shard: u32,
    session: &'a Session,
    socket: Socket,
    heartbeat: Duration,
    due: Instant,
    is_acknowledged: bool,
    sent: Sent,
    /// When something of the session last came, until it is live.
    progress: Instant,
    /// Since when the session is live here.
    pub live: Option<Instant>,
    /// What was lost before this connection, told once its session is live.
    pub lost: Option<crate::model::Timestamp>,
    pub is_first: bool,
}

type Flow = Result<(), End>;

impl<'a> Pipe<'a> {
    pub fn new(context: &'a Context, shard: u32, opened: Opened) -> Self {
        let now = Instant::now();
        Self {
            context,
            shard,
            session: context.board.session(shard),
            socket: opened.socket,
            heartbeat: opened.heartbeat,
            // Many that come at once do not beat at once.
            due: now + opened.heartbeat.mul_f64(chance()),
            is_acknowledged: true,
            sent: Sent::default(),
            progress: now,
            live: None,
            lost: None,
            is_first: false,
        }
    }

    /// Until it ended; `turn` is the right to begin a session, without which one is resumed.
    pub async fn run(&mut self, turn: Option<Turn<'_>>) -> End {
        let context = self.context;
        let end = tokio::select! {
            biased;
            () = context.stop.cancelled() => End::Stopped,
            pumped = self.pump(turn) => {
                let Err(end) = pumped;
                end
            }
        };
        self.session.down();
        if self.live.is_some() {
            self.context.board.down();
        }
        end
    }

    async fn pump(&mut self, turn: Option<Turn<'_>>) -> Result<Infallible, End> {
        let first = match (turn, self.session.resumable()) {
            (Some(turn), _) => {
                turn.spend();
                frame::identify(&self.context.options, self.shard)
            }
            (None, Some(session)) => frame::resume(&self.context.options, &session),
            (None, None) => return Err(End::Closed(After::Anew)),
        };
        self.write(first).await?;
        let mut alarm = pin!(sleep_until(self.due));
        loop {
            tokio::select! {
                biased;
                message = self.socket.next() => {
                    self.take(message).await?;
                    self.beat_if_behind().await?;
                }
                () = &mut alarm => {
                    if !self.is_acknowledged || (self.live.is_none() && self.progress.elapsed() >= GREETING) {
                        return Err(End::Dead);
                    }
                    self.beat().await?;
                }
            }
            if alarm.deadline() != self.due {
                alarm.as_mut().reset(self.due);
            }
        }
    }

    async fn take(&mut self, message: Option<Result<Message, Error>>) -> Flow {
        match message {
            Some(Ok(Message::Text(text))) => self.text(text.as_str()).await,
            // The pong stands ready in the socket; it goes out with the next write.
            Some(Ok(Message::Ping(_))) => match timeout(WRITE, self.socket.flush()).await {
                Ok(Ok(())) => Ok(()),
                _ => Err(End::Closed(After::Resume)),
            },
            Some(Ok(Message::Close(close))) => {
                let code = close.map(|close| u16::from(close.code));
                tracing::debug!(shard = self.shard, code, "Discord closed its gateway");
                Err(End::Closed(code.map_or(After::Resume, After::code)))
            }
            Some(Ok(Message::Binary(_))) => {
                self.unparsed("binary");
                Ok(())
            }
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => {
                tracing::debug!(shard = self.shard, %error, "the connection to Discord's gateway broke");
                Err(End::Closed(After::Resume))
            }
            None => Err(End::Closed(After::Resume)),
        }
    }

    async fn text(&mut self, text: &str) -> Flow {
        let received = Instant::now();
        self.session.heard();
        let Some(frame) = Frame::parse(text) else {
            self.unparsed("frame");
            return Ok(());
        };
        match frame.op {
            frame::DISPATCH => self.dispatch(frame, received),
            frame::ACK => {
                self.is_acknowledged = true;
                Ok(())
            }
            frame::HEARTBEAT => match self.sent.has_room() {
                true => self.write(frame::heartbeat(self.session.seq())).await,
                false => Ok(()),
            },
            frame::RECONNECT => Err(End::Asked),
            frame::INVALID_SESSION => Err(End::Invalid(frame.is_resumable())),
            frame::HELLO => Ok(()),
            _ => {
                self.unparsed("op");
                Ok(())
            }
        }
    }

    fn dispatch(&mut self, frame: Frame<'_>, received: Instant) -> Flow {
        let Some(kind) = frame.t else {
            self.unparsed("event");
            return Ok(());
        };
        let data = frame.d.unwrap_or(RawValue::NULL);
        let begun = match kind.as_str() {
            "READY" => match Ready::parse(data) {
                Some(ready) => Some(ready),
                None => {
                    self.unparsed("READY");
                    return Err(End::Invalid(false));
                }
            },
            _ => None,
        };
        let is_greeting = begun.is_some() || kind == "RESUMED";
        let dispatch = Dispatch { shard: self.shard, kind, data: data.to_owned(), received };
        // Discord would bring it again with each resumption, and it would end the shard each time.
        if catch_unwind(AssertUnwindSafe(|| (self.context.sink)(dispatch))).is_err() {
            metrics::counter!("gaggle_discord_panics_total").increment(1);
            tracing::error!(shard = self.shard, "an event from Discord broke the one who took it; it is left out");
        }
        self.progress = received;
        if let Some(Ready { session_id, resume_gateway_url }) = begun {
            let seq = frame.s.unwrap_or(0);
            self.session.begin(Resumable { shard: self.shard, session_id, resume_url: resume_gateway_url, seq });
        } else if let Some(seq) = frame.s {
            self.session.advance(seq);
        }
        if is_greeting && self.live.is_none() {
            self.up(received);
        }
        Ok(())
    }

    fn up(&mut self, now: Instant) {
        self.live = Some(now);
        self.session.up();
        self.context.board.up(std::mem::take(&mut self.is_first));
        if let Some(from) = self.lost.take() {
            self.context.board.tell(from);
        }
    }

    /// While events come without a pause the alarm is not heard. An acknowledgement may be behind what is still to be read.
    async fn beat_if_behind(&mut self) -> Flow {
        if Instant::now() < self.due { Ok(()) } else { self.beat().await }
    }

    async fn beat(&mut self) -> Flow {
        self.write(frame::heartbeat(self.session.seq())).await?;
        self.is_acknowledged = false;
        self.due = Instant::now() + self.heartbeat;
        Ok(())
    }

    async fn write(&mut self, text: String) -> Flow {
        self.sent.note();
        match timeout(WRITE, self.socket.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Closed(After::Resume)),
        }
    }

    fn unparsed(&self, what: &'static str) {
        metrics::counter!("gaggle_discord_unparsed_total").increment(1);
        tracing::warn!(shard = self.shard, what, "Discord's gateway sent something that cannot be understood");
    }

    /// Closes it as `end` asks for, and waits for that only if there is nothing after it.
    pub async fn close(self, end: End) {
        let Self { mut socket, context, .. } = self;
        let code = match end {
            End::Stopped => Some(LEAVE),
            // What is left is the answer to Discord's own good-bye.
            End::Closed(_) => None,
            End::Asked | End::Dead | End::Invalid(_) => Some(CloseCode::from(COME_BACK)),
        };
        let closing = async move {
            let closed = async {
                let Some(code) = code else { return socket.flush().await };
                socket.close(Some(CloseFrame { code, reason: Default::default() })).await?;
                while let Some(Ok(_)) = socket.next().await {}
                Ok::<_, Error>(())
            };
            let _ = timeout(CLOSE, closed).await;
        };
        match end {
            End::Stopped => closing.await,
            _ => drop(context.tasks.spawn(closing)),
        }
    }
}
