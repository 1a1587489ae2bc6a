//! ACP over a process's standard input and output: one JSON-RPC message a line, all sessions on one pipe. Invariant: a session
//! whose answers are read slowly has a queue of its own of at most 8 MiB; only when that is full does the pipe wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::{Buf, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::message::{self, Incoming};
use super::session::{Next, Session};
use super::streams::give_up;
use super::{Acp, Core, Hello, Wire, locked};
use crate::agent::{AgentEvent, Failure, MAX_EVENT, Patience, Pipes, sentences};

const PLACE: &str = "the other end of the pipe";
/// Bytes of messages that wait for one session.
const QUEUE: usize = 8 * 1024 * 1024;
/// What a message costs beside its text.
const MESSAGE: usize = 512;
/// How much of a line that is too long is looked at for the session that it belongs to.
const HEAD: usize = 4096;

type Input = Arc<tokio::sync::Mutex<Box<dyn AsyncWrite + Send + Unpin>>>;
type Output = Box<dyn AsyncRead + Send + Unpin>;

pub struct Pipe {
    input: Input,
    queues: Mutex<HashMap<String, Queue>>,
    patience: Patience,
}

#[derive(Clone)]
struct Queue {
    messages: mpsc::UnboundedSender<(Incoming, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
}

pub async fn connect(pipes: &Pipes, cwd: &str, patience: Patience) -> Result<Acp, Failure> {
    let Some((input, output)) = pipes.take().await else {
        return Err(Failure::Failed("The agent's pipes are in use already. Restart the project.".to_owned()));
    };
    let input: Input = Arc::new(tokio::sync::Mutex::new(input));
    let mut lines = Lines::new(output);
    let hello = tokio::time::timeout(patience.call, handshake(&input, &mut lines))
        .await
        .unwrap_or_else(|_| Err(sentences::no_answer("begin", patience.call)))?;
    let pipe = Pipe { input, queues: Mutex::default(), patience };
    let core = Core::new(Wire::Pipe(pipe), hello, PLACE.to_owned(), cwd, patience);
    tokio::spawn(read(core.clone(), lines));
    Ok(Acp { _stop: core.stop.clone().drop_guard(), core })
}

async fn handshake(input: &Input, lines: &mut Lines) -> Result<Hello, Failure> {
    let ended = || Failure::Failed("The agent's process ended before it said hello. Its log says why.".to_owned());
    write_line(input, &message::initialize("hello")).await.map_err(|_| ended())?;
    loop {
        match lines.next().await {
            Some(Line::Whole(line)) => match std::str::from_utf8(&line).ok().and_then(message::parse) {
                Some(Incoming::Response { id, outcome }) if id == "hello" => {
                    return Hello::of(&outcome.map_err(|error| sentences::rpc("begin", error.code, &error.text))?);
                }
                // Some programs greet people before they speak the protocol.
                _ => tracing::debug!("a line before the handshake's answer"),
            },
            Some(Line::TooLong(_)) => {}
            None => return Err(ended()),
        }
    }
}

async fn write_line(input: &Input, message: &Value) -> std::io::Result<()> {
    let mut line = message.to_string();
    line.push('\n');
    let mut input = input.lock().await;
    input.write_all(line.as_bytes()).await?;
    input.flush().await
}

impl Pipe {
    pub async fn write(&self, core: &Core, message: &Value) -> Result<(), Failure> {
        let why = match tokio::time::timeout(self.patience.call, write_line(&self.input, message)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it does not read what it is sent".to_owned(),
        };
        // Half a line may have been written: nothing can follow it.
        core.lost(sentences::gone(PLACE, &why));
        Err(core.why_gone())
    }

    pub fn write_later(&self, message: Value) {
        let input = self.input.clone();
        tokio::spawn(async move {
            if let Err(error) = write_line(&input, &message).await {
                tracing::debug!(%error, "not sent");
            }
        });
    }

    /// Gives the session its queue and its task, unless it has them.
    pub fn listen(&self, core: &Arc<Core>, session: &Arc<Session>) {
        if session.start_listening() {
            let (messages, receiver) = mpsc::unbounded_channel();
            let queue = Queue { messages, room: Arc::new(Semaphore::new(QUEUE)) };
            locked(&self.queues).insert(session.id.clone(), queue);
            tokio::spawn(follow(core.clone(), session.clone(), receiver));
        }
    }

