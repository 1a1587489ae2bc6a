//! A project's log file, which the agent writes itself: bounded, read from its end, followed.
//!
//! Invariant: what leaves here has passed the redactor, as whole lines or cut where no secret is. Never holds more than a few
//! MiB of it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::runtime::Redactor;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longer lines are given in pieces.
const LINE: usize = 16 * 1024;
/// The most that is read at once.
const WINDOW: u64 = 4 * 1024 * 1024;
const FOLLOW: Duration = Duration::from_millis(250);

pub struct Log {
    path: PathBuf,
    limit: u64,
    rotation: Mutex<Rotation>,
}

/// The last time that the file was emptied: how often it has been, and how long it was then.
#[derive(Default, Clone, Copy)]
struct Rotation {
    count: u64,
    length: u64,
}

/// How far a follower has read.
#[derive(Default, Clone, Copy)]
struct Position {
    rotation: u64,
    offset: u64,
}

impl Log {
    pub fn new(path: PathBuf, limit: u64) -> Arc<Self> {
        Arc::new(Self { path, limit, rotation: Mutex::default() })
    }

    fn rotation(&self) -> MutexGuard<'_, Rotation> {
        self.rotation.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn old(&self) -> PathBuf {
        self.path.with_extension("log.1")
    }

    /// How long the file is. Blocks.
    pub fn length(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |meta| meta.len())
    }

    /// Keeps the file within its limit: the newest part becomes the one old file, and the agent goes on in an empty one, since it
    /// appends. What it writes in the microseconds between is lost.
    pub async fn bound(self: &Arc<Self>) {
        let log = Arc::clone(self);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || log.bound_now()).await {
            tracing::warn!(%error, "an agent's log cannot be bounded");
        }
    }

    fn bound_now(&self) -> io::Result<()> {
        if self.length() <= self.limit {
            return Ok(());
        }
        let mut rotation = self.rotation();
        let mut file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        let mut read = file.metadata()?.len().saturating_sub(self.limit);
        let new = self.path.with_extension("log.new");
        let mut kept = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.seek(SeekFrom::Start(read))?;
        // A few rounds, for what is written meanwhile; an agent that writes without a pause loses the rest.
        for _ in 0..4 {
            let copied = io::copy(&mut (&mut file).take(self.limit), &mut kept)?;
            read += copied;
            if copied == 0 {
                break;
            }
        }
        kept.flush()?;
        file.set_len(0)?;
        std::fs::rename(new, self.old())?;
        *rotation = Rotation { count: rotation.count + 1, length: read };
        Ok(())
    }

    /// The last lines that were written after the file was `from` bytes long, for a sentence about a failure: at most 10 lines and
    /// 1 500 characters.
    pub async fn last_words(self: &Arc<Self>, from: u64, redactor: Arc<Redactor>) -> String {
        let log = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let length = log.length();
            let from = if from > length { 0 } else { from };
            let text = read_range(&log.path, from.max(length.saturating_sub(256 * 1024)), length, from).unwrap_or_default();
            last_lines(&redactor.redact(&String::from_utf8_lossy(&text)), 10, 1_500)
        });
        read.await.unwrap_or_default()
    }

    /// The last `tail` lines, and then what is written until `over`, or until nobody reads any more.
    pub async fn read(
        self: Arc<Self>,
        tail: usize,
        follow: Option<CancellationToken>,
        redactor: impl Fn() -> Arc<Redactor> + Send + 'static,
    ) -> mpsc::Receiver<String> {
        let (lines, receiver) = mpsc::channel(64);
        // Before it returns: what is written from now on counts as new.
        let (text, mut position) = blocking(&self, Log::tail_now).await;
        tokio::spawn(async move {
            let mut pending = Pending::default();
            let mut last = pending.add(&text, &redactor());
            if follow.is_none() {
                last.extend(pending.rest(&redactor()));
            }
            let skip = last.len().saturating_sub(tail);
            for line in last.drain(..).skip(skip) {
                if lines.send(line).await.is_err() {
                    return;
                }
            }
            let Some(over) = follow else { return };
            let mut tick = tokio::time::interval(FOLLOW);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let ending = over.is_cancelled();
                let (text, next) = blocking(&self, move |log| log.news(position)).await;
                position = next;
                let more = text.len() as u64 >= WINDOW;
                let mut new = pending.add(&text, &redactor());
                if ending && !more {
                    new.extend(pending.rest(&redactor()));
                }
                for line in new {
                    if lines.send(line).await.is_err() {
                        return;
                    }
                }
                if more {
                    continue;
                }
                if ending {
                    return;
                }
                tokio::select! {
                    _ = tick.tick() => {}
                    () = over.cancelled() => {}
                    () = lines.closed() => return,
                }
            }
        });
        receiver
    }

    /// The end of both files, from the beginning of a line on.
    fn tail_now(&self) -> (Vec<u8>, Position) {
        let rotation = self.rotation();
        let length = self.length();
        let mut text = Vec::new();
        if length < WINDOW {
            let old = std::fs::metadata(self.old()).map_or(0, |meta| meta.len());
            text = read_range(&self.old(), old.saturating_sub(WINDOW - length), old, 0).unwrap_or_default();
        }
        text.extend(read_range(&self.path, length.saturating_sub(WINDOW), length, 0).unwrap_or_default());
        (text, Position { rotation: rotation.count, offset: length })
    }

    /// What was written since, at most a window of it.
    fn news(&self, mut position: Position) -> (Vec<u8>, Position) {
        let rotation = self.rotation();
        let mut text = Vec::new();
        if position.rotation != rotation.count {
            if position.rotation + 1 == rotation.count {
                let missed = rotation.length.saturating_sub(position.offset);
                let old = std::fs::metadata(self.old()).map_or(0, |meta| meta.len());
                text = read_exact(&self.old(), old.saturating_sub(missed), old).unwrap_or_default();
            }
            position = Position { rotation: rotation.count, offset: 0 };
        }
        let length = self.length();
        if length < position.offset {
            // Somebody else emptied it.
            position.offset = 0;
        }
        let to = length.min(position.offset + WINDOW);
        let new = read_exact(&self.path, position.offset, to).unwrap_or_default();
        position.offset += new.len() as u64;
        text.extend(new);
        (text, position)
    }
}