    fn queue(&self, session: &str) -> Option<Queue> {
        locked(&self.queues).get(session).cloned()
    }
}

/// Deals the pipe's messages out to their sessions until the process ends.
async fn read(core: Arc<Core>, mut lines: Lines) {
    let stop = core.stop.clone();
    loop {
        let line = tokio::select! {
            () = stop.cancelled() => return,
            line = lines.next() => line,
        };
        match line {
            Some(Line::Whole(line)) => match std::str::from_utf8(&line).ok().and_then(message::parse) {
                Some(message) => deal(&core, message, line.len()).await,
                None => tracing::debug!("a line that is no message"),
            },
            Some(Line::TooLong(head)) => {
                let sessions = core.sessions_now();
                let named = sessions.iter().find(|session| mentions(&head, &session.id)).cloned();
                for session in named.map_or(sessions, |session| vec![session]) {
                    give_up(&core, &session, sentences::too_large()).await;
                }
            }
            None => break,
        }
    }
    core.lost(sentences::gone(PLACE, "its process ended"));
}

fn mentions(head: &[u8], session: &str) -> bool {
    let id = Value::from(session).to_string();
    head.windows(id.len()).any(|window| window == id.as_bytes())
}

async fn deal(core: &Arc<Core>, message: Incoming, size: usize) {
    let session = match &message {
        Incoming::Response { id, .. } => core.session_of(id),
        other => other.session().map(str::to_owned),
    };
    let Some(session) = session else { return core.other(message) };
    let Wire::Pipe(pipe) = &core.wire else { return };
    let session = core.session(&session);
    let Some(queue) = pipe.queue(&session.id) else { return };
    let cost = u32::try_from((size + MESSAGE).min(QUEUE)).unwrap_or(u32::MAX);
    if let Ok(room) = queue.room.acquire_many_owned(cost).await {
        // A queue whose task has ended belongs to a session that was forgotten.
        let _ = queue.messages.send((message, room));
    }
}

async fn follow(core: Arc<Core>, session: Arc<Session>, messages: mpsc::UnboundedReceiver<(Incoming, OwnedSemaphorePermit)>) {
    let (stop, retired) = (core.stop.clone(), session.retired.clone());
    tokio::select! {
        () = stop.cancelled() => {}
        () = retired.cancelled() => session.end(vec![AgentEvent::Done { cancelled: true, usage: None }], false).await,
        () = take_all(&core, &session, messages) => {}
    }
}

async fn take_all(
    core: &Arc<Core>,
    session: &Arc<Session>,
    mut messages: mpsc::UnboundedReceiver<(Incoming, OwnedSemaphorePermit)>,
) {
    let idle = core.patience.stream_idle;
    loop {
        tokio::select! {
            // What has come is dealt with before the end of the pipe is believed.
            biased;
            message = messages.recv() => match message {
                Some((message, room)) => {
                    session.take(core, message).await;
                    drop(room);
                }
                None => return,
            },
            () = session.wake.notified() => {}
            () = core.gone.cancelled() => session.end(vec![AgentEvent::Failed(core.why_gone())], false).await,
            () = tokio::time::sleep_until(session.deadline(idle)), if !core.gone.is_cancelled() => {
                if session.overdue(idle).await == Next::GiveUp {
                    core.send_later(Core::cancel_message(&session.id), None);
                }
            }
        }
        if core.gone.is_cancelled() && messages.is_empty() {
            return session.end(vec![AgentEvent::Failed(core.why_gone())], false).await;
        }
    }
}

enum Line {
    Whole(BytesMut),
    /// The first bytes of a line past the limit; the rest of it is read and dropped.
    TooLong(BytesMut),
}

struct Lines {
    output: Output,
    buffer: BytesMut,
    /// Bytes of the buffer that are known to hold no end of line.
    searched: usize,
    limit: usize,
}

impl Lines {
    fn new(output: Output) -> Self {
        Self { output, buffer: BytesMut::with_capacity(8192), searched: 0, limit: MAX_EVENT }
    }

    async fn next(&mut self) -> Option<Line> {
        let mut too_long: Option<BytesMut> = None;
        loop {
            if let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + end);
                self.buffer.advance(1);
                self.searched = 0;
                match too_long {
                    Some(head) => return Some(Line::TooLong(head)),
                    None if line.len() > self.limit => return Some(Line::TooLong(line)),
                    None if line.iter().all(u8::is_ascii_whitespace) => continue,
                    None => return Some(Line::Whole(line)),
                }
            }
            if too_long.is_some() {
                self.buffer.clear();
            } else if self.buffer.len() > self.limit {
                self.buffer.truncate(HEAD);
                too_long = Some(std::mem::replace(&mut self.buffer, BytesMut::with_capacity(8192)));
            }
            self.searched = self.buffer.len();
            self.buffer.reserve(8192);
            match self.output.read_buf(&mut self.buffer).await {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "the pipe broke");
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn lines(pieces: Vec<Vec<u8>>, limit: usize) -> Vec<Result<String, usize>> {
        let (mut writer, reader) = tokio::io::duplex(64);
        let writing = tokio::spawn(async move {
            for piece in pieces {
                writer.write_all(&piece).await.unwrap();
            }
        });
        let mut lines = Lines { limit, ..Lines::new(Box::new(reader)) };
        let mut all = Vec::new();
        while let Some(line) = lines.next().await {
            all.push(match line {
                Line::Whole(line) => Ok(String::from_utf8(line.to_vec()).unwrap()),
                Line::TooLong(head) => Err(head.len()),
            });
        }
        writing.await.unwrap();
        all
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(texts in prop::collection::vec("[^\r\n ]{1,40}", 1..8), size in 1usize..9) {
            let bytes: Vec<u8> = texts.iter().flat_map(|text| format!("{text}\n").into_bytes()).collect();
            let pieces = bytes.chunks(size).map(<[u8]>::to_vec).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let wanted: Vec<_> = texts.iter().filter(|text| !text.bytes().all(|byte| byte.is_ascii_whitespace())).cloned().map(Ok).collect();
            prop_assert_eq!(runtime.block_on(lines(pieces, 1 << 20)), wanted);
        }
    }

    #[tokio::test]
    async fn a_line_past_the_limit_is_dropped_to_its_end() {
        let pieces = vec![b"one\n".to_vec(), vec![b'x'; 50_000], b"\ntwo\n".to_vec()];
        let all = lines(pieces, 10_000).await;
        assert_eq!(all, [Ok("one".to_owned()), Err(HEAD), Ok("two".to_owned())]);
    }
}