async fn blocking<T: Default + Send + 'static>(log: &Arc<Log>, read: impl FnOnce(&Log) -> T + Send + 'static) -> T {
    let log = Arc::clone(log);
    tokio::task::spawn_blocking(move || read(&log)).await.unwrap_or_default()
}

/// A part of a file. If it begins past `start`, what is left of the line that it begins in is left out: it may be half a secret.
fn read_range(path: &Path, from: u64, to: u64, start: u64) -> io::Result<Vec<u8>> {
    let mut text = read_exact(path, from, to)?;
    if from > start {
        let line = text.iter().position(|b| *b == b'\n').map_or(text.len().min(64 * 1024), |at| at + 1);
        text.drain(..line);
    }
    Ok(text)
}

fn read_exact(path: &Path, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    file.take(to.saturating_sub(from)).read_to_end(&mut text)?;
    Ok(text)
}

/// The last `lines` lines that are not blank, and of these what fits into `max` characters.
fn last_lines(text: &str, lines: usize, max: usize) -> String {
    let mut last: Vec<&str> = text.lines().rev().filter(|line| !line.trim().is_empty()).take(lines).collect();
    last.reverse();
    let text = last.join("\n");
    let extra = text.chars().count().saturating_sub(max);
    if extra == 0 { text } else { std::iter::once('…').chain(text.chars().skip(extra + 1)).collect() }
}

/// What was read of a line that has not ended.
#[derive(Default)]
struct Pending(Vec<u8>);

impl Pending {
    fn add(&mut self, text: &[u8], redactor: &Redactor) -> Vec<String> {
        self.0.extend_from_slice(text);
        let mut lines = Vec::new();
        let mut from = 0;
        while let Some(length) = self.0[from..].iter().position(|b| *b == b'\n') {
            pieces(&self.0[from..from + length], redactor, &mut lines);
            from += length + 1;
        }
        self.0.drain(..from);
        // A line without an end does not grow for ever; its end is kept back, where a secret may be half written.
        while self.0.len() > LINE + redactor.longest() + 4 {
            let text = String::from_utf8_lossy(&self.0).into_owned();
            let at = redactor.cut(&text, LINE);
            lines.push(redactor.redact(&text[..at]));
            self.0 = text.as_bytes()[at..].to_vec();
        }
        lines
    }

    fn rest(&mut self, redactor: &Redactor) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.0.is_empty() {
            pieces(&std::mem::take(&mut self.0), redactor, &mut lines);
        }
        lines
    }
}

fn pieces(line: &[u8], redactor: &Redactor, lines: &mut Vec<String>) {
    let text = redactor.redact(String::from_utf8_lossy(line).trim_end_matches('\r'));
    let mut rest = text.as_str();
    while rest.len() > LINE {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(LINE));
        lines.push(piece.to_owned());
        rest = after;
    }
    lines.push(rest.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;

    #[test]
    fn long_lines_come_in_pieces_without_a_secret() {
        let redactor = Redactor::new(&[SecretString::from("hunter2hunter2")]);
        let mut pending = Pending::default();
        let long = format!("{}hunter2hunter2{}", "x".repeat(LINE - 5), "y".repeat(LINE));
        let mut lines = Vec::new();
        for piece in long.as_bytes().chunks(1_000) {
            lines.extend(pending.add(piece, &redactor));
        }
        lines.extend(pending.add(b"\nnext\nhalf", &redactor));
        assert_eq!(lines.pop().unwrap(), "next");
        assert_eq!(lines.concat(), long.replace("hunter2hunter2", "[redacted]"));
        assert!(lines.iter().all(|line| line.len() <= LINE + 10));
        assert_eq!(pending.rest(&redactor), ["half"]);
    }

    #[test]
    fn last_words_are_few() {
        let text: String = (0..40).map(|n| format!("line {n}\n\n")).collect();
        assert_eq!(last_lines(&text, 2, 100), "line 38\nline 39");
        assert_eq!(last_lines(&text, 2, 9), "…\nline 39");
    }
}
